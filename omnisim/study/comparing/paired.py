"""Figures of several arms on shared luck: means, paired differences, and what many comparisons at once allow to say.

All take values (arms, replications): column k is one luck, which all arms had.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
CONFIDENCE = 0.95
RESAMPLES = 4_000
"""Bootstrap samples behind the probability of being best."""


def quantile(freedom: int, comparisons: int = 1) -> float:
    """Student's t beyond which none of several comparisons falls with 95 % probability, at least.

    Notes
    -----
    Šidák (1967): the chance that all of m intervals hold is at least the product of theirs, whatever their
    correlation, so each gets 0.95^(1/m). Exact for m = 1, and for independent comparisons.
    """
    from scipy.stats import t

    return float(t.ppf(0.5 + 0.5 * CONFIDENCE ** (1.0 / max(1, comparisons)), freedom))


def mean_interval(values: Floats, comparisons: int = 1) -> tuple[Floats, Floats, Floats]:
    """Mean, low and high over the last axis; the interval is null with one replication."""
    size = values.shape[-1]
    mean = values.mean(axis=-1)
    if size < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = quantile(size - 1, comparisons) * values.std(axis=-1, ddof=1) / math.sqrt(size)
    return mean, mean - half, mean + half


def p_values(differences: Floats) -> Floats:
    """Two-sided p of the paired t test over the last axis; 1 where nothing differs, null with one replication."""
    from scipy.stats import t

    size = differences.shape[-1]
    if size < 2:
        return np.full(differences.shape[:-1], np.nan)
    error = differences.std(axis=-1, ddof=1) / math.sqrt(size)
    mean = differences.mean(axis=-1)
    ratio = np.divide(np.abs(mean), error, out=np.where(mean == 0.0, 0.0, np.inf), where=error > 0.0)
    return np.asarray(2.0 * t.sf(ratio, size - 1))


def holm(p: Floats) -> Floats:
    """p values corrected for many comparisons by Holm (1979): the chance of any false find stays below the level.

    p_(k) → max over j ≤ k of min(1, (m − j) p_(j)), j from 0 in ascending order; null stays null and does not count.
    """
    found = np.full(p.shape, np.nan)
    known = np.flatnonzero(np.isfinite(p))
    order = known[np.argsort(p[known], kind="stable")]
    found[order] = np.maximum.accumulate(np.minimum(1.0, p[order] * np.arange(order.size, 0, -1)))
    return found


def probability_best(values: Floats) -> Floats:
    """Chance of each arm to have the highest mean, (arms,): its share of bootstrap samples of replications.

    Arms that tie share what falls to them. Null with one replication, as luck cannot be told from merit, and for an arm
    whose figure is null.
    """
    arms, size = values.shape
    chance, known = np.full(arms, np.nan), np.isfinite(values).all(axis=1)
    if size < 2 or not known.any():
        return chance
    values = values[known]
    draw = np.random.Generator(np.random.Philox(key=size))
    weights = draw.multinomial(size, np.full(size, 1.0 / size), RESAMPLES)
    level = values - values.mean()  # a common level would only cost digits
    means = weights @ level.T
    near = means >= means.max(axis=1, keepdims=True) - 1e-9 * np.abs(level).max()
    chance[known] = (near / near.sum(axis=1, keepdims=True)).mean(axis=0)
    return chance


def replications_needed(differences: Floats, half_width: float, comparisons: int) -> int:
    """Replications after which no interval of a difference is wider than ± half_width.

    Parameters
    ----------
    differences : (arms, pilot)  of a pilot of at least two replications
    half_width : float > 0  in units of the figure

    Notes
    -----
    Stein (1945): n = max(pilot, ⌈(t s / h)²⌉) with t of the pilot's degrees of freedom, for the arm that varies most.
    """
    pilot = int(differences.shape[1])
    spread = float(differences.std(axis=1, ddof=1).max()) if differences.size else 0.0
    ratio = quantile(pilot - 1, comparisons) * spread / half_width
    return max(pilot, math.ceil(ratio * ratio))
