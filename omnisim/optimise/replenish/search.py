"""Plans that keep all limits: take a few cells out, put each back as well as what is left of the limits allows.

A cell is put back by the exact programme of `lots`, with the room that the others leave as hard limits and the prices
of the rows, scaled at random, as a sign of what others need. A worse plan is kept with a chance that falls with time
(simulated annealing). Where cells are fed by others, the feeder plans anew what it is asked to send.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from omnisim.compiled import inner, kernel
from omnisim.optimise.replenish.instance import MUST
from omnisim.optimise.replenish.lots import (
    NEVER,
    Floats,
    Ints,
    Lots,
    cost_lots,
    follow,
    occupy,
    plan_lot,
    set_prices,
    set_room,
)

MOST_TAKEN = 5
"""Cells taken out at once."""
HIGHEST = 1.6
"""Largest factor of the prices."""


class Links(NamedTuple):
    """Who stands next to whom.

    `sku` and `node` (cells,) are numbers; `feeder` (cells,) is a cell or −1; `lead` (cells,) [period] from feeder to
    cell; `family` (cells, most + 1) lists the cells of the same article that sell, their number first; `sells` lists
    all cells that sell; `guide` (cells, periods) [currency/unit] is the price of a sent unit in the bound; `soft` lists
    rows that may be broken on the way, at `penalty` [currency/unit].
    """

    sku: Ints
    node: Ints
    feeder: Ints
    lead: Ints
    family: Ints
    sells: Ints
    guide: Floats
    soft: Ints
    penalty: float


class State(NamedTuple):
    """A plan while it is searched: `order` (cells, periods), `cost` (cells,), `room` (rows,), the best one so far."""

    order: Ints
    cost: Floats
    room: Floats
    best_order: Ints
    best: Floats
    luck: np.ndarray
    held: Ints
    group: Ints
    dual: Floats


@inner
def draw(luck):
    """A number from 0 to 1 (xorshift of 64 bits; the search is no simulation, its luck is its own)."""
    x = luck[0]
    x ^= x << np.uint64(13)
    x ^= x >> np.uint64(7)
    x ^= x << np.uint64(17)
    luck[0] = x
    return (x >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@inner
def is_among(group, first, last, cell):
    """Whether the places from first to before last of group hold the cell."""
    found = False
    for j in range(first, last):
        found |= group[j] == cell
    return found


@inner
def choose(links, state):
    """Cells to take out, into state.group: some of one article, one node, one week at a node, or one week; how many."""
    luck, group, order = state.luck, state.group, state.order
    n_sells, periods = links.sells.size, order.shape[1]
    first = links.sells[int(draw(luck) * n_sells)]
    kind, wanted, week = int(draw(luck) * 4.0), 1 + int(draw(luck) * MOST_TAKEN), int(draw(luck) * periods)
    group[0], n = first, 1
    if kind == 0:
        size = links.family[first, 0]
        shift = int(draw(luck) * size)
        for j in range(size):
            c = links.family[first, 1 + (shift + j) % size]
            if n < wanted and c != first:
                group[n] = c
                n += 1
        return n
    for _ in range(12 * wanted):
        if n == wanted:
            break
        c = links.sells[int(draw(luck) * n_sells)]
        if kind <= 2 and links.node[c] != links.node[first]:
            continue
        if kind >= 2 and order[c, week] == 0:
            continue
        if not is_among(group, 0, n, c):
            group[n] = c
            n += 1
    return n


@inner
def missed(links, room):
    """Cost of broken rows."""
    total = 0.0
    for row in links.soft:
        if room[row] < -1e-9:
            total -= room[row]
    return links.penalty * total


@inner
def add_feeders(links, group, n):
    """The feeders of the cells in group, behind them; how many are there then."""
    total = n
    for j in range(n):
        w = links.feeder[group[j]]
        if w < 0:
            continue
        if not is_among(group, n, total, w):
            group[total] = w
            total += 1
    return total


@inner
def send(lots, links, b, order, sign):
    """Add what cell b is sent to the demand of its feeder, or take it away."""
    w = links.feeder[b]
    if w >= 0:
        for t in range(order.size):
            if order[t] > 0:
                lots.demand[w, t - links.lead[b]] += sign * order[t]


@inner
def price_sent(lots, links, b, feeding, is_guided, scale, scratch):
    """Add the price of what cell b is sent: that of the bound, or what it lay at the feeder since its last order."""
    w = links.feeder[b]
    if w < 0:
        return
    held = 0.0
    for t in range(links.lead[b], feeding.size):
        if is_guided:
            scratch.price[t] += scale * links.guide[b, t]
            continue
        at = t - links.lead[b]
        held = 0.0 if feeding[at] > 0 else held + lots.hold[w]
        scratch.price[t] += held


@kernel
def search(lots, links, scratch, state, iterations, temperature):
    """Some iterations of the search; changes state and the demand of feeders in lots.

    Parameters
    ----------
    lots : Lots  in the view of a plan
    links : Links
    scratch : Scratch
    state : State
    iterations : int
    temperature : float [currency]  a plan that is worse by this much is kept with chance 1/e
    """
    order, cost, room, group, held, dual = state.order, state.cost, state.room, state.group, state.held, state.dual
    luck, periods, rows = state.luck, state.order.shape[1], state.room.size
    total = missed(links, room)
    for b in range(cost.size):
        total += cost[b]
    for _ in range(iterations):
        n = choose(links, state)
        both = add_feeders(links, group, n)
        old, new = missed(links, room), 0.0
        for j in range(both):
            b = group[j]
            old += cost[b]
            occupy(lots, b, order[b], 1.0, room)
            for t in range(periods):
                held[j, t] = order[b, t]
            if j < n:
                send(lots, links, b, order[b], -1)
        factor, is_guided = HIGHEST * draw(luck), draw(luck) < 0.3
        for j in range(both):
            b = group[j]
            scale = factor * draw(luck) if j == n - 1 else factor
            for row in range(rows):
                dual[1, row] = dual[0, row] * scale
            set_prices(lots, b, dual[1], scratch)
            set_room(lots, b, room, scratch)
            if j < n and links.feeder[b] >= 0:
                price_sent(lots, links, b, order[links.feeder[b]], is_guided, factor, scratch)
            value = plan_lot(lots, b, scratch, order[b])
            occupy(lots, b, order[b], -1.0, room)
            cost[b] = follow(lots, b, order[b])[0] if value < NEVER else NEVER
            new += cost[b]
            if j < n:
                send(lots, links, b, order[b], 1)
        new += missed(links, room)
        if new < MUST and (new <= old or draw(luck) < np.exp((old - new) / temperature)):
            total += new - old
            if total < state.best[0] - 1e-9:
                state.best[0] = total
                state.best_order[:] = order
            continue
        for j in range(both):
            b = group[j]
            occupy(lots, b, order[b], 1.0, room)
            if j < n:
                send(lots, links, b, order[b], -1)
        for j in range(both):
            b = group[j]
            for t in range(periods):
                order[b, t] = held[j, t]
            if j < n:
                send(lots, links, b, order[b], 1)
            occupy(lots, b, order[b], -1.0, room)
        for j in range(both):
            cost[group[j]] = follow(lots, group[j], order[group[j]])[0]


@kernel
def insert(lots, links, scratch, state, sequence, wanted):
    """A first plan: each cell in turn gets the orders wanted where they fit, and the best that fit otherwise.

    Parameters
    ----------
    sequence : int (n,)  cells in turn, feeders last
    wanted : int (cells, periods) [unit]
    """
    order, cost, room = state.order, state.cost, state.room
    for b in sequence:
        set_room(lots, b, room, scratch)
        fits = links.feeder[b] >= 0 or lots.lost[b] < MUST
        for t in range(order.shape[1]):
            if wanted[b, t] > scratch.most[t] or lots.space_row[b, t] >= 0:
                fits = False
        if fits and lots.lost[b] < MUST:
            order[b, :] = wanted[b]
        else:
            set_prices(lots, b, state.dual[0], scratch)
            if plan_lot(lots, b, scratch, order[b]) >= NEVER:
                order[b, :] = 0
        cost[b] = follow(lots, b, order[b])[0]
        occupy(lots, b, order[b], -1.0, room)
        send(lots, links, b, order[b], 1)


def open_state(lots: Lots, dual: Floats, seed: int) -> State:
    """A plan that orders nothing, with prices for the search.

    Parameters
    ----------
    dual : (rows,) float [currency/unit of the row]
    seed : int  luck of the search
    """
    cells, periods = lots.demand.shape
    order: Ints = np.zeros((cells, periods), np.int64)
    cost, room = np.zeros(cells), lots.limit.copy()
    size = 2 * MOST_TAKEN + 2
    return State(order, cost, room, order.copy(), np.full(1, np.inf),
                 np.array([88172645463325252 + 7919 * seed], np.uint64), np.zeros((size, periods), np.int64),
                 np.zeros(size, np.int64), np.stack([dual, dual]))


def settle(lots: Lots, links: Links, state: State) -> float:
    """Take the plan in `state` as the start of a search: costs and room anew. Its cost, broken rows included."""
    state.room[:] = lots.limit
    cost_lots(lots, state.order, state.cost, state.room)
    total = float(state.cost.sum() + links.penalty * np.maximum(-state.room[links.soft], 0.0).sum())
    state.best[0] = total
    state.best_order[:] = state.order
    return total


def forget(lots: Lots, state: State) -> None:
    """Go back to a plan that orders nothing."""
    state.order[:] = 0
    state.room[:] = lots.limit


def make_links(lots: Lots, sku: Ints, node: Ints, feeder: Ints, lead: Ints, guide: Floats, penalty: float, *,
               has_transfers: bool = False) -> Links:
    """Who stands next to whom, from numbers of articles and nodes."""
    cells = len(sku)
    is_feeder = np.zeros(cells, bool)
    is_feeder[feeder[feeder >= 0]] = True
    sells = np.flatnonzero(~is_feeder)
    widest = int(np.bincount(sku[sells]).max())
    family = np.zeros((cells, widest + 1), np.int64)
    for number in np.unique(sku):
        members = sells[sku[sells] == number]
        family[np.ix_(sku == number, np.arange(1, len(members) + 1))] = members
        family[sku == number, 0] = len(members)
    soft = set(lots.lost_row[lots.lost_row >= 0].tolist())
    for row in lots.order_row.reshape(-1, lots.demand.shape[1]):  # several orders of a cell may share a row
        numbers, counts = np.unique(row[row >= 0], return_counts=True)
        soft |= set(numbers[counts > 1].tolist())
    soft |= set(np.flatnonzero(lots.takes_in).tolist()) if has_transfers else set()
    listed: Ints = np.array(sorted(soft), np.int64)
    return Links(sku, node, feeder, lead, family, sells.astype(np.int64), guide, listed, penalty)

