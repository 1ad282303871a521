"""The classics beside stockpyl: do they agree, and how long do they take? Writes classics.md.

stockpyl 1.0 needs NumPy 1, so it runs in an environment of its own:

    python -m venv ../stockpyl && ../stockpyl/bin/pip install "stockpyl==1.0.2" "numpy<2"
    python benchmarks/classics.py --stockpyl ../stockpyl/bin/python
"""

from __future__ import annotations

import argparse
import json
import math
import platform
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import stats

from omnisim.supply import classics as c

HERE = Path(__file__).parent
YEAR = [float(units) for units in np.random.default_rng(1).poisson(30, 365)]
PENS = c.Review(8, 0.225, 7.5, 1300, 1 / 12, 150)
RARE = c.Review(100, 20, 150, 1.5, 2)
NORMAL, LOGNORMAL = stats.norm(50, 8), stats.lognorm(0.3, 0, math.exp(6))
POISSON = {mean: stats.poisson(mean) for mean in (6, 18, 64)}
TEN = [stats.norm(18, 3)] * 10
CHAIN = c.SerialChain([3, 2, 2], [1, 1, 2], 37.12, 5, 1)
LONG = c.SerialChain([2, 2, 1, 1, 1], [0.5] * 5, 24, 64, 8)
CAMERA = ({str(k): stage for k, stage in enumerate((
    c.Stage(2, 0.01), c.Stage(3, 0.03), c.Stage(2, 0.04), c.Stage(4, 0.06), c.Stage(2, 0.12), c.Stage(3, 0.13),
    c.Stage(6, 0.2), c.Stage(4, 0.08), c.Stage(3, 0.04), c.Stage(2, 0.5, 10, 2)), start=1)},
    [("1", "2"), ("2", "3"), ("3", "5"), ("4", "5"), ("5", "6"), ("6", "10"), ("7", "10"), ("8", "10"), ("9", "10")])


def poisson_levels(mean: int, k: float, h: float, p: float) -> tuple[float, ...]:
    return tuple(c.reorder_levels(POISSON[mean], fixed_cost=k, holding_cost=h, backorder_cost=p))


def chain(system: c.SerialChain) -> tuple[float, ...]:
    return (c.serial_base_stock(system).cost,)


def horizon(k: float) -> tuple[float, ...]:
    found = c.plan_finite_horizon(TEN, fixed_cost=k, holding_cost=1, backorder_cost=25, unit_cost=1,
                                  terminal_holding_cost=1, terminal_backorder_cost=25, discount=0.98)
    return (found.order_up_to[0], found.cost)


def joint() -> tuple[float, ...]:
    found = c.joint_replenishment(shared_cost=10, own_costs=[1.87, 5.27, 7.94, 8.19, 8.87], holding_costs=[0.2] * 5,
                                  demand_rates=[1736, 656, 558, 170, 142], heuristic=True)
    return (found.cycle, found.cost)


def tiers(kind: str) -> Callable[[], tuple[float, ...]]:
    return lambda: tuple(c.discounted_order_quantity(
        fixed_cost=8, holding_rate=0.3, demand_rate=1300, breakpoints=[0, 400, 800], unit_costs=[0.75, 0.72, 0.68],
        discount=kind))[::2]


