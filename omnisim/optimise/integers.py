"""Choices as integer variables: which channels are opened and which are core, over tangents of the curves."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from omnisim.optimise.pieces import buy, stock_range, tangents
from omnisim.optimise.problem import Limit, Problem
from omnisim.optimise.programme import assemble
from omnisim.optimise.solver import Answer, Solves
from omnisim.response import Floats, respond

Bools = NDArray[np.bool_]


def _least_replies(problem: Problem) -> Floats:
    """Response of each channel and period at its least stock."""
    curves = problem.curves
    return np.asarray(respond(curves.form, curves.scale, curves.half, curves.shape, stock_range(problem)[0]))


def opening_weight(problem: Problem) -> float:
    """What a unit of opening cost takes from the objective."""
    return float(problem.charge[0, 0])


def solve_tangents(problem: Problem, grid: Floats, marks: Floats, gap: float, deadline: float, solver: Solves
                   ) -> tuple[Answer, Floats, Bools, Bools]:
    """The mixed-integer programme over tangents, whose bound holds for every plan: answer, spend, open, core channels.

    Tangents bring more than nothing at the least stock where a curve starts upright. A closed channel must not be given
    that, so it hangs on the channel's being open. Where the price of exposure rises, it has tangents at `marks`.
    """
    pieces = tangents(problem, grid)
    costly = np.flatnonzero(problem.opening_cost > 0.0)
    true_base = pieces.base.copy()
    true_base[costly] = _least_replies(problem)[costly]
    bought = None if problem.doubling is None else buy(problem, marks, above=True)
    frame, at = assemble(problem, replace(pieces, base=true_base), bought)
    n, planned = problem.shape[0], problem.plan_periods
    most = np.minimum(problem.curves.cap.sum(axis=1), problem.budget)
    can_close = (problem.opening_cost > 0.0) & (problem.curves.floor.sum(axis=1) == 0.0)
    is_open = np.ones(n, bool)
    excess = (pieces.base - true_base)[costly]
    gain = np.zeros(len(costly)) if at.replies is not None else (problem.worth[costly] * excess).sum(axis=1)
    opened = frame.add_columns(gain - problem.opening_cost[costly] * opening_weight(problem),
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


