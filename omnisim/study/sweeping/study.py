"""A study: what a sweep has found so far, as tables, queries, indices and plots."""

from __future__ import annotations

import html
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omnisim.errors import Fault, StorageError, UsageError
from omnisim.measure.intervals import jackknife
from omnisim.scenario.advice import did_you_mean
from omnisim.storage import MANIFEST, digest, write_table, write_text
from omnisim.study.sweeping.sensitivity import (
    bootstrap,
    elementary_effects,
    grid_indices,
    sobol_indices,
    summarise_effects,
)
from omnisim.study.sweeping.store import LEDGER, SHARDS, read_plan, read_study, run_frame, shard_name, storage_trouble
from omnisim.study.sweeping.sweep_plan import SweepPlan

if TYPE_CHECKING:
    from omnisim.study.sweeping.plots import StudyPlots

Floats = NDArray[np.float64]
FEW, MAIN = 12, ("profit", "gmv", "orders", "new_customers", "roi", "cac")
"""Points up to which a page shows each of them, and figures that it shows."""


class Study:
    """The runs of a sweep that are done.

    Parameters
    ----------
    directory : Path  study directory
    plan : SweepPlan  all its points
    shards : sequence of Path  files that the ledger knows
    failures : sequence of (point, replication, tries, reason)  runs that were given up

    Notes
    -----
    Columns are key (hash of base scenario, overrides, seed, replication and numbers version), point, replication,
    the paths that vary, and the metrics. Money is in the currency of the scenario.
    """

    def __init__(self, directory: Path, plan: SweepPlan, shards: Sequence[Path],
                 failures: Sequence[tuple[int, int, int, str]]) -> None:
        self.directory, self.plan, self.shards, self.failures = directory, plan, shards, failures
        self._frame: pd.DataFrame | None = None

    @property
    def is_complete(self) -> bool:
        """Whether every run of the sweep is done."""
        return self.n_done == self.plan.n_runs

    @property
    def n_done(self) -> int:
        """Runs that are done."""
        return len(self._all())

    @property
    def quarantine(self) -> pd.DataFrame:
        """Runs that were given up: point, replication, the paths that vary, tries, reason."""
        values = [[*self.plan.values(point), *rest] for point, _, *rest in self.failures]
        frame = pd.DataFrame(values, columns=[*self.plan.paths, "tries", "reason"])
        frame.insert(0, "replication", [replication for _, replication, *_ in self.failures])
        frame.insert(0, "point", [point for point, *_ in self.failures])
        return frame

    def to_frame(self) -> pd.DataFrame:
        """All runs that are done, by point and replication."""
        return self._all().copy()

    def query(self, sql: str) -> pd.DataFrame:
        """Ask the runs with SQL (DuckDB); their table is `runs`, and paths are quoted: "channels.douyin.budget".

        Raises
        ------
        UsageError  for SQL that cannot be run

        Examples
        --------
        >>> study.query('select "channels.douyin.budget", avg(profit) from runs group by all')  # doctest: +SKIP
        """
        with self._connect() as base:
            try:
                return base.execute(sql).df()
            except duckdb.IOException as error:
                raise _unreadable(self.directory, str(error)) from error
            except duckdb.Error as error:
                raise UsageError(Fault("query", "sql", "", " ".join(str(error).split()), "The table is called runs; "
                                       'quote paths: "channels.douyin.budget".')) from error

    def means(self) -> pd.DataFrame:
        """Point: the paths that vary, runs that are done, mean of each metric over them."""
        grouped = self._all().groupby("point", sort=True)
        frame = grouped[list(self.plan.metrics)].mean().reset_index()
        for place, (path, column) in enumerate(zip(self.plan.paths, self.plan.columns, strict=True)):
            frame.insert(1 + place, path, pd.Series([column[point] for point in frame["point"]], dtype=object)
                         .infer_objects())
        frame.insert(1 + len(self.plan.paths), "runs", grouped.size().to_numpy())
        return frame

    def main_means(self) -> pd.DataFrame:
        """Means by point for a page: the paths that vary, and the main ones of many metrics."""
        kept = self.plan.metrics
        main = [name for name in MAIN if name in kept] if len(kept) > len(MAIN) else []
        return self.means()[[*self.plan.varied, *(main or kept[:len(MAIN)])]]

    def export(self, path: str | Path) -> Path:
        """Write all runs into one file, sorted by key: the same runs give the same bytes, however they were made.

        Parameters
        ----------
        path : path ending in .csv or .parquet

        Raises
        ------
        UsageError  for another ending
        StorageError  if the disk refuses
        """
        path = Path(path)
        frame = self._all().sort_values("key", ignore_index=True)
        if path.suffix == ".parquet":
            write_table(path, frame)
        elif path.suffix == ".csv":
            write_text(path, frame.to_csv(index=False, lineterminator="\n"))
        else:
            raise UsageError(Fault("export", "path", str(path), "must end in .csv or .parquet", "Choose one of them."))
        return path

    def sobol(self, metric: str) -> pd.DataFrame:
        """What share of a metric's variance over the sweep each path explains (Sobol indices).

        Returns
        -------
        DataFrame  path; first: by itself; total: with all that it does together with others; 95 % intervals

        Raises
        ------
        UsageError  for a sweep that is neither a grid nor of the method saltelli, and where runs of a grid are missing

        Notes
        -----
        Of a grid the indices are exact for its values, weighed alike; intervals are over replications, from three on.
        Of saltelli they are estimated; intervals resample its groups. Luck is shared by all points, so little of it is
        in here.
        """
        plan, means = self.plan, self._by_point(metric)
        if plan.method == "grid" and plan.axes:
            sizes = [len(axis.values) for axis in plan.axes]
            if np.isnan(means).any():
                raise UsageError(Fault("sobol", metric, f"{int(np.isnan(means).sum())} points without a figure",
                                       "must be there at every point of a grid", "Run the sweep again."))
            found = np.array(grid_indices(means.reshape(sizes)))
            low, high = self._over_replications(metric, found, sizes)
        elif plan.method == "saltelli":
            groups = means.reshape(-1, len(plan.axes) + 2)
            groups = groups[~np.isnan(groups).any(axis=1)]
            if not len(groups):
                raise _too_few("sobol", metric)
            found = np.array(sobol_indices(groups))
            low, high = bootstrap(groups, sobol_indices)
        else:
            raise UsageError(Fault("sobol", "method", plan.method, "must be grid or saltelli for Sobol indices",
                                   "Sweep with method: saltelli."))
        return pd.DataFrame({"path": plan.paths, "first": found[0], "first_low": low[0], "first_high": high[0],
                             "total": found[1], "total_low": low[1], "total_high": high[1]})

    def morris(self, metric: str) -> pd.DataFrame:
        """How far each path moves a metric over its whole range, and how unevenly (Morris's elementary effects).

        Returns
        -------
        DataFrame  path; effect: mean; size: mean of its absolute value (μ*), with a 95 % interval; spread: standard
            deviation (σ), large where the effect depends on the place or on other paths

        Raises
        ------
        UsageError  for a sweep of another method than morris
        """
        plan = self.plan
        if plan.method != "morris":
            raise UsageError(Fault("morris", "method", plan.method, "must be morris for elementary effects",
                                   "Sweep with method: morris."))
        steps = len(plan.axes) + 1
        walks = self._by_point(metric).reshape(-1, steps)
        moves = self._moves().reshape(-1, steps, len(plan.axes))[:, 1:]
        whole = ~np.isnan(walks).any(axis=1)
        if not whole.any():
            raise _too_few("morris", metric)
        effects = elementary_effects(walks[whole], moves[whole])
        found = summarise_effects(effects)
        low, high = bootstrap(effects, summarise_effects)
        return pd.DataFrame({"path": plan.paths, "effect": found.mean, "size": found.size, "size_low": low[1],
                             "size_high": high[1], "spread": found.spread})

    @property
    def plot(self) -> StudyPlots:
        """Plots: heat, surface, sobol, morris; each gives matplotlib axes."""
        from omnisim.study.sweeping.plots import StudyPlots

        return StudyPlots(self)

    def heading(self) -> str:
        """What was run, in one line."""
        plan = self.plan
        n = len(plan.distinct)
        text = f"{plan.base.name}: {plan.method} of {n:,} point{'s' * (n != 1)}"
        if plan.replications > 1:
            text += f" × {plan.replications:,} replications"
        return f"{text}, seed {plan.seed}, {self.n_done:,} of {plan.n_runs:,} runs done"

    def summary(self) -> pd.DataFrame:
        """Metric: its least, mean and greatest value over points, and the point where it is greatest."""
        means = self.means()
        rows = []
        for name in self.plan.metrics:
            column = means[name]
            best = means.iloc[int(np.nanargmax(column.to_numpy()))] if column.notna().any() else None
            at = "" if best is None else ", ".join(f"{path} {best[path]}" for path in self.plan.varied)
            rows.append((name, column.min(), column.mean(), column.max(), at))
        return pd.DataFrame(rows, columns=["metric", "least", "mean", "greatest", "greatest at"])

    def __repr__(self) -> str:
        return f"<Study {self.heading()}>"

    def _repr_html_(self) -> str:
        table = self.summary().to_html(index=False, float_format=lambda value: f"{value:,.4g}")
        return f"<p><b>{html.escape(self.heading())}</b></p>{table}"

    def check_metric(self, metric: str) -> None:
        """Refuse what the study does not keep.

        Raises
        ------
        UsageError
        """
        if metric not in self.plan.metrics:
            raise UsageError(Fault("study", "metric", str(metric), "is not kept by this sweep",
                                   did_you_mean(str(metric), list(self.plan.metrics))))

    def _by_point(self, metric: str) -> Floats:
        """Means by point of the design (points,), those that come twice included; nan where no run is done."""
        self.check_metric(metric)
        values = np.full(self.plan.n_points, np.nan)
        means = self._all().groupby("point")[metric].mean()
        values[means.index.to_numpy(int)] = means.to_numpy(float)
        return values[self.plan.first]

    def _over_replications(self, metric: str, found: Floats, sizes: Sequence[int]) -> tuple[Floats, Floats]:
        """The jackknife over replications of grid indices; nan for fewer than three."""
        low, high = np.full_like(found, np.nan), np.full_like(found, np.nan)
        plan = self.plan
        frame = self._all().sort_values(["replication", "point"])
        cube = frame[metric].to_numpy(float).reshape(plan.replications, -1) if self.is_complete else np.empty((0, 0))
        if len(cube) > 2:
            left_out = np.array([grid_indices(np.delete(cube, k, axis=0).mean(axis=0).reshape(sizes))
                                 for k in range(len(cube))])
            for place in np.ndindex(found.shape):
                interval = jackknife(float(found[place]), left_out[(slice(None), *place)].tolist())
                low[place], high[place] = np.clip([interval.low, interval.high], 0, 1)  # shares
        return low, high

    def _moves(self) -> Floats:
        """Which way each axis moved since the point before: −1, 0, 1 (points, axes)."""
        plan = self.plan
        places = np.column_stack([
            np.array([axis.values.index(value) for value in column] if axis.kind == "listed" else column, float)
            for axis, column in zip(plan.axes, plan.columns, strict=True)])
        return np.sign(np.diff(places, axis=0, prepend=places[:1]))

    def _all(self) -> pd.DataFrame:
        if self._frame is None:
            with self._connect() as base:
                try:
                    frame = base.execute("select * from runs order by point, replication").df()
                except duckdb.Error as error:
                    raise _unreadable(self.directory, str(error)) from error
            types = run_frame(self.plan, [], []).dtypes
            self._frame = frame.astype(types.to_dict())
        return self._frame

    def _connect(self) -> duckdb.DuckDBPyConnection:
        base = duckdb.connect()
        if self.shards:
            files = ", ".join("'" + str(path).replace("'", "''") + "'" for path in self.shards)
            base.execute(f"create view runs as select * from read_parquet([{files}])")
        else:
            base.register("runs", run_frame(self.plan, [], []))
        return base


