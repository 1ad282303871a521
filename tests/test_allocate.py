"""Budget plans on given curves: closed forms, duals, optimality conditions, limits, units, independent methods."""

from __future__ import annotations

import json
import math
import time
import warnings
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pulp
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import omnisim as om
from omnisim.response import carry, inverse_slope, response, slope

T3 = pd.DataFrame({"channel": ["douyin", "taobao", "community"], "form": "power", "scale": [5400.0, 18900.0, 12240.0],
                   "half": [1200.0, 3000.0, 800.0], "shape": 0.5, "carryover": 0.0})
TODAY = {"douyin": 1200, "taobao": 3000, "community": 800}


def random_curves(n: int, seed: int, *, carryover: float = 0.8, budget: float = 1e6) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    forms = rng.choice(["hill", "power", "exponential"], n)
    return pd.DataFrame({
        "channel": [f"c{k}" for k in range(n)], "form": forms, "scale": rng.uniform(50, 150, n),
        "half": budget / n * rng.uniform(0.05, 1.0, n), "shape": np.where(forms == "hill", rng.uniform(0.5, 1, n),
                                                                         rng.uniform(0.3, 0.8, n)),
        "carryover": rng.uniform(0, carryover, n) if carryover else 0.0})


def shares(curves: pd.DataFrame, **options: Any) -> np.ndarray:
    plan = om.allocate(curves=curves, **options)
    return plan.solution.spend / plan.solution.spend.sum()


def cbc() -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # its own, about the version after ours
        return pulp.PULP_CBC_CMD(msg=False)


# the brand's own three channels, R = G (x / c)^β

@pytest.mark.parametrize(("shape", "gain"), [(0.3, 0.0452), (0.5, 0.1127), (0.7, 0.2825)])
def test_power_curves_on_the_brands_day(shape: float, gain: float) -> None:
    plan = om.allocate(curves=T3.assign(shape=shape), budget=5000, periods=1, today=TODAY)
    assert plan.gain == pytest.approx(gain, abs=5e-5)
    assert plan.gap <= 1e-6 and plan.spend.sum() == pytest.approx(5000, abs=1e-9)
    weights = T3["scale"].to_numpy() / T3["half"].to_numpy() ** shape
    best = weights ** (1 / (1 - shape))
    np.testing.assert_allclose(plan.spend[:, 0], 5000 * best / best.sum(), rtol=1e-3)
    assert plan.objective == pytest.approx((weights * (5000 * best / best.sum()) ** shape).sum(), rel=1e-6)
    if shape == 0.5:
        np.testing.assert_allclose(plan.spend[:, 0], [367.5, 1800.6, 2831.9], atol=0.1)
        assert plan.objective == pytest.approx(40_659.7, abs=0.05)


def test_the_price_of_the_budget_is_the_slope_of_the_best_response() -> None:
    plan = om.allocate(curves=T3, budget=5000, periods=1, gap=1e-9)
    price = plan.shadow_prices.set_index("limit").loc["total_budget"]
    assert price["price"] == pytest.approx(plan.objective / 10_000, rel=1e-4)  # V = k √B, so V' = V / 2B
    assert price["price_left"] == price["price_right"] == price["price"]
    assert price["meaning"] == f"one more yuan of total budget returns {price['price']:.6g}"
    assert price["unit"] == "response/CNY"
    one_more = om.allocate(curves=T3, budget=5001, periods=1, gap=1e-12).objective
    assert one_more - plan.objective == pytest.approx(price["price"], rel=1e-3)


def test_a_kink_has_two_prices() -> None:
    curves = pd.DataFrame({"channel": ["a", "b"], "form": "power", "scale": [3.0, 1.0], "half": 1.0, "shape": 1.0,
                           "carryover": 0.0, "cap": [10.0, 100.0]})
    price = om.allocate(curves=curves, budget=10, periods=1).shadow_prices.set_index("limit").loc["total_budget"]
    assert (price["price_left"], price["price_right"]) == pytest.approx((3.0, 1.0))
    inside = om.allocate(curves=curves, budget=20, periods=1).shadow_prices.set_index("limit")
    assert inside.loc["total_budget", ["price", "price_left", "price_right"]].tolist() == pytest.approx([1.0] * 3)
    assert inside.loc["curves: row 0.cap", "price"] == pytest.approx(2.0)


