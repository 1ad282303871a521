"""Reorder points and levels: the books' figures, chains solved by brute force, and shops that are simulated."""

from __future__ import annotations

import functools
import heapq
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import integrate, stats

from omnisim.supply.classics import (
    Review,
    approximate_reorder_policy,
    base_stock,
    base_stock_service,
    best_reorder_point,
    over_lead_times,
    plan_finite_horizon,
    pool_risk,
    power_approximation,
    quantile,
    reorder_cost,
    reorder_levels,
    reorder_levels_cost,
    reorder_policy,
    safety_stock,
    stock_cost,
    whole_units,
)

PENS = Review(8, 0.225, 7.5, 1300, 1 / 12, 150)  # example 5.1
PROBLEM_1 = Review(50, 3.1, 45, 800, 4 / 365, 40)
PROBLEM_3 = Review(85, 0.15 / 0.7, 40, 192, 3, 17.4)
RARE = Review(100, 20, 150, 1.5, 2)  # example 5.8
PROBLEM_2 = Review(4, 4, 28, 12, 0.5)


# Continuous review


@pytest.mark.parametrize(("review", "point", "quantity", "cost"), [
    (PENS, 126.8, 328.5, 78.07116250928294), (PENS, 100, 250, 87.34647802817499),
    (PROBLEM_1, -1.9859, 166.95, 484.2110418415538), (PROBLEM_1, 100, 250, 830.3219178082192),
    (RARE, 3, 5, 107.9235806331498), (RARE, 8, 12, 242.5281637662021),
    (PROBLEM_2, 6, 7, 28.241312842169155), (PROBLEM_2, 3, 9, 34.264154469469503),
])
def test_book_costs(review, point, quantity, cost) -> None:
    assert reorder_cost(review, reorder_point=point, quantity=quantity) == pytest.approx(cost, rel=1e-10)


@pytest.mark.parametrize(("review", "points"), [
    (PENS, (127.7880348669655, 147.1949581740714, 99.85377339616528)),
    (PROBLEM_1, (-11.727678833180178, -0.885130303271656, -39.569675038859785)),
    (PROBLEM_3, (612.1331312304716, 622.5171783526781, 598.4126476551643)),
])
def test_book_reorder_points(review, points) -> None:
    for quantity, point in zip((318, 150, 750), points, strict=True):
        found = best_reorder_point(review, quantity=quantity)
        assert found == pytest.approx(point, rel=1e-6)  # as far as the book's own search went
        assert stock_cost(review, found) == pytest.approx(stock_cost(review, found + quantity), rel=1e-9)


@pytest.mark.parametrize(("method", "figures"), [
    ("expected_inventory_level", ((213.9704421358024, 318.5901810768729), (17.972649360167715, 162.1231617283653),
                                  (644.8385303830128, 400.7559793125993))),
    ("eoq_with_backorders", ((128.6378144242710, 308.5737801203754), (-1.929822185100239, 166.0850065197970),
                             (609.0252058220594, 391.3259510944808))),
    ("eoq_plus_safety_stock", ((190.3369965715624, 304.0467800264368), (15.125515371852014, 160.6438657804998),
                               (652.9638947041127, 390.2819493648150))),
    ("loss_function", ((126.8670642878315, 328.4491413581765), (-1.985868645048718, 166.9501022040942),
                       (608.5445118000358, 403.8060023373138))),
])
def test_book_approximations(method, figures) -> None:
    for review, (point, quantity) in zip((PENS, PROBLEM_1, PROBLEM_3), figures, strict=True):
        found = approximate_reorder_policy(review, method=method)
        assert (found.reorder_point, found.quantity) == pytest.approx((point, quantity), rel=1e-6)
        assert found.cost >= reorder_policy(review).cost * (1 - 1e-12)
    believed = approximate_reorder_policy(PENS, method="expected_inventory_level").believed
    assert believed == pytest.approx(95.45114022285196, rel=1e-9)


