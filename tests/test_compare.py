"""Comparisons: the same luck for all, whatever runs where, and what the tables and pictures say."""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

import omnisim as om
from omnisim.cli import main
from omnisim.errors import UsageError
from omnisim.measure.kpis import kpis
from omnisim.plan import Observation, Plan
from omnisim.policies import find_policy
from omnisim.study.comparing.comparison import Comparison
from omnisim.terminal import comparison_answer
from tests.building import small_brand

COLUMNS = ["policy", "kpi", "mean", "low", "high", "difference", "diff_low", "diff_high", "probability_best"]
CURVES = {name: {"form": "hill", "scale": 80.0, "half": 60.0, "margin": 1.0}
          for name in ("douyin", "taobao", "community")}


@pytest.fixture(scope="module")
def brand() -> om.Scenario:
    return small_brand(curves=CURVES, policy={"every": 15}, limits={"spend_all": True})


@pytest.fixture(scope="module")
def found(brand: om.Scenario) -> Comparison:
    return om.compare(brand, {"inertia": "inertia", "same": om.Plan.today(brand), "roi": "roi", "lp_once": "lp_once",
                              "nothing": om.Plan(budgets=dict.fromkeys(("douyin", "taobao", "community"), (0,)))},
                      replications=3, jobs=1)


def test_the_table_is_as_promised(found: Comparison) -> None:
    assert list(found.table.columns) == COLUMNS
    assert found.table["policy"].unique().tolist() == ["inertia", "same", "roi", "lp_once", "nothing"]
    assert found.kpis[0] == "profit"
    assert found.replications == 3


def test_what_is_the_same_differs_by_exactly_nothing(found: Comparison) -> None:
    same = found.table[found.table["policy"] == "same"]
    assert (same[["difference", "diff_low", "diff_high"]] == 0.0).all().all()
    chance = found.wide().set_index("policy")["probability_best"]
    assert chance["same"] == chance["inertia"]
    assert (found.tests.loc[found.tests["policy"] == "same", "p"] == 1.0).all()
    assert (found.paths["same"] == 0.0).all()


def test_a_replication_is_the_run_of_that_number(brand: om.Scenario, found: Comparison) -> None:
    for n in (0, 2):
        alone = om.run(brand, replication=n, policy="roi", threads=1)
        one = kpis(brand, alone.books).set_index("kpi")["value"]
        for kpi in found.kpis:
            assert found.values[kpi][2, n] == one[kpi]


@pytest.mark.parametrize(("jobs", "processes"), [(2, False), (2, True)])
def test_where_it_runs_changes_no_bit(brand: om.Scenario, found: Comparison, jobs: int, processes: bool) -> None:
    names = ["lp_once", "roi", "inertia"]  # in another order as well
    other = om.compare(brand, names, replications=3, baseline="inertia", jobs=jobs, processes=processes)
    for name in names:
        place, here = other.names.index(name), found.names.index(name)
        for kpi in found.kpis:
            assert (other.values[kpi][place] == found.values[kpi][here]).all()
        assert (other.profit[place] == found.profit[here]).all()
        assert (other.spent[place] == found.spent[here]).all()


def test_the_table_s_figures(found: Comparison) -> None:
    rows = found.table.set_index(["policy", "kpi"])
    values = found.values["profit"]
    assert rows.loc[("roi", "profit"), "difference"] == pytest.approx((values[2] - values[0]).mean())
    assert rows.loc[("roi", "profit"), "mean"] == pytest.approx(values[2].mean())
    assert found.table.groupby("kpi")["probability_best"].sum().drop("roi").to_numpy() == pytest.approx(1.0)
    assert np.isnan(rows.loc[("nothing", "roi"), "probability_best"])  # gmv per yuan of nothing
    media = rows.xs("media", level="kpi")["probability_best"]
    assert media["nothing"] == 1.0  # less is better


def test_regret(found: Comparison) -> None:
    profit = found.regret[found.regret["kpi"] == "profit"].set_index("policy")
    best = found.wide()["policy"].iloc[0]
    assert profit.loc[best, "regret"] == 0.0
    assert (profit["regret"] >= 0.0).all()
    values = found.values["profit"].mean(axis=1)
    assert profit.loc["nothing", "regret"] == pytest.approx(values.max() - values[4])
    media = found.regret[found.regret["kpi"] == "media"].set_index("policy")["regret"]
    assert media["nothing"] == 0.0
    assert (media >= 0.0).all()


def test_paths_end_at_the_difference(found: Comparison) -> None:
    rows = found.wide().set_index("policy")
    for name in found.names:
        assert found.paths[name].iloc[-1] == pytest.approx(rows.loc[name, "difference"], abs=1e-6)


def test_regret_by_day_of_a_bandit(brand: om.Scenario) -> None:
    """A curve of regret against the best that is known, and no day above the budget."""
    one = om.compare(brand.with_({"policy.every": 7}), ["lp_once", "bandit"], replications=2, jobs=1)
    assert len(one.paths["bandit"]) == 45
    total = sum(channel.budget for channel in brand.channels.values())
    spent = one.decisions[one.decisions["policy"] == "bandit"]
    assert len(spent) == 2 * 7
    assert one.spent[1].sum(axis=1).max() <= total + 1e-9


