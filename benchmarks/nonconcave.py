"""S-shaped curves: gaps, times and what other methods leave behind. Times are processor time on one core.

    python benchmarks/nonconcave.py [--cases 200] [--rivals 100]

Seeded random cases: a fifth, a half or none of the curves concave (power, exponential, hill), the rest hill curves of
shape 1.3 to 5; budgets between 5 and 80 % of the sum of half points; floors on a fifth of the channels, caps on a
third; over 12 weeks carry-over up to 0.8 and, for half of the channels, pressure carried in. Rivals start from the same
three plans (even, by half points, by scales): SLSQP (scipy), CCSA-quadratic and MMA (NLopt, left out where it is not
installed), each plan of even spend scaled by −30 to +30 % a channel (the best combination), and a mixed-integer
programme of 32 pieces a channel (HiGHS, one period). The table goes to benchmarks/nonconcave.md and standard output.
"""

from __future__ import annotations

import argparse
import importlib
import math
import os
import platform
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp, minimize
from scipy.sparse import lil_array

from omnisim.optimise.curves import CurveArrays, marginal_response, total_response
from omnisim.optimise.jumps import within
from omnisim.optimise.nonconcave import normalise, solve_nonconcave, spreads
from omnisim.response import EXPONENTIAL, HILL, POWER, Floats

HERE = Path(__file__).parent
Method = Callable[[CurveArrays, Floats], Floats]
CELLS = 2000
PIECES = 32


def draw_case(n: int, periods: int, seed: int) -> CurveArrays:
    """A random case with a budget of 1."""
    draw = np.random.default_rng([n, periods, seed])
    kind = np.where(draw.random(n) < draw.choice([0.0, 0.2, 0.5]), draw.integers(1, 4, n), 0)
    form = np.array([HILL, POWER, EXPONENTIAL, HILL], np.int8)[kind]
    shape = np.choose(kind, [draw.uniform(1.3, 5.0, n), draw.uniform(0.3, 0.9, n), np.ones(n),
                             draw.uniform(0.5, 1.0, n)])
    half = np.exp(draw.normal(0.0, 0.8, n))
    scale = half * np.exp(draw.normal(0.0, 0.5, n))
    budget = math.exp(draw.uniform(math.log(0.05), math.log(0.8))) * float(half.sum())
    floor = np.where(draw.random(n) < 0.2, draw.uniform(0.0, 0.5, n) * half, 0.0)
    cap = np.where(draw.random(n) < 0.3, half * draw.uniform(0.5, 3.0, n), budget)
    floor = np.minimum(floor, cap)
    floor *= min(1.0, 0.5 * budget / max(float(floor.sum()), 1e-9))

    def over(values: Floats) -> Floats:
        return np.ascontiguousarray(np.repeat(values[:, None], periods, axis=1))

    carryover = draw.uniform(0.0, 0.8, n) * (draw.random(n) < 0.9) * (periods > 1)
    carry_in = draw.uniform(0.0, 1.0, n) * half / budget / periods * (draw.random(n) < 0.5) * (periods > 1)
    return CurveArrays(form, over(scale / scale.max()), over(half / budget / periods), over(shape), carryover, carry_in,
                       over(floor / budget / periods), over(np.minimum(cap / budget / periods, 1.0)))


