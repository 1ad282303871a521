"""The economic order quantity: how much to order at once when demand is steady."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from typing import Literal, NamedTuple

from omnisim.supply.classics.inputs import Check, accept, fault, positive, series


class LotSize(NamedTuple):
    """A lot size and what it costs.

    Parameters
    ----------
    quantity : float [unit]  ordered at once (Q)
    backordered : float [share]  of the cycle without stock, when demand waits (x)
    cost : float [currency/time]  per unit of time, without the price of the goods (g)
    """

    quantity: float
    backordered: float
    cost: float


def economic_order_quantity(*, fixed_cost: float, holding_cost: float, demand_rate: float,
                            backorder_cost: float | None = None, production_rate: float | None = None,
                            quantity: float | None = None) -> LotSize:
    """The order quantity that balances the cost of ordering against the cost of keeping stock.

    Parameters
    ----------
    fixed_cost : float [currency/order]  cost of an order, whatever its size (K)
    holding_cost : float [currency/unit/time]  keeping a unit (h)
    demand_rate : float [unit/time]  (λ)
    backorder_cost : float [currency/unit/time]  a unit that waits (p); None if no demand may wait
    production_rate : float [unit/time]  at which an order arrives (μ > λ); None if it arrives at once
    quantity : float [unit]  cost this quantity instead of the best one (Q)

    Returns
    -------
    LotSize
        With ρ = λ / μ (0 at once) and b = p / (h + p) (1 if none waits): Q* = √(2 K λ / (h b (1 − ρ))),
        x* = h / (h + p) and g(Q) = K λ / Q + h b (1 − ρ) Q / 2.

    Raises
    ------
    UsageError  for figures that are not above 0, or a production rate that does not exceed demand

    Notes
    -----
    Snyder & Shen (2019), eqs. 3.4, 3.27 and section 3.4; Harris (1913). Wrong where demand is lumpy or seasonal:
    see `plan_lots`.

    Examples
    --------
    >>> economic_order_quantity(fixed_cost=8, holding_cost=0.225, demand_rate=1300).quantity.__round__(2)
    304.05
    """
    accept("economic_order_quantity", positive("fixed_cost", fixed_cost), positive("holding_cost", holding_cost),
           positive("demand_rate", demand_rate),
           positive("backorder_cost", backorder_cost, "Leave it out if no demand may wait.")
           if backorder_cost is not None else None,
           _fast_enough(production_rate, demand_rate),
           positive("quantity", quantity) if quantity is not None else None)
    waits = 1.0 if backorder_cost is None else backorder_cost / (holding_cost + backorder_cost)
    slope = holding_cost * waits * (1.0 if production_rate is None else 1 - demand_rate / production_rate)
    best = math.sqrt(2 * fixed_cost * demand_rate / slope) if quantity is None else float(quantity)
    return LotSize(best, 1 - waits, fixed_cost * demand_rate / best + slope * best / 2)


def _fast_enough(production_rate: float | None, demand_rate: float) -> Check:
    if production_rate is None:
        return None
    found = positive("production_rate", production_rate)
    if found is None and isinstance(demand_rate, int | float) and production_rate <= demand_rate:
        return fault("production_rate", f"{production_rate:g} unit/time", f"must exceed demand_rate ({demand_rate:g})",
                     "Leave it out if orders arrive at once.")
    return found


class DiscountedLot(NamedTuple):
    """A lot size under quantity discounts.

    Parameters
    ----------
    quantity : float [unit]  ordered at once (Q)
    tier : int  price tier that applies, from 0
    cost : float [currency/time]  per unit of time, goods included (g)
    """

    quantity: float
    tier: int
    cost: float


def discounted_order_quantity(*, fixed_cost: float, holding_rate: float, demand_rate: float,
                              breakpoints: Sequence[float], unit_costs: Sequence[float],
                              discount: Literal["all_units", "incremental"] = "all_units") -> DiscountedLot:
    """The best order quantity when larger orders are cheaper by the unit.

    Parameters
    ----------
    fixed_cost : float [currency/order]  (K)
    holding_rate : float [1/time]  yearly share of a unit's cost that keeping it costs (i); h = i c
    demand_rate : float [unit/time]  (λ)
    breakpoints : (n,) [unit]  smallest quantity of each tier (bⱼ), rising from 0
    unit_costs : (n,) [currency/unit]  price of each tier (cⱼ), falling
    discount : "all_units" or "incremental"  whether the price of the tier holds for the whole order or for the
        units above its breakpoint only

    Returns
    -------
    DiscountedLot
        All units: gⱼ(Q) = cⱼ λ + K λ / Q + i cⱼ Q / 2. Incremental, with c̄ⱼ = Σ_{i<j} cᵢ (bᵢ₊₁ − bᵢ) − cⱼ bⱼ:
        gⱼ(Q) = cⱼ λ + i c̄ⱼ / 2 + (K + c̄ⱼ) λ / Q + i cⱼ Q / 2. The least of all tiers, each at its best quantity.

    Raises
    ------
    UsageError  for tiers that do not rise from 0 with falling prices

    Notes
    -----
    Snyder & Shen (2019), section 3.3; Hadley & Whitin (1963).
    """
    where = "discounted_order_quantity"
    accept(where, positive("fixed_cost", fixed_cost), positive("holding_rate", holding_rate),
           positive("demand_rate", demand_rate), series("breakpoints", breakpoints),
           series("unit_costs", unit_costs, len(breakpoints)),
           None if discount in ("all_units", "incremental") else
           fault("discount", discount, "must be 'all_units' or 'incremental'", "Choose one of the two."))
    starts, prices = [float(start) for start in breakpoints], [float(cost) for cost in unit_costs]
    accept(where,
           None if starts[0] == 0 and all(a < b for a, b in itertools.pairwise(starts)) else
           fault("breakpoints", str(starts), "must rise from 0",
                 "Start with 0 and give the smallest quantity of each tier in order."),
           None if all(a > b for a, b in itertools.pairwise(prices)) and prices[-1] > 0 else
           fault("unit_costs", str(prices), "must be > 0 and fall from tier to tier",
                 "Sort the tiers, or drop one that gives no discount."))
    extra = 0.0  # paid for the units below a tier beyond its own price
    found = DiscountedLot(math.inf, -1, math.inf)
    for tier, (start, price) in enumerate(zip(starts, prices, strict=True)):
        if discount == "incremental" and tier:
            extra += (prices[tier - 1] - price) * start
        orders = (fixed_cost + extra) * demand_rate
        best = max(math.sqrt(2 * orders / (holding_rate * price)), start)
        if tier + 1 < len(starts) and best >= starts[tier + 1]:
            continue  # an order this large is priced by a later tier, and is cheaper there
        cost = price * demand_rate + holding_rate * (extra + price * best) / 2 + orders / best
        if cost < found.cost:
            found = DiscountedLot(best, tier, cost)
    return found
