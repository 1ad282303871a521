"""A scenario's consumer model as plain numbers: what the kernels read.

Channels stand in alphabetical order here and inactive ones are left out, so neither the order of the file nor a
channel that is switched off can change a draw or a sum.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from omnisim import portable
from omnisim.books import ORIGINS
from omnisim.plan import to_cents
from omnisim.portable import OCTAVES, STEPS
from omnisim.scenario import network
from omnisim.scenario.baskets import taken_along, worth
from omnisim.scenario.model import MOST_ALONG, Scenario
from omnisim.streams import key

Floats = NDArray[np.float64]

DECAY_DAYS = 4096
"""Interest older than this has gone."""
GRADES = 63
"""Steps of the table of fading interest: interest is graded by its square root."""
LOOK_AHEAD = 256
VISIT_DAYS = 128
"""Visits older than this pull no more."""
REVISIT_HALVING = 4.0
"""Days in which the pull of a visit halves (days of gap)."""
NEW_USER_GAP = 60
"""Days without a visit after which a visitor counts as new."""
HOURLY = (9, 6, 4, 3, 2, 3, 6, 12, 20, 30, 38, 40, 42, 38, 34, 34, 36, 40, 48, 62, 78, 82, 60, 28)
"""Relative activity by hour of day: low at night, highest in the evening (assumed)."""
MILLION = 1_000_000

(FROM_IMPRESSION, FROM_SEARCH, FROM_DIRECT, FROM_REVISIT, FROM_PUSH, FROM_FOLLOW, FROM_LINK, FROM_SEED, FROM_SHARE,
 FROM_NEED, FROM_REFERRAL) = range(len(ORIGINS))


quantile_table = lru_cache(maxsize=64)(portable.quantile_table)
"""Inverted once for all runs with the same parameters; takes longer than settling in a small population."""
CHANNELS = 30
"""Most channels of a scenario; arrays by channel are padded to it, so that kernels compile once for all scenarios."""
SEGMENTS = 50
FLOWS = 200
SKUS = 64
WAYS = 60
"""Most ways by which an order reaches its consumer: a parcel from, or pickup at, each of thirty places."""
TRUST_DAYS = 4096
"""Marks older than this have gone."""
_TABLE = (2, OCTAVES * STEPS + 1)


def _fields(kind: str, names: str, *shape: int) -> list[Any]:
    return [(name, kind, shape) if shape else (name, kind) for name in names.split()]


RULES = np.dtype(
    _fields("i8", "scale channels segments links seeds skus consumers first_day dormant_after lost_after "
                  "resolution_days consult_cost benefit community readers share_reward invitations refer_reward "
                  "advocate_days audience cutoff converts repeats searched places patience remembers lines")
    + _fields("u8", "key_person key_affinity key_need key_order key_graph key_refer key_private key_after key_store")
    + _fields("u8", "key_reach key_exposure key_visit", CHANNELS)
    + _fields("f8", "overlap rate_scale past_customers past_days past_members slope threshold win_back "
                    "interest_uplift member_uplift member_norm touch stay consult_share lift recovery member_join "
                    "join_per_visit share_rate open_share leave community_advocates refer_share acceptance advocates "
                    "advocate_persuasion restock_share looseness mark_lost mark_cancelled mark_late trust_odds "
                    "trust_need")
    + _fields("f8", "direct follow search revisit push persuasion click_share intercept registration repeat_weight "
                    "units return_rate code_rate enrol_rate", CHANNELS)
    + _fields("i8", "attracts checkout commission payment delivery_days", CHANNELS)
    + _fields("i8", "ship_days", WAYS, CHANNELS)
    + _fields("i8", "ship_cost", WAYS)
    + _fields("f8", "segment_edges affinity_scale spend", SEGMENTS)
    + _fields("f8", "reach", SEGMENTS, CHANNELS)
    + _fields("f8", "affinity_quantiles rate_quantiles lapse_quantiles", *_TABLE)
    + _fields("f8", "decay", DECAY_DAYS, 2)  # of the lasting and the passing part of interest
    + _fields("f8", "decay_visit", VISIT_DAYS)
    + _fields("f8", "decay_trust", TRUST_DAYS)
    + _fields("i2", "fades", GRADES + 1, GRADES + 1)
    + _fields("i8", "link_source link_target seed_source seed_target", FLOWS)
    + _fields("f8", "link_rate seed_rate", FLOWS)
    + _fields("u8", "link_key seed_key", FLOWS)
    + _fields("f8", "sku_edges", CHANNELS, SKUS)
    + _fields("i8", "along", CHANNELS, SKUS)
    + _fields("i8", "along_sku", CHANNELS, SKUS, MOST_ALONG)
    + _fields("f8", "along_share", CHANNELS, SKUS, MOST_ALONG)
    + _fields("i8", "price cost", SKUS)
    + _fields("i2", "minutes", 4096))
"""Constants of a run as one record, which kernels take by reference. Rates are by day, money is in cents, shares of
money are in millionths; the part before the padding holds the scenario's channels, segments, flows and articles."""
Rules = Any
"""RULES (1,): its fields are attributes of the one record in kernels, and items outside."""


