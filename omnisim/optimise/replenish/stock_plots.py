"""Pictures of a stock plan: goods over the periods, and how full the limits are."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnisim.canvas import COLOURS, GREY, PALE, font_names, new_axes, say
from omnisim.errors import Fault, UsageError
from omnisim.optimise.replenish.instance import SUMS
from omnisim.optimise.replenish.lots import Floats, Ints

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from omnisim.optimise.replenish.stock_plan import StockPlan

FULL = 0.995
"""Share of a limit from which it counts as used up."""


def stock(plan: StockPlan, sku: str | None = None, node: str | None = None, language: str = "en") -> Axes:
    """Stock at the end of each period, what arrives from elsewhere and what is asked for, in units.

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
    axes.bar(periods, arriving(plan, chosen), 0.7, color=PALE, label=say("arriving", language))
    axes.plot(periods, demand, color=COLOURS[1], label=say("demand", language))
    axes.plot(periods, plan.account.on_hand[chosen].sum(axis=0), color=COLOURS[0], label=say("stock", language))
    _mark_periods(axes, language)
    axes.legend(frameon=False, prop={"family": font_names()})
    return axes


def _mark_periods(axes: Axes, language: str) -> None:
    """Whole periods along the axis."""
    from matplotlib.ticker import MaxNLocator

    axes.set_xlabel(say("period", language), color=GREY, fontfamily=font_names())
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))


def arriving(plan: StockPlan, chosen: np.ndarray) -> Ints:
    """(periods,) [unit] what comes to the chosen articles at nodes from suppliers, and from nodes not chosen."""
    instance, periods = plan.instance, plan.instance.periods
    from_inside = (instance.feeder >= 0) & chosen[instance.feeder]
    total: Ints = plan.order[chosen & ~from_inside].sum(axis=0)
    ways = instance.transfers
    for w in np.flatnonzero(chosen[ways.target] & ~chosen[ways.source]):
        lead = int(ways.lead_time[w])
        total[lead:] += plan.moved[w, :periods - lead]
    return total


def room(plan: StockPlan, language: str = "en") -> Axes:
    """Share of each budget, capacity and storage that is used, by period."""
    instance = plan.instance
    used = {place: shares(plan, place) for place, shared in enumerate(instance.limits) if shared.kind not in SUMS}
    full = sum(int((share >= FULL).sum()) for share in used.values())
    phrase = say("{full} of {all} limits and periods are used up", language)
    answer = phrase.format(full=full, all=sum(len(share) for share in used.values()))
    axes = new_axes(say("Which limits bind?", language), answer)
    for place, colour in zip(used, COLOURS, strict=False):
        name = instance.limits[place].name
        axes.plot(np.flatnonzero(np.isfinite(instance.limits[place].value)), 100.0 * used[place], color=colour,
                  marker=".", label=name)
    _mark_periods(axes, language)
    axes.set_ylabel("%", color=GREY)
    axes.set_ylim(0.0, max(105.0, axes.get_ylim()[1]))
    if used:
        axes.legend(frameon=False, prop={"family": font_names()}, loc="upper left", bbox_to_anchor=(1.0, 1.0))
    return axes


def shares(plan: StockPlan, place: int) -> Floats:
    """(periods with a limit,) share of one line of the limits that the plan uses."""
    shared, account = plan.instance.limits[place], plan.account
    used = account.used[place]
    known = np.isfinite(shared.value)
    found: Floats = used[known] / np.where(shared.value[known] > 0.0, shared.value[known], 1.0)
    return found
