"""A stock plan with its proof: what to order where and when, how good that is, and what each limit costs."""

from __future__ import annotations

import html
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omnisim.canvas import say
from omnisim.errors import Fault
from omnisim.optimise.replenish.bound import Relaxation
from omnisim.optimise.replenish.check import Account
from omnisim.optimise.replenish.instance import OWN, SUMS, Instance, Rows, Shared
from omnisim.optimise.replenish.lots import Floats, Ints, Lots
from omnisim.plan import Order, Plan

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

KIND = "omnisim stock plan"
"""What the manifest calls a directory with a plan."""
COSTS = {"orders": "ordering", "lost": "lost sales"}
"""What parts of the cost are called where a part's name alone would not say it."""
NUDGE = 1e-3
"""How far a limit is moved to see its price on either side, relative."""


@dataclass(frozen=True, eq=False)
class Outlook:
    """What a plan costs in each of several demands that may come.

    Parameters
    ----------
    cost : (outlooks,) float [currency]  of the plan
    bound : (outlooks,) float [currency]  of plans that know what comes
    share : float  worst share whose mean counts; 1 for the mean of all
    planned_for : str  the demand that the plan was made for
    """

    cost: Floats
    bound: Floats
    share: float
    planned_for: str


def tail_mean(values: Floats, share: float) -> float:
    """Mean of the largest share of equally likely values (CVaR); 1 for the mean of all."""
    ordered = np.sort(values)[::-1]
    held = share * len(ordered)
    weight = np.clip(held - np.arange(len(ordered)), 0.0, 1.0)
    return float(ordered @ weight / held)


def dated_orders(instance: Instance, order: Ints, moved: Ints) -> tuple[Order, ...]:
    """A plan on its dates: orders, (cells, periods) by arrival, and what nodes send to each other, (ways, periods) by
    departure; what a node keeps for its own customers is not moved."""
    found = []
    for b, (sku, node) in enumerate(zip(instance.skus.tolist(), instance.nodes.tolist(), strict=True)):
        if node.endswith(OWN):
            continue
        lead, wanted = int(instance.lead_time[b]), np.flatnonzero(order[b]).tolist()
        days = [max(0, round((t - lead) * instance.days) - (lead == 0)) for t in wanted]
        source = str(instance.nodes[instance.feeder[b]]) if instance.feeder[b] >= 0 else ""
        found += [Order(day, sku, node, int(order[b, t]), source) for t, day in zip(wanted, days, strict=True)]
        if not wanted:
            found.append(Order(0, sku, node, 0, source))
    ways = instance.transfers
    for w, (a, b) in enumerate(zip(ways.source.tolist(), ways.target.tolist(), strict=True)):
        for t in np.flatnonzero(moved[w]).tolist():
            day = max(0, round(t * instance.days) - int(ways.lead_time[w] == 0))
            found.append(Order(day, str(instance.skus[b]), str(instance.nodes[b]), int(moved[w, t]),
                               str(instance.nodes[a])))
    return tuple(found)


