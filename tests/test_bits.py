"""The same bits: what changes no result, and what changes nothing of anything else."""

from __future__ import annotations

from dataclasses import fields, replace

import numpy as np
import pytest
from building import channel, scenario, small_brand

import omnisim as om
from omnisim.books import MEASURE, TOUCHES, Books
from omnisim.ledger import Ledger
from omnisim.market.market import ALL_GRANTED, Market, Shipped
from omnisim.parts import Crew, split_population
from omnisim.plan import Plan
from omnisim.scenario.model import Scenario
from omnisim.simulation import World, finish, simulate, warm_up
from omnisim.streams import CHUNK

IMPRESSIONS, ORDERS = MEASURE["impressions"], MEASURE["orders"]


def differences(one: Books, two: Books) -> list[str]:
    """Fields of the books whose bytes differ."""
    found = []
    for field in fields(Books):
        a, b = getattr(one, field.name), getattr(two, field.name)
        if isinstance(a, np.ndarray):
            if (a.dtype, a.shape, a.tobytes()) != (b.dtype, b.shape, b.tobytes()):
                found.append(field.name)
        elif a != b:
            found.append(field.name)
    return found


@pytest.fixture(scope="module")
def brand() -> Scenario:
    """Scarce stock, seats, desk and every loop; five and a half chunks, so that parts are uneven."""
    return small_brand(population={"size": 5 * CHUNK + 999, "renewal": 0.3}, horizon={"days": 40, "warm_up": 40})


@pytest.fixture(scope="module")
def snapshot(brand: Scenario) -> World:
    return warm_up(brand)


@pytest.fixture(scope="module")
def books(snapshot: World) -> Books:
    return finish(snapshot.clone())


def test_the_scenario_uses_what_could_break(books: Books) -> None:
    """Otherwise equal bits would mean little."""
    daily = books.daily.sum(axis=(0, 1))
    for name in ("lost_orders", "joins", "leaves", "searches", "repeat_orders", "win_back_orders", "referred_orders",
                 "returned_lines", "consultations"):
        assert daily[MEASURE[name]] > 0, name
    assert books.flows.sum() > 0 and books.paths.size > 50


@pytest.mark.parametrize("options", [
    {"threads": 1}, {"threads": 2, "parts": 3}, {"threads": 2, "parts": 6}, {"threads": 1, "parts": 100},
    {"threads": 2, "looseness": 7.0}, {"threads": 1, "looseness": 1e9}], ids=str)
def test_threads_parts_and_loose_bounds_change_no_bit(brand: Scenario, books: Books, options: dict) -> None:
    again = finish(warm_up(brand, **options), threads=options["threads"])
    assert differences(books, again) == []


