"""The verbs of omnisim: what ``import omnisim as om`` offers and what the command line calls.

Heavy imports are inside the functions.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from omnisim.choice import Choice, Policies, as_policy, make_arms, resolve
from omnisim.errors import Fault, UsageError
from omnisim.machine import available_threads, paused_collector

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.optimise.budget_plan import BudgetPlan
    from omnisim.plan import Plan, Policy
    from omnisim.results import Result
    from omnisim.scenario.model import Scenario
    from omnisim.simulation import World
    from omnisim.study.calibration.calibrate import Fit
    from omnisim.study.comparing.comparison import Comparison
    from omnisim.study.purchases.repurchase import Repurchase

Progress: TypeAlias = Callable[[int, int], None]
"""Called with what is done and the total, in days or steps."""


@paused_collector()
def load(path: str | Path) -> Scenario:
    """Read a scenario file, with its overlays and presets resolved.

    Parameters
    ----------
    path : str or Path  a scenario file (YAML)

    Raises
    ------
    ScenarioError  with every fault of the file: line, column, value, rule, cure
    """
    from omnisim.scenario.load import load as load_scenario

    return load_scenario(Path(path))


def schema() -> dict[str, Any]:
    """The JSON Schema of a scenario file, with the unit, range and meaning of every field."""
    from omnisim.scenario.schema import schema as scenario_schema

    return scenario_schema()


def run(scenario: Scenario, *, seed: int = 1, replications: int = 1, replication: int | None = None,
        plan: Choice | tuple[Choice, ...] | None = None, policy: str | Policy | None = None,
        threads: int | None = None, orders: Literal["auto", "none"] = "auto",
        progress: Progress | None = None) -> Result:
    """Simulate the brand's consumers day by day.

    Parameters
    ----------
    scenario : Scenario
    seed : int  the luck of the run; the same seed gives the same bits
    replications : int  how many runs; run k of seed s is keyed by (s, k), so seeds never overlap
    replication : int  run this one replication alone (counted from 0)
    plan : Plan, its file, an optimiser's answer, a Policy, or a tuple of these  in the place of today's budgets and
        stock levels; the parts of a tuple must not contradict each other
    policy : str or Policy  who decides while the days pass; the scenario's own unless given
    threads : int  processor threads; all there are unless given. The result does not depend on it
    orders : "auto" or "none"  keep order lines, above a million a sample of consumers; or none
    progress : callable  told the days done and the days to do

    Raises
    ------
    UsageError  for an argument that cannot be accepted

    Examples
    --------
    >>> import omnisim as om
    >>> scenario = om.load("scenarios/brand.yaml")  # doctest: +SKIP
    >>> om.run(scenario, seed=1).kpis()  # doctest: +SKIP
    """
    with paused_collector():
        from omnisim.measure.observed import reader
        from omnisim.plan_file import check_plan
        from omnisim.results import Result
        from omnisim.simulation import finish

    _check_scenario(scenario)
    numbers = _check_counts(seed, replications, replication, threads)
    if orders not in ("auto", "none"):
        raise UsageError(Fault("run", "orders", repr(orders), 'must be "auto" or "none"', "Leave it out."))
    what, who = resolve(scenario, plan, policy)
    if what is not None:
        check_plan(what, scenario)
    threads = threads or available_threads()
    who = _prepared(scenario, who, what, seed)
    books = []
    for done, number in enumerate(numbers):
        part = _part(progress, done, len(numbers))
        world = warmed(scenario, seed, number, threads, orders, part)
        own = who if len(numbers) == 1 else copy.deepcopy(who)
        books.append(finish(world, what, own, threads=threads, read=reader(scenario), progress=part))
    return Result(scenario, books, seed=seed, replications=numbers, plan=what)


def _prepared(scenario: Scenario, policy: Policy, plan: Plan | None, seed: int) -> Policy:
    """The policy, once it has learnt what it may learn before the first run."""
    if not callable(getattr(policy, "prepare", None)):
        return policy
    from omnisim.study.comparing.arms import Arm
    from omnisim.study.comparing.compare import prepare

    ready = prepare([Arm(policy.name, scenario, plan, policy)], {}, seed,
                    available_threads())[0].policy
    return as_policy(ready)  # type: ignore[arg-type]  # a policy went in


_LAST: dict[tuple[object, ...], World | None] = {}
"""The end of the last warm-up, once a scenario and seed were asked for twice: a single run keeps nothing for others."""
MOST_REPLICATIONS, MOST_THREADS = 100_000, 1024
KEPT_CONSUMERS = 2_000_000
"""A larger population's warm-up is not kept."""


