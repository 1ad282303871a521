"""Pictures of a comparison: who is ahead and how sure that is, and when it came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnisim.canvas import COLOURS, GREY, INK, PALE, colour, font_names, new_axes, say, separate
from omnisim.vocabulary import KPI_ZH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from omnisim.study.comparing.comparison import Comparison


def differences(comparison: Comparison, kpi: str) -> Axes:
    """Difference of a figure to the baseline by policy, with its interval, the best on top."""
    from omnisim.study.comparing.comparison import worse_if_higher

    language, sign = comparison.language, -1 if worse_if_higher(kpi) else 1
    name = KPI_ZH.get(kpi, kpi) if language == "zh" else kpi.replace("_", " ")
    rows = comparison.wide(kpi)
    others = rows[rows["policy"] != comparison.baseline]
    level = abs(float(rows.loc[rows["policy"] == comparison.baseline, "mean"].iloc[0]))
    axes = new_axes(say("Which policy brings more {what}?", language).format(what=name),
                    comparison.verdict(kpi, language), (9.0, 2.2 + 0.42 * len(others)))
    places = np.arange(len(others))
    middle = others["difference"].to_numpy(float)
    # a policy whose interval leaves 0 out is drawn full
    clear = (others["diff_low"].to_numpy(float) > 0) | (others["diff_high"].to_numpy(float) < 0)
    for place, value, low, high, is_clear in zip(places, middle, others["diff_low"], others["diff_high"], clear,
                                                 strict=True):
        shade = GREY if value == 0 else COLOURS[0] if sign * value > 0 else COLOURS[4]
        axes.plot([low, high], [place, place], color=shade, linewidth=2.2, alpha=0.55, solid_capstyle="round", zorder=2)
        axes.scatter([value], [place], s=52, color=shade if is_clear else "white", edgecolors=shade, linewidths=1.6,
                     zorder=3)
        share = f"{value / level:+.1%}" if level else ""
        edge = max(part for part in (value, high) if np.isfinite(part))
        axes.annotate(f"{_short(value)}  {share}", (edge, place), (8, 0), textcoords="offset points", va="center",
                      fontsize=9, color=INK, fontfamily=font_names())
    axes.axvline(0.0, color=GREY, linewidth=1.0, zorder=1)
    axes.set_yticks(places, list(others["policy"]), fontsize=10.5, color=INK, fontfamily=font_names())
    axes.set_ylim(len(others) - 0.4, -0.6)
    axes.margins(x=0.18)
    axes.xaxis.set_major_formatter(lambda value, _: _short(value))
    words = say("difference to {base} ({level}); lines: 95 % for all at once, {n} replications", language)
    axes.set_xlabel(words.format(base=comparison.baseline, level=f"{level:,.0f}" if level >= 100 else f"{level:.3g}",
                                 n=comparison.replications), color=GREY, fontfamily=font_names())
    return axes


def paths(comparison: Comparison) -> Axes:
    """Profit ahead of the baseline's, summed up day by day, with its intervals."""
    language, frame, (least, most) = comparison.language, comparison.paths, comparison.path_bands
    last = frame.iloc[-1]
    shown = [name for name in comparison.names if name != comparison.baseline]
    sure = [name for name in shown if least[name].iloc[-1] > 0]
    best = str(last[sure or shown or list(comparison.names)].idxmax())
    answer = say("At the end {name} is ahead by {value}" if sure else
                 "At the end none is surely ahead; the best is {name}, {value}", language).format(
        name=best, value=_short(float(last[best])))
    axes = new_axes(say("When does each policy pull ahead, or fall behind?", language), answer, (9.0, 5.0))
    low, high = float(np.nanmin([frame, least])), float(np.nanmax([frame, most]))
    labels = separate([float(last[name]) for name in shown], 0.045 * ((high - low) or 1.0))
    for place, (name, height) in enumerate(zip(shown, labels, strict=True)):
        shade, dash = colour(place)
        axes.plot(frame.index, frame[name], color=shade, linestyle=dash, linewidth=1.8)
        axes.fill_between(frame.index, least[name], most[name], color=shade, alpha=0.12, linewidth=0)
        axes.annotate(name, (1.0, height), (6, 0), xycoords=("axes fraction", "data"), textcoords="offset points",
                      va="center", fontsize=9.5, color=shade, fontfamily=font_names())
    axes.axhline(0.0, color=PALE, linewidth=1.2, zorder=1)
    axes.set_xlim(frame.index[0], frame.index[-1])
    axes.yaxis.set_major_formatter(lambda value, _: _short(value))
    axes.set_ylabel(say("profit ahead of {base}, mean and 95 %", language).format(base=comparison.baseline), color=GREY,
                    fontfamily=font_names())
    return axes


def _short(value: float) -> str:
    """A signed number with thousands as k and millions as M."""
    size = abs(value)
    if size >= 1e6:
        return f"{value / 1e6:+,.2f} M"
    if size >= 1e4:
        return f"{value / 1e3:+,.0f} k"
    return "0" if value == 0 else f"{value:+,.0f}" if size >= 100 else f"{value:+.3g}"
