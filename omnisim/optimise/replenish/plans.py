"""From the bound's prices to a plan: round what the programme mixes, then search until the effort is spent."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from omnisim.optimise.replenish.bound import Relaxation, simulate
from omnisim.optimise.replenish.instance import NO_TRANSFERS, Instance, Rows, order_up_to, to_lots, whole_moq
from omnisim.optimise.replenish.lots import Floats, Ints, Lots, make_scratch
from omnisim.optimise.replenish.move_search import make_ways, nothing_moved, search_moves
from omnisim.optimise.replenish.moves import make_move_scratch
from omnisim.optimise.replenish.search import (
    Links,
    State,
    forget,
    insert,
    make_links,
    open_state,
    search,
    settle,
)

CHUNK = 400
"""Iterations between two looks at the clock."""
WARM, COLD = 0.01, 0.02
"""Temperature at the start, as a share of the bound's cost of a cell; what is left of it at the end."""
FEW = 60
"""Cells below which a step is large against the whole, and the start has to be warmer."""
USUAL, BEYOND = 0.97, 2
"""Share of orders of the bound's plans that must fit under the levels of the search, and periods added."""


@dataclass(frozen=True)
class Effort:
    """How long to search.

    Parameters
    ----------
    rounds : int or None  iterations a cell, which make the answer the same on every machine; None: until the limit
    spent : callable  share of the time that is used up, from 0 to 1
    seed : int  luck of the search
    """

    rounds: int | None
    spent: Callable[[], float]
    seed: int = 1


def find_plan(instance: Instance, rows: Rows, found: Relaxation, effort: Effort, gap: float = 0.0,
              progress: Callable[[float], None] | None = None) -> Ints:
    """The best orders found without transfers, (cells, periods) [unit].

    Parameters
    ----------
    rows : Rows  of the bound
    found : Relaxation
    gap : float  to the bound at which to stop, relative
    progress : callable  told the share of the effort spent
    """
    lots, _ = to_lots(instance, linked=False)
    lots = lots._replace(level=usual_levels(instance, found, lots), demand=lots.demand.copy())
    dual = found.dual[rows.owner >= 0]
    links = link(instance, lots, price_of_sent(instance, rows, found))
    scratch = make_scratch(lots)  # while feeders send nothing yet: no plan leaves more stock with them
    state = begin(instance, lots, links, open_state(lots, dual, effort.seed), found)
    cool(instance, found, effort, lambda heat: search(lots, links, scratch, state, CHUNK, heat),
         lambda: state.best[0] - found.bound <= gap * abs(found.bound), progress)
    return state.best_order


def find_transfers(instance: Instance, found: tuple[Relaxation, Relaxation], rows: Rows, order: Ints, effort: Effort,
                   gap: float = 0.0, progress: Callable[[float], None] | None = None) -> tuple[Ints, Ints]:
    """The best orders, (cells, periods) [unit], and transfers, (ways, periods) [unit], from orders without transfers.

    Parameters
    ----------
    found : Relaxation, Relaxation  without and with transfers
    rows : Rows  of the second
    order : (cells, periods) int [unit]  to begin with
    """
    alone, both = found
    lots, _ = to_lots(instance, linked=False)
    near = usual_levels(replace(instance, transfers=NO_TRANSFERS), alone, lots)
    lots = lots._replace(level=np.minimum(lots.level, instance.pooled(near)), demand=lots.demand.copy())
    lots.level[instance.feeders] = near[instance.feeders]
    links = link(instance, lots, price_of_sent(instance, rows, both))
    scratch, more = make_move_scratch(lots)  # as above
    state = open_state(lots, both.dual[rows.owner >= 0], effort.seed)
    state.order[:] = order
    for b in np.flatnonzero(instance.feeder >= 0):
        lead = int(instance.lead_time[b])
        lots.demand[instance.feeder[b], :instance.periods - lead] += order[b, lead:]
    settle(lots, links, state)
    view, _ = to_lots(instance)
    ways, moved = make_ways(instance, both, view.into_row, view.out_row), nothing_moved(instance, len(state.held))
    cool(instance, both, effort, lambda heat: search_moves(lots, links, ways, scratch, more, state, moved, CHUNK, heat),
         lambda: state.best[0] - both.bound <= gap * abs(both.bound), progress)
    return state.best_order, moved.best


