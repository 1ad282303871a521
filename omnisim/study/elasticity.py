"""The click share: no table tells what share of visits is paid, and every answer about budgets hangs on it.

One click share for all channels is fitted so that the year's orders answer to half as much money again on one content
channel as advertising is known to work: short-run elasticity 0.12, between 0.05 and 0.22 (Sethuraman, Tellis & Briesch
2011). At every click share that is tried the other unknowns are moved so that the tables' figures stay where they are.
Exposures work through interest as well: outside of the catalogue's range of click shares their persuasion moves with
the click share, or no click share would give the elasticities at the ends.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from omnisim.errors import Fault
from omnisim.measure.intervals import over_seeds
from omnisim.measure.kpis import totals
from omnisim.plan import Plan, to_cents
from omnisim.scenario import catalogue
from omnisim.scenario.model import Scenario
from omnisim.simulation import finish, warm_up
from omnisim.study.fitting import Problem, Search, shrink, solve, tidy
from omnisim.study.targets import Floats

LOW, USUAL, HIGH = 0.05, 0.12, 0.22
"""Short-run elasticity of orders to advertising: low, usual, high (published)."""
RAISE = 1.5
"""The budget is multiplied by this."""
YEAR = 365
RUNS, CHECKS = 6, 12
"""Pairs of runs on the small population behind an elasticity while it is sought, and in the end on other luck."""
NEAR = 0.03
"""Relative distance from the elasticity that is sought at which the search ends."""
TRIES = 5
"""Click shares tried for one elasticity."""
LEAST, MOST = 1e-5, 0.3
"""Bounds of the click share."""
SHIFTS = 3
"""Steps that bring the tables' figures back after the click share was changed."""
APART = 6_000
"""First replication of the pairs of runs: luck that the fit does not use."""


class Answer(NamedTuple):
    """What half as much money again on one channel does in a year, by pair of runs on shared luck.

    Parameters
    ----------
    elasticity : float64 (runs,)  ln(orders with / orders without) / ln 1.5, orders of all channels
    margin : float64 (runs,)  contribution margin that the extra money brings, per unit of it
    """

    elasticity: Floats
    margin: Floats


class Stance(NamedTuple):
    """What is believed of advertising, and all that follows.

    Parameters
    ----------
    name : str  low, default or high
    sought : float  elasticity that was sought
    click_share : float
    persuasion : float  of the channel whose budget is raised
    elasticity, elasticity_low, elasticity_high : float  measured on fresh luck, with its 95 % interval
    margin, margin_low, margin_high : float  contribution margin of an extra unit of money, with its 95 % interval:
        above 1 it pays to spend more
    scenario : Scenario  fitted to the same tables
    """

    name: str
    sought: float
    click_share: float
    persuasion: float
    elasticity: float
    elasticity_low: float
    elasticity_high: float
    margin: float
    margin_low: float
    margin_high: float
    scenario: Scenario


def tested_channel(scenario: Scenario) -> str:
    """The channel whose budget is raised: the content channel with the largest, or else any; empty without budgets.

    The community's channel is none, as its money buys rewarded shares and no impressions.
    """
    home = scenario.community.channel if scenario.community else ""
    paid = {name: channel for name, channel in scenario.channels.items()
            if channel.active and name != home and channel.budget * (1 - channel.search_share) > 0}
    content = {name: channel for name, channel in paid.items() if channel.kind == "content"}
    return max(content or paid, key=lambda name: (paid[name].budget, name), default="")


def answers(scenario: Scenario, channel: str, replications: Sequence[int], *, seed: int = 1, threads: int = 1,
            small: bool = True) -> Answer:
    """Run a year with today's budgets and one with 1.5 times the channel's, on the same luck, for each replication.

    Parameters
    ----------
    small : bool  fewer consumers that each stand for more people; the same elasticity, in a tenth of the time
    """
    subject = (shrink(scenario) if small else scenario).with_({"horizon.days": YEAR})
    more = Plan(budgets={channel: (to_cents(scenario.channels[channel].budget * RAISE),)})

    def pair(replication: int) -> tuple[float, float]:
        world = warm_up(subject, seed, replication, threads=1, orders="none")
        with_, without = (totals(subject, finish(start, plan, threads=1))[0]
                          for start, plan in ((world.clone(), more), (world, None)))
        extra = without["media"] - with_["media"]  # media are negative
        return (float(np.log(with_["orders"] / without["orders"]) / np.log(RAISE)),
                (with_["contribution"] - without["contribution"]) / extra if extra else float("nan"))

    with ThreadPoolExecutor(threads) as pool:
        found = np.array(list(pool.map(pair, replications)))
    return Answer(found[:, 0], found[:, 1])


