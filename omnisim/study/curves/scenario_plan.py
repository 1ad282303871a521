"""A budget plan for a scenario: measured, planned, and held against a simulation on luck that nobody has seen.

Curves are measured around today's plan, a channel at a time, and add up; channels do not quite. What is predicted is
therefore what the whole plan gains when it is run on the luck that the curves were measured by. Where the curves do not
come to that, or a simulation on fresh luck does not, they are measured again around the plan, where they then hold, and
the plan is made anew.
"""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.measure.intervals import student
from omnisim.optimise.budget_plan import BudgetPlan
from omnisim.optimise.curves import whole_period
from omnisim.optimise.draws import draw_values
from omnisim.optimise.risk import stack_draws
from omnisim.plan import Plan, to_cents
from omnisim.response import Floats
from omnisim.scenario.model import Scenario
from omnisim.study.curves.measured_curves import MeasuredCurves
from omnisim.study.curves.measured_tables import standard_errors
from omnisim.study.curves.probes import MONEY, Base, count, value_orders
from omnisim.study.curves.trials import Advance, find_trials

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

CONFIRMING = 9_000
"""First replication of the runs that confirm a plan: luck that nothing was measured by."""
BARE = "profit before content, labour and fixed fees"
SIMULATED = {"profit": BARE, "present_value": BARE, "equity": f"{BARE}, with customer equity", "awareness": "awareness",
             "loyalty": "loyalty"}
"""What is simulated for an objective; GMV for all others."""
NEAR = 0.02
"""Share of the gain by which what the curves add up to may miss it before they are measured again."""


@dataclass(frozen=True)
class Confirmation:
    """A plan simulated against today's, on the same luck in each pair.

    Parameters
    ----------
    gains : (replications,) float [objective]  of the plan over today's
    today : float [objective]  under today's plan, mean; profit before content, labour and fixed fees
    expected : (replications,) float [objective]  gains of the same plan on the luck that its curves were measured by;
        empty without measured curves
    by_curves : float [objective]  gain that the curves add up to; NaN without measured ones
    objective : str
    alike : (replications,) float [objective]  gains on other luck of the market that was measured: like `expected`
        but for the luck, so that both tell how much a gain varies there
    days, fade : int [day]  planned, and after them, in which today's budgets hold again and effects still arrive
    """

    gains: Floats
    today: float
    expected: Floats
    by_curves: float
    objective: str
    alike: Floats = field(default_factory=lambda: np.zeros(0))
    days: int = 0
    fade: int = 0

    @property
    def gain(self) -> float:
        """Mean gain [objective]."""
        return float(self.gains.mean())

    @property
    def se(self) -> float:
        """Its standard error."""
        return float(standard_errors(self.gains))

    @property
    def low(self) -> float:
        """Lower end of the 95 % interval (Student)."""
        return self.gain - student(len(self.gains) - 1) * self.se

    @property
    def high(self) -> float:
        """Upper end of the 95 % interval."""
        return self.gain + student(len(self.gains) - 1) * self.se

    @property
    def predicted(self) -> float:
        """Mean gain on the luck of the measuring [objective]; NaN without measured curves."""
        return float(self.expected.mean()) if len(self.expected) else float("nan")

    @property
    def predicted_se(self) -> float:
        """Its standard error, by the spread of `expected` and `alike`."""
        if not len(self.expected):
            return float("nan")
        squares = sum(float(((part - part.mean()) ** 2).sum()) for part in (self.expected, self.alike) if len(part))
        return float(np.sqrt(squares / self._freedom / len(self.expected)))

    @property
    def _freedom(self) -> int:
        return len(self.expected) - 1 + max(0, len(self.alike) - 1)

    @property
    def predicted_half(self) -> float:
        """Half of its 95 % interval (Student)."""
        return student(self._freedom) * self.predicted_se if len(self.expected) else float("nan")

    @property
    def relative(self) -> float:
        """Gain relative to what today's plan brings."""
        return self.gain / abs(self.today) if self.today else float("nan")

    @property
    def agrees(self) -> bool:
        """Whether prediction and simulation differ by no more than both errors explain (95 %, Welch)."""
        if not len(self.expected):
            return False
        one, other = self.se ** 2, self.predicted_se ** 2
        least = one ** 2 / (len(self.gains) - 1) + other ** 2 / self._freedom
        most = student((one + other) ** 2 / least) * (one + other) ** 0.5 if least > 0.0 else 0.0
        return abs(self.gain - self.predicted) <= max(most, 1e-9)

    @property
    def adds_up(self) -> bool:
        """Whether the curves come to what the plan gains on the same luck: within 2 %, or within its error."""
        return abs(self.by_curves - self.predicted) <= max(NEAR * abs(self.predicted), self.predicted_se, 1e-9)

    def __str__(self) -> str:
        when = f", {self.days} days" + (f" and {self.fade} after them" if self.fade else "") if self.days else ""
        percent = f" ({self.relative:+.1%} of today's {self.today:,.0f})" if np.isfinite(self.relative) else ""
        text = (f"simulated on fresh luck: gain of the brand's {SIMULATED.get(self.objective, 'GMV')}{when}: "
                f"{self.gain:,.0f}{percent}, 95 % interval {self.low:,.0f} to {self.high:,.0f} ({len(self.gains)} "
                "pairs of runs)")
        if not np.isfinite(self.predicted):
            return text
        verdict = "they agree" if self.agrees else f"they differ by {self.gain - self.predicted:,.0f}: trust this one"
        return f"{text}; predicted {self.predicted:,.0f} ± {self.predicted_half:,.0f}: {verdict}"