def active_channels(scenario: Scenario) -> list[str]:
    """Names of the channels that are simulated, in the kernels' (alphabetical) order."""
    return sorted(name for name, channel in scenario.channels.items() if channel.active)


def compile_rules(scenario: Scenario, seed: int, replication: int, *, looseness: float = 1.0) -> Rules:
    """The scenario as numbers.

    Parameters
    ----------
    looseness : float ≥ 1  multiplies the bounds of the scan; changes no result (kept for the test that shows it)
    """
    names = active_channels(scenario)
    values: dict[str, Any] = {
        "scale": scenario.population.scale, "looseness": looseness, "first_day": -scenario.horizon.warm_up,
        "consumers": scenario.population.size, "channels": len(names), "skus": len(scenario.products),
        "segments": len(scenario.population.segments)}
    for part in (_keys(names, seed, replication), _people(scenario, names), _visits(scenario, names),
                 _repurchase(scenario), _service(scenario), _flows(scenario, names, seed, replication),
                 _community(scenario, names), _referral(scenario), _orders(scenario, names), _baskets(scenario, names),
                 _delivery(scenario, names), _trust(scenario)):
        values.update(part)
    rules = np.zeros(1, RULES)
    for name, value in values.items():
        field = np.asarray(value)
        place: Any = (0, *(slice(length) for length in field.shape))
        rules[name][place] = field
    return rules


def _each(scenario: Scenario, names: list[str], field: str) -> Floats:
    return np.array([float(getattr(scenario.channels[name], field)) for name in names])


def _keys(names: list[str], seed: int, replication: int) -> dict[str, Any]:
    decisions = ("person", "affinity", "need", "order", "graph", "refer", "private", "after", "store")
    found: dict[str, Any] = {f"key_{d}": key(seed, replication, d) for d in decisions}
    for d in ("reach", "exposure", "visit"):
        found[f"key_{d}"] = np.array([key(seed, replication, d, name) for name in names], np.uint64)
    return found


def _people(scenario: Scenario, names: list[str]) -> dict[str, Any]:
    population, brand = scenario.population, scenario.brand
    segments = population.segments
    shape = population.affinity_shape
    mean = sum(s.share * s.affinity for s in segments)
    past_days = brand.age * 365.0
    customers = brand.new_customers / 30.0 * past_days
    return {
        "segment_edges": np.cumsum([s.share for s in segments]),
        "affinity_scale": np.array([s.affinity / mean / shape if mean > 0 else 0.0 for s in segments]),
        "spend": np.array([s.spend for s in segments]),
        "reach": np.array([[s.uses.get(name, scenario.channels[name].reach) for name in names] for s in segments]),
        # equal reach: both follow the common draw with probability v each, so indicators correlate by v²
        "overlap": float(np.sqrt(population.overlap)),
        "affinity_quantiles": quantile_table(shape, 0.0),
        "past_customers": min(1.0, customers / (population.size * population.scale)),
        "past_days": past_days,
        "past_members": scenario.membership.join if scenario.membership else 0.0,
    }


@lru_cache(maxsize=64)
def _decay(half_life: float, days: int) -> Floats:
    return np.array([portable.exp(-portable.log(2.0) * day / half_life) for day in range(days)])


def _fading(decay: Floats, threshold: float) -> NDArray[np.int16]:
    """Days for which interest surely stays at or above the threshold, by grade of its lasting and its passing part."""
    parts = (np.arange(GRADES + 1) / GRADES) ** 2 * (1.0 - 1e-6)  # square roots are graded in floating point
    long, short = decay[:LOOK_AHEAD].T
    left = 1.0 - (1.0 - parts[:, None, None] * long) * (1.0 - parts[None, :, None] * short)
    below = left < threshold
    return np.where(below.any(axis=2), below.argmax(axis=2), LOOK_AHEAD).astype(np.int16)


