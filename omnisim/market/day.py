"""What a day brings to everybody, what is counted on it, and what consumers ask for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import GROUPS, HOUR, MEASURES, SEGMENT
from omnisim.compiled import kernel, melted
from omnisim.market.consumers import Consumers
from omnisim.market.rules import CHANNELS, FLOWS, SEGMENTS, SKUS, Rules
from omnisim.processor import prefetch
from omnisim.streams import CHUNK

DEMAND = np.dtype([
    ("consumer", "u4"), ("quantity", "i4"), ("minute", "i2"),
    ("channel", "u1"), ("origin", "u1"), ("sku", "u1"),
    ("ordinal", "u1"),                  # tells the needs of one consumer and day apart
    ("led_from", "i1"),                 # channel that led here, or -1
    ("line", "u1"),                     # number of the line in its order, from 0
    ("order", "i8"),                    # number of its order, where something of that was filled before; else -1
    ("number", "u1"),                   # which order of the consumer that was
])
"""A line of an order that a consumer wants to place; the lines of an order follow each other."""

VISIT = np.dtype([("consumer", "u4"), ("channel", "u1"), ("origin", "u1"), ("led_from", "i1"), ("padding", "u1")])
"""A visit to be made."""


class Asked(NamedTuple):
    """What the consumers of one part ask for on one day, in the order of chunks; the counts say how much is in use."""

    demands: NDArray[np.void]
    """DEMAND"""
    joins: NDArray[np.int64]
    """(…, 2) consumer and minute: who asks for a seat"""
    shares: NDArray[np.int64]
    """members who pass a link on"""
    ended: NDArray[np.uint32]
    """journeys that ended without an order"""


QUEUE = CHUNK
"""Visits that are made together at most."""


AHEAD = 8
"""How many places ahead in a list the records of its consumers are asked for once more: some that were asked for when
they were found have not come by then, or are gone again."""


class Workspace(NamedTuple):
    """What the kernels of one part write on while a chunk lives through its day."""

    draws: NDArray[np.uint64]
    """(channels + 1, CHUNK / 4 + 8) scan draws of a chunk, those of needs last, four to a word"""
    counts: NDArray[np.uint32]
    """words that say how many impressions fall in each layer of a chunk"""
    points: NDArray[np.uint32]
    """words that say whom they hit"""
    heights: NDArray[np.uint32]
    """words that say which of the topmost layer lie below today's"""
    seen: NDArray[np.uint8]
    """(CHUNK,) marks of who was hit"""
    expected: NDArray[np.uint32]
    """(2, …) for each second chunk: whose stage may time out, then whom each channel hits"""
    starts: NDArray[np.int64]
    """(2, channels + 1) where the hits of each channel begin among these, and where they end"""
    hits: NDArray[np.uint32]
    """candidates, decision after decision"""
    fine: NDArray[np.uint64]
    """(4, CHUNK + 8) further words of candidates"""
    first: NDArray[np.uint64]
    """(4, CHUNK + 8) words of their first need"""
    own: NDArray[np.uint64]
    """(4, CHUNK + 8) words of their own keys"""
    visits: NDArray[np.void]
    """VISIT (QUEUE + AHEAD,)"""
    drawn: NDArray[np.uint64]
    """(4, QUEUE + AHEAD) words of the visits"""


TODAY = np.dtype([
    ("day", "i8"),
    ("block_start", "i8"),              # first day of the current 30-day block
    ("most", "f8"),                     # largest weight of a channel that sells
    ("member_factor", "f8"), ("flash_factor", "f8"),
    ("answered", "f8"),                 # share of consultations answered in time
    ("weight", "f8", CHANNELS),         # season and campaigns: multiplies visits and needs
    ("exposure", "f8", CHANNELS),       # impressions by unit of affinity (ρ)
    ("paid", "f8", CHANNELS),           # share of impressions that are bought
    ("coverage", "f8", CHANNELS),       # share of searches that find the brand: g0 + (1 - g0) A
    ("hourly", "i8"),                   # whether visits are counted by the hour
    ("live_start", "i8", CHANNELS), ("live_minutes", "i8", CHANNELS),  # the broadcast of the day, if there is one
    ("live_share", "f8", CHANNELS),     # share of visits and orders that fall into it
])
"""What the day brings to everybody."""
Today = Any
"""TODAY (1,): kernels take arrays of one record, which cost less to hand over than a record."""

