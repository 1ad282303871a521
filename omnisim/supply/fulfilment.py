"""Parcels on their way to consumers, by the day they arrive."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from omnisim.books import PARCEL

Parcels = NDArray[np.void]
NO_PARCELS = np.empty(0, PARCEL)


@dataclass
class Fulfilment:
    """What has been shipped and not yet delivered: by part of the population, arrival day -> parcels."""

    on_the_way: list[dict[int, list[Parcels]]]

    def ship(self, part: int, parcels: Parcels, starts: NDArray[np.int64], day: int) -> None:
        """Send parcels (PARCEL, by day of arrival); `starts` says where those of day, day + 1, … begin.

        Those of the day itself are not on their way any more.
        """
        edges = starts.tolist()
        for later in range(1, len(edges) - 1):
            if edges[later] == edges[-1]:
                break
            if edges[later] < edges[later + 1]:
                self.on_the_way[part].setdefault(day + later, []).append(parcels[edges[later]:edges[later + 1]])

    def arrive(self, part: int, day: int) -> Parcels:
        """The parcels of former days that arrive in a part on a day, in the order they were sent."""
        batches = self.on_the_way[part].pop(day, [NO_PARCELS])
        # as bytes: numpy would compare the fields of all batches first
        return np.concatenate([batch.view(np.uint8) for batch in batches]).view(PARCEL)

    def due(self, day: int) -> int:
        """How many parcels arrive on a day."""
        return sum(batch.size for part in self.on_the_way for batch in part.get(day, []))
