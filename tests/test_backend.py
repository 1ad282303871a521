"""The back end in a run: units and money conserved, stock-outs change consumers, consumers change stock."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from building import channel, network, scenario
from test_bits import differences

import omnisim as om
from omnisim.books import MEASURE, MOVES, STOCK, Books
from omnisim.plan import Plan
from omnisim.scenario.model import Scenario
from omnisim.simulation import finish, simulate, warm_up


def units(books: Books) -> dict[str, np.ndarray]:
    """Every column of stock and moves by name: int64 (days, nodes, skus)."""
    return ({name: books.stock[..., k] for k, name in enumerate(STOCK)}
            | {name: books.moves[..., k] for k, name in enumerate(MOVES)})


def total(books: Books, name: str) -> int:
    """A measure over all days and channels."""
    return int(books.daily[..., MEASURE[name]].sum())


@pytest.fixture(scope="module")
def everything() -> Scenario:
    return network()


@pytest.fixture(scope="module")
def books(everything: Scenario) -> Books:
    return simulate(everything)


def test_the_scenario_uses_what_could_break(books: Books) -> None:
    """Otherwise the invariants below would mean little."""
    found = units(books)
    for name in ("lost", "backordered", "returned", "ordered", "expedited", "sent", "shipped_late", "given_up",
                 "oversold", "substituted", "picked_up", "added", "expired"):
        assert found[name].sum() > 0, name


def test_units_are_conserved_in_every_place_and_in_the_pipeline(books: Books) -> None:
    u = units(books)
    for values in u.values():
        assert (values >= 0).all()
    np.testing.assert_array_equal(u["demand"], u["filled"] + u["lost"] + u["backordered"])
    np.testing.assert_array_equal(np.diff(u["on_hand"], axis=0), (
        u["received"] + u["returned"] - u["filled"] - u["shipped_late"] - u["sent"] - u["expired"])[1:])
    np.testing.assert_array_equal(np.diff(u["on_order"].sum(axis=1), axis=0),
                                  (u["ordered"] + u["sent"] - u["received"]).sum(axis=1)[1:])
    np.testing.assert_array_equal(np.diff(u["waiting"].sum(axis=1), axis=0),
                                  (u["backordered"] - u["shipped_late"] - u["given_up"]).sum(axis=1)[1:])
    for part, whole in (("expedited", "ordered"), ("oversold", "lost"), ("switched", "lost"), ("substituted", "lost"),
                        ("picked_up", "filled"), ("added", "filled")):
        assert (u[part] <= u[whole]).all()


def test_market_and_supply_count_the_same(books: Books) -> None:
    u = units(books)
    assert total(books, "units") == (u["filled"] + u["shipped_late"]).sum()
    assert total(books, "lost_units") == (u["lost"] - u["switched"] - u["substituted"] + u["given_up"]).sum()


def test_threads_and_parts_change_no_bit(everything: Scenario, books: Books) -> None:
    for options in ({"threads": 1}, {"threads": 2, "parts": 6}, {"threads": 1, "parts": 100, "looseness": 7.0}):
        assert differences(books, finish(warm_up(everything, **options), threads=options["threads"])) == []


def test_the_order_of_channels_nodes_and_routes_in_the_file_changes_nothing(everything: Scenario, books: Books) -> None:
    plain = everything.model_dump()
    back = {name: dict(reversed(plain[name].items())) for name in ("channels",)}
    back["supply"] = plain["supply"] | {"nodes": dict(reversed(plain["supply"]["nodes"].items())),
                                        "routes": plain["supply"]["routes"][::-1]}
    again = simulate(Scenario.model_validate(plain | back))
    assert again.daily[:, ::-1].tobytes() == books.daily.tobytes()
    assert again.stock[:, ::-1].tobytes() == books.stock.tobytes()
    assert again.moves[:, ::-1].tobytes() == books.moves.tobytes()
    assert again.hours[:, ::-1].tobytes() == books.hours.tobytes()


def test_a_snapshot_serves_every_plan(everything: Scenario, books: Books) -> None:
    snapshot = warm_up(everything)
    finish(snapshot.clone(), Plan(budgets={"douyin": (0,)}))
    assert differences(finish(snapshot), books) == []


def test_money_of_the_back_end_is_booked_to_the_cent() -> None:
    """Landed cost of what is sold or thrown away; parcels, moves between nodes, orders, express and storage."""
    s = network({"restock_share": 0.0, "pickup": {"share": 0.0}}, horizon={"days": 60, "warm_up": 0})
    books = simulate(s)
    u = units(books)
    landed = np.array([3000 + 300 + 100, 1500 + 150 + 100])
    assert u["expired"].sum() > 0
    assert -total(books, "cost_of_goods") == ((u["filled"] + u["shipped_late"] + u["expired"]) * landed).sum()
    parcels = np.array([600, 800])[books.orders["node"]].sum()
    moved = u["sent"][:, 0].sum() * 100
    ordered = ((u["ordered"] - u["expedited"]) > 0).sum() * 5000 + u["expedited"].sum() * 400
    kept = sum((int(units_kept) * 300 + 15) // 30 for units_kept in u["on_hand"][:, 1].sum(axis=1))
    assert -total(books, "logistics") == parcels + moved + ordered + kept


def test_hours_count_the_day_of_the_broadcast(books: Books, everything: Scenario) -> None:
    table = om.Result(everything, [books]).hours
    day = table[table["channel"] == "douyin"].set_index("hour")
    assert set(table["date"].dt.date.astype(str)) == {"2024-06-10"}
    place = list(everything.channels).index("douyin")
    on = books.daily[books.warm_up + 9, place]
    assert day["visits"].sum() == on[MEASURE["visits"]]
    assert 0.7 < day.loc[20:21, "visits"].sum() / day["visits"].sum() < 0.95
    assert table["orders"].sum() == books.daily[books.warm_up + 9, :, MEASURE["orders"]].sum()


def live_brand(delay: int, **supply: Any) -> Scenario:
    """Two channels on one stock; a broadcast that sells more than there is."""
    window = {"name": "live", "channel": "live", "date": "2024-06-05", "hour": 20, "minutes": 120, "factor": 30.0}
    return scenario(
        horizon={"days": 12, "warm_up": 0}, population={"size": 60_000, "renewal": 0.0},
        channels={"live": channel(direct=0.004, intercept=-2.0), "shop": channel(direct=0.02, intercept=-2.0)},
        products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0}}, calendar={"live": [window]},
        brand={"age": 0.0, "new_customers": 0.0, "trust": {"lost": 0.4, "cancelled": 0.8}},
        supply={"nodes": {"central": {"stock": {"core": {"level": 900}}}}, "suppliers": {"maker": {"lead_time": 2}},
                "routes": [{"source": "maker", "target": "central"}], "sync_delay": delay} | supply)


def test_a_delay_oversells_in_a_burst_and_none_oversells_nothing() -> None:
    """G09: delay 0 → oversell 0; 4 hours → oversell > 0, and the cancellations are logged by the hour."""
    prompt, late = (simulate(live_brand(delay)) for delay in (0, 240))
    assert units(prompt)["oversold"].sum() == 0 and units(prompt)["lost"].sum() > 0
    oversold = units(late)["oversold"].sum(axis=(1, 2))
    assert oversold[4] > 0 and prompt.daily[:5].tobytes() == late.daily[:5].tobytes()
    assert late.hours[0, :, :, 2].sum() > 0 and late.hours[0, :, :20, 2].sum() == 0
    # on the day itself the same orders are lost either way; afterwards, those cancelled come back less
    assert units(prompt)["lost"][4].sum() == units(late)["lost"][4].sum()


def test_express_saves_sales_and_is_paid_for() -> None:
    """G04: express is called once stock runs low, so the days around the broadcast lose less."""
    node = {"central": {"stock": {"core": {"level": 900}}, "expedite_below": 0.8}}
    maker = {"maker": {"lead_time": 5, "expedite_days": 1, "expedite_cost": 3.0}}
    slow = simulate(live_brand(0, suppliers=maker))
    fast = simulate(live_brand(0, suppliers=maker, nodes=node))
    assert units(fast)["lost"].sum() < units(slow)["lost"].sum()
    assert units(fast)["expedited"].sum() > 0 == units(slow)["expedited"].sum()
    assert -total(fast, "logistics") >= 800 * total(fast, "orders") + 300 * units(fast)["expedited"].sum()


def test_stock_outs_change_consumers() -> None:
    """Whoever met no stock trusts less: with plenty again, fewer orders than where nobody minded; same luck before."""
    def run(mark: float) -> Books:
        return simulate(scenario(
            horizon={"days": 40, "warm_up": 0}, population={"size": 20_000, "renewal": 0.0},
            channels={"shop": channel(direct=0.05, intercept=0.0)},
            products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0, "base_stock": 0}},
            brand={"age": 0.0, "new_customers": 0.0, "trust": {"lost": mark, "odds": 4.0}}, supply={"lead_time": 1}),
            plan=Plan((0,), {}, {"core": 0}))

    def orders(books: Books) -> np.ndarray:
        return books.stock[:, 0, 0, STOCK.index("demand")]

    calm, cross = run(0.0), run(1.0)
    assert orders(calm)[0] == orders(cross)[0] > 0
    assert orders(cross)[5:].sum() < 0.9 * orders(calm)[5:].sum()


def test_consumers_change_stock(everything: Scenario) -> None:
    """More exposures sell more, leave less, and the node orders more."""
    plain = network({"sync_delay": 0}, horizon={"days": 30, "warm_up": 0})
    quiet = simulate(plain)
    busy = simulate(plain.with_({"channels.taobao.direct": 0.005}))
    assert units(busy)["demand"].sum() > units(quiet)["demand"].sum()
    assert units(busy)["ordered"].sum() > units(quiet)["ordered"].sum()


def test_lateness_leaves_a_mark_and_tracking_softens_it() -> None:
    """G10: the same lateness, tracking on → a smaller mark."""
    from omnisim.simulation import Run, open_world

    def marks(tracking: bool, days: int) -> tuple[int, int]:
        s = scenario(
            horizon={"days": 12, "warm_up": 0}, channels={"shop": channel(direct=0.02, intercept=0.0, delivery_days=2)},
            brand={"age": 0.0, "new_customers": 0.0, "trust": {"late": 0.2}},
            supply={"nodes": {"far": {"stock": {"core": {"level": 100_000}}, "delivery_days": days}},
                    "tracking": tracking, "suppliers": {"maker": {}}, "routes": [{"source": "maker", "target": "far"}]})
        world = open_world(s, 1)
        Run(world, Plan(), None, None).advance(12)
        people = world.market.consumers.people
        return int((people["mark"] > 0).sum()), int(people["mark"].astype(np.int64).sum())

    n_late, late = marks(False, 5)
    n_tracked, tracked = marks(True, 5)
    assert n_late == n_tracked > 100 and tracked < 0.7 * late
    assert marks(False, 2) == (0, 0)


def test_ship_from_store_fills_what_the_warehouse_cannot() -> None:
    """G08: online stock-outs fall; the store's own rise."""
    def run(ships: bool) -> Books:
        return simulate(scenario(
            horizon={"days": 30, "warm_up": 0},
            channels={"online": channel(direct=0.02, intercept=-1.0), "store": channel(direct=0.001, intercept=-1.0)},
            products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0}}, brand={"age": 0.0, "new_customers": 0.0},
            supply={"nodes": {"central": {"channels": ["online"], "stock": {"core": {"level": 600}}},
                              "shop": {"kind": "store", "channels": ["store"], "ships": ships,
                                       "stock": {"core": {"level": 60}}}},
                    "stock": "virtual", "suppliers": {"maker": {"lead_time": 4}},
                    "routes": [{"source": "maker", "target": "central"}, {"source": "maker", "target": "shop"}]}))

    alone, shared = run(False), run(True)
    lost = [books.daily[..., MEASURE["lost_units"]].sum(axis=0) for books in (alone, shared)]
    assert lost[1][0] < lost[0][0] and lost[1][1] > lost[0][1] == 0
    lines = om.Result(live_brand(0), [shared]).books[0].orders
    assert set(lines["node"][lines["channel"] == 0].tolist()) == {0, 1}


