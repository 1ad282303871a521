"""What spending brings: response curves and the carry-over of past spend.

A channel's stock of advertising pressure after the spend x of period t is

    a(t) = x(t) + carryover · a(t − 1),  a(0) = carry_in

(geometric adstock), and the period's response is one of

    hill         scale · a^shape / (half^shape + a^shape)
    power        scale · (a / half)^shape
    exponential  scale · (1 − exp(−a / half))

Where the price of exposure rises with what is bought, x(t) stands for the exposure that the spend buys, in money at the
price of the first (`expose`): the next exposure costs √(1 + 3 x / doubling) times as much as the first, twice as much
at a spend of `doubling`.

All rise with a; they are concave but for hill curves with shape > 1, which are S-shaped: convex up to `inflection`,
concave from there on. Pure functions of numbers, called from kernels and from Python alike.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import formula, kernel

FORMS = ("hill", "power", "exponential")
"""Names of the forms; their places are the codes that kernels know."""
HILL, POWER, EXPONENTIAL = 0, 1, 2
ROUNDS = 80
"""Newton steps within a bracket, of which a handful are used."""

Floats = NDArray[np.float64]


@formula
def response(form, scale, half, shape, stock):
    """Response of one period to a stock of pressure ≥ 0."""
    if stock <= 0.0:
        return 0.0
    ratio = stock / half
    if form == EXPONENTIAL:
        return -scale * math.expm1(-ratio)
    if form == POWER:
        return scale * ratio ** shape
    if ratio > 1.0:  # either way round without overflow
        return scale / (1.0 + ratio ** -shape)
    power = ratio ** shape
    return scale * power / (1.0 + power)


@formula
def slope(form, scale, half, shape, stock):
    """First derivative of the response, per unit of stock; infinite at 0 where the curve starts upright."""
    if form == EXPONENTIAL:
        return scale / half * math.exp(-max(stock, 0.0) / half)
    if stock <= 0.0:
        if shape == 1.0:
            return scale / half
        return math.inf if shape < 1.0 else 0.0
    ratio = stock / half
    if form == POWER:
        return scale / half * shape * ratio ** (shape - 1.0)
    # z / (1 + z)² is the same for z and 1 / z
    power = ratio ** -shape if ratio > 1.0 else ratio ** shape
    return scale * shape * power / (stock * (1.0 + power) ** 2)


@formula
def slope_elasticity(form, half, shape, stock):
    """Relative change of the slope for a relative change of the stock: d ln slope / d ln stock, for stock > 0."""
    ratio = stock / half
    if form == EXPONENTIAL:
        return -ratio
    if form == POWER:
        return shape - 1.0
    power = ratio ** -shape if ratio > 1.0 else ratio ** shape
    lean = (1.0 - power) / (1.0 + power)  # (1 − z) / (1 + z), z = ratio^shape, turned round above 1
    return -1.0 - shape * lean if ratio > 1.0 else shape * lean - 1.0


@formula
def inflection(form, half, shape):
    """Stock up to which the curve is convex: half · ((shape − 1) / (shape + 1))^(1 / shape) for S-shaped, else 0."""
    if form != HILL or shape <= 1.0:
        return 0.0
    return half * ((shape - 1.0) / (shape + 1.0)) ** (1.0 / shape)


@formula
def inverse_slope(form, scale, half, shape, price):
    """Stock on the concave part at which the slope falls to a price > 0; 0 where it lies below the price everywhere.

    Closed for power, exponential and hill curves of shape 1. The log slope of other hill curves is concave in
    v = ln(stock / half) and lies below ln(scale · shape / half) − (shape + 1) · v: Newton's steps from where that line
    meets the price come down on the stock from above and never pass it.
    """
    steep = scale / (half * price)  # the slope at 0 of shape 1, in units of the price
    if form == EXPONENTIAL:
        return half * math.log(steep) if steep > 1.0 else 0.0
    if form == POWER:
        if shape == 1.0:
            return math.inf if steep >= 1.0 else 0.0
        return half * (shape * steep) ** (1.0 / (1.0 - shape))
    if shape == 1.0:
        return half * (math.sqrt(steep) - 1.0) if steep > 1.0 else 0.0
    level = math.log(shape * steep)
    bend = -math.inf
    if shape > 1.0:
        power = (shape - 1.0) / (shape + 1.0)
        bend = math.log(power) / shape
        if level + (shape - 1.0) * bend <= 2.0 * math.log1p(power):
            return 0.0
    v = level / (shape + 1.0)
    for _ in range(ROUNDS):
        power = math.exp(-shape * abs(v))  # z or 1 / z, whichever is below 1
        excess = level + (shape - 1.0) * v - 2.0 * (max(shape * v, 0.0) + math.log1p(power))
        lean = (shape if v < 0.0 else -shape) * (1.0 - power) / (1.0 + power) - 1.0
        if lean >= 0.0 or excess >= 0.0:  # at the inflection, or there but for rounding
            break
        step = excess / lean
        v = max(v - step, bend)
        if step <= 1e-15 * (1.0 + abs(v)):
            break
    return half * math.exp(v)


def expose(spend: Floats, doubling: Floats) -> Floats:
    """Exposure bought by a spend, at the price of the first: 2 x / (1 + √(1 + 3 x / doubling)), all of x if infinite.

    Notes
    -----
    A linear supply: the next exposure after e costs 1 + e / k of the first's price, k = 2/3 · doubling, so that e cost
    x = e + e² / 2k. Concave and rising, with slope 1 at 0.

    Parameters
    ----------
    spend : float [currency]  of a period, ≥ 0
    doubling : float [currency]  of a period, > 0: spend at which the next exposure costs twice the first
    """
    found: Floats = 2.0 * spend / (1.0 + dearness(spend, doubling))
    return found


def dearness(spend: Floats, doubling: Floats) -> Floats:
    """Price of the next exposure over that of the first: √(1 + 3 x / doubling), the inverse slope of `expose`."""
    found: Floats = np.sqrt(1.0 + 3.0 * spend / doubling)
    return found


@kernel
def carry(spend, carryover, carry_in):
    """Stocks of every channel and period.

    Parameters
    ----------
    spend : (n, periods) float [currency]  x
    carryover : (n,) float [share/period]
    carry_in : (n,) float [currency]  a(0)

    Returns
    -------
    (n, periods) float [currency]  a(t) = x(t) + carryover · a(t − 1)
    """
    stock = np.empty_like(spend)
    for c in range(spend.shape[0]):
        last = carry_in[c]
        for t in range(spend.shape[1]):
            last = spend[c, t] + carryover[c] * last
            stock[c, t] = last
    return stock


def steady_stock(carryover: Floats, days: Floats) -> Floats:
    """Stock that a spend of one a day, the same for ever, has built up in each period (n, periods) [day].

    Parameters
    ----------
    carryover : (n,) float [share/period]  below 1
    days : (periods,) float [day]  of each period; the last may be shorter, and then holds less of its own
    """
    found: Floats = carry(np.repeat(days[None], len(carryover), axis=0), carryover, days[0] / (1.0 - carryover))
    return found


@kernel
def respond(form, scale, half, shape, stock):
    """Response of every channel and period to its stock; all but `form` (n,) have shape (n, periods)."""
    found = np.empty_like(stock)
    for c in range(stock.shape[0]):
        for t in range(stock.shape[1]):
            found[c, t] = response(form[c], scale[c, t], half[c, t], shape[c, t], stock[c, t])
    return found


@kernel
def slopes(form, scale, half, shape, stock):
    """Slope of every channel's and period's curve at its stock; shapes as in `respond`."""
    found = np.empty_like(stock)
    for c in range(stock.shape[0]):
        for t in range(stock.shape[1]):
            found[c, t] = slope(form[c], scale[c, t], half[c, t], shape[c, t], stock[c, t])
    return found


def per_day(carryover: float, days: int) -> float:
    """Carry-over a day of one given for periods of some days: a weekly θ is θ^(1/7) a day.

    Parameters
    ----------
    carryover : float [share/period]
    days : int [day/period]
    """
    return math.pow(carryover, 1.0 / days)


def per_period(carryover: float, days: int) -> float:
    """Carry-over a period of some days of one given a day: θ^days.

    Parameters
    ----------
    carryover : float [share/day]
    days : int [day/period]
    """
    return math.pow(carryover, days)
