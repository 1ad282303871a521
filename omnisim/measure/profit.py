"""Profit and loss: integer cents until the last step, so that every statement sums to the cent."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnisim.books import LINES, MEASURE, MEASURES
from omnisim.measure.windows import ratio

CENTS = 100
STATEMENT = ("gmv", *LINES)
"""Measures that sum to profit."""
MONEY = ("budget", *STATEMENT)
"""Measures that are cents."""
SPENT = ("media", "content", "labour")
"""Lines that make up the cost of a channel."""


def sums(tallies: NDArray[np.int64]) -> dict[str, NDArray[np.int64]]:
    """Tallies with measures on the last axis as named arrays, ``cost`` and ``profit`` added.

    Parameters
    ----------
    tallies : int64 (…, measures)  as in ``Books.daily``

    Returns
    -------
    name -> int64 (…,)  counts, and money in cents; cost = −(media + content + labour), profit = gmv + Σ lines
    """
    named = {name: tallies[..., k] for k, name in enumerate(MEASURES)}
    named["cost"] = -sum((named[line] for line in SPENT), np.zeros_like(named["gmv"]))
    named["profit"] = tallies[..., [MEASURE[name] for name in STATEMENT]].sum(axis=-1)
    return named


def to_currency(cents: NDArray[np.int64]) -> NDArray[np.float64]:
    """Cents as currency: the float nearest to the exact amount."""
    return np.asarray(cents, np.int64) / CENTS


def figures(tallies: NDArray[np.int64]) -> dict[str, Any]:
    """Named sums with money in currency, and the ratios that every table of channels shows.

    Notes
    -----
    aov = gmv / orders; roi = gmv / cost; roi_profit = profit / cost; cac = cost / new_customers;
    cost_per_new_user = cost / new_users; null where the divisor is 0.
    """
    named = sums(tallies)
    shown: dict[str, Any] = {
        name: to_currency(value) if name in MONEY or name in ("cost", "profit") else value
        for name, value in named.items()
    }
    cost, gmv = named["cost"], named["gmv"]
    shown["aov"] = ratio(shown["gmv"], named["orders"])
    shown["roi"] = ratio(gmv, cost)
    shown["roi_profit"] = ratio(named["profit"], cost)
    shown["cac"] = _where(cost, ratio(shown["cost"], named["new_customers"]))
    shown["cost_per_new_user"] = _where(cost, ratio(shown["cost"], named["new_users"]))
    return shown


def _where(cost: NDArray[np.int64], value: Any) -> Any:
    """A cost figure, null where nothing was spent."""
    return np.where(cost != 0, value, np.nan)