@pytest.mark.parametrize("review", [PENS, PROBLEM_1, PROBLEM_3])
def test_normal_optimum_against_quadrature_and_neighbours(review: Review) -> None:
    best = reorder_policy(review)
    area = integrate.quad(lambda y: float(stock_cost(review, y)), best.reorder_point,
                          best.reorder_point + best.quantity, epsabs=1e-9, limit=200)[0]
    assert best.cost == pytest.approx((review.fixed_cost * review.demand_mean + area) / best.quantity, rel=1e-9)
    for point in best.reorder_point + review.sd * np.array([-0.2, -0.02, 0, 0.02, 0.2]):
        for quantity in best.quantity * np.array([0.9, 0.99, 1, 1.01, 1.1]):
            assert reorder_cost(review, reorder_point=point, quantity=quantity) >= best.cost * (1 - 1e-12)


@pytest.mark.parametrize(("review", "figures"), [(RARE, (3, 5, 107.9235806331498)), (PROBLEM_2, (6, 7, 28.2413128421))])
def test_poisson_optimum(review: Review, figures) -> None:
    best = reorder_policy(review)
    assert best == pytest.approx(figures)
    costs = [reorder_cost(review, reorder_point=r, quantity=q) for r in range(-10, 30) for q in range(1, 30)]
    assert best.cost == pytest.approx(min(costs))


@settings(max_examples=25)
@given(st.floats(1, 300), st.floats(1, 20), st.floats(2, 200), st.floats(0.5, 30), st.floats(0, 3))
def test_poisson_optimum_against_all(k, h, p, demand, lead) -> None:
    review = Review(k, h, p, demand, lead)
    best = reorder_policy(review)
    for r in range(best.reorder_point - 3, best.reorder_point + 4):
        for q in range(max(1, best.quantity - 3), best.quantity + 4):
            assert reorder_cost(review, reorder_point=r, quantity=q) >= best.cost * (1 - 1e-12)


def test_without_lead_time_it_is_the_eoq_with_backorders() -> None:
    best = reorder_policy(Review(8, 0.225, 5, 1300, 0, 150))
    assert (best.quantity, best.cost) == pytest.approx((310.81255515896464, 66.92136355097325))
    assert -best.reorder_point / best.quantity == pytest.approx(0.0430622009569378)


def simulate_shop(review: Review, point: int, quantity: int, customers: int, generator) -> np.ndarray:
    """Customers one by one, orders on their way in a heap; cost a unit of time, in twenty batches."""
    now = on_hand = 0.0
    position, arriving, costs, times = point + quantity, [(0.0, point + quantity)], [0.0] * 20, [0.0] * 20
    gaps = generator.exponential(1 / review.demand_mean, customers)
    for n, gap in enumerate(gaps):
        batch, until = 20 * n // customers, now + gap
        while arriving and arriving[0][0] <= until:
            at, units = heapq.heappop(arriving)
            costs[batch] += (at - now) * (review.holding_cost if on_hand > 0 else -review.backorder_cost) * on_hand
            times[batch] += at - now
            now, on_hand = at, on_hand + units
        costs[batch] += (until - now) * (review.holding_cost if on_hand > 0 else -review.backorder_cost) * on_hand
        times[batch] += until - now
        now, on_hand, position = until, on_hand - 1, position - 1
        if position == point:
            position += quantity
            costs[batch] += review.fixed_cost
            heapq.heappush(arriving, (now + review.lead_time, quantity))
    return np.array(costs[1:]) / np.array(times[1:])


def test_reorder_cost_against_a_simulated_shop() -> None:
    costs = simulate_shop(RARE, 3, 5, 60_000, np.random.default_rng(4))
    error = costs.std(ddof=1) / math.sqrt(costs.size)
    assert abs(costs.mean() - reorder_cost(RARE, reorder_point=3, quantity=5)) < 4 * error


# Periodic review


