"""Pictures of measured curves: what was tried and the curves through it, and where each channel's money comes back."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnisim.canvas import GREY, INK, PALE, colour, font_names, new_axes, say, separate

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

    from omnisim.response import Floats
    from omnisim.study.curves.measured_curves import MeasuredCurves

POINTS = 60
LEAST = 0.04
"""Share from which a bar says how much it is."""


def effects(measured: MeasuredCurves, spend: Floats, language: str = "en") -> Axes:
    """Effects as measured (points with 95 % intervals), the curves through them, the plan (dot) and today (ring).

    Parameters
    ----------
    spend : (n, periods) float [currency/day]  of the plan
    """
    base, frame = measured.base, measured.effects
    axes = new_axes(say("What does each channel's money bring?", language),
                    say("Points: simulated, with 95 % intervals; dot: the plan's mean spend; ring: today's", language),
                    (9.0, 5.4))
    ends, reach = [], 0.0
    for place, c in enumerate(measured.measured):
        ink, dash = colour(place)
        mine = frame[frame["channel"] == base.channels[c]]
        top = max(float(mine["budget"].max()), float((spend[c] @ base.days) / base.days.sum()))
        grid = np.linspace(0.0, top, POINTS)
        line = measured.line(c, grid)
        axes.plot(grid, line - line[0], color=ink, linestyle=dash, linewidth=1.8)
        axes.errorbar(mine["budget"], mine["effect"] - line[0], yerr=1.96 * mine["se"], fmt="_", color=ink,
                      elinewidth=1.2, markersize=7)
        for path, face in ((spend[c], ink), (base.today[c], "white")):
            mean = float(path @ base.days / base.days.sum())
            axes.scatter([mean], measured.line(c, np.array([mean])) - line[0], facecolors=face, edgecolors=ink, s=52,
                         zorder=4)
        ends.append((top, float(line[-1] - line[0]), base.channels[c], ink))
        reach = max(reach, top)
    heights = separate([end[1] for end in ends], 0.05 * max(max(abs(end[1]) for end in ends), 1e-9))
    for (top, _, name, ink), height in zip(ends, heights, strict=True):
        axes.annotate(name, (top, height), (6, 0), textcoords="offset points", va="center", color=ink, fontsize=10.5,
                      fontfamily=font_names(), annotation_clip=False)
    axes.set_xlim(0, 1.12 * reach or 1.0)
    axes.set_xlabel(say("spend a day", language), color=GREY, fontfamily=font_names())
    axes.set_ylabel(say("effect on the objective over all days, before the money is paid", language), color=GREY,
                    fontfamily=font_names())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.grid(color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    return axes


def spill_over(table: pd.DataFrame, language: str = "en") -> Axes:
    """In which channel's orders each channel's money comes back.

    Parameters
    ----------
    table : DataFrame  channel, appears_in, share
    """
    sources, targets = list(dict.fromkeys(table["channel"])), list(dict.fromkeys(table["appears_in"]))
    axes = new_axes(say("In which channel does each channel's money come back?", language),
                    say("Share of the extra GMV, by the channel that takes the orders", language),
                    (9.0, 1.8 + 0.55 * len(sources)))
    shares = table.pivot(index="channel", columns="appears_in", values="share").loc[sources, targets].to_numpy()
    ends = np.zeros((2, len(sources)))  # what is won stands to the right of 0, what is lost to the left
    for place, name in enumerate(targets):
        ink, _ = colour(place)
        part = shares[:, place]
        side = (part < 0.0).astype(int)
        left = ends[side, np.arange(len(sources))]
        axes.barh(range(len(sources)), part, 0.62, left=left, color=ink, label=name)
        for row, (start, width) in enumerate(zip(left, part, strict=True)):
            if abs(width) >= LEAST:
                axes.text(start + width / 2, row, f"{width:.0%}", ha="center", va="center", color="white", fontsize=9)
        ends[side, np.arange(len(sources))] += part
    axes.set_yticks(range(len(sources)), sources, fontsize=10.5, color=INK)
    axes.invert_yaxis()
    axes.set_xlim(float(ends[1].min()), max(1.0, float(ends[0].max())))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:.0%}")
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=len(targets), frameon=False,
                prop={"family": font_names()})
    return axes
