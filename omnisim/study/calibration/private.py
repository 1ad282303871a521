"""The repurchase rate of the community's channel, as a further target of a calibration.

What is sought is the KPI `private_repeat_rate_90d`: of those who order on the community's channel, who orders again,
anywhere, within 90 days. It answers first to the pace of all repurchase, brand.repurchase.rate_scale: as most buyers
of the channel have no seat, what a seat adds (community.touch) moves it by a few points over its whole range, and not
below what buyers do without a seat. Where a transaction log has told the pace, touch is all that is left to move.
At every value tried the other unknowns are moved so that the tables' figures stay where they are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from omnisim.errors import Fault, InfeasibleError, UsageError
from omnisim.measure.cohorts import private_repeat_rate
from omnisim.scenario.model import Scenario
from omnisim.simulation import simulate
from omnisim.study.calibration.fit import Row
from omnisim.study.calibration.fitting import Problem, Search, cost, tidy
from omnisim.study.calibration.holding import hold_figures, residual_at
from omnisim.study.calibration.targets import Floats

PACE, TOUCH = "brand.repurchase.rate_scale", "community.touch"
MEASURE = "private_repeat_rate_90d"
WITHIN = 90
"""Days in which an order must follow."""
DAYS = 180
"""Reported days at least: the first 90 give buyers, the last 90 show who comes back."""
POINTS = 0.005
"""How far from the target the rate may be, beside two standard errors."""
NEAR = 0.001
"""Distance at which the search ends."""
TRIES = 8
"""Values tried at most; where none of them will do, the ends of the range are measured as well."""
RUNS = 6
"""Runs behind a rate, on the luck that all values share, and in the end on other luck."""
WIDE = 8.0
"""The pace is changed by no more than this factor."""
MOST = 10.0
"""The largest touch that a scenario holds."""
STEP = 2.0
"""A first step multiplies the pace, or 1 + touch, by at most this."""
SLOPE = {PACE: -0.15, TOUCH: 0.03}
"""Change of the rate by the parameter's logarithm (that of 1 + touch), until it has been measured."""
SHIFTS = 5
"""Steps that bring the tables' figures back, at most."""
APART = 8_000
"""First replication of the runs: luck that the fit does not use."""


class Rate(NamedTuple):
    """A repurchase rate: mean over runs, pooled by buyers, and its standard error [share]."""

    value: float
    error: float


def measure(scenario: Scenario, replications: Sequence[int], *, seed: int = 1, threads: int = 1) -> Rate:
    """The rate that a scenario has: customers of all runs who ordered again, over those who could have.

    Notes
    -----
    The standard error is that of a ratio of sums over the runs, or the binomial one if that is larger: few runs
    may agree by chance.
    """
    assert scenario.community is not None
    subject = scenario.with_({"horizon.days": max(scenario.horizon.days, DAYS)})
    place = list(subject.channels).index(scenario.community.channel)

    def one(replication: int) -> tuple[int, int]:
        books = simulate(subject, seed=seed, replication=replication, threads=1)
        return private_repeat_rate(books.orders, place, books.days, within=WITHIN)

    with ThreadPoolExecutor(threads) as pool:
        again, buyers = np.array(list(pool.map(one, replications)), float).T
    total = buyers.sum()
    if total == 0:
        raise UsageError(Fault("calibrate", "private_repeat", "", f"nobody orders on {scenario.community.channel}, "
                               "so that nobody can order again", "Check its orders, or leave the target out."))
    rate = again.sum() / total
    spread = ((again - rate * buyers) ** 2).sum() * len(buyers) / max(len(buyers) - 1, 1)
    return Rate(float(rate), float(max(spread, total * rate * (1 - rate)) ** 0.5 / total))


def check_target(rate: float, scenario: Scenario) -> None:
    """Refuse a rate that cannot be meant, or a scenario without the group.

    Raises
    ------
    UsageError
    """
    faults = []
    if not 0 < rate < 1:
        faults.append(Fault("calibrate", "private_repeat", repr(rate), "must be a share above 0 and below 1",
                            "For 10 % below a benchmark give 0.9 times the benchmark."))
    community = scenario.community
    if community is None or not scenario.channels[community.channel].checkout:
        faults.append(Fault("calibrate", "private_repeat", f"{rate:g}", "needs a community on a channel that sells",
                            "Add a community to the scenario, or leave the target out."))
    if faults:
        raise UsageError(*faults)