@pytest.mark.parametrize(("mean", "costs", "figures"), [
    (6, (5, 1, 4), (4, 10, 8.034111561471642)),  # example 4.7
    (4, (150, 40, 125), (2, 7, 223.5748295669688)),  # problem 4.31
])
def test_book_levels(mean, costs, figures) -> None:
    k, h, p = costs
    assert reorder_levels(stats.poisson(mean), fixed_cost=k, holding_cost=h, backorder_cost=p) == pytest.approx(figures)


@pytest.mark.parametrize(("mean", "levels", "costs", "expected"), [
    (6, (4, 10), (5, 1, 4), 8.034111561471644), (6, (6, 18), (5, 1, 4), 10.193798671644046),
    (4, (4, 10), (150, 40, 125), 262.2755613772775), (4, (2, 7), (150, 40, 125), 223.5748295669688)])
def test_book_costs_of_levels(mean, levels, costs, expected) -> None:
    k, h, p = costs
    found = reorder_levels_cost(stats.poisson(mean), reorder_point=levels[0], order_up_to=levels[1], fixed_cost=k,
                                holding_cost=h, backorder_cost=p)
    assert found == pytest.approx(expected)


ZHENG_FEDERGRUEN = {  # Poisson mean: s, S, cost; K = 64, h = 1, p = 9 (their table 1)
    10: (6, 40, 35.022), 15: (10, 49, 42.698), 20: (14, 62, 49.173), 21: (15, 65, 50.406), 22: (16, 68, 51.632),
    23: (17, 52, 52.757), 24: (18, 54, 53.518), 25: (19, 56, 54.262), 30: (23, 66, 57.819), 35: (28, 77, 61.215),
    40: (33, 87, 64.512), 45: (37, 97, 67.776), 50: (42, 108, 70.975), 51: (43, 110, 71.611), 52: (44, 112, 72.246),
    55: (47, 118, 74.149), 59: (51, 126, 76.679), 60: (52, 129, 77.306), 61: (52, 131, 77.929), 63: (54, 73, 78.287),
    64: (55, 74, 78.402), 65: (56, 75, 78.518), 70: (62, 81, 79.037), 75: (67, 86, 79.554),
}


@pytest.mark.parametrize("mean", ZHENG_FEDERGRUEN)
def test_published_levels(mean: int) -> None:
    found = reorder_levels(stats.poisson(mean), fixed_cost=64, holding_cost=1, backorder_cost=9)
    assert found == pytest.approx(ZHENG_FEDERGRUEN[mean], abs=5.1e-4)


def chain_cost(pmf: np.ndarray, lead_pmf: np.ndarray, k: float, h: float, p: float, s: int, top: int) -> float:
    """Average cost of an (s, S) policy, from the stationary probabilities of the position after ordering."""
    levels = np.arange(s + 1, top + 1)
    moves = np.zeros((levels.size, levels.size))
    order = np.zeros(levels.size)
    for i, y in enumerate(levels):
        for d, chance in enumerate(pmf):
            if y - d <= s:
                moves[i, -1] += chance
                order[i] += chance
            else:
                moves[i, y - d - s - 1] += chance
    system = np.vstack([moves.T - np.eye(levels.size), np.ones(levels.size)])
    share = np.linalg.lstsq(system, np.append(np.zeros(levels.size), 1.0), rcond=None)[0]
    left = levels[:, None] - np.arange(lead_pmf.size)
    stock = (np.where(left > 0, h * left, -p * left) * lead_pmf).sum(1)
    return float(share @ (stock + k * order))


@settings(max_examples=15)
@given(st.lists(st.floats(0.05, 1), min_size=2, max_size=5), st.floats(0.5, 20), st.floats(0.5, 3), st.floats(1, 20),
       st.integers(0, 2))
