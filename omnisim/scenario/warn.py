"""What a scenario may say but its author should know before running it."""

from __future__ import annotations

import datetime
import os
from collections.abc import Iterator

from omnisim.errors import Fault
from omnisim.scenario import network
from omnisim.scenario.baskets import worth
from omnisim.scenario.check import referral_factor
from omnisim.scenario.model import Scenario

BASELINE = 90
"""Days of warm-up that the window `baseline` takes."""
CALIBRATION = 210
"""Days of warm-up that calibration needs."""
NOISE_AT_20000 = 0.12
"""Standard deviation of orders in 90 days at 20,000 consumers, measured."""
BYTES, CHANNEL_BYTES = 70, 4
"""Memory of a consumer, and of each of its channels."""
NANOSECONDS = 25
"""Time of a consumer-day."""
REPEAT_FACTOR = 2.5
"""Orders per first order: 40 % of all orders are first."""


def estimate(scenario: Scenario) -> tuple[int, float]:
    """Memory [byte] and time on one thread [s] that a run will need, roughly."""
    consumers = scenario.population.size
    memory = consumers * (BYTES + CHANNEL_BYTES * len(scenario.channels))
    days = scenario.horizon.warm_up + scenario.horizon.days
    return memory, consumers * days * NANOSECONDS * 1e-9


def warnings(scenario: Scenario) -> list[Fault]:
    """Everything worth a second look, as faults that name dotted paths; none forbids a run."""
    rules = (_horizon, _population, _sales, _prices, _media, _referral, _stock, _switching, _campaigns)
    return [fault for rule in rules for fault in rule(scenario)]


def _warning(what: str, got: str, rule: str, fix: str) -> Fault:
    return Fault("", what, got, rule, fix)


def _horizon(scenario: Scenario) -> Iterator[Fault]:
    days = scenario.horizon.warm_up
    if days < CALIBRATION and _remembers(scenario):
        yield _warning("horizon.warm_up", f"{days} days", f"below {CALIBRATION} traffic has not settled, and calibrate "
                       "refuses it", f"Set {CALIBRATION} or more.")
    if days < BASELINE and (days > 0 or _remembers(scenario)):
        yield _warning("horizon.warm_up", f"{days} days", f"the window baseline is the last {BASELINE} days of the "
                       "warm-up and will be shorter", f"Set {BASELINE} or more.")


def _remembers(scenario: Scenario) -> bool:
    """Whether earlier exposures and visits bring traffic, so that it takes time to settle."""
    return bool(scenario.flows or scenario.community or scenario.referral) or any(
        channel.active and (channel.search or channel.revisit) for channel in scenario.channels.values())


def _population(scenario: Scenario) -> Iterator[Fault]:
    size, people = scenario.population.size, scenario.population.size * scenario.population.scale
    if size < 100_000:
        noise = NOISE_AT_20000 * (20_000 / size) ** 0.5
        yield _warning("population.size", f"{size:,} consumers", f"a quarter's orders will vary by about {noise:.0%} "
                       "from luck alone", "Use 1,000,000, or more replications.")
    if scenario.brand.new_customers * 365 / 30 > people:
        yield _warning("population.size", f"{people:,} people", f"{scenario.brand.new_customers:,.0f} new customers a "
                       "month would be everybody within a year: budgets and stock are those of a larger market",
                       "Let each consumer stand for several: population.scale=50 and supply.unlimited=true.")
    memory, seconds = estimate(scenario)
    if memory > 0.5 * _physical_memory():
        yield _warning("population.size", f"{size:,} consumers", f"a run needs about {memory / 1e9:.1f} GB of memory",
                       "Use fewer consumers, or population.scale.")
    if seconds > 600:
        yield _warning("population.size", f"{size:,} consumers", f"a run takes about {seconds / 60:.0f} minutes",
                       "Use fewer consumers or days.")


