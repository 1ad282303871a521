"""Transfers between nodes of one echelon: bounds and plans against exact solutions, and what is refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from building import channel, network, scenario
from hypothesis import given, settings
from hypothesis import strategies as st
from test_replenish import FAR, exact, small

import omnisim as om
from omnisim.cli import main
from omnisim.optimise.replenish.bound import keep_apart, relax
from omnisim.optimise.replenish.check import account, bound_again
from omnisim.optimise.replenish.instance import Instance, to_lots
from omnisim.optimise.replenish.moves import make_move_scratch, price_moves
from omnisim.optimise.replenish.planning import Wish, plan_stock
from omnisim.optimise.replenish.tables import read_instance
from omnisim.plan import Order
from omnisim.scenario.model import Scenario


def shops(seed: int, nodes: int = 3, periods: int = 4, *, cost: float = 0.5, lead_time: int = 0, top: int = 8,
          chain: bool = False, **columns: object) -> Instance:
    """Two articles in shops that can send to each other, with a smallest order above what one of them needs."""
    rng = np.random.default_rng(seed)
    names = [f"n{k}" for k in range(nodes)]
    index = pd.MultiIndex.from_product([["a", "b"], names], names=["sku", "node"]).to_frame(index=False)
    cells = len(index)
    items = index.assign(cost=2.0, lost=rng.integers(8, 20, cells), holding=rng.uniform(0.5, 1.0, cells).round(2),
                         order_cost=rng.integers(6, 15, cells), moq=rng.integers(4, 9, cells),
                         on_hand=rng.integers(0, 12, cells)).assign(**columns)
    frame = index.loc[index.index.repeat(periods)].reset_index(drop=True)
    frame = frame.assign(period=np.tile(np.arange(periods), cells), demand=rng.integers(0, top, cells * periods))
    if chain:
        central = items.drop_duplicates("sku").assign(node="central", holding=0.4, moq=10, on_hand=12)
        items = pd.concat([items.assign(source="central"), central])
    limits = pd.DataFrame({"limit": ["capacity"], "node": ["n0"], "value": [float(top + 4)]})
    pairs = [(one, other) for one in names for other in names if one != other]
    ways = pd.DataFrame(pairs, columns=["source", "target"]).assign(cost=cost, lead_time=lead_time)
    return read_instance(items, frame, limits, transfers=ways)


@given(st.integers(0, 10_000))
@settings(max_examples=25, deadline=None)
def test_cells_that_send_agree_with_plain_arrays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    instance = shops(seed, 2, 6, top=20, lead_time=int(rng.integers(0, 3)), chain=bool(rng.integers(0, 2)),
                     batch=int(rng.integers(1, 4)), safety=int(rng.integers(0, 5)))
    lots, rows = to_lots(instance)
    dual = rng.exponential(0.4, len(lots.limit)) * rng.integers(0, 2, len(lots.limit))
    for one, other in rows.carry[::-1]:
        dual[one] = max(dual[one], dual[other])
    dual = keep_apart(dual, rows)
    cells, periods = instance.demand.shape
    plan, value = np.zeros((cells, 2 * periods), np.int64), np.zeros(cells)
    price_moves(lots, dual, np.where(rows.owner < 0, FAR, lots.limit), *make_move_scratch(lots), plan, value)
    assert value.sum() - dual @ lots.limit == pytest.approx(bound_again(instance, rows, dual), rel=1e-9, abs=1e-6)
    assert plan[:, periods:].any() or not dual.any()


@pytest.mark.parametrize(("seed", "lead_time"), [(0, 0), (1, 1), (2, 0), (3, 2)])
def test_bound_optimum_and_plan_with_transfers_stand_in_this_order(seed: int, lead_time: int) -> None:
    instance = shops(seed, lead_time=lead_time)
    plan, best = plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=300)), exact(instance)
    assert plan.bound <= best + 1e-4
    assert best - 1e-4 <= plan.objective <= best + 1e-4 * abs(best) + 1e-6
    assert plan.objective == pytest.approx(account(instance, plan.order, plan.moved).total)
    assert not plan.account.broken
    alone = exact(replace(instance, transfers=small(0).transfers))
    assert best < alone - 1e-6, "transfers gain nothing: the case tests nothing"
    assert plan.table["transfer"].sum() == plan.transfers["units"].sum() > 0


@pytest.mark.parametrize("seed", range(3))
def test_the_search_alone_finds_gains_of_transfers(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnisim.optimise.replenish.planning.SMALL", 0)
    instance = shops(seed, lead_time=seed % 2)
    plan, best = plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=1500)), exact(instance)
    assert plan.bound <= best + 1e-4
    assert best - 1e-4 <= plan.objective <= 1.25 * best
    assert plan.objective < exact(replace(instance, transfers=small(0).transfers))
    assert bound_again(instance, plan.rows, plan.relaxation.dual) == pytest.approx(plan.bound, rel=1e-9)


def test_shops_that_are_fed_send_to_each_other() -> None:
    instance = shops(4, chain=True, cost=0.2)
    plan, best = plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=500)), exact(instance)
    assert plan.bound <= best + 1e-4
    assert best - 1e-4 <= plan.objective <= 1.05 * best + 1e-6
    assert not plan.account.broken
    assert plan.moved.sum() > 0


def test_stock_in_the_wrong_shop_goes_to_the_right_one() -> None:
    """No supplier is near enough: what one shop has too much of is all that the other can sell."""
    items = pd.DataFrame({"sku": "tea", "node": ["n0", "n1"], "lost": 9.0, "holding": [1.0, 1.5],
                          "order_cost": 5.0, "on_hand": [30, 0], "lead_time": 9})
    demand = pd.DataFrame({"sku": "tea", "node": "n1", "period": range(3), "demand": [4, 5, 6]})
    ways = pd.DataFrame({"source": ["n0"], "target": ["n1"], "cost": [0.25], "lead_time": [1]})
    plan = om.replenish(items=items, demand=demand, transfers=ways, gap=0.0, rounds=200)
    sent = plan.transfers.set_index("period")["units"]
    assert plan.account.lost.sum() == 4  # nothing can be there in the first period
    assert sent.to_dict() == {0: 5, 1: 6}  # it costs less to hold where it is not sold
    assert plan.account.cost["transfers"] == pytest.approx(11 * (0.25 + 1.0))
    assert plan.is_proven


def test_pictures_count_what_comes_from_elsewhere() -> None:
    plan = plan_stock(shops(1, lead_time=1), Wish(gap=0.0, time_limit=60, rounds=300))
    assert plan.moved.sum() > 0
    axes = plan.plot(node="n1")
    into = plan.transfers[plan.transfers["target"] == "n1"]["units"].sum()
    own = plan.order[plan.instance.nodes == "n1"].sum()
    assert sum(bar.get_height() for bar in axes.patches) == own + into
    assert sum(bar.get_height() for bar in plan.plot().patches) == plan.order.sum()
    room = plan.plot.room("zh")
    used = next(line for line in room.lines if line.get_label() == "capacity of n0").get_ydata()
    assert np.max(used) <= 100.0 + 1e-6
    assert np.allclose(used, 100.0 * plan.account.used[0] / plan.instance.limits[0].value)


def test_a_way_nobody_needs_costs_nothing() -> None:
    instance = small(2, 3, 5)
    other = shops(2, cost=1e6)
    with_ways, without = (plan_stock(one, Wish(gap=0.0, time_limit=60, rounds=300))
                          for one in (other, replace(other, transfers=instance.transfers)))
    assert with_ways.moved.sum() == 0
    assert with_ways.objective == pytest.approx(without.objective)


@pytest.mark.parametrize(("row", "message"), [
    ({"source": "moon"}, "source = moon — is no node of the articles: no route reaches it"),
    ({"target": "n0"}, "must be another node than the source"),
    ({"lead_time": -1}, "lead_time = -1 period — must be a whole number from 0"),
    ({"lead_time": 1.5}, "must be a whole number"),
    ({"cost": -2.0}, "cost = -2 currency/unit — must be from 0"),
    ({"sku": "coffee"}, "sku = coffee — is no article"),
    ({"colour": "red"}, "colour — is no column of this table"),
    ({"source": "central"}, "central → n1 — is no way within one echelon: central feeds other nodes with tea"),
    ({"target": "n2"}, "n0 → n2 — is no way within one echelon: the two get tea from different places"),
])
def test_bad_ways_are_named(row: dict[str, object], message: str) -> None:
    items = pd.DataFrame({"sku": "tea", "node": ["central", "n0", "n1", "n2"], "lost": 9.0, "holding": 1.0,
                          "source": ["", "central", "central", ""]})
    demand = pd.DataFrame({"sku": "tea", "node": "n0", "period": range(2), "demand": 3})
    way = pd.DataFrame([{"source": "n0", "target": "n1", **row}])
    with pytest.raises(om.UsageError) as caught:
        om.replenish(items=items, demand=demand, transfers=way, rounds=1)
    assert message in str(caught.value)


def test_goods_that_age_are_not_sent_unseen() -> None:
    items = pd.DataFrame({"sku": "tea", "node": ["n0", "n1"], "lost": 9.0, "holding": 1.0, "shelf_life": 2})
    demand = pd.DataFrame({"sku": "tea", "node": "n0", "period": range(2), "demand": 3})
    with pytest.raises(om.UsageError, match=r"n0 → n1 — carries tea, which has a shelf life"):
        om.replenish(items=items, demand=demand, transfers=pd.DataFrame({"source": ["n0"], "target": ["n1"]}), rounds=1)


def test_several_demands_allow_no_transfers() -> None:
    items = pd.DataFrame({"sku": "tea", "node": ["n0", "n1"], "lost": 9.0, "holding": 1.0})
    demand = pd.DataFrame({"sku": "tea", "node": "n0", "period": [0, 0], "demand": [3, 5], "scenario": [0, 1]})
    with pytest.raises(om.UsageError, match="cannot be planned for several demands"):
        om.replenish(items=items, demand=demand, transfers=pd.DataFrame({"source": ["n0"], "target": ["n1"]}), rounds=1)


def test_the_same_rounds_give_the_same_transfers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("omnisim.optimise.replenish.planning.SMALL", 0)
    instance = shops(7, 3, 8)
    first, second = (plan_stock(instance, Wish(gap=0.0, time_limit=600, rounds=60)) for _ in range(2))
    assert (first.order == second.order).all()
    assert (first.moved == second.moved).all()


def test_a_plan_with_transfers_is_saved(tmp_path: Path) -> None:
    plan = plan_stock(shops(1), Wish(rounds=50))
    plan.save(tmp_path / "stock")
    written = pd.read_csv(tmp_path / "stock" / "transfers.csv")
    pd.testing.assert_frame_equal(written, plan.transfers, check_dtype=False)


def test_the_bound_sees_that_transfers_may_save() -> None:
    instance = shops(5)
    lots, rows = to_lots(instance)
    none = replace(instance, transfers=small(0).transfers)
    alone = relax(*to_lots(none), gap=1e-6).bound
    assert relax(lots, rows, gap=1e-6).bound < alone - 1e-6


def test_routes_of_a_scenario_become_ways_or_are_named() -> None:
    built = network().model_dump()["supply"]
    nodes = built["nodes"] | {"mall": built["nodes"]["shop"] | {"channels": (), "catchment": 0.0}}
    routes = [*built["routes"], {"source": "central", "target": "mall", "lead_time": 2},
              {"source": "shop", "target": "mall", "lead_time": 1, "cost": 0.5},
              {"source": "mall", "target": "central", "lead_time": 1}]
    built = network(supply={"nodes": nodes, "routes": routes})
    demand = pd.DataFrame([{"sku": "core", "node": node, "period": t, "demand": units} for t in range(4)
                           for node, units in (("shop", 2), ("mall", 25))])
    plan = om.replenish(built, demand=demand, rounds=50)
    ways = {(plan.instance.nodes[a], plan.instance.nodes[b], plan.instance.skus[a])
            for a, b in zip(plan.instance.transfers.source, plan.instance.transfers.target, strict=True)}
    assert ways == {("shop", "mall", "core")}
    said = [str(fault) for fault in plan.warnings]
    assert any("shop → mall = gift — is left out of the plan: it has a shelf life" in text for text in said)
    assert any("mall → central = core — is left out of the plan, which moves goods only between nodes" in text
               for text in said)
    assert not plan.account.broken


def two_shops(days: int) -> Scenario:
    """Two shops, each with its own stock, three days apart; the supplier is far away. The east lies full."""
    def shop(channel_name: str, opening: int) -> dict[str, object]:
        return {"channels": [channel_name], "ships": False, "stock": {"core": {"level": 400, "opening": opening}}}
    supply = {"nodes": {"east": shop("east", 400), "west": shop("west", 0)}, "stock": "siloed", "restock_days": 90,
              "suppliers": {"maker": {"lead_time": 90}},
              "routes": [*({"source": "maker", "target": name} for name in ("east", "west")),
                         {"source": "east", "target": "west", "lead_time": 3, "cost": 0.5}]}
    busy, idle = (channel(direct=rate, intercept=-2.0) for rate in (0.004, 0.0))
    return scenario(channels={"east": idle, "west": busy}, supply=supply, horizon={"days": days, "warm_up": 0},
                    brand={"new_customers": 0.0, "age": 0.0, "loop": {"repurchase": False}})


def test_a_run_carries_out_the_transfers_of_a_plan() -> None:
    """What a plan sends leaves the one shop, reaches the other three days later, and is paid for once."""
    shops = two_shops(35)
    plan = om.replenish(shops, rounds=50, seed=1)
    sent = plan.transfers
    assert sent["units"].sum() > 100 and set(sent["source"]) == {"east"} and set(sent["target"]) == {"west"}
    # a period of a week: three days on the way are one period of the plan
    assert [one for one in plan.plan.orders if one.source == "east"] == [
        Order(7 * period, "core", "west", units, "east")
        for period, units in zip(sent["period"].tolist(), sent["units"].tolist(), strict=True)]
    with_, without = (om.run(shops, plan=one, seed=1) for one in (plan, None))
    moves, stock = (getattr(with_, name).set_index(["node", "date"]) for name in ("moves", "stock"))
    left, came = moves.loc["east", "sent"].to_numpy(), stock.loc["west", "received"].to_numpy()
    assert left.sum() == sent["units"].sum() and (left[sent["period"] * 7] == sent["units"]).all()
    np.testing.assert_array_equal(came[3:], left[:-3])
    on_hand, filled = (stock[name].to_numpy().reshape(35, 2).sum(axis=1) for name in ("on_hand", "filled"))
    on_way = np.cumsum(left - came)
    np.testing.assert_array_equal(on_hand + on_way + np.cumsum(filled), np.full(35, 400))  # no unit is lost or made
    delivered = 8.0 * with_.daily["orders"].sum()
    assert -with_.daily["logistics"].sum() - delivered == pytest.approx(0.5 * left.sum())
    assert with_.daily["orders"].sum() > without.daily["orders"].sum() == 0


def test_what_arrives_in_its_own_period_leaves_on_the_evening_before() -> None:
    """A way that takes no period: the units are there on the period's first morning."""
    items = pd.DataFrame({"sku": "tea", "node": ["n0", "n1"], "lost": 9.0, "holding": 1.0, "order_cost": 500.0,
                          "on_hand": [30, 0]})
    demand = pd.DataFrame({"sku": "tea", "node": "n1", "period": range(3), "demand": [4, 5, 6]})
    ways = pd.DataFrame({"source": ["n0"], "target": ["n1"]})
    plan = om.replenish(items=items, demand=demand, transfers=ways, rounds=50)
    leaves = plan.transfers.groupby("period")["units"].sum()
    assert {(one.day, one.units) for one in plan.plan.orders if one.source} == {
        (max(0, 7 * period - 1), units) for period, units in leaves.items()}


