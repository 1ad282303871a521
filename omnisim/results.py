"""What a run gives: tables, figures, plots and a directory that others can read."""

from __future__ import annotations

import html
import math
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, overload
from unicodedata import east_asian_width

from omnisim.errors import Fault, UsageError
from omnisim.vocabulary import COLUMNS, KPI_ZH, PHRASES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from omnisim.books import Books
    from omnisim.plan import Plan
    from omnisim.scenario.model import Scenario

KIND = "omnisim result"
"""What the manifest calls a result directory."""
PACKAGES = ("omnisim", "numpy", "numba", "scipy", "simpy", "pandas", "duckdb")
"""Packages whose versions the manifest states."""
HEADLINE = ("gmv", "orders", "aov", "visits", "monthly_uv", "cvr", "new_customers", "cac", "roi", "profit",
            "repeat_order_share", "repeat_rate_12m", "k_factor", "return_rate", "fill_rate", "ltv_12m")
"""Figures of the summary."""


class Table:
    """A table of a result: made on first use, then kept; the reader gets a copy that costs nothing."""

    def __init__(self, meaning: str) -> None:
        self.__doc__ = meaning

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    @overload
    def __get__(self, result: None, owner: type) -> Table: ...

    @overload
    def __get__(self, result: Result, owner: type) -> pd.DataFrame: ...

    def __get__(self, result: Result | None, owner: type) -> Table | pd.DataFrame:
        return self if result is None else result.table(self.name)


