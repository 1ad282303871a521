"""The market side of a scenario: consumers, channels, the flows between them, and the calendar."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Discriminator, Field, Tag, model_validator

from omnisim.scenario import catalogue
from omnisim.scenario.fields import Date, Factor, Money, Name, Section, Share, Text, quantity, refuse, share

Kind = Literal["content", "marketplace", "live", "private", "store", "owned", "crossborder", "experimental"]
Role = Literal["seeding", "transaction", "user_operation", "brand_trust", "test"]
Age = Annotated[int, Field(ge=0, le=120)]


def _known(preset: str) -> str:
    if preset not in catalogue.presets():
        raise refuse("is no preset of the catalogue", catalogue.hint(preset))
    return preset


Preset = Annotated[Name, AfterValidator(_known)]


class Segment(Section):
    """A group of consumers. Age, gender, region and interests label its rows; uses, affinity and spend act."""

    name: Text = Field(min_length=1, max_length=64)
    """Name shown in tables, in any language."""
    share: float = share()
    """Share of the population; the shares of all segments sum to 1."""
    age: tuple[Age, Age] | None = Field(default=None, strict=False)
    """Youngest and oldest age (label)."""
    gender: Literal["female", "male", "all"] = "all"
    """Gender (label)."""
    region: Text = Field(default="", max_length=64)
    """Region (label)."""
    interests: tuple[Annotated[Text, Field(max_length=64)], ...] = Field(default=(), max_length=50, strict=False)
    """Interests (label)."""
    affinity: float = quantity(1.0, unit="x", ge=0, le=100)
    """How much more than the average this group meets and seeks the brand."""
    spend: float = quantity(1.0, unit="x", gt=0, le=100)
    """Units per order relative to the channel's average."""
    uses: dict[Name, Share] = Field(default={})
    """Reach of single channels in this group where it differs from the channel's own reach (share)."""


class Population(Section):
    """The market: everybody who might buy."""

    size: int = quantity(1_000_000, unit="consumer", ge=1_000, le=200_000_000)
    """Number of simulated consumers."""
    scale: int = quantity(1, unit="people", ge=1, le=10_000)
    """People that one simulated consumer stands for; above 1 only with unlimited stock and service."""
    renewal: float = quantity(0.04, unit="share/year", ge=0, le=1)
    """Consumers who leave the market and are replaced by newcomers, in a year."""
    affinity_shape: float = quantity(0.3, unit="1", ge=0.05, le=50)
    """Shape of the Gamma distribution of affinity (mean 1): the smaller, the fewer people make most visits."""
    overlap: float = share(0.6)
    """Correlation between the uses of two platforms."""
    segments: tuple[Segment, ...] = Field(default=(Segment(name="everybody", share=1.0),), min_length=1, max_length=50,
                                          strict=False)
    """Groups of consumers."""


