"""Response curves: values, slopes, inverses, carry-over."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnisim.response import (
    EXPONENTIAL,
    FORMS,
    HILL,
    POWER,
    carry,
    inflection,
    inverse_slope,
    per_day,
    per_period,
    respond,
    response,
    slope,
    slope_elasticity,
    slopes,
)

curves = st.tuples(st.sampled_from([HILL, POWER, EXPONENTIAL]), st.floats(1e-3, 1e6), st.floats(1e-2, 1e5),
                   st.floats(0.2, 0.95))
stocks = st.floats(1e-3, 1e6)


def test_values_are_those_of_the_formulas() -> None:
    assert FORMS[HILL] == "hill" and FORMS[POWER] == "power" and FORMS[EXPONENTIAL] == "exponential"
    assert response(HILL, 10.0, 4.0, 2.0, 3.0) == pytest.approx(10 * 9 / (16 + 9), rel=1e-15)
    assert response(HILL, 10.0, 4.0, 0.5, 9.0) == pytest.approx(10 * 3 / (2 + 3), rel=1e-15)
    assert response(POWER, 10.0, 4.0, 0.5, 9.0) == pytest.approx(10 * 1.5, rel=1e-15)
    assert response(EXPONENTIAL, 10.0, 4.0, 1.0, 3.0) == pytest.approx(10 * (1 - math.exp(-0.75)), rel=1e-15)
    for form in (HILL, POWER, EXPONENTIAL):
        assert response(form, 10.0, 4.0, 0.5, 0.0) == 0.0


def test_extremes_neither_overflow_nor_vanish() -> None:
    assert response(HILL, 1.0, 1e-300, 5.0, 1e300) == 1.0
    assert slope(HILL, 1.0, 1e-300, 5.0, 1e300) == 0.0
    assert response(EXPONENTIAL, 1.0, 1e9, 1.0, 1e-9) == pytest.approx(1e-18, rel=1e-12)
    assert slope(HILL, 1.0, 2.0, 0.5, 0.0) == math.inf and slope(HILL, 1.0, 2.0, 1.5, 0.0) == 0.0
    assert slope(POWER, 3.0, 2.0, 1.0, 0.0) == 1.5


@given(curves, stocks)
def test_slope_is_the_derivative(curve: tuple[int, float, float, float], stock: float) -> None:
    form, scale, half, shape = curve
    step = 1e-5 * stock
    rise = response(form, scale, half, shape, stock + step) - response(form, scale, half, shape, stock - step)
    true = slope(form, scale, half, shape, stock)
    noise = 1e-10 * response(form, scale, half, shape, stock) / step  # of rounding in the difference
    assert rise / (2 * step) == pytest.approx(true, rel=1e-4, abs=1e-5 * noise + 1e-300)


@given(curves, stocks)
def test_elasticity_is_that_of_the_slope(curve: tuple[int, float, float, float], stock: float) -> None:
    form, scale, half, shape = curve
    up, down = (slope(form, scale, half, shape, stock * factor) for factor in (1.0001, 1 / 1.0001))
    if down > 1e-250:
        found = math.log(up / down) / (2 * math.log(1.0001))
        assert found == pytest.approx(slope_elasticity(form, half, shape, stock), rel=1e-3, abs=1e-6)


@given(curves, st.floats(1e-6, 1e6))
def test_inverse_slope_of_concave_curves(curve: tuple[int, float, float, float], price: float) -> None:
    form, scale, half, shape = curve
    stock = inverse_slope(form, scale, half, shape, price)
    if stock == 0.0:
        assert slope(form, scale, half, shape, 0.0) <= price
    elif 1e-280 < stock < 1e280:
        assert slope(form, scale, half, shape, stock) == pytest.approx(price, rel=1e-9)


@given(st.floats(1.05, 8.0), st.floats(1e-2, 1e4), st.floats(1e-3, 0.999))
def test_inverse_slope_of_s_shaped_curves_lies_beyond_the_inflection(shape: float, half: float, share: float) -> None:
    turn = inflection(HILL, half, shape)
    steepest = slope(HILL, 5.0, half, shape, turn)
    for near in (0.9, 1.1):
        assert slope(HILL, 5.0, half, shape, near * turn) <= steepest
    stock = inverse_slope(HILL, 5.0, half, shape, share * steepest)
    assert stock >= turn
    assert slope(HILL, 5.0, half, shape, stock) == pytest.approx(share * steepest, rel=1e-9)
    assert inverse_slope(HILL, 5.0, half, shape, 1.001 * steepest) == 0.0


def test_carry_over_is_a_geometric_sum() -> None:
    spend = np.array([[1.0, 0.0, 2.0, 0.0], [5.0, 5.0, 5.0, 5.0]])
    stock = carry(spend, np.array([0.5, 0.0]), np.array([4.0, 9.0]))
    np.testing.assert_allclose(stock, [[3.0, 1.5, 2.75, 1.375], [5.0] * 4], rtol=1e-15)
    form = np.array([HILL, POWER], np.int8)
    ones = np.ones((2, 4))
    np.testing.assert_allclose(respond(form, 3 * ones, 2 * ones, ones, stock)[0], 3 * stock[0] / (2 + stock[0]))
    np.testing.assert_allclose(slopes(form, 3 * ones, 2 * ones, ones, stock)[1], 1.5)


@given(st.floats(1e-6, 0.999), st.integers(1, 31))
def test_carry_over_of_a_week_is_that_of_seven_days(carryover: float, days: int) -> None:
    assert per_period(per_day(carryover, days), days) == pytest.approx(carryover, rel=1e-12)
    assert per_day(0.5, 7) == 0.5 ** (1 / 7)
