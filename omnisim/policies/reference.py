"""Full knowledge: the best budgets that were found by simulating the true scenario."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from omnisim.plan import Observation, Plan

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.optimise.curve_table import CurveTable
    from omnisim.scenario.model import Scenario


@dataclass
class Reference:
    """The best plan that a search on the true scenario found: a reference, not a bound.

    The search starts from the programme's plan and from today's, and moves money between two channels (or, unless
    `limits.spend_all`, out of one), the same on every day, as long as that raises the mean profit of some runs on luck
    of their own; then by half as much. It knows the future of the scenario, but not the luck of the runs that are
    compared; a policy that changes its budgets in time may beat it. It keeps all limits, those on response by the
    curves.

    Parameters
    ----------
    tries : int  plans simulated at most
    runs : int  replications of each
    """

    tries: int = 40
    runs: int = 2
    name: str = "reference"
    found: Plan | None = None
    knows_truth: ClassVar[bool] = True
    needs_curves: ClassVar[bool] = True

    def prepare(self, belief: Scenario, seed: int, curves: CurveTable | None = None) -> None:
        """Search the true scenario."""
        from omnisim.optimise.allocation import broken_limits
        from omnisim.optimise.prepare import prepare
        from omnisim.policies.programme import Once
        from omnisim.study.curves.search import Cents, Trial, climb

        today = Plan.today(belief).budgets
        observation = Observation(0, Plan(), _nothing, {name: cents[0] for name, cents in today.items()})
        once = Once(belief, curves)
        table, request = once.task(observation, {})
        problem, days = prepare(table, request), request.days
        trial = Trial(belief, table.channels, tuple(int(day) for day in np.cumsum(days) - days), seed, self.runs)
        starts: list[Cents] = [np.array([np.repeat(today[name], len(days)) for name in table.channels], np.int64)]
        planned = once.plan(observation, {})
        if planned is not None:
            starts.append(np.array([planned.budgets[name] for name in table.channels], np.int64))
        best = climb(trial, starts, tries=self.tries, spend_all=belief.limits.spend_all,
                     keeps=lambda budgets: not broken_limits(problem, budgets / 100.0 * days))
        self.found = trial.plan(best)

    def review(self, observation: Observation) -> Plan | None:
        """The plan found, from the first review on."""
        if observation.day >= observation.every or self.found is None:
            return None
        return observation.plan.with_budgets(self.found, observation.budgets)


def _nothing(table: str) -> pd.DataFrame:
    raise LookupError(table)
