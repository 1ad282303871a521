"""Stock plans: the programme of one cell against plain enumeration, bounds and plans against exact solutions."""

from __future__ import annotations

import itertools
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pulp
import pytest
from building import network
from hypothesis import given, settings
from hypothesis import strategies as st

import omnisim as om
from omnisim.cli import main
from omnisim.errors import UsageError
from omnisim.optimise.replenish.bound import relax
from omnisim.optimise.replenish.check import account, bound_again
from omnisim.optimise.replenish.instance import Instance, to_lots
from omnisim.optimise.replenish.lots import make_scratch, price_lots
from omnisim.optimise.replenish.planning import Wish, plan_stock
from omnisim.optimise.replenish.tables import read_instance
from omnisim.plan_file import load_plan

FAR = 1e15


def small(seed: int, cells: int = 3, periods: int = 5, *, top: int = 6, factor: float = 1.1, chain: bool = False,
          **columns: object) -> Instance:
    """A small instance with a capacity and a budget a period."""
    rng = np.random.default_rng(seed)
    items = pd.DataFrame({"sku": [f"s{k}" for k in range(cells)], "node": "shop", "cost": rng.integers(2, 9, cells),
                          "lost": rng.integers(5, 30, cells), "holding": rng.uniform(0.5, 2, cells).round(2),
                          "order_cost": rng.integers(2, 20, cells), "moq": rng.integers(1, 5, cells),
                          "volume": rng.integers(1, 4, cells), "on_hand": rng.integers(0, 4, cells)})
    items = items.assign(**columns)
    demand = rng.integers(0, top, (cells, periods))
    frame = pd.DataFrame({"sku": np.repeat(items["sku"], periods), "node": "shop",
                          "period": np.tile(np.arange(periods), cells), "demand": demand.ravel()})
    need = factor * (items["volume"].to_numpy() @ demand).sum() / periods
    money = factor * (items["cost"].to_numpy() @ demand).sum() / periods
    if chain:
        both = [frame, frame.assign(node="mall", demand=rng.integers(0, top, cells * periods))]
        central = items.assign(node="central", order_cost=3 * items["order_cost"], holding=0.6 * items["holding"],
                               moq=2 * items["moq"])
        items = pd.concat([items.assign(source="central"), items.assign(node="mall", source="central"), central])
        frame, need, money = pd.concat(both), 1.5 * need, 2.5 * money
    limits = pd.DataFrame({"limit": ["capacity", "budget"], "node": ["shop", None],
                           "value": [max(need, float((items["volume"] * items["moq"]).max())), money]})
    return read_instance(items, frame, limits)


