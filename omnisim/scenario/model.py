"""What a scenario may say: every field with its unit, range and meaning.

The text under a field is the text of the JSON Schema and of ``omnisim schema``. Times are days, rates are per
day unless the unit says otherwise, shares lie between 0 and 1, money is in the scenario's currency. The market
and customer sections live in their own files; all names are importable from here.
"""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import Field, model_validator

from omnisim.errors import ScenarioError
from omnisim.scenario.allocation import ChannelLimit, Curve, Limits
from omnisim.scenario.customers import (
    Brand,
    Community,
    Interest,
    Loop,
    Membership,
    Referral,
    Repurchase,
    Service,
    Trust,
    Weekday,
)
from omnisim.scenario.fields import (
    LONGEST_HORIZON,
    Cadence,
    Date,
    Money,
    Name,
    Section,
    Share,
    Text,
    Version,
    quantity,
    share,
)
from omnisim.scenario.market import Calendar, Campaign, Channel, Flow, Kind, LiveWindow, Population, Role, Segment
from omnisim.scenario.supply import Assortment, Node, Pickup, Route, Shortage, StockRule, Supplier, Supply

if TYPE_CHECKING:
    from omnisim.scenario.assumptions import Assumption

__all__ = [
    "SCHEMA_VERSION", "Brand", "Calendar", "Campaign", "Channel", "ChannelLimit", "Community", "Currency", "Curve",
    "Flow", "Horizon", "Interest", "Kind", "Limits", "LiveWindow", "Loop", "Membership", "Node", "Pickup",
    "PolicyChoice", "Population", "Product", "Referral", "Repurchase", "Role", "Route", "Scenario", "Section",
    "Segment", "Service", "Shortage", "StockRule", "Supplier", "Supply", "Trust", "Weekday",
]

SCHEMA_VERSION = 1
MOST_ALONG = 3
"""Articles that an order may take along: a basket has four lines at most."""

Currency = Literal["CNY", "USD", "EUR", "GBP", "HKD", "SGD", "AUD", "CAD", "MYR", "THB"]


class Horizon(Section):
    """When the reported days start and how many there are."""

    start: Date = datetime.date(2024, 6, 1)
    """First reported day."""
    days: int = quantity(365, unit="day", ge=1, le=LONGEST_HORIZON)
    """Number of reported days."""
    warm_up: int = quantity(210, unit="day", ge=0, le=1830)
    """Unreported days before the start, run with today's plan; at least 210 to calibrate."""


class Product(Section):
    """One article (SKU)."""

    label: Text = Field(default="", max_length=64)
    """Name shown in tables."""
    price: Money = quantity(unit="currency/unit", gt=0, le=1e7)
    """Price to the consumer."""
    cost: Money = quantity(unit="currency/unit", ge=0, le=1e7)
    """Cost of goods."""
    share: float = share()
    """Share of orders that begin with this article; the shares of all products sum to 1."""
    basket: dict[Name, Share] = Field(default={}, max_length=MOST_ALONG)
    """Articles that orders which begin with this one take along, where their channel sells them, each with its share of
    these orders (attach rate)."""
    base_stock: int = quantity(0, unit="unit", ge=0, le=2_000_000_000)
    """Order-up-to level of the one warehouse; also the stock at the start."""
    channels: Assortment = ()
    """Channels that sell it; none means all."""
    supplier: Name | None = None
    """Who makes it; null for the first of supply.suppliers."""
    shelf_life: int | None = quantity(None, unit="day", ge=1, le=3650)
    """Days from receipt after which a unit is thrown away, the oldest sold first; stock at the start came the day
    before; null for ever."""