def store_pickup(share: float, **terms: float) -> Scenario:
    """Orders on the internet, of which a share is picked up in a store that has enough of everything."""
    return scenario(
        horizon={"days": 30, "warm_up": 0},
        channels={"online": channel(direct=0.02, intercept=-1.0, **terms), "store": channel(intercept=-1.0, **terms)},
        products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0}},
        brand={"age": 0.0, "new_customers": 0.0, "loop": {"repurchase": False}},
        supply={"nodes": {"central": {"channels": ["online"], "stock": {"core": {"level": 90_000}}},
                          "shop": {"kind": "store", "channels": ["store"], "catchment": 1.0,
                                   "stock": {"core": {"level": 90_000}}}},
                "stock": "siloed", "suppliers": {"maker": {}}, "pickup": {"share": share, "add_on": 0.4, "cost": 1.0},
                "routes": [{"source": "maker", "target": "central"}, {"source": "maker", "target": "shop"}]})


def test_what_is_bought_on_the_way_comes_back_by_luck_of_its_own() -> None:
    books = simulate(store_pickup(0.5, return_rate=0.5))
    lines = books.orders[books.orders["delivered"] >= 0]
    key = lines["consumer"].astype(np.int64) * 100 + lines["day"]
    bought, collected = lines["channel"] == 1, (lines["channel"] == 0) & (lines["node"] == 1)
    pairs, first, second = np.intersect1d(key[bought], key[collected], return_indices=True)
    same = (lines["returned"][bought][first] >= 0) == (lines["returned"][collected][second] >= 0)
    assert pairs.size > 300 and abs(same.mean() - 0.5) < 4 * 0.5 / np.sqrt(pairs.size)


