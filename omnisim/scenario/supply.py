"""The back end of a scenario: where stock stands, how it gets there, and what happens when it is short."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omnisim.scenario.fields import SHARE, Money, Name, Section, Share, quantity, share

Rule = Literal["base_stock", "reorder_point", "min_max", "forecast"]


class StockRule(Section):
    """When a node orders an article, and how much.

    base_stock: up to `level` whenever it is short. reorder_point: whole lots of `lot` units once what is on hand and on
    order is at or below `reorder_point`, (r, Q). min_max: up to `level` once it is at or below `reorder_point`,
    (s, S). forecast: up to what is expected until the next delivery, plus safety stock for `service`; it knows the
    calendar of campaigns and broadcasts.
    """

    rule: Rule = "base_stock"
    """Which of the four."""
    level: int = quantity(0, unit="unit", ge=0, le=2_000_000_000)
    """Order-up-to level (S); for forecast, the one until three weeks of demand are known."""
    reorder_point: int = quantity(0, unit="unit", ge=0, le=2_000_000_000)
    """Stock on hand and on order that starts an order (r, s)."""
    lot: int = quantity(0, unit="unit", ge=0, le=2_000_000_000)
    """Size of a lot (Q)."""
    service: float = quantity(0.95, unit=SHARE, gt=0, lt=1)
    """Share of order cycles without a stock-out that the forecast rule aims at."""
    opening: int | None = quantity(None, unit="unit", ge=0, le=2_000_000_000)
    """Stock at the start; null for the level, or reorder_point + lot."""


class Node(Section):
    """A place that holds stock: a central warehouse, a platform's warehouse or a store."""

    kind: Literal["central", "platform", "store"] = "central"
    """Class of node (label); a store ships to online orders only if told to."""
    channels: tuple[Name, ...] = Field(default=(), max_length=30, strict=False)
    """Channels whose orders it serves first; none means all."""
    ships: bool | None = None
    """Whether it serves the other channels, too, where stock is pooled or virtual (ship from store); null: unless it
    is a store."""
    stock: dict[Name, StockRule] = Field(min_length=1, max_length=64)
    """Articles that it holds, each with its rule."""
    review_days: int = quantity(1, unit="day", ge=1, le=90)
    """Days between two orders."""
    delivery_days: int | None = quantity(None, unit="day", ge=0, le=60)
    """Days from here to the consumer; null for the channel's."""
    delivery_cost: Money | None = quantity(None, unit="currency/order", ge=0, le=1e5)
    """Cost of sending an order from here; null for supply.delivery_cost."""
    storage_cost: Money = quantity(0.0, unit="currency/unit/month", ge=0, le=1e5)
    """Cost of keeping a unit here for 30 days."""
    expedite_below: float = share(0.0)
    """Share of the level (or reorder point) under which stock on hand, with what comes in time, is ordered by express;
    0 for never."""
    catchment: float = quantity(0.0, unit="weight", ge=0, le=1e6)
    """Weight of consumers who live near and pick up here; 0 where nobody can."""


class Supplier(Section):
    """Who makes the articles."""

    lead_time: int = quantity(7, unit="day", ge=1, le=365)
    """Days from order to dispatch, at least."""
    delays: tuple[Share, ...] = Field(default=(1.0,), min_length=1, max_length=60, strict=False,
                                      json_schema_extra={"unit": SHARE})
    """Shares of deliveries that take 0, 1, 2, … days more; they sum to 1."""
    moq: int = quantity(1, unit="unit/order", ge=1, le=2_000_000_000)
    """Smallest order of an article by a node."""
    capacity: int | None = quantity(None, unit="unit/day", ge=0, le=2_000_000_000)
    """Units it takes orders for on one day; null for no limit."""
    order_cost: Money = quantity(0.0, unit="currency/order", ge=0, le=1e7)
    """Cost of an order of one article by one node."""
    freight: Money = quantity(0.0, unit="currency/unit", ge=0, le=1e6)
    """Freight, part of the landed cost of a unit."""
    duty: float = quantity(0.0, unit=SHARE, ge=0, le=10)
    """Duty on the cost of goods, part of the landed cost of a unit."""
    expedite_days: int = quantity(1, unit="day", ge=1, le=90)
    """Days until an express order arrives."""
    expedite_cost: Money = quantity(0.0, unit="currency/unit", ge=0, le=1e6)
    """Further cost of a unit that comes by express."""