def exact(instance: Instance) -> float:
    """The least cost, by HiGHS on the plain model."""
    cells, periods = instance.demand.shape
    model = pulp.LpProblem("exact", pulp.LpMinimize)
    pairs = [(b, t) for b in range(cells) for t in range(periods)]
    n = model.add_variable_dicts("n", pairs, 0, cat="Integer")
    z = model.add_variable_dicts("z", pairs, cat="Binary")
    s = model.add_variable_dicts("s", pairs, 0)
    u = model.add_variable_dicts("u", pairs, 0)
    w = model.add_variable_dicts("w", pairs, 0)
    g = model.add_variable_dicts("g", pairs, cat="Binary")
    q = {pair: int(instance.batch[pair[0]]) * n[pair] for pair in pairs}
    moving = sum(float(instance.holding[instance.feeder[b]]) * int(instance.lead_time[b]) * q[b, t]
                 for b, t in pairs if instance.feeder[b] >= 0)
    ways = instance.transfers
    steps = [(w, t) for w in range(len(ways.source)) for t in range(periods)]
    y = model.add_variable_dicts("y", steps, 0, cat="Integer") if steps else {}
    moving += pulp.lpSum((float(ways.cost[w]) + int(ways.lead_time[w]) * float(instance.holding[ways.source[w]]))
                         * y[w, t] for w, t in steps)
    model += moving + pulp.lpSum(
        instance.order_cost[b] * z[b, t] + instance.holding[b] * s[b, t] + instance.lost[b] * u[b, t]
        + instance.safety_cost[b] * w[b, t] for b, t in pairs) + pulp.lpSum(
        instance.leftover[b] * s[b, periods - 1] for b in range(cells))

    def come(b: int, t: int) -> pulp.LpAffineExpression:
        return pulp.lpSum(y[w, t - int(ways.lead_time[w])] for w in np.flatnonzero(ways.target == b)
                          if t >= ways.lead_time[w])

    def gone(b: int, t: int) -> pulp.LpAffineExpression:
        return pulp.lpSum(y[w, t] for w in np.flatnonzero(ways.source == b))

    for way, t in steps:
        if t + ways.lead_time[way] >= periods:
            model += y[way, t] == 0
    big = int(instance.demand.sum() + instance.on_hand.sum() + 4 * instance.moq.sum() + 4 * instance.batch.sum()
              + instance.receipt.sum() + instance.safety.sum())
    for b, t in pairs:
        sent = pulp.lpSum(q[c, t + int(instance.lead_time[c])] for c in range(cells)
                          if instance.feeder[c] == b and t + int(instance.lead_time[c]) < periods)
        before = (s[b, t - 1] if t else int(instance.on_hand[b])) + come(b, t) - gone(b, t)
        high = before + q[b, t] + int(instance.receipt[b, t])
        d = int(instance.demand[b, t])
        model += s[b, t] == high - sent - d + u[b, t]
        model += u[b, t] <= d
        model += u[b, t] <= d * g[b, t]  # nothing is lost while something stands there
        model += s[b, t] <= big * (1 - g[b, t])
        model += w[b, t] >= int(instance.safety[b]) - s[b, t]
        model += q[b, t] >= int(instance.moq[b]) * z[b, t]
        model += q[b, t] <= min(big, int(instance.max_order[b])) * z[b, t]
        if t < instance.lead_time[b]:
            model += z[b, t] == 0
        if instance.shelf_life[b]:
            fresh = int(instance.demand[b, t:t + int(instance.shelf_life[b])].sum())
            model += high <= fresh + big * (1 - z[b, t])
        for shared in instance.limits:
            if shared.kind == "storage" and shared.members[b]:
                model += pulp.lpSum(instance.volume[c] * (s[c, t] + int(instance.demand[c, t]) - u[c, t])
                                    for c in np.flatnonzero(shared.members)) <= shared.value[t]
                model += pulp.lpSum(instance.volume[c] * (s[c, t] + int(instance.demand[c, t]) - u[c, t] - come(c, t)
                                                          + gone(c, t))
                                    for c in np.flatnonzero(shared.members)) <= shared.value[t]
    for shared in instance.limits:
        inside = [pair for pair in pairs if shared.members[pair[0]]]
        if shared.kind == "service":
            model += pulp.lpSum(u[pair] for pair in inside) <= shared.value[0]
        if shared.kind == "total_budget":
            model += pulp.lpSum(instance.cost[b] * q[b, t] for b, t in inside if instance.feeder[b] < 0) \
                <= shared.value[0]
        for p in range(periods if shared.kind in ("capacity", "budget") else 0):
            if shared.kind == "capacity":
                use = [instance.volume[b] * (q[b, t] + come(b, t)) for b, t in inside if t == p]
            else:
                use = [instance.cost[b] * q[b, t] for b, t in inside
                       if instance.feeder[b] < 0 and t - instance.lead_time[b] == p]
            if use and np.isfinite(shared.value[p]):
                model += pulp.lpSum(use) <= shared.value[p]
    model.solve(pulp.HiGHS(msg=False, gapRel=1e-9, gapAbs=1e-7, threads=None))
    assert model.status == 1
    return float(pulp.value(model.objective))


