"""What the brand's table asks of a simulation, and what a simulation answers.

A month is 30 days. The answer is read from the last 90 days of the warm-up, as the table `channels` reads its window
`baseline`: orders and money are daily means × 30, unique visitors the mean of three 30-day blocks.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MEASURE
from omnisim.errors import Fault, UsageError
from omnisim.measure.windows import BASELINE, BLOCK
from omnisim.scenario import catalogue
from omnisim.scenario.model import Scenario
from omnisim.scenario.warn import CALIBRATION
from omnisim.simulation import warm_up
from omnisim.study.brand_tables import ChannelStatus

Floats = NDArray[np.float64]
MONTHS = BASELINE // BLOCK
COUNTED = ("unique_visitors", "visits", "orders", "gmv", "new_customers")
"""Last axis of what `observe` returns, a month: people, visits, orders, currency, first orders."""
UV, VISITS, ORDERS, GMV, FIRST = range(len(COUNTED))
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
    from omnisim.study.brand_tables import TOLERANCE

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


def match(status: Iterable[ChannelStatus], scenario: Scenario) -> tuple[Target, ...]:
    """The targets of a table for the channels of a scenario, by name or else by preset.

    Raises
    ------
    UsageError  with every row that the scenario has no channel for, or one that cannot sell (or not sell) as it says
    """
    targets, faults = [], []
    for row in status:
        active = {name: channel for name, channel in scenario.channels.items() if channel.active}
        alike = [name for name, channel in active.items() if channel.preset == row.channel]
        name = row.channel if row.channel in active else alike[0] if len(alike) == 1 else ""
        place = f"channels.{name or row.channel}"
        if not name:
            close = difflib.get_close_matches(row.channel, active, n=1)
            faults.append(Fault("FILE", place, f"{len(alike)} channels", "the table has this channel: the scenario "
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
    """A scenario to be warmed up with the luck of one replication."""

    scenario: Scenario
    replication: int


def observe(tasks: Iterable[Task], seed: int, threads: int) -> Floats:
    """A month of each task: (tasks, channels in alphabetical order, COUNTED).

    Notes
    -----
    Each warm-up runs on one thread and several run side by side: that takes less time than sharing one among threads.
    """
    def month(task: Task) -> Floats:
        world = warm_up(task.scenario, seed, task.replication, threads=1, orders="none")
        days = task.scenario.horizon.warm_up
        window = world.ledger.daily[days - BASELINE:days].sum(axis=0)
        counts = window[:, [MEASURE[name] for name in COUNTED]] / MONTHS
        counts[:, GMV] /= 100
        return np.asarray(counts, float)

    with ThreadPoolExecutor(threads) as pool:
        return np.array(list(pool.map(month, tasks)))
