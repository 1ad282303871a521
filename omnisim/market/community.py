"""The private groups: seats given out and given up, links passed on, rewarded shares."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import GROUPS, MEASURE
from omnisim.compiled import inner, kernel
from omnisim.market.consumers import NEVER, S_B, S_D, S_M, SEAT, Consumers, acquaintance
from omnisim.market.day import Today
from omnisim.market.deliveries import advocate
from omnisim.market.journey import SHARE_CLICK
from omnisim.market.moves import move
from omnisim.market.rules import Rules
from omnisim.market.visits import lift_bound
from omnisim.streams import unit, words

JOINS, LEAVES, MEDIA = MEASURE["joins"], MEASURE["leaves"], MEASURE["media"]


class Seats(NamedTuple):
    """Who sits in the groups."""

    holders: NDArray[np.int64]
    """(seats,) consumers; only the first `taken[0]` count."""
    taken: NDArray[np.int64]


@kernel
def give_seats(c: Consumers, rules, today, counted, seats: Seats, joins):
    """Give free seats to those who ask, in the order of settlement; who finds none may ask again another time."""
    r, t, counts = rules[0], today[0], counted[0]
    for n in range(joins.shape[0]):
        i = joins[n, 0]
        if seats.taken[0] >= seats.holders.size or c.people[i].flags & SEAT:
            continue
        seats.holders[seats.taken[0]] = i
        seats.taken[0] += 1
        c.people[i].flags |= SEAT
        counts.tally[r.community, i % GROUPS, JOINS] += counts.scale
        lift_bound(c, r, i, r.community, t.day)
        if c.people[i].stage == S_B:
            move(c, counts, i, 19, NEVER)
        elif c.people[i].stage == S_M:
            move(c, counts, i, 20, NEVER)


@kernel
def prompt_members(c: Consumers, rules, members, day):
    """Let messages reach those who sit in the groups when the first day begins."""
    r = rules[0]
    for i in members:
        lift_bound(c, r, i, r.community, day)


@kernel
def live_in_groups(c: Consumers, rules, today, counted, seats: Seats, shares, luck, bar, news):
    """Members pass links on and some leave.

    Draws `private` (level 1), `refer` (levels 5 and up; 4 for advocates) for those whom they reach.

    Parameters
    ----------
    shares : int64 (s,)  members whose visit today made them pass a link on
    luck : int64 (taken,)  rank of each member's draw; those up to `bar` get a reward for passing a link on
    news : int64  written: readers who open a link tomorrow, neighbours whom advocates reach

    Returns
    -------
    number of news
    """
    r, t, counts = rules[0], today[0], counted[0]
    n_news = 0
    for n in range(shares.size):
        n_news = _pass_on(c, r, t, counts, shares[n], 0, news, n_news)
    taken = seats.taken[0]
    left = 0
    for n in range(taken):
        i = seats.holders[n]
        w, _, _, _ = words(r.key_private, i, t.day, 1)
        if luck[n] <= bar:
            counts.tally[r.community, i % GROUPS, MEDIA] -= r.share_reward * counts.scale
            n_news = _pass_on(c, r, t, counts, i, 1, news, n_news)
        if unit(w) < r.leave:
            c.people[i].flags &= ~np.uint8(SEAT)
            counts.tally[r.community, i % GROUPS, LEAVES] += counts.scale
            if c.people[i].stage == S_D:
                move(c, counts, i, 30, t.day + r.lost_after)
        else:
            seats.holders[left] = i
            left += 1
    seats.taken[0] = left
    return n_news


@inner
def _pass_on(c: Consumers, r: Rules, t: Today, counts, i, rewarded, news, n_news):
    """One link reaches the readers of one member; the sender may turn advocate."""
    w, start, _, _ = words(r.key_refer, i, t.day, 5 + rewarded)
    for j in range(r.readers):
        other = acquaintance(r, i, start, j)
        v, _, _, _ = words(r.key_refer, i, t.day, 8 + 32 * rewarded + j)
        if unit(v) < r.open_share:
            news[n_news, 0], news[n_news, 1], news[n_news, 2] = other, SHARE_CLICK, r.community
            n_news += 1
    if c.people[i].stage == S_D and unit(w) < r.community_advocates:
        n_news = advocate(c, r, t, counts, i, r.community, 25, news, n_news)
    return n_news
