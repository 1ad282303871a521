"""Search for steady budgets by simulating: move money between channels while that pays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import permutations

import numpy as np

from omnisim.books import MEASURE
from omnisim.measure.profit import STATEMENT
from omnisim.plan import Plan
from omnisim.scenario.model import Scenario
from omnisim.simulation import World, finish, warm_up

SEARCHED = 6_000
"""First replication of a search: luck that no comparison uses."""
FIRST_STEP, LAST_STEP = 0.5, 0.05
"""Money moved at first and at last, of the total."""


@dataclass
class Trial:
    """What steady budgets bring a scenario, simulated, each asked for once.

    Parameters
    ----------
    scenario : Scenario
    seed, runs : int  the mean of so many replications counts
    """

    scenario: Scenario
    seed: int
    runs: int
    known: dict[tuple[tuple[str, int], ...], float] = field(default_factory=dict)
    worlds: list[World] = field(default_factory=list)

    def profit(self, budgets: Mapping[str, int]) -> float:
        """Mean profit [cents] of budgets [cents/day]."""
        key = tuple(sorted(budgets.items()))
        if key not in self.known:
            if not self.worlds:
                self.worlds = [warm_up(self.scenario, self.seed, SEARCHED + k, threads=1, orders="none")
                               for k in range(self.runs)]
            lines = [MEASURE[line] for line in STATEMENT]
            plan = Plan(budgets={name: (cents,) for name, cents in budgets.items()})
            with ThreadPoolExecutor(self.runs) as pool:
                runs = list(pool.map(lambda world: finish(world.clone(), plan, threads=1), self.worlds))
            self.known[key] = float(np.mean([books.daily[books.warm_up:, :, lines].sum() for books in runs]))
        return self.known[key]


def climb(trial: Trial, starts: Sequence[Mapping[str, int]], *, tries: int, spend_all: bool) -> dict[str, int]:
    """The best budgets found [cents/day]: the best start, then the best of all moves of a step, and smaller steps.

    Parameters
    ----------
    tries : int  plans simulated at most
    spend_all : bool  whether money may only move, or be left unspent as well
    """
    best = max((dict(start) for start in starts), key=trial.profit)
    total, step = max(sum(start.values()) for start in starts), FIRST_STEP
    while step >= LAST_STEP and len(trial.known) < tries:
        better = best
        for move in moves(best, max(1, round(step * total)), total, spend_all=spend_all):
            if len(trial.known) >= tries:
                break
            if trial.profit(move) > trial.profit(better):
                better = move
        if better is best:
            step /= 2.0
        best = better
    return best


def moves(budgets: Mapping[str, int], cents: int, total: int, *, spend_all: bool) -> Iterator[dict[str, int]]:
    """All budgets in which an amount, or what there is of it, has gone from one channel to another, or in or out."""
    for giver, taker in permutations(budgets, 2):
        moved = min(cents, budgets[giver])
        if moved:
            yield {**budgets, giver: budgets[giver] - moved, taker: budgets[taker] + moved}
    if not spend_all:
        left = total - sum(budgets.values())
        for name, there in budgets.items():
            if there:
                yield {**budgets, name: there - min(cents, there)}
            if left:
                yield {**budgets, name: there + min(cents, left)}
