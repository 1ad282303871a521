"""From a plan to the nearest one that no small change improves, within any linear limits, whatever the curves' shape.

Each S-shaped curve is replaced by the highest concave one below it that has its value at the plan's stock: a straight
line up to where it meets the curve again. The linear programme on that finds a plan which brings at least what it
promises on the true curves and keeps every limit, so the objective never falls; the curves are touched anew there
(minorise and maximise: Hunter and Lange 2004, "A tutorial on MM algorithms"), on a grid that closes in.
"""

from __future__ import annotations

import time

import numpy as np

from omnisim.optimise.pieces import buy, chords, place_marks, stock_range, touch
from omnisim.optimise.problem import Problem
from omnisim.optimise.programme import Programmed, adapt, assemble, refine, served_value
from omnisim.optimise.solver import Solver, SolverError
from omnisim.response import Floats

ROUNDS = 30
"""Programmes solved at most; about ten are used."""
PENALTY = 20.0
"""What a breach of a limit on responses costs on the way, in objectives of an even split for a limit's largest part."""
KEPT = 1e-8
"""Breach that counts as none."""
CLOSE = 3e-4
"""Reach of the grid at which the climb may end: what chords lose is of its square."""
STILL = 1e-9
"""Rise, relative, below which it does."""


def polish(problem: Problem, spend: Floats, deadline: float, rounds: int = ROUNDS) -> Programmed | None:
    """The best plan near a spend; None where none was found that keeps the limits.

    Parameters
    ----------
    problem : Problem  normalised, without integers
    spend : (n, periods) float [currency]  to start from; it may miss limits on responses
    deadline : float [second]  on the monotonic clock
    """
    curves, most = problem.curves, stock_range(problem)[1]
    solver, best, last = Solver(), None, -np.inf
    reach = np.full(problem.shape, 0.5)
    for done in range(1, rounds + 1):
        stock = problem.stocks(spend)
        grid = refine(problem, stock, stock, reach)
        bought = None if problem.doubling is None else buy(problem, place_marks(problem, spend, float(reach.mean())))
        frame, at = assemble(problem, chords(problem, grid, touch(problem, stock, most)), bought)
        slack = []
        for row, limit in zip(at.limits, problem.limits, strict=True):
            if len(limit.reply):
                slack.append(frame.add_columns(np.full(1, -PENALTY), 0.0, np.inf))
                frame.add_entries(int(row), slack[-1], -1.0 if limit.sense == "<=" else 1.0)
        try:
            answer = solver.solve(frame.model(), deadline=deadline, presolve=done == 1)
        except SolverError:  # the plan so far is as good as it gets
            break
        if answer.status != "optimal":
            break
        moved = np.clip(answer.values[at.spend], curves.floor, curves.cap)
        objective = served_value(problem, moved, answer, at)
        breach = sum(float(answer.values[one].sum()) for one in slack)
        if breach <= KEPT and (best is None or objective > best.objective):
            best = Programmed(moved, objective, np.inf, answer.duals[at.limits], grid, done)
        level = objective - PENALTY * breach
        reach = adapt(reach, stock, problem.stocks(moved))
        if (level - last <= STILL * abs(level) and float(reach.max()) <= CLOSE) or time.monotonic() > deadline:
            break
        last, spend = max(level, last), moved
    return best
