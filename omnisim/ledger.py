"""The open books of a running simulation: each day adds its tallies, at the end they are closed into `Books`."""

from __future__ import annotations

import copy
import datetime
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omnisim.books import (
    COHORT,
    GROUPS,
    MEASURE,
    MEASURES,
    ORDER_DTYPE,
    SEGMENT,
    STOCK,
    TOUCHES,
    Books,
)
from omnisim.errors import Fault, UsageError
from omnisim.scenario.model import Scenario

Ints = NDArray[np.int64]
MOST_LINES = 1_000_000
"""Order lines kept; beyond, half of the consumers are dropped from the sample, by a hash of their number."""
COMPACT_EVERY = 30
MOST_A_DAY = 10**15
"""Cents that a day may bring: more than the world earns, and a sum over all days still fits an integer."""


@dataclass
class Ledger:
    """Tallies of a run so far. Channels are in kernel order (`names`) until the books are closed.

    Parameters
    ----------
    scenario : Scenario
    names : list of str  channels in kernel order
    keep_orders : bool  whether order lines are wanted at all
    """

    scenario: Scenario
    names: list[str]
    keep_orders: bool = True
    daily: Ints = field(init=False)
    groups: Ints = field(init=False)
    group_unique: Ints = field(init=False)
    stages: Ints = field(init=False)
    transitions: Ints = field(init=False)
    flows: Ints = field(init=False)
    segments: Ints = field(init=False)
    stock: Ints = field(init=False)
    months: Ints = field(init=False)
    first_day: int = field(init=False)
    cohorts: Ints = field(init=False)
    buyers: Ints = field(init=False)
    journeys: dict[int, Ints] = field(default_factory=dict)
    ended: list[NDArray[np.uint32]] = field(default_factory=list)
    second: dict[tuple[int, int], int] = field(default_factory=dict)
    lines: list[NDArray[np.void]] = field(default_factory=list)
    returned: list[NDArray[np.void]] = field(default_factory=list)
    n_orders: int = 0
    n_lines: int = 0
    halvings: int = 0
    decisions: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        horizon, n = self.scenario.horizon, len(self.names)
        days = horizon.warm_up + horizon.days
        self.daily = np.zeros((days, n, len(MEASURES)), np.int64)
        self.groups = np.zeros((GROUPS, n, len(MEASURES)), np.int64)
        self.group_unique = np.zeros((GROUPS, n), np.int64)
        self.stages = np.zeros((days, 16), np.int64)
        self.transitions = np.zeros((days, 39), np.int64)
        self.flows = np.zeros((n, n, 2), np.int64)
        self.segments = np.zeros((len(self.scenario.population.segments), len(SEGMENT)), np.int64)
        self.stock = np.zeros((days, 1, len(self.scenario.products), len(STOCK)), np.int64)
        past = min(32_000 - horizon.warm_up, int(self.scenario.brand.age * 365) + 2)
        self.first_day = -horizon.warm_up - past
        start = np.datetime64(horizon.start, "D")
        dates = start + np.arange(self.first_day, horizon.days)
        months = dates.astype("datetime64[M]").astype(np.int64)
        self.months = months - months[0]
        n_months = int(self.months[-1]) + 1
        self.cohorts = np.zeros((n_months, n_months, len(COHORT)), np.int64)
        self.buyers = np.zeros(n_months, np.int64)

    def reported(self, day: int) -> bool:
        """Whether a day belongs to the reported ones."""
        return day >= 0

    def add_day(self, day: int, tally: Ints, moves: Ints, stages: Ints, flows: Ints, segments: Ints) -> None:
        """A day's counts; flows, groups and segments are kept for reported days only."""
        row = day + self.scenario.horizon.warm_up
        if np.abs(tally.sum(axis=(0, 1), dtype=np.float64)).max() > MOST_A_DAY:
            raise UsageError(Fault("run", "sales of a day", f"on day {day}", "must stay below "
                                   f"{MOST_A_DAY // 100:,} {self.scenario.currency}, so that sums stay exact",
                                   "Lower population.scale, prices or purchase rates."))
        self.daily[row] += tally.sum(axis=0)
        self.transitions[row] = moves
        self.stages[row] = stages
        if self.reported(day):
            self.groups += tally
            self.flows += flows
            self.segments += segments
            if day >= self.scenario.horizon.days % 30:
                self.group_unique += tally[:, :, MEASURE["unique_visitors"]]

    def so_far(self, day: int) -> Books:
        """The books up to the evening before `day`, for a policy to read."""
        partial = copy.copy(self)
        row = day + self.scenario.horizon.warm_up
        partial.lines, partial.returned, partial.journeys, partial.ended = [], [], {}, []
        books = partial.close()
        books.days = day
        for name in ("daily", "stages", "transitions", "stock"):
            setattr(books, name, getattr(books, name)[:row])
        return books

    def add_journeys(self, ended: NDArray[np.uint32], day: int) -> None:
        """Journeys that ended without an order; counted together once in a while."""
        if self.reported(day) and ended.size:
            self.ended.append(ended)
            if len(self.ended) >= COMPACT_EVERY:
                self._count_ended()

    def _count_ended(self) -> None:
        if self.ended:
            self._count(np.concatenate(self.ended), None)
            self.ended.clear()

    def _count(self, paths: NDArray[np.uint32], paid: Ints | None) -> None:
        unique, place, counts = np.unique(paths, return_inverse=True, return_counts=True)
        money = np.zeros(unique.size, np.int64)
        if paid is not None:
            np.add.at(money, place, paid)
        for n, path in enumerate(unique):
            entry = self.journeys.setdefault(int(path), np.zeros(3, np.int64))
            entry += (counts[n], 0 if paid is None else counts[n], money[n])

    def add_orders(self, lines: NDArray[np.void], paths: NDArray[np.uint32], first_days: Ints, day: int) -> None:
        """The day's filled order lines, with the journeys that led to them. Numbers the lines."""
        lines["order_id"] = self.n_orders + np.arange(lines.size)
        lines["weight"] = self.scenario.population.scale
        self.n_orders += lines.size
        for first in first_days[(lines["number"] == 2) & (first_days >= -self.scenario.horizon.warm_up)]:
            cell = (int(first), day - int(first))
            self.second[cell] = self.second.get(cell, 0) + self.scenario.population.scale
        if not self.reported(day) or not lines.size:
            return
        self._count(paths, lines["price"] * lines["quantity"])
        if self.keep_orders:
            kept = lines[_in_sample(lines["consumer"], self.halvings)].copy()
            self.lines.append(kept)
            self.n_lines += kept.size
            while self.n_lines > MOST_LINES:
                self.halvings += 1
                self.lines = [part[_in_sample(part["consumer"], self.halvings)] for part in self.lines]
                self.n_lines = sum(part.size for part in self.lines)

    def add_deliveries(self, parcels: NDArray[np.void]) -> None:
        """Remember what came back."""
        self.returned.append(parcels[parcels["returned"] >= 0][["order_id", "returned"]].copy())

    def close(self) -> Books:
        """The finished books, channels in the order of the scenario file."""
        self._count_ended()
        names = list(self.scenario.channels)
        place = np.array([names.index(name) for name in self.names])
        scale = self.scenario.population.scale
        paths = np.array(sorted(self.journeys), np.uint32)
        counts = np.array([self.journeys[int(path)] for path in paths], np.int64).reshape(-1, 3)
        counts *= scale
        new_by_day = self.daily[:, :, MEASURE["new_customers"]].sum(axis=1)
        later = [(born, age, n) for (born, age), n in sorted(self.second.items())]
        single = new_by_day.copy()
        for born, _, n in later:
            single[born + self.scenario.horizon.warm_up] -= n
        first = [(day - self.scenario.horizon.warm_up, -1, int(n)) for day, n in enumerate(single) if n]
        start = self.scenario.horizon.start + datetime.timedelta(days=self.first_day)
        return Books(
            warm_up=self.scenario.horizon.warm_up, days=self.scenario.horizon.days,
            daily=_widen(self.daily, place, len(names), 1), groups=_widen(self.groups, place, len(names), 1),
            group_unique=_widen(self.group_unique, place, len(names), 1), stages=self.stages,
            transitions=self.transitions,
            flows=_widen(_widen(self.flows, place, len(names), 0), place, len(names), 1),
            paths=_rename_touches(paths, place), path_counts=counts,
            cohort_first=start.year * 12 + start.month - 1, buyers=self.buyers, cohorts=self.cohorts,
            second=np.array(first + later, np.int64).reshape(-1, 3), stock=self.stock, segments=self.segments,
            orders=self._close_orders(place), decisions=self.decisions)

    def _close_orders(self, place: Ints) -> NDArray[np.void]:
        orders = np.concatenate(self.lines) if self.lines else np.empty(0, ORDER_DTYPE)
        orders["weight"] *= 1 << self.halvings
        orders["channel"] = place[orders["channel"]]
        orders["delivered"][orders["delivered"] >= self.scenario.horizon.days] = -1
        if self.returned and orders.size:
            back = np.concatenate(self.returned)
            at = np.searchsorted(orders["order_id"], back["order_id"])
            known = (at < orders.size) & (orders["order_id"][np.minimum(at, orders.size - 1)] == back["order_id"])
            orders["returned"][at[known]] = back["returned"][known]
        return orders


def _in_sample(consumer: Ints, halvings: int) -> NDArray[np.bool_]:
    """Whether a consumer's orders are kept after so many halvings of the sample."""
    scrambled = (consumer.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)
    kept: NDArray[np.bool_] = (scrambled & np.uint64((1 << halvings) - 1)) == 0
    return kept


def _widen(array: Ints, place: Ints, n: int, axis: int) -> Ints:
    """Channels from kernel order to file order, with zeros for those not simulated."""
    shape = list(array.shape)
    shape[axis] = n
    wide = np.zeros(shape, np.int64)
    index: list[slice | Ints] = [slice(None)] * array.ndim
    index[axis] = place
    wide[tuple(index)] = array
    return wide


def _rename_touches(paths: NDArray[np.uint32], place: Ints) -> NDArray[np.uint32]:
    """Journeys with the channel numbers of the scenario file."""
    renamed = np.zeros_like(paths)
    code = np.concatenate([[0], place + 1]).astype(np.uint32)
    for n in range(TOUCHES):
        shift = np.uint32(5 * n)
        renamed |= code[(paths >> shift) & np.uint32(31)] << shift
    return renamed
