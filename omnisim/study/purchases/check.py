"""A process of repeat orders held against days that it was not fitted to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from omnisim.measure.intervals import Z95
from omnisim.scenario.model import Scenario
from omnisim.study.purchases.fit import ProcessFit, Totals, fit_process, histories, predict_totals
from omnisim.study.purchases.forecast import forecast
from omnisim.study.purchases.models import Floats, Process, log_likelihood
from omnisim.study.purchases.transaction_log import Ints, TransactionLog


@dataclass(frozen=True)
class Assessment:
    """A process fitted before the cut, and what it said about later days.

    Parameters
    ----------
    fit : ProcessFit  before the cut
    score : float  log predictive density of the two splits before the cut
    missed : tuple of float  relative error of the orders predicted at each of these splits
    totals : Totals  predicted for the holdout
    holdout_score : float  log predictive density of the holdout
    customer_error : float [order/customer]  root mean square error of the single customers' orders in the holdout
    """

    fit: ProcessFit
    score: float
    missed: tuple[float, ...]
    totals: Totals
    holdout_score: float
    customer_error: float

    @property
    def name(self) -> str:
        """Name of the process."""
        return self.fit.process.name

    def interval(self, mean: float, sd: float) -> tuple[float, float]:
        """95 % around a prediction: luck, parameters, and the error made on the splits before the cut."""
        half = Z95 * float(np.hypot(sd, mean * np.sqrt(np.mean(np.square(self.missed)))))
        return max(0.0, mean - half), mean + half


def assess(process: Process, log: TransactionLog, cuts: list[int], clock: Floats, later: Ints,
           tick: Callable[[], None]) -> Assessment:
    """Fit a process at each cut, score what came next, and predict what comes after the last.

    Parameters
    ----------
    cuts : list of int [day]  days up to which it is fitted; the last is where the holdout begins
    later : int64 (customers,)  orders of each customer known at the last cut, after it
    tick : callable  told when a fit is done
    """
    score, missed = 0.0, []
    begin: list[Floats] | None = None
    for now, then in pairwise(cuts):
        h, _, who = histories(log, now, clock)
        fit = fit_process(process, h, begin)
        next_h, _, _ = histories(log, then, clock, since=now)
        score += log_likelihood(process, next_h, fit.values)[0] - fit.log_likelihood
        mean = float(h.count @ forecast(process, fit.values, h, float(clock[then] - clock[now])).mean)
        inside = (log.day > now) & (log.day <= then)
        actual = int(np.bincount(log.customer[inside], minlength=len(log.customers))[who].sum())
        missed.append(mean / max(actual, 1) - 1)
        begin = [fit.values]
        tick()
    h, row, _ = histories(log, cuts[-1], clock)
    fit = fit_process(process, h, begin)
    tick()
    ahead = float(clock[-1] - clock[cuts[-1]])
    each = forecast(process, fit.values, h, ahead).mean[row]
    ended, _, _ = histories(log, log.last_day, clock, since=cuts[-1])
    return Assessment(fit, score, tuple(missed), predict_totals(fit, h, ahead),
                      log_likelihood(process, ended, fit.values)[0] - fit.log_likelihood,
                      float(np.sqrt(np.mean((each - later) ** 2))))


def business_days(log: TransactionLog, scenario: Scenario | None, ahead: int = 0) -> Floats:
    """Days passed by the evening of each day of the log and `ahead` days after it, weighted by the calendar.

    Notes
    -----
    The weight of a day is the mean of the channels' weights (weekday · month · campaigns) by repeat weight: in
    time counted so, customers with a common calendar order at constant rates.
    """
    days = np.arange(log.last_day + 1 + ahead, dtype=float)
    if scenario is None:
        return days
    from omnisim.market.rules import active_channels
    from omnisim.season import Season

    names = active_channels(scenario)
    parts = np.array([scenario.channels[name].repeat_weight * scenario.channels[name].checkout for name in names])
    if not parts.sum() > 0:
        return days
    season, shift = Season(scenario, names), (log.start - scenario.horizon.start).days
    weights = np.array([season.weight(day + shift) @ parts for day in range(days.size)]) / parts.sum()
    return np.asarray(np.cumsum(np.maximum(weights, 1e-9)) - weights[0])
