"""The families of limits, one function each: what a scenario says becomes bounds and linear rows with names."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.problem import TOTAL, Ints, Limit, Names, Sense
from omnisim.optimise.records import Reading, Records, Rule
from omnisim.response import Floats
from omnisim.scenario.allocation import Limits

ROW_RULES = {
    "limit": Rule(required=True, text=True),
    "channel": Rule(text=True),
    "period": Rule(whole=True, least=0, most=3660),
    "coefficient": Rule(required=True),
    "sense": Rule(required=True, text=True),
    "value": Rule(required=True),
}
SENSES: tuple[Sense, ...] = ("<=", ">=", "==")


@dataclass(frozen=True)
class Terms:
    """What limits are about.

    Parameters
    ----------
    channels : tuple of str
    days : (periods,) float [day]  of each period; 1 where periods are all that is known
    opens : (n,) int [period]  first period in which a channel can be used
    today : (n, periods) float [currency], or None  today's spend
    customers : (n,) float [customer/response]
    budget : float [currency]
    """

    channels: tuple[str, ...]
    days: Floats
    opens: Ints
    today: Floats | None
    customers: Floats
    budget: float

    @property
    def periods(self) -> int:
        """How many."""
        return len(self.days)

    def cells(self, channels: Sequence[int], periods: Sequence[int] | None = None) -> Ints:
        """Places of channels × periods."""
        over = np.arange(self.periods) if periods is None else np.asarray(periods, np.int64)
        return (np.asarray(channels, np.int64)[:, None] * self.periods + over[None, :]).ravel()

    @property
    def everything(self) -> Ints:
        """Places of all channels and periods."""
        return np.arange(len(self.channels) * self.periods)


class Bounds:
    """Bounds of spend by channel and period, each with the line it came from; of several the tightest holds."""

    def __init__(self, floor: Floats, cap: Floats, places: Sequence[str]) -> None:
        self.floor, self.cap = floor.copy(), cap.copy()
        self.floor_names: Names = np.empty(floor.shape, object)
        self.cap_names: Names = np.empty(cap.shape, object)
        for c, place in enumerate(places):
            self.floor_names[c], self.cap_names[c] = f"{place}.floor", f"{place}.cap"
        self.floor_names[floor <= 0.0] = ""
        self.cap_names[~np.isfinite(cap)] = ""

    def raise_floor(self, c: int, periods: slice, least: Floats | float, name: str) -> None:
        """Spend at least this much."""
        tighter = self.floor[c, periods] < least
        self.floor[c, periods] = np.where(tighter, least, self.floor[c, periods])
        self.floor_names[c, periods] = np.where(tighter, name, self.floor_names[c, periods])

    def lower_cap(self, c: int, periods: slice, most: Floats | float, name: str) -> None:
        """Spend at most this much."""
        tighter = self.cap[c, periods] > most
        self.cap[c, periods] = np.where(tighter, most, self.cap[c, periods])
        self.cap_names[c, periods] = np.where(tighter, name, self.cap_names[c, periods])


def bound_spend(spec: Limits, terms: Terms, bounds: Bounds) -> None:
    """Floors, caps, multiples of today's spend, steps, media inventory, onboarding dates, the total budget."""
    every = slice(None)
    for name, one in spec.channels.items():
        c, path = terms.channels.index(name), f"limits.channels.{name}"
        if one.floor is not None:
            bounds.raise_floor(c, every, one.floor * terms.days, f"{path}.floor")
        if one.cap is not None:
            bounds.lower_cap(c, every, one.cap * terms.days, f"{path}.cap")
        if one.inventory is not None:
            bounds.lower_cap(c, every, one.inventory * terms.days, f"{path}.inventory")
        if terms.today is not None and one.low is not None:
            bounds.raise_floor(c, every, one.low * terms.today[c], f"{path}.low")
        if terms.today is not None and one.high is not None:
            bounds.lower_cap(c, every, one.high * terms.today[c], f"{path}.high")
        if terms.opens[c]:
            path += ".opens" if one.opens is not None else ".opens_in"
            bounds.lower_cap(c, slice(0, terms.opens[c]), 0.0, path)
    if spec.step is not None and terms.today is not None:
        for c in range(len(terms.channels)):
            bounds.raise_floor(c, every, max(0.0, 1.0 - spec.step) * terms.today[c], "limits.step")
            bounds.lower_cap(c, every, (1.0 + spec.step) * terms.today[c], "limits.step")
    for c in range(len(terms.channels)):
        bounds.lower_cap(c, every, terms.budget, TOTAL)


