"""Demand in any form a planner has it: a scipy.stats distribution, probabilities by quantity, or scenarios."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from scipy import special

from omnisim.errors import UsageError
from omnisim.supply.classics.inputs import Floats, fault
from omnisim.supply.classics.losses import normal_loss, poisson_pmf

TAIL = 1e-15
"""Probability that is cut off a discrete distribution without an upper end."""
MOST = 10_000_000
"""Largest number of quantities that a discrete distribution may spread over."""

Demand = Any
"""A scipy.stats distribution with its parameters, a mapping of quantities to probabilities, a one-dimensional array or
list of equally likely scenarios, or `Scenarios`."""


class Scenarios(NamedTuple):
    """Quantities that may be asked for, and how likely each is.

    Parameters
    ----------
    values : float (n,) [unit]
    probabilities : float (n,)  summing to 1
    """

    values: Floats
    probabilities: Floats


class _Checked(Scenarios):
    """Scenarios in rising order whose probabilities are known to be sound."""


def settle(demand: Demand) -> Demand:
    """Demand in the form that is quick to ask more than once: checked scenarios, or the distribution itself."""
    found = as_scenarios(demand)
    return demand if found is None else found


def as_scenarios(demand: Demand) -> Scenarios | None:
    """Discrete demand as quantities in rising order with their probabilities; None for a continuous distribution.

    Parameters
    ----------
    demand : see `Demand`

    Raises
    ------
    UsageError  for probabilities below 0 or that do not sum to 1, empty lists, figures that are not finite, or
        anything that is no demand
    """
    if isinstance(demand, _Checked):
        return demand
    if isinstance(demand, Scenarios):
        values, chances = np.asarray(demand.values, np.float64), np.asarray(demand.probabilities, np.float64)
    elif isinstance(demand, Mapping):
        values = np.asarray(list(demand.keys()), np.float64)
        chances = np.asarray(list(demand.values()), np.float64)
    elif isinstance(demand, Sequence | np.ndarray) and not isinstance(demand, str):
        values = np.asarray(demand, np.float64)
        chances = np.full(values.shape, 1 / max(values.size, 1))
    elif _is_discrete(demand):
        values, chances = _spread(demand)
    elif hasattr(demand, "cdf") and (hasattr(demand, "ppf") or hasattr(demand, "icdf")):
        return None
    else:
        raise UsageError(fault("demand", type(demand).__name__, "must be a distribution, probabilities or scenarios",
                               "Use scipy.stats.norm(50, 8), {0: 0.2, 1: 0.8} or a list of quantities."))
    if values.ndim != 1 or values.size == 0 or values.shape != chances.shape or not np.isfinite(values).all():
        raise UsageError(fault("demand", f"shape {values.shape}", "must be finite quantities, one probability each",
                               "Give one or more quantities."))
    if not (chances >= 0).all() or abs(chances.sum() - 1) > 1e-6:
        raise UsageError(fault("demand", f"probabilities summing to {chances.sum():.6g}, least {chances.min():g}",
                               "must be ≥ 0 and sum to 1", "Divide them by their sum."))
    if (np.diff(values) > 0).all():
        return _Checked(values, chances / chances.sum())
    unique, place = np.unique(values, return_inverse=True)
    return _Checked(unique, np.bincount(place, chances, unique.size) / chances.sum())


def _is_discrete(demand: Any) -> bool:
    """Whether a distribution has probabilities of single quantities; those of scipy.stats' new kind all have `pmf`."""
    return hasattr(demand, "pmf") and (not hasattr(demand, "pdf") or "DiscreteDistribution" in {
        kind.__name__ for kind in type(demand).__mro__})


def _spread(demand: Any) -> tuple[Floats, Floats]:
    """Quantities and probabilities of a discrete distribution of scipy.stats."""
    if getattr(getattr(demand, "dist", None), "name", "") == "poisson" and len(demand.args) == 1 and not demand.kwds:
        chances = poisson_pmf(float(demand.args[0]), TAIL)
        return np.arange(chances.size, dtype=np.float64), chances
    low, high = (float(end) for end in demand.support())
    low = low if np.isfinite(low) else float(_inverse(demand, TAIL))
    high = high if np.isfinite(high) else float(demand.isf(TAIL) if hasattr(demand, "isf") else demand.iccdf(TAIL))
    if not high - low <= MOST:
        raise UsageError(fault("demand", f"{low:g} … {high:g} units", f"must spread over at most {MOST:,} quantities",
                               "Use a continuous distribution, or count in larger units."))
    values = np.arange(low, high + 1)
    chances = np.asarray(demand.pmf(values), np.float64)
    return values, chances / chances.sum()


