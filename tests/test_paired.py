"""Statistics of comparisons: closed forms, and coverage on problems whose answer is known."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from omnisim.study.comparing.paired import (
    holm,
    mean_interval,
    p_values,
    probability_best,
    quantile,
    replications_needed,
)


def test_interval_is_student_s() -> None:
    values = np.array([[1.0, 2.0, 4.0, 9.0]])
    mean, low, high = mean_interval(values)
    expected = stats.t.interval(0.95, 3, loc=4.0, scale=stats.sem(values[0]))
    assert (mean[0], low[0], high[0]) == pytest.approx((4.0, *expected))


def test_what_does_not_vary_has_no_width_and_one_replication_no_interval() -> None:
    assert [float(part[0]) for part in mean_interval(np.zeros((1, 5)))] == [0.0, 0.0, 0.0]
    assert np.isnan(mean_interval(np.ones((2, 1)))[1]).all()


def test_quantile_of_many_comparisons_is_sidak_s() -> None:
    assert quantile(9, 1) == pytest.approx(stats.t.ppf(0.975, 9))
    for m in (2, 5, 11):
        inside = 1.0 - 2.0 * stats.t.sf(quantile(11, m), 11)
        assert inside**m == pytest.approx(0.95)
        assert stats.t.ppf(0.975, 11) < quantile(11, m) < stats.t.ppf(1.0 - 0.025 / m, 11)  # Bonferroni's is wider


@pytest.mark.parametrize(("arms", "shared"), [(2, 0.0), (2, 3.0), (8, 0.0), (8, 3.0)])
def test_all_intervals_of_a_comparison_hold_together(arms: int, shared: float) -> None:
    """Arms with own noise, luck in common and one baseline: all true differences lie inside in 95 % of 4,000 cases."""
    luck = np.random.default_rng(5)
    truth, cases, size = np.linspace(0.0, 2.0, arms), 4_000, 10
    values = truth[:, None] + luck.normal(size=(cases, arms, size)) + shared * luck.normal(size=(cases, 1, size))
    _, low, high = mean_interval(values - values[:, :1], arms - 1)
    difference = truth - truth[0]
    held = ((low <= difference + 1e-9) & (difference <= high + 1e-9)).all(axis=1).mean()
    error = 4.0 * np.sqrt(0.95 * 0.05 / cases)
    assert held >= 0.95 - error
    assert held <= (0.95 if arms == 2 else 0.985) + error  # not wide for nothing: a common baseline costs little


def test_pairs_remove_what_luck_is_shared() -> None:
    luck = np.random.default_rng(1)
    common, own = 100.0 * luck.normal(size=30), luck.normal(size=(2, 30))
    values = common + own + np.array([[0.0], [5.0]])
    _, low, high = mean_interval(values - values[0])
    assert 4.0 < low[1] < 5.5 < high[1] + 1.0
    assert np.ptp(values.mean(axis=1)) == pytest.approx(float((values - values[0]).mean(axis=1)[1]))


def test_p_is_the_paired_t_test_s() -> None:
    luck = np.random.default_rng(2)
    one, other = luck.normal(size=12), luck.normal(0.5, size=12)
    assert p_values((other - one)[None])[0] == pytest.approx(stats.ttest_rel(other, one).pvalue)
    assert p_values(np.zeros((1, 4)))[0] == 1.0
    assert p_values(np.ones((1, 4)))[0] == 0.0


def test_holm_by_hand() -> None:
    assert holm(np.array([0.01, 0.04, 0.03])) == pytest.approx([0.03, 0.06, 0.06])
    assert holm(np.array([0.5, np.nan, 0.9]))[[0, 2]] == pytest.approx([1.0, 1.0])


def test_holm_finds_nothing_false_too_often() -> None:
    luck = np.random.default_rng(3)
    p = luck.uniform(size=(4_000, 6))
    p[:, 5] = 1e-9  # one true find beside five true nulls
    false = np.mean([(holm(row)[:5] < 0.05).any() for row in p])
    assert false <= 0.05 + 4.0 * np.sqrt(0.05 * 0.95 / 4_000)


def test_probability_best() -> None:
    luck = np.random.default_rng(4)
    noise = luck.normal(size=20)
    clear = probability_best(np.stack([noise, noise + 1.0, noise - 1.0]))
    assert clear.tolist() == [0.0, 1.0, 0.0]
    assert probability_best(np.stack([noise, noise])).tolist() == [0.5, 0.5]
    assert np.isnan(probability_best(np.ones((3, 1)))).all()
    known = probability_best(np.stack([noise, np.full(20, np.nan), noise - 1.0]))
    assert known[0] == 1.0
    assert np.isnan(known[1])


def test_probability_best_follows_the_evidence() -> None:
    """Two arms a standard error apart: near Φ(1), and the chances sum to 1."""
    difference = np.random.default_rng(6).normal(size=400)
    difference = (difference - difference.mean()) / difference.std(ddof=1) + 1.0 / np.sqrt(400)
    chance = probability_best(np.stack([np.zeros(400), difference]))
    assert chance.sum() == pytest.approx(1.0)
    assert chance[1] == pytest.approx(stats.norm.cdf(1.0), abs=0.03)


def test_replications_for_a_half_width() -> None:
    pilot = np.array([[-1.0, 1.0, -1.0, 1.0, 0.0]])  # sd 1
    t = stats.t.ppf(0.975, 4)
    assert replications_needed(pilot, 0.1, 1) == int(np.ceil((t / 0.1) ** 2))
    assert replications_needed(pilot, 100.0, 1) == 5
    assert replications_needed(np.zeros((3, 5)), 0.1, 3) == 5


def test_two_stages_reach_the_half_width() -> None:
    """Stein's guarantee: with the number told by the pilot, the mean lies within the half-width in 95 % of cases."""
    luck = np.random.default_rng(8)
    inside = []
    for _ in range(1_500):
        pilot = luck.normal(size=(1, 6))
        more = replications_needed(pilot, 0.5, 1) - 6
        inside.append(abs(np.concatenate([pilot[0], luck.normal(size=more)]).mean()) <= 0.5)
    assert np.mean(inside) >= 0.95 - 4.0 * np.sqrt(0.05 * 0.95 / 1_500)
