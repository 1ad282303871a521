"""The reference funnel in Mesa (version 3) as agents are usually written: one step a day, in random order.

    python benchmarks/peers/mesa_plain.py < parameters.json

mesa_tuned.py says the same with more care.
"""

from __future__ import annotations

from math import exp, log1p
from typing import Any

import mesa
from people import People, main


class Consumer(mesa.Agent):
    """One consumer."""

    def __init__(self, model: Funnel, exposure: list[float], live: bool, rate: float, lapse: float, home: int) -> None:
        super().__init__(model)
        self.exposure = exposure  # expected exposures a day by channel
        self.live, self.rate, self.lapse, self.home = live, rate, lapse, home
        self.long = self.short = 0.0

    def step(self) -> None:
        """One day."""
        model = self.model
        self.long *= model.fade_long
        self.short *= model.fade_short
        visited, bought = set(), []
        for c, expected in enumerate(self.exposure):
            if self.random.random() < 1 - exp(-expected):
                model.exposures[c] += 1
                self.long += model.gain[c] * (1 - self.long)
                self.short += model.gain[c] * (1 - self.short)
                if self.random.random() < model.click_share[c]:
                    visited.add(c)
                    if not self.live and self.random.random() < self.chance_of_order(c):
                        bought.append(c)
        needs = model.poisson(self.rate) if self.live else 0
        if needs:
            model.orders[self.home] += needs
            visited.add(self.home)
            if self.random.random() >= (1 - self.lapse) ** needs:
                self.live = False
        for c in visited:
            model.visits[c] += 1
        if bought:
            self.settle(bought)

    def chance_of_order(self, c: int) -> float:
        """Logistic of intercept and interest."""
        interest = 1 - (1 - self.long) * (1 - self.short)
        return 1 / (1 + exp(-self.model.intercept[c] - self.model.slope * interest))

    def settle(self, bought: list[int]) -> None:
        """A new or won-back customer; a second order on the same day is a repeat order."""
        self.random.shuffle(bought)
        for c in bought:
            self.model.orders[c] += 1
        self.home = bought[-1]
        self.live = self.random.random() < (1 - self.lapse) ** (len(bought) - 1)


class Funnel(mesa.Model):
    """The market."""

    def __init__(self, p: dict[str, Any], people: People, seed: int) -> None:
        super().__init__(seed=seed)
        channels = len(p["channels"])
        self.exposures, self.visits, self.orders = ([0] * channels for _ in range(3))
        self.click_share, self.intercept, self.slope = p["click_share"], p["intercept"], p["slope"]
        self.gain = [1 - (1 - q) ** 0.5 for q in p["persuasion"]]
        self.fade_long, self.fade_short = (0.5 ** (1 / p[f"half_life_{part}"]) for part in ("long", "short"))
        for i in range(p["consumers"]):
            exposure = [-log1p(-float(chance)) for chance in people.exposure[:, i]]
            Consumer(self, exposure, bool(people.live[i]), float(people.rate[i]), float(people.lapse[i]),
                     int(people.home[i]))

    def poisson(self, mean: float) -> int:
        """A Poisson number, by inversion."""
        u = self.random.random()
        count, term = 0, exp(-mean)
        total = term
        while u >= total and count < 8:
            count += 1
            term *= mean / count
            total += term
        return count

    def step(self) -> None:
        """One day."""
        self.agents.shuffle_do("step")


def live_on(p: dict[str, Any], people: People, seed: int) -> dict[str, list[int]]:
    """Let the days pass; exposures, visits and orders by channel."""
    funnel = Funnel(p, people, seed)
    for _ in range(p["days"]):
        funnel.step()
    return {"exposures": funnel.exposures, "visits": funnel.visits, "orders": funnel.orders}


if __name__ == "__main__":
    main(live_on)
