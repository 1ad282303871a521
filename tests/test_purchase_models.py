"""Likelihoods and forecasts of repeat orders against integrals, published formulas and drawn customers."""

from __future__ import annotations

import numpy as np
import pytest
from buying import draw_log
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import betaln, expit, gammaln, hyp2f1, logit
from scipy.stats import beta as beta_law
from scipy.stats import gamma as gamma_law

from omnisim.study.purchases.fit import fit_process, histories, predict_totals
from omnisim.study.purchases.forecast import beta_rule, expect, forecast, frequencies, gamma_rule
from omnisim.study.purchases.models import (
    BG_NBD,
    PARETO_NBD,
    Floats,
    Histories,
    Process,
    chance_alive,
    log_likelihood,
    plain_simulator,
    simulator,
)
from omnisim.study.purchases.transaction_log import read_log

PROCESSES = (BG_NBD, PARETO_NBD, simulator(1e-3))
VALUES = {"bg_nbd": [0.2426, 125.0, 0.7929, 2.4258], "pareto_nbd": [0.553, 74.0, 0.606, 82.0],
          "simulator": [0.5, 60.0, 1.2, 2.0, 0.3]}


def one(repeats: int, last: float, age: float) -> Histories:
    return Histories(np.array([repeats]), np.array([last]), np.array([age]), np.ones(1))


def some() -> Histories:
    """Histories of all kinds."""
    rows = [(0, 0, 1), (0, 0, 400), (1, 0, 300), (1, 300, 300), (2, 30, 39), (7, 200, 210), (40, 100, 700),
            (300, 690, 700)]
    x, last, age = np.array(rows).T
    return Histories(x, last.astype(float), age.astype(float), np.ones(len(rows)))


def by_hand(process: Process, values: list[float], repeats: int, last: float, age: float) -> float:
    """The likelihood by integrating over the ranks of customers' rates and chances."""
    nodes, weights = np.polynomial.legendre.leggauss(150)
    ranks, weights = (1 + nodes) / 2, weights / 2
    rate = gamma_law(values[0], scale=1 / values[1]).ppf(ranks)[:, None]

    def history(lapse: Floats, leave: Floats) -> Floats:
        end = rate + leave
        alive = (1 - lapse) ** repeats * np.exp(-end * age)
        gone = lapse * (1 - lapse) ** (repeats - 1) * np.exp(-end * last) if repeats else 0.0
        left = (1 - lapse) ** repeats * leave * (np.exp(-end * last) - np.exp(-end * age)) / end
        return np.asarray(rate**repeats * (alive + gone + left))

    if process.name == "pareto_nbd":
        return float(weights @ history(np.zeros(1), gamma_law(values[2], scale=1 / values[3]).ppf(ranks)) @ weights)
    loyal, leave = values[4] if len(values) > 4 else 0.0, np.full(1, process.leave)
    may = weights @ history(beta_law(values[2], values[3]).ppf(ranks), leave) @ weights
    return float((1 - loyal) * may + loyal * (weights @ history(np.zeros(1), leave)).item())


@pytest.mark.parametrize(("process", "values"), [
    (BG_NBD, [1.4, 60.0, 1.3, 2.4]), (PARETO_NBD, [1.4, 60.0, 1.6, 300.0]), (PARETO_NBD, [1.4, 300.0, 1.6, 60.0]),
    (simulator(2e-3), [1.4, 60.0, 1.3, 2.4, 0.3])], ids=["bg", "pareto", "pareto quick", "simulator"])
@pytest.mark.parametrize("history", [(0, 0.0, 90.0), (1, 20.0, 90.0), (3, 70.0, 90.0)])
def test_likelihood_is_the_integral_over_customers(process: Process, values: list[float],
                                                   history: tuple[int, float, float]) -> None:
    found = process.likelihood(one(*history), np.array(values))[0][0]
    assert found == pytest.approx(np.log(by_hand(process, values, *history)), abs=1e-4)


