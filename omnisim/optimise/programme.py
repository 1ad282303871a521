"""The linear programme: curves as segments between grid points, limits as rows, refined until the gap is closed.

Between grid points a concave curve is replaced by its chords, so a plan of the programme keeps every limit of the true
problem and brings at least what the programme says. At the programme's shadow prices the exact method gives a bound on
every plan (Lagrange). Both meet as the grid closes in on the plan.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import numpy as np

from omnisim.optimise.chains import allocate_budget, best_spend
from omnisim.optimise.problem import TOTAL, Problem
from omnisim.optimise.solver import Answer, Model, Solver, columns
from omnisim.response import Floats, carry, respond

FIRST_GRID = np.array([0.25, 0.6, 0.85, 1.0, 1.2, 1.7, 4.0])
"""Grid points around the stocks that the budget alone would lead to."""
ROUNDS = 40
"""Refinements of the grid; about five are used."""


@dataclass(frozen=True)
class Layout:
    """Where the variables and rows of a programme stand.

    Variables: spend x by cell, then segments δ by cell and place, then served response r by cell if any limit looks at
    responses. Rows: chain by cell, then served response by cell, then the limits.
    """

    n: int
    periods: int
    segments: int
    has_replies: bool

    @property
    def cells(self) -> int:
        """Channels times periods."""
        return self.n * self.periods

    @property
    def width(self) -> int:
        """Variables."""
        return self.cells * (1 + self.segments + self.has_replies)

    @property
    def first_limit(self) -> int:
        """Row of the first limit."""
        return self.cells * (1 + self.has_replies)

    @property
    def replies(self) -> int:
        """Place of the first served response."""
        return self.cells * (1 + self.segments)


def stock_range(problem: Problem) -> tuple[Floats, Floats]:
    """Least and most stock of each channel and period within bounds and budget."""
    curves = problem.curves
    least = np.asarray(carry(curves.floor, curves.carryover, curves.carry_in))
    faded = np.asarray(carry(np.zeros_like(curves.floor), curves.carryover, curves.carry_in))
    most = np.asarray(carry(curves.cap, curves.carryover, curves.carry_in))
    return least, np.maximum(least, np.minimum(most, faded + max(problem.budget, float(curves.floor.sum()))))


def replies_at(problem: Problem, grid: Floats) -> Floats:
    """Responses at grid stocks (n, periods, k)."""
    curves = problem.curves
    return np.stack([respond(curves.form, curves.scale, curves.half, curves.shape, np.ascontiguousarray(grid[:, :, k]))
                     for k in range(grid.shape[2])], axis=2)


def build(problem: Problem, grid: Floats) -> tuple[Model, Layout, float]:
    """The programme on a grid (n, periods, k) of stocks, ascending; and the objective of the stocks at its low end.

    Rows of the chain: Σ δ(t) − θ Σ δ(t−1) − x(t) = −floor(t), as stocks start at what the floors leave.
    """
    n, periods = problem.shape
    has_replies = any(len(limit.reply) for limit in problem.limits)
    at = Layout(n, periods, grid.shape[2] - 1, has_replies)
    replies = replies_at(problem, grid)
    widths = np.diff(grid, axis=2)
    steep = np.divide(np.diff(replies, axis=2), widths, out=np.zeros_like(widths), where=widths > 0.0)
    cell = np.arange(at.cells).reshape(n, periods)
    segment = at.cells + np.arange(at.cells * at.segments).reshape(n, periods, at.segments)
    theta = np.broadcast_to(problem.curves.carryover[:, None, None], segment[:, 1:].shape)
    spread = np.broadcast_to(cell[:, :, None], segment.shape)
    entries = [(spread, segment, np.ones(segment.shape)), (cell, cell, -np.ones(cell.shape)),
               (spread[:, 1:], segment[:, :-1], -theta)]
    low, high = [problem.curves.floor, np.zeros_like(widths)], [problem.curves.cap, widths]
    cost = [-problem.charge, np.zeros_like(widths) if has_replies else steep * problem.worth[:, :, None]]
    sides_low, sides_high = [-problem.curves.floor.ravel()], [-problem.curves.floor.ravel()]
    if has_replies:
        served = at.replies + cell
        entries += [(at.cells + cell, served, np.ones(cell.shape)), (at.cells + spread, segment, -steep)]
        sides_low.append(np.full(at.cells, -math.inf))
        sides_high.append(replies[:, :, 0].ravel())
        low.append(np.zeros(cell.shape))
        high.append(np.full(cell.shape, math.inf))
        cost.append(problem.worth)
    else:
        entries.append((cell[:0], cell[:0], np.zeros((0, periods))))
    planned = problem.plan_periods
    for k, limit in enumerate(problem.limits):
        row = at.first_limit + k
        for cells, offset, values in ((limit.cells, 0, limit.spend), (limit.reply_cells, at.replies, limit.reply)):
            places = offset + (cells // planned) * periods + cells % planned
            entries.append((np.full(len(places), row), places, values))
        sides_low.append(np.array([-math.inf if limit.sense == "<=" else limit.value]))
        sides_high.append(np.array([math.inf if limit.sense == ">=" else limit.value]))
    rows, places, values = (np.concatenate([np.asarray(part[k]).ravel() for part in entries]) for k in range(3))
    matrix = columns(rows, places, values, at.width)
    model = Model(*(np.concatenate([part.ravel() for part in parts]) for parts in (cost, low, high)),
                  np.concatenate(sides_low), np.concatenate(sides_high), *matrix)
    constant = 0.0 if has_replies else float((problem.worth * replies[:, :, 0]).sum())
    return model, at, constant


def lagrange_bound(problem: Problem, prices: Floats, spend: Floats) -> float:
    """What no plan can exceed, by the prices of the limits; `spend` is filled with the plan they lead to.

    A price of the wrong sign is none: it would bound nothing.
    """
    worth, charge = problem.worth.copy(), problem.charge.copy()
    planned, bound = problem.plan_periods, 0.0
    for price, limit in zip(prices, problem.limits, strict=True):
        if (limit.sense == "<=" and price < 0.0) or (limit.sense == ">=" and price > 0.0) or price == 0.0:
            continue
        bound += price * limit.value
        charge[limit.cells // planned, limit.cells % planned] += price * limit.spend
        worth[limit.reply_cells // planned, limit.reply_cells % planned] -= price * limit.reply
    weighted = problem.curves._replace(scale=problem.curves.scale * np.maximum(worth, 0.0))
    return bound + float(best_spend(weighted, charge, problem.curves.floor, problem.curves.cap, spend))


def served_value(problem: Problem, spend: Floats, answer: Answer, at: Layout) -> float:
    """Objective of a plan; where limits look at responses, only what the programme serves is counted."""
    if not at.has_replies:
        return problem.value(spend)
    served = answer.values[at.replies:at.replies + at.cells].reshape(spend.shape)
    return float((problem.worth * served).sum() - (problem.charge * spend).sum())


@dataclass(frozen=True)
class Programmed:
    """A plan of the programme with its bound, in the problem's units."""

    spend: Floats
    objective: float
    bound: float
    prices: Floats
    """(limits,) rise of the objective by one more unit of each limit's value"""
    grid: Floats
    """the last grid, for solving again nearby"""
    rounds: int


