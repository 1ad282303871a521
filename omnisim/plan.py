"""A plan is the one thing that optimisers give and a run takes; a policy turns an observation into a plan."""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from omnisim.errors import Fault, UsageError

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.scenario.allocation import Limits
    from omnisim.scenario.model import Scenario


@dataclass(frozen=True)
class Order:
    """One order on its date.

    Parameters
    ----------
    day : int [day]  in whose evening it is given, counted from the first reported day
    sku, node : str  article, and where it is to come
    units : int [unit]  0 orders nothing
    source : str  supplier or node that it comes from; empty for the one that feeds the node
    """

    day: int
    sku: str
    node: str
    units: int
    source: str = ""


@dataclass(frozen=True)
class Plan:
    """What is spent and stocked: budgets by channel and period, base stock by article, orders on their dates.

    Parameters
    ----------
    first_days : tuple of int [day]  first day of each period, counted from the first reported day; starts with 0
    budgets : channel -> tuple of int [cents/day]  one figure a period; a channel left out keeps today's budget
    base_stock : sku -> int [unit]  order-up-to level; an article left out keeps today's level
    orders : tuple of Order  they stand in for the rule of each article at each node that they name, for good: what
        they do not order is not ordered there, express apart. Rows of days that are over count for nothing

    Raises
    ------
    UsageError  for periods that do not ascend from 0, a budget, level or order below 0, a budget per period missing,
        or two orders of the same article for the same node from the same source on one day
    """

    first_days: tuple[int, ...] = (0,)
    budgets: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    base_stock: Mapping[str, int] = field(default_factory=dict)
    orders: tuple[Order, ...] = ()

    def __post_init__(self) -> None:
        faults = list(_malformed(self))
        if faults:
            raise UsageError(*faults)
        if list(self.first_days) != sorted({0, *self.first_days}):
            faults.append(Fault("plan", "periods", str(list(self.first_days)), "must ascend from day 0",
                                "Give the first day of each period, as [0, 7, 14]."))
        for channel, cents in self.budgets.items():
            if len(cents) != len(self.first_days):
                faults.append(Fault("plan", f"budgets.{channel}", f"{len(cents)} figures",
                                    f"must be one a period ({len(self.first_days)})", "Add or drop figures."))
            if any(c < 0 for c in cents):
                faults.append(Fault("plan", f"budgets.{channel}", str(min(cents) / 100), "must be ≥ 0",
                                    "Set 0 to buy nothing."))
        for sku, level in self.base_stock.items():
            if level < 0:
                faults.append(Fault("plan", f"base_stock.{sku}", str(level), "must be ≥ 0", "Set 0 to order nothing."))
        faults += _bad_orders(self)
        if faults:
            raise UsageError(*faults)

    @classmethod
    def today(cls, scenario: Scenario) -> Plan:
        """The plan that the scenario describes: its budgets and base stock, unchanged over the horizon."""
        return cls(
            budgets={name: (to_cents(channel.budget),)
                     for name, channel in scenario.channels.items() if channel.active},
            base_stock={} if scenario.supply.nodes else
            {sku: product.base_stock for sku, product in scenario.products.items()},
        )

    def budget_on(self, channel: str, day: int) -> int | None:
        """Budget of a channel on a day [cents/day], or None where the plan leaves it as it is."""
        if channel not in self.budgets:
            return None
        period = int(np.searchsorted(np.asarray(self.first_days), max(day, 0), side="right")) - 1
        return self.budgets[channel][period]

    def spread(self, first_days: Iterable[int]) -> Plan:
        """The same plan told in these periods and its own."""
        days = tuple(sorted({*self.first_days, *first_days}))
        places = np.searchsorted(np.asarray(self.first_days), days, side="right") - 1
        return replace(self, first_days=days, budgets={name: tuple(cents[place] for place in places)
                                                       for name, cents in self.budgets.items()})

    def with_budgets(self, other: Plan, channels: Iterable[str]) -> Plan:
        """This plan, with the budgets of some channels as in another: today's, where that leaves them out."""
        mine, theirs, names = self.spread(other.first_days), other.spread(self.first_days), set(channels)
        return replace(mine, budgets={
            **{name: cents for name, cents in mine.budgets.items() if name not in names},
            **{name: cents for name, cents in theirs.budgets.items() if name in names}})


