"""Plans tried on the same luck: what the brand did under each, replication by replication, kept for the next asking.

Every replication warms up once; each plan then lives on from a clone of that one world, so two plans differ by their
budgets alone, and the same plan twice by exactly nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from omnisim.books import LINES, MEASURE, Books
from omnisim.plan import Plan
from omnisim.response import Floats
from omnisim.scenario.allocation import Limits
from omnisim.scenario.model import Scenario
from omnisim.simulation import World, finish, warm_up
from omnisim.study.calibration.fitting import shrink
from omnisim.study.curves.lasting import expected_orders
from omnisim.vocabulary import STATE_NAMES

SMALL = 100_000
"""Consumers that a large market is told by, each standing for more people."""
SUMS = ("gmv", "contribution", "media", "orders", "new_customers")
"""What is summed by channel. contribution: profit before media, content, labour and fixed fees."""
SUM = {name: k for k, name in enumerate(SUMS)}
BEFORE = ("gmv", *(line for line in LINES if line not in ("media", "content", "labour", "fixed")))
LOYAL = [STATE_NAMES.index(name) for name in ("member", "private", "repeat", "advocate")]
MOST_KEPT = 12
"""Scenarios whose trials are kept."""

Advance = Callable[[], None]
"""Told of each run that is done."""


class Outcome(NamedTuple):
    """What the brand did under a plan, by replication (first axis); people and money of the real market.

    Parameters
    ----------
    sums : (replications, channels, SUMS) float [currency, order, customer]  over the planned days and the fade
    visits : (replications, days) float  of all channels, day by day
    sales : (replications, days) float [currency]  GMV of all channels, day by day
    aware : (replications,) float [people]  who have met the brand by the end of the planned days
    loyal : (replications,) float [people]  members, seat holders, repeat buyers and advocates at the very end
    lasting : (replications, channels) float [order]  that customers are still expected to place after the very end, by
        the channel of their last order
    """

    sums: Floats
    visits: Floats
    sales: Floats
    aware: Floats
    loyal: Floats
    lasting: Floats


@dataclass
class Trials:
    """Trials of one scenario, kept.

    Parameters
    ----------
    scenario : Scenario  as simulated; its days are the planned ones and the fade
    days, fade : int [day]  planned days; days after them, spent as today, in which effects still arrive
    seed : int
    replications : tuple of int
    threads : int  how many runs go side by side; changes no result
    """

    scenario: Scenario
    days: int
    fade: int
    seed: int
    replications: tuple[int, ...]
    threads: int = 1
    kept: dict[object, Outcome] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.names = tuple(name for name, channel in self.scenario.channels.items() if channel.active)
        self._rows = [k for k, name in enumerate(self.scenario.channels) if name in self.names]

    def missing(self, plans: Sequence[Plan]) -> list[Plan]:
        """Those of the plans that were not run yet, each once."""
        return list({_key(plan): plan for plan in plans if _key(plan) not in self.kept}.values())

    def outcomes(self, plans: Sequence[Plan], advance: Advance | None = None) -> list[Outcome]:
        """What the brand did under each of the plans."""
        new = self.missing(plans)
        if new:
            told = threading.Lock()

            def live(job: tuple[World, Plan]) -> Outcome:
                one = job[0].clone()
                found = self._observe(one, finish(one, job[1], threads=1))
                if advance:
                    with told:
                        advance()
                return found

            with ThreadPoolExecutor(self.threads) as pool:
                worlds = list(pool.map(lambda k: warm_up(self.scenario, self.seed, k, threads=1, orders="none"),
                                       self.replications))
                runs = list(pool.map(live, [(world, plan) for world in worlds for plan in new]))
            rows = [runs[n:n + len(new)] for n in range(0, len(runs), len(new))]
            for plan, parts in zip(new, zip(*rows, strict=True), strict=True):
                self.kept[_key(plan)] = Outcome(*(np.stack(part) for part in zip(*parts, strict=True)))
        return [self.kept[_key(plan)] for plan in plans]

    def _observe(self, world: World, books: Books) -> Outcome:
        """One replication of one plan."""
        run = books.daily[books.warm_up:, self._rows]
        total = run.sum(axis=0)
        before = total[:, [MEASURE[line] for line in BEFORE]].sum(axis=1)
        money = {"gmv": total[:, MEASURE["gmv"]], "contribution": before, "media": -total[:, MEASURE["media"]]}
        sums = np.array([money[name] / 100.0 if name in money else total[:, MEASURE[name]] for name in SUMS], float).T
        met, people = books.stages[books.warm_up + self.days - 1], books.stages[-1]
        daily = run.sum(axis=1)
        return Outcome(sums, daily[:, MEASURE["visits"]].astype(float), daily[:, MEASURE["gmv"]] / 100.0,
                       np.array(met[1:].sum(), float), np.array(people[LOYAL].sum(), float), expected_orders(world))


def _key(plan: Plan) -> object:
    """Equal for plans that spend the same, day by day."""
    last: dict[str, tuple[tuple[int, int], ...]] = {}
    for name, cents in plan.budgets.items():
        steps = [(day, money) for day, money in zip(plan.first_days, cents, strict=True)]
        last[name] = tuple(step for k, step in enumerate(steps) if k == 0 or step[1] != steps[k - 1][1])
    return tuple(sorted(last.items()))


_TRIALS: dict[object, Trials] = {}


def find_trials(scenario: Scenario, days: int, fade: int, *, seed: int, replications: Sequence[int], threads: int,
                small: bool = True) -> Trials:
    """The trials of a scenario, with all that was tried on it before.

    Parameters
    ----------
    small : bool  tell a large market by fewer consumers, stock and service never scarce
    """
    bare = scenario.model_copy(update={"curves": {}, "limits": Limits()})
    if small and bare.population.size >= 2 * SMALL:
        bare = shrink(bare)
    bare = bare.with_({"horizon.days": min(days + fade, 3660)})
    key = (bare.hash, days, seed, tuple(replications))
    found = _TRIALS.pop(key, None) or Trials(bare, days, fade, seed, tuple(replications))
    found.threads = threads
    _TRIALS[key] = found  # the newest last
    while len(_TRIALS) > MOST_KEPT:
        del _TRIALS[next(iter(_TRIALS))]
    return found
