"""What orders do to consumers and to the books: prices, first orders, lapses, delivery, returns.

These kernels run over the day's orders of one part of the population. Who gets the last unit is settled before, over
all parts; what an order then does concerns nobody but its consumer.
"""

from __future__ import annotations

import numpy as np

from omnisim.books import CANCELLED, FILLED, GROUPS, LATEST, MEASURE, SEGMENT, WAITS
from omnisim.compiled import inner, kernel, melted
from omnisim.ledger import SPAN, Page, in_sample
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
    lift_need,
    purchase_rate,
    uses,
)
from omnisim.market.day import Today
from omnisim.market.journey import ADVOCACY, INVITATION, SCAN
from omnisim.market.moves import move, pay, receive
from omnisim.market.rules import FROM_NEED, FROM_REFERRAL, MILLION, Rules
from omnisim.market.trust import leave_mark
from omnisim.market.visits import lift_bound
from omnisim.portable import quantile
from omnisim.processor import prefetch
from omnisim.streams import DAY_ZERO, LOW, S32, philox, unit, words
from omnisim.sums import ask_for_row, row_of

ORDERS, GMV, FIRST = MEASURE["orders"], MEASURE["gmv"], MEASURE["new_customers"]
REPEAT, WIN_BACK, REFERRED = MEASURE["repeat_orders"], MEASURE["win_back_orders"], MEASURE["referred_orders"]
UNITS, LOST_ORDERS, LOST_UNITS = MEASURE["units"], MEASURE["lost_orders"], MEASURE["lost_units"]
RETURNED, RETURNS, GOODS = MEASURE["returned_orders"], MEASURE["returns"], MEASURE["cost_of_goods"]
COMMISSION, PAYMENT, LOGISTICS = MEASURE["commission"], MEASURE["payment_fee"], MEASURE["logistics"]
SERVICE = MEASURE["service"]
SEGMENT_ORDERS, SEGMENT_GMV, SEGMENT_FIRST = (SEGMENT.index(name) for name in ("orders", "gmv", "new_customers"))
AHEAD = 12
"""How many orders ahead the records of their consumers are asked for."""


