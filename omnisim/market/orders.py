"""What orders do to consumers and to the books: prices, first orders, lapses, journeys, cohorts.

These kernels run over the day's orders of one part of the population. Who gets the last unit is settled before, over
all parts; what an order then does concerns nobody but its consumer.
"""

from __future__ import annotations

import numpy as np

from omnisim.books import (
    CANCELLED,
    FILLED,
    FROM_ELSEWHERE,
    GROUPS,
    HOUR,
    LEADS_ORDER,
    LEADS_PARCEL,
    MEASURE,
    SEGMENT,
    WAITS,
)
from omnisim.compiled import inner, kernel, melted
from omnisim.ledger import SPAN, Page, in_sample
from omnisim.market.consumers import (
    ALIVE,
    CUSTOMER,
    MEMBER,
    NEVER,
    S_K,
    Consumers,
    acquaintance,
    lift_need,
    purchase_rate,
    uses,
)
from omnisim.market.day import Today
from omnisim.market.journey import INVITATION
from omnisim.market.moves import move, pay
from omnisim.market.rules import FROM_NEED, FROM_REFERRAL, MILLION, Rules
from omnisim.market.trust import leave_mark
from omnisim.market.visits import level_of, lift_bound
from omnisim.portable import quantile
from omnisim.processor import prefetch
from omnisim.streams import DAY_ZERO, LOW, S32, philox, unit, words
from omnisim.sums import ask_for_row, row_of

ORDERS, GMV, FIRST = MEASURE["orders"], MEASURE["gmv"], MEASURE["new_customers"]
REPEAT, WIN_BACK, REFERRED = MEASURE["repeat_orders"], MEASURE["win_back_orders"], MEASURE["referred_orders"]
LINES, UNITS, GOODS = MEASURE["lines"], MEASURE["units"], MEASURE["cost_of_goods"]
LOST_ORDERS, LOST_UNITS = MEASURE["lost_orders"], MEASURE["lost_units"]
HOUR_ORDERS, HOUR_CANCELLED = HOUR.index("orders"), HOUR.index("cancelled")
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
    """What the settlement needs to know of each order line. Draws `order` of the day and `store`, once for all days.

    Parameters
    ----------
    demands : DEMAND (n,)  orders with all their lines
    keys : int64 (n,)  written: the hash that breaks ties between orders of the same minute
    claims : CLAIM (n,)  written
    """
    r = rules[0]
    for d in range(demands.size):
        demand, claim = demands[d], claims[d]
        i, k, ordinal = np.int64(demand.consumer), np.int64(demand.channel), np.int64(demand.ordinal)
        w0, w1, w2, w3 = words(r.key_order, i, day, 2 + level_of(k, ordinal, 0))
        keys[d] = w0
        claim.collect = w3
        if demand.line > 0:  # an order has one turn and one way to be fetched; shortages are up to each line
            _, w1, w2, _ = words(r.key_order, i, day, 2 + level_of(k, ordinal, 1 + np.int64(demand.sku)))
        claim.react, claim.choose = w1, w2
        claim.near, _, _, _ = words(r.key_store, i, 0, 1)
        used = np.uint32(0)
        for j in range(r.channels):
            used |= np.uint32(uses(c, i, j)) << np.uint32(j)
        claim.uses = used
        claim.units = np.int64(demand.quantity) * r.scale
        claim.minute, claim.channel, claim.sku = demand.minute, demand.channel, demand.sku
        claim.line, claim.more = demand.line, 0
        while d + claim.more + 1 < demands.size and demands[d + claim.more + 1].line > demand.line:
            claim.more += 1


@melted
def _end_of_order(demands, verdicts, d):
    """Where the lines of the order that begins at row d end: lines of one evening, those that had waited apart."""
    end = d + 1
    while (end < demands.size and demands[end].line > demands[end - 1].line
           and demands[end].consumer == demands[d].consumer and demands[end].channel == demands[d].channel
           and demands[end].ordinal == demands[d].ordinal and verdicts[end].waited == verdicts[d].waited):
        end += 1
    return end


