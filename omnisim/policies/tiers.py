"""60/30/10: most to the core, less to the promising, a little to the rest; by size, or by a score."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from omnisim.plan import Observation, Plan
from omnisim.policies.splitting import share_out

TIERS = (0.6, 0.3, 0.1)
"""Shares of the first channel, of the second, and of all others together."""


def tier_weights(order: list[str]) -> dict[str, float]:
    """Weight of each channel, best first: the shares of `TIERS`, the last one spread evenly over the rest."""
    first, second, rest = TIERS
    return {name: first if place == 0 else second if place == 1 else rest / (len(order) - 2)
            for place, name in enumerate(order)}


@dataclass
class Tiers:
    """Three fifths to the channel with the most GMV of the past, three tenths to the second, the rest to the others."""

    name: str = "60/30/10"

    def review(self, observation: Observation) -> Plan | None:
        """The split, once."""
        if observation.day >= observation.every:
            return None
        gmv = observation.recent(90)["gmv"]
        order = sorted(observation.budgets, key=lambda name: -gmv[name])
        observation.note("by gmv: " + ", ".join(order))
        return share_out(observation, tier_weights(order), self.name)


@dataclass
class Ranking:
    """60/30/10 by a score: return, customer value and growth, each between the worst (0) and the best channel (1).

    Parameters
    ----------
    roi, value, growth : float ≥ 0  weights of GMV per yuan spent, contribution per order, and growth of visits
    window : int [day]  that the figures are taken over; growth is against the same days before
    """

    roi: float = 0.4
    value: float = 0.3
    growth: float = 0.3
    window: int = 28
    name: str = "ranking"

    def review(self, observation: Observation) -> Plan | None:
        """The split by score; channels with the same score keep the order of the file."""
        scores = self.scores(observation)
        order = sorted(scores, key=lambda name: -scores[name])
        observation.note("score " + ", ".join(f"{name} {scores[name]:.2f}" for name in order))
        return share_out(observation, tier_weights(order), self.name)

    def scores(self, observation: Observation) -> dict[str, float]:
        """Σ weight · (figure − lowest) / (highest − lowest) of each channel; what is not known counts as lowest."""
        now, before = observation.recent(self.window), observation.recent(self.window, before=self.window)
        figures: Mapping[str, object] = {
            "roi": now["roi"], "value": now["contribution"] / now["orders"].where(now["orders"] > 0),
            "growth": now["visits"] / before["visits"].where(before["visits"] > 0)}
        total = np.zeros(len(now))
        for name, figure in figures.items():
            values = np.asarray(figure, float)
            known = np.isfinite(values)
            if known.any():
                low, high = values[known].min(), values[known].max()
                total += getattr(self, name) * np.where(known, (values - low) / ((high - low) or 1.0), 0.0)
        return {str(name): float(score) for name, score in zip(now.index, total, strict=True)}
