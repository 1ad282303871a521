"""Base stock: order every review period up to S, for a service target or a lead time that varies."""

from __future__ import annotations

import math
from typing import NamedTuple

from scipy import special

from omnisim.supply.classics.demand import (
    Demand,
    as_scenarios,
    coverage,
    expected_shortage,
    mean_of,
    over_periods,
    quantile,
)
from omnisim.supply.classics.inputs import Check, accept, fault, lag, not_negative, number, positive, service


class BaseStock(NamedTuple):
    """An order-up-to level and the service it gives.

    Parameters
    ----------
    level : float [unit]  on hand + on order − waiting, right after a review (S)
    safety_stock : float [unit]  mean stock left when the next order arrives, S − E[D over L + R]
    cycle_service : float [share]  of review cycles that end without a stock-out
    fill_rate : float [share]  of demand that is served from the shelf
    """

    level: float
    safety_stock: float
    cycle_service: float
    fill_rate: float


class SafetyStock(NamedTuple):
    """Stock kept against chance.

    Parameters
    ----------
    safety_stock : float [unit]  z σ
    level : float [unit]  reorder point or order-up-to level, mean demand until the next delivery + safety stock
    demand_sd : float [unit]  of demand until the next delivery (σ)
    factor : float  safety factor (z)
    """

    safety_stock: float
    level: float
    demand_sd: float
    factor: float


def base_stock_service(demand: Demand, *, level: float, lead_time: float, review_period: float = 1) -> BaseStock:
    """The service that an order-up-to level gives.

    Parameters
    ----------
    demand : of one period: normal, gamma or Poisson of scipy.stats, or any in whole units  (D)
    level : float [unit]  (S)
    lead_time : float [period]  from order to receipt (L)
    review_period : float [period]  between orders (R)

    Returns
    -------
    BaseStock
        Cycle service P(D over L + R ≤ S); fill rate 1 − (E[(D_{L+R} − S)⁺] − E[(D_L − S)⁺]) / E[D_R].

    Raises
    ------
    UsageError  for a negative lead time, a review period of 0, or demand whose sums have no closed form

    Notes
    -----
    Exact: each cycle's new backorders are those before its delivery's successor less those just after its own (Silver,
    Pyke & Thomas 2017, section 7.5; Zipkin 2000, section 6.5.2). Unmet demand waits.
    """
    where = "base_stock_service"
    accept(where, number("level", level), lag(lead_time),
           positive("review_period", review_period, "Use 1 for a review every period."))
    return _service(demand, level, lead_time, review_period)


def _service(demand: Demand, level: float, lead: float, review: float) -> BaseStock:
    until, during = over_periods(demand, lead + review), over_periods(demand, lead)
    missed = expected_shortage(until, level) - expected_shortage(during, level)
    mean = mean_of(demand)
    accept("base_stock_service", None if mean > 0 else fault("demand", f"mean {mean:g}", "must have a mean > 0",
                                                             "An article without demand needs no stock."))
    return BaseStock(float(level), level - mean_of(until), coverage(until, level), 1 - missed / (mean * review))


def base_stock(demand: Demand, *, lead_time: float, review_period: float = 1, cycle_service: float | None = None,
               fill_rate: float | None = None) -> BaseStock:
    """The least order-up-to level that reaches a service target.

    Parameters
    ----------
    demand : of one period: normal, gamma or Poisson of scipy.stats, or any in whole units  (D)
    lead_time : float [period]  from order to receipt (L)
    review_period : float [period]  between orders (R)
    cycle_service : float [share]  of cycles to end without a stock-out, below 1 (α)
    fill_rate : float [share]  of demand to be served from the shelf, below 1 (β); give one of the two

    Returns
    -------
    BaseStock

    Raises
    ------
    UsageError  for a target of 1 or more, both or neither target, a negative lead time, or demand whose sums have no
        closed form

    Notes
    -----
    α: the quantile of demand over L + R. β: by halving, as the fill rate rises with S. See `base_stock_service`.
    To balance costs instead, take the newsvendor's ratio p / (p + h) for α; Snyder & Shen (2019), section 4.3.4.

    Examples
    --------
    >>> from scipy import stats
    >>> base_stock(stats.poisson(10), lead_time=2, cycle_service=0.95).level
    39.0
    """
    where = "base_stock"
    targets: list[Check] = [service(target, name) for name, target in (
        ("cycle_service", cycle_service), ("fill_rate", fill_rate)) if target is not None]
    if len(targets) != 1:
        targets.append(fault("cycle_service, fill_rate", f"{len(targets)} targets", "must be one of the two",
                             "Leave one out."))
    accept(where, lag(lead_time), positive("review_period", review_period, "Use 1 for a review every period."),
           *targets)
    until = over_periods(demand, lead_time + review_period)
    if cycle_service is not None:
        return _service(demand, quantile(until, cycle_service), lead_time, review_period)
    during, mean = over_periods(demand, lead_time), mean_of(demand) * review_period

    def filled(level: float) -> float:
        return 1 - (expected_shortage(until, level) - expected_shortage(during, level)) / mean

    assert fill_rate is not None
    whole = as_scenarios(until) is not None
    low, high = -1.0, max(1.0, quantile(until, fill_rate))
    while filled(high) < fill_rate:
        low, high = high, 2 * high + 1
    while high - low > (1 if whole else 1e-11 * max(1.0, high)):
        middle = math.floor((low + high) / 2) if whole else (low + high) / 2
        if middle <= low:
            break
        low, high = (middle, high) if filled(middle) < fill_rate else (low, middle)
    return _service(demand, math.ceil(high) if whole else high, lead_time, review_period)


def safety_stock(*, service_level: float, demand_mean: float, demand_sd: float, lead_time: float,
                 lead_time_sd: float = 0.0, review_period: float = 0.0) -> SafetyStock:
    """Safety stock for normal demand and a lead time that varies.

    Parameters
    ----------
    service_level : float [share]  of cycles to end without a stock-out, below 1 (α)
    demand_mean, demand_sd : float [unit]  of a period's demand (μ, σ)
    lead_time, lead_time_sd : float [period]  mean and standard deviation (L, s)
    review_period : float [period]  between orders, 0 for continuous review (R)

    Returns
    -------
    SafetyStock
        z √((L + R) σ² + μ² s²) with z = Φ⁻¹(α).

    Raises
    ------
    UsageError  for a service level of 1 or more, or a negative lead time

    Notes
    -----
    Snyder & Shen (2019), section 4.3.4; Hadley & Whitin (1963). Takes demand over a random lead time for normal; where
    lead times have two or three likely values it can be off by far: then use `over_lead_times` with `base_stock`'s
    quantile. Orders are taken not to overtake each other.

    Examples
    --------
    >>> round(safety_stock(service_level=0.95, demand_mean=45, demand_sd=45**0.5, lead_time=7).safety_stock, 1)
    29.2
    """
    accept("safety_stock", service(service_level, "service_level"), not_negative("demand_mean", demand_mean),
           not_negative("demand_sd", demand_sd), lag(lead_time), not_negative("lead_time_sd", lead_time_sd),
           not_negative("review_period", review_period))
    factor = float(special.ndtri(service_level))
    sd = math.sqrt((lead_time + review_period) * demand_sd**2 + (demand_mean * lead_time_sd) ** 2)
    return SafetyStock(factor * sd, demand_mean * (lead_time + review_period) + factor * sd, sd, factor)
