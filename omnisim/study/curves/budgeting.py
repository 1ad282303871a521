"""A budget plan from what the user has: a scenario, or curves from a frame or file; limits as a mapping or rows.

Curves that a scenario does not declare are measured by running it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union, cast

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.allocation import Effort as Proof
from omnisim.optimise.allocation import Progress, allocate_table
from omnisim.optimise.curve_table import MOST_PERIODS, CurveTable, read_curves
from omnisim.optimise.declared import declared_curves, open_periods, plan_days, today_spend
from omnisim.optimise.limits import read_rows
from omnisim.optimise.prepare import Objective, Request
from omnisim.optimise.records import Records, from_frame, from_sheet
from omnisim.plan import Plan
from omnisim.response import Floats
from omnisim.scenario.allocation import Limits
from omnisim.scenario.channel_names import channel_names, meant_channel
from omnisim.scenario.model import Scenario
from omnisim.scenario.text import from_python
from omnisim.scenario.validate import validate
from omnisim.study.curves.measuring import Effort, base_of, plan_by_measuring
from omnisim.study.curves.probes import tops_of
from omnisim.study.curves.scenario_plan import as_scenario_plan
from omnisim.study.sheets import read_sheets

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.optimise.budget_plan import BudgetPlan

Table: TypeAlias = Union["pd.DataFrame", str, Path]
Today: TypeAlias = Union["Plan", Mapping[str, float | Sequence[float]]]
MOST_BUDGETS = 1000


@dataclass(frozen=True)
class Wish:
    """What is asked for, as the verb takes it; None leaves the choice to the scenario or the default."""

    curves: Table | None = None
    budget: float | None = None
    periods: int | None = None
    objective: str | None = None
    target: float | None = None
    limits: Mapping[str, object] | Table | None = None
    max_core: int | None = None
    today: Today | None = None
    gap: float | None = None
    time_limit: float = 60.0
    frontier: int | Sequence[float] = 0
    carry_out: bool | None = None
    discount: float = 0.0
    risk: float = 1.0
    simulation: Effort = field(default_factory=Effort)


def plan_budget(scenario: Scenario | None, wish: Wish, progress: Progress | None = None) -> BudgetPlan:
    """The best plan for a scenario, or for curves alone.

    Raises
    ------
    UsageError  for arguments, tables and limits that cannot be meant
    InfeasibleError  for limits that contradict each other
    """
    _check(wish)
    limits, name = _limits(scenario, wish)
    if scenario is None:
        return _plan_alone(wish, limits, name, progress)
    scenario = scenario.model_copy(update={"limits": limits})
    days = plan_days(scenario, wish.periods)
    carry_out = wish.carry_out is not False
    active = tuple(name for name, channel in scenario.channels.items() if channel.active)
    now = _spend_now(scenario, wish, active, days)
    base = base_of(scenario, days, now / days, carry_out=carry_out, effort=wish.simulation)
    if wish.curves is None and not scenario.curves:
        total = (limits.budget or 0.0) * float(days.sum()) if wish.budget is None else wish.budget
        daily = (total or float(now.sum())) / float(days.sum())
        tops, bound = tops_of(base, limits, daily)

        def solve(table: CurveTable) -> BudgetPlan:
            # a channel that gets nothing today and must get nothing was not measured
            mine = {one: limit for one, limit in limits.channels.items() if one in table.channels or one not in active}
            return _plan_on(scenario, wish, table, days, limits.model_copy(update={"channels": mine}), name, progress)

        return plan_by_measuring(base, wish.objective or "profit", tops, solve, wish.simulation, bound=bound,
                                 draws=wish.risk < 1.0, progress=progress)
    if wish.curves is None:
        table = declared_curves(scenario, days)
    else:
        table = read_curves(records(wish.curves, "curves"), len(days))
        table = replace(table, channels=tuple(channel_names(table.channels, scenario).values()))
    unknown = [channel for channel in table.channels if channel not in scenario.channels]
    if unknown:
        raise UsageError(*(Fault("curves", "channel", channel, "is no channel of the scenario", "Rename it, or add the "
                                 "channel.") for channel in unknown))
    return as_scenario_plan(_plan_on(scenario, wish, table, days, limits, name, progress), scenario, base)


def _plan_on(scenario: Scenario, wish: Wish, table: CurveTable, days: Floats, limits: Limits, name: str,
             progress: Progress | None) -> BudgetPlan:
    """The best plan of a scenario on curves."""
    today = _spend_now(scenario, wish, table.channels, days)
    budget, where = float(today.sum()), "channels"
    if limits.budget is not None:
        budget, where = limits.budget * float(days.sum()), f"{name}.budget"
    if wish.budget is not None:
        budget, where = wish.budget, "budget"
    request = Request(budget, days, cast(Objective, wish.objective or "profit"), wish.target, limits, name, where,
                      open_periods(scenario, days), today, wish.carry_out is not False, wish.discount)
    first = (0, *(int(day) for day in np.cumsum(days)[:-1]))
    return allocate_table(table, request, Proof(wish.gap, wish.time_limit, _budgets(wish, budget), first, True,
                                                scenario.currency, wish.risk), progress)


def _spend_now(scenario: Scenario, wish: Wish, channels: tuple[str, ...], days: Floats) -> Floats:
    """Today's spend of channels in each period (n, periods) [currency]."""
    usual = today_spend(scenario, channels, days)
    return usual if wish.today is None else _today(wish.today, channels, days, usual[:, 0] / days[0])


