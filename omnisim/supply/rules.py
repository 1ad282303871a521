"""Replenishment rules: how much a node orders of an article, given what it has and expects."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import formula, kernel
from omnisim.supply.layout import MIN_MAX, REORDER_POINT

Ints = NDArray[np.int64]
FEWEST_DAYS, MOST_DAYS = 21, 182
"""Days of demand from which, and on which at most, a forecast rests."""


@formula
def quantity_wanted(rule, position, level, point, lot):
    """Units to order, the position being stock on hand and on order less what waits.

    base stock: S − x. (r, Q): the fewest lots that lift x above r, if x ≤ r. (s, S): S − x, if x ≤ s.
    """
    if rule == REORDER_POINT:
        return ((point - position) // lot + 1) * lot if position <= point else 0
    if rule == MIN_MAX and position > point:
        return 0
    return max(0, level - position)


@kernel
def wanted(rule, position, level, point, lot):
    """`quantity_wanted` for each place and article; all int64 (N, S)."""
    found = np.zeros(rule.shape, np.int64)
    for n in range(rule.shape[0]):
        for p in range(rule.shape[1]):
            found[n, p] = quantity_wanted(rule[n, p], position[n, p], level[n, p], point[n, p], lot[n, p])
    return found


def forecast_levels(history: Ints, cover: Ints, service: NDArray[np.float64],
                    calendar: NDArray[np.float64] | None = None) -> Ints:
    """Order-up-to levels from past demand: what is expected until the next delivery, and safety stock.

    Parameters
    ----------
    history : int64 (n, T) [unit/day]  demand of each series
    cover : int64 (n,) [day]  lead time and review period
    service : float (n,) [share]  of order cycles without a stock-out
    calendar : float (n, T + longest cover)  known factors of demand, past and to come

    Returns
    -------
    int64 (n,) [unit]  ⌈μ + z σ⌉ of demand over `cover` days, z the normal quantile of `service`
    """
    from omnisim.supply.forecast import Driver, demand_over, forecast_demand

    levels = np.zeros(cover.size, np.int64)
    z = np.array([NormalDist().inv_cdf(share) for share in service.tolist()])
    drivers = () if calendar is None else (Driver("calendar", calendar - 1.0, 1.0),)
    forecast = forecast_demand(history.astype(np.float64), horizon=int(cover.max()), drivers=drivers)
    for days in np.unique(cover).tolist():
        expected = demand_over(forecast, days)
        levels = np.where(cover == days, np.ceil(expected.mean + z * expected.sd), levels)
    return np.maximum(levels, 0).astype(np.int64)
