"""Rules between fields: what each value allows but all together do not."""

from __future__ import annotations

import difflib
import math
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from omnisim.errors import Fault
from omnisim.scenario import check_supply
from omnisim.scenario.baskets import mean_worth

if TYPE_CHECKING:
    from omnisim.scenario.model import Flow, Scenario

SUM_TOLERANCE = 1e-6
MOST_UNITS = 600
"""Mean units of an order; the draw of a basket holds no more."""
MOST_WEIGHT = 1e6
"""What weekday, month and campaigns may come to together."""


def contradictions(scenario: Scenario) -> list[Fault]:
    """Everything in a scenario that contradicts itself, as faults that name dotted paths."""
    rules = (_segments, _products, _baskets, _channels, _flows, _community, _campaigns, _live, _season, _growth, _scale,
             _curves, check_supply.contradictions)
    return [fault for rule in rules for fault in rule(scenario)]


def _fault(what: str, got: object, rule: str, fix: str) -> Fault:
    return Fault("", what, str(got), rule, fix)


def _sum_to_one(what: str, shares: Iterable[float]) -> Iterator[Fault]:
    total = math.fsum(shares)
    if abs(total - 1) > SUM_TOLERANCE:
        yield _fault(what, f"shares that sum to {total:.6g}", "shares must sum to 1",
                     f"{'Lower' if total > 1 else 'Raise'} them by {abs(total - 1):.6g} together.")


def _known(what: str, name: str, scenario: Scenario) -> Iterator[Fault]:
    """A channel must exist."""
    if name not in scenario.channels:
        close = difflib.get_close_matches(name, scenario.channels, n=1)
        yield _fault(what, name, "is no channel of this scenario",
                     f"Did you mean {close[0]}?" if close else f"Choose from {', '.join(scenario.channels)}.")


def _segments(scenario: Scenario) -> Iterator[Fault]:
    segments = scenario.population.segments
    yield from _sum_to_one("population.segments", (segment.share for segment in segments))
    names = [segment.name for segment in segments]
    for k, segment in enumerate(segments):
        what = f"population.segments.{k}"
        if segment.name in names[:k]:
            yield _fault(f"{what}.name", segment.name, "is given to two segments", "Rename one.")
        if segment.age and segment.age[0] > segment.age[1]:
            yield _fault(f"{what}.age", f"[{segment.age[0]}, {segment.age[1]}]", "must give the youngest age first",
                         f"Write [{segment.age[1]}, {segment.age[0]}].")
        for name in segment.uses:
            yield from _known(f"{what}.uses.{name}", name, scenario)


def _products(scenario: Scenario) -> Iterator[Fault]:
    products = scenario.products.values()
    yield from _sum_to_one("products", (product.share for product in products))
    spend = max(1.0, *(segment.spend for segment in scenario.population.segments))
    for name, channel in scenario.channels.items():
        price = mean_worth(scenario, name)
        if channel.active and channel.checkout and channel.order_value < price * (1 - 1e-9):
            yield _fault(f"channels.{name}.order_value", f"{channel.order_value:,.2f} {scenario.currency}/order",
                         f"must be at least the mean price of an article{_with_baskets(scenario)}, {price:,.2f}: an "
                         "order holds a unit or more",
                         "Raise it, or lower the prices or the shares of dear articles.")
        if channel.active and channel.checkout and channel.order_value * spend > MOST_UNITS * price:
            yield _fault(f"channels.{name}.order_value", f"{channel.order_value:,.2f} {scenario.currency}/order",
                         f"must be at most {MOST_UNITS * price / spend:,.2f}: a basket holds {MOST_UNITS} articles on "
                         "average at most, also where a segment's spend raises it",
                         "Lower it, or price what is sold together as one article.")


def _with_baskets(scenario: Scenario) -> str:
    return " and what it takes along" if any(product.basket for product in scenario.products.values()) else ""


