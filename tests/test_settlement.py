"""Who gets what: the settlement against a slow one that is written otherwise, and what it may never do."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from omnisim.books import CANCELLED, CLAIM, FILLED, LOST, MOVES, STOCK, VERDICT, WAITS
from omnisim.supply.layout import Desk
from omnisim.supply.settlement import serve_waiting, settle

MOST = 2**32


def word(u: float) -> int:
    """The 32-bit word that stands for a number in (0, 1)."""
    return min(MOST - 1, int(u * MOST))


def make_desk(sources: list[list[list[int]]], places: int, *, mix: Any = None, weight: Any = None,
              shares: Any = (0, 0, 0), delay: int = 0, collects: Any = None, store: tuple[int, int] | None = None,
              add_on: float = 0.0) -> Desk:
    """A desk: sources[channel][article] lists places in order."""
    channels, skus = len(sources), len(sources[0])
    table = np.full((channels, skus, places), -1, np.int64)
    for k, row in enumerate(sources):
        for p, found in enumerate(row):
            table[k, p, :len(found)] = found
    stores = [store] if store else []
    return Desk(
        table, np.ones((channels, skus)) if mix is None else np.array(mix, float),
        np.ones(channels) if weight is None else np.array(weight, float), np.array(shares, float),
        np.array([delay], np.int64), np.zeros(channels) if collects is None else np.array(collects, float),
        np.array([place for place, _ in stores], np.int64), np.array([owner for _, owner in stores], np.int64),
        np.ones(len(stores)), np.array([add_on]), np.ones(1, np.int64))


def run(desk: Desk, on_hand: Any, rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Settle claims given as dictionaries; luck is 0.999 where none is given."""
    stock = np.array(on_hand, np.int64)
    claims = np.zeros(len(rows), CLAIM)
    for n, row in enumerate(rows):
        luck = {"react": word(0.999), "choose": 0, "collect": word(0.999), "uses": 0xFFFFFFFF, "units": 1}
        for name, value in (luck | row).items():
            claims[n][name] = value
    verdicts, extras = np.zeros(len(rows), VERDICT), np.zeros((len(rows), 3), np.int64)
    tallies = np.zeros((*stock.shape, len(STOCK)), np.int64)
    moves = np.zeros((*stock.shape, len(MOVES)), np.int64)
    n = settle(desk, stock, claims, verdicts, extras, tallies, moves)
    named = {name: tallies[..., k] for k, name in enumerate(STOCK)}
    named |= {name: moves[..., k] for k, name in enumerate(MOVES)}
    return {"left": stock, "fate": verdicts["fate"].tolist(), "way": verdicts["way"].tolist(),
            "channel": verdicts["channel"].tolist(), "sku": verdicts["sku"].tolist(), "extras": extras[:n].tolist(),
            **named}


def test_an_order_goes_to_the_first_place_that_has_it_all() -> None:
    found = run(make_desk([[[1, 0]]], 2), [[5], [3]], [{"units": 2}, {"units": 2}, {"units": 4}, {"units": 1}])
    assert found["fate"] == [FILLED, FILLED, LOST, FILLED] and found["way"] == [1, 0, 1, 1]
    assert found["left"].tolist() == [[3], [0]] and found["lost"].tolist() == [[0], [4]]


def test_siloed_stock_is_not_sold_by_others() -> None:
    found = run(make_desk([[[0]], [[1]]], 2), [[1], [9]], [{"units": 1}, {"units": 1}, {"units": 1, "channel": 1}])
    assert found["fate"] == [FILLED, LOST, FILLED]


def test_a_channel_that_cannot_know_better_oversells() -> None:
    """Channel 1 sells the last unit at 600; until 660 channel 0 does not know, its own sales it knows at once."""
    rows = [{"channel": 1, "minute": 600}, {"channel": 0, "minute": 659}, {"channel": 0, "minute": 660},
            {"channel": 1, "minute": 601}]
    both = [[[0]], [[0]]]
    late = run(make_desk(both, 1, delay=60), [[1]], sorted(rows, key=lambda row: row["minute"]))
    assert late["fate"] == [FILLED, LOST, CANCELLED, LOST] and late["oversold"].sum() == 1
    prompt = run(make_desk(both, 1, delay=0), [[1]], sorted(rows, key=lambda row: row["minute"]))
    assert prompt["fate"] == [FILLED, LOST, LOST, LOST] and prompt["oversold"].sum() == 0


def test_a_short_order_waits_switches_or_substitutes_by_its_luck() -> None:
    desk = make_desk([[[0], [0]], [[1], [1]]], 2, shares=(0.25, 0.25, 0.25))
    rows = [{"react": word(u)} for u in (0.1, 0.4, 0.6, 0.9)]
    found = run(desk, [[0, 1], [1, 1]], rows)
    assert found["fate"] == [WAITS, FILLED, FILLED, LOST]
    assert found["channel"] == [0, 1, 0, 0] and found["sku"] == [0, 0, 1, 0]
    assert found["demand"].tolist() == [[4, 1], [1, 0]]  # what was asked for counts where it was asked for first
    assert found["lost"].tolist() == [[3, 0], [0, 0]] and found["backordered"].tolist() == [[1, 0], [0, 0]]
    assert found["switched"].sum() == found["substituted"].sum() == 1


