"""Policies keep the limits that a scenario declares, or say by name which of them they cannot keep."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import omnisim as om
from omnisim.books import MEASURE
from omnisim.errors import UsageError
from omnisim.measure.observed import reader
from omnisim.optimise.declared import declared_curves, plan_days
from omnisim.plan import Observation, Plan
from omnisim.policies import find_policy
from omnisim.policies.levels import Levels, stretches
from omnisim.policies.pause import Pause
from omnisim.policies.programme import Once, Rolling
from omnisim.policies.reference import Reference
from omnisim.policies.shares import Equal
from omnisim.policies.splitting import split, split_within
from omnisim.review import own_limits
from omnisim.scenario.allocation import Limits
from omnisim.scenario.model import Scenario
from omnisim.simulation import simulate
from tests.building import channel, scenario, small_brand
from tests.test_policies import cents, observe

RULES = ("equal", "roi", "last_click", "60/30/10", "ranking", "bandit", "pause")
CURVES = {"a": {"form": "power", "scale": 54.0, "half": 12.0, "shape": 0.5, "margin": 1.0, "carryover": 0.5},
          "b": {"form": "hill", "scale": 189.0, "half": 30.0, "margin": 1.0, "carryover": 0.2}}


@given(st.lists(st.tuples(st.floats(0, 10), st.integers(0, 500), st.integers(0, 500)), min_size=1, max_size=6),
       st.integers(0, 3000))
def test_parts_within_bounds(parts: list[tuple[float, int, int]], total: int) -> None:
    """Between the bounds, to the total where these allow it, and one scale for all that are at none."""
    weights = {str(k): weight for k, (weight, _, _) in enumerate(parts)}
    bounds = {str(k): (min(one, other), max(one, other)) for k, (_, one, other) in enumerate(parts)}
    total = max(total, sum(low for low, _ in bounds.values()))
    found = split_within(total, weights, bounds)
    assert all(bounds[name][0] <= cents <= bounds[name][1] for name, cents in found.items())
    assert sum(found.values()) <= total
    free = [name for name, cents in found.items() if bounds[name][0] < cents < bounds[name][1]]
    if free:
        assert sum(found.values()) == total
        least, most = (np.array([(found[name] + cent) / weights[name] for name in free]) for cent in (-1, 1))
        assert least.max() <= most.min() + 1e-6
    if sum(found.values()) < total:  # whoever has a weight is at its most
        assert all(found[name] == bounds[name][1] for name in found if weights[name] > 1e-300 and weights[name] * total
                   / sum(weights.values()) >= 1.0)


def test_without_bounds_parts_are_split_as_ever() -> None:
    luck = np.random.default_rng(3)
    for _ in range(20):
        weights = {str(k): weight for k, weight in enumerate(luck.exponential(size=5))}
        assert split_within(9_999, weights, dict.fromkeys(weights, (0, 10**9))) == split(9_999, weights)


def within(limits: dict[str, Any], **about: Any) -> Observation:
    """Three channels alike, a thousand cents each, within limits."""
    return replace(observe({"a": {}, "b": {"gmv": 500.0}, "c": {"gmv": 2000.0}}, **about),
                   limits=Limits.model_validate(limits))


@pytest.mark.parametrize(("limits", "expected"), [
    ({"channels": {"a": {"floor": 150.0}}}, (15_000, 7500, 7500)),
    ({"channels": {"c": {"cap": 20.0}}}, (14_000, 14_000, 2000)),
    ({"channels": {"c": {"inventory": 20.0}, "a": {"high": 1.2}}}, (12_000, 16_000, 2000)),
    ({"channels": {"a": {"low": 1.5}}}, (15_000, 7500, 7500)),
    ({"budget": 600.0}, (20_000, 20_000, 20_000)),
    ({"budget": 600.0, "period_budgets": [90.0]}, (3000, 3000, 3000)),
    ({"channels": {"b": {"opens_in": 3}}}, (15_000, 0, 15_000)),
])
def test_equal_within_limits(limits: dict[str, Any], expected: tuple[int, int, int]) -> None:
    seen = within(limits)
    plan = Equal().review(seen)
    assert tuple((cents(plan) if plan else dict(seen.budgets)).values()) == expected


def test_a_channel_that_opens_later_gets_its_share_then() -> None:
    early, late = (cents(Equal().review(within({"channels": {"b": {"opens_in": 3}}}, day=day,
                                               budgets={"a": 12_000, "b": 12_000, "c": 6000}))) for day in (14, 21))
    assert early == {"a": 15_000, "b": 0, "c": 15_000}
    assert late == dict.fromkeys("abc", 10_000)


def test_a_step_holds_for_all() -> None:
    plan = find_policy("60/30/10").review(within({"step": 0.5}))
    assert cents(plan) == {"c": 15_000, "a": 10_000, "b": 5000}  # 6 : 3 : 1, none above 1.5 or below 0.5 of today's


def test_pause_leaves_a_floor() -> None:
    seen = replace(observe({"bad": {"gmv": 90.0}, "good": {}}), limits=Limits.model_validate(
        {"channels": {"bad": {"floor": 10.0}}}))
    assert cents(Pause(patience=1).review(seen)) == {"bad": 1000, "good": 19_000}


@pytest.mark.parametrize("name", ["equal", "bandit", "pause", "ranking"])
def test_limits_beyond_a_rule_are_refused_by_name(name: str) -> None:
    limits = {"groups": [{"name": "core", "channels": ["a"], "high": 0.6}], "max_core": 2,
              "channels": {"a": {"roi": 2.0}}}
    with pytest.raises(UsageError) as caught:
        find_policy(name).review(within(limits))
    said = str(caught.value)
    for part in (name, "limits.groups", "limits.max_core", "limits.channels.a.roi", "Use lp_once"):
        assert part in said


def test_floors_above_the_total_are_refused() -> None:
    with pytest.raises(UsageError, match="is what the floors ask for"):
        Equal().review(within({"channels": {"a": {"floor": 400.0}}}))


@pytest.mark.parametrize("name", RULES)
def test_every_rule_keeps_bounds_in_a_run(name: str) -> None:
    """Every day, to the cent."""
    brand = small_brand(policy={"name": name, "every": 5}, limits={"budget": 140.0, "channels": {
        "douyin": {"floor": 20.0, "cap": 45.0}, "taobao": {"cap": 60.0}, "xiaohongshu": {"high": 1.0}}})
    brand = brand.with_({"channels.taobao.budget": 58.0, "channels.community.budget": 20.0})
    books = simulate(brand, policy=find_policy(name), threads=1, read=reader(brand))
    spent = dict(zip(brand.channels, books.daily[books.warm_up:, :, MEASURE["budget"]].T, strict=True))
    assert spent["douyin"].min() >= 2000
    assert spent["douyin"].max() <= 4500
    assert spent["taobao"].max() <= 6000
    assert spent["xiaohongshu"].max() == 0
    assert sum(spent.values()).max() <= 14_000
    today = {channel: round(100 * one.budget) for channel, one in brand.channels.items()}
    assert any(one[-1] != today[channel] for channel, one in spent.items()) or name == "pause"


def market(**sections: Any) -> Scenario:
    """Curves with carry-over, and limits of all sorts."""
    return scenario(channels={"a": channel(budget=12.0), "b": channel(budget=30.0)}, curves=CURVES, **sections)


@pytest.mark.parametrize("limits", [
    {}, {"spend_all": True}, {"groups": [{"name": "core", "channels": ["b"], "high": 0.5}]}, {"step": 0.3},
    {"channels": {"a": {"floor": 20.0}, "b": {"cap": 25.0}}}, {"budget": 21.0, "ramp": 0.1},
    {"rows": [{"limit": "first", "channel": "a", "period": 0, "sense": "<=", "value": 7.0}], "max_core": 1}])
def test_the_programme_plans_as_the_allocator_does(limits: dict[str, Any]) -> None:
    """Carry-over, periods and every limit: what brings as much as om.allocate's own plan, and keeps what that keeps."""
    from omnisim.optimise.allocation import broken_limits
    from omnisim.optimise.prepare import prepare

    one = market(limits=limits)
    seen = observe({"a": {}, "b": {}}, budgets={"a": 1200, "b": 3000})
    policy = Once(one)
    plan = policy.review(seen)
    assert plan is not None
    table, request = policy.task(seen, {})
    problem = prepare(table, request)
    first, days = np.cumsum(request.days) - request.days, request.days
    spend = np.array([[(plan.budget_on(name, int(day)) or 0) / 100.0 for day in first] for name in "ab"]) * days
    best = om.allocate(one, carry_out=False)
    expected = np.array([best.daily_cents[c] / 100.0 for c in range(2)]) * days
    value = problem.value(spend)
    assert all(name.startswith("ramp") for name in broken_limits(problem, spend))
    if "ramp" in limits:  # to the cent that a day's budget is rounded to
        daily = 100.0 * spend / days
        assert (np.abs(np.diff(daily)) <= 0.1 * daily[:, :-1] + 1.1).all()
    assert value == pytest.approx(problem.value(expected), rel=3e-3 if "max_core" in limits else 3e-4)


