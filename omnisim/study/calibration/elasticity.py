"""The click share: no table tells what share of visits is paid, and every answer about budgets hangs on it.

One click share for all channels is fitted so that the year's orders answer to half as much money again on one content
channel as advertising is known to work: short-run elasticity 0.12, between 0.05 and 0.22 (Sethuraman, Tellis & Briesch
2011). At every click share that is tried the other unknowns are moved so that the tables' figures stay where they are.
Exposures work through interest as well, and clicks cannot be more than the tables have visitors: below the catalogue's
range, and above what visitors leave room for, the click share stays and the persuasion moves on in its place.
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
from omnisim.study.calibration.fitting import Problem, Search, shrink, tidy
from omnisim.study.calibration.holding import hold_figures, residual_at
from omnisim.study.calibration.targets import Floats

LOW, USUAL, HIGH = 0.05, 0.12, 0.22
"""Short-run elasticity of orders to advertising: low, usual, high (published)."""
RAISE = 1.5
"""The budget is multiplied by this."""
YEAR = 365
RUNS, CHECKS = 8, 12
"""Pairs of runs on the small population behind an elasticity while it is sought, and in the end on other luck."""
NEAR = 0.03
"""Relative distance from the elasticity that is sought at which the search ends."""
TRIES = 5
"""Click shares tried for one elasticity."""
MOSTLY, HELD = 3, 6
"""Click shares that are mostly tried, and runs that hold the tables' figures at each."""
FULL = 0.8
"""Share of a channel's visitors that clicks may bring: more, and return visits alone are too many."""
BEYOND_LOW, BEYOND_HIGH = 10.0, 2.0
"""Persuasion is lowered and raised by no more than this, beyond the lowest and the highest click share."""
SHIFTS = 7
"""Steps that bring the tables' figures back after the click share was changed, at most."""
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
    """The channel whose budget is raised: the content channel with the largest, or else any.

    Empty without budgets, and where nothing is sold. The community's channel is none, as its money buys rewarded shares
    and no impressions.
    """
    if not any(channel.active and channel.checkout for channel in scenario.channels.values()):
        return ""
    home = home_of(scenario)
    paid = {name: channel for name, channel in scenario.channels.items()
            if channel.active and name != home and channel.budget * (1 - channel.search_share) > 0}
    content = {name: channel for name, channel in paid.items() if channel.kind == "content"}
    return max(content or paid, key=lambda name: (paid[name].budget, name), default="")


