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
"""Variables a cell and period: batches ordered, whether any, stock at the end, lost units, units below safety."""


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


def solve_exactly(instance: Instance, gap: float, seconds: float) -> tuple[Ints | None, float]:
    """Orders, (cells, periods) [unit], or None where none were found in the time; and the bound [currency],
    infinite where there are none.

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
    batches = np.rint(answer.values.reshape(KINDS, cells, periods)[0]).astype(np.int64)
    orders: Ints = batches * instance.batch[:, None]
    return orders, -answer.bound


def _build(instance: Instance) -> Model:
    cells, periods = instance.demand.shape
    size = cells * periods
    top = np.minimum(order_up_to(instance), instance.max_order[:, None])
    entries = _Entries()

    def at(kind: int, b: int, t: int) -> int:
        return int(kind * size + b * periods + t)

    def sent(b: int, t: int) -> list[tuple[int, float]]:
        """What a feeder sends in a period."""
        return [(at(0, c, t + int(instance.lead_time[c])), float(instance.batch[c]))
                for c in np.flatnonzero(instance.feeder == b).tolist() if t + int(instance.lead_time[c]) < periods]

    for b in range(cells):
        batch, moq = float(instance.batch[b]), float(whole_moq(instance)[b])
        for t in range(periods):
            n, z, s, u, w = (at(kind, b, t) for kind in range(KINDS))
            side = float(instance.receipt[b, t] - instance.demand[b, t])
            before = [] if t == 0 else [(at(2, b, t - 1), -1.0)]
            side += float(instance.on_hand[b]) if t == 0 else 0.0
            entries.add([(s, 1.0), *before, (n, -batch), (u, -1.0), *sent(b, t)], side, side)
            entries.add([(n, batch), (z, -moq)], 0.0, np.inf)
            entries.add([(n, batch), (z, -float(top[b, t]))], -np.inf, 0.0)
            entries.add([(w, 1.0), (s, 1.0)], float(instance.safety[b]), np.inf)
            life = int(instance.shelf_life[b])
            if life:
                fresh = float(instance.demand[b, t:t + life].sum())
                most = float(instance.on_hand[b] + instance.receipt[b].sum() + instance.demand[b].sum())
                entries.add([(s, 1.0), (u, -1.0), (z, most)], -np.inf,
                            fresh - float(instance.demand[b, t]) + most)
    _add_limits(instance, entries, at, sent)
    cost, high = _costs(instance, top)
    start, row, entry = columns(np.array(entries.rows, np.int64), np.array(entries.places, np.int64),
                                np.array(entries.values), KINDS * size)
    integer = np.repeat(np.array([True, True, False, False, False]), size)
    return Model(-cost, np.zeros(KINDS * size), high, np.array(entries.low), np.array(entries.high), start, row, entry,
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
    high[2] = float(instance.on_hand.sum() + instance.receipt.sum() + order_up_to(instance).max(axis=1).sum())
    high[4] = instance.safety[:, None]
    return cost.ravel(), high.ravel()


def _add_limits(instance: Instance, entries: _Entries, at: Callable[[int, int, int], int],
                sent: Callable[[int, int], list[tuple[int, float]]]) -> None:
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
