"""Rows of a table from Python or from a spreadsheet, read strictly: every cell that cannot be meant is a fault."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.scenario.advice import did_you_mean, plainly
from omnisim.scenario.scalars import resolve
from omnisim.scenario.text import shorten

if TYPE_CHECKING:
    import pandas as pd


class Rule(NamedTuple):
    """What a column may hold."""

    required: bool = False
    text: bool = False
    whole: bool = False
    least: float = -1e15
    most: float = 1e15
    above: bool = False
    """Whether `least` itself is refused."""
    unit: str = ""
    endless: bool = False
    """Whether infinity is a value: what it limits never comes."""


@dataclass(frozen=True)
class Record:
    """One row: where it stands, and its cells by column."""

    place: str
    cells: Mapping[str, Any]


Records = Sequence[Record]


def from_frame(frame: pd.DataFrame, name: str) -> list[Record]:
    """The rows of a frame; `name` is the argument it came in.

    Raises
    ------
    UsageError  for what is no frame, or names a column twice
    """
    columns = getattr(frame, "columns", None)
    if columns is None or not hasattr(frame, "itertuples"):
        raise UsageError(Fault(name, name, type(frame).__name__, "must be a table (a pandas DataFrame)",
                               "Use pd.DataFrame(…), or the path of a CSV file."))
    _check_header(name, list(columns))
    values = {str(column): frame[column].tolist() for column in columns}
    return [Record(f"{name}: row {k}", {column: cells[k] for column, cells in values.items()})
            for k in range(len(frame))]


def from_sheet(place: str, rows: Iterable[tuple[int, tuple[object, ...]]]) -> list[Record]:
    """The rows of a sheet whose first row names the columns; blank cells are left out, text is read as numbers.

    Raises
    ------
    UsageError  for columns without a name or named twice, and for rows longer than the header
    """
    numbered = list(rows)
    if not numbered:
        raise UsageError(Fault(place, "table", "nothing", "must hold a row of column names and rows below it",
                               "Fill the table."))
    header = ["" if cell is None else str(cell).strip() for cell in numbered[0][1]]
    while header and not header[-1]:
        header.pop()
    _check_header(place, header)
    records = []
    for number, cells in numbered[1:]:
        if len([cell for cell in cells[len(header):] if cell is not None and str(cell).strip()]):
            raise UsageError(Fault(f"{place}:{number}", "row", f"{len(cells)} cells",
                                   f"must have at most {len(header)}", "Remove the separator that is too many."))
        found = {column: _meaning(cell) for column, cell in zip(header, cells, strict=False)
                 if cell is not None and str(cell).strip()}
        records.append(Record(f"{place}:{number}", found))
    return records


def _meaning(cell: object) -> object:
    """A cell of text as the number it writes, or as itself."""
    if not isinstance(cell, str):
        return cell
    text = cell.strip()
    if text.casefold().lstrip("+-") in ("nan", "inf", "infinity"):
        return float(text)
    try:
        value = resolve(text)
    except ValueError:
        return text
    return value if isinstance(value, int | float) and not isinstance(value, bool) else text


def _check_header(name: str, columns: Sequence[object]) -> None:
    words = [str(column) for column in columns]
    faults = [Fault(name, "columns", repr(word), "must each have a name of their own", "Rename or drop it.")
              for k, word in enumerate(words) if not word or word in words[:k]]
    if faults:
        raise UsageError(*faults)


class Reading:
    """Reads columns by their rules and gathers every fault on the way.

    Parameters
    ----------
    records : rows
    name : str  what the table is called in faults about all of it
    rules : column -> Rule
    """

    def __init__(self, records: Records, name: str, rules: Mapping[str, Rule]) -> None:
        self.records = records
        self.rules = rules
        self.faults: list[Fault] = []
        columns = list(dict.fromkeys(column for record in records for column in record.cells))
        self.columns = set(columns)
        if not records:
            self.faults.append(Fault(name, "table", "no row", "must hold at least one row", "Add one."))
            return
        for column in columns:
            if column not in rules:
                self.faults.append(Fault(name, column, "", "is no known column", did_you_mean(column, list(rules))))
        for column, rule in rules.items():
            if rule.required and column not in columns:
                self.faults.append(Fault(name, column, "", "is missing", f"Add a column {column}."))

    def fault(self, record: Record, column: str, got: object, rule: str, fix: str) -> None:
        """Note a fault of one cell."""
        shown = "nothing" if got is None else shorten(got if isinstance(got, str) else f"{got:g}"
                                                      if isinstance(got, float) else repr(got))
        unit = self.rules[column].unit if isinstance(got, int | float) and column in self.rules else ""
        self.faults.append(Fault(record.place, column, f"{shown} {unit}".rstrip(), rule, fix))

    def text(self, record: Record, column: str) -> str:
        """A cell of text; empty after a fault."""
        value = record.cells.get(column)
        if isinstance(value, str) and value.strip() and len(value) <= 128 and value.isprintable():
            return value.strip()
        if column in self.columns or not self.rules[column].required:  # else the column itself is a fault
            self.fault(record, column, value, "must be one line of text", "Write a name.")
        return ""

    def number(self, record: Record, column: str, default: float | None = None) -> float:
        """A cell as a finite number within the column's range; the default where it is blank, NaN after a fault."""
        rule, value = self.rules[column], record.cells.get(column)
        if value is None and default is not None:
            return default
        kind = "a whole number" if rule.whole else "a number"
        value = value.item() if isinstance(value, np.generic) else value
        if isinstance(value, bool) or not isinstance(value, int | float):
            if column in self.columns or not rule.required:
                self.fault(record, column, value, f"must be {kind}", "Write plain digits, as 1200 or 0.05.")
            return math.nan
        if not math.isfinite(value) and not (rule.endless and value > 0.0):
            self.fault(record, column, value, "must be a finite number", "Write a figure, or leave the column out.")
            return math.nan
        if rule.whole and value != int(value):
            self.fault(record, column, value, "must be a whole number", f"Write {round(value)}.")
            return math.nan
        if value < rule.least or (value > rule.most and not rule.endless) or (rule.above and value <= rule.least):
            low = f"{'>' if rule.above else '≥'} {plainly(rule.least)}" if rule.least > -1e15 else ""
            high = f"≤ {plainly(rule.most)}" if rule.most < 1e15 or value > rule.most else ""
            fallback = f"between ±{plainly(1e15)}"
            self.fault(record, column, value, f"must be {' and '.join(filter(None, (low, high))) or fallback}",
                       "Correct it.")
            return math.nan
        return float(value)

    def check(self) -> None:
        """Refuse the table if anything was wrong.

        Raises
        ------
        UsageError  with all faults
        """
        if self.faults:
            raise UsageError(*self.faults)
