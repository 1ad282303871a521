"""From an instance to a stock plan: bound, search, where it is small an integer programme, and the account of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from omnisim.errors import Fault, InfeasibleError, NotFoundError
from omnisim.optimise.replenish.bound import Relaxation, keep_apart, relax
from omnisim.optimise.replenish.check import Account, account
from omnisim.optimise.replenish.exact import SMALL, solve_exactly
from omnisim.optimise.replenish.instance import MUST, NO_TRANSFERS, Instance, Rows, Transfers, to_lots
from omnisim.optimise.replenish.lots import NEVER, Floats, Ints, Lots
from omnisim.optimise.replenish.plans import Effort, find_plan, find_transfers
from omnisim.optimise.replenish.stock_plan import StockPlan

SHARE = 0.5
"""Most of the time that is given to the bound."""
STILL = 0.3
"""Share of what is left then for a plan without transfers, where there are some."""
CLOSE, CLOSE_LINKED = 5e-5, 1e-3
"""Relative gap of the programme to its bound at which the search begins; with echelons."""


@dataclass(frozen=True)
class Wish:
    """How hard to try.

    Parameters
    ----------
    gap : float  to stop at, relative
    time_limit : float [second]  without the compilation of the first use
    rounds : int or None  iterations a cell, after which the search ends whatever the time; None for the time alone
    seed : int  luck of the search
    clock : callable  seconds that count; processor time makes a figure independent of what else the machine does
    """

    gap: float = 1e-3
    time_limit: float = 60.0
    rounds: int | None = None
    seed: int = 1
    clock: Callable[[], float] = time.monotonic


def plan_stock(instance: Instance, wish: Wish, progress: Callable[[int, int], None] | None = None) -> StockPlan:
    """A plan and what no plan can beat.

    Raises
    ------
    InfeasibleError  naming the lines that no plan keeps together
    NotFoundError  where no plan was found in the time
    """
    compile_kernels()
    if instance.has_transfers:
        compile_kernels(moves=True)
    begin = wish.clock()

    def spent() -> float:
        return (wish.clock() - begin) / wish.time_limit

    lots, rows = to_lots(instance)
    check_alone(instance, lots)
    is_linked = instance.has_echelons or instance.has_transfers
    told = None if progress is None else lambda share: progress(int(100 * share), 100)
    still = replace(instance, transfers=NO_TRANSFERS)
    alone = _relax_alone(still, lambda: spent() > SHARE / 3.0) if instance.has_transfers else None
    found = relax(lots, rows, gap=CLOSE_LINKED if is_linked else CLOSE, is_late=lambda: spent() > SHARE,
                  start=first_prices(instance, lots, rows, alone))
    if float(found.missed.max(initial=0.0)) > 1e-6:
        explain(instance, lots, rows, lambda: spent() > SHARE)
    moved: Ints = np.zeros((0, instance.periods), np.int64)
    if alone is None:
        order = find_plan(instance, rows, found, Effort(wish.rounds, spent, wish.seed), wish.gap, told)
    else:
        begun = spent()
        first = Effort(wish.rounds, lambda: min((spent() - begun) / (STILL * (1.0 - begun) + 1e-9), 1.0), wish.seed)
        order = find_plan(still, to_lots(still)[1], alone, first, wish.gap)
        order, moved = find_transfers(instance, (alone, found), rows, order, Effort(wish.rounds, spent, wish.seed),
                                      wish.gap, told)
    seen = account(instance, order, moved)
    best = found.bound
    is_open = bool(seen.broken) or seen.total - best > wish.gap * abs(seen.total)
    if is_open and instance.demand.size <= SMALL and spent() < 1.0:
        better, proof = solve_exactly(instance, wish.gap, (1.0 - spent()) * wish.time_limit)
        if proof == np.inf:
            raise InfeasibleError(*_refusals(seen, "is kept by no plan together with the other limits: all were tried",
                                             "Relax it, or another limit."))
        best = max(best, proof)
        if better is not None:
            again = account(instance, *better)
            if not again.broken and (seen.broken or again.total < seen.total):
                (order, moved), seen = better, again
    if seen.broken:
        raise NotFoundError(*_refusals(seen, "is broken by every plan found in the time; whether one exists is not "
                                       "known", "Give a longer time limit, or relax it."))
    plan = StockPlan(instance, order, moved, seen, best, lots, rows, found, asked_gap=wish.gap,
                     seconds=wish.clock() - begin)
    return replace(plan, warnings=_warnings(plan, wish, spent() >= 1.0))


def _relax_alone(still: Instance, is_late: Callable[[], bool]) -> Relaxation:
    """The bound of a plan without transfers: no bound with them, but a start of prices and of plans."""
    lots, rows = to_lots(still)
    gap = CLOSE_LINKED if still.has_echelons else CLOSE
    return relax(lots, rows, gap=gap, is_late=is_late, start=first_prices(still, lots, rows))


def _refusals(seen: Account, rule: str, fix: str) -> list[Fault]:
    """What the best plan breaks, as faults."""
    return [Fault("replenish", text, "", rule, fix) for text in seen.broken]


def _warnings(plan: StockPlan, wish: Wish, is_late: bool) -> tuple[Fault, ...]:
    warnings = []
    if plan.gap > wish.gap:
        warnings.append(Fault("replenish", "gap", f"{plan.gap:.2%}", f"is above the {wish.gap:.2%} asked for: the plan "
                              "is not proven to be that close to the best", "Give it more time, or a larger gap."))
    if is_late:
        warnings.append(Fault("replenish", "time_limit", f"{wish.time_limit:g} s", "ended the search: the plan depends "
                              "on the machine, the bound holds on any", "Give rounds for the same plan everywhere."))
    return tuple(warnings)


def compile_kernels(*, moves: bool = False) -> None:
    """Compile, or load from the cache, what is compiled at first use, so that no time limit counts it.

    Parameters
    ----------
    moves : bool  what plans transfers, too
    """
    one, none, free = np.ones(1, np.int64), np.zeros((1, 1), np.int64), np.zeros(1)
    single = Instance(np.array(["one"], object), np.array(["one"], object), none + 1, none, 0 * one, one, one, 0 * one,
                      0 * one, free, free + 9.0, free, free, free + 1.0, free, free, one, 0 * one, -one)
    if moves:
        twice: dict[str, Any] = {part.name: np.repeat(value, 2, axis=0) for part in fields(single)
                                 if isinstance(value := getattr(single, part.name), np.ndarray)}
        twice |= {"nodes": np.array(["one", "other"], object), "transfers": Transfers(0 * one, one, 0 * one, free)}
        single = replace(single, **twice)
    lots, rows = to_lots(single)
    found = relax(lots, rows)
    if moves:
        order = np.zeros_like(single.demand)
        find_transfers(single, (_relax_alone(replace(single, transfers=NO_TRANSFERS), lambda: False), found), rows,
                       order, Effort(1, lambda: 0.0), gap=-1.0)
    else:
        find_plan(single, rows, found, Effort(1, lambda: 0.0), gap=-1.0)


def first_prices(instance: Instance, lots: Lots, rows: Rows, alone: Relaxation | None = None) -> Floats:
    """Prices to begin with: half of a lost sale is the feeder's to avoid; with transfers, the prices without them, at
    which what is sent is worth nothing where it stands, and its way where it goes."""
    dual = np.zeros(len(lots.limit))
    if alone is not None:
        dual[:len(alone.dual)] = alone.dual
        dual[lots.into_row[lots.into_row >= 0]] = MUST
        return keep_apart(dual, rows)
    for w in instance.feeders:
        fed = instance.feeder == w
        linked = lots.lost_row[:, w]
        dual[linked[linked >= 0]] = 0.5 * float(instance.lost[fed].min())
    return dual


def check_alone(instance: Instance, lots: Lots) -> None:
    """Refuse stock on hand that no storage takes.

    Raises
    ------
    InfeasibleError
    """
    faults = []
    for shared in instance.limits:
        if shared.kind != "storage" or not np.isfinite(shared.value[0]):
            continue
        held = float(instance.volume[shared.members] @ (instance.on_hand + instance.receipt[:, 0])[shared.members])
        if held > shared.value[0] * (1.0 + 1e-9):
            faults.append(Fault(shared.where, shared.name, f"{shared.value[0]:g} {shared.unit}", f"is less than the "
                                f"{held:g} that stand there in period 0", "Raise it, or lower on_hand."))
    if faults:
        raise InfeasibleError(*faults)


def explain(instance: Instance, lots: Lots, rows: Rows, is_late: Callable[[], bool]) -> None:
    """Raise where no plan keeps all limits: the least that must give way, found with every other cost at 0.

    Raises
    ------
    InfeasibleError  naming the lines, what the smallest change would be, and the lines that force it
    """
    nothing = np.zeros(len(lots.start))
    bare = lots._replace(hold=nothing, lost=nothing, fixed=nothing, leftover=nothing, short=nothing)
    found = relax(bare, replace(rows, move_cost=0.0 * rows.move_cost), gap=1e-6, is_late=is_late)
    if found.bound <= 1e-6 or found.value >= NEVER:
        return  # not proven: a plan may exist
    faults = []
    for place, shared in enumerate(instance.limits):
        own = rows.owner == place
        excess = float((found.missed * rows.scale)[own].sum())
        force = float(found.price[own].max(initial=0.0))
        if excess <= 1e-9 and force <= 1e-9:
            continue
        fix = "Or relax this one instead."
        if excess > 1e-9:
            change = f"Raise it by {excess:.6g} {shared.unit}" if shared.kind != "service" else \
                f"Allow {np.ceil(excess - 1e-6):.0f} more lost units"
            fix = f"{change}: the smallest change that helps."
        others = [other.name for k, other in enumerate(instance.limits)
                  if k != place and float(found.price[rows.owner == k].max(initial=0.0)) > 1e-9]
        rule = f"cannot hold together with {', '.join(others[:4])}" if others else "cannot be kept by any plan"
        faults.append(Fault(shared.where, shared.name, f"{shared.asked:g}", rule, fix))
    raise InfeasibleError(*faults)

