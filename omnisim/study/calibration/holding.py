"""Holding the tables' figures where they are while one value of a scenario is moved."""

from __future__ import annotations

import numpy as np

from omnisim.study.calibration.fitting import Problem, Search, solve
from omnisim.study.calibration.targets import Floats

FIRM = 4.0
"""How many tolerances of a figure count as staying where it is."""


def residual_at(search: Search, problem: Problem, values: Floats) -> Floats:
    """How far the figures are from what is wanted, on the search's luck and the small population."""
    return problem.residual(search.months(values, small=True, problem=problem).mean(axis=0), values)


def hold_figures(search: Search, problem: Problem, start: tuple[Floats, Floats], wanted: Floats,
                 steps: int) -> tuple[Floats, Floats]:
    """Unknowns with which a moved problem keeps its figures, and the slopes that led there.

    Parameters
    ----------
    start : unknowns and slopes to step from; where these slopes no longer serve, they are measured anew
    wanted : residual of the figures before the move, see `residual_at`
    steps : int  at most so many
    """
    values, slope = start
    tolerance = FIRM * np.array([want.tolerance for want in problem.wants])
    for step in range(steps):
        off = residual_at(search, problem, values) - wanted
        if (np.abs(off) < tolerance).all():
            break
        if step == 2:
            slope = search.slopes(values, problem=problem)
        values = solve(problem, slope, values, off)
    return values, slope
