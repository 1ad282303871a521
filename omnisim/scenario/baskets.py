"""Baskets: what an order takes along beside the article it begins with, and what that adds to its value."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

from omnisim.scenario import network

if TYPE_CHECKING:
    from omnisim.scenario.model import Scenario


def taken_along(scenario: Scenario, channel: str, sku: str) -> dict[str, float]:
    """Articles that orders of one take along on a channel, with their shares, in the order of the products."""
    basket = scenario.products[sku].basket
    return {other: basket[other] for other in scenario.products
            if basket.get(other) and network.sells(scenario, channel, other)}


def worth(scenario: Scenario, channel: str, sku: str, field: Literal["price", "cost"] = "price") -> float:
    """Price or cost of a basket that begins with an article, one unit a line: v + Σ attach rate · v of what comes along
    [currency]."""
    own = float(getattr(scenario.products[sku], field))
    return own + math.fsum(rate * getattr(scenario.products[other], field)
                           for other, rate in taken_along(scenario, channel, sku).items())


def mean_worth(scenario: Scenario, channel: str, field: Literal["price", "cost"] = "price") -> float:
    """Price or cost of a channel's baskets, one unit a line, by share of orders [currency/order]."""
    sold = [sku for sku in scenario.products if network.sells(scenario, channel, sku)]
    total = math.fsum(scenario.products[sku].share * worth(scenario, channel, sku, field) for sku in sold)
    share = math.fsum(scenario.products[sku].share for sku in sold)
    return total if len(sold) == len(scenario.products) or not share else total / share


def round_order_value(scenario: Scenario, channel: str, value: float) -> float:
    """An order value to the cent, and up where less would be below what the channel's baskets come to [currency]."""
    near = round(value, 2)
    return near if near >= mean_worth(scenario, channel) * (1 - 1e-9) else math.ceil(100 * value) / 100
