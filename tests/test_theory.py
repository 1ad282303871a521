"""The simulation against closed forms, with four standard errors."""

from __future__ import annotations

import numpy as np
import pytest
from building import channel, scenario, users
from scipy import optimize, special, stats

from omnisim import simulation
from omnisim.books import MEASURE, ORIGINS
from omnisim.market.market import open_market

REPURCHASE = {"rate_shape": 0.2426, "rate_scale": 125.0, "lapse_a": 0.7929, "lapse_b": 2.4258}


def customers_only(n: int, **repurchase: float):
    """n customers who all ordered first on the eve of the first day; nothing but repurchase happens."""
    return scenario(
        horizon={"days": 365, "warm_up": 0}, population={"size": n, "renewal": 0.0},
        brand={"age": 1 / 365, "new_customers": 30.0 * n, "repurchase": REPURCHASE | {
            "interest_uplift": 0.0, "dormant_after": 3650, "lost_after": 3650} | repurchase})


def refit(books, n: int) -> dict[str, float]:
    """Maximum likelihood of BG/NBD (Fader, Hardie & Lee 2005, eq. 6) on what the customers bought in a year."""
    orders, horizon = books.orders, 365.5
    times = orders["day"] + orders["minute"] / 1440 + 0.5
    x = np.bincount(orders["consumer"], minlength=n)
    recency = np.zeros(n)
    np.maximum.at(recency, orders["consumer"], times)

    def loss(parameters: np.ndarray) -> float:
        r, alpha, a, b = np.exp(parameters)
        front = (special.gammaln(r + x) - special.gammaln(r) + r * np.log(alpha)
                 + special.gammaln(a + b) + special.gammaln(b + x) - special.gammaln(b) - special.gammaln(a + b + x))
        alive = -(r + x) * np.log(alpha + horizon)
        lapsed = np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1) - 1)
                          - (r + x) * np.log(alpha + recency), -np.inf)
        return float(-np.mean(front + np.logaddexp(alive, lapsed)))

    found = optimize.minimize(loss, np.log([0.5, 60.0, 0.6, 1.7]), method="Nelder-Mead",
                              options={"xatol": 1e-4, "fatol": 1e-9, "maxiter": 4000})
    return dict(zip(REPURCHASE, np.exp(found.x), strict=True))


def test_bgnbd_refit_recovers_the_parameters_within_ten_percent() -> None:
    n = 200_000
    found = [refit(simulation.simulate(customers_only(n), seed=seed), n) for seed in range(3, 7)]
    for name, true in REPURCHASE.items():  # one year of one seed leaves 8 % of luck on the lapse parameters
        assert stats.gmean([one[name] for one in found]) == pytest.approx(true, rel=0.10), found


def test_repeat_share_matches_bgnbd() -> None:
    """P(at least one repeat in t) = 1 - (α / (α + t))^r."""
    n = 100_000
    books = simulation.simulate(customers_only(n), seed=5)
    share = np.unique(books.orders["consumer"]).size / n
    expected = 1 - (125.0 / (125.0 + 365.5)) ** 0.2426
    assert abs(share - expected) < 4 * np.sqrt(expected * (1 - expected) / n)


@pytest.mark.parametrize("k", [0.2, 0.5])
def test_referral_multiplies_customers_by_one_over_one_minus_k(k: float) -> None:
    """A branching process: total = n0 / (1 - K), for n0 at most 0.2 % of the population."""
    totals, firsts = [], []
    for seed in range(20):
        books = simulation.simulate(scenario(
            horizon={"days": 70, "warm_up": 0}, population={"size": 250_000, "renewal": 0.0},
            channels={"shop": channel(budget=24.0, click_share=1.0, intercept=0.0)},
            referral={"share_rate": 1.0, "invitations": 2, "acceptance": k / 2, "advocates": 0.0},
            brand={"age": 0.0, "new_customers": 0.0, "loop": {"repurchase": False}}), seed=seed,
            plan=simulation.Plan(first_days=(0, 1), budgets={"shop": (2400, 0)}))
        origin = books.orders["origin"]
        first = int((origin != ORIGINS.index("referral")).sum())
        assert 0 < first <= 0.002 * 250_000
        totals.append(origin.size)
        firsts.append(first)
    ratio = np.array(totals) / np.array(firsts)
    error = ratio.std(ddof=1) / np.sqrt(ratio.size)
    assert abs(ratio.mean() - 1 / (1 - k)) < 0.01 / (1 - k) + 4 * error


def test_exposures_match_their_expectation() -> None:
    """Each consumer is reached with probability 1 - exp(-ρ θ), ρ = impressions / audience."""
    s = scenario(channels={"shop": channel(budget=60.0)}, horizon={"days": 30, "warm_up": 0})
    books = simulation.simulate(s, seed=2)
    market = open_market(s, 2, 0, [(0, s.population.size)])
    theta = market.consumers.people["affinity"].astype(float)
    p = -np.expm1(-2000.0 / theta.sum() * theta)
    seen = books.daily[:, 0, MEASURE["impressions"]]
    assert abs(seen.mean() - p.sum()) < 4 * np.sqrt((p * (1 - p)).sum() / seen.size)
    assert seen.var(ddof=1) / (p * (1 - p)).sum() == pytest.approx(1.0, abs=4 * np.sqrt(2 / 29))


def test_affinity_is_gamma_with_mean_one() -> None:
    market = open_market(scenario(population={"size": 100_000, "renewal": 0.0}), 1, 0, [(0, 100_000)])
    theta = market.consumers.people["affinity"].astype(float)
    assert theta.mean() == pytest.approx(1.0, abs=2e-3)
    assert stats.kstest(theta[:20_000], stats.gamma(0.3, scale=1 / 0.3).cdf).statistic < 0.005


def test_platform_use_has_its_reach_and_correlation() -> None:
    s = scenario(population={"size": 200_000, "overlap": 0.6, "renewal": 0.0},
                 channels={"a": channel(reach=0.45), "b": channel(reach=0.45)})
    c = open_market(s, 1, 0, [(0, 200_000)]).consumers
    a, b = (users(c, k).astype(float) for k in range(2))
    assert a.mean() == pytest.approx(0.45, abs=0.005)
    assert np.corrcoef(a, b)[0, 1] == pytest.approx(0.6, abs=0.01)


def test_seats_of_an_empty_community_fill_as_joins_and_leaves_say() -> None:
    """2,500 seats at 85 joins a day and 3 % leaving a week are full after about 31.4 days."""
    daily_leave = 1 - 0.97 ** (1 / 7)
    days, members = 0, 0.0
    while members < 2500:
        members += 85 - members * daily_leave
        days += 1
    assert days == 32


def test_interest_halves_in_its_half_lives() -> None:
    from omnisim.market.rules import compile_rules
    rules = compile_rules(scenario(), 1, 0)
    assert rules["decay"][0, 21, 0] == pytest.approx(0.5, rel=1e-12)
    assert rules["decay"][0, 5, 1] == pytest.approx(0.5, rel=1e-12)
    assert rules["decay_visit"][0, 4] == pytest.approx(0.5, rel=1e-12)