Case = tuple[str, Callable[[], tuple[float, ...]], str]
CASES: list[Case] = [  # what, ours, the same in stockpyl
    ("EOQ, example 3.1", lambda: tuple(c.economic_order_quantity(
        fixed_cost=8, holding_cost=0.225, demand_rate=1300))[::2], "eoq.economic_order_quantity(8, 0.225, 1300)"),
    ("EOQ with backorders, example 3.8", lambda: tuple(c.economic_order_quantity(
        fixed_cost=8, holding_cost=0.225, demand_rate=1300, backorder_cost=5)),
     "eoq.economic_order_quantity_with_backorders(8, 0.225, 5, 1300)"),
    ("finite production rate, problem 3.22", lambda: tuple(c.economic_order_quantity(
        fixed_cost=4, holding_cost=0.08, demand_rate=80, production_rate=110))[::2],
     "eoq.economic_production_quantity(4, 0.08, 80, 110)"),
    ("all-units discounts, example 3.5", tiers("all_units"),
     "eoq.economic_order_quantity_with_all_units_discounts(8, 0.3, 1300, [0, 400, 800], [0.75, 0.72, 0.68])[::2]"),
    ("incremental discounts, example 3.5", tiers("incremental"),
     "eoq.economic_order_quantity_with_incremental_discounts(8, 0.3, 1300, [0, 400, 800], [0.75, 0.72, 0.68])[::2]"),
    ("joint replenishment, Silver (1976)", joint,
     "eoq.joint_replenishment_problem_silver_heuristic(10, [1.87, 5.27, 7.94, 8.19, 8.87], [0.2] * 5, "
     "[1736, 656, 558, 170, 142])[1::2]"),
    ("EOQ with disruptions, example 9.1", lambda: tuple(c.economic_order_quantity_with_disruptions(
        fixed_cost=8, holding_cost=0.225, lost_sale_cost=5, demand_rate=1300, disruption_rate=1.5, recovery_rate=14)),
     "su.eoq_with_disruptions(8, 0.225, 5, 1300, 1.5, 14)"),
    ("base stock with disruptions, example 9.3", lambda: tuple(c.base_stock_with_disruptions(
        holding_cost=0.25, backorder_cost=3, demand=2000, disruption=0.04, recovery=0.25)),
     "su.newsvendor_with_disruptions(0.25, 3, 2000, 0.04, 0.25)"),
    ("additive yield, example 9.4", lambda: tuple(c.order_quantity_with_additive_yield(
        fixed_cost=18500, holding_cost=0.06, demand_rate=75000, yield_mean=-15000, yield_sd=9000)),
     "su.eoq_with_additive_yield_uncertainty(18500, 0.06, 75000, -15000, 9000)"),
    ("Wagner-Whitin, 365 periods", lambda: (c.plan_lots(YEAR, fixed_cost=500, holding_cost=1).cost,),
     "(ww.wagner_whitin(365, 1, 500, YEAR)[1],)"),
    ("newsvendor, normal, example 4.1", lambda: tuple(c.newsvendor(
        NORMAL, overage_cost=0.18, underage_cost=0.7))[:2], "nv.newsvendor_normal(0.18, 0.7, 50, 8)"),
    ("newsvendor, Poisson, problem 4.8(a)", lambda: tuple(c.newsvendor(
        POISSON[18], overage_cost=200, underage_cost=270))[:2], "nv.newsvendor_poisson(200, 270, 18)"),
    ("newsvendor, lognormal, problem 4.8(b)", lambda: tuple(c.newsvendor(
        LOGNORMAL, overage_cost=1, underage_cost=0.1765))[:2],
     "nv.newsvendor_continuous(1, 0.1765, LOGNORMAL)"),
    ("(r, Q), loss-function approximation, example 5.6", lambda: tuple(c.approximate_reorder_policy(
        PENS, method="loss_function"))[:2], "rq.r_q_loss_function_approximation(0.225, 7.5, 8, 1300, 150, 1 / 12)"),
    ("(r, Q), normal, exact, example 5.1", lambda: tuple(c.reorder_policy(PENS)), ""),
    ("(r, Q), Poisson, exact, example 5.8", lambda: tuple(c.reorder_policy(RARE)),
     "rq.r_q_poisson_exact(20, 150, 100, 1.5, 2)"),
    ("(s, S), exact, example 4.7", lambda: poisson_levels(6, 5, 1, 4), "ss.s_s_discrete_exact(1, 4, 5, True, 6)"),
    ("(s, S), exact, Zheng & Federgruen, mean 64", lambda: poisson_levels(64, 64, 1, 9),
     "ss.s_s_discrete_exact(1, 9, 64, True, 64)"),
    ("(s, S), power approximation, example 4.8", lambda: tuple(c.power_approximation(
        demand_mean=50, demand_sd=8, fixed_cost=2.5, holding_cost=0.18, backorder_cost=0.7))[:2],
     "ss.s_s_power_approximation(0.18, 0.7, 2.5, 50, 8)"),
    ("finite horizon, problem 4.30", lambda: horizon(40),
     "(lambda r: (r[1][1], r[2]))(fh.finite_horizon_dp(**load_instance('problem_4_30')))"),
    ("serial chain, example 6.1, 3 stages", lambda: chain(CHAIN),
     "cost(sm.optimize_base_stock_levels(network=load_instance('example_6_1')))"),
    ("— with four times stockpyl's usual grid", lambda: chain(CHAIN),
     "cost(sm.optimize_base_stock_levels(network=load_instance('example_6_1'), x_num=4000, d_num=200))"),
    ("serial chain, problem 6.2(a), 5 stages", lambda: chain(LONG),
     "cost(sm.optimize_base_stock_levels(network=load_instance('problem_6_2a')))"),
    ("guaranteed service, figure 6.14, 10 stages", lambda: (c.guaranteed_service(
        *CAMERA, safety_factor=float(stats.norm.ppf(0.95))).cost,),
     "(gt.optimize_committed_service_times(gt.preprocess_tree(load_instance('figure_6_14')))[1],)"),
]

