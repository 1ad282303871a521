"""What a daily monitoring table adds: visits per visitor, the factor of a campaign a channel, new users, budgets.

A monthly table says what a usual month is, a daily one what some days were. Days within a campaign differ from the
month by the campaign's factor, which multiplies visits and repurchase; the others are usual days. The
table's cost becomes the budget of every day.
"""

from __future__ import annotations

import datetime
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from omnisim.errors import Fault, UsageError
from omnisim.plan import to_cents
from omnisim.scenario.fields import LONGEST_HORIZON, MOST_FACTOR
from omnisim.scenario.model import Scenario
from omnisim.study.calibration.brand_tables import DailyRecord
from omnisim.study.calibration.targets import Target, find_channel

Dates = tuple[datetime.date, ...]

PROMOTIONS = (("618 pre-sale 618预售", (6, 1), (6, 20)), ("Double 11 双11", (10, 21), (11, 11)))
"""Name, first and last day (month, day) of the promotions that everybody knows."""
FEW = 7
"""A daily table of fewer days than this, all outside of campaigns, is taken for a campaign of its own."""
PRICES = 0.02
"""How far the daily table's order value may be from the monthly one's for its GMV to count."""


@dataclass(frozen=True)
class Period:
    """Days of the daily table that have something in common, and that the same channels have rows of.

    Parameters
    ----------
    name : str  "day" in a campaign (a second campaign "day2"), "usual" outside
    dates : tuple of date
    campaign : int  place among the scenario's campaigns of the one that is fitted, -1 on usual days
    """

    name: str
    dates: Dates
    campaign: int


@dataclass(frozen=True)
class DayTarget:
    """What one channel should come to on a day of a period: means of the table's days.

    Parameters
    ----------
    row : int  place of the channel among the targets
    period : int  place among the periods
    visits : float [visit/day]
    new_users : float [user/day]
    orders : float [order/day]
    gmv : float [currency/day]
    cost : float [currency/day]
    gmv_counts : bool  false where its order value is not the monthly table's
    """

    row: int
    period: int
    visits: float
    new_users: float
    orders: float
    gmv: float
    cost: float
    gmv_counts: bool = True


@dataclass(frozen=True)
class DailyTargets:
    """All that a daily table asks: its periods, and a target for each channel and period that it has rows of."""

    periods: tuple[Period, ...] = ()
    days: tuple[DayTarget, ...] = ()

    @property
    def campaigns(self) -> tuple[int, ...]:
        """The campaigns that it has days of, by their places in the scenario."""
        return tuple(dict.fromkeys(period.campaign for period in self.periods if period.campaign >= 0))

    @property
    def dates(self) -> tuple[Dates, ...]:
        """The days of each period."""
        return tuple(period.dates for period in self.periods)


NOTHING = DailyTargets()
"""No daily table."""


def prepare(scenario: Scenario, daily: Sequence[DailyRecord]) -> Scenario:
    """The scenario with a campaign on the daily table's days, where one is missing, and with its costs as budgets.

    Raises
    ------
    UsageError  for days that the scenario does not report, and channels that it does not have
    """
    dates = sorted({row.date for row in daily})
    _check_dates(scenario, dates)
    if added := _missing(scenario, dates):
        plain = [campaign.model_dump(mode="json") for campaign in scenario.calendar.campaigns]
        scenario = scenario.with_({"calendar.campaigns": plain + added})
    changes: dict[str, object] = {}
    for name, rows in _by_channel(scenario, daily).items():
        channel = scenario.channels[name]
        usual = [row.cost for row in rows if not _campaigns_on(scenario, row.date)] or [row.cost for row in rows]
        rest = statistics.fmean(usual) - channel.content - channel.labour
        changes[f"channels.{name}.budget"] = max(0.0, to_cents(rest) / 100)
    return scenario.with_(changes)


def _check_dates(scenario: Scenario, dates: list[datetime.date]) -> None:
    """Refuse days that the scenario does not report, all of them at once, with the horizon that would."""
    horizon = scenario.horizon
    last = horizon.start + datetime.timedelta(days=horizon.days - 1)
    beyond = [date for date in dates if not horizon.start <= date <= last]
    if not beyond:
        return
    start = min(horizon.start, dates[0])
    days = (dates[-1] - start).days + 1
    cures = [f"horizon.start to {start}"] if start < horizon.start else []
    cures += [f"horizon.days to {days}"] if days > horizon.days else []
    raise UsageError(Fault(
        "--data", "daily monitoring", f"{beyond[0]} to {beyond[-1]}" if len(beyond) > 1 else f"{beyond[0]}",
        f"must be among the reported days, {horizon.start} to {last}",
        f"Set {' and '.join(cures)}." if days <= LONGEST_HORIZON else
        f"Leave days out: a scenario reports {LONGEST_HORIZON:,} at most."))


def _missing(scenario: Scenario, dates: list[datetime.date]) -> list[dict[str, object]]:
    """Campaigns that the table's days ask for and the scenario does not have."""
    bare = [date for date in dates if not _campaigns_on(scenario, date)]
    found: list[dict[str, object]] = []
    for name, first, last in PROMOTIONS:
        for year in sorted({date.year for date in bare}):
            start, end = datetime.date(year, *first), datetime.date(year, *last)
            known = any(one.start <= end and one.end >= start for one in scenario.calendar.campaigns)
            if not known and any(start <= date <= end for date in bare):
                found.append({"name": name, "start": start.isoformat(), "end": end.isoformat(), "factor": 1.0})
                bare = [date for date in bare if not start <= date <= end]
    if bare == dates and len(dates) < FEW:
        found.append({"name": "days of the daily table", "start": bare[0].isoformat(), "end": bare[-1].isoformat(),
                      "factor": 1.0})
    return found


