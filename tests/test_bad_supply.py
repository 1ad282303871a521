"""Each back end that cannot be beside what is said about it."""

from __future__ import annotations

from pathlib import Path

import pytest

from omnisim.scenario.load import check_file

GOOD = """\
name: bad
channels:
  douyin: {preset: douyin, budget: 240}
  taobao: {preset: taobao}
  store: {preset: taobao}
products:
  core: {price: 80, cost: 36, share: 0.7}
  gift: {price: 50, cost: 16, share: 0.3}
brand: {new_customers: 400}
supply:
  nodes:
    central:
      stock: {core: {level: 3000}, gift: {rule: min_max, reorder_point: 500, level: 3000}}
    shop:
      kind: store
      channels: [store]
      catchment: 1
      stock: {core: {rule: reorder_point, reorder_point: 90, lot: 60}, gift: {rule: forecast, level: 90}}
  suppliers:
    maker: {lead_time: 7, delays: [0.5, 0.5], moq: 50, capacity: 5000}
  routes:
    - {source: maker, target: central}
    - {source: central, target: shop, lead_time: 1}
  shortage: {wait: 0.3, switch: 0.3, substitute: 0.3}
  pickup: {share: 0.1}
"""

# name -> (text replaced, by what, what is said; {here} is the file)
CASES: dict[str, tuple[str, str, list[str]]] = {
    "negative lead time": ("lead_time: 7", "lead_time: -7", [
        "{here}:20:24: supply.suppliers.maker.lead_time = -7 day — must be ≥ 1 and ≤ 365 day. Write 1 or more."]),
    "moq above capacity": ("moq: 50", "moq: 5001", [
        "{here}:20:52: supply.suppliers.maker.moq = 5,001 unit/order — must be at most the capacity of 5,000 "
        "unit/day: nothing could ever be ordered. Lower moq, or raise capacity."]),
    "a node no route reaches": ("source: central, target: shop", "source: shop, target: central", [
        "supply.nodes.shop.stock.core = shop — is reached by no route: core cannot come here from maker. Add {{source: "
        "maker, target: shop}} to supply.routes"]),
    "a ring of routes": ("{source: maker, target: central}", "{source: shop, target: central}", [
        "supply.nodes.central.stock.core = central — is reached by no route", "supply.nodes.shop.stock.core = shop"]),
    "service target 1": ("level: 90}", "level: 90, service: 1.0}", [
        "supply.nodes.shop.stock.gift.service = 1.0 — must be > 0 and < 1. Write less than 1."]),
    "unknown node": ("target: shop", "target: shopp", ["supply.routes.1.target = shopp — is no node of this scenario. "
                                                       "Did you mean shop?"]),
    "unknown supplier": ("{source: maker", "{source: makr", ["supply.routes.0.source = makr — is no supplier or node"]),
    "a route to itself": ("source: central, target: shop", "source: shop, target: shop", [
        "must differ from the source"]),
    "a second route": ("lead_time: 1}", "lead_time: 1}\n    - {source: maker, target: central}", [
        "supply.routes.2 = maker to central — is a second route between the same two"]),
    "unknown article": ("gift: {rule: forecast", "giftt: {rule: forecast", [
        "supply.nodes.shop.stock.giftt = giftt — is no article of this scenario"]),
    "unknown channel": ("[store]", "[stor]", [
        "supply.nodes.shop.channels.0 = stor — is no channel of this scenario. Did you mean store?"]),
    "shares of delays": ("[0.5, 0.5]", "[0.5, 0.6]", ["shares that sum to 1.1 — shares must sum to 1"]),
    "shares of shortage": ("wait: 0.3", "wait: 0.5", ["supply.shortage = shares that sum to 1.1"]),
    "s above S": ("reorder_point: 500", "reorder_point: 3000", [
        "reorder_point = 3,000 unit — must be below the level"]),
    "no lot": (", lot: 60", "", ["supply.nodes.shop.stock.core.lot = 0 — must be at least 1 unit"]),
    "a lot below the moq": ("gift: {rule: min_max, reorder_point: 500, level: 3000}",
                            "gift: {rule: reorder_point, reorder_point: 500, lot: 49}",
                            ["stock.gift.lot = 49 unit — must be at least the supplier's moq, 50"]),
    "a key that its rule does not use": ("core: {level: 3000}", "core: {level: 3000, lot: 5}", [
        "stock.core.lot = 5 — does nothing under the rule base_stock"]),
    "a base stock beside nodes": ("share: 0.7}", "share: 0.7, base_stock: 5}", [
        "products.core.base_stock = 5 — does nothing beside supply.nodes"]),
    "a lead time beside nodes": ("  pickup: {share: 0.1}", "  pickup: {share: 0.1}\n  lead_time: 9", [
        "supply.lead_time = 9 — does nothing beside supply.nodes"]),
    "a channel that nobody serves": ("    central:\n", "    central:\n      channels: [taobao]\n      ships: false\n", [
        "channels.douyin = core — is sold here, and no node serves it"]),
    "a store with two channels": ("[store]", "[store, taobao]", ["channels = 2 channels — a store where orders are "
                                                                 "picked up has one channel of its own"]),
    "pickup nowhere": ("      catchment: 1\n", "", ["supply.pickup = no store — needs a node with a catchment"]),
    "a catchment without pickup": ("  pickup: {share: 0.1}\n", "", ["catchment = 1.0 — does nothing without "
                                                                    "supply.pickup"]),
    "express to a node fed by a node": ("      catchment: 1\n", "      catchment: 1\n      expedite_below: 0.2\n", [
        "supply.nodes.shop.expedite_below = 0.2 — needs a supplier's express"]),
    "an assortment of nobody": ("share: 0.3}", "share: 0.3, channels: [taobaoo]}", [
        "products.gift.channels.0 = taobaoo — is no channel of this scenario. Did you mean taobao?"]),
    "a channel without articles": ("share: 0.7}\n  gift: {price: 50, cost: 16, share: 0.3}",
                                   "share: 0.7, channels: [taobao, store]}\n  gift: {price: 50, cost: 16, share: 0.3, "
                                   "channels: [store]}", ["channels.douyin = no article — sells nothing"]),
    "unknown maker": ("share: 0.3}", "share: 0.3, supplier: makr}", [
        "products.gift.supplier = makr — is no supplier"]),
    "a broadcast beyond midnight": ("brand:", "calendar: {live: [{name: x, channel: douyin, date: 2024-06-05, "
                                    "hour: 23, minutes: 61}]}\nbrand:", [
                                        "calendar.live.0.minutes = 61 minute — must end before midnight: at most 60"]),
    "two broadcasts at once": ("brand:", "calendar:\n  live:\n    - {name: x, channel: douyin, date: 2024-06-05}\n"
                               "    - {name: y, channel: douyin, date: 2024-06-05}\nbrand:", [
                                   "calendar.live.1 = douyin on 2024-06-05 — is a second broadcast"]),
}


