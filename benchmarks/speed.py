"""How fast omnisim runs, how much memory it takes and how quickly it starts.

    python benchmarks/speed.py [--rounds 7]

Times are medians of runs in turn, each in a process of its own and of the whole `om.run`, with kernels compiled before.
The table goes to benchmarks/speed.md. Beside it: against_peers.py, population.py, variance.py, limits.py.
"""

from __future__ import annotations

import argparse
import statistics
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from runs import BRAND, FUNNEL, in_turn, machine, median, run_once, run_python, table, write_section

SMALL, LARGE = 10_000, 1_000_000
IMPORT = "import time; t = time.process_time(); import omnisim; print('{\"seconds\": %f}' % (time.process_time() - t))"
FIRST = "import sys, omnisim as om; om.run(om.load(sys.argv[1]).with_({'horizon.days': 2, 'horizon.warm_up': 1}))"


def seconds(command: list[str], **environment: str) -> float:
    """Wall time of a command."""
    start = time.perf_counter()
    run_python(command, **environment)
    return time.perf_counter() - start


def start_times() -> tuple[float, float]:
    """The first run after installation, which compiles the kernels, and later ones (median of five).

    Python keeps its byte code, as it does unless told otherwise (0.1 s of a start).
    """
    words = ["-c", FIRST, str(BRAND)]
    with tempfile.TemporaryDirectory() as empty:
        start = partial(seconds, words, NUMBA_CACHE_DIR=empty, PYTHONDONTWRITEBYTECODE="")
        return start(), statistics.median(start() for _ in range(5))


def help_time() -> float:
    """Wall time of `omnisim --help`."""
    start = time.perf_counter()
    subprocess.run([str(Path(sys.executable).parent / "omnisim"), "--help"], check=True, capture_output=True)
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=7)
    options = parser.parse_args()
    funnel = partial(run_once, FUNNEL)
    brand = partial(run_once, BRAND)
    found = in_turn({
        "funnel": partial(funnel, size=LARGE), "brand": partial(brand, size=LARGE),
        "brand, one thread": partial(brand, size=LARGE, threads=1), "small": partial(brand, size=SMALL),
        "tiny": partial(brand, size=1_000, warm_up=0)}, options.rounds)
    bytes_each = (median(found["brand"], "peak") - median(found["small"], "peak")) / (LARGE - SMALL)
    warm_up = statistics.median(run["seconds"] - run["run"] for run in found["brand"])
    first, later = start_times()
    imports = statistics.median(run_python(["-c", IMPORT])[0]["seconds"] for _ in range(7))
    rows = [
        ["reference funnel, 1,000,000 consumers × 365 days, 2 threads", f"{median(found['funnel'], 'seconds'):.2f} s",
         "≤ 1.8 s, aim 1 s"],
        ["brand, 1,000,000 consumers × 365 reported days, 2 threads", f"{median(found['brand'], 'run'):.1f} s",
         "≤ 5 s, aim 2 s"],
        ["— its warm-up of 210 days, with the set-up", f"{warm_up:.1f} s", ""],
        ["— on 1 thread", f"{median(found['brand, one thread'], 'run'):.1f} s", ""],
        ["— memory, (peak at 1,000,000 − peak at 10,000) / 990,000", f"{bytes_each:.0f} bytes", "≤ 100, aim 48 bytes"],
        ["— fixed cost: 365 days with 1,000 consumers", f"{median(found['tiny'], 'seconds'):.2f} s", "≤ 0.5 s"],
        ["first run after installation, kernels compiled", f"{first:.1f} s", "≤ 20 s"],
        ["— later starts, with a run of three days", f"{later:.2f} s", "≤ 1.5 s"],
        ["`import omnisim`, processor time", f"{imports:.3f} s", "≤ 0.25 s"],
        ["`omnisim --help`", f"{statistics.median(help_time() for _ in range(7)):.2f} s", "≤ 0.5 s"],
    ]
    write_section("speed", f"{table(['what', 'measured', 'bar'], rows)}\n\nMedian of {options.rounds} runs in turn; "
                           f"{machine()}.")


if __name__ == "__main__":
    main()
