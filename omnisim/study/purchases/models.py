"""Three processes of repeat orders and how likely a history is under each.

A customer's history is (x, tx, T): x repeat orders, the last of them tx days after the first order, watched for T
days. In all three a customer orders at an own rate λ ~ Gamma(r, α) while alive; they differ in how customers end.

bg_nbd      lapse after a repeat order with an own chance p ~ Beta(a, b) (Fader, Hardie & Lee 2005, eq. 6)
pareto_nbd  leave at an own rate μ ~ Gamma(s, β) (Schmittlein, Morrison & Colombo 1987)
simulator   what omnisim's consumers do: lapse as in BG/NBD, but for a share that never lapses (`loyal`), and leave
            the market at one known rate for all (the scenario's population.renewal); first orders never lapse

Each likelihood is a sum of positive terms, taken in logs: alive at T, lapsed at tx, left between tx and T. The last
is an integral over the day of leaving, by Gauss-Legendre in log(day + scale), where the integrand is smooth; no
hypergeometric functions are subtracted from each other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.special import digamma, expit, gammaln, logit

Floats = NDArray[np.float64]
NODES, WEIGHTS = (np.asarray(part) for part in np.polynomial.legendre.leggauss(20))
FAR = 32.0
"""What lies beyond e⁻³² of an integrand's height is left out."""
BLOCK = 16_384
"""Histories worked on at once, so that they stay in the processor's cache."""


@dataclass(frozen=True)
class Histories:
    """Distinct histories and how many customers have each; n rows.

    Parameters
    ----------
    repeats : int64 (n,)  repeat orders (x)
    last : float (n,) [day]  first order to last (tx), 0 without repeat orders
    age : float (n,) [day]  first order to the end of the days watched (T)
    count : float (n,) [customer]
    """

    repeats: NDArray[np.int64]
    last: Floats
    age: Floats
    count: Floats

    def __len__(self) -> int:
        return int(self.repeats.size)

    def part(self, rows: slice) -> Histories:
        """Some of the rows."""
        return Histories(self.repeats[rows], self.last[rows], self.age[rows], self.count[rows])


class Parameter(NamedTuple):
    """A parameter of a process: name, unit, bounds, and whether it is a share (sought as log-odds, others as logs)."""

    name: str
    unit: str
    low: float
    high: float
    is_share: bool = False

    def inward(self, value: float) -> float:
        """The value on the line that the search runs along."""
        return float(logit(value)) if self.is_share else float(np.log(value))

    def outward(self, place: float) -> float:
        """The value at a place of that line."""
        return float(expit(place)) if self.is_share else float(np.exp(place))

    def pace(self, value: float) -> float:
        """Change of the value for a small step along that line."""
        return value * (1 - value) if self.is_share else value


Likelihood = Callable[[Histories, Floats], tuple[Floats, Floats, Floats]]


class Process(NamedTuple):
    """A process: its name, parameters, and log-likelihood.

    ``likelihood(histories, values)`` gives the log-likelihood of each history (n,), its gradient (parameters, n) and
    the log-chance of being alive at T, given the history (n,).
    """

    name: str
    parameters: tuple[Parameter, ...]
    likelihood: Likelihood
    leave: float = 0.0
    """Known rate at which all leave the market [1/day]."""


RATE = (Parameter("rate_shape", "1", 1e-3, 1e3), Parameter("rate_scale", "day", 1e-3, 1e6))
LAPSE = (Parameter("lapse_a", "1", 1e-3, 1e4), Parameter("lapse_b", "1", 1e-3, 1e4))


def _table(function: Callable[[Floats], Floats], start: float, places: NDArray[np.int64], highest: int) -> Floats:
    """A function of start + x for each history, worked out once for each number of repeat orders."""
    values = function(start + np.arange(highest + 1.0))
    return values[places]


def _rates(h: Histories, r: float, alpha: float) -> tuple[Floats, Floats, Floats]:
    """What all three share, log Γ(r + x) αʳ / Γ(r), with its derivatives to r and α."""
    most = int(h.repeats.max(initial=0))
    level = _table(gammaln, r, h.repeats, most) - gammaln(r) + r * np.log(alpha)
    by_r = _table(digamma, r, h.repeats, most) - digamma(r) + np.log(alpha)
    return level, by_r, np.full(len(h), r / alpha)


