"""Axes of a sweep: what one path of the scenario is given, each value checked once against the rule of its field."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError, create_model

from omnisim.errors import Fault, ScenarioError
from omnisim.scenario.fields import Section
from omnisim.scenario.model import Scenario
from omnisim.scenario.text import shorten
from omnisim.scenario.validate import field_at

Value: TypeAlias = "float | int | str | bool | None"
"""What a point may give a path."""
Kind = Literal["number", "cents", "whole", "listed"]
Floats = NDArray[np.float64]
GOLDEN = 0.6180339887498949
"""A place inside a range that is no round number, to see what a field takes."""
SHOWN = 10
"""Faulty values of an axis that are explained."""


@dataclass(frozen=True)
class Axis:
    """One path of the scenario that a sweep varies.

    Parameters
    ----------
    path : str  dotted path
    kind : str  listed, or what a range is rounded to: number, cents, whole
    values : tuple  the listed values
    low, high : float  the range, both ends included
    """

    path: str
    kind: Kind
    values: tuple[Value, ...] = ()
    low: float = 0.0
    high: float = 0.0

    def at(self, place: Floats) -> list[Value]:
        """The values at places between 0 and 1 along the axis.

        Parameters
        ----------
        place : float (n,)
        """
        if self.kind == "listed":
            steps = np.minimum((place * len(self.values)).astype(int), len(self.values) - 1)
            return [self.values[step] for step in steps.tolist()]
        if self.kind == "whole":
            whole = np.minimum(np.floor(self.low + place * (self.high - self.low + 1)), self.high)
            return [int(value) for value in whole.tolist()]
        between = np.minimum(self.low + place * (self.high - self.low), self.high).tolist()
        return [round(value, 2) for value in between] if self.kind == "cents" else list(between)

    def settings(self) -> object:
        """The axis as a sweep file writes it."""
        if self.kind == "listed":
            return list(self.values)
        whole = int if self.kind == "whole" else float
        return {"low": whole(self.low), "high": whole(self.high)}


def read_axes(base: Scenario, settings: Mapping[str, Any],
              places: Mapping[str, str]) -> tuple[dict[str, Value], list[Axis]]:
    """What is fixed, and what varies.

    Parameters
    ----------
    settings : path -> scalar, list or {low, high}
    places : path -> str  where each is written, for faults

    Raises
    ------
    ScenarioError  for unknown paths, values that a field refuses, and ranges of what is no number; all at once

    Notes
    -----
    A value is held against the rule of its own field. Rules between fields are looked at in whole points, each in
    its own run.
    """
    fixed: dict[str, Value] = {}
    axes: list[Axis] = []
    faults: list[Fault] = []
    for path, given in settings.items():
        where = places.get(path, "sweep")
        try:
            check = _Check(base, path, where)
            if isinstance(given, Mapping):
                axes.append(_range(check, given))
            elif isinstance(given, Sequence) and not isinstance(given, str):
                axes.append(_listed(check, given))
            else:
                fixed[path] = check.one(given)
        except ScenarioError as error:
            faults += error.faults
    if faults:
        raise ScenarioError(*dict.fromkeys(faults))
    return fixed, axes


def _listed(check: _Check, given: Sequence[object]) -> Axis:
    if not given:
        raise ScenarioError(check.fault("an empty list", "must hold a value or more", "Add some, or drop the path."))
    found: dict[str, Value] = {}
    faults: list[Fault] = []
    for value in given:
        try:
            one = check.one(value)
            if repr(one) in found:
                raise ScenarioError(check.fault(repr(one), "is given twice", "Keep one of the two."))
            found[repr(one)] = one
        except ScenarioError as error:
            faults += error.faults
            if len(faults) >= SHOWN:
                break
    if faults:
        raise ScenarioError(*dict.fromkeys(faults))
    kinds = {"text" if isinstance(one, str) else "switch" if isinstance(one, bool) else "number"
             for one in found.values() if one is not None}
    if "switch" in kinds and len(kinds) > 1:
        raise ScenarioError(check.fault(" and ".join(sorted(kinds)), "must be of one kind", "Sweep them apart."))
    return Axis(check.path, "listed", tuple(found.values()))


def _range(check: _Check, given: Mapping[str, object]) -> Axis:
    if set(given) != {"low", "high"}:
        raise ScenarioError(check.fault(", ".join(map(str, given)) or "nothing", "must be low and high",
                                        "Write {low: 500, high: 5000}, or a list of values."))
    ends = [given["low"], given["high"]]
    if any(isinstance(end, bool) or not isinstance(end, int | float) for end in ends):
        raise ScenarioError(check.fault(f"{ends[0]!r} … {ends[1]!r}", "must be numbers to be sampled",
                                        "Give a list of values."))
    low, high = (check.one(end) for end in ends)
    if not isinstance(low, int | float) or not isinstance(high, int | float) or not low < high:
        raise ScenarioError(check.fault(f"{ends[0]} … {ends[1]}", "low must be below high", "Swap them, or fix the "
                                        "value."))
    inside = low + GOLDEN * (high - low)
    if check.takes(inside):
        return Axis(check.path, "number", low=float(low), high=float(high))
    kind: Kind = "cents" if check.takes(round(low + GOLDEN * (math.floor(high - low) or high - low), 2)) else "whole"
    return Axis(check.path, kind, low=float(low), high=float(high))


class _Check:
    """The rule of the field at one path of a scenario."""

    def __init__(self, base: Scenario, path: str, where: str) -> None:
        self.base, self.path, self.where = base, path, where
        field = field_at(Scenario, path) if _is_there(base, path) else None
        self.model: Any = None
        if field is not None:
            self.model = create_model("Checked", __base__=Section, value=(field.annotation, field))  # type: ignore[arg-type]

    def one(self, value: object) -> Value:
        """The value as the scenario holds it.

        Raises
        ------
        ScenarioError  if the path or the value is refused
        """
        if isinstance(value, Mapping) or (isinstance(value, Sequence) and not isinstance(value, str)):
            raise ScenarioError(self.fault("a mapping" if isinstance(value, Mapping) else "a list",
                                           "must be a number, text, true, false or null", "Name the single values."))
        if self.model is not None:
            try:
                dumped: Value = self.model(value=value).model_dump(mode="json")["value"]
                return dumped + 0.0 if isinstance(dumped, float) else dumped  # -0.0 is 0.0
            except (ValidationError, ScenarioError):
                pass  # told below, in the words of the scenario
        try:
            held = _find(self.base.with_({self.path: value}), self.path.split("."))
        except ScenarioError as error:
            own = [fault for fault in error.faults if fault.where == "changes"] or list(error.faults)
            raise ScenarioError(*(Fault(self.where, fault.what, fault.got, fault.rule, fault.fix)
                                  for fault in own)) from None
        if held == value and isinstance(held, str):  # a word where most values are numbers, as never
            return held
        raise ScenarioError(self.fault(repr(value), "cannot be varied", "Name a single value of the scenario."))

    def takes(self, value: object) -> bool:
        """Whether the field takes a value."""
        if self.model is None:
            return False
        try:
            self.model(value=value)
        except (ValidationError, ScenarioError):
            return False
        return True

    def fault(self, got: str, rule: str, fix: str) -> Fault:
        """A fault of this path."""
        return Fault(self.where, shorten(self.path), shorten(got), rule, fix)


def _is_there(base: Scenario, path: str) -> bool:
    """Whether a scenario has something to change at a path; the last name may be a new one."""
    *above, last = path.split(".")
    node = _find(base, above)
    return isinstance(node, dict) or (isinstance(node, list) and last.isascii() and last.isdigit()
                                      and int(last) < len(node))


def _find(base: Scenario, parts: Sequence[str]) -> Any:
    """What a scenario holds at a path; None where it holds nothing."""
    node: Any = base.to_dict()
    for part in parts:
        if isinstance(node, list) and part.isascii() and part.isdigit() and int(part) < len(node):
            node = node[int(part)]
        elif isinstance(node, dict) and part in node:
            node = node[part]
        else:
            return None
    return node
