"""The named policies: each turns what it sees at a review into a plan."""

from __future__ import annotations

import difflib
from collections.abc import Callable
from dataclasses import dataclass

from omnisim.errors import Fault, UsageError
from omnisim.plan import Observation, Plan, Policy


@dataclass
class Inertia:
    """Goes on as before: whatever it sees, it changes nothing. The yardstick of every other policy."""

    name: str = "inertia"

    def review(self, observation: Observation) -> Plan | None:
        """Nothing changes."""
        return None


POLICIES: dict[str, Callable[[], Policy]] = {"inertia": Inertia}
"""Name -> maker of the policy; a run gets a fresh one."""


def find_policy(name: str) -> Policy:
    """The policy of that name.

    Raises
    ------
    UsageError  for a name that no policy has
    """
    if name in POLICIES:
        return POLICIES[name]()
    close = difflib.get_close_matches(name, POLICIES, n=1)
    fix = f"Did you mean {close[0]}?" if close else f"Use {', '.join(POLICIES)}."
    raise UsageError(Fault("policy", "name", repr(name), "must be a known policy", fix))
