"""What lies at the edge of every range, or beyond it: refused with a reason, or counted right."""

from __future__ import annotations

import math
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numba
import numpy as np
import pytest

import omnisim as om
from omnisim import compiled, door
from omnisim.errors import ScenarioError, UsageError
from omnisim.market.consumers import ceil16
from omnisim.plan import Plan
from omnisim.simulation import open_world, simulate
from tests.building import channel, scenario

SMALL: dict[str, Any] = {"horizon": {"days": 3, "warm_up": 0}, "population": {"size": 1000, "renewal": 0.0}}


@pytest.mark.parametrize("plan", [
    {"budgets": {"shop": (1.5,)}}, {"budgets": {"shop": (math.nan,)}}, {"budgets": {"shop": (10**30,)}},
    {"budgets": {"shop": 100}}, {"budgets": {"shop": None}}, {"budgets": {"shop": ("1",)}}, {"budgets": [1]},
    {"base_stock": {"core": 1.5}}, {"base_stock": {"core": "1"}}, {"base_stock": {"core": 10**30}},
    {"base_stock": None}, {"first_days": None}, {"first_days": (0, 1.5)}, {"first_days": "0"}, {"first_days": (True,)},
])
def test_a_plan_holds_whole_numbers(plan: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        Plan(**plan)


def test_a_plan_takes_numpy_integers() -> None:
    assert Plan(budgets={"shop": (np.int64(5),)}).budget_on("shop", 3) == 5


class Returns:
    """A policy that always returns the same thing."""

    name = "returns"

    def __init__(self, answer: object) -> None:
        self.answer = answer

    def review(self, observation: om.Observation) -> Any:
        """Whatever it was given."""
        return self.answer


@pytest.mark.parametrize(("answer", "said"), [
    (3, "must return a Plan or None"), ({}, "must return a Plan or None"), (False, "must return a Plan or None"),
    (Plan(budgets={"shpo": (1,)}), "Did you mean shop"), (Plan(base_stock={"cor": 1}), "Did you mean core"),
])
def test_what_a_policy_returns_is_checked(answer: object, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        simulate(scenario(**SMALL), policy=Returns(answer), threads=1)


@pytest.mark.parametrize("options", [
    {"seed": None}, {"threads": 2**31}, {"replications": 2**31}, {"replications": None}, {"orders": "all"},
])
def test_arguments_that_would_be_guessed_or_never_end(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        om.run(scenario(**SMALL), **options)


def test_two_runs_at_once_do_not_take_each_others_warm_up(monkeypatch: pytest.MonkeyPatch) -> None:
    class Forgetful(dict[Any, Any]):
        """A store that another thread empties at once."""

        def __setitem__(self, key: object, value: object) -> None:
            """Keep nothing."""

    monkeypatch.setattr(door, "_LAST", Forgetful())
    with ThreadPoolExecutor(2) as pool:
        assert len(list(pool.map(lambda seed: om.run(scenario(**SMALL), seed=seed), (1, 2)))) == 2


def test_seats_that_nobody_can_take_need_no_memory() -> None:
    world = open_world(scenario(**SMALL, community={"channel": "shop", "seats": 2_000_000_000}), 1)
    assert world.market.seats.holders.size == 1000


def test_kernels_compile_where_nothing_can_be_written(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(**options: Any) -> Any:
        """Numba, where it finds no place for its files."""
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return numba.njit(**options)

    monkeypatch.setattr(compiled, "njit", nowhere)

    def double(x: float) -> float:
        return 2 * x

    assert compiled.formula(double)(3.0) == 6.0


@pytest.mark.parametrize("hazard", [1.0, 1e14, 1e300, math.inf])
def test_the_bound_of_a_large_hazard_always_hits(hazard: float) -> None:
    assert ceil16.py_func(hazard) == 65535


def test_an_order_has_no_more_units_than_a_basket_can_draw() -> None:
    with pytest.raises(ScenarioError, match="a basket holds 600 articles"):
        scenario(channels={"shop": channel(order_value=60.0 * 601)})
    with pytest.raises(ScenarioError, match="a basket holds 600 articles"):
        scenario(channels={"shop": channel(order_value=60.0 * 7)},
                 population={"segments": [{"name": "keen", "share": 1.0, "spend": 100.0}]})
    scenario(channels={"shop": channel(order_value=60.0 * 600)})


def test_campaigns_do_not_multiply_beyond_all_measure() -> None:
    campaign = {"name": "sale", "start": "2024-06-01", "end": "2024-06-02", "factor": 100.0}
    later = campaign | {"start": "2024-06-02", "end": "2024-06-03"}
    scenario(calendar={"campaigns": [campaign, campaign, campaign]})
    scenario(calendar={"campaigns": [campaign, campaign, later, later | {"start": "2024-06-03"}]})
    with pytest.raises(ScenarioError, match="4 campaigns on 2024-06-02"):
        scenario(calendar={"campaigns": [campaign, campaign, later, later]})


def test_sums_of_money_that_would_not_fit_are_refused() -> None:
    shop = channel(direct=10.0, intercept=10.0, order_value=1e7)
    dear = {"core": {"price": 1e7, "cost": 0.0, "share": 1.0}}
    with pytest.raises(UsageError, match="must stay below 10,000,000,000,000 CNY"):
        simulate(scenario(**SMALL | {"population": {"size": 1000, "scale": 10_000}}, channels={"shop": shop},
                          products=dear), threads=1)