def test_carry_over_moves_money_to_where_it_lasts() -> None:
    """Nothing counts after the last day, so what lasts is bought early; without carry-over every week is alike."""
    seen = observe({"a": {}, "b": {}}, budgets={"a": 1200, "b": 3000})
    lasting = Once(market(limits={"spend_all": True})).review(seen)
    plain = Once(market(limits={"spend_all": True}).with_({"curves.a.carryover": 0.0, "curves.b.carryover": 0.0})
                 ).review(seen)
    assert lasting is not None
    assert plain is not None
    assert lasting.budgets["a"][-2] < 0.8 * lasting.budgets["a"][1]
    assert max(plain.budgets["a"][:-1]) - min(plain.budgets["a"][:-1]) <= 2


def test_what_was_spent_counts_towards_the_total() -> None:
    """Re-planned half-way, the whole year still costs what it was to cost."""
    one = market(limits={"spend_all": True})
    policy = Rolling(one, change=0.0)
    first = policy.review(observe({"a": {}, "b": {}}, budgets={"a": 1200, "b": 3000}))
    assert first is not None
    worse = replace(observe({"a": {"clicks": 40}, "b": {}}, budgets={"a": 1200, "b": 3000}, day=30), plan=first,
                    seen=30)
    again = policy.review(worse)
    assert again is not None
    assert again.budget_on("a", 14) == first.budget_on("a", 14)
    assert again.budget_on("a", 28) == first.budget_on("a", 28)  # the week has begun
    assert (again.budget_on("a", 35) or 0) < (first.budget_on("a", 35) or 0)
    days = [sum(again.budget_on(name, day) or 0 for name in "ab") for day in range(60)]
    assert sum(days) == pytest.approx(60 * 4200, abs=60 * 2)