def _campaigns_on(scenario: Scenario, date: datetime.date) -> list[int]:
    return [k for k, campaign in enumerate(scenario.calendar.campaigns) if campaign.start <= date <= campaign.end]


def _by_channel(scenario: Scenario, daily: Iterable[DailyRecord]) -> dict[str, list[DailyRecord]]:
    """The table's rows by the scenario's channel."""
    found: dict[str, list[DailyRecord]] = {}
    faults: dict[str, Fault] = {}
    for row in daily:
        name = find_channel(scenario, row.channel)
        if name:
            found.setdefault(name, []).append(row)
        else:
            faults[row.channel] = Fault("FILE", f"channels.{row.channel}", "not there", "the daily table has this "
                                        "channel", "Add it, or leave its rows out.")
    if faults:
        raise UsageError(*faults.values())
    return found


def match_days(daily: Sequence[DailyRecord], scenario: Scenario, targets: tuple[Target, ...]) -> DailyTargets:
    """The targets of a daily table for a scenario that `prepare` gave.

    Raises
    ------
    UsageError  for a channel that the monthly table does not have
    """
    by_channel = _by_channel(scenario, daily)
    rows = {target.channel: n for n, target in enumerate(targets)}
    if strange := sorted(set(by_channel) - set(rows)):
        raise UsageError(*(Fault("--data", f"daily monitoring, {name}", "not in the channel status table",
                                 "a channel must be in both", "Add its month, or leave its days out.")
                           for name in strange))
    periods: list[Period] = []
    days: list[DayTarget] = []
    for whole in _periods(scenario, sorted({row.date for row in daily})):
        for name, records in by_channel.items():
            here = [record for record in records if record.date in whole.dates]
            if here:
                own = replace(whole, dates=tuple(sorted(record.date for record in here)))
                periods += [own] if own not in periods else []
                days.append(_day_target(rows[name], periods.index(own), here, targets[rows[name]]))
    return DailyTargets(tuple(periods), tuple(days))


def _periods(scenario: Scenario, dates: list[datetime.date]) -> tuple[Period, ...]:
    """The usual days and those of each campaign, whichever channel has rows of them."""
    groups: dict[int, list[datetime.date]] = {}
    for date in dates:
        groups.setdefault(next(iter(_campaigns_on(scenario, date)), -1), []).append(date)
    found: list[Period] = []
    for campaign, days in groups.items():
        n = sum(period.campaign >= 0 for period in found) + 1
        name = "usual" if campaign < 0 else "day" if n == 1 else f"day{n}"
        found.append(Period(name, tuple(days), campaign))
    return tuple(found)


def _day_target(row: int, period: int, records: list[DailyRecord], target: Target) -> DayTarget:
    visits, new_users, orders, gmv, cost = (
        statistics.fmean(getattr(record, name) for record in records)
        for name in ("visits", "new_users", "orders", "gmv", "cost"))
    alike = target.sells and orders > 0 and abs(gmv / orders / target.order_value - 1) <= PRICES
    return DayTarget(row, period, visits, new_users, orders, gmv, cost, alike)


def guess_factors(targets: tuple[Target, ...], asked: DailyTargets) -> dict[tuple[int, int], float]:
    """A first guess of each campaign's factor by (row, period): the day's orders against the month's.

    Notes
    -----
    A channel without orders in either table has the median of the others. A scenario holds no more than MOST_FACTOR:
    see `check_factors`.
    """
    found: dict[tuple[int, int], float] = {}
    for campaign in asked.campaigns:
        days = [day for day in asked.days if asked.periods[day.period].campaign == campaign]
        known = {day.row: day.orders * 30 / targets[day.row].orders for day in days
                 if day.orders > 0 and targets[day.row].sells}
        usual = statistics.median(known.values()) if known else 1.0
        found |= {(day.row, day.period): known.get(day.row, usual) for day in days}
    return found


def set_visits(targets: tuple[Target, ...], asked: DailyTargets) -> tuple[Target, ...]:
    """The targets with visits per visitor from the daily table, its campaign taken out, in the catalogue's place."""
    factors = guess_factors(targets, asked)
    found = list(targets)
    for row in {day.row for day in asked.days}:
        rates = [day.visits * 30 / targets[row].uv / factors.get((row, day.period), 1.0)
                 for day in asked.days if day.row == row and day.visits > 0]
        if rates:
            found[row] = replace(targets[row], visits_per_visitor=statistics.fmean(rates))
    return tuple(found)


def check_prices(targets: tuple[Target, ...], asked: DailyTargets) -> list[Fault]:
    """Order values of the daily table that are not the monthly table's."""
    return [Fault("--data", f"{targets[day.row].channel}.aov", f"{day.gmv / day.orders:.6g} a day",
                  f"is not the channel status table's {targets[day.row].order_value:.6g}: gmv of the day is left aside",
                  "Correct one of the two.")
            for day in asked.days if day.orders > 0 and targets[day.row].sells and not day.gmv_counts]


def check_factors(targets: tuple[Target, ...], asked: DailyTargets) -> list[Fault]:
    """Campaign days with more orders than a campaign's factor can bring."""
    return [Fault("--data", f"{targets[day.row].channel}.orders", f"{day.orders:.6g} a day",
                  f"is {day.orders * 30 / targets[day.row].orders:.4g} times a day of the channel status table, and a "
                  f"campaign's factor is at most {MOST_FACTOR}: they are not reached", "Correct one of the two.")
            for day in asked.days if asked.periods[day.period].campaign >= 0 and targets[day.row].sells
            and day.orders * 30 > MOST_FACTOR * targets[day.row].orders]
