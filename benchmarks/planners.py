"""What media-mix libraries' planners and SLSQP leave of the best plan, on given curves, side by side in one run.

    python benchmarks/planners.py [--pymc PYTHON] [--cases 30] [--large 3]

- PyMC-Marketing's BudgetOptimizer, run by a Python that has it (`pip install pymc-marketing` in an environment of its
  own): `peers/pymc_budget.py` says how it is driven without a fit. It plans one budget a channel, the same in every
  period, so omnisim is shown under that limit, too (`ramp: 0`).
- Meridian's procedure as its documentation publishes it, written here: a grid of spends a channel between −30 and
  +30 % of today's, and steps of the grid given one after another to the channel whose incremental outcome per unit of
  money is largest, until the budget is spent. Today is an equal split; a channel's spend keeps its shares of periods.
- SLSQP with exact gradients, well scaled, from the even plan and from spends in proportion to half points and scales.

Hill curves with shapes 0.5 to 4 (two thirds above 1), carry-over up to 0.8. Lost: what a plan brings less than
omnisim's, by share; a plan that beats ours by more than 1e-6 is counted. Processor seconds.
"""

from __future__ import annotations

import argparse
import json
import platform
import statistics
import subprocess
import sys
import tempfile
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
BEATEN = 1e-6


def case(n: int, seed: int, *, concave: bool = False) -> pd.DataFrame:
    draw = np.random.default_rng([n, seed])
    shape = draw.uniform(0.5, 1.0, n) if concave else np.exp(draw.uniform(np.log(0.5), np.log(4.0), n))
    return pd.DataFrame({"channel": [f"c{k}" for k in range(n)], "form": "hill", "scale": draw.uniform(50, 150, n),
                         "half": BUDGET / n / 12 * draw.uniform(0.3, 3.0, n), "shape": shape,
                         "carryover": draw.uniform(0, 0.8, n)})


def clocked(work: Callable[[], Any]) -> tuple[Any, float]:
    start = time.process_time()
    found = work()
    return found, time.process_time() - start


def arrays_of(table: pd.DataFrame, periods: int) -> CurveArrays:
    def over(name: str) -> np.ndarray:
        return np.ascontiguousarray(np.repeat(table[name].to_numpy()[:, None], periods, axis=1))

    n = len(table)
    return CurveArrays(np.zeros(n, np.int8), over("scale"), over("half"), over("shape"), table["carryover"].to_numpy(),
                       np.zeros(n), np.zeros((n, periods)), np.full((n, periods), BUDGET))


def even(sums: np.ndarray, periods: int) -> np.ndarray:
    return np.ascontiguousarray(np.repeat(np.asarray(sums, float)[:, None] / periods, periods, axis=1))


def meridian(arrays: CurveArrays, step: float = 0.01) -> np.ndarray:
    """Sums by channel of the greedy grid search between −30 and +30 % of an equal split."""
    n, periods = arrays.scale.shape
    today = BUDGET / n
    grid = today * np.arange(0.7, 1.3 + step / 2, step)
    outcome = np.array([total_by_channel(arrays, even(np.full(n, one), periods)) for one in grid])
    place, left = np.zeros(n, int), BUDGET - n * grid[0]
    while left >= grid[1] - grid[0] - 1e-6 and (place < len(grid) - 1).any():
        gains = np.array([outcome[place[c] + 1, c] - outcome[place[c], c] if place[c] + 1 < len(grid) else -np.inf
                          for c in range(n)])
        place[int(np.argmax(gains))] += 1
        left -= grid[1] - grid[0]
    return grid[place]


def total_by_channel(arrays: CurveArrays, spend: np.ndarray) -> np.ndarray:
    """Response of each channel, (n,)."""
    return np.array([total_response(CurveArrays(*(np.ascontiguousarray(part[c:c + 1]) for part in arrays)),
                                    spend[c:c + 1]) for c in range(len(spend))])


def slsqp(arrays: CurveArrays, start: np.ndarray) -> np.ndarray:
    """SciPy's SLSQP in units of the budget and of what an equal split brings."""
    from scipy.optimize import minimize

    shape = arrays.scale.shape
    size = total_response(arrays, np.full(shape, BUDGET / arrays.scale.size))

    def both(x: np.ndarray) -> tuple[float, np.ndarray]:
        spend = np.ascontiguousarray(np.maximum(x, 1e-12).reshape(shape) * BUDGET)
        slope = np.minimum(marginal_response(arrays, spend), 1e9)
        return -total_response(arrays, spend) / size, -slope.ravel() * BUDGET / size

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        found = minimize(both, start.ravel() / BUDGET, jac=True, method="SLSQP", bounds=[(0.0, 1.0)] * start.size,
                         constraints={"type": "ineq", "fun": lambda x: 1.0 - x.sum(),
                                      "jac": lambda x: -np.ones_like(x)}, options={"maxiter": 200, "ftol": 1e-12})
    spend = np.ascontiguousarray(np.maximum(found.x, 0.0).reshape(shape) * BUDGET)
    return spend * min(1.0, BUDGET / spend.sum())


def starts(arrays: CurveArrays) -> list[np.ndarray]:
    return [np.ascontiguousarray(part / part.sum() * BUDGET)
            for part in (np.ones_like(arrays.half), arrays.half, arrays.scale)]


