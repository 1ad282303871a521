"""The curves table: one row a channel (and period, and draw), from a frame, a CSV file or a media-mix model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.curves import CurveArrays
from omnisim.optimise.records import Reading, Record, Records, Rule
from omnisim.response import EXPONENTIAL, FORMS, HILL, POWER, Floats
from omnisim.scenario.advice import did_you_mean

MOST_PERIODS, MOST_DRAWS = 3660, 10_000
WORTHS = ("margin", "equity", "awareness", "loyalty", "customers")
"""Columns that say what one unit of response is worth to an objective."""
RULES = {
    "channel": Rule(required=True, text=True),
    "form": Rule(required=True, text=True),
    "scale": Rule(required=True, least=0.0, unit="response"),
    "half": Rule(required=True, least=0.0, above=True, unit="currency"),
    "shape": Rule(required=True, least=0.01, most=20.0),
    "carryover": Rule(required=True, least=0.0, most=1.0, unit="a period"),
    "period": Rule(whole=True, least=0, most=MOST_PERIODS - 1),
    "floor": Rule(least=0.0, unit="currency"),
    "cap": Rule(least=0.0, unit="currency"),
    "carry_in": Rule(least=0.0, unit="currency"),
    "doubling": Rule(least=0.0, above=True, unit="currency", endless=True),
    "draw": Rule(whole=True, least=0),
    **{worth: Rule(least=0.0, unit="per response") for worth in WORTHS},
}
NO_CAP = math.inf


@dataclass(frozen=True)
class CurveTable:
    """Curves as read: one set of arrays a draw.

    Parameters
    ----------
    channels : tuple of str  in the order of the table
    draws : tuple of CurveArrays  one where the table has no draws; `cap` is infinite where there is none
    worths : column -> (n,) float  of one unit of response, for those columns that the table has
    places : tuple of str  where each channel's first row stands
    period_days : int [day]  days of a period; 1 where periods are all that is known
    doubling : (n, periods) float [currency], or None  spend at which the next exposure costs twice the first, infinite
        where its price does not rise; None where it rises nowhere
    """

    channels: tuple[str, ...]
    draws: tuple[CurveArrays, ...]
    worths: Mapping[str, Floats]
    places: tuple[str, ...]
    period_days: int = 1
    doubling: Floats | None = None

    @property
    def curves(self) -> CurveArrays:
        """The curves of the first draw."""
        return self.draws[0]

    @property
    def periods(self) -> int:
        """How many periods the arrays hold."""
        return int(self.curves.scale.shape[1])

    @property
    def is_concave(self) -> bool:
        """Whether every curve is concave: no hill curve with shape > 1."""
        return not any(bool(((one.form == HILL)[:, None] & (one.shape > 1.0)).any()) for one in self.draws)


def read_curves(records: Records, periods: int | None, name: str = "curves") -> CurveTable:
    """The curves of a table, over all periods of the plan.

    Parameters
    ----------
    records : rows with channel, form, scale, half, shape, carryover and optionally period, floor, cap, carry_in,
        doubling, draw, margin, equity, awareness, loyalty
    periods : int  periods of the plan; those that the table counts, or one, unless given

    Raises
    ------
    UsageError  with every fault of the table
    """
    reading = Reading(records, name, RULES)
    if not records:
        reading.check()
    rows = [row for record in records if (row := _read_row(reading, record)) is not None]
    reading.check()
    channels = tuple(dict.fromkeys(row.channel for row in rows))
    given = sorted({row.period for row in rows if row.period is not None})
    count = periods if periods is not None else (int(given[-1]) + 1 if given else 1)
    draws = sorted({row.draw for row in rows})
    placed = _place(reading, rows, channels, count, draws)
    reading.check()
    first = _first_rows(rows)
    worths = {worth: np.array([first[channel].worths[worth] for channel in channels])
              for worth in WORTHS if worth in reading.columns}
    places = tuple(first[channel].record.place for channel in channels)
    doubling = np.array([[row.doubling for row in line] for line in placed[draws[0]]])
    return CurveTable(channels, tuple(_arrays(placed[draw]) for draw in draws), worths, places,
                      doubling=doubling if np.isfinite(doubling).any() else None)


@dataclass(frozen=True)
class _Row:
    record: Record
    channel: str
    form: int
    scale: float
    half: float
    shape: float
    carryover: float
    period: int | None
    floor: float
    cap: float
    carry_in: float
    doubling: float
    draw: int
    worths: Mapping[str, float]


def _read_row(reading: Reading, record: Record) -> _Row | None:
    """One row, or None if anything in it is wrong."""
    before = len(reading.faults)
    channel, word = reading.text(record, "channel"), reading.text(record, "form")
    form = FORMS.index(word) if word in FORMS else -1
    if word and form < 0:
        reading.fault(record, "form", word, f"must be one of {', '.join(FORMS)}", did_you_mean(word, list(FORMS)))
    scale, half = reading.number(record, "scale"), reading.number(record, "half")
    shape = 1.0 if form == EXPONENTIAL else reading.number(record, "shape")
    carryover = reading.number(record, "carryover")
    if form == POWER and shape > 1.0:
        reading.fault(record, "shape", shape, "must be ≤ 1 for a power curve: it would grow beyond all limits",
                      "Use a hill curve for an S-shape.")
    if carryover == 1.0:
        reading.fault(record, "carryover", carryover, "must be < 1: pressure would never fade", "Lower it.")
    period = reading.number(record, "period", -1.0)
    floor, cap = reading.number(record, "floor", 0.0), reading.number(record, "cap", NO_CAP)
    if floor > cap:
        reading.fault(record, "floor", floor, f"must be at most the cap, {cap:g}", "Lower it, or raise the cap.")
    carry_in, draw = reading.number(record, "carry_in", 0.0), reading.number(record, "draw", 0.0)
    doubling = reading.number(record, "doubling", math.inf)
    worths = {worth: reading.number(record, worth) for worth in WORTHS if worth in reading.columns}
    if len(reading.faults) > before or not channel or form < 0:
        return None
    return _Row(record, channel, form, scale, half, shape, carryover, None if period < 0 else int(period), floor, cap,
                carry_in, doubling, int(draw), worths)


def _first_rows(rows: list[_Row]) -> dict[str, _Row]:
    """The first row of each channel."""
    return {row.channel: row for row in reversed(rows)}


def _place(reading: Reading, rows: list[_Row], channels: tuple[str, ...], periods: int,
           draws: list[int]) -> dict[int, list[list[_Row]]]:
    """The row that holds for each draw, channel and period; what is missing, double or at odds is a fault."""
    found: dict[tuple[int, str, int], _Row] = {}
    for row in rows:
        spread = range(periods) if row.period is None else [row.period]
        for period in spread:
            if period >= periods:
                reading.fault(row.record, "period", period, f"must be at most {periods - 1}: periods count from 0",
                              "Drop the row, or plan more periods.")
            elif (row.draw, row.channel, period) in found:
                reading.fault(row.record, "channel", row.channel, "is given twice for the same period and draw",
                              "Keep one of the rows.")
            else:
                found[row.draw, row.channel, period] = row
    first = _first_rows(rows)
    lasting: dict[tuple[int, str], float] = {}
    for row in rows:
        start = first[row.channel]
        for column in ("form", "carry_in", *row.worths):
            one, other = ((r.worths[column] if column in r.worths else getattr(r, column)) for r in (start, row))
            if one != other:
                reading.fault(row.record, column, FORMS[int(other)] if column == "form" else other,
                              f"must be the same in all rows of {row.channel}", "Make them agree.")
        if lasting.setdefault((row.draw, row.channel), row.carryover) != row.carryover:
            reading.fault(row.record, "carryover", row.carryover, f"must be the same in all periods of {row.channel}",
                          "Make them agree.")
    for draw in draws:
        for channel in channels:
            for period in range(periods):
                one = found.get((draw, channel, period))
                if one and one.doubling != found.get((draws[0], channel, period), one).doubling:
                    reading.fault(one.record, "doubling", one.doubling, "must be the same in all draws of "
                                  f"{channel}", "Make them agree.")
                    break
            lacking = [period for period in range(periods) if (draw, channel, period) not in found]
            if lacking:
                which = f"draw {draw}, " if len(draws) > 1 else ""
                reading.fault(first[channel].record, "period", channel, f"has no row for {which}period {lacking[0]}"
                              + (f" and {len(lacking) - 1} more" if len(lacking) > 1 else ""),
                              "Add the rows; periods count from 0.")
    if reading.faults:
        return {}
    return {draw: [[found[draw, channel, period] for period in range(periods)] for channel in channels]
            for draw in draws}


def _arrays(rows: list[list[_Row]]) -> CurveArrays:
    def grid(field: str) -> Floats:
        return np.array([[getattr(row, field) for row in line] for line in rows])

    return CurveArrays(np.array([line[0].form for line in rows], np.int8), grid("scale"), grid("half"), grid("shape"),
                       np.array([line[0].carryover for line in rows]), np.array([line[0].carry_in for line in rows]),
                       grid("floor"), grid("cap"))


def worth_of(table: CurveTable, name: str, objective: str) -> Floats:
    """What one unit of response of each channel is worth to an objective, (n,).

    Raises
    ------
    UsageError  where the table does not say
    """
    if name not in table.worths:
        raise UsageError(Fault("allocate", "objective", objective, f"needs a column {name} in the curves: what a unit "
                               "of response is worth to it", f"Add the column {name}, or choose another objective."))
    return table.worths[name]


def select_draw(table: CurveTable, draw: int) -> CurveTable:
    """The table with one draw alone."""
    return replace(table, draws=(table.draws[draw],))