LOOKED = ("exposures", "visits", "needs", "times_out", "renewals")
"""What a scan looks at consumers for."""

COUNTS = np.dtype([
    ("scale", "i8"),
    ("demands", "i8"), ("joins", "i8"), ("shares", "i8"), ("ended", "i8"),  # rows of `Asked` in use
    ("queued", "i8"),                   # scratch: visits to be made
    ("todo", "i8", (FLOWS + 1, 3)),     # scratch: visits that a visit leads to
    ("looked", "i8", len(LOOKED)),      # simulated consumers that were looked at, once for each channel concerned
    ("moves", "i8", 39),
    ("renewed", "i8", 16),              # people who left and arrived by renewal, by stage
    ("segments", "i8", (SEGMENTS, len(SEGMENT))),
    ("flows", "i8", (CHANNELS, CHANNELS, 2)),  # visits and orders led from row to column
    ("units", "i8", SKUS),              # units asked for, by article
    ("hours", "i8", (CHANNELS, 24, len(HOUR))),  # visits, orders and cancellations by the hour, with broadcasts
    ("tally", "i8", (CHANNELS, GROUPS, len(MEASURES))),
])
"""What one part of the population counts on one day; `add_counts` adds what stands from `looked` on."""
Counts = Any
"""COUNTS (1,)"""
TALLY_SIZE = GROUPS * len(MEASURES)
SUMS_FROM, TALLY_FROM = (COUNTS.fields[name][1] // 8 for name in ("looked", "tally"))  # type: ignore[index]


@kernel
def room(rows, used, needed):
    """The same rows with room for `needed` more."""
    if used + needed <= rows.shape[0]:
        return rows
    bigger = np.empty(2 * rows.shape[0] + needed, rows.dtype)
    for n in range(used):  # slices would take seconds to compile
        bigger[n] = rows[n]
    return bigger


@kernel
def room_for_pairs(rows, used, needed):
    """The same pairs with room for `needed` more."""
    if used + needed <= rows.shape[0]:
        return rows
    bigger = np.empty((2 * rows.shape[0] + needed, 2), np.int64)
    for n in range(used):
        bigger[n, 0], bigger[n, 1] = rows[n, 0], rows[n, 1]
    return bigger


@melted
def want(counts, demands, i, k, minute, origin, ordinal, led_from, line, sku, quantity):
    """Consumer i wants to order an article on channel k."""
    row = demands[counts.demands]
    row.consumer, row.channel, row.minute, row.origin = i, k, minute, origin
    row.ordinal, row.led_from, row.sku, row.quantity = ordinal, led_from, sku, quantity
    row.line, row.order, row.number = line, -1, 0
    counts.demands += 1
    counts.units[sku] += quantity * counts.scale


@melted
def queue(c: Consumers, counts, visits, i, k, origin, led_from):
    """Consumer i is going to visit channel k."""
    prefetch(c.last, i)
    row = visits[counts.queued]
    row.consumer, row.channel, row.origin, row.led_from = i, k, origin, led_from
    counts.queued += 1


def empty_counts() -> Counts:
    """Counts of zero."""
    return np.zeros(1, COUNTS)


def in_use(counts: Counts, rules: Rules) -> NDArray[np.int64]:
    """The counts as plain numbers, without the tallies of channels that there are not."""
    numbers: NDArray[np.int64] = counts.view(np.int64)
    return numbers[:TALLY_FROM + int(rules["channels"][0]) * TALLY_SIZE]


def add_counts(parts: Sequence[Counts], rules: Rules) -> Counts:
    """The sum of the parts' counts, in place of the first."""
    total = in_use(parts[0], rules)
    for part in parts[1:]:
        total[SUMS_FROM:] += in_use(part, rules)[SUMS_FROM:]
    return parts[0]