@pytest.mark.parametrize("seed", range(6))
def test_optimality_conditions(seed: int) -> None:
    curves = random_curves(8, seed).assign(cap=4e4, floor=np.where(np.arange(8) % 3 == 0, 5e3, 0.0))
    plan = om.allocate(curves=curves, budget=1e6, periods=6, gap=1e-12)
    price = plan.solution.prices[0]
    gain = plan.table["marginal"].to_numpy().reshape(8, 6)
    spend, hair = plan.solution.spend, 1e-4 * 4e4
    floor = curves["floor"].to_numpy()[:, None]
    inside = (spend > floor + hair) & (spend < 4e4 - hair)
    assert inside.any()
    np.testing.assert_allclose(gain[inside], price, rtol=1e-3)
    assert (gain[spend >= 4e4 - 1e-6] >= price * (1 - 1e-3)).all()
    assert (gain[spend <= floor + 1e-6] <= price * (1 + 1e-3)).all()
    assert plan.gap <= 1e-9


def test_marginals_are_derivatives_with_later_periods_in_them() -> None:
    curves = random_curves(3, 1).assign(carry_in=[1e4, 0.0, 5e3])
    plan = om.allocate(curves=curves, budget=1e6, periods=5)
    arrays, spend = plan.solution.problem.curves, plan.spend
    for c, t in product(range(3), range(5)):
        def value(change: float, c: int = c, t: int = t) -> float:
            moved = spend.copy()
            moved[c, t] += change
            return plan.solution.problem.value(moved)
        found = plan.table.query(f"channel == 'c{c}' and period == {t}")["marginal"].item()
        step = 1e-4 * spend[c, t] + 1e-3
        assert (value(step) - value(-step if spend[c, t] > step else 0.0)) / (
            2 * step if spend[c, t] > step else step) == pytest.approx(found, rel=1e-2)
    assert arrays.carry_in[0] == 1e4


def independent_best(curves: pd.DataFrame, budget: float, periods: int) -> float:
    """Best response without carry-over: bisection on the price over closed inverse slopes, channel by channel."""
    codes = {"hill": 0, "power": 1, "exponential": 2}
    rows = [(codes[r.form], r.scale, r.half, 1.0 if r.form == "exponential" else r.shape) for r in curves.itertuples()]
    low, high = 1e-30, 1e30
    for _ in range(300):
        price = math.sqrt(low * high)
        wanted = periods * sum(inverse_slope(*row, price) for row in rows)
        low, high = (price, high) if wanted > budget else (low, price)
    spent = [inverse_slope(*row, high) for row in rows]
    left = (budget - periods * sum(spent)) / periods
    best = max(range(len(rows)), key=lambda k: slope(*rows[k], spent[k]))
    spent[best] += left
    return periods * sum(response(*row, x) for row, x in zip(rows, spent, strict=True))


@pytest.mark.parametrize("seed", range(8))
def test_against_an_independent_method_without_carry_over(seed: int) -> None:
    curves = random_curves(10, seed, carryover=0.0)
    plan = om.allocate(curves=curves, budget=1e6, periods=4, gap=1e-10)
    assert plan.objective == pytest.approx(independent_best(curves, 1e6, 4), rel=1e-9)


@pytest.mark.parametrize("seed", range(4))
def test_no_plan_nearby_or_at_random_is_better(seed: int) -> None:
    curves = random_curves(4, seed).assign(carry_in=1e4)
    plan = om.allocate(curves=curves, budget=1e6, periods=5, gap=1e-10)
    problem, rng = plan.solution.problem, np.random.default_rng(seed)
    for step in (1e-3, 1e-2, 0.1, 1.0):
        for _ in range(50):
            other = np.maximum(0.0, plan.spend * (1 + step * rng.standard_normal(plan.spend.shape)))
            other *= 1e6 / other.sum()
            assert problem.value(other) <= plan.bound * (1 + 1e-12)
            assert problem.value(other) <= plan.objective * (1 + 1e-9)


