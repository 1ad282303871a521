"""Measure, plan, simulate: again around the plan until its curves add up to what it gains, and fresh luck agrees."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from omnisim.errors import Fault, UsageError
from omnisim.optimise.allocation import Progress
from omnisim.optimise.budget_plan import BudgetPlan
from omnisim.optimise.curve_table import CurveTable
from omnisim.response import Floats
from omnisim.scenario.model import Scenario
from omnisim.study.curves.measured_curves import MeasuredCurves, measure
from omnisim.study.curves.probes import Base, Probe, first_probes, next_probes
from omnisim.study.curves.scenario_plan import Confirmation, ScenarioPlan, as_scenario_plan, check
from omnisim.study.curves.trials import Trials, find_trials

MEASURING, CHECKING, CHECKS = 7_000, 8_000, 100
"""First replications of the runs that measure and that check, and how many are set aside for each round's check."""
FADE = 91
"""Days after the plan in which effects still arrive, where carry-out is valued: four half-lives of lasting interest."""
FULL = 0.9
"""Share of the largest spend measured from which a plan's mean spend asks for more to be measured."""

Bools = NDArray[np.bool_]
Solve = Callable[[CurveTable], BudgetPlan]


@dataclass(frozen=True)
class Effort:
    """How much is simulated.

    Parameters
    ----------
    seed, replications, threads : int
    rounds : int  of measuring, at most
    """

    seed: int = 1
    replications: int = 8
    threads: int = 1
    rounds: int = 3


def base_of(scenario: Scenario, days: Floats, today: Floats, *, carry_out: bool, effort: Effort) -> Base:
    """The runs that a scenario's plans are measured by.

    Parameters
    ----------
    today : (n, periods) float [currency/day]  of all active channels
    """
    trials = find_trials(scenario, int(days.sum()), FADE if carry_out else 0, seed=effort.seed,
                         replications=range(MEASURING, MEASURING + effort.replications), threads=effort.threads)
    return Base(scenario, trials, days, today, today)


def plan_by_measuring(base: Base, objective: str, tops: Floats, solve: Solve, effort: Effort, *,
                      bound: Bools | None = None, draws: bool = False,
                      progress: Progress | None = None) -> ScenarioPlan:
    """Measure, plan and check, again around the plan until curves, the luck of the measuring and fresh luck agree.

    Parameters
    ----------
    tops : (n,) float [currency/day]  largest spend to try on each channel; 0 where its budget is not to change
    solve : curves -> plan
    bound : (n,) bool  channels for which the limits allow no more than their top; others are tried further where a
        plan comes near it
    draws : bool  plan on all draws of the curves, for risk
    """
    told, tops = _Steps(progress), tops.copy()
    checks: list[Confirmation] = []
    plans: list[ScenarioPlan] = []
    carried: Floats | None = None
    for turn in range(effort.rounds):
        probes = first_probes(base, tops) if turn == 0 else next_probes(base, tops)
        told.expect(probes, effort)
        measured = measure(base, probes, objective, carryover=carried, advance=told.one)
        carried = measured.carryover
        measured, solved = _solve_on(measured, solve, draws=draws)
        plan = as_scenario_plan(solved, base.scenario, base)
        plan = replace(plan, measured=measured, warnings=(*plan.warnings, *measured.warnings))
        checks.append(check(plan, replace(base, trials=_fresh(base, effort, turn)), told.one))
        plans.append(replace(plan, confirmation=checks[-1]))
        spent = plan.spend_a_day @ base.days / base.days.sum()
        full = (spent >= FULL * tops) & (tops > 0.0) & ~(np.zeros(len(tops), bool) if bound is None else bound)
        tops[full] *= 2.0
        if checks[-1].agrees and checks[-1].adds_up and not full.any():
            break
        base = replace(base, around=plan.spend_a_day)
    return _settle(plans, checks)


def _solve_on(measured: MeasuredCurves, solve: Solve, *, draws: bool) -> tuple[MeasuredCurves, BudgetPlan]:
    """The plan on measured curves; on concave ones where S-shaped ones cannot be planned as asked."""
    if draws and any(fit.shape > 1.0 for fit in measured.fits.values()):
        measured = replace(measured, s_shaped=False)
    try:
        return measured, solve(measured.table(draws=draws))
    except UsageError as error:
        if {fault.what for fault in error.faults} != {"shape"}:
            raise
    measured = replace(measured, s_shaped=False)
    return measured, solve(measured.table(draws=draws))


def _settle(plans: list[ScenarioPlan], checks: list[Confirmation]) -> ScenarioPlan:
    """The plan that gained most on the luck of the measuring, the same for all; with all rounds, and what is open."""
    last = plans[-1]
    if last.objective_name != "spend":
        last = plans[max(range(len(plans)), key=lambda k: checks[k].predicted)]
    found = last.confirmation
    assert found is not None
    warnings = list(last.warnings)
    if not found.agrees:
        warnings.append(Fault("allocate", "gain", f"{found.gain:,.0f}", f"is what the plan gains when simulated, not "
                              f"{found.predicted:,.0f} as predicted, after {len(checks)} rounds of measuring",
                              "Trust the simulated gain."))
    notes = list(last.notes)
    base = last.base
    if base is not None and base.trials.scenario.supply.unlimited and not base.scenario.supply.unlimited:
        notes.append("measured in stock and service that never run out: plan.confirm(whole=True) takes them as they "
                     "are")
    return replace(last, rounds=tuple(checks), warnings=tuple(warnings), notes=tuple(notes))


def _fresh(base: Base, effort: Effort, turn: int) -> Trials:
    """Trials on luck that this round alone uses."""
    first = CHECKING + CHECKS * turn
    return find_trials(base.scenario, base.trials.days, base.trials.fade, seed=effort.seed, threads=effort.threads,
                       replications=range(first, first + effort.replications))


class _Steps:
    """Runs done and to do, told as progress."""

    def __init__(self, progress: Progress | None) -> None:
        self.progress, self.done, self.total = progress, 0, 0

    def expect(self, probes: Sequence[Probe], effort: Effort) -> None:
        """A round: its probes, the two plans that they are compared with, the plan, and the check."""
        self.total = self.done + (len(probes) + 2 + 1 + 2) * effort.replications

    def one(self) -> None:
        """A run is done."""
        self.done += 1
        if self.progress:
            self.progress(min(self.done, self.total), self.total)
