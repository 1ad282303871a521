"""One period, S-shaped curves: the best spend by branch and bound over ranges of a channel's stock.

At a price λ of spend every channel can be asked alone, g(λ) = λ · budget + Σ max (R(a) − λ a), and no plan brings more
than g at any price. An S-shaped curve on a range answers with the range's lower end or a point of its concave part, so
g is exact in closed form and its least value is the optimum with every curve replaced by its concave envelope on the
range (Udell and Boyd 2013, "Maximizing a sum of sigmoids"). There at most one channel is asked to lie between its two
answers, on a straight piece of its envelope where the plan earns less than the bound; that channel's range is cut at
the point in question, and its envelope tightens on both sides. The tree stays small: all other channels keep their
envelopes, and the loss at the root is one channel's (Srivastava and Bullo 2014, "Knapsack problems with sigmoid
utilities").

A fee for opening a channel and a limit on how many are open fit the same frame: a channel answers with the better of
closed and open, and at a given λ the best k open channels are those that gain most by it.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import formula, inner, kernel
from omnisim.response import Floats, inflection, inverse_slope, response

Ints = NDArray[np.int64]

OPEN, EITHER, CLOSED = 0, 1, 2
"""May a channel be closed: it is open, the plan decides, it is closed."""
CAP, FLOOR, OPENED, SHUT = 0, 1, 2, 3
"""What a node changes in the node above it: a range's upper end, its lower end, or `EITHER` to open or closed.

The two nodes of a cut are `CAP` and `FLOOR`, or `OPENED` and `SHUT`."""
CLOSE = 1e-10
"""Relative distance from the least bound at which the search for its price stops."""
ROUNDED = 1e-13
"""Share by which a sum of stocks may exceed the budget through rounding."""
EDGE = 0.02
"""A cut keeps this share of the way between a channel's two answers from both."""


class Items(NamedTuple):
    """Channels of one period, each a curve over a range of stock (spend plus what is carried in)."""

    form: NDArray[np.int8]
    """(n,)"""
    scale: Floats
    """(n,)"""
    half: Floats
    """(n,)"""
    shape: Floats
    """(n,)"""
    low: Floats
    """(n,)  least stock of an open channel"""
    high: Floats
    """(n,)  most stock"""
    rest: Floats
    """(n,)  stock of a closed channel: what is carried in"""
    charge: Floats
    """(n,) [response/currency]  what spend costs, beside the price of the budget"""
    fee: Floats
    """(n,) [response]  cost of opening"""
    state: Ints
    """(n,)  `OPEN`, `EITHER` or `CLOSED`"""


class Tree(NamedTuple):
    """Nodes of the search; a node is the change it makes in its parent, and where it would be cut."""

    parent: Ints
    channel: Ints
    kind: Ints
    value: Floats
    bound: Floats
    price: Floats
    cut: Ints
    """channel to cut, −1 where the node's plan attains its bound"""
    cut_kind: Ints
    cut_value: Floats
    alive: NDArray[np.bool_]


@formula
def best(form, scale, half, shape, low, high, price):
    """Stock in [low, high] that earns most at a price of spend.

    On a range an S-shaped curve less a line has its maximum at the lower end or on the concave part, where the slope
    decides: two points are compared and nothing else.
    """
    if high <= low:
        return low
    bend = inflection(form, half, shape)
    top = high if bend >= high or price <= 0.0 else min(
        max(inverse_slope(form, scale, half, shape, price), bend, low), high)
    if bend <= low:
        return top
    gain = response(form, scale, half, shape, top) - response(form, scale, half, shape, low)
    return top if gain > price * (top - low) else low


@inner
def ask(items, price, most, stock, gain):
    """Every channel's best answer at a price, at most `most` open; fills `stock` and `gain` (of being open), both (n,).

    Returns
    -------
    spent : float  Σ stock
    worth : float  Σ (response − fee − price · stock)
    """
    free = most
    choices = 0
    for c in range(stock.size):
        gain[c] = -math.inf
        closed = response(items.form[c], items.scale[c], items.half[c], items.shape[c], items.rest[c])
        stock[c] = items.rest[c]
        if items.state[c] == CLOSED:
            continue
        a = best(items.form[c], items.scale[c], items.half[c], items.shape[c], items.low[c], items.high[c],
                 price + items.charge[c])
        if items.state[c] == OPEN:
            stock[c] = a
            free -= 1
            continue
        value = response(items.form[c], items.scale[c], items.half[c], items.shape[c], a) - items.fee[c]
        gain[c] = value - closed - (price + items.charge[c]) * (a - items.rest[c])
        if gain[c] > 0.0:
            choices += 1
            stock[c] = a
    while choices > max(free, 0):  # shut the one that gains least
        least = -1
        for c in range(stock.size):
            if gain[c] > 0.0 and (least < 0 or gain[c] < gain[least]):
                least = c
        gain[least] = -1.0
        stock[least] = items.rest[least]
        choices -= 1
    spent = 0.0
    worth = 0.0
    for c in range(stock.size):
        spent += stock[c]
        worth += value_of(items, c, stock[c], gain[c] > 0.0) - price * stock[c]
    return spent, worth


