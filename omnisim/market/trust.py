"""What stock-outs, cancelled orders and late deliveries leave with a consumer: a mark that fades."""

from __future__ import annotations

import numpy as np

from omnisim.compiled import melted
from omnisim.market.consumers import Consumers
from omnisim.market.rules import TRUST_DAYS, Rules

FULL = 255.0
"""A mark is kept in 255ths."""


@melted
def distrust(c: Consumers, r: Rules, i, day):
    """The mark on consumer i today, between 0 and 1."""
    mark = np.float64(c.people[i].mark)
    if mark == 0.0:
        return 0.0
    return mark / FULL * r.decay_trust[min(max(day - np.int64(c.people[i].mark_day), 0), TRUST_DAYS - 1)]


@melted
def leave_mark(c: Consumers, r: Rules, i, day, share):
    """A further mark: x becomes x + share (1 - x)."""
    if share > 0.0:
        x = distrust(c, r, i, day)
        c.people[i].mark = np.uint8((x + share * (1.0 - x)) * FULL + 0.5)
        c.people[i].mark_day = day
