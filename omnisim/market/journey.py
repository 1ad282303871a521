"""One day of one part of the population: exposures, interest, visits, purchase decisions and repurchase needs.

`live_a_day` is what a thread runs; it changes the consumers of its part and returns what they asked for. Everything
scarce (stock, seats) is given out afterwards, over all parts together.
"""

from __future__ import annotations

import numpy as np

from omnisim.books import GROUPS, MEASURE, MEASURES, SEGMENT
from omnisim.compiled import inner, kernel
from omnisim.market.consumers import (
    ALIVE,
    CUSTOMER,
    MEMBER,
    NEVER,
    S_L,
    S_S,
    SEAT,
    Consumers,
    ceil16,
    pick_channel,
    purchase_rate,
)
from omnisim.market.moves import (
    CART,
    LINGER,
    add_interest,
    interest_on,
    leave_search,
    lock_intent,
    meet,
    move,
    replace,
    start_search,
    time_out,
)
from omnisim.market.rules import (
    CHANNELS,
    FLOWS,
    FROM_DIRECT,
    FROM_FOLLOW,
    FROM_IMPRESSION,
    FROM_LINK,
    FROM_NEED,
    FROM_PUSH,
    FROM_REFERRAL,
    FROM_REVISIT,
    FROM_SEARCH,
    FROM_SEED,
    FROM_SHARE,
    NEW_USER_GAP,
    SEGMENTS,
    VISIT_DAYS,
    Rules,
)
from omnisim.market.scan import compact, scan_affinity, scan_bound, scan_due, scan_interest
from omnisim.portable import chance, exp, logistic
from omnisim.streams import CHUNK, fill, refine, unit, words

VISITS, NEW_USERS, UNIQUE = MEASURE["visits"], MEASURE["new_users"], MEASURE["unique_visitors"]
IMPRESSIONS, PAID, CLICKS = MEASURE["impressions"], MEASURE["paid_impressions"], MEASURE["clicks"]
SEARCHES, CONSULTATIONS, SERVICE = MEASURE["searches"], MEASURE["consultations"], MEASURE["service"]
SEGMENT_VISITS = SEGMENT.index("visits")
JOURNEY_GAP = 30
"""Days without a touch after which a journey has ended without an order."""
KIND, CONSUMER, CHANNEL, MINUTE, ORIGIN, ORDINAL, LED_FROM = range(7)
"""Columns of the log of what consumers ask for. In an ENDED row, CHANNEL holds the journey."""
DEMAND, JOIN, SHARE, ENDED = range(4)
"""Kinds of rows of the log: an order, a seat, a link passed on, a journey that ended without an order."""
SHARE_CLICK, INVITATION, ADVOCACY = range(3)
"""Kinds of what reaches a consumer from another, the day after it was sent."""
BOUNCES = 0.45
"""Share of undecided visitors who leave at once; of the others, those below CARTS fill a cart first."""
CARTS = 0.1


TODAY = np.dtype([
    ("day", "i8"),
    ("block_start", "i8"),              # first day of the current 30-day block
    ("most", "f8"),                     # largest weight of a channel that sells
    ("member_factor", "f8"), ("flash_factor", "f8"),
    ("answered", "f8"),                 # share of consultations answered in time
    ("weight", "f8", CHANNELS),         # season and campaigns: multiplies visits and needs
    ("exposure", "f8", CHANNELS),       # impressions by unit of affinity (ρ)
    ("paid", "f8", CHANNELS),           # share of impressions that are bought
    ("coverage", "f8", CHANNELS),       # share of searches that find the brand: g0 + (1 - g0) A
])
"""What the day brings to everybody."""
Today = np.void
"""One record of TODAY."""

COUNTS = np.dtype([
    ("scale", "i8"),
    ("events", "i8"),                   # rows of the log in use
    ("tally", "i8", (GROUPS, CHANNELS, len(MEASURES))),
    ("moves", "i8", 39),
    ("renewed", "i8", 16),              # people who left and arrived by renewal, by stage
    ("segments", "i8", (SEGMENTS, len(SEGMENT))),
    ("flows", "i8", (CHANNELS, CHANNELS, 2)),  # visits and orders led from row to column
    ("todo", "i8", (FLOWS + 1, 3)),     # scratch: visits that a visit leads to
])
"""What one part of the population counts on one day."""
Counts = np.void
"""One record of COUNTS."""


