"""Find the parameters with which a simulation comes to the brand's table: Gauss-Newton on shared luck.

Each channel has four unknowns: its level (multiplies the visits that nobody paid for), its return visits, the
intercept of first orders and the weight it has in repurchase. The table gives two figures for these, visitors and
orders; the catalogue's visits per visitor are a third, held less tightly; for the rest, unknowns stay as near to where
they started as the figures allow. The brand's past first orders a month follow the simulated ones.

A daily table takes the place of the catalogue: its visits and orders are two figures a channel and period, and where
the period is a campaign its factor is one unknown more. New users follow exactly from the share that registers.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import lsq_linear

from omnisim.scenario.baskets import mean_worth, round_order_value
from omnisim.scenario.fields import MOST_FACTOR
from omnisim.scenario.model import Scenario
from omnisim.study.calibration.daily import NOTHING, DailyTargets, DayTarget, guess_factors
from omnisim.study.calibration.targets import (
    FIRST,
    GMV,
    ORDERS,
    UV,
    VISITS,
    Floats,
    Target,
    Task,
    column,
    observe,
)

SMALL = 100_000
"""Consumers in the runs that measure how figures answer to parameters."""
SMALL_RUNS, FULL_RUNS = 2, 4
"""Runs that are averaged, at the two sizes; slopes need one, as both ends have the same luck."""
SMALL_STEPS, FULL_STEPS = 5, 4
"""Steps on the small population, and batches of runs on the full one: at most so many."""
SURE, SURE_DAY = 0.005, 0.01
"""Standard error of a month's and a day's figures, over all batches, at which no further batch is needed."""
NEAR = 0.02
"""Distance from the targets (in logs) at which the small population has done its part."""
UNSPENT = 0.005
"""Share of a day's cost from which money that searches leave unspent is given to impressions."""
LINEAR, STRAIGHT = 0.15, 0.3
"""Change of figures, and of unknowns, in logs, over which a batch still speaks for others, through the Jacobian."""
LEVEL = ("direct", "follow", "search")
"""Fields of a channel that its level multiplies; on the community's channel, the links that readers open as well."""


class Unknown(NamedTuple):
    """A number that is sought: how freely it may leave its start (prior sd), how far, and the bump of a slope."""

    channel: str
    name: str
    start: float
    spread: float
    low: float
    high: float
    bump: float
    period: int = -1


class Want(NamedTuple):
    """A figure that is wanted, in logs, how tightly, and the standard error at which it is known well enough."""

    channel: int
    name: str
    value: float
    tolerance: float
    sure: float = SURE
    period: int = -1


