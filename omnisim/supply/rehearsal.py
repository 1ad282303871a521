"""Stock alone: many articles and nodes, each with a rule and demand of its own, day by day without consumers.

For trying out rules: the same rules and the same order of a day as in a run (supplies come in the morning, demand in
the day, orders in the evening), with drawn or given demand instead of consumers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omnisim.errors import Fault, UsageError
from omnisim.streams import key
from omnisim.supply.classics.demand import Demand
from omnisim.supply.layout import BASE_STOCK, FORECAST, MIN_MAX, REORDER_POINT, RULES
from omnisim.supply.rehearsal_days import FIGURES, TALLIES, rehearse_days, tabulate

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


class Stocked(NamedTuple):
    """Articles at nodes, n of them, each with its rule; a single figure stands for all.

    Parameters
    ----------
    rule : str  base_stock, reorder_point or min_max
    level, reorder_point, lot : int (n,) [unit]  as in `scenario.supply.StockRule`
    lead_time : int (n,) [day]  from the evening of the order to the morning of arrival, at least 1
    delays : shares of deliveries that take 0, 1, 2, … days more
    moq : int (n,) [unit]  smallest order
    review_days : int (n,) [day]
    opening : int (n,) [unit]  stock at the start; None for the level, or reorder_point + lot
    """

    rule: str
    level: ArrayLike = 0
    reorder_point: ArrayLike = 0
    lot: ArrayLike = 1
    lead_time: ArrayLike = 1
    delays: Sequence[float] = (1.0,)
    moq: ArrayLike = 1
    review_days: ArrayLike = 1
    opening: ArrayLike | None = None


class Prices(NamedTuple):
    """What stock costs, in whole cents or any other unit of money; a single figure stands for all.

    Parameters
    ----------
    holding : int (n,) [money/unit/day]  of stock at the end of a day
    shortage : int (n,) [money/unit]  lost; or [money/unit/day] waiting at the end of a day
    order : int (n,) [money/order]
    """

    holding: ArrayLike = 0
    shortage: ArrayLike = 0
    order: ArrayLike = 0


class Rehearsed(NamedTuple):
    """What the counted days brought, by article and node.

    Parameters
    ----------
    demand, filled, lost : int64 (n,) [unit]  filled on the day of demand; lost, or 0 where orders wait
    on_hand, waiting : int64 (n,) [unit·day]  at the end of each day
    orders, ordered : int64 (n,) [order, unit]
    cost : int64 (n,) [money]
    daily : int64 (n, days) [money]  cost of each counted day, if asked for
    """

    demand: Ints
    filled: Ints
    lost: Ints
    on_hand: Ints
    waiting: Ints
    orders: Ints
    ordered: Ints
    cost: Ints
    daily: Ints

    @property
    def fill_rate(self) -> float:
        """Share of demand that was filled at once."""
        return float(self.filled.sum() / max(1, self.demand.sum()))


def rehearse(stocked: Stocked, demand: Sequence[Demand] | ArrayLike, prices: Prices | None = None, *, days: int,
             warm_up: int = 0, waits: bool = False, seed: int = 1, replication: int = 0,
             keep_daily: bool = False) -> Rehearsed:
    """Let articles at nodes be sold and ordered for some days, each on its own.

    Parameters
    ----------
    stocked : Stocked  rules
    demand : sequence of n distributions, drawn by article and day; or an array (n, days) of whole units a day
    prices : Prices
    days, warm_up : int [day]  days in all, and of these uncounted at the start
    waits : bool  demand that meets no stock waits (is backordered), rather than being lost
    seed, replication : int  replication k of seed s always draws the same demand, whatever the rules
    keep_daily : bool  whether the cost of each counted day is wanted

    Returns
    -------
    Rehearsed

    Raises
    ------
    UsageError  for figures below 0, a lead time of 0, shares that do not sum to 1, or lengths that do not fit

    Examples
    --------
    >>> from scipy import stats
    >>> rehearse(Stocked("base_stock", level=[12, 15], lead_time=2), [stats.poisson(4), stats.poisson(4)], days=2000,
    ...          warm_up=50).fill_rate > 0.9
    True
    """
    drawn = not isinstance(demand, np.ndarray)
    n, path = len(demand), np.zeros((0, 0), np.int64)  # type: ignore[arg-type]
    if not drawn:
        path = np.ascontiguousarray(np.asarray(demand), np.int64)
    chances = tabulate(demand) if drawn else tabulate([{0: 1.0}])  # type: ignore[arg-type]
    figures, delays = _figures(stocked, prices or Prices(), n)
    if not drawn and (path.ndim != 2 or path.shape[1] != days or (path < 0).any()):
        raise UsageError(_fault("demand", path.shape, f"must be (n, {days}) whole units, 0 or above",
                                "Check its shape."))
    if not 0 <= warm_up < days:
        raise UsageError(_fault("warm_up", warm_up, f"must lie between 0 and {days - 1}", "Count a day or more."))
    tallies = np.zeros((n, len(TALLIES)), np.int64)
    daily = np.zeros((n, days - warm_up) if keep_daily else (0, 0), np.int64)
    keys = np.array([key(seed, replication, "rehearsed demand"), key(seed, replication, "rehearsed delay")], np.uint64)
    rehearse_days(figures, delays, keys, chances, path, days, warm_up, waits, tallies, daily)
    return Rehearsed(**dict(zip(TALLIES, tallies.T, strict=True)), daily=daily)


LEAST = {"lot": 1, "lead_time": 1, "moq": 1, "review_days": 1}
"""Smallest figures that make sense, where it is not 0."""


def _figures(stocked: Stocked, prices: Prices, n: int) -> tuple[Ints, Floats]:
    """All figures as int64 (n, 11), and the cumulative shares of delays."""
    faults = []
    if stocked.rule not in RULES or RULES[stocked.rule] == FORECAST:
        faults.append(_fault("rule", stocked.rule, "must be base_stock, reorder_point or min_max", "Choose one."))
    code = RULES.get(stocked.rule, BASE_STOCK)
    given: dict[str, Any] = stocked._asdict() | prices._asdict() | {"rule": code}
    if stocked.opening is None:
        top = np.asarray(stocked.level) if code in (BASE_STOCK, MIN_MAX) else (
            np.asarray(stocked.reorder_point) + np.asarray(stocked.lot))
        given["opening"] = top
    figures = np.zeros((n, len(FIGURES)), np.int64)
    for column, name in enumerate(FIGURES):
        value = np.asarray(given[name])
        if value.ndim > 1 or (value.ndim == 1 and value.size != n):
            faults.append(_fault(name, value.shape, f"must be one figure, or {n}", "Give one for each article."))
        elif value.dtype.kind not in "iu" or (value < LEAST.get(name, 0)).any():
            faults.append(_fault(name, value if value.ndim == 0 else value.min(), "must be whole, and at least "
                                 f"{LEAST.get(name, 0)}", "Round it."))
        else:
            figures[:, column] = value
    shares = np.asarray(stocked.delays, np.float64)
    if not shares.size or (shares < 0).any() or abs(shares.sum() - 1) > 1e-6:
        faults.append(_fault("delays", list(stocked.delays), "must be shares that sum to 1", "Write (0.5, 0.5)."))
    lot, moq = (figures[:, FIGURES.index(name)] for name in ("lot", "moq"))
    if code == REORDER_POINT and not faults and (lot < moq).any():
        faults.append(_fault("lot", int(lot.min()), "must be at least the moq", "Raise it."))
    if faults:
        raise UsageError(*faults)
    edges = np.cumsum(shares)
    edges[-1] = 2.0  # the last takes what rounding leaves
    return figures, edges


def _fault(what: str, got: object, rule: str, fix: str) -> Fault:
    return Fault("rehearse", what, str(got), rule, fix)
