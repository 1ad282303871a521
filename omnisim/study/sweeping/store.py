"""The store of a study: one ledger, written by one process, and Parquet shards that are whole or absent.

A group of runs is committed so: the shard to a temporary name → fsync → rename → fsync of the directory → a
transaction of the ledger with full sync. A kill between any two of these steps loses at most the group, which is run
again to the same bytes; a shard that the ledger does not know is removed, a run that it knows is never run twice.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import duckdb
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from omnisim.errors import Fault, StorageError, UsageError
from omnisim.scenario.load import load
from omnisim.scenario.write import to_yaml
from omnisim.storage import (
    MANIFEST,
    claim_directory,
    copy_frame,
    digest,
    open_manifest,
    refused,
    write_file,
    write_json,
    write_text,
)
from omnisim.study.sweeping.axes import Axis, Value
from omnisim.study.sweeping.sweep_plan import SweepPlan, restore

KIND = "omnisim study"
"""What the manifest calls a study directory."""
LEDGER, SHARDS, SCENARIO, SWEEP = "ledger.sqlite", "shards", "scenario.yaml", "sweep.yaml"
FILES = (LEDGER, f"{LEDGER}-wal", f"{LEDGER}-shm", f"{LEDGER}-journal", SHARDS, SCENARIO, SWEEP)
FORMAT = 1
TABLES = """
create table if not exists study (name text primary key, value text) without rowid;
create table if not exists points (point integer primary key, overrides text not null);
create table if not exists shards (shard integer primary key, runs integer not null, digest text not null);
create table if not exists runs (key text primary key, point integer not null, replication integer not null,
                                 shard integer not null, unique (point, replication)) without rowid;
create table if not exists quarantine (point integer not null, replication integer not null, tries integer not null,
                                       reason text not null, primary key (point, replication)) without rowid;