def home_of(scenario: Scenario) -> str:
    """The community's channel, whose money buys no impressions; empty without one."""
    return scenario.community.channel if scenario.community else ""


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
        return (float(np.log(max(with_["orders"], 1) / max(without["orders"], 1)) / np.log(RAISE)),
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
    seen : strength -> elasticity, all on the same luck; see `advertise`
    usual : channel -> persuasion within the catalogue's range of click shares
    ends : (float, float)  lowest and highest click share
    held : strength -> problem, values and slopes that hold the tables' figures there
    """

    search: Search
    problem: Problem
    values: Floats
    channel: str
    advance: Callable[[int], None]
    seen: dict[float, float] = field(default_factory=dict)
    usual: dict[str, float] = field(default_factory=dict)
    held: dict[float, tuple[Problem, Floats, Floats]] = field(default_factory=dict)
    ends: tuple[float, float] = field(init=False)
    _wanted: Floats | None = None

    def __post_init__(self) -> None:
        self.ends = ends_of(self.problem)
        self.usual = self.usual or {name: channel.persuasion for name, channel in
                                    self.problem.scenario.channels.items() if channel.active}

    def find(self, sought: float) -> tuple[Problem, Floats, Floats]:
        """The problem in which advertising works as sought, and the values and slopes that hold the tables there.

        Notes
        -----
        Secant steps on shared luck, so that two strengths differ by their effect alone.
        """
        strength = self.guess(sought)
        for _ in range(TRIES):
            problem, values, _ = self.hold(strength)
            if strength not in self.seen:
                scenario = problem.apply(values)
                found = answers(scenario, self.channel, range(APART, APART + RUNS), seed=self.search.seed,
                                threads=self.search.threads)
                self.seen[strength] = float(found.elasticity.mean())
                self.advance(RUNS * work_of(scenario))
            following = self.guess(sought)
            if abs(self.seen[strength] - sought) < NEAR * sought or following in self.seen:
                break
            strength = following
        return self.hold(min(self.seen, key=lambda one: abs(self.seen[one] - sought)))

    def guess(self, sought: float) -> float:
        """The strength on the line through the two tried around an elasticity, or else the two nearest."""
        if not self.seen:
            shares = [channel.click_share for channel in self.problem.scenario.channels.values()]
            return tidy(max(self.ends[0], *shares))
        near = sorted(self.seen, key=lambda one: abs(self.seen[one] - sought))
        below = [one for one in near if self.seen[one] <= sought]
        above = [one for one in near if self.seen[one] > sought]
        near = [below[0], above[0]] if below and above else near[:2]
        strength = near[0] * (sought / max(self.seen[near[0]], 1e-3)) ** 2
        if len(near) == 2:
            (a, b), (at_a, at_b) = np.log(near), (self.seen[one] for one in near)
            if (at_b - at_a) * (b - a) > 0:
                strength = float(np.exp(a + (sought - at_a) * (b - a) / (at_b - at_a)))
        low, high = self.ends[0] / BEYOND_LOW, self.ends[1] * BEYOND_HIGH
        return tidy(float(np.clip(strength, max(low, min(self.seen) / 3), min(high, max(self.seen) * 3))))

    def hold(self, strength: float) -> tuple[Problem, Floats, Floats]:
        """The problem at another strength, and values and slopes with which the figures stay as they are at the fit's.

        Notes
        -----
        The runs share their luck, so figures that agree between the two agree on any other luck as well, but for what
        little the strength itself adds. Steps start from the nearest that was held; where slopes from there no longer
        serve, they are measured anew.
        """
        if strength in self.held:
            return self.held[strength]
        problem = self.problem.at(advertise(self.problem.scenario, strength, self.usual, self.ends))
        if self._wanted is None:
            self._wanted = residual_at(self.search, self.problem, self.values)
        nearest = min(self.held, key=lambda one: abs(np.log(one / strength)), default=None)
        _, values, slope = self.held[nearest] if nearest else (None, self.values, self.search.slope)
        values, slope = hold_figures(self.search, problem, (values, slope), self._wanted, SHIFTS)
        self.held[strength] = problem, values, slope
        return self.held[strength]


def advertise(scenario: Scenario, strength: float, usual: Mapping[str, float], ends: tuple[float, float]) -> Scenario:
    """The scenario with one click share on all active channels, and the persuasion that goes with it.

    Parameters
    ----------
    strength : float  the click share between the ends; beyond, the click share stays at the end and persuasion changes
        in proportion
    usual : channel -> persuasion between the ends
    ends : (float, float)  lowest and highest click share
    """
    share = tidy(float(np.clip(strength, *ends)))
    changes: dict[str, float] = {}
    for name, persuasion in usual.items():
        changes[f"channels.{name}.click_share"] = share
        changes[f"channels.{name}.persuasion"] = tidy(min(0.9, persuasion * strength / share))
    return scenario.with_(changes)


def ends_of(problem: Problem) -> tuple[float, float]:
    """Lowest click share of the catalogue, and the one at which clicks bring four in five visitors of a channel."""
    low, high = min((entry.low, entry.high) for entry in catalogue.parameters() if entry.name == "click_share")
    rooms = []
    for target in problem.targets:
        channel = problem.scenario.channels[target.channel]
        paid = 0.0 if target.channel == home_of(problem.scenario) else channel.budget * (1 - channel.search_share)
        seen = 1000 * paid / channel.cpm + channel.organic_impressions
        rooms += [FULL * target.uv / 30 / seen] if seen > 0 else []
    return low, max(low, min(rooms, default=high))


def work_of(scenario: Scenario) -> int:
    """Work of a pair of runs, in warm-ups of the small population."""
    return max(1, round((scenario.horizon.warm_up + 2 * YEAR) / scenario.horizon.warm_up))


def effort(scenario: Scenario) -> tuple[int, int]:
    """Work of the search for one elasticity, and of measuring one in the end, roughly."""
    return MOSTLY * (RUNS * work_of(scenario) + HELD), CHECKS * work_of(scenario)


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
