"""Continuous review: order Q units whenever stock on hand and on order falls to r. Exact costs and exact optima."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from omnisim.supply.classics.inputs import Floats, accept, lag, positive, whole
from omnisim.supply.classics.inputs import number as any_number
from omnisim.supply.classics.losses import normal_loss, normal_second_loss, poisson_loss


class ReorderPolicy(NamedTuple):
    """When to order, how much, and what it costs.

    Parameters
    ----------
    reorder_point : float [unit]  on hand + on order − waiting (r)
    quantity : float [unit]  ordered each time (Q)
    cost : float [currency/time]  expected, exact also where r and Q come from an approximation (g)
    """

    reorder_point: float
    quantity: float
    cost: float


class Review(NamedTuple):
    """Costs and demand of an article under continuous review.

    Parameters
    ----------
    fixed_cost : float [currency/order]  (K)
    holding_cost : float [currency/unit/time]  (h)
    backorder_cost : float [currency/unit/time]  a unit that waits (p)
    demand_mean : float [unit/time]  (λ)
    lead_time : float [time]  (L)
    demand_sd : float [unit/√time]  of a unit of time's demand (τ); None for Poisson demand
    """

    fixed_cost: float
    holding_cost: float
    backorder_cost: float
    demand_mean: float
    lead_time: float
    demand_sd: float | None = None

    def check(self, where: str) -> None:
        """Refuse figures that cannot be meant.

        Raises
        ------
        UsageError  naming every fault
        """
        accept(where, positive("fixed_cost", self.fixed_cost), positive("holding_cost", self.holding_cost),
               positive("backorder_cost", self.backorder_cost), positive("demand_mean", self.demand_mean),
               lag(self.lead_time),
               positive("demand_sd", self.demand_sd, "Leave it out for Poisson demand.")
               if self.demand_sd is not None else None)

    @property
    def mean(self) -> float:
        """Mean demand over the lead time (μ = λ L) [unit]."""
        return self.demand_mean * self.lead_time

    @property
    def sd(self) -> float:
        """Standard deviation of demand over the lead time (σ = τ √L) [unit]."""
        return (self.demand_sd or 0.0) * math.sqrt(self.lead_time)


def reorder_cost(review: Review, *, reorder_point: float, quantity: float) -> float:
    """The exact expected cost of an (r, Q) policy a unit of time.

    Parameters
    ----------
    review : Review  with `demand_sd` for normal demand, without it for Poisson
    reorder_point : float [unit]  (r); whole for Poisson demand
    quantity : float [unit]  (Q); whole for Poisson demand

    Returns
    -------
    float [currency/time]
        Normal: (K λ + ∫ᵣ^{r+Q} G(y) dy) / Q; Poisson: (K λ + Σ_{y=r+1}^{r+Q} G(y)) / Q; with
        G(y) = h E[(y − D)⁺] + p E[(D − y)⁺] and D the demand over the lead time.

    Raises
    ------
    UsageError  for figures that cannot be meant

    Notes
    -----
    Snyder & Shen (2019), eqs. 5.7 and 5.36; Zheng (1992). The position is uniform over (r, r + Q]; normal demand is an
    approximation where an order is about as large as a customer's. Unmet demand waits.
    """
    review.check("reorder_cost")
    accept("reorder_cost", any_number("reorder_point", reorder_point), positive("quantity", quantity))
    if review.demand_sd is None:
        accept("reorder_cost", whole("reorder_point", reorder_point, -(2**53)), whole("quantity", quantity, 1))
        levels = np.arange(reorder_point + 1, reorder_point + quantity + 1)
        total = float(np.sum(stock_cost(review, levels)))
    else:
        total = _area(review, reorder_point, quantity)
    return (review.fixed_cost * review.demand_mean + total) / quantity


def stock_cost(review: Review, levels: float | Floats) -> Floats:
    """Expected cost a unit of time of holding and waiting at inventory position `levels`, G(y).

    Parameters
    ----------
    review : Review
    levels : float or array [unit]  on hand + on order − waiting, a lead time before the cost falls due (y)

    Returns
    -------
    array [currency/time]  of the same shape
    """
    at = np.asarray(levels, np.float64)
    loss = poisson_loss(at, review.mean) if review.demand_sd is None else normal_loss(at, review.mean, review.sd)
    return np.asarray(review.holding_cost * (at - review.mean + loss) + review.backorder_cost * loss, np.float64)


def _area(review: Review, start: float, width: float) -> float:
    """∫ G(y) dy over [start, start + width] for normal demand."""
    mean, sd = review.mean, review.sd
    below = 0.5 * width * (2 * start + width - 2 * mean)  # of y − μ
    losses = normal_second_loss(start, mean, sd) - normal_second_loss(start + width, mean, sd)
    return float(review.holding_cost * below + (review.holding_cost + review.backorder_cost) * losses)


def best_reorder_point(review: Review, *, quantity: float) -> float:
    """The reorder point that goes with a given order quantity, for normal demand.

    Parameters
    ----------
    review : Review  with `demand_sd`
    quantity : float [unit]  (Q)

    Returns
    -------
    float [unit]  r(Q), the root of G(r) = G(r + Q)

    Notes
    -----
    Snyder & Shen (2019), eq. 5.9; Zheng (1992), lemma 3.
    """
    review.check("best_reorder_point")
    accept("best_reorder_point", positive("demand_sd", review.demand_sd or 0.0), positive("quantity", quantity))
    return _point(review, quantity)


def _point(review: Review, quantity: float) -> float:
    from scipy.optimize import brentq

    def difference(r: float) -> float:  # rises with r, as G is convex
        return float(stock_cost(review, r + quantity) - stock_cost(review, r))

    centre = review.mean + review.sd * 2
    low, step = centre - quantity, review.sd + quantity
    while difference(low) > 0:
        low -= step
    high = centre
    while difference(high) < 0:
        high += step
    scale = max(1.0, abs(centre), quantity)
    return float(brentq(difference, low, high, xtol=1e-13 * scale)) if low < high else low


def reorder_policy(review: Review) -> ReorderPolicy:
    """The reorder point and quantity of least cost.

    Parameters
    ----------
    review : Review  with `demand_sd` for normal demand, without it for Poisson

    Returns
    -------
    ReorderPolicy

    Raises
    ------
    UsageError  for figures that cannot be meant

    Notes
    -----
    Normal: g(r(Q), Q) has its least value where it equals G(r(Q)) (Zheng 1992, Management Science 38(1)); a root is
    sought between the EOQ and as far beyond as the sign tells. Poisson: Q grows by the cheaper of r and r + Q + 1 while
    that is cheaper than the average so far (Federgruen & Zheng 1992, Operations Research 40(4)).

    Examples
    --------
    >>> reorder_policy(Review(100, 20, 150, demand_mean=1.5, lead_time=2))[:2]
    (3, 5)
    """
    review.check("reorder_policy")
    if review.demand_sd is None:
        return _poisson_policy(review)
    if review.sd == 0:  # nothing happens during the lead time: the EOQ with backorders
        quantity = _deterministic(review)
        return ReorderPolicy(point := _point(review, quantity), quantity,
                             (review.fixed_cost * review.demand_mean + _area(review, point, quantity)) / quantity)
    from scipy.optimize import brentq

    def gap(quantity: float) -> float:  # G(r(Q)) − g(r(Q), Q), from below 0 to above
        point = _point(review, quantity)
        return float(stock_cost(review, point) * quantity - _area(review, point, quantity)
                     ) - review.fixed_cost * review.demand_mean

    low = high = _deterministic(review)
    while gap(low) > 0:
        low /= 2
    while gap(high) < 0:
        high *= 2
    quantity = float(brentq(gap, low, high, xtol=1e-10 * high)) if low < high else low
    point = _point(review, quantity)
    return ReorderPolicy(point, quantity,
                         (review.fixed_cost * review.demand_mean + _area(review, point, quantity)) / quantity)


def _deterministic(review: Review) -> float:
    """The EOQ with backorders."""
    h, p = review.holding_cost, review.backorder_cost
    return math.sqrt(2 * review.fixed_cost * review.demand_mean * (h + p) / (h * p))


def _poisson_policy(review: Review) -> ReorderPolicy:
    spread = math.ceil(4 * _deterministic(review) + 10 * math.sqrt(review.mean) + 20)
    while True:
        first = math.floor(review.mean) - spread
        costs = stock_cost(review, np.arange(first, math.floor(review.mean) + spread + 1, dtype=np.float64))
        low = high = int(np.argmin(costs))  # the levels r + 1 … r + Q, as places in `costs`
        total = review.fixed_cost * review.demand_mean + float(costs[low])
        while low > 0 and high < costs.size - 1:
            following = float(min(costs[low - 1], costs[high + 1]))
            quantity = high - low + 1
            if following * quantity >= total:
                return ReorderPolicy(first + low - 1, quantity, total / quantity)
            total += following
            low, high = (low - 1, high) if costs[low - 1] <= costs[high + 1] else (low, high + 1)
        spread *= 2
