"""A back-test: fit on the first days of a daily table, predict the rest, and see how far off and how often inside."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.measure.intervals import student
from omnisim.scenario.model import Scenario
from omnisim.simulation import finish, warm_up
from omnisim.study.calibration.brand_tables import BrandTables
from omnisim.study.calibration.calibrate import DAY_MEASURES, fit
from omnisim.study.calibration.fit import Fit
from omnisim.study.calibration.targets import DAILY, Floats, figures_of_day, find_channel

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
HELD_OUT = 30
"""Days at the end of the table that the fit does not see."""
MONTH = 30
"""Days of the channel status table, which tells of a channel that the daily one does not have before."""
RUNS = 16
"""Replications of the prediction."""
FIRST_RUN = 8_000
"""First replication of the prediction: luck that the fit does not use."""


class Prediction(NamedTuple):
    """One channel's figure over the days held out.

    Parameters
    ----------
    actual : float  sum over the table's days
    predicted, low, high : float  simulated sum, and its 95 % prediction interval
    days_inside : float  share of single days within theirs
    """

    channel: str
    measure: str
    unit: str
    actual: float
    predicted: float
    low: float
    high: float
    days_inside: float


@dataclass(frozen=True)
class Backtest:
    """What a fit on the first days would have said of the others.

    Parameters
    ----------
    rows : tuple of Prediction
    fit : Fit  on the days before
    first : date  first day held out
    days : int  how many there are
    """

    rows: tuple[Prediction, ...]
    fit: Fit
    first: datetime.date
    days: int

    @property
    def table(self) -> pd.DataFrame:
        """A row a channel and figure: actual, predicted, low, high, error_percent, inside, days_inside."""
        import pandas as pd

        frame = pd.DataFrame(self.rows, columns=list(Prediction._fields))
        frame["error_percent"] = (100 * (frame["predicted"] / frame["actual"] - 1)).round(2)
        frame["inside"] = (frame["low"] <= frame["actual"]) & (frame["actual"] <= frame["high"])
        return frame

    @property
    def error(self) -> float:
        """Median absolute error of the sums, relative."""
        return float(np.median([abs(row.predicted / row.actual - 1) for row in self.rows]))

    @property
    def coverage(self) -> float:
        """Share of the sums within their 95 % interval."""
        return float(np.mean([row.low <= row.actual <= row.high for row in self.rows]))

    @property
    def days_coverage(self) -> float:
        """Share of single days within their 95 % interval."""
        return float(np.mean([row.days_inside for row in self.rows]))

    def __str__(self) -> str:
        return (f"{self.days} days from {self.first}: median error {self.error:.1%}, {self.coverage:.0%} of sums and "
                f"{self.days_coverage:.0%} of days within 95 % intervals\n{self.table.to_string(index=False)}")


def backtest(brand: BrandTables, *, scenario: Scenario | None = None, held_out: int = HELD_OUT, seed: int = 1,
             threads: int = 1, progress: Progress | None = None) -> Backtest:
    """Fit on all but the last days of a daily table, simulate those, and compare.

    Parameters
    ----------
    brand : BrandTables  a channel status table and a daily table of some months
    scenario : Scenario  where the fit starts from, and whose campaigns hold for the days held out as well
    held_out : int [day]  at the end of the daily table

    Raises
    ------
    UsageError  for a daily table that leaves fewer than as many days to fit as are held out

    Notes
    -----
    95 % prediction intervals of a sum over n days: mean ± t · s · √(1 + 1 / R + n / N), with s the standard deviation
    of the sum over R runs and N the channel's days that were fitted: the fit rests on
    one draw of those, as the table is one.
    """
    dates = sorted({row.date for row in brand.daily})
    if not 1 <= held_out <= len(dates) // 2:
        raise UsageError(Fault("backtest", "held_out", f"{held_out} of {len(dates)} days", "must leave at least as "
                               "many days to fit", "Give more days, or hold out fewer."))
    before, after = dates[:-held_out], dates[-held_out:]
    early = replace(brand, daily=tuple(row for row in brand.daily if row.date < after[0]))
    fitted = fit(early, scenario=scenario, elasticity=0.0, seed=seed, threads=threads, progress=progress)
    names = sorted(name for name, channel in fitted.scenario.channels.items() if channel.active)
    shown = simulated_days(fitted.scenario, after, seed=seed, threads=threads)
    rows = []
    for name in names:
        actual = {row.date: row for row in brand.daily if find_channel(fitted.scenario, row.channel) == name}
        days = [n for n, date in enumerate(after) if date in actual]
        known = sum(date in actual for date in before) or MONTH
        for k, measure in enumerate(DAILY):
            seen = np.array([getattr(actual[after[n]], measure) for n in days], float)
            if measure != "cost" and seen.sum() > 0:
                unit = DAY_MEASURES[measure].partition("/")[0].replace("currency", fitted.scenario.currency)
                rows.append(Prediction(name, measure, unit, *_judge(seen, shown[:, days, names.index(name), k], known)))
    return Backtest(tuple(rows), fitted, after[0], len(after))


def simulated_days(scenario: Scenario, dates: list[datetime.date], *, seed: int, threads: int) -> Floats:
    """DAILY of some reported days: (runs, days, channels in alphabetical order, figures)."""
    start = scenario.horizon.start
    subject = scenario.with_({"horizon.days": (dates[-1] - start).days + 1})
    order = np.argsort([name for name, channel in subject.channels.items() if channel.active])

    def live(replication: int) -> Floats:
        books = finish(warm_up(subject, seed, replication, threads=1, orders="none"), threads=1)
        active = [k for k, channel in enumerate(subject.channels.values()) if channel.active]
        rows = [books.warm_up + (date - start).days for date in dates]
        return np.array([figures_of_day(books.daily[row][active][order]) for row in rows])

    with ThreadPoolExecutor(threads) as pool:
        return np.array(list(pool.map(live, range(FIRST_RUN, FIRST_RUN + RUNS))))


def _judge(actual: Floats, shown: Floats, fitted_days: int) -> tuple[float, float, float, float, float]:
    """Actual and predicted sum, its interval, and the share of days within theirs."""
    runs, days = shown.shape
    t = student(runs - 1)
    sums = shown.sum(axis=1)
    half = t * sums.std(ddof=1) * np.sqrt(1 + 1 / runs + days / fitted_days)
    spread = np.sqrt(shown.var(axis=0, ddof=1).mean())
    near = np.abs(actual - shown.mean(axis=0)) <= t * spread * np.sqrt(1 + 1 / runs + 1 / fitted_days)
    return float(actual.sum()), float(sums.mean()), float(sums.mean() - half), float(sums.mean() + half), float(
        near.mean())
