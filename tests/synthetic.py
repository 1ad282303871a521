"""Books without a simulator: random visits and orders, counted as a run counts them."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np

from omnisim.books import COHORT, GROUPS, MEASURE, MEASURES, MOVES, ORDER_DTYPE, SEGMENT, STOCK, TOUCHES, Books
from omnisim.measure.windows import BLOCK, month_of
from omnisim.scenario.model import Scenario
from omnisim.vocabulary import STATE_NAMES, TRANSITIONS

LABELS = {"xiaohongshu": ("RedNote", "小红书"), "douyin": ("Douyin", "抖音内容"), "taobao": ("Taobao", "淘宝店铺"),
          "community": ("Community", "社群")}


def make_scenario(days: int = 60, warm_up: int = 100, size: int = 2_000, **sections: Any) -> Scenario:
    """Four channels, one of them without a budget, two articles, one campaign."""
    def channel(name: str, budget: float, order_value: float, **more: Any) -> dict[str, Any]:
        return {"label": LABELS[name][0], "label_zh": LABELS[name][1], "reach": 0.8, "budget": budget, "cpm": 30.0,
                "cpc": 1.0, "click_share": 0.006, "persuasion": 0.05, "direct": 0.001, "search": 0.001,
                "revisit": 0.3, "intercept": -5.0, "order_value": order_value, "registration": 0.3,
                "repeat_weight": 0.3, **more}

    content: dict[str, Any] = {
        "name": "brand",
        "horizon": {"start": datetime.date(2024, 6, 1), "days": days, "warm_up": warm_up},
        "population": {"size": size, "segments": ({"name": "18-35岁女性", "share": 0.5},
                                                   {"name": "others", "share": 0.5})},
        "channels": {"xiaohongshu": channel("xiaohongshu", 0.0, 100.0), "douyin": channel("douyin", 1200.0, 120.0),
                     "taobao": channel("taobao", 3000.0, 150.0), "community": channel("community", 800.0, 180.0)},
        "products": {"serum": {"price": 60.0, "cost": 20.0, "share": 0.5, "base_stock": 900},
                     "mask": {"price": 30.0, "cost": 10.0, "share": 0.5, "base_stock": 900}},
        "calendar": {"campaigns": ({"name": "618", "start": datetime.date(2024, 6, 1),
                                    "end": datetime.date(2024, 6, 18),
                                    "factor": {"douyin": 1.3, "taobao": 1.4}},)},
        "brand": {"new_customers": 100.0},
    }
    return Scenario.model_validate(content | sections)


def make_books(scenario: Scenario, seed: int = 1, visits_a_day: float = 120.0) -> Books:
    """Consistent books: orders come from visits, groups sum to the days, stages to the population."""
    luck = np.random.default_rng(seed)
    warm_up, days, size = scenario.horizon.warm_up, scenario.horizon.days, scenario.population.size
    total, channels = warm_up + days, len(scenario.channels)
    log = _visits(luck, total, channels, size, visits_a_day)
    tallies = np.zeros((total, GROUPS, channels, len(MEASURES)), np.int64)

    def count(name: str, rows: Any, what: Any = 1) -> None:
        place = (log["day"][rows], log["consumer"][rows] % GROUPS, log["channel"][rows], MEASURE[name])
        np.add.at(tallies, place, what)

    everything = np.ones(len(log["day"]), bool)
    count("visits", everything)
    count("impressions", everything, luck.poisson(20, len(everything)))
    count("new_users", everything, luck.random(len(everything)) < 0.1)
    # blocks count back from the last day, as the tables do
    block = (total - 1 - log["day"]) // BLOCK
    _, first_here = np.unique(np.stack([block, log["channel"], log["consumer"]])[:, ::-1], axis=1, return_index=True)
    unique = np.zeros(len(everything), bool)
    unique[len(everything) - 1 - first_here] = True
    count("unique_visitors", unique)

    buys = log["buys"]
    price = np.array([round(100 * product.price) for product in scenario.products.values()])
    cost = np.array([round(100 * product.cost) for product in scenario.products.values()])
    n = int(buys.sum())
    sku, quantity = luck.integers(0, len(price), n), luck.integers(1, 4, n)
    paid, goods = price[sku] * quantity, cost[sku] * quantity
    fees = np.stack([paid * 5 // 100, paid * 6 // 1000, np.full(n, 800)])
    back = luck.random(n) < 0.1
    consumer, day, channel = log["consumer"][buys], log["day"][buys], log["channel"][buys]
    born, is_first = _births(consumer, day, size)
    for name, what in (("orders", 1), ("gmv", paid), ("units", quantity), ("cost_of_goods", -goods),
                       ("commission", -fees[0]), ("payment_fee", -fees[1]), ("logistics", -fees[2]),
                       ("returned_lines", back), ("returns", -paid * back), ("service", -50),
                       ("new_customers", is_first),
                       ("repeat_orders", ~is_first), ("referred_orders", is_first & (luck.random(n) < 0.1)),
                       ("joins", luck.random(n) < 0.2), ("leaves", luck.random(n) < 0.05)):
        count(name, np.flatnonzero(buys), what)
    daily = tallies.sum(axis=1)
    budgets = np.array([round(100 * one.budget) for one in scenario.channels.values()])
    daily[:, :, MEASURE["budget"]] = budgets
    daily[:, :, MEASURE["media"]] = -(budgets * 9 // 10)
    daily[:, :, MEASURE["labour"]] = -np.where(budgets > 0, 10_000, 0)
    daily[:, :, MEASURE["fixed"]] = -333
    groups = tallies[warm_up:].sum(axis=0)
    whole = slice(total - BLOCK * (days // BLOCK), total)
    bought = dict(zip(np.flatnonzero(buys).tolist(), paid.tolist(), strict=True))
    paths, path_counts = _paths(log, warm_up, bought)
    reported = day >= warm_up
    lines = np.zeros(int(reported.sum()), ORDER_DTYPE)
    for name, what in (("order_id", np.arange(n)), ("consumer", consumer), ("day", day - warm_up),
                       ("minute", luck.integers(0, 1440, n)), ("channel", channel), ("origin", luck.integers(0, 11, n)),
                       ("sku", sku), ("quantity", quantity), ("price", price[sku]),
                       ("margin", paid - goods - fees.sum(axis=0)), ("delivered", day - warm_up + 3),
                       ("returned", np.where(back, day - warm_up + 6, -1)), ("weight", np.ones(n)),
                       ("number", np.where(is_first, 1, 2))):
        lines[name] = what[reported]
    lines["delivered"][lines["delivered"] >= days] = -1
    first_month, buyers, cohorts = _cohorts(scenario, warm_up, day, consumer, born, paid)
    return Books(
        warm_up=warm_up, days=days, daily=daily, groups=groups,
        group_unique=tallies[whole, :, :, MEASURE["unique_visitors"]].sum(axis=0),
        stages=_stages(total, size), transitions=luck.poisson(30, (total, len(TRANSITIONS))).astype(np.int64),
        flows=_flows(channels), paths=paths, path_counts=path_counts, cohort_first=first_month, buyers=buyers,
        cohorts=cohorts, second=_second(consumer, day - warm_up),
        stock=_stock(luck, total, len(price), day, sku, quantity),
        moves=luck.integers(0, 9, (total, 1, len(price), len(MOVES))),
        segments=_segments(scenario, log, warm_up, buys, paid, is_first), orders=lines,
        decisions=[{"day": k, "policy": "inertia", "saw": {"profit": 1.5 * k}, "changed": {}}
                   for k in range(0, days, 7)],
    )


def _visits(luck: Any, total: int, channels: int, size: int, visits_a_day: float) -> dict[str, Any]:
    """Distinct (day, channel, consumer), by day; a few consumers make most visits."""
    n = int(total * visits_a_day)
    weight = luck.gamma(0.3, size=size) + 1e-3
    place = np.unique(luck.integers(0, total, n) * channels * size
                      + luck.choice(channels, n, p=np.arange(1, channels + 1) / (channels * (channels + 1) / 2)) * size
                      + luck.choice(size, n, p=weight / weight.sum()))
    found = {"day": place // (channels * size), "channel": place // size % channels, "consumer": place % size}
    return found | {"buys": luck.random(len(place)) < 0.004 + 0.01 * found["channel"]}


def _births(consumer: Any, day: Any, size: int) -> tuple[Any, Any]:
    """Day of each consumer's first order, and which orders are first."""
    born = np.full(size, -1)
    _, first = np.unique(consumer, return_index=True)
    born[consumer[first]] = day[first]
    is_first = np.zeros(len(day), bool)
    is_first[first] = True
    return born, is_first


