"""Repurchase from a log: how far each process is off what came after, and how long 300,000 customers take.

    python benchmarks/repurchase.py [--log FILE …]

Logs of known processes are drawn customer by customer, 100,000 each, and two years of the shipped brand are simulated;
each is fitted up to the middle and predicts the rest. Last, 300,000 customers are read from a CSV file and fitted, in
processor time. --log adds logs of your own. The table goes to benchmarks/repurchase.md and standard output.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

import pandas as pd

import omnisim as om
from omnisim.study.purchases.repurchase import Repurchase

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent / "tests"))
from buying import draw_log  # noqa: E402  # beside the tests that use it, too

DAYS = 730
BG = {"rate": (0.2426, 125.0), "lapse": (0.7929, 2.4258)}
LOGS = {
    "BG/NBD": {**BG, "seed": 1},
    "a third never lapses, the others at a quarter of orders": {"rate": (0.6, 60.0), "lapse": (2.0, 6.0), "loyal": 0.33,
                                                                "seed": 2},
    "half never lapses, half soon": {"rate": (0.8, 50.0), "lapse": (4.0, 4.0), "loyal": 0.5, "seed": 3},
    "Pareto/NBD": {"rate": (0.6, 80.0), "leave": (0.6, 90.0), "seed": 4},
}
"""What is drawn: parameters of the process, by name."""
TIMED = 300_000


def fit(log: pd.DataFrame | str, **options: object) -> Repurchase:
    found = om.calibrate(log, **options)  # type: ignore[arg-type]
    assert isinstance(found, Repurchase)
    return found


def lines(name: str, found: Repurchase) -> list[str]:
    """A line for each process fitted to one log."""
    table = found.table
    best = table["holdout_score"].max()
    return [f"| {name if k == 0 else ''} | {row.model}{' (chosen)' if row.chosen else ''} | {row.orders:,.0f} "
            f"| {row.low:,.0f} to {row.high:,.0f} | {row.actual:,} | {row.error_percent:+.1f} % "
            f"| {row.buyers_error_percent:+.1f} % | {row.holdout_score - best:+,.0f} | {row.customer_error:.3f} |"
            for k, row in enumerate(table.itertuples())]


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--log", action="append", default=[])
    parser.add_argument("--customers", type=int, default=100_000)
    options = parser.parse_args()
    found = []
    for name, process in LOGS.items():
        found += lines(name, fit(draw_log(options.customers, DAYS, **process), holdout=DAYS // 2))
    brand = om.load(HERE.parent / "scenarios" / "brand.yaml").with_({"horizon.days": DAYS, "supply.unlimited": True})
    simulated = fit(om.run(brand, seed=1).orders, scenario=brand, holdout=DAYS // 2)
    found += lines("two years of the shipped brand", simulated)
    for path in options.log:
        found += lines(f"{Path(path).stem} (given with --log)", fit(path))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "log.csv"
        draw_log(TIMED, DAYS, **BG, seed=5).to_csv(path, index=False)  # type: ignore[arg-type]
        rows = sum(1 for _ in path.open()) - 1
        start = time.process_time()
        fit(str(path))
        seconds = time.process_time() - start
    text = (f"# Repurchase from a log\n\n`python benchmarks/repurchase.py --customers {options.customers}`: each log "
            "is fitted up to the middle of its two years (one given with --log up to its last quarter), "
            f"{options.customers:,} customers who come in the first; predicted are their orders in the second. Buyers: "
            "customers who order in it at all. Score: log predictive density of the holdout, beside the best of the "
            "three. Customer: root mean square error of single customers' orders. A process is chosen before the "
            "holdout is looked at.\n\n"
            "| log | process | predicted | 95 % | actual | off | buyers off | score | customer |\n"
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- |\n" + "\n".join(found)
            + f"\n\n{TIMED:,} customers, {rows:,} rows from a CSV file, all fits and the choice: {seconds:.0f} s of "
            "processor time (must: 60 s).\n")
    (HERE / "repurchase.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
