"""How good a forecast was, on periods that it had not seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from omnisim.supply.classics.inputs import accept, fault, whole
from omnisim.supply.forecast.drivers import Driver
from omnisim.supply.forecast.plan import Forecast, forecast_demand


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


def hold_out(history: ArrayLike, *, horizon: int, folds: int = 1, season: int = 7, drivers: Sequence[Driver] = (),
             coverage: float = 0.9) -> list[Accuracy]:
    """Forecast the last periods of a history as if they were still to come, and compare.

    Parameters
    ----------
    history : (n, T) or (T,) [unit/period]
    horizon : int [period]  held out each time (H)
    folds : int  how many times, each time ending `horizon` periods earlier
    season, coverage : as in `forecast_demand`
    drivers : values for the T periods of the history, or more; those of the periods held out count as known

    Returns
    -------
    list of Accuracy  the latest first

    Raises
    ------
    UsageError  as `forecast_demand`, and if less than two seasons are left to learn from
    """
    seen = np.atleast_2d(np.asarray(history, np.float64))
    accept("hold_out", whole("horizon", horizon, 1), whole("folds", folds, 1))
    found = []
    for fold in range(folds):
        end = seen.shape[1] - fold * horizon
        cut = [driver._replace(values=np.asarray(driver.values, np.float64)[..., :end]) for driver in drivers]
        forecast = forecast_demand(seen[:, :max(end - horizon, 0)], horizon=horizon, season=season, drivers=cut,
                                   coverage=coverage)
        found.append(measure_accuracy(forecast, seen[:, end - horizon:end]))
    return found
