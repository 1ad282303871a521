"""Why no plan keeps all limits: the lines that contradict each other, and the smallest change that would do."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from omnisim.errors import Fault, InfeasibleError
from omnisim.optimise.pieces import chords, envelope
from omnisim.optimise.problem import TOTAL, Ints, Limit, Problem, normalise, row_scale
from omnisim.optimise.programme import assemble
from omnisim.optimise.solver import Solver

SLACK = 1e-7
"""Breach of a normalised limit that counts as one."""
GRID = np.array([0.0, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.2, 0.35, 0.6, 1.0])
"""Grid of stocks, in shares of the most that the budget allows."""


@dataclass(frozen=True)
class Conflict:
    """One line of a contradiction: its limits, and what the smallest change that helps adds to the sum of their values
    (of limits that are not sums of money: the largest breach).
    """

    where: str
    limits: tuple[Limit, ...]
    change: float


def explain(problem: Problem, currency: str) -> InfeasibleError:
    """The error that names every line of the contradiction.

    Parameters
    ----------
    problem : Problem  in the user's units, which no plan satisfies
    currency : str  as "CNY"
    """
    found = find_conflict(problem)
    names = [one.where for one in found]
    faults = []
    alone = sum(one.change != 0.0 for one in found) == 1
    for one in found:
        others = [name for name in names if name != one.where]
        unit = _unit(one.limits, currency)
        fix = "Or relax this one instead."
        if one.change:
            amount = f"{figure(abs(one.change))}{unit}"
            fix = (f"Relax it: at best it is missed by {amount}." if one.limits[0].asked else
                   f"{'Lower' if one.change < 0.0 else 'Raise'} it by {amount}: "
                   + ("the smallest change that helps." if alone else "with the other changes, the least that helps."))
        faults.append(Fault("allocate", one.where, _total(one.limits, unit),
                            f"cannot hold together with {_listed(others)}" if others else "cannot be kept by any plan",
                            fix if one.limits else "Relax it."))
    return InfeasibleError(*faults)


def find_conflict(problem: Problem) -> list[Conflict]:
    """The limits that contradict each other, those with a change first.

    Notes
    -----
    Every limit and bound gets a slack, and the sum of slacks is minimised: the slacks used are a smallest change, and
    the limits with a shadow price in this programme are those that force it (a Farkas certificate).
    """
    relaxed, asked, scales = _relax(problem)
    curves = relaxed.curves
    least, most = (relaxed.stocks(bound) for bound in (curves.floor, curves.cap))
    grid = least[:, :, None] + (most - least)[:, :, None] * GRID
    frame, at = assemble(relaxed, chords(relaxed, grid, envelope(relaxed, least, most)))
    senses = np.array([{"<=": -1, "==": 0, ">=": 1}[limit.sense] for limit in relaxed.limits])
    cost = -np.ones(len(senses))
    up = frame.add_columns(cost, 0.0, np.where(senses >= 0, math.inf, 0.0))
    down = frame.add_columns(cost, 0.0, np.where(senses <= 0, math.inf, 0.0))
    frame.add_entries(at.limits, up, 1.0)
    frame.add_entries(at.limits, down, -1.0)
    answer = Solver().solve(frame.model())
    change = answer.values[down] - answer.values[up]
    price = answer.duals[at.limits]
    groups: dict[str, list[int]] = {}
    for k, limit in enumerate(asked):
        if abs(change[k]) > SLACK or abs(price[k]) > SLACK:
            groups.setdefault(limit.where, []).append(k)
    moved = [float(one) * scale if abs(one) > SLACK else 0.0 for one, scale in zip(change, scales, strict=True)]
    found = [Conflict(where, tuple(asked[k] for k in members),
                      max((moved[k] for k in members), key=abs) if asked[members[0]].asked else
                      math.fsum(moved[k] for k in members)) for where, members in groups.items()]
    if not found:  # the limits agree, but not with the number of core channels
        where = problem.core.where if problem.core else TOTAL
        found = [Conflict(where, (), 0.0)]
    return sorted(found, key=lambda one: (one.change == 0.0, one.where))


def _relax(problem: Problem) -> tuple[Problem, list[Limit], list[float]]:
    """The normalised problem without objective and with bounds as limits; all limits as asked, and their scales."""
    normal, units = normalise(problem)
    planned = problem.plan_periods
    asked, scales = list(problem.limits), [row_scale(limit, units) for limit in problem.limits]
    cells: list[tuple[int, int, str]] = []
    for c in range(problem.shape[0]):
        for t in range(planned):
            if problem.curves.floor[c, t] > 0.0:
                cells.append((c, t, ">="))
            if problem.cap_names[c, t] not in (TOTAL, ""):
                cells.append((c, t, "<="))
    for c, t, sense in cells:
        at_least = sense == ">="
        bound = problem.curves.floor[c, t] if at_least else problem.curves.cap[c, t]
        name = problem.floor_names[c, t] if at_least else problem.cap_names[c, t]
        place: Ints = np.array([c * planned + t])
        asked.append(Limit(f"{problem.channels[c]}, period {t}", name, ">=" if at_least else "<=", float(bound), place,
                           np.ones(1)))
        scales.append(units.money)
    added = tuple(limit._replace(value=limit.value / units.money) for limit in asked[len(problem.limits):])
    limits = (*normal.limits, *added)
    cap = np.full_like(normal.curves.cap, max(2.0, 2.0 * float(normal.curves.floor.sum()),
                                              *(abs(limit.value) for limit in added)))
    cap[:, planned:] = 0.0
    curves = normal.curves._replace(floor=np.zeros_like(cap), cap=cap)
    nothing = np.zeros_like(normal.worth)
    return replace(normal, limits=limits, curves=curves, worth=nothing, charge=nothing), asked, scales


def _listed(names: list[str]) -> str:
    rest = len(names) - 4
    return ", ".join(names[:4]) + (f" and {rest} more" if rest > 0 else "")


def _unit(limits: tuple[Limit, ...], currency: str) -> str:
    unit = limits[0].unit if limits else "value"
    return {"currency": f" {currency}", "value": ""}.get(unit, f" {unit}")


def figure(value: float) -> str:
    """An amount as people write it: 1,810,132.50, 300 and 0.00471."""
    return f"{value:,.2f}".removesuffix(".00") if abs(value) >= 0.01 or value == 0.0 else f"{value:.3g}"


def _total(limits: tuple[Limit, ...], unit: str) -> str:
    """The value asked for; of a bound in several periods their sum."""
    if not limits or limits[0].asked:
        return limits[0].asked if limits else ""
    values = [limit.value for limit in limits]
    return f"{figure(sum(values))}{unit}" + (f" over {len(values)} periods" if len(values) > 1 else "")
