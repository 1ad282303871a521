"""What repeat purchase is worth: closed forms against a simulated process."""

from __future__ import annotations

import numpy as np
import pytest

from omnisim.measure.loyalty import geometric_value, lifetime_value, raised, rate_needed, repeat_orders
from omnisim.scenario.customers import Repurchase


def test_eight_percent_means_two_things() -> None:
    assert raised(0.282, 0.08, "relative") == pytest.approx(0.30456)
    assert raised(0.282, 0.08, "points") == pytest.approx(0.362)
    base = geometric_value(1.0, 0.282)
    assert geometric_value(1.0, raised(0.282, 0.08, "points")) / base == pytest.approx(1.125, abs=1e-3)
    assert geometric_value(1.0, rate_needed(0.282, 0.3)) / base == pytest.approx(1.3)


@pytest.mark.parametrize(("lapse_a", "days"), [(0.7929, 365.0), (0.7929, 1095.0), (1.0, 365.0), (2.5, 730.0)])
def test_repeat_orders_are_those_of_the_process(lapse_a: float, days: float) -> None:
    buy = Repurchase(lapse_a=lapse_a)
    luck, n = np.random.default_rng(7), 100_000
    rate = luck.gamma(buy.rate_shape, 1 / buy.rate_scale, n)
    lapse = luck.beta(buy.lapse_a, buy.lapse_b, n)
    time, orders, alive = np.zeros(n), np.zeros(n), np.ones(n, bool)
    while alive.any():
        time[alive] += luck.exponential(1 / np.maximum(rate[alive], 1e-12))
        alive &= time < days
        orders[alive] += 1
        alive &= luck.random(n) > lapse
    assert repeat_orders(buy, days) == pytest.approx(orders.mean(), abs=4 * orders.std() / n**0.5)


def test_discount_lowers_a_lifetime_and_no_discount_counts_every_order() -> None:
    buy = Repurchase()
    assert lifetime_value(50.0, buy, months=12, discount=0.0) == pytest.approx(50 * (1 + repeat_orders(buy, 365.25)))
    assert lifetime_value(50.0, buy) < lifetime_value(50.0, buy, discount=0.0)
