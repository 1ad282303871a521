"""Plots: a table in, axes out; each answers the question in its title."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from omnisim.canvas import COLOURS, GREY, INK, PALE, colour, font_names, new_axes, say, separate
from omnisim.errors import Fault, UsageError
from omnisim.vocabulary import COLUMNS, STATE_NAMES, STATES

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

Labels = Mapping[str, str]
"""Names of channels as the reader knows them."""
STEPS = (("impressions", "seed"), ("clicks", "seed"), ("visits", "convert"), ("orders", "convert"),
         ("repeat_orders", "repurchase"), ("referred_orders", "refer"))
"""Steps of the funnel: column of `daily`, stage of the loop."""
OF = {"clicks": "impressions", "orders": "visits", "repeat_orders": "orders", "referred_orders": "orders"}
"""What a step is a share of. Most visits come without a click, so they are a share of nothing."""
BANDS = (
    ("not reached", "#CFCFCF", ("unaware",)),
    ("seeded", "#56B4E9", ("exposed", "interested")),
    ("deciding", "#E69F00", ("searching", "consulting", "intent", "ordered", "in_fulfilment", "returning")),
    ("active customers", "#009E73", ("active", "member", "private", "repeat", "advocate")),
    ("asleep", "#7A5C7E", ("dormant", "lost")),
)
"""Stages of the state plot, by what they mean to the brand."""
SMOOTH = 7
"""Days of the moving mean of daily lines."""


def funnel(daily: pd.DataFrame, language: str = "en") -> Axes:
    """Where people are lost between an impression and an order, and what comes back.

    Parameters
    ----------
    daily : DataFrame  the `daily` table
    language : "en" or "zh"

    Notes
    -----
    Bars are logarithmic, as an order takes thousands of impressions; the figures beside them are exact.
    """
    counts = {name: int(daily[name].sum()) for name, _ in STEPS}
    answer = ""
    if counts["impressions"] and counts["visits"]:
        answer = say("Of 1,000 impressions {clicks:,.1f} are clicked; of 1,000 visits {orders:,.1f} end in an order",
                     language).format(clicks=1000 * counts["clicks"] / counts["impressions"],
                                      orders=1000 * counts["orders"] / counts["visits"])
    axes = new_axes(say("Where do we lose people on the way to an order?", language), answer, (9.0, 4.6))
    stages = list(dict.fromkeys(stage for _, stage in STEPS))
    lengths = np.log10(np.maximum(np.array(list(counts.values()), float), 1)) + 0.15
    for place, (name, stage) in enumerate(STEPS):
        count = counts[name]
        axes.barh(place, lengths[place], color=COLOURS[stages.index(stage)], height=0.62)
        _write(axes, lengths[place] + 0.08, place, f"{count:,}", va="center", fontsize=13, color=INK)
        if (above := OF.get(name)) and counts[above]:
            kept = say("{share} of {what}", language).format(share=_percent(count / counts[above]),
                                                             what=_word(above, language))
            _write(axes, lengths[place] + 0.08, place + 0.36, kept, va="center", fontsize=9, color=GREY)
    axes.set_yticks(range(len(STEPS)), [f"{_word(name, language)}\n" for name, _ in STEPS], fontsize=11.5, color=INK)
    for place, (_, stage) in enumerate(STEPS):
        axes.annotate(say(stage, language), (0, place), (-4, -9), textcoords="offset points", ha="right", va="center",
                      fontsize=9.5, color=COLOURS[stages.index(stage)], fontfamily=font_names())
    axes.set_xlim(0, max(lengths) * 1.22)
    axes.set_xticks([])
    axes.set_xlabel(say("length of bars: logarithmic", language), fontsize=8.5, color=GREY, fontfamily=font_names())
    axes.invert_yaxis()
    axes.spines["bottom"].set_visible(False)
    return axes


def daily(daily: pd.DataFrame, measure: str = "orders", labels: Labels | None = None, language: str = "en") -> Axes:
    """What each channel brings from day to day: weekly means as lines, single days faint, campaigns shaded.

    Raises
    ------
    UsageError  for a measure that is no numeric column of `daily`
    """
    numeric = list(daily.select_dtypes("number").columns)
    if measure not in numeric:
        raise UsageError(Fault("plot.daily", "measure", measure, "must be a numeric column of the table `daily`",
                               f"Choose one of {', '.join(numeric)}."))
    wide = daily.pivot(index="date", columns="channel", values=measure)[list(daily["channel"].unique())]
    total = wide.sum(axis=1)
    answer = say("All channels: {mean} a day, best day {best}", language).format(
        mean=_short(total.mean()), best=f"{total.idxmax():%Y-%m-%d}") if len(wide) and COLUMNS[measure].unit in _ADDS \
        else say("Line: mean of {days} days", language).format(days=SMOOTH)
    axes = new_axes(say("Daily {what}: which channel brings how much?", language).format(
        what=_word(measure, language)), answer)
    smooth = wide.rolling(SMOOTH, min_periods=1).mean()
    dates = wide.index.to_numpy()
    for place, name in enumerate(wide.columns):
        ink, dash = colour(place)
        axes.plot(dates, wide[name].to_numpy(), color=ink, alpha=0.22, linewidth=0.7)
        axes.plot(dates, smooth[name].to_numpy(), color=ink, linestyle=dash, linewidth=2.2)
    low, high = float(np.nanmin(wide.to_numpy(), initial=0)), float(np.nanmax(wide.to_numpy(), initial=0)) or 1.0
    axes.set_ylim(min(0.0, low), high * 1.05)
    ends = separate([float(value) for value in smooth.iloc[-1].fillna(0)], (high - min(0.0, low)) * 0.05)
    for place, (name, end) in enumerate(zip(wide.columns, ends, strict=True)):
        axes.annotate((labels or {}).get(name, name), (1, end), (6, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", va="center", color=colour(place)[0], fontsize=10.5,
                      fontfamily=font_names(), annotation_clip=False)
    _shade_campaigns(axes, daily)
    _thousands(axes.yaxis)
    _dates(axes, dates)
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def states(stages: pd.DataFrame, language: str = "en") -> Axes:
    """Where the market's people stand over time: bands of stages, widest band first.

    Parameters
    ----------
    stages : DataFrame  the `stages` table
    """
    population = int(stages[list(STATE_NAMES)].iloc[0].sum())
    shares = {name: stages[list(members)].sum(axis=1).to_numpy() / population for name, _, members in BANDS}
    answer = say("{now} of {people} people are active customers at the end, {then} at the start", language).format(
        now=_percent(shares["active customers"][-1]), then=_percent(shares["active customers"][0]),
        people=f"{population:,}")
    axes = new_axes(say("Where does the market stand, and does it move towards us?", language), answer)
    dates = stages["date"].to_numpy()
    edge = np.zeros(len(dates))
    middles = []
    # nearest to the brand at the bottom, so that its growth is seen against a straight line
    bands = [BANDS[k] for k in (3, 2, 1, 4, 0)]
    for name, ink, _ in bands:
        axes.fill_between(dates, edge, edge + shares[name], color=ink, linewidth=0)
        middles.append(float(edge[-1] + shares[name][-1] / 2))
        edge = edge + shares[name]
        axes.plot(dates, edge, color="white", linewidth=0.8)
    for (name, _, members), place in zip(bands, separate(middles, 0.12), strict=True):
        note = f"{say(name, language)} {_percent(shares[name][-1])}"
        _write(axes, 1.012, place + 0.018, note, transform=axes.transAxes, va="center", fontsize=10.5, color=INK)
        _write(axes, 1.012, place - 0.006, _listed(members, language),
               transform=axes.transAxes, va="top", fontsize=7.5, color=GREY)
    axes.set_ylim(0, 1)
    axes.margins(x=0)
    axes.yaxis.set_major_formatter(lambda share, _: f"{100 * share:.0f} %")
    _dates(axes, dates)
    return axes


def flows(flows: pd.DataFrame, labels: Labels | None = None, language: str = "en") -> Axes:
    """Which channel leads people to which: visits, and their share of all that the channel leads on."""
    names = list(flows["from_channel"].unique())
    size = len(names)
    visits = flows["visits"].to_numpy().reshape(size, size)
    shares = np.nan_to_num(flows["share"].to_numpy(float).reshape(size, size))
    shown = [(labels or {}).get(name, name) for name in names]
    if visits.sum():
        best = np.unravel_index(int(visits.argmax()), visits.shape)
        answer = say("Most go from {source} to {target}: {visits} visits, {orders} orders", language).format(
            source=shown[best[0]], target=shown[best[1]], visits=f"{visits.max():,}",
            orders=f"{flows['orders'].to_numpy().reshape(size, size)[best]:,}")
    else:
        answer = say("No channel led anybody to another", language)
    axes = new_axes(say("Which channel leads people to which other?", language), answer,
                    (max(6.4, 2.6 + 1.1 * size), max(4.2, 1.8 + 0.8 * size)))
    # the square root, or the largest flow would leave the others pale
    _heat(axes, np.sqrt(visits), [
        [f"{visits[a, b]:,}\n{_percent(shares[a, b])}" if visits[a, b] else "–" for b in range(size)]
        for a in range(size)
    ])
    axes.set_xticks(range(size), shown)
    axes.set_yticks(range(size), shown)
    axes.set_xlabel(say("to", language), color=GREY, fontfamily=font_names())
    axes.set_ylabel(say("from", language), color=GREY, fontfamily=font_names())
    return axes


def cohorts(cohorts: pd.DataFrame, language: str = "en") -> Axes:
    """How many customers of each first month order again in the months after; whole months, last 18 cohorts."""
    whole = cohorts[cohorts["complete"] & (cohorts["age"] > 0) & (cohorts["buyers"] > 0)]
    wide = (whole.assign(share=whole["active"] / whole["buyers"]).pivot(index="cohort", columns="age", values="share")
            .sort_index().iloc[-18:].iloc[:, :18])
    answer = ""
    if 3 in wide.columns:
        third = whole[whole["age"] == 3]
        answer = say("In the third month after, {share} of them order", language).format(
            share=_percent(third["active"].sum() / third["buyers"].sum()))
    rows, ages = wide.shape
    axes = new_axes(say("Do customers come back in the months after their first order?", language), answer,
                    (max(7.0, 2.4 + 0.52 * ages), max(4.0, 1.8 + 0.3 * rows)))
    values = wide.to_numpy(float)
    _heat(axes, values, [[f"{100 * v:.1f}" if np.isfinite(v) else "" for v in row] for row in values], fontsize=8)
    axes.set_xticks(range(ages), [str(age) for age in wide.columns])
    axes.set_yticks(range(rows), list(wide.index))
    axes.set_xlabel(say("months since the first order (cells: % of the customers who order in that month)", language),
                    color=GREY, fontfamily=font_names())
    axes.set_ylabel(say("month of the first order", language), color=GREY, fontfamily=font_names())
    return axes


_ADDS = ("visit", "user", "order", "currency", "customer", "impression", "unit", "seat")
"""Units of measures that may be summed over channels."""


def _heat(axes: Axes, values: Any, notes: list[list[str]], fontsize: float = 9.5) -> None:
    """A matrix as coloured cells with notes that stay legible on them."""
    if not values.size:
        return
    top = float(np.nanmax(values, initial=0)) or 1.0
    axes.imshow(values, cmap="Blues", vmin=0, vmax=top * 1.15, aspect="auto")
    for row, line in enumerate(notes):
        for column, note in enumerate(line):
            dark = values[row, column] > 0.6 * top
            _write(axes, column, row, note, ha="center", va="center", fontsize=fontsize,
                  color="white" if dark else INK)
    for edge in range(1, values.shape[0]):
        axes.axhline(edge - 0.5, color="white", linewidth=1.2)
    for edge in range(1, values.shape[1]):
        axes.axvline(edge - 0.5, color="white", linewidth=1.2)
    for side in axes.spines.values():
        side.set_visible(False)


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    """Text at a place, in the font of the plots."""
    axes.text(x, y, text, fontfamily=font_names(), **style)


def _shade_campaigns(axes: Axes, daily: pd.DataFrame) -> None:
    """Shade the days with a note and name the first of them."""
    notes = daily[daily["note"] != ""].groupby("date")["note"].first()
    day = np.timedelta64(86_400, "s")
    yesterday, previous = None, ""
    for date, note in zip(notes.index.to_numpy(), notes.to_list(), strict=True):
        axes.axvspan(date - day / 2, date + day / 2, color="#F3E9C6", linewidth=0, zorder=0)
        if note != previous or date - yesterday != day:
            axes.annotate(note, (date, 1), (2, -3), xycoords=("data", "axes fraction"), textcoords="offset points",
                          va="top", fontsize=8.5, color=GREY, fontfamily=font_names())
        yesterday, previous = date, note


def _dates(axes: Axes, dates: Any) -> None:
    """Dates in figures, which read the same in every language."""
    from matplotlib.dates import AutoDateLocator, DateFormatter

    span = int((dates[-1] - dates[0]) / np.timedelta64(86_400, "s")) if len(dates) else 0
    axes.xaxis.set_major_locator(AutoDateLocator(minticks=3, maxticks=9))  # type: ignore[no-untyped-call]
    form = "%Y-%m" if span > 100 else "%m-%d"
    axes.xaxis.set_major_formatter(DateFormatter(form))  # type: ignore[no-untyped-call]
    axes.margins(x=0)


def _thousands(axis: Any) -> None:
    """Numbers as 12,000 on an axis."""
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 10 or value == 0 else f"{value:.3g}")


def _word(name: str, language: str) -> str:
    """A column's name for readers."""
    return COLUMNS[name].zh if language == "zh" else name.replace("_", " ")


def _listed(members: tuple[str, ...], language: str) -> str:
    """Names of stages in lines of three."""
    zh = language == "zh"
    names = [state.zh if zh else state.name.replace("_", " ") for state in STATES if state.name in members]
    return "\n".join(("、" if zh else ", ").join(names[k:k + 3]) for k in range(0, len(names), 3))


def _percent(share: float) -> str:
    """A share with two or three figures."""
    return f"{100 * share:.1f} %" if share >= 0.01 or share == 0 else f"{100 * share:.2g} %"


def _short(value: float) -> str:
    """A number as a reader wants it."""
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.2g}"
