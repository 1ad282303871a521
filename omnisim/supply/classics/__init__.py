"""The classics of inventory theory as pure functions: figures in, a small named record out.

Every function takes its figures by keyword, in whatever unit of money and time its user keeps to, says its formula and
its source, and refuses what cannot be meant. Nothing here knows of scenarios, simulation or plans.
"""

from omnisim.supply.classics.demand import Scenarios, coverage, expected_shortage, mean_of, quantile
from omnisim.supply.classics.disruptions import (
    base_stock_with_disruptions,
    economic_order_quantity_with_disruptions,
    newsvendor_with_additive_yield,
    order_quantity_with_additive_yield,
    order_quantity_with_proportional_yield,
)
from omnisim.supply.classics.eoq import discounted_order_quantity, economic_order_quantity
from omnisim.supply.classics.joint import joint_replenishment
from omnisim.supply.classics.losses import normal_loss, normal_second_loss, poisson_loss
from omnisim.supply.classics.newsvendor import newsvendor, newsvendor_cvar, newsvendor_profit

__all__ = [
    "Scenarios",
    "base_stock_with_disruptions",
    "coverage",
    "discounted_order_quantity",
    "economic_order_quantity",
    "economic_order_quantity_with_disruptions",
    "expected_shortage",
    "joint_replenishment",
    "mean_of",
    "newsvendor",
    "newsvendor_cvar",
    "newsvendor_profit",
    "newsvendor_with_additive_yield",
    "normal_loss",
    "normal_second_loss",
    "order_quantity_with_additive_yield",
    "order_quantity_with_proportional_yield",
    "poisson_loss",
    "quantile",
]
