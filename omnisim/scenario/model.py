"""What a scenario may say: every field with its unit, range and meaning.

The text under a field is the text of the JSON Schema and of ``omnisim schema``. Times are days, rates are per
day unless the unit says otherwise, shares lie between 0 and 1, money is in the scenario's currency.
"""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SCHEMA_VERSION = 1

Kind = Literal["content", "marketplace", "live", "private", "store", "owned", "crossborder", "experimental"]
Role = Literal["seeding", "transaction", "user_operation", "brand_trust", "test"]
Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]
Currency = Literal["CNY", "USD", "EUR", "GBP", "HKD", "SGD", "AUD", "CAD", "MYR", "THB"]
Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]

MONEY = "currency"
SHARE = "share"


class Section(BaseModel):
    """A part of a scenario: frozen, and every key it does not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


def quantity(default: Any = ..., *, unit: str, ge: float | None = None, gt: float | None = None,
             le: float | None = None, lt: float | None = None) -> Any:
    """A number with its unit and range; no default means the file must give it."""
    return Field(default, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra={"unit": unit})


def share(default: Any = ...) -> Any:
    """A number between 0 and 1."""
    return quantity(default, unit=SHARE, ge=0, le=1)


class Horizon(Section):
    """When the reported days start and how many there are."""

    start: datetime.date = Field(default=datetime.date(2024, 6, 1))
    """First reported day."""
    days: int = quantity(365, unit="day", ge=1, le=3660)
    """Number of reported days."""
    warm_up: int = quantity(210, unit="day", ge=0, le=1830)
    """Unreported days before the start, run with today's plan; at least 210 to calibrate."""


class Segment(Section):
    """A group of consumers. Age, gender, region and interests label its rows; uses, affinity and spend act."""

    name: str = Field(min_length=1, max_length=64)
    """Name shown in tables, in any language."""
    share: float = share()
    """Share of the population; the shares of all segments sum to 1."""
    age: tuple[int, int] | None = Field(default=None, strict=False)
    """Youngest and oldest age (label)."""
    gender: Literal["female", "male", "all"] = "all"
    """Gender (label)."""
    region: str = Field(default="", max_length=64)
    """Region (label)."""
    interests: tuple[str, ...] = Field(default=(), strict=False)
    """Interests (label)."""
    affinity: float = quantity(1.0, unit="x", ge=0, le=100)
    """How much more than the average this group meets and seeks the brand."""
    spend: float = quantity(1.0, unit="x", gt=0, le=100)
    """Units per order relative to the channel's average."""
    uses: dict[Name, float] = Field(default={})
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

    preset: Name | None = None
    """Entry of the catalogue that fills the fields left out."""
    label: str = Field(default="", max_length=64)
    """Name shown in English tables."""
    label_zh: str = Field(default="", max_length=64)
    """Name shown in Chinese tables."""
    kind: Kind = "marketplace"
    """Class of channel."""
    role: Role = "transaction"
    """What the channel is there for."""
    active: bool = True
    """false: the channel is not simulated and changes nothing."""
    checkout: bool = True
    """Whether orders can be placed here; a seeding channel needs it to be true to sell."""
    reach: float = share()
    """Share of the population that uses the channel."""
    budget: float = quantity(0.0, unit="currency/day", ge=0, le=1e9)
    """Media spend a day today; 0 buys nothing."""
    search_share: float = share(0.0)
    """Part of the budget that bids on searches (cost per click); the rest buys impressions."""
    cpm: float = quantity(unit="currency/1000 impressions", gt=0, le=1e6)
    """Price of a thousand paid impressions."""
    cpc: float = quantity(unit="currency/click", gt=0, le=1e5)
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
    order_value: float = quantity(unit="currency/order", gt=0, le=1e7)
    """Mean value of an order before returns."""
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
    """Share of orders sent back."""
    delivery_days: int = quantity(3, unit="day", ge=0, le=60)
    """Days from the warehouse to the consumer."""
    annual_fee: float = quantity(0.0, unit="currency/year", ge=0, le=1e9)
    """Fixed fee of the platform."""
    content: float = quantity(0.0, unit="currency/day", ge=0, le=1e9)
    """Cost of making content."""
    labour: float = quantity(0.0, unit="currency/day", ge=0, le=1e9)
    """Cost of the channel's staff."""


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


class Product(Section):
    """One article (SKU)."""

    label: str = Field(default="", max_length=64)
    """Name shown in tables."""
    price: float = quantity(unit="currency/unit", gt=0, le=1e7)
    """Price to the consumer."""
    cost: float = quantity(unit="currency/unit", ge=0, le=1e7)
    """Cost of goods."""
    share: float = share()
    """Share of orders for this article; the shares of all products sum to 1."""
    base_stock: int = quantity(0, unit="unit", ge=0, le=2_000_000_000)
    """Order-up-to level; also the stock at the start."""