def test_nobody_switches_to_a_channel_that_they_do_not_use_or_that_does_not_sell_it() -> None:
    sources = [[[0]], [[1]], [[1]]]
    rows = [{"uses": 0b011}, {"uses": 0b001}, {"uses": 0b100}]
    found = run(make_desk(sources, 2, shares=(0, 1, 0), mix=[[1], [1], [0]]), [[0], [5]], rows)
    assert found["fate"] == [FILLED, LOST, LOST] and found["channel"][0] == 1


def test_who_picks_up_goes_to_the_store_and_may_buy_more() -> None:
    desk = make_desk([[[0]], [[1]]], 2, collects=(0.5, 0.0), store=(1, 1), add_on=0.4)
    rows = [{"collect": word(u)} for u in (0.1, 0.3, 0.6)] + [{"channel": 1, "collect": word(0.1)}]
    found = run(desk, [[9], [9]], rows)
    assert found["way"] == [3, 3, 0, 1]  # pickup at place 1 is way 2 + 1
    assert found["extras"] == [[0, 1, 0]] and found["added"].tolist() == [[0], [1]]
    assert found["left"].tolist() == [[8], [5]] and found["picked_up"].sum() == 2
    # a store that has run out leaves the order to the parcel
    assert run(desk, [[9], [0]], rows[:1])["way"] == [0]


@st.composite
def days(draw: Any) -> tuple[Desk, Any, list[dict[str, Any]]]:
    """A desk, stock, and the orders of a day."""
    places, channels, skus = (draw(st.integers(1, 3)) for _ in range(3))
    order = st.permutations(range(places))
    sources = [[draw(order)[:draw(st.integers(1, places))] for _ in range(skus)] for _ in range(channels)]
    third = st.sampled_from([0.0, 1 / 3])
    desk = make_desk(sources, places, shares=[draw(third) for _ in range(3)],
                     delay=draw(st.sampled_from([0, 90, 1440])), collects=[0.0] + [0.5] * (channels - 1),
                     store=(places - 1, 0), add_on=0.5, mix=[[1.0] * skus] * channels,
                     weight=[1.0 + k for k in range(channels)])
    on_hand = [[draw(st.integers(0, 6)) for _ in range(skus)] for _ in range(places)]
    luck = st.floats(0.001, 0.999)
    rows = [{"channel": draw(st.integers(0, channels - 1)), "sku": draw(st.integers(0, skus - 1)),
             "units": draw(st.integers(1, 3)), "minute": draw(st.integers(0, 1439)), "uses": draw(st.integers(0, 7)),
             "react": word(draw(luck)), "choose": word(draw(luck)), "collect": word(draw(luck))}
            for _ in range(draw(st.integers(0, 25)))]
    return desk, on_hand, sorted(rows, key=lambda row: row["minute"])


def slowly(desk: Desk, on_hand: Any, rows: list[dict[str, Any]],
           ) -> tuple[list[tuple[int, int, int]], list[list[int]], int]:
    """The same decisions by plain rules: what a channel sees is worked out anew for each order from all sales."""
    have = {(n, p): units for n, row in enumerate(on_hand) for p, units in enumerate(row)}
    start, sales, made, extras = dict(have), [], [], 0

    def places(k: int, p: int) -> list[int]:
        return [n for n in desk.sources[k, p].tolist() if n >= 0]

    def pick(weights: list[float], u: float) -> int:
        left, chosen = u * sum(weights), -1
        for n, weight in enumerate(weights):
            if weight > 0:
                chosen = n
                left -= weight
                if left < 0:
                    break
        return chosen

    def sell(n: int, p: int, units: int, k: int, minute: int) -> None:
        have[n, p] -= units
        sales.append((minute, k, n, p, units))

    skus = len(on_hand[0])
    for row in rows:
        k, p, q, minute = row["channel"], row["sku"], row["units"], row["minute"]
        react, choose, collect = ((row[name] + 0.5) / MOST for name in ("react", "choose", "collect"))
        store = int(desk.stores[0])
        is_collected = collect < desk.collects[k] and have[store, p] >= q
        options = [store] if is_collected else [n for n in places(k, p) if have[n, p] >= q]
        delay = int(desk.delay[0])
        seen: dict[tuple[int, int], int] = defaultdict(int, start)
        for when, who, n, s, units in sales:
            if who == k or when <= minute - delay:
                seen[n, s] -= units
        if not options and delay and any(seen[n, p] >= q for n in places(k, p)):
            made.append((CANCELLED, k, p))
            continue
        if not options:
            wait, switch, substitute = desk.shares.tolist()
            if react < wait:
                made.append((WAITS, k, p))
                continue
            if react < wait + switch:
                other = pick([desk.weight[j] if j != k and row["uses"] >> j & 1 else 0.0
                              for j in range(desk.weight.size)], choose)
                options = [n for n in places(other, p) if have[n, p] >= q] if other >= 0 else []
                k = other if options else k
            elif react < wait + switch + substitute:
                other = pick([float(s != p) for s in range(skus)], choose)
                options = [n for n in places(k, other) if have[n, other] >= q] if other >= 0 else []
                p = other if options else p
        if not options:
            made.append((LOST, k, p))
            continue
        sell(options[0], p, q, k, minute)
        made.append((FILLED, k, p))
        if is_collected and collect < desk.collects[k] * desk.add_on[0]:
            more = pick([1.0] * skus, choose)
            if have[store, more] >= 1:
                sell(store, more, 1, int(desk.owner[0]), minute)
                extras += 1
    return made, [[have[n, p] for p in range(skus)] for n in range(len(on_hand))], extras