def _inverse(demand: Any, probability: float) -> float:
    return float(demand.ppf(probability) if hasattr(demand, "ppf") else demand.icdf(probability))


def _normal(demand: Any) -> tuple[float, float] | None:
    """Mean and standard deviation, if the distribution is normal."""
    if getattr(getattr(demand, "dist", None), "name", "") == "norm":
        return float(demand.mean()), float(demand.std())
    return None


def quantile(demand: Demand, probability: float) -> float:
    """The least quantity that covers demand with a probability, F⁻¹.

    Parameters
    ----------
    demand : see `Demand`
    probability : float [share]  between 0 and 1
    """
    scenarios = as_scenarios(demand)
    if scenarios is None:
        return _inverse(demand, probability)
    # a sum of probabilities may fall short of what it is meant to reach by rounding
    place = int(np.searchsorted(np.cumsum(scenarios.probabilities), probability - 1e-12))
    return float(scenarios.values[min(place, scenarios.values.size - 1)])


def coverage(demand: Demand, x: float) -> float:
    """The probability that x covers demand, P(D ≤ x)."""
    scenarios = as_scenarios(demand)
    if scenarios is None:
        return float(demand.cdf(x))
    return float(min(1.0, scenarios.probabilities[scenarios.values <= x].sum()))


def mean_of(demand: Demand) -> float:
    """Mean demand [unit]."""
    scenarios = as_scenarios(demand)
    return float(demand.mean()) if scenarios is None else float(scenarios.values @ scenarios.probabilities)


def expected_shortage(demand: Demand, x: float) -> float:
    """Mean demand beyond stock x, E[(D − x)⁺] [unit].

    Parameters
    ----------
    demand : see `Demand`
    x : float [unit]  stock

    Notes
    -----
    A sum for discrete demand, closed for normal demand, else Gauss's rule between quantiles, to about 1e-10.
    """
    scenarios = as_scenarios(demand)
    if scenarios is not None:
        return float(np.maximum(scenarios.values - x, 0.0) @ scenarios.probabilities)
    normal = _normal(demand)
    if normal is not None:
        return float(normal_loss(x, *normal))
    low, high = (float(end) for end in demand.support())
    if x <= low:
        return float(demand.mean()) - x
    if x >= high:
        return 0.0
    if np.isfinite(low):  # E[(D − x)⁺] = E[D] − x + E[(x − D)⁺]
        return max(float(demand.mean()) - x + _area(demand, low, x, above=False), 0.0)
    return _area(demand, x, high, above=True)


CUTS = special.expit(np.array([-34.0, -27, -21, -16, -12, -9, -6.5, -4.5, -3, -1.5, 0, 1.5, 3, 4.5, 6.5, 9, 12, 16, 21,
                               27, 34]))
"""Probabilities at whose quantiles an integral is cut, so that each piece is smooth."""
NODES, WEIGHTS = (np.asarray(part, np.float64) for part in special.roots_legendre(40))


def _area(demand: Any, start: float, end: float, *, above: bool) -> float:
    """∫ P(D > y) dy if above, else ∫ P(D ≤ y) dy, from start to end, by Gauss's rule between quantiles."""
    inverse = demand.ppf if hasattr(demand, "ppf") else demand.icdf
    cuts = np.asarray(inverse(CUTS), np.float64)
    ends = np.unique(np.concatenate([[start], cuts[(cuts > start) & (cuts < end)], [end] if np.isfinite(end) else []]))
    half = np.diff(ends)[:, None] / 2
    points, lengths = (ends[:-1, None] + half * (NODES + 1)).ravel(), (half * WEIGHTS).ravel()
    if not np.isfinite(end):  # the rest of the tail, as s from 0 to 1 with y = last + spread s / (1 − s)
        spread = float(cuts[13] - cuts[7])
        s = (NODES + 1) / 2
        points = np.append(points, ends[-1] + spread * s / (1 - s))
        lengths = np.append(lengths, WEIGHTS / 2 * spread / (1 - s) ** 2)
    if above:
        chances = demand.sf(points) if hasattr(demand, "sf") else demand.ccdf(points)
    else:
        chances = demand.cdf(points)
    return float(np.asarray(chances, np.float64) @ lengths)