@kernel
def grown(log, used, needed):  # type: ignore[no-untyped-def]
    """The same log with room for `needed` more rows."""
    if used + needed <= log.shape[0]:
        return log
    bigger = np.empty((2 * log.shape[0] + needed, log.shape[1]), log.dtype)
    bigger[:used] = log[:used]
    return bigger


@inner
def note(counts, log, kind, i, k, minute, origin, ordinal, led_from):  # type: ignore[no-untyped-def]
    """A new row of the log."""
    row = log[counts.events]
    row[KIND], row[CONSUMER], row[CHANNEL], row[MINUTE] = kind, i, k, minute
    row[ORIGIN], row[ORDINAL], row[LED_FROM] = origin, ordinal, led_from
    counts.events += 1


@inner
def touch(c: Consumers, counts, log, i, k, day):  # type: ignore[no-untyped-def]
    """Note that channel k reached the consumer; a journey quiet for too long has ended without an order."""
    code = np.uint32(k + 1)
    path = c.people[i].path
    if path != 0 and day - np.int64(c.people[i].touched) > JOURNEY_GAP:
        note(counts, log, ENDED, i, path, 0, 0, 0, -1)
        path = np.uint32(0)
    if path & np.uint32(31) != code:
        first = path >> np.uint32(25)
        path = ((path << np.uint32(5)) | code) & np.uint32(0x3FFFFFFF)
        if first != 0:
            path = (path & np.uint32(0x1FFFFFF)) | (first << np.uint32(25))
    c.people[i].path = path
    c.people[i].touched = day


@inner
def lift_bound(c: Consumers, r: Rules, i, k, day):  # type: ignore[no-untyped-def]
    """Bound of visits to channel k from today on: the hazard without interest only falls until the next event."""
    if not (c.uses[i] >> np.uint32(k)) & np.uint32(1):
        return
    hazard = r.direct[k] * c.affinity[i]
    if c.people[i].flags & CUSTOMER:
        hazard += r.follow[k]
    if c.people[i].flags & SEAT:
        hazard += r.push[k]
    if c.last[i, k] != NEVER:
        hazard += r.revisit[k] * r.decay_visit[min(max(day - np.int64(c.last[i, k]), 1), VISIT_DAYS - 1)]
    c.bound[k, i] = ceil16(hazard)


@inner
def expose(c: Consumers, r: Rules, t: Today, counts, log, i, k, paid):  # type: ignore[no-untyped-def]
    """Channel k shows the brand to consumer i: interest rises, and with it the searches it may cause."""
    tally = counts.tally[i % GROUPS, k]
    tally[IMPRESSIONS] += counts.scale
    if paid:
        tally[PAID] += counts.scale
    touch(c, counts, log, i, k, t.day)
    if r.persuasion[k] > 0.0:
        add_interest(c, r, i, t.day, r.persuasion[k])
    if meet(c, r, counts, i, t.day, paid):
        for f in range(r.seeds):
            if r.seed_source[f] == k:
                w, _, _, _ = words(r.seed_key[f], i, t.day, 1)
                if unit(w) < r.seed_rate[f]:
                    visit(c, r, t, counts, log, i, r.seed_target[f], FROM_SEED, k)



