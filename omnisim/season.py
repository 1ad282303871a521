"""What the calendar makes of a day: weights of channels, broadcasts, blocks of days, parts of a year's fee."""

from __future__ import annotations

import datetime

import numpy as np
from numpy.typing import NDArray

from omnisim.scenario.market import LiveWindow
from omnisim.scenario.model import Scenario

WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


class Season:
    """Weight of each channel by day: weekday × month × campaigns × broadcasts."""

    def __init__(self, scenario: Scenario, names: list[str]) -> None:
        self.calendar, self.start, self.names = scenario.calendar, scenario.horizon.start, names

    def weight(self, day: int) -> NDArray[np.float64]:
        """Weights of the channels on a day."""
        date = self.start + datetime.timedelta(days=day)
        weight = np.full(len(self.names), self.calendar.weekday[date.weekday()] * self.calendar.month[date.month - 1])
        for campaign in self.calendar.campaigns:
            if campaign.start <= date <= campaign.end:
                factor = campaign.factor
                weight *= [factor.get(name, 1.0) if isinstance(factor, dict) else factor for name in self.names]
        for place, window in self.broadcasts(day).items():
            weight[place] *= window.factor
        return weight

    def broadcasts(self, day: int) -> dict[int, LiveWindow]:
        """The broadcasts of a day, by place of their channel."""
        date = self.start + datetime.timedelta(days=day)
        return {self.names.index(window.channel): window for window in self.calendar.live
                if window.date == date and window.channel in self.names}


def block_start(day: int, days: int) -> int:
    """First day of the 30-day block of a day; blocks are counted back from the last reported or warm-up day."""
    if day < 0:
        return -30 * ((-1 - day) // 30 + 1)
    rest = days % 30
    return 0 if day < rest else rest + (day - rest) // 30 * 30


def share_of_year(cents: int, day: int) -> int:
    """A day's part of a yearly amount, in whole cents that add up to it over any 365 days."""
    return cents * (day + 1) // 365 - cents * day // 365
