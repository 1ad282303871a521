"""Lot sizing: when to order for demand that is known and changes, with a cost for each order or a smallest order."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omnisim.compiled import inner, kernel
from omnisim.supply.classics.inputs import Check, Floats, accept, each, fault, series, whole

Ints = NDArray[np.int64]
MOST_STATES = 50_000_000
"""Largest number of (period, stock) pairs that `plan_lots_with_minimum` keeps."""


class LotPlan(NamedTuple):
    """What to order in each period.

    Parameters
    ----------
    quantities : float (T,) [unit]  ordered at the start of each period
    stock : float (T,) [unit]  left at its end
    lost : float (T,) [unit]  demand given up
    cost : float [currency]  of the whole horizon
    """

    quantities: Floats
    stock: Floats
    lost: Floats
    cost: float


@kernel
def best_periods(demand: Floats, fixed_cost: Floats, holding_cost: Floats, unit_cost: Floats) -> tuple[float, Ints]:
    """Wagner & Whitin's recursion, forward: least cost, and the period that serves each (−1 for none)."""
    periods = demand.size
    least = np.full(periods + 1, np.inf)
    start = np.full(periods + 1, -1, np.int64)
    least[0] = 0.0
    for s in range(periods):
        if demand[s] == 0.0 and least[s] < least[s + 1]:
            least[s + 1] = least[s]
            start[s + 1] = -1
        cost = least[s] + fixed_cost[s]
        unit = unit_cost[s]
        for t in range(s, periods):
            cost += unit * demand[t]
            if cost < least[t + 1]:
                least[t + 1] = cost
                start[t + 1] = s
            unit += holding_cost[t]
    serves = np.full(periods, -1, np.int64)
    t = periods
    while t > 0:
        s = start[t]
        if s < 0:
            t -= 1
        else:
            serves[s:t] = s
            t = s
    return least[periods], serves


def plan_lots(demand: ArrayLike, *, fixed_cost: Any, holding_cost: Any, unit_cost: Any = 0.0) -> LotPlan:
    """The cheapest orders for known demand, when every order has a fixed cost.

    Parameters
    ----------
    demand : (T,) [unit]  of each period (d_t)
    fixed_cost : float or (T,) [currency/order]  (K_t)
    holding_cost : float or (T,) [currency/unit/period]  of stock at the end of a period (h_t)
    unit_cost : float or (T,) [currency/unit]  (c_t)

    Returns
    -------
    LotPlan
        The least Σ_t K_t 1{Q_t > 0} + c_t Q_t + h_t I_t with every demand served in its period.

    Raises
    ------
    UsageError  for figures below 0 or lists of the wrong length

    Notes
    -----
    Wagner & Whitin (1958), Management Science 5(1): an order serves whole periods up to the next order. Snyder & Shen
    (2019), section 3.7. O(T²), below a millisecond for a year of days.

    Examples
    --------
    >>> plan_lots([90, 120, 80, 70], fixed_cost=500, holding_cost=2).quantities.tolist()
    [210.0, 0.0, 150.0, 0.0]
    """
    accept("plan_lots", series("demand", demand))
    asked = np.asarray(demand, np.float64)
    fixed, holding, unit = _figures("plan_lots", asked.size, fixed_cost=fixed_cost, holding_cost=holding_cost,
                                    unit_cost=unit_cost)
    cost, serves = best_periods(asked, fixed, holding, unit)
    quantities = np.zeros(asked.size)
    np.add.at(quantities, serves[serves >= 0], asked[serves >= 0])
    return LotPlan(quantities, np.maximum(np.cumsum(quantities - asked), 0.0), np.zeros(asked.size), float(cost))


def _figures(where: str, periods: int, **figures: Any) -> tuple[Floats, ...]:
    """Each figure for every period, checked."""
    found = {name: each(name, value, periods) for name, value in figures.items()}
    accept(where, *(series(name, array, periods) for name, array in found.items()))
    return tuple(found.values())


@inner
def window_least(values: Floats, first: int, last: int, least: Floats, place: Ints, queue: Ints) -> None:
    """For each s, the least of values[s + first … s + last] and where it is (inf, −1 if there is none); O(1) each."""
    size = values.size
    head, tail, following = 0, 0, first
    for s in range(size):
        end = min(s + last, size - 1)
        while following <= end:
            while tail > head and values[queue[tail - 1]] >= values[following]:
                tail -= 1
            queue[tail] = following
            tail += 1
            following += 1
        while tail > head and queue[head] < s + first:
            head += 1
        if tail > head:
            least[s] = values[queue[head]]
            place[s] = queue[head]
        else:
            least[s] = np.inf
            place[s] = -1


