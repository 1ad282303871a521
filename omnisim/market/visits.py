"""A visit: what it counts, what it leads to, and whether it ends in an order."""

from __future__ import annotations

import numpy as np

from omnisim.books import GROUPS, MEASURE, SEGMENT
from omnisim.compiled import inner, melted
from omnisim.market.consumers import (
    ALIVE,
    CUSTOMER,
    NEVER,
    S_S,
    SEAT,
    Consumers,
    ceil16,
    uses,
)
from omnisim.market.day import AHEAD, Asked, Today, Workspace, want
from omnisim.market.moves import (
    CART,
    LINGER,
    interest_on,
    leave_search,
    lock_intent,
    move,
    start_search,
)
from omnisim.market.rules import (
    CHANNELS,
    FROM_IMPRESSION,
    FROM_LINK,
    FROM_NEED,
    FROM_REFERRAL,
    FROM_SEARCH,
    NEW_USER_GAP,
    VISIT_DAYS,
    Rules,
)
from omnisim.market.trust import distrust
from omnisim.portable import exp, logistic
from omnisim.processor import prefetch
from omnisim.streams import DAY_ZERO, LOW, S32, philox, unit, words

VISITS, NEW_USERS, UNIQUE = MEASURE["visits"], MEASURE["new_users"], MEASURE["unique_visitors"]
CLICKS, SEARCHES = MEASURE["clicks"], MEASURE["searches"]
CONSULTATIONS, SERVICE = MEASURE["consultations"], MEASURE["service"]
SEGMENT_VISITS = SEGMENT.index("visits")
JOURNEY_GAP = 30
"""Days without a touch after which a journey has ended without an order."""
FIRST_TOUCHES, OTHER_TOUCHES = np.uint32(0x3E000000), np.uint32(0x1FFFFFF)
"""Bits of a path: the first touch of a long journey, which stays, and the five newest."""
BOUNCES = 0.45
"""Share of undecided visitors who leave at once."""
CARTS = 0.1
"""Share of them who fill a cart first."""
MOST_UNITS = 100_000


@melted
def touch(c: Consumers, counts, asked: Asked, i, k, day):
    """Note that channel k reached the consumer; a journey quiet for too long has ended without an order."""
    # in masks, without branches: which way a journey goes is nothing a processor could guess
    code = np.uint32(k + 1)
    path = c.people[i].path
    is_over = np.uint32(day - np.int64(c.people[i].touched) > JOURNEY_GAP)
    asked.ended[counts.ended] = path
    counts.ended += np.int64(is_over & np.uint32(path != 0))
    path &= is_over - np.uint32(1)
    first = path & FIRST_TOUCHES
    others = np.uint32(first == 0) * FIRST_TOUCHES | OTHER_TOUCHES
    longer = first | (path << np.uint32(5) | code) & others
    same = np.uint32(0) - np.uint32(path & np.uint32(31) == code)
    c.people[i].path = path & same | longer & ~same
    c.people[i].touched = day


@melted
def frequents(c: Consumers, r: Rules, i, k):
    """Whether consumer i uses channel k or sits in its groups."""
    return uses(c, i, k) or (k == r.community and c.people[i].flags & SEAT != 0)


@melted
def pulls(c: Consumers, r: Rules, i, k, day):
    """What draws consumer i to channel k without interest: direct, follow, revisit, push. The decision and its bound
    both take it from here; after today's visit, revisit is tomorrow's."""
    flags = c.people[i].flags
    revisit = 0.0
    if c.last[i, k] != NEVER:
        revisit = r.revisit[k] * r.decay_visit[min(max(day - np.int64(c.last[i, k]), 1), VISIT_DAYS - 1)]
    return (r.direct[k] * c.people[i].affinity, r.follow[k] if flags & CUSTOMER else 0.0, revisit,
            r.push[k] if flags & SEAT else 0.0)


@melted
def lift_bound(c: Consumers, r: Rules, i, k, day):
    """Bound of visits to channel k from today on: the hazard without interest only falls until the next event."""
    if not r.attracts[k] or not frequents(c, r, i, k):
        return
    direct, follow, revisit, push = pulls(c, r, i, k, day)
    c.bound[k, i] = ceil16(direct + follow + revisit + push)


