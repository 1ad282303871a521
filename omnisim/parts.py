"""The population in parts, each of which a thread lives through; how many there are changes no result."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import TypeVar

from omnisim.streams import CHUNK

T = TypeVar("T")


def split_population(size: int, parts: int) -> list[tuple[int, int]]:
    """Consecutive parts of nearly equal size, at multiples of a chunk."""
    chunks = -(-size // CHUNK)
    edges = [min(size, chunks * n // parts * CHUNK) for n in range(parts)] + [size]
    return [(low, high) for low, high in pairwise(edges) if high > low]


def each(pool: ThreadPoolExecutor | None, work: Callable[[int], T], parts: int) -> list[T]:
    """What the work gives for each part: side by side in the pool, or one after the other."""
    others = [pool.submit(work, p) for p in range(1, parts)] if pool else []
    first = work(0)
    return [first, *(other.result() for other in others)] if pool else [first, *(work(p) for p in range(1, parts))]
