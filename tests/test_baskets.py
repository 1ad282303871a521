"""Baskets of several lines: what an order takes along, what becomes of it where stock is short, and what adds up."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from building import channel, network, scenario, small_brand, within
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import omnisim as om
from omnisim.books import HOUR, MEASURE, MOVES, ORDER_DTYPE, STOCK, Books
from omnisim.errors import ScenarioError
from omnisim.measure.cohorts import private_repeat_rate
from omnisim.scenario.model import Scenario
from omnisim.simulation import simulate

PRODUCTS = {"core": {"price": 60.0, "cost": 30.0, "share": 0.7, "basket": {"gift": 0.3, "wrap": 0.5}},
            "gift": {"price": 40.0, "cost": 15.0, "share": 0.3, "basket": {"wrap": 0.2}},
            "wrap": {"price": 5.0, "cost": 1.0, "share": 0.0}}
"""An order of core holds 1.8 lines, one of gift 1.2; nobody orders wrap by itself."""


def shop(**sections: Any) -> Scenario:
    """A shop where a great many people drop in and buy."""
    plain: dict[str, Any] = {"channels": {"shop": channel(direct=0.3, intercept=-2.0, order_value=150.0)},
                             "products": PRODUCTS}
    return scenario(**plain | sections)


def both(scenario_: Scenario) -> Scenario:
    """The brand with two articles, each of which takes the other along."""
    return scenario_.with_({"products.core.basket": {"gift": 0.6}, "products.gift.basket": {"core": 0.5}})


def total(books: Books, name: str) -> int:
    return int(books.daily[..., MEASURE[name]].sum())


def shares(books: Books, sku: int) -> tuple[np.ndarray, np.ndarray]:
    """Orders that begin with an article, and how often each article follows in them."""
    lines = books.orders
    begun = lines["order_id"][(lines["line"] == 0) & (lines["sku"] == sku)]
    rest = lines[np.isin(lines["order_id"], begun) & (lines["line"] > 0)]
    return begun, np.bincount(rest["sku"], minlength=3)


# what is asked for

def test_articles_come_along_at_their_attach_rates() -> None:
    books = simulate(shop(), seed=1)
    for sku, rates in ((0, (0.0, 0.3, 0.5)), (1, (0.0, 0.0, 0.2))):
        begun, found = shares(books, sku)
        assert begun.size > 2_500
        for rate, n in zip(rates, found.tolist(), strict=True):
            assert within(n, begun.size, rate)
    assert not ((books.orders["line"] == 0) & (books.orders["sku"] == 2)).any()
    # what comes along is independent: both, 15 %
    begun, _ = shares(books, 0)
    _, counts = np.unique(books.orders["order_id"][np.isin(books.orders["order_id"], begun)], return_counts=True)
    assert within((counts == 3).sum(), begun.size, 0.15)


def test_an_order_is_worth_what_the_channel_says_with_all_its_lines() -> None:
    books = simulate(shop(), seed=2)
    order = np.unique(books.orders["order_id"], return_inverse=True)[1]
    worth = np.bincount(order, weights=books.orders["price"] * books.orders["quantity"]) / 100
    assert worth.size == total(books, "orders") > 9_000
    assert abs(worth.mean() - 150.0) <= 4 * worth.std() / math.sqrt(worth.size)
    # 1 + 0.7 · 0.8 + 0.3 · 0.2 lines an order, each of as many units: 150 / (0.7 · 74.5 + 0.3 · 41)
    lines, units = total(books, "lines") / worth.size, total(books, "units") / total(books, "lines")
    assert lines == pytest.approx(1.62, abs=4 * 0.7 / math.sqrt(worth.size))
    assert units == pytest.approx(150 / 64.45, abs=4 * 1.2 / math.sqrt(total(books, "lines")))


def test_no_article_moves_the_luck_of_another() -> None:
    """Orders, their first lines, and gifts taken along stay where they are when wrap is no longer taken along."""
    less = PRODUCTS | {"core": PRODUCTS["core"] | {"basket": {"gift": 0.3}}, "gift": PRODUCTS["gift"] | {"basket": {}}}
    value = {"shop": channel(direct=0.3, intercept=-2.0, order_value=round(150 / 64.45 * (0.7 * 72 + 0.3 * 40), 2))}
    one, two = simulate(shop(), seed=3), simulate(shop(products=less, channels=value), seed=3)
    fields = ["order_id", "consumer", "day", "minute", "sku", "number", "delivered"]
    kept = one.orders[one.orders["sku"] != 2]
    assert kept[fields].tolist() == two.orders[fields].tolist()
    assert np.mean(kept["quantity"] != two.orders["quantity"]) < 1e-3  # the same mean but for the cent


def test_an_attach_rate_of_nothing_changes_nothing() -> None:
    plain = network()
    one, two = simulate(plain, seed=1), simulate(plain.with_({"products.core.basket": {"gift": 0.0}}), seed=1)
    assert differences(one, two) == []


def test_a_channel_takes_along_only_what_it_sells() -> None:
    channels = {name: channel(direct=0.02, intercept=-2.0, order_value=150.0) for name in ("shop", "stall")}
    products = PRODUCTS | {"wrap": PRODUCTS["wrap"] | {"channels": ["stall"]}}
    books = simulate(shop(channels=channels, products=products), seed=1)
    wrapped = books.orders[books.orders["sku"] == 2]
    assert wrapped.size > 500 and (wrapped["channel"] == 1).all()
    worth = [int(books.daily[:, k, MEASURE["gmv"]].sum() / books.daily[:, k, MEASURE["orders"]].sum()) for k in (0, 1)]
    assert worth == pytest.approx([15_000, 15_000], rel=0.03)  # each channel's orders are worth what it says


def differences(one: Books, two: Books) -> list[str]:
    """Integer tables that are not the same."""
    return [name for name in ("daily", "groups", "stages", "transitions", "flows", "paths", "path_counts", "cohorts",
                              "second", "stock", "moves", "segments", "orders", "hours")
            if not np.array_equal(getattr(one, name), getattr(two, name))]


def test_threads_and_parts_change_no_line() -> None:
    brand = both(network({"shortage": {"wait": 0.5, "substitute": 0.2, "patience": 3}}))
    one, two = simulate(brand, seed=4, threads=1), simulate(brand, seed=4, threads=3)
    assert differences(one, two) == [] and total(one, "lines") > total(one, "orders")


# what adds up

def check_sums(books: Books, scale: int = 1) -> None:
    """Orders, lines, units and money are the same in all tables."""
    daily = {name: books.daily[..., place] for name, place in MEASURE.items()}
    stock = {name: books.stock[..., place] for place, name in enumerate(STOCK)}
    moves = {name: books.moves[..., place] for place, name in enumerate(MOVES)}
    assert (stock["demand"] == stock["filled"] + stock["lost"] + stock["backordered"]).all()
    waiting = np.concatenate([np.zeros_like(moves["waiting"][:1]), moves["waiting"]])
    gone = moves["shipped_late"].sum(axis=(1, 2)) + moves["given_up"].sum(axis=(1, 2))
    assert (np.diff(waiting.sum(axis=(1, 2))) == stock["backordered"].sum(axis=(1, 2)) - gone).all()
    sold = (stock["filled"] + moves["shipped_late"]).sum(axis=(1, 2))
    assert (daily["units"].sum(axis=1) == sold).all()
    retried = (moves["switched"] + moves["substituted"]).sum(axis=(1, 2))
    assert (daily["lost_units"].sum(axis=1) == (stock["lost"] + moves["given_up"]).sum(axis=(1, 2)) - retried).all()
    assert (daily["new_customers"] + daily["repeat_orders"] + daily["win_back_orders"] == daily["orders"]).all()
    assert (daily["units"] >= daily["lines"]).all() and (daily["returned_lines"].sum() <= daily["lines"].sum())
    run = {name: values[books.warm_up:] for name, values in daily.items()}
    lines = books.orders
    assert lines.size * scale == run["lines"].sum() and (lines["quantity"] * scale).sum() == run["units"].sum()
    begun = daily["orders"][:books.warm_up].sum() // scale  # lines of orders before the reported days may come in them
    assert np.unique(lines["order_id"][lines["order_id"] >= begun]).size * scale == run["orders"].sum()
    paid = lines["price"] * lines["quantity"] * scale
    assert paid.sum() == run["gmv"].sum() == books.path_counts[:, 2].sum() == books.cohorts[..., 2].sum()
    assert paid.sum() == books.segments[:, 3].sum() and run["orders"].sum() == books.segments[:, 2].sum()
    assert run["orders"].sum() == books.path_counts[:, 1].sum() == books.cohorts[..., 1].sum()
    hours = dict(zip(HOUR, books.hours.sum(axis=2).transpose(2, 0, 1), strict=True))
    for name in ("orders", "visits"):
        np.testing.assert_array_equal(hours[name], run[name][books.live_days])


def check_orders(lines: np.ndarray) -> None:
    """An order has one consumer, channel, minute and ordinal, and no line twice."""
    assert np.unique(lines[["order_id", "line"]]).size == lines.size
    for name in ("consumer", "channel", "minute", "origin", "number"):
        pairs = np.unique(lines[["order_id", name]])
        assert pairs.size == np.unique(lines["order_id"]).size, name


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_units_lines_and_money_add_up_whatever_is_short(data: Any) -> None:
    rate = st.sampled_from([0.0, 0.3, 1.0])
    third = st.sampled_from([0.0, 0.3])
    shortage = {"wait": data.draw(third), "switch": data.draw(third), "substitute": data.draw(third),
                "patience": data.draw(st.integers(1, 6))}
    few = data.draw(st.integers(1, 60))
    stock = {"core": {"level": few}, "gift": {"level": data.draw(st.integers(1, 40))}}
    brand = network({
        "shortage": shortage, "stock": data.draw(st.sampled_from(["pooled", "virtual"])),
        "sync_delay": data.draw(st.sampled_from([0, 240])),
        "pickup": {"share": data.draw(st.sampled_from([0.1, 1.0])), "add_on": 0.5, "cost": 1.0},
    }, horizon={"days": 20, "warm_up": 15}).with_({
        "supply.nodes.central.stock": stock, "supply.nodes.central.expedite_below": 0.0,
        "products.core.basket": {"gift": data.draw(rate)}, "products.gift.basket": {"core": data.draw(rate)}})
    books = simulate(brand, seed=data.draw(st.integers(0, 999)), threads=1)
    check_sums(books)
    check_orders(books.orders)


def test_money_of_the_lines_is_money_of_the_days_to_the_cent() -> None:
    """Without returns gmv less all costs that follow from orders is the margin of the lines."""
    books = simulate(both(small_brand(membership=None, service={"consult_share": 0.0}, referral=None,
                                      horizon={"days": 30, "warm_up": 0})).with_({
        "channels.douyin.return_rate": 0.0, "channels.taobao.return_rate": 0.0}), seed=1)
    daily = books.daily.sum(axis=(0, 1))
    follows = [daily[MEASURE[name]] for name in ("cost_of_goods", "commission", "payment_fee", "logistics", "service")]
    assert books.orders["margin"].sum() == daily[MEASURE["gmv"]] + sum(follows) > 0
    assert daily[MEASURE["logistics"]] == -800 * daily[MEASURE["orders"]]  # one parcel an order from one place
    check_sums(books)
    check_orders(books.orders)


# what is short

TWO = {"core": {"price": 60.0, "cost": 30.0, "share": 1.0, "basket": {"gift": 1.0}, "base_stock": 10_000_000},
       "gift": {"price": 40.0, "cost": 15.0, "share": 0.0, "base_stock": 40}}
"""Every order holds both; there are 40 gifts."""


def short_of_gifts(first: dict[str, Any] | None = None, **shortage: Any) -> Scenario:
    products = {"core": TWO["core"] | (first or {}), "gift": TWO["gift"]}
    return scenario(channels={"shop": channel(direct=0.02, intercept=-2.0, order_value=100.0)}, products=products,
                    horizon={"days": 12, "warm_up": 0},
                    supply={"lead_time": 4, "review_days": 4, "shortage": shortage},
                    brand={"new_customers": 0.0, "age": 0.0, "loop": {"repurchase": False}})


def test_what_is_there_is_sold_and_the_rest_is_lost_by_the_line() -> None:
    books = simulate(short_of_gifts(), seed=1)
    assert total(books, "orders") == (books.orders["sku"] == 0).sum() > 500
    assert 0 < total(books, "lines") - total(books, "orders") == (books.orders["sku"] == 1).sum()
    assert total(books, "lost_orders") == 0 < total(books, "lost_units")
    check_sums(books)


def test_an_order_whose_first_line_is_lost_keeps_the_others() -> None:
    few = {"core": TWO["core"] | {"base_stock": 40}, "gift": TWO["gift"] | {"base_stock": 10_000_000}}
    books = simulate(short_of_gifts().with_({"products": few}), seed=1)
    alone = np.setdiff1d(books.orders["order_id"], books.orders["order_id"][books.orders["sku"] == 0])
    assert alone.size > 200 and total(books, "lost_orders") == 0
    assert total(books, "orders") == np.unique(books.orders["order_id"]).size == total(books, "new_customers")
    assert (books.orders["line"][books.orders["sku"] == 1] == 1).all()


def test_an_order_is_lost_only_with_all_its_lines() -> None:
    none = {"core": TWO["core"] | {"base_stock": 0}, "gift": TWO["gift"] | {"base_stock": 0}}
    books = simulate(short_of_gifts().with_({"products": none}), seed=1)
    demand = books.stock[..., STOCK.index("demand")]
    assert total(books, "orders") == 0 < total(books, "lost_orders") < total(books, "lost_units") == demand.sum()


def test_a_line_that_waits_joins_its_order() -> None:
    """It comes later, in a parcel of its own, with its money and under its order's number; nothing counts twice."""
    books = simulate(short_of_gifts(wait=1.0, patience=30), seed=1)
    lines = books.orders
    order_day = {one["order_id"]: one["day"] for one in lines[lines["sku"] == 0]}
    late = lines[(lines["sku"] == 1) & (lines["day"] > [order_day[n] for n in lines["order_id"]])]
    assert late.size > 20 and (late["number"] == 1).all()
    assert total(books, "orders") == total(books, "new_customers") == len(order_day)
    assert total(books, "logistics") == -800 * (len(order_day) + late.size)
    check_sums(books)
    check_orders(lines)


