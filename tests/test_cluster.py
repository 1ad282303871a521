"""Runs on a dask cluster: a real scheduler and two worker processes on loopback, one of them killed half-way."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sweeping

import omnisim
from omnisim import sweeps
from omnisim.errors import StorageError, UsageError
from omnisim.study.sweeping import sweep
from omnisim.study.sweeping.study import open_study

ROOT = Path(omnisim.__file__).parents[1]
POINTS = 60


def test_only_a_scheduler_can_be_named() -> None:
    for address in ("http://10.0.0.1:8786", "10.0.0.1:8786", "tcp://", "inproc://1"):
        with pytest.raises(UsageError, match="must be tcp"):
            sweeps._hire(sweeping.plan(), 3, None, address)


def test_without_dask_the_cure_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UsageError, match=r"omnisim\[cluster\]"):
        sweeps._hire(sweeping.plan(), 3, None, "tcp://127.0.0.1:8786")


class Machines:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, place: Path) -> None:
        environment = os.environ | {"PYTHONPATH": f"{ROOT}{os.pathsep}{sweeping.HERE}", "PYTHONWARNINGS": "ignore"}
        environment |= {"DASK_DISTRIBUTED__SCHEDULER__DASHBOARD__ENABLED": "False"}

        def start(*words: str) -> subprocess.Popen[str]:
            return subprocess.Popen([sys.executable, "-m", *words], env=environment, stdout=subprocess.DEVNULL,
                                    stderr=subprocess.DEVNULL, text=True, start_new_session=True)

        self.scheduler = start("distributed.cli.dask_scheduler", "--host", "127.0.0.1", "--port", "0",
                               "--no-dashboard", "--scheduler-file", str(place / "scheduler.json"))
        self.address = read_address(place / "scheduler.json")
        self.workers = [start("distributed.cli.dask_worker", self.address, "--nthreads", "1", "--no-nanny",
                              "--no-dashboard", "--death-timeout", "30") for _ in range(2)]

    def end(self) -> None:
        for process in (*self.workers, self.scheduler):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def read_address(file: Path) -> str:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, ValueError):
            return str(json.loads(file.read_text())["address"])
        time.sleep(0.1)
    raise AssertionError("the scheduler does not start")


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    pytest.importorskip("distributed", reason="dask is not installed: pip install 'omnisim[cluster]'")
    found = Machines(tmp_path_factory.mktemp("cluster"))
    yield found
    found.end()


@pytest.mark.filterwarnings("ignore")  # dask's own
def test_a_worker_killed_half_way_costs_no_run(machines: Machines, tmp_path: Path) -> None:
    from omnisim.study.sweeping.cluster import Cluster

    killed: list[int] = []

    def kill_one(done: int, total: int) -> None:
        if done >= total // 3 and not killed:
            killed.append(done)
            machines.workers[0].kill()

    def hire(plan: object, left: int) -> Any:
        return Cluster(machines.address, "quick_runs:Quick", {"pause": 0.05, "trap": ""})

    study = sweep.run_sweep(tmp_path / "study", sweeping.plan(POINTS), hire, kill_one)
    assert killed
    assert machines.workers[0].wait(10) == -signal.SIGKILL
    assert study.is_complete
    alone = sweeping.run(tmp_path / "alone", points=POINTS)
    assert study.export(tmp_path / "a.parquet").read_bytes() == alone.export(tmp_path / "b.parquet").read_bytes()


@pytest.mark.filterwarnings("ignore")
def test_a_run_that_fails_there_is_given_up(machines: Machines, tmp_path: Path) -> None:
    from omnisim.study.sweeping.cluster import Cluster

    for trap, tries in (("raise", 3), ("refuse", 1)):
        study = sweep.run_sweep(tmp_path / trap, sweeping.plan(6), lambda plan, left, trap=trap: Cluster(  # type: ignore[misc]
            machines.address, "quick_runs:Quick", {"pause": 0.0, "trap": trap}))
        assert study.n_done == 5
        assert study.quarantine["tries"].tolist() == [tries]


@pytest.mark.filterwarnings("ignore")
def test_a_scheduler_that_goes_away_is_no_loss(machines: Machines, tmp_path: Path,
                                               monkeypatch: pytest.MonkeyPatch) -> None:
    from omnisim.study.sweeping import cluster
    from omnisim.study.sweeping.cluster import Cluster

    monkeypatch.setattr(cluster, "PATIENCE", 2.0)
    def end(done: int, total: int) -> None:
        if done >= 20 and machines.scheduler.poll() is None:
            machines.scheduler.kill()

    def hire(plan: object, left: int) -> Any:
        return Cluster(machines.address, "quick_runs:Quick", {"pause": 0.1, "trap": ""})

    with pytest.raises(StorageError, match="goes on where this one stopped") as caught:
        sweep.run_sweep(tmp_path / "study", sweeping.plan(POINTS), hire, end)
    assert caught.value.exit_code == 5
    assert 0 < open_study(tmp_path / "study").n_done < POINTS
    assert sweeping.run(tmp_path / "study", points=POINTS).is_complete
    with pytest.raises(StorageError, match="does not answer"):
        Cluster(machines.address, "quick_runs:Quick", {})