@dataclass
class Problem:
    """A scenario, what it should come to, and what may be changed about it."""

    scenario: Scenario
    targets: tuple[Target, ...]
    asked: DailyTargets = NOTHING
    unknowns: tuple[Unknown, ...] = field(init=False)
    wants: tuple[Want, ...] = field(init=False)
    order_value: dict[str, float] = field(init=False)
    registration: dict[str, float] = field(init=False)
    search_share: dict[str, float] = field(init=False)
    rows: NDArray[np.int64] = field(init=False)
    first_visits: dict[str, list[float]] = field(default_factory=dict)
    """Of each batch: first visits in 60 days, over the daily table's days."""

    def __post_init__(self) -> None:
        names = sorted(name for name, channel in self.scenario.channels.items() if channel.active)
        self.rows = np.array([names.index(target.channel) for target in self.targets])
        self.order_value = {t.channel: t.order_value for t in self.targets if t.sells}
        daily = {day.row for day in self.asked.days if day.visits > 0}
        self.registration = {self.targets[day.row].channel: self.scenario.channels[self.targets[day.row].channel]
                             .registration for day in self.asked.days}
        self.search_share = {name: self.scenario.channels[name].search_share for name in self.registration}
        unknowns, wants = list[Unknown](), list[Want]()
        for n, target in enumerate(self.targets):
            unknowns += self._unknowns(target)
            wants.append(Want(n, "monthly_uv", np.log(target.uv), 0.002))
            if n not in daily:
                wants.append(Want(n, "visits_per_visitor", np.log(target.visits_per_visitor), 0.02))
            if target.sells:
                wants.append(Want(n, "orders", np.log(target.orders), 0.002))
        for (row, period), factor in guess_factors(self.targets, self.asked).items():
            spread = 0.5 if self.targets[row].sells else 0.02  # without orders nothing tells it from the level
            at, most = float(np.log(min(factor, MOST_FACTOR))), float(np.log(MOST_FACTOR))
            unknowns.append(Unknown(self.targets[row].channel, "factor", at, spread, at - 1, min(at + 1, most), 0.1,
                                    period))
        for day in self.asked.days:
            wants += self._wants(day)
        if any(target.sells for target in self.targets):
            first = max(self.scenario.brand.new_customers, 0.1)
            unknowns.append(Unknown("", "new_customers", np.log(first), 2.0, np.log(first) - 7, np.log(first) + 7, 0.2))
            wants.append(Want(-1, "new_customers", 0.0, 0.01))
        self.unknowns, self.wants = tuple(unknowns), tuple(wants)

    def _wants(self, day: DayTarget) -> list[Want]:
        found = []
        if day.visits > 0:
            found.append(Want(day.row, "visits", np.log(day.visits), 0.01, SURE_DAY, day.period))
        if day.orders > 0 and self.targets[day.row].sells:
            # usual days say again what the month says: no unknown is to answer for what luck makes of so many orders
            period = self.asked.periods[day.period]
            luck = (day.orders * len(period.dates)) ** -0.5 if period.campaign < 0 else 0.0
            found.append(Want(day.row, "orders", np.log(day.orders), float(np.hypot(0.01, luck)), SURE_DAY, day.period))
        return found

    def _unknowns(self, target: Target) -> list[Unknown]:
        channel = self.scenario.channels[target.channel]
        community = self.scenario.community
        opened = [community.click] if community and community.channel == target.channel else []
        parts = [getattr(channel, name) for name in LEVEL] + opened
        highest = float(np.log(1.0 / max(parts))) if max(parts) > 0 else 0.0
        revisit = float(np.log(max(channel.revisit, 1e-3)))
        found = [Unknown(target.channel, "level", 0.0, 3.0, -9.0, max(0.0, highest), 0.2),
                 Unknown(target.channel, "revisit", revisit, 0.4, np.log(0.02), np.log(0.8), 0.1)]
        if target.sells:
            weight = float(np.log(max(channel.repeat_weight, 1e-4)))
            found += [Unknown(target.channel, "intercept", channel.intercept, 0.7, -15.0, 3.0, 0.25),
                      Unknown(target.channel, "repeat_weight", weight, 0.5, weight - 7, weight + 7, 0.3)]
        return found

    @property
    def start(self) -> Floats:
        """The unknowns as the scenario has them."""
        return np.array([u.start for u in self.unknowns])

    def apply(self, values: Floats) -> Scenario:
        """The scenario with these values of the unknowns, and nothing else changed."""
        changes: dict[str, object] = {}
        factors: dict[int, dict[str, float]] = {}
        for unknown, value in zip(self.unknowns, values.tolist(), strict=True):
            place = f"channels.{unknown.channel}."
            if unknown.name == "factor":
                factors.setdefault(self.asked.periods[unknown.period].campaign, {})[unknown.channel] = tidy(
                    np.exp(value))
            elif unknown.name == "level":
                channel, community = self.scenario.channels[unknown.channel], self.scenario.community
                changes |= {place + name: tidy(getattr(channel, name) * np.exp(value)) for name in LEVEL
                            if getattr(channel, name) > 0}
                if community and community.channel == unknown.channel:
                    changes["community.click"] = tidy(community.click * np.exp(value))
            elif unknown.name == "new_customers":
                changes["brand.new_customers"] = tidy(np.exp(value))
            else:
                changes[place + unknown.name] = tidy(value if unknown.name == "intercept" else np.exp(value))
        changes |= {f"channels.{name}.order_value": round_order_value(self.scenario, name, value)
                    for name, value in self.order_value.items()}
        changes |= {f"channels.{name}.registration": tidy(value) for name, value in self.registration.items()}
        changes |= {f"channels.{name}.search_share": tidy(value) for name, value in self.search_share.items()}
        for number, fitted in factors.items():
            old = self.scenario.calendar.campaigns[number].factor
            names = (name for name, channel in self.scenario.channels.items() if channel.active)
            rest = old if isinstance(old, dict) else dict.fromkeys(names, old)
            changes[f"calendar.campaigns.{number}.factor"] = {
                name: factor for name, factor in (rest | fitted).items() if factor != 1.0 or name in fitted}
        return self.scenario.with_(changes)

    def at(self, scenario: Scenario) -> Problem:
        """The same problem on a scenario that differs in values that are not fitted."""
        other = Problem(scenario, self.targets, self.asked)
        other.order_value, other.registration = dict(self.order_value), dict(self.registration)
        other.search_share = dict(self.search_share)
        return other

    def distance(self, month: Floats) -> Floats:
        """How far a month is from what is wanted, in logs."""
        seen = month[self.rows]
        found = []
        for want in self.wants:
            if want.name == "new_customers":
                found.append(np.log(max(month[:, FIRST].sum(), 0.5)))
                continue
            row = seen[want.channel]
            if want.period >= 0:
                value = row[column(want.period, want.name)]
            else:
                value = {"monthly_uv": row[UV], "visits_per_visitor": row[VISITS] / max(row[UV], 1),
                         "orders": row[ORDERS]}[want.name]
            found.append(np.log(max(value, 0.5)) - want.value)
        return np.array(found)

    def residual(self, month: Floats, values: Floats) -> Floats:
        """The distance, with first orders measured against those that the brand is said to have had."""
        found = self.distance(month)
        if self.wants and self.wants[-1].name == "new_customers":
            found[-1] -= values[-1]
        return found

    def reprice(self, months: Floats, *, afresh: bool = True) -> None:
        """Order values, registration and search shares such that mean orders, new users and costs come to the tables'.

        Parameters
        ----------
        months : float64  simulated with today's values
        afresh : bool  whether earlier months are forgotten; else new users rest on all of them

        Notes
        -----
        New users are a share of the first visits in 60 days, so their ratio is exact but for luck. So is that of units
        an order, which scale with the order value; where no segment spends more or less than another there is no ratio
        to find, and the order value is the table's. Money that searches leave unspent buys impressions instead.
        """
        for name in self.registration:
            days = [day for day in self.asked.days if self.targets[day.row].channel == name]
            seen = sum(months[:, self.rows[day.row], column(day.period, "new_users")].sum() / len(months)
                       * len(self.asked.periods[day.period].dates) for day in days)
            asked = sum(day.new_users * len(self.asked.periods[day.period].dates) for day in days)
            known = [] if afresh else self.first_visits.get(name, [])
            if seen > 0:
                self.first_visits[name] = known = [*known, seen / self.registration[name]]
                self.registration[name] = min(1.0, float(asked * len(known) / sum(known)))
        for day in self.asked.days:
            name = self.targets[day.row].channel
            left = day.cost - months[:, self.rows[day.row], column(day.period, "cost")].mean()
            money = self.scenario.channels[name].budget * self.search_share[name]
            if money > 0 and left > UNSPENT * day.cost:
                self.search_share[name] *= 0.95 * max(0.0, 1 - float(left) / money)
        if all(segment.spend == 1.0 for segment in self.scenario.population.segments):
            return
        for target, row in zip(self.targets, self.rows, strict=True):
            orders, gmv = months[:, row, ORDERS].sum(), months[:, row, GMV].sum()
            if target.sells and orders > 0:
                raised = self.order_value[target.channel] * target.order_value * orders / gmv
                self.order_value[target.channel] = max(mean_worth(self.scenario, target.channel), raised)


