"""Curves and limits that a scenario declares, over the periods of its plan."""

from __future__ import annotations

import math

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.curve_table import NO_CAP, WORTHS, CurveTable
from omnisim.optimise.curves import CurveArrays
from omnisim.response import EXPONENTIAL, FORMS, Floats, expose, per_day, per_period, steady_stock
from omnisim.scenario.baskets import worth
from omnisim.scenario.model import Scenario

WEEK = 7


def plan_days(scenario: Scenario, periods: int | None) -> Floats:
    """Days of each period of the plan, (periods,): those of `limits.period`, the last one shorter where days end.

    Raises
    ------
    UsageError  for more periods than the horizon has
    """
    days, length = scenario.horizon.days, scenario.limits.period
    most = math.ceil(days / length)
    if periods is not None and not 1 <= periods <= most:
        raise UsageError(Fault("allocate", "periods", str(periods), f"must be 1 to {most}: {days} days in periods of "
                               f"{length}", "Plan fewer periods, or change limits.period."))
    count = most if periods is None else periods
    return np.array([min(length, days - length * t) for t in range(count)], float)


def open_periods(scenario: Scenario, days: Floats) -> dict[str, int]:
    """First period that a channel with an onboarding date can be used in, for those that have one."""
    first = np.concatenate([[0.0], np.cumsum(days)])[:-1]
    found = {}
    for name, limit in scenario.limits.channels.items():
        if limit.opens is not None:
            wait = (limit.opens - scenario.horizon.start).days
            found[name] = int((first < wait).sum())
    return found


def today_spend(scenario: Scenario, channels: tuple[str, ...], days: Floats) -> Floats:
    """Today's spend of channels in each period (n, periods) [currency]."""
    return np.array([[scenario.channels[name].budget] for name in channels]) * days


def declared_curves(scenario: Scenario, days: Floats) -> CurveTable:
    """The scenario's own curves in units of a period.

    Parameters
    ----------
    days : (periods,) float [day]  of each period

    Raises
    ------
    UsageError  where the scenario declares none

    Notes
    -----
    A scenario speaks of a spend that is the same every day. Spent at s a day, periods of D days carry a stock of
    s D / (1 − θ^D), θ a day, and less at the end of a shorter last one; so `half` is taken to that stock and `scale` to
    D days, and the same steady spend brings the same whatever the period. The pressure on the first day is what
    today's spend has left. A rising price of exposure looks at the spend of a day.
    """
    if not scenario.curves:
        raise UsageError(Fault("allocate", "curves", "", "are missing",
                               "Declare a section curves, or give a table of them (--curves FILE)."))
    length = float(days.max())
    channels = tuple(scenario.curves)
    curves = [scenario.curves[name] for name in channels]
    lasting = np.array([per_period(per_day(curve.carryover, WEEK), int(length)) for curve in curves])
    budgets = np.array([scenario.channels[name].budget for name in channels])
    faded = lasting ** (scenario.horizon.warm_up / length)
    n, periods = len(channels), len(days)
    doubling = np.array([math.inf if curve.doubling is None else curve.doubling for curve in curves])
    budgets = expose(budgets, doubling)

    def spread(field: str) -> Floats:
        return np.repeat(np.array([[float(getattr(curve, field))] for curve in curves]), periods, axis=1)

    shape = np.where(np.array([[curve.form == FORMS[EXPONENTIAL]] for curve in curves]), 1.0, spread("shape"))
    arrays = CurveArrays(
        np.array([FORMS.index(curve.form) for curve in curves], np.int8), spread("scale") * days,
        spread("half") * steady_stock(lasting, days), shape, lasting,
        budgets * length * (1.0 - faded) / (1.0 - lasting),
        np.zeros((n, periods)), np.full((n, periods), NO_CAP))
    worths = {worth: np.array([_worth(scenario, name, worth) for name in channels]) for worth in WORTHS
              if worth == "margin" or all(getattr(curve, worth) is not None for curve in curves)}
    return CurveTable(channels, (arrays,), worths, tuple(f"curves.{name}" for name in channels), int(length),
                      doubling[:, None] * days if np.isfinite(doubling).any() else None)


def _worth(scenario: Scenario, name: str, worth: str) -> float:
    given = getattr(scenario.curves[name], worth)
    return _margin(scenario, name) if given is None else float(given)


def _margin(scenario: Scenario, name: str) -> float:
    """Contribution before media of a yuan of GMV: what is kept after returns, goods and commission, less fees and
    delivery. For a channel that sells nothing itself, the mean of those that do.
    """
    channel = scenario.channels[name]
    if not channel.checkout:
        others = [other for other, one in scenario.channels.items() if one.checkout and one.active]
        return float(np.mean([_margin(scenario, other) for other in others])) if others else 0.0
    price, cost = (math.fsum(product.share * worth(scenario, name, sku, field) for sku, product in
                             scenario.products.items()) for field in ("price", "cost"))
    kept = (1.0 - channel.return_rate) * (1.0 - cost / price - channel.commission - channel.host_commission)
    return max(0.0, kept - channel.payment_fee - scenario.supply.delivery_cost / channel.order_value)
