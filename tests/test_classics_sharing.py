"""Stock that several stores or channels share, and orders that swing: every plan, duals by differences, simulation."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from omnisim.errors import UsageError
from omnisim.supply.classics import (
    bullwhip,
    littlewood,
    newsvendor_profit,
    reserve,
    serve_regions,
    stock_two_stores,
    whole_units,
)

# Transshipment

TERMS = {"price": [10.0, 9.0], "unit_cost": [4.0, 5.0], "move_cost": [2.0, 1.5], "salvage": 1.0, "goodwill": [0.5, 1.0]}


def value(first: float, second: float, quantities, terms) -> tuple[float, float, float]:
    """Profit of one outcome, and units moved each way, settled unit by unit."""
    stock, wanted = list(quantities), [first, second]
    profit = -sum(c * q for c, q in zip(terms["unit_cost"], quantities, strict=True))
    moved = [0.0, 0.0]
    for i in range(2):
        sold = min(stock[i], wanted[i])
        profit += terms["price"][i] * sold
        stock[i] -= sold
        wanted[i] -= sold
    for i, j in ((0, 1), (1, 0)):
        gain = terms["price"][j] + terms["goodwill"][j] - terms["salvage"] - terms["move_cost"][i]
        units = min(stock[i], wanted[j]) if gain > 0 else 0.0
        profit += (terms["price"][j] - terms["move_cost"][i]) * units
        stock[i] -= units
        wanted[j] -= units
        moved[i] = units
    return (profit + terms["salvage"] * sum(stock)
            - sum(g * w for g, w in zip(terms["goodwill"], wanted, strict=True)), *moved)


def expected(pmfs, quantities, terms):
    rows = [(p * q, value(a, b, quantities, terms)) for a, p in pmfs[0].items() for b, q in pmfs[1].items()]
    return np.array([chance * np.array(found) for chance, found in rows]).sum(0)


def test_two_stores_against_every_pair() -> None:
    pmfs = {0: 0.2, 3: 0.3, 5: 0.3, 9: 0.2}, {1: 0.4, 4: 0.4, 8: 0.2}
    found = stock_two_stores(pmfs, **TERMS)
    costs = {pair: expected(pmfs, pair, TERMS)[0] for pair in itertools.product(range(15), repeat=2)}
    assert found.profit == pytest.approx(max(costs.values()))
    assert (found.profit, *found.moved) == pytest.approx(tuple(expected(pmfs, found.quantities, TERMS)))
    given_ = stock_two_stores(pmfs, **TERMS, quantities=(7, 2))
    assert given_.profit == pytest.approx(costs[7, 2])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=6),
       st.floats(0, 4), st.floats(0, 4))
def test_joint_scenarios_against_every_pair(pairs, there, back) -> None:
    terms = TERMS | {"move_cost": [there + 1.0, back + 1.5]}
    found = stock_two_stores(np.array(pairs), **terms)
    best = max(np.mean([value(a, b, q, terms)[0] for a, b in pairs]) for q in itertools.product(range(12), repeat=2))
    assert found.profit == pytest.approx(best)


def test_moving_pays_less_the_more_demands_move_together() -> None:
    generator = np.random.default_rng(1)
    profits = []
    for rho in (-0.9, 0.0, 0.9):
        drawn = generator.multivariate_normal([100, 100], 400 * np.array([[1, rho], [rho, 1]]), 4_000)
        profits.append(stock_two_stores(np.maximum(np.rint(drawn), 0), **TERMS).profit)
    assert profits == sorted(profits, reverse=True)
    demand = stats.poisson(40)
    dear = stock_two_stores((demand, demand), **(TERMS | {"move_cost": 50.0}))
    alone = sum(newsvendor_profit(demand, price=r, unit_cost=c, salvage=1.0, goodwill=g).profit
                for r, c, g in zip(TERMS["price"], TERMS["unit_cost"], TERMS["goodwill"], strict=True))
    assert dear.profit == pytest.approx(alone)
    assert dear.moved == (0, 0)
    assert stock_two_stores((demand, demand), **TERMS).profit > alone


# Reservation


def revenue(demands, prices, capacity, protected) -> float:
    """Expected revenue of fixed protection, the cheapest channel buying first, over all outcomes."""
    total = 0.0
    for outcome in itertools.product(*(list(d.items()) for d in demands)):
        chance, left, earned = 1.0, capacity, 0.0
        for j in reversed(range(len(demands))):
            asked, probability = outcome[j]
            chance *= probability
            sold = max(min(asked, left - (protected[j - 1] if j else 0)), 0)
            earned += prices[j] * sold
            left -= sold
        total += chance * earned
    return total


def test_reservation_against_every_protection() -> None:
    demands = [{0: 0.3, 1: 0.3, 4: 0.4}, {1: 0.5, 3: 0.5}, {0: 0.2, 2: 0.4, 6: 0.4}]
    prices = [10.0, 6.0, 3.5]
    found = reserve(demands, prices=prices, capacity=8)
    for capacity in (2, 5, 8):
        best = max(revenue(demands, prices, capacity, levels) for levels in itertools.product(range(9), repeat=2))
        assert found.revenue[capacity] == pytest.approx(best)
        assert revenue(demands, prices, capacity, found.protected) == pytest.approx(best)


def test_two_channels_are_littlewoods() -> None:
    assert littlewood(stats.norm(100, 20), price=100, lower_price=40) == pytest.approx(105.06694)
    for mean in (5, 20, 60):
        found = reserve([stats.poisson(mean), stats.poisson(30)], prices=[100, 37], capacity=150)
        assert found.protected[0] == littlewood(stats.poisson(mean), price=100, lower_price=37)
    assert littlewood(stats.norm(10, 20), price=100, lower_price=99) == 0


# Serving regions


def solve(stock, demand, costs, missed) -> float:
    return serve_regions(stock, demand, costs, unserved_cost=missed).cost


@settings(max_examples=25)
@given(st.integers(0, 10_000))
def test_worths_lie_between_the_differences(seed: int) -> None:
    generator = np.random.default_rng(seed)
    nodes, regions = generator.integers(1, 4, 2)
    stock, demand = generator.integers(0, 9, nodes).astype(float), generator.integers(1, 9, regions).astype(float)
    costs = generator.integers(1, 9, (nodes, regions)).astype(float)
    costs[generator.random(costs.shape) < 0.2] = np.inf
    found = serve_regions(stock, demand, costs, unserved_cost=12)
    assert (found.shipped.sum(1) <= stock + 1e-9).all()
    assert found.shipped.sum(0) + found.unserved == pytest.approx(demand)
    assert found.cost == pytest.approx(found.stock_worth @ -stock + found.demand_cost @ demand)
    step = 0.25
    for i in range(nodes):
        more = found.cost - solve(stock + step * (np.arange(nodes) == i), demand, costs, 12)
        assert more / step <= found.stock_worth[i] + 1e-9
        if stock[i] >= step:
            fewer = solve(stock - step * (np.arange(nodes) == i), demand, costs, 12) - found.cost
            assert found.stock_worth[i] <= fewer / step + 1e-9
    for j in range(regions):
        more = solve(stock, demand + step * (np.arange(regions) == j), costs, 12) - found.cost
        fewer = found.cost - solve(stock, demand - step * (np.arange(regions) == j), costs, 12)
        assert fewer / step - 1e-9 <= found.demand_cost[j] <= more / step + 1e-9


def test_serving_against_every_whole_plan() -> None:
    stock, demand, costs = [3, 2], [2, 2], [[1.0, 4.0], [3.0, 2.0]]
    best = min(
        sum(costs[i][j] * plan[2 * i + j] for i in range(2) for j in range(2))
        for plan in itertools.product(range(3), repeat=4)
        if plan[0] + plan[1] <= 3 and plan[2] + plan[3] <= 2 and plan[0] + plan[2] == 2 and plan[1] + plan[3] == 2)
    assert serve_regions(stock, demand, costs).cost == pytest.approx(best)


def test_regions_that_cannot_be_served() -> None:
    with pytest.raises(UsageError, match=r"demand\[1\] = 4 units — is reached by no route"):
        serve_regions([9], [2, 4], [[1, np.inf]])
    with pytest.raises(UsageError, match="stock = 3 units — must cover demand of 6"):
        serve_regions([3], [2, 4], [[1, 1]])
    with pytest.raises(UsageError, match="cannot reach all demand by the routes there are"):
        serve_regions([1, 9], [4, 4], [[1, 1], [1, np.inf]])
    assert serve_regions([9], [2, 4], [[1, np.inf]], unserved_cost=5).unserved.tolist() == [0, 4]


# Bullwhip


@pytest.mark.parametrize("rho", [-0.4, 0.0, 0.5])
@pytest.mark.parametrize(("forecast", "settings_"), [
    ("moving_average", {"window": 5}), ("smoothing", {"smoothing": 0.3}), ("optimal", {})])
def test_bullwhip_against_simulated_orders(forecast: str, settings_: dict[str, float], rho: float) -> None:
    lead, n = 3, 400_000
    generator = np.random.default_rng(9)
    from scipy.signal import lfilter

    demand = lfilter([1.0], [1.0, -rho], generator.normal(size=n))
    if forecast == "moving_average":
        level = lead * np.convolve(demand, np.ones(5) / 5)[:n]
    elif forecast == "smoothing":
        level = lead * lfilter([0.3], [1.0, -0.7], demand)
    else:
        level = rho * (1 - rho**lead) / (1 - rho) * demand  # mean demand of the next `lead` periods
    orders = (np.diff(level) + demand[1:])[100:]  # what raises the position to its level after each period
    ratios = np.array([part.var() for part in np.array_split(orders, 20)]) / demand.var()
    found = bullwhip(lead_time=lead, forecast=forecast, correlation=rho, **settings_)
    assert abs(ratios.mean() - found) < 4 * ratios.std(ddof=1) / np.sqrt(20) + 0.005 * found


def test_whole_units_keep_the_mean() -> None:
    assert whole_units(stats.gamma(4, scale=3)).values @ whole_units(stats.gamma(4, scale=3)).probabilities == (
        pytest.approx(12, abs=0.01))
