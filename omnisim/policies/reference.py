"""Full knowledge: the best steady budgets that were found by simulating the true scenario."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar

from omnisim.plan import Observation, Plan, to_cents

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.scenario.model import Scenario


@dataclass
class Reference:
    """The best plan of steady budgets that a search on the true scenario found: a reference, not a bound.

    The search starts from the linear programme's plan and from today's, and moves money between two channels (or,
    unless `limits.spend_all`, out of one) as long as that raises the mean profit of some runs on luck of their own;
    then by half as much. It knows the future of the scenario, but not the luck of the runs that are compared; a policy
    that changes its budgets in time may beat it. Floors, caps and other limits are not kept.

    Parameters
    ----------
    tries : int  plans simulated at most
    runs : int  replications of each
    """

    tries: int = 40
    runs: int = 2
    name: str = "reference"
    budgets: dict[str, int] = field(default_factory=dict)
    knows_truth: ClassVar[bool] = True
    needs_curves: ClassVar[bool] = True

    def prepare(self, belief: Scenario, seed: int) -> None:
        """Search the true scenario."""
        from omnisim.policies.programme import Once
        from omnisim.study.search import Trial, climb

        today = {name: to_cents(channel.budget) for name, channel in belief.channels.items() if channel.active}
        planned = Once(belief).plan(Observation(0, Plan(), _nothing, today), {})
        starts = [today, *([{name: planned.budgets[name][0] if name in planned.budgets else cents
                             for name, cents in today.items()}] if planned else [])]
        self.budgets = climb(Trial(belief, seed, self.runs), starts, tries=self.tries,
                             spend_all=belief.limits.spend_all)

    def review(self, observation: Observation) -> Plan | None:
        """The plan found, from the first review on."""
        if observation.day >= observation.every:
            return None
        return observation.spend({name: self.budgets[name] for name in observation.budgets if name in self.budgets})


def _nothing(table: str) -> pd.DataFrame:
    raise LookupError(table)