class Result:
    """What one scenario gave in one or several replications.

    Parameters
    ----------
    scenario : Scenario  what was simulated
    books : sequence of Books  one for each replication
    seed : int  seed of all of them
    replications : sequence of int  their numbers
    plan : Plan  the plan they ran, or None for the scenario's own
    language : "en" or "zh"  of summaries, plots and the brand's tables; the scenario's if left out

    Notes
    -----
    Tables and plots show the first replication; :meth:`kpis` are over all.
    """

    daily = Table("Day × channel: visits, orders, gmv, cost, profit and loss. Money in currency.")
    channels = Table("Window × channel: the state before the run (`baseline`) and over it (`run`).")
    stages = Table("Day: people in each of the 16 stages at midnight.")
    transitions = Table("Month × transition: how often each of the 39 moves happened. An order or a seat whose "
                        "stage has no such move is none, so orders and joins are counted in `daily`.")
    flows = Table("From × to: visits and orders that channels led to each other.")
    journeys = Table("Path of touches (the first and the last five): journeys that ended, orders, gmv.")
    cohorts = Table("Month of first order × months since: who ordered again.")
    stock = Table("Day × node × sku: units on hand, on order, asked for, filled, lost.")
    moves = Table("Day × node × sku: units ordered, sent on, late, oversold, switched, substituted, picked up.")
    hours = Table("Hour × channel on days with broadcasts: visits, orders, cancellations.")
    deliveries = Table("Node × channel × days from order to consumer: orders.")
    orders = Table("Order lines, above a million a sample of consumers with weights.")
    decisions = Table("Review: what the policy saw and changed.")
    segments = Table("Segment: what each group of consumers did.")

    def __init__(self, scenario: Scenario, books: Sequence[Books], *, seed: int = 1, replications: Sequence[int] = (0,),
                 plan: Plan | None = None, language: str | None = None) -> None:
        if not books or len(books) != len(replications):
            raise UsageError(Fault("Result", "books", f"{len(books)} for {len(replications)} replications",
                                   "must be one for each replication", "Give as many books as replications."))
        self.scenario = scenario
        self.books = tuple(books)
        self.seed = seed
        self.replications = tuple(replications)
        self.plan = plan
        self.language: str = language or scenario.language
        self._tables: dict[str, pd.DataFrame] = {}

    def table(self, name: str) -> pd.DataFrame:
        """A table by its name, of the first replication.

        Raises
        ------
        UsageError  for a name that is no table
        """
        from omnisim.measure.tables import TABLES

        if name not in TABLES:
            raise UsageError(Fault("result", "table", name, "must be a table of a result",
                                   f"Choose one of {', '.join(TABLES)}."))
        if name not in self._tables:
            self._tables[name] = TABLES[name](self.scenario, self.books[0])
        return self._tables[name].copy(deep=False)

    def kpis(self) -> pd.DataFrame:
        """The figures of the run: kpi, value, unit, low, high, formula, interval.

        Notes
        -----
        ``low`` and ``high`` bound a 95 % interval and ``interval`` says how it was found: one run by the jackknife
        over 20 groups of consumers, several by Student's t over their seeds. Money in the scenario's currency.
        """
        return self._kpis.copy(deep=False)

    @cached_property
    def _kpis(self) -> pd.DataFrame:
        from omnisim.measure.kpis import kpis

        return kpis(self.scenario, self.books)

    @property
    def stock_costs(self) -> pd.DataFrame:
        """What stock cost, by node and article [currency]: holding, orders, moving, express, lost, expired, total."""
        from omnisim.measure.stock_cost import stock_costs

        return stock_costs(self.scenario, self.books[0])

    @property
    def plot(self) -> ResultPlots:
        """Plots of the tables: funnel, daily, states, flows, cohorts; each gives matplotlib axes."""
        return ResultPlots(self)

    def save(self, directory: str | Path, *, log: Mapping[str, object] | None = None) -> Path:
        """Write the result directory: tables as Parquet, the brand's tables as CSV, scenario, manifest, log, funnel.

        Parameters
        ----------
        directory : path  new, empty, or an earlier result, which is written over
        log : name -> value  what run.log states: wall seconds, host; never part of the manifest

        Returns
        -------
        Path of the directory

        Raises
        ------
        UsageError  for a directory that holds something else
        StorageError  if the disk refuses

        Notes
        -----
        The same run gives the same bytes, except for run.log. Several replications are saved by their figures
        (kpis), the mean of their channel status and the other tables of the first.
        """
        from omnisim import storage
        from omnisim.canvas import to_png
        from omnisim.measure import brand
        from omnisim.measure.tables import TABLES

        path = Path(directory)
        tables = {**{name: self.table(name) for name in TABLES}, "kpis": self.kpis()}
        names = [*(f"{name}.parquet" for name in tables), *FILES]
        storage.claim_directory(path, KIND)
        storage.open_manifest(path, KIND, names)
        for name, frame in tables.items():
            storage.write_table(path / f"{name}.parquet", frame)
        self.scenario.save(path / "scenario.yaml")
        status = [TABLES["channels"](self.scenario, books) for books in self.books]
        for name, text in (("channel_status.csv", brand.channel_status(self.scenario, status, self.language)),
                           ("daily_monitoring.csv", brand.daily_monitoring(self.scenario, self.daily, self.language))):
            storage.write_text(path / name, text, encoding="utf-8-sig")
        storage.write_text(path / "columns.csv", columns(tables))
        storage.write_bytes(path / "funnel.png", to_png(self.plot.funnel()))
        storage.write_text(path / "run.log", "".join(f"{name}: {value}\n" for name, value in (log or {}).items()))
        storage.write_json(path / storage.MANIFEST, self._manifest(path, names))
        return path

    def _manifest(self, path: Path, names: Sequence[str]) -> dict[str, Any]:
        """What was run and with what; nothing that differs between two equal runs."""
        from omnisim.storage import digest

        return {
            "kind": KIND,
            "complete": True,
            "scenario": self.scenario.name,
            "scenario_hash": self.scenario.hash,
            "seed": self.seed,
            "replications": list(self.replications),
            "plan": None if self.plan is None else asdict(self.plan),
            "numbers_version": NUMBERS,
            "language": self.language,
            "python": platform.python_version(),
            "packages": {name: _version(name) for name in PACKAGES},
            "files": {name: "" if name in UNHASHED else digest(path / name) for name in names},
        }

    def summary_rows(self) -> list[tuple[str, str, str]]:
        """The main figures for printing: name, value with unit, interval."""
        table = self.kpis().set_index("kpi").loc[list(HEADLINE)]
        return [
            (KPI_ZH[name] if self.language == "zh" else name.replace("_", " "), _shown(value, unit),
             "" if math.isnan(low) else f"{_shown(low, unit, bare=True)} … {_shown(high, unit, bare=True)}")
            for name, value, unit, low, high in table[["value", "unit", "low", "high"]].itertuples()
        ]

    def channel_rows(self) -> list[tuple[str, ...]]:
        """What each channel is there for and brought over the reported days: a head and a row a channel."""
        table = self.channels
        labels, roles = self._labels(), {name: c.role for name, c in self.scenario.channels.items()}
        rows = [tuple(self._say(word) for word in ("channel", "role", "visitors a month", "orders", "gmv", "media",
                                                   "profit"))]
        for name, *values, media, profit in table[table["window"] == "run"][
                ["channel", "monthly_uv", "orders", "gmv", "media", "profit"]].to_numpy().tolist():
            rows.append((labels[name], self._say(roles[name].replace("_", " ")),
                         *("–" if math.isnan(value) else f"{value:,.0f}" for value in (*values, abs(media), profit))))
        return rows

    def _labels(self) -> dict[str, str]:
        """Names of channels in the language of the result."""
        zh = self.language == "zh"
        return {name: (channel.label_zh if zh else channel.label) or name
                for name, channel in self.scenario.channels.items()}

    def heading(self) -> str:
        """What was run, in one line."""
        phrase = "{name}: {days} days from {start}, seed {seed}"
        if len(self.books) > 1:
            phrase += ", {count} replications (tables show the first)"
        return self._say(phrase).format(name=self.scenario.name, days=self.books[0].days, seed=self.seed,
                                        start=self.scenario.horizon.start, count=len(self.books))

    def summary(self) -> str:
        """Heading and main figures as plain text."""
        return "\n".join([self.heading(), *(f"  {_padded(name, 20)} {value:>16}   {interval}".rstrip()
                                            for name, value, interval in self.summary_rows())])

    def __repr__(self) -> str:
        return f"<Result {self.heading()}>"

    def _repr_html_(self) -> str:
        heads = tuple(self._say(word) for word in ("figure", "value", "95 % interval"))
        figures = _html_table([heads, *self.summary_rows()], texts=1)
        channels = _html_table(self.channel_rows(), texts=2)
        return (f"<p><b>{html.escape(self.heading())}</b></p><div style='display:flex;flex-wrap:wrap;gap:2em;"
                f"align-items:flex-start'>{figures}{channels}</div>")

    def _say(self, phrase: str) -> str:
        return PHRASES[phrase] if self.language == "zh" else phrase


