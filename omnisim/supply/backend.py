"""The back end in a run: stock, orders that wait, and what is ordered, day by day."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MOVES, STOCK, VERDICT
from omnisim.plan import Plan
from omnisim.supply.backlog import Backlog, Served
from omnisim.supply.layout import Layout
from omnisim.supply.replenishment import Replenishment
from omnisim.supply.settlement import settle
from omnisim.supply.stock import Stock

Ints = NDArray[np.int64]
SENT = MOVES.index("sent")
ENDLESS = 1 << 60
"""Units where stock never runs out."""
NOTHING = np.zeros((1, 1), np.int64)
"""Units of no order that waits, whatever the places and articles."""


class Settled(NamedTuple):
    """What was decided about the claims of a day.

    Parameters
    ----------
    verdicts : VERDICT (n,)
    extras : int64 (m, 3)  claim, channel and article of what was bought in a store on the way
    """

    verdicts: NDArray[np.void]
    extras: Ints


class Costs(NamedTuple):
    """What the back end cost on a day [cents], beside deliveries."""

    logistics: int
    goods: int
    """thrown away, at landed cost"""


@dataclass
class Backend:
    """Everything about stock that lasts from one day to the next.

    Parameters
    ----------
    layout : Layout
    """

    layout: Layout
    stock: Stock = field(init=False)
    backlog: Backlog = field(default_factory=Backlog)
    buyer: Replenishment = field(init=False)
    spent: int = 0
    thrown: int = 0
    passed_on: Ints = field(init=False)

    def __post_init__(self) -> None:
        endless = np.where(self.layout.lanes.holds, ENDLESS, 0)
        opening = endless if self.layout.unlimited else self.layout.opening.copy()
        self.stock = Stock(opening, self.layout.life, self.layout.unlimited)
        self.passed_on = np.zeros_like(opening)
        self.buyer = Replenishment(self.layout, self.layout.lanes.level.copy())

    @property
    def is_endless(self) -> bool:
        """Whether nobody's order ever need be looked at: one place, where stock never runs out."""
        return self.layout.unlimited and self.layout.plain

    def receive(self, day: int) -> None:
        """The morning: supplies and returns reach the shelf, what is too old leaves it."""
        expired = self.stock.receive(day)
        self.thrown = 0 if expired is None else int((expired.sum(axis=0) * self.layout.landed).sum())

    def suffices(self, units: Ints) -> bool:
        """Whether nobody's order need be looked at: one place has enough for all, units by article, and nobody waits.
        """
        return (self.layout.plain and not self.backlog.size
                and (self.layout.unlimited or bool((units <= self.stock.on_hand[0]).all())))

    def serve_all(self, units: Ints) -> None:
        """Fill the day's demand, units by article; there is enough."""
        for name in ("demand", "filled"):
            self.stock.stock[0, :, STOCK.index(name)] += units
        if not self.layout.unlimited:
            self.stock.on_hand[0] -= units

    def serve_waiting(self, day: int) -> Served | None:
        """Who has waited is served before anybody new."""
        return self.backlog.serve(self.layout.desk, self.stock, self.layout.patience, day)

    def settle(self, claims: NDArray[np.void]) -> Settled:
        """Settle the day's orders, given in the order in which they count."""
        verdicts = np.zeros(claims.size, VERDICT)
        extras = np.empty((claims.size, 3), np.int64)
        n = settle(self.layout.desk, self.stock.on_hand, claims, verdicts, extras, self.stock.stock, self.stock.moves)
        return Settled(verdicts, extras[:n])

    def follow(self, plan: Plan, day: int) -> None:
        """A plan takes hold in the morning of a day: base stock, and orders on their dates."""
        for sku, level in plan.base_stock.items():
            self.buyer.level[0, self.layout.skus.index(sku)] = level
        self.buyer.follow(plan.orders, day)

    def order(self, day: int) -> None:
        """The evening: order by plan and rules."""
        if not self.layout.unlimited:
            if self.buyer.forecasts:
                self.buyer.remember(self.stock.stock[..., STOCK.index("demand")] + self.passed_on)
            waiting = self.backlog.units(self.layout.desk) if self.backlog.size else NOTHING
            self.spent = self.buyer.order(self.stock, waiting, day)

    def close(self) -> tuple[Ints, Ints, Costs]:
        """The day's rows of stock and moves, and what the day cost."""
        if self.backlog.size:
            self.stock.count("waiting", self.backlog.units(self.layout.desk))
        stock, moves = self.stock.close()
        kept = int(stock[..., STOCK.index("on_hand")].sum(axis=1) @ self.layout.storage)
        self.passed_on = moves[..., SENT]
        return stock, moves, Costs(self.spent + (kept + 15) // 30, self.thrown)
