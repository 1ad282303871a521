"""S-shaped curves within limits: plans against enumeration, bounds against everything that can be tried."""

from __future__ import annotations

import itertools
import math
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import omnisim as om
from omnisim.optimise.allocation import broken_limits
from omnisim.optimise.branching import solve_branching
from omnisim.optimise.pieces import chords, envelope, stock_range, tangents, touch
from omnisim.optimise.problem import normalise
from omnisim.optimise.programme import solve_programme
from omnisim.optimise.solver import Solver

BUDGET = 6000.0
LIMITS: dict[str, dict[str, Any]] = {
    "groups": {"groups": [{"name": "g", "channels": ["c0", "c1"], "low": 0.3, "high": 0.5}]},
    "ratio": {"ratios": [{"channel": "c0", "to": "c1", "low": 0.5, "high": 0.8}]},
    "floor and cap": {"channels": {"c0": {"floor": 500.0}, "c2": {"cap": 900.0}}, "spend_all": True},
    "onboarding": {"channels": {"c1": {"opens_in": 1}}, "ratios": [{"channel": "c0", "to": "c1", "low": 0.5}]},
    "roi": {"roi": 0.024},
    "one channel's roi": {"channels": {"c1": {"roi": 0.03}}},
    "period budgets": {"period_budgets": [2000.0, 2500.0]},
    "ramp": {"ramp": 0.5},
    "rows": {"rows": [{"limit": "mine", "channel": "c2", "sense": ">=", "value": 1700.0}]},
    "hours": {"hours": 4.0, "channels": {"c0": {"hours": 2.0}, "c1": {"hours": 1.0}, "c2": {"hours": 3.0}}},
    "cash": {"cash": {"opening": 2000.0, "share": 30.0, "delay": 1}},
    "stock": {"stock": {"available": 130.0, "units": 1.0}},
    "core": {"max_core": 1, "core_share": 0.3},
    "opening": {"channels": {"c0": {"opening_cost": 900.0}, "c1": {"opening_cost": 1500.0}}},
}


def s_curves(n: int, seed: int, *, periods: int = 1, s_shaped: float = 0.8) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    shape = np.where(draw.random(n) < s_shaped, draw.uniform(1.3, 4.0, n), draw.uniform(0.5, 1.0, n))
    return pd.DataFrame({"channel": [f"c{k}" for k in range(n)], "form": "hill", "scale": draw.uniform(50, 150, n),
                         "half": BUDGET / n / periods * draw.uniform(0.5, 1.8, n), "shape": shape,
                         "carryover": draw.uniform(0, 0.6, n) if periods > 1 else 0.0})


def enumerate_plans(shape: tuple[int, int], cells: int) -> np.ndarray:
    """Every way of giving at most so many equal parts of the budget to channels and periods."""
    size = shape[0] * shape[1]
    places = np.array(list(itertools.combinations(range(cells + size), size)))
    parts = np.diff(np.concatenate([np.full((len(places), 1), -1), places], axis=1), axis=1) - 1
    return parts.reshape(-1, *shape) * (BUDGET / cells)


@pytest.fixture(autouse=True, scope="module")
def compiled() -> None:
    """Kernels are compiled at their first use, which must not come out of a test's time."""
    for name in ("groups", "roi", "opening"):
        om.allocate(curves=s_curves(3, 5), budget=BUDGET, periods=1, limits=LIMITS[name], time_limit=600.0)


@pytest.mark.parametrize("name", LIMITS)
@pytest.mark.parametrize("periods", [1, 2])
def test_no_plan_that_keeps_the_limits_is_better(name: str, periods: int) -> None:
    if periods == 1 and name in ("period budgets", "ramp", "onboarding"):
        pytest.skip("says nothing about one period")
    plan = om.allocate(curves=s_curves(3, 5, periods=periods), budget=BUDGET, periods=periods, limits=LIMITS[name])
    assert plan.is_proven and plan.gap <= 1e-3 and plan.solution.method == "s-shaped"
    problem = plan.solution.problem
    assert not [limit for limit in broken_limits(problem, plan.spend) if name != "stock"]
    if name in ("core", "opening"):  # other choices than the plan's are looked at in the next test
        return
    tried = 0
    for spend in enumerate_plans((3, periods), 60 if periods == 1 else 12):
        value = problem.value(spend)
        if value > plan.objective and not broken_limits(problem, spend):
            assert value <= plan.bound * (1.0 + 1e-9)
            tried += 1
    assert plan.objective >= 0.0 and tried < 3000


