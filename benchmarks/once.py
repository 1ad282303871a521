"""One run in a process of its own, as one JSON object: times, peak memory, visits and orders by channel.

    python benchmarks/once.py [--scenario FILE] [--size 1000000] [--days 365] [--threads 2] [--seed 1]

`seconds` is the whole of `om.run`, `run` its reported days without the warm-up; kernels are loaded (or compiled) by a
tiny run beforehand. The other scripts here start this one; by itself it is the quickest way to see whether a change of
a kernel pays.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path

from sizes import resize

import omnisim as om
from omnisim.books import MEASURE

SCENARIOS = Path(__file__).parents[1] / "scenarios"
COUNTED = ("impressions", "visits", "orders", "new_customers", "repeat_orders", "units", "lost_units")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenario", default=str(SCENARIOS / "reference_funnel.yaml"))
    parser.add_argument("--size", type=int, default=1_000_000)
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--warm-up", type=int, help="days; the scenario's own unless given")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    scenario = om.load(options.scenario)
    changes = {"horizon.days": options.days}
    if options.warm_up is not None:
        changes["horizon.warm_up"] = options.warm_up
    scenario = resize(scenario, options.size, changes)
    tiny = resize(scenario, 1000, {"horizon.days": 2, "horizon.warm_up": 1})
    om.run(tiny, threads=options.threads, orders="none")

    marks = [time.perf_counter()]

    def note(done: int, total: int) -> None:
        if done == scenario.horizon.warm_up:
            marks.append(time.perf_counter())

    processor = time.process_time()
    result = om.run(scenario, seed=options.seed, threads=options.threads, orders="none", progress=note)
    end = time.perf_counter()
    books = result.books[0]
    n = options.size * (options.days + scenario.horizon.warm_up)
    reported = books.daily[books.warm_up:].sum(axis=0)
    print(json.dumps({
        "size": options.size, "days": options.days, "threads": options.threads, "seed": options.seed,
        "seconds": end - marks[0], "run": end - marks[-1],
        "processor": time.process_time() - processor, "ns": 1e9 * (end - marks[0]) / n,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024,
        "channels": list(scenario.channels),
        **{name: reported[:, MEASURE[name]].tolist() for name in COUNTED}}))


if __name__ == "__main__":
    main()
