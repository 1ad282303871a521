"""The back-test: two thirds of a daily table are fitted, the rest is predicted."""

from __future__ import annotations

import datetime

import pytest
from test_calibrate import market
from test_daily import CAMPAIGN

import omnisim as om
from omnisim.errors import UsageError
from omnisim.study.calibration import backtest, fitting
from omnisim.study.calibration.brand_tables import BrandTables, ChannelStatus, DailyRecord


def world(seed: int, days: int) -> tuple[om.Scenario, BrandTables]:
    """A market and the tables that it shows its owner, one draw of luck."""
    true = market().with_({"calendar.campaigns": [CAMPAIGN], "horizon.days": days})
    result = om.run(true, seed=seed, threads=2)
    month = result.channels[result.channels["window"] == "baseline"]
    status = tuple(ChannelStatus(row.channel, row.channel, row.monthly_uv, row.cvr, row.aov, row.gmv / 3)
                   for row in month.itertuples())
    daily = tuple(DailyRecord(row.date.date(), row.channel, row.channel, row.visits, row.new_users, row.orders, row.gmv,
                              None, row.cost, None, "") for row in result.daily.itertuples())
    return true, BrandTables(status, daily)


def test_the_last_days_are_predicted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fitting, "SMALL_STEPS", 3)
    monkeypatch.setattr(fitting, "FULL_STEPS", 2)
    monkeypatch.setattr(backtest, "RUNS", 8)
    true, brand = world(41, 45)
    away = true.with_({"channels.shelf.direct": 3e-3, "calendar.campaigns.0.factor": 1.0})
    found = backtest.backtest(brand, scenario=away, held_out=15, seed=2, threads=2)
    assert found.first == datetime.date(2024, 7, 1)
    assert set(found.table["measure"]) == {"visits", "new_users", "orders", "gmv"}
    assert len(found.rows) == 8
    assert found.error < 0.1
    assert found.coverage >= 0.75
    assert found.days_coverage >= 0.85
    assert "15 days from 2024-07-01" in str(found)


def test_more_days_must_be_fitted_than_are_held_out() -> None:
    day = DailyRecord(datetime.date(2024, 6, 1), "shelf", "", 1, 1, 1, 1, None, 1, None, "")
    with pytest.raises(UsageError, match="must leave at least as many days to fit"):
        backtest.backtest(BrandTables((), (day,)), held_out=1)
