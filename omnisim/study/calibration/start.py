"""A scenario built from a channel status table alone: the table's channels, the catalogue for everything else.

What is chosen here and not read in the table is an assumption; the fit lists it with its range.
"""

from __future__ import annotations

import datetime
import math
from dataclasses import replace
from typing import Any

from omnisim.scenario import catalogue
from omnisim.scenario.fields import LONGEST_HORIZON
from omnisim.scenario.load import from_mapping
from omnisim.scenario.model import Scenario
from omnisim.study.calibration.brand_tables import BrandTables, ChannelStatus
from omnisim.study.calibration.targets import VISITS_PER_VISITOR, Target, figure, set_target

MARKET = 6.7
"""People in the market by monthly visitor, over all channels (assumed)."""
FEWEST, MOST = 100_000, 2_000_000
"""Consumers that are simulated; in a market of more people each stands for several."""
FIRST_SHARE = 0.4
"""First orders among all orders (assumed)."""
FIRST_BY_VISITS = 0.42
"""First orders by visit, relative to orders by visit (as the catalogue's intercepts)."""
STOCK_DAYS = 30
"""Days of demand that the base stock covers: ample, so that stock does not hide demand."""
FLOWS = (
    ("xiaohongshu", "taobao", "seed", "flow_xiaohongshu_taobao"),
    ("douyin", "taobao", "link", "flow_douyin_live_taobao"),
    ("douyin_live", "taobao", "link", "flow_douyin_live_taobao"),
    ("taobao", "community", "code", "flow_taobao_community"),
    ("community", "mini_program", "link", "flow_community_mini_program"),
    ("offline_store", "membership", "enrol", "flow_offline_store_membership"),
    ("taobao", "offline_store", "link", "flow_taobao_offline_store"),
)
"""Source, target, kind and rate (a name of the catalogue) of the flows that are known."""
MOST_LED = 0.4
"""Share of a channel's visitors that a link may lead there: a rate that would bring more is lowered."""
MOST_CLICKS = 0.3
"""Share of a channel's visitors that unpaid impressions may bring; more of them are cut."""
REPEATS = {"content": 0.65, "live": 0.65, "marketplace": 0.85, "crossborder": 0.85, "private": 1.55}
"""Repeat weight by share of orders; 1 for other kinds."""
START = datetime.date(2024, 6, 1)
"""First reported day where no daily table says another."""
YEAR = 365
"""Reported days, where the daily table has no more."""
GROUPS = ("community", "wecom")
"""Presets that private groups live on, the likeliest first."""


def build(brand: BrandTables) -> Scenario:
    """The scenario from which the fit starts where no file is given."""
    rows = {row.channel: row for row in brand.status}
    targets = {name: visited(set_target(row, name), brand) for name, row in rows.items()}
    sellers = [target for target in targets.values() if target.sells]
    people = round_to(MARKET * sum(row.monthly_uv for row in rows.values()), 2)
    scale = max(1, math.ceil(people / MOST))
    size = max(FEWEST, math.ceil(people / scale))
    orders = sum(target.orders for target in sellers)
    price = round_to(0.5 * min((target.order_value for target in sellers), default=100.0), 2, down=True)
    units = sum(target.gmv for target in sellers) / price / 30
    costs = {name: [day.cost for day in brand.daily if day.channel == name] for name in rows}
    content: dict[str, Any] = {
        "name": "fitted to the channel status table",
        "language": "en",
        "horizon": horizon([day.date for day in brand.daily]),
        "population": {"size": size, "scale": scale},
        "channels": {name: channel(row, targets[name], orders, costs[name], size * scale)
                     for name, row in rows.items()},
        "flows": flows(rows),
        "products": {"core": {"label": "average article", "price": price,
                              "cost": round(price * (1 - figure(None, "gross_margin", 0.5)), 2), "share": 1.0,
                              "base_stock": int(round_to(max(10.0, STOCK_DAYS * units), 2))}},
        "membership": {},
        "referral": {},
        "brand": {"new_customers": round_to(max(1.0, FIRST_SHARE * orders), 4)},
        "supply": {"unlimited": scale > 1},
    }
    home = next((name for name in GROUPS if name in rows), None)
    if home:
        content["community"] = {"channel": home} | groups(targets, home, content["flows"])
    return from_mapping(content)


