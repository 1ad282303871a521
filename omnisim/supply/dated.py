"""Orders of a plan on their dates, and what is still open of them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omnisim.plan import Order
from omnisim.supply.layout import Layout

Ints = NDArray[np.int64]


@dataclass
class Dated:
    """Orders that a plan gives, by date, place and article.

    Parameters
    ----------
    layout : Layout
    orders : tuple of Order  in force
    planned : bool (N, S)  where they stand in for the rules
    asked : int64 (N, S) [unit]  due and not yet given, from the supplier or node that feeds the place
    moving : int64 (transfers, S) [unit]  due and not yet sent, on the layout's routes of transfer

    Notes
    -----
    What a supplier's capacity, its smallest order or a feeding node's stock leaves of an order stays due and is given
    as soon as it can be: units are neither lost nor doubled. New orders put an end to what was due of the old ones.
    """

    layout: Layout
    orders: tuple[Order, ...] = ()
    planned: NDArray[np.bool_] = field(init=False)
    asked: Ints = field(init=False)
    moving: Ints = field(init=False)
    days: dict[int, list[Order]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._clear()

    def _clear(self) -> None:
        shape = self.layout.opening.shape
        self.planned, self.asked = np.zeros(shape, np.bool_), np.zeros(shape, np.int64)
        self.moving = np.zeros((len(self.layout.transfers), shape[1]), np.int64)
        self.days = {}

    def take(self, orders: tuple[Order, ...], day: int) -> None:
        """Follow other orders from a day on; those in force go on where they are given again as they were."""
        if orders == self.orders:
            return
        self._clear()
        self.orders = orders
        for one in orders:
            self.planned[self._cell(one)] = True
            if one.day >= day:
                self.days.setdefault(one.day, []).append(one)

    def turn_to(self, day: int) -> None:
        """The evening of a day: its orders are due."""
        for one in self.days.pop(day, ()):
            place, article = self._cell(one)
            route = self._route(one)
            if route is None:
                self.asked[place, article] += one.units
            else:
                self.moving[route, article] += one.units

    def give(self, place: int, article: int, units: int) -> None:
        """Units of an article were ordered for a place."""
        if self.planned[place, article]:
            self.asked[place, article] -= units

    def give_all(self, units: Ints) -> None:
        """Units (N, S) were ordered."""
        self.asked -= np.where(self.planned, units, 0)

    def _cell(self, one: Order) -> tuple[int, int]:
        return self.layout.places.index(one.node), self.layout.skus.index(one.sku)

    def _route(self, one: Order) -> int | None:
        """Number of the route of transfer that an order names; None where it comes as the place is fed."""
        places = self.layout.places
        if one.source not in places:
            return None
        ends = places.index(one.source), places.index(one.node)
        found: Iterable[int] = (k for k, route in enumerate(self.layout.transfers)
                                if (route.source, route.target) == ends)
        return next(iter(found), None)
