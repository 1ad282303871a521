"""What a channel's best schedule earns at a price of spend, bounded from above: S-shaped curves with carry-over.

A channel alone, at a price, is a chain: the stock a(t) moves within floor ≤ a(t) − θ a(t−1) ≤ cap and each period earns
R(a) less what the stock costs. Its best value is found by dynamic programming over the stock, on functions that are
linear between the points of a grid and never below the true ones, so that the result is a bound and not an
approximation:

- a curve is replaced by its values at the grid's points, raised by as much as it exceeds the chord of a cell beside;
- the best value over the allowed last stocks, a window that slides with a(t), bends down only where a window's end
  passes a point of the last grid; there, too, it is compared with the chord and the cell's ends are raised.

Both errors fall with the square of the cells' width. Sums over periods round by some units in the last place of the
largest term, which the caller's allowance covers.
"""

from __future__ import annotations

import math

import numpy as np

from omnisim.compiled import inner, kernel
from omnisim.optimise.sigmoids import best
from omnisim.response import response

FINEST = 0.05
"""Share of ``half`` (or of a fiftieth of the highest stock) from which cells widen in proportion to the stock."""
STEEP = 1e-6
"""Share of the highest stock from which they do where the curve starts upright and no stock is too small to matter."""


@kernel
def lay_grid(curves, c, lowest, highest, stock, top):
    """Lay the grid of one channel over the stocks that it can reach within limits, and raise its curve over it.

    Parameters
    ----------
    c : int  channel
    lowest, highest : (periods,) float [currency]  limits of its stock, tightened to what can be reached
    stock, top : (periods, points) float  filled

    Returns
    -------
    bool  whether any schedule fits the limits
    """
    periods, points = stock.shape
    theta = curves.carryover[c]
    low, high = curves.carry_in[c], curves.carry_in[c]
    for t in range(periods):
        low = lowest[t] = max(lowest[t], theta * low + curves.floor[c, t])
        high = highest[t] = min(highest[t], theta * high + curves.cap[c, t])
        if low > high:
            return False
    if theta > 0.0:
        for t in range(periods - 1, 0, -1):
            lowest[t - 1] = max(lowest[t - 1], (lowest[t] - curves.cap[c, t]) / theta)
            highest[t - 1] = min(highest[t - 1], (highest[t] - curves.floor[c, t]) / theta)
            if lowest[t - 1] > highest[t - 1]:
                lowest[t - 1] = highest[t - 1]  # they met, but for rounding
    for t in range(periods):
        form, scale, half, shape = curves.form[c], curves.scale[c, t], curves.half[c, t], curves.shape[c, t]
        unit = STEEP * highest[t] if shape < 1.0 else FINEST * min(half, 0.02 * highest[t])
        if unit <= 0.0:
            unit = half
        bend = highest[t]  # from here on the cap forbids low last stocks: below, all of last period's answers repeat
        if t > 0 and theta > 0.0:
            bend = min(max(theta * lowest[t - 1] + curves.cap[c, t], lowest[t]), highest[t])
        before = points if bend >= highest[t] else 1 if bend <= lowest[t] else points - points // 4
        start, stop = math.log1p(lowest[t] / unit), math.log1p(bend / unit)
        for k in range(before):
            stock[t, k] = unit * math.expm1(start + (stop - start) * k / max(before - 1, 1))
        if before < points:
            start = math.log1p(max((bend - curves.cap[c, t]) / theta, 0.0) / unit)
            stop = math.log1p(max((highest[t] - curves.cap[c, t]) / theta, 0.0) / unit)
            for k in range(before, points):
                stock[t, k] = curves.cap[c, t] + theta * unit * math.expm1(
                    start + (stop - start) * (k - before + 1) / (points - before))
        stock[t, 0], stock[t, points - 1] = lowest[t], highest[t]
        for k in range(1, points - 1):
            stock[t, k] = min(max(stock[t, k], stock[t, k - 1]), highest[t])
        last, raised = response(form, scale, half, shape, stock[t, 0]), 0.0
        for k in range(points):
            value, excess = last, 0.0
            if k < points - 1 and stock[t, k + 1] > stock[t, k]:
                last = response(form, scale, half, shape, stock[t, k + 1])
                chord = (last - value) / (stock[t, k + 1] - stock[t, k])
                a = best(form, scale, half, shape, stock[t, k], stock[t, k + 1], chord)
                excess = max(0.0, response(form, scale, half, shape, a) - value - chord * (a - stock[t, k]))
            top[t, k] = value + max(raised, excess)
            raised = excess
    return True


@inner
def slide(stock, value, theta, floor, cap, asked, count, queue, found):
    """Highest value over the last stocks from which each of `count` rising stocks can be reached; fills `found`."""
    points = stock.size
    head, tail = 0, 0  # queue[head:tail]: points inside the window, values falling
    right, left = 0, 0  # first point beyond the window's right end; last point not beyond its left end
    for k in range(count):
        until = min(max((asked[k] - floor) / theta, stock[0]), stock[points - 1])
        since = min(max((asked[k] - cap) / theta, stock[0]), until)
        while right < points and stock[right] <= until:
            while tail > head and value[queue[tail - 1]] <= value[right]:
                tail -= 1
            queue[tail] = right
            tail += 1
            right += 1
        while tail > head and stock[queue[head]] < since:
            head += 1
        highest = value[right - 1]
        if right < points:
            highest += (value[right] - value[right - 1]) * (
                (until - stock[right - 1]) / (stock[right] - stock[right - 1]))
        if tail > head:
            highest = max(highest, value[queue[head]])
        if since > stock[0]:
            while left + 1 < points and stock[left + 1] <= since:
                left += 1
            edge = value[left]
            if left + 1 < points:
                edge += (value[left + 1] - value[left]) * ((since - stock[left]) / (stock[left + 1] - stock[left]))
            highest = max(highest, edge)
        found[k] = highest


