"""A solver in a process of its own: time limits and Ctrl-C hold although solvers look at the clock when they like.

Models and answers travel through pipes as plain arrays, each message its length and then an `npz` without pickles.
"""

from __future__ import annotations

import io
import math
import os
import selectors
import subprocess
import sys
import time
from pathlib import Path
from typing import IO, Any, cast

import numpy as np

from omnisim.errors import Fault
from omnisim.optimise.solver import Answer, Floats, Model, Solver, SolverError, Status

GRACE = 0.4
"""Seconds past the deadline after which a solver that has not stopped is stopped."""
LOOK = 0.05
"""Seconds between two looks at the clock."""
STATUSES: tuple[Status, ...] = ("optimal", "infeasible", "limit")
SERVE = ("import sys; sys.path.insert(0, sys.argv[1]); from omnisim.optimise.watchdog import serve; serve()")


class WatchedSolver:
    """A solver with the interface of `Solver`, in a child process that is started when it is first needed."""

    def __init__(self) -> None:
        self._child: subprocess.Popen[bytes] | None = None

    def solve(self, model: Model, *, gap: float = 1e-9, deadline: float = math.inf, presolve: bool = True) -> Answer:
        """As `Solver.solve`; ends within half a second of the deadline, with the best plan found until then.

        Raises
        ------
        SolverError  as `Solver.solve`, and where the child ends by itself
        """
        child = self._child = self._child or _start()
        best = Answer("limit", np.zeros(0), np.zeros(0), -math.inf, math.inf)
        try:
            _send(cast(IO[bytes], child.stdin), _pack_model(model, gap, deadline - time.monotonic(), presolve))
            inbox = _Inbox(cast(IO[bytes], child.stdout))
            while True:
                if time.monotonic() > deadline + GRACE:
                    self.close()
                    return best
                message = inbox.receive(LOOK)
                if message is None:
                    continue
                if "error" in message:
                    raise SolverError(Fault("solver", "status", str(message["error"]), "is no answer",
                                            "Please report it with the curves and limits."))
                answer = Answer(STATUSES[int(message["status"])], message["values"], message["duals"],
                                float(message["objective"]), float(message["bound"]))
                if bool(message["done"]):
                    is_better = len(answer.values) > 0 or len(best.values) == 0 or answer.status == "infeasible"
                    return answer if is_better else best
                best = answer
        except (EOFError, BrokenPipeError) as error:
            raise SolverError(Fault("solver", "process", "", "ended by itself", "Please report it with the curves and "
                                    "limits; less memory may have been free than it needs.")) from error
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End the child."""
        child, self._child = self._child, None
        if child is not None:
            child.kill()
            child.wait()
            for pipe in (child.stdin, child.stdout):
                if pipe is not None:
                    pipe.close()

    def __enter__(self) -> WatchedSolver:
        return self

    def __exit__(self, *about: object) -> None:
        self.close()


def _start() -> subprocess.Popen[bytes]:
    root = str(Path(__file__).parents[2])
    return subprocess.Popen([sys.executable, "-c", SERVE, root], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            start_new_session=True, bufsize=0)  # a session of its own: Ctrl-C is the parent's to see


class _Inbox:
    """Messages out of a pipe, without waiting longer than asked."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe, self._held = pipe, b""
        self._selector = selectors.DefaultSelector()
        self._selector.register(pipe, selectors.EVENT_READ)

    def receive(self, seconds: float) -> dict[str, Any] | None:
        """The next message, or None if it is not complete by then."""
        if not self._complete() and self._selector.select(seconds):
            part = os.read(self._pipe.fileno(), 1 << 20)
            if not part:
                raise EOFError
            self._held += part
        if not self._complete():
            return None
        size = int.from_bytes(self._held[:8], "little")
        content, self._held = self._held[8:8 + size], self._held[8 + size:]
        return _unpack(content)

    def _complete(self) -> bool:
        return len(self._held) >= 8 and len(self._held) >= 8 + int.from_bytes(self._held[:8], "little")


def _send(pipe: IO[bytes], arrays: dict[str, Any]) -> None:
    content = io.BytesIO()
    np.savez(content, allow_pickle=False, **arrays)
    data = memoryview(len(content.getvalue()).to_bytes(8, "little") + content.getvalue())
    while data:  # an unbuffered pipe may take less than it is given
        data = data[pipe.write(data):]


def _unpack(content: bytes) -> dict[str, Any]:
    with np.load(io.BytesIO(content), allow_pickle=False) as archive:
        return {name: archive[name] for name in archive.files}


def _pack_model(model: Model, gap: float, seconds: float, presolve: bool) -> dict[str, Any]:
    arrays: dict[str, Any] = {name: part for name, part in model._asdict().items() if part is not None}
    return arrays | {"gap": gap, "seconds": seconds, "presolve": presolve}


def _receive(pipe: IO[bytes]) -> dict[str, Any] | None:
    """The next message, waiting for it; None where the other side has gone."""
    head = pipe.read(8)
    if len(head) < 8:
        return None
    return _unpack(pipe.read(int.from_bytes(head, "little")))


def serve() -> None:
    """The child: solve one model after another until the parent goes away."""
    output = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # whatever a library prints must not get between the messages
    solver = Solver()

    def report(answer: Answer, done: bool) -> None:
        _send(cast(IO[bytes], output), {
            "status": STATUSES.index(answer.status), "values": answer.values, "duals": answer.duals,
            "objective": answer.objective, "bound": answer.bound, "done": done})
        output.flush()

    def improved(values: Floats, objective: float, bound: float) -> None:
        report(Answer("limit", values, np.zeros(0), objective, bound), done=False)

    while (message := _receive(sys.stdin.buffer)) is not None:
        gap, seconds, presolve = (message.pop(name).item() for name in ("gap", "seconds", "presolve"))
        try:
            answer = solver.solve(Model(**message), gap=gap, deadline=time.monotonic() + seconds, presolve=presolve,
                                  improved=improved)
            report(answer, done=True)
        except SolverError as error:
            _send(cast(IO[bytes], output), {"error": error.faults[0].got or error.faults[0].rule})
            output.flush()
