"""The only file that knows a solver: linear and mixed-integer programmes as arrays, solved by HiGHS.

HiGHS calls a model with NaN in it optimal, drops tiny coefficients in silence and may overrun its time limit. So a
model is checked before, handed over well scaled, and its answer is recomputed from the arrays after.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from omnisim.errors import Fault, OmnisimError

if TYPE_CHECKING:
    import highspy

Floats = NDArray[np.float64]
Status = Literal["optimal", "infeasible", "limit"]
FEASIBLE = 1e-9
"""Largest violation that the solver may leave, of rows whose largest coefficient is 1."""
TOLERATED = 1e-6
"""Largest violation that is believed after recomputing."""
SMALLEST = 1e-12
"""Coefficients below are dropped by the solver, whatever it is told."""


class Model(NamedTuple):
    """Maximise cost · v with row_low ≤ A v ≤ row_high, low ≤ v ≤ high; A by columns."""

    cost: Floats
    low: Floats
    high: Floats
    row_low: Floats
    row_high: Floats
    start: NDArray[np.int32]
    row: NDArray[np.int32]
    entry: Floats
    integer: NDArray[np.bool_] | None = None


class Answer(NamedTuple):
    """What a solver found."""

    status: Status
    values: Floats
    duals: Floats
    """Rise of the objective by one more unit of each row's side; empty for integer models."""
    objective: float
    bound: float


class SolverError(OmnisimError):
    """A solver that failed, or an answer that does not hold when it is recomputed."""


def columns(rows: NDArray[np.int64], places: NDArray[np.int64], values: Floats, width: int
            ) -> tuple[NDArray[np.int32], NDArray[np.int32], Floats]:
    """Start, index and value of a matrix by columns, of entries (row, column, value); zeros are left out."""
    kept = values != 0.0
    rows, places, values = rows[kept], places[kept], values[kept]
    order = np.lexsort((rows, places))
    start = np.concatenate([[0], np.cumsum(np.bincount(places, minlength=width))])
    return start.astype(np.int32), rows[order].astype(np.int32), np.ascontiguousarray(values[order])


class Solves(Protocol):
    """Anything that solves models: a `Solver`, or one in a process of its own."""

    def solve(self, model: Model, *, gap: float = 1e-9, deadline: float = math.inf, presolve: bool = True) -> Answer:
        """The best values, or the best until the deadline [second, monotonic clock]."""
        ...


class Solver:
    """One HiGHS, which starts each model from the basis that the last one of the same size ended with."""

    def __init__(self) -> None:
        self._highs = _quiet_highs()
        # no number of threads: the first one that anybody sets holds for the process, and another is an error
        for name, setting in (("primal_feasibility_tolerance", FEASIBLE),
                              ("dual_feasibility_tolerance", FEASIBLE), ("small_matrix_value", SMALLEST),
                              ("mip_feasibility_tolerance", FEASIBLE), ("random_seed", 0)):
            self._highs.setOptionValue(name, setting)
        self._basis: highspy.HighsBasis | None = None
        self._size = (0, 0)

    def solve(self, model: Model, *, gap: float = 1e-9, deadline: float = math.inf, presolve: bool = True,
              improved: Callable[[Floats, float, float], None] | None = None) -> Answer:
        """The best values.

        Parameters
        ----------
        model : Model
        gap : float  of integer models, relative to the objective
        deadline : float [second]  on the monotonic clock
        improved : callable  told values, objective and bound of each better plan of an integer model on the way

        Raises
        ------
        SolverError  for a model that is not finite, a solver that fails, an answer that is not feasible
        """
        import highspy

        check_finite(model)
        highs = self._highs
        highs.passModel(_to_highs(model))
        size = (len(model.cost), len(model.row_low))
        if self._basis is not None and size == self._size and model.integer is None:
            highs.setBasis(self._basis)
        highs.setOptionValue("presolve", "choose" if presolve else "off")
        highs.setOptionValue("mip_rel_gap", gap)
        highs.setOptionValue("time_limit", highs.getRunTime() + max(0.0, min(1e7, deadline - time.monotonic())))
        if improved is not None and model.integer is not None:
            _report_improvements(highs, improved)
        highs.run()
        status = highs.getModelStatus()
        info, found = highs.getInfo(), highs.getSolution()
        kinds = highspy.HighsModelStatus
        if status in (kinds.kInfeasible, kinds.kUnboundedOrInfeasible):
            return Answer("infeasible", np.zeros(0), np.zeros(0), -math.inf, -math.inf)
        if status not in (kinds.kOptimal, kinds.kTimeLimit, kinds.kInterrupt):
            raise SolverError(Fault("solver", "status", highs.modelStatusToString(status), "is no answer",
                                    "Please report it with the curves and limits."))
        values = np.array(found.col_value)
        if status != kinds.kOptimal:
            held = model.integer is not None and len(values) == size[0] and math.isfinite(info.objective_function_value)
            bound = info.mip_dual_bound if model.integer is not None else math.inf
            return Answer("limit", values if held else np.zeros(0), np.zeros(0),
                          float(model.cost @ values) if held else -math.inf, bound)
        check_residuals(model, values)
        if model.integer is None:
            self._basis, self._size = highs.getBasis(), size
        duals = np.array(found.row_dual) if model.integer is None else np.zeros(0)
        objective = float(model.cost @ values)
        return Answer("optimal", values, duals, objective,
                      objective if model.integer is None else float(info.mip_dual_bound))


