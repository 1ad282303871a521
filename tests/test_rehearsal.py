"""Stock alone: against a slow loop written otherwise, against theory, and what it refuses."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from omnisim.errors import UsageError
from omnisim.supply.classics import newsvendor_profit, pool_risk
from omnisim.supply.rehearsal import Prices, Rehearsed, Stocked, rehearse


def slowly(stocked: Stocked, demand: Any, prices: Prices, *, waits: bool) -> list[list[int]]:
    """Cost of each day: one article at a time, deliveries kept in a list, nothing shared with the kernel."""
    found = []
    for n, asked in enumerate(np.asarray(demand).tolist()):
        def of(value: Any, n: int = n) -> int:
            return int(np.broadcast_to(value, len(demand))[n])

        level, point, lot = of(stocked.level), of(stocked.reorder_point), of(stocked.lot)
        shelf = point + lot if stocked.rule == "reorder_point" else level
        queue: list[tuple[int, int]] = []
        debt, days = 0, []
        for day, units in enumerate(asked):
            shelf += sum(amount for when, amount in queue if when == day)
            queue = [order for order in queue if order[0] != day]
            debt, shelf = debt - min(debt, shelf), shelf - min(debt, shelf)
            missed = max(0, units - shelf)
            shelf -= units - missed
            debt += missed if waits else 0
            position = shelf + sum(amount for _, amount in queue) - debt
            amount = 0
            if day % of(stocked.review_days) == 0:
                if stocked.rule == "base_stock":
                    amount = level - position
                elif stocked.rule == "min_max":
                    amount = level - position if position <= point else 0
                else:
                    while position + amount <= point:
                        amount += lot
                amount = amount if amount >= of(stocked.moq) else 0
                if amount > 0:
                    queue.append((day + of(stocked.lead_time), amount))
            days.append(of(prices.holding) * shelf + of(prices.shortage) * (debt if waits else missed)
                        + (of(prices.order) if amount > 0 else 0))
        found.append(days)
    return found


SMALL = st.integers(0, 30)


@settings(max_examples=150)
@given(rule=st.sampled_from(["base_stock", "reorder_point", "min_max"]), waits=st.booleans(), data=st.data())
def test_each_day_costs_what_a_slow_loop_says(rule: str, waits: bool, data: st.DataObject) -> None:
    n, days = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 40))
    each = st.lists(SMALL, min_size=n, max_size=n)
    moq = data.draw(st.integers(1, 6))
    stocked = Stocked(rule, level=data.draw(each), reorder_point=data.draw(each),
                      lot=moq + data.draw(st.integers(0, 9)), moq=moq,
                      lead_time=[1 + value % 9 for value in data.draw(each)], review_days=data.draw(st.integers(1, 4)))
    demand = np.array([data.draw(st.lists(st.integers(0, 9), min_size=days, max_size=days)) for _ in range(n)])
    prices = Prices(1, data.draw(SMALL), data.draw(SMALL))
    found = rehearse(stocked, demand, prices, days=days, waits=waits, keep_daily=True)
    assert found.daily.tolist() == slowly(stocked, demand, prices, waits=waits)
    assert found.cost.tolist() == found.daily.sum(axis=1).tolist()
    assert (found.demand == demand.sum(axis=1)).all()
    if not waits:
        assert (found.demand == found.filled + found.lost).all() and not found.waiting.any()


def test_drawn_demand_has_its_distribution() -> None:
    """Chi-square over 40,000 days each, Poisson and a pmf; and its luck is that of the article, whatever the rule."""
    pmf = {0: 0.5, 2: 0.2, 7: 0.3}
    few, many = (rehearse(Stocked("base_stock", level=level), [stats.poisson(6), pmf], Prices(0, 1), days=40_000,
                          keep_daily=True) for level in (0, 3))
    counts = np.bincount(few.daily[0], minlength=30)[:30]  # with nothing on the shelf, cost 1 a unit asked for
    expected = 40_000 * stats.poisson(6).pmf(np.arange(30))
    big = expected > 5
    assert stats.chisquare(np.append(counts[big], counts[~big].sum() + 1e-9),
                           np.append(expected[big], 40_000 - expected[big].sum() + 1e-9), sum_check=False).pvalue > 1e-4
    assert set(np.unique(few.daily[1])) == {0, 2, 7}
    for value, share in pmf.items():
        assert abs((few.daily[1] == value).mean() - share) < 4 * np.sqrt(share * (1 - share) / 40_000)
    assert few.demand.tolist() == many.demand.tolist()
    other = rehearse(Stocked("base_stock", level=0), [stats.poisson(6), pmf], days=40_000, replication=1)
    assert other.demand.tolist() != few.demand.tolist()


def test_a_base_stock_has_the_service_of_theory() -> None:
    """Days that end short: P(D_L > S), L days of Poisson demand; four standard errors, correlation allowed for."""
    days = 200_000
    found = rehearse(Stocked("base_stock", level=34, lead_time=4), [stats.poisson(6)], Prices(0, 1), days=days,
                     warm_up=10, waits=True, keep_daily=True)
    short = (found.daily[0] > 0).mean()
    true = stats.poisson(24).sf(34)
    assert abs(short - true) < 4 * np.sqrt(true * (1 - true) * (2 * 4) / days)


def test_lead_times_that_vary_delay_what_they_should() -> None:
    """With far too much demand every unit is sold as it comes: units a day = S / mean lead time."""
    found = rehearse(Stocked("base_stock", level=100, lead_time=3, delays=(0.5, 0.0, 0.5)), [{500: 1.0}], days=20_000,
                     warm_up=100)
    # a batch of b units is sold on the day it comes and ordered again that evening: it turns every 4 days on average
    assert found.filled[0] / 19_900 == pytest.approx(100 / 4, rel=0.03)


def smallest_level(mean: int) -> int:
    """The least base stock without a stock-out on 95 % of days, over L = 7 days, found by simulation."""
    low, high = 7 * mean, 7 * mean + 200
    while low < high:
        middle = (low + high) // 2
        found = rehearse(Stocked("base_stock", level=middle, lead_time=7),
                         [stats.norm(mean, np.sqrt(mean))], Prices(0, 1), days=60_000, warm_up=10, waits=True,
                         keep_daily=True)
        if (found.daily > 0).mean() <= 0.05:
            high = middle
        else:
            low = middle + 1
    return low


def test_pooling_saves_what_theory_says() -> None:
    """G01: 113.9 units of safety stock in three silos, 67.3 in one pool, found by simulation as well."""
    means = (45, 126, 68)
    theory = pool_risk(np.sqrt(means), factor=1.645, lead_time=7)
    assert (theory.siloed, theory.pooled) == (pytest.approx(113.9, abs=0.1), pytest.approx(67.3, abs=0.1))
    siloed = sum(smallest_level(mean) - 7 * mean for mean in means)
    pooled = smallest_level(sum(means)) - 7 * sum(means)
    assert siloed == pytest.approx(113.9, abs=4) and pooled == pytest.approx(67.3, abs=3)
    assert pooled / siloed == pytest.approx(0.5905, abs=0.03)


def test_the_newsvendor_is_the_best_of_all_levels_tried() -> None:
    """G03: 75 lost by a unit short, 35 by a unit left: Q* = 246.3; a shelf refilled every night is a newsvendor."""
    best = newsvendor_profit(stats.norm(239, np.sqrt(239)), price=150, unit_cost=75, salvage=40)
    assert best.quantity == pytest.approx(246.3, abs=0.05)
    levels = np.arange(236, 258)
    cost = [int(rehearse(Stocked("base_stock", level=int(level)), [stats.norm(239, np.sqrt(239))], Prices(35, 75),
                         days=60_000, waits=False).cost[0]) for level in levels]
    assert abs(levels[np.argmin(cost)] / best.quantity - 1) < 0.01


@pytest.mark.parametrize(("stocked", "said"), [
    (Stocked("forecast"), "rehearse: rule = forecast — must be base_stock, reorder_point or min_max"),
    (Stocked("base_stock", level=-1), "level = -1 — must be whole, and at least 0"),
    (Stocked("base_stock", level=1.5), "level = 1.5 — must be whole"),
    (Stocked("base_stock", lead_time=0), "lead_time = 0 — must be whole, and at least 1"),
    (Stocked("base_stock", level=[1, 2, 3]), "level = (3,) — must be one figure, or 1"),
    (Stocked("base_stock", delays=(0.5, 0.6)), "must be shares that sum to 1"),
    (Stocked("reorder_point", lot=2, moq=3), "lot = 2 — must be at least the moq")])
def test_what_cannot_be_is_refused(stocked: Stocked, said: str) -> None:
    with pytest.raises(UsageError) as caught:
        rehearse(stocked, [stats.poisson(3)], days=10)
    assert said in str(caught.value)


def test_demand_of_another_shape_is_refused() -> None:
    for demand in (np.zeros((2, 9), int), np.full((2, 10), -1)):
        with pytest.raises(UsageError, match="whole units"):
            rehearse(Stocked("base_stock"), demand, days=10)
    with pytest.raises(UsageError, match="warm_up"):
        rehearse(Stocked("base_stock"), np.zeros((2, 10), int), days=10, warm_up=10)


def test_fill_rate_is_of_all_demand() -> None:
    found = rehearse(Stocked("base_stock", level=[2, 0]), np.array([[4], [4]]), days=1)
    assert isinstance(found, Rehearsed) and found.fill_rate == 0.25