@inner
def visit(c: Consumers, r: Rules, t: Today, counts, log, i, k, origin, led_from):  # type: ignore[no-untyped-def]
    """Consumer i visits channel k, decides, and may follow links to further channels (each at most once a day)."""
    todo = counts.todo
    todo[0, 0], todo[0, 1], todo[0, 2] = k, origin, led_from
    n = 1
    while n > 0:
        n -= 1
        k, origin, led_from = todo[n, 0], todo[n, 1], todo[n, 2]
        if c.last[i, k] == t.day:
            continue
        if origin != FROM_REFERRAL and not (c.uses[i] >> np.uint32(k)) & np.uint32(1):
            continue
        before = np.int64(c.last[i, k])
        _browse(c, r, t, counts, log, i, k, origin, led_from)
        for f in range(r.links):
            if r.link_source[f] == k and c.last[i, r.link_target[f]] != t.day:
                # a consumer's own 30-day blocks are staggered, so that links do not come in bursts
                block = (t.day + 30000 + i % 30) // 30
                if before < block * 30 - 30000 - i % 30:
                    w, _, _, _ = words(r.link_key[f], i, block, 1)
                    if unit(w) < r.link_rate[f]:
                        todo[n, 0], todo[n, 1], todo[n, 2] = r.link_target[f], FROM_LINK, k
                        n += 1


@inner
def _browse(c: Consumers, r: Rules, t: Today, counts, log, i, k, origin, led_from):  # type: ignore[no-untyped-def]
    """The visit itself. Draws `visit` of the channel (level 2: registration, consultation, answer, order)."""
    day = t.day
    w0, w1, w2, w3 = words(r.key_visit[k], i, day, 2)
    tally = counts.tally[i % GROUPS, k]
    tally[VISITS] += counts.scale
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
    touch(c, counts, log, i, k, day)
    x = interest_on(c, r, i, day)
    lift_bound(c, r, i, k, day)
    if k == r.community and c.people[i].flags & CUSTOMER:
        _take_part(c, r, counts, log, i, k, w0, w1)
    start_search(c, counts, i, day)
    if origin == FROM_NEED or origin == FROM_REFERRAL:
        lock_intent(c, counts, i, day, t.member_factor != 1.0, t.flash_factor != 1.0)
        return
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
        if unit(w3) < logistic(odds):
            if not (origin == FROM_IMPRESSION and c.people[i].stage == S_S):
                lock_intent(c, counts, i, day, t.member_factor != 1.0, t.flash_factor != 1.0)
            _ask(r, counts, log, i, k, origin, w3, 0, led_from)
            return
    if c.people[i].stage == S_S:
        mood = np.float64(w2 & np.uint64(0xFFFF)) / 65536.0
        if mood < BOUNCES:
            leave_search(c, r, counts, i, day)
        elif mood < BOUNCES + CARTS:
            move(c, counts, i, 7, day + CART)
        else:
            c.due[i] = day + LINGER


@inner
def _take_part(c: Consumers, r: Rules, counts, log, i, k, w0, w1):  # type: ignore[no-untyped-def]
    """A past customer on the community's channel: with a seat, may pass a link on; without, may ask for a seat."""
    if c.people[i].flags & SEAT:
        if np.float64(w0 & np.uint64(0xFFFF)) < r.share_rate * 65536.0:
            note(counts, log, SHARE, i, k, 0, 0, 0, -1)
    elif np.float64(w1 & np.uint64(0xFFFF)) < r.join_per_visit * 65536.0:
        note(counts, log, JOIN, i, k, r.minutes[(w1 >> np.uint64(16)) & np.uint64(4095)], 0, 0, -1)


@inner
def _ask(r: Rules, counts, log, i, k, origin, word, ordinal, led_from):  # type: ignore[no-untyped-def]
    """Write an order request; its minute comes from bits of `word` that decided nothing else."""
    note(counts, log, DEMAND, i, k, r.minutes[word & np.uint64(4095)], origin, ordinal, led_from)