@pytest.mark.parametrize("seed", range(2))
def test_opening_costs_and_core_channels_against_every_choice(seed: int) -> None:
    """Each set of open and of core channels as caps, planned alone."""
    curves, cost = s_curves(3, seed, periods=2), np.array([300.0, 900.0, 0.0])
    limits = {"channels": {f"c{k}": {"opening_cost": float(cost[k])} for k in range(3)}, "max_core": 1,
              "core_share": 0.2}
    plan = om.allocate(curves=curves, budget=BUDGET, periods=2, limits=limits)
    assert plan.is_proven
    best = 0.0
    for used in itertools.product([False, True], repeat=3):
        left = BUDGET - float(cost[list(used)].sum())
        for core in range(3):
            rows = [{"limit": f"n{k}", "channel": f"c{k}", "sense": "<=", "value": 0.2 * BUDGET} for k in range(3)
                    if k != core]
            caps = {f"c{k}": {"cap": 0.0} for k in range(3) if not used[k]}
            if left > 0.0 and any(used):
                one = om.allocate(curves=curves, budget=left, periods=2, limits={"rows": rows, "channels": caps})
                best = max(best, one.objective)
    assert plan.objective >= best * (1.0 - 1e-3) and plan.bound >= best * (1.0 - 1e-9)
    sums = plan.spend.sum(axis=1)
    assert (sums > 0.2 * BUDGET * (1 + 1e-6)).sum() <= 1
    assert sums.sum() + cost[sums > 0].sum() <= BUDGET * (1 + 1e-9)


@settings(max_examples=15)
@given(st.integers(0, 2**32 - 1), st.integers(2, 6), st.integers(1, 4))
def test_bounds_hold_against_random_plans(seed: int, n: int, periods: int) -> None:
    draw = np.random.default_rng(seed)
    rows = [{"limit": f"l{k}", "channel": f"c{c}", "coefficient": float(draw.uniform(0.2, 2.0)), "sense": "<=",
             "value": float(draw.uniform(0.2, 0.8) * BUDGET)} for k in range(2) for c in draw.permutation(n)[:2]]
    rows = [row | {"value": next(other["value"] for other in rows if other["limit"] == row["limit"])} for row in rows]
    plan = om.allocate(curves=s_curves(n, seed, periods=periods), budget=BUDGET, periods=periods,
                       limits={"rows": rows}, time_limit=5.0)
    problem = plan.solution.problem
    assert plan.bound >= plan.objective * (1 - 1e-12)
    assert not broken_limits(problem, plan.spend)
    for _ in range(40):
        spend = draw.dirichlet(np.full(n * periods, 0.3)).reshape(n, periods) * BUDGET
        spend *= min(1.0, *(limit.value / max(1e-9, float(limit.spend @ spend.ravel()[limit.cells]))
                            for limit in problem.limits))
        assert problem.value(spend) <= plan.bound * (1 + 1e-9)


