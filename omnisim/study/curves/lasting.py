"""What the customers of a world will still buy: their lasting value, customer by customer."""

from __future__ import annotations

import math

import numpy as np

from omnisim.compiled import kernel
from omnisim.market.consumers import ALIVE, MEMBER, S_L, SEAT, Consumers
from omnisim.market.rules import active_channels
from omnisim.measure.loyalty import DISCOUNT, MONTH
from omnisim.portable import quantile
from omnisim.response import Floats
from omnisim.simulation import World
from omnisim.streams import unit, words

MONTHS = 36
"""How far ahead orders count, as in `clv_36m`."""


@kernel
def _expect_orders(c: Consumers, rules, days, discount):
    """Discounted orders that live customers are expected to place, by the channel of their last order (channels,)."""
    r = rules[0]
    total = np.zeros(r.channels)
    for i in range(c.people.size):
        p = c.people[i]
        if not p.flags & ALIVE or p.stage == S_L:
            continue
        own, lapse, _, _ = words(r.key_person, i, 0, 2)  # the draws of `purchase_rate` and of lapses
        rate = quantile(r.rate_quantiles, unit(own)) / r.rate_scale
        rate *= (1.0 + (r.member_uplift if p.flags & MEMBER else 0.0)) / r.member_norm
        fade = rate * quantile(r.lapse_quantiles, unit(lapse)) + discount
        total[p.home] += rate * -math.expm1(-fade * days) / fade
        if p.flags & SEAT:  # messages prompt more orders until the seat is given up
            total[p.home] += rate * r.touch * -math.expm1(-(fade + r.leave) * days) / (fade + r.leave)
    return total


def expected_orders(world: World) -> Floats:
    """Repeat orders that today's customers will still place in the next 36 months, discounted by 10 % a year.

    Returns
    -------
    (active channels,) float [order]  by the channel of the customer's last order, in the scenario's order of channels

    Notes
    -----
    A customer of rate λ who lapses with chance p after each order is alive t days on with probability e^(−λ p t), so
    the orders come to λ (1 − e^(−δ T)) / δ with δ = λ p + discount + renewal: exact for the simulated process, given
    the customer's own λ and p, but for interest, flash sales, the calendar, and those whom a long silence will lose.
    """
    scenario, market = world.scenario, world.market
    names = active_channels(scenario)
    if not scenario.brand.loop.repurchase:
        return np.zeros(len(names))
    discount = math.log1p(DISCOUNT) / 365.0 - math.log1p(-min(scenario.population.renewal, 0.99)) / 365.0
    found = np.asarray(_expect_orders(market.consumers, market.rules, MONTHS * MONTH, discount))
    places = [names.index(name) for name in scenario.channels if name in names]
    return found[places] * scenario.population.scale
