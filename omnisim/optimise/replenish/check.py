"""Plan and bound once more, by code that shares nothing with what found them."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from omnisim.optimise.replenish.instance import FAR, Instance, Rows, order_up_to
from omnisim.optimise.replenish.lots import Floats, Ints

HAIR = 1e-6
"""Relative excess over a limit that rounding may leave."""


class Account(NamedTuple):
    """What a plan costs and uses.

    `cost` [currency] by part: orders, holding, lost, safety, leftover, transfers; `on_hand`, `lost` and `sent` (cells,
    periods) [unit]; `broken` names limits and rules that it breaks, with the excess.
    """

    cost: dict[str, float]
    on_hand: Ints
    lost: Ints
    sent: Ints
    broken: tuple[str, ...]
    used: tuple[Floats, ...]
    """of each line of the limits, by period or in all"""

    @property
    def total(self) -> float:
        """Cost in all [currency]."""
        return math.fsum(self.cost.values())


def account(instance: Instance, order: Ints, moved: Ints | None = None) -> Account:
    """Walk through the periods with the orders, (cells, periods) [unit] by arrival, and with what is sent on each way
    between nodes, (ways, periods) [unit] by departure.

    A node serves its own consumers from what is left when it has sent what it sends. What comes by transfer takes
    capacity as what is ordered; room is taken by what stands there after orders or after transfers, whichever is more.
    """
    cells, periods = order.shape
    sent: Ints = np.zeros((cells, periods), np.int64)
    moving: Ints = np.zeros((cells, periods), np.int64)
    broken: list[str] = []
    for b in range(cells):
        for t in range(periods):
            q, lead, name = int(order[b, t]), int(instance.lead_time[b]), f"{instance.skus[b]} at {instance.nodes[b]}"
            if q == 0:
                continue
            if q < instance.moq[b] or q % instance.batch[b] or q > instance.max_order[b] or t < lead:
                broken.append(f"order of {q} for {name}, period {t}")
            if instance.feeder[b] >= 0:
                sent[instance.feeder[b], t - lead] += q
                moving[b, t - lead:t] += q
    come, gone, sending = _moved(instance, order.shape, moved, broken)
    on_hand: Ints = np.zeros((cells, periods), np.int64)
    lost: Ints = np.zeros((cells, periods), np.int64)
    peak: Ints = np.zeros((cells, periods), np.int64)
    for b in range(cells):
        stock = int(instance.on_hand[b])
        for t in range(periods):
            stock += int(instance.receipt[b, t]) + int(order[b, t])
            peak[b, t] = stock
            life = int(instance.shelf_life[b])
            if life and order[b, t] and stock > instance.demand[b, t:t + life].sum():
                broken.append(f"shelf life of {instance.skus[b]} at {instance.nodes[b]}, period {t}")
            stock -= int(sent[b, t])
            stock += int(come[b, t]) - int(gone[b, t])
            peak[b, t] = max(peak[b, t], stock)
            if stock < 0:
                broken.append(f"{instance.skus[b]} at {instance.nodes[b]} sends {-stock} more than it has, period {t}")
            served = max(0, min(stock, int(instance.demand[b, t])))
            lost[b, t] = int(instance.demand[b, t]) - served
            stock -= served
            on_hand[b, t] = stock
    held = instance.holding @ on_hand.sum(axis=1)
    fed = np.flatnonzero(instance.feeder >= 0)
    held += float(instance.holding[instance.feeder[fed]] @ moving[fed].sum(axis=1)) if len(fed) else 0.0
    below = np.maximum(instance.safety[:, None] - on_hand, 0)
    cost = {"orders": float(instance.order_cost @ (order > 0).sum(axis=1)), "holding": float(held),
            "lost": float(instance.lost @ lost.sum(axis=1)),
            "safety": float(instance.safety_cost @ below.sum(axis=1)),
            "leftover": float(instance.leftover @ on_hand[:, -1])}
    if instance.has_transfers:
        cost["transfers"] = sending
    used = _used(instance, order, lost, peak, come)
    for shared, amount in zip(instance.limits, used, strict=True):
        for period in np.flatnonzero(amount > shared.value * (1.0 + HAIR) + HAIR).tolist():
            excess = amount[period] - shared.value[period]
            broken.append(f"{shared.name} by {excess:.6g} {shared.unit}, period {period}")
    return Account(cost, on_hand, lost, sent + gone, tuple(broken), used)


def _moved(instance: Instance, shape: tuple[int, ...], moved: Ints | None, broken: list[str]
           ) -> tuple[Ints, Ints, float]:
    """What transfers bring and take, (cells, periods) [unit], and what they cost [currency]."""
    come, gone, cost = np.zeros(shape, np.int64), np.zeros(shape, np.int64), 0.0
    if moved is None:
        return come, gone, cost
    for w, (a, b) in enumerate(zip(instance.transfers.source, instance.transfers.target, strict=True)):
        lead = int(instance.transfers.lead_time[w])
        for t in np.flatnonzero(moved[w]):
            if moved[w, t] < 0 or t + lead >= shape[1]:
                broken.append(f"transfer of {moved[w, t]} of {instance.skus[a]} from {instance.nodes[a]} to "
                              f"{instance.nodes[b]}, period {t}")
                continue
            gone[a, t] += moved[w, t]
            come[b, t + lead] += moved[w, t]
            cost += float(instance.transfers.cost[w] + lead * instance.holding[a]) * int(moved[w, t])
    return come, gone, cost


def _used(instance: Instance, order: Ints, lost: Ints, peak: Ints, come: Ints) -> tuple[Floats, ...]:
    """What is used of each line of the limits, by period or in all."""
    found, periods = [], order.shape[1]
    for shared in instance.limits:
        members = np.flatnonzero(shared.members)
        used = np.zeros(periods)
        for b in members:
            if shared.kind in ("budget", "total_budget") and instance.feeder[b] < 0:
                lead = int(instance.lead_time[b])
                used[:periods - lead] += instance.cost[b] * order[b, lead:]
            elif shared.kind == "capacity":
                used += instance.volume[b] * (order[b] + come[b])
            elif shared.kind == "storage":
                used += instance.volume[b] * peak[b]
            elif shared.kind == "service":
                used += lost[b]
        found.append(used.sum(keepdims=True) if shared.kind in ("total_budget", "service") else used)
    return tuple(found)


def bound_again(instance: Instance, rows: Rows, dual: Floats) -> float:
    """The bound that the duals prove [currency], from the instance and plain array programmes.

    Notes
    -----
    The bound is Σ over cells of the least cost with prices − Σ dual · limit, where what is fed is linked as
    `instance.to_lots` tells.
    """
    cells, periods = instance.demand.shape
    price, keep, loss = (np.zeros((cells, periods)) for _ in range(3))
    feeders, fed = instance.feeders, instance.feeder >= 0
    loss += instance.lost[:, None]
    loss[feeders] = 0.0
    paid, at = 0.0, 0
    for shared in instance.limits:
        for t in range(len(shared.value)):
            if np.isnan(shared.value[t]):
                continue
            value = float(dual[at])
            assert value >= 0.0
            assert shared.kind in ("total_budget", "service") or int(rows.period[at]) == t
            at += 1
            paid += value * float(shared.value[t])
            if value > 0.0:
                _charge(instance, shared.kind, shared.members, t, value, (price, keep, loss))
    keep[feeders] = 0.0
    for w in feeders.tolist():
        balance, missing = dual[at:at + periods], dual[at + periods:at + 2 * periods]
        at += 2 * periods
        assert (np.diff(balance) <= 1e-9).all() and (np.diff(missing) <= 1e-9).all()
        assert (balance >= 0.0).all() and (missing >= 0.0).all()
        paid += float(balance[0] * instance.on_hand[w] + balance @ instance.receipt[w])
        price[w] -= balance
        loss[w] += missing
        for b in np.flatnonzero(instance.feeder == w).tolist():
            lead = int(instance.lead_time[b])
            price[b, lead:] += balance[:periods - lead]
            loss[b] -= missing
    into, out, at = _transfer_prices(instance, dual, at)
    into += _received(instance, rows, dual)
    assert at == len(dual)
    demand, receipt, start = instance.demand.copy(), instance.receipt.copy(), instance.on_hand.copy()
    hold, leftover, safety = instance.holding.copy(), instance.leftover.copy(), instance.safety.copy()
    for b in np.flatnonzero(fed).tolist():
        w = int(instance.feeder[b])
        demand[w] += instance.demand[b]
        receipt[w] += instance.receipt[b]
        start[w] += instance.on_hand[b]
        hold[b], leftover[b] = instance.holding[b] - instance.holding[w], instance.leftover[b] - instance.leftover[w]
    safety[feeders] = 0
    level, total = order_up_to(instance), []
    most, space = _alone(instance)
    space[feeders] = FAR
    for b in range(cells):
        cell = _Cell(demand[b], receipt[b], int(start[b]), float(hold[b]), float(leftover[b]), int(safety[b]))
        total.append(_least_cost(instance, b, cell, (price[b], keep[b], loss[b], into[b], out[b]),
                                 (level[b], most[b], space[b])))
    return math.fsum(total) - paid


def _alone(instance: Instance) -> tuple[Ints, Ints]:
    """Largest orders and stock, (cells, periods) [unit], that the limits allow a cell alone."""
    cells, periods = instance.demand.shape
    most = np.repeat(instance.max_order[:, None], periods, axis=1)
    space: Ints = np.full((cells, periods), FAR, np.int64)
    for shared in instance.limits:
        for b in np.flatnonzero(shared.members):
            shift = int(instance.lead_time[b]) if shared.kind == "budget" else 0
            use = instance.cost[b] if shared.kind in ("budget", "total_budget") else instance.volume[b]
            is_free = shared.kind in ("budget", "total_budget") and instance.feeder[b] >= 0
            if use <= 0.0 or shared.kind == "service" or is_free:
                continue
            value = np.full(periods, shared.value[0]) if len(shared.value) < periods else shared.value
            units = np.where(np.isfinite(value), np.floor(np.nan_to_num(value) * (1.0 + 1e-9) / use), FAR)
            held = space[b] if shared.kind == "storage" else most[b]
            held[shift:] = np.minimum(held[shift:], units[:periods - shift].astype(np.int64))
    return most, space


def _least_within(values: Floats, width: int) -> Floats:
    """Least of each value and those behind it, `width` in all (van Herk's two sweeps over blocks)."""
    blocks = -(-len(values) // width) + 1
    padded = np.full(blocks * width, np.inf)
    padded[:len(values)] = values
    shaped = padded.reshape(blocks, width)
    ahead = np.minimum.accumulate(shaped, axis=1).ravel()
    behind = np.minimum.accumulate(shaped[:, ::-1], axis=1)[:, ::-1].ravel()
    at = np.arange(len(values))
    least: Floats = np.minimum(behind[at], ahead[at + width - 1])
    return least


def _transfer_prices(instance: Instance, dual: Floats, at: int) -> tuple[Floats, Floats, int]:
    """Prices of what comes and leaves by transfer, (cells, periods), infinite and −1 where none does."""
    cells, periods = instance.demand.shape
    ways = instance.transfers
    into, out = np.full((cells, periods), np.inf), np.full((cells, periods), -1.0)
    leaves = [(int(a), t) for a, lead in zip(ways.source, ways.lead_time, strict=True) for t in range(periods - lead)]
    comes = [(int(b), t) for b, lead in zip(ways.target, ways.lead_time, strict=True) for t in range(lead, periods)]
    for prices, places in ((out, leaves), (into, comes)):
        for place in dict.fromkeys(places):
            prices[place] = dual[at]
            assert dual[at] >= 0.0
            at += 1
    for w, (a, b, lead) in enumerate(zip(ways.source, ways.target, ways.lead_time, strict=True)):
        held = instance.holding[a] - (instance.holding[instance.feeder[a]] if instance.feeder[a] >= 0 else 0.0)
        for t in range(periods - lead):
            assert into[b, t + lead] <= out[a, t] + ways.cost[w] + lead * held + 1e-9
    return into, out, at


def _received(instance: Instance, rows: Rows, dual: Floats) -> Floats:
    """(cells, periods) [currency/unit] that capacities charge for what comes by transfer."""
    charge = np.zeros(instance.demand.shape)
    for row in np.flatnonzero(rows.owner >= 0):
        shared = instance.limits[rows.owner[row]]
        if shared.kind == "capacity":
            charge[:, rows.period[row]] += np.where(shared.members, instance.volume * dual[row], 0.0)
    return charge


def _charge(instance: Instance, kind: str, members: np.ndarray, t: int, value: float,
            charges: tuple[Floats, Floats, Floats]) -> None:
    """Add the price of one row to what its members pay."""
    price, keep, loss = charges
    for b in np.flatnonzero(members):
        if kind == "budget" and instance.feeder[b] < 0:
            arrives = t + int(instance.lead_time[b])
            if arrives < price.shape[1]:
                price[b, arrives] += instance.cost[b] * value
        elif kind == "total_budget" and instance.feeder[b] < 0:
            price[b] += instance.cost[b] * value
        elif kind == "capacity":
            price[b, t] += instance.volume[b] * value
        elif kind == "storage":
            keep[b, t] += instance.volume[b] * value
        elif kind == "service":
            loss[b] += value


class _Cell(NamedTuple):
    demand: Ints
    receipt: Ints
    start: int
    hold: float
    leftover: float
    safety: int


def _least_cost(instance: Instance, b: int, cell: _Cell, charges: tuple[Floats, ...], ends: tuple[Ints, ...]
                ) -> float:
    """Least cost of a cell at its prices, by arrays over stock."""
    (price, keep, loss, into, out), (level, most, space), periods = charges, ends, len(cell.demand)
    batch, fixed = int(instance.batch[b]), float(instance.order_cost[b])
    moq = -(-max(int(instance.moq[b]), 1) // batch) * batch
    size = int(cell.start + cell.receipt.sum()) + int(level.max(initial=0)) + 1
    stock = np.arange(size)
    value = cell.leftover * stock
    top, high = np.zeros(periods, np.int64), cell.start
    for t in range(periods):
        top[t] = max(high + cell.receipt[t], level[t])
        high = max(top[t] - cell.demand[t], 0)
    for t in range(periods - 1, -1, -1):
        end = np.maximum(stock - cell.demand[t], 0)
        g = value[end] + cell.hold * end + loss[t] * np.maximum(cell.demand[t] - stock, 0) \
            + instance.safety_cost[b] * np.maximum(cell.safety - end, 0)
        g[min(space[t], size) + 1:] = np.inf
        then = g + keep[t] * stock
        g[top[t] + 1:] = np.inf
        if np.isfinite(into[t]):
            more = g + (keep[t] + into[t]) * stock
            then = np.minimum(then, np.minimum.accumulate(more[::-1])[::-1] - into[t] * stock)
        if out[t] >= 0.0:
            then = np.minimum(then, np.minimum.accumulate(g + out[t] * stock) + (keep[t] - out[t]) * stock)
        then[min(space[t], size) + 1:] = np.inf
        value = then.copy()
        if t >= instance.lead_time[b] and most[t] >= moq:
            goal = np.where(stock <= level[t], then + price[t] * stock, np.inf)
            for first in range(batch):
                k, room = moq // batch, goal[first::batch]
                if len(room) > k:
                    best = _least_within(room, min(int(most[t]) // batch - k + 1, len(room)))
                    s = stock[first::batch][:len(best) - k]
                    value[s] = np.minimum(value[s], fixed + best[k:] - price[t] * s)
        shifted = np.minimum(stock + cell.receipt[t], size - 1)
        value = value[shifted]
    return float(value[cell.start])
