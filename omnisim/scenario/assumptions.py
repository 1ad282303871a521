"""What a scenario takes from the catalogue instead of the brand's own figures."""

from __future__ import annotations

from typing import NamedTuple

from omnisim.scenario import catalogue
from omnisim.scenario.model import Scenario


class Assumption(NamedTuple):
    """A value that equals its default: path, value, unit, range, source flag (S, D, P, A, C) and source."""

    path: str
    value: float
    unit: str
    low: float
    high: float
    flag: str
    source: str


def assumptions(scenario: Scenario) -> list[Assumption]:
    """Every value that equals its catalogue default, in the order of the file.

    Notes
    -----
    A value that the brand measured and that happens to equal the default is listed too: the file does not say why a
    number stands there. Sections left out (null) have no assumptions.
    """
    found = []
    for entry in catalogue.parameters():
        for path, value in _values(scenario, entry):
            if value == entry.default:
                found.append(Assumption(path, value, entry.unit.replace("currency", scenario.currency), entry.low,
                                        entry.high, entry.flag, entry.source))
    return found


def _values(scenario: Scenario, entry: catalogue.Parameter) -> list[tuple[str, float]]:
    if entry.preset != catalogue.BRAND:
        if not entry.path:
            return []
        return [(f"channels.{name}.{entry.name}", getattr(channel, entry.name))
                for name, channel in scenario.channels.items() if channel.preset == entry.preset]
    value: object = scenario if entry.path else None
    for part in entry.path.split("."):
        value = getattr(value, part, None)
    return [(entry.path, value)] if isinstance(value, int | float) else []
