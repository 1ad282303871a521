"""The best budget where some curves are S-shaped: a plan, and a bound that no plan exceeds."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

import numpy as np

from omnisim.optimise.curves import CurveArrays, Solved, marginal_response, total_response
from omnisim.optimise.jumps import Search, open_only
from omnisim.optimise.sigmoids import EITHER, OPEN, Items, explore, grow_tree
from omnisim.response import Floats, respond

TIGHT = 1e-10
"""Gap to which one period is searched whatever was asked for: it takes a few nodes more."""
NODES = 20_000
"""Nodes of the tree for one period; a few are used unless many channels are alike."""
BATCH = 64
"""Nodes between two looks at the clock."""
PLANS = 600
"""Bounds tried at most over several periods."""
ROUNDING = 1e-12
"""What bounds are raised by, relative to the sum of what they are made of.

They are sums of some thousand terms, each rounded to 1e-16 of itself, and of best answers at a price that are off by
1e-15 where the slope is the price, which costs the square of that."""


def solve_nonconcave(curves: CurveArrays, budget: float, *, charge: Floats | None = None, fee: Floats | None = None,
                     most_open: int | None = None, gap: float = 1e-3, time_limit: float = 30.0,
                     starts: Sequence[Floats] = ()) -> Solved:
    """The best spend of one budget over channels and periods, S-shaped curves and carry-over included, with its proof.

    Parameters
    ----------
    curves : CurveArrays
        their floors and caps bound the spend; periods with caps of 0 only let pressure fade
    budget : float [currency]  at least the sum of the floors; may be infinite if the caps are not
    charge : (n, periods) float [response/currency], optional  what spend costs in units of the objective
    fee : (n,) float [response], optional  cost of opening a channel, ≥ 0
    most_open : int, optional
        channels that may be open. With it or a fee, a channel may be closed: no spend, whatever its floors
    gap : float  share of the bound at which to stop; one period is searched to 1e-10 anyhow
    time_limit : float [s]  after which no further bound is begun; only then does the answer depend on the machine
    starts : sequence of (n, periods) float [currency]  plans that the answer must not fall below, today's for example

    Returns
    -------
    Solved  objective and bound of Σ response − charge · spend − fees; gap relative to max(|bound|, gross response)

    Raises
    ------
    ValueError  if the floors exceed the caps or the budget, or a number is not finite

    Notes
    -----
    One period is solved by branch and bound (`sigmoids`), several by pricing the budget, bounding each channel's
    schedules at the price and branching (`jumps`). In both the bound is a Lagrangian one, λ · budget + Σ over channels
    of the most that each can earn at the price λ, and holds for every λ ≥ 0 whether or not the best λ was found
    (weak duality; Geoffrion 1974, "Lagrangean relaxation for integer programming"). It is computed in doubles and
    raised by 1e-12 of its terms, more than they can be rounded by. Spend is counted in units of the budget and
    response in units of what an even split brings, so that the same problem in other units gives the same plan.
    """
    n = curves.form.size
    may_close = (fee is not None and bool(fee.any())) or (most_open is not None and most_open < n)
    floors = 0.0 if may_close else float(curves.floor.sum())
    _check(curves, budget, floors, [gap, *(np.zeros(0) if fee is None else fee)])
    budget = max(min(budget, float(curves.cap.sum())), floors)
    if not math.isfinite(budget):
        raise ValueError("budget or caps must be finite")
    if budget - floors <= max(1e-12 * floors, 1e-100 * float(curves.half.max())):
        return _spend_floors(curves._replace(floor=np.zeros_like(curves.floor)) if may_close else curves, charge,
                             budget - floors)
    normal, unit = normalise(curves, budget, floors)
    search = Search(normal, np.ascontiguousarray((np.zeros_like(curves.floor) if charge is None else charge)
                                                 * (budget / unit)), 1.0,
                    np.zeros(n) if fee is None else np.asarray(fee / unit, float),
                    n if most_open is None else most_open)
    plans = [np.ascontiguousarray(plan / budget) for plan in starts]
    until = time.monotonic() + time_limit
    if curves.floor.shape[1] == 1:
        _solve_period(search, gap, until)
        for plan in plans:
            search.improve(plan, search.largest(plan), 200, 1e-13)
        search.bound = max(search.bound, search.objective)
    else:
        search.run([*plans, *spreads(normal)], gap, PLANS, until)
    spend = keep_budget(open_only(curves, search.is_open), search.spend * budget, budget)
    gross = total_response(curves, spend)
    objective = gross - (0.0 if charge is None else float((charge * spend).sum()))
    if fee is not None:
        objective -= float(fee[search.is_open].sum())
    allowance = ROUNDING * (abs(search.bound) + search.price + gross / unit + float(search.charge.max())
                            + float(search.fee.sum()))
    bound = max((search.bound + allowance) * unit, objective)
    size = max(abs(bound), gross)
    return Solved(spend, objective, bound, (bound - objective) / size if size > 0.0 else 0.0,
                  search.price * unit / budget)


def _check(curves: CurveArrays, budget: float, floors: float, numbers: list[float]) -> None:
    """Refuse what is not finite and what contradicts itself."""
    if not all(np.isfinite(values).all() for values in (*curves[1:7], np.asarray(numbers))) or math.isnan(budget):
        raise ValueError("curves, floors, fees and gap must be finite")
    if (curves.floor > curves.cap).any() or floors > budget * (1.0 + 1e-12):
        raise ValueError("floors must not exceed caps, nor their sum the budget")


def normalise(curves: CurveArrays, budget: float, floors: float) -> tuple[CurveArrays, float]:
    """The curves with spend in units of the budget and response in units of what an even split brings.

    Returns
    -------
    curves : CurveArrays  no cap above what the floors of the others, if they must be met, leave of the budget
    unit : float [response]
    """
    n, periods = curves.floor.shape
    even = np.full((n, periods), budget / (n * periods))
    unit = float(respond(curves.form, curves.scale, curves.half, curves.shape, even).sum())
    if not unit > 0.0:
        unit = float(curves.scale.max())
    most = curves.floor + max(budget - floors, 0.0) if floors > 0.0 else np.full((n, periods), budget)
    return CurveArrays(
        curves.form, np.ascontiguousarray(curves.scale / unit), np.ascontiguousarray(curves.half / budget),
        np.ascontiguousarray(curves.shape, float), np.ascontiguousarray(curves.carryover, float),
        np.ascontiguousarray(curves.carry_in / budget), np.ascontiguousarray(curves.floor / budget),
        np.ascontiguousarray(np.minimum(curves.cap, most) / budget)), unit


def spreads(curves: CurveArrays) -> list[Floats]:
    """Plain plans to climb from, in units of the budget: even, by the curves' half points, and by their scales."""
    return [np.asarray(curves.floor + share * ((1.0 - curves.floor.sum()) / share.sum()))
            for share in (np.minimum(1.0, curves.cap), np.minimum(curves.half, curves.cap),
                          np.minimum(curves.scale / curves.scale.max(), curves.cap)) if share.sum() > 0.0]


