"""What a budget is planned for decides where it goes: each plan is best at its own goal when it is simulated."""

from __future__ import annotations

from typing import Any

import numpy as np
from building import channel, scenario

import omnisim as om
from omnisim.market.market import open_market
from omnisim.parts import split_population
from omnisim.study.curves.measuring import FADE
from omnisim.study.curves.probes import Base, count
from omnisim.study.curves.scenario_plan import ScenarioPlan
from omnisim.study.curves.trials import find_trials

WHO = {"size": 10_000, "renewal": 0.0}


def goals() -> om.Scenario:
    """One channel that many see, one that sells dear, one whose buyers become members and buy again."""
    channels = {
        "billboard": channel(budget=20.0, cpm=10.0, click_share=0.004, intercept=-2.0, order_value=200.0),
        "shop": channel(budget=20.0, cpm=60.0, click_share=0.15, intercept=-2.0, order_value=600.0, commission=0.35),
        "club": channel(budget=20.0, cpm=60.0, click_share=0.15, intercept=-0.8, order_value=150.0)}
    return scenario(channels=channels, horizon={"days": 56, "warm_up": 14},
                    population=WHO | {"affinity_shape": 5.0}, membership={"join": 0.0},
                    flows=[{"source": "club", "target": "membership", "kind": "enrol", "rate": 1.0}])


def planned(subject: om.Scenario, objective: str, **options: Any) -> ScenarioPlan:
    limits = {"period": 28, "spend_all": True, "channels": {name: {"cap": 50.0} for name in subject.channels}}
    plan = om.allocate(subject, objective=objective, limits=limits, replications=4, threads=1, rounds=1, **options)
    assert isinstance(plan, ScenarioPlan)
    return plan


def payoffs(plans: dict[str, ScenarioPlan], days: int) -> np.ndarray:
    """What each plan (row) brings to each goal (column), simulated on the same fresh luck."""
    first = next(iter(plans.values()))
    assert first.base is not None and first.scenario is not None
    fresh = find_trials(first.scenario, days, FADE, seed=5, replications=range(12), threads=1)
    base = Base(first.scenario, fresh, first.base.days, first.base.today, first.base.today)
    outcomes = fresh.outcomes([base.plan(plan.spend_a_day) for plan in plans.values()])
    assert first.measured is not None
    per_order = first.measured.per_order
    return np.array([[count(goal, outcome, base.budget(plan.spend_a_day), per_order).mean() for goal in plans]
                     for plan, outcome in zip(plans.values(), outcomes, strict=True)])


def share(plan: ScenarioPlan, name: str) -> float:
    spent = plan.spend.sum(axis=1)
    return float(spent[plan.channels.index(name)] / spent.sum())


def test_sales_awareness_and_loyalty_give_three_plans_each_best_at_its_own() -> None:
    plans = {goal: planned(goals(), goal) for goal in ("gmv", "awareness", "loyalty")}
    table = payoffs(plans, 56)
    assert table.argmax(axis=0).tolist() == [0, 1, 2]
    for goal, favourite in (("gmv", "shop"), ("awareness", "billboard"), ("loyalty", "club")):
        shares = {name: share(plans[goal], name) for name in plans[goal].channels}
        assert max(shares, key=shares.__getitem__) == favourite and shares[favourite] > 0.4


def test_customer_equity_keeps_customers_where_gmv_sells() -> None:
    plans = {goal: planned(goals(), goal) for goal in ("equity", "gmv")}
    assert share(plans["equity"], "club") > share(plans["gmv"], "club") + 0.1
    assert payoffs(plans, 56).argmax(axis=0).tolist() == [0, 1]


def test_a_short_horizon_seeds_less() -> None:
    """Interest lasts for months: seeding needs them to pay, a click does not."""
    channels = {
        "seed": channel(budget=30.0, persuasion=0.5, role="seeding", checkout=False),
        "search": channel(search=0.04, intercept=-3.0, budget=0.0),
        "clicks": channel(budget=30.0, click_share=0.25, intercept=-3.0)}
    brand = {"new_customers": 0.0, "age": 0.0, "interest": {"half_life_long": 120.0, "half_life_short": 5.0},
             "loop": {"repurchase": False}}

    def seeded(weeks: int) -> float:
        subject = scenario(channels=channels, horizon={"days": 7 * weeks, "warm_up": 0}, brand=brand, population=WHO)
        limits = {"period": 28, "spend_all": True, "channels": {"search": {"cap": 0.0}, "seed": {"cap": 60.0},
                                                                "clicks": {"cap": 60.0}}}
        plan = om.allocate(subject, objective="gmv", limits=limits, replications=4, threads=1, rounds=1,
                           carry_out=False)
        return share(plan, "seed")

    short, long = seeded(12), seeded(52)
    assert short < long - 0.05


def overlapping(overlap: float) -> om.Scenario:
    """Two content channels that half of the people use, and a shelf that the interested search."""
    content = {"reach": 0.5, "persuasion": 0.9, "role": "seeding", "checkout": False, "cpm": 20.0}
    channels = {"one": channel(budget=400.0, **content), "two": channel(budget=100.0, **content),
                "other": channel(budget=100.0, click_share=0.03, intercept=-3.0),
                "shelf": channel(search=0.02, intercept=-3.0)}
    return scenario(channels=channels, horizon={"days": 56, "warm_up": 14},
                    population={"size": 10_000, "renewal": 0.0, "overlap": overlap, "affinity_shape": 20.0},
                    brand={"new_customers": 0.0, "age": 0.0, "loop": {"repurchase": False}})


def test_overlap_lowers_net_reach_and_moves_the_money() -> None:
    reached = {}
    for overlap in (0.0, 0.6):
        market = open_market(overlapping(overlap), 1, 0, split_population(10_000, 1))
        names = sorted(overlapping(overlap).channels)
        one, two = (np.unpackbits(market.consumers.users[names.index(name)].view(np.uint8))[:10_112] > 0
                    for name in ("one", "two"))
        both = (one & two).sum() / 10_000
        assert (one | two).sum() == one.sum() + two.sum() - (one & two).sum()
        # indicators of reach ½ that correlate by the overlap
        expected = 0.25 + 0.25 * overlap
        assert abs(both - expected) <= 4 * np.sqrt(expected * (1 - expected) / 10_000)
        reached[overlap] = (one | two).sum() / 10_000
    assert reached[0.6] < reached[0.0] - 0.1

    def second(overlap: float) -> float:
        limits = {"period": 28, "spend_all": True, "channels": {
            "one": {"low": 1.0, "high": 1.0}, "two": {"cap": 200.0}, "other": {"cap": 200.0}, "shelf": {"cap": 0.0}}}
        plan = om.allocate(overlapping(overlap), objective="gmv", limits=limits, replications=4, threads=1, rounds=1)
        return share(plan, "two")

    assert second(0.9) < second(0.0) - 0.02
