"""How much better or worse than at first each channel works, from the clicks that its impressions bring."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from omnisim.plan import Observation
    from omnisim.scenario.model import Scenario

Floats = NDArray[np.float64]
BEFORE = 90
"""Days before the first review that levels are taken against."""
LATE = 7
"""Newest days, a whole week, that are believed alone where they contradict those before."""
SURE = 3.0
"""Standard errors from which on two stretches of days contradict each other."""
LEAST_LEVEL, MOST_LEVEL = 0.2, 5.0
"""A channel is believed to have become worse or better by no more than this."""


class Stretch(NamedTuple):
    """What was seen of each channel that the policy decides about, on some days in a row; all (channels,).

    Parameters
    ----------
    impressions, clicks : float64
    cost : float64 [currency]
    season : float64  mean weight of a day by the calendar
    """

    impressions: Floats
    clicks: Floats
    cost: Floats
    season: Floats


class Levels:
    """Levels of channels, from one review to the next.

    Parameters
    ----------
    belief : Scenario  its calendar explains part of what changes
    window : int [day]  that is looked back on, more than a week
    base : Stretch  what was normal before

    Notes
    -----
    A level is a ratio of clicks an impression. The log of a ratio of counts has a variance of the sum of their
    reciprocals, times the customers that one simulated consumer stands for; it is shrunk by max(0, 1 − variance /
    ratio²), as James and Stein (1961) would. Where the newest week contradicts the window's days before it, it is
    believed alone, as the adaptive windows of Bifet and Gavaldà (2007) do. A channel of which nothing was seen stays at
    the level it was last seen at.
    """

    def __init__(self, belief: Scenario, window: int, base: Stretch) -> None:
        self.belief, self.window, self.base = belief, window, base
        self.last: dict[str, float] = {}
        self.errors: dict[str, float] = {}

    def look(self, observation: Observation) -> dict[str, float]:
        """The level of each channel that the policy decides about, at a review."""
        whole, early, late = stretches(observation, self.belief, (self.window, 0), (self.window - LATE, LATE),
                                       (LATE, 0))
        for place, name in enumerate(observation.budgets):
            moved = self._change(place, early, late)
            now = late if moved is not None and abs(moved[0]) > SURE * math.sqrt(moved[1]) else whole
            found = self._change(place, self.base, now)
            if found is not None:
                log, variance = found
                shrunk = log * max(0.0, 1.0 - variance / log**2) if log else 0.0
                self.errors[name] = math.sqrt(variance)
                self.last[name] = min(MOST_LEVEL, max(LEAST_LEVEL, math.exp(shrunk)))
        return {name: self.last.get(name, 1.0) for name in observation.budgets}

    def is_news(self, before: Mapping[str, float], notice: float) -> bool:
        """Whether a level lies off what it was taken for by more than `notice` [relative] and its standard error."""
        return any(abs(math.log(level / before.get(name, 1.0))) >= max(notice, self.errors[name])
                   for name, level in self.last.items())

    def watch(self, clicks: int) -> Floats:
        """Daily spend (channels,) [currency/day] that brings so many clicks in a window, at the price of the base.

        0 for a channel that nothing was spent on.
        """
        base, wanted = self.base, clicks * self.belief.population.scale / self.window
        return np.divide(wanted * base.cost, base.clicks, out=np.zeros(base.cost.size), where=base.clicks > 0)

    def _change(self, place: int, then: Stretch, here: Stretch) -> tuple[float, float] | None:
        """Log of how much more clicks an impression brings, calendar aside, and its variance; None if not seen."""
        log, variance = 0.0, 0.0
        for sign, days in ((1.0, here), (-1.0, then)):
            clicks, impressions = float(days.clicks[place]), float(days.impressions[place])
            if min(clicks, impressions) <= 0:
                return None
            log += sign * math.log(clicks / impressions / max(float(days.season[place]), 1e-9))
            variance += self.belief.population.scale / clicks
        return log, variance


def stretches(observation: Observation, belief: Scenario, *wanted: tuple[int, int]) -> list[Stretch]:
    """What was seen on stretches of days, each given by its length and by how many of the newest days come after it.

    Fewer days where the past is shorter.
    """
    from omnisim.season import Season

    columns, seen = observation.by_day()
    seen = seen[:, :, [columns.index(name) for name in Stretch._fields[:3]]]
    season, found = Season(belief, list(observation.budgets)), []
    for days, after in wanted:
        sums = seen[:max(0, len(seen) - after)][-days:].sum(axis=0)
        last = observation.seen - after
        weights = [season.weight(day) for day in range(last - days, last)]
        found.append(Stretch(sums[:, 0], sums[:, 1], sums[:, 2], np.mean(weights, axis=0)))
    return found
