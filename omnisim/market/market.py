"""The market: consumers, what they remember, and what passes between them overnight."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import CLAIM, MEASURE, VERDICT
from omnisim.ledger import Ledger
from omnisim.market import community, journey, orders
from omnisim.market.consumers import ALIVE, NEVER, S_B, S_D, S_M, S_X, SEAT, Consumers, allocate, settle_in, take_census
from omnisim.market.day import Asked, Counts, Today, Workspace, add_counts, empty_counts, in_use
from omnisim.market.evening import Evening, Slate, clean_slate, pass_day, pass_evening
from omnisim.market.moves import SOURCE, TARGET
from omnisim.market.reach import Media, open_media, sum_affinity
from omnisim.market.rules import Rules, active_channels, compile_rules
from omnisim.parts import ALONE, Crew
from omnisim.scenario.model import Scenario
from omnisim.streams import CHUNK, hashes

Ints = NDArray[np.int64]
Rows = NDArray[np.void]
SEARCHES, CONSULTATIONS = MEASURE["searches"], MEASURE["consultations"]


MOVED = np.zeros((len(TARGET), 16), np.int64)
"""What one of each transition adds to each stage."""
np.add.at(MOVED, (np.arange(len(TARGET)), TARGET), 1)
np.subtract.at(MOVED, (np.arange(len(SOURCE)), SOURCE), 1)
MOVED[25] = 0  # an advocate who exposes a neighbour does not move

NOBODY = np.empty((0, 3), np.int64)
CHANNEL, KIND_AND_CHANNEL = 5, 8
"""Bits that hold a channel, and a kind of news with it."""


ALL_GRANTED = np.empty(0, VERDICT)
"""What is decided where there is enough for all."""


class Shipped(NamedTuple):
    """What a part of the population was sent on a day."""

    parcels: NDArray[np.void]
    """PARCEL (n,) by day of arrival, numbered within the part until the ledger numbers them"""
    starts: Ints
    """(LATEST + 1,) where the parcels of today, tomorrow, … begin"""
    restocked: Ints
    """(places, skus) units that came back today, fit to be sold again"""


@dataclass
class Demand:
    """What consumers want to buy today, part by part.

    Parameters
    ----------
    parts : list of DEMAND (n,)
    units : int64 (skus,)  units of the real market by article, over all parts
    rules, day : of the market
    split : list of (int, int)  first consumer of each part, and the one after the last
    """

    parts: list[NDArray[np.void]]
    units: Ints
    rules: Rules
    day: int
    split: list[tuple[int, int]]

    def in_order(self, consumers: Consumers) -> tuple[Ints, NDArray[np.void]]:
        """All demands in the order in which scarce stock is given out: minute, keyed hash, consumer, need, line.

        Returns
        -------
        order : int64 (n,)  places in the parts laid end to end
        claims : CLAIM (n,)  in that order
        """
        rows = np.concatenate(self.parts)
        keys, claims = np.empty(rows.size, np.int64), np.empty(rows.size, CLAIM)
        orders.draw_claims(consumers, self.rules, rows, self.day, keys, claims)
        order = np.lexsort((rows["ordinal"], rows["consumer"], keys, rows["minute"]))
        return order, claims[order]

    def by_part(self, verdicts: NDArray[np.void]) -> list[NDArray[np.void]]:
        """Verdicts about all demands laid end to end, part by part."""
        return np.split(verdicts, np.cumsum([part.size for part in self.parts])[:-1])

    def with_more(self, verdicts: NDArray[np.void], more: list[tuple[NDArray[np.void], NDArray[np.void]]],
                  ) -> tuple[Demand, list[NDArray[np.void]]]:
        """The demands with further rows among them, and all verdicts, part by part.

        Parameters
        ----------
        verdicts : VERDICT (n,)  of the parts laid end to end
        more : list of (DEMAND (m,), VERDICT (m,))  orders that had waited, or were placed on the way; each goes to its
            consumer's chunk, so that no split of the population changes the order
        """
        rows = np.concatenate([*self.parts, *(rows for rows, _ in more)])
        decided = np.concatenate([verdicts, *(verdicts for _, verdicts in more)])
        by_chunk = np.argsort(rows["consumer"] // CHUNK, kind="stable")
        edges = np.searchsorted(rows["consumer"][by_chunk] // CHUNK, [low // CHUNK for low, _ in self.split[1:]])
        parts = [part.copy() for part in np.split(rows[by_chunk], edges)]
        return Demand(parts, self.units, self.rules, self.day, self.split), np.split(decided[by_chunk], edges)


@dataclass
class Market:
    """Everything about consumers that lasts from one day to the next."""

    rules: Rules
    media: Media
    consumers: Consumers
    seats: community.Seats
    parts: list[tuple[int, int]]
    renewal: int
    stages: Ints = field(init=False)
    from_groups: list[Ints] = field(default_factory=list)
    news: list[list[Ints]] = field(init=False)
    heard: list[Ints] = field(init=False)
    searches: NDArray[np.float64] = field(init=False)
    consultations: int = 0
    counts: list[Counts] = field(init=False)
    asked: list[Asked] = field(init=False)
    workspaces: list[Workspace] = field(init=False)
    slates: list[Slate] = field(init=False)
    today: Today = field(init=False)
    joins: list[list[Ints]] = field(init=False)

    def __post_init__(self) -> None:
        self.searches = np.zeros(self.rules["channels"][0])
        self.asked = [journey.empty_asked() for _ in self.parts]
        self.workspaces = [journey.empty_workspace(self.searches.size) for _ in self.parts]
        self.slates = [clean_slate(self.rules, 0, 0) for _ in self.parts]
        self.counts = [empty_counts() for _ in self.parts]
        self.joins, self.news = [[] for _ in self.parts], [[] for _ in self.parts]

    @property
    def has_baskets(self) -> bool:
        """Whether an order may have several lines."""
        return bool(self.rules["lines"][0] > 1)

    def take_census(self, first_day: int, days: int, crew: Crew) -> tuple[Ints, Ints]:
        """Count the people of the first day: by stage, which is kept; returned by segment, and customers by day of the
        first order, for so many days from `first_day` on."""
        found = crew.each(take_census, lambda p: (self.consumers, self.rules, *self.parts[p], first_day, days),
                          len(self.parts))
        self.stages, segments, born = (np.sum(part, axis=0) * self.rules["scale"][0] for part in
                                       zip(*found, strict=True))
        return segments, born

    def begin(self, today: Today) -> None:
        """A new day: each part learns what its consumers heard from others since yesterday."""
        news = [*(some for part in self.news for some in part), *self.from_groups]
        self.today, self.from_groups, self.heard = today, [], [NOBODY for _ in self.parts]
        if any(some.size for some in news):
            told = np.concatenate(news)
            keys = (told[:, 0] << KIND_AND_CHANNEL) + (told[:, 1] << CHANNEL) + told[:, 2]
            told = told[np.argsort(keys, kind="stable")]
            self.heard = np.split(told, np.searchsorted(told[:, 0], [low for low, _ in self.parts[1:]]))
        for p in range(len(self.parts)):
            self.joins[p], self.news[p] = [], []

    def live(self, crew: Crew, ledger: Ledger) -> None:
        """All live through the day up to the checkout."""
        self.asked = crew.each(journey.live_a_day, self._day_of, len(self.parts))
        for p in range(len(self.parts)):
            self._close_day(p, ledger)

    def demand(self) -> Demand:
        """What all parts want to buy today."""
        units = sum((counts["units"][0][:self.rules["skus"][0]] for counts in self.counts),
                    np.zeros(self.rules["skus"][0], np.int64))
        return Demand([self.wanted(p) for p in range(len(self.parts))], units, self.rules, self.today["day"][0],
                      self.parts)

    def wanted(self, p: int) -> NDArray[np.void]:
        """What a part wants to buy today, DEMAND (n,)."""
        return self.asked[p].demands[:self.counts[p]["demands"][0]]

    def settle(self, crew: Crew, demands: Sequence[Rows], verdicts: Sequence[Rows], due: Sequence[Rows],
               ledger: Ledger) -> list[Shipped]:
        """What was decided about the demands takes effect and is booked; the parcels of today arrive.

        Parameters
        ----------
        demands, verdicts : DEMAND (n,), VERDICT (n,)  part by part; a verdict is (0,) if there is enough for all
        due : PARCEL (m,)  parcels under way that arrive today, part by part; those that come back are marked
        """
        done = crew.each(pass_evening, lambda p: self._evening_of(p, demands[p], verdicts[p], due[p], ledger),
                         len(self.parts))
        return [self._close_evening(p, one, ledger) for p, one in enumerate(done)]

    def live_and_settle(self, crew: Crew, due: Sequence[Rows], ledger: Ledger) -> list[Shipped]:
        """All live through a day on which there is enough for all, evening included."""
        def given(p: int) -> tuple[Any, ...]:
            room = self.slates[p].parcels.size
            self.slates[p] = slate = clean_slate(self.rules, room, due[p].size, self.slates[p])
            lines = ledger.blank_lines(p, room, self.today["day"][0])
            return (*self._day_of(p), ledger.pages[p], lines, ledger.sample, slate, due[p])

        shipped = []
        for p, (asked, is_over, done) in enumerate(crew.each(pass_day, given, len(self.parts))):
            self.asked[p] = asked
            if is_over:
                self.joins[p].append(asked.joins[:self.counts[p]["joins"][0]])
            else:  # there was no room for so much; for the days to come there will be
                self._close_day(p, ledger)
                ledger.page(p, 2 * int(self.counts[p]["demands"][0] + self.counts[p]["ended"][0]))
                done = pass_evening(*self._evening_of(p, self.wanted(p), ALL_GRANTED, due[p], ledger))
            shipped.append(self._close_evening(p, done, ledger))
        return shipped

    def _day_of(self, p: int) -> tuple[Any, ...]:
        """What `live_a_day` takes for a part."""
        return (self.consumers, self.rules, self.today, self.counts[p], in_use(self.counts[p], self.rules),
                self.asked[p], self.workspaces[p], self.heard[p], *self.parts[p], self.renewal)

    def _close_day(self, p: int, ledger: Ledger) -> None:
        asked, counts = self.asked[p], self.counts[p]
        self.joins[p].append(asked.joins[:counts["joins"][0]])
        ledger.add_journeys(p, asked.ended[:counts["ended"][0]], self.today["day"][0])

    def _evening_of(self, p: int, demands: Rows, verdicts: Rows, due: Rows, ledger: Ledger) -> tuple[Any, ...]:
        """What `pass_evening` takes for a part."""
        n = demands.size
        self.slates[p] = slate = clean_slate(self.rules, n, due.size, self.slates[p])
        return (self.consumers, self.rules, self.today, self.counts[p], ledger.page(p, n), demands, verdicts,
                ledger.blank_lines(p, n, self.today["day"][0]), ledger.sample, slate, due)

    def _close_evening(self, p: int, done: Evening, ledger: Ledger) -> Shipped:
        slate = self.slates[p]
        self.joins[p].append(slate.joins[:done.joins])
        self.news[p].append(slate.news[:done.news])
        parcels = slate.by_arrival[:done.starts[-1]]
        ledger.add_orders(p, done.lines, done.orders, parcels)
        return Shipped(parcels, done.starts, slate.restocked)

    def hours(self) -> Ints:
        """Visits, orders and cancellations of today by channel and hour, (channels, 24, 3), on days with broadcasts."""
        hours: Ints = np.sum([counts["hours"][0, :self.rules["channels"][0]] for counts in self.counts], axis=0)
        return hours

    def meet_in_groups(self, budget: int) -> None:
        """Seats are given out, links are passed on, some members leave."""
        rules, counts = self.rules, self.counts[0]
        shares = np.sort(np.concatenate([asked.shares[:part["shares"][0]] for asked, part in
                                         zip(self.asked, self.counts, strict=True)]))
        joins = np.concatenate([some for part in self.joins for some in part])
        if joins.size:
            keys = hashes(rules["key_private"][0], joins[:, 0], self.today["day"][0], 2)
            joins = joins[np.lexsort((joins[:, 0], keys, joins[:, 1]))]
        community.give_seats(self.consumers, rules, self.today, counts, self.seats, joins)
        most = (shares.size + int(self.seats.taken[0])) * int(rules["readers"][0] + rules["audience"][0])
        news = np.empty((most, 3), np.int64)
        drawn = hashes(rules["key_private"][0], self.seats.holders[:self.seats.taken[0]], self.today["day"][0], 4)
        luck = np.empty(drawn.size, np.int64)
        luck[np.argsort(drawn, kind="stable")] = np.arange(drawn.size)
        # exactly as many members as the money pays, those with the lowest draws: the budget is never exceeded
        bar = min(luck.size, budget // int(rules["share_reward"][0] * rules["scale"][0])) - 1
        n = community.live_in_groups(self.consumers, rules, self.today, counts, self.seats, shares, luck, bar,
                                     news)
        self.from_groups.append(news[:n].copy())

    def close(self) -> Counts:
        """End the day: what everybody learns from others, and the stages at midnight."""
        n = self.searches.size
        counts = add_counts(self.counts, self.rules)
        tally = counts["tally"][0, :n].sum(axis=1)
        self.searches = tally[:, SEARCHES] / self.today["coverage"][0, :n]
        self.consultations = int(tally[:, CONSULTATIONS].sum())
        self.stages += counts["moves"][0] @ MOVED + counts["renewed"][0]
        return counts


def open_market(scenario: Scenario, seed: int, replication: int, parts: list[tuple[int, int]], *,
                looseness: float = 1.0, crew: Crew = ALONE) -> Market:
    """The market on the morning of the first simulated day."""
    rules = compile_rules(scenario, seed, replication, looseness=looseness)
    n, channels = scenario.population.size, len(active_channels(scenario))
    consumers = allocate(n, channels)
    crew.each(settle_in, lambda p: (consumers, rules, *parts[p]), len(parts))
    grains = sum(crew.each(sum_affinity, lambda p: (consumers, *parts[p], channels), len(parts)),
                 np.zeros(channels, np.int64))
    seats = _first_seats(scenario, rules, consumers)
    renewal = scenario.population.renewal
    return Market(rules, open_media(scenario, grains), consumers, seats, parts,
                  round(365 / renewal) if renewal > 1e-6 else 0)


def _first_seats(scenario: Scenario, rules: Rules, consumers: Consumers) -> community.Seats:
    """Seat the members of the first day: live customers with the smallest keyed hash, so that the number is exact."""
    groups = scenario.community
    seats = groups.seats // int(rules["scale"][0]) if groups and rules["community"][0] >= 0 else 0
    seats = min(seats, scenario.population.size)  # nobody sits on two
    holders = np.full(seats, -1, np.int64)
    if not seats:
        return community.Seats(holders, np.zeros(1, np.int64))
    people = consumers.people
    live = np.flatnonzero(people["flags"] & ALIVE)
    wanted = min(groups.members // int(rules["scale"][0]) if groups else 0, seats, live.size)
    keys = hashes(rules["key_private"][0], live, 0, 3)
    chosen = np.sort(live[np.argsort(keys, kind="stable")[:wanted]])
    holders[:wanted] = chosen
    people["flags"][chosen] |= SEAT
    seated = chosen[np.isin(people["stage"][chosen], (S_B, S_M, S_X))]
    people["stage"][seated], consumers.due[seated] = S_D, NEVER
    community.prompt_members(consumers, rules, chosen, rules["first_day"][0])
    return community.Seats(holders, np.array([wanted], np.int64))
