"""Budget plans side by side in one run: omnisim, SLSQP, NLopt (if it is installed), PuLP with CBC and with HiGHS.

    python benchmarks/allocate.py [--repeats 5]

Processor seconds, medians after a first run; the table goes to benchmarks/allocate.md and to standard output. The gap
of every method is measured against omnisim's bound, on the true curves.
"""

from __future__ import annotations

import argparse
import functools
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

import omnisim as om
from omnisim.optimise.curves import CurveArrays, marginal_response, total_response

HERE = Path(__file__).parent
BUDGET = 1e6
SIZES = ((10, 1), (10, 12), (50, 12), (200, 12), (1000, 12))
BARS = {(10, 1): 5, (10, 12): 10, (50, 12): 30, (200, 12): 120, (1000, 12): 600}
PIECES = 20


def curves(n: int, seed: int = 1) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame({
        "channel": [f"c{k}" for k in range(n)], "form": "hill", "scale": rng.uniform(50, 150, n),
        "half": BUDGET / n * rng.uniform(0.05, 1.0, n), "shape": rng.uniform(0.5, 1, n),
        "carryover": rng.uniform(0, 0.8, n)})


def limits(n: int) -> dict[str, Any]:
    """Four groups with floor and ceiling, a budget for each period, ratios between channels."""
    names = [f"c{k}" for k in range(n)]
    return {"groups": [{"name": f"g{k}", "channels": names[k::4], "low": 0.2, "high": 0.3} for k in range(4)],
            "period_budgets": [round(1.05 * BUDGET / 12, 2)] * 12,
            "ratios": [{"channel": names[k], "to": names[k + n // 2], "low": 0.9} for k in range(min(20, n // 2))]}


def clock(work: Callable[[], Any], repeats: int) -> tuple[float, Any]:
    """Median processor seconds after a first run, and the last result."""
    answer, seconds = work(), []
    for _ in range(repeats):
        took, answer = once(work)
        seconds.append(took)
    return statistics.median(seconds), answer


def once(work: Callable[[], Any]) -> tuple[float, Any]:
    start = processor_seconds()
    answer = work()
    return processor_seconds() - start, answer


def processor_seconds() -> float:
    """Of this process and of its children, which are counted when they end."""
    times = os.times()
    return time.process_time() + times.children_user + times.children_system


def slsqp(arrays: CurveArrays, unit: float) -> np.ndarray:
    """SciPy's SLSQP with exact gradients, from an equal split; `unit` of money in which it sees the problem."""
    from scipy.optimize import minimize

    shape = arrays.scale.shape
    start = np.full(arrays.scale.size, BUDGET / arrays.scale.size)
    size = total_response(arrays, start.reshape(shape)) if unit > 1 else 1.0

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        spend = np.ascontiguousarray(np.maximum(x, 0).reshape(shape) * unit)
        slope = np.minimum(marginal_response(arrays, spend), 1e9)
        return -total_response(arrays, spend) / size, -slope.ravel() * unit / size

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = minimize(both, start / unit, jac=True, method="SLSQP", bounds=[(1e-12, None)] * start.size,
                         constraints={"type": "eq", "fun": lambda x: x.sum() - BUDGET / unit,
                                      "jac": lambda x: np.ones_like(x)}, options={"maxiter": 100, "ftol": 1e-9})
    spend = np.maximum(found.x, 0).reshape(shape) * unit
    return spend * BUDGET / spend.sum()


def nlopt_mma(arrays: CurveArrays) -> np.ndarray:
    """NLopt's MMA, well scaled."""
    import nlopt

    shape = arrays.scale.shape
    size = total_response(arrays, np.full(shape, BUDGET / arrays.scale.size))
    solver = nlopt.opt(nlopt.LD_MMA, arrays.scale.size)

    def objective(x: np.ndarray, slope: np.ndarray) -> float:
        spend = np.ascontiguousarray(x.reshape(shape) * BUDGET)
        if slope.size:
            slope[:] = np.minimum(marginal_response(arrays, spend), 1e9).ravel() * BUDGET / size
        return total_response(arrays, spend) / size

    def excess(x: np.ndarray, slope: np.ndarray) -> float:
        if slope.size:
            slope[:] = 1.0
        return float(x.sum() - 1.0)

    solver.set_max_objective(objective)
    solver.add_inequality_constraint(excess, 1e-9)
    solver.set_lower_bounds(1e-12)
    solver.set_upper_bounds(1.0)
    solver.set_ftol_rel(1e-10)
    solver.set_maxtime(60)
    spend = solver.optimize(np.full(arrays.scale.size, 1.0 / arrays.scale.size)).reshape(shape) * BUDGET
    return spend * BUDGET / spend.sum()


def pulp_pieces(arrays: CurveArrays, solver: Any) -> np.ndarray:
    """The plain way: equal-looking pieces of each curve in PuLP, built term by term."""
    import pulp

    from omnisim.response import response

    (n, periods), model = arrays.scale.shape, pulp.LpProblem("plain", pulp.LpMaximize)
    spend = [[model.add_variable(f"x_{c}_{t}", 0) for t in range(periods)] for c in range(n)]
    worth = []
    for c in range(n):
        before: Any = 0
        grid = np.concatenate([[0.0], np.geomspace(1e-3, 1.0, PIECES)]) * BUDGET / n
        for t in range(periods):
            curve = arrays.form[c], arrays.scale[c, t], arrays.half[c, t], arrays.shape[c, t]
            values = [response(*curve, stock) for stock in grid]
            parts = [model.add_variable(f"d_{c}_{t}_{k}", 0, float(grid[k + 1] - grid[k])) for k in range(PIECES)]
            stock = spend[c][t] + float(arrays.carryover[c]) * before
            model += pulp.lpSum(parts) == stock
            worth += [(parts[k], (values[k + 1] - values[k]) / (grid[k + 1] - grid[k])) for k in range(PIECES)]
            before = pulp.lpSum(parts)
    model += pulp.lpSum(line for row in spend for line in row) <= BUDGET
    model.setObjective(pulp.LpAffineExpression(worth))
    model.solve(solver)
    return np.array([[max(0.0, line.varValue) for line in row] for row in spend])


def peers(n: int, periods: int, arrays: CurveArrays) -> list[tuple[str, Callable[[], np.ndarray]]]:
    """Who is measured at a size: those that need minutes at a large one are left out there."""
    import pulp

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cbc, highs = pulp.PULP_CBC_CMD(msg=False), pulp.HiGHS(msg=False)
    found: list[tuple[str, Callable[[], np.ndarray]]] = []
    if n * periods <= 120:
        found.append(("SLSQP, in money", lambda: slsqp(arrays, 1.0)))
    if n * periods <= 600:
        found.append(("SLSQP, well scaled", lambda: slsqp(arrays, BUDGET)))
        found.append((f"PuLP + CBC, {PIECES} pieces", lambda: pulp_pieces(arrays, cbc)))
        try:
            import nlopt  # noqa: F401
        except ImportError:
            pass
        else:
            found.append(("NLopt MMA, well scaled", lambda: nlopt_mma(arrays)))
    if n * periods <= 600:
        found.append((f"PuLP + HiGHS, {PIECES} pieces", lambda: pulp_pieces(arrays, highs)))
    return found


def plain_rows(repeats: int) -> list[tuple[str, ...]]:
    rows = []
    for n, periods in SIZES:
        table = curves(n)
        plan = om.allocate(curves=table, budget=BUDGET, periods=periods, gap=1e-12)
        bound, arrays = plan.bound, plan.solution.problem.curves
        ours = {}
        for gap in (1e-6, 1e-9):
            work = functools.partial(om.allocate, curves=table, budget=BUDGET, periods=periods, gap=gap)
            ours[gap], plan = clock(work, repeats)
            rows.append((f"{n} × {periods}", f"omnisim, gap {gap:g}", f"{1e3 * ours[gap]:.1f} ms", f"{plan.gap:.0e}",
                         "1", f"≤ {BARS[n, periods]} ms" if gap == 1e-6 else ""))
        for name, work in peers(n, periods, arrays):
            seconds, spend = once(work)
            print(n, periods, name, seconds, file=sys.stderr)
            loss = (bound - total_response(arrays, np.ascontiguousarray(spend))) / bound
            bar = "≥ 200 ×" if (n, name) == (50, "SLSQP, well scaled") else ""
            rows.append((f"{n} × {periods}", name, f"{1e3 * seconds:,.0f} ms", f"{loss:.0e}",
                         f"{seconds / ours[1e-6]:,.0f}", bar))
    return rows


def draws(n: int, count: int) -> pd.DataFrame:
    rng, base = np.random.default_rng(3), curves(n)
    return pd.concat([base.assign(draw=d, scale=base["scale"] * np.exp(0.3 * rng.standard_normal(n)),
                                  half=base["half"] * np.exp(0.3 * rng.standard_normal(n)),
                                  carryover=np.clip(base["carryover"] + 0.08 * rng.standard_normal(n), 0, 0.9))
                      for d in range(count)], ignore_index=True)


def other_rows(repeats: int) -> list[tuple[str, ...]]:
    rows = []
    for n, bar in ((50, "≤ 0.3 s"), (200, "≤ 2 s")):
        table, held = curves(n), limits(n)
        work = functools.partial(om.allocate, curves=table, budget=BUDGET, periods=12, limits=held)
        seconds, plan = clock(work, min(repeats, 3))
        count = len(plan.solution.problem.limits)
        rows.append((f"{n} × 12, {count} linear limits", f"{seconds:.2f} s", f"{plan.gap:.0e}", bar))
    table = curves(200)
    seconds, plan = clock(lambda: om.allocate(curves=table, budget=BUDGET, periods=12, frontier=100), 1)
    rows.append(("200 × 12, frontier of 100 budgets", f"{seconds:.1f} s", f"{plan.frontier['gap'].max():.0e}", "≤ 5 s"))
    many = draws(50, 500)
    for share in (1.0, 0.1, 0.05):
        seconds, plan = clock(lambda share=share: om.allocate(curves=many, budget=BUDGET, periods=12, risk=share), 1)
        rows.append((f"50 × 12, 500 draws, {'mean' if share == 1 else f'CVaR of the worst {share:.0%}'}",
                     f"{seconds:.1f} s", f"{plan.gap:.0e}", "≤ 10 s, 1e-3"))
    opened = {"channels": {f"c{k}": {"opening_cost": 0.5 * BUDGET / 50} for k in range(50)}}
    seconds, plan = once(lambda: om.allocate(curves=curves(50), budget=BUDGET, periods=12, limits=opened,
                                             time_limit=20))
    rows.append(("50 × 12, a cost to open each channel", f"{seconds:.1f} s", f"{plan.gap:.0e}", ""))
    seconds, plan = once(lambda: om.allocate(curves=curves(50), budget=BUDGET, periods=12, max_core=2, time_limit=20))
    rows.append(("50 × 12, at most 2 core channels", f"{seconds:.1f} s", f"{plan.gap:.0e}", ""))
    return rows


def units_row() -> str:
    worst, table = 0.0, curves(20)
    first = om.allocate(curves=table, budget=BUDGET, periods=6, gap=1e-12).solution.spend / BUDGET
    for money, reply in ((1e-6, 1.0), (1e9, 1.0), (1.0, 1e-9), (1.0, 1e9), (1e9, 1e-9)):
        scaled = table.assign(half=table["half"] * money, scale=table["scale"] * reply)
        plan = om.allocate(curves=scaled, budget=BUDGET * money, periods=6, gap=1e-12)
        worst = max(worst, float(np.abs(plan.solution.spend / (BUDGET * money) - first).max()))
    return f"{worst:.0e}"


def markdown(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--repeats", type=int, default=5)
    repeats = parser.parse_args().repeats
    head = (f"# Budget plans\n\n`python benchmarks/allocate.py`: processor seconds, medians of {repeats} warm runs "
            f"(peers once), {os.cpu_count()} processors ({platform.machine()}), Python {platform.python_version()}. "
            "omnisim's times are those of the whole call, from a frame to a rounded plan.\n")
    plain = markdown(("channels × weeks", "method", "time", "gap", "× omnisim", "bar"), plain_rows(repeats))
    other = markdown(("problem", "time", "gap", "bar"), other_rows(repeats))
    text = (f"{head}\n## One budget, Hill curves, carry-over\n\nThe gap is the distance to a proven bound, on the true "
            f"curves.\n\n{plain}\n\n## Limits, frontier, risk, choices\n\n{other}\n\nSpend × 1e-6 … 1e9 and response × "
            f"1e-9 … 1e9 move the plan, as shares of the budget, by at most {units_row()} (bar 1e-6).\n")
    (HERE / "allocate.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
