"""Functions with the same bits everywhere, against the library's."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import special, stats

from omnisim import portable

GRID = [k / 7 for k in range(-2100, 2101)]


@given(st.floats(-700, 700))
def test_exp(x: float) -> None:
    assert portable.exp(x) == pytest.approx(math.exp(x), rel=4e-16 * 2, abs=0)


def test_exp_stays_finite_at_both_ends() -> None:
    assert portable.exp(-701.0) == 0.0
    assert portable.exp(1e9) == portable.exp(700.0) < math.inf
    assert portable.exp(0.0) == 1.0


@given(st.floats(1e-300, 1e300))
def test_log(x: float) -> None:
    assert portable.log(x) == pytest.approx(math.log(x), rel=5e-16, abs=2e-16)


def test_log_of_nothing_is_very_low() -> None:
    assert portable.log(0.0) == -1e308
    assert portable.log(1.0) == 0.0


@given(st.floats(0, 50))
def test_chance_is_one_minus_exp_of_minus_the_hazard(hazard: float) -> None:
    assert portable.chance(hazard) == pytest.approx(-math.expm1(-hazard), rel=2e-11, abs=0)


@given(st.floats(0, 2))
def test_chance_never_exceeds_the_hazard(hazard: float) -> None:
    """The bounds of the scan rest on it."""
    assert portable.chance(hazard) <= hazard * (1 + 1e-10)


@given(st.floats(-600, 600))
def test_logistic(z: float) -> None:
    assert portable.logistic(z) == pytest.approx(special.expit(z), rel=1e-15, abs=0)


@given(st.floats(1e-3, 1e4))
def test_log_gamma(a: float) -> None:
    assert portable.log_gamma(a) == pytest.approx(special.gammaln(a), rel=2e-14, abs=2e-14)


@given(a=st.floats(0.02, 100), q=st.floats(1e-6, 1 - 1e-6))
def test_gamma_tails(a: float, q: float) -> None:
    x = float(special.gammaincinv(a, q))
    below, above, density = portable.gamma_tails(a, x, portable.log_gamma(a))
    assert below == pytest.approx(special.gammainc(a, x), rel=1e-10, abs=1e-14)
    assert above == pytest.approx(special.gammaincc(a, x), rel=1e-10, abs=1e-14)
    assert density == pytest.approx(x * stats.gamma.pdf(x, a) if x > 0 else 0.0, rel=1e-9, abs=1e-14)


@given(a=st.floats(0.02, 200), b=st.floats(0.02, 200), x=st.floats(1e-300, 1))
def test_beta_tails(a: float, b: float, x: float) -> None:
    log_norm = portable.log_gamma(a) + portable.log_gamma(b) - portable.log_gamma(a + b)
    below, above, density = portable.beta_tails(a, b, x, log_norm)
    assert below == pytest.approx(stats.beta.cdf(x, a, b), rel=1e-10, abs=1e-13)
    assert above == pytest.approx(stats.beta.sf(x, a, b), rel=1e-10, abs=1e-13)
    if x < 1:
        assert density == pytest.approx(x * stats.beta.pdf(x, a, b), rel=1e-9, abs=1e-13)


TABLES = {name: (portable.quantile_table(a, b), law) for name, a, b, law in (
    ("affinity", 0.3, 0.0, stats.gamma(0.3)), ("rate", 0.2426, 0.0, stats.gamma(0.2426)),
    ("even", 50.0, 0.0, stats.gamma(50.0)), ("lapse", 0.7929, 2.4258, stats.beta(0.7929, 2.4258)))}


@pytest.mark.parametrize("name", TABLES)
def test_quantiles_meet_the_law_they_invert(name: str) -> None:
    table, law = TABLES[name]
    u = np.concatenate([np.linspace(0.001, 0.999, 997), 0.5 ** np.arange(11, 30), 1 - 0.5 ** np.arange(11, 30)])
    found = np.array([portable.quantile(table, v) for v in u])
    assert np.abs(law.cdf(found) / u - 1).max() < 1e-4
    assert np.abs(law.sf(found) / (1 - u) - 1).max() < 1e-4


@pytest.mark.parametrize(("a", "b"), [(0.02, 0.0), (0.3, 0.0), (100.0, 0.0), (0.05, 900.0), (900.0, 0.4), (0.1, 0.1),
                                      (3.0, 0.1), (1000.0, 1000.0)])
def test_quantiles_hold_to_the_last_digits_even_for_extreme_laws(a: float, b: float) -> None:
    law = stats.gamma(a) if b == 0.0 else stats.beta(a, b)
    step = np.arange(portable.OCTAVES * portable.STEPS + 1)
    tail = 2.0 ** -(step // portable.STEPS + 1) * (1 - 0.5 * (step % portable.STEPS) / portable.STEPS)
    lower, upper = portable.quantile_table(a, b)
    assert (np.diff(lower) <= 0).all()
    assert (np.diff(upper) >= 0).all()
    inside = (lower > 1e-280) & (lower < 1 - 1e-6 if b > 0 else True)
    assert np.abs(law.cdf(lower[inside]) / tail[inside] - 1).max() < 1e-8
    inside = (upper > 1e-280) & (upper < 1 - 1e-6 if b > 0 else True)
    assert np.abs(law.sf(upper[inside]) / tail[inside] - 1).max(initial=0.0) < 1e-8


@pytest.mark.parametrize("name", TABLES)
@given(u=st.floats(1e-12, 1 - 1e-12), v=st.floats(1e-12, 1 - 1e-12))
def test_quantiles_never_fall(name: str, u: float, v: float) -> None:
    low, high = sorted((u, v))
    assert portable.quantile(TABLES[name][0], low) <= portable.quantile(TABLES[name][0], high)


@pytest.mark.parametrize("u", [1e-300, 2.0**-41, 0.5, 1 - 2.0**-53])
def test_quantiles_at_the_ends_are_finite(u: float) -> None:
    for table, _ in TABLES.values():
        assert 0.0 <= portable.quantile(table, u) < 120.0


def test_the_mean_of_affinity_is_its_shape() -> None:
    u = (np.arange(100_000) + 0.5) / 100_000
    assert np.mean([portable.quantile(TABLES["affinity"][0], v) for v in u]) == pytest.approx(0.3, rel=1e-4)


@pytest.mark.parametrize("name", ["exp", "log", "chance", "logistic"])
def test_compiled_and_interpreted_bits_agree(name: str) -> None:
    """Python rounds after each operation; a compiler that fused or reordered them would show here."""
    compiled = getattr(portable, name)
    for x in GRID:
        x = abs(x) if name in ("log", "chance") else x
        assert compiled(x).hex() == float(compiled.py_func(x)).hex()


@pytest.mark.parametrize(("name", "digest"), [("exp", "2de7de60fe2f1bb4"), ("log", "3bf9c8f7d65cce99")])
def test_bits_are_those_of_every_machine(name: str, digest: str) -> None:
    values = np.array([getattr(portable, name)(abs(x)) for x in GRID])
    assert hashlib.sha256(values.astype("<f8").tobytes()).hexdigest()[:16] == digest


def test_quantile_tables_have_the_bits_of_every_machine() -> None:
    digest = hashlib.sha256(b"".join(table.astype("<f8").tobytes() for table, _ in TABLES.values())).hexdigest()
    assert digest[:16] == "bc2f099b0e040048"
