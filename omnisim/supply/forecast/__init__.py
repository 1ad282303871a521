"""Forecasts of demand: smoothing, intermittent demand, known drivers, intervals, and how good they were."""

from omnisim.supply.forecast.accuracy import Accuracy, hold_out, measure_accuracy
from omnisim.supply.forecast.drivers import Driver, budget_driver, campaign_driver
from omnisim.supply.forecast.intermittent import croston
from omnisim.supply.forecast.plan import Forecast, LeadTimeDemand, demand_over, forecast_demand

__all__ = [
    "Accuracy",
    "Driver",
    "Forecast",
    "LeadTimeDemand",
    "budget_driver",
    "campaign_driver",
    "croston",
    "demand_over",
    "forecast_demand",
    "hold_out",
    "measure_accuracy",
]
