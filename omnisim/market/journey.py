"""One day of one part of the population: exposures, interest, visits, purchase decisions and repurchase needs.

`live_a_day` is what a thread runs; it changes the consumers of its part and returns what they asked for. Everything
scarce (stock, seats) is given out afterwards, over all parts together.

A chunk of consumers lives through the day in stages: each scan finds candidates and asks for their records, which have
arrived when they are decided; visits are queued and made together.
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
)
from omnisim.market.day import (
    AHEAD,
    DEMAND,
    LOOKED,
    QUEUE,
    VISIT,
    Asked,
    Today,
    Workspace,
    queue,
    room,
    room_for_pairs,
)
from omnisim.market.impressions import LAYERS, MOST_IN_LAYER, ask_for_chunk, scan_media
from omnisim.market.moves import (
    add_interest,
    bound_of_interest,
    interest_on,
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
from omnisim.market.scan import scan_due, scan_needs, scan_visits
from omnisim.market.trust import distrust
from omnisim.market.visits import ask, frequents, lift_bound, make_visits, pulls, touch
from omnisim.portable import exp, happens, quantile
from omnisim.processor import PACKED, prefetch
from omnisim.streams import CHUNK, fill, fine_draws, refine, unit, words

IMPRESSIONS, PAID = MEASURE["impressions"], MEASURE["paid_impressions"]
SHARE_CLICK, INVITATION, ADVOCACY, SCAN = range(4)
"""Kinds of what reaches a consumer from others, the day after: a link passed on, an invitation, a customer's word, and
the code in a parcel."""
AT_EXPOSURES, AT_VISITS, AT_NEEDS, AT_TIMES_OUT, AT_RENEWALS = range(len(LOOKED))
AFTER_VISITS = 1
"""Ordinal of an order by invitation, so that it does not share the luck of one on a visit of the same day."""
MOST_NEEDS = 8
"""Repurchases of one consumer on one day."""


def empty_asked() -> Asked:
    """Room for what a few consumers ask for."""
    return Asked(np.empty(256, DEMAND), np.empty((256, 2), np.int64), np.empty(256, np.int64), np.empty(256, np.uint32))


def empty_workspace(channels: int) -> Workspace:
    """Nothing written yet."""
    most = CHUNK * (channels + 1) + PACKED
    return Workspace(
        np.empty((channels + 1, CHUNK // 4 + 8), np.uint64), np.empty(LAYERS + 32, np.uint32),
        np.empty(LAYERS * MOST_IN_LAYER + 32, np.uint32), np.empty(MOST_IN_LAYER + 32, np.uint32),
        np.empty(CHUNK, np.uint8), np.zeros((2, most), np.uint32), np.zeros((2, channels + 1), np.int64),
        np.empty(most, np.uint32), np.empty((4, CHUNK + 8), np.uint64), np.empty((4, CHUNK + 8), np.uint64),
        np.empty((4, CHUNK + 8), np.uint64), np.empty(QUEUE + 2 * AHEAD, VISIT),
        np.empty((4, QUEUE + AHEAD), np.uint64))


@melted
def _expose(c: Consumers, r: Rules, t: Today, counts, asked: Asked, w: Workspace, i, k, paid):
    """Channel k shows the brand to consumer i: interest rises, and with it the searches it may cause."""
    tally = counts.tally[k, i % GROUPS]
    tally[IMPRESSIONS] += counts.scale
    tally[PAID] += counts.scale if paid else 0
    touch(c, counts, asked, i, k, t.day)
    if r.persuasion[k] > 0.0:
        add_interest(c, r, i, t.day, r.persuasion[k])
    if meet(c, r, counts, i, t.day, paid):
        for f in range(r.seeds):
            if r.seed_source[f] == k:
                word, _, _, _ = words(r.seed_key[f], i, t.day, 1)
                if unit(word) < r.seed_rate[f]:
                    queue(c, counts, w.visits, i, r.seed_target[f], FROM_SEED, k)


@inner
def expect(c: Consumers, r: Rules, t: Today, counts, w: Workspace, chunk, size):
    """List those of a chunk whose stage may time out today and whom each channel hits, to be asked for in time."""
    side = chunk & 1
    expected, starts = w.expected[side], w.starts[side]
    counts.looked[AT_TIMES_OUT] += size
    found = scan_due(c, chunk * CHUNK, size, t.day, expected, 0)
    for j in range(CHUNK):
        w.seen[j] = 0
    for k in range(r.channels):
        starts[k] = found
        if t.exposure[k] > 0.0:
            ask_for_chunk(c, chunk + 1, k, r.channels)
            found, points = scan_media(c, k, chunk, t.day, t.exposure[k], r.key_exposure[k], w, expected, found, k + 1)
            counts.looked[AT_EXPOSURES] += points
    starts[r.channels] = found


@melted
def see_media(c: Consumers, r: Rules, t: Today, counts, asked: Asked, w: Workspace, hits, k, first, n, later):
    """Expose the hits first, … first + n - 1 to channel k, and queue who clicks.

    Draws `exposure` of the channel (level 1: clicks, paid). For each hit one of the next chunk is asked for, `later`.
    """
    fine_draws(w.fine, hits, first, n, t.day, r.key_exposure[k], 1)
    clicks, paid = r.click_share[k] * t.weight[k], t.paid[k]
    for h in range(n):
        prefetch(c.people, np.int64(later[first + h]))
        prefetch(c.people, np.int64(hits[first + h + AHEAD]))
        i = np.int64(hits[first + h])
        _expose(c, r, t, counts, asked, w, i, k, unit(w.fine[2, h]) < paid)
        if unit(w.fine[1, h]) < clicks:
            queue(c, counts, w.visits, i, k, FROM_IMPRESSION, -1)
        if counts.queued > QUEUE - 1 - r.seeds:
            make_visits(c, r, t, counts, asked, w)


@melted
def come_unprompted(c: Consumers, r: Rules, t: Today, counts, asked: Asked, w: Workspace, draws, a, k, first, n):
    """Decide the candidates first, … first + n - 1 of channel k's unprompted visits, and queue who comes.

    The hazard is w [o θ + follow + s x G + b 2^(-gap/4) + push], its probability 1 - e^-h. Draws `visit` of the channel
    (level 1: whether, and which part of the hazard it was). A false alarm tightens the bound and changes nothing else.
    """
    fine_draws(w.fine, w.hits, first, n, t.day, r.key_visit[k], 1)
    for h in range(n):
        prefetch(c.people, np.int64(w.hits[first + h + AHEAD]))
        prefetch(c.last, np.int64(w.hits[first + h + AHEAD]))
        i = np.int64(w.hits[first + h])
        if c.last[i, k] == t.day or not frequents(c, r, i, k):
            continue
        x = interest_on(c, r, i, t.day)
        direct, follow, revisit, push = pulls(c, r, i, k, t.day)
        search = r.search[k] * x * t.coverage[k]
        hazard = direct + follow + search + revisit + push
        if not happens(refine(draws[i - a], w.fine[0, h]), t.weight[k] * hazard):
            lift_bound(c, r, i, k, t.day)
            c.keen[i] = bound_of_interest(x)
            continue
        place = unit(w.fine[1, h]) * hazard  # a label only
        origin = FROM_PUSH
        if place < direct:
            origin = FROM_DIRECT
        elif place < direct + search:
            origin = FROM_SEARCH
        elif place < direct + search + revisit:
            origin = FROM_REVISIT
        elif place < direct + search + revisit + follow:
            origin = FROM_FOLLOW
        queue(c, counts, w.visits, i, k, origin, -1)
        if counts.queued == QUEUE:
            make_visits(c, r, t, counts, asked, w)


@melted
def feel_need(c: Consumers, r: Rules, t: Today, counts, asked: Asked, w: Workspace, i, u, own, h):
    """Decide a candidate's repurchase: a Poisson number of needs at rate λ m, each on a channel of its own.

    λ is the consumer's own (`purchase_rate`, from the word `own`), m multiplies member, interest, touch and calendar.
    Draws `need` (level 1: how many, as u; 2 + j: the j-th). Each need
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
    if r.remembers:
        m *= 1.0 - r.trust_need * distrust(c, r, i, t.day)
    mean = quantile(r.rate_quantiles, unit(own)) / r.rate_scale * m * t.most
    if not happens(u, mean):
        return
    # the number of needs N ≥ 1 by inversion of the same draw; below m (1 - m) < m e^-m it is one
    needs = 1
    if u >= mean * (1.0 - mean):
        term = mean * exp(-mean)
        total = term
        while u >= total and needs < MOST_NEEDS:
            needs += 1
            term *= mean / needs
            total += term
    v0, v1, v2, v3 = w.first[0, h], w.first[1, h], w.first[2, h], w.first[3, h]
    for j in range(needs):
        if j > 0:
            v0, v1, v2, v3 = words(r.key_need, i, t.day, 2 + j)
        k = np.int64(c.people[i].home)
        if unit(v0) >= r.stay or not r.checkout[k]:
            k = r.community if flags & SEAT and r.checkout[r.community] else np.int64(pick_channel(c, r, i, unit(v1)))
        if r.checkout[k] and unit(v2) * t.most < t.weight[k]:
            queue(c, counts, w.visits, i, k, FROM_NEED, -1)
            ask(r, t, counts, asked.demands, i, k, c.people[i].segment, FROM_NEED, v3, j, -1)