def check(tmp_path: Path, text: str) -> tuple[str, str, Path]:
    here = tmp_path / "here.yaml"
    here.write_text(text)
    faults, warnings = check_file(here)
    return "\n".join(map(str, faults)), "\n".join(map(str, warnings)), here


def test_the_good_one_is_good(tmp_path: Path) -> None:
    said, _, _ = check(tmp_path, GOOD)
    assert said == ""


@pytest.mark.parametrize("name", CASES)
def test_a_bad_back_end_is_refused_with_place_and_cure(name: str, tmp_path: Path) -> None:
    old, new, expected = CASES[name]
    assert old in GOOD
    said, _, here = check(tmp_path, GOOD.replace(old, new, 1))
    for part in expected:
        assert part.format(here=here) in said, said


@pytest.mark.parametrize(("line", "expected"), [
    ("suppliers: {maker: {}}", "supply.suppliers = given — does nothing without supply.nodes"),
    ("routes: [{source: a, target: b}]", "supply.routes = given — does nothing without supply.nodes"),
    ("stock: virtual", "supply.stock = virtual — does nothing without supply.nodes"),
    ("pickup: {share: 0.1}", "supply.pickup = given — does nothing without supply.nodes")])
def test_what_needs_nodes_is_refused_without_them(line: str, expected: str, tmp_path: Path) -> None:
    said, _, _ = check(tmp_path, GOOD[:GOOD.index("supply:")] + "supply: {" + line + "}\n")
    assert expected in said, said


def test_scarce_stock_in_all_nodes_is_doubtful(tmp_path: Path) -> None:
    _, warned, _ = check(tmp_path, GOOD.replace("core: {level: 3000}", "core: {level: 1}"))
    assert "products.core = 151 units in all nodes — customers will want about" in warned


def test_switching_where_all_sell_from_the_same_places_is_doubtful(tmp_path: Path) -> None:
    _, warned, _ = check(tmp_path, GOOD.replace("kind: store", "ships: true"))
    assert "supply.shortage.switch = 0.3 — all channels sell from the same places" in warned
    assert "switch" not in check(tmp_path, GOOD)[1]