class Channel(Section):
    """One channel. With `preset`, fields left out come from the catalogue."""

    preset: Preset | None = None
    """Entry of the catalogue that fills the fields left out."""
    label: Text = Field(default="", max_length=64)
    """Name shown in English tables."""
    label_zh: Text = Field(default="", max_length=64)
    """Name shown in Chinese tables."""
    kind: Kind = "marketplace"
    """Class of channel."""
    role: Role = "transaction"
    """What the channel is there for."""
    active: bool = True
    """false: the channel is not simulated and changes nothing."""
    checkout: bool = True
    """Whether orders can be placed here; left out, true except for a seeding channel."""
    reach: float = share()
    """Share of the population that uses the channel."""
    budget: Money = quantity(0.0, unit="currency/day", ge=0, le=1e9)
    """Media spend a day today; 0 buys nothing."""
    search_share: float = share(0.0)
    """Part of the budget that bids on searches (cost per click); the rest buys impressions."""
    cpm: Money = quantity(unit="currency/1000 impressions", gt=0, le=1e6)
    """Price of a thousand paid impressions."""
    cpc: Money = quantity(unit="currency/click", gt=0, le=1e5)
    """Price of a paid search click."""
    organic_impressions: float = quantity(0.0, unit="impression/day", ge=0, le=1e12)
    """Impressions a day that cost nothing."""
    click_share: float = share()
    """Share of exposures that click through to a visit."""
    persuasion: float = share()
    """Share of the remaining interest that one exposure adds (q)."""
    direct: float = quantity(unit="visit/consumer/day", ge=0, le=10)
    """Visits without any prompt by a consumer of affinity 1 (o)."""
    follow: float = quantity(0.0, unit="visit/customer/day", ge=0, le=10)
    """Further visits by past customers who follow the channel."""
    search: float = quantity(unit="visit/consumer/day", ge=0, le=10)
    """Searches by a fully interested consumer (s)."""
    revisit: float = quantity(unit="visit/day", ge=0, le=10)
    """Return visits right after a visit, halving every 4 days (b)."""
    intercept: float = quantity(unit="logit", ge=-20, le=10)
    """Log-odds that a visit by somebody without interest ends in a first order."""
    order_value: Money = quantity(unit="currency/order", gt=0, le=1e7)
    """Mean value of an order before returns, all its lines together."""
    registration: float = share()
    """Share of first visits in 60 days that register as a new user."""
    repeat_weight: float = quantity(unit="weight", ge=0, le=1e6)
    """Weight of the channel when a repurchase does not stay with the last channel."""
    commission: float = share(0.0)
    """Platform commission, of order value."""
    host_commission: float = share(0.0)
    """Host's commission, of order value."""
    payment_fee: float = share(0.0)
    """Payment fee, of order value."""
    return_rate: float = share(0.0)
    """Share of order lines sent back."""
    delivery_days: int = quantity(3, unit="day", ge=0, le=60)
    """Days from the warehouse to the consumer."""
    annual_fee: Money = quantity(0.0, unit="currency/year", ge=0, le=1e9)
    """Fixed fee of the platform."""
    content: Money = quantity(0.0, unit="currency/day", ge=0, le=1e9)
    """Cost of making content."""
    labour: Money = quantity(0.0, unit="currency/day", ge=0, le=1e9)
    """Cost of the channel's staff."""

    @model_validator(mode="before")
    @classmethod
    def _fill(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        if not isinstance(data.get("preset"), str):
            return {"checkout": data.get("role") != "seeding", **data}
        presets = catalogue.presets()
        # An unknown preset is refused by its own field: the first one stands in, so that nothing else is reported.
        name = data["preset"] if data["preset"] in presets else next(iter(presets))
        return {**catalogue.channel_fields(name), **data}


class Flow(Section):
    """People whom one channel leads to another.

    link: share of the visitors of a month on `source` who go on to `target` (product card, order link).
    seed: share of those newly interested by `source` who look the brand up on `target` the same day.
    code: share of delivered orders of `source` that scan the parcel code and ask for a seat in the community `target`.
    enrol: share of delivered orders of `source` that join the membership (beyond `membership.join`).
    """

    source: Name
    """Channel the people come from."""
    target: Name
    """Channel they go to; `membership` for an enrol flow."""
    kind: Literal["link", "seed", "code", "enrol"]
    """How they get there."""
    rate: float = share()
    """Share of the people concerned."""


class Campaign(Section):
    """Days on which more (or fewer) people come."""

    name: Text = Field(min_length=1, max_length=64)
    """Name of the campaign."""
    start: Date
    """First day."""
    end: Date
    """Last day, included."""
    factor: Annotated[
        Annotated[Factor, Tag("(one)")] | Annotated[dict[Name, Factor], Tag("(each)")],
        Discriminator(lambda value: "(each)" if isinstance(value, dict) else "(one)"),
    ] = 1.0
    """Multiplies visits and repurchase on these days; one number, or one a channel. Who follows a link, a code or an
    invitation comes all the same."""


class LiveWindow(Section):
    """A live broadcast: a burst of demand on one channel, minute by minute."""

    name: Text = Field(min_length=1, max_length=64)
    """Name of the broadcast."""
    channel: Name
    """Channel it runs on."""
    date: Date
    """Day."""
    hour: int = quantity(20, unit="hour", ge=0, le=23)
    """Hour in which it starts."""
    minutes: int = quantity(120, unit="minute", ge=1, le=1440)
    """How long it runs; it ends before midnight."""
    factor: Factor = 1.0
    """Multiplies visits and repurchase on the channel that day, but for visits by links."""
    share: float = share(0.8)
    """Share of the channel's visits and orders of that day that fall into the broadcast, evenly."""


class Calendar(Section):
    """Seasonality and campaigns. Factors multiply visits, but for those by links, and the repurchase need."""

    weekday: tuple[Factor, ...] = Field(default=(1.0,) * 7, min_length=7, max_length=7, strict=False,
                                       json_schema_extra={"unit": "x"})
    """Seven factors, Monday first."""
    month: tuple[Factor, ...] = Field(default=(1.0,) * 12, min_length=12, max_length=12, strict=False,
                                     json_schema_extra={"unit": "x"})
    """Twelve factors, January first."""
    campaigns: tuple[Campaign, ...] = Field(default=(), max_length=200, strict=False)
    """Campaigns; factors of overlapping ones multiply."""
    live: tuple[LiveWindow, ...] = Field(default=(), max_length=400, strict=False)
    """Live broadcasts; their factors multiply, too."""
