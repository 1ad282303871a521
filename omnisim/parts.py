"""The population in parts, each of which a thread lives through; how many there are changes no result."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from omnisim.errors import Fault, UsageError
from omnisim.machine import Stops
from omnisim.streams import CHUNK

T = TypeVar("T")


HEAD_START = 8
"""Chunks that the caller lives through while the other threads wake, and read their results."""


def split_population(size: int, parts: int, ahead: int = 0) -> list[tuple[int, int]]:
    """Consecutive parts of nearly equal size, at multiples of a chunk; the first takes `ahead` chunks more."""
    chunks = -(-size // CHUNK)
    shared = max(0, chunks - ahead)
    edges = [0, *(min(size, (chunks - shared + shared * n // parts) * CHUNK) for n in range(1, parts)), size]
    return [(low, high) for low, high in pairwise(edges) if high > low]


class Crew:
    """The caller and so many threads beside it, who wait for the next calls from day to day.

    A day's work takes a millisecond or less; a pool of the standard library hands it over in a tenth of that, this in a
    quarter of the tenth. The caller prepares all arguments and reads all results: in a thread that has just come from a
    kernel, the interpreter is slow, and the others wait for it.
    """

    def __init__(self, threads: int) -> None:
        self._lines: list[tuple[SimpleQueue[Any], SimpleQueue[Any]]] = [
            (SimpleQueue(), SimpleQueue()) for _ in range(threads - 1)]
        self._stops = Stops()

    def __enter__(self) -> Self:
        try:
            for todo, done in self._lines:
                Thread(target=_serve, args=(todo, done), daemon=True).start()
        except RuntimeError as error:
            self._dismiss()
            raise UsageError(Fault("run", "threads", str(len(self._lines) + 1), f"must be as many as the system starts "
                                   f"({error})", "Choose fewer.")) from error
        self._stops.__enter__()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        self._dismiss()
        self._stops.__exit__()

    def _dismiss(self) -> None:
        for todo, _ in self._lines:
            todo.put(None)

    def each(self, work: Callable[..., T], given: Callable[[int], tuple[Any, ...]], parts: int) -> list[T]:
        """What the work gives for each part; `given` tells its arguments. Parts go to the threads in turn.

        Ctrl-C is heard when all have finished.
        """
        with self._stops.held():
            return self._each(work, given, parts)

    def _each(self, work: Callable[..., T], given: Callable[[int], tuple[Any, ...]], parts: int) -> list[T]:
        threads = len(self._lines) + 1
        others = self._lines[:parts - 1]
        for n, (todo, _) in enumerate(others, start=1):  # first, so that they wake meanwhile
            todo.put((work, [given(p) for p in range(n, parts, threads)]))
        found: list[Any] = [None] * parts
        failed: list[BaseException] = []
        try:
            found[::threads] = [work(*given(p)) for p in range(0, parts, threads)]
        finally:  # nobody is left at work on what the caller may touch next
            for n, (_, done) in enumerate(others, start=1):
                results, error = done.get()
                if error is None:
                    found[n::threads] = results
                else:
                    failed.append(error)
        if failed:
            raise failed[0]
        return found


def _serve(todo: SimpleQueue[Any], done: SimpleQueue[Any]) -> None:
    while job := todo.get():
        work, calls = job
        try:
            done.put(([work(*call) for call in calls], None))
        except BaseException as error:
            done.put((None, error))


ALONE = Crew(1)
"""The caller alone."""
