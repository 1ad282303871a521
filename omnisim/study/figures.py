"""Figures as people write them in spreadsheets: "2.1%", "12.6万", "1,050", "¥120", full-width digits."""

from __future__ import annotations

import datetime
import re
import unicodedata
from decimal import Decimal
from typing import Literal

Kind = Literal["count", "money", "share"]

UNITS = {"": Decimal(1), "%": Decimal("0.01"), "‰": Decimal("0.001"), "千": Decimal(1000), "k": Decimal(1000),
         "万": Decimal(10_000), "w": Decimal(10_000), "亿": Decimal(100_000_000)}
"""What a unit behind a number multiplies it by."""
LARGEST = 1e15
BLANKS = frozenset({"", "-", "--", "—", "——", "–", "/", "无", "n/a", "na", "null", "none"})
"""What people write into a cell that has nothing to say."""

_FIGURE = re.compile(
    r"""(?P<money>¥|CNY|RMB|人民币)?\s*
        (?P<number>\d{1,3}(?:,\d{3})+(?:\.\d+)? | \d{1,3}(?:\ \d{3})+(?:\.\d+)? |
            \d+(?:\.\d*)?(?:e[+-]?\d{1,2})? | \.\d+)
        \s*(?P<unit>[%‰千k万w亿])?\s*
        (?P<tail>元|块|CNY|RMB|人次|人|次|单)?""",
    re.VERBOSE | re.IGNORECASE | re.ASCII,
)
_DATE = re.compile(r"(\d{4})(?:[-/.](\d{1,2})[-/.](\d{1,2})|年(\d{1,2})月(\d{1,2})日|(\d{2})(\d{2}))"
                   r"(?:[ T]00:00(?::00)?)?", re.ASCII)


class PerCent(float):
    """A number of a workbook that is shown in per cent: 0.035 as 3.5%."""


class CellError(ValueError):
    """A cell that is no figure or date, with the rule it breaks and the cure."""

    def __init__(self, rule: str, fix: str) -> None:
        super().__init__(f"{rule}. {fix}")
        self.rule = rule
        self.fix = fix


def plain_text(cell: object) -> str:
    """The text of a cell with full-width forms, odd spaces and invisible marks made plain."""
    text = unicodedata.normalize("NFKC", "" if cell is None else str(cell)).replace("\u2212", "-")
    return " ".join("".join(c for c in text if unicodedata.category(c) != "Cf").split())


def is_blank(cell: object) -> bool:
    """Whether the cell says nothing: empty, a dash, or "n/a"."""
    return plain_text(cell).casefold() in BLANKS


def read_figure(cell: object, kind: Kind, *, factor: Decimal = UNITS[""]) -> float:
    """The number in a cell.

    Parameters
    ----------
    cell : object  text or number, as the file gives it
    kind : Kind  what is expected; decides which units make sense
    factor : Decimal  the header's unit, as 10,000 for "(万元)"; a unit in the cell itself, or a number shown
        in per cent, takes its place

    Returns
    -------
    float  people, orders or visits for a count, currency for money, 0–1 for a share

    Raises
    ------
    CellError  for anything that could be meant in two ways, and for numbers below 0 or not finite

    Examples
    --------
    >>> read_figure("12.6万", "money"), read_figure("２．１％", "share"), read_figure("1,050", "count")
    (126000.0, 0.021, 1050.0)
    """
    if isinstance(cell, bool | datetime.date | datetime.time):
        raise CellError("must be a number", "Format the cell as a number.")
    if isinstance(cell, int | float):
        if not -LARGEST < cell < LARGEST:  # nor NaN
            raise CellError("must be a number below 1e15", "Correct the cell.")
        number, unit = Decimal(repr(cell)), ""
        factor = UNITS[""] if isinstance(cell, PerCent) else factor
    else:
        number, unit = _split_figure(plain_text(cell).removeprefix("'"), kind)
    value = float(number * (UNITS[unit] if unit else factor))
    if not 0 <= value < LARGEST:
        raise CellError("must be ≥ 0 and below 1e15", "Correct the cell.")
    if kind == "share" and value > 1:
        raise CellError("must be a share between 0 and 1, or carry a %",
                        "Correct the cell." if unit else f"Write {number}% if per cent is meant.")
    return value


def _split_figure(text: str, kind: Kind) -> tuple[Decimal, str]:
    """The number and its unit; refuses what could be meant in two ways."""
    match = _FIGURE.fullmatch(text)
    if match is None:
        if re.search(r"\d,\d", text):
            raise CellError("commas may only part thousands (1,050)", "Write a point for decimals, as 2.1.")
        example = {"count": "50000, 1,050 or 5万", "money": "120, ¥1,050 or 12.6万", "share": "2.1% or 0.021"}[kind]
        raise CellError("must be one number", f"Write it as {example}.")
    unit = (match["unit"] or "").lower()
    if kind == "share" and unit not in ("", "%", "‰"):
        raise CellError("must be a share", "Write it as 2.1% or 0.021.")
    if kind != "share" and unit in ("%", "‰"):
        raise CellError("must be an amount, not a percentage", "Check that the columns have the right headers.")
    tail = (match["tail"] or "").upper()
    if kind != "money" and (match["money"] or tail in ("元", "块", "CNY", "RMB")):
        raise CellError(f"must be a {kind}, not money", "Check that the columns have the right headers.")
    return Decimal(re.sub("[, ]", "", match["number"])), unit


def read_date(cell: object) -> datetime.date:
    """The day in a cell: a date of the spreadsheet, or 2024-06-01, 2024/6/1, 2024年6月1日, 20240601.

    Raises
    ------
    CellError  for other forms: 6/1/2024 may be June or January

    Examples
    --------
    >>> read_date("2024年6月1日")
    datetime.date(2024, 6, 1)
    """
    if isinstance(cell, datetime.datetime):
        return cell.date()
    if isinstance(cell, datetime.date):
        return cell
    match = _DATE.fullmatch(plain_text(cell))
    if match:
        year, month, day = (int(part) for part in match.groups() if part)
        try:
            return datetime.date(year, month, day)
        except ValueError:
            pass
    raise CellError("must be a day, year first", "Write it as 2024-06-01.")
