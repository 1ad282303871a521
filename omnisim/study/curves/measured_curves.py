"""Response curves measured by running a scenario: each channel's budget is tried at several levels on the same luck.

The effect of a level is what the whole brand brought more or less than under the plan that all are compared with, so a
seeding channel is paid for the orders that it prepares elsewhere. Curves add up over channels, which the market does
not quite do: they are true around the plan they were measured at, and `around` tells which that was.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from omnisim.errors import Fault
from omnisim.measure.intervals import student
from omnisim.optimise.curve_table import CurveTable
from omnisim.optimise.declared import declared_curves
from omnisim.optimise.prepare import FADED, MOST_TAIL
from omnisim.response import Floats, carry, per_period
from omnisim.scenario.allocation import Curve
from omnisim.season import Season
from omnisim.study.curves import measured_tables
from omnisim.study.curves.curve_fit import (
    Design,
    Fitted,
    design,
    family_of,
    fit_carryover,
    fit_curve,
    fit_echo,
    fit_family,
)
from omnisim.study.curves.measured_tables import standard_errors
from omnisim.study.curves.probes import MONEY, Base, Probe, count, value_orders
from omnisim.study.curves.trials import SUM, Advance, Outcome

if TYPE_CHECKING:
    import pandas as pd

DRAWS = 200
"""Draws of the curves, for risk and for intervals of what is predicted."""
WEEK = 7
NO_EFFECT = 1e-6
"""Scale of a curve for a channel on which money does nothing that can be seen [objective/day]."""


def measure(base: Base, probes: Sequence[Probe], objective: str, *, carryover: Floats | None = None,
            advance: Advance | None = None) -> MeasuredCurves:
    """Run the probes and fit a curve to each channel that has some.

    Parameters
    ----------
    probes : sequence of Probe  at least two a channel
    objective : str  what response is worth, as the allocator's objectives
    carryover : (n,) float [share/day]  found by steady probes before; from these unless given
    """
    spends = [base.today, base.around]
    for probe in probes:
        spend = base.around.copy()
        spend[probe.channel] = probe.path
        spends.append(spend)
    outcomes = base.trials.outcomes([base.plan(spend) for spend in spends], advance)
    return MeasuredCurves(base, tuple(probes), objective, outcomes[0], outcomes[1], tuple(outcomes[2:]),
                          np.zeros(0) if carryover is None else carryover)


@dataclass(frozen=True, eq=False)
class MeasuredCurves:
    """Curves of a scenario as measured, with standard errors, draws, and where the effects came to light.

    Parameters
    ----------
    base : Base
    probes : tuple of Probe
    objective : str
    at_today, at_base : Outcome  under today's plan, and under the one measured around
    tried : tuple of Outcome  one a probe
    carryover : (n,) float [share/day]  found from visits unless given by an earlier round
    s_shaped : bool  whether curves may be S-shaped where the effects ask for it
    """

    base: Base
    probes: tuple[Probe, ...]
    objective: str
    at_today: Outcome
    at_base: Outcome
    tried: tuple[Outcome, ...]
    carryover: Floats = field(default_factory=lambda: np.zeros(0))
    s_shaped: bool = True

    def __post_init__(self) -> None:
        if not len(self.carryover):
            object.__setattr__(self, "carryover", self._carryovers())

    @property
    def channels(self) -> tuple[str, ...]:
        """Channels with a curve."""
        return tuple(self.base.channels[c] for c in self.measured)

    @cached_property
    def measured(self) -> list[int]:
        """Places of the channels with a curve."""
        return sorted({probe.channel for probe in self.probes})

    @cached_property
    def per_order(self) -> Floats:
        """Contribution of a customer's next order, by the channel of the last (channels,) [currency/order]."""
        return value_orders(self.base.scenario, self.at_base)

    def worth(self, outcome: Outcome, spend: Floats, objective: str | None = None) -> Floats:
        """What an outcome of a spend is worth before it is paid, by replication."""
        return count(objective or self.objective, outcome, self.base.budget(spend), self.per_order)

    @cached_property
    def samples(self) -> Floats:
        """Effect of each probe in each replication (replications, probes) [objective]."""
        return self._samples(self.objective)

    def _samples(self, objective: str) -> Floats:
        level = self.worth(self.at_base, self.base.around, objective)
        found = []
        for probe, outcome in zip(self.probes, self.tried, strict=True):
            spend = self.base.around.copy()
            spend[probe.channel] = probe.path
            found.append(self.worth(outcome, spend, objective) - level)
        return np.array(found).T

    @cached_property
    def weights(self) -> Floats:
        """Weights of the replications in each draw (DRAWS, replications), which sum to 1.

        A bootstrap over replications, spread by √(R / (R − 1)) so that the draws of a mean have its variance.
        """
        size = len(self.base.trials.replications)
        luck = np.random.Generator(np.random.Philox(key=size))
        drawn = luck.multinomial(size, np.full(size, 1.0 / size), DRAWS) / size
        return np.asarray(1.0 / size + (drawn - 1.0 / size) * np.sqrt(size / (size - 1)))

    @cached_property
    def fits(self) -> dict[int, Fitted]:
        """The curve of each channel, by its place."""
        found = {}
        errors = standard_errors(self.samples)
        for c in self.measured:
            mine = self.of(c)
            found[c] = fit_curve(self._design(c), self.samples[:, mine].mean(axis=0), errors[mine],
                                 s_shaped=self.s_shaped)
        return found

    def of(self, c: int) -> list[int]:
        """Places of the probes of a channel."""
        return [k for k, probe in enumerate(self.probes) if probe.channel == c]

    def _design(self, c: int, paths: Floats | None = None) -> Design:
        """Paths of spend of a channel, its probes unless given, as the allocator will sum them up."""
        base = self.base
        theta = per_period(float(self.carryover[c]), int(base.days.max()))
        if paths is None:
            paths = np.stack([base.around[c], *(self.probes[k].path for k in self.of(c))])
        warm = base.scenario.horizon.warm_up / float(base.days.max())
        carried = base.scenario.channels[base.channels[c]].budget * (1.0 - theta ** warm)
        slowest = per_period(float(self.carryover[self.measured].max()), int(base.days.max()))
        fade = 0 if base.trials.fade == 0 or slowest == 0.0 else fade_periods(slowest)
        return design(paths, theta, carried, base.days, self._seasons(), fade)

    @cached_property
    def season(self) -> Floats:
        """Weight of each day of the trials, mean 1 over the planned days: the channels' own, by their GMV (days,)."""
        base, sales = self.base, self.at_base.sums[:, :, SUM["gmv"]].sum(axis=0)
        season = Season(base.trials.scenario, list(base.channels))
        seen = np.array([season.weight(day) for day in range(base.trials.scenario.horizon.days)])
        weight = seen @ (sales / sales.sum()) if sales.sum() > 0.0 else seen.mean(axis=1)
        mean = float(weight[:int(base.days.sum())].mean())
        return np.asarray(weight / mean) if mean > 0.0 else np.ones_like(weight)

    @cached_property
    def echo(self) -> Floats:
        """What an effect on each day of the trials brings by their end, repeat orders included (days,); mean 1."""
        base, size = self.base, self.base.trials.scenario.horizon.days
        if self.objective not in ("profit", "present_value", "gmv", "response", "spend"):
            return np.ones(size)  # what comes after the end counts as well, or nothing comes again
        effects, pressure = [], []
        for c in self.measured:
            theta = np.array([self.carryover[c]])
            for k in self.of(c):
                more = np.zeros((1, size))
                more[0, :int(base.days.sum())] = np.repeat(self.probes[k].path - base.around[c], base.days.astype(int))
                pressure.append(np.asarray(carry(more, theta, np.zeros(1)))[0])
                effects.append((self.tried[k].sales - self.at_base.sales).mean(axis=0))
        found = fit_echo(np.array(effects), np.array(pressure), self.season)
        return np.asarray(found / found[:int(base.days.sum())].mean())

    def _seasons(self) -> Floats:
        """Weight of each period: its season, and how much of what follows from it is seen."""
        edges = np.concatenate([[0], np.cumsum(self.base.days)]).astype(int)
        weight = self.season * self.echo
        return np.array([weight[a:b].mean() for a, b in pairwise(edges)])

    def _carryovers(self) -> Floats:
        """Share of the pressure of each channel that is left a day later."""
        base, season = self.base, self.season
        found = np.zeros(len(base.channels))
        for c in self.measured:
            effects = np.array([(self.tried[k].visits - self.at_base.visits).mean(axis=0) for k in self.of(c)])
            found[c] = fit_carryover(effects, season, int(base.days.sum()))
        return found

    @cached_property
    def prices(self) -> dict[str, Floats]:
        """What a unit of response of each channel is worth (n measured,), as columns of a curves table.

        Notes
        -----
        The curve's response is in yuan of GMV: the effect on the objective over the objective's worth of a yuan of
        GMV, so that worth × response is exactly what was fitted.
        """
        sales = self._samples("gmv").mean(axis=0)

        def ratio(effects: Floats) -> Floats:
            found = []
            for c in self.measured:
                mine = self.of(c)
                size = float(sales[mine] @ sales[mine])
                found.append(max(0.0, float(effects[mine] @ sales[mine]) / size) if size > 0.0 else 0.0)
            return np.array(found)

        profit = ratio(self._samples("profit").mean(axis=0))
        customers = np.array([(one.sums - self.at_base.sums)[:, :, SUM["new_customers"]].sum(axis=1).mean()
                              for one in self.tried])
        return {"margin": profit, "equity": np.maximum(0.0, ratio(self._samples("equity").mean(axis=0)) - profit),
                "awareness": ratio(self.at_effect("awareness")), "loyalty": ratio(self.at_effect("loyalty")),
                "customers": ratio(customers)}

    def at_effect(self, objective: str) -> Floats:
        """Mean effect of each probe on an objective (probes,)."""
        return np.asarray(self._samples(objective).mean(axis=0))

    @cached_property
    def _worths(self) -> tuple[Floats, dict[str, Floats]]:
        """The objective's worth of a unit of response (n measured,), and all worths, which come to it.

        Where money moves the objective but not GMV, or not the same way, a unit of response is one of the objective.
        """
        prices = dict(self.prices)
        if self.objective not in (*MONEY, "awareness", "loyalty"):
            return np.ones(len(self.measured)), prices
        name = "equity" if self.objective == "equity" else self.objective if self.objective in prices else "margin"
        unit = prices["margin"] + prices["equity"] if name == "equity" else prices[name]
        unit = np.where(unit > 0.0, unit, 1.0)
        if name == "equity":
            prices["margin"] = np.minimum(prices["margin"], unit)
        prices[name] = unit - prices["margin"] if name == "equity" else unit
        return unit, prices

    @property
    def curves(self) -> dict[str, Curve]:
        """The curves as a scenario declares them: `scenario.with_({"curves": …})`; a season is not in them."""
        return self._curves([self.fits[c].scale for c in self.measured], [self.fits[c].half for c in self.measured])

    def _curves(self, scales: Sequence[float], halves: Sequence[float]) -> dict[str, Curve]:
        (unit, prices), found = self._worths, {}
        for k, c in enumerate(self.measured):
            fit = self.fits[c]
            worth: dict[str, Any] = {name: float(values[k]) for name, values in prices.items()}
            scale = max(scales[k], NO_EFFECT) / unit[k]
            found[self.base.channels[c]] = Curve.model_construct(
                form=fit.name, scale=scale, half=halves[k], shape=fit.shape,
                carryover=float(per_period(float(self.carryover[c]), WEEK)), **worth)
        return found

    def table(self, *, draws: bool = False) -> CurveTable:
        """The curves over the periods of the plan, with the season of each, up to the largest spend that was tried.

        Parameters
        ----------
        draws : bool  all draws, for risk; else the best fit alone. An S-shaped curve has no draws
        """
        scenario, days, season = self.base.scenario, self.base.days, self._seasons()
        top = np.array([max(float(self.probes[k].path.max()) for k in self.of(c)) for c in self.measured])
        top = np.maximum(top, self.base.around[self.measured].max(axis=1))

        def arrays(curves: dict[str, Curve]) -> CurveTable:
            table = declared_curves(scenario.model_copy(update={"curves": curves}), days)
            one = table.curves
            return replace(table, draws=(one._replace(scale=one.scale * season, cap=top[:, None] * days),))

        table = replace(arrays(self.curves), places=tuple(f"measured.{name}" for name in self.channels))
        if not draws or any(fit.shape > 1.0 for fit in self.fits.values()):
            return table
        return replace(table, draws=tuple(arrays(self._curves(scales, halves)).curves
                                          for scales, halves in zip(*self.draws, strict=True)))

    @cached_property
    def draws(self) -> tuple[Floats, Floats]:
        """Scale and half of each channel's curve in each draw, both (DRAWS, n measured)."""
        means = self.weights @ self.samples
        errors = standard_errors(self.samples)
        scales, halves = np.zeros((2, DRAWS, len(self.measured)))
        for k, c in enumerate(self.measured):
            mine, family = self.of(c), self.fits[c].family
            for d in range(DRAWS):
                one = fit_family(family, means[d, mine], errors[mine])
                scales[d, k], halves[d, k] = one.scale, one.half
        return scales, halves

    @cached_property
    def warnings(self) -> tuple[Fault, ...]:
        """What to beware of: effects within noise, and curves that miss what was measured."""
        found = []
        effects, errors = self.samples.mean(axis=0), standard_errors(self.samples)
        bar = student(len(self.samples) - 1)
        for c in self.measured:
            mine, name = self.of(c), self.base.channels[c]
            largest = max(mine, key=lambda k: abs(effects[k]))
            if abs(effects[largest]) <= bar * errors[largest]:
                found.append(Fault("allocate", f"curves.{name}", f"{effects[largest]:,.0f} ± {errors[largest]:,.0f}",
                                   "is within noise: what money does on this channel cannot be told from nothing",
                                   "Measure with more replications, or do not act on this channel's part of the plan."))
            elif self.fits[c].scale == 0.0:
                found.append(Fault("allocate", f"curves.{name}", f"{effects[largest]:,.0f}", "is what another budget "
                                   "does: more money here takes from other channels what it brings",
                                   "The plan counts it as bringing nothing; spend no more on it than you must."))
            elif self.fits[c].likelihood < 0.001:
                miss = float(np.abs(self.fits[c].fitted - effects[mine]).max() / abs(effects[largest]))
                if miss > 0.05:
                    found.append(Fault("allocate", f"curves.{name}", f"{miss:.0%}", "is the largest distance of the "
                                       "curve from what was measured, relative to the largest effect",
                                       "Trust the simulated gain, not the predicted one."))
        return tuple(found)

    def line(self, c: int, levels: Floats) -> Floats:
        """Effect of steady levels (k,) [currency/day] of channel c by its curve, against the plan measured around."""
        fit = self.fits[c]
        paths = np.concatenate([self.base.around[c][None], np.repeat(levels[:, None], len(self.base.days), axis=1)])
        family = family_of(self._design(c, paths), fit.form, fit.shape, np.array([fit.half]))
        return np.asarray(fit.scale * family.units[0])

    @cached_property
    def frame(self) -> pd.DataFrame:
        """The curves: channel, form, scale, half, shape, carryover, what the next yuan brings, how well they fit."""
        return measured_tables.curves(self)

    @cached_property
    def effects(self) -> pd.DataFrame:
        """What was measured: channel, budget (a day, mean), effect on the objective, se, fitted, return per yuan."""
        return measured_tables.effects(self)

    @cached_property
    def spill_over(self) -> pd.DataFrame:
        """Where the effect of a channel's money comes to light: channel, appears_in, gmv, gmv_se, share, share_se."""
        return measured_tables.spill_over(self)


def fade_periods(carryover: float) -> int:
    """Periods after the plan for which the allocator lets pressure fade, where carry-out counts; by the slowest."""
    return min(MOST_TAIL, max(1, math.ceil(math.log(FADED) / math.log(carryover))))
