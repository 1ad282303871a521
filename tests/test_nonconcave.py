"""S-shaped curves: the plan against enumeration, the bound against everything, and what must hold in any units."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from omnisim.optimise.ascent import climb
from omnisim.optimise.chains import allocate_budget
from omnisim.optimise.curves import CurveArrays, Solved, marginal_response, total_response
from omnisim.optimise.nonconcave import solve_nonconcave
from omnisim.optimise.pulses import shift_pulses
from omnisim.optimise.schedule import ask_schedule, lay_grid
from omnisim.optimise.sigmoids import best
from omnisim.response import EXPONENTIAL, HILL, POWER, Floats, response

seeds = st.integers(0, 2**32 - 1)


def curves_of(seed: int, n: int, periods: int = 1, *, smooth: float = 0.4, theta: float = 0.8) -> CurveArrays:
    """Random curves, most of them S-shaped, for a budget of 1."""
    draw = np.random.default_rng(seed)
    kind = np.where(draw.random(n) < smooth, draw.integers(1, 4, n), 0)
    form = np.array([HILL, POWER, EXPONENTIAL, HILL], np.int8)[kind]
    shape = np.choose(kind, [draw.uniform(1.2, 6.0, n), draw.uniform(0.3, 1.0, n), np.ones(n),
                             draw.uniform(0.4, 1.0, n)])
    half = np.exp(draw.normal(0.0, 0.7, n)) * draw.uniform(0.5, 4.0) / (n * periods)
    scale = half * np.exp(draw.normal(0.0, 0.5, n)) * n * periods
    floor = np.where(draw.random((n, periods)) < 0.2, draw.random((n, periods)) * 0.5 / (n * periods), 0.0)
    cap = np.where(draw.random((n, periods)) < 0.3, floor + draw.random((n, periods)) * 3.0 / (n * periods), 1.0)

    def over(values: Floats) -> Floats:
        return np.ascontiguousarray(np.repeat(values[:, None], periods, axis=1))

    return CurveArrays(form, over(scale), over(half), over(shape), draw.uniform(0.0, theta, n) * (draw.random(n) < 0.8),
                       np.where(draw.random(n) < 0.5, draw.random(n) / (n * periods), 0.0), floor, cap)


def hills(scale: list[float], half: list[float], shape: list[float], cap: float = math.inf) -> CurveArrays:
    n = len(scale)
    return CurveArrays(np.zeros(n, np.int8), *(np.array(values, float)[:, None] for values in (scale, half, shape)),
                       np.zeros(n), np.zeros(n), np.zeros((n, 1)), np.full((n, 1), cap))


def by_knapsack(curves: CurveArrays, cells: int = 1500) -> float:
    """The best response of one period when spend comes in 1/cells of a budget of 1, by dynamic programming."""
    table = np.full(cells + 1, -math.inf)
    table[0] = 0.0
    for c in range(curves.form.size):
        first = math.ceil(curves.floor[c, 0] * cells - 1e-9)
        last = min(math.floor(curves.cap[c, 0] * cells + 1e-9), cells)
        carried = curves.carryover[c] * curves.carry_in[c]
        values = [response(curves.form[c], curves.scale[c, 0], curves.half[c, 0], curves.shape[c, 0],
                           k / cells + carried) for k in range(first, last + 1)]
        grown = np.full(cells + 1, -math.inf)
        for k, value in zip(range(first, last + 1), values, strict=True):
            np.maximum(grown[k:], table[: cells + 1 - k] + value, out=grown[k:])
        table = grown
    return float(table.max())


def holds(curves: CurveArrays, budget: float, found: Solved) -> None:
    assert found.spend.sum() <= budget
    assert (found.spend >= curves.floor).all() and (found.spend <= curves.cap).all()
    assert found.objective == pytest.approx(total_response(curves, found.spend), rel=1e-12)
    assert found.bound >= found.objective and found.gap >= 0.0


@pytest.mark.parametrize("seed", range(25))
def test_one_period_is_at_least_what_enumeration_finds(seed: int) -> None:
    curves = curves_of(seed, 4 + seed % 5)
    found = solve_nonconcave(curves, 1.0)
    enumerated = by_knapsack(curves)
    holds(curves, 1.0, found)
    assert found.gap <= 1e-9
    assert found.objective >= enumerated * (1.0 - 1e-12)
    assert found.objective <= enumerated * 1.02  # and the grid is fine enough to say something


@pytest.mark.parametrize("seed", range(8))
def test_several_periods_are_bounded_by_what_enumeration_finds(seed: int) -> None:
    """Two channels and two periods, every split of the budget in fortieths."""
    curves = curves_of(seed, 2, 2, smooth=0.25)
    curves = curves._replace(floor=np.zeros((2, 2)), cap=np.ones((2, 2)))
    found = solve_nonconcave(curves, 1.0)
    holds(curves, 1.0, found)
    assert found.gap <= 1e-3
    enumerated = 0.0
    for x in itertools.product(range(41), repeat=3):
        if sum(x) <= 40:
            spend = np.array([*x, 40 - sum(x)]).reshape(2, 2) / 40
            enumerated = max(enumerated, total_response(curves, spend))
    assert enumerated <= found.bound
    assert found.objective >= enumerated * (1.0 - 1e-9)


@settings(max_examples=60)
@given(seeds, st.integers(1, 6), st.floats(-4.0, 4.0))
def test_no_schedule_earns_more_than_its_channel_s_bound(seed: int, periods: int, ln_price: float) -> None:
    curves = curves_of(seed, 1, periods)
    draw = np.random.default_rng(seed)
    prices = np.full(periods, math.exp(ln_price)) * draw.uniform(0.8, 1.2, periods)
    stock, top = np.empty((periods, 256)), np.empty((periods, 256))
    assert lay_grid(curves, 0, np.zeros(periods), np.full(periods, np.inf), stock, top)
    spend = np.empty(periods)
    worth = ask_schedule(curves, 0, prices, stock, top, np.empty_like(top), spend)
    allowed = 1e-12 * (abs(worth) + total_response(curves, curves.cap) + prices.sum())

    def earned(plan: Floats) -> float:
        return total_response(curves, plan) - float((prices * plan).sum())

    plans = [spend[None, :], *(curves.floor + (curves.cap - curves.floor) * share for share in (0.0, 0.5, 1.0)),
             *(curves.floor + (curves.cap - curves.floor) * draw.random((1, periods)) ** 4 for _ in range(20))]
    for plan in plans:
        climbed = climb(curves, prices[None, :], np.ascontiguousarray(plan), 1e3, 100, 1e-12)[0]
        assert max(earned(plan), earned(climbed)) <= worth + allowed
    # and the bound is no empty promise: the schedule found earns nearly that
    best_found = earned(climb(curves, prices[None, :], spend[None, :].copy(), 1e3, 100, 1e-12)[0])
    gross = total_response(curves, spend[None, :]) + float((prices * spend).sum())
    assert worth - best_found <= 5e-3 * gross + 1e-4 * total_response(curves, curves.cap)


@given(st.sampled_from([HILL, POWER, EXPONENTIAL]), st.floats(0.3, 6.0), st.floats(0.0, 3.0), st.floats(0.0, 5.0),
       st.floats(-4.0, 2.0))
def test_best_stock_at_a_price_beats_every_other(form: int, shape: float, low: float, width: float, ln_price: float
                                                 ) -> None:
    shape = min(shape, 1.0) if form == POWER else shape
    price, high = math.exp(ln_price), low + width
    a = best(form, 2.0, 0.7, shape, low, high, price)
    assert low <= a <= high
    others = [response(form, 2.0, 0.7, shape, b) - price * b for b in np.linspace(low, high, 201)]
    assert response(form, 2.0, 0.7, shape, a) - price * a >= max(others) - 1e-12 * (1.0 + price * high)


@pytest.mark.parametrize("periods", [1, 5])
@pytest.mark.parametrize("seed", range(5))
def test_concave_curves_agree_with_the_exact_method(seed: int, periods: int) -> None:
    curves = curves_of(seed, 6, periods, smooth=1.0)
    curves = curves._replace(shape=np.minimum(curves.shape, 0.95), cap=np.minimum(curves.cap, 1.0),
                             form=np.where(curves.form == EXPONENTIAL, HILL, curves.form).astype(np.int8))
    spend, objective, _, price = allocate_budget(curves, np.zeros_like(curves.floor), 1.0, curves.floor, curves.cap,
                                                 1e-10, 1.0)
    found = solve_nonconcave(curves, 1.0)
    assert found.objective == pytest.approx(objective, rel=1e-9)
    assert found.bound >= objective * (1 - 1e-12) and found.gap <= 1e-3
    assert found.price == pytest.approx(price, rel=1e-4)
    assert found.spend == pytest.approx(spend, abs=1e-4)


def test_power_curves_share_the_budget_by_their_closed_form() -> None:
    """R = G (x/c)^β: spend in proportion to (G / c^β)^(1/(1 − β))."""
    gain, half, beta = np.array([3.0, 1.0, 0.5]), np.array([2.0, 1.0, 5.0]), 0.5
    curves = CurveArrays(np.full(3, POWER, np.int8), gain[:, None], half[:, None], np.full((3, 1), beta), np.zeros(3),
                         np.zeros(3), np.zeros((3, 1)), np.full((3, 1), np.inf))
    weight = (gain / half ** beta) ** (1.0 / (1.0 - beta))
    found = solve_nonconcave(curves, 5000.0)
    assert found.spend[:, 0] == pytest.approx(5000.0 * weight / weight.sum(), rel=1e-6)
    assert found.price == pytest.approx(beta * found.objective / 5000.0, rel=1e-6)  # homogeneous of degree β


def test_two_equal_s_shaped_channels_do_not_share_a_budget_for_one() -> None:
    """R(y) + R(1 − y) of a steep curve is largest at an end: here by hand at y = 0 for half = 0.7, shape = 6."""
    found = solve_nonconcave(hills([1.0, 1.0], [0.7, 0.7], [6.0, 6.0]), 1.0)
    assert sorted(found.spend[:, 0]) == pytest.approx([0.0, 1.0], abs=1e-9)
    assert found.objective == pytest.approx(1.0 / (1.0 + 0.7 ** 6), rel=1e-12)
    assert found.gap <= 1e-9


def test_many_equal_channels_are_searched_without_end_neither() -> None:
    """Ties everywhere: the gap asked for is certified though no branch can be told from another."""
    found = solve_nonconcave(hills([1.0] * 30, [0.05] * 30, [4.0] * 30), 1.0, gap=1e-3, time_limit=5.0)
    assert found.gap <= 1e-3


@pytest.mark.parametrize("periods", [1, 6])
@pytest.mark.parametrize("seed", range(4))
def test_marginal_returns_meet_the_price_where_spend_is_free(seed: int, periods: int) -> None:
    """The conditions of Karush, Kuhn and Tucker: equal to the price inside, below it at a floor, above it at a cap."""
    curves = curves_of(seed, 8, periods)
    found = solve_nonconcave(curves, 1.0)
    marginal = marginal_response(curves, np.maximum(found.spend, 1e-15))
    room = np.minimum(1.0, found.price) * 2e-4
    above, below = found.spend > curves.floor + 1e-7, found.spend < curves.cap - 1e-7
    assert (marginal[above] >= found.price * (1.0 - 2e-4) - room).all()
    assert (marginal[below & above] <= found.price * (1.0 + 2e-4) + room).all()
    at_floor = ~above & np.isfinite(marginal) & below
    assert (marginal[at_floor] <= found.price * (1.0 + 2e-4) + room).all()


@settings(max_examples=40)
@given(seeds, st.integers(1, 12), st.floats(0.0, 1.0))
def test_one_period_grows_with_its_budget(seed: int, n: int, share: float) -> None:
    curves = curves_of(seed, n)
    small = float(curves.floor.sum()) + share * (1.0 - float(curves.floor.sum()))
    less, more = solve_nonconcave(curves, small), solve_nonconcave(curves, 1.0)
    holds(curves, small, less)
    holds(curves, 1.0, more)
    assert more.objective >= less.objective * (1.0 - 1e-9)


@settings(max_examples=8)
@given(seeds, st.integers(1, 4), st.integers(2, 5), st.floats(0.0, 1.0))
def test_several_periods_keep_limits_and_bounds(seed: int, n: int, periods: int, share: float) -> None:
    curves = curves_of(seed, n, periods)
    small = float(curves.floor.sum()) + share * (1.0 - float(curves.floor.sum()))
    less, more = solve_nonconcave(curves, small), solve_nonconcave(curves, 1.0)
    holds(curves, small, less)
    holds(curves, 1.0, more)
    assert more.bound >= less.objective


@pytest.mark.parametrize("gap", [3e-3, 1e-2, 5e-2])
@pytest.mark.parametrize("seed", range(6))
def test_a_wide_gap_is_kept_and_its_bound_holds(seed: int, gap: float) -> None:
    curves = curves_of(seed, 3, 12)
    rough, close = solve_nonconcave(curves, 1.0, gap=gap), solve_nonconcave(curves, 1.0, gap=1e-4)
    holds(curves, 1.0, rough)
    assert rough.gap <= gap
    assert rough.bound >= close.objective * (1.0 - 1e-12)
    assert rough.objective >= (1.0 - gap) * close.objective


@pytest.mark.parametrize("periods", [1, 4])
@pytest.mark.parametrize(("money", "reply"), [(1e-6, 1.0), (1e9, 1.0), (1.0, 1e-9), (1.0, 1e9), (1e9, 1e-9)])
def test_other_units_give_the_same_plan(money: float, reply: float, periods: int) -> None:
    curves = curves_of(11, 9, periods)
    # no two periods alike: which of two equal plans is found may hang on the last bit
    curves = curves._replace(scale=curves.scale * np.random.default_rng(1).uniform(0.9, 1.1, (9, periods)))
    other = curves._replace(scale=curves.scale * reply, half=curves.half * money, carry_in=curves.carry_in * money,
                            floor=curves.floor * money, cap=curves.cap * money)
    one, two = solve_nonconcave(curves, 1.0), solve_nonconcave(other, money)
    assert two.spend / money == pytest.approx(one.spend, abs=1e-6)
    assert two.objective / reply == pytest.approx(one.objective, rel=1e-9)
    assert two.price * money / reply == pytest.approx(one.price, rel=1e-5)


@pytest.mark.parametrize("periods", [1, 4])
def test_same_input_same_bits_and_never_below_a_start(periods: int) -> None:
    curves = curves_of(5, 7, periods)
    one, two = solve_nonconcave(curves, 1.0), solve_nonconcave(curves, 1.0)
    assert (one.spend == two.spend).all() and one[1:] == two[1:]
    again = solve_nonconcave(curves, 1.0, starts=[one.spend])
    assert again.objective >= one.objective * (1.0 - 1e-12)


@pytest.mark.parametrize("periods", [1, 3])
def test_spend_that_costs_more_than_it_brings_is_left(periods: int) -> None:
    curves = curves_of(3, 5, periods, smooth=0.0)._replace(floor=np.zeros((5, periods)), cap=np.ones((5, periods)))
    steepest = 1.1 * float((curves.scale / curves.half * curves.shape).max()) / (1.0 - float(curves.carryover.max()))
    found = solve_nonconcave(curves, 1.0, charge=np.full((5, periods), steepest))
    assert found.spend == pytest.approx(np.zeros((5, periods)), abs=1e-9)
    assert found.price == pytest.approx(0.0, abs=1e-9)
    cheap = solve_nonconcave(curves, 1.0, charge=np.full((5, periods), 0.2))
    free = solve_nonconcave(curves, 1.0)
    assert cheap.objective == pytest.approx(free.objective - 0.2, rel=2e-3)  # the budget is worth it all


def test_pulses_come_when_they_bring_most() -> None:
    """One S-shaped channel whose pressure from before makes the first periods the best."""
    curves = CurveArrays(np.zeros(1, np.int8), np.ones((1, 6)), np.full((1, 6), 0.5), np.full((1, 6), 4.0),
                         np.array([0.6]), np.array([0.5]), np.full((1, 6), 0.01), np.full((1, 6), 1.0))
    late = np.array([[0.01, 0.01, 0.01, 0.48, 0.48, 0.01]])
    first, second = shift_pulses(curves, np.zeros((1, 6)), late, 0)
    assert first[0] == pytest.approx([0.48, 0.48, 0.01, 0.01, 0.01, 0.01])
    assert total_response(curves, first) > max(total_response(curves, second), total_response(curves, late))
    assert not shift_pulses(curves, np.zeros((1, 6)), np.full((1, 6), 0.2), 0)
    narrow = curves._replace(cap=np.array([[0.1, 0.1, 0.1, 1.0, 1.0, 0.1]]))
    assert not shift_pulses(narrow, np.zeros((1, 6)), late, 0)
    assert solve_nonconcave(curves, 1.0, starts=[late]).objective >= total_response(curves, first) - 1e-12


def test_a_budget_beyond_the_caps_buys_the_caps_and_is_worth_nothing_more() -> None:
    curves = hills([1.0, 2.0], [0.3, 0.4], [2.0, 3.0], cap=0.25)
    found = solve_nonconcave(curves, math.inf)
    assert found.spend == pytest.approx(np.full((2, 1), 0.25))
    weeks = curves_of(4, 3, 4)
    weeks = weeks._replace(cap=np.minimum(weeks.cap, 0.01))
    weeks = weeks._replace(floor=np.minimum(weeks.floor, weeks.cap))
    assert solve_nonconcave(weeks, 1.0).spend == pytest.approx(weeks.cap)
    still = solve_nonconcave(curves._replace(cap=np.zeros((2, 1))), 1.0)
    assert still.objective == still.bound == 0.0


@pytest.mark.parametrize("periods", [1, 3])
@pytest.mark.parametrize("most", [1, 2, 4])
@pytest.mark.parametrize("seed", range(3))
def test_openings_are_chosen_as_well_as_by_trying_all_of_them(seed: int, most: int, periods: int) -> None:
    """Fees and a limit on open channels against every set of open channels, each solved alone."""
    curves = curves_of(seed, 4, periods)
    fee = np.array([0.3, 0.0, 0.1, 0.2]) * total_response(curves, np.full((4, periods), 1.0 / (4 * periods)))
    found = solve_nonconcave(curves, 1.0, fee=fee, most_open=most)
    is_open = found.spend.sum(axis=1) > 0.0
    assert is_open.sum() <= most and found.spend.sum() <= 1.0
    tried, bounds = [], []
    for choice in itertools.product([False, True], repeat=4):
        kept = np.array(choice)[:, None]
        if 0 < kept.sum() <= most:
            one = solve_nonconcave(curves._replace(floor=np.where(kept, curves.floor, 0.0),
                                                   cap=np.where(kept, curves.cap, 0.0)), 1.0)
            tried.append(one.objective - float(fee[kept[:, 0]].sum()))
            bounds.append(one.bound - float(fee[kept[:, 0]].sum()))
    assert found.bound >= max(tried) * (1.0 - 1e-12)
    assert found.objective >= max(tried) - 1e-6 * abs(max(tried))
    assert found.gap <= (1e-9 if periods == 1 else 1e-3)
    assert found.objective <= max(bounds) * (1.0 + 1e-12)


def test_what_cannot_be_solved_is_refused() -> None:
    curves = hills([1.0], [1.0], [2.0])
    with pytest.raises(ValueError, match="floors"):
        solve_nonconcave(curves._replace(floor=np.ones((1, 1))), 0.5)
    with pytest.raises(ValueError, match="finite"):
        solve_nonconcave(curves._replace(scale=np.full((1, 1), np.nan)), 0.5)
    with pytest.raises(ValueError, match="finite"):
        solve_nonconcave(curves, math.inf)
