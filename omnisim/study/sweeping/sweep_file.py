"""Sweep files: a base scenario, what is set, scanned or sampled in it, and what is measured."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from pydantic import Field

from omnisim.errors import Fault, UsageError
from omnisim.measure.kpis import KPIS
from omnisim.results import HEADLINE
from omnisim.scenario.advice import did_you_mean
from omnisim.scenario.fields import Section, Text, Version, quantity
from omnisim.scenario.load import load, read_bytes
from omnisim.scenario.model import Scenario
from omnisim.scenario.text import Node, from_python, parse
from omnisim.scenario.validate import validate

Method = Literal["grid", "list", "latin", "sobol", "saltelli", "morris"]
METHODS: tuple[Method, ...] = get_args(Method)
MOST_POINTS, MOST_REPLICATIONS = 1_000_000, 100_000


class SweepFile(Section):
    """A sweep as written."""

    sweep_version: Version = 1
    """Version of this file format."""
    base: Text = Field(default="", max_length=1024)
    """Scenario file, beside this one."""
    set: dict[str, Any] = Field(min_length=1, max_length=64)
    """Dotted path of the scenario: a scalar is fixed, a list is scanned, {low, high} is sampled."""
    method: Method = "grid"
    """grid: every combination; list: the lists side by side; latin, sobol: points spread over ranges; saltelli, morris:
    points from which `study.sobol` and `study.morris` tell what matters."""
    points: int | None = quantity(None, unit="point", ge=1, le=MOST_POINTS)
    """How many points are sampled; for saltelli and morris, how many groups of points."""
    replications: int = quantity(1, unit="run", ge=1, le=MOST_REPLICATIONS)
    """Runs of each point; replication k has the same luck at every point."""
    seed: int = quantity(1, unit="1", ge=0, le=2**32 - 1)
    """The luck of the runs, and of the points that are sampled."""
    metrics: tuple[Text, ...] = Field(default=(), max_length=64, strict=False)
    """Figures (kpis) to keep of each run."""


@dataclass(frozen=True)
class Sweep:
    """What is to be run.

    Parameters
    ----------
    base : Scenario  what the points change
    settings : path -> scalar, list or {low, high}
    points : int or None  asked for
    metrics : tuple of str  names of kpis
    places : path -> str  where a setting is written
    """

    base: Scenario
    settings: Mapping[str, Any]
    method: Method
    points: int | None
    replications: int
    seed: int
    metrics: tuple[str, ...]
    places: Mapping[str, str]


def read_sweep(path: str | Path) -> Sweep:
    """Read a sweep file and the scenario it starts from.

    Raises
    ------
    ScenarioError  with all faults of either at once
    StorageError  where a file cannot be read
    """
    path = Path(path)
    root, faults = parse(read_bytes(path, str(path)), str(path))
    file = validate(SweepFile, root, faults)
    if not file.base:
        raise UsageError(Fault(str(path), "base", "", "is missing", "Add a line base: scenario.yaml."))
    return _sweep(load(path.parent / file.base), file, root)


def make_sweep(base: Scenario, settings: Mapping[str, object], *, method: str = "grid", points: int | None = None,
               replications: int = 1, seed: int = 1, metrics: Sequence[str] | None = None) -> Sweep:
    """A sweep from Python values, by the same rules as a file.

    Raises
    ------
    ScenarioError  with all faults at once
    """
    if isinstance(metrics, str):
        metrics = (metrics,)
    given = {path: value.tolist() if hasattr(value, "tolist") else value for path, value in settings.items()}
    root = from_python({"set": given, "method": method, "points": points, "replications": replications, "seed": seed,
                        "metrics": list(metrics or ())}, "sweep")
    return _sweep(base, validate(SweepFile, root), root)


def _sweep(base: Scenario, file: SweepFile, root: Node) -> Sweep:
    metrics = file.metrics or HEADLINE
    where = root.value["metrics"].where if "metrics" in root.value else "sweep"
    faults = [Fault(where, "metrics", name, "is no figure of a run", did_you_mean(name, list(KPIS)))
              for name in metrics if name not in KPIS]
    faults += [Fault(where, "metrics", name, "is given twice", "Keep one of the two.")
               for name in dict.fromkeys(metrics) if metrics.count(name) > 1]
    if faults:
        raise UsageError(*faults)
    places = {path: node.where for path, node in root.value["set"].value.items()}
    return Sweep(base, file.set, file.method, file.points, file.replications, file.seed, metrics, places)
