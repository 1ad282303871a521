"""A review: what a policy is shown, what it decides, when that takes hold and what it costs."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from omnisim.books import MEASURE, Books
from omnisim.errors import Fault, UsageError
from omnisim.ledger import Ledger
from omnisim.plan import Observation, Plan, Policy, to_cents
from omnisim.plan_file import check_plan
from omnisim.scenario.allocation import Limits
from omnisim.scenario.model import Scenario

if TYPE_CHECKING:
    import pandas as pd

Reader = Callable[[Books, str], "pd.DataFrame"]
"""Makes one table of the books so far."""
STOCKS = ("stock", "stock_history")
"""Tables of places and articles, which belong to no channel."""
BY_DAY = ("daily", "history", "channels", *STOCKS)
"""Tables that can be cut off at any day."""
SUMMED = ("journeys", "flows", "cohorts")
"""Tables that only grow: seen as they were at the last review that lies back far enough."""
WORDS = 400
"""Letters of a note kept."""


class Desk:
    """Where the policy of one run sits.

    Parameters
    ----------
    scenario : Scenario  of which only the rights, the calendar of reviews and the names of channels are passed on
    policy : Policy  with rights to its own channel alone, each channel's team gets a copy
    read : (Books, table) -> DataFrame
    luck : int  for policies that draw
    """

    def __init__(self, scenario: Scenario, policy: Policy, read: Reader | None, luck: int) -> None:
        self.scenario, self.policy, self.read, self.luck = scenario, policy, read, luck
        self.rule = scenario.policy
        self.every = scenario.horizon.days if self.rule.every == "never" else self.rule.every
        self.today = Plan.today(scenario)
        self.usual: dict[str, int] = {}
        self.teams = {name: copy.deepcopy(policy) for name in self.today.budgets} if self.rule.rights == "own" else {}
        self.waiting: list[tuple[int, Plan]] = []
        self.past: list[tuple[int, Books]] = []

    def review(self, day: int, plan: Plan, ledger: Ledger) -> Plan:
        """The plan in force on a day; a review is held where one is due."""
        start = self.scenario.horizon.start
        if self.rule.integrated is not None and (self.rule.integrated - start).days == day:
            self._pay(ledger, day, to_cents(self.rule.integration_cost))
        if day % self.every == 0:
            newest = self.waiting[-1][1] if self.waiting else plan
            new, saw = self._decide(day, newest, ledger)
            self._pay(ledger, day, to_cents(self.rule.cost))
            effective = day + self.rule.delay
            changed = describe_change(newest, new, self.scenario, effective) if new is not None else ""
            if changed and self.rule.delay:
                changed += f" (from day {effective})"
            if new is not None:
                self.waiting.append((effective, new))
            ledger.decisions.append({"day": day, "policy": self.policy.name, "saw": saw,
                                     "changed": changed or "nothing"})
        while self.waiting and self.waiting[0][0] <= day:
            plan = self.waiting.pop(0)[1]
        return plan

    def _decide(self, day: int, plan: Plan, ledger: Ledger) -> tuple[Plan | None, str]:
        """What the policy (or each channel's team) wants, and what was seen."""
        seen = max(day - self.rule.data_delay, -self.scenario.horizon.warm_up)
        if self.rule.data_delay:
            self.past.append((day, ledger.so_far(day)))
        budgets = {name: self._budget(plan, name, day) for name in self.today.budgets}
        self.usual = self.usual or budgets
        when = self.rule.integrated
        is_whole = not self.teams or (when is not None and (when - self.scenario.horizon.start).days <= day)
        if is_whole:
            sight = Sight(self, ledger, seen, budgets, is_whole=True)
            observation = sight.observation(day, plan)
            new = self.policy.review(observation)
            if new is not None:
                check_plan(new, self.scenario)
            return new, sight.words(observation, day)
        merged, said = plan, []
        for name, team in self.teams.items():
            sight = Sight(self, ledger, seen, {name: budgets[name]}, is_whole=False)
            observation = sight.observation(day, plan)
            new = team.review(observation)
            if new is not None:
                check_plan(new, self.scenario)
                merged = merged.with_budgets(new, [name])
            said.append(f"{name}: {sight.words(observation, day)}")
        return (None if merged is plan else merged), "; ".join(said)

    def _budget(self, plan: Plan, name: str, day: int) -> int:
        cents = plan.budget_on(name, day)
        return self.today.budgets[name][0] if cents is None else cents

    def _pay(self, ledger: Ledger, day: int, cents: int) -> None:
        """Book a cost as labour of all channels alike, to the cent."""
        row, count = day + self.scenario.horizon.warm_up, len(ledger.names)
        for n in range(count):
            ledger.daily[row, n, MEASURE["labour"]] -= cents * (n + 1) // count - cents * n // count


class Sight:
    """What one team may read at one review."""

    def __init__(self, desk: Desk, ledger: Ledger, seen: int, budgets: Mapping[str, int], *, is_whole: bool) -> None:
        self.desk, self.ledger, self.seen, self.budgets, self.is_whole = desk, ledger, seen, budgets, is_whole
        self.books: Books | None = None
        self.tables: dict[str, pd.DataFrame] = {}

    def observation(self, day: int, plan: Plan) -> Observation:
        """What is handed to the policy."""
        desk, horizon = self.desk, self.desk.scenario.horizon
        limits = desk.scenario.limits if self.is_whole else own_limits(desk.scenario.limits, self.budgets)
        return Observation(day, plan, self.table, self.budgets, desk.every, horizon.days, self.seen, desk.luck, [],
                           limits, {name: desk.usual[name] for name in self.budgets}, horizon.start)

    def table(self, name: str) -> pd.DataFrame:
        """A table, made once a review.

        Raises
        ------
        UsageError  for a table that is none of the brand's own, or needs the data of all channels together
        """
        if self.desk.read is None:
            raise LookupError("this run was started without tables to read")
        if name not in (*BY_DAY, *SUMMED):
            raise UsageError(Fault("policy", "table", name, "is none of the brand's own",
                                   f"Choose one of {', '.join((*BY_DAY, *SUMMED))}."))
        if not self.is_whole and name in SUMMED:
            raise UsageError(Fault("policy", "table", name, "needs the data of all channels (policy.rights is own)",
                                   "Read daily, or give the policy all rights."))
        if name not in self.tables:
            self.tables[name] = self._make(name, self.desk.read)
        return self.tables[name]

    def _make(self, name: str, read: Reader) -> pd.DataFrame:
        if self.desk.rule.data_delay and name in SUMMED:
            old = [books for day, books in self.desk.past if day <= self.seen]
            return read(old[-1], name) if old else read(self.desk.past[0][1], name).iloc[:0]
        if self.books is None:
            self.books = self.ledger.so_far(self.seen)
            if self.seen < 0:
                self.books = replace(self.books, warm_up=self.books.warm_up + self.seen, days=0)
        frame = read(self.books, name)
        return frame if self.is_whole or name in STOCKS else frame[frame["channel"].isin(list(self.budgets))]

    def words(self, observation: Observation, day: int) -> str:
        """Which tables were read, up to when, and what the policy says of them."""
        span = f"days 0 to {self.seen - 1}" if self.seen > 0 else "the days before"
        looked = f"{', '.join(self.tables)} of {span}" if self.tables else "the plan of today" if not day else "nothing"
        return "; ".join([looked, *observation.notes])[:WORDS]


def own_limits(limits: Limits, names: Iterable[str]) -> Limits:
    """What of the limits a team that sees some channels alone can keep: what is said of each channel by itself."""
    return Limits(period=limits.period, spend_all=limits.spend_all, step=limits.step, ramp=limits.ramp,
                  channels={name: limits.channels[name] for name in names if name in limits.channels})


def describe_change(old: Plan, new: Plan, scenario: Scenario, day: int) -> str:
    """What a new plan changes on a day, in words."""
    today = Plan.today(scenario)
    found = []
    for name in today.budgets:
        before, after = (plan.budget_on(name, day) for plan in (old, new))
        before, after = (today.budgets[name][0] if cents is None else cents for cents in (before, after))
        if before != after:
            found.append(f"{name} {before / 100:,.2f} → {after / 100:,.2f}")
    for sku, level in today.base_stock.items():
        before, after = old.base_stock.get(sku, level), new.base_stock.get(sku, level)
        if before != after:
            found.append(f"{sku} base stock {before:,} → {after:,}")
    if new.orders != old.orders:
        coming = [one for one in new.orders if one.day >= day and one.units]
        found.append(f"{len(coming)} orders of {sum(one.units for one in coming):,} units")
    if not found and any(old.budget_on(name, later) != new.budget_on(name, later) for later in new.first_days
                         if later > day for name in today.budgets):
        return "later budgets"
    return "; ".join(found)
