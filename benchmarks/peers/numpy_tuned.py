"""The reference funnel in NumPy: every consumer draws for every channel, and the few reached are followed up.

    python benchmarks/peers/numpy_tuned.py < parameters.json

Written for speed as far as arrays go: single precision, chances computed once, draws into a buffer that stays in the
cache, users only, interest halved in place, and indices instead of masks after the first comparison.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from people import People, draw_needs, main


def live_on(p: dict[str, Any], people: People, seed: int) -> dict[str, list[int]]:
    """Let the days pass; exposures, visits and orders by channel."""
    rng = np.random.Generator(np.random.SFC64(seed + 1))
    channels, n = people.exposure.shape
    users = [np.flatnonzero(people.exposure[c]) for c in range(channels)]
    chance = [people.exposure[c][users[c]] for c in range(channels)]
    draws = np.empty(n, np.float32)
    hits = np.empty(n, bool)
    live, home = people.live.copy(), people.home.copy()
    need = np.where(live, -np.expm1(-people.rate), 0.0).astype(np.float32)
    need_if_live = (-np.expm1(-people.rate)).astype(np.float32)
    long, short = np.zeros(n, np.float32), np.zeros(n, np.float32)
    fade_long, fade_short = (np.float32(0.5 ** (1 / p[f"half_life_{part}"])) for part in ("long", "short"))
    gain = (1 - np.sqrt(1 - np.array(p["persuasion"]))).astype(np.float32)
    visited = np.zeros(n, np.uint8)  # one bit a channel: clicked through today
    exposures, visits, orders = (np.zeros(channels, np.int64) for _ in range(3))

    for _ in range(p["days"]):
        long *= fade_long
        short *= fade_short
        visited[:] = 0
        buyers, bought_on = [], []
        for c in range(channels):
            size = users[c].size
            rng.random(out=draws[:size], dtype=np.float32)
            np.less(draws[:size], chance[c], out=hits[:size])
            reached = users[c][hits[:size].nonzero()[0]]
            exposures[c] += reached.size
            part = long[reached]
            long[reached] = part + gain[c] * (1 - part)
            part = short[reached]
            short[reached] = part + gain[c] * (1 - part)
            clicked = reached[rng.random(reached.size, np.float32) < p["click_share"][c]]
            visits[c] += clicked.size
            visited[clicked] |= 1 << c
            deciding = clicked[~live[clicked]]
            interest = 1 - (1 - long[deciding]) * (1 - short[deciding])
            odds = np.exp(p["intercept"][c] + p["slope"] * interest)
            buying = deciding[rng.random(deciding.size, np.float32) * (1 + odds) < odds]
            orders[c] += buying.size
            buyers.append(buying)
            bought_on.append(np.full(buying.size, c))

        rng.random(out=draws, dtype=np.float32)
        np.less(draws, need, out=hits)
        needy = hits.nonzero()[0]
        count = draw_needs(rng, people.rate[needy])
        where = home[needy]
        orders += np.bincount(where, count, channels).astype(np.int64)
        visits += np.bincount(where[(visited[needy] >> where) & 1 == 0], minlength=channels)
        lapsed = needy[rng.random(needy.size) >= (1 - people.lapse[needy]) ** count]
        live[lapsed] = False
        need[lapsed] = 0

        # settlement in random order: a second order on the same day is a repeat order, and the last one makes the home
        buying, on = np.concatenate(buyers), np.concatenate(bought_on)
        turn = rng.permutation(buying.size)
        buying, on = buying[turn], on[turn]
        home[buying] = on
        live[buying] = True
        first = np.unique(buying, return_index=True)[1]
        again = np.delete(buying, first)
        live[again[rng.random(again.size) < people.lapse[again]]] = False
        need[buying] = need_if_live[buying] * live[buying]
    return {"exposures": exposures.tolist(), "visits": visits.tolist(), "orders": orders.tolist()}


if __name__ == "__main__":
    main(live_on)