class PolicyChoice(Section):
    """Who decides while the days pass, how often, on what data."""

    name: Literal["inertia", "equal", "roi", "last_click", "60/30/10", "ranking", "pause", "bandit", "lp_once",
                  "lp_rolling", "stock_rolling", "reference"] = "inertia"
    """Named policy."""
    every: Cadence = Field(default=7, json_schema_extra={"unit": "day"})
    """Days between two reviews, the first of them on the first reported day; never for that one alone."""
    delay: int = quantity(0, unit="day", ge=0, le=366)
    """Days from a decision until it takes hold."""
    cost: Money = quantity(0.0, unit="currency/review", ge=0, le=1e9)
    """Cost of a review, booked as labour of all channels alike."""
    data_delay: int = quantity(0, unit="day", ge=0, le=366)
    """Days until what happened stands in the tables that a review looks at."""
    rights: Literal["all", "own"] = "all"
    """all: one team sees every channel and moves money between them. own: each channel has a team of its own that sees
    this channel alone and decides about its budget alone."""
    integrated: Date | None = None
    """With own: first day on which everybody sees all."""
    integration_cost: Money = quantity(0.0, unit="currency", ge=0, le=1e12)
    """Paid on that day, booked as labour of all channels alike."""


class Scenario(Section):
    """A brand, its market, channels and supply: everything that a run needs."""

    schema_version: Version = 1
    """Version of this file format."""
    name: Text = Field(default="scenario", min_length=1, max_length=128)
    """Name of the scenario."""
    language: Literal["en", "zh"] = "en"
    """Language of tables, summaries and plots."""
    currency: Currency = "CNY"
    """Currency of all money."""
    horizon: Horizon = Horizon()
    """Days to simulate."""
    population: Population = Population()
    """The market."""
    channels: dict[Name, Channel] = Field(min_length=1, max_length=30)
    """Channels by name."""
    flows: tuple[Flow, ...] = Field(default=(), max_length=200, strict=False)
    """People whom channels lead to each other."""
    products: dict[Name, Product] = Field(min_length=1, max_length=64)
    """Articles by SKU."""
    calendar: Calendar = Calendar()
    """Seasonality and campaigns."""
    membership: Membership | None = None
    """Membership scheme, if there is one."""
    community: Community | None = None
    """Private groups, if there are any."""
    referral: Referral | None = None
    """Referral, if there is any."""
    service: Service = Service()
    """Service desk."""
    brand: Brand
    """What the brand is on the first day."""
    supply: Supply = Supply()
    """Stock, suppliers and delivery."""
    curves: dict[Name, Curve] = Field(default={}, max_length=30)
    """What spending on each channel brings; channels without a curve keep their budget."""
    limits: Limits = Limits()
    """What a budget plan keeps to."""
    policy: PolicyChoice = PolicyChoice()
    """Who decides."""

    @model_validator(mode="after")
    def _consistent(self) -> Scenario:
        from omnisim.scenario.check import contradictions

        if faults := contradictions(self):
            raise ScenarioError(*faults)
        return self

    @property
    def hash(self) -> str:
        """SHA-256 of the resolved content; key order, comments and line ends of the file don't matter."""
        from omnisim.scenario.write import digest

        return digest(self.to_dict())

    def to_dict(self) -> dict[str, Any]:
        """The resolved content as plain mappings, lists, numbers and text (dates as ISO text)."""
        return self.model_dump(mode="json")

    def with_(self, changes: Mapping[str, object]) -> Scenario:
        """The scenario with single values changed; everything is checked as if read from a file.

        Parameters
        ----------
        changes : mapping of str to object  dotted path -> new value, as {"channels.douyin.budget": 2000}; list
            items by index, as "population.segments.0.share"; a mapping or list replaces the whole section. A new
            ``preset`` replaces the values that the old one gave.

        Raises
        ------
        ScenarioError  all faults at once: unknown paths (with a suggestion), wrong values, contradictions
        """
        from omnisim.scenario.edit import change

        return change(self, changes)

    def save(self, path: str | Path) -> None:
        """Write the resolved scenario as YAML, whole or not at all; reading it again gives the same hash.

        Raises
        ------
        StorageError  where the file cannot be written
        """
        from omnisim.scenario.write import replace_file, to_yaml

        replace_file(path, to_yaml(self.to_dict()))

    def assumptions(self) -> list[Assumption]:
        """Values that rest on the catalogue and not on the brand's own figures, with range, flag and source."""
        from omnisim.scenario.assumptions import assumptions

        return assumptions(self)
