"""The books of a run: integer tallies in units and minor units of money (cents).

Everything a table shows is counted here while the days pass, so no table but the order lines grows with the
population. All counts are people, visits, orders and units of the real market: a scenario with
``population.scale`` k books k for each simulated event. Channels are in the scenario file's order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

MEASURES = (
    "visits",            # consumer-days with a visit
    "new_users",         # first visits in 60 days that register
    "orders",            # orders filled
    "gmv",               # cents paid, before returns
    "new_customers",     # first orders
    "unique_visitors",   # visits that are the consumer's first on the channel in the 30-day block
    "impressions",       # exposures
    "paid_impressions",  # of these, bought
    "clicks",            # visits that came straight from an exposure
    "searches",          # visits by interest
    "consultations",     # visits that asked the service desk
    "repeat_orders",     # orders by live customers
    "win_back_orders",   # orders by lapsed customers
    "referred_orders",   # first orders by invitation
    "lines",             # order lines filled
    "units",             # units filled
    "lost_orders",       # orders of which nothing was filled: they met no stock
    "lost_units",        # units of lines that met no stock
    "returned_lines",    # order lines sent back
    "joins",             # seats taken in the community on this channel
    "leaves",            # seats given up
    "budget",            # cents planned for media; what is not in `media` stayed unspent
    # signed profit-and-loss lines, cents: gmv plus all of them is profit
    "returns", "cost_of_goods", "commission", "payment_fee", "media", "content", "labour", "logistics", "service",
    "fixed",
)
"""Last axis of ``Books.daily`` and ``Books.groups``."""
MEASURE = {name: k for k, name in enumerate(MEASURES)}
LINES = MEASURES[MEASURE["returns"]:]
"""The profit-and-loss lines, in the order of the contract."""
GROUPS = 20
"""Groups of consumers for the jackknife (consumer number modulo 20)."""
STOCK = ("on_hand", "on_order", "demand", "filled", "lost", "backordered", "received", "returned")
"""Last axis of ``Books.stock``; on_hand and on_order as of midnight."""
SEGMENT = ("consumers", "visits", "orders", "gmv", "new_customers")
"""Last axis of ``Books.segments`` (reported days)."""
COHORT = ("active", "orders", "gmv")
"""Last axis of ``Books.cohorts``."""
ORIGINS = ("impression", "search", "direct", "revisit", "push", "follow", "link", "seed", "share", "need", "referral")
"""What led to a visit or an order; ``Books.orders.origin`` indexes this."""
TOUCHES = 6
"""Touches that a journey keeps: the first and the last five; one touch takes five bits (channel + 1)."""

ORDER_DTYPE = np.dtype([
    ("order_id", np.int64), ("consumer", np.int64), ("day", np.int32), ("minute", np.int32), ("channel", np.int32),
    ("origin", np.int32), ("sku", np.int32), ("quantity", np.int32), ("price", np.int64), ("discount", np.int64),
    ("margin", np.int64), ("delivered", np.int32), ("returned", np.int32), ("weight", np.int32),
    ("number", np.int16), ("node", np.int16), ("line", np.int16),
])
"""One order line; day counts from the first reported day, price is cents a unit, discount and margin cents of the
line; delivered is the day it reaches the consumer or -1 if that lies beyond the run, returned the day it comes back or
-1; weight is the number of orders that the line stands for; number says whether it is the consumer's first order,
second, … (255 and more as 255); node is the place that it came from; line numbers the lines of an order from 0, as
they were asked for.
"""
LEADS_PARCEL, LEADS_ORDER = 1, 2
"""What the arrival of a line is beside its own: that of a further parcel of its order, or of the order's first."""
FROM_ELSEWHERE = 255
"""Ordinal of an order that was placed on another channel than it was filled on."""

PARCEL = np.dtype([
    ("order_id", np.int64), ("consumer", np.uint32), ("quantity", np.int32), ("day", np.int16), ("arrives", np.int16),
    ("minute", np.int16), ("channel", np.uint8), ("sku", np.uint8), ("number", np.uint8), ("returned", np.uint8),
    ("way", np.uint8),      # by which it comes (`scenario.network`)
    ("late", np.uint8),     # days later than promised
    ("waited", np.uint8),   # days between the order and `day`
    ("ordinal", np.uint8),  # tells the orders of a consumer, channel and day apart
    ("line", np.uint8),     # number of the line in its order, from 0
    ("leads", np.uint8),    # 0 if it lies in the parcel of another line
])
"""One order line on its way; day and minute are when it was settled, arrives is the day it reaches the consumer,
returned is 1 if it comes back then."""
CLAIM = np.dtype([
    ("units", np.int64), ("uses", np.uint32), ("react", np.uint32), ("choose", np.uint32), ("collect", np.uint32),
    ("near", np.uint32), ("minute", np.int16), ("channel", np.uint8), ("sku", np.uint8),
    ("line", np.uint8), ("more", np.uint8)])