def warmed(scenario: Scenario, seed: int, replication: int, threads: int, orders: Literal["auto", "none"],
           progress: Progress | None, *, again: bool = False) -> World:
    """The world on the first reported morning; from the second plan on a clone of what was kept.

    Parameters
    ----------
    again : bool  the same will be asked for once more: keep it at once
    """
    from omnisim.simulation import warm_up

    key = (scenario.hash, seed, replication, threads, orders)
    world = _LAST.get(key)  # in hand, as another thread may put its own in the place
    if world is not None:
        return world.clone()
    asked_before = again or key in _LAST
    world = warm_up(scenario, seed, replication, threads=threads, orders=orders, progress=progress)
    _LAST.clear()
    if not asked_before or not scenario.horizon.warm_up or scenario.population.size > KEPT_CONSUMERS:
        _LAST[key] = None
        return world
    _LAST[key] = world
    return world.clone()


Source: TypeAlias = "str | Path | pd.DataFrame"
"""A table: its file, or (a transaction log only) a frame."""


def calibrate(tables: Source | Iterable[Source], *, scenario: Scenario | None = None,
              elasticity: float | None = None, seed: int = 1, encoding: str | None = None,
              holdout: int | None = None, private_repeat: float | None = None, threads: int | None = None,
              progress: Progress | None = None) -> Fit | Repurchase:
    """Fit a scenario to the brand's own tables; which is which is told by their headers.

    Parameters
    ----------
    tables : path or paths  channel status (T1) and, if there is one, daily monitoring (T3); CSV or Excel. Alone or
        beside T1 a transaction log (customer, date, value), which may be a DataFrame such as ``result.orders``
    scenario : Scenario  where to start from; the catalogue's presets unless given
    elasticity : float  how orders answer to advertising in the short run: one click share is fitted to it, as no
        table tells it; 0 keeps the click shares; unless given, 0.12 with a daily table and 0 without
    seed : int  the luck of the fitting runs
    encoding : str  of CSV files that are not UTF-8, as "gb18030"
    holdout : int [day]  last days of a transaction log that are predicted; a quarter of its days unless given
    private_repeat : float [share]  wanted KPI private_repeat_rate_90d, as 0.9 times a benchmark: the pace of
        repurchase is fitted to it within half a point; beside a log, which tells the pace, community.touch is
    threads : int  processor threads; all there are unless given
    progress : callable  told the steps done and the steps to do

    Returns
    -------
    Fit, whose ``repurchase`` tells what a log said; of a log alone the Repurchase

    Raises
    ------
    InfeasibleError  where private_repeat is out of reach
    UsageError  with every fault of the tables, or if they cannot be fitted
    """
    from omnisim.study.calibration.brand_tables import read_tables
    from omnisim.study.purchases.transaction_log import part_log

    if scenario is not None:
        _check_scenario(scenario)
    _check_counts(seed, 1, None, threads)
    if elasticity is not None and not 0 <= elasticity <= 1:
        raise UsageError(Fault("calibrate", "elasticity", repr(elasticity), "must be from 0 to 1",
                               "Published: 0.05 to 0.22, mostly 0.12; 0 keeps the click shares."))
    is_one = isinstance(tables, str | Path) or hasattr(tables, "columns")
    log, paths = part_log([tables] if is_one else list(tables), encoding)  # type: ignore[list-item, arg-type]
    faults = []
    if private_repeat is not None and not (paths and 0 < private_repeat < 1):
        faults.append(Fault("calibrate", "private_repeat", repr(private_repeat), "must be a share above 0 and below 1, "
                            "beside a channel status table", "For 10 % below a benchmark give 0.9 times it."))
    if elasticity is not None and not paths:
        faults.append(Fault("calibrate", "elasticity", repr(elasticity), "goes with a channel status table",
                            "Leave it out, or add the brand's monthly table (T1)."))
    if holdout is not None and log is None:
        faults.append(Fault("calibrate", "holdout", f"{holdout} days", "goes with a transaction log",
                            "Leave it out, or add a log with customer, date and value."))
    if faults:
        raise UsageError(*faults)
    repurchase = None
    if log is not None:
        from omnisim.study.purchases.repurchase import fit_repurchase

        repurchase = fit_repurchase(log, scenario=scenario, holdout=holdout, progress=None if paths else progress)
        if not paths and scenario is not None:
            from omnisim.study.calibration.pace import adapt

            return adapt(repurchase, scenario, seed=seed, threads=threads or available_threads())
        if not paths:
            return repurchase
    brand = read_tables(paths, encoding=encoding)
    if not brand.status:
        raise UsageError(Fault("--data", "tables", ", ".join(str(path) for path in paths) or "none",
                               "must hold a channel status table (T1)", "Add the brand's monthly table."))
    from omnisim.study.calibration.calibrate import fit

    return fit(brand, scenario=scenario, elasticity=elasticity, seed=seed, threads=threads or available_threads(),
               repurchase=repurchase, private_repeat=private_repeat, progress=progress)


