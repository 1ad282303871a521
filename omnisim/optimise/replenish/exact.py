"""Small instances as one integer programme: where cells are few, mixtures of plans prove little."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from omnisim.optimise.replenish.instance import SUMS, Instance, order_up_to, whole_moq
from omnisim.optimise.replenish.lots import Floats, Ints
from omnisim.optimise.solver import Model, columns
from omnisim.optimise.watchdog import WatchedSolver

SMALL = 400
"""Cells times periods up to which the programme is tried."""
KINDS = 5
"""Variables a cell and period: batches ordered, whether any, stock at the end, lost units, units below safety. Where
transfers are, whether any units are lost; then what is sent, a way and period."""


class _Entries:
    """Rows of a programme while they are gathered."""

    def __init__(self) -> None:
        self.rows: list[int] = []
        self.places: list[int] = []
        self.values: list[float] = []
        self.low: list[float] = []
        self.high: list[float] = []

    def add(self, terms: list[tuple[int, float]], low: float, high: float) -> None:
        """low ≤ Σ value · variable ≤ high."""
        for place, value in terms:
            self.rows.append(len(self.low))
            self.places.append(place)
            self.values.append(value)
        self.low.append(low)
        self.high.append(high)


def solve_exactly(instance: Instance, gap: float, seconds: float) -> tuple[tuple[Ints, Ints] | None, float]:
    """Orders, (cells, periods) [unit], and transfers, (ways, periods) [unit], or None where none were found in the
    time; and the bound [currency], infinite where there are none.

    Parameters
    ----------
    gap : float  to stop at, relative
    seconds : float [second]
    """
    cells, periods = instance.demand.shape
    model = _build(instance)
    with WatchedSolver() as solver:
        answer = solver.solve(model, gap=max(0.5 * gap, 1e-7), deadline=time.monotonic() + seconds)
    if answer.status == "infeasible":
        return None, np.inf
    if not len(answer.values):
        return None, -answer.bound
    size = cells * periods
    batches = np.rint(answer.values[:size].reshape(cells, periods)).astype(np.int64)
    orders: Ints = batches * instance.batch[:, None]
    moved: Ints = np.rint(answer.values[(KINDS + 1) * size:].reshape(-1, periods)).astype(np.int64)
    return (orders, moved if len(moved) else np.zeros((0, periods), np.int64)), -answer.bound


def _build(instance: Instance) -> Model:
    cells, periods = instance.demand.shape
    size = cells * periods
    top = np.minimum(order_up_to(instance), instance.max_order[:, None])
    ceiling = _ceiling(instance)
    entries = _Entries()

    ways = instance.transfers
    total = KINDS * size + (size + len(ways.source) * periods if instance.has_transfers else 0)

    def at(kind: int, b: int, t: int) -> int:
        return int(kind * size + b * periods + t)

    def sent(b: int, t: int) -> list[tuple[int, float]]:
        """What a feeder sends in a period."""
        return [(at(0, c, t + int(instance.lead_time[c])), float(instance.batch[c]))
                for c in np.flatnonzero(instance.feeder == b).tolist() if t + int(instance.lead_time[c]) < periods]

    def come(b: int, t: int) -> list[tuple[int, float]]:
        """What transfers bring in a period, less what they take."""
        into = [(at(KINDS + 1, w, t - int(ways.lead_time[w])), 1.0)
                for w in np.flatnonzero(ways.target == b).tolist() if t >= ways.lead_time[w]]
        return into + [(at(KINDS + 1, w, t), -1.0) for w in np.flatnonzero(ways.source == b).tolist()]

    for b in range(cells):
        batch, moq = float(instance.batch[b]), float(whole_moq(instance)[b])
        for t in range(periods):
            n, z, s, u, w = (at(kind, b, t) for kind in range(KINDS))
            side = float(instance.receipt[b, t] - instance.demand[b, t])
            before = [] if t == 0 else [(at(2, b, t - 1), -1.0)]
            side += float(instance.on_hand[b]) if t == 0 else 0.0
            entries.add([(s, 1.0), *before, (n, -batch), (u, -1.0), *sent(b, t),
                         *((place, -value) for place, value in come(b, t))], side, side)
            if instance.has_transfers:  # nothing is kept from who asks for it, to be sent later
                g, d = at(KINDS, b, t), float(instance.demand[b, t])
                entries.add([(u, 1.0), (g, -d)], -np.inf, 0.0)
                entries.add([(s, 1.0), (g, ceiling)], -np.inf, ceiling)
            entries.add([(n, batch), (z, -moq)], 0.0, np.inf)
            entries.add([(n, batch), (z, -float(top[b, t]))], -np.inf, 0.0)
            entries.add([(w, 1.0), (s, 1.0)], float(instance.safety[b]), np.inf)
            life = int(instance.shelf_life[b])
            if life:
                fresh = float(instance.demand[b, t:t + life].sum())
                most = float(instance.on_hand[b] + instance.receipt[b].sum() + instance.demand[b].sum())
                entries.add([(s, 1.0), (u, -1.0), (z, most)], -np.inf,
                            fresh - float(instance.demand[b, t]) + most)
    _add_limits(instance, entries, at, sent, come)
    cost, high = _costs(instance, top)
    cost = np.concatenate([cost, np.zeros(size), np.repeat(instance.moving_cost, periods)])[:total]
    leaves = (np.arange(periods) < periods - ways.lead_time[:, None]).ravel()
    high = np.concatenate([high, np.ones(size), np.where(leaves, ceiling, 0.0)])[:total]
    start, row, entry = columns(np.array(entries.rows, np.int64), np.array(entries.places, np.int64),
                                np.array(entries.values), total)
    integer = np.concatenate([np.repeat(np.array([True, True, False, False, False]), size),
                              np.ones(total - KINDS * size, bool)])
    return Model(-cost, np.zeros(total), high, np.array(entries.low), np.array(entries.high), start, row, entry,
                 integer)


def _costs(instance: Instance, top: Ints) -> tuple[Floats, Floats]:
    """Cost and upper bound of every variable."""
    cells, periods = instance.demand.shape
    cost, high = np.zeros((KINDS, cells, periods)), np.full((KINDS, cells, periods), np.inf)
    fed = np.flatnonzero(instance.feeder >= 0)
    cost[0, fed] = (instance.holding[instance.feeder[fed]] * instance.lead_time[fed] * instance.batch[fed])[:, None]
    cost[1], cost[2] = instance.order_cost[:, None], instance.holding[:, None]
    cost[2, :, -1] += instance.leftover
    cost[3], cost[4] = instance.lost[:, None], instance.safety_cost[:, None]
    allowed = np.arange(periods) >= instance.lead_time[:, None]
    high[0] = np.where(allowed, top // instance.batch[:, None], 0)
    high[1], high[3] = 1.0, instance.demand
    high[2] = _ceiling(instance)
    high[4] = instance.safety[:, None]
    return cost.ravel(), high.ravel()


def _ceiling(instance: Instance) -> float:
    """More units than ever stand somewhere."""
    return float(instance.on_hand.sum() + instance.receipt.sum() + order_up_to(instance).max(axis=1).sum())


def _add_limits(instance: Instance, entries: _Entries, at: Callable[[int, int, int], int],
                sent: Callable[[int, int], list[tuple[int, float]]],
                come: Callable[[int, int], list[tuple[int, float]]]) -> None:
    """The shared limits as rows."""
    periods = instance.periods
    for shared in instance.limits:
        terms: list[list[tuple[int, float]]] = [[] for _ in range(periods)]
        fixed = np.zeros(periods)
        for b in np.flatnonzero(shared.members).tolist():
            for t in range(periods):
                paid = t - int(instance.lead_time[b])
                if shared.kind in ("budget", "total_budget") and instance.feeder[b] < 0 and paid >= 0:
                    terms[paid].append((at(0, b, t), float(instance.cost[b] * instance.batch[b])))
                elif shared.kind == "capacity":
                    terms[t].append((at(0, b, t), float(instance.volume[b] * instance.batch[b])))
                    terms[t] += [(place, float(instance.volume[b])) for place, value in come(b, t) if value > 0.0]
                elif shared.kind == "storage":
                    volume = float(instance.volume[b])
                    fixed[t] += volume * float(instance.demand[b, t])
                    terms[t] += [(at(2, b, t), volume), (at(3, b, t), -volume),
                                 *((place, volume * value) for place, value in sent(b, t))]
                elif shared.kind == "service":
                    terms[t].append((at(3, b, t), 1.0))
        if shared.kind in SUMS:
            entries.add([term for part in terms for term in part], -np.inf, float(shared.value[0]))
            continue
        for t in np.flatnonzero(np.isfinite(shared.value)).tolist():
            entries.add(terms[t], -np.inf, float(shared.value[t]) - fixed[t])
            if shared.kind == "storage" and instance.has_transfers:  # as it stands before transfers
                before = [(place, -float(instance.volume[b]) * value) for b in np.flatnonzero(shared.members).tolist()
                          for place, value in come(b, t)]
                entries.add(terms[t] + before, -np.inf, float(shared.value[t]) - fixed[t])
