"""The best budget plan within limits: the exact method where it applies, else linear or integer programmes."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.choices import solve_choices
from omnisim.optimise.draws import draw_values, weigh_slopes
from omnisim.optimise.elastic import explain, figure
from omnisim.optimise.integers import fix_choices
from omnisim.optimise.problem import TOTAL, Problem, Units, normalise, row_scale
from omnisim.optimise.programme import Programmed, solve_continuous
from omnisim.optimise.risk import Risk, smooth_weights, solve_draws, worst_mean
from omnisim.optimise.solver import Solver
from omnisim.optimise.watchdog import WatchedSolver
from omnisim.response import POWER, Floats, carry, respond

SEGMENTS, LARGE = 10, 40_000
"""Columns of a linear programme by cell, and how many take about half a second: beyond, a process of its own solves."""
TARGET_ROUNDS = 60
"""Budgets tried for the least spend; about five are used."""


@dataclass(frozen=True)
class Solution:
    """A plan before rounding, in the user's units.

    Parameters
    ----------
    spend : (n, plan periods) float [currency]
    objective, bound : float [objective]
    prices : (limits,) float [objective per unit of the limit]  of the limits of `problem`
    problem : Problem  with its choices of channels fixed, if it had any
    opened : (n,) bool, or None  channels that are used, where opening costs something
    grid : (n, periods, k) float, or None  normalised stocks between which the programme was straight
    method : str  "exact", "linear", "integer", "draws" or "s-shaped"
    risk : Risk, or None  the draws that the objective is over
    """

    spend: Floats
    objective: float
    bound: float
    prices: Floats
    problem: Problem
    opened: Floats | None = None
    grid: Floats | None = None
    method: str = "exact"
    risk: Risk | None = None

    def value(self, whole: Floats) -> float:
        """The objective of a spend over all periods, without opening costs."""
        problem = self.problem
        if self.risk is None:
            return problem.value(whole)
        return worst_mean(self.outcomes(whole), self.risk.share)

    def outcomes(self, whole: Floats) -> Floats:
        """The objective of a spend on each draw."""
        assert self.risk is not None
        values = np.asarray(draw_values(self.risk.draws, self.problem.worth, self.problem.exposure(whole)))
        return values - float((self.problem.charge * whole).sum())

    def replies(self, whole: Floats) -> Floats:
        """Response of each channel and period to a spend; the mean over draws."""
        if self.risk is None:
            return self.problem.replies(whole)
        draws, bought = self.risk.draws, self.problem.exposure(whole)
        return np.asarray(sum(respond(draws.form, draws.scale[d], draws.half[d], draws.shape[d],
                                      carry(bought, draws.carryover[d], draws.carry_in[d]))
                              for d in range(len(draws.scale)))) / len(draws.scale)

    def marginals(self, whole: Floats) -> Floats:
        """Derivative of the objective to each spend (n, periods), later periods included."""
        problem = self.problem
        if self.risk is None:
            return problem.marginals(whole)
        weights = smooth_weights(self.outcomes(whole), self.risk.share, self.risk.smoothing)[1]
        rise = weigh_slopes(self.risk.draws, problem.worth, problem.exposure(whole), weights)[0]
        return problem.per_spend(np.asarray(rise), whole) - problem.charge

    @property
    def gap(self) -> float:
        """How far the plan may be from the best: (bound − objective) / max(|bound|, gross response)."""
        gross = float((self.problem.worth * self.replies(self.whole)).sum())
        return max(0.0, self.bound - self.objective) / (max(abs(self.bound), gross) or 1.0)

    @property
    def whole(self) -> Floats:
        """The spend with the periods after the plan, in which nothing is spent."""
        spend = np.zeros(self.problem.shape)
        spend[:, :self.spend.shape[1]] = self.spend
        return spend


def solve(problem: Problem, gap: float, deadline: float, currency: str = "CNY", risk: Risk | None = None,
          starts: Sequence[Floats] = ()) -> Solution:
    """The best plan and its proof.

    Parameters
    ----------
    problem : Problem  in the user's units; on the first draw, if there are several
    risk : Risk, or None  the draws, in the same units
    starts : (n, periods) float [currency]  plans to improve on where curves are S-shaped
    gap : float  to stop at, relative to the bound
    deadline : float [second]  on the monotonic clock; the best plan until then is returned

    Raises
    ------
    InfeasibleError  naming the limits that contradict each other
    UsageError  for curves that this cannot answer
    """
    curves = problem.curves
    _check_together(problem, risk)
    if (curves.floor > curves.cap * (1.0 + 1e-12)).any() or \
            (problem.is_plain and float(curves.floor.sum()) > problem.budget * (1.0 + 1e-12)):
        raise explain(problem, currency)
    if problem.is_s_shaped and problem.is_plain:
        return _solve_s_shaped(problem, gap, deadline, starts)
    normal, units = normalise(problem)
    if problem.is_s_shaped:
        return _solve_branching(problem, normal, units, gap, deadline, currency, starts)
    if risk is not None:
        found = solve_draws(normal, risk.scaled(units.money, units.reply), risk.share, gap, deadline)
        if found is None:
            raise explain(problem, currency)
        return replace(_restore(found, problem, units), method="draws", risk=risk)
    if not problem.has_integers:
        large = not problem.is_plain and SEGMENTS * problem.worth.size > LARGE
        with WatchedSolver() if large else nullcontext(Solver()) as solver:
            plan = solve_continuous(normal, gap, deadline, solver)
        if plan is None:
            raise explain(problem, currency)
        return _restore(plan, problem, units)
    with WatchedSolver() as watched:
        chosen = solve_choices(normal, gap, deadline, watched)
    if chosen is None:
        raise explain(problem, currency)
    fixed = fix_choices(problem, chosen.is_open, chosen.is_core)
    return replace(_restore(chosen.plan, fixed, units), opened=chosen.is_open.astype(float), method="integer")


def _check_together(problem: Problem, risk: Risk | None) -> None:
    """Refuse what no method here can prove."""
    if problem.is_s_shaped and risk is not None:
        raise UsageError(Fault("allocate", "shape", f"{problem.curves.shape.max():g}", "is S-shaped (> 1), which "
                               "cannot be planned together with draws", "Use shapes up to 1, or drop the others."))
    if risk is not None and (problem.has_integers or problem.has_replies):
        raise UsageError(Fault("allocate", "draw", f"{len(risk.draws.scale)} draws", "cannot be planned together with "
                               "opening costs, core channels, roi, cac, cash or stock", "Use one draw, or drop these."))


def _solve_s_shaped(problem: Problem, gap: float, deadline: float, starts: Sequence[Floats]) -> Solution:
    """By the certified search for curves that are not concave."""
    from omnisim.optimise.nonconcave import solve_nonconcave

    found = solve_nonconcave(problem.weighted, problem.budget, charge=problem.charge, gap=gap,
                             time_limit=max(0.1, deadline - time.monotonic()), starts=starts)
    return Solution(found.spend[:, :problem.plan_periods], found.objective, found.bound, np.array([found.price]),
                    problem, method="s-shaped")


def _solve_branching(problem: Problem, normal: Problem, units: Units, gap: float, deadline: float, currency: str,
                     starts: Sequence[Floats]) -> Solution:
    """By branch and bound over ranges of stock."""
    from omnisim.optimise.branching import solve_branching

    found = solve_branching(normal, gap, deadline, [start / units.money for start in starts])
    if found is None:
        raise explain(problem, currency)
    if found is False:
        raise UsageError(Fault("allocate", "limits", "", "were kept by no plan that was found, nor shown to contradict "
                               "each other", "Give it a longer time limit, or relax roi, cac, cash or stock."))
    fixed = fix_choices(problem, found.is_open, found.is_core) if problem.has_integers else problem
    opened = found.is_open.astype(float) if problem.has_integers else None
    return replace(_restore(found.plan, fixed, units), opened=opened, method="s-shaped")


def _restore(plan: Programmed, problem: Problem, units: Units) -> Solution:
    """The plan of a normalised problem in the user's units."""
    scales = np.array([row_scale(limit, units) for limit in problem.limits])
    return Solution(plan.spend[:, :problem.plan_periods] * units.money, plan.objective * units.value,
                    plan.bound * units.value, plan.prices * units.value / scales, problem, grid=plan.grid,
                    method="exact" if plan.grid is None else "linear")


