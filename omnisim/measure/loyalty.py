"""What repeat purchase is worth: goals for a rate, geometric lifetimes, and the BG/NBD's expected orders."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from omnisim.scenario.model import Repurchase

Mode = Literal["relative", "points"]
MONTH = 30.4375
"""Days of a month, for lifetimes."""
DISCOUNT = 0.10
"""Yearly discount of lifetime values (assumed)."""


def raised(rate: float, by: float, mode: Mode) -> float:
    """A rate raised by a goal such as "+8 %", which means two things.

    Parameters
    ----------
    rate : float [share]
    by : float  0.08 for 8 % or 8 points
    mode : "relative" multiplies by 1 + by, "points" adds

    Examples
    --------
    >>> round(raised(0.282, 0.08, "relative"), 3), round(raised(0.282, 0.08, "points"), 3)
    (0.305, 0.362)
    """
    return rate * (1 + by) if mode == "relative" else rate + by


def geometric_value(margin: float, repeat_rate: float) -> float:
    """Margin of a customer who orders again with the same chance after every order: margin / (1 − r).

    Examples
    --------
    >>> round(geometric_value(1.0, raised(0.282, 0.08, "relative")) / geometric_value(1.0, 0.282) - 1, 4)
    0.0324
    """
    return margin / (1 - repeat_rate)


def rate_needed(repeat_rate: float, growth: float) -> float:
    """The repeat rate at which the geometric value has grown by a share: 1 − (1 − r) / (1 + growth).

    Examples
    --------
    >>> round(rate_needed(0.282, 0.30), 3)
    0.448
    """
    return 1 - (1 - repeat_rate) / (1 + growth)


def repeat_orders(buy: Repurchase, days: float) -> float:
    """Repeat orders that a new customer is expected to make within some days, by the BG/NBD.

    Notes
    -----
    E[X(t)] = (a + b − 1) / (a − 1) · (1 − (α / (α + t))^r ₂F₁(r, b; a + b − 1; t / (α + t))) (Fader, Hardie & Lee 2005,
    equation 9). Members, touches, interest and the calendar, which multiply the rate in a run, are left aside.
    """
    from scipy.special import hyp2f1

    r, alpha, a, b = buy.rate_shape, buy.rate_scale, buy.lapse_a, buy.lapse_b
    if abs(a - 1) < 1e-6:
        a = 1 + 1e-6  # the formula's limit
    kept = (alpha / (alpha + days)) ** r * hyp2f1(r, b, a + b - 1, days / (alpha + days))
    return float((a + b - 1) / (a - 1) * (1 - kept))


def lifetime_value(margin: float, buy: Repurchase, *, months: int = 36, discount: float = DISCOUNT) -> float:
    """Discounted margin of a new customer: the first order and the repeat orders expected in the months after it.

    Parameters
    ----------
    margin : float [currency/order]
    buy : Repurchase  parameters of the BG/NBD
    months : int [month]
    discount : float [share/year]  an order in month m counts (1 + discount)^(−m / 12)
    """
    expected = np.diff([repeat_orders(buy, MONTH * month) for month in range(months + 1)])
    weight = (1 + discount) ** (-(np.arange(months) + 0.5) / 12)
    return margin * (1 + float((expected * weight).sum()))
