"""Are known parameters found again, and do the intervals tell the truth about it?

    python benchmarks/recovery.py [--seeds 30] [--first 0] [--threads 2] [--own-slopes] [--case CASE] [--rows FILE]

A tenth of the brand: 100,000 consumers, one person each. For each seed the true market is lived once and writes the
brand's tables: a month by channel (T1: the 90 days before the start, 30 days each) and twenty days of the 618 pre-sale
by channel (T3). The fit starts from other values, with other luck, and knows the tables alone: once T1, once T1 and T3.
The Jacobian is that of the true market on four lucks, once for all seeds; with --own-slopes each fit measures its own,
which takes three times as long. With --rows, seeds are added to a file, so that they can be run in pieces; the table in
benchmarks/recovery.md is of all seeds in it.
"""

from __future__ import annotations

import argparse
import datetime
import json
import math
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from omnisim.scenario.load import load
from omnisim.scenario.model import Scenario
from omnisim.study.calibration.brand_tables import ChannelStatus, DailyRecord
from omnisim.study.calibration.certainty import Belief, error_of_catalogue, judge_values
from omnisim.study.calibration.daily import NOTHING, match_days, set_visits
from omnisim.study.calibration.fitting import Problem, Search
from omnisim.study.calibration.targets import COUNTED, GMV, ORDERS, UV, Floats, Task, match, observe

HERE = Path(__file__).parent
SHARE = 10
"""Part of the brand that is simulated: one in so many."""
DATES = tuple(datetime.date(2024, 6, 1) + datetime.timedelta(days=k) for k in range(20))
AWAY = {"level": 0.7, "revisit": 0.3, "intercept": 0.6, "repeat_weight": 0.5, "new_customers": 0.5, "factor": 0.15}
"""How far from the truth a fit starts, in logs (log-odds): standard deviation."""
BATCHES = 2
"""Batches of four runs on the full population in each fit."""
CASES = ("T1", "T1 and T3")


def truth() -> Scenario:
    """A tenth of the shipped brand."""
    brand = load(HERE.parent / "scenarios" / "brand.yaml")
    assert brand.community is not None
    tenth = {f"channels.{name}.{field}": getattr(channel, field) / SHARE for name, channel in brand.channels.items()
             for field in ("budget", "organic_impressions")}
    return brand.with_(tenth | {
        "population.size": brand.population.size // SHARE, "brand.new_customers": brand.brand.new_customers / SHARE,
        "community.seats": brand.community.seats // SHARE, "community.members": brand.community.members // SHARE,
        "supply.unlimited": True})


def pose(true: Scenario, start: Scenario, month: Floats, case: str, off: Floats | None = None) -> Problem:
    """The problem that one month of the true market's tables poses to a fit that starts elsewhere.

    Without T3 the catalogue's visits per visitor are off the brand's by `off`, in logs.
    """
    names = sorted(true.channels)
    status, daily = [], []
    for name, counts in zip(names, month, strict=True):
        if name == "xiaohongshu":  # as the brand's own table
            continue
        uv, orders, gmv = counts[UV], counts[ORDERS], counts[GMV]
        status.append(ChannelStatus(name, name, uv, orders / uv, gmv / orders, gmv))
        visits, new_users, orders, gmv, cost = counts[len(COUNTED):]
        daily += [DailyRecord(date, name, name, visits, new_users, orders, gmv, gmv / orders, cost, None, "")
                  for date in DATES]
    targets = match(status, start)
    if case == "T1":
        wrong = np.zeros(len(targets)) if off is None else off
        return Problem(start, tuple(replace(target, visits_per_visitor=target.visits_per_visitor * math.exp(by))
                                    for target, by in zip(targets, wrong.tolist(), strict=True)), NOTHING)
    asked = match_days(daily, start, targets)
    return Problem(start, set_visits(targets, asked), asked)


def places(problem: Problem, true: Scenario) -> Floats:
    """The true values of a problem's unknowns, on the lines that the search runs along."""
    at, found = problem.scenario, []
    for unknown in problem.unknowns:
        if unknown.name == "new_customers":
            found.append(math.log(true.brand.new_customers))
            continue
        channel = true.channels[unknown.channel]
        if unknown.name == "factor":
            campaign = true.calendar.campaigns[problem.asked.periods[unknown.period].campaign]
            assert isinstance(campaign.factor, dict)
            found.append(math.log(campaign.factor[unknown.channel]))
        elif unknown.name == "level":
            found.append(math.log(channel.direct / at.channels[unknown.channel].direct))
        elif unknown.name == "intercept":
            found.append(channel.intercept)
        else:
            found.append(math.log(getattr(channel, unknown.name)))
    return np.array(found)


class Shared(Search):
    """A search that takes its Jacobian as given."""

    given: Floats | None = None

    def slopes(self, values: Floats) -> Floats:
        return super().slopes(values) if self.given is None else self.given


def measure_slopes(true: Scenario, case: str, threads: int) -> Floats:
    """The Jacobian at the truth, the mean over four lucks."""
    month = observe([Task(true, 0, (DATES,))], 99, 1)[0]
    problem = pose(true, true, month, case)
    return np.mean([Search(problem, 100 + k, threads, lambda _: None).slopes(places(problem, true)) for k in range(4)],
                   axis=0)