@inner
def book_orders(c: Consumers, r: Rules, t: Today, counts, page: Page, demands, verdicts, lines, kept, lapses, own,
                parcels, news):
    """Let the settled orders of a part take effect, in order: money, first orders, lapses, invitations, stages.

    An order counts once, on the evening on which the first of its lines is filled; lines that had to wait add units and
    money on theirs.

    Parameters
    ----------
    page, demands, verdicts, lines, kept : see `evening.pass_evening`
    lapses, own : uint64 (n,)  scratch
    parcels : PARCEL (n,)  written for filled lines
    news : int64 (n * invitations, 3)  written: invitations that are accepted tomorrow

    Returns
    -------
    number of order lines written, of parcels, of orders that count from today on, of news

    Notes
    -----
    Orders are numbered within the part; a line whose order has a number already bears its complement.
    """
    n_lines = n_parcels = n_orders = n_news = 0
    _draw_lapses(r, demands, verdicts, t.day, lapses, own)
    end = 0
    while end < demands.size:
        d, end = end, _end_of_order(demands, verdicts, end)
        prefetch(c.people, demands[min(d + 2 * AHEAD, demands.size - 1)].consumer)
        ask_for_row(page.journeys, c.people[demands[min(d + AHEAD, demands.size - 1)].consumer].path)
        demand = demands[d]
        i, minute, is_new = np.int64(demand.consumer), np.int64(demand.minute), demand.order < 0
        first = _best_of(verdicts, d, end)
        k = np.int64(verdicts[first].channel)
        tally = counts.tally[k, i % GROUPS]
        _lose_lines(c, r, t, counts, tally, demands, verdicts, i, d, end)
        if verdicts[first].fate != FILLED:
            if is_new:
                _fail(c, r, t, counts, tally, verdicts[first].fate, i, k, minute)
            continue
        paid = 0
        for n in range(d, end):
            if verdicts[n].fate == FILLED:
                paid += r.price[np.int64(verdicts[n].sku)] * np.int64(demands[n].quantity)
        part = counts.segments[c.people[i].segment]
        part[SEGMENT_GMV] += paid * counts.scale
        if is_new:
            tally[ORDERS] += counts.scale
            part[SEGMENT_ORDERS] += counts.scale
            if demand.led_from >= 0:
                counts.flows[demand.led_from, k, 1] += counts.scale
            if t.hourly:
                counts.hours[k, minute // 60, HOUR_ORDERS] += counts.scale
            n_news = _change_status(c, r, t, counts, page, tally, part, i, k, demand, lapses[d], own[d], news, n_news)
        _book_cohort(c, t, counts, i, paid, page, is_new)
        _end_journey(c, t, page, i, k, paid, is_new)
        if is_new:
            c.people[i].order_day = t.day
            c.people[i].home = k
            pay(c, r, counts, i, t.day, minute)
        order_id = n_orders if is_new else ~demand.order
        number = c.people[i].orders if is_new else demand.number
        n_orders += is_new
        for n in range(first, end):
            if verdicts[n].fate != FILLED:
                continue
            parcel = parcels[n_parcels]
            parcel.order_id, parcel.number = order_id, number
            parcel.leads = LEADS_ORDER if is_new and n == first else LEADS_PARCEL
            for m in range(first, n):
                if verdicts[m].fate == FILLED and verdicts[m].way == verdicts[n].way:
                    parcel.leads = 0
            margin = _book_line(c, r, t, counts, tally, demands[n], verdicts[n], i, k, parcel)
            n_parcels += 1
            if lines.size > 0 and in_sample(i, kept):
                _write_line(r, t, lines[n_lines], parcel, demand.origin, margin, counts.scale)
                n_lines += 1
    return n_lines, n_parcels, n_orders, n_news


@melted
def _best_of(verdicts, d, end):
    """The line that fared best among those of an order, the first of equals."""
    best = d
    for n in range(d + 1, end):
        if verdicts[n].fate > verdicts[best].fate:
            best = n
    return best


@melted
def _lose_lines(c: Consumers, r: Rules, t: Today, counts, tally, demands, verdicts, i, d, end):
    """Lines that met no stock: units lost, and one mark on the consumer, the deepest."""
    mark = -1.0
    for n in range(d, end):
        if verdicts[n].fate < WAITS:
            tally[LOST_UNITS] += np.int64(demands[n].quantity) * counts.scale
            mark = max(mark, r.mark_cancelled if verdicts[n].fate == CANCELLED else r.mark_lost)
    if mark >= 0.0:
        leave_mark(c, r, i, t.day, mark)


@melted
def _fail(c: Consumers, r: Rules, t: Today, counts, tally, fate, i, k, minute):
    """Nothing of an order was filled: it waits, or is lost."""
    if fate == WAITS:
        if c.people[i].stage == S_K:
            c.due[i] = t.day + r.patience + 1
        return
    tally[LOST_ORDERS] += counts.scale
    if fate == CANCELLED and t.hourly:
        counts.hours[k, minute // 60, HOUR_CANCELLED] += counts.scale
    if c.people[i].stage == S_K:
        move(c, counts, i, 11, t.day + 1)


@melted
def _book_line(c: Consumers, r: Rules, t: Today, counts, tally, demand, verdict, i, k, parcel):
    """A filled line: its money, its units, and its way to the consumer; returns its margin. What a parcel costs is
    borne by the line that leads it."""
    sku, way, quantity, minute = (np.int64(verdict.sku), np.int64(verdict.way), np.int64(demand.quantity),
                                  np.int64(demand.minute))
    paid, goods = r.price[sku] * quantity, r.cost[sku] * quantity
    commission, payment = share_of(paid, r.commission[k]), share_of(paid, r.payment[k])
    benefit = share_of(paid, r.benefit) if c.people[i].flags & MEMBER else 0
    shipping = r.ship_cost[way] if parcel.leads > 0 else 0
    tally[GMV] += paid * counts.scale
    tally[LINES] += counts.scale
    tally[UNITS] += quantity * counts.scale
    tally[GOODS] -= goods * counts.scale
    tally[COMMISSION] -= commission * counts.scale
    tally[PAYMENT] -= payment * counts.scale
    tally[LOGISTICS] -= shipping * counts.scale
    tally[SERVICE] -= benefit * counts.scale
    parcel.consumer, parcel.day, parcel.minute, parcel.ordinal, parcel.line = (
        i, t.day, minute, demand.ordinal if k == demand.channel else FROM_ELSEWHERE, demand.line)
    parcel.quantity, parcel.channel, parcel.sku, parcel.returned, parcel.way = quantity, k, sku, 0, way
    parcel.arrives = t.day + (0 if minute < r.cutoff else 1) + r.ship_days[way, k]
    parcel.waited = verdict.waited
    parcel.late = min(max(np.int64(verdict.waited) + r.ship_days[way, k] - r.delivery_days[k], 0), 255)
    return paid - goods - commission - payment - benefit - shipping


@melted
def _write_line(r: Rules, t: Today, line, parcel, origin, margin, scale):
    """A line of the table of orders."""
    line.order_id, line.consumer, line.day, line.minute = parcel.order_id, parcel.consumer, t.day, parcel.minute
    line.channel, line.origin, line.sku, line.line = parcel.channel, origin, parcel.sku, parcel.line
    line.quantity, line.price, line.discount, line.margin = parcel.quantity, r.price[np.int64(parcel.sku)], 0, margin
    line.delivered, line.returned = parcel.arrives, -1
    line.number, line.weight, line.node = parcel.number, scale, np.int64(parcel.way) % r.places


@melted
def _end_journey(c: Consumers, t: Today, page: Page, i, k, paid, is_new):
    """An order ends the journey that led to it; a line that had to wait adds its money to a journey of its channel."""
    if t.day >= 0:
        # after another order today nothing but this channel has been touched
        path = c.people[i].path if is_new and c.people[i].path != 0 else np.uint32(k + 1)
        journey = page.journeys.values[row_of(page.journeys, path)]
        journey[0] += is_new
        journey[1] += is_new
        journey[2] += paid
    if is_new:
        c.people[i].path = 0


@melted
def _draw_lapses(r: Rules, demands, verdicts, day, lapses, own):
    """Whether each repeat order would be the last: draws `need` (level 64 + ordinal + 256 · days waited), and the word
    of the consumer's own lapse probability, Beta(a, b), many at a time."""
    for d in range(demands.size):
        i = np.uint64(demands[d].consumer)
        level = np.uint64(64 + np.int64(demands[d].ordinal) + 256 * np.int64(verdicts[d].waited))
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
def _book_cohort(c: Consumers, t: Today, counts, i, paid, page: Page, is_new):
    """Count the order, or the money of lines that had to wait, in its cohort (month of first order) and age (months
    since); cohorts count reported days only."""
    now = page.months[t.day - page.first_day[0]]
    born = page.months[max(0, np.int64(c.people[i].first_day) - page.first_day[0])]
    age = now - born
    if is_new and c.people[i].first_day == t.day and c.people[i].orders == 1:
        page.buyers[born] += counts.scale
    if t.day < 0:
        return
    cell = page.cohorts[born, age]
    cell[2] += paid * counts.scale
    if not is_new:
        return
    if (c.people[i].order_day == NEVER
            or page.months[max(0, np.int64(c.people[i].order_day) - page.first_day[0])] != now):
        cell[0] += counts.scale
    cell[1] += counts.scale
