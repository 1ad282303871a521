"""Stock planned again at each review: forecast, plan over the weeks ahead, order what is due before the next review."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.plan import Observation, Plan

if TYPE_CHECKING:
    from omnisim.scenario.model import Scenario
    from omnisim.study.restocking import Shop, Standing
    from omnisim.supply.forecast import Driver


@dataclass
class RollingStock:
    """Orders by a plan that is made anew at each review, in the place of the rules of all nodes.

    Demand of each article at each node is forecast from the brand's own tables, with the calendar of campaigns and the
    budgets of the plan in force, where they change and a curve of the channel is known. The planner of `om.replenish`
    then finds orders by day with the cost of holding, ordering and lost sales, smallest orders and capacities. What it
    orders before the next review is ordered.

    Parameters
    ----------
    ahead : int [day]  planned beyond the longest lead time
    rounds : int  steps of the search an article and node
    belief : Scenario  back end, calendar and curves; by `prepare` unless given

    Notes
    -----
    Until three weeks of demand are known, the rules go on.
    """

    ahead: int = 35
    rounds: int = 30
    belief: Scenario | None = None
    name: str = "stock_rolling"
    shop: Shop | None = field(default=None, repr=False)

    def prepare(self, belief: Scenario, seed: int) -> None:
        """Learn what is believed of the back end."""
        from omnisim.study.restocking import Shop

        self.belief = self.belief or belief
        self.shop = Shop(self.belief, self.ahead)

    def review(self, observation: Observation) -> Plan | None:
        """Orders until the next review.

        Raises
        ------
        UsageError  without a belief
        """
        from omnisim.optimise.solver import SolverError
        from omnisim.study.restocking import has_enough_past

        if self.shop is None and self.belief is not None:
            self.prepare(self.belief, 0)
        if self.shop is None or self.belief is None:
            raise UsageError(Fault("policy", self.name, "no belief", "needs the back end that is believed",
                                   "Run it through om.run or om.compare, or give a belief."))
        table = observation.stock_history
        if self.belief.supply.unlimited or not has_enough_past(table, self.belief):
            return None
        seen, start = observation.seen, observation.day + self.belief.policy.delay
        standing = self.shop.standing(table, observation.plan.orders, seen, start)
        ahead = self.shop.days + start - seen
        demand = self.shop.expect(standing, ahead, self.budget_drivers(observation, standing, ahead))
        until = min(start + observation.every, observation.days)
        if start >= observation.days:
            return None
        try:
            orders = self.shop.orders(standing, demand, seen, start, until, rounds=self.rounds)
        except SolverError:
            observation.note("no plan was found: the orders given before stand")
            return None
        observation.note(f"expects {demand.mean[:, :, :7].sum():,.0f} units in a week, "
                         f"{standing.on_hand.sum():,} on hand, {standing.coming.sum():,} on their way")
        return observation.order(orders)

    def budget_drivers(self, observation: Observation, standing: Standing, ahead: int) -> list[Driver]:
        """What budgets that change do to demand, by the curves of what is believed.

        Notes
        -----
        A curve gives what a spend brings; its share of what the brand sold, at the mean of past budgets, is the share
        that follows the curve (`supply.forecast.budget_driver`).
        """
        assert self.belief is not None
        assert self.shop is not None
        found = []
        past = self.shop.looked_back(standing)
        for name, curve in self.belief.curves.items():
            if name not in observation.budgets:
                continue
            planned = [self._budget(observation, name, observation.seen + t) for t in range(ahead)]
            driver = self._driver(observation, name, curve.carryover, past, planned)
            if driver is not None:
                found.append(driver)
        return found

    def _budget(self, observation: Observation, name: str, day: int) -> float:
        cents = observation.plan.budget_on(name, day)
        return (observation.budgets[name] if cents is None else cents) / 100.0

    def _driver(self, observation: Observation, name: str, carryover: float, past: int, planned: list[float]
                ) -> Driver | None:
        from omnisim.response import FORMS, response
        from omnisim.supply.forecast import budget_driver

        assert self.belief is not None
        curve, rows = self.belief.curves[name], observation.history
        mine = rows[rows["channel"] == name]
        spent = mine["media"].to_numpy(float)[-past:]
        spent = np.concatenate([np.full(past - spent.size, self.belief.channels[name].budget), spent])
        days = max(1, len(mine))
        sold = float(rows["gmv" if curve.margin is None else "contribution"].sum()) / days
        if sold <= 0.0 or np.allclose([*spent, *planned], spent.mean()):
            return None
        form, worth = FORMS.index(curve.form), 1.0 if curve.margin is None else curve.margin

        def bring(stock: np.ndarray) -> np.ndarray:
            # the curve holds for a steady spend: the stock of pressure is brought back to a day's spend
            return np.array([response(form, curve.scale, curve.half, curve.shape, a) for a in stock])

        left = carryover ** (1.0 / 7.0) if carryover else 0.0
        usual = bring(np.array([spent.mean()]))[0]
        if usual <= 0.0:
            return None
        daily = budget_driver(name, np.concatenate([spent, planned]) * (1.0 - left), bring, history=past,
                              carry_over=left, share=min(1.0, float(usual) * worth / sold))
        return daily
