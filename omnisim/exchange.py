"""What market and supply hand to each other at the end of a day: orders one way, what becomes of them the other."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnisim.books import WAITS
from omnisim.market.market import Demand, Market
from omnisim.supply.backend import Backend, Settled

Rows = NDArray[np.void]
ON_THE_WAY = 8
"""Added to the ordinal of an order, for the one that it led to in a store."""


def give_out(demand: Demand, market: Market, backend: Backend, day: int) -> tuple[Demand, list[Rows]]:
    """Settle all orders of the day, with those that waited and those placed on the way.

    Returns
    -------
    all these orders, and what becomes of each (VERDICT), part by part
    """
    late = backend.serve_waiting(day)
    order, claims = demand.in_order(market.consumers)
    settled = backend.settle(claims)
    rows = np.concatenate(demand.parts)
    backend.backlog.add(rows[order[settled.verdicts["fate"] == WAITS]], day)
    verdicts = np.empty_like(settled.verdicts)
    verdicts[order] = settled.verdicts
    more = [(late.rows, late.verdicts)] if late else []
    if settled.extras.size:
        more.append(buy_on_the_way(rows[order], settled))
    return demand.with_more(verdicts, more) if more else (demand, demand.by_part(verdicts))


def buy_on_the_way(rows: Rows, settled: Settled) -> tuple[Rows, Rows]:
    """The orders of one unit that were placed in a store while picking another up, and that they are filled.

    Parameters
    ----------
    rows : DEMAND (n,)  in the order of the claims
    """
    claim, channel, sku = settled.extras.T
    bought, verdicts = rows[claim].copy(), settled.verdicts[claim].copy()
    bought["quantity"], bought["ordinal"], bought["led_from"], bought["line"] = 1, bought["ordinal"] + ON_THE_WAY, -1, 0
    for field, values in (("channel", channel), ("sku", sku)):
        bought[field], verdicts[field] = values, values
    return bought, verdicts