def test_levels_against_every_chain(weights, k, h, p, lead) -> None:
    pmf = np.array(weights) / sum(weights)
    demand = dict(enumerate(pmf))
    total = functools.reduce(np.convolve, [pmf] * (lead + 1))
    best = reorder_levels(demand, fixed_cost=k, holding_cost=h, backorder_cost=p, lead_time=lead)
    near = {(s, top): chain_cost(pmf, total, k, h, p, s, top)
            for s in range(best.reorder_point - 3, best.reorder_point + 3)
            for top in range(max(s + 1, best.order_up_to - 4), best.order_up_to + 5)}
    assert best.cost == pytest.approx(min(near.values()), rel=1e-9)
    s, top = best.reorder_point - 1, best.order_up_to + 2
    assert near[s, top] == pytest.approx(reorder_levels_cost(
        demand, reorder_point=s, order_up_to=top, fixed_cost=k, holding_cost=h, backorder_cost=p, lead_time=lead))


def test_no_policy_of_any_form_costs_less() -> None:
    """Relative value iteration over all orders, for demand of 0 … 4 units."""
    pmf, k, h, p = np.array([0.2, 0.3, 0.2, 0.2, 0.1]), 6.0, 1.0, 8.0
    stock = np.arange(-12, 21)
    left = stock[:, None] - np.arange(5)
    cost = (np.where(left > 0, h * left, -p * left) * pmf).sum(1)
    after = np.maximum(left + 12, 0)
    value, gain = np.zeros(stock.size), 0.0
    for _ in range(600):
        keep = cost + (value[after] * pmf).sum(1)
        update = np.minimum(keep, k + np.minimum.accumulate(keep[::-1])[::-1])
        gain = float((update - value)[12])
        value = update - update[12]
    best = reorder_levels(dict(enumerate(pmf)), fixed_cost=k, holding_cost=h, backorder_cost=p)
    assert best.cost == pytest.approx(gain, rel=1e-8)


def test_power_approximation() -> None:
    found = power_approximation(demand_mean=50, demand_sd=8, fixed_cost=2.5, holding_cost=0.18, backorder_cost=0.7)
    assert found[:2] == pytest.approx((40.194616956474071, 74.290170109805786))  # example 4.8
    found = power_approximation(demand_mean=190, demand_sd=48, fixed_cost=60, holding_cost=2, backorder_cost=36)
    assert found[:2] == pytest.approx((226.6137928222839, 324.3797868133974))  # problem 4.32
    exact = reorder_levels(stats.poisson(20), fixed_cost=64, holding_cost=1, backorder_cost=9, lead_time=2)
    near = power_approximation(demand_mean=20, demand_sd=math.sqrt(20), fixed_cost=64, holding_cost=1,
                               backorder_cost=9, lead_time=2)
    cost = reorder_levels_cost(stats.poisson(20), reorder_point=round(near.reorder_point),
                               order_up_to=round(near.order_up_to), fixed_cost=64, holding_cost=1, backorder_cost=9,
                               lead_time=2)
    assert exact.cost <= cost <= 1.02 * exact.cost


@pytest.mark.parametrize(("demands", "given_", "points", "tops", "cost"), [
    ([stats.norm(18, 3)] * 10, {"fixed_cost": 0, "holding_cost": 1, "backorder_cost": 25, "unit_cost": 1,
                                "terminal_holding_cost": 1, "terminal_backorder_cost": 25, "discount": 0.98},
     [23] * 10, [23] * 10, 234.79622567591312),  # problem 4.29
    ([stats.norm(18, 3)] * 10, {"fixed_cost": 40, "holding_cost": 1, "backorder_cost": 25, "unit_cost": 1,
                                "terminal_holding_cost": 1, "terminal_backorder_cost": 25, "discount": 0.98},
     [17] * 9 + [18], [42] * 8 + [41, 23], 519.3557887889581),  # problem 4.30
    ([stats.norm(100, 20)] * 5, {"fixed_cost": 50, "holding_cost": 1, "backorder_cost": 20, "unit_cost": 2,
                                 "terminal_holding_cost": 1, "terminal_backorder_cost": 20},
     [110] * 4 + [111], [133] * 4 + [126], 1558.6946467384012),
])
def test_book_horizon(demands, given_, points, tops, cost) -> None:
    """The book cuts demand off at four standard deviations, and so loses about 1e-4 of the cost."""
    found = plan_finite_horizon(demands, **given_)
    assert found.reorder_points.tolist() == points
    assert found.order_up_to.tolist() == tops
    assert found.cost == pytest.approx(cost, rel=2e-4)