PEER = """
import json, math, sys, time, warnings
warnings.filterwarnings("ignore")
import numpy as np
from scipy import stats
from stockpyl import (eoq, finite_horizon as fh, gsm_tree as gt, newsvendor as nv, rq, ss, ssm_serial as sm,
                      supply_uncertainty as su, wagner_whitin as ww)
from stockpyl.instances import load_instance

def cost(found):
    return [found[1]]

LOGNORMAL = stats.lognorm(0.3, 0, math.exp(6))
YEAR, texts = json.load(sys.stdin)
answers = []
for text in texts:
    if not text:
        answers.append(None)
        continue
    try:
        best, spent = math.inf, 0.0
        while spent < 0.5:
            start = time.process_time()
            figures = [float(figure) for figure in eval(text)]
            took = time.process_time() - start
            best, spent = min(best, took), spent + max(took, 1e-6)
        answers.append([figures, best])
    except Exception as error:
        answers.append(f"{type(error).__name__}: {error}")
from importlib.metadata import version
print(json.dumps([answers, version("stockpyl"), np.__version__]))
"""


def seconds(call: Callable[[], object]) -> float:
    """Processor time of a call, the best of many."""
    call()
    best, spent = math.inf, 0.0
    while spent < 0.3:
        start = time.process_time()
        call()
        took = time.process_time() - start
        best, spent = min(best, took), spent + max(took, 1e-6)
    return best


def shown(time_: float) -> str:
    return f"{time_ * 1e6:.0f} µs" if time_ < 1e-3 else f"{time_ * 1e3:.1f} ms" if time_ < 1 else f"{time_:.1f} s"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--stockpyl", required=True, help="python of an environment with stockpyl")
    options = parser.parse_args()
    output = subprocess.run([options.stockpyl, "-c", PEER], input=json.dumps([YEAR, [peer for *_, peer in CASES]]),
                            check=True, capture_output=True, text=True).stdout
    answers, version, numpy_version = json.loads(output)
    rows, worst, ratios = [], 0.0, []
    for (what, ours, _), answer in zip(CASES, answers, strict=True):
        figures, took = ours(), seconds(ours)
        mine = ", ".join(f"{figure:.7g}" for figure in figures)
        if answer is None:
            rows.append(f"| {what} | {mine} | — | {shown(took)} | not there | |")
        elif isinstance(answer, str):
            rows.append(f"| {what} | {mine} | — | {shown(took)} | fails: {answer} | |")
        else:
            theirs, peer = answer
            difference = max(abs(a - b) / max(abs(b), 1e-12) for a, b in zip(figures, theirs, strict=True))
            worst, ratio = max(worst, difference), peer / took
            ratios.append(ratio)
            times = f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.1f}"
            apart = f"{difference:.0e}" if difference else "0"
            rows.append(f"| {what} | {mine} | {apart} | {shown(took)} | {shown(peer)} | {times} × |")
    text = f"""# Classics

Beside stockpyl {version} (NumPy {numpy_version}); omnisim runs on NumPy {np.__version__}. Processor time of one call,
the best of many, after compilation; {platform.machine()}, Python {platform.python_version()};
`python benchmarks/classics.py --stockpyl PYTHON`. Both check their input; distributions are made before the clock
starts. "Differs" is the largest relative difference of the figures.

| problem | omnisim's figures | differs | omnisim | stockpyl | ratio |
| --- | --- | --- | --- | --- | --- |
{chr(10).join(rows)}

Median ratio {np.median(ratios):,.0f}, least {min(ratios):,.1f}, largest {max(ratios):,.0f}; largest difference
{worst:.0e}. Where figures differ by more than 1e-6, stockpyl works on a coarser grid or cuts demand off: its finite
horizon stops demand at four standard deviations, and its serial chains come closer to ours on a finer grid.
`tests/test_classics_*.py` hold the figures of the books, with an independent count or simulation beside each.
"""
    (HERE / "classics.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