@inner
def hear_from_others(c: Consumers, r: Rules, t: Today, counts, asked: Asked, w: Workspace, news, n, last):
    """What reached the consumers below `last` since yesterday: rows (consumer, kind, channel it comes from) from n on.

    Returns
    -------
    the row to go on from
    """
    invited = -1
    while n < news.shape[0] and news[n, 0] < last:
        i, kind, k = news[n, 0], news[n, 1], news[n, 2]
        n += 1
        if kind == SHARE_CLICK:
            queue(c, counts, w.visits, i, k, FROM_SHARE, -1)
        elif kind == INVITATION:
            if i != invited and not c.people[i].flags & CUSTOMER:  # two invitations make one first order
                invited = i
                queue(c, counts, w.visits, i, k, FROM_REFERRAL, -1)
                word, _, _, _ = words(r.key_refer, i, t.day, 3)
                ask(r, t, counts, asked.demands, i, k, c.people[i].segment, FROM_REFERRAL, word, AFTER_VISITS, -1)
        elif kind == SCAN:
            queue(c, counts, w.visits, i, r.community, FROM_LINK, k)
        else:
            if r.advocate_persuasion > 0.0:
                add_interest(c, r, i, t.day, r.advocate_persuasion)
            meet(c, r, counts, i, t.day, False)
        if counts.queued == QUEUE:
            make_visits(c, r, t, counts, asked, w)
    make_visits(c, r, t, counts, asked, w)
    return n


