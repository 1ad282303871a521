"""Plans for many draws of the curves: the best mean, or the best mean of the worst draws (CVaR), with a bound.

The mean of the worst share ρ of D draws is the least Σ q Z over weights 0 ≤ q ≤ 1 / (ρ D) that sum to 1 (Rockafellar &
Uryasev 2000). For any such weights, Σ q Z(x) is concave in the spend, and at most its tangent at any plan y: a bound on
all plans. A plan climbs by curves that have the same slope and bend as the weighted draws at the plan so far, which the
exact method solves; the weights are smoothed less and less as it climbs.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnisim.optimise.assembly import Assembly
from omnisim.optimise.curves import CurveArrays
from omnisim.optimise.draws import TINY, draw_values, weigh_slopes
from omnisim.optimise.problem import Problem
from omnisim.optimise.programme import Programmed, solve_continuous
from omnisim.optimise.solver import Solver
from omnisim.response import HILL, POWER, Floats, carry

ROUNDS = 400
"""Climbing steps at most."""
PROBES = (1.0, 0.5, 0.25, 0.1, 0.03, 0.01)
"""Step lengths tried."""
POOL = 80
"""Plans that mixtures are made of."""
SMOOTH = 0.3
"""Smoothing of the weights at the start, in standard deviations of the draws."""


@dataclass(frozen=True)
class Risk:
    """The draws that a plan is for, and how many of the worst of them count.

    Parameters
    ----------
    draws : CurveArrays  with an axis of draws in front of each field but form, floor and cap
    share : float  of draws that count, the worst; 1 for the mean of all
    smoothing : float [objective]  of the weights that marginals are computed with
    """

    draws: CurveArrays
    share: float = 1.0
    smoothing: float = 0.0

    def scaled(self, money: float, reply: float) -> CurveArrays:
        """The draws in units of money and response."""
        draws = self.draws
        return draws._replace(scale=draws.scale / reply, half=draws.half / money, carry_in=draws.carry_in / money)


def stack_draws(draws: Sequence[CurveArrays], periods: int, last: int) -> CurveArrays:
    """Draws as one set of arrays with an axis of draws in front; they go on to `periods` with the scale of `last`.

    The forms are those of the first draw; the table holds them the same in all.
    """
    def stacked(field: str, last: int = -1) -> Floats:
        whole = np.stack([getattr(draw, field) for draw in draws])
        if whole.ndim == 3 and whole.shape[2] < periods:
            more = np.repeat(whole[:, :, [last]], periods - whole.shape[2], axis=2)
            whole = np.concatenate([whole, more], axis=2)
        return np.ascontiguousarray(whole)

    return CurveArrays(draws[0].form, stacked("scale", last), stacked("half"), stacked("shape"), stacked("carryover"),
                       stacked("carry_in"), draws[0].floor, draws[0].cap)


def worst_mean(values: Floats, share: float) -> float:
    """Mean of the worst share of draws, one of them in part."""
    ordered = np.sort(values)
    weights = np.clip(share * len(values) - np.arange(len(values)), 0.0, 1.0)
    return float((weights * ordered).sum() / (share * len(values)))


def smooth_weights(values: Floats, share: float, smoothing: float) -> tuple[float, Floats]:
    """The least Σ q Z + smoothing · D / 2 · Σ (q − 1/D)², and its weights q."""
    count = len(values)
    even, most = 1.0 / count, 1.0 / (share * count)
    if share >= 1.0:
        return float(values.mean()), np.full(count, even)
    smoothing = max(smoothing, 1e-9 * float(np.abs(values).max()))
    low, high = float(values.min()) - smoothing * count, float(values.max()) + smoothing * count
    for _ in range(100):
        level = 0.5 * (low + high)
        weights = np.clip(even - (values - level) / (smoothing * count), 0.0, most)
        low, high = (level, high) if weights.sum() < 1.0 else (low, level)
    weights /= weights.sum()
    weights = np.minimum(weights, most)
    return float(weights @ values + 0.5 * smoothing * count * ((weights - even) ** 2).sum()), weights


def solve_draws(problem: Problem, draws: CurveArrays, share: float, gap: float, deadline: float) -> Programmed | None:
    """The plan with the best mean of the worst draws; None where no plan keeps the limits.

    Parameters
    ----------
    problem : Problem  normalised, concave, without integers and without limits on responses; on the first draw
    draws : CurveArrays  with an axis of draws in front, in the same units
    share : float  of draws that count, the worst; 1 for the mean of all
    gap : float  relative to the bound
    deadline : float [second]  on the monotonic clock
    """
    start = solve_continuous(problem, 1e-4, deadline, Solver())
    if start is None:
        return None
    climb = _Climb(problem, draws, share, start, deadline)
    for climbing in (climb.smoothed, climb.mixed):
        for _ in range(ROUNDS):
            moved = climbing()
            if climb.bound - climb.best[0] <= gap * abs(climb.bound) or time.monotonic() > deadline:
                return climb.answer()
            if not moved:
                break
    return climb.answer()


class _Climb:
    """A plan that climbs, the best so far, and the bound on all.

    `smoothed` steps raise the smoothed mean of the worst draws. Where few draws decide, the weights jump at the best
    plan, and `mixed` steps take over: the weights that are least kind to all mixtures of the plans tried so far.
    """

    def __init__(self, problem: Problem, draws: CurveArrays, share: float, start: Programmed, deadline: float) -> None:
        self.problem, self.draws, self.share, self.deadline = problem, draws, share, deadline
        self.bound, self.prices = math.inf, start.prices
        self.best: tuple[float, Floats] = (-math.inf, start.spend)
        self._plans: list[Floats] = []
        self._values: list[Floats] = []
        self._spend, self._gains = start.spend, self._try(start.spend)
        self._smoothing = max(SMOOTH * float(self._gains.std()), 1e-6)
        self._weights = np.full(len(self._gains), 1.0 / len(self._gains))
        self._stalled = 0

    def answer(self) -> Programmed:
        """The best plan, its bound and prices."""
        return Programmed(self.best[1], self.best[0], max(self.bound, self.best[0]), self.prices, None, 0)

    def _try(self, spend: Floats) -> Floats:
        """Gain of a plan on each draw; the plan joins those tried, and is the best if it is better."""
        gains = np.asarray(draw_values(self.draws, self.problem.worth, self.problem.exposure(spend)))
        gains -= float((self.problem.charge * spend).sum())
        self._plans.append(spend)
        self._values.append(gains)
        if len(self._plans) > POOL:
            del self._plans[0], self._values[0]
        level = worst_mean(gains, self.share)
        if level > self.best[0]:
            self.best = level, spend
        return gains

    def _towards(self, spend: Floats, gains: Floats, weights: Floats) -> Floats | None:
        """Where curves like the weighted draws lead to; the bound by the same weights is noted."""
        problem = self.problem
        marginal, steep, bend = weigh_slopes(self.draws, problem.worth, problem.exposure(spend), weights)
        rise = problem.per_spend(np.asarray(marginal), spend) - problem.charge
        reach, prices = _reach(problem, rise)
        found = float(weights @ gains) + reach - float((rise * spend).sum())
        if found < self.bound:
            self.bound, self.prices = found, prices
        alike = _resemble(problem, self.draws, weights, spend, (marginal, steep, bend))
        accuracy = 1e-8 / max(1.0, abs(alike.value(spend)))  # such curves may count from far below
        plan = solve_continuous(alike, accuracy, self.deadline, Solver())
        return None if plan is None else plan.spend

    def smoothed(self) -> bool:
        """One step with smoothed weights; whether it is worth another."""
        level, weights = smooth_weights(self._gains, self.share, self._smoothing)
        there = self._towards(self._spend, self._gains, weights)
        self._smoothing = max(0.8 * self._smoothing, 1e-7)
        if there is None or self._stalled > 3:
            return False
        found: tuple[float, Floats, Floats] | None = None
        for length in PROBES:
            plan = self._spend + length * (there - self._spend)
            gains = self._try(plan)
            reached = smooth_weights(gains, self.share, self._smoothing)[0]
            if found is not None and reached <= found[0]:
                break  # the smoothed level is concave along the way
            if reached > level:
                found = reached, plan, gains
        self._stalled = self._stalled + 1 if found is None or found[0] - level < 1e-5 * abs(level) else 0
        if found is not None:
            _, self._spend, self._gains = found
        return True

    def mixed(self) -> bool:
        """One step with the weights that are least kind to mixtures of the plans tried; whether it is worth another."""
        weights, shares = _least_kind(np.array(self._values), self.share)
        spend = sum((part * plan for part, plan in zip(shares, self._plans, strict=True)), np.zeros(self.problem.shape))
        gains = self._try(spend)
        for blend in (1.0, 0.5):  # weights that jump less bound better
            self._weights = blend * weights + (1.0 - blend) * self._weights
            there = self._towards(spend, gains, self._weights)
            if there is None:
                return False
            self._try(there)
            self._try(0.5 * (there + spend))
        return True


def _least_kind(values: Floats, share: float) -> tuple[Floats, Floats]:
    """Weights of draws that make the best of several plans (plans, draws) worth least, and the best mixture of plans.

    min over q of max over plans of Σ q Z: a linear programme whose shadow prices are the mixture.
    """
    plans, count = values.shape
    unit = float(np.abs(values).max()) or 1.0
    frame = Assembly()
    weights = frame.add_columns(np.zeros(count), 0.0, 1.0 / (share * count))
    level = frame.add_columns(-np.ones(1), -math.inf, math.inf)
    rows = frame.add_rows(np.full(plans, -math.inf), np.zeros(plans))
    frame.add_entries(rows[:, None], weights[None, :], values / unit)
    frame.add_entries(rows, level, -1.0)
    frame.add_entries(frame.add_limit("==", 1.0), weights, 1.0)
    answer = Solver().solve(frame.model())
    shares = np.maximum(answer.duals[rows], 0.0)
    return np.maximum(answer.values[weights], 0.0), shares / shares.sum()


def _resemble(problem: Problem, draws: CurveArrays, weights: Floats, spend: Floats,
              slopes: tuple[Floats, Floats, Floats]) -> Problem:
    """The problem on one curve a channel and period that resembles the weighted draws near a plan.

    Curves of the same form and mean shape with the same slope and bend in the stock of mean carry-over. What their
    marginals still differ by is charged.
    """
    marginal, steep, bend = slopes
    lasting, carried = weights @ draws.carryover, weights @ draws.carry_in
    stock = np.maximum(np.asarray(carry(problem.exposure(spend), lasting, carried)), TINY)
    steep = np.maximum(steep, 1e-12)
    lean = bend * stock / steep  # the elasticity of the slope
    later = np.concatenate([marginal[:, 1:], np.zeros_like(marginal[:, :1])], axis=1)
    # slopes that give these marginals by mean carry-over
    steep = np.maximum(marginal - lasting[:, None] * later, 0.1 * steep)
    form = draws.form[:, None]
    power = np.clip(1.0 + lean, 0.05, 1.0)
    mean, middle = (np.einsum("d,dct->ct", weights, part) for part in (draws.shape, draws.half))
    # a hill curve has slope elasticity shape · (1 − z) / (1 + z) − 1, z = (stock / half)^shape: far below its half it
    # is a power curve, elsewhere the mean shape leaves the half to be chosen
    is_low = stock < 0.05 * middle
    mean = np.where(is_low, power, np.minimum(mean, 1.0))
    below = np.clip((mean - 1.0 - lean) / mean, 1e-9, 2.0 - 1e-9)
    z = np.where(is_low, (stock / middle) ** mean, below / (2.0 - below))
    half = np.where(form == HILL, stock * z ** (-1.0 / mean), np.where(form == POWER, stock,
                                                                    np.clip(-steep / np.minimum(bend, -1e-300),
                                                                            stock / 8.0, 1e12)))
    shape = np.where(form == HILL, mean, np.where(form == POWER, power, 1.0))
    scale = np.where(form == HILL, steep * stock * (1.0 + z) ** 2 / (mean * z), np.where(
        form == POWER, steep * stock / power, steep * half * np.exp(np.minimum(stock / half, 8.0))))
    curves = CurveArrays(draws.form, scale, half, shape, lasting, carried, problem.curves.floor, problem.curves.cap)
    chained = steep.copy()
    for t in range(steep.shape[1] - 2, -1, -1):
        chained[:, t] += lasting * chained[:, t + 1]
    charge = problem.charge + problem.per_spend(chained - marginal, spend)
    return replace(problem, curves=curves, worth=np.ones_like(steep), charge=charge)


def _reach(problem: Problem, marginal: Floats) -> tuple[float, Floats]:
    """The most that Σ marginal · spend can be within bounds and limits, and the prices of the limits."""
    frame = Assembly()
    spend = frame.add_columns(marginal, problem.curves.floor, problem.curves.cap)
    rows = []
    for limit in problem.limits:
        row = frame.add_limit(limit.sense, limit.value)
        rows.append(row)
        frame.add_entries(row, spend[:, :problem.plan_periods].ravel()[limit.cells], limit.spend)
    answer = Solver().solve(frame.model())
    return (answer.objective, answer.duals[rows]) if answer.status == "optimal" else (math.inf, np.zeros(len(rows)))
