"""What is to be replenished, as frozen arrays: articles at nodes, their demand, and the limits that they share.

A cell is one article at one node. A cell may be fed by a supplier, or by another cell of the same article (a store by
the central warehouse). Everything is counted in the period in which it arrives.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from omnisim.optimise.replenish.lots import Floats, Ints, Lots

FAR = 1 << 40
"""More units than there ever are."""
OWN = " (own orders)"
"""Behind the name of a node that feeds others, for what it sells itself."""
SUMS = ("total_budget", "service")
"""Kinds of limits that hold for the sum over all periods."""
MUST = 1e7
"""Cost of a unit that a feeder was to send and does not have [currency]: never paid in a plan."""


@dataclass(frozen=True, eq=False)
class Shared:
    """One line of the limits: a budget, a capacity, a storage or a service target, over one or more periods.

    Parameters
    ----------
    name : str  as "capacity of n1"
    kind : str  budget, total_budget, capacity, storage or service
    where : str  the line it came from
    unit : str
    value : (periods,) float, or (1,) for one sum over all periods; NaN where a period has no limit; of a service target
        the units that may be lost
    members : (cells,) bool
    asked : float  the figure as written, as a service target of 0.95
    """

    name: str
    kind: str
    where: str
    unit: str
    value: Floats
    members: np.ndarray
    asked: float


@dataclass(frozen=True, eq=False)
class Transfers:
    """Ways between nodes of one echelon, each for one article.

    Parameters
    ----------
    source, target : (ways,) int  cells of the same article, both bought from a supplier or fed by the same cell
    lead_time : (ways,) int [period]
    cost : (ways,) float [currency/unit]
    """

    source: Ints
    target: Ints
    lead_time: Ints
    cost: Floats


NO_TRANSFERS = Transfers(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


@dataclass(frozen=True, eq=False)
class Instance:
    """Articles at nodes with demand, costs and shared limits.

    Parameters
    ----------
    skus, nodes : (cells,) object  names of each cell
    demand, receipt : (cells, periods) int [unit]  demand; units already on their way
    on_hand, moq, batch, lead_time, safety : (cells,) int [unit], [period] for the lead time
    holding : (cells,) float [currency/unit/period]  of stock at the end of a period
    lost, leftover, cost : (cells,) float [currency/unit]  of a lost sale; of stock after the last period; of buying
    order_cost : (cells,) float [currency/order]
    safety_cost : (cells,) float [currency/unit/period]  of stock below safety
    volume : (cells,) float [volume/unit]
    max_order : (cells,) int [unit]
    shelf_life : (cells,) int [period]  in which received units must be sold; 0 for any
    feeder : (cells,) int  cell that feeds this one; −1 for a supplier
    limits : tuple of Shared
    transfers : Transfers  ways by which cells of one echelon may send to each other
    days : float [day]  of a period
    """

    skus: np.ndarray
    nodes: np.ndarray
    demand: Ints
    receipt: Ints
    on_hand: Ints
    moq: Ints
    batch: Ints
    lead_time: Ints
    safety: Ints
    holding: Floats
    lost: Floats
    leftover: Floats
    cost: Floats
    order_cost: Floats
    safety_cost: Floats
    volume: Floats
    max_order: Ints
    shelf_life: Ints
    feeder: Ints
    limits: tuple[Shared, ...] = ()
    currency: str = field(default="currency")
    days: float = 7.0
    transfers: Transfers = field(default=NO_TRANSFERS)

    @property
    def has_transfers(self) -> bool:
        """Whether cells of one echelon may send to each other."""
        return len(self.transfers.source) > 0

    @property
    def moving_cost(self) -> Floats:
        """(ways,) [currency/unit] of a transfer: what it costs, and holding on the way at the rate of where it left."""
        ways = self.transfers
        found: Floats = ways.cost + ways.lead_time * self.holding[ways.source]
        return found

    @property
    def periods(self) -> int:
        """Periods of the plan."""
        return int(self.demand.shape[1])

    @property
    def has_echelons(self) -> bool:
        """Whether some cells feed others."""
        return bool((self.feeder >= 0).any())

    @property
    def feeders(self) -> Ints:
        """Cells that feed others."""
        return np.unique(self.feeder[self.feeder >= 0])

    def summed(self, figures: Ints) -> Ints:
        """Figures by cell, with those of the cells that it feeds added to each cell."""
        total = figures.copy()
        fed = self.feeder >= 0
        np.add.at(total, self.feeder[fed], figures[fed])
        return total

    def pooled(self, figures: Ints) -> Ints:
        """Figures by cell, with those of all cells that transfers connect it to added to each cell."""
        label = np.arange(len(figures))
        one, other = self.transfers.source, self.transfers.target
        while (label[one] != label[other]).any():
            least = np.minimum(label[one], label[other])
            np.minimum.at(label, one, least)
            np.minimum.at(label, other, least)
        total = np.zeros_like(figures)
        np.add.at(total, label, figures)
        found: Ints = total[label]
        return found


@dataclass(frozen=True, eq=False)
class Rows:
    """The rows that cells share, in the order of `Lots.limit`.

    Parameters
    ----------
    owner : (rows,) int  place of the row's line in `Instance.limits`; −1 for links between echelons
    period : (rows,) int  −1 for a sum over periods
    scale : (rows,) float  what the row is divided by before it is solved
    carry : (n, 2) int  rows between which what is left over carries from one period to the next
    move : (moves, 2) int  rows of the source and of the target of every transfer that can be made
    move_cost : (moves,) float [currency/unit]
    """

    owner: Ints
    period: Ints
    scale: Floats
    carry: Ints
    move: Ints
    move_cost: Floats


def to_lots(instance: Instance, *, linked: bool = True) -> tuple[Lots, Rows]:
    """Arrays for kernels.

    Parameters
    ----------
    linked : bool  the view of the bound, in which a feeding cell sees the demand of all that it feeds; otherwise that
        of a plan, in which its demand is what is sent, and none yet

    Notes
    -----
    In the view of the bound holding is counted at the feeder for every unit in the system, those on their way included,
    and at a fed cell for what it costs more there. Links keep what is sent within what has come (`balance`), and the
    demand that a feeder leaves out within what is lost (`lost`). Both carry over, so their duals fall with time.
    """
    rows = _Rows(instance)
    for place, shared in enumerate(instance.limits):
        rows.add_limit(place, shared)
    cells, periods = instance.demand.shape
    hold, lost, leftover = instance.holding.copy(), instance.lost.copy(), instance.leftover.copy()
    safety = instance.safety.copy()
    demand, receipt, on_hand = instance.demand.copy(), instance.receipt, instance.on_hand
    feeders = instance.feeders
    lost[feeders] = MUST
    if linked and len(feeders):
        for w in feeders:
            rows.add_links(int(w))
        fed = instance.feeder >= 0
        hold[fed] -= instance.holding[instance.feeder[fed]]
        leftover[fed] -= instance.leftover[instance.feeder[fed]]
        lost[feeders], safety[feeders], rows.space[feeders] = 0.0, 0, -1
        demand, receipt, on_hand = (instance.summed(part) for part in (demand, receipt, on_hand))
    if linked and instance.has_transfers:
        rows.add_transfers()
    most = np.repeat(np.minimum(instance.max_order, FAR)[:, None], periods, axis=1)
    most[np.arange(periods) < instance.lead_time[:, None]] = 0
    most -= most % instance.batch[:, None]
    none: Ints = np.full((1, cells, periods), -1, np.int64)
    lots = Lots(demand, receipt, on_hand, hold, lost, instance.order_cost, leftover, safety, instance.safety_cost,
                whole_moq(instance), instance.batch, most, order_up_to(instance),
                np.stack(rows.order) if rows.order else none,
                np.stack(rows.order_use) if rows.order else np.zeros((1, cells)),
                np.stack(rows.lost) if rows.lost else none,
                np.stack(rows.lost_use) if rows.lost else np.zeros((1, cells)),
                rows.space, instance.volume, rows.into, rows.out, rows.takes_in(), np.array(rows.limit, float))
    carry, move = (np.array(part, np.int64).reshape(-1, 2) for part in (rows.carry, rows.move))
    return lots, Rows(np.array(rows.owner, np.int64), np.array(rows.period, np.int64), np.array(rows.scale), carry,
                      move, np.array(rows.move_cost, float))


def whole_moq(instance: Instance) -> Ints:
    """(cells,) smallest order in whole batches [unit]."""
    whole: Ints = -(-np.maximum(instance.moq, 1) // instance.batch) * instance.batch
    return whole


def order_up_to(instance: Instance) -> Ints:
    """(cells, periods) highest stock that is worth ordering up to [unit].

    It is what is still asked for, with safety, and a smallest order beside: an order above the smallest that ends
    higher could be smaller, and cheaper. A feeder needs what those that it feeds need. Goods with a shelf life are
    never stocked beyond what is asked for within it. Where transfers are, all that is asked for and all that stands
    somewhere may come together.
    """
    demand, spare = instance.demand, whole_moq(instance) + instance.batch + instance.safety
    ahead = np.concatenate([np.zeros((len(spare), 1), np.int64), demand.cumsum(axis=1)], axis=1)
    level = instance.summed(ahead[:, -1:] - ahead[:, :-1]) + instance.summed(spare)[:, None]
    if instance.has_transfers:
        linked = np.union1d(instance.transfers.source, instance.transfers.target)
        stock = instance.on_hand + instance.receipt.sum(axis=1)
        level[linked] = instance.pooled(level + stock[:, None])[linked]
    for b in np.flatnonzero(instance.shelf_life > 0):
        ends = np.minimum(np.arange(demand.shape[1]) + instance.shelf_life[b], demand.shape[1])
        level[b] = ahead[b, ends] - ahead[b, :-1]
    return level


class _Rows:
    """Rows while they are gathered."""

    def __init__(self, instance: Instance) -> None:
        self.instance = instance
        cells, periods = instance.demand.shape
        self.order: list[Ints] = []
        self.order_use: list[Floats] = []
        self.into: Ints = np.full((cells, periods), -1, np.int64)
        self.out: Ints = np.full((cells, periods), -1, np.int64)
        self.move: list[tuple[int, int]] = []
        self.move_cost: list[float] = []
        self.lost: list[Ints] = []
        self.lost_use: list[Floats] = []
        self.space: Ints = np.full((cells, periods), -1, np.int64)
        self.limit: list[float] = []
        self.owner: list[int] = []
        self.period: list[int] = []
        self.scale: list[float] = []
        self.carry: list[tuple[int, int]] = []

    def add_limit(self, place: int, shared: Shared) -> None:
        """The rows of one line of the limits."""
        instance, first = self.instance, len(self.limit)
        cells, periods = instance.demand.shape
        is_sum = shared.kind in SUMS
        known = np.isfinite(shared.value)
        values = shared.value[known]
        at = np.full(periods, first) if is_sum else np.where(known, first + known.cumsum() - 1, -1)
        self.limit += list(values)
        self.owner += [place] * len(values)
        self.period += [-1] if is_sum else list(np.flatnonzero(known))
        self.scale += [max(float(value), 1e-3 * float(values.max()), 1e-9) for value in values]
        row = np.where(shared.members[:, None], at[None, :], -1)
        if shared.kind in ("budget", "total_budget"):
            paid = np.arange(periods)[None, :] - instance.lead_time[:, None]  # money is spent when the order is given
            is_bought = (instance.feeder[:, None] < 0) & (paid >= 0) & shared.members[:, None]
            row = np.where(is_bought, at[np.maximum(paid, 0)], -1)
            self._place(self.order, self.order_use, row, instance.cost)
        elif shared.kind == "capacity":
            self._place(self.order, self.order_use, row, instance.volume)
        elif shared.kind == "storage":
            self.space = np.where(row >= 0, row, self.space)
        else:
            self._place(self.lost, self.lost_use, row, np.ones(cells))

    def add_links(self, feeder: int) -> None:
        """Balance of a feeding cell, and its lost units within those of the cells it feeds."""
        instance = self.instance
        cells, periods = instance.demand.shape
        fed = instance.feeder == feeder
        mean = max(1.0, float(instance.demand[fed].sum()) / periods)
        for kind in ("balance", "lost"):
            first = len(self.limit)
            row: Ints = np.full((cells, periods), -1, np.int64)
            use = np.zeros(cells)
            use[feeder], use[fed] = (-1.0, 1.0) if kind == "balance" else (1.0, -1.0)
            row[feeder] = first + np.arange(periods)
            for b in np.flatnonzero(fed):
                shift = instance.lead_time[b] if kind == "balance" else 0
                row[b] = first + np.maximum(np.arange(periods) - shift, 0)
            start = np.zeros(periods)
            if kind == "balance":
                start[0] = float(instance.on_hand[feeder])
                start += instance.receipt[feeder]
            self.limit += list(start)
            self.owner += [-1] * periods
            self.period += list(range(periods))
            self.scale += [mean] * periods
            self.carry += [(first + t, first + t + 1) for t in range(periods - 1)]
            lists = (self.order, self.order_use) if kind == "balance" else (self.lost, self.lost_use)
            self._place(*lists, row, use)

    def add_transfers(self) -> None:
        """What cells take in by transfers within what is sent to them, and that within what the sources give."""
        instance, ways = self.instance, self.instance.transfers
        periods = instance.periods
        above = np.where(instance.feeder >= 0, instance.holding[instance.feeder], 0.0)  # counted at the feeder already
        cost = instance.moving_cost - ways.lead_time * above[ways.source]
        for place, at in ((self.out, ways.source), (self.into, ways.target)):
            for w in range(len(at)):
                first = 0 if place is self.out else int(ways.lead_time[w])
                for t in range(first, first + max(periods - int(ways.lead_time[w]), 0)):
                    if place[at[w], t] < 0:
                        place[at[w], t] = len(self.limit)
                        self.limit.append(0.0)
                        self.owner.append(-1)
                        self.period.append(t)
                        self.scale.append(max(1.0, float(instance.demand[at[w]].mean())))
        for w, (source, target, lead) in enumerate(zip(ways.source, ways.target, ways.lead_time, strict=True)):
            for t in range(periods - int(lead)):
                self.move.append((int(self.out[source, t]), int(self.into[target, t + lead])))
                self.move_cost.append(float(cost[w]))

    def takes_in(self) -> Floats:
        """(rows,) 1 where what comes by transfer counts as what is ordered does: in a capacity; else 0."""
        return np.array([float(owner >= 0 and self.instance.limits[owner].kind == "capacity") for owner in self.owner])

    @staticmethod
    def _place(rows: list[Ints], uses: list[Floats], row: Ints, use: Floats) -> None:
        """Put rows where none stand yet, cell by cell."""
        todo: NDArray[np.bool_] = np.any(row >= 0, axis=1)
        for held, factor in zip(rows, uses, strict=True):
            free = np.asarray(todo & np.all(held < 0, axis=1), bool)
            held[free], factor[free] = row[free], use[free]
            todo &= ~free
        if todo.any():
            rows.append(np.where(todo[:, None], row, -1))
            uses.append(np.where(todo, use, 0.0))
