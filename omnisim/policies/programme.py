"""Planned budgets: the best plan on curves of what was believed on the first day, and the same kept up to date."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from omnisim.errors import Fault, InfeasibleError, UsageError
from omnisim.plan import Observation, Plan
from omnisim.policies.levels import BEFORE, Levels, stretches

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from omnisim.optimise.budget_plan import BudgetPlan
    from omnisim.optimise.curve_table import CurveTable
    from omnisim.optimise.prepare import Request
    from omnisim.scenario.allocation import Limits
    from omnisim.scenario.model import Scenario

PATIENCE = 3600.0
"""Seconds that a plan may take: none takes one, and a limit that is met would make the plan depend on the machine."""
GAP, ROUGH_GAP = 1e-4, 1e-2
"""To stop at: of concave curves, and of S-shaped ones."""


@dataclass
class Once:
    """The best budgets by channel and period on curves of the first day's belief, within the limits; then goes on.

    Curves are those that the belief declares (`curves`), else measured by simulating it, once, on luck of their own.
    They carry over from period to period, and measured ones follow the calendar. The total is `limits.budget`, or
    today's over all days; what would not bring back its cost stays unspent, unless `limits.spend_all`. Response after
    the last day counts for nothing.

    Parameters
    ----------
    belief : Scenario, curves : CurveTable  over the periods of its plan; by `prepare` unless given
    """

    belief: Scenario | None = None
    curves: CurveTable | None = field(default=None, repr=False)
    name: str = "lp_once"
    needs_curves: ClassVar[bool] = True
    """It must be told curves with the belief: several policies then share what was measured."""

    def prepare(self, belief: Scenario, seed: int, curves: CurveTable | None = None) -> None:
        """Learn what is believed, with its curves."""
        if self.belief is None:
            self.belief, self.curves = belief, curves

    def review(self, observation: Observation) -> Plan | None:
        """The plan, at the first review."""
        if observation.day >= observation.every:
            return None
        return self.plan(observation, {})

    def plan(self, observation: Observation, levels: Mapping[str, float], worth: float = 0.0) -> Plan | None:
        """The best budgets for the periods that begin from now on; None where the plan in force is as good.

        Parameters
        ----------
        levels : channel -> float  what each curve's scale is times from now on
        worth : float [share]  of what is expected in all: least gain over the plan in force that is worth a new one

        Raises
        ------
        UsageError  without a belief, or one without curves
        """
        from omnisim.optimise.allocation import Effort, allocate_table

        found = None
        for table, request in self.tasks(observation, levels):
            if not request.budget:
                return None
            gap = GAP if table.is_concave else ROUGH_GAP
            try:
                found = allocate_table(table, request, Effort(gap=gap, time_limit=PATIENCE, cents=True))
                break
            except InfeasibleError as error:
                why = error.faults[0]
        if found is None:
            observation.note(f"no plan within the limits: {why}")
            return None
        observation.note(f"predicted {found.objective:,.0f}")
        days = request.days
        starts = np.concatenate([[0], np.cumsum(days)[:-1]]).astype(int)
        force = _in_force(observation, table.channels, starts)
        if (found.daily_cents == force).all() or not _is_better(found, force / 100.0 * days, worth):
            return None
        first_days = tuple(int(day) for day in starts)
        budgets = {name: tuple(int(cents) for cents in line)
                   for name, line in zip(table.channels, found.daily_cents, strict=True)}
        return observation.plan.with_budgets(Plan(first_days, budgets), table.channels)

    def tasks(self, observation: Observation, levels: Mapping[str, float]) -> Iterator[tuple[CurveTable, Request]]:
        """What is to be solved; a later one where the limits leave no plan for those before."""
        yield self.task(observation, levels)

    def task(self, observation: Observation, levels: Mapping[str, float]) -> tuple[CurveTable, Request]:
        """What is to be solved: what was spent until now stays, the curves' scale times their levels from now on."""
        from omnisim.optimise.declared import declared_curves, open_periods, plan_days, today_spend
        from omnisim.optimise.prepare import Objective, Request

        belief = self.belief
        if belief is None or (self.curves is None and not belief.curves):
            raise UsageError(Fault("policy", self.name, "no curves", "needs curves of what is believed",
                                   "Run it through om.run or om.compare, or give the scenario a section curves."))
        days = plan_days(belief, None)
        table = _of(declared_curves(belief, days) if self.curves is None else self.curves, observation.budgets)
        limits = belief.limits if observation.limits is None else observation.limits
        usual = today_spend(belief, table.channels, days)
        budget = float(usual.sum()) if limits.budget is None else limits.budget * float(days.sum())
        starts = np.concatenate([[0], np.cumsum(days)[:-1]])
        past = starts < observation.day
        spent = np.where(past, _in_force(observation, table.channels, starts) / 100.0 * days, 0.0)
        level = np.array([[levels.get(name, 1.0)] for name in table.channels])
        one = table.curves
        one = one._replace(scale=one.scale * np.where(past, 1.0, level), floor=np.where(past, spent, one.floor),
                           cap=np.where(past, spent, one.cap))
        objective: Objective = "profit"
        if limits.spend_all and not _needs_response(limits):
            # nothing is charged, so all that brings anything is spent, whatever the curves' shape
            limits, objective = limits.model_copy(update={"spend_all": False}), "response"
            one = one._replace(scale=one.scale * table.worths["margin"][:, None])
        known = {name: limit for name, limit in limits.channels.items() if name in table.channels}
        return replace(table, draws=(one,)), Request(
            budget, days, objective, limits=limits.model_copy(update={"budget": None, "channels": known}),
            opens=open_periods(belief.model_copy(update={"limits": limits}), days), today=usual)


