"""Draws: the published generator, keyed, uniform, and fixed to the consumer whatever the split."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from omnisim.compiled import kernel
from omnisim.streams import (
    CHUNK,
    DAY_ZERO,
    DRAW,
    chunk_words,
    hashes,
    key,
    neighbour,
    philox,
    refine,
    scan_draws,
    spread,
    unit,
    words,
)

WORD = st.integers(0, 2**32 - 1)


def reference(counter: tuple[int, ...], k: tuple[int, int]) -> tuple[int, ...]:
    """Philox-4x32 as printed in Salmon et al. 2011, with seven rounds, in whole numbers."""
    c0, c1, c2, c3 = counter
    k0, k1 = k
    for _ in range(7):
        p0, p1 = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = p1 >> 32 ^ c1 ^ k0, p1 & 0xFFFFFFFF, p0 >> 32 ^ c3 ^ k1, p0 & 0xFFFFFFFF
        k0, k1 = k0 + 0x9E3779B9 & 0xFFFFFFFF, k1 + 0xBB67AE85 & 0xFFFFFFFF
    return c0, c1, c2, c3


def halves(k: np.uint64) -> tuple[int, int]:
    return int(k) & 0xFFFFFFFF, int(k) >> 32


@pytest.mark.parametrize(("counter", "k", "out"), [
    ((0, 0, 0, 0), (0, 0), (0x5F6FB709, 0x0D893F64, 0x4F121F81, 0x4F730A48)),
    ((2**32 - 1,) * 4, (2**32 - 1,) * 2, (0x5207DDC2, 0x45165E59, 0x4D8EE751, 0x8C52F662)),
    ((0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344), (0xA4093822, 0x299F31D0),
     (0x4DFCCABA, 0x190A87F0, 0xC47362BA, 0xB6B5242A)),
])
def test_philox_gives_the_published_vectors(counter: tuple[int, ...], k: tuple[int, ...], out: tuple[int, ...]) -> None:
    assert tuple(map(int, philox(*map(np.uint64, counter), *map(np.uint64, k)))) == out
    assert reference(counter, k) == out


@given(consumer=st.integers(0, 2**40), day=st.integers(-1830, 3660), level=st.integers(0, 100), seed=WORD)
def test_words_place_consumer_day_and_level_in_the_counter(consumer: int, day: int, level: int, seed: int) -> None:
    k = key(seed, 0, "visit", "shop")
    counter = (consumer & 0xFFFFFFFF, day + DAY_ZERO, level, consumer >> 32)
    assert tuple(map(int, words(k, consumer, day, level))) == reference(counter, halves(k))


def test_a_consumers_scan_draw_depends_on_nothing_but_the_consumer() -> None:
    """Those of counter (i // CHUNK) · CHUNK / 8 + (i mod CHUNK / 2) // 4: no split."""
    k = key(7, 3, "exposure", "douyin")
    bits, blocks, slots = DRAW, CHUNK * DRAW // 128, 64 // DRAW
    for i in (0, 1, 2, 3, 4, 9, CHUNK // 2, CHUNK - 1, CHUNK, 5 * CHUNK + 777, 48_827 * CHUNK + 3 * blocks + 11):
        chunk, place = divmod(i, CHUNK)
        half, rest = divmod(place, CHUNK // 2)
        block, slot = divmod(rest, slots)
        out = reference((chunk * blocks + block, DAY_ZERO - 12, 0, 0), halves(k))
        two_words = out[2 * half] << 32 | out[2 * half + 1]
        assert int(scan_draws(k, chunk, -12)[place]) == two_words >> slot * bits & (1 << bits) - 1


def draws(k: np.uint64, day: int, chunks: int = 50) -> np.ndarray:
    return np.concatenate([scan_draws(k, chunk, day) for chunk in range(chunks)])


def test_scan_draws_are_uniform() -> None:
    found = draws(key(1, 0, "visit", "shop"), 0)
    assert stats.chisquare(np.bincount(found >> 8, minlength=256)).pvalue > 1e-4
    assert stats.chisquare(np.bincount(found & 255, minlength=256)).pvalue > 1e-4


@pytest.mark.parametrize("other", [
    (key(2, 0, "visit", "shop"), 0), (key(1, 1, "visit", "shop"), 0), (key(1, 0, "exposure", "shop"), 0),
    (key(1, 0, "visit", "store"), 0), (key(1, 0, "visit", "shop"), 1)], ids=["seed", "replication", "decision",
                                                                             "channel", "day"])
def test_draws_of_different_keys_and_days_are_independent(other: tuple[np.uint64, int]) -> None:
    one, two = draws(key(1, 0, "visit", "shop"), 0), draws(*other)
    assert stats.chi2_contingency(np.histogram2d(one, two, 8)[0]).pvalue > 1e-4


@kernel
def _chunk_words(out, blocks, chunk, day, k, kind):
    chunk_words(out, blocks, chunk, day, k, kind)


@given(blocks=st.integers(0, 20), chunk=st.integers(0, 48_827), day=st.integers(-1830, 3660), kind=st.integers(0, 3))
def test_words_of_a_chunk_place_chunk_day_kind_and_block_in_the_counter(blocks: int, chunk: int, day: int,
                                                                         kind: int) -> None:
    k, out = key(3, 1, "exposure", "douyin"), np.zeros(4 * 32, np.uint32)
    _chunk_words(out, blocks, chunk, day, k, kind)
    for b in range(blocks):
        assert tuple(out[4 * b:4 * b + 4].tolist()) == reference((chunk, day + DAY_ZERO, 0, b | kind << 30), halves(k))


def test_keys_never_meet() -> None:
    keys = {int(key(s, r, d, c)) for s in range(12) for r in range(12) for d in ("visit", "reach") for c in ("", "a")}
    assert len(keys) == 12 * 12 * 2 * 2  # so seed 1, replication 11 is not seed 11, replication 1


def test_hashes_are_the_first_words() -> None:
    k, who = key(1, 0, "order"), np.array([5, 0, 2**33])
    np.testing.assert_array_equal(hashes(k, who, 9, 2), [int(words(k, i, 9, 2)[0]) for i in who])


@given(coarse=st.integers(0, 65535), fine=WORD)
def test_a_refined_draw_starts_with_the_scan_draw(coarse: int, fine: int) -> None:
    """So whoever a bound misses would not have been hit by the exact probability below it either."""
    u = refine(np.uint16(coarse), np.uint64(fine))
    assert coarse < u * 2**DRAW < coarse + 1
    assert u == unit(np.uint64(coarse << 32 - DRAW | fine & (1 << 32 - DRAW) - 1))


def test_units_lie_strictly_between_zero_and_one() -> None:
    assert 0.0 < unit(np.uint64(0)) < unit(np.uint64(2**32 - 1)) < 1.0
    assert unit(np.uint64(2**31)) == pytest.approx(0.5, abs=1e-9)


@pytest.mark.parametrize("first", [0, 123_456])
def test_spread_covers_any_run_of_consumers_evenly(first: int) -> None:
    """Discrepancy of golden-ratio steps falls as log n / n; independent draws would leave 0.01 here."""
    u = np.sort([spread(key(1, 0, "affinity"), i) for i in range(first, first + 10_000)])
    ideal = (np.arange(10_000) + 0.5) / 10_000
    assert np.abs(u - ideal).max() < 0.001
    assert spread(key(1, 0, "affinity"), first) != spread(key(2, 0, "affinity"), first)


@given(size=st.integers(2, 10**9), share=st.floats(0, 1, exclude_max=True), place=st.integers(0, 19))
def test_nobody_is_a_neighbour_of_oneself(size: int, share: float, place: int) -> None:
    me = int(share * size)
    other = neighbour(key(1, 0, "graph"), me, place, size)
    assert 0 <= other < size and other != me


def test_neighbours_are_anybody_with_equal_chance() -> None:
    k = key(1, 0, "graph")
    found = np.array([neighbour(k, 4, place, 11) for place in range(20_000)])
    counts = np.bincount(found, minlength=11)
    assert counts[4] == 0
    assert stats.chisquare(np.delete(counts, 4)).pvalue > 1e-4
