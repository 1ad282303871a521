"""Alias tables: each place gets exactly its share of all words."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from omnisim.alias import WORDS, alias_table, pick
from omnisim.compiled import kernel


def words_of(table: np.ndarray) -> np.ndarray:
    """How many of the 2^32 words fall to each place, counted from the table alone."""
    n = table.size
    stay, other = (table // n).astype(np.int64), table % n
    found = stay.copy()
    np.add.at(found, other, WORDS // n - stay)
    return found


def shares(weights: list[float]) -> np.ndarray:
    """Whole shares of the words by weight."""
    sums = np.cumsum(weights)
    ends = np.rint(sums / sums[-1] * WORDS).astype(np.int64)
    return np.diff(ends, prepend=0)


@kernel
def picked(table, word):
    return pick(table, np.uint32(word))


WEIGHT = st.one_of(st.just(0.0), st.floats(1e-9, 1e9))


@given(st.integers(0, 7).flatmap(lambda b: st.lists(WEIGHT, min_size=2**b, max_size=2**b)).filter(any))
def test_every_place_gets_exactly_its_share(weights: list[float]) -> None:
    wanted = shares(weights)
    np.testing.assert_array_equal(words_of(alias_table(wanted)), wanted)


@given(st.lists(WEIGHT, min_size=16, max_size=16).filter(any), st.integers(0, WORDS - 1))
def test_a_word_falls_where_the_table_says(weights: list[float], word: int) -> None:
    table = alias_table(shares(weights))
    place, rest = word % 16, word // 16
    expected = place if rest < int(table[place]) // 16 else int(table[place]) % 16
    assert picked(table, word) == expected


def test_a_table_is_laid_out_without_using_up_the_shares() -> None:
    wanted = shares([1.0, 2.0, 3.0, 10.0])
    before = wanted.copy()
    alias_table(wanted)
    np.testing.assert_array_equal(wanted, before)
