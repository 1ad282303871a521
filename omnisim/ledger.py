"""The open books of a running simulation: each day adds its tallies, at the end they are closed into `Books`."""

from __future__ import annotations

import copy
import datetime
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import (
    COHORT,
    GROUPS,
    HOUR,
    MEASURE,
    MEASURES,
    MOVES,
    ORDER_DTYPE,
    PARCEL,
    SEGMENT,
    STOCK,
    TOUCHES,
    Books,
)
from omnisim.compiled import formula, kernel
from omnisim.errors import Fault, UsageError
from omnisim.parts import ALONE, Crew
from omnisim.scenario.model import MOST_ALONG, Scenario
from omnisim.sums import Sums, count, empty_sums, items, with_room

Ints = NDArray[np.int64]
MOST_LINES = 1_000_000
"""Order lines kept; beyond, half of the consumers are dropped from the sample, by a hash of their number."""
MOST_A_DAY = 10**15
"""Cents that a day may bring: more than the world earns, and a sum over all days still fits an integer."""
SPAN = 1 << 20
"""Days apart that a key of `Page.second` can tell."""


class Page(NamedTuple):
    """What kernels write of one part of the population, event by event."""

    months: Ints
    """calendar month of each day from `first_day` on, from 0"""
    first_day: Ints
    """(1,) of the brand"""
    cohorts: Ints
    """(months, months, 3) by month of first order and months since: active, orders, cents; reported days"""
    buyers: Ints
    """(months,) customers by month of first order"""
    second: Sums
    """simulated customers by day of the first order (from the first simulated one) · SPAN + days to the second"""
    journeys: Sums
    """by path: journeys ended, orders, cents; of simulated consumers, reported days"""