def with_limits(seed: int) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    return {
        "groups": [{"name": "core", "channels": ["c0", "c1", "c2"], "low": 0.5, "high": 0.6},
                   {"name": "rest", "channels": ["c5"], "low": 0.05, "high": 0.05}],
        "ratios": [{"channel": "c3", "to": "c4", "low": 0.5, "high": 2.0}],
        "period_budgets": [round(float(x), 2) for x in rng.uniform(1.9e5, 3e5, 5)], "ramp": 0.5,
        "channels": {"c0": {"floor": 10_000.0}, "c1": {"opens_in": 2}, "c4": {"cap": 60_000.0, "hours": 3.0}},
        "hours": 150.0,
        "rows": [{"limit": "mine", "channel": "c2", "coefficient": 2.0, "sense": ">=", "value": 1e5},
                 {"limit": "mine", "channel": "c3", "period": 1, "coefficient": -1.0, "sense": ">=", "value": 1e5}],
    }


@pytest.mark.parametrize("seed", range(3))
def test_linear_limits_hold_and_cbc_agrees(seed: int) -> None:
    plan = om.allocate(curves=random_curves(6, seed), budget=1e6, periods=5, limits=with_limits(seed))
    assert plan.gap <= 1e-6
    x, cent = plan.spend, 1e-8 * 1e6 * 100
    limits = with_limits(seed)
    assert 0.5 * x.sum() - cent <= x[:3].sum() <= 0.6 * x.sum() + cent
    assert x[5].sum() == pytest.approx(0.05 * x.sum(), abs=cent)
    assert 0.5 * x[4].sum() - cent <= x[3].sum() <= 2 * x[4].sum() + cent
    assert (x.sum(axis=0) <= np.array(limits["period_budgets"]) + cent).all()
    assert (x[0] >= 10_000).all() and (x[1, :2] == 0).all() and (x[4] <= 60_000).all()
    assert (0.003 * x[4] <= 150 + cent).all()
    assert (x[0, 1:] <= 1.5 * x[0, :-1] + cent).all() and (x[0, 1:] >= 0.5 * x[0, :-1] - cent).all()
    assert 2 * x[2].sum() - x[3, 1] >= 1e5 - cent
    model = plan.to_pulp()
    assert model.solve(cbc()) == pulp.LpStatusOptimal
    unit = om.allocate(curves=random_curves(6, seed), budget=1e6, periods=5)  # for the units of the model alone
    even = np.full((6, 5), 1e6 / 30)
    assert pulp.value(model.objective) * unit.solution.problem.value(even) == pytest.approx(plan.objective, rel=2e-6)


def test_money_and_labour_both_have_a_price() -> None:
    def best(budget: float, hours: float) -> om.BudgetPlan:
        limits = {"channels": {"community": {"hours": 1.0}}, "hours": hours}
        return om.allocate(curves=T3, budget=budget, periods=2, limits=limits, gap=1e-9)

    plan = best(10_000, 2.0)
    prices = plan.shadow_prices.set_index("limit")
    np.testing.assert_allclose(plan.spend[2], 2000, rtol=1e-6)  # at the hours on hand; the free plan wants 2,832
    hours = prices.loc["hours.0", "price"] + prices.loc["hours.1", "price"]
    assert (best(10_000, 2.01).objective - plan.objective) / 0.01 == pytest.approx(hours, rel=0.01)
    money = prices.loc["total_budget", "price"]
    assert (best(10_050, 2.0).objective - plan.objective) / 50 == pytest.approx(money, rel=0.01)
    # closed form: 3,000 a period in two channels, and what an hour brings beyond the money it takes
    weights = (T3["scale"] / T3["half"] ** 0.5).to_numpy()
    assert money == pytest.approx(math.hypot(*weights[:2]) / (2 * math.sqrt(3000)), rel=1e-3)
    assert hours / 2 == pytest.approx(1000 * (weights[2] / (2 * math.sqrt(2000)) - money), rel=1e-3)
    assert prices.loc["hours.0", "meaning"].startswith("one more hour of hours.0 returns")