def open_study(directory: str | Path) -> Study:
    """Read a study directory as far as it is done, even while a sweep goes on in it.

    Raises
    ------
    UsageError  if it is none
    StorageError  if a shard is damaged
    """
    path = Path(directory)
    if not (path / MANIFEST).exists() or not (path / LEDGER).exists():
        raise UsageError(Fault("", "study", str(path), "must be a study directory", "Make it with omnisim sweep."))
    with storage_trouble(path):
        ledger = _open_ledger(path / LEDGER)
        try:
            if read_study(ledger) is None:
                raise UsageError(Fault("", "study", str(path), "was cut off before its points were laid out",
                                       "Start it again with its sweep file."))
            ledger.execute("begin")  # one state of it
            plan = read_plan(path, ledger)
            shards = ledger.execute("select shard, digest from shards order by shard").fetchall()
            failures = ledger.execute("select point, replication, tries, reason from quarantine "
                                      "order by point, replication").fetchall()
        finally:
            ledger.close()
    for shard, expected in shards:
        if digest(path / SHARDS / shard_name(shard)) != expected:
            raise _unreadable(path, shard_name(shard))
    return Study(path, plan, [path / SHARDS / shard_name(shard) for shard, _ in shards], failures)


def _open_ledger(path: Path) -> sqlite3.Connection:
    """The ledger to be read; on a medium that takes no writing, a finished one is read as it lies there."""
    last: Any = None
    has_more = path.with_name(f"{path.name}-wal").exists()
    for options in ("mode=ro",) if has_more else ("mode=ro", "mode=ro&immutable=1"):
        try:
            address = f"{path.absolute().as_uri()}?{options}"
            ledger = sqlite3.connect(address, uri=True, timeout=10, isolation_level=None)
            ledger.execute("select count(*) from study")
            return ledger
        except sqlite3.OperationalError as error:
            last = error
    raise last


def _too_few(verb: str, metric: str) -> UsageError:
    return UsageError(Fault(verb, metric, "no whole group of points", "must be done for indices",
                            "Run the sweep again to its end."))


def _unreadable(directory: Path, what: str) -> StorageError:
    return StorageError(Fault("", "shard", f"{directory}: {' '.join(what.split())}", "is damaged or gone",
                              "Run the sweep again: it makes what is missing anew."))
