"""Does the simulated brand replay the brand's own tables? The month before the start (T1) and the first day (T3).

    python benchmarks/replay.py [--scenario scenarios/brand.yaml] [--seeds 64] [--threads 2]

Each seed lives the warm-up and the first reported day. The table goes to benchmarks/replay.md and standard output.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np

from omnisim.measure.profit import figures
from omnisim.measure.windows import baseline_window
from omnisim.scenario.load import load
from omnisim.simulation import finish, warm_up
from omnisim.study.calibration.brand_tables import read_tables
from omnisim.study.calibration.targets import match

HERE = Path(__file__).parent
TABLES = HERE.parent / "scenarios"
MONTH = ("monthly_uv", "orders", "gmv")
DAY = ("visits", "new_users", "orders", "gmv", "cost")
INSIDE = ("visits", "new_users", "orders")


def judge(k: int, table: float, values: np.ndarray) -> tuple[str, ...]:
    """A row: figure k of the table beside its simulated values, and whether it holds."""
    is_day, name = k >= len(MONTH), (*MONTH, *DAY)[k]
    mean, spread = values.mean(), values.std(ddof=1)
    error = spread / np.sqrt(len(values))
    far, poisson = (table - mean) / max(spread, 1e-9), spread**2 / mean
    is_inside, is_lucky = is_day and name in INSIDE, is_day and name == "orders"
    holds = (abs(mean - table) <= 0.03 * table + 2 * error and (not is_inside or abs(far) <= 3)
             and (not is_lucky or 0.4 <= poisson <= 3))
    return ("day" if is_day else "month", name, f"{table:,.0f}", f"{mean:,.1f}", f"{100 * (mean / table - 1):+.2f} %",
            f"{100 * error / table:.2f} %", f"{spread:,.1f}", f"{far:+.1f}" if is_inside else "",
            f"{poisson:.2f}" if is_lucky else "", "yes" if holds else "**no**")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenario", default=str(TABLES / "brand.yaml"))
    parser.add_argument("--status", default=str(TABLES / "brand_status.csv"))
    parser.add_argument("--daily", default=str(TABLES / "brand_daily.csv"))
    parser.add_argument("--seeds", type=int, default=64)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--out", type=Path, default=HERE / "replay.md")
    options = parser.parse_args()
    scenario = load(options.scenario).with_({"horizon.days": 1})
    tables = read_tables([options.status, options.daily])
    names = list(scenario.channels)
    places = [names.index(target.channel) for target in match(tables.status, scenario)]

    def live(seed: int) -> np.ndarray:
        books = finish(warm_up(scenario, seed, threads=1, orders="none"), threads=1)
        window = baseline_window(books)
        month = figures(books.daily[window.first:window.stop, places].sum(axis=0))
        day = figures(books.daily[books.warm_up, places])
        return np.stack([month["unique_visitors"] / 3, month["orders"] / 3, month["gmv"] / 3,
                         *(day[name] for name in DAY)])

    with ThreadPoolExecutor(options.threads) as pool:
        seen = np.array(list(pool.map(live, range(2_000, 2_000 + options.seeds))))
    rows = []
    for c, status in enumerate(tables.status):
        day = next(row for row in tables.daily if row.channel == status.channel)
        wanted = [status.monthly_uv, status.monthly_uv * status.cvr, status.gmv, *(getattr(day, name) for name in DAY)]
        for k, table in enumerate(wanted):
            if table:
                rows.append((status.channel, *judge(k, table, seen[:, k, c])))
    bad = sum(row[-1] != "yes" for row in rows)
    head = ("channel", "window", "figure", "table", "simulated", "off", "standard error", "deviation of a seed",
            "table, in deviations", "variance / Poisson", "holds")
    lines = [" | ".join(head), " | ".join("---" for _ in head), *(" | ".join(row) for row in rows)]
    text = (f"# Replay of the brand's tables\n\n`python benchmarks/replay.py`: {Path(options.scenario).name}, "
            f"{scenario.population.size:,} consumers, {options.seeds} seeds that no fit has seen. Month: the 90 days "
            "before the start, 30 days each (T1). Day: 2024-06-01, the first of the 618 pre-sale (T3). A figure holds "
            "if its mean lies within 3 % and two standard errors of the table's; on the day, visits, new users and "
            "orders also within three deviations of one seed, and the variance of orders between 0.4 and 3 times "
            "Poisson's.\n\n"
            + "".join(f"| {line} |\n" for line in lines)
            + f"\n{len(rows) - bad} of {len(rows)} figures hold.\n")
    options.out.write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
