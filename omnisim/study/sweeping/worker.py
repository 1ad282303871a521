"""A worker process: runs what its parent tells it, one after another, and dies with it.

Lines of JSON go both ways, so nothing that comes in can be code. This file imports nothing heavy: what a worker needs
is named by its parent.
"""

from __future__ import annotations

import ctypes
import importlib
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from omnisim.errors import OmnisimError

PR_SET_PDEATHSIG = 1
Work = Callable[[Mapping[str, object], int], Sequence[float]]
"""Overrides and replication → figures."""


def find_named(name: str) -> Any:
    """What "module:name" means.

    Notes
    -----
    Names come from the program, never from a file.
    """
    module, _, attribute = name.partition(":")
    return getattr(importlib.import_module(module), attribute)


def attempt(work: Work, overrides: Mapping[str, object], replication: int) -> dict[str, Any]:
    """What became of one run, for JSON: its figures, or why there are none, and whether trying again may help."""
    try:
        # nan is no JSON
        return {"figures": [None if value != value else value for value in map(float, work(overrides, replication))]}
    except OmnisimError as error:
        return {"refused": str(error)}
    except MemoryError:
        return {"failed": "memory is not enough"}
    except Exception as error:
        return {"failed": f"{type(error).__name__}: {' '.join(str(error).split())}"}


def serve(job: str, setup: int, parent: int) -> None:
    """Work until the parent has nothing more to say.

    Parameters
    ----------
    job : str  "module:name" of what makes the work out of its setup
    setup : int  file descriptor of a file with the setup as JSON
    parent : int  process that started this one
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's to see
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    _die_with(parent)
    output = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever a library prints must not get between the lines
    content = os.pread(setup, os.fstat(setup).st_size, 0)
    os.close(setup)

    def say(message: dict[str, Any]) -> None:
        data = memoryview((json.dumps(message, allow_nan=False) + "\n").encode())
        while data:
            data = data[output.write(data):]

    try:
        work: Work = find_named(job)(json.loads(content))
    except Exception as error:
        say({"unready": f"{type(error).__name__}: {' '.join(str(error).split())}"})
        return
    say({"ready": os.getpid()})
    for line in sys.stdin.buffer:
        number, overrides, replication = json.loads(line)
        say({"number": number, **attempt(work, overrides, replication)})


def _die_with(parent: int) -> None:
    """Let the system end this process when its parent ends, even by kill -9."""
    libc = ctypes.CDLL(None)
    if hasattr(libc, "prctl"):
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != parent:
        os._exit(1)
