"""Random draws keyed by (seed, replication, decision, channel, consumer, day): nothing is drawn in sequence.

The generator is Philox-4x32 with seven rounds, the fewest that passed every test of BigCrush (Salmon, Moraes, Dror &
Shaw 2011, "Parallel random numbers: as easy as 1, 2, 3", table 2).
Its key says which decision of which channel is drawn, its counter says for whom and when. So two runs share the
luck of everything they have in common: another budget, another channel, another order of channels, another split of
the population changes no draw of anything else.
"""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import formula, kernel, melted, njit

M0 = np.uint64(0xD2511F53)
M1 = np.uint64(0xCD9E8D57)
W0 = np.uint64(0x9E3779B9)
W1 = np.uint64(0xBB67AE85)
LOW = np.uint64(0xFFFFFFFF)
S32 = np.uint64(32)
ZERO, ONE, TWO, THREE = (np.uint64(n) for n in range(4))
DAY_ZERO = 1 << 20
"""Added to the day, so that warm-up days count from a positive number."""

ROUNDS = 7

CHUNK = 2048
"""Consumers whose scan draws are made together, whatever the split of the population. The first half of a chunk takes
words 1 and 0 of its counters, the second half words 3 and 2, from the lowest bits on: CHUNK / 8 counters a chunk."""
DRAW = 16
"""Bits of a scan draw."""


Key = np.uint64
"""The two 32-bit key words of one decision, in one number."""


def key(seed: int, replication: int, decision: str, channel: str = "") -> Key:
    """The key of a decision, e.g. ``key(1, 0, "exposure", "douyin")``: 64 bits of BLAKE2b over the names.

    Parameters
    ----------
    seed, replication : int  replication k of seed s never meets replication j of seed t
    decision : str  what is decided
    channel : str  where, if the decision belongs to a channel
    """
    text = f"{seed}/{replication}/{decision}/{channel}".encode()
    return np.uint64(int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little"))


@njit(inline="always")
def philox(c0, c1, c2, c3, k0, k1):
    """Four 32-bit words (in uint64) for a counter and a key."""
    for _ in range(ROUNDS):
        p0 = M0 * c0
        p1 = M1 * c2
        n0 = (p1 >> S32) ^ c1 ^ k0
        n2 = (p0 >> S32) ^ c3 ^ k1
        c1 = p1 & LOW
        c3 = p0 & LOW
        c0 = n0
        c2 = n2
        k0 = (k0 + W0) & LOW
        k1 = (k1 + W1) & LOW
    return c0, c1, c2, c3


@formula
def words(k, consumer, day, level):
    """Four 32-bit words for one consumer on one day; `level` ≥ 1 tells further decisions of the same key apart."""
    return philox(np.uint64(consumer) & LOW, np.uint64(day + DAY_ZERO), np.uint64(level), np.uint64(consumer) >> S32,
                  k & LOW, k >> S32)


@kernel
def hashes(k, consumers, day, level):
    """One 32-bit word for each of many consumers, as int64."""
    found = np.empty(consumers.size, np.int64)
    for n in range(consumers.size):
        w, _, _, _ = words(k, consumers[n], day, level)
        found[n] = w
    return found


@formula
def unit(word):
    """A 32-bit word as a number in (0, 1), never 0 or 1."""
    return (np.float64(word) + 0.5) * 2.3283064365386963e-10


@melted
def fill(out, chunk, day, k):
    """The scan draws of one chunk of consumers on one day, into `out` (uint64, CHUNK / 4)."""
    blocks = CHUNK * DRAW // 128
    first = np.uint64(chunk) * np.uint64(blocks)
    for b in range(blocks):
        c0, c1, c2, c3 = philox((first + np.uint64(b)) & LOW, np.uint64(day + DAY_ZERO), ZERO,
                                (first + np.uint64(b)) >> S32, k & LOW, k >> S32)
        out[b] = c1 | (c0 << S32)
        out[blocks + b] = c3 | (c2 << S32)


@melted
def chunk_words(out, blocks, chunk, day, k, kind):
    """Words that belong to a chunk of consumers as a whole: four for each of so many blocks, into `out` (uint32).

    Up to seven more blocks are drawn, so that none is drawn singly. The key must draw no scan draws; `kind` tells
    sequences of one chunk and day apart.
    """
    low, high = k & LOW, k >> S32
    for b in range((blocks + 7) // 8 * 8):
        c0, c1, c2, c3 = philox(np.uint64(chunk), np.uint64(day + DAY_ZERO), ZERO, np.uint64(b) | np.uint64(kind << 30),
                                low, high)
        at = np.uint64(4 * b)
        out[at], out[at + ONE], out[at + TWO], out[at + THREE] = c0, c1, c2, c3


@melted
def fine_draws(out, consumers, first, n, day, k, level):
    """`words` for n consumers from place `first` of a list on, many at a time, into `out` (4, …).

    Up to seven more than n are drawn, so that no draw is made singly.
    """
    low, high = k & LOW, k >> S32
    for h in range((n + 7) // 8 * 8):
        i = np.uint64(consumers[first + h])
        out[0, h], out[1, h], out[2, h], out[3, h] = philox(i & LOW, np.uint64(day + DAY_ZERO), np.uint64(level),
                                                            i >> S32, low, high)


@formula
def refine(coarse, fine):
    """A 32-bit draw in (0, 1) whose first bits are the scan draw: it lies below any bound the scan draw misses."""
    rest = np.uint64(32 - DRAW)
    return unit((np.uint64(coarse) << rest) | (np.uint64(fine) & ((np.uint64(1) << rest) - np.uint64(1))))


@formula
def spread(k, i):
    """A number in (0, 1) for consumer i, evenly spread over consumers: a Weyl sequence with a keyed start.

    The average over any run of consumers is closer to the mean than independent draws would be.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    x = k + np.uint64(i) * golden
    return (np.float64(x >> np.uint64(11)) + 0.5) * 1.1102230246251565e-16


@formula
def neighbour(k, consumer, place, size):
    """The consumer in one place of another's list of neighbours: a hash, so the social graph takes no memory."""
    w, _, _, _ = words(k, consumer, 0, 1 + place)
    other = np.int64((w * np.uint64(size - 1)) >> S32)
    return other + 1 if other >= consumer else other


def scan_draws(k: Key, chunk: int, day: int) -> NDArray[np.uint16]:
    """The scan draws of a chunk, for tests and for reading."""
    out = np.empty(CHUNK * DRAW // 64, np.uint64)
    _fill(out, chunk, day, k)
    return out.view(np.uint16)


@kernel
def _fill(out, chunk, day, k):
    fill(out, chunk, day, k)
