"""Pictures of a stock plan: goods over the periods, and how full the limits are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnisim.canvas import COLOURS, GREY, PALE, font_names, new_axes, say
from omnisim.errors import Fault, UsageError
from omnisim.optimise.replenish.instance import SUMS

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from omnisim.optimise.replenish.stock_plan import StockPlan


def stock(plan: StockPlan, sku: str | None = None, node: str | None = None, language: str = "en") -> Axes:
    """Stock at the end of each period, what arrives and what is asked for, in units.

    Raises
    ------
    UsageError  where no article stands at the node
    """
    instance = plan.instance
    chosen = np.array([(sku is None or one == sku) and (node is None or other == node)
                       for one, other in zip(instance.skus, instance.nodes, strict=True)])
    if not chosen.any():
        raise UsageError(Fault("plot", "sku, node", f"{sku}, {node}", "is not in the plan", "Choose from plan.table."))
    lost = int(plan.account.lost[chosen].sum())
    demand = instance.demand[chosen].sum(axis=0)
    answer = say("{lost} of {demand} units are lost", language).format(lost=f"{lost:,}", demand=f"{demand.sum():,}")
    axes = new_axes(say("When do goods arrive?", language), answer)
    periods = np.arange(instance.periods)
    axes.bar(periods, plan.order[chosen].sum(axis=0), 0.7, color=PALE, label=say("arriving", language))
    axes.plot(periods, demand, color=COLOURS[1], label=say("demand", language))
    axes.plot(periods, plan.account.on_hand[chosen].sum(axis=0), color=COLOURS[0], label=say("stock", language))
    axes.set_xlabel(say("period", language), color=GREY, fontfamily=font_names())
    axes.legend(frameon=False, prop={"family": font_names()})
    return axes


def room(plan: StockPlan, language: str = "en") -> Axes:
    """Share of each budget, capacity and storage that is used, by period."""
    instance = plan.instance
    axes = new_axes(say("Which limits bind?", language), "")
    left = plan.lots.limit.copy()
    from omnisim.optimise.replenish.lots import cost_lots

    cost_lots(plan.lots, plan.order, np.zeros(len(instance.skus)), left)
    used = 1.0 - left / plan.rows.scale
    for place, shared in enumerate(instance.limits):
        own = plan.rows.owner == place
        if shared.kind not in SUMS and place < len(COLOURS):
            axes.plot(plan.rows.period[own], 100.0 * used[own], color=COLOURS[place], label=shared.name)
    axes.set_xlabel(say("period", language), color=GREY, fontfamily=font_names())
    axes.set_ylabel("%", color=GREY)
    axes.legend(frameon=False, prop={"family": font_names()})
    return axes
