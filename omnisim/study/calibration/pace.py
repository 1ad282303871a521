"""The pace of a log and that of a scenario: what a scenario adds to its customers' own rates.

A log shows how often customers order. In a scenario members, seat holders, the interested, flash sales and member days
order more often than their own rates say, and the lapsed may be won back; a scenario with the log's rates would
therefore outrun the log. How far is measured by simulation, with and without these, on the same luck.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from omnisim.books import MEASURE
from omnisim.scenario.model import Scenario
from omnisim.simulation import simulate
from omnisim.study.calibration.fitting import shrink

if TYPE_CHECKING:
    from omnisim.study.purchases.repurchase import Repurchase

RUNS = 4
"""Pairs of runs of the small population."""
DAYS = 365
BASE = {"brand.repurchase.interest_uplift": 0.0, "brand.repurchase.win_back": -20.0}
MEMBERS = {"membership.uplift": 0.0, "membership.member_day_factor": 1.0}
GROUPS = {"community.touch": 0.0, "community.flash_factor": 1.0}
"""What a scenario is without all that raises rates."""


def adapt(found: Repurchase, scenario: Scenario, *, seed: int = 1, threads: int = 1) -> Repurchase:
    """The fitted repurchase as a scenario should hold it, and the scenario with it.

    Parameters
    ----------
    scenario : Scenario  kept but for brand.repurchase
    seed, threads : int  of the runs that measure by how much it raises rates
    """
    return replace(found, scenario=scenario).paced(measure_pace(
        scenario.with_(found.changes), seed=seed, threads=threads))


def measure_pace(scenario: Scenario, *, seed: int = 1, threads: int = 1) -> float:
    """Repeat orders of a year, by the same without all that raises rates.

    Notes
    -----
    The ratio of sums over four pairs of runs with the luck of each pair shared. It is taken for a factor of all rates;
    that it falls on some customers more than on others is left aside.
    """
    changes = BASE | (MEMBERS if scenario.membership else {}) | (GROUPS if scenario.community else {})
    small = shrink(scenario).with_({"horizon.days": DAYS})
    pair = (small, small.with_(changes))
    tasks: Sequence[tuple[Scenario, int]] = [(one, n) for one in pair for n in range(RUNS)]

    def count(task: tuple[Scenario, int]) -> int:
        books = simulate(task[0], seed=seed, replication=3_000 + task[1], threads=1, orders="none")
        tally = books.daily[books.warm_up:].sum(axis=(0, 1))
        return int(tally[MEASURE["repeat_orders"]] + tally[MEASURE["win_back_orders"]])

    with ThreadPoolExecutor(threads) as pool:
        raised, plain = np.array(list(pool.map(count, tasks))).reshape(2, RUNS).sum(axis=1)
    return float(raised / plain) if plain > 0 else 1.0
