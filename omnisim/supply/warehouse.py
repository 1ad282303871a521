"""One warehouse with base stock: exact units, lead time, smallest order, lost sales."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omnisim.books import STOCK
from omnisim.compiled import kernel

Ints = NDArray[np.int64]


@kernel
def settle(on_hand, sku, units):
    """Serve demands in the order given: each is filled whole or lost.

    Parameters
    ----------
    on_hand : int64 (skus,) [unit]  reduced by what is filled
    sku, units : int64 (n,)  article and units of each demand, in order of settlement

    Returns
    -------
    filled : bool (n,)
    """
    filled = np.zeros(sku.size, np.bool_)
    for d in range(sku.size):
        if on_hand[sku[d]] >= units[d]:
            filled[d] = True
            on_hand[sku[d]] -= units[d]
    return filled


@dataclass
class Warehouse:
    """Stock and orders on their way, by article.

    Parameters
    ----------
    level : int64 (skus,) [unit]  base stock S: each review orders up to it
    lead_time : int [day]  from order to receipt
    moq : int [unit]  smallest order of an article
    unlimited : bool  stock never runs out; nothing is ordered

    Notes
    -----
    Units are conserved: on_hand(t) = on_hand(t-1) + received + returned - filled, and on_order likewise.
    """

    level: Ints
    lead_time: int
    moq: int
    unlimited: bool
    on_hand: Ints = field(init=False)
    arrivals: dict[int, Ints] = field(default_factory=dict)
    restocks: dict[int, Ints] = field(default_factory=dict)
    today: Ints = field(init=False)

    def __post_init__(self) -> None:
        self.on_hand = np.zeros_like(self.level) if self.unlimited else self.level.copy()
        self.today = np.zeros((self.level.size, len(STOCK)), np.int64)

    @property
    def on_order(self) -> Ints:
        """Units ordered and not yet received."""
        return sum(self.arrivals.values(), np.zeros_like(self.level))

    def receive(self, day: int) -> None:
        """Put what arrives this morning on the shelf: supplies and returns fit to be sold."""
        received = self.arrivals.pop(day, np.zeros_like(self.level))
        returned = self.restocks.pop(day, np.zeros_like(self.level))
        self.today[:, STOCK.index("received")] += received
        self.today[:, STOCK.index("returned")] += returned
        if not self.unlimited:
            self.on_hand += received + returned

    def suffices(self, units: Ints) -> bool:
        """Whether there is enough for all of the day's demand, units by article."""
        return self.unlimited or bool((units <= self.on_hand).all())

    def serve_all(self, units: Ints) -> None:
        """Fill the day's demand, units by article; there is enough."""
        for name in ("demand", "filled"):
            self.today[:, STOCK.index(name)] += units
        if not self.unlimited:
            self.on_hand -= units

    def serve(self, sku: Ints, units: Ints) -> NDArray[np.bool_]:
        """Settle the day's demands in the order given: bool (n,), what is filled."""
        filled: NDArray[np.bool_] = settle(self.on_hand, sku, units)
        for name, which in (("demand", slice(None)), ("filled", filled), ("lost", ~filled)):
            amounts = np.bincount(sku[which], weights=units[which], minlength=self.level.size)
            self.today[:, STOCK.index(name)] += amounts.astype(np.int64)
        return filled

    def take_back(self, units: Ints, day: int) -> None:
        """Returned units reach the shelf on `day`."""
        if units.any():
            self.restocks[day] = self.restocks.get(day, np.zeros_like(self.level)) + units

    def order(self, day: int) -> None:
        """Order up to the base stock; less than the smallest order waits."""
        if self.unlimited:
            return
        short = self.level - self.on_hand - self.on_order
        amount = np.where(short >= self.moq, short, 0)
        if amount.any():
            arrives = day + self.lead_time
            self.arrivals[arrives] = self.arrivals.get(arrives, np.zeros_like(self.level)) + amount

    def close(self) -> Ints:
        """The day's row of the stock table, (skus, 8), and a clean slate for tomorrow."""
        row = self.today.copy()
        row[:, STOCK.index("on_hand")] = self.on_hand
        row[:, STOCK.index("on_order")] = self.on_order
        self.today[:] = 0
        return row
