"""Whom a channel's media reach today: impressions fall like rain, and who stands wider is hit more often.

The impressions of a channel and day on one chunk of consumers are points of a Poisson process in the plane. Along one
axis stand the consumers, each as wide as the affinity θ, along the other rises ρ, impressions by unit of affinity; the
points below today's ρ are impressions. So a consumer is hit with probability 1 - e^(-ρ θ), independently of all
others; a larger budget adds points and moves none; and the work is by impression, not by consumer (points of the
process beyond today's ρ are thinned away: Lewis & Shedler 1979, "Simulation of nonhomogeneous Poisson processes by
thinning").

The plane is cut into layers that hold `LAYER` points in the mean; how many a layer really holds is Poisson and drawn
first, then whom each point hits. In the topmost layer a point also has a height. Beyond `LAYERS` layers, where nearly
everybody is hit anyway, the rest of ρ is decided consumer by consumer.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnisim.alias import WORDS, alias_table, pick
from omnisim.compiled import inner, melted
from omnisim.market.consumers import Consumers, uses
from omnisim.market.day import Workspace
from omnisim.portable import happens
from omnisim.processor import prefetch
from omnisim.streams import CHUNK, chunk_words, unit, words

LAYER = 16
"""Mean number of points of a layer: few points above today's ρ are drawn in vain."""
MOST_IN_LAYER = 64
"""More points come with probability 1e-18, less than a word can tell."""
LAYERS = CHUNK // LAYER
"""Layers of points: one a consumer in the mean."""
WHOM, HEIGHTS, HOW_MANY = range(3)
"""What the words of a chunk decide."""


def _how_many() -> NDArray[np.uint32]:
    """Alias table of the number of points of a layer."""
    chances = np.empty(MOST_IN_LAYER)
    chances[0] = 1.1253517471925912e-07  # e^-16
    for n in range(1, MOST_IN_LAYER):
        chances[n] = chances[n - 1] * LAYER / n
    ends = np.rint(np.cumsum(chances) * WORDS).astype(np.int64)
    ends[-1] = WORDS
    return alias_table(np.diff(ends, prepend=0))


POINTS = _how_many()


@melted
def ask_for_chunk(c: Consumers, chunk, k, channels):
    """Ask for a share of what `scan_media` will read of a chunk here and there, which no processor could foresee."""
    lines = CHUNK // 16
    for line in range(lines * k // channels, lines * (k + 1) // channels):
        prefetch(c.lots, chunk * CHUNK + 16 * line)
    users = c.users[k]
    for line in range(CHUNK // 512):
        prefetch(users, chunk * (CHUNK // 64) + 8 * line)


@melted
def scan_media(c: Consumers, k, chunk, day, rate, key, w: Workspace, hits, found, code):
    """Add the consumers whom channel k hits today to `hits`, each once; returns how many hits and points there are.

    Draws `exposure` of the channel (level 0).

    Parameters
    ----------
    rate : float  ρ
    code : int  marks in `w.seen` whom this channel has hit; of no other channel
    """
    first, group = np.uint32(chunk * CHUNK), chunk * (CHUNK // 64)
    height = rate * c.mass[chunk] / LAYER
    full = LAYERS if height >= LAYERS else np.int64(height)
    chunk_words(w.counts, (full + 4) // 4, chunk, day, key, HOW_MANY)
    below = np.int64(0)
    for layer in range(full):
        below += np.int64(pick(POINTS, w.counts[np.uint64(layer)]))
    # nothing of the layer above the last one is wanted
    top = np.int64(pick(POINTS, w.counts[np.uint64(full)])) if full < LAYERS else 0
    chunk_words(w.points, (below + top + 3) // 4, chunk, day, key, WHOM)
    chunk_words(w.heights, (top + 3) // 4, chunk, day, key, HEIGHTS)
    bar = np.uint32((height - full) * WORDS) if full < LAYERS else np.uint32(0)
    points = below
    for n in range(top):
        w.points[np.uint64(points)] = w.points[np.uint64(below + n)]
        points += w.heights[np.uint64(n)] < bar
    lots = c.lots[chunk * CHUNK:(chunk + 1) * CHUNK]
    for n in range(points):
        j = np.uint64(pick(lots, w.points[np.uint64(n)]))
        user = c.users[k, np.uint64(group) + j // np.uint64(64)] >> (j % np.uint64(64))
        hits[np.uint64(found)] = first + np.uint32(j)
        found += np.int64(user & np.uint64(w.seen[j] != code))
        w.seen[j] = code
    if full == LAYERS:
        found = _reach_beyond(c, k, chunk, day, rate - LAYERS * LAYER / c.mass[chunk], key, w, hits, found, code)
    return found, points


@inner
def _reach_beyond(c: Consumers, k, chunk, day, rate, key, w: Workspace, hits, found, code):
    """Add who is not yet hit and is by the rest of ρ. Draws `exposure` of the channel (level 1)."""
    first = chunk * CHUNK
    for i in range(first, min(first + CHUNK, c.people.size)):
        if w.seen[i - first] != code and uses(c, i, k):
            word, _, _, _ = words(key, i, day, 1)
            if happens(unit(word), rate * c.people[i].affinity):
                hits[found] = i
                found += 1
    return found
