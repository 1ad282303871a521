"""Calibration: the scenario built from a table, the fit on a small market, what is reported and what is refused."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from building import channel, scenario

import omnisim as om
from omnisim.errors import UsageError
from omnisim.scenario.baskets import round_order_value
from omnisim.study.calibration import calibrate, fitting, start, targets
from omnisim.study.calibration.brand_tables import BrandTables, ChannelStatus, DailyRecord, read_tables
from omnisim.study.calibration.certainty import Belief
from omnisim.study.calibration.unidentified import doubtful

T1 = Path(__file__).parents[1] / "scenarios" / "brand_status.csv"
BRAND = read_tables([T1])


def market(**channels: dict[str, object]) -> om.Scenario:
    """A market of 30,000 in which a tenth of the people visit in a month."""
    shelf = channel(direct=4e-3, search=2e-3, revisit=0.3, intercept=-4.0, budget=36.0, persuasion=0.05,
                    click_share=0.01) | channels.get("shelf", {})
    group = channel(kind="private", direct=1e-3, follow=4e-3, revisit=0.3, intercept=-4.5, order_value=150.0,
                    repeat_weight=1.5) | channels.get("group", {})
    return scenario(horizon={"days": 30, "warm_up": 210}, population={"size": 30_000},
                    channels={"shelf": shelf, "group": group}, community={"channel": "group", "seats": 200,
                                                                          "members": 200},
                    brand={"new_customers": 140.0, "age": 3.0})


def test_fit_finds_a_known_market_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "FULL_STEPS", 2)
    true = market()
    months = targets.observe([targets.Task(true, n) for n in range(8)], 77, 2).mean(axis=0)
    names = sorted(true.channels)
    rows = []
    for name, counts in zip(names, months, strict=True):
        uv, orders, gmv = counts[targets.UV], counts[targets.ORDERS], counts[targets.GMV]
        rows.append(ChannelStatus(name, name, uv, orders / uv, gmv / orders, gmv))
    away = market(shelf={"direct": 6e-3, "search": 3e-3, "intercept": -4.5}, group={"direct": 8e-4, "follow": 3.2e-3,
                                                                                    "intercept": -4.0})
    told: list[tuple[int, int]] = []
    fit = calibrate.fit(BrandTables(tuple(rows)), scenario=away, seed=3, threads=2,
                        progress=lambda done, total: told.append((done, total)))
    assert fit.table["within"].all(), str(fit)
    assert not fit.warnings
    assert told[-1][0] == told[-1][1] and all(done <= total for done, total in told)
    # what is called identified covers the truth, the rest is listed as not told by the table
    assert len(fit.beliefs) == 9
    for belief in fit.beliefs:
        section, _, field = belief.parameter.rpartition(".")
        if not belief.identified:
            assert belief.parameter in set(fit.unidentified_table["parameter"])
        elif section != "brand":  # this market's past is not its present, as the fit takes it to be
            truth = getattr(true.channels[section.removeprefix("channels.")], field)
            assert belief.low <= truth <= belief.high, belief
    verdict = {belief.parameter: belief.identified for belief in fit.beliefs}
    assert verdict["channels.shelf.direct"] and not verdict["channels.shelf.repeat_weight"]
    # what is not fitted stays as it was
    assert away.with_(dict(fit.fitted)).hash == fit.scenario.hash
    fields = {path.rpartition(".")[2] for path in fit.fitted}
    assert fields <= {"direct", "search", "follow", "click", "revisit", "intercept", "repeat_weight", "order_value",
                      "new_customers"}


@pytest.mark.slow
def test_the_brands_table_is_reached_within_three_percent() -> None:
    fit = om.calibrate(T1)
    assert fit.table["within"].all(), str(fit)
    assert fit.scenario.population.size == 1_000_000


def test_scenario_built_from_the_brands_table() -> None:
    built = start.build(BRAND)
    assert list(built.channels) == ["douyin", "taobao", "community"]
    assert built.population.size == 1_000_000
    assert built.products["core"].price <= 0.5 * 120
    assert built.channels["douyin"].budget == pytest.approx(0.1412 * 50_000 * 3.97 / 30, abs=0.01)
    assert built.community is not None and built.community.members == 2500
    assert {(flow.source, flow.target, flow.kind) for flow in built.flows} == {
        ("douyin", "taobao", "link"), ("taobao", "community", "code")}
    assert built.horizon.warm_up == 210
    assert built.channels["douyin"].label_zh == "抖音内容"


def test_daily_table_gives_the_budgets() -> None:
    import datetime
    day = DailyRecord(datetime.date(2024, 6, 1), "douyin", "抖音", 8500, 320, 45, 5400, 120, 1200, 4.5, "")
    assert start.build(dataclasses.replace(BRAND, daily=(day,))).channels["douyin"].budget == 1200


@pytest.mark.parametrize("uv", [300.0, 50_000.0, 20_000_000.0])
def test_scenarios_are_built_for_brands_of_any_size(uv: float) -> None:
    rows = (ChannelStatus("xiaohongshu", "小红书", uv, 0, 0, 0), ChannelStatus("jd", "京东", uv, 0.03, 35, uv * 1.05),
            ChannelStatus("wecom", "企业微信", uv / 5, 0.08, 900, uv * 14.4))
    built = start.build(BrandTables(rows))
    people = built.population.size * built.population.scale
    assert people >= 6.5 * 2.2 * uv
    assert built.population.size <= start.MOST
    seed = built.channels["xiaohongshu"]
    assert not seed.checkout
    assert seed.organic_impressions * seed.click_share * 30 <= 0.31 * uv
    assert built.supply.unlimited == (built.population.scale > 1)
    targets.match(rows, built)


def test_links_do_not_bring_more_than_the_target_has() -> None:
    rows = (ChannelStatus("community", "社群", 20_000, 0.08, 180, 288_000),
            ChannelStatus("mini_program", "小程序", 2_000, 0.05, 170, 17_000))
    link = next(flow for flow in start.build(BrandTables(rows)).flows if flow.kind == "link")
    assert link.rate == pytest.approx(0.04)


def test_rounded_gmv_is_met_half_way_and_contradicting_gmv_left_aside() -> None:
    near = targets.set_target(ChannelStatus("taobao", "", 80_000, 0.035, 150, 426_000), "taobao")
    assert near.gmv == 426_000
    assert near.order_value == pytest.approx(150 * np.sqrt(426 / 420))
    far = targets.set_target(ChannelStatus("taobao", "", 80_000, 0.035, 150, 500_000), "taobao")
    assert (far.gmv, far.order_value) == (pytest.approx(420_000), 150)


def test_scenario_must_have_the_channels_of_the_table() -> None:
    built = start.build(BRAND)
    less = built.with_({"channels.douyin.active": False, "flows": [], "horizon.warm_up": 90,
                        "channels.taobao.checkout": False})
    with pytest.raises(UsageError) as caught:
        targets.match(BRAND.status, less)
    text = str(caught.value)
    assert "channels.douyin" in text and "horizon.warm_up" in text and "channels.taobao.checkout" in text
    assert len(caught.value.faults) == 3


def test_values_are_applied_to_the_fitted_fields_alone() -> None:
    built = start.build(BRAND)
    problem = fitting.Problem(built, targets.match(BRAND.status, built))
    # what is written has six digits
    assert problem.apply(problem.start).hash == built.with_(
        {path: fitting.tidy(value) for path, value in calibrate.changed(built, problem.apply(problem.start)).items()}
    ).hash
    values = problem.start
    values[0] = np.log(2.0)
    changed = calibrate.changed(built, problem.apply(values))
    assert changed["channels.douyin.direct"] == pytest.approx(2 * built.channels["douyin"].direct, rel=1e-5)


def test_an_order_value_at_the_mean_price_is_written_to_the_cent_above() -> None:
    articles = {name: {"price": price, "cost": 10, "share": 1 / 3, "base_stock": 900}
                for name, price in (("a", 60), ("b", 60), ("c", 70))}
    plain = market(shelf={"order_value": 68.0}).with_({"products": articles, "population.segments": [
        {"name": "thrifty", "share": 0.5, "spend": 0.5}, {"name": "lavish", "share": 0.5, "spend": 1.5}]})
    problem = fitting.Problem(plain, (targets.Target("shelf", 3000, 150, 68.0, 10_200, 4.0),))
    month = np.zeros((1, 2, len(targets.COUNTED)))
    month[0, problem.rows[0]] = 3000, 12_000, 150, 12_000, 60  # 80 an order are too much
    problem.reprice(month)
    assert problem.order_value["shelf"] == pytest.approx(190 / 3)
    assert problem.apply(problem.start).channels["shelf"].order_value == 63.34
    # elsewhere the nearest cent is written, and a value that is too low by itself is still refused
    assert round_order_value(plain, "shelf", 65.333) == 65.33
    with pytest.raises(UsageError, match="must be at least the mean price"):
        fitting.Problem(plain, (targets.Target("shelf", 3000, 150, 61.0, 9150, 4.0),)).apply(problem.start)


def test_low_and_high_are_checked_on_luck_that_no_retry_has_used(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[list[int]] = []
    simulated = iter([1.2, 1.0, 1.0, 1.0])  # the first check fails, so that its runs join the fit

    def observe(tasks: list[targets.Task], *_: int) -> targets.Floats:
        asked.append([task.replication for task in tasks])
        return np.zeros((len(tasks), 1, 5))
    monkeypatch.setattr(calibrate, "observe", observe)
    monkeypatch.setattr(calibrate, "compare", lambda *_: [calibrate.Row("shelf", "gmv", "", 1.0, next(simulated), 0.0)])
    bar: list[tuple[int, int]] = []
    measured: list[float] = []

    def stance(name: str, *_: object, **__: object) -> str:
        measured.append(bar[-1][0] / bar[-1][1])
        return name
    monkeypatch.setattr(calibrate, "stance", stance)
    monkeypatch.setattr(calibrate.ClickShares, "find", lambda self, _: (self.problem, self.values, np.zeros((0, 0))))
    monkeypatch.setattr(fitting.Search, "learn", lambda self, values, _: values)
    monkeypatch.setattr(fitting.Search, "run_full", lambda self, values, steps=None: values)
    problem = fitting.Problem(market(), ())
    work = calibrate.Work(calibrate.stages(problem, True, False), lambda done, total: bar.append((done, total)))
    work.begin("full")
    search = fitting.Search(problem, 1, 1, work.add)
    values, _, checks = calibrate._search(search, problem.start, work)
    shares = calibrate.ClickShares(search, problem, values, "shelf", work.add)
    assert calibrate._stances(shares, values, 0.12, checks, work) == (("low", "default", "high"), [])
    assert asked == [[0, 1, 2, 3], *[[4, 5, 6, 7]] * 3]
    # what is measured in the end has its part of the bar, and each of the three moves it
    assert measured[0] < 0.8 and measured == sorted(set(measured)) and bar[-1][0] < bar[-1][1]


def test_a_bar_reaches_its_end_when_all_is_done_and_no_stage_passes_its_own() -> None:
    told: list[tuple[int, int]] = []
    work = calibrate.Work({"small": 10, "pace": 0, "full": 30}, lambda done, total: told.append((done, total)))
    for stage, amounts in {"small": (4, 4, 50), "pace": (7,), "full": (60, 60)}.items():
        work.begin(stage)
        for amount in amounts:
            work.add(amount)
    work.finish()
    assert [done for done, _ in told] == [0, 4, 8, 9, 10, 10, 10, 39, 39, 40]
    assert {total for _, total in told} == {40}


def fitted() -> calibrate.Fit:
    """A fit without simulation: months that are as the table says, but for douyin's visitors."""
    built = start.build(BRAND)
    problem = fitting.Problem(built, targets.match(BRAND.status, built))
    month = np.zeros((3, 5))
    for target, row in zip(problem.targets, problem.rows, strict=True):
        uv = target.uv * (1.2 if target.channel == "douyin" else 1.0)
        month[row] = uv, uv * 4, target.orders, target.gmv, 0.4 * target.orders
    months = np.array([month * factor for factor in (0.999, 1.0, 1.0, 1.001)])
    rows = tuple(calibrate.compare(problem, months))
    values = problem.start
    values[0] = problem.unknowns[0].low
    return calibrate.Fit(built, rows, {"brand.new_customers": 1.0}, calibrate.list_unidentified(
        built, problem.targets, {"douyin": 0.5}, set()), tuple(calibrate.missed(rows, problem, values)), 1)


