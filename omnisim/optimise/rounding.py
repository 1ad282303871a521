"""Budgets in whole cents: largest remainder, so that the total stays what it is."""

from __future__ import annotations

import numpy as np

from omnisim.optimise.problem import TOTAL, Ints, Problem
from omnisim.response import Floats


def round_plan(problem: Problem, spend: Floats, unit: Floats) -> tuple[Floats, Ints]:
    """The plan in whole units, bounds and total budget held, other limits as well as whole units can.

    Parameters
    ----------
    problem : Problem  in money
    spend : (n, periods) float [currency]  the plan's periods only
    unit : (periods,) float [currency]  smallest step of a period: a cent a day

    Returns
    -------
    (n, periods) float [currency], and the same in units

    Notes
    -----
    Everything is rounded down, then single units go to the cells with the largest remainders while that breaks no
    bound, not the total and no limit more than before.
    """
    planned = problem.plan_periods
    floor, cap = problem.curves.floor[:, :planned], problem.curves.cap[:, :planned]
    step = np.broadcast_to(unit, spend.shape)
    least = np.ceil(floor / step - 1e-6).astype(np.int64)
    most = np.maximum(least, np.floor(cap / step + 1e-6).astype(np.int64))
    exact = spend / step
    units = np.clip(np.floor(exact + 1e-9).astype(np.int64), least, most)
    left = min(problem.budget, float(spend.sum()) + 0.5 * float(unit.min())) - float((units * step).sum())
    open_limits = [limit for limit in problem.limits if limit.name != TOTAL and len(limit.spend)]
    order = np.argsort(units - exact, axis=None, kind="stable")
    if not open_limits:
        left = _give(units, order, step, most, left)
    else:
        _give_within(problem, units, order, step, most, left)
    return units * step, units


def _give(units: Ints, order: Ints, step: Floats, most: Ints, left: float) -> float:
    """One unit each, in order, while money is left; what is left then."""
    flat, steps, caps = units.ravel(), step.ravel(), most.ravel()
    for place in order:
        if left < steps[place] * (1.0 - 1e-6):
            continue
        if flat[place] < caps[place]:
            flat[place] += 1
            left -= steps[place]
    units[:] = flat.reshape(units.shape)
    return left


def _give_within(problem: Problem, units: Ints, order: Ints, step: Floats, most: Ints, left: float) -> None:
    """As `_give`, but no limit may be broken further than it is."""
    limits = [limit for limit in problem.limits if limit.name != TOTAL and len(limit.spend) and not len(limit.reply)]
    matrix = np.zeros((len(limits), units.size))
    for k, limit in enumerate(limits):
        matrix[k, limit.cells] = limit.spend
    sides = np.array([limit.value for limit in limits])
    above = np.array([limit.sense != ">=" for limit in limits], bool)
    below = np.array([limit.sense != "<=" for limit in limits], bool)
    flat, steps, caps = units.ravel(), step.ravel(), most.ravel()
    excess = matrix @ (flat * steps) - sides

    def broken(values: Floats) -> Floats:
        return np.maximum(np.where(above, values, 0.0), np.where(below, -values, 0.0))

    dust = 1e-9 * (np.abs(matrix) @ (flat * steps) + np.abs(sides))
    unit = np.where(above & below, np.abs(matrix).max(axis=1, initial=0.0) * steps.max(), dust)
    for tolerance in (dust, unit):  # an equation cannot hold to the cent: it may be off by one if money is left
        for place in order:
            if left < steps[place] * (1.0 - 1e-6) or flat[place] >= caps[place]:
                continue
            moved = excess + matrix[:, place] * steps[place]
            if (broken(moved) <= np.maximum(broken(excess), tolerance)).all():
                flat[place] += 1
                left -= steps[place]
                excess = moved
    units[:] = flat.reshape(units.shape)