def test_pareto_nbd_agrees_with_the_published_formula() -> None:
    # Fader & Hardie (2005), "A note on deriving the Pareto/NBD", eq. 18 and the two cases below it
    for r, alpha, s, b in ((0.553, 74.0, 0.606, 82.0), (0.8, 120.0, 0.5, 60.0)):
        for x, last, age in ((0, 0.0, 200.0), (2, 30.0, 39.0), (7, 150.0, 300.0)):
            n, most, other = r + s + x, max(alpha, b), (s + 1 if alpha >= b else r + x)

            near, far = (hyp2f1(n, other, n + 1, abs(alpha - b) / (most + t)) / (most + t) ** n for t in (last, age))
            inside = (alpha + age) ** -(r + x) * (b + age) ** -s + s / n * (near - far)
            wanted = gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(b) + np.log(inside)
            found = PARETO_NBD.likelihood(one(x, last, age), np.array([r, alpha, s, b]))[0][0]
            assert found == pytest.approx(wanted, abs=1e-9)


def test_simulator_without_its_own_features_is_bg_nbd() -> None:
    h, values = some(), np.array(VALUES["bg_nbd"])
    assert simulator(0.0).likelihood(h, np.append(values, 0.0))[0] == pytest.approx(BG_NBD.likelihood(h, values)[0])
    assert plain_simulator(0.0).likelihood(h, values)[0] == pytest.approx(BG_NBD.likelihood(h, values)[0])


@given(st.lists(st.floats(-2.0, 2.0), min_size=5, max_size=5), st.sampled_from(range(3)))
def test_gradient_is_the_slope(moves: list[float], which: int) -> None:
    process, h = PROCESSES[which], some()
    values = np.array(VALUES[process.name])
    values[:4] *= np.exp(moves[:values[:4].size])
    if values.size > 4:
        values[4] = expit(logit(0.3) + moves[4])
    _, gradient = log_likelihood(process, h, values)
    for k, value in enumerate(values):
        step = 1e-5 * value * np.eye(values.size)[k]
        above, below = (log_likelihood(process, h, values + sign * step)[0] for sign in (1, -1))
        assert gradient[k] * value == pytest.approx((above - below) / 2e-5, abs=2e-4 * max(1.0, abs(above) * 1e-2))


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_likelihood_stays_finite_far_out(process: Process) -> None:
    rows = Histories(np.array([0, 1, 5000, 20_000]), np.array([0.0, 0.0, 9_999.0, 1.0]),
                     np.array([0.0, 1e4, 1e4, 1e4]), np.ones(4))
    for scale in (1e-2, 1.0, 1e4):
        values = np.array(VALUES[process.name]) * np.array([1, scale, 1, 1, 1][:len(VALUES[process.name])])
        each, slopes, alive = process.likelihood(rows, values)
        assert np.isfinite(each).all() and np.isfinite(slopes).all() and (alive <= 1e-12).all()


def test_forecast_of_bg_nbd_is_the_published_one() -> None:
    # customer 1 of the CDNOW sample in Fader, Hardie & Lee's worked example, in weeks: 1.226 orders in 39 more
    found = forecast(BG_NBD, np.array([0.243, 4.414, 0.793, 2.426]), one(2, 30.43, 38.86), 39.0)
    assert found.mean[0] == pytest.approx(1.226, abs=1e-3)
    h, t = some(), 180.0
    r, alpha, a, b = VALUES["bg_nbd"]
    x = h.repeats
    wanted = (a + b + x - 1) / (a - 1) * (1 - ((alpha + h.age) / (alpha + h.age + t)) ** (r + x)
                                          * hyp2f1(r + x, b + x, a + b + x - 1, t / (alpha + h.age + t)))
    values = np.array(VALUES["bg_nbd"])
    assert forecast(BG_NBD, values, h, t).mean == pytest.approx(wanted * chance_alive(BG_NBD, h, values), rel=1e-6)


def test_forecast_of_pareto_nbd_is_the_published_one() -> None:
    h, t, values = some(), 180.0, np.array(VALUES["pareto_nbd"])
    r, alpha, s, b = values
    lasting = 1 - ((b + h.age) / (b + h.age + t)) ** (s - 1)
    wanted = (r + h.repeats) * (b + h.age) / ((alpha + h.age) * (s - 1)) * lasting * chance_alive(PARETO_NBD, h, values)
    assert forecast(PARETO_NBD, values, h, t).mean == pytest.approx(wanted, rel=1e-5)


