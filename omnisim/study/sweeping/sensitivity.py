"""What matters: Sobol indices, Morris's elementary effects and quadratic response surfaces, from values at points."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.study.sweeping.points import STEP

Floats = NDArray[np.float64]
RESAMPLED = 500
"""Bootstrap samples of an interval."""


class Indices(NamedTuple):
    """Shares of the variance by axis (axes,): of each alone, and with all that it does together with others."""

    first: Floats
    total: Floats


class Effects(NamedTuple):
    """Morris's measures by axis (axes,): mean effect over the range, mean of its size, standard deviation."""

    mean: Floats
    size: Floats
    spread: Floats


def sobol_indices(values: Floats) -> Indices:
    """Sobol indices from Saltelli's design.

    Parameters
    ----------
    values : float (n, axes + 2)  by group: at a row of A, at A with one value of B for each axis, at the row of B

    Returns
    -------
    first S_i = mean(f_B (f_ABi − f_A)) / V, total T_i = mean((f_A − f_ABi)²) / 2V; 0 where nothing varies

    Notes
    -----
    Saltelli et al. (2010), Computer Physics Communications 181, table 2 (b) and (f). Estimates of small indices may
    lie below 0. Values are centred first, which lowers the error.
    """
    centred = values - values[:, [0, -1]].mean()
    a, mixed, b = centred[:, 0], centred[:, 1:-1], centred[:, -1]
    variance = float(np.concatenate([a, b]).var())
    if variance <= 0:
        return Indices(np.zeros(mixed.shape[1]), np.zeros(mixed.shape[1]))
    return Indices((b[:, None] * (mixed - a[:, None])).mean(axis=0) / variance,
                   ((a[:, None] - mixed) ** 2).mean(axis=0) / (2 * variance))


def grid_indices(values: Floats) -> Indices:
    """Sobol indices of a full grid, each of whose cells weighs the same: exact, not sampled.

    Parameters
    ----------
    values : float (n_1, …, n_axes)

    Returns
    -------
    first S_i = Var(E[f | x_i]) / V, total T_i = E[Var(f | all but x_i)] / V (Sobol 1993); 0 where nothing varies
    """
    axes = range(values.ndim)
    variance = float(values.var())
    if variance <= 0:
        return Indices(np.zeros(values.ndim), np.zeros(values.ndim))
    first = [values.mean(axis=tuple(other for other in axes if other != axis)).var() for axis in axes]
    return Indices(np.array(first) / variance, np.array([values.var(axis=axis).mean() for axis in axes]) / variance)


def elementary_effects(values: Floats, moves: Floats) -> Floats:
    """Effects of the steps of Morris's walks, scaled to the whole range of an axis.

    Parameters
    ----------
    values : float (walks, axes + 1)  along each walk
    moves : float (walks, axes, axes)  of each step, +1 or −1 for the axis that moved, else 0

    Returns
    -------
    float (walks, axes)  0 for an axis whose step led to the same value
    """
    return np.asarray(np.einsum("ws,wsa->wa", np.diff(values, axis=1), moves) / STEP, float)


def summarise_effects(effects: Floats) -> Effects:
    """Mean, mean size and standard deviation over walks (Morris 1991; the mean size after Campolongo et al. 2007)."""
    spread = effects.std(axis=0, ddof=1) if len(effects) > 1 else np.full(effects.shape[1], np.nan)
    return Effects(effects.mean(axis=0), np.abs(effects).mean(axis=0), spread)


def bootstrap(rows: Floats, measure: Callable[[Floats], Sequence[Floats]]) -> tuple[Floats, Floats]:
    """The 95 % interval of measures of rows, by resampling whole rows, always with the same luck.

    Returns
    -------
    low, high  as measure gives them; nan for a single row
    """
    shape = np.array(measure(rows)).shape
    if len(rows) < 2:
        return np.full(shape, np.nan), np.full(shape, np.nan)
    draw = np.random.default_rng(0)
    found = np.array([measure(rows[draw.integers(len(rows), size=len(rows))]) for _ in range(RESAMPLED)])
    low, high = np.quantile(found, [0.025, 0.975], axis=0)
    return low, high


class Surface(NamedTuple):
    """A quadratic surface over axes scaled to −1 … 1."""

    coefficients: Floats
    explained: float
    """Share of the variance at the points that the surface explains (R²)."""

    def at(self, places: Floats) -> Floats:
        """Heights at places (n, axes)."""
        return np.asarray(_terms(places) @ self.coefficients, float)


def fit_surface(places: Floats, values: Floats) -> Surface:
    """The quadratic surface with all products of two axes that fits best (Box & Wilson 1951), by least squares.

    Parameters
    ----------
    places : float (n, axes)  scaled to −1 … 1
    values : float (n,)
    """
    terms = _terms(places)
    coefficients = np.asarray(np.linalg.lstsq(terms, values, rcond=None)[0], float)
    variance = float(values.var())
    left = float((values - terms @ coefficients).var())
    return Surface(coefficients, 1.0 - left / variance if variance > 0 else 1.0)


def _terms(places: Floats) -> Floats:
    """1, x_i, x_i · x_j (n, terms)."""
    n, axes = places.shape
    pairs = [places[:, i] * places[:, j] for i in range(axes) for j in range(i, axes)]
    return np.column_stack([np.ones(n), *places.T, *pairs])
