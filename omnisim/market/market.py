"""The market: consumers, what they remember, and what passes between them overnight."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MEASURE
from omnisim.market import community, journey, orders
from omnisim.market.consumers import ALIVE, NEVER, S_B, S_D, S_M, S_X, SEAT, Consumers, allocate, settle_in
from omnisim.market.day import (
    CHANNEL,
    CONSUMER,
    DEMAND,
    ENDED,
    JOIN,
    KIND,
    MINUTE,
    ORDINAL,
    SHARE,
    Counts,
    Today,
    empty_counts,
)
from omnisim.market.moves import SOURCE, TARGET
from omnisim.market.reach import Media, open_media, sum_affinity
from omnisim.market.rules import Rules, active_channels, compile_rules
from omnisim.scenario.model import Scenario
from omnisim.streams import CHUNK, hashes

Ints = NDArray[np.int64]
SEARCHES, CONSULTATIONS = MEASURE["searches"], MEASURE["consultations"]


@dataclass
class Demand:
    """What consumers want to buy today, in order of settlement.

    Parameters
    ----------
    requests : int64 (n, 7)  rows of the log, see `journey`
    sku, quantity : int64 (n,)  article, and units by simulated consumer
    units : int64 (n,)  units of the real market
    """

    requests: Ints
    sku: Ints
    quantity: Ints
    units: Ints


@dataclass
class Market:
    """Everything about consumers that lasts from one day to the next."""

    rules: Rules
    media: Media
    consumers: Consumers
    seats: community.Seats
    parts: list[tuple[int, int]]
    renewal: int
    stages: Ints
    news: Ints = field(default_factory=lambda: np.empty((0, 3), np.int64))
    searches: NDArray[np.float64] = field(init=False)
    consultations: int = 0
    counts: Counts = field(init=False)
    today: Today = field(init=False)
    shares: Ints = field(init=False)
    joins: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.searches = np.zeros(self.rules["channels"])

    def live(self, today: Today, pool: ThreadPoolExecutor | None) -> tuple[Demand, NDArray[np.uint32]]:
        """All consumers live through the day up to the checkout.

        Returns
        -------
        demand, and the journeys that ended without an order
        """
        rules = self.rules
        edges = [low for low, _ in self.parts[1:]]
        split = np.searchsorted(self.news[:, 0], edges)
        news = np.split(self.news, split)
        counts = [empty_counts(self.rules) for _ in self.parts]
        tasks: list[Any] = [(self.consumers, rules, today, counts[n], np.ascontiguousarray(news[n]), low, high,
                             self.renewal)
                            for n, (low, high) in enumerate(self.parts)]
        if pool is None:
            found = [journey.live_a_day(*task) for task in tasks]
        else:
            found = [f.result() for f in [pool.submit(journey.live_a_day, *task) for task in tasks]]
        self.today, self.counts = today, add_counts(counts)
        self.news = np.empty((0, 3), np.int64)
        log = np.concatenate(found)
        asked = {kind: log[log[:, KIND] == kind] for kind in (DEMAND, JOIN, SHARE, ENDED)}
        self.joins = asked[JOIN][:, [CONSUMER, MINUTE]]
        self.shares = np.sort(asked[SHARE][:, CONSUMER])
        requests = asked[DEMAND]
        keys = orders.settlement_keys(rules, requests, today["day"])
        requests = requests[np.lexsort((requests[:, ORDINAL], requests[:, CONSUMER], keys, requests[:, MINUTE]))]
        sku, quantity = orders.fill_baskets(rules, self.consumers, requests, today["day"])
        ended = asked[ENDED][:, CHANNEL].astype(np.uint32)
        return Demand(requests, sku, quantity, quantity * rules["scale"]), ended

    def deliver(self, parcels: NDArray[np.void], skus: int) -> Ints:
        """Parcels reach consumers; returns the units fit to be sold again, by article."""
        restocked = np.zeros(skus, np.int64)
        joins = np.empty((parcels.size, 2), np.int64)
        news = np.empty((parcels.size * (self.rules["audience"] + 1), 3), np.int64)
        n_joins, n_news = orders.deliver(self.consumers, self.rules, self.today, self.counts, parcels, joins, news,
                                         restocked)
        self.joins = np.concatenate([self.joins, joins[:n_joins]])
        self.hear(news[:n_news])
        return restocked

    def meet_in_groups(self, budget: int) -> None:
        """Seats are given out, links are passed on, some members leave."""
        rules = self.rules
        if self.joins.size:
            keys = hashes(rules["key_private"], self.joins[:, 0], self.today["day"], 2)
            self.joins = self.joins[np.lexsort((self.joins[:, 0], keys, self.joins[:, 1]))]
        community.give_seats(self.consumers, rules, self.today, self.counts, self.seats, self.joins)
        most = (self.shares.size + int(self.seats.taken[0])) * int(rules["readers"] + rules["audience"])
        news = np.empty((most, 3), np.int64)
        drawn = hashes(rules["key_private"], self.seats.holders[:self.seats.taken[0]], self.today["day"], 4)
        luck = np.empty(drawn.size, np.int64)
        luck[np.argsort(drawn, kind="stable")] = np.arange(drawn.size)
        # exactly as many members as the money pays, those with the lowest draws: the budget is never exceeded
        bar = min(luck.size, budget // int(rules["share_reward"] * rules["scale"])) - 1
        n = community.live_in_groups(self.consumers, rules, self.today, self.counts, self.seats, self.shares, luck,
                                     bar, news)
        self.hear(news[:n])

    def hear(self, news: Ints) -> None:
        """Keep what is passed on until tomorrow."""
        self.news = np.concatenate([self.news, news])

    def close(self) -> Counts:
        """End the day: what everybody learns from others, and the stages at midnight."""
        self.news = self.news[np.lexsort((self.news[:, 2], self.news[:, 1], self.news[:, 0]))]
        tally = self.counts["tally"].sum(axis=0)
        n = self.searches.size
        self.searches = tally[:n, SEARCHES] / self.today["coverage"][:n]
        self.consultations = int(tally[:, CONSULTATIONS].sum())
        moved = self.counts["moves"].copy()
        moved[25] = 0  # an advocate who exposes a neighbour does not move
        np.add.at(self.stages, TARGET, moved)
        np.subtract.at(self.stages, SOURCE, moved)
        self.stages += self.counts["renewed"]
        return self.counts


def add_counts(parts: Sequence[Counts]) -> Counts:
    """The sum of the parts' counts."""
    total = parts[0]
    for part in parts[1:]:
        for name in ("tally", "moves", "renewed", "segments", "flows"):
            total[name] += part[name]
    return total


