"""What is tried to learn what money does: levels of one channel's budget at a time, around a plan."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.plan import Plan
from omnisim.response import Floats
from omnisim.scenario.allocation import Limits
from omnisim.scenario.model import Scenario
from omnisim.study.curves.trials import SUM, Outcome, Trials

LEVELS = (0.0, 0.5, 2.0)
"""Multiples of today's budget that are tried on each channel."""
APART = 0.1
"""Levels that lie nearer, relative to the largest, are one."""
MONEY = ("profit", "present_value", "equity")
"""Objectives that spend is taken off."""


class Probe(NamedTuple):
    """A path of spend tried on one channel, other channels left alone."""

    channel: int
    path: Floats
    """(periods,) [currency/day]"""


@dataclass(frozen=True)
class Base:
    """What all probes are compared with.

    Parameters
    ----------
    scenario : Scenario  as the user gave it
    trials : Trials
    days : (periods,) float [day]
    today : (n, periods) float [currency/day]  of the plan in force
    around : (n, periods) float [currency/day]  the plan measured around
    """

    scenario: Scenario
    trials: Trials
    days: Floats
    today: Floats
    around: Floats

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels in the order of all arrays."""
        return self.trials.names

    def plan(self, spend: Floats) -> Plan:
        """A spend (n, periods) [currency/day] as a run takes it: after the planned days everything is as today."""
        first = np.concatenate([[0], np.cumsum(self.days)]).astype(int)
        whole = np.concatenate([spend, self.today[:, :1]], axis=1)
        last = len(first) if first[-1] < self.trials.scenario.horizon.days else len(first) - 1
        cents = np.rint(100.0 * whole[:, :last]).astype(np.int64)
        return Plan(tuple(int(day) for day in first[:last]),
                    {name: tuple(int(one) for one in line) for name, line in zip(self.channels, cents, strict=True)})

    def budget(self, spend: Floats) -> float:
        """What a spend comes to over the planned days [currency]."""
        return float((np.rint(100.0 * spend) / 100.0 * self.days).sum())


def count(objective: str, outcome: Outcome, budget: float, per_order: Floats) -> Floats:
    """What an outcome is worth to an objective before the planned budget is paid, by replication.

    Parameters
    ----------
    budget : float [currency]  planned; what could not be spent of it is given back
    per_order : (channels,) float [currency/order]  contribution of the orders that customers will still place, by the
        channel of their last one

    Notes
    -----
    profit: contribution before media. equity: profit and the contribution of orders that customers will still place
    when the days are over. awareness: people who have met the brand. loyalty: members, seat holders, repeat buyers and
    advocates. All else: GMV.
    """
    if objective == "awareness":
        return outcome.aware
    if objective == "loyalty":
        return outcome.loyal
    sums = outcome.sums.sum(axis=1)
    if objective not in MONEY:
        return np.asarray(sums[:, SUM["gmv"]])
    profit = sums[:, SUM["contribution"]] - sums[:, SUM["media"]] + budget
    return np.asarray(profit + outcome.lasting @ per_order if objective == "equity" else profit)


def value_orders(scenario: Scenario, outcome: Outcome) -> Floats:
    """Contribution of a next order by the channel of the customer's last one (channels,) [currency/order].

    Notes
    -----
    A customer stays with the channel with the scenario's chance, and else goes to any by its weight in repurchase.
    """
    sums = outcome.sums.sum(axis=0)
    orders = sums[:, SUM["orders"]]
    whole = float(sums[:, SUM["contribution"]].sum()) / max(float(orders.sum()), 1.0)
    own = np.where(orders > 0.0, sums[:, SUM["contribution"]] / np.maximum(orders, 1.0), whole)
    active = [channel for channel in scenario.channels.values() if channel.active]
    weight = np.array([channel.repeat_weight * channel.checkout for channel in active])
    other = float(own @ weight / weight.sum()) if weight.sum() > 0.0 else whole
    stay = np.array([scenario.brand.repurchase.stay if channel.checkout else 0.0 for channel in active])
    return np.asarray(stay * own + (1.0 - stay) * other)


def first_probes(base: Base, tops: Floats) -> list[Probe]:
    """Steady levels of each channel from nothing to its top, today's left out."""
    found = []
    for c, top in enumerate(tops):
        if top <= 0.0:
            continue
        today = float(base.around[c] @ base.days / base.days.sum())
        wanted = [level * today for level in LEVELS] + [top] if today > 0.0 else [top / 4, top / 2, top]
        found += [Probe(c, np.full(len(base.days), level)) for level in _apart(wanted, today, top)]
    return found


def next_probes(base: Base, tops: Floats) -> list[Probe]:
    """Paths around a plan, as many as in the first round: nothing, today's, half as much again, up to the top."""
    found = []
    for c, top in enumerate(tops):
        if top <= 0.0:
            continue
        here, then = base.around[c], base.today[c]
        wanted = [np.zeros_like(here), then, 1.5 * here, 0.5 * here,
                  *(np.full_like(here, share * top) for share in (0.5, 1.0, 0.25))]
        size = max(float(here.max()), float(then.max()), 0.5 * top)
        kept: list[Floats] = [here]
        for path in wanted:
            if len(kept) <= len(LEVELS) and all(float(np.abs(path - other).max()) > APART * size for other in kept):
                kept.append(path)
        found += [Probe(c, path) for path in kept[1:]]
    return found


def _apart(levels: Sequence[float], today: float, top: float) -> list[float]:
    """Levels that differ enough to be worth a run each, whole cents."""
    size = max(top, today)
    kept = [today]
    for level in levels:
        if all(abs(level - other) > APART * size for other in kept):
            kept.append(level)
    return [round(level, 2) for level in kept[1:]]


def tops_of(base: Base, limits: Limits, budget: float) -> tuple[Floats, NDArray[np.bool_]]:
    """Largest spend to try on each channel (n,) [currency/day], and whether the limits allow no more (n,).

    Parameters
    ----------
    budget : float [currency/day]  of all channels

    Notes
    -----
    Where the limits do not say, twice today's budget or half of everybody's, whichever is more; never less than
    today's, or it would not be known what a cut costs.
    """
    found, bound = np.zeros(len(base.channels)), np.zeros(len(base.channels), bool)
    for c, name in enumerate(base.channels):
        today = float(base.today[c].max())
        one = limits.channels.get(name)
        caps = [] if one is None else [cap for cap in (one.cap, one.inventory, None if one.high is None else
                                                       one.high * today) if cap is not None]
        if limits.step is not None:
            caps.append((1.0 + limits.step) * today)
        bound[c] = bool(caps)
        found[c] = max(today, min(caps)) if caps else max(2.0 * today, 0.5 * budget)
    return found, bound
