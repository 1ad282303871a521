"""What a policy is shown at a review, when its decision takes hold and what it costs."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
import pytest

import omnisim as om
from omnisim.books import MEASURE, Books
from omnisim.errors import UsageError
from omnisim.measure.observed import reader
from omnisim.plan import Observation, Plan
from omnisim.simulation import simulate
from tests.building import scenario, small_brand


@dataclass
class Keeper:
    """Keeps what it reads, and may change a budget on a day."""

    table: str = "daily"
    change: tuple[int, dict[str, int]] | None = None
    seen: dict[int, pd.DataFrame] = field(default_factory=dict)
    observations: list[Observation] = field(default_factory=list)
    name: str = "keeper"

    def review(self, observation: Observation) -> Plan | None:
        """Reads a table."""
        self.seen[observation.day] = observation.read(self.table)
        self.observations.append(observation)
        if self.change and self.change[0] == observation.day:
            return observation.spend(self.change[1])
        return None


def live(brand: om.Scenario, policy: Any) -> Books:
    return simulate(brand, policy=policy, threads=1, read=reader(brand))


def budgets(books: Books, brand: om.Scenario, name: str) -> list[int]:
    place = list(brand.channels).index(name)
    return [int(cents) for cents in books.daily[books.warm_up:, place, MEASURE["budget"]]]


def test_tables_end_where_the_data_do() -> None:
    brand = small_brand(policy={"every": 7, "data_delay": 10})
    prompt, late = Keeper(), Keeper()
    live(small_brand(policy={"every": 7}), prompt)
    live(brand, late)
    for day in (14, 28):
        dates = late.seen[day]["date"].unique()
        assert len(dates) == day - 10
        pd.testing.assert_frame_equal(late.seen[day], prompt.seen[day][prompt.seen[day]["date"] <= dates[-1]])
    assert late.seen[0].empty
    assert late.observations[2].seen == 4


def test_history_goes_back_before_the_first_day() -> None:
    brand = small_brand(policy={"every": 15, "data_delay": 5})
    policy = Keeper("history")
    live(brand, policy)
    first = policy.seen[0]["date"]
    assert first.max() == pd.Timestamp(brand.horizon.start) - pd.Timedelta(days=6)
    assert len(first.unique()) == 40  # 45 days of warm-up, but for the five that are not in yet
    recent = policy.observations[1].recent(7)
    rows = policy.seen[15]
    last = rows[rows["date"] > rows["date"].max() - pd.Timedelta(days=7)]
    assert recent["gmv"].to_dict() == pytest.approx(last.groupby("channel", observed=True)["gmv"].sum().to_dict())


@pytest.mark.parametrize("table", ["journeys", "flows"])
def test_tables_that_grow_are_seen_as_they_were(table: str) -> None:
    prompt, late = Keeper(table), Keeper(table)
    live(small_brand(policy={"every": 7}), prompt)
    live(small_brand(policy={"every": 7, "data_delay": 8}), late)
    pd.testing.assert_frame_equal(late.seen[28], prompt.seen[14])  # day 14 is the last review 8 days back or more
    assert late.seen[0].empty


def test_nobody_sees_what_is_not_the_brand_s_own() -> None:
    for table in ("stages", "transitions", "segments", "orders", "nonsense"):
        with pytest.raises(UsageError, match="none of the brand's own"):
            live(scenario(), Keeper(table))


def test_own_rights_show_each_team_its_channel() -> None:
    brand = small_brand(policy={"every": 15, "rights": "own"})
    seen: list[tuple[int, tuple[str, ...], set[str]]] = []

    class Team:
        name = "team"

        def review(self, observation: Observation) -> Plan | None:
            seen.append((observation.day, tuple(observation.budgets), set(observation.daily["channel"])))
            with pytest.raises(UsageError, match="all channels"):
                observation.read("journeys")
            return observation.spend(dict.fromkeys((*observation.budgets, "douyin"), 7700))

    books = live(brand, Team())
    assert [own for _, own, _ in seen[:4]] == [(name,) for name in brand.channels]
    assert all(rows <= set(own) for _, own, rows in seen)
    assert len(seen) == 4 * 3
    # each team decides about its own channel, and about no other
    assert all(set(budgets(books, brand, name)) == {7700} for name in brand.channels)


def test_integration_shows_all_from_its_day_on_and_is_paid_once() -> None:
    plain = {"every": 15, "rights": "own"}
    day = small_brand().horizon.start.replace(day=21)  # day 20
    brand = small_brand(policy={**plain, "integrated": day, "integration_cost": 300.01})
    widths: dict[int, int] = {}

    class Team:
        name = "team"

        def review(self, observation: Observation) -> Plan | None:
            widths[observation.day] = len(observation.budgets)
            return None

    paid, free = live(brand, Team()), live(small_brand(policy=plain), Team())
    assert widths == {0: 1, 15: 1, 30: 1}
    live(brand, Team())
    assert widths == {0: 1, 15: 1, 30: 4}
    cost = (paid.daily - free.daily)[:, :, MEASURE["labour"]].sum(axis=1)
    assert cost[paid.warm_up + 20] == -30_001
    assert cost.sum() == -30_001


def test_a_review_costs_what_it_costs_to_the_cent() -> None:
    free, paid = (live(small_brand(policy={"every": 10, "cost": cost}), Keeper()) for cost in (0.0, 99.99))
    apart = paid.daily - free.daily
    assert apart[:, :, MEASURE["labour"]].sum() == -5 * 9999
    apart[:, :, MEASURE["labour"]] = 0
    assert not apart.any()


@pytest.mark.parametrize("delay", [0, 1, 9])
def test_a_decision_takes_hold_after_its_delay(delay: int) -> None:
    brand = small_brand(policy={"every": 7, "delay": delay})
    books = live(brand, Keeper(change=(14, {"douyin": 99})))
    assert budgets(books, brand, "douyin") == [3600] * (14 + delay) + [99] * (45 - 14 - delay)
    made = [one for one in books.decisions if one["changed"] != "nothing"]
    assert [one["day"] for one in made] == [14]
    assert ("from day" in str(made[0]["changed"])) == bool(delay)


def test_decisions_say_what_was_seen() -> None:
    class Noter(Keeper):
        def review(self, observation: Observation) -> Plan | None:
            observation.note("looks well")
            return super().review(observation)

    books = live(small_brand(policy={"every": 20}), Noter("stock"))
    assert [str(one["saw"]) for one in books.decisions] == [
        f"stock of {span}; looks well" for span in ("the days before", "days 0 to 19", "days 0 to 39")]


def test_how_quickly_a_shortage_is_answered_decides_what_is_lost() -> None:
    """A stand-up every day against a meeting a week later: lost sales differ."""
    class Restock:
        name = "restock"

        def review(self, observation: Observation) -> Plan | None:
            stock = observation.stock
            short = stock[stock["lost"] > 0]["sku"].unique()
            levels = {sku: 2000 for sku in short if observation.plan.base_stock.get(sku) != 2000}
            return Plan(base_stock={**observation.plan.base_stock, **levels}) if levels else None

    lost = []
    for delay in (1, 7):
        brand = small_brand(policy={"every": 1, "delay": delay})
        brand = brand.with_({f"products.{sku}.base_stock": 20 for sku in brand.products})
        lost.append(int(live(brand, Restock()).daily[:, :, MEASURE["lost_units"]].sum()))
    assert 0 < lost[0] < lost[1]


def test_luck_of_policies_differs_by_replication() -> None:
    lucks = []
    for replication in (0, 1):
        policy = Keeper()
        simulate(scenario(), policy=policy, replication=replication, threads=1, read=reader(scenario()))
        lucks.append({one.luck for one in policy.observations})
    assert all(len(luck) == 1 for luck in lucks)
    assert lucks[0] != lucks[1]


def test_never_is_one_review_on_the_first_day() -> None:
    policy = Keeper()
    live(scenario(policy={"every": "never"}), policy)
    assert sorted(policy.seen) == [0]
    assert policy.observations[0].every == 60
    once = scenario(policy={"every": "never", "name": "60/30/10"}).with_({"name": "again"})
    assert once.policy.every == "never"


def test_what_a_team_plans_for_later_is_kept() -> None:
    """Each team's plan over its periods, not the first day's figure alone."""
    brand = small_brand(policy={"every": 45, "rights": "own"})

    class Team:
        name = "team"

        def review(self, observation: Observation) -> Plan | None:
            [own] = observation.budgets
            later = 10 if own == "douyin" else 20
            return Plan((0, later), {own: (100, 200)})

    books = live(brand, Team())
    assert budgets(books, brand, "douyin") == [100] * 10 + [200] * 35
    assert budgets(books, brand, "taobao") == [100] * 20 + [200] * 25


def test_limits_and_first_budgets_are_shown() -> None:
    brand = small_brand(policy={"every": 15, "rights": "own"}, limits={"step": 0.5, "budget": 100.0})
    for rights, budget in (("own", None), ("all", 100.0)):
        policy = Keeper(change=(0, {"douyin": 99}))
        live(brand.with_({"policy.rights": rights}), policy)
        if rights == "own":
            continue  # each team has a copy of its own
        seen = policy.observations[-1]
        assert seen.limits is not None
        assert (seen.limits.step, seen.limits.budget) == (0.5, budget)
        assert seen.usual["douyin"] == 3600
        assert seen.budgets["douyin"] == 99
        assert seen.start == brand.horizon.start


def test_review_days() -> None:
    policy = Keeper()
    live(scenario(policy={"every": 30}), policy)
    assert sorted(policy.seen) == [0, 30]
    assert np.diff(sorted(policy.seen)).tolist() == [30]
