"""Several periods, S-shaped curves with carry-over: plans by price, and a bound that branching tightens.

At a price of spend every channel plans its periods alone (`schedule`); no plan within the budget brings more than
price · budget + Σ what the channels earn at it. At the best price some channel has two best schedules, one below and
one above the budget, and between them the bound is out of reach: about one channel's jump, which among many channels
is little (Shapley and Folkman; Aubin and Ekeland 1976, "Estimates of the duality gap in nonconvex optimization").
Where it is too much, that channel's stock in one period is cut in two, at the middle of what the two schedules want,
and both halves are bounded again. Plans are what the channels ask for, filled up to the budget and climbed from.

Where channels may stay closed, each answers with the better of closed and open, and of those that gain by opening the
best k are open; a channel that is open on one side of the budget and closed on the other is cut into these two.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.optimise.ascent import climb
from omnisim.optimise.curves import CurveArrays, total_response
from omnisim.optimise.pulses import shift_pulses
from omnisim.optimise.schedule import ask_schedule, lay_grid
from omnisim.optimise.sigmoids import CLOSED, EITHER, OPEN, ROUNDED
from omnisim.response import Floats, carry, respond

POINTS = (256, 1024)
"""Fewest and most points of a channel's grid in a period, unless a wide gap asks for fewer."""
FEWEST = 32
"""Points of the coarsest grid."""
A_FEW = 16
"""Parts of all plans that are tried on a coarse grid."""
WORK = 1_200_000
"""Points of all grids together, where that leaves each its fewest and its most."""
ENOUGH = 0.52
"""Points that a gap asks for at most, times the gap: the bound is off by about 0.1 over their number."""
RATIO = 1.002
"""Neighbouring prices; between them the bound is off by the square of their distance."""
FREE = -20_000
"""The step below which the price is 0: more money would bring nothing."""
DEAREST = 40_000
"""The step above which no channel asks for anything but its floors."""
WINDOWS = 3
"""Partial schedules of the channel between two schedules that are climbed from."""


def price_of(step: int) -> float:
    """The price of a step, RATIO^step."""
    return RATIO ** step if step > FREE else 0.0


