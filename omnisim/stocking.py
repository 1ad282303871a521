"""The verb replenish, a part of the door with a file of its own: stock by article, node and period, with a proof."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from omnisim import door
from omnisim.errors import Fault, UsageError
from omnisim.machine import available_threads

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.optimise.replenish.stock_plan import StockPlan
    from omnisim.scenario.model import Scenario


def replenish(scenario: Scenario | None = None, *, items: pd.DataFrame | str | Path | None = None,
              demand: pd.DataFrame | str | Path | None = None, history: pd.DataFrame | str | Path | None = None,
              limits: pd.DataFrame | str | Path | None = None,
              transfers: pd.DataFrame | str | Path | None = None, periods: int | None = None, days: int = 7,
              gap: float = 1e-3, time_limit: float = 60.0, rounds: int | None = None, risk: float = 1.0, seed: int = 1,
              progress: door.Progress | None = None) -> StockPlan:
    """What to order of which article, where and when, with a proof.

    Parameters
    ----------
    scenario : Scenario  its articles, with the stock that its warm-up leaves on the first reported morning, on hand and
        on its way; and its demand as simulated where no other is given. Or none, with tables alone
    items : table  one row an article and node: sku, node, and what differs from its default of cost, lost (or price),
        holding, order_cost, moq, batch, lead_time, on_hand, volume, max_order, shelf_life, safety, safety_cost,
        leftover, service, source (the node that feeds this one; empty for a supplier)
    demand : table  sku, node, period (from 0), demand, and where goods are on their way receipt [unit], in the place of
        what the scenario says is; with a column scenario several demands that may come, all equally likely
    history : table  sku, node, period, demand of the past, to forecast `periods` from
    limits : table  limit (budget, total_budget, capacity, storage, service), node, sku, period, value
    transfers : table  ways by which nodes of one echelon may send to each other: source, target, and where they differ
        from their defaults sku (all that stand at both), cost [currency/unit], lead_time [period]; a scenario's are
        its routes between such nodes
    periods : int  to plan; those of the table or of the horizon unless given
    days : int [day]  of a period
    gap : float  to stop at, (cost − bound) / cost
    time_limit : float [second]
    rounds : int  ends the search after so many steps an article and node: the same plan on every machine; unless given,
        the time limit ends it
    risk : float  with several demands, the share of the worst of them whose mean cost counts (CVaR); 1 for all
    seed : int  luck of the simulation and of the search
    progress : callable  told what is done and to do

    Returns
    -------
    StockPlan, whose cost is what planning can change: orders, holding, lost sales, safety, leftover

    Raises
    ------
    UsageError  for arguments and tables that cannot be meant
    InfeasibleError  for limits that no plan keeps together, naming them and the smallest change that helps
    NotFoundError  where no plan was found in the time, nor a proof that there is none

    Examples
    --------
    >>> import pandas as pd
    >>> import omnisim as om
    >>> items = pd.DataFrame({"sku": ["tea"], "node": ["shop"], "lost": [9.0], "holding": [1.0], "order_cost": [30.0]})
    >>> demand = pd.DataFrame({"sku": "tea", "node": "shop", "period": range(4), "demand": [20, 20, 10, 5]})
    >>> om.replenish(items=items, demand=demand).table["order"].tolist()
    [20, 35, 0, 0]
    """
    from omnisim.optimise.replenish.planning import Wish
    from omnisim.study.opening import opening_of
    from omnisim.study.stocking import check_wish, forecast_table, plan_replenishment, simulated_demand

    check_wish(gap, time_limit, rounds, days, risk)
    if scenario is not None:
        _check_scenario(scenario)
    if isinstance(seed, bool) or not isinstance(seed, int) or not 0 <= seed < 2**32:
        raise UsageError(Fault("replenish", "seed", repr(seed), "must be a whole number from 0 to 4,294,967,295",
                               "Correct it."))
    given = (demand is not None) + (history is not None)
    if given > 1 or (not given and scenario is None):
        raise UsageError(Fault("replenish", "demand", "", "must come from one place", "Give demand, or history, or a "
                               "scenario alone."))
    if history is not None:
        if periods is None:
            raise UsageError(Fault("replenish", "periods", "", "is missing", "Say how many periods to forecast."))
        demand = forecast_table(history, periods)
    opening = None
    if scenario is not None and items is None:
        opening = opening_of(door.warmed(scenario, seed, 0, available_threads(), "none", progress,
                                         again=demand is None))
    if demand is None and scenario is not None:
        demand = simulated_demand(door.run(scenario, seed=seed, orders="none", progress=progress).stock, days)
    if demand is not None and periods is not None:
        from omnisim.optimise.replenish.rows import read_table

        demand = read_table(demand, "demand")
        demand = demand[demand["period"] < periods] if "period" in demand.columns else demand
    assert demand is not None
    wish = Wish(gap, time_limit, rounds, seed)
    return plan_replenishment(items, demand, limits, wish, transfers=transfers, risk=risk, scenario=scenario, days=days,
                              opening=opening, progress=progress)


def _check_scenario(scenario: object) -> None:
    from omnisim.scenario.model import Scenario

    if not isinstance(scenario, Scenario):
        raise UsageError(Fault("replenish", "scenario", type(scenario).__name__, "must be a Scenario",
                               "Use om.replenish(om.load(path)); name tables as items=, demand=."))