def test_pickup_costs_less_and_sells_more_in_the_store() -> None:
    """G07: delivery cost falls; add-on orders appear in the store's ledger."""
    mailed, collected = (simulate(store_pickup(share)) for share in (0.0, 0.5))
    orders, add_on = (collected.daily[:, k, MEASURE["orders"]].sum() for k in (0, 1))
    picked_up = (collected.orders["node"][collected.orders["channel"] == 0] == 1).sum()
    assert mailed.daily[:, 1, MEASURE["orders"]].sum() == 0
    for found, trials, share in ((picked_up, orders, 0.5), (add_on, picked_up, 0.4)):
        assert abs(found - trials * share) < 4 * np.sqrt(trials * share * (1 - share))
    assert units(collected)["added"].sum() == add_on
    online = [-books.daily[:, 0, MEASURE["logistics"]].sum() / books.daily[:, 0, MEASURE["orders"]].sum()
              for books in (mailed, collected)]
    assert online[0] == 800 and 400 < online[1] < 500


def test_an_article_is_sold_only_where_the_assortment_names_it() -> None:
    s = scenario(channels={"one": channel(direct=0.02, intercept=0.0), "two": channel(direct=0.02, intercept=0.0)},
                 products={"core": {"price": 60.0, "cost": 30.0, "share": 0.5},
                           "gift": {"price": 90.0, "cost": 30.0, "share": 0.3, "channels": ["two"]},
                           "mini": {"price": 30.0, "cost": 10.0, "share": 0.2, "channels": ["one"]}},
                 brand={"age": 0.0, "new_customers": 0.0}, horizon={"days": 30, "warm_up": 0})
    orders = simulate(s).orders
    sold = {k: np.bincount(orders["sku"][orders["channel"] == k], minlength=3) for k in (0, 1)}
    assert sold[0][1] == 0 == sold[1][2]
    for k, share in ((0, 0.5 / 0.7), (1, 0.5 / 0.8)):
        n = sold[k].sum()
        assert abs(sold[k][0] - n * share) < 4 * np.sqrt(n * share * (1 - share))
    # an order holds as many units as its value takes at the mean price of what the channel sells
    for k, price in ((0, (0.5 * 60 + 0.2 * 30) / 0.7), (1, (0.5 * 60 + 0.3 * 90) / 0.8)):
        mine = orders[orders["channel"] == k]["quantity"]
        assert abs(mine.mean() - 120 / price) < 4 * mine.std() / np.sqrt(mine.size)