@dataclass(frozen=True, eq=False)
class StockPlan:
    """A stock plan with its proof, as `om.replenish` gives it.

    Parameters
    ----------
    instance : Instance  what was to be planned
    order : (cells, periods) int [unit]  by the period in which it arrives
    moved : (ways, periods) int [unit]  sent on each way between nodes of one echelon, by the period in which it leaves
    account : Account  what the plan costs and uses, by separate code
    bound : float [currency]  no plan within the limits costs less
    lots, rows, relaxation  the programme behind the bound
    asked_gap : float
    seconds : float [second]  used
    warnings : tuple of Fault
    outlook : Outlook or None  where several demands may come; the table then shows the first

    Notes
    -----
    The cost is what planning can change: orders, holding, lost sales, safety, what is left over. Goods are paid out of
    the budgets, but are no part of the cost, as what is sold has to be bought: with them the gap would look smaller.
    """

    instance: Instance
    order: Ints
    moved: Ints
    account: Account
    bound: float
    lots: Lots
    rows: Rows
    relaxation: Relaxation
    asked_gap: float = 1e-3
    seconds: float = 0.0
    warnings: tuple[Fault, ...] = ()
    outlook: Outlook | None = None

    @property
    def objective(self) -> float:
        """Cost of the plan [currency]; with several outlooks the mean of all, or of their worst share."""
        if self.outlook is not None:
            return tail_mean(self.outlook.cost, self.outlook.share)
        return self.account.total

    @property
    def gap(self) -> float:
        """(objective − bound) / objective."""
        return max(0.0, self.objective - self.bound) / (abs(self.objective) or 1.0)

    @property
    def is_proven(self) -> bool:
        """Whether the gap asked for was reached."""
        return self.gap <= self.asked_gap

    @cached_property
    def table(self) -> pd.DataFrame:
        """The plan: sku, node, period, order, transfer, on_hand, lost [unit].

        `order` is what is ordered from a supplier in the period, `transfer` what another node sends to this one in it,
        both before their lead time; `on_hand` stands there at its end.
        """
        import pandas as pd

        cells, periods = self.order.shape
        placed: Ints = np.zeros_like(self.order)
        for b in range(cells):
            lead = int(self.instance.lead_time[b])
            placed[b, :periods - lead] = self.order[b, lead:]
        is_fed = (self.instance.feeder >= 0)[:, None]
        transfer = np.where(is_fed, placed, 0)
        np.add.at(transfer, self.instance.transfers.target, self.moved)
        return pd.DataFrame({
            "sku": np.repeat(self.instance.skus, periods), "node": np.repeat(self.instance.nodes, periods),
            "period": np.tile(np.arange(periods), cells), "order": np.where(is_fed, 0, placed).ravel(),
            "transfer": transfer.ravel(), "on_hand": self.account.on_hand.ravel(),
            "lost": self.account.lost.ravel()})

    @property
    def transfers(self) -> pd.DataFrame:
        """What goes from node to node: sku, source, target, period (in which it leaves), units; those of the central
        warehouse included."""
        import pandas as pd

        instance, rows = self.instance, []
        for b in np.flatnonzero(instance.feeder >= 0):
            rows += [(instance.feeder[b], b, t - int(instance.lead_time[b]), self.order[b, t])
                     for t in np.flatnonzero(self.order[b])]
        for w, moved in enumerate(self.moved):
            rows += [(instance.transfers.source[w], instance.transfers.target[w], t, moved[t])
                     for t in np.flatnonzero(moved)]
        found = [(instance.skus[a], instance.nodes[a], instance.nodes[b], int(t), int(units))
                 for a, b, t, units in rows]
        return pd.DataFrame(found, columns=["sku", "source", "target", "period", "units"])

    @property
    def plan(self) -> Plan:
        """What a run takes: every order on the first day of the period in which it is given, so that it arrives by the
        first day of the one in which it is wanted; without lead time on the evening before.

        Transfers leave on the first evening of their period likewise, from stock of which the node that sends them is
        the `source`. An article at a node for which nothing is ordered gets an order of 0 units, as the plan stands in
        for its rule.
        """
        return Plan(orders=dated_orders(self.instance, self.order, self.moved))

    @cached_property
    def shadow_prices(self) -> pd.DataFrame:
        """What one more unit of each limit saves: limit, price, price_left, price_right, unit, meaning.

        They are prices of the bound, in which orders may be mixed; with whole orders a step may save more or less.
        """
        import pandas as pd

        rows = []
        for place, shared in enumerate(self.instance.limits):
            own = np.flatnonzero(self.rows.owner == place)
            price = float(self.relaxation.price[own].sum())
            left, right = (self._saved(own, sign) for sign in (-1.0, 1.0))
            price = min(max(price, right), left)
            rows.append((shared.name, price, left, right, f"{self.instance.currency}/{shared.unit}",
                         self._meaning(shared, price, "en")))
        return pd.DataFrame(rows, columns=["limit", "price", "price_left", "price_right", "unit", "meaning"])

    def orders_in(self, language: str) -> pd.DataFrame:
        """What is ordered and sent, the first period first, to be read: sku, node, period, order, transfer [unit]."""
        names = ["sku", "node", "period", "order", *(["transfer"] if self.table["transfer"].any() else [])]
        found = self.table.loc[self.table["order"] + self.table["transfer"] > 0, names]
        found = found.sort_values("period", kind="stable", ignore_index=True)
        return found.rename(columns={name: say(name, language) for name in names})

    def prices_in(self, language: str) -> pd.DataFrame:
        """The shadow prices to be read: limit, price, unit, meaning, in a language ("en" or "zh")."""
        found = self.shadow_prices[["limit", "price", "unit"]].copy()
        found["meaning"] = [self._meaning(shared, price, language) for shared, price in
                            zip(self.instance.limits, found["price"], strict=True)]
        return found.rename(columns={name: say(name, language) for name in found.columns})

    def _meaning(self, shared: Shared, price: float, language: str) -> str:
        if shared.kind == "service":
            phrase = "one more lost unit allowed saves {price} {currency}, orders mixed"
        elif shared.kind in SUMS:
            phrase = "one more {unit} of {limit} saves {price} {currency}, orders mixed"
        else:
            phrase = "one more {unit} of {limit} in each period saves {price} {currency}, orders mixed"
        return say(phrase, language).format(unit=say(shared.unit, language), limit=shared.name,
                                            price=f"{price:.4g}", currency=self.instance.currency)

    def _saved(self, own: Ints, sign: float) -> float:
        """What the bound's programme saves by a little more of some rows, or lost by it before [currency/unit]."""
        step = sign * NUDGE * float(self.rows.scale[own].min())
        limit = self.lots.limit.copy()
        limit[own] += step
        programme = self.relaxation.programme
        return (programme.solve()[0] - programme.solve(limit)[0]) / step

    @property
    def plot(self) -> StockPlots:
        """Pictures: `plan.plot()` shows stock, orders and demand by period; `plan.plot.room()` what limits leave."""
        return StockPlots(self)

    def save(self, directory: str | Path) -> None:
        """Write stock.yaml (for `omnisim run --plan`), stock.csv and shadow_prices.csv.

        Raises
        ------
        UsageError  where the directory holds something else
        StorageError  where the disk refuses
        """
        from omnisim.optimise.saving import save_proven

        save_proven(self, directory, KIND, "stock", {
            "stock": self.table, "transfers": self.transfers, "shadow_prices": self.shadow_prices})

    @property
    def outcomes(self) -> pd.DataFrame | None:
        """Cost in each outlook, and the bound of a plan that knows it: outlook, cost, bound; None with one demand."""
        import pandas as pd

        if self.outlook is None:
            return None
        return pd.DataFrame({"outlook": np.arange(len(self.outlook.cost)), "cost": self.outlook.cost,
                             "bound": self.outlook.bound})

    def lines(self, language: str = "en") -> list[str]:
        """The answer in a few sentences, in English or Chinese ("zh")."""
        cost, bound, gap = f"{self.objective:,.2f}", f"{self.bound:,.2f}", f"{self.gap:.2%}"
        currency = self.instance.currency
        if self.outlook is not None:
            share = self.outlook.share
            which = say("all outlooks", language) if share >= 1.0 else say(
                "the worst {share} of outlooks", language).format(share=f"{share:.0%}")
            return [say("mean cost of {which}: {cost} {currency}; the plan is that for demand at {planned}",
                        language).format(which=which, cost=cost, currency=currency, planned=self.outlook.planned_for),
                    say("somebody who knew what comes would pay {bound} at least: gap {gap}", language).format(
                        bound=bound, gap=gap)]
        demand, lost = int(self.instance.demand.sum()), int(self.account.lost.sum())
        served = 1.0 - lost / demand if demand else 1.0
        parts = say(", ", language).join(f"{say(COSTS.get(name, name), language)} {value:,.0f}"
                                         for name, value in self.account.cost.items() if value)
        echelons = say("two echelons" if self.instance.has_echelons else "one echelon", language)
        return [say("cost {cost} {currency} ({parts}), {echelons}", language).format(
                    cost=cost, currency=currency, parts=parts, echelons=echelons),
                say("no plan within the limits costs less than {bound}: gap {gap}", language).format(
                    bound=bound, gap=gap),
                say("{served} of demand served, {orders} orders", language).format(
                    served=f"{served:.2%}", orders=f"{int((self.order > 0).sum()):,}")]

    def __repr__(self) -> str:
        cells, periods = self.order.shape
        return "\n".join([f"StockPlan: {cells} articles at nodes, {periods} periods", *self.lines()])

    def _repr_html_(self) -> str:
        return "".join(f"<p>{html.escape(line)}</p>" for line in self.lines())


class StockPlots:
    """The pictures of a plan; called, stock, orders and demand by period."""

    def __init__(self, plan: StockPlan) -> None:
        self._plan = plan

    def __call__(self, sku: str | None = None, node: str | None = None, language: str = "en") -> Axes:
        """Stock, orders and demand by period, of one article or node or of all."""
        from omnisim.optimise.replenish.stock_plots import stock

        return stock(self._plan, sku, node, language)

    def room(self, language: str = "en") -> Axes:
        """How full each limit is by period."""
        from omnisim.optimise.replenish.stock_plots import room

        return room(self._plan, language)
