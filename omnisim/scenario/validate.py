"""From a tree of nodes to a checked model: pydantic's errors become faults with place, value, rule and cure."""

from __future__ import annotations

import difflib
import re
import types
import typing
from typing import Any, TypeVar

import annotated_types
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from omnisim.errors import Fault, ScenarioError
from omnisim.scenario.advice import NAME_RULE, RULES, did_you_mean, number_hint, other, plainly
from omnisim.scenario.text import Node, quote, shorten

M = TypeVar("M", bound=BaseModel)
Path = tuple[str | int, ...]

LATER = frozenset(("integration", "content", "offers", "goals", "data", "experiments",
                   "outsourcing", "shocks", "question"))
"""Sections that a later version reads."""
SUGGESTED = 50
"""Faults that get a did-you-mean; beyond these nobody reads, and looking costs time."""



def validate(model: type[M], root: Node, faults: list[Fault] | None = None) -> M:
    """The model that the tree describes.

    Parameters
    ----------
    model : type  the pydantic model to fill
    root : Node  what was read
    faults : list of Fault  found while reading; reported together with those found here

    Raises
    ------
    ScenarioError  with all faults at once
    """
    faults = list(faults or ())
    if not isinstance(root.value, dict):
        if root.broken:
            raise ScenarioError(*faults)
        raise ScenarioError(*faults, Fault(root.where, "file", quote(root), "must be a mapping of keys to values",
                                           "Write lines like name: launch."))
    data = root.plain()
    try:
        result = model.model_validate(data)
    except ValidationError as error:
        found = _apart([Found(model, root, entry) for entry in error.errors(include_url=False)])
        faults += [item.fault(suggest=k < SUGGESTED) for k, item in enumerate(found) if not item.is_known]
        faults += _deeper(model, data, root, found)
    except ScenarioError as error:
        faults += relocate(error, root)
    if faults:
        raise ScenarioError(*_sorted(faults))
    return result


def _apart(found: list[Found]) -> list[Found]:
    """Without the complaint that a list is too short because of its faulty items."""
    lists = {item.path[:k] for item in found for k in range(len(item.path))}
    return [item for item in found if item.kind != "too_short" or item.path not in lists]


def locate(fault: Fault, root: Node) -> Fault:
    """A fault about a dotted path, with the place of the deepest part of it that the file holds, if it holds any."""
    path = _split(fault.what)
    node, there = find(root, path)
    if not there:
        return fault
    return Fault(node.where if path == there else node.key_where, fault.what, fault.got, fault.rule, fault.fix)


def relocate(error: ScenarioError, root: Node) -> list[Fault]:
    """Faults that name a dotted path, with its place in the file."""
    found = []
    for fault in error.faults:
        path = _split(fault.what)
        node, there = find(root, path)
        where = node.where if path == there else node.key_where
        found.append(Fault(where, fault.what, fault.got, fault.rule, fault.fix))
    return found


def find(root: Node, path: Path) -> tuple[Node, Path]:
    """The deepest node on a path, and the path to it; parts that only pydantic knows are skipped."""
    node = root
    there: list[str | int] = []
    for part in path:
        is_key = isinstance(node.value, dict) and part in node.value
        is_index = isinstance(node.value, list) and isinstance(part, int) and part < len(node.value)
        if is_key or is_index:
            node = node.value[part]
            there.append(part)
    return node, tuple(there)


def _split(dotted: str) -> Path:
    return tuple(int(part) if part.isdigit() else part for part in dotted.split("."))


def _sorted(faults: list[Fault]) -> list[Fault]:
    def key(fault: Fault) -> tuple[str, int, int]:
        match = re.search(r"^(.*):(\d+):(\d+)$", fault.where)
        return (match[1], int(match[2]), int(match[3])) if match else (fault.where, 0, 0)

    return sorted(dict.fromkeys(faults), key=key)


