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

from omnisim.optimise.assembly import Assembly
from omnisim.optimise.chains import allocate_budget, best_spend
from omnisim.optimise.curves import CurveArrays
from omnisim.optimise.pieces import Segments, buy, chords, place_marks, stock_range
from omnisim.optimise.problem import Ints, Problem
from omnisim.optimise.solver import Answer, Solves
from omnisim.response import Floats, carry, expose

FIRST_GRID = np.array([0.25, 0.6, 0.85, 1.0, 1.2, 1.7, 4.0])
"""Grid points around the stocks that the budget alone would lead to."""
SPREAD = np.array([-5.0, -1.0, -0.2, 0.2, 1.0, 5.0])
"""Places of grid points around a plan's stocks, in reaches."""
ROUNDS = 40
"""Refinements of the grid; about five are used."""


@dataclass(frozen=True)
class Layout:
    """Where the variables and limits of a programme stand; arrays (n, periods), replies only where limits need them."""

    spend: Ints
    segment: Ints
    replies: Ints | None
    served: Ints | None
    """rows of the response served"""
    limits: Ints
    chain: Ints
    """rows of the stock; their price is that of exposure"""


def assemble(problem: Problem, pieces: Segments, bought: Segments | None = None) -> tuple[Assembly, Layout]:
    """The programme on straight pieces; the caller may add to it.

    Variables: spend x, segments δ, and the response served r where limits look at responses. Rows of the chain:
    Σ δ(t) − θ Σ δ(t−1) − x(t) = −floor(t), as stocks start at what the floors leave; then r ≤ base + Σ slope · δ.
    Where the price of exposure rises, its pieces stand for x in the chain.

    Parameters
    ----------
    bought : Segments, or None  exposure as pieces of spend; chords all over if not given
    """
    has_replies = problem.has_replies
    frame, widths = Assembly(), pieces.widths
    spend = frame.add_columns(-problem.charge, problem.curves.floor, problem.curves.cap)
    worth = np.zeros_like(widths) if has_replies else pieces.slopes * problem.worth[:, :, None]
    segment = frame.add_columns(worth, 0.0, widths)
    given = -problem.curves.floor
    if pieces.start is not None:
        given = -pieces.start
        given[:, 1:] += problem.curves.carryover[:, None] * pieces.start[:, :-1]
        given[:, 0] += problem.curves.carryover * problem.curves.carry_in
    if problem.doubling is None:
        chain = frame.add_rows(given, given)
        frame.add_entries(chain, spend, -1.0)
    else:
        bought = bought or buy(problem, place_marks(problem))
        given = given + (bought.base if pieces.start is not None else problem.curves.floor)
        chain = frame.add_rows(given, given)
        part = frame.add_columns(np.zeros_like(bought.widths), 0.0, bought.widths)
        whole = frame.add_rows(-problem.curves.floor, -problem.curves.floor)
        frame.add_entries(whole, spend, -1.0)
        frame.add_entries(whole[:, :, None], part, 1.0)
        frame.add_entries(chain[:, :, None], part, -bought.slopes)
    frame.add_entries(chain[:, :, None], segment, 1.0)
    frame.add_entries(chain[:, 1:, None], segment[:, :-1], -problem.curves.carryover[:, None, None])
    replies = served = None
    if has_replies:
        replies = frame.add_columns(problem.worth, 0.0, math.inf)
        served = frame.add_rows(np.full(replies.shape, -math.inf), pieces.base)
        frame.add_entries(served, replies, 1.0)
        frame.add_entries(served[:, :, None], segment, -pieces.slopes)
    places = []
    for limit in problem.limits:
        row = frame.add_limit(limit.sense, limit.value)
        places.append(row)
        frame.add_entries(row, spend[:, :problem.plan_periods].ravel()[limit.cells], limit.spend)
        if replies is not None:
            frame.add_entries(row, replies[:, :problem.plan_periods].ravel()[limit.reply_cells], limit.reply)
    return frame, Layout(spend, segment, replies, served, np.array(places, np.int64), chain)


