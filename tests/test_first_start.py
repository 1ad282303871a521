"""What a second process compiles during a first start, and when there is one."""

from __future__ import annotations

import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from building import small_brand
from numba import typeof

from omnisim import first_start
from omnisim.compiled import STAMP
from omnisim.market import journey
from omnisim.simulation import simulate


def test_the_second_process_compiles_what_a_run_calls() -> None:
    """Types that no run hands over would be compiled in vain; each kernel is kept for one set of them."""
    simulate(small_brand(horizon={"days": 3, "warm_up": 3}), threads=1)
    for kernel, arguments in first_start.needed_last():
        kept = {types for types, *_ in kernel._cache._cache_file._load_index()}
        assert kept == {tuple(map(typeof, arguments))}, kernel.py_func.__name__


@pytest.fixture
def started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have been started, with nothing compiled so far."""
    commands: list[list[str]] = []

    class Process:
        def __init__(self, command: list[str], **options: object) -> None:
            commands.append(command)

        def kill(self) -> None:
            pass

        communicate = kill

    monkeypatch.setattr(journey.live_a_day._cache.__class__, "cache_path", str(tmp_path / "kept"))
    monkeypatch.setattr(subprocess, "Popen", Process)
    monkeypatch.setattr(first_start, "available_threads", lambda: 2)
    return commands


def test_help_comes_once_for_a_source(started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    first_start.get_help()
    first_start.get_help()
    assert len(started) == 1 and started[0][0] == sys.executable
    monkeypatch.setattr(first_start, "STAMP", STAMP[::-1])  # another version
    first_start.get_help()
    assert len(started) == 2


def test_there_is_no_help_on_one_processor(started: list[list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(first_start, "available_threads", lambda: 1)
    first_start.get_help()
    assert started == []


def test_a_run_goes_on_where_no_process_can_be_started(started: list[list[str]], monkeypatch: pytest.MonkeyPatch,
                                                       ) -> None:
    def refuse(*command: object, **options: object) -> None:
        raise OSError("no more processes")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    first_start.get_help()


def test_the_second_process_keeps_what_it_compiles(tmp_path: Path) -> None:
    """The whole of it takes long: one small kernel stands for all."""
    words = ("from omnisim import first_start as f; f.needed_last = (lambda all: lambda: all[-1:])(f.needed_last());"
             "f.compile_what_is_needed_last()")
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE,
                          env=os.environ | {"NUMBA_CACHE_DIR": str(tmp_path)}) as helper:
        assert helper.wait(120) == 0
    assert list(tmp_path.rglob("*give_seats*.nbi"))


def test_the_second_process_ends_with_the_first() -> None:
    words = ("import time; from omnisim import first_start as f; f.needed_last = lambda: time.sleep(60) or [];"
             "f.compile_what_is_needed_last()")
    with subprocess.Popen([sys.executable, "-c", words], stdin=subprocess.PIPE) as helper:
        assert helper.stdin is not None
        helper.stdin.close()
        assert helper.wait(20) == 0


def test_the_second_process_looks_for_modules_where_python_keeps_them(started: list[list[str]]) -> None:
    """The user's directory may hold a queue.py."""
    first_start.get_help()
    assert started[0][1] == "-P"


def test_kernels_kept_by_another_version_are_not_there(tmp_path: Path) -> None:
    """It may have known types that have gone; reading would fail."""
    index = journey.live_a_day._cache._cache_file
    path, index._index_path = index._index_path, str(tmp_path / "index.nbi")
    try:
        Path(index._index_path).write_bytes(pickle.dumps(index._version) + b"comnisim.market.day\nGone\n.")
        assert index._load_index() == {}
    finally:
        index._index_path = path
