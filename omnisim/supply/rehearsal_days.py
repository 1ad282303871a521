"""The days of `rehearse`: how demand is drawn, and what happens on each day of each article."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import inner, kernel
from omnisim.streams import unit, words
from omnisim.supply.classics.demand import Demand, whole_units
from omnisim.supply.rules import quantity_wanted

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
GUIDES = 256
"""Entries by which the draw of a demand jumps to the neighbourhood of its value."""
FIGURES = ("rule", "level", "reorder_point", "lot", "lead_time", "moq", "review_days", "opening", "holding", "shortage",
           "order")
"""Columns of what `rehearse_days` reads of each article."""
TALLIES = ("demand", "filled", "lost", "on_hand", "waiting", "orders", "ordered", "cost")
"""Columns of what it counts."""


class Chances(NamedTuple):
    """Demand tables, end to end."""

    cumulative: Floats
    guide: Ints
    """(tables, GUIDES) where the search starts"""
    table: Ints
    """(n,) which table an article has"""


def tabulate(demands: Sequence[Demand]) -> Chances:
    """Cumulative chances of 0, 1, 2, … units for each demand; equal objects share a table."""
    found: dict[int, int] = {}
    tables: list[Floats] = []
    place = []
    for demand in demands:
        if id(demand) not in found:
            found[id(demand)] = len(tables)
            edges = np.cumsum(whole_units(demand).probabilities)
            edges[-1] = 2.0  # the last takes what rounding leaves
            tables.append(edges)
        place.append(found[id(demand)])
    starts = np.cumsum([0, *(table.size for table in tables[:-1])])
    guide = np.stack([np.searchsorted(table, np.arange(GUIDES) / GUIDES, side="left") + start
                      for table, start in zip(tables, starts, strict=True)])
    return Chances(np.concatenate(tables), np.column_stack([guide, starts]).astype(np.int64),
                   np.array(place, np.int64))


@inner
def draw_units(chances, n, word):
    """Units asked for: the smallest d with F(d) ≥ u."""
    u = unit(word)
    row = chances.guide[chances.table[n]]
    at = row[np.int64(u * GUIDES)]
    while chances.cumulative[at] < u:
        at += 1
    return at - row[GUIDES]


@kernel
def rehearse_days(figures, delays, keys, chances, path, days, warm_up, waits, tallies, daily):
    """Let the days of all articles pass, one article after the other.

    Parameters
    ----------
    figures : int64 (n, 11)  see `FIGURES`; rule by its number in `layout`
    delays : float64 (d,)  cumulative shares
    keys : uint64 (2,)  of demand and of delays
    path : int64 (n, days) or (0, 0)  demand, or nothing where it is drawn
    waits : bool  whether demand that meets no stock waits
    tallies : int64 (n, 8)  written: see `TALLIES`
    daily : int64 (n, days − warm_up) or (0, 0)  written: cost of each counted day
    """
    for n in range(figures.shape[0]):
        rule, level, point, lot = figures[n, 0], figures[n, 1], figures[n, 2], figures[n, 3]
        lead, moq, review, on_hand = figures[n, 4], figures[n, 5], figures[n, 6], figures[n, 7]
        holding, shortage, order = figures[n, 8], figures[n, 9], figures[n, 10]
        ring = lead + delays.size
        coming = np.zeros(ring, np.int64)
        on_order = waiting = np.int64(0)
        w0 = w1 = w2 = w3 = np.uint64(0)
        slot = 0
        for day in range(days):
            arrived = coming[slot]
            coming[slot] = 0
            on_order -= arrived
            on_hand += arrived
            late = min(waiting, on_hand)
            waiting -= late
            on_hand -= late
            if path.size > 0:
                asked = path[n, day]
            else:
                if day % 4 == 0:
                    w0, w1, w2, w3 = words(keys[0], n, day // 4, 1)
                asked = draw_units(chances, n, w0)
                w0, w1, w2 = w1, w2, w3
            filled = min(asked, on_hand)
            on_hand -= filled
            short = asked - filled
            if waits:
                waiting += short
            bought = np.int64(0)
            if day % review == 0:
                bought = quantity_wanted(rule, on_hand + on_order - waiting, level, point, lot)
                if bought < moq:
                    bought = np.int64(0)
                if bought > 0:
                    delay = np.int64(0)
                    if delays.size > 1:
                        u, _, _, _ = words(keys[1], n, day, 1)
                        while delays[delay] < unit(u):
                            delay += 1
                    due = slot + lead + delay
                    coming[due - ring if due >= ring else due] += bought
                    on_order += bought
            slot = slot + 1 if slot + 1 < ring else 0
            if day < warm_up:
                continue
            lost = short - short * waits
            cost = holding * on_hand + shortage * (waiting if waits else short) + order * (bought > 0)
            tallies[n, 0] += asked
            tallies[n, 1] += filled
            tallies[n, 2] += lost
            tallies[n, 3] += on_hand
            tallies[n, 4] += waiting
            tallies[n, 5] += bought > 0
            tallies[n, 6] += bought
            tallies[n, 7] += cost
            if daily.size > 0:
                daily[n, day - warm_up] = cost
