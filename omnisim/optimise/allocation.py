"""From a request to a budget plan: solve, round to cents, compare with today, explain what is left."""

from __future__ import annotations

import functools
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from omnisim.errors import Fault, InfeasibleError, UsageError
from omnisim.optimise.budget import Solution, least_spend, solve
from omnisim.optimise.budget_plan import BudgetPlan
from omnisim.optimise.curve_table import CurveTable, read_curves
from omnisim.optimise.curves import whole_period
from omnisim.optimise.elastic import figure
from omnisim.optimise.prepare import Request, check_request, prepare
from omnisim.optimise.problem import TOTAL, Ints, Problem
from omnisim.optimise.records import Record
from omnisim.optimise.risk import Risk, stack_draws
from omnisim.optimise.rounding import round_plan
from omnisim.response import Floats
from omnisim.scenario.allocation import Limits

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
GAP, ROUGH_GAP = 1e-6, 1e-3
"""Gaps to stop at: of concave curves, and with draws, chosen channels or S-shaped curves."""
HALF = 0.5
"""Share of the gap that solving may use up; the rest is for rounding."""
FINE = 1e-10
"""Budgets of a plan on curves alone are whole multiples of this share of the total."""
KEPT = 1e-6
"""Breach of a limit, relative to its parts, up to which a plan counts as keeping it."""


@dataclass(frozen=True)
class Effort:
    """How good, how long, and what else.

    Parameters
    ----------
    gap : float, or None  to stop at; 1e-6, or 1e-3 where channels are chosen or curves are S-shaped
    time_limit : float [second]
    budgets : tuple of float [currency]  of the frontier
    first_days : tuple of int [day]  of the periods
    cents : bool  whether money is whole cents a day (with a scenario), not a fine share of the budget
    currency : str
    risk : float  share of the draws that count, the worst; 1 for the mean of all
    """

    gap: float | None = None
    time_limit: float = 60.0
    budgets: Sequence[float] = ()
    first_days: tuple[int, ...] = (0,)
    cents: bool = False
    currency: str = "CNY"
    risk: float = 1.0


def allocate_table(table: CurveTable, request: Request, effort: Effort, progress: Progress | None = None) -> BudgetPlan:
    """The best plan for curves, limits and an objective.

    Raises
    ------
    UsageError  for what cannot be meant
    InfeasibleError  for limits that contradict each other, naming them
    """
    check_request(request)
    if effort.risk < 1.0 and len(table.draws) == 1:
        raise UsageError(Fault("allocate", "risk", f"{effort.risk:g}", "needs draws of the curves, and these have none",
                               "Give curves with a column draw, or let the scenario be measured."))
    if not table.is_concave:
        compile_search()
    return _allocate(table, request, effort, progress)


@functools.cache
def compile_search() -> None:
    """Compile, or load, what the search on curves that are not concave compiles at first use, so that no time limit
    counts it."""
    curve = {"form": "hill", "scale": 1.0, "half": 1.0, "shape": 2.0, "carryover": 0.2}
    table = read_curves([Record(name, {"channel": name, **curve}) for name in ("a", "b")], 2)
    shared = Limits.model_validate({"groups": [{"name": "group", "channels": ["a"], "high": 0.6}]})
    for limits in (Limits(), shared):
        _allocate(table, Request(2.0, np.ones(2), limits=limits), Effort(time_limit=600.0), None)


