"""How good a forecast was, on periods that it had not seen."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from omnisim.supply.classics.inputs import accept, fault
from omnisim.supply.forecast.plan import Forecast


class Accuracy(NamedTuple):
    """Errors over all series and periods of a hold-out.

    Parameters
    ----------
    wape : float [share]  Σ |forecast − actual| / Σ actual
    bias : float [share]  Σ (forecast − actual) / Σ actual: above 0 too high
    coverage : float [share]  of actual figures inside the interval
    """

    wape: float
    bias: float
    coverage: float


def measure_accuracy(forecast: Forecast, actual: ArrayLike) -> Accuracy:
    """Compare a forecast with what came.

    Parameters
    ----------
    forecast : Forecast
    actual : (n, H) [unit/period]  nan where unknown: left out

    Raises
    ------
    UsageError  for another shape, or nothing sold at all
    """
    came = np.asarray(actual, np.float64)
    accept("measure_accuracy", None if came.shape == forecast.mean.shape else
           fault("actual", f"shape {came.shape}", f"must be {forecast.mean.shape}", "Cut it to the horizon."))
    seen = np.isfinite(came)
    total = float(came[seen].sum())
    accept("measure_accuracy", None if total > 0 else
           fault("actual", "0 in all", "must be > 0 somewhere", "Shares of nothing mean nothing."))
    error = forecast.mean[seen] - came[seen]
    inside = (forecast.low[seen] <= came[seen]) & (came[seen] <= forecast.high[seen])
    return Accuracy(float(np.abs(error).sum()) / total, float(error.sum()) / total, float(inside.mean()))