@dataclass
class Rolling(Once):
    """The best budgets at each review, on the first day's curves re-levelled by what was observed since.

    A curve's level is the share of the people reached who click, now against the 90 days before the first review, less
    what the calendar explains (`Levels`). Nothing is simulated. Sales are left out: they come from visits of all
    origins, follow what other channels and the plan itself have done, and do not tell what the money of this channel
    brings. A channel whose visitors buy less is therefore not seen. A channel that is not worth its money keeps just so
    much that its clicks still tell when it becomes so, as far as the limits allow.

    Parameters
    ----------
    window : int [day]  that is looked back on, more than a week
    notice : float [relative]  least change of a level, since the last plan, that is worth planning for; never less than
        the level's standard error
    change : float [share]  of what is expected in all: least gain that is worth a new plan
    watch : int [click]  that each channel is to bring in a window: 25 tell its level within a fifth
    """

    window: int = 28
    notice: float = 0.02
    change: float = 0.001
    watch: int = 25
    name: str = "lp_rolling"
    levels: Levels | None = field(default=None, repr=False)
    planned: dict[str, float] = field(default_factory=dict, repr=False)

    def review(self, observation: Observation) -> Plan | None:
        """A new plan where it is expected to bring enough more than the one in force."""
        if self.levels is None:
            if self.belief is not None:
                [base] = stretches(observation, self.belief, (BEFORE, 0))
                self.levels = Levels(self.belief, self.window, base)
            return self.plan(observation, {})
        levels = self.levels.look(observation)
        observation.note("level " + ", ".join(f"{name} {level:.2f}" for name, level in levels.items()))
        if not self.levels.is_news(self.planned, self.notice):
            return None
        self.planned = levels
        return self.plan(observation, levels, self.change)

    def tasks(self, observation: Observation, levels: Mapping[str, float]) -> Iterator[tuple[CurveTable, Request]]:
        """With what watching takes, and without."""
        table, request = self.task(observation, levels)
        if self.levels is not None:
            one, limits = table.curves, request.limits.channels
            watched = {name: money for name, money in zip(observation.budgets, self.levels.watch(self.watch).tolist(),
                       strict=True) if name not in limits or not limits[name].opening_cost}
            least = np.array([[watched.get(name, 0.0)] for name in table.channels]) * request.days
            one = one._replace(floor=np.minimum(np.maximum(one.floor, least), one.cap))
            yield replace(table, draws=(one,)), request
        yield table, request


def _is_better(found: BudgetPlan, force: NDArray[np.float64], worth: float) -> bool:
    """Whether a plan is expected to bring enough more than the one in force, which may not keep the limits."""
    from omnisim.optimise.allocation import broken_limits

    problem, value = found.solution.problem, found.solution.value
    gross = float((problem.worth * found.solution.replies(found.spend)).sum())
    return bool(broken_limits(problem, force)) or value(found.spend) - value(force) > worth * gross


def _in_force(observation: Observation, channels: tuple[str, ...], starts: NDArray[np.floating]) -> NDArray[np.int64]:
    """Budgets of the plan in force in each period (n, periods) [cents/day]."""
    plan, usual = observation.plan, observation.usual or observation.budgets
    return np.array([[usual[name] if (cents := plan.budget_on(name, int(day))) is None else cents for day in starts]
                     for name in channels])


def _of(table: CurveTable, names: Mapping[str, object]) -> CurveTable:
    """The curves of some channels."""
    kept = [c for c, name in enumerate(table.channels) if name in names]
    if len(kept) == len(table.channels):
        return table
    one = table.curves
    mine = type(one)(one.form[kept], *(part[kept] for part in one[1:]))
    return replace(
        table, channels=tuple(table.channels[c] for c in kept), draws=(mine,),
        worths={name: values[kept] for name, values in table.worths.items()},
        places=tuple(table.places[c] for c in kept),
        doubling=None if table.doubling is None else table.doubling[kept])


def _needs_response(limits: Limits) -> bool:
    """Whether a limit speaks of response, whose unit must then not be changed."""
    return any(one is not None for one in (limits.roi, limits.cac, limits.cash, limits.stock)) or any(
        one.roi is not None or one.cac is not None for one in limits.channels.values())
