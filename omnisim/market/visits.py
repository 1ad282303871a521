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
)
from omnisim.market.day import DEMAND, ENDED, JOIN, SHARE, Today, note
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
    FROM_IMPRESSION,
    FROM_LINK,
    FROM_NEED,
    FROM_REFERRAL,
    FROM_SEARCH,
    NEW_USER_GAP,
    VISIT_DAYS,
    Rules,
)
from omnisim.portable import logistic
from omnisim.streams import unit, words

VISITS, NEW_USERS, UNIQUE = MEASURE["visits"], MEASURE["new_users"], MEASURE["unique_visitors"]
CLICKS, SEARCHES = MEASURE["clicks"], MEASURE["searches"]
CONSULTATIONS, SERVICE = MEASURE["consultations"], MEASURE["service"]
SEGMENT_VISITS = SEGMENT.index("visits")
JOURNEY_GAP = 30
"""Days without a touch after which a journey has ended without an order."""
BOUNCES = 0.45
"""Share of undecided visitors who leave at once."""
CARTS = 0.1
"""Share of them who fill a cart first."""


@melted
def touch(c: Consumers, counts, log, i, k, day):
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


@melted
def frequents(c: Consumers, r: Rules, i, k):
    """Whether consumer i uses channel k or sits in its groups."""
    return (c.uses[i] >> np.uint32(k)) & np.uint32(1) != 0 or (k == r.community and c.people[i].flags & SEAT != 0)


@melted
def pulls(c: Consumers, r: Rules, i, k, day):
    """What draws consumer i to channel k without interest: direct, follow, revisit, push. The decision and its bound
    both take it from here; after today's visit, revisit is tomorrow's."""
    flags = c.people[i].flags
    revisit = 0.0
    if c.last[i, k] != NEVER:
        revisit = r.revisit[k] * r.decay_visit[min(max(day - np.int64(c.last[i, k]), 1), VISIT_DAYS - 1)]
    return (r.direct[k] * c.affinity[i], r.follow[k] if flags & CUSTOMER else 0.0, revisit,
            r.push[k] if flags & SEAT else 0.0)


@melted
def lift_bound(c: Consumers, r: Rules, i, k, day):
    """Bound of visits to channel k from today on: the hazard without interest only falls until the next event."""
    if not frequents(c, r, i, k):
        return
    direct, follow, revisit, push = pulls(c, r, i, k, day)
    c.bound[k, i] = ceil16(direct + follow + revisit + push)


@inner
def visit(c: Consumers, r: Rules, t: Today, counts, log, i, k, origin, led_from):
    """Consumer i visits channel k, decides, and may follow links to further channels (each at most once a day)."""
    todo = counts.todo
    todo[0, 0], todo[0, 1], todo[0, 2] = k, origin, led_from
    n = 1
    while n > 0:
        n -= 1
        k, origin, led_from = todo[n, 0], todo[n, 1], todo[n, 2]
        if c.last[i, k] == t.day:
            continue
        # links, seeds, shares and invitations lead on their share of the people, users of the channel or not
        if origin < FROM_LINK and not frequents(c, r, i, k):
            continue
        before = np.int64(c.last[i, k])
        browse(c, r, t, counts, log, i, k, origin, led_from)
        for f in range(r.links):
            if r.link_source[f] == k and c.last[i, r.link_target[f]] != t.day:
                # a consumer's own 30-day blocks are staggered, so that links do not come in bursts
                block = (t.day + 30000 + i % 30) // 30
                if before < block * 30 - 30000 - i % 30:
                    w, _, _, _ = words(r.link_key[f], i, block, 1)
                    if unit(w) < r.link_rate[f]:
                        todo[n, 0], todo[n, 1], todo[n, 2] = r.link_target[f], FROM_LINK, k
                        n += 1


@melted
def browse(c: Consumers, r: Rules, t: Today, counts, log, i, k, origin, led_from):
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
            ask(r, counts, log, i, k, origin, w3, 0, led_from)
            return
    if c.people[i].stage == S_S:
        mood = np.float64(w2 & np.uint64(0xFFFF)) / 65536.0
        if mood < BOUNCES:
            leave_search(c, r, counts, i, day)
        elif mood < BOUNCES + CARTS:
            move(c, counts, i, 7, day + CART)
        else:
            c.due[i] = day + LINGER


@melted
def _take_part(c: Consumers, r: Rules, counts, log, i, k, w0, w1):
    """A past customer on the community's channel: with a seat, may pass a link on; without, may ask for a seat."""
    if c.people[i].flags & SEAT:
        if np.float64(w0 & np.uint64(0xFFFF)) < r.share_rate * 65536.0:
            note(counts, log, SHARE, i, k, 0, 0, 0, -1)
    elif np.float64(w1 & np.uint64(0xFFFF)) < r.join_per_visit * 65536.0:
        note(counts, log, JOIN, i, k, r.minutes[(w1 >> np.uint64(16)) & np.uint64(4095)], 0, 0, -1)


@melted
def ask(r: Rules, counts, log, i, k, origin, word, ordinal, led_from):
    """Write an order request; its minute comes from bits of `word` that decided nothing else."""
    note(counts, log, DEMAND, i, k, r.minutes[word & np.uint64(4095)], origin, ordinal, led_from)
