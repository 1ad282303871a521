"""PyMC-Marketing's BudgetOptimizer on given curves, in a Python that has it: reads cases from a file, writes budgets.

    python benchmarks/peers/pymc_budget.py CASES.json ANSWERS.json

The library optimises a fitted model. Its documented protocol for models of one's own (`CustomModelWrapper`) takes a
PyMC model and draws of its parameters, so the given curves are written as a PyMC model whose one draw is the given
parameters; no fit is involved. It plans one budget a channel, spread evenly over the periods, by SLSQP from an equal
split with bounds of 0 and the total, as its defaults say.
"""

from __future__ import annotations

import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np

warnings.simplefilter("ignore")
import arviz as az  # noqa: E402
import pymc as pm  # noqa: E402
import pymc.dims as pmd  # noqa: E402
import pytensor.tensor as pt  # noqa: E402
import pytensor.xtensor as ptx  # noqa: E402
from pymc_marketing.mmm.budget_optimizer import BudgetOptimizer, CustomModelWrapper  # noqa: E402


def plan(case: dict[str, list[float]], budget: float, periods: int) -> dict[str, object]:
    """Budgets by channel, and processor seconds with and without building and compiling the model."""
    scale, half, shape, theta = (np.array(case[name]) for name in ("scale", "half", "shape", "carryover"))
    names = [f"c{k}" for k in range(len(scale))]
    start = time.process_time()
    with pm.Model(coords={"date": np.arange(periods), "channel": names}) as model:
        spend = pmd.Data("channel_data", np.full((periods, len(scale)), budget / periods / len(scale)),
                         dims=("date", "channel")).values
        level = pmd.Normal("level", 1.0, 1.0).values  # a model must have a parameter; its one draw is 1
        stock = [spend[0]]
        for t in range(1, periods):
            stock.append(spend[t] + theta * stock[-1])
        power = (pt.maximum(pt.stack(stock), 1e-12) / half) ** shape
        total = level * (scale * power / (1.0 + power)).sum()
        pmd.Deterministic("total_contribution", ptx.as_xtensor(total, dims=()))
    draws = az.from_dict(posterior={"level": np.ones((1, 1))})
    optimizer = BudgetOptimizer(num_periods=periods, model=CustomModelWrapper(base_model=model, idata=draws,
                                                                              channels=names))
    built = time.process_time()
    found, about = optimizer.allocate_budget(budget / periods, return_if_fail=True)  # its budget is that of a period
    return {"budgets": (np.asarray(found) * periods).tolist(), "success": bool(about.success),
            "build": built - start, "seconds": time.process_time() - built}


def main() -> None:
    """Every case of the file."""
    asked = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    answers = [plan(case["curves"], case["budget"], case["periods"]) for case in asked]
    Path(sys.argv[2]).write_text(json.dumps(answers), encoding="utf-8")


if __name__ == "__main__":
    main()