def test_an_order_of_which_nothing_is_there_counts_when_the_first_line_comes() -> None:
    none = {"core": TWO["core"] | {"base_stock": 90}, "gift": TWO["gift"] | {"base_stock": 60}}
    books = simulate(short_of_gifts(wait=1.0, patience=30).with_({"products": none}), seed=1)
    assert total(books, "orders") == np.unique(books.orders["order_id"]).size
    assert total(books, "lost_orders") == total(books, "lost_units") == 0
    waiting = books.moves[-1, 0, :, MOVES.index("waiting")]
    assert (waiting > 0).all()  # of what is asked for, all that is not sold still waits
    assert total(books, "units") + waiting.sum() == books.stock[..., STOCK.index("demand")].sum()
    check_sums(books)
    check_orders(books.orders)


def test_each_line_has_luck_of_its_own() -> None:
    """Of orders of which nothing is there, where half of the lines wait, a quarter is lost with both."""
    none = {sku: one | {"base_stock": 0} for sku, one in TWO.items()}
    books = simulate(short_of_gifts(wait=0.5, patience=60).with_({"products": none}), seed=1)
    asked = int(books.stock[..., 0, STOCK.index("demand")].sum())  # a unit of core an order: 100 buys one of each
    assert asked > 500 and within(total(books, "lost_orders"), asked, 0.25)
    assert within(total(books, "lost_units"), 2 * asked, 0.5)