def tidy(value: float) -> float:
    """A fitted value as it is written: six significant digits."""
    return float(f"{value:.6g}")


def shrink(scenario: Scenario) -> Scenario:
    """The same market told by fewer consumers, each standing for more people; stock and service never scarce."""
    factor = max(1, scenario.population.size // SMALL)
    return scenario.with_({
        "population.size": scenario.population.size // factor, "population.scale": scenario.population.scale * factor,
        "supply.unlimited": True, "service.capacity": None})


@dataclass
class Search:
    """The search for the unknowns.

    Parameters
    ----------
    seed, threads : int
    advance : callable  told the work done, in runs of the small population
    n_runs : int  runs of the full population whose luck is used up, those of batches since forgotten among them
    """

    problem: Problem
    seed: int
    threads: int
    advance: Callable[[int], None]
    n_runs: int = 0
    slope: Floats = field(init=False)
    seen: list[tuple[Floats, Floats, Floats]] = field(default_factory=list)
    """Of each batch on the full population: values, distance, variance of the distance."""
    deviations: list[Floats] = field(default_factory=list)
    """Of each batch: the distance of each run, less their mean."""

    def run_small(self) -> Floats:
        """The values of the unknowns that come near to the tables on the small population."""
        problem = self.problem
        values = problem.start
        slopes = self.slopes(values)
        for step in range(SMALL_STEPS):
            months = self.months(values, small=True)
            distance = problem.residual(months.mean(axis=0), values)
            problem.reprice(months)
            if step > 1 and np.abs(distance).max() < NEAR:
                break
            if step == 1:
                slopes = self.slopes(values)
            values = solve(problem, slopes, values, distance)
        self.slope = slopes
        return values

    def run_full(self, values: Floats, steps: int | None = None) -> Floats:
        """The values that come nearest to the tables on the full population, in at most so many batches of runs."""
        for step in range(steps or FULL_STEPS):
            values = self.learn(values, self.months(values, small=False))
            if step > 0 and self.is_sure:
                break
        return values

    @property
    def is_sure(self) -> bool:
        """Whether the standard error of every figure, over all batches, is small enough."""
        error = np.sqrt(np.sum([variance for _, _, variance in self.seen], axis=0)) / len(self.seen)
        return bool((error < [want.sure for want in self.problem.wants]).all())

    def learn(self, values: Floats, months: Floats) -> Floats:
        """A step from a batch of runs on the full population and from all such batches before it.

        Notes
        -----
        Each batch had other luck and, a little, other values: its distance is moved to today's along the slopes, and
        the average of all batches has less noise than the last one.
        """
        self.problem.reprice(months, afresh=not self.seen)
        runs = np.array([self.problem.residual(month, values) for month in months])
        self.deviations.append(runs - runs.mean(axis=0))
        self.seen.append((values, self.problem.residual(months.mean(axis=0), values),
                          runs.var(axis=0, ddof=1) / len(runs)))
        moves = [(distance, values - at) for at, distance, _ in self.seen]
        near = [distance + self.slope @ move for distance, move in moves
                if np.abs(move).max() < STRAIGHT and np.abs(self.slope @ move).max() < LINEAR]
        return solve(self.problem, self.slope, values, np.mean(near, axis=0))

    def months(self, values: Floats, *, small: bool, problem: Problem | None = None) -> Floats:
        """A batch of runs; each batch on the full population has luck of its own."""
        scenario, dates = (problem or self.problem).apply(values), self.problem.asked.dates
        if small:
            tasks = [Task(shrink(scenario), 1_000 + n, dates) for n in range(SMALL_RUNS)]
        else:
            tasks = [Task(scenario, 2_000 + self.n_runs + n, dates) for n in range(FULL_RUNS)]
            self.n_runs += FULL_RUNS
        found = observe(tasks, self.seed, self.threads)
        self.advance(cost(self.problem.scenario, len(tasks), small=small))
        return found

    def slopes(self, values: Floats, problem: Problem | None = None) -> Floats:
        """Jacobian of the residual (wants, unknowns), by small changes of one unknown at a time on the same luck."""
        problem = problem or self.problem
        bumps = np.array([-unknown.bump if value + unknown.bump > unknown.high else unknown.bump
                          for unknown, value in zip(problem.unknowns, values.tolist(), strict=True)])
        bumped = list(values + np.diag(bumps))
        tasks = [Task(shrink(problem.apply(point)), 1_000, problem.asked.dates) for point in (values, *bumped)]
        months = observe(tasks, self.seed, self.threads)
        self.advance(len(tasks))
        base = problem.residual(months[0], values)
        columns = [(problem.residual(month, point) - base) / bump
                   for month, point, bump in zip(months[1:], bumped, bumps, strict=True)]
        return np.array(columns).T


def cost(scenario: Scenario, n: int, *, small: bool) -> int:
    """Work of n runs, in runs of the small population."""
    return n if small else n * max(1, scenario.population.size // SMALL)


def effort(problem: Problem) -> tuple[int, int]:
    """Work of a search on the small population, and of a batch on the full one, in runs of the small, roughly."""
    return 2 * (len(problem.unknowns) + 1) + SMALL_STEPS * SMALL_RUNS, cost(problem.scenario, FULL_RUNS, small=False)


def solve(problem: Problem, slopes: Floats, values: Floats, distance: Floats) -> Floats:
    """One step: least squares of what is left of the distances and of the way from the start, within bounds.

    Notes
    -----
    Minimises Σ ((rₘ + Σ Jₘₙ dₙ) / τₘ)² + Σ ((uₙ + dₙ - u⁰ₙ) / σₙ)², the mode of a Gaussian posterior with likelihood
    width τ and prior width σ: a Levenberg-Marquardt step whose damping is what is believed about the unknowns. A step
    changes no unknown by more than 1, in logs, so that slopes still hold.
    """
    tolerance = np.array([want.tolerance for want in problem.wants])
    spread = np.array([unknown.spread for unknown in problem.unknowns])
    low = np.array([unknown.low for unknown in problem.unknowns]) - values
    high = np.array([unknown.high for unknown in problem.unknowns]) - values
    matrix = np.vstack([slopes / tolerance[:, None], np.diag(1 / spread)])
    wanted = np.concatenate([-distance / tolerance, (problem.start - values) / spread])
    reach = np.where([unknown.name == "revisit" for unknown in problem.unknowns], 0.3, 1.0)
    low, high = np.maximum(low, -reach), np.minimum(high, reach)
    found = lsq_linear(matrix, wanted, (np.minimum(low, high - 1e-9), np.maximum(high, low + 1e-9)))
    step: Floats = np.asarray(found.x, float)
    return values + step
