"""Lot sizes for demand that changes: the book's figures, and every plan there is."""

from __future__ import annotations

import functools
import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize

from omnisim.errors import UsageError
from omnisim.supply.classics import plan_capacitated_lots, plan_lots, plan_lots_with_minimum


@pytest.mark.parametrize(("demand", "fixed", "holding", "unit", "quantities", "cost"), [
    ([90, 120, 80, 70], 500, 2, 0, [210, 0, 150, 0], 1380),  # example 3.9
    ([150, 100, 80, 200], 120, 0.8, 0, [150, 180, 0, 200], 424),  # problem 3.27
    ([730, 580, 445, 650, 880], 100, 0.1, 0, [1310, 0, 1095, 0, 880], 423),  # problem 3.29
    ([200] * 5, 100, 0.1, 0, [400, 0, 600, 0, 0], 280),
    ([400, 500, 500, 1100, 900], 100, 0.1, [3, 1, 4, 6, 6], [400, 3000, 0, 0, 0], 4940),
])
def test_book(demand, fixed, holding, unit, quantities, cost) -> None:
    found = plan_lots(demand, fixed_cost=fixed, holding_cost=holding, unit_cost=unit)
    assert found.cost == pytest.approx(cost)
    assert sorted(found.quantities) == sorted(quantities)  # ties may be settled in another order
    assert found.stock[-1] == 0


def price(demand, orders, fixed, holding, unit) -> float:
    """Cost of orders, inf where they run short."""
    stock = np.cumsum(np.array(orders, float) - demand)
    if stock.min() < -1e-9:
        return np.inf
    return float(fixed @ (np.array(orders) > 0) + unit @ np.array(orders, float) + holding @ stock)


@settings(max_examples=60)
@given(st.lists(st.integers(0, 9), min_size=1, max_size=8), st.data())
def test_lots_against_every_set_of_order_periods(demand, data) -> None:
    n = len(demand)
    figures = st.lists(st.floats(0, 20), min_size=n, max_size=n)
    fixed, holding, unit = (np.array(data.draw(figures)) for _ in range(3))
    found = plan_lots(demand, fixed_cost=fixed, holding_cost=holding, unit_cost=unit)
    best = np.inf
    for chosen in itertools.product((False, True), repeat=n):
        orders, last = [0.0] * n, None
        for t in range(n):
            last = t if chosen[t] else last
            if last is not None:
                orders[last] += demand[t]
        cost = price(demand, orders, fixed, holding, unit)
        best = min(best, cost)
    assert found.cost == pytest.approx(best)
    assert price(np.array(demand), found.quantities, fixed, holding, unit) == pytest.approx(found.cost)


@settings(max_examples=40)
@given(st.lists(st.integers(0, 4), min_size=1, max_size=5), st.integers(1, 5), st.integers(0, 3), st.integers(0, 6),
       st.sampled_from([None, 0.5, 3.0, 20.0]), st.floats(0, 8), st.floats(0.1, 2), st.floats(0, 3))
def test_minimum_against_every_order(demand, minimum, stock, more, lost, fixed, holding, unit) -> None:
    maximum = minimum + more

    @functools.cache
    def cheapest(t: int, s: int) -> float:
        if t == len(demand):
            return 0.0
        best = np.inf
        for order in (0, *range(minimum, maximum + 1)):
            left = s + order - demand[t]
            if left < 0 and lost is None:
                continue
            cost = (fixed + unit * order if order else 0.0) + holding * max(left, 0) + (lost or 0.0) * max(-left, 0)
            best = min(best, cost + cheapest(t + 1, max(left, 0)))
        return best

    if cheapest(0, stock) == np.inf:
        with pytest.raises(UsageError, match=r"falls .* units short of demand by period"):
            plan_lots_with_minimum(demand, minimum=minimum, maximum=maximum, fixed_cost=fixed, holding_cost=holding,
                                   unit_cost=unit, stock=stock)
        return
    found = plan_lots_with_minimum(demand, minimum=minimum, maximum=maximum, fixed_cost=fixed, holding_cost=holding,
                                   unit_cost=unit, lost_sale_cost=lost, stock=stock)
    assert found.cost == pytest.approx(cheapest(0, stock))
    placed = found.quantities[found.quantities > 0]
    assert ((placed >= minimum) & (placed <= maximum)).all()
    served = stock + np.cumsum(found.quantities - demand + found.lost)
    assert served == pytest.approx(found.stock)
    again = (fixed * placed.size + unit * placed.sum() + holding * found.stock.sum() + (lost or 0.0) * found.lost.sum())
    assert again == pytest.approx(found.cost)


