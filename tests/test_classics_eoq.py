"""Lot sizes for steady demand: the book's figures, and each formula against cycles that are walked through."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from omnisim.supply.classics import (
    base_stock_with_disruptions,
    discounted_order_quantity,
    economic_order_quantity,
    economic_order_quantity_with_disruptions,
    joint_replenishment,
    newsvendor_with_additive_yield,
    order_quantity_with_additive_yield,
    order_quantity_with_proportional_yield,
)

PENS = {"fixed_cost": 8, "holding_cost": 0.225, "demand_rate": 1300}


@pytest.mark.parametrize(("given_", "quantity", "backordered", "cost"), [
    (PENS, 304.0467800264368, 0, 68.41052550594829),  # example 3.1
    ({"fixed_cost": 2250, "holding_cost": 275, "demand_rate": 182500}, 1728.109844993551, 0, 475230.2073732266),
    (PENS | {"backorder_cost": 5}, 310.81255515896464, 0.0430622009569378, 66.92136355097325),  # example 3.8
    ({"fixed_cost": 40, "holding_cost": 40.05, "backorder_cost": 60, "demand_rate": 2080}, 83.235448128898042,
     0.400299850074962, 1999.148244415212),  # problem 3.2(b)
    (PENS | {"production_rate": 2000}, 513.9328595516969, 0, 40.472212689696120),
    ({"fixed_cost": 4, "holding_cost": 0.08, "demand_rate": 80, "production_rate": 110}, 171.2697677155351, 0,
     3.736794931975310),  # problem 3.22
])
def test_book(given_, quantity, backordered, cost) -> None:
    found = economic_order_quantity(**given_)
    assert found.quantity == pytest.approx(quantity, rel=1e-12)
    assert found.backordered == pytest.approx(backordered, abs=1e-12)
    assert found.cost == pytest.approx(cost, rel=1e-12)


def walked(q: float, late: float, k: float, h: float, p: float, demand: float, made: float) -> float:
    """Cost a unit of time of one cycle of stock, walked through in small steps; `late` is the largest backlog."""
    length = q / demand
    t = (np.arange(20_000) + 0.5) * length / 20_000
    filling = q / made
    stock = np.where(t < filling, -late + (made - demand) * t, -late + q - demand * t)
    return (k + (h * np.maximum(stock, 0) + p * np.maximum(-stock, 0)).mean() * length) / length


def test_backorders_and_production_together_against_walked_cycles() -> None:
    k, h, p, demand, made = 30.0, 2.0, 9.0, 50.0, 120.0
    best = economic_order_quantity(fixed_cost=k, holding_cost=h, backorder_cost=p, demand_rate=demand,
                                   production_rate=made)
    late = best.backordered * best.quantity * (1 - demand / made)
    assert best.cost == pytest.approx(walked(best.quantity, late, k, h, p, demand, made), rel=1e-6)
    for dq, dl in itertools.product((-2.0, 0.0, 2.0), (-1.0, 0.0, 1.0)):
        assert walked(best.quantity + dq, late + dl, k, h, p, demand, made) >= best.cost * (1 - 1e-6)


@pytest.mark.parametrize(("given_", "all_units", "incremental"), [
    ({"fixed_cost": 8, "holding_rate": 0.3, "demand_rate": 1300, "breakpoints": [0, 400, 800],
      "unit_costs": [0.75, 0.72, 0.68]}, (800, 2, 978.6), (304.0467800264368, 0, 1043.4105255059483)),  # example 3.5
    ({"fixed_cost": 2250, "holding_rate": 0.25, "demand_rate": 182500, "breakpoints": [0, 1200, 2400],
      "unit_costs": [1490, 1220, 1100]}, (2400, 2, 201251093.75),
     (28553.060654284905, 2, 208678591.67992836)),  # problem 3.12
    ({"fixed_cost": 200, "holding_rate": 0.2, "demand_rate": 1000, "breakpoints": [0, 200, 500],
      "unit_costs": [500, 475, 450]}, (500, 2, 472900.0), None),
    ({"fixed_cost": 150, "holding_rate": 0.25, "demand_rate": 2400, "breakpoints": [0, 300, 600],
      "unit_costs": [100, 90, 80]}, None, (1481.8906842274164, 2, 222762.8136845483)),
])
def test_book_discounts(given_, all_units, incremental) -> None:
    for discount, expected in (("all_units", all_units), ("incremental", incremental)):
        if expected is not None:
            assert discounted_order_quantity(**given_, discount=discount) == pytest.approx(expected, rel=1e-12)


@settings(max_examples=50)
@given(st.floats(1, 500), st.floats(0.05, 0.5), st.floats(100, 5000), st.floats(10, 400), st.floats(1.05, 3),
       st.sampled_from(["all_units", "incremental"]))
def test_discounts_against_every_quantity(k, rate, demand, first, factor, discount) -> None:
    starts, prices = [0, first, first * factor], [10.0, 9.5, 9.2]
    found = discounted_order_quantity(fixed_cost=k, holding_rate=rate, demand_rate=demand, breakpoints=starts,
                                      unit_costs=prices, discount=discount)
    q = np.append(np.linspace(1, 12 * first + 4 * found.quantity, 20_001), starts[1:])
    tier = np.searchsorted(starts, q, side="right") - 1
    if discount == "all_units":
        unit = np.array(prices)[tier]
    else:  # what the order costs, band by band
        bands = [np.clip(q, low, high) - low for low, high in itertools.pairwise([*starts, np.inf])]
        unit = sum(band * price for band, price in zip(bands, prices, strict=True)) / q
    costs = unit * demand + k * demand / q + rate * unit * q / 2
    assert found.cost <= costs.min() * (1 + 1e-12)
    assert found.cost >= costs.min() * (1 - 1e-4)
    assert found.tier == np.searchsorted(starts, found.quantity, side="right") - 1


JOINT = {
    "three": ((600, [120, 840, 300], [160, 20, 50], [1, 1, 1]), [1, 3, 1], 837.8544026261366),
    "silver, pyke, peterson": ((40, [15] * 4, [0.24] * 4, [86000, 12500, 1400, 3000]), [1, 1, 4, 3], 2067.650840930354),
    "silver 1976": ((10, [1.87, 5.27, 7.94, 8.19, 8.87], [0.2] * 5, [1736, 656, 558, 170, 142]), [1, 1, 1, 3, 3],
                    218.68632025498687),
    "problem 1": ((20000, [36000, 46000, 34000, 38000], [1000, 900, 1200, 1000], [1780, 445, 920, 175]), [1, 2, 1, 3],
                  1028646.3597045067),
    "problem 2": ((1500, [4000, 1000, 2000], [300, 200, 200], [9100, 83200, 20800]), [3, 1, 2], 566083.0327787611),
    "problem 3": ((180, [60, 100, 180, 115, 135], [5.32, 3.92, 4.76, 3.92, 3.36], [6200, 1300, 400, 4400, 1800]),
                  [1, 2, 4, 1, 2], 9107.181781429423),
}


def joint(case, **options):
    (shared, own, holding, rates), *_ = case
    return joint_replenishment(shared_cost=shared, own_costs=own, holding_costs=holding, demand_rates=rates, **options)


@pytest.mark.parametrize("case", JOINT.values(), ids=JOINT)
def test_joint_replenishment(case) -> None:
    (shared, own, holding, rates), multiples, cost = case
    silver, best = joint(case, heuristic=True), joint(case)
    assert silver.multiples.tolist() == multiples
    assert silver.cost == pytest.approx(cost, rel=1e-12)
    keeping = np.array(holding, float) * rates
    grid = np.array(list(itertools.product(range(1, 7), repeat=len(own))))
    costs = np.sqrt(2 * (shared + (np.array(own) / grid).sum(1)) * (grid * keeping).sum(1))
    assert best.cost == pytest.approx(costs.min(), rel=1e-12)
    assert best.quantities == pytest.approx(best.cycle * best.multiples * np.array(rates, float))


def test_joint_replenishment_with_a_small_shared_cost_tends_to_single_lots() -> None:
    own, rates = [30.0, 50.0], [400.0, 90.0]
    found = joint_replenishment(shared_cost=1e-3, own_costs=own, holding_costs=[1.0, 2.0], demand_rates=rates)
    single = sum(economic_order_quantity(fixed_cost=k, holding_cost=h, demand_rate=d).cost
                 for k, h, d in zip(own, (1.0, 2.0), rates, strict=True))
    assert single < found.cost < single * 1.01


@pytest.mark.parametrize(("given_", "exact", "approximate"), [
    ({"fixed_cost": 8, "holding_cost": 0.225, "lost_sale_cost": 5, "demand_rate": 1300, "disruption_rate": 1.5,
      "recovery_rate": 14}, (772.8110631910017, 173.9500025731971), (773.1432417118889, 173.9572293851750)),  # ex. 9.1
    ({"fixed_cost": 35, "holding_cost": 4, "lost_sale_cost": 22, "demand_rate": 30, "disruption_rate": 1,
      "recovery_rate": 12}, (24.066284024222202, 96.266590901158), (24.066680759605532, 96.26672303842213)),  # p. 9.8
])
def test_book_disruptions(given_, exact, approximate) -> None:
    best = economic_order_quantity_with_disruptions(**given_)
    assert best.quantity == pytest.approx(exact[0], abs=2e-5)  # the book's own digits end there
    assert best.cost == pytest.approx(exact[1], rel=1e-11)
    assert economic_order_quantity_with_disruptions(**given_, approximate=True).quantity == pytest.approx(
        approximate[0], rel=1e-12)
    for other in (0.98, 1.02):
        assert economic_order_quantity_with_disruptions(**given_, quantity=other * best.quantity).cost > best.cost


def test_disruptions_against_simulated_cycles() -> None:
    k, h, p, d, stop, start, q = 8.0, 0.225, 5.0, 1300.0, 1.5, 14.0, 500.0
    generator = np.random.default_rng(1)
    length = q / d
    down = generator.random(200_000) < stop / (stop + start) * -math.expm1(-(stop + start) * length)
    wait = np.where(down, generator.exponential(1 / start, down.size), 0.0)
    costs, times = k + h * q * length / 2 + p * d * wait, length + wait
    ratio = costs.sum() / times.sum()
    error = (costs - ratio * times).std() / times.mean() / math.sqrt(costs.size)
    found = economic_order_quantity_with_disruptions(fixed_cost=k, holding_cost=h, lost_sale_cost=p, demand_rate=d,
                                                     disruption_rate=stop, recovery_rate=start, quantity=q).cost
    assert abs(found - ratio) < 4 * error


def test_base_stock_with_disruptions() -> None:
    given_ = {"holding_cost": 0.25, "backorder_cost": 3, "demand": 2000, "disruption": 0.04, "recovery": 0.25}
    assert base_stock_with_disruptions(**given_) == pytest.approx((8000, 2737.068965490435), rel=1e-9)  # example 9.3
    for level, cost in ((2000, 3310.344827558603), (12000, 3075.161637904759), (1200, 5710.344790717086)):
        assert base_stock_with_disruptions(**given_, level=level).cost == pytest.approx(cost, rel=1e-7)
    generator = np.random.default_rng(2)
    up, since, levels = True, 0, []
    for chance in generator.random(200_000):
        up = chance >= 0.04 if up else chance < 0.25
        since = 0 if up else since + 1
        levels.append(5000 - 2000 * (since + 1))  # what is left of 5,000 units at the end of the period
    left = np.array(levels, float)
    costs = 0.25 * np.maximum(left, 0) + 3 * np.maximum(-left, 0)
    error = costs.reshape(200, -1).mean(1).std(ddof=1) / math.sqrt(200)
    assert abs(base_stock_with_disruptions(**given_, level=5000).cost - costs.mean()) < 4 * error


def test_yields() -> None:
    additive = {"fixed_cost": 18500, "holding_cost": 0.06, "demand_rate": 75000, "yield_mean": -15000, "yield_sd": 9000}
    assert order_quantity_with_additive_yield(**additive) == pytest.approx((230246.3704688188, 12914.78222812913))
    assert order_quantity_with_additive_yield(**additive, quantity=350000).cost == pytest.approx(14199.04477611940)
    assert order_quantity_with_additive_yield(fixed_cost=2250, holding_cost=275, demand_rate=182500, yield_mean=-50.0,
                                              yield_sd=0.02) == pytest.approx((1778.109845109285, 475230.2074050533))
    share = {"fixed_cost": 18500, "holding_cost": 0.06, "demand_rate": 75000, "yield_mean": 5 / 6,
             "yield_sd": 0.14085904245475275}
    assert order_quantity_with_proportional_yield(**share) == pytest.approx((254460.2129999894, 13086.52523999946))
    assert order_quantity_with_proportional_yield(
        fixed_cost=2250, holding_cost=275, demand_rate=182500, yield_mean=0.9,
        yield_sd=0.05773502691896258) == pytest.approx((1916.183333947864, 476207.0433625989))
    assert newsvendor_with_additive_yield(stats.uniform(-0.5, 1), holding_cost=15e6, backorder_cost=75e6,
                                          demand=1.5) == pytest.approx((11 / 6, 6.25e6))  # example 9.6
    assert newsvendor_with_additive_yield(stats.uniform(-5, 5), holding_cost=150, backorder_cost=1200,
                                          demand=25) == pytest.approx((29.444444444444443, 1000 / 3))  # problem 9.5


def test_yields_against_simulation() -> None:
    generator = np.random.default_rng(3)
    k, h, d = 100.0, 1.0, 60.0
    for q, received, found in (
        (90.0, 90 + generator.normal(-10, 4, 100_000), order_quantity_with_additive_yield(
            fixed_cost=k, holding_cost=h, demand_rate=d, yield_mean=-10, yield_sd=4, quantity=90.0)),
        (90.0, 90 * generator.beta(8, 2, 100_000), order_quantity_with_proportional_yield(
            fixed_cost=k, holding_cost=h, demand_rate=d, yield_mean=0.8, yield_sd=math.sqrt(0.16 / 11), quantity=90.0)),
    ):
        assert q == found.quantity
        costs, times = k + h * received**2 / (2 * d), received / d
        ratio = costs.sum() / times.sum()
        error = (costs - ratio * times).std() / times.mean() / math.sqrt(costs.size)
        assert abs(found.cost - ratio) < 4 * error
