"""Forecasts: recursions against plain loops, series whose truth is known, and periods held out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest

from omnisim.errors import UsageError
from omnisim.supply.forecast import (
    Forecast,
    budget_driver,
    campaign_driver,
    croston,
    demand_over,
    forecast_demand,
    hold_out,
    measure_accuracy,
)
from omnisim.supply.forecast.smoothing import smooth_many


def draw(n: int, periods: int, alpha: float, gamma: float, sigma: float, generator) -> np.ndarray:
    """Series from ETS(A, N, A) with a week that starts as a wave."""
    level = np.full(n, 100.0)
    season = np.tile(10 * np.sin(2 * np.pi * np.arange(7) / 7), (n, 1))
    found = np.empty((n, periods))
    for t in range(periods):
        error = sigma * generator.normal(size=n)
        found[:, t] = level + season[:, t % 7] + error
        level += alpha * error
        season[:, t % 7] += gamma * error
    return found


def plain(series: np.ndarray, m: int, alpha: float, gamma: float) -> tuple[float, float, np.ndarray, list[float]]:
    """The recursions of one series in plain Python: sum of squares, level, season and errors."""
    start = series[:4 * m]
    level = float(np.nanmean(start))
    season = [float(np.nanmean(start[p::m] - level)) if m > 1 else 0.0 for p in range(m)]
    errors, total = [], 0.0
    for t, y in enumerate(series):
        if math.isnan(y):
            continue
        error = y - level - season[t % m]
        level += alpha * error
        season[t % m] += gamma * error
        if t >= m:
            total += error**2
            errors.append(error)
    following = np.array([season[(len(series) + p) % m] for p in range(m)])
    return total, level, following, errors


def test_smoothing_against_a_plain_loop_and_all_weights() -> None:
    generator = np.random.default_rng(1)
    history = draw(3, 120, 0.3, 0.1, 5.0, generator)
    history[1, 50:60] = np.nan
    for m in (7, 1):
        found = smooth_many(history, season=m, coverage=0.8)
        for i, series in enumerate(history):
            alpha, gamma = found.weights[i]
            total, level, season, errors = plain(series, m, alpha, gamma)
            assert found.level[i] == pytest.approx(level)
            assert found.season[i] == pytest.approx(season)
            assert found.spread[i] == pytest.approx(math.sqrt(total / (len(errors) - 2)))
            assert found.quantiles[i] * found.spread[i] == pytest.approx(np.quantile(errors, [0.1, 0.9]))
            best = min(plain(series, m, a, g)[0] for a in np.linspace(0.05, 0.95, 10)
                       for g in (np.linspace(0, 0.4, 6) if m > 1 else [0.0]) if a + g <= 1)
            assert total <= best * 1.005


def test_truth_is_recovered_and_intervals_hold_what_they_say() -> None:
    generator = np.random.default_rng(2)
    series = draw(400, 614, 0.15, 0.05, 6.0, generator)
    history, future = series[:, :600], series[:, 600:]
    fit = smooth_many(history, season=7, coverage=0.9)
    assert fit.weights.mean(0) == pytest.approx([0.15, 0.05], abs=0.02)
    assert fit.spread.mean() == pytest.approx(6.0, rel=0.02)
    found = forecast_demand(history, horizon=14, coverage=0.9)
    result = measure_accuracy(found, future)
    assert result.coverage == pytest.approx(0.9, abs=0.02)
    assert abs(result.bias) < 0.01
    assert result.wape == pytest.approx(np.mean([6 * math.sqrt(2 / math.pi) * math.sqrt(
        1 + sum((0.15 + 0.05 * (j == 7)) ** 2 for j in range(1, h))) for h in range(1, 15)]) / 100, rel=0.1)
    total = demand_over(found, 10)
    errors = (future[:, :10].sum(1) - total.mean) / total.sd
    assert errors.std() == pytest.approx(1, abs=0.12)
    assert np.abs(errors).mean() == pytest.approx(math.sqrt(2 / math.pi), abs=0.1)


def test_spread_of_sums_against_drawn_futures() -> None:
    generator = np.random.default_rng(3)
    found = forecast_demand(draw(1, 300, 0.2, 0.1, 4.0, generator), horizon=12)
    fit = smooth_many(draw(1, 300, 0.2, 0.1, 4.0, np.random.default_rng(3)), season=7, coverage=0.9)
    alpha, gamma = fit.weights[0]
    level, season = np.full(60_000, fit.level[0]), np.tile(fit.season[0], (60_000, 1))
    paths = np.empty((60_000, 12))
    for t in range(12):
        error = fit.spread[0] * generator.normal(size=60_000)
        paths[:, t] = level + season[:, t % 7] + error
        level += alpha * error
        season[:, t % 7] += gamma * error
    assert paths.std(0) == pytest.approx(found.spread[0], rel=0.02)
    for periods in (1, 5, 12):
        total = demand_over(found, periods)
        assert total.mean[0] == pytest.approx(paths[:, :periods].sum(1).mean(), rel=0.01)
        assert total.sd[0] == pytest.approx(paths[:, :periods].sum(1).std(), rel=0.02)


def test_croston_against_a_plain_loop() -> None:
    history = np.random.default_rng(4).poisson(0.3, (6, 300)) * np.random.default_rng(5).integers(1, 6, (6, 300))
    for corrected in (True, False):
        found = croston(history.astype(float), corrected=corrected)
        for i, series in enumerate(history):
            alpha, shrink = found.weight[i], 1 - found.weight[i] / 2 if corrected else 1.0
            sales = np.flatnonzero(series)
            size, interval = float(series[sales[0]]), sales[0] + 1.0
            for before, now in itertools.pairwise(sales):
                size += alpha * (series[now] - size)
                interval += alpha * (now - before - interval)
            assert (found.size[i], found.interval[i]) == pytest.approx((size, interval))
            assert found.rate[i] == pytest.approx(shrink * size / interval)


def test_the_correction_takes_out_crostons_bias() -> None:
    generator = np.random.default_rng(6)
    history = (generator.random((3000, 250)) < 0.25) * generator.integers(1, 5, (3000, 250)).astype(float)
    true, alpha = 0.25 * 2.5, 0.2
    raw, right = croston(history, corrected=False, weight=alpha), croston(history, weight=alpha)
    assert raw.rate.mean() == pytest.approx(true * (1 + alpha / (2 - alpha) * 0.75), rel=0.02)
    assert right.rate.mean() == pytest.approx(true, rel=0.04)
    found = forecast_demand(history, horizon=3)
    assert found.is_sparse.all()
    held_out = (generator.random((3000, 3)) < 0.25) * generator.integers(1, 5, (3000, 3))
    assert measure_accuracy(found, held_out).coverage >= 0.9


def sold(n: int, periods: int, generator, lift: np.ndarray) -> np.ndarray:
    week = np.array([0.8, 0.9, 0.9, 1.0, 1.1, 1.3, 1.0])
    level = np.exp(generator.normal(4, 0.5, (n, 1)) + np.cumsum(generator.normal(0, 0.005, (n, periods)), axis=1))
    return generator.poisson(level * week[np.arange(periods) % 7] * lift).astype(float)


def test_campaigns_are_learned_and_put_into_the_future() -> None:
    generator, periods = np.random.default_rng(7), 428
    days = [day for start in (60, 165, 313, 410) for day in range(start, start + 5)]
    driver = campaign_driver("sale", days, periods=periods)
    demand = sold(150, periods, generator, 1 + 1.2 * driver.values)
    found = forecast_demand(demand[:, :400], horizon=28, drivers=[driver])
    assert found.effects[:, 0].mean() == pytest.approx(1.2, abs=0.08)
    with_it, without = (measure_accuracy(one, demand[:, 400:])
                        for one in (found, forecast_demand(demand[:, :400], horizon=28)))
    assert with_it.wape < 0.75 * without.wape
    assert abs(with_it.bias) < 0.04 < -without.bias
    assert with_it.coverage == pytest.approx(0.9, abs=0.03)
    told = forecast_demand(demand[:, :400], horizon=28, drivers=[driver._replace(effect=1.2)])
    assert told.effects.tolist() == [[1.2]] * 150
    assert measure_accuracy(told, demand[:, 400:]).wape < without.wape


def test_planned_budgets_move_the_forecast_through_their_curve() -> None:
    generator, periods = np.random.default_rng(8), 420
    budgets = 1000 * np.repeat(generator.choice([0.5, 1.0, 2.0], periods // 4), 4)
    budgets[400:] = 3000  # planned: more than ever before

    def curve(spend: np.ndarray) -> np.ndarray:
        return spend / (spend + 1500)

    driver = budget_driver("media", budgets, curve, history=400, carry_over=0.3)
    assert driver.values[:400].mean() == pytest.approx(0)
    demand = sold(100, periods, generator, 1 + 0.4 * driver.values)
    found = forecast_demand(demand[:, :400], horizon=20, drivers=[driver])
    assert found.effects[:, 0].mean() == pytest.approx(0.4, abs=0.05)
    result = measure_accuracy(found, demand[:, 400:])
    blind = measure_accuracy(forecast_demand(demand[:, :400], horizon=20), demand[:, 400:])
    assert abs(result.bias) < 0.03 and result.wape < blind.wape
    both = forecast_demand(demand[:, :400], horizon=20, drivers=[driver, campaign_driver("none", [], periods=periods)])
    assert both.effects[:, 1] == pytest.approx(0, abs=1e-9)
    own = driver._replace(values=np.tile(driver.values, (100, 1)))  # the same by series: another way to solve
    assert forecast_demand(demand[:, :400], horizon=20, drivers=[own]).mean == pytest.approx(found.mean, rel=1e-6)


def test_unknown_days_are_not_taken_for_zero() -> None:
    generator = np.random.default_rng(9)
    demand = sold(60, 328, generator, np.ones(328))
    history = demand[:, :300].copy()
    history[:, 285:] = np.nan  # sold out: what was asked for is not known
    unknown = measure_accuracy(forecast_demand(history, horizon=28), demand[:, 300:])
    zero = measure_accuracy(forecast_demand(np.nan_to_num(history), horizon=28), demand[:, 300:])
    assert abs(unknown.bias) < 0.05
    assert zero.bias < -0.08


def test_accuracy_by_hand() -> None:
    one = np.array([[4.0, 6.0]])
    found = Forecast(one, one - 1, one + 1, one, np.array([False]), np.empty((1, 0)), np.zeros((1, 1)))
    assert measure_accuracy(found, [[5.0, 3.0]]) == pytest.approx((4 / 8, 2 / 8, 0.5))
    assert measure_accuracy(found, [[5.0, np.nan]]) == pytest.approx((1 / 5, -1 / 5, 1.0))


@pytest.mark.parametrize(("call", "message"), [
    (lambda: forecast_demand([1.0] * 9, horizon=3), "history = 9 periods — must have two seasons or more"),
    (lambda: forecast_demand([1.0, -2.0] * 9, horizon=3), "history = negative or no figures — must be ≥ 0"),
    (lambda: forecast_demand([[1.0] * 20, [np.nan] * 20], horizon=3), r"history\[1\] = nan throughout — must have a"),
    (lambda: forecast_demand([1.0] * 20, horizon=0), "horizon = 0 — must be ≥ 1"),
    (lambda: forecast_demand([1.0] * 20, horizon=2, coverage=1), "coverage = 1 — must lie strictly between 0 and 1"),
    (lambda: forecast_demand([1.0] * 20, horizon=2, method="magic"), "method = magic — must be 'auto', 'smoothing'"),
    (lambda: forecast_demand([1.0] * 20, horizon=2, drivers=[campaign_driver("sale", [3], periods=20)]),
     r"driver 'sale' = shape \(20,\) — must be finite, of shape \(22,\) or \(1, 22\)"),
    (lambda: campaign_driver("sale", [30], periods=20), r"days \(sale\) = 30 — must lie between 0 and 19"),
    (lambda: budget_driver("media", [1.0, 2.0], lambda b: 0 * b, history=1), "0 throughout the history — must be > 0"),
    (lambda: budget_driver("media", [1.0, -2.0], lambda b: b, history=1), r"budgets\[1\] = -2.0 — must be finite and"),
    (lambda: demand_over(forecast_demand([1.0] * 20, horizon=2), 3), r"= 3 — must lie within the horizon \(2\)"),
    (lambda: measure_accuracy(forecast_demand([1.0] * 20, horizon=2), [[1.0]]), r"shape \(1, 1\) — must be \(1, 2\)"),
])
def test_refused(call, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        call()


def test_weeks_held_out_are_not_seen() -> None:
    generator = np.random.default_rng(10)
    demand = sold(30, 300, generator, np.ones(300))
    driver = campaign_driver("sale", [100, 290], periods=310)
    found = hold_out(demand, horizon=14, folds=3, drivers=[driver])
    for fold, one in enumerate(found):
        end = 300 - 14 * fold
        forecast = forecast_demand(demand[:, :end - 14], horizon=14,
                                   drivers=[driver._replace(values=driver.values[:end])])
        assert one == measure_accuracy(forecast, demand[:, end - 14:end])
    spoilt = demand.copy()
    spoilt[:, 286:] *= 10
    assert hold_out(spoilt, horizon=14, folds=3, drivers=[driver])[1:] == found[1:]
    with pytest.raises(UsageError, match="history = 0 periods — must have two seasons or more"):
        hold_out(demand, horizon=150, folds=2)


def test_steady_and_silent_series() -> None:
    steady = forecast_demand([[5.0] * 30, [0.0] * 30], horizon=4)
    assert steady.mean[0] == pytest.approx([5] * 4)
    assert steady.spread[0] == pytest.approx([0] * 4, abs=1e-9)
    assert steady.mean[1].tolist() == [0] * 4