@dataclass
class Channel:
    """One channel within limits of its stock, and what it answered at each price."""

    curves: CurveArrays
    charge: Floats
    place: int
    lowest: Floats
    highest: Floats
    points: int
    fee: float = 0.0
    state: int = OPEN
    stock: Floats = field(init=False)
    top: Floats = field(init=False)
    fits: bool = field(init=False)
    idle: float = field(init=False)
    answers: dict[int, tuple[float, Floats]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.stock = np.empty((self.lowest.size, self.points))
        self.top = np.empty_like(self.stock)
        one = self.alone
        self.idle = total_response(one, np.zeros_like(one.floor))
        self.fits = bool(lay_grid(self.curves, self.place, self.lowest, self.highest, self.stock, self.top))

    @property
    def alone(self) -> CurveArrays:
        """Its curves without the others'."""
        place = slice(self.place, self.place + 1)
        return self.curves._replace(**{name: np.ascontiguousarray(getattr(self.curves, name)[place])
                                       for name in self.curves._fields})

    def ask(self, step: int) -> tuple[float, Floats]:
        """Bound on what the best schedule earns at the price of a step, and a schedule (periods,)."""
        if step not in self.answers:
            spend = np.empty(self.lowest.size)
            prices = self.charge[self.place] + price_of(step)
            worth = ask_schedule(self.curves, self.place, prices, self.stock, self.top, np.empty_like(self.top),
                                 spend)
            self.answers[step] = float(worth), spend
        return self.answers[step]


class Answer(NamedTuple):
    """What the channels together want at a price."""

    worth: float
    """[response]  bound on Σ (response − fee − price · spend)"""
    spend: Floats
    """(n, periods) [currency]"""
    is_open: NDArray[np.bool_]
    """(n,)"""


class Node(NamedTuple):
    """A part of all plans: some channels with narrower limits than at the root; its bound and where it breaks."""

    channels: tuple[Channel, ...]
    bound: float
    step: int
    spend: Floats
    is_open: NDArray[np.bool_]
    cut: tuple[int, int, float] | None
    """channel, period and stock to cut at; period −1 to cut into open and closed"""


def answer(channels: Sequence[Channel], step: int, most: int) -> Answer:
    """Every channel's best schedule at the price of a step, with at most so many open."""
    spend = np.zeros((len(channels), channels[0].lowest.size))
    gains = np.full(len(channels), -math.inf)
    for c, channel in enumerate(channels):
        if channel.state != CLOSED:
            worth, spend[c] = channel.ask(step)
            gains[c] = math.inf if channel.state == OPEN else worth - channel.fee - channel.idle
    is_open = np.zeros(len(channels), np.bool_)
    is_open[np.argsort(-gains, kind="stable")[:most]] = True
    is_open &= gains > 0.0
    spend[~is_open] = 0.0
    worth = math.fsum(channel.ask(step)[0] - channel.fee if is_open[c] else channel.idle
                      for c, channel in enumerate(channels))
    return Answer(worth, spend, is_open)


def bound_plans(channels: tuple[Channel, ...], budget: float, most: int, step: int) -> Node | None:
    """The lowest bound over the prices of all steps, and the plan it suggests; None if the limits leave no plan.

    Parameters
    ----------
    channels : (n,) Channel
    budget : float [currency]
    most : int  channels that may be open
    step : int  price to start with
    """
    if not all(channel.fits for channel in channels if channel.state == OPEN) or \
            sum(channel.state == OPEN for channel in channels) > most:
        return None
    found: dict[int, tuple[float, float]] = {}

    def ask(k: int) -> bool:
        """Whether the channels ask for more than the budget."""
        asked = answer(channels, k, most)
        found[k] = asked.worth + price_of(k) * budget, float(asked.spend.sum())
        return found[k][1] > budget * (1.0 + ROUNDED)

    low = high = max(step, FREE)
    stride = 1
    if ask(high):
        while ask(high := high + stride):
            low, stride = high, 2 * stride
            if high > DEAREST:
                return None
    else:
        while not ask(low := max(low - stride, FREE)):
            high, stride = low, 2 * stride
            if low == FREE:
                break
    while high - low > 1:
        # the bound is convex: where its tangents meet, but well inside
        (bound_low, spent_low), (bound_high, spent_high) = found[low], found[high]
        p, q = price_of(low), price_of(high)
        meet = p + (bound_high - bound_low - (budget - spent_high) * (q - p)) / (spent_high - spent_low)
        middle = low + round(math.log(meet / p) / math.log(RATIO)) if 0.0 < p < meet < q else (low + high) // 2
        eighth = (high - low) // 8
        middle = min(max(middle, low + max(eighth, 1)), high - max(eighth, 1))
        if ask(middle):
            low = middle
        else:
            high = middle
    bound = min(value for value, _ in found.values())
    thrifty, lavish = answer(channels, high, most), answer(channels, low, most)
    spend, is_open, between = fill_up(thrifty, lavish, budget, most)
    cut = None if between is None else cut_channel(channels[between], thrifty, lavish)
    return Node(channels, bound, high, spend, is_open, cut)


def cut_channel(channel: Channel, thrifty: Answer, lavish: Answer) -> tuple[int, int, float] | None:
    """Where to cut a channel between two answers: where their responses differ most; None if they do not differ."""
    c = channel.place
    if thrifty.is_open[c] != lavish.is_open[c]:
        return c, -1, 0.0
    one = channel.alone
    stocks = [carry(plan.spend[c : c + 1], one.carryover, one.carry_in)[0] for plan in (thrifty, lavish)]
    values = [respond(one.form, one.scale, one.half, one.shape, stock[None, :])[0] for stock in stocks]
    t = int(np.argmax(np.abs(values[1] - values[0])))
    less, more = float(stocks[0][t]), float(stocks[1][t])
    return (c, t, 0.5 * (less + more)) if abs(more - less) > 1e-9 * max(less, more) else None


def fill_up(thrifty: Answer, lavish: Answer, budget: float, most: int
            ) -> tuple[Floats, NDArray[np.bool_], int | None]:
    """Channels change from the thrifty to the lavish answer, the largest change first, as long as the budget lasts.

    Returns
    -------
    spend : (n, periods) float [currency]  within the budget
    is_open : (n,) bool
    between : int or None  the channel that it did not last for, which gets a mixture
    """
    spend, is_open = thrifty.spend.copy(), thrifty.is_open.copy()
    steps = lavish.spend.sum(axis=1) - thrifty.spend.sum(axis=1)
    left = budget - float(spend.sum())
    between = None
    for c in np.argsort(-np.abs(steps), kind="stable"):
        opens = int(lavish.is_open[c]) - int(is_open[c])
        if steps[c] <= left and is_open.sum() + opens <= most and (opens >= 0 or steps[c] > 0.0):
            spend[c], is_open[c] = lavish.spend[c], lavish.is_open[c]
            left -= float(steps[c])
        elif between is None and (steps[c] != 0.0 or opens):
            between = int(c)
    if between is not None and left > 0.0 and steps[between] > 0.0 and is_open[between]:
        spend[between] += left / steps[between] * (lavish.spend[between] - thrifty.spend[between])
    return spend, is_open, between


def within(curves: CurveArrays, spend: Floats, budget: float) -> Floats:
    """A plan drawn towards the floors until it keeps the budget."""
    spend = np.clip(spend, curves.floor, curves.cap)
    over = spend.sum() - budget
    room = spend - curves.floor
    if over <= 0.0 or not room.any():
        return spend
    drawn: Floats = spend - room * min(1.0, over / float(room.sum()))
    return drawn


def partial_plans(curves: CurveArrays, node: Node, budget: float) -> list[Floats]:
    """Plans in which the channel between two schedules follows the lavish one in some neighbouring periods only."""
    if node.cut is None:
        return []
    c = node.cut[0]
    lavish, thrifty = node.channels[c].ask(node.step - 1)[1], node.channels[c].ask(node.step)[1]
    found: list[tuple[float, Floats]] = []
    for first in range(0, lavish.size, 1 + lavish.size // 16):
        for last in range(first, lavish.size, 1 + lavish.size // 16):
            plan = node.spend.copy()
            plan[c] = thrifty
            plan[c, first : last + 1] = lavish[first : last + 1]
            asked = float(plan[c, first : last + 1].sum())
            left = budget - (float(plan.sum()) - asked)
            if asked > 0.0 and left > 0.0:
                plan[c, first : last + 1] *= min(left / asked, 2.0)
                plan = within(curves, plan, budget)
                found.append((total_response(curves, plan), plan))
    found.sort(key=lambda one: -one[0])
    return [plan for _, plan in found[:WINDOWS]]


def open_only(curves: CurveArrays, is_open: NDArray[np.bool_]) -> CurveArrays:
    """The curves with nothing to spend on closed channels."""
    if is_open.all():
        return curves
    kept = is_open[:, None]
    return curves._replace(floor=np.where(kept, curves.floor, 0.0), cap=np.where(kept, curves.cap, 0.0))


@dataclass
class Search:
    """The search over several periods: the best plan so far, and the parts of all plans that may hold a better one.

    Parameters
    ----------
    curves : CurveArrays  normalised: budget and responses of the order of 1
    charge : (n, periods) float [response/currency]  of spend, beside the price of the budget
    budget : float [currency]
    fee : (n,) float [response]  cost of opening; where it or `most` binds, channels without spend are closed
    most : int  channels that may be open
    """

    curves: CurveArrays
    charge: Floats
    budget: float
    fee: Floats
    most: int
    objective: float = -math.inf
    bound: float = math.inf
    price: float = 0.0
    spend: Floats = field(init=False)
    is_open: NDArray[np.bool_] = field(init=False)

    @property
    def may_close(self) -> bool:
        """Whether channels may be closed."""
        return bool(self.fee.any()) or self.most < self.fee.size

    def improve(self, plan: Floats, is_open: NDArray[np.bool_], rounds: int, close: float) -> None:
        """Climb from a plan, and keep what is found if nothing was better."""
        curves = open_only(self.curves, is_open)
        if curves.floor.sum() > self.budget * (1.0 + ROUNDED):
            return
        spend, objective, price = climb(curves, self.charge, within(curves, plan, self.budget), self.budget, rounds,
                                        close)
        objective -= float(self.fee[is_open].sum())
        if objective > self.objective:
            self.objective, self.spend, self.is_open, self.price = objective, spend, is_open, price

    def largest(self, plan: Floats) -> NDArray[np.bool_]:
        """The channels of a plan that are open: those with spend, the largest if they are too many."""
        sums = plan.sum(axis=1)
        is_open = np.zeros(sums.size, np.bool_)
        is_open[np.argsort(-sums, kind="stable")[: self.most]] = True
        return is_open & (sums > 0.0) if self.may_close else is_open

    def run(self, starts: Sequence[Floats], gap: float, nodes: int, until: float) -> None:
        """Bound all plans, then cut the part with the highest bound until the gap is closed.

        A wide gap is tried on a coarse grid first, which mostly closes it in a fraction of the time.

        Parameters
        ----------
        starts : sequence of (n, periods) float [currency]  further plans to climb from
        gap : float  share of the bound that the plan may lack
        nodes : int  bounds to try at most
        until : float [s]  `time.monotonic` after which no further one is begun
        """
        n, periods = self.curves.floor.shape
        points = min(max(WORK // (n * periods), POINTS[0]), POINTS[1])
        enough = max(math.ceil(ENOUGH / gap), FEWEST) if gap > 0.0 else points
        if enough >= points or not self._branch(enough, starts, gap, min(nodes, A_FEW), until):
            self._branch(points, starts, gap, nodes, until)
        for c in range(n):
            for plan in shift_pulses(self.curves, self.charge, self.spend, c):
                if time.monotonic() < until:
                    self.improve(plan, self.is_open, 60, 1e-9)
        self.improve(self.spend, self.is_open, 300, 1e-13)
        self.bound = max(self.objective, self.bound)

    def _branch(self, points: int, starts: Sequence[Floats], gap: float, nodes: int, until: float) -> bool:
        """Bound and cut on grids of so many points; returns whether the gap is closed."""
        n, periods = self.curves.floor.shape
        state = EITHER if self.may_close else OPEN
        root = bound_plans(tuple(Channel(
            self.curves, self.charge, c, np.zeros(periods), np.full(periods, np.inf), points, float(self.fee[c]), state)
            for c in range(n)), self.budget, self.most, 0)
        assert root is not None, "floors were checked against the budget"
        self.improve(root.spend, root.is_open, 60, 1e-9)
        for plan in partial_plans(self.curves, root, self.budget):
            self.improve(plan, root.is_open, 60, 1e-9)
        for plan in starts:
            self.improve(plan, self.largest(plan), 60, 1e-9)
        pending, closed, count = [root], -math.inf, 1
        while pending:
            k = int(np.argmax([node.bound for node in pending]))
            if pending[k].bound <= self.objective + gap * abs(pending[k].bound) or count >= nodes or \
                    time.monotonic() > until:
                break
            node = pending.pop(k)
            if node.cut is None:
                closed = max(closed, node.bound)
                continue
            for channel in halves(node.channels[node.cut[0]], node.cut):
                channels = (*node.channels[: channel.place], channel, *node.channels[channel.place + 1 :])
                child = bound_plans(channels, self.budget, self.most, node.step)
                count += 1
                if child is not None and child.bound > self.objective:
                    self.improve(child.spend, child.is_open, 30, 1e-7)
                    pending.append(child._replace(bound=min(child.bound, node.bound)))
        bound = max(self.objective, closed, max((node.bound for node in pending), default=-math.inf))
        self.bound = min(self.bound, bound)
        return bound <= self.objective + gap * abs(bound)


def halves(channel: Channel, cut: tuple[int, int, float]) -> Iterator[Channel]:
    """A channel on both sides of a cut."""
    _, t, value = cut
    if t < 0:
        for state in (OPEN, CLOSED):
            half = copy(channel)  # with the answers it has
            half.state = state
            yield half
        return
    for side in range(2):
        lowest, highest = channel.lowest.copy(), channel.highest.copy()
        if side == 0:
            highest[t] = min(highest[t], value)
        else:
            lowest[t] = max(lowest[t], value)
        yield Channel(channel.curves, channel.charge, channel.place, lowest, highest, channel.points, channel.fee,
                      channel.state)
