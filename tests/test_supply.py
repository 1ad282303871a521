"""One warehouse: units conserved, orders by the rule, and scarce stock given out in its order."""

from __future__ import annotations

import numpy as np
import pytest
from building import channel, live, scenario, small_brand
from hypothesis import given
from hypothesis import strategies as st

from omnisim.books import CLAIM, MEASURE, PARCEL, STOCK, Books
from omnisim.books import FILLED as FILL
from omnisim.books import LOST as LOSS
from omnisim.market.deliveries import sort_by_arrival
from omnisim.market.orders import draw_claims
from omnisim.plan import Plan
from omnisim.simulation import open_world, simulate
from omnisim.supply.backend import Backend
from omnisim.supply.fulfilment import Fulfilment
from omnisim.supply.layout import lay_out

ON_HAND, ON_ORDER, DEMAND, FILLED, LOST, BACKORDERED, RECEIVED, RETURNED = range(len(STOCK))


def ints(*values: int) -> np.ndarray:
    return np.array(values, np.int64)


def one_warehouse(*levels: int, lead_time: int = 7, moq: int = 1, review_days: int = 1,
                  unlimited: bool = False) -> Backend:
    """The back end of a scenario with one warehouse and so many articles."""
    products = {f"a{n}": {"price": 60.0, "cost": 30.0, "share": 1 / len(levels), "base_stock": level}
                for n, level in enumerate(levels)}
    s = scenario(products=products, supply={"lead_time": lead_time, "moq": moq, "review_days": review_days,
                                            "unlimited": unlimited})
    return Backend(lay_out(s, ["shop"], 1, 0))


def claims_for(*asked: tuple[int, int]) -> np.ndarray:
    """Claims of (article, units) on the first channel, in order."""
    claims = np.zeros(len(asked), CLAIM)
    for n, (sku, units) in enumerate(asked):
        claims[n]["sku"], claims[n]["units"], claims[n]["minute"] = sku, units, n
    return claims


DAYS = st.lists(st.tuples(st.lists(st.tuples(st.integers(0, 1), st.integers(1, 9)), max_size=12), st.integers(0, 3)),
                min_size=1, max_size=25)


@given(days=DAYS, level=st.integers(0, 40), lead_time=st.integers(1, 9), moq=st.integers(1, 15),
       review=st.integers(1, 5))
def test_units_are_conserved_and_orders_keep_the_rule(days: list, level: int, lead_time: int, moq: int,
                                                      review: int) -> None:
    house = one_warehouse(level, 2 * level, lead_time=lead_time, moq=moq, review_days=review)
    stock, target = house.stock, ints(level, 2 * level)
    before, placed = stock.on_hand[0].copy(), {}
    on_order = ints(0, 0)
    for day, (demands, back) in enumerate(days):
        house.receive(day)
        house.settle(claims_for(*demands))
        stock.take_back(ints(back, 0)[None], day + 3)
        position = (stock.on_hand + stock.on_order)[0]
        house.order(day)
        bought = (stock.on_hand + stock.on_order)[0] - position
        if day % review == 0:
            # up to the base stock, or nothing; never less than the smallest order
            assert (bought == np.where(target - position >= moq, target - position, 0)).all()
            placed[day] = bought
        assert day % review == 0 or not bought.any()
        row = house.close()[0][0]
        assert (row[:, ON_HAND] == before + row[:, RECEIVED] + row[:, RETURNED] - row[:, FILLED]).all()
        assert (row[:, DEMAND] == row[:, FILLED] + row[:, LOST]).all() and not row[:, BACKORDERED].any()
        assert (row[:, ON_ORDER] == on_order - row[:, RECEIVED] + placed.get(day, 0)).all()
        assert (row[:, RECEIVED] == placed.get(day - lead_time, 0)).all()  # neither early nor late
        assert row[0, RETURNED] == (days[day - 3][1] if day >= 3 else 0)
        assert (row >= 0).all()
        before, on_order = row[:, ON_HAND].copy(), row[:, ON_ORDER].copy()