def enumerate_cell(instance: Instance) -> float:
    """The least cost of one cell alone, by trying all orders."""
    amounts = [0, *(q for q in range(int(instance.moq[0]), int(instance.demand.sum() + instance.moq[0]) + 1)
                    if q % instance.batch[0] == 0 and q <= instance.max_order[0])]
    best = FAR
    for orders in itertools.product(amounts, repeat=instance.periods):
        seen = account(instance, np.array([orders], np.int64))
        if not seen.broken:
            best = min(best, seen.total)
    return best


@given(st.integers(0, 10_000))
@settings(max_examples=30, deadline=None)
def test_one_cell_is_planned_as_by_trying_all_orders(seed: int) -> None:
    rng = np.random.default_rng(seed)
    instance = small(seed, 1, 3, top=5, factor=9, batch=int(rng.integers(1, 4)), lead_time=int(rng.integers(0, 2)),
                     max_order=int(rng.integers(4, 12)), safety=int(rng.integers(0, 3)), leftover=0.5,
                     shelf_life=int(rng.choice([0, 0, 2])))
    lots, _ = to_lots(instance)
    order, value = np.zeros((1, 3), np.int64), np.zeros(1)
    price_lots(lots, np.zeros(len(lots.limit)), lots.limit, make_scratch(lots), order, value)
    assert value[0] == pytest.approx(enumerate_cell(instance), abs=1e-9)
    assert account(instance, order).total == pytest.approx(value[0], abs=1e-9)


@given(st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_cells_at_prices_agree_with_plain_arrays(seed: int) -> None:
    rng = np.random.default_rng(seed)
    instance = small(seed, 4, 8, top=30, factor=1.3, batch=int(rng.integers(1, 5)), lead_time=int(rng.integers(0, 3)),
                     safety=int(rng.integers(0, 9)), chain=bool(rng.integers(0, 2)))
    lots, rows = to_lots(instance)
    dual = rng.exponential(0.3, len(lots.limit)) * rng.integers(0, 2, len(lots.limit))
    for one, other in rows.carry[::-1]:
        dual[one] = max(dual[one], dual[other])
    order, value = np.zeros_like(lots.demand), np.zeros(len(lots.start))
    price_lots(lots, dual, np.where(rows.owner < 0, FAR, lots.limit), make_scratch(lots), order, value)
    assert value.sum() - dual @ lots.limit == pytest.approx(bound_again(instance, rows, dual), rel=1e-9, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_bound_optimum_and_plan_stand_in_this_order(seed: int) -> None:
    instance = small(seed, 4, 6, factor=1.0 + 0.1 * (seed % 3))
    plan, best = plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=400)), exact(instance)
    assert plan.bound <= best + 1e-4
    assert best - 1e-4 <= plan.objective <= 1.01 * best + 1e-6
    assert not account(instance, plan.order).broken


@pytest.mark.parametrize("seed", range(4))
def test_two_echelons_stand_in_this_order(seed: int) -> None:
    instance = small(seed, 2, 5, chain=True, lead_time=[0, 1][seed % 2])
    plan, best = plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=800)), exact(instance)
    assert plan.bound <= best + 1e-4
    assert best - 1e-4 <= plan.objective <= 1.05 * best + 1e-6
    assert not plan.account.broken
    assert plan.table.loc[plan.table["node"] != "central", "order"].sum() == 0
    assert plan.table["transfer"].sum() > 0


def with_limits(instance: Instance, rows: dict[str, list[object]], seed: int = 0) -> Instance:
    """The instance with further limits."""
    cells, periods = instance.demand.shape
    items = pd.DataFrame({"sku": instance.skus, "node": instance.nodes, "lost": instance.lost})
    frame = pd.DataFrame({"sku": np.repeat(instance.skus, periods), "node": np.repeat(instance.nodes, periods),
                          "period": np.tile(np.arange(periods), cells), "demand": instance.demand.ravel()})
    extra = read_instance(items, frame, pd.DataFrame(rows)).limits
    return replace(instance, limits=(*instance.limits, *extra))


