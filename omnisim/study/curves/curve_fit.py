"""A response curve through measured effects: the form, the scale and the half that explain them best.

A probe is a path of spend on one channel, other channels left as they are; its effect is what the whole brand brought
more than under the path that all probes are compared with. The curve is fitted to the sums over all periods exactly as
the allocator will sum it up, carry-over included, so a plan's predicted gain is a sum of things that were measured.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from omnisim.optimise.curves import whole_period
from omnisim.response import EXPONENTIAL, FORMS, HILL, Floats, carry, steady_stock

HALVES = 241
"""Halves tried, evenly in logs, from a fiftieth to fifty times the largest spend."""
BETWEEN = 41
"""Halves tried between two of these on either side of the best."""
REACH = 50.0
SHAPES = (1.5, 2.0, 3.0)
"""Exponents of S-shaped curves that are tried where no concave curve will do."""
MISFIT, BETTER = 0.001, 9.0
"""Chance below which concave curves count as refuted, and the drop of chi² that an S-shape must then bring."""
FACTOR = 10.0
"""A half this factor away from the largest spend tried counts like a miss of one standard error: where the effects
leave the bend open, the curve bends as curves do, and does not leap.
"""
LEAST_ERROR = 0.003
"""Errors are taken as at least this share of the largest effect: no curve is exact, and some points are too sure."""
SLOWEST, QUICKEST = 120.0, 0.2
"""Half-lives of carry-over that are tried [day]."""
ECHOES, FORGOTTEN = 41, (30.0, 60.0, 120.0, 240.0, 480.0, 960.0)
"""How many sizes of the echo are tried, from none to `LOUDEST`, and its mean delays [day]."""
LOUDEST = 2.0
"""Largest echo that is tried: repeat GMV of a yuan of first GMV if one waited for ever."""


class Design(NamedTuple):
    """What was tried on a channel.

    Parameters
    ----------
    stock : (1 + probes, periods) float [currency/day]  pressure in units of a steady spend; the first row is the path
        that the others are compared with
    weight : (periods,) float [day]  length of each period times its season
    top : float [currency/day]  largest spend that was tried
    """

    stock: Floats
    weight: Floats
    top: float


class Form(NamedTuple):
    """One family of curves over all halves: what a curve of scale 1 makes of each probe."""

    form: int
    shape: float
    halves: Floats
    units: Floats
    """(halves, probes)"""
    top: float
    """[currency/day]  largest spend that was tried"""


@dataclass(frozen=True)
class Fitted:
    """A curve, its fit and how well that holds.

    Parameters
    ----------
    form : int, shape, half, scale : float  as in `response`; scale is 0 where no effect was found
    chi2 : float  Σ ((effect − fitted) / error)²
    freedom : int  effects less parameters
    fitted : (probes,) float
    family : Form
    """

    form: int
    scale: float
    half: float
    shape: float
    chi2: float
    freedom: int
    fitted: Floats
    family: Form

    @property
    def name(self) -> str:
        """Name of the form."""
        return FORMS[self.form]

    @property
    def likelihood(self) -> float:
        """Chance of so poor a fit if the curve were true (chi² test); 1 without freedom."""
        from scipy.stats import chi2

        return float(chi2.sf(self.chi2, self.freedom)) if self.freedom > 0 else 1.0


def design(paths: Floats, carryover: float, carry_in: float, days: Floats, season: Floats, fade: int) -> Design:
    """What the allocator's own sums will be made of.

    Parameters
    ----------
    paths : (1 + probes, periods) float [currency/day]
    carryover : float [share/period], carry_in : float [currency/day]  stock before, as a steady spend
    days : (periods,) float [day], season : (periods,) float [x]
    fade : int  periods after the plan in which nothing is spent and the pressure fades
    """
    count, last = len(paths), whole_period(days)
    steady = steady_stock(np.array([carryover]), days)[0]
    spend = np.concatenate([paths * days, np.zeros((count, fade))], axis=1)
    stock = carry(spend, np.full(count, carryover), np.full(count, carry_in * days[0] / (1.0 - carryover)))
    weight, steady = (np.concatenate([part, np.repeat(part[at], fade)]) for part, at in
                      ((days * season, last), (steady, -1)))
    return Design(np.asarray(stock) / steady, weight, float(paths.max()))


def fit_curve(tried: Design, effects: Floats, errors: Floats, *, s_shaped: bool = True) -> Fitted:
    """The concave curve that explains the effects best; an S-shaped one only where concave ones are refuted by them.

    Parameters
    ----------
    effects, errors : (probes,) float [objective]  mean over replications, and standard errors
    """
    families = [family_of(tried, HILL, 1.0), family_of(tried, EXPONENTIAL, 1.0)]
    best = min((fit_family(family, effects, errors) for family in families), key=lambda one: one.chi2)
    if s_shaped and best.likelihood < MISFIT:
        shaped = [fit_family(family_of(tried, HILL, shape), effects, errors, 3) for shape in SHAPES]
        other = min(shaped, key=lambda one: one.chi2)
        if best.chi2 - other.chi2 > BETTER and other.scale > 0.0:
            return other
    return best


def family_of(tried: Design, form: int, shape: float, halves: Floats | None = None) -> Form:
    """What curves of one form and shape, scale 1 and any half (or those given) make of the probes."""
    top = tried.top or 1.0
    halves = np.geomspace(top / REACH, top * REACH, HALVES) if halves is None else halves
    ratio = tried.stock[None] / halves[:, None, None]
    if form == EXPONENTIAL:
        reply = -np.expm1(-ratio)
    else:
        power = ratio if shape == 1.0 else ratio ** shape
        reply = power / (1.0 + power)
    total = (reply * tried.weight).sum(axis=2)
    return Form(form, shape, halves, total[:, 1:] - total[:, :1], top)


def fit_family(family: Form, effects: Floats, errors: Floats, parameters: int = 2) -> Fitted:
    """The best half and scale of a family, by weighted least squares; nobody is repelled by spend, so scale ≥ 0."""
    weight = 1.0 / np.maximum(errors, LEAST_ERROR * float(np.abs(effects).max()) or 1.0) ** 2

    def fit(units: Floats, halves: Floats) -> tuple[Floats, Floats, int]:
        scale = np.maximum((units * weight) @ effects / ((units * units) @ weight), 0.0)
        chi2 = ((effects - scale[:, None] * units) ** 2) @ weight
        return scale, chi2, int(np.argmin(chi2 + (np.log(halves / family.top) / np.log(FACTOR)) ** 2))

    halves, units = family.halves, family.units
    scale, chi2, k = fit(units, halves)
    if 0 < k < len(halves) - 1:  # between the halves tried, by the parabola through three of them
        left, middle, right = units[k - 1:k + 2]
        step = np.linspace(-1.0, 1.0, BETWEEN)[:, None]
        units = middle + step * ((right - left) / 2 + step * ((right + left) / 2 - middle))
        halves = halves[k] * (halves[k + 1] / halves[k]) ** step[:, 0]
        scale, chi2, k = fit(units, halves)
    return Fitted(family.form, float(scale[k]), float(halves[k]), family.shape, float(chi2[k]),
                  len(effects) - parameters, scale[k] * units[k], family)


def fit_carryover(effects: Floats, season: Floats, planned: int) -> float:
    """Share of the pressure that is left a day later, from how effects build up and fade away, day by day.

    Parameters
    ----------
    effects : (probes, days) float  of steady probes on visits, fade included
    season : (days,) float [x]
    planned : int [day]  days until spending went back

    Notes
    -----
    A steady spend's pressure is 1 − θ^(t+1) of its level on day t, and fades by θ a day afterwards. Visits tell it,
    because what they lead to (orders, and repeat orders for years) goes on long after the pressure has gone.
    """
    best, found = np.inf, 0.0
    t = np.arange(effects.shape[1])
    level = float((effects * effects).sum())
    for half_life in np.geomspace(QUICKEST, SLOWEST, 160):
        theta = 0.5 ** (1.0 / half_life)
        built = 1.0 - theta ** (np.minimum(t, planned - 1) + 1.0)
        profile = season * built * theta ** np.maximum(t - planned + 1.0, 0.0)
        size = effects @ profile / (profile @ profile)
        left = level - float(size @ size) * float(profile @ profile)
        if left < best:
            best, found = left, theta
    return found


def fit_echo(effects: Floats, pressure: Floats, season: Floats) -> Floats:
    """What a yuan sold on each day brings by the last one, itself and all that its customers buy again (days,).

    Parameters
    ----------
    effects : (probes, days) float [currency/day]  of probes on GMV
    pressure : (probes, days) float  of each probe, other than that of the path it is compared with
    season : (days,) float [x]

    Notes
    -----
    Pressure p sells s p at once, and ε s ∫ p(u) e^(−(t−u)/τ) / τ later, s the season: those won buy again. ε and τ are
    the same for all probes, the size of each is its own. So pressure early, or before much is sold, brings more by the
    end than the same in the last weeks.
    """
    def fading(line: Floats, delay: float) -> Floats:
        """Σ over earlier days u of line(u) e^(−(t−u)/τ) / τ, by row."""
        left = np.full(len(line), np.exp(-1.0 / delay))
        sums = np.asarray(carry(np.ascontiguousarray(line) / delay, left, np.zeros(len(line))))
        return np.concatenate([np.zeros((len(line), 1)), left[:, None] * sums[:, :-1]], axis=1)

    direct = pressure * season
    best, found = np.inf, np.ones(effects.shape[1])
    for delay in FORGOTTEN:
        echo = season * fading(direct, delay)
        for size in np.linspace(0.0, LOUDEST, ECHOES):
            profile = direct + size * echo
            scale = (effects * profile).sum(axis=1) / np.maximum((profile * profile).sum(axis=1), 1e-300)
            miss = float(((effects - scale[:, None] * profile) ** 2).sum())
            if miss < best:
                best, found = miss, 1.0 + size * fading(season[None, ::-1], delay)[0, ::-1]
    return found