def recover(true: Scenario, seed: int, case: str, threads: int, slopes: Floats | None) -> list[dict[str, Any]]:
    """One fit from elsewhere: what it says of each unknown, beside the truth."""
    month = observe([Task(true, 0, (DATES,))], 10_000 + seed, 1)[0]
    luck = np.random.default_rng(seed)
    there = pose(true, true, month, case)
    away = np.array([AWAY[unknown.name] for unknown in there.unknowns]) * luck.standard_normal(len(there.unknowns))
    low, high = (np.array([getattr(unknown, end) for unknown in there.unknowns]) for end in ("low", "high"))
    begin = np.clip(places(there, true) + away, low, high)
    off = np.array([error_of_catalogue(there, row) for row in range(len(there.targets))])
    problem = pose(true, there.apply(begin), month, case, off * luck.standard_normal(off.size))
    search = Shared(problem, 20_000 + seed, threads, lambda _: None)
    search.given = slopes
    values = search.run_full(search.run_small(), steps=BATCHES)
    true_at = places(problem, true)
    return [row(seed, case, belief, value, at) for belief, value, at in zip(
        judge_values(search, values), values.tolist(), true_at.tolist(), strict=True)]


def row(seed: int, case: str, belief: Belief, value: float, at: float) -> dict[str, Any]:
    is_plain = belief.parameter.endswith("intercept")
    low, high = (end if is_plain else math.log(end) for end in (belief.low, belief.high))
    middle = belief.value if is_plain else math.log(belief.value)
    return {"seed": seed, "case": case, "parameter": belief.parameter, "error": value - at, "half": (high - low) / 2,
            "covered": bool(low - middle <= at - value <= high - middle), "identified": belief.identified,
            "why": belief.why}


def table(rows: list[dict[str, Any]], case: str) -> list[str]:
    """A line for each parameter: error, interval, coverage, and how often it was called identified."""
    lines = ["| parameter | identified | mean error | error (root mean square) | interval, half | covered | |",
             "| --- | --- | --- | --- | --- | --- | --- |"]
    mine = [one for one in rows if one["case"] == case]
    for parameter in dict.fromkeys(one["parameter"] for one in mine):
        here = [one for one in mine if one["parameter"] == parameter]
        error = np.array([one["error"] for one in here])
        known = sum(one["identified"] for one in here)
        why = next((one["why"] for one in here if one["why"]), "")
        mean = f"{error.mean():+.3f} ± {error.std() / len(here) ** 0.5:.3f}"
        half, rms = np.mean([one["half"] for one in here]), np.sqrt((error**2).mean())
        lines.append(f"| {parameter} | {known} of {len(here)} | {mean} | {rms:.3f} | {half:.3f} "
                     f"| {sum(one['covered'] for one in here)} of {len(here)} | {why} |")
    return lines


def tell(rows: list[dict[str, Any]], seconds: float) -> str:
    """The page."""
    n = len({one["seed"] for one in rows})
    text = ["# Recovery\n\n`python benchmarks/recovery.py`: a tenth of the shipped brand (100,000 consumers), "
            f"{n} seeds; {seconds / n:.0f} s of processor time a seed for both fits. Errors and intervals in logs "
            "(log-odds for intercepts): 0.05 is 5 %. An interval of 95 % should cover the truth in 28 or 29 of 30 "
            "seeds, and in 26 or more with a chance of 98 %.\n\nFits start off the truth by "
            + ", ".join(f"{by:g} ({name})" for name, by in AWAY.items())
            + ", standard deviations; with T1 alone the catalogue's visits per visitor are off as well, by as much as "
            "its ranges say.\n\n"
            "What the tables cannot identify the fit says itself (column `identified`), with the reason; such a value "
            "rests on where the fit started, and its interval on how far that may be off.\n"]
    for case in CASES:
        known = [one for one in rows if one["case"] == case and one["identified"]]
        share = np.mean([one["covered"] for one in known]) if known else math.nan
        text += [f"\n## {case}\n", *table(rows, case),
                 f"\nOf the values called identified {100 * share:.1f} % are covered ({len(known)} intervals)."]
    return "\n".join(text) + "\n"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", type=int, default=30)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--own-slopes", action="store_true")
    parser.add_argument("--case", choices=CASES, action="append", help="one alone; both unless given")
    parser.add_argument("--rows", type=Path)
    parser.add_argument("--out", type=Path, default=HERE / "recovery.md")
    options = parser.parse_args()
    true, cases = truth(), options.case or CASES
    start = time.process_time()
    slopes = {case: None if options.own_slopes else measure_slopes(true, case, options.threads) for case in cases}
    rows: list[dict[str, Any]] = []
    for seed in range(options.first, options.first + options.seeds):
        before = time.process_time()
        found = [one for case in cases for one in recover(true, seed, case, options.threads, slopes[case])]
        found[0]["seconds"] = time.process_time() - before
        rows += found
        print(f"seed {seed}: {found[0]['seconds']:.0f} s", flush=True)
        if options.rows:
            with options.rows.open("a", encoding="utf-8") as file:
                file.writelines(json.dumps(one) + "\n" for one in found)
    print(f"{time.process_time() - start:.0f} s in all")
    if options.rows:
        rows = [json.loads(line) for line in options.rows.read_text(encoding="utf-8").splitlines()]
    text = tell(rows, sum(one.get("seconds", 0.0) for one in rows))
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