def first_grid(problem: Problem) -> Floats:
    """A grid around the stocks that budget and bounds alone would lead to."""
    curves = problem.curves
    least, most = stock_range(problem)
    spend = allocate_budget(problem.weighted, problem.charge, problem.budget, curves.floor, curves.cap, 1e-4, 1.0)[0]
    stock = np.asarray(carry(spend, curves.carryover, curves.carry_in))
    stock = np.where(stock > 1e-12, stock, 0.1 * most / sum(problem.shape))
    return _sorted(least, most, stock[:, :, None] * FIRST_GRID)


def refine(problem: Problem, grid: Floats, stock: Floats, proposed: Floats, share: float) -> Floats:
    """A grid closer around the plan's stocks and the stocks that the prices lead to."""
    least, most = stock_range(problem)
    near = np.abs(np.log(np.maximum(proposed, 1e-300) / np.maximum(stock, 1e-300)))
    reach = np.clip(near[:, :, None], share, 1.0)
    middle = np.sqrt(np.maximum(stock, 1e-14) * np.maximum(proposed, 1e-14))
    around = np.stack([stock, proposed, middle, stock * (1.0 - share), stock * (1.0 + share)], axis=2)
    wide = middle[:, :, None] * np.exp(reach * np.array([-2.5, 2.5]))
    return _sorted(least, most, np.concatenate([around, wide], axis=2))


def _sorted(least: Floats, most: Floats, points: Floats) -> Floats:
    inside = np.clip(points, least[:, :, None], most[:, :, None])
    return np.sort(np.concatenate([least[:, :, None], inside, most[:, :, None]], axis=2), axis=2)


def solve_programme(problem: Problem, gap: float, deadline: float, solver: Solver, grid: Floats | None = None
                    ) -> Programmed | None:
    """The best plan within linear limits; None where no plan keeps them.

    Parameters
    ----------
    problem : Problem  normalised, concave, without integers
    gap : float  relative to the bound, to stop at
    deadline : float [second]  on the monotonic clock; the best plan so far is returned
    grid : (n, periods, k) float  to start from
    """
    curves = problem.curves
    grid = first_grid(problem) if grid is None else grid
    best: tuple[float, Floats] | None = None
    bound, prices, share = math.inf, np.zeros(len(problem.limits)), 0.1
    proposal = np.empty(problem.shape)
    rounds = 0
    for rounds in range(1, ROUNDS + 1):
        model, at, _ = build(problem, grid)
        answer = solver.solve(model, deadline=deadline, presolve=rounds == 1)
        if answer.status == "infeasible":
            return None
        if answer.status == "limit":
            break
        spend = np.clip(answer.values[:at.cells].reshape(problem.shape), curves.floor, curves.cap)
        objective = served_value(problem, spend, answer, at)
        if best is None or objective > best[0]:
            best = objective, spend
        duals = answer.duals[at.first_limit:]
        found = lagrange_bound(problem, duals, proposal)
        if found < bound:
            bound, prices = found, duals
        if bound - best[0] <= gap * abs(bound) or time.monotonic() > deadline:
            break
        stock = np.asarray(carry(spend, curves.carryover, curves.carry_in))
        grid = refine(problem, grid, stock, np.asarray(carry(proposal, curves.carryover, curves.carry_in)), share)
        share = max(share * 0.3, 1e-6)
    if best is None:
        return None
    return Programmed(best[1], best[0], bound, prices, grid, rounds)


def total_price(problem: Problem, prices: Floats) -> float:
    """Price of the total budget among the prices of all limits."""
    return float(next(price for price, limit in zip(prices, problem.limits, strict=True) if limit.name == TOTAL))
