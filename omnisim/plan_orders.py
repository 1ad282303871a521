"""A plan's orders as a table, and whether a scenario's back end can take them."""

from __future__ import annotations

import csv
import difflib
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from omnisim.errors import Fault, UsageError
from omnisim.plan import Order, Plan
from omnisim.scenario import network
from omnisim.scenario.load import read_bytes
from omnisim.scenario.model import Scenario
from omnisim.scenario.write import replace_file

COLUMNS = ("day", "sku", "node", "units", "source")
"""Of a table of orders; source may be left out."""
MOST_BYTES = 50_000_000


def save_orders(orders: Sequence[Order], path: Path) -> None:
    """Write a CSV table of orders, whole or not at all.

    Raises
    ------
    StorageError  where it cannot be written
    """
    text = io.StringIO()
    rows = csv.writer(text, lineterminator="\n")
    rows.writerows([COLUMNS, *([getattr(one, name) for name in COLUMNS] for one in orders)])
    replace_file(path, text.getvalue())


def read_orders(name: str, plan: Path) -> tuple[Order, ...]:
    """Orders from a CSV table, named in a plan file beside it: columns day, sku, node, units and, where wanted, source.

    Raises
    ------
    UsageError  with every fault by its row
    StorageError  where it cannot be read
    """
    if Path(name).name != name or "\\" in name:
        raise UsageError(Fault(str(plan), "orders", name, "must be the name of a table beside this file",
                               "Put it there, and name it without folders."))
    path = plan.parent / name
    raw = read_bytes(path, str(path), where=str(path), most=MOST_BYTES)
    if len(raw) > MOST_BYTES:
        raise UsageError(Fault(str(path), "size", f"over {MOST_BYTES:,} bytes", "must be at most 50 MB", "Split it."))
    try:
        lines = list(csv.reader(raw.decode("utf-8-sig").splitlines()))
    except (UnicodeDecodeError, csv.Error) as error:
        raise UsageError(Fault(str(path), "orders", str(error), "must be a table", "Save it as UTF-8 CSV.")) from None
    head = lines[0] if lines else []
    faults = [Fault(str(path), name, "", "is missing", "Add the column.") for name in COLUMNS[:4] if name not in head]
    faults += [Fault(str(path), name, "", "is no column of this table", f"Known: {', '.join(COLUMNS)}.")
               for name in head if name not in COLUMNS or head.count(name) > 1]
    found = []
    for number, cells in enumerate(lines[1:] if not faults else (), 1):
        row = dict(zip(head, cells, strict=False))
        if len(cells) != len(head):
            faults.append(Fault(str(path), f"row {number}", f"{len(cells)} cells", f"must have {len(head)}",
                                "Correct it."))
        elif bad := [name for name in ("day", "units") if not (row[name].isascii() and row[name].isdigit())
                     or len(row[name]) > 10]:
            faults += [Fault(str(path), f"row {number}, {name}", row[name], "must be a whole number ≥ 0", "Correct it.")
                       for name in bad]
        else:
            found.append(Order(int(row["day"]), row["sku"], row["node"], int(row["units"]), row.get("source", "")))
    if faults:
        raise UsageError(*faults)
    return tuple(found)


def unfit_orders(plan: Plan, scenario: Scenario) -> Iterator[Fault]:
    """Orders that this scenario's back end cannot take, each by its row."""
    supply = scenario.supply
    if plan.orders and supply.unlimited:
        yield Fault("plan", "orders", f"{len(plan.orders)} rows", "do nothing where stock is unlimited",
                    "Set supply.unlimited to false.")
        return
    lanes: dict[tuple[str, str], dict[str, int]] = {}
    for row, one in enumerate(plan.orders, 1):
        where = f"orders, row {row}"
        faults = [*known(f"{where}, sku", (one.sku,), scenario.products, got=True),
                  *known(f"{where}, node", (one.node,), supply.places, got=True)]
        if not faults and supply.nodes and one.sku not in supply.nodes[one.node].stock:
            faults.append(Fault("plan", f"{where}, node", one.node, f"does not hold {one.sku}",
                                f"Add it to supply.nodes.{one.node}.stock, or correct the row."))
        if one.day >= scenario.horizon.days:
            faults.append(Fault("plan", f"{where}, day", str(one.day), f"must lie within the {scenario.horizon.days} "
                                "reported days", "Drop the row."))
        if faults:
            yield from faults
            continue
        sources = lanes.get((one.sku, one.node))
        if sources is None:
            sources = lanes[one.sku, one.node] = _sources(scenario, one.sku, one.node)
        if one.source not in sources:
            choices = ", ".join(name for name in sources if name) or "none: leave it empty"
            yield Fault("plan", f"{where}, source", one.source, f"does not supply {one.node} with {one.sku}",
                        f"Choose from {choices}, or add a route.")
        elif 0 < one.units < sources[one.source]:
            yield Fault("plan", f"{where}, units", f"{one.units:,} unit", f"must be at least the supplier's moq, "
                        f"{sources[one.source]:,}", "Order more, or nothing (0).")


def _sources(scenario: Scenario, sku: str, node: str) -> dict[str, int]:
    """Where a node can get an article from, and the smallest order there; "" for the source that feeds it."""
    supply = scenario.supply
    route = network.feeding(scenario, node, sku)
    if route is None:
        return {"": supply.moq}
    maker = supply.suppliers.get(route.source)
    found = {"": maker.moq if maker else 1, route.source: maker.moq if maker else 1}
    return found | {one.source: 1 for one in network.transfers(scenario)
                    if one.target == node and sku in supply.nodes[one.source].stock}


def known(part: str, names: Iterable[str], known: Iterable[str], *, got: bool = False) -> Iterator[Fault]:
    """Names that the scenario does not have; `got` where the part is a field that holds the name."""
    choices = list(known)
    for name in names:
        if name not in choices:
            close = difflib.get_close_matches(name, choices, n=1)
            yield Fault("plan", part if got else f"{part}.{name}", name if got else "", "is not in the scenario",
                        f"Did you mean {close[0]}?" if close else f"Choose from {', '.join(choices)}.")
