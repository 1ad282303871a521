"""A few periods ahead: the best (s, S) of each when demand and costs change, by stages from the end."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np

from omnisim.supply.classics.demand import NODES, WEIGHTS, Demand, as_scenarios, whole_units
from omnisim.supply.classics.inputs import Floats, accept, each, fault, positive, series, whole


class FiniteHorizon(NamedTuple):
    """An (s, S) policy for each period of a horizon.

    Parameters
    ----------
    reorder_points, order_up_to : float (T,) [unit]  order when stock is at or below the first, up to the second; both
        −inf where an order never pays
    cost : float [currency]  expected over the horizon, discounted to its start
    """

    reorder_points: Floats
    order_up_to: Floats
    cost: float


def plan_finite_horizon(demands: list[Demand] | tuple[Demand, ...], *, fixed_cost: Any, holding_cost: Any,
                        backorder_cost: Any, unit_cost: Any = 0.0, terminal_holding_cost: float,
                        terminal_backorder_cost: float, discount: float = 1.0, stock: int = 0) -> FiniteHorizon:
    """The best orders over a few periods with demand and costs that change, without lead time.

    Parameters
    ----------
    demands : T demands of one period each (D_t); stock is counted in whole units, so continuous demand moves it by
        the nearest, while a period's own cost is exact
    fixed_cost : float or (T,) [currency/order]  (K_t)
    holding_cost, backorder_cost : float or (T,) [currency/unit/period]  (h_t, p_t)
    unit_cost : float or (T,) [currency/unit]  (c_t)
    terminal_holding_cost, terminal_backorder_cost : float [currency/unit]  of what is left or owed at the end
    discount : float [share]  worth of next period's money, above 0 and up to 1 (γ)
    stock : int [unit]  at the start (x)

    Returns
    -------
    FiniteHorizon
        θ_t(x) = min_{y ≥ x} K_t 1{y > x} + c_t (y − x) + G_t(y) + γ E[θ_{t+1}(y − D_t)], by stages from the end.

    Raises
    ------
    UsageError  for figures that cannot be meant

    Notes
    -----
    Snyder & Shen (2019), eq. 4.66; Scarf (1960). Far below, either an order is always placed or it never pays, so θ
    continues as a straight line and nothing is cut off; the grid is doubled until no period's levels are at its ends.
    """
    where, periods = "plan_finite_horizon", len(demands)
    accept(where, None if periods else fault("demands", "[]", "must have at least one period", "Give one a period."),
           positive("discount", discount) or (None if discount <= 1 else fault(
               "discount", discount, "must be ≤ 1", "Use 1 for money that keeps its worth.")),
           positive("terminal_holding_cost", terminal_holding_cost),
           positive("terminal_backorder_cost", terminal_backorder_cost), whole("stock", stock, -10**6))
    costs = _figures(where, periods, fixed_cost, holding_cost, backorder_cost, unit_cost)
    pmfs = [whole_units(demand).probabilities for demand in demands]
    losses = [_losses(demand, pmf) for demand, pmf in zip(demands, pmfs, strict=True)]
    most = max(pmf.size for pmf in pmfs)
    width = 4 * most + math.ceil(max(2 * costs[0].max() / costs[2].min(), 0)) + abs(int(stock))
    while True:
        found = _by_stages(pmfs, losses, costs, (terminal_holding_cost, terminal_backorder_cost, discount),
                           np.arange(-width, width + 1))
        if (found[1] < width).all() and (found[0] != -width).all():
            break
        width *= 2
    return FiniteHorizon(found[0], found[1], float(found[2][int(stock) + width]))


def _losses(demand: Demand, pmf: Floats) -> Floats:
    """Expected shortages E[(D − y)⁺] at y = 0, 1, …, up to the last quantity; the first is the mean."""
    if as_scenarios(demand) is not None:
        units = np.append(np.cumsum(pmf[::-1])[::-1][1:], 0.0)  # ∫ P(D > y) dy over each unit
    else:
        points = np.arange(pmf.size)[:, None] + (NODES + 1) / 2
        units = 1 - np.asarray(demand.cdf(points), np.float64) @ WEIGHTS / 2
    return np.append(np.cumsum(units[::-1])[::-1], 0.0)


def _figures(where: str, periods: int, *values: Any) -> tuple[Floats, ...]:
    names = ("fixed_cost", "holding_cost", "backorder_cost", "unit_cost")
    found = tuple(each(name, value, periods) for name, value in zip(names, values, strict=True))
    accept(where, *(series(name, array, periods) for name, array in zip(names, found, strict=True)),
           *(None if array.ndim == 1 and (array > 0).all() else fault(name, str(array.tolist()), "must be > 0",
                                                                      "Stock and shortage must both cost something.")
             for name, array in zip(names[1:3], found[1:3], strict=True)))
    return found


def _by_stages(pmfs: list[Floats], losses: list[Floats], costs: tuple[Floats, ...],
               terminal: tuple[float, float, float], grid: Any) -> tuple[Floats, Floats, Floats]:
    fixed, holding, backorder, unit = costs
    values = terminal[0] * np.maximum(grid, 0.0) + terminal[1] * np.maximum(-grid, 0.0)
    slope = -terminal[1]  # of the values far below
    points, tops = np.empty(len(pmfs)), np.empty(len(pmfs))
    for t in range(len(pmfs) - 1, -1, -1):
        pmf = pmfs[t]
        below = values[0] + slope * np.arange(1 - pmf.size, 0)
        later = np.convolve(np.concatenate([below, values]), pmf, mode="valid")
        short = np.where(grid < 0, losses[t][0] - grid, losses[t][np.clip(grid, 0, losses[t].size - 1)])
        total = unit[t] * grid + holding[t] * (grid - losses[t][0] + short) + backorder[t] * short + terminal[2] * later
        least = np.minimum.accumulate(total[::-1])[::-1]
        top = int(np.argmin(total))
        tops[t] = grid[top]
        waiting = backorder[t] - terminal[2] * slope  # what another unit owed costs if nothing is ordered
        orders = np.flatnonzero(total[:top + 1] >= fixed[t] + total[top])
        points[t] = grid[orders[-1]] if orders.size else grid[0]
        if waiting < unit[t] or (waiting == unit[t] and not orders.size):
            points[t] = tops[t] = -np.inf
        values = np.minimum(total, fixed[t] + least) - unit[t] * grid
        slope = -min(float(unit[t]), float(waiting))
    return points, tops, values