@melted
def share_of(amount, millionths):
    """A share of an amount of cents, rounded half up, in whole numbers."""
    return (amount * millionths + MILLION // 2) // MILLION


@kernel
def draw_claims(c: Consumers, rules, demands, day, keys, claims):
    """What the settlement needs to know of each order. Draws `order` of the day and `store`, once for all days.

    Parameters
    ----------
    keys : int64 (n,)  written: the hash that breaks ties between orders of the same minute
    claims : CLAIM (n,)  written
    """
    r = rules[0]
    for d in range(demands.size):
        demand, claim = demands[d], claims[d]
        i, k = np.int64(demand.consumer), np.int64(demand.channel)
        w0, w1, w2, w3 = words(r.key_order, i, day, 2 + 2 * (np.int64(demand.ordinal) + 16 * k))
        keys[d] = w0
        claim.react, claim.choose, claim.collect = w1, w2, w3
        claim.near, _, _, _ = words(r.key_store, i, 0, 1)
        used = np.uint32(0)
        for j in range(r.channels):
            used |= np.uint32(uses(c, i, j)) << np.uint32(j)
        claim.uses = used
        claim.units = np.int64(demand.quantity) * r.scale
        claim.minute, claim.channel, claim.sku = demand.minute, demand.channel, demand.sku


@kernel
def book_orders(c: Consumers, rules, today, counted, page: Page, demands, verdicts, lines, kept, parcels, news):
    """Let the settled orders of a part take effect, in order: money, first orders, lapses, invitations, stages.

    Parameters
    ----------
    page : Page  the part's page in the ledger, added to
    demands : DEMAND (n,)
    verdicts : VERDICT (n,)  what supply decided
    lines : ORDER_DTYPE (n,)  written for filled orders of sampled consumers
    kept : uint64  the sample: consumers whose scrambled number has none of these bits
    parcels : PARCEL (n,)  written for filled orders
    news : int64 (n * invitations, 3)  written: invitations that are accepted tomorrow

    Returns
    -------
    number of order lines, of parcels, of news
    """
    r, t, counts = rules[0], today[0], counted[0]
    n_lines = n_parcels = n_news = 0
    lapses, own = np.empty(demands.size, np.uint64), np.empty(demands.size, np.uint64)
    _draw_lapses(r, demands, t.day, lapses, own)
    for d in range(demands.size):
        prefetch(c.people, demands[min(d + 2 * AHEAD, demands.size - 1)].consumer)
        ask_for_row(page.journeys, c.people[demands[min(d + AHEAD, demands.size - 1)].consumer].path)
        demand, verdict = demands[d], verdicts[d]
        i, k, sku = np.int64(demand.consumer), np.int64(verdict.channel), np.int64(verdict.sku)
        quantity, minute, way = np.int64(demand.quantity), np.int64(demand.minute), np.int64(verdict.way)
        tally = counts.tally[i % GROUPS, k]
        if verdict.fate == WAITS:
            if c.people[i].stage == S_K:
                c.due[i] = t.day + r.patience + 1
            continue
        if verdict.fate != FILLED:
            leave_mark(c, r, i, t.day, r.mark_cancelled if verdict.fate == CANCELLED else r.mark_lost)
            tally[LOST_ORDERS] += counts.scale
            tally[LOST_UNITS] += quantity * counts.scale
            if c.people[i].stage == S_K:
                move(c, counts, i, 11, t.day + 1)
            continue
        paid = r.price[sku] * quantity
        goods = r.cost[sku] * quantity
        commission, payment = share_of(paid, r.commission[k]), share_of(paid, r.payment[k])
        benefit = share_of(paid, r.benefit) if c.people[i].flags & MEMBER else 0
        tally[ORDERS] += counts.scale
        tally[GMV] += paid * counts.scale
        tally[UNITS] += quantity * counts.scale
        tally[GOODS] -= goods * counts.scale
        tally[COMMISSION] -= commission * counts.scale
        tally[PAYMENT] -= payment * counts.scale
        tally[LOGISTICS] -= r.ship_cost[way] * counts.scale
        tally[SERVICE] -= benefit * counts.scale
        part = counts.segments[c.people[i].segment]
        part[SEGMENT_ORDERS] += counts.scale
        part[SEGMENT_GMV] += paid * counts.scale
        if demand.led_from >= 0:
            counts.flows[demand.led_from, k, 1] += counts.scale
        n_news = _change_status(c, r, t, counts, page, tally, part, i, k, demand, lapses[d], own[d], news,
                                n_news)
        _book_cohort(c, t, counts, i, paid, page)
        c.people[i].order_day = t.day
        c.people[i].home = k
        pay(c, r, counts, i, t.day, minute)
        late = 0 if minute < r.cutoff else 1
        parcel = parcels[n_parcels]
        parcel.consumer, parcel.order_id, parcel.day, parcel.minute = i, n_parcels, t.day, minute
        parcel.quantity, parcel.channel, parcel.sku, parcel.number = quantity, k, sku, c.people[i].orders
        parcel.returned = 0
        parcel.arrives = t.day + late + r.ship_days[way, k]
        parcel.way = way
        parcel.late = min(max(np.int64(verdict.waited) + r.ship_days[way, k] - r.delivery_days[k], 0), 255)
        if lines.size > 0 and in_sample(i, kept):
            line = lines[n_lines]
            line.order_id, line.consumer, line.day, line.minute = n_parcels, i, t.day, minute
            line.channel, line.origin, line.sku = k, demand.origin, sku
            line.quantity, line.price, line.discount = quantity, r.price[sku], 0
            line.margin = paid - goods - commission - payment - benefit - r.ship_cost[way]
            line.delivered, line.returned = parcel.arrives, -1
            line.number, line.weight, line.node = c.people[i].orders, counts.scale, way % r.places
            n_lines += 1
        n_parcels += 1
        if t.day >= 0:
            # after another order today nothing but this channel has been touched
            path = c.people[i].path if c.people[i].path != 0 else np.uint32(k + 1)
            journey = page.journeys.values[row_of(page.journeys, path)]
            journey[0] += 1
            journey[1] += 1
            journey[2] += paid
        c.people[i].path = 0
    return n_lines, n_parcels, n_news


@melted
def _draw_lapses(r: Rules, demands, day, lapses, own):
    """Whether each repeat order would be the last: draws `need` (level 64 + ordinal), and the word of the
    consumer's own lapse probability, Beta(a, b), many at a time."""
    for d in range(demands.size):
        i, level = np.uint64(demands[d].consumer), np.uint64(64 + demands[d].ordinal)
        lapses[d], _, _, _ = philox(i & LOW, np.uint64(day + DAY_ZERO), level, i >> S32, r.key_need & LOW,
                                    r.key_need >> S32)
        _, own[d], _, _ = philox(i & LOW, np.uint64(DAY_ZERO), np.uint64(2), i >> S32, r.key_person & LOW,
                                 r.key_person >> S32)


@melted
def _change_status(c: Consumers, r: Rules, t: Today, counts, page: Page, tally, part, i, k, demand, lapse, own, news,
                   n_news):
    """A newcomer becomes a live customer and may invite; a live one may lapse (BG/NBD); a lapsed one is won back."""
    flags = c.people[i].flags
    if c.people[i].orders < 255:
        c.people[i].orders += 1
    if c.people[i].orders == 2 and c.people[i].first_day >= r.first_day:
        first = np.int64(c.people[i].first_day)
        page.second.values[row_of(page.second, (first - r.first_day) * SPAN + t.day - first), 0] += 1
    if not flags & CUSTOMER:
        tally[FIRST] += counts.scale
        part[SEGMENT_FIRST] += counts.scale
        c.people[i].flags |= CUSTOMER | ALIVE
        c.people[i].first_day = t.day
        lift_need(c, r, i, purchase_rate(r, i))
        for j in range(r.channels):
            if r.follow[j] > 0.0:
                lift_bound(c, r, i, j, t.day)
        if demand.origin == FROM_REFERRAL:
            tally[REFERRED] += counts.scale
            tally[SERVICE] -= r.refer_reward * counts.scale
        return _invite(c, r, t, i, k, news, n_news)
    if not flags & ALIVE and demand.origin != FROM_NEED:  # who lapsed this morning still had today's needs
        tally[WIN_BACK] += counts.scale
        c.people[i].flags |= ALIVE
        lift_need(c, r, i, purchase_rate(r, i))
        return n_news
    tally[REPEAT] += counts.scale
    if unit(lapse) < quantile(r.lapse_quantiles, unit(own)):
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
        if unit(a) < r.acceptance:  # a customer will not listen
            news[n_news, 0], news[n_news, 1], news[n_news, 2] = other, INVITATION, k
            n_news += 1
    return n_news


@melted
def _book_cohort(c: Consumers, t: Today, counts, i, paid, page: Page):
    """Count the order in its cohort (month of first order) and age (months since); cohorts count reported days only."""
    now = page.months[t.day - page.first_day[0]]
    born = page.months[max(0, np.int64(c.people[i].first_day) - page.first_day[0])]
    age = now - born
    if c.people[i].first_day == t.day and c.people[i].orders == 1:
        page.buyers[born] += counts.scale
    if t.day < 0:
        return
    cell = page.cohorts[born, age]
    if (c.people[i].order_day == NEVER
            or page.months[max(0, np.int64(c.people[i].order_day) - page.first_day[0])] != now):
        cell[0] += counts.scale
    cell[1] += counts.scale
    cell[2] += paid * counts.scale


@kernel
def deliver(c: Consumers, rules, today, counted, parcels, joins, news, restocked):
    """Parcels of a part arrive: some come back, the others may lead into the membership, the community or advocacy.

    Draws `after` (level 1) by consumer and order day, so that two parcels on one day have luck of their own.

    Parameters
    ----------
    parcels : PARCEL (n,)  `returned` is set for those that come back
    joins : int64 (n, 2)  written: consumers who ask for a seat
    news : int64 (n * (audience + 1), 3)  written: who opens a scanned code and whom new advocates reach tomorrow
    restocked : int64 (places, skus)  units fit to be sold again are added, where they came from

    Returns
    -------
    number of joins, number of news
    """
    r, t, counts = rules[0], today[0], counted[0]
    n_joins = n_news = 0
    for p in range(parcels.size):
        prefetch(c.people, parcels[min(p + AHEAD, parcels.size - 1)].consumer)
        parcel = parcels[p]
        i, k = np.int64(parcel.consumer), np.int64(parcel.channel)
        sku, quantity = np.int64(parcel.sku), np.int64(parcel.quantity)
        w0, w1, w2, w3 = words(r.key_after, i, np.int64(parcel.day), 1 + 8 * (1 + np.int64(parcel.minute)))
        repeat = parcel.number > 1
        tally = counts.tally[i % GROUPS, k]
        if parcel.late > 0:
            leave_mark(c, r, i, t.day, min(1.0, r.mark_late * parcel.late))
        if unit(w0) < r.return_rate[k]:
            parcel.returned = 1
            tally[RETURNED] += counts.scale
            tally[RETURNS] -= r.price[sku] * quantity * counts.scale
            if unit(w1) < r.restock_share:
                restocked[np.int64(parcel.way) % r.places, sku] += quantity * counts.scale
                tally[GOODS] += r.cost[sku] * quantity * counts.scale
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
def sort_by_arrival(parcels, day, sorted_parcels):
    """The parcels by the day they arrive, otherwise in the same order.

    Returns
    -------
    int64 (LATEST + 1,)  where the parcels of day, day + 1, … begin
    """
    starts = np.zeros(LATEST + 1, np.int64)
    for p in range(parcels.size):
        starts[np.int64(parcels[p].arrives) - day + 1] += 1
    for n in range(LATEST):
        starts[n + 1] += starts[n]
    next_place = starts.copy()
    for p in range(parcels.size):
        n = np.int64(parcels[p].arrives) - day
        sorted_parcels[next_place[n]] = parcels[p]
        next_place[n] += 1
    return starts
