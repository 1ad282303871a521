"""A sweep whose runs are arithmetic, so that tests can end it at any instant; run as a script, it sweeps.

    python tests/sweeping.py DIRECTORY --jobs 2 --points 40 --pause 0.01 --crash renamed --nth 2
"""

from __future__ import annotations

import argparse
import os
import resource
import signal
import sys
from pathlib import Path

from building import channel

from omnisim.errors import OmnisimError
from omnisim.scenario.model import Scenario
from omnisim.study.sweeping import store, sweep
from omnisim.study.sweeping.study import Study
from omnisim.study.sweeping.sweep_file import make_sweep
from omnisim.study.sweeping.sweep_plan import SweepPlan, plan_sweep
from omnisim.study.sweeping.workers import Workers

HERE = Path(__file__).parent
STEPS = ("claimed", "points", "planned", "started", "written", "synced", "renamed", "kept", "inserted", "committed",
         "finished")
"""Everything that a commit, or the laying out of a study, passes."""
PEOPLE = [1000 + k for k in range(1000)]


def plan(points: int = 40, replications: int = 1, seed: int = 1) -> SweepPlan:
    """A list of market sizes."""
    base = Scenario.model_validate({"channels": {"shop": channel()}, "products": {"core": {"price": 60.0, "cost": 30.0,
                                    "share": 1.0}}, "brand": {"new_customers": 0.0}})
    return plan_sweep(make_sweep(base, {"population.size": PEOPLE[:points]}, replications=replications, seed=seed,
                                 metrics=["gmv", "roi"]))


def workers(jobs: int, pause: float = 0.0, trap: str = "") -> Workers:
    """Workers that do quick runs."""
    os.environ["PYTHONPATH"] = str(HERE)  # where they find them
    return Workers("quick_runs:Quick", {"pause": pause, "trap": trap}, jobs)


def run(directory: Path, jobs: int = 1, points: int = 40, replications: int = 1, pause: float = 0.0,
        trap: str = "") -> Study:
    """The sweep."""
    return sweep.run_sweep(directory, plan(points, replications), lambda plan, left: workers(jobs, pause, trap))


def crash_at(step: str, nth: int) -> None:
    """End this process, as kill -9 does, when a step is passed for the nth time."""
    left = [nth]

    def passed(name: str) -> None:
        left[0] -= name == step
        if not left[0]:
            os.kill(os.getpid(), signal.SIGKILL)

    store.Store.passed = staticmethod(passed)  # type: ignore[method-assign]


def main() -> int:
    words = argparse.ArgumentParser()
    words.add_argument("directory", type=Path)
    words.add_argument("--jobs", type=int, default=1)
    words.add_argument("--points", type=int, default=40)
    words.add_argument("--pause", type=float, default=0.0)
    words.add_argument("--group", type=int, default=10)
    words.add_argument("--most-bytes", type=int, help="of a file: a disk that is full")
    words.add_argument("--crash", choices=STEPS)
    words.add_argument("--nth", type=int, default=1)
    given = words.parse_args()
    sweep.MOST_IN_GROUP = given.group
    if given.most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (given.most_bytes, given.most_bytes))
    if given.crash:
        crash_at(given.crash, given.nth)
    sys.stdout.write("go\n")
    sys.stdout.flush()
    try:
        run(given.directory, given.jobs, given.points, pause=given.pause)
    except OmnisimError as error:
        sys.stderr.write(f"{error}\n")
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
