"""The reference funnel in Starsim (version 3) as its tutorials write modules: distributions with their chance as a
function, asked of all agents, and states changed by boolean arrays.

    python benchmarks/peers/starsim_plain.py < parameters.json

starsim_tuned.py says the same with more care. With `poisson` false in the parameters, needs are drawn as chances and
their number beside Starsim, as there: Starsim's Poisson numbers keep its promise of common random numbers by inversion,
which takes long.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable
from typing import Any

import numpy as np
import starsim as ss
from people import People, draw_needs, main


def chance_of_exposure(c: int) -> Callable[..., np.ndarray]:
    """Chance of each agent to be exposed today."""
    return lambda module, uids: -np.expm1(-module[f"expected_{c}"][uids])


def chance_of_order(c: int) -> Callable[..., np.ndarray]:
    """Chance of each agent who clicked to order: logistic of intercept and interest."""
    def chance(module: Funnel, uids: ss.uids) -> np.ndarray:
        interest = 1 - (1 - module.long[uids]) * (1 - module.short[uids])
        return 1 / (1 + np.exp(-module.p["intercept"][c] - module.p["slope"] * interest))
    return chance


def rate_of_need(module: Funnel, uids: ss.uids) -> np.ndarray:
    """Needs of each agent a day, in the mean."""
    return np.asarray(module.rate[uids], float)


def chance_of_need(module: Funnel, uids: ss.uids) -> np.ndarray:
    """Chance of each agent to need something today."""
    return -np.expm1(-module.rate[uids])


class Funnel(ss.Module):
    """Exposure, interest, visit, order, repurchase, lapse, win-back."""

    def __init__(self, p: dict[str, Any], people: People, seed: int) -> None:
        super().__init__()
        self.p, self.start = p, people
        self.channels = range(len(p["channels"]))
        self.define_states(
            ss.BoolState("live"), ss.FloatArr("long", default=0.0), ss.FloatArr("short", default=0.0),
            ss.FloatArr("rate"), ss.FloatArr("lapse"), ss.IntArr("home"),
            *(ss.FloatArr(f"expected_{c}") for c in self.channels),
            *(ss.BoolArr(f"visited_{c}", default=False) for c in self.channels))
        self.exposed = [ss.bernoulli(p=chance_of_exposure(c), name=f"exposed_{c}")
                        for c in self.channels]
        self.clicks = [ss.bernoulli(p=p["click_share"][c], name=f"clicks_{c}") for c in self.channels]
        self.buys = [ss.bernoulli(p=chance_of_order(c), name=f"buys_{c}") for c in self.channels]
        self.needs = (ss.poisson(lam=rate_of_need, name="needs") if p.get("poisson", True)
                      else ss.bernoulli(p=chance_of_need, name="needs"))
        self.lapses = ss.random(name="lapses")
        self.lapses_again = ss.random(name="lapses_again")
        self.counts = np.zeros((3, len(self.channels)), np.int64)
        self.rng = np.random.default_rng(seed + 1)
        self.days = 0

    def init_post(self) -> None:
        """Hand the people's past to the agents."""
        super().init_post()
        start = self.start
        self.live[:], self.home[:], self.rate[:], self.lapse[:] = start.live, start.home, start.rate, start.lapse
        for c in self.channels:
            self[f"expected_{c}"][:] = -np.log1p(-start.exposure[c].astype(float))

    def step(self) -> None:
        """One day."""
        self.days += 1
        exposures, visits, orders = self.counts
        for part in ("long", "short"):
            self[part][:] = self[part] * 0.5 ** (1 / self.p[f"half_life_{part}"])
        buyers, bought_on = [], []
        for c in self.channels:
            reached = self.exposed[c].filter()
            exposures[c] += reached.size
            gain = 1 - np.sqrt(1 - self.p["persuasion"][c])
            for part in ("long", "short"):
                self[part][reached] += gain * (1 - self[part][reached])
            clicked = self.clicks[c].filter(reached)
            self[f"visited_{c}"][:] = False
            self[f"visited_{c}"][clicked] = True
            buying = self.buys[c].filter(clicked[~self.live[clicked]])
            orders[c] += buying.size
            buyers.append(buying)
            bought_on.append(np.full(buying.size, c))
        self._repeat(orders)
        for c in self.channels:
            visits[c] += self[f"visited_{c}"].sum()
        self._settle(np.concatenate(buyers), np.concatenate(bought_on))

    def _repeat(self, orders: np.ndarray) -> None:
        """Live customers reorder where they last did, and may lapse."""
        if isinstance(self.needs, ss.poisson):
            customers = self.live.uids
            count = self.needs.rvs(customers)
            needy, count = customers[count > 0], count[count > 0]
        else:
            needy = self.needs.filter(self.live)
            count = draw_needs(self.rng, np.asarray(self.rate[needy], float))
        for c in self.channels:
            here = self.home[needy] == c
            orders[c] += int(count[here].sum())
            self[f"visited_{c}"][needy[here]] = True
        self.live[needy[self.lapses.rvs(needy) >= (1 - self.lapse[needy]) ** count]] = False

    def _settle(self, buying: np.ndarray, on: np.ndarray) -> None:
        """New and won-back customers; a second order on the same day is a repeat order."""
        turn = self.rng.permutation(buying.size)
        buying, on = buying[turn], on[turn]
        self.home[ss.uids(buying)] = on
        self.live[ss.uids(buying)] = True
        again = ss.uids(np.delete(buying, np.unique(buying, return_index=True)[1]))
        self.live[again[self.lapses_again.rvs(again) < self.lapse[again]]] = False


def live_on(p: dict[str, Any], people: People, seed: int) -> dict[str, list[int]]:
    """Let the days pass; exposures, visits and orders by channel."""
    ss.options(verbose=0)
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
