"""The plan of a sweep: all its points, what each changes, and the keys by which runs are known for good."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np

from omnisim.errors import Fault, ScenarioError, UsageError
from omnisim.results import NUMBERS
from omnisim.scenario.model import Scenario
from omnisim.scenario.write import digest
from omnisim.study.sweeping.axes import Axis, Value, read_axes
from omnisim.study.sweeping.points import DESIGNS
from omnisim.study.sweeping.sweep_file import MOST_POINTS, Method, Sweep

MOST_RUNS = 10_000_000
TRIED = 8
"""Points that are checked whole before anything runs; where none of them is a scenario, none is likely to be."""


@dataclass(frozen=True)
class SweepPlan:
    """All points of a sweep.

    Parameters
    ----------
    base : Scenario  what the points change, with what is fixed
    axes : tuple of Axis  what varies
    groups : int or None  points asked for; for saltelli and morris, groups of them
    columns : tuple of lists  values of each axis by point
    metrics : tuple of str  names of kpis
    """

    base: Scenario
    axes: tuple[Axis, ...]
    method: Method
    groups: int | None
    replications: int
    seed: int
    metrics: tuple[str, ...]
    columns: tuple[list[Value], ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Paths that vary, in the order of the file."""
        return tuple(axis.path for axis in self.axes)

    @property
    def varied(self) -> tuple[str, ...]:
        """Paths that take more than one value: a list of one only fixes it."""
        return tuple(axis.path for axis in self.axes if axis.kind != "listed" or len(axis.values) > 1)

    @property
    def n_points(self) -> int:
        """Points, those that come twice in a design counted twice."""
        return len(self.columns[0]) if self.columns else 1

    @property
    def n_runs(self) -> int:
        """Runs: points that differ × replications."""
        return len(self.distinct) * self.replications

    def values(self, point: int) -> list[Value]:
        """What a point gives the paths."""
        return [column[point] for column in self.columns]

    @cached_property
    def first(self) -> list[int]:
        """For each point the first that is the same: designs may come to a place twice, and it is run once."""
        seen: dict[str, int] = {}
        return [seen.setdefault(text, point) for point, text in enumerate(self._texts())]

    @cached_property
    def distinct(self) -> list[int]:
        """The points that differ."""
        return [point for point, first in enumerate(self.first) if point == first]

    def key(self, point: int, replication: int) -> str:
        """The name of a run for good: a hash of base scenario, overrides, seed, replication and numbers version."""
        text = json.dumps(dict(zip(self.paths, self.values(point), strict=True)), sort_keys=True)
        whole = f"{self._origin}\n{text}\n{replication}"
        return hashlib.sha256(whole.encode()).hexdigest()[:32]

    @cached_property
    def _origin(self) -> str:
        return f"{self.base.hash}\n{NUMBERS}\n{self.seed}"

    @cached_property
    def identity(self) -> str:
        """A digest of everything that decides what the study will hold."""
        return digest({**self.record(), "base": self.base.hash})

    def record(self) -> dict[str, Any]:
        """Everything but base and points, for JSON."""
        return {"axes": [asdict(axis) for axis in self.axes], "method": self.method, "groups": self.groups,
                "replications": self.replications, "seed": self.seed, "metrics": list(self.metrics),
                "numbers": NUMBERS}

    def to_file(self, base: str) -> dict[str, Any]:
        """The sweep as a file would say it, with its base in a file of its own."""
        said: dict[str, Any] = {"sweep_version": 1, "base": base,
                                "set": {axis.path: axis.settings() for axis in self.axes}, "method": self.method}
        if self.groups is not None:
            said["points"] = self.groups
        return said | {"replications": self.replications, "seed": self.seed, "metrics": list(self.metrics)}

    def _texts(self) -> list[str]:
        return ["\n".join(texts) for texts in zip(*(map(repr, column) for column in self.columns), strict=True)] \
            if self.columns else [""]


def restore(base: Scenario, record: dict[str, Any], columns: Sequence[list[Value]]) -> SweepPlan:
    """The plan that :meth:`SweepPlan.record` told of."""
    axes = tuple(Axis(**{**axis, "values": tuple(axis["values"])}) for axis in record["axes"])
    return SweepPlan(base, axes, record["method"], record["groups"], record["replications"], record["seed"],
                     tuple(record["metrics"]), tuple(columns))


