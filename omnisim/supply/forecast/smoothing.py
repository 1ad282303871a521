"""Seasonal exponential smoothing of many series at once, each with its own weights."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import inner, kernel

Floats = NDArray[np.float64]

LEVELS = np.array([0.01, 0.03, 0.06, 0.1, 0.18, 0.3, 0.5, 0.75, 0.95])
SEASONS = np.array([0.0, 0.01, 0.03, 0.08, 0.2, 0.4])
"""Weights of level and season that are tried first, in all pairs."""


class Smoothed(NamedTuple):
    """What smoothing has learned of each series.

    Parameters
    ----------
    weights : float (n, 2)  of the level and of the season (α, γ)
    level : float (n,) [unit/period]  after the last period (l)
    season : float (n, m) [unit/period]  deviations of the next m periods, from the first on (s)
    spread : float (n,) [unit/period]  root mean square of one-step errors (σ)
    quantiles : float (n, 2)  of one-step errors / σ, at the ends of the interval
    """

    weights: Floats
    level: Floats
    season: Floats
    spread: Floats
    quantiles: Floats


@inner
def begin(series: Floats, season: Floats) -> float:
    """Level and seasonal deviations of the first four seasons, or of as many as there are; returns the level."""
    m = season.size
    length = min(4 * m, series.size)
    total, count = 0.0, 0
    for t in range(length):
        if not np.isnan(series[t]):
            total += series[t]
            count += 1
    level = total / max(count, 1)
    for p in range(m):
        deviation, seen = 0.0, 0
        for t in range(p, length, m):
            if not np.isnan(series[t]):
                deviation += series[t] - level
                seen += 1
        season[p] = deviation / max(seen, 1) if m > 1 else 0.0
    return level


@inner
def race(series: Floats, start: float, first: Floats, weights: Floats, level: Floats, season: Floats,
         total: Floats) -> int:
    """Smooth one series with many pairs of weights side by side; returns the pair of least squared error.

    ŷ = l + s[t mod m]; e = y − ŷ; l += α e; s[t mod m] += γ e. A missing period changes nothing. The first season
    does not count as an error: it was looked at to begin. Side by side, as each pair's steps wait for each other and
    different pairs do not.

    Parameters
    ----------
    weights : float64 (2, k)  α and γ of each pair
    level, season, total : work space (k,), (m, k), (k,)
    """
    m, k = season.shape
    for pair in range(k):
        level[pair] = start
        total[pair] = 0.0
        for p in range(m):
            season[p, pair] = first[p]
    p = 0
    for t in range(series.size):
        y = series[t]
        if y == y:
            counts = 1.0 if t >= m else 0.0
            for pair in range(k):
                error = y - level[pair] - season[p, pair]
                level[pair] += weights[0, pair] * error
                season[p, pair] += weights[1, pair] * error
                total[pair] += counts * error * error
        p = p + 1 if p + 1 < m else 0
    best = 0
    for pair in range(1, k):
        if total[pair] < total[best]:
            best = pair
    return best


@inner
def walk(series: Floats, start: float, season: Floats, weights: tuple[float, float], errors: Floats) -> float:
    """Smooth one series with one pair of weights, changing `season` and filling `errors`; returns the last level."""
    level, p = start, 0
    for t in range(series.size):
        error = series[t] - level - season[p]
        errors[t] = error
        if error == error:
            level += weights[0] * error
            season[p] += weights[1] * error
        p = p + 1 if p + 1 < season.size else 0
    return level


@inner
def around(alpha: float, gamma: float, factor: float, seasonal: bool, pairs: Floats) -> None:
    """A grid of 5 × 5 pairs of weights about one, each side two steps of `factor`; weights never sum above 1."""
    for a in range(5):
        for g in range(5):
            tried = min(max(alpha, 1e-3) * factor ** (a - 2), 1.0)
            pairs[0, 5 * a + g] = tried
            pairs[1, 5 * a + g] = min(max(gamma, 1e-3) * factor ** (g - 2), 1.0 - tried) if seasonal else 0.0
    pairs[0, 24], pairs[1, 24] = alpha, gamma  # what was best so far stays in the race


@kernel
def smooth(history: Floats, period: int, grid: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Fit each series: the best of a grid of weights, refined twice about the best.

    Parameters
    ----------
    history : float64 (n, T) [unit/period]  nan where unknown
    period : int  length of a season (m), 1 for none
    grid : float64 (2, k)  pairs of weights that are tried first

    Returns
    -------
    weights (n, 2), level (n,), season (n, m) from the next period on, and errors (n, T)
    """
    n, periods = history.shape
    weights, level, season = np.empty((n, 2)), np.empty(n), np.empty((n, period))
    errors, first, near = np.empty((n, periods)), np.empty(period), np.empty((2, 25))
    lanes, totals = np.empty(grid.shape[1] + 25), np.empty(grid.shape[1] + 25)
    wide, narrow = np.empty((period, grid.shape[1])), np.empty((period, 25))
    for i in range(n):
        start = begin(history[i], first)
        best = race(history[i], start, first, grid, lanes, wide, totals)
        alpha, gamma = grid[0, best], grid[1, best]
        for factor in (1.25, 1.08):
            around(alpha, gamma, factor, period > 1, near)
            best = race(history[i], start, first, near, lanes, narrow, totals)
            alpha, gamma = near[0, best], near[1, best]
        weights[i, 0], weights[i, 1] = alpha, gamma
        level[i] = walk(history[i], start, first, (alpha, gamma), errors[i])
        for p in range(period):
            season[i, p] = first[(periods + p) % period]
    return weights, level, season, errors


