"""Measured curves: closed forms of a market that is known, the allocator's own sums, honest errors, exact zeros."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from building import channel, scenario, small_brand
from scipy.stats import gamma, ttest_ind

import omnisim as om
from omnisim.market.consumers import ALIVE, S_L
from omnisim.measure.intervals import student
from omnisim.optimise.prepare import Request, prepare
from omnisim.response import EXPONENTIAL, HILL, carry
from omnisim.simulation import finish, warm_up
from omnisim.study.curves import trials
from omnisim.study.curves.curve_fit import design, fit_carryover, fit_curve, fit_echo
from omnisim.study.curves.lasting import _expect_orders
from omnisim.study.curves.measured_curves import MeasuredCurves, measure
from omnisim.study.curves.measuring import Effort, _solve_on, base_of
from omnisim.study.curves.probes import Base, Probe, first_probes, next_probes
from omnisim.study.curves.scenario_plan import Confirmation

DAYS = np.full(4, 7.0)


def clicks(**sections: Any) -> om.Scenario:
    """Every exposure is a visit, a visit is a first order with one chance, and nobody orders twice."""
    shop = channel(budget=30.0, click_share=1.0, intercept=-3.0, order_value=120.0)
    return scenario(**{"channels": {"shop": shop}, "horizon": {"days": 28, "warm_up": 0},
                       "service": {"consult_share": 0},
                       "brand": {"new_customers": 0.0, "age": 0.0, "loop": {"repurchase": False}}} | sections)


def expected_gmv(budget: float, people: int = 20_000, days: int = 28) -> float:
    """Order value × people × E[1 − (1 − p (1 − e^(−ρ θ)))^days] over θ ~ Gamma(0.3) of mean 1."""
    reach = budget * 1000 / 30 / people
    theta = gamma.ppf((np.arange(200_000) + 0.5) / 200_000, 0.3) / 0.3
    daily = -np.expm1(-reach * theta) / (1 + math.exp(3.0))
    return float(120.0 * people * (1 - (1 - daily) ** days).mean())


def tried(subject: om.Scenario, objective: str = "gmv", levels: tuple[float, ...] = (0.0, 15.0, 60.0), *,
          replications: int = 6, seed: int = 1, threads: int = 1, carry_out: bool = False) -> MeasuredCurves:
    days = DAYS[:math.ceil(subject.horizon.days / 7)]
    names = [name for name, one in subject.channels.items() if one.active]
    today = np.array([[subject.channels[name].budget] for name in names]) * np.ones(len(days))
    base = base_of(subject, days, today, carry_out=carry_out, effort=Effort(seed, replications, threads))
    probes = [Probe(c, np.full(len(days), level)) for c in range(len(names)) for level in levels]
    return measure(base, probes, objective)


def little_brand(days: int = 28) -> om.Scenario:
    """The small brand, smaller."""
    return small_brand(horizon={"days": days, "warm_up": 30}).with_({"population.size": 6_000})


def test_effects_are_what_a_known_market_gives() -> None:
    found = tried(clicks())
    truth = np.array([expected_gmv(level) - expected_gmv(30.0) for level in (0.0, 15.0, 60.0)])
    frame = found.effects
    assert (np.abs(frame["effect"] - truth) <= 4 * frame["se"]).all()
    assert (frame["se"] < 0.1 * np.abs(truth)).all()  # shared luck: the errors are small enough to tell
    untried = np.array([22.0, 45.0])
    between = np.array([expected_gmv(level) - expected_gmv(30.0) for level in untried])
    np.testing.assert_allclose(found.line(0, untried), between, atol=4 * float(frame["se"].max()))
    assert found.warnings == ()


def test_standard_errors_cover() -> None:
    subject = clicks(population={"size": 3_000, "renewal": 0.0}, horizon={"days": 14, "warm_up": 0})
    truth = expected_gmv(60.0, 3_000, 14) - expected_gmv(30.0, 3_000, 14)
    inside = []
    for seed in range(40):
        row = tried(subject, levels=(0.0, 60.0), replications=4, seed=100 + seed).effects.iloc[1]
        inside.append(abs(row["effect"] - truth) <= student(3) * row["se"])
    assert sum(inside) >= 33  # of 40 at 95 %: fewer happen once in 800 times


def test_a_plan_like_todays_gains_exactly_nothing() -> None:
    plan = om.allocate(little_brand(), limits={"step": 0.0, "spend_all": True}, replications=3, threads=1)
    assert plan.channels == ("douyin", "taobao", "community")
    np.testing.assert_allclose(plan.spend.sum(axis=1) / 28, [36.0, 90.0, 24.0])
    assert plan.confirmation.gains.tolist() == [0.0] * 3 and plan.confirmation.agrees and len(plan.rounds) == 1
    assert plan.confirmation.predicted == 0.0 and plan.confirmation.predicted_se == 0.0


def test_what_is_predicted_was_run_on_the_luck_of_the_measuring() -> None:
    plan = om.allocate(little_brand(), replications=3, threads=1, rounds=2)
    base, found = plan.measured.base, plan.confirmation
    ours, todays = (base.trials.outcomes([base.plan(spend)])[0] for spend in (plan.spend_a_day, base.today))
    gains = plan.measured.worth(ours, plan.spend_a_day) - base.budget(plan.spend_a_day)
    gains -= plan.measured.worth(todays, base.today) - base.budget(base.today)
    np.testing.assert_allclose(found.expected, gains)
    assert found.predicted == pytest.approx(gains.mean()) and (found.gains != found.expected).any()
    assert found.predicted == max(one.predicted for one in plan.rounds)  # all plans on the same luck
    table = plan.further_tables()["gain"]
    assert table["chosen"].sum() == 1 and table.loc[table["chosen"], "simulated"].item() == found.gain


def test_prediction_and_simulation_agree_within_both_errors() -> None:
    gains, expected = np.array([90.0, 110.0, 100.0, 100.0]), np.array([60.0, 100.0, 80.0, 80.0])
    found = Confirmation(gains, 1000.0, expected, 85.0, "profit")
    assert found.agrees and found.adds_up and found.relative == 0.1
    assert found.predicted_half == pytest.approx(student(3) * expected.std(ddof=1) / 2.0)
    for distance in (15.0, 20.0, 24.0, 25.0, 32.0, 40.0):
        other = Confirmation(gains, 1000.0, expected + 20.0 - distance, 85.0, "profit")
        assert other.agrees is bool(ttest_ind(gains, other.expected, equal_var=False).pvalue > 0.05)
    pooled = math.sqrt((gains.var(ddof=1) + expected.var(ddof=1)) / 2.0) / 2.0  # the same market tells more
    other = Confirmation(gains, 1000.0, expected, 85.0, "profit", gains)
    assert other.predicted_se == pytest.approx(pooled) and other.predicted_half == pytest.approx(student(6) * pooled)
    assert not Confirmation(gains, 1000.0, expected, 95.0, "profit").adds_up  # 15 is more than 2 % and the error
    unmeasured = Confirmation(gains, 1000.0, np.zeros(0), float("nan"), "profit")
    assert not unmeasured.agrees and "predicted" not in str(unmeasured)


def test_threads_change_nothing_and_asking_again_is_instant() -> None:
    subject, samples = little_brand(), []
    for threads in (1, 2):
        trials._TRIALS.clear()
        samples.append(tried(subject, "profit", (0.0, 50.0), replications=3, threads=threads).samples)
    np.testing.assert_array_equal(*samples)
    kept = next(reversed(trials._TRIALS.values()))
    told: list[int] = []
    plans = [om.Plan((0,), dict.fromkeys(kept.names, (0,)))]
    kept.outcomes(plans, lambda: told.append(1))
    again = kept.outcomes(plans * 2, lambda: told.append(1))
    assert len(told) == 3 and again[0] is again[1]


@pytest.mark.parametrize(("objective", "carry_out"), [("profit", True), ("gmv", False), ("equity", True)])
def test_the_allocator_sums_up_what_was_fitted(objective: str, carry_out: bool) -> None:
    found = tried(little_brand(), objective, (0.0, 20.0, 70.0), replications=3,
                  carry_out=carry_out)
    days, today = found.base.days, found.base.today * found.base.days
    problem = prepare(found.table(), Request(1e6, days, objective, today=today, carry_out=carry_out))  # type: ignore[arg-type]
    width = problem.shape[1] - len(days)

    def before(spend: np.ndarray) -> float:
        whole = np.pad(spend, ((0, 0), (0, width)))
        return problem.value(whole) + float((problem.charge * whole).sum())

    for c in found.measured:
        for k, fitted in zip(found.of(c), found.fits[c].fitted, strict=True):
            spend = today.copy()
            spend[c] = found.probes[k].path * days
            assert before(spend) - before(today) == pytest.approx(fitted, rel=1e-3, abs=1e-3)


@pytest.mark.parametrize(("form", "half", "theta"), [(HILL, 900.0, 0.0), (EXPONENTIAL, 1500.0, 0.6), (HILL, 4e4, 0.8)])
def test_a_curve_is_recovered(form: int, half: float, theta: float) -> None:
    days, levels = np.full(26, 7.0), np.array([1200.0, 0.0, 600.0, 1800.0, 2400.0])
    season = 1.0 + 0.3 * (np.arange(26) < 3)
    paths = np.repeat(levels[:, None], 26, axis=1)
    made = design(paths, theta, 1200.0, days, season, 9 if theta else 0)
    ratio = made.stock / half
    reply = ratio / (1 + ratio) if form == HILL else -np.expm1(-ratio)
    totals = 5000.0 * (reply * made.weight).sum(axis=1)
    effects = totals[1:] - totals[0]
    fit = fit_curve(made, effects, 0.01 * np.abs(effects))
    assert fit.likelihood > 0.9
    np.testing.assert_allclose(fit.fitted, effects, rtol=5e-3)
    if half < 2400.0:  # far below its half every curve is a line
        assert fit.form == form
        assert fit.half == pytest.approx(half, rel=0.04) and fit.scale == pytest.approx(5000.0, rel=0.03)


def test_an_s_shape_is_found_only_where_it_is() -> None:
    days, levels = np.full(10, 7.0), np.array([500.0, 0.0, 250.0, 1000.0, 1500.0, 2000.0])
    made = design(np.repeat(levels[:, None], 10, axis=1), 0.3, 500.0, days, np.ones(10), 4)

    def effects(shape: float) -> np.ndarray:
        power = (made.stock / 900.0) ** shape
        totals = (power / (1 + power) * made.weight).sum(axis=1)
        return np.asarray(totals[1:] - totals[0])

    sharp = effects(3.0)
    assert fit_curve(made, sharp, 0.01 * np.abs(sharp)).shape == 3.0
    assert fit_curve(made, sharp, 0.5 * np.abs(sharp)).shape == 1.0  # within such errors nobody can tell
    assert fit_curve(made, effects(1.0), 0.01 * np.abs(sharp)).shape == 1.0
    assert fit_curve(made, -effects(1.0), 0.01 * np.abs(sharp)).scale == 0.0


@pytest.mark.parametrize("half_life", [1.0, 7.0, 30.0])
def test_carry_over_is_read_from_how_effects_build_up(half_life: float) -> None:
    theta = 0.5 ** (1 / half_life)
    stock, seen = 0.0, []
    for day in range(150):
        stock = (1.0 if day < 84 else 0.0) + theta * stock
        seen.append(stock)
    noise = np.random.default_rng(1).normal(0.0, 0.02 * max(seen), (2, 150))
    found = fit_carryover(np.outer([-1.0, 2.0], seen) + noise, np.ones(150), 84)
    assert math.log(0.5) / math.log(found) == pytest.approx(half_life, rel=0.1)


@pytest.mark.parametrize(("size", "delay"), [(0.0, 60.0), (0.8, 120.0), (1.5, 480.0)])
def test_what_follows_from_an_order_is_read_from_how_sales_build_up(size: float, delay: float) -> None:
    days, spent = 300, np.array([[-1.0], [2.0]]) * (np.arange(300) < 240)
    season = 1.0 + 0.4 * (np.arange(days) < 20)
    pressure = carry(spent, np.full(2, 0.9), np.zeros(2))
    bought = [pressure[:, 0] * season[0]]
    for day in range(1, days):  # a yuan sold on a day brings size / delay a day at first, and ever less
        later = size / delay * np.exp(-(day - np.arange(day)) / delay)
        bought.append(season[day] * (pressure[:, day] + pressure[:, :day] * season[:day] @ later))
    noise = np.random.default_rng(1).normal(0.0, 1.0, (2, days))
    found = fit_echo(30.0 * np.array(bought).T + noise, np.asarray(pressure), season)
    truth = [1.0 + size / delay * (np.exp(-np.arange(1, days - day) / delay) * season[day + 1:]).sum()
             for day in range(days)]
    np.testing.assert_allclose(found, truth, rtol=0.02)
    assert found[-1] == 1.0


def test_what_customers_will_still_buy() -> None:
    brand = {"new_customers": 600.0, "age": 1.0, "loop": {"repurchase": True}}
    subject = scenario(horizon={"days": 200, "warm_up": 0}, brand=brand)
    gaps = []
    for replication in range(24):
        world = warm_up(subject, 1, replication, threads=1, orders="none")
        expected = _expect_orders(world.market.consumers, world.market.rules, 200.0, 1e-12).sum()
        books = finish(world, threads=1)
        orders = _orders(books)
        gaps.append(orders - expected)
    gap = np.array(gaps)
    assert abs(gap.mean()) <= 4 * gap.std(ddof=1) / math.sqrt(24)
    assert gap.std(ddof=1) < 0.1 * expected


def test_nothing_is_expected_of_those_who_are_lost() -> None:
    brand = {"new_customers": 600.0, "age": 1.0, "repurchase": {"dormant_after": 20, "lost_after": 20}}
    world = warm_up(scenario(horizon={"days": 10, "warm_up": 0}, brand=brand), 1, 0, threads=1, orders="none")
    people = world.market.consumers.people
    all_live = _expect_orders(world.market.consumers, world.market.rules, 200.0, 1e-12).sum()
    lost = people["stage"] == S_L
    assert (lost & (people["flags"] & ALIVE > 0)).any()
    people["flags"][lost] &= ~np.uint8(ALIVE)
    assert _expect_orders(world.market.consumers, world.market.rules, 200.0, 1e-12).sum() == all_live > 0


def _orders(books: Any) -> int:
    from omnisim.books import MEASURE

    return int(books.daily[:, :, MEASURE["orders"]].sum())


def test_a_seeding_channels_return_is_all_spill_over() -> None:
    plan = om.allocate(little_brand(), limits={"channels": {"xiaohongshu": {"cap": 60.0}}}, replications=3, threads=1,
                       rounds=1)
    table = plan.spill_over
    assert table is not None and "xiaohongshu" not in set(table["appears_in"])
    np.testing.assert_allclose(table.groupby("channel")["share"].sum(), 1.0)
    assert (table["share_se"] >= 0).all() and set(table["channel"]) == set(plan.channels)


def test_a_plan_says_how_it_was_confirmed_and_what_is_noise(tmp_path: Any) -> None:
    plan = om.allocate(little_brand(), replications=3, threads=1, rounds=1)
    assert "gain of the brand's profit before content, labour and fixed fees, 28 days and 91 after them" in repr(plan)
    assert "simulated on fresh luck" in repr(plan) and f"of today's {plan.confirmation.today:,.0f}" in repr(plan)
    assert "predicted" in repr(plan)
    other = plan.confirm(3)
    assert other.gains.shape == (3,) and (other.gains != plan.confirmation.gains).any()
    plan.save(tmp_path / "plan")
    written = {path.name for path in (tmp_path / "plan").iterdir()}
    assert {"plan.yaml", "curves.csv", "effects.csv", "spill_over.csv", "gain.csv"} <= written
    for axes in (plan.plot_effects(), plan.plot_effects("zh"), plan.plot_spill_over("zh")):
        assert axes._repr_png_().startswith(b"\x89PNG")  # type: ignore[attr-defined]
    quiet = om.allocate(scenario(channels={"shop": channel(budget=10.0)}), replications=3, threads=1)
    assert "is within noise" in str(quiet.warnings[0]) and quiet.spend.sum() == 0.0
    with pytest.raises(om.UsageError, match="replications = 2"):
        om.allocate(little_brand(), replications=2)


def test_draws_have_the_spread_of_the_mean_and_serve_risk() -> None:
    found = tried(clicks(), levels=(0.0, 15.0, 60.0))
    means = found.weights @ found.samples
    np.testing.assert_allclose(means.std(axis=0), found.effects["se"], rtol=0.15)
    np.testing.assert_allclose(found.weights.sum(axis=1), 1.0)
    assert len(found.table(draws=True).draws) == 200
    plan = om.allocate(clicks(), objective="gmv", risk=0.1, replications=3, threads=1, rounds=1)
    assert plan.solution.method == "draws" and plan.outcomes is not None and plan.confirmation is not None


def test_risk_is_planned_on_concave_curves() -> None:
    found = tried(clicks(), levels=(0.0, 60.0), replications=3)
    found.__dict__["fits"] = {c: replace(fit, shape=2.0) for c, fit in found.fits.items()}
    assert len(found.table(draws=True).draws) == 1  # an S-shaped curve has none
    concave, draws = _solve_on(found, lambda table: len(table.draws), draws=True)  # type: ignore[arg-type,return-value]
    assert draws == 200 and not concave.s_shaped


def test_probes_are_apart_and_within_the_top() -> None:
    subject = small_brand()
    today = np.array([[0.0], [36.0], [90.0], [24.0]]) * np.ones(4)
    base = base_of(subject, DAYS, today, carry_out=False, effort=Effort(1, 3))
    first = first_probes(base, np.array([30.0, 72.0, 0.0, 75.0]))
    assert [float(probe.path[0]) for probe in first if probe.channel == 0] == [7.5, 15.0, 30.0]
    assert [float(probe.path[0]) for probe in first if probe.channel == 1] == [0.0, 18.0, 72.0]
    assert not any(probe.channel == 2 for probe in first)
    around = Base(subject, base.trials, DAYS, today, today * np.array([0.5, 1.0, 1.5, 2.0]))
    for probe in next_probes(around, np.full(4, 80.0)):
        assert np.abs(probe.path - around.around[probe.channel]).max() > 0.0
