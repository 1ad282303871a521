"""Croston's method and its correction, for articles that sell in some periods only."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import inner, kernel
from omnisim.supply.classics.inputs import accept, share

Floats = NDArray[np.float64]
RATES = np.array([0.02, 0.05, 0.1, 0.15, 0.2, 0.3])


class Intermittent(NamedTuple):
    """What Croston's method has learned of each series.

    Parameters
    ----------
    weight : float (n,)  of the newest sale (α)
    size : float (n,) [unit]  smoothed size of a sale (z)
    interval : float (n,) [period]  smoothed time from sale to sale (p)
    rate : float (n,) [unit/period]  (1 − α / 2) z / p, or z / p uncorrected
    quantiles : float (n, 2) [unit]  of a period's demand, at the ends of the interval
    """

    weight: Floats
    size: Floats
    interval: Floats
    rate: Floats
    quantiles: Floats


@inner
def pass_once(series: Floats, weight: float, corrected: bool, result: Floats) -> float:
    """Croston's recursions over one series; fills (size, interval), returns the mean squared one-step error."""
    size, interval, since, sold = 0.0, 1.0, 1.0, False
    total, count = 0.0, 0
    shrink = 1.0 - weight / 2.0 if corrected else 1.0
    for t in range(series.size):
        y = series[t]
        if y != y:
            continue
        if sold:
            error = y - shrink * size / interval
            total += error * error
            count += 1
        if y > 0.0:
            if sold:
                size += weight * (y - size)
                interval += weight * (since - interval)
            else:
                size, interval, sold = y, since, True
            since = 1.0
        else:
            since += 1.0
    result[0], result[1] = size, interval
    return total / max(count, 1)


@kernel
def fit_sales(history: Floats, rates: Floats, corrected: bool) -> Floats:
    """Fit each series: columns weight, size and interval, the weight of least squared one-step error."""
    n = history.shape[0]
    found, result = np.zeros((n, 3)), np.empty(2)
    for i in range(n):
        best, chosen = np.inf, rates[0]
        for weight in rates:
            total = pass_once(history[i], weight, corrected, result)
            if total < best:
                best, chosen = total, weight
        pass_once(history[i], chosen, corrected, result)
        found[i, 0], found[i, 1], found[i, 2] = chosen, result[0], result[1]
    return found


def croston(history: Floats, *, coverage: float = 0.9, corrected: bool = True,
            weight: float | None = None) -> Intermittent:
    """Croston's method for each row.

    Parameters
    ----------
    history : float (n, T) [unit/period]  nan where unknown
    coverage : float [share]  of the interval whose ends `quantiles` are
    corrected : bool  by Syntetos & Boylan's factor (SBA), as Croston's own rate is too high by about α / 2
    weight : float [share]  of the newest sale (α); None for the best of six for each series, by squared one-step error

    Returns
    -------
    Intermittent

    Raises
    ------
    UsageError  for a coverage or weight that is no share

    Notes
    -----
    Croston (1972), Operational Research Quarterly 23(3); Syntetos & Boylan (2005), International Journal of Forecasting
    21(2).
    """
    accept("croston", share("coverage", coverage), share("weight", weight) if weight is not None else None)
    seen = np.ascontiguousarray(history, np.float64)
    weights, size, interval = fit_sales(seen, RATES if weight is None else np.array([float(weight)]), corrected).T
    rate = (1 - weights / 2 if corrected else 1.0) * size / interval
    tail = (1 - coverage) / 2
    quantiles = np.stack([_quantile(seen, interval, share_) for share_ in (tail, 1 - tail)], axis=1)
    return Intermittent(weights, size, interval, rate, quantiles)


def _quantile(history: Floats, interval: Floats, probability: float) -> Floats:
    """Of a period's demand that is 0 with probability 1 − 1 / p, else a size as in the past."""
    sales = np.sort(np.where(history > 0, history, np.nan), axis=1)  # nan comes last
    count = np.isfinite(sales).sum(1)
    inside = (probability - (1 - 1 / interval)) * interval
    place = np.clip(np.ceil(inside * count).astype(np.int64) - 1, 0, np.maximum(count - 1, 0))
    return np.where((inside > 0) & (count > 0), sales[np.arange(count.size), place], 0.0)
