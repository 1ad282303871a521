"""Parcels on their way to consumers, by the day they arrive."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omnisim.books import ORDER_DTYPE

Lines = NDArray[np.void]


@dataclass
class Fulfilment:
    """What has been shipped and not yet delivered: arrival day -> order lines."""

    on_the_way: dict[int, list[Lines]] = field(default_factory=dict)

    def ship(self, lines: Lines) -> None:
        """Send order lines; `delivered` says when each arrives."""
        for day in np.unique(lines["delivered"]):
            self.on_the_way.setdefault(int(day), []).append(lines[lines["delivered"] == day])

    def arrive(self, day: int) -> Lines:
        """The parcels that arrive on a day, in the order they were sent."""
        batches = self.on_the_way.pop(day, [])
        return np.concatenate(batches) if batches else np.empty(0, ORDER_DTYPE)
