"""Search for budgets by simulating: move money between channels while that pays, whatever its pattern over the days."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MEASURE
from omnisim.measure.profit import STATEMENT
from omnisim.plan import Plan
from omnisim.scenario.model import Scenario
from omnisim.simulation import World, finish, warm_up

SEARCHED = 6_000
"""First replication of a search: luck that no comparison uses."""
FIRST_STEP, LAST_STEP = 0.5, 0.05
"""Money moved at first and at last, of the total."""

Cents = NDArray[np.int64]
"""(channels, periods) [cents/day]"""


@dataclass
class Trial:
    """What budgets bring a scenario, simulated, each asked for once.

    Parameters
    ----------
    scenario : Scenario
    channels : tuple of str  of the rows of budgets
    first_days : tuple of int [day]  of their columns
    seed, runs : int  the mean of so many replications counts
    """

    scenario: Scenario
    channels: tuple[str, ...]
    first_days: tuple[int, ...]
    seed: int
    runs: int
    known: dict[bytes, float] = field(default_factory=dict)
    worlds: list[World] = field(default_factory=list)

    def plan(self, budgets: Cents) -> Plan:
        """Budgets as a run takes them."""
        return Plan(self.first_days, {name: tuple(int(cents) for cents in line)
                                      for name, line in zip(self.channels, budgets, strict=True)})

    def profit(self, budgets: Cents) -> float:
        """Mean profit [cents] of budgets."""
        key = budgets.tobytes()
        if key not in self.known:
            if not self.worlds:
                self.worlds = [warm_up(self.scenario, self.seed, SEARCHED + k, threads=1, orders="none")
                               for k in range(self.runs)]
            lines, plan = [MEASURE[line] for line in STATEMENT], self.plan(budgets)
            with ThreadPoolExecutor(self.runs) as pool:
                runs = list(pool.map(lambda world: finish(world.clone(), plan, threads=1), self.worlds))
            self.known[key] = float(np.mean([books.daily[books.warm_up:, :, lines].sum() for books in runs]))
        return self.known[key]


def climb(trial: Trial, starts: Sequence[Cents], *, tries: int, spend_all: bool,
          keeps: Callable[[Cents], bool] = lambda budgets: True) -> Cents:
    """The best budgets found: the best start, then the best of all moves of a step, and smaller steps.

    Parameters
    ----------
    tries : int  plans simulated at most
    spend_all : bool  whether money may only move, or be left unspent as well
    keeps : callable  whether budgets keep the limits; others are not tried
    """
    best = max(starts, key=trial.profit)
    total, step = max(int(start.sum(axis=0).max()) for start in starts), FIRST_STEP
    while step >= LAST_STEP and len(trial.known) < tries:
        better = best
        for move in moves(best, max(1, round(step * total)), total, spend_all=spend_all):
            if len(trial.known) >= tries:
                break
            if keeps(move) and trial.profit(move) > trial.profit(better):
                better = move
        if better is best:
            step /= 2.0
        best = better
    return best


def moves(budgets: Cents, cents: int, total: int, *, spend_all: bool) -> Iterator[Cents]:
    """All budgets in which an amount a day, or what there is of it, has gone from one channel to another, or in or out.

    Parameters
    ----------
    cents : int [cents/day]
    total : int [cents/day]  that may be spent on average over the periods
    """
    def moved(change: Cents, giver: int | None, taker: int | None) -> Cents:
        found = budgets.copy()
        if giver is not None:
            found[giver] -= change
        if taker is not None:
            found[taker] += change
        return found

    n = len(budgets)
    for giver, taker in permutations(range(n), 2):
        change = np.minimum(cents, budgets[giver])
        if change.any():
            yield moved(change, giver, taker)
    if not spend_all:
        left = np.full(budgets.shape[1], max(0, int(total - budgets.sum(axis=0).mean())))
        for c in range(n):
            if budgets[c].any():
                yield moved(np.minimum(cents, budgets[c]), c, None)
            if left.any():
                yield moved(np.minimum(cents, left), None, c)
