"""The evening of one part of the population: settled orders take effect, parcels leave and arrive."""

from __future__ import annotations

import numpy as np

from omnisim.compiled import kernel
from omnisim.ledger import Page
from omnisim.market.consumers import Consumers
from omnisim.market.deliveries import deliver, sort_by_arrival
from omnisim.market.orders import book_orders


@kernel
def pass_evening(c: Consumers, rules, today, counted, page: Page, demands, verdicts, lines, kept, parcels, by_arrival,
                 due, joins, news, restocked):
    """Orders of a part take effect, their parcels leave, and what is due arrives: parcels under way, then today's.

    Parameters
    ----------
    page : Page  the part's page in the ledger, added to
    demands : DEMAND (n,)
    verdicts : VERDICT (n,)  what supply decided
    lines : ORDER_DTYPE (n,)  written for filled lines of sampled consumers
    kept : uint64  the sample: consumers whose scrambled number has none of these bits
    parcels, by_arrival : PARCEL (n,)  scratch; the parcels of filled lines by day of arrival, numbered within the part
    due : PARCEL (m,)  `returned` is set for those that come back
    joins : int64 (n + m, 2)  written: consumers who ask for a seat
    news : int64 (n * invitations + (n + m) * (audience + 1), 3)  written: what reaches others tomorrow
    restocked : int64 (places, skus)  units fit to be sold again are added, where they came from

    Returns
    -------
    numbers of order lines written, of orders that count from today on, of joins, of news; and where in `by_arrival` the
    parcels of today, tomorrow, … begin
    """
    r, t, counts = rules[0], today[0], counted[0]
    lapses, own = np.empty(demands.size, np.uint64), np.empty(demands.size, np.uint64)
    n_lines, n_parcels, n_orders, n_news = book_orders(c, r, t, counts, page, demands, verdicts, lines, kept, lapses,
                                                       own, parcels, news)
    starts = sort_by_arrival(parcels, n_parcels, t.day, by_arrival)
    n_joins, n_news = deliver(c, r, t, counts, due, 0, due.size, joins, 0, news, n_news, restocked)
    n_joins, n_news = deliver(c, r, t, counts, by_arrival, 0, starts[1], joins, n_joins, news, n_news, restocked)
    return n_lines, n_orders, n_joins, n_news, starts
