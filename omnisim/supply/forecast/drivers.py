"""What is known of the future: campaigns in the calendar, and budgets that are planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omnisim.supply.classics.inputs import accept, fault, number, series, whole

Floats = NDArray[np.float64]
WINDOW = 91
"""Periods over which the slow level is averaged when effects are learned."""
LEAST = 0.05
"""Smallest factor by which drivers can lower demand."""


class Driver(NamedTuple):
    """Something known for past and future that lifts or lowers demand by a share.

    Parameters
    ----------
    name : str
    values : float (T + H,), or (n, T + H) if it differs by series  0 where it does nothing
    effect : float or None  demand is multiplied by 1 + effect × value; None to learn it from each series
    """

    name: str
    values: Floats
    effect: float | None = None


def campaign_driver(name: str, days: Sequence[int], *, periods: int, effect: float | None = None) -> Driver:
    """A campaign by its days, 1 on each of them.

    Parameters
    ----------
    name : str
    days : sequence of int  counted from the first day of the history, past and planned ones
    periods : int  days of history and horizon together
    effect : float or None  share by which the campaign lifts demand, as 1.2 for 2.2 times; None to learn it

    Raises
    ------
    UsageError  for days outside 0 … periods − 1
    """
    accept("campaign_driver", whole("periods", periods, 1),
           number("effect", effect) if effect is not None else None)
    accept("campaign_driver", *(fault(f"days ({name})", repr(day), f"must lie between 0 and {periods - 1}",
                                      "Count from the first day of the history.")
                                for day in days if not 0 <= day < periods))
    values = np.zeros(periods)
    values[list(days)] = 1.0
    return Driver(name, values, effect)


def budget_driver(name: str, budgets: ArrayLike, response: Callable[[Floats], Floats], *, history: int,
                  carry_over: float = 0.0, share: float | None = None) -> Driver:
    """A budget, through its response curve and carry-over, as a share above or below its past mean.

    Parameters
    ----------
    name : str
    budgets : (T + H,) [currency/day]  spent and planned
    response : function of spend (array) to what it brings (array, any unit), not below 0
    history : int [day]  of them past (T)
    carry_over : float [share]  of a day's effect that lasts to the next (0 … 1), before the curve
    share : float or None  of past demand that the budget brought, where known; None to learn it

    Returns
    -------
    Driver  values r_t / r̄ − 1, with r_t the response to A_t = b_t + carry_over A_{t−1} and r̄ its mean over the history

    Raises
    ------
    UsageError  for figures below 0, or a response that is 0 throughout the history
    """
    where = "budget_driver"
    accept(where, series("budgets", budgets), whole("history", history, 1),
           number("carry_over", carry_over) or (None if 0 <= carry_over < 1 else fault(
               "carry_over", carry_over, "must be ≥ 0 and below 1", "Use 0 for none.")),
           number("share", share) if share is not None else None)
    spent = np.asarray(budgets, np.float64).copy()
    for t in range(1, spent.size):
        spent[t] += carry_over * spent[t - 1]
    brought = np.asarray(response(spent), np.float64)
    accept(where, series(f"response ({name})", brought, spent.size))
    mean = float(brought[:history].mean())
    accept(where, None if mean > 0 else fault(f"response ({name})", "0 throughout the history", "must be > 0 somewhere",
                                              "Leave the budget out: nothing can be learned of it."))
    return Driver(name, brought / mean - 1, share)


def stack(where: str, drivers: Sequence[Driver], n: int, periods: int) -> Floats:
    """Values of all drivers, (k, 1 or n, periods), checked."""
    for driver in drivers:
        values = np.asarray(driver.values)
        accept(where, None if values.shape in ((periods,), (n, periods)) and np.isfinite(values).all() else
               fault(f"driver {driver.name!r}", f"shape {values.shape}",
                     f"must be finite, of shape ({periods},) or ({n}, {periods})", "Give past and future periods."))
    rows = n if any(np.ndim(driver.values) == 2 for driver in drivers) else 1
    return np.array([np.broadcast_to(np.asarray(driver.values, np.float64), (rows, periods)) for driver in drivers])


def lifts(history: Floats, drivers: Sequence[Driver], values: Floats, season: int) -> tuple[Floats, Floats]:
    """Factors by which the drivers multiply demand, and their effects.

    Parameters
    ----------
    history : float (n, T) [unit/period]  nan where unknown
    drivers, values : k drivers and their values (k, 1 or n, T + H)
    season : int [period]  weekly, say

    Returns
    -------
    factors : float (n, T + H)  at least `LEAST`
    effects : float (n, k)  given or learned

    Notes
    -----
    Demand is taken as slow level × (season + Σ effect × value). The slow level is a centred mean over 91 periods of
    demand without the lifts found so far; relative demand is then regressed on season and drivers, with a small ridge
    so that a driver that never moved gets no effect. Twice, as each needs the other.
    """
    n, past = history.shape
    known = np.array([np.nan if driver.effect is None else driver.effect for driver in drivers])
    effects = np.tile(np.nan_to_num(known), (n, 1))
    learn = np.flatnonzero(np.isnan(known))
    seasons = (np.arange(past)[:, None] % season == np.arange(season)).astype(np.float64)
    for _ in range(2 if learn.size else 0):
        factors = np.maximum(1 + _share(effects, values), LEAST)
        level = _slow(history / factors[:, :past])
        relative = history / level
        seen = np.isfinite(relative)
        given = _share(np.nan_to_num(np.tile(known, (n, 1))), values)[:, :past]
        relative = np.where(seen, relative - given, 0.0)
        effects[:, learn] = _regress(relative, seen, seasons, values[learn][:, :, :past])
    return np.maximum(1 + _share(effects, values), LEAST), effects


def _share(effects: Floats, values: Floats) -> Floats:
    """Σ effect × value, (n, T)."""
    if values.shape[1] == 1:
        return np.asarray(effects @ values[:, 0], np.float64)
    return np.asarray(np.einsum("nk,knt->nt", effects, values), np.float64)


def _slow(history: Floats) -> Floats:
    """Centred moving mean of what is known, narrower at the ends."""
    filled, counted = np.nan_to_num(history), (~np.isnan(history)).astype(np.float64)
    half = min(WINDOW, history.shape[1]) // 2
    sums = [np.concatenate([np.zeros((history.shape[0], 1)), np.cumsum(part, axis=1)], axis=1)
            for part in (filled, counted)]
    t = np.arange(history.shape[1])
    low, high = np.maximum(t - half, 0), np.minimum(t + half + 1, t.size)
    total, count = (part[:, high] - part[:, low] for part in sums)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = total / count
    return np.where(level > 0, level, np.nan)


def _regress(relative: Floats, seen: NDArray[np.bool_], seasons: Floats, values: Floats) -> Floats:
    """Effects of the drivers beside the season, by ridge regression of each row on what is seen of it."""
    n, k, m = relative.shape[0], values.shape[0], seasons.shape[1]
    ridge = np.concatenate([np.full(m, 1e-9), np.full(k, 0.5)])
    if values.shape[1] == 1 and seen.all():  # one design for all
        design = np.concatenate([seasons, values[:, 0].T], axis=1)
        return np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ relative.T).T[:, m:]
    found = np.empty((n, k))
    for i in range(n):
        design = np.concatenate([seasons, values[:, i if values.shape[1] > 1 else 0].T], axis=1)[seen[i]]
        found[i] = np.linalg.solve(design.T @ design + np.diag(ridge), design.T @ relative[i, seen[i]])[m:]
    return found
