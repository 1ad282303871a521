"""Orders that wait for stock, in the order in which they were placed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import FILLED, LOST, VERDICT
from omnisim.supply.layout import Desk
from omnisim.supply.settlement import serve_waiting
from omnisim.supply.stock import Stock

Ints = NDArray[np.int64]
Rows = NDArray[np.void]
BEFORE = 1 << 13
"""No run begins that many days before its reported days."""


class Served(NamedTuple):
    """Orders that wait no longer.

    Parameters
    ----------
    rows : DEMAND (n,)
    verdicts : VERDICT (n,)  filled, or lost: given up
    """

    rows: Rows
    verdicts: NDArray[np.void]


@dataclass
class Backlog:
    """Orders that wait.

    Parameters
    ----------
    rows : DEMAND (n,)
    since : int64 (n,) [day]  on which each was placed
    """

    rows: Rows | None = None
    since: Ints = field(default_factory=lambda: np.zeros(0, np.int64))

    @property
    def size(self) -> int:
        """Orders that wait."""
        return self.since.size

    def add(self, rows: Rows, day: int) -> None:
        """Further orders wait, in the order in which they were placed."""
        if rows.size:
            self.rows = rows.copy() if self.rows is None else np.concatenate([self.rows, rows])
            self.since = np.concatenate([self.since, np.full(rows.size, day)])

    def join_orders(self, parcels: Rows, day: int) -> None:
        """Lines that wait learn the number of their order, if something of it was sent today.

        Parameters
        ----------
        parcels : PARCEL (n,)  sent today
        """
        if self.rows is None or not self.size or not parcels.size:
            return
        sent, first = np.unique(_names_of(parcels, day - parcels["waited"].astype(np.int64)), return_index=True)
        names = _names_of(self.rows, self.since)
        at = np.minimum(np.searchsorted(sent, names), sent.size - 1)
        theirs = sent[at] == names
        order = parcels[first[at[theirs]]]
        self.rows["order"][theirs], self.rows["number"][theirs] = order["order_id"], order["number"]

    def units(self, desk: Desk) -> Ints:
        """Units that wait, (places, skus), each at the place that its channel asks first."""
        found = np.zeros((desk.sources.shape[2], desk.mix.shape[1]), np.int64)
        if self.rows is not None and self.size:
            np.add.at(found, (desk.sources[self.rows["channel"], self.rows["sku"], 0], self.rows["sku"]),
                      self.rows["quantity"])
        return found

    def serve(self, desk: Desk, stock: Stock, patience: int, day: int) -> Served | None:
        """Send what has come in, the oldest orders first; who has waited too long gives up."""
        if self.rows is None or not self.size:
            return None
        channel, sku, units = (self.rows[name].astype(np.int64) for name in ("channel", "sku", "quantity"))
        places = np.empty(self.size, np.int64)
        serve_waiting(desk.sources, stock.on_hand, channel, sku, units, places)
        sent = places >= 0
        tired = ~sent & (day - self.since >= patience)
        for name, which, where in (("shipped_late", sent, places),
                                   ("given_up", tired, desk.sources[channel, sku, 0])):
            moved = np.zeros_like(stock.on_hand)
            np.add.at(moved, (where[which], sku[which]), units[which])
            stock.count(name, moved)
        gone = sent | tired
        verdicts = np.zeros(int(gone.sum()), VERDICT)
        verdicts["fate"] = np.where(sent, FILLED, LOST)[gone]
        verdicts["way"], verdicts["channel"], verdicts["sku"] = np.maximum(places, 0)[gone], channel[gone], sku[gone]
        verdicts["waited"] = (day - self.since)[gone]
        served = Served(self.rows[gone], verdicts)
        self.rows, self.since = self.rows[~gone], self.since[~gone]
        return served


def _names_of(rows: Rows, placed: Ints) -> Ints:
    """One number for each order: its consumer, the day on which it was placed, channel and ordinal."""
    when = (placed + BEFORE) << 8 | rows["channel"]
    names: Ints = (when << 8 | rows["ordinal"]) << 32 | rows["consumer"]
    return names