def _deeper(model: type[M], data: Any, root: Node, found: list[Found]) -> list[Fault]:
    """Contradictions between the values that are right, looked for with the wrong ones left out."""
    try:
        for item in found:
            target, here = data, item.path
            if not here or item.kind == "missing":
                return []
            for part in here[:-1]:
                target = target[part]
            target.pop(str(here[-1]), None)
        model.model_validate(data)
    except ScenarioError as error:
        return relocate(error, root)
    except (ValidationError, LookupError, TypeError, AttributeError):
        pass  # what is left is no scenario: the faults found so far must do
    return []


def field_at(model: type[BaseModel], dotted: str) -> FieldInfo | None:
    """The field that a dotted path leads to, by its declaration alone; None where there is none."""
    return _declared(model, _split(dotted))[1]


class Found:
    """One pydantic error beside the node and the field that it is about."""

    def __init__(self, model: type[BaseModel], root: Node, entry: Any) -> None:
        self.kind: str = entry["type"]
        self.context: dict[str, Any] = entry.get("ctx", {})
        loc: Path = entry["loc"]
        self.is_key = loc[-1:] == ("[key]",)
        self.loc = loc[:-1] if self.is_key else loc
        self.node, self.path = find(root, self.loc)
        self.owner, self.field = _declared(model, self.path)
        if self.kind == "missing":
            self.owner, self.field = _declared(model, (*self.path, self.loc[-1]))
        currency = root.value.get("currency")
        self.currency = str(currency.value) if isinstance(currency, Node) else "CNY"

    @property
    def is_known(self) -> bool:
        """Whether reading refused the node already."""
        return self.node.broken

    @property
    def unit(self) -> str:
        """Unit of the field, with the scenario's currency."""
        extra = self.field.json_schema_extra if self.field else None
        unit = str(extra.get("unit", "")) if isinstance(extra, dict) else ""
        unit = unit.replace("currency", self.currency)
        return "" if unit in ("1", "share", "x", "relative", "weight", "logit") else unit

    def fault(self, *, suggest: bool) -> Fault:
        """The error in the user's terms."""
        where, what = self.node.where, ".".join(shorten(str(part)) for part in self.path)
        if self.kind == "missing" and isinstance(self.loc[-1], int):
            return Fault(where, what, quote(self.node), f"must have at least {self.loc[-1] + 1} entries", "Add one.")
        if self.kind == "missing":
            key = str(self.loc[-1])
            place = self.node.key_where if self.path else self.node.where
            return Fault(place, f"{what}.{key}" if what else key, "", "is missing", self._how_to_add(key))
        if self.is_key:
            return Fault(self.node.key_where, what, "", NAME_RULE,
                         "Rename it; label and label_zh take a name in any language.")
        if self.kind == "extra_forbidden":
            key = str(self.path[-1])
            if len(self.path) == 1 and key in LATER:
                return Fault(self.node.key_where, what, "", "is not in this version of omnisim", "Remove the section.")
            return Fault(self.node.key_where, what, "", "is no known key", self._close(key) if suggest else "")
        got = quote(self.node)
        if self.unit and isinstance(self.node.value, int | float) and not isinstance(self.node.value, bool):
            got += f" {self.unit}"
        rule, fix = self._rule()
        return Fault(where, what, got, rule, fix)

    def _how_to_add(self, key: str) -> str:
        if self.owner is not None and "preset" in self.owner.model_fields:
            return f"Add {key}, or a preset that fills it."
        return f"Add a line {key}: …"

    def _close(self, key: str) -> str:
        known = list(self.owner.model_fields) if self.owner else []
        return did_you_mean(key, known)

    def _rule(self) -> tuple[str, str]:
        if self.kind == "refused":
            return str(self.context["rule"]), str(self.context["fix"])
        if self.kind in ("int_type", "float_type", "int_from_float", "finite_number", "float_parsing", "int_parsing"):
            whole = "int" in self.kind.split("_")
            return f"must be a {'whole ' if whole else ''}number{self._range()}", number_hint(self.node, whole)
        if self.kind.startswith(("greater_than", "less_than")):
            return f"must be{self._range()}", self._back_in_range()
        if self.kind == "literal_error":
            expected = str(self.context["expected"]).replace("'", "").replace(" or ", ", ")
            choices = expected.split(", ")
            close = difflib.get_close_matches(str(self.node.value)[:64], choices, n=1)
            return f"must be one of {expected}", f"Did you mean {close[0]}?" if close else "Choose one of these."
        if self.kind == "string_type" and self.node.text:
            return "must be text", f'Put it in quotes: "{quote(self.node)}".'
        rule, fix = RULES.get(self.kind, other)(self.context)
        return rule, fix

    def _range(self) -> str:
        low, high = _bounds(self.field)
        bounds = " and ".join(f"{sign} {plainly(value)}" for sign, value in (*low, *high))
        return f" {bounds}{' ' + self.unit if self.unit else ''}" if bounds else ""

    def _back_in_range(self) -> str:
        value = self.node.value
        extra = self.field.json_schema_extra if self.field else None
        if isinstance(extra, dict) and extra.get("unit") == "share" and 1 < value <= 100:
            return f"Write {value / 100:g} for {value:g} %."
        low, high = _bounds(self.field)
        broken = low if self.kind.startswith("greater") else high
        if not broken:
            return "Change the value."
        sign, limit = broken[0]
        words = {"≥": "{} or more", ">": "more than {}", "≤": "at most {}", "<": "less than {}"}
        return f"Write {words[sign].format(plainly(limit))}."