@inner
def value_of(items, c, stock, chosen):
    """Response of a channel less charge and fee; one that may be closed pays the fee only if it was chosen."""
    value = response(items.form[c], items.scale[c], items.half[c], items.shape[c], stock)
    value -= items.charge[c] * (stock - items.rest[c])
    if items.state[c] == OPEN or (items.state[c] == EITHER and chosen):
        value -= items.fee[c]
    return value


@kernel
def relax(items, budget, most, start):
    """Least bound over prices, by tangents and bisection from a price to start with.

    Returns
    -------
    bound : float  λ · budget + Σ (response − λ · stock) at the best price found
    price : float
    thrifty, lavish : (n,) float  answers just above and just below that price: within the budget, and beyond it
    thrifty_gain, lavish_gain : (n,) float  gain of each channel that may be closed in them: above 0, it is open
    """
    n = items.low.size
    thrifty, lavish, stock = np.empty(n), np.empty(n), np.empty(n)
    thrifty_gain, lavish_gain, gain = np.empty(n), np.empty(n), np.empty(n)
    low_price, low_bound, low_spent = -1.0, math.inf, 0.0
    high_price, high_bound, high_spent = -1.0, math.inf, 0.0
    price = start
    factor = 1.0 + 1.0 / 64.0
    for turn in range(200):
        spent, worth = ask(items, price, most, stock, gain)
        bound = worth + price * budget
        if spent <= budget * (1.0 + ROUNDED):  # a part of the tree may hold one plan alone
            high_price, high_bound, high_spent = price, bound, spent
            thrifty[:], thrifty_gain[:] = stock, gain
            if price == 0.0:
                return bound, price, thrifty, thrifty.copy(), thrifty_gain, thrifty_gain.copy()
        else:
            low_price, low_bound, low_spent = price, bound, spent
            lavish[:], lavish_gain[:] = stock, gain
        if low_price < 0.0:  # widen until both sides are known
            price = price / factor if price > 1e-150 else 0.0
            factor = factor * factor
            continue
        if high_price < 0.0:
            if price > 1e200:
                return -math.inf, price, lavish, lavish, lavish_gain, lavish_gain
            price *= factor
            factor = factor * factor
            continue
        width = high_price - low_price
        rise, fall = budget - high_spent, budget - low_spent  # slopes of the bound: ≥ 0 above, < 0 below
        meet = low_price + (high_bound - low_bound - rise * width) / (fall - rise)
        floor = low_bound + fall * (meet - low_price)
        reached = min(low_bound, high_bound)
        if reached - floor <= CLOSE * abs(reached) or width <= 1e-15 * high_price:
            break
        if turn % 3 == 2:
            meet = math.sqrt(low_price * high_price) if low_price > 0.0 else 0.5 * high_price
        elif turn % 3 == 1:  # where the spend, drawn as a line, meets the budget
            meet = low_price - fall * width / (rise - fall)
        price = meet if low_price < meet < high_price else 0.5 * (low_price + high_price)
    price = low_price if low_bound < high_bound else high_price
    return min(low_bound, high_bound), price, thrifty, lavish, thrifty_gain, lavish_gain