def test_a_route_that_feeds_an_article_is_no_way_for_another() -> None:
    """A run moves stock on routes that feed nothing: the plan keeps to them, and says so."""
    stock = {sku: {"level": 30} for sku in ("core", "gift")}
    nodes = {"central": {"stock": stock}, "shop": {"stock": {"core": {"level": 10}}},
             "mall": {"stock": {"core": {"level": 10}}}}
    routes = [{"source": "maker", "target": name} for name in nodes] + [
        {"source": "shop", "target": "mall"}]
    both = network(supply={"nodes": nodes, "routes": routes, "pickup": None, "stock": "pooled"})
    plan = om.replenish(both, demand=pd.DataFrame([{"sku": "core", "node": "mall", "period": 0, "demand": 15}]),
                        rounds=20)
    assert plan.instance.has_transfers and not plan.warnings
    fed = {"mall": {"stock": stock}, "shop": {"stock": stock}, "central": {"stock": {"core": {"level": 10}}}}
    routes = [{"source": "maker", "target": "central"}, {"source": "other", "target": "shop"},
              {"source": "maker", "target": "shop"}, {"source": "maker", "target": "mall"},
              {"source": "shop", "target": "mall"}]
    makers = {"maker": {}, "other": {}}
    mixed = network(supply={"nodes": fed, "routes": routes, "suppliers": makers, "pickup": None, "stock": "pooled"},
                    products={"core": {"price": 60.0, "cost": 30.0, "share": 0.7},
                              "gift": {"price": 40.0, "cost": 15.0, "share": 0.3, "supplier": "other"}})
    # gift comes to the mall from the shop, so that core may not be moved there
    plan = om.replenish(mixed, demand=pd.DataFrame([{"sku": "core", "node": "mall", "period": 0, "demand": 15}]),
                        rounds=20)
    assert not plan.instance.has_transfers
    assert any("shop → mall = core — is left out of the plan: the route feeds other articles" in str(fault)
               for fault in plan.warnings)


def test_the_command_line_takes_ways(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    frames = {"items": pd.DataFrame({"sku": "tea", "node": ["n0", "n1"], "lost": 9.0, "holding": 1.0,
                                     "order_cost": 5.0, "on_hand": [30, 0]}),
              "demand": pd.DataFrame({"sku": "tea", "node": "n1", "period": range(3), "demand": [4, 5, 6]}),
              "transfers": pd.DataFrame({"source": ["n0"], "target": ["n1"], "cost": [0.25]})}
    words = ["replenish", "--rounds", "50", "--out", str(tmp_path / "out")]
    for name, frame in frames.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        words += [f"--{name}", str(tmp_path / f"{name}.csv")]
    assert main(words) == 0
    assert "transfers" in capsys.readouterr().out
    assert pd.read_csv(tmp_path / "out" / "transfers.csv")["units"].sum() == 15
    pd.DataFrame({"source": ["n0"], "target": ["moon"]}).to_csv(tmp_path / "transfers.csv", index=False)
    assert main(words) == 2
    assert "target = moon — is no node of the articles: no route reaches it" in capsys.readouterr().err
