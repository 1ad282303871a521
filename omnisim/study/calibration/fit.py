"""What a calibration gives: the fitted scenario, how well it fits, and what the tables cannot tell."""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from omnisim.errors import Fault
from omnisim.scenario.model import Scenario
from omnisim.study.calibration.certainty import Belief
from omnisim.study.calibration.elasticity import Stance
from omnisim.study.calibration.fitting import tidy
from omnisim.study.calibration.unidentified import Unidentified
from omnisim.study.fit_files import KIND, csv

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.study.calibration.holdout import Holdout
    from omnisim.study.purchases.repurchase import Repurchase

TOLERANCE = 0.03
"""How far a simulated figure may be from the table's, beside two standard errors."""


@dataclass(frozen=True)
class Row:
    """One figure of the table beside the simulated one."""

    channel: str
    measure: str
    unit: str
    table: float
    simulated: float
    standard_error: float
    tolerance: float = TOLERANCE

    @property
    def deviation(self) -> float:
        """Simulated against table, relative."""
        return self.simulated / self.table - 1

    @property
    def within(self) -> bool:
        """Whether it lies within its tolerance (3 %, relative) and two standard errors."""
        return abs(self.simulated - self.table) <= self.tolerance * self.table + 2 * self.standard_error


@dataclass(frozen=True)
class Fit:
    """A fitted scenario and how well it fits.

    Parameters
    ----------
    scenario : Scenario  the fitted one
    rows : tuple of Row  each figure of the table, simulated on four replications that the fit has not seen
    fitted : path -> value  what was changed, and to what
    unidentified : tuple of Unidentified  what the table cannot tell, with its range
    warnings : tuple of Fault  figures that were not reached, tables that contradict themselves
    seed : int  the seed of the fit; replications 0 to 3 of it are the check, or 4 to 7 or 8 to 11 where those before
        did not agree with the table and joined the fit
    stances : tuple of Stance  low, default and high: how well advertising works, the click share that goes with it and
        a scenario fitted at each; empty where click shares were kept
    repurchase : Repurchase, or None  what a transaction log says, which the scenario follows
    beliefs : tuple of Belief  each unknown of the fit with its interval, and whether the tables fix it
    """

    scenario: Scenario
    rows: tuple[Row, ...]
    fitted: dict[str, float]
    unidentified: tuple[Unidentified, ...]
    warnings: tuple[Fault, ...] = ()
    seed: int = 1
    stances: tuple[Stance, ...] = ()
    repurchase: Repurchase | None = None
    beliefs: tuple[Belief, ...] = ()

    @property
    def table(self) -> pd.DataFrame:
        """The figures: channel, measure, unit, table, simulated, standard_error, deviation_percent, within."""
        import pandas as pd

        return pd.DataFrame([{
            "channel": row.channel, "measure": row.measure, "unit": row.unit, "table": row.table,
            "simulated": tidy(row.simulated), "standard_error": tidy(row.standard_error),
            "deviation_percent": round(100 * row.deviation, 2), "within": row.within} for row in self.rows])

    @property
    def unidentified_table(self) -> pd.DataFrame:
        """What the table cannot tell: parameter, value, unit, low, high, why."""
        import pandas as pd

        return pd.DataFrame(self.unidentified, columns=list(Unidentified._fields))

    @property
    def values_table(self) -> pd.DataFrame:
        """What was sought: parameter, value, low, high (95 %), identified, why not, and two standard deviations.

        Notes
        -----
        ``believed`` is the standard deviation before the fit and ``left`` what the tables alone leave of it, in logs
        (log-odds for intercepts). Where ``identified`` is false the value rests on where the fit started.
        """
        import pandas as pd

        return pd.DataFrame([one._replace(left=tidy(one.left)) for one in self.beliefs], columns=list(Belief._fields))

    @property
    def scenarios(self) -> dict[str, Scenario]:
        """The fitted scenario by what is believed of advertising: low, default, high; default alone if none is."""
        return {one.name: one.scenario for one in self.stances} or {"default": self.scenario}

    @property
    def elasticity_table(self) -> pd.DataFrame:
        """What hangs on the click share: a row each for low, default and high, with 95 % intervals."""
        import pandas as pd

        names = [name for name in Stance._fields if name != "scenario"]
        return pd.DataFrame([[tidy(value) if isinstance(value, float) else value for value in one[:-1]]
                             for one in self.stances], columns=names)

    def holdout_test(self, channel: str | None = None, *, days: int = 28, share: float = 0.5, factor: float = 0.0,
                     outcome: tuple[float, float] | None = None, threads: int = 2) -> Holdout:
        """What a holdout test would show, and how far its outcome narrows what is believed of advertising.

        Parameters
        ----------
        channel : str  whose budget is changed in the test regions; the largest content channel unless given
        days : int [day]
        share : float  of the regions that are tested
        factor : float  of the budget there: 0 buys nothing
        outcome : (float, float)  ln(orders in test regions / elsewhere) of a real test, and its standard deviation;
            one is simulated unless given

        Raises
        ------
        UsageError  where no click share was fitted, or for a test that tests nothing
        """
        from omnisim.study.calibration.holdout import hold_out

        return hold_out(self.stances, channel=channel, days=days, share=share, factor=factor, outcome=outcome,
                        seed=self.seed, threads=threads)

    def save(self, directory: str | Path) -> None:
        """Write scenario.yaml (the fitted scenario), fit.csv, values.csv and unidentified.csv.

        With a fitted click share also elasticity.csv, scenario_low.yaml and scenario_high.yaml; with a transaction
        log models.csv, parameters.csv and repurchase.yaml.

        Raises
        ------
        UsageError  where the directory holds something else
        StorageError  where the disk refuses
        """
        from omnisim import storage
        from omnisim.scenario.write import to_yaml

        path = Path(directory)
        texts = {"scenario.yaml": self._heading() + to_yaml(self.scenario.to_dict()), "fit.csv": csv(self.table),
                 "values.csv": csv(self.values_table), "unidentified.csv": csv(self.unidentified_table)}
        if self.stances:
            texts["elasticity.csv"] = csv(self.elasticity_table)
        for name in ("low", "high"):
            if name in self.scenarios:
                texts[f"scenario_{name}.yaml"] = to_yaml(self.scenarios[name].to_dict())
        if self.repurchase:
            texts |= self.repurchase.texts()
        storage.claim_directory(path, KIND)
        storage.open_manifest(path, KIND, texts)
        for name, text in texts.items():
            storage.write_text(path / name, text)
        storage.write_json(path / storage.MANIFEST, {
            "kind": KIND, "complete": True, "scenario_hash": self.scenario.hash, "seed": self.seed,
            "files": {name: storage.digest(path / name) for name in texts}})

    def update(self, path: str | Path) -> Path:
        """Write the fitted values into the scenario file that the fit started from; comments and layout stay.

        Gives the path of the file that has them: NAME_fitted.yaml beside it where the file has no place for one.

        With a fitted click share, what differs if it is low or high goes into overlays beside it, NAME_low.yaml and
        NAME_high.yaml.

        Raises
        ------
        StorageError  where the file cannot be written
        """
        from omnisim.scenario.rewrite import write_back, write_overlay

        path = Path(path)
        written = write_back(path, self.fitted, self.scenario)
        for one in self.stances:
            if one.name != "default":
                how = "less" if one.name == "low" else "more"
                write_overlay(path.with_name(f"{path.stem}_{one.name}{path.suffix}"), path.name, one.scenario,
                              f"{path.name}, if advertising works {how} than usual: {_of_advertising(one)}")
        return written

    def _heading(self) -> str:
        """Comments at the top of the scenario: how good it is, what was fitted, what is assumed."""
        worst = max(self.rows, key=lambda row: abs(row.deviation))
        vague = [one.parameter for one in self.beliefs if not one.identified]
        lines = [
            f"Fitted to the brand's tables: {sum(row.within for row in self.rows)} of {len(self.rows)} "
            "figures within 3 % and two standard errors,",
            f"the worst is {worst.measure} of {worst.channel}: {100 * worst.deviation:+.1f} %.",
            "Fitted: " + ", ".join(self.fitted) + ".",
            *([f"Of these the tables do not fix, and the start decides: {', '.join(vague)}."] if vague else []),
            "Everything else is assumed. The tables fit as well with other values of what follows; vary it before an",
            "answer about budgets is trusted (see unidentified.csv):",
            *(f"  {row.parameter} = {row.value:.6g} {row.unit}, {row.low:.4g} to {row.high:.4g}"
              for row in self.unidentified),
            *(f"Advertising, {one.name}: {_of_advertising(one)}" for one in self.stances),
            *(f"Beware: {note}" for note in self.warnings)]
        return "".join(f"# {line}\n" for line in lines) + "\n"

    def __str__(self) -> str:
        within = sum(row.within for row in self.rows)
        budgets = f"{self.elasticity_table.to_string()}\n" if self.stances else ""
        values = f"{self.values_table.to_string()}\n" if self.beliefs else ""
        return (f"{within} of {len(self.rows)} figures within 3 % and two standard errors\n{self.table.to_string()}\n"
                f"{values}{budgets}{len(self.unidentified)} values that the tables cannot tell: see unidentified_table")

    def _repr_html_(self) -> str:
        within = sum(row.within for row in self.rows)
        title = f"{within} of {len(self.rows)} figures within 3 % and two standard errors"
        notes = "".join(f"<li>{html.escape(str(note))}</li>" for note in self.warnings)
        budgets = ("<p>What an extra budget brings, if advertising works less, as, or more than usual:</p>"
                   f"{self.elasticity_table.to_html(index=False)}" if self.stances else "")
        values = (f"<p>What was sought, with 95 % intervals:</p>{self.values_table.to_html(index=False)}"
                  if self.beliefs else "")
        return (f"<p><b>{html.escape(title)}</b></p>{self.table.to_html(index=False)}<ul>{notes}</ul>{values}{budgets}"
                f"<p>What the tables cannot tell:</p>{self.unidentified_table.to_html(index=False)}")


def _of_advertising(one: Stance) -> str:
    return (f"click share {one.click_share:.4g}, elasticity {one.elasticity:.3f}, an extra unit of money brings "
            f"{one.margin:.2f} of margin.")
