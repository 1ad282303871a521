"""A run: day after day, market and supply meet here and nowhere else.

Each day, SimPy's clock calls in this order:

1. 05:00 supplies and returned goods reach the shelf
2. 06:00 review, if due: the policy sees its own tables up to yesterday and may change the plan
3. 08:00 the market: renewal, news from others, time-outs, exposures, interest, visits, consultations, purchase
   decisions, repurchase needs
4. 20:00 settlement: who waited is served first, then scarce stock is given out in the order (minute, keyed hash,
   consumer); what is short is lost, waits, or tries another channel or article once
5. 21:00 parcels arrive, some come back; membership, seats, links passed on, advocates
6. 22:00 replenishment by plan and rules: transfers, supplies from node to node, orders to suppliers, express
7. 23:00 the books are closed for the day

What parcels bring about concerns nobody but their consumers, who open them in the course of step 4. Where stock is
unlimited nobody waits for anybody: each part of the population lives through the whole day in one go, to the same
result.
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Literal

import numpy as np
import simpy
from numpy.typing import NDArray

from omnisim.books import MEASURE, Books
from omnisim.exchange import give_out
from omnisim.first_start import get_help
from omnisim.ledger import Ledger
from omnisim.machine import paused_collector
from omnisim.market.day import TODAY, Today
from omnisim.market.market import ALL_GRANTED, Market, Shipped, open_market
from omnisim.market.reach import Bought, buy
from omnisim.market.rules import active_channels
from omnisim.parts import ALONE, HEAD_START, Crew, split_population
from omnisim.plan import Plan, Policy, to_cents
from omnisim.review import Desk, Reader
from omnisim.scenario.model import Scenario
from omnisim.season import WEEKDAYS, Season, block_start, share_of_year
from omnisim.streams import key
from omnisim.supply.backend import Backend
from omnisim.supply.fulfilment import Fulfilment
from omnisim.supply.layout import lay_out
from omnisim.supply.replenishment import share_out

Progress = Callable[[int, int], None]
FEW = 2_000
"""Orders or parcels that one thread works through before a second one is worth waking."""


@dataclass
class World:
    """A market and its supply on one evening, with the books so far: all that a run needs to go on."""

    scenario: Scenario
    market: Market
    backend: Backend
    fulfilment: Fulfilment
    ledger: Ledger
    day: int
    luck: int = 0
    """Number that policies draw from."""

    def clone(self) -> World:
        """An independent copy: the end of a warm-up serves every plan that is compared on it."""
        return copy.deepcopy(self)


@paused_collector()
def open_world(scenario: Scenario, seed: int, replication: int = 0, *, parts: int = 1, ahead: int = 0,
               orders: Literal["auto", "none"] = "auto", looseness: float = 1.0,
               crew: Crew = ALONE) -> World:
    """The world on the morning of the first day of the warm-up.

    Parameters
    ----------
    parts, ahead : int  see `split_population`; they change no result
    orders : "auto" keeps order lines (a sample by consumer above a million), "none" keeps none
    looseness : float ≥ 1  loosens the bounds of the scan; changes no result
    """
    get_help()
    split = split_population(scenario.population.size, parts, ahead)
    market = open_market(scenario, seed, replication, split, looseness=looseness, crew=crew)
    names = active_channels(scenario)
    ledger = Ledger(scenario, names, orders == "auto", len(split))
    page = ledger.pages[0]
    ledger.first_seats = int(market.seats.taken[0]) * scenario.population.scale
    ledger.segments[:, 0], born = market.take_census(ledger.first_day, page.months.size, crew)
    np.add.at(page.buyers, page.months, born)
    backend = Backend(lay_out(scenario, names, seed, replication))
    return World(scenario, market, backend, Fulfilment([{} for _ in split]), ledger, -scenario.horizon.warm_up,
                 int(key(seed, replication, "policy")))


class Run:
    """The processes of one world under one plan and policy."""

    def __init__(self, world: World, plan: Plan, policy: Policy | None, read: Reader | None,
                 crew: Crew = ALONE) -> None:
        self.world, self.scenario = world, world.scenario
        self.plan, self.crew = plan, crew
        self.desk = None if policy is None else Desk(self.scenario, policy, read, world.luck)
        self.names = world.ledger.names
        self.channels = [self.scenario.channels[name] for name in self.names]
        self.followed: Plan | None = None
        self.season = Season(self.scenario, self.names)
        # cents a day of each channel, and cents a year
        self.usual, self.content, self.labour, self.fees = (
            np.array([to_cents(getattr(channel, name)) for channel in self.channels], np.int64)
            for name in ("budget", "content", "labour", "annual_fee"))
        self.budget = self.usual.copy()
        self.bought: Bought
        self.asked_for = b""  # budgets and searches that it was bought for
        self.shipped: list[Shipped] = []  # of each part, today
        self.arrived: list[NDArray[np.void]] = []  # batches of parcels, today

    def advance(self, until: int, progress: Progress | None = None, done: int = 0, total: int = 0) -> None:
        """Let the days pass up to the evening before day `until`."""
        first = self.world.day
        clock = simpy.Environment(initial_time=first)
        steps = [daily(clock, hour, step) for hour, step in (
            (5, self.receive), (6, self.review), (8, self.live), (20, self.settle), (21, self.after_sales),
            (22, self.replenish), (23, self.close))]
        for step in steps:
            clock.process(step)
        for day in range(first, until):
            clock.run(until=day + 1)
            if progress:
                progress(done + day - first + 1, total)
        for step in steps:
            step.close()  # a clock is a ring of references: let it not hold the population until the next collection

    def receive(self, day: int) -> None:
        """Step 1."""
        self.world.backend.receive(day)

    def review(self, day: int) -> None:
        """Step 2: the policy may change the plan, from the first reported day on."""
        if self.desk is not None and day >= 0:
            self.plan = self.desk.review(day, self.plan, self.world.ledger)
        self.budget[:] = self.usual
        if day >= 0 and self.plan.budgets:
            for n, name in enumerate(self.names):
                planned = self.plan.budget_on(name, day)
                self.budget[n] = self.usual[n] if planned is None else planned
        if day >= 0 and self.plan is not self.followed:
            self.world.backend.follow(self.plan, day)
            self.followed = self.plan

    def live(self, day: int) -> None:
        """Step 3."""
        market = self.world.market
        media = self.budget.copy()
        if market.rules["community"][0] >= 0:
            media[market.rules["community"][0]] = 0  # buys rewarded shares instead, see step 5
        if (asked := media.tobytes() + market.searches.tobytes()) != self.asked_for:
            self.asked_for, self.bought = asked, buy(market.media, media, market.searches)
        market.begin(self._today(day))
        if self.world.backend.is_endless:
            self._ship(market.live_and_settle, day)
        else:
            market.live(self.crew, self.world.ledger)

    def _ship(self, pass_evening: Callable[..., list[Shipped]], day: int, *orders: list[NDArray[np.void]],
              few: bool = False) -> None:
        """What is due reaches consumers, in the course of their evening, and what they ordered leaves."""
        fulfilment, parts = self.world.fulfilment, range(len(self.world.market.parts))
        due = [fulfilment.arrive(p, day) for p in parts]
        self.shipped = pass_evening(ALONE if few else self.crew, *orders, due, self.world.ledger)
        for p, sent in enumerate(self.shipped):
            fulfilment.ship(p, sent.parcels, sent.starts, day)
        self.arrived = [*due, *(sent.parcels[:sent.starts[1]] for sent in self.shipped)]

    def _today(self, day: int) -> Today:
        service, market = self.scenario.service, self.world.market
        answered = 1.0 if service.capacity is None else min(1.0, service.capacity / max(1, market.consultations))
        weight = self.season.weight(day)
        sells = weight[market.rules["checkout"][0][:weight.size] > 0]
        date = self.scenario.horizon.start + datetime.timedelta(days=day)
        membership, community = self.scenario.membership, self.scenario.community
        is_member_day = membership is not None and date.day == membership.member_day
        is_flash = community is not None and community.flash_weekday == WEEKDAYS[date.weekday()]
        today = np.zeros(1, TODAY)
        today["day"], today["block_start"] = day, block_start(day, self.scenario.horizon.days)
        today["most"] = sells.max() if sells.size else 0.0
        today["member_factor"] = membership.member_day_factor if membership and is_member_day else 1.0
        today["flash_factor"] = community.flash_factor if community and is_flash else 1.0
        today["answered"] = answered
        for name, values in (("weight", weight), ("exposure", self.bought.exposure), ("paid", self.bought.paid),
                             ("coverage", self.bought.coverage)):
            today[name][0, :weight.size] = values
        for k, window in self.season.broadcasts(day).items():
            today["hourly"] = 1
            today["live_start"][0, k], today["live_minutes"][0, k] = window.hour * 60, window.minutes
            today["live_share"][0, k] = window.share
        return today

    def settle(self, day: int) -> None:
        """Step 4: who gets the last unit matters, and is looked into, only where stock is short."""
        world, demand = self.world, self.world.market.demand()
        verdicts = [ALL_GRANTED for _ in demand.parts]
        if world.backend.suffices(demand.units):
            world.backend.serve_all(demand.units)
        else:
            demand, verdicts = give_out(demand, world.market, world.backend, day)
        if not world.backend.is_endless:
            few = sum(part.size for part in demand.parts) + world.fulfilment.due(day) < FEW
            self._ship(world.market.settle, day, demand.parts, verdicts, few=few)
        world.ledger.number_orders(waits=self.scenario.supply.shortage.wait > 0)
        if world.market.has_baskets and world.backend.backlog.size:
            for _, _, parcels in world.ledger.fresh:
                world.backend.backlog.join_orders(parcels, day)
        if world.market.today["hourly"][0]:
            world.ledger.add_hours(day, world.market.hours())

    def after_sales(self, day: int) -> None:
        """Step 5."""
        world, market = self.world, self.world.market
        if market.rules["return_rate"].any():
            for batch in self.arrived:
                world.ledger.add_deliveries(batch, day)
        back = np.sum([sent.restocked for sent in self.shipped], axis=0)
        world.backend.stock.take_back(back, day + self.scenario.supply.restock_days)
        if market.rules["community"][0] >= 0:
            market.meet_in_groups(int(self.budget[market.rules["community"][0]]))

    def replenish(self, day: int) -> None:
        """Step 6."""
        self.world.backend.order(day)

    def close(self, day: int) -> None:
        """Step 7."""
        market, ledger = self.world.market, self.world.ledger
        counts = market.close()
        row = day + self.scenario.horizon.warm_up
        n = len(self.names)
        ledger.add_day(day, counts["tally"][0, :n], counts["moves"][0], market.stages, counts["flows"][0, :n, :n],
                       counts["segments"][0, :len(self.scenario.population.segments)])
        today = ledger.daily[row]
        today[:, MEASURE["budget"]] += self.budget
        for line, spent in (("media", self.bought.spend), ("content", self.content), ("labour", self.labour)):
            today[:, MEASURE[line]] -= spent
        if self.fees.any():
            today[:, MEASURE["fixed"]] -= [share_of_year(fee, day) for fee in self.fees.tolist()]
        ledger.stock[row], ledger.moves[row], costs = self.world.backend.close()
        for line, cents in (("logistics", costs.logistics), ("cost_of_goods", costs.goods)):
            if cents:
                today[:, MEASURE[line]] -= self._spread(cents, counts["tally"][0, :len(self.names)])
        self.world.day = day + 1

    def _spread(self, cents: int, tally: NDArray[np.int64]) -> NDArray[np.int64]:
        """A cost of the whole back end by channel: by units sold today, or evenly over channels that sell."""
        units = tally[:, :, MEASURE["units"]].sum(axis=1)
        return share_out(cents, units if units.any() else np.array([c.checkout for c in self.channels], np.int64))


def daily(clock: simpy.Environment, hour: int, step: Callable[[int], None]) -> Generator[simpy.Event, None, None]:
    """A process that takes one step every day at an hour."""
    yield clock.timeout(hour / 24)
    while True:
        step(int(np.floor(clock.now)))
        yield clock.timeout(1)


def warm_up(scenario: Scenario, seed: int = 1, replication: int = 0, *, threads: int = 2,
            orders: Literal["auto", "none"] = "auto", looseness: float = 1.0, parts: int | None = None,
            progress: Progress | None = None) -> World:
    """The world on the first reported morning: one snapshot for every plan that is compared on it."""
    horizon = scenario.horizon
    with Crew(threads) as crew:
        world = open_world(scenario, seed, replication, parts=parts or threads, ahead=0 if parts else HEAD_START,
                           orders=orders, looseness=looseness, crew=crew)
        Run(world, Plan(), None, None, crew).advance(0, progress, 0, horizon.warm_up + horizon.days)
    return world


def finish(world: World, plan: Plan | None = None, policy: Policy | None = None, *, threads: int = 2,
           read: Reader | None = None, progress: Progress | None = None) -> Books:
    """Run the reported days of a warmed-up world (which is used up) under a plan and a policy."""
    horizon = world.scenario.horizon
    with Crew(threads) as crew:
        run = Run(world, plan or Plan(), policy, read, crew)
        run.advance(horizon.days, progress, horizon.warm_up, horizon.warm_up + horizon.days)
        return world.ledger.close(crew)


def simulate(scenario: Scenario, *, seed: int = 1, replication: int = 0, plan: Plan | None = None,
             policy: Policy | None = None, threads: int = 2, orders: Literal["auto", "none"] = "auto",
             read: Reader | None = None, progress: Progress | None = None) -> Books:
    """Warm up and run: the books of one replication.

    Parameters
    ----------
    seed, replication : int  replication k of seed s is always the same run
    plan : Plan  replaces today's budgets and stock levels from the first reported day on
    policy : Policy  reviews the plan every `policy.every` days
    threads : int  changes no result
    orders : "auto" keeps order lines (a sample by consumer above a million), "none" keeps none
    read : (Books so far, table) -> DataFrame  makes the tables a policy asks for
    progress : (days done, days in all) -> None
    """
    world = warm_up(scenario, seed, replication, threads=threads, orders=orders, progress=progress)
    return finish(world, plan, policy, threads=threads, read=read, progress=progress)
