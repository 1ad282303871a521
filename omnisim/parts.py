"""The population in parts, each of which a thread lives through; how many there are changes no result."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from queue import SimpleQueue
from threading import Thread
from types import TracebackType
from typing import Any, Self, TypeVar

from omnisim.streams import CHUNK

T = TypeVar("T")


def split_population(size: int, parts: int) -> list[tuple[int, int]]:
    """Consecutive parts of nearly equal size, at multiples of a chunk."""
    chunks = -(-size // CHUNK)
    edges = [min(size, chunks * n // parts * CHUNK) for n in range(parts)] + [size]
    return [(low, high) for low, high in pairwise(edges) if high > low]


class Crew:
    """The caller and so many threads beside it, who wait for the next piece of work from day to day.

    A day's work takes a millisecond: a pool of the standard library hands it over in a tenth of that, this in a third
    of the tenth.
    """

    def __init__(self, threads: int) -> None:
        self._lines: list[tuple[SimpleQueue[Any], SimpleQueue[Any]]] = [
            (SimpleQueue(), SimpleQueue()) for _ in range(threads - 1)]

    def __enter__(self) -> Self:
        for todo, done in self._lines:
            Thread(target=_serve, args=(todo, done), daemon=True).start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        for todo, _ in self._lines:
            todo.put(None)

    def each(self, work: Callable[[int], T], parts: int) -> list[T]:
        """What the work gives for each part; part n is done by thread n modulo the number of threads."""
        threads = len(self._lines) + 1
        others = [(todo, done) for n, (todo, done) in enumerate(self._lines) if n + 1 < parts]
        for n, (todo, _) in enumerate(others):
            todo.put((work, range(n + 1, parts, threads)))
        found: dict[int, T] = {}
        failed: list[BaseException] = []
        try:
            found.update((p, work(p)) for p in range(0, parts, threads))
        finally:  # nobody is left at work on what the caller may touch next
            for _, done in others:
                theirs = done.get()
                if isinstance(theirs, BaseException):
                    failed.append(theirs)
                else:
                    found.update(theirs)
        if failed:
            raise failed[0]
        return [found[p] for p in range(parts)]


def _serve(todo: SimpleQueue[Any], done: SimpleQueue[Any]) -> None:
    while job := todo.get():
        work, parts = job
        try:
            done.put([(p, work(p)) for p in parts])
        except BaseException as error:
            done.put(error)


ALONE = Crew(1)
"""The caller alone."""
