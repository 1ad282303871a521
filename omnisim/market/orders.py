"""What orders do to consumers and to the books: prices, first orders, lapses, delivery, returns.

These kernels run over the few hundred orders of a day, in the order of settlement.
"""

from __future__ import annotations

import numpy as np

from omnisim.books import GROUPS, MEASURE, ORDER_DTYPE, SEGMENT
from omnisim.compiled import inner, kernel
from omnisim.market.consumers import (
    ALIVE,
    CUSTOMER,
    MEMBER,
    NEVER,
    S_B,
    S_F,
    S_K,
    S_X,
    SEAT,
    Consumers,
    acquaintance,
    lapse_chance,
    lift_need,
)
from omnisim.market.day import CHANNEL, CONSUMER, LED_FROM, MINUTE, ORDINAL, ORIGIN, Today
from omnisim.market.journey import ADVOCACY, INVITATION, SCAN
from omnisim.market.moves import move, pay, receive
from omnisim.market.rules import FROM_NEED, FROM_REFERRAL, MILLION, Rules
from omnisim.market.visits import lift_bound
from omnisim.portable import exp
from omnisim.streams import unit, words

ORDERS, GMV, FIRST = MEASURE["orders"], MEASURE["gmv"], MEASURE["new_customers"]
REPEAT, WIN_BACK, REFERRED = MEASURE["repeat_orders"], MEASURE["win_back_orders"], MEASURE["referred_orders"]
UNITS, LOST_ORDERS, LOST_UNITS = MEASURE["units"], MEASURE["lost_orders"], MEASURE["lost_units"]
RETURNED, RETURNS, GOODS = MEASURE["returned_orders"], MEASURE["returns"], MEASURE["cost_of_goods"]
COMMISSION, PAYMENT, LOGISTICS = MEASURE["commission"], MEASURE["payment_fee"], MEASURE["logistics"]
SERVICE = MEASURE["service"]
SEGMENT_ORDERS, SEGMENT_GMV, SEGMENT_FIRST = (SEGMENT.index(name) for name in ("orders", "gmv", "new_customers"))
MOST_UNITS = 100_000