def _lapses(h: Histories, a: float, b: float) -> tuple[Floats, Floats, Floats, Floats, Floats, Floats]:
    """Logs of E (1-p)ˣ and of E p (1-p)ˣ⁻¹ for p ~ Beta(a, b), each with its derivatives to a and b."""
    most = int(h.repeats.max(initial=0))
    both, to_both = gammaln(a + b), digamma(a + b)
    sum_log, sum_psi = (_table(f, a + b, h.repeats, most) for f in (gammaln, digamma))
    kept = _table(gammaln, b, h.repeats, most) - gammaln(b) + both - sum_log
    kept_a = to_both - sum_psi
    kept_b = _table(digamma, b, h.repeats, most) - digamma(b) + kept_a
    one_less = np.maximum(h.repeats - 1, 0)
    gone = np.log(a) + _table(gammaln, b, one_less, most) - gammaln(b) + both - sum_log
    gone_a = 1 / a + kept_a
    gone_b = _table(digamma, b, one_less, most) - digamma(b) + kept_a
    return kept, kept_a, kept_b, np.where(h.repeats > 0, gone, -np.inf), gone_a, gone_b


def likelihood_bg_nbd(h: Histories, values: Floats) -> tuple[Floats, Floats, Floats]:
    """BG/NBD: alive B(a, b+x)/B(a, b) (α+T)^-(r+x), lapsed B(a+1, b+x-1)/B(a, b) (α+tx)^-(r+x)."""
    r, alpha, a, b = values
    level, by_r, by_alpha = _rates(h, r, alpha)
    kept, kept_a, kept_b, gone, gone_a, gone_b = _lapses(h, a, b)
    power = r + h.repeats
    at_end, at_last = np.log(alpha + h.age), np.log(alpha + h.last)
    alive, lapsed = kept - power * at_end, gone - power * at_last
    total = np.logaddexp(alive, lapsed)
    p, q = np.exp(alive - total), np.exp(lapsed - total)
    gradient = np.array([by_r - p * at_end - q * at_last,
                         by_alpha - power * (p / (alpha + h.age) + q / (alpha + h.last)),
                         p * kept_a + q * gone_a, p * kept_b + q * gone_b])
    return level + total, gradient, alive - total


def likelihood_pareto_nbd(h: Histories, values: Floats) -> tuple[Floats, Floats, Floats]:
    """Pareto/NBD: alive (α+T)^-(r+x) (β/(β+T))ˢ, left ∫ (α+τ)^-(r+x) s βˢ (β+τ)^-(s+1) dτ from tx to T."""
    r, alpha, s, beta = values
    level, by_r, by_alpha = _rates(h, r, alpha)
    power = r + h.repeats
    at_end, left_end = np.log(alpha + h.age), np.log(beta + h.age)
    alive = -power * at_end + s * (np.log(beta) - left_end)
    near = min(alpha, beta)
    # the integrand falls by e^-FAR within the shorter of the two
    reach = np.minimum((alpha + h.last) * np.expm1(np.minimum(FAR / power, 50.0)),
                       (beta + h.last) * np.expm1(min(FAR / s, 50.0)))
    begin = np.log(near + h.last)
    length = np.log(near + np.minimum(h.age, h.last + reach)) - begin
    top = -power * np.log(alpha + h.last) - (s + 1) * np.log(beta + h.last)
    sums = np.zeros((5, len(h)))
    for node, weight in zip((1 + NODES) / 2, WEIGHTS / 2, strict=True):
        step = np.exp(begin + node * length)
        day = step - near
        log_alpha, log_beta = np.log(alpha + day), np.log(beta + day)
        height = weight * step * np.exp(-power * log_alpha - (s + 1) * log_beta - top)
        sums[0] += height
        sums[1] += height * log_alpha
        sums[2] += height / (alpha + day)
        sums[3] += height * log_beta
        sums[4] += height / (beta + day)
    with np.errstate(divide="ignore"):  # nobody leaves where tx = T
        left = np.log(length * sums[0]) + top + np.log(s) + s * np.log(beta)
    total = np.logaddexp(alive, left)
    p, q = np.exp(alive - total), np.exp(left - total)
    mean = sums[1:] / np.where(sums[0] > 0, sums[0], 1.0)
    gradient = np.array([by_r - p * at_end - q * mean[0],
                         by_alpha - power * (p / (alpha + h.age) + q * mean[1]),
                         p * (np.log(beta) - left_end) + q * (1 / s + np.log(beta) - mean[2]),
                         p * s * (1 / beta - 1 / (beta + h.age)) + q * (s / beta - (s + 1) * mean[3])])
    return level + total, gradient, alive - total


