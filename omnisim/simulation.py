"""A run: day after day, market and supply meet here and nowhere else.

Each day, SimPy's clock calls in this order:

1. 05:00 supplies and returned goods reach the shelf
2. 06:00 review, if due: the policy sees its own tables up to yesterday and may change the plan
3. 08:00 the market: renewal, news from others, time-outs, exposures, interest, visits, consultations, purchase
   decisions, repurchase needs
4. 20:00 settlement: scarce stock is given out in the order (minute, keyed hash, consumer); what is short is lost
5. 21:00 parcels arrive, some come back; membership, seats, links passed on, advocates
6. 22:00 replenishment up to the base stock
7. 24:00 the books are closed for the day
"""

from __future__ import annotations

import copy
import datetime
from collections.abc import Callable, Generator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal

import numpy as np
import simpy
from numpy.typing import NDArray

from omnisim.books import MEASURE, Books
from omnisim.ledger import Ledger
from omnisim.market.day import TODAY, Today
from omnisim.market.market import Demand, Market, open_market, split_population
from omnisim.market.reach import Bought, buy
from omnisim.market.rules import active_channels
from omnisim.plan import Plan, Policy, to_cents
from omnisim.review import Desk, Reader
from omnisim.scenario.model import Scenario
from omnisim.streams import key
from omnisim.supply.fulfilment import Fulfilment
from omnisim.supply.warehouse import Warehouse

Progress = Callable[[int, int], None]
WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass
class World:
    """A market and its supply on one evening, with the books so far: all that a run needs to go on."""

    scenario: Scenario
    market: Market
    warehouse: Warehouse
    fulfilment: Fulfilment
    ledger: Ledger
    day: int
    luck: int = 0
    """Number that policies draw from."""

    def clone(self) -> World:
        """An independent copy: the end of a warm-up serves every plan that is compared on it."""
        return copy.deepcopy(self)


def open_world(scenario: Scenario, seed: int, replication: int = 0, *, parts: int = 1,
               orders: Literal["auto", "none"] = "auto", looseness: float = 1.0,
               pool: ThreadPoolExecutor | None = None) -> World:
    """The world on the morning of the first day of the warm-up.

    Parameters
    ----------
    parts : int  how many parts the population is lived in; changes no result
    orders : "auto" keeps order lines (a sample by consumer above a million), "none" keeps none
    looseness : float ≥ 1  loosens the bounds of the scan; changes no result
    """
    split = split_population(scenario.population.size, parts)
    market = open_market(scenario, seed, replication, split, looseness=looseness, pool=pool)
    supply = scenario.supply
    level = np.array([product.base_stock for product in scenario.products.values()], np.int64)
    ledger = Ledger(scenario, active_channels(scenario), orders == "auto", len(split))
    page = ledger.pages[0]
    ledger.segments[:, 0], born = market.take_census(ledger.first_day, page.months.size, pool)
    np.add.at(page.buyers, page.months, born)
    return World(scenario, market, Warehouse(level, supply.lead_time, supply.moq, supply.unlimited),
                 Fulfilment([{} for _ in split]), ledger, -scenario.horizon.warm_up,
                 int(key(seed, replication, "policy")))