def test_a_day_in_one_go_is_a_day_step_by_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where stock is endless; a broadcast brings more orders than a day has room for, so that it is finished apart."""
    brand = small_brand(population={"size": 3 * CHUNK}, horizon={"days": 40, "warm_up": 20}, supply={"unlimited": True},
                        calendar={"campaigns": [{"name": "rush", "start": "2024-06-10", "end": "2024-06-12",
                                                 "factor": 20.0}]})
    apart = []
    evening = Market._evening_of
    monkeypatch.setattr(Market, "_evening_of", lambda self, *given: apart.append(1) or evening(self, *given))
    at_once = finish(warm_up(brand, parts=2))
    assert 2 < len(apart) < 30

    def step_by_step(self: Market, crew: Crew, due: list, ledger: Ledger) -> list[Shipped]:
        self.live(crew, ledger)
        wanted = [self.wanted(p) for p in range(len(self.parts))]
        return self.settle(crew, wanted, [ALL_GRANTED for _ in wanted], due, ledger)

    monkeypatch.setattr(Market, "live_and_settle", step_by_step)
    assert differences(at_once, finish(warm_up(brand, parts=3))) == []


def test_bounds_hold_where_hazards_are_high_and_the_season_is_low() -> None:
    """A bound is at most 65535/65536 a day; a season below 1 must not lower that below the true probability."""
    busy = scenario(
        horizon={"days": 20, "warm_up": 0}, population={"size": 2 * CHUNK, "renewal": 0.0},
        channels={"shop": channel(direct=10.0, revisit=3.0, follow=5.0, organic_impressions=4000.0, persuasion=1.0,
                                  search=10.0)},
        calendar={"weekday": [0.3] * 7},
        brand={"age": 0.1, "new_customers": 30_000.0, "repurchase": {"rate_scale": 0.05, "lapse_a": 0.02}})
    tight, loose = (finish(warm_up(busy, looseness=looseness)) for looseness in (1.0, 1e9))
    assert differences(tight, loose) == []


def test_parts_cover_the_population_at_chunks() -> None:
    for size, parts in ((1000, 1), (1000, 5), (5 * CHUNK + 1, 2), (10 * CHUNK, 7)):
        split = split_population(size, parts)
        assert [low for low, _ in split] == [0, *(high for _, high in split[:-1])] and split[-1][1] == size
        assert all(low % CHUNK == 0 and low < high for low, high in split)
    assert split_population(100 * CHUNK, 2, 8) == [(0, 54 * CHUNK), (54 * CHUNK, 100 * CHUNK)]
    assert split_population(5 * CHUNK, 2, 8) == [(0, 5 * CHUNK)]


def test_a_seed_and_a_replication_are_luck_of_their_own(brand: Scenario, books: Books) -> None:
    for other in ({"seed": 2}, {"replication": 1}):
        again = simulate(brand, **other)
        assert not np.array_equal(books.daily, again.daily)


def rewritten(brand: Scenario, channels: dict) -> Scenario:
    return Scenario.model_validate(brand.model_dump() | {"channels": channels})


def renamed(paths: np.ndarray, counts: np.ndarray, names: list[str]) -> dict[tuple[str, ...], tuple[int, ...]]:
    return {tuple(names[(path >> 5 * n & 31) - 1] for n in range(TOUCHES) if path >> 5 * n & 31): tuple(row)
            for path, row in zip(paths.tolist(), counts.tolist(), strict=True)}


def test_the_order_of_channels_in_the_file_changes_nothing(brand: Scenario, books: Books) -> None:
    plain = brand.model_dump()["channels"]
    back = simulate(rewritten(brand, dict(reversed(plain.items()))))
    assert back.daily[:, ::-1].tobytes() == books.daily.tobytes()
    assert back.groups[:, ::-1].tobytes() == books.groups.tobytes()
    assert back.flows[::-1, ::-1].tobytes() == books.flows.tobytes()
    for name in ("stages", "transitions", "stock", "cohorts", "buyers", "second", "segments"):
        assert getattr(back, name).tobytes() == getattr(books, name).tobytes(), name
    there = books.orders.copy()
    there["channel"] = len(plain) - 1 - there["channel"]
    assert back.orders.tobytes() == there.tobytes()
    assert renamed(back.paths, back.path_counts, list(plain)[::-1]) == renamed(books.paths, books.path_counts,
                                                                              list(plain))


def test_an_inactive_channel_changes_nothing(brand: Scenario, books: Books) -> None:
    plain = brand.model_dump()["channels"]
    silent = simulate(rewritten(brand, {"aaa": plain["taobao"] | {"active": False}} | plain))
    assert not silent.daily[:, 0].any() and not silent.flows[0].any() and not silent.flows[:, 0].any()
    assert silent.daily[:, 1:].tobytes() == books.daily.tobytes()
    assert silent.flows[1:, 1:].tobytes() == books.flows.tobytes()
    names = list(plain)
    assert renamed(silent.paths, silent.path_counts, ["aaa", *names]) == renamed(books.paths, books.path_counts, names)
    there = books.orders.copy()
    there["channel"] += 1
    assert silent.orders.tobytes() == there.tobytes()
    assert differences(replace(silent, daily=books.daily, groups=books.groups, group_unique=books.group_unique,
                               flows=books.flows, paths=books.paths, path_counts=books.path_counts,
                               orders=books.orders, hours=books.hours), books) == []


def test_a_quiet_module_changes_nothing(brand: Scenario, books: Books) -> None:
    """A flow that leads nobody on and an article nobody buys are there and do nothing."""
    plain = brand.model_dump()
    plain["flows"] = [*plain["flows"], {"source": "community", "target": "douyin", "kind": "link", "rate": 0.0}]
    assert differences(simulate(Scenario.model_validate(plain)), books) == []


def test_seats_move_no_exposures() -> None:
    """Whoever sits in the groups without using their platform gets messages, but no other impressions than before."""
    plain = small_brand(horizon={"days": 40, "warm_up": 0}).model_dump()
    plain["channels"]["community"] |= {"reach": 0.4, "organic_impressions": 5000.0}
    few, many = (simulate(Scenario.model_validate(plain | {"community": plain["community"] | {
        "members": members, "seats": 2000}})) for members in (0, 1500))
    seen = [books.daily[..., IMPRESSIONS] for books in (few, many)]
    np.testing.assert_array_equal(*seen)
    assert many.daily[:, 3, MEASURE["visits"]].sum() > 1.2 * few.daily[:, 3, MEASURE["visits"]].sum()


@pytest.mark.parametrize("name", ["douyin", "taobao", "community"])
def test_one_percent_more_budget_leaves_the_other_channels_exposures_alone(
        brand: Scenario, snapshot: World, books: Books, name: str) -> None:
    """Not alike on average: the very same, day by day. The channel itself only gains."""
    place = list(brand.channels).index(name)
    cents = round(brand.channels[name].budget * 101)
    more = finish(snapshot.clone(), Plan(budgets={name: (cents,)}))
    gain = more.daily[..., IMPRESSIONS] - books.daily[..., IMPRESSIONS]
    assert not np.delete(gain, place, axis=1).any()
    assert (gain >= 0).all()
    assert more.daily[:, place, MEASURE["budget"]].sum() > books.daily[:, place, MEASURE["budget"]].sum()


def test_ten_times_the_budget_reaches_the_same_people_and_more(brand: Scenario, snapshot: World,
                                                               books: Books) -> None:
    more = finish(snapshot.clone(), Plan(budgets={"douyin": (36_000,)}))
    gain = (more.daily - books.daily)[brand.horizon.warm_up:, :, IMPRESSIONS]
    assert (gain[:, list(brand.channels).index("douyin")] > 0).all()
    assert not np.delete(gain, list(brand.channels).index("douyin"), axis=1).any()


def test_identical_plans_differ_by_exactly_nothing(brand: Scenario, snapshot: World, books: Books) -> None:
    assert differences(finish(snapshot.clone(), Plan.today(brand)), books) == []
    assert differences(finish(snapshot.clone(), policy=Restless()), replace(books, decisions=[])) == ["decisions"]


class Restless:
    """Writes the plan anew at each review, without changing it."""

    name = "restless"

    def review(self, observation: om.Observation) -> Plan:
        return replace(observation.plan)


def test_a_snapshot_serves_every_plan(brand: Scenario, snapshot: World, books: Books) -> None:
    """Running a clone leaves the snapshot as it was, and is the same as running through."""
    finish(snapshot.clone(), Plan(budgets={"douyin": (0,)}, base_stock={"core": 5}))
    assert differences(finish(snapshot.clone()), books) == []
    assert differences(simulate(brand), books) == []


def test_one_replication_alone_is_the_one_among_many(brand: Scenario) -> None:
    many = om.run(brand, seed=4, replications=3)
    alone = om.run(brand, seed=4, replication=2)
    assert differences(many.books[2], alone.books[0]) == []
    assert differences(many.books[1], alone.books[0]) != []


def test_the_length_of_the_warm_up_moves_no_keyed_draw() -> None:
    """Days are counted from the first reported one: who is reached, clicks and pays then is drawn for that day."""
    def run(days: int) -> Books:
        return simulate(scenario(
            horizon={"days": 30, "warm_up": days}, population={"size": 20_000, "renewal": 0.0},
            channels={"shop": channel(budget=60.0, direct=0.001, click_share=0.02, intercept=-3.0)},
            brand={"age": 0.0, "new_customers": 0.0, "repurchase": {"rate_scale": 1e5}}))

    short, long = run(0), run(50)
    for name in ("impressions", "paid_impressions", "visits", "clicks"):
        one, two = (books.daily[-30:, 0, MEASURE[name]] for books in (short, long))
        np.testing.assert_array_equal(one, two, err_msg=name)
        assert one.sum() > 100
