"""Approximations of the (r, Q) policy for normal demand, each under its name; their cost is the exact one."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from scipy import special

from omnisim.supply.classics.continuous import ReorderPolicy, Review, best_reorder_point, reorder_cost
from omnisim.supply.classics.inputs import accept, fault, positive
from omnisim.supply.classics.losses import normal_loss, normal_second_loss

Method = Literal["expected_inventory_level", "eoq_with_backorders", "eoq_plus_safety_stock", "loss_function"]


class ApproximatePolicy(NamedTuple):
    """An (r, Q) policy found by an approximation.

    Parameters
    ----------
    reorder_point, quantity : float [unit]  (r, Q)
    cost : float [currency/time]  exact expected cost of this policy
    believed : float [currency/time]  what the approximation takes for its cost; equal to `cost` where it has none
    method : str  the approximation's name
    """

    reorder_point: float
    quantity: float
    cost: float
    believed: float
    method: str


def approximate_reorder_policy(review: Review, *, method: Method) -> ApproximatePolicy:
    """An (r, Q) policy by a textbook approximation, with its exact cost beside.

    Parameters
    ----------
    review : Review  with `demand_sd`; for "expected_inventory_level" its backorder cost is by unit, not by unit and
        time, as that model counts
    method : str
        "expected_inventory_level": r = F⁻¹(1 − Q h / (p λ)), Q = √(2 λ (K + p n(r)) / h), alternately (Whitin 1953;
        Hadley & Whitin 1963). "eoq_with_backorders": Q = √(2 K λ (h + p) / (h p)), r = r(Q) (Zheng 1992).
        "eoq_plus_safety_stock": Q = √(2 K λ / h), r = μ + σ Φ⁻¹(p / (p + h)). "loss_function":
        n(r) = h Q / (h + p), Q = √(2 (K λ + (h + p) n₂(r)) / h), alternately (Hadley & Whitin 1963).

    Returns
    -------
    ApproximatePolicy

    Raises
    ------
    UsageError  for figures that cannot be meant, or a stockout so cheap that the method has no reorder point

    Notes
    -----
    Snyder & Shen (2019), section 5.3. `reorder_policy` is exact and takes a millisecond or two.
    """
    where = "approximate_reorder_policy"
    review.check(where)
    methods = {"expected_inventory_level": _expected_inventory_level, "eoq_with_backorders": _eoq_with_backorders,
               "eoq_plus_safety_stock": _eoq_plus_safety_stock, "loss_function": _loss_function}
    accept(where, positive("demand_sd", review.demand_sd or 0.0), positive("lead_time", review.lead_time),
           None if method in methods else fault("method", method, "must be one of " + ", ".join(methods),
                                                "Or use reorder_policy, which is exact."))
    found = methods[method](review)
    cost = reorder_cost(review, reorder_point=found.reorder_point, quantity=found.quantity)
    return ApproximatePolicy(found.reorder_point, found.quantity, cost, cost if math.isnan(found.cost) else found.cost,
                             method)


def _expected_inventory_level(review: Review) -> ReorderPolicy:
    k, h, p, demand = review.fixed_cost, review.holding_cost, review.backorder_cost, review.demand_mean
    quantity, point = math.sqrt(2 * k * demand / h), math.nan
    for _ in range(10_000):
        covered = 1 - quantity * h / (p * demand)
        accept("approximate_reorder_policy", None if covered > 0 else
               fault("backorder_cost", p, f"must exceed {quantity * h / demand:g} for this method",
                     "Stock is dearer than shortage: use reorder_policy."))
        before = point, quantity
        point = review.mean + review.sd * float(special.ndtri(covered))
        quantity = math.sqrt(2 * demand * (k + p * normal_loss(point, review.mean, review.sd)) / h)
        if abs(point - before[0]) + abs(quantity - before[1]) < 1e-11 * quantity:
            break
    short = float(normal_loss(point, review.mean, review.sd))
    cost = h * (point - review.mean + quantity / 2) + demand / quantity * (k + p * short)
    return ReorderPolicy(point, quantity, cost)


def _eoq_with_backorders(review: Review) -> ReorderPolicy:
    h, p = review.holding_cost, review.backorder_cost
    quantity = math.sqrt(2 * review.fixed_cost * review.demand_mean * (h + p) / (h * p))
    return ReorderPolicy(best_reorder_point(review, quantity=quantity), quantity, math.nan)


def _eoq_plus_safety_stock(review: Review) -> ReorderPolicy:
    h, p = review.holding_cost, review.backorder_cost
    quantity = math.sqrt(2 * review.fixed_cost * review.demand_mean / h)
    return ReorderPolicy(review.mean + review.sd * float(special.ndtri(p / (p + h))), quantity, math.nan)


def _loss_function(review: Review) -> ReorderPolicy:
    from scipy.optimize import brentq

    k, h, p, mean, sd = review.fixed_cost, review.holding_cost, review.backorder_cost, review.mean, review.sd
    quantity, point = math.sqrt(2 * k * review.demand_mean / h), math.nan
    for _ in range(10_000):
        before, target = (point, quantity), h * quantity / (h + p)
        point = float(brentq(lambda r, target=target: normal_loss(r, mean, sd) - target, mean - target - sd,
                             mean + 40 * sd, xtol=1e-13 * max(1.0, mean)))
        quantity = math.sqrt(2 * (k * review.demand_mean + (h + p) * normal_second_loss(point, mean, sd)) / h)
        if abs(point - before[0]) + abs(quantity - before[1]) < 1e-11 * quantity:
            break
    return ReorderPolicy(point, quantity, math.nan)