def _visits(scenario: Scenario, names: list[str]) -> dict[str, Any]:
    interest, loop, community = scenario.brand.interest, scenario.brand.loop, scenario.community
    found: dict[str, Any] = {name: _each(scenario, names, name) for name in (
        "direct", "follow", "search", "revisit", "click_share", "intercept", "registration")}
    found |= {
        "push": np.array([community.push if community and community.channel == name else 0.0 for name in names]),
        # each of the two parts of interest moves by 1 - √(1 - q)
        "persuasion": (1.0 - np.sqrt(1.0 - _each(scenario, names, "persuasion"))) * loop.seed,
        "checkout": _each(scenario, names, "checkout"),
        "decay": np.stack([_decay(life, DECAY_DAYS) for life in (interest.half_life_long, interest.half_life_short)],
                          axis=1),
        "decay_visit": _decay(REVISIT_HALVING, VISIT_DAYS),
        "slope": interest.slope,
        "threshold": interest.threshold,
        "win_back": scenario.brand.repurchase.win_back,
        "converts": loop.convert,
    }
    found["searched"] = (found["search"] > 0.0).any()  # where nobody searches, nobody's keenness is kept
    found["fades"] = _fading(found["decay"], interest.threshold)
    # whether anybody visits unprompted: a channel that nobody seeks is not scanned
    found["attracts"] = sum(found[name] for name in ("direct", "follow", "search", "revisit", "push")) > 0.0
    return found


def _repurchase(scenario: Scenario) -> dict[str, Any]:
    buy, membership = scenario.brand.repurchase, scenario.membership
    uplift = membership.uplift if membership else 0.0
    joined = membership.join if membership else 0.0
    return {
        "rate_quantiles": quantile_table(buy.rate_shape, 0.0),
        "rate_scale": buy.rate_scale,
        "lapse_quantiles": quantile_table(buy.lapse_a, buy.lapse_b),
        "repeats": scenario.brand.loop.repurchase,
        "interest_uplift": buy.interest_uplift,
        "member_uplift": uplift,
        # so that the members of the first day leave the mean rate where the parameters put it
        "member_norm": 1.0 + uplift * joined,
        "touch": scenario.community.touch if scenario.community else 0.0,
        "stay": buy.stay,
        "dormant_after": buy.dormant_after,
        "lost_after": buy.lost_after,
    }


def _service(scenario: Scenario) -> dict[str, Any]:
    service = scenario.service
    return {
        "consult_share": service.consult_share,
        "lift": portable.log(1.0 + service.lift),
        "consult_cost": to_cents(service.cost),
        "recovery": service.recovery,
        "resolution_days": service.resolution_days,
    }


