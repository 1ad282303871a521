"""What the classics refuse: each fault beside its message, all at once, and what is refused is an omnisim error."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from omnisim.errors import UsageError
from omnisim.supply import classics as c

D = stats.poisson(5)
REFUSED = [
    (lambda: c.economic_order_quantity(fixed_cost=-8, holding_cost=0, demand_rate=1300),
     "economic_order_quantity: fixed_cost = -8 — must be > 0. Give a figure above 0.\n"
     "economic_order_quantity: holding_cost = 0 — must be > 0. Give a figure above 0."),
    (lambda: c.economic_order_quantity(fixed_cost="8", holding_cost=1, demand_rate=1),
     "economic_order_quantity: fixed_cost = 8 — must be a number. Write it as a number, without unit or quotes."),
    (lambda: c.economic_order_quantity(fixed_cost=8, holding_cost=1, demand_rate=9, production_rate=9),
     "economic_order_quantity: production_rate = 9 unit/time — must exceed demand_rate (9). "
     "Leave it out if orders arrive at once."),
    (lambda: c.economic_order_quantity(fixed_cost=float("inf"), holding_cost=1, demand_rate=9),
     "economic_order_quantity: fixed_cost = inf — must be finite. Give the figure itself, or leave the argument out."),
    (lambda: c.discounted_order_quantity(fixed_cost=1, holding_rate=0.1, demand_rate=5, breakpoints=[0, 9, 9],
                                         unit_costs=[3, 2, 2.5]),
     "discounted_order_quantity: breakpoints = [0.0, 9.0, 9.0] — must rise from 0. "
     "Start with 0 and give the smallest quantity of each tier in order.\n"
     "discounted_order_quantity: unit_costs = [3.0, 2.0, 2.5] — must be > 0 and fall from tier to tier. "
     "Sort the tiers, or drop one that gives no discount."),
    (lambda: c.joint_replenishment(shared_cost=9, own_costs=[1, 2], holding_costs=[1], demand_rates=[1, 2]),
     "joint_replenishment: holding_costs = shape (1,) — must be 2 figures. Add or drop figures; nothing is repeated."),
    (lambda: c.joint_replenishment(shared_cost=1e-9, own_costs=[1, 3], holding_costs=[1, 1], demand_rates=[1, 2]),
     "joint_replenishment: shared_cost = 1e-09 — is too small beside own_costs to matter. "
     "Order each article by its own EOQ."),
    (lambda: c.base_stock_with_disruptions(holding_cost=1, backorder_cost=3, demand=9, disruption=0, recovery=1),
     "base_stock_with_disruptions: disruption = 0 — must lie strictly between 0 and 1. Give a share such as 0.1.\n"
     "base_stock_with_disruptions: recovery = 1 — must lie strictly between 0 and 1. Give a share such as 0.1."),
    (lambda: c.newsvendor("ten", overage_cost=1, underage_cost=2),
     "demand = str — must be a distribution, probabilities or scenarios. "
     "Use scipy.stats.norm(50, 8), {0: 0.2, 1: 0.8} or a list of quantities."),
    (lambda: c.newsvendor({0: 0.5, 1: 0.6}, overage_cost=1, underage_cost=2),
     "demand = probabilities summing to 1.1, least 0.5 — must be ≥ 0 and sum to 1. Divide them by their sum."),
    (lambda: c.newsvendor_profit(D, price=75, unit_cost=80, salvage=90),
     "newsvendor_profit: price = 75 — must exceed unit_cost (80). What sells at a loss is not bought.\n"
     "newsvendor_profit: salvage = 90 — must be below unit_cost (80). "
     "Else any quantity pays; give what a unit left over really brings."),
    (lambda: c.newsvendor_cvar(D, price=9, unit_cost=2, tail=0, weight=2),
     "newsvendor_cvar: tail = 0 — must lie strictly between 0 and 1. Give a share such as 0.1.\n"
     "newsvendor_cvar: weight = 2 — must be between 0 and 1. Use 0 for the mean only."),
    (lambda: c.reorder_policy(c.Review(8, 1, 9, 100, -1)),
     "reorder_policy: lead_time = -1 — must be ≥ 0. Use 0 for goods that arrive at once."),
    (lambda: c.reorder_cost(c.Review(8, 1, 9, 100, 1), reorder_point=1.5, quantity=4),
     "reorder_cost: reorder_point = 1.5 — must be a whole number. Give -9007199254740992 or more."),
    (lambda: c.approximate_reorder_policy(c.Review(8, 1, 9, 100, 1, 5), method="guess"),
     "approximate_reorder_policy: method = guess — must be one of expected_inventory_level, eoq_with_backorders, "
     "eoq_plus_safety_stock, loss_function. Or use reorder_policy, which is exact."),
    (lambda: c.reorder_levels(stats.norm(50, 8), fixed_cost=5, holding_cost=1, backorder_cost=0),
     "reorder_levels: backorder_cost = 0 — must be > 0. Give a figure above 0."),
    (lambda: c.reorder_levels({0: 0.5, 1.5: 0.5}, fixed_cost=5, holding_cost=1, backorder_cost=4),
     "demand = 1.5 units — must be whole units, 0 or above. Round it, or count in smaller units."),
    (lambda: c.reorder_levels({0: 1.0}, fixed_cost=5, holding_cost=1, backorder_cost=4),
     "reorder_levels: demand = 0 in every period — must be > 0 sometimes. An article without demand needs no stock."),
    (lambda: c.reorder_levels(D, fixed_cost=1e9, holding_cost=1, backorder_cost=4),
     "reorder_levels: fixed_cost = 1000000000.0 — must be worth at most 10,000,000 units of stock. "
     "Count in larger units, such as cases."),
    (lambda: c.reorder_levels_cost(D, reorder_point=9, order_up_to=9, fixed_cost=5, holding_cost=1, backorder_cost=4),
     "reorder_levels_cost: reorder_point = 9 units — must be below order_up_to (9). "
     "For a base stock S use reorder_point = S − 1."),
    (lambda: c.base_stock(D, lead_time=-2, cycle_service=1.0),
     "base_stock: lead_time = -2 — must be ≥ 0. Use 0 for goods that arrive at once.\n"
     "base_stock: cycle_service = 1.0 — must lie strictly between 0 and 1. "
     "No finite stock serves every demand: aim for 0.999 or less."),
    (lambda: c.base_stock(D, lead_time=2), "base_stock: cycle_service, fill_rate = 0 targets — must be one of the two. "
     "Leave one out."),
    (lambda: c.base_stock(stats.weibull_min(2, scale=9), lead_time=2, fill_rate=0.9),
     "demand = rv_continuous_frozen — must be normal, gamma, Poisson or in whole units. "
     "Round it with whole_units, or fit one of them."),
    (lambda: c.safety_stock(service_level=0.95, demand_mean=5, demand_sd=2, lead_time=float("nan")),
     "safety_stock: lead_time = nan — must be finite. Give the figure itself, or leave the argument out."),
    (lambda: c.plan_finite_horizon([D], fixed_cost=1, holding_cost=[1, 2], backorder_cost=4, terminal_holding_cost=1,
                                   terminal_backorder_cost=4),
     "plan_finite_horizon: holding_cost = shape (2,) — must be 1 figures. Add or drop figures; nothing is repeated."),
    (lambda: c.plan_lots([3, -4], fixed_cost=1, holding_cost=1),
     "plan_lots: demand[1] = -4.0 — must be finite and ≥ 0. Correct 1 of 2 figures."),
    (lambda: c.plan_lots_with_minimum([1e8], minimum=1, fixed_cost=1, holding_cost=1),
     "plan_lots_with_minimum: demand = 100,000,000 units over 1 periods — must make at most 50,000,000 states. "
     "Count in larger units, such as cases."),
    (lambda: c.serial_base_stock(c.SerialChain([1, 0], [1, 1], 9, 5)),
     "serial_base_stock: echelon_holding_costs[1] = 0 currency/unit/time — must be > 0. "
     "A stage that keeps stock for nothing more is no stage: merge it with the next."),
    (lambda: c.distribution_base_stock(c.Distribution([2, 3], [1, -1], 1, 9, 3, 1)),
     "distribution_base_stock: lead_times[1] = -1.0 — must be finite and ≥ 0. Correct 1 of 2 figures."),
    (lambda: c.distribution_base_stock(c.Distribution([2000, 3000], 1, 1, 9, 3, 1)),
     "distribution_base_stock: warehouse_lead_time = 15,000 units on order — must be at most 4,000. "
     "Count in larger units, such as cases."),
    (lambda: c.lost_sales_policy(D, holding_cost=1, lost_sale_cost=4, lead_time=0),
     "lost_sales_policy: lead_time = 0 — must be a whole number ≥ 1. Without lead time use newsvendor."),
    (lambda: c.lost_sales_policy(stats.poisson(50), holding_cost=1, lost_sale_cost=4, lead_time=4),
     "lost_sales_policy: demand = 4,857,532,416 states — must make at most 2,000,000. "
     "Count in larger units, shorten the lead time, or simulate."),
    (lambda: c.pool_risk([1, 2, 3], lead_time=7, factor=1.6, correlation=-0.6),
     "pool_risk: correlation = -0.6 — must be a correlation matrix of 3. Symmetric, 1 on the diagonal; equal negative "
     "correlations cannot fall below −1 / (n − 1)."),
    (lambda: c.stock_two_stores((D, D), price=[10, 20], unit_cost=4, move_cost=1),
     "stock_two_stores: move_cost = [1.0, 1.0] — must keep a store from serving the other's customers before its own. "
     "Raise it."),
    (lambda: c.littlewood(D, price=5, lower_price=6),
     "littlewood: lower_price = 6 — must be below price (5). Exchange the two channels."),
    (lambda: c.serve_regions([1, 2], [3], [[np.nan], [1]]),
     "serve_regions: costs = 1 — must be ≥ 0, or inf where no route leads. Correct it."),
    (lambda: c.bullwhip(lead_time=3, forecast="smoothing", correlation=1),
     "bullwhip: correlation = 1 — must lie strictly between −1 and 1. Use 0 for demand without memory.\n"
     "bullwhip: smoothing = nan — must be finite. Give the figure itself, or leave the argument out."),
]


@pytest.mark.parametrize(("call", "message"), REFUSED, ids=[message.split(":")[0] for _, message in REFUSED])
def test_refused(call, message: str) -> None:
    with pytest.raises(UsageError) as found:
        call()
    assert str(found.value) == message


def test_every_public_name_is_reached_by_one_import() -> None:
    assert sorted(c.__all__) == c.__all__
    for name in c.__all__:
        assert getattr(c, name).__doc__
