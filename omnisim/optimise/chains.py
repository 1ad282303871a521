"""The exact method: given prices for spend, each channel's best spend over the periods, by backward induction.

For one channel with concave curves R(t, ·), carry-over θ and a price p(t) for each yuan of spend, the best spend
maximises Σ R(t, a(t)) − p(t) x(t) with a(t) = x(t) + θ a(t−1) and low ≤ x ≤ high. Written in stocks, Σ p(t) x(t) =
Σ c(t) a(t) − const with c(t) = p(t) − θ p(t+1). Let W(t, a) be the best value of the periods from t on, given a(t) = a:

    W'(t, a) = R'(t, a) − c(t) + θ · (W'(t+1, θa + low)   if that is negative: the floor binds next,
                                      W'(t+1, θa + high)  if that is positive: the cap binds next,
                                      0                   otherwise)

W is concave, so each period has one peak m(t); going forward, a(t) is m(t) clamped to what floor and cap allow. This is
pool-adjacent-violators in the scaled chain a(t) / θ^t, with caps as well as floors. An evaluation walks only as far as
bounds bind, and nothing is divided by θ, so small carry-over does no harm.
"""

from __future__ import annotations

import math

import numpy as np

from omnisim.compiled import inner, kernel
from omnisim.response import inverse_slope, response, slope, slope_elasticity

ROUNDS = 200
"""Halvings and Newton steps within a bracket; a handful are used."""
PRICES = 200
"""Shadow prices tried; about eight are used."""


@inner
def _rise(curves, costs, low, high, peak, c, t, stock):
    """Benefit, its derivative and cost of a little more stock at t: W' = benefit − cost, over the bound chain from t.

    Each is a sum over the chain with weights θ^j (derivative: θ^2j).
    """
    form, theta, periods = curves.form[c], curves.carryover[c], peak.shape[0]
    benefit, lean, cost, weight = 0.0, 0.0, 0.0, 1.0
    while True:
        steep = slope(form, curves.scale[c, t], curves.half[c, t], curves.shape[c, t], stock)
        benefit += weight * steep
        if stock > 0.0 and steep > 0.0:
            lean += weight * weight * steep * slope_elasticity(form, curves.half[c, t], curves.shape[c, t],
                                                               stock) / stock
        cost += weight * costs[t]
        t += 1
        weight *= theta
        if t == periods or weight == 0.0:
            return benefit, lean, cost
        floor, cap = theta * stock + low[c, t], theta * stock + high[c, t]
        if floor > peak[t]:
            stock = floor
        elif cap < peak[t]:
            stock = cap
        else:
            return benefit, lean, cost


@inner
def _peak(curves, costs, low, high, peak, c, t, least, most):
    """Stock in [least, most] at which W'(t, ·) changes sign: Newton on ln benefit in ln stock, inside a bracket."""
    benefit, _, cost = _rise(curves, costs, low, high, peak, c, t, least)
    if benefit <= cost:
        return least
    benefit, _, cost = _rise(curves, costs, low, high, peak, c, t, most)
    if benefit >= cost:
        return most
    stock = most
    if costs[t] > 0.0:  # the answer where no bound binds next
        stock = inverse_slope(curves.form[c], curves.scale[c, t], curves.half[c, t], curves.shape[c, t], costs[t])
    if not least < stock < most:
        stock = math.sqrt(least * most) if least > 0.0 else 0.5 * most
    for _ in range(ROUNDS):
        benefit, lean, cost = _rise(curves, costs, low, high, peak, c, t, stock)
        if benefit > cost:
            least = stock
        else:
            most = stock
        if abs(benefit - cost) <= 1e-15 * benefit or most - least <= 4e-16 * most:
            break
        step = -1.0
        if cost > 0.0 and benefit > 0.0 and lean < 0.0:
            move = -math.log(benefit / cost) * benefit / (stock * lean)
            if abs(move) < 40.0:
                step = stock * math.exp(move)
        if not least < step < most:
            step = math.sqrt(least * most) if least > 0.0 else 0.5 * most
        stock = step
    return stock