def test_horizon_without_fixed_cost_against_its_closed_form() -> None:
    """Base stock 23 throughout: the newsvendor's cost each period, purchases, and what is left at the end."""
    found = plan_finite_horizon([stats.norm(18, 3)] * 10, fixed_cost=0, holding_cost=1, backorder_cost=25, unit_cost=1,
                                terminal_holding_cost=1, terminal_backorder_cost=25, discount=0.98)
    from omnisim.supply.classics import normal_loss

    period = 5 + 26 * float(normal_loss(23, 18, 3))
    total = sum(0.98**t * (18 + period) for t in range(10)) + 5 + 0.98**10 * period
    assert found.cost == pytest.approx(total, rel=2e-4)


def test_horizon_against_every_order() -> None:
    pmfs = [{0: 0.3, 1: 0.4, 3: 0.3}, {2: 1.0}, {0: 0.5, 4: 0.5}]
    k, h, p, c, gamma = [3.0, 1.0, 5.0], [1.0, 0.5, 2.0], [4.0, 6.0, 9.0], [1.0, 0.7, 1.2], 0.9

    @functools.cache
    def cheapest(t: int, x: int) -> float:
        if t == 3:
            return 0.5 * max(x, 0) + 10.0 * max(-x, 0)
        return min(
            (k[t] + c[t] * (y - x) if y > x else 0.0) + sum(chance * (
                h[t] * max(y - d, 0) + p[t] * max(d - y, 0) + gamma * cheapest(t + 1, y - d))
                for d, chance in pmfs[t].items()) for y in range(x, 13))

    for stock in (-2, 0, 3):
        found = plan_finite_horizon(pmfs, fixed_cost=k, holding_cost=h, backorder_cost=p, unit_cost=c,
                                    terminal_holding_cost=0.5, terminal_backorder_cost=10.0, discount=gamma,
                                    stock=stock)
        assert found.cost == pytest.approx(cheapest(0, stock), rel=1e-12)


def test_an_order_that_never_pays() -> None:
    found = plan_finite_horizon([{2: 1.0}] * 3, fixed_cost=1.0, holding_cost=1.0, backorder_cost=[1.0, 1.0, 9.0],
                                unit_cost=[50.0, 3.0, 20.0], terminal_holding_cost=1.0, terminal_backorder_cost=1.0)
    assert found.reorder_points[0] == found.reorder_points[2] == -np.inf  # owing 2 units costs less than buying them
    assert found.reorder_points[1] >= 0
    free = plan_finite_horizon([{2: 1.0}], fixed_cost=0.0, holding_cost=1.0, backorder_cost=1.0, unit_cost=9.0,
                               terminal_holding_cost=1.0, terminal_backorder_cost=1.0, stock=1)
    assert (free.reorder_points[0], free.order_up_to[0], free.cost) == (-np.inf, -np.inf, pytest.approx(2))
    # 2 units wait through the first period; six are bought in the second: two owed, its own two, two for the last
    assert found.cost == pytest.approx(2 + (1 + 3 * 6 + 2))


# Base stock


@pytest.mark.parametrize(("demand", "lead", "review"), [
    (stats.poisson(10), 3, 1), ({0: 0.5, 2: 0.3, 9: 0.2}, 2, 2), (stats.norm(50, 8), 4, 1),
    (stats.gamma(2, scale=5), 1, 3)])
