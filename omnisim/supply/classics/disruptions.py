"""Suppliers that fail: they stop delivering for a while, or deliver less than was ordered."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

from omnisim.supply.classics.demand import expected_shortage, mean_of, quantile, settle
from omnisim.supply.classics.inputs import accept, fault, not_negative, number, positive, share


class Lot(NamedTuple):
    """A quantity and its cost.

    Parameters
    ----------
    quantity : float [unit]  to order, or to order up to
    cost : float [currency/time]  expected
    """

    quantity: float
    cost: float


def economic_order_quantity_with_disruptions(*, fixed_cost: float, holding_cost: float, lost_sale_cost: float,
                                             demand_rate: float, disruption_rate: float, recovery_rate: float,
                                             quantity: float | None = None, approximate: bool = False) -> Lot:
    """The order quantity when the supplier stops at random and demand is lost meanwhile.

    Parameters
    ----------
    fixed_cost : float [currency/order]  (K)
    holding_cost : float [currency/unit/time]  (h)
    lost_sale_cost : float [currency/unit]  of demand that meets no stock (p)
    demand_rate : float [unit/time]  (d)
    disruption_rate, recovery_rate : float [1/time]  of the exponential times between and of disruptions (λ, μ)
    quantity : float [unit]  cost this quantity instead of the best one (Q)
    approximate : bool  as if every cycle were long (Snyder 2014): closed form

    Returns
    -------
    Lot
        g(Q) = (K + h Q² / 2d + p d ψ / μ) / (Q / d + ψ / μ), ψ = λ / (λ + μ) (1 − exp(−(λ + μ) Q / d)),
        the exponential left out if approximate.

    Raises
    ------
    UsageError  for figures that are not above 0

    Notes
    -----
    Parlar & Berkin (1991), Berk & Arreola-Risa (1994); Snyder & Shen (2019), eq. 9.5. The order comes at once
    unless the supplier is down.
    """
    accept("economic_order_quantity_with_disruptions", positive("fixed_cost", fixed_cost),
           positive("holding_cost", holding_cost), positive("lost_sale_cost", lost_sale_cost),
           positive("demand_rate", demand_rate), positive("disruption_rate", disruption_rate),
           positive("recovery_rate", recovery_rate),
           positive("quantity", quantity) if quantity is not None else None)
    both, d = disruption_rate + recovery_rate, demand_rate
    down = disruption_rate / both

    def parts(q: float) -> tuple[float, float]:
        waits = down * (1.0 if approximate else -math.expm1(-both * q / d)) / recovery_rate
        return fixed_cost + holding_cost * q * q / (2 * d) + lost_sale_cost * d * waits, q / d + waits

    def slope(q: float) -> float:  # its sign is that of g′(Q)
        cost, time = parts(q)
        faster = disruption_rate / d * math.exp(-both * q / d) / recovery_rate
        return (holding_cost * q / d + lost_sale_cost * d * faster) * time - cost * (1 / d + faster)

    best = quantity
    if best is None:
        a = down * d * holding_cost
        b = fixed_cost * d * recovery_rate + d * d * lost_sale_cost * down
        best = (math.sqrt(a * a + 2 * holding_cost * recovery_rate * b) - a) / (holding_cost * recovery_rate)
        if not approximate:
            from scipy.optimize import brentq

            low, high = best, best  # the least cost lies near the approximation, on either side
            while slope(low) > 0 and low > 1e-9 * best:
                low /= 2
            while slope(high) < 0:
                high *= 2
            best = float(brentq(slope, low, high, xtol=1e-12 * high)) if slope(low) <= 0 else low
    cost, time = parts(best)
    return Lot(float(best), cost / time)


def base_stock_with_disruptions(*, holding_cost: float, backorder_cost: float, demand: float, disruption: float,
                                recovery: float, level: float | None = None) -> Lot:
    """The order-up-to level for steady demand when the supplier may be down for some periods.

    Parameters
    ----------
    holding_cost : float [currency/unit/period]  (h)
    backorder_cost : float [currency/unit/period]  a unit that waits (p)
    demand : float [unit/period]  (d)
    disruption : float [share]  probability that the supplier, up now, is down next period (α)
    recovery : float [share]  probability that, down now, it is up next period (β)
    level : float [unit]  cost this level instead of the best one (S)

    Returns
    -------
    Lot
        S* = d + d F⁻¹(p / (p + h)), with F(n) = 1 − α / (α + β) (1 − β)ⁿ the distribution of the periods since the
        supplier was last up; g(S) = Σ πₙ (h (S − (n + 1) d)⁺ + p ((n + 1) d − S)⁺).

    Raises
    ------
    UsageError  for costs or demand that are not above 0, or probabilities not between 0 and 1

    Notes
    -----
    Snyder & Shen (2019), eqs. 9.14 and 9.18, lemma 9.2; Güllü, Önol & Erkip (1997).
    """
    accept("base_stock_with_disruptions", positive("holding_cost", holding_cost),
           positive("backorder_cost", backorder_cost), positive("demand", demand), share("disruption", disruption),
           share("recovery", recovery), number("level", level) if level is not None else None)
    down, stays = disruption / (disruption + recovery), 1 - recovery
    if level is None:
        ratio = backorder_cost / (backorder_cost + holding_cost)
        n = max(0, math.ceil(math.log((1 - ratio) / down) / math.log(stays) - 1e-12))
        level = demand * (n + 1)
    periods = level / demand - 1  # the level covers this many periods without supply
    last = max(0, math.floor(periods))
    cost = (1 - down) * _miss(periods, holding_cost, backorder_cost)
    cost += sum(down * recovery * stays ** (n - 1) * _miss(periods - n, holding_cost, backorder_cost)
                for n in range(1, last + 1))
    # Beyond `last` all periods are short: Σ πₙ (n − periods) is geometric.
    later = down * stays**last
    cost += backorder_cost * later * (last + 1 / recovery - periods)
    return Lot(float(level), demand * cost)


def _miss(over: float, holding_cost: float, backorder_cost: float) -> float:
    return holding_cost * max(over, 0.0) + backorder_cost * max(-over, 0.0)


def order_quantity_with_additive_yield(*, fixed_cost: float, holding_cost: float, demand_rate: float,
                                       yield_mean: float, yield_sd: float, quantity: float | None = None) -> Lot:
    """The order quantity when a random number of units comes on top of the order or is missing.

    Parameters
    ----------
    fixed_cost : float [currency/order]  (K)
    holding_cost : float [currency/unit/time]  (h)
    demand_rate : float [unit/time]  (d)
    yield_mean, yield_sd : float [unit]  of what is received beyond the order; negative if units are missing (Y)
    quantity : float [unit]  cost this quantity instead of the best one (Q)

    Returns
    -------
    Lot
        Q* = √(2 K d / h + Var Y) − E Y; g(Q) = (2 K d + h Var Y) / (2 (Q + E Y)) + h (Q + E Y) / 2.

    Notes
    -----
    Snyder & Shen (2019), eqs. 9.22 and 9.23.
    """
    where = "order_quantity_with_additive_yield"
    accept(where, positive("fixed_cost", fixed_cost), positive("holding_cost", holding_cost),
           positive("demand_rate", demand_rate), number("yield_mean", yield_mean), not_negative("yield_sd", yield_sd))
    orders = 2 * fixed_cost * demand_rate / holding_cost + yield_sd**2
    best = math.sqrt(orders) - yield_mean if quantity is None else float(quantity)
    received = best + yield_mean
    accept(where, None if received > 0 else
           fault("quantity", best, f"must exceed the mean loss ({-yield_mean:g})", "Order more than is lost."))
    return Lot(best, holding_cost * (orders / received + received) / 2)


def order_quantity_with_proportional_yield(*, fixed_cost: float, holding_cost: float, demand_rate: float,
                                           yield_mean: float, yield_sd: float,
                                           quantity: float | None = None) -> Lot:
    """The order quantity when a random share of the order is received.

    Parameters
    ----------
    fixed_cost : float [currency/order]  (K)
    holding_cost : float [currency/unit/time]  (h)
    demand_rate : float [unit/time]  (d)
    yield_mean, yield_sd : float [share]  of the order that is received (Z)
    quantity : float [unit]  cost this quantity instead of the best one (Q)

    Returns
    -------
    Lot
        Q* = √(2 K d / (h E Z²)); g(Q) = K d / (Q E Z) + h Q E Z² / (2 E Z).

    Notes
    -----
    Snyder & Shen (2019), eqs. 9.24 and 9.25.
    """
    accept("order_quantity_with_proportional_yield", positive("fixed_cost", fixed_cost),
           positive("holding_cost", holding_cost), positive("demand_rate", demand_rate),
           positive("yield_mean", yield_mean, "A supplier that delivers nothing cannot be planned for."),
           not_negative("yield_sd", yield_sd), positive("quantity", quantity) if quantity is not None else None)
    square = yield_mean**2 + yield_sd**2
    best = math.sqrt(2 * fixed_cost * demand_rate / (holding_cost * square)) if quantity is None else float(quantity)
    return Lot(best, fixed_cost * demand_rate / (best * yield_mean) + holding_cost * best * square / (2 * yield_mean))


def newsvendor_with_additive_yield(received: Any, *, holding_cost: float, backorder_cost: float, demand: float,
                                   level: float | None = None) -> Lot:
    """The order for one period of known demand when a random number of units comes on top or is missing.

    Parameters
    ----------
    received : demand of any kind that `newsvendor` takes [unit]  distribution of what comes beyond the order (Y)
    holding_cost, backorder_cost : float [currency/unit/period]  of a unit left over, of a unit short (h, p)
    demand : float [unit]  (d)
    level : float [unit]  cost this level instead of the best one (S)

    Returns
    -------
    Lot
        S* = d − F⁻¹(h / (h + p)); g(S) = h E[(Y − (d − S))⁺] + p E[((d − S) − Y)⁺].

    Notes
    -----
    Snyder & Shen (2019), eqs. 9.27 and 9.28.
    """
    accept("newsvendor_with_additive_yield", positive("holding_cost", holding_cost),
           positive("backorder_cost", backorder_cost), positive("demand", demand),
           number("level", level) if level is not None else None)
    received = settle(received)
    if level is None:
        level = demand - quantile(received, holding_cost / (holding_cost + backorder_cost))
    gap = demand - level
    over = expected_shortage(received, gap)
    short = over + gap - mean_of(received)
    return Lot(float(level), holding_cost * over + backorder_cost * short)
