"""The newsvendor: how much to buy once, before demand is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from omnisim.supply.classics.demand import (
    Demand,
    Scenarios,
    as_scenarios,
    coverage,
    expected_shortage,
    mean_of,
    quantile,
    settle,
)
from omnisim.supply.classics.inputs import Check, accept, fault, not_negative, number, positive, share


class Order(NamedTuple):
    """An order for one season.

    Parameters
    ----------
    quantity : float [unit]  (Q)
    cost : float [currency]  expected cost of units left over and units short
    critical_ratio : float [share]  what the order is to cover with this probability, underage / (underage + overage)
    service : float [share]  probability that it covers demand, P(D ≤ Q)
    """

    quantity: float
    cost: float
    critical_ratio: float
    service: float


class Season(NamedTuple):
    """An order for one season, by its profit.

    Parameters
    ----------
    quantity : float [unit]  (Q)
    profit : float [currency]  expected
    critical_ratio : float [share]
    service : float [share]  P(D ≤ Q)
    fill_rate : float [share]  of demand that is served, 1 − E[(D − Q)⁺] / E[D]
    """

    quantity: float
    profit: float
    critical_ratio: float
    service: float
    fill_rate: float


class CautiousSeason(NamedTuple):
    """An order for one season that minds its bad outcomes.

    Parameters
    ----------
    quantity : float [unit]  (Q)
    objective : float [currency]  (1 − weight) profit + weight cvar
    profit : float [currency]  expected
    cvar : float [currency]  mean profit of the worst outcomes, `tail` of all
    """

    quantity: float
    objective: float
    profit: float
    cvar: float


def newsvendor(demand: Demand, *, overage_cost: float, underage_cost: float, quantity: float | None = None) -> Order:
    """The quantity that balances units left over against units short.

    Parameters
    ----------
    demand : scipy.stats distribution, mapping of quantities to probabilities, or scenarios [unit]  (D)
    overage_cost, underage_cost : float [currency/unit]  of a unit left over, of a unit short (h, p)
    quantity : float [unit]  cost this quantity instead of the best one

    Returns
    -------
    Order
        Q* = F⁻¹(p / (p + h)); cost = h E[(Q − D)⁺] + p E[(D − Q)⁺].

    Raises
    ------
    UsageError  for costs that are not above 0, or demand that is none

    Notes
    -----
    Snyder & Shen (2019), section 4.3; Edgeworth (1888). Whole units for discrete demand.

    Examples
    --------
    >>> round(newsvendor({1: 0.25, 2: 0.25, 3: 0.5}, overage_cost=1, underage_cost=3).quantity)
    3
    """
    accept("newsvendor", positive("overage_cost", overage_cost), positive("underage_cost", underage_cost),
           number("quantity", quantity) if quantity is not None else None)
    ratio = underage_cost / (underage_cost + overage_cost)
    demand = settle(demand)
    best = quantile(demand, ratio) if quantity is None else float(quantity)
    short = expected_shortage(demand, best)
    over = short + best - mean_of(demand)
    return Order(best, overage_cost * over + underage_cost * short, ratio, coverage(demand, best))


def newsvendor_profit(demand: Demand, *, price: float, unit_cost: float, salvage: float = 0.0, goodwill: float = 0.0,
                      quantity: float | None = None) -> Season:
    """The quantity that earns most in a season, with what is left over sold off.

    Parameters
    ----------
    demand : scipy.stats distribution, mapping of quantities to probabilities, or scenarios [unit]  (D)
    price : float [currency/unit]  a unit is sold for (r)
    unit_cost : float [currency/unit]  it is bought for (c)
    salvage : float [currency/unit]  a unit left over brings (v < c); below 0 if getting rid of it costs
    goodwill : float [currency/unit]  lost with a unit short, beyond its margin (g)
    quantity : float [unit]  value this quantity instead of the best one

    Returns
    -------
    Season
        Q* = F⁻¹((r − c + g) / (r − v + g)); profit = (r − c) E[D] − (c − v) E[(Q − D)⁺] − (r − c + g) E[(D − Q)⁺].

    Raises
    ------
    UsageError  for a price not above the cost, or a salvage value not below it

    Notes
    -----
    Snyder & Shen (2019), eqs. 4.15 to 4.17.
    """
    accept("newsvendor_profit", *_margins(price, unit_cost, salvage, goodwill),
           number("quantity", quantity) if quantity is not None else None)
    demand = settle(demand)
    order = newsvendor(demand, overage_cost=unit_cost - salvage, underage_cost=price - unit_cost + goodwill,
                       quantity=quantity)
    mean = mean_of(demand)
    missed = expected_shortage(demand, order.quantity) / mean if mean > 0 else 0.0
    return Season(order.quantity, (price - unit_cost) * mean - order.cost, order.critical_ratio, order.service,
                  1 - missed)


def _margins(price: float, unit_cost: float, salvage: float, goodwill: float) -> list[Check]:
    checks = [number("price", price), number("unit_cost", unit_cost), number("salvage", salvage),
              not_negative("goodwill", goodwill)]
    if any(checks):
        return checks
    return [None if price > unit_cost else
            fault("price", price, f"must exceed unit_cost ({unit_cost:g})", "What sells at a loss is not bought."),
            None if salvage < unit_cost else
            fault("salvage", salvage, f"must be below unit_cost ({unit_cost:g})",
                  "Else any quantity pays; give what a unit left over really brings.")]


def newsvendor_cvar(demand: Demand, *, price: float, unit_cost: float, salvage: float = 0.0, goodwill: float = 0.0,
                    tail: float = 0.1, weight: float = 1.0, quantity: float | None = None) -> CautiousSeason:
    """The quantity that earns most when the mean of the worst outcomes counts as well.

    Parameters
    ----------
    demand : scipy.stats distribution, mapping of quantities to probabilities, or scenarios [unit]  (D)
    price, unit_cost, salvage, goodwill : float [currency/unit]  as in `newsvendor_profit`
    tail : float [share]  of outcomes that count as bad (α)
    weight : float [share]  of the bad outcomes in the objective, 0 (none) … 1 (only they) (w)
    quantity : float [unit]  value this quantity instead of the best one

    Returns
    -------
    CautiousSeason
        Maximises (1 − w) E[π] + w CVaR_α[π], with CVaR_α the mean of the worst share α of profits
        π = (r − c) Q − (r − v)(Q − D)⁺ − g (D − Q)⁺.

    Raises
    ------
    UsageError  as `newsvendor_profit`, and for a tail or weight out of range

    Notes
    -----
    Gotoh & Takano (2007), EJOR 179(1); Rockafellar & Uryasev (2000). Without goodwill the worst outcomes are those of
    low demand, and Q* is a quantile: with u = F(Q), (r − c) = (r − v)((1 − w) u + w min(u / α, 1)). With goodwill they
    lie on both sides of Q; the concave objective is then searched.
    """
    accept("newsvendor_cvar", *_margins(price, unit_cost, salvage, goodwill), share("tail", tail),
           number("weight", weight) or (None if 0 <= weight <= 1 else
                                        fault("weight", weight, "must be between 0 and 1", "Use 0 for the mean only.")),
           number("quantity", quantity) if quantity is not None else None)
    demand, scenarios = settle(demand), as_scenarios(demand)
    margin, swing = price - unit_cost, price - salvage
    best = quantity
    if best is None and goodwill == 0:
        kink = (1 - weight) * tail + weight  # of the slope, at u = tail
        ratio = margin / swing
        u = ratio * tail / kink if ratio <= kink else (ratio - weight) / (1 - weight)
        best = quantile(demand, u)
    elif best is None:
        best = _search(demand, scenarios, (margin, swing, goodwill), tail, weight)
    profit, cvar = _outcomes(demand, scenarios, (margin, swing, goodwill), tail, float(best))
    return CautiousSeason(float(best), (1 - weight) * profit + weight * cvar, profit, cvar)


Margins = tuple[float, float, float]
"""r − c, r − v and g [currency/unit]."""


def _outcomes(demand: Demand, scenarios: Scenarios | None, margins: Margins, tail: float,
              q: float) -> tuple[float, float]:
    """Expected profit, and mean profit of the worst share `tail`."""
    margin, swing, goodwill = margins
    if scenarios is not None:
        profits = margin * q - swing * np.maximum(q - scenarios.values, 0) - goodwill * np.maximum(
            scenarios.values - q, 0)
        order = np.argsort(profits, kind="stable")
        before = np.concatenate([[0.0], np.cumsum(scenarios.probabilities[order])[:-1]])
        counted = np.clip(tail - before, 0.0, scenarios.probabilities[order])
        return float(profits @ scenarios.probabilities), float(counted @ profits[order] / tail)
    mean = mean_of(demand)
    short = expected_shortage(demand, q)
    profit = margin * q - swing * (short + q - mean) - goodwill * short
    if goodwill == 0:  # the worst outcomes are those of least demand, and among sold-out ones any
        a = min(q, quantile(demand, tail))
        unsold = (q - a) * coverage(demand, a) + expected_shortage(demand, a) + a - mean  # E[(Q − D)⁺; D ≤ a]
        return profit, margin * q - swing * unsold / tail
    a = _low_end(demand, margins, tail, q)
    b = q + swing * (q - a) / goodwill
    left, right = coverage(demand, a), 1 - coverage(demand, b)
    unsold = (q - a) * left + expected_shortage(demand, a) + a - mean
    missed = (b - q) * right + expected_shortage(demand, b)  # E[(D − Q)⁺; D > b]
    return profit, margin * q - (swing * unsold + goodwill * missed) / tail


def _low_end(demand: Demand, margins: Margins, tail: float, q: float) -> float:
    """The demand a ≤ Q below which outcomes are bad; above Q, those beyond the demand b with equal profit are."""
    from scipy.optimize import brentq

    _, swing, goodwill = margins

    def excess(a: float) -> float:
        return coverage(demand, a) + 1 - coverage(demand, q + swing * (q - a) / goodwill) - tail

    step = max(1.0, abs(q) * 0.1)
    while excess(q - step) > 0:
        step *= 2
    return float(brentq(excess, q - step, q, xtol=1e-12 * max(1.0, abs(q))))


def _search(demand: Demand, scenarios: Scenarios | None, margins: Margins, tail: float, weight: float) -> float:
    """The maximum of the concave objective."""
    from scipy.optimize import minimize_scalar

    def worse(q: float) -> float:
        profit, cvar = _outcomes(demand, scenarios, margins, tail, float(q))
        return -((1 - weight) * profit + weight * cvar)

    low, high = (float(scenarios.values[0]), float(scenarios.values[-1])) if scenarios is not None else (
        quantile(demand, 1e-9), quantile(demand, 1 - 1e-9))
    if low == high:
        return low
    found = float(minimize_scalar(worse, bounds=(low, high), method="bounded",
                                  options={"xatol": 1e-10 * max(1.0, high - low)}).x)
    near = [found]
    if scenarios is not None:  # corners of the piecewise linear objective
        place = int(np.searchsorted(scenarios.values, found))
        near += [float(value) for value in scenarios.values[max(0, place - 2):place + 2]]
    return min(near, key=worse)
