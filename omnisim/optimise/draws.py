"""What a spend brings on many draws of the curves at once: values, and slopes weighted over draws."""

from __future__ import annotations

import numpy as np

from omnisim.compiled import kernel
from omnisim.response import response, slope, slope_elasticity

TINY = 1e-14
"""Stock, of a budget of 1, at which the slope of a curve that starts upright is taken."""


@kernel
def draw_values(draws, worth, spend):
    """Worth of the response on each draw, (draws,).

    Parameters
    ----------
    draws : CurveArrays  with an axis of draws in front of each field but `form`, floor and cap
    worth : (n, periods) float [objective/response]
    spend : (n, periods) float [currency]
    """
    count, n, periods = draws.scale.shape
    values = np.zeros(count)
    for d in range(count):
        for c in range(n):
            stock = draws.carry_in[d, c]
            for t in range(periods):
                stock = spend[c, t] + draws.carryover[d, c] * stock
                values[d] += worth[c, t] * response(draws.form[c], draws.scale[d, c, t], draws.half[d, c, t],
                                                    draws.shape[d, c, t], stock)
    return values


@kernel
def weigh_slopes(draws, worth, spend, weights):
    """First and second derivatives of the weighted worth, draws without weight left out.

    Parameters
    ----------
    weights : (draws,) float  of each draw

    Returns
    -------
    marginal : (n, periods)  to each spend, later periods included
    steep, bend : (n, periods)  Σ weight · worth · R' and · R'' at each stock
    """
    count, n, periods = draws.scale.shape
    marginal, steep, bend = np.zeros((n, periods)), np.zeros((n, periods)), np.zeros((n, periods))
    stocks, own = np.zeros(periods), np.zeros(periods)
    for d in range(count):
        if weights[d] == 0.0:
            continue
        for c in range(n):
            stock, theta, form = draws.carry_in[d, c], draws.carryover[d, c], draws.form[c]
            for t in range(periods):
                stock = spend[c, t] + theta * stock
                stocks[t] = max(stock, TINY)
                own[t] = weights[d] * worth[c, t] * slope(form, draws.scale[d, c, t], draws.half[d, c, t],
                                                          draws.shape[d, c, t], stocks[t])
                steep[c, t] += own[t]
                bend[c, t] += own[t] * slope_elasticity(form, draws.half[d, c, t], draws.shape[d, c, t],
                                                        stocks[t]) / stocks[t]
            later = 0.0
            for t in range(periods - 1, -1, -1):
                later = own[t] + theta * later
                marginal[c, t] += later
    return marginal, steep, bend
