"""One family of errors: each names the place, the value, the rule and the cure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

SHOWN = 10
"""Faults printed one by one; the rest are counted."""


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong, in the user's terms.

    Parameters
    ----------
    where : str  place, as ``file:line:column`` or the name of an argument
    what : str  the thing, as a dotted path of the scenario or a table column
    got : str  the value found, with its unit; empty if a value is missing
    rule : str  what must hold
    fix : str  what to do now
    """

    where: str
    what: str
    got: str
    rule: str
    fix: str = ""

    def __str__(self) -> str:
        what = f"{self.what} = {self.got}" if self.got else self.what
        place = f"{self.where}: " if self.where else ""
        return f"{place}{what} — {self.rule.rstrip('.')}.{' ' + self.fix if self.fix else ''}"


class OmnisimError(Exception):
    """Everything omnisim refuses, with all faults at once.

    Parameters
    ----------
    faults : sequence of Fault  at least one

    Notes
    -----
    ``exit_code`` is what the command line answers for this kind of error.
    """

    exit_code = 1

    def __init__(self, *faults: Fault) -> None:
        self.faults: Sequence[Fault] = faults
        lines = [str(fault) for fault in faults[:SHOWN]]
        if len(faults) > SHOWN:
            lines.append(f"… and {len(faults) - SHOWN} more.")
        super().__init__("\n".join(lines))


class UsageError(OmnisimError):
    """A wrong argument, option, table or plan."""

    exit_code = 2


class ScenarioError(UsageError):
    """A scenario file that cannot be accepted."""


class InfeasibleError(OmnisimError):
    """Limits that no plan can keep together, each line of the contradiction as a fault."""

    exit_code = 3


class NotFoundError(OmnisimError):
    """No plan was found in the time, nor a proof that there is none; each limit still broken as a fault."""

    exit_code = 4


class StorageError(OmnisimError):
    """A file that cannot be read or written."""

    exit_code = 5