@pytest.mark.parametrize("rows", [
    {"limit": ["service"], "node": [None], "value": [0.999]},
    {"limit": ["storage"], "node": ["shop"], "value": [14.0]},
    {"limit": ["total_budget"], "node": [None], "value": [90.0]},
    {"limit": ["capacity", "capacity"], "node": ["shop", "shop"], "period": [2, 3], "value": [8.0, 0.0]},
], ids=["service", "storage", "total_budget", "closed weeks"])
def test_every_kind_of_limit_is_kept_at_least_cost(rows: dict[str, list[object]]) -> None:
    instance = with_limits(small(3, 3, 6, factor=1.2), rows)
    plan, best = plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=500)), exact(instance)
    assert plan.bound <= best + 1e-4
    assert best - 1e-4 <= plan.objective <= 1.02 * best + 1e-6
    free = plan_stock(replace(instance, limits=instance.limits[:2]), Wish(gap=0.0, time_limit=60, rounds=300))
    assert account(instance, free.order).broken, "the limit does not bind: the case tests nothing"


def test_shelf_life_batch_and_safety_are_kept() -> None:
    instance = small(5, 3, 6, factor=2.0, shelf_life=2, batch=2, safety=2, safety_cost=1.5)
    plan, best = plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=300)), exact(instance)
    assert plan.bound <= best + 1e-4 <= plan.objective + 2e-4
    assert plan.objective <= 1.01 * best
    assert not (plan.order % 2).any()


@pytest.mark.parametrize("seed", range(3))
def test_a_price_lies_between_its_differences(seed: int) -> None:
    instance = with_limits(small(seed, 5, 8, top=12, factor=1.05), {"limit": ["service"], "node": [None],
                                                                    "value": [0.97]})
    lots, rows = to_lots(instance)
    plan = plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=50))
    assert set(plan.shadow_prices["limit"]) == {"capacity of shop", "budget", "service"}
    assert (plan.shadow_prices["price"] > 1e-9).any()
    for place, row in enumerate(plan.shadow_prices.itertuples()):
        sides = []
        own = rows.owner == place
        for sign in (-1, 1):
            step = 1e-3 * float(lots.limit[own].min()) * sign
            limit = lots.limit.copy()
            limit[own] += step
            moved = relax(lots._replace(limit=limit), rows, gap=1e-10)
            sides.append((relax(lots, rows, gap=1e-10).value - moved.value) / step)
        assert sides[1] - 1e-4 <= row.price <= sides[0] + 1e-4
        assert row.price_right - 1e-9 <= row.price <= row.price_left + 1e-9


def test_a_contradiction_names_its_lines_and_the_change() -> None:
    instance = with_limits(small(4, 3, 5, factor=2.0), {
        "limit": ["service", "total_budget"], "value": [0.95, 20.0]})
    with pytest.raises(om.InfeasibleError) as caught:
        plan_stock(instance, Wish(time_limit=30, rounds=5))
    text = str(caught.value)
    assert "limits, row 1: service = 0.95" in text
    assert "limits, row 2: total budget = 20" in text
    assert "smallest change that helps" in text


def tables() -> dict[str, pd.DataFrame]:
    """One article at a shop that the warehouse feeds."""
    items = pd.DataFrame({"sku": "tea", "node": ["central", "shop"], "lost": 9.0, "holding": [0.5, 1.0],
                          "order_cost": [30.0, 5.0], "source": ["", "central"]})
    demand = pd.DataFrame({"sku": "tea", "node": "shop", "period": range(4), "demand": [20, 20, 10, 5]})
    return {"items": items, "demand": demand}


