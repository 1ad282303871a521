"""The work of a worker in tests of sweeps: arithmetic, and traps. It imports nothing that takes time."""

from __future__ import annotations

import hashlib
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from omnisim.errors import Fault, ScenarioError

TRAPPED = 1003
"""The market size at which traps go off."""


class Quick:
    """Figures out of nothing but what a run is: the same for the same run, and nothing to wait for."""

    def __init__(self, setup: Mapping[str, Any]) -> None:
        self.pause, self.trap = setup["pause"], setup["trap"]
        if self.trap == "unready":
            raise ImportError("no simulator here")
        if self.trap == "die at start":
            os._exit(7)

    def __call__(self, overrides: Mapping[str, object], replication: int) -> list[float]:
        time.sleep(self.pause)
        if overrides["population.size"] == TRAPPED:
            self.spring()
        words = hashlib.sha256(f"{sorted(overrides.items())} {replication}".encode()).digest()
        return [int.from_bytes(words[:7], "big") / 1e6, float("nan") if words[7] < 30 else words[8] / 7]

    def spring(self) -> None:
        if self.trap == "raise":
            raise ValueError("no such\nmarket")
        if self.trap == "refuse":
            raise ScenarioError(Fault("changes", "population.size", "1003", "is refused here", ""))
        if self.trap == "die" or (self.trap.startswith("die once") and not Path(self.trap[9:]).exists()):
            Path(self.trap[9:] or os.devnull).touch()
            sys.stdout.write("out of luck\n")
            sys.stdout.flush()
            os.kill(os.getpid(), signal.SIGKILL)
