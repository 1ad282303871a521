"""The evening of one part of the population: settled orders take effect, parcels leave and arrive.

Where stock is endless nobody waits for anybody, and `pass_day` takes a part from morning to night in one go: between
two kernels the interpreter costs more than the evening of a hundred orders.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import FILLED, PARCEL, VERDICT
from omnisim.compiled import inner, kernel
from omnisim.ledger import Page
from omnisim.market.consumers import Consumers
from omnisim.market.day import Asked, Workspace
from omnisim.market.deliveries import deliver, sort_by_arrival
from omnisim.market.journey import live_a_day
from omnisim.market.orders import book_orders
from omnisim.market.rules import Rules
from omnisim.sums import count, has_room


class Slate(NamedTuple):
    """What a part writes on in an evening with n orders at most, and m parcels that arrive; read before the next."""

    granted: NDArray[np.void]
    """VERDICT (n,)  scratch: what is decided where there is enough for all"""
    lapses: NDArray[np.uint64]
    """(n,) scratch"""
    own: NDArray[np.uint64]
    """(n,) scratch"""
    parcels: NDArray[np.void]
    """PARCEL (n,)  scratch"""
    by_arrival: NDArray[np.void]
    """PARCEL (n,)  parcels of filled lines by day of arrival, numbered within the part"""
    joins: NDArray[np.int64]
    """(m, 2)  consumers who ask for a seat"""
    news: NDArray[np.int64]
    """(n * invitations + m * (audience + 1), 3)  what reaches others tomorrow"""
    restocked: NDArray[np.int64]
    """(places, skus)  units fit to be sold again, where they came from"""


class Evening(NamedTuple):
    """How much of a slate was written."""

    lines: int
    """order lines written for the table of orders"""
    orders: int
    """orders that count from today on"""
    joins: int
    news: int
    starts: NDArray[np.int64]
    """(LATEST + 1,) where in `by_arrival` the parcels of today, tomorrow, … begin"""


def clean_slate(rules: Rules, orders: int, due: int, used: Slate | None = None) -> Slate:
    """A slate for so many orders and parcels under way that arrive today; but for the parcels, that of a former day."""
    if used and orders <= used.parcels.size and orders + due <= used.joins.shape[0]:
        return used._replace(by_arrival=np.empty(orders, PARCEL))
    n, m = 2 * orders, 2 * (orders + due)  # the next days may bring more
    invited, others = int(rules["invitations"][0]), int(rules["audience"][0]) + 1
    return Slate(np.empty(n, VERDICT), np.empty(n, np.uint64), np.empty(n, np.uint64), np.empty(n, PARCEL),
                np.empty(orders, PARCEL), np.empty((m, 2), np.int64),
                np.empty((n * invited + m * others, 3), np.int64),
                np.zeros((rules["places"][0], rules["skus"][0]), np.int64))


@inner
def _grant(demands, verdicts):
    """There is enough for all of DEMAND (n,): writes VERDICT (n,)."""
    for d in range(demands.size):
        verdict = verdicts[d]
        verdict.fate, verdict.way, verdict.waited = FILLED, 0, 0
        verdict.channel, verdict.sku = demands[d].channel, demands[d].sku


@kernel
def pass_evening(c: Consumers, rules, today, counted, page: Page, demands, verdicts, lines, kept, slate: Slate, due):
    """Orders of a part take effect, their parcels leave, and what is due arrives: parcels under way, then today's.

    Parameters
    ----------
    page : Page  the part's page in the ledger, added to
    demands : DEMAND (n,)
    verdicts : VERDICT (n,)  what supply decided; (0,) if there is enough for all
    lines : ORDER_DTYPE (n,)  written for filled lines of sampled consumers
    kept : uint64  the sample: consumers whose scrambled number has none of these bits
    due : PARCEL (m,)  `returned` is set for those that come back

    Returns
    -------
    Evening
    """
    r, t, counts = rules[0], today[0], counted[0]
    for place in range(slate.restocked.shape[0]):
        for sku in range(slate.restocked.shape[1]):
            slate.restocked[place, sku] = 0
    if verdicts.size < demands.size:
        _grant(demands, slate.granted)
        verdicts = slate.granted
    n_lines, n_parcels, n_orders, n_news = book_orders(c, r, t, counts, page, demands, verdicts, lines, kept,
                                                       slate.lapses, slate.own, slate.parcels, slate.news)
    starts = sort_by_arrival(slate.parcels, n_parcels, t.day, slate.by_arrival)
    n_joins, n_news = deliver(c, r, t, counts, due, 0, due.size, slate.joins, 0, slate.news, n_news, slate.restocked)
    n_joins, n_news = deliver(c, r, t, counts, slate.by_arrival, 0, starts[1], slate.joins, n_joins, slate.news, n_news,
                              slate.restocked)
    return Evening(n_lines, n_orders, n_joins, n_news, starts)


@kernel
def pass_day(c: Consumers, rules, today, counted, numbers, asked: Asked, w: Workspace, news, low, high, period,
             page: Page, lines, kept, slate: Slate, due):
    """Consumers low ≤ i < high live through a day on which there is enough for all, evening included.

    Parameters as for `journey.live_a_day` and `pass_evening`.

    Returns
    -------
    asked, or a larger one in its place; whether the evening is over (it is still to come if slate or page had no room
    for so many orders); Evening
    """
    asked = live_a_day(c, rules, today, counted, numbers, asked, w, news, low, high, period)
    n, ended = counted[0].demands, counted[0].ended
    fits = (n <= slate.by_arrival.size and has_room(page.second, n) and has_room(page.journeys, n + ended))
    if fits and today[0].day >= 0:
        count(page.journeys, asked.ended[:ended])
    demands = asked.demands[:n if fits else 0]
    return asked, fits, pass_evening(c, rules, today, counted, page, demands, slate.granted[:0], lines, kept, slate,
                                     due[:due.size if fits else 0])