def test_a_line_of_several_is_substituted_but_never_switches() -> None:
    brand = both(network({"shortage": {"switch": 0.5, "substitute": 0.5}})).with_({
        "products.core.basket": {"gift": 1.0}, "products.gift.basket": {"core": 1.0},
        "supply.nodes.central.stock.gift": {"level": 5}})
    books = simulate(brand, seed=1)
    moved = books.moves.sum(axis=(0, 1, 2))
    assert moved[MOVES.index("switched")] == 0 < moved[MOVES.index("substituted")]


# parcels and returns

def test_an_order_comes_in_one_parcel_where_one_place_has_it_all() -> None:
    """Two places hold one article each, a third, dearer one both: the order comes whole from that."""
    def place(*skus: str, cost: float) -> dict[str, Any]:
        return {"stock": {sku: {"level": 100_000} for sku in skus}, "delivery_cost": cost}
    def supply(**nodes: Any) -> dict[str, Any]:
        return {"nodes": nodes, "suppliers": {"maker": {}},
                "routes": [{"source": "maker", "target": name} for name in nodes]}
    apart = {"left": place("core", cost=2.0), "right": place("gift", cost=3.0)}
    plain = short_of_gifts().model_dump() | {"products": {sku: one | {"base_stock": 0} for sku, one in TWO.items()}}
    split = simulate(Scenario.model_validate(plain | {"supply": supply(**apart)}), seed=1)
    with_middle = supply(**apart, middle=place("core", "gift", cost=4.0))
    whole = simulate(Scenario.model_validate(plain | {"supply": with_middle}), seed=1)
    orders = total(split, "orders")
    assert total(split, "logistics") == -500 * orders and (np.bincount(split.orders["node"]) == orders).all()
    assert total(whole, "logistics") == -400 * orders and (whole.orders["node"] == 2).all()


