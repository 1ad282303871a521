"""Put a programme together: columns, rows and entries in any order, arrays at the end."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from omnisim.optimise.solver import Floats, Model, columns

Ints = NDArray[np.int64]


class Assembly:
    """A programme under construction. Columns and rows are known by their places, arrays of whole numbers."""

    def __init__(self) -> None:
        self._columns: list[tuple[Floats, Floats, Floats, NDArray[np.bool_]]] = []
        self._rows: list[tuple[Floats, Floats]] = []
        self._entries: list[tuple[Ints, Ints, Floats]] = []
        self.width = self.height = 0

    def add_columns(self, cost: Floats, low: Floats | float, high: Floats | float, *, integer: bool = False) -> Ints:
        """Variables with cost and bounds; their places in the shape of `cost`."""
        flat = cost.ravel()
        self._columns.append((flat, np.broadcast_to(low, cost.shape).ravel(), np.broadcast_to(high, cost.shape).ravel(),
                              np.full(flat.size, integer)))
        places = self.width + np.arange(flat.size)
        self.width += flat.size
        return places.reshape(cost.shape)

    def add_rows(self, low: Floats, high: Floats) -> Ints:
        """Rows with sides; their places in the shape of `low`."""
        self._rows.append((low.ravel(), high.ravel()))
        places = self.height + np.arange(low.size)
        self.height += low.size
        return places.reshape(low.shape)

    def add_entries(self, rows: Ints | int, places: Ints | int, values: Floats | float) -> None:
        """Coefficients, broadcast against each other."""
        spread = np.broadcast_arrays(np.asarray(rows, np.int64), np.asarray(places, np.int64),
                                     np.asarray(values, np.float64))
        self._entries.append((spread[0].ravel(), spread[1].ravel(), spread[2].ravel()))

    def add_limit(self, sense: str, value: float) -> int:
        """One row with a sense; its place."""
        low, high = -math.inf if sense == "<=" else value, math.inf if sense == ">=" else value
        return int(self.add_rows(np.array([low]), np.array([high]))[0])

    def model(self) -> Model:
        """The programme as arrays."""
        cost, low, high, integer = (np.concatenate(parts) for parts in zip(*self._columns, strict=True))
        row_low, row_high = (np.concatenate(parts) for parts in zip(*self._rows, strict=True))
        rows, places, values = (np.concatenate(parts) for parts in zip(*self._entries, strict=True))
        return Model(cost, low, high, row_low, row_high, *columns(rows, places, values, self.width),
                     integer if integer.any() else None)
