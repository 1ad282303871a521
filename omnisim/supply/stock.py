"""What stands where and what is on its way: every unit accounted for."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MOVES, STOCK

Ints = NDArray[np.int64]


@dataclass
class Stock:
    """Units by place and article, (N, S), and the tallies of the day.

    Parameters
    ----------
    on_hand : int64 (N, S) [unit]  on the first morning
    life : int64 (S,) [day]  shelf life; 0 for ever
    unlimited : bool  stock never runs out

    Notes
    -----
    Units are conserved in each place: on_hand(t) = on_hand(t−1) + received + returned − filled − shipped_late − sent −
    expired; and over all places on_order(t) = on_order(t−1) + ordered + sent − received.
    """

    on_hand: Ints
    life: Ints
    unlimited: bool = False
    on_order: Ints = field(init=False)
    arrivals: dict[int, Ints] = field(default_factory=dict)
    restocks: dict[int, Ints] = field(default_factory=dict)
    stock: Ints = field(init=False)
    moves: Ints = field(init=False)
    taken_in: Ints = field(init=False)
    earlier: list[Ints] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.on_order = np.zeros_like(self.on_hand)
        self.stock = np.zeros((*self.on_hand.shape, len(STOCK)), np.int64)
        self.moves = np.zeros((*self.on_hand.shape, len(MOVES)), np.int64)
        self.taken_in = self.on_hand.copy()

    def count(self, name: str, units: Ints) -> None:
        """Add units (N, S) to a column of the day's tallies."""
        if name in STOCK:
            self.stock[..., STOCK.index(name)] += units
        else:
            self.moves[..., MOVES.index(name)] += units

    def receive(self, day: int) -> Ints | None:
        """The morning: what is too old goes, supplies and returns fit to be sold come; returns units thrown away."""
        expired = self._throw_away() if self.life.any() and not self.unlimited else None
        received, returned = self.arrivals.pop(day, None), self.restocks.pop(day, None)
        if received is not None:
            self.count("received", received)
            self.on_order -= received
            self.on_hand += received
            self.taken_in += received
        if returned is not None:
            self.count("returned", returned)
            if not self.unlimited:
                self.on_hand += returned
                self.taken_in += returned
        return expired

    def _throw_away(self) -> Ints:
        """First in, first out: of what had come L days ago, whatever more than all that has left since has expired."""
        expired = np.zeros_like(self.on_hand)
        self.earlier = [self.taken_in.copy(), *self.earlier[:int(self.life.max())]]  # as of last night, and before
        left = self.taken_in - self.on_hand
        for life in np.unique(self.life[self.life > 0]).tolist():
            if life <= len(self.earlier):
                old = np.where(self.life == life, self.earlier[life - 1], 0)
                expired += np.maximum(0, old - left)
        self.on_hand -= expired
        self.count("expired", expired)
        return expired

    def expect(self, units: Ints, day: int) -> None:
        """Units (N, S) will arrive in the morning of a day."""
        if units.any():
            self.arrivals[day] = self.arrivals.get(day, np.zeros_like(self.on_hand)) + units
            self.on_order += units

    def take_back(self, units: Ints, day: int) -> None:
        """Returned units (N, S) reach the shelf on a day."""
        if units.any():
            self.restocks[day] = self.restocks.get(day, np.zeros_like(self.on_hand)) + units

    def due(self, day: int) -> Ints:
        """Units that arrive up to a day."""
        return sum((units for when, units in self.arrivals.items() if when <= day), np.zeros_like(self.on_hand))

    def close(self) -> tuple[Ints, Ints]:
        """The day's rows, (N, S, 8) of the stock table and (N, S, 12) of moves, and a clean slate for tomorrow."""
        stock, moves = self.stock.copy(), self.moves.copy()
        stock[..., STOCK.index("on_hand")] = 0 if self.unlimited else self.on_hand
        stock[..., STOCK.index("on_order")] = self.on_order
        self.stock[:], self.moves[:] = 0, 0
        return stock, moves
