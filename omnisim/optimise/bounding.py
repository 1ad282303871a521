"""What no plan can exceed while the channels' stocks stay within ranges: by linear programme, then channel by channel.

Any prices of the limits give a bound: Σ price · limit + Σ over channels of the most that each can earn at these prices
(Geoffrion 1974, "Lagrangean relaxation for integer programming"). Those of the linear programme over concave envelopes
are good ones; each channel then answers with its best schedule on the true curves, so the bound lies below the
programme's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np

from omnisim.optimise.curves import CurveArrays
from omnisim.optimise.integers import opening_weight
from omnisim.optimise.pieces import CLOSELY, buy, envelope, place_marks, tangents
from omnisim.optimise.problem import TOTAL, Problem
from omnisim.optimise.programme import assemble, first_grid, price_limits_in, refine, trade
from omnisim.optimise.schedule import ask_schedule, lay_grid
from omnisim.optimise.sigmoids import CLOSED, EITHER, OPEN
from omnisim.optimise.solver import Answer, Model, Solver, SolverError
from omnisim.optimise.watchdog import WatchedSolver
from omnisim.response import Floats, carry, respond

POINTS = (96, 512)
"""Fewest and most points of a channel's grid in a period."""
WORK = 120_000
"""Points of all grids together, where that leaves each its fewest and its most."""
LARGE = 40_000
"""Columns of a programme from which a process of its own solves it, so that time limits hold."""
ROOTS = 4
"""Programmes of the whole problem, with more tangents around the last one's plan each."""
SAFE = 1e-9
"""What a programme's value is raised by: the solver's own tolerance."""
ROUNDING = 1e-11
"""What the channels' bound is raised by, relative to the sum of its terms."""
SEARCH, NEARBY = 1.5, 0.1
"""How far, in logarithms, the price of the budget is searched for: at first, and around the last one found."""
TINY = 1e-7
"""Loss, relative to the bound, below which nothing is cut."""


@dataclass(frozen=True)
class Part:
    """One channel within ranges of its stock [currency], (periods,); whether it is open, and whether it is core."""

    low: Floats
    high: Floats
    state: int
    core: int
    grid: tuple[Floats, Floats] | None = field(default=None, compare=False)

    def within(self, t: int, low: float, high: float) -> Part:
        """With a narrower range in one period."""
        lows, highs = self.low.copy(), self.high.copy()
        lows[t], highs[t] = low, high
        return replace(self, low=lows, high=highs, grid=None)


class Relaxed(NamedTuple):
    """What is known of a range: its bound, the plan of its programme, and where that loses most."""

    bound: float
    spend: Floats
    stock: Floats
    worst: tuple[int, int]
    """channel and period to cut; period −1: open or closed, −2: core or not; channel −1: none"""
    schedules: tuple[Floats, ...] = ()


def whole_parts(problem: Problem) -> tuple[Part, ...]:
    """Every stock within bounds and budget."""
    n, periods = problem.shape
    can_close = (problem.opening_cost > 0.0) & (problem.curves.floor.sum(axis=1) == 0.0)
    return tuple(Part(np.zeros(periods), np.full(periods, np.inf), EITHER if can_close[c] else OPEN, EITHER)
                 for c in range(n))