class Route(Section):
    """A way from a supplier or node to a node.

    From a supplier: what the node orders comes this way. From a node that holds an article to one that no supplier
    reaches: the second is fed by the first. Between two nodes that are fed otherwise: what the first holds above its
    level is moved when the second is short.
    """

    source: Name
    """Supplier or node."""
    target: Name
    """Node."""
    lead_time: int = quantity(0, unit="day", ge=0, le=365)
    """Days on the way; between nodes, 0 arrives on the next morning."""
    cost: Money = quantity(0.0, unit="currency/unit", ge=0, le=1e6)
    """Cost of moving a unit."""


class Shortage(Section):
    """What an order line does that meets no stock; the shares of wait, switch and substitute sum to at most 1, the rest
    is lost. Who switches or substitutes tries once more at once. Lines of an order that are there are sold; a line of
    several does not switch and is lost instead."""

    wait: float = share(0.0)
    """Share that waits for stock."""
    switch: float = share(0.0)
    """Share that tries another channel which the consumer uses, by its repeat_weight."""
    substitute: float = share(0.0)
    """Share that tries another article of the channel, by its share of orders."""
    patience: int = quantity(14, unit="day", ge=1, le=60)
    """Days after which who waits gives up."""


class Pickup(Section):
    """Buy online, pick up in store: at the store near the consumer, if it has the article."""

    cost: Money = quantity(0.0, unit="currency/order", ge=0, le=1e5)
    """Cost of handing an order over, in place of delivery."""
    add_on: float = share(0.0)
    """Share of pickups that buy one more unit in the store, an order of the store's own channel."""
    share: float = share()
    """Share of orders on channels other than the store's own that are picked up where they can be."""


class Supply(Section):
    """Stock and delivery. Without `nodes`, one warehouse ships all orders and orders up to the articles' base_stock."""

    warehouse: Name = "central"
    """Name of the one warehouse."""
    unlimited: bool = False
    """true: stock never runs out anywhere, and nothing is ordered."""
    lead_time: int = quantity(7, unit="day", ge=1, le=365)
    """Days from order to receipt."""
    moq: int = quantity(1, unit="unit/order", ge=1, le=2_000_000_000)
    """Smallest order of an article."""
    review_days: int = quantity(1, unit="day", ge=1, le=90)
    """Days between two orders."""
    delivery_cost: Money = quantity(8.0, unit="currency/order", ge=0, le=1e5)
    """Cost of sending an order."""
    cutoff_hour: int = quantity(16, unit="hour", ge=0, le=24)
    """Orders paid later in the day leave on the next."""
    restock_days: int = quantity(7, unit="day", ge=1, le=90)
    """Days from a return to the shelf."""
    restock_share: float = share(0.8)
    """Share of returned units fit to be sold again."""
    nodes: dict[Name, Node] = Field(default={}, max_length=30)
    """Places that hold stock, by name; none for the one warehouse."""
    suppliers: dict[Name, Supplier] = Field(default={}, max_length=30)
    """Suppliers by name."""
    routes: tuple[Route, ...] = Field(default=(), max_length=400, strict=False)
    """Ways from suppliers to nodes and between nodes."""
    stock: Literal["pooled", "siloed", "virtual"] = "pooled"
    """Who may sell what: siloed, a channel only what stands in its own nodes; virtual, its own first, then all others
    that ship; pooled, all that ship, the cheapest delivery first."""
    sync_delay: int = quantity(0, unit="minute", ge=0, le=1440)
    """Minutes until channels see what the others have sold on the day: what they oversell meanwhile is cancelled."""
    tracking: bool = False
    """Whether consumers can follow their orders, which softens the mark that lateness leaves (brand.trust)."""
    shortage: Shortage = Shortage()
    """What an order line does that meets no stock."""
    pickup: Pickup | None = None
    """Pickup in stores, if there is any."""

    @property
    def places(self) -> list[str]:
        """Names of the places that hold stock, in the order of the file."""
        return list(self.nodes) or [self.warehouse]


Assortment = Annotated[tuple[Name, ...], Field(max_length=30, strict=False)]