@dataclass(frozen=True)
class Observation:
    """What a policy may know at a review: its own tables, as far as its data rights go, and the plan in force.

    Parameters
    ----------
    day : int [day]  since the first reported day
    plan : Plan  in force until now
    read : table name -> DataFrame  makes a table when it is asked for
    budgets : channel -> int [cents/day]  in force today, of every channel that the policy may decide about
    every, days : int [day]  between two reviews; reported in all
    seen : int [day]  the tables end on the evening before; earlier than `day` where data come late
    luck : int  number to draw from, for policies that draw; another in each replication
    notes : list of str  what the policy says it looked at, for the table `decisions`
    limits : Limits, or None  that the scenario declares, as far as the policy decides about what they limit
    usual : channel -> int [cents/day]  budgets on the first reported day, before any review
    start : date, or None  first reported day
    """

    day: int
    plan: Plan
    read: Callable[[str], pd.DataFrame]
    budgets: Mapping[str, int] = field(default_factory=dict)
    every: int = 7
    days: int = 365
    seen: int = 0
    luck: int = 0
    notes: list[str] = field(default_factory=list)
    limits: Limits | None = None
    usual: Mapping[str, int] = field(default_factory=dict)
    start: datetime.date | None = None

    @property
    def daily(self) -> pd.DataFrame:
        """The `daily` table of the reported days so far."""
        return self.read("daily")

    @property
    def stock(self) -> pd.DataFrame:
        """The `stock` table of the reported days so far."""
        return self.read("stock")

    @property
    def stock_history(self) -> pd.DataFrame:
        """Day × node × sku from the first day of the warm-up: the columns of the tables `stock` and `moves`."""
        return self.read("stock_history")

    @property
    def history(self) -> pd.DataFrame:
        """Day × channel from 90 days before the first reported one: what `recent` sums."""
        return self.read("history")

    def recent(self, days: int = 28, *, before: int = 0) -> pd.DataFrame:
        """Sums by channel over the last days.

        Parameters
        ----------
        days : int [day]  how many, fewer where the past is shorter
        before : int [day]  how many later ones are left out

        Returns
        -------
        DataFrame  one row for each of `budgets`: the sums of `history`'s columns, money in currency, and roi =
        gmv / cost, null without cost
        """
        import pandas as pd

        columns, values = self.by_day()
        found = pd.DataFrame(values[:len(values) - before or None][-days:].sum(axis=0), index=list(self.budgets),
                             columns=columns)
        return found.assign(roi=found["gmv"] / found["cost"].where(found["cost"] > 0))

    def by_day(self) -> tuple[list[str], NDArray[np.float64]]:
        """`history` as an array: its columns, and their figures (days, channels, columns), channels as in `budgets`."""
        rows = self.history
        columns = [name for name in rows.columns if name not in ("date", "channel")]
        shown = list(dict.fromkeys(rows["channel"]))  # a row for each of them on every day
        values = rows[columns].to_numpy(float).reshape(-1, len(shown) or 1, len(columns))
        found = np.zeros((len(values), len(self.budgets), len(columns)))
        for place, name in enumerate(self.budgets):
            if name in shown:
                found[:, place] = values[:, shown.index(name)]
        return columns, found

    def spend(self, budgets: Mapping[str, int]) -> Plan:
        """The plan in force with other budgets from now on.

        Parameters
        ----------
        budgets : channel -> int [cents/day]  channels left out stay as they are
        """
        kept = {name: (self.plan.budget_on(name, self.day) or 0,) for name in self.plan.budgets}
        changed = {name: (cents,) for name, cents in budgets.items()}
        return replace(self.plan, first_days=(0,), budgets={**kept, **changed})

    def order(self, orders: Iterable[Order]) -> Plan:
        """The plan in force with these orders in the place of its own.

        Parameters
        ----------
        orders : Order  on `day` or later
        """
        return replace(self.plan, orders=tuple(orders))

    def note(self, words: str) -> None:
        """Say what was looked at: it stands in the table `decisions`."""
        self.notes.append(words)


