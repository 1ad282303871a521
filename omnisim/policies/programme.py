"""Planned budgets: the best plan on curves of what was believed on the first day, and the same kept up to date."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from omnisim.errors import Fault, InfeasibleError, UsageError
from omnisim.plan import Observation, Plan

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.scenario.model import Scenario

PATIENCE = 3600.0
"""Seconds that a plan may take: none takes one, and a limit that is met would make the plan depend on the machine."""
LEAST_LEVEL, MOST_LEVEL = 0.2, 5.0
"""A channel is believed to have become worse or better by no more than this."""


@dataclass
class Once:
    """The best steady budgets on curves of the first day's belief, within the scenario's limits; then goes on.

    Curves are those that the belief declares (`curves`), else measured by simulating it, once, on luck of their own.
    The total is today's; what would not bring back its cost stays unspent, unless `limits.spend_all`.

    Parameters
    ----------
    belief : Scenario  with curves; by `prepare` unless given
    """

    belief: Scenario | None = None
    name: str = "lp_once"
    needs_curves: ClassVar[bool] = True
    """The belief that it is told must have curves: several policies then share what was measured."""

    def prepare(self, belief: Scenario, seed: int) -> None:
        """Learn what is believed, with its curves."""
        if self.belief is None:
            self.belief = belief

    def review(self, observation: Observation) -> Plan | None:
        """The plan, at the first review."""
        if observation.day >= observation.every:
            return None
        return self.plan(observation, {})

    def plan(self, observation: Observation, levels: Mapping[str, float]) -> Plan | None:
        """The best steady budgets, each curve's scale times its level.

        Raises
        ------
        UsageError  without a belief, or one without curves
        """
        from omnisim.optimise.allocation import Effort, allocate_table
        from omnisim.optimise.declared import declared_curves
        from omnisim.optimise.prepare import Objective, Request

        if self.belief is None or not self.belief.curves:
            raise UsageError(Fault("policy", self.name, "no curves", "needs curves of what is believed",
                                   "Run it through om.run or om.compare, or give the scenario a section curves."))
        held = {name: curve.model_copy(update={"carryover": 0.0, "scale": curve.scale * levels.get(name, 1.0)})
                for name, curve in self.belief.curves.items() if name in observation.budgets}
        days = np.ones(1)
        table = declared_curves(self.belief.model_copy(update={"curves": held}), days)
        limits = self.belief.limits.model_copy(update={"budget": None, "period_budgets": ()})
        usual = np.array([[self.belief.channels[name].budget] for name in table.channels])
        if not usual.sum():
            return None
        objective: Objective = "profit"
        if limits.spend_all:  # nothing is charged, so all that brings anything is spent, whatever the curves' shape
            limits, objective = limits.model_copy(update={"spend_all": False}), "response"
            margin = table.worths["margin"][:, None]
            table = replace(table, draws=(table.curves._replace(scale=table.curves.scale * margin),))
        request = Request(float(usual.sum()), days, objective, limits=limits, today=usual)
        try:
            found = allocate_table(table, request, Effort(gap=1e-4, time_limit=PATIENCE, cents=True))
        except InfeasibleError as error:
            observation.note(f"no plan within the limits: {error.faults[0]}")
            return None
        budgets = {name: int(found.daily_cents[c, 0]) for c, name in enumerate(table.channels)}
        observation.note(f"predicted {found.objective:,.0f} a day")
        return None if budgets == {name: observation.budgets[name] for name in budgets} else observation.spend(budgets)


@dataclass
class Rolling(Once):
    """The best steady budgets at each review, on the first day's curves re-levelled by what was observed since.

    A curve's level is what an impression brings now against the 90 days before the first review: clicks per
    impression times GMV per visit, or the former alone for a channel that sells nothing. Nothing is simulated.

    Parameters
    ----------
    window : int [day]  that is looked back on
    change : float [share]  least change of a channel's budget, relative to today's total, that is worth a new plan
    """

    window: int = 28
    change: float = 0.02
    name: str = "lp_rolling"
    base: pd.DataFrame | None = field(default=None, repr=False)

    def review(self, observation: Observation) -> Plan | None:
        """A new plan where it differs enough from the one in force."""
        if self.base is None:
            self.base = observation.recent(90)
            return self.plan(observation, {})
        levels = self.levels(observation.recent(self.window))
        observation.note("level " + ", ".join(f"{name} {level:.2f}" for name, level in levels.items()))
        new = self.plan(observation, levels)
        assert self.belief is not None
        least = self.change * 100.0 * sum(self.belief.channels[name].budget for name in observation.budgets)
        if new is None or all(abs(new.budgets[name][0] - cents) <= least for name, cents in observation.budgets.items()
                              if name in new.budgets):
            return None
        return new

    def levels(self, now: pd.DataFrame) -> dict[str, float]:
        """How much better or worse than at first each channel works: the ratio, drawn to 1 as far as it may be luck.

        Notes
        -----
        The log of a ratio of counts has a variance of the sum of their reciprocals; it is shrunk by
        max(0, 1 − variance / ratio²), as James and Stein (1961) would.
        """
        assert self.base is not None
        found = {}
        for name in now.index:
            then, here = self.base.loc[name], now.loc[name]
            log, variance = 0.0, 0.0
            for part, whole, weight in (("clicks", "impressions", "clicks"), ("gmv", "visits", "orders")):
                if min(then[part], here[part], then[whole], here[whole], then[weight], here[weight]) <= 0:
                    continue
                log += math.log(here[part] / here[whole]) - math.log(then[part] / then[whole])
                variance += 1.0 / here[weight] + 1.0 / then[weight]
            shrunk = log * max(0.0, 1.0 - variance / log**2) if log else 0.0
            found[str(name)] = min(MOST_LEVEL, max(LEAST_LEVEL, math.exp(shrunk)))
        return found

