"""Finding the few consumers to whom something may happen today, sixty-four at a time.

One draw of sixteen bits a consumer and decision class is compared with an upper bound of today's probability. A hit is
only a candidate: the exact decision is made later with 32 bits of which these are the first, so that any bound, tight
or loose, leads to the same decisions. What a candidate's decision will read is asked for at once, and has arrived when
its turn comes. Impressions are found without a scan, see `impressions`.
"""

from __future__ import annotations

import math

import numpy as np

from omnisim.compiled import inner, melted
from omnisim.market.consumers import Consumers
from omnisim.processor import LANES, PACKED, equal, lowest, ones, pack, packs, prefetch, under, under_sum
from omnisim.streams import CHUNK


@inner
def scale(factor, bits):
    """A factor ≥ 0 as (multiplier, shift): at least factor = multiplier · 2^(shift - bits), both of so many bits.

    Factors beyond make everything above 0 a candidate, by a shift that fills all bits.
    """
    full = (1 << bits) - 1
    if factor <= 0.0:
        return 0, 0
    shift = 0
    while factor >= 0.99 and shift < bits - 1:
        factor *= 0.5
        shift += 1
    if factor >= 0.99:
        return full, bits - 1
    return math.ceil(factor * (full + 1)), shift


@melted
def collect(mask, first, hits, found):
    """Add the consumers of a mask, the first of whom is `first`, to the candidates; returns how many there are now."""
    n = ones(mask)
    if packs() and n <= PACKED:
        pack(mask, first, hits, found)
        return found + n
    # three places are written whether or not so many bits are set: how many are is nothing a processor could guess
    for place in range(found, found + 3):
        hits[place] = first + lowest(mask)
        mask &= mask - np.uint64(1)
    for place in range(found + 3, found + n):
        hits[place] = first + lowest(mask)
        mask &= mask - np.uint64(1)
    return found + n


@melted
def within(mask, at, size):
    """A mask without who lies beyond the end of the population."""
    return mask if size - at >= LANES else mask & ((np.uint64(1) << np.uint64(size - at)) - np.uint64(1))


@melted
def ask_for(c: Consumers, hits, asked, found):
    """Ask for the records of the next two candidates that were not yet asked for; returns how many were."""
    prefetch(c.people, np.int64(hits[max(min(asked, found - 1), 0)]))
    prefetch(c.people, np.int64(hits[max(min(asked + 1, found - 1), 0)]))
    return min(asked + 2, found)


@melted
def scan_visits(c: Consumers, k, first, size, factor, search, draws, hits, found):
    """Candidates for a hazard bounded by bound · factor + keen · search, in 1/65536."""
    one, shift = scale(factor, 16)
    two, lift = scale(search, 16)
    factor, shift, search, lift = np.uint16(one), np.uint16(shift), np.uint16(two), np.uint16(lift)
    bound = c.bound[k, first:first + CHUNK]
    keen = c.keen[first:first + CHUNK]
    start = asked = found
    for at in range(0, size, LANES):
        mask = under_sum(draws, bound, at, factor, shift, keen, search, lift)
        found = collect(within(mask, at, size), first + at, hits, found)
        asked = ask_for(c, hits, asked, found)
    for n in range(asked, found):
        prefetch(c.people, np.int64(hits[n]))
    for n in range(start, found):
        prefetch(c.last, np.int64(hits[n]))
    return found


@melted
def scan_needs(c: Consumers, first, size, factor, draws, hits, found):
    """Candidates for a hazard bounded by need · factor, in 1/65536."""
    multiplier, shift = scale(factor, 16)
    factor, shift = np.uint16(multiplier), np.uint16(shift)
    need = c.need[first:first + CHUNK]
    asked = found
    for at in range(0, size, LANES):
        found = collect(within(under(draws, need, at, factor, shift), at, size), first + at, hits, found)
        asked = ask_for(c, hits, asked, found)
    for n in range(asked, found):
        prefetch(c.people, np.int64(hits[n]))
    return found


@melted
def scan_due(c: Consumers, first, size, day, hits, found):
    """Those whose stage times out today."""
    due = c.due[first:first + CHUNK]
    for at in range(0, size, LANES):
        found = collect(within(equal(due, at, np.int16(day)), at, size), first + at, hits, found)
    return found