@dataclass
class Ledger:
    """Tallies of a run so far. Channels are in kernel order (`names`) until the books are closed.

    Parameters
    ----------
    scenario : Scenario
    names : list of str  channels in kernel order
    keep_orders : bool  whether order lines are wanted at all
    parts : int  of the population
    """

    scenario: Scenario
    names: list[str]
    keep_orders: bool = True
    parts: int = 1
    daily: Ints = field(init=False)
    groups: Ints = field(init=False)
    group_unique: Ints = field(init=False)
    stages: Ints = field(init=False)
    transitions: Ints = field(init=False)
    flows: Ints = field(init=False)
    segments: Ints = field(init=False)
    stock: Ints = field(init=False)
    moves: Ints = field(init=False)
    hours: list[tuple[int, Ints]] = field(default_factory=list)
    first_day: int = field(init=False)
    pages: list[Page] = field(init=False)
    lines: list[NDArray[np.void]] = field(init=False)
    n_lines: list[int] = field(init=False)
    fresh: list[tuple[int, int, NDArray[np.void]]] = field(init=False)
    returned: list[tuple[int, Ints]] = field(default_factory=list)
    n_orders: int = 0
    halvings: int = 0
    first_seats: int = 0
    decisions: list[dict[str, object]] = field(default_factory=list)

    def __post_init__(self) -> None:
        horizon, n = self.scenario.horizon, len(self.names)
        days = horizon.warm_up + horizon.days
        self.daily = np.zeros((days, n, len(MEASURES)), np.int64)
        self.groups = np.zeros((n, GROUPS, len(MEASURES)), np.int64)
        self.group_unique = np.zeros((n, GROUPS), np.int64)
        self.stages = np.zeros((days, 16), np.int64)
        self.transitions = np.zeros((days, 39), np.int64)
        self.flows = np.zeros((n, n, 2), np.int64)
        self.segments = np.zeros((len(self.scenario.population.segments), len(SEGMENT)), np.int64)
        places = (days, len(self.scenario.supply.places), len(self.scenario.products))
        self.stock, self.moves = np.zeros((*places, len(STOCK)), np.int64), np.zeros((*places, len(MOVES)), np.int64)
        past = min(32_000 - horizon.warm_up, int(self.scenario.brand.age * 365) + 2)
        self.first_day = -horizon.warm_up - past
        start = np.datetime64(horizon.start, "D")
        dates = start + np.arange(self.first_day, horizon.days)
        months = dates.astype("datetime64[M]").astype(np.int64)
        months -= months[0]
        n_months = int(months[-1]) + 1
        self.pages = [Page(months, np.array([self.first_day]), np.zeros((n_months, n_months, len(COHORT)), np.int64),
                           np.zeros(n_months, np.int64), empty_sums(1), empty_sums(3)) for _ in range(self.parts)]
        self.lines, self.n_lines = [np.empty(0, ORDER_DTYPE) for _ in range(self.parts)], [0] * self.parts
        self.fresh = [(0, 0, np.empty(0, PARCEL)) for _ in range(self.parts)]

    def page(self, part: int, orders: int) -> Page:
        """The page of a part, with room for so many orders."""
        page = self.pages[part]
        second, journeys = with_room(page.second, orders), with_room(page.journeys, orders)
        if second is not page.second or journeys is not page.journeys:
            self.pages[part] = page = page._replace(second=second, journeys=journeys)
        return page

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
        self.daily[row] += tally.sum(axis=1)
        self.transitions[row] = moves
        self.stages[row] = stages
        if self.reported(day):
            self.groups += tally
            self.flows += flows
            self.segments += segments
            if day >= self.scenario.horizon.days % 30:
                self.group_unique += tally[:, :, MEASURE["unique_visitors"]]

    def add_hours(self, day: int, hours: Ints) -> None:
        """Visits, orders and cancellations of a day with broadcasts, by channel and hour."""
        if self.reported(day):
            self.hours.append((day, hours))

    def so_far(self, day: int) -> Books:
        """The books up to the evening before `day`, for a policy to read."""
        partial = copy.copy(self)
        row = day + self.scenario.horizon.warm_up
        partial.n_lines, partial.returned = [0] * self.parts, []
        books = partial.close()
        books.days = day
        for name in ("daily", "stages", "transitions", "stock", "moves"):
            setattr(books, name, getattr(books, name)[:row])
        return books

    def add_journeys(self, part: int, ended: NDArray[np.uint32], day: int) -> None:
        """Journeys of a part that ended without an order."""
        if self.reported(day) and ended.size:
            count(self.page(part, ended.size).journeys, ended)

    @property
    def sample(self) -> np.uint64:
        """Consumers whose order lines are kept: those whose scrambled number has none of these bits."""
        return np.uint64((1 << self.halvings) - 1)

    def blank_lines(self, part: int, orders: int, day: int) -> NDArray[np.void]:
        """Where a part may write the lines of so many orders of today; nowhere if they are not kept.

        Memory that nothing is written to is not taken.
        """
        if not self.keep_orders or not self.reported(day):
            return self.lines[part][:0]
        used = self.n_lines[part]
        if used + orders > self.lines[part].size:
            larger = np.empty(MOST_LINES + 2 * orders, ORDER_DTYPE)
            larger[:used] = self.lines[part][:used]
            self.lines[part] = larger
        return self.lines[part][used:used + orders]

    def add_orders(self, part: int, written: int, orders: int, parcels: NDArray[np.void]) -> None:
        """A part has written so many lines of today, for so many new orders, and sends these parcels."""
        self.fresh[part] = written, orders, parcels

    def number_orders(self, *, waits: bool) -> None:
        """Number today's orders over all parts, and halve the sample of lines while it is too large.

        Parameters
        ----------
        waits : bool  whether an order may wait, and so be asked for its number; otherwise only kept lines show it
        """
        for part, (written, orders, parcels) in enumerate(self.fresh):
            used = self.n_lines[part]
            if self.keep_orders or waits:
                for ids in (self.lines[part]["order_id"][used:used + written], parcels["order_id"]):
                    if waits:  # orders of before have their number
                        ids[:] = np.where(ids < 0, ~ids, ids + self.n_orders)
                    else:
                        ids += self.n_orders
            self.n_orders += orders
            self.n_lines[part] += written
        while sum(self.n_lines) > MOST_LINES:
            self.halvings += 1
            self.n_lines = [thin_out(lines[:used], self.sample) for lines, used in
                            zip(self.lines, self.n_lines, strict=True)]

    def add_deliveries(self, parcels: NDArray[np.void], day: int) -> None:
        """Remember what came back."""
        back = parcels[parcels["returned"] > 0]
        if back.size:
            self.returned.append((day, line_ids(back)))

    def close(self, crew: Crew = ALONE) -> Books:
        """The finished books, channels in the order of the scenario file."""
        names = list(self.scenario.channels)
        place = np.array([names.index(name) for name in self.names])
        warm_up, scale = self.scenario.horizon.warm_up, self.scenario.population.scale
        paths, counts = items([page.journeys for page in self.pages])
        keys, pairs = items([page.second for page in self.pages])
        born, age = keys.astype(np.int64) // SPAN, keys.astype(np.int64) % SPAN
        single = self.daily[:, :, MEASURE["new_customers"]].sum(axis=1)
        np.subtract.at(single, born, pairs[:, 0] * scale)
        days = np.flatnonzero(single)
        second = np.concatenate([np.stack([days - warm_up, np.full(days.size, -1), single[days]], axis=1),
                                 np.stack([born - warm_up, age, pairs[:, 0] * scale], axis=1)])
        start = self.scenario.horizon.start + datetime.timedelta(days=self.first_day)
        return Books(
            warm_up=self.scenario.horizon.warm_up, days=self.scenario.horizon.days,
            daily=_widen(self.daily, place, len(names), 1),
            groups=_widen(self.groups.swapaxes(0, 1), place, len(names), 1),
            group_unique=_widen(self.group_unique.T, place, len(names), 1), stages=self.stages,
            transitions=self.transitions,
            flows=_widen(_widen(self.flows, place, len(names), 0), place, len(names), 1),
            paths=_rename_touches(paths.astype(np.uint32), place), path_counts=counts * scale,
            cohort_first=start.year * 12 + start.month - 1,
            buyers=sum((page.buyers for page in self.pages), np.zeros_like(self.pages[0].buyers)),
            cohorts=sum((page.cohorts for page in self.pages), np.zeros_like(self.pages[0].cohorts)),
            second=second, stock=self.stock, segments=self.segments,
            orders=self._close_orders(place, crew), decisions=self.decisions, moves=self.moves,
            first_seats=self.first_seats,
            live_days=np.array([day for day, _ in self.hours], np.int64),
            hours=_widen(np.stack([np.zeros((len(self.names), 24, len(HOUR)), np.int64),
                                   *(hours for _, hours in self.hours)]), place, len(names), 1)[1:])

    def _close_orders(self, place: Ints, crew: Crew) -> NDArray[np.void]:
        written = [lines[:used] for lines, used in zip(self.lines, self.n_lines, strict=True)]
        days = self.scenario.horizon.days
        each_day = np.array([np.diff(np.searchsorted(lines["day"], np.arange(days + 1))) for lines in written])
        starts = (np.cumsum(each_day.T) - each_day.T.ravel()).reshape(days, -1)  # day after day, part after part
        orders = np.empty(sum(self.n_lines), ORDER_DTYPE)
        weight = self.scenario.population.scale << self.halvings
        crew.each(lay_out, lambda p: (written[p], starts[:, p].copy(), days, weight, place, orders), len(written))
        if self.returned and orders.size:
            back = np.concatenate([ids for _, ids in self.returned])
            when = np.concatenate([np.full(ids.size, day) for day, ids in self.returned])
            ids = line_ids(orders)
            by_id = np.argsort(ids, kind="stable")  # in order but for lines that had to wait
            at = by_id[np.minimum(np.searchsorted(ids, back, sorter=by_id), orders.size - 1)]
            known = ids[at] == back
            orders["returned"][at[known]] = when[known]
        return orders


