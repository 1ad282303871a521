"""Pause and reallocate: a channel that does not pay is stopped, and its money moves to the others."""

from __future__ import annotations

from dataclasses import dataclass, field

from omnisim.plan import Observation, Plan
from omnisim.policies.splitting import bounds_of, split_within


@dataclass
class Pause:
    """Stops a channel whose ROI stays below a threshold for some reviews; its money goes to the others as they stand.

    Parameters
    ----------
    threshold : float [x]  ROI (GMV per yuan spent) below which a channel is counted out; None for 1 / m, where m is
        what is left of a yuan of its GMV after returns, goods and fees: at a margin of 50 % a ROI of 2
    patience : int [review]  how often in a row
    window : int [day]  that the return is taken over; the days since the last review unless given

    Notes
    -----
    The last channel that spends is never stopped, and nothing is tried again: without spend there is no ROI to see. A
    channel with a floor keeps it.
    """

    threshold: float | None = 1.0
    patience: int = 2
    window: int | None = None
    name: str = "pause"
    low: dict[str, int] = field(default_factory=dict)

    def review(self, observation: Observation) -> Plan | None:
        """Count the reviews below the threshold; stop those at the end of patience, the lowest ROI first."""
        recent = observation.recent(self.window or observation.every)
        _, bounds = bounds_of(observation, self.name)
        budgets = dict(observation.budgets)
        stopped = []
        for name in sorted(budgets, key=lambda name: float(recent["roi"].fillna(0.0)[name])):
            roi, gmv = float(recent["roi"][name]), float(recent["gmv"][name])
            margin = float(recent["contribution"][name]) / gmv if gmv > 0.0 else 0.0
            least = self.threshold if self.threshold is not None else 1.0 / margin if margin > 0.0 else float("inf")
            below = budgets[name] > bounds[name][0] and roi < least  # null, without cost, is not below
            self.low[name] = self.low.get(name, 0) + 1 if below else 0
            spending = [other for other, cents in budgets.items() if cents > bounds[other][0]]
            if self.low[name] >= self.patience and len(spending) > 1:
                others = {other: 0 if other == name else cents for other, cents in budgets.items()}
                budgets = split_within(sum(budgets.values()), others, bounds)
                stopped.append(name)
            observation.note(f"{name} roi {roi:.2f} of {least:.2f}")
        return observation.spend(budgets) if stopped else None
