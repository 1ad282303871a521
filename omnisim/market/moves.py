"""The consumer's stages: which event leads from which stage to which.

A consumer has one stage, the last that a transition led to. An event finds its transition by the stage it meets;
where the table of transitions has no way on, the event happens and the stage stays. Every move is counted.
"""

from __future__ import annotations

import numpy as np

from omnisim.compiled import inner, melted
from omnisim.market.consumers import (
    CUSTOMER,
    MEMBER,
    NEVER,
    S_A,
    S_B,
    S_C,
    S_D,
    S_F,
    S_I,
    S_K,
    S_L,
    S_M,
    S_P,
    S_R,
    S_S,
    S_X,
    S_Z,
    Consumers,
    E,
    U,
)
from omnisim.market.rules import DECAY_DAYS, GRADES, Rules
from omnisim.streams import unit, words
from omnisim.vocabulary import STATE_INDEX, TRANSITIONS

TARGET = np.array([STATE_INDEX[t.target] for t in TRANSITIONS], np.uint8)
SOURCE = np.array([STATE_INDEX[t.source] for t in TRANSITIONS], np.uint8)
LINGER = 2
"""Days that an undecided visitor goes on searching."""
CART = 3
"""Days that a full cart waits."""


@melted
def move(c: Consumers, counts, i, transition, due):
    """Make transition t01 … t39 (given as 1 … 39), set when the new stage times out, and count it."""
    c.people[i].stage = TARGET[transition - 1]
    c.due[i] = due
    counts.moves[transition - 1] += counts.scale


@melted
def interest_on(c: Consumers, r: Rules, i, day):
    """Interest today: 1 - (1 - long)(1 - short), each decayed since it was written."""
    age = min(day - np.int64(c.people[i].interest_day), DECAY_DAYS - 1)
    return 1.0 - ((1.0 - np.float64(c.people[i].interest_long) * r.decay[age, 0])
                  * (1.0 - np.float64(c.people[i].interest_short) * r.decay[age, 1]))


@melted
def bound_of_interest(x):
    """Interest in 1/65536, rounded up; a grain more covers its rounding to single precision."""
    return np.uint16(min(65535.0, x * 65536.0 + 2.0)) if x > 0.0 else np.uint16(0)


@melted
def add_interest(c: Consumers, r: Rules, i, day, half):
    """An exposure: interest x becomes x + q (1 - x), shared evenly: each part moves by half = 1 - √(1 - q)."""
    # who never had any interest has two parts of 0, written on a day long past
    age = min(day - np.int64(c.people[i].interest_day), DECAY_DAYS - 1)
    long = np.float64(c.people[i].interest_long) * r.decay[age, 0]
    short = np.float64(c.people[i].interest_short) * r.decay[age, 1]
    long += half * (1.0 - long)
    short += half * (1.0 - short)
    c.people[i].interest_long = long
    c.people[i].interest_short = short
    c.people[i].interest_day = day
    if r.searched:
        c.keen[i] = bound_of_interest(1.0 - (1.0 - long) * (1.0 - short))


@melted
def look_again(c: Consumers, r: Rules, i, day):
    """A day after `day`, no later than the first on which interest lies below the threshold if nothing raises it.

    Read off a table of interest rounded down; whoever is still interested on that day is looked at again.
    """
    age = min(day - np.int64(c.people[i].interest_day), DECAY_DAYS - 1)
    long = np.float64(c.people[i].interest_long) * r.decay[age, 0]
    short = np.float64(c.people[i].interest_short) * r.decay[age, 1]
    grade = r.fades[np.int64(np.sqrt(np.float32(long)) * GRADES),
                    np.int64(np.sqrt(np.float32(short)) * GRADES)]
    return day + max(np.int64(1), np.int64(grade))


@melted
def meet(c: Consumers, r: Rules, counts, i, day, paid):
    """The consumer sees the brand: unaware becomes exposed, lost is won again by paid reach, and interest may wake."""
    if c.people[i].stage == U:
        move(c, counts, i, 1, NEVER)
    elif c.people[i].stage == S_L and paid:
        move(c, counts, i, 33, NEVER)
    if c.people[i].stage == E and interest_on(c, r, i, day) >= r.threshold:
        move(c, counts, i, 2, look_again(c, r, i, day))
        return True
    return False


@melted
def start_search(c: Consumers, counts, i, day):
    """A visit by somebody who is not deciding yet: unaware, exposed and interested consumers start to search."""
    if c.people[i].stage == U:
        move(c, counts, i, 1, NEVER)
    if c.people[i].stage == E:
        move(c, counts, i, 3, day + LINGER)
    elif c.people[i].stage == S_I:
        move(c, counts, i, 4, day + LINGER)