def test_returns_and_cost_per_customer() -> None:
    plain = om.allocate(curves=T3, budget=5000, periods=2)
    floor = om.allocate(curves=T3, budget=5000, periods=2, limits={"channels": {"taobao": {"roi": 12.0}}})
    rows = floor.table.groupby("channel")[["budget", "response"]].sum()
    assert rows.loc["taobao", "response"] / rows.loc["taobao", "budget"] == pytest.approx(12.0, rel=1e-4)
    assert floor.objective < plain.objective and floor.gap <= 1e-6
    total = om.allocate(curves=T3, budget=5000, periods=2, limits={"cac": 0.08})
    spent, customers = total.table["budget"].sum(), total.table["response"].sum()
    assert spent / customers == pytest.approx(0.08, rel=1e-4)
    assert any("cac" in note for note in total.notes) and total.unspent == pytest.approx(5000 - spent)


def test_cash_and_stock_bind() -> None:
    cash = om.allocate(curves=T3, budget=5000, periods=3,
                       limits={"cash": {"opening": 500.0, "share": 0.05, "delay": 1}})
    spend = cash.spend.sum(axis=0)
    came = 0.05 * cash.table.groupby("period")["response"].sum().to_numpy()
    assert spend[0] <= 500.01 and spend[:2].sum() <= 500.01 + came[0]
    assert cash.gap <= 1e-6
    stock = om.allocate(curves=T3, budget=5000, periods=1, limits={"stock": {"available": 100.0, "units": 0.01}})
    assert stock.objective == pytest.approx(10_000.0, rel=1e-6)  # what cannot be served is not counted


def test_channels_open_only_if_they_pay() -> None:
    curves, cost = random_curves(7, 11), 60_000.0
    limits = {"channels": {name: {"opening_cost": cost} for name in curves["channel"]}}
    plan = om.allocate(curves=curves, budget=1e6, periods=2, limits=limits, gap=1e-5)
    best = 0.0
    for chosen in product((False, True), repeat=7):
        if any(chosen):
            some = curves[list(chosen)]
            best = max(best, om.allocate(curves=some, budget=1e6 - cost * len(some), periods=2).objective)
    assert plan.objective == pytest.approx(best, rel=1e-5)
    assert plan.bound >= best * (1 - 1e-9) and plan.gap <= 1e-5
    opened = (plan.spend.sum(axis=1) > 0).sum()
    assert plan.spend.sum() + cost * opened == pytest.approx(1e6, abs=1.0)
    assert "stay as they are" in plan.shadow_prices["meaning"].iloc[0]


def test_core_channels() -> None:
    curves = random_curves(8, 5)
    free = om.allocate(curves=curves, budget=1e6, periods=2)
    before = 0.0
    for most in range(9):
        plan = om.allocate(curves=curves, budget=1e6, periods=2, max_core=most, gap=1e-5)
        assert (plan.spend.sum(axis=1) > 0.1 * 1e6 * (1 + 1e-7)).sum() <= most
        assert plan.objective >= before * (1 - 1e-5)
        before = plan.objective
    assert before == pytest.approx(free.objective, rel=1e-6)


def test_least_spend_for_a_target() -> None:
    plan = om.allocate(curves=T3, objective="spend", target=40_659.7, periods=1)
    assert plan.objective == pytest.approx(5000.0, rel=1e-5)
    assert plan.table["response"].sum() >= 40_659.7 * (1 - 1e-7)
    assert plan.bound <= plan.objective and plan.gap <= 1e-6
    with pytest.raises(om.UsageError, match="beyond reach"):
        om.allocate(curves=T3.assign(form="hill"), objective="spend", target=1e6, periods=1)


def test_profit_leaves_money_that_would_not_come_back() -> None:
    plan = om.allocate(curves=T3.assign(margin=0.3), objective="profit", budget=50_000, periods=1)
    # 0.3 · G / (2 √(c x)) = 1
    expected = (0.15 * T3["scale"]) ** 2 / T3["half"]
    np.testing.assert_allclose(plan.spend[:, 0], expected, rtol=1e-4)
    assert plan.unspent == pytest.approx(50_000 - expected.sum(), rel=1e-4)
    assert "unspent: the next one would cost more" in plan.notes[-1]
    spent = om.allocate(curves=T3.assign(margin=0.3), objective="profit", budget=50_000, periods=1,
                        limits={"spend_all": True})
    assert spent.unspent == 0.0 and spent.objective < plan.objective


