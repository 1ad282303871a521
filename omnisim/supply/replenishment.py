"""The evening's orders: transfers between nodes, supplies from node to node, orders to suppliers, and express.

An order is a row of a lane, from a supplier or node to a node, for one article. Lanes are gone through by name or by
need, never in the order of a file.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omnisim.plan import Order
from omnisim.streams import unit, words
from omnisim.supply.dated import Dated
from omnisim.supply.layout import FORECAST, REORDER_POINT, Layout, cover_of
from omnisim.supply.rules import FEWEST_DAYS, MOST_DAYS, forecast_levels, wanted
from omnisim.supply.stock import Stock

Ints = NDArray[np.int64]


def share_out(total: int, weights: Ints) -> Ints:
    """A whole number in whole parts by weight (largest remainder, then the first): what is dealt out adds up to it."""
    whole = int(weights.sum())
    if whole == 0:
        return np.zeros_like(weights)
    parts, rests = np.divmod(total * weights, whole)
    parts[np.argsort(-rests, kind="stable")[:total - int(parts.sum())]] += 1
    return parts


@dataclass
class Replenishment:
    """Decides what is ordered.

    Parameters
    ----------
    layout : Layout
    level : int64 (N, S) [unit]  order-up-to levels in force; a plan or forecast may change them
    demand : list of int64 (N, S)  demand of past days
    forecasts : bool  whether any rule needs them
    dated : Dated  orders of a plan, which stand in for the rules where it gives some
    """

    layout: Layout
    level: Ints
    demand: list[Ints] = field(default_factory=list)
    forecasts: bool = field(init=False)
    dated: Dated = field(init=False)

    def __post_init__(self) -> None:
        self.forecasts = bool((self.layout.lanes.rule == FORECAST).any())
        self.dated = Dated(self.layout)

    def follow(self, orders: Sequence[Order], day: int) -> None:
        """From a day on, give these orders on their dates."""
        self.dated.take(tuple(orders), day)

    def order(self, stock: Stock, waiting: Ints, day: int) -> int:
        """Order what the rules ask for tonight; `waiting` units (N, S) are promised already. Returns the cost [cents].
        """
        lanes = self.layout.lanes
        due = (day % lanes.review == 0) & lanes.holds & ~self.dated.planned
        if self.forecasts:
            self._forecast(due, day)
        cost = self._move(stock, day)
        cost += self._transfer(stock, waiting, due, day)
        due |= self.dated.asked > 0
        for depth in range(int(lanes.depth.max()), 0, -1):
            cost += self._feed(stock, waiting, due & (lanes.depth == depth), day)
        cost += self._buy(stock, waiting, due & (lanes.supplier >= 0), day)
        return cost + self._hurry(stock, waiting, day)

    def remember(self, demand: Ints) -> None:
        """Keep a day's demand (N, S) for forecasts, that of other nodes included."""
        self.demand = [*self.demand[-MOST_DAYS + 1:], demand]

    def _forecast(self, due: NDArray[np.bool_], day: int) -> None:
        """New levels from the demand up to today and what the calendar says of the days to cover."""
        lanes = self.layout.lanes
        cells = due & (lanes.rule == FORECAST)
        if len(self.demand) < FEWEST_DAYS or not cells.any():
            return
        cover = cover_of(lanes, self.layout.makers)[cells]
        history = np.stack(self.demand, axis=-1)[cells]
        today = day - self.layout.first_day + 1
        known = self.layout.calendar[np.nonzero(cells)[0], today - history.shape[1]:today + int(cover.max())]
        self.level[cells] = forecast_levels(history, cover, lanes.service[cells], known)

    def _wanted(self, stock: Stock, waiting: Ints, cells: NDArray[np.bool_]) -> Ints:
        lanes = self.layout.lanes
        position = stock.on_hand + stock.on_order - waiting
        found: Ints = wanted(lanes.rule, position, self.level, lanes.point, lanes.lot)
        return np.where(cells, np.where(self.dated.planned, self.dated.asked, found), 0)

    def _move(self, stock: Stock, day: int) -> int:
        """Transfers that the plan gives for tonight, and those of before that found too little: what is there goes."""
        self.dated.turn_to(day)
        cost = 0
        for place, route in enumerate(self.layout.transfers):
            units = np.minimum(self.dated.moving[place], stock.on_hand[route.source])
            if units.any():
                self._send(stock, route.source, route.target, units, day + max(1, route.days))
                self.dated.moving[place] -= units
                cost += route.cost * int(units.sum())
        return cost

    def _transfer(self, stock: Stock, waiting: Ints, due: NDArray[np.bool_], day: int) -> int:
        """What one place holds above its level goes to another that is short, by the cheapest routes first."""
        lanes, cost = self.layout.lanes, 0
        top = np.where(lanes.rule == REORDER_POINT, lanes.level, self.level)
        for route in self.layout.transfers:
            short = self._wanted(stock, waiting, due)[route.target]
            idle = lanes.holds[route.source] & ~self.dated.planned[route.source]
            spare = np.where(idle, stock.on_hand[route.source] - top[route.source], 0)
            units = np.minimum(short, np.maximum(spare, 0))
            if units.any():
                self._send(stock, route.source, route.target, units, day + max(1, route.days))
                cost += route.cost * int(units.sum())
        return cost

    def _feed(self, stock: Stock, waiting: Ints, cells: NDArray[np.bool_], day: int) -> int:
        """Nodes fed by nodes: all that is asked for if it is there, else a fair share of it."""
        lanes, asked, cost = self.layout.lanes, self._wanted(stock, waiting, cells), 0
        fed = [cell for cell in self.layout.order_of_lanes.tolist() if cells.flat[cell] and asked.flat[cell]]
        groups: dict[tuple[int, int], list[int]] = {}
        for cell in fed:
            n, p = divmod(cell, asked.shape[1])
            groups.setdefault((int(lanes.feeder[n, p]), p), []).append(n)
        for (source, p), targets in groups.items():
            amounts = asked[targets, p]
            there = int(stock.on_hand[source, p])
            if there < amounts.sum():
                amounts = share_out(there, amounts)
            for n, amount in zip(targets, amounts.tolist(), strict=True):
                if amount:
                    units = np.zeros(asked.shape[1], np.int64)
                    units[p] = amount
                    self._send(stock, source, n, units, day + max(1, int(lanes.days[n, p])))
                    self.dated.give(n, p, amount)
                    cost += int(lanes.cost[n, p]) * amount
        return cost

    def _send(self, stock: Stock, source: int, target: int, units: Ints, arrives: int) -> None:
        """Units (S,) leave one place for another."""
        out, into = np.zeros_like(stock.on_hand), np.zeros_like(stock.on_hand)
        out[source], into[target] = units, units
        stock.on_hand -= out
        stock.count("sent", out)
        stock.expect(into, arrives)

    def _buy(self, stock: Stock, waiting: Ints, cells: NDArray[np.bool_], day: int) -> int:
        """Orders to suppliers; an order below the smallest waits, and scarce capacity goes to the shortest first."""
        lanes, makers = self.layout.lanes, self.layout.makers
        if not cells.any():
            return 0
        amount = self._wanted(stock, waiting, cells)
        smallest = makers.moq[lanes.supplier]
        amount[amount < smallest] = 0
        if not amount.any():
            return 0
        if (makers.capacity >= 0).any():
            self._ration(stock, waiting, amount, smallest)
        cost = 0
        if makers.order_cost.any() or lanes.cost.any():
            cost = int((makers.order_cost[lanes.supplier] * (amount > 0) + lanes.cost * amount).sum())
        arrives = day + lanes.days + self._delays(day, amount > 0)
        for when in np.unique(arrives[amount > 0]).tolist():
            stock.expect(np.where(arrives == when, amount, 0), when)
        stock.count("ordered", amount)
        self.dated.give_all(amount)
        return cost

    def _ration(self, stock: Stock, waiting: Ints, amount: Ints, smallest: Ints) -> None:
        """Cut orders to what each supplier takes on a day, in place: the place shortest of its level comes first."""
        lanes = self.layout.lanes
        left = self.layout.makers.capacity.copy()
        position = stock.on_hand + stock.on_order - waiting
        cells = [cell for cell in self.layout.order_of_lanes.tolist() if amount.flat[cell] > 0]
        for cell in sorted(cells, key=lambda c: position.flat[c] / max(1, int(self.level.flat[c]))):
            maker = int(lanes.supplier.flat[cell])
            if left[maker] < 0:
                continue
            given = min(int(amount.flat[cell]), int(left[maker]))
            if lanes.rule.flat[cell] == REORDER_POINT:
                given -= given % int(lanes.lot.flat[cell])
            amount.flat[cell] = given if given >= smallest.flat[cell] else 0
            left[maker] -= amount.flat[cell]

    def _delays(self, day: int, cells: NDArray[np.bool_]) -> Ints:
        """Days that tonight's orders will take beyond the lead time: drawn by lane and day."""
        lanes, makers = self.layout.lanes, self.layout.makers
        late = np.zeros(cells.shape, np.int64)
        if makers.delays.shape[1] > 1:
            for n, p in np.argwhere(cells).tolist():
                w, _, _, _ = words(lanes.luck[n, p], 0, day, 1)
                edges = makers.delays[lanes.supplier[n, p]]
                late[n, p] = min(int(np.searchsorted(edges, unit(w))), edges.size - 1)
        return late

    def _hurry(self, stock: Stock, waiting: Ints, day: int) -> int:
        """Express, beyond smallest order and capacity: where too little is there in time, up to the alarm."""
        lanes, makers = self.layout.lanes, self.layout.makers
        if not lanes.alarm.any():
            return 0
        cost = 0
        for maker, days in enumerate(makers.express_days.tolist()):
            cells = (lanes.supplier == maker) & (lanes.alarm > 0)
            units = np.where(cells, np.maximum(0, lanes.alarm - (stock.on_hand + stock.due(day + days) - waiting)), 0)
            stock.expect(units, day + days)
            stock.count("ordered", units)
            stock.count("expedited", units)
            cost += int((units * (makers.express_cost[maker] + lanes.cost)).sum())
        return cost