@inner
def come_unprompted(c: Consumers, r: Rules, t: Today, counts, log, i, k, draw):  # type: ignore[no-untyped-def]
    """Decide a candidate's visit: hazard w [o θ + follow + s x G + b 2^(-gap/4) + push], probability 1 - e^-h.

    Draws `visit` of the channel (level 1). A false alarm tightens the bound and changes nothing else.
    """
    if c.last[i, k] == t.day or not (c.uses[i] >> np.uint32(k)) & np.uint32(1):
        return
    x = interest_on(c, r, i, t.day)
    direct = r.direct[k] * c.affinity[i]
    follow = r.follow[k] if c.people[i].flags & CUSTOMER else 0.0
    search = r.search[k] * x * t.coverage[k]
    revisit = 0.0
    if c.last[i, k] != NEVER:
        revisit = r.revisit[k] * r.decay_visit[min(t.day - np.int64(c.last[i, k]), VISIT_DAYS - 1)]
    push = r.push[k] if c.people[i].flags & SEAT else 0.0
    hazard = direct + follow + search + revisit + push
    w0, w1, _, _ = words(r.key_visit[k], i, t.day, 1)
    if refine(draw, w0) >= chance(t.weight[k] * hazard):
        lift_bound(c, r, i, k, t.day)
        c.keen[i] = min(65535, np.int64(x * 65536.0) + 2) if x > 0.0 else 0
        return
    # which part of the hazard it was: a label
    place = unit(w1) * hazard
    origin = FROM_PUSH
    if place < direct:
        origin = FROM_DIRECT
    elif place < direct + search:
        origin = FROM_SEARCH
    elif place < direct + search + revisit:
        origin = FROM_REVISIT
    elif place < direct + search + revisit + follow:
        origin = FROM_FOLLOW
    visit(c, r, t, counts, log, i, k, origin, -1)


@inner
def feel_need(c: Consumers, r: Rules, t: Today, counts, log, i, draw):  # type: ignore[no-untyped-def]
    """Decide a candidate's repurchase: a Poisson number of needs at rate λ m, each on a channel of its own.

    m multiplies member, interest, touch and calendar. Draws `need` (level 1: how many; 2 + j: the j-th). Each need
    chooses its channel first and is then kept with weight / largest weight, so that no channel moves another's.
    """
    flags = c.people[i].flags
    if not flags & ALIVE or c.people[i].stage == S_L:
        return
    m = (1.0 + (r.member_uplift if flags & MEMBER else 0.0)) / r.member_norm
    m *= 1.0 + r.interest_uplift * interest_on(c, r, i, t.day)
    if flags & MEMBER:
        m *= t.member_factor
    if flags & SEAT:
        m *= (1.0 + r.touch) * t.flash_factor
    mean = purchase_rate(r, i) * m * t.most
    w0, _, _, _ = words(r.key_need, i, t.day, 1)
    u = refine(draw, w0)
    if u >= chance(mean):
        return
    # the number of needs N ≥ 1 by inversion of the same draw
    needs = 1
    term = mean * exp(-mean)
    total = term
    while u >= total and needs < 8:
        needs += 1
        term *= mean / needs
        total += term
    for j in range(needs):
        v0, v1, v2, v3 = words(r.key_need, i, t.day, 2 + j)
        k = np.int64(c.people[i].home)
        if unit(v0) >= r.stay or not r.checkout[k]:
            k = r.community if flags & SEAT and r.checkout[r.community] else np.int64(
                pick_channel(r, c.uses[i], unit(v1)))
        if r.checkout[k] and unit(v2) * t.most < t.weight[k]:
            if c.last[i, k] != t.day:
                _browse(c, r, t, counts, log, i, k, FROM_NEED, -1)
            else:
                lock_intent(c, counts, i, t.day, t.member_factor != 1.0, t.flash_factor != 1.0)
            _ask(r, counts, log, i, k, FROM_NEED, v3, j, -1)


@inner
def hear_from_others(c: Consumers, r: Rules, t: Today, counts, log, news):  # type: ignore[no-untyped-def]
    """What others passed on yesterday: rows (consumer, kind, channel), each of the three kinds in its way."""
    for n in range(news.shape[0]):
        i, kind, k = news[n, 0], news[n, 1], news[n, 2]
        if kind == SHARE_CLICK:
            visit(c, r, t, counts, log, i, k, FROM_SHARE, -1)
        elif kind == INVITATION:
            if not c.people[i].flags & CUSTOMER:
                visit(c, r, t, counts, log, i, k, FROM_REFERRAL, -1)
                w, _, _, _ = words(r.key_refer, i, t.day, 3)
                _ask(r, counts, log, i, k, FROM_REFERRAL, w, 0, -1)
        else:
            if r.advocate_persuasion > 0.0:
                add_interest(c, r, i, t.day, r.advocate_persuasion)
            meet(c, r, counts, i, t.day, False)


