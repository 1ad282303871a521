"""Who serves and who feeds whom: the questions that market, supply and the checks ask of a scenario's back end.

An order reaches its consumer by a *way*: way w below the number of places is a parcel from place w, way
places + w is a pickup at place w.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from omnisim.scenario.model import Scenario
    from omnisim.scenario.supply import Route, Supplier

CAPITAL = 0.25
"""Yearly cost of the money tied up in goods, and of their ageing, as a share of their cost."""


def sells(scenario: Scenario, channel: str, sku: str) -> bool:
    """Whether a channel takes orders for an article."""
    entry = scenario.channels[channel]
    wanted = scenario.products[sku].channels
    return entry.active and entry.checkout and (not wanted or channel in wanted)


def serving(scenario: Scenario, channel: str, sku: str) -> list[str]:
    """The places that serve a channel with an article, in the order in which they are asked."""
    supply = scenario.supply
    if not supply.nodes:
        return supply.places
    own = {name for name, node in supply.nodes.items() if not node.channels or channel in node.channels}
    found = {name for name, node in supply.nodes.items() if sku in node.stock and (name in own or (
        supply.stock != "siloed" and (node.kind != "store" if node.ships is None else node.ships)))}
    return sorted(found, key=lambda name: (supply.stock != "pooled" and name not in own, delivery_cost(scenario, name),
                                           delivery_days(scenario, name, channel), name))


def delivery_days(scenario: Scenario, place: str, channel: str) -> int:
    """Days from a place to the consumers of a channel."""
    node = scenario.supply.nodes.get(place)
    usual = scenario.channels[channel].delivery_days
    return usual if node is None or node.delivery_days is None else node.delivery_days


def delivery_cost(scenario: Scenario, place: str) -> int:
    """Cost of sending an order from a place [cents]."""
    node = scenario.supply.nodes.get(place)
    usual = scenario.supply.delivery_cost
    return _cents(usual if node is None or node.delivery_cost is None else node.delivery_cost)


def supplier_of(scenario: Scenario, sku: str) -> str | None:
    """Who makes an article: its own supplier, or the first of the list."""
    return scenario.products[sku].supplier or next(iter(scenario.supply.suppliers), None)


def feeding(scenario: Scenario, place: str, sku: str) -> Route | None:
    """The route by which a node gets an article: from its supplier, or else from the first node that holds it."""
    supply = scenario.supply
    inbound = [route for route in supply.routes if route.target == place]
    maker = supplier_of(scenario, sku)
    bought = [route for route in inbound if route.source == maker]
    passed_on = [route for route in inbound if route.source in supply.nodes and sku in supply.nodes[route.source].stock]
    return next(iter(bought or passed_on), None)


def transfers(scenario: Scenario) -> list[Route]:
    """The routes between nodes by which none is fed: stock goes on them from where it lies idle to where it is short.
    """
    supply = scenario.supply
    fed = [feeding(scenario, name, sku) for name, node in supply.nodes.items() for sku in node.stock]
    return [route for route in supply.routes
            if route.source in supply.nodes and not any(one is route for one in fed)]


def reaches(scenario: Scenario, place: str, sku: str) -> bool:
    """Whether an article comes to a node from its supplier, over other nodes or straight."""
    seen: set[str] = set()
    while place not in seen:
        seen.add(place)
        route = feeding(scenario, place, sku)
        if route is None:
            return False
        if route.source in scenario.supply.suppliers:
            return True
        place = route.source
    return False


def landed_cost(scenario: Scenario, sku: str) -> int:
    """Cost of a unit in stock [cents]: cost of goods, duty on it, and freight."""
    product = scenario.products[sku]
    maker: Supplier | None = scenario.supply.suppliers.get(supplier_of(scenario, sku) or "")
    if maker is None:
        return _cents(product.cost)
    return _cents(product.cost) + _cents(product.cost * maker.duty) + _cents(maker.freight)


def holding_cost(scenario: Scenario, place: str, sku: str) -> float:
    """Cost of keeping a unit for a day [currency/unit/day]: capital tied up in its landed cost, and storage."""
    node = scenario.supply.nodes.get(place)
    storage = 0.0 if node is None else node.storage_cost / 30.0
    return CAPITAL * landed_cost(scenario, sku) / 100.0 / 365.0 + storage


def stores(scenario: Scenario) -> list[str]:
    """The nodes where orders can be picked up, by name."""
    supply = scenario.supply
    return sorted(name for name, node in supply.nodes.items() if node.catchment > 0) if supply.pickup else []


def _cents(amount: float) -> int:
    return round(amount * 100)
