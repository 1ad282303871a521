"""The books: every table tells the same story as the order lines."""

from __future__ import annotations

import datetime
import itertools

import numpy as np
import pytest
from building import small_brand

from omnisim import ledger
from omnisim.books import GROUPS, LINES, MEASURE, MEASURES, ORIGINS, SEGMENT, TOUCHES, Books
from omnisim.plan import Observation, Plan
from omnisim.scenario.model import Scenario
from omnisim.season import block_start, share_of_year
from omnisim.simulation import simulate

WARM_UP, DAYS = 45, 75


def brand(**sections: object) -> Scenario:
    """Ample stock, many orders, money on every line; days that are no whole number of blocks or months."""
    plain = small_brand(horizon={"days": DAYS, "warm_up": WARM_UP}, population={"size": 20_000, "renewal": 0.5},
                        referral={"reward": 9.5}, **sections).model_dump()
    for name in plain["channels"]:
        plain["channels"][name] |= {"content": 3.33, "labour": 7.77, "annual_fee": 1000.0, "payment_fee": 0.0066}
    for product in plain["products"].values():
        product["base_stock"] = 500
    return Scenario.model_validate(plain)


@pytest.fixture(scope="module")
def books() -> Books:
    return simulate(brand())


def by_day_and_channel(orders: np.ndarray, values: np.ndarray | int) -> np.ndarray:
    found = np.zeros((DAYS, 4), np.int64)
    np.add.at(found, (orders["day"], orders["channel"]), values)
    return found


def test_order_lines_reconcile_with_the_days(books: Books) -> None:
    daily, orders = books.daily[WARM_UP:], books.orders
    paid = orders["price"] * orders["quantity"]
    assert orders.size > 300 and (orders["weight"] == 1).all()
    for measure, values in (("orders", 1), ("gmv", paid), ("units", orders["quantity"]),
                            ("new_customers", orders["number"] == 1)):
        np.testing.assert_array_equal(daily[..., MEASURE[measure]], by_day_and_channel(orders, values), measure)
    by_status = sum(daily[..., MEASURE[name]] for name in ("new_customers", "repeat_orders", "win_back_orders"))
    np.testing.assert_array_equal(by_status, daily[..., MEASURE["orders"]])
    assert ((orders["origin"] >= 0) & (orders["origin"] < len(ORIGINS))).all()
    assert (np.diff(orders["order_id"]) == 1).all()
    assert (orders["minute"] >= 0).all() and (orders["minute"] < 1440).all()


def test_returns_on_the_lines_are_those_of_the_days(books: Books) -> None:
    """Parcels of the warm-up that come back in the reported days are in the days alone."""
    back = books.orders[books.orders["returned"] >= 0]
    found = np.zeros((DAYS, 4), np.int64)
    np.add.at(found, (back["returned"], back["channel"]), 1)
    returned = books.daily[WARM_UP:, :, MEASURE["returned_lines"]]
    assert (found <= returned).all() and found.sum() > 20
    np.testing.assert_array_equal(found[5:], returned[5:])  # the slowest parcel takes four days


def test_margins_of_the_lines_are_the_variable_part_of_the_profit(books: Books) -> None:
    """Margin = paid - goods - commission - payment - benefits - delivery, to the cent."""
    daily = books.daily[WARM_UP:].sum(axis=(0, 1))
    goods = sum(books.orders["quantity"][books.orders["sku"] == n].sum() * round(product.cost * 100)
                for n, product in enumerate(brand().products.values()))
    variable = [daily[MEASURE[line]] for line in ("commission", "payment_fee", "logistics")]
    benefits = daily[MEASURE["gmv"]] - goods + sum(variable) - books.orders["margin"].sum()
    assert 0 < benefits < 0.01 * daily[MEASURE["gmv"]]
    assert daily[MEASURE["logistics"]] == -800 * books.orders.size


def test_costs_without_a_consumer_are_booked_every_day(books: Books) -> None:
    daily = books.daily
    assert (daily[..., MEASURE["content"]] == -333).all() and (daily[..., MEASURE["labour"]] == -777).all()
    assert daily[:, 0, MEASURE["fixed"]].sum() == -sum(share_of_year(100_000, day) for day in range(-WARM_UP, DAYS))
    assert sum(share_of_year(100_001, day) for day in range(-100, 265)) == 100_001
    assert daily[0, :, MEASURE["budget"]].tolist() == [0, 3600, 9000, 2400]


