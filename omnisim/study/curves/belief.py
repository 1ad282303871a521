"""What a planning policy believes of response: curves that are declared, else measured as an allocation measures them.

With less effort: one round of steady levels around today's plan, few replications, nothing simulated afterwards.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from omnisim.optimise.curve_table import CurveTable
from omnisim.optimise.declared import declared_curves, plan_days, today_spend
from omnisim.scenario.model import PolicyChoice, Scenario
from omnisim.study.curves.measured_curves import measure
from omnisim.study.curves.measuring import Effort, base_of
from omnisim.study.curves.probes import first_probes, tops_of

RUNS = 3
"""Replications that a belief is measured by."""
KEPT = 8
"""Beliefs whose curves are kept for the next comparison of this process."""
_known: dict[tuple[str, int], CurveTable] = {}


def believed_curves(belief: Scenario, *, seed: int, threads: int = 1) -> CurveTable:
    """The curves of a scenario over the periods of its plan, season and all.

    Parameters
    ----------
    seed : int  luck of the runs
    threads : int  changes no result

    Notes
    -----
    Each channel is tried up to the whole budget, or to its caps, and planned no further. Only what happens within the
    reported days counts, as a comparison counts it. A large market is told by 100,000 consumers, in stock and service
    that never run out. What was measured is kept: the same belief and seed give the same curves at once.
    """
    days = plan_days(belief, None)
    if belief.curves:
        return declared_curves(belief, days)
    key = belief.model_copy(update={"policy": PolicyChoice()}).hash, seed  # who decides changes no curve
    if key not in _known:
        _known[key] = _measured(belief, days, seed, threads)
        if len(_known) > KEPT:
            del _known[next(iter(_known))]
    return _known[key]


def _measured(belief: Scenario, days: NDArray[np.float64], seed: int, threads: int) -> CurveTable:
    """Measured by simulating."""
    names = tuple(name for name, channel in belief.channels.items() if channel.active)
    today = today_spend(belief, names, days) / days
    base = base_of(belief, days, today, carry_out=False, effort=Effort(seed, RUNS, threads))
    total = float(today[:, 0].sum()) if belief.limits.budget is None else belief.limits.budget
    tops, _ = tops_of(base, belief.limits, 2.0 * total)
    tops = np.where(tops > total, np.maximum(total, today[:, 0]), tops)
    return measure(base, first_probes(base, tops), "profit").table()
