"""Exponentials, logarithms and quantiles whose bits do not depend on the machine.

Library ``exp``, ``log`` and ``pow`` change their last bits with the CPU. Everything here uses + − × ÷ and exact
scaling by powers of two only, which IEEE 754 fixes, so the same draws lead to the same consumers everywhere.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import formula, kernel, melted
from omnisim.processor import bits_of, from_bits

LN2_HIGH = 0.6931471803691238
LN2_LOW = 1.9082149292705877e-10
MANTISSA = (1 << 52) - 1
STEPS = 64
OCTAVES = 40


@formula
def _power_of_two(k):
    """2^k for -1023 < k < 1024."""
    return from_bits((k + 1023) << 52)


@formula
def exp(x: float) -> float:
    """e^x for any finite x, to about one unit in the last place; 0 below -700, e^700 above 700."""
    if x < -700.0:
        return 0.0
    x = min(x, 700.0)
    k = math.floor(x * 1.4426950408889634 + 0.5)
    r = (x - k * LN2_HIGH) - k * LN2_LOW
    # Taylor to r^13, paired (Estrin) so that the terms do not wait for each other
    r2 = r * r
    r4 = r2 * r2
    low = (1.0 + r) + r2 * (1 / 2 + r * (1 / 6))
    middle = (1 / 24 + r * (1 / 120)) + r2 * (1 / 720 + r * (1 / 5040))
    high = (1 / 40320 + r * (1 / 362880)) + r2 * (1 / 3628800 + r * (1 / 39916800))
    top = 1 / 479001600 + r * (1 / 6227020800)
    power: float = _power_of_two(int(k))
    return ((low + r4 * middle) + (r4 * r4) * (high + r4 * top)) * power


@formula
def log(x: float) -> float:
    """Natural logarithm of x > 0; -1e308 for 0."""
    if x <= 0.0:
        return -1e308
    m, k = math.frexp(x)
    if m < 0.7071067811865476:
        m *= 2.0
        k -= 1
    s = (m - 1.0) / (m + 1.0)
    square = s * s
    total = 0.0
    for n in range(23, 0, -2):
        total = total * square + 1.0 / n
    return k * LN2_HIGH + (2.0 * s * total + k * LN2_LOW)


@formula
def chance(hazard):
    """Probability 1 - e^-h that at least one event of a Poisson process with mean h ≥ 0 happens."""
    if hazard < 1e-5:
        return hazard - 0.5 * hazard * hazard
    return 1.0 - exp(-hazard)


@melted
def happens(u, hazard):
    """Whether at least one event of a Poisson process with mean `hazard` happens, for a draw u: u < 1 - e^-h.

    The series 1 - e^-h = h - h²/2 + h³/6 - … decides nearly always without the exponential.
    """
    if u >= hazard:
        return False
    if u < hazard - 0.5 * hazard * hazard:
        return True
    return u < chance(hazard)


@formula
def logistic(z):
    """Probability 1 / (1 + e^-z) of log-odds z."""
    return 1.0 / (1.0 + exp(-z))


@formula
def log_gamma(a):
    """log Γ(a) for a > 0, by Stirling's series after shifting a above 12."""
    shift = 0.0
    while a < 12.0:
        shift += log(a)
        a += 1.0
    square = 1.0 / (a * a)
    series = (1 / 12 - square * (1 / 360 - square * (1 / 1260 - square * (1 / 1680 - square / 1188)))) / a
    return (a - 0.5) * log(a) - a + 0.9189385332046727 + series - shift


@formula
def gamma_tails(a: float, x: float, log_norm: float) -> tuple[float, float, float]:
    """P(X ≤ x), P(X > x) and x times the density of a Gamma variable with shape a and scale 1.

    By the series; by the continued fraction beyond a + 1. `log_norm` is log Γ(a), which many points share.
    """
    if x <= 0.0:
        return 0.0, 1.0, 0.0
    front = exp(a * log(x) - x - log_norm)
    if x < a + 1.0:
        term = 1.0 / a
        total = term
        n = a
        while term > total * 1e-17:
            n += 1.0
            term *= x / n
            total += term
        return total * front, 1.0 - total * front, front
    # modified Lentz
    b = x + 1.0 - a
    c = 1e300
    d = 1.0 / b
    h = d
    for k in range(1, 500):
        an = -k * (k - a)
        b += 2.0
        d = 1.0 / (an * d + b)
        c = b + an / c
        h *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    return 1.0 - front * h, front * h, front


@formula
def _beta_fraction(a: float, b: float, x: float) -> float:
    c = 1.0
    d = 1.0 / (1.0 - (a + b) * x / (a + 1.0))
    h = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1.0) * (a + 2 * m))
        d = 1.0 / (1.0 + even * d)
        c = 1.0 + even / c
        h *= d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1.0))
        d = 1.0 / (1.0 + odd * d)
        c = 1.0 + odd / c
        h *= d * c
        if abs(d * c - 1.0) < 1e-16:
            break
    return h