def test_groups_and_segments_hold_the_reported_days(books: Books) -> None:
    total = books.daily[WARM_UP:].sum(axis=0)
    of_consumers = [MEASURE[name] for name in MEASURES
                    if name not in ("budget", "media", "content", "labour", "fixed")]
    np.testing.assert_array_equal(books.groups.sum(axis=0)[:, of_consumers], total[:, of_consumers])
    orders = np.zeros((GROUPS, 4), np.int64)
    np.add.at(orders, (books.orders["consumer"] % GROUPS, books.orders["channel"]), 1)
    np.testing.assert_array_equal(books.groups[..., MEASURE["orders"]], orders)
    for name in SEGMENT[1:]:
        assert books.segments[:, SEGMENT.index(name)].sum() == total[:, MEASURE[name]].sum(), name
    blocks = books.daily[WARM_UP + DAYS % 30:, :, MEASURE["unique_visitors"]].sum(axis=0)
    np.testing.assert_array_equal(books.group_unique.sum(axis=0), blocks)


def test_blocks_are_counted_back_from_the_last_day() -> None:
    starts = [block_start(day, 75) for day in range(75)]
    assert starts == [0] * 15 + [15] * 30 + [45] * 30
    assert [block_start(day, 75) for day in (-1, -30, -31, -60, -61)] == [-30, -30, -60, -60, -90]
    assert [block_start(day, 60) for day in (0, 29, 30, 59)] == [0, 0, 30, 30]


def touches(path: int) -> list[int]:
    return [(path >> 5 * n & 31) - 1 for n in reversed(range(TOUCHES)) if path >> 5 * n & 31]


def test_journeys_hold_every_order_and_end_on_its_channel(books: Books) -> None:
    paths, counts = books.paths, books.path_counts
    assert np.unique(paths).size == paths.size
    assert counts[:, 1].sum() == books.orders.size
    assert counts[:, 2].sum() == books.daily[WARM_UP:, :, MEASURE["gmv"]].sum()
    assert (counts[:, 0] >= counts[:, 1]).all() and counts[:, 0].sum() > counts[:, 1].sum()
    last = np.zeros(4, np.int64)
    for path, (_, orders, _) in zip(paths.tolist(), counts.tolist(), strict=True):
        steps = touches(path)
        assert steps and all(0 <= step < 4 for step in steps)  # every order has a full path
        if orders and len(steps) < TOUCHES:
            assert all(one != two for one, two in itertools.pairwise(steps))
        last[steps[-1]] += orders
    # nearly all: a journey holds the touches of the whole day, and the orderer may meet another channel that evening
    per_channel = books.daily[WARM_UP:, :, MEASURE["orders"]].sum(axis=0)
    assert np.abs(last - per_channel).sum() <= 0.06 * books.orders.size


def test_cohorts_count_the_reported_orders_by_month_of_first_order(books: Books) -> None:
    start = datetime.date(2024, 6, 1)
    months = np.array([(day := start + datetime.timedelta(days=n)).year * 12 + day.month - 1 - books.cohort_first
                       for n in range(DAYS)])
    orders = books.orders
    now = months[orders["day"]]
    cells = books.cohorts
    born = np.arange(cells.shape[0])
    for month in np.unique(months):
        ages = month - born
        those = cells[born[ages >= 0], ages[ages >= 0]]
        assert those[:, 1].sum() == (now == month).sum()
        assert those[:, 2].sum() == (orders["price"] * orders["quantity"])[now == month].sum()
        # renewal apart, a consumer who buys twice in a month is active once
        distinct = np.unique(orders["consumer"][now == month]).size
        assert distinct <= those[:, 0].sum() <= distinct + 3
        assert cells[month, 0, 0] == books.buyers[month] or month == months[0]
    first = orders["number"] == 1
    assert books.buyers[months[-1]] == (first & (now == months[-1])).sum()
    assert books.buyers[: months[0]].sum() > 2_000  # customers of the years before


def test_second_orders_follow_their_first_and_everybody_is_counted_once(books: Books) -> None:
    born, age, people = books.second.T
    new = books.daily[:, :, MEASURE["new_customers"]].sum(axis=1)
    np.testing.assert_array_equal(np.bincount(born + WARM_UP, people, WARM_UP + DAYS), new)
    seconds = books.orders[books.orders["number"] == 2]
    firsts = dict(zip(books.orders["consumer"][books.orders["number"] == 1],
                      books.orders["day"][books.orders["number"] == 1], strict=True))
    gaps = sorted(int(line["day"] - firsts[line["consumer"]]) for line in seconds if line["consumer"] in firsts)
    both = (born >= 0) & (age >= 0)
    assert sorted(np.repeat(age[both], people[both]).tolist()) == gaps and len(gaps) > 0
    assert (age >= -1).all() and (people > 0).all()