def test_what_is_off_changes_no_bit() -> None:
    """A back end of one node that says what the plain warehouse says: the same run."""
    plain = scenario(horizon={"days": 30, "warm_up": 20}, channels={"shop": channel(direct=0.01, intercept=0.0)},
                     products={"core": {"price": 60.0, "cost": 30.0, "share": 1.0, "base_stock": 300}},
                     supply={"lead_time": 5, "moq": 30, "review_days": 2})
    built = plain.model_dump()
    built["products"]["core"]["base_stock"] = 0
    built["supply"] = {"nodes": {"central": {"stock": {"core": {"level": 300}}, "review_days": 2}},
                       "suppliers": {"maker": {"lead_time": 5, "moq": 30}},
                       "routes": [{"source": "maker", "target": "central"}]}
    one, two = simulate(plain), simulate(Scenario.model_validate(built))
    assert differences(one, two) == [] and total(one, "lost_orders") > 0


def test_a_plan_with_levels_is_refused_where_nodes_have_rules(everything: Scenario) -> None:
    assert Plan.today(everything).base_stock == {}
    with pytest.raises(om.UsageError, match="every node has rules of its own"):
        om.run(everything, plan=Plan(base_stock={"core": 5}))


def silos(stock: str, **sections: Any) -> Scenario:
    """Three channels, each with a warehouse of its own and stock for a week and a little more."""
    direct = {"douyin": 0.004, "taobao": 0.011, "jd": 0.006}
    nodes = {f"{name}_house": {"channels": [name], "stock": {"core": {"level": int(level)}}}
             for name, level in zip(direct, (265, 680, 390), strict=True)}
    return scenario(**{
        "horizon": {"days": 60, "warm_up": 0}, "population": {"size": 30_000, "renewal": 0.0},
        "channels": {name: channel(direct=rate, intercept=-1.0) for name, rate in direct.items()},
        "products": {"core": {"price": 60.0, "cost": 30.0, "share": 1.0}},
        "brand": {"age": 0.0, "new_customers": 0.0, "loop": {"repurchase": False}},
        "supply": {"nodes": nodes, "stock": stock, "suppliers": {"maker": {"lead_time": 6}},
                   "routes": [{"source": "maker", "target": name} for name in nodes]}} | sections)


