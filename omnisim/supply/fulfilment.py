"""Parcels on their way to consumers, by the day they arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Parcels = NDArray[np.void]


@dataclass
class Fulfilment:
    """What has been shipped and not yet delivered: by part of the population, arrival day -> parcels."""

    on_the_way: list[dict[int, list[Parcels]]]

    def ship(self, part: int, parcels: Parcels, starts: NDArray[np.int64], day: int) -> None:
        """Send parcels (PARCEL, by day of arrival); `starts` says where those of day, day + 1, … begin."""
        for later in np.flatnonzero(np.diff(starts)).tolist():
            batch = parcels[starts[later]:starts[later + 1]]
            self.on_the_way[part].setdefault(day + later, []).append(batch)

    def arrive(self, day: int) -> list[list[Parcels]]:
        """The parcels that arrive on a day, by part, in batches in the order they were sent."""
        return [part.pop(day, []) for part in self.on_the_way]