@inner
def compare(stock, base, asked, found, count, excess, rise, fall):
    """Compare values `found` at rising stocks with each cell's chord, and with lines through its left and right end."""
    cell = 0
    for k in range(count):
        while cell < stock.size - 2 and stock[cell + 1] < asked[k]:
            cell += 1
        before, after = asked[k] - stock[cell], stock[cell + 1] - asked[k]
        if before <= 0.0 or after <= 0.0:
            continue
        chord = (base[cell] * after + base[cell + 1] * before) / (before + after)
        excess[cell] = max(excess[cell], found[k] - chord)
        rise[cell] = max(rise[cell], (found[k] - base[cell]) / before)
        fall[cell] = max(fall[cell], (found[k] - base[cell + 1]) / after)


@inner
def lift(stock, base, excess, rise, fall, lifted):
    """Lift the ends of each cell above what was found inside, both or one, for the lowest top; fills `lifted`.

    One end alone where that will do: beside a cliff, which a cap makes just before the end of the grid, lifting both
    ends would reward the stocks above the cliff with what it costs to climb it.
    """
    for k in range(stock.size):
        lifted[k] = base[k]
    for k in range(stock.size - 1):
        if excess[k] > 0.0:
            width = stock[k + 1] - stock[k]
            left, right = base[k], base[k + 1]
            from_left = max(left + rise[k] * width, right)  # the line through the left end, at the right end
            from_right = max(right + fall[k] * width, left)
            if max(left, right) + excess[k] <= min(max(left, from_left), max(right, from_right)):
                left, right = left + excess[k], right + excess[k]
            elif max(left, from_left) < max(right, from_right):
                right = from_left
            else:
                left = from_right
            lifted[k] = max(lifted[k], left)
            lifted[k + 1] = max(lifted[k + 1], right)


@kernel
def ask_schedule(curves, c, prices, stock, top, value, spend):
    """Bound on what one channel's best schedule earns at given prices, and a schedule that nearly does.

    Parameters
    ----------
    curves : CurveArrays
    c : int  channel
    stock, top : (periods, points) float  its grid and raised curve, by `lay_grid`
    prices : (periods,) float [response/currency]  of its spend
    value : (periods, points) float  overwritten
    spend : (periods,) float [currency]  filled with the schedule

    Returns
    -------
    worth : float [response]  ≥ Σ response − prices · spend of every schedule within the grid
    """
    periods, points = stock.shape
    theta = curves.carryover[c]
    asked, found, base, lifted = np.empty(points), np.empty(points), np.empty(points), np.empty(points)
    excess, rise, fall = np.empty(points), np.empty(points), np.empty(points)
    queue = np.empty(points, np.int64)
    for t in range(periods):
        cost = prices[t] if t == periods - 1 else prices[t] - theta * prices[t + 1]  # of stock
        if t == 0:
            lifted[:] = 0.0
        elif theta == 0.0:
            lifted[:] = value[t - 1].max()
        else:
            floor, cap = curves.floor[c, t], curves.cap[c, t]
            slide(stock[t - 1], value[t - 1], theta, floor, cap, stock[t], points, queue, base)
            excess[:], rise[:], fall[:] = 0.0, -math.inf, -math.inf
            for limit in (floor, cap):
                count = 0
                for k in range(points):
                    a = theta * stock[t - 1, k] + limit
                    if stock[t, 0] < a < stock[t, points - 1]:
                        asked[count] = a
                        count += 1
                if count > 0:
                    slide(stock[t - 1], value[t - 1], theta, floor, cap, asked, count, queue, found)
                    compare(stock[t], base, asked, found, count, excess, rise, fall)
            lift(stock[t], base, excess, rise, fall, lifted)
        for k in range(points):
            value[t, k] = top[t, k] - cost * stock[t, k] + lifted[k]
    place = stock[periods - 1, np.argmax(value[periods - 1])]
    worth = value[periods - 1].max() + prices[0] * theta * curves.carry_in[c]
    for t in range(periods - 1, -1, -1):
        if t == 0:
            last = curves.carry_in[c]
        elif theta == 0.0:
            last = stock[t - 1, np.argmax(value[t - 1])]
        else:
            until = min(max((place - curves.floor[c, t]) / theta, stock[t - 1, 0]), stock[t - 1, points - 1])
            since = min(max((place - curves.cap[c, t]) / theta, stock[t - 1, 0]), until)
            last, highest = until, np.interp(until, stock[t - 1], value[t - 1])
            edge = np.interp(since, stock[t - 1], value[t - 1])
            if edge > highest:
                last, highest = since, edge
            for k in range(points):
                if since <= stock[t - 1, k] <= until and value[t - 1, k] > highest:
                    last, highest = stock[t - 1, k], value[t - 1, k]
        spend[t] = min(max(place - theta * last, curves.floor[c, t]), curves.cap[c, t])
        place = last
    return worth
