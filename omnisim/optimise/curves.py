"""Response curves as arrays: what the solvers work on."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.response import Floats, carry, respond, slopes


class CurveArrays(NamedTuple):
    """The curves of n channels over the periods of a plan, with the bounds of their spend.

    Every field is contiguous and finite; (n, periods) fields may differ by period.
    """

    form: NDArray[np.int8]
    """(n,)  code of the form: `response.HILL`, `POWER`, `EXPONENTIAL`."""
    scale: Floats
    """(n, periods) [response]  > 0"""
    half: Floats
    """(n, periods) [currency]  > 0"""
    shape: Floats
    """(n, periods)  > 0; 1 for exponential curves, at most 1 for power curves; hill curves above 1 are S-shaped."""
    carryover: Floats
    """(n,) [share/period]  0 ≤ carryover < 1"""
    carry_in: Floats
    """(n,) [currency]  stock before the first period, ≥ 0"""
    floor: Floats
    """(n, periods) [currency]  least spend, ≥ 0"""
    cap: Floats
    """(n, periods) [currency]  most spend, ≥ floor"""


class Solved(NamedTuple):
    """A plan with its proof."""

    spend: Floats
    """(n, periods) [currency]"""
    objective: float
    """[response]  what the spend brings"""
    bound: float
    """[response]  what no plan within the limits can exceed"""
    gap: float
    """(bound − objective) / |bound|"""
    price: float
    """[response/currency]  what one more unit of budget brings (a shadow price)"""


def whole_period(days: Floats) -> int:
    """The last period of full length: its scale goes on after the plan, also where a shorter one ends it.

    Parameters
    ----------
    days : (periods,) float [day]  of each period
    """
    return int(np.flatnonzero(days == days.max())[-1])


def total_response(curves: CurveArrays, spend: Floats) -> float:
    """Response of a spend (n, periods), summed over channels and periods."""
    stock = carry(spend, curves.carryover, curves.carry_in)
    return float(respond(curves.form, curves.scale, curves.half, curves.shape, stock).sum())


def marginal_response(curves: CurveArrays, spend: Floats) -> Floats:
    """Derivative of the total response to each spend (n, periods), later periods included: m(t) = R'(a(t)) + θ m(t+1).

    Returns
    -------
    (n, periods) float [response/currency]
    """
    marginal: Floats = slopes(curves.form, curves.scale, curves.half, curves.shape,
                              carry(spend, curves.carryover, curves.carry_in))
    for t in range(marginal.shape[1] - 2, -1, -1):
        marginal[:, t] += np.where(curves.carryover > 0.0, curves.carryover, 0.0) * marginal[:, t + 1]
    return marginal
