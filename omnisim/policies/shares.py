"""Rules that share the budget out by one figure of each channel."""

from __future__ import annotations

from dataclasses import dataclass

from omnisim.errors import UsageError
from omnisim.plan import Observation, Plan
from omnisim.policies.splitting import share_out


@dataclass
class Equal:
    """The same to every channel."""

    name: str = "equal"

    def review(self, observation: Observation) -> Plan | None:
        """The budget in equal parts."""
        return share_out(observation, dict.fromkeys(observation.budgets, 1.0), self.name)


@dataclass
class Returns:
    """In proportion to ROI: GMV on the channel per yuan spent on it.

    A channel without cost has no ROI and gets nothing; GMV that a channel causes elsewhere is not seen.

    Parameters
    ----------
    window : int [day]  that the return is taken over
    """

    window: int = 28
    name: str = "roi"

    def review(self, observation: Observation) -> Plan | None:
        """The budget by ROI."""
        roi = observation.recent(self.window)["roi"]
        observation.note("roi " + ", ".join(f"{name} {value:.2f}" if value == value else f"{name} –"
                                            for name, value in roi.items()))
        return share_out(observation, {name: float(roi[name]) for name in observation.budgets}, self.name)


@dataclass
class LastClick:
    """In proportion to the GMV of the journeys of the run so far whose last touch was on the channel."""

    name: str = "last_click"

    def review(self, observation: Observation) -> Plan | None:
        """The budget by last touch; nothing changes before there are journeys, or without the right to see them."""
        try:
            journeys = observation.read("journeys")
        except UsageError:
            return None
        gmv = journeys["gmv"].groupby(journeys["path"].str.split(" > ").str[-1]).sum()
        observation.note("last touch " + ", ".join(f"{name} {gmv.get(name, 0.0):,.0f}" for name in observation.budgets))
        return share_out(observation, {name: float(gmv.get(name, 0.0)) for name in observation.budgets}, self.name)