@pytest.mark.parametrize("process", PROCESSES, ids=lambda process: process.name)
def test_forecasts_agree_with_drawn_customers(process: Process) -> None:
    values, n, days = np.array(VALUES[process.name]), 200_000, 300
    luck = np.random.default_rng(5)
    rate = luck.gamma(values[0], 1 / values[1], n)
    leave = luck.gamma(values[2], 1 / values[3], n) if process.name == "pareto_nbd" else np.full(n, process.leave)
    stays = luck.exponential(1 / np.maximum(leave, 1e-12))
    orders = luck.poisson(rate * np.minimum(days, stays))
    if process.name != "pareto_nbd":
        loyal = luck.uniform(size=n) < (values[4] if values.size > 4 else 0.0)
        last = luck.geometric(np.maximum(luck.beta(values[2], values[3], n), 1e-12))
        orders = np.where(loyal, orders, np.minimum(orders, last))
    found = forecast(process, values, one(0, 0.0, 0.0), float(days))
    error = np.sqrt(found.variance[0] / n)
    assert orders.mean() == pytest.approx(found.mean[0], abs=4 * error)
    assert orders.var() == pytest.approx(found.variance[0], rel=0.06)
    assert (orders > 0).mean() == pytest.approx(found.any[0], abs=4 * 0.5 / np.sqrt(n))
    assert expect(process, values, np.array([0.0, days]))[1] == pytest.approx(found.mean[0])
    counted = np.bincount(np.minimum(orders, 5), minlength=6)
    told = frequencies(process, values, np.array([float(days)]), np.array([float(n)]), 5)
    assert told.sum() == pytest.approx(n)
    assert (np.abs(counted - told) < 4 * np.sqrt(told)).all()


@given(st.floats(0.05, 200.0), st.floats(0.05, 50.0))
def test_rules_take_means(a: float, b: float) -> None:
    nodes, weights = gamma_rule(a)
    assert weights.sum() == pytest.approx(1) and nodes @ weights == pytest.approx(a)
    nodes, weights = beta_rule(a, b)
    assert weights.sum() == pytest.approx(1) and nodes @ weights == pytest.approx(a / (a + b), rel=1e-6)
    assert nodes**3 @ weights == pytest.approx(np.exp(betaln(a + 3, b) - betaln(a, b)), rel=1e-6)


def fitted(seed: int, n: int = 4_000) -> tuple[Floats, Floats]:
    log = read_log(draw_log(n, 700, rate=(0.6, 60.0), lapse=(0.8, 2.4), seed=seed))
    assert log is not None
    fit = fit_process(BG_NBD, histories(log, log.last_day, np.arange(log.last_day + 1.0))[0])
    return np.log(fit.values / np.array([0.6, 60.0, 0.8, 2.4])), np.sqrt(np.diag(fit.covariance))


def test_standard_errors_are_what_estimates_scatter_by() -> None:
    found = [fitted(seed) for seed in range(25)]
    z = np.array([off / error for off, error in found])
    assert (np.abs(z.mean(axis=0)) < 4 / np.sqrt(25)).all()
    assert (z.std(axis=0) > 0.55).all() and (z.std(axis=0) < 1.6).all()


def test_totals_lie_within_their_interval() -> None:
    inside = 0
    for seed in range(12):
        log = read_log(draw_log(3_000, 600, rate=(0.6, 60.0), lapse=(0.8, 2.4), seed=seed))
        assert log is not None
        cut = 400
        h, _, who = histories(log, cut, np.arange(log.last_day + 1.0))
        actual = np.isin(log.customer[log.day > cut], who).sum()
        totals = predict_totals(fit_process(BG_NBD, h), h, float(log.last_day - cut))
        inside += abs(actual - totals.orders) < 1.96 * totals.orders_sd
    assert inside >= 9  # fewer happen once in 500, if 95 % lie inside


def test_what_a_short_log_cannot_tell_is_said() -> None:
    log = read_log(draw_log(400, 200, rate=(0.6, 60.0), lapse=(0.8, 2.4), seed=1))
    assert log is not None
    fit = fit_process(simulator(1e-4), histories(log, log.last_day, np.arange(log.last_day + 1.0))[0])
    assert not fit.identified[4] and np.isnan(fit.standard_errors[4])
    assert fit.identified[0] and fit.standard_errors[0] > 0
