"""What no plan can beat: prices of the shared limits, and the cost that remains when they are paid.

For any prices ≥ 0 of the rows, Σ over cells of the least cost at these prices − prices · limits is a bound. The best
prices come from a programme over plans of single cells, to which the plans that are best at its own prices are added
until it and the bound meet (column generation, Dantzig–Wolfe); a few steps of the subgradient give it a start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from omnisim.optimise.replenish.instance import Rows
from omnisim.optimise.replenish.lots import Floats, Ints, Lots, cost_lots, make_scratch, price_lots
from omnisim.optimise.replenish.moves import cost_moves, make_move_scratch, price_moves
from omnisim.optimise.solver import GrowingProgramme

STEPS = 60
"""Steps of the subgradient before the first programme."""
FEW_STEPS = 12
"""The same where transfers are: the steps are dear, and prices to begin with are known from the plan without them."""
KEEP = 0.6
"""Weight of the best prices so far against those of the programme, which swing."""
MOST_ROUNDS = 200
MISSED = 1e3
"""Cost of breaking a row by its own size, as a multiple of the cost of doing nothing: more than any plan saves."""


@dataclass(eq=False)
class Columns:
    """Plans of single cells, and what each costs and uses."""

    cell: list[int] = field(default_factory=list)
    order: list[Ints] = field(default_factory=list)
    cost: list[float] = field(default_factory=list)
    seen: set[tuple[int, bytes]] = field(default_factory=set)


@dataclass(frozen=True, eq=False)
class Relaxation:
    """Prices of the rows and the bound that they prove.

    Parameters
    ----------
    bound : float [currency]
    dual : (rows,) float [currency/unit of the row]  that prove the bound
    price : (rows,) float  of the last programme, for shadow prices
    value : float [currency]  of the last programme, at least the bound
    weight : (columns,) float  share of each column in it
    columns : Columns
    missed : (rows,) float  what of a row cannot be kept, relative; 0 where all can
    """

    bound: float
    dual: Floats
    price: Floats
    value: float
    weight: Floats
    columns: Columns
    missed: Floats
    programme: Programme


class Programme:
    """The master: one plan a cell, as a mixture, within the rows."""

    def __init__(self, lots: Lots, rows: Rows, columns: Columns, penalty: float) -> None:
        self._lots, self._rows, self.columns = lots, rows, columns
        n, cells = len(lots.limit), len(lots.start)
        self._n = n
        low = np.concatenate([np.full(n, -np.inf), np.ones(cells)])
        high = np.concatenate([lots.limit / rows.scale, np.ones(cells)])
        self._solver = GrowingProgramme(low, high)
        carry, places = rows.carry, np.arange(n)
        both = np.concatenate([carry, rows.move])  # what carries over, and what is sent from row to row
        self.first = n + len(both)
        start = np.concatenate([places, n + 2 * np.arange(len(both))])
        entry = np.concatenate([-np.ones(n), np.tile([1.0, -1.0], len(carry)),
                                (np.array([1.0, -1.0]) / rows.scale[rows.move]).ravel()])
        row = np.concatenate([places, both.ravel()])
        cost = np.concatenate([np.full(n, penalty), np.zeros(len(carry)), rows.move_cost])
        self._solver.add_columns(cost, start.astype(np.int32), row.astype(np.int32), entry)

    def add(self, order: Ints, cost: Floats) -> int:
        """Plans of all cells; those already there are left out. How many were new."""
        lots, known = self._lots, self.columns
        new = [b for b in range(len(order)) if (b, order[b].tobytes()) not in known.seen]
        if not new:
            return 0
        start, index, entry = entries(lots, self._rows, np.array(new), order[new], self._n)
        for b in new:
            known.seen.add((b, order[b].tobytes()))
            known.cell.append(b)
            known.order.append(order[b].copy())
            known.cost.append(float(cost[b]))
        self._solver.add_columns(cost[new], start, index, entry)
        return len(new)

    def solve(self, limit: Floats | None = None) -> tuple[float, Floats, Floats, Floats]:
        """Value, prices of the rows, weights of the plans, what is missed; with other limits if they are given."""
        places = np.arange(self._n)
        if limit is not None:
            self._solver.set_row_high(places, limit / self._rows.scale)
        answer = self._solver.solve()
        if limit is not None:
            self._solver.set_row_high(places, self._lots.limit / self._rows.scale)
        price = np.maximum(answer.duals[:self._n], 0.0) / self._rows.scale
        return answer.objective, price, answer.values[self.first:], answer.values[:self._n]


def entries(lots: Lots, rows: Rows, cells: Ints, order: Ints, n: int
            ) -> tuple[np.ndarray, np.ndarray, Floats]:
    """Start, row and entry of the columns of plans: what each uses of the rows, and the one plan that a cell has."""
    use = np.zeros((len(cells), n))
    line = np.arange(len(cells))[:, None]
    _, lost, x = simulate(lots, cells, order)
    order, net = split(lots, order)
    come = np.maximum(net, 0)
    for row, factor in zip(lots.order_row, lots.order_use, strict=True):
        received = lots.takes_in[row[cells]] * come if come.any() else 0.0
        _add(use, line, row[cells], factor[cells, None] * (order + received))
    _add(use, line, lots.into_row[cells], come.astype(float))
    _add(use, line, lots.out_row[cells], -np.maximum(-net, 0).astype(float))
    for row, factor in zip(lots.lost_row, lots.lost_use, strict=True):
        _add(use, line, row[cells], factor[cells, None] * lost)
    _add(use, line, lots.space_row[cells], lots.space_use[cells, None] * x)
    use /= rows.scale
    which, index = np.nonzero(use)
    counts = np.bincount(which, minlength=len(cells))
    start = np.concatenate([[0], np.cumsum(counts + 1)])
    all_rows = np.empty(start[-1], np.int32)
    all_entries = np.ones(start[-1])
    inside = np.ones(start[-1], bool)
    inside[start[1:] - 1] = False
    all_rows[inside], all_entries[inside] = index, use[which, index]
    all_rows[start[1:] - 1] = n + cells
    return start[:-1].astype(np.int32), all_rows, all_entries


def _add(use: Floats, line: Ints, row: Ints, amount: Floats) -> None:
    taken = (row >= 0) & (amount != 0.0)
    np.add.at(use, (np.broadcast_to(line, row.shape)[taken], row[taken]), amount[taken])


def simulate(lots: Lots, cells: Ints, order: Ints) -> tuple[Ints, Ints, Ints]:
    """Stock at the end, lost units and stock after receipt of orders, each (cells, periods) [unit]."""
    order, net = split(lots, order)
    end, lost, high = (np.zeros(order.shape, np.int64) for _ in range(3))
    stock = lots.start[cells].copy()
    for t in range(order.shape[1]):
        stock = stock + lots.receipt[cells, t] + order[:, t]
        high[:, t] = stock + np.maximum(net[:, t], 0)
        stock = stock + net[:, t]
        lost[:, t] = np.maximum(lots.demand[cells, t] - stock, 0)
        stock = np.maximum(stock - lots.demand[cells, t], 0)
        end[:, t] = stock
    return end, lost, high


def split(lots: Lots, plan: Ints) -> tuple[Ints, Ints]:
    """Plans of cells as what is ordered and what transfers bring, less what they take, each (cells, periods)."""
    periods = lots.demand.shape[1]
    return plan[:, :periods], plan[:, periods:] if plan.shape[1] > periods else np.zeros_like(plan)


def keep_apart(dual: Floats, rows: Rows) -> Floats:
    """Prices at which no transfer gains: a unit is worth no more where it goes than where it is, and the way."""
    np.minimum.at(dual, rows.move[:, 1], dual[rows.move[:, 0]] + rows.move_cost)
    return dual


def keep_falling(dual: Floats, carry: Ints) -> Floats:
    """Prices that fall where what is left carries over to the next period."""
    for one, other in carry[::-1]:
        dual[one] = max(dual[one], dual[other])
    return dual


@dataclass(eq=False)
class _Prices:
    """The pricing of all cells, and the best bound that it has found."""

    lots: Lots
    rows: Rows
    room: Floats
    order: Ints
    value: Floats
    cost: Floats
    bound: float = -np.inf
    dual: Floats = field(default_factory=lambda: np.zeros(0))

    def __post_init__(self) -> None:
        self.moves = self.order.shape[1] > self.lots.demand.shape[1]
        self.scratch = make_move_scratch(self.lots) if self.moves else (make_scratch(self.lots), None)

    def at(self, dual: Floats) -> tuple[float, Floats]:
        """The bound at these prices and what the plans leave of the rows."""
        dual = keep_apart(dual.copy(), self.rows) if self.moves else dual
        if self.moves:
            price_moves(self.lots, dual, self.room, *self.scratch, self.order, self.value)
        else:
            price_lots(self.lots, dual, self.room, self.scratch[0], self.order, self.value)
        bound = float(self.value.sum() - dual @ self.lots.limit)
        if bound > self.bound:
            self.bound, self.dual = bound, dual.copy()
        return bound, self.pay()

    def pay(self) -> Floats:
        """Costs of the plans at hand, written, and what they leave of the rows."""
        left = self.lots.limit.copy()
        (cost_moves if self.moves else cost_lots)(self.lots, self.order, self.cost, left)
        return left


def relax(lots: Lots, rows: Rows, *, gap: float = 5e-5, rounds: int = MOST_ROUNDS,
          is_late: Callable[[], bool] = lambda: False, start: Floats | None = None) -> Relaxation:
    """The best bound that prices of the rows can prove.

    Parameters
    ----------
    gap : float  between programme and bound at which to stop, relative
    rounds : int  most solutions of the programme
    is_late : callable  whether to stop now
    start : (rows,) float  prices to begin with
    """
    cells, periods = lots.demand.shape
    none: Ints = np.zeros((cells, periods * (2 if len(rows.move) else 1)), np.int64)
    room = np.where(rows.owner < 0, 1e15, lots.limit)
    prices = _Prices(lots, rows, room, none.copy(), np.zeros(cells), np.zeros(cells))
    prices.pay()
    nothing = float(np.minimum(prices.cost, 1e12).sum())
    programme = Programme(lots, rows, Columns(), MISSED * max(nothing, 1.0))
    programme.add(none, prices.cost)
    dual = np.zeros(len(lots.limit)) if start is None else start.copy()
    _climb(prices, rows, programme, dual, is_late)
    best: tuple[float, Floats, Floats, Floats] = (np.inf, prices.dual, np.zeros(0), np.zeros(len(lots.limit)))
    for _ in range(rounds):
        best = programme.solve()
        value, price, _, _ = best
        if value - prices.bound <= gap * abs(value) or is_late():
            break
        added = 0
        for weight in (KEEP, 0.0):
            prices.at(weight * prices.dual + (1.0 - weight) * price)
            added += programme.add(prices.order, prices.cost)
            if added > cells // 10:
                break
        if not added:
            break
    return Relaxation(prices.bound, prices.dual, best[1], best[0], best[2], programme.columns, best[3], programme)


def _climb(prices: _Prices, rows: Rows, programme: Programme, dual: Floats, is_late: Callable[[], bool]) -> None:
    """Some steps of the subgradient; the plans of the first and the last ones go into the programme."""
    step, stalled = 1.0, 0
    for k in range(STEPS if not len(rows.move) else FEW_STEPS):
        before = prices.bound
        bound, left = prices.at(dual)
        if k == 0 or k >= (STEPS if not len(rows.move) else FEW_STEPS) - 4:
            programme.add(prices.order, prices.cost)
        stalled = 0 if prices.bound > before else stalled + 1
        if stalled >= 4:
            step, stalled = 0.6 * step, 0
        slope = -left / rows.scale
        length = float(slope @ slope)
        if length <= 1e-12 or is_late():
            break
        ahead = step * (prices.bound + 0.03 * abs(prices.bound) - bound) / length
        dual = keep_apart(keep_falling(np.maximum(dual + ahead * slope / rows.scale, 0.0), rows.carry), rows)
