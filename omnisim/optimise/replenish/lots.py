"""The best orders of one article at one node when capacity and money have prices: exact, over whole units.

One programme over weeks backwards with the stock as state. With x the stock after this week's order, d demand, h
holding, l lost sale, v the price of a unit, K of an order:

    g(x) = h·max(x − d, 0) + l·max(d − x, 0) + f'(max(x − d, 0)),
    f(s) = min{ g(s), K − v·s + min over x in [s + moq, s + most] of v·x + g(x) }.

The inner minimum moves along s and is kept by a monotone queue, so a state costs the same whatever the smallest order.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import inner, kernel

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
NEVER = 1e15
"""Cost of what is not allowed."""


class Lots(NamedTuple):
    """All articles at all nodes ("cells") and the limits they share, as arrays that kernels read.

    Orders are counted in the period in which they arrive. In each period a cell takes part in up to k rows by what it
    orders, in up to m by its lost units, and in one by the room of its stock after receipt; row −1 is none.
    """

    demand: Ints
    """(cells, periods) [unit]"""
    receipt: Ints
    """(cells, periods) [unit] already on their way"""
    start: Ints
    """(cells,) [unit] on hand before the first period"""
    hold: Floats
    """(cells,) [currency/unit/period] of stock at the end of a period"""
    lost: Floats
    """(cells,) [currency/unit]"""
    fixed: Floats
    """(cells,) [currency/order]"""
    leftover: Floats
    """(cells,) [currency/unit] of stock after the last period"""
    safety: Ints
    """(cells,) [unit] that the end of a period should hold"""
    short: Floats
    """(cells,) [currency/unit/period] below it"""
    moq: Ints
    """(cells,) [unit] smallest order, a multiple of batch"""
    batch: Ints
    """(cells,) [unit]"""
    most: Ints
    """(cells, periods) [unit] largest order, a multiple of batch; 0 where nothing can arrive"""
    level: Ints
    """(cells, periods) [unit] highest stock that an order may reach"""
    order_row: Ints
    """(k, cells, periods)"""
    order_use: Floats
    """(k, cells)"""
    lost_row: Ints
    """(m, cells, periods)"""
    lost_use: Floats
    """(m, cells)"""
    space_row: Ints
    """(cells, periods)"""
    space_use: Floats
    """(cells,)"""
    into_row: Ints
    """(cells, periods) of what comes by transfer"""
    out_row: Ints
    """(cells, periods) of what leaves by transfer"""
    takes_in: Floats
    """(rows,) 1 where what comes by transfer counts as what is ordered; else 0"""
    limit: Floats
    """(rows,)"""


class Scratch(NamedTuple):
    """Room that one thread works in."""

    now: Floats
    before: Floats
    after: Floats
    queue: Ints
    top: Ints
    choice: NDArray[np.int32]
    price: Floats
    keep: Floats
    lost: Floats
    most: Ints
    space: Ints


@inner
def open_tables(lots, b, top, after):
    """Write the most that cell b may hold in each period, and what is left at the end is worth, by units."""
    stock = lots.start[b]
    for t in range(lots.demand.shape[1]):
        top[t] = max(stock + lots.receipt[b, t], lots.level[b, t])
        stock = max(top[t] - lots.demand[b, t], 0)
    for s in range(stock + 1):
        after[s] = lots.leftover[b] * s


@inner
def plan_lot(lots, b, scratch, order):
    """The cheapest orders of cell b at the prices, largest orders and room in scratch; writes them into `order`.

    Parameters
    ----------
    lots : Lots
    b : int  cell
    scratch : Scratch  price, keep, lost [currency/unit], most and space [unit] are read, the rest is written
    order : int64 (periods,) [unit]

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
        base = after[shift] + short * safety
        for x in range(min(d, n + 1)):
            now[x] = lost[t] * (d - x) + keep[t] * x + base
        for x in range(d, n + 1):
            now[x] = hold * (x - d) + keep[t] * x + after[x - d + shift]
        for x in range(d, min(n + 1, d + safety)):
            now[x] += short * (safety - (x - d))
        for x in range(space[t] + 1, n + 1):
            now[x] = NEVER
        for s in range(n + 1):
            before[s] = now[s]
            choice[t, s] = 0
        highest = min(level[t], space[t])
        if most[t] >= moq and highest >= moq:
            order_units(now, before, choice[t], queue, highest, moq, most[t], batch, price[t], fixed)
        after, before = before, after
        shift = receipt[t]
    stock = lots.start[b]
    cost = after[stock + receipt[0]]
    for t in range(periods):
        stock += receipt[t]
        order[t] = choice[t, stock]
        stock = max(stock + order[t] - demand[t], 0)
    return cost


@inner
def order_units(now, before, choice, queue, highest, moq, most, batch, price, fixed):
    """Improve `before` by an order where one pays; by classes of stock that batches connect."""
    for x in range(moq, highest + 1):
        now[x] += price * x
    for first in range(min(batch, highest - moq + 1)):
        last = first + (highest - moq - first) // batch * batch
        if most >= highest:
            best, at = NEVER, 0
            for s in range(last, -1, -batch):
                if now[s + moq] <= best:
                    best, at = now[s + moq], s + moq
                value = fixed + best - price * s
                if value < before[s]:
                    before[s] = value
                    choice[s] = at - s
            continue
        head, tail = 0, 0
        for s in range(last, -1, -batch):
            while tail > head and now[queue[tail - 1]] >= now[s + moq]:
                tail -= 1
            queue[tail] = s + moq
            tail += 1
            if queue[head] > s + most:
                head += 1
            value = fixed + now[queue[head]] - price * s
            if value < before[s]:
                before[s] = value
                choice[s] = queue[head] - s


