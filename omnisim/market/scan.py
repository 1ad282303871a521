"""Finding the few consumers to whom something may happen today, sixty-four at a time.

One 16-bit draw a consumer and decision class is compared with an upper bound of today's probability. A hit is only
a candidate: the exact decision is made later with 32 bits of which these are the first, so that any bound, tight or
loose, leads to the same decisions. What a candidate's decision will read is asked for at once, and has arrived when its
turn comes.
"""

from __future__ import annotations

import math

import numpy as np

from omnisim.compiled import inner, melted
from omnisim.market.consumers import Consumers
from omnisim.processor import LANES, equal, lowest, ones, prefetch, under, under_sum
from omnisim.streams import CHUNK

MOST_SHIFT = 15


@inner
def scale(factor):
    """A factor ≥ 0 as (multiplier, shift): at least factor = multiplier · 2^(shift - 16), both 16-bit.

    Factors of 2^14 and more make everything above 0 a candidate, by a shift that fills all bits.
    """
    if factor <= 0.0:
        return np.uint16(0), np.uint16(0)
    shift = 0
    while factor >= 0.999 and shift < MOST_SHIFT:
        factor *= 0.5
        shift += 1
    if factor >= 0.999:
        return np.uint16(65535), np.uint16(MOST_SHIFT)
    return np.uint16(math.ceil(factor * 65536.0)), np.uint16(shift)


@melted
def collect(mask, at, size, c: Consumers, first, draws, hits, coarse, found):
    """Add the consumers of a mask to the candidates and ask for their records; returns how many there are now.

    Three places are written whether or not so many bits are set: how many are is nothing a processor could guess.
    """
    if size - at < LANES:
        mask &= (np.uint64(1) << np.uint64(size - at)) - np.uint64(1)
    n = ones(mask)
    last = np.int64(hits[max(found, 1) - 1])
    for place in range(found, found + 3):
        j = at + lowest(mask)
        hits[place] = first + j
        coarse[place] = draws[j]
        last = last if mask == np.uint64(0) else first + j
        prefetch(c.people, last)
        mask &= mask - np.uint64(1)
    for place in range(found + 3, found + n):
        j = at + lowest(mask)
        hits[place] = first + j
        coarse[place] = draws[j]
        prefetch(c.people, first + j)
        mask &= mask - np.uint64(1)
    return found + n


@melted
def scan_affinity(c: Consumers, k, first, size, rate, draws, hits, coarse, found):
    """Candidates for a hazard rate · affinity among the users of channel k."""
    factor, shift = scale(rate * 65536.0 / c.grain[0])
    affinity = c.affinity[first:first + CHUNK]
    for at in range(0, size, LANES):
        mask = under(draws, affinity, at, factor, shift) & c.users[k, (first + at) // LANES]
        found = collect(mask, at, size, c, first, draws, hits, coarse, found)
    return found


@melted
def scan_visits(c: Consumers, k, first, size, factor, search, draws, hits, coarse, found):
    """Candidates for a hazard bounded by bound · factor + keen · search, in 1/65536."""
    factor, shift = scale(factor)
    lift, lift_shift = scale(search)
    bound = c.bound[k, first:first + CHUNK]
    keen = c.keen[first:first + CHUNK]
    start = found
    for at in range(0, size, LANES):
        mask = under_sum(draws, bound, at, factor, shift, keen, lift, lift_shift)
        found = collect(mask, at, size, c, first, draws, hits, coarse, found)
    for n in range(start, found):
        prefetch(c.last, np.int64(hits[n]))
    return found


@melted
def scan_needs(c: Consumers, first, size, factor, draws, hits, coarse, found):
    """Candidates for a hazard bounded by need · factor, in 1/65536."""
    factor, shift = scale(factor)
    need = c.need[first:first + CHUNK]
    for at in range(0, size, LANES):
        found = collect(under(draws, need, at, factor, shift), at, size, c, first, draws, hits, coarse, found)
    return found


@melted
def scan_due(c: Consumers, first, size, day, draws, hits, coarse, found):
    """Those whose stage times out today."""
    due = c.due[first:first + CHUNK]
    for at in range(0, size, LANES):
        found = collect(equal(due, at, np.int16(day)), at, size, c, first, draws, hits, coarse, found)
    return found