def test_decisions_of_every_run(found: Comparison) -> None:
    assert list(found.decisions.columns) == ["policy", "replication", "date", "saw", "changed"]
    assert len(found.decisions) == 5 * 3 * 3
    roi = found.decisions[found.decisions["policy"] == "roi"]
    assert roi["saw"].str.contains("roi xiaohongshu").all()


def test_scenarios_against_each_other(brand: om.Scenario) -> None:
    dearer = brand.with_({"channels.douyin.cpm": 60.0})
    two = om.compare({"today": brand, "dearer": dearer, "again": brand}, replications=2, jobs=1)
    assert two.names == ("today", "dearer", "again")
    table = two.wide().set_index("policy")
    assert table.loc["again", "difference"] == 0.0
    assert table.loc["dearer", "difference"] != 0.0


def test_how_often_is_reviewed_changes_nothing_for_those_who_never_change(brand: om.Scenario) -> None:
    scenarios = {str(every): brand.with_({"policy.every": every}) for every in (7, 365)}
    one = om.compare(scenarios, ["inertia"], replications=1, jobs=1)
    assert one.names == ("7 · inertia", "365 · inertia")
    assert (one.profit[0] == one.profit[1]).all()


def test_inertia_pays_for_what_fades(brand: om.Scenario) -> None:
    """A channel loses its public half-way: the ROI of those who go on as before falls, and a pause comes off better."""
    fading = brand.with_({"channels.douyin.budget": 300.0, "channels.douyin.click_share": 0.05,
                          "channels.douyin.intercept": -4.0, "channels.douyin.checkout": True, "calendar.campaigns": [
        {"name": "fades", "start": "2024-06-15", "end": "2025-12-31", "factor": {"douyin": 0.05}}]})
    run = om.run(fading, policy="inertia", threads=1).daily
    douyin = run[run["channel"] == "douyin"].set_index("date")
    early, late = douyin[:"2024-06-14"].sum(numeric_only=True), douyin["2024-06-15":].sum(numeric_only=True)
    assert late["gmv"] / late["cost"] < 0.5 * early["gmv"] / early["cost"]
    one = om.compare(fading.with_({"policy.every": 7}), ["inertia", "pause"], replications=2, jobs=1)
    decided = one.decisions[one.decisions["policy"] == "pause"]
    assert decided["changed"].str.contains("douyin 300.00 → 0.00").any()


