"""Intervals: how far a figure may be from what many such runs would give."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

T19 = 2.093024054408263
"""97.5 % quantile of Student's t with 19 degrees of freedom, for 20 groups."""
Z95 = 1.959963984540054
"""97.5 % quantile of the normal distribution."""
NAN = float("nan")


class Interval(NamedTuple):
    """A figure, its 95 % interval and how that was found; null where there is none."""

    value: float
    low: float
    high: float
    method: str


def without(value: float) -> Interval:
    """A figure whose interval one run cannot tell."""
    return Interval(value, NAN, NAN, "none (one run)")


def leave_one_out(total: NDArray[np.int64], groups: NDArray[np.int64]) -> NDArray[np.float64]:
    """Totals as they would be with one group of consumers replaced by the average of the others.

    Parameters
    ----------
    total : int64 (…)  totals of the run
    groups : int64 (groups, …)  the part of each group; what belongs to no group stays as it is

    Returns
    -------
    float64 (groups, …)  rest + (Σ − T_g) · G / (G − 1), rest = total − Σ
    """
    size = len(groups)
    inside = groups.sum(axis=0)
    return np.asarray((total - inside) + (inside - groups) * (size / (size - 1)), np.float64)


def jackknife(value: float, left_out: Sequence[float]) -> Interval:
    """The interval of a figure from its values with one group left out.

    Notes
    -----
    Var = (G − 1) / G · Σ (θ_(g) − mean)², with Student's t of G − 1 degrees of freedom; for a sum or mean this is the
    classical variance of G independent groups (Efron & Stein 1981). The figure itself is not corrected.
    """
    values = np.asarray(left_out, float)
    size = len(values)
    if not (np.isfinite(value) and np.isfinite(values).all()):
        return Interval(value, NAN, NAN, "none (no data)")
    spread = float(((values - values.mean()) ** 2).sum())
    if spread <= (1e-12 * abs(value)) ** 2:
        return without(value)
    half = student(size - 1) * ((size - 1) / size * spread) ** 0.5
    return Interval(value, value - half, value + half, f"jackknife ({size} consumer groups)")


def over_groups(measure: Callable[[Any], float], whole: Any, parts: Sequence[Any]) -> Interval:
    """The jackknife of any function of totals."""
    return jackknife(measure(whole), [measure(part) for part in parts])


def over_seeds(values: Sequence[float]) -> Interval:
    """Mean of replications and its Student interval; null if one of them is."""
    size = len(values)
    mean = float(np.mean(values))
    half = student(size - 1) * float(np.std(values, ddof=1)) / size**0.5
    return Interval(mean, mean - half, mean + half, f"seeds ({size} replications)")


def wilson(count: float, size: float, scale: int = 1) -> Interval:
    """A share of people and its Wilson interval; each simulated consumer, standing for ``scale``, counts once."""
    if size == 0:
        return Interval(NAN, NAN, NAN, "none (no data)")
    share, n = count / size, size / scale
    middle = (share + Z95**2 / (2 * n)) / (1 + Z95**2 / n)
    half = Z95 / (1 + Z95**2 / n) * (share * (1 - share) / n + Z95**2 / (4 * n**2)) ** 0.5
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), "wilson")


def student(freedom: float) -> float:
    """97.5 % quantile of Student's t."""
    if freedom == 19:
        return T19
    from scipy.stats import t

    return float(t.ppf(0.975, freedom))