class Campaign(Section):
    """Days on which more (or fewer) people come."""

    name: str = Field(min_length=1, max_length=64)
    """Name of the campaign."""
    start: datetime.date
    """First day."""
    end: datetime.date
    """Last day, included."""
    factor: float | dict[Name, float] = 1.0
    """Multiplies visits of every origin and repurchase on these days; one number, or one a channel."""


class Calendar(Section):
    """Seasonality and campaigns. Factors multiply visits of every origin and the repurchase need."""

    weekday: tuple[float, ...] = Field(default=(1.0,) * 7, min_length=7, max_length=7, strict=False,
                                       json_schema_extra={"unit": "x"})
    """Seven factors, Monday first."""
    month: tuple[float, ...] = Field(default=(1.0,) * 12, min_length=12, max_length=12, strict=False,
                                     json_schema_extra={"unit": "x"})
    """Twelve factors, January first."""
    campaigns: tuple[Campaign, ...] = Field(default=(), max_length=200, strict=False)
    """Campaigns; factors of overlapping ones multiply."""


class Membership(Section):
    """The membership scheme."""

    join: float = share(0.2)
    """Share of delivered orders of non-members that join."""
    uplift: float = quantity(0.23, unit="relative", ge=0, le=10)
    """How much more often a member buys again."""
    member_day: int | None = quantity(8, unit="day of month", ge=1, le=28)
    """Day of the month with member offers; null for none."""
    member_day_factor: float = quantity(1.5, unit="x", ge=0, le=100)
    """Repurchase of members on that day."""
    benefit: float = share(0.01)
    """Cost of benefits, of members' order value."""


class Community(Section):
    """Private groups with seats, on one channel."""

    channel: Name
    """Channel that the groups live on."""
    seats: int = quantity(2500, unit="seat", ge=0, le=2_000_000_000)
    """Seats in all groups together; only people with a seat get messages."""
    members: int = quantity(0, unit="seat", ge=0, le=2_000_000_000)
    """Seats taken when the warm-up starts, by past customers."""
    push: float = quantity(0.06, unit="visit/member/day", ge=0, le=10)
    """Visits prompted by messages."""
    join_per_visit: float = share(0.01)
    """Share of visits by past customers without a seat that ask for one."""
    leave_per_week: float = share(0.03)
    """Members who mute or leave, in a week."""
    share_rate: float = share(0.15)
    """Share of members' visits that pass a link on."""
    readers: int = quantity(5, unit="reader/share", ge=0, le=20)
    """People who see a link passed on."""
    click: float = share(0.3)
    """Share of readers who open it, the next day."""
    share_reward: float = quantity(2.0, unit="currency/share", gt=0, le=1e5)
    """Price of a rewarded share; the channel's budget buys these."""
    touch: float = quantity(0.3, unit="relative", ge=0, le=10)
    """How much more often a person with a seat buys again."""
    flash_weekday: Weekday | None = "wednesday"
    """Day of the weekly flash sale; null for none."""
    flash_factor: float = quantity(1.5, unit="x", ge=0, le=100)
    """Repurchase of people with a seat on that day."""
    advocates: float = share(0.02)
    """Share of passed-on links whose sender turns advocate."""


class Referral(Section):
    """Customers who bring customers: invitations per new customer times acceptance is K, which must stay below 1."""

    share_rate: float = share(0.07)
    """Share of new customers who invite."""
    invitations: int = quantity(6, unit="invitation", ge=0, le=20)
    """Neighbours that each of them invites."""
    acceptance: float = share(0.067)
    """Share of invitations that end in a first order, the next day."""
    reward: float = quantity(0.0, unit="currency", ge=0, le=1e5)
    """Paid for each accepted invitation."""
    advocates: float = share(0.05)
    """Share of delivered repeat orders after which the customer speaks for the brand in public."""
    advocate_days: int = quantity(30, unit="day", ge=1, le=365)
    """How long."""
    audience: int = quantity(10, unit="neighbour", ge=0, le=20)
    """Neighbours that an advocate exposes, once."""
    persuasion: float = share(0.1)
    """Share of the remaining interest that this adds."""


class Service(Section):
    """The service desk."""

    consult_share: float = share(0.1)
    """Share of visits that ask."""
    capacity: int | None = quantity(None, unit="consultation/day", ge=0, le=2_000_000_000)
    """Consultations answered a day; null for no limit."""
    lift: float = quantity(0.16, unit="relative", ge=0, le=10)
    """How much likelier a visitor with an answer is to buy (odds)."""
    cost: float = quantity(0.5, unit="currency/consultation", ge=0, le=1e5)
    """Cost of an answer."""
    recovery: float = share(0.7)
    """Share of returns and complaints that end well."""
    resolution_days: int = quantity(3, unit="day", ge=1, le=90)
    """Days until it ends."""


