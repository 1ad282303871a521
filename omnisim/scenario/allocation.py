"""What an allocation needs: response curves of channels, and the limits that a budget plan keeps.

Money is a day, as everywhere in a scenario. With curves alone (no scenario) the same limits hold with a period in the
place of a day.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from omnisim.scenario.fields import Date, Money, Section, Text, quantity, share

ChannelName = Annotated[Text, Field(min_length=1, max_length=64)]
Form = Literal["hill", "power", "exponential"]
Sense = Literal["<=", ">=", "=="]
DailyMoney = Annotated[Money, Field(ge=0, le=1e9, json_schema_extra={"unit": "currency/day"})]


class Curve(Section):
    """What a channel's spend brings, at a spend that is the same every day."""

    form: Form = "hill"
    """Formula, with s the daily spend: hill scale · s^shape / (half^shape + s^shape), power scale · (s / half)^shape,
    exponential scale · (1 − exp(−s / half))."""
    scale: float = quantity(unit="response/day", gt=0, le=1e12)
    """Most that any spend brings (hill, exponential); what `half` brings (power)."""
    half: float = quantity(unit="currency/day", gt=0, le=1e12)
    """Daily spend at which a hill curve reaches half of its scale; the unit of spend of the other two."""
    shape: float = quantity(1.0, unit="1", ge=0.01, le=20)
    """Exponent; a hill curve above 1 is S-shaped, a power curve is at most 1."""
    carryover: float = quantity(0.0, unit="share/week", ge=0, lt=1)
    """Share of the advertising pressure that is left after a week."""
    doubling: float | None = quantity(None, unit="currency/day", gt=0, le=1e12)
    """Daily spend at which the next exposure costs twice as much as the first: its price is √(1 + 3 s / doubling) times
    the first's, and s in form stands for the exposure bought, 2 s / (1 + √(1 + 3 s / doubling)). Left out: the price
    does not rise."""
    margin: float | None = quantity(None, unit="currency/response", ge=0, le=1e9)
    """Profit before media of one unit of response; the shelf's contribution per yuan of GMV where left out."""
    equity: float | None = quantity(None, unit="currency/response", ge=0, le=1e9)
    """Residual lifetime value that one unit of response leaves behind, beyond its margin."""
    awareness: float | None = quantity(None, unit="1/response", ge=0, le=1e9)
    """People who come to know the brand by one unit of response."""
    loyalty: float | None = quantity(None, unit="1/response", ge=0, le=1e9)
    """People who become loyal by one unit of response."""
    customers: float | None = quantity(None, unit="customer/response", ge=0, le=1e9)
    """New customers in one unit of response, for limits on the cost per customer."""


class ChannelLimit(Section):
    """Limits of one channel."""

    floor: Money | None = quantity(None, unit="currency/day", ge=0, le=1e9)
    """Least spend in each period."""
    cap: Money | None = quantity(None, unit="currency/day", ge=0, le=1e9)
    """Most spend in each period."""
    low: float | None = quantity(None, unit="x", ge=0, le=1e6)
    """Least spend in each period, as a multiple of today's."""
    high: float | None = quantity(None, unit="x", ge=0, le=1e6)
    """Most spend in each period, as a multiple of today's."""
    inventory: Money | None = quantity(None, unit="currency/day", ge=0, le=1e9)
    """Media that is on sale at all: nothing beyond it can be bought."""
    opens: Date | None = None
    """First day on which the channel can be used; nothing is spent in periods that begin earlier."""
    opens_in: int | None = quantity(None, unit="period", ge=0, le=3660)
    """As opens, counted in periods from 0."""
    opening_cost: Money = quantity(0.0, unit="currency", ge=0, le=1e12)
    """Paid once out of the budget if anything is spent on the channel."""
    roi: float | None = quantity(None, unit="response/currency", gt=0, le=1e9)
    """Least response per yuan over all periods."""
    cac: float | None = quantity(None, unit="currency/customer", gt=0, le=1e9)
    """Most cost per new customer over all periods."""
    hours: float = quantity(0.0, unit="hour/1,000 currency", ge=0, le=1e9)
    """Labour that 1,000 yuan of spend need."""


