"""What all plots share: a figure without global state, a Chinese font, colours that the colour-blind can tell apart."""

from __future__ import annotations

import io
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

from omnisim.vocabulary import PHRASES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

FONT = Path(__file__).parent / "fonts" / "OmnisimSansSC.otf"
COLOURS = ("#0072B2", "#E69F00", "#009E73", "#CC79A7", "#D55E00", "#56B4E9", "#8C6D1F", "#555555")
"""After Okabe & Ito (2008), told apart in every common colour blindness."""
DASHES = ("-", "--", ":", "-.")
INK, GREY, PALE = "#222222", "#6B6B6B", "#DDDDDD"


def say(phrase: str, language: str) -> str:
    """A phrase of a plot or summary in the language asked for."""
    return PHRASES[phrase] if language == "zh" else phrase


def colour(place: int) -> tuple[str, str]:
    """Colour and dash of the line at this place: 32 that differ."""
    return COLOURS[place % len(COLOURS)], DASHES[place // len(COLOURS) % len(DASHES)]


@cache
def font_names() -> tuple[str, ...]:
    """Families to draw with; the one with Chinese is made known to matplotlib on the first call."""
    from matplotlib import font_manager

    font_manager.fontManager.addfont(FONT)
    return (font_manager.FontProperties(fname=FONT).get_name(), "DejaVu Sans")


@cache
def _shown_axes() -> type[Axes]:
    """Axes that a notebook shows as a picture although no pyplot keeps them."""
    from matplotlib.axes import Axes

    class Shown(Axes):
        """Axes with a picture for notebooks."""

        def _repr_png_(self) -> bytes:
            return to_png(self)

    return Shown


def new_axes(title: str, answer: str, size: tuple[float, float] = (9.0, 5.0)) -> Axes:
    """Axes on a figure of their own, headed by the question that they answer and its answer in short."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure = Figure(figsize=size, dpi=120, layout=ConstrainedLayoutEngine(w_pad=0.15, h_pad=0.12), facecolor="white")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(axes_class=_shown_axes())
    axes.set_title(title, loc="left", fontsize=15, color=INK, fontfamily=font_names(), pad=32)
    axes.annotate(answer, (0, 1), (0, 12), xycoords="axes fraction", textcoords="offset points", va="bottom",
                  fontsize=10.5, color=GREY, fontfamily=font_names())
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for side in ("left", "bottom"):
        axes.spines[side].set_color(PALE)
    axes.tick_params(colors=GREY, length=0, labelsize=9.5, labelfontfamily=font_names())
    return axes


def separate(values: list[float], gap: float) -> list[float]:
    """Places near the values, in their order, at least ``gap`` apart: for labels beside lines."""
    order = sorted(range(len(values)), key=values.__getitem__)
    placed = list(values)
    for below, above in pairwise(order):
        placed[above] = max(placed[above], placed[below] + gap)
    return placed


def to_png(axes: Axes) -> bytes:
    """The figure of the axes as a PNG, without the version of the library in it."""
    picture = io.BytesIO()
    axes.get_figure(root=True).savefig(picture, format="png", metadata={"Software": None})  # type: ignore[union-attr]
    return picture.getvalue()
