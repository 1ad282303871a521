"""What stock costs: capital and storage, orders, moves, express, lost margin and what is thrown away."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MOVES, STOCK
from omnisim.measure.windows import run_window
from omnisim.scenario import network

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.books import Books
    from omnisim.scenario.model import Scenario

Floats = NDArray[np.float64]
PARTS = ("holding", "orders", "moving", "express", "lost", "expired")
"""What the cost of stock is the sum of."""


def stock_costs(scenario: Scenario, books: Books) -> pd.DataFrame:
    """What stock cost over the reported days, by node and article.

    Returns
    -------
    DataFrame  node, sku, and in currency: holding (capital tied up and storage, by units on hand at midnight), orders
    (the suppliers' cost of each order), moving (on the route by which the node is fed), express, lost (price less
    landed cost of units that met no stock and were not bought elsewhere, those waited for in vain included), expired
    (at landed cost), total

    Notes
    -----
    Counted from the tables `stock` and `moves` alone, for every rule and plan alike. A transfer is counted at the cost
    of the route that feeds its target. Goods sold are no part of it, nor is delivery.
    """
    import pandas as pd

    parts = by_part(scenario, books)
    places, skus = scenario.supply.places, list(scenario.products)
    columns = {name: units.reshape(-1) for name, units in parts.items()}
    return pd.DataFrame({"node": np.repeat(places, len(skus)), "sku": skus * len(places), **columns,
                         "total": np.sum(list(columns.values()), axis=0)})


def total(scenario: Scenario, books: Books) -> float:
    """All of it [currency]."""
    return float(np.sum([units.sum() for units in by_part(scenario, books).values()]))


def by_part(scenario: Scenario, books: Books) -> dict[str, Floats]:
    """Each of `PARTS`, (nodes, skus) [currency]."""
    window = run_window(books)
    stock = {name: books.stock[window.first:window.stop, :, :, k] for k, name in enumerate(STOCK)}
    moves = {name: books.moves[window.first:window.stop, :, :, k] for k, name in enumerate(MOVES)}
    rates = {name: np.zeros(stock["on_hand"].shape[1:]) for name in ("holding", "order", "move", "express", "margin",
                                                                    "landed")}
    supply = scenario.supply
    for n, place in enumerate(supply.places):
        for p, (sku, product) in enumerate(scenario.products.items()):
            landed = network.landed_cost(scenario, sku) / 100.0
            rates["landed"][n, p], rates["margin"][n, p] = landed, max(product.price - landed, 0.0)
            rates["holding"][n, p] = network.holding_cost(scenario, place, sku)
            route = network.feeding(scenario, place, sku)
            if route is None:
                continue
            rates["move"][n, p] = route.cost
            if (maker := supply.suppliers.get(route.source)) is not None:
                rates["order"][n, p], rates["express"][n, p] = maker.order_cost, maker.expedite_cost
    before = books.stock[window.first - 1, :, :, STOCK.index("on_order")] if window.first else 0
    started = np.diff(stock["on_order"], axis=0, prepend=np.broadcast_to(before, (1, *rates["move"].shape)))
    lost = stock["lost"] + moves["given_up"] - moves["switched"] - moves["substituted"]
    return {"holding": stock["on_hand"].sum(axis=0) * rates["holding"],
            "orders": (moves["ordered"] > moves["expedited"]).sum(axis=0) * rates["order"],
            "moving": (started + stock["received"]).sum(axis=0) * rates["move"],
            "express": moves["expedited"].sum(axis=0) * rates["express"],
            "lost": lost.sum(axis=0) * rates["margin"],
            "expired": moves["expired"].sum(axis=0) * rates["landed"]}