def test_each_objective_is_best_at_its_own() -> None:
    curves = T3.assign(awareness=[5.0, 1.0, 0.2], loyalty=[0.1, 0.5, 3.0], margin=0.4, equity=[0.0, 0.1, 1.0])
    names = ("gmv", "awareness", "loyalty")
    plans = {name: om.allocate(curves=curves, budget=5000, periods=1, objective=name, gap=1e-9) for name in names}
    worth = {"gmv": np.ones(3), "awareness": curves["awareness"].to_numpy(), "loyalty": curves["loyalty"].to_numpy()}
    for name in names:
        scores = {other: float(worth[name] @ plan.table["response"].to_numpy()) for other, plan in plans.items()}
        assert max(scores, key=lambda other: scores[other]) == name
    equity = om.allocate(curves=curves, budget=5000, periods=1, objective="equity").spend[:, 0]
    assert equity[2] > plans["gmv"].spend[2, 0]
    with pytest.raises(om.UsageError, match="needs a column loyalty"):
        om.allocate(curves=T3, budget=5000, periods=1, objective="loyalty")


def test_present_value_spends_earlier() -> None:
    options: dict[str, Any] = {"curves": T3.assign(margin=0.9), "budget": 15_000, "periods": 3}
    later = om.allocate(objective="present_value", discount=0.5, **options).spend.sum(axis=0)
    assert later[0] > later[1] > later[2]
    level = om.allocate(objective="present_value", **options).spend.sum(axis=0)
    np.testing.assert_allclose(level, level.mean(), rtol=1e-3)


def test_carry_out_is_counted_where_asked() -> None:
    curves = random_curves(3, 2).assign(carryover=0.7)
    alone = om.allocate(curves=curves, budget=1e6, periods=4)
    lasting = om.allocate(curves=curves, budget=1e6, periods=4, carry_out=True)
    assert lasting.spend[:, -1].sum() > alone.spend[:, -1].sum()
    spend = np.zeros((3, 400))
    spend[:, :4] = lasting.spend
    stock = carry(spend, np.full(3, 0.7), np.zeros(3))
    codes = {"hill": 0, "power": 1, "exponential": 2}
    total = sum(response(codes[row.form], row.scale, row.half, 1.0 if row.form == "exponential" else row.shape, a)
                for row, line in zip(curves.itertuples(), stock, strict=True) for a in line)
    assert lasting.objective == pytest.approx(total, rel=0.02)


def test_never_worse_than_today() -> None:
    best = om.allocate(curves=T3, budget=5000, periods=1, gap=1e-12)
    today = dict(zip(T3["channel"], best.spend[:, 0], strict=True))
    kept = om.allocate(curves=T3, budget=5000, periods=1, gap=0.5, today=today)
    assert kept.objective >= best.objective * (1 - 1e-12)
    broken = om.allocate(curves=T3, budget=4000, periods=1, today=TODAY)
    assert "today's plan breaks the total budget" in broken.notes[0]
    step = om.allocate(curves=T3, budget=5000, periods=1, today=TODAY, limits={"step": 0.3})
    np.testing.assert_array_less(np.abs(step.spend[:, 0] / [1200, 3000, 800] - 1), 0.3 + 1e-9)


def test_a_frontier_counts_what_comes_after_the_last_period() -> None:
    curves = random_curves(3, 2).assign(carryover=0.6)
    plan = om.allocate(curves=curves, budget=1e6, periods=4, carry_out=True, frontier=[0.5e6, 1e6])
    assert plan.frontier is not None
    assert plan.frontier["objective"].iloc[1] == pytest.approx(plan.objective, rel=1e-5)
    assert plan.frontier["objective"].iloc[0] < plan.objective


