"""A stock plan from what the user has: tables of demand, a history to forecast from, or a scenario to simulate."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, Union

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.replenish.instance import OWN, Instance
from omnisim.optimise.replenish.planning import Wish, plan_stock
from omnisim.optimise.replenish.rows import read_table
from omnisim.optimise.replenish.tables import HOLDING, YEAR, missing_demand, read_instance
from omnisim.study.opening import Opening, start_from

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.optimise.replenish.stock_plan import StockPlan
    from omnisim.scenario.model import Scenario

Table: TypeAlias = Union["pd.DataFrame", str, Path]
MOST_GAP, MOST_SECONDS, MOST_ROUNDS = 1.0, 1e6, 10_000_000


def plan_replenishment(items: Table | None, demand: Table, limits: Table | None, wish: Wish, *,
                       transfers: Table | None = None, risk: float = 1.0, scenario: Scenario | None = None,
                       days: float = 7.0, opening: Opening | None = None,
                       progress: Callable[[int, int], None] | None = None) -> StockPlan:
    """A plan from tables; articles, and the ways between nodes, are the scenario's where no table names them.

    Parameters
    ----------
    opening : Opening  of the scenario, to start from; unless given, each rule's opening stock. A column receipt of the
        demand stands in for what it says is on its way

    Raises
    ------
    UsageError  with every fault of the tables
    InfeasibleError  naming the lines that no plan keeps together
    """
    left_out: list[Fault] = []
    if items is None:
        if scenario is None:
            raise UsageError(Fault("replenish", "items", "", "is missing", "Give a table of articles, or a scenario."))
        items, demand = part_sellers(scenario_items(scenario, days), read_table(demand, "demand"))
        if transfers is None:
            transfers, left_out = scenario_ways(scenario, items, days)
    currency = "currency" if scenario is None else scenario.currency
    rows = read_table(demand, "demand")
    if opening is not None and "receipt" in rows.columns:
        opening = replace(opening, coming={})

    def read(part: pd.DataFrame) -> Instance:
        instance = read_instance(items, part, limits, days=days, currency=currency, transfers=transfers)
        return instance if opening is None else start_from(opening, instance)

    if "scenario" not in rows.columns:
        instance = read(rows)
        plan = plan_stock(instance, wish, progress)
        return replace(plan, warnings=(*plan.warnings, *left_out, *missing_demand(rows, instance)))
    from omnisim.optimise.replenish.outlooks import plan_for_all

    parts = [part.drop(columns="scenario") for _, part in rows.groupby("scenario", sort=True)]
    outlooks = [read(part) for part in parts]
    if len({outlook.periods for outlook in outlooks}) != 1:
        raise UsageError(Fault("demand", "scenario", "", "must have the same periods in all", "Write 0 where none is."))
    plan = plan_for_all(outlooks, risk, wish)
    gaps = [gap for part, outlook in zip(parts, outlooks, strict=True) for gap in missing_demand(part, outlook)]
    return replace(plan, warnings=(*plan.warnings, *left_out, *dict.fromkeys(gaps)))


def scenario_items(scenario: Scenario, days: float) -> pd.DataFrame:
    """The articles of a scenario where they stand, as a table; lead times in periods, rounded up.

    Delays of deliveries and express orders are left out.
    """
    import pandas as pd

    supply = scenario.supply
    if supply.nodes:
        return pd.DataFrame([_item(scenario, place, sku, days) for place, node in supply.nodes.items()
                             for sku in node.stock])
    return pd.DataFrame([{
        "sku": sku, "node": supply.warehouse, "cost": product.cost, "price": product.price, "moq": supply.moq,
        "lead_time": math.ceil(supply.lead_time / days), "on_hand": product.base_stock}
        for sku, product in scenario.products.items()])


def scenario_ways(scenario: Scenario, items: pd.DataFrame, days: float) -> tuple[pd.DataFrame | None, list[Fault]]:
    """The scenario's routes between nodes of one echelon, as a table, or None; and what is said of routes left out.

    Parameters
    ----------
    items : table  as `scenario_items` gives it
    days : float [day]  of a period; lead times are rounded up
    """
    import pandas as pd

    from omnisim.scenario.network import feeding, transfers

    supply, own = scenario.supply, transfers(scenario)
    sources = items["source"] if "source" in items.columns else [""] * len(items)
    fed_by = {(str(sku), str(node)): str(source)
              for sku, node, source in zip(items["sku"], items["node"], sources, strict=True)}
    feeds = {(sku, source) for (sku, _), source in fed_by.items() if source}
    rows: list[dict[str, object]] = []
    faults = []
    for number, route in enumerate(supply.routes):
        if route.source not in supply.nodes:
            continue
        for sku in supply.nodes[route.target].stock:
            if sku not in supply.nodes[route.source].stock or feeding(scenario, route.target, sku) is route:
                continue
            place, way = f"supply.routes[{number}]", f"{route.source} → {route.target}"
            one, other = (sku, route.source), (sku, route.target)
            if scenario.products[sku].shelf_life is not None:
                faults.append(Fault(place, way, sku, "is left out of the plan: it has a shelf life, and its age is not "
                                    "followed from node to node", "Move it by hand where it pays."))
            elif one in feeds or other in feeds or fed_by[one] != fed_by[other]:
                faults.append(Fault(place, way, sku, "is left out of the plan, which moves goods only between nodes "
                                    "that get them from the same place and feed no other", "Move it by hand where it "
                                    "pays."))
            elif not any(one is route for one in own):
                faults.append(Fault(place, way, sku, "is left out of the plan: the route feeds other articles, and a "
                                    "run moves stock only on routes that feed none", "Move it by hand where it pays."))
            else:
                rows.append({"sku": sku, "source": route.source, "target": route.target, "cost": route.cost,
                             "lead_time": math.ceil(route.lead_time / days)})
    return (pd.DataFrame(rows) if rows else None), faults


def part_sellers(items: pd.DataFrame, demand: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """What a node that feeds others sells itself, as a node of its own that it feeds at once and at no cost."""
    import pandas as pd

    if "source" not in items.columns:
        return items, demand
    feeding = set(zip(items["sku"], items["source"], strict=True))
    both = pd.Series([key in feeding for key in zip(demand["sku"], demand["node"], strict=True)], index=demand.index)
    own = demand["node"].astype(str) + OWN
    feeds = pd.Series([key in feeding for key in zip(items["sku"], items["node"], strict=True)], index=items.index)
    sellers = items[feeds]
    added = sellers.assign(source=sellers["node"], node=sellers["node"].astype(str) + OWN, lead_time=0, order_cost=0.0,
                           moq=1, on_hand=0)
    items = items.assign(shelf_life=items["shelf_life"].where(~feeds, 0))  # it counts where goods are sold
    return pd.concat([items, added], ignore_index=True), demand.assign(node=demand["node"].where(~both, own))


def _item(scenario: Scenario, place: str, sku: str, days: float) -> dict[str, object]:
    """One article at one node."""
    from omnisim.scenario.network import feeding, landed_cost, supplier_of

    node, product, route = scenario.supply.nodes[place], scenario.products[sku], feeding(scenario, place, sku)
    rule, cost = node.stock[sku], landed_cost(scenario, sku) / 100.0
    is_fed = route is not None and route.source in scenario.supply.nodes
    maker = None if is_fed else scenario.supply.suppliers.get(supplier_of(scenario, sku) or "")
    level = rule.reorder_point + rule.lot if rule.rule == "reorder_point" else rule.level
    lead = (0 if route is None else route.lead_time) + (0 if maker is None else maker.lead_time)
    return {"sku": sku, "node": place, "source": route.source if is_fed and route is not None else "", "cost": cost,
            "lost": max(product.price - cost, 0.0), "holding": HOLDING * cost * days / YEAR
            + node.storage_cost * days / 30.0, "order_cost": 0.0 if maker is None else maker.order_cost,
            "moq": 1 if maker is None else maker.moq, "lead_time": math.ceil(lead / days),
            "on_hand": level if rule.opening is None else rule.opening,
            "shelf_life": 0 if product.shelf_life is None else max(1, int(product.shelf_life // days))}


def simulated_demand(stock: pd.DataFrame, days: int) -> pd.DataFrame:
    """Demand by period out of the `stock` table of a run: sku, node, period, demand; a broken last period is left out.

    Raises
    ------
    UsageError  where the run is shorter than one period
    """
    import pandas as pd

    dates = pd.to_datetime(stock["date"])
    day = (dates - dates.min()).dt.days.to_numpy()
    periods = (int(day.max()) + 1) // days
    if periods == 0:
        raise UsageError(Fault("horizon", "days", str(int(day.max()) + 1), f"must hold one period of {days} days",
                               "Lengthen the horizon."))
    kept = stock[day < periods * days].assign(period=day[day < periods * days] // days)
    total = kept.groupby(["sku", "node", "period"], sort=False)["demand"].sum().reset_index()
    return total.astype({"demand": np.int64})


def forecast_table(history: Table, periods: int) -> pd.DataFrame:
    """Expected demand of the periods after a history: sku, node, period, demand, whole units that sum as expected.

    Parameters
    ----------
    history : table  sku, node, period, demand
    periods : int  to forecast

    Raises
    ------
    UsageError  for a history that cannot be forecast from
    """
    from omnisim.supply.forecast import forecast_demand

    rows = read_table(history, "history")
    wide = rows.pivot_table(index=["sku", "node"], columns="period", values="demand", aggfunc="sum", sort=False)
    mean = forecast_demand(wide.to_numpy(float), horizon=periods, season=1).mean
    whole = np.diff(np.rint(np.concatenate([np.zeros((len(mean), 1)), mean.cumsum(axis=1)], axis=1)), axis=1)
    index = wide.index.to_frame(index=False)
    table = index.loc[index.index.repeat(periods)].reset_index(drop=True)
    return table.assign(period=np.tile(np.arange(periods), len(index)), demand=whole.astype(np.int64).ravel())


def check_wish(gap: float, time_limit: float, rounds: int | None, days: float, risk: float) -> None:
    """Refuse what cannot be meant.

    Raises
    ------
    UsageError  with every fault
    """
    faults = []
    for name, value, least, most in (("gap", gap, 0.0, MOST_GAP), ("time_limit", time_limit, 0.0, MOST_SECONDS),
                                     ("days", days, 0.0, 366.0), ("risk", risk, 0.0, 1.0)):
        if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= most \
                or (value == 0.0 and name != "gap"):
            word = "from" if name == "gap" else "above"
            faults.append(Fault("replenish", name, repr(value), f"must be a number {word} {least:g} to {most:g}",
                                "Correct it."))
    is_whole = isinstance(rounds, int) and not isinstance(rounds, bool)
    if rounds is not None and not (is_whole and 0 <= rounds <= MOST_ROUNDS):
        faults.append(Fault("replenish", "rounds", repr(rounds), f"must be a whole number from 0 to {MOST_ROUNDS:,}",
                            "Leave it out to search until the time limit."))
    if faults:
        raise UsageError(*faults)
