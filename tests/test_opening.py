"""What a stock plan starts from: the stock that a warm-up leaves, on hand, on its way and promised."""

from __future__ import annotations

import numpy as np
import pandas as pd
from building import channel, network, scenario

import omnisim as om
from omnisim.books import MOVES, STOCK
from omnisim.optimise.replenish.tables import read_instance
from omnisim.plan import Order, Plan
from omnisim.scenario.model import Scenario
from omnisim.simulation import finish, warm_up
from omnisim.study.opening import Opening, opening_of, start_from


def shop(**sections: object) -> Scenario:
    """A shop with a supplier a week away, whose warm-up leaves much of its stock on the way."""
    plain: dict[str, object] = {
        "channels": {"shop": channel(direct=0.01, intercept=-2.0)},
        "products": {"core": {"price": 60.0, "cost": 30.0, "share": 0.6, "base_stock": 900},
                     "gift": {"price": 40.0, "cost": 15.0, "share": 0.4, "base_stock": 700}},
        "horizon": {"days": 28, "warm_up": 24}, "supply": {"lead_time": 7, "review_days": 4}}
    return scenario(**plain | sections)


def test_it_is_the_stock_of_the_last_evening_of_the_warm_up() -> None:
    """What was on hand and on order at that midnight; what comes, comes on its day in a run that orders no more."""
    brand = shop()
    world = warm_up(brand, 1)
    opening = opening_of(world)
    still = Plan(orders=tuple(Order(0, sku, "central", 0) for sku in brand.products))
    stock = finish(world, still).stock
    column = {name: stock[..., k] for k, name in enumerate(STOCK)}
    assert opening is not None
    np.testing.assert_array_equal(opening.on_hand, column["on_hand"][brand.horizon.warm_up - 1])
    on_order = sum(units for units in opening.coming.values())
    np.testing.assert_array_equal(on_order, column["on_order"][brand.horizon.warm_up - 1])
    assert (on_order > 50).all() and not opening.waiting.any()
    for day in range(28):
        np.testing.assert_array_equal(column["received"][brand.horizon.warm_up + day],
                                      opening.coming.get(day, np.zeros((1, 2), np.int64)))


def test_a_plan_sees_the_stock_that_its_run_has() -> None:
    """With demand known and nothing short, what the plan expects to stand at the end of each week stands there."""
    brand = shop()
    plan = om.replenish(brand, seed=1, rounds=50)
    stock = om.run(brand, plan=plan, seed=1).stock
    assert not plan.table["lost"].any() and not stock["lost"].any()
    week = (pd.to_datetime(stock["date"]) - pd.Timestamp(brand.horizon.start)).dt.days
    ends = stock[week % 7 == 6].assign(period=week // 7).set_index(["sku", "node", "period"])["on_hand"]
    expected = plan.table.set_index(["sku", "node", "period"])["on_hand"]
    pd.testing.assert_series_equal(ends.sort_index(), expected.sort_index(), check_dtype=False)
    assert (plan.instance.on_hand < [900, 700]).all() and (plan.instance.receipt[:, :2].sum(axis=1) > 50).all()


def test_without_a_warm_up_it_is_the_opening_of_the_rules() -> None:
    brand = network(horizon={"days": 14, "warm_up": 0})
    opening = opening_of(warm_up(brand, 1))
    assert opening is not None and not opening.coming and not opening.waiting.any()
    assert opening.on_hand.tolist() == [[150, 60], [40, 20]]


def test_returns_on_their_way_to_the_shelf_come_too_and_who_waits_is_counted() -> None:
    brand = network({"shortage": {"wait": 1.0, "patience": 30}}, horizon={"days": 20, "warm_up": 30}).with_({
        "supply.nodes.central.stock.core": {"level": 10}, "supply.restock_share": 1.0})
    world = warm_up(brand, 3)
    opening = opening_of(world)
    assert opening is not None
    due = sum(units for units in opening.coming.values())
    before = {name: world.ledger.stock[29, ..., k] for k, name in enumerate(STOCK)}
    returned = due - before["on_order"]
    assert (returned >= 0).all() and returned.sum() > 0
    np.testing.assert_array_equal(opening.waiting, world.ledger.moves[29, ..., MOVES.index("waiting")])
    assert opening.waiting.sum() > 0


def test_cells_begin_with_what_stands_there_comes_there_and_is_promised() -> None:
    """A node that sells beside feeding: its stock stands in the cell that feeds, who waits in the one that sells."""
    items = pd.DataFrame({"sku": "tea", "node": ["central", "central (own orders)", "mall"],
                          "source": ["", "central", "central"], "on_hand": [7, 0, 7], "lost": 5.0})
    demand = pd.DataFrame({"sku": "tea", "node": ["central (own orders)", "mall"], "period": [2, 2], "demand": [3, 4]})
    opening = Opening(("central", "mall"), ("tea",), np.array([[50], [6]]),
                      {2: np.array([[9], [0]]), 7: np.array([[0], [1]]), 21: np.array([[5], [5]])},
                      np.array([[2], [1]]))
    found = start_from(opening, read_instance(items, demand, days=7.0))
    assert found.on_hand.tolist() == [50, 0, 6]
    assert found.receipt.tolist() == [[9, 0, 0], [0, 0, 0], [0, 1, 0]]  # day 21 lies beyond the plan
    assert found.demand.tolist() == [[0, 0, 0], [2, 0, 3], [1, 0, 4]]


def test_endless_stock_has_no_opening_and_tables_say_what_they_know() -> None:
    assert opening_of(warm_up(shop(supply={"unlimited": True}), 1)) is None
    demand = pd.DataFrame({"sku": "core", "node": "central", "period": range(3), "demand": 50, "receipt": [0, 0, 30]})
    mine = om.replenish(shop(), demand=demand, rounds=5)
    assert mine.instance.receipt.tolist() == [[0, 0, 30], [0, 0, 0]]
    theirs = om.replenish(shop(), demand=demand.drop(columns="receipt"), rounds=5)
    np.testing.assert_array_equal(mine.instance.on_hand, theirs.instance.on_hand)
    assert theirs.instance.receipt[:, :2].sum() > 100
    items = pd.DataFrame({"sku": ["core"], "node": ["central"], "lost": [30.0], "on_hand": [4]})
    assert om.replenish(shop(), items=items, demand=demand, rounds=5).instance.on_hand.tolist() == [4]


def test_the_seed_of_a_plan_is_that_of_its_warm_up() -> None:
    one, two = (om.replenish(shop(), seed=seed, rounds=5).instance.on_hand.tolist() for seed in (1, 2))
    opening = opening_of(warm_up(shop(), 2))
    assert opening is not None and two == opening.on_hand[0].tolist() != one
