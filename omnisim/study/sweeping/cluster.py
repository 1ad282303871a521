"""Runs of a sweep on the machines of a dask cluster that the user names and trusts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import queue
import re
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import CancelledError
from functools import lru_cache
from itertools import islice
from typing import Any

from omnisim.errors import Fault, StorageError, UsageError
from omnisim.study.sweeping.worker import Work, attempt, find_named
from omnisim.study.sweeping.workers import LOOK, TRIES, Outcome, Task

PATIENCE = 10.0
"""Seconds to wait for the scheduler."""
AT_A_TIME, MOST_AT_A_TIME = 0.5, 64
"""Seconds of work, and most runs, that travel together."""
AHEAD = 2
"""Groups of runs that each thread of the cluster is given."""
COUNTED = 2.0
"""Seconds between two looks at how many threads there are."""


class Cluster:
    """Runs done by the workers of a dask scheduler.

    Parameters
    ----------
    address : str  tcp:// or tls:// of the scheduler; dask's own settings hold the certificates of the latter
    job, setup  as for Workers

    Raises
    ------
    UsageError  for an address of another kind, or where dask is not installed
    StorageError  where nobody answers

    Notes
    -----
    dask ships tasks as pickles between the machines of the cluster, which therefore must be trusted. It runs them
    again when a worker dies.
    """

    def __init__(self, address: str, job: str, setup: object) -> None:
        if not re.fullmatch(r"(tcp|tls)://[^\s/]+", address):
            raise UsageError(Fault("--cluster", "address", repr(address), "must be tcp://host:port or tls://host:port",
                                   "Write the address that dask scheduler prints."))
        try:
            from distributed import Client
        except ImportError:
            raise UsageError(Fault("--cluster", "dask", "", "is not installed", 'Run pip install "omnisim[cluster]", '
                                   "on each machine of the cluster too.")) from None
        self._address, self._job, self._setup = address, job, json.dumps(setup, allow_nan=False)
        try:
            self._client: Any = Client(address, timeout=PATIENCE, set_as_default=False)
        except (OSError, TimeoutError) as error:
            raise self._gone(f"does not answer: {error}") from error
        self._again: deque[Task] = deque()
        self._tries: dict[int, int] = {}
        self._seconds = AT_A_TIME  # of one run, as far as is known

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome | None]:
        """Do the tasks; gives outcomes as they come, and None now and then.

        Raises
        ------
        StorageError  if the scheduler goes away
        """
        try:
            yield from self._run(tasks)
        except (OSError, TimeoutError, CancelledError, asyncio.CancelledError) as error:  # dask's words for it
            raise self._gone("has gone away") from error

    def _run(self, tasks: Iterator[Task]) -> Iterator[Outcome | None]:
        groups: dict[Any, list[Task]] = {}
        finished: queue.SimpleQueue[Any] = queue.SimpleQueue()
        counted, threads = 0.0, 1
        while True:
            if time.monotonic() - counted > COUNTED:
                counted, threads = time.monotonic(), self._threads()
            while len(groups) < AHEAD * threads and (group := self._group(tasks)):
                future = self._client.submit(run_group, self._job, self._setup, group, pure=False, retries=0)
                groups[future] = group
                future.add_done_callback(finished.put)
            if not groups:
                return
            try:
                future = finished.get(timeout=LOOK)
            except queue.Empty:
                self._look()
                yield None
            else:
                yield from self._judge(future, groups.pop(future))

    def close(self) -> None:
        """Leave the cluster; what is under way there is dropped."""
        with contextlib.suppress(Exception):
            self._client.close(timeout=1)

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    def _group(self, tasks: Iterator[Task]) -> list[Task]:
        """The next runs to travel together: what was lost travels alone."""
        if self._again:
            return [self._again.popleft()]
        size = max(1, min(MOST_AT_A_TIME, int(AT_A_TIME / max(self._seconds, 1e-4))))
        return list(islice(tasks, size))

    def _judge(self, future: Any, group: list[Task]) -> Iterator[Outcome]:
        if future.status == "finished":
            seconds, messages = future.result()
            self._seconds += 0.3 * (seconds / len(group) - self._seconds)
        elif future.status == "error":
            reason = f"the cluster says {type(future.exception()).__name__}: {future.exception()}"
            messages = [{"failed": " ".join(reason.split())}] * len(group)
        else:
            raise self._gone("has gone away")
        for task, message in zip(group, messages, strict=True):
            tries = self._tries.pop(task.number, 0) + 1
            if "figures" in message:
                values = [float("nan") if value is None else float(value) for value in message["figures"]]
                yield Outcome(task.number, values, tries=tries)
            elif "refused" in message or tries >= TRIES:
                yield Outcome(task.number, None, message.get("refused") or message["failed"], tries)
            else:
                self._tries[task.number] = tries
                self._again.append(task)

    def _threads(self) -> int:
        self._look()
        return max(1, sum(map(int, self._client.nthreads().values())))

    def _look(self) -> None:
        if self._client.status not in ("running", "connecting"):
            raise self._gone("has gone away")

    def _gone(self, what: str) -> StorageError:
        return StorageError(Fault("--cluster", "scheduler", self._address, what, "Check that it runs; the same command "
                                  "goes on where this one stopped."))


def run_group(job: str, setup: str, group: list[Any]) -> tuple[float, list[dict[str, Any]]]:
    """What a worker of the cluster does: some runs, one after another.

    Returns
    -------
    Seconds that they took together, and what became of each
    """
    start = time.monotonic()
    work = _work(job, setup)
    messages = [attempt(work, overrides, replication) for _, overrides, replication in group]
    return time.monotonic() - start, messages


@lru_cache(maxsize=2)
def _work(job: str, setup: str) -> Work:
    made: Work = find_named(job)(json.loads(setup))
    return made
