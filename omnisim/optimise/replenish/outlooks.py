"""Several demands that may come: one plan for all, judged by the mean of its costs or of the worst share of them.

The orders are given before demand is known. Candidates are the plans for demand as expected and for several quantiles
of it; each is paid for in every outlook, and the best is kept. The bound is that of somebody who knows what comes
(clairvoyant): the same mean or tail mean of the bounds of all outlooks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.replenish.bound import relax
from omnisim.optimise.replenish.check import account
from omnisim.optimise.replenish.instance import Instance, to_lots
from omnisim.optimise.replenish.planning import Wish, first_prices, plan_stock
from omnisim.optimise.replenish.stock_plan import Outlook, StockPlan, tail_mean

QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of demand in each cell and period, that candidates plan for."""
BOUNDING = 0.4
"""Share of the time for the bounds."""


def plan_for_all(outlooks: list[Instance], share: float, wish: Wish) -> StockPlan:
    """One plan for equally likely outlooks, which differ in demand alone.

    Raises
    ------
    UsageError  for limits that depend on what is sold: storage and service
    """
    bad = [shared for shared in outlooks[0].limits if shared.kind in ("storage", "service")]
    if bad:
        raise UsageError(*(Fault(shared.where, shared.name, f"{shared.asked:g}", "depends on demand, which is not "
                                 "known with several outlooks", "Leave it out, or plan for one demand.")
                           for shared in bad))
    if outlooks[0].has_transfers:
        raise UsageError(Fault("transfers", "ways", f"{len(outlooks[0].transfers.source)}", "cannot be planned for "
                               "several demands: what can be sent depends on what was sold", "Leave them out, or plan "
                               "for one demand."))
    begin = wish.clock()
    bounds = []
    for number, outlook in enumerate(outlooks):
        lots, rows = to_lots(outlook)
        ends = BOUNDING * wish.time_limit * (number + 1) / len(outlooks)
        found = relax(lots, rows, is_late=lambda ends=ends: wish.clock() - begin > ends,  # type: ignore[misc]
                      start=first_prices(outlook, lots, rows))
        bounds.append(found.bound)
    demands = np.stack([outlook.demand for outlook in outlooks])
    candidates = {"its mean": np.rint(demands.mean(axis=0)).astype(np.int64)}
    for q in QUANTILES:
        candidates[f"its {q:.0%} quantile"] = np.quantile(demands, q, axis=0, method="higher").astype(np.int64)
    best: tuple[float, StockPlan, Outlook] | None = None
    for number, (name, demand) in enumerate(candidates.items()):
        left = wish.time_limit - (wish.clock() - begin)
        part = max(left / (len(candidates) - number), 1e-3)
        plan = plan_stock(replace(outlooks[0], demand=demand), replace(wish, time_limit=part))
        cost = np.array([account(outlook, plan.order).total for outlook in outlooks])
        value = tail_mean(cost, share)
        if best is None or value < best[0]:
            best = value, plan, Outlook(cost, np.array(bounds), share, name)
    assert best is not None
    _, plan, seen = best
    return replace(plan, outlook=seen, instance=outlooks[0], account=account(outlooks[0], plan.order),
                   bound=tail_mean(seen.bound, share), seconds=wish.clock() - begin,
                   warnings=_warnings(plan, seen))


def _warnings(plan: StockPlan, outlook: Outlook) -> tuple[Fault, ...]:
    late = tuple(fault for fault in plan.warnings if fault.what == "time_limit")
    return (*late, Fault("replenish", "bound", f"{tail_mean(outlook.bound, outlook.share):,.2f}", "is that of somebody "
                         "who knows what comes: part of the gap is the price of not knowing", "Take it as a limit."))
