"""Starting runs in processes of their own, in turn, and writing what was measured into speed.md."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
SCENARIOS = HERE.parent / "scenarios"
FUNNEL, BRAND = SCENARIOS / "reference_funnel.yaml", SCENARIOS / "brand.yaml"
MEASURED = HERE / "measured.json"
ONE_THREAD = {f"{name}_NUM_THREADS": "1" for name in ("OMP", "MKL", "OPENBLAS", "NUMBA", "NUMEXPR")}
Found = dict[str, Any]


def run_python(words: Sequence[object], text: str = "", **environment: str) -> list[Found]:
    """What a script prints: a JSON object a line.

    Raises
    ------
    SystemExit  with the script's own words if it fails
    """
    done = subprocess.run([sys.executable, *map(str, words)], input=text, capture_output=True, text=True,
                          env=os.environ | environment)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, words))} failed:\n{done.stderr.strip()}")
    return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]


def run_once(scenario: Path = FUNNEL, **options: int) -> Found:
    """One run of omnisim, see once.py; `warm_up=0` is --warm-up 0."""
    words = [word for name, value in options.items() for word in (f"--{name.replace('_', '-')}", value)]
    return run_python([HERE / "once.py", "--scenario", scenario, *words])[0]


def in_turn(jobs: dict[str, Callable[[], Found]], rounds: int) -> dict[str, list[Found]]:
    """Run all jobs one after the other, `rounds` times over, so that what slows the machine down slows all alike."""
    found: dict[str, list[Found]] = {name: [] for name in jobs}
    for turn in range(rounds):
        for name, job in jobs.items():
            print(f"round {turn + 1} of {rounds}: {name} …", file=sys.stderr, flush=True)
            found[name].append(job())
    return found


def median(runs: Sequence[Found], what: str) -> float:
    """The median of one figure over runs."""
    return float(statistics.median(run[what] for run in runs))


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (head, ["---"] * len(head), *rows))


def figures(value: float) -> str:
    """A number with two or three figures, for reading."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.1f}" if value >= 1 else f"{value:.2f}"


def machine() -> str:
    """What the figures were measured on."""
    name = platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else ():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
    return f"{len(os.sched_getaffinity(0))} processors ({name}), Python {platform.python_version()}"


def keep(name: str, figures: object) -> None:
    """Keep figures for later pictures, in measured.json."""
    known = kept()
    known[name] = figures
    MEASURED.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")


def kept() -> Found:
    """What was measured last, by name."""
    return dict(json.loads(MEASURED.read_text(encoding="utf-8"))) if MEASURED.exists() else {}


def write_section(name: str, text: str) -> None:
    """Put a measured table in its place in speed.md, between its two marks, and print it.

    Raises
    ------
    SystemExit  if speed.md has no such place
    """
    page = HERE / "speed.md"
    start, end = f"<!-- measured: {name} -->\n", f"<!-- end: {name} -->"
    before, mark, rest = page.read_text(encoding="utf-8").partition(start)
    _, stop, after = rest.partition(end)
    if not (mark and stop):
        raise SystemExit(f"{page} has no place marked {name}")
    page.write_text(f"{before}{start}{text.strip()}\n{end}{after}", encoding="utf-8")
    print(text.strip())