def split_population(size: int, parts: int) -> list[tuple[int, int]]:
    """Consecutive parts of nearly equal size, at multiples of a chunk."""
    chunks = -(-size // CHUNK)
    edges = [min(size, chunks * n // parts * CHUNK) for n in range(parts)] + [size]
    return [(low, high) for low, high in pairwise(edges) if high > low]


def open_market(scenario: Scenario, seed: int, replication: int, parts: list[tuple[int, int]], *,
                looseness: float = 1.0, pool: ThreadPoolExecutor | None = None) -> Market:
    """The market on the morning of the first simulated day."""
    rules = compile_rules(scenario, seed, replication, looseness=looseness)
    n, channels = scenario.population.size, len(active_channels(scenario))
    consumers = allocate(n, channels)
    if pool is None:
        for low, high in parts:
            settle_in(consumers, rules, low, high)
    else:
        list(pool.map(lambda part: settle_in(consumers, rules, *part), parts))
    grains = sum((sum_affinity(consumers, low, high, channels) for low, high in parts), np.zeros(channels, np.int64))
    seats = _first_seats(scenario, rules, consumers)
    stages = np.bincount(consumers.people["stage"], minlength=16).astype(np.int64) * rules["scale"]
    renewal = scenario.population.renewal
    return Market(rules, open_media(scenario, grains), consumers, seats, parts,
                  round(365 / renewal) if renewal > 1e-6 else 0, stages)


def _first_seats(scenario: Scenario, rules: Rules, consumers: Consumers) -> community.Seats:
    """Seat the members of the first day: live customers with the smallest keyed hash, so that the number is exact."""
    groups = scenario.community
    seats = groups.seats // int(rules["scale"]) if groups and rules["community"] >= 0 else 0
    seats = min(seats, scenario.population.size)  # nobody sits on two
    holders = np.full(seats, -1, np.int64)
    people = consumers.people
    live = np.flatnonzero(people["flags"] & ALIVE)
    wanted = min(groups.members // int(rules["scale"]) if groups else 0, seats, live.size)
    keys = hashes(rules["key_private"], live, 0, 3)
    chosen = np.sort(live[np.argsort(keys, kind="stable")[:wanted]])
    holders[:wanted] = chosen
    people["flags"][chosen] |= SEAT
    seated = chosen[np.isin(people["stage"][chosen], (S_B, S_M, S_X))]
    people["stage"][seated], consumers.due[seated] = S_D, NEVER
    community.prompt_members(consumers, rules, chosen, rules["first_day"])
    return community.Seats(holders, np.array([wanted], np.int64))