def _physical_memory() -> float:
    try:
        return float(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    except (ValueError, OSError, AttributeError):
        return 8e9


def _sales(scenario: Scenario) -> Iterator[Fault]:
    if not any(channel.active and channel.checkout for channel in scenario.channels.values()):
        yield _warning("channels", "no checkout", "nothing can be sold", "Set checkout to true on an active channel.")


def _referral(scenario: Scenario) -> Iterator[Fault]:
    if 0.8 <= (k := referral_factor(scenario)) < 1:
        yield _warning("referral", f"K of {k:.2f}", f"referral multiplies customers by {1 / (1 - k):.1f}; "
                       "published programmes stay below 0.3", "Check share_rate, invitations and acceptance.")


def _prices(scenario: Scenario) -> Iterator[Fault]:
    for sku, product in scenario.products.items():
        if product.cost >= product.price:
            yield _warning(f"products.{sku}.cost", f"{product.cost:,.2f}", f"the price of {product.price:,.2f} "
                           "does not cover it", "Check both.")


def _media(scenario: Scenario) -> Iterator[Fault]:
    people = scenario.population.size * scenario.population.scale
    for name, channel in scenario.channels.items():
        if not channel.active:
            continue
        if channel.click_share > 0.1:
            yield _warning(f"channels.{name}.click_share", f"{channel.click_share:.3g}",
                           "more than a tenth of impressions clicked is seldom seen", "Check it: 0.006 is 0.6 %.")
        seen = (1000 * channel.budget * (1 - channel.search_share) / channel.cpm + channel.organic_impressions)
        if seen > 5 * people * channel.reach > 0:
            yield _warning(f"channels.{name}.budget", f"{channel.budget:,.2f} {scenario.currency}/day",
                           f"shows each user {seen / people / channel.reach:.0f} impressions a day",
                           "Check budget, cpm and population.")


def _stock(scenario: Scenario) -> Iterator[Fault]:
    sellers = {name: channel for name, channel in scenario.channels.items() if channel.active and channel.checkout}
    if scenario.supply.unlimited or not sellers:
        return
    price = sum(product.share * worth(scenario, next(iter(sellers)), sku) for sku, product in scenario.products.items())
    units = sum(channel.order_value for channel in sellers.values()) / len(sellers) / price
    daily = scenario.brand.new_customers / 30 * REPEAT_FACTOR * units
    supply = scenario.supply
    if supply.nodes:
        days = max(maker.lead_time for maker in supply.suppliers.values())
    else:
        days = supply.lead_time + supply.review_days
    for sku, product in scenario.products.items():
        along = sum(one.share * one.basket.get(sku, 0.0) for one in scenario.products.values())
        need = daily * (product.share + along) * days
        held = sum(rule.level or rule.reorder_point + rule.lot for node in supply.nodes.values()
                   for name, rule in node.stock.items() if name == sku)
        if supply.nodes and held < 0.5 * need:
            yield _warning(f"products.{sku}", f"{held:,} units in all nodes", f"customers will want about {need:,.0f} "
                           f"in the {days} days until stock arrives: sales will be lost",
                           f"Raise supply.nodes.….stock.{sku}.level.")
        elif not supply.nodes and product.base_stock < 0.5 * need:
            yield _warning(f"products.{sku}.base_stock", f"{product.base_stock:,} units", f"customers will want about "
                           f"{need:,.0f} in the {days} days until stock arrives: sales will be lost",
                           "Raise it, or set supply.unlimited to true.")


def _switching(scenario: Scenario) -> Iterator[Fault]:
    share = scenario.supply.shortage.switch
    places = {sku: {frozenset(network.serving(scenario, name, sku)) for name in scenario.channels
                    if network.sells(scenario, name, sku)} for sku in scenario.products}
    if share and all(len(sets) < 2 for sets in places.values()):
        yield _warning("supply.shortage.switch", f"{share:g}", "all channels sell from the same places: who switches "
                       "finds no more elsewhere", "Set it to 0, or keep stock apart (supply.stock siloed).")


def _campaigns(scenario: Scenario) -> Iterator[Fault]:
    start = scenario.horizon.start
    first = start - datetime.timedelta(days=scenario.horizon.warm_up)
    end = start + datetime.timedelta(days=scenario.horizon.days)
    for k, campaign in enumerate(scenario.calendar.campaigns):
        if campaign.end < first or campaign.start >= end:
            yield _warning(f"calendar.campaigns.{k}", campaign.name, f"lies outside the simulated days, {first} to "
                           f"{end - datetime.timedelta(days=1)}", "Move it, or remove it.")
