"""The reference funnel in Starsim (version 3): a module with states, a distribution for each decision, one step a day.

    python benchmarks/peers/starsim_tuned.py < parameters.json

Written for speed within Starsim's own idiom: distributions are asked for the agents concerned only, chances are
computed once, arrays are single precision (Starsim's default), and results are kept in plain arrays. `crn` in the
parameters switches Starsim's common random numbers; off is faster.
"""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import starsim as ss
from people import People, draw_needs, main


class Funnel(ss.Module):
    """Exposure, interest, visit, order, repurchase, lapse, win-back."""

    def __init__(self, p: dict[str, Any], people: People, seed: int) -> None:
        super().__init__()
        self.p, self.start = p, people
        channels = range(len(p["channels"]))
        self.gain = (1 - np.sqrt(1 - np.array(p["persuasion"]))).astype(np.float32)
        self.fade = [np.float32(0.5 ** (1 / p[f"half_life_{part}"])) for part in ("long", "short")]
        self.define_states(
            ss.BoolArr("live"), ss.FloatArr("long", default=0.0),
            ss.FloatArr("short", default=0.0), ss.FloatArr("need", default=0.0), ss.IntArr("home"),
            ss.IntArr("visited", default=0))
        self.exposed = [ss.bernoulli(p=0.0, name=f"exposed_{c}") for c in channels]
        self.clicks = [ss.bernoulli(p=p["click_share"][c], name=f"clicks_{c}") for c in channels]
        self.buys = [ss.random(name=f"buys_{c}") for c in channels]
        self.needs, self.lapses, self.lapses_again = ss.random(name="needs"), ss.random(name="lapses"), ss.random(
            name="lapses_again")
        self.counts = np.zeros((3, len(p["channels"])), np.int64)
        self.rng = np.random.default_rng(seed + 1)
        self.days = 0

    def init_post(self) -> None:
        """Hand the people's past to the agents."""
        super().init_post()
        start = self.start
        self.live[:], self.home[:] = start.live, start.home
        self.need[:] = -np.expm1(-start.rate)
        self.users = [ss.uids(np.flatnonzero(chance)) for chance in start.exposure]
        for c, users in enumerate(self.users):
            self.exposed[c].set(p=start.exposure[c][users])

    def step(self) -> None:
        """One day."""
        self.days += 1
        exposures, visits, orders = self.counts
        for state, fade in zip((self.long, self.short), self.fade, strict=True):
            state.raw *= fade
        self.visited.raw[:] = 0
        buyers, bought_on = [], []
        for c, users in enumerate(self.users):
            reached = self.exposed[c].filter(users)
            exposures[c] += reached.size
            for state in (self.long, self.short):
                part = state[reached]
                state[reached] = part + self.gain[c] * (1 - part)
            clicked = self.clicks[c].filter(reached)
            visits[c] += clicked.size
            self.visited[clicked] = self.visited[clicked] | 1 << c
            deciding = clicked[~self.live[clicked]]
            odds = np.exp(self.p["intercept"][c] + self.p["slope"] * (
                1 - (1 - self.long[deciding]) * (1 - self.short[deciding])))
            buying = deciding[self.buys[c].rvs(deciding) * (1 + odds) < odds]
            orders[c] += buying.size
            buyers.append(buying)
            bought_on.append(np.full(buying.size, c))
        self._repeat(visits, orders)
        self._settle(np.concatenate(buyers), np.concatenate(bought_on))

    def _repeat(self, visits: np.ndarray, orders: np.ndarray) -> None:
        """Live customers reorder where they last did, and may lapse."""
        customers = self.live.uids
        needy = customers[self.needs.rvs(customers) < self.need[customers]]
        count = draw_needs(self.rng, self.start.rate[needy])
        where = self.home[needy]
        orders += np.bincount(where, count, orders.size).astype(np.int64)
        visits += np.bincount(where[(self.visited[needy] >> where) & 1 == 0], minlength=visits.size)
        self.live[needy[self.lapses.rvs(needy) >= (1 - self.start.lapse[needy]) ** count]] = False

    def _settle(self, buying: np.ndarray, on: np.ndarray) -> None:
        """New and won-back customers; a second order on the same day is a repeat order."""
        turn = self.rng.permutation(buying.size)
        buying, on = buying[turn], on[turn]
        self.home[ss.uids(buying)] = on
        self.live[ss.uids(buying)] = True
        again = ss.uids(np.delete(buying, np.unique(buying, return_index=True)[1]))
        self.live[again[self.lapses_again.rvs(again) < self.start.lapse[again]]] = False

    def update_results(self) -> None:
        """Counted as the day passes."""


def live_on(p: dict[str, Any], people: People, seed: int) -> dict[str, list[int]]:
    """Let the days pass; exposures, visits and orders by channel."""
    ss.options(crn=bool(p.get("crn", True)), verbose=0)
    funnel = Funnel(p, people, seed)
    first = datetime.date(2024, 1, 1)
    last = first + datetime.timedelta(days=p["days"] - 1)
    sim = ss.Sim(n_agents=p["consumers"], modules=funnel, start=str(first), stop=str(last), dt=ss.days(1),
                 rand_seed=seed, copy_inputs=False)
    sim.run()
    exposures, visits, orders = funnel.counts.tolist()
    assert funnel.days == p["days"], (funnel.days, p["days"])
    return {"exposures": exposures, "visits": visits, "orders": orders}


if __name__ == "__main__":
    main(live_on)
