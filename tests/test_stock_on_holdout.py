"""Stock by forecast on weeks that were held out, beside the best fixed rule of hindsight and what no plan can beat."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

from omnisim.optimise.replenish.bound import relax
from omnisim.optimise.replenish.instance import to_lots
from omnisim.optimise.replenish.tables import read_instance
from omnisim.supply.forecast import demand_over, forecast_demand, measure_accuracy
from omnisim.supply.forecast.drivers import Driver

PAST, AHEAD, ARTICLES = 104, 26, 24
HOLDING, LOST = 1.0, 20.0
Ints = NDArray[np.int64]


def market() -> tuple[Ints, NDArray[np.float64]]:
    """Demand by article and week, and the weeks with a campaign, which is known beforehand."""
    rng = np.random.default_rng(5)
    campaign = np.zeros(PAST + AHEAD)
    for start in range(6, PAST + AHEAD - 1, 13):
        campaign[start:start + 2] = 1.0
    mean = rng.lognormal(np.log(40.0), 0.4, ARTICLES)
    return rng.poisson(mean[:, None] * (1.0 + 1.2 * campaign)), campaign


def cost_of(demand: Ints, levels: Ints) -> float:
    """Holding and lost sales where each week's order, up to that week's level, is there the week after."""
    stock, coming = levels[:, 0].copy(), np.zeros(len(demand), np.int64)
    total = 0.0
    for t in range(demand.shape[1]):
        stock = stock + coming
        sold = np.minimum(stock, demand[:, t])
        total += LOST * float((demand[:, t] - sold).sum())
        stock = stock - sold
        total += HOLDING * float(stock.sum())
        coming = np.maximum(levels[:, min(t + 1, levels.shape[1] - 1)] - stock, 0)
    return total


def clairvoyant(demand: Ints, opening: Ints) -> float:
    """What no plan can beat that knows the weeks to come: bound of om.replenish at the same costs."""
    names = [f"s{k}" for k in range(len(demand))]
    items = pd.DataFrame({"sku": names, "node": "shop", "lost": LOST, "holding": HOLDING, "on_hand": opening,
                          "lead_time": 1})
    frame = pd.DataFrame({"sku": np.repeat(names, AHEAD), "node": "shop", "period": np.tile(range(AHEAD), len(demand)),
                          "demand": demand.ravel()})
    return relax(*to_lots(read_instance(items, frame))).bound


def test_stock_by_forecast_costs_less_than_the_best_fixed_level_of_hindsight() -> None:
    demand, campaign = market()
    held = demand[:, PAST:]
    by_forecast = np.zeros_like(held)
    ratio = stats.norm.ppf(LOST / (LOST + HOLDING))
    for t in range(AHEAD):
        seen = demand[:, :PAST + t]
        ahead = forecast_demand(seen, horizon=1, season=1,
                                drivers=[Driver("campaign", campaign[:PAST + t + 1])])
        week = demand_over(ahead, 1)
        by_forecast[:, t] = np.ceil(week.mean + ratio * week.sd).astype(np.int64)
    top = int(held.max())
    fixed = sum(min(cost_of(held[k:k + 1], np.full((1, AHEAD), level)) for level in range(0, top + 1, 2))
                for k in range(ARTICLES))
    cost = cost_of(held, by_forecast)
    bound = clairvoyant(held, by_forecast[:, 0])
    assert bound <= cost < 0.8 * fixed, f"bound {bound:.0f}, by forecast {cost:.0f}, best fixed level {fixed:.0f}"
    whole = forecast_demand(demand[:, :PAST], horizon=AHEAD, season=1, drivers=[Driver("campaign", campaign)])
    accuracy = measure_accuracy(whole, held)
    assert accuracy.wape < 0.2
    assert abs(accuracy.bias) < 0.05
