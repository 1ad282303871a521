"""What the machine offers, and what is asked of it."""

from __future__ import annotations

import gc
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import FrameType

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


@contextmanager
def held_stops() -> Iterator[None]:
    """Ctrl-C and the like wait until the end, and are heard then.

    Python makes what compiled code returns; an exception in the midst of that, out of a signal's handler, would end the
    process. Handlers run in the main thread alone, so there is nothing to hold in another.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: dict[int, FrameType | None] = {}
    usual = {one: handler for one in STOPS if callable(handler := signal.getsignal(one))}
    try:
        with ExitStack() as stack:
            for one, handler in usual.items():
                stack.callback(signal.signal, one, handler)
                signal.signal(one, came.__setitem__)
            yield
    finally:
        for number, frame in came.items():
            usual[signal.Signals(number)](number, frame)
