"""Money by weights, to the cent: what the rules that share out a budget have in common."""

from __future__ import annotations

import math
from collections.abc import Mapping

from omnisim.plan import Observation, Plan


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


def share_out(observation: Observation, weights: Mapping[str, float]) -> Plan | None:
    """The plan that gives today's whole budget out by weights; None where nothing changes or nothing is known."""
    cents = split(sum(observation.budgets.values()), {name: weights.get(name, 0.0) for name in observation.budgets})
    if not any(cents.values()) or cents == dict(observation.budgets):
        return None
    return observation.spend(cents)
