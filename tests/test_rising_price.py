"""Exposure that costs more the more is bought: closed forms, an independent solver, limits, rounding, scenarios."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from building import channel, scenario
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize

import omnisim as om
from omnisim.response import dearness, expose

CURVES = pd.DataFrame({"channel": ["a", "b", "c", "d"], "form": ["hill", "power", "exponential", "hill"],
                       "scale": [90.0, 60.0, 120.0, 70.0], "half": [200.0, 120.0, 250.0, 100.0],
                       "shape": [0.8, 0.5, 1.0, 1.0], "carryover": [0.5, 0.2, 0.0, 0.7],
                       "doubling": [150.0, 300.0, np.inf, 80.0]})


@given(st.floats(0.0, 1e6), st.floats(1e-3, 1e6))
def test_exposure_costs_what_its_rising_price_adds_up_to(spend: float, doubling: float) -> None:
    bought = float(expose(np.array(spend), np.array(doubling)))
    assert bought + 0.75 * bought ** 2 / doubling == pytest.approx(spend, rel=1e-9, abs=1e-9)
    assert bought <= spend * (1 + 1e-15)
    assert float(expose(np.array(spend), np.array(np.inf))) == spend
    assert float(dearness(np.array(doubling), np.array(doubling))) == pytest.approx(2.0, rel=1e-15)


def test_straight_curves_share_the_budget_by_their_closed_form() -> None:
    """g √… : g / √(1 + 3 x / D) = λ everywhere, so x = D / 3 · ((g / λ)² − 1) and λ² = Σ D g² / (3 B + Σ D)."""
    gain, doubling, budget = np.array([2.0, 3.0, 2.5]), np.array([400.0, 100.0, 900.0]), 2000.0
    curves = pd.DataFrame({"channel": list("abc"), "form": "power", "scale": gain, "half": 1.0, "shape": 1.0,
                           "carryover": 0.0, "doubling": doubling})
    plan = om.allocate(curves=curves, budget=budget, periods=1)
    price = np.sqrt((doubling * gain ** 2).sum() / (3 * budget + doubling.sum()))
    wanted = doubling / 3 * ((gain / price) ** 2 - 1)
    np.testing.assert_allclose(plan.spend[:, 0], wanted, rtol=2e-3)
    assert plan.objective == pytest.approx((gain * expose(wanted, doubling)).sum(), rel=1e-6)
    assert plan.gap <= 1e-6 and plan.bound >= (gain * expose(wanted, doubling)).sum() * (1 - 1e-12)
    row = plan.shadow_prices.set_index("limit").loc["total_budget"]
    assert row["price"] == pytest.approx(price, rel=2e-3)
    np.testing.assert_allclose(plan.table["marginal"], gain / dearness(plan.spend[:, 0], doubling), rtol=1e-9)


@pytest.mark.parametrize("limits", [{}, {"groups": [{"name": "g", "channels": ["a", "b"], "low": 0.6}]},
                                    {"period_budgets": [300.0, 500.0, 500.0]}])
def test_plans_agree_with_slsqp(limits: dict[str, Any]) -> None:
    plan = om.allocate(curves=CURVES, budget=1200.0, periods=3, limits=limits)
    problem = plan.solution.problem
    rules = [{"type": "ineq" if limit.sense != "==" else "eq", "fun": lambda x, one=limit: (
        (1.0 if one.sense == ">=" else -1.0) * (float(one.spend @ x[one.cells]) - one.value))}
        for limit in problem.limits]
    found = minimize(lambda x: -problem.value(np.maximum(x, 0).reshape(4, 3)), np.full(12, 100.0), method="SLSQP",
                     bounds=[(1e-6, None)] * 12, constraints=rules, options={"maxiter": 400, "ftol": 1e-10})
    assert plan.gap <= 1e-6
    assert plan.objective >= -found.fun * (1 - 1e-6) and plan.bound >= -found.fun * (1 - 1e-6)


def test_without_the_column_nothing_changes_and_never_rising_is_as_without() -> None:
    plain = om.allocate(curves=CURVES.drop(columns="doubling"), budget=1200.0, periods=3)
    never = om.allocate(curves=CURVES.assign(doubling=np.inf), budget=1200.0, periods=3)
    assert (plain.spend == never.spend).all() and plain.solution.method == never.solution.method == "exact"
    hardly = om.allocate(curves=CURVES.assign(doubling=1e15), budget=1200.0, periods=3)
    assert hardly.objective == pytest.approx(plain.objective, rel=2e-6)
    risen = om.allocate(curves=CURVES, budget=1200.0, periods=3)
    assert risen.bound < plain.objective


@pytest.mark.parametrize("limits", [{"max_core": 1, "core_share": 0.3},
                                    {"channels": {"a": {"opening_cost": 200.0}, "d": {"opening_cost": 150.0}}},
                                    {"roi": 0.35}])
def test_choices_and_returns_with_rising_prices(limits: dict[str, Any]) -> None:
    plan = om.allocate(curves=CURVES, budget=1200.0, periods=3, limits=limits)
    assert plan.is_proven
    s_shaped = om.allocate(curves=CURVES.assign(shape=[2.0, 0.5, 1.0, 3.0]), budget=1200.0, periods=3, limits=limits)
    assert s_shaped.is_proven and s_shaped.solution.method == "s-shaped"


def test_draws_with_rising_prices_keep_their_bound() -> None:
    draws = pd.concat([CURVES.assign(draw=d, scale=CURVES["scale"] * (0.8 + 0.1 * d)) for d in range(5)])
    plan = om.allocate(curves=draws, budget=1200.0, periods=2, risk=0.4, time_limit=20.0)
    assert plan.gap <= 1e-3
    mixed = draws.copy()
    mixed.loc[mixed["draw"] == 3, "doubling"] = 77.0
    with pytest.raises(om.UsageError, match="doubling = 77 currency — must be the same in all draws"):
        om.allocate(curves=mixed, budget=1200.0, periods=2)


def test_the_programme_in_pulp_is_the_same() -> None:
    plan = om.allocate(curves=CURVES, budget=1200.0, periods=2)
    model = plan.to_pulp()
    import pulp

    model.solve(pulp.HiGHS(msg=False))
    from omnisim.optimise.problem import normalise

    unit = normalise(plan.solution.problem)[1].value
    assert pulp.value(model.objective) * unit == pytest.approx(plan.objective, rel=1e-5)


def test_a_scenario_speaks_of_the_spend_of_a_day() -> None:
    """The same daily spend buys the same exposure in periods of a day and of a week."""
    curve = {"form": "hill", "scale": 90.0, "half": 500.0, "shape": 1.0, "margin": 1.0}
    one = scenario(channels={"douyin": channel(budget=1000.0)}, curves={"douyin": curve | {"doubling": 600.0}},
                   limits={"period": 7})
    plan = om.allocate(one, periods=2)
    steady = plan.solution.problem.replies(np.full((1, plan.solution.problem.shape[1]), 7000.0))
    bought = float(expose(np.array(1000.0), np.array(600.0)))
    assert float(steady[0, 0]) == pytest.approx(7 * 90.0 * bought / (500.0 + bought), rel=1e-9)