@kernel
def best_orders(demand: Ints, costs: Floats, limits: tuple[int, int], stock: int, most: int) -> tuple[float, Ints]:
    """Least cost and orders by stages from the end; costs has rows K, h, c, p and limits are the least and the most."""
    periods = demand.size
    target = np.empty((periods, most + 1), np.int32)
    following, value, priced = np.zeros(most + 1), np.empty(most + 1), np.empty(most + 1)
    least, place, queue = np.empty(most + 1), np.empty(most + 1, np.int64), np.empty(most + 1, np.int64)
    for t in range(periods - 1, -1, -1):
        fixed, holding, unit, lost = costs[0, t], costs[1, t], costs[2, t], costs[3, t]
        for x in range(most + 1):
            left = x - demand[t]
            if left >= 0:
                value[x] = holding * left + following[left]
            elif lost < np.inf:
                value[x] = -lost * left + following[0]
            else:
                value[x] = np.inf
            priced[x] = value[x] + unit * x
        window_least(priced, limits[0], limits[1], least, place, queue)
        for s in range(most + 1):
            ordered = fixed + least[s] - unit * s
            if ordered < value[s]:
                following[s] = ordered
                target[t, s] = place[s]
            else:
                following[s] = value[s]
                target[t, s] = s
    orders = np.zeros(periods, np.int64)
    s = stock
    for t in range(periods):
        orders[t] = target[t, s] - s
        s = max(s + orders[t] - demand[t], 0)
    return following[stock], orders


def plan_lots_with_minimum(demand: ArrayLike, *, minimum: int, fixed_cost: Any, holding_cost: Any,
                           unit_cost: Any = 0.0, lost_sale_cost: Any = None, maximum: int | None = None,
                           stock: int = 0) -> LotPlan:
    """The cheapest orders for known demand, when an order has a smallest (and largest) size.

    Parameters
    ----------
    demand : (T,) [unit]  of each period, whole (d_t)
    minimum : int [unit]  smallest order, if any is placed (MOQ)
    fixed_cost, holding_cost, unit_cost : float or (T,)  as in `plan_lots` (K_t, h_t, c_t)
    lost_sale_cost : float or (T,) [currency/unit]  of demand given up (p_t); None if all must be served
    maximum : int [unit]  largest order; None for no limit
    stock : int [unit]  at the start

    Returns
    -------
    LotPlan  exactly the least cost over whole orders

    Raises
    ------
    UsageError  for a minimum above the maximum, demand not in whole units or beyond what may be ordered by then, or
        more than 50 million (period, stock) pairs

    Notes
    -----
    Backwards over the stock s at the start of a period: f(s) = min(g(s), K − c s + min over x − s in [MOQ, U] of
    c x + g(x)), g(x) = h (x − d)⁺ + p (d − x)⁺ + f_next((x − d)⁺). The inner minimum slides (a monotone queue), so a
    state takes O(1). What is left after the last period has no value.

    Examples
    --------
    >>> plan_lots_with_minimum([3, 4, 3], minimum=8, fixed_cost=1, holding_cost=0.1).quantities.tolist()
    [10.0, 0.0, 0.0]
    """
    where = "plan_lots_with_minimum"
    accept(where, series("demand", demand), whole("minimum", minimum, 1), whole("stock", stock),
           whole("maximum", maximum, 1) if maximum is not None else None)
    asked = np.asarray(demand, np.float64)
    accept(where, _whole_units(asked),
           None if maximum is None or minimum <= maximum else
           fault("minimum", f"{minimum} units", f"must not exceed maximum ({maximum})",
                 "Lower it, or raise the maximum."))
    given = np.inf if lost_sale_cost is None else lost_sale_cost
    fixed, holding, unit = _figures(where, asked.size, fixed_cost=fixed_cost, holding_cost=holding_cost,
                                    unit_cost=unit_cost)
    lost = each("lost_sale_cost", given, asked.size)
    accept(where, series("lost_sale_cost", lost, asked.size) if lost_sale_cost is not None else None)
    most = stock + int(asked.sum()) + minimum
    largest = most if maximum is None else min(int(maximum), most)
    short = np.cumsum(asked) - stock - largest * np.arange(1, asked.size + 1)
    late = int(np.argmax(short))
    accept(where, None if lost_sale_cost is not None or short[late] <= 0 else
           fault("maximum", f"{largest} units", f"falls {short[late]:g} units short of demand by period {late}",
                 "Raise it, or give lost_sale_cost."),
           None if (most + 1) * asked.size <= MOST_STATES else
           fault("demand", f"{asked.sum():,.0f} units over {asked.size} periods",
                 f"must make at most {MOST_STATES:,} states", "Count in larger units, such as cases."))
    cost, orders = best_orders(asked.astype(np.int64), np.vstack([fixed, holding, unit, lost]),
                               (int(minimum), largest), int(stock), most)
    left, levels, missed = float(stock), np.empty(asked.size), np.empty(asked.size)
    for t, (order, units) in enumerate(zip(orders, asked, strict=True)):
        left += float(order) - units
        missed[t], left = max(-left, 0.0), max(left, 0.0)
        levels[t] = left
    return LotPlan(orders.astype(np.float64), levels, missed, float(cost))


def _whole_units(asked: Floats) -> Check:
    bad = np.flatnonzero(asked != np.floor(asked))
    if bad.size:
        return fault(f"demand[{bad[0]}]", f"{asked[bad[0]]:g} units", "must be whole", "Round it.")
    return None
