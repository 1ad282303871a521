"""What the brand's tables ask of a simulation, and what a simulation answers.

A month is 30 days. The answer is read from the last 90 days of the warm-up, as the table `channels` reads its window
`baseline`: orders and money are daily means × 30, unique visitors the mean of three 30-day blocks. The days of a daily
table follow the warm-up.
"""

from __future__ import annotations

import datetime
import difflib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MEASURE
from omnisim.errors import Fault, UsageError
from omnisim.measure.profit import SPENT
from omnisim.measure.windows import BASELINE, BLOCK
from omnisim.plan import Plan
from omnisim.scenario import catalogue
from omnisim.scenario.model import Scenario
from omnisim.scenario.warn import CALIBRATION
from omnisim.simulation import Run, World, open_world
from omnisim.study.calibration.brand_tables import ChannelStatus

Floats = NDArray[np.float64]
MONTHS = BASELINE // BLOCK
COUNTED = ("unique_visitors", "visits", "orders", "gmv", "new_customers")
"""First figures of what `observe` returns, a month: people, visits, orders, currency, first orders."""
UV, VISITS, ORDERS, GMV, FIRST = range(len(COUNTED))
DAILY = ("visits", "new_users", "orders", "gmv", "cost")
"""Figures of a day, which follow those of the month, period after period."""
MEDLEY = 28
"""Days before the start of the daily table that each serve once as its first day: whole weeks."""
SHORT = 14
"""Days from the start to a daily table's last up to which its days are lived several times."""
VISITS_PER_VISITOR = 4.0
"""Where the catalogue has no figure for a channel."""


@dataclass(frozen=True)
class Target:
    """What one channel should come to in a month.

    Parameters
    ----------
    channel : str  name in the scenario
    uv : float [visitor/month]
    orders : float [order/month]  0 where nothing is sold
    order_value : float [currency/order]
    gmv : float [currency/month]
    visits_per_visitor : float [visit/visitor/month]  from the catalogue: a channel status table does not hold it
    gmv_counts : bool  false where the table's GMV contradicts its other figures and is left aside
    """

    channel: str
    uv: float
    orders: float
    order_value: float
    gmv: float
    visits_per_visitor: float
    gmv_counts: bool = True

    @property
    def sells(self) -> bool:
        """Whether the table has orders on the channel."""
        return self.orders > 0


def set_target(status: ChannelStatus, channel: str) -> Target:
    """The target that a row of the table sets.

    Notes
    -----
    Visitors and conversion are taken as written. Where gmv and monthly_uv · cvr · aov differ by no more than 2 % (they
    were rounded), order value and GMV meet half-way; where they differ by more, GMV is left aside.
    """
    from omnisim.study.calibration.brand_tables import TOLERANCE

    orders = status.monthly_uv * status.cvr
    implied = orders * status.aov
    rounded = orders > 0 and abs(status.gmv - implied) <= TOLERANCE * max(status.gmv, implied)
    order_value = status.aov * float(np.sqrt(status.gmv / implied)) if rounded else status.aov
    return Target(channel, status.monthly_uv, orders, order_value, status.gmv if rounded else implied,
                  figure(status.channel, "visits_per_uv", VISITS_PER_VISITOR), rounded or not orders)


def figure(preset: str | None, name: str, otherwise: float) -> float:
    """A figure of the catalogue that no scenario holds."""
    try:
        return catalogue.parameter(preset or catalogue.BRAND, name).default
    except KeyError:
        return otherwise


def find_channel(scenario: Scenario, name: str) -> str:
    """The active channel of this name, or else the only one of this preset; empty if there is none."""
    active = {key: channel for key, channel in scenario.channels.items() if channel.active}
    alike = [key for key, channel in active.items() if channel.preset == name]
    return name if name in active else alike[0] if len(alike) == 1 else ""


