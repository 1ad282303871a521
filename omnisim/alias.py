"""Alias tables: one of many, each with its own chance, by one look-up (Walker 1977; Vose 1991, "A linear algorithm for
generating random numbers with a given distribution").

A table of 2^b places splits the 2^32 values of a word evenly: the low b bits choose a place, the rest decides between
that place and its alias. Chances are whole 2^-32, as fine as the words are.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import inner, melted

WORDS = 1 << 32
"""Values of a word."""


@inner
def lay_alias(shares, table, waiting):
    """Lay out a table of 2^b places.

    Parameters
    ----------
    shares : int64 (2^b,)  how many of the words fall to each place, 2^32 in all; used up
    table : uint32 (2^b,)  written: 2^b · words that stay with the place + alias of the others
    waiting : int64 (2^b,)  scratch: places with too little from the front, with too much from the back
    """
    n = shares.size
    each = WORDS // n
    few, many = 0, n
    for j in range(n):
        table[j] = j  # none stay, and all others come back
        if shares[j] < each:
            waiting[few] = j
            few += 1
        elif shares[j] > each:
            many -= 1
            waiting[many] = j
    while few > 0:
        few -= 1
        j, rich = waiting[few], waiting[many]
        table[j] = shares[j] * n + rich
        shares[rich] -= each - shares[j]
        if shares[rich] <= each:
            many += 1
            if shares[rich] < each:
                waiting[few] = rich
                few += 1


@melted
def pick(table, word):
    """The place that a word of 32 bits falls to."""
    last = np.uint32(table.size - 1)
    place = word & last
    entry = table[place]
    return place if word ^ place < entry & ~last else entry & last


def alias_table(shares: NDArray[np.int64]) -> NDArray[np.uint32]:
    """A table for shares of the words, int64 (2^b,), 2^32 in all."""
    table = np.empty(shares.size, np.uint32)
    lay_alias.py_func(shares.copy(), table, np.empty(shares.size, np.int64))
    return table
