"""One warehouse, many retailers: base stocks for Poisson demand, exactly."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special

from omnisim.supply.classics.inputs import Floats, accept, each, fault, lag, not_negative, series, whole
from omnisim.supply.classics.losses import poisson_pmf

TAIL = 1e-13
MOST = 4_000
"""Largest mean number of units on order at the supplier."""


class Distribution(NamedTuple):
    """A warehouse and the retailers it serves first come, first served.

    Parameters
    ----------
    demand_means : (n,) [unit/time]  Poisson demand at each retailer (λᵢ)
    lead_times : float or (n,) [time]  from the warehouse to each (Lᵢ)
    holding_costs : float or (n,) [currency/unit/time]  (hᵢ)
    backorder_costs : float or (n,) [currency/unit/time]  a customer's unit that waits (pᵢ)
    warehouse_lead_time : float [time]  from the supplier (L₀)
    warehouse_holding_cost : float [currency/unit/time]  (h₀)
    """

    demand_means: ArrayLike
    lead_times: Any
    holding_costs: Any
    backorder_costs: Any
    warehouse_lead_time: float
    warehouse_holding_cost: float


class DistributionLevels(NamedTuple):
    """Base stocks of a warehouse and its retailers.

    Parameters
    ----------
    warehouse : int [unit]  (S₀)
    retailers : int (n,) [unit]  (Sᵢ)
    cost : float [currency/time]  expected holding and backorder cost, without what is on its way to retailers
    backorders : float (n,) [unit]  mean customers' units that wait, at each retailer
    warehouse_backorders : float [unit]  mean retailers' units that wait at the warehouse
    """

    warehouse: int
    retailers: NDArray[np.int64]
    cost: float
    backorders: Floats
    warehouse_backorders: float


def distribution_base_stock(system: Distribution, *, warehouse: int | None = None) -> DistributionLevels:
    """How to split stock between a warehouse and the retailers it serves.

    Parameters
    ----------
    system : Distribution
    warehouse : int [unit]  fix the warehouse's level and find the retailers' only

    Returns
    -------
    DistributionLevels
        A retailer's units on order are Oᵢ = Bᵢ + Dᵢ: those that wait at the warehouse, Bᵢ | B₀ ~ Binomial(B₀, λᵢ / λ₀)
        with B₀ = (D₀ − S₀)⁺, and Poisson demand over Lᵢ. Cost = h₀ E[(S₀ − D₀)⁺] + Σ hᵢ E[(Sᵢ − Oᵢ)⁺] + pᵢ E[(Oᵢ −
        Sᵢ)⁺]; each Sᵢ is a newsvendor's, S₀ the best of all.

    Raises
    ------
    UsageError  for figures that cannot be meant

    Notes
    -----
    Every demand is passed on at once (one-for-one). Simon (1971), Graves (1985), Axsäter (1990); Snyder & Shen (2019),
    section 6.3. METRIC (Sherbrooke 1968) takes Oᵢ for Poisson instead and is off where the warehouse runs short often.
    """
    where = "distribution_base_stock"
    accept(where, series("demand_means", system.demand_means))
    means = np.asarray(system.demand_means, np.float64)
    figures = {name: each(name, value, means.size) for name, value in (
        ("lead_times", system.lead_times), ("holding_costs", system.holding_costs),
        ("backorder_costs", system.backorder_costs))}
    accept(where, *(series(name, array, means.size) for name, array in figures.items()),
           lag(system.warehouse_lead_time, "warehouse_lead_time"),
           not_negative("warehouse_holding_cost", system.warehouse_holding_cost),
           whole("warehouse", warehouse) if warehouse is not None else None)
    accept(where, *(None if array.min() > 0 else
                    fault(f"{name}[{int(np.argmin(array))}]", f"{array.min():g}", "must be > 0",
                          "Leave out retailers without it.")
                    for name, array in (("demand_means", means), *list(figures.items())[1:])))
    total = float(means.sum())
    accept(where, None if total * system.warehouse_lead_time <= MOST else
           fault("warehouse_lead_time", f"{total * system.warehouse_lead_time:,.0f} units on order",
                 f"must be at most {MOST:,}", "Count in larger units, such as cases."))
    asked = poisson_pmf(total * system.warehouse_lead_time, TAIL)
    levels = np.arange(asked.size) if warehouse is None else np.array([min(warehouse, asked.size)])
    waits = np.array([np.concatenate([[asked[:s + 1].sum()], asked[s + 1:], np.zeros(min(s, asked.size - 1))])
                      for s in levels])  # P(B₀ = b) by level
    units = np.arange(asked.size)
    short = waits @ units
    held = (levels if warehouse is None else np.array([warehouse])) - total * system.warehouse_lead_time + short
    costs, tops, missed = system.warehouse_holding_cost * held, [], []
    for i, mean in enumerate(means):
        found = _retailer(waits, mean / total, mean * figures["lead_times"][i], figures["holding_costs"][i],
                          figures["backorder_costs"][i])
        costs = costs + found[0]
        tops.append(found[1])
        missed.append(found[2])
    best = int(np.argmin(costs))
    return DistributionLevels(int(warehouse if warehouse is not None else levels[best]),
                              np.array([top[best] for top in tops], np.int64), float(costs[best]),
                              np.array([short_[best] for short_ in missed]), float(short[best]))


def _retailer(waits: Floats, share: float, mean: float, holding: float,
              backorder: float) -> tuple[Floats, NDArray[np.int64], Floats]:
    """Cost, best level and mean backorders of one retailer, by level of the warehouse."""
    b = np.arange(waits.shape[1])
    k = b[:, None]
    with np.errstate(divide="ignore"):
        split = np.where(k <= b, np.exp(special.gammaln(b + 1) - special.gammaln(k + 1)
                                        - special.gammaln(np.maximum(b - k, 0) + 1) + special.xlogy(k, share)
                                        + special.xlog1py(np.maximum(b - k, 0), -share)), 0.0)
    own = poisson_pmf(mean, TAIL)
    queues = waits @ split.T  # P(Bᵢ = k)
    on_order = np.array([np.convolve(queue, own) for queue in queues])
    covered = np.cumsum(on_order, axis=1)
    top = (covered < backorder / (backorder + holding) - 1e-12).sum(1)
    units = np.arange(on_order.shape[1])
    missed = (on_order * np.maximum(units - top[:, None], 0)).sum(1)
    kept = missed + top - on_order @ units
    return holding * kept + backorder * missed, top.astype(np.int64), missed