class Relaxing:
    """Bounds ranges of one problem; a context, as large programmes are solved in a process of their own."""

    def __init__(self, problem: Problem, deadline: float) -> None:
        self.problem, self.deadline = problem, deadline
        n, periods = problem.shape
        curves = problem.curves
        self._points = int(np.clip(WORK // (n * periods), *POINTS))
        self._grid = first_grid(problem, np.geomspace(0.02, 4.0, 9))
        self._marks = None if problem.doubling is None else place_marks(problem, around=CLOSELY)
        self._bought: CurveArrays = curves._replace(floor=np.ascontiguousarray(problem.exposure(curves.floor)),
                                                    cap=np.ascontiguousarray(problem.exposure(curves.cap)))
        self._most = np.minimum(curves.cap.sum(axis=1), problem.budget)
        self._highest = first_grid(problem)[:, :, -1]
        self._forms = curves.form, curves.scale, curves.half, curves.shape
        # of a response: what it is worth, or, to limits on responses alone, little
        self._weight = np.maximum(problem.worth, 1e-3 * problem.worth.max() if problem.has_replies else 0.0)
        self._factor: float | None = None
        self._costly = np.flatnonzero(problem.opening_cost > 0.0)
        large = (self._grid.shape[2] + 20) * n * periods > LARGE
        self._solver: Solver | WatchedSolver = WatchedSolver() if large else Solver()

    def __enter__(self) -> Relaxing:
        return self

    def __exit__(self, *about: object) -> None:
        if isinstance(self._solver, WatchedSolver):
            self._solver.close()

    def refine_root(self, parts: tuple[Part, ...], tell: Callable[[Floats], None]) -> Relaxed | None:
        """The whole problem, with tangents added around the programme's plan; None where no plan keeps the limits.

        The first programme's plan is told at once: the others may take all the time there is.
        """
        best: Relaxed | None = None
        for turn in range(ROOTS):
            found = self.bound(parts)
            if found is None:
                return None
            if best is not None:
                found = found._replace(bound=min(found.bound, best.bound),
                                       schedules=(*best.schedules, *found.schedules))
            best = found
            if turn == 0:
                tell(found.spend)
            if turn + 1 == ROOTS or time.monotonic() > self.deadline:
                break
            near = refine(self.problem, found.stock, found.stock, 0.3 * 0.4 ** turn)
            self._grid = np.sort(np.concatenate([self._grid, near[:, :, 1:-1]], axis=2), axis=2)
            if self._marks is not None:
                near = place_marks(self.problem, found.spend, 0.1 * 0.4 ** turn, CLOSELY[:0])
                self._marks = np.sort(np.concatenate([self._marks, near], axis=2), axis=2)
        return best

    def bound(self, parts: tuple[Part, ...]) -> Relaxed | None:
        """The bound of a range; None where no plan keeps the limits in it."""
        problem = self.problem
        laid = [self._lay(c, part) for c, part in enumerate(parts)]
        if any(one is None for one in laid) or \
                (problem.core is not None and sum(part.core == OPEN for part in parts) > problem.core.most):
            return None
        grids = [one for one in laid if one is not None]
        low = np.stack([stock[:, 0] for stock, _ in grids])
        high = np.stack([np.minimum(stock[:, -1], most) for (stock, _), most in zip(grids, self._highest, strict=True)])
        high = np.maximum(high, low)
        return self._programme(parts, grids, low, high)

    def _lay(self, c: int, part: Part) -> tuple[Floats, Floats] | None:
        """Grid and raised curve of a channel in its ranges, of a unit of worth; None where no schedule fits."""
        if part.grid is None:
            periods = part.low.size
            stock, top = np.empty((periods, self._points)), np.empty((periods, self._points))
            low, high = part.low.copy(), np.minimum(part.high, np.maximum(self._highest[c], part.low))
            if not lay_grid(self._bought, c, low, high, stock, top):
                return None
            object.__setattr__(part, "grid", (stock, top))
        return part.grid

    def _programme(self, parts: tuple[Part, ...], grids: list[tuple[Floats, Floats]], low: Floats, high: Floats
                   ) -> Relaxed | None:
        problem, n = self.problem, len(parts)
        planned = problem.plan_periods
        grid = np.clip(self._grid, low[:, :, None], high[:, :, None])
        lines = envelope(problem, low, high)
        pieces = tangents(problem, np.concatenate([low[:, :, None], grid[:, :, 1:-1], high[:, :, None]], axis=2), lines)
        pieces = replace(pieces, start=low)
        bought = None if self._marks is None else buy(problem, self._marks, above=True)
        frame, at = assemble(problem, pieces, bought)
        costly = self._costly
        states = np.array([part.state for part in parts])
        opened = frame.add_columns(-problem.opening_cost[costly] * opening_weight(problem),
                                   np.where(states[costly] == OPEN, 1.0, 0.0),
                                   np.where(states[costly] == CLOSED, 0.0, 1.0))
        for k, c in enumerate(costly):
            row = frame.add_limit("<=", 0.0)
            frame.add_entries(row, at.spend[c, :planned], 1.0)
            frame.add_entries(row, opened[k], -self._most[c])
        for place, limit in zip(at.limits, problem.limits, strict=True):
            for c, value in zip(limit.channels, limit.opening, strict=True):
                if problem.opening_cost[c] > 0.0:
                    frame.add_entries(int(place), int(opened[int(np.flatnonzero(costly == c)[0])]), float(value))
        cores = core_rows = None
        if problem.core:
            kinds = np.array([part.core for part in parts])
            cores = frame.add_columns(np.zeros(n), np.where(kinds == OPEN, 1.0, 0.0),
                                      np.where(kinds == CLOSED, 0.0, 1.0))
            core_rows = frame.add_rows(np.full(n, -math.inf), np.full(n, problem.core.spend))
            frame.add_entries(core_rows[:, None], at.spend[:, :planned], 1.0)
            frame.add_entries(core_rows, cores, -np.maximum(0.0, self._most - problem.core.spend))
            frame.add_entries(frame.add_limit("<=", float(problem.core.most)), cores, 1.0)
        answer = self._solve(frame.model())
        if answer.status == "infeasible":
            return None
        if answer.status == "limit":
            most = respond(*self._forms, np.ascontiguousarray(high))
            return Relaxed(float((problem.worth * most).sum()), np.asarray(problem.curves.floor), low, (-1, 0))
        base = 0.0 if problem.has_replies else float((problem.worth * pieces.base).sum())
        core_prices = np.zeros(n) if core_rows is None else np.maximum(answer.duals[core_rows], 0.0)
        exact, schedule = self._price(parts, grids, answer.duals[at.limits], answer.duals[at.chain], core_prices)
        spend = np.clip(answer.values[at.spend], problem.curves.floor, problem.curves.cap)
        parted = answer.values[at.segment]
        stock, credit = low + parted.sum(axis=2), pieces.base + (pieces.slopes * parted).sum(axis=2)
        bound = min(answer.objective + base + SAFE * (1.0 + abs(base)), exact)
        true = np.asarray(respond(*self._forms, np.ascontiguousarray(stock)))
        loss = np.where(high - low > 1e-9 * (1.0 + high), self._weight * (credit - true), 0.0)
        choice = self._undecided(parts, spend, bound, (answer.values[opened],
                                                       None if cores is None else answer.values[cores]))
        cell: tuple[int, int] = divmod(int(np.argmax(loss)), loss.shape[1])
        lost, worst = max((float(loss[cell]), cell), choice)
        if lost <= TINY * abs(bound):
            worst = (-1, 0)
        return Relaxed(bound, spend, stock, worst, (schedule,))

    def _solve(self, model: Model) -> Answer:
        """The programme's answer; one that the solver gives no answer to counts as not solved in time."""
        try:
            return self._solver.solve(model, deadline=self.deadline)
        except SolverError:
            nothing = np.zeros(0)
            return Answer("limit", nothing, nothing, -math.inf, math.inf)

    def _undecided(self, parts: tuple[Part, ...], spend: Floats, price: float,
                   shares: tuple[Floats, Floats | None]) -> tuple[float, tuple[int, int]]:
        """The channel that is neither open nor closed, or neither core nor not, for which that counts most.

        Parameters
        ----------
        price : float [objective]  of the whole budget, about
        shares : (k,) float, (n,) float or None  how far channels are open, and core

        Returns
        -------
        what it is credited with, and the channel with −1 for open or −2 for core
        """
        problem, found = self.problem, (0.0, (-1, 0))
        for share, place in zip(shares[0].tolist(), self._costly.tolist(), strict=True):
            if parts[place].state == EITHER and 1e-7 < share < 1.0 - 1e-7:
                lost = float(problem.opening_cost[place]) * (1.0 - share) * (opening_weight(problem) + price)
                found = max(found, (lost, (place, -1)))
        if problem.core is None or shares[1] is None:
            return found
        for place, (share, total) in enumerate(zip(shares[1], spend.sum(axis=1), strict=True)):
            if parts[place].core == EITHER and 1e-7 < share < 1.0 - 1e-7 and total > problem.core.spend:
                lost = min(share, 1.0 - share) * (total - problem.core.spend) * price
                found = max(found, (lost, (place, -2)))
        return found

    def _price(self, parts: tuple[Part, ...], grids: list[tuple[Floats, Floats]], prices: Floats, worths: Floats,
               core_prices: Floats) -> tuple[float, Floats]:
        """As `_ask`; where opening costs something, at the best multiple of the budget's price.

        The programme spreads the cost of opening over all that a channel could spend, and so prices the budget too low.
        """
        if not len(self._costly):
            return self._ask(parts, grids, prices, worths, core_prices)
        total = [limit.name for limit in self.problem.limits].index(TOTAL)

        def at(ln_factor: float) -> tuple[float, Floats]:
            scaled = prices.copy()
            scaled[total] = max(prices[total], 1e-3) * math.exp(ln_factor)
            return self._ask(parts, grids, scaled, worths * math.exp(ln_factor), core_prices)

        reach = SEARCH if self._factor is None else NEARBY
        centre = self._factor or 0.0
        low, high = centre - reach, centre + reach
        best = min(at(0.0), at(centre), key=lambda one: one[0])
        while high - low > 0.03:
            left, right = low + 0.382 * (high - low), high - 0.382 * (high - low)
            at_left, at_right = at(left), at(right)
            low, high = (low, right) if at_left[0] < at_right[0] else (left, high)
            found = min(at_left, at_right, key=lambda one: one[0])
            best = min(best, found, key=lambda one: one[0])
        self._factor = 0.5 * (low + high)
        return best

    def _ask(self, parts: tuple[Part, ...], grids: list[tuple[Floats, Floats]], prices: Floats, worths: Floats,
             core_prices: Floats) -> tuple[float, Floats]:
        """The bound by what each channel earns at most at prices of the limits, and their schedules (n, periods).

        Parameters
        ----------
        prices : (limits,) float
        worths : (n, periods) float  of one more exposure, where its price rises
        core_prices : (n,) float  ≥ 0, of a channel's spend beyond what is no core's
        """
        problem, (n, periods) = self.problem, self.problem.shape
        curves, charge, bound = price_limits_in(problem, prices)
        weight = curves.scale / problem.curves.scale
        terms = abs(bound)
        charge[:, :problem.plan_periods] += core_prices[:, None]
        if problem.core:
            bound += float(core_prices.sum()) * problem.core.spend
            gain = core_prices * np.maximum(0.0, self._most - problem.core.spend)
            must = np.array([part.core == OPEN for part in parts])
            free = np.array([part.core == EITHER for part in parts])
            left = max(problem.core.most - int(must.sum()), 0)
            bound += float(gain[must].sum()) + float(np.sort(gain[free])[::-1][:left].sum())
        selling, surplus = charge, np.zeros((n, periods))
        if problem.doubling is not None:
            selling = np.ascontiguousarray(worths)
            _, spend = trade(problem, charge, selling)
            surplus = selling * problem.exposure(spend) - charge * spend
        fees = problem.opening_cost * opening_weight(problem)
        for price, limit in zip(prices, problem.limits, strict=True):
            if len(limit.opening) and not (limit.sense == "<=" and price < 0.0):
                fees[limit.channels] += price * limit.opening
        schedule = np.zeros((n, periods))
        for c, (part, (stock, top)) in enumerate(zip(parts, grids, strict=True)):
            idle = self._idle(c, weight[c])
            if part.state == CLOSED:
                bound += idle
                continue
            worth = float(ask_schedule(self._bought, c, np.ascontiguousarray(selling[c]), stock,
                                       np.ascontiguousarray(top * weight[c][:, None]), np.empty_like(top), schedule[c]))
            worth += float(surplus[c].sum()) - float(fees[c])
            terms += abs(worth) + abs(idle) + float(np.abs(selling[c]).sum())
            if part.state == EITHER and idle > worth:
                schedule[c] = 0.0
                worth = idle
            bound += worth
        return bound + ROUNDING * terms, schedule

    def _idle(self, c: int, weight: Floats) -> float:
        """What a closed channel earns: the response of what is carried in."""
        curves, one = self.problem.curves, slice(c, c + 1)
        stock = carry(np.zeros((1, len(weight))), curves.carryover[one], curves.carry_in[one])
        return float((weight * respond(curves.form[one], *(np.ascontiguousarray(part[one]) for part in (
            curves.scale, curves.half, curves.shape)), stock)[0]).sum())
