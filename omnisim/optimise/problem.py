"""An allocation as numbers: curves, worth of response, limits by name, and the units in which it is well scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from omnisim.optimise.curves import CurveArrays, marginal_response
from omnisim.response import HILL, Floats, carry, dearness, expose, respond

Ints: TypeAlias = NDArray[np.int64]
Names: TypeAlias = NDArray[np.object_]
Sense = Literal["<=", ">=", "=="]
TOTAL = "total_budget"
NO_INTS: Ints = np.zeros(0, np.int64)
NO_FLOATS: Floats = np.zeros(0)


class Limit(NamedTuple):
    """One linear limit: Σ spend · x + Σ reply · R + Σ opening · is open (sense) value.

    Parameters
    ----------
    name : str  short name
    where : str  the scenario line (dotted path) or table row that it came from
    sense, value : what the sum is held against
    cells, spend : (k,) int, (k,) float  cells (channel · periods + period) and their coefficients
    reply_cells, reply : (k,)  as above, of the response of the cell
    channels, opening : (k,)  as above, of whether the channel is used at all
    unit : str  of value
    asked : str  what was asked for, where value alone does not say it
    """

    name: str
    where: str
    sense: Sense
    value: float
    cells: Ints = NO_INTS
    spend: Floats = NO_FLOATS
    reply_cells: Ints = NO_INTS
    reply: Floats = NO_FLOATS
    channels: Ints = NO_INTS
    opening: Floats = NO_FLOATS
    unit: str = "currency"
    asked: str = ""


@dataclass(frozen=True)
class Core:
    """At most `most` channels may each get more than `spend` over all periods."""

    most: int
    spend: float
    where: str


@dataclass(frozen=True)
class Problem:
    """Maximise Σ worth · R(a) − Σ charge · x − Σ opening cost, within bounds and limits.

    Parameters
    ----------
    channels : tuple of str
    curves : CurveArrays  response of each channel and period; its floor and cap are the bounds of spend
    worth : (n, periods) float [objective/response]  ≥ 0
    charge : (n, periods) float [objective/currency]
    floor_names, cap_names : (n, periods) object  the line that each bound came from
    limits : tuple of Limit  the total budget is the one called total_budget
    opening_cost : (n,) float [currency]  paid once where a channel is used
    core : Core or None
    plan_periods : int  periods that are planned; the ones after them only let pressure fade (their caps are 0)
    doubling : (n, periods) float [currency], or None  spend at which exposure costs twice what the first costs;
        None where the price does not rise
    """

    channels: tuple[str, ...]
    curves: CurveArrays
    worth: Floats
    charge: Floats
    floor_names: Names
    cap_names: Names
    limits: tuple[Limit, ...]
    opening_cost: Floats
    core: Core | None
    plan_periods: int
    doubling: Floats | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Channels and periods, those after the plan included."""
        n, periods = self.worth.shape
        return n, periods

    @property
    def budget(self) -> float:
        """The total budget."""
        return next(limit.value for limit in self.limits if limit.name == TOTAL)

    @property
    def has_integers(self) -> bool:
        """Whether channels are opened or chosen, which takes integer variables."""
        return self.core is not None or bool(self.opening_cost.any())

    @property
    def is_plain(self) -> bool:
        """Whether the total budget is the only limit beside bounds."""
        return (len(self.limits) == 1 and self.limits[0].sense == "<=" and not self.has_integers
                and self.doubling is None)

    @property
    def is_s_shaped(self) -> bool:
        """Whether a curve is not concave: a hill curve with shape > 1."""
        return bool(((self.curves.form == HILL)[:, None] & (self.curves.shape > 1.0)).any())

    @property
    def has_replies(self) -> bool:
        """Whether a limit looks at responses."""
        return any(len(limit.reply) for limit in self.limits)

    @property
    def weighted(self) -> CurveArrays:
        """The curves in units of the objective."""
        return self.curves._replace(scale=self.curves.scale * self.worth)

    def exposure(self, spend: Floats) -> Floats:
        """What a spend (n, periods) buys, at the price of the first exposure."""
        return spend if self.doubling is None else expose(spend, self.doubling)

    def stocks(self, spend: Floats) -> Floats:
        """Stocks of pressure (n, periods) that a spend leads to."""
        return np.asarray(carry(self.exposure(spend), self.curves.carryover, self.curves.carry_in))

    def replies(self, spend: Floats) -> Floats:
        """Response of each channel and period (n, periods) to a spend."""
        curves = self.curves
        return np.asarray(respond(curves.form, curves.scale, curves.half, curves.shape, self.stocks(spend)))

    def per_spend(self, marginal: Floats, spend: Floats) -> Floats:
        """A derivative to exposure (n, periods) as one to spend."""
        return marginal if self.doubling is None else marginal / dearness(spend, self.doubling)

    def marginals(self, spend: Floats) -> Floats:
        """Derivative of the objective to each spend (n, periods), later periods included."""
        return self.per_spend(marginal_response(self.weighted, self.exposure(spend)), spend) - self.charge

    def value(self, spend: Floats) -> float:
        """The objective of a spend (n, periods), without opening costs."""
        return float((self.worth * self.replies(spend)).sum() - (self.charge * spend).sum())

    def with_budget(self, budget: float) -> Problem:
        """The problem with another total budget; caps that only the budget set move with it."""
        limits = tuple(limit._replace(value=budget) if limit.name == TOTAL else limit for limit in self.limits)
        cap, planned = np.zeros_like(self.curves.cap), self.plan_periods
        cap[:, :planned] = np.where(self.cap_names[:, :planned] == TOTAL, budget, self.curves.cap[:, :planned])
        return replace(self, limits=limits, curves=self.curves._replace(cap=cap))


