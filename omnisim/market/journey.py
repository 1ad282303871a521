"""One day of one part of the population: exposures, interest, visits, purchase decisions and repurchase needs.

`live_a_day` is what a thread runs; it changes the consumers of its part and returns what they asked for. Everything
scarce (stock, seats) is given out afterwards, over all parts together.
"""

from __future__ import annotations

import numpy as np

from omnisim.books import GROUPS, MEASURE
from omnisim.compiled import inner, kernel, melted
from omnisim.market.consumers import (
    ALIVE,
    CUSTOMER,
    MEMBER,
    S_L,
    SEAT,
    Consumers,
    pick_channel,
    purchase_rate,
)
from omnisim.market.day import Counts, Today, grown
from omnisim.market.moves import (
    add_interest,
    bound_of_interest,
    interest_on,
    lock_intent,
    meet,
    replace,
    time_out,
)
from omnisim.market.rules import (
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
    Rules,
)
from omnisim.market.scan import compact, scan_affinity, scan_bound, scan_due, scan_interest
from omnisim.market.visits import ask, frequents, lift_bound, pulls, touch, visit
from omnisim.portable import exp, happens
from omnisim.streams import CHUNK, fill, fine_draws, refine, unit, words

IMPRESSIONS, PAID = MEASURE["impressions"], MEASURE["paid_impressions"]
SHARE_CLICK, INVITATION, ADVOCACY, SCAN = range(4)
"""Kinds of what reaches a consumer from others, the day after: a link passed on, an invitation, a customer's word, and
the code in a parcel."""


@melted
def expose(c: Consumers, r: Rules, t: Today, counts, log, i, k, paid):
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


@melted
def come_unprompted(c: Consumers, r: Rules, t: Today, counts, log, i, k, u, word):
    """Decide a candidate's visit: hazard w [o θ + follow + s x G + b 2^(-gap/4) + push], probability 1 - e^-h.

    u is the draw, `word` labels the origin (both of `visit` of the channel, level 1). A false alarm tightens the bound
    and changes nothing else.
    """
    if c.last[i, k] == t.day or not frequents(c, r, i, k):
        return
    x = interest_on(c, r, i, t.day)
    direct, follow, revisit, push = pulls(c, r, i, k, t.day)
    search = r.search[k] * x * t.coverage[k]
    hazard = direct + follow + search + revisit + push
    if not happens(u, t.weight[k] * hazard):
        lift_bound(c, r, i, k, t.day)
        c.keen[i] = bound_of_interest(x)
        return
    # which part of the hazard it was: a label
    place = unit(word) * hazard
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
def feel_need(c: Consumers, r: Rules, t: Today, counts, log, i, draw):
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
    if not happens(u, mean):
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
                visit(c, r, t, counts, log, i, k, FROM_NEED, -1)
            else:
                lock_intent(c, counts, i, t.day, t.member_factor != 1.0, t.flash_factor != 1.0)
            ask(r, counts, log, i, k, FROM_NEED, v3, j, -1)


@inner
def hear_from_others(c: Consumers, r: Rules, t: Today, counts, log, news):
    """What reached consumers since yesterday: rows (consumer, kind, channel it comes from)."""
    invited = -1
    for n in range(news.shape[0]):
        i, kind, k = news[n, 0], news[n, 1], news[n, 2]
        if kind == SHARE_CLICK:
            visit(c, r, t, counts, log, i, k, FROM_SHARE, -1)
        elif kind == INVITATION:
            if i != invited and not c.people[i].flags & CUSTOMER:  # two invitations make one first order
                invited = i
                visit(c, r, t, counts, log, i, k, FROM_REFERRAL, -1)
                w, _, _, _ = words(r.key_refer, i, t.day, 3)
                ask(r, counts, log, i, k, FROM_REFERRAL, w, 0, -1)
        elif kind == SCAN:
            visit(c, r, t, counts, log, i, r.community, FROM_LINK, k)
        else:
            if r.advocate_persuasion > 0.0:
                add_interest(c, r, i, t.day, r.advocate_persuasion)
            meet(c, r, counts, i, t.day, False)


@melted
def _decide_exposures(c: Consumers, draws, hits, fine, n, first, rate, reached):
    """Which candidates are reached, into `reached`; their number.

    Looking at all of them first lets the processor fetch their records from memory side by side.
    """
    found = 0
    seen = 0
    for h in range(n):
        i = first + hits[h]
        seen += c.people[i].stage
        reached[found] = h
        found += happens(refine(draws[hits[h]], fine[0, h]), rate * c.affinity[i])
    reached[n] = seen
    return found


@melted
def _fetch(c: Consumers, hits, n, first, k):
    """Touch the records of candidates side by side, as `_decide_exposures` does; the sum keeps the loop alive."""
    seen = 0
    for h in range(n):
        i = first + hits[h]
        seen += c.people[i].stage + c.last[i, k]
    hits[n] = seen


@inner
def _renew(c: Consumers, r: Rules, counts, low, high, period, day):
    """Every consumer is replaced once in `period` days, each on a day of its own; seat holders stay."""
    turn = (day + 30000 * period) % period
    first = low + (turn - low % period) % period
    for i in range(first, high, period):
        if not c.people[i].flags & SEAT:
            replace(c, counts, i)


@kernel
def live_a_day(c: Consumers, r: Rules, t: Today, counts: Counts, news, low, high, period):
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
    reached = np.empty(CHUNK + 8, np.int64)
    fine = np.empty((4, CHUNK + 8), np.uint64)
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
                n = compact(flags, b - a, hits)
                fine_draws(fine, hits, n, a, t.day, r.key_exposure[k])
                n = _decide_exposures(c, draws[skip:], hits, fine, n, a, t.exposure[k], reached)
                for h in range(n):
                    i, place = a + hits[reached[h]], reached[h]
                    expose(c, r, t, counts, log, i, k, unit(fine[2, place]) < t.paid[k])
                    if unit(fine[1, place]) < r.click_share[k] * t.weight[k]:
                        visit(c, r, t, counts, log, i, k, FROM_IMPRESSION, -1)
        for k in range(channels):
            if r.attracts[k] and t.weight[k] > 0.0:
                fill(draws, chunk, t.day, r.key_visit[k])
                factor = t.weight[k] * r.looseness
                if r.search[k] > 0.0:
                    scan_interest(draws[skip:], flags, c.bound[k, a:b], factor, c.keen[a:b],
                                  factor * r.search[k] * t.coverage[k])
                else:
                    scan_bound(draws[skip:], flags, c.bound[k, a:b], factor)
                n = compact(flags, b - a, hits)
                fine_draws(fine, hits, n, a, t.day, r.key_visit[k])
                _fetch(c, hits, n, a, k)
                for h in range(n):
                    come_unprompted(c, r, t, counts, log, a + hits[h], k, refine(draws[skip + hits[h]], fine[0, h]),
                                    fine[1, h])
        if r.repeats and t.most > 0.0:
            fill(draws, chunk, t.day, r.key_need)
            scan_bound(draws[skip:], flags, c.need[a:b],
                       t.most * max(1.0, t.member_factor) * max(1.0, t.flash_factor) * r.looseness)
            for h in range(compact(flags, b - a, hits)):
                feel_need(c, r, t, counts, log, a + hits[h], draws[skip + hits[h]])
    return log[:counts.events]
