"""Several demands that may come: one plan for all, judged by the mean of its costs or of the worst share of them.

The orders are given before demand is known. Candidates are the plans for demand as expected, for several quantiles of
it, for the mean of the outlooks that cost most, and for quantiles half-way between the best one and its neighbours;
each is paid for in every outlook, and the best is kept: no better plan outside of these is looked for. The bound is
that of somebody who knows what comes (clairvoyant): the same mean or tail mean of the bounds of all outlooks.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.replenish.bound import relax
from omnisim.optimise.replenish.check import account
from omnisim.optimise.replenish.instance import Instance, to_lots
from omnisim.optimise.replenish.lots import Ints
from omnisim.optimise.replenish.planning import Wish, first_prices, plan_stock
from omnisim.optimise.replenish.stock_plan import Outlook, StockPlan, tail_mean

QUANTILES = (0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Of demand in each cell and period, that candidates plan for."""
HALVINGS = 2
"""How often the best quantile is looked for between its neighbours."""
CANDIDATES = 2 + len(QUANTILES) + 2 * HALVINGS
"""Plans that are tried, at most."""
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
    tried: list[tuple[float, StockPlan, Outlook]] = []

    def attempt(name: str, demand: Ints) -> float:
        """The plan for one demand, paid for in all outlooks; what it comes to."""
        left = wish.time_limit - (wish.clock() - begin)
        part = max(left / max(CANDIDATES - len(tried), 1), 1e-3)
        plan = plan_stock(replace(outlooks[0], demand=demand), replace(wish, time_limit=part))
        cost = np.array([account(outlook, plan.order).total for outlook in outlooks])
        tried.append((tail_mean(cost, share), plan, Outlook(cost, np.array(bounds), share, name)))
        return tried[-1][0]

    def attempt_quantile(q: float) -> float:
        return attempt(f"its {q:.1%} quantile", np.quantile(demands, q, axis=0, method="higher").astype(np.int64))

    worst = np.argsort(bounds)[::-1][:max(1, round(share * len(outlooks)))]
    attempt("its mean", np.rint(demands.mean(axis=0)).astype(np.int64))
    attempt("the mean of its dearest outlooks", np.rint(demands[worst].mean(axis=0)).astype(np.int64))
    value = {q: attempt_quantile(q) for q in QUANTILES}
    for _ in range(HALVINGS):
        known = sorted(value)
        at = known.index(min(known, key=value.__getitem__))
        for other in {max(at - 1, 0), min(at + 1, len(known) - 1)} - {at}:
            middle = 0.5 * (known[at] + known[other])
            value[middle] = attempt_quantile(middle)
    _, plan, seen = min(tried, key=lambda one: one[0])
    return replace(plan, outlook=seen, instance=outlooks[0], account=account(outlooks[0], plan.order),
                   bound=tail_mean(seen.bound, share), seconds=wish.clock() - begin,
                   warnings=_warnings(plan, seen))


def _warnings(plan: StockPlan, outlook: Outlook) -> tuple[Fault, ...]:
    late = tuple(fault for fault in plan.warnings if fault.what == "time_limit")
    return (*late, Fault("replenish", "plan", f"the best of at most {CANDIDATES}", "is chosen among plans for one "
                         "demand each: a plan made for all demands together may cost less", "Take the gap as an upper "
                         "limit."),
            Fault("replenish", "bound", f"{tail_mean(outlook.bound, outlook.share):,.2f}", "is that of somebody "
                         "who knows what comes: part of the gap is the price of not knowing", "Take it as a limit."))
