"""Tables of measured curves: the curves, what they were fitted to, and where the effects came to light."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from omnisim.response import per_period, slope
from omnisim.study.curves.trials import SUM

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.response import Floats
    from omnisim.study.curves.measured_curves import MeasuredCurves

WEEK = 7


def curves(measured: MeasuredCurves) -> pd.DataFrame:
    """The curve of each channel.

    Notes
    -----
    scale [objective/day] and half [currency/day] are as in `response`; two that differ much may be the same curve as
    far as it was measured, so what counts are first, next and last: what one more yuan brings at no spend, at the spend
    measured around and at the largest that was tried, the next with its standard error over draws. carryover is a
    week's. miss is the largest distance from a measured effect and effect_se its largest error, both relative to the
    largest effect; fit_chance is the chance of so poor a fit if the curve were true.
    """
    import pandas as pd

    scales, halves = measured.draws
    found, errors, days = measured.samples.mean(axis=0), standard_errors(measured.samples), measured.base.days
    rows = []
    for k, c in enumerate(measured.measured):
        fit, mine = measured.fits[c], measured.of(c)
        largest = float(np.abs(found[mine]).max()) or 1.0
        here = float(measured.base.around[c] @ days / days.sum())
        top = max(here, *(float(measured.probes[p].path @ days / days.sum()) for p in mine))
        marginal = [slope(fit.form, fit.scale, fit.half, fit.shape, money) for money in (0.0, here, top)]
        spread = [slope(fit.form, one, half, fit.shape, here)
                  for one, half in zip(scales[:, k], halves[:, k], strict=True)]
        rows.append({
            "channel": measured.base.channels[c], "form": fit.name, "scale": fit.scale, "half": fit.half,
            "shape": fit.shape, "carryover": per_period(float(measured.carryover[c]), WEEK), "first": marginal[0],
            "next": marginal[1], "next_se": float(np.std(spread, ddof=1)), "last": marginal[2], "measured_to": top,
            "effect_se": float(errors[mine].max() / largest),
            "miss": float(np.abs(fit.fitted - found[mine]).max() / largest), "fit_chance": fit.likelihood})
    return pd.DataFrame(rows)


def effects(measured: MeasuredCurves) -> pd.DataFrame:
    """What was measured at each level: mean effect on the objective, its error, the curve's value, return per yuan.

    Notes
    -----
    An effect is what the whole brand brought more than under the plan measured around, before the money is paid; the
    return is the effect over the money it took.
    """
    import pandas as pd

    found, errors = measured.samples.mean(axis=0), standard_errors(measured.samples)
    fitted = {k: value for c in measured.measured
              for k, value in zip(measured.of(c), measured.fits[c].fitted, strict=True)}
    base, days, rows = measured.base, measured.base.days, []
    for k, probe in enumerate(measured.probes):
        spent = float(((probe.path - base.around[probe.channel]) * days).sum())
        rows.append({"channel": base.channels[probe.channel], "budget": float(probe.path @ days / days.sum()),
                     "effect": found[k], "se": errors[k], "fitted": float(fitted[k]),
                     "return": found[k] / spent if spent else float("nan"),
                     "return_se": errors[k] / abs(spent) if spent else float("nan")})
    return pd.DataFrame(rows)


def spill_over(measured: MeasuredCurves) -> pd.DataFrame:
    """In which channel's orders the effect of each channel's money comes to light.

    Notes
    -----
    GMV under the largest spend tried less that under the smallest, over all days; shares of a channel's rows sum to 1,
    their errors by the jackknife over replications.
    """
    import pandas as pd

    base, rows = measured.base, []
    for c in measured.measured:
        spent = {k: float(measured.probes[k].path @ base.days) for k in measured.of(c)}
        spent[-1] = float(base.around[c] @ base.days)
        low, high = min(spent, key=lambda k: spent[k]), max(spent, key=lambda k: spent[k])
        there, here = (measured.at_base if k < 0 else measured.tried[k] for k in (high, low))
        gain = (there.sums - here.sums)[:, :, SUM["gmv"]]
        whole, size = gain.sum(axis=0), len(gain)
        left = whole - gain
        totals = left.sum(axis=1, keepdims=True)
        kept = np.divide(left, totals, out=np.zeros_like(left), where=totals != 0.0)
        spread = np.sqrt((size - 1) / size * ((kept - kept.mean(axis=0)) ** 2).sum(axis=0))
        errors, share = standard_errors(gain), whole / (whole.sum() or 1.0)
        rows += [{"channel": base.channels[c], "appears_in": name, "gmv": whole[k] / size, "gmv_se": errors[k],
                  "share": share[k], "share_se": spread[k]} for k, name in enumerate(base.channels)
                 if base.scenario.channels[name].checkout]
    return pd.DataFrame(rows)


def standard_errors(samples: Floats) -> Floats:
    """Standard error of the mean over replications (first axis)."""
    return np.asarray(samples.std(axis=0, ddof=1) / np.sqrt(len(samples)))
