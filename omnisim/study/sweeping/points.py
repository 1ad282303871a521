"""Points of a sweep in the unit cube: Latin hypercube, Sobol sequence, and the designs that tell what matters."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEVELS = 4
"""Levels of an axis in Morris's design."""
STEP = LEVELS / (2 * (LEVELS - 1))
"""How far Morris's design moves along an axis, of its range: 2/3."""


def latin(n: int, axes: int, seed: int) -> Floats:
    """A Latin hypercube (n, axes): each axis has one point in each of n equal parts."""
    from scipy.stats import qmc

    return np.asarray(qmc.LatinHypercube(axes, seed=np.random.default_rng(seed)).random(n), float)


def sobol(n: int, axes: int, seed: int) -> Floats:
    """The first n points (n, axes) of a scrambled Sobol sequence; powers of two fill the cube most evenly."""
    from scipy.stats import qmc

    sequence = qmc.Sobol(axes, scramble=True, seed=np.random.default_rng(seed))
    return np.asarray(sequence.random_base2(max(0, math.ceil(math.log2(n))))[:n], float)


def saltelli(n: int, axes: int, seed: int) -> Floats:
    """Points (n · (axes + 2), axes) for Sobol indices.

    Notes
    -----
    Of two independent samples A and B, each group holds a row of A, the same row with one value of B for each axis
    in turn, and the row of B (Saltelli et al. 2010, Computer Physics Communications 181, design of table 2).
    """
    both = sobol(n, 2 * axes, seed)
    first, second = both[:, :axes], both[:, axes:]
    groups = np.repeat(first[:, None, :], axes + 2, axis=1)
    for axis in range(axes):
        groups[:, axis + 1, axis] = second[:, axis]
    groups[:, -1, :] = second
    return groups.reshape(-1, axes)


def morris(n: int, axes: int, seed: int) -> Floats:
    """Points (n · (axes + 1), axes) of n walks that move along each axis once, in an order of chance.

    Notes
    -----
    Morris (1991), Technometrics 33: four levels 0, 1/3, 2/3, 1 an axis, steps of 2/3 up or down.
    """
    draw = np.random.default_rng(seed)
    walks = np.empty((n, axes + 1, axes))
    for walk in walks:
        up = draw.random(axes) < 0.5
        low = draw.integers(LEVELS // 2, size=axes) / (LEVELS - 1)
        walk[0] = np.where(up, low, low + STEP)
        for k, axis in enumerate(draw.permutation(axes)):
            walk[k + 1] = walk[k]
            walk[k + 1, axis] = low[axis] + STEP if up[axis] else low[axis]
    return np.minimum(walks, 1.0).reshape(-1, axes)


DESIGNS = {"latin": latin, "sobol": sobol, "saltelli": saltelli, "morris": morris}
"""Method -> (n, axes, seed) -> points."""