def test_what_is_gained_over_a_loss_is_told_in_money() -> None:
    losing = T3.assign(margin=0.1)
    plan = om.allocate(curves=losing, budget=5000, periods=1, objective="profit", today=TODAY)
    assert plan.today_objective < 0.0 and math.isnan(plan.gain)
    assert plan.lines()[0].startswith("profit that the curves give these budgets, their spend taken off: ")
    assert plan.notes[0].startswith("today's budgets by the same curves: -")
    assert plan.notes[0].endswith(f"these +{plan.objective - plan.today_objective:,.2f}")


def test_large_figures_have_thousands_separated() -> None:
    plan = om.allocate(curves=T3.assign(scale=T3["scale"] * 1000), budget=5000, periods=1)
    assert plan.lines()[0].startswith(f"response that the curves give these budgets: {plan.objective:,.2f} (no plan")


def test_a_period_of_curves_alone_is_a_day_after_which_nothing_is_spent() -> None:
    plan = om.allocate(curves=T3, budget=5000, periods=3)
    assert plan.plan.first_days == (0, 1, 2, 3)
    assert sum(map(sum, plan.plan.budgets.values())) == plan.daily_cents.sum() == 500_000
    assert {cents[-1] for cents in plan.plan.budgets.values()} == {0}
    assert "a period counts as a day" in repr(plan)


def test_frontier_rises_and_bends() -> None:
    plan = om.allocate(curves=random_curves(5, 1), budget=1e6, periods=3, frontier=12)
    assert plan.frontier is not None
    values = plan.frontier["objective"].to_numpy()
    assert (np.diff(values) > 0).all() and (np.diff(values, 2) < 0).all()
    assert (np.diff(plan.frontier["price"]) < 0).all()
    middle = np.interp(1e6, plan.frontier["budget"], values)
    assert middle == pytest.approx(plan.objective, rel=2e-2)


@settings(max_examples=15)
@given(st.sampled_from([1e-6, 1e-3, 1e3, 1e9]), st.sampled_from([1e-9, 1e-4, 1e4, 1e9]), st.integers(0, 5),
       st.booleans())
def test_units_do_not_matter(money: float, reply: float, seed: int, has_limits: bool) -> None:
    curves = random_curves(5, seed).assign(shape=0.6)
    limits = {"groups": [{"name": "g", "channels": ["c0", "c1"], "low": 0.5}]} if has_limits else None
    plain = shares(curves, budget=1e6, periods=3, limits=limits, gap=1e-12)
    scaled = curves.assign(half=curves["half"] * money, scale=curves["scale"] * reply)
    np.testing.assert_allclose(shares(scaled, budget=1e6 * money, periods=3, limits=limits, gap=1e-12), plain,
                               atol=1e-6)


@settings(max_examples=15)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(1, 6), st.floats(0.1, 10.0))
def test_budgets_hold_and_more_money_never_hurts(seed: int, n: int, periods: int, factor: float) -> None:
    curves = random_curves(n, seed)
    one = om.allocate(curves=curves, budget=1e6, periods=periods)
    other = om.allocate(curves=curves, budget=1e6 * factor, periods=periods)
    assert one.spend.sum() <= 1e6 * (1 + 1e-12) and (one.spend >= 0).all()
    assert one.objective <= one.bound * (1 + 1e-12) and one.gap <= 1e-6
    assert (other.objective - one.objective) * (factor - 1) >= -1e-6 * one.objective
    assert one.plan.budgets.keys() == set(curves["channel"])


def test_plan_is_whole_cents_and_can_be_saved(tmp_path: Path) -> None:
    from omnisim.plan_file import load_plan

    plan = om.allocate(curves=T3, budget=5000, periods=3, frontier=3)
    assert plan.daily_cents.sum() == 500_000
    plan.save(tmp_path / "plan")
    plan = om.allocate(curves=T3, budget=5000, periods=3)
    plan.save(tmp_path / "plan")
    assert sorted(path.name for path in (tmp_path / "plan").iterdir()) == [
        "manifest.json", "plan.csv", "plan.yaml", "shadow_prices.csv"]  # no old frontier
    assert load_plan(tmp_path / "plan" / "plan.yaml") == plan.plan
    back = pd.read_csv(tmp_path / "plan" / "plan.csv")
    assert list(back.columns) == ["channel", "period", "budget", "response", "marginal"]
    assert json.loads((tmp_path / "plan" / "manifest.json").read_text())["complete"]
    assert "budget by channel" not in plan._repr_html_() and "<table" in plan._repr_html_()
    assert repr(plan).startswith("BudgetPlan: 3 channels, 3 periods")


