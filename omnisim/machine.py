"""What the machine offers, and what is asked of it."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, Self

Handler = Callable[[int, FrameType | None], Any]
STOPS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGALRM") if hasattr(signal, name))
"""Signals whose handlers end what is under way, by raising."""


def available_threads() -> int:
    """Processors that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@contextmanager
def paused_collector() -> Iterator[None]:
    """Python's collector of cyclic garbage stands still: for imports and the loading of kernels.

    They make a million objects that stay, and the collector would look through all of them again and again: a tenth of
    the time of a start.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


class Stops:
    """Ctrl-C and the like, which wait while compiled code is at work.

    Python makes what compiled code returns; an exception in the midst of that, out of a signal's handler, would end the
    process. Handlers are put in place once for many pieces of work, as that takes longer than a small one; they only
    pass on what comes between two. They run in the main thread alone, so there is nothing to hold in another.
    """

    def __init__(self) -> None:
        self._usual: dict[int, Handler] = {}
        self._came: dict[int, FrameType | None] = {}
        self._at_work = False

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            self._usual = {one: usual for one in STOPS if callable(usual := signal.getsignal(one))}
            for one in self._usual:
                signal.signal(one, self._hear)
        return self

    def __exit__(self, *failed: object) -> None:
        for one, usual in self._usual.items():
            if signal.getsignal(one) == self._hear:  # nobody has put another in its place
                signal.signal(one, usual)

    def _hear(self, number: int, frame: FrameType | None) -> None:
        if self._at_work:
            self._came[number] = frame
        else:
            self._usual[number](number, frame)

    @contextmanager
    def held(self) -> Iterator[None]:
        """A piece of work; what came meanwhile is heard in the end."""
        self._at_work = True
        try:
            yield
        finally:
            self._at_work = False
            while self._came:
                self._hear(*self._came.popitem())