class Interest(Section):
    """How interest in the brand is kept and what it does."""

    half_life_long: float = quantity(21.0, unit="day", gt=0, le=3650)
    """Half-life of the lasting part."""
    half_life_short: float = quantity(5.0, unit="day", gt=0, le=3650)
    """Half-life of the passing part."""
    slope: float = quantity(2.0, unit="logit", ge=0, le=20)
    """Log-odds of a first order that full interest adds."""
    threshold: float = quantity(0.1, unit=SHARE, gt=0, lt=1)
    """Interest from which a consumer counts as interested."""
    unaided: float = share(0.5)
    """Share of searches that find the brand without search ads (g0)."""


class Repurchase(Section):
    """Heterogeneous repurchase: BG/NBD (Fader, Hardie & Lee 2005) times multipliers."""

    rate_shape: float = quantity(0.2426, unit="1", ge=0.02, le=100)
    """Shape of the Gamma distribution of purchase rates (r)."""
    rate_scale: float = quantity(125.0, unit="day", gt=0, le=1e5)
    """Scale of it (α): the mean rate is r / α a day."""
    lapse_a: float = quantity(0.7929, unit="1", ge=0.02, le=1000)
    """First parameter of the Beta distribution of the lapse after a repeat order (a)."""
    lapse_b: float = quantity(2.4258, unit="1", ge=0.02, le=1000)
    """Second parameter (b): the mean lapse is a / (a + b)."""
    stay: float = share(0.6)
    """Share of repurchases that stay with the last channel."""
    interest_uplift: float = quantity(0.5, unit="relative", ge=0, le=10)
    """How much more often a fully interested customer buys again."""
    win_back: float = quantity(-0.7, unit="logit", ge=-20, le=20)
    """Log-odds of an order on a visit by a lapsed customer, beside a newcomer's."""
    dormant_after: int = quantity(180, unit="day", ge=1, le=3650)
    """Days without an order until a customer counts as dormant."""
    lost_after: int = quantity(365, unit="day", ge=1, le=3650)
    """Further days until a dormant customer counts as lost."""


class Loop(Section):
    """The four stages; false switches one off."""

    seed: bool = True
    """Exposures raise interest."""
    convert: bool = True
    """Visits end in first orders."""
    repurchase: bool = True
    """Customers buy again."""
    refer: bool = True
    """Customers bring others."""


class Brand(Section):
    """What the brand is on the first day."""

    age: float = quantity(3.0, unit="year", ge=0, le=30)
    """Years that the brand has sold before the warm-up."""
    new_customers: float = quantity(unit="customer/month", ge=0, le=1e9)
    """First orders a month in these years."""
    interest: Interest = Interest()
    """Interest in the brand."""
    repurchase: Repurchase = Repurchase()
    """Repurchase by customers."""
    loop: Loop = Loop()
    """Stages switched on."""


class Supply(Section):
    """One warehouse that ships all orders and orders up to a base stock."""

    warehouse: Name = "central"
    """Name of the warehouse."""
    unlimited: bool = False
    """true: stock never runs out, and nothing is ordered."""
    lead_time: int = quantity(7, unit="day", ge=1, le=365)
    """Days from order to receipt."""
    moq: int = quantity(1, unit="unit/order", ge=1, le=2_000_000_000)
    """Smallest order of an article."""
    review_days: int = quantity(1, unit="day", ge=1, le=90)
    """Days between two orders."""
    delivery_cost: float = quantity(8.0, unit="currency/order", ge=0, le=1e5)
    """Cost of sending an order."""
    holding_rate: float = quantity(0.25, unit="1/year", ge=0, le=10)
    """Cost of holding stock, of its cost of goods."""
    cutoff_hour: int = quantity(16, unit="hour", ge=0, le=24)
    """Orders paid later in the day leave on the next."""
    restock_days: int = quantity(7, unit="day", ge=1, le=90)
    """Days from a return to the shelf."""
    restock_share: float = share(0.8)
    """Share of returned units fit to be sold again."""


class PolicyChoice(Section):
    """Who decides while the days pass."""

    name: Literal["inertia"] = "inertia"
    """Named policy."""
    every: int = quantity(7, unit="day", ge=1, le=3660)
    """Days between two reviews."""


class Scenario(Section):
    """A brand, its market, channels and supply: everything that a run needs."""

    schema_version: Literal[1] = 1
    """Version of this file format."""
    name: str = Field(default="scenario", min_length=1, max_length=128)
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
    """Warehouse and supplier."""
    policy: PolicyChoice = PolicyChoice()
    """Who decides."""
