"""Each policy's rule on tables made by hand."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from omnisim.errors import UsageError
from omnisim.plan import Observation, Plan, Policy
from omnisim.policies import POLICIES, find_policy
from omnisim.policies.bandit import Bandit
from omnisim.policies.levels import Levels, stretches
from omnisim.policies.pause import Pause
from omnisim.policies.programme import Once, Rolling
from omnisim.policies.shares import Equal, LastClick, Returns
from omnisim.policies.splitting import split
from omnisim.policies.tiers import Ranking, Tiers
from omnisim.study.curves.search import climb, moves
from tests.building import channel, scenario

COLUMNS = {"visits": 1000, "orders": 10, "clicks": 100, "impressions": 10_000, "gmv": 1000.0, "media": 100.0,
           "cost": 100.0, "contribution": 400.0}


def observe(figures: dict[str, dict[str, float]], *, budgets: dict[str, int] | None = None, day: int = 0,
            days: int = 90, journeys: pd.DataFrame | None = None) -> Observation:
    """An observation whose history is the same every day."""
    dates = pd.date_range("2024-03-03", periods=days)
    names = list(figures)
    history = pd.DataFrame([{"date": date, "channel": name, **COLUMNS, **figures[name]} for date in dates
                            for name in names])

    def read(table: str) -> pd.DataFrame:
        if table == "journeys":
            if journeys is None:
                raise UsageError
            return journeys
        return history

    budgets = budgets or dict.fromkeys(names, 10_000)
    return Observation(day, Plan(), read, budgets, luck=1)


def cents(plan: Plan | None) -> dict[str, int]:
    assert plan is not None
    return {name: figures[0] for name, figures in plan.budgets.items()}


def test_split_sums_to_the_cent_and_ties_go_to_the_first() -> None:
    assert split(100, {"a": 1.0, "b": 1.0, "c": 1.0}) == {"a": 34, "b": 33, "c": 33}
    assert split(100, {"a": float("nan"), "b": 2.0, "c": -1.0}) == {"a": 0, "b": 100, "c": 0}
    assert split(100, {"a": 0.0}) == {"a": 0}
    luck = np.random.default_rng(1)
    for _ in range(50):
        weights = {str(k): w for k, w in enumerate(luck.exponential(size=7))}
        assert sum(split(12_345_677, weights).values()) == 12_345_677


def test_equal_and_roi() -> None:
    three = {"a": {}, "b": {"gmv": 3000.0}, "c": {"cost": 0.0, "media": 0.0}}
    assert cents(Equal().review(observe(three, budgets={"a": 6000, "b": 0, "c": 3000}))) == dict.fromkeys("abc", 3000)
    assert Equal().review(observe(three)) is None
    assert cents(Returns().review(observe(three))) == {"a": 7500, "b": 22_500, "c": 0}


def test_last_click_reads_the_last_touch() -> None:
    paths = pd.DataFrame({"path": ["a > b", "b", "a > b > a", "none"], "gmv": [100.0, 200.0, 100.0, 50.0]})
    seen = observe({"a": {}, "b": {}}, journeys=paths)
    assert cents(LastClick().review(seen)) == {"a": 5000, "b": 15_000}
    assert LastClick().review(observe({"a": {}, "b": {}})) is None  # no right to see journeys


def test_sixty_thirty_ten() -> None:
    """Of 5,000: 3,000, 1,500 and 500."""
    seen = observe({"small": {"gmv": 1.0}, "large": {"gmv": 9.0}, "middle": {"gmv": 5.0}},
                   budgets={"small": 500_000, "large": 0, "middle": 0})
    assert cents(Tiers().review(seen)) == {"large": 300_000, "middle": 150_000, "small": 50_000}
    later = observe({"a": {}, "b": {}, "c": {}}, day=7)
    assert Tiers().review(later) is None
    four = cents(Tiers().review(observe({name: {"gmv": 9.0 - k} for k, name in enumerate("abcd")})))
    assert four == {"a": 24_000, "b": 12_000, "c": 2000, "d": 2000}


def test_ranking_follows_its_weights_and_keeps_ties_in_order() -> None:
    figures = {"a": {"gmv": 5000.0}, "b": {"contribution": 900.0}, "c": {}}
    seen = observe(figures)
    assert list(Ranking(1.0, 0.0, 0.0).scores(seen).values()) == [1.0, 0.0, 0.0]
    assert list(Ranking(0.0, 1.0, 0.0).scores(seen).values()) == [0.0, 1.0, 0.0]
    by_value = cents(Ranking(0.4, 0.6, 0.0).review(seen))
    assert (by_value["b"], by_value["a"]) == (18_000, 9000)
    by_return = cents(Ranking(0.6, 0.4, 0.0).review(seen))
    assert (by_return["a"], by_return["b"]) == (18_000, 9000)
    alike = observe({"z": {}, "y": {}, "x": {}})
    assert cents(Ranking().review(alike)) == {"z": 18_000, "y": 9000, "x": 3000}


def test_ranking_sees_growth() -> None:
    seen = observe({"a": {}, "b": {}})
    history = seen.history
    history.loc[(history["channel"] == "b") & (history["date"] >= history["date"].max() - pd.Timedelta(days=27)),
                "visits"] = 2000
    assert list(Ranking(0.0, 0.0, 1.0).scores(seen).values()) == [0.0, 1.0]


def test_pause_waits_for_its_patience_and_moves_the_money() -> None:
    figures = {"bad": {"gmv": 90.0}, "good": {}, "free": {"cost": 0.0}}
    budgets = {"bad": 3000, "good": 9000, "free": 0}
    policy = Pause(threshold=1.0, patience=2)
    assert policy.review(observe(figures, budgets=budgets)) is None
    assert cents(policy.review(observe(figures, budgets=budgets, day=7))) == {"bad": 0, "good": 12_000, "free": 0}


def test_pause_starts_to_count_again_after_a_good_review() -> None:
    bad, good = ({"a": {"gmv": gmv}, "b": {}} for gmv in (90.0, 500.0))
    policy = Pause()
    assert [policy.review(observe(figures)) for figures in (bad, good, bad)] == [None, None, None]
    assert policy.review(observe(bad)) is not None


@pytest.mark.parametrize(("roi", "stops"), [(1.9, True), (2.1, False)])
def test_pause_by_margin(roi: float, stops: bool) -> None:
    """At a margin of 50 % a ROI of 2 is needed."""
    figures = {"a": {"gmv": 100.0 * roi, "contribution": 50.0 * roi}, "b": {"contribution": 900.0}}
    policy = Pause(threshold=None, patience=1)
    assert (policy.review(observe(figures)) is not None) == stops


def test_pause_leaves_one_channel_on() -> None:
    plan = Pause(patience=1).review(observe({"a": {"gmv": 1.0}, "b": {"gmv": 2.0}}))
    assert cents(plan) == {"a": 0, "b": 20_000}


def test_bandit_spends_the_budget_and_learns() -> None:
    figures = {"a": {"contribution": 100.0}, "b": {"contribution": 400.0}, "c": {"contribution": 99.0}}
    plan = cents(Bandit().review(observe(figures)))
    assert sum(plan.values()) == 30_000
    assert plan["b"] == 30_000  # 4.0 against 1.0, with errors of a few percent
    mean, error = Bandit().belief(observe(figures))
    assert mean == pytest.approx([1.0, 4.0, 0.99])
    assert (error < 0.1).all()


def test_bandit_tries_what_it_does_not_know() -> None:
    figures = {"a": {}, "b": {}, "new": {"cost": 0.0, "contribution": 0.0}}
    mean, error = Bandit().belief(observe(figures))
    assert (mean[2], error[2]) == pytest.approx((4.0, 4.0))
    assert Bandit().review(observe(figures)) is not None


def test_bandit_s_draws_belong_to_the_replication() -> None:
    figures: dict[str, dict[str, float]] = {"a": {}, "b": {}, "c": {}}
    seen = observe(figures)
    again = observe(figures)
    assert cents(Bandit().review(seen)) == cents(Bandit().review(again))
    other = [Bandit().review(Observation(0, Plan(), seen.read, seen.budgets, luck=luck)) for luck in range(2, 6)]
    assert any(one is None or cents(one) != cents(Bandit().review(seen)) for one in other)


def belief(**sections: Any) -> Any:
    curves = {"a": {"form": "power", "scale": 54.0, "half": 12.0, "shape": 0.5, "margin": 1.0},
              "b": {"form": "power", "scale": 189.0, "half": 30.0, "shape": 0.5, "margin": 1.0}}
    return scenario(channels={"a": channel(budget=12.0), "b": channel(budget=30.0)}, curves=curves, **sections)


def test_planned_budgets_are_the_closed_form_s() -> None:
    """Power curves of shape ½: budgets in proportion to (scale / √half)²."""
    seen = observe({"a": {}, "b": {}}, budgets={"a": 1200, "b": 3000})
    found = cents(Once(belief(limits={"spend_all": True})).review(seen))
    weight = np.array([54.0**2 / 12.0, 189.0**2 / 30.0])
    assert [found["a"], found["b"]] == pytest.approx(4200 * weight / weight.sum(), abs=2)


def test_planned_budgets_do_not_buy_what_does_not_pay() -> None:
    weak = belief().with_({"curves.a.scale": 6.0, "curves.b.scale": 20.0})
    found = cents(Once(weak).review(observe({"a": {}, "b": {}}, budgets={"a": 1200, "b": 3000})))
    best = (6.0 * 0.5 / 12.0**0.5) ** 2  # where the slope is 1
    assert found["a"] == pytest.approx(100 * best, abs=2)


def test_curves_of_any_shape_are_planned_with_all_of_the_money() -> None:
    """An S-shaped curve too weak at half the budget gets all or nothing."""
    shaped = belief(limits={"spend_all": True, "period": 366}).with_({
        "curves.a.form": "hill", "curves.a.shape": 3.0, "curves.a.half": 30.0, "curves.a.scale": 400.0})
    found = cents(Once(shaped).review(observe({"a": {}, "b": {}}, budgets={"a": 1200, "b": 3000})))
    spend = np.linspace(0.0, 42.0, 42_001)
    worth = 400.0 * spend**3 / (30.0**3 + spend**3) + 189.0 * ((42.0 - spend) / 30.0) ** 0.5
    assert sum(found.values()) == pytest.approx(4200, abs=1)
    assert found["a"] == pytest.approx(100 * spend[worth.argmax()], abs=30)


def test_planning_needs_curves() -> None:
    with pytest.raises(UsageError, match="needs curves"):
        Once().review(observe({"a": {}, "b": {}}))


def test_rolling_moves_money_with_the_level() -> None:
    policy = Rolling(belief(limits={"spend_all": True}))
    first = cents(policy.review(observe({"a": {}, "b": {}}, budgets={"a": 1200, "b": 3000})))
    worse = {"a": {}, "b": {"clicks": 50}}
    later = policy.review(observe(worse, budgets=first, day=7))
    levels = policy.planned
    assert levels["a"] == 1.0
    assert levels["b"] == pytest.approx(0.5, rel=0.02)
    weight = np.array([54.0**2 / 12.0, (189.0 * levels["b"]) ** 2 / 30.0])
    assert later is not None
    assert later.budget_on("a", 0) == first["a"]  # what was spent stays
    for day in (7, 30):
        assert later.budget_on("a", day) == pytest.approx(4200 * weight[0] / weight.sum(), abs=2)


def levels_of(clicks: list[float], *, scale: int = 1) -> Levels:
    """Levels against ninety days of one channel with these clicks a day."""
    one = belief().with_({"population.scale": scale})
    return Levels(one, 28, *stretches(observe({"a": {"clicks": clicks[0]}, "b": {}}), one, (90, 0)))


def test_levels_take_little_for_luck() -> None:
    """Six tenths of the clicks: less is believed where there were few of them, nearly all where there were many."""
    few, many = levels_of([1.0]), levels_of([100.0])
    ratio, variance = np.log(0.6), 1 / (0.6 * 28) + 1 / 90
    shrunk = np.exp(ratio * (1 - variance / ratio**2))
    assert few.look(observe({"a": {"clicks": 0.6}, "b": {}}))["a"] == pytest.approx(shrunk, rel=1e-9)
    assert 0.6 < many.look(observe({"a": {"clicks": 60.0}, "b": {}}))["a"] < 0.61
    # a simulated consumer that stands for a hundred is no more evidence than one
    alike = levels_of([100.0], scale=100).look(observe({"a": {"clicks": 60.0}, "b": {}}))
    assert alike["a"] == pytest.approx(shrunk, rel=1e-9)


def test_a_week_that_contradicts_those_before_is_believed_alone() -> None:
    usual, fallen = {"a": {"clicks": 100.0}, "b": {}}, {"a": {"clicks": 20.0}, "b": {}}
    history = pd.concat([observe(usual).history.head(2 * 83), observe(fallen).history.tail(2 * 7)])
    seen = replace(observe(usual), read=lambda table: history)
    assert levels_of([100.0]).look(seen)["a"] == pytest.approx(0.2, rel=0.02)
    drop = pd.concat([observe(usual).history.head(2 * 83), observe({"a": {"clicks": 98.0}, "b": {}}).history.tail(14)])
    assert levels_of([100.0]).look(replace(seen, read=lambda table: drop))["a"] == pytest.approx(0.999, abs=0.006)


def test_luck_is_no_news() -> None:
    """A tenth fewer clicks: news where a window holds 2,520 of them, none where it holds 25."""
    for clicks, is_news in ((100.0, True), (1.0, False)):
        levels = levels_of([clicks])
        levels.look(observe({"a": {"clicks": 0.9 * clicks}, "b": {}}))
        assert levels.is_news({}, 0.02) == is_news
        assert not levels.is_news(levels.last, 0.02)


def test_a_channel_out_of_sight_keeps_its_level() -> None:
    levels = levels_of([100.0])
    assert levels.look(observe({"a": {"clicks": 50.0}, "b": {}}))["a"] == pytest.approx(0.5, rel=0.02)
    unseen = {"a": {"clicks": 0.0, "impressions": 0.0, "cost": 0.0}, "b": {}}
    assert levels.look(observe(unseen))["a"] == pytest.approx(0.5, rel=0.02)


def test_rolling_keeps_an_eye_on_a_channel_that_does_not_pay() -> None:
    """A cap of clicks a window, at the price of the days before: 25 at 1 yuan in 28 days."""
    dead = {"curves.a.scale": 1e-6}
    seen = observe({"a": {}, "b": {}}, budgets={"a": 1200, "b": 3000})
    assert cents(Once(belief().with_(dead)).review(seen))["a"] == 0
    assert cents(Rolling(belief().with_(dead)).review(seen))["a"] == pytest.approx(100 * 25 / 28, abs=1)
    closed = belief(limits={"channels": {"a": {"cap": 0.0}}}).with_(dead)
    assert cents(Rolling(closed).review(seen))["a"] == 0
    shut = belief(limits={"rows": [{"limit": "none", "channel": "a", "sense": "<=", "value": 0.0}]}).with_(dead)
    assert cents(Rolling(shut).review(seen))["a"] == 0


class Hill:
    """A trial with a known best: profit falls with the square of the distance to it."""

    def __init__(self, best: list[list[int]]) -> None:
        self.best, self.known = np.array(best), {}

    def profit(self, budgets: Any) -> float:
        self.known[budgets.tobytes()] = -((budgets - self.best) ** 2).sum()
        return float(self.known[budgets.tobytes()])


def test_a_search_comes_near_the_best() -> None:
    trial: Any = Hill([[700], [200], [100]])
    start = np.array([[334], [333], [333]])
    found = climb(trial, [start], tries=200, spend_all=True)
    assert found.sum() == 1000
    assert np.abs(found - trial.best).max() <= 60
    free: Any = Hill([[300], [0], [0]])
    assert climb(free, [start], tries=300, spend_all=False).sum() < 450


def test_a_search_keeps_the_pattern_over_the_days_and_the_limits() -> None:
    trial: Any = Hill([[600, 0], [300, 300], [100, 700]])
    start = np.array([[400, 0], [400, 400], [200, 600]])
    found = climb(trial, [start], tries=300, spend_all=True, keeps=lambda budgets: budgets[1].min() >= 350)
    assert (found.sum(axis=0) == 1000).all()
    assert found[1].min() >= 350
    assert trial.profit(found) > trial.profit(start)
    assert all(np.frombuffer(key, np.int64).reshape(3, 2)[1].min() >= 350 for key in trial.known)


def test_moves_keep_the_total() -> None:
    all_moves = list(moves(np.array([[10], [0], [5]]), 8, 15, spend_all=True))
    assert all(move.sum() == 15 and move.min() >= 0 for move in all_moves)
    assert {(2, 8, 5), (15, 0, 0)} <= {tuple(move[:, 0]) for move in all_moves}


@pytest.mark.parametrize("name", sorted(POLICIES))
def test_every_name_makes_a_policy_of_that_name(name: str) -> None:
    policy: Policy = find_policy(name)
    assert policy.name == name


def test_policies_by_module_and_class() -> None:
    assert isinstance(find_policy("omnisim.policies.pause:Pause"), Pause)
    for wrong in ("omnisim.policies.pause:Paws", "no.such:Thing", "omnisim.plan:Plan", "json:dumps"):
        with pytest.raises(UsageError):
            find_policy(wrong)


def test_one_team_does_no_worse_than_a_team_for_each_channel() -> None:
    """On the curves: what a channel's team may decide alone, one team for all may decide as well."""
    today = {"a": 1200, "b": 3000}
    weak = belief().with_({"curves.a.scale": 6.0})

    def decide(own: dict[str, int]) -> dict[str, int]:
        plan = Once(weak).review(observe({name: {} for name in own}, budgets=own))
        return own if plan is None else cents(plan)

    def gain(budgets: dict[str, int]) -> float:
        curves = weak.curves
        return sum(curves[name].scale * (budgets[name] / 100.0 / curves[name].half) ** 0.5 - budgets[name] / 100.0
                   for name in budgets)

    joint, alone = decide(today), {**decide({"a": 1200}), **decide({"b": 3000})}
    assert alone["b"] == 3000  # worth more, but its team has no more
    assert gain(joint) > gain(alone) > gain(today)