"""An order line as supply sees it, with its number in the order and how many more follow: which channels the consumer
uses (a bit each), and luck in 32-bit words: what a shortage leads to, which channel or article instead, whether the
order is picked up, and which store is near."""

LOST, CANCELLED, WAITS, FILLED = range(4)
"""What becomes of an order line: it meets no stock, is taken and cancelled (oversold), waits, or is filled; an order
fares as the best of its lines."""
VERDICT = np.dtype([("fate", np.uint8), ("way", np.uint8), ("channel", np.uint8), ("sku", np.uint8),
                    ("waited", np.uint8)])
"""What supply decides about an order line: its fate, by which way it comes, the channel and article in the end, and
days waited before."""

MOVES = (
    "ordered",       # units ordered from suppliers
    "expedited",     # of these, by express
    "sent",          # units sent to other nodes
    "shipped_late",  # units that had waited
    "given_up",      # units that waited in vain
    "waiting",       # units that wait at midnight
    "oversold",      # of the units lost, those taken and cancelled
    "switched",      # of the units lost here, those bought on another channel instead
    "substituted",   # of the units lost here, those bought as another article
    "picked_up",     # of the units filled, those picked up in the store
    "added",         # units bought in the store on the way
    "expired",       # units thrown away after their shelf life
)
"""Last axis of ``Books.moves``."""
HOUR = ("visits", "orders", "cancelled")
"""Last axis of ``Books.hours``."""
LATEST = 64
"""Days after which every parcel has arrived."""


@dataclass
class Books:
    """What a run counted. Days are all simulated days; the first ``warm_up`` of them are not reported.

    Parameters
    ----------
    warm_up, days : int [day]  simulated days before and from the first reported day
    daily : int64 (warm_up + days, channels, measures)
    groups : int64 (GROUPS, channels, measures)  sums over the reported days by consumer group; lines that belong to
        no consumer (media, content, labour, fixed) are 0 here, but rewards of members count
    group_unique : int64 (GROUPS, channels)  visitors of whole 30-day blocks of the reported days
    stages : int64 (warm_up + days, 16)  people by stage at midnight
    transitions : int64 (warm_up + days, 39)
    flows : int64 (channels, channels, 2)  visits and orders led from row to column by `flows`, reported days
    paths : uint32 (p,), path_counts : int64 (p, 3)  journeys and how many ended, orders, cents (reported days)
    cohort_first : int [month]  calendar month (year * 12 + month - 1) of the first cohort row
    buyers : int64 (cohorts,)  customers by month of first order
    cohorts : int64 (cohorts, ages, 3)  by month of first order and months since
    second : int64 (s, 3)  day of first order (from the first reported day), days to the second or -1 where there was
        none, customers: for the repeat rate
    stock : int64 (warm_up + days, nodes, skus, 8)
    segments : int64 (segments, 5)
    orders : ORDER_DTYPE (o,)  order lines of the reported days, sampled by consumer above a million
    decisions : list of {day, policy, saw, changed}
    moves : int64 (warm_up + days, nodes, skus, 12)  what the back end did
    first_seats : int  seats taken on the first simulated morning
    live_days : int64 (l,), hours : int64 (l, channels, 24, 3)  reported days with broadcasts, hour by hour
    """

    warm_up: int
    days: int
    daily: Ints
    groups: Ints
    group_unique: Ints
    stages: Ints
    transitions: Ints
    flows: Ints
    paths: NDArray[np.uint32]
    path_counts: Ints
    cohort_first: int
    buyers: Ints
    cohorts: Ints
    second: Ints
    stock: Ints
    segments: Ints
    orders: NDArray[np.void]
    decisions: list[dict[str, object]] = field(default_factory=list)
    moves: Ints = field(default_factory=lambda: np.zeros((0, 1, 1, len(MOVES)), np.int64))
    live_days: Ints = field(default_factory=lambda: np.zeros(0, np.int64))
    hours: Ints = field(default_factory=lambda: np.zeros((0, 1, 24, len(HOUR)), np.int64))
    first_seats: int = 0
