"""Finding the few consumers to whom something may happen today, thousands at a time.

One 16-bit draw a consumer and decision class is compared with an upper bound of today's probability. A hit is only
a candidate: the exact decision is made later with 32 bits of which these are the first, so that any bound, tight or
loose, leads to the same decisions.
"""

from __future__ import annotations

import numpy as np

from omnisim.compiled import inner

SLACK = np.float32(1.00002)
"""Covers the rounding of the bound itself, which is computed in single precision, and a full interest of 65535."""
FULL = np.uint16(65535)
"""A bound that stands for any hazard above it: always a candidate, also when a factor below 1 lowers the others."""


@inner
def scan_affinity(draws, flags, affinity, uses, bit, rate):
    """Candidates for a hazard rate * affinity of those who use the channel (bit)."""
    scale = np.float32(rate * 65536.0) * SLACK
    for j in range(affinity.size):
        flags[j] = (np.float32(draws[j]) < affinity[j] * scale) & ((uses[j] >> bit) & np.uint32(1))


@inner
def scan_interest(draws, flags, bound, factor, keen, search):
    """Candidates for a hazard bounded by (bound * factor + keen * search) / 65536."""
    scale, lift = np.float32(factor) * SLACK, np.float32(search) * SLACK
    for j in range(bound.size):
        limit = np.float32(bound[j]) * scale + np.float32(keen[j]) * lift
        flags[j] = (np.float32(draws[j]) < limit) | (bound[j] == FULL)


@inner
def scan_bound(draws, flags, bound, factor):
    """Candidates for a hazard bounded by bound / 65536 * factor."""
    scale = np.float32(factor) * SLACK
    for j in range(bound.size):
        flags[j] = (np.float32(draws[j]) < np.float32(bound[j]) * scale) | (bound[j] == FULL)


@inner
def scan_due(flags, due, day):
    """Those whose stage times out today."""
    today = np.int16(day)
    for j in range(due.size):
        flags[j] = due[j] == today


@inner
def compact(flags, n, hits):
    """Places of the set flags among the first n, in order; returns how many.

    Eight flags are looked at together, as most are clear. `flags` is zeroed beyond n.
    """
    flags[n:(n + 7) // 8 * 8] = 0
    eight = flags.view(np.uint64)
    found = 0
    for word in range((n + 7) // 8):
        if eight[word] != 0:
            for j in range(8 * word, 8 * word + 8):
                hits[found] = j
                found += flags[j]
    return found
