"""What is compared: arms, each a scenario with a plan and a policy, run replication by replication on the same luck."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import NamedTuple, Protocol, cast

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MEASURE, Books
from omnisim.measure.kpis import OF_TOTALS, totals
from omnisim.measure.kpis import measure as measure_kpis
from omnisim.measure.observed import reader
from omnisim.measure.profit import STATEMENT
from omnisim.plan import Plan, Policy
from omnisim.scenario.model import Scenario
from omnisim.simulation import World, finish, warm_up


class Maker(Protocol):
    """Gives a policy."""

    def __call__(self) -> Policy:
        """A fresh one."""
        ...


@dataclass(frozen=True)
class Arm:
    """One of the things compared.

    Parameters
    ----------
    name : str
    scenario : Scenario
    plan : Plan, or None for the scenario's own
    policy : Policy, or a maker of it  each run gets a copy, or a fresh one; what has a `prepare` is prepared once
    """

    name: str
    scenario: Scenario
    plan: Plan | None
    policy: Policy | Maker

    def fresh(self) -> Policy:
        """A policy for one run."""
        return cast(Policy, copy.deepcopy(self.policy)) if hasattr(self.policy, "review") else self.policy()


class Outcome(NamedTuple):
    """What one arm did in one replication."""

    kpis: dict[str, float]
    spent: NDArray[np.float64]
    """(channels,) [currency/day]  media, mean over the reported days"""
    profit: NDArray[np.float64]
    """(days,) [currency]"""
    decisions: list[dict[str, object]]


Told = Callable[[], None]


def run_replication(arms: Sequence[Arm], kpis: Sequence[str], seed: int, replication: int,
                    threads: int = 1) -> list[Outcome]:
    """All arms with one luck. Arms of the same scenario live on from one warm-up.

    Parameters
    ----------
    threads : int  arms side by side; changes no result
    """
    found: dict[int, Outcome] = {}
    groups: dict[str, list[int]] = {}
    for k, arm in enumerate(arms):
        groups.setdefault(warm_up_key(arm.scenario), []).append(k)
    for members in groups.values():
        world = warm_up(arms[members[0]].scenario, seed, replication, threads=threads, orders="none")

        def live(arm: Arm, world: World = world) -> Outcome:
            own = world.clone()
            own.scenario = arm.scenario
            books = finish(own, arm.plan, arm.fresh(), threads=1, read=reader(arm.scenario))
            return observe(arm.scenario, books, kpis)

        with ThreadPoolExecutor(threads) as pool:
            found |= zip(members, pool.map(live, [arms[k] for k in members]), strict=True)
    return [found[k] for k in range(len(arms))]


def warm_up_key(scenario: Scenario) -> str:
    """Equal for scenarios that live through the same warm-up: those that differ by who decides alone."""
    return scenario.model_copy(update={"policy": type(scenario.policy)(), "curves": {},
                                       "limits": type(scenario.limits)()}).hash


def observe(scenario: Scenario, books: Books, kpis: Sequence[str]) -> Outcome:
    """The figures of one run."""
    whole, _ = totals(scenario, books)
    simple = {kpi.name: kpi for kpi in OF_TOTALS}
    others = measure_kpis(scenario, books) if any(name not in simple for name in kpis) else {}
    run = books.daily[books.warm_up:]
    profit = run[:, :, [MEASURE[line] for line in STATEMENT]].sum(axis=(1, 2)) / 100.0
    spent = -run[:, :, MEASURE["media"]].sum(axis=0) / 100.0 / max(1, books.days)
    return Outcome({name: simple[name].of(whole) if name in simple else others[name].value for name in kpis}, spent,
                   profit, books.decisions)


@contextmanager
def workers(jobs: int, *, processes: bool) -> Iterator[Executor]:
    """Threads of this process, which share compiled code and let each other run inside it; or processes."""
    if not processes:
        with ThreadPoolExecutor(jobs) as pool:
            yield pool
        return
    import multiprocessing

    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield pool


def run_replications(arms: Sequence[Arm], kpis: Sequence[str], seed: int, replications: Sequence[int], pool: Executor,
                     told: Told | None = None, threads: int = 1) -> list[list[Outcome]]:
    """Outcomes by replication and arm; the order of work, and the threads of each replication, change nothing."""
    jobs = [pool.submit(run_replication, arms, kpis, seed, replication, threads) for replication in replications]
    try:
        found = []
        for job in jobs:
            found.append(job.result())
            if told:
                told()
        return found
    finally:
        for job in jobs:
            job.cancel()
