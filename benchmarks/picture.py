"""The picture of cost against population, drawn from measured.json: `python benchmarks/picture.py`."""

from __future__ import annotations

import math

from runs import HERE, Found, figures, kept

from omnisim.canvas import GREY, INK, PALE, colour, font_names, new_axes, separate, to_png

PICTURE = HERE / "images" / "cost.png"


def draw(measured: Found) -> None:
    """omnisim by population as lines, the peers at their own sizes as levels; both axes logarithmic."""
    lines = {name: {int(size): cost for size, cost in by_size.items()}
             for name, by_size in measured["population"].items()}
    levels = {name: cost for name, cost in measured.get("times", {}).items()
              if name.endswith(("plain", "tuned"))}
    at_most = max(max(by_size) for by_size in lines.values())
    funnel = lines["reference funnel"]
    best = min(funnel.values())
    answer = f"The reference funnel: {figures(best)} ns in a large market (two threads)"
    if levels:
        answer += "; other tools on one thread: dashed, tuned dotted"
    axes = new_axes("What does a consumer-day cost, from a thousand consumers to ten million?", answer, (9.0, 5.2))
    axes.set_xscale("log")
    axes.set_yscale("log")
    ends, names, inks = [], [], []
    for place, (name, by_size) in enumerate(sorted(lines.items(), reverse=True)):
        ink, _ = colour(place)
        axes.plot(list(by_size), list(by_size.values()), color=ink, linewidth=2.2, marker="o", markersize=5)
        ends.append(by_size[at_most])
        names.append(f"omnisim, {name} {figures(by_size[at_most])} ns")
        inks.append(ink)
    for name, cost in levels.items():
        axes.axhline(cost, color=GREY, linewidth=1.0, linestyle=":" if name.endswith("tuned") else "--")
        ends.append(cost)
        names.append(f"{name} {figures(cost)} ns")
        inks.append(INK)
    low, high = axes.get_ylim()
    logs = separate([_height(end, low, high) for end in ends], 0.045)
    for text, ink, place in zip(names, inks, logs, strict=True):
        axes.annotate(text, (1, place), (6, 0), xycoords="axes fraction", textcoords="offset points", va="center",
                      color=ink, fontsize=9.5, fontfamily=font_names(), annotation_clip=False)
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}" if value >= 1 else f"{value:g}")
    axes.set_xlabel("consumers", color=GREY, fontfamily=font_names())
    axes.set_ylabel("ns a consumer-day, the whole run", color=GREY, fontfamily=font_names())
    axes.minorticks_off()
    axes.grid(axis="y", color=PALE, linewidth=0.6)
    axes.set_axisbelow(True)
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_bytes(to_png(axes))


def _height(value: float, low: float, high: float) -> float:
    """Where a value stands on a logarithmic axis, as a share of its height."""
    return math.log(value / low) / math.log(high / low)


if __name__ == "__main__":
    draw(kept())
