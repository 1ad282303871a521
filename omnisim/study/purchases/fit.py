"""Fit a process of repeat orders to histories by maximum likelihood, with standard errors.

The search runs in logs (log-odds for shares) with the exact gradient: L-BFGS, then Newton steps whose Hessian is the
central difference of the gradient. The same Hessian gives the standard errors, and tells what cannot be identified.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

from omnisim.study.purchases.forecast import forecast
from omnisim.study.purchases.models import (
    PARETO_NBD,
    Floats,
    Histories,
    Process,
    log_likelihood,
)
from omnisim.study.purchases.transaction_log import TransactionLog

Ints = NDArray[np.int64]
VAGUE = 0.7
"""Standard error in logs (log-odds) from which a parameter is not identified: it may as well be half or double."""
STEP = 1e-3
"""Step in logs of the differences that give the Hessian."""


@dataclass(frozen=True)
class ProcessFit:
    """A process fitted to histories.

    Parameters
    ----------
    process : Process
    values : float (parameters,)
    covariance : float (parameters, parameters)  of the logs (log-odds) of the values; wide where nothing is known
    log_likelihood : float
    """

    process: Process
    values: Floats
    covariance: Floats
    log_likelihood: float

    @property
    def standard_errors(self) -> Floats:
        """Standard error of each value; not a number where it is not identified."""
        pace = np.array([p.pace(v) for p, v in zip(self.process.parameters, self.values, strict=True)])
        return np.where(self.identified, np.sqrt(np.diag(self.covariance)) * pace, np.nan)

    @property
    def identified(self) -> NDArray[np.bool_]:
        """Whether the histories fix a value to better than half or double."""
        return np.sqrt(np.diag(self.covariance)) <= VAGUE

    @property
    def aic(self) -> float:
        """Akaike's information criterion, 2 k - 2 log L."""
        return 2.0 * len(self.values) - 2.0 * self.log_likelihood

    def value(self, name: str) -> float:
        """The value of one parameter."""
        names = [parameter.name for parameter in self.process.parameters]
        return float(self.values[names.index(name)])


def histories(log: TransactionLog, until: int, clock: Floats, *,
              since: int | None = None) -> tuple[Histories, Ints, Ints]:
    """What is known of the customers on the evening of a day.

    Parameters
    ----------
    until : int  the day
    clock : float (days,) [day]  business days passed until the evening of each day; the days themselves without a
        calendar
    since : int  leave out customers who came after this day

    Returns
    -------
    the distinct histories, the row of each customer in them, and numbers of the customers
    """
    inside = log.day <= until
    code, day = log.customer[inside], log.day[inside]
    start = np.flatnonzero(np.append(True, np.diff(code) != 0))
    stop = np.append(start[1:], code.size)
    first, last, repeats = day[start], day[stop - 1], stop - start - 1
    kept = first <= (until if since is None else since)
    first, last, repeats, who = first[kept], last[kept], repeats[kept], code[start][kept]
    key = (repeats * (until + 1) + first) * (until + 1) + last
    _, place, row, count = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
    first, last, repeats = first[place], last[place], repeats[place]
    found = Histories(repeats, clock[last] - clock[first], clock[until] - clock[first], count.astype(float))
    return found, row.astype(np.int64), who


def starts(process: Process, h: Histories) -> list[Floats]:
    """Values to begin the search with: the mean rate of the histories, and lapses of various strength."""
    rate = max(float(h.count @ h.repeats), 1.0) / max(float(h.count @ h.age), 1.0)
    if process.name == PARETO_NBD.name:
        age = max(float(h.count @ h.age / h.count.sum()), 1.0)
        return [np.array([0.5, 0.25 / rate, 0.5, age])]
    first = np.array([0.5, 0.25 / rate, 0.7, 2.0])
    return [first] if len(process.parameters) == 4 else [np.append(first, 0.1), np.append(first, 0.5)]


