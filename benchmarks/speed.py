"""How fast omnisim runs, how much memory it takes and how quickly it starts. Times are medians.

    python benchmarks/speed.py [--scenario scenarios/brand.yaml] [--repeats 3]

Each figure is measured in a process of its own; the table goes to benchmarks/speed.md and to standard output.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).parent
RUN = """
import json, resource, sys, time
from omnisim.scenario.load import load
from omnisim.simulation import finish, warm_up
path, size, threads = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
scenario = load(path)
share = size / (scenario.population.size * scenario.population.scale)
changes = {"population.size": size, "population.scale": 1, "brand.new_customers": scenario.brand.new_customers * share}
for name, channel in scenario.channels.items():
    changes[f"channels.{name}.budget"] = round(channel.budget * share, 2)
    changes[f"channels.{name}.organic_impressions"] = channel.organic_impressions * share
if scenario.community:
    changes["community.seats"] = max(1, round(scenario.community.seats * share))
    changes["community.members"] = round(scenario.community.members * share)
for sku, product in scenario.products.items():
    changes[f"products.{sku}.base_stock"] = max(1, round(product.base_stock * share))
scenario = scenario.with_(changes)
tiny = scenario.with_({"horizon.days": 2, "horizon.warm_up": 1})
finish(warm_up(tiny, threads=threads), threads=threads)  # load the compiled kernels
start = time.perf_counter()
world = warm_up(scenario, threads=threads)
warm = time.perf_counter() - start
start = time.perf_counter()
finish(world, threads=threads)
print(json.dumps({"warm_up": warm, "run": time.perf_counter() - start,
                  "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024}))
"""
IMPORT = "import time; t = time.process_time(); import omnisim; print(time.process_time() - t)"
FIRST = "import sys, omnisim as om; om.run(om.load(sys.argv[1]).with_({'horizon.days': 2, 'horizon.warm_up': 1}))"


def python(code: str, *words: object, cache: str | None = None) -> str:
    environment = os.environ | ({"NUMBA_CACHE_DIR": cache} if cache else {})
    return subprocess.run([sys.executable, "-c", code, *map(str, words)], check=True, capture_output=True, text=True,
                          env=environment).stdout


def timed(command: list[str]) -> float:
    start = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--scenario", default=str(HERE.parent / "scenarios" / "brand.yaml"))
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()

    def runs(size: int, threads: int) -> dict[str, float]:
        found = [json.loads(python(RUN, options.scenario, size, threads)) for _ in range(options.repeats)]
        return {name: statistics.median(one[name] for one in found) for name in found[0]}

    small, large, one = runs(10_000, 2), runs(1_000_000, 2), runs(1_000_000, 1)
    with tempfile.TemporaryDirectory() as empty:
        start = time.perf_counter()
        python(FIRST, options.scenario, cache=empty)
        first = time.perf_counter() - start
        start = time.perf_counter()
        python(FIRST, options.scenario, cache=empty)
        later = time.perf_counter() - start
    many = range(max(5, options.repeats))
    rows = [
        ("365 reported days, 1,000,000 consumers, 2 threads", f"{large['run']:.1f} s", "≤ 15 s"),
        ("— its warm-up of 210 days", f"{large['warm_up']:.1f} s", ""),
        ("— on 1 thread", f"{one['run']:.1f} s", ""),
        ("— the same days, 10,000 consumers (fixed cost)", f"{small['run']:.2f} s", ""),
        ("memory, (peak at 1,000,000 − peak at 10,000) / 990,000",
         f"{(large['peak'] - small['peak']) / 990_000:.0f} bytes", "≤ 150 bytes"),
        ("`import omnisim`, processor time",
         f"{statistics.median(float(python(IMPORT)) for _ in many):.3f} s", "≤ 0.25 s"),
        ("`omnisim --help`",
         f"{statistics.median(timed([str(Path(sys.executable).parent / 'omnisim'), '--help']) for _ in many):.2f} s",
         "≤ 0.5 s"),
        ("first run after installation, kernels compiled", f"{first:.1f} s", ""),
        ("— later starts", f"{later:.1f} s", ""),
    ]
    table = "\n".join(["| what | measured | bar |", "| --- | --- | --- |",
                       *(f"| {what} | {value} | {bar} |" for what, value, bar in rows)])
    text = (f"# Speed\n\nMedian of {options.repeats} runs, {os.cpu_count()} processors ({platform.machine()}), Python "
            f"{platform.python_version()}; `python benchmarks/speed.py`. Times vary by a quarter between machines.\n\n"
            f"{table}\n")
    (HERE / "speed.md").write_text(text, encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
