"""What a day brings to everybody, what is counted on it, and the log of what consumers ask for."""

from __future__ import annotations

from typing import Any

import numpy as np

from omnisim.books import GROUPS, MEASURES, SEGMENT
from omnisim.compiled import kernel, melted
from omnisim.market.rules import CHANNELS, FLOWS, SEGMENTS, Rules

KIND, CONSUMER, CHANNEL, MINUTE, ORIGIN, ORDINAL, LED_FROM = range(7)
"""Columns of the log of what consumers ask for. In an ENDED row, CHANNEL holds the journey."""
DEMAND, JOIN, SHARE, ENDED = range(4)
"""Kinds of rows of the log: an order, a seat, a link passed on, a journey that ended without an order."""

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
])
"""What the day brings to everybody."""
Today = Any
"""One record of TODAY."""

COUNTS = np.dtype([
    ("scale", "i8"),
    ("events", "i8"),                   # rows of the log in use
    ("tally", "i8", (GROUPS, CHANNELS, len(MEASURES))),
    ("moves", "i8", 39),
    ("renewed", "i8", 16),              # people who left and arrived by renewal, by stage
    ("segments", "i8", (SEGMENTS, len(SEGMENT))),
    ("flows", "i8", (CHANNELS, CHANNELS, 2)),  # visits and orders led from row to column
    ("todo", "i8", (FLOWS + 1, 3)),     # scratch: visits that a visit leads to
])
"""What one part of the population counts on one day."""
Counts = Any
"""One record of COUNTS."""


@kernel
def grown(log, used, needed):
    """The same log with room for `needed` more rows."""
    if used + needed <= log.shape[0]:
        return log
    bigger = np.empty((2 * log.shape[0] + needed, log.shape[1]), np.int64)
    for row in range(used):
        for column in range(log.shape[1]):
            bigger[row, column] = log[row, column]
    return bigger


@melted
def note(counts, log, kind, i, k, minute, origin, ordinal, led_from):
    """A new row of the log."""
    row = log[counts.events]
    row[KIND], row[CONSUMER], row[CHANNEL], row[MINUTE] = kind, i, k, minute
    row[ORIGIN], row[ORDINAL], row[LED_FROM] = origin, ordinal, led_from
    counts.events += 1


def empty_counts(rules: Rules) -> Counts:
    """Counts of zero."""
    counts = np.zeros(1, COUNTS)[0]
    counts["scale"] = rules["scale"]
    return counts