def test_lines_come_back_by_themselves_and_are_refunded() -> None:
    books = simulate(shop(channels={"shop": channel(direct=0.05, intercept=-2.0, order_value=150.0, return_rate=0.3)},
                          horizon={"days": 40, "warm_up": 0}), seed=1)
    lines = books.orders
    back = lines["returned"] >= 0
    arrived = lines["delivered"] >= 0
    assert back.sum() == total(books, "returned_lines") and within(back.sum(), arrived.sum(), 0.3)
    assert (lines["price"] * lines["quantity"])[back].sum() == -total(books, "returns")
    ids, at = np.unique(lines["order_id"], return_inverse=True)
    n, n_back = np.bincount(at), np.bincount(at, weights=back)
    pairs = (n == 2) & (np.bincount(at, weights=arrived) == 2)
    assert within((n_back[pairs] == 1).sum(), pairs.sum(), 2 * 0.3 * 0.7) and ids.size > 1000


def test_tables_and_figures_know_orders_from_lines() -> None:
    result = om.run(both(network({"shortage": {"wait": 0.5}})), seed=1)
    daily, lines = result.daily, result.orders
    figures = result.kpis().set_index("kpi")["value"]
    assert 1.2 < figures["lines_per_order"] == pytest.approx(daily["lines"].sum() / daily["orders"].sum())
    assert figures["units_per_order"] == pytest.approx(daily["units"].sum() / daily["orders"].sum())
    assert figures["return_rate"] == pytest.approx(daily["returned_lines"].sum() / daily["lines"].sum())
    assert len(lines) == daily["lines"].sum() and set(lines["line"]) == {1, 2}
    sent = lines[lines["delivered"].notna()]
    assert result.deliveries["orders"].sum() == len(sent.groupby(["order_id", "node", "date"])) < len(sent)


