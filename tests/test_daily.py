"""Calibration with a daily table: its campaign, its budgets, the day that is lived many times, and the fit."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pytest
from test_calibrate import market

import omnisim as om
from omnisim.errors import UsageError
from omnisim.measure import brand as brand_csv
from omnisim.study.calibration import calibrate, certainty, daily, fitting, start, targets
from omnisim.study.calibration.brand_tables import BrandTables, ChannelStatus, DailyRecord, read_tables
from omnisim.study.calibration.unidentified import campaign_lengths

SCENARIOS = Path(__file__).parents[1] / "scenarios"
BRAND = read_tables([SCENARIOS / "brand_status.csv", SCENARIOS / "brand_daily.csv"])
DAY = datetime.date(2024, 6, 1)
CAMPAIGN = {"name": "sale", "start": "2024-06-01", "end": "2024-06-10", "factor": {"shelf": 1.4, "group": 1.2}}


def record(channel: str, date: datetime.date = DAY, *, visits: float = 100, new_users: float = 10, orders: float = 5,
           cost: float = 36, price: float = 120) -> DailyRecord:
    return DailyRecord(date, channel, channel, visits, new_users, orders, orders * price, price, cost, None, "")


def test_brands_day_gives_visits_per_visitor_budgets_and_campaign() -> None:
    built = daily.prepare(start.build(BRAND), BRAND.daily)
    asked = daily.match_days(BRAND.daily, built, targets.match(BRAND.status, built))
    visits = {t.channel: t.visits_per_visitor for t in daily.set_visits(targets.match(BRAND.status, built), asked)}
    assert visits == pytest.approx({"douyin": 3.967, "taobao": 3.333, "community": 3.765}, abs=0.001)
    assert {name: channel.budget for name, channel in built.channels.items()} == {
        "douyin": 1200, "taobao": 3000, "community": 800}
    campaign = built.calendar.campaigns[0]
    assert (campaign.start, campaign.end) == (DAY, datetime.date(2024, 6, 20))
    factors = daily.guess_factors(targets.match(BRAND.status, built), asked)
    assert list(factors.values()) == pytest.approx([1.2857, 1.35, 1.275], abs=1e-4)


def test_budget_is_the_cost_of_usual_days_without_content_and_labour() -> None:
    plain = market().with_({"channels.shelf.content": 4.0, "channels.shelf.labour": 6.0, "calendar.campaigns":
                            [CAMPAIGN | {"end": "2024-06-01"}]})
    rows = [record("shelf", cost=90), *(record("shelf", DAY + datetime.timedelta(days=n), cost=50) for n in (1, 2))]
    assert daily.prepare(plain, rows).channels["shelf"].budget == 40


def test_days_are_parted_by_the_scenarios_own_campaign() -> None:
    dates = [DAY + datetime.timedelta(days=n) for n in range(12)]
    plain = daily.prepare(market().with_({"calendar.campaigns": [CAMPAIGN]}), [record("shelf", date) for date in dates])
    assert len(plain.calendar.campaigns) == 1
    status = [ChannelStatus("shelf", "", 3000, 0.05, 120, 18000), ChannelStatus("group", "", 900, 0.1, 150, 13500)]
    asked = daily.match_days([record("shelf", date) for date in dates], plain, targets.match(status, plain))
    assert [(period.name, len(period.dates)) for period in asked.periods] == [("day", 10), ("usual", 2)]


def test_each_channel_is_compared_on_the_days_that_it_has() -> None:
    plain = market().with_({"horizon.days": 60})
    dates = tuple(DAY + datetime.timedelta(days=n) for n in range(25, 60))
    rows = [*(record("shelf", date, orders=3) for date in dates), record("group", dates[7], orders=3, price=150)]
    status = [ChannelStatus("shelf", "", 3000, 0.05, 120, 18000), ChannelStatus("group", "", 900, 0.1, 150, 13500)]
    goals = targets.match(status, plain)
    asked = daily.match_days(rows, plain, goals)
    assert asked.dates == (dates, (dates[7],))
    problem = fitting.Problem(plain, goals, asked)
    assert {problem.targets[want.channel].channel: want.tolerance for want in problem.wants
            if want.name == "orders" and want.period >= 0} == pytest.approx(
        {"shelf": np.hypot(0.01, 105**-0.5), "group": np.hypot(0.01, 3**-0.5)})
    luck = certainty._luck_of_table(problem, np.zeros((len(problem.wants),) * 2))
    assert sorted({1 / luck[k, k] for k, want in enumerate(problem.wants) if want.name == "orders" and want.period >= 0
                   }) == pytest.approx([3, 105])


def test_a_campaign_of_uneven_days_is_one() -> None:
    plain = market().with_({"calendar.campaigns": [CAMPAIGN]})
    rows = [record("shelf", orders=15), record("shelf", DAY + datetime.timedelta(days=1), orders=15),
            record("group", orders=0)]
    status = [ChannelStatus("shelf", "", 3000, 0.05, 120, 18000), ChannelStatus("group", "", 900, 0.1, 150, 13500)]
    goals = targets.match(status, plain)
    asked = daily.match_days(rows, plain, goals)
    assert [(period.name, len(period.dates)) for period in asked.periods] == [("day", 2), ("day", 1)]
    # a channel without orders has the others' factor
    assert list(daily.guess_factors(goals, asked).values()) == pytest.approx([3.0, 3.0])
    length, = campaign_lengths(plain, asked)
    assert (length.value, length.low) == (10, 2)


def test_new_users_and_costs_are_corrected_by_what_was_seen() -> None:
    built = daily.prepare(start.build(BRAND), BRAND.daily)
    goals = targets.match(BRAND.status, built)
    problem = fitting.Problem(built, goals, daily.match_days(BRAND.daily, built, goals))
    month = np.ones((1, 3, len(targets.COUNTED) + len(targets.DAILY)))
    seen = {"douyin": (640, 1200.0), "taobao": (240, 2880.0), "community": (85, 800.0)}
    for name, (new_users, cost) in seen.items():
        row = problem.rows[[goal.channel for goal in goals].index(name)]
        month[0, row, targets.column(0, "new_users")], month[0, row, targets.column(0, "cost")] = new_users, cost
    before = dict(problem.registration)
    problem.reprice(month)
    assert problem.registration["douyin"] == pytest.approx(before["douyin"] / 2)
    assert problem.registration["taobao"] == pytest.approx(before["taobao"] * 2)
    # of 300 a day for searches 120 were left: what is spent goes on, a little less
    assert problem.search_share == pytest.approx({"douyin": 0.0, "taobao": 0.1 * 0.6 * 0.95, "community": 0.0})
    problem.reprice(month * 2, afresh=False)
    assert problem.registration["community"] == pytest.approx(before["community"] / 1.5)


def test_a_few_days_outside_of_campaigns_are_one() -> None:
    plain = market().with_({"horizon.start": "2024-03-01"})
    found = daily.prepare(plain, [record("shelf", datetime.date(2024, 3, 5))]).calendar.campaigns
    assert [(one.start, one.end) for one in found] == [(datetime.date(2024, 3, 5),) * 2]
    month = [record("shelf", datetime.date(2024, 3, n)) for n in range(1, 31)]
    assert daily.prepare(plain, month).calendar.campaigns == ()


def test_what_cannot_be_matched_is_refused() -> None:
    with pytest.raises(UsageError, match=r"2023-06-01 — must be among the reported days"):
        daily.prepare(market(), [record("shelf", datetime.date(2023, 6, 1))])
    with pytest.raises(UsageError, match="the daily table has this channel"):
        daily.prepare(market(), [record("jd")])
    shelf = [ChannelStatus("shelf", "", 3000, 0.05, 120, 18000)]
    with pytest.raises(UsageError, match="a channel must be in both"):
        daily.match_days([record("group")], market(), targets.match(shelf, market()))


def test_days_that_are_not_reported_are_refused_once_with_the_horizon_that_has_them() -> None:
    plain = market().with_({"horizon.days": 20})
    for first, count, cure in ((0, 40, "Set horizon.days to 40."), (-5, 25, "Set horizon.start to 2024-05-27 and "
                               "horizon.days to 25."), (-5, 10, "Set horizon.start to 2024-05-27."),
                               (0, 4000, "Leave days out: a scenario reports 3,660 at most.")):
        with pytest.raises(UsageError, match="must be among the reported days") as caught:
            daily.prepare(plain, [record("shelf", DAY + datetime.timedelta(days=first + n)) for n in range(count)])
        fault, = caught.value.faults
        assert fault.fix == cure


@pytest.mark.parametrize(("days", "reported"), [(1, 365), (400, 400)])
def test_a_scenario_built_from_tables_reports_all_their_days(days: int, reported: int) -> None:
    rows = tuple(record("taobao", DAY + datetime.timedelta(days=n)) for n in range(days))
    built = start.build(BrandTables((ChannelStatus("taobao", "", 3000, 0.05, 120, 18000),), rows))
    assert (built.horizon.start, built.horizon.days) == (DAY, reported)
    daily.prepare(built, rows)


def test_a_day_beyond_what_a_campaign_can_bring_is_warned_of() -> None:
    status = (ChannelStatus("taobao", "", 3000, 80 / 3000, 120, 9600),)
    rows = (record("taobao", datetime.date(2024, 11, 11), orders=300),)
    built = daily.prepare(start.build(BrandTables(status, rows)), rows)
    goals = targets.match(status, built)
    problem = fitting.Problem(built, goals, daily.match_days(rows, built, goals))
    factor = next(unknown for unknown in problem.unknowns if unknown.name == "factor")
    assert factor.start == factor.high == pytest.approx(np.log(100))
    fitted = problem.apply(problem.start).calendar.campaigns[0].factor
    assert fitted == {"taobao": 100.0}
    note, = daily.check_factors(goals, problem.asked)
    assert str(note) == ("--data: taobao.orders = 300 a day — is 112.5 times a day of the channel status table, and a "
                         "campaign's factor is at most 100: they are not reached. Correct one of the two.")
    # from below the bound no step leads beyond it
    asked = daily.match_days([record("taobao", rows[0].date, orders=100)], built, goals)
    factor = next(unknown for unknown in fitting.Problem(built, goals, asked).unknowns if unknown.name == "factor")
    assert factor.start == pytest.approx(np.log(37.5)) and factor.high == pytest.approx(np.log(100))
    assert not daily.check_factors(goals, asked)


def test_the_day_lived_many_times_is_the_day_that_follows() -> None:
    plain = market().with_({"calendar.campaigns": [CAMPAIGN], "horizon.days": 30, "population.size": 10_000})
    tasks = [targets.Task(plain, n, ((DAY,),)) for n in range(16)]
    many = targets.observe(tasks, 5, 2)[:, :, len(targets.COUNTED):]
    names = sorted(plain.channels)
    once = [om.run(plain.with_({"horizon.days": 1}), seed=5, replication=n, threads=1).daily.set_index("channel")
            .loc[names, list(targets.DAILY)].to_numpy(float) for n in range(16)]
    error = np.hypot(np.std(once, axis=0, ddof=1), many.std(axis=0, ddof=1)) / 4
    assert (np.abs(np.mean(once, axis=0) - many.mean(axis=0)) <= 4 * error + 1e-9).all()
    assert (many[:, :, 2].std(axis=0) < 0.6 * np.std(once, axis=0)[:, 2]).all()


def tables_of(true: om.Scenario, replications: int) -> BrandTables:
    """The tables that a market shows in the mean of many runs."""
    seen = targets.observe([targets.Task(true, n, ((DAY,),)) for n in range(replications)], 77, 2).mean(axis=0)
    status, days = [], []
    for name, row in zip(sorted(true.channels), seen, strict=True):
        uv, orders, gmv = row[targets.UV], row[targets.ORDERS], row[targets.GMV]
        status.append(ChannelStatus(name, name, uv, orders / uv, gmv / orders, gmv))
        visits, new_users, sold, paid, cost = row[len(targets.COUNTED):]
        days.append(DailyRecord(DAY, name, name, visits, new_users, sold, paid, paid / sold, cost, None, ""))
    return BrandTables(tuple(status), tuple(days))


def test_fit_finds_campaign_and_registration_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "FULL_STEPS", 2)
    monkeypatch.setattr(fitting, "SMALL_STEPS", 3)
    true = market().with_({"calendar.campaigns": [CAMPAIGN], "channels.shelf.registration": 0.45,
                           "channels.shelf.revisit": 0.36})
    away = true.with_({"calendar.campaigns.0.factor": 1.0, "channels.shelf.registration": 0.2,
                       "channels.shelf.revisit": 0.28, "channels.shelf.direct": 5e-3, "channels.group.budget": 99.0})
    fit = calibrate.fit(tables_of(true, 12), scenario=away, seed=3, threads=2, elasticity=0.0)
    # seven orders a day on one channel: luck is larger than what the standard error of four runs can tell
    assert fit.table["deviation_percent"].abs().max() < 12, str(fit)
    assert fit.table["within"].sum() >= len(fit.table) - 3, str(fit)
    fixed = {belief.parameter for belief in fit.beliefs if belief.identified}
    assert "channels.shelf.revisit" in fixed and not fixed & set(fit.unidentified_table["parameter"])
    assert {"day_visits", "day_new_users", "day_orders", "day_cost"} <= set(fit.table["measure"])
    factor = fit.scenario.calendar.campaigns[0].factor
    assert isinstance(factor, dict)
    assert factor["shelf"] == pytest.approx(1.4, rel=0.1)
    assert fit.scenario.channels["shelf"].registration == pytest.approx(0.45, rel=0.1)
    assert fit.scenario.channels["shelf"].revisit == pytest.approx(0.36, rel=0.1)
    assert fit.fitted["calendar.campaigns.0.factor.shelf"] == factor["shelf"]
    assert fit.scenario.channels["group"].budget == pytest.approx(true.channels["group"].budget, abs=1)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_tables_of_a_run_read_as_the_brands(tmp_path: Path, language: str) -> None:
    result = om.run(market().with_({"calendar.campaigns": [CAMPAIGN], "horizon.days": 12, "horizon.warm_up": 90,
                                    "population.size": 5_000}), threads=1)
    small = result.scenario.with_({"channels": {"taobao": result.scenario.channels["shelf"].model_dump(),
                                                "community": result.scenario.channels["group"].model_dump()},
                                   "community.channel": "community", "calendar.campaigns": []})
    result = om.run(small, threads=1)
    result.language = language
    for out in ("a", "b"):
        result.save(tmp_path / out)
    files = [tmp_path / "a" / name for name in ("channel_status.csv", "daily_monitoring.csv")]
    for file in files:
        assert file.read_bytes() == (tmp_path / "b" / file.name).read_bytes()
        assert file.read_bytes().startswith(b"\xef\xbb\xbf")
    tables = read_tables(files)
    assert not tables.warnings
    baseline = result.channels[result.channels["window"] == "baseline"].set_index("channel")
    for row in tables.status:
        assert row.monthly_uv == pytest.approx(baseline.at[row.channel, "monthly_uv"], abs=0.5)
        assert row.monthly_uv * row.cvr * 3 == pytest.approx(baseline.at[row.channel, "orders"], rel=5e-3)
        assert row.gmv * 3 == pytest.approx(baseline.at[row.channel, "gmv"], rel=1e-6)
    seen = result.daily.set_index(["date", "channel"])
    assert len(tables.daily) == len(seen) == 24
    for day in tables.daily:
        row = seen.loc[(np.datetime64(day.date), day.channel)]
        assert (day.visits, day.new_users, day.orders, day.gmv, day.cost) == pytest.approx(
            tuple(row[["visits", "new_users", "orders", "gmv", "cost"]]))
    assert brand_csv.daily_monitoring(small, result.daily, language).count("\n") == 25


def test_how_long_a_campaign_lasts_is_assumed() -> None:
    built = daily.prepare(start.build(BRAND), BRAND.daily)
    asked = daily.match_days(BRAND.daily, built, targets.match(BRAND.status, built))
    length, = campaign_lengths(built, asked)
    assert (length.value, length.low, length.high) == (20, 1, 40)


@pytest.mark.slow
def test_the_brands_day_is_reached_within_three_percent_or_what_is_not_is_named() -> None:
    fit = om.calibrate([SCENARIOS / "brand_status.csv", SCENARIOS / "brand_daily.csv"])
    missed = fit.table[~fit.table["within"]]
    named = {note.what for note in fit.warnings}
    assert len(missed) <= 2 and {f"{row.channel}.{row.measure}" for row in missed.itertuples()} <= named, str(fit)
    assert len(fit.table) == 27
    low, default, high = fit.stances
    assert low.elasticity < default.elasticity < high.elasticity
    assert default.elasticity == pytest.approx(0.12, abs=0.015)
    assert low.margin < default.margin < high.margin