def test_service_against_a_simulated_shop(demand, lead: int, review: int) -> None:
    reached = base_stock(demand, lead_time=lead, review_period=review, fill_rate=0.93)
    assert reached.fill_rate >= 0.93 - 1e-9
    generator, days = np.random.default_rng(5), 120_000
    demands = (generator.choice(list(demand), days, p=list(demand.values())) if isinstance(demand, dict)
               else demand.rvs(days, random_state=generator))
    level, on_hand, missed, dry, arriving = reached.level, reached.level, [], [], {}
    for day, asked in enumerate(demands):
        if day % review == 0:  # review, then what was ordered a lead time ago arrives, then demand
            waiting = sum(arriving.values())
            arriving[day + lead] = level - on_hand - waiting
        on_hand += arriving.pop(day, 0.0)
        before = max(-on_hand, 0.0)
        on_hand -= asked
        missed.append(max(-on_hand, 0.0) - before)
        if (day + 1 - lead) % review == 0:  # the eve of the next delivery
            dry.append(on_hand < 0)
    shares = np.array(missed[1000:]).reshape(100, -1).sum(1) / demands[1000:].reshape(100, -1).sum(1)
    assert abs(1 - shares.mean() - reached.fill_rate) < 4 * shares.std(ddof=1) / 10
    cycles = 1 - np.array(dry[1000:])
    error = math.sqrt(reached.cycle_service * (1 - reached.cycle_service) / cycles.size * (lead + 1))
    assert abs(cycles.mean() - reached.cycle_service) < 4 * error


def test_targets_are_reached_and_not_overshot() -> None:
    demand = stats.poisson(7)
    for target in (0.5, 0.9, 0.999):
        by_rate = base_stock(demand, lead_time=2, fill_rate=target)
        assert by_rate.fill_rate >= target > base_stock_service(demand, level=by_rate.level - 1, lead_time=2).fill_rate
        by_cycle = base_stock(demand, lead_time=2, cycle_service=target)
        assert by_cycle.cycle_service >= target
        assert base_stock_service(demand, level=by_cycle.level - 1, lead_time=2).cycle_service < target
    assert base_stock(stats.norm(50, 8), lead_time=0, fill_rate=0.98).fill_rate == pytest.approx(0.98)
    normal = base_stock(stats.norm(50, 8), lead_time=4, cycle_service=0.7 / 0.88)
    assert normal.level == pytest.approx(264.7668943741548)  # example 4.4


def test_random_lead_time() -> None:
    found = safety_stock(service_level=0.95, demand_mean=40, demand_sd=10, lead_time=9, lead_time_sd=2)
    assert found.demand_sd == pytest.approx(math.sqrt(9 * 100 + 1600 * 4))
    generator = np.random.default_rng(6)
    times = {2: 0.5, 5: 0.3, 6: 0.2}
    exact = over_lead_times(stats.poisson(4), times)
    drawn = generator.poisson(4.0 * generator.choice(list(times), 200_000, p=list(times.values())))
    assert exact.values @ exact.probabilities == pytest.approx(4 * 3.7)
    for share in (0.5, 0.9, 0.99):
        level = quantile(exact, share)
        chance = exact.probabilities[exact.values <= level].sum()
        assert abs((drawn <= level).mean() - chance) < 4 * math.sqrt(chance * (1 - chance) / 200_000)
    near = whole_units(stats.norm(50, 8))
    assert near.values @ near.probabilities == pytest.approx(50)


# Pooling


def test_pooled_stock_of_three_channels() -> None:
    sds = np.sqrt([45, 126, 68])
    apart = pool_risk(sds, lead_time=7, factor=1.645)
    assert (round(apart.siloed, 1), round(apart.pooled, 1)) == (113.9, 67.3)
    ratios = [pool_risk(sds, lead_time=7, service_level=0.95, correlation=rho).ratio for rho in (-0.4, 0, 0.5, 0.9, 1)]
    assert ratios == sorted(ratios) and ratios[-1] == pytest.approx(1)
    generator = np.random.default_rng(7)
    links = np.array([[1, 0.5, -0.2], [0.5, 1, 0.1], [-0.2, 0.1, 1]])
    demand = generator.multivariate_normal(np.zeros(3), links * np.outer(sds, sds), 200_000)
    found = pool_risk(sds, lead_time=1, factor=1.0, correlation=links)
    assert found.pooled == pytest.approx(demand.sum(1).std(), rel=0.01)
    assert found.siloed == pytest.approx(demand.std(0).sum(), rel=0.01)