def horizon(dates: list[datetime.date]) -> dict[str, Any]:
    """A year, or as many days more as the daily table has, from its first one on."""
    first = min(dates, default=START)
    span = (max(dates, default=first) - first).days + 1
    return {"start": first.isoformat(), "days": min(max(YEAR, span), LONGEST_HORIZON)}


def visited(target: Target, brand: BrandTables) -> Target:
    """The target with the visits per visitor of the daily table; a campaign is taken out by its orders.

    Notes
    -----
    visits / orders of the days × orders / visitors of the month: a factor on both falls out.
    """
    days = [day for day in brand.daily if day.channel == target.channel]
    visits, orders = sum(day.visits for day in days), sum(day.orders for day in days)
    if not visits or (target.sells and not orders):
        return target
    rate = visits / orders * target.orders / target.uv if target.sells else visits / len(days) * 30 / target.uv
    return replace(target, visits_per_visitor=max(1.0, rate))


def channel(row: ChannelStatus, target: Target, orders: float, costs: list[float], people: int) -> dict[str, Any]:
    """One channel: its preset, with levels that suit the table's figures; the fit corrects them."""
    preset = catalogue.channel_fields(row.channel)
    visits = target.visits_per_visitor * row.monthly_uv / 30
    budget = sum(costs) / len(costs) if costs else figure(row.channel, "cost_per_visit", 0.25) * visits
    found: dict[str, Any] = {"preset": row.channel, "budget": round(budget, 2), "checkout": target.sells}
    if row.label and len(row.label) <= 64 and row.label.isprintable() and row.label != row.channel:
        found["label" if row.label.isascii() else "label_zh"] = row.label
    usual = figure(row.channel, "visits_per_uv", VISITS_PER_VISITOR)
    organic, clicks = float(str(preset["organic_impressions"])), float(str(preset["click_share"]))
    if organic * clicks * 30 > MOST_CLICKS * row.monthly_uv:
        found["organic_impressions"] = round_to(MOST_CLICKS * row.monthly_uv / 30 / clicks, 2)
    crowd = row.monthly_uv / people
    reach = float(str(preset["reach"]))
    if crowd > 0.5 * reach:  # more visitors than the users of such a platform would give
        found["reach"] = min(1.0, round_to(2 * crowd, 2))
    # one visit in ten is unprompted, the others are paid, led here or return visits
    level = 0.1 * crowd * usual / 30 / float(found.get("reach", reach)) / float(str(preset["direct"]))
    found |= {name: round_to(level * float(str(preset[name])), 3) for name in ("direct", "follow", "search")}
    if target.sells:
        chance = min(0.5, FIRST_BY_VISITS * target.orders / (row.monthly_uv * target.visits_per_visitor))
        found |= {
            "order_value": round(target.order_value, 2),
            "intercept": round(math.log(chance / (1 - chance)), 2),
            "repeat_weight": round_to(REPEATS.get(str(preset["kind"]), 1.0) * target.orders / orders, 3),
        }
    return found


def flows(rows: dict[str, ChannelStatus]) -> list[dict[str, Any]]:
    """The known flows between the table's channels."""
    found = []
    for source, target, kind, name in FLOWS:
        if source not in rows or (target not in rows and target != "membership"):
            continue
        if kind in ("code", "enrol") and rows[source].cvr == 0:
            continue
        rate = figure(None, name, 0.05)
        if kind == "link":
            rate = min(rate, round_to(MOST_LED * rows[target].monthly_uv / rows[source].monthly_uv, 2))
        found.append({"source": source, "target": target, "kind": kind, "rate": rate})
    return found


def groups(targets: dict[str, Target], home: str, links: list[dict[str, Any]]) -> dict[str, int]:
    """Seats of the private groups and how many are taken at the start: min(seats, joins a day / share that leaves)."""
    seats = int(figure(None, "seats", 2500))
    leave = 1 - (1 - figure(None, "leave_per_week", 0.03)) ** (1 / 7)
    asked = figure(None, "join_per_visit", 0.01) * targets[home].visits_per_visitor * targets[home].uv / 30
    codes = sum(link["rate"] * targets[link["source"]].orders / 30 for link in links if link["kind"] == "code")
    return {"seats": seats, "members": min(seats, int((0.5 * asked + codes) / leave))}


def round_to(value: float, digits: int, *, down: bool = False) -> float:
    """A number with so many significant digits."""
    if value == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(abs(value))) - digits + 1)
    rounded = (math.floor(value / step + 1e-9) if down else round(value / step)) * step
    return float(f"{rounded:.{digits}g}")
