"""Shadow prices: what one more unit of each limit brings, in numbers and in words."""

from __future__ import annotations

import math
import time
from typing import NamedTuple

import numpy as np

from omnisim.optimise.budget import Solution
from omnisim.optimise.pieces import buy, chords, place_marks
from omnisim.optimise.problem import TOTAL, Limit, normalise, row_scale
from omnisim.optimise.programme import assemble
from omnisim.optimise.solver import Solver

NUDGE = 1e-3
"""How far a normalised limit is moved to see its price on either side."""
SAME = 0.03
"""Prices on both sides that differ by less, relative, are one price: the curve bends, but has no kink."""
MOST_NUDGED = 200
"""Limits whose two sides are looked at."""
WORDS = {"response": "response", "profit": "profit", "gmv": "GMV", "equity": "customer equity",
         "awareness": "awareness", "loyalty": "loyalty", "present_value": "present value", "spend": "response"}
MONEY = {"CNY": "yuan", "USD": "dollar", "EUR": "euro", "GBP": "pound"}


class Price(NamedTuple):
    """One row of the table of shadow prices."""

    limit: str
    price: float
    price_left: float
    price_right: float
    unit: str
    meaning: str


def price_limits(solution: Solution, objective: str, currency: str) -> list[Price]:
    """Prices of all limits and of the bounds that bind.

    Notes
    -----
    `price_right` is what the next unit brings, `price_left` what the last one brought. They differ at kinks, where what
    binds changes. With integer decisions they hold with these fixed.
    """
    problem = solution.problem
    if solution.method == "s-shaped":
        sides = {}
    elif solution.method == "exact":
        sides = {0: _sides_of_budget(solution)}
    else:
        sides = _sides_of_limits(solution)
    suffix = "; channels that are used and core channels stay as they are" if solution.method == "integer" else ""
    rows = []
    for k, (limit, price) in enumerate(zip(problem.limits, solution.prices, strict=True)):
        left, right = sides.get(k, (float(price), float(price)))
        price = min(max(float(price), min(left, right)), max(left, right)) if math.isfinite(left + right) else price
        rows.append(_row(limit, float(price), left, right, objective, currency, suffix))
    return rows + _price_bounds(solution, objective, currency, suffix)


def adds(price: float, objective: str) -> str:
    """What one more unit of a limit does, in words."""
    return f"returns {price:.6g}" if objective in ("response", "gmv", "spend") else (
        f"adds {price:.6g} to {WORDS[objective]}")


def _row(limit: Limit, price: float, left: float, right: float, objective: str, currency: str, suffix: str) -> Price:
    money = MONEY.get(currency, currency)
    thing = {"currency": money, "hour": "hour", "unit": "unit", "response": "unit of response"}.get(limit.unit, "unit")
    name = "total budget" if limit.name == TOTAL else limit.name
    what = WORDS[objective]
    unit = f"{what}/{currency if limit.unit == 'currency' else limit.unit}"
    return Price(limit.name, price, left, right, unit, f"one more {thing} of {name} {adds(price, objective)}{suffix}")


def _sides_of_budget(solution: Solution) -> tuple[float, float]:
    """Price of the total budget on both sides where the exact method applies.

    While one spend lies between its bounds, both are the same. Where none does, the next unit goes where the best
    marginal return has room, and the last one came from where the least is above its floor.
    """
    problem, price = solution.problem, float(solution.prices[0])
    planned, curves = problem.plan_periods, problem.curves
    gain = solution.marginals(solution.whole)[:, :planned]
    hair = 1e-9 * problem.budget
    room = (solution.spend < curves.cap[:, :planned] - hair) | (problem.cap_names == TOTAL)
    spare = solution.spend > curves.floor[:, :planned] + hair
    if float(solution.spend.sum()) < problem.budget - hair:
        return 0.0, 0.0
    if (room & spare).any() or not spare.any():
        return price, price
    right = max(0.0, float(gain[room].max(initial=0.0)))
    left = float(gain[spare].min())
    return max(left, right), right


def _sides_of_limits(solution: Solution) -> dict[int, tuple[float, float]]:
    """Prices of binding limits on both sides, from the last programme with each limit moved a little."""
    problem = solution.problem
    normal, units = normalise(problem)
    grid = solution.grid
    if grid is None:
        return {}
    bought = None if normal.doubling is None else buy(
        normal, place_marks(normal, solution.whole / units.money, 1e-3))
    frame, at = assemble(normal, chords(normal, grid), bought)
    model, solver = frame.model(), Solver()
    solver.solve(model)
    found: dict[int, tuple[float, float]] = {}
    binding = [k for k in range(len(problem.limits)) if abs(solution.prices[k]) > 1e-9 * units.value / units.money]
    deadline = time.monotonic() + 20.0
    for k in binding[:MOST_NUDGED]:
        row, factor = int(at.limits[k]), units.value / row_scale(problem.limits[k], units)
        sides = []
        for move in (-NUDGE, NUDGE):
            low, high = model.row_low.copy(), model.row_high.copy()
            low[row], high[row] = low[row] + move, high[row] + move
            answer = solver.solve(model._replace(row_low=low, row_high=high), presolve=False, deadline=deadline)
            sides.append(float(answer.duals[row]) * factor if answer.status == "optimal" else math.nan)
        left, right = sides
        price = float(solution.prices[k])
        if abs(left - right) <= SAME * max(abs(left), abs(right)):
            left = right = price
        found[k] = left, right
    return found


def _price_bounds(solution: Solution, objective: str, currency: str, suffix: str) -> list[Price]:
    """Prices of the floors and caps that bind, by the line they came from: one more unit in each period where it binds.

    A bound's price is the marginal return of the spend less what the other limits charge for it.
    """
    problem = solution.problem
    planned, curves = problem.plan_periods, problem.curves
    gain = solution.marginals(solution.whole)[:, :planned].copy()
    for limit, price in zip(problem.limits, solution.prices, strict=True):
        gain.ravel()[limit.cells] -= price * limit.spend
    hair = 1e-9 * max(problem.budget, 1e-300)
    totals: dict[str, float] = {}
    counts: dict[str, int] = {}
    for at_bound, names, sign in (
            (solution.spend >= curves.cap[:, :planned] - hair, problem.cap_names, 1.0),
            (solution.spend <= curves.floor[:, :planned] + hair, problem.floor_names, -1.0)):
        for name, value in zip(names[at_bound], gain[at_bound], strict=True):
            if name not in ("", TOTAL) and sign * value > 0.0:
                totals[name] = totals.get(name, 0.0) + float(value)
                counts[name] = counts.get(name, 0) + 1
    return [_row(Limit(name, name, "<=", 0.0), price, price, price, objective, currency,
                 (f", in each of {counts[name]} periods" if counts[name] > 1 else "") + suffix)
            for name, price in totals.items() if np.isfinite(price)]
