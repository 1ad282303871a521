"""Climb from a plan to the nearest one that no small change improves, whatever the curves' shape.

Each step replaces every period's curve by a parabola in the channel's stock and moves to that problem's optimum, then
back along the way as far as the true response asks for (sequential quadratic programming with a diagonal Hessian:
Nocedal and Wright 2006, "Numerical Optimization", ch. 18). In stocks the parabolas do not touch each other; what
couples them is one budget, whose price is found by bisection, and the chain floor ≤ a(t) − θ a(t−1) ≤ cap of each
channel, which is solved exactly in one pass over the periods (Johnson 2013, "A dynamic programming algorithm for the
fused lasso", whose penalty is a limit here). A convex stretch gets the parabola of its mirror image: the step still
climbs, and only its length is a guess.
"""

from __future__ import annotations

import numpy as np

from omnisim.compiled import inner, kernel
from omnisim.response import response, slope, slope_elasticity

SMALLEST = 1e-12
"""Share of ``half`` below which the slope of a steep curve is not followed: it may be infinite at 0."""
ENOUGH = 1e-4
"""Share of the promised rise that a step must keep (Armijo)."""
SHORTEST = 1e-7
"""Share of the way below which a step is given up, and the parabolas are bent more."""
STIFFEST = 1e3
"""Bend of the parabolas, relative to slope over stock, at which the climb ends."""
TURNS = 100
"""Prices tried in one step; about ten are used."""


@inner
def follow_chain(pull, bend, floor, cap, carryover, carry_in, knots, slopes, peaks, stock):
    """Maximise Σ pull·a − ½ bend·a² over the stocks of one channel within its floors and caps; fills `stock`.

    The best value of the periods up to t, as a function of a(t), is concave with a piecewise linear derivative: kept
    as knots. A period cuts it at its peak, moves the halves apart by floor and cap, and adds its own line.

    Parameters
    ----------
    pull, bend, floor, cap, peaks, stock : (periods,) float
    knots, slopes : (2·periods + 2,) float  overwritten
    """
    periods = pull.size
    m = 2
    knots[0], knots[1] = carryover * carry_in + floor[0], carryover * carry_in + cap[0]
    slopes[0], slopes[1] = 0.0, 0.0
    for t in range(periods):
        if t > 0:
            k = 0  # knots before the peak
            while k < m and slopes[k] > 0.0:
                k += 1
            if k == 0 or k == m:
                peak = knots[min(k, m - 1)]
            else:
                peak = knots[k - 1] + (knots[k] - knots[k - 1]) * (slopes[k - 1] / (slopes[k - 1] - slopes[k]))
            peaks[t - 1] = peak
            if carryover == 0.0:
                m = 2
                knots[0], knots[1], slopes[0], slopes[1] = floor[t], cap[t], 0.0, 0.0
            else:
                for j in range(m - 1, k - 1, -1):
                    knots[j + 2], slopes[j + 2] = carryover * knots[j] + cap[t], slopes[j] / carryover
                for j in range(k):
                    knots[j], slopes[j] = carryover * knots[j] + floor[t], slopes[j] / carryover
                knots[k], slopes[k] = carryover * peak + floor[t], 0.0
                knots[k + 1], slopes[k + 1] = carryover * peak + cap[t], 0.0
                m += 2
        for j in range(m):
            slopes[j] += pull[t] - bend[t] * knots[j]
    k = 0
    while k < m and slopes[k] > 0.0:
        k += 1
    if k == 0 or k == m:
        stock[periods - 1] = knots[min(k, m - 1)]
    else:
        stock[periods - 1] = knots[k - 1] + (knots[k] - knots[k - 1]) * (slopes[k - 1] / (slopes[k - 1] - slopes[k]))
    for t in range(periods - 1, 0, -1):
        stock[t - 1] = peaks[t - 1]
        if carryover > 0.0:
            stock[t - 1] = max(min(peaks[t - 1], (stock[t] - floor[t]) / carryover), (stock[t] - cap[t]) / carryover)


@inner
def spend_at(price, curves, charge, pull, bend, spend, row, knots, slopes, peaks, stock):
    """Spend of every channel and period in the parabolas' optimum at a price; returns the total."""
    total = 0.0
    periods = pull.shape[1]
    for c in range(pull.shape[0]):
        theta = curves.carryover[c]
        for t in range(periods):
            row[t] = pull[c, t] - price - charge[c, t]
            if t < periods - 1:
                row[t] += theta * (price + charge[c, t + 1])
        follow_chain(row, bend[c], curves.floor[c], curves.cap[c], theta, curves.carry_in[c],
                     knots, slopes, peaks, stock)
        last = curves.carry_in[c]
        for t in range(periods):
            spend[c, t] = min(max(stock[t] - theta * last, curves.floor[c, t]), curves.cap[c, t])
            last = spend[c, t] + theta * last
            total += spend[c, t]
    return total


@inner
def total_of(curves, charge, spend):
    """Response of a spend less what it is charged, summed."""
    found = 0.0
    for c in range(spend.shape[0]):
        stock = curves.carry_in[c]
        for t in range(spend.shape[1]):
            stock = spend[c, t] + curves.carryover[c] * stock
            found -= charge[c, t] * spend[c, t]
            found += response(curves.form[c], curves.scale[c, t], curves.half[c, t], curves.shape[c, t], stock)
    return found


