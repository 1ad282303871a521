"""Fit a scenario to the brand's own table, check it on fresh luck, and say what the table cannot tell."""

from __future__ import annotations

import html
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omnisim.errors import Fault
from omnisim.scenario.model import Scenario
from omnisim.study.brand_tables import BrandTables
from omnisim.study.fitting import Problem, Search, cost, effort, tidy
from omnisim.study.start import build
from omnisim.study.targets import FIRST, GMV, ORDERS, UV, Floats, Task, match, observe
from omnisim.study.unidentified import Unidentified, list_unidentified

if TYPE_CHECKING:
    import pandas as pd

Progress = Callable[[int, int], None]
KIND = "omnisim fit"
"""What the manifest calls a directory with a fit."""
TOLERANCE = 0.03
"""How far a simulated figure may be from the table's, beside two standard errors."""
CHECKS = 4
"""Runs with luck that the fit has not seen."""
RETRIES = 2
"""Further batches when the check fails: its runs then join the fit, and others are fresh."""
MEASURES = {"monthly_uv": "visitor/month", "cvr": "order/visitor", "aov": "currency/order", "gmv": "currency/month"}
"""Figures of the table that are compared, with units."""


@dataclass(frozen=True)
class Row:
    """One figure of the table beside the simulated one."""

    channel: str
    measure: str
    unit: str
    table: float
    simulated: float
    standard_error: float

    @property
    def deviation(self) -> float:
        """Simulated against table, relative."""
        return self.simulated / self.table - 1

    @property
    def within(self) -> bool:
        """Whether it lies within 3 % and two standard errors."""
        return abs(self.simulated - self.table) <= TOLERANCE * self.table + 2 * self.standard_error


@dataclass(frozen=True)
class Fit:
    """A fitted scenario and how well it fits.

    Parameters
    ----------
    scenario : Scenario  the fitted one
    rows : tuple of Row  each figure of the table, simulated on four fresh replications
    fitted : path -> value  what was changed, and to what
    unidentified : tuple of Unidentified  what the table cannot tell, with its range
    warnings : tuple of Fault  figures that were not reached, tables that contradict themselves
    seed : int  the seed of the fit; replications 0 to 3 of it are the check
    """

    scenario: Scenario
    rows: tuple[Row, ...]
    fitted: dict[str, float]
    unidentified: tuple[Unidentified, ...]
    warnings: tuple[Fault, ...] = ()
    seed: int = 1
    _cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def table(self) -> pd.DataFrame:
        """The figures: channel, measure, unit, table, simulated, standard_error, deviation_percent, within."""
        import pandas as pd

        return pd.DataFrame([{
            "channel": row.channel, "measure": row.measure, "unit": row.unit, "table": row.table,
            "simulated": tidy(row.simulated), "standard_error": tidy(row.standard_error),
            "deviation_percent": round(100 * row.deviation, 2), "within": row.within} for row in self.rows])

    @property
    def unidentified_table(self) -> pd.DataFrame:
        """What the table cannot tell: parameter, value, unit, low, high, why."""
        import pandas as pd

        return pd.DataFrame(self.unidentified, columns=list(Unidentified._fields))

    def save(self, directory: str | Path) -> None:
        """Write scenario.yaml (the fitted scenario), fit.csv and unidentified.csv.

        Raises
        ------
        UsageError  where the directory holds something else
        StorageError  where the disk refuses
        """
        from omnisim import storage
        from omnisim.scenario.write import to_yaml

        path = Path(directory)
        texts = {"scenario.yaml": self._heading() + to_yaml(self.scenario.to_dict()), "fit.csv": csv(self.table),
                 "unidentified.csv": csv(self.unidentified_table)}
        storage.claim_directory(path, KIND)
        storage.open_manifest(path, KIND, texts)
        for name, text in texts.items():
            storage.write_text(path / name, text)
        storage.write_json(path / storage.MANIFEST, {
            "kind": KIND, "complete": True, "scenario_hash": self.scenario.hash, "seed": self.seed,
            "files": {name: storage.digest(path / name) for name in texts}})

    def _heading(self) -> str:
        """Comments at the top of the scenario: how good it is, what was fitted, what is assumed."""
        worst = max(self.rows, key=lambda row: abs(row.deviation))
        lines = [
            f"Fitted to the brand's channel status table: {sum(row.within for row in self.rows)} of {len(self.rows)} "
            "figures within 3 % and two standard errors,",
            f"the worst is {worst.measure} of {worst.channel}: {100 * worst.deviation:+.1f} %.",
            "Fitted: " + ", ".join(self.fitted) + ".",
            "Everything else is assumed. The table fits as well with other values of what follows; vary it before an",
            "answer about budgets is trusted (see unidentified.csv):",
            *(f"  {row.parameter} = {row.value:.6g} {row.unit}, {row.low:.4g} to {row.high:.4g}"
              for row in self.unidentified),
            *(f"Beware: {note}" for note in self.warnings)]
        return "".join(f"# {line}\n" for line in lines) + "\n"

    def __str__(self) -> str:
        within = sum(row.within for row in self.rows)
        return (f"{within} of {len(self.rows)} figures within 3 % and two standard errors\n{self.table.to_string()}\n"
                f"{len(self.unidentified)} values that the table cannot tell: see unidentified_table")

    def _repr_html_(self) -> str:
        within = sum(row.within for row in self.rows)
        title = f"{within} of {len(self.rows)} figures within 3 % and two standard errors"
        notes = "".join(f"<li>{html.escape(str(note))}</li>" for note in self.warnings)
        return (f"<p><b>{html.escape(title)}</b></p>{self.table.to_html(index=False)}<ul>{notes}</ul>"
                f"<p>What the table cannot tell:</p>{self.unidentified_table.to_html(index=False)}")


