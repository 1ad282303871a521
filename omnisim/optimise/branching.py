"""S-shaped curves within any limits: a plan, and a bound by branch and bound over ranges of the channels' stocks.

On a range of stock every curve has a concave envelope. The linear programme over tangents of the envelopes, with
choices of channels relaxed, bounds all plans in the range; at its prices of the limits every channel is asked for its
best schedule (`schedule`), which knows the true curves and bounds them closer. What is lost most, a curve below its
envelope at the programme's plan or a channel that is neither open nor closed, is cut in two (Udell and Boyd 2013,
"Maximizing a sum of sigmoids"; Falk and Soland 1969). Plans of the programme are climbed from (`polish`).
"""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from omnisim.optimise.bounding import Part, Relaxed, Relaxing, whole_parts
from omnisim.optimise.integers import Bools, fix_choices, opening_weight
from omnisim.optimise.polish import polish
from omnisim.optimise.problem import TOTAL, Problem
from omnisim.optimise.programme import Programmed
from omnisim.optimise.sigmoids import CLOSED, OPEN
from omnisim.response import Floats, inflection

NODES = 20_000
"""Ranges bounded at most."""
EDGE = 0.1
"""A cut keeps this share of a range from both of its ends."""
QUICK = 8
"""Programmes in a climb from a node's plan; the best plan is climbed from to the end."""
NEAR = 0.02
"""Distance from the best, relative, up to which a quick climb is gone on with."""


LAST = 0.3
"""Seconds for a first plan where no time is left."""


@dataclass(frozen=True)
class Found:
    """The best plan with its choices of channels, and the problem with these fixed."""

    plan: Programmed
    is_open: Bools
    is_core: Bools
    problem: Problem


@dataclass(order=True)
class _Node:
    rank: tuple[float, int]
    parts: tuple[Part, ...]
    relaxed: Relaxed


def solve_branching(problem: Problem, gap: float, deadline: float, starts: Sequence[Floats] = ()
                    ) -> Found | Literal[False] | None:
    """The best plan found, with the bound on all; None where no plan keeps the limits, False where none was found.

    Parameters
    ----------
    problem : Problem  normalised
    gap : float  relative to the bound
    deadline : float [second]  on the monotonic clock
    starts : sequence of (n, periods) float [currency]  further plans to climb from
    """
    search = _Search(problem, gap, deadline)
    with search.relaxing:
        return search.run(starts)