@pytest.mark.parametrize(("change", "message"), [
    ({"lead_time": -1}, "items, tea at central: lead_time = -1 period — must be from 0"),
    ({"source": ["", "north"]}, "is no node that stocks tea: no route reaches shop"),
    ({"service": 1.0}, "service = 1.0 — must be a share from 0 up to, but not including, 1"),
    ({"moq": 50, "max_order": 40}, "max_order = 40 unit — must be at least moq = 50"),
    ({"holding": [2.0, 1.0]}, "must be at least that of its source"),
    ({"lost": np.nan}, "lost — is missing: what a lost sale costs"),
    ({"colour": "red"}, "colour — is no column of this table"),
    ({"moq": 2.5}, "moq = 2.5 unit — must be a whole number"),
    ({"cost": np.inf}, "cost = inf currency/unit — must be from 0"),
])
def test_bad_items_are_named(change: dict[str, object], message: str) -> None:
    given_tables = tables()
    with pytest.raises(om.UsageError) as caught:
        om.replenish(items=given_tables["items"].assign(**change), demand=given_tables["demand"], rounds=1)
    assert message in str(caught.value)


@pytest.mark.parametrize(("row", "message"), [
    ({"limit": "capacity", "node": "shop", "value": 3.0}, "moq = 5 unit — needs 5 volume, above the capacity of shop"),
    ({"limit": "capacity", "value": 3.0}, "node — is missing: a capacity belongs to a node"),
    ({"limit": "budgets", "value": 3.0}, "limit = budgets — must be one of"),
    ({"limit": "service", "value": 1.0}, "must be a share from 0 up to, but not including, 1"),
    ({"limit": "budget", "value": -3.0}, "value = -3 — must be a number ≥ 0"),
    ({"limit": "budget", "node": "moon", "value": 3.0}, "node = moon — is no node of the articles"),
    ({"limit": "budget", "period": 9, "value": 3.0}, "period = 9 — must be a whole number from 0 to 3"),
])
def test_bad_limits_are_named(row: dict[str, object], message: str) -> None:
    given_tables = tables()
    with pytest.raises(om.UsageError) as caught:
        om.replenish(items=given_tables["items"].assign(moq=5), demand=given_tables["demand"],
                     limits=pd.DataFrame([row]), rounds=1)
    assert message in str(caught.value)


@pytest.mark.parametrize(("change", "message"), [
    ({"node": "moon"}, "no route reaches it"),
    ({"demand": -1}, "demand = -1 — must be whole units"),
    ({"period": 0}, "stands there twice"),
    ({"node": "central"}, "is demand at a node that feeds others"),
])
def test_bad_demand_is_named(change: dict[str, object], message: str) -> None:
    given_tables = tables()
    with pytest.raises(om.UsageError) as caught:
        om.replenish(items=given_tables["items"], demand=given_tables["demand"].assign(**change), rounds=1)
    assert message in str(caught.value)


def test_where_demand_comes_from_must_be_clear() -> None:
    given_tables = tables()
    with pytest.raises(om.UsageError, match="must come from one place"):
        om.replenish(items=given_tables["items"])
    with pytest.raises(om.UsageError, match="must come from one place"):
        om.replenish(**given_tables, history=given_tables["demand"])


def test_a_history_is_forecast() -> None:
    rng = np.random.default_rng(1)
    history = pd.DataFrame({"sku": "tea", "node": "shop", "period": range(40), "demand": rng.poisson(50, 40)})
    items = pd.DataFrame({"sku": ["tea"], "node": "shop", "lost": 9.0, "holding": 1.0, "order_cost": 30.0})
    plan = om.replenish(items=items, history=history, periods=6, rounds=5)
    assert plan.instance.periods == 6
    assert 6 * 45 <= plan.instance.demand.sum() <= 6 * 55


def test_the_same_rounds_give_the_same_plan() -> None:
    instance = small(7, 6, 10, top=20)
    first, second = (plan_stock(instance, Wish(gap=0.0, time_limit=600, rounds=60)) for _ in range(2))
    assert (first.order == second.order).all()
    assert first.bound == second.bound