def test_pictures_can_be_drawn() -> None:
    from omnisim.canvas import to_png

    plan = om.allocate(curves=T3.assign(carryover=0.3), budget=5000, periods=3, frontier=3, today=TODAY)
    for language in ("en", "zh"):
        for axes in (plan.plot(language), plan.plot.marginal(language), plan.plot.frontier(language),
                     plan.plot.saturation(language)):
            assert to_png(axes).startswith(b"\x89PNG")
    with pytest.raises(om.UsageError, match="frontier"):
        om.allocate(curves=T3, budget=5000, periods=1).plot.frontier()


def with_draws(n: int, count: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    base = random_curves(n, seed)
    parts = [base.assign(draw=d, scale=base["scale"] * np.exp(0.4 * rng.standard_normal(n)),
                         half=base["half"] * np.exp(0.3 * rng.standard_normal(n)),
                         carryover=np.clip(base["carryover"] + 0.1 * rng.standard_normal(n), 0, 0.9))
             for d in range(count)]
    return pd.concat(parts, ignore_index=True)


def test_risk_is_the_mean_of_the_worst_draws() -> None:
    curves = with_draws(6, 60, 3)
    plans = {share: om.allocate(curves=curves, budget=1e6, periods=4, risk=share, gap=1e-4)
             for share in (1.0, 0.2, 0.05)}
    for share, plan in plans.items():
        assert plan.outcomes is not None and plan.gap <= 1e-4
        worst = np.sort(plan.outcomes["objective"])[:round(share * 60)].mean()
        assert plan.objective == pytest.approx(worst, rel=1e-9)
        for other in plans.values():  # each is best at its own
            assert np.sort(other.outcomes["objective"])[:round(share * 60)].mean() <= plan.bound * (1 + 1e-12)
    assert plans[0.05].objective < plans[0.2].objective < plans[1.0].objective


def test_one_draw_repeated_is_the_plan_without_draws() -> None:
    one = random_curves(4, 9)
    curves = pd.concat([one.assign(draw=d) for d in range(5)], ignore_index=True)
    plain = om.allocate(curves=one, budget=1e6, periods=3, gap=1e-9)
    for share in (1.0, 0.3):
        plan = om.allocate(curves=curves, budget=1e6, periods=3, risk=share, gap=1e-6)
        assert plan.objective == pytest.approx(plain.objective, rel=1e-6)
    np.testing.assert_allclose(plan.table["marginal"], plain.table["marginal"], rtol=5e-2)


def test_draws_with_linear_limits() -> None:
    limits = {"groups": [{"name": "g", "channels": ["c0", "c1"], "low": 0.5, "high": 0.5}], "ramp": 0.2}
    plan = om.allocate(curves=with_draws(5, 30, 4), budget=1e6, periods=4, risk=0.2, limits=limits)
    assert plan.gap <= 1e-3
    assert plan.spend[:2].sum() == pytest.approx(0.5 * plan.spend.sum(), rel=1e-6)
    with pytest.raises(om.UsageError, match="cannot be planned together with opening costs"):
        om.allocate(curves=with_draws(5, 30, 4), budget=1e6, periods=4, max_core=1)


def test_a_time_limit_holds() -> None:
    n = 40
    limits = {"channels": {f"c{k}": {"opening_cost": 20_000.0} for k in range(n)},
              "groups": [{"name": f"g{k}", "channels": [f"c{j}" for j in range(k, n, 7)], "low": 0.1}
                         for k in range(7)],
              "max_core": 3, "core_share": 0.05}
    start = time.monotonic()
    plan = om.allocate(curves=random_curves(n, 2), budget=1e6, periods=12, limits=limits, gap=1e-9, time_limit=3.0)
    assert time.monotonic() - start <= 4.0
    assert plan.objective <= plan.bound and not plan.is_proven
    assert plan.warnings and "longer time limit" in str(plan.warnings[0])
