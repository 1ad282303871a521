"""Reservation: stock kept back from a channel that pays less, for one that pays more and buys later."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omnisim.supply.classics.demand import Demand, as_scenarios, quantile, whole_units
from omnisim.supply.classics.inputs import Floats, accept, fault, positive, series, whole


class Reservation(NamedTuple):
    """Units kept for the channels that pay more.

    Parameters
    ----------
    protected : int (n − 1,) [unit]  kept for channels 0 … j together while channel j + 1 buys (y)
    revenue : float (capacity + 1,) [currency]  expected, by the stock at the start
    """

    protected: NDArray[np.int64]
    revenue: Floats


def littlewood(demand: Demand, *, price: float, lower_price: float) -> float:
    """How many units to keep for the channel that pays more.

    Parameters
    ----------
    demand : of the channel that pays more, which buys later [unit]  (D)
    price, lower_price : float [currency/unit]  contribution of a unit there and in the other channel (p, p′ < p)

    Returns
    -------
    float [unit]  y = F⁻¹(1 − p′ / p): the last unit kept is sold with probability p′ / p or more

    Raises
    ------
    UsageError  for prices that are not above 0, or a lower price that is not lower

    Notes
    -----
    Littlewood (1972); Talluri & van Ryzin (2004), section 2.2. For discrete demand the least y with
    P(D > y) ≤ p′ / p. Unsold units are worth nothing; else give prices beyond that worth.

    Examples
    --------
    >>> from scipy import stats
    >>> round(littlewood(stats.norm(100, 20), price=100, lower_price=40), 1)
    105.1
    """
    accept("littlewood", positive("price", price), positive("lower_price", lower_price))
    accept("littlewood", None if lower_price < price else
           fault("lower_price", lower_price, f"must be below price ({price:g})", "Exchange the two channels."))
    found = quantile(demand, 1 - lower_price / price)
    return max(found, 0.0) if as_scenarios(demand) is None else found


def reserve(demands: Sequence[Demand], *, prices: ArrayLike, capacity: int) -> Reservation:
    """How many units to keep for better channels, for any number of channels that buy in turn, the cheapest first.

    Parameters
    ----------
    demands : n independent demands [unit], the best-paying channel first; continuous ones are rounded to whole units
    prices : (n,) [currency/unit]  contribution of a unit in each, falling
    capacity : int [unit]  largest stock to answer for

    Returns
    -------
    Reservation
        V_j(x) = E[max over u ≤ min(D_j, x) of p_j u + V_{j−1}(x − u)]; y_j is the largest stock whose last unit is
        worth more than p_{j+1} to channels 0 … j.

    Raises
    ------
    UsageError  for prices that do not fall, or one demand a price missing

    Notes
    -----
    Exact: Brumelle & McGill (1993), Operations Research 41(1); with two channels it is Littlewood's rule.
    """
    where = "reserve"
    accept(where, whole("capacity", capacity, 1), series("prices", prices, len(demands)))
    paid = np.asarray(prices, np.float64)
    accept(where, None if (np.diff(paid) < 0).all() and paid[-1] > 0 else
           fault("prices", str(paid.tolist()), "must fall from channel to channel and be > 0", "Sort the channels."))
    value = np.zeros(capacity + 1)
    protected = []
    for j, demand in enumerate(demands):
        chances = whole_units(demand).probabilities
        above = 1 - np.concatenate([[0.0], np.minimum(np.cumsum(chances), 1.0)])  # P(D ≥ k), k = 0, 1, …
        kept = 0
        if j:
            worth = np.diff(value)  # of the x-th unit, falling with x
            kept = int((worth > paid[j] + 1e-12 * paid[0]).sum())
            protected.append(kept)
        # V(x) = V_{j−1}(x) + Σ_{k ≤ x − y} P(D ≥ k) (p − worth of unit x − k + 1)
        gain = np.maximum(paid[j] - np.diff(value), 0.0)
        gain[:kept] = 0.0
        served = np.zeros(capacity)
        count = min(above.size - 1, capacity)
        served[:count] = np.maximum(above[1:count + 1], 0.0)
        value = value + np.concatenate([[0.0], np.convolve(gain, served)[:capacity]])
    return Reservation(np.array(protected, np.int64), value)