class Policy(Protocol):
    """Anything with a name and a review: the run calls it every `policy.every` days, from the first reported day.

    A policy that has a method ``prepare(belief, seed)`` is told, once a scenario and before the first run, what is
    believed of the market: a Scenario that it may simulate, with other luck than the run's. One that has a true
    ``needs_curves`` is told the response curves of that belief as well: ``prepare(belief, seed, curves)``.
    """

    name: str

    def review(self, observation: Observation) -> Plan | None:
        """A new plan for the days from now on (its day 0 is the first reported day), or None to change nothing."""
        ...


MOST_CENTS, MOST_UNITS = 100_000_000_000, 2_000_000_000
"""Largest budget a day and largest level, as in a scenario file."""


def _malformed(plan: Plan) -> Iterator[Fault]:
    """What is no whole number where one must be, or too large to count with."""
    days: object = plan.first_days
    if not _are_whole(days, MOST_UNITS):
        yield Fault("plan", "periods", repr(days), "must be a tuple of days, whole numbers",
                    "Give the first day of each period, as (0, 7, 14).")
    parts: tuple[tuple[str, object], ...] = (("budgets", plan.budgets), ("base_stock", plan.base_stock))
    for what, figures in parts:
        if not isinstance(figures, Mapping):
            yield Fault("plan", what, type(figures).__name__, "must be a mapping of names to figures",
                        "Leave it out to keep today's.")
            continue
        for name, figure in figures.items():
            if what == "budgets" and not _are_whole(figure, MOST_CENTS):
                yield Fault("plan", f"{what}.{name}", repr(figure), f"must be a tuple of whole cents a day, each up to "
                            f"{MOST_CENTS:,}", "Use round(100 * amount), one a period.")
            elif what == "base_stock" and not _is_whole(figure, MOST_UNITS):
                yield Fault("plan", f"{what}.{name}", repr(figure), f"must be a whole number up to {MOST_UNITS:,}",
                            "Round it.")


    orders: object = plan.orders
    if not (isinstance(orders, tuple) and all(isinstance(one, Order) for one in orders)):
        yield Fault("plan", "orders", type(plan.orders).__name__, "must be a tuple of Order",
                    "Write (Order(day, sku, node, units), …).")
        return
    for row, one in enumerate(plan.orders, 1):
        for name, figure, most in (("day", one.day, MOST_UNITS), ("units", one.units, MOST_UNITS)):
            if not _is_whole(figure, most):
                yield Fault("plan", f"orders, row {row}, {name}", repr(figure),
                            f"must be a whole number up to {most:,}", "Round it.")
        words: tuple[tuple[str, object], ...] = (("sku", one.sku), ("node", one.node), ("source", one.source))
        for name, word in words:
            if not isinstance(word, str):
                yield Fault("plan", f"orders, row {row}, {name}", repr(word), "must be a name", "Write it as text.")


def _bad_orders(plan: Plan) -> Iterator[Fault]:
    """Orders that cannot be meant, whatever the scenario."""
    seen: dict[tuple[int, str, str, str], int] = {}
    for row, one in enumerate(plan.orders, 1):
        for name, figure in (("day", one.day), ("units", one.units)):
            if figure < 0:
                yield Fault("plan", f"orders, row {row}, {name}", str(figure), "must be ≥ 0", "Correct it.")
        key = (one.day, one.sku, one.node, one.source)
        if (first := seen.setdefault(key, row)) != row:
            yield Fault("plan", f"orders, row {row}", f"{one.sku} for {one.node}, day {one.day}",
                        f"stands in row {first}, too", "Keep one row.")
        if one.sku in plan.base_stock:
            yield Fault("plan", f"orders, row {row}, sku", one.sku, "has a base stock in this plan, too",
                        "Keep one of them.")


def _are_whole(values: object, most: int) -> bool:
    return isinstance(values, tuple | list) and all(_is_whole(value, most) for value in values)


def _is_whole(value: object, most: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and abs(int(value)) <= most


def to_cents(amount: float) -> int:
    """Money of a scenario in minor units, half a cent rounded to even."""
    return round(amount * 100)
