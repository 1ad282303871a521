"""A scenario's back end as plain numbers: places, who serves whom, and the lanes by which articles come.

Channels stand in the kernels' (alphabetical) order, as in the market; places and articles as in the file.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.plan import to_cents
from omnisim.scenario import network
from omnisim.scenario.model import Scenario
from omnisim.scenario.supply import StockRule
from omnisim.season import Season
from omnisim.streams import key

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
BASE_STOCK, REORDER_POINT, MIN_MAX, FORECAST = range(4)
RULES = {"base_stock": BASE_STOCK, "reorder_point": REORDER_POINT, "min_max": MIN_MAX, "forecast": FORECAST}


class Desk(NamedTuple):
    """What the settlement looks at; K channels, S articles, N places, T stores with pickup."""

    sources: Ints
    """(K, S, N) places asked in order; -1 after the last"""
    mix: Floats
    """(K, S) shares of orders by article; 0 where it is not sold"""
    weight: Floats
    """(K,) of channels for who switches"""
    shares: Floats
    """(3,) of short orders that wait, switch, substitute"""
    delay: Ints
    """(1,) minutes until a channel sees what others sold"""
    collects: Floats
    """(K,) share of orders picked up where they can be"""
    stores: Ints
    """(T,) places where orders are picked up"""
    owner: Ints
    """(T,) channel of each"""
    edges: Floats
    """(T,) cumulative shares of consumers who live near"""
    add_on: Floats
    """(1,) share of pickups that buy one more"""
    scale: Ints
    """(1,) people that one consumer stands for"""


class Lanes(NamedTuple):
    """How each article comes to each place; arrays (N, S)."""

    holds: NDArray[np.bool_]
    """whether it stands there at all"""
    rule: Ints
    level: Ints
    """S, or r + Q: also the stock at the start where none is given"""
    point: Ints
    lot: Ints
    """1 for the rules without"""
    service: Floats
    supplier: Ints
    """number of the supplier, or -1"""
    feeder: Ints
    """place it comes from, or -1"""
    depth: Ints
    """places between it and the supplier"""
    days: Ints
    """lead time at least"""
    cost: Ints
    """of moving a unit here, cents"""
    review: Ints
    """days between two orders"""
    alarm: Ints
    """units below which express is called; 0 for never"""
    luck: NDArray[np.uint64]
    """key of the lane's delays"""


class Makers(NamedTuple):
    """Suppliers; arrays (M,)."""

    moq: Ints
    capacity: Ints
    """-1 for no limit"""
    order_cost: Ints
    express_days: Ints
    express_cost: Ints
    delays: Floats
    """(M, longest) cumulative shares"""


class Transfer(NamedTuple):
    """A route between two places that are fed otherwise."""

    source: int
    target: int
    days: int
    cost: int


@dataclass(frozen=True)
class Layout:
    """Everything about the back end that does not change in a run.

    Parameters
    ----------
    unlimited : bool  stock never runs out; nothing is ordered
    plain : bool  one place without pickup: where there is enough for all, nobody's order need be looked at
    opening : int64 (N, S) [unit]  stock on the first morning
    landed : int64 (S,) [cents]  what a unit in stock has cost
    storage : int64 (N,) [cents/unit/month]
    life : int64 (S,) [day]  shelf life; 0 for ever
    patience : int [day]
    order_of_lanes : int64 (N * S,)  lanes by name, so that no order in the file decides
    calendar : float (N, days)  what months, campaigns and broadcasts multiply demand at a place by, from `first_day`
        on; empty where no rule forecasts
    places, skus : names, in the order of the arrays
    """

    unlimited: bool
    plain: bool
    desk: Desk
    lanes: Lanes
    makers: Makers
    transfers: tuple[Transfer, ...]
    opening: Ints
    landed: Ints
    storage: Ints
    life: Ints
    patience: int
    order_of_lanes: Ints
    calendar: Floats
    first_day: int
    places: tuple[str, ...]
    skus: tuple[str, ...]