def _paths(log: Any, warm_up: int, paid: dict[int, int]) -> tuple[Any, Any]:
    """Touches since the last order of each consumer, ended by an order or by the end of the run."""
    found: dict[int, list[int]] = {}
    open_paths: dict[int, int] = {}
    for row in np.flatnonzero(log["day"] >= warm_up).tolist():
        consumer, touch = int(log["consumer"][row]), int(log["channel"][row]) + 1
        path = open_paths.get(consumer, 0)
        if path & 31 != touch:
            first = path >> 5 * (TOUCHES - 1)
            path = (path << 5 | touch) & (1 << 5 * TOUCHES) - 1
            path = path & (1 << 5 * (TOUCHES - 1)) - 1 | first << 5 * (TOUCHES - 1) if first else path
        open_paths[consumer] = path
        if row in paid:
            counts = found.setdefault(open_paths.pop(consumer), [0, 0, 0])
            counts[0], counts[1], counts[2] = counts[0] + 1, counts[1] + 1, counts[2] + paid[row]
    for path in open_paths.values():
        found.setdefault(path, [0, 0, 0])[0] += 1
    return np.array(list(found), np.uint32), np.array(list(found.values()), np.int64).reshape(-1, 3)


def _cohorts(scenario: Scenario, warm_up: int, day: Any, consumer: Any, born: Any, paid: Any) -> tuple[int, Any, Any]:
    """Orders of the reported days by month of first order, and all customers."""
    months = month_of(scenario, 0, warm_up + scenario.horizon.days)
    size = int(months[-1] - months[0]) + 1
    table = np.zeros((size, size, len(COHORT)), np.int64)
    shown = day >= warm_up
    now, row = months[day[shown]] - months[0], months[born[consumer[shown]]] - months[0]
    np.add.at(table, (row, now - row, 1), 1)
    np.add.at(table, (row, now - row, 2), paid[shown])
    month, who = np.unique(np.stack([now, consumer[shown]]), axis=1)
    start = months[born[who]] - months[0]
    np.add.at(table, (start, month - start, 0), 1)
    return int(months[0]), np.bincount(months[born[born >= 0]] - months[0], minlength=size), table


