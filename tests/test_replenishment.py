"""What nodes order: rules, smallest orders, capacity, lead times, feeding, transfers, express, shelf life."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from building import scenario
from hypothesis import given
from hypothesis import strategies as st

from omnisim.books import CLAIM, MOVES, STOCK
from omnisim.supply.backend import Backend
from omnisim.supply.layout import BASE_STOCK, MIN_MAX, REORDER_POINT, lay_out
from omnisim.supply.replenishment import share_out
from omnisim.supply.rules import forecast_levels, quantity_wanted


def backend(nodes: dict[str, Any], *, maker: dict[str, Any] | None = None, routes: list[dict[str, Any]] | None = None,
            seed: int = 1, skus: int = 1, **supply: Any) -> Backend:
    """A back end; every node takes all orders and is fed by the maker unless routes are given."""
    products = {f"a{n}": {"price": 60.0, "cost": 30.0, "share": 1 / skus} for n in range(skus)}
    routes = routes or [{"source": "maker", "target": name} for name in nodes]
    built = scenario(products=products, supply={"nodes": nodes, "suppliers": {"maker": maker or {}}, "routes": routes}
                     | supply)
    return Backend(lay_out(built, ["shop"], seed, 0))


def sell(house: Backend, *units: int, sku: int = 0) -> None:
    """Orders of so many units, one after the other."""
    claims = np.zeros(len(units), CLAIM)
    claims["units"], claims["sku"], claims["react"] = units, sku, 2**32 - 1
    house.settle(claims)


def pass_a_day(house: Backend, day: int, *units: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """A whole day; the tallies by name, (nodes, skus)."""
    house.receive(day)
    sell(house, *units)
    house.order(day)
    stock, moves, _ = house.close()
    return ({name: stock[..., k] for k, name in enumerate(STOCK)},
            {name: moves[..., k] for k, name in enumerate(MOVES)})


@given(position=st.integers(-50, 60), point=st.integers(0, 30), lot=st.integers(1, 20), level=st.integers(0, 60))
def test_each_rule_orders_what_its_name_says(position: int, point: int, lot: int, level: int) -> None:
    assert quantity_wanted(BASE_STOCK, position, level, point, lot) == max(0, level - position)
    up_to_level = max(0, level - position)
    assert quantity_wanted(MIN_MAX, position, level, point, lot) == (up_to_level if position <= point else 0)
    bought = quantity_wanted(REORDER_POINT, position, level, point, lot)
    assert bought % lot == 0
    if position > point:
        assert bought == 0
    else:
        assert point < position + bought <= point + lot  # (r, nQ): just above r


def test_a_reorder_point_buys_lots_and_min_max_fills_up() -> None:
    house = backend({"one": {"stock": {"a0": {"rule": "reorder_point", "reorder_point": 10, "lot": 8}}},
                     "two": {"stock": {"a0": {"rule": "min_max", "reorder_point": 5, "level": 30}}}})
    assert house.stock.on_hand.tolist() == [[18], [30]]
    sell(house, 7)
    house.order(0)
    assert house.stock.on_order.tolist() == [[0], [0]]  # 11 is above the reorder point
    sell(house, 1, 26)
    house.order(1)
    assert house.stock.on_order.tolist() == [[8], [26]]


def test_capacity_goes_to_the_shortest_first_and_respects_the_smallest_order() -> None:
    house = backend({"one": {"stock": {"a0": {"level": 100, "opening": 40}}},
                     "two": {"stock": {"a0": {"level": 100, "opening": 10}}}}, maker={"moq": 20, "capacity": 120})
    house.order(0)
    assert house.stock.on_order.tolist() == [[30], [90]]
    house.order(1)
    assert house.stock.on_order.tolist() == [[60], [90]]
    tight = backend({"one": {"stock": {"a0": {"level": 100, "opening": 40}}},
                     "two": {"stock": {"a0": {"level": 100, "opening": 10}}}}, maker={"moq": 20, "capacity": 100})
    tight.order(0)
    assert tight.stock.on_order.tolist() == [[0], [90]]  # 10 would be left: below the smallest order


def test_lead_times_follow_their_distribution_and_every_unit_arrives() -> None:
    """2 to 4 days beyond 3, over 600 orders: shares within four standard errors; nothing is lost on the way."""
    shares = [0.0, 0.0, 0.5, 0.3, 0.2]
    house = backend({"one": {"stock": {"a0": {"level": 50}}}}, maker={"lead_time": 3, "delays": shares})
    ordered, waits, placed = 0, [], {}
    for day in range(700):
        before = {when: int(units.sum()) for when, units in house.stock.arrivals.items()}
        stock, moves = pass_a_day(house, day, 1 + day % 5)
        ordered += int(moves["ordered"].sum())
        for when, units in house.stock.arrivals.items():
            if int(units.sum()) > before.get(when, 0):
                waits.append(when - day)
        assert stock["on_order"].sum() == ordered - sum(placed.values()) - stock["received"].sum()
        placed[day] = int(stock["received"].sum())
    counts = np.bincount(waits, minlength=8)
    assert counts[:5].sum() == 0 and counts[8:].sum() == 0 and counts.sum() > 600
    for wait, share in ((5, 0.5), (6, 0.3), (7, 0.2)):
        error = np.sqrt(share * (1 - share) / counts.sum())
        assert abs(counts[wait] / counts.sum() - share) < 4 * error


def test_delays_are_luck_of_the_lane_and_the_seed() -> None:
    def waits(seed: int, nodes: list[str]) -> list[int]:
        house = backend({name: {"stock": {"a0": {"level": 50}}} for name in nodes}, seed=seed,
                        maker={"lead_time": 1, "delays": [0.5, 0.5]})
        found = []
        for day in range(40):
            house.stock.on_hand -= 1
            house.order(day)
            late = house.stock.arrivals.get(day + 2)
            found.append(0 if late is None else int(late[nodes.index("one")].sum()))
        return found

    assert waits(1, ["one"]) == waits(1, ["other", "one"]) == waits(1, ["one", "other"]) != waits(2, ["one"])


def test_nodes_are_fed_by_nodes_in_fair_shares() -> None:
    nodes = {"central": {"stock": {"a0": {"level": 30}}}, "east": {"stock": {"a0": {"level": 40, "opening": 0}}},
             "west": {"stock": {"a0": {"level": 20, "opening": 0}}}}
    routes = [{"source": "maker", "target": "central"}, {"source": "central", "target": "east", "lead_time": 2},
              {"source": "central", "target": "west", "cost": 0.5}]
    house = backend(nodes, maker={"lead_time": 1}, routes=routes)
    house.order(0)
    assert house.stock.on_hand[:, 0].tolist() == [0, 0, 0] and house.stock.on_order[:, 0].tolist() == [30, 20, 10]
    assert house.stock.arrivals[1][:, 0].tolist() == [30, 0, 10]
    assert house.stock.arrivals[2][:, 0].tolist() == [0, 20, 0]
    assert house.spent == 500


def test_what_lies_idle_goes_where_it_is_short_before_anything_is_bought() -> None:
    nodes = {"east": {"stock": {"a0": {"level": 20, "opening": 50}}},
             "west": {"stock": {"a0": {"level": 60, "opening": 10}}}}
    routes = [{"source": "maker", "target": "east"}, {"source": "maker", "target": "west"},
              {"source": "east", "target": "west", "lead_time": 3, "cost": 1.0}]
    house = backend(nodes, routes=routes)
    house.order(0)
    assert house.stock.on_hand[:, 0].tolist() == [20, 10]
    assert house.stock.arrivals[3][:, 0].tolist() == [0, 30] and house.stock.on_order[:, 0].tolist() == [0, 50]
    assert house.spent == 3000


def test_express_comes_in_time_and_costs_more() -> None:
    node = {"stock": {"a0": {"level": 40}}, "expedite_below": 0.5}
    house = backend({"one": node}, maker={"lead_time": 9, "expedite_days": 1, "expedite_cost": 2.0, "moq": 30})
    stock, moves = pass_a_day(house, 0, 25)
    assert moves["ordered"].tolist() == [[5]] == moves["expedited"].tolist() and house.spent == 1000
    stock, _ = pass_a_day(house, 1, 0)
    assert stock["received"].tolist() == [[5]] and stock["on_hand"].tolist() == [[20]]


def test_stock_beyond_its_shelf_life_is_thrown_away_first_in_first_out() -> None:
    """Against batches kept one by one."""
    products = {"a0": {"price": 60.0, "cost": 30.0, "share": 1.0, "shelf_life": 4}}
    luck = np.random.default_rng(3)
    built = scenario(products=products, supply={
        "nodes": {"one": {"stock": {"a0": {"level": 30}}}}, "suppliers": {"maker": {"lead_time": 2, "duty": 0.1}},
        "routes": [{"source": "maker", "target": "one"}]})
    house = Backend(lay_out(built, ["shop"], 1, 0))
    batches: list[list[int]] = [[-1, 30]]  # the opening stock came on the day before
    thrown = 0
    for day in range(120):
        came = int(house.stock.arrivals.get(day, np.zeros((1, 1), np.int64)).sum())
        old = sum(units for since, units in batches if day - since >= 4)
        batches = [batch for batch in batches if day - batch[0] < 4] + [[day, came]]
        asked = int(luck.integers(0, 12))
        house.receive(day)
        assert house.thrown == old * 3300
        sold = min(asked, int(house.stock.on_hand[0, 0]))
        sell(house, *[1] * asked)
        house.order(day)
        stock, moves, costs = house.close()
        for batch in batches:
            taken = min(sold, batch[1])
            batch[1] -= taken
            sold -= taken
        assert moves[0, 0, MOVES.index("expired")] == old and costs.goods == old * 3300
        assert stock[0, 0, STOCK.index("on_hand")] == sum(units for _, units in batches)
        thrown += old
    assert thrown > 20


def test_the_forecast_rule_covers_the_lead_time() -> None:
    """Steady demand: the mean over the days to cover, and z standard deviations of it."""
    luck = np.random.default_rng(1)
    history = np.stack([luck.poisson(40, 182), np.full(182, 10)]).astype(np.int64)
    levels = forecast_levels(history, np.array([9, 9]), np.array([0.95, 0.95]))
    assert levels[1] == pytest.approx(90, abs=3)
    assert levels[0] == pytest.approx(360 + 1.645 * np.sqrt(360), abs=40)
    assert forecast_levels(history, np.array([9, 9]), np.array([0.5, 0.5]))[0] < levels[0]


def test_the_forecast_rule_learns_from_demand_that_was_not_served() -> None:
    house = backend({"one": {"stock": {"a0": {"rule": "forecast", "level": 10, "service": 0.9}}, "review_days": 2}},
                    maker={"lead_time": 3})
    for day in range(60):
        pass_a_day(house, day, *[1] * 20)
    assert 95 <= house.buyer.level[0, 0] <= 110  # 20 a day over 3 + 2 days


def test_the_forecast_rule_knows_the_calendar_of_campaigns() -> None:
    """A campaign of twice the demand, 20 days ahead: the level doubles when the days to cover lie in it, not before."""
    products = {"a0": {"price": 60.0, "cost": 30.0, "share": 1.0}}
    node = {"stock": {"a0": {"rule": "forecast", "level": 300, "service": 0.5}}}
    built = scenario(products=products, horizon={"days": 60, "warm_up": 0}, supply={
        "nodes": {"one": node}, "suppliers": {"maker": {"lead_time": 4}},
        "routes": [{"source": "maker", "target": "one"}]},
        calendar={"campaigns": [{"name": "big", "start": "2024-07-11", "end": "2024-07-20", "factor": 2.0}]})
    house = Backend(lay_out(built, ["shop"], 1, 0))
    levels = []
    for day in range(60):
        pass_a_day(house, day, *[1] * (40 if 40 <= day < 50 else 20))
        levels.append(int(house.buyer.level[0, 0]))
    # an order of day t covers t + 1 … t + 5; days 40 to 49 are the campaign
    for day, expected in ((30, 100), (34, 100), (36, 140), (39, 200), (44, 200), (46, 160), (50, 100)):
        assert levels[day] == pytest.approx(expected, abs=6), day


@given(total=st.integers(0, 1000), weights=st.lists(st.integers(0, 50), min_size=1, max_size=6))
def test_what_is_dealt_out_adds_up(total: int, weights: list[int]) -> None:
    parts = share_out(total, np.array(weights, np.int64))
    assert parts.sum() == (total if sum(weights) else 0)
    if sum(weights):
        assert (abs(parts - total * np.array(weights) / sum(weights)) < 1).all()
