"""Sweeps that are killed, starved, damaged and crowded: no run is lost, none done twice, and the bytes are the same."""

from __future__ import annotations

import ctypes
import fcntl
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sweeping

import omnisim
from omnisim import sweeps
from omnisim.errors import StorageError, UsageError
from omnisim.study.sweeping import sweep
from omnisim.study.sweeping.store import LEDGER, SHARDS, Store
from omnisim.study.sweeping.study import Study, open_study
from omnisim.study.sweeping.workers import Workers

SCRIPT = [sys.executable, str(Path(sweeping.__file__))]
ROOT = Path(omnisim.__file__).parents[1]
ENVIRONMENT = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
POINTS = 120
LONG = 180.0
"""Seconds after which something hangs, however slow the machine."""


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    directory = tmp_path_factory.mktemp("undisturbed")
    study = sweeping.run(directory / "study", points=POINTS)
    return study.export(directory / "runs.parquet").read_bytes()


def start(directory: Path, *words: object) -> subprocess.Popen[str]:
    """The sweep as a process in a group of its own, at the instant when it begins."""
    process = subprocess.Popen([*SCRIPT, str(directory), "--points", str(POINTS), *map(str, words)], text=True,
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, start_new_session=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    return process


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    _, words = process.communicate(timeout=LONG)
    return process.returncode, words


def check(study: Study, undisturbed: bytes, tmp_path: Path) -> None:
    """Nothing lost, nothing twice, the same bytes."""
    assert study.is_complete
    assert study.quarantine.empty
    assert study.to_frame()["key"].is_unique
    assert {path.name for path in study.shards} == {entry.name for entry in (study.directory / SHARDS).iterdir()}
    assert study.export(tmp_path / "runs.parquet").read_bytes() == undisturbed


def children(parent: int) -> set[int]:
    """Processes that a process has started."""
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                if int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]) == parent:
                    found.add(int(entry.name))
            except (OSError, IndexError):
                continue
    return found


