"""Thompson sampling: money goes where a draw of the return is highest; doubt buys trials, knowledge saves them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from omnisim.plan import Observation, Plan
from omnisim.policies.splitting import share_out

LEAST_SPREAD = 0.05
"""Standard deviation of a week's return, relative to the mean return, that is believed at least."""


@dataclass
class Bandit:
    """Each of some equal portions of the budget goes to the channel whose drawn return is highest.

    Parameters
    ----------
    portions : int  of the budget
    memory : float [share/week]  weight that a week keeps for the next: below 1, so that drift is seen
    name : str

    Notes
    -----
    The return of a week on a channel is contribution per yuan spent, taken as normal around a mean with a flat prior:
    the mean of n (weighted) weeks is drawn from N(mean, sd² / n), sd at least 5 % of all channels' mean. A channel
    without spend is believed to be as the mean of the others, give or take as much. Agrawal & Goyal (2013), with
    forgetting. The return is an average one and counts what sells on the channel, caused or not: a bandit learns what
    it is told.
    """

    portions: int = 20
    memory: float = 0.9
    name: str = "bandit"

    def review(self, observation: Observation) -> Plan | None:
        """Draw, and give each portion to the best."""
        mean, error = self.belief(observation)
        draw = np.random.Generator(np.random.Philox(key=[observation.luck % 2**64, observation.day]))
        best = (mean + error * draw.standard_normal((self.portions, mean.size))).argmax(axis=1)
        counts = np.bincount(best, minlength=mean.size)
        names = list(observation.budgets)
        observation.note("return " + ", ".join(f"{name} {m:.2f} ± {e:.2f}"
                                               for name, m, e in zip(names, mean, error, strict=True)))
        return share_out(observation, dict(zip(names, counts.tolist(), strict=True)), self.name)

    def belief(self, observation: Observation) -> tuple[np.ndarray, np.ndarray]:
        """Mean return of each channel and its standard error, (channels,) each, from the weeks so far."""
        rows, names = observation.history, list(observation.budgets)
        rows = rows[rows["channel"].isin(names)]
        weeks = len(rows) // len(names) // 7
        if weeks == 0:
            return np.ones(len(names)), np.ones(len(names))
        shape = (weeks, 7, len(names))
        gain, cost = (rows[name].to_numpy(float)[-7 * weeks * len(names):].reshape(shape).sum(axis=1)
                      for name in ("contribution", "cost"))
        known = cost > 0.0
        weight = self.memory ** np.arange(weeks)[::-1, None] * known
        total = weight.sum(axis=0)
        returns = np.divide(gain, cost, out=np.zeros_like(gain), where=known)
        tried = total > 0.0
        divisor = np.where(tried, total, 1.0)
        mean = (weight * returns).sum(axis=0) / divisor
        overall = float(mean[tried].mean()) if tried.any() else 1.0
        spread = np.sqrt((weight * (returns - mean) ** 2).sum(axis=0) / divisor)
        error = np.maximum(spread, LEAST_SPREAD * abs(overall)) / np.sqrt(divisor)
        return np.where(tried, mean, overall), np.where(tried, error, abs(overall))