def likelihood_simulator(h: Histories, values: Floats, *, leave: float) -> tuple[Floats, Floats, Floats]:
    """The simulator's process, g = loyal + (1 - loyal) B(a, b+x)/B(a, b) and μ = leave.

    Alive g e^-μT (α+T)^-(r+x), left g ∫ μ e^-μτ (α+τ)^-(r+x) dτ from tx to T, lapsed
    (1 - loyal) B(a+1, b+x-1)/B(a, b) e^-μtx (α+tx)^-(r+x).
    """
    r, alpha, a, b, loyal = values
    mu = max(leave, 1e-300)
    level, by_r, by_alpha = _rates(h, r, alpha)
    kept, kept_a, kept_b, gone, gone_a, gone_b = _lapses(h, a, b)
    power = r + h.repeats
    share = (1 - loyal) * np.exp(kept)  # of the history's alive, those who may lapse
    stays = loyal + share
    at_end, at_last = np.log(alpha + h.age), np.log(alpha + h.last)
    alive = np.log(stays) - mu * h.age - power * at_end
    lapsed = np.log1p(-loyal) + gone - mu * h.last - power * at_last
    reach = (alpha + h.last) * np.expm1(np.minimum(FAR / power, 50.0))
    length = np.log(alpha + np.minimum(h.age, h.last + reach)) - at_last
    top = -power * at_last - mu * h.last
    sums = np.zeros((3, len(h)))
    for node, weight in zip((1 + NODES) / 2, WEIGHTS / 2, strict=True):
        log_alpha = at_last + node * length
        step = np.exp(log_alpha)
        height = weight * step * np.exp(-power * log_alpha - mu * (step - alpha) - top)
        sums[0] += height
        sums[1] += height * log_alpha
        sums[2] += height / step
    with np.errstate(divide="ignore"):  # nobody leaves where tx = T
        left = np.log(length * sums[0]) + top + np.log(mu) + np.log(stays)
    total = np.logaddexp(np.logaddexp(alive, left), lapsed)
    p, q, o = np.exp(alive - total), np.exp(left - total), np.exp(lapsed - total)
    mean = sums[1:] / np.where(sums[0] > 0, sums[0], 1.0)
    may_lapse = (p + q) * share / stays
    gradient = np.array([by_r - p * at_end - q * mean[0] - o * at_last,
                         by_alpha - power * (p / (alpha + h.age) + q * mean[1] + o / (alpha + h.last)),
                         may_lapse * kept_a + o * gone_a, may_lapse * kept_b + o * gone_b,
                         (p + q) * (1 - np.exp(kept)) / stays - o / (1 - loyal)])
    return level + total, gradient, alive - total


BG_NBD = Process("bg_nbd", (*RATE, *LAPSE), likelihood_bg_nbd)
PARETO_NBD = Process("pareto_nbd", (*RATE, Parameter("leave_shape", "1", 1e-3, 1e3),
                                    Parameter("leave_scale", "day", 1e-3, 1e6)), likelihood_pareto_nbd)
PARAMETERS = (*RATE, *LAPSE, Parameter("loyal", "share", 1e-5, 0.999, True))
"""Of the simulator's process."""


def simulator(leave: float) -> Process:
    """The simulator's process with a known rate of leaving the market [1/day]."""
    return Process("simulator", PARAMETERS, partial(likelihood_simulator, leave=leave), leave)


def plain_simulator(leave: float) -> Process:
    """The same without customers who never lapse: all that the fields of a scenario can hold."""
    def likelihood(h: Histories, values: Floats) -> tuple[Floats, Floats, Floats]:
        each, slopes, alive = likelihood_simulator(h, np.append(values, 0.0), leave=leave)
        return each, slopes[:4], alive
    return Process("scenario", (*RATE, *LAPSE), likelihood, leave)


def log_likelihood(process: Process, h: Histories, values: Floats) -> tuple[float, Floats]:
    """Log-likelihood of all customers and its gradient (parameters,)."""
    total, gradient = 0.0, np.zeros(len(process.parameters))
    for start in range(0, len(h), BLOCK):
        part = h.part(slice(start, start + BLOCK))
        each, slopes, _ = process.likelihood(part, values)
        total += float(part.count @ each)
        gradient += slopes @ part.count
    return total, gradient


def chance_alive(process: Process, h: Histories, values: Floats) -> Floats:
    """P(alive at T | history) of each history."""
    parts = [process.likelihood(h.part(slice(start, start + BLOCK)), values)[2] for start in range(0, len(h), BLOCK)]
    return np.exp(np.concatenate(parts)) if parts else np.zeros(0)