def test_an_order_of_two_lines_is_no_repurchase() -> None:
    """Who comes back among the group's buyers: a second line is not a second order."""
    lines = np.zeros(3, ORDER_DTYPE)
    lines["order_id"], lines["consumer"], lines["line"], lines["day"] = [0, 0, 1], [5, 5, 6], [0, 1, 0], [3, 4, 3]
    assert private_repeat_rate(lines, 0, 100, within=90) == (0, 2)


# what cannot be meant

BAD = {
    "unknown article": ({"gft": 0.3}, "products.core.basket.gft = 0.3 — is no article of this scenario. Did you mean "
                        "gift?"),
    "more than all": ({"gift": 1.2}, "products.core.basket.gift = 1.2"),
    "itself": ({"core": 0.2}, "products.core.basket.core = 0.2 — an article does not take itself along"),
    "five lines": ({"gift": 0.1, "wrap": 0.1, "card": 0.1, "bag": 0.1}, "products.core.basket"),
    "sold nowhere with it": ({"wrap": 0.5}, "products.core.basket.wrap = 0.5 — does nothing: no channel sells both "
                             "core and wrap. Name a common one"),
}


@pytest.mark.parametrize("name", list(BAD))
def test_a_basket_that_cannot_be_meant_is_refused(name: str) -> None:
    basket, said = BAD[name]
    products = PRODUCTS | {"core": PRODUCTS["core"] | {"basket": basket, "channels": ["shop"]},
                           "wrap": PRODUCTS["wrap"] | {"channels": ["stall"]},
                           "gift": PRODUCTS["gift"] | {"basket": {}}}
    with pytest.raises(ScenarioError) as caught:
        shop().with_({"channels.stall": channel(order_value=150.0), "products": products})
    assert said in str(caught.value)


def test_an_order_cannot_be_worth_less_than_a_unit_of_each_line() -> None:
    with pytest.raises(ScenarioError, match=r"channels.shop.order_value = 60.00 CNY/order — must be at least the mean "
                                            r"price of an article and what it takes along, 64.45"):
        shop().with_({"channels.shop.order_value": 60.0})