@dataclass(frozen=True, eq=False, repr=False)
class ScenarioPlan(BudgetPlan):
    """A budget plan for a scenario, which can be simulated.

    Parameters
    ----------
    scenario : Scenario
    base : Base, or None  the runs that it is held against
    measured : MeasuredCurves, or None  its curves, if they were measured; by round, the last ones
    confirmation : Confirmation, or None  the last round's check
    rounds : tuple of Confirmation  of all rounds
    """

    scenario: Scenario | None = None
    base: Base | None = None
    measured: MeasuredCurves | None = None
    confirmation: Confirmation | None = None
    rounds: tuple[Confirmation, ...] = field(default=())

    @property
    def plan(self) -> Plan:
        """What a run takes: whole cents a day; after the planned days today's budgets hold again, as in `confirm`."""
        today = zip(self.base.channels, self.base.today[:, 0], strict=True) if self.base is not None else ()
        return self._followed_by({name: to_cents(budget) for name, budget in today}, self.end)

    @property
    def end(self) -> int | None:
        """First day after the planned ones; None where the scenario's days end with them."""
        if self.base is None or self.scenario is None:
            return None
        end = int(self.base.days.sum())
        return end if end < self.scenario.horizon.days else None

    @property
    def spend_a_day(self) -> Floats:
        """Spend of each channel of the scenario, with those that have no curve (n, periods) [currency/day]."""
        assert self.base is not None
        whole = self.base.today.copy()
        for c, name in enumerate(self.channels):
            whole[self.base.channels.index(name)] = self.daily_cents[c] / 100.0
        return whole

    def confirm(self, replications: int = 8, *, seed: int = 1, threads: int = 1, whole: bool = False) -> Confirmation:
        """Simulate this plan and today's on luck that has not been used, and compare.

        Parameters
        ----------
        replications : int  pairs of runs
        seed : int
        threads : int  pairs side by side; changes no result
        whole : bool  every consumer and all stock of the scenario, not a smaller population in unlimited stock

        Raises
        ------
        UsageError  for fewer than two replications
        """
        assert self.base is not None and self.scenario is not None
        if replications < 2:
            raise UsageError(Fault("confirm", "replications", str(replications), "must be at least 2, to tell an "
                                   "interval", "Use 8."))
        trials = find_trials(self.scenario, self.base.trials.days, self.base.trials.fade, seed=seed,
                             replications=range(CONFIRMING, CONFIRMING + replications), threads=threads,
                             small=not whole)
        return check(self, replace(self.base, trials=trials))

    def lines(self) -> list[str]:
        """The answer in a few sentences."""
        return [*super().lines(), *([] if self.confirmation is None else [str(self.confirmation)])]

    def afterwards(self) -> list[str]:
        """What a run spends after the last period, where that must be told."""
        return [] if self.end is None else [
            f"from day {self.end}, after the last period, the plan goes back to today's budgets"]

    @property
    def spill_over(self) -> pd.DataFrame | None:
        """Where the effect of each channel's money comes to light; None where curves were not measured."""
        return None if self.measured is None else self.measured.spill_over

    def further_tables(self) -> dict[str, pd.DataFrame]:
        """The curves, the effects they were fitted to, the spill-over, and the gain of each round of measuring."""
        import pandas as pd

        found = {}
        if self.measured is not None:
            found = {"curves": self.measured.frame, "effects": self.measured.effects,
                     "spill_over": self.measured.spill_over}
        if self.rounds:
            found["gain"] = pd.DataFrame([{
                "round": n + 1, "by_curves": one.by_curves, "predicted": one.predicted,
                "predicted_se": one.predicted_se, "simulated": one.gain, "low": one.low, "high": one.high,
                "relative": one.relative, "agrees": one.agrees, "chosen": one is self.confirmation}
                for n, one in enumerate(self.rounds)])
        return found

    def plot_spill_over(self, language: str = "en") -> Axes:
        """Where each channel's money comes back.

        Raises
        ------
        UsageError  where curves were not measured
        """
        from omnisim.study.curves.measured_plots import spill_over

        return spill_over(self._measured().spill_over, language)

    def plot_effects(self, language: str = "en") -> Axes:
        """What was measured, the curves through it, and the plan on them.

        Raises
        ------
        UsageError  where curves were not measured
        """
        from omnisim.study.curves.measured_plots import effects

        return effects(self._measured(), self.spend_a_day, language)

    def _measured(self) -> MeasuredCurves:
        if self.measured is None:
            raise UsageError(Fault("plot", "curves", "declared", "were not measured", "Plan without curves."))
        return self.measured