def test_a_time_limit_holds() -> None:
    instance = small(8, 40, 20, top=40)
    plan_stock(instance, Wish(gap=0.0, time_limit=60, rounds=1))  # compiles
    start = time.process_time()
    plan = plan_stock(instance, Wish(gap=0.0, time_limit=1.0, clock=time.process_time))
    assert time.process_time() - start <= 2.0
    assert any(fault.what == "time_limit" for fault in plan.warnings)
    assert not plan.account.broken


def test_a_plan_is_saved_and_can_be_run(tmp_path: Path) -> None:
    plan = om.replenish(**tables(), rounds=20)
    plan.save(tmp_path / "stock")
    written = pd.read_csv(tmp_path / "stock" / "stock.csv")
    assert list(written.columns) == ["sku", "node", "period", "order", "transfer", "on_hand", "lost"]
    pd.testing.assert_frame_equal(written, plan.table, check_dtype=False)
    rows = plan.table.assign(units=plan.table["order"] + plan.table["transfer"])
    rows = rows[rows["units"] > 0]
    assert [(one.sku, one.node, one.day, one.units) for one in plan.plan.orders if one.units] == [
        (sku, node, max(0, 7 * period - 1), units)  # there is no lead time: given on the evening before
        for sku, node, period, units in rows[["sku", "node", "period", "units"]].itertuples(index=False)]
    assert load_plan(tmp_path / "stock" / "stock.yaml") == plan.plan
    assert plan.plot().get_title(loc="left")
    small_plan = plan_stock(small(1), Wish(rounds=5))
    assert len(small_plan.plot.room().lines) == 2
    assert "gap" in repr(plan)