@settings(max_examples=300)
@given(days())
def test_it_decides_as_plain_rules_do_and_conserves_units(day: tuple[Desk, Any, list[dict[str, Any]]]) -> None:
    desk, on_hand, rows = day
    found = run(desk, on_hand, rows)
    made, left, extras = slowly(desk, on_hand, rows)
    assert list(zip(found["fate"], found["channel"], found["sku"], strict=True)) == made
    assert found["left"].tolist() == left and len(found["extras"]) == extras
    assert (found["demand"] == found["filled"] + found["lost"] + found["backordered"]).all()
    assert (found["left"] == np.array(on_hand).reshape(found["left"].shape) - found["filled"]).all()
    assert (found["left"] >= 0).all() and (found["oversold"] <= found["lost"]).all()
    if desk.delay[0] == 0:
        assert not found["oversold"].any()


@st.composite
def baskets(draw: Any) -> tuple[Desk, Any, list[dict[str, Any]]]:
    """A desk with three articles, stock, and orders of up to three lines, each of another article."""
    places = draw(st.integers(1, 3))
    order = st.permutations(range(places))
    desk = make_desk([[list(draw(order))] * 3 for _ in range(2)], places,
                     shares=[draw(st.sampled_from([0.0, 1 / 3])) for _ in range(3)],
                     collects=[0.0, draw(st.sampled_from([0.0, 0.5]))], store=(places - 1, 0), add_on=0.5)
    on_hand = [[draw(st.integers(0, 8)) for _ in range(3)] for _ in range(places)]
    luck, rows = st.floats(0.001, 0.999), []
    for _ in range(draw(st.integers(0, 12))):
        articles = draw(st.permutations(range(3)))[:draw(st.integers(1, 3))]
        common = {"channel": draw(st.integers(0, 1)), "collect": word(draw(luck)), "uses": 3}
        rows += [common | {"sku": sku, "units": draw(st.integers(1, 3)), "react": word(draw(luck)),
                           "choose": word(draw(luck)), "line": n, "more": len(articles) - 1 - n}
                 for n, sku in enumerate(articles)]
    return desk, on_hand, rows


@settings(max_examples=200, deadline=None)
@given(baskets())
def test_an_order_comes_whole_where_a_place_has_it_and_else_by_the_line(day: Any) -> None:
    """Replayed order by order: the store, or the first place with all of it; if none, each line as if it came alone."""
    desk, on_hand, rows = day
    found, places = run(desk, on_hand, rows), len(on_hand)
    left = np.array(on_hand)
    extras = {claim: sku for claim, _, sku in found["extras"]}
    begin = 0
    while begin < len(rows):
        lines = range(begin, begin + 1 + rows[begin]["more"])
        k, collects = rows[begin]["channel"], rows[begin]["collect"] < word(desk.collects[rows[begin]["channel"]])
        asked = {rows[n]["sku"]: rows[n]["units"] for n in lines}
        whole = [n for n in range(places) if all(left[n, sku] >= units for sku, units in asked.items())]
        served = [n for n in desk.sources[k, 0].tolist() if n in whole]
        if collects and places - 1 in whole:
            assert {found["way"][n] for n in lines} == {places + places - 1}
        elif served:
            assert {found["way"][n] for n in lines} == {served[0]}
        for n in lines:
            if found["fate"][n] == FILLED:
                left[found["way"][n] % places, found["sku"][n]] -= rows[n]["units"]
            else:
                assert not (left[:, rows[n]["sku"]] >= rows[n]["units"]).any()  # every place serves both channels
            assert len(lines) == 1 or found["channel"][n] == k  # a line of several stays with its order
        if lines[-1] in extras:
            left[places - 1, extras[lines[-1]]] -= 1
        begin += len(lines)
    assert (found["left"] == left).all() and (left >= 0).all()
    assert (found["demand"] == found["filled"] + found["lost"] + found["backordered"]).all()


def test_who_waits_is_served_in_order_and_whole() -> None:
    desk = make_desk([[[1, 0]]], 2)
    stock = np.array([[2], [3]], np.int64)
    places = np.empty(4, np.int64)
    nothing = np.zeros(4, np.int64)
    serve_waiting(desk.sources, stock, nothing, nothing, np.array([2, 2, 3, 1]), places)
    assert places.tolist() == [1, 0, -1, 1] and stock.tolist() == [[0], [0]]