@inner
def make_visits(c: Consumers, r: Rules, t: Today, counts, asked: Asked, w: Workspace):
    """Make all queued visits, in order; each may lead on by links to further channels, each channel once a day.

    Draws `visit` of the channel (level 2: registration, consultation, answer, order).
    """
    if counts.queued == 0:
        return
    todo = counts.todo
    draw_visits(w.drawn, w.visits, counts.queued, t.day, r)
    for q in range(counts.queued):
        prefetch(c.people, np.int64(w.visits[q + AHEAD].consumer))
        prefetch(c.last, np.int64(w.visits[q + AHEAD].consumer))
        going = w.visits[q]
        i, k = np.int64(going.consumer), np.int64(going.channel)
        origin, led_from = np.int64(going.origin), np.int64(going.led_from)
        w0, w1, w2, w3 = w.drawn[0, q], w.drawn[1, q], w.drawn[2, q], w.drawn[3, q]
        n = 0
        while True:
            # links, seeds, shares and invitations lead on their share of the people, users of the channel or not
            orders = origin == FROM_NEED or origin == FROM_REFERRAL
            if c.last[i, k] != t.day and (origin >= FROM_LINK or frequents(c, r, i, k)):
                before = np.int64(c.last[i, k])
                orders = browse(c, r, t, counts, asked, i, k, origin, led_from, w0, w1, w2, w3)
                n = _follow_links(c, r, t, i, k, before, todo, n)
            if orders:
                lock_intent(c, counts, i, t.day, t.member_factor != 1.0, t.flash_factor != 1.0)
            if n == 0:
                break
            n -= 1
            k, origin, led_from = todo[n, 0], todo[n, 1], todo[n, 2]
            w0, w1, w2, w3 = words(r.key_visit[k], i, t.day, 2)
    counts.queued = 0


