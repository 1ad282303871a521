"""The classics of inventory theory as pure functions: figures in, a small named record out.

Every function takes its figures by keyword, in whatever unit of money and time its user keeps to, says its formula and
its source, and refuses what cannot be meant. Nothing here knows of scenarios, simulation or plans.
"""

from omnisim.supply.classics.base_stock import base_stock, base_stock_service, safety_stock
from omnisim.supply.classics.bullwhip import bullwhip
from omnisim.supply.classics.capacitated_lots import plan_capacitated_lots
from omnisim.supply.classics.continuous import (
    Review,
    best_reorder_point,
    reorder_cost,
    reorder_policy,
    stock_cost,
)
from omnisim.supply.classics.continuous_approximations import approximate_reorder_policy
from omnisim.supply.classics.demand import (
    Scenarios,
    coverage,
    expected_shortage,
    mean_of,
    over_lead_times,
    over_periods,
    quantile,
    whole_units,
)
from omnisim.supply.classics.disruptions import (
    base_stock_with_disruptions,
    economic_order_quantity_with_disruptions,
    newsvendor_with_additive_yield,
    order_quantity_with_additive_yield,
    order_quantity_with_proportional_yield,
)
from omnisim.supply.classics.eoq import discounted_order_quantity, economic_order_quantity
from omnisim.supply.classics.guaranteed_service import Stage, guaranteed_service
from omnisim.supply.classics.horizon import plan_finite_horizon
from omnisim.supply.classics.joint import joint_replenishment
from omnisim.supply.classics.losses import normal_loss, normal_second_loss, poisson_loss
from omnisim.supply.classics.lost_sales import lost_sales_base_stock, lost_sales_policy
from omnisim.supply.classics.lot_sizing import plan_lots, plan_lots_with_minimum
from omnisim.supply.classics.multi_echelon import SerialChain, serial_base_stock, serial_cost, shang_song_levels
from omnisim.supply.classics.newsvendor import newsvendor, newsvendor_cvar, newsvendor_profit
from omnisim.supply.classics.one_warehouse import Distribution, distribution_base_stock
from omnisim.supply.classics.periodic import power_approximation, reorder_levels, reorder_levels_cost
from omnisim.supply.classics.pooling import pool_risk
from omnisim.supply.classics.reservation import littlewood, reserve
from omnisim.supply.classics.serving import serve_regions
from omnisim.supply.classics.transshipment import stock_two_stores

__all__ = [
    "Distribution",
    "Review",
    "Scenarios",
    "SerialChain",
    "Stage",
    "approximate_reorder_policy",
    "base_stock",
    "base_stock_service",
    "base_stock_with_disruptions",
    "best_reorder_point",
    "bullwhip",
    "coverage",
    "discounted_order_quantity",
    "distribution_base_stock",
    "economic_order_quantity",
    "economic_order_quantity_with_disruptions",
    "expected_shortage",
    "guaranteed_service",
    "joint_replenishment",
    "littlewood",
    "lost_sales_base_stock",
    "lost_sales_policy",
    "mean_of",
    "newsvendor",
    "newsvendor_cvar",
    "newsvendor_profit",
    "newsvendor_with_additive_yield",
    "normal_loss",
    "normal_second_loss",
    "order_quantity_with_additive_yield",
    "order_quantity_with_proportional_yield",
    "over_lead_times",
    "over_periods",
    "plan_capacitated_lots",
    "plan_finite_horizon",
    "plan_lots",
    "plan_lots_with_minimum",
    "poisson_loss",
    "pool_risk",
    "power_approximation",
    "quantile",
    "reorder_cost",
    "reorder_levels",
    "reorder_levels_cost",
    "reorder_policy",
    "reserve",
    "safety_stock",
    "serial_base_stock",
    "serial_cost",
    "serve_regions",
    "shang_song_levels",
    "stock_cost",
    "stock_two_stores",
    "whole_units",
]