class _Search:
    """The best plan so far, and the ranges that may hold a better one."""

    def __init__(self, problem: Problem, gap: float, deadline: float) -> None:
        self.problem, self.gap, self.deadline = problem, gap, deadline
        self.relaxing = Relaxing(problem, deadline)
        self.best: Found | None = None
        self._tried: set[bytes] = set()

    def run(self, starts: Sequence[Floats]) -> Found | Literal[False] | None:
        """Cut the range with the highest bound until the gap is closed or the time is up."""
        parts = whole_parts(self.problem)
        root = self.relaxing.refine_root(parts, lambda spend: self.climb(spend, False))
        if root is None:
            return None
        self.climb(root.spend, False)
        for plan in (*root.schedules, *starts):
            self.climb(plan, False)
        pending, count, closed = [_Node((-root.bound, 0), parts, root)], 1, -math.inf
        while pending and count < NODES and time.monotonic() < self.deadline:
            if self.is_close(-pending[0].rank[0]):
                break
            node = heapq.heappop(pending)
            halves = list(self.cut(node))
            if not halves:  # the bound is attained, but for limits on responses
                closed = max(closed, node.relaxed.bound)
            for half in halves:
                found = self.relaxing.bound(half)
                count += 1
                if found is None:
                    continue
                bound = min(found.bound, node.relaxed.bound)
                if not self.is_close(bound):
                    self.climb(found.spend, True)
                    if self.problem.opening_cost.any() and found.schedules:
                        self.climb(found.schedules[0], True)
                    heapq.heappush(pending, _Node((-bound, count), half, found._replace(bound=bound)))
                else:
                    closed = max(closed, bound)
        if self.best is None:
            return None if not pending and closed == -math.inf else False
        self.finish()
        chosen = self.best.plan
        bound = max(chosen.objective, closed, *(node.relaxed.bound for node in pending), -math.inf)
        return replace(self.best, plan=replace(chosen, bound=bound))

    def is_close(self, bound: float) -> bool:
        """Whether a bound is within the gap of the best plan."""
        return self.best is not None and bound - self.best.plan.objective <= self.gap * abs(bound)

    def cut(self, node: _Node) -> Sequence[tuple[Part, ...]]:
        """The two halves of a range, cut where most is lost; none where nothing is."""
        relaxed, parts = node.relaxed, node.parts
        c, t = relaxed.worst
        if c < 0:
            return ()
        part = parts[c]
        if t < 0:
            halves = [replace(part, state=one) if t == -1 else replace(part, core=one) for one in (OPEN, CLOSED)]
        else:
            assert part.grid is not None
            low, high = float(part.grid[0][t, 0]), float(part.grid[0][t, -1])
            curves = self.problem.curves
            is_convex = low < inflection(curves.form[c], curves.half[c, t], curves.shape[c, t])
            edge = (EDGE if is_convex else 1e-3) * (high - low)  # elsewhere a cut adds a tangent
            value = min(max(float(relaxed.stock[c, t]), low + edge), high - edge)
            halves = [part.within(t, low, value), part.within(t, value, high)]
        return [(*parts[:c], half, *parts[c + 1:]) for half in halves]

    def choose(self, spend: Floats) -> tuple[Bools, Bools]:
        """Channels that a plan opens, and those that get most."""
        problem, sums = self.problem, spend.sum(axis=1)
        is_open = (sums > 1e-7) | (problem.opening_cost == 0.0) | (problem.curves.floor.sum(axis=1) > 0.0)
        is_core = np.ones(len(sums), bool)
        if problem.core:
            is_core = np.isin(np.arange(len(sums)), np.argsort(-sums, kind="stable")[:problem.core.most])
        return is_open, is_core

    def climb(self, spend: Floats, quick: bool) -> None:
        """Climb from a plan with its own choices of channels, and keep what is found if nothing was better."""
        key = np.round(spend, 3).tobytes()
        until = self.deadline
        if self.best is None:  # compiling may have taken all the time there was
            until = max(until, time.monotonic() + LAST)
        if key in self._tried or time.monotonic() > until:
            return
        self._tried.add(key)
        is_open, is_core = self.choose(spend)
        fixed = fix_choices(self.problem, is_open, is_core)
        if fixed.budget <= 0.0 or (fixed.curves.floor > fixed.curves.cap).any():
            return
        paid = float((self.problem.opening_cost * is_open).sum()) * opening_weight(self.problem)
        plan = polish(fixed, np.clip(spend, fixed.curves.floor, fixed.curves.cap), until,
                      QUICK if quick and self.best is not None else 30)
        if plan is None:
            return
        plan = replace(plan, objective=plan.objective - paid)
        idle = self.losers(plan, is_open)
        if quick and self.best is not None and plan.rounds >= QUICK and \
                plan.objective > self.best.plan.objective - NEAR * abs(self.best.plan.objective):
            further = polish(fixed, plan.spend, self.deadline)
            if further is not None:
                plan = replace(further, objective=further.objective - paid)
        if self.best is None or plan.objective > self.best.plan.objective:
            self.best = Found(plan, is_open, is_core, fixed)
        if idle.any() and time.monotonic() < self.deadline:
            self.climb(np.where(idle[:, None], 0.0, plan.spend), quick)

    def losers(self, plan: Programmed, is_open: Bools) -> Bools:
        """Channels that bring less than opening them and their spend cost, at the plan's price of the budget."""
        problem = self.problem
        price = max(float(plan.prices[[limit.name for limit in problem.limits].index(TOTAL)]), 0.0)
        earned = (problem.worth * problem.replies(plan.spend) - (problem.charge + price) * plan.spend).sum(axis=1)
        surplus = earned - problem.opening_cost * (price + opening_weight(problem))
        can = is_open & (problem.opening_cost > 0.0) & (problem.curves.floor.sum(axis=1) == 0.0)
        losing = can & (surplus < 0.0)
        most = np.sort(surplus[losing])[: max(1, int(losing.sum()) // 2)]
        found: Bools = losing & (surplus <= most[-1]) if len(most) else losing
        return found

    def finish(self) -> None:
        """Climb from the best plan once more, on a fresh grid."""
        assert self.best is not None
        plan = polish(self.best.problem, self.best.plan.spend, self.deadline)
        paid = float((self.problem.opening_cost * self.best.is_open).sum()) * opening_weight(self.problem)
        if plan is not None and plan.objective - paid > self.best.plan.objective:
            self.best = replace(self.best, plan=replace(plan, objective=plan.objective - paid))
