"""Compare policies and scenarios: prepare each once, then run all on the same luck, as often as asked or needed."""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.scenario.advice import did_you_mean
from omnisim.scenario.model import Scenario
from omnisim.study.comparing.arms import Arm, Outcome, run_replications, workers
from omnisim.study.comparing.comparison import Comparison
from omnisim.study.comparing.paired import replications_needed

Progress = Callable[[int, int], None]
PILOT = 10
"""Replications from which the number needed is told."""
BELIEF_SEED = 1_000_003
"""Added to the seed for what policies learn beforehand: luck that no run has."""


@dataclass(frozen=True)
class Effort:
    """How much is run, and how.

    Parameters
    ----------
    seed, replications : int  with a half-width, the most replications
    half_width : float, or None  of the differences of the goal that is wanted, relative to the baseline's mean
    jobs : int  replications, or arms of one, side by side; changes no result
    processes : bool  in processes of their own; policies must then be importable
    """

    seed: int = 1
    replications: int = 12
    half_width: float | None = None
    jobs: int = 1
    processes: bool = False


@dataclass(frozen=True)
class Question:
    """What is asked.

    Parameters
    ----------
    kpis : tuple of str  figures to compare
    goal : str  the one that decides, first of the kpis
    baseline : str  arm that differences are taken to
    reference : str, or None  arm that regret is taken to; the best unless given
    """

    kpis: tuple[str, ...]
    goal: str
    baseline: str
    reference: str | None = None


def compare_arms(arms: Sequence[Arm], question: Question, effort: Effort, *,
                 beliefs: Mapping[str, Scenario] | None = None, progress: Progress | None = None) -> Comparison:
    """Run the arms and compare them.

    Parameters
    ----------
    beliefs : hash of a scenario -> Scenario  what policies believe of it beforehand; the scenario itself unless given

    Raises
    ------
    UsageError  for arms, figures and counts that cannot be meant
    """
    check(arms, question, effort)
    ready = prepare(arms, beliefs or {}, effort.seed, effort.jobs)
    base = next(k for k, arm in enumerate(arms) if arm.name == question.baseline)
    done, most = 0, effort.replications

    def told() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, most)

    pilot = min(PILOT, effort.replications) if effort.half_width is not None else effort.replications
    warnings = []
    with workers(min(effort.jobs, most), processes=effort.processes) as pool:
        outcomes = run_replications(ready, question.kpis, effort.seed, range(pilot), pool, told,
                                    max(1, effort.jobs // pilot))
        if effort.half_width is not None and len(arms) > 1:
            goal = _goal(outcomes, question.goal)
            wanted = effort.half_width * abs(float(goal[base].mean()))
            others = np.delete(goal - goal[base], base, axis=0)
            needed = replications_needed(others, wanted, len(arms) - 1) if wanted > 0.0 else most + 1
            if needed > effort.replications:
                warnings.append(Fault("compare", "half_width", f"{needed:,} replications", f"would be needed; "
                                      f"{effort.replications:,} were run", "Allow more replications, or ask for less."))
            most = min(needed, effort.replications)
            outcomes += run_replications(ready, question.kpis, effort.seed, range(pilot, most), pool, told)
    return Comparison.of(arms, outcomes, question.kpis, question.baseline, question.reference, seed=effort.seed,
                         warnings=tuple(warnings))


def _goal(outcomes: Sequence[Sequence[Outcome]], goal: str) -> np.ndarray:
    return np.array([[one.kpis[goal] for one in row] for row in outcomes]).T


def prepare(arms: Sequence[Arm], beliefs: Mapping[str, Scenario], seed: int, threads: int) -> list[Arm]:
    """The arms with policies that know what they may know: each learns once, and runs get copies.

    A policy with ``knows_truth`` is told the scenario itself, all others the belief, over the scenario's days and
    within its limits. Curves measured of a belief serve all policies that share it.
    """
    from omnisim.study.curves.belief import believed_curves

    ready = []
    for arm in arms:
        policy = arm.fresh()
        if not callable(getattr(policy, "prepare", None)):
            ready.append(arm)
            continue
        truth = arm.scenario
        belief = truth if getattr(policy, "knows_truth", False) else beliefs.get(truth.hash, truth)
        belief = belief.model_copy(update={"horizon": truth.horizon, "limits": truth.limits})
        needs = getattr(policy, "needs_curves", False)
        curves = [believed_curves(belief, seed=seed + BELIEF_SEED, threads=threads)] if needs else []
        policy = copy.deepcopy(policy)
        policy.prepare(belief, seed + BELIEF_SEED, *curves)  # type: ignore[attr-defined]  # it has one
        ready.append(replace(arm, policy=policy))
    return ready


def check(arms: Sequence[Arm], question: Question, effort: Effort) -> None:
    """Refuse what cannot be compared, all faults at once.

    Raises
    ------
    UsageError
    """
    from omnisim.measure.kpis import OF_STATE, OF_TOTALS

    faults = []
    names = [arm.name for arm in arms]
    known = [*(kpi.name for kpi in OF_TOTALS), *OF_STATE]
    if not arms:
        faults.append(Fault("compare", "policies", "none", "must be at least one", "Name some."))
    for name in sorted({name for name in names if names.count(name) > 1}):
        faults.append(Fault("compare", "policies", repr(name), "is given twice", "Give each its own name."))
    for what, value in (("baseline", question.baseline), ("reference", question.reference)):
        if value is not None and value not in names:
            faults.append(Fault("compare", what, repr(value), "is none of those compared",
                                f"Choose from {', '.join(names)}."))
    faults += [Fault("compare", "kpis", repr(kpi), "is no figure of a result", did_you_mean(kpi, known))
               for kpi in question.kpis if kpi not in known]
    if effort.half_width is not None and not 0.0 < effort.half_width < 1.0:
        faults.append(Fault("compare", "half_width", repr(effort.half_width), "must be above 0 and below 1",
                            "Write 0.01 for ±1 % of the baseline."))
    if effort.half_width is not None and effort.replications < 2:
        faults.append(Fault("compare", "replications", str(effort.replications), "must be at least 2, to tell a "
                            "half-width", "Allow more."))
    days = {arm.scenario.horizon.days for arm in arms}
    if len(days) > 1:
        faults.append(Fault("compare", "horizon.days", ", ".join(map(str, sorted(days))), "must be the same for all",
                            "Compare scenarios over the same days."))
    currencies = {arm.scenario.currency for arm in arms}
    if len(currencies) > 1:
        faults.append(Fault("compare", "currency", ", ".join(sorted(currencies)), "must be the same for all",
                            "Compare in one currency."))
    if faults:
        raise UsageError(*faults)


