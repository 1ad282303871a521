"""Instances of replenishment: 50 SKU × 5 nodes × 26 weeks, by seed; what the figures of replenish.md are about.

Weekly demand of a cell is Poisson around a level of its own, 2.2 times as high in two campaigns of two weeks each; the
smallest order is two weeks of its ordinary mean. Volume received by node and week and money spent by week are limited
to f times their mean need, campaigns included. What is not on the shelf is lost. The cost is what planning can
change: orders, holding, lost margin.
"""

from __future__ import annotations

import numpy as np
import pandas as pd

CAMPAIGN = 2.2
WEEKS = 26


def make_shops(seed: int, *, skus: int = 50, nodes: int = 5, weeks: int = WEEKS, factor: float = 1.4
               ) -> dict[str, pd.DataFrame]:
    """Tables of one instance: items, demand, limits."""
    rng = np.random.default_rng(seed)
    names, places = [f"s{k:03d}" for k in range(skus)], [f"n{k}" for k in range(nodes)]
    cost = np.round(rng.lognormal(np.log(30.0), 0.5, skus), 2)
    margin = np.round(cost * rng.uniform(0.6, 1.4, skus), 2)
    volume = np.round(rng.uniform(0.5, 3.0, skus), 2)
    order_cost = np.round(rng.uniform(5.0, 20.0, skus), 2)
    holding = np.round(cost * rng.uniform(0.006, 0.012, skus), 4)
    sales, share = rng.lognormal(np.log(20.0), 0.6, skus), rng.uniform(0.5, 1.5, nodes)
    mean = sales[:, None] * share[None, :]
    campaign = np.ones(weeks)
    for start in rng.choice(np.arange(4, weeks - 1, 2), size=max(1, round(weeks / 13)), replace=False):
        campaign[start:start + 2] = CAMPAIGN
    demand = rng.poisson(mean[:, :, None] * campaign).astype(np.int64)
    on_hand = np.floor(mean * rng.uniform(0.0, 2.0, (skus, nodes))).astype(np.int64)
    moq = np.maximum(np.ceil(2.0 * mean), 1.0).astype(np.int64)
    index = pd.MultiIndex.from_product([names, places], names=["sku", "node"]).to_frame(index=False)
    items = index.assign(cost=np.repeat(cost, nodes), lost=np.repeat(margin, nodes), volume=np.repeat(volume, nodes),
                         order_cost=np.repeat(order_cost, nodes), holding=np.repeat(holding, nodes),
                         on_hand=on_hand.ravel(), moq=moq.ravel())
    frame = index.loc[index.index.repeat(weeks)].reset_index(drop=True)
    frame["period"] = np.tile(np.arange(weeks), skus * nodes)
    frame["demand"] = demand.ravel()
    need = np.einsum("i,int->n", volume, demand) / weeks
    money = float(np.einsum("i,int->", cost, demand)) / weeks
    capacity = pd.DataFrame({"limit": "capacity", "node": places, "period": None, "value": factor * need})
    budget = pd.DataFrame({"limit": "budget", "node": None, "period": None, "value": [factor * money]})
    limits = pd.concat([capacity.astype(object), budget.astype(object)], ignore_index=True)
    return {"items": items, "demand": frame, "limits": limits}


def make_chain(seed: int, *, skus: int = 50, nodes: int = 5, weeks: int = WEEKS, factor: float = 1.4
               ) -> dict[str, pd.DataFrame]:
    """Tables of the same shops, fed by a central warehouse with a smallest order of two weeks of all of them.

    The warehouse orders from suppliers within the weekly budget, and receives within a capacity of its own; an order
    costs three times as much as one of a shop, and a unit six tenths as much to hold.
    """
    tables = make_shops(seed, skus=skus, nodes=nodes, weeks=weeks, factor=factor)
    items, limits = tables["items"].assign(source="central"), tables["limits"]
    rng = np.random.default_rng(seed + 1000)
    central = items.groupby("sku", sort=False).agg(
        cost=("cost", "first"), lost=("lost", "first"), volume=("volume", "first"), order_cost=("order_cost", "first"),
        holding=("holding", "first"), moq=("moq", "sum")).reset_index()
    central = central.assign(node="central", source="", order_cost=3.0 * central["order_cost"],
                             holding=0.6 * central["holding"],
                             on_hand=np.floor(central["moq"] / 2 * rng.uniform(0.0, 2.0, skus)).astype(np.int64))
    received = limits.loc[limits["limit"] == "capacity", "value"].astype(float).sum()
    capacity = pd.DataFrame({"limit": ["capacity"], "node": ["central"], "period": [None], "value": [received]})
    return {"items": pd.concat([items, central[items.columns]], ignore_index=True), "demand": tables["demand"],
            "limits": pd.concat([limits, capacity.astype(object)], ignore_index=True)}


def make_ways(seed: int, *, skus: int = 50, nodes: int = 5, weeks: int = WEEKS, factor: float = 1.4, cost: float = 0.02
              ) -> dict[str, pd.DataFrame]:
    """Tables of the same shops, which may send to each other at once for a share of the cost of goods."""
    tables = make_shops(seed, skus=skus, nodes=nodes, weeks=weeks, factor=factor)
    places = list(dict.fromkeys(tables["items"]["node"]))
    goods = dict(zip(tables["items"]["sku"], tables["items"]["cost"], strict=True))
    ways = pd.DataFrame([(sku, one, other, round(cost * value, 4)) for sku, value in goods.items()
                         for one in places for other in places if one != other],
                        columns=["sku", "source", "target", "cost"])
    return tables | {"transfers": ways}