def _baskets(scenario: Scenario) -> Iterator[Fault]:
    for sku, product in scenario.products.items():
        for other, rate in product.basket.items():
            what = f"products.{sku}.basket.{other}"
            if other not in scenario.products:
                close = difflib.get_close_matches(other, scenario.products, n=1)
                yield _fault(what, rate, "is no article of this scenario",
                             f"Did you mean {close[0]}?" if close else f"Choose from {', '.join(scenario.products)}.")
            elif other == sku:
                yield _fault(what, rate, "an article does not take itself along: an order holds several units of it by "
                             "its channel's order_value", "Remove it, or raise order_value.")
            elif not _sellers(scenario, sku) & _sellers(scenario, other):
                yield _fault(what, rate, f"does nothing: no channel sells both {sku} and {other}",
                             f"Name a common one in products.{sku}.channels and products.{other}.channels, or remove "
                             "it.")


def _sellers(scenario: Scenario, sku: str) -> set[str]:
    """Channels that sell an article, whether they are active just now or not."""
    return {name for name in scenario.products[sku].channels or scenario.channels if name in scenario.channels
            and scenario.channels[name].checkout}


def _channels(scenario: Scenario) -> Iterator[Fault]:
    if not any(channel.active for channel in scenario.channels.values()):
        yield _fault("channels", f"{len(scenario.channels)} inactive", "must hold at least one active channel",
                     "Set active to true on one.")
    for name, channel in scenario.channels.items():
        if not channel.active or not channel.budget:
            continue
        got = f"{channel.budget:,.2f} {scenario.currency}/day"
        if not channel.reach:
            yield _fault(f"channels.{name}.budget", got, "buys nothing: nobody uses the channel (reach 0)",
                         "Set the budget to 0, or give a reach.")
        elif channel.search_share and not channel.search:
            yield _fault(f"channels.{name}.search_share", channel.search_share,
                         "buys nothing: nobody searches here (search 0)", "Set it to 0, or give a search rate.")


def _flows(scenario: Scenario) -> Iterator[Fault]:
    seen: set[tuple[str, str, str]] = set()
    for k, flow in enumerate(scenario.flows):
        what = f"flows.{k}"
        yield from _known(f"{what}.source", flow.source, scenario)
        if flow.kind == "enrol":
            yield from _enrol(what, flow, scenario)
        else:
            yield from _known(f"{what}.target", flow.target, scenario)
        if flow.source == flow.target:
            yield _fault(f"{what}.target", flow.target, "must differ from the source", "Name another channel.")
        if flow.kind == "code" and (scenario.community is None or flow.target != scenario.community.channel):
            yield _fault(f"{what}.target", flow.target, "a code flow leads to the channel of the community",
                         f"Write {scenario.community.channel}." if scenario.community else "Add a community section.")
        source = scenario.channels.get(flow.source)
        if flow.kind in ("code", "enrol") and source is not None and not source.checkout:
            yield _fault(f"{what}.source", flow.source, f"a {flow.kind} flow starts from orders; none are placed here",
                         f"Set channels.{flow.source}.checkout to true, or remove the flow.")
        if (key := (flow.source, flow.target, flow.kind)) in seen:
            yield _fault(what, f"{flow.source} to {flow.target}", f"is a second {flow.kind} flow between the same two",
                         "Keep one and add the rates.")
        seen.add(key)


def _enrol(what: str, flow: Flow, scenario: Scenario) -> Iterator[Fault]:
    if flow.target != "membership":
        yield _fault(f"{what}.target", flow.target, "an enrol flow leads to membership", "Write membership.")
    if scenario.membership is None:
        yield _fault(f"{what}.kind", flow.kind, "needs a membership section", "Add membership: {}, or remove the flow.")


def _community(scenario: Scenario) -> Iterator[Fault]:
    community = scenario.community
    if community is None:
        return
    yield from _known("community.channel", community.channel, scenario)
    if community.members > community.seats:
        yield _fault("community.members", f"{community.members:,} seats", f"must be at most {community.seats:,}",
                     "Lower it, or open more groups.")


