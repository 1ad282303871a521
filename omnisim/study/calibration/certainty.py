"""How well the tables fix each fitted value: an interval, and whether they fix it at all.

Near the fit the distances r from the wanted figures are linear, r(u) = ε + J (u - u*), where ε is what the table's own
month and the simulated ones owe to luck. The fit minimises Σ (r/τ)² + Σ ((u - u⁰)/σ)², so that

    û - u* = -H⁻¹ Jᵀ T ε + H⁻¹ P (u⁰ - u*),   H = Jᵀ T J + P,  T = diag τ⁻²,  P = diag σ⁻²,

and with V the covariance of ε, and u⁰ - u* as wide as was believed, its mean square is H⁻¹ Jᵀ T V T J H⁻¹ + H⁻¹ P H⁻¹:
the luck that went into the value, and what the tables leave to the start. What they alone would leave of the belief is
(Jᵀ D⁻¹ J + P)⁻¹ with D the diagonal of V, as if each figure had luck of its own, and without those that the catalogue
gave.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student

from omnisim.measure.intervals import Z95
from omnisim.scenario import catalogue
from omnisim.study.calibration.fitting import LEVEL, Problem, Search, Unknown, tidy
from omnisim.study.calibration.targets import Floats

UNLISTED = 0.35
"""Standard deviation (in logs) of visits per visitor where the catalogue has no range: 95 % within half and double."""
LEARNT = 0.5
"""A value counts as fixed if the tables leave at most this share of the standard deviation that was believed before,"""
KNOWN = 0.35
"""and this standard deviation in logs (log-odds): 95 % lie within half and double."""
ASSUMED = "visits_per_visitor"
"""The want that the catalogue gives and no table."""


class Belief(NamedTuple):
    """A fitted value: path in the scenario, value, 95 % interval, whether the tables fix it, and why not.

    ``believed`` and ``left`` are its standard deviations in logs (log-odds) before the fit and given the tables alone.
    """

    parameter: str
    value: float
    low: float
    high: float
    identified: bool
    why: str
    believed: float
    left: float


def judge_values(search: Search, values: Floats) -> tuple[Belief, ...]:
    """An interval and a verdict for each unknown of a search that has run on the full population.

    Notes
    -----
    The luck of one run is measured by the runs of the search, each against the mean of its batch. The table is taken
    for a mean of three months, as the simulated one is; figures of single days have at least a count's variance.
    """
    problem = search.problem
    luck, freedom, runs = _luck_of_runs(search)
    table = _luck_of_table(problem, luck)
    noise = table + luck / runs
    spread = np.array([unknown.spread for unknown in problem.unknowns])
    slope, weight = search.slope, np.array([want.tolerance for want in problem.wants]) ** -2.0
    curvature = slope.T @ (weight[:, None] * slope) + np.diag(spread**-2.0)
    gain = np.linalg.solve(curvature, slope.T * weight)
    by_luck = np.einsum("kw,wv,kv->k", gain, noise, gain)
    by_start = np.einsum("kl,l,kl->k", np.linalg.inv(curvature), spread**-2.0, np.linalg.inv(curvature))
    half = np.sqrt(student.ppf(0.975, freedom) ** 2 * by_luck + Z95**2 * by_start)
    left = tables_alone(problem, slope, noise)
    return tuple(_belief(problem, unknown, *found) for unknown, *found in zip(
        problem.unknowns, values.tolist(), half.tolist(), left.tolist(), strict=True))


def tables_alone(problem: Problem, slope: Floats, noise: Floats) -> Floats:
    """Standard deviation of each unknown given the tables, without the catalogue: (unknowns,).

    Of ``noise`` the variances alone count.
    """
    told = np.array([want.name != ASSUMED for want in problem.wants])
    weight = told / np.maximum(np.diag(noise), 1e-8)
    spread = np.array([unknown.spread for unknown in problem.unknowns])
    return np.asarray(np.sqrt(np.diag(np.linalg.inv(slope.T @ (weight[:, None] * slope) + np.diag(spread**-2.0)))))


def _luck_of_runs(search: Search) -> tuple[Floats, int, int]:
    """Covariance of the distances of one run, the degrees of freedom that it was found with, and how many runs were."""
    runs = np.concatenate(search.deviations)
    freedom = len(runs) - len(search.deviations)
    return np.asarray(runs.T @ runs / freedom), freedom, len(runs)


def error_of_catalogue(problem: Problem, row: int) -> float:
    """Standard deviation, in logs, of a target's visits per visitor: the catalogue's range is taken for 95 %."""
    preset = problem.scenario.channels[problem.targets[row].channel].preset
    try:
        entry = catalogue.parameter(preset or catalogue.BRAND, "visits_per_uv")
    except KeyError:
        return UNLISTED
    return math.log(entry.high / entry.low) / (2 * Z95)


def _luck_of_table(problem: Problem, luck: Floats) -> Floats:
    """Covariance of the table's own figures: real people, so less than that of consumers who stand for several."""
    scale = problem.scenario.population.scale
    own = np.array([want.name not in (ASSUMED, "new_customers") for want in problem.wants])
    found = np.asarray(luck * np.outer(own, own) / scale)
    for k, want in enumerate(problem.wants):
        if want.name == ASSUMED:
            found[k, k] = error_of_catalogue(problem, want.channel) ** 2
        elif want.period >= 0:
            days = len(problem.asked.periods[want.period].dates)
            found[k, k] = max(found[k, k], 1 / max(np.exp(want.value) * days, 1.0))
    return found


def _belief(problem: Problem, unknown: Unknown, value: float, half: float, left: float) -> Belief:
    at_end = min(value - unknown.low, unknown.high - value) < 1e-3
    if at_end:
        why = "went as far as it may: the figures ask for more"
    elif left > LEARNT * unknown.spread:
        why = "rests on where the fit started: other figures of the tables fit as well with other values"
    elif left > KNOWN:
        why = "is told by the tables only to within more than half and double"
    else:
        why = ""
    path, change = _place(problem, unknown)
    low, middle, high = (tidy(change(end)) for end in (value - half, value, value + half))
    return Belief(path, middle, low, high, not why, why, unknown.spread, left)


def _place(problem: Problem, unknown: Unknown) -> tuple[str, Callable[[float], float]]:
    """Path of an unknown in the scenario, and its value there by its place on the line of the search."""
    place = f"channels.{unknown.channel}."
    if unknown.name == "new_customers":
        return "brand.new_customers", math.exp
    if unknown.name == "intercept":
        return place + "intercept", float
    if unknown.name == "factor":
        campaign = problem.asked.periods[unknown.period].campaign
        return f"calendar.campaigns.{campaign}.factor.{unknown.channel}", math.exp
    if unknown.name == "level":
        channel = problem.scenario.channels[unknown.channel]
        name = next((name for name in LEVEL if getattr(channel, name) > 0), LEVEL[0])
        return place + name, lambda value: float(getattr(channel, name)) * math.exp(value)
    return place + unknown.name, math.exp