def _plan_alone(wish: Wish, limits: Limits, name: str, progress: Progress | None) -> BudgetPlan:
    """A plan on curves without a scenario: a period stands for a day."""
    if wish.curves is None:
        raise UsageError(Fault("allocate", "curves", "", "are missing", "Give a scenario, or a table as curves=…."))
    table = read_curves(records(wish.curves, "curves"), wish.periods)
    days = np.ones(table.periods)
    where, budget = "budget", wish.budget
    if budget is None and limits.budget is not None:
        where, budget = f"{name}.budget", limits.budget * len(days)
    if budget is None:
        if wish.objective != "spend":
            raise UsageError(Fault("allocate", "budget", "", "is missing", "Give the total of all periods: "
                                   "--budget 1000000, in Python budget=1000000."))
        budget = 0.0
    dated = [channel for channel, one in limits.channels.items() if one.opens is not None]
    if dated:
        raise UsageError(*(Fault("allocate", f"{name}.channels.{channel}.opens", "", "needs a scenario, which knows "
                                 "the days", "Use opens_in, in periods.") for channel in dated))
    today = None if wish.today is None else _today(wish.today, table.channels, days, np.zeros(len(table.channels)))
    request = Request(budget, days, cast(Objective, wish.objective or "response"), wish.target, limits, name, where,
                      today=today, carry_out=bool(wish.carry_out), discount=wish.discount)
    proof = Proof(wish.gap, wish.time_limit, _budgets(wish, budget), tuple(range(len(days))), risk=wish.risk)
    return allocate_table(table, request, proof, progress)


def records(source: Table, name: str) -> Records:
    """Rows of a frame, or of a CSV or Excel file.

    Raises
    ------
    UsageError  for what is neither, and for a workbook with several tables
    """
    if not isinstance(source, str | Path):
        return from_frame(source, name)
    sheets = [sheet for sheet in read_sheets(source) if sheet.rows]
    if len(sheets) != 1:
        raise UsageError(Fault(str(source), "tables", f"{len(sheets)}", "must be one table", "Keep the one that is "
                               "meant."))
    return from_sheet(sheets[0].place, sheets[0].rows)


def _limits(scenario: Scenario | None, wish: Wish) -> tuple[Limits, str]:
    """The limits that hold, and what they are called: those given besides a scenario's are added to its own."""
    base: dict[str, object] = {} if scenario is None else scenario.limits.model_dump()
    if isinstance(wish.limits, Mapping):
        base |= wish.limits
    elif wish.limits is not None:
        more = read_rows(records(wish.limits, "limits"))
        if scenario is not None:
            more = [row | {"channel": meant_channel(str(row["channel"]), scenario)} if "channel" in row else row
                    for row in more]
        rows = base.get("rows")
        base["rows"] = [*(rows if isinstance(rows, list | tuple) else ()), *more]
    if wish.max_core is not None:
        base["max_core"] = wish.max_core
    return validate(Limits, from_python(base, "limits")), "limits"


