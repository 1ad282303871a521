"""What the fields of a scenario are made of: sections that refuse unknown keys, numbers with units, money, dates."""

from __future__ import annotations

import datetime
import re
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

SHARE = "share"
FIRST_DATE = datetime.date(1970, 1, 1)
LAST_DATE = datetime.date(2200, 12, 31)
LONGEST_CADENCE = 3660
LONGEST_HORIZON = 3660
MOST_FACTOR = 100

_ISO = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", re.ASCII)


class Section(BaseModel):
    """A part of a scenario: frozen, and every key it does not know is refused.

    Its validator is built at first use, with those of its parts: for each part by itself would take as long again.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, defer_build=True)


def quantity(default: Any = ..., *, unit: str, ge: float | None = None, gt: float | None = None,
             le: float | None = None, lt: float | None = None) -> Any:
    """A number with its unit and range; no default means the file must give it."""
    return Field(default, ge=ge, gt=gt, le=le, lt=lt, json_schema_extra={"unit": unit})


def share(default: Any = ...) -> Any:
    """A number between 0 and 1."""
    return quantity(default, unit=SHARE, ge=0, le=1)


def refuse(rule: str, fix: str = "") -> PydanticCustomError:
    """The error a validator raises; rule and fix reach the user as they are."""
    return PydanticCustomError("refused", "{rule}", {"rule": rule, "fix": fix})


def whole_cents(amount: float) -> float:
    """Money in whole cents; dust that arithmetic leaves (3000 * 1.1) is brushed off, true fractions are refused."""
    cents = round(amount, 2)
    if abs(amount - cents) > 1e-9 * abs(amount):
        raise refuse("must be whole cents: at most two decimals", f"Write {cents:.2f}.")
    return cents


def read_cadence(value: object) -> object:
    """Days between two reviews, or the word never."""
    if value != "never" and not (type(value) is int and 1 <= value <= LONGEST_CADENCE):
        raise refuse(f"must be a whole number of days from 1 to {LONGEST_CADENCE:,}, or never",
                     "Write 7 for a review a week.")
    return value


def version_number(value: object) -> object:
    """A version as the number it must be: true and 1.0 are not 1."""
    if type(value) is not int:
        raise refuse("must be a whole number", "Write 1.")
    return value


def read_date(value: object) -> object:
    """A date from its ISO text; everything but text and dates is left to pydantic to refuse."""
    if type(value) is str and _ISO.fullmatch(value):
        try:
            value = datetime.date.fromisoformat(value)
        except ValueError:
            raise refuse("is no day of the calendar", "Check month and day: yyyy-mm-dd.") from None
    if type(value) is not datetime.date:
        raise refuse("must be a date, yyyy-mm-dd", "Write it as 2024-06-01.")
    if not FIRST_DATE <= value <= LAST_DATE:
        raise refuse(f"must lie between {FIRST_DATE} and {LAST_DATE}", "Check the year.")
    return value


Name = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")]
Text = Annotated[str, Field(pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029\ufeff]*$")]
"""One line of text in any language."""
Money = Annotated[float, AfterValidator(whole_cents)]
Date = Annotated[datetime.date, BeforeValidator(read_date)]
Version = Annotated[Literal[1], BeforeValidator(version_number)]
Cadence = Annotated[Annotated[int, Field(ge=1, le=LONGEST_CADENCE)] | Literal["never"], BeforeValidator(read_cadence)]
Share = Annotated[float, Field(ge=0, le=1, json_schema_extra={"unit": SHARE})]
Factor = Annotated[float, Field(ge=0, le=MOST_FACTOR, json_schema_extra={"unit": "x"})]
"""A multiplier: 1 changes nothing."""