def allocate(scenario: Scenario | None = None, *, curves: pd.DataFrame | str | Path | None = None,
             budget: float | None = None, periods: int | None = None, objective: str | None = None,
             target: float | None = None, limits: Mapping[str, object] | pd.DataFrame | str | Path | None = None,
             max_core: int | None = None, today: Plan | Mapping[str, float | Sequence[float]] | None = None,
             gap: float | None = None, time_limit: float = 60.0, frontier: int | Sequence[float] = 0,
             carry_out: bool | None = None, discount: float = 0.0, risk: float = 1.0, seed: int = 1,
             replications: int = 8, rounds: int = 3, threads: int | None = None,
             progress: Progress | None = None) -> BudgetPlan:
    """The best budget by channel and period, with a proof.

    Parameters
    ----------
    scenario : Scenario  its curves, limits and today's budgets; or none, with curves alone. A scenario without curves
        is measured: each channel's budget is tried at several levels on the same luck, and the plan simulated in the
        end on luck of its own (a ScenarioPlan: ``.confirmation``, ``.measured``, ``.spill_over``, ``.confirm()``)
    curves : DataFrame, or path of a CSV or Excel table  channel, form (hill, power, exponential), scale, half, shape,
        carryover (a period); optionally period, floor, cap, carry_in, draw, margin, equity, awareness, loyalty,
        customers, and doubling: spend of a period at which the next exposure costs twice the first, infinite or blank
        where the price does not rise
    budget : float [currency]  total of all periods; today's, or the scenario's limit, unless given
    periods : int  how many; those of the scenario's horizon, or of the table, unless given
    objective : str  response (curves alone), profit (with a scenario), gmv, equity, awareness, loyalty, present_value,
        or spend: the least that reaches the target
    target : float [response]  for the objective spend
    limits : mapping as the scenario's `limits`, or table of rows limit, channel, period, coefficient, sense, value
    max_core : int  most channels that get more than `limits.core_share` of the budget
    today : Plan, or channel -> spend a period  the plan in force; the scenario's unless given
    gap : float  to stop at, relative; 1e-6, or 1e-3 where channels are chosen or curves are S-shaped
    time_limit : float [second]
    frontier : int, or budgets  how many other budgets to solve for, from a fifth to twice this one
    carry_out : bool  whether response after the last period counts; with a scenario it does
    discount : float [share/period]  for present_value
    risk : float  with draws, the share of the worst of them whose mean is maximised (CVaR); 1 for the mean of all.
        Draws of S-shaped curves are refused
    seed, replications : int  of the runs that measure curves; at least 3 replications
    rounds : int  of measuring, at most: again around the plan where its simulated gain is not the predicted one
    threads : int  processor threads; all there are unless given. The plan does not depend on it
    progress : callable  told the runs, or the budgets of the frontier, done and to do

    Raises
    ------
    UsageError  for arguments, tables and limits that cannot be meant
    InfeasibleError  for limits that contradict each other, naming them and the smallest change that helps

    Examples
    --------
    >>> import pandas as pd
    >>> import omnisim as om
    >>> curves = pd.DataFrame({"channel": ["douyin", "taobao"], "form": "power", "scale": [5400.0, 18900.0],
    ...                        "half": [1200.0, 3000.0], "shape": 0.5, "carryover": 0.0})
    >>> om.allocate(curves=curves, budget=4200, periods=1).table["budget"].round(1).tolist()
    [711.9, 3488.1]
    """
    from omnisim.study.curves.budgeting import Wish, plan_budget
    from omnisim.study.curves.measuring import Effort

    if scenario is not None:
        _check_scenario(scenario)
    _check_counts(seed, replications, None, threads)
    wish = Wish(curves, budget, periods, objective, target, limits, max_core, today, gap, time_limit, frontier,
                carry_out, discount, risk, Effort(seed, replications, threads or available_threads(), rounds))
    return plan_budget(scenario, wish, progress)


