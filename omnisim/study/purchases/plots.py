"""Plots of a fitted repurchase: what customers did against what each process says."""

from __future__ import annotations

import datetime
from typing import TYPE_CHECKING

import numpy as np

from omnisim.canvas import GREY, INK, PALE, colour, font_names, new_axes
from omnisim.study.purchases.fit import ProcessFit, histories
from omnisim.study.purchases.forecast import expect, forecast, frequencies
from omnisim.study.purchases.models import Floats

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from omnisim.study.purchases.repurchase import Repurchase
    from omnisim.study.purchases.transaction_log import Ints

LINES = {"bg_nbd": "BG/NBD", "pareto_nbd": "Pareto/NBD", "simulator": "omnisim"}
"""Names of processes in plots."""
MOST = 7
"""Repeat orders from which customers are counted together."""
POINTS = 40
"""Places of a curve."""


class RepurchasePlots:
    """Plots of a repurchase; each gives matplotlib axes and answers one question."""

    def __init__(self, repurchase: Repurchase) -> None:
        self._of = repurchase

    def tracking(self) -> Axes:
        """Do known customers go on ordering as the processes said? Repeat orders, added up.

        Notes
        -----
        Up to the cut: the mean of the process for customers who came when these did. From the cut: what it says about
        them, given what they did before.
        """
        of = self._of
        log, cut, end = of.log, of.cut, of.log.last_day
        first = np.append(True, np.diff(log.customer) != 0)
        known = (log.day[first] <= cut)[log.customer]
        actual = np.cumsum(np.bincount(log.day[~first & known], minlength=end + 1))
        arrivals = np.bincount(log.day[first & known], minlength=end + 1)
        date = np.datetime64(log.start, "D")
        chosen = next(model for model in of.models if model.name == of.chosen)
        error = 100 * (chosen.totals.orders / max(of.orders, 1) - 1)
        axes = new_axes("Do customers go on ordering as the model said?",
                        f"After the cut {of.orders:,} repeat orders; {LINES[of.chosen]}, chosen before it, said "
                        f"{chosen.totals.orders:,.0f} ({error:+.1f} %)")
        axes.plot(date + np.arange(end + 1), actual, color=INK, linewidth=2.4, label="actual")
        for place, model in enumerate(of.models):
            days, orders = self._curve(model.fit, arrivals, float(actual[cut]))
            line, dash = colour(place)
            axes.plot(date + days, orders, color=line, linestyle=dash, linewidth=1.6, label=LINES[model.name])
        low, high = chosen.interval(chosen.totals.orders, chosen.totals.orders_sd)
        axes.fill_between([date + cut, date + end], actual[cut] + np.array([0, low]), actual[cut] + np.array([0, high]),
                          color=colour([m.name for m in of.models].index(of.chosen))[0], alpha=0.15, linewidth=0)
        axes.axvline(date + cut, color=GREY, linewidth=1)  # type: ignore[arg-type]  # a date
        axes.annotate(f"fitted up to {log.start + datetime.timedelta(days=cut)}", (date + cut, 1), (4, -3),
                      xycoords=("data", "axes fraction"), textcoords="offset points", va="top", fontsize=9, color=GREY,
                      fontfamily=font_names())
        axes.set_ylabel("repeat orders so far", color=GREY, fontfamily=font_names())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.margins(x=0)
        axes.set_ylim(bottom=0)
        axes.legend(frameon=False, loc="upper left", prop={"family": list(font_names()), "size": 10})
        axes.grid(axis="y", color=PALE, linewidth=0.6)
        return axes

    def _curve(self, fit: ProcessFit, arrivals: Ints, at_cut: float) -> tuple[Ints, Floats]:
        """Days, and the repeat orders that a process expects by them."""
        of = self._of
        cut, clock = of.cut, of.clock
        days = np.unique(np.linspace(0, cut, POINTS).round().astype(np.int64))
        ages = np.linspace(0.0, float(clock[cut] - clock[0]), 8 * POINTS)
        curve = expect(fit.process, fit.values, ages)
        before = [float(arrivals[:day + 1] @ np.interp(clock[day] - clock[:day + 1], ages, curve)) for day in days]
        later = np.unique(np.linspace(cut, of.log.last_day, 7).round().astype(np.int64))
        h, _, _ = histories(of.log, cut, clock)
        after = [at_cut + float(h.count @ forecast(fit.process, fit.values, h, float(clock[day] - clock[cut])).mean)
                 for day in later]
        return np.append(days, later), np.append(before, after)

    def frequencies(self) -> Axes:
        """How many customers ordered again how often, up to the cut?"""
        of = self._of
        h, _, _ = histories(of.log, of.cut, of.clock)
        actual = np.bincount(np.minimum(h.repeats, MOST), weights=h.count, minlength=MOST + 1)
        chosen = next(model for model in of.models if model.name == of.chosen)
        expected = [frequencies(model.fit.process, model.fit.values, h.age, h.count, MOST) for model in of.models]
        axes = new_axes("How often do customers order again?",
                        f"{100 * (1 - actual[0] / actual.sum()):.1f} % of the customers did so before the cut; "
                        f"{LINES[of.chosen]} says "
                        f"{100 * (1 - expected[of.models.index(chosen)][0] / actual.sum()):.1f} %")
        bars = [("actual", actual, INK)] + [(LINES[model.name], values, colour(place)[0]) for place, (model, values)
                                            in enumerate(zip(of.models, expected, strict=True))]
        width = 0.8 / len(bars)
        for place, (label, values, paint) in enumerate(bars):
            axes.bar(np.arange(1, MOST + 1) + (place - len(bars) / 2 + 0.5) * width, values[1:], width=0.92 * width,
                     color=paint, label=label)
        axes.set_xticks(range(1, MOST + 1), [*map(str, range(1, MOST)), f"{MOST}+"])
        axes.set_xlabel("repeat orders up to the cut", color=GREY, fontfamily=font_names())
        axes.set_ylabel("customers", color=GREY, fontfamily=font_names())
        axes.yaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axes.legend(frameon=False, prop={"family": list(font_names()), "size": 10})
        return axes