"""


class Row(NamedTuple):
    """A run that is done: its point, replication, and figures in the order of the metrics."""

    point: int
    replication: int
    figures: Sequence[float]


class Failure(NamedTuple):
    """A run that was given up: its point, replication, how often it was tried, and why."""

    point: int
    replication: int
    tries: int
    reason: str


class Store:
    """A study directory that this process alone writes.

    Parameters
    ----------
    directory : Path  new, empty, or a study of the same sweep
    plan : SweepPlan  or None for that of the directory

    Raises
    ------
    UsageError  if the directory holds something else, or another sweep
    StorageError  if another process writes it, or the disk refuses
    """

    passed: Callable[[str], None] = staticmethod(lambda step: None)
    """Told each step of a commit as it is passed, so that tests can end the process there."""

    def __init__(self, directory: Path, plan: SweepPlan | None = None) -> None:
        self.directory = directory
        if not directory.is_dir():
            claim_directory(directory, KIND)
        with self._trouble():
            self._lock = os.open(directory, os.O_RDONLY)
        try:
            self._take_lock()  # before a look at the files: what another sweep is just writing is nobody else's
            claim_directory(directory, KIND)
            self.plan = self._open(plan)
            self.repaired = self._repair()
        except BaseException:
            self.close()
            raise

    def _take_lock(self) -> None:
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise StorageError(Fault("", "study", str(self.directory), "is busy: another sweep writes it",
                                     "Wait for it, or name another directory.")) from None

    def _open(self, plan: SweepPlan | None) -> SweepPlan:
        path = self.directory
        if not (path / MANIFEST).exists():
            if plan is None:
                raise UsageError(Fault("", "study", str(path), "must be a sweep file or a study directory",
                                       "Write a sweep file with base and set."))
            open_manifest(path, KIND, FILES)
        self.passed("claimed")
        with self._trouble():
            (path / SHARDS).mkdir(exist_ok=True)
            self._base = duckdb.connect(config={"threads": 1})
            self._ledger = sqlite3.connect(path / LEDGER, timeout=10, isolation_level=None)
            self._ledger.execute("pragma journal_mode=wal")
            self._ledger.execute("pragma synchronous=full")
            self._ledger.executescript(TABLES)
        known = read_study(self._ledger)
        if known is None:
            if plan is None:
                raise UsageError(Fault("", "study", str(path), "was cut off before its points were laid out",
                                       "Start it again with its sweep file."))
            self._lay_out(plan)
            return plan
        if plan is not None and plan.identity != known["identity"]:
            raise UsageError(Fault("", "study", str(path), "holds another sweep: its scenario, settings or numbers "
                                   "differ", f"Name another directory, or go on with {path / SWEEP}."))
        # the points as they were drawn then: another version of a library might draw others
        return restore(plan.base, plan.record(), read_points(self._ledger)) if plan else read_plan(path, self._ledger)

    def _lay_out(self, plan: SweepPlan) -> None:
        """Write down what is to be run, before the first run."""
        plan.base.save(self.directory / SCENARIO)
        write_text(self.directory / SWEEP, to_yaml(plan.to_file(SCENARIO)))
        about = {"format": FORMAT, "identity": plan.identity, "plan": json.dumps(plan.record()), "complete": "0"}
        with self._transaction():
            self._ledger.executemany("insert into points values (?, ?)",
                                     ((point, json.dumps(plan.values(point))) for point in range(plan.n_points)))
            self.passed("points")
            self._ledger.executemany("insert into study values (?, ?)", about.items())
        self.passed("planned")

    def _repair(self) -> list[str]:
        """Make shards and ledger agree again after a kill or damage; gives the names of shards that are run again."""
        known = dict(self._ledger.execute("select shard, digest from shards"))
        lost = []
        with self._trouble():
            there = {entry.name for entry in (self.directory / SHARDS).iterdir()}
            for name in there - {shard_name(shard) for shard in known}:
                (self.directory / SHARDS / name).unlink()
            for shard, expected in known.items():
                path = self.directory / SHARDS / shard_name(shard)
                if path.name not in there or digest(path) != expected:
                    lost.append(shard)
        if lost:
            with self._transaction():
                for shard in lost:
                    self._ledger.execute("delete from runs where shard = ?", (shard,))
                    self._ledger.execute("delete from shards where shard = ?", (shard,))
                self._ledger.execute("update study set value = '0' where name = 'complete'")
            for shard in lost:
                with contextlib.suppress(OSError):
                    (self.directory / SHARDS / shard_name(shard)).unlink()
        [last] = self._ledger.execute("select coalesce(max(shard), 0) from shards").fetchone()
        self._next = int(last) + 1
        return [shard_name(shard) for shard in lost]

    def done(self) -> NDArray[np.bool_]:
        """Which runs are done: bool (points, replications)."""
        found = np.zeros((self.plan.n_points, self.plan.replications), bool)
        pairs = self._ledger.execute("select point, replication from runs").fetchall()
        if pairs:
            found[tuple(np.array(pairs).T)] = True
        return found

    def forgive(self) -> None:
        """Let runs that were given up be tried again."""
        with self._transaction():
            self._ledger.execute("delete from quarantine")

    def commit(self, rows: Sequence[Row], failures: Sequence[Failure] = ()) -> None:
        """Keep a group of runs for good.

        Raises
        ------
        StorageError  if the disk refuses; then nothing of the group is kept
        """
        rows = sorted(rows)
        keys = [self.plan.key(row.point, row.replication) for row in rows]
        shard, path = self._next, self.directory / SHARDS / shard_name(self._next)
        self.passed("started")
        if rows:
            frame = run_frame(self.plan, keys, rows)
            with self._trouble():
                write_file(path, lambda part: copy_frame(self._base, frame, part), passed=self.passed)
        with self._transaction():
            if rows:
                self._ledger.execute("insert into shards values (?, ?, ?)", (shard, len(rows), digest(path)))
            self._ledger.executemany("insert into runs values (?, ?, ?, ?)", (
                (key, row.point, row.replication, shard) for key, row in zip(keys, rows, strict=True)))
            self._ledger.executemany("insert or replace into quarantine values (?, ?, ?, ?)", failures)
            self.passed("inserted")
        self._next = shard + 1
        self.passed("committed")

    def finish(self) -> None:
        """Say that nothing is left to be done, and leave the ledger as one plain file."""
        with self._transaction():
            self._ledger.execute("update study set value = '1' where name = 'complete'")
        self.passed("finished")
        write_json(self.directory / MANIFEST, {
            "kind": KIND, "complete": True, "files": dict.fromkeys(FILES, ""), "identity": self.plan.identity,
            "scenario_hash": self.plan.base.hash, "numbers_version": self.plan.record()["numbers"]})
        with contextlib.suppress(sqlite3.Error):  # somebody reads it
            self._ledger.execute("pragma journal_mode=delete")

    def close(self) -> None:
        """Let go of the directory."""
        for held in (getattr(self, "_ledger", None), getattr(self, "_base", None)):
            if held is not None:
                held.close()
        with contextlib.suppress(OSError):
            os.close(self._lock)

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        with self._trouble():
            self._ledger.execute("begin immediate")
            try:
                yield
                self._ledger.execute("commit")
            except BaseException:
                with contextlib.suppress(sqlite3.Error):
                    self._ledger.execute("rollback")
                raise

    def _trouble(self) -> contextlib.AbstractContextManager[None]:
        return storage_trouble(self.directory)


@contextlib.contextmanager
def storage_trouble(directory: Path) -> Iterator[None]:
    """What disk and ledger refuse, as an error of ours."""
    try:
        yield
    except OSError as error:
        raise refused(directory, error) from error
    except sqlite3.DatabaseError as error:
        raise StorageError(Fault("", "ledger", str(directory / LEDGER), f"cannot be used: {error}",
                                 "Free space, check its rights, or restore the file.")) from error


def shard_name(shard: int) -> str:
    """File of a shard."""
    return f"{shard:06d}.parquet"


def read_study(ledger: sqlite3.Connection) -> dict[str, Any] | None:
    """What the ledger says about its study; None before its points are laid out."""
    return dict(ledger.execute("select name, value from study")) or None


def read_points(ledger: sqlite3.Connection) -> list[list[Value]]:
    """Values of each axis by point."""
    texts = ledger.execute("select overrides from points order by point")
    return [list(column) for column in zip(*(json.loads(text) for [text] in texts), strict=True)]


def read_plan(directory: Path, ledger: sqlite3.Connection) -> SweepPlan:
    """The plan that a study was laid out with, its points as they were drawn then.

    Raises
    ------
    StorageError  if the base scenario beside the ledger is another
    """
    known = read_study(ledger) or {}
    plan = restore(load(directory / SCENARIO), json.loads(known["plan"]), read_points(ledger))
    if plan.identity != known["identity"]:
        raise StorageError(Fault("", "scenario", str(directory / SCENARIO), "is not the one that the study was "
                                 "started with, or omnisim's numbers have changed since",
                                 "Sweep into a new directory."))
    return plan


def run_frame(plan: SweepPlan, keys: Sequence[str], rows: Sequence[Row]) -> pd.DataFrame:
    """Runs as a table: key, point, replication, what was set, what was measured."""
    points = [row.point for row in rows]
    columns: dict[str, Any] = {
        "key": pd.Series(list(keys), dtype="str"), "point": np.array(points, np.int64),
        "replication": np.array([row.replication for row in rows], np.int32)}
    for axis, column in zip(plan.axes, plan.columns, strict=True):
        columns[axis.path] = axis_column(axis, [column[point] for point in points])
    figures = np.array([row.figures for row in rows], float).reshape(len(rows), len(plan.metrics))
    return pd.DataFrame(columns | {name: figures[:, k] for k, name in enumerate(plan.metrics)})


def axis_column(axis: Axis, values: Sequence[Value]) -> pd.Series[Any]:
    """Values of an axis as a column of tables; numbers beside words (7, 30, never) are words."""
    kind = column_type(axis)
    return pd.Series([None if value is None else str(value) for value in values] if kind == "str" else list(values),
                     dtype=kind)


def column_type(axis: Axis) -> str:
    """The type of an axis in tables, the same in every shard."""
    if axis.kind != "listed":
        return "Int64" if axis.kind == "whole" else "float64"
    known = [value for value in axis.values if value is not None]
    if any(isinstance(value, str) for value in known):
        return "str"
    if any(isinstance(value, bool) for value in known):
        return "boolean"
    return "Int64" if known and all(isinstance(value, int) for value in known) else "float64"