def clocked(run: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = run()
    return found, time.process_time() - start


def by_slsqp(curves: CurveArrays, start: Floats) -> Floats:
    shape = start.shape
    found = minimize(
        lambda x: -total_response(curves, np.ascontiguousarray(x.reshape(shape))), start.ravel(), method="SLSQP",
        jac=lambda x: -slopes_of(curves, x.reshape(shape)), options={"maxiter": 300, "ftol": 1e-12},
        bounds=list(zip(curves.floor.ravel(), curves.cap.ravel(), strict=True)),
        constraints=[{"type": "ineq", "fun": lambda x: 1.0 - x.sum(), "jac": lambda x: -np.ones(x.size)}])
    return np.asarray(found.x.reshape(shape))


def by_nlopt(name: str) -> Method:
    nlopt = importlib.import_module("nlopt")

    def run(curves: CurveArrays, start: Floats) -> Floats:
        shape = start.shape

        def response(x: Floats, gradient: Floats) -> float:
            if gradient.size:
                gradient[:] = slopes_of(curves, x.reshape(shape))
            return total_response(curves, np.ascontiguousarray(x.reshape(shape)))

        def budget(x: Floats, gradient: Floats) -> float:
            if gradient.size:
                gradient[:] = 1.0
            return float(x.sum() - 1.0)

        method = nlopt.opt(getattr(nlopt, name), start.size)
        method.set_lower_bounds(curves.floor.ravel())
        method.set_upper_bounds(curves.cap.ravel())
        method.set_max_objective(response)
        method.add_inequality_constraint(budget, 1e-12)
        method.set_maxeval(1500)
        method.set_ftol_rel(1e-12)
        try:
            return np.asarray(method.optimize(start.ravel())).reshape(shape)
        except RuntimeError:  # NLopt's word for no further progress
            return start

    return run


def slopes_of(curves: CurveArrays, spend: Floats) -> Floats:
    return np.nan_to_num(marginal_response(curves, np.maximum(spend, 1e-12)).ravel(), posinf=1e6)


def by_grid(curves: CurveArrays, today: Floats) -> Floats:
    """The best of today's plan with every channel scaled by 0.70 to 1.30 in steps of 0.02, within limits and budget."""
    factors = np.linspace(0.7, 1.3, 31)
    table = np.full(CELLS + 1, -math.inf)
    table[0] = 0.0
    choices = []
    for c in range(curves.form.size):
        grown, chosen = np.full(CELLS + 1, -math.inf), np.zeros(CELLS + 1, int)
        one = CurveArrays(*(np.ascontiguousarray(field[c : c + 1]) for field in curves))
        for k, factor in enumerate(factors):
            plan = np.clip(today[c : c + 1] * factor, one.floor, one.cap)
            cells = math.ceil(float(plan.sum()) * CELLS - 1e-9)
            if cells <= CELLS:
                shifted = np.full(CELLS + 1, -math.inf)
                shifted[cells:] = table[: CELLS + 1 - cells] + total_response(one, plan)
                chosen[shifted > grown] = k
                grown = np.maximum(grown, shifted)
        table = grown
        choices.append(chosen)
    place = int(np.argmax(table))
    spend = today.copy()
    for c in range(curves.form.size - 1, -1, -1):
        spend[c] = np.clip(today[c] * factors[choices[c][place]], curves.floor[c], curves.cap[c])
        place -= math.ceil(float(spend[c].sum()) * CELLS - 1e-9)
    return spend


def by_pieces(curves: CurveArrays) -> Floats:
    """One period as a mixed-integer programme: a weight on each point, and one piece a channel whose ends may weigh."""
    n, points = curves.form.size, PIECES + 1
    per, columns = points + PIECES, n * (2 * PIECES + 1)
    rows, low, high = lil_array((1 + n * (2 + points), columns)), [-math.inf], [1.0]
    gain, row = np.zeros(columns), 1
    for c in range(n):
        at = c * per
        one = CurveArrays(*(np.ascontiguousarray(field[c : c + 1]) for field in curves))
        stops = float(one.floor[0, 0]) + float(one.cap[0, 0] - one.floor[0, 0]) * np.linspace(0.0, 1.0, points) ** 2
        for k, x in enumerate(stops):
            gain[at + k] = -total_response(one, np.array([[x]]))
            rows[0, at + k] = x
        rows[row, at : at + points] = 1.0
        rows[row + 1, at + points : at + per] = 1.0
        low += [1.0, 1.0]
        high += [1.0, 1.0]
        row += 2
        for k in range(points):
            rows[row, at + k] = 1.0
            for piece in (k - 1, k):
                if 0 <= piece < PIECES:
                    rows[row, at + points + piece] = -1.0
            low.append(-math.inf)
            high.append(0.0)
            row += 1
    whole = np.tile(np.r_[np.zeros(points), np.ones(PIECES)], n)
    found = milp(gain, integrality=whole, bounds=Bounds(0.0, 1.0), options={"mip_rel_gap": 1e-4, "time_limit": 20.0},
                 constraints=LinearConstraint(rows.tocsr(), low, high))
    weights = np.asarray(found.x).reshape(n, per)[:, :points]
    stops = curves.floor + (curves.cap - curves.floor) * np.linspace(0.0, 1.0, points) ** 2
    return (weights * stops).sum(axis=1)[:, None]


def rivals_of(n: int, periods: int, most: int) -> Iterator[tuple[str, Method, int, int]]:
    """Name, method, cases and starts; fewer where a method takes long."""
    size = n * periods
    yield "SLSQP", by_slsqp, most if size <= 10 else most // 4 if size <= 50 else most // 25 if size <= 200 else 0, 3
    try:
        for name, method in (("NLopt CCSAQ", "LD_CCSAQ"), ("NLopt MMA", "LD_MMA")):
            yield name, by_nlopt(method), most if size <= 120 else most // 5 if size <= 600 else most // 20, 3
    except ImportError:
        pass
    yield "grid ±30 %", lambda curves, start: by_grid(curves, start), most if size <= 120 else most // 5, 1
    if periods == 1:
        few = most // 10 if n <= 50 else most // 40
        yield f"HiGHS, {PIECES} pieces", lambda curves, start: by_pieces(curves), few, 1


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=200, help="for one period; fewer over 12 weeks")
    parser.add_argument("--rivals", type=int, default=100, help="cases for the quick rivals; slow ones get a share")
    parser.add_argument("--sizes", default="10x1,50x1,200x1,10x12,50x12,200x12")
    options = parser.parse_args()
    rule = "| --- | --- | --- | --- | --- | --- | --- | --- |"
    ours = ["| channels × periods | cases | gap: median | 95 % | largest | ms: median | 95 % | largest |", rule]
    theirs = ["| channels × periods | method | cases × starts | lost, median | lost > 1 % | beat ours by > 1e-6 "
              "| ms a start | ours, ms |", rule]
    for size in options.sizes.split(","):
        n, periods = map(int, size.split("x"))
        solve_nonconcave(draw_case(n, periods, 0), 1.0)
        count = options.cases if periods == 1 else options.cases // (2 if n <= 10 else 8)
        cases = [draw_case(n, periods, seed) for seed in range(count)]
        found, seconds = zip(*(clocked(partial(solve_nonconcave, case, 1.0)) for case in cases), strict=True)
        gaps, times = np.array([one.gap for one in found]), 1e3 * np.array(seconds)
        ours.append(f"| {n} × {periods} | {len(cases)} | " + " | ".join(
            f"{value:.1e}" for value in (np.median(gaps), np.quantile(gaps, 0.95), gaps.max())) + " | " + " | ".join(
            f"{value:.3g}" for value in (np.median(times), np.quantile(times, 0.95), times.max())) + " |")
        print(ours[-1], flush=True)
        for name, method, count, starts in rivals_of(n, periods, min(options.rivals, options.cases)):
            lost, taken = [], []
            for case, one in zip(cases[:count], found, strict=False):
                normal, _ = normalise(case, 1.0, float(case.floor.sum()))
                values = []
                for start in spreads(normal)[:starts]:
                    plan, second = clocked(partial(method, case, within(case, start, 1.0)))
                    values.append(total_response(case, within(case, plan, 1.0)))
                    taken.append(1e3 * second)
                lost.append(1.0 - max(values) / one.objective)
            if lost:
                theirs.append(f"| {n} × {periods} | {name} | {len(lost)} × {starts} | {np.median(lost):.2%} | "
                              f"{np.mean(np.array(lost) > 0.01):.0%} | {int((np.array(lost) < -1e-6).sum())} | "
                              f"{np.median(taken):.3g} | {np.median(times[:count]):.3g} |")
                print(theirs[-1], flush=True)
    text = (f"# S-shaped curves\n\n{platform.machine()}, {os.cpu_count()} processors, one used; Python "
            f"{platform.python_version()}; `python benchmarks/nonconcave.py`; what the cases are is told there. Gap: "
            "(bound − plan) / bound, asked for 1e-3 over 12 weeks and 1e-10 in one. Times: processor time, warm.\n\n"
            + "\n".join(ours) + "\n\nThe best of a rival's starts against ours, the budget kept by all; a start is the "
            "even plan, or one in proportion to half points or to scales.\n\n" + "\n".join(theirs) + "\n")
    (HERE / "nonconcave.md").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