def test_the_command_line_plans_and_answers_in_json(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    import json

    given_tables = tables()
    for name, frame in given_tables.items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    words = ["replenish", "--items", str(tmp_path / "items.csv"), "--demand", str(tmp_path / "demand.csv"), "--rounds",
             "20", "--gap", "1", "--json", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["result"]["objective"] >= answer["result"]["bound"]
    assert (tmp_path / "out" / "stock.yaml").exists()
    pd.DataFrame({"limit": ["capacity"], "node": ["shop"], "value": [16]}).to_csv(tmp_path / "limits.csv", index=False)
    assert main([*words, "--limits", str(tmp_path / "limits.csv"), "--gap", "0", "--time-limit", "1e-6"]) == 4
    bad = given_tables["items"].assign(lead_time=-1)
    bad.to_csv(tmp_path / "items.csv", index=False)
    assert main(words) == 2


def test_the_command_line_answers_in_chinese(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Every sentence, heading and meaning; the files keep their names."""
    for name, frame in tables().items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
    pd.DataFrame({"limit": ["capacity", "total_budget", "service"], "node": ["shop", "", ""],
                  "value": [16.0, 9000.0, 0.5]}).to_csv(tmp_path / "limits.csv", index=False)
    words = ["replenish", *(word for name in ("items", "demand", "limits") for word in (
        f"--{name}", str(tmp_path / f"{name}.csv"))), "--rounds", "20", "--gap", "1", "--lang", "zh"]
    assert main([*words, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    for word in ("成本", "订货", "两级", "限制之内任何方案的成本都不低于", "满足", "影子价格", "含义",
                 "每期各增加一个单位体积", "每增加一个单位货币", "允许多缺货一件"):
        assert word in said
    assert "saves" not in said and "no plan" not in said
    assert list(pd.read_csv(tmp_path / "out" / "shadow_prices.csv"))[:2] == ["limit", "price"]
    plan = om.replenish(**tables(), rounds=5)
    assert plan.lines("en") == plan.lines() and "no plan within the limits" in repr(plan)


def test_a_scenario_is_simulated_first() -> None:
    scenario = om.load("scenarios/brand_small.yaml").with_({"horizon.days": 28, "horizon.warm_up": 7,
                                                            "population.size": 2000})
    plan = om.replenish(scenario, rounds=5)
    demand = om.run(scenario, seed=1, orders="none").stock["demand"].sum()
    assert plan.instance.periods == 4
    assert plan.instance.demand.sum() == demand
    assert set(plan.table["sku"]) == set(scenario.products)


def test_one_plan_for_several_demands_stands_above_knowing_them() -> None:
    rng = np.random.default_rng(2)
    items = pd.DataFrame({"sku": ["a", "b"], "node": "shop", "lost": [9.0, 5.0], "holding": 1.0, "order_cost": 12.0})
    parts = [pd.DataFrame({"sku": np.repeat(["a", "b"], 4), "node": "shop", "period": np.tile(range(4), 2),
                           "demand": rng.poisson(8, 8), "scenario": k}) for k in range(6)]
    limits = pd.DataFrame({"limit": ["capacity"], "node": ["shop"], "value": [40.0]})
    mean, worst = (om.replenish(items=items, demand=pd.concat(parts), limits=limits, rounds=40, risk=risk)
                   for risk in (1.0, 0.34))
    assert mean.bound <= mean.objective
    assert mean.outcomes is not None
    assert (mean.outcomes["bound"] <= mean.outcomes["cost"] + 1e-9).all()
    assert mean.objective == pytest.approx(mean.outcomes["cost"].mean())
    assert worst.outlook is not None
    ordered = np.sort(worst.outlook.cost)[::-1]
    assert worst.objective == pytest.approx((ordered[:2].sum() + 0.04 * ordered[2]) / 2.04)
    both = np.sort(mean.outlook.cost)[::-1] if mean.outlook is not None else ordered
    assert worst.objective <= (both[:2].sum() + 0.04 * both[2]) / 2.04 + 1e-9
    with pytest.raises(om.UsageError, match="depends on demand"):
        om.replenish(items=items.assign(service=0.9), demand=pd.concat(parts), rounds=1)


def test_a_scenario_with_nodes_becomes_two_echelons() -> None:
    scenario = network()
    rng = np.random.default_rng(3)
    demand = pd.DataFrame([{"sku": sku, "node": node, "period": t, "demand": int(rng.poisson(20))}
                           for sku in ("core", "gift") for node in ("central", "shop") for t in range(5)])
    plan = om.replenish(scenario, demand=demand, rounds=20)
    assert plan.instance.has_echelons
    assert set(plan.table["node"]) == {"central", "shop", "central (own orders)"}
    assert plan.instance.demand.sum() == demand["demand"].sum()
    assert plan.table.loc[plan.table["node"] == "central", "order"].sum() > 0
    assert not plan.account.broken


def contradiction() -> dict[str, pd.DataFrame]:
    """Half of each order would do; one of the two alone loses more than is allowed, and both find no room."""
    return {"items": pd.DataFrame({"sku": ["a", "b"], "node": "shop", "lost": 9.0, "moq": 4}),
            "demand": pd.DataFrame({"sku": ["a", "b"], "node": "shop", "period": 0, "demand": 3}),
            "limits": pd.DataFrame({"limit": ["capacity", "service"], "node": ["shop", None], "value": [6.0, 0.6]})}


def test_no_plan_found_in_the_time_is_not_called_infeasible(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["replenish"]
    for name, frame in contradiction().items():
        frame.to_csv(tmp_path / f"{name}.csv", index=False)
        words += [f"--{name}", str(tmp_path / f"{name}.csv")]
    assert main([*words, "--time-limit", "1e-6"]) == 4
    said = capsys.readouterr().err
    assert "service by" in said
    assert "whether one exists is not known" in said
    assert main([*words, "--rounds", "20"]) == 3


def test_what_only_whole_orders_contradict_is_proven_infeasible() -> None:
    with pytest.raises(om.InfeasibleError, match="is kept by no plan together with the other limits"):
        om.replenish(**contradiction(), rounds=20)


def test_ctrl_c_ends_a_large_plan_within_a_second(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    index = pd.MultiIndex.from_product([[f"s{k}" for k in range(100)], ["n0", "n1", "n2"]], names=["sku", "node"])
    items = index.to_frame(index=False).assign(lost=9.0, holding=0.5, order_cost=12.0, moq=40)
    demand = items.loc[items.index.repeat(26), ["sku", "node"]].assign(
        period=np.tile(np.arange(26), 300), demand=rng.poisson(20, 300 * 26))
    items.to_csv(tmp_path / "items.csv", index=False)
    demand.to_csv(tmp_path / "demand.csv", index=False)
    pd.DataFrame({"limit": ["capacity"] * 3, "node": ["n0", "n1", "n2"], "value": [2300.0] * 3}).to_csv(
        tmp_path / "limits.csv", index=False)
    words = [part for name in ("items", "demand", "limits") for part in (f"--{name}", str(tmp_path / f"{name}.csv"))]
    code = ("import sys; from omnisim.optimise.replenish import planning; from omnisim.cli import enter; "
            "planning.compile_kernels(); print('ready', file=sys.stderr, flush=True); enter()")
    process = subprocess.Popen([sys.executable, "-c", code, "replenish", *words, "--gap", "0", "--time-limit", "120"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    while "ready" not in process.stderr.readline():
        pass
    time.sleep(2.0)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=10)
    assert time.monotonic() - start < 1.5
    assert process.returncode == 130


TEA = "sku,node,cost,lost,holding,order_cost\ntea,shop,3,9,1,30\ncup,shop,2,5,1,10\n"
WEEKS = "sku,node,period,demand\ntea,shop,0,20\n\ntea,shop,1,20\ntea,shop,2,10\ncup,shop,0,5\ncup,shop,2,5\n"


def test_demand_that_is_not_in_the_table_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "items.csv").write_text(TEA)
    (tmp_path / "demand.csv").write_text(WEEKS)
    assert main(["replenish", "--items", str(tmp_path / "items.csv"), "--demand", str(tmp_path / "demand.csv")]) == 0
    screen = capsys.readouterr()
    assert "demand: cup at shop, period 1 = no row — counts as a demand of 0. Add" in screen.err
    assert "│ tea │ shop │      0 │" in screen.out, "orders are shown"
    assert "shadow prices" not in screen.out, "there are none"
    full = pd.concat([pd.read_csv(tmp_path / "demand.csv"), pd.DataFrame([("cup", "shop", 1, 0)], columns=[
        "sku", "node", "period", "demand"])])
    assert not om.replenish(items=tmp_path / "items.csv", demand=full).warnings
    worlds = pd.concat([full.assign(scenario=0), *(full.iloc[1:].assign(scenario=k) for k in (1, 2))])
    said = [str(note) for note in om.replenish(items=tmp_path / "items.csv", demand=worlds).warnings]
    assert ["tea at shop, period 0" in note for note in said if "no row" in note] == [True], "said once"


@pytest.mark.parametrize(("table", "text", "said"), [
    ("demand", WEEKS + "tea,shop,3,-1\n", "demand.csv:8: demand = -1"),
    ("limits", "limit,node,value\n\ncapacity,shop,9\n\nroom,shop,9\n", "limits.csv:5: limit = room"),
    ("transfers", "source,target\nshop,mall\n", "transfers.csv:2: target = mall"),
])
def test_faults_name_the_line_of_the_file(table: str, text: str, said: str, tmp_path: Path) -> None:
    for name, content in {"items": TEA, "demand": WEEKS, table: text}.items():
        (tmp_path / f"{name}.csv").write_text(content)
    tables = {path.stem: path for path in tmp_path.iterdir()}
    with pytest.raises(UsageError) as caught:
        om.replenish(**tables)  # type: ignore[arg-type]
    assert f"{tmp_path}/{said}" in str(caught.value)


def test_the_room_that_limits_leave_is_drawn_from_nothing_to_all() -> None:
    axes = plan_stock(small(3), Wish()).plot.room()
    low, high = axes.get_ylim()
    assert low == 0.0 and high >= 105.0
