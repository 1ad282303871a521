"""Tables and figures, against hand-made examples, closed forms and each other."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import make_books, make_scenario

from omnisim.books import GROUPS, LINES, MEASURE, MEASURES, ORDER_DTYPE
from omnisim.measure import intervals
from omnisim.measure.brand import channel_status, daily_monitoring, in_words, plain
from omnisim.measure.cohorts import private_repeat_rate, repeat_rate, value_12_months
from omnisim.measure.journeys import OTHER, SHOWN, path_name
from omnisim.measure.kpis import OF_STATE, OF_TOTALS, kpis
from omnisim.measure.profit import STATEMENT, figures, sums
from omnisim.measure.tables import TABLES, daily
from omnisim.measure.windows import Window, ratio
from omnisim.vocabulary import COLUMNS, KPI_ZH, STATE_NAMES

SCENARIO = make_scenario()
BOOKS = make_books(SCENARIO)
FRAMES = {name: table(SCENARIO, BOOKS) for name, table in TABLES.items()}
CHANNELS = list(SCENARIO.channels)


# --- tables

def test_every_column_is_in_the_vocabulary() -> None:
    named = {column for frame in [*FRAMES.values(), kpis(SCENARIO, [BOOKS])] for column in frame.columns}
    assert named <= set(COLUMNS)
    assert set(COLUMNS) <= named
    assert all(column.meaning and column.zh for column in COLUMNS.values())


def test_daily_shows_the_reported_days_in_the_order_of_the_file() -> None:
    frame = FRAMES["daily"]
    assert len(frame) == 60 * 4
    assert list(frame["channel"][:4]) == CHANNELS
    assert frame["date"].iloc[0] == pd.Timestamp("2024-06-01")
    assert frame["date"].iloc[-1] == pd.Timestamp("2024-07-30")
    for name in ("visits", "orders", "unique_visitors", "lost_units"):
        assert frame[name].sum() == BOOKS.daily[100:, :, MEASURE[name]].sum()


def test_daily_can_show_the_warm_up() -> None:
    frame = daily(SCENARIO, BOOKS, Window("past", 0, 100))
    assert frame["date"].iloc[0] == pd.Timestamp("2024-02-22")
    assert frame["visits"].sum() == BOOKS.daily[:100, :, MEASURE["visits"]].sum()


def test_ratios_are_null_where_nothing_was_spent() -> None:
    frame = FRAMES["daily"]
    free = frame[frame["channel"] == "xiaohongshu"]
    assert (free["cost"] == 0).all()
    assert free[["roi", "roi_profit", "cac", "cost_per_new_user"]].isna().all(axis=None)
    paid = frame[(frame["channel"] == "taobao") & (frame["new_users"] > 0)]
    assert np.allclose(paid["roi"], paid["gmv"] / paid["cost"])
    assert np.allclose(paid["cost_per_new_user"], paid["cost"] / paid["new_users"])
    assert np.allclose(frame["cost"], -(frame["media"] + frame["content"] + frame["labour"]))


def test_campaigns_are_noted_on_their_channels_and_days() -> None:
    noted = FRAMES["daily"][FRAMES["daily"]["note"] != ""]
    assert set(noted["channel"]) == {"douyin", "taobao"}
    assert len(noted) == 2 * 18
    assert noted["date"].max() == pd.Timestamp("2024-06-18")


def test_channels_counts_visitors_over_whole_blocks() -> None:
    frame = FRAMES["channels"].set_index(["window", "channel"])
    unique = BOOKS.daily[:, :, MEASURE["unique_visitors"]]
    for c, name in enumerate(CHANNELS):
        base, run = frame.loc[("baseline", name)], frame.loc[("run", name)]
        assert base["days"] == 90
        assert base["monthly_uv"] == pytest.approx(unique[10:100, c].sum() / 3)
        assert run["monthly_uv"] == pytest.approx(unique[100:160, c].sum() / 2)
        assert run["cvr"] == pytest.approx(run["orders"] / 60 * 30 / run["monthly_uv"])
        assert run["gmv"] == pytest.approx(FRAMES["daily"].query("channel == @name")["gmv"].sum())


def test_a_window_without_a_whole_block_has_no_visitors_a_month() -> None:
    scenario = make_scenario(days=20, warm_up=0)
    frame = TABLES["channels"](scenario, make_books(scenario))
    assert frame["monthly_uv"].isna().all()
    assert list(frame["window"]) == ["baseline"] * 4 + ["run"] * 4
    assert (frame["days"] == [0] * 4 + [20] * 4).all()


def test_inactive_channels_are_not_shown() -> None:
    scenario = make_scenario()
    off = scenario.channels["douyin"].model_copy(update={"active": False})
    scenario = scenario.model_copy(update={"channels": {**scenario.channels, "douyin": off}})
    assert "douyin" not in set(TABLES["daily"](scenario, BOOKS)["channel"])
    assert len(TABLES["flows"](scenario, BOOKS)) == 9


def test_every_row_of_stages_sums_to_the_population() -> None:
    assert (FRAMES["stages"][list(STATE_NAMES)].sum(axis=1) == SCENARIO.population.size).all()


def test_transitions_cover_months_and_moves() -> None:
    frame = FRAMES["transitions"]
    assert list(frame["month"].unique()) == ["2024-06", "2024-07"]
    assert frame["id"].nunique() == 39
    assert frame["count"].sum() == BOOKS.transitions[100:].sum()
    assert frame.query("month == '2024-06' and id == 't01'")["count"].item() == BOOKS.transitions[100:130, 0].sum()


def test_flow_shares_sum_to_one_or_are_null() -> None:
    frame = FRAMES["flows"]
    shares = frame.groupby("from_channel")["share"].sum(min_count=1)
    assert np.allclose(shares.drop("taobao"), 1)
    assert frame[frame["from_channel"] == "taobao"]["share"].isna().all()


def test_journeys_hold_every_order() -> None:
    frame = FRAMES["journeys"]
    assert frame["orders"].sum() == FRAMES["daily"]["orders"].sum()
    assert frame["gmv"].sum() == pytest.approx(FRAMES["daily"]["gmv"].sum())
    assert frame["path"].is_unique
    assert (frame["orders"].diff().dropna() <= 0).all()


def test_paths_are_read_from_the_first_touch_on() -> None:
    assert path_name((1 << 10) | (3 << 5) | 2, CHANNELS) == "xiaohongshu > taobao > douyin"
    assert path_name(0, CHANNELS) == "none"


def test_rare_journeys_are_summed_as_other() -> None:
    n = SHOWN + 50
    paths = np.arange(1, n + 1)
    counts = np.stack([np.full(n, 2), np.ones(n, int), np.full(n, 100)], axis=1)
    scenario = make_scenario()
    names = {f"c{k}": scenario.channels["taobao"] for k in range(31)}
    many = scenario.model_copy(update={"channels": names})
    frame = TABLES["journeys"](many, replace(BOOKS, paths=paths.astype(np.uint32), path_counts=counts))
    assert len(frame) == SHOWN + 1
    assert frame["path"].iloc[-1] == OTHER
    assert frame["orders"].sum() == n
    assert frame["gmv"].iloc[-1] == 50.0


def test_the_cohort_triangle_sums_to_the_orders() -> None:
    frame = FRAMES["cohorts"]
    assert frame["orders"].sum() == FRAMES["daily"]["orders"].sum()
    assert frame["gmv"].sum() == pytest.approx(FRAMES["daily"]["gmv"].sum())
    assert frame[frame["age"] == 0]["buyers"].sum() == FRAMES["daily"]["new_customers"].sum()
    assert (frame["active"] <= frame["buyers"]).all()
    assert (frame["active"] <= frame["orders"]).all()
    assert list(frame[frame["cohort"] == "2024-05"]["age"]) == [1, 2]
    complete = frame.set_index(["cohort", "age"])["complete"]
    assert complete.loc[[("2024-02", 4), ("2024-06", 0), ("2024-06", 1)]].tolist() == [True, True, False]


def test_order_lines_carry_dates_and_names() -> None:
    frame = FRAMES["orders"]
    assert len(frame) == FRAMES["daily"]["orders"].sum()
    assert frame["date"].min() >= pd.Timestamp("2024-06-01")
    assert (frame["delivered"].dropna() - frame["date"] == pd.Timedelta(days=3)).sum() == frame["delivered"].count()
    assert frame["delivered"].isna().any()  # still on the way when the run ends
    assert frame["returned"].isna().sum() == len(frame) - FRAMES["daily"]["returned_lines"].sum()
    assert (frame["price"] * frame["quantity"]).sum() == pytest.approx(FRAMES["daily"]["gmv"].sum())


def test_decisions_are_told_as_json() -> None:
    frame = FRAMES["decisions"]
    assert json.loads(frame["saw"].iloc[1]) == {"profit": 10.5}
    assert frame["date"].iloc[1] == pd.Timestamp("2024-06-08")
    assert len(TABLES["decisions"](SCENARIO, replace(BOOKS, decisions=[]))) == 0
    told = replace(BOOKS, decisions=[{"day": 0, "policy": "inertia", "saw": "the plan", "changed": "nothing"}])
    assert TABLES["decisions"](SCENARIO, told)["changed"].item() == "nothing"


@pytest.mark.parametrize("days", [0, 1, 31])
def test_tables_of_a_run_under_way(days: int) -> None:
    so_far = replace(BOOKS, days=days, decisions=[], orders=BOOKS.orders[:0], paths=BOOKS.paths[:0],
                     path_counts=BOOKS.path_counts[:0],
                     **{name: getattr(BOOKS, name)[:100 + days]
                        for name in ("daily", "stages", "transitions", "stock")})
    for name, table in TABLES.items():
        frame = table(SCENARIO, so_far)
        assert list(frame.columns) == list(FRAMES[name].columns)
        assert (frame.dtypes == FRAMES[name].dtypes).all(), name
    assert len(TABLES["daily"](SCENARIO, so_far)) == 4 * days


def test_segments_share_the_orders() -> None:
    assert FRAMES["segments"]["orders"].sum() == FRAMES["daily"]["orders"].sum()
    assert FRAMES["segments"]["share"].sum() == pytest.approx(1)


# --- profit and loss

def test_profit_is_gmv_plus_its_lines_to_the_cent() -> None:
    frame = FRAMES["channels"]
    cents = (frame[["gmv", *LINES, "profit"]] * 100).round().astype("int64")
    assert (cents["gmv"] + cents[list(LINES)].sum(axis=1) == cents["profit"]).all()


@given(st.lists(st.integers(-10**14, 10**14), min_size=len(STATEMENT), max_size=len(STATEMENT)))
def test_any_statement_sums_to_the_cent(amounts: list[int]) -> None:
    tallies = np.zeros(len(MEASURES), np.int64)
    tallies[[MEASURE[name] for name in STATEMENT]] = amounts
    assert int(sums(tallies)["profit"]) == sum(amounts)
    assert round(float(figures(tallies)["profit"]) * 100) == sum(amounts)


# --- intervals

def test_jackknife_of_a_sum_is_the_classical_interval() -> None:
    groups = np.random.default_rng(1).integers(50, 150, (20, 1))
    total = groups.sum(axis=0) + 7  # 7 belong to no group
    left_out = intervals.leave_one_out(total, groups)
    found = intervals.jackknife(float(total[0]), left_out[:, 0].tolist())
    half = intervals.T19 * 20**0.5 * float(groups.std(ddof=1))
    assert found.low == pytest.approx(total[0] - half)
    assert found.high == pytest.approx(total[0] + half)
    assert left_out.mean() == pytest.approx(total[0])


def test_jackknife_covers_the_truth_of_a_ratio() -> None:
    luck = np.random.default_rng(2)
    hits, runs = 0, 800
    for _ in range(runs):
        visits = luck.poisson(400, 20)
        orders = luck.binomial(visits, 0.05)
        groups = np.stack([orders, visits], axis=1)
        total = groups.sum(axis=0)
        found = intervals.over_groups(lambda t: t[0] / t[1], total, list(intervals.leave_one_out(total, groups)))
        hits += found.low <= 0.05 <= found.high
    assert abs(hits / runs - 0.95) < 4 * (0.95 * 0.05 / runs) ** 0.5


def test_jackknife_without_spread_or_data_gives_no_interval() -> None:
    assert intervals.jackknife(5.0, [5.0] * 20).method.startswith("none")
    assert np.isnan(intervals.jackknife(float("nan"), [5.0] * 20).low)


def test_seeds_give_students_interval() -> None:
    found = intervals.over_seeds([1.0, 2.0, 3.0])
    assert found.value == 2
    assert found.high - 2 == pytest.approx(4.302652729911275 / 3**0.5)
    assert "3 replications" in found.method


def test_wilson_interval_against_a_published_example() -> None:
    # Newcombe (1998): 81 of 263 gives 0.2553 to 0.3662
    found = intervals.wilson(81, 263)
    assert (found.low, found.high) == (pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4))
    assert intervals.wilson(810, 2630, scale=10).low == pytest.approx(found.low)


# --- repeat rate

def test_repeat_rate_is_kaplan_meiers_for_customers_seen_from_the_start() -> None:
    # 5 customers of day 0: second orders after 2, 2 and 5 days; one seen for 3 days only, one never
    second = np.array([[0, 2, 2], [0, 5, 1], [7, -1, 1], [0, -1, 1]])
    found = repeat_rate(second, (0, 11), within=6)
    survival = (1 - 2 / 5) * (1 - 1 / 2)
    spread = survival * (2 / (5 * 3) + 1 / (2 * 1)) ** 0.5
    assert found.value == pytest.approx(1 - survival)
    assert found.low == pytest.approx(max(0, 1 - survival - 1.959964 * spread))


def test_private_repeat_rate_counts_the_next_order_wherever_it_is() -> None:
    orders = [(1, 0, 5), (1, 2, 40), (2, 2, 5), (2, 0, 40), (3, 2, 5), (4, 2, 5), (4, 2, 99), (5, 2, 95), (5, 0, 96)]
    lines = np.zeros(len(orders), ORDER_DTYPE)
    for n, (consumer, channel, day) in enumerate(orders):
        lines[n]["order_id"], lines[n]["consumer"], lines[n]["channel"], lines[n]["day"] = n, consumer, channel, day
    # 1 has no order after the one on the channel; 2 comes back elsewhere; 4 too late; 5 ordered too late to be seen
    assert private_repeat_rate(lines, 2, 100, within=50) == (1, 4)
    assert private_repeat_rate(lines[:0], 2, 100, within=50) == (0, 0)


def test_repeat_rate_counts_earlier_customers_from_the_window_on() -> None:
    # first orders on day 0, window from day 4: whoever ordered again before it was never at risk in it
    second = np.array([[0, 2, 3], [0, 6, 1], [0, -1, 1], [4, 1, 1], [4, -1, 1]])
    found = repeat_rate(second, (4, 12), within=7)
    assert found.value == pytest.approx(1 - (1 - 1 / 2) * (1 - 1 / 3))


def test_repeat_rate_recovers_a_geometric_hazard() -> None:
    luck = np.random.default_rng(3)
    first = luck.integers(0, 600, 40_000)
    gap = luck.geometric(0.002, 40_000)
    second = np.stack([first, np.where(first + gap < 600, gap, -1), np.ones(40_000, np.int64)], axis=1)
    found = repeat_rate(second, (200, 600), within=365)
    truth = 1 - 0.998**365
    assert abs(found.value - truth) < 2 * (found.high - found.low)
    assert found.high - found.low < 0.03
    assert np.isnan(repeat_rate(second, (500, 600), within=700).value)


def test_twelve_month_value_adds_the_ages_of_whole_months() -> None:
    rows = [("2024-01", age, 10, 100.0 if age == 0 else 10.0, True) for age in range(12)]
    rows += [("2023-12", age, 10, 1e6, False) for age in range(12)]  # cut months tell nothing
    frame = pd.DataFrame(rows, columns=["cohort", "age", "buyers", "gmv", "complete"])
    assert value_12_months(frame) == pytest.approx(10 + 11 * 1)
    assert np.isnan(value_12_months(frame[frame["age"] < 11]))


# --- figures

def test_figures_have_unit_formula_interval_and_a_chinese_name() -> None:
    frame = kpis(SCENARIO, [BOOKS])
    assert len(frame) == len(OF_TOTALS) + len(OF_STATE) >= 20
    assert frame["kpi"].is_unique
    assert set(frame["kpi"]) == set(KPI_ZH)
    assert (frame[["unit", "formula", "interval"]] != "").all(axis=None)
    assert not frame["unit"].str.contains("currency").any()
    assert frame["interval"].str.startswith("jackknife (20").sum() >= 20


def test_figures_agree_with_the_tables() -> None:
    value = kpis(SCENARIO, [BOOKS]).set_index("kpi")["value"]
    days = FRAMES["daily"]
    assert value["gmv"] == pytest.approx(days["gmv"].sum())
    assert value["profit"] == pytest.approx(FRAMES["channels"].query("window == 'run'")["profit"].sum())
    assert value["monthly_uv"] == pytest.approx(FRAMES["channels"].query("window == 'run'")["monthly_uv"].sum())
    assert value["roi"] == pytest.approx(days["gmv"].sum() / days["cost"].sum())
    assert value["unspent_budget"] == pytest.approx(0.1 * 5000 * 60)
    assert value["private_members"] == BOOKS.daily[:, :, MEASURE["joins"]].sum() \
        - BOOKS.daily[:, :, MEASURE["leaves"]].sum()


def test_the_three_steps_multiply_to_the_overall_rate() -> None:
    value = kpis(SCENARIO, [BOOKS]).set_index("kpi")["value"]
    product = value["seed_rate"] * value["convert_rate"] * value["retain_rate"]
    assert product == pytest.approx(value["path_rate"], rel=1e-9)


def test_several_replications_are_told_by_their_seeds() -> None:
    runs = [make_books(SCENARIO, seed) for seed in (1, 2, 3)]
    each = [kpis(SCENARIO, [run]).set_index("kpi").loc["orders", "value"] for run in runs]
    row = kpis(SCENARIO, runs).set_index("kpi").loc["orders"]
    assert row["value"] == pytest.approx(np.mean(each))
    assert row["interval"] == "seeds (3 replications)"


def test_groups_of_the_books_sum_to_their_days() -> None:
    own = [k for k, name in enumerate(MEASURES) if name not in ("budget", "media", "content", "labour", "fixed")]
    assert (BOOKS.groups.sum(axis=0)[:, own] == BOOKS.daily[100:].sum(axis=0)[:, own]).all()
    assert len(BOOKS.groups) == GROUPS


# --- the brand's tables

def test_channel_status_is_a_month_of_the_baseline() -> None:
    text = channel_status(SCENARIO, [FRAMES["channels"]], "zh")
    lines = text.splitlines()
    assert lines[0].startswith("渠道名称,渠道英文名,覆盖平台")
    assert len(lines) == 5
    row = dict(zip(lines[0].split(","), lines[3].split(","), strict=True))
    base = FRAMES["channels"].query("window == 'baseline' and channel == 'taobao'").iloc[0]
    assert (row["渠道名称"], row["渠道英文名"]) == ("淘宝店铺", "taobao")
    assert float(row["GMV贡献(元)"]) == pytest.approx(base["gmv"] / 3, abs=0.01)
    assert float(row["转化率"]) == pytest.approx(base["cvr"], abs=1e-5)
    assert row["评估得分(1-5分)"] == ""


def test_daily_monitoring_divides_exactly() -> None:
    lines = daily_monitoring(SCENARIO, FRAMES["daily"]).splitlines()
    assert lines[0].split(",")[8:10] == ["channel_cost_cny", "roi_gmv_over_cost"]
    first = lines[2].split(",")
    assert first[:3] == ["2024-06-01", "抖音内容", "douyin"]
    assert first[10] == "618"
    assert lines[1].split(",")[9:11] == ["", "—"]
    assert len(lines) == 1 + 240


def test_headers_name_the_currency() -> None:
    scenario = make_scenario(currency="USD")
    assert "gmv_usd" in channel_status(scenario, [FRAMES["channels"]]).splitlines()[0]


def test_numbers_are_printed_plainly() -> None:
    assert [plain(50_000, 0), plain(0.021, 5), plain(120.5, 2)] == ["50000", "0.021", "120.5"]
    assert plain(float("nan"), 2) == ""
    assert [in_words(126_000), in_words(420_000), in_words(9_000)] == ["12.6万", "42万", "9000"]


def test_ratio_is_null_without_a_divisor() -> None:
    assert np.isnan(ratio(1, 0))
    assert ratio([1, 2], [2, 0])[0] == 0.5


def test_the_brands_day_has_its_ratios() -> None:
    """The daily monitoring table of 2024-06-01: ROI 4.5, 6.3, 15.3 and 7.308 together; 3.75, 6.25, 9.41 a new user."""
    day = [(320, 45, 5400, 1200), (480, 126, 18900, 3000), (85, 68, 12240, 800)]
    tallies = np.zeros((4, len(MEASURES)), np.int64)
    for place, (new_users, orders, gmv, cost) in enumerate(day):
        for name, value in (("new_users", new_users), ("orders", orders), ("gmv", 100 * gmv), ("media", -100 * cost)):
            tallies[place, MEASURE[name]] = value
    tallies[3] = tallies[:3].sum(axis=0)
    found = figures(tallies)
    np.testing.assert_allclose(found["roi"], [4.5, 6.3, 15.3, 7.308], rtol=1e-12)
    np.testing.assert_allclose(found["cost_per_new_user"][:3], [3.75, 6.25, 800 / 85], rtol=1e-12)
    np.testing.assert_allclose(found["aov"][:3], [120, 150, 180], rtol=1e-12)
