"""What an allocation refuses and why: bad tables, limits that contradict each other; scenarios; the command line."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from building import channel, scenario
from test_allocate import T3

import omnisim as om
from omnisim.cli import main
from omnisim.optimise.curves import marginal_response
from omnisim.optimise.declared import declared_curves, plan_days
from omnisim.optimise.prepare import Request, prepare
from omnisim.response import per_day, per_period


def refusal(kind: type[Exception] = om.UsageError, **options: Any) -> str:
    asked: dict[str, Any] = {"curves": T3, "budget": 5000, "periods": 3} | options
    with pytest.raises(kind) as error:
        om.allocate(**asked)
    return str(error.value)


@pytest.mark.parametrize(("column", "value", "message"), [
    ("scale", float("nan"), "curves: row 1: scale = nan response — must be a finite number"),
    ("half", float("inf"), "curves: row 1: half = inf currency — must be a finite number"),
    ("half", 0.0, "curves: row 1: half = 0 currency — must be > 0"),
    ("shape", 1.2, "curves: row 1: shape = 1.2 — must be ≤ 1 for a power curve"),
    ("carryover", 1.0, "curves: row 1: carryover = 1 a period — must be < 1"),
    ("form", "hil", "curves: row 1: form = hil — must be one of hill, power, exponential. Did you mean hill?"),
    ("channel", "douyin", "curves: row 1: channel = douyin — is given twice"),
])
def test_faulty_cells_are_named(column: str, value: Any, message: str) -> None:
    curves = T3.astype({"channel": object, "form": object})
    curves.loc[1, column] = value
    assert message in refusal(curves=curves)


def test_faulty_tables_are_named_all_at_once(tmp_path: Path) -> None:
    text = refusal(curves=T3.drop(columns="half").assign(sahpe=1.0, floor=-1.0))
    assert "curves: half — is missing. Add a column half." in text
    assert "sahpe — is no known column. Did you mean shape?" in text and text.count("floor = -1 currency") == 3
    assert "is no known column" in refusal(curves=pd.DataFrame({"a": [1]}))
    assert "must be a table" in refusal(curves=[1, 2])
    assert "period = 3 — must be at most 2: periods count from 0" in refusal(curves=T3.assign(period=3))
    assert "has no row for period 0 and 1 more" in refusal(curves=T3.assign(period=2))
    file = tmp_path / "curves.csv"
    file.write_text("channel,form,scale,half,shape,carryover\ndouyin,power,nan,1_200,0.5,0\n", encoding="utf-8")
    text = refusal(curves=file)
    assert f"{file}:2: scale = nan" in text and f"{file}:2: half = 1_200 — must be a number" in text


def test_a_table_may_differ_by_period(tmp_path: Path) -> None:
    rows = [row | {"period": t, "scale": row["scale"] * (1 + t)} for row in T3.to_dict("records") for t in range(2)]
    curves = pd.DataFrame(rows)
    plan = om.allocate(curves=curves, budget=10_000, gap=1e-10)
    assert plan.spend.shape == (3, 2)
    np.testing.assert_allclose(plan.spend[:, 1] / plan.spend[:, 0], 4.0, rtol=1e-3)  # (2 / 1)^(1 / (1 − 0.5))
    file = tmp_path / "curves.csv"
    curves.to_csv(file, index=False)
    np.testing.assert_allclose(om.allocate(curves=file, budget=10_000, gap=1e-10).spend, plan.spend, rtol=1e-9)


@pytest.mark.parametrize(("options", "message"), [
    ({"budget": -1}, "budget = -1 — must be a finite number > 0"),
    ({"budget": float("nan")}, "budget = nan — must be a finite number"),
    ({"budget": None}, "budget — is missing. Give the total of all periods: --budget 1000000, in Python budget="),
    ({"periods": 0}, "periods = 0 — must be a whole number from 1"),
    ({"objective": "fame"}, "objective = 'fame' — must be one of response"),
    ({"target": 5.0}, "target = 5.0 — is for the objective spend alone"),
    ({"objective": "spend"}, "target = None — must be a number > 0"),
    ({"limits": {"group": []}}, "group — is no known key. Did you mean groups?"),
    ({"limits": {"roi": "high"}}, "limits: roi = high — must be a number > 0 and ≤ 1,000,000,000 response/CNY"),
    ({"limits": {"channels": {"taobo": {"cap": 5.0}}}}, "Did you mean taobao?"),
    ({"limits": {"step": 0.1}}, "limits.step — is a multiple of today's spend, which is not known"),
    ({"limits": {"period_budgets": [1.0]}}, "must be one a period (3)"),
    ({"limits": pd.DataFrame({"limit": ["a"], "coefficient": [1.0], "sense": ["<"], "value": [5.0]})},
     "limits: row 0: sense = < — must be one of <=, >=, =="),
    ({"limits": pd.DataFrame({"limit": ["a", "a"], "coefficient": 1.0, "sense": "<=", "value": [5.0, 6.0]})},
     "must have the sense and value of the other terms of a"),
    ({"today": {"taobo": 5.0}}, "today.taobo — is no channel with a curve"),
    ({"curves": None}, "curves — are missing"),
    ({"risk": 0.2}, "risk = 0.2 — needs draws of the curves, and these have none"),
    ({"curves": T3.assign(scale=1e300)}, "must be ≥ 0 and ≤ 1,000,000,000,000,000"),
])
def test_arguments_that_cannot_be_meant(options: dict[str, Any], message: str) -> None:
    assert message in refusal(**options)


@pytest.mark.parametrize(("limits", "lines"), [
    ({"channels": {"taobao": {"floor": 1000.0}, "douyin": {"floor": 1000.0}}},
     ["limits.channels.taobao.floor = 3,000 CNY over 3 periods", "budget = 5,000 CNY",
      "limits.channels.douyin.floor = 3,000 CNY over 3 periods", "by 1,000 CNY: the smallest change that helps"]),
    ({"channels": {"taobao": {"floor": 1000.0, "cap": 500.0}}},
     ["limits.channels.taobao.floor", "limits.channels.taobao.cap"]),
    ({"groups": [{"name": "g", "channels": ["douyin"], "low": 0.6}], "channels": {"taobao": {"floor": 1000.0}}},
     ["limits.groups.0.low = 60 % of all spend", "limits.channels.taobao.floor", "budget = 5,000 CNY"]),
    ({"period_budgets": [1000.0, 1000.0, 1000.0], "spend_all": True},
     ["limits.period_budgets.2 = 1,000 CNY", "Lower it by 2,000 CNY"]),
    ({"roi": 30.0, "spend_all": True}, ["limits.roi = 30 response/currency", "at best it is missed by"]),
    ({"rows": [{"limit": "a", "sense": ">=", "value": 6000.0}]}, ["limits.rows.a = 6,000", "budget = 5,000 CNY"]),
    ({"channels": {"taobao": {"floor": 600.0}, "douyin": {"floor": 600.0}}, "max_core": 1}, ["limits.max_core"]),
])
def test_contradictions_are_named_with_the_smallest_change(limits: dict[str, Any], lines: list[str]) -> None:
    text = refusal(om.InfeasibleError, limits=limits)
    for line in lines:
        assert line in text
    assert "cannot hold together with" in text or "max_core" in text


def test_changes_of_several_lines_and_periods_add_up_to_what_is_missing() -> None:
    limits = {"channels": {"taobao": {"floor": 1500.0}, "douyin": {"floor": 1200.0}, "community": {"floor": 800.0}}}
    text = refusal(om.InfeasibleError, limits=limits)  # 10,500 in three periods of a budget of 5,000
    changes = [float(figure.replace(",", "")) for figure in re.findall(r"Lower it by ([\d,.]+) CNY", text)]
    assert len(changes) > 1 and sum(changes) == pytest.approx(5_500.0)
    assert text.count("with the other changes, the least that helps.") == len(changes)


def test_only_what_contradicts_is_named() -> None:
    limits = {"channels": {"taobao": {"floor": 1000.0, "cap": 500.0}, "douyin": {"cap": 900.0}},
              "period_budgets": [4000.0] * 3}
    text = refusal(om.InfeasibleError, limits=limits)
    assert "douyin" not in text and "period_budgets" not in text


def brand(**sections: Any) -> om.Scenario:
    channels = {"douyin": channel(budget=1200.0), "taobao": channel(budget=3000.0),
                "community": channel(kind="private", budget=800.0)}
    curves = {"douyin": {"form": "power", "scale": 5400.0, "half": 1200.0, "shape": 0.5},
              "taobao": {"form": "power", "scale": 18_900.0, "half": 3000.0, "shape": 0.5},
              "community": {"form": "power", "scale": 12_240.0, "half": 800.0, "shape": 0.5}}
    return scenario(**{"horizon": {"days": 60, "warm_up": 0}, "channels": channels, "curves": curves} | sections)


def test_a_scenarios_plan_is_in_cents_a_day() -> None:
    plan = om.allocate(brand(), objective="gmv")
    assert plan.gain == pytest.approx(0.1127, abs=1e-4) and plan.is_proven
    assert plan.plan.first_days == (0, 7, 14, 21, 28, 35, 42, 49, 56)  # the last period has four days
    assert plan.table["budget"].sum() == pytest.approx(5000 * 60, abs=0.03)
    daily = np.array(list(plan.plan.budgets.values())) / 100
    np.testing.assert_allclose(daily.sum(axis=0), 5000, atol=5)
    assert plan.shadow_prices["meaning"][0].startswith("one more yuan of total budget returns 4.06")
    result = om.run(brand().with_({"horizon.days": 10, "population.size": 2000}), plan=om.Plan(
        (0, 7), {name: line[:2] for name, line in plan.plan.budgets.items()}))
    assert result.daily["budget"].sum() > 0


def test_after_the_last_period_todays_budgets_hold_again() -> None:
    plan = om.allocate(brand(), objective="gmv", periods=2, budget=28_000)
    assert plan.plan.first_days == (0, 7, 14) and "from day 14, after the last period, the plan goes back" in repr(plan)
    assert {name: cents[-1] for name, cents in plan.plan.budgets.items()} == {
        "douyin": 120_000, "taobao": 300_000, "community": 80_000}
    result = om.run(brand().with_({"horizon.days": 21, "population.size": 2000}), plan=plan)
    spent = result.daily.groupby("date")["budget"].sum().to_numpy()
    assert spent[:14].sum() == pytest.approx(28_000, abs=1) and spent[14:].tolist() == [5000.0] * 7


def test_channels_may_go_by_their_labels(tmp_path: Path) -> None:
    subject = brand().with_({"channels.douyin.label_zh": "抖音内容", "channels.taobao.preset": "taobao"})
    limits = pd.DataFrame({"limit": ["mine"], "channel": ["抖音内容"], "sense": [">="], "coefficient": [1.0],
                           "value": [3000.0]})
    plans = [om.allocate(subject, curves=T3.replace({"channel": names}), objective="gmv", limits=limits)
             for names in ({}, {"douyin": "抖音内容", "taobao": "淘宝店铺"})]
    assert plans[0].plan == plans[1].plan and plans[0].table.groupby("channel")["budget"].sum()["douyin"] >= 3000


def test_limits_of_a_scenario_are_a_day_and_dated() -> None:
    limits = {"period": 30, "budget": 4000.0, "channels": {"taobao": {"low": 0.5, "high": 0.6},
                                                          "community": {"opens": "2024-06-15"}}}
    plan = om.allocate(brand(limits=limits), objective="gmv")
    assert plan.spend.shape == (3, 2) and plan.budget == 240_000
    days = plan.spend / 30
    assert (days[1] >= 1500 - 0.01).all() and (days[1] <= 1800 + 0.01).all()
    assert days[2, 0] == 0 and days[2, 1] > 0
    with pytest.raises(om.ScenarioError, match=r"curves\.taobo = taobo — is no channel of this scenario"):
        brand(curves={"taobo": {"scale": 1.0, "half": 1.0}})


def test_the_length_of_a_period_changes_the_grain_and_not_the_plan() -> None:
    curves = {name: curve.model_dump() | {"carryover": 0.5} for name, curve in brand().curves.items()}
    plans = [om.allocate(brand(curves=curves, limits={"period": length}), objective="gmv", carry_out=False)
             for length in (1, 2, 10)]
    shares = [plan.spend.sum(axis=1) / plan.spend.sum() for plan in plans]
    for other in shares[1:]:
        np.testing.assert_allclose(other, shares[0], atol=0.01)
    assert per_period(per_day(0.5, 7), 7) == pytest.approx(0.5, rel=1e-15)


def test_a_last_week_of_one_day_is_worth_a_day_and_its_carry_out_a_whole_one() -> None:
    for half, theta in ((500.0, 0.5), (1e7, 0.8)):
        curves = {"douyin": {"form": "hill", "scale": 2000.0, "half": half, "carryover": theta}}
        total, marginal = {}, {}
        for days in (28, 29):
            subject = brand(curves=curves, horizon={"days": days, "warm_up": 1800})
            length = plan_days(subject, None)
            problem = prepare(declared_curves(subject, length), Request(1e6, length, "gmv", carry_out=True))
            steady = np.zeros(problem.shape)
            steady[:, :len(length)] = 1200.0 * length
            total[days] = problem.value(steady)
            marginal[days] = marginal_response(problem.curves, steady)[0, :len(length)]
        assert total[29] - total[28] == pytest.approx(2000.0 * 1200.0 / (half + 1200.0))
        if half > 1e6:  # nothing saturates: a yuan is worth the same on every day
            np.testing.assert_allclose(marginal[29], marginal[28][0], rtol=0.01)


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    T3.to_csv(tmp_path / "curves.csv", index=False)
    pd.DataFrame({"limit": ["mine"], "channel": ["douyin"], "coefficient": [1.0], "sense": [">="],
                  "value": [3000.0]}).to_csv(tmp_path / "limits.csv", index=False)
    words = ["allocate", "--curves", str(tmp_path / "curves.csv"), "--budget", "15000", "--periods", "3", "--json"]
    assert main([*words, "--limits", str(tmp_path / "limits.csv"), "--out", str(tmp_path / "plan")]) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["exit_code"] == 0 and record["result"]["gap"] <= 1e-6
    assert sum(row["budget"] for row in record["result"]["table"] if row["channel"] == "douyin") >= 3000 - 1e-3
    assert (tmp_path / "plan" / "plan.yaml").exists()
    assert (tmp_path / "plan" / "plan.csv").read_bytes().startswith("\ufeffchannel,".encode())  # for Excel
    assert main([*words[:-1], "--out", str(tmp_path / "plan")]) == 0
    assert "in plan.yaml a period counts as a day" in capsys.readouterr().out
    words[words.index("15000")] = "2000"
    assert main([*words, "--limits", str(tmp_path / "limits.csv")]) == 3
    record = json.loads(capsys.readouterr().out)
    assert [error["what"] for error in record["errors"]] == ["limits.rows.mine", "budget"]
    assert main([*words[:-1], "--frontier", "3"]) == 0
    assert "other budgets" in capsys.readouterr().out


def test_contradictions_in_a_file_have_lines(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    limits = {"channels": {"taobao": {"floor": 6000.0}}}
    brand(limits=limits).save(tmp_path / "brand.yaml")
    assert main(["allocate", str(tmp_path / "brand.yaml")]) == 3
    text = capsys.readouterr().err
    assert re.search(r"brand\.yaml:\d+:\d+: limits\.channels\.taobao\.floor = 360,000 CNY over 9 periods", text)


def test_s_shaped_curves() -> None:
    curves = T3.assign(form="hill", scale=[5400.0, 9000.0, 4000.0], shape=[3.0, 2.0, 4.0])
    plan = om.allocate(curves=curves, budget=2500, periods=1)
    grid = np.linspace(0, 2500, 126)
    x, y = np.meshgrid(grid, grid)
    z = 2500 - x - y

    def hill(scale: float, half: float, shape: float, spend: np.ndarray) -> np.ndarray:
        return scale * spend ** shape / (half ** shape + spend ** shape)
    total = np.where(z >= 0, hill(5400, 1200, 3, x) + hill(9000, 3000, 2, y) + hill(4000, 800, 4, np.maximum(z, 0)), 0)
    assert plan.objective >= total.max() - 1e-9 and plan.gap <= 1e-3 and plan.bound >= total.max()
    assert om.allocate(curves=curves, budget=5000, periods=1, limits={"roi": 1.0}).is_proven
    draws = pd.concat([curves.assign(draw=d, scale=curves["scale"] * (1 + d)) for d in range(2)])
    assert "S-shaped (> 1), which cannot be planned together with draws" in refusal(curves=draws)


def test_money_and_hours_both_have_their_price() -> None:
    """Labour as a second resource: both prices are the slopes of the best response, by finite differences."""
    limits = {"hours": 12.0, "channels": {"douyin": {"hours": 2.0}, "taobao": {"hours": 1.0}, "community":
                                          {"hours": 4.0}}}

    def plan(budget: float = 5000.0, hours: float = 12.0) -> om.BudgetPlan:
        return om.allocate(curves=T3, budget=budget, periods=1, limits=limits | {"hours": hours}, gap=1e-10)

    prices = plan().shadow_prices.set_index("limit")
    money, hour = prices.loc["total_budget", "price"], prices.loc["hours.0", "price"]
    assert money > 0.0 and hour > 0.0
    assert money == pytest.approx((plan(5001.0).objective - plan(4999.0).objective) / 2, rel=1e-3)
    assert hour == pytest.approx((plan(hours=12.01).objective - plan(hours=11.99).objective) / 0.02, rel=1e-3)
    assert prices.loc["hours.0", "meaning"].startswith("one more hour of hours.0 returns")
    assert prices.loc["total_budget", "meaning"].startswith("one more yuan of total budget returns")


def test_relaxing_max_core_never_lowers_the_objective() -> None:
    values = []
    for most in (0, 1, 2, 3):
        plan = om.allocate(curves=T3, budget=5000, periods=1, max_core=most, limits={"core_share": 0.34}, gap=1e-6)
        values.append(plan.objective)
        assert (plan.spend.sum(axis=1) > 0.34 * 5000 * (1 + 1e-6)).sum() <= most
    assert (np.diff(values) >= -1e-6 * values[0]).all() and values[0] < values[3]
