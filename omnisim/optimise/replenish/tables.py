"""From tables of articles, demand and limits to an instance; what cannot be meant is refused with every fault."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.optimise.replenish.instance import FAR, SUMS, Instance, Shared
from omnisim.optimise.replenish.lots import Floats, Ints
from omnisim.optimise.replenish.rows import place_of, read_table
from omnisim.optimise.replenish.way_table import read_ways
from omnisim.scenario.network import CAPITAL

if TYPE_CHECKING:
    import pandas as pd

YEAR = 365.0
HOLDING = CAPITAL
"""Yearly holding cost as a share of the cost of goods, where none is given."""
SAFETY = 0.1
"""Cost of a unit and period below safety stock, as a share of a lost sale, where none is given."""
MOST_PERIODS, MOST_CELLS, MOST_UNITS = 366, 50_000, 1_000_000
KINDS = ("budget", "total_budget", "capacity", "storage", "service")


@dataclass(frozen=True)
class Column:
    """A column of the table of articles: least and most value, what stands where it is left out, whole or not."""

    unit: str
    low: float = 0.0
    high: float = 1e9
    default: float = 0.0
    is_whole: bool = False


COLUMNS = {
    "cost": Column("currency/unit"),
    "lost": Column("currency/unit", default=math.nan),
    "price": Column("currency/unit", default=math.nan),
    "holding": Column("currency/unit/period", default=math.nan),
    "order_cost": Column("currency/order"),
    "moq": Column("unit", low=1, high=MOST_UNITS, default=1, is_whole=True),
    "batch": Column("unit", low=1, high=MOST_UNITS, default=1, is_whole=True),
    "lead_time": Column("period", high=MOST_PERIODS, is_whole=True),
    "on_hand": Column("unit", high=MOST_UNITS, is_whole=True),
    "volume": Column("volume/unit", default=1.0),
    "max_order": Column("unit", high=MOST_UNITS, default=math.nan, is_whole=True),
    "shelf_life": Column("period", high=MOST_PERIODS, is_whole=True),
    "safety": Column("unit", high=MOST_UNITS, is_whole=True),
    "safety_cost": Column("currency/unit/period", default=math.nan),
    "leftover": Column("currency/unit", default=0.0),
    "service": Column("share", default=math.nan),
}
"""Columns of the table of articles beside sku, node and source; NaN is nothing given."""


def read_instance(items: pd.DataFrame | str | Path, demand: pd.DataFrame | str | Path,
                  limits: pd.DataFrame | str | Path | None = None, *, days: float = 7.0, currency: str = "currency",
                  transfers: pd.DataFrame | str | Path | None = None) -> Instance:
    """An instance out of tables (frames, CSV or Excel files).

    Parameters
    ----------
    items : table  one row an article and node: sku, node, and of `COLUMNS` what differs from its default; `source` is
        the node that feeds this one, or empty for a supplier
    demand : table  sku, node, period (from 0), demand [unit], and where some is on its way receipt [unit]
    limits : table  limit (one of `KINDS`), node, sku, period, value; what is empty holds for all
    days : float [day]  of a period, for the default holding cost
    transfers : table  ways between nodes of one echelon, as `way_table.read_ways` tells

    Raises
    ------
    UsageError  with every fault
    StorageError  where a file cannot be read
    """
    item_rows, demand_rows = read_table(items, "items"), read_table(demand, "demand")
    limit_rows = None if limits is None else read_table(limits, "limits")
    faults = [*_missing(item_rows, "items", ("sku", "node")),
              *_missing(demand_rows, "demand", ("sku", "node", "period", "demand"))]
    if limit_rows is not None:
        faults += _missing(limit_rows, "limits", ("limit", "value"))
    faults += [Fault("items", str(name), "", "is no column of this table", f"Known: {', '.join(COLUMNS)}, source.")
               for name in item_rows.columns if name not in COLUMNS and name not in ("sku", "node", "source")]
    if not faults and not len(item_rows):
        faults.append(Fault("items", "rows", "none", "must be one an article and node", "Add some."))
    if faults:
        raise UsageError(*faults)
    keys = [(str(sku), str(node)) for sku, node in zip(item_rows["sku"], item_rows["node"], strict=True)]
    at = {key: b for b, key in enumerate(keys)}
    faults += [Fault("items", f"{sku} at {node}", "", "stands there twice", "Keep one row.")
               for (sku, node), b in at.items() if keys.index((sku, node)) != b]
    values = {}
    for name, column in COLUMNS.items():
        values[name], bad = _read_column(item_rows, name, column, keys)
        faults += bad
    feeder, bad = _feeders(item_rows, keys, at)
    faults += bad
    units, receipt, bad = _read_demand(demand_rows, keys, at)
    faults += bad
    faults += [*_contradictions(values, keys, feeder), *_selling_feeders(keys, feeder, units)]
    if faults:
        raise UsageError(*faults)
    shared, bad = _read_limits(limit_rows, keys, values, units)
    instance = _assemble(keys, values, feeder, units, receipt, shared, days, currency)
    faults += [*bad, *_beyond_limits(instance)]
    if transfers is not None:
        ways, bad = read_ways(read_table(transfers, "transfers"), keys, feeder, values["shelf_life"])
        instance = replace(instance, transfers=ways)
        faults += bad
    if faults:
        raise UsageError(*faults)
    return instance


def _assemble(keys: list[tuple[str, str]], values: dict[str, Floats], feeder: Ints, units: Ints, receipt: Ints,
              shared: list[Shared], days: float, currency: str) -> Instance:
    cost = values["cost"]
    lost = np.where(np.isnan(values["lost"]), values["price"] - cost, values["lost"])
    lost = np.where(np.isnan(lost), 0.0, lost)
    holding = np.where(np.isnan(values["holding"]), HOLDING * cost * days / YEAR, values["holding"])
    whole = {name: values[name].astype(np.int64) for name in ("on_hand", "moq", "batch", "lead_time", "safety",
                                                              "shelf_life")}
    most = np.where(np.isnan(values["max_order"]), float(FAR), values["max_order"]).astype(np.int64)
    safety_cost = np.where(np.isnan(values["safety_cost"]), SAFETY * lost, values["safety_cost"])
    return Instance(np.array([sku for sku, _ in keys], object), np.array([node for _, node in keys], object), units,
                    receipt, whole["on_hand"], whole["moq"], whole["batch"], whole["lead_time"], whole["safety"],
                    holding, lost, values["leftover"], cost, values["order_cost"], safety_cost, values["volume"], most,
                    whole["shelf_life"], feeder, tuple(shared), currency, days)


def _missing(frame: pd.DataFrame, table: str, names: tuple[str, ...]) -> list[Fault]:
    return [Fault(table, name, "", "is missing", "Add the column.") for name in names if name not in frame.columns]


def _numbers(series: Any) -> Floats:
    import pandas as pd

    return np.asarray(pd.to_numeric(series, errors="coerce"), float)


def _read_column(frame: pd.DataFrame, name: str, column: Column, keys: list[tuple[str, str]]
                 ) -> tuple[Floats, list[Fault]]:
    """Values of a column, its default where nothing stands, and what is wrong."""
    if name not in frame.columns:
        return np.full(len(keys), column.default), []
    is_empty = frame[name].isna().to_numpy()
    values = np.where(is_empty, column.default, _numbers(frame[name]))
    faults = []
    for b in np.flatnonzero(~is_empty):
        value, place = values[b], f"items, {keys[b][0]} at {keys[b][1]}"
        if name == "service":
            if not 0.0 <= value < 1.0:
                faults.append(Fault(place, "service", f"{frame[name].iloc[b]}", "must be a share from 0 up to, but not "
                                    "including, 1", "No stock serves all there may ever be; write 0.98, or 0.995."))
        elif not (math.isfinite(value) and column.low <= value <= column.high):
            faults.append(Fault(place, name, f"{frame[name].iloc[b]} {column.unit}", f"must be from {column.low:g} to "
                                f"{column.high:,.0f}", "Correct it."))
        elif column.is_whole and value != round(value):
            faults.append(Fault(place, name, f"{value:g} {column.unit}", "must be a whole number", "Round it."))
    return values, faults


def _feeders(frame: pd.DataFrame, keys: list[tuple[str, str]], at: dict[tuple[str, str], int]
             ) -> tuple[Ints, list[Fault]]:
    """The cell that feeds each cell, −1 for a supplier."""
    feeder: Ints = np.full(len(keys), -1, np.int64)
    faults = []
    if "source" in frame.columns:
        for b, source in enumerate(frame["source"]):
            if not isinstance(source, str) or not source.strip() or source == "supplier":
                continue
            sku, node = keys[b]
            place = f"items, {sku} at {node}"
            if (sku, source) not in at:
                faults.append(Fault(place, "source", source, f"is no node that stocks {sku}: no route reaches {node}",
                                    f"Add a row for {sku} at {source}, or leave source empty for a supplier."))
            elif source == node:
                faults.append(Fault(place, "source", source, "must be another node", "Leave it empty for a supplier."))
            else:
                feeder[b] = at[sku, source]
    for cell, source in enumerate(feeder):
        if source >= 0 and feeder[source] >= 0:
            sku, node = keys[cell]
            faults.append(Fault(f"items, {sku} at {node}", "source", keys[source][1], "is itself fed by another node: "
                                "two echelons are planned, not more", "Let it order from the supplier."))
    return feeder, faults


def _read_demand(frame: pd.DataFrame, keys: list[tuple[str, str]], at: dict[tuple[str, str], int]
                 ) -> tuple[Ints, Ints, list[Fault]]:
    """Demand and receipts, (cells, periods) [unit]; what is not in the table is 0."""
    period, demand = _numbers(frame["period"]), _numbers(frame["demand"])
    arriving = _numbers(frame["receipt"]) if "receipt" in frame.columns else np.zeros(len(frame))
    arriving = np.where(np.isnan(arriving), 0.0, arriving)
    cells = np.array([at.get((str(sku), str(node)), -1) for sku, node in zip(frame["sku"], frame["node"], strict=True)],
                     np.int64)
    checks = ((cells < 0, "sku", "must stand in the table of articles at this node: no route reaches it"),
              (~((period >= 0) & (period < MOST_PERIODS) & (period == np.floor(period))), "period",
               f"must be a whole number from 0 to {MOST_PERIODS - 1}"),
              (~((demand >= 0) & (demand <= MOST_UNITS) & (demand == np.floor(demand))), "demand",
               f"must be whole units from 0 to {MOST_UNITS:,}"),
              (~((arriving >= 0) & (arriving <= MOST_UNITS) & (arriving == np.floor(arriving))), "receipt",
               f"must be whole units from 0 to {MOST_UNITS:,}"))
    faults = []
    for wrong, name, rule in checks:
        for r in np.flatnonzero(wrong).tolist():
            got = f"{frame['sku'].iloc[r]} at {frame['node'].iloc[r]}" if name == "sku" else str(frame[name].iloc[r])
            fix = "Correct it, or add the article and node." if name == "sku" else "Correct it."
            faults.append(Fault(place_of(frame, "demand", r), name, got, rule, fix))
    if not faults and not len(frame):
        faults.append(Fault("demand", "rows", "none", "must be one an article, node and period", "Add some."))
    if faults:
        return np.zeros((len(keys), 1), np.int64), np.zeros((len(keys), 1), np.int64), faults
    periods = int(period.max()) + 1
    place = cells * periods + period.astype(np.int64)
    twice = np.flatnonzero(np.bincount(place) > 1)
    for p in twice:
        sku, node = keys[p // periods]
        faults.append(Fault("demand", f"{sku} at {node}, period {p % periods}", "", "stands there twice",
                            "Keep one row."))
    units, receipt = (np.bincount(place, part, len(keys) * periods).astype(np.int64).reshape(-1, periods)
                      for part in (demand, arriving))
    return units, receipt, faults


def missing_demand(frame: pd.DataFrame, instance: Instance) -> list[Fault]:
    """One warning of the periods that the table of demand leaves out, for articles at nodes of which it has others."""
    names = frame["sku"].astype(str), frame["node"].astype(str)
    given = set(zip(*names, frame["period"].astype(int), strict=True))
    left = [(sku, node, t) for sku, node in dict.fromkeys(zip(*names, strict=True)) for t in range(instance.periods)
            if (sku, node, t) not in given]
    if not left:
        return []
    sku, node, t = left[0]
    more = f", as do {len(left) - 1:,} more" if len(left) > 1 else ""
    return [Fault("demand", f"{sku} at {node}, period {t}", "no row", f"counts as a demand of 0{more}",
                  "Add what is missing; write 0 where nothing is wanted.")]


def _contradictions(values: dict[str, Floats], keys: list[tuple[str, str]], feeder: Ints) -> Iterator[Fault]:
    """What contradicts itself within a row of the table of articles."""
    feeders = set(feeder[feeder >= 0].tolist())
    for b, (sku, node) in enumerate(keys):
        place = f"items, {sku} at {node}"
        lost, price, cost = values["lost"][b], values["price"][b], values["cost"][b]
        if math.isnan(lost) and math.isnan(price) and b not in feeders:
            yield Fault(place, "lost", "", "is missing: what a lost sale costs", "Give lost, or price and cost.")
        if math.isnan(lost) and price < cost:
            yield Fault(place, "price", f"{price:g}", f"must be at least the cost of {cost:g}", "Correct one of them.")
        if values["max_order"][b] < values["moq"][b]:
            yield Fault(place, "max_order", f"{values['max_order'][b]:g} unit", "must be at least moq = "
                        f"{values['moq'][b]:g}", "Lower moq, or raise max_order.")
        if b in feeders and values["shelf_life"][b] > 0:
            yield Fault(place, "shelf_life", f"{values['shelf_life'][b]:g} period", "counts at the nodes that sell",
                        "Take it out here.")
        if feeder[b] >= 0 and values["holding"][b] < values["holding"][feeder[b]]:
            yield Fault(place, "holding", f"{values['holding'][b]:g}", "must be at least that of its source, "
                        f"{values['holding'][feeder[b]]:g}", "Goods cost more to hold near the shelf.")


def _selling_feeders(keys: list[tuple[str, str]], feeder: Ints, units: Ints) -> Iterator[Fault]:
    """Nodes that feed others and sell as well, which is two things at one place."""
    for b in np.unique(feeder[feeder >= 0]):
        if b < len(units) and units[b].any():
            yield Fault("demand", f"{keys[b][0]} at {keys[b][1]}", f"{units[b].sum()} unit", "is demand at a node that "
                        "feeds others", "Give what it sells itself a node of its own, fed by it with lead_time 0.")


def _read_limits(frame: pd.DataFrame | None, keys: list[tuple[str, str]], values: dict[str, Floats], units: Ints
                 ) -> tuple[list[Shared], list[Fault]]:
    """The shared limits of the table and the service targets of articles."""
    shared: list[Shared] = []
    faults: list[Fault] = []
    for b in np.flatnonzero(np.isfinite(values["service"])):
        sku, node = keys[b]
        members = np.arange(len(keys)) == b
        shared.append(_service(f"service of {sku} at {node}", f"items, {sku} at {node}", float(values["service"][b]),
                               members, units))
    if frame is None:
        return shared, faults
    groups: dict[tuple[str, str, str], list[tuple[int, float, float]]] = {}
    for r in range(len(frame)):
        text = [_text(frame, name, r) for name in ("limit", "node", "sku")]
        value = _numbers(frame["value"].iloc[r:r + 1])[0]
        period = _numbers(frame["period"].iloc[r:r + 1])[0] if "period" in frame.columns else math.nan
        if bad := list(_wrong_limit(text, value, period, keys, units.shape[1], place_of(frame, "limits", r))):
            faults += bad
            continue
        groups.setdefault((text[0], text[1], text[2]), []).append((r, period, value))
    for (kind, node, sku), rows in groups.items():
        members = np.array([(not node or key[1] == node) and (not sku or key[0] == sku) for key in keys])
        where = place_of(frame, "limits", rows[0][0])
        name = " of ".join(part for part in (kind.replace("_", " "), " at ".join(p for p in (sku, node) if p)) if part)
        value = np.full(1 if kind in SUMS else units.shape[1], math.nan)
        for _, period, figure in sorted(rows, key=lambda row: not math.isnan(row[1])):
            value[... if kind in SUMS or math.isnan(period) else int(period)] = figure
        if kind == "service":
            shared.append(_service(name, where, float(value[0]), members, units))
        else:
            unit = "currency" if kind in ("budget", "total_budget") else "volume"
            shared.append(Shared(name, kind, where, unit, value, members, float(np.nanmax(value))))
    return shared, faults


def _service(name: str, where: str, target: float, members: np.ndarray, units: Ints) -> Shared:
    allowed = math.floor((1.0 - target) * int(units[members].sum()) + 1e-9)
    return Shared(name, "service", where, "unit", np.array([float(allowed)]), members, target)


def _text(frame: pd.DataFrame, name: str, r: int) -> str:
    value = frame[name].iloc[r] if name in frame.columns else ""
    return value.strip() if isinstance(value, str) else "" if value is None or value != value else str(value)


def _wrong_limit(text: list[str], value: float, period: float, keys: list[tuple[str, str]], periods: int, place: str
                 ) -> Iterator[Fault]:
    """What is wrong with one row of the limits."""
    kind, node, sku = text
    if kind not in KINDS:
        yield Fault(place, "limit", kind, f"must be one of {', '.join(KINDS)}", "Correct it.")
        return
    if kind in ("capacity", "storage") and not node:
        yield Fault(place, "node", "", f"is missing: a {kind} belongs to a node", "Name the node.")
    if node and node not in {key[1] for key in keys}:
        yield Fault(place, "node", node, "is no node of the articles: no route reaches it", "Correct it.")
    if sku and sku not in {key[0] for key in keys}:
        yield Fault(place, "sku", sku, "is no article", "Correct it.")
    if kind == "service" and not 0.0 <= value < 1.0:
        yield Fault(place, "service", f"{value:g}", "must be a share from 0 up to, but not including, 1",
                    "No stock serves all there may ever be; write 0.98, or 0.995.")
    elif not (math.isfinite(value) and 0.0 <= value <= 1e15):
        yield Fault(place, "value", f"{value:g}", "must be a number ≥ 0", "Correct it.")
    if not math.isnan(period) and not (0 <= period < periods and period == int(period)):
        yield Fault(place, "period", f"{period:g}", f"must be a whole number from 0 to {periods - 1}", "Correct it.")
    if not math.isnan(period) and kind in SUMS:
        yield Fault(place, "period", f"{period:g}", f"has no meaning for {kind}, which holds over all",
                    "Leave it empty.")


def _beyond_limits(instance: Instance) -> Iterator[Fault]:
    """Smallest orders that no capacity takes, and sizes beyond what is planned."""
    for shared in instance.limits:
        if shared.kind != "capacity" or not np.isfinite(shared.value).any():
            continue
        most = float(np.nanmax(shared.value)) if np.isfinite(shared.value).all() else math.inf
        for b in np.flatnonzero(shared.members):
            need = instance.volume[b] * instance.moq[b]
            if need > most * (1.0 + 1e-9) and instance.demand[b].any():
                yield Fault(f"items, {instance.skus[b]} at {instance.nodes[b]}", "moq", f"{instance.moq[b]} unit",
                            f"needs {need:g} volume, above the {shared.name} of {most:g} in every period "
                            f"({shared.where})", "Lower moq, or raise the capacity.")
    if len(instance.skus) > MOST_CELLS:
        yield Fault("items", "rows", f"{len(instance.skus):,}", f"must be at most {MOST_CELLS:,}", "Plan in parts.")
