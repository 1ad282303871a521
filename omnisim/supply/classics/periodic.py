"""Periodic review: order up to S whenever the position is at or below s."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from omnisim.compiled import inner, kernel
from omnisim.supply.classics.demand import MOST, Demand, over_periods, whole_units
from omnisim.supply.classics.inputs import Floats, accept, fault, lag, positive, whole
from omnisim.supply.classics.losses import poisson_pmf


class ReorderLevels(NamedTuple):
    """An (s, S) policy.

    Parameters
    ----------
    reorder_point : float [unit]  order when the position is here or below (s)
    order_up_to : float [unit]  the position right after an order (S)
    cost : float [currency/period]  expected; nan where an approximation does not tell
    """

    reorder_point: float
    order_up_to: float
    cost: float


@inner
def stock_costs(pmf: Floats, low: int, costs: Floats, holding_cost: float, backorder_cost: float) -> None:
    """Fill `costs` with h E[(y − D)⁺] + p E[(D − y)⁺] for y = low, low + 1, …, from the pmf of D."""
    mean = 0.0
    for d in range(pmf.size):
        mean += d * pmf[d]
    short, tail = mean - low, 1.0  # E[(D − y)⁺] and P(D > y − 1) at y = low ≤ 0
    for k in range(costs.size):
        y = low + k
        costs[k] = holding_cost * (y - mean + short) + backorder_cost * short
        if 0 <= y < pmf.size:
            tail -= pmf[y]
        elif y >= pmf.size:
            tail = 0.0
        short = max(short - max(tail, 0.0), 0.0)


@inner
def renew(pmf: Floats, visits: Floats, filled: int, length: int) -> int:
    """Extend the renewal sequence m(j) = (1{j = 0} + Σ_{l ≥ 1} pmf(l) m(j − l)) / (1 − pmf(0)) up to `length`."""
    for j in range(filled, length):
        total = 1.0 if j == 0 else 0.0
        for d in range(1, min(j, pmf.size - 1) + 1):
            total += pmf[d] * visits[j - d]
        visits[j] = total / (1.0 - pmf[0])
    return max(filled, length)


@inner
def average(costs: Floats, visits: Floats, fixed_cost: float, s: int, top: int) -> float:
    """Cost a period of ordering up to place `top` from place `s` or below: (K + Σ m(j) G(S − j)) / Σ m(j)."""
    total, periods = fixed_cost, 0.0
    for j in range(top - s):
        total += visits[j] * costs[top - j]
        periods += visits[j]
    return float(total / periods)


@kernel
def best_levels(pmf: Floats, lead_pmf: Floats, fixed_cost: float, holding_cost: float,
                backorder_cost: float) -> tuple[int, int, float]:
    """The (s, S) policy of least cost (Zheng & Federgruen 1991).

    Parameters
    ----------
    pmf, lead_pmf : float64 (n,), (m,)  probabilities of 0, 1, … units a period, and over lead time and one period

    Returns
    -------
    (s, S, cost)
    """
    spread = int(fixed_cost / holding_cost + fixed_cost / backorder_cost) + lead_pmf.size + 3
    low = -int(fixed_cost / backorder_cost) - 2 - pmf.size
    costs = np.empty(spread + pmf.size + 2 + int(fixed_cost / backorder_cost))
    stock_costs(lead_pmf, low, costs, holding_cost, backorder_cost)
    visits = np.empty(costs.size)
    least = int(np.argmin(costs))
    top, s = least, least - 1
    filled = renew(pmf, visits, 0, 1)
    best = average(costs, visits, fixed_cost, s, top)
    while best > costs[s]:
        s -= 1
        filled = renew(pmf, visits, filled, top - s)
        best = average(costs, visits, fixed_cost, s, top)
    candidate = top + 1
    while candidate < costs.size and costs[candidate] <= best:
        filled = renew(pmf, visits, filled, candidate - s)
        if average(costs, visits, fixed_cost, s, candidate) < best:
            top = candidate
            while s + 1 < top and average(costs, visits, fixed_cost, s, top) <= costs[s + 1]:
                s += 1
            best = average(costs, visits, fixed_cost, s, top)
        candidate += 1
    return low + s, low + top, best


@kernel
def cost_of_levels(pmf: Floats, lead_pmf: Floats, fixed_cost: float, rates: tuple[float, float], s: int,
                   top: int) -> float:
    """Cost a period of one (s, S) policy; rates = (h, p)."""
    low = min(s, 0)
    costs = np.empty(max(top, 0) - low + 1)
    stock_costs(lead_pmf, low, costs, rates[0], rates[1])
    visits = np.empty(top - s)
    renew(pmf, visits, 0, top - s)
    cost: float = average(costs, visits, fixed_cost, s - low, top - low)
    return cost


def _prepare(where: str, demand: Demand, figures: tuple[float, float, float], periods: int) -> tuple[Floats, Floats]:
    """Checked probabilities of demand a period, and over the lead time and one period."""
    accept(where, positive("fixed_cost", figures[0]), positive("holding_cost", figures[1]),
           positive("backorder_cost", figures[2]), lag(periods) or whole("lead_time", periods))
    one = whole_units(demand).probabilities
    width = figures[0] / figures[1] + figures[0] / figures[2]
    accept(where, None if one[0] < 1 else fault("demand", "0 in every period", "must be > 0 sometimes",
                                                "An article without demand needs no stock."),
           None if width <= MOST else fault("fixed_cost", figures[0], f"must be worth at most {MOST:,} units of stock",
                                            "Count in larger units, such as cases."))
    if periods == 0:
        return one, one
    if getattr(getattr(demand, "dist", None), "name", "") == "poisson":
        return one, poisson_pmf(float(demand.mean()) * (periods + 1))
    return one, over_periods(demand, periods + 1).probabilities


def reorder_levels(demand: Demand, *, fixed_cost: float, holding_cost: float, backorder_cost: float,
                   lead_time: int = 0) -> ReorderLevels:
    """The best (s, S) policy under periodic review, exactly.

    Parameters
    ----------
    demand : of one period, in whole units (`whole_units` rounds a continuous one)  (D)
    fixed_cost : float [currency/order]  (K)
    holding_cost, backorder_cost : float [currency/unit/period]  at the end of a period (h, p)
    lead_time : int [period]  between order and receipt (L); 0 if an order serves its own period's demand

    Returns
    -------
    ReorderLevels
        Minimises c(s, S) = (K + Σ_{j < S − s} m(j) G(S − j)) / Σ_{j < S − s} m(j), with m the mean visits of a position
        j below S in a cycle and G(y) the cost of position y over L + 1 periods of demand.

    Raises
    ------
    UsageError  for figures that cannot be meant, or demand not in whole units

    Notes
    -----
    Zheng & Federgruen (1991), Operations Research 39(4); Snyder & Shen (2019), section 4.4.3. Unmet demand waits.
    No other policy of any form costs less (Veinott 1966).

    Examples
    --------
    >>> from scipy import stats
    >>> reorder_levels(stats.poisson(6), fixed_cost=5, holding_cost=1, backorder_cost=4)[:2]
    (4, 10)
    """
    pmf, lead_pmf = _prepare("reorder_levels", demand, (fixed_cost, holding_cost, backorder_cost), lead_time)
    s, top, cost = best_levels(pmf, lead_pmf, float(fixed_cost), float(holding_cost), float(backorder_cost))
    return ReorderLevels(int(s), int(top), float(cost))


def reorder_levels_cost(demand: Demand, *, reorder_point: int, order_up_to: int, fixed_cost: float,
                        holding_cost: float, backorder_cost: float, lead_time: int = 0) -> float:
    """The exact expected cost a period of one (s, S) policy.

    Parameters
    ----------
    demand : of one period, in whole units  (D)
    reorder_point, order_up_to : int [unit]  (s < S)
    fixed_cost, holding_cost, backorder_cost, lead_time : as in `reorder_levels`

    Returns
    -------
    float [currency/period]  c(s, S)

    Raises
    ------
    UsageError  for figures that cannot be meant, or s not below S
    """
    where = "reorder_levels_cost"
    pmf, lead_pmf = _prepare(where, demand, (fixed_cost, holding_cost, backorder_cost), lead_time)
    accept(where, whole("reorder_point", reorder_point, -10**7), whole("order_up_to", order_up_to, -10**7),
           None if reorder_point < order_up_to else
           fault("reorder_point", f"{reorder_point} units", f"must be below order_up_to ({order_up_to})",
                 "For a base stock S use reorder_point = S − 1."))
    rates = (float(holding_cost), float(backorder_cost))
    return float(cost_of_levels(pmf, lead_pmf, float(fixed_cost), rates, int(reorder_point), int(order_up_to)))


def power_approximation(*, demand_mean: float, demand_sd: float, fixed_cost: float, holding_cost: float,
                        backorder_cost: float, lead_time: float = 0) -> ReorderLevels:
    """An (s, S) policy from two moments of demand, by regression on many optimal ones.

    Parameters
    ----------
    demand_mean, demand_sd : float [unit]  of a period's demand (μ, σ)
    fixed_cost : float [currency/order]  (K)
    holding_cost, backorder_cost : float [currency/unit/period]  (h, p)
    lead_time : float [period]  (L)

    Returns
    -------
    ReorderLevels
        With μ_L = (L + 1) μ, σ_L² = (L + 1) σ², Q = 1.3 μ^0.494 (K / h)^0.506 (1 + σ_L² / μ²)^0.116 and
        z = √(Q h / (σ_L p)): s = 0.973 μ_L + σ_L (0.183 / z + 1.063 − 2.192 z), S = s + Q; cost is nan.

    Raises
    ------
    UsageError  for figures that cannot be meant

    Notes
    -----
    Ehrhardt & Mosier (1984), Management Science 30(5); Snyder & Shen (2019), eqs. 4.77 to 4.80. Meant for Q above
    1.5 μ; below, S should not exceed the base stock of K = 0. `reorder_levels` is exact and takes less than a
    millisecond.
    """
    accept("power_approximation", positive("demand_mean", demand_mean), positive("demand_sd", demand_sd),
           positive("fixed_cost", fixed_cost), positive("holding_cost", holding_cost),
           positive("backorder_cost", backorder_cost), lag(lead_time))
    mean, sd = (lead_time + 1) * demand_mean, math.sqrt(lead_time + 1) * demand_sd
    quantity = (1.30 * demand_mean**0.494 * (fixed_cost / holding_cost) ** 0.506
                * (1 + sd**2 / demand_mean**2) ** 0.116)
    z = math.sqrt(quantity * holding_cost / (sd * backorder_cost))
    point = 0.973 * mean + sd * (0.183 / z + 1.063 - 2.192 * z)
    return ReorderLevels(point, point + quantity, math.nan)
