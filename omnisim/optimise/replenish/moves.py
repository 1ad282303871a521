"""The best orders and transfers of one article at one node when capacity, money and transfers have prices.

As `lots`, with one move more: after the orders of a period have come, units may come in at a price, or leave for
another. With u the stock before and x the stock after it, g as in `lots`, a the price of a unit that comes and e that
of one that leaves:

    f(s) = min{ m(s), K + min over u in [s + moq, s + most] of v·(u − s) + m(u) },
    m(u) = min{ g(u), min over x > u of a·(x − u) + g(x), min over x < u of −e·(u − x) + g(x) }.

Both inner minima of m run along u, so a state costs the same whatever the number of units moved.

A plan of such a cell is one row of twice the periods: what is ordered, then what transfers bring, less what they take.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import inner, kernel
from omnisim.optimise.replenish.lots import (
    NEVER,
    Floats,
    Ints,
    Lots,
    Scratch,
    make_scratch,
    open_tables,
    order_units,
    set_prices,
    set_room,
)


class MoveScratch(NamedTuple):
    """Further room that one thread works in.

    `into` and `out` (periods,) are prices of a unit that comes or leaves, NEVER and −1 where none may; `fixed`
    (periods,) is what comes, less what leaves, whatever the prices; `then` and `chosen` are written.
    """

    into: Floats
    out: Floats
    fixed: Ints
    then: Floats
    chosen: NDArray[np.int32]


@inner
def plan_moves(lots, b, scratch, more, order, net):
    """The cheapest orders and transfers of cell b at the prices in scratch and more; writes them.

    Parameters
    ----------
    lots : Lots
    b : int  cell
    scratch : Scratch
    more : MoveScratch
    order, net : int64 (periods,) [unit]  written where some plan is feasible

    Returns
    -------
    float  cost at these prices; at least NEVER where nothing is feasible
    """
    now, before, after, queue, top, choice, price, keep, lost, most, space = scratch
    demand, receipt, level = lots.demand[b], lots.receipt[b], lots.level[b]
    hold, fixed, moq, batch = lots.hold[b], lots.fixed[b], lots.moq[b], lots.batch[b]
    safety, short = lots.safety[b], lots.short[b]
    periods = demand.size
    open_tables(lots, b, top, after)
    shift = 0
    for t in range(periods - 1, -1, -1):
        d, n = demand[t], top[t]
        for x in range(n + 1):
            left = max(x - d, 0)
            now[x] = lost[t] * max(d - x, 0) + hold * left + short * max(safety - left, 0) + after[left + shift]
        _move(now, more, t, n, keep[t], space[t])
        for s in range(n + 1):
            before[s] = more.then[s]
            choice[t, s] = 0
        highest = min(level[t], space[t])
        if most[t] >= moq and highest >= moq:
            order_units(more.then, before, choice[t], queue, highest, moq, most[t], batch, price[t], fixed)
        after, before = before, after
        shift = receipt[t]
    stock = lots.start[b]
    cost = after[stock + receipt[0]]
    if cost >= NEVER:
        return cost
    for t in range(periods):
        stock += receipt[t]
        order[t] = choice[t, stock]
        stock += order[t]
        net[t] = more.chosen[t, stock] + more.fixed[t]
        stock = max(stock + net[t] - demand[t], 0)
    return cost


@inner
def _move(now, more, t, n, keep, space):
    """The least cost of a stock before transfers, into more.then, and what to move, into more.chosen."""
    then, chosen, shift = more.then, more.chosen[t], more.fixed[t]
    most = min(n, space)
    for u in range(n + 1):
        x = u + shift
        then[u] = now[x] + keep * max(u, x) if 0 <= x <= most and u <= space else NEVER
        chosen[u] = 0
    if more.into[t] < NEVER:
        best, at, low = NEVER, 0, most + 1
        for u in range(n, -1, -1):
            x = u + shift
            while low > max(x, 0):
                low -= 1
                value = now[low] + (keep + more.into[t]) * low
                if value < best:
                    best, at = value, low
            value = best - more.into[t] * x
            if u <= space and best < NEVER and value < then[u]:
                then[u] = value
                chosen[u] = at - x
    if more.out[t] >= 0.0:
        best, at, high = NEVER, 0, -1
        for u in range(min(n, space) + 1):
            x = u + shift
            while high < min(x, most):
                high += 1
                value = now[high] + more.out[t] * high
                if value < best:
                    best, at = value, high
            value = best - more.out[t] * x + keep * u
            if best < NEVER and value < then[u]:
                then[u] = value
                chosen[u] = at - x


@inner
def follow_moves(lots, b, order, net):
    """Cost of the orders and transfers of cell b, without prices; NEVER where it sends what it does not have."""
    stock, cost = lots.start[b], 0.0
    for t in range(order.size):
        stock += lots.receipt[b, t] + order[t] + net[t]
        if stock < 0:
            return NEVER
        if order[t] > 0:
            cost += lots.fixed[b]
        missing = max(lots.demand[b, t] - stock, 0)
        stock = max(stock - lots.demand[b, t], 0)
        cost += lots.lost[b] * missing + lots.hold[b] * stock + lots.short[b] * max(lots.safety[b] - stock, 0)
    return cost + lots.leftover[b] * stock


@inner
def occupy_moves(lots, b, order, net, sign, room):
    """Take what the orders and transfers of cell b use out of the room of the rows (−1), or give it back (+1)."""
    stock = lots.start[b]
    for t in range(order.size):
        stock += lots.receipt[b, t] + order[t]
        come, gone = max(net[t], 0), max(-net[t], 0)
        for k in range(lots.order_row.shape[0]):
            row = lots.order_row[k, b, t]
            if row >= 0:
                room[row] += sign * lots.order_use[k, b] * (order[t] + lots.takes_in[row] * come)
        if lots.space_row[b, t] >= 0:
            room[lots.space_row[b, t]] += sign * lots.space_use[b] * (stock + come)
        if lots.into_row[b, t] >= 0:
            room[lots.into_row[b, t]] += sign * come
        if lots.out_row[b, t] >= 0:
            room[lots.out_row[b, t]] -= sign * gone
        stock += net[t]
        missing = max(lots.demand[b, t] - stock, 0)
        stock = max(stock - lots.demand[b, t], 0)
        for m in range(lots.lost_row.shape[0]):
            if lots.lost_row[m, b, t] >= 0:
                room[lots.lost_row[m, b, t]] += sign * lots.lost_use[m, b] * missing


@inner
def price_in(lots, b, t, dual):
    """What the room costs that a unit takes that comes to cell b by transfer."""
    cost = 0.0
    for k in range(lots.order_row.shape[0]):
        row = lots.order_row[k, b, t]
        if row >= 0:
            cost += lots.order_use[k, b] * lots.takes_in[row] * dual[row]
    return cost


@kernel
def price_moves(lots, dual, room, scratch, more, plan, value):
    """The best plan of every cell at the duals, each alone within `room`.

    Parameters
    ----------
    dual : float (rows,) [currency/unit of the row]
    room : float (rows,)  what the orders of a cell may use of each row
    plan : int64 (cells, 2 · periods) [unit]  written
    value : float (cells,) [currency]  cost at the duals, written
    """
    periods = lots.demand.shape[1]
    for b in range(lots.start.size):
        set_prices(lots, b, dual, scratch)
        set_room(lots, b, room, scratch)
        for t in range(periods):
            into, out = lots.into_row[b, t], lots.out_row[b, t]
            more.into[t] = dual[into] + price_in(lots, b, t, dual) if into >= 0 else NEVER
            more.out[t] = dual[out] if out >= 0 else -1.0
            more.fixed[t] = 0
        value[b] = plan_moves(lots, b, scratch, more, plan[b, :periods], plan[b, periods:])


@kernel
def cost_moves(lots, plan, cost, room):
    """Cost of each cell's plan, written, and what all together leave of the rows, taken from `room`."""
    periods = lots.demand.shape[1]
    for b in range(lots.start.size):
        cost[b] = follow_moves(lots, b, plan[b, :periods], plan[b, periods:])
        occupy_moves(lots, b, plan[b, :periods], plan[b, periods:], -1.0, room)


def make_move_scratch(lots: Lots) -> tuple[Scratch, MoveScratch]:
    """Room for the largest cell."""
    scratch, periods = make_scratch(lots), lots.demand.shape[1]
    return scratch, MoveScratch(np.zeros(periods), np.zeros(periods), np.zeros(periods, np.int64),
                                np.zeros_like(scratch.now), np.zeros_like(scratch.choice))
