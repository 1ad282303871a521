"""Stock planned anew at each review: what the tables tell, what is expected, what is ordered, what it costs."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from building import channel, network, scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from test_replenishment import sell

import omnisim as om
from omnisim.books import MOVES, STOCK
from omnisim.plan import Observation, Order, Plan
from omnisim.policies.restocking import RollingStock
from omnisim.scenario.model import Scenario
from omnisim.study.restocking import Shop
from omnisim.supply.backend import Backend
from omnisim.supply.layout import lay_out


def shop(node: dict[str, Any] | None = None, maker: dict[str, Any] | None = None, **sections: Any) -> Scenario:
    """One node that a maker supplies with one article of 60, landed at 36.5: 0.025 a unit and day to hold."""
    return scenario(products={"a0": {"price": 60.0, "cost": 36.5, "share": 1.0}},
                    **{"horizon": {"days": 90, "warm_up": 30}} | sections,
                    supply={"nodes": {"one": {"stock": {"a0": {"level": 400}}} | (node or {})},
                            "suppliers": {"maker": {"lead_time": 4} | (maker or {})},
                            "routes": [{"source": "maker", "target": "one"}]})


def table(days: list[tuple[Any, Any]], built: Scenario) -> pd.DataFrame:
    """The table that a policy reads, from the tallies of days."""
    shape = len(built.supply.places) * len(built.products)
    stock, moves = (np.concatenate([day[k].reshape(shape, -1) for day in days]) for k in (0, 1))
    return pd.DataFrame({name: stock[:, k] for k, name in enumerate(STOCK)}
                        | {name: moves[:, k] for k, name in enumerate(MOVES)})


def live_with(built: Scenario, demand: list[int], *, every: int = 7, policy: RollingStock | None = None
              ) -> tuple[list[tuple[Any, Any]], list[Plan]]:
    """A back end without consumers under the policy: tallies by day of the warm-up and after, and its plans."""
    policy = policy or RollingStock()
    policy.prepare(built, 0)
    house, days, plans = Backend(lay_out(built, ["shop"], 1, 0)), [], [Plan()]
    for day, units in enumerate(demand, -built.horizon.warm_up):
        house.receive(day)
        if day >= 0 and day % every == 0:
            seen = table(days, built)
            observation = Observation(day, plans[-1], lambda name, seen=seen: seen, {}, every, built.horizon.days, day)
            plans.append(policy.review(observation) or plans[-1])
            house.follow(plans[-1], day)
        sell(house, *[1] * units)
        house.order(day)
        stock, moves, _ = house.close()
        days.append((stock, moves))
    return days, plans[1:]


def column(days: list[tuple[Any, Any]], name: str) -> np.ndarray:
    """A column of the one article at the one node, by day."""
    which, names = (0, STOCK) if name in STOCK else (1, MOVES)
    return np.array([day[which][0, 0, names.index(name)] for day in days])


def test_steady_demand_is_ordered_in_economic_lots_that_come_when_stock_is_gone() -> None:
    """20 a day, an order 100, holding 0.025 a unit and day: Q* = √(2 · 100 · 20 / 0.025) = 400."""
    built = shop(maker={"lead_time": 4, "order_cost": 100.0}, horizon={"days": 160, "warm_up": 30})
    days, _ = live_with(built, [20] * 190)
    ordered, on_hand = column(days, "ordered"), column(days, "on_hand")
    lots = ordered[60:][ordered[60:] > 0]
    assert not column(days, "lost").any()
    assert 320 <= lots.mean() <= 480
    arrived = np.flatnonzero(column(days, "received"))
    assert (on_hand[arrived[arrived > 60] - 1] <= 40).all()  # two days of demand at most
    used = 0.025 * on_hand[60:].mean() + 100.0 * np.mean(ordered[60:] > 0)
    assert used <= 1.1 * math.sqrt(2 * 100 * 20 * 0.025)  # the least that any plan costs a day


def test_a_capacity_is_kept_and_what_a_campaign_needs_is_there_before_it() -> None:
    """20 a day, 60 in a campaign of ten days; at most 32 a day are made: 280 have to be in stock on its first day."""
    start = pd.Timestamp("2024-06-01")
    campaign = {"name": "big", "start": str((start + pd.Timedelta(days=60)).date()),
                "end": str((start + pd.Timedelta(days=69)).date()), "factor": 3.0}
    built = shop(maker={"capacity": 32}, horizon={"start": "2024-06-01", "days": 90, "warm_up": 30},
                 calendar={"campaigns": [campaign]})
    demand = [60 if 60 <= day < 70 else 20 for day in range(-30, 90)]
    days, plans = live_with(built, demand, every=1)
    ordered, on_hand = column(days, "ordered"), column(days, "on_hand")
    assert ordered.max() <= 32 and max(one.units for plan in plans for one in plan.orders) <= 32
    assert on_hand[30 + 59] >= 275 and on_hand[30 + 25] < 120
    assert column(days, "lost").sum() <= 10
    blind = live_with(built.with_({"calendar.campaigns": []}), demand, every=1)[0]
    assert column(blind, "lost").sum() > 150


def test_smallest_orders_are_kept() -> None:
    days, plans = live_with(shop(maker={"moq": 150}), [8] * 120)
    assert all(one.units == 0 or one.units >= 150 for plan in plans for one in plan.orders)
    assert column(days, "ordered").sum() >= 300 and not column(days, "lost").any()


@given(orders=st.dictionaries(st.integers(0, 19), st.integers(1, 50), max_size=8))
@settings(max_examples=20, deadline=None)
def test_what_is_on_its_way_is_told_by_the_tables_day_by_day(orders: dict[int, int]) -> None:
    built = shop(horizon={"days": 90, "warm_up": 0}, maker={"lead_time": 9})
    house = Backend(lay_out(built, ["shop"], 1, 0))
    house.follow(Plan(orders=(Order(50, "a0", "one", 0), *(Order(d, "a0", "one", n) for d, n in orders.items()))), 0)
    days = []
    for day in range(20):
        house.receive(day)
        sell(house, *[1] * 7)
        house.order(day)
        stock, moves, _ = house.close()
        days.append((stock, moves))
    known = Shop(built).standing(table(days, built), seen=20, start=20)
    coming = {20 + t: int(units) for t, units in enumerate(known.coming[0, 0]) if units}
    assert coming == {day: int(units[0, 0]) for day, units in house.stock.arrivals.items()}
    assert known.on_hand.tolist() == house.stock.on_hand.tolist()
    assert (known.demand[0, 0] == 7).all() and known.kept.tolist() == [[1.0]]


def test_orders_that_the_tables_do_not_show_yet_are_taken_from_the_plan() -> None:
    built = shop(horizon={"days": 90, "warm_up": 0})
    seen = table([(np.zeros((1, 1, len(STOCK)), np.int64), np.zeros((1, 1, len(MOVES)), np.int64))] * 30, built)
    plan = [Order(31, "a0", "one", 60), Order(35, "a0", "one", 70), Order(12, "a0", "one", 80)]
    known = Shop(built).standing(seen, plan, seen=30, start=33)
    assert np.flatnonzero(known.coming[0, 0]).tolist() == [5] and known.coming[0, 0, 5] == 60  # day 31 + 4 = 30 + 5


def test_planned_budgets_move_what_is_expected_by_their_curves() -> None:
    """Half of what is sold follows b / (1000 + b): from 1,000 to 3,000 that rises by a half, demand by a quarter."""
    built = scenario(
        products={"a0": {"price": 60.0, "cost": 36.5, "share": 1.0}}, channels={"shop": channel(budget=1000.0)},
        horizon={"days": 90, "warm_up": 60}, curves={"shop": {"form": "hill", "scale": 2000.0, "half": 1000.0}},
        supply={"nodes": {"one": {"stock": {"a0": {"level": 400}}}}, "suppliers": {"maker": {}},
                "routes": [{"source": "maker", "target": "one"}]})
    policy = RollingStock()
    policy.prepare(built, 0)
    assert policy.shop is not None
    zero = np.zeros((1, 1, len(MOVES)), np.int64)
    stock = np.zeros((1, 1, len(STOCK)), np.int64)
    stock[0, 0, STOCK.index("demand")] = 40
    tables = {"stock_history": table([(stock, zero)] * 60, built), "history": pd.DataFrame(
        {"channel": ["shop"] * 60, "media": 1000.0, "gmv": 2000.0, "contribution": 500.0})}
    plan = Plan((0, 10), {"shop": (100_000, 300_000)})
    observation = Observation(0, plan, tables.__getitem__, {"shop": 100_000}, 7, 90, 0)
    standing = policy.shop.standing(tables["stock_history"])
    drivers = policy.budget_drivers(observation, standing, 30)
    mean = policy.shop.expect(standing, 30, drivers).mean[0, 0]
    assert mean[:10] == pytest.approx(np.full(10, 40.0)) and mean[10:] == pytest.approx(np.full(20, 50.0))
    steady = Observation(0, Plan(), tables.__getitem__, {"shop": 100_000}, 7, 90, 0)
    assert policy.budget_drivers(steady, standing, 30) == []


def short(**sections: Any) -> Scenario:
    return network(**{"horizon": {"days": 28, "warm_up": 40}} | sections)


def test_threads_and_repetition_change_nothing() -> None:
    brand = short()
    one, two, again = (om.run(brand, policy="stock_rolling", threads=threads) for threads in (1, 2, 2))
    for name in ("stock", "moves", "decisions"):
        pd.testing.assert_frame_equal(one.table(name), two.table(name))
        pd.testing.assert_frame_equal(two.table(name), again.table(name))
    assert one.decisions["saw"].str.contains("stock_history of days 0 to 6; expects").any()
    assert one.decisions["changed"].str.contains("orders of").any()


def test_nodes_that_nodes_feed_are_planned_with_them() -> None:
    result = om.run(short(), policy="stock_rolling")
    orders = [one for plan in _plans(short()) for one in plan.orders]
    assert {one.source for one in orders if one.node == "shop"} <= {"central", ""}
    assert {(one.sku, one.node) for one in orders} == {(s, n) for s in ("core", "gift") for n in ("central", "shop")}
    lost = [[om.run(short(), policy=policy, seed=seed).stock["lost"].sum() for seed in range(1, 7)]
            for policy in ("stock_rolling", "inertia")]
    assert sum(lost[0]) < sum(lost[1])
    assert result.table("moves")["sent"].sum() > 20


def _plans(brand: Scenario) -> list[Plan]:
    """What the policy decides in a run."""
    made: list[Plan] = []

    class Noted(RollingStock):
        """Keeps what it decides."""

        def review(self, observation: Observation) -> Plan | None:
            plan = super().review(observation)
            made.extend([plan] if plan else [])
            return plan

    policy = Noted()
    policy.prepare(brand, 0)
    om.run(brand, policy=_Unprepared(policy))
    return made


class _Unprepared:
    """A policy as it is, without being prepared on a copy."""

    name = "noted"

    def __init__(self, policy: RollingStock) -> None:
        self.review = policy.review


def test_late_data_and_late_decisions_are_allowed_for() -> None:
    brand = short(policy={"delay": 2, "data_delay": 3})
    plans = _plans(brand)
    assert [min(one.day for one in plan.orders) for plan in plans] == [2, 9, 16, 23]
    assert all(one.day < 2 + 7 * (k + 1) for k, plan in enumerate(plans) for one in plan.orders)
    stock = om.run(brand, policy="stock_rolling").stock
    assert stock["lost"].sum() < 0.15 * stock["demand"].sum()


def test_without_a_past_or_with_endless_stock_the_rules_go_on() -> None:
    for brand in (network(horizon={"days": 10, "warm_up": 5}), network({"unlimited": True}, horizon={"days": 8,
                                                                                              "warm_up": 30})):
        pd.testing.assert_frame_equal(om.run(brand, policy="stock_rolling").stock, om.run(brand).stock)
    with pytest.raises(om.UsageError, match="needs the back end that is believed"):
        RollingStock().review(Observation(0, Plan(), lambda name: pd.DataFrame()))


def test_the_cost_of_stock_is_what_the_tables_say() -> None:
    brand = network(horizon={"days": 60, "warm_up": 30})
    result = om.run(brand, seed=5)
    costs = result.stock_costs.set_index(["node", "sku"])
    stock = result.stock.merge(result.table("moves"), on=["date", "node", "sku"])
    for (node, sku), rows in stock.groupby(["node", "sku"], observed=True):
        product = brand.products[sku]
        landed = round(100 * product.cost) / 100 * 1.1 + 1.0
        got = costs.loc[node, sku]
        storage = {"central": 0.0, "shop": 3.0 / 30.0}[node]
        assert got["holding"] == pytest.approx(rows["on_hand"].sum() * (0.25 * landed / 365 + storage), rel=1e-3)
        orders = ((rows["ordered"] - rows["expedited"]) > 0).sum() if node == "central" else 0
        assert got["orders"] == 50.0 * orders
        assert got["express"] == 4.0 * rows["expedited"].sum()
        lost = rows["lost"] - rows["switched"] - rows["substituted"] + rows["given_up"]
        assert got["lost"] == pytest.approx(lost.sum() * (product.price - landed), rel=1e-3)
        assert got["expired"] == pytest.approx(rows["expired"].sum() * landed, rel=1e-3)
    fed = stock[stock["node"] == "shop"].groupby("sku", observed=True)
    first, last = fed.first(), fed.last()
    inflow = fed["received"].sum() + last["on_order"] - (first["on_order"] + first["received"])
    started = costs.loc["shop"]["moving"]
    assert ((started >= inflow) & (started <= inflow + 60)).all()  # and what was started on the first evening
    kpis = result.kpis().set_index("kpi")["value"]
    assert kpis["stock_cost"] == pytest.approx(costs["total"].sum())
