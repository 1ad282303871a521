"""How much shared luck helps: the variance of what 1 % more budget does to a year's GMV, with shared and with own luck.

    python benchmarks/variance.py [--size 50000] [--seeds 30]

Each seed runs the brand twice, with today's budgets and with 1 % more on every channel from the first reported day.
Shared luck compares the two runs of a seed; own luck compares runs of different seeds, so that the variance is that of
the one plus that of the other. Referral is on. Scarce stock couples consumers, so it is measured with the brand's stock
and with so little that one order in twenty-five is lost. The interval is a bootstrap over seeds.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import numpy as np
from runs import BRAND, machine, table, write_section
from sizes import resize

import omnisim as om
from omnisim.books import MEASURE

MORE = 1.01
SCARCE = 0.56
"""Part of the brand's stock with which about 96 % of orders are filled."""


class Luck(NamedTuple):
    """What pairs of runs gave."""

    gmv: np.ndarray
    """float64 (seeds, 2) [CNY]  GMV of a year, today and with more budget"""
    filled: float
    """Share of orders filled."""


def measure(size: int, seeds: int, stock: float) -> Luck:
    """Run the pairs, with a part of the brand's stock."""
    scenario = resize(om.load(BRAND), size)
    scenario = scenario.with_({f"products.{sku}.base_stock": max(1, round(product.base_stock * stock))
                               for sku, product in scenario.products.items()})
    today = om.Plan.today(scenario).budgets
    more = om.Plan(budgets={name: tuple(round(cents * MORE) for cents in budget) for name, budget in today.items()})
    gmv = np.empty((seeds, 2))
    filled = lost = 0
    for n in range(seeds):
        for column, plan in enumerate((None, more)):
            year = om.run(scenario, seed=n + 1, plan=plan, orders="none").books[0]
            reported = year.daily[year.warm_up:].sum(axis=(0, 1))
            gmv[n, column] = reported[MEASURE["gmv"]] / 100
            filled += reported[MEASURE["orders"]]
            lost += reported[MEASURE["lost_orders"]]
    return Luck(gmv, float(filled / (filled + lost)))


def ratio(gmv: np.ndarray) -> float:
    """Variance of the difference with own luck over that with shared luck."""
    return float(gmv.var(axis=0, ddof=1).sum() / (gmv[:, 1] - gmv[:, 0]).var(ddof=1))


def describe(luck: Luck) -> list[str]:
    """The figures of a column of the table."""
    gmv = luck.gmv
    seeds, today = len(gmv), gmv[:, 0].mean()
    rng = np.random.default_rng(1)
    low, high = np.quantile([ratio(gmv[rng.integers(seeds, size=seeds)]) for _ in range(4000)], [0.025, 0.975])
    effect = gmv[:, 1] - gmv[:, 0]
    own = np.sqrt(gmv.var(axis=0, ddof=1).sum())
    return [f"{100 * luck.filled:.1f} %", f"{ratio(gmv):.0f} ({low:.0f} to {high:.0f})",
            f"{effect.mean() / today:+.2%} ± {effect.std(ddof=1) / np.sqrt(seeds) / today:.2%}",
            f"{effect.std(ddof=1) / today:.2%}", f"{own / today:.2%}"]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--size", type=int, default=50_000)
    parser.add_argument("--seeds", type=int, default=30)
    options = parser.parse_args()
    names = ["orders filled", "variance with own luck / with shared luck (95 %)", "1 % more budget changes GMV by",
             "standard deviation of one pair, shared luck", "— own luck"]
    bars = ["≥ 95 %", "≥ 50, aim 200", "", "", ""]
    columns = [describe(measure(options.size, options.seeds, stock)) for stock in (1.0, SCARCE)]
    rows = list(zip(names, *columns, bars, strict=True))
    write_section("variance", f"{table(('', 'stock of brand.yaml', f'{100 * SCARCE:.0f} % of it', 'bar'), rows)}\n\n"
                              f"{options.seeds} seeds, {options.size:,} consumers, 365 days; {machine()}.")


if __name__ == "__main__":
    main()
