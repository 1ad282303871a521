"""Cohorts: who bought first when, and who came back."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import COHORT
from omnisim.measure.intervals import Z95
from omnisim.measure.profit import to_currency
from omnisim.measure.windows import month_name, month_of, run_window

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.books import Books
    from omnisim.scenario.model import Scenario

YEAR = 365


def cohorts(scenario: Scenario, books: Books) -> pd.DataFrame:
    """The cohort triangle: customers by month of first order and what they ordered in each month since.

    Notes
    -----
    Months of the reported days are shown, for all customers, those of before them included; ``complete`` tells
    whether all days of the month were reported.
    """
    import pandas as pd

    place, age, complete = _cells(scenario, books)
    counts = dict(zip(COHORT, books.cohorts[place, age].T, strict=True))
    return pd.DataFrame({
        "cohort": pd.array([month_name(books.cohort_first + int(k)) for k in place], dtype="str"),
        "age": age,
        "buyers": books.buyers[place],
        "active": counts["active"],
        "orders": counts["orders"],
        "gmv": to_currency(counts["gmv"]),
        "complete": complete,
    })


def _cells(scenario: Scenario, books: Books) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """Row, age and completeness of the cells that lie in reported months."""
    window = run_window(books)
    months, days = np.unique(month_of(scenario, window.first, window.stop), return_counts=True)
    if not len(months):
        empty = np.zeros(0, np.int64)
        return empty, empty, empty.astype(bool)
    first = (months - 1970 * 12).astype("datetime64[M]")
    whole = days == ((first + 1).astype("datetime64[D]") - first.astype("datetime64[D]")).astype(np.int64)
    rows, ages = books.cohorts.shape[:2]
    place, age = (grid.reshape(-1) for grid in np.meshgrid(np.arange(rows), np.arange(ages), indexing="ij"))
    step = books.cohort_first + place + age - months[0]
    inside = (step >= 0) & (step < len(months))
    return place[inside], age[inside], whole[step[inside]]


def observed(table: pd.DataFrame) -> pd.DataFrame:
    """Rows of the `cohorts` table that tell what customers do: of whole months, and with customers."""
    return table[table["complete"] & (table["buyers"] > 0)]


class Estimate(NamedTuple):
    """A figure with its interval; null where there is none."""

    value: float
    low: float
    high: float


def repeat_rate(second: NDArray[np.int64], window: tuple[int, int], *, within: int = YEAR, scale: int = 1) -> Estimate:
    """Share of new customers who order again within a time, under the conditions of some days.

    Parameters
    ----------
    second : int64 (s, 3)  day of the first order, days to the second or -1, count
    window : (int, int) [day]  the days that count, the last excluded
    within : int [day]  time allowed for the second order
    scale : int  people that one count in each stands for

    Returns
    -------
    Estimate  1 − S(within) and its 95 % Greenwood interval; null where nobody was observed for that long

    Notes
    -----
    Kaplan–Meier with delayed entry: a customer is at risk on the days of the window from the first order until the
    second, so customers of before the window count from its first day. Greenwood: Var S = S² Σ d / (n (n − d)).
    """
    first, gap, count = second.T
    begin, stop = window
    entry = np.maximum(begin - first, 0)
    seen = stop - 1 - first
    again = (gap >= 0) & (gap <= seen)
    leave = np.where(again, gap, seen)
    # those who ordered again, or came, outside of the window were never at risk in it
    counted = leave >= entry
    entry, leave, again, count = entry[counted], leave[counted], again[counted], count[counted]
    events = _by_age(leave[again], count[again], within)
    at_risk = np.cumsum(_by_age(entry, count, within)) - np.cumsum(_by_age(leave, count, within))
    at_risk += _by_age(leave, count, within)  # those who leave at an age are still at risk at it
    if (at_risk == 0).any():
        return Estimate(np.nan, np.nan, np.nan)
    survival = float(np.prod(1 - events / at_risk))
    left = at_risk > events
    variance = scale * float(np.sum(events[left] / (at_risk[left] * (at_risk[left] - events[left]))))
    half = Z95 * survival * variance**0.5
    rate = 1 - survival
    return Estimate(rate, max(0.0, rate - half), min(1.0, rate + half))


def private_repeat_rate(lines: NDArray[np.void], channel: int, days: int, *, within: int) -> tuple[int, int]:
    """How many customers of one channel order again, anywhere, within a time: of the group's buyers, who comes back.

    Parameters
    ----------
    lines : ORDER_DTYPE (n,)  order lines of the reported days, or of a sample of consumers
    channel : int  place in the scenario's channels
    days : int [day]  reported
    within : int [day]  time allowed after the first order on the channel; who ordered too late to see it is left out

    Returns
    -------
    (who ordered again, who could have): consumers among the lines
    """
    lines = np.sort(lines, order=["consumer", "order_id", "day"])
    lines = lines[np.diff(lines["order_id"], prepend=-1) != 0]  # an order of several lines is one
    here = np.flatnonzero(lines["channel"] == channel)
    consumers, place = np.unique(lines["consumer"][here], return_index=True)
    first = here[place]
    due = lines["day"][first] + within
    after = np.minimum(first + 1, len(lines) - 1)
    again = (after > first) & (lines["consumer"][after] == consumers) & (lines["day"][after] <= due)
    seen = due < days
    return int((again & seen).sum()), int(seen.sum())


def _by_age(age: NDArray[np.int64], count: NDArray[np.int64], within: int) -> NDArray[np.float64]:
    """Sum of counts at each age from 0 to ``within``."""
    near = age <= within
    return np.bincount(age[near], weights=count[near], minlength=within + 1).astype(np.float64)


def value_12_months(table: pd.DataFrame) -> float:
    """Mean spend of a customer in the month of the first order and the eleven after it [currency/customer].

    Parameters
    ----------
    table : DataFrame  the `cohorts` table

    Notes
    -----
    Σ over ages 0 … 11 of gmv / buyers, both summed over the cohorts whose month of that age is complete: each age
    uses every cohort that was observed at it. Null if an age was never observed.
    """
    known = observed(table)
    sums = known[known["age"] < 12].groupby("age")[["gmv", "buyers"]].sum()
    sums = sums[sums["buyers"] > 0]
    if len(sums) < 12:
        return float("nan")
    return float((sums["gmv"] / sums["buyers"]).sum())