def line_ids(rows: NDArray[np.void]) -> Ints:
    """A number for each order line, from its order and its place there."""
    ids: Ints = rows["order_id"] * (1 + MOST_ALONG) + rows["line"]
    return ids


@formula
def scrambled(consumer):
    """A consumer's number, scrambled: its bits decide who is in a sample."""
    return (np.uint64(consumer) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)


@formula
def in_sample(consumer, sample):
    """Whether a consumer is kept in the sample."""
    return scrambled(consumer) & sample == np.uint64(0)


@kernel
def thin_out(lines, sample):
    """Move the lines of consumers in the sample to the front, in order; returns how many there are."""
    kept = 0
    for n in range(lines.size):
        if in_sample(lines[n].consumer, sample):
            lines[kept] = lines[n]
            kept += 1
    return kept


@kernel
def lay_out(lines, starts, days, weight, place, orders):
    """Copy the lines of a part to where they belong among all orders, with what is known at the end.

    Parameters
    ----------
    starts : int64 (days,)  changed: where the part's lines of each day begin
    place : int64 (channels,)  of each channel in the scenario's file
    orders : ORDER_DTYPE (o,)  written
    """
    for n in range(lines.size):
        at = starts[lines[n].day]
        starts[lines[n].day] += 1
        orders[at] = lines[n]
        order = orders[at]
        order.weight, order.channel = weight, place[order.channel]
        if order.delivered >= days:
            order.delivered = -1


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