@kernel
def fill(items, budget, most, thrifty, lavish, thrifty_gain, lavish_gain):
    """A plan within the budget between the two answers of `relax`, and the channel that stands in its way.

    Channels change from the thrifty to the lavish answer one after another, the largest change first, as long as the
    budget lasts; the first that it does not last for gets what is left at the end.

    Returns
    -------
    stock : (n,) float
    is_open : (n,) bool
    objective : float
    channel : int  to cut, −1 if none
    kind : int  `CAP` to cut its range, `OPENED` to decide whether it is open
    value : float  where to cut
    """
    n = thrifty.size
    stock = thrifty.copy()
    is_open = np.empty(n, np.bool_)
    count = 0
    left = budget
    for c in range(n):
        is_open[c] = items.state[c] == OPEN or thrifty_gain[c] > 0.0
        count += is_open[c]
        left -= stock[c]
    cut = -1
    for c in np.argsort(-np.abs(lavish - thrifty)):
        step = lavish[c] - thrifty[c]
        opens = items.state[c] == OPEN or lavish_gain[c] > 0.0
        if step == 0.0 and opens == is_open[c]:
            continue
        if step <= left and count - is_open[c] + opens <= most and (step >= 0.0 or opens):
            count += opens - is_open[c]
            stock[c], is_open[c] = lavish[c], opens
            left -= step
        elif cut < 0:
            cut = c
    kind, value = CAP, 0.0
    if cut >= 0:
        c = cut
        step = lavish[c] - thrifty[c]
        if items.state[c] == EITHER and (lavish_gain[c] > 0.0) != (thrifty_gain[c] > 0.0):
            kind = OPENED
            whole = thrifty[c] + left
            if not is_open[c] and count < most and items.low[c] <= whole and \
                    value_of(items, c, whole, True) > value_of(items, c, stock[c], False):
                stock[c], is_open[c] = whole, True
        elif step > 0.0:
            stock[c] = min(thrifty[c] + max(left, 0.0), lavish[c])
            value = min(max(stock[c], thrifty[c] + EDGE * step), lavish[c] - EDGE * step)
        else:
            value = thrifty[c] + 0.5 * step
    objective = 0.0
    for c in range(n):
        objective += value_of(items, c, stock[c], is_open[c])
    return stock, is_open, objective, cut, kind, value


@inner
def narrow(items, tree, node, low, high, state):
    """Ranges and states of a node: the root's, changed by it and all nodes above; fills the last three."""
    for c in range(low.size):
        low[c], high[c], state[c] = items.low[c], items.high[c], items.state[c]
    while tree.parent[node] >= 0:
        c = tree.channel[node]
        if tree.kind[node] == CAP:
            high[c] = min(high[c], tree.value[node])
        elif tree.kind[node] == FLOOR:
            low[c] = max(low[c], tree.value[node])
        else:
            state[c] = OPEN if tree.kind[node] == OPENED else CLOSED
        node = tree.parent[node]


@kernel
def explore(items, budget, most, tree, count, incumbent, is_open, objective, keep, rounds):
    """Cut the node of the highest bound, `rounds` times or until none exceeds the plan by more than the share `keep`.

    Mutates the tree and, where a better plan is found, `incumbent` and `is_open`.

    Returns
    -------
    count : int  nodes in the tree
    objective : float  of the incumbent
    bound : float  highest of the open nodes and the incumbent
    """
    n = items.low.size
    low, high, state = np.empty(n), np.empty(n), np.empty(n, np.int64)
    bound = objective
    for turn in range(rounds + 1):
        top = -1
        for k in range(count):
            if tree.alive[k] and (top < 0 or tree.bound[k] > tree.bound[top]):
                top = k
        if count > 0 and (top < 0 or tree.bound[top] <= objective + keep * abs(objective)):
            return count, objective, objective if top < 0 else max(objective, tree.bound[top])
        bound = math.inf if count == 0 else max(objective, tree.bound[top])
        if turn == rounds or count + 2 > tree.parent.size or (count > 0 and tree.cut[top] < 0):
            break
        for side in range(1 if count == 0 else 2):
            k = count
            tree.parent[k] = top
            start = 1.0
            if top >= 0:
                start = max(tree.price[top], 1e-100)
                tree.channel[k], tree.value[k] = tree.cut[top], tree.cut_value[top]
                tree.kind[k] = tree.cut_kind[top] + side
            narrow(items, tree, k, low, high, state)
            here = Items(items.form, items.scale, items.half, items.shape, low, high, items.rest, items.charge,
                         items.fee, state)
            found, price, thrifty, lavish, thrifty_gain, lavish_gain = relax(here, budget, most, start)
            if top >= 0:
                found = min(found, tree.bound[top])
            tree.bound[k], tree.price[k], tree.alive[k] = found, price, found > -math.inf
            if found > -math.inf:
                plan, opened, value, cut, kind, point = fill(
                    here, budget, most, thrifty, lavish, thrifty_gain, lavish_gain)
                tree.cut[k], tree.cut_kind[k], tree.cut_value[k] = cut, kind, point
                if value > objective:
                    objective = value
                    incumbent[:], is_open[:] = plan, opened
            count += 1
        if top >= 0:
            tree.alive[top] = False
    return count, objective, bound


def grow_tree(size: int) -> Tree:
    """An empty tree for at most so many nodes."""
    whole = [np.zeros(size, np.int64) for _ in range(5)]
    real = [np.zeros(size) for _ in range(4)]
    return Tree(whole[0], whole[1], whole[2], real[0], real[1], real[2], whole[3], whole[4], real[3],
                np.zeros(size, np.bool_))
