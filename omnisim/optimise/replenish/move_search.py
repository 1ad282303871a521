"""The search of `search` where cells may send to each other: a cell and one that sends to it are planned anew together.

What a receiver takes is priced by the bound, or by what the unit lies at the source since its last order; the source is
then planned with what it has to send. A period in which a cell receives is none in which it sends.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from omnisim.compiled import inner, kernel
from omnisim.optimise.replenish.bound import Relaxation
from omnisim.optimise.replenish.instance import MUST, Instance
from omnisim.optimise.replenish.lots import NEVER, Floats, Ints, set_prices, set_room
from omnisim.optimise.replenish.moves import follow_moves, occupy_moves, plan_moves, price_in
from omnisim.optimise.replenish.search import HIGHEST, MOST_TAKEN, add_feeders, choose, draw, missed, price_sent, send

MOVING = 0.6
"""Share of the steps that plan a transfer anew."""
GUIDED = 0.5
"""Share of those in which the bound prices what is sent."""


class Ways(NamedTuple):
    """Ways between cells: as `instance.Transfers`, with the bound's price of a unit at the source, (ways, periods).

    `listed` are the ways by source, those of cell a from `begin[a]` to `begin[a + 1]`.
    """

    source: Ints
    target: Ints
    lead: Ints
    cost: Floats
    guide: Floats
    listed: Ints
    begin: Ints


class Moved(NamedTuple):
    """What is sent while it is searched: `sent` (ways, periods), `net` (cells, periods) it brings, the best so far."""

    sent: Ints
    net: Ints
    best: Ints
    held: Ints
    """(cells of a step, periods) `net` before the step"""
    before: Ints
    """(cells of a step, periods) `sent` of their ways before the step"""
    way: Ints
    """(cells of a step,) way by which each is sent anew; −1 for none"""


@inner
def choose_ways(ways, state, moved):
    """Cells that one cell sends to, and it behind them, into state.group, their ways into moved.way; how many."""
    luck, group = state.luck, state.group
    first = int(draw(luck) * ways.source.size)
    a, n = ways.source[first], 0
    for place in range(ways.begin[a], ways.begin[a + 1]):
        w = ways.listed[place]
        if w == first or (n < MOST_TAKEN - 1 and draw(luck) < 0.3):
            group[n], moved.way[n] = ways.target[w], w
            n += 1
    group[n], moved.way[n] = a, -1
    return n + 1


@inner
def price_way(lots, ways, order, net, w, factor, is_guided, dual, more):
    """Prices of what comes on way w, into more.into."""
    a, b, lead = ways.source[w], ways.target[w], ways.lead[w]
    held = 0.0
    for t in range(order.shape[1]):
        more.into[t] = NEVER
    for t in range(order.shape[1] - lead):
        held = 0.0 if order[a, t] > 0 else held + lots.hold[a]
        if net[a, t] > 0 or net[b, t + lead] < 0:
            continue
        more.into[t + lead] = ways.cost[w] + price_in(lots, b, t + lead, dual) + \
            factor * (ways.guide[w, t] if is_guided else held)


@kernel
def search_moves(lots, links, ways, scratch, more, state, moved, iterations, temperature):
    """Some iterations of the search; changes state, moved and the demand of feeders in lots.

    Parameters
    ----------
    lots : Lots  in the view of a plan
    links : Links
    ways : Ways
    scratch : Scratch
    more : MoveScratch
    state : State
    moved : Moved
    iterations : int
    temperature : float [currency]  a plan that is worse by this much is kept with chance 1/e
    """
    order, cost, room, group, held, dual = state.order, state.cost, state.room, state.group, state.held, state.dual
    luck, periods, rows, net = state.luck, state.order.shape[1], state.room.size, moved.net
    total = missed(links, room)
    for b in range(cost.size):
        total += cost[b]
    for w in range(ways.source.size):
        total += ways.cost[w] * moved.sent[w].sum()
    for _ in range(iterations):
        moved.way[:] = -1
        n = choose_ways(ways, state, moved) if draw(luck) < MOVING else choose(links, state)
        both = add_feeders(links, group, n)
        old, new, is_bad = missed(links, room), 0.0, False
        for j in range(both):
            b = group[j]
            old += cost[b]
            occupy_moves(lots, b, order[b], net[b], 1.0, room)
            for t in range(periods):
                held[j, t], moved.held[j, t] = order[b, t], net[b, t]
            if j < n:
                send(lots, links, b, order[b], -1)
        for j in range(n):
            w = moved.way[j]
            if w < 0:
                continue
            old += ways.cost[w] * moved.sent[w].sum()
            moved.before[j] = moved.sent[w]
            for t in range(periods - ways.lead[w]):
                net[ways.target[w], t + ways.lead[w]] -= moved.sent[w, t]
                net[ways.source[w], t] += moved.sent[w, t]
        factor, is_guided = HIGHEST * draw(luck), draw(luck) < 0.3
        pull, is_priced = 2.0 * draw(luck) - 0.5, draw(luck) < GUIDED
        for j in range(both):
            b, w = group[j], moved.way[j]
            scale = factor * draw(luck) if j == n - 1 else factor
            for row in range(rows):
                dual[1, row] = dual[0, row] * scale
            set_prices(lots, b, dual[1], scratch)
            set_room(lots, b, room, scratch)
            if j < n and links.feeder[b] >= 0:
                price_sent(lots, links, b, order[links.feeder[b]], is_guided, factor, scratch)
            for t in range(periods):
                more.fixed[t], more.into[t], more.out[t] = net[b, t], NEVER, -1.0
            if w >= 0:
                price_way(lots, ways, order, net, w, pull, is_priced, dual[1], more)
            if plan_moves(lots, b, scratch, more, order[b], net[b]) >= NEVER:
                is_bad = True
            elif w >= 0:
                for t in range(periods - ways.lead[w]):
                    units = net[b, t + ways.lead[w]] - more.fixed[t + ways.lead[w]]
                    moved.sent[w, t] = units
                    net[ways.source[w], t] -= units
                new += ways.cost[w] * moved.sent[w].sum()
            occupy_moves(lots, b, order[b], net[b], -1.0, room)
            cost[b] = follow_moves(lots, b, order[b], net[b])
            new += cost[b]
            if j < n:
                send(lots, links, b, order[b], 1)
        new += missed(links, room)
        if not is_bad and new < MUST and (new <= old or draw(luck) < np.exp((old - new) / temperature)):
            total += new - old
            if total < state.best[0] - 1e-9:
                state.best[0] = total
                state.best_order[:] = order
                moved.best[:] = moved.sent
            continue
        for j in range(both):
            b = group[j]
            occupy_moves(lots, b, order[b], net[b], 1.0, room)
            if j < n:
                send(lots, links, b, order[b], -1)
        for j in range(both):
            b = group[j]
            if moved.way[j] >= 0:
                moved.sent[moved.way[j]] = moved.before[j]
            for t in range(periods):
                order[b, t], net[b, t] = held[j, t], moved.held[j, t]
            if j < n:
                send(lots, links, b, order[b], 1)
            occupy_moves(lots, b, order[b], net[b], -1.0, room)
        for j in range(both):
            cost[group[j]] = follow_moves(lots, group[j], order[group[j]], net[group[j]])


def make_ways(instance: Instance, found: Relaxation, into: Ints, out: Ints) -> Ways:
    """Ways with the prices of the bound.

    Parameters
    ----------
    into, out : (cells, periods) int  rows of the bound for what comes and leaves
    """
    transfers = instance.transfers
    guide = np.zeros((len(transfers.source), instance.periods))
    for w, a in enumerate(transfers.source):
        guide[w] = np.where(out[a] >= 0, found.dual[out[a]], 0.0)
    listed = np.argsort(transfers.source, kind="stable")
    begin = np.searchsorted(transfers.source[listed], np.arange(len(instance.skus) + 1))
    return Ways(transfers.source, transfers.target, transfers.lead_time, instance.moving_cost, guide, listed, begin)


def nothing_moved(instance: Instance, most: int) -> Moved:
    """No transfer yet; `most` is the number of cells of a step."""
    ways, periods = len(instance.transfers.source), instance.periods
    sent: Ints = np.zeros((ways, periods), np.int64)
    return Moved(sent, np.zeros(instance.demand.shape, np.int64), sent.copy(), np.zeros((most, periods), np.int64),
                 np.zeros((most, periods), np.int64), np.zeros(most, np.int64))
