"""The solver's room: models checked, answers recomputed, time limits, the text of a small programme."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from test_allocate import T3

import omnisim as om
from omnisim.optimise.assembly import Assembly
from omnisim.optimise.solver import Model, Solver, SolverError, check_residuals
from omnisim.optimise.watchdog import WatchedSolver

GOLDEN = Path(__file__).with_name("golden_budget.lp")


def small(*, integer: bool = False) -> Model:
    """max 3a + 2b, a + b ≤ 4, a + 3b ≤ 7, a ≤ 3: a = 3, b = 1; duals 2 and 0, and 1 for the bound."""
    frame = Assembly()
    places = frame.add_columns(np.array([3.0, 2.0]), 0.0, np.array([3.0, math.inf]), integer=integer)
    for side, factors in ((4.0, [1.0, 1.0]), (7.0, [1.0, 3.0])):
        frame.add_entries(frame.add_limit("<=", side), places, np.array(factors))
    return frame.model()


def hard(n: int = 70) -> Model:
    """A market split: integers far beyond any time limit here."""
    rng = np.random.default_rng(1)
    frame = Assembly()
    chosen = frame.add_columns(np.zeros(n), 0.0, 1.0, integer=True)
    slack = frame.add_columns(-np.ones((6, 2)), 0.0, math.inf)
    for k in range(6):
        weights = rng.integers(0, 100, n).astype(float)
        row = frame.add_limit("==", float(weights.sum() // 2))
        frame.add_entries(row, chosen, weights)
        frame.add_entries(row, slack[k], np.array([1.0, -1.0]))
    return frame.model()


def test_values_and_duals() -> None:
    with WatchedSolver() as watched:
        for solver in (Solver(), watched):
            answer = solver.solve(small())
            assert answer.status == "optimal" and answer.objective == pytest.approx(11)
            np.testing.assert_allclose(answer.values, [3, 1], atol=1e-9)
            np.testing.assert_allclose(answer.duals, [2, 0], atol=1e-9)
            assert solver.solve(small(integer=True)).bound == pytest.approx(11)


@pytest.mark.parametrize("bad", [{"cost": np.array([math.nan, 1.0])}, {"cost": np.array([math.inf, 1.0])},
                                 {"row_high": np.array([math.nan, 1.0])},
                                 {"entry": np.array([1.0, math.inf, 1.0, 1.0])}])
def test_what_is_not_finite_is_refused(bad: dict[str, np.ndarray]) -> None:
    with pytest.raises(SolverError, match="must be finite"):
        Solver().solve(small()._replace(**bad))


def test_answers_are_recomputed() -> None:
    check_residuals(small(), np.array([3.0, 1.0]))
    for wrong in ([3.0, 1.1], [3.1, 0.9], [-0.1, 0.0]):
        with pytest.raises(SolverError, match="residual"):
            check_residuals(small(), np.array(wrong))


def test_no_plan_is_infeasible() -> None:
    model = small()
    assert Solver().solve(model._replace(row_low=np.array([5.0, -math.inf]))).status == "infeasible"


def test_a_watched_solver_ends_on_time_with_the_best_so_far() -> None:
    with WatchedSolver() as watched:
        watched.solve(small())
        start = time.monotonic()
        answer = watched.solve(hard(), deadline=start + 2.0, gap=1e-9)
        assert time.monotonic() - start <= 3.0
        assert answer.status == "limit" and len(answer.values) and answer.objective <= 0.0
        assert answer.bound >= answer.objective


def test_ctrl_c_ends_a_solver_at_once() -> None:
    # where the tests run in the background, Ctrl-C is ignored unless it is asked for
    code = ("import signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler);"
            "sys.path.insert(0, sys.argv[1]); from test_solver import *; watched = WatchedSolver();"
            "watched.solve(small()); print('ready', flush=True); watched.solve(hard(), gap=1e-9)")
    child = subprocess.Popen([sys.executable, "-c", code, str(Path(__file__).parent)], stdout=subprocess.PIPE,
                             stderr=subprocess.DEVNULL, text=True)
    try:
        assert child.stdout is not None and child.stdout.readline() == "ready\n"
        time.sleep(0.5)
        start = time.monotonic()
        os.kill(child.pid, signal.SIGINT)
        child.wait(timeout=10)
    finally:
        child.kill()
        child.communicate()
    assert time.monotonic() - start <= 1.5 and child.returncode != 0


def test_another_user_of_the_solver_with_other_threads_is_no_matter() -> None:
    code = ("import sys; sys.path.insert(0, sys.argv[1]); import highspy; h = highspy.Highs();"
            "h.setOptionValue('threads', 2);"
            "h.passModel(highspy.HighsLp()); h.run(); from test_solver import *; print(Solver().solve(small()).status)")
    done = subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent)], check=True, capture_output=True,
                          text=True)
    assert done.stdout.split()[-1] == "optimal"


def test_nothing_is_printed(capfd: pytest.CaptureFixture[str]) -> None:
    Solver().solve(small(integer=True))
    with WatchedSolver() as watched:
        watched.solve(small(integer=True))
    assert capfd.readouterr() == ("", "")


def test_the_text_of_a_small_programme(tmp_path: Path) -> None:
    limits = {"groups": [{"name": "core", "channels": ["douyin"], "low": 0.3}], "roi": 5.0, "ramp": 0.5,
              "channels": {"taobao": {"floor": 100.0, "hours": 2.0}}, "hours": 4.0}
    plan = om.allocate(curves=T3.assign(carryover=0.5), budget=5000, periods=2, limits=limits)
    file = tmp_path / "budget.lp"
    plan.to_pulp().writeLP(str(file))
    lines = [line for line in file.read_text(encoding="utf-8").splitlines() if "segment" not in line]
    text = "\n".join(lines) + "\n"  # without the curves, whose numbers end differently on other machines
    if os.environ.get("REFRESH_GOLDEN"):
        GOLDEN.write_text(text, encoding="utf-8")
    assert text == GOLDEN.read_text(encoding="utf-8")
