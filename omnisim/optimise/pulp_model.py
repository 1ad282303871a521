"""The linear programme of a plan in PuLP: to read, to extend, and to solve with another solver as a cross-check."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from omnisim.optimise.budget import Solution
from omnisim.optimise.pieces import buy, chords, place_marks, stock_range, touch
from omnisim.optimise.problem import normalise
from omnisim.optimise.programme import first_grid, refine

if TYPE_CHECKING:
    import pulp

CLOSE = 1e-3
"""Distance, relative, of the grid points around the plan."""


def to_pulp(solution: Solution) -> pulp.LpProblem:
    """The programme with the plan's choices fixed, in units of the budget and of what it brings spread evenly.

    Variables are spend_CHANNEL_PERIOD, stock_CHANNEL_PERIOD and the segments of each curve; every limit is a
    constraint with its name. The optimum is the plan's objective (in these units) within the error of the segments.
    """
    import pulp

    problem, units = normalise(solution.problem)
    (n, periods), planned, curves = problem.shape, problem.plan_periods, problem.curves
    whole = solution.whole / units.money
    stock = problem.stocks(whole)
    grid = refine(problem, stock, stock, CLOSE)
    lines = touch(problem, stock, stock_range(problem)[1]) if problem.is_s_shaped else None
    pieces = chords(problem, np.sort(np.concatenate([first_grid(problem), grid], axis=2), axis=2), lines)
    bought = None if problem.doubling is None else buy(problem, place_marks(problem, whole, CLOSE))
    model = pulp.LpProblem("budget", pulp.LpMaximize)
    names = [_word(name) for name in problem.channels]
    spend = [[model.add_variable(f"spend_{names[c]}_{t}", float(curves.floor[c, t]), float(curves.cap[c, t]))
              for t in range(periods)] for c in range(n)]
    served = [[model.add_variable(f"response_{names[c]}_{t}", 0.0) for t in range(periods)] for c in range(n)]
    worth = [(served[c][t], float(problem.worth[c, t])) for c in range(n) for t in range(periods)]
    costs = [(spend[c][t], -float(problem.charge[c, t])) for c in range(n) for t in range(periods)
             if problem.charge[c, t]]
    model += pulp.LpAffineExpression([*worth, *costs]), "objective"
    least = problem.stocks(curves.floor)
    for c in range(n):
        before: pulp.LpVariable | float = float(curves.carry_in[c])
        for t in range(periods):
            stocked = model.add_variable(f"stock_{names[c]}_{t}", 0.0)
            parts = [model.add_variable(f"segment_{names[c]}_{t}_{k}", 0.0, float(width))
                     for k, width in enumerate(pieces.widths[c, t])]
            buys: pulp.LpVariable | pulp.LpAffineExpression = spend[c][t]
            if bought is not None:
                slices = [model.add_variable(f"bought_{names[c]}_{t}_{k}", 0.0, float(width))
                          for k, width in enumerate(bought.widths[c, t])]
                model += spend[c][t] == float(curves.floor[c, t]) + pulp.lpSum(slices), f"spent_{names[c]}_{t}"
                buys = pulp.LpAffineExpression(list(zip(slices, map(float, bought.slopes[c, t]), strict=True)),
                                               float(bought.base[c, t]))
            model += stocked == buys + float(curves.carryover[c]) * before, f"carry_{names[c]}_{t}"
            model += stocked == float(least[c, t]) + pulp.lpSum(parts), f"cut_{names[c]}_{t}"
            rise = pulp.LpAffineExpression(list(zip(parts, map(float, pieces.slopes[c, t]), strict=True)))
            model += served[c][t] <= float(pieces.base[c, t]) + rise, f"curve_{names[c]}_{t}"
            before = stocked
    for limit in problem.limits:
        terms = [(spend[i // planned][i % planned], float(v)) for i, v in zip(limit.cells, limit.spend, strict=True)
                 if v]
        terms += [(served[i // planned][i % planned], float(v))
                  for i, v in zip(limit.reply_cells, limit.reply, strict=True)]
        sense = {"<=": pulp.LpConstraintLE, ">=": pulp.LpConstraintGE, "==": pulp.LpConstraintEQ}[limit.sense]
        model += pulp.LpConstraint(pulp.LpAffineExpression(terms), sense, _word(limit.name), float(limit.value))
    return model


def _word(name: str) -> str:
    """A name that solvers' file formats take."""
    return re.sub(r"\W", "_", name)
