"""Days, windows and names that all tables share."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from omnisim.books import Books
    from omnisim.scenario.model import Scenario

BLOCK = 30
"""Days in which a visitor counts once."""
BASELINE = 90
"""Last days of the warm-up that stand for today's state."""


class Window(NamedTuple):
    """Days ``first`` to ``stop`` (excluded), counted from the first day of the warm-up."""

    name: str
    first: int
    stop: int

    @property
    def days(self) -> int:
        """Length of the window [day]."""
        return self.stop - self.first

    @property
    def blocks(self) -> int:
        """Whole 30-day blocks, counted back from the last day."""
        return self.days // BLOCK

    @property
    def block_days(self) -> slice:
        """The days of these blocks."""
        return slice(self.stop - BLOCK * self.blocks, self.stop)


def run_window(books: Books) -> Window:
    """The reported days."""
    return Window("run", books.warm_up, books.warm_up + books.days)


def baseline_window(books: Books) -> Window:
    """The last 90 days of the warm-up, or what there is of it."""
    return Window("baseline", max(0, books.warm_up - BASELINE), books.warm_up)


def first_date(scenario: Scenario) -> datetime.date:
    """The first simulated day."""
    return scenario.horizon.start - datetime.timedelta(days=scenario.horizon.warm_up)


def dates(scenario: Scenario, first: int, stop: int) -> NDArray[np.datetime64]:
    """Dates of simulated days, as a table shows them."""
    return np.datetime64(first_date(scenario), "s") + np.arange(first, stop) * np.timedelta64(86_400, "s")


def month_of(scenario: Scenario, first: int, stop: int) -> NDArray[np.int64]:
    """Calendar month (year × 12 + month − 1) of each simulated day."""
    return np.asarray(dates(scenario, first, stop).astype("datetime64[M]").astype(np.int64) + 1970 * 12)


def month_name(month: int) -> str:
    """A month as YYYY-MM."""
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def shown_channels(scenario: Scenario) -> list[tuple[int, str]]:
    """Place in the books and name of each active channel, in the order of the file."""
    return [(k, name) for k, (name, channel) in enumerate(scenario.channels.items()) if channel.active]


def ratio(above: Any, below: Any) -> Any:
    """``above / below`` as float, null (NaN) where ``below`` is 0; for numbers and arrays."""
    above, below = np.asarray(above, float), np.asarray(below, float)
    result = np.full(np.broadcast(above, below).shape, np.nan)
    np.divide(above, below, out=result, where=below != 0)
    return result if result.shape else float(result)
