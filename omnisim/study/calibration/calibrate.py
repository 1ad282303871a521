"""Fit a scenario to the brand's own table, check it on fresh luck, and say what the tables cannot tell."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omnisim.errors import Fault
from omnisim.scenario.model import Scenario
from omnisim.study.calibration import elasticity as advertising
from omnisim.study.calibration import fitting, private
from omnisim.study.calibration.brand_tables import BrandTables
from omnisim.study.calibration.certainty import judge_values
from omnisim.study.calibration.daily import NOTHING, check_factors, check_prices, match_days, prepare, set_visits
from omnisim.study.calibration.elasticity import HIGH, LOW, USUAL, ClickShares, Stance, beyond, stance, tested_channel
from omnisim.study.calibration.fit import Fit, Row
from omnisim.study.calibration.fitting import Problem, Search, cost
from omnisim.study.calibration.pace import adapt
from omnisim.study.calibration.private import PACE, TOUCH, PrivateRepeat, check_rate, check_target, off_target
from omnisim.study.calibration.start import build
from omnisim.study.calibration.targets import FIRST, GMV, ORDERS, UV, Floats, Task, column, match, observe
from omnisim.study.calibration.unidentified import campaign_lengths, doubtful, list_unidentified

if TYPE_CHECKING:
    from omnisim.study.purchases.repurchase import Repurchase

__all__ = ["Fit", "Row", "fit"]

Progress = Callable[[int, int], None]
CHECKS = 4
"""Runs with luck that the fit has not seen."""
STEPS = 3
"""Batches of runs on the full population, where advertising works less or more than usual: at most so many."""
RETRIES = 2
"""Further batches when the check fails: its runs then join the fit, and others are fresh."""
MEASURES = {"monthly_uv": "visitor/month", "cvr": "order/visitor", "aov": "currency/order", "gmv": "currency/month"}
"""Figures of the channel status table that are compared, with units."""
DAY_MEASURES = {"visits": "visit/day", "new_users": "user/day", "orders": "order/day", "gmv": "currency/day",
                "cost": "currency/day"}
"""Figures of the daily table that are compared, with units."""


def fit(brand: BrandTables, *, scenario: Scenario | None = None, elasticity: float | None = None, seed: int = 1,
        threads: int = 1, repurchase: Repurchase | None = None, private_repeat: float | None = None,
        progress: Progress | None = None) -> Fit:
    """Fit a scenario to the brand's channel status table and, if there is one, its daily monitoring table.

    Parameters
    ----------
    brand : BrandTables  the tables
    scenario : Scenario  where to start from, kept but for what is fitted; built from the tables unless given
    elasticity : float  short-run elasticity of orders to advertising that one click share for all channels is fitted
        to; 0 keeps the click shares; 0.12 unless given where there is a daily table, without one they are kept
    seed : int  the luck of the fit
    threads : int
    repurchase : Repurchase  fitted to a transaction log; goes into the scenario before it is fitted
    private_repeat : float [share]  buyers on the community's channel who order again within 90 days, to be reached
        within half a point beside the tables
    progress : callable  told the work done and the work to do

    Raises
    ------
    InfeasibleError  where no pace of repurchase gives private_repeat
    UsageError  where the scenario does not have the table's channels, a warm-up below 210 days, or its days not among
        those reported
    """
    start, told = scenario or build(brand), {}
    if private_repeat is not None:
        check_target(private_repeat, start)
    if repurchase is not None:
        repurchase = adapt(repurchase, start, seed=seed, threads=threads)
        start, told = repurchase.scenario or start, repurchase.changes
    targets, asked = match(brand.status, start), NOTHING
    if brand.daily:
        start = prepare(start, brand.daily)
        asked = match_days(brand.daily, start, targets)
        targets = set_visits(targets, asked)
    problem = Problem(start, targets, asked)
    sought = (USUAL if brand.daily else 0.0) if elasticity is None else elasticity
    channel = tested_channel(start) if sought else ""
    work = Work(stages(problem, bool(channel), private_repeat is not None), progress)
    search = Search(problem, seed, threads, work.add)
    work.begin("small")
    values = search.run_small()
    shares = ClickShares(search, problem, values, channel, work.add)
    if channel:
        work.begin("default")
        search.problem, values, search.slope = shares.find(sought)
    again: list[Row] = []
    doubted: list[Fault] = []
    if private_repeat is not None:
        work.begin("pace")
        pace = PrivateRepeat(search, search.problem, search.run_full(values), TOUCH if repurchase else PACE, work.add)
        shares.search, values = pace.settle(private_repeat)
        search = shares.search
    work.begin("full")
    values, seen, checks = _search(search, values, work)
    problem = search.problem
    final = problem.apply(values)
    if private_repeat is not None:
        work.begin("rate")
        again = [check_rate(final, private_repeat, seed=seed, threads=threads)]
        told, doubted = told | {pace.parameter: pace.value}, off_target(again[0], pace.parameter)
    stances, doubts = _stances(shares, values, sought, checks, work) if channel else ((), nothing_bought(sought))
    rows = tuple(compare(problem, seen))
    mean = seen.mean(axis=0)
    first = {target.channel: float(mean[row, FIRST] / max(mean[row, ORDERS], 1))
             for target, row in zip(targets, problem.rows, strict=True) if target.sells}
    warnings = (*brand.warnings, *check_prices(targets, asked), *check_factors(targets, asked),
                *missed(rows, problem, values), *doubts, *doubted, *beyond(stances))
    work.finish()
    warnings += repurchase.warnings if repurchase else ()
    unidentified = (*list_unidentified(final, targets, first, known_costs(problem, scenario is not None), stances),
                    *campaign_lengths(final, asked))
    beliefs = judge_values(search, values)
    return Fit(final, (*rows, *again), changed(scenario or start, final) | told,
               doubtful(unidentified, beliefs, set(told)), warnings, seed, stances, repurchase, beliefs)


def _stances(shares: ClickShares, values: Floats, sought: float, checks: range,
             work: Work) -> tuple[tuple[Stance, ...], list[Fault]]:
    """The fit, and what it would be if advertising worked less or more than is usual; what those do not reach.

    ``checks`` are the replications that the fit itself is checked on.
    """
    search = shares.search
    fitted = ClickShares(search, search.problem, values, shares.channel, shares.advance, shares.seen, shares.usual)
    found, faults = {"default": (sought, search.problem.apply(values))}, []
    for name, aim in (("low", sought * LOW / USUAL), ("high", sought * HIGH / USUAL)):
        work.begin(name)
        problem, moved, slope = fitted.find(aim)
        other = Search(problem, search.seed, search.threads, search.advance, n_runs=search.n_runs)
        other.slope = slope
        moved = other.run_full(moved, steps=STEPS)
        found[name] = aim, problem.apply(moved)
        check = compare(problem, observe([Task(found[name][1], n, problem.asked.dates) for n in checks],
                                         search.seed, search.threads))
        work.add(cost(problem.scenario, CHECKS, small=False))
        faults += [Fault("fit", f"{name}: {row.channel}.{row.measure}", f"{row.simulated:.6g} {row.unit}",
                         f"is {100 * row.deviation:+.1f} % off the table's {row.table:.6g}",
                         "The tables leave no room for advertising that works so.") for row in check if not row.within]
    work.begin("measure")
    measured = []
    for name in ("low", "default", "high"):
        aim, scenario = found[name]
        measured.append(stance(name, aim, scenario, shares.channel, seed=search.seed, threads=search.threads))
        work.add(advertising.effort(scenario)[1])
    return tuple(measured), faults


def nothing_bought(sought: float) -> list[Fault]:
    """Why no click share was fitted, where one was asked for."""
    return [Fault("fit", "click_share", "as it was", "an elasticity needs a channel that buys impressions, "
                  "and one that sells", "Give a channel a budget, and one a checkout.")] if sought else []


def known_costs(problem: Problem, has_scenario: bool) -> set[str]:
    """Budgets that are no guess: those of the scenario, or the daily table's if it has days outside of campaigns."""
    usual = {day.row for day in problem.asked.days if problem.asked.periods[day.period].campaign < 0}
    asked = {day.row for day in problem.asked.days}
    return {f"channels.{target.channel}.budget" for n, target in enumerate(problem.targets)
            if n in usual or (has_scenario and n not in asked)}