def _bounds(field: FieldInfo | None) -> tuple[list[tuple[str, float]], list[tuple[str, float]]]:
    """Lower and upper bound of a field, each with its sign."""
    low: list[tuple[str, Any]] = []
    high: list[tuple[str, Any]] = []
    for rule in field.metadata if field else ():
        if isinstance(rule, annotated_types.Ge):
            low.append(("≥", rule.ge))
        elif isinstance(rule, annotated_types.Gt):
            low.append((">", rule.gt))
        elif isinstance(rule, annotated_types.Le):
            high.append(("≤", rule.le))
        elif isinstance(rule, annotated_types.Lt):
            high.append(("<", rule.lt))
    return low, high


def _declared(model: type[BaseModel], path: Path) -> tuple[type[BaseModel] | None, FieldInfo | None]:
    """The model that holds the last part of a path, and its field; None where there is none."""
    current: Any = model
    owner: type[BaseModel] | None = model
    field: FieldInfo | None = None
    for part in path:
        current = _strip(current, wants_list=isinstance(part, int))
        owner = None
        if isinstance(current, type) and issubclass(current, BaseModel):
            owner, field = current, current.model_fields.get(str(part))
            current = field.annotation if field else None
            field = _bare_field(current) or field
        elif typing.get_origin(current) in (dict, tuple):
            current = [arg for arg in typing.get_args(current) if arg is not Ellipsis][-1]
            field = _bare_field(current)
        else:
            return None, None
    return owner, field


def _bare_field(annotation: Any) -> FieldInfo | None:
    """The rules of a value in a mapping or list; of several kinds of value, those of the first."""
    bare = annotation
    while typing.get_origin(bare) is typing.Annotated:
        bare = typing.get_args(bare)[0]
    if typing.get_origin(bare) in (typing.Union, types.UnionType):
        annotation = typing.get_args(bare)[0]
    return FieldInfo.from_annotation(annotation) if typing.get_origin(annotation) is typing.Annotated else None


def _strip(annotation: Any, *, wants_list: bool) -> Any:
    """The alternative of a type that has parts: a model, mapping or list."""
    while typing.get_origin(annotation) is typing.Annotated:
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) in (typing.Union, types.UnionType):
        options = [_strip(option, wants_list=wants_list) for option in typing.get_args(annotation)]
        parts = [o for o in options if typing.get_origin(o) in (dict, tuple)
                 or (isinstance(o, type) and issubclass(o, BaseModel))]
        return parts[0] if parts else None
    return annotation
