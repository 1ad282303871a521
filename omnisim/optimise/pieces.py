"""Curves as straight pieces: chords, which no plan falls short of, and tangents, which none exceeds.

A curve that is S-shaped is first replaced, up to some stock, by a straight line, so that it is concave: by a line above
it for a bound (`envelope_lines`), by one that touches it from below for a plan (`touching_lines`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from omnisim.compiled import kernel
from omnisim.optimise.problem import Problem
from omnisim.response import Floats, carry, dearness, expose, inflection, respond, response, slope, slopes

NARROW = 1e-13
"""Pieces narrower than this, of a budget of 1, bring nothing."""
HALVINGS = 60
"""Of the bracket in which a line meets its curve."""
AROUND = np.array([0.0, 0.02, 0.1, 0.3, 0.6, 1.0])
CLOSELY = np.linspace(0.0, 1.0, 25) ** 2
"""Spends, in shares of the most, between which exposure is straight where no plan is known yet, and where choices may
lead far from any plan."""


@dataclass(frozen=True)
class Segments:
    """Straight pieces: `base` (n, periods) at the least stock, then widths and slopes (…, k).

    `start` (n, periods) is the least stock where it is not what the floors leave.
    """

    base: Floats
    widths: Floats
    slopes: Floats
    start: Floats | None = None


class Lines(NamedTuple):
    """A line level + slope · stock that takes the place of a curve below a stock; (n, periods) each."""

    until: Floats
    slope: Floats
    level: Floats


def stock_range(problem: Problem) -> tuple[Floats, Floats]:
    """Least and most stock of each channel and period within bounds and budget."""
    curves = problem.curves
    least = problem.stocks(curves.floor)
    faded = np.asarray(carry(np.zeros_like(curves.floor), curves.carryover, curves.carry_in))
    most = problem.stocks(curves.cap)
    return least, np.maximum(least, np.minimum(most, faded + max(problem.budget, float(curves.floor.sum()))))


def _follow(problem: Problem, grid: Floats, lines: Lines | None) -> tuple[Floats, Floats]:
    """Responses and slopes at stocks (n, periods, k)."""
    curves = problem.curves
    at = [np.ascontiguousarray(grid[:, :, k]) for k in range(grid.shape[2])]
    values = np.stack([respond(curves.form, curves.scale, curves.half, curves.shape, one) for one in at], axis=2)
    steep = np.stack([slopes(curves.form, curves.scale, curves.half, curves.shape, one) for one in at], axis=2)
    if lines is None:
        return values, steep
    until, rise, level = (part[:, :, None] for part in lines)
    below = (grid <= until) & (until > 0.0)
    return np.where(below, level + rise * grid, values), np.where(below, rise, steep)


def chords(problem: Problem, grid: Floats, lines: Lines | None = None) -> Segments:
    """Chords between grid stocks (n, periods, k), ascending: at most the true response, and equal at the grid."""
    values = _follow(problem, grid, lines)[0]
    return _chain(grid, values)


def _chain(grid: Floats, values: Floats) -> Segments:
    widths = np.diff(grid, axis=2)
    steep = np.divide(np.diff(values, axis=2), widths, out=np.zeros_like(widths), where=widths > NARROW)
    return Segments(values[:, :, 0], widths, steep)


def tangents(problem: Problem, grid: Floats, lines: Lines | None = None) -> Segments:
    """Tangents at grid stocks, each up to where it meets the next: at least the true response.

    Where a curve starts upright, the first tangent that is not goes on to the left.
    """
    return _meet(grid, *_follow(problem, grid, lines))


def _meet(grid: Floats, values: Floats, steep: Floats) -> Segments:
    steep[:, :, -1] = np.where(np.isfinite(steep[:, :, -1]), steep[:, :, -1], 0.0)  # nothing may be had there at all
    upright = ~np.isfinite(steep)
    points = grid.copy()
    for k in range(grid.shape[2] - 2, -1, -1):  # a point without a tangent repeats the next one
        for array in (values, steep, points):
            array[:, :, k] = np.where(upright[:, :, k], array[:, :, k + 1], array[:, :, k])
    fall = steep[:, :, :-1] - steep[:, :, 1:]
    rise = np.diff(values, axis=2) - steep[:, :, 1:] * np.diff(points, axis=2)
    meet = points[:, :, :-1] + np.divide(rise, fall, out=np.zeros_like(rise), where=fall > 1e-14 * steep[:, :, :-1])
    meet = np.clip(meet, points[:, :, :-1], points[:, :, 1:])
    first, last = grid[:, :, :1], grid[:, :, -1:]
    ends = np.concatenate([first, meet, last], axis=2)
    base = values[:, :, 0] - steep[:, :, 0] * (points[:, :, 0] - first[:, :, 0])
    return Segments(base, np.diff(np.maximum.accumulate(ends, axis=2), axis=2), steep)


def place_marks(problem: Problem, spend: Floats | None = None, reach: float = 0.1, around: Floats = AROUND) -> Floats:
    """Spends (n, periods, k) between which exposure is straight: all over, and close around a plan if there is one."""
    floor, cap = problem.curves.floor, np.minimum(problem.curves.cap, max(problem.budget, 1.0e-9))
    cap = np.maximum(cap, floor)
    marks = floor[:, :, None] + (cap - floor)[:, :, None] * around
    if spend is not None:
        near = spend[:, :, None] * np.exp(reach * np.array([-3.0, -1.0, -0.3, 0.0, 0.3, 1.0, 3.0]))
        marks = np.concatenate([marks, np.clip(near, floor[:, :, None], cap[:, :, None])], axis=2)
    return np.asarray(np.sort(marks, axis=2))


def buy(problem: Problem, marks: Floats, *, above: bool = False) -> Segments:
    """Exposure as straight pieces of spend: chords below it, or tangents above it."""
    assert problem.doubling is not None
    doubling = problem.doubling[:, :, None]
    values = np.asarray(expose(marks, doubling))
    return _meet(marks, values, 1.0 / dearness(marks, doubling)) if above else _chain(marks, values)


@kernel
def envelope_lines(curves, low, high):
    """Lines that make each curve concave from above between two stocks: from the curve at `low` to where they touch it.

    Parameters
    ----------
    curves : CurveArrays
    low, high : (n, periods) float [currency]

    Returns
    -------
    until, slope, level : (n, periods) float  0 until `low` where the curve is concave
    """
    until, rise, level = np.zeros_like(low), np.zeros_like(low), np.zeros_like(low)
    for c in range(low.shape[0]):
        for t in range(low.shape[1]):
            form, scale, half, shape = curves.form[c], curves.scale[c, t], curves.half[c, t], curves.shape[c, t]
            bend, first = inflection(form, half, shape), low[c, t]
            if bend <= first or high[c, t] <= first:
                continue
            start = response(form, scale, half, shape, first)
            left, right = min(bend, high[c, t]), high[c, t]
            if right > bend:  # the chord from the start is steepest where it touches
                for _ in range(HALVINGS):
                    middle = 0.5 * (left + right)
                    steep = slope(form, scale, half, shape, middle)
                    if response(form, scale, half, shape, middle) - start < steep * (middle - first):
                        left = middle
                    else:
                        right = middle
            if left >= high[c, t] * (1.0 - 1e-12):  # it does not touch any more: the chord to the end
                until[c, t] = high[c, t]
                rise[c, t] = (response(form, scale, half, shape, high[c, t]) - start) / (high[c, t] - first)
            else:
                until[c, t], rise[c, t] = left, slope(form, scale, half, shape, left)
            level[c, t] = start - rise[c, t] * first
    return until, rise, level


@kernel
def touching_lines(curves, stock, high):
    """Lines that make each curve concave from below: they touch it at a stock, or at the inflection if that is less.

    Parameters
    ----------
    curves : CurveArrays
    stock : (n, periods) float [currency]  where the curve is kept
    high : (n, periods) float [currency]  beyond which no stock goes

    Returns
    -------
    until, slope, level : (n, periods) float  until the line meets the curve again
    """
    until, rise, level = np.zeros_like(stock), np.zeros_like(stock), np.zeros_like(stock)
    for c in range(stock.shape[0]):
        for t in range(stock.shape[1]):
            form, scale, half, shape = curves.form[c], curves.scale[c, t], curves.half[c, t], curves.shape[c, t]
            bend = inflection(form, half, shape)
            if bend <= 0.0:
                continue
            at = min(stock[c, t], bend)
            steep = slope(form, scale, half, shape, at)
            rise[c, t], level[c, t] = steep, response(form, scale, half, shape, at) - steep * at
            left, right = bend, max(high[c, t], bend)
            if response(form, scale, half, shape, right) >= level[c, t] + steep * right:
                left = 2.0 * right + bend  # never
            else:
                for _ in range(HALVINGS):
                    middle = 0.5 * (left + right)
                    if response(form, scale, half, shape, middle) >= level[c, t] + steep * middle:
                        left = middle
                    else:
                        right = middle
            until[c, t] = left
    return until, rise, level


def envelope(problem: Problem, low: Floats, high: Floats) -> Lines:
    """`envelope_lines` of a problem."""
    return Lines(*envelope_lines(problem.curves, low, high))


def touch(problem: Problem, stock: Floats, high: Floats) -> Lines:
    """`touching_lines` of a problem."""
    return Lines(*touching_lines(problem.curves, stock, high))
