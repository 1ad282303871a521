"""Rules between the fields of the back end: what each value allows but all together do not."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from omnisim.errors import Fault
from omnisim.scenario import network

if TYPE_CHECKING:
    from omnisim.scenario.model import Scenario
    from omnisim.scenario.supply import Node, StockRule

SUM_TOLERANCE = 1e-6
ALONE = ("suppliers", "routes", "pickup")
"""Fields of supply that need nodes."""
INSTEAD = ("warehouse", "lead_time", "moq", "review_days")
"""Fields of the one warehouse, which nodes take the place of."""


def contradictions(scenario: Scenario) -> list[Fault]:
    """Everything in the back end that contradicts itself."""
    rules = (_one_or_many, _suppliers, _routes, _nodes, _assortment, _shortage, _pickup)
    return [fault for rule in rules for fault in rule(scenario)]


def _fault(what: str, got: object, rule: str, fix: str) -> Fault:
    return Fault("", what, str(got), rule, fix)


def _known(what: str, name: str, known: Iterable[str], kind: str) -> Iterator[Fault]:
    choices = list(known)
    if name not in choices:
        close = difflib.get_close_matches(name, choices, n=1)
        fix = f"Did you mean {close[0]}?" if close else f"Choose from {', '.join(choices) or 'none: add one'}."
        yield _fault(what, name, f"is no {kind} of this scenario", fix)


def _one_or_many(scenario: Scenario) -> Iterator[Fault]:
    """Fields that do nothing are refused."""
    supply = scenario.supply
    fields = type(supply).model_fields
    if supply.nodes:
        for name in INSTEAD:
            if (value := getattr(supply, name)) != fields[name].default:
                yield _fault(f"supply.{name}", value, "does nothing beside supply.nodes", "Remove it.")
        for sku, product in scenario.products.items():
            if product.base_stock:
                yield _fault(f"products.{sku}.base_stock", f"{product.base_stock:,}", "does nothing beside "
                             "supply.nodes", f"Give supply.nodes.….stock.{sku}.level instead.")
        return
    for name in ALONE:
        if getattr(supply, name):
            yield _fault(f"supply.{name}", "given", "does nothing without supply.nodes", "Add nodes, or remove it.")
    if supply.stock != "pooled":
        yield _fault("supply.stock", supply.stock, "does nothing without supply.nodes", "Add nodes, or remove it.")
    for sku, product in scenario.products.items():
        if product.supplier is not None:
            yield _fault(f"products.{sku}.supplier", product.supplier, "does nothing without supply.nodes",
                         "Add nodes, or remove it.")


def _suppliers(scenario: Scenario) -> Iterator[Fault]:
    for name, supplier in scenario.supply.suppliers.items():
        if abs((total := math.fsum(supplier.delays)) - 1) > SUM_TOLERANCE:
            yield _fault(f"supply.suppliers.{name}.delays", f"shares that sum to {total:.6g}", "shares must sum to 1",
                         f"{'Lower' if total > 1 else 'Raise'} them by {abs(total - 1):.6g} together.")
        if supplier.capacity is not None and supplier.moq > supplier.capacity:
            yield _fault(f"supply.suppliers.{name}.moq", f"{supplier.moq:,} unit/order", "must be at most the capacity "
                         f"of {supplier.capacity:,} unit/day: nothing could ever be ordered",
                         "Lower moq, or raise capacity.")
        if name in scenario.supply.nodes:
            yield _fault(f"supply.suppliers.{name}", name, "is the name of a node, too", "Rename one.")
    for sku, product in scenario.products.items():
        if product.supplier is not None and scenario.supply.nodes:
            yield from _known(f"products.{sku}.supplier", product.supplier, scenario.supply.suppliers, "supplier")


def _routes(scenario: Scenario) -> Iterator[Fault]:
    supply = scenario.supply
    if not supply.nodes:
        return
    seen: set[tuple[str, str]] = set()
    for k, route in enumerate(supply.routes):
        what = f"supply.routes.{k}"
        yield from _known(f"{what}.source", route.source, [*supply.suppliers, *supply.nodes], "supplier or node")
        yield from _known(f"{what}.target", route.target, supply.nodes, "node")
        if route.source == route.target:
            yield _fault(f"{what}.target", route.target, "must differ from the source", "Name another node.")
        if (ends := (route.source, route.target)) in seen:
            yield _fault(what, " to ".join(ends), "is a second route between the same two", "Keep one.")
        seen.add(ends)


def _nodes(scenario: Scenario) -> Iterator[Fault]:
    for name, node in scenario.supply.nodes.items():
        what = f"supply.nodes.{name}"
        for k, channel in enumerate(node.channels):
            yield from _known(f"{what}.channels.{k}", channel, scenario.channels, "channel")
        if node.expedite_below and any(not _is_bought(scenario, name, sku) for sku in node.stock):
            yield _fault(f"{what}.expedite_below", node.expedite_below, "needs a supplier's express: this node is fed "
                         "by another node", "Set it to 0, or add a route from the supplier.")
        for sku, rule in node.stock.items():
            place = f"{what}.stock.{sku}"
            if sku not in scenario.products:
                yield from _known(place, sku, scenario.products, "article")
            else:
                if not network.reaches(scenario, name, sku):
                    maker = network.supplier_of(scenario, sku) or "a supplier"
                    yield _fault(place, name, f"is reached by no route: {sku} cannot come here from {maker}",
                                 f"Add {{source: {maker}, target: {name}}} to supply.routes, or a chain of nodes.")
                yield from _rule(place, rule, scenario, name, node, sku)


def _is_bought(scenario: Scenario, name: str, sku: str) -> bool:
    route = network.feeding(scenario, name, sku) if sku in scenario.products else None
    return route is not None and route.source in scenario.supply.suppliers


def _rule(what: str, rule: StockRule, scenario: Scenario, name: str, node: Node, sku: str) -> Iterator[Fault]:
    used = {"base_stock": {"level"}, "reorder_point": {"reorder_point", "lot"}, "min_max": {"reorder_point", "level"},
            "forecast": {"level", "service"}}[rule.rule]
    for field in ("level", "reorder_point", "lot", "service"):
        value = getattr(rule, field)
        if field not in used and value != type(rule).model_fields[field].default:
            yield _fault(f"{what}.{field}", value, f"does nothing under the rule {rule.rule}", "Remove it.")
    if rule.rule == "min_max" and rule.reorder_point >= rule.level:
        yield _fault(f"{what}.reorder_point", f"{rule.reorder_point:,} unit", f"must be below the level, "
                     f"{rule.level:,}", "Lower it, or raise the level.")
    maker = scenario.supply.suppliers.get(network.supplier_of(scenario, sku) or "")
    if rule.rule == "reorder_point" and rule.lot < 1:
        yield _fault(f"{what}.lot", rule.lot, "must be at least 1 unit under the rule reorder_point", "Give a lot.")
    elif rule.rule == "reorder_point" and maker and _is_bought(scenario, name, sku) and rule.lot < maker.moq:
        yield _fault(f"{what}.lot", f"{rule.lot:,} unit", f"must be at least the supplier's moq, {maker.moq:,}",
                     "Raise it, or lower the moq.")


def _assortment(scenario: Scenario) -> Iterator[Fault]:
    for sku, product in scenario.products.items():
        for k, channel in enumerate(product.channels):
            yield from _known(f"products.{sku}.channels.{k}", channel, scenario.channels, "channel")
            if channel in scenario.channels and not scenario.channels[channel].checkout:
                yield _fault(f"products.{sku}.channels.{k}", channel, "takes no orders",
                             f"Set channels.{channel}.checkout to true, or remove it.")
    for name, entry in scenario.channels.items():
        if not (entry.active and entry.checkout):
            continue
        sold = [sku for sku in scenario.products if network.sells(scenario, name, sku)]
        if not math.fsum(scenario.products[sku].share for sku in sold):
            yield _fault(f"channels.{name}", "no article", "sells nothing: no article with a share names it",
                         f"Add {name} to products.….channels, or set checkout to false.")
        for sku in sold:
            if not network.serving(scenario, name, sku):
                yield _fault(f"channels.{name}", sku, "is sold here, and no node serves it"
                             + (" (stock is siloed)" if scenario.supply.stock == "siloed" else ""),
                             f"Add {sku} to a node that lists {name}, or name its channels in products.{sku}.channels.")


def _shortage(scenario: Scenario) -> Iterator[Fault]:
    shortage = scenario.supply.shortage
    total = shortage.wait + shortage.switch + shortage.substitute
    if total > 1 + SUM_TOLERANCE:
        yield _fault("supply.shortage", f"shares that sum to {total:.6g}", "wait, switch and substitute must sum to "
                     "at most 1", f"Lower them by {total - 1:.6g} together.")
    if shortage.switch and sum(channel.active and channel.checkout for channel in scenario.channels.values()) < 2:
        yield _fault("supply.shortage.switch", shortage.switch, "needs a second channel that takes orders",
                     "Set it to 0.")
    if shortage.substitute and len(scenario.products) < 2:
        yield _fault("supply.shortage.substitute", shortage.substitute, "needs a second article", "Set it to 0.")


def _pickup(scenario: Scenario) -> Iterator[Fault]:
    supply = scenario.supply
    near = [name for name, node in supply.nodes.items() if node.catchment > 0]
    if supply.pickup is None:
        for name in near:
            yield _fault(f"supply.nodes.{name}.catchment", supply.nodes[name].catchment,
                         "does nothing without supply.pickup", "Add pickup, or remove it.")
    elif not near and supply.nodes:
        yield _fault("supply.pickup", "no store", "needs a node with a catchment", "Give one a catchment of 1.")
    for name in near if supply.pickup else ():
        channels = supply.nodes[name].channels
        if len(channels) != 1:
            yield _fault(f"supply.nodes.{name}.channels", f"{len(channels)} channels", "a store where orders are "
                         "picked up has one channel of its own, which takes the add-on orders", "Name that one.")
        elif channels[0] in scenario.channels and not scenario.channels[channels[0]].checkout:
            yield _fault(f"supply.nodes.{name}.channels.0", channels[0], "takes no orders",
                         f"Set channels.{channels[0]}.checkout to true.")
