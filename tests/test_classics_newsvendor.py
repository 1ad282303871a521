"""One season's order: the book's figures, the brief of a real brand, and outcomes counted one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from omnisim.supply.classics import (
    Scenarios,
    expected_shortage,
    newsvendor,
    newsvendor_cvar,
    newsvendor_profit,
    normal_loss,
    normal_second_loss,
    poisson_loss,
    quantile,
)

DICE = {1: 0.25, 2: 0.05, 3: 0.1, 4: 0.2, 5: 0.15, 6: 0.10, 7: 0.10, 8: 0.05}


@pytest.mark.parametrize(("demand", "over", "under", "quantity", "cost"), [
    (stats.norm(50, 8), 0.18, 0.7, 56.603955927433887, 1.997605193176645),  # examples 4.1 and 4.3
    (stats.norm(900, 60), 43, 79, 922.7214038234755, 2718.196781782411),  # problem 4.1
    (stats.norm(250, 8 * math.sqrt(5)), 0.18, 0.7, 264.7668943741548, 4.466781004149578),  # example 4.4
    (stats.poisson(6), 1, 4, 8, 3.570106945770946),  # example 4.7 without its fixed cost
    (stats.poisson(18), 200, 270, 19, 786.0884409351115),  # problem 4.8(a)
    (stats.lognorm(0.3, 0, math.exp(6)), 1, 0.1765, 295.6266448071368, 29.44254358213529),  # problem 4.8(b)
    (stats.poisson(50), 0.18, 0.7, 56, 1.797235211809178),
    (DICE, 500_000, 1_000_000, 5, 1_225_000),  # problem 4.7(b)
])
def test_book(demand, over, under, quantity, cost) -> None:
    found = newsvendor(demand, overage_cost=over, underage_cost=under)
    assert (found.quantity, found.cost) == pytest.approx((quantity, cost), rel=1e-10)
    assert found.service >= found.critical_ratio - 1e-12


@pytest.mark.parametrize(("demand", "quantity", "cost"), [
    (stats.norm(50, 8), 40, 7.356131552870388), (stats.norm(50, 8), 60, 2.156131552870387)])
def test_cost_of_a_given_quantity(demand, quantity, cost) -> None:
    assert newsvendor(demand, overage_cost=0.18, underage_cost=0.7, quantity=quantity).cost == pytest.approx(cost)


def test_profit() -> None:
    found = newsvendor_profit(stats.norm(50, 8), price=1, unit_cost=0.3, salvage=0.12)
    assert found[:2] == pytest.approx((56.60395592743389, 33.002394806823354))  # example 4.2
    found = newsvendor_profit(stats.poisson(50), price=1, unit_cost=0.3, salvage=0.12)
    assert found[:2] == pytest.approx((56, 33.20276478819082))
    found = newsvendor_profit(stats.norm(50, 10), price=7, unit_cost=2.5, salvage=1.5)
    assert found[:2] == pytest.approx((59.084578685373856, 210.47680825231475))  # problem 4.3(b)


def test_a_coat_bought_for_half_its_price() -> None:
    found = newsvendor_profit(stats.norm(239, math.sqrt(239)), price=150, unit_cost=75, salvage=40)
    assert found.critical_ratio == pytest.approx(0.6818, abs=5e-5)
    assert found.quantity == pytest.approx(246.3, abs=0.05)


@pytest.mark.parametrize("demand", [
    stats.gamma(2, scale=3), stats.expon(scale=5), stats.uniform(2, 6), stats.weibull_min(0.7, scale=4),
    stats.pareto(2.5, scale=10), stats.nbinom(5, 0.4), stats.geom(0.2), stats.binom(20, 0.3),
    stats.Normal(mu=50.0, sigma=8.0), stats.Binomial(n=20, p=0.3), DICE,
    [3.0, 3.0, 7.0, 12.0], Scenarios(np.array([5.0, 1.0]), np.array([0.3, 0.7])),
])
def test_any_demand_against_outcomes_counted_one_by_one(demand) -> None:
    """Outcomes at evenly spread quantiles stand for the distribution."""
    u = (np.arange(200_000) + 0.5) / 200_000
    if hasattr(demand, "ppf"):
        outcomes = demand.ppf(u)
    elif hasattr(demand, "icdf"):
        outcomes = demand.icdf(u)
    else:
        outcomes = np.array([quantile(demand, x) for x in u[::1000]])
    found = newsvendor(demand, overage_cost=1, underage_cost=3)
    for quantity in (found.quantity, 0.5 * found.quantity):
        counted = np.where(outcomes > quantity, 3 * (outcomes - quantity), quantity - outcomes).mean()
        given_ = newsvendor(demand, overage_cost=1, underage_cost=3, quantity=quantity)
        assert given_.cost == pytest.approx(counted, rel=2e-2 if len(outcomes) == 200 else 4e-3)
        assert given_.cost >= found.cost


def test_expected_shortage_has_its_closed_forms() -> None:
    assert expected_shortage(stats.gamma(2, scale=3), 4) == pytest.approx(2.635971381157268, rel=1e-10)
    assert expected_shortage(stats.expon(scale=5), 1) == pytest.approx(4.0936537653899085, rel=1e-10)
    assert expected_shortage(stats.uniform(2, 6), 4) == pytest.approx(4 / 3, rel=1e-10)
    assert expected_shortage(stats.lognorm(0.3, 0, math.exp(2)), 10) == pytest.approx(0.28364973888106326, rel=1e-10)
    assert expected_shortage(stats.lognorm(0.3, 0, math.exp(2)), -5) == pytest.approx(5 + math.exp(2.045), rel=1e-10)
    assert expected_shortage(stats.uniform(2, 6), 9) == 0
    assert expected_shortage(stats.pareto(1.2), 100) == pytest.approx(5 * 100**-0.2, rel=1e-8)  # a heavy tail
    assert normal_loss(18.6, 15, 3) == pytest.approx(0.1683073521514889)
    assert normal_second_loss(18.6, 15, 3) == pytest.approx(0.21486028212500707)
    assert poisson_loss(18, 15) == pytest.approx(0.5176095282584723)
    assert poisson_loss(-2, 15) == 17


@given(st.lists(st.integers(0, 30), min_size=1, max_size=12), st.floats(0.5, 20), st.floats(0.5, 20))
def test_scenarios_against_every_quantity(outcomes, over, under) -> None:
    found = newsvendor(outcomes, overage_cost=over, underage_cost=under)
    costs = [np.mean([over * max(q - d, 0) + under * max(d - q, 0) for d in outcomes]) for q in range(31)]
    assert found.cost == pytest.approx(min(costs))
    assert found.quantity in outcomes


def profits(outcomes, quantity, price=10.0, cost=4.0, salvage=1.0, goodwill=0.0):
    sold = np.minimum(outcomes, quantity)
    return price * sold + salvage * (quantity - sold) - cost * quantity - goodwill * (outcomes - sold)


@pytest.mark.parametrize("goodwill", [0.0, 5.0, 30.0])
@pytest.mark.parametrize("weight", [0.0, 0.5, 1.0])
def test_cvar_against_sorted_outcomes(goodwill: float, weight: float) -> None:
    outcomes = stats.norm(100, 20).ppf((np.arange(5_000) + 0.5) / 5_000)
    terms = {"price": 10, "unit_cost": 4, "salvage": 1, "goodwill": goodwill, "tail": 0.1, "weight": weight}

    def value(quantity: float) -> float:
        found = np.sort(profits(outcomes, quantity, goodwill=goodwill))
        return float((1 - weight) * found.mean() + weight * found[:500].mean())

    found = newsvendor_cvar(stats.norm(100, 20), **terms)
    assert found.objective == pytest.approx(value(found.quantity), rel=1e-3)
    assert found.objective >= max(value(q) for q in np.linspace(50, 170, 31)) * (1 - 1e-3)
    counted = newsvendor_cvar(outcomes, **terms)
    assert counted.objective == pytest.approx(value(counted.quantity), rel=1e-9)
    assert counted.objective == pytest.approx(found.objective, rel=1e-3)


@settings(max_examples=30)
@given(st.lists(st.integers(0, 20), min_size=2, max_size=8), st.floats(0.05, 0.95), st.floats(0, 1),
       st.sampled_from([0.0, 2.0, 15.0]))
def test_cvar_of_few_scenarios_against_a_fine_grid(outcomes, tail, weight, goodwill) -> None:
    terms = {"price": 10, "unit_cost": 4, "salvage": 1, "goodwill": goodwill, "tail": tail, "weight": weight}
    found = newsvendor_cvar(outcomes, **terms)
    grid = [newsvendor_cvar(outcomes, **terms, quantity=q).objective for q in np.linspace(0, 20, 81)]
    assert found.objective >= max(grid) - 1e-6
    assert found.cvar <= found.profit + 1e-9


def test_caution_buys_less_and_goodwill_more() -> None:
    demand = stats.norm(100, 20)
    levels = [newsvendor_cvar(demand, price=10, unit_cost=4, weight=w, tail=0.2).quantity for w in (0, 0.5, 1)]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] == pytest.approx(newsvendor_profit(demand, price=10, unit_cost=4).quantity)
    assert (newsvendor_cvar(demand, price=10, unit_cost=4, goodwill=20, tail=0.2).quantity > levels[2])
