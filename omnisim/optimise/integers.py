"""Channels that are opened or chosen: integer variables over tangents for the bound, the exact plan with them fixed."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from omnisim.optimise.problem import Limit, Problem
from omnisim.optimise.programme import Programmed, assemble, first_grid, refine, solve_programme, stock_range, tangents
from omnisim.optimise.solver import Answer, Solver
from omnisim.response import Floats, carry, respond

Bools = NDArray[np.bool_]
FINE = 15_000
"""Grid points to start with, over all channels and periods."""
ROUNDS = 12
"""Programmes solved at most; two or three are used."""


@dataclass(frozen=True)
class Chosen:
    """A plan with its choices."""

    plan: Programmed
    is_open: Bools
    is_core: Bools
    problem: Problem
    """the problem with the choices fixed"""
    proven: bool


def solve_integers(problem: Problem, gap: float, deadline: float, solver: Solver) -> Chosen | None:
    """The best plan with opening costs and core channels; None where no plan keeps the limits.

    Parameters
    ----------
    problem : Problem  normalised, concave
    gap : float  relative to the bound
    deadline : float [second]  on the monotonic clock

    Notes
    -----
    Tangents bring at least what the curves bring, so the mixed-integer programme over them bounds every plan. With its
    choices fixed the rest is linear and solved exactly; the tangents are refined around that plan until both meet.
    """
    points = int(np.clip(FINE // problem.worth.size, 12, 40))  # other choices lead to stocks far from the first ones
    grid, bound, best = first_grid(problem, np.geomspace(0.2, 6.0, points)), math.inf, None
    seen: dict[bytes, tuple[Programmed, Problem] | None] = {}
    for _ in range(ROUNDS):
        answer, spend, is_open, is_core = _solve_tangents(problem, grid, 0.3 * gap, deadline, solver)
        if answer.status == "infeasible":
            return None
        bound = min(bound, answer.bound)
        if not len(answer.values):
            break
        key = is_open.tobytes() + is_core.tobytes()
        if key not in seen:
            fixed = fix_choices(problem, is_open, is_core)
            plan = solve_programme(fixed, 0.1 * gap, deadline, Solver())
            seen[key] = None if plan is None else (plan, fixed)
        found = seen[key]
        paid = float((problem.opening_cost * is_open).sum() * _opening_weight(problem))
        if found and (best is None or found[0].objective - paid > best[0]):
            best = found[0].objective - paid, found, is_open, is_core
        if (best and bound - best[0] <= gap * abs(bound)) or time.monotonic() > deadline:
            break
        lasting = problem.curves.carryover, problem.curves.carry_in
        planned = np.asarray(carry(found[0].spend if found else spend, *lasting))
        near = refine(problem, planned, np.asarray(carry(spend, *lasting)), 0.1)
        grid = np.sort(np.concatenate([grid, near[:, :, 1:-1]], axis=2), axis=2)  # what was learnt of other choices
    if best is None:
        return None
    value, (plan, fixed), is_open, is_core = best
    return Chosen(replace(plan, objective=value, bound=max(bound, value)), is_open, is_core, fixed,
                  bound - value <= gap * abs(bound))


def _least_replies(problem: Problem) -> Floats:
    """Response of each channel and period at its least stock."""
    curves = problem.curves
    return np.asarray(respond(curves.form, curves.scale, curves.half, curves.shape, stock_range(problem)[0]))


def _opening_weight(problem: Problem) -> float:
    """What a unit of opening cost takes from the objective."""
    return float(problem.charge[0, 0])


def _solve_tangents(problem: Problem, grid: Floats, gap: float, deadline: float, solver: Solver
                    ) -> tuple[Answer, Floats, Bools, Bools]:
    """The mixed-integer programme over tangents: its answer, spend, open and core channels."""
    pieces = tangents(problem, grid)
    costly = np.flatnonzero(problem.opening_cost > 0.0)
    true_base = pieces.base.copy()
    true_base[costly] = _least_replies(problem)[costly]
    frame, at = assemble(problem, replace(pieces, base=true_base))
    n, planned = problem.shape[0], problem.plan_periods
    most = np.minimum(problem.curves.cap.sum(axis=1), problem.budget)
    can_close = (problem.opening_cost > 0.0) & (problem.curves.floor.sum(axis=1) == 0.0)
    is_open = np.ones(n, bool)
    excess = (pieces.base - true_base)[costly]  # of tangents at the least stock; a closed channel has none
    gain = np.zeros(len(costly)) if at.replies is not None else (problem.worth[costly] * excess).sum(axis=1)
    opened = frame.add_columns(gain - problem.opening_cost[costly] * _opening_weight(problem),
                               np.where(can_close[costly], 0.0, 1.0), 1.0, integer=True)
    if at.served is not None:
        frame.add_entries(at.served[costly], opened[:, None], -excess)
    for k, c in enumerate(costly):
        row = frame.add_limit("<=", 0.0)
        frame.add_entries(row, at.spend[c, :planned], 1.0)
        frame.add_entries(row, opened[k], -most[c])
    for place, limit in zip(at.limits, problem.limits, strict=True):
        for c, value in zip(limit.channels, limit.opening, strict=True):
            frame.add_entries(int(place), opened[np.searchsorted(costly, c)], float(value))
    is_core = np.ones(n, bool)
    cores = None
    if problem.core:
        cores = frame.add_columns(np.zeros(n), 0.0, 1.0, integer=True)
        for channel, core in enumerate(cores):
            row = frame.add_limit("<=", problem.core.spend)
            frame.add_entries(row, at.spend[channel, :planned], 1.0)
            frame.add_entries(row, core, -max(0.0, most[channel] - problem.core.spend))
        frame.add_entries(frame.add_limit("<=", float(problem.core.most)), cores, 1.0)
    answer = solver.solve(frame.model(), gap=gap, deadline=deadline)
    base = 0.0 if at.replies is not None else float((problem.worth * true_base).sum())
    answer = answer._replace(bound=answer.bound + base)
    spend = np.zeros(problem.shape)
    if len(answer.values):
        spend = np.clip(answer.values[at.spend], problem.curves.floor, problem.curves.cap)
        is_open[costly] = answer.values[opened] > 0.5
        if cores is not None:
            is_core = answer.values[cores] > 0.5
    return answer, spend, is_open, is_core


def fix_choices(problem: Problem, is_open: Bools, is_core: Bools) -> Problem:
    """The problem with the choices made: closed channels get nothing, opening costs are paid, others are no core."""
    cap = np.where(is_open[:, None], problem.curves.cap, 0.0)
    names = problem.cap_names.copy()
    names[~is_open] = "opening cost"
    paid = float((problem.opening_cost * is_open).sum())
    limits = []
    for limit in problem.limits:
        used = float(limit.opening[is_open[limit.channels]].sum())
        limits.append(limit._replace(value=limit.value - used, channels=limit.channels[:0], opening=limit.opening[:0]))
    if problem.core:
        for c in np.flatnonzero(~is_core):
            cells = c * problem.plan_periods + np.arange(problem.plan_periods)
            limits.append(Limit(f"max_core.{problem.channels[c]}", problem.core.where, "<=", problem.core.spend, cells,
                                np.ones(problem.plan_periods)))
    cap = np.minimum(cap, max(0.0, problem.budget - paid))
    return replace(problem, curves=problem.curves._replace(cap=cap), cap_names=names, limits=tuple(limits),
                   opening_cost=np.zeros_like(problem.opening_cost), core=None)


