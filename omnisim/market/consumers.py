"""The consumers as a structure of arrays, and how they stand before the first day.

Forty-two bytes a consumer and a little more than four for each channel. Nothing that can be recomputed from a keyed
draw is stored: a consumer's own purchase rate, lapse probability and neighbours come from their key when needed.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.alias import WORDS, lay_alias
from omnisim.compiled import inner, kernel, melted
from omnisim.market.rules import Rules
from omnisim.portable import exp, log, quantile
from omnisim.processor import LANES
from omnisim.streams import CHUNK, fine_draws, neighbour, spread, unit, words
from omnisim.vocabulary import STATE_INDEX

NEVER = -32768
"""Day of something that has not happened; also a time-out that will not come."""

FULL16 = 65535

NEIGHBOURS = np.uint64(20)
"""Length of everybody's list of neighbours; invitations, readers and audiences are not longer."""

CUSTOMER = 1
"""Has ordered."""
ALIVE = 2
"""Has not lapsed: buys again when the need comes."""
MEMBER = 4
SEAT = 8
"""Sits in the community."""

U, E, S_I, S_S, S_C, S_K, S_P, S_F, S_B, S_R, S_M, S_D, S_X, S_A, S_Z, S_L = range(16)
assert "".join(STATE_INDEX) == "UEISCKPFBRMDXAZL"


PERSON = np.dtype([
    ("affinity", "f4"),       # how much more than the average a consumer meets and seeks the brand (mean 1)
    ("interest_long", "f4"), ("interest_short", "f4"),
    ("path", "u4"),           # touches since the last order, five bits each, the newest lowest
    ("interest_day", "i2"),   # day on which interest was last written; it decays from there when it is read
    ("touched", "i2"),        # day of the newest touch
    ("first_day", "i2"),      # day of the first order
    ("order_day", "i2"),      # day of the last order
    ("stage", "u1"), ("flags", "u1"), ("segment", "u1"),
    ("orders", "u1"),         # orders so far, at most 255
    ("home", "u1"),           # channel of the last order
    ("mark", "u1"),           # what bad service has left, in 255ths, on mark_day; it fades from there
    ("mark_day", "i2"),
])
"""What is read together when something happens to a consumer: 32 bytes, half a cache line."""


CACHE_LINE = 64


class Consumers(NamedTuple):
    """The population, n consumers; what is scanned every day lies in arrays of its own.

    What is scanned has room for whole chunks; beyond the population nobody is met.
    """

    people: NDArray[np.void]
    """PERSON (n,)"""
    lots: NDArray[np.uint32]
    """(n,) for each chunk an alias table: a word falls to one of its consumers, by affinity"""
    mass: NDArray[np.float64]
    """(chunks,) sum of affinity"""
    users: NDArray[np.uint64]
    """(channels, n / 64) one bit a consumer: whether the consumer uses the channel"""
    due: NDArray[np.int16]
    """(n,) day on which the stage times out"""
    need: NDArray[np.uint16]
    """(n,) upper bound of the rate of repurchase, in 1/65536 a day; 0 for who is not a live customer"""
    keen: NDArray[np.uint16]
    """(n,) upper bound of interest, in 1/65536"""
    last: NDArray[np.int16]
    """(n, channels) day of the last visit"""
    bound: NDArray[np.uint16]
    """(channels, n) upper bound of the hazard of a visit without interest, in 1/65536; 0 where a channel is not used"""

    def __deepcopy__(self, memo: dict[int, object]) -> Consumers:
        """A copy whose records lie within cache lines, as these do."""
        people = _aligned(self.people.size)
        people[:] = self.people
        return self._replace(people=people, **{name: getattr(self, name).copy() for name in self._fields[1:]})


def _aligned(n: int) -> NDArray[np.void]:
    """PERSON (n,), all zero, two to a cache line."""
    room = np.zeros(n * PERSON.itemsize + CACHE_LINE, np.uint8)
    start = -room.ctypes.data % CACHE_LINE
    return room[start:start + n * PERSON.itemsize].view(PERSON)