def fit(brand: BrandTables, *, scenario: Scenario | None = None, seed: int = 1, threads: int = 1,
        progress: Progress | None = None) -> Fit:
    """Fit a scenario to the brand's channel status table.

    Parameters
    ----------
    brand : BrandTables  the tables; a daily table, if there is one, gives the budgets of a new scenario
    scenario : Scenario  where to start from, kept but for what is fitted; built from the table unless given
    seed : int  the luck of the fit
    threads : int
    progress : callable  told the work done and the work to do

    Raises
    ------
    UsageError  where the scenario does not have the table's channels, or a warm-up below 210 days
    """
    start = scenario or build(brand)
    targets = match(brand.status, start)
    problem = Problem(start, targets)
    check = cost(start, CHECKS, small=False)
    work = Work(effort(problem) + check, progress)
    search = Search(problem, seed, threads, work.add)
    values, months = _search(problem, search, check, work)
    final = problem.apply(values)
    rows = tuple(compare(problem, months))
    budgets = {f"channels.{t.channel}.budget" for t in targets if scenario is not None or any(
        day.channel == start.channels[t.channel].preset for day in brand.daily)}
    mean = months.mean(axis=0)
    first = {target.channel: float(mean[row, FIRST] / max(mean[row, ORDERS], 1))
             for target, row in zip(targets, problem.rows, strict=True) if target.sells}
    warnings = (*brand.warnings, *daily_table(brand, scenario is not None), *missed(rows, problem, values))
    work.finish()
    return Fit(final, rows, changed(start, final), list_unidentified(final, targets, first, budgets), warnings, seed)


def _search(problem: Problem, search: Search, check: int, work: Work) -> tuple[Floats, Floats]:
    """The fitted unknowns, and months simulated with them on luck that the fit has not seen."""
    values = search.run()
    for attempt in range(RETRIES + 1):
        tasks = [Task(problem.apply(values), attempt * CHECKS + n) for n in range(CHECKS)]
        months = observe(tasks, search.seed, search.threads)
        work.add(check)
        if attempt == RETRIES or all(row.within for row in compare(problem, months)):
            break
        work.total += check
        values = search.learn(values, months)
    return values, months


@dataclass
class Work:
    """Work done and to do, told to a progress bar."""

    total: int
    progress: Progress | None
    done: int = 0

    def add(self, amount: int) -> None:
        """Some work is done."""
        self.done += amount
        self.total = max(self.total, self.done + 1)
        if self.progress:
            self.progress(self.done, self.total)

    def finish(self) -> None:
        """All work is done."""
        if self.progress:
            self.progress(self.total, self.total)


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
            error = float(values.std(ddof=1) / np.sqrt(len(values)))
            yield Row(target.channel, measure, MEASURES[measure].replace("currency", currency), wanted[measure],
                      float(values.mean()), error)


def daily_table(brand: BrandTables, has_scenario: bool) -> Iterator[Fault]:
    """What becomes of a daily table."""
    if brand.daily:
        rule = "is not used with a scenario" if has_scenario else "only its costs are used, as budgets a day"
        yield Fault("--data", "daily monitoring", f"{len(brand.daily)} rows", rule,
                    "Write budgets and campaigns into the scenario.")


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
    if start.brand.new_customers != final.brand.new_customers:
        found["brand.new_customers"] = final.brand.new_customers
    return found


def csv(frame: pd.DataFrame) -> str:
    """A frame as CSV that spreadsheets read."""
    text = io.StringIO()
    frame.to_csv(text, index=False, lineterminator="\n")
    return "\ufeff" + text.getvalue()