def least_spend(problem: Problem, target: float, gap: float, deadline: float, currency: str,
                risk: Risk | None = None) -> Solution:
    """The plan that reaches a response for the least spend.

    Parameters
    ----------
    problem : Problem  that maximises the response; its budget is a first guess
    target : float [response]

    Returns
    -------
    Solution  with the spend as objective and bound (no plan that reaches the target spends less), prices in response

    Notes
    -----
    The best response V is concave in the budget, and the shadow price is its slope: Newton steps B + (target − V) / V'
    rise to the least budget, and every one of them, with the bound in the place of V, is a bound from below. With
    S-shaped curves V only rises: a budget whose bound misses the target is one from below, and the rest is halved.
    """
    budget, bound, low = problem.budget, 0.0, 0.0
    best: Solution | None = None
    high = math.inf
    most = np.where(problem.curves.form[:, None] == POWER, math.inf, problem.curves.scale)
    if float(most.sum()) < target:
        raise _out_of_reach(target, float(most.sum()))
    for _ in range(TARGET_ROUNDS):
        found = solve(problem.with_budget(budget), 0.1 * gap, deadline, currency, risk)
        price = float(next(p for p, limit in zip(found.prices, found.problem.limits, strict=True)
                           if limit.name == TOTAL))
        spent = float(found.spend.sum())
        if found.objective >= target:
            if best is None or spent < best.spend.sum():
                best = found
            high = min(high, budget)
        else:
            low = max(low, budget)
        if problem.is_s_shaped:
            bound = max(bound, budget if found.bound < target else 0.0)
            price = 0.0 if math.isfinite(high) else price
            if found.bound < target and spent < budget * (1.0 - 1e-6):
                raise _out_of_reach(target, found.bound)
        elif price > 0.0:
            bound = max(bound, budget + (target - found.bound) / price)
        elif found.bound < target:
            raise _out_of_reach(target, found.objective)
        if best is not None and float(best.spend.sum()) - bound <= gap * float(best.spend.sum()):
            break
        step = budget + (target * (1.0 + 1e-13) - found.objective) / price if price > 0.0 else 2.0 * budget
        if not low < step < high:
            step = 0.5 * (low + high) if math.isfinite(high) else 2.0 * budget
        elif found.objective < target:  # Newton comes from below; a hair above the target ends the search
            step = min(step + 0.2 * gap * step, 0.5 * (step + high)) if math.isfinite(high) else step * (1 + 0.2 * gap)
        budget = step
        if time.monotonic() > deadline and best is not None:
            break
    if best is None:
        raise UsageError(Fault("allocate", "target", f"{target:g}", "was not reached", "Lower the target."))
    return replace(best, objective=float(best.spend.sum()), bound=min(bound, float(best.spend.sum())))


def _out_of_reach(target: float, most: float) -> UsageError:
    return UsageError(Fault("allocate", "target", f"{target:g}", "is beyond reach: all money in the world brings "
                            f"{figure(most)} at most", "Lower the target, or relax the caps."))