@melted
def lock_intent(c: Consumers, counts, i, day, member_day, flash):
    """Somebody is about to order: lead the stage to intent (cart, coupon, deposit) where the table has a way."""
    start_search(c, counts, i, day)
    stage = c.people[i].stage
    if stage == S_B:
        move(c, counts, i, 36, day + LINGER)
    elif stage == S_X:
        move(c, counts, i, 35, day + LINGER)
    elif stage == S_M and member_day:
        move(c, counts, i, 38, day + LINGER)
    elif stage == S_L:
        move(c, counts, i, 33, NEVER)
        move(c, counts, i, 3, day + LINGER)
    if c.people[i].stage == S_S:
        move(c, counts, i, 7, day + CART)
    elif c.people[i].stage == S_C:
        move(c, counts, i, 8, day + CART)
    elif c.people[i].stage == S_D and flash:
        move(c, counts, i, 37, day + CART)


@melted
def leave_search(c: Consumers, r: Rules, counts, i, day):
    """The search ends without an order: who is interested goes back to interest, the others bounce."""
    if interest_on(c, r, i, day) >= r.threshold:
        move(c, counts, i, 39, look_again(c, r, i, day))
    else:
        move(c, counts, i, 9, NEVER)


@melted
def pay(c: Consumers, r: Rules, counts, i, day, minute):
    """An order is filled: intent and impulse become an order; members, seat holders and dormant customers come back."""
    stage = c.people[i].stage
    if stage == S_K or stage == S_S:
        move(c, counts, i, 10 if stage == S_K else 12, day + 1)
        if minute < r.cutoff:
            move(c, counts, i, 13, NEVER)
    elif stage == S_M:
        move(c, counts, i, 22, day + r.dormant_after)
    elif stage == S_D:
        move(c, counts, i, 23, day + r.dormant_after)
    elif stage == S_Z:
        move(c, counts, i, 31, day + r.dormant_after)
    elif stage == S_X:
        c.due[i] = day + r.dormant_after


@melted
def time_out(c: Consumers, r: Rules, counts, i, day):
    """What happens to a stage when its time is over. Draws `after` for the end of a return or complaint."""
    stage = c.people[i].stage
    c.due[i] = NEVER
    if stage == S_I:
        if interest_on(c, r, i, day) < r.threshold:
            move(c, counts, i, 5, NEVER)
        else:
            c.due[i] = look_again(c, r, i, day)
    elif stage == S_S:
        leave_search(c, r, counts, i, day)
    elif stage == S_C:
        move(c, counts, i, 8, day + CART)
    elif stage == S_K:
        move(c, counts, i, 11, day + 1)
    elif stage == S_P:
        move(c, counts, i, 13, NEVER)
    elif stage == S_R:
        w, _, _, _ = words(r.key_after, i, day, 2)
        if unit(w) < r.recovery:
            move(c, counts, i, 16, max(day + 1, np.int64(c.people[i].order_day) + r.dormant_after))
        else:
            move(c, counts, i, 17, NEVER)
    elif stage == S_A:
        move(c, counts, i, 34, max(day + 1, np.int64(c.people[i].order_day) + r.dormant_after))
    elif stage == S_B or stage == S_M or stage == S_X:
        quiet_until = np.int64(c.people[i].order_day) + r.dormant_after
        if quiet_until > day:
            c.due[i] = quiet_until
        else:
            move(c, counts, i, 27 if stage == S_B else (28 if stage == S_M else 29), day + r.lost_after)
    elif stage == S_Z:
        move(c, counts, i, 32, NEVER)


@melted
def receive(c: Consumers, r: Rules, counts, i, day, repeat):
    """A parcel arrives and is kept."""
    if c.people[i].stage == S_F:
        due = max(day + 1, np.int64(c.people[i].order_day) + r.dormant_after)
        move(c, counts, i, 14, due)
        if repeat:
            move(c, counts, i, 21, due)


@inner
def replace(c: Consumers, counts, i):
    """A consumer leaves the market and a newcomer with the same affinity and platforms takes the place."""
    counts.renewed[c.people[i].stage] -= counts.scale
    counts.renewed[U] += counts.scale
    c.people[i].stage = U
    c.people[i].flags &= ~np.uint8(CUSTOMER | MEMBER | 2)
    c.people[i].interest_long = c.people[i].interest_short = 0.0
    c.people[i].interest_day = NEVER
    c.keen[i] = 0
    c.due[i] = NEVER
    c.need[i] = 0
    c.people[i].orders = 0
    c.people[i].first_day = NEVER
    c.people[i].order_day = NEVER
    c.people[i].path = 0
    c.people[i].mark = 0
    for k in range(c.last.shape[1]):
        c.last[i, k] = NEVER