@inner
def _renew(c: Consumers, r: Rules, counts, low, high, period, day):  # type: ignore[no-untyped-def]
    """Every consumer is replaced once in `period` days, each on a day of its own; seat holders stay."""
    turn = (day + 30000 * period) % period
    first = low + (turn - low % period) % period
    for i in range(first, high, period):
        if not c.people[i].flags & SEAT:
            replace(c, counts, i)


@kernel
def live_a_day(c: Consumers, r: Rules, t: Today, counts: Counts, news, low, high, period):  # type: ignore[no-untyped-def]
    """Consumers low ≤ i < high live through one day.

    Parameters
    ----------
    c : Consumers  changed in place, only between low and high
    counts : Counts  added to
    news : int64 (n, 3)  what others passed on to consumers of this part: consumer, kind, channel, in order
    period : int [day]  renewal period; 0 for none

    Returns
    -------
    log : int64 (rows, 7)  what consumers ask for, in no particular order
    """
    channels = r.channels
    draws = np.empty(CHUNK, np.uint16)
    flags = np.zeros(CHUNK, np.uint8)
    hits = np.empty(CHUNK + 8, np.int64)
    log = np.empty((64 + news.shape[0] * 3 * (channels + 1), 7), np.int64)
    if period > 0:
        _renew(c, r, counts, low, high, period, t.day)
    hear_from_others(c, r, t, counts, log, news)
    for chunk in range(low // CHUNK, (high + CHUNK - 1) // CHUNK):
        a, b = max(low, chunk * CHUNK), min(high, (chunk + 1) * CHUNK)
        skip = a - chunk * CHUNK
        # a consumer may ask for one order a channel and a handful of needs, a seat, and end a journey
        log = grown(log, counts.events, CHUNK * (channels + 12))
        scan_due(flags, c.due[a:b], t.day)
        for h in range(compact(flags, b - a, hits)):
            time_out(c, r, counts, a + hits[h], t.day)
        for k in range(channels):
            if t.exposure[k] > 0.0:
                fill(draws, chunk, t.day, r.key_exposure[k])
                scan_affinity(draws[skip:], flags, c.affinity[a:b], c.uses[a:b], np.uint32(k),
                              t.exposure[k] * r.looseness)
                for h in range(compact(flags, b - a, hits)):
                    i = a + hits[h]
                    w0, w1, w2, _ = words(r.key_exposure[k], i, t.day, 1)
                    if refine(draws[skip + hits[h]], w0) < chance(t.exposure[k] * c.affinity[i]):
                        expose(c, r, t, counts, log, i, k, unit(w2) < t.paid[k])
                        if unit(w1) < r.click_share[k] * t.weight[k]:
                            visit(c, r, t, counts, log, i, k, FROM_IMPRESSION, -1)
        for k in range(channels):
            if t.weight[k] > 0.0:
                fill(draws, chunk, t.day, r.key_visit[k])
                factor = t.weight[k] * r.looseness
                if r.search[k] > 0.0:
                    scan_interest(draws[skip:], flags, c.bound[k, a:b], factor, c.keen[a:b],
                                  factor * r.search[k] * t.coverage[k])
                else:
                    scan_bound(draws[skip:], flags, c.bound[k, a:b], factor)
                for h in range(compact(flags, b - a, hits)):
                    come_unprompted(c, r, t, counts, log, a + hits[h], k, draws[skip + hits[h]])
        if r.repeats and t.most > 0.0:
            fill(draws, chunk, t.day, r.key_need)
            scan_bound(draws[skip:], flags, c.need[a:b],
                       t.most * max(1.0, t.member_factor) * max(1.0, t.flash_factor) * r.looseness)
            for h in range(compact(flags, b - a, hits)):
                feel_need(c, r, t, counts, log, a + hits[h], draws[skip + hits[h]])
    return log[:counts.events]


def empty_counts(rules: Rules) -> Counts:
    """Counts of zero."""
    counts = np.zeros(1, COUNTS)[0]
    counts["scale"] = rules["scale"]
    return counts