def cool(instance: Instance, found: Relaxation, effort: Effort, step: Callable[[float], None],
         is_done: Callable[[], bool], progress: Callable[[float], None] | None) -> None:
    """Take steps at falling temperature until the effort is spent."""
    cells = len(instance.skus)
    sells = cells - len(instance.feeders)
    most = None if effort.rounds is None else effort.rounds * sells
    warm, done = WARM * max(found.bound, 1e-9) / cells * max(1.0, FEW / cells), 0
    while True:
        share = effort.spent() if most is None else done / most
        if share >= 1.0 or effort.spent() >= 1.0 or is_done():
            break
        step(warm * COLD ** share)
        done += CHUNK
        if progress is not None:
            progress(min(1.0, max(share, effort.spent())))


def link(instance: Instance, lots: Lots, guide: Floats) -> Links:
    """Who stands next to whom in an instance."""
    number = {name: k for k, name in enumerate(dict.fromkeys(instance.skus))}
    place = {name: k for k, name in enumerate(dict.fromkeys(instance.nodes))}
    return make_links(lots, np.array([number[name] for name in instance.skus]),
                      np.array([place[name] for name in instance.nodes]), instance.feeder, instance.lead_time, guide,
                      100.0 * float(instance.lost.max(initial=1.0)), has_transfers=instance.has_transfers)


def begin(instance: Instance, lots: Lots, links: Links, state: State, found: Relaxation) -> State:
    """A first plan: cells whose plan the programme is sure of first; the better of that and of ordering nothing."""
    cells = len(instance.skus)
    wanted: Ints = np.zeros(lots.demand.shape, np.int64)
    surest = np.zeros(cells)
    for k in np.argsort(found.weight, kind="stable"):
        if found.weight[k] > 0.0:
            b = found.columns.cell[k]
            wanted[b], surest[b] = found.columns.order[k], found.weight[k]
    surest[instance.feeders] = -1.0
    nothing = settle(lots, links, state)
    forget(lots, state)
    insert(lots, links, make_scratch(lots), state, np.argsort(-surest, kind="stable"), wanted)
    if settle(lots, links, state) > nothing:
        forget(lots, state)
        lots.demand[instance.feeders] = 0
        settle(lots, links, state)
    return state


def usual_levels(instance: Instance, found: Relaxation, lots: Lots) -> Ints:
    """Levels for the search: no order reaches further ahead than the bound's plans do, but for the smallest ones."""
    demand = instance.summed(instance.demand)
    cells, order = np.array(found.columns.cell), np.array(found.columns.order)
    linked, _ = to_lots(instance)
    ahead = np.concatenate([np.zeros((len(demand), 1), np.int64), demand.cumsum(axis=1)], axis=1)
    high = simulate(linked, cells, order)[2]
    periods = demand.shape[1]
    reach = []
    for t in range(periods):
        at = order[:, t] > 0
        if at.any():
            goal = ahead[cells[at], t] + high[at, t]
            reach.append((ahead[cells[at], t:] < goal[:, None]).sum(axis=1))
    usual = int(np.quantile(np.concatenate(reach), USUAL)) + BEYOND if reach else periods
    ends = np.minimum(np.arange(periods) + usual, periods)
    near = ahead[:, ends] - ahead[:, :-1]
    least = instance.summed(2 * whole_moq(instance) + instance.safety)
    levels: Ints = np.minimum(order_up_to(instance), near + least[:, None])
    return levels


def price_of_sent(instance: Instance, rows: Rows, found: Relaxation) -> Floats:
    """(cells, periods) [currency/unit] price of a unit that is sent, without the holding that the feeder saves."""
    guide = np.zeros(instance.demand.shape)
    if not instance.has_echelons:
        return guide
    lots, _ = to_lots(instance)
    periods = instance.periods
    for b in np.flatnonzero(instance.feeder >= 0):
        hold = instance.holding[instance.feeder[b]]
        for k in range(len(lots.order_row)):
            row = lots.order_row[k, b]
            if (row >= 0).all() and rows.owner[row[0]] < 0:
                guide[b] = np.maximum(found.dual[row] - hold * (periods - np.arange(periods)), 0.0)
    return guide
