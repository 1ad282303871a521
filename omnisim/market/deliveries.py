"""What parcels do when they arrive: returns, marks of lateness, membership, seats, advocates."""

from __future__ import annotations

import numpy as np

from omnisim.books import GROUPS, LATEST, LEADS_ORDER, MEASURE
from omnisim.compiled import inner, kernel
from omnisim.market.consumers import CUSTOMER, MEMBER, S_B, S_F, S_X, SEAT, Consumers, acquaintance
from omnisim.market.day import Today
from omnisim.market.journey import ADVOCACY, SCAN
from omnisim.market.moves import move, receive
from omnisim.market.rules import Rules
from omnisim.market.trust import leave_mark
from omnisim.processor import prefetch
from omnisim.streams import unit, words

RETURNED, RETURNS, GOODS = MEASURE["returned_lines"], MEASURE["returns"], MEASURE["cost_of_goods"]
AHEAD = 12
"""How many parcels ahead the records of their consumers are asked for."""
MINUTES, MOST_LINES = 1440, 4
"""Of a day; of an order."""


@inner
def deliver(c: Consumers, r: Rules, t: Today, counts, parcels, first, end, joins, n_joins, news, n_news, restocked):
    """Parcels first, … end - 1 arrive: some come back, others may lead into the membership, the community or advocacy.

    Each line comes back or is kept by itself; what a delivery is beside that is up to the line that leads its parcel,
    and what it leads to in the end to the first parcel of an order. Draws `after` (level 1) by consumer, order day,
    minute, ordinal and line, so that two parcels on one day have luck of their own.

    Parameters
    ----------
    parcels : PARCEL (n,)  `returned` is set for those that come back
    joins : int64 (…, 2)  written from n_joins on: consumers who ask for a seat
    news : int64 (…, 3)  written from n_news on: who opens a scanned code and whom new advocates reach tomorrow
    restocked : int64 (places, skus)  units fit to be sold again are added, where they came from

    Returns
    -------
    number of joins, number of news
    """
    for p in range(first, end):
        prefetch(c.people, parcels[min(p + AHEAD, end - 1)].consumer)
        parcel = parcels[p]
        i, k = np.int64(parcel.consumer), np.int64(parcel.channel)
        sku, quantity = np.int64(parcel.sku), np.int64(parcel.quantity)
        when = 1 + np.int64(parcel.minute) + MINUTES * (np.int64(parcel.line) + MOST_LINES * np.int64(parcel.ordinal))
        w0, w1, w2, w3 = words(r.key_after, i, np.int64(parcel.day), 1 + 8 * when)
        repeat = parcel.number > 1
        tally = counts.tally[k, i % GROUPS]
        if parcel.late > 0 and parcel.leads > 0 and c.people[i].flags & CUSTOMER:  # not replaced by a newcomer
            leave_mark(c, r, i, t.day, min(1.0, r.mark_late * parcel.late))
        if unit(w0) < r.return_rate[k]:
            parcel.returned = 1
            tally[RETURNED] += counts.scale
            tally[RETURNS] -= r.price[sku] * quantity * counts.scale
            if unit(w1) < r.restock_share:
                restocked[np.int64(parcel.way) % r.places, sku] += quantity * counts.scale
                tally[GOODS] += r.cost[sku] * quantity * counts.scale
            if c.people[i].stage == S_F and parcel.leads == LEADS_ORDER:
                move(c, counts, i, 15, t.day + r.resolution_days)
            continue
        if parcel.leads < LEADS_ORDER:
            continue
        receive(c, r, counts, i, t.day, repeat)
        if not c.people[i].flags & CUSTOMER:
            continue
        if not c.people[i].flags & MEMBER and unit(w1) < 1.0 - (1.0 - r.member_join) * (1.0 - r.enrol_rate[k]):
            c.people[i].flags |= MEMBER
            if c.people[i].stage == S_B:
                move(c, counts, i, 18, c.due[i])
        if not c.people[i].flags & SEAT and r.community >= 0 and unit(w2) < r.code_rate[k]:
            joins[n_joins, 0], joins[n_joins, 1] = i, parcel.minute
            n_joins += 1
            if k != r.community:
                news[n_news, 0], news[n_news, 1], news[n_news, 2] = i, SCAN, k
                n_news += 1
        if repeat and c.people[i].stage == S_X and unit(w3) < r.advocates:
            n_news = advocate(c, r, t, counts, i, k, 24, news, n_news)
    return n_joins, n_news


@inner
def advocate(c: Consumers, r: Rules, t: Today, counts, i, k, transition, news, n_news):
    """A customer starts to speak for the brand: t24 or t25, and t26 for each neighbour who hears it tomorrow."""
    move(c, counts, i, transition, t.day + r.advocate_days)
    _, start, _, _ = words(r.key_refer, i, t.day, 4)
    for j in range(r.audience):
        other = acquaintance(r, i, start, j)
        news[n_news, 0], news[n_news, 1], news[n_news, 2] = other, ADVOCACY, k
        n_news += 1
        counts.moves[25] += counts.scale
    return n_news


@kernel
def sort_by_arrival(parcels, n, day, sorted_parcels):
    """The first n parcels by the day they arrive, otherwise in the same order.

    Returns
    -------
    int64 (LATEST + 1,)  where the parcels of day, day + 1, … begin
    """
    starts = np.zeros(LATEST + 1, np.int64)
    for p in range(n):
        starts[np.int64(parcels[p].arrives) - day + 1] += 1
    for later in range(LATEST):
        starts[later + 1] += starts[later]
    next_place = starts.copy()
    for p in range(n):
        later = np.int64(parcels[p].arrives) - day
        sorted_parcels[next_place[later]] = parcels[p]
        next_place[later] += 1
    return starts