@dataclass
class ClickShares:
    """The search for click shares, from a fit that is held at each of them.

    Parameters
    ----------
    search : Search  its slopes and luck
    problem, values : Problem, unknowns  a fit on the tables
    channel : str  whose budget is raised
    advance : callable  told the work done, in runs of the small population
    seen : click share -> elasticity, all on the same luck
    usual : channel -> persuasion within the catalogue's range of click shares
    """

    search: Search
    problem: Problem
    values: Floats
    channel: str
    advance: Callable[[int], None]
    seen: dict[float, float] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=dict)
    _wanted: Floats | None = None

    def __post_init__(self) -> None:
        self.usual = self.usual or {name: channel.persuasion for name, channel in
                                    self.problem.scenario.channels.items() if channel.active}

    def find(self, sought: float) -> tuple[Problem, Floats]:
        """The problem at the click share that gives an elasticity, and the values that hold the tables' figures there.

        Notes
        -----
        Secant steps on shared luck, so that two click shares differ by their effect alone. Exposures raise interest
        too, so the elasticity does not fall to 0 with the click share: one out of reach ends at the bound.
        """
        share = self.guess(sought)
        for _ in range(TRIES):
            problem, values = self.hold(share)
            if share not in self.seen:
                scenario = problem.apply(values)
                self.seen[share] = float(answers(scenario, self.channel, range(APART, APART + RUNS),
                                                 seed=self.search.seed, threads=self.search.threads).elasticity.mean())
                self.advance(RUNS * work_of(scenario))
            if abs(self.seen[share] - sought) < NEAR * sought:
                return problem, values
            share = self.guess(sought)
        return self.hold(min(self.seen, key=lambda one: abs(self.seen[one] - sought)))

    @property
    def effort(self) -> int:
        """Work of the search and of all that is measured in the end, roughly."""
        return (5 * RUNS + 3 * CHECKS) * work_of(self.problem.scenario)

    def guess(self, sought: float) -> float:
        """The click share on the line through the two tried around an elasticity, or else the two nearest."""
        if not self.seen:
            return tidy(max(channel.click_share for channel in self.problem.scenario.channels.values()))
        near = sorted(self.seen, key=lambda share: abs(self.seen[share] - sought))
        below = [share for share in near if self.seen[share] <= sought]
        above = [share for share in near if self.seen[share] > sought]
        near = [below[0], above[0]] if below and above else near[:2]
        share = near[0] * (sought / max(self.seen[near[0]], 1e-3)) ** 2
        if len(near) == 2:
            (a, b), (at_a, at_b) = near, (self.seen[one] for one in near)
            share = a + (sought - at_a) * (b - a) / (at_b - at_a) if (at_b - at_a) * (b - a) > 0 else share
        share = float(np.clip(share, min(self.seen) / 4, max(self.seen) * 4))
        return tidy(float(np.clip(share, LEAST, MOST)))

    def hold(self, share: float) -> tuple[Problem, Floats]:
        """The problem at another click share, and values with which the figures stay as they are at the fit's.

        Notes
        -----
        The runs share their luck, so figures that agree between the two agree on any other luck as well, but for what
        little the click share itself adds.
        """
        scenario = advertise(self.problem.scenario, share, self.usual)
        if scenario.hash == self.problem.scenario.hash:
            return self.problem, self.values
        problem = self.problem.at(scenario)
        if self._wanted is None:
            self._wanted = self._residual(self.problem, self.values)
        values = self.values
        for _ in range(SHIFTS):
            values = solve(problem, self.search.slope, values, self._residual(problem, values) - self._wanted)
        return problem, values

    def _residual(self, problem: Problem, values: Floats) -> Floats:
        seen = self.search.months(values, small=True, problem=problem)
        return problem.residual(seen.mean(axis=0), values)


def advertise(scenario: Scenario, share: float, usual: Mapping[str, float]) -> Scenario:
    """The scenario with one click share on all active channels, and the persuasion that goes with it.

    Parameters
    ----------
    usual : channel -> persuasion within the catalogue's range of click shares; below and above that, it is in
        proportion to the click share
    """
    changes: dict[str, float] = {}
    for name, persuasion in usual.items():
        low, high = click_range(scenario.channels[name].preset)
        changes[f"channels.{name}.click_share"] = share
        changes[f"channels.{name}.persuasion"] = tidy(min(0.95, persuasion * share / float(np.clip(share, low, high))))
    return scenario.with_(changes)


def click_range(preset: str | None) -> tuple[float, float]:
    """Lowest and highest click share of a preset."""
    entries = [entry for entry in catalogue.parameters() if entry.name == "click_share"]
    entry = next((entry for entry in entries if entry.preset == preset), entries[0])
    return entry.low, entry.high


def work_of(scenario: Scenario) -> int:
    """Work of a pair of runs, in warm-ups of the small population."""
    return max(1, round((scenario.horizon.warm_up + 2 * YEAR) / scenario.horizon.warm_up))


def stance(name: str, sought: float, scenario: Scenario, channel: str, *, seed: int, threads: int) -> Stance:
    """What follows from a click share, measured on luck that the search has not seen."""
    replications = range(APART + RUNS, APART + RUNS + CHECKS)
    found = answers(scenario, channel, replications, seed=seed, threads=threads)
    elasticity, margin = over_seeds(found.elasticity.tolist()), over_seeds(found.margin.tolist())
    tested = scenario.channels[channel]
    return Stance(name, sought, tested.click_share, tested.persuasion, elasticity.value, elasticity.low,
                  elasticity.high, margin.value, margin.low, margin.high, scenario)


def beyond(stances: Sequence[Stance]) -> list[Fault]:
    """Elasticities that no click share gives."""
    return [Fault("fit", "click_share", f"{one.click_share:.6g}", f"gives an elasticity of {one.elasticity:.3f}, not "
                  f"{one.sought:.2f}: the budget buys too little, or the tables leave no room",
                  "Check the channel's budget and cpm.")
            for one in stances if abs(one.elasticity - one.sought) > max(0.1 * one.sought, one.elasticity_high
                                                                        - one.elasticity)]