def test_demands_are_served_whole_in_their_order() -> None:
    """A demand too large for what is left is lost, and leaves its units to those after it."""
    house = one_warehouse(5, 100)
    settled = house.settle(claims_for((0, 3), (0, 3), (1, 50), (0, 2), (0, 1)))
    assert settled.verdicts["fate"].tolist() == [FILL, LOSS, FILL, FILL, LOSS]
    assert house.stock.on_hand.tolist() == [[0, 50]]


def test_unlimited_stock_serves_everything_and_orders_nothing() -> None:
    house = one_warehouse(3, unlimited=True)
    assert house.suffices(ints(1005))
    house.serve_all(ints(1005))
    house.order(0)
    row = house.close()[0][0]
    assert row[0, [ON_HAND, ON_ORDER, DEMAND, FILLED, LOST]].tolist() == [0, 0, 1005, 1005, 0]


def test_each_day_starts_with_a_clean_slate() -> None:
    house = one_warehouse(10)
    house.settle(claims_for((0, 4)))
    house.close()
    assert house.close()[0][0, 0, [DEMAND, FILLED, ON_HAND]].tolist() == [0, 0, 6]


def test_less_than_the_smallest_order_waits() -> None:
    house = one_warehouse(10, lead_time=2, moq=5)
    house.settle(claims_for((0, 4)))
    house.order(0)
    assert house.stock.on_order.tolist() == [[0]]
    house.settle(claims_for((0, 3)))
    house.order(1)
    assert house.stock.arrivals[3].tolist() == [[7]]


def test_parcels_arrive_on_their_day_in_the_order_they_were_sent() -> None:
    parcels = np.zeros(4, PARCEL)
    parcels["order_id"], parcels["arrives"] = [0, 1, 2, 3], [5, 4, 5, 5]
    way = Fulfilment([{}, {}])
    by_arrival = np.empty(4, PARCEL)
    starts = sort_by_arrival(parcels, 4, 3, by_arrival)
    way.ship(1, by_arrival, starts, 3)
    way.ship(1, by_arrival, starts, 3)
    assert way.arrive(0, 3).size == way.arrive(1, 3).size == way.arrive(0, 4).size == 0
    assert way.due(4) == 2 and way.due(5) == 6
    assert way.arrive(1, 4)["order_id"].tolist() == [1, 1]
    assert way.arrive(1, 5)["order_id"].tolist() == [0, 2, 3, 0, 2, 3]
    assert way.arrive(1, 5).size == 0 and way.due(5) == 0


def test_stock_that_suffices_is_given_out_without_looking_at_the_order() -> None:
    house, other = one_warehouse(10, 5), one_warehouse(10, 5)
    assert house.suffices(ints(10, 5)) and not house.suffices(ints(11, 0))
    house.serve_all(ints(7, 5))
    assert (other.settle(claims_for((0, 3), (1, 5), (0, 4))).verdicts["fate"] == FILL).all()
    np.testing.assert_array_equal(house.close()[0], other.close()[0])


# in a run


@pytest.fixture(scope="module")
def scarce() -> Books:
    return simulate(small_brand(
        supply={"moq": 15, "lead_time": 9, "review_days": 4, "restock_days": 3},
        products={"core": {"price": 60.0, "cost": 30.0, "share": 0.7, "base_stock": 60},
                  "gift": {"price": 40.0, "cost": 15.0, "share": 0.3, "base_stock": 40}}))


def test_a_run_conserves_units(scarce: Books) -> None:
    stock = scarce.stock[:, 0]
    start = np.concatenate([[[60, 40]], stock[:-1, :, ON_HAND]])
    np.testing.assert_array_equal(stock[..., ON_HAND],
                                  start + stock[..., RECEIVED] + stock[..., RETURNED] - stock[..., FILLED])
    np.testing.assert_array_equal(stock[..., DEMAND], stock[..., FILLED] + stock[..., LOST])
    assert (stock >= 0).all() and stock[..., LOST].sum() > 0 and stock[..., RETURNED].sum() > 0


