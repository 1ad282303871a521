"""What a channel status table cannot tell: values that fit it as well as others would, and that decide budgets."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from omnisim.scenario import catalogue
from omnisim.scenario.check import referral_factor
from omnisim.scenario.model import Channel, Scenario
from omnisim.study.calibration.certainty import Belief
from omnisim.study.calibration.daily import DailyTargets
from omnisim.study.calibration.elasticity import Stance
from omnisim.study.calibration.targets import Target, figure


class Unidentified(NamedTuple):
    """A value that the table does not fix: path in the scenario, value, unit, range to vary it in, and why."""

    parameter: str
    value: float
    unit: str
    low: float
    high: float
    why: str


CHANNEL = (
    ("click_share", "decides what a budget is worth: fit it to a holdout test or to the short-run elasticity of "
                    "advertising, 0.12 (0.05 to 0.22)"),
    ("budget", "the tables have the costs of no usual day: how many visits are paid and how many organic is assumed"),
    ("organic_impressions", "paid or organic reach: the table counts visitors of both"),
    ("persuasion", "quality of content: how much interest an exposure leaves"),
    ("search", "people who search and people who come directly are the same visitors to the table"),
    ("revisit", "the table has visitors, not visits: visits per visitor are the catalogue's"),
    ("repeat_weight", "the table has orders, not first and repeat orders"),
)
"""Fields of each channel of the table, and why its figures do not fix them."""
FITTED = ("decides what a budget is worth: assumed so that advertising works as published; see elasticity.csv, and "
          "narrow it by a holdout test")
"""Why a click share is listed that was fitted to an elasticity."""
BRAND = (
    ("population.affinity_shape", "how few people make most of the visits"),
    ("population.overlap", "how many people use two platforms"),
    ("brand.interest.half_life_long", "how long exposures work: needs days with and without advertising"),
    ("brand.interest.half_life_short", "as above"),
    ("brand.interest.slope", "how much interest helps an order"),
    ("brand.repurchase.rate_shape", "BG/NBD: needs the orders of single customers over time"),
    ("brand.repurchase.rate_scale", "as above; the default gives 28.2 % repeat within 12 months"),
    ("brand.repurchase.lapse_a", "as above"),
    ("brand.repurchase.lapse_b", "as above"),
    ("brand.repurchase.stay", "how many repurchases stay with the last channel"),
    ("brand.age", "how many past customers there are"),
    ("community.members", "seats taken: the steady state of joins and leaves is assumed"),
    ("community.share_rate", "visitors by links passed on against others of the community"),
)
"""Fields of the brand, and why the table does not fix them."""


def list_unidentified(scenario: Scenario, targets: tuple[Target, ...], first_share: dict[str, float],
                      fixed: set[str], stances: Sequence[Stance] = ()) -> tuple[Unidentified, ...]:
    """Everything that should be varied before an answer about budgets is trusted.

    Parameters
    ----------
    first_share : channel -> float  simulated share of first orders
    fixed : paths that the brand's tables give after all, as budgets from a daily table
    stances : sequence of Stance  low, default and high click share, where they were fitted
    """
    found: list[Unidentified] = []
    for target in targets:
        channel = scenario.channels[target.channel]
        found += (row for row in _of_channel(target, channel, first_share, scenario.currency)
                  if row.parameter not in fixed)
    people = scenario.population.size * scenario.population.scale
    found.append(Unidentified("population.size", people, "people", people * 0.5, people * 2.0,
                              "size of the market: about 6 to 7 times the sum of monthly visitors is assumed"))
    found += _of_brand(scenario)
    k = referral_factor(scenario)
    if k:
        found.append(Unidentified("referral", k, "customer/customer", 0.0, 0.2,
                                  "K = share_rate · invitations · acceptance: the table does not say who was invited"))
    if stances:
        low, _, high = (stance.click_share for stance in stances)
        found = [row._replace(low=low, high=high, why=FITTED) if row.parameter.endswith(".click_share") else row
                 for row in found]
    return tuple(found)


def _of_channel(target: Target, channel: Channel, first_share: dict[str, float], currency: str
                ) -> Iterator[Unidentified]:
    for name, why in CHANNEL:
        if name == "repeat_weight" and not target.sells:
            continue
        value = float(getattr(channel, name))
        unit, low, high = _range(channel.preset, name, value)
        yield Unidentified(f"channels.{target.channel}.{name}", value, unit.replace("currency", currency), low, high,
                           why)
    if target.channel in first_share:
        share = first_share[target.channel]
        yield Unidentified(f"first orders of {target.channel}", share, "share of orders", share * 0.5,
                           min(1.0, share * 2.0), "the table has orders, not first and repeat orders")


def _range(preset: str | None, name: str, value: float) -> tuple[str, float, float]:
    """Unit and range of a channel's value: the catalogue's, moved to the value; the costs' range for a budget."""
    entry = next((p for p in catalogue.parameters() if p.preset == preset and p.name == name), None)
    if name == "budget":
        visit = figure(preset, "cost_per_visit", 0.25)
        entry_low = next((p.low for p in catalogue.parameters() if p.preset == preset and p.name == "cost_per_visit"),
                         visit / 2)
        return "currency/day", value * entry_low / visit, value * 2.0
    if entry is None:
        return "", value * 0.5, value * 2.0
    if entry.default > 0 and value != entry.default and entry.flag == "C":
        return entry.unit, value * entry.low / entry.default, value * entry.high / entry.default
    return entry.unit, min(entry.low, value), max(entry.high, value)


def _of_brand(scenario: Scenario) -> Iterator[Unidentified]:
    ranges = {entry.path: entry for entry in catalogue.parameters() if entry.preset == catalogue.BRAND}
    for path, why in BRAND:
        value: object = scenario
        for part in path.split("."):
            value = getattr(value, part, None)
        if not isinstance(value, int | float):
            continue
        entry = ranges.get(path)
        low, high, unit = (entry.low, entry.high, entry.unit) if entry else (0.0, value * 1.0, "")
        if path == "community.members" and scenario.community:
            low, high, unit = 0.0, float(scenario.community.seats), "seat"
        yield Unidentified(path, float(value), unit, min(low, value), max(high, value), why)


def doubtful(listed: Sequence[Unidentified], beliefs: Sequence[Belief], told: set[str]) -> tuple[Unidentified, ...]:
    """What the tables do not tell, given what they turned out to fix and not to fix, and what was ``told`` besides."""
    known = told | {one.parameter for one in beliefs if one.identified}
    rows = [row for row in listed if row.parameter not in known]
    names = {row.parameter for row in rows}
    return (*rows, *(Unidentified(one.parameter, one.value, "", one.low, one.high, one.why) for one in beliefs
                     if not one.identified and one.parameter not in names))


def campaign_lengths(scenario: Scenario, asked: DailyTargets) -> list[Unidentified]:
    """Campaigns whose last days the daily table does not have: how long they last is assumed."""
    found: list[Unidentified] = []
    for place in asked.campaigns:
        campaign = scenario.calendar.campaigns[place]
        seen = max(max(period.dates) for period in asked.periods if period.campaign == place)
        days, known = ((last - campaign.start).days + 1 for last in (campaign.end, seen))
        if known < days:
            found.append(Unidentified(f"days of {campaign.name}", days, "day", known, 2 * days,
                                      "the daily table ends before the campaign"))
    return found