# the sample of order lines


@pytest.mark.parametrize("cap", [40, 150])
def test_the_sample_keeps_whole_consumers_with_weights_that_stand_for_all(
        books: Books, cap: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_LINES", cap)
    some = simulate(brand())
    lines, everything = some.orders, books.orders
    assert 0 < lines.size <= cap
    weight = int(lines["weight"][0])
    assert (lines["weight"] == weight).all() and weight > 1 and weight & weight - 1 == 0
    chosen = np.isin(everything["consumer"], lines["consumer"])
    same = everything[chosen].copy()
    same["weight"] = weight
    assert lines.tobytes() == same.tobytes()  # all lines of a kept consumer, with the returns of each
    n = everything.size
    spread = 4 * np.sqrt(n * weight * np.bincount(everything["consumer"]).max())
    assert abs(lines["weight"].sum() - n) < spread
    np.testing.assert_array_equal(some.daily, books.daily)
    np.testing.assert_array_equal(some.path_counts, books.path_counts)


def sampled(consumers: np.ndarray, halvings: int) -> np.ndarray:
    return np.array([ledger.in_sample(i, np.uint64((1 << halvings) - 1)) for i in consumers])


def test_the_sample_is_unbiased_over_consumers() -> None:
    consumers = np.arange(1 << 16)
    for halvings in range(7):
        kept = sampled(consumers, halvings)
        assert kept.mean() * 2**halvings == pytest.approx(1.0, abs=4 * np.sqrt(2**halvings / consumers.size))
        assert halvings == 0 or not (kept & ~sampled(consumers, halvings - 1)).any()


def test_no_lines_when_none_are_wanted(books: Books) -> None:
    none = simulate(brand(), orders="none")
    assert none.orders.size == 0
    np.testing.assert_array_equal(none.daily, books.daily)
    np.testing.assert_array_equal(none.second, books.second)


# channels of the file, and the books so far


def test_a_sleeping_channel_has_a_row_of_zeros_in_its_place(books: Books) -> None:
    plain = brand().model_dump()
    names = list(plain["channels"])
    plain["channels"] = {"aaa": plain["channels"]["taobao"] | {"active": False}} | plain["channels"]
    found = simulate(Scenario.model_validate(plain))
    assert found.daily.shape[1] == 5 and not found.daily[:, 0].any() and not found.groups[:, 0].any()
    np.testing.assert_array_equal(found.daily[:, 1:], books.daily)
    assert {tuple(touches(path)) for path in found.paths.tolist()} == {
        tuple(step + 1 for step in touches(path)) for path in books.paths.tolist()}
    assert names == ["xiaohongshu", "douyin", "taobao", "community"]


class Reader:
    """A policy that keeps what it reads."""

    name = "reader"

    def __init__(self) -> None:
        self.seen: dict[int, Books] = {}

    def review(self, observation: Observation) -> Plan | None:
        self.seen[observation.day] = observation.read("daily")  # type: ignore[assignment]
        return None


def test_the_books_so_far_end_yesterday_and_disturb_nothing(books: Books) -> None:
    policy = Reader()
    watched = simulate(brand(), policy=policy, read=lambda so_far, table: so_far)
    assert list(policy.seen) == list(range(0, DAYS, 7))
    for day, seen in policy.seen.items():
        assert seen.days == day and seen.daily.shape[0] == seen.stock.shape[0] == WARM_UP + day
        np.testing.assert_array_equal(seen.daily, books.daily[:WARM_UP + day])
        np.testing.assert_array_equal(seen.stages, books.stages[:WARM_UP + day])
    for name in ("daily", "stages", "paths", "path_counts", "orders", "cohorts", "second"):
        assert getattr(watched, name).tobytes() == getattr(books, name).tobytes(), name
    assert [line["changed"] for line in watched.decisions] == ["nothing"] * len(policy.seen)


def test_reading_without_tables_is_refused() -> None:
    with pytest.raises(LookupError, match="without tables"):
        simulate(small_brand(horizon={"days": 1, "warm_up": 0}), policy=Reader())


def test_lines_of_the_statement_are_signed(books: Books) -> None:
    """Nothing but returned goods earns on a cost line."""
    lines = books.daily[..., [MEASURE[line] for line in LINES]].sum(axis=0)
    assert (lines <= 0).all()
