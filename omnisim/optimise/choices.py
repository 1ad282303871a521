"""The best choice of channels: good choices by trying, then an integer programme for the bound and better ones."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import numpy as np

from omnisim.optimise.chains import best_spend
from omnisim.optimise.curves import CurveArrays
from omnisim.optimise.integers import Bools, fix_choices, opening_weight, solve_tangents
from omnisim.optimise.pieces import CLOSELY, place_marks
from omnisim.optimise.problem import TOTAL, Problem
from omnisim.optimise.programme import Programmed, first_grid, price_limits_in, refine, solve_continuous
from omnisim.optimise.solver import Solver, Solves
from omnisim.response import Floats, carry, respond

FINE = 15_000
"""Grid points to start with, over all channels and periods."""
ROUNDS = 12
"""Programmes solved at most; two or three are used."""
BISECTIONS = 25
"""Steps of the search for the price of the budget."""
PATIENCE = 0.3
"""Share of the time that may go into trying choices before the first programme."""


@dataclass(frozen=True)
class Chosen:
    """A plan with its choices, and the problem with these fixed."""

    plan: Programmed
    is_open: Bools
    is_core: Bools
    problem: Problem


def solve_choices(problem: Problem, gap: float, deadline: float, solver: Solves) -> Chosen | None:
    """The best plan with opening costs and core channels; None where no plan keeps the limits.

    Parameters
    ----------
    problem : Problem  normalised, concave
    gap : float  relative to the bound
    deadline : float [second]  on the monotonic clock

    Notes
    -----
    Tangents bring at least what the curves bring, so the mixed-integer programme over them bounds every plan. With its
    choices fixed the rest is concave and solved exactly; the tangents are refined around that plan until both meet.
    """
    relaxed = solve_continuous(_relax(problem), 0.1 * gap, deadline, Solver())
    if relaxed is None:
        return None
    search = _Search(problem, gap, deadline, relaxed.bound)
    bound, is_open = price_openings(problem, relaxed.prices)
    search.bound = min(search.bound, bound)
    search.try_near(is_open, relaxed.spend)
    points = int(np.clip(FINE // problem.worth.size, 12, 40))  # other choices lead to stocks far from the first ones
    grid, marks = first_grid(problem, np.geomspace(0.2, 6.0, points)), place_marks(problem, around=CLOSELY)
    for _ in range(ROUNDS):
        if search.is_done:
            break
        answer, spend, is_open, is_core = solve_tangents(problem, grid, marks, 0.3 * gap, deadline, solver)
        if answer.status == "infeasible":
            return None
        search.bound = min(search.bound, answer.bound)
        if not len(answer.values):
            break
        found = search.attempt(is_open, is_core)
        near = refine(problem, problem.stocks(found.spend if found else spend), problem.stocks(spend), 0.1)
        grid = np.sort(np.concatenate([grid, near[:, :, 1:-1]], axis=2), axis=2)  # what was learnt of other choices
        for one in (spend, *([found.spend] if found else [])):
            marks = np.sort(np.concatenate([marks, place_marks(problem, one, 0.03, CLOSELY[:0])], axis=2), axis=2)
    if search.best is None:
        return None
    plan = replace(search.best.plan, bound=max(search.bound, search.best.plan.objective))
    return replace(search.best, plan=plan)


def _relax(problem: Problem) -> Problem:
    """The problem as if opening cost nothing and every channel could be core."""
    limits = tuple(limit._replace(channels=limit.channels[:0], opening=limit.opening[:0]) if limit.name == TOTAL
                   else limit for limit in problem.limits)
    return replace(problem, limits=limits, opening_cost=np.zeros_like(problem.opening_cost), core=None)


def price_openings(problem: Problem, prices: Floats) -> tuple[float, Bools]:
    """A bound by Lagrange: at a price of the budget a channel is opened where its surplus pays for opening it.

    The other limits keep their prices; that of the budget is searched for the least bound, which is convex in it.

    Returns
    -------
    bound, and the channels opened at that price
    """
    costs, total = problem.opening_cost, [limit.name for limit in problem.limits].index(TOTAL)
    spend, nothing = np.empty(problem.shape), problem.curves.floor
    must = (costs == 0.0) | (nothing.sum(axis=1) > 0.0)

    def worth(curves: CurveArrays, charge: Floats, plan: Floats) -> Floats:
        stock = carry(plan, curves.carryover, curves.carry_in)
        replies = respond(curves.form, curves.scale, curves.half, curves.shape, stock)
        return np.asarray((replies - charge * plan).sum(axis=1))

    def bound_at(price: float) -> tuple[float, Bools]:
        given = prices.copy()
        given[total] = price
        curves, charge, constant = price_limits_in(problem, given)
        best_spend(curves, charge, curves.floor, curves.cap, spend)
        closed = worth(curves, charge, nothing)
        surplus = worth(curves, charge, spend) - closed - costs * (price + opening_weight(problem))
        is_open = must | (surplus > 0.0)
        return constant + float(closed.sum() + surplus[is_open].sum()), is_open

    low, high = 0.0, 4.0 * max(float(prices[total]), 1e-6)
    best = bound_at(float(prices[total]))
    for _ in range(BISECTIONS):
        left, right = low + 0.382 * (high - low), high - 0.382 * (high - low)
        at_left, at_right = bound_at(left), bound_at(right)
        best = min(best, at_left, at_right, key=lambda found: found[0])
        low, high = (low, right) if at_left[0] < at_right[0] else (left, high)
    return best


class _Search:
    """The choices tried so far, the best of them, and the bound on all."""

    def __init__(self, problem: Problem, gap: float, deadline: float, bound: float) -> None:
        self.problem, self.gap, self.deadline, self.bound = problem, gap, deadline, bound
        self.best: Chosen | None = None
        self._seen: dict[bytes, Programmed | None] = {}

    @property
    def is_done(self) -> bool:
        """Whether the gap is closed or the time is up."""
        closed = self.best is not None and self.bound - self.best.plan.objective <= self.gap * abs(self.bound)
        return closed or time.monotonic() > self.deadline

    def attempt(self, is_open: Bools, is_core: Bools) -> Programmed | None:
        """The best plan with these choices, opening costs taken off; None where none keeps the limits."""
        key = is_open.tobytes() + is_core.tobytes()
        if key not in self._seen:
            fixed = fix_choices(self.problem, is_open, is_core)
            plan = None
            if fixed.budget > 0.0:
                plan = solve_continuous(fixed, 0.1 * self.gap, self.deadline, Solver())
            if plan is not None:
                paid = float((self.problem.opening_cost * is_open).sum()) * opening_weight(self.problem)
                plan = replace(plan, objective=plan.objective - paid, bound=plan.bound - paid)
                if self.best is None or plan.objective > self.best.plan.objective:
                    self.best = Chosen(plan, is_open, is_core, fixed)
            self._seen[key] = plan
        return self._seen[key]

    def try_near(self, is_open: Bools, spend: Floats) -> None:
        """Try a choice of open channels, then one channel more or less at a time while that helps.

        Core are those that get most where choosing is free.
        """
        problem, start = self.problem, time.monotonic()
        until = start + PATIENCE * min(self.deadline - start, 60.0)
        is_core = np.ones(len(is_open), bool)
        if problem.core:
            order = np.argsort(-spend.sum(axis=1), kind="stable")
            is_core = np.isin(np.arange(len(is_open)), order[:problem.core.most])
        self.attempt(is_open, is_core)
        free = np.flatnonzero((problem.opening_cost > 0.0) & (problem.curves.floor.sum(axis=1) == 0.0))
        improved = True
        while improved and self.best is not None and not self.is_done:
            before = self.best.plan.objective
            for c in free:
                if time.monotonic() > until or self.is_done:
                    return
                other = self.best.is_open.copy()
                other[c] = not other[c]
                self.attempt(other, is_core)
            improved = self.best.plan.objective > before
