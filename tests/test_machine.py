"""What is asked of the machine is given back."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from omnisim.machine import Stops, paused_collector


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    was_on = gc.isenabled()
    gc.enable()
    yield
    (gc.enable if was_on else gc.disable)()


def test_pauses_nest() -> None:
    with paused_collector():
        with paused_collector():
            assert not gc.isenabled()
        assert not gc.isenabled()
    assert gc.isenabled()


def test_the_collector_goes_on_after_an_error() -> None:
    with pytest.raises(KeyError), paused_collector():
        raise KeyError
    assert gc.isenabled()


def test_a_collector_that_was_off_stays_off() -> None:
    gc.disable()
    with paused_collector():
        pass
    assert not gc.isenabled()


# Ctrl-C


def press() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def test_a_stop_waits_until_the_end_of_the_work_and_handlers_are_as_before() -> None:
    usual = signal.getsignal(signal.SIGINT)
    done = []

    def work() -> None:
        with Stops() as stops:
            with stops.held():
                press()
                done.append("work")
            done.append("never")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["work"] and signal.getsignal(signal.SIGINT) is usual


def test_a_stop_between_two_pieces_of_work_is_heard_at_once_and_within_another_run() -> None:
    def work() -> None:
        with Stops() as outer, Stops():
            with outer.held():
                pass
            press()

    with pytest.raises(KeyboardInterrupt):
        work()


def test_a_stop_is_heard_though_the_work_failed() -> None:
    def work() -> None:
        with Stops() as stops, stops.held():
            press()
            raise ValueError

    with pytest.raises(KeyboardInterrupt) as found:
        work()
    assert isinstance(found.value.__context__, ValueError)


def test_a_handler_that_was_put_in_place_meanwhile_stays() -> None:
    usual = signal.getsignal(signal.SIGINT)
    try:
        with Stops():
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, usual)


def test_other_threads_hold_nothing() -> None:
    found = []

    def work() -> None:
        with Stops():
            found.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert found == [signal.getsignal(signal.SIGINT)]


@pytest.mark.parametrize("threads", [1, 2])
def test_an_interrupted_run_can_be_run_again(threads: int) -> None:
    """What a kernel returns is made by Python: an exception in the midst of that would be the end of the process."""
    script = f"""
import os, signal, threading, omnisim as om
from building import small_brand
def run(size, days): return om.run(small_brand(population={{"size": size}}, horizon={{"days": days}}),
                                   threads={threads}, orders="none").kpis()["value"].tolist()
before = run(2000, 5)
for wait in (0.1, 0.15, 0.2, 0.25, 0.3):
    threading.Timer(wait, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        run(2_000_000, 365)
    except KeyboardInterrupt:
        print("stopped")
assert str(run(2000, 5)) == str(before)
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=Path(__file__).parent, capture_output=True, text=True,
                          timeout=300)
    assert (done.returncode, done.stdout.split()) == (0, ["stopped"] * 5), done.stderr