class Group(Section):
    """Share of the spend of all periods that a group of channels gets, as 60/30/10."""

    name: Text = Field(min_length=1, max_length=64)
    """Name of the group."""
    channels: tuple[ChannelName, ...] = Field(min_length=1, max_length=200, strict=False)
    """Its channels."""
    low: float = share(0.0)
    """Least share."""
    high: float = share(1.0)
    """Most share; the same as low for a fixed one."""


class Ratio(Section):
    """Spend of one channel against that of another, over all periods."""

    channel: ChannelName
    """The one."""
    to: ChannelName
    """The other."""
    low: float = quantity(0.0, unit="x", ge=0, le=1e6)
    """Least multiple of the other's spend."""
    high: float | None = quantity(None, unit="x", ge=0, le=1e6)
    """Most multiple of the other's spend."""


class Cash(Section):
    """Money on hand: what is spent must have been there or come in before."""

    opening: Money = quantity(unit="currency", ge=0, le=1e12)
    """On hand before the first period."""
    share: float = quantity(1.0, unit="currency/response", ge=0, le=1e6)
    """Cash that one unit of response brings in."""
    delay: int = quantity(1, unit="period", ge=0, le=3660)
    """Periods until it comes in."""


class StockLimit(Section):
    """Goods on hand: response beyond them cannot be served and is not bought."""

    available: float = quantity(unit="unit", ge=0, le=1e12)
    """Units for all periods together."""
    units: float = quantity(unit="unit/response", gt=0, le=1e9)
    """Units that one unit of response takes."""


class LimitRow(Section):
    """One term of a linear limit of your own: Σ coefficient · spend (sense) value; terms with the same limit add up."""

    limit: Text = Field(min_length=1, max_length=64)
    """Name of the limit."""
    channel: ChannelName | None = None
    """Channel of the term; every channel where left out."""
    period: int | None = quantity(None, unit="period", ge=0, le=3660)
    """Period of the term, counted from 0; every period where left out."""
    coefficient: float = quantity(1.0, unit="1/currency", ge=-1e15, le=1e15)
    """Factor of the spend in the period."""
    sense: Sense = "<="
    """<=, >= or ==."""
    value: float = quantity(unit="1", ge=-1e15, le=1e15)
    """What the sum is held against; the same in all terms of a limit."""


class Limits(Section):
    """What a budget plan keeps to."""

    period: int = quantity(7, unit="day", ge=1, le=366)
    """Days of a period of the plan: 1 a day, 7 a week, 30 a month."""
    budget: Money | None = quantity(None, unit="currency/day", ge=0, le=1e10)
    """Total of all channels, on average over all periods; today's where left out."""
    spend_all: bool = False
    """true: the budget is spent to the last cent, even where that brings less than it costs."""
    period_budgets: tuple[DailyMoney, ...] = Field(default=(), max_length=3660, strict=False)
    """Most for all channels together, one figure a period."""
    channels: dict[ChannelName, ChannelLimit] = Field(default={}, max_length=200)
    """Limits by channel."""
    groups: tuple[Group, ...] = Field(default=(), max_length=50, strict=False)
    """Shares of groups of channels."""
    ratios: tuple[Ratio, ...] = Field(default=(), max_length=200, strict=False)
    """Channels against each other."""
    step: float | None = quantity(None, unit="relative", ge=0, le=1e6)
    """Most change of each channel and period against today's spend: 0.3 allows 70 % to 130 %."""
    ramp: float | None = quantity(None, unit="relative", ge=0, le=1e6)
    """Most change of a channel from one period to the next: 0.2 allows 80 % to 120 % of the one before."""
    roi: float | None = quantity(None, unit="response/currency", gt=0, le=1e9)
    """Least response per yuan of all channels together."""
    cac: float | None = quantity(None, unit="currency/customer", gt=0, le=1e9)
    """Most cost per new customer of all channels together."""
    hours: float | None = quantity(None, unit="hour/day", ge=0, le=1e9)
    """Labour on hand in each period; channels say what 1,000 yuan need."""
    cash: Cash | None = None
    """Cash flow."""
    stock: StockLimit | None = None
    """Goods on hand."""
    max_core: int | None = quantity(None, unit="channel", ge=0, le=200)
    """Most channels that get more than core_share of the budget."""
    core_share: float = share(0.1)
    """Share of the budget above which a channel is a core channel."""
    rows: tuple[LimitRow, ...] = Field(default=(), max_length=10_000, strict=False)
    """Limits of your own; spend in them is of a whole period."""