def _today(today: Today, channels: tuple[str, ...], days: Floats, usual: Floats) -> Floats:
    """Today's spend by channel and period (n, periods); usual (n,) a day where a Plan says nothing."""
    spend = np.zeros((len(channels), len(days)))
    faults = []
    if isinstance(today, Plan):
        first = np.concatenate([[0], np.cumsum(days)[:-1]]).astype(int)
        for c, name in enumerate(channels):
            for t, day in enumerate(first):
                cents = today.budget_on(name, int(day))
                spend[c, t] = (usual[c] if cents is None else cents / 100.0) * days[t]
        return spend
    if not isinstance(today, Mapping):
        raise UsageError(Fault("allocate", "today", type(today).__name__, "must be a Plan, or a mapping of channels to "
                               "spend", 'Write {"douyin": 1200}, a period, or one figure a period.'))
    for name, figures in today.items():
        if name not in channels:
            faults.append(Fault("allocate", f"today.{name}", "", "is no channel with a curve",
                                f"Choose from {', '.join(channels[:20])}."))
            continue
        values = np.atleast_1d(np.asarray(figures, float))
        if values.shape not in ((1,), (len(days),)) or not (np.isfinite(values) & (values >= 0.0)).all():
            faults.append(Fault("allocate", f"today.{name}", str(figures), f"must be one figure ≥ 0, or {len(days)}: "
                                "one a period", "Correct it."))
            continue
        spend[channels.index(name)] = values
    if faults:
        raise UsageError(*faults)
    return spend


def _budgets(wish: Wish, budget: float) -> tuple[float, ...]:
    """Budgets of the frontier: those given, or as many as asked for from a fifth to twice the budget."""
    if isinstance(wish.frontier, int):
        return tuple(float(one) for one in np.linspace(0.2 * budget, 2.0 * budget, wish.frontier))
    return tuple(float(one) for one in wish.frontier)


def _check(wish: Wish) -> None:
    """Refuse arguments that cannot be meant, all at once."""
    faults = []

    def number(name: str, value: object, least: float, *, above: bool, most: float = math.inf) -> None:
        right = isinstance(value, int | float | np.number) and not isinstance(value, bool) and math.isfinite(value)
        if not right or not (least < value if above else least <= value) or value > most:  # type: ignore[operator]
            rule = f"must be a finite number {'>' if above else '≥'} {least:g}"
            faults.append(Fault("allocate", name, repr(value), rule + (f" and ≤ {most:g}" if most < math.inf else ""),
                                "Correct it."))

    for name, value, least, above, most in (
            ("budget", wish.budget, 0.0, True, 1e15), ("target", wish.target, 0.0, True, 1e300),
            ("gap", wish.gap, 0.0, True, 1.0), ("time_limit", wish.time_limit, 0.0, True, 1e7),
            ("discount", wish.discount, 0.0, False, 10.0), ("risk", wish.risk, 0.0, True, 1.0)):
        if value is not None:
            number(name, value, least, above=above, most=most)
    if not isinstance(wish.frontier, int):
        for one in wish.frontier:
            number("frontier", one, 0.0, above=True)
    for name, count, lowest, most in (("periods", wish.periods, 1, MOST_PERIODS),
                                      ("rounds", wish.simulation.rounds, 1, 20),
                                      ("replications", wish.simulation.replications, 3, 10_000),
                                      ("max_core", wish.max_core, 0, 10_000),
                                      ("frontier", wish.frontier, 0, MOST_BUDGETS)):
        if count is None or not (name != "frontier" or isinstance(count, int)):
            continue
        if isinstance(count, bool) or not isinstance(count, int) or not lowest <= count <= most:
            faults.append(Fault("allocate", name, repr(count), f"must be a whole number from {lowest} to {most:,}",
                                "Correct it."))
    if faults:
        raise UsageError(*faults)