@dataclass(frozen=True)
class Units:
    """What 1 stands for in a normalised problem."""

    money: float
    reply: float
    value: float


def normalise(problem: Problem) -> tuple[Problem, Units]:
    """The problem with a budget of 1 and a response and worth of 1 where that budget is spread evenly.

    The same problem in other units gives the same normalised problem, and coefficients near 1 are what solvers are
    accurate for.
    """
    curves, (n, periods) = problem.curves, problem.shape
    money = problem.budget or float(curves.half.max())
    even = np.zeros((n, periods))
    even[:, :problem.plan_periods] = money / (n * problem.plan_periods)
    replies = problem.replies(even)
    reply = float(replies.sum()) or 1.0
    value = float((problem.worth * replies).sum()) or 1.0
    scaled = curves._replace(scale=curves.scale / reply, half=curves.half / money, carry_in=curves.carry_in / money,
                             floor=curves.floor / money, cap=curves.cap / money)
    units = Units(money, reply, value)
    core = problem.core and replace(problem.core, spend=problem.core.spend / money)
    return replace(problem, curves=scaled, worth=problem.worth * (reply / value),
                   doubling=None if problem.doubling is None else problem.doubling / money,
                   charge=problem.charge * (money / value), opening_cost=problem.opening_cost / money, core=core,
                   limits=tuple(_normalise_limit(limit, units) for limit in problem.limits)), units


def _normalise_limit(limit: Limit, units: Units) -> Limit:
    """A limit with its largest coefficient 1."""
    by = row_scale(limit, units)
    return limit._replace(spend=limit.spend * (units.money / by), reply=limit.reply * (units.reply / by),
                          opening=limit.opening / by, value=limit.value / by)


def row_scale(limit: Limit, units: Units) -> float:
    """What the coefficients of a limit are divided by."""
    return max(float(np.abs(limit.spend).max(initial=0.0)) * units.money,
               float(np.abs(limit.reply).max(initial=0.0)) * units.reply,
               float(np.abs(limit.opening).max(initial=0.0))) or 1.0