@inner
def share_of(amount, millionths):
    """A share of an amount of cents, rounded half up, in whole numbers."""
    return (amount * millionths + MILLION // 2) // MILLION


@kernel
def fill_baskets(r: Rules, c: Consumers, demands, day):
    """Article and quantity of each demand: quantity is 1 + Poisson(mean - 1). Draws `order` (level 1 + ordinal).

    Returns
    -------
    sku, quantity : int64 (n,)
    """
    n = demands.shape[0]
    sku = np.zeros(n, np.int64)
    quantity = np.ones(n, np.int64)
    for d in range(n):
        i, k = demands[d, CONSUMER], demands[d, CHANNEL]
        w0, w1, _, _ = words(r.key_order, i, day, 1 + 2 * (demands[d, ORDINAL] + 16 * k))
        u = unit(w0)
        while sku[d] < r.skus - 1 and u > r.sku_edges[sku[d]]:
            sku[d] += 1
        mean = max(0.0, r.units[k] * r.spend[c.people[i].segment] - 1.0)
        u = unit(w1)
        term = exp(-mean)
        total = term
        while u > total and quantity[d] < MOST_UNITS and term > 0.0:
            term *= mean / quantity[d]
            total += term
            quantity[d] += 1
    return sku, quantity


@kernel
def settlement_keys(r: Rules, demands, day):
    """The keyed hash that breaks ties between orders of the same minute."""
    keys = np.empty(demands.shape[0], np.int64)
    for d in range(demands.shape[0]):
        w, _, _, _ = words(r.key_order, demands[d, CONSUMER], day,
                           2 + 2 * (demands[d, ORDINAL] + 16 * demands[d, CHANNEL]))
        keys[d] = w
    return keys


@kernel
def book_orders(c: Consumers, r: Rules, t: Today, counts, demands, sku, quantity, filled, months, first_cohort, cohorts,
                buyers, lines, news):
    """Let the day's settled orders take effect, in order: money, first orders, lapses, invitations, stages.

    Parameters
    ----------
    filled : bool (n,)  what supply could fill; the rest is lost
    months : int64  calendar month of each day from `first_cohort` on, see `Ledger`
    cohorts, buyers : added to
    lines : ORDER_DTYPE (n,)  written for filled orders
    news : int64 (n * invitations, 3)  written: invitations that are accepted tomorrow

    Returns
    -------
    number of order lines, number of news, paths : uint32 (n,)  the journey that led to each line, and
    first_days : int64 (n,)  day of the consumer's first order
    """
    n_lines = n_news = 0
    paths = np.zeros(demands.shape[0], np.uint32)
    first_days = np.zeros(demands.shape[0], np.int64)
    for d in range(demands.shape[0]):
        i, k = demands[d, CONSUMER], demands[d, CHANNEL]
        tally = counts.tally[i % GROUPS, k]
        if not filled[d]:
            tally[LOST_ORDERS] += counts.scale
            tally[LOST_UNITS] += quantity[d] * counts.scale
            if c.people[i].stage == S_K:
                move(c, counts, i, 11, t.day + 1)
            continue
        paid = r.price[sku[d]] * quantity[d]
        goods = r.cost[sku[d]] * quantity[d]
        commission, payment = share_of(paid, r.commission[k]), share_of(paid, r.payment[k])
        benefit = share_of(paid, r.benefit) if c.people[i].flags & MEMBER else 0
        tally[ORDERS] += counts.scale
        tally[GMV] += paid * counts.scale
        tally[UNITS] += quantity[d] * counts.scale
        tally[GOODS] -= goods * counts.scale
        tally[COMMISSION] -= commission * counts.scale
        tally[PAYMENT] -= payment * counts.scale
        tally[LOGISTICS] -= r.delivery_cost * counts.scale
        tally[SERVICE] -= benefit * counts.scale
        part = counts.segments[c.people[i].segment]
        part[SEGMENT_ORDERS] += counts.scale
        part[SEGMENT_GMV] += paid * counts.scale
        if demands[d, LED_FROM] >= 0:
            counts.flows[demands[d, LED_FROM], k, 1] += counts.scale
        n_news = _change_status(c, r, t, counts, tally, part, i, k, demands[d], news, n_news)
        _book_cohort(c, t, counts, i, paid, months, first_cohort, cohorts, buyers)
        c.people[i].order_day = t.day
        c.people[i].home = k
        pay(c, r, counts, i, t.day, demands[d, MINUTE])
        line = lines[n_lines]
        line["consumer"], line["day"], line["minute"] = i, t.day, demands[d, MINUTE]
        line["channel"], line["origin"], line["sku"] = k, demands[d, ORIGIN], sku[d]
        line["quantity"], line["price"], line["discount"] = quantity[d], r.price[sku[d]], 0
        line["margin"] = paid - goods - commission - payment - benefit - r.delivery_cost
        late = 0 if demands[d, MINUTE] < r.cutoff else 1
        line["delivered"] = t.day + late + r.delivery_days[k]
        line["returned"] = -1
        line["number"] = c.people[i].orders
        # after another order today nothing but this channel has been touched
        paths[n_lines] = c.people[i].path if c.people[i].path != 0 else np.uint32(k + 1)
        first_days[n_lines] = c.people[i].first_day
        c.people[i].path = 0
        n_lines += 1
    return n_lines, n_news, paths, first_days


@inner
def _change_status(c: Consumers, r: Rules, t: Today, counts, tally, part, i, k, demand, news, n_news):
    """A newcomer becomes a live customer and may invite; a live one may lapse (BG/NBD); a lapsed one is won back."""
    flags = c.people[i].flags
    if c.people[i].orders < 255:
        c.people[i].orders += 1
    if not flags & CUSTOMER:
        tally[FIRST] += counts.scale
        part[SEGMENT_FIRST] += counts.scale
        c.people[i].flags |= CUSTOMER | ALIVE
        c.people[i].first_day = t.day
        lift_need(c, r, i)
        for j in range(r.channels):
            if r.follow[j] > 0.0:
                lift_bound(c, r, i, j, t.day)
        if demand[ORIGIN] == FROM_REFERRAL:
            tally[REFERRED] += counts.scale
            tally[SERVICE] -= r.refer_reward * counts.scale
        return _invite(c, r, t, i, k, news, n_news)
    if not flags & ALIVE and demand[ORIGIN] != FROM_NEED:  # who lapsed this morning still had today's needs
        tally[WIN_BACK] += counts.scale
        c.people[i].flags |= ALIVE
        lift_need(c, r, i)
        return n_news
    tally[REPEAT] += counts.scale
    w, _, _, _ = words(r.key_need, i, t.day, 64 + demand[ORDINAL])
    if unit(w) < lapse_chance(r, i):
        c.people[i].flags &= ~np.uint8(ALIVE)
        c.need[i] = 0
    return n_news


@inner
def _invite(c: Consumers, r: Rules, t: Today, i, k, news, n_news):
    """A new customer may invite neighbours; each edge of the graph accepts by its own draw."""
    w, start, _, _ = words(r.key_refer, i, t.day, 1)
    if unit(w) >= r.refer_share:
        return n_news
    for j in range(r.invitations):
        other = acquaintance(r, i, start, j)
        a, _, _, _ = words(r.key_refer, i, other % 1_000_003, 2)
        if unit(a) < r.acceptance and not c.people[other].flags & CUSTOMER:
            news[n_news, 0], news[n_news, 1], news[n_news, 2] = other, INVITATION, k
            n_news += 1
    return n_news


@inner
def _book_cohort(c: Consumers, t: Today, counts, i, paid, months, first_cohort, cohorts, buyers):
    """Count the order in its cohort (month of first order) and age (months since)."""
    now = months[t.day - first_cohort]
    born = months[max(0, np.int64(c.people[i].first_day) - first_cohort)]
    age = now - born
    if c.people[i].first_day == t.day and c.people[i].orders == 1:
        buyers[born] += counts.scale
    cell = cohorts[born, age]
    if c.people[i].order_day == NEVER or months[max(0, np.int64(c.people[i].order_day) - first_cohort)] != now:
        cell[0] += counts.scale
    cell[1] += counts.scale
    cell[2] += paid * counts.scale


@kernel
def deliver(c: Consumers, r: Rules, t: Today, counts, parcels, joins, news, restocked):
    """Parcels arrive: some come back, the others may lead into the membership, the community or advocacy.

    Draws `after` (level 1) by consumer and order day, so that two parcels on one day have luck of their own.

    Parameters
    ----------
    parcels : ORDER_DTYPE (n,)  `returned` is set to the day of a return or -1
    joins : int64 (n, 2)  written: consumers who ask for a seat
    news : int64 (n * (audience + 1), 3)  written: who opens a scanned code and whom new advocates reach tomorrow
    restocked : int64 (skus,)  units fit to be sold again are added

    Returns
    -------
    number of joins, number of news
    """
    n_joins = n_news = 0
    for p in range(parcels.size):
        parcel = parcels[p]
        i, k = np.int64(parcel["consumer"]), np.int64(parcel["channel"])
        w0, w1, w2, w3 = words(r.key_after, i, np.int64(parcel["day"]), 1 + 8 * (1 + np.int64(parcel["minute"])))
        repeat = parcel["number"] > 1
        tally = counts.tally[i % GROUPS, k]
        if unit(w0) < r.return_rate[k]:
            parcel["returned"] = t.day
            tally[RETURNED] += counts.scale
            tally[RETURNS] -= parcel["price"] * parcel["quantity"] * counts.scale
            if unit(w1) < r.restock_share:
                restocked[parcel["sku"]] += parcel["quantity"] * counts.scale
                tally[GOODS] += r.cost[parcel["sku"]] * parcel["quantity"] * counts.scale
            if c.people[i].stage == S_F:
                move(c, counts, i, 15, t.day + r.resolution_days)
            continue
        receive(c, r, counts, i, t.day, repeat)
        if not c.people[i].flags & CUSTOMER:
            continue  # replaced by a newcomer while the parcel was on its way
        if not c.people[i].flags & MEMBER and unit(w1) < 1.0 - (1.0 - r.member_join) * (1.0 - r.enrol_rate[k]):
            c.people[i].flags |= MEMBER
            if c.people[i].stage == S_B:
                move(c, counts, i, 18, c.due[i])
        if not c.people[i].flags & SEAT and r.community >= 0 and unit(w2) < r.code_rate[k]:
            joins[n_joins, 0], joins[n_joins, 1] = i, parcel["minute"]
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


def empty_lines(n: int) -> np.ndarray[tuple[int], np.dtype[np.void]]:
    """Room for n order lines."""
    return np.zeros(n, ORDER_DTYPE)
