"""Money by weights, to the cent and within the limits: what the rules that share out a budget have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import timedelta

from omnisim.errors import Fault, UsageError
from omnisim.plan import Observation, Plan, to_cents
from omnisim.scenario.allocation import ChannelLimit, Limits

Bounds = Mapping[str, tuple[int, int]]
"""Channel -> least and most [cents/day]."""
ENDLESS = 2**62
BEYOND = ("groups", "ratios", "ramp", "roi", "cac", "hours", "cash", "stock", "max_core", "rows")
BEYOND_CHANNEL = ("opening_cost", "roi", "cac")
"""Limits that a rule which looks at one figure a channel cannot keep."""


def split(total: int, weights: Mapping[str, float]) -> dict[str, int]:
    """An amount shared out in proportion to weights, by largest remainder; ties go to the earlier name.

    Parameters
    ----------
    total : int [cents]
    weights : channel -> float ≥ 0  what is not finite counts as 0

    Returns
    -------
    channel -> int [cents]  that sum to the total; nothing for all where no weight is above 0
    """
    held = {name: weight if math.isfinite(weight) and weight > 0.0 else 0.0 for name, weight in weights.items()}
    whole = math.fsum(held.values())
    if whole <= 0.0:
        return dict.fromkeys(held, 0)
    exact = {name: total * (weight / whole) for name, weight in held.items()}
    cents = {name: math.floor(amount) for name, amount in exact.items()}
    left = total - sum(cents.values())
    for name in sorted(exact, key=lambda name: cents[name] - exact[name])[:left]:
        cents[name] += 1
    return cents


def split_within(total: int, weights: Mapping[str, float], bounds: Bounds) -> dict[str, int]:
    """As :func:`split`, each part between its bounds: whoever is held at a bound leaves the others more, or less.

    Returns
    -------
    channel -> int [cents]  that sum to the total, unless all that have a weight are at their most

    Notes
    -----
    The parts are min(most, max(least, λ · weight)) for one λ. It is found by holding, again and again, either all parts
    that are too large or all that are too small, whichever are further off in sum.
    """
    held: dict[str, int] = {}
    while True:
        free = {name: weight for name, weight in weights.items() if name not in held}
        parts = split(max(0, total - sum(held.values())), free)
        over = {name: bounds[name][1] for name in free if parts[name] > bounds[name][1]}
        under = {name: bounds[name][0] for name in free if parts[name] < bounds[name][0]}
        if not over and not under:
            return {name: {**held, **parts}[name] for name in weights}
        excess = sum(parts[name] - most for name, most in over.items())
        missing = sum(least - parts[name] for name, least in under.items())
        held |= over if excess >= missing else under


def bounds_of(observation: Observation, policy: str) -> tuple[int, Bounds]:
    """What there is to spend [cents/day], and what the limits leave of it for each channel.

    Parameters
    ----------
    policy : str  its name, for the fault

    Raises
    ------
    UsageError  for limits that no rule of one figure a channel can keep, and floors above what there is
    """
    limits = observation.limits
    usual = observation.usual or observation.budgets
    total = sum(usual.values())
    if limits is None:
        return total, dict.fromkeys(observation.budgets, (0, ENDLESS))
    refuse_limits(limits, policy)
    if limits.budget is not None:
        total = to_cents(limits.budget)
    if limits.period_budgets:
        period = min(observation.day // limits.period, len(limits.period_budgets) - 1)
        total = min(total, to_cents(limits.period_budgets[period]))
    found = {name: _bounds(observation, limits, name, usual[name]) for name in observation.budgets}
    least = sum(low for low, _ in found.values())
    if least > total or any(low > high for low, high in found.values()):
        raise UsageError(Fault("policy", policy, f"{least / 100:,.2f} a day", "is what the floors ask for, more than "
                               f"caps and the total of {total / 100:,.2f} leave", "Lower a floor, or raise the total."))
    return total, found


def _bounds(observation: Observation, limits: Limits, name: str, usual: int) -> tuple[int, int]:
    one = limits.channels.get(name, ChannelLimit())
    low, high = [0.0], [float(ENDLESS)]
    low += [] if one.floor is None else [100.0 * one.floor]
    low += [] if one.low is None else [one.low * usual]
    high += [100.0 * cap for cap in (one.cap, one.inventory) if cap is not None]
    high += [] if one.high is None else [one.high * usual]
    if limits.step is not None:
        low.append((1.0 - limits.step) * usual)
        high.append((1.0 + limits.step) * usual)
    late = one.opens_in is not None and observation.day < one.opens_in * limits.period
    if one.opens is not None and observation.start is not None:
        late = late or observation.start + timedelta(days=observation.day) < one.opens
    if late:
        return 0, 0
    return math.ceil(max(low) - 1e-6), math.floor(min(high) + 1e-6)


def refuse_limits(limits: Limits, policy: str) -> None:
    """Refuse limits that a rule cannot keep, by name.

    Raises
    ------
    UsageError  with every such limit
    """
    plain = Limits()
    named = [f"limits.{name}" for name in BEYOND if getattr(limits, name) != getattr(plain, name)]
    named += [f"limits.channels.{channel}.{name}" for channel, one in limits.channels.items()
              for name in BEYOND_CHANNEL if getattr(one, name) != getattr(ChannelLimit(), name)]
    if named:
        raise UsageError(*(Fault("policy", policy, name, "cannot be kept by a rule that shares a budget out by one "
                                 "figure a channel", "Use lp_once, lp_rolling or reference, or take the limit out.")
                           for name in named))


def share_out(observation: Observation, weights: Mapping[str, float], policy: str) -> Plan | None:
    """The plan that gives the budget out by weights, within the limits; None where nothing changes or is known."""
    total, bounds = bounds_of(observation, policy)
    known = {name: weights.get(name, 0.0) for name in observation.budgets}
    if not any(split(total, known).values()):
        return None
    cents = split_within(total, known, bounds)
    return None if cents == dict(observation.budgets) else observation.spend(cents)