def limit_total(spec: Limits, terms: Terms, opening_cost: Floats, where: str) -> Iterator[Limit]:
    """The total budget, opening costs included."""
    opened = np.flatnonzero(opening_cost)
    yield Limit(TOTAL, where, "==" if spec.spend_all else "<=", terms.budget, terms.everything,
                np.ones(len(terms.everything)), channels=opened, opening=opening_cost[opened])


def limit_periods(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """The budget of each period."""
    every = range(len(terms.channels))
    for t, money in enumerate(spec.period_budgets):
        yield Limit(f"period_budgets.{t}", f"limits.period_budgets.{t}", "<=", money * float(terms.days[t]),
                    terms.cells(every, [t]), np.ones(len(terms.channels)))


def limit_groups(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """Shares of groups of channels in the spend of all: Σ group − share · Σ all."""
    for k, group in enumerate(spec.groups):
        inside = np.zeros(len(terms.everything))
        inside[terms.cells([terms.channels.index(name) for name in group.channels])] = 1.0
        for sense, part, bound in _both(group.low, group.high, 0.0, 1.0):
            yield Limit(f"groups.{group.name}.{part}", f"limits.groups.{k}.{part}", sense, 0.0, terms.everything,
                        inside - bound, asked=f"{100.0 * bound:g} % of all spend")


def limit_ratios(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """Channels against each other: Σ one − ratio · Σ other."""
    for k, ratio in enumerate(spec.ratios):
        one, other = terms.channels.index(ratio.channel), terms.channels.index(ratio.to)
        for sense, part, bound in _both(ratio.low, math.inf if ratio.high is None else ratio.high, 0.0, math.inf):
            coefficients = np.concatenate([np.ones(terms.periods), np.full(terms.periods, -bound)])
            yield Limit(f"ratios.{ratio.channel}.{part}", f"limits.ratios.{k}.{part}", sense, 0.0,
                        terms.cells([one, other]), coefficients, asked=f"{bound:g} × {ratio.to}")


def _both(low: float, high: float, least: float, most: float) -> Iterator[tuple[Sense, str, float]]:
    """The sides of a range that bind at all; one equation where both are the same."""
    if low == high:
        yield "==", "low", low
        return
    if low > least:
        yield ">=", "low", low
    if high < most:
        yield "<=", "high", high


def limit_ramps(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """Steps from one period to the next: x(t) against (1 ± ramp) · x(t−1), in money a day."""
    if spec.ramp is None:
        return
    for c, name in enumerate(terms.channels):
        for t in range(max(1, int(terms.opens[c]) + 1), terms.periods):
            pair = terms.cells([c], [t, t - 1])
            day, before = 1.0, float(terms.days[t] / terms.days[t - 1])
            yield Limit(f"ramp.{name}.{t}.up", "limits.ramp", "<=", 0.0, pair,
                        np.array([day, -(1.0 + spec.ramp) * before]), asked=f"{spec.ramp:g} a period")
            if spec.ramp < 1.0:
                yield Limit(f"ramp.{name}.{t}.down", "limits.ramp", ">=", 0.0, pair,
                            np.array([day, -(1.0 - spec.ramp) * before]), asked=f"{spec.ramp:g} a period")


def limit_returns(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """Least response per yuan and most cost per customer: Σ R − roi · Σ x ≥ 0, Σ cac · customers − Σ x ≥ 0."""
    every = list(range(len(terms.channels)))
    asked = [("", every, spec.roi, spec.cac)]
    asked += [(f"channels.{name}.", [terms.channels.index(name)], one.roi, one.cac)
              for name, one in spec.channels.items()]
    for path, channels, roi, cac in asked:
        cells = terms.cells(channels)
        if roi is not None:
            yield Limit(f"{path}roi", f"limits.{path}roi", ">=", 0.0, cells, np.full(len(cells), -roi), cells,
                        np.ones(len(cells)), unit="response", asked=f"{roi:g} response/currency")
        if cac is not None:
            customers = np.repeat(terms.customers[channels], terms.periods)
            yield Limit(f"{path}cac", f"limits.{path}cac", ">=", 0.0, cells, np.full(len(cells), -1.0), cells,
                        cac * customers, asked=f"{cac:g} currency/customer")


def limit_hours(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """Labour as a second resource, in each period."""
    if spec.hours is None:
        return
    need = np.array([spec.channels[name].hours / 1000.0 if name in spec.channels else 0.0 for name in terms.channels])
    for t in range(terms.periods):
        yield Limit(f"hours.{t}", "limits.hours", "<=", spec.hours * float(terms.days[t]),
                    terms.cells(range(len(need)), [t]), need, unit="hour")


def limit_cash(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """Cash flow: what is spent up to a period was there or has come in."""
    if spec.cash is None:
        return
    every = range(len(terms.channels))
    for t in range(terms.periods):
        spent, earned = terms.cells(every, range(t + 1)), terms.cells(every, range(max(0, t + 1 - spec.cash.delay)))
        yield Limit(f"cash.{t}", "limits.cash", "<=", spec.cash.opening, spent, np.ones(len(spent)), earned,
                    np.full(len(earned), -spec.cash.share))


def limit_stock(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """Goods on hand: units of all response that is counted."""
    if spec.stock is not None:
        yield Limit("stock", "limits.stock", "<=", spec.stock.available, reply_cells=terms.everything,
                    reply=np.full(len(terms.everything), spec.stock.units), unit="unit")


def limit_rows(spec: Limits, terms: Terms) -> Iterator[Limit]:
    """The user's own linear limits, terms of the same name added up."""
    names = dict.fromkeys(row.limit for row in spec.rows)
    for name in names:
        terms_of = [row for row in spec.rows if row.limit == name]
        sums = np.zeros(len(terms.everything))
        for row in terms_of:
            channels = range(len(terms.channels)) if row.channel is None else [terms.channels.index(row.channel)]
            sums[terms.cells(channels, None if row.period is None else [row.period])] += row.coefficient
        used = np.flatnonzero(sums)
        first = terms_of[0]
        yield Limit(name, f"limits.rows.{name}", first.sense, first.value, used, sums[used], unit="value")


FAMILIES = (limit_periods, limit_groups, limit_ratios, limit_ramps, limit_returns, limit_hours, limit_cash, limit_stock,
            limit_rows)


def read_rows(records: Records, name: str = "limits") -> list[dict[str, object]]:
    """Tidy rows (limit, channel, period, coefficient, sense, value) as the scenario's `limits.rows`.

    Raises
    ------
    UsageError  with every fault
    """
    reading = Reading(records, name, ROW_RULES)
    rows: list[dict[str, object]] = []
    for record in records:
        sense = reading.text(record, "sense")
        if sense and sense not in SENSES:
            reading.fault(record, "sense", sense, "must be one of <=, >=, ==", "Write one of these.")
        row: dict[str, object] = {"limit": reading.text(record, "limit"), "sense": sense,
                                  "coefficient": reading.number(record, "coefficient"),
                                  "value": reading.number(record, "value")}
        if not _is_blank(record.cells.get("channel")):
            row["channel"] = reading.text(record, "channel")
        if not _is_blank(record.cells.get("period")):
            period = reading.number(record, "period")
            row["period"] = int(period) if math.isfinite(period) else 0
        rows.append(row)
    reading.check()
    return rows


def _is_blank(cell: object) -> bool:
    """Nothing, as a frame has it in columns that are not filled throughout."""
    return cell is None or (isinstance(cell, float) and math.isnan(cell)) or cell == ""


def check_limits(spec: Limits, terms: Terms, name: str) -> None:
    """Refuse limits that name what is not there, or need what is not known.

    Raises
    ------
    UsageError  with every fault
    """
    faults = [*_unknown_channels(spec, terms, name), *_wrong_periods(spec, terms, name), *_disagreeing(spec, name)]
    relative = [f"{name}.channels.{channel}.{part}" for channel, one in spec.channels.items()
                for part in ("low", "high") if getattr(one, part) is not None]
    if spec.step is not None:
        relative.append(f"{name}.step")
    if terms.today is None:
        faults += [Fault("allocate", what, "", "is a multiple of today's spend, which is not known",
                         "Give today's plan, as today=….") for what in relative]
    for channel, one in spec.channels.items():
        if one.low is not None and one.high is not None and one.low > one.high:
            faults.append(Fault("allocate", f"{name}.channels.{channel}.low", f"{one.low:g}",
                                f"must be at most high, {one.high:g}", "Swap the two."))
        if one.opens is not None and one.opens_in is not None:
            faults.append(Fault("allocate", f"{name}.channels.{channel}.opens_in", str(one.opens_in),
                                "says the same as opens", "Keep one of the two."))
    if spec.hours is None and any(one.hours for one in spec.channels.values()):
        faults.append(Fault("allocate", f"{name}.hours", "", "is missing, but channels say what hours they need",
                            "Add the hours on hand."))
    for k, group in enumerate(spec.groups):
        if group.low > group.high:
            faults.append(Fault("allocate", f"{name}.groups.{k}.low", f"{group.low:g}",
                                f"must be at most high, {group.high:g}", "Swap the two."))
    if faults:
        raise UsageError(*faults)


def _unknown_channels(spec: Limits, terms: Terms, name: str) -> Iterator[Fault]:
    used = [(f"channels.{channel}", channel) for channel in spec.channels]
    used += [(f"groups.{k}.channels", channel) for k, group in enumerate(spec.groups) for channel in group.channels]
    for k, ratio in enumerate(spec.ratios):
        used += [(f"ratios.{k}.channel", ratio.channel), (f"ratios.{k}.to", ratio.to)]
    used += [(f"rows.{k}.channel", row.channel) for k, row in enumerate(spec.rows) if row.channel is not None]
    for path, channel in used:
        if channel not in terms.channels:
            close = difflib.get_close_matches(channel, terms.channels, n=1)
            yield Fault("allocate", f"{name}.{path}", channel, "is no channel with a curve",
                        f"Did you mean {close[0]}?" if close else f"Choose from {', '.join(terms.channels[:20])}.")


def _wrong_periods(spec: Limits, terms: Terms, name: str) -> Iterator[Fault]:
    if spec.period_budgets and len(spec.period_budgets) != terms.periods:
        yield Fault("allocate", f"{name}.period_budgets", f"{len(spec.period_budgets)} figures",
                    f"must be one a period ({terms.periods})", "Add or drop figures.")
    for k, row in enumerate(spec.rows):
        if row.period is not None and row.period >= terms.periods:
            yield Fault("allocate", f"{name}.rows.{k}.period", str(row.period),
                        f"must be at most {terms.periods - 1}: periods count from 0", "Correct it.")


def _disagreeing(spec: Limits, name: str) -> Iterator[Fault]:
    first: dict[str, tuple[str, float]] = {}
    for k, row in enumerate(spec.rows):
        if first.setdefault(row.limit, (row.sense, row.value)) != (row.sense, row.value):
            yield Fault("allocate", f"{name}.rows.{k}", f"{row.sense} {row.value:g}",
                        f"must have the sense and value of the other terms of {row.limit}", "Make them agree.")
