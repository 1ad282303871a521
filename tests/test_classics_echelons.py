"""Stock at several stages: published optima, exact chains of backorders, enumeration and simulated networks."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from omnisim.errors import UsageError
from omnisim.supply.classics import (
    Distribution,
    SerialChain,
    Stage,
    distribution_base_stock,
    guaranteed_service,
    lost_sales_base_stock,
    lost_sales_policy,
    serial_base_stock,
    serial_cost,
    shang_song_levels,
)

CHAINS = {  # stages from customers up: chain, optimal echelon levels and cost, levels by two newsvendors
    "example 6.1": (SerialChain([3, 2, 2], [1, 1, 2], 37.12, 5, 1), [6.49, 12.02, 22.71], 47.65,
                    [6.490880975286938, 12.027434723327854, 22.634032391786285]),
    "problem 6.1": (SerialChain([1, 1], [1, 1], 15, 100, 15), [123.47, 228.42], 166.25,
                    [123.47089707042699, 228.86005391444402]),
    "problem 6.2(a)": (SerialChain([2, 2, 1, 1, 1], [0.5] * 5, 24, 64, 8), [40.59, 74.26, 109.09, 142.12, 174.52],
                       451.6,
                       [40.58670401687929, 74.45806987058583, 109.59625626575588, 142.8985667640439,
                        175.83298580667355]),
    "problem 6.2(b)": (SerialChain([2, 2, 1, 1, 1], [0.5] * 5, 24, 64), [41, 74, 109, 142, 174], 453.69,
                       [41, 74.5, 110, 143, 175.5]),
    "problem 6.16": (SerialChain([5, 2], [8, 3], 24, 20, 4), [171.19, 232.16], 438.18,
                     [171.19116550607282, 234.4525617739672]),
    "shang and song 1": (SerialChain([0.25] * 4, [0.25] * 4, 9, 16), [8, 13, 18, 22], 12.69, [8, 13.5, 18, 22.5]),
    "shang and song 9": (SerialChain([0.25, 2.5, 2.5, 0.25], [0.25] * 4, 9, 16), [9, 10, 13, 19], 53.01,
                         [9, 10.5, 14, 20.5]),
    "shang and song 17": (SerialChain([0.25] * 4, [0.25] * 4, 99, 16), [11, 17, 22, 27], 16.21, [11, 16.5, 22, 27]),
    "shang and song 25": (SerialChain([0.25, 2.5, 2.5, 0.25], [0.25] * 4, 99, 16), [11, 14, 18, 26], 74.56,
                          [11, 14, 18.5, 25.5]),
}


@pytest.mark.parametrize("case", CHAINS.values(), ids=CHAINS)
def test_published_chains(case) -> None:
    """The published costs come from coarser grids than ours: they agree to 3e-4."""
    chain, levels, cost, near = case
    found = serial_base_stock(chain)
    assert found.echelon == pytest.approx(levels, abs=0.006)
    assert found.cost == pytest.approx(cost, rel=3e-4)
    assert shang_song_levels(chain) == pytest.approx(near, rel=1e-9)
    assert serial_cost(chain, found.echelon) == pytest.approx(found.cost, rel=1e-5)
    assert serial_cost(chain, near) >= found.cost * (1 - 1e-6)
    assert np.cumsum(found.local)[-1] == pytest.approx(found.echelon[-1])


def test_the_unit_of_time_does_not_matter() -> None:
    """Problem 6.2, counted in half units of time as the book does for periodic review."""
    for name, sd in (("problem 6.2(a)", 8 / math.sqrt(2)), ("problem 6.2(b)", None)):
        whole = serial_base_stock(CHAINS[name][0])
        half = serial_base_stock(SerialChain([1, 1, 0.5, 0.5, 0.5], [1] * 5, 12, 32, sd))
        assert half.echelon == pytest.approx(whole.echelon)
        assert half.cost == pytest.approx(whole.cost / 2)


def backorder_chain(chain: SerialChain, local: list[int]) -> float:
    """Cost of local base stocks, from the distribution of what waits at each stage, top to bottom."""
    from omnisim.supply.classics.losses import poisson_pmf

    h, times = np.array(chain.echelon_holding_costs), np.array(chain.lead_times)
    own = np.cumsum(h[::-1])[::-1]  # local holding cost
    waiting, cost = np.ones(1), 0.0
    for j in reversed(range(h.size)):
        pmf = poisson_pmf(chain.demand_mean * times[j])
        total = np.convolve(waiting, pmf)
        units = np.arange(total.size) - local[j]
        waiting = np.concatenate([[total[units <= 0].sum()], total[units > 0]])
        mean = waiting @ np.arange(waiting.size)
        cost += own[j] * (np.maximum(-units, 0) @ total)
        if j:
            cost += own[j] * chain.demand_mean * times[j - 1]  # on its way down
    return cost + chain.backorder_cost * float(mean)


@pytest.mark.parametrize("name", ["problem 6.2(b)", "shang and song 1", "shang and song 9", "shang and song 25"])
def test_poisson_chains_against_what_waits_at_each_stage(name: str) -> None:
    chain = CHAINS[name][0]
    best = serial_base_stock(chain)
    local = best.local.astype(int)
    assert backorder_chain(chain, list(local)) == pytest.approx(best.cost, rel=1e-9)
    for j in range(local.size):
        for change in (-1, 1):
            other = local.copy()
            other[j] += change
            if other[j] >= 0:
                cost = backorder_chain(chain, list(other))
                assert cost >= best.cost - 1e-9
                assert serial_cost(chain, np.cumsum(other)) == pytest.approx(cost, rel=1e-9)


def test_normal_chain_against_a_simulation() -> None:
    """Example 6.1 by the position of each stage at its own time: it has what the stages above let through."""
    chain, levels = CHAINS["example 6.1"][0], np.array([6.2, 12.5, 21.0])
    generator = np.random.default_rng(1)
    demands = generator.normal(5 * np.array([1, 1, 2]), np.sqrt([1, 1, 2]), (200_000, 3))
    h = np.array(chain.echelon_holding_costs)
    cost, position = 0.0, np.full(200_000, np.inf)
    for j in (2, 1, 0):
        level = np.minimum(position, levels[j]) - demands[:, j]
        cost, position = cost + h[j] * level, level
    cost = cost + (37.12 + h.sum()) * np.maximum(-level, 0)
    assert abs(serial_cost(chain, levels) - cost.mean()) < 4 * cost.std() / math.sqrt(cost.size)


def test_a_nearly_steady_stage_does_not_ask_for_a_huge_grid() -> None:
    found = serial_base_stock(SerialChain([1.0, 1.0], [1e-9, 4.0], 18.0, 10.0, 3.0))
    alone = serial_base_stock(SerialChain([1.0], [4.0], 18.0, 10.0, 3.0))  # all stock waits above, a moment away
    assert found.cost == pytest.approx(alone.cost, rel=1e-3)


def test_one_stage_is_a_newsvendor() -> None:
    found = serial_base_stock(SerialChain([2.0], [4.0], 18.0, 10.0, 3.0))
    assert found.echelon[0] == pytest.approx(stats.norm(40, 6).ppf(0.9), abs=1e-3)


# One warehouse, many retailers


SYSTEM = Distribution([2.0, 3.0, 5.0], [1.0, 2.0, 1.0], [2.0, 2.0, 1.5], [20.0, 15.0, 25.0], 3.0, 1.0)


def test_warehouse_against_a_simulated_network() -> None:
    """First come, first served at the warehouse, unit by unit: the n-th order is met by the n-th unit to arrive."""
    found = distribution_base_stock(SYSTEM, warehouse=25)
    generator, n = np.random.default_rng(2), 400_000
    times = np.cumsum(generator.exponential(1 / 10, n))
    store = generator.choice(3, n, p=[0.2, 0.3, 0.5])
    # unit k leaves the warehouse when ordered, or when its own replacement, ordered 25 orders before, has come
    ready = np.concatenate([np.zeros(25), times[:-25] + 3.0])
    leaves = np.maximum(times, ready)
    batches = np.array_split(np.arange(1000, n), 40)
    for i in range(3):
        mine = np.flatnonzero(store == i)
        arrives = leaves[mine] + SYSTEM.lead_times[i]
        level = found.retailers[i]
        served = np.concatenate([np.zeros(level), arrives[:-level]])  # orders are met by units in turn
        late = np.maximum(served - times[mine], 0)
        place = np.searchsorted(mine, [batch[0] for batch in batches] + [n])
        rates = np.array([late[a:b].sum() for a, b in itertools.pairwise(place)]) / np.array(
            [times[batch[-1]] - times[batch[0]] for batch in batches])  # Little: mean that wait
        assert abs(rates.mean() - found.backorders[i]) < 4 * rates.std(ddof=1) / math.sqrt(40)


def test_warehouse_level_against_all_others() -> None:
    best = distribution_base_stock(SYSTEM)
    costs = [distribution_base_stock(SYSTEM, warehouse=s).cost for s in range(61)]
    assert best.cost == pytest.approx(min(costs)) and best.warehouse == int(np.argmin(costs))
    assert distribution_base_stock(SYSTEM, warehouse=10_000).warehouse_backorders == pytest.approx(0, abs=1e-9)
    alone = Distribution([4.0], 2.0, 2.0, 18.0, 0.0, 1.0)  # a warehouse that waits for nothing keeps nothing
    found = distribution_base_stock(alone)
    assert found.warehouse == 0
    assert found.retailers[0] == stats.poisson(8).ppf(0.9)


# Guaranteed service


Z8, Z14 = stats.norm.ppf(0.98), stats.norm.ppf(0.95)
TREES = {
    "example 6.3": ({"3": Stage(1, 2, inbound_time=1), "2": Stage(0, 4), "1": Stage(1, 7, 1, 1)},
                    [("3", "2"), ("2", "1")], 1, 2.8284271247461903),
    "problem 6.7": ({"3": Stage(1, 2, inbound_time=1), "2": Stage(1, 3), "1": Stage(2, 4, 10, 0)},
                    [("3", "2"), ("2", "1")], 4, 357.77087639996637),
    "problem 6.8": ({str(k): stage for k, stage in enumerate((
        Stage(5, 5.73, 15.8, 3), Stage(10, 4.56), Stage(2, 3.04), Stage(15, 2.93), Stage(8, 2.47), Stage(5, 2.37),
        Stage(9, 1.15), Stage(5, 1.1), Stage(1, 0.98), Stage(5, 0.87, inbound_time=7)), start=1)},
        [(str(k + 1), str(k)) for k in range(1, 10)], Z8, 1378.3020369043727),
    "problem 6.9": ({"1": Stage(7, 44 / 365, 4.1, 3), "2": Stage(7, 28 / 365, 6.2, 3), "3": Stage(21, 18 / 365),
                     "4": Stage(3, 1 / 365), "5": Stage(8, 4 / 365), "6": Stage(2, 1.5 / 365)},
                    [("3", "1"), ("3", "2"), ("4", "3"), ("5", "3"), ("6", "5")], 4, 15.649530249501026),
    "example 6.5": ({"1": Stage(2, 1, inbound_time=1), "3": Stage(1, 2), "2": Stage(1, 3, 1, 0),
                     "4": Stage(1, 3, 1, 1)},
                    [("1", "3"), ("3", "2"), ("3", "4")], 1, 8.277916867529369),
    "figure 6.14": ({"1": Stage(2, 0.01), "2": Stage(3, 0.03), "3": Stage(2, 0.04), "4": Stage(4, 0.06),
                     "5": Stage(2, 0.12), "6": Stage(3, 0.13), "7": Stage(6, 0.2), "8": Stage(4, 0.08),
                     "9": Stage(3, 0.04), "10": Stage(2, 0.5, 10, 2)},
                    [("1", "2"), ("2", "3"), ("3", "5"), ("4", "5"), ("5", "6"), ("6", "10"), ("7", "10"), ("8", "10"),
                     ("9", "10")], Z14, 18.824004472592172),
}


def is_kept(stages, links, found) -> None:
    """Every promise can be kept."""
    for up, down in links:
        assert found.outbound[up] <= found.inbound[down]
    for name, stage in stages.items():
        assert found.net_times[name] >= 0
        assert found.inbound[name] >= stage.inbound_time
        if stage.service_time is not None:
            assert found.outbound[name] <= stage.service_time


@pytest.mark.parametrize("case", TREES.values(), ids=TREES)
def test_book_trees(case) -> None:
    stages, links, factor, cost = case
    found = guaranteed_service(stages, links, safety_factor=factor)
    assert found.cost == pytest.approx(cost, rel=1e-12)
    is_kept(stages, links, found)


@settings(max_examples=25)
@given(st.data())
def test_trees_against_every_promise(data) -> None:
    n = data.draw(st.integers(1, 4))
    links = []
    for k in range(1, n):  # hang each stage from one before, above or below
        other = data.draw(st.integers(0, k - 1))
        links.append(data.draw(st.sampled_from([(str(other), str(k)), (str(k), str(other))])))
    sells = {str(k) for k in range(n)} - {up for up, _ in links}
    stages = {str(k): Stage(data.draw(st.integers(0, 3)), data.draw(st.floats(0.1, 5)),
                            data.draw(st.floats(0.5, 4)) if str(k) in sells else 0.0,
                            data.draw(st.integers(0, 2)) if str(k) in sells else None,
                            data.draw(st.integers(0, 2))) for k in range(n)}
    found = guaranteed_service(stages, links, safety_factor=1.5)
    is_kept(stages, links, found)
    below = {name: [down for up, down in links if up == name] for name in stages}
    above = {name: [up for up, down in links if down == name] for name in stages}

    def spread(name: str) -> float:
        return stages[name].demand_sd**2 + sum(spread(down) for down in below[name])

    longest = sum(stage.processing_time + stage.inbound_time for stage in stages.values())
    best = math.inf
    for promised in itertools.product(range(longest + 1), repeat=n):
        out = dict(zip(stages, promised, strict=True))
        cost = 0.0
        for name, stage in stages.items():
            got = max([stage.inbound_time, *(out[up] for up in above[name])])
            net = got + stage.processing_time - out[name]
            if net < 0 or (stage.service_time is not None and out[name] > stage.service_time):
                cost = math.inf
                break
            cost += 1.5 * stage.holding_cost * math.sqrt(spread(name) * net)
        best = min(best, cost)
    assert found.cost == pytest.approx(best, abs=1e-9)


def test_links_that_are_no_tree() -> None:
    stages = {"a": Stage(1, 1.0), "b": Stage(1, 1.0, 1.0, 0), "c": Stage(1, 1.0, 1.0, 0)}
    with pytest.raises(UsageError, match="2 of them joined to 'a' — must form a tree"):
        guaranteed_service(stages, [("a", "b"), ("a", "b")], safety_factor=1)
    with pytest.raises(UsageError, match="stage 'd' — must be one of the stages"):
        guaranteed_service(stages, [("a", "b"), ("a", "d")], safety_factor=1)
    with pytest.raises(UsageError, match=r"stages.c.service_time — must be given where customers buy"):
        guaranteed_service({**stages, "c": Stage(1, 1.0)}, [("a", "b"), ("a", "c")], safety_factor=1)
    with pytest.raises(UsageError, match=r"stages.a.processing_time = -1 — must be ≥ 0"):
        guaranteed_service({**stages, "a": Stage(-1, 1.0)}, [("a", "b"), ("a", "c")], safety_factor=1)


# Lost sales


@pytest.mark.parametrize(("lead", "costs"), [  # p = 4, 9, 19, 39
    (1, (4.04, 5.44, 6.68, 7.84)), (2, (4.40, 6.09, 7.66, 9.11)), (3, (4.60, 6.53, 8.36, 10.04))])
def test_zipkins_table(lead: int, costs) -> None:
    """Poisson demand of 5, h = 1 (Zipkin 2008)."""
    for p, cost in zip((4, 9, 19, 39), costs, strict=True):
        found = lost_sales_policy(stats.poisson(5), holding_cost=1, lost_sale_cost=p, lead_time=lead)
        assert round(found.cost, 2) == pytest.approx(cost)


def run_shop(pmf, level, orders, lead: int, periods: int, rates) -> np.ndarray:
    """Costs of a simulated shop with lost sales, period by period; orders(on hand, pipeline) or up to a level."""
    generator = np.random.default_rng(3)
    on_hand, pipeline, costs = level, [0] * (lead - 1), np.empty(periods)
    for t, asked in enumerate(generator.choice(len(pmf), periods, p=pmf)):
        placed = int(orders[(on_hand, *pipeline)]) if orders is not None else level - on_hand - sum(pipeline)
        left = on_hand - int(asked)
        costs[t] = rates[0] * max(left, 0) + rates[1] * max(-left, 0)
        pipeline.append(placed)
        on_hand = max(left, 0) + pipeline.pop(0)
    return costs


@pytest.mark.parametrize("lead", [1, 2, 3])
def test_lost_sales_against_a_simulated_shop(lead: int) -> None:
    pmf, rates = [0.2, 0.3, 0.3, 0.1, 0.1], (1.0, 9.0)
    demand = dict(enumerate(pmf))
    base = lost_sales_base_stock(demand, holding_cost=1, lost_sale_cost=9, lead_time=lead)
    best = lost_sales_policy(demand, holding_cost=1, lost_sale_cost=9, lead_time=lead)
    assert best.cost <= base.cost + 1e-8
    for found, orders in ((base.cost, None), (best.cost, best.orders)):
        costs = run_shop(pmf, base.level, orders, lead, 60_000, rates)[100:].reshape(100, -1).mean(1)
        assert abs(costs.mean() - found) < 4 * costs.std(ddof=1) / 10
    levels = [lost_sales_base_stock(demand, holding_cost=1, lost_sale_cost=9, lead_time=lead, level=s).cost
              for s in range(1, 13)]
    assert base.cost == pytest.approx(min(levels), rel=1e-8)


def test_the_best_orders_against_every_rule_of_a_tiny_shop() -> None:
    """Lead time 1, demand 0 or 2: all tables of orders for 0 … 3 units on hand."""
    pmf, h, p = {0: 0.5, 2: 0.5}, 1.0, 5.0
    best = lost_sales_policy(pmf, holding_cost=h, lost_sale_cost=p, lead_time=1)
    costs = []
    for rule in itertools.product(range(4), repeat=5):  # on hand 0 … 4
        moves = np.zeros((8, 8))
        stage = np.zeros(8)
        for x in range(8):
            for d, chance in pmf.items():
                moves[x, min(max(x - d, 0) + (rule[x] if x < 5 else 0), 7)] += chance
                stage[x] += chance * (h * max(x - d, 0) + p * max(d - x, 0))
        share = np.linalg.matrix_power(0.5 * (moves + np.eye(8)), 400)[0]
        costs.append(float(share @ stage))
    assert best.cost == pytest.approx(min(costs), rel=1e-8)