def _campaigns(scenario: Scenario) -> Iterator[Fault]:
    for k, campaign in enumerate(scenario.calendar.campaigns):
        if campaign.start > campaign.end:
            yield _fault(f"calendar.campaigns.{k}.end", campaign.end, f"must not be before the start, {campaign.start}",
                         "Swap the two days.")
        for name in campaign.factor if isinstance(campaign.factor, dict) else ():
            yield from _known(f"calendar.campaigns.{k}.factor.{name}", name, scenario)


def _live(scenario: Scenario) -> Iterator[Fault]:
    seen: set[tuple[str, object]] = set()
    for k, window in enumerate(scenario.calendar.live):
        what = f"calendar.live.{k}"
        yield from _known(f"{what}.channel", window.channel, scenario)
        if window.hour * 60 + window.minutes > 1440:
            yield _fault(f"{what}.minutes", f"{window.minutes} minute", f"must end before midnight: at most "
                         f"{1440 - window.hour * 60} from {window.hour}:00 on", "Shorten it, or start earlier.")
        if (day := (window.channel, window.date)) in seen:
            yield _fault(what, f"{window.channel} on {window.date}", "is a second broadcast on the same channel and "
                         "day", "Make one of the two.")
        seen.add(day)


def _season(scenario: Scenario) -> Iterator[Fault]:
    calendar = scenario.calendar
    usual = max(calendar.weekday) * max(calendar.month)
    # overlapping campaigns multiply most on a day on which one of them starts
    for day in sorted({*(campaign.start for campaign in calendar.campaigns), *(live.date for live in calendar.live)}):
        running = [campaign.factor for campaign in calendar.campaigns if campaign.start <= day <= campaign.end]
        running += [{live.channel: live.factor} for live in calendar.live if live.date == day]
        for name in scenario.channels:
            logs = [math.log(max(f.get(name, 1.0) if isinstance(f, dict) else f, 1e-300)) for f in running]
            if logs and usual > 0 and math.fsum(logs) + math.log(usual) > math.log(MOST_WEIGHT) + 1e-9:
                yield _fault("calendar.campaigns", f"{len(running)} campaigns on {day}", "weekday, month and campaigns "
                             f"must multiply to at most {MOST_WEIGHT:,.0f} (here on {name})", "Lower the factors.")
                return


def referral_factor(scenario: Scenario) -> float:
    """Customers that one new customer brings directly: K = share who invite · invitations · acceptance."""
    referral = scenario.referral
    return referral.share_rate * referral.invitations * referral.acceptance if referral else 0.0


def _growth(scenario: Scenario) -> Iterator[Fault]:
    if (k := referral_factor(scenario)) >= 1:
        yield _fault("referral", f"K of {k:.3g}", "K = share_rate · invitations · acceptance must stay below 1: "
                     "referral would explode", "Lower one of the three.")


def _scale(scenario: Scenario) -> Iterator[Fault]:
    scale = scenario.population.scale
    if scale > 1 and not scenario.supply.unlimited:
        yield _fault("population.scale", f"{scale} people", "needs supply.unlimited: scarce stock does not scale",
                     "Set supply.unlimited to true, or scale to 1.")
    if scale > 1 and scenario.service.capacity is not None:
        yield _fault("population.scale", f"{scale} people", "needs service.capacity null: a scarce desk does not scale",
                     "Remove service.capacity, or set scale to 1.")


def _curves(scenario: Scenario) -> Iterator[Fault]:
    for name, curve in scenario.curves.items():
        yield from _known(f"curves.{name}", name, scenario)
        if curve.form == "power" and curve.shape > 1.0:
            yield _fault(f"curves.{name}.shape", curve.shape, "must be at most 1 for a power curve: it would grow "
                         "beyond all limits", "Use a hill curve for an S-shape.")
        if name in scenario.channels and not scenario.channels[name].active:
            yield _fault(f"curves.{name}", name, "is an inactive channel", f"Remove the curve, or set channels.{name}."
                         "active to true.")
