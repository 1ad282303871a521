"""Schedules of one channel with its pulses at other times: S-shaped curves and carry-over leave many hills apart."""

from __future__ import annotations

import numpy as np

from omnisim.optimise.curves import CurveArrays, total_response
from omnisim.response import Floats

TRIED = 2
"""Shifts of a channel that are worth climbing from."""
FLAT = 1e-9
"""Difference between a channel's periods, in units of the budget, that is no pulse."""


def shift_pulses(curves: CurveArrays, charge: Floats, spend: Floats, channel: int) -> list[Floats]:
    """The best plans in which what a channel spends above its floors comes some periods later, in a circle.

    Parameters
    ----------
    curves : CurveArrays
    charge : (n, periods) float [response/currency]
    spend : (n, periods) float [currency]  within floors and caps
    channel : int

    Returns
    -------
    list of (n, periods) float [currency]  at most `TRIED`, the best first; none where the channel spends evenly or a
    cap is in the way. A climb does not get there: on the way a pulse is halved, and half a pulse brings little
    """
    floor, cap = curves.floor[channel], curves.cap[channel]
    above = spend[channel] - floor
    if np.ptp(above) <= FLAT:
        return []
    one = CurveArrays(curves.form[channel:channel + 1], *(part[channel:channel + 1] for part in curves[1:]))
    rows = [floor + np.roll(above, later) for later in range(1, floor.size)]
    allowed = [row for row in rows if (row <= cap).all()]
    gains = [total_response(one, row[None, :]) - float(charge[channel] @ row) for row in allowed]
    found = []
    for place in np.argsort(gains)[::-1][:TRIED]:
        plan = spend.copy()
        plan[channel] = allowed[place]
        found.append(plan)
    return found
