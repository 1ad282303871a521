"""What the machine offers, and what is asked of it."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from contextlib import contextmanager


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
