"""What the peers are told about the reference funnel: its numbers, read from the scenario file."""

from __future__ import annotations

from typing import Any

from omnisim.scenario.model import Scenario


def parameters(scenario: Scenario, seeds: list[int]) -> dict[str, Any]:
    """The numbers of a funnel scenario by plain names; lists are by channel.

    Raises
    ------
    ValueError  if the scenario uses something that the peers do not know, so that no comparison goes wrong in silence
    """
    unknown = [name for name in ("membership", "community", "referral") if getattr(scenario, name) is not None]
    unknown += ["flows"] if scenario.flows else []
    channels = {name: channel for name, channel in sorted(scenario.channels.items()) if channel.active}
    for name, channel in channels.items():
        unknown += [f"channels.{name}.{field}" for field in ("direct", "follow", "search", "revisit", "search_share",
                                                             "return_rate") if getattr(channel, field)]
        unknown += [] if channel.checkout else [f"channels.{name}.checkout"]
    interest, buy, people = scenario.brand.interest, scenario.brand.repurchase, scenario.population
    unknown += [] if (buy.stay, buy.interest_uplift, buy.win_back) == (1, 0, 0) else ["brand.repurchase"]
    unknown += ["population"] if people.renewal or people.scale != 1 or len(people.segments) > 1 else []
    unknown += ["service"] if scenario.service.consult_share else []
    unknown += [] if scenario.supply.unlimited else ["supply"]
    calendar = scenario.calendar
    unknown += ["calendar"] if calendar.campaigns or {*calendar.weekday, *calendar.month} != {1.0} else []
    if unknown:
        raise ValueError(f"{scenario.name}: the peers know nothing of {', '.join(unknown)}")

    def each(field: str) -> list[float]:
        return [getattr(channel, field) for channel in channels.values()]

    past_days = 365.0 * scenario.brand.age
    return {
        "seeds": seeds, "consumers": people.size, "days": scenario.horizon.days, "channels": list(channels),
        "reach": each("reach"), "overlap": people.overlap, "affinity_shape": people.affinity_shape,
        "impressions": [1000 * c.budget / c.cpm + c.organic_impressions for c in channels.values()],
        "click_share": each("click_share"), "persuasion": each("persuasion"), "intercept": each("intercept"),
        "home_weight": each("repeat_weight"), "slope": interest.slope,
        "half_life_long": interest.half_life_long, "half_life_short": interest.half_life_short,
        "rate_shape": buy.rate_shape, "rate_scale": buy.rate_scale, "lapse_a": buy.lapse_a, "lapse_b": buy.lapse_b,
        "past_days": past_days,
        "past_share": min(1.0, scenario.brand.new_customers / 30 * past_days / people.size),
    }