def test_what_is_not_reached_is_said_with_reason_and_cure() -> None:
    fit = fitted()
    table = fit.table.set_index(["channel", "measure"])
    assert table.loc[("taobao", "monthly_uv"), "within"]
    assert table.loc[("douyin", "monthly_uv"), "deviation_percent"] == pytest.approx(20.0, abs=0.1)
    note = next(str(note) for note in fit.warnings if "monthly_uv" in note.what)
    assert "+20.0 %" in note and "level can go no further" in note and "budget" in note


def test_what_the_table_cannot_tell_is_listed_with_its_range() -> None:
    table = fitted().unidentified_table
    assert (table["low"] <= table["value"]).all() and (table["value"] <= table["high"]).all()
    assert table["why"].str.len().gt(0).all()
    for parameter in ("channels.douyin.click_share", "channels.taobao.budget", "channels.taobao.search",
                      "channels.douyin.persuasion", "population.affinity_shape", "population.size", "referral",
                      "brand.interest.half_life_long", "first orders of douyin", "brand.repurchase.rate_shape",
                      "brand.repurchase.lapse_b", "brand.age"):
        assert parameter in set(table["parameter"]), parameter


def test_what_the_tables_fixed_is_not_listed_as_not_told() -> None:
    listed = fitted().unidentified
    beliefs = [Belief(f"channels.{name}.revisit", 0.3, 0.2, 0.4, known, "" if known else "rests on where it started",
                      0.4, 0.1) for name, known in (("douyin", True), ("taobao", False))]
    beliefs.append(beliefs[1]._replace(parameter="channels.taobao.intercept"))
    found = [row.parameter for row in doubtful(listed, beliefs, {"brand.age"})]
    assert sorted(found) == sorted({row.parameter for row in listed} - {"channels.douyin.revisit", "brand.age"}
                                   | {"channels.taobao.intercept"})


def test_saved_fit_reads_as_a_scenario(tmp_path: Path) -> None:
    fit = fitted()
    fit.save(tmp_path / "fit")
    fit.save(tmp_path / "fit")
    assert om.load(tmp_path / "fit" / "scenario.yaml").hash == fit.scenario.hash
    assert len(pd.read_csv(tmp_path / "fit" / "fit.csv")) == 12
    assert "click_share" in (tmp_path / "fit" / "unidentified.csv").read_text(encoding="utf-8-sig")
    assert "fit.csv" in (tmp_path / "fit" / "manifest.json").read_text()
    assert "<table" in fit._repr_html_()
    # visitors of one channel are too many, and so orders too few for them
    assert str(fit).startswith("10 of 12 figures within 3 % and two standard errors\n")
