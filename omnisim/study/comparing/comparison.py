"""What a comparison says: one table and one picture to paste, and the tables behind them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from omnisim.canvas import say
from omnisim.errors import Fault
from omnisim.study.comparing.arms import Arm, Outcome
from omnisim.study.comparing.paired import holm, mean_interval, p_values, probability_best

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes

KIND = "omnisim comparison"
"""What the manifest calls a directory of a comparison."""
COLUMNS = ("policy", "kpi", "mean", "low", "high", "difference", "diff_low", "diff_high", "probability_best")
WORSE_IF_HIGHER = frozenset(("cac", "cost_per_new_user", "media", "cost", "unspent_budget", "return_rate",
                             "dormant_share"))
"""Figures of which less is better."""


def worse_if_higher(kpi: str) -> bool:
    """Whether less of a figure is better."""
    return kpi in WORSE_IF_HIGHER


@dataclass(frozen=True, eq=False)
class Comparison:
    """Policies or scenarios on the same luck.

    Parameters
    ----------
    names : tuple of str  what was compared
    kpis : tuple of str  figures, the one that decides first
    values : kpi -> (names, replications) float
    spent : (names, replications, channels) float [currency/day]  media
    profit : (names, replications, days) float [currency]
    channels : tuple of str
    decided : (name, replication, list of decisions)  of each run
    baseline : str  that differences are taken to
    reference : str, or None  that regret is taken to; the best by the first figure unless given
    seed : int
    start : datetime64  first reported day
    currency, language : str
    warnings : tuple of Fault
    """

    names: tuple[str, ...]
    kpis: tuple[str, ...]
    values: Mapping[str, NDArray[np.float64]]
    spent: NDArray[np.float64]
    profit: NDArray[np.float64]
    channels: tuple[str, ...]
    decided: tuple[tuple[str, int, list[dict[str, object]]], ...]
    baseline: str
    reference: str | None
    seed: int
    start: np.datetime64
    currency: str
    language: str
    warnings: tuple[Fault, ...] = ()

    @classmethod
    def of(cls, arms: Sequence[Arm], outcomes: Sequence[Sequence[Outcome]], kpis: Sequence[str], baseline: str,
           reference: str | None, *, seed: int, warnings: tuple[Fault, ...]) -> Comparison:
        """Put outcomes by replication and arm together."""
        by_arm = list(zip(*outcomes, strict=True))
        channels = tuple(dict.fromkeys(name for arm in arms for name in arm.scenario.channels))
        spent = np.zeros((len(arms), len(outcomes), len(channels)))
        for a, (arm, row) in enumerate(zip(arms, by_arm, strict=True)):
            places = [channels.index(name) for name in arm.scenario.channels]
            spent[a][:, places] = [one.spent for one in row]
        first = arms[0].scenario
        return cls(tuple(arm.name for arm in arms), tuple(kpis),
                   {kpi: np.array([[one.kpis[kpi] for one in row] for row in by_arm], float) for kpi in kpis}, spent,
                   np.array([[one.profit for one in row] for row in by_arm]), channels,
                   tuple((arm.name, n, one.decisions) for arm, row in zip(arms, by_arm, strict=True)
                         for n, one in enumerate(row)),
                   baseline, reference, seed, np.datetime64(first.horizon.start, "s"), first.currency, first.language,
                   warnings)

    @property
    def replications(self) -> int:
        """How many lucks everything was run on."""
        return int(self.profit.shape[1])

    @cached_property
    def table(self) -> pd.DataFrame:
        """Policy × figure: policy, kpi, mean, low, high, difference, diff_low, diff_high, probability_best.

        Notes
        -----
        ``low`` and ``high`` are a 95 % Student interval of the mean. ``difference`` is to the baseline on the same
        luck; its intervals hold for all policies of a figure at once with 95 % (Šidák). ``probability_best`` is the
        share of bootstrap samples of replications in which the mean is the best; policies that tie share it. Of few
        replications it comes out too near to 0 or 1: who is surely ahead is told by the interval (`verdict`).
        """
        import pandas as pd

        rows = []
        base = self.names.index(self.baseline)
        for kpi in self.kpis:
            values = self.values[kpi]
            mean, low, high = mean_interval(values)
            apart = mean_interval(values - values[base], len(self.names) - 1)
            best = probability_best(-values if worse_if_higher(kpi) else values)
            rows += [(name, kpi, mean[k], low[k], high[k], *(float(part[k]) for part in apart), best[k])
                     for k, name in enumerate(self.names)]
        return pd.DataFrame(rows, columns=list(COLUMNS))

    @cached_property
    def tests(self) -> pd.DataFrame:
        """Paired t tests against the baseline: policy, kpi, difference, p, p_holm (for all policies and figures)."""
        import pandas as pd

        base = self.names.index(self.baseline)
        rows = [(name, kpi, *one) for kpi in self.kpis
                for name, one in zip(self.names, self._test(self.values[kpi] - self.values[kpi][base]), strict=True)
                if name != self.baseline]
        table = pd.DataFrame(rows, columns=["policy", "kpi", "difference", "p"])
        return table.assign(p_holm=holm(table["p"].to_numpy(float)))

    @staticmethod
    def _test(differences: NDArray[np.float64]) -> list[tuple[float, float]]:
        return list(zip(differences.mean(axis=1).tolist(), p_values(differences).tolist(), strict=True))

    @cached_property
    def regret(self) -> pd.DataFrame:
        """What each policy misses of the reference: policy, kpi, regret, low, high, relative. Intervals as in `table`.

        The reference is the one named, else the policy with the best mean of the figure; a regret below 0 means that
        the policy beat it.
        """
        import pandas as pd

        rows = []
        for kpi in self.kpis:
            signed = -self.values[kpi] if worse_if_higher(kpi) else self.values[kpi]
            at = int(np.argmax(signed.mean(axis=1))) if self.reference is None else self.names.index(self.reference)
            mean, low, high = mean_interval(signed[at] - signed, len(self.names) - 1)
            level = abs(float(signed[at].mean())) or float("nan")
            rows += [(name, kpi, mean[k], low[k], high[k], mean[k] / level) for k, name in enumerate(self.names)]
        return pd.DataFrame(rows, columns=["policy", "kpi", "regret", "low", "high", "relative"])

    @cached_property
    def budgets(self) -> pd.DataFrame:
        """Money that went into media, a day, mean over days and replications: policy × channel."""
        import pandas as pd

        return pd.DataFrame(self.spent.mean(axis=1), index=pd.Index(self.names, name="policy"), columns=self.channels)

    @cached_property
    def paths(self) -> pd.DataFrame:
        """How far ahead of the baseline each policy's profit is, day by day, mean over replications: date × policy."""
        return self._by_day(self._ahead.mean(axis=1))

    @cached_property
    def path_bands(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Low and high ends of the 95 % intervals of `paths`, for all policies of a day at once: date × policy."""
        _, low, high = mean_interval(np.moveaxis(self._ahead, 1, -1), len(self.names) - 1)
        return self._by_day(low), self._by_day(high)

    @property
    def _ahead(self) -> NDArray[np.float64]:
        """(names, replications, days) [currency] profit ahead of the baseline's, summed up."""
        ahead: NDArray[np.float64] = (self.profit - self.profit[self.names.index(self.baseline)]).cumsum(axis=2)
        return ahead

    def _by_day(self, values: NDArray[np.float64]) -> pd.DataFrame:
        import pandas as pd

        dates = self.start + np.arange(values.shape[1]) * np.timedelta64(86_400, "s")
        return pd.DataFrame(values.T, index=pd.Index(dates, name="date"), columns=self.names)

    @cached_property
    def decisions(self) -> pd.DataFrame:
        """Every review: policy, replication, date, saw, changed."""
        import pandas as pd

        rows = [(name, n, self.start + np.timedelta64(int(str(one["day"])), "D"), one["saw"], one["changed"])
                for name, n, made in self.decided for one in made]
        return pd.DataFrame(rows, columns=["policy", "replication", "date", "saw", "changed"])

    def wide(self, kpi: str | None = None) -> pd.DataFrame:
        """The table of one figure, the first unless given, best first: for a page."""
        kpi = kpi or self.kpis[0]
        rows = self.table[self.table["kpi"] == kpi].drop(columns="kpi")
        return rows.sort_values("mean", ascending=worse_if_higher(kpi), kind="stable").reset_index(drop=True)

    def surely_ahead(self, kpi: str) -> list[str]:
        """Who is better than the baseline by a figure, with the whole interval of the difference; the best first."""
        sign = -1 if worse_if_higher(kpi) else 1
        rows = self.wide(kpi)
        return list(rows.loc[(rows[["diff_low", "diff_high"]] * sign).min(axis=1, skipna=False) > 0, "policy"])

    def verdict(self, kpi: str, language: str = "en") -> str:
        """Who is surely ahead of the baseline by a figure, in words."""
        sure = self.surely_ahead(kpi)
        if not sure:
            return say("None is surely ahead of {base}", language).format(base=self.baseline)
        return say("Surely ahead of {base}: {names}", language).format(
            base=self.baseline, names=", ".join(sure[:4]) + (" …" if len(sure) > 4 else ""))

    def plot(self, kpi: str | None = None) -> Axes:
        """Which policy is ahead of the baseline, and how sure is that?"""
        from omnisim.study.comparing.plots import differences

        return differences(self, kpi or self.kpis[0])

    def plot_paths(self) -> Axes:
        """When does each policy pull ahead of the baseline, or fall behind?"""
        from omnisim.study.comparing.plots import paths

        return paths(self)

    def save(self, directory: str | Path) -> Path:
        """Write comparison.csv, regret.csv, tests.csv, budgets.csv, paths.csv, decisions.csv and the plots.

        Raises
        ------
        UsageError  for a directory that holds something else
        StorageError  if the disk refuses
        """
        from omnisim import storage
        from omnisim.canvas import to_png

        path = Path(directory)
        tables = {"comparison": self.table, "regret": self.regret, "tests": self.tests,
                  "budgets": self.budgets.reset_index(), "paths": self.paths.reset_index(), "decisions": self.decisions}
        names = [*(f"{name}.csv" for name in tables), "comparison.png", "paths.png"]
        storage.claim_directory(path, KIND)
        storage.open_manifest(path, KIND, names)
        for name, frame in tables.items():
            text = frame.to_csv(index=False, lineterminator="\n")
            storage.write_text(path / f"{name}.csv", text, encoding="utf-8-sig")
        storage.write_bytes(path / "comparison.png", to_png(self.plot()))
        storage.write_bytes(path / "paths.png", to_png(self.plot_paths()))
        storage.write_json(path / storage.MANIFEST, {
            "kind": KIND, "complete": True, "policies": list(self.names), "baseline": self.baseline,
            "reference": self.reference, "seed": self.seed, "replications": self.replications,
            "files": {name: "" if name.endswith(".png") else storage.digest(path / name) for name in names}})
        return path

    def __repr__(self) -> str:
        return f"<Comparison of {', '.join(self.names)}: {self.replications} replications, seed {self.seed}>"

    def _repr_html_(self) -> str:
        return str(self.wide().to_html(index=False, float_format=lambda value: f"{value:,.4g}" if abs(value) < 1000
                                       else f"{value:,.0f}"))