@dataclass
class Mine:
    """A policy of one's own, in far less than 20 lines: two yuan in three go to the channel with most visits."""

    name: str = "mine"

    def review(self, observation: Observation) -> Plan | None:
        """Two thirds to the first, a third to the second."""
        first, second = observation.recent(28)["visits"].nlargest(2).index
        total = sum(observation.budgets.values())
        return observation.spend({**dict.fromkeys(observation.budgets, 0), first: 2 * total // 3, second: total // 3})


def test_a_policy_of_one_s_own(brand: om.Scenario) -> None:
    one = om.compare(brand, ["inertia", Mine()], replications=2, jobs=1)
    named = om.compare(brand, ["inertia", "tests.test_compare:Mine"], replications=2, jobs=1)
    assert one.names == ("inertia", "mine")
    assert (one.profit == named.profit).all()
    assert one.decisions.loc[one.decisions["policy"] == "mine", "changed"].iloc[0] != "nothing"


def test_policies_forget_between_replications(brand: om.Scenario) -> None:
    pause = find_policy("pause")
    one = om.compare(brand, {"pause": pause}, replications=2, jobs=1)
    other = om.compare(brand, {"pause": "pause"}, replications=2, jobs=1)
    assert (one.profit == other.profit).all()
    assert not pause.low  # type: ignore[attr-defined]


def test_only_one_learns_what_many_believe(brand: om.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    from omnisim.optimise.declared import declared_curves
    from omnisim.study.curves import belief

    asked = []

    def measured(one: om.Scenario, days: Any, *effort: int) -> Any:
        asked.append(one)
        return declared_curves(one.with_({"curves": brand.with_({"curves.douyin.scale": 1e-6}).curves}), days)

    monkeypatch.setattr(belief, "_measured", measured)
    believed = brand.with_({"name": "believed by many", "curves": {}})
    for policies in (["lp_once", "lp_rolling"], ["lp_once"]):
        one = om.compare(brand, policies, replications=1, belief=believed, jobs=1)
        assert [each.name for each in asked] == ["believed by many"]
        assert one.budgets.loc["lp_once", "douyin"] < 1.0


def test_replications_until_it_is_narrow_enough(brand: om.Scenario) -> None:
    brand = brand.with_({"horizon.days": 15, "horizon.warm_up": 15})
    wide = om.compare(brand, ["inertia", "roi"], replications=12, half_width=0.9, jobs=1)
    assert wide.replications == 10  # the pilot is enough
    assert not wide.warnings
    rows = wide.wide().set_index("policy").loc["roi"]
    assert (rows["diff_high"] - rows["diff_low"]) / 2.0 <= 0.9 * abs(wide.values["profit"][0].mean())
    narrow = om.compare(brand, ["inertia", "roi"], replications=11, half_width=1e-6, jobs=1)
    assert narrow.replications == 11
    assert "would be needed" in str(narrow.warnings[0])


@pytest.mark.parametrize(("options", "said"), [
    ({"baseline": "nobody"}, "is none of those compared"), ({"kpis": ["profits"]}, "is no figure"),
    ({"half_width": 2.0}, "above 0 and below 1"), ({"replications": 0}, "whole number from 1"),
    ({"policies": ["roy"]}, "Did you mean roi"), ({"policies": [3]}, "must be a name"),
])
def test_what_cannot_be_compared(brand: om.Scenario, options: dict[str, object], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        om.compare(brand, **{"policies": ["inertia"], **options})  # type: ignore[arg-type]


def test_other_days_cannot_be_compared(brand: om.Scenario) -> None:
    with pytest.raises(UsageError, match="must be the same for all"):
        om.compare({"a": brand, "b": brand.with_({"horizon.days": 30})})


def test_pictures(found: Comparison) -> None:
    axes = found.plot()
    assert [tick.get_text() for tick in axes.get_yticklabels()] == [
        name for name in found.wide()["policy"] if name != "inertia"]
    assert found.plot("media").get_title(loc="left") == "Which policy brings more media?"
    assert len(found.plot_paths().lines) == len(found.names)
    assert "<table" in found._repr_html_()


def test_who_is_ahead_only_by_luck_is_not_called_ahead(found: Comparison) -> None:
    """Four lucks: all gains are above 0, so that resampling has no doubt, but the interval holds 0."""
    gain = np.array([4e4, 9e4, 2e4, 1e4])
    profit = np.zeros((2, 4, 5))
    profit[1, :, -1] = gain
    lucky = replace(found, names=("today", "move"), kpis=("profit",), values={"profit": profit.sum(axis=2)},
                    profit=profit, baseline="today", reference=None)
    assert lucky.wide()["probability_best"].iloc[0] == 1.0
    assert lucky.surely_ahead("profit") == []
    said = {text.get_text() for axes in (lucky.plot(), lucky.plot_paths()) for text in axes.texts}
    assert {"None is surely ahead of today", "At the end none is surely ahead; the best is move, +40 k"} <= said
    screen = Console(file=io.StringIO(), width=200)
    show = comparison_answer(replace(lucky, spent=lucky.spent[:2]), None).show
    assert show is not None
    show(screen)
    assert "profit: None is surely ahead of today" in screen.file.getvalue()  # type: ignore[attr-defined]
    assert "too sure with 4 replications" in screen.file.getvalue()  # type: ignore[attr-defined]
    low, high = lucky.path_bands
    row = lucky.wide().iloc[0]
    assert (low["move"].iloc[-1], high["move"].iloc[-1]) == pytest.approx((row["diff_low"], row["diff_high"]))
    more = np.array([[[0.0]], [[5e4]]])
    sure = replace(lucky, values={"profit": profit.sum(axis=2) + more[:, :, 0]}, profit=profit + more / 5)
    assert sure.verdict("profit") == "Surely ahead of today: move"
    assert any(text.get_text() == "At the end move is ahead by +90 k" for text in sure.plot_paths().texts)


def test_the_command_line(brand: om.Scenario, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = tmp_path / "brand.yaml", tmp_path / "out"
    brand.with_({"horizon.days": 20, "horizon.warm_up": 20}).save(file)
    words = ["compare", str(file), "--policies", "roi,inertia,lp_once", "--replications", "2", "--baseline", "inertia"]
    assert main([*words, "--out", str(out), "--json"]) == 0
    record = json.loads(capsys.readouterr().out)["result"]
    assert {row["policy"] for row in record["table"]} == {"roi", "inertia", "lp_once"}
    table = pd.read_csv(out / "comparison.csv")
    assert list(table.columns) == COLUMNS
    assert (table.loc[table["policy"] == "inertia", "difference"] == 0.0).all()
    for name in ("comparison.png", "paths.png"):
        assert (out / name).read_bytes().startswith(b"\x89PNG")
    first = (out / "comparison.csv").read_bytes()
    assert main([*words, "--out", str(out), "--jobs", "1"]) == 0
    assert (out / "comparison.csv").read_bytes() == first
    assert "differences to inertia" in capsys.readouterr().out


def test_the_command_line_says_what_is_wrong(tmp_path: Path, brand: om.Scenario,
                                             capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "brand.yaml"
    brand.save(file)
    assert main(["compare", str(file), "--policies", "roy"]) == 2
    assert "Did you mean roi" in capsys.readouterr().err
    assert main(["compare", str(file), str(file)]) == 2