@melted
def draw_visits(fine, visits, n, day, r: Rules):
    """Level 2 of `visit` for the first n visits, many at a time, into `fine`."""
    for q in range((n + 7) // 8 * 8):
        key = r.key_visit[np.uint64(visits[q].channel) % np.uint64(CHANNELS)]
        i = np.uint64(visits[q].consumer)
        fine[0, q], fine[1, q], fine[2, q], fine[3, q] = philox(
            i & LOW, np.uint64(day + DAY_ZERO), np.uint64(2), i >> S32, key & LOW, key >> S32)


@melted
def _follow_links(c: Consumers, r: Rules, t: Today, i, k, before, todo, n):
    """Put the visits that a visit to channel k leads to on top of the n to do; returns how many there are."""
    for f in range(r.links):
        if r.link_source[f] == k and c.last[i, r.link_target[f]] != t.day:
            # a consumer's own 30-day blocks are staggered, so that links do not come in bursts
            block = (t.day + 30000 + i % 30) // 30
            if before < block * 30 - 30000 - i % 30:
                w, _, _, _ = words(r.link_key[f], i, block, 1)
                if unit(w) < r.link_rate[f]:
                    todo[n, 0], todo[n, 1], todo[n, 2] = r.link_target[f], FROM_LINK, k
                    n += 1
    return n


@melted
def browse(c: Consumers, r: Rules, t: Today, counts, asked: Asked, i, k, origin, led_from, w0, w1, w2, w3):
    """The visit itself; returns whether it leads to intent."""
    day = t.day
    tally = counts.tally[k, i % GROUPS]
    tally[VISITS] += counts.scale
    if t.hourly:
        counts.hours[k, minute_of(r, t, i, k, 0, w3) // 60, 0] += counts.scale
    before = np.int64(c.last[i, k])
    c.last[i, k] = day
    if before < t.block_start:
        tally[UNIQUE] += counts.scale
    if before < day - NEW_USER_GAP and unit(w0) < r.registration[k]:
        tally[NEW_USERS] += counts.scale
    if origin == FROM_IMPRESSION:
        tally[CLICKS] += counts.scale
    elif origin == FROM_SEARCH:
        tally[SEARCHES] += counts.scale
    if led_from >= 0:
        counts.flows[led_from, k, 0] += counts.scale
    counts.segments[c.people[i].segment, SEGMENT_VISITS] += counts.scale
    touch(c, counts, asked, i, k, day)
    x = interest_on(c, r, i, day)
    lift_bound(c, r, i, k, day)
    if k == r.community and c.people[i].flags & CUSTOMER:
        _take_part(c, r, counts, asked, i, k, w0, w1)
    start_search(c, counts, i, day)
    if origin == FROM_NEED or origin == FROM_REFERRAL:
        return True
    answered = False
    if unit(w1) < r.consult_share:
        tally[CONSULTATIONS] += counts.scale
        answered = unit(w2) < t.answered
        if answered:
            tally[SERVICE] -= r.consult_cost * counts.scale
        if c.people[i].stage == S_S:
            move(c, counts, i, 6, day + 1)
    live = c.people[i].flags & ALIVE
    if not live and r.converts and r.checkout[k]:
        odds = r.intercept[k] + r.slope * x
        if answered:
            odds += r.lift
        if c.people[i].flags & CUSTOMER:
            odds += r.win_back
        if r.remembers:
            odds -= r.trust_odds * distrust(c, r, i, day)
        if unit(w3) < logistic(odds):
            ask(r, t, counts, asked.demands, i, k, c.people[i].segment, origin, w3, 0, led_from)
            return not (origin == FROM_IMPRESSION and c.people[i].stage == S_S)
    if c.people[i].stage == S_S:
        mood = np.float64(w2 & np.uint64(0xFFFF)) / 65536.0
        if mood < BOUNCES:
            leave_search(c, r, counts, i, day)
        elif mood < BOUNCES + CARTS:
            move(c, counts, i, 7, day + CART)
        else:
            c.due[i] = day + LINGER
    return False


@melted
def _take_part(c: Consumers, r: Rules, counts, asked: Asked, i, k, w0, w1):
    """A past customer on the community's channel: with a seat, may pass a link on; without, may ask for a seat."""
    if c.people[i].flags & SEAT:
        if np.float64(w0 & np.uint64(0xFFFF)) < r.share_rate * 65536.0:
            asked.shares[counts.shares] = i
            counts.shares += 1
    elif np.float64(w1 & np.uint64(0xFFFF)) < r.join_per_visit * 65536.0:
        asked.joins[counts.joins, 0] = i
        asked.joins[counts.joins, 1] = r.minutes[(w1 >> np.uint64(16)) & np.uint64(4095)]
        counts.joins += 1


@melted
def minute_of(r: Rules, t: Today, i, k, ordinal, word):
    """Minute of the day of a visit or order: usual by bits of `word`, or in the broadcast.

    Draws `order` (level 1 + 2 (ordinal + 16 k)) on days with a broadcast.
    """
    if t.live_minutes[k] > 0:
        _, _, w2, w3 = words(r.key_order, i, t.day, 1 + 2 * (ordinal + 16 * k))
        if unit(w2) < t.live_share[k]:
            return t.live_start[k] + np.int64(unit(w3) * t.live_minutes[k])
    return np.int64(r.minutes[word & np.uint64(4095)])


@melted
def level_of(k, ordinal, along):
    """Where the draws of an order line stand in the stream `order`: by channel and ordinal, and for an article taken
    along (`along` is 1 + its number, 0 for the first line) apart, so that no article moves another's luck."""
    return 2 * (ordinal + 16 * (k + 32 * along))


@inner
def units_of(u, mean):
    """Units of a line by inversion of 1 + Poisson(mean)."""
    quantity = 1
    term = exp(-mean)
    total = term
    while u > total and quantity < MOST_UNITS and term > 0.0:
        term *= mean / quantity
        total += term
        quantity += 1
    return quantity


@inner
def ask(r: Rules, t: Today, counts, demands, i, k, segment, origin, word, ordinal, led_from):
    """Consumer i fills a basket on channel k: an article and what it takes along, 1 + Poisson(mean - 1) units of each.

    Its minute comes from bits of `word` that decided nothing else. Draws `order` (level 1 + `level_of`).
    """
    mean = max(0.0, r.units[k] * r.spend[segment] - 1.0)
    sku = 0
    quantity = 1
    if r.skus > 1 or mean > 0.0:
        w0, w1, _, _ = words(r.key_order, i, t.day, 1 + level_of(k, ordinal, 0))
        u = unit(w0)
        while sku < r.skus - 1 and u > r.sku_edges[k, sku]:
            sku += 1
        quantity = units_of(unit(w1), mean)
    minute = minute_of(r, t, i, k, ordinal, word)
    want(counts, demands, i, k, minute, origin, ordinal, led_from, 0, sku, quantity)
    line = 0
    for n in range(r.along[k, sku]):
        other = r.along_sku[k, sku, n]
        w0, w1, _, _ = words(r.key_order, i, t.day, 1 + level_of(k, ordinal, 1 + other))
        if unit(w0) < r.along_share[k, sku, n]:
            line += 1
            want(counts, demands, i, k, minute, origin, ordinal, led_from, line, other, units_of(unit(w1), mean))