def _search(search: Search, values: Floats, work: Work) -> tuple[Floats, Floats, range]:
    """The fitted unknowns, months simulated with them on luck that the fit has not seen, and whose luck that is."""
    problem, values = search.problem, search.run_full(values)
    for attempt in range(RETRIES + 1):
        scenario = problem.apply(values)
        checks = range(attempt * CHECKS, (attempt + 1) * CHECKS)
        months = observe([Task(scenario, n, problem.asked.dates) for n in checks], search.seed, search.threads)
        work.add(cost(scenario, CHECKS, small=False))
        if attempt == RETRIES or all(row.within for row in compare(problem, months)):
            break
        values = search.learn(values, months)
    return values, months, checks


def stages(problem: Problem, advertised: bool, repeated: bool) -> dict[str, int]:
    """The stages of a fit in their order, and the work of each, in runs of the small population, roughly.

    Parameters
    ----------
    advertised : bool  whether a click share is fitted
    repeated : bool  whether a repurchase rate is
    """
    scenario = problem.scenario
    small, batch = fitting.effort(problem)
    full, check = fitting.FULL_STEPS * batch, cost(scenario, CHECKS, small=False)
    find, measure = advertising.effort(scenario) if advertised else (0, 0)
    settle, rate = private.effort(scenario) if repeated else (0, 0)
    other = find + STEPS * batch + check if advertised else 0
    return {"small": small, "default": find, "pace": full + settle if repeated else 0, "full": full + check,
            "rate": rate, "low": other, "high": other, "measure": 3 * measure}