def price_limits_in(problem: Problem, prices: Floats) -> tuple[CurveArrays, Floats, float]:
    """Curves and charges with the limits priced into them, and Σ price · limit; one of the wrong sign counts as 0."""
    worth, charge = problem.worth.copy(), problem.charge.copy()
    planned, bound = problem.plan_periods, 0.0
    for price, limit in zip(prices, problem.limits, strict=True):
        if (limit.sense == "<=" and price < 0.0) or (limit.sense == ">=" and price > 0.0) or price == 0.0:
            continue
        bound += price * limit.value
        charge[limit.cells // planned, limit.cells % planned] += price * limit.spend
        worth[limit.reply_cells // planned, limit.reply_cells % planned] -= price * limit.reply
    return problem.curves._replace(scale=problem.curves.scale * np.maximum(worth, 0.0)), charge, bound


def lagrange_bound(problem: Problem, prices: Floats, worths: Floats, spend: Floats, exposure: Floats) -> float:
    """What no plan can exceed, by the prices of the limits.

    Parameters
    ----------
    prices : (limits,) float
    worths : (n, periods) float  of one more exposure, which only matter where its price rises
    spend, exposure : (n, periods) float  filled with what these prices lead to
    """
    curves, charge, bound = price_limits_in(problem, prices)
    if problem.doubling is None:
        bound += float(best_spend(curves, charge, curves.floor, curves.cap, spend))
        exposure[:] = spend
        return bound
    surplus, spend[:] = trade(problem, charge, worths)
    low, high = expose(curves.floor, problem.doubling), expose(curves.cap, problem.doubling)
    return bound + surplus + float(best_spend(curves, worths, low, high, exposure))


def trade(problem: Problem, charge: Floats, worths: Floats) -> tuple[float, Floats]:
    """The most that buying exposure and selling it at `worths` a unit earns, and the spend (n, periods) that does.

    Exposure e(x) has the slope 1 / √(1 + 3 x / doubling), which falls to charge / worth.
    """
    assert problem.doubling is not None
    floor, cap = problem.curves.floor, problem.curves.cap
    ratio = np.divide(worths, charge, out=np.full_like(worths, np.inf), where=charge > 0.0)
    even = np.isinf(problem.doubling)
    wanted = np.where(ratio > 1.0, np.where(even, np.inf, np.where(even, 1.0, problem.doubling) / 3.0
                                            * (np.minimum(ratio, 1e100) ** 2 - 1.0)), 0.0)
    wanted = np.where((worths <= 0.0) & (charge > 0.0), 0.0, wanted)
    spend = np.clip(wanted, floor, cap)
    return float((worths * expose(spend, problem.doubling) - charge * spend).sum()), spend


def served_value(problem: Problem, spend: Floats, answer: Answer, at: Layout) -> float:
    """Objective of a plan; where limits look at responses, only what the programme serves is counted."""
    if at.replies is None:
        return problem.value(spend)
    served = answer.values[at.replies]
    return float((problem.worth * served).sum() - (problem.charge * spend).sum())


@dataclass(frozen=True)
class Programmed:
    """A plan of the programme with its bound, in the problem's units."""

    spend: Floats
    objective: float
    bound: float
    prices: Floats
    """(limits,) rise of the objective by one more unit of each limit's value"""
    grid: Floats | None
    """the last grid, for solving again nearby; None by the exact method"""
    rounds: int


def first_grid(problem: Problem, around: Floats = FIRST_GRID) -> Floats:
    """A grid around the stocks that budget and bounds alone would lead to, at these multiples of them."""
    curves = problem.curves
    least, most = stock_range(problem)
    spend = allocate_budget(problem.weighted, problem.charge, problem.budget, curves.floor, curves.cap, 1e-4, 1.0)[0]
    stock = problem.stocks(spend)
    stock = np.where(stock > 1e-12, stock, 0.1 * most / sum(problem.shape))
    return _sorted(least, most, stock[:, :, None] * around)


def refine(problem: Problem, stock: Floats, proposed: Floats, reach: Floats | float) -> Floats:
    """A grid around the plan's stocks and the stocks that the prices lead to; `reach` is how far, in ln stock."""
    least, most = stock_range(problem)
    centre = np.maximum(stock, 1e-6 * most)[:, :, None]
    around = centre * np.exp(np.asarray(reach)[..., None] * SPREAD)
    return _sorted(least, most, np.concatenate([around, stock[:, :, None], proposed[:, :, None]], axis=2))


def adapt(reach: Floats, before: Floats, after: Floats) -> Floats:
    """How far to look next: closer where the plan stays, farther where it ran to the end of what it could see."""
    moved = np.abs(np.log(np.maximum(after, 1e-14) / np.maximum(before, 1e-14)))
    return np.clip(np.where(moved > 0.5 * reach, 2.0 * np.maximum(reach, 0.25 * np.minimum(moved, 1.0)), 0.2 * reach),
                   1e-7, 1.0)


def _sorted(least: Floats, most: Floats, points: Floats) -> Floats:
    inside = np.clip(points, least[:, :, None], most[:, :, None])
    return np.sort(np.concatenate([least[:, :, None], inside, most[:, :, None]], axis=2), axis=2)


def solve_programme(problem: Problem, gap: float, deadline: float, solver: Solves, grid: Floats | None = None
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
    bound, prices, reach = math.inf, np.zeros(len(problem.limits)), np.full(problem.shape, 0.5)
    proposal, exposure, before = np.empty(problem.shape), np.empty(problem.shape), np.median(grid, axis=2)
    marks = None if problem.doubling is None else place_marks(problem)
    rounds = 0
    for rounds in range(1, ROUNDS + 1):
        frame, at = assemble(problem, chords(problem, grid), None if marks is None else buy(problem, marks))
        answer = solver.solve(frame.model(), deadline=deadline, presolve=rounds == 1)
        if answer.status == "infeasible":
            return None
        if answer.status == "limit":
            break
        spend = np.clip(answer.values[at.spend], curves.floor, curves.cap)
        objective = served_value(problem, spend, answer, at)
        if best is None or objective > best[0]:
            best = objective, spend
        duals = answer.duals[at.limits]
        found = lagrange_bound(problem, duals, np.ascontiguousarray(answer.duals[at.chain]), proposal, exposure)
        if found < bound:
            bound, prices = found, duals
        if bound - best[0] <= gap * abs(bound) or time.monotonic() > deadline:
            break
        stock = problem.stocks(spend)
        reach = adapt(reach, before, stock)
        grid = refine(problem, stock, np.asarray(carry(exposure, curves.carryover, curves.carry_in)), reach)
        if marks is not None:
            marks = np.sort(np.concatenate([place_marks(problem, spend, 3.0 * float(reach.mean())),
                                            np.clip(proposal, 0.0, problem.budget)[:, :, None]], axis=2), axis=2)
        before = stock
    if best is None:
        return None
    return Programmed(best[1], best[0], bound, prices, grid, rounds)


def solve_continuous(problem: Problem, gap: float, deadline: float, solver: Solves) -> Programmed | None:
    """The best plan of a concave problem without integers, by the exact method where the budget is the only limit."""
    if not problem.is_plain:
        return solve_programme(problem, gap, deadline, solver)
    curves = problem.curves
    if float(curves.floor.sum()) > problem.budget * (1.0 + 1e-12):
        return None
    spend, objective, bound, price = allocate_budget(problem.weighted, problem.charge, problem.budget, curves.floor,
                                                     curves.cap, gap, 1.0)
    return Programmed(spend, objective, bound, np.array([price]), None, 0)