@kernel
def best_spend(curves, prices, low, high, spend):
    """Each channel's best spend at given prices, and its worth.

    Parameters
    ----------
    curves : CurveArrays  concave
    prices : (n, periods) float [response/currency]  of spend; may be negative
    low, high : (n, periods) float [currency]  bounds of spend
    spend : (n, periods) float [currency]  filled with the best spend

    Returns
    -------
    float [response]  Σ R − Σ price · spend: with Σ price · limit added, a bound of the problem that priced its limits
    """
    n, periods = spend.shape
    costs, peak = np.empty(periods), np.empty(periods)
    least, most = np.empty(periods), np.empty(periods)
    worth = 0.0
    for c in range(n):
        theta = curves.carryover[c]
        below, above = curves.carry_in[c], curves.carry_in[c]
        for t in range(periods):
            costs[t] = prices[c, t] - (theta * prices[c, t + 1] if t + 1 < periods else 0.0)
            below, above = theta * below + low[c, t], theta * above + high[c, t]
            least[t], most[t] = below, above
        for t in range(periods - 1, -1, -1):
            peak[t] = _peak(curves, costs, low, high, peak, c, t, least[t], most[t])
        last = curves.carry_in[c]
        for t in range(periods):
            carried = theta * last
            spend[c, t] = min(max(peak[t] - carried, low[c, t]), high[c, t])
            last = carried + spend[c, t]
            worth += response(curves.form[c], curves.scale[c, t], curves.half[c, t], curves.shape[c, t], last)
            worth -= prices[c, t] * spend[c, t]
    return worth


@kernel
def allocate_budget(curves, prices, budget, low, high, gap, start):
    """The best spend of one budget: the shadow price at which the channels together want just the budget.

    Parameters
    ----------
    curves : CurveArrays  concave
    prices : (n, periods) float [response/currency]  of spend, beside the shadow price
    budget : float [currency]  > 0, and at least the sum of the floors
    low, high : (n, periods) float [currency]
    gap : float  relative to the bound
    start : float [response/currency]  shadow price to try first, > 0

    Returns
    -------
    spend (n, periods), objective Σ R − Σ price · spend, bound, shadow price

    Notes
    -----
    The spend wanted falls as the price rises. Secant steps in logarithms inside a bracket (Illinois); between the ends
    of the bracket the spends are mixed so that the budget is spent to the last cent, which costs nothing where curves
    are straight and little elsewhere.
    """
    n, periods = low.shape
    floors = low.sum()
    more, less, mixed = high.copy(), low.copy(), np.empty((n, periods))
    charged = np.empty((n, periods))
    dear, cheap = math.inf, 0.0  # ends of the bracket
    want_dear, want_cheap = -40.0, 40.0  # ln of spend wanted against the budget, both without the floors
    bound = math.inf
    best, answer = -math.inf, 0.0
    spend = low.copy()
    price = 0.0
    for trial in range(PRICES):
        for c in range(n):
            for t in range(periods):
                charged[c, t] = prices[c, t] + price
        worth = best_spend(curves, charged, low, high, mixed)
        total = mixed.sum()
        if worth + price * budget < bound:
            bound, answer = worth + price * budget, price
        if total <= budget:
            dear = price
            less[:] = mixed
        else:
            cheap = price
            more[:] = mixed
        excess = math.log(max(total - floors, 1e-17 * budget) / max(budget - floors, 1e-17 * budget))
        if price == 0.0:
            if total <= budget:  # more money would bring nothing
                spend[:] = mixed
                best = worth
                break
            price = start
            continue
        held, given = less.sum(), more.sum()
        share = (budget - held) / (given - held) if given > held else 0.0
        if dear < math.inf:
            value = 0.0
            for c in range(n):
                last = curves.carry_in[c]
                for t in range(periods):
                    mixed[c, t] = less[c, t] + min(1.0, share) * (more[c, t] - less[c, t])
                    last = mixed[c, t] + curves.carryover[c] * last
                    value += response(curves.form[c], curves.scale[c, t], curves.half[c, t], curves.shape[c, t], last)
                    value -= prices[c, t] * mixed[c, t]
            if value > best:
                best = value
                spend[:] = mixed
            if bound - best <= gap * abs(bound) or dear - cheap <= 1e-15 * dear:
                break
        if total <= budget:
            if trial > 1 and want_dear > -40.0:
                want_cheap *= 0.5  # Illinois: do not let one end stand still
            want_dear = excess
        else:
            if trial > 1 and want_cheap < 40.0:
                want_dear *= 0.5
            want_cheap = excess
        price = _next_price(cheap, dear, want_cheap, want_dear, price, excess)
    return spend, best, bound, answer


@inner
def _next_price(cheap, dear, want_cheap, want_dear, price, excess):
    """Where the wanted spend meets the budget if it were straight between the bracket's ends, in logarithms."""
    if dear == math.inf:
        return price * math.exp(min(max(2.0 * excess, 0.1), 30.0))
    if cheap == 0.0:
        return price * math.exp(max(min(2.0 * excess, -0.1), -30.0))
    share = want_cheap / (want_cheap - want_dear)
    if not 1e-3 < share < 1.0 - 1e-3:
        share = min(max(share, 1e-3), 1.0 - 1e-3)
    return cheap * (dear / cheap) ** share
