"""How much better or worse than at first each channel works, from the clicks that its impressions bring."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.plan import Observation
    from omnisim.scenario.model import Scenario

BEFORE = 90
"""Days before the first review that levels are taken against."""
LATE = 7
"""Newest days, a whole week, that are believed alone where they contradict those before."""
SURE = 3.0
"""Standard errors from which on two stretches of days contradict each other."""
LEAST_LEVEL, MOST_LEVEL = 0.2, 5.0
"""A channel is believed to have become worse or better by no more than this."""


class Stretch(NamedTuple):
    """What was seen on some days in a row.

    Parameters
    ----------
    sums : DataFrame  sums by channel, as `Observation.recent`
    season : float (channels,)  mean weight of a day by the calendar
    """

    sums: pd.DataFrame
    season: Sequence[float]


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
        whole = stretch(observation, self.belief, self.window)
        early = stretch(observation, self.belief, self.window - LATE, before=LATE)
        late = stretch(observation, self.belief, LATE)
        for place, name in enumerate(observation.budgets):
            moved = self._change(name, place, early, late)
            now = late if moved is not None and abs(moved[0]) > SURE * math.sqrt(moved[1]) else whole
            found = self._change(name, place, self.base, now)
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

    def watch(self, clicks: int) -> dict[str, float]:
        """Daily spend [currency/day] that brings each channel so many clicks in a window, at the price of the base.

        A channel that nothing was spent on has none.
        """
        sums = self.base.sums
        paid = sums[(sums["cost"] > 0) & (sums["clicks"] > 0)]
        wanted = clicks * self.belief.population.scale / self.window
        return {str(name): wanted * row["cost"] / row["clicks"] for name, row in paid.iterrows()}

    def _change(self, name: str, place: int, then: Stretch, here: Stretch) -> tuple[float, float] | None:
        """Log of how much more clicks an impression brings, calendar aside, and its variance; None if not seen."""
        log, variance = 0.0, 0.0
        for sign, days in ((1.0, here), (-1.0, then)):
            clicks, impressions = map(float, days.sums.loc[name, ["clicks", "impressions"]])
            if min(clicks, impressions) <= 0:
                return None
            log += sign * math.log(clicks / impressions / max(days.season[place], 1e-9))
            variance += self.belief.population.scale / clicks
        return log, variance


def stretch(observation: Observation, belief: Scenario, days: int, *, before: int = 0) -> Stretch:
    """What was seen over so many days, `before` of the newest left out."""
    from omnisim.season import Season

    season = Season(belief, list(observation.budgets))
    last = observation.seen - before
    weights = [season.weight(day) for day in range(last - days, last)]
    return Stretch(observation.recent(days, before=before), np.mean(weights, axis=0))
