"""Orders on their dates: in the back end, in a run, in a plan file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from building import network, small_brand
from hypothesis import given
from hypothesis import strategies as st
from test_replenishment import backend, pass_a_day

import omnisim as om
from omnisim.errors import UsageError
from omnisim.plan import Order, Plan
from omnisim.plan_file import MOST_ROWS, check_plan, load_plan, plan_files, save_plan
from omnisim.supply.backend import Backend

RULE = {"stock": {"a0": {"level": 100, "opening": 40}}}
NODES = {"central": {"stock": {"a0": {"level": 100, "opening": 30}}}, "east": RULE, "west": RULE}
ROUTES = [{"source": "maker", "target": "central", "lead_time": 1}, {"source": "central", "target": "east"},
          {"source": "central", "target": "west", "lead_time": 2}]


def live_on(house: Backend, days: int, *units: int) -> dict[str, list[list[int]]]:
    """Days from 0 on with the same orders on each; tallies by day and place."""
    found: dict[str, list[list[int]]] = {}
    for day in range(days):
        for tallies in pass_a_day(house, day, *units):
            for name, figures in tallies.items():
                found.setdefault(name, []).append(figures[:, 0].tolist())
    return found


def test_orders_arrive_on_their_dates_and_nothing_else_is_ordered() -> None:
    house = backend({"one": RULE}, maker={"lead_time": 3, "moq": 20})
    house.follow(Plan(orders=(Order(2, "a0", "one", 50), Order(5, "a0", "one", 20))), 0)
    seen = live_on(house, 12)
    assert [day for day in range(12) if seen["ordered"][day][0]] == [2, 5]
    assert {day: seen["received"][day][0] for day in range(12) if seen["received"][day][0]} == {5: 50, 8: 20}


def test_orders_of_nothing_stop_the_rule_and_other_articles_keep_theirs() -> None:
    rule = {"level": 50, "opening": 40}
    house = backend({"one": {"stock": {"a0": rule, "a1": rule}}}, skus=2)
    house.follow(Plan(orders=(Order(0, "a0", "one", 0),)), 0)
    house.order(0)
    assert house.stock.on_order.tolist() == [[0, 10]]


def test_what_capacity_leaves_is_ordered_on_the_next_days() -> None:
    house = backend({"one": RULE}, maker={"moq": 20, "capacity": 100, "order_cost": 5.0})
    house.follow(Plan(orders=(Order(1, "a0", "one", 250),)), 0)
    assert [units for units, in live_on(house, 6)["ordered"]] == [0, 100, 100, 50, 0, 0]
    odd = backend({"one": RULE}, maker={"moq": 20, "capacity": 100})
    odd.follow(Plan(orders=(Order(0, "a0", "one", 110), Order(4, "a0", "one", 20))), 0)
    assert [units for units, in live_on(odd, 6)["ordered"]] == [100, 0, 0, 0, 30, 0]  # 10 alone are below the moq


def test_what_the_feeding_node_lacks_is_sent_when_it_has_come() -> None:
    house = backend(NODES, maker={"lead_time": 1}, routes=ROUTES)
    house.follow(Plan(orders=(Order(0, "a0", "central", 60), Order(0, "a0", "east", 50, "central"),
                              Order(0, "a0", "west", 0))), 0)
    seen = live_on(house, 5)
    assert [day[0] for day in seen["sent"]] == [30, 0, 20, 0, 0]
    assert [day[1] for day in seen["received"]] == [0, 30, 0, 20, 0]
    assert [day[0] for day in seen["received"]] == [0, 0, 60, 0, 0]


def test_a_plan_moves_stock_on_the_route_that_it_names() -> None:
    nodes = {"east": {"stock": {"a0": {"level": 20, "opening": 50}}},
             "west": {"stock": {"a0": {"level": 60, "opening": 10}}}}
    routes = [{"source": "maker", "target": "east"}, {"source": "maker", "target": "west"},
              {"source": "east", "target": "west", "lead_time": 3, "cost": 1.0}]
    plan = Plan(orders=(Order(1, "a0", "west", 35, "east"), Order(0, "a0", "east", 0)))
    house = backend(nodes, routes=routes)
    house.follow(plan, 0)
    house.order(0)
    assert not house.stock.on_order.any() and house.spent == 0  # the rules would have moved 30
    house.order(1)
    assert house.stock.on_hand[:, 0].tolist() == [15, 10] and house.spent == 3500
    assert house.stock.arrivals[4][:, 0].tolist() == [0, 35]


def test_new_orders_end_the_old_ones_and_the_same_ones_go_on() -> None:
    house = backend({"one": RULE}, maker={"capacity": 10})
    first = (Order(0, "a0", "one", 25),)
    house.follow(Plan(orders=first), 0)
    house.order(0)
    house.follow(Plan(budgets={"shop": (1,)}, orders=first), 1)
    house.order(1)
    assert house.stock.on_order.tolist() == [[20]]
    house.follow(Plan(orders=(Order(0, "a0", "one", 9), Order(3, "a0", "one", 7))), 2)
    for day in (2, 3, 4):
        house.order(day)
    assert house.stock.on_order.tolist() == [[27]]
    house.follow(Plan(), 5)
    house.order(5)
    assert house.stock.on_order.tolist() == [[37]]  # the rule is back: 60 short of its level, 10 taken


orders = st.lists(st.tuples(st.integers(0, 9), st.sampled_from(["central", "east", "west"]), st.integers(0, 60)),
                  max_size=12, unique_by=lambda row: row[:2])


@given(rows=orders, asked=st.integers(0, 6), capacity=st.integers(25, 90))
def test_units_are_conserved_and_every_order_is_given_once(rows: list[tuple[int, str, int]], asked: int,
                                                           capacity: int) -> None:
    rows = [(day, node, units if node != "central" or units >= 5 else 0) for day, node, units in rows]
    named = {node for _, node, _ in rows}
    rows += [(9, node, 0) for node in NODES if node not in named]
    house = backend(NODES, maker={"lead_time": 2, "moq": 5, "capacity": capacity}, routes=ROUTES)
    house.follow(Plan(orders=tuple(Order(day, "a0", node, units) for day, node, units in rows)), 0)
    before, on_order, total = house.stock.on_hand.copy(), house.stock.on_order.copy(), 0
    for day in range(40):
        stock, moves = pass_a_day(house, day, *[1] * asked)
        assert (stock["on_hand"] == before + stock["received"] - stock["filled"] - moves["sent"]).all()
        assert stock["on_order"].sum() == (on_order + moves["ordered"] + moves["sent"] - stock["received"]).sum()
        before, on_order = stock["on_hand"], stock["on_order"]
        due = sum(units for when, _, units in rows if when <= day)
        total += int(moves["ordered"].sum() + moves["sent"].sum())
        assert total <= due
    wanted = {node: sum(units for _, name, units in rows if name == node) for node in NODES}
    left = house.buyer.dated.asked[:, 0].tolist()
    assert left[0] < 5  # less than a smallest order, or nothing
    assert total == sum(wanted.values()) - sum(left)


def test_a_stock_plan_is_carried_out_week_by_week() -> None:
    """The orders of `om.replenish` in the books of the run: same article, node, week and units; then their arrival."""
    scenario = small_brand(horizon={"days": 42, "warm_up": 30}, supply={"moq": 20, "lead_time": 6})
    stock = om.replenish(scenario, rounds=20)
    result = om.run(scenario, plan=stock, seed=3)
    moves, table = result.table("moves"), result.stock
    week = (pd.to_datetime(moves["date"]) - pd.Timestamp(scenario.horizon.start)).dt.days // 7
    by_week = moves.assign(period=week).groupby(["sku", "node", "period"])["ordered"].sum()
    planned = stock.table.set_index(["sku", "node", "period"])["order"]
    assert planned.sum() > 0
    pd.testing.assert_series_equal(by_week.sort_index(), planned.sort_index(), check_names=False, check_dtype=False)
    for one in stock.plan.orders:
        if one.units and one.day + 6 < 42:
            date = str((pd.Timestamp(scenario.horizon.start) + pd.Timedelta(days=one.day + 6)).date())
            row = table[(table["date"].astype(str) == date) & (table["sku"] == one.sku) & (table["node"] == one.node)]
            assert row["received"].tolist() == [one.units]


def test_orders_for_nodes_that_nodes_feed_are_carried_out() -> None:
    scenario = network(horizon={"days": 42, "warm_up": 30})
    stock = om.replenish(scenario, rounds=20)
    assert all("own orders" not in one.node for one in stock.plan.orders)
    cells = {(one.sku, one.node) for one in stock.plan.orders}
    assert cells == {(sku, node) for sku in ("core", "gift") for node in ("central", "shop")}
    result = om.run(scenario, plan=stock, seed=3)
    moves = result.table("moves")
    ordered = moves.groupby(["sku", "node"])[["ordered", "expedited", "sent"]].sum()
    for sku in ("core", "gift"):
        bought = ordered.loc[sku, "central"]
        wanted = sum(one.units for one in stock.plan.orders if (one.sku, one.node) == (sku, "central"))
        assert 0 <= wanted - (bought["ordered"] - bought["expedited"]) < 20  # what capacity leaves may be below the moq
        fed = sum(one.units for one in stock.plan.orders if (one.sku, one.node) == (sku, "shop"))
        assert 0 < bought["sent"] <= fed


def test_threads_change_nothing_where_a_plan_orders() -> None:
    scenario = network(horizon={"days": 20, "warm_up": 20})
    plan = Plan(orders=tuple(Order(day, "core", "central", 40) for day in range(0, 20, 5)))
    one, two = (om.run(scenario, plan=plan, threads=threads) for threads in (1, 2))
    pd.testing.assert_frame_equal(one.stock, two.stock)
    assert not one.stock.equals(om.run(scenario).stock)


BAD: list[tuple[dict[str, Any], str]] = [
    ({"sku": "cor"}, "orders, row 2, sku = cor — is not in the scenario. Did you mean core?"),
    ({"node": "shopp"}, "orders, row 2, node = shopp — is not in the scenario. Did you mean shop?"),
    ({"units": 19}, "orders, row 2, units = 19 unit — must be at least the supplier's moq, 20"),
    ({"source": "shop"}, "orders, row 2, source = shop — does not supply central with core. Choose from maker"),
    ({"day": 60}, "orders, row 2, day = 60 — must lie within the 45 reported days"),
    ({"units": -1}, "orders, row 2, units = -1 — must be ≥ 0"),
    ({"units": 1.5}, "orders, row 2, units = 1.5 — must be a whole number"),
    ({"day": 0}, "orders, row 2 = core for central, day 0 — stands in row 1, too"),
]


@pytest.mark.parametrize(("change", "said"), BAD)
def test_an_order_that_cannot_be_meant_is_named_by_its_row(change: dict[str, Any], said: str) -> None:
    row = {"day": 3, "sku": "core", "node": "central", "units": 40} | change
    with pytest.raises(UsageError) as caught:
        check_plan(Plan(orders=(Order(0, "core", "central", 20), Order(**row))), network())
    assert said in str(caught.value)


def test_orders_need_stock_that_can_end_and_a_node_that_holds_the_article() -> None:
    with pytest.raises(UsageError, match="orders = 1 rows — do nothing where stock is unlimited"):
        check_plan(Plan(orders=(Order(0, "core", "central", 20),)), network({"unlimited": True}))
    nodes = network().supply.model_dump()["nodes"]
    del nodes["shop"]["stock"]["gift"]
    with pytest.raises(UsageError, match="row 1, node = shop — does not hold gift"):
        check_plan(Plan(orders=(Order(0, "gift", "shop", 20),)), network({"nodes": nodes}))
    with pytest.raises(UsageError, match="row 1, sku = core — has a base stock in this plan, too"):
        Plan(base_stock={"core": 5}, orders=(Order(0, "core", "central", 20),))


def test_plans_are_merged_unless_they_order_the_same_for_the_same_place() -> None:
    scenario = network(horizon={"days": 10, "warm_up": 0})
    one, two = Plan(orders=(Order(1, "core", "central", 40),)), Plan(orders=(Order(2, "gift", "central", 40),))
    assert om.run(scenario, plan=(one, two)).plan == Plan(orders=one.orders + two.orders)
    with pytest.raises(UsageError, match="orders of core for central"):
        om.run(scenario, plan=(one, Plan(orders=(Order(2, "core", "central", 40),))))


NAMES = st.sampled_from(["core", "yes", "null", "n1"])


@given(rows=st.lists(st.builds(Order, st.integers(0, 3660), NAMES, NAMES, st.integers(0, 10**9),
                               st.sampled_from(["", "yes"])), max_size=6,
                     unique_by=lambda one: (one.day, one.sku, one.node, one.source)), is_long=st.booleans())
def test_saved_orders_come_back(rows: list[Order], is_long: bool, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("plan")
    more = [Order(day, "long", "north", 1) for day in range(MOST_ROWS)] if is_long else []
    plan = Plan(orders=(*more, *rows))
    save_plan(plan, folder / "plan.yaml")
    assert load_plan(folder / "plan.yaml") == plan
    assert sorted(path.name for path in folder.iterdir()) == sorted(plan_files(plan, "plan.yaml"))


@pytest.mark.parametrize(("table", "said"), [
    ("day,sku,node\n", "units — is missing"),
    ("day,sku,node,units,size\n", "size — is no column"),
    ("day,sku,node,units\n0,core,central,1.5\n", "row 1, units = 1.5 — must be a whole number"),
    ("day,sku,node,units\n0,core,central,1\n0,core,central\n", "row 2 = 3 cells — must have 4"),
    ("day,sku,node,units\n0,core,central,1\n0,core,central,2\n", "row 2 = core for central, day 0 — stands in row 1"),
    ("", "day — is missing"),
])
def test_a_bad_table_of_orders_is_refused_by_its_row(tmp_path: Path, table: str, said: str) -> None:
    (tmp_path / "plan.yaml").write_text("orders: o.csv\n")
    (tmp_path / "o.csv").write_text(table)
    with pytest.raises(UsageError) as caught:
        load_plan(tmp_path / "plan.yaml")
    assert said in str(caught.value) and "o" in str(caught.value)


@pytest.mark.parametrize(("text", "said"), [
    ("orders: ../o.csv", "must be the name of a table beside this file"),
    ("orders: o.csv", "does not exist"),
    ("orders: [{day: 0, sku: a, node: b}]", "orders.0.units"),
    ("orders: [{day: 0, sku: a, node: b, units: -1}]", "must be ≥ 0"),
])
def test_a_bad_list_of_orders_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "plan.yaml").write_text(text + "\n")
    with pytest.raises(om.OmnisimError) as caught:
        load_plan(tmp_path / "plan.yaml")
    assert said in str(caught.value)


def test_a_policy_orders_what_it_likes() -> None:
    class Weekly:
        """40 units of core every review."""

        name = "weekly"

        def review(self, observation: Any) -> Plan:
            return observation.order([Order(observation.day, "core", "central", 40)])

    scenario = network(horizon={"days": 28, "warm_up": 20}).with_({"supply.nodes.central.expedite_below": 0.0})
    result = om.run(scenario, policy=Weekly())
    moves = result.table("moves")
    ordered = moves[(moves["sku"] == "core") & (moves["node"] == "central")]["ordered"].to_numpy()
    assert np.flatnonzero(ordered).tolist() == [0, 7, 14, 21] and ordered.sum() == 160
    assert result.decisions["changed"].str.contains("1 orders of 40 units").all()