def compare(scenario: Scenario | Mapping[str, Scenario],
            policies: Policies = (), *, seed: int = 1,
            replications: int = 12, baseline: str | None = None, reference: str | None = None, goal: str = "profit",
            kpis: Sequence[str] = (), half_width: float | None = None, belief: Scenario | None = None,
            jobs: int | None = None, processes: bool = False, progress: Progress | None = None) -> Comparison:
    """Compare policies on one scenario, or scenarios against each other, on the same luck.

    Parameters
    ----------
    scenario : Scenario, or name -> Scenario
    policies : names, or name -> Plan, plan file, optimiser's answer, Policy, name, module:Class, or a tuple of these
        (one plan, one policy); the scenario's own policy unless given. With several scenarios each runs under each
    seed, replications : int  replication k of a seed is the same luck for all; with a half-width, the most of them
    baseline : str  that differences are taken to; the first unless given
    reference : str  that regret is taken to; the policy `reference` if it is there, else the best
    goal : str  the figure that decides
    kpis : names of further figures of ``Result.kpis()``
    half_width : float  wanted of the intervals of the goal's differences, relative to the baseline: 0.01 for ±1 %
    belief : Scenario  what policies that learn beforehand believe of the market; the scenario itself unless given
    jobs : int  replications side by side, all processors unless given; the result does not depend on it
    processes : bool  in processes of their own, not in threads: policies must be names or importable
    progress : callable  told the replications done and to do

    Raises
    ------
    UsageError  for what cannot be compared

    Examples
    --------
    >>> import omnisim as om
    >>> scenario = om.load("scenarios/brand.yaml")  # doctest: +SKIP
    >>> om.compare(scenario, ["inertia", "roi", "lp_rolling"], replications=20).plot()  # doctest: +SKIP
    """
    from omnisim.study.comparing.compare import Effort, Question, compare_arms

    scenarios = dict(scenario) if isinstance(scenario, Mapping) else {"": scenario}
    for one in (*scenarios.values(), *(() if belief is None else (belief,))):
        _check_scenario(one)
    _check_counts(seed, replications, None, jobs)
    arms = make_arms(scenarios, policies)
    names = [arm.name for arm in arms]
    if reference is None:
        reference = next((name for name in names if name.split(" · ")[-1] == "reference"), None)
    others = [kpi for kpi in (kpis or COMPARED) if kpi != goal]
    question = Question((goal, *others), goal, baseline if baseline is not None else names[0], reference)
    beliefs = {} if belief is None else {one.hash: belief for one in scenarios.values()}
    effort = Effort(seed, replications, half_width, jobs or available_threads(), processes)
    return compare_arms(arms, question, effort, beliefs=beliefs, progress=progress)


COMPARED = ("profit", "gmv", "orders", "new_customers", "media", "roi")
"""Figures compared unless others are asked for."""


def _check_scenario(scenario: object) -> None:
    from omnisim.scenario.model import Scenario

    if not isinstance(scenario, Scenario):
        got = repr(str(scenario)) if isinstance(scenario, str | Path) else type(scenario).__name__
        raise UsageError(Fault("run", "scenario", got, "must be a Scenario, not a file or another thing",
                               "Use om.run(om.load(path))."))


def _check_counts(seed: int, replications: int, replication: int | None, threads: int | None) -> list[int]:
    """The numbers of the replications to run."""
    faults = []
    for name, value, least, most in (("seed", seed, 0, 2**32 - 1), ("replications", replications, 1, MOST_REPLICATIONS),
                                     ("replication", replication, 0, 2**32 - 1), ("threads", threads, 1, MOST_THREADS)):
        if value is None and name in ("replication", "threads"):
            continue
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            faults.append(Fault("run", name, repr(value), f"must be a whole number from {least} to {most:,}",
                                "Correct it."))
    if not faults and replication is not None and replications != 1:
        faults.append(Fault("run", "replication", str(replication), "is one replication run alone",
                            "Leave replications out."))
    if faults:
        raise UsageError(*faults)
    return [replication] if replication is not None else list(range(replications))


def _part(progress: Progress | None, done: int, parts: int) -> Progress | None:
    """Progress of one part out of several, told as progress of the whole."""
    if progress is None or parts == 1:
        return progress
    return lambda days, total: progress(done * total + days, parts * total)
