"""Forecasts of demand by article and period, with intervals, from history and what is known of the future."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omnisim.supply.classics.inputs import accept, fault, share, whole
from omnisim.supply.forecast.drivers import Driver, lifts, stack
from omnisim.supply.forecast.intermittent import croston
from omnisim.supply.forecast.smoothing import Smoothed, smooth_many, weights_ahead

Floats = NDArray[np.float64]
SPARSE = 1.32
"""Mean periods from sale to sale above which demand is intermittent (Syntetos, Boylan & Croston 2005)."""


class Forecast(NamedTuple):
    """What is expected of each series in each period to come.

    Parameters
    ----------
    mean, low, high : float (n, H) [unit/period]  expected demand, and the interval
    spread : float (n, H) [unit/period]  standard deviation of the error
    is_sparse : bool (n,)  whether Croston's corrected method was used
    effects : float (n, k)  of the drivers, given or learned: demand is multiplied by 1 + effect × value
    carried : float (n, H − 1)  how much an error of one period moves each later one
    """

    mean: Floats
    low: Floats
    high: Floats
    spread: Floats
    is_sparse: NDArray[np.bool_]
    effects: Floats
    carried: Floats


class LeadTimeDemand(NamedTuple):
    """Demand of the next periods together.

    Parameters
    ----------
    mean, sd : float (n,) [unit]
    """

    mean: Floats
    sd: Floats


def forecast_demand(history: ArrayLike, *, horizon: int, season: int = 7, drivers: Sequence[Driver] = (),
                    coverage: float = 0.9, method: Literal["auto", "smoothing", "croston"] = "auto") -> Forecast:
    """Forecast many series at once, each by smoothing or, if it sells seldom, by Croston's corrected method.

    Parameters
    ----------
    history : (n, T) or (T,) [unit/period]  demand, not sales: nan where it is unknown, as on days without stock
    horizon : int [period]  to forecast (H)
    season : int [period]  length of the season, 7 for the week in daily figures, 1 for none (m)
    drivers : of past and future, T + H values each; their lift is taken out before smoothing and put back after
    coverage : float [share]  of outcomes that the interval is to hold
    method : "smoothing" or "croston" for all series, or "auto" by how often each sells

    Returns
    -------
    Forecast
        Smoothing is ETS(A, N, A): ŷ = l + s, l += α e, s += γ e, with α and γ of each series the best by squared
        one-step error. Errors h periods ahead have variance σ² (1 + Σ_{j<h} c_j²), c_j = α + γ 1{j mod m = 0}; the
        interval's shape is that of past one-step errors.

    Raises
    ------
    UsageError  for figures below 0, a history shorter than two seasons, or drivers of another length

    Notes
    -----
    Hyndman, Koehler, Ord & Snyder (2008), chapters 5 and 6. No trend: over the weeks that stock is planned for, one
    costs more than it brings. Yearly events are drivers, not a season. Low is 0 or above.
    """
    where = "forecast_demand"
    seen = np.atleast_2d(np.asarray(history, np.float64))
    accept(where, whole("horizon", horizon, 1), whole("season", season, 1), share("coverage", coverage),
           None if method in ("auto", "smoothing", "croston") else
           fault("method", method, "must be 'auto', 'smoothing' or 'croston'", "Choose one."))
    n, past = seen.shape
    least = float(np.nanmin(seen)) if np.isfinite(seen).any() else -1.0
    accept(where, None if past >= 2 * season and past > 1 else
           fault("history", f"{past} periods", f"must have two seasons or more ({max(2 * season, 2)})",
                 "Give more, or a shorter season."),
           None if least >= 0 and not np.isinf(seen).any() else
           fault("history", f"{least:g}" if least >= 0 else "negative or no figures",
                 "must be ≥ 0, or nan where unknown", "Give demand, not stock movements."))
    blank = np.flatnonzero(~np.isfinite(seen).any(1))
    accept(where, None if not blank.size else
           fault(f"history[{blank[0]}]", "nan throughout", "must have a known figure", "Leave the series out."))
    values = stack(where, drivers, n, past + horizon) if drivers else np.zeros((0, 1, past + horizon))
    factors, effects = lifts(seen, drivers, values, season)
    calm = seen / factors[:, :past]
    sparse = np.full(n, method == "croston") if method != "auto" else _is_sparse(seen)
    mean, spread, carried = np.empty((n, horizon)), np.empty((n, horizon)), np.zeros((n, horizon - 1))
    low, high = np.empty((n, horizon)), np.empty((n, horizon))
    if (~sparse).any():
        fit = smooth_many(calm[~sparse], season=season, coverage=coverage)
        mean[~sparse], spread[~sparse], carried[~sparse] = _ahead(fit, horizon)
        low[~sparse] = mean[~sparse] + fit.quantiles[:, :1] * spread[~sparse]
        high[~sparse] = mean[~sparse] + fit.quantiles[:, 1:] * spread[~sparse]
    if sparse.any():
        rare = croston(calm[sparse], coverage=coverage)
        mean[sparse] = rare.rate[:, None]
        spread[sparse] = np.nanstd(calm[sparse], axis=1)[:, None]
        low[sparse], high[sparse] = rare.quantiles[:, :1], rare.quantiles[:, 1:]
    lift = factors[:, past:]
    mean, low, high = (np.maximum(part * lift, 0.0) for part in (mean, low, high))
    return Forecast(mean, low, high, spread * lift, sparse, effects, carried)


def _is_sparse(history: Floats) -> NDArray[np.bool_]:
    sold = (history > 0).sum(1)
    known = np.isfinite(history).sum(1)
    return np.asarray(known > SPARSE * np.maximum(sold, 1), np.bool_)


def _ahead(fit: Smoothed, horizon: int) -> tuple[Floats, Floats, Floats]:
    m = fit.season.shape[1]
    mean = fit.level[:, None] + fit.season[:, np.arange(horizon) % m]
    carried = weights_ahead(fit, horizon)
    grown = np.concatenate([np.ones((fit.level.size, 1)), 1 + np.cumsum(carried**2, axis=1)], axis=1)
    return mean, fit.spread[:, None] * np.sqrt(grown), carried


def demand_over(forecast: Forecast, periods: int) -> LeadTimeDemand:
    """Mean and standard deviation of the demand of the next periods together, for safety stock.

    Parameters
    ----------
    forecast : Forecast
    periods : int [period]  lead time and review period, within the horizon (L)

    Returns
    -------
    LeadTimeDemand
        sd² = Σ_{j ≤ L} σ_j² (1 + Σ_{i ≤ L − j} c_i)², σ_j the one-step error under the lift of period j: an error made
        early moves all that follow.

    Raises
    ------
    UsageError  for more periods than the horizon has

    Notes
    -----
    Hyndman, Koehler, Ord & Snyder (2008), section 6.4.
    """
    horizon = forecast.mean.shape[1]
    accept("demand_over", whole("periods", periods, 1) or (None if periods <= horizon else fault(
        "periods", periods, f"must lie within the horizon ({horizon})", "Forecast further ahead.")))
    grown = np.concatenate([np.ones((forecast.mean.shape[0], 1)), 1 + np.cumsum(forecast.carried**2, axis=1)], axis=1)
    step = forecast.spread[:, :periods] / np.sqrt(grown[:, :periods])
    reach = np.concatenate([np.ones((step.shape[0], 1)), 1 + np.cumsum(forecast.carried[:, :periods - 1], axis=1)],
                           axis=1)[:, ::-1]
    return LeadTimeDemand(forecast.mean[:, :periods].sum(1), np.sqrt((step**2 * reach**2).sum(1)))
