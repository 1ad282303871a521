"""From curves, limits and an objective to a problem in numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal, get_args

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.curve_table import CurveTable, worth_of
from omnisim.optimise.curves import CurveArrays, whole_period
from omnisim.optimise.limits import FAMILIES, Bounds, Terms, bound_spend, check_limits, limit_total
from omnisim.optimise.problem import Core, Ints, Limit, Problem
from omnisim.response import Floats
from omnisim.scenario.allocation import Limits

Objective = Literal["response", "profit", "gmv", "equity", "awareness", "loyalty", "present_value", "spend"]
OBJECTIVES: tuple[Objective, ...] = get_args(Objective)
FADED = 0.01
"""Share of the last period's response that a later one brings when carry-out stops being counted."""
MOST_TAIL = 260
"""Most periods after the plan that carry-out is counted for."""


@dataclass(frozen=True)
class Request:
    """What is asked of an allocation.

    Parameters
    ----------
    budget : float [currency]  total over all periods; 0 for the objective `spend`
    days : (periods,) float [day]  of each period; 1 where periods are all that is known
    objective : one of OBJECTIVES
    target : float [response]  for the objective `spend`
    limits : Limits
    limits_name : str  what the limits are called in faults
    budget_where : str  where the total budget was given
    opens : channel -> int [period]  first period in which a channel can be used
    today : (n, periods) float [currency], or None  the plan in force, in the order of the curves
    carry_out : bool  whether response after the last period counts
    discount : float [share/period]  of money a period later
    """

    budget: float
    days: Floats
    objective: Objective = "response"
    target: float | None = None
    limits: Limits = field(default_factory=Limits)
    limits_name: str = "limits"
    budget_where: str = "budget"
    opens: dict[str, int] = field(default_factory=dict)
    today: Floats | None = None
    carry_out: bool = False
    discount: float = 0.0


def prepare(table: CurveTable, request: Request, draw: int = 0) -> Problem:
    """The problem that a request poses on the curves of one draw.

    Raises
    ------
    UsageError  for limits that name what is not there, and objectives that the curves cannot value
    """
    curves = table.draws[draw]
    n, periods = len(table.channels), len(request.days)
    terms = _terms(table, request)
    check_limits(request.limits, terms, request.limits_name)
    bounds = Bounds(curves.floor, curves.cap, table.places)
    bound_spend(request.limits, terms, bounds)
    opening = np.array([request.limits.channels[name].opening_cost if name in request.limits.channels else 0.0
                        for name in table.channels])
    limits: list[Limit] = [*limit_total(request.limits, terms, opening, request.budget_where)]
    for family in FAMILIES:
        limits += family(request.limits, terms)
    most = request.limits.max_core
    core = None if most is None or most >= n else Core(most, request.limits.core_share * request.budget,
                                                       f"{request.limits_name}.max_core")
    tail = _tail(curves, request)
    worth, charge = _worths(table, request, periods + tail)
    charge[:, periods:] = 0.0
    cap = np.where(np.isfinite(bounds.cap), bounds.cap, request.budget)
    doubling = table.doubling
    if doubling is not None and tail:
        doubling = np.concatenate([doubling, np.repeat(doubling[:, -1:], tail, axis=1)], axis=1)
    whole = _longer(curves, bounds.floor, cap, tail, whole_period(request.days))
    return Problem(table.channels, whole, worth, charge, bounds.floor_names, bounds.cap_names,
                   tuple(limits), opening, core, periods, doubling)


def _terms(table: CurveTable, request: Request) -> Terms:
    opens: Ints = np.zeros(len(table.channels), np.int64)
    for c, name in enumerate(table.channels):
        one = request.limits.channels.get(name)
        opens[c] = max(request.opens.get(name, 0), (one.opens_in or 0) if one else 0)
    customers = table.worths.get("customers", np.ones(len(table.channels)))
    return Terms(table.channels, request.days, np.minimum(opens, len(request.days)), request.today, customers,
                 request.budget)


def _tail(curves: CurveArrays, request: Request) -> int:
    """Periods after the plan until the pressure has faded."""
    lasting = curves.carryover > 0.0
    if not request.carry_out or not lasting.any():
        return 0
    # a small stock brings a response of its power `shape`, which fades more slowly than the stock
    fading = np.log(curves.carryover[lasting]) * np.minimum(1.0, curves.shape[lasting, -1])
    return min(MOST_TAIL, max(1, math.ceil(math.log(FADED) / float(fading.max()))))


def _longer(curves: CurveArrays, floor: Floats, cap: Floats, tail: int, last: int) -> CurveArrays:
    """The curves with periods added in which nothing may be spent, as long as period `last`.

    The pressure goes on from the last period's, so its half holds; what the pressure brings is a whole period's.
    """
    def extend(values: Floats, more: Floats) -> Floats:
        return np.ascontiguousarray(np.concatenate([values, np.repeat(more, tail, axis=1)], axis=1))

    nothing = np.zeros_like(floor[:, -1:])
    scale = extend(curves.scale, curves.scale[:, last:last + 1])
    half, shape = (extend(values, values[:, -1:]) for values in (curves.half, curves.shape))
    return curves._replace(scale=scale, half=half, shape=shape, floor=extend(floor, nothing), cap=extend(cap, nothing))


def _worths(table: CurveTable, request: Request, periods: int) -> tuple[Floats, Floats]:
    """Worth of a unit of response and charge of a unit of spend, (n, periods)."""
    n, objective = len(table.channels), request.objective
    worth = np.ones(n)
    if objective in ("profit", "present_value", "equity"):
        worth = table.worths.get("margin", worth)
    if objective == "equity":
        worth = worth + worth_of(table, "equity", objective)
    if objective in ("awareness", "loyalty"):
        worth = worth_of(table, objective, objective)
    charge = 1.0 if objective in ("profit", "present_value", "equity") else 0.0
    fading = (1.0 + request.discount) ** -np.arange(periods) if objective == "present_value" else np.ones(periods)
    return worth[:, None] * fading, np.full((n, 1), charge) * fading


def check_request(request: Request) -> None:
    """Refuse what cannot be meant.

    Raises
    ------
    UsageError  with every fault
    """
    faults = []
    if request.objective not in OBJECTIVES:
        faults.append(Fault("allocate", "objective", repr(request.objective), f"must be one of {', '.join(OBJECTIVES)}",
                            "Choose one of these."))
    is_spend = request.objective == "spend"
    if is_spend and not (request.target is not None and math.isfinite(request.target) and request.target > 0.0):
        faults.append(Fault("allocate", "target", repr(request.target), "must be a number > 0 for the objective spend",
                            "Say what response to reach."))
    if not is_spend and request.target is not None:
        faults.append(Fault("allocate", "target", repr(request.target), "is for the objective spend alone",
                            "Choose that one, or leave the target out."))
    if not is_spend and not (math.isfinite(request.budget) and request.budget > 0.0):
        faults.append(Fault("allocate", "budget", f"{request.budget:g}", "must be a number > 0",
                            "Give the total of all periods."))
    if not 0.0 <= request.discount < 10.0:
        faults.append(Fault("allocate", "discount", f"{request.discount:g}", "must be ≥ 0 and < 10 a period",
                            "Write 0.01 for 1 %."))
    if faults:
        raise UsageError(*faults)