def keep_budget(curves: CurveArrays, spend: Floats, budget: float) -> Floats:
    """A plan within floors and caps whose sum does not exceed the budget by rounding either."""
    spend = np.clip(spend, curves.floor, curves.cap)
    for _ in range(60):
        over = max(math.fsum(spend.flat), float(spend.sum())) - budget
        if over <= 0.0:
            break
        place = np.unravel_index(int(np.argmax(spend - curves.floor)), spend.shape)
        spend[place] = max(spend[place] - max(over, np.spacing(spend[place])), curves.floor[place])
    return spend


def _spend_floors(curves: CurveArrays, charge: Floats | None, left: float) -> Solved:
    """The only plan, where the floors take all but rounding; its price is the best that one more unit could bring."""
    spend = curves.floor.copy()
    charged = np.zeros_like(spend) if charge is None else charge
    objective = total_response(curves, spend) - float((charged * spend).sum())
    marginal = np.where(curves.cap > curves.floor, marginal_response(curves, spend) - charged, 0.0)
    bound = total_response(curves, np.minimum(spend + left, curves.cap)) - float((charged * spend).sum())
    return Solved(spend, objective, bound, (bound - objective) / (abs(bound) or 1.0), max(0.0, float(marginal.max())))


def _solve_period(search: Search, gap: float, until: float) -> None:
    """One period, exactly: fills the plan and the bound of a search."""
    curves = search.curves
    n = curves.form.size
    rest = curves.carryover * curves.carry_in
    items = Items(curves.form, curves.scale[:, 0].copy(), curves.half[:, 0].copy(), curves.shape[:, 0].copy(),
                  rest + curves.floor[:, 0], rest + curves.cap[:, 0], rest, search.charge[:, 0].copy(), search.fee,
                  np.full(n, EITHER if search.may_close else OPEN, np.int64))
    tree, count, objective, bound = grow_tree(NODES), 0, -math.inf, math.inf
    stock, is_open = rest.copy(), np.zeros(n, np.bool_)
    budget = search.budget + float(rest.sum())
    keep = min(gap, TIGHT)
    while True:
        before = count
        count, objective, bound = explore(items, budget, search.most, tree, count, stock, is_open, objective, keep,
                                          BATCH)
        if bound <= objective + keep * abs(objective) or count == before or time.monotonic() > until:
            break
    search.improve((stock - rest)[:, None], is_open, 50, 1e-14)
    search.bound = bound