def test_without_a_minimum_it_is_wagner_and_whitin() -> None:
    demand = np.random.default_rng(1).poisson(12, 90)
    lots = plan_lots(demand, fixed_cost=80, holding_cost=1)
    assert plan_lots_with_minimum(demand, minimum=1, fixed_cost=80, holding_cost=1).cost == pytest.approx(lots.cost)


def cheapest_by_enumeration(demand, capacity, setup, holding, time) -> float:
    """Every pattern of set-ups, with a linear program for its quantities."""
    n, periods = demand.shape
    lower = np.tril(np.ones((periods, periods)))
    best = np.inf
    for flat in itertools.product((0, 1), repeat=n * periods):
        on = np.array(flat).reshape(n, periods)
        room = capacity - time * on.sum(0)
        if (room < 0).any() or (np.cumsum(demand, 1)[on[:, 0] == 0, 0] > 0).any():
            continue
        held = np.repeat(holding, periods) @ np.kron(np.eye(n), lower)  # cost of a unit made in t: h (T − t)
        base = (holding[:, None] * np.cumsum(demand, 1)).sum()
        found = optimize.linprog(held, A_ub=np.vstack([-np.kron(np.eye(n), lower), np.tile(np.eye(periods), n)]),
                                 b_ub=np.concatenate([-np.cumsum(demand, 1).ravel(), room]),
                                 bounds=[(0, 1e3 * o) for o in flat])
        if found.status == 0:
            best = min(best, setup * on.sum() + found.fun - base)
    return best


def test_capacity_against_every_pattern_of_set_ups() -> None:
    for seed in range(2):
        generator = np.random.default_rng(seed)
        demand = generator.integers(0, 9, (2, 4)).astype(float)
        holding = np.array([1.0, 2.5])
        found = plan_capacitated_lots(demand, capacity=14, setup_cost=9, holding_cost=holding, setup_time=1.5)
        assert found.cost == pytest.approx(cheapest_by_enumeration(demand, 14.0, 9, holding, 1.5))
        assert found.gap <= 1e-6
        used = found.quantities.sum(0) + 1.5 * found.setups.sum(0)
        assert (used <= 14 + 1e-6).all()
        assert np.cumsum(found.quantities - demand, 1) == pytest.approx(found.stock, abs=1e-9)


def test_ample_capacity_gives_single_lots() -> None:
    demand = np.random.default_rng(3).integers(0, 40, (3, 8))
    found = plan_capacitated_lots(demand, capacity=1e4, setup_cost=[50, 90, 20], holding_cost=1)
    alone = sum(plan_lots(row, fixed_cost=k, holding_cost=1).cost for row, k in zip(demand, (50, 90, 20), strict=True))
    assert found.cost == pytest.approx(alone)


def test_plans_that_cannot_be() -> None:
    with pytest.raises(UsageError, match=r"minimum = 9 units — must not exceed maximum \(5\)"):
        plan_lots_with_minimum([3, 4], minimum=9, maximum=5, fixed_cost=1, holding_cost=1)
    with pytest.raises(UsageError, match=r"demand\[1\] = 2.5 units — must be whole"):
        plan_lots_with_minimum([3, 2.5], minimum=1, fixed_cost=1, holding_cost=1)
    with pytest.raises(UsageError, match="capacity = 10 hours up to period 1 — must cover 14 hours of demand"):
        plan_capacitated_lots([[2, 12]], capacity=5, setup_cost=1, holding_cost=1)
    with pytest.raises(UsageError, match="leaves no room for the set-ups"):
        plan_capacitated_lots([[5, 5], [5, 5]], capacity=10, setup_cost=1, holding_cost=1, setup_time=1)