def _flows(scenario: Scenario, names: list[str], seed: int, replication: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for kind in ("link", "seed"):
        flows = sorted((f for f in scenario.flows if f.kind == kind and f.source in names and f.target in names),
                       key=lambda f: (f.source, f.target))
        found[f"{kind}s"] = len(flows)
        found[f"{kind}_source"] = np.array([names.index(f.source) for f in flows], np.int64)
        found[f"{kind}_target"] = np.array([names.index(f.target) for f in flows], np.int64)
        found[f"{kind}_rate"] = np.array([f.rate for f in flows])
        found[f"{kind}_key"] = np.array([key(seed, replication, kind, f"{f.source}>{f.target}") for f in flows],
                                        np.uint64)
    for kind in ("code", "enrol"):
        found[f"{kind}_rate"] = np.array([min(1.0, sum(f.rate for f in scenario.flows
                                                       if f.kind == kind and f.source == name)) for name in names])
    return found


def _community(scenario: Scenario, names: list[str]) -> dict[str, Any]:
    community = scenario.community
    lives = community is not None and community.channel in names
    week = community.leave_per_week if community else 0.0
    return {
        "community": names.index(community.channel) if community and lives else -1,
        "join_per_visit": community.join_per_visit if community else 0.0,
        "share_rate": community.share_rate if community else 0.0,
        "readers": community.readers if community else 0,
        "open_share": community.click if community else 0.0,
        "leave": 1.0 if week == 1.0 else 1.0 - portable.exp(portable.log(1.0 - week) / 7.0),
        "share_reward": to_cents(community.share_reward) if community else 1,
        "community_advocates": community.advocates if community and scenario.brand.loop.refer else 0.0,
        "member_join": scenario.membership.join if scenario.membership else 0.0,
        "benefit": round(scenario.membership.benefit * MILLION) if scenario.membership else 0,
    }


def _referral(scenario: Scenario) -> dict[str, Any]:
    referral = scenario.referral if scenario.brand.loop.refer else None
    return {
        "refer_share": referral.share_rate if referral else 0.0,
        "invitations": referral.invitations if referral else 0,
        "acceptance": referral.acceptance if referral else 0.0,
        "refer_reward": to_cents(referral.reward) if referral else 0,
        "advocates": referral.advocates if referral else 0.0,
        "advocate_days": referral.advocate_days if referral else 30,
        "audience": referral.audience if referral else 0,
        "advocate_persuasion": 1.0 - float(np.sqrt(1.0 - referral.persuasion))
        if referral and scenario.brand.loop.seed else 0.0,
    }


def _orders(scenario: Scenario, names: list[str]) -> dict[str, Any]:
    products = list(scenario.products.values())
    total = sum(HOURLY)
    hours = np.repeat(np.arange(24), [round(4096 * h / total) for h in HOURLY])
    hours = np.resize(hours, 4096) if hours.size >= 4096 else np.concatenate([hours, np.full(4096 - hours.size, 20)])
    place = np.arange(4096) - np.searchsorted(hours, hours)
    within = place * 60 // np.bincount(hours, minlength=24)[hours]
    return {
        "units": _each(scenario, names, "order_value") / _mean_prices(scenario, names),
        "commission": np.array([round((c.commission + c.host_commission) * MILLION)
                                for c in (scenario.channels[name] for name in names)], np.int64),
        "payment": np.array([round(scenario.channels[name].payment_fee * MILLION) for name in names], np.int64),
        "return_rate": _each(scenario, names, "return_rate"),
        "repeat_weight": _each(scenario, names, "repeat_weight") * _each(scenario, names, "checkout"),
        "sku_edges": np.array([_edges(scenario, name) for name in names]),
        "price": np.array([to_cents(p.price) for p in products], np.int64),
        "cost": np.array([network.landed_cost(scenario, sku) for sku in scenario.products], np.int64),
        "minutes": (np.sort(hours) * 60 + within).astype(np.int16),
    }


def _mean_prices(scenario: Scenario, names: list[str]) -> Floats:
    """Mean price of what each channel sells, one unit of the article and of what it takes along, by share of orders."""
    found = []
    for name in names:
        sold = _sold(scenario, name) or list(scenario.products)
        total = sum(scenario.products[sku].share * worth(scenario, name, sku) for sku in sold)
        whole = len(sold) == len(scenario.products)
        found.append(total if whole else total / sum(scenario.products[sku].share for sku in sold))
    return np.array(found)


def _baskets(scenario: Scenario, names: list[str]) -> dict[str, Any]:
    """What orders take along, by channel and the article that they begin with."""
    shape, skus = (len(names), len(scenario.products)), list(scenario.products)
    along, sku_of, share = np.zeros(shape, np.int64), np.zeros((*shape, MOST_ALONG)), np.zeros((*shape, MOST_ALONG))
    for k, name in enumerate(names):
        for p, sku in enumerate(skus):
            basket = taken_along(scenario, name, sku)
            along[k, p] = len(basket)
            sku_of[k, p, :len(basket)] = [skus.index(other) for other in basket]
            share[k, p, :len(basket)] = list(basket.values())
    return {"along": along, "along_sku": sku_of, "along_share": share, "lines": 1 + int(along.max(initial=0))}


def _sold(scenario: Scenario, channel: str) -> list[str]:
    return [sku for sku in scenario.products if network.sells(scenario, channel, sku)]


def _edges(scenario: Scenario, channel: str) -> Floats:
    """Cumulative shares of the articles that a channel sells; an article that it does not sell has no width."""
    sold = _sold(scenario, channel)
    if not sold or len(sold) == len(scenario.products):
        return np.cumsum([p.share for p in scenario.products.values()])
    edges = np.cumsum([p.share if sku in sold else 0.0 for sku, p in scenario.products.items()])
    edges /= edges[-1]
    edges[list(scenario.products).index(sold[-1]):] = 2.0  # the last one takes what rounding leaves
    return edges


def _delivery(scenario: Scenario, names: list[str]) -> dict[str, Any]:
    """Ways by which orders come: a parcel from each place, then pickup at each place."""
    supply, places = scenario.supply, scenario.supply.places
    days = np.array([[network.delivery_days(scenario, place, name) for name in names] for place in places], np.int64)
    cost = np.array([network.delivery_cost(scenario, place) for place in places], np.int64)
    collected = to_cents(supply.pickup.cost) if supply.pickup else 0
    return {
        "places": len(places),
        "patience": supply.shortage.patience,
        "delivery_days": _each(scenario, names, "delivery_days").astype(np.int64),
        "ship_days": np.concatenate([days, np.zeros_like(days)]),
        "ship_cost": np.concatenate([cost, np.full_like(cost, collected)]),
        "cutoff": supply.cutoff_hour * 60,
        "restock_share": supply.restock_share,
    }


def _trust(scenario: Scenario) -> dict[str, Any]:
    trust = scenario.brand.trust
    softened = 1.0 - trust.tracking if scenario.supply.tracking else 1.0
    return {
        "remembers": trust.matters,
        "mark_lost": trust.lost, "mark_cancelled": trust.cancelled, "mark_late": trust.late * softened,
        "trust_odds": trust.odds, "trust_need": trust.need,
        "decay_trust": _decay(trust.half_life, TRUST_DAYS) if trust.matters else np.zeros(1),
    }
