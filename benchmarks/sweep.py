"""Sweeps: laying out 100,000 points, what a run costs beyond itself, and 1,000 shards added up; written into sweep.md.

    python benchmarks/sweep.py            # about two minutes
"""

from __future__ import annotations

import argparse
import resource
import shutil
import statistics
import tempfile
import time
from pathlib import Path

from runs import BRAND, Found, in_turn, machine, median, run_python, table

PAGE = Path(__file__).with_name("sweep.md")
START, END = "<!-- measured: sweep -->\n", "<!-- end: sweep -->"
SETTINGS = {"population.size": 1000, "population.scale": 1000, "supply.unlimited": True, "horizon.days": 10,
            "horizon.warm_up": 10}
"""Runs so short that what a sweep adds to them is seen."""
FIGURES = ["profit", "gmv", "orders"]


def lay_out(points: int = 100_000) -> Found:
    """Read, draw and write down the points of a sweep over three budgets."""
    from omnisim.scenario.load import load
    from omnisim.study.sweeping.store import Store
    from omnisim.study.sweeping.sweep_file import make_sweep
    from omnisim.study.sweeping.sweep_plan import plan_sweep

    ranges = {f"channels.{name}.budget": {"low": 0, "high": 5000} for name in ("xiaohongshu", "douyin", "taobao")}
    start, busy = time.perf_counter(), time.process_time()
    with tempfile.TemporaryDirectory() as place:
        Store(Path(place) / "study", plan_sweep(make_sweep(load(BRAND), ranges, method="latin", points=points))).close()
    return {"seconds": time.perf_counter() - start, "busy": time.process_time() - busy,
            "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}


def overhead(points: int = 500) -> Found:
    """What a run costs in a sweep with one worker beyond the same run in a loop, in processor time of all processes."""
    import omnisim as om
    from omnisim.study.sweeping.runs import Runs, describe
    from omnisim.study.sweeping.sweep import run_sweep
    from omnisim.study.sweeping.sweep_file import make_sweep
    from omnisim.study.sweeping.sweep_plan import plan_sweep
    from omnisim.study.sweeping.workers import Workers

    base = om.load(BRAND).with_(SETTINGS)
    ranges = {f"channels.{name}.budget": {"low": 0, "high": 5000} for name in ("xiaohongshu", "douyin", "taobao")}
    plan = plan_sweep(make_sweep(base, ranges, method="latin", points=points, metrics=FIGURES))
    setup = describe(plan, "omnisim.policies:find_policy")

    def busy() -> float:
        return sum(sum(resource.getrusage(who)[:2]) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))

    def sweep(count: int) -> tuple[float, int]:
        part = plan_sweep(make_sweep(base, ranges, method="latin", points=count, metrics=FIGURES))
        with tempfile.TemporaryDirectory() as place:
            start = busy()
            study = run_sweep(Path(place) / "study", part, lambda plan, left: Workers(
                "omnisim.study.sweeping.runs:Runs", setup, 1))
            return busy() - start, len(study.shards)

    work = Runs(setup)
    scenarios = [base.with_(dict(zip(plan.paths, plan.values(point), strict=True))) for point in range(points)]
    from omnisim.measure.kpis import figures
    from omnisim.simulation import simulate

    work({}, 0)
    start = busy()
    for scenario in scenarios:
        figures(scenario, simulate(scenario, seed=1, threads=1, orders="none"), FIGURES)
    alone = (busy() - start) / points
    few, _ = sweep(10)  # one worker's start, and ten runs
    many, shards = sweep(points)
    return {"alone": alone, "each": (many - few) / (points - 10) - alone, "start": few - 10 * alone, "shards": shards}


def add_up(shards: int = 1000) -> Found:
    """Ask 1,000 shards of 100 runs for means, and read them whole."""
    import omnisim as om
    from omnisim.study.sweeping.store import Row, Store
    from omnisim.study.sweeping.study import Study, open_study
    from omnisim.study.sweeping.sweep_file import make_sweep
    from omnisim.study.sweeping.sweep_plan import plan_sweep

    ranges = {f"channels.{name}.budget": {"low": 0, "high": 5000} for name in ("xiaohongshu", "douyin", "taobao")}
    plan = plan_sweep(make_sweep(om.load(BRAND), ranges, method="latin", points=100))
    with tempfile.TemporaryDirectory() as place:
        with Store(Path(place) / "study", plan) as store:
            store.commit([Row(point, 0, [point / 7] * len(plan.metrics)) for point in range(100)])
        study = open_study(Path(place) / "study")
        copies = [Path(shutil.copy(study.shards[0], Path(place) / f"{k:06d}.parquet")) for k in range(shards)]
        many, found = Study(study.directory, study.plan, copies, []), []
        busy: list[float] = []
        for _ in range(5):
            start, spent = time.perf_counter(), time.process_time()
            many.query("select count(*), avg(gmv), avg(profit), max(orders) from runs")
            found.append(time.perf_counter() - start)
            busy.append(time.process_time() - spent)
        start = time.perf_counter()
        rows = len(many.to_frame())
    assert rows == 100 * shards
    return {"seconds": statistics.median(found), "busy": statistics.median(busy), "whole": time.perf_counter() - start}


PARTS = {"lay_out": lay_out, "overhead": overhead, "add_up": add_up}


def main() -> None:
    words = argparse.ArgumentParser(description=__doc__)
    words.add_argument("part", nargs="?", choices=PARTS)
    words.add_argument("--rounds", type=int, default=3)
    given = words.parse_args()
    if given.part:
        import json

        print(json.dumps(PARTS[given.part]()))
        return
    found = in_turn({name: lambda name=name: run_python([__file__, name])[0] for name in PARTS}, given.rounds)
    laid, over, added = found["lay_out"], found["overhead"], found["add_up"]
    rows = [
        ["100,000 points over three budgets laid out, processor time", f"{median(laid, 'busy'):.1f} s", ""],
        ["— wall time", f"{median(laid, 'seconds'):.1f} s", "≤ 10 s"],
        ["— peak memory", f"{median(laid, 'peak'):.0f} MB", "≤ 500 MB"],
        ["a run in a sweep beyond the same run in a loop, processor time", f"{1000 * median(over, 'each'):.1f} ms",
         "≤ 2 ms"],
        ["— the run itself", f"{1000 * median(over, 'alone'):.0f} ms", ""],
        ["— once: a worker that starts, and the store", f"{median(over, 'start'):.1f} s", ""],
        ["means of 1,000 shards with 100,000 runs, wall time", f"{median(added, 'seconds'):.2f} s", "≤ 0.3 s"],
        ["— processor time of both threads", f"{median(added, 'busy'):.2f} s", ""],
        ["— all of them as a frame", f"{median(added, 'whole'):.2f} s", ""],
    ]
    text = table(["what", "measured", "bar"], rows)
    text += f"\n\nMedian of {given.rounds} rounds in turn; {machine()}.\n"
    before, mark, rest = PAGE.read_text(encoding="utf-8").partition(START)
    _, stop, after = rest.partition(END)
    if not (mark and stop):
        raise SystemExit(f"{PAGE} has no place for the figures")
    PAGE.write_text(f"{before}{START}{text}{END}{after}", encoding="utf-8")
    print(text)


if __name__ == "__main__":
    main()