def test_a_run_respects_lead_time_smallest_order_and_review_days(scarce: Books) -> None:
    stock = scarce.stock[:, 0]
    days = np.arange(-scarce.warm_up, scarce.days)
    placed = np.diff(stock[..., ON_ORDER], axis=0, prepend=0) + stock[..., RECEIVED]
    np.testing.assert_array_equal(stock[9:, :, RECEIVED], placed[:-9])
    assert not stock[:9, :, RECEIVED].any()
    assert (placed[placed > 0] >= 15).all() and (placed > 0).sum() > 5
    assert (days[(placed > 0).any(axis=1)] % 4 == 0).all()
    position = stock[..., ON_HAND] + stock[..., ON_ORDER]
    assert (position[placed > 0] == np.broadcast_to([60, 40], position.shape)[placed > 0]).all()
    # returns may lift the shelf above the level; supplies never do
    assert (position[days % 4 == 0] >= np.array([60, 40]) - 14).all()


def test_what_the_market_lost_is_what_the_warehouse_could_not_fill(scarce: Books) -> None:
    daily = scarce.daily.sum(axis=1)
    np.testing.assert_array_equal(daily[:, MEASURE["units"]], scarce.stock[:, 0, :, FILLED].sum(axis=1))
    np.testing.assert_array_equal(daily[:, MEASURE["lost_units"]], scarce.stock[:, 0, :, LOST].sum(axis=1))
    assert scarce.transitions[:, 10].sum() > 0  # t11: a full cart that meets no stock


def test_a_plan_changes_the_base_stock_from_the_first_reported_day_on() -> None:
    s = scenario(horizon={"days": 20, "warm_up": 10}, channels={"shop": channel(direct=0.003, intercept=0.0)},
                 products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0, "base_stock": 500}},
                 supply={"lead_time": 2}, brand={"age": 0.0, "new_customers": 0.0})
    plain, more = (simulate(s, plan=Plan(base_stock=levels)) for levels in ({}, {"core": 900}))
    np.testing.assert_array_equal(plain.stock[:10], more.stock[:10])
    position = (more.stock[:, 0, 0, ON_HAND] + more.stock[:, 0, 0, ON_ORDER]).tolist()
    assert position == [500] * 10 + [900] * 20


def test_scarce_stock_goes_to_the_earliest_minutes_then_by_a_keyed_hash() -> None:
    """Ten units, hundreds of orders of one unit: the first ten in the order (minute, hash, consumer) get them."""
    s = scenario(horizon={"days": 1, "warm_up": 0}, population={"size": 50_000, "renewal": 0.0},
                 channels={"shop": channel(direct=0.5, intercept=3.0, order_value=60.0)},
                 products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0, "base_stock": 10}}, supply={},
                 brand={"age": 0.0, "new_customers": 0.0})
    world = open_world(s, 1)
    asked: list[np.ndarray] = []
    demand = world.market.demand

    def watch() -> object:
        found = demand()
        asked.append(np.concatenate(found.parts))
        return found

    world.market.demand = watch
    live(world, 1)
    wanted = asked[0]
    assert wanted.size > 1_000 and np.unique(wanted["minute"]).size < wanted.size
    keys = np.empty(wanted.size, np.int64)
    draw_claims(world.market.consumers, world.market.rules, wanted, 0, keys, np.empty(wanted.size, CLAIM))
    rank = sorted(range(wanted.size), key=lambda n: (wanted["minute"][n], keys[n], wanted["consumer"][n],
                                                     wanted["ordinal"][n]))
    orders = world.ledger.close().orders
    assert set(orders["consumer"].tolist()) == set(wanted["consumer"][rank[:10]].tolist())
    assert orders["minute"].max() <= wanted["minute"][rank[10:]].min()
    assert world.ledger.daily[0, 0, MEASURE["lost_orders"]] == wanted.size - 10


def test_more_stock_never_loses_more_orders_of_the_same_demand() -> None:
    lost = [int(simulate(scenario(
        horizon={"days": 1, "warm_up": 0}, channels={"shop": channel(direct=0.05, intercept=0.0)}, supply={},
        products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0, "base_stock": level}},
        brand={"age": 0.0, "new_customers": 0.0})).daily[0, 0, MEASURE["lost_units"]]) for level in (0, 100, 300, 9000)]
    assert lost == sorted(lost, reverse=True) and lost[0] > lost[1] > lost[2] > lost[3] == 0
