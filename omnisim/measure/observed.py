"""What a policy reads of the books so far: the tables of a result, and the brand's past before the first day."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnisim.books import MEASURE, MOVES
from omnisim.measure.profit import CENTS, SPENT, STATEMENT
from omnisim.measure.tables import TABLES, moves, stock
from omnisim.measure.windows import Window, baseline_window, dates, shown_channels

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.books import Books
    from omnisim.review import Reader
    from omnisim.scenario.model import Scenario

COUNTED = ("visits", "orders", "new_customers", "unique_visitors", "impressions", "clicks", "searches",
           "repeat_orders", "units", "lost_units")
"""Counts of a history."""


def history(scenario: Scenario, books: Books) -> pd.DataFrame:
    """Day × channel from the last 90 days of the warm-up to the last day in the books.

    Returns
    -------
    DataFrame  date, channel, `COUNTED`, gmv, media, cost, contribution: money in currency, cost = media + content +
    labour, contribution = gmv less returns, goods, commission, fees, logistics and service, before any cost
    """
    import pandas as pd

    first, stop = baseline_window(books).first, books.warm_up + books.days
    shown = shown_channels(scenario)
    tallies = books.daily[first:stop, [k for k, _ in shown]].reshape(-1, books.daily.shape[2])
    money = {name: tallies[:, [MEASURE[line] for line in lines]].sum(axis=1) / CENTS for name, lines in (
        ("gmv", ("gmv",)), ("media", ("media",)), ("cost", SPENT),
        ("contribution", [line for line in STATEMENT if line not in (*SPENT, "fixed")]))}
    names = [name for _, name in shown]
    return pd.DataFrame({
        "date": np.repeat(dates(scenario, first, stop), len(names)),
        "channel": pd.Categorical(names * (stop - first), categories=names),
        **{name: tallies[:, MEASURE[name]] for name in COUNTED},
        "gmv": money["gmv"], "media": 0.0 - money["media"], "cost": 0.0 - money["cost"],
        "contribution": money["contribution"],
    })


def stock_history(scenario: Scenario, books: Books) -> pd.DataFrame:
    """Day × node × sku from the first day of the warm-up to the last day in the books: the columns of `stock` and
    `moves`."""
    window = Window("all", 0, books.warm_up + books.days)
    found = stock(scenario, books, window)
    more = moves(scenario, books, window)
    return found.assign(**{name: more[name] for name in MOVES})


def reader(scenario: Scenario) -> Reader:
    """Makes the tables that a policy asks for out of the books so far."""
    makers = TABLES | {"history": history, "stock_history": stock_history}

    def read(books: Books, table: str) -> pd.DataFrame:
        return makers[table](scenario, books)

    return read
