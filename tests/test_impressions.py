"""Impressions: who is hit, with which chance, once, and on the same luck under every budget."""

from __future__ import annotations

import numpy as np
import pytest
from building import channel, scenario
from scipy import stats

from omnisim.compiled import kernel
from omnisim.market.consumers import Consumers
from omnisim.market.impressions import LAYER, LAYERS, MOST_IN_LAYER, POINTS, scan_media
from omnisim.market.journey import empty_workspace
from omnisim.simulation import open_world
from omnisim.streams import CHUNK

SIZE = 2 * CHUNK + 700
"""The last chunk is not full."""


@kernel
def days_hit(c, chunks, first_day, days, rate, key, k, w, found, total):
    """How many of the days each consumer is hit, and what each day draws; -1 if somebody is hit twice on one."""
    for day in range(first_day, first_day + days):
        for chunk in range(chunks):
            w.seen[:] = 0
            hits, points = scan_media(c, k, chunk, day, rate, key, w, w.hits, 0, 1)
            total[day - first_day, 0] += hits
            total[day - first_day, 1] += points
            for h in range(hits):
                i = np.int64(w.hits[h])
                if found[day - first_day, i]:
                    return -1
                found[day - first_day, i] = True
    return 0


@pytest.fixture(scope="module")
def market() -> tuple[Consumers, np.ndarray, np.uint64]:
    """Consumers of very unequal affinity, 60 % of whom use the channel; who uses it; its key."""
    world = open_world(scenario(population={"size": SIZE, "renewal": 0.0, "affinity_shape": 0.7},
                                channels={"other": channel(), "shop": channel(reach=0.6)}), 1)
    c, rules = world.market.consumers, world.market.rules
    bits = np.unpackbits(c.users[1].view(np.uint8), bitorder="little")[:SIZE].astype(bool)
    return c, bits, rules["key_exposure"][0][1]


def hit(market: tuple[Consumers, np.ndarray, np.uint64], rate: float, days: int = 60, first: int = 0) -> np.ndarray:
    """Whether each consumer is hit, bool (days, consumers)."""
    c, _, key = market
    found, total = np.zeros((days, SIZE), bool), np.zeros((days, 2), np.int64)
    assert days_hit(c, -(-SIZE // CHUNK), first, days, rate, key, 1, empty_workspace(2), found, total) == 0
    assert (total[:, 0] == found.sum(axis=1)).all() and (total[:, 1] >= total[:, 0]).all()
    return found


@pytest.mark.parametrize("rate", [1e-3, 0.03, 0.7, 3.0, 40.0])
def test_users_are_hit_with_their_chance_and_nobody_else(market: tuple, rate: float) -> None:
    """1 - e^(-ρ θ) each, in every class of affinity; at the last rates beyond all layers."""
    c, users, _ = market
    days = 400
    count = hit(market, rate, days).sum(axis=0)
    assert not count[~users].any()
    theta = c.people["affinity"].astype(float)
    p = -np.expm1(-rate * theta)
    order = np.argsort(theta[users])
    for part in np.array_split(order, 8):
        expected = days * p[users][part].sum()
        spread = np.sqrt(days * (p * (1 - p))[users][part].sum())
        assert abs(count[users][part].sum() - expected) < 4.5 * spread + 1e-6


@pytest.mark.parametrize("rate", [0.03, 0.7, 3.0])
def test_consumers_are_hit_independently(market: tuple, rate: float) -> None:
    """The daily sum varies as that of independent consumers, and so does what neighbours have in common."""
    c, users, _ = market
    found = hit(market, rate, 1500)
    theta = c.people["affinity"].astype(float)
    p = np.where(users, -np.expm1(-rate * theta), 0.0)
    for part in (np.arange(SIZE), np.arange(CHUNK), np.arange(0, SIZE, 7)):
        ratio = found[:, part].sum(axis=1).var(ddof=1) / (p * (1 - p))[part].sum()
        assert abs(ratio - 1.0) < 4.5 * np.sqrt(2 / 1499)
    one, two = found[:, :CHUNK].sum(axis=1), found[:, CHUNK:].sum(axis=1)
    assert abs(stats.pearsonr(one, two).statistic) < 4.5 / np.sqrt(1500)
    today, tomorrow = found[:-1].sum(axis=1), found[1:].sum(axis=1)
    assert abs(stats.pearsonr(today, tomorrow).statistic) < 4.5 / np.sqrt(1499)


def test_more_money_hits_the_same_people_and_more(market: tuple) -> None:
    """From nothing to far beyond all layers, step by step."""
    before = hit(market, 0.0, 20)
    assert not before.any()
    top = LAYERS * LAYER / market[0].mass
    assert top.min() > 0.5 and top.max() < 5.0  # the rates below lie on both sides
    for rate in (1e-4, 0.01, 0.0101, 0.02, 0.3, 0.9, 1.0, 1.3, 5.0, 50.0, 1e9, 1e300):
        now = hit(market, rate, 20)
        assert (before <= now).all()
        assert now.sum() > before.sum() or now.sum() == 20 * market[1].sum()
        before = now
    assert (before == market[1]).mean() > 0.99  # nearly all users, every day


def test_one_percent_more_moves_one_percent(market: tuple) -> None:
    less, more = hit(market, 0.05, 400), hit(market, 0.0505, 400)
    assert 0.005 < (more & ~less).sum() / less.sum() < 0.015


def test_a_chunk_nobody_of_whom_is_moved_is_never_hit() -> None:
    world = open_world(scenario(population={"size": SIZE, "renewal": 0.0, "segments": [
        {"name": "deaf", "share": 1.0, "affinity": 0.0}]}), 1)
    c, key = world.market.consumers, world.market.rules["key_exposure"][0][0]
    found, total = np.zeros((5, SIZE), bool), np.zeros((5, 2), np.int64)
    assert days_hit(c, 3, 0, 5, 10.0, key, 0, empty_workspace(1), found, total) == 0
    assert not found.any()


def test_layers_hold_a_poisson_number_of_points() -> None:
    n = MOST_IN_LAYER
    stay, other = (POINTS // n).astype(float), POINTS % n
    chance = stay / 2**32
    np.add.at(chance, other, (2**32 / n - stay) / 2**32)
    np.testing.assert_allclose(chance, stats.poisson(LAYER).pmf(np.arange(n)), atol=3e-10)
    assert stats.poisson(LAYER).sf(n - 1) < 2.0**-32
