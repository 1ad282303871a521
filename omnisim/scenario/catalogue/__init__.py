"""Channel presets and parameter defaults as data: each number with unit, range, source flag and source.

Flags: S stated in the brand's tables, D derived from them, P public source, A assumed, C calibrated on the brand's
tables. P and A are ranges to sweep, never facts. ``channels.csv`` holds a row a preset, ``parameters.csv`` a row a
number; `*` stands for the brand as a whole, and ``path`` says where a scenario keeps the number (empty: nowhere yet).
"""

from __future__ import annotations

import csv
import difflib
import functools
import re
import unicodedata
from collections.abc import Mapping
from importlib import resources
from types import MappingProxyType
from typing import NamedTuple

BRAND = "*"
CHANNEL_PATH = "channels.*."


class Preset(NamedTuple):
    """A kind of channel: names for reports, class, role, and what it does."""

    name: str
    label: str
    label_zh: str
    kind: str
    role: str
    checkout: bool
    aliases: tuple[str, ...]
    works: str
    costs: str


class Parameter(NamedTuple):
    """A default: its value, range, unit, source flag (S, D, P, A, C) and source."""

    preset: str
    name: str
    path: str
    default: float
    low: float
    high: float
    unit: str
    flag: str
    source: str


def _rows(file: str) -> list[dict[str, str]]:
    text = resources.files(__name__).joinpath(file).read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def _number(text: str) -> float:
    return int(text) if text.lstrip("-").isdigit() else float(text)


@functools.cache
def presets() -> Mapping[str, Preset]:
    """All presets by name."""
    found = {row["preset"]: Preset(row["preset"], row["label"], row["label_zh"], row["kind"], row["role"],
                                   row["checkout"] == "true", tuple(row["aliases"].split(";")), row["works"],
                                   row["costs"])
             for row in _rows("channels.csv")}
    return MappingProxyType(found)


@functools.cache
def parameters() -> tuple[Parameter, ...]:
    """All defaults, brand-level ones (preset `*`) last."""
    return tuple(Parameter(row["preset"], row["name"], row["path"], _number(row["default"]), _number(row["low"]),
                           _number(row["high"]), row["unit"], row["flag"], row["source"])
                 for row in _rows("parameters.csv"))


@functools.cache
def _index() -> dict[tuple[str, str], Parameter]:
    return {(entry.preset, entry.name): entry for entry in parameters()}


def parameter(preset: str, name: str) -> Parameter:
    """One default; preset `*` for the brand as a whole.

    Raises
    ------
    KeyError  if the catalogue has no such number
    """
    return _index()[preset, name]


@functools.cache
def _fields(preset: str) -> dict[str, object]:
    entry = presets()[preset]
    named = {"label": entry.label, "label_zh": entry.label_zh, "kind": entry.kind, "role": entry.role,
             "checkout": entry.checkout}
    numbers = {p.name: p.default for p in parameters() if p.preset == preset and p.path.startswith(CHANNEL_PATH)}
    return {**named, **numbers}


def channel_fields(preset: str) -> dict[str, object]:
    """The fields of a scenario's channel that a preset fills."""
    return dict(_fields(preset))


def hint(name: str) -> str:
    """What to write instead of an unknown preset."""
    close = difflib.get_close_matches(name, presets(), n=1)
    return f"Did you mean {close[0]}?" if close else f"Choose from {', '.join(presets())}."


def _plain(text: str) -> str:
    return " ".join(re.sub(r"[_\-/()\[\]·|,.:]+", " ", unicodedata.normalize("NFKC", text).casefold()).split())


@functools.cache
def _aliases() -> tuple[tuple[str, str], ...]:
    pairs = [(_plain(alias), entry.name) for entry in presets().values()
             for alias in (entry.name, entry.label, entry.label_zh, *entry.aliases) if alias]
    return tuple(sorted(set(pairs), key=lambda pair: (-len(pair[0]), pair)))


def find_preset(text: str) -> str | None:
    """The preset that a table's channel name means, in Chinese or English, or None if none or several fit.

    Notes
    -----
    The longest known name inside the text decides: 抖音直播间 is douyin_live, 抖音内容 is douyin. Latin names count as
    whole words only.
    """
    wanted = _plain(text)
    found: set[str] = set()
    length = 0
    for alias, name in _aliases():
        if len(alias) < length:
            break
        whole = rf"(?<![a-z0-9]){re.escape(alias)}(?![a-z0-9])" if alias.isascii() else re.escape(alias)
        if re.search(whole, wanted):
            found.add(name)
            length = len(alias)
    return found.pop() if len(found) == 1 else None