def best_of(arrays: CurveArrays, plans: list[np.ndarray]) -> float:
    return max(total_response(arrays, plan) for plan in plans)


def row(name: str, cases: str, lost: list[float], seconds: list[float], ours: list[float]) -> tuple[str, ...]:
    ratio = statistics.median(one / other for one, other in zip(seconds, ours, strict=True))
    return (name, cases, f"{100 * statistics.median(lost):.3f} %", f"{100 * max(lost):.2f} %",
            str(sum(one < -BEATEN for one in lost)), f"{1e3 * statistics.median(seconds):,.1f}",
            f"{1e3 * statistics.median(ours):,.1f}", f"{ratio:,.1f}")


def library_rows(count: int, python: str | None) -> list[tuple[str, ...]]:
    """Planners of one budget a channel, on 10 channels × 12 periods."""
    tables = [case(10, seed) for seed in range(count)]
    free, level, times = [], [], []
    om.allocate(curves=tables[0], budget=BUDGET, periods=12)
    om.allocate(curves=tables[0], budget=BUDGET, periods=12, limits={"ramp": 0.0})
    for table in tables:
        plan, seconds = clocked(lambda table=table: om.allocate(curves=table, budget=BUDGET, periods=12))
        free.append(plan.objective)
        times.append(seconds)
    rows, level_times = [], []
    for table in tables:
        plan, seconds = clocked(lambda table=table: om.allocate(curves=table, budget=BUDGET, periods=12,
                                                                limits={"ramp": 0.0}))
        level.append(plan.objective)
        level_times.append(seconds)
    lost = [1 - one / best for one, best in zip(level, free, strict=True)]
    rows.append(row("omnisim, the same in every period", f"{count}", lost, level_times, times))
    found, grid_times = [], []
    for table in tables:
        arrays = arrays_of(table, 12)
        sums, seconds = clocked(lambda arrays=arrays: meridian(arrays))
        found.append(total_response(arrays, even(sums, 12)))
        grid_times.append(seconds)
    rows.append(row("Meridian's published grid, ±30 %", f"{count}",
                    [1 - one / best for one, best in zip(found, level, strict=True)], grid_times, level_times))
    if python is not None:
        asked = [{"curves": {name: table[name].tolist() for name in ("scale", "half", "shape", "carryover")},
                  "budget": BUDGET, "periods": 12} for table in tables]
        with tempfile.TemporaryDirectory() as place:
            files = [Path(place) / name for name in ("cases.json", "answers.json")]
            files[0].write_text(json.dumps(asked), encoding="utf-8")
            subprocess.run([python, str(HERE / "peers" / "pymc_budget.py"), *map(str, files)], check=True)
            answers = json.loads(files[1].read_text(encoding="utf-8"))
        found = [total_response(arrays_of(table, 12), even(np.array(one["budgets"]), 12))
                 for table, one in zip(tables, answers, strict=True)]
        rows.append(row("PyMC-Marketing BudgetOptimizer", f"{count}",
                        [1 - one / best for one, best in zip(found, level, strict=True)],
                        [one["seconds"] for one in answers], level_times))
    return rows


def slsqp_rows(count: int, large: int) -> list[tuple[str, ...]]:
    rows = []
    for n, cases, concave, tries in ((10, count, False, 3), (50, large, False, 1), (50, large, True, 1)):
        om.allocate(curves=case(n, 0, concave=concave), budget=BUDGET, periods=12)
        lost, seconds, ours = [], [], []
        for seed in range(cases):
            table = case(n, seed, concave=concave)
            arrays = arrays_of(table, 12)
            plan, took = clocked(lambda table=table: om.allocate(curves=table, budget=BUDGET, periods=12))
            ours.append(took)
            plans, took = clocked(lambda arrays=arrays, tries=tries: [slsqp(arrays, start)
                                                                      for start in starts(arrays)[:tries]])
            lost.append(1 - best_of(arrays, plans) / plan.objective)
            seconds.append(took / tries)
            print(n, seed, lost[-1], took, file=sys.stderr)
        kind = "concave" if concave else "two thirds of them S-shaped"
        rows.append(row(f"SLSQP, {n} × 12, {kind}", f"{cases} × {tries} starts", lost, seconds, ours))
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--pymc", default=None)
    parser.add_argument("--cases", type=int, default=30)
    parser.add_argument("--large", type=int, default=3)
    asked = parser.parse_args()
    head = ("planner", "cases", "lost, median", "lost, most", "beat ours by > 1e-6", "ms", "ours, ms", "× ours")
    rows = [*library_rows(asked.cases, asked.pymc), *slsqp_rows(asked.cases, asked.large)]
    lines = "\n".join(f"| {' | '.join(cells)} |" for cells in (head, ("---",) * len(head), *rows))
    text = (f"# Other planners on given curves\n\n{platform.machine()}, Python {platform.python_version()}; `python "
            "benchmarks/planners.py --pymc PYTHON`; what is compared, and how the libraries are driven, is told there. "
            "The first row is what planning the same budget for every period gives up against a free plan; the "
            "libraries, which plan so, are held against omnisim under the same limit, SLSQP against the free plan. "
            "BudgetOptimizer's time is that of the optimisation alone, without building and compiling its model.\n\n"
            f"{lines}\n")
    (HERE / "planners.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