def test_concave_curves_agree_with_the_linear_programme() -> None:
    curves = s_curves(5, 3, periods=3, s_shaped=0.0)
    problem = om.allocate(curves=curves, budget=BUDGET, periods=3, limits=LIMITS["groups"]).solution.problem
    normal = normalise(problem)[0]
    until = time.monotonic() + 20.0
    exact = solve_programme(normal, 1e-8, until, Solver())
    found = solve_branching(normal, 1e-4, until)
    assert exact is not None and found is not None and found is not False
    assert found.plan.objective == pytest.approx(exact.objective, rel=1e-6)
    assert exact.objective * (1 - 1e-9) <= found.plan.bound <= exact.objective * (1 + 1e-4 + 1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_lines_are_above_and_below(seed: int) -> None:
    """Tangents of the envelope lie above every curve on its range, chords of what touches it below."""
    curves = s_curves(4, seed, periods=2)
    problem = normalise(om.allocate(curves=curves, budget=BUDGET, periods=2).solution.problem)[0]
    draw = np.random.default_rng(seed)
    _, most = stock_range(problem)
    low, high = (np.ascontiguousarray(most * part) for part in np.sort(draw.random((2, 4, 2)), axis=0))
    grid = low[:, :, None] + (high - low)[:, :, None] * np.linspace(0, 1, 9)
    above = tangents(problem, grid, envelope(problem, low, high))
    at = np.ascontiguousarray(0.5 * (low + high))
    dense = np.sort(np.concatenate([most[:, :, None] * np.linspace(0, 1, 200), at[:, :, None]], axis=2), axis=2)
    below = chords(problem, dense, touch(problem, at, most))
    knots = below.base[:, :, None] + np.cumsum(np.concatenate([np.zeros((4, 2, 1)), below.widths * below.slopes],
                                                              axis=2), axis=2)
    for c, t in itertools.product(range(4), range(2)):
        def true(stock: np.ndarray, c: int = c, t: int = t) -> np.ndarray:
            half, shape = problem.curves.half[c, t], problem.curves.shape[c, t]
            return np.asarray(problem.curves.scale[c, t] * stock ** shape / (half ** shape + stock ** shape))
        stocks = np.linspace(low[c, t], high[c, t], 101)
        ends = low[c, t] + np.concatenate([[0.0], np.cumsum(above.widths[c, t])])
        values = above.base[c, t] + np.concatenate([[0.0], np.cumsum(above.widths[c, t] * above.slopes[c, t])])
        assert (np.interp(stocks, ends, values) >= true(stocks) - 1e-12).all()
        assert (np.diff(above.slopes[c, t][above.widths[c, t] > 1e-12]) <= 1e-9).all()
        assert (knots[c, t] <= true(dense[c, t]) + 1e-12).all()
        place = int(np.argmin(np.abs(dense[c, t] - at[c, t])))
        assert knots[c, t, place] == pytest.approx(float(true(at[c, t])), abs=1e-12)


def test_contradictions_are_named_for_s_shaped_curves_too() -> None:
    curves = s_curves(3, 1)
    with pytest.raises(om.InfeasibleError, match=r"limits\.roi"):
        om.allocate(curves=curves, budget=BUDGET, periods=1, limits={"roi": 30.0, "spend_all": True})
    with pytest.raises(om.InfeasibleError, match=r"limits\.rows\.a = 7,000"):
        om.allocate(curves=curves, budget=BUDGET, periods=1,
                    limits={"rows": [{"limit": "a", "sense": ">=", "value": 7000.0}]})


def test_least_spend_where_the_best_response_is_not_concave() -> None:
    curves = s_curves(4, 2)
    best = om.allocate(curves=curves, budget=3000.0, periods=1)
    least = om.allocate(curves=curves, periods=1, objective="spend", target=best.objective)
    assert least.is_proven and least.bound <= 3000.0 * (1 + 1e-9)
    assert least.objective == pytest.approx(3000.0, rel=2e-3)
    with pytest.raises(om.UsageError, match="beyond reach"):
        om.allocate(curves=curves, periods=1, objective="spend", target=1e4)


def test_today_is_never_beaten_by_the_plan_and_time_limits_hold() -> None:
    curves = s_curves(12, 8, periods=6)
    today = {f"c{k}": BUDGET / 72 for k in range(12)}
    om.allocate(curves=curves, budget=BUDGET, periods=6, limits={"step": 0.3}, today=today)  # compiled
    start = time.monotonic()
    plan = om.allocate(curves=curves, budget=BUDGET, periods=6, limits={"step": 0.5, "ramp": 0.2}, today=today,
                       time_limit=0.5, gap=1e-9)
    assert time.monotonic() - start < 1.5
    assert plan.today_objective is not None and plan.objective >= plan.today_objective
    assert math.isfinite(plan.bound) and plan.bound >= plan.objective
