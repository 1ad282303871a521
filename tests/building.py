"""Small scenarios for tests, built from plain dictionaries."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from omnisim.market.consumers import Consumers
from omnisim.plan import Plan
from omnisim.scenario.model import Scenario
from omnisim.simulation import Run, World


def channel(**fields: Any) -> dict[str, Any]:
    """A channel that does nothing until told to."""
    quiet = {"reach": 1.0, "cpm": 30.0, "cpc": 1.0, "click_share": 0.0, "persuasion": 0.0, "direct": 0.0,
             "search": 0.0, "revisit": 0.0, "intercept": -5.0, "order_value": 120.0, "registration": 0.3,
             "repeat_weight": 1.0}
    return quiet | fields


def scenario(**sections: Any) -> Scenario:
    """A scenario with one quiet channel, one article in unlimited stock, no warm-up, nobody replaced."""
    plain: dict[str, Any] = {
        "horizon": {"days": 60, "warm_up": 0},
        "population": {"size": 20_000, "renewal": 0.0},
        "channels": {"shop": channel()},
        "products": {"core": {"price": 60.0, "cost": 30.0, "share": 1.0}},
        "brand": {"new_customers": 0.0, "age": 0.0},
        "supply": {"unlimited": True},
    }
    return Scenario.model_validate(plain | sections)


def small_brand(**sections: Any) -> Scenario:
    """Four channels and everything switched on, at 30,000 consumers."""
    content = {"kind": "content", "role": "seeding", "search": 1e-3, "revisit": 0.35}
    plain: dict[str, Any] = {
        "horizon": {"days": 45, "warm_up": 45},
        "population": {"size": 30_000, "segments": [
            {"name": "18–35岁女性", "share": 0.4, "affinity": 1.5}, {"name": "others", "share": 0.6}]},
        "channels": {
            "xiaohongshu": channel(**content, checkout=False, reach=0.45, organic_impressions=600.0, persuasion=0.12,
                                   click_share=0.006),
            "douyin": channel(**content, reach=0.75, budget=36.0, persuasion=0.05, direct=8.3e-4, click_share=0.006,
                              return_rate=0.2, commission=0.05, repeat_weight=0.12),
            "taobao": channel(reach=0.85, budget=90.0, search_share=0.6, persuasion=0.04, direct=1.24e-3,
                              search=7.1e-3, revisit=0.29, order_value=150.0, return_rate=0.12, repeat_weight=0.43,
                              click_share=0.006),
            "community": channel(kind="private", budget=24.0, direct=2e-4, follow=0.01, revisit=0.31, intercept=-4.0,
                                 order_value=180.0, repeat_weight=0.45),
        },
        "products": {"core": {"price": 60.0, "cost": 30.0, "share": 0.7, "base_stock": 150},
                     "gift": {"price": 40.0, "cost": 15.0, "share": 0.3, "base_stock": 70}},
        "flows": [{"source": "douyin", "target": "taobao", "kind": "link", "rate": 0.05},
                  {"source": "xiaohongshu", "target": "taobao", "kind": "seed", "rate": 0.08},
                  {"source": "taobao", "target": "community", "kind": "code", "rate": 0.1}],
        "community": {"channel": "community", "seats": 75, "members": 60},
        "membership": {}, "referral": {},
        "service": {"capacity": 60},
        "brand": {"new_customers": 65.0},
        "supply": {"moq": 20},
    }
    return Scenario.model_validate(plain | sections)


def network(supply: dict[str, Any] | None = None, **sections: Any) -> Scenario:
    """The small brand with a back end in which everything is switched on: a central warehouse that a supplier feeds,
    and a store that it feeds; stock in common, oversold, waited for, picked up."""
    plain = small_brand().model_dump()
    nodes = {
        "central": {"channels": ["douyin", "taobao", "community"], "delivery_cost": 6.0, "expedite_below": 0.1,
                    "stock": {"core": {"level": 120, "opening": 150},
                              "gift": {"rule": "min_max", "reorder_point": 30, "level": 60}}},
        "shop": {"kind": "store", "channels": ["store"], "ships": True, "catchment": 1.0, "delivery_days": 1,
                 "review_days": 7, "storage_cost": 3.0, "stock": {"core": {"level": 40}, "gift": {"level": 20}}}}
    maker = {"lead_time": 6, "delays": [0.6, 0.3, 0.1], "moq": 20, "capacity": 200, "order_cost": 50.0, "duty": 0.1,
             "freight": 1.0, "expedite_days": 4, "expedite_cost": 4.0}
    built = {"nodes": nodes, "suppliers": {"maker": maker}, "stock": "virtual", "sync_delay": 240, "tracking": True,
             "routes": [{"source": "maker", "target": "central", "lead_time": 1},
                        {"source": "central", "target": "shop", "lead_time": 2, "cost": 1.0}],
             "shortage": {"wait": 0.3, "switch": 0.3, "substitute": 0.2, "patience": 2},
             "pickup": {"share": 0.1, "add_on": 0.3, "cost": 1.0}}
    return small_brand(**{
        "channels": plain["channels"] | {"store": channel(kind="store", direct=1e-4, order_value=120.0)},
        "products": {"core": {"price": 60.0, "cost": 30.0, "share": 0.7},
                     "gift": {"price": 40.0, "cost": 15.0, "share": 0.3, "shelf_life": 12}},
        "brand": {"new_customers": 65.0, "trust": {"lost": 0.3, "cancelled": 0.5, "late": 0.1}},
        "calendar": {"live": [{"name": "live", "channel": "douyin", "date": "2024-06-10", "factor": 8.0}]},
        "supply": built | (supply or {})} | sections)


def live(world: World, days: int, plan: Plan | None = None) -> World:
    """Let a world live on for some days, on one thread."""
    Run(world, plan or Plan(), None, None).advance(world.day + days)
    return world


def users(consumers: Consumers, k: int) -> np.ndarray:
    """Who uses channel k: bool (consumers,)."""
    return np.unpackbits(consumers.users[k].view(np.uint8), bitorder="little")[:consumers.people.size].astype(bool)


def within(successes: float, trials: float, share: float) -> bool:
    """Whether a count lies within four standard errors of a share of the trials."""
    return trials > 0 and abs(successes - trials * share) <= 4 * math.sqrt(trials * share * (1 - share)) + 1e-9
