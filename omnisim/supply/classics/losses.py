"""Expected shortages: first and second loss functions, normal and Poisson, for single figures and whole arrays."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import special

from omnisim.supply.classics.inputs import Floats

ROOT_2PI = math.sqrt(2 * math.pi)


def normal_loss(x: Any, mean: float, sd: float) -> Any:
    """Expected shortage of stock x for normal demand, E[(D − x)⁺].

    Parameters
    ----------
    x : float or array [unit]  stock
    mean, sd : float [unit]  of demand (μ, σ ≥ 0)

    Returns
    -------
    float or array [unit]  n(x) = σ (φ(z) − z (1 − Φ(z))), z = (x − μ) / σ

    Notes
    -----
    Snyder & Shen (2019), appendix C. E[(x − D)⁺] = n(x) + x − μ.

    Examples
    --------
    >>> round(normal_loss(18.6, 15, 3), 6)
    0.168307
    """
    if sd == 0:
        return _same_kind(np.maximum(mean - x, 0.0), x)
    z = (x - mean) / sd
    return _same_kind(sd * (np.exp(-0.5 * z * z) / ROOT_2PI - z * special.ndtr(-z)), x)


def normal_second_loss(x: Any, mean: float, sd: float) -> Any:
    """Half the expected squared shortage for normal demand, E[((D − x)⁺)²] / 2.

    Parameters
    ----------
    x : float or array [unit]  stock
    mean, sd : float [unit]  of demand (μ, σ ≥ 0)

    Returns
    -------
    float or array [unit²]  n₂(x) = ∫ₓ n(y) dy = σ² ((z² + 1)(1 − Φ(z)) − z φ(z)) / 2

    Examples
    --------
    >>> round(normal_second_loss(18.6, 15, 3), 6)
    0.21486
    """
    if sd == 0:
        return _same_kind(0.5 * np.maximum(mean - x, 0.0) ** 2, x)
    z = (x - mean) / sd
    loss = 0.5 * sd * sd * ((z * z + 1) * special.ndtr(-z) - z * np.exp(-0.5 * z * z) / ROOT_2PI)
    return _same_kind(loss, x)


def poisson_loss(x: Any, mean: float) -> Any:
    """Expected shortage of whole stock x for Poisson demand, E[(D − x)⁺].

    Parameters
    ----------
    x : int or array [unit]  stock; may be negative
    mean : float [unit]  of demand (λ ≥ 0)

    Returns
    -------
    float or array [unit]  n(x) = (λ − x) P(D > x) + λ P(D = x)

    Examples
    --------
    >>> round(poisson_loss(18, 15), 6)
    0.51761
    """
    at = np.asarray(x, np.float64)
    held = np.maximum(at, 0.0)
    loss = (mean - held) * poisson_tail(held, mean) + mean * poisson_probability(held, mean)
    return _same_kind(np.where(at < 0, mean - at, np.maximum(loss, 0.0)), x)


def _same_kind(found: Any, x: Any) -> Any:
    """A plain number for a plain number."""
    return found if np.ndim(x) else float(found)


def poisson_probability(x: Any, mean: float) -> Floats:
    """P(D = x) for x = 0, 1, … and Poisson demand."""
    at = np.asarray(x, np.float64)
    if mean == 0:
        return np.where(at == 0, 1.0, 0.0)
    return np.asarray(np.exp(at * math.log(mean) - mean - special.gammaln(at + 1)), np.float64)


def poisson_tail(x: Any, mean: float) -> Floats:
    """P(D > x) for Poisson demand."""
    return np.asarray(special.pdtrc(np.floor(x), mean), np.float64)


def poisson_pmf(mean: float, tail: float = 1e-15) -> Floats:
    """Probabilities of 0, 1, … n units, n the first with P(D > n) ≤ tail.

    Parameters
    ----------
    mean : float [unit]  of demand, 0 or above
    tail : float [share]  probability that is cut off
    """
    top = math.ceil(mean + 12 * math.sqrt(mean) + 20)
    units = np.arange(top + 1)
    length = int(np.searchsorted(-poisson_tail(units, mean), -tail)) + 1
    return poisson_probability(units[:length], mean)
