"""The reference funnel in NumPy as vectorised agent-based models are usually written: a rule is a line over all people.

    python benchmarks/peers/numpy_plain.py < parameters.json

Masks over the whole population, double precision, NumPy's default generator; what does not change is computed once.
numpy_tuned.py says the same with more care.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from people import People, main


def live_on(p: dict[str, Any], people: People, seed: int) -> dict[str, list[int]]:
    """Let the days pass; exposures, visits and orders by channel."""
    rng = np.random.default_rng(seed + 1)
    channels, n = people.exposure.shape
    chance = people.exposure.astype(float)
    click_share = np.array(p["click_share"])[:, None]
    live, home = people.live.copy(), people.home.copy()
    long, short = np.zeros(n), np.zeros(n)
    fade_long, fade_short = 0.5 ** (1 / p["half_life_long"]), 0.5 ** (1 / p["half_life_short"])
    gain = 1 - np.sqrt(1 - np.array(p["persuasion"]))
    exposures, visits, orders = (np.zeros(channels, np.int64) for _ in range(3))

    for _ in range(p["days"]):
        long *= fade_long
        short *= fade_short
        exposed = rng.random((channels, n)) < chance
        visit = exposed & (rng.random((channels, n)) < click_share)
        order = np.zeros((channels, n), bool)
        for c in range(channels):
            long = np.where(exposed[c], long + gain[c] * (1 - long), long)
            short = np.where(exposed[c], short + gain[c] * (1 - short), short)
            interest = 1 - (1 - long) * (1 - short)
            odds = np.exp(p["intercept"][c] + p["slope"] * interest)
            order[c] = visit[c] & ~live & (rng.random(n) < odds / (1 + odds))
        needs = rng.poisson(people.rate * live)
        needy = np.flatnonzero(needs)
        visit[home[needy], needy] = True
        exposures += exposed.sum(axis=1)
        visits += visit.sum(axis=1)
        orders += order.sum(axis=1) + np.bincount(home[needy], needs[needy], channels).astype(np.int64)
        live[needy] = rng.random(needy.size) < (1 - people.lapse[needy]) ** needs[needy]

        bought = order.sum(axis=0)
        buyers = np.flatnonzero(bought)
        # who orders on two channels on one day: the second is a repeat order
        live[buyers] = rng.random(buyers.size) < (1 - people.lapse[buyers]) ** (bought[buyers] - 1)
        for c in rng.permutation(channels):
            home[order[c]] = c
    return {"exposures": exposures.tolist(), "visits": visits.tolist(), "orders": orders.tolist()}


if __name__ == "__main__":
    main(live_on)
