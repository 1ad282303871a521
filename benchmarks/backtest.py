"""How well does a fit on two months of daily tables predict the third?

    python benchmarks/backtest.py [--scenario scenarios/brand.yaml] [--truths 1] [--threads 2]

The brand has one month, so its three months of daily tables are simulated: one run of the scenario, written as the
brand writes its tables and read again. The fit starts from the scenario with its levels, odds and campaign forgotten.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import pandas as pd

import omnisim as om
from omnisim.study.calibration.backtest import Backtest, backtest
from omnisim.study.calibration.brand_tables import read_tables

HERE = Path(__file__).parent
DAYS = 90
FORGOTTEN = {"direct": 1.3, "search": 1.3, "follow": 1.3, "revisit": 0.9, "repeat_weight": 1.2, "registration": 0.8}


def forget(scenario: om.Scenario, channels: list[str]) -> om.Scenario:
    """The scenario with what a calibration fits set to other values."""
    changes = {f"channels.{name}.{field}": getattr(scenario.channels[name], field) * factor
               for name in channels for field, factor in FORGOTTEN.items()}
    changes |= {f"channels.{name}.intercept": scenario.channels[name].intercept + 0.3 for name in channels}
    return scenario.with_(changes | {"calendar.campaigns.0.factor": 1.0})


def test(scenario: om.Scenario, seed: int, threads: int) -> Backtest:
    """One run is the truth; its tables are all that the fit sees."""
    result = om.run(scenario, seed=seed, threads=threads, orders="none")
    with tempfile.TemporaryDirectory() as folder:
        result.save(folder)
        files = [Path(folder) / name for name in ("channel_status.csv", "daily_monitoring.csv")]
        for file in files:  # the brand's tables have the channels that sell
            table = pd.read_csv(file)
            table[table["channel_en"] != "xiaohongshu"].to_csv(file, index=False)
        tables = read_tables(files)
    channels = [row.channel for row in tables.status]
    return backtest(tables, scenario=forget(scenario, channels), seed=seed + 1, threads=threads)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenario", default=str(HERE.parent / "scenarios" / "brand.yaml"))
    parser.add_argument("--truths", type=int, default=1)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "backtest.md")
    options = parser.parse_args()
    scenario = om.load(options.scenario).with_({"horizon.days": DAYS})
    found = [test(scenario, 9_000 + 2 * n, options.threads) for n in range(options.truths)]
    table = pd.concat([one.table.assign(truth=n) for n, one in enumerate(found)])
    table["error"] = table["error_percent"].abs()
    rows = table.groupby("measure").agg(error=("error", "median"), worst=("error", "max"), sums=("inside", "mean"),
                                        days=("days_inside", "mean"))
    lines = ["| figure | median error | largest | sums within 95 % | days within 95 % |", "| --- " * 5 + "|",
             *(f"| {name} | {row.error:.1f} % | {row.worst:.1f} % | {row.sums:.0%} | {row.days:.0%} |"
               for name, row in rows.iterrows())]
    text = (f"# Back-test\n\n`python benchmarks/backtest.py`: {Path(options.scenario).name}, "
            f"{scenario.population.size:,} consumers, {options.truths} simulated truth(s) of {DAYS} days. Sixty days "
            "of daily tables and the month before them are fitted, the thirty days after are predicted, by channel, "
            "with intervals of one seed.\n\n" + "\n".join(lines) + "\n")
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
