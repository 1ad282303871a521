"""The first start: what takes half a minute to compile is compiled by two processes at once.

Compiled kernels are kept, so this happens once after installation. A run compiles what it meets; meanwhile a second
process compiles what the run will meet last, and the run finds it done.
"""

from __future__ import annotations

import atexit
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
from numba import typeof

from omnisim.books import COHORT, ORDER_DTYPE, PARCEL, VERDICT
from omnisim.compiled import STAMP
from omnisim.ledger import Page
from omnisim.machine import available_threads
from omnisim.market import community, evening, journey, scan, visits
from omnisim.market.consumers import allocate
from omnisim.market.day import DEMAND, TODAY, empty_counts
from omnisim.market.rules import RULES
from omnisim.sums import empty_sums

MARK = "omnisim.started"
"""File beside the kept kernels that says for which source a second process has been started."""


def needed_last() -> list[tuple[Any, tuple[Any, ...]]]:
    """Kernels and arguments of the types that a run hands to them, in the order in which they pay most.

    First what `live_a_day` is made of but comes to late, then what a day needs after it.
    """
    c, rules, today, counts = allocate(1, 1), np.zeros(1, RULES), np.zeros(1, TODAY), empty_counts()
    asked, w, slate = journey.empty_asked(), journey.empty_workspace(1), evening.clean_slate(rules, 1, 0)
    page = Page(np.zeros(1, np.int64), np.zeros(1, np.int64), np.zeros((1, 1, len(COHORT)), np.int64),
                np.zeros(1, np.int64), empty_sums(1), empty_sums(3))
    seats = community.Seats(np.zeros(1, np.int64), np.zeros(1, np.int64))
    pairs, rows, ids = np.zeros((1, 2), np.int64), np.zeros((1, 3), np.int64), np.zeros(1, np.int64)
    draws = w.draws.view(np.uint16)[0]
    of_all = (c, rules, today, counts)
    of_one = (c, rules[0], today[0], counts[0])
    return [
        (visits.make_visits, (*of_one, asked, w)),
        (journey.expect, (*of_one, w, 0, 0)),
        (journey.feel_need, (*of_one, asked, w, 0, 0.5, np.uint64(0), 0)),
        (journey.come_unprompted, (*of_one, asked, w, draws, 0, 0, 0, 0)),
        (scan.scan_visits, (c, 0, 0, 0, 0.5, 0.5, draws, w.hits, 0)),
        (scan.scan_needs, (c, 0, 0, 0.5, draws, w.hits, 0)),
        (evening.pass_evening, (*of_all, page, np.empty(1, DEMAND), np.empty(1, VERDICT), np.empty(1, ORDER_DTYPE),
                                np.uint64(0), slate, np.empty(1, PARCEL))),
        (community.live_in_groups, (*of_all, seats, ids, ids, 0, rows)),
        (community.give_seats, (*of_all, seats, pairs)),
    ]


def compile_what_is_needed_last() -> None:
    """The second process; it ends with the first, which holds its input open."""
    threading.Thread(target=_end_with_input, daemon=True).start()
    for kernel, arguments in needed_last():
        kernel.compile(tuple(map(typeof, arguments)))


def _end_with_input() -> None:
    sys.stdin.read()
    os._exit(0)


def _dismiss(helper: subprocess.Popen[bytes]) -> None:
    helper.kill()
    helper.communicate()


def get_help() -> None:
    """Start the second process, if nothing has been compiled for this source, and there is a processor for it."""
    kept = journey.live_a_day._cache.cache_path
    if kept is None or not sys.executable or available_threads() < 2:
        return
    mark, stamp = Path(kept) / MARK, STAMP.encode()
    try:
        if mark.exists() and mark.read_bytes() == stamp:
            return
        mark.parent.mkdir(parents=True, exist_ok=True)
        mark.write_bytes(stamp)
        helper = subprocess.Popen(  # -P: the user's directory may hold modules of any name
            [sys.executable, "-P", "-c", f"from {__name__} import *; compile_what_is_needed_last()"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    except OSError:  # it takes longer, nothing else
        return
    atexit.register(_dismiss, helper)