def test_stock_in_common_loses_less_than_stock_in_silos() -> None:
    """G01, with consumers: the same units in the same places, sold to whoever comes."""
    found = {stock: simulate(silos(stock)) for stock in ("siloed", "virtual", "pooled")}
    lost = {stock: int(units(books)["lost"].sum()) for stock, books in found.items()}
    assert 0 < lost["virtual"] < lost["siloed"] and 0 < lost["pooled"] < lost["siloed"]
    assert len({books.daily[0, :, MEASURE["visits"]].tobytes() for books in found.values()}) == 1
    lines = found["siloed"].orders
    assert (lines["node"] == lines["channel"]).all()
    # virtual stock leaves the own place only when it has run out; pooled stock goes by cost, here by name
    moved = {stock: (books.orders["node"] != books.orders["channel"]).mean() for stock, books in found.items()}
    assert 0 < moved["virtual"] < 0.2 < moved["pooled"]


def test_who_switches_buys_on_another_channel_that_has_it() -> None:
    """With stock apart, a short order tries a channel that the consumer uses: fewer are lost, and all are booked."""
    stay = simulate(silos("siloed"))
    plain = silos("siloed").model_dump()
    plain["supply"]["shortage"] = {"switch": 1.0}
    books = simulate(Scenario.model_validate(plain))
    u = units(books)
    assert u["switched"].sum() > 0 and total(books, "lost_units") < total(stay, "lost_units")
    assert total(books, "lost_units") == (u["lost"] - u["switched"]).sum()
    assert total(books, "units") == u["filled"].sum()
    assert (books.orders["node"] == books.orders["channel"]).all()