def _second(consumer: Any, day: Any) -> Any:
    rows: dict[tuple[int, int], int] = {}
    orders: dict[int, list[int]] = {}
    for who, when in zip(consumer.tolist(), day.tolist(), strict=True):
        orders.setdefault(who, []).append(when)
    for times in orders.values():
        key = (times[0], times[1] - times[0] if len(times) > 1 else -1)
        rows[key] = rows.get(key, 0) + 1
    return np.array([(*key, count) for key, count in sorted(rows.items())], np.int64).reshape(-1, 3)


def _stages(total: int, size: int) -> Any:
    """From nearly all unaware to a market that knows the brand."""
    late = np.array([45, 14, 11, 4, 1, 2, .6, .8, 5, .4, 4, 3, 4, .6, 3, 1.6])
    early = np.array([80, 9, 4, 2, .3, .6, .2, .3, 1, .1, .7, .3, .6, .1, .5, .3])
    way = np.linspace(0, 1, total)[:, None]
    share = early / early.sum() * (1 - way) + late / late.sum() * way
    people = np.floor(size * share).astype(np.int64)
    people[:, 0] += size - people.sum(axis=1)
    assert people.shape[1] == len(STATE_NAMES)
    return people


def _flows(channels: int) -> Any:
    led = np.zeros((channels, channels, 2), np.int64)
    if channels >= 4:
        led[0, 2], led[1, 2], led[1, 0], led[3, 2] = (5_200, 190), (30_400, 1_020), (900, 4), (120, 30)
    return led


def _stock(luck: Any, total: int, skus: int, day: Any, sku: Any, quantity: Any) -> Any:
    stock = np.zeros((total, 1, skus, len(STOCK)), np.int64)
    np.add.at(stock, (day, 0, sku, STOCK.index("demand")), quantity)
    stock[..., STOCK.index("filled")] = stock[..., STOCK.index("demand")]
    stock[..., STOCK.index("on_hand")] = luck.integers(600, 900, (total, 1, skus))
    return stock


def _segments(scenario: Scenario, log: Any, warm_up: int, buys: Any, paid: Any, is_first: Any) -> Any:
    size, parts = scenario.population.size, len(scenario.population.segments)
    table = np.zeros((parts, len(SEGMENT)), np.int64)
    table[:, 0] = np.bincount(np.arange(size) % parts)
    shown = log["day"] >= warm_up
    np.add.at(table, (log["consumer"][shown] % parts, 1), 1)
    bought = shown[buys]
    who = log["consumer"][buys][bought] % parts
    np.add.at(table, (who, 2), 1)
    np.add.at(table, (who, 3), paid[bought])
    np.add.at(table, (who, 4), is_first[bought])
    return table