@inner
def follow(lots, b, order):
    """Cost and lost units of the orders of cell b, without prices."""
    stock, cost, lost = lots.start[b], 0.0, 0
    for t in range(order.size):
        stock += lots.receipt[b, t] + order[t]
        if order[t] > 0:
            cost += lots.fixed[b]
        missing = max(lots.demand[b, t] - stock, 0)
        stock = max(stock - lots.demand[b, t], 0)
        lost += missing
        cost += lots.lost[b] * missing + lots.hold[b] * stock + lots.short[b] * max(lots.safety[b] - stock, 0)
    return cost + lots.leftover[b] * stock, lost


@inner
def set_prices(lots, b, dual, scratch):
    """Prices of cell b at the duals of the rows, into scratch."""
    for t in range(lots.demand.shape[1]):
        price, keep, lost = 0.0, 0.0, lots.lost[b]
        for k in range(lots.order_row.shape[0]):
            if lots.order_row[k, b, t] >= 0:
                price += lots.order_use[k, b] * dual[lots.order_row[k, b, t]]
        if lots.space_row[b, t] >= 0:
            keep = lots.space_use[b] * dual[lots.space_row[b, t]]
        for m in range(lots.lost_row.shape[0]):
            if lots.lost_row[m, b, t] >= 0:
                lost += lots.lost_use[m, b] * dual[lots.lost_row[m, b, t]]
        scratch.price[t], scratch.keep[t], scratch.lost[t] = price, keep, lost


@inner
def set_room(lots, b, room, scratch):
    """Largest orders and stock of cell b that what is left of the rows allows, into scratch."""
    batch = lots.batch[b]
    for t in range(lots.demand.shape[1]):
        most, space = lots.most[b, t], 1 << 40
        for k in range(lots.order_row.shape[0]):
            row = lots.order_row[k, b, t]
            if row >= 0 and lots.order_use[k, b] > 0.0:
                left = max(room[row], 0.0) + 1e-9 * lots.limit[row]
                if lots.order_use[k, b] * most > left:
                    most = int(left / lots.order_use[k, b])
        if lots.space_row[b, t] >= 0 and lots.space_use[b] > 0.0:
            row = lots.space_row[b, t]
            space = int((max(room[row], 0.0) + 1e-9 * lots.limit[row]) / lots.space_use[b])
        scratch.most[t], scratch.space[t] = most // batch * batch, space


@inner
def occupy(lots, b, order, sign, room):
    """Take what the orders of cell b use out of the room of the rows (sign −1), or give it back (+1)."""
    stock = lots.start[b]
    for t in range(order.size):
        stock += lots.receipt[b, t] + order[t]
        if order[t] > 0:
            for k in range(lots.order_row.shape[0]):
                if lots.order_row[k, b, t] >= 0:
                    room[lots.order_row[k, b, t]] += sign * lots.order_use[k, b] * order[t]
        if lots.space_row[b, t] >= 0:
            room[lots.space_row[b, t]] += sign * lots.space_use[b] * stock
        missing = max(lots.demand[b, t] - stock, 0)
        stock = max(stock - lots.demand[b, t], 0)
        for m in range(lots.lost_row.shape[0]):
            if lots.lost_row[m, b, t] >= 0:
                room[lots.lost_row[m, b, t]] += sign * lots.lost_use[m, b] * missing


@kernel
def price_lots(lots, dual, room, scratch, order, value):
    """The best orders of every cell at the duals, each alone within `room`.

    Parameters
    ----------
    dual : float (rows,) [currency/unit of the row]
    room : float (rows,)  what a cell may use of each row
    order : int64 (cells, periods) [unit]  written
    value : float (cells,) [currency]  cost at the duals, written
    """
    for b in range(lots.start.size):
        set_prices(lots, b, dual, scratch)
        set_room(lots, b, room, scratch)
        value[b] = plan_lot(lots, b, scratch, order[b])


@kernel
def cost_lots(lots, order, cost, room):
    """Cost of each cell's orders, written, and what all together leave of the rows, taken from `room`."""
    for b in range(lots.start.size):
        cost[b] = follow(lots, b, order[b])[0]
        occupy(lots, b, order[b], -1.0, room)


def make_scratch(lots: Lots) -> Scratch:
    """Room for the largest cell."""
    periods = lots.demand.shape[1]
    stock = lots.start.copy()
    top = 0
    for t in range(periods):
        high = np.maximum(stock + lots.receipt[:, t], lots.level[:, t])
        top = max(top, int(high.max(initial=0)))
        stock = np.maximum(high - lots.demand[:, t], 0)
    size = top + 2
    units, money = np.zeros(periods, np.int64), np.zeros(periods)
    return Scratch(np.zeros(size), np.zeros(size), np.zeros(size), np.zeros(size, np.int64), units.copy(),
                   np.zeros((periods, size), np.int32), money.copy(), money.copy(), money.copy(), units.copy(),
                   units.copy())