def test_pooled_orders_go_the_cheapest_way_and_their_days_are_reported() -> None:
    """G05: with enough of everything the assignment is the optimum of the transport problem."""
    from scipy.optimize import linprog

    plain = silos("pooled").model_dump()
    for (name, node), cost, days in zip(plain["supply"]["nodes"].items(), (9.0, 5.0, 7.0), (1, 4, 2), strict=True):
        node |= {"delivery_cost": cost, "delivery_days": days, "ships": name != "taobao_house"}
        node["stock"]["core"]["level"] = 50_000
    built = Scenario.model_validate(plain)
    result = om.Result(built, [simulate(built)])
    orders = result.books[0].orders
    demand = np.bincount(orders["channel"], minlength=3)
    allowed = np.array([[True, k == 1, True] for k in range(3)])  # taobao's house serves its own channel only
    cost = np.where(allowed, [900, 500, 700], 1e6)
    best = linprog(cost.ravel(), A_eq=np.kron(np.eye(3), np.ones(3)), b_eq=demand)
    assert -total(result.books[0], "logistics") == round(best.fun)
    table = result.deliveries
    assert table["orders"].sum() == (orders["delivered"] >= 0).sum()
    assert table.groupby(["node", "channel"])["share"].sum().tolist() == pytest.approx([1.0] * 3)
    by_node = table.groupby("node")["days"].agg(["min", "max"])
    assert by_node.loc["jd_house"].tolist() == [2, 3] and by_node.loc["taobao_house"].tolist() == [4, 5]  # cut-off


def test_stock_without_end_needs_no_orders_and_scales() -> None:
    """What measures of media do with any scenario: nothing is short, nothing is ordered, each place serves its own."""
    base = network({"sync_delay": 0})
    endless = simulate(base.with_({"supply.unlimited": True}))
    u = units(endless)
    assert not u["lost"].any() and not u["ordered"].any() and not u["on_hand"].any() and u["picked_up"].any()
    scaled = simulate(base.with_({"supply.unlimited": True, "population.scale": 3, "service.capacity": None}))
    v = units(scaled)
    assert total(scaled, "units") == v["filled"].sum() and v["added"].sum() % 3 == 0 < v["added"].sum()


def test_more_stock_moves_no_exposures(everything: Scenario, books: Books) -> None:
    """Comparisons stay on common luck: who is reached does not depend on what stood on the shelf."""
    more = simulate(everything.with_({"supply.nodes.central.stock.core.level": 900}))
    np.testing.assert_array_equal(more.daily[..., MEASURE["impressions"]], books.daily[..., MEASURE["impressions"]])
    assert units(more)["lost"].sum() < units(books)["lost"].sum()


def test_the_brand_s_back_end_runs() -> None:
    """The example in scenarios/: every table can be read, and units are conserved."""
    from pathlib import Path

    plain = om.load(Path(__file__).parents[1] / "scenarios" / "brand_backend.yaml")
    small = plain.with_({"population.size": 20_000, "horizon.days": 30, "horizon.warm_up": 30})
    result = om.run(small)
    stock = result.stock
    assert (stock["demand"] == stock["filled"] + stock["lost"] + stock["backordered"]).all()
    assert set(stock["node"]) == set(result.moves["node"]) == {"central", "taobao_house", "shop"}
    assert result.hours["visits"].sum() > 0 and result.deliveries["orders"].sum() > 0
