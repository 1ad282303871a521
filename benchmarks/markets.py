"""The markets that policies are compared in: the shipped brand, and five that differ from it in one respect.

All are told by 100,000 consumers. In the brand's own, ads hardly pay; in the others an impression brings more clicks,
so that it matters where the money goes, and all of it must be spent.
"""

from __future__ import annotations

import datetime
from typing import NamedTuple

import omnisim as om

SIZE = 100_000
DAYS = 365


class Market(NamedTuple):
    """A market, and what planners believe of it on the first day where that is not the truth."""

    scenario: om.Scenario
    belief: om.Scenario | None
    meaning: str


def markets(days: int = DAYS) -> dict[str, Market]:
    """All of them, by name, over so many days."""
    brand = om.load("scenarios/brand.yaml")
    many = brand.population.size // SIZE
    told = {"population.size": SIZE, "population.scale": many, "supply.unlimited": True, "horizon.days": days}
    brand = brand.with_(told)
    paid = ("xiaohongshu", "douyin", "taobao")
    works = brand.with_({f"channels.{name}.click_share": 0.06 for name in paid} | {"limits.spend_all": True})
    concave = works.with_({"name": "concave", "channels.xiaohongshu.reach": 0.02, "channels.douyin.reach": 0.03,
                           "channels.taobao.reach": 0.12})
    shaped = works.with_({"name": "s_shaped", "brand.interest.slope": 14.0, "brand.interest.half_life_long": 60.0,
                          "population.affinity_shape": 20.0,
                          **{f"population.segments.{k}.affinity": 1.0 for k in range(len(works.population.segments))},
                          **{f"channels.{name}.persuasion": 0.06 for name in paid},
                          **{f"channels.{name}.click_share": 0.01 for name in paid},
                          **{f"channels.{name}.intercept": works.channels[name].intercept - 3.0
                             for name in ("douyin", "taobao")}})
    seeding = works.with_({"name": "seeding", "channels.xiaohongshu.persuasion": 0.3, "channels.taobao.search": 0.06,
                           "channels.xiaohongshu.cpm": 15.0, "brand.interest.slope": 4.0,
                           "channels.taobao.click_share": 0.01})
    drifting = works.with_({"name": "drifting", "calendar.campaigns": [
        *(campaign.model_dump(mode="json") for campaign in works.calendar.campaigns), *drift(works, "douyin", 0.2),
        *drift(works, "taobao", 1.5)]})
    swinging = works.with_({"name": "swinging", "calendar.campaigns": [
        *(campaign.model_dump(mode="json") for campaign in works.calendar.campaigns), *swing(works, "douyin", 0),
        *swing(works, "taobao", 1)]})
    shock = works.with_({"name": "shock", "calendar.campaigns": [
        *(campaign.model_dump(mode="json") for campaign in works.calendar.campaigns), *fall(works, "douyin", 40, 0.2)]})
    stock = works.with_({"name": "stock", "population.scale": 1, "supply.unlimited": False, "supply.lead_time": 14,
                         **scaled(works, 1.0 / many),
                         **{f"products.{sku}.base_stock": int(1.05 * product.base_stock / many)
                            for sku, product in works.products.items()}})
    return {
        "brand": Market(brand, None, "the shipped brand: ads bring little, and money may stay unspent"),
        "concave": Market(concave, None, "small audiences: the second impression of a day is lost"),
        "s_shaped": Market(shaped, None, "few buy before they know the brand well: a little seeding brings nothing"),
        "seeding": Market(seeding, None, "小红书 makes people search, and 淘宝 gets the order"),
        "drifting": Market(drifting, works, "抖音 fades to a fifth over the year and 淘宝 grows by half; planners do "
                           "not know beforehand"),
        "swinging": Market(swinging, works, "抖音 and 淘宝 change places every 120 days: one draws half as many "
                           "again, the other a quarter; planners do not know beforehand"),
        "shock": Market(shock, works, "overnight, after 40 days, 抖音 draws a fifth of what it did, for good; planners "
                        "do not know beforehand"),
        "stock": Market(stock, None, "what sells is soon sold out"),
    }


def drift(scenario: om.Scenario, channel: str, last: float) -> list[dict[str, object]]:
    """A factor on one channel that goes from 1 to `last` in twelve steps of a month."""
    start, steps = scenario.horizon.start, 12
    length = scenario.horizon.days // steps
    return [{"name": f"{channel} {k}", "start": (start + datetime.timedelta(days=k * length)).isoformat(),
             "end": (start + datetime.timedelta(days=(k + 1) * length - 1 if k < steps else 3650)).isoformat(),
             "factor": {channel: last ** (k / steps)}} for k in range(1, steps + 1)]


def fall(scenario: om.Scenario, channel: str, day: int, factor: float) -> list[dict[str, object]]:
    """A factor on one channel from a day on."""
    start = scenario.horizon.start + datetime.timedelta(days=day)
    return [{"name": f"{channel} falls", "start": start.isoformat(),
             "end": (start + datetime.timedelta(days=3650)).isoformat(), "factor": {channel: factor}}]


def swing(scenario: om.Scenario, channel: str, turn: int) -> list[dict[str, object]]:
    """A factor on one channel that is 1.5 in one block of 120 days and 0.25 in the next; `turn` 1 begins low."""
    start, length = scenario.horizon.start, datetime.timedelta(days=120)
    return [{"name": f"{channel} {k}", "start": (start + k * length).isoformat(),
             "end": (start + (k + 1) * length - datetime.timedelta(days=1)).isoformat(),
             "factor": {channel: (1.5, 0.25)[(k + turn) % 2]}} for k in range(scenario.horizon.days // 120 + 1)]


def scaled(scenario: om.Scenario, factor: float) -> dict[str, object]:
    """The same market with fewer people: money, free impressions, seats and past customers in proportion."""
    found: dict[str, object] = {"brand.new_customers": scenario.brand.new_customers * factor,
                                "supply.moq": max(1, round(scenario.supply.moq * factor))}
    for name, channel in scenario.channels.items():
        found[f"channels.{name}.budget"] = channel.budget * factor
        found[f"channels.{name}.organic_impressions"] = channel.organic_impressions * factor
    if scenario.community is not None:
        found["community.seats"] = round(scenario.community.seats * factor)
        found["community.members"] = round(scenario.community.members * factor)
    return found