@inner
def draw_parabolas(curves, spend, damping, pull, bend):
    """Pull and bend of every period's parabola at the stocks of a spend; fills both."""
    for c in range(spend.shape[0]):
        stock = curves.carry_in[c]
        for t in range(spend.shape[1]):
            stock = spend[c, t] + curves.carryover[c] * stock
            half, shape = curves.half[c, t], curves.shape[c, t]
            a = max(stock, SMALLEST * half)
            rise = slope(curves.form[c], curves.scale[c, t], half, shape, a)
            least = damping * rise / max(a, half) + 1e-9 * curves.scale[c, t] / half ** 2
            bend[c, t] = max(abs(rise * slope_elasticity(curves.form[c], half, shape, a) / a), least)
            pull[c, t] = rise + bend[c, t] * stock


@inner
def put(plan, place):
    """Copy a plan (n, periods); assignment would make an array on the way."""
    for c in range(plan.shape[0]):
        for t in range(plan.shape[1]):
            place[c, t] = plan[c, t]


@inner
def meet_budget(curves, charge, pull, bend, budget, price, target, below, tried, row, knots, slopes, peaks, stock):
    """The parabolas' optimum within the budget, by secant steps and bisection on its price; fills `target`.

    Parameters
    ----------
    price : float  to start with
    target, below, tried : (n, periods) float  overwritten

    Returns
    -------
    price : float  at which the spend keeps the budget
    """
    high = max(price, 1e-300)
    over = spend_at(high, curves, charge, pull, bend, target, row, knots, slopes, peaks, stock) - budget
    low, under, factor = high, over, 1.05
    put(target, below)
    while over > 0.0 and high < 1e200:
        low, under = high, over
        put(target, below)
        high *= factor
        factor *= factor
        over = spend_at(high, curves, charge, pull, bend, target, row, knots, slopes, peaks, stock) - budget
    while under < 0.0 and low > 0.0:
        high, over = low, under
        put(below, target)
        low = low / factor if low > 1e-150 else 0.0
        factor *= factor
        under = spend_at(low, curves, charge, pull, bend, below, row, knots, slopes, peaks, stock) - budget
    if under <= 0.0:  # the budget is not used up at a price of 0
        put(below, target)
        return low
    turn = 0
    while over < 0.0 and high - low > 1e-14 * high and under - over > 1e-13 * budget and turn < TURNS:
        turn += 1
        share = under / (under - over) if turn % 3 else 0.5
        middle = low + (high - low) * min(max(share, 0.01), 0.99)
        total = spend_at(middle, curves, charge, pull, bend, tried, row, knots, slopes, peaks, stock) - budget
        if total > 0.0:
            low, under = middle, total
            put(tried, below)
        else:
            high, over = middle, total
            put(tried, target)
    if over < 0.0:  # parabolas are concave: what lies between two optima is as good as they
        share = -over / (under - over)
        for c in range(target.shape[0]):
            for t in range(target.shape[1]):
                target[c, t] += share * (below[c, t] - target[c, t])
    return high


@inner
def promise_of(curves, charge, pull, bend, spend, way):
    """First-order rise along a way from a spend, the parabolas' slopes at the start being the curves'."""
    promise = 0.0
    for c in range(spend.shape[0]):
        at, move = curves.carry_in[c], 0.0
        for t in range(spend.shape[1]):
            at = spend[c, t] + curves.carryover[c] * at
            move = way[c, t] + curves.carryover[c] * move
            promise += (pull[c, t] - bend[c, t] * at) * move - charge[c, t] * way[c, t]
    return promise


@kernel
def climb(curves, charge, start, budget, rounds, close):
    """Climb from a plan within the limits to a local optimum.

    Parameters
    ----------
    curves : CurveArrays
    charge : (n, periods) float [response/currency]  of spend, beside the price of the budget
    start : (n, periods) float [currency]  within floors, caps and budget
    budget : float [currency]
    rounds : int  steps at most
    close : float  share of the objective below which a promised rise is not pursued

    Returns
    -------
    spend : (n, periods) float [currency]
    objective : float [response]  Σ response − charge · spend, never below the start's
    price : float [response/currency]  of the budget in the last parabolas' optimum
    """
    n, periods = start.shape
    spend = start.copy()
    pull, bend = np.empty((n, periods)), np.empty((n, periods))
    way, below, tried = np.empty((n, periods)), np.empty((n, periods)), np.empty((n, periods))
    knots, slopes = np.empty(2 * periods + 2), np.empty(2 * periods + 2)
    row, peaks, stock = np.empty(periods), np.empty(periods), np.empty(periods)
    objective = total_of(curves, charge, spend)
    price, damping, quiet = 1.0, 1e-2, 0
    for _ in range(rounds):
        draw_parabolas(curves, spend, damping, pull, bend)
        price = meet_budget(curves, charge, pull, bend, budget, price, way, below, tried,
                            row, knots, slopes, peaks, stock)
        way -= spend
        promise = promise_of(curves, charge, pull, bend, spend, way)
        if promise <= close * abs(objective):
            quiet += 1
            if quiet > 1:
                break
        step = 1.0
        found = objective
        while step > SHORTEST:
            tried[:] = spend + step * way
            found = total_of(curves, charge, tried)
            if found >= objective + ENOUGH * step * promise and found > objective:
                break
            step *= 0.25
        if step <= SHORTEST:
            damping *= 16.0
            if damping > STIFFEST:
                break
            continue
        damping = max(damping * (0.25 if step == 1.0 else 4.0), 1e-6)
        spend[:] = tried
        objective = found
    return spend, objective, price
