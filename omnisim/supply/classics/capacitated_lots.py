"""Capacitated lot sizing: several articles share hours of work or delivery slots, and each change-over takes some."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from omnisim.errors import Fault, UsageError
from omnisim.supply.classics.inputs import Floats, accept, each, fault, positive, series


class CapacitatedPlan(NamedTuple):
    """Lots of several articles within a shared capacity.

    Parameters
    ----------
    quantities : float (n, T) [unit]  made of each article in each period
    setups : bool (n, T)  whether an article is set up
    stock : float (n, T) [unit]  at the end of each period
    cost : float [currency]  of this plan
    bound : float [currency]  no plan costs less
    gap : float [share]  (cost − bound) / cost
    """

    quantities: Floats
    setups: Any
    stock: Floats
    cost: float
    bound: float
    gap: float


def plan_capacitated_lots(demand: ArrayLike, *, capacity: Any, setup_cost: Any, holding_cost: Any,
                          setup_time: Any = 0.0, unit_time: Any = 1.0, time_limit: float = 60.0) -> CapacitatedPlan:
    """The cheapest lots when articles share a capacity and set-ups take part of it.

    Parameters
    ----------
    demand : (n, T) [unit]  of article i in period t (d)
    capacity : float or (T,) [hour/period]  shared (C)
    setup_cost, setup_time : float or (n,) [currency], [hour]  of setting an article up in a period (K, τ)
    holding_cost : float or (n,) [currency/unit/period]  (h)
    unit_time : float or (n,) [hour/unit]  (a)
    time_limit : float [s]  after which the best plan so far is given, with its bound

    Returns
    -------
    CapacitatedPlan
        The least Σ K y + h I subject to Σᵢ aᵢ Qᵢₜ + τᵢ yᵢₜ ≤ C_t and all demand served in its period.

    Raises
    ------
    UsageError  for figures below 0, or a capacity that no plan keeps, naming the first period that is short

    Notes
    -----
    Solved by HiGHS in its facility-location form, x_ist the share of demand (i, t) made in s ≤ t with x ≤ y, whose
    relaxation is tight without capacity (Krarup & Bilde 1977; Trigeiro, Thomas & McClain 1989 for the problem).
    """
    where = "plan_capacitated_lots"
    asked = np.atleast_2d(np.asarray(demand, np.float64))
    accept(where, *(series(f"demand[{i}]", row) for i, row in enumerate(asked)), positive("time_limit", time_limit))
    n, periods = asked.shape
    hours = each("capacity", capacity, periods)
    figures = {name: each(name, value, n) for name, value in (
        ("setup_cost", setup_cost), ("holding_cost", holding_cost), ("setup_time", setup_time),
        ("unit_time", unit_time))}
    accept(where, series("capacity", hours, periods), *(series(name, array, n) for name, array in figures.items()))
    work = asked * figures["unit_time"][:, None]
    short = np.cumsum(work.sum(0)) - np.cumsum(hours)
    first = int(np.argmax(short > 1e-9))
    accept(where, None if short[first] <= 1e-9 else
           fault("capacity", f"{np.cumsum(hours)[first]:g} hours up to period {first}",
                 f"must cover {np.cumsum(work.sum(0))[first]:g} hours of demand", "Raise it, or move demand."))
    found = _solve(asked, work, hours, figures, time_limit)
    if isinstance(found, CapacitatedPlan):
        return found
    raise UsageError(Fault(where, "capacity", f"{hours.sum():g} hours in all",
                           "leaves no room for the set-ups that demand needs", "Raise it, or shorten setup_time.")
                     if found == "infeasible" else
                     Fault(where, "time_limit", f"{time_limit:g} s", "was too short to find a plan", "Give more."))


def _solve(asked: Floats, work: Floats, hours: Floats, figures: dict[str, Floats],
           time_limit: float) -> CapacitatedPlan | str:
    from scipy.optimize import Bounds, LinearConstraint, milp
    from scipy.sparse import coo_array

    n, periods = asked.shape
    due, made = np.tril_indices(periods)  # period of demand, period of making
    item, due, made = np.repeat(np.arange(n), due.size), np.tile(due, n), np.tile(made, n)
    item, due, made = (index[asked[item, due] > 0] for index in (item, due, made))
    shares, setups = item.size, n * periods
    column = np.arange(shares)
    setup = shares + item * periods + made
    costs = np.concatenate([figures["holding_cost"][item] * asked[item, due] * (due - made),
                            np.repeat(figures["setup_cost"], periods)])
    demand_row, link_row = item * periods + due, np.arange(shares)
    served = coo_array((np.ones(shares), (demand_row, column)), (setups, shares + setups)).tocsr()
    wanted = np.unique(demand_row)
    linked = coo_array((np.concatenate([np.ones(shares), -np.ones(shares)]),
                        (np.concatenate([link_row, link_row]), np.concatenate([column, setup]))),
                       (shares, shares + setups)).tocsr()
    used = coo_array((np.concatenate([work[item, due], np.repeat(figures["setup_time"], periods)]),
                      (np.concatenate([made, np.tile(np.arange(periods), n)]), np.arange(shares + setups))),
                     (periods, shares + setups)).tocsr()
    found = milp(costs, integrality=np.concatenate([np.zeros(shares), np.ones(setups)]), bounds=Bounds(0, 1),
                 constraints=[LinearConstraint(served[wanted], 1, 1), LinearConstraint(linked, -np.inf, 0),
                              LinearConstraint(used, -np.inf, hours)],
                 options={"time_limit": time_limit, "mip_rel_gap": 1e-9})
    if found.x is None:
        return "infeasible" if found.status == 2 else "unfinished"
    quantities = np.zeros((n, periods))
    np.add.at(quantities, (item, made), found.x[:shares] * asked[item, due])
    on = found.x[shares:].reshape(n, periods) > 0.5
    quantities[~on] = 0.0
    stock = np.maximum(np.cumsum(quantities - asked, axis=1), 0.0)
    cost = float((on * figures["setup_cost"][:, None]).sum() + (stock * figures["holding_cost"][:, None]).sum())
    bound = min(cost, float(found.mip_dual_bound))
    return CapacitatedPlan(quantities, on, stock, cost, bound, (cost - bound) / cost if cost else 0.0)