def allocate(n: int, channels: int) -> Consumers:
    """Room for n consumers; `settle_in` makes them people whom nobody has met."""
    people = _aligned(n)
    last = np.empty((n, channels), np.int16)
    n = -(-n // CHUNK) * CHUNK
    for name in ("interest_day", "touched", "first_day", "order_day"):
        people[name] = NEVER
    return Consumers(people, np.zeros(n, np.uint32), np.zeros(n // CHUNK),
                     np.zeros((channels, n // LANES), np.uint64), np.full(n, NEVER, np.int16),
                     np.zeros(n, np.uint16), np.zeros(n, np.uint16), last,
                     np.zeros((channels, n), np.uint16))


@melted
def ceil16(hazard):
    """A hazard as an upper bound in 1/65536, at most 65535 (which always hits); 0 only for none at all.

    One more than needed, so that no bound above 0 is 1: a scan may then make everything above 0 a candidate.
    """
    if hazard <= 0.0:
        return np.uint16(0)
    if hazard >= 1.0:  # a larger number need not fit an integer
        return np.uint16(FULL16)
    return np.uint16(min(65535.0, np.float64(np.int64(hazard * 65536.0) + 2)))


@melted
def uses(c: Consumers, i, k):
    """Whether consumer i uses channel k."""
    return (c.users[k, i // LANES] >> np.uint64(i % LANES)) & np.uint64(1) != np.uint64(0)


@inner
def purchase_rate(r: Rules, i):
    """Purchase rate of consumer i [1/day]: Gamma(r) / alpha, drawn from the consumer's own key."""
    w, _, _, _ = words(r.key_person, i, 0, 2)
    return quantile(r.rate_quantiles, unit(w)) / r.rate_scale


@kernel
def settle_in(c: Consumers, rules, low, high):
    """Give consumers low ≤ i < high their segment, affinity, platforms and history as customers.

    Draws from the keys `person` and `reach`. The history is BG/NBD run exactly: first orders spread evenly over the
    brand's age, then exponential gaps at the consumer's own rate, with a lapse draw after each repeat order.
    """
    r = rules[0]
    numbers, past = np.empty(CHUNK + 8, np.uint32), np.empty(CHUNK + 8, np.uint32)
    person, reach = np.empty((4, CHUNK + 8), np.uint64), np.empty((4, CHUNK + 8), np.uint64)
    habits, own, gaps = (np.empty((4, CHUNK + 8), np.uint64), np.empty((4, CHUNK + 8), np.uint64),
                         np.empty((4, CHUNK + 8), np.uint64))
    shares, waiting = np.empty(CHUNK, np.int64), np.empty(CHUNK, np.int64)
    for a in range(low, high, CHUNK):
        n = min(CHUNK, high - a)
        for j in range(CHUNK + 8):
            numbers[j] = a + j
        fine_draws(person, numbers, 0, n, 0, r.key_person, 1)
        for j in range(n):
            i = a + j
            p = c.people[i]
            p.interest_day = p.touched = p.first_day = p.order_day = NEVER
            for k in range(r.channels):
                c.last[i, k] = NEVER
            u = unit(person[0, j])
            s = 0
            while s < r.segments - 1 and u > r.segment_edges[s]:
                s += 1
            p.segment = s
            p.affinity = quantile(r.affinity_quantiles, spread(r.key_affinity, i)) * r.affinity_scale[s]
        _draw_lots(c, a, n, shares, waiting)
        for k in range(r.channels):
            fine_draws(reach, numbers, 0, n, 0, r.key_reach[k], 1)
            bits = np.uint64(0)
            for j in range(n):
                # without branches: which of two draws counts is nothing a processor could guess
                share = r.reach[c.people[a + j].segment, k]
                alike, alone = unit(person[1, j]) < share, unit(reach[1, j]) < share
                user = alone ^ ((alike ^ alone) & (unit(reach[0, j]) < r.overlap))
                bits |= np.uint64(user) << np.uint64(j % LANES)
                if j % LANES == LANES - 1 or j == n - 1:
                    c.users[k, (a + j) // LANES] = bits
                    bits = np.uint64(0)
            if r.direct[k] > 0.0:
                for j in range(n):
                    if uses(c, a + j, k):
                        c.bound[k, a + j] = ceil16(r.direct[k] * c.people[a + j].affinity)
        found = 0
        for j in range(n):
            past[found] = a + j
            found += unit(person[2, j]) < r.past_customers
        fine_draws(habits, past, 0, found, 0, r.key_person, 0)
        fine_draws(own, past, 0, found, 0, r.key_person, 2)
        fine_draws(gaps, past, 0, found, 0, r.key_person, 3)
        for h in range(found):
            _live_until_today(c, r, np.int64(past[h]), unit(person[3, past[h] - a]), habits, own, gaps, h)


@melted
def _draw_lots(c: Consumers, a, n, shares, waiting):
    """Give each consumer of the chunk that begins at a, and holds n, words by affinity."""
    total = 0.0
    for j in range(n):
        total += np.float64(c.people[a + j].affinity)
    c.mass[a // CHUNK] = total
    if total <= 0.0:
        return  # nothing reaches the chunk
    past = 0.0
    given = np.int64(0)
    for j in range(CHUNK):
        if j < n:
            past += np.float64(c.people[a + j].affinity)
        until = np.int64(past / total * WORDS)  # the last sum is the total
        shares[j] = until - given
        given = until
    lay_alias(shares, c.lots[a:a + CHUNK], waiting)


@melted
def _live_until_today(c: Consumers, r: Rules, i, u, habits, own, gaps, h):
    """BG/NBD from the first order, a share u of the brand's age ago, to the day before the first simulated one.

    Draws, at place h: `habits` home and membership, `own` rate and lapse probability, `gaps` the first two gaps between
    orders and whether the order after each is the last; further pairs are drawn as they are needed. Gaps are
    exponential: the n-th order lies within the past as long as the product of n draws exceeds e^(-rate · past).
    """
    p = c.people[i]
    rate = quantile(r.rate_quantiles, unit(own[0, h])) / r.rate_scale
    lapse = quantile(r.lapse_quantiles, unit(own[1, h]))
    first = -u * r.past_days
    end = exp(rate * first)
    product = 1.0
    alive = True
    n = 1
    w0, w1, w2, w3 = gaps[0, h], gaps[1, h], gaps[2, h], gaps[3, h]
    while alive and n < 255:
        if product * unit(w0) <= end:
            break
        product *= unit(w0)
        alive = unit(w1) >= lapse
        n += 1
        w0, w1 = w2, w3
        if n % 2 == 1:
            w0, w1, w2, w3 = words(r.key_person, i, 0, 3 + n // 2)
    t = first - log(product) / rate if n > 1 else first
    p.orders = n
    p.first_day = max(-32000, r.first_day + np.int64(np.floor(first)))
    p.order_day = max(-32000, r.first_day + min(-1, np.int64(np.floor(t))))
    p.flags |= CUSTOMER | (ALIVE if alive else 0)
    p.home = pick_channel(c, r, i, unit(habits[0, h]))
    if unit(habits[1, h]) < r.past_members:
        p.flags |= MEMBER
    if alive:
        lift_need(c, r, i, rate)
    for k in range(r.channels):
        if r.follow[k] > 0.0 and uses(c, i, k):
            c.bound[k, i] = ceil16(r.direct[k] * p.affinity + r.follow[k])
    silent = r.first_day - np.int64(p.order_day)
    if silent >= r.dormant_after + r.lost_after:
        p.stage = S_L
    elif silent >= r.dormant_after:
        p.stage = S_Z
        c.due[i] = p.order_day + r.dormant_after + r.lost_after
    else:
        p.stage = S_X if n > 1 else (S_M if p.flags & MEMBER else S_B)
        c.due[i] = p.order_day + r.dormant_after


@inner
def lift_need(c: Consumers, r: Rules, i, rate):
    """Set the bound of a live customer's need: the own rate times all that can raise it for longer than a day."""
    if r.repeats:
        c.need[i] = ceil16(rate * (1.0 + r.member_uplift) / r.member_norm * (1.0 + r.interest_uplift)
                           * (1.0 + r.touch))


@inner
def acquaintance(r: Rules, i, start, j):
    """The j-th neighbour of consumer i in the social graph, from a drawn start in the list of neighbours."""
    return neighbour(r.key_graph, i, np.int64((start + np.uint64(j)) % NEIGHBOURS), r.consumers)


@inner
def pick_channel(c: Consumers, r: Rules, i, u):
    """A channel that sells and that consumer i uses, by repeat weight; any that sells if none is used."""
    total = 0.0
    for k in range(r.channels):
        if uses(c, i, k):
            total += r.repeat_weight[k]
    everywhere = total <= 0.0
    if everywhere:
        for k in range(r.channels):
            total += r.repeat_weight[k]
    left = u * total
    chosen = 0
    for k in range(r.channels):
        if r.repeat_weight[k] > 0.0 and (everywhere or uses(c, i, k)):
            chosen = k
            left -= r.repeat_weight[k]
            if left < 0.0:
                break
    return np.uint8(chosen)


@kernel
def take_census(c: Consumers, rules, low, high, first_day, days):
    """Consumers low ≤ i < high by stage (16,), by segment, and customers by day of their first order."""
    r = rules[0]
    stages, segments, born = np.zeros(16, np.int64), np.zeros(r.segments, np.int64), np.zeros(days, np.int64)
    for i in range(low, high):
        p = c.people[i]
        stages[p.stage] += 1
        segments[p.segment] += 1
        if p.orders > 0:
            born[max(np.int64(p.first_day) - first_day, 0)] += 1
    return stages, segments, born
