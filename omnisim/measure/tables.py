"""The tables of a result: books in, one pandas frame a table out."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omnisim.books import HOUR, LINES, MEASURES, MOVES, ORIGINS, SEGMENT, STOCK
from omnisim.measure.cohorts import cohorts
from omnisim.measure.journeys import journeys
from omnisim.measure.profit import figures, to_currency
from omnisim.measure.windows import (
    Window,
    baseline_window,
    dates,
    month_name,
    month_of,
    ratio,
    run_window,
    shown_channels,
)
from omnisim.vocabulary import STATE_INDEX, STATE_NAMES, STATES, TRANSITIONS

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.books import Books
    from omnisim.scenario.model import Scenario

DAILY = ("visits", "new_users", "orders", "gmv", "aov", "cost", "roi", "note", "new_customers", "unique_visitors",
         "cost_per_new_user", "cac", "roi_profit")
CHANNELS = ("monthly_uv", "cvr", "aov", "gmv", "orders", "new_users", "new_customers", *LINES, "profit", "days",
            "visits", "cost", "roi", "roi_profit", "cost_per_new_user", "cac")


def daily(scenario: Scenario, books: Books, window: Window | None = None) -> pd.DataFrame:
    """What each channel did each day: the brand's daily monitoring table and more.

    Parameters
    ----------
    window : Window  days to show; the reported days if left out

    Notes
    -----
    cost = media + content + labour of the day; ``note`` names the campaigns of the day on that channel.
    """
    import pandas as pd

    window = window or run_window(books)
    shown = shown_channels(scenario)
    days = dates(scenario, window.first, window.stop)
    tallies = books.daily[window.first:window.stop, [k for k, _ in shown]]
    values = figures(tallies)
    values["note"] = _notes(scenario, window, [name for _, name in shown])
    order = (*DAILY, *(name for name in (*MEASURES, "profit") if name not in DAILY))
    return pd.DataFrame({
        "date": np.repeat(days, len(shown)),
        "channel": _text([name for _, name in shown] * len(days)),
        **{name: values[name].reshape(-1) for name in order},
    }).astype({"note": "str"})


def _notes(scenario: Scenario, window: Window, names: list[str]) -> Any:
    """Names of the campaigns that run on each day and channel."""
    days = dates(scenario, window.first, window.stop).astype("datetime64[D]")
    notes = np.full((len(days), len(names)), "", dtype=object)
    for campaign in scenario.calendar.campaigns:
        on = (days >= np.datetime64(campaign.start)) & (days <= np.datetime64(campaign.end))
        for c, name in enumerate(names):
            if not isinstance(campaign.factor, dict) or name in campaign.factor:
                notes[on, c] = [f"{note}; {campaign.name}" if note else campaign.name for note in notes[on, c]]
    return notes


def channels(scenario: Scenario, books: Books) -> pd.DataFrame:
    """Each channel's state before the run (`baseline`) and over it (`run`), with its profit and loss.

    Notes
    -----
    monthly_uv = mean of distinct visitors over the window's whole 30-day blocks, counted back from its last day;
    cvr = (orders / days × 30) / monthly_uv; counts and money are sums over the window.
    """
    import pandas as pd

    return pd.concat([_window(scenario, books, window) for window in (baseline_window(books), run_window(books))],
                     ignore_index=True)


def _window(scenario: Scenario, books: Books, window: Window) -> pd.DataFrame:
    import pandas as pd

    shown = shown_channels(scenario)
    tallies = books.daily[:, [k for k, _ in shown]]
    values = figures(tallies[window.first:window.stop].sum(axis=0))
    visitors = figures(tallies[window.block_days].sum(axis=0))["unique_visitors"]
    values["monthly_uv"] = ratio(visitors, window.blocks)
    values["cvr"] = ratio(ratio(values["orders"] * 30, window.days), values["monthly_uv"])
    values["days"] = np.full(len(shown), window.days)
    order = (*CHANNELS, *(name for name in MEASURES if name not in CHANNELS and name != "unique_visitors"))
    return pd.DataFrame({
        "window": _text([window.name] * len(shown)),
        "channel": _text([name for _, name in shown]),
        **{name: values[name] for name in order},
    })


def stages(scenario: Scenario, books: Books) -> pd.DataFrame:
    """How many people stood in each stage at midnight; every row sums to the population."""
    import pandas as pd

    window = run_window(books)
    return pd.DataFrame({
        "date": dates(scenario, window.first, window.stop),
        **{name: books.stages[window.first:window.stop, k] for k, name in enumerate(STATE_NAMES)},
    })


def transitions(scenario: Scenario, books: Books) -> pd.DataFrame:
    """How often each of the 39 moves between stages happened, by month."""
    import pandas as pd

    window = run_window(books)
    months, place = np.unique(month_of(scenario, window.first, window.stop), return_inverse=True)
    counts = np.zeros((len(months), len(TRANSITIONS)), np.int64)
    np.add.at(counts, place, books.transitions[window.first:window.stop])
    return pd.DataFrame({
        "month": _text(np.repeat([month_name(int(month)) for month in months], len(TRANSITIONS))),
        "id": _text([move.id for move in TRANSITIONS] * len(months)),
        "count": counts.reshape(-1),
        "from_stage": _text([STATES[STATE_INDEX[move.source]].name for move in TRANSITIONS] * len(months)),
        "to_stage": _text([STATES[STATE_INDEX[move.target]].name for move in TRANSITIONS] * len(months)),
        "trigger": _text([move.trigger for move in TRANSITIONS] * len(months)),
    })


def flows(scenario: Scenario, books: Books) -> pd.DataFrame:
    """Whom each channel led to which other channel; ``share`` is of all visits that it led on."""
    import pandas as pd

    shown = shown_channels(scenario)
    places = [k for k, _ in shown]
    led = books.flows[np.ix_(places, places)]
    exits = led[:, :, 0].sum(axis=1, keepdims=True)
    return pd.DataFrame({
        "from_channel": _text([name for _, name in shown for _ in shown]),
        "to_channel": _text([name for _ in shown for _, name in shown]),
        "visits": led[:, :, 0].reshape(-1),
        "orders": led[:, :, 1].reshape(-1),
        "share": ratio(led[:, :, 0], exits).reshape(-1),
    })


def stock(scenario: Scenario, books: Books, window: Window | None = None) -> pd.DataFrame:
    """What lay where at midnight and what moved that day, in units."""
    return _by_place(scenario, books, window, books.stock, STOCK)


def moves(scenario: Scenario, books: Books, window: Window | None = None) -> pd.DataFrame:
    """What the back end did: units ordered, sent on, late, oversold, switched, substituted, picked up, expired."""
    return _by_place(scenario, books, window, books.moves, MOVES)


def _by_place(scenario: Scenario, books: Books, window: Window | None, units: NDArray[np.int64],
              names: Sequence[str]) -> pd.DataFrame:
    """Units (days, nodes, skus, names) of a window as rows of date, node and sku."""
    import pandas as pd

    window = window or run_window(books)
    tallies = units[window.first:window.stop]
    days, nodes, skus = tallies.shape[:3]
    return pd.DataFrame({
        "date": np.repeat(dates(scenario, window.first, window.stop), nodes * skus),
        "node": _text(np.repeat(scenario.supply.places, skus).tolist() * days),
        "sku": _text(list(scenario.products) * (days * nodes)),
        **{name: tallies[..., k].reshape(-1) for k, name in enumerate(names)},
    })


def deliveries(scenario: Scenario, books: Books) -> pd.DataFrame:
    """How long orders of the reported days take to reach consumers, by node and channel; from the order lines. An order
    that comes in several parcels counts in each."""
    import pandas as pd

    lines = books.orders[books.orders["delivered"] >= 0]
    if lines["line"].any():
        _, first = np.unique(lines[["order_id", "node", "day"]], return_index=True)
        lines = lines[np.sort(first)]
    days = lines["delivered"] - lines["day"]
    keys, where = np.unique(np.stack([lines["node"], lines["channel"], days]), axis=1, return_inverse=True)
    counted = np.bincount(where.reshape(-1), weights=lines["weight"], minlength=keys.shape[1]).astype(np.int64)
    of_channel = np.zeros((len(scenario.supply.places), len(scenario.channels)), np.int64)
    np.add.at(of_channel, (keys[0], keys[1]), counted)
    return pd.DataFrame({
        "node": _pick(scenario.supply.places, keys[0]),
        "channel": _pick(list(scenario.channels), keys[1]),
        "days": keys[2].astype(np.int64),
        "orders": counted,
        "share": ratio(counted, of_channel[keys[0], keys[1]]),
    })


def hours(scenario: Scenario, books: Books) -> pd.DataFrame:
    """Visits, orders and cancellations hour by hour, on days with broadcasts."""
    import pandas as pd

    days, channels = books.live_days.size, len(scenario.channels)
    start = np.datetime64(scenario.horizon.start, "s")
    return pd.DataFrame({
        "date": np.repeat(start + books.live_days * np.timedelta64(86_400, "s"), channels * 24),
        "channel": _text(np.repeat(list(scenario.channels), 24).tolist() * days),
        "hour": np.tile(np.arange(24), days * channels),
        **{name: books.hours[..., k].reshape(-1) for k, name in enumerate(HOUR)},
    })


def orders(scenario: Scenario, books: Books) -> pd.DataFrame:
    """The order lines of the reported days; above a million, those of a sample of consumers with their weight."""
    import pandas as pd

    lines = books.orders
    start = np.datetime64(scenario.horizon.start, "s")
    day = np.timedelta64(86_400, "s")
    delivered, came_back = (np.where(lines[name] >= 0, start + lines[name] * day, np.datetime64("NaT", "s"))
                            for name in ("delivered", "returned"))
    return pd.DataFrame({
        "order_id": lines["order_id"],
        "consumer": lines["consumer"],
        "date": start + lines["day"] * day,
        "minute": lines["minute"],
        "channel": _pick(list(scenario.channels), lines["channel"]),
        "origin": _pick(ORIGINS, lines["origin"]),
        "sku": _pick(list(scenario.products), lines["sku"]),
        "quantity": lines["quantity"],
        "price": to_currency(lines["price"]),
        "discount": to_currency(lines["discount"]),
        "margin": to_currency(lines["margin"]),
        "node": _pick(scenario.supply.places, lines["node"]),
        "delivered": delivered,
        "returned": came_back,
        "weight": lines["weight"],
        "number": lines["number"],
        "line": lines["line"].astype(np.int64) + 1,
    })


def decisions(scenario: Scenario, books: Books) -> pd.DataFrame:
    """What the policy saw and changed at each review, in words or as JSON."""
    import pandas as pd

    made = books.decisions
    start = np.datetime64(scenario.horizon.start, "s")
    days = np.array([int(str(one["day"])) for one in made], np.int64)
    return pd.DataFrame({
        "date": start + days * np.timedelta64(86_400, "s"),
        "policy": _text([str(one["policy"]) for one in made]),
        "saw": _text([_in_words(one["saw"]) for one in made]),
        "changed": _text([_in_words(one["changed"]) for one in made]),
    })


def segments(scenario: Scenario, books: Books) -> pd.DataFrame:
    """What each group of consumers did over the reported days."""
    import pandas as pd

    named = dict(zip(SEGMENT, books.segments.T, strict=True))
    return pd.DataFrame({
        "segment": _text([segment.name for segment in scenario.population.segments]),
        "target_share": np.array([segment.share for segment in scenario.population.segments]),
        "share": ratio(named["consumers"], named["consumers"].sum()),
        "consumers": named["consumers"],
        "visits": named["visits"],
        "orders": named["orders"],
        "gmv": to_currency(named["gmv"]),
        "new_customers": named["new_customers"],
    })


TABLES: dict[str, Callable[[Scenario, Books], pd.DataFrame]] = {
    "daily": daily, "channels": channels, "stages": stages, "transitions": transitions, "flows": flows,
    "journeys": journeys, "cohorts": cohorts, "stock": stock, "moves": moves, "hours": hours, "deliveries": deliveries,
    "orders": orders, "decisions": decisions,
    "segments": segments,
}
"""Every table by its name, in the order of the contract."""


def _pick(names: tuple[str, ...] | list[str], places: Any) -> Any:
    """The names at these places, as a text column."""
    return _text(np.asarray(names, dtype=object)[places])


def _text(values: Any) -> Any:
    """A text column, of the same type when it is empty."""
    import pandas as pd

    return pd.array(values, dtype="str")


def _in_words(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, sort_keys=True, default=str)
