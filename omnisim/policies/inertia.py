"""Goes on as before."""

from __future__ import annotations

from dataclasses import dataclass

from omnisim.plan import Observation, Plan


@dataclass
class Inertia:
    """Goes on as before: whatever it sees, it changes nothing. The yardstick of every other policy."""

    name: str = "inertia"

    def review(self, observation: Observation) -> Plan | None:
        """Nothing changes."""
        return None
