"""What customers with a known history will order under a fitted process: means, variances, chances, by quadrature.

Somebody alive with rate λ, lapse chance p and rate of leaving μ orders within t days, with κ = λ p + μ,

    E Y = λ t φ₁(κt),   E Y(Y-1) = 2 (1-p) (λ t)² φ₂(κt),   P(Y > 0) = λ t φ₁((λ+μ) t),

φ₁(z) = (1 - e⁻ᶻ)/z, φ₂(z) = (1 - (1+z) e⁻ᶻ)/z². Given the history λ ~ Gamma(r+x, α+T), p ~ Beta(a, b+x) and
μ ~ Gamma(s, β+T) are independent of each other, so Gauss rules for these densities take the means.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from scipy.linalg import eigh_tridiagonal
from scipy.special import betainc, betaln

from omnisim.study.purchases.models import (
    NODES,
    PARETO_NBD,
    WEIGHTS,
    Floats,
    Histories,
    Process,
    chance_alive,
)

POINTS = 24
"""Nodes of the rule for rates, of orders and of leaving."""
CHANCES = 12
"""Nodes of the rule for lapse chances."""


class Forecast(NamedTuple):
    """Of each history (n,): chance of being alive, and of the orders to come their mean, variance, P(any)."""

    alive: Floats
    mean: Floats
    variance: Floats
    any: Floats


@lru_cache(maxsize=4096)
def gamma_rule(shape: float, n: int = POINTS) -> tuple[Floats, Floats]:
    """Nodes and weights for the mean over Gamma(shape, 1): generalised Gauss-Laguerre, weights that sum to 1."""
    k = np.arange(float(n))
    return _rule(2 * k + shape, np.asarray(np.sqrt(k[1:] * (k[1:] + shape - 1)), float))


@lru_cache(maxsize=4096)
def beta_rule(a: float, b: float, n: int = CHANCES) -> tuple[Floats, Floats]:
    """Nodes and weights for the mean over Beta(a, b): Gauss-Jacobi on (0, 1), weights that sum to 1."""
    k = np.arange(1.0, n)
    u, v = b - 1, a - 1  # of (1-t)ᵘ (1+t)ᵛ on (-1, 1)
    twice = 2 * k + u + v
    diagonal = np.concatenate([[(v - u) / (u + v + 2)], (v * v - u * u) / (twice * (twice + 2))])
    square = np.empty(k.size)
    square[0] = 4 * (1 + u) * (1 + v) / ((2 + u + v) ** 2 * (3 + u + v))  # the general form is 0/0 where u + v = -1
    k, twice = k[1:], twice[1:]
    square[1:] = 4 * k * (k + u) * (k + v) * (k + u + v) / (twice**2 * (twice + 1) * (twice - 1))
    nodes, weights = _rule(diagonal, np.sqrt(square))
    return np.clip((1 + nodes) / 2, 0.0, 1.0), weights


def _rule(diagonal: Floats, beside: Floats) -> tuple[Floats, Floats]:
    """The Gauss rule of a recurrence (Golub & Welsch 1969), for a density."""
    nodes, vectors = eigh_tridiagonal(diagonal, beside)
    return nodes, vectors[0] ** 2


def _phi(z: Floats) -> Floats:
    """(1 - e⁻ᶻ)/z."""
    return np.where(z > 1e-9, -np.expm1(-z) / np.maximum(z, 1e-9), 1 - z / 2)


def _phi2(z: Floats) -> Floats:
    """(1 - (1+z) e⁻ᶻ)/z²."""
    safe = np.maximum(z, 1e-3)
    return np.where(z > 1e-3, (-np.expm1(-safe) - safe * np.exp(-safe)) / safe**2, 0.5 - z / 3 + z * z / 8)


def _moments(rate: Floats, lapse: Floats, leave: Floats, days: float) -> Floats:
    """E Y, E Y(Y-1) and P(Y > 0) of somebody alive: (3, …)."""
    z = (rate * lapse + leave) * days
    n = rate * days
    return np.array(np.broadcast_arrays(n * _phi(z), 2 * (1 - lapse) * n * n * _phi2(z),
                                        n * _phi(n + leave * days)))


def _if_alive(process: Process, values: Floats, repeats: int, age: Floats, days: float) -> Floats:
    """The moments of those alive after `repeats` repeat orders, by age: (3, ages)."""
    nodes, weights = gamma_rule(float(values[0]) + repeats)
    rate = nodes[:, None, None] / (values[1] + age)  # (rates, 1, ages)
    if process.name == PARETO_NBD.name:
        other, chance = gamma_rule(float(values[2]))
        found = _moments(rate, np.zeros(1), other[:, None] / (values[3] + age), days)
        return np.asarray(np.einsum("mrca,r,c->ma", found, weights, chance))
    loyal, leave = float(values[4]) if values.size > 4 else 0.0, process.leave
    other, chance = beta_rule(float(values[2]), float(values[3]) + repeats)
    share = (1 - loyal) * np.exp(betaln(values[2], values[3] + repeats) - betaln(values[2], values[3]))
    chance = chance * share / (loyal + share)
    if loyal:
        other, chance = np.append(other, 0.0), np.append(chance, loyal / (loyal + share))
    found = _moments(rate, other[:, None], np.full((1, 1), leave), days)
    return np.asarray(np.einsum("mrca,r,c->ma", found, weights, chance))


def forecast(process: Process, values: Floats, h: Histories, days: float) -> Forecast:
    """The orders that each history leads to within so many days after T."""
    alive = chance_alive(process, h, values)
    found = np.zeros((3, len(h)))
    order = np.lexsort((h.age, h.repeats))
    for rows in np.split(order, np.flatnonzero(np.diff(h.repeats[order])) + 1) if order.size else ():
        ages, place = np.unique(h.age[rows], return_inverse=True)
        for start in range(0, ages.size, 512):
            inside = (place >= start) & (place < start + 512)
            moments = _if_alive(process, values, int(h.repeats[rows[0]]), ages[start:start + 512], days)
            found[:, rows[inside]] = moments[:, place[inside] - start]
    mean, pairs, some = found * alive
    return Forecast(alive, mean, pairs + mean - mean * mean, some)


def expect(process: Process, values: Floats, days: Floats) -> Floats:
    """Mean repeat orders of a new customer within so many days of the first order (n,)."""
    return np.array([_if_alive(process, values, 0, np.zeros(1), float(t))[0, 0] for t in days])


def frequencies(process: Process, values: Floats, age: Floats, count: Floats, most: int) -> Floats:
    """Expected number of customers with 0, 1, … `most` and more repeat orders by their ages: (most + 1,).

    Notes
    -----
    Orders are the lesser of a Poisson count until the customer leaves and the order after which the customer lapses,
    and these are independent: P(X ≥ n) = E (1-p)ⁿ⁻¹ · E P(Poisson(λ min(T, L)) ≥ n), and given min(T, L) = τ the last
    is the incomplete beta function I(τ/(α+τ); n, r).
    """
    r, alpha = values[:2]
    beyond = np.ones(most + 1)
    for n in range(1, most + 1):
        def tail(day: Floats, n: int = n) -> Floats:
            return np.asarray(betainc(n, r, day / (alpha + day)))
        if process.name == PARETO_NBD.name:
            seen = tail(age) * (values[3] / (values[3] + age)) ** values[2]
            span = np.log1p(age / values[3])  # the day of leaving, in logs
            for node, weight in zip((1 + NODES) / 2, WEIGHTS / 2, strict=True):
                seen += weight * span * values[2] * np.exp(-values[2] * node * span) * tail(
                    values[3] * np.expm1(node * span))
            kept = 1.0
        else:
            a, b = values[2:4]
            loyal, leave = float(values[4]) if values.size > 4 else 0.0, process.leave
            kept = loyal + (1 - loyal) * float(np.exp(betaln(a, b + n - 1) - betaln(a, b)))
            seen = tail(age) * np.exp(-leave * age)
            for node, weight in zip((1 + NODES) / 2, WEIGHTS / 2, strict=True):
                if leave:
                    seen += weight * age * leave * np.exp(-leave * node * age) * tail(node * age)
        beyond[n] = kept * float(count @ seen) / float(count.sum())
    return np.asarray(float(count.sum()) * (beyond - np.append(beyond[1:], 0.0)))