def plan_sweep(sweep: Sweep) -> SweepPlan:
    """Lay out all points of a sweep.

    Raises
    ------
    ScenarioError  for paths and values that the scenario refuses, and where none of some points is a scenario
    UsageError  for a method that does not go with what is set, and for too many runs
    """
    fixed, axes = read_axes(sweep.base, sweep.settings, sweep.places)
    base = sweep.base.with_(fixed) if fixed else sweep.base
    _check_method(sweep, axes)
    columns: tuple[list[Value], ...] = ()
    if axes and sweep.method in ("grid", "list"):
        columns = _listed(sweep, axes)
    elif axes:
        unit = DESIGNS[sweep.method](sweep.points or 1, len(axes), sweep.seed)
        columns = tuple(axis.at(unit[:, k]) for k, axis in enumerate(axes))
    groups = sweep.points if sweep.method in DESIGNS else None
    plan = SweepPlan(base, tuple(axes), sweep.method, groups, sweep.replications, sweep.seed, sweep.metrics, columns)
    if plan.n_points * plan.replications > MOST_RUNS:
        raise UsageError(Fault("sweep", "replications", f"{plan.replications:,} of {plan.n_points:,} points",
                               f"must come to at most {MOST_RUNS:,} runs", "Lower one of them."))
    _try_some(plan)
    return plan


def _check_method(sweep: Sweep, axes: Sequence[Axis]) -> None:
    faults = []
    is_sampled = sweep.method in DESIGNS
    if is_sampled and sweep.points is None:
        faults.append(Fault("sweep", "points", "", f"are needed by the method {sweep.method}", "Add points: 128."))
    if is_sampled and not axes:
        faults.append(Fault("sweep", "set", "fixed values alone", f"leave the method {sweep.method} nothing to vary",
                            "Give a range or a list."))
    if not is_sampled and sweep.points is not None:
        faults.append(Fault("sweep", "points", str(sweep.points), f"mean nothing to the method {sweep.method}, which "
                            "takes the values of the lists", "Remove them, or use latin or sobol."))
    if not is_sampled:
        faults += [Fault(sweep.places.get(axis.path, "sweep"), axis.path, f"{axis.low:g} … {axis.high:g}",
                         f"must be a list for the method {sweep.method}", "List the values, or use latin or sobol.")
                   for axis in axes if axis.kind != "listed"]
    lengths = {axis.path: len(axis.values) for axis in axes}
    if sweep.method == "list" and len(set(lengths.values())) > 1:
        told = ", ".join(f"{path}: {length}" for path, length in lengths.items())
        faults.append(Fault("sweep", "set", told, "must be lists of the same length for the method list",
                            "Fill them up, or use grid."))
    n = math.prod(lengths.values()) if sweep.method == "grid" else sweep.points or 0
    n *= {"saltelli": len(axes) + 2, "morris": len(axes) + 1}.get(sweep.method, 1)
    if n > MOST_POINTS:
        faults.append(Fault("sweep", "points", f"{n:,}", f"must be at most {MOST_POINTS:,}", "Shorten the lists, or "
                            "use latin or sobol."))
    if faults:
        raise UsageError(*faults)


def _listed(sweep: Sweep, axes: Sequence[Axis]) -> tuple[list[Value], ...]:
    if sweep.method == "list":
        return tuple(list(axis.values) for axis in axes)
    sizes = [len(axis.values) for axis in axes]
    steps = np.unravel_index(np.arange(math.prod(sizes)), sizes)
    return tuple([axis.values[k] for k in step.tolist()] for axis, step in zip(axes, steps, strict=True))


def _try_some(plan: SweepPlan) -> None:
    """Check a few points whole; a sweep none of whose points is a scenario is refused with the faults of the first."""
    first: ScenarioError | None = None
    for point in np.unique(np.linspace(0, plan.n_points - 1, TRIED).astype(int)).tolist():
        try:
            plan.base.with_(dict(zip(plan.paths, plan.values(point), strict=True)))
            return
        except ScenarioError as error:
            first = first or error
    if first is not None:
        raise first
