"""Threads that live through parts of the population side by side."""

from __future__ import annotations

import threading
import time

import pytest

from omnisim.errors import UsageError
from omnisim.parts import ALONE, Crew


@pytest.mark.parametrize("threads", [1, 2, 3])
@pytest.mark.parametrize("parts", [1, 2, 7])
def test_each_part_is_done_once_and_results_stand_in_order(threads: int, parts: int) -> None:
    by: dict[int, int] = {}

    def work(p: int, double: int) -> int:
        by[p] = threading.get_ident()
        return p + double

    with Crew(threads) as crew:
        for _ in range(3):
            assert crew.each(work, lambda p: (p, 2 * p), parts) == [3 * p for p in range(parts)]
    assert len(set(by.values())) == min(threads, parts) and by[0] == threading.get_ident()


def test_the_caller_alone_needs_no_threads() -> None:
    before = threading.active_count()
    assert ALONE.each(lambda p: p, lambda p: (p,), 4) == [0, 1, 2, 3]
    assert threading.active_count() == before


@pytest.mark.parametrize("broken", [0, 1])
def test_an_error_is_raised_when_all_others_have_finished(broken: int) -> None:
    done = []

    def work(p: int) -> None:
        if p == broken:
            raise ValueError(f"part {p}")
        done.append(p)

    with Crew(2) as crew:
        with pytest.raises(ValueError, match=f"part {broken}"):
            crew.each(work, lambda p: (p,), 2)
        assert done == [1 - broken]
        assert crew.each(lambda p: p, lambda p: (p,), 2) == [0, 1]  # and the crew goes on


def test_threads_end_with_the_crew() -> None:
    before = set(threading.enumerate())
    with Crew(3):
        theirs = set(threading.enumerate()) - before
        assert len(theirs) == 2
    for thread in theirs:
        thread.join(5)
        assert not thread.is_alive()


def test_threads_that_were_started_end_where_others_cannot_be(monkeypatch: pytest.MonkeyPatch) -> None:
    before, begin = threading.active_count(), threading.Thread.start

    def start(thread: threading.Thread) -> None:
        if threading.active_count() >= before + 2:
            raise RuntimeError("can't start new thread")
        begin(thread)

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(UsageError, match="threads = 5"), Crew(5):
        pass
    for _ in range(100):
        if threading.active_count() == before:
            return
        time.sleep(0.05)
    pytest.fail("threads are left")
