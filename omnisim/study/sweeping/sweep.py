"""Run a sweep: what is not done yet goes to workers, what they give is kept in groups, and nothing is done twice."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol, TypeAlias

import numpy as np
from numpy.typing import NDArray

from omnisim.study.sweeping.store import Failure, Row, Store
from omnisim.study.sweeping.study import Study, open_study
from omnisim.study.sweeping.sweep_plan import SweepPlan
from omnisim.study.sweeping.workers import Outcome, Task

MOST_IN_GROUP, LONGEST_WAIT = 256, 1.0
"""Runs, and seconds, after which what was done is committed."""
Progress: TypeAlias = Callable[[int, int], None]


class Hands(Protocol):
    """Those who do the runs: worker processes, or a cluster."""

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome | None]:
        """Do the tasks; gives outcomes as they come, and None now and then."""
        ...

    def close(self) -> None:
        """Stop at once."""
        ...


Hire: TypeAlias = Callable[[SweepPlan, int], Hands]
"""Gets the hands for a plan and the number of runs that are left."""


def run_sweep(directory: Path, plan: SweepPlan | None, hire: Hire, progress: Progress | None = None) -> Study:
    """Run what is left of a sweep.

    Parameters
    ----------
    directory : Path  new, empty, or a study of this sweep
    plan : SweepPlan  or None to go on with that of the directory
    hire : callable  gets those who do the runs
    progress : callable  told runs done and runs in all

    Returns
    -------
    Study, whose `quarantine` holds the runs that were given up

    Raises
    ------
    UsageError  if the directory holds something else or another sweep
    StorageError  if the disk refuses, or another process sweeps into the directory
    OmnisimError  if no worker can be started
    """
    with Store(directory, plan) as store:
        plan = store.plan
        store.forgive()
        done = store.done()
        n_done, n_runs = int(done.sum()), plan.n_runs
        if progress:
            progress(n_done, n_runs)
        if n_done < n_runs:
            with contextlib.closing(hire(plan, n_runs - n_done)) as hands:
                _drive(store, hands, done, progress)
        if int(store.done().sum()) == n_runs:
            store.finish()
    return open_study(directory)


def _drive(store: Store, hands: Hands, done: NDArray[np.bool_], progress: Progress | None) -> None:
    """Do and keep what is not done."""
    plan, rows, failures = store.plan, list[Row](), list[Failure]()
    n_done, given_up, since = int(done.sum()), 0, time.monotonic()

    def keep() -> None:
        store.commit(rows, failures)
        rows.clear()
        failures.clear()

    try:
        for outcome in hands.run(_tasks(plan, done)):
            if outcome is not None:
                since = since if rows or failures else time.monotonic()
                point, replication = divmod(outcome.number, plan.replications)
                if outcome.figures is None:
                    failures.append(Failure(point, replication, outcome.tries, outcome.reason))
                    given_up += 1
                else:
                    rows.append(Row(point, replication, outcome.figures))
                    n_done += 1
            n_held = len(rows) + len(failures)
            if n_held >= MOST_IN_GROUP or (n_held and time.monotonic() - since >= LONGEST_WAIT):
                keep()
            if progress and outcome is not None:
                progress(n_done + given_up, plan.n_runs)
    except KeyboardInterrupt:
        with contextlib.suppress(Exception):  # the ledger takes no run twice, whatever was interrupted
            keep()
        raise
    if rows or failures:
        keep()


def _tasks(plan: SweepPlan, done: NDArray[np.bool_]) -> Iterator[Task]:
    """The runs that are left, point after point."""
    for point in plan.distinct:
        missing = np.flatnonzero(~done[point]).tolist()
        if missing:
            overrides = dict(zip(plan.paths, plan.values(point), strict=True))
            for replication in missing:
                yield Task(point * plan.replications + replication, overrides, replication)
