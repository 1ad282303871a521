"""What a policy believes of the market: the scenario of the first day, with the response curves that it shows."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np

from omnisim.books import LINES, MEASURE
from omnisim.plan import Plan, to_cents
from omnisim.response import EXPONENTIAL, FORMS, HILL, POWER, Floats
from omnisim.scenario.allocation import Curve
from omnisim.scenario.model import Scenario
from omnisim.simulation import World, finish, warm_up

BELIEVED = 5_000
"""First replication of the runs that a belief is learnt from: luck that no comparison uses."""
RUNS = 3
LEVELS = (0.0, 0.5, 2.0, 4.0)
"""Multiples of a channel's budget (of an equal share of all, where it has none) that are tried."""
HALVES = np.geomspace(0.02, 50.0, 120)
"""Halves tried, in units of the largest spend."""
SHAPES = ((HILL, 1.0), (EXPONENTIAL, 1.0), (POWER, 0.3), (POWER, 0.5), (POWER, 0.7), (POWER, 0.9), (HILL, 1.5),
          (HILL, 2.0), (HILL, 3.0))
BEFORE_MEDIA = [MEASURE[line] for line in ("gmv", *LINES) if line not in ("media", "content", "labour", "fixed")]


def with_curves(belief: Scenario, *, seed: int = 1, runs: int = RUNS, threads: int = 1) -> Scenario:
    """The belief with a curve of each channel: its own, else measured by simulating it.

    Parameters
    ----------
    seed, runs : int  the luck of the runs, of replications that a comparison does not use, and how many
    threads : int  changes no result

    Notes
    -----
    Each channel's budget is tried at several levels, the others as today, all on the same luck. The response is
    the contribution of the whole brand, a day, above what it is without the channel's budget; a channel that seeds
    is so credited with the orders that it prepares elsewhere. The sum over channels of such curves is an assumption.
    """
    if belief.curves:
        return belief
    names = [name for name, channel in belief.channels.items() if channel.active]
    today = {name: to_cents(belief.channels[name].budget) for name in names}
    share = sum(today.values()) // len(names)
    levels = {name: sorted({int(level * (today[name] or share)) for level in LEVELS} | {today[name]}) for name in names}
    with ThreadPoolExecutor(threads) as pool:
        worlds = list(pool.map(lambda k: warm_up(belief, seed, BELIEVED + k, threads=1, orders="none"), range(runs)))

        def gain(name: str, level: int) -> float:
            plan = Plan(budgets={name: (level,)})
            return float(np.mean([contribution(world.clone(), plan) for world in worlds]))

        jobs = {(name, level): pool.submit(gain, name, level) for name in names for level in levels[name]}
        curves = {}
        for name in names:
            found = np.array([jobs[name, level].result() for level in levels[name]])
            curves[name] = fit(np.array(levels[name]) / 100.0, found - found[0])
    return belief.model_copy(update={"curves": {name: curve for name, curve in curves.items() if curve is not None}})


def contribution(world: World, plan: Plan) -> float:
    """Contribution a day of a warmed-up world (which is used up) under a plan [currency/day]."""
    books = finish(world, plan, threads=1)
    return float(books.daily[books.warm_up:, :, BEFORE_MEDIA].sum()) / 100.0 / books.days


def fit(spend: Floats, gain: Floats) -> Curve | None:
    """The curve that comes nearest to gains above those of no spend; None where spend brings nothing.

    Parameters
    ----------
    spend : (levels,) float [currency/day]  ascending from 0
    gain : (levels,) float [currency/day]
    """
    best: tuple[float, Curve] | None = None
    for form, shape in SHAPES:
        halves = HALVES * spend[-1] if form != POWER else spend[-1:]
        ratio = spend[None] / halves[:, None]
        unit = -np.expm1(-ratio) if form == EXPONENTIAL else ratio**shape if form == POWER else 1.0 / (
            1.0 + np.divide(1.0, ratio, out=np.full_like(ratio, np.inf), where=ratio > 0.0) ** shape)
        scale = (unit @ gain) / (unit * unit).sum(axis=1)
        miss = ((gain - scale[:, None] * unit) ** 2).sum(axis=1)
        k = int(np.argmin(miss))
        penalty = 1.0 if form != HILL or shape == 1.0 else 1.5  # S-shaped only where it is much nearer
        if scale[k] > 0.0 and (best is None or penalty * miss[k] < best[0]):
            best = penalty * float(miss[k]), Curve.model_validate({
                "form": FORMS[form], "scale": float(scale[k]), "half": float(halves[k]), "shape": shape, "margin": 1.0})
    return None if best is None else best[1]
