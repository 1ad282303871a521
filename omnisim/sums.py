"""Sums by key, added to by kernels: open addressing with linear probing (Knuth, The Art of Computer Programming, 6.4).

The order in which keys arrive shows in no result: `items` gives them by key.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.compiled import kernel, melted
from omnisim.processor import prefetch

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
S32, ONE = np.uint64(32), np.uint64(1)


class Sums(NamedTuple):
    """Whole numbers added up by key."""

    keys: NDArray[np.uint64]
    """(2^m,) key + 1, or 0 where nothing is"""
    values: NDArray[np.int64]
    """(2^m, columns)"""
    used: NDArray[np.int64]
    """(1,) number of keys"""


def empty_sums(columns: int, size: int = 256) -> Sums:
    """No keys yet; `size` is a power of two."""
    return Sums(np.zeros(size, np.uint64), np.zeros((size, columns), np.int64), np.zeros(1, np.int64))


@melted
def row_of(sums: Sums, key):
    """The row of a key, which is given one if it has none; there must be room (`with_room`)."""
    mask = np.uint64(sums.keys.size - 1)
    wanted = np.uint64(key) + ONE
    at = (wanted * GOLDEN >> S32) & mask
    while sums.keys[at] != wanted:
        if sums.keys[at] == np.uint64(0):
            sums.keys[at] = wanted
            sums.used[0] += 1
            break
        at = (at + ONE) & mask
    return np.int64(at)


@melted
def ask_for_row(sums: Sums, key):
    """Ask for the memory in which `row_of` will look first."""
    at = np.int64(((np.uint64(key) + ONE) * GOLDEN >> S32) & np.uint64(sums.keys.size - 1))
    prefetch(sums.keys, at)
    prefetch(sums.values, at)


@kernel
def _move(old: Sums, new: Sums):
    for n in range(old.keys.size):
        if old.keys[n] != np.uint64(0):
            row = row_of(new, old.keys[n] - ONE)
            for column in range(old.values.shape[1]):
                new.values[row, column] = old.values[n, column]


@kernel
def count(sums: Sums, keys):
    """Add one to the first column of each key."""
    for n in range(keys.size):
        sums.values[row_of(sums, keys[n]), 0] += 1


@melted
def has_room(sums: Sums, more):
    """Whether so many more keys leave a third of the sums empty."""
    return 3 * (sums.used[0] + more) <= 2 * sums.keys.size


def with_room(sums: Sums, more: int) -> Sums:
    """The same sums with room for so many more keys."""
    size = sums.keys.size
    while 3 * (int(sums.used[0]) + more) > 2 * size:
        size *= 2
    if size == sums.keys.size:
        return sums
    larger = empty_sums(sums.values.shape[1], size)
    _move(sums, larger)
    return larger


def items(parts: Sequence[Sums]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Keys in ascending order and their sums over several tables: uint64 (n,), int64 (n, columns)."""
    keys = np.concatenate([part.keys[part.keys > 0] - ONE for part in parts])
    values = np.concatenate([part.values[part.keys > 0] for part in parts])
    unique, place = np.unique(keys, return_inverse=True)
    total = np.zeros((unique.size, values.shape[1]), np.int64)
    np.add.at(total, place, values)
    return unique, total
