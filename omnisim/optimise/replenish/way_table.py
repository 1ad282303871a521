"""From a table of ways between nodes to transfers: pairs of cells that may send to each other."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from omnisim.errors import Fault
from omnisim.optimise.replenish.instance import Transfers
from omnisim.optimise.replenish.lots import Floats, Ints
from omnisim.optimise.replenish.rows import place_of

if TYPE_CHECKING:
    import pandas as pd

KNOWN = ("source", "target", "sku", "cost", "lead_time")
"""Columns of the table of ways."""
MOST_LEAD, MOST_COST = 366, 1e9


def read_ways(frame: pd.DataFrame, keys: list[tuple[str, str]], feeder: Ints, life: Floats
              ) -> tuple[Transfers, list[Fault]]:
    """Transfers and what is wrong with the table.

    Parameters
    ----------
    frame : table  source, target, and where they differ from their defaults sku (all that stand at both), cost
        [currency/unit], lead_time [period]
    keys : list of (sku, node)
    feeder : (cells,) int  cell that feeds each cell; −1 for a supplier
    life : (cells,) float [period]  shelf life; 0 for any
    """
    faults = [Fault("transfers", str(name), "", "is no column of this table", f"Known: {', '.join(KNOWN)}.")
              for name in frame.columns if name not in KNOWN]
    faults += [Fault("transfers", name, "", "is missing", "Add the column.") for name in ("source", "target")
               if name not in frame.columns]
    if faults:
        return _none(), faults
    at = {key: b for b, key in enumerate(keys)}
    feeders = set(feeder[feeder >= 0].tolist())
    found: dict[tuple[int, int], tuple[int, float]] = {}
    for r in range(len(frame)):
        place = place_of(frame, "transfers", r)
        source, target, sku = (_text(frame, name, r) for name in ("source", "target", "sku"))
        way = f"{source} → {target}"
        lead, cost = (_number(frame, name, r) for name in ("lead_time", "cost"))
        bad = list(_wrong_row(place, (source, target, sku), (lead, cost), keys))
        pairs = [(at[one, source], at[one, target]) for one in dict.fromkeys(key[0] for key in keys)
                 if (one, source) in at and (one, target) in at and sku in ("", one)]
        if not bad and not pairs:
            bad.append(Fault(place, "way", way, f"has no article that stands at both{' called ' + sku if sku else ''}",
                             "Add it to the articles at both nodes, or take the row out."))
        for a, b in pairs if not bad else ():
            bad += _wrong_pair(place, way, (a, b), keys, feeder, feeders, life)
            if (a, b) in found:
                bad.append(Fault(place, "way", way, f"stands there twice for {keys[a][0]}", "Keep one row."))
            found[a, b] = int(lead) if lead == lead else 0, cost if cost == cost else 0.0
        faults += bad
    if faults or not found:
        return _none(), faults
    pairs_of = np.array(list(found), np.int64)
    return Transfers(pairs_of[:, 0].copy(), pairs_of[:, 1].copy(), np.array([lead for lead, _ in found.values()],
                                                                            np.int64),
                     np.array([cost for _, cost in found.values()], float)), faults


def _none() -> Transfers:
    return Transfers(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0))


def _wrong_row(place: str, names: tuple[str, str, str], numbers: tuple[float, float], keys: list[tuple[str, str]]
               ) -> Iterator[Fault]:
    source, target, sku = names
    lead, cost = numbers
    nodes = {key[1] for key in keys}
    for name, node in (("source", source), ("target", target)):
        if node not in nodes:
            yield Fault(place, name, node, "is no node of the articles: no route reaches it", "Correct it.")
    if source == target:
        yield Fault(place, "target", target, "must be another node than the source", "Correct it.")
    if sku and sku not in {key[0] for key in keys}:
        yield Fault(place, "sku", sku, "is no article", "Correct it, or leave it empty for all.")
    if not math.isnan(lead) and not (0 <= lead <= MOST_LEAD and lead == int(lead)):
        yield Fault(place, "lead_time", f"{lead:g} period", f"must be a whole number from 0 to {MOST_LEAD}",
                    "Correct it.")
    if not math.isnan(cost) and not 0.0 <= cost <= MOST_COST:
        yield Fault(place, "cost", f"{cost:g} currency/unit", f"must be from 0 to {MOST_COST:,.0f}", "Correct it.")


def _wrong_pair(place: str, way: str, pair: tuple[int, int], keys: list[tuple[str, str]], feeder: Ints,
                feeders: set[int], life: Floats) -> Iterator[Fault]:
    a, b = pair
    sku = keys[a][0]
    if a in feeders or b in feeders:
        node = keys[a if a in feeders else b][1]
        yield Fault(place, "way", way, f"is no way within one echelon: {node} feeds other nodes with {sku}",
                    "Say in the articles, by source, who feeds whom; take this row out.")
    elif feeder[a] != feeder[b]:
        yield Fault(place, "way", way, f"is no way within one echelon: the two get {sku} from different places",
                    "Let both have the same source, or take the row out.")
    if life[a] > 0 or life[b] > 0:
        yield Fault(place, "way", way, f"carries {sku}, which has a shelf life: its age is not followed from node to "
                    "node", "Take out shelf_life, or the row.")


def _text(frame: pd.DataFrame, name: str, r: int) -> str:
    value: Any = frame[name].iloc[r] if name in frame.columns else ""
    return value.strip() if isinstance(value, str) else "" if value is None or value != value else str(value)


def _number(frame: pd.DataFrame, name: str, r: int) -> float:
    """A number of a row; NaN where none stands, infinite where it is none."""
    text = _text(frame, name, r)
    if not text:
        return math.nan
    try:
        value = float(text)
    except ValueError:
        return math.inf
    return value if value == value else math.inf
