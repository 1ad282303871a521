"""Lost sales with a lead time: the best base stock, and the best orders of any form for small cases."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import kernel
from omnisim.supply.classics.demand import Demand, over_periods, quantile, whole_units
from omnisim.supply.classics.inputs import Check, Floats, accept, fault, positive, whole

Ints = NDArray[np.int64]
MOST_STATES = 2_000_000
"""Largest number of stock and pipeline states that is kept."""


class LostSalesBaseStock(NamedTuple):
    """A base stock under lost sales.

    Parameters
    ----------
    level : int [unit]  stock on hand and on order is filled up to it every period (S)
    cost : float [currency/period]  expected
    """

    level: int
    cost: float


class LostSalesPolicy(NamedTuple):
    """The best orders under lost sales.

    Parameters
    ----------
    cost : float [currency/period]  expected
    orders : int (m + 1, …, m + 1) [unit]  to place with so much on hand after today's delivery, due tomorrow, due the
        day after, … (L indices); −1 where the position exceeds m
    """

    cost: float
    orders: Ints


@kernel
def iterate(pmf: Floats, lead_time: int, rates: tuple[float, float], most: int,
            level: int) -> tuple[float, Ints, Floats]:
    """Relative value iteration over stock and pipeline; fills up to `level`, or orders as is best if it is −1.

    States are numbers in base most + 1: stock on hand first, then what is due in 1, 2, … L − 1 periods.
    """
    base = most + 1
    size = base**lead_time
    high = base ** (lead_time - 1)  # place value of what is ordered now, once a period has passed
    tail = np.zeros(base + 1)  # P(D ≥ x)
    for x in range(base + 1):
        for d in range(min(x, pmf.size), pmf.size):
            tail[x] += pmf[d]
    stage = np.zeros(base)  # h E[(x − D)⁺] + p E[(D − x)⁺]
    for x in range(base):
        for d in range(pmf.size):
            stage[x] += pmf[d] * (rates[0] * (x - d) if d < x else rates[1] * (d - x))
    position = np.empty(size, np.int64)
    for state in range(size):
        rest, total = state, 0
        for _ in range(lead_time):
            total += rest % base
            rest //= base
        position[state] = total
    value, update = np.zeros(size), np.zeros(size)
    orders = np.full(size, -1, np.int64)
    gain, slow = 0.0, 0.9  # a step of 0.9 keeps periodic chains from swinging for ever
    for _ in range(100_000):
        lowest, highest = np.inf, -np.inf
        for state in range(size):
            if position[state] > most:
                continue
            x = state % base
            # after a period: what is due joins the stock that is left, the rest moves up
            shifted = state // base
            best, choice = np.inf, 0
            first, last = 0, most - position[state]
            if level >= 0:
                first = max(level - position[state], 0)
                last = first
            for z in range(first, last + 1):
                following = shifted + high * z
                expected = tail[x] * value[following]
                for left in range(1, x + 1):
                    d = x - left
                    if d < pmf.size:
                        expected += pmf[d] * value[following + left]
                if expected < best - 1e-12:
                    best, choice = expected, z
            change = stage[x] + best - value[state]
            lowest, highest = min(lowest, change), max(highest, change)
            update[state] = value[state] + slow * change
            orders[state] = choice
        gain = (lowest + highest) / 2
        shift = update[0]
        for state in range(size):
            value[state] = update[state] - shift
        if highest - lowest < 1e-9 * max(1.0, abs(gain)):
            break
    return gain, orders, value


def _prepare(where: str, demand: Demand, rates: tuple[float, float], lead_time: int) -> tuple[Floats, int]:
    accept(where, positive("holding_cost", rates[0]), positive("lost_sale_cost", rates[1]),
           whole("lead_time", lead_time, 1) and fault("lead_time", lead_time, "must be a whole number ≥ 1",
                                                      "Without lead time use newsvendor."))
    most = int(quantile(over_periods(whole_units(demand), lead_time + 1), rates[1] / (rates[0] + rates[1])))
    return whole_units(demand).probabilities, max(most, 1)


def _small(most: int, lead_time: int) -> Check:
    states = (most + 1) ** lead_time
    return None if states <= MOST_STATES else fault(
        "demand", f"{states:,} states", f"must make at most {MOST_STATES:,}",
        "Count in larger units, shorten the lead time, or simulate.")


def lost_sales_base_stock(demand: Demand, *, holding_cost: float, lost_sale_cost: float, lead_time: int,
                          level: int | None = None) -> LostSalesBaseStock:
    """The best base stock when demand that meets no stock is lost.

    Parameters
    ----------
    demand : of one period, in whole units
    holding_cost : float [currency/unit/period]  (h)
    lost_sale_cost : float [currency/unit]  (p)
    lead_time : int [period]  from order to receipt, 1 or more (L)
    level : int [unit]  cost this level instead of the best one (S)

    Returns
    -------
    LostSalesBaseStock  exact cost, from the chain of stock and pipeline

    Raises
    ------
    UsageError  for figures that cannot be meant, or more than two million states

    Notes
    -----
    The cost is convex in S (Janakiraman & Roundy 2004), so levels are tried downwards from that of backorders, which is
    an upper bound (Karlin & Scarf 1958).
    """
    where, rates = "lost_sales_base_stock", (float(holding_cost), float(lost_sale_cost))
    pmf, most = _prepare(where, demand, rates, lead_time)
    accept(where, whole("level", level) if level is not None else None)
    if level is not None:
        accept(where, _small(max(level, 1), lead_time))
        return LostSalesBaseStock(int(level), float(iterate(pmf, lead_time, rates, max(level, 1), level)[0]))
    accept(where, _small(most, lead_time))
    best = LostSalesBaseStock(most, float(iterate(pmf, lead_time, rates, most, most)[0]))
    for lower in range(most - 1, -1, -1):
        cost = float(iterate(pmf, lead_time, rates, max(lower, 1), lower)[0])
        if cost > best.cost:
            break
        best = LostSalesBaseStock(lower, cost)
    return best


def lost_sales_policy(demand: Demand, *, holding_cost: float, lost_sale_cost: float, lead_time: int) -> LostSalesPolicy:
    """The best orders of any form when demand that meets no stock is lost, for small cases.

    Parameters
    ----------
    demand : of one period, in whole units
    holding_cost : float [currency/unit/period]  (h)
    lost_sale_cost : float [currency/unit]  (p)
    lead_time : int [period]  from order to receipt, 1 or more (L)

    Returns
    -------
    LostSalesPolicy  exact to a relative 1e-9

    Raises
    ------
    UsageError  for figures that cannot be meant, or more than two million states: (m + 1)^L with m the base stock of
        backorders over L + 1 periods

    Notes
    -----
    A period: order, receive what is due, sell, pay for what is left and what was lost. Zipkin (2008), Operations
    Research 56(5), whose figures for Poisson demand of 5 the tests hold. No simple rule is best: orders depend on what
    is due when.

    Examples
    --------
    >>> from scipy import stats
    >>> round(lost_sales_policy(stats.poisson(5), holding_cost=1, lost_sale_cost=4, lead_time=2).cost, 2)
    4.4
    """
    where, rates = "lost_sales_policy", (float(holding_cost), float(lost_sale_cost))
    pmf, most = _prepare(where, demand, rates, lead_time)
    accept(where, _small(most, lead_time))
    cost, orders, _ = iterate(pmf, lead_time, rates, most, -1)
    # the last digit in base m + 1 is the stock on hand: the first index
    return LostSalesPolicy(float(cost), orders.reshape((most + 1,) * lead_time).transpose())