@dataclass
class Work:
    """Work done, told to a progress bar: each stage has its part of the bar, which it fills when it ends."""

    stages: dict[str, int]
    progress: Progress | None
    done: int = 0
    end: int = 0

    def begin(self, stage: str) -> None:
        """A stage begins: those before it are done."""
        names = list(self.stages)
        self.done = sum(self.stages[name] for name in names[:names.index(stage)])
        self.end = self.done + self.stages[stage]
        self.add(0)

    def add(self, amount: int) -> None:
        """Some work of the stage is done; how much there is was guessed, so that it ends only when the next begins."""
        self.done = max(self.done, min(self.done + amount, self.end - 1))
        if self.progress:
            self.progress(self.done, sum(self.stages.values()))

    def finish(self) -> None:
        """All work is done."""
        if self.progress:
            self.progress(sum(self.stages.values()), sum(self.stages.values()))


def compare(problem: Problem, months: Floats) -> Iterator[Row]:
    """Each figure of the table beside its mean over the runs, with the standard error of that mean."""
    currency = problem.scenario.currency
    for target, row in zip(problem.targets, problem.rows, strict=True):
        seen = months[:, row]
        wanted = {"monthly_uv": target.uv}
        found = {"monthly_uv": seen[:, UV]}
        if target.sells:
            wanted |= {"cvr": target.orders / target.uv, "aov": target.order_value, "gmv": target.gmv}
            found |= {"cvr": seen[:, ORDERS] / np.maximum(seen[:, UV], 1),
                      "aov": seen[:, GMV] / np.maximum(seen[:, ORDERS], 1), "gmv": seen[:, GMV]}
        for measure, values in found.items():
            if measure == "gmv" and not target.gmv_counts:
                continue
            unit = MEASURES[measure].replace("currency", currency)
            yield _row(target.channel, measure, unit, wanted[measure], values)
    for day in problem.asked.days:
        target, seen = problem.targets[day.row], months[:, problem.rows[day.row]]
        for measure, unit in DAY_MEASURES.items():
            asked = getattr(day, measure)
            if asked == 0 or (measure in ("orders", "gmv") and not target.sells) or (
                    measure == "gmv" and not day.gmv_counts):
                continue
            yield _row(target.channel, f"{problem.asked.periods[day.period].name}_{measure}",
                       unit.replace("currency", currency), asked, seen[:, column(day.period, measure)])


def _row(channel: str, measure: str, unit: str, wanted: float, values: Floats) -> Row:
    return Row(channel, measure, unit, wanted, float(values.mean()), float(values.std(ddof=1) / np.sqrt(len(values))))


def missed(rows: tuple[Row, ...], problem: Problem, values: Floats) -> Iterator[Fault]:
    """What could not be reached, why, and what may help."""
    for row in rows:
        if row.within:
            continue
        stuck = [unknown.name for unknown, value in zip(problem.unknowns, values.tolist(), strict=True)
                 if unknown.channel == row.channel and min(value - unknown.low, unknown.high - value) < 1e-3]
        why = (f"{' and '.join(stuck)} can go no further" if stuck
               else "the channels' figures pull against each other, or luck does")
        if row.measure == "monthly_uv" and row.deviation > 0:
            cure = "Lower what brings visitors here: budget, organic_impressions, flows, the community's shares."
        elif row.measure == "monthly_uv":
            cure = "Raise the channel's reach, its budget or population.size."
        elif row.measure.endswith("_visits"):
            cure = "Check the daily table against the monthly one: visits per visitor follow from both."
        elif row.measure.endswith("_new_users"):
            cure = "Check the table: no more than all first visits in 60 days can register."
        elif row.measure.endswith("_cost"):
            cure = "Lower search_share: searches do not use the money up, or channel content and labour cost more."
        elif row.deviation > 0:
            cure = "Lower repurchase (brand.repurchase, brand.age), or check the table."
        else:
            cure = "Check stock (base_stock) and the table; raise reach, or what brings visitors here."
        yield Fault("fit", f"{row.channel}.{row.measure}", f"{row.simulated:.6g} {row.unit}",
                    f"is {100 * row.deviation:+.1f} % off the table's {row.table:.6g}: {why}", cure)


def changed(start: Scenario, final: Scenario) -> dict[str, float]:
    """The values that the fit changed, by path."""
    found = {f"channels.{name}.{key}": value for name, channel in final.channels.items()
             for key, value in channel.model_dump().items() if value != getattr(start.channels[name], key)}
    if start.community and final.community and start.community.click != final.community.click:
        found["community.click"] = final.community.click
    for n, campaign in enumerate(final.calendar.campaigns):
        before = start.calendar.campaigns[n].factor if n < len(start.calendar.campaigns) else 1.0
        if isinstance(campaign.factor, dict) and campaign.factor != before:
            was = before if isinstance(before, dict) else {}
            found |= {f"calendar.campaigns.{n}.factor.{name}": factor for name, factor in campaign.factor.items()
                      if was.get(name) != factor}
    if start.brand.new_customers != final.brand.new_customers:
        found["brand.new_customers"] = final.brand.new_customers
    return found