def smooth_many(history: Floats, *, season: int, coverage: float) -> Smoothed:
    """Fit additive level and season, ETS(A, N, A), to each row.

    Parameters
    ----------
    history : float (n, T) [unit/period]  nan where unknown
    season : int [period]  (m)
    coverage : float [share]  of the interval whose ends `quantiles` are
    """
    seasons = SEASONS if season > 1 else SEASONS[:1]
    grid = np.array([[a, g] for a in LEVELS for g in seasons if a + g <= 1]).T
    weights, level, later, errors = smooth(np.ascontiguousarray(history, np.float64), int(season),
                                           np.ascontiguousarray(grid))
    counted = errors[:, season:] if errors.shape[1] > season else errors
    known = np.isfinite(counted).sum(1)
    spread = np.sqrt(np.nansum(counted**2, axis=1) / np.maximum(known - 2, 1))
    tail = (1 - coverage) / 2
    ordered = np.sort(counted, axis=1)  # nan comes last
    quantiles = np.stack([_at(ordered, np.maximum(known - 1, 0) * share) for share in (tail, 1 - tail)], axis=1)
    scaled = np.divide(quantiles, spread[:, None], out=np.zeros_like(quantiles), where=spread[:, None] > 0)
    return Smoothed(weights, level, later, spread, np.nan_to_num(scaled))


def _at(ordered: Floats, place: Floats) -> Floats:
    """Each row at a place between two of its columns."""
    low = place.astype(np.int64)
    high = np.minimum(low + 1, ordered.shape[1] - 1)
    rows = np.arange(ordered.shape[0])
    part = place - low
    step = np.where(part > 0, ordered[rows, high] - ordered[rows, low], 0.0)
    return np.asarray(ordered[rows, low] + part * step, np.float64)


def weights_ahead(smoothed: Smoothed, horizon: int) -> Floats:
    """How much an error of one period moves each later one, c_j = α + γ 1{j mod m = 0}, (n, horizon − 1)."""
    m = smoothed.season.shape[1]
    j = np.arange(1, horizon)
    return np.asarray(smoothed.weights[:, :1] + smoothed.weights[:, 1:] * ((j % m == 0) & (m > 1)), np.float64)
