"""What the classics accept, and how they refuse the rest: all faults at once, each with value, rule and cure."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from omnisim.errors import Fault, UsageError

Floats = NDArray[np.float64]
Check = Fault | None
"""A fault, or None where there is none."""


def accept(where: str, *checks: Check) -> None:
    """Go on if no check found a fault.

    Parameters
    ----------
    where : str  the function that was called
    checks : Fault or None  what the functions below return

    Raises
    ------
    UsageError  naming every fault
    """
    faults = [Fault(where, fault.what, fault.got, fault.rule, fault.fix) for fault in checks if fault is not None]
    if faults:
        raise UsageError(*faults)


def fault(what: str, got: object, rule: str, fix: str) -> Fault:
    """A fault whose place `accept` fills in."""
    return Fault("", what, got if isinstance(got, str) else repr(got), rule, fix)


def number(what: str, value: object) -> Check:
    """Any finite number."""
    if isinstance(value, bool) or not isinstance(value, int | float | np.integer | np.floating):
        return fault(what, value, "must be a number", "Write it as a number, without unit or quotes.")
    if not math.isfinite(value):
        return fault(what, value, "must be finite", "Give the figure itself, or leave the argument out.")
    return None


def positive(what: str, value: float, fix: str = "Give a figure above 0.") -> Check:
    """A finite number above 0."""
    found = number(what, value)
    if found is None and value <= 0:
        return fault(what, value, "must be > 0", fix)
    return found


def not_negative(what: str, value: float, fix: str = "Use 0 for none.") -> Check:
    """A finite number, 0 or above."""
    found = number(what, value)
    if found is None and value < 0:
        return fault(what, value, "must be ≥ 0", fix)
    return found


def lag(value: float, what: str = "lead_time") -> Check:
    """A time between order and receipt."""
    return not_negative(what, value, "Use 0 for goods that arrive at once.")


def service(value: float, what: str = "service") -> Check:
    """A service target: a probability strictly between 0 and 1."""
    found = number(what, value)
    if found is None and not 0 < value < 1:
        fix = ("No finite stock serves every demand: aim for 0.999 or less." if value >= 1
               else "Give a share above 0, as 0.95.")
        return fault(what, value, "must lie strictly between 0 and 1", fix)
    return found


def share(what: str, value: float, fix: str = "Give a share such as 0.1.") -> Check:
    """A number strictly between 0 and 1."""
    found = number(what, value)
    if found is None and not 0 < value < 1:
        return fault(what, value, "must lie strictly between 0 and 1", fix)
    return found


def whole(what: str, value: object, least: int = 0) -> Check:
    """A whole number, `least` or above."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        return fault(what, value, "must be a whole number", f"Give {least} or more.")
    if value < least:
        return fault(what, int(value), f"must be ≥ {least}", f"Give {least} or more.")
    return None


def series(what: str, value: ArrayLike, length: int | None = None, least: float = 0.0) -> Check:
    """One finite figure for each period or item: shape (length,), `least` or above."""
    try:
        array = np.asarray(value, np.float64)
    except (TypeError, ValueError):
        return fault(what, type(value).__name__, "must be numbers", "Give a list of numbers.")
    if array.ndim != 1 or array.size == 0 or (length is not None and array.size != length):
        expected = f"{length} figures" if length is not None else "a list of at least one figure"
        return fault(what, f"shape {array.shape}", f"must be {expected}", "Add or drop figures; nothing is repeated.")
    bad = np.flatnonzero(~(array >= least) | ~np.isfinite(array))
    if bad.size:
        return fault(f"{what}[{bad[0]}]", float(array[bad[0]]), f"must be finite and ≥ {least:g}",
                     f"Correct {bad.size} of {array.size} figures.")
    return None


def each(what: str, value: float | Sequence[float] | Floats, length: int) -> Floats:
    """A figure a period from one figure for all of them or from a list, shape (length,).

    A single number is a constant; a list must have the right length (checked with `series`).
    """
    array = np.asarray(value, np.float64)
    return np.full(length, float(array)) if array.ndim == 0 else array