def test_the_calendar_explains_what_it_explains() -> None:
    """A campaign that doubles the clicks is no change of level; twice the clicks without one is."""
    starts = {"name": "a doubles", "start": "2024-05-04", "end": "2024-05-31", "factor": {"a": 2.0}}
    doubled = market().with_({"calendar.campaigns": [starts]})
    first, now = observe({"a": {}, "b": {}}), observe({"a": {"clicks": 200}, "b": {}})
    for known, level in ((doubled, 1.0), (market(), 2.0)):
        before = replace(first, seen=-28)
        assert Levels(known, 28, *stretches(before, known, (90, 0))).look(now)["a"] == pytest.approx(level, rel=0.02)


def test_a_team_keeps_what_is_said_of_its_channel() -> None:
    limits = Limits.model_validate({"budget": 100.0, "step": 0.2, "groups": [{"name": "g", "channels": ["a"]}],
                                    "channels": {"a": {"cap": 3.0}, "b": {"floor": 1.0}}})
    own = own_limits(limits, ["a"])
    assert own.channels == {"a": limits.channels["a"]}
    assert (own.step, own.budget, own.groups) == (0.2, None, ())


def test_the_reference_keeps_the_limits() -> None:
    curves = {name: {"form": "hill", "scale": 80.0, "half": 60.0, "margin": 1.0} for name in ("douyin", "taobao")}
    brand = small_brand(curves=curves, horizon={"days": 15, "warm_up": 15}, limits={
        "period": 15, "groups": [{"name": "core", "channels": ["taobao"], "high": 0.5}],
        "channels": {"douyin": {"cap": 50.0}}})
    policy = Reference(tries=8)
    policy.prepare(brand, 1, declared_curves(brand, plan_days(brand, None)))
    assert policy.found is not None
    douyin, taobao = (policy.found.budgets[name][0] for name in ("douyin", "taobao"))
    assert douyin <= 5000
    assert taobao <= douyin + 1


def test_plans_with_other_budgets() -> None:
    mine = Plan((0, 10), {"a": (1, 2), "b": (3, 4)}, {"core": 5})
    both = mine.with_budgets(Plan((0, 20), {"a": (7, 8), "b": (9, 9)}), ["a"])
    assert [both.budget_on("a", day) for day in (0, 10, 20)] == [7, 7, 8]
    assert [both.budget_on("b", day) for day in (0, 10, 20)] == [3, 4, 4]
    assert both.base_stock == {"core": 5}
    assert mine.with_budgets(Plan(), ["a"]).budgets == {"b": (3, 4)}