@formula
def beta_tails(a: float, b: float, x: float, log_norm: float) -> tuple[float, float, float]:
    """P(X ≤ x), P(X > x) and x times the density of a Beta(a, b) variable; `log_norm` is log B(a, b).

    By the continued fraction on the side where it converges.
    """
    if x <= 0.0:
        return 0.0, 1.0, 0.0
    if x >= 1.0:
        return 1.0, 0.0, 0.0
    front = exp(a * log(x) + b * log(1.0 - x) - log_norm)
    if x < (a + 1.0) / (a + b + 2.0):
        low = front * _beta_fraction(a, b, x) / a
        return low, 1.0 - low, front / (1.0 - x)
    high = front * _beta_fraction(b, a, 1.0 - x) / b
    return 1.0 - high, high, front / (1.0 - x)


@formula
def _tails(a: float, b: float, x: float, log_norm: float) -> tuple[float, float, float]:
    """Tails and x times the density of Gamma(a) (b = 0) or Beta(a, b)."""
    tails: tuple[float, float, float] = gamma_tails(a, x, log_norm) if b == 0.0 else beta_tails(a, b, x, log_norm)
    return tails


@formula
def _median(a: float, b: float, log_norm: float) -> float:
    """By bisection: first of the exponent, which keeps relative precision, then of the number."""
    low, high = 0.0, 1.0
    if b == 0.0:
        while gamma_tails(a, high, log_norm)[0] < 0.5:
            high *= 2.0
    while high - low > 1e-3 * high:
        middle = 0.5 * (low + high) if low > 0.0 or high < 1e-300 else high / 16.0
        if _tails(a, b, middle, log_norm)[0] < 0.5:
            low = middle
        else:
            high = middle
    return 0.5 * (low + high)


@formula
def _write_quantiles(a: float, b: float, upper: bool, x: float, log_norm: float, row: NDArray[np.float64]) -> None:
    """Quantiles by lower (or upper) tail from 1/2 down, from a point x ≤ 1/2 near the first on.

    Each by Newton's method from the one before, in log x and log tail, between which the law is nearly a straight line.
    A quantile below e^-700 is nothing.
    """
    y, mirrored = log(x), False
    for n in range(row.size):
        octave, step = n // STEPS, n % STEPS
        log_tail = log(1.0 - 0.5 * step / STEPS) - (octave + 1) * (LN2_HIGH + LN2_LOW)
        for _ in range(50):
            below, above, slope = _tails(a, b, exp(y), log_norm)
            tail = above if upper else below
            change = (log_tail - log(tail)) * tail / slope if slope > 0.0 else 0.0
            y += -change if upper else change
            if abs(change) < 1e-7:  # its square is what is left of the error
                break
        x = exp(y)
        row[n] = 1.0 - x if mirrored else x
        if b > 0.0 and upper and x > 0.5:  # precise near 1 as near 0: 1 - X is Beta(b, a)
            a, b, upper, mirrored, y = b, a, False, True, log(1.0 - x)


@kernel
def quantile_table(a: float, b: float) -> NDArray[np.float64]:
    """Quantiles of Gamma(a) (b = 0; mean a) or Beta(a, b) on a grid that is fine in both tails.

    Returns
    -------
    float64 (2, OCTAVES * STEPS + 1)  row 0 by lower tail, row 1 by upper tail; entry e * STEPS + s is the quantile
        at tail 2^-(e + 1) * (1 - s / (2 STEPS)), so tails from 1/2 down to 2^-41
    """
    table = np.empty((2, OCTAVES * STEPS + 1))
    log_norm = log_gamma(a) + (log_gamma(b) - log_gamma(a + b) if b > 0.0 else 0.0)
    mirrored = b > 0.0 and beta_tails(a, b, 0.5, log_norm)[0] < 0.5
    if mirrored:  # so that the median lies in the lower half
        a, b = b, a
    median = _median(a, b, log_norm)
    for side in range(2):
        _write_quantiles(a, b, side == 1, median, log_norm, table[1 - side if mirrored else side])
    if mirrored:
        for side in range(2):
            for n in range(OCTAVES * STEPS + 1):
                table[side, n] = 1.0 - table[side, n]
    return table


@formula
def quantile(table, u):
    """Quantile at probability u in (0, 1), linear in the tail between grid points (relative error about 1e-5)."""
    side = 0 if u < 0.5 else 1
    tail = u if side == 0 else 1.0 - u
    if tail <= 0.0:
        return table[side, OCTAVES * STEPS]
    # tail = m 2^k with m in (1/2, 1]
    bits = bits_of(tail) - 1
    k = (bits >> 52) - 1022
    m = from_bits((bits & MANTISSA) | (np.int64(1022) << 52))
    m += 1.1102230246251565e-16
    octave = -k - 1
    place = (1.0 - m) * 2.0 * STEPS
    if octave >= OCTAVES:
        return table[side, OCTAVES * STEPS]
    n = octave * STEPS + int(place)
    weight = place - int(place)
    last = OCTAVES * STEPS
    return table[side, min(n, last)] * (1.0 - weight) + table[side, min(n + 1, last)] * weight