def lay_out(scenario: Scenario, channels: list[str], seed: int, replication: int) -> Layout:
    """The back end as numbers.

    Parameters
    ----------
    channels : list of str  simulated ones, in the kernels' order
    """
    supply, skus = scenario.supply, list(scenario.products)
    places = supply.places
    lanes = _lanes(scenario, places, skus, seed, replication)
    opening = lanes.level.copy()
    for n, node in enumerate(supply.nodes.values()):
        for sku, rule in node.stock.items():
            if rule.opening is not None:
                opening[n, skus.index(sku)] = rule.opening
    ranks = sorted(range(len(places) * len(skus)), key=lambda cell: (places[cell // len(skus)], skus[cell % len(skus)]))
    return Layout(
        unlimited=supply.unlimited, plain=len(places) == 1 and not supply.pickup,
        desk=_desk(scenario, channels, places, skus), lanes=lanes, makers=_makers(scenario),
        transfers=_transfers(scenario, places), opening=opening,
        landed=np.array([network.landed_cost(scenario, sku) for sku in skus], np.int64),
        storage=np.array([to_cents(node.storage_cost) for node in supply.nodes.values()] or [0], np.int64),
        life=np.array([product.shelf_life or 0 for product in scenario.products.values()], np.int64),
        patience=supply.shortage.patience, order_of_lanes=np.array(ranks, np.int64),
        calendar=_calendar(scenario, channels, longest_cover(lanes, _makers(scenario))),
        first_day=-scenario.horizon.warm_up, places=tuple(places), skus=tuple(skus))


def _desk(scenario: Scenario, channels: list[str], places: list[str], skus: list[str]) -> Desk:
    supply = scenario.supply
    sources = np.full((len(channels), len(skus), len(places)), -1, np.int64)
    mix = np.zeros((len(channels), len(skus)))
    for k, channel in enumerate(channels):
        for p, sku in enumerate(skus):
            if network.sells(scenario, channel, sku):
                found = [places.index(place) for place in network.serving(scenario, channel, sku)]
                sources[k, p, :len(found)] = found
                mix[k, p] = scenario.products[sku].share
    weight = np.array([scenario.channels[name].repeat_weight * scenario.channels[name].checkout for name in channels])
    stores = network.stores(scenario)
    near = np.array([supply.nodes[name].catchment for name in stores])
    owners = [supply.nodes[name].channels[0] for name in stores]
    pickup = supply.pickup
    collects = [pickup.share if pickup and name not in owners else 0.0 for name in channels]
    return Desk(
        sources, mix, weight, np.array([supply.shortage.wait, supply.shortage.switch, supply.shortage.substitute]),
        np.array([supply.sync_delay], np.int64), np.array(collects),
        np.array([places.index(name) for name in stores], np.int64),
        np.array([channels.index(name) if name in channels else -1 for name in owners], np.int64),
        np.cumsum(near) / near.sum() if stores else near, np.array([pickup.add_on if pickup else 0.0]),
        np.array([scenario.population.scale], np.int64))


def _lanes(scenario: Scenario, places: list[str], skus: list[str], seed: int, replication: int) -> Lanes:
    supply, shape = scenario.supply, (len(places), len(skus))
    makers = list(supply.suppliers)
    whole = [np.zeros(shape, np.int64) for _ in range(11)]
    rule, level, point, lot, maker, feeder, depth, days, cost, review, alarm = whole
    holds, service, luck = np.ones(shape, np.bool_), np.zeros(shape), np.zeros(shape, np.uint64)
    maker[:], feeder[:], review[:], lot[:] = -1, -1, 1, 1
    if not supply.nodes:
        level[0] = [product.base_stock for product in scenario.products.values()]
        maker[:], days[:], review[:] = 0, supply.lead_time, supply.review_days
        return Lanes(holds, rule, level, point, lot, service, maker, feeder, depth, days, cost, review, alarm, luck)
    holds[:] = False
    for n, (name, node) in enumerate(supply.nodes.items()):
        review[n] = node.review_days
        for sku, asked in node.stock.items():
            p = skus.index(sku)
            route = network.feeding(scenario, name, sku)
            if route is None:
                continue  # refused when the scenario was checked
            holds[n, p], rule[n, p], service[n, p] = True, RULES[asked.rule], asked.service
            level[n, p], point[n, p], lot[n, p] = top_of(asked), asked.reorder_point, max(1, asked.lot)
            days[n, p], cost[n, p] = route.lead_time, to_cents(route.cost)
            if route.source in makers:
                maker[n, p] = makers.index(route.source)
                days[n, p] += supply.suppliers[route.source].lead_time
                luck[n, p] = key(seed, replication, "delay", f"{route.source}>{name}/{sku}")
            else:
                feeder[n, p] = places.index(route.source)
            trigger = asked.reorder_point if asked.rule == "reorder_point" else asked.level
            alarm[n, p] = int(np.ceil(node.expedite_below * trigger))
    for _ in places:
        for n, p in zip(*np.nonzero(feeder >= 0), strict=True):
            depth[n, p] = depth[feeder[n, p], p] + 1
    return Lanes(holds, rule, level, point, lot, service, maker, feeder, depth, days, cost, review, alarm, luck)


def top_of(rule: StockRule) -> int:
    """The most that a rule lets stand and come: its level, or reorder point and lot."""
    return rule.reorder_point + rule.lot if rule.rule == "reorder_point" else rule.level


def _makers(scenario: Scenario) -> Makers:
    supply = scenario.supply
    if not supply.nodes:
        nothing = np.zeros(1, np.int64)
        return Makers(np.array([supply.moq]), np.array([-1]), nothing, nothing, nothing, np.ones((1, 1)))
    found = list(supply.suppliers.values())
    longest = max(len(maker.delays) for maker in found)
    return Makers(
        np.array([maker.moq for maker in found], np.int64),
        np.array([-1 if maker.capacity is None else maker.capacity for maker in found], np.int64),
        np.array([to_cents(maker.order_cost) for maker in found], np.int64),
        np.array([maker.expedite_days for maker in found], np.int64),
        np.array([to_cents(maker.expedite_cost) for maker in found], np.int64),
        np.array([np.cumsum([*maker.delays, *[0.0] * (longest - len(maker.delays))]) for maker in found]))


def cover_of(lanes: Lanes, makers: Makers) -> Ints:
    """Days from an order to the arrival of the next one, by lane; delays at their mean, rounded up."""
    delay = np.ceil((1.0 - makers.delays).sum(axis=1) - 1e-9).astype(np.int64)
    return np.maximum(lanes.days, 1) + lanes.review + np.where(lanes.supplier >= 0, delay[lanes.supplier], 0)


def longest_cover(lanes: Lanes, makers: Makers) -> int:
    """The longest of those that a forecast looks ahead, or 0."""
    return int(np.where(lanes.rule == FORECAST, cover_of(lanes, makers), 0).max())


def _calendar(scenario: Scenario, channels: list[str], ahead: int) -> Floats:
    horizon = scenario.horizon
    return demand_calendar(scenario, channels, horizon.warm_up + horizon.days + ahead if ahead else 0)


def demand_calendar(scenario: Scenario, channels: list[str], days: int) -> Floats:
    """What the calendar, weekdays apart, multiplies demand at each place by: the mean over the channels it lists.

    Parameters
    ----------
    days : int [day]  from the first of the warm-up on

    Returns
    -------
    float (N, days)
    """
    supply, horizon = scenario.supply, scenario.horizon
    season = Season(scenario, channels)
    weekday = scenario.calendar.weekday
    factors = np.ones((len(supply.places), days))
    sellers = [name for name in channels if scenario.channels[name].checkout]
    for t in range(days):
        usual = weekday[(horizon.start + datetime.timedelta(days=t - horizon.warm_up)).weekday()]
        weight = season.weight(t - horizon.warm_up) / (usual or 1.0)
        for n, place in enumerate(supply.places):
            node = supply.nodes.get(place)
            listed = [k for k, name in enumerate(channels) if name in ((node.channels if node else ()) or sellers)]
            factors[n, t] = weight[listed].mean() if usual and listed else 1.0
    return factors


def _transfers(scenario: Scenario, places: list[str]) -> tuple[Transfer, ...]:
    """Routes between places that feed neither, the cheapest first."""
    found = sorted(network.transfers(scenario),
                   key=lambda route: (route.cost, route.lead_time, route.source, route.target))
    return tuple(Transfer(places.index(route.source), places.index(route.target), route.lead_time, to_cents(route.cost))
                 for route in found)
