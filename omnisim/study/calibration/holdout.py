"""A holdout test inside the scenario: what it would show, and how far an outcome narrows what is believed of ads.

For some weeks a channel buys no media in a share of the regions. Orders there against orders elsewhere tell how well
advertising works, which no table does. The test is simulated with the low, the default and the high click share; where
its outcome lies among the three effects says which of them to believe, as far as its noise allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from omnisim.books import GROUPS, MEASURE, Books
from omnisim.errors import Fault, UsageError
from omnisim.measure.intervals import Z95
from omnisim.plan import Plan, to_cents
from omnisim.scenario.model import Scenario
from omnisim.simulation import finish, warm_up
from omnisim.study.calibration.elasticity import Stance, tested_channel
from omnisim.study.calibration.fitting import shrink
from omnisim.study.calibration.targets import Floats

if TYPE_CHECKING:
    import pandas as pd

RUNS = 12
"""Pairs of runs on shared luck behind each expected effect."""
FIRST_RUN = 7_000
"""Replication of the simulated test, and first one of the expected effects: luck that the fit does not use."""
GRID = np.linspace(-4.0, 4.0, 1601)
"""Points at which belief is weighed: 0 is the default, ±1.96 are low and high."""


@dataclass(frozen=True)
class Holdout:
    """A holdout test and what it says.

    Parameters
    ----------
    channel : str  that bought less in the test regions
    days : int [day]  of the test
    share : float  of the regions, by consumers
    factor : float  of the budget there
    expected : tuple of three floats  ln(orders in test regions / elsewhere) at the low, default and high click share
    outcome : float  the same as seen
    noise : float  standard deviation of the outcome by luck
    stances : tuple of Stance  what was believed before: low and high bound 95 %
    """

    channel: str
    days: int
    share: float
    factor: float
    expected: tuple[float, float, float]
    outcome: float
    noise: float
    stances: tuple[Stance, ...]

    @property
    def table(self) -> pd.DataFrame:
        """Low, default and high before and after the test: elasticity, click share."""
        import pandas as pd

        after = self._after()
        rows = []
        for n, one in enumerate(self.stances):
            rows.append((one.name, self.expected[n], one.elasticity, self._at(after[n], "elasticity"),
                         one.click_share, self._at(after[n], "click_share")))
        return pd.DataFrame(rows, columns=["name", "expected_effect", "elasticity_before", "elasticity_after",
                                           "click_share_before", "click_share_after"])

    @property
    def elasticity(self) -> float:
        """The elasticity to believe after the test; give it to ``calibrate``."""
        return self._at(self._after()[1], "elasticity")

    def _after(self) -> Floats:
        """Median and 95 % bounds of belief after the test, as points of the grid (low, middle, high).

        Notes
        -----
        Belief before is standard normal on the grid, the outcome normal around the effect interpolated between the
        three; the product, normalised, is belief after (Bayes).
        """
        places = (-Z95, 0.0, Z95)
        effect = np.interp(GRID, places, self.expected)
        for beyond, near in ((places[0] > GRID, 0), (places[2] < GRID, 1)):  # straight on beyond the ends
            slope = (self.expected[near + 1] - self.expected[near]) / Z95
            effect = np.where(beyond, self.expected[2 * near] + slope * (GRID - places[2 * near]), effect)
        logs = -0.5 * (GRID**2 + ((self.outcome - effect) / self.noise) ** 2)
        weight = np.cumsum(np.exp(logs - logs.max()))
        return np.interp([0.025, 0.5, 0.975], weight / weight[-1], GRID)

    def _at(self, place: float, name: str) -> float:
        """A figure of the stances at a point of the grid, on the line of its logarithm."""
        logs = np.log([max(getattr(one, name), 1e-9) for one in self.stances])
        slope = (logs[2] - logs[1] if place > 0 else logs[1] - logs[0]) / Z95
        return float(np.exp(logs[1] + slope * place))

    def __str__(self) -> str:
        return (f"{self.channel} at {self.factor:.0%} of its budget in {self.share:.0%} of the regions for {self.days} "
                f"days: orders {100 * np.expm1(self.outcome):+.1f} % (luck alone ±{196 * self.noise:.1f} %)\n"
                f"{self.table.to_string(index=False)}")

    def _repr_html_(self) -> str:
        return f"<p>{str(self).partition(chr(10))[0]}</p>{self.table.to_html(index=False)}"


def hold_out(stances: Sequence[Stance], *, channel: str | None = None, days: int = 28, share: float = 0.5,
             factor: float = 0.0, outcome: tuple[float, float] | None = None, seed: int = 1,
             threads: int = 1) -> Holdout:
    """Simulate a holdout test, or judge the outcome of a real one.

    Parameters
    ----------
    stances : low, default and high, as a fit has them
    channel : str  whose budget is changed in the test regions; the one the elasticity was fitted on unless given
    days : int [day]
    share : float  of the regions that are tested, by consumers
    factor : float  of the budget there: 0 buys nothing, 1.5 half as much again
    outcome : (float, float)  ln(orders in test regions / elsewhere, by consumer) and its standard deviation, of a real
        test; one is simulated at the default click share unless given

    Raises
    ------
    UsageError  where no click share was fitted, for a channel without a budget, a test that tests nothing, or an
        outcome that is none

    Notes
    -----
    Expected effects come from pairs of runs on shared luck. A simulated outcome compares groups of consumers (consumer
    number modulo 20) of one world with the others of another, so it has the noise of a real test whose regions are
    alike; regions that differ in more than luck need a longer test. What passes between regions is left aside.
    """
    if len(stances) != 3:
        raise UsageError(Fault("holdout", "fit", "click shares were kept", "must be a fit with low, default and high",
                               "Calibrate with a daily table, or with elasticity=0.12."))
    truth = stances[1].scenario
    channel = channel or tested_channel(truth)
    tested = round(GROUPS * share)
    faults = []
    if channel not in truth.channels or truth.channels[channel].budget == 0:
        faults.append(Fault("holdout", "channel", repr(channel), "must be a channel with a budget", "Name another."))
    if not 0 < tested < GROUPS:
        faults.append(Fault("holdout", "share", f"{share:g}", f"must leave both sides {1 / GROUPS:.0%} or more",
                            "Use 0.5."))
    if not 1 <= days <= 365 or factor < 0 or factor == 1:
        faults.append(Fault("holdout", "test", f"{days} days at {factor:g} of the budget", "must last 1 to 365 days "
                            "and change the budget", "Use 28 days at 0."))
    if outcome is not None and not _is_outcome(outcome):
        faults.append(Fault("holdout", "outcome", str(outcome), "must be a number and a standard deviation above 0",
                            "Give ln(orders in test regions / elsewhere) and its standard deviation."))
    if faults:
        raise UsageError(*faults)
    budget = to_cents(truth.channels[channel].budget * factor)
    changed = Plan(budgets={channel: (budget,)})

    def pair(scenario: Scenario, replication: int) -> tuple[Books, Books]:
        world = warm_up(scenario.with_({"horizon.days": days}), seed, replication, threads=1, orders="none")
        return finish(world.clone(), changed, threads=1), finish(world, threads=1)

    def effect(task: tuple[Stance, int]) -> float:
        with_, without = pair(shrink(task[0].scenario), task[1])
        return float(np.log(_by_group(with_).sum() / _by_group(without).sum()))

    with ThreadPoolExecutor(threads) as pool:
        tasks = [(one, FIRST_RUN + 1 + n) for one in stances for n in range(RUNS)]
        low, default, high = np.array(list(pool.map(effect, tasks))).reshape(3, RUNS).mean(axis=1).tolist()
    if outcome is None:
        with_, without = (_by_group(books) for books in pair(truth, FIRST_RUN))
        outcome = (float(np.log(with_[:tested].mean() / without[tested:].mean())),
                   float(without.std(ddof=1) / without.mean() * np.sqrt(1 / tested + 1 / (GROUPS - tested))))
    return Holdout(channel, days, tested / GROUPS, factor, (low, default, high), *outcome, tuple(stances))


def _is_outcome(outcome: tuple[float, float]) -> bool:
    return len(outcome) == 2 and bool(np.isfinite(outcome).all()) and outcome[1] > 0


def _by_group(books: Books) -> Floats:
    """Orders of the reported days by group of consumers, over all channels."""
    return np.asarray(books.groups[:, :, MEASURE["orders"]].sum(axis=1), float)
