"""The reference funnel in Mesa (version 3): an agent for each consumer, one step a day.

    python benchmarks/peers/mesa_tuned.py < parameters.json

Written for speed as far as agents in Python go: an agent holds the channels it uses with their chances side by side,
interest is halved only when it is looked at, `do` without shuffling (the order of agents does not matter here), slots.
"""

from __future__ import annotations

from math import exp
from typing import Any

import mesa
from people import People, main


class Consumer(mesa.Agent):
    """One consumer."""

    __slots__ = ("chances", "home", "lapse", "live", "long", "need", "rate", "seen", "short")

    def __init__(self, model: Funnel, chances: list[tuple[int, float]], live: bool, rate: float, lapse: float,
                 home: int) -> None:
        super().__init__(model)
        self.chances, self.live, self.rate, self.lapse, self.home = chances, live, rate, lapse, home
        self.need = 1 - exp(-rate)
        self.long = self.short = 0.0
        self.seen = 0

    def step(self) -> None:
        """One day: exposures by channel, then what follows from them."""
        model = self.model
        draw = model.draw
        clicked = bought = None
        for c, chance in self.chances:
            if draw() < chance:
                model.exposures[c] += 1
                self.remember(c)
                if draw() < model.click_share[c]:
                    model.visits[c] += 1
                    clicked = [*(clicked or ()), c]
                    if not self.live and draw() < model.chance_of_order(c, self.long, self.short):
                        bought = [*(bought or ()), c]
        if self.live and draw() < self.need:
            self.reorder(clicked or ())
        if bought:
            self.settle(bought)

    def remember(self, c: int) -> None:
        """Interest decays since the last exposure and rises by this one."""
        model = self.model
        age = model.day - self.seen
        gain = model.gain[c]
        part = self.long * model.decay_long[age]
        self.long = part + gain * (1 - part)
        part = self.short * model.decay_short[age]
        self.short = part + gain * (1 - part)
        self.seen = model.day

    def reorder(self, clicked: tuple[int, ...] | list[int]) -> None:
        """A Poisson number of orders that is not 0, on the channel of the last order; each may be the last."""
        model, c = self.model, self.home
        u = model.draw() * self.need
        term = total = self.rate * exp(-self.rate)
        count = 1
        while u >= total and count < 8:
            count += 1
            term *= self.rate / count
            total += term
        model.orders[c] += count
        if c not in clicked:
            model.visits[c] += 1
        self.live = model.draw() < (1 - self.lapse) ** count

    def settle(self, bought: list[int]) -> None:
        """A new or won-back customer; a second order on the same day is a repeat order."""
        model = self.model
        if len(bought) > 1:
            model.random.shuffle(bought)
        for c in bought:
            model.orders[c] += 1
        self.home = bought[-1]
        self.live = model.draw() < (1 - self.lapse) ** (len(bought) - 1)


class Funnel(mesa.Model):
    """The market."""

    def __init__(self, p: dict[str, Any], people: People, seed: int) -> None:
        super().__init__(seed=seed)
        self.draw = self.random.random
        self.day = 0
        channels = range(len(p["channels"]))
        self.exposures, self.visits, self.orders = ([0] * len(channels) for _ in range(3))
        self.click_share, self.intercept, self.slope = p["click_share"], p["intercept"], p["slope"]
        self.gain = [1 - (1 - q) ** 0.5 for q in p["persuasion"]]
        self.decay_long, self.decay_short = (
            [0.5 ** (age / p[f"half_life_{part}"]) for age in range(p["days"] + 1)] for part in ("long", "short"))
        exposure = people.exposure.astype(float)
        for i in range(p["consumers"]):
            chances = [(c, float(exposure[c, i])) for c in channels if exposure[c, i] > 0]
            Consumer(self, chances, bool(people.live[i]), float(people.rate[i]), float(people.lapse[i]),
                     int(people.home[i]))

    def chance_of_order(self, c: int, long: float, short: float) -> float:
        """Logistic of intercept and interest."""
        return 1 / (1 + exp(-self.intercept[c] - self.slope * (1 - (1 - long) * (1 - short))))

    def step(self) -> None:
        """One day."""
        self.day += 1
        self.agents.do("step")


def live_on(p: dict[str, Any], people: People, seed: int) -> dict[str, list[int]]:
    """Let the days pass; exposures, visits and orders by channel."""
    funnel = Funnel(p, people, seed)
    for _ in range(p["days"]):
        funnel.step()
    return {"exposures": funnel.exposures, "visits": funnel.visits, "orders": funnel.orders}


if __name__ == "__main__":
    main(live_on)
