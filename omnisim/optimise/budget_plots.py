"""Pictures of a budget plan: money now and then, marginal returns, other budgets, curves with the plan on them."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from omnisim.canvas import COLOURS, GREY, INK, PALE, colour, font_names, new_axes, say, separate
from omnisim.errors import Fault, UsageError
from omnisim.response import respond

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from omnisim.optimise.problem import Problem
    from omnisim.response import Floats

MOST_BARS, MOST_LINES = 25, 8
"""Channels shown; the largest budgets come first."""


def budget(comparison: pd.DataFrame, gain: float, language: str = "en") -> Axes:
    """Budget by channel, now and then.

    Parameters
    ----------
    comparison : DataFrame  channel, today, budget
    gain : float  relative gain of the objective, NaN without a plan of today
    """
    rows = comparison.sort_values("budget", ascending=False, kind="stable").head(MOST_BARS)
    known = bool(rows["today"].notna().all())
    answer = say("{gain} more than today's plan brings", language).format(gain=_percent(gain)) \
        if math.isfinite(gain) and gain > 0 else ""
    axes = new_axes(say("Where should the money go?", language), answer, (9.0, 1.8 + 0.45 * len(rows)))
    places = np.arange(len(rows))
    if known:
        axes.barh(places + 0.19, rows["today"], 0.34, color=PALE, label=say("today", language))
    axes.barh(places - 0.19 * known, rows["budget"], 0.34 if known else 0.62, color=COLOURS[0],
              label=say("plan", language))
    reach = float(rows[["today", "budget"]].max().max()) or 1.0
    for place, (then, now) in enumerate(zip(rows["today"], rows["budget"], strict=True)):
        change = f"  {now / then - 1:+.0%}" if known and then > 0 else ""
        _write(axes, now + 0.01 * reach, place - 0.19 * known, f"{_short(now)}{change}", va="center", fontsize=9,
               color=INK)
    axes.set_yticks(places, list(rows["channel"]), fontsize=10.5, color=INK)
    axes.set_xlim(0, 1.18 * reach)
    axes.invert_yaxis()
    _thousands(axes.xaxis)
    axes.set_xlabel(say("budget of all periods", language), color=GREY, fontfamily=font_names())
    if known:
        axes.legend(loc="lower right", frameon=False, prop={"family": font_names()})
    return axes


def marginal(table: pd.DataFrame, price: float, language: str = "en") -> Axes:
    """What the next unit of money brings, by channel and period; a plan is best where those that can move are equal.

    Parameters
    ----------
    table : DataFrame  channel, period, budget, marginal
    price : float  shadow price of the total budget
    """
    largest = table.groupby("channel", sort=False)["budget"].sum().sort_values(ascending=False).index[:MOST_BARS]
    axes = new_axes(say("What would the next yuan bring, and where?", language),
                    say("Line: shadow price of the total budget, {price}", language).format(price=f"{price:.3g}"),
                    (9.0, 1.8 + 0.4 * len(largest)))
    for place, name in enumerate(largest):
        rows = table[table["channel"] == name]
        used = rows["budget"].to_numpy() > 0
        values = rows["marginal"].to_numpy()
        finite = np.isfinite(values)
        axes.scatter(values[used & finite], np.full((used & finite).sum(), place), color=COLOURS[0], s=26, alpha=0.6,
                     zorder=3)
        axes.scatter(values[~used & finite], np.full((~used & finite).sum(), place), facecolors="none",
                     edgecolors=GREY, s=26, zorder=3)
    axes.axvline(price, color=COLOURS[4], linewidth=1.2)
    axes.set_yticks(range(len(largest)), list(largest), fontsize=10.5, color=INK)
    axes.set_ylim(len(largest) - 0.5, -0.5)
    axes.set_xlabel(say("marginal return (dots: periods; hollow: nothing spent)", language), color=GREY,
                    fontfamily=font_names())
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def frontier(table: pd.DataFrame | None, spent: float, reached: float, language: str = "en") -> Axes:
    """What other budgets would bring.

    Raises
    ------
    UsageError  for a plan without a frontier
    """
    if table is None or not table["objective"].notna().any():
        raise UsageError(Fault("plot.frontier", "frontier", "", "is not part of this plan",
                               "Ask for it: om.allocate(…, frontier=20)."))
    known = table[table["objective"].notna()]
    axes = new_axes(say("What would a larger or smaller budget bring?", language),
                    say("The dot is this plan", language), (9.0, 5.0))
    axes.plot(known["budget"], known["objective"], color=COLOURS[0], linewidth=2.2)
    axes.scatter([spent], [reached], color=COLOURS[4], s=60, zorder=3)
    axes.set_xlabel(say("budget of all periods", language), color=GREY, fontfamily=font_names())
    axes.set_ylabel(say("objective", language), color=GREY, fontfamily=font_names())
    _thousands(axes.xaxis)
    _thousands(axes.yaxis)
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def saturation(problem: Problem, spend: Floats, today: Floats | None, language: str = "en") -> Axes:
    """Each channel's curve at a spend that is the same in every period, with the plan (dot) and today (ring) on it."""
    curves, (n, planned) = problem.curves, spend.shape
    mean = spend.mean(axis=1)
    then = np.full(n, math.nan) if today is None else today.mean(axis=1)
    shown = np.argsort(-mean, kind="stable")[:MOST_LINES]
    reach = 1.6 * max(float(mean.max()), float(np.nanmax(np.append(then, 0.0)))) or 1.0
    axes = new_axes(say("How far is each channel from saturation?", language),
                    say("Dot: the plan's mean spend of a period; ring: today's", language), (9.0, 5.4))
    grid = np.linspace(0.0, reach, 200)

    def response(money: Floats) -> Floats:
        """Mean response of a period of every channel to steady spends (n, points)."""
        stock = np.ascontiguousarray(money / (1.0 - curves.carryover[:, None]))
        total = np.zeros_like(stock)
        for t in range(planned):
            parts = (np.repeat(part[:, t:t + 1], money.shape[1], axis=1)
                     for part in (curves.scale, curves.half, curves.shape))
            total += respond(curves.form, *parts, stock)
        mean: Floats = total / planned
        return mean

    lines = response(np.tile(grid, (n, 1)))
    now, before = response(mean[:, None])[:, 0], response(np.nan_to_num(then)[:, None])[:, 0]
    ends = separate([float(lines[c, -1]) for c in shown], 0.045 * float(lines[shown].max()))
    for place, (c, end) in enumerate(zip(shown, ends, strict=True)):
        ink, dash = colour(place)
        axes.plot(grid, lines[c], color=ink, linestyle=dash, linewidth=1.8)
        axes.scatter([mean[c]], [now[c]], color=ink, s=46, zorder=3)
        if math.isfinite(then[c]):
            axes.scatter([then[c]], [before[c]], facecolors="white", edgecolors=ink, s=46, zorder=3)
        axes.annotate(problem.channels[c], (1, end), (6, 0), xycoords=("axes fraction", "data"),
                      textcoords="offset points", va="center", color=ink, fontsize=10.5, fontfamily=font_names(),
                      annotation_clip=False)
    axes.set_xlim(0, reach)
    axes.set_ylim(0, None)
    axes.set_xlabel(say("spend of a period", language), color=GREY, fontfamily=font_names())
    axes.set_ylabel(say("response of a period", language), color=GREY, fontfamily=font_names())
    _thousands(axes.xaxis)
    _thousands(axes.yaxis)
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def _write(axes: Axes, x: float, y: float, text: str, **style: Any) -> None:
    axes.text(x, y, text, fontfamily=font_names(), **style)


def _thousands(axis: Any) -> None:
    axis.set_major_formatter(lambda value, _: f"{value:,.0f}" if abs(value) >= 10 or value == 0 else f"{value:.3g}")


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 10 else f"{value:.3g}"