class GrowingProgramme:
    """Minimise cost · v, row_low ≤ A v ≤ row_high, v ≥ 0; columns are added, and each solution starts from the last.

    Parameters
    ----------
    row_low, row_high : float (rows,)
    """

    def __init__(self, row_low: Floats, row_high: Floats) -> None:
        self._highs = _quiet_highs()
        for name, setting in (("presolve", "off"), ("random_seed", 0), ("small_matrix_value", SMALLEST)):
            self._highs.setOptionValue(name, setting)
        none = np.zeros(0, np.int32)
        self._highs.addRows(len(row_low), row_low, row_high, 0, np.zeros(len(row_low), np.int32), none, np.zeros(0))
        self._rows = len(row_low)

    def add_columns(self, cost: Floats, start: NDArray[np.int32], row: NDArray[np.int32], entry: Floats) -> None:
        """Columns with `row` and `entry` from each start on.

        Raises
        ------
        SolverError  for what is not finite
        """
        if not (np.isfinite(cost).all() and np.isfinite(entry).all()):
            raise SolverError(Fault("solver", "columns", "", "must be finite numbers", "Please report it."))
        n = len(cost)
        self._highs.addCols(n, cost, np.zeros(n), np.full(n, math.inf), len(entry), start, row, entry)

    def set_row_high(self, rows: NDArray[np.int64], high: Floats) -> None:
        """Move upper sides."""
        for row, side in zip(rows, high, strict=True):
            self._highs.changeRowBounds(int(row), -math.inf, float(side))

    def solve(self, deadline: float = math.inf) -> Answer:
        """The least cost; `duals` are the fall of the cost by one more unit of each row's side.

        Raises
        ------
        SolverError  for a solver that fails
        """
        import highspy

        highs = self._highs
        highs.setOptionValue("time_limit", highs.getRunTime() + max(0.0, min(1e7, deadline - time.monotonic())))
        highs.run()
        kinds = highspy.HighsModelStatus
        if highs.getModelStatus() == kinds.kUnknown:  # lost its way from the last basis: once more from none
            highs.clearSolver()
            highs.run()
        status = highs.getModelStatus()
        if status == kinds.kInfeasible:
            return Answer("infeasible", np.zeros(0), np.zeros(0), math.inf, math.inf)
        if status == kinds.kTimeLimit:
            return Answer("limit", np.zeros(0), np.zeros(0), math.inf, -math.inf)
        if status != kinds.kOptimal:
            raise SolverError(Fault("solver", "status", highs.modelStatusToString(status), "is no answer",
                                    "Please report it."))
        found, value = highs.getSolution(), float(highs.getInfo().objective_function_value)
        return Answer("optimal", np.array(found.col_value), -np.array(found.row_dual), value, value)


def _report_improvements(highs: Any, improved: Callable[[Floats, float, float], None]) -> None:
    """Let HiGHS tell each better plan of an integer model."""
    from highspy import cb

    def tell(kind: Any, message: str, found: Any, answer: Any, about: Any) -> None:
        improved(np.array(found.mip_solution), float(found.objective_function_value), float(found.mip_dual_bound))

    highs.setCallback(tell, None)
    highs.startCallback(cb.HighsCallbackType.kCallbackMipImprovingSolution)


def _quiet_highs() -> Any:
    """A HiGHS that prints nothing: the ordinary one prints its licence before it can be told not to."""
    import highspy

    class Quiet(highspy.Highs):
        def __init__(self) -> None:
            super(highspy.Highs, self).__init__()  # all but the callbacks, which print and are not used
            self.setOptionValue("output_flag", False)

    return Quiet()


def _to_highs(model: Model) -> highspy.HighsLp:
    import highspy

    lp = highspy.HighsLp()
    lp.num_col_, lp.num_row_ = len(model.cost), len(model.row_low)
    lp.sense_ = highspy.ObjSense.kMaximize
    lp.col_cost_, lp.col_lower_, lp.col_upper_ = model.cost, model.low, model.high
    lp.row_lower_, lp.row_upper_ = model.row_low, model.row_high
    matrix = lp.a_matrix_
    matrix.format_ = highspy.MatrixFormat.kColwise
    matrix.start_, matrix.index_, matrix.value_ = model.start, model.row, model.entry
    if model.integer is not None:
        lp.integrality_ = [highspy.HighsVarType.kInteger if one else highspy.HighsVarType.kContinuous
                           for one in model.integer]
    return lp


def check_finite(model: Model) -> None:
    """Refuse what a solver would take in silence.

    Raises
    ------
    SolverError  for NaN anywhere, and infinities other than sides that are absent
    """
    parts = (("cost", model.cost, False), ("coefficients", model.entry, False), ("lower bounds", model.low, True),
             ("upper bounds", model.high, True), ("lower sides", model.row_low, True),
             ("upper sides", model.row_high, True))
    for name, values, is_side in parts:
        bad = np.isnan(values) if is_side else ~np.isfinite(values)
        if bad.any():
            raise SolverError(Fault("solver", name, f"{values[bad][0]}", "must be finite numbers",
                                    "Please report it with the curves and limits."))


def check_residuals(model: Model, values: Floats) -> None:
    """Refuse an answer that breaks a row or bound.

    Raises
    ------
    SolverError
    """
    rows = np.repeat(values, np.diff(model.start)) * model.entry
    sums = np.bincount(model.row, rows, len(model.row_low))
    size = 1.0 + np.bincount(model.row, np.abs(rows), len(model.row_low))
    worst = max(float(((model.row_low - sums) / size).max(initial=0.0)),
                float(((sums - model.row_high) / size).max(initial=0.0)),
                float((model.low - values).max(initial=0.0)), float((values - model.high).max(initial=0.0)))
    if not worst <= TOLERATED:
        raise SolverError(Fault("solver", "residual", f"{worst:.3g}", f"must be at most {TOLERATED:g}",
                                "Please report it with the curves and limits."))
