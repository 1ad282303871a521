"""The brand's own two tables, as its spreadsheets have them: channel status (T1) and daily monitoring (T3)."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

from omnisim.measure.windows import ratio
from omnisim.vocabulary import MONITORING_HEADERS, STATUS_HEADERS

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.scenario.model import Scenario

MONTH = 30
"""Days of the brand's month."""
WAN = 10_000


def channel_status(scenario: Scenario, channels: Sequence[pd.DataFrame], language: str = "en") -> str:
    """The channel status table (T1) as CSV: a month's mean of the window `baseline`, over all replications.

    Parameters
    ----------
    channels : sequence of DataFrame  the `channels` table of each replication
    language : "en" or "zh"  language of the header

    Notes
    -----
    What a simulation cannot know (coverage, main problem, score) stays empty.
    """
    baseline = [table[table["window"] == "baseline"].set_index("channel") for table in channels]
    rows = []
    for name in baseline[0].index:
        visitors, orders, sales, days = (float(np.mean([table.at[name, column] for table in baseline]))
                                         for column in ("monthly_uv", "orders", "gmv", "days"))
        gmv = ratio(sales * MONTH, days)
        rows.append((_label(scenario, name), name, "", "", plain(visitors, 0),
                     plain(ratio(ratio(orders * MONTH, days), visitors), 5),
                     plain(ratio(sales, orders), 2), plain(gmv, 2), in_words(gmv), "", "", ""))
    return _csv(_header(scenario, STATUS_HEADERS[language]), rows)


def daily_monitoring(scenario: Scenario, daily: pd.DataFrame, language: str = "en") -> str:
    """The daily monitoring table (T3) as CSV, for the days of the `daily` table."""
    rows = [
        (row["date"].date().isoformat(), _label(scenario, row["channel"]), row["channel"],
         plain(row["visits"], 0), plain(row["new_users"], 0), plain(row["orders"], 0), plain(row["gmv"], 2),
         plain(row["aov"], 2), plain(row["cost"], 2), plain(row["roi"], 2), row["note"] or "—", row["note"])
        for row in daily.to_dict("records")
    ]
    return _csv(_header(scenario, MONITORING_HEADERS[language]), rows)


def plain(value: float, digits: int) -> str:
    """A number without separators, exponent or trailing zeros; empty if there is none."""
    if math.isnan(value):
        return ""
    text = f"{value:.{digits}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def in_words(value: float) -> str:
    """An amount as the brand writes it: 12.6万."""
    return f"{plain(value / WAN, 2)}万" if value >= WAN else plain(value, 2)


def _label(scenario: Scenario, channel: str) -> str:
    """The channel's Chinese name, as the brand's table has it first."""
    return scenario.channels[channel].label_zh or scenario.channels[channel].label or channel


def _header(scenario: Scenario, names: Iterable[str]) -> list[str]:
    """The header, with the scenario's currency where the brand's table has CNY."""
    if scenario.currency == "CNY":
        return list(names)
    return [name.replace("_cny", f"_{scenario.currency.lower()}").replace("(元)", f"({scenario.currency})")
            for name in names]


def _csv(header: list[str], rows: Iterable[Iterable[str]]) -> str:
    """Lines as spreadsheets read them."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue()
