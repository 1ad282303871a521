"""The figures of a result: each with its unit, formula and 95 % interval."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.books import MEASURE, MEASURES, STOCK
from omnisim.measure import intervals, stock_cost
from omnisim.measure.cohorts import cohorts, private_repeat_rate, repeat_rate, value_12_months
from omnisim.measure.intervals import Interval
from omnisim.measure.loyalty import lifetime_value
from omnisim.measure.profit import CENTS, MONEY, SPENT, STATEMENT
from omnisim.measure.windows import ratio, run_window, shown_channels
from omnisim.vocabulary import STATE_NAMES

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.books import Books
    from omnisim.scenario.model import Scenario

Totals = Mapping[str, float]
"""Sums over the reported days and all channels, money in currency."""
YEAR = 365
DECIDED = ("budget", *SPENT, "fixed")
"""Measures that belong to no consumer."""


class Kpi(NamedTuple):
    """A figure made of totals: name, unit, formula in words, and the formula."""

    name: str
    unit: str
    formula: str
    of: Callable[[Totals], float]


def _sum(name: str, unit: str, formula: str) -> Kpi:
    return Kpi(name, unit, formula, lambda t: t[name])


def _ratio(name: str, unit: str, above: str, below: str) -> Kpi:
    return Kpi(name, unit, f"{above} / {below}", lambda t: float(ratio(t[above], t[below])))


def _cost_ratio(name: str, unit: str, below: str) -> Kpi:
    return Kpi(name, unit, f"cost / {below}; null without cost",
               lambda t: float(ratio(t["cost"], t[below])) if t["cost"] else float("nan"))


OF_TOTALS = (
    _sum("gmv", "currency", "paid after discounts, before returns"),
    _sum("orders", "order", "orders filled"),
    _ratio("aov", "currency/order", "gmv", "orders"),
    _sum("visits", "visit", "consumers with a visit, by day and channel"),
    _sum("monthly_uv", "visitor/month", "distinct visitors, mean of whole 30-day blocks, summed over channels"),
    Kpi("cvr", "order/visitor", "(orders / days × 30) / monthly_uv",
        lambda t: float(ratio(t["orders"] / t["days"] * 30, t["monthly_uv"]))),
    _ratio("orders_per_visit", "order/visit", "orders", "visits"),
    _sum("new_customers", "customer", "first orders"),
    _sum("new_users", "user", "first visits in 60 days that register, by channel"),
    _cost_ratio("cac", "currency/customer", "new_customers"),
    _cost_ratio("cost_per_new_user", "currency/user", "new_users"),
    _ratio("roi", "x", "gmv", "cost"),
    _ratio("roi_profit", "x", "profit", "cost"),
    _sum("profit", "currency", "gmv plus the signed profit-and-loss lines"),
    _ratio("profit_margin", "share", "profit", "gmv"),
    Kpi("contribution_margin", "share", "(profit before media, content, labour and fixed fees) / gmv",
        lambda t: float(ratio(t["contribution"], t["gmv"]))),
    Kpi("media", "currency", "money spent on media", lambda t: 0.0 - t["media"]),
    Kpi("unspent_budget", "currency", "budget − media", lambda t: t["budget"] + t["media"]),
    _sum("cost", "currency", "media + content + labour"),
    _ratio("repeat_order_share", "share", "repeat_orders", "orders"),
    _sum("win_back_orders", "order", "orders by lapsed customers"),
    _ratio("referred_order_share", "share", "referred_orders", "orders"),
    Kpi("k_factor", "customer/customer", "accepted invitations / new_customers",
        lambda t: float(ratio(t["referred_orders"], t["new_customers"]))),
    _sum("private_members", "seat", "seats taken at the last midnight"),
    Kpi("private_share", "share", "private_members / everybody who ever ordered",
        lambda t: float(ratio(t["private_members"], t["customers"]))),
    _ratio("lines_per_order", "line/order", "lines", "orders"),
    _ratio("units_per_order", "unit/order", "units", "orders"),
    _ratio("return_rate", "share", "returned_lines", "lines"),
    Kpi("fill_rate", "share", "units / (units + lost_units)",
        lambda t: float(ratio(t["units"], t["units"] + t["lost_units"]))),
    Kpi("seed_rate", "visit/impression", "visits / impressions", lambda t: float(ratio(t["visits"], t["impressions"]))),
    Kpi("convert_rate", "order/visit", "orders / visits", lambda t: float(ratio(t["orders"], t["visits"]))),
    Kpi("retain_rate", "seat/order", "joins / orders", lambda t: float(ratio(t["joins"], t["orders"]))),
    Kpi("path_rate", "seat/impression", "joins / impressions = seed_rate × convert_rate × retain_rate",
        lambda t: float(ratio(t["joins"], t["impressions"]))),
)
"""Figures that the jackknife can vary."""

REPEATS = {"repeat_rate_30d": 30, "repeat_rate_90d": 90, "repeat_rate_12m": YEAR}
"""Repeat rates, by days allowed for the second order."""

OF_STATE = {
    **{name: ("share", f"new customers with a second order within {days} days (Kaplan–Meier, reported days)")
       for name, days in REPEATS.items()},
    "private_repeat_rate_90d": ("share", "buyers on the community's channel who order again, anywhere, within 90 days"),
    "retention": ("share", "people in the stages ordered … advocate at the last midnight / everybody who ever ordered"),
    "dormant_share": ("share", "dormant + lost at the last midnight / everybody who ever ordered"),
    "interest_share": ("share", "(interested + searching + consulting + intent) / population at the last midnight"),
    "ltv_12m": ("currency/customer", "contribution_margin × gmv a customer over the first 12 months (all cohorts)"),
    "clv_36m": ("currency/customer", "contribution_margin × aov × (1 + repeat orders of the BG/NBD in 36 months, "
                "discounted by 10 % a year)"),
    "stock_cost": ("currency", "capital and storage of stock + orders + moving + express + lost margin + thrown away"),
    "stock_turns": ("1/year", "cost of units filled a year / mean stock on hand at cost"),
}
"""Figures made otherwise: unit and formula."""


KPIS = (*(kpi.name for kpi in OF_TOTALS), *OF_STATE)
"""Names of all figures."""

SIGNED = ("profit", "roi_profit", "profit_margin", "contribution_margin", "ltv_12m", "clv_36m", "gmv")
"""Figures that may be negative; the interval of another ends at 0."""


def kpis(scenario: Scenario, runs: Sequence[Books]) -> pd.DataFrame:
    """All figures of one or several replications.

    Parameters
    ----------
    runs : sequence of Books  replications of the same scenario and plan

    Returns
    -------
    DataFrame  kpi, value, unit, low, high, formula, interval

    Notes
    -----
    One run: jackknife over 20 consumer groups (Wilson for shares of people, Greenwood for the repeat rate). Several:
    mean and Student interval over the seeds. ``interval`` says which.
    """
    import pandas as pd

    found = [measure(scenario, books) for books in runs]
    units = {kpi.name: (kpi.unit, kpi.formula) for kpi in OF_TOTALS} | OF_STATE
    rows = []
    for name, one in found[0].items():
        shown = one if len(found) == 1 else intervals.over_seeds([each[name].value for each in found])
        unit, formula = units[name]
        unit = unit.replace("currency", scenario.currency)
        low = shown.low if name in SIGNED else max(shown.low, 0.0)
        high = min(shown.high, 1.0) if unit == "share" else shown.high
        rows.append((name, shown.value, unit, low, high, formula, shown.method))
    return pd.DataFrame(rows, columns=["kpi", "value", "unit", "low", "high", "formula", "interval"])


def figures(scenario: Scenario, books: Books, names: Sequence[str]) -> list[float]:
    """Some figures of one run, as :func:`measure` gives them, without intervals: what thousands of runs keep."""
    whole, _ = totals(scenario, books)
    known = {kpi.name: kpi.of for kpi in OF_TOTALS}
    makers = _makers(scenario, books, known["contribution_margin"](whole), known["aov"](whole))
    return [float(known[name](whole)) if name in known else makers[name]().value for name in names]


def measure(scenario: Scenario, books: Books) -> dict[str, Interval]:
    """All figures of one run with their intervals."""
    whole, parts = totals(scenario, books)
    found = {kpi.name: intervals.over_groups(kpi.of, whole, parts) for kpi in OF_TOTALS}
    makers = _makers(scenario, books, found["contribution_margin"].value, found["aov"].value)
    return found | {name: make() for name, make in makers.items()}


def _makers(scenario: Scenario, books: Books, margin: float, aov: float) -> dict[str, Callable[[], Interval]]:
    """What makes each figure that is not made of totals, in the order of OF_STATE."""
    scale = scenario.population.scale

    def repeats(within: int) -> Interval:
        again = repeat_rate(books.second, (0, books.days), within=within, scale=scale)
        return Interval(*again, "greenwood" if np.isfinite(again.low) else "none (no data)")

    return {
        **{name: partial(repeats, within) for name, within in REPEATS.items()},
        "private_repeat_rate_90d": lambda: _private_repeat_rate(scenario, books),
        **{name: partial(make, books, scale) for name, make in OF_STAGES.items()},
        "ltv_12m": lambda: intervals.without(margin * value_12_months(cohorts(scenario, books))),
        "clv_36m": lambda: intervals.without(lifetime_value(margin * aov, scenario.brand.repurchase)),
        "stock_cost": lambda: intervals.without(stock_cost.total(scenario, books)),
        "stock_turns": lambda: intervals.without(_stock_turns(scenario, books)),
    }


def totals(scenario: Scenario, books: Books) -> tuple[Totals, list[Totals]]:
    """Totals of the reported days, and the same with each group of consumers left out in turn."""
    window = run_window(books)
    shown = [k for k, _ in shown_channels(scenario)]
    whole = books.daily[window.first:window.stop, shown].sum(axis=(0, 1))
    groups = books.groups[:, shown].sum(axis=1)
    # what the brand decides does not vary with its consumers, even where some of it is booked with them
    groups[:, [MEASURE[name] for name in DECIDED]] = 0
    parts = intervals.leave_one_out(whole, groups)
    unique = books.daily[window.block_days, :, MEASURE["unique_visitors"]][:, shown].sum()
    unique_parts = intervals.leave_one_out(unique, books.group_unique[:, shown].sum(axis=1))
    fixed = {
        "days": float(books.days),
        "customers": float(_customers(books)),
        # seats at the start of the reported days: taken before anybody of a group could join or leave in them
        "seats": _seats(books),
    }
    return (_named(whole, float(unique), window.blocks, fixed),
            [_named(part, float(one), window.blocks, fixed) for part, one in zip(parts, unique_parts, strict=True)])


def _named(sums: NDArray[np.int64] | NDArray[np.float64], unique: float, blocks: int,
           fixed: Mapping[str, float]) -> Totals:
    named = {name: float(sums[k]) / CENTS if name in MONEY else float(sums[k]) for k, name in enumerate(MEASURES)}
    # the sum of cents first: floats of currency would leave a trace in the last digits
    profit = float(sum(sums[MEASURE[name]] for name in STATEMENT)) / CENTS
    own = float(sum(sums[MEASURE[name]] for name in (*SPENT, "fixed"))) / CENTS
    return {
        **named,
        **fixed,
        "monthly_uv": float(ratio(unique, blocks)),
        "cost": 0.0 - float(sum(sums[MEASURE[name]] for name in SPENT)) / CENTS,
        "profit": profit,
        "contribution": profit - own,
        "private_members": fixed["seats"] + named["joins"] - named["leaves"],
    }


def _seats(books: Books) -> float:
    """Seats taken when the reported days begin."""
    before = books.daily[:books.warm_up].sum(axis=(0, 1))
    return float(books.first_seats + before[MEASURE["joins"]] - before[MEASURE["leaves"]])


def _customers(books: Books) -> int:
    """Everybody who ever ordered, before the run or in it."""
    return int(books.buyers.sum())


def _people(books: Books, *states: str) -> int:
    """People in some stages at the last midnight."""
    last = dict(zip(STATE_NAMES, books.stages[-1].tolist(), strict=True))
    return int(sum(last[name] for name in states))


def _retention(books: Books, scale: int) -> Interval:
    awake = _people(books, *STATE_NAMES[STATE_NAMES.index("ordered"):]) - _people(books, *ASLEEP)
    return intervals.wilson(min(awake, _customers(books)), _customers(books), scale)


def _dormant_share(books: Books, scale: int) -> Interval:
    return intervals.wilson(min(_people(books, *ASLEEP), _customers(books)), _customers(books), scale)


def _interest_share(books: Books, scale: int) -> Interval:
    return intervals.wilson(_people(books, *KEEN), _people(books, *STATE_NAMES), scale)


ASLEEP, KEEN = ("dormant", "lost"), ("interested", "searching", "consulting", "intent")
OF_STAGES = {"retention": _retention, "dormant_share": _dormant_share, "interest_share": _interest_share}
"""Shares of people at the last midnight."""


def _private_repeat_rate(scenario: Scenario, books: Books) -> Interval:
    """Who comes back among the buyers of the community's channel; null without one, or without order lines."""
    if scenario.community is None:
        return intervals.wilson(0, 0)
    place = list(scenario.channels).index(scenario.community.channel)
    again, buyers = private_repeat_rate(books.orders, place, books.days, within=REPEATS["repeat_rate_90d"])
    return intervals.wilson(again, buyers)


def _stock_turns(scenario: Scenario, books: Books) -> float:
    """Cost of units filled in a year over the mean stock on hand at cost."""
    run = books.stock[run_window(books).first:].sum(axis=1)
    cost = np.array([product.cost for product in scenario.products.values()])
    held = float((run[:, :, STOCK.index("on_hand")].mean(axis=0) * cost).sum())
    used = float((run[:, :, STOCK.index("filled")].sum(axis=0) * cost).sum())
    return float(ratio(used / books.days * YEAR, held))