def fit_process(process: Process, h: Histories, begin: list[Floats] | None = None) -> ProcessFit:
    """The values under which the histories are likeliest.

    Parameters
    ----------
    begin : list of float (parameters,)  where to start the search; the best end is kept

    Notes
    -----
    A flat direction is given a wide prior (standard deviation 3 in logs), so that a covariance exists.
    """
    n = float(h.count.sum())
    low = np.array([p.inward(p.low) for p in process.parameters])
    high = np.array([p.inward(p.high) for p in process.parameters])
    bounds = np.array([low, high]).T

    def loss(place: Floats) -> tuple[float, Floats]:
        values = np.array([p.outward(x) for p, x in zip(process.parameters, place.tolist(), strict=True)])
        pace = np.array([p.pace(v) for p, v in zip(process.parameters, values.tolist(), strict=True)])
        total, gradient = log_likelihood(process, h, values)
        return -total / n, -gradient * pace / n

    best: tuple[float, Floats] | None = None
    for values in begin or starts(process, h):
        place = np.array([p.inward(v) for p, v in zip(process.parameters, values.tolist(), strict=True)])
        found = minimize(loss, np.clip(place, low, high), jac=True, method="L-BFGS-B", bounds=bounds,
                         options={"maxiter": 300, "ftol": 1e-11, "gtol": 1e-7, "maxcor": 20})
        if best is None or found.fun < best[0]:
            best = float(found.fun), np.asarray(found.x, float)
    assert best is not None  # there is at least one start
    value, place = best
    for _ in range(4):
        hessian = _hessian(loss, place)
        gradient = loss(place)[1]
        inside = (place > low + 1e-6) & (place < high - 1e-6)
        step = np.where(inside, -np.linalg.solve(hessian + np.eye(place.size) / (9 * n), gradient * inside), 0.0)
        new = np.clip(place + np.clip(step, -0.5, 0.5), low, high)
        better = loss(new)[0]
        if not better < value or np.abs(new - place).max() < 1e-5:
            break
        value, place = better, new
    values = np.array([p.outward(x) for p, x in zip(process.parameters, place.tolist(), strict=True)])
    covariance = np.asarray(np.linalg.inv(_positive(hessian * n) + np.eye(place.size) / 9), float)
    return ProcessFit(process, values, covariance, -value * n)


def _hessian(loss: Callable[[Floats], tuple[float, Floats]], place: Floats) -> Floats:
    steps = STEP * np.eye(place.size)
    rows = [(loss(place + step)[1] - loss(place - step)[1]) / (2 * STEP) for step in steps]
    matrix = np.array(rows)
    return np.asarray((matrix + matrix.T) / 2)


def _positive(matrix: Floats) -> Floats:
    """The matrix without directions of negative curvature, which at an optimum are noise of the differences."""
    values, vectors = np.linalg.eigh(matrix)
    return np.asarray((vectors * np.maximum(values, 0.0)) @ vectors.T)


class Totals(NamedTuple):
    """Means of what all customers will do, and standard deviations: orders, and customers who order at all."""

    orders: float
    orders_sd: float
    buyers: float
    buyers_sd: float


def predict_totals(fit: ProcessFit, h: Histories, days: float) -> Totals:
    """What all customers will do within so many days.

    Notes
    -----
    The variance is that of the customers' luck, which is independent, plus that of the parameters: Jᵀ C J with the
    gradient J of the mean by central differences.
    """
    found = forecast(fit.process, fit.values, h, days)
    luck = np.array([h.count @ found.variance, h.count @ (found.any * (1 - found.any))])
    sd = np.sqrt(np.diag(fit.covariance))
    slopes = np.zeros((sd.size, 2))
    for k, parameter in enumerate(fit.process.parameters):
        step = min(0.05, float(sd[k]))
        ends = []
        for sign in (1, -1):
            values = fit.values.copy()
            values[k] = parameter.outward(parameter.inward(float(values[k])) + sign * step)
            other = forecast(fit.process, values, h, days)
            ends.append(np.array([h.count @ other.mean, h.count @ other.any]))
        slopes[k] = (ends[0] - ends[1]) / (2 * step)
    errors = np.sqrt(luck + np.einsum("km,kl,lm->m", slopes, fit.covariance, slopes))
    return Totals(float(h.count @ found.mean), float(errors[0]), float(h.count @ found.any), float(errors[1]))
