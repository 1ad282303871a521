"""Joint replenishment: articles that share the cost of an order."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omnisim.supply.classics.inputs import Floats, accept, fault, not_negative, series

MOST_PIECES = 2_000_000
"""Largest number of cycle lengths at which the best multiples change."""


class JointOrders(NamedTuple):
    """Who is ordered when.

    Parameters
    ----------
    cycle : float [time]  between two orders (T)
    multiples : int (n,)  an article is in every multiple-th order (m)
    quantities : float (n,) [unit]  ordered each time (Q = T m λ)
    cost : float [currency/time]  (g)
    """

    cycle: float
    multiples: NDArray[np.int64]
    quantities: Floats
    cost: float


def joint_replenishment(*, shared_cost: float, own_costs: ArrayLike, holding_costs: ArrayLike,
                        demand_rates: ArrayLike, heuristic: bool = False) -> JointOrders:
    """How often to order, and which articles each time.

    Parameters
    ----------
    shared_cost : float [currency/order]  of any order (K)
    own_costs : (n,) [currency/order]  of having an article in it (k)
    holding_costs : (n,) [currency/unit/time]  (h)
    demand_rates : (n,) [unit/time]  (λ)
    heuristic : bool  Silver's (1976) closed form instead of the optimum

    Returns
    -------
    JointOrders
        Minimises g(T, m) = (K + Σ kᵢ / mᵢ) / T + T / 2 Σ hᵢ mᵢ λᵢ over T > 0 and whole mᵢ ≥ 1.

    Raises
    ------
    UsageError  for figures below 0, lists of different length, or an optimum without a shared cost

    Notes
    -----
    For given T the best mᵢ is the least m with m (m + 1) ≥ 2 kᵢ / (hᵢ λᵢ T²), so m changes at known T only and each
    piece has its best T in closed form. As g ≥ K / T + Σ √(2 kᵢ hᵢ λᵢ), short T are ruled out (Wildeman, Frenk &
    Dekker 1997). Each article's multiples start at the first order; other phases can be cheaper by a little.
    Silver (1976), Management Science 22(12); Snyder & Shen (2019), section 3.8.
    """
    where = "joint_replenishment"
    accept(where, not_negative("shared_cost", shared_cost), series("own_costs", own_costs))
    own = np.asarray(own_costs, np.float64)
    accept(where, series("holding_costs", holding_costs, own.size), series("demand_rates", demand_rates, own.size))
    keeping = np.asarray(holding_costs, np.float64) * np.asarray(demand_rates, np.float64)
    accept(where, None if (keeping > 0).all() else
           fault("holding_costs × demand_rates", f"0 for article {int(np.argmin(keeping))}", "must be > 0",
                 "Leave out articles without demand or holding cost."),
           None if heuristic or shared_cost > 0 else
           fault("shared_cost", shared_cost, "must be > 0", "Without it, order each article by its own EOQ."),
           None if shared_cost + own.min() > 0 else
           fault("own_costs", str(own.tolist()), "must be > 0 somewhere", "Free orders need no plan."))
    multiples = _by_silver(shared_cost, own, keeping)
    if not heuristic:
        multiples = _best_multiples(shared_cost, own, keeping, _cost(shared_cost, own, keeping, multiples)[1])
    cycle, cost = _cost(shared_cost, own, keeping, multiples)
    quantities = np.asarray(cycle * multiples * np.asarray(demand_rates, np.float64), np.float64)
    return JointOrders(cycle, multiples, quantities, cost)


def _cost(shared: float, own: Floats, keeping: Floats, multiples: NDArray[np.int64]) -> tuple[float, float]:
    """The best cycle for given multiples, and its cost."""
    orders, stock = shared + float(np.sum(own / multiples)), float(np.sum(keeping * multiples))
    return math.sqrt(2 * orders / stock), math.sqrt(2 * orders * stock)


def _by_silver(shared: float, own: Floats, keeping: Floats) -> NDArray[np.int64]:
    ratio = own / keeping
    first = int(np.argmin(ratio))
    near = np.sqrt(ratio * keeping[first] / (shared + own[first]))
    multiples: NDArray[np.int64] = np.maximum(np.rint(near), 1).astype(np.int64)
    multiples[first] = 1
    return multiples


def _best_multiples(shared: float, own: Floats, keeping: Floats, reached: float) -> NDArray[np.int64]:
    shortest = shared / (reached - float(np.sum(np.sqrt(2 * own * keeping)))) * (1 - 1e-12)
    ratio = 2 * own / keeping
    most = np.ceil(np.sqrt(ratio) / shortest)
    accept("joint_replenishment", None if most.sum() <= MOST_PIECES else
           fault("shared_cost", shared, "is too small beside own_costs to matter",
                 "Order each article by its own EOQ."))
    most = most.astype(np.int64) + 1
    cuts = np.concatenate([np.sqrt(r / (m * (m + 1.0))) for r, top in zip(ratio, most, strict=True)
                           for m in (np.arange(1, top + 1),)])
    cuts = np.unique(np.append(cuts[cuts > shortest], shortest))
    cycles = np.append((cuts[:-1] + cuts[1:]) / 2, 2 * cuts[-1])  # one inside each piece
    best, found = np.inf, np.ones(own.size, np.int64)
    for some in np.array_split(cycles, max(1, cycles.size * own.size // 1_000_000)):
        grid = np.maximum(np.ceil(np.sqrt(0.25 + ratio / some[:, None] ** 2) - 0.5), 1)
        costs = np.sqrt(2 * (shared + (own / grid).sum(1)) * (keeping * grid).sum(1))
        k = int(np.argmin(costs))
        if costs[k] < best:
            best, found = float(costs[k]), grid[k].astype(np.int64)
    return found
