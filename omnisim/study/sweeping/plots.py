"""Plots of a study: which combination is best, how a figure answers to two settings, and which setting matters."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from omnisim.canvas import COLOURS, GREY, INK, PALE, font_names, new_axes, say
from omnisim.errors import Fault, UsageError
from omnisim.study.sweeping.sensitivity import fit_surface
from omnisim.vocabulary import KPI_ZH

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from omnisim.study.sweeping.axes import Axis
    from omnisim.study.sweeping.study import Study

Floats = NDArray[np.float64]
PARTS = 8
"""Parts into which a heat map cuts a range."""
FINE = 81
"""Places along each side of a surface."""


class StudyPlots:
    """Plots of a study; each gives matplotlib axes and answers one question."""

    def __init__(self, study: Study) -> None:
        self._study, self._plan = study, study.plan
        self._language: str = study.plan.base.language

    def heat(self, metric: str, x: str | None = None, y: str | None = None) -> Axes:
        """Which combination of two settings brings the most? Means over all else; ranges in eight parts.

        Parameters
        ----------
        x, y : str  paths that vary; the first two unless given

        Raises
        ------
        UsageError  for paths and metrics that the study does not hold
        """
        across, up = self._two(metric, x, y)
        values, steps = self._study._by_point(metric), []
        labels = []
        for place in (across, up):
            step, names = self._steps(place)
            steps.append(step)
            labels.append(names)
        there = ~np.isnan(values)
        shape = (len(labels[1]), len(labels[0]))
        sums, counts = np.zeros(shape), np.zeros(shape)
        np.add.at(sums, (steps[1][there], steps[0][there]), values[there])
        np.add.at(counts, (steps[1][there], steps[0][there]), 1)
        with np.errstate(invalid="ignore"):
            cells = sums / counts
        answer = ""
        if there.any():
            best = np.unravel_index(int(np.nanargmax(cells)), shape)
            answer = say("Most: {value}, with {x} and {y}", self._language).format(
                value=_short(cells[best]), x=f"{self._name(across)} {labels[0][best[1]]}",
                y=f"{self._name(up)} {labels[1][best[0]]}")
        axes = new_axes(self._ask("Which combination brings how much? ({what})", metric), answer,
                        (max(6.4, 2.6 + 0.95 * shape[1]), max(4.2, 1.8 + 0.55 * shape[0])))
        _cells(axes, cells)
        axes.set_xticks(range(shape[1]), labels[0])
        axes.set_yticks(range(shape[0]), labels[1])
        self._sides(axes, across, up)
        return axes

    def surface(self, metric: str, x: str | None = None, y: str | None = None) -> Axes:
        """How does a figure answer to two settings together? A quadratic surface through all points.

        Parameters
        ----------
        x, y : str  paths with numbers; the first two unless given. All others stand in the middle

        Raises
        ------
        UsageError  for paths without numbers, metrics that are not kept, and fewer points than the surface has terms

        Notes
        -----
        R² in the heading says how much of the variance at the points the surface explains: where it is low, the
        figure has steps or bends that no quadratic has, and the heat map tells more.
        """
        across, up = self._two(metric, x, y)
        values = self._study._by_point(metric)
        there = ~np.isnan(values)
        numeric = [k for k, axis in enumerate(self._plan.axes) if axis.path in self._plan.varied and _is_numeric(axis)]
        for place in (across, up):
            if place not in numeric:
                raise UsageError(Fault("plot.surface", self._plan.paths[place], "", "holds no numbers",
                                       "Use plot.heat."))
        n_terms = (len(numeric) + 1) * (len(numeric) + 2) // 2
        if there.sum() < n_terms:
            raise UsageError(Fault("plot.surface", "points", str(int(there.sum())), f"must be at least {n_terms} for a "
                                   f"quadratic surface over {len(numeric)} paths", "Sweep more points."))
        columns = np.array([self._plan.columns[k] for k in numeric], float)
        low, high = columns.min(axis=1), columns.max(axis=1)
        middle, half = (low + high) / 2, np.maximum((high - low) / 2, 1e-300)
        scaled = ((columns - middle[:, None]) / half[:, None]).T
        surface = fit_surface(scaled[there], values[there])
        side = np.linspace(-1, 1, FINE)
        places = np.zeros((FINE * FINE, len(numeric)))
        a, b = numeric.index(across), numeric.index(up)
        places[:, a], places[:, b] = (part.ravel() for part in np.meshgrid(side, side))
        heights = surface.at(places).reshape(FINE, FINE)
        best = np.unravel_index(int(heights.argmax()), heights.shape)
        ends = [(middle[k] + half[k] * side) for k in (a, b)]
        answer = say("Quadratic surface, R² {share}; most at {x} and {y}", self._language).format(
            share=f"{surface.explained:.2f}", x=f"{self._name(across)} {_short(ends[0][best[1]])}",
            y=f"{self._name(up)} {_short(ends[1][best[0]])}")
        axes = new_axes(self._ask("How does {what} answer to both?", metric), answer, (7.6, 5.4))
        levels = axes.contourf(ends[0], ends[1], heights, levels=12, cmap="Blues",
                               vmax=float(heights.max() + 0.6 * (heights.max() - heights.min())))  # labels stay legible
        lines = axes.contour(ends[0], ends[1], heights, levels=levels.levels, colors="white", linewidths=0.7)
        texts = axes.clabel(lines, fmt=_short, fontsize=8, colors=INK)
        for text in texts or ():
            text.set_fontfamily(font_names())
            inside = axes.transAxes.inverted().transform(axes.transData.transform(text.get_position()))
            text.set_visible(bool((np.abs(inside - 0.5) < 0.46).all()))  # none that the edge would cut through
        axes.plot(columns[a][there], columns[b][there], "o", color="white", markeredgecolor=INK, markersize=4,
                  markeredgewidth=0.8, clip_on=False, linestyle="none")
        axes.plot(ends[0][best[1]], ends[1][best[0]], "*", color=COLOURS[1], markeredgecolor=INK, markersize=15,
                  clip_on=False)
        axes.xaxis.set_major_formatter(lambda value, _: _short(value))
        axes.yaxis.set_major_formatter(lambda value, _: _short(value))
        self._sides(axes, across, up)
        return axes

    def sobol(self, metric: str) -> Axes:
        """Which setting decides a figure, and which only together with others? Sobol indices.

        Raises
        ------
        UsageError  as Study.sobol
        """
        table = self._study.sobol(metric).sort_values("total", ignore_index=True)
        top = table.iloc[-1]
        answer = say("{path} explains {first} of the variance by itself, {total} with its interplay", self._language)
        axes = self._bars(self._ask("Which setting decides {what}?", metric), answer.format(
            path=_short_path(top["path"]), first=_percent(top["first"]), total=_percent(top["total"])), len(table))
        for place, row in enumerate(table.itertuples()):
            for name, lift, ink in (("total", 0.17, COLOURS[5]), ("first", -0.17, COLOURS[0])):
                _bar(axes, place + lift, row, name, ink)
        self._legend(axes, (("total", "with its interplay", COLOURS[5]), ("first", "by itself", COLOURS[0])))
        axes.set_yticks(range(len(table)), [_short_path(path) for path in table["path"]])
        axes.set_xlabel(say("share of the variance over the points", self._language), loc="right", color=GREY,
                        fontfamily=font_names())
        axes.set_xlim(min(0.0, float(np.nanmin(table[["first", "first_low"]].to_numpy()))), None)
        axes.xaxis.set_major_formatter(lambda value, _: f"{100 * value:.0f} %")
        return axes

    def morris(self, metric: str) -> Axes:
        """Which setting moves a figure most over its range, and where is its effect uneven? Elementary effects.

        Raises
        ------
        UsageError  as Study.morris
        """
        table = self._study.morris(metric).sort_values("size", ignore_index=True)
        top = table.iloc[-1]
        answer = say("{path} moves it by {size} over its range", self._language).format(
            path=_short_path(top["path"]), size=_short(top["size"]))
        axes = self._bars(self._ask("Which setting moves {what} most?", metric), answer, len(table))
        for place, row in enumerate(table.itertuples()):
            _bar(axes, place + 0.17, row, "size", COLOURS[0])
        axes.barh(np.arange(len(table)) - 0.17, table["spread"].to_numpy(float), height=0.3, color=COLOURS[1])
        self._legend(axes, (("size", "mean size of the effect (μ*)", COLOURS[0]),
                            ("spread", "how uneven it is (σ)", COLOURS[1])))
        axes.set_yticks(range(len(table)), [_short_path(path) for path in table["path"]])
        axes.set_xlim(0, None)
        axes.xaxis.set_major_formatter(lambda value, _: _short(value))
        return axes

    def _bars(self, title: str, answer: str, n: int) -> Axes:
        axes = new_axes(title, answer, (8.4, 2.6 + 0.62 * n))
        axes.grid(axis="x", color=PALE, linewidth=0.6)
        axes.set_axisbelow(True)
        return axes

    def _legend(self, axes: Axes, entries: tuple[tuple[str, str, str], ...]) -> None:
        from matplotlib.patches import Patch

        axes.legend(handles=[Patch(color=ink, label=say(text, self._language)) for _, text, ink in entries],
                    frameon=False, loc="upper left", bbox_to_anchor=(0, 0), borderaxespad=2.4, ncols=2,
                    prop={"family": list(font_names()), "size": 10})

    def _two(self, metric: str, x: str | None, y: str | None) -> tuple[int, int]:
        """Places of the two paths among the axes."""
        self._study.check_metric(metric)
        paths = list(self._plan.varied)
        if len(paths) < 2:
            raise UsageError(Fault("plot", "paths", ", ".join(paths) or "none", "must be two that vary",
                                   "Give another one two values, or read study.means()."))
        chosen = [name for name in (x, y) if name is not None]
        wrong = [name for name in chosen if name not in paths]
        if wrong or len(set(chosen)) < len(chosen):
            raise UsageError(Fault("plot", "path", ", ".join(wrong or chosen), "must be two of those that vary",
                                   f"Choose from {', '.join(paths)}."))
        left = [name for name in paths if name not in chosen]
        across = x if x is not None else left.pop(0)
        up = y if y is not None else left.pop(0)
        return self._plan.paths.index(across), self._plan.paths.index(up)

    def _steps(self, place: int) -> tuple[NDArray[np.int64], list[str]]:
        """Which cell of an axis each point lies in, and what the cells are called."""
        axis, column = self._plan.axes[place], self._plan.columns[place]
        if axis.kind == "listed":
            order = list(range(len(axis.values)))
            if _is_numeric(axis):
                order = np.argsort(np.array(axis.values, float)).tolist()
            rank = {repr(axis.values[k]): step for step, k in enumerate(order)}
            return (np.array([rank[repr(value)] for value in column], np.int64),
                    [_cell(axis.values[k]) for k in order])
        edges = np.linspace(axis.low, axis.high, PARTS + 1)
        steps = np.clip(np.searchsorted(edges, np.array(column, float), side="right") - 1, 0, PARTS - 1)
        return steps.astype(np.int64), [f"{_short(a)}–{_short(b)}" for a, b in pairwise(edges)]

    def _sides(self, axes: Axes, across: int, up: int) -> None:
        axes.set_xlabel(self._name(across), color=GREY, fontfamily=font_names())
        axes.set_ylabel(self._name(up), color=GREY, fontfamily=font_names())

    def _name(self, place: int) -> str:
        return _short_path(self._plan.paths[place])

    def _ask(self, question: str, metric: str) -> str:
        what = KPI_ZH[metric] if self._language == "zh" else metric.replace("_", " ")
        return say(question, self._language).format(what=what)


def _cells(axes: Axes, cells: Floats) -> None:
    """A matrix as coloured cells from its least to its greatest value, the first row at the bottom."""
    low, high = (float(np.nanmin(cells)), float(np.nanmax(cells))) if np.isfinite(cells).any() else (0.0, 1.0)
    span = (high - low) or 1.0
    axes.imshow(cells, cmap="Blues", vmin=low - 0.15 * span, vmax=high + 0.15 * span, aspect="auto", origin="lower")
    for (row, column), value in np.ndenumerate(cells):
        if np.isfinite(value):
            axes.text(column, row, _short(value), ha="center", va="center", fontsize=9.5, fontfamily=font_names(),
                      color="white" if value > low + 0.6 * span else INK)
    for edge in range(1, cells.shape[0]):
        axes.axhline(edge - 0.5, color="white", linewidth=1.2)
    for edge in range(1, cells.shape[1]):
        axes.axvline(edge - 0.5, color="white", linewidth=1.2)
    for side in axes.spines.values():
        side.set_visible(False)


def _bar(axes: Axes, place: float, row: Any, name: str, ink: str) -> None:
    """A bar with its interval, if it has one."""
    value, low, high = getattr(row, name), getattr(row, f"{name}_low"), getattr(row, f"{name}_high")
    axes.barh(place, value, height=0.3, color=ink)
    if np.isfinite(low) and np.isfinite(high):
        axes.plot([low, high], [place, place], color=INK, linewidth=1.2)


def _is_numeric(axis: Axis) -> bool:
    return axis.kind != "listed" or all(isinstance(value, int | float) and not isinstance(value, bool)
                                        for value in axis.values)


def _short_path(path: str) -> str:
    """A path without what every channel's path begins with."""
    return path.removeprefix("channels.")


def _cell(value: object) -> str:
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return _short(value) if isinstance(value, int | float) else str(value)


def _short(value: float) -> str:
    """A number as a reader wants it: three or four figures."""
    size = abs(value)
    return f"{value:,.0f}" if size >= 1000 else f"{value:.4g}"


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