class Run:
    """The processes of one world under one plan and policy."""

    def __init__(self, world: World, plan: Plan, policy: Policy | None, read: Reader | None,
                 pool: ThreadPoolExecutor | None) -> None:
        self.world, self.scenario = world, world.scenario
        self.plan, self.pool = plan, pool
        self.desk = None if policy is None else Desk(self.scenario, policy, read, world.luck)
        self.names = world.ledger.names
        self.channels = [self.scenario.channels[name] for name in self.names]
        self.skus = list(self.scenario.products)
        self.season = Season(self.scenario, self.names)
        self.budget = np.zeros(len(self.names), np.int64)
        self.bought: Bought
        self.demand: Demand

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
        self.world.warehouse.receive(day)

    def review(self, day: int) -> None:
        """Step 2: the policy may change the plan, from the first reported day on."""
        if self.desk is not None and day >= 0:
            self.plan = self.desk.review(day, self.plan, self.world.ledger)
        for n, name in enumerate(self.names):
            planned = self.plan.budget_on(name, day) if day >= 0 else None
            self.budget[n] = planned if planned is not None else to_cents(self.channels[n].budget)
        if day >= 0:
            for n, sku in enumerate(self.skus):
                self.world.warehouse.level[n] = self.plan.base_stock.get(sku, self.world.warehouse.level[n])

    def live(self, day: int) -> None:
        """Step 3."""
        market = self.world.market
        media = self.budget.copy()
        if market.rules["community"][0] >= 0:
            media[market.rules["community"][0]] = 0  # buys rewarded shares instead, see step 5
        self.bought = buy(market.media, media, market.searches)
        self.demand, ended = market.live(self._today(day), self.pool)
        for part, paths in enumerate(ended):
            self.world.ledger.add_journeys(part, paths, day)

    def _today(self, day: int) -> Today:
        service, market = self.scenario.service, self.world.market
        answered = 1.0 if service.capacity is None else min(1.0, service.capacity / max(1, market.consultations))
        weight = self.season.weight(day)
        sells = weight[market.rules["repeat_weight"][0][:weight.size] > 0]
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
        return today

    def settle(self, day: int) -> None:
        """Step 4: who gets the last unit matters, and is looked into, only where stock is short."""
        world, demand = self.world, self.demand
        if world.warehouse.suffices(demand.units):
            world.warehouse.serve_all(demand.units)
            filled = [np.ones(part.size, np.bool_) for part in demand.parts]
        else:
            order, sku, units = demand.in_order()
            decided = np.empty(order.size, np.bool_)
            decided[order] = world.warehouse.serve(sku, units)
            filled = demand.by_part(decided)
        for part, (parcels, starts) in enumerate(world.market.settle(demand, filled, world.ledger, self.pool)):
            world.fulfilment.ship(part, parcels, starts, day)

    def after_sales(self, day: int) -> None:
        """Step 5."""
        world, market = self.world, self.world.market
        parcels = world.fulfilment.arrive(day)
        restocked = market.deliver(parcels, self.pool)
        for batch in (batch for part in parcels for batch in part):
            world.ledger.add_deliveries(batch, day)
        world.warehouse.take_back(restocked, day + self.scenario.supply.restock_days)
        if market.rules["community"][0] >= 0:
            market.meet_in_groups(int(self.budget[market.rules["community"][0]]))

    def replenish(self, day: int) -> None:
        """Step 6."""
        if day % self.scenario.supply.review_days == 0:
            self.world.warehouse.order(day)

    def close(self, day: int) -> None:
        """Step 7."""
        market, ledger = self.world.market, self.world.ledger
        counts = market.close()
        row = day + self.scenario.horizon.warm_up
        n = len(self.names)
        ledger.add_day(day, counts["tally"][0, :, :n], counts["moves"][0], market.stages, counts["flows"][0, :n, :n],
                       counts["segments"][0, :len(self.scenario.population.segments)])
        ledger.daily[row, :, MEASURE["budget"]] += self.budget
        ledger.daily[row, :, MEASURE["media"]] -= self.bought.spend
        for n, channel in enumerate(self.channels):
            ledger.daily[row, n, MEASURE["content"]] -= to_cents(channel.content)
            ledger.daily[row, n, MEASURE["labour"]] -= to_cents(channel.labour)
            ledger.daily[row, n, MEASURE["fixed"]] -= share_of_year(to_cents(channel.annual_fee), day)
        ledger.stock[row, 0] = self.world.warehouse.close()
        self.world.day = day + 1


def daily(clock: simpy.Environment, hour: int, step: Callable[[int], None]) -> Generator[simpy.Event, None, None]:
    """A process that takes one step every day at an hour."""
    yield clock.timeout(hour / 24)
    while True:
        step(int(np.floor(clock.now)))
        yield clock.timeout(1)


class Season:
    """Weight of each channel by day: weekday × month × campaigns."""

    def __init__(self, scenario: Scenario, names: list[str]) -> None:
        self.calendar, self.start, self.names = scenario.calendar, scenario.horizon.start, names

    def weight(self, day: int) -> NDArray[np.float64]:
        """Weights of the channels on a day."""
        date = self.start + datetime.timedelta(days=day)
        weight = np.full(len(self.names), self.calendar.weekday[date.weekday()] * self.calendar.month[date.month - 1])
        for campaign in self.calendar.campaigns:
            if campaign.start <= date <= campaign.end:
                factor = campaign.factor
                weight *= [factor.get(name, 1.0) if isinstance(factor, dict) else factor for name in self.names]
        return weight


def block_start(day: int, days: int) -> int:
    """First day of the 30-day block of a day; blocks are counted back from the last reported or warm-up day."""
    if day < 0:
        return -30 * ((-1 - day) // 30 + 1)
    rest = days % 30
    return 0 if day < rest else rest + (day - rest) // 30 * 30


def share_of_year(cents: int, day: int) -> int:
    """A day's part of a yearly amount, in whole cents that add up to it over any 365 days."""
    return cents * (day + 1) // 365 - cents * day // 365


def warm_up(scenario: Scenario, seed: int = 1, replication: int = 0, *, threads: int = 2,
            orders: Literal["auto", "none"] = "auto", looseness: float = 1.0, parts: int | None = None,
            progress: Progress | None = None) -> World:
    """The world on the first reported morning: one snapshot for every plan that is compared on it."""
    horizon = scenario.horizon
    with ThreadPoolExecutor(threads) as pool:
        used = pool if threads > 1 else None
        world = open_world(scenario, seed, replication, parts=parts or threads, orders=orders, looseness=looseness,
                           pool=used)
        Run(world, Plan(), None, None, used).advance(0, progress, 0, horizon.warm_up + horizon.days)
    return world


def finish(world: World, plan: Plan | None = None, policy: Policy | None = None, *, threads: int = 2,
           read: Reader | None = None, progress: Progress | None = None) -> Books:
    """Run the reported days of a warmed-up world (which is used up) under a plan and a policy."""
    horizon = world.scenario.horizon
    with ThreadPoolExecutor(threads) as pool:
        run = Run(world, plan or Plan(), policy, read, pool if threads > 1 else None)
        run.advance(horizon.days, progress, horizon.warm_up, horizon.warm_up + horizon.days)
    return world.ledger.close()


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
