"""Worker processes of our own on one machine: one thread each, restarted when they die, no run lost with them.

Python's own pools lose what is under way when a worker dies, or wait for it for ever.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import tempfile
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, NamedTuple, cast

from omnisim.errors import Fault, OmnisimError

TRIES = 3
"""How often a run is tried before it is given up: once and two retries."""
AHEAD = 3
"""Runs that a worker is given at a time, so that it need not wait while the parent writes."""
LOOK = 0.1
"""Seconds between two looks at the clock."""
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR", "BLIS")}
SERVE = ("import sys; sys.path[:0] = [sys.argv[1]]; from omnisim.study.sweeping.worker import serve; "
         "serve(sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))")
TAIL = 400
"""Characters of a dead worker's last words that are kept."""


class Task(NamedTuple):
    """A run to be done: a number of its own, what the point changes, and the replication."""

    number: int
    overrides: Mapping[str, object]
    replication: int


class Outcome(NamedTuple):
    """What became of a run: its figures, or the reason why it was given up and how often it was tried."""

    number: int
    figures: list[float] | None
    reason: str = ""
    tries: int = 1


@dataclass
class _Worker:
    process: subprocess.Popen[bytes]
    words: IO[bytes]
    inbox: bytes = b""
    is_ready: bool = False
    under_way: deque[Task] = field(default_factory=deque)


class Workers:
    """Worker processes that do runs.

    Parameters
    ----------
    job : str  "module:name" of what makes the work out of the setup
    setup : object  for JSON, what each worker must know
    size : int  how many

    Notes
    -----
    A worker does its runs in order, so a death is blamed on the first that it was given and had not answered; the
    others go back to the queue unblamed.
    """

    def __init__(self, job: str, setup: object, size: int) -> None:
        self._job, self._size = job, size
        self._setup = tempfile.TemporaryFile()  # noqa: SIM115  # held until close
        self._setup.write(json.dumps(setup, allow_nan=False).encode())
        self._setup.flush()
        self._selector = selectors.DefaultSelector()
        self._workers: list[_Worker] = []
        self._again: deque[Task] = deque()
        self._tries: dict[int, int] = {}
        self._false_starts = 0

    def run(self, tasks: Iterator[Task]) -> Iterator[Outcome | None]:
        """Do the tasks; gives outcomes as they come, and None now and then so that the caller can look at the clock.

        Raises
        ------
        OmnisimError  if workers cannot be started
        """
        is_open = True
        while True:
            waiting = sum(len(worker.under_way) for worker in self._workers)
            if not is_open and not self._again and not waiting:
                return
            while len(self._workers) < self._size and (is_open or self._again):
                self._start()
            for held in range(AHEAD):  # everybody one before anybody two
                for worker in self._workers:
                    if not worker.is_ready or len(worker.under_way) > held:
                        continue
                    task = self._again.popleft() if self._again else next(tasks, None) if is_open else None
                    is_open = is_open and task is not None
                    if task is not None:
                        self._give(worker, task)
            events = self._selector.select(LOOK)
            for key, _ in events:
                yield from self._hear(cast(_Worker, key.data))
            if not events:
                yield None

    def close(self) -> None:
        """End all workers at once."""
        for worker in self._workers:
            worker.process.kill()
        for worker in self._workers:
            self._bury(worker)
        self._workers.clear()
        self._selector.close()
        self._setup.close()

    def __enter__(self) -> Workers:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    def _start(self) -> None:
        words = tempfile.TemporaryFile()  # noqa: SIM115  # held as long as the worker; a pipe would fill up
        root = str(Path(__file__).parents[2])
        held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})  # until the worker ignores it by itself
        try:
            process = subprocess.Popen(
                [sys.executable, "-c", SERVE, root, self._job, str(self._setup.fileno()), str(os.getpid())],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=words, bufsize=0, env=os.environ | ONE_THREAD,
                pass_fds=(self._setup.fileno(),))
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, held)
        worker = _Worker(process, words)
        self._workers.append(worker)
        self._selector.register(cast(IO[bytes], process.stdout), selectors.EVENT_READ, worker)

    def _give(self, worker: _Worker, task: Task) -> None:
        worker.under_way.append(task)
        line = json.dumps([task.number, task.overrides, task.replication]) + "\n"
        with contextlib.suppress(BrokenPipeError):  # its death is noticed where it is listened to
            cast(IO[bytes], worker.process.stdin).write(line.encode())

    def _hear(self, worker: _Worker) -> Iterator[Outcome]:
        part = os.read(cast(IO[bytes], worker.process.stdout).fileno(), 1 << 16)
        *lines, worker.inbox = (worker.inbox + part).split(b"\n")
        for line in lines:
            message: dict[str, Any] = json.loads(line)
            if "unready" in message:
                raise _not_started(message["unready"])
            if "ready" in message:
                worker.is_ready = True
                continue
            self._false_starts = 0
            task = worker.under_way.popleft()
            yield from self._judge(task, message)
        if not part:
            yield from self._mourn(worker)

    def _judge(self, task: Task, message: dict[str, Any]) -> Iterator[Outcome]:
        tries = self._tries.pop(task.number, 0) + 1
        if "figures" in message:
            values = [float("nan") if value is None else float(value) for value in message["figures"]]
            yield Outcome(task.number, values, tries=tries)
        elif "refused" in message:  # whatever is tried, it stays refused
            yield Outcome(task.number, None, message["refused"], tries)
        elif tries >= TRIES:
            yield Outcome(task.number, None, message["failed"], tries)
        else:
            self._tries[task.number] = tries
            self._again.append(task)

    def _mourn(self, worker: _Worker) -> Iterator[Outcome]:
        """A worker has died: what it was doing is tried again, or given up; a new one takes its place."""
        self._workers.remove(worker)
        reason = self._bury(worker)
        if not worker.is_ready:
            self._false_starts += 1
            if self._false_starts >= TRIES * self._size:
                raise _not_started(reason)
        under_way = list(worker.under_way)
        for task in reversed(under_way[1:]):
            self._again.appendleft(task)
        if under_way:
            yield from self._judge(under_way[0], {"failed": f"its worker {reason}"})

    def _bury(self, worker: _Worker) -> str:
        """Free what a dead worker held; gives what it died of."""
        process = worker.process
        with contextlib.suppress(KeyError, ValueError):
            self._selector.unregister(cast(IO[bytes], process.stdout))
        process.kill()
        code = process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        with worker.words as words:
            words.seek(max(0, words.seek(0, os.SEEK_END) - TAIL))
            last = " ".join(words.read().decode(errors="replace").split())
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended by itself with code {code}"
        return f"{how}: …{last}" if last else how


def _not_started(reason: str) -> OmnisimError:
    return OmnisimError(Fault("sweep", "worker", reason, "must start", "Please report it, unless memory was short."))