@dataclass
class PrivateRepeat:
    """The search for the value of one parameter that gives the rate, from a fit that is held at each value.

    Parameters
    ----------
    search : Search  its slopes and luck
    problem, values : Problem, unknowns  a fit on the tables
    parameter : str  path of what is moved
    advance : callable  told the work done, in runs of the small population
    seen : value -> Rate, all on the same luck
    held : value -> problem, values and slopes that hold the tables' figures there
    """

    search: Search
    problem: Problem
    values: Floats
    parameter: str
    advance: Callable[[int], None]
    seen: dict[float, Rate] = field(default_factory=dict)
    held: dict[float, tuple[Problem, Floats, Floats]] = field(default_factory=dict)
    start: float = field(init=False)
    found: float | None = None
    _wanted: Floats | None = None

    def __post_init__(self) -> None:
        scenario = self.problem.scenario
        assert scenario.community is not None
        self.start = scenario.brand.repurchase.rate_scale if self.parameter == PACE else scenario.community.touch

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest value that is tried."""
        return (self.start / WIDE, self.start * WIDE) if self.parameter == PACE else (0.0, MOST)

    @property
    def value(self) -> float:
        """Where the parameter stands: what was found, once it was."""
        return self.start if self.found is None else self.found

    def find(self, sought: float) -> tuple[Problem, Floats, Floats]:
        """The problem in which the rate is as sought, and the values and slopes that hold the tables there.

        Notes
        -----
        Secant steps on shared luck, between the nearest values below and above once there are such.

        Raises
        ------
        InfeasibleError  where no value within the range gives it, with the rates that can be had
        """
        value = tidy(self.start)
        while abs(self.at(value).value - sought) >= NEAR and len(self.seen) < TRIES:
            value = self.guess(sought)
            if value in self.seen:
                break
        best = min(self.seen, key=lambda one: abs(self.seen[one].value - sought))
        if abs(self.seen[best].value - sought) > POINTS:
            low, high = sorted(self.at(tidy(end)).value for end in self.ends)
            raise InfeasibleError(Fault(
                "calibrate", "private_repeat", f"{sought:.4g}", f"must be from {low:.3f} to {high:.3f}: what "
                f"{self.parameter} from {self.ends[0]:.4g} to {self.ends[1]:.4g} gives beside the tables",
                "Set another target, or fit the pace of repurchase first (a transaction log, brand.repurchase)."))
        self.found = best
        return self.held[best]

    def settle(self, sought: float) -> tuple[Search, Floats]:
        """A search that goes on from where the rate is as sought, its batches on the full population forgotten."""
        problem, values, slope = self.find(sought)
        old = self.search
        search = Search(problem, old.seed, old.threads, old.advance, n_runs=old.n_runs)
        search.slope = slope
        return search, values

    def at(self, value: float) -> Rate:
        """The rate at a value, measured once."""
        if value not in self.seen:
            problem, values, _ = self.hold(value)
            scenario = problem.apply(values)
            self.seen[value] = measure(scenario, range(APART, APART + RUNS), seed=self.search.seed,
                                       threads=self.search.threads)
            self.advance(cost(scenario, 2 * RUNS, small=False))
        return self.seen[value]

    def guess(self, sought: float) -> float:
        """The value on the line through the two tried around a rate, or else the two nearest."""
        shift = 0.0 if self.parameter == PACE else 1.0
        near = sorted(self.seen, key=lambda one: abs(self.seen[one].value - sought))
        below = [one for one in near if self.seen[one].value <= sought]
        above = [one for one in near if self.seen[one].value > sought]
        near = [below[0], above[0]] if below and above else near[:2]
        slope = SLOPE[self.parameter]
        if len(near) == 2:
            (a, b), (at_a, at_b) = np.log(np.array(near) + shift), (self.seen[one].value for one in near)
            measured = (at_b - at_a) / (b - a)
            slope = measured if measured * slope > 0 else slope  # the wrong sign is luck
        step = (sought - self.seen[near[0]].value) / slope
        reach = np.log(STEP) if len(self.seen) == 1 else np.log(WIDE)
        found = np.exp(np.log(near[0] + shift) + np.clip(step, -reach, reach)) - shift
        return tidy(float(np.clip(found, *self.ends)))

    def hold(self, value: float) -> tuple[Problem, Floats, Floats]:
        """The problem at another value, and unknowns and slopes with which the figures stay as they are at the fit's.

        Notes
        -----
        On shared luck and the small population, as for the click share: see `ClickShares.hold`.
        """
        if value in self.held:
            return self.held[value]
        problem = self.problem.at(self.problem.scenario.with_({self.parameter: value}))
        if self._wanted is None:
            self._wanted = residual_at(self.search, self.problem, self.values)
        nearest = min(self.held, key=lambda one: abs(one - value), default=None)
        _, values, slope = self.held[nearest] if nearest is not None else (None, self.values, self.search.slope)
        values, slope = hold_figures(self.search, problem, (values, slope), self._wanted, SHIFTS)
        self.held[value] = problem, values, slope
        return self.held[value]


def effort(scenario: Scenario) -> tuple[int, int]:
    """Work of the search and of the check, roughly."""
    rate = cost(scenario, 2 * RUNS, small=False)
    return 4 * rate, rate


def check_rate(scenario: Scenario, sought: float, *, seed: int, threads: int) -> Row:
    """The rate beside the target, on luck that neither the fit nor the search has seen."""
    assert scenario.community is not None
    found = measure(scenario, range(APART + RUNS, APART + 2 * RUNS), seed=seed, threads=threads)
    return Row(scenario.community.channel, MEASURE, "share", sought, found.value, found.error, POINTS / sought)


def off_target(row: Row, parameter: str) -> list[Fault]:
    """That the rate was not reached after all, if so."""
    return [] if row.within else [Fault(
        "fit", f"{row.channel}.{row.measure}", f"{row.simulated:.4f}", f"is {100 * (row.simulated - row.table):+.2f} "
        f"points off the target {row.table:.4f}", f"Run the fit with another seed, or move {parameter} a little.")]