class ResultPlots:
    """Plots of a result; each method gives matplotlib axes and answers one question."""

    def __init__(self, result: Result) -> None:
        self._result = result

    def funnel(self) -> Axes:
        """Where do we lose people on the way to an order?"""
        from omnisim import plots

        return plots.funnel(self._result.daily, self._result.language)

    def daily(self, measure: str = "orders") -> Axes:
        """How much does each channel bring a day?

        Parameters
        ----------
        measure : str  numeric column of the table `daily`, with its unit there

        Raises
        ------
        UsageError  for anything else
        """
        from omnisim import plots

        return plots.daily(self._result.daily, measure, self._result._labels(), self._result.language)

    def states(self) -> Axes:
        """Where does the market stand, and does it move towards us?"""
        from omnisim import plots

        return plots.states(self._result.stages, self._result.language)

    def flows(self) -> Axes:
        """Which channel leads people to which other?"""
        from omnisim import plots

        return plots.flows(self._result.flows, self._result._labels(), self._result.language)

    def cohorts(self) -> Axes:
        """Do customers come back in the months after their first order?"""
        from omnisim import plots

        return plots.cohorts(self._result.cohorts, self._result.language)


FILES = ("scenario.yaml", "columns.csv", "channel_status.csv", "daily_monitoring.csv", "run.log", "funnel.png")
"""Files of a result directory beside its tables and manifest."""
UNHASHED = ("run.log", "funnel.png")
"""Of these, what may differ between two equal runs: time and place, and how a machine draws letters."""
NUMBERS = 1
"""Version of the numbers: raised whenever the same scenario and seed give other figures."""


def _html_table(rows: Sequence[Sequence[str]], *, texts: int) -> str:
    """Rows as an HTML table, the first as its head; all but the first `texts` columns are numbers, to the right."""
    def line(cells: Sequence[str], tag: str) -> str:
        return "".join(f"<{tag} style='text-align:{'left' if place < texts else 'right'};padding:2px 8px'>"
                       f"{html.escape(cell)}</{tag}>" for place, cell in enumerate(cells))

    body = "".join(f"<tr>{line(row, 'td')}</tr>" for row in rows[1:])
    return f"<table><thead><tr>{line(rows[0], 'th')}</tr></thead><tbody>{body}</tbody></table>"


def columns(tables: Mapping[str, pd.DataFrame]) -> str:
    """What each column of the tables means, as CSV: table, column, unit, meaning, Chinese header."""
    import csv
    import io

    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("table", "column", "unit", "meaning", "zh"))
    for table, frame in tables.items():
        for name in frame.columns:
            column = COLUMNS.get(str(name))
            writer.writerow((table, name, *((column.unit, column.meaning, column.zh) if column else ("", "", ""))))
    return text.getvalue()


def _version(package: str) -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _shown(value: float, unit: str, *, bare: bool = False) -> str:
    """A figure as a reader wants it: money with its currency unless bare, counts and ratios alone."""
    if math.isnan(value):
        return "–"
    if unit in ("share", "order/visitor"):
        return f"{100 * value:.2f} %"
    text = f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
    return f"{text} {unit.partition('/')[0]}" if unit[:3].isupper() and not bare else text


def _padded(text: str, width: int) -> str:
    """Text filled up to a width, where a Chinese character takes two."""
    wide = sum(east_asian_width(letter) in "WF" for letter in text)
    return text + " " * max(0, width - len(text) - wide)