def whole_units(demand: Demand) -> Scenarios:
    """Demand in whole units, 0 or above: a continuous distribution is rounded, P(d) = F(d + ½) − F(d − ½).

    Parameters
    ----------
    demand : see `Demand`; discrete demand must be whole and not below 0 as it is

    Returns
    -------
    Scenarios  of 0, 1, 2, … units; what a continuous distribution has below ½ counts as 0

    Raises
    ------
    UsageError  for discrete demand that is no whole number of units
    """
    found = as_scenarios(demand)
    if found is None:
        high = float(demand.ppf(1 - TAIL) if hasattr(demand, "ppf") else demand.icdf(1 - TAIL))
        if not 0 <= high <= MOST:
            raise UsageError(fault("demand", f"up to {high:g} units", f"must lie between 0 and {MOST:,} units",
                                   "Count in larger units, or choose a lighter tail."))
        values = np.arange(np.ceil(high) + 1)
        return Scenarios(values, np.diff(np.asarray(demand.cdf(values + 0.5), np.float64), prepend=0.0))
    if found.values[0] < 0 or (found.values != np.floor(found.values)).any():
        bad = found.values[(found.values < 0) | (found.values != np.floor(found.values))][0]
        raise UsageError(fault("demand", f"{bad:g} units", "must be whole units, 0 or above",
                               "Round it, or count in smaller units."))
    if found.values[-1] > MOST:
        raise UsageError(fault("demand", f"up to {found.values[-1]:g} units", f"must be at most {MOST:,} units",
                               "Count in larger units."))
    chances = np.zeros(int(found.values[-1]) + 1)
    chances[found.values.astype(np.int64)] = found.probabilities
    return Scenarios(np.arange(chances.size, dtype=np.float64), chances)


def over_periods(demand: Demand, periods: float) -> Demand:
    """Demand of several periods together, each drawn by itself.

    Parameters
    ----------
    demand : of one period: normal, gamma or Poisson of scipy.stats, or any in whole units
    periods : float [period]  whole for demand that is neither normal, gamma nor Poisson

    Raises
    ------
    UsageError  for a continuous demand whose sums have no closed form, or a part of a period where it has none
    """
    if periods == 0:
        return Scenarios(np.zeros(1), np.ones(1))
    name = getattr(getattr(demand, "dist", None), "name", "")
    if name in ("norm", "gamma", "poisson"):
        from scipy import stats

        mean, variance = float(demand.mean()), float(demand.var())
        if name == "poisson" and float(demand.support()[0]) == 0:
            return stats.poisson(mean * periods)
        if name == "norm":
            return stats.norm(mean * periods, np.sqrt(variance * periods))
        if name == "gamma" and float(demand.support()[0]) == 0:
            return stats.gamma(mean**2 / variance * periods, scale=variance / mean)
    if as_scenarios(demand) is None:
        raise UsageError(fault("demand", type(demand).__name__, "must be normal, gamma, Poisson or in whole units",
                               "Round it with whole_units, or fit one of them."))
    if periods != int(periods):
        raise UsageError(fault("periods", periods, "must be whole for this demand", "Count in shorter periods."))
    one = whole_units(demand).probabilities
    total = np.ones(1)
    for _ in range(int(periods)):
        total = np.convolve(total, one)
    return Scenarios(np.arange(total.size, dtype=np.float64), total)


def over_lead_times(demand: Demand, lead_times: Mapping[int, float]) -> Scenarios:
    """Demand during a lead time that is random itself, in whole units.

    Parameters
    ----------
    demand : of one period, in whole units
    lead_times : mapping of whole periods to probabilities

    Raises
    ------
    UsageError  for lead times below 0 or not whole, or probabilities that do not sum to 1
    """
    times = whole_units(lead_times)
    one = whole_units(demand).probabilities
    length = (one.size - 1) * (times.values.size - 1) + 1
    found, total = np.zeros(length), np.ones(1)
    for chance in times.probabilities:
        found[:total.size] += chance * total
        total = np.convolve(total, one)
    return Scenarios(np.arange(length, dtype=np.float64), found)
