"""Cost against population: does a consumer-day cost the same in any market? Table and picture.

    python benchmarks/population.py [--largest]

Runs the brand and the reference funnel with budgets, impressions, seats and stock scaled alike. What a run costs
whatever its size is the time of the same run with a thousand consumers; the table takes it off. `--largest` runs a
hundred million consumers for thirty days instead: minutes, and up to 24 GiB of memory.
"""

from __future__ import annotations

import argparse
from functools import partial

from picture import draw
from runs import BRAND, FUNNEL, Found, figures, in_turn, keep, kept, machine, median, run_once, table, write_section

SMALL, SIZES, MOST = 1_000, (10_000, 100_000, 1_000_000), 10_000_000
DAYS = {"brand": {"days": 120, "warm_up": 60}, "reference funnel": {"days": 120, "warm_up": 0}}
FILES = {"brand": BRAND, "reference funnel": FUNNEL}
EVEN = (100_000, 1_000_000, 10_000_000)
"""Sizes between which the cost may differ by less than 30 %."""


def measure(rounds: int, rounds_of_most: int) -> dict[str, dict[int, float]]:
    """Median seconds of a whole run, by scenario and size."""
    found: dict[str, dict[int, float]] = {}
    for name, file in FILES.items():
        jobs = {str(size): partial(run_once, file, size=size, **DAYS[name]) for size in (SMALL, *SIZES)}
        runs = in_turn(jobs, rounds) | in_turn({str(MOST): partial(run_once, file, size=MOST, **DAYS[name])},
                                               rounds_of_most)
        found[name] = {int(size): median(one, "seconds") for size, one in runs.items()}
    return found


def describe(seconds: dict[str, dict[int, float]]) -> str:
    """A row a scenario and size: seconds, cost of a consumer-day, and cost without what a run costs anyway."""
    rows = []
    for name, by_size in seconds.items():
        days = sum(DAYS[name].values())
        net = {size: 1e9 * (taken - by_size[SMALL]) / ((size - SMALL) * days) for size, taken in by_size.items()
               if size > SMALL}
        for size, taken in by_size.items():
            rows.append([name, f"{size:,}", f"{taken:.2f} s", figures(1e9 * taken / (size * days)),
                         figures(net[size]) if size in net else "",
                         f"{net[size] / net[EVEN[1]] - 1:+.0%}" if size in EVEN else ""])
    head = ["scenario", "consumers", "whole run", "ns a consumer-day", f"less the run with {SMALL:,}",
            f"against {EVEN[1]:,}"]
    return table(head, rows)


def run_largest() -> str:
    """A hundred million consumers, thirty days."""
    run: Found = run_once(BRAND, size=100_000_000, days=30, warm_up=0)
    return table(["what", "measured", "bar"], [
        ["brand, 100,000,000 consumers × 30 days", f"{run['seconds']:.0f} s", ""],
        ["— peak memory", f"{run['peak'] / 2**30:.1f} GiB", "≤ 24 GiB"],
        ["— a consumer", f"{run['peak'] / 1e8:.0f} bytes", ""],
        ["— cost of a consumer-day", f"{run['ns']:.1f} ns", ""]]) + f"\n\n{machine()}."


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--largest", action="store_true")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rounds-of-most", type=int, default=3, help="rounds with ten million consumers")
    options = parser.parse_args()
    if options.largest:
        write_section("largest", run_largest())
        return
    seconds = measure(options.rounds, options.rounds_of_most)
    keep("population", {name: {size: 1e9 * taken / (size * sum(DAYS[name].values())) for size, taken in by_size.items()}
                        for name, by_size in seconds.items()})
    text = ", ".join(f"{name} {days['warm_up']} + {days['days']} days" for name, days in DAYS.items())
    write_section("population", f"{describe(seconds)}\n\nMedian of {options.rounds} runs in turn "
                                f"({options.rounds_of_most} with {MOST:,}), two threads; {text}; {machine()}.")
    draw(kept())


if __name__ == "__main__":
    main()
