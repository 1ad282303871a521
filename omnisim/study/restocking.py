"""Orders for the days to come from what a brand knows today: its own tables, the calendar, budgets that it plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MOVES, STOCK
from omnisim.market.rules import active_channels
from omnisim.optimise.replenish.bound import relax
from omnisim.optimise.replenish.instance import OWN, Instance, Shared, to_lots
from omnisim.optimise.replenish.planning import first_prices
from omnisim.optimise.replenish.plans import Effort, find_plan
from omnisim.optimise.replenish.tables import read_instance
from omnisim.plan import Order
from omnisim.scenario.model import Scenario
from omnisim.study.stocking import part_sellers, scenario_items
from omnisim.supply.forecast import Driver, demand_over, forecast_demand
from omnisim.supply.layout import demand_calendar
from omnisim.supply.rules import FEWEST_DAYS, MOST_DAYS

if TYPE_CHECKING:
    import pandas as pd

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
CLOSE = 2e-3
"""Relative gap of the programme to its bound at which the search begins."""
LEAST_SHARE, MOST_SHARE = 0.5, 0.999
"""Chances of no stock-out in a cycle, at least and at most, that safety stock is kept for."""


class Standing(NamedTuple):
    """What a brand's tables tell of its stock, up to an evening.

    Parameters
    ----------
    demand : int64 (N, S, T) [unit/day]  of the days so far, what was not served included
    on_hand : int64 (N, S) [unit]
    waiting : int64 (N, S) [unit]  promised to who waits
    coming : int64 (N, S, H) [unit]  on its way, by the day on which it should arrive
    kept : float (N, S) [share]  of demand that does not come back as a return fit to be sold
    """

    demand: Ints
    on_hand: Ints
    waiting: Ints
    coming: Ints
    kept: Floats


class Demand(NamedTuple):
    """What is expected of each article at each place.

    Parameters
    ----------
    mean : float (N, S, H) [unit/day]
    spread : float (N, S, H) [unit]  standard deviation of the demand of all days up to each together
    """

    mean: Floats
    spread: Floats


@dataclass(frozen=True)
class Shop:
    """What is known of a back end before the first day, ready to plan with.

    Parameters
    ----------
    scenario : Scenario  what is believed
    ahead : int [day]  planned beyond the longest lead time
    """

    scenario: Scenario
    ahead: int = 35

    @cached_property
    def cells(self) -> tuple[Instance, Ints, Ints, NDArray[np.bool_]]:
        """The instance without its demand; place and article of each cell, and which is a node's own sale."""
        import pandas as pd

        scenario = self.scenario
        places, skus = scenario.supply.places, list(scenario.products)
        items = scenario_items(scenario, 1.0)
        items = items.assign(lost=np.minimum(items["lost"] if "lost" in items else items["price"] - items["cost"],
                                             self._express(items)))
        items, named = part_sellers(items, items[["sku", "node"]])
        lead = items["lead_time"].to_numpy() + self._usual_delay(items)
        own = items["node"].astype(str).str.endswith(OWN).to_numpy()
        items = items.assign(lead_time=np.where(own, 0, np.maximum(lead, 1)), on_hand=0)
        days = int(items["lead_time"].max()) * (2 if (items["lead_time"] > 0).any() else 1) + self.ahead
        blank = pd.DataFrame({"sku": named["sku"], "node": named["node"], "period": days - 1, "demand": 0})
        instance = read_instance(items, blank, days=1.0, currency=scenario.currency)
        place = np.array([places.index(str(name).removesuffix(OWN)) for name in instance.nodes], np.int64)
        article = np.array([skus.index(name) for name in instance.skus], np.int64)
        return replace(instance, limits=tuple(self._capacities(instance, days))), place, article, own

    @property
    def days(self) -> int:
        """Days planned."""
        return self.cells[0].periods

    def _usual_delay(self, items: pd.DataFrame) -> Ints:
        """Days that a delivery is late on average, rounded up, of what comes from a supplier."""
        from omnisim.scenario.network import supplier_of

        supply = self.scenario.supply
        found = []
        for sku, source in zip(items["sku"], items.get("source", [""] * len(items)), strict=True):
            maker = supply.suppliers.get(supplier_of(self.scenario, sku) or "")
            late = sum(day * share for day, share in enumerate(maker.delays)) if maker and not source else 0.0
            found.append(int(np.ceil(late - 1e-9)))
        return np.array(found, np.int64)

    def _express(self, items: pd.DataFrame) -> Floats:
        """What a unit costs to have by express, where a node calls for it before it runs out; else infinite."""
        from omnisim.scenario.network import supplier_of

        supply = self.scenario.supply
        found = np.full(len(items), np.inf)
        for b, (sku, place) in enumerate(zip(items["sku"], items["node"], strict=True)):
            node, maker = supply.nodes.get(place), supply.suppliers.get(supplier_of(self.scenario, sku) or "")
            if node is not None and node.expedite_below > 0.0 and maker is not None:
                found[b] = maker.expedite_cost
        return found

    def _capacities(self, instance: Instance, days: int) -> list[Shared]:
        """What each supplier takes orders for on a day, counted on the day of arrival."""
        from omnisim.scenario.network import supplier_of

        found = []
        for name, maker in self.scenario.supply.suppliers.items():
            if maker.capacity is None:
                continue
            members = np.array([feeder < 0 and supplier_of(self.scenario, sku) == name
                                for sku, feeder in zip(instance.skus, instance.feeder, strict=True)])
            if members.any():
                found.append(Shared(f"capacity of {name}", "capacity", f"supply.suppliers.{name}", "unit",
                                    np.full(days, float(maker.capacity)), members, float(maker.capacity)))
        return found

    def standing(self, table: pd.DataFrame, ordered: Sequence[Order] = (), seen: int = 0, start: int = 0) -> Standing:
        """What the table `stock_history` tells.

        Parameters
        ----------
        ordered : Order  of the plan in force; those of the days that the table does not show yet are on their way
        seen, start : int [day]  first day that the table does not show; first one that can still be decided
        """
        places, skus = self.scenario.supply.places, list(self.scenario.products)
        shape = (-1, len(places), len(skus))
        past = {name: table[name].to_numpy(np.int64).reshape(shape) for name in (*STOCK, *MOVES)}
        instance, place, article, own = self.cells
        coming = np.zeros((len(places), len(skus), self.days + start - seen + 1), np.int64)
        lead = np.ones((len(places), len(skus)), np.int64)
        lead[place[~own], article[~own]] = instance.lead_time[~own]
        on_order = past["on_order"]
        started = np.diff(on_order, axis=0, prepend=0) + past["received"]
        for n, p in np.argwhere(on_order[-1] > 0).tolist():
            left = int(on_order[-1, n, p])  # the newest orders are those still on their way
            for back in range(1, len(started) + 1):
                units = min(left, int(started[-back, n, p]))
                coming[n, p, max(0, int(lead[n, p]) - back)] += units
                left -= units
                if left == 0:
                    break
        for one in ordered:
            if seen <= one.day < start and one.units:
                n, p = places.index(one.node), skus.index(one.sku)
                coming[n, p, one.day - seen + int(lead[n, p])] += one.units
        asked = past["demand"].sum(axis=0)
        kept = 1.0 - np.divide(past["returned"].sum(axis=0), asked, out=np.zeros(asked.shape), where=asked > 0)
        demand = np.moveaxis(past["demand"], 0, -1)
        return Standing(demand, past["on_hand"][-1], past["waiting"][-1], coming, np.clip(kept, 0.0, 1.0))

    def expect(self, standing: Standing, days: int, further: Sequence[Driver] = ()) -> Demand:
        """Demand of the days to come from that of the days so far, with what the calendar says of both.

        Parameters
        ----------
        days : int [day]
        further : Driver  for T + H days each, T the days looked back on (`looked_back`)
        """
        past = self.looked_back(standing)
        shape = standing.on_hand.shape
        first = standing.demand.shape[2] - past
        calendar = self._calendar[:, first:first + past + days]
        lift = np.repeat(calendar, shape[1], axis=0) - 1.0
        history = standing.demand[:, :, first:].reshape(-1, past).astype(np.float64)
        drivers = [Driver("calendar", lift, 1.0), *further]
        found = forecast_demand(history, horizon=days, drivers=drivers)
        spread = np.stack([demand_over(found, t).sd for t in range(1, days + 1)], axis=-1)
        kept = standing.kept[..., None]
        return Demand(found.mean.reshape(*shape, days) * kept, spread.reshape(*shape, days))

    @staticmethod
    def looked_back(standing: Standing) -> int:
        """Days of the past that a forecast rests on."""
        return min(MOST_DAYS, int(standing.demand.shape[2]))

    @cached_property
    def _calendar(self) -> Floats:
        horizon = self.scenario.horizon
        return demand_calendar(self.scenario, active_channels(self.scenario),
                               horizon.warm_up + 2 * horizon.days + self.days + 1)

    def orders(self, standing: Standing, demand: Demand, seen: int, start: int, until: int, *, rounds: int = 30
               ) -> list[Order]:
        """What to order on the evenings from `start` to the one before `until`; 0 units where a cell orders nothing.

        Parameters
        ----------
        seen : int [day]  first day of `demand`
        rounds : int  steps of the search a cell: the same orders on every machine
        """
        instance, place, article, own = self.cells
        gap, days = start - seen, self.days
        on_hand = standing.on_hand - standing.waiting
        for t in range(gap):  # days that cannot be decided any more pass as expected
            left = on_hand + standing.coming[:, :, t] - np.rint(demand.mean[:, :, t]).astype(np.int64)
            on_hand = np.maximum(left, np.minimum(on_hand, 0))
        receipt = standing.coming[place, article, gap:gap + days].copy()
        receipt[own] = 0
        mean, spread = demand.mean[place, article, gap:gap + days], demand.spread[place, article, gap:gap + days]
        planned = replace(instance, demand=self._to_cover(instance, mean, spread, on_hand[place, article]),
                          receipt=receipt, on_hand=np.where(own, 0, np.maximum(on_hand[place, article], 0)),
                          max_order=self._before_it_expires(instance, mean))
        lots, rows = to_lots(planned)
        found = relax(lots, rows, gap=CLOSE, start=first_prices(planned, lots, rows))
        order = find_plan(planned, rows, found, Effort(rounds, lambda: 0.0), CLOSE)
        made = []
        for b in np.flatnonzero(~own).tolist():
            sku, node, lead = str(instance.skus[b]), str(instance.nodes[b]), int(instance.lead_time[b])
            source = str(instance.nodes[instance.feeder[b]]) if instance.feeder[b] >= 0 else ""
            given = [Order(start + t - lead, sku, node, int(order[b, t]), source)
                     for t in np.flatnonzero(order[b]).tolist() if start + t - lead < until]
            made += given or [Order(start, sku, node, 0, source)]
        return made

    def _to_cover(self, instance: Instance, mean: Floats, spread: Floats, on_hand: Ints) -> Ints:
        """Demand to plan for, (cells, days): as expected, and from the first day that an order can reach on so much
        more as makes up for the error of the forecast.

        Notes
        -----
        What is to be covered up to day t is μ(t) + z σ(t), cumulated, and orders of a cycle of c days fall short with
        the chance 1 − Φ(z) = h c / (h c + u), h the holding cost a day and u that of a lost sale (newsvendor;
        Bookbinder & Tan 1988 plan with such quantiles). c is the larger of the economic order quantity and the smallest
        order, in days of demand.
        """
        usual = np.maximum(mean.mean(axis=1), 1e-9)
        lot = np.sqrt(2.0 * instance.order_cost * usual / np.maximum(instance.holding, 1e-9))
        cycle = np.clip(np.maximum(lot, instance.moq) / usual, 1.0, mean.shape[1])
        over = instance.holding * cycle
        share = np.clip(instance.lost / np.maximum(instance.lost + over, 1e-9), LEAST_SHARE, MOST_SHARE)
        z = np.array([NormalDist().inv_cdf(part) for part in share.tolist()])
        reach = self._reach(instance)
        safety = np.where(np.arange(mean.shape[1]) >= reach[:, None], z[:, None] * spread, 0.0)
        total = mean.cumsum(axis=1) + np.maximum.accumulate(safety, axis=1) - np.minimum(on_hand, 0)[:, None]
        whole: Ints = np.rint(np.concatenate([np.zeros((len(total), 1)), total], axis=1)).astype(np.int64)
        demand = np.diff(whole, axis=1)
        demand[instance.feeders] = 0
        return demand

    def _before_it_expires(self, instance: Instance, mean: Floats) -> Ints:
        """(cells,) most that a node which feeds others orders at once: what all of them sell within the shelf life.

        The planner counts shelf life where goods are sold; those that wait to be sent age as well.
        """
        most = instance.max_order.copy()
        for w in instance.feeders.tolist():
            life = self.scenario.products[str(instance.skus[w])].shelf_life
            if life:
                fed = np.flatnonzero(instance.feeder == w)
                sold = float(mean[fed, :max(1, life - int(instance.lead_time[fed].max()))].sum())
                most[w] = max(int(instance.moq[w]), int(sold))
        return most

    @staticmethod
    def _reach(instance: Instance) -> Ints:
        """(cells,) first day that an order of today reaches a cell, over the node that feeds it."""
        fed = np.where(instance.feeder >= 0, instance.lead_time[instance.feeder], 0)
        reach: Ints = instance.lead_time + fed
        return reach


def has_enough_past(table: pd.DataFrame, scenario: Scenario) -> bool:
    """Whether the table `stock_history` holds enough days to forecast from."""
    rows = len(scenario.supply.places) * len(scenario.products)
    return len(table) >= FEWEST_DAYS * rows
