"""Which articles to list: an integer programme over what customers buy when their first choice is not there."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omnisim.errors import Fault, UsageError
from omnisim.optimise.solver import Model, Solver, columns

MOST = 200
"""Articles at most."""


class Assortment(NamedTuple):
    """The articles to list, and their profit.

    `listed` (n,) bool; `profit` and `bound` [currency]; `sales` (n,) [unit] of each article.
    """

    listed: NDArray[np.bool_]
    profit: float
    bound: float
    sales: NDArray[np.float64]


def choose_assortment(demand: ArrayLike, margin: ArrayLike, substitution: ArrayLike, *, fixed: ArrayLike = 0.0,
                      space: ArrayLike = 0.0, room: float = np.inf, most: int | None = None) -> Assortment:
    """The most profitable list of articles.

    Parameters
    ----------
    demand : (n,) float [unit]  of each article as first choice (d)
    margin : (n,) float [currency/unit]  (m)
    substitution : (n, n) float [share]  of those who want row i and do not find it, the share that takes column j if it
        is listed (a); rows sum to at most 1, the diagonal is not read
    fixed : (n,) float [currency]  of listing an article (F)
    space : (n,) float  that an article takes
    room : float  for all of them
    most : int  articles listed; any number unless given

    Returns
    -------
    Assortment
        max Σ_i m_i (d_i x_i + Σ_j a_ji d_j y_ji) − F_i x_i with y_ji ≤ x_i, y_ji ≤ 1 − x_j, x binary: one substitution,
        as Smith and Agrawal (2000) and Kök and Fisher (2007) assume.

    Raises
    ------
    UsageError  for figures that cannot be meant
    """
    d, m, a = (np.asarray(part, float) for part in (demand, margin, substitution))
    n = d.size
    cost, size = (np.broadcast_to(np.asarray(part, float), (n,)) if np.ndim(part) == 0 else np.asarray(part, float)
                  for part in (fixed, space))
    _check(d, m, a, cost, size, room, most)
    pairs = [(j, i) for j in range(n) for i in range(n) if i != j and a[j, i] > 0.0 and m[i] > 0.0 and d[j] > 0.0]
    gain = np.array([m[i] * a[j, i] * d[j] for j, i in pairs])
    p = len(pairs)
    rows: list[tuple[int, int, float]] = []
    for k, (j, i) in enumerate(pairs):
        rows += [(2 * k, n + k, 1.0), (2 * k, i, -1.0), (2 * k + 1, n + k, 1.0), (2 * k + 1, j, 1.0)]
    high = [0.0, 1.0] * p
    scale = max(float(size.max(initial=0.0)), 1e-12)
    rows += [(2 * p, i, float(size[i]) / scale) for i in range(n)] + [(2 * p + 1, i, 1.0) for i in range(n)]
    high += [room / scale if np.isfinite(room) else np.inf, float(n if most is None else most)]
    worth = np.concatenate([m * d - cost, gain])
    unit = max(float(np.abs(worth).max(initial=0.0)), 1e-12)
    at, place, value = (np.array([row[k] for row in rows]) for k in range(3))
    start, index, entry = columns(at.astype(np.int64), place.astype(np.int64), value.astype(float), n + p)
    model = Model(worth / unit, np.zeros(n + p), np.ones(n + p), np.full(len(high), -np.inf), np.array(high), start,
                  index, entry, np.arange(n + p) < n)
    answer = Solver().solve(model)
    listed = answer.values[:n] > 0.5
    sales = served(d, a, listed)
    return Assortment(listed, float(m @ sales - cost @ listed), answer.bound * unit, sales)


def served(demand: NDArray[np.float64], substitution: NDArray[np.float64], listed: NDArray[np.bool_]
           ) -> NDArray[np.float64]:
    """Sales of each article, (n,) [unit], when these are listed; nobody substitutes twice or buys at a loss to us."""
    moved = np.where(listed, 0.0, demand) @ np.where(np.eye(len(demand), dtype=bool), 0.0, substitution)
    return np.asarray(np.where(listed, demand + moved, 0.0), float)


def _check(d: NDArray[np.float64], m: NDArray[np.float64], a: NDArray[np.float64], cost: NDArray[np.float64],
           size: NDArray[np.float64], room: float, most: int | None) -> None:
    n, faults = d.size, []
    shapes = (("demand", d, (n,)), ("margin", m, (n,)), ("substitution", a, (n, n)), ("fixed", cost, (n,)),
              ("space", size, (n,)))
    for name, part, shape in shapes:
        if part.shape != shape:
            faults.append(Fault("assortment", name, f"shape {part.shape}", f"must have shape {shape}", "Correct it."))
        elif not np.isfinite(part).all() or (part < 0.0).any():
            worst = part[~(np.isfinite(part) & (part >= 0.0))].flat[0]
            faults.append(Fault("assortment", name, f"{worst:g}", "must be numbers ≥ 0", "Correct it."))
    if not 0 < n <= MOST:
        faults.append(Fault("assortment", "demand", f"{n} articles", f"must be 1 to {MOST}", "Plan in parts."))
    if not faults and (np.where(np.eye(n, dtype=bool), 0.0, a).sum(axis=1) > 1.0 + 1e-9).any():
        faults.append(Fault("assortment", "substitution", "", "rows must sum to at most 1", "Nobody buys twice."))
    if not room >= 0.0:
        faults.append(Fault("assortment", "room", f"{room:g}", "must be ≥ 0", "Correct it."))
    if most is not None and most < 0:
        faults.append(Fault("assortment", "most", f"{most}", "must be ≥ 0", "Leave it out for any number."))
    if faults:
        raise UsageError(*faults)