def _allocate(table: CurveTable, request: Request, effort: Effort, progress: Progress | None) -> BudgetPlan:
    """Once compiled."""
    deadline = time.monotonic() + effort.time_limit
    is_spend = request.objective == "spend"
    if is_spend:
        request = replace(request, budget=_first_guess(table, request))
    problem = prepare(table, request)
    risk = None
    if len(table.draws) > 1:
        risk = Risk(stack_draws(table.draws, problem.shape[1], whole_period(request.days)), effort.risk)
    is_easy = table.is_concave and not problem.has_integers and risk is None
    gap = effort.gap or (GAP if is_easy else ROUGH_GAP)
    if is_spend:
        found = least_spend(problem, float(request.target or 0.0), gap, deadline, effort.currency, risk)
        request = replace(request, budget=found.problem.budget)
    else:
        starts = [] if request.today is None else [_padded(problem, request.today)]
        found = solve(problem, HALF * gap, deadline, effort.currency, risk, starts)
    unit = 0.01 * request.days if effort.cents else np.full(len(request.days), FINE * request.budget)
    spend, units = round_plan(found.problem, found.spend, unit)
    plan = BudgetPlan(found, spend, _objective(found, spend, request), request.objective, request.budget,
                      effort.currency, effort.first_days, units if effort.cents else _to_cents(spend), asked_gap=gap)
    if request.today is not None:
        plan = _beside_today(plan, problem, request, unit if effort.cents else None)
    plan = replace(plan, notes=(*plan.notes, *_explain_unspent(plan)))
    if not plan.is_proven:
        beware = Fault("allocate", "gap", f"{plan.gap:.2e}", f"is above the {gap:g} asked for: the plan is not proven "
                       "to be that close to the best", "Give it a longer time limit, or a larger gap.")
        plan = replace(plan, warnings=(beware,))
    if len(effort.budgets):
        plan = replace(plan, frontier=trace_frontier(problem, effort, gap, deadline, risk, progress))
    return plan


def _objective(found: Solution, spend: Floats, request: Request) -> float:
    """The objective of the plan as rounded."""
    if request.objective == "spend":
        return float(spend.sum())
    problem, whole = found.problem, _padded(found.problem, spend)
    if any((limit.reply > 0.0).any() and limit.sense != ">=" for limit in problem.limits):
        # less is counted than the curves would bring: what rounding moved is taken from the curves
        return found.objective + found.value(whole) - found.value(found.whole)
    paid = request.budget - problem.budget if found.opened is not None else 0.0
    return found.value(whole) - paid * float(problem.charge[0, 0])


def _padded(problem: Problem, spend: Floats) -> Floats:
    """A spend with the periods after the plan, in which nothing is spent."""
    whole = np.zeros(problem.shape)
    whole[:, :spend.shape[1]] = spend
    return whole


def _to_cents(spend: Floats) -> Ints:
    """Whole cents a period by largest remainder."""
    exact = 100.0 * spend
    cents = np.floor(exact + 1e-9).astype(np.int64)
    left = round(float(exact.sum())) - int(cents.sum())
    flat = cents.ravel()
    flat[np.argsort((cents - exact).ravel(), kind="stable")[:max(0, left)]] += 1
    return flat.reshape(cents.shape)


def _first_guess(table: CurveTable, request: Request) -> float:
    """A budget to start the search for the least spend from."""
    floors = float(table.curves.floor.sum())
    return max(float(np.median(table.curves.half)) * len(table.channels) * len(request.days), 2.0 * floors)


def _beside_today(plan: BudgetPlan, problem: Problem, request: Request, cent: Floats | None) -> BudgetPlan:
    """The plan with today's beside it; today's in its place where that is better and keeps the limits."""
    assert request.today is not None
    whole, value = _padded(problem, request.today), plan.solution.value
    if request.objective == "spend":
        worth = float(request.today.sum())
        reaches = value(whole) >= float(request.target or 0.0)
        note = f"today's plan spends {worth:,.2f} and {'reaches' if reaches else 'misses'} the target"
        return replace(plan, today=request.today, today_objective=worth, notes=(*plan.notes, note))
    used = request.today.sum(axis=1) > 0.0
    worth = value(whole) - float((problem.opening_cost * used).sum()) * float(problem.charge[0, 0])
    broken = broken_limits(problem, request.today)
    plan = replace(plan, today=request.today, today_objective=worth)
    if broken:
        more = f" and {len(broken) - 4} more" if len(broken) > 4 else ""
        note = f"today's plan breaks {', '.join(broken[:4])}{more}"
        return replace(plan, notes=(*plan.notes, note))
    if worth > plan.objective:
        cents = _to_cents(request.today) if cent is None else np.rint(request.today / cent).astype(np.int64)
        return replace(plan, spend=request.today, objective=worth, daily_cents=cents,
                       notes=(*plan.notes, "today's plan is within the gap of the best: it is kept"))
    more = f"+{figure(plan.objective - worth)}" + (f" ({plan.gain:+.2%})" if math.isfinite(plan.gain) else "")
    return replace(plan, notes=(*plan.notes, f"today's budgets by the same curves: {figure(worth)}, these {more}"))


