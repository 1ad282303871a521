"""Serving regions from nodes: the cheapest plan as a linear program, and what another unit of stock is worth."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from omnisim.errors import Fault, UsageError
from omnisim.supply.classics.inputs import Floats, accept, each, fault, series


class Service(NamedTuple):
    """Who is served from where, and the worth of stock and demand at the margin.

    Parameters
    ----------
    shipped : float (nodes, regions) [unit]
    unserved : float (regions,) [unit]
    cost : float [currency]  of shipping and of demand not served
    stock_worth : float (nodes,) [currency/unit]  what another unit at the node would save
    demand_cost : float (regions,) [currency/unit]  what another unit of demand would cost
    """

    shipped: Floats
    unserved: Floats
    cost: float
    stock_worth: Floats
    demand_cost: Floats


def serve_regions(stock: ArrayLike, demand: ArrayLike, costs: ArrayLike, *,
                  unserved_cost: Any = None) -> Service:
    """The cheapest way to serve every region from stock at several nodes.

    Parameters
    ----------
    stock : (nodes,) [unit]
    demand : (regions,) [unit]
    costs : (nodes, regions) [currency/unit]  of serving a region from a node; inf where no route leads
    unserved_cost : float or (regions,) [currency/unit]  of a unit not served; None if all must be served

    Returns
    -------
    Service

    Raises
    ------
    UsageError  for a region that no route reaches or stock that does not suffice, if all must be served

    Notes
    -----
    The transportation problem (Hitchcock 1941), solved by HiGHS; its duals are the worths. At a corner several duals
    are right: each lies between what a unit less costs and what a unit more saves.

    Examples
    --------
    >>> serve_regions([5, 5], [4, 4], [[1, 9], [2, 3]]).cost
    16.0
    """
    where = "serve_regions"
    price = np.atleast_2d(np.asarray(costs, np.float64))
    accept(where, series("stock", stock, price.shape[0]), series("demand", demand, price.shape[1]),
           None if (price[np.isfinite(price)] >= 0).all() and not np.isnan(price).any() else
           fault("costs", f"{np.nanmin(price):g}", "must be ≥ 0, or inf where no route leads", "Correct it."))
    have, want = np.asarray(stock, np.float64), np.asarray(demand, np.float64)
    nodes, regions = price.shape
    open_ = np.isfinite(price)
    if unserved_cost is None:
        cut = np.flatnonzero(~open_.any(0) & (want > 0))
        accept(where, *(fault(f"demand[{j}]", f"{want[j]:g} units", "is reached by no route",
                              "Add a route, or give unserved_cost.") for j in cut),
               None if want.sum() <= have.sum() else
               fault("stock", f"{have.sum():g} units", f"must cover demand of {want.sum():g}",
                     "Add stock, or give unserved_cost."))
        missed = np.full(regions, np.inf)
    else:
        missed = each("unserved_cost", unserved_cost, regions)
        accept(where, series("unserved_cost", missed, regions))
    from scipy.optimize import linprog
    from scipy.sparse import coo_array

    node, region = np.nonzero(open_)
    lost = np.flatnonzero(np.isfinite(missed))
    arcs, columns = node.size, node.size + lost.size
    leaves = coo_array((np.ones(arcs), (node, np.arange(arcs))), (nodes, columns)).tocsr()
    reaches = coo_array((np.ones(columns), (np.concatenate([region, lost]), np.arange(columns))),
                        (regions, columns)).tocsr()
    found = linprog(np.concatenate([price[open_], missed[lost]]), A_ub=leaves, b_ub=have, A_eq=reaches, b_eq=want,
                    method="highs-ds")
    if found.status != 0:
        raise UsageError(Fault(where, "stock", str(have.tolist()), "cannot reach all demand by the routes there are",
                               "Add a route or stock, or give unserved_cost."))
    shipped = np.zeros((nodes, regions))
    shipped[node, region] = found.x[:arcs]
    unserved = np.zeros(regions)
    unserved[lost] = found.x[arcs:]
    return Service(shipped, unserved, float(found.fun), np.maximum(-found.ineqlin.marginals, 0.0),
                   np.asarray(found.eqlin.marginals, np.float64))