@inner
def _renew(c: Consumers, counts, low, high, period, day):
    """Every consumer is replaced once in `period` days, each on a day of its own; seat holders stay."""
    turn = (day + 30000 * period) % period
    first = low + (turn - low % period) % period
    for i in range(first, high, period):
        counts.looked[AT_RENEWALS] += 1
        if not c.people[i].flags & SEAT:
            replace(c, counts, i)


@kernel
def live_a_day(c: Consumers, rules, today, counted, numbers, asked: Asked, w: Workspace, news, low, high, period):
    """Consumers low ≤ i < high live through one day.

    Parameters
    ----------
    c : Consumers  changed in place, only between low and high
    counted : COUNTS (1,)  overwritten
    numbers : int64 (…,)  `day.in_use` of the same counts, to be cleared
    asked : Asked  overwritten
    w : Workspace  of this part
    news : int64 (n, 3)  what others passed on to consumers of this part: consumer, kind, channel, in order
    low : int  a multiple of CHUNK
    period : int [day]  renewal period; 0 for none

    Returns
    -------
    asked, or a larger one in its place
    """
    r, t, counts = rules[0], today[0], counted[0]
    for n in range(numbers.size):
        numbers[n] = 0
    counts.scale = r.scale
    channels = r.channels
    draws = w.draws.view(np.uint16)
    starts = np.zeros(channels + 2, np.int64)
    heard = 0
    for ahead in range(low // CHUNK, (high + CHUNK - 1) // CHUNK + 1):
        # a chunk's consumers are asked for while those of the chunk before live through their day
        if ahead * CHUNK < high:
            expect(c, r, t, counts, w, ahead, min(high - ahead * CHUNK, CHUNK))
        chunk = ahead - 1
        if chunk * CHUNK < low:
            continue
        a, b = chunk * CHUNK, min(high, (chunk + 1) * CHUNK)
        size = b - a
        # a consumer may ask for one order a channel and a handful of needs, one seat, and end one journey
        passed_on = news.shape[0] - heard
        demands = room(asked.demands, counts.demands, (CHUNK * (channels + MOST_NEEDS) + passed_on) * r.lines)
        joins = room_for_pairs(asked.joins, counts.joins, 2 * CHUNK)
        shares = room(asked.shares, counts.shares, 2 * CHUNK)
        ended = room(asked.ended, counts.ended, 2 * CHUNK)
        asked = Asked(demands, joins, shares, ended)
        if period > 0:
            _renew(c, counts, a, b, period, t.day)
        if heard < news.shape[0]:
            heard = hear_from_others(c, r, t, counts, asked, w, news, heard, b)
        # whose stage times out (nothing before this sets a time-out to today), and whom media reach
        hits, later, edges = w.expected[chunk & 1], w.expected[ahead & 1], w.starts[chunk & 1]
        for h in range(edges[0]):
            prefetch(c.people, np.int64(later[h]))
            i = np.int64(hits[h])
            if c.due[i] == t.day:
                time_out(c, r, counts, i, t.day)
        for k in range(channels):
            see_media(c, r, t, counts, asked, w, hits, k, edges[k], edges[k + 1] - edges[k], later)
        make_visits(c, r, t, counts, asked, w)
        # who comes unprompted, and who needs something again
        found = 0
        for k in range(channels):
            starts[k] = found
            if r.attracts[k] and t.weight[k] > 0.0:
                fill(w.draws[k], chunk, t.day, r.key_visit[k])
                factor = t.weight[k] * r.looseness
                counts.looked[AT_VISITS] += size
                found = scan_visits(c, k, a, size, factor, factor * r.search[k] * t.coverage[k], draws[k], w.hits,
                                    found)
        starts[channels] = found
        if r.repeats and t.most > 0.0:
            fill(w.draws[channels], chunk, t.day, r.key_need)
            counts.looked[AT_NEEDS] += size
            found = scan_needs(c, a, size, t.most * max(1.0, t.member_factor) * max(1.0, t.flash_factor) * r.looseness,
                               draws[channels], w.hits, found)
        for k in range(channels):
            come_unprompted(c, r, t, counts, asked, w, draws[k], a, k, starts[k], starts[k + 1] - starts[k])
        first, n = starts[channels], found - starts[channels]
        fine_draws(w.fine, w.hits, first, n, t.day, r.key_need, 1)
        fine_draws(w.first, w.hits, first, n, t.day, r.key_need, 2)
        fine_draws(w.own, w.hits, first, n, 0, r.key_person, 2)
        for h in range(n):
            prefetch(c.people, np.int64(w.hits[first + h + AHEAD]))
            i = np.int64(w.hits[first + h])
            feel_need(c, r, t, counts, asked, w, i, refine(draws[channels, i - a], w.fine[0, h]), w.own[0, h], h)
            if counts.queued > QUEUE - MOST_NEEDS:
                make_visits(c, r, t, counts, asked, w)
        make_visits(c, r, t, counts, asked, w)
    return asked