def broken_limits(problem: Problem, spend: Floats) -> list[str]:
    """Names of the bounds and limits that a plan breaks."""
    planned, curves = problem.plan_periods, problem.curves
    replies = problem.replies(_padded(problem, spend))[:, :planned].ravel()
    hair = KEPT * problem.budget / spend.size
    found = list(dict.fromkeys([*problem.floor_names[spend < curves.floor[:, :planned] - hair],
                                *problem.cap_names[spend > curves.cap[:, :planned] + hair]]))
    flat, used = spend.ravel(), (spend.sum(axis=1) > 0.0).astype(float)
    for limit in problem.limits:
        parts = np.concatenate([limit.spend * flat[limit.cells], limit.reply * replies[limit.reply_cells],
                                limit.opening * used[limit.channels], [-limit.value]])
        excess, size = float(parts.sum()), KEPT * float(np.abs(parts).sum())
        if (limit.sense != ">=" and excess > size) or (limit.sense != "<=" and excess < -size):
            found.append("the total budget" if limit.name == TOTAL else limit.name)
    if problem.core and int((spend.sum(axis=1) > problem.core.spend * (1.0 + KEPT)).sum()) > problem.core.most:
        found.append("max_core")
    return found


def _explain_unspent(plan: BudgetPlan) -> list[str]:
    """Why money is left, if any is."""
    problem, planned = plan.solution.problem, plan.spend.shape[1]
    if plan.unspent <= 2.0 * FINE * plan.budget + 0.02 * plan.spend.size:
        return []
    left = f"{plan.unspent:,.2f} of the budget stays unspent"
    room = plan.spend < problem.curves.cap[:, :planned] * (1.0 - 1e-9)
    gain = plan.solution.marginals(_padded(problem, plan.spend))[:, :planned]
    if not room.any():
        names = list(dict.fromkeys(name for name in problem.cap_names.ravel() if name))
        return [f"{left}: every channel is at its cap ({', '.join(names[:4])})"]
    binding = [limit.name for limit, price in zip(problem.limits, plan.solution.prices, strict=True)
               if limit.name != TOTAL and abs(price) > 0.0]
    if binding and float(gain[room].max()) > 1e-6 * float(np.abs(gain).max()):
        return [f"{left}: {', '.join(binding[:4])} allow{'' if len(binding) > 1 else 's'} no more"]
    if float(problem.charge.max()) > 0.0:
        return [f"{left}: the next one would cost more than it brings"]
    return [f"{left}: it would bring nothing"]


def trace_frontier(problem: Problem, effort: Effort, gap: float, deadline: float, risk: Risk | None,
                   progress: Progress | None) -> pd.DataFrame:
    """What each of several budgets brings at best: budget, objective, bound, gap, price (of one more unit of budget).

    Budgets that the other limits do not allow have no objective (null), nor have those after the deadline.
    """
    import pandas as pd

    rows = []
    for done, budget in enumerate(effort.budgets):
        row = {"budget": float(budget), "objective": math.nan, "bound": math.nan, "gap": math.nan, "price": math.nan}
        if time.monotonic() < deadline:
            try:
                found = solve(problem.with_budget(float(budget)), max(gap, 1e-6), deadline,
                              effort.currency, risk)
                price = next(p for p, limit in zip(found.prices, found.problem.limits, strict=True)
                             if limit.name == TOTAL)
                row |= {"objective": found.objective, "bound": found.bound, "gap": found.gap, "price": float(price)}
            except InfeasibleError:
                pass
        rows.append(row)
        if progress is not None:
            progress(done + 1, len(effort.budgets))
    return pd.DataFrame(rows)