def as_scenario_plan(plan: BudgetPlan, scenario: Scenario, base: Base) -> ScenarioPlan:
    """The same plan, which can be simulated."""
    return ScenarioPlan(**{one.name: getattr(plan, one.name) for one in fields(BudgetPlan)}, scenario=scenario,
                        base=base)


def check(plan: ScenarioPlan, base: Base, advance: Advance | None = None) -> Confirmation:
    """Simulate a plan against today's on the trials of a base, beside what was predicted of it."""
    gains, today = simulated_gains(plan, base, advance)
    length = base.trials.days, base.trials.fade
    if plan.measured is None:
        return Confirmation(gains, today, np.zeros(0), float("nan"), plan.objective_name, np.zeros(0), *length)
    measured = plan.measured.base
    first = plan.confirmation.gains if plan.confirmation else np.zeros(0)
    alike = gains if base.trials.scenario.hash == measured.trials.scenario.hash else first
    return Confirmation(gains, today, simulated_gains(plan, measured, advance)[0], sum_curves(plan),
                        plan.objective_name, alike, *length)


def simulated_gains(plan: ScenarioPlan, base: Base, advance: Advance | None = None) -> tuple[Floats, float]:
    """Gains of a plan over today's by replication (replications,), and the mean of today's [objective]."""
    objective, spend = plan.objective_name, plan.spend_a_day
    today, then = base.trials.outcomes([base.plan(base.today), base.plan(spend)], advance)
    per_order = plan.measured.per_order if plan.measured else value_orders(base.scenario, today)
    before, after = (count(objective, outcome, base.budget(money), per_order) - _charge(objective, base, money)
                     for outcome, money in ((today, base.today), (then, spend)))
    return after - before, float(before.mean())


def _charge(objective: str, base: Base, spend: Floats) -> float:
    return base.budget(spend) if objective in MONEY else 0.0


def sum_curves(plan: ScenarioPlan) -> float:
    """Gain over today's plan that the measured curves add up to [objective].

    Notes
    -----
    Measured around another plan than today's, what that plan gains is simulated and only the rest is by the curves.
    """
    measured = plan.measured
    assert measured is not None
    base, problem = measured.base, plan.solution.problem
    anchor = measured.worth(measured.at_base, base.around) - _charge(measured.objective, base, base.around)
    anchor -= measured.worth(measured.at_today, base.today) - _charge(measured.objective, base, base.today)
    curves = stack_draws(measured.table().draws, problem.shape[1], whole_period(base.days))
    worth = []
    for money in (plan.spend_a_day, base.around):
        whole = np.zeros(problem.shape)
        whole[:, :len(base.days)] = money[measured.measured] * base.days
        worth.append(float(np.asarray(draw_values(curves, problem.worth, whole))[0]))
    charge = _charge(measured.objective, base, plan.spend_a_day) - _charge(measured.objective, base, base.around)
    return float(anchor.mean()) + worth[0] - worth[1] - charge