def match(status: Iterable[ChannelStatus], scenario: Scenario) -> tuple[Target, ...]:
    """The targets of a table for the channels of a scenario, by name or else by preset.

    Raises
    ------
    UsageError  with every row that the scenario has no channel for, or one that cannot sell (or not sell) as it says
    """
    targets, faults = [], []
    active = {name: channel for name, channel in scenario.channels.items() if channel.active}
    for row in status:
        name = find_channel(scenario, row.channel)
        place = f"channels.{name or row.channel}"
        if not name:
            close = difflib.get_close_matches(row.channel, active, n=1)
            alike = sum(channel.preset == row.channel for channel in active.values())
            faults.append(Fault("FILE", place, f"{alike} channels", "the table has this channel: the scenario "
                                "must have exactly one active channel of that name or preset",
                                f"Rename {close[0]}, or add the channel." if close else "Add the channel."))
            continue
        target = set_target(row, name)
        if target.sells != active[name].checkout:
            faults.append(Fault("FILE", f"{place}.checkout", str(active[name].checkout).lower(), "the table "
                                f"{'has' if target.sells else 'has no'} orders here",
                                f"Set it to {str(target.sells).lower()}, or correct the table."))
        targets.append(target)
    if scenario.horizon.warm_up < CALIBRATION:
        faults.append(Fault("FILE", "horizon.warm_up", f"{scenario.horizon.warm_up} days",
                            f"must be at least {CALIBRATION} to calibrate: traffic needs it to settle",
                            f"Set {CALIBRATION}."))
    if faults:
        raise UsageError(*faults)
    return tuple(targets)


@dataclass(frozen=True)
class Task:
    """A scenario to be warmed up with the luck of one replication, and the days after it that are looked at.

    Parameters
    ----------
    scenario : Scenario
    replication : int
    periods : tuple of tuples of date  days of a daily table, from the first reported day on
    """

    scenario: Scenario
    replication: int
    periods: tuple[tuple[datetime.date, ...], ...] = ()


def observe(tasks: Iterable[Task], seed: int, threads: int) -> Floats:
    """What each task gives: (tasks, channels in alphabetical order, COUNTED and then DAILY for each period).

    Returns
    -------
    A month of the baseline, and for each period the mean of its days

    Notes
    -----
    Each warm-up runs on one thread and several run side by side: that takes less time than sharing one among threads.
    One day of orders says little: where the periods span two weeks or less, they are lived several times, up to 28:
    evenings before the start serve in turn as the one before the first day, on a copy of the world whose calendar is
    moved.
    """
    def look(task: Task) -> Floats:
        scenario = task.scenario
        world = open_world(scenario, seed, task.replication, orders="none")
        run = Run(world, Plan(), None, None)
        starts = _starts(task)
        days = []
        for first in starts:
            run.advance(first)
            days.append(_live(world.clone() if first < 0 else world, first, task.periods))
        if not starts or starts[-1] < 0:
            run.advance(0)
        return np.hstack([_month(world, scenario.horizon.warm_up), *([np.mean(days, axis=0)] if days else [])])

    with ThreadPoolExecutor(threads) as pool:
        return np.array(list(pool.map(look, tasks)))


def _starts(task: Task) -> range:
    """The days on which the periods begin, once or several times; the first reported day is 0."""
    if not task.periods:
        return range(0)
    span = _length(task.scenario, task.periods)
    return range(-MEDLEY, 0, span) if span <= SHORT else range(0, 1)


def _length(scenario: Scenario, periods: tuple[tuple[datetime.date, ...], ...]) -> int:
    """Days from the first reported one to the last of the periods."""
    return (max(map(max, periods)) - scenario.horizon.start).days + 1


def _month(world: World, warm_up: int) -> Floats:
    window = world.ledger.daily[warm_up - BASELINE:warm_up].sum(axis=0)
    counts = window[:, [MEASURE[name] for name in COUNTED]] / MONTHS
    counts[:, GMV] /= 100
    return np.asarray(counts, float)


def _live(world: World, first: int, periods: tuple[tuple[datetime.date, ...], ...]) -> Floats:
    """The means of the periods, lived from the day `first`, which becomes the start of the reported days."""
    scenario, start = world.scenario, world.scenario.horizon.start
    if first:
        world.scenario = scenario.with_({"horizon.start": start - datetime.timedelta(days=first)})
    Run(world, Plan(), None, None).advance(first + _length(scenario, periods))
    found = []
    for dates in periods:
        rows = [scenario.horizon.warm_up + first + (date - start).days for date in dates]
        found.append(figures_of_day(world.ledger.daily[rows].mean(axis=0)))
    return np.hstack(found)


def column(period: int, name: str) -> int:
    """Where a day's figure stands among those that `observe` returns."""
    return len(COUNTED) + period * len(DAILY) + DAILY.index(name)


def figures_of_day(tally: Floats) -> Floats:
    """DAILY of one day by channel, money in currency."""
    spent = -tally[:, [MEASURE[name] for name in SPENT]].sum(axis=1)
    return np.stack([tally[:, MEASURE["visits"]], tally[:, MEASURE["new_users"]], tally[:, MEASURE["orders"]],
                     tally[:, MEASURE["gmv"]] / 100, spent / 100], axis=1)
