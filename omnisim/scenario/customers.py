"""The customer side of a scenario: membership, community, referral, service, and what the brand is on day one."""

from __future__ import annotations

from typing import Literal

from omnisim.scenario.fields import SHARE, Money, Name, Section, quantity, share

Weekday = Literal["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


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
    share_reward: Money = quantity(2.0, unit="currency/share", gt=0, le=1e5)
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
    reward: Money = quantity(0.0, unit="currency", ge=0, le=1e5)
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
    cost: Money = quantity(0.5, unit="currency/consultation", ge=0, le=1e5)
    """Cost of an answer."""
    recovery: float = share(0.7)
    """Share of returns and complaints that end well."""
    resolution_days: int = quantity(3, unit="day", ge=1, le=90)
    """Days until it ends."""


class Interest(Section):
    """How interest in the brand is kept and what it does."""

    half_life_long: float = quantity(21.0, unit="day", gt=0, le=365)
    """Half-life of the lasting part."""
    half_life_short: float = quantity(5.0, unit="day", gt=0, le=365)
    """Half-life of the passing part."""
    slope: float = quantity(2.0, unit="logit", ge=0, le=20)
    """Log-odds of a first order that full interest adds."""
    threshold: float = quantity(0.1, unit=SHARE, gt=0, lt=1)
    """Interest from which a consumer counts as interested."""
    unaided: float = quantity(0.5, unit=SHARE, gt=0, le=1)
    """Share of searches that find the brand without search ads (g0)."""


class Repurchase(Section):
    """Heterogeneous repurchase: BG/NBD (Fader, Hardie & Lee 2005) times multipliers."""

    rate_shape: float = quantity(0.2426, unit="1", ge=0.02, le=100)
    """Shape of the Gamma distribution of purchase rates (r)."""
    rate_scale: float = quantity(125.0, unit="day", ge=0.01, le=1e5)
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


class Trust(Section):
    """What bad service leaves with a consumer: a mark between 0 and 1 that fades.

    A mark of m on a consumer with mark x makes it x + m (1 - x).
    """

    lost: float = share(0.0)
    """Mark of an order of which a line met no stock."""
    cancelled: float = share(0.0)
    """Mark of an order of which a line was taken and then cancelled (oversold)."""
    late: float = share(0.0)
    """Mark of a day that a delivery is later than the channel's delivery_days."""
    tracking: float = share(0.5)
    """Share of the mark of lateness that tracking takes away."""
    half_life: float = quantity(60.0, unit="day", gt=0, le=365)
    """Half-life of the mark."""
    odds: float = quantity(2.0, unit="logit", ge=0, le=20)
    """Log-odds of an order on a visit that a full mark takes away."""
    need: float = share(0.5)
    """Share of repurchase needs that a full mark takes away."""

    @property
    def matters(self) -> bool:
        """Whether anything leaves a mark."""
        return self.lost > 0 or self.cancelled > 0 or self.late > 0


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
    trust: Trust = Trust()
    """What stock-outs and late deliveries leave with consumers."""
    loop: Loop = Loop()
    """Stages switched on."""