def alive(processes: set[int]) -> set[int]:
    """Those that still run; the dead may wait to be buried by whoever inherits them."""
    found = set()
    for one in processes:
        try:
            if Path(f"/proc/{one}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z":
                found.add(one)
        except OSError:
            continue
    return found


def wait_until_gone(processes: set[int]) -> None:
    wait_until(lambda: not alive(processes), "some outlive their parent")


def wait_until(done: Callable[[], object], what: str) -> None:
    """Look again and again until something holds."""
    deadline = time.monotonic() + LONG
    while not done():
        assert time.monotonic() < deadline, what
        time.sleep(0.01)


def shards(directory: Path) -> list[Path]:
    """Whole shards that lie there."""
    return list((directory / SHARDS).glob("*.parquet"))


@pytest.mark.parametrize("step", sweeping.STEPS)
def test_a_kill_at_any_step_of_a_commit(step: str, undisturbed: bytes, tmp_path: Path) -> None:
    nth = 1 if step in ("claimed", "points", "planned", "finished") else 3
    directory = tmp_path / "study"
    process = start(directory, "--crash", step, "--nth", nth)
    assert finish(process)[0] == -signal.SIGKILL
    study = sweeping.run(directory, points=POINTS)
    check(study, undisturbed, tmp_path)


@pytest.mark.parametrize("target", ["driver", "group"])
def test_kills_at_random_instants(target: str, undisturbed: bytes, tmp_path: Path) -> None:
    """Some while it starts; the last ones when it has begun to keep runs."""
    luck = random.Random(target)
    directory = tmp_path / "study"
    for turn in range(5):
        process = start(directory, "--pause", 0.05, "--jobs", 2, "--group", 7)
        if turn > 2:
            known = len(shards(directory))
            wait_until(lambda known=known: len(shards(directory)) > known, "no shard is written")
        time.sleep(luck.uniform(0.0, 0.3))
        workers = children(process.pid)
        (os.killpg if target == "group" else os.kill)(process.pid, signal.SIGKILL)
        finish(process)
        wait_until_gone(workers)
    assert 0 < open_study(directory).n_done < POINTS
    check(sweeping.run(directory, 2, points=POINTS), undisturbed, tmp_path)


def test_workers_killed_at_random_instants(undisturbed: bytes, tmp_path: Path) -> None:
    luck, hands, killed = random.Random(4), list[Workers](), list[int]()

    def hire(plan: object, left: int) -> Workers:
        hands.append(sweeping.workers(2, 0.003))
        return hands[0]

    def kill_one(done: int, total: int) -> None:
        if done and done % 20 == 0:
            worker = luck.choice(hands[0]._workers)
            killed.append(worker.process.pid)
            time.sleep(luck.uniform(0, 0.004))
            worker.process.kill()

    study = sweep.run_sweep(tmp_path / "study", sweeping.plan(POINTS), hire, kill_one)
    assert len(killed) >= 5
    check(study, undisturbed, tmp_path)


@pytest.mark.parametrize("damage", ["truncated", "flipped", "gone", "empty"])
def test_a_damaged_shard_is_made_again(damage: str, undisturbed: bytes, tmp_path: Path,
                                       monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweep, "MOST_IN_GROUP", 25)
    study = sweeping.run(tmp_path / "study", points=POINTS)
    path = study.shards[2]
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes({"truncated": content[:100], "flipped": content, "empty": b""}[damage])
    with pytest.raises(StorageError, match=r"damaged or gone|No such file") as caught:
        open_study(study.directory)
    assert caught.value.exit_code == 5
    (study.directory / SHARDS / "000099.parquet").write_bytes(b"nobody knows me")
    (study.directory / SHARDS / "000100.parquet.part").write_bytes(b"half")
    check(sweeping.run(study.directory, points=POINTS), undisturbed, tmp_path)


def test_a_damaged_ledger_is_told(tmp_path: Path) -> None:
    study = sweeping.run(tmp_path / "study", points=10)
    ledger = study.directory / LEDGER
    ledger.write_bytes(b"SQLite format 3\0" + bytes(4000))
    for attempt in (lambda: open_study(study.directory), lambda: sweeping.run(study.directory, points=10)):
        with pytest.raises(StorageError, match="ledger"):
            attempt()


def test_a_full_disk(undisturbed: bytes, tmp_path: Path) -> None:
    directory = tmp_path / "study"
    code, words = finish(start(directory, "--most-bytes", 150_000))
    assert code == 5
    assert "Free space" in words
    assert "Traceback" not in words
    study = open_study(directory)
    assert 0 < study.n_done < POINTS
    check(sweeping.run(directory, points=POINTS), undisturbed, tmp_path)


def test_a_disk_that_is_really_full(undisturbed: bytes, tmp_path: Path) -> None:
    place = tmp_path / "disk"
    place.mkdir()
    mount = f"mount -t tmpfs -o size=900k none {place}"
    if shutil.which("unshare") is None or subprocess.run(["unshare", "-rm", "sh", "-c", mount], check=False,
                                                         capture_output=True).returncode:
        pytest.skip("no right to mount a small disk")
    run = f"{' '.join(SCRIPT)} {place}/study --points {POINTS} >/dev/null"
    commands = f"{mount}; head -c 700k /dev/zero > {place}/fill; {run}; echo $?; rm {place}/fill; {run}; echo $?; " \
               f"cp -r {place}/study {tmp_path}/study"
    done = subprocess.run(["unshare", "-rm", "sh", "-c", commands], check=False, capture_output=True, text=True,
                          env=ENVIRONMENT, timeout=LONG)
    assert done.stdout.split() == ["5", "0"], done.stderr
    assert "Traceback" not in done.stderr
    check(open_study(tmp_path / "study"), undisturbed, tmp_path)


@pytest.fixture
def public(tmp_path: Path) -> Iterator[Path]:
    """A directory whose rights a test may take away."""
    path = tmp_path / "public"
    path.mkdir()
    yield path
    for each in (path, *path.rglob("*")):
        each.chmod(0o755)


def drop_rights() -> None:
    """Take from root what lets it write where nobody may, also after it starts a program."""
    libc = ctypes.CDLL(None)
    libc.prctl(28, 1, 0, 0, 0)  # PR_SET_SECUREBITS, SECBIT_NOROOT
    libc.capset((ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)())


def test_a_read_only_directory(public: Path, tmp_path: Path) -> None:
    sweeping.run(public / "study", points=POINTS)
    for path in (public / "study", public / "study" / SHARDS, public):
        path.chmod(0o555)
    for directory in (public / "study", public / "new"):
        done = subprocess.run([*SCRIPT, str(directory), "--points", str(POINTS)], capture_output=True, text=True,
                              check=False, env=ENVIRONMENT, preexec_fn=drop_rights)
        assert done.returncode == 5, done.stderr
        assert "Traceback" not in done.stderr
    read = f"from omnisim.study.sweeping.study import open_study; print(open_study({str(public / 'study')!r}).n_done)"
    done = subprocess.run([sys.executable, "-c", read], capture_output=True, text=True, check=False, env=ENVIRONMENT,
                          preexec_fn=drop_rights)
    assert done.stdout == f"{POINTS}\n", done.stderr  # a finished study can be read where nothing can be written


def test_two_sweeps_on_one_directory(undisturbed: bytes, tmp_path: Path) -> None:
    first = start(tmp_path / "study", "--pause", 0.01)
    wait_until((tmp_path / "study" / LEDGER).exists, "no ledger is written")
    os.kill(first.pid, signal.SIGSTOP)  # so that it is not done, however slowly the second starts
    code, words = finish(start(tmp_path / "study"))
    os.kill(first.pid, signal.SIGCONT)
    assert code == 5
    assert "is busy" in words
    assert finish(first)[0] == 0
    check(open_study(tmp_path / "study"), undisturbed, tmp_path)


def test_what_another_sweep_is_just_writing_does_not_look_like_a_strangers(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml.half").touch()
    other = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_EX)
    with pytest.raises(StorageError, match="is busy"):
        Store(tmp_path, sweeping.plan(POINTS))
    os.close(other)
    with pytest.raises(UsageError, match=r"scenario\.yaml\.half"):
        Store(tmp_path, sweeping.plan(POINTS))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_within_a_second(number: signal.Signals, undisturbed: bytes, tmp_path: Path) -> None:
    directory, plan = tmp_path / "study", sweeping.plan(POINTS)
    plan.base.save(tmp_path / "scenario.yaml")
    sizes = ", ".join(map(str, sweeping.PEOPLE[:POINTS]))
    (tmp_path / "sweep.yaml").write_text(f"base: scenario.yaml\nset: {{population.size: [{sizes}]}}\n"
                                         "metrics: [gmv, roi]\n")
    code = (f"import sys; sys.path.insert(0, {str(sweeping.HERE)!r}); import sweeping; "
            "from omnisim import cli, sweeps; "
            "from omnisim.study.sweeping import sweep; sweep.LONGEST_WAIT = 0.1; "
            "sweeps._hire = lambda plan, left, jobs, cluster: sweeping.workers(2, 0.1); "
            f"sys.argv = ['omnisim', 'sweep', {str(tmp_path / 'sweep.yaml')!r}, '--out', {str(directory)!r}]; "
            "cli.enter()")
    waits: list[float] = []
    while not waits or (waits[-1] >= 1.0 and len(waits) < 4):  # a machine that is busy with others may need another try
        known = len(shards(directory))
        process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, env=ENVIRONMENT)
        wait_until(lambda known=known, process=process: len(shards(directory)) > known or process.poll() is not None,
                   "no shard is written")
        workers = children(process.pid)
        pressed = time.monotonic()
        process.send_signal(number)
        code_given, words = finish(process)
        waits.append(time.monotonic() - pressed)
        assert code_given == 130, words
        assert "was interrupted" in words
        assert "Traceback" not in words
        wait_until_gone(workers)
        assert 0 < open_study(directory).n_done < POINTS
    assert waits[-1] < 1.0, waits
    check(sweeping.run(directory, points=POINTS), undisturbed, tmp_path)


def test_the_ledger_takes_no_run_twice(tmp_path: Path) -> None:
    from omnisim.study.sweeping.store import Row

    with Store(tmp_path / "study", sweeping.plan(3)) as store:
        store.commit([Row(0, 0, [1.0, 2.0])])
        with pytest.raises(StorageError, match="UNIQUE"):
            store.commit([Row(1, 0, [1.0, 2.0]), Row(0, 0, [1.0, 2.0])])
        assert store.done().ravel().tolist() == [True, False, False]
    with sqlite3.connect(tmp_path / "study" / LEDGER) as ledger:
        assert ledger.execute("pragma integrity_check").fetchone() == ("ok",)
    ledger.close()
    with Store(tmp_path / "study", sweeping.plan(3)) as store:  # the shard that was not committed is gone
        assert [entry.name for entry in (tmp_path / "study" / SHARDS).iterdir()] == ["000001.parquet"]


def test_no_worker_outlives_the_sweep(tmp_path: Path) -> None:
    before = children(os.getpid())
    sweeping.run(tmp_path / "study", 2, points=10)
    assert children(os.getpid()) == before
    assert callable(sweeps.sweep)
