"""Repurchase from a transaction log: three processes fitted, one chosen by the past alone, and held against the future.

The log is cut in two. Processes are fitted to the days before the cut and predict what the customers known by then
order after it. Which one is chosen is decided before the cut: each process, fitted to the first half and to the first
three quarters of those days, says how likely the next quarter was (the logarithm of the predictive density, a proper
score).
"""

from __future__ import annotations

import datetime
import html
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from omnisim.errors import Fault, UsageError
from omnisim.scenario.model import Scenario
from omnisim.study.fit_files import KIND, csv
from omnisim.study.purchases.check import Assessment, assess, business_days
from omnisim.study.purchases.fit import ProcessFit, fit_process, histories
from omnisim.study.purchases.forecast import forecast
from omnisim.study.purchases.models import (
    BG_NBD,
    PARETO_NBD,
    Floats,
    plain_simulator,
    simulator,
)
from omnisim.study.purchases.transaction_log import TransactionLog

if TYPE_CHECKING:
    import pandas as pd

    from omnisim.study.purchases.plots import RepurchasePlots

Progress = Callable[[int, int], None]
HOLDOUT = 0.25
"""Share of the log's days that are kept for the check."""
SPLITS = (0.5, 0.75, 1.0)
"""Shares of the days before the cut: fitted to each but the last, the next is predicted."""
FEWEST = 50
"""Repeat orders in the shortest fitted part, and in the holdout."""
FARTHEST = 3_650
"""Days after the log that customers are forecast for, at most."""
RENEWAL = 0.04
"""Share of a market that leaves in a year where no scenario says it (its default)."""
FIELDS = {"rate_shape": (0.02, 100.0), "rate_scale": (0.01, 1e5), "lapse_a": (0.02, 1000.0), "lapse_b": (0.02, 1000.0)}
"""Fields of brand.repurchase that a log gives, and their range."""


@dataclass(frozen=True)
class Repurchase:
    """How customers buy again, from a transaction log.

    Parameters
    ----------
    log : TransactionLog
    cut : int [day]  last day of the fitted part
    clock : float (days,) [day]  days passed by the evening of each day, weighted by the scenario's calendar
    models : tuple of Assessment  bg_nbd, pareto_nbd, simulator
    chosen : str  the one with the best score before the cut
    orders, buyers : int  what the customers known at the cut did after it: orders, customers with any
    whole : ProcessFit  the chosen process fitted to the whole log
    fields : ProcessFit  the simulator's process fitted to the whole log, as far as a scenario holds it
    scenario : Scenario, or None  the one given, with the fitted repurchase
    warnings : tuple of Fault
    pace : float  how much more often customers of the scenario order than their own rates say; 1 without a scenario
    calendar : Scenario, or None  whose calendar weights the days; without one all weigh the same
    """

    log: TransactionLog
    cut: int
    clock: Floats
    models: tuple[Assessment, ...]
    chosen: str
    orders: int
    buyers: int
    whole: ProcessFit
    fields: ProcessFit
    scenario: Scenario | None
    warnings: tuple[Fault, ...] = ()
    pace: float = 1.0
    calendar: Scenario | None = None

    @property
    def changes(self) -> dict[str, float]:
        """What the log says about a scenario: path -> value, for ``scenario.with_(…)``.

        Notes
        -----
        Fitted to the whole log without a share that never lapses, which a scenario has no field for. The scale of
        rates is that of the log times `pace`, so that the scenario's orders come as often as the log's.
        """
        found = {name: self.fields.value(name) * (self.pace if name == "rate_scale" else 1.0) for name in FIELDS}
        return {f"brand.repurchase.{name}": float(f"{min(max(found[name], low), high):.6g}")
                for name, (low, high) in FIELDS.items()}

    def paced(self, pace: float) -> Repurchase:
        """The same for a scenario whose customers order so much more often than their own rates say."""
        found = replace(self, pace=pace)
        return found if self.scenario is None else replace(found, scenario=self.scenario.with_(found.changes))

    @property
    def table(self) -> pd.DataFrame:
        """Each process on the days before and after the cut.

        Notes
        -----
        Columns: model, chosen, log_likelihood, aic, log_score (of the splits before the cut), orders (predicted after
        the cut), low, high (95 %), actual, error_percent, within, buyers (customers with an order after the cut),
        buyers_low, buyers_high, buyers_actual, buyers_error_percent, holdout_score (as log_score, after the cut),
        customer_error (root mean square over customers, orders).
        """
        import pandas as pd

        rows = []
        for model in self.models:
            row: dict[str, object] = {
                "model": model.name, "chosen": model.name == self.chosen,
                "log_likelihood": round(model.fit.log_likelihood, 2), "aic": round(model.fit.aic, 2),
                "log_score": round(model.score, 2)}
            for name, actual in (("orders", self.orders), ("buyers", self.buyers)):
                mean, sd = getattr(model.totals, name), getattr(model.totals, f"{name}_sd")
                low, high = model.interval(mean, sd)
                before, error = "" if name == "orders" else "buyers_", 100 * (mean / max(actual, 1) - 1)
                row |= {name: round(mean, 1), f"{before}low": round(low, 1), f"{before}high": round(high, 1),
                        f"{before}actual": actual, f"{before}error_percent": round(error, 2),
                        f"{before}within": low <= actual <= high}
            rows.append(row | {"holdout_score": round(model.holdout_score, 2),
                               "customer_error": round(model.customer_error, 5)})
        return pd.DataFrame(rows)

    @property
    def parameters(self) -> pd.DataFrame:
        """Every fitted parameter: model, days, parameter, value, standard_error, unit, identified.

        Notes
        -----
        ``days`` are those before the cut, or all. ``scenario`` is the simulator's process as far as a scenario holds
        it. Where ``identified`` is false the log fits nearly as well with half or double the value, and there is no
        standard error.
        """
        import pandas as pd

        parts = [("before the cut", model.fit) for model in self.models] + [("all", self.whole), ("all", self.fields)]
        return pd.DataFrame([{
            "model": fit.process.name, "days": days, "parameter": parameter.name, "value": float(f"{value:.6g}"),
            "standard_error": float(f"{error:.3g}"), "unit": parameter.unit, "identified": bool(known)}
            for days, fit in parts for parameter, value, error, known in zip(
                fit.process.parameters, fit.values.tolist(), fit.standard_errors.tolist(), fit.identified.tolist(),
                strict=True)])

    def customers(self, days: int = 365) -> pd.DataFrame:
        """What each customer is expected to order after the end of the log, by the chosen process.

        Parameters
        ----------
        days : int [day]  how far ahead

        Returns
        -------
        DataFrame  customer, first, last, repeat_orders, mean_value [currency/order], alive (chance), expected_orders,
            chance (of any order)

        Raises
        ------
        UsageError  for days that are not ahead
        """
        import pandas as pd

        if not 1 <= days <= FARTHEST:
            raise UsageError(Fault("customers", "days", str(days), f"must be 1 to {FARTHEST:,}", "Use 365."))

        log, end = self.log, self.log.last_day
        h, row, who = histories(log, end, self.clock)
        ahead = business_days(log, self.calendar, days)[-1] - self.clock[end]
        found = forecast(self.whole.process, self.whole.values, h, float(ahead))
        start = np.flatnonzero(np.append(True, np.diff(log.customer) != 0))
        stop = np.append(start[1:], log.customer.size)
        zero = np.datetime64(log.start, "s")
        day = np.timedelta64(86_400, "s")
        value = np.full(start.size, np.nan) if log.value is None else np.add.reduceat(log.value, start) / (stop - start)
        return pd.DataFrame({
            "customer": pd.array([log.customers[k] for k in who], dtype="str"),
            "first": zero + log.day[start] * day, "last": zero + log.day[stop - 1] * day,
            "repeat_orders": stop - start - 1, "mean_value": value, "alive": found.alive[row],
            "expected_orders": found.mean[row], "chance": found.any[row]})

    @property
    def plot(self) -> RepurchasePlots:
        """Plots: tracking (orders over time against each process), frequencies (customers by repeat orders)."""
        from omnisim.study.purchases.plots import RepurchasePlots

        return RepurchasePlots(self)

    def apply(self, scenario: Scenario, *, seed: int = 1, threads: int = 1) -> Scenario:
        """A scenario whose customers order as often as the log's; takes a few short simulations."""
        from omnisim.study.calibration.pace import adapt

        return adapt(self.paced(1.0), scenario, seed=seed, threads=threads).scenario or scenario

    def heading(self) -> str:
        """What was fitted and which process was chosen, in one sentence."""
        log = self.log
        cut, end = (log.start + datetime.timedelta(days=day) for day in (self.cut, log.last_day))
        return (f"{len(log.customers):,} customers, {log.customer.size:,} orders from {log.start} to {end}; fitted up "
                f"to {cut}, held against the {log.last_day - self.cut} days after; {self.chosen} is chosen")

    def save(self, directory: str | Path) -> None:
        """Write the fit: models.csv, parameters.csv, repurchase.yaml, two pictures, scenario.yaml if one was given.

        Raises
        ------
        UsageError  where the directory holds something else
        StorageError  where the disk refuses
        """
        from omnisim import storage
        from omnisim.canvas import to_png
        from omnisim.scenario.write import to_yaml

        path = Path(directory)
        texts = self.texts()
        if self.scenario is not None:
            texts["scenario.yaml"] = f"# {self.heading()}\n" + to_yaml(self.scenario.to_dict())
        pictures = {"tracking.png": self.plot.tracking(), "frequencies.png": self.plot.frequencies()}
        storage.claim_directory(path, KIND)
        storage.open_manifest(path, KIND, [*texts, *pictures])
        for name, text in texts.items():
            storage.write_text(path / name, text)
        for name, axes in pictures.items():
            storage.write_bytes(path / name, to_png(axes))
        storage.write_json(path / storage.MANIFEST, {
            "kind": KIND, "complete": True, "chosen": self.chosen, "cut": self.cut,
            "files": {name: storage.digest(path / name) if name in texts else "" for name in (*texts, *pictures)}})

    def update(self, path: str | Path) -> Path:
        """Write the fitted repurchase into a scenario file; comments and layout stay.

        Gives the path of the file that has it: NAME_fitted.yaml beside it where the file has no place for it.

        Raises
        ------
        StorageError  where the file cannot be written
        """
        from omnisim.scenario.load import load
        from omnisim.scenario.rewrite import write_back

        return write_back(path, self.changes, load(path).with_(self.changes))

    def texts(self) -> dict[str, str]:
        """Tables and fields of a scenario as text, by file name; nothing in them names a customer."""
        from omnisim.scenario.write import to_yaml

        values = {path.rpartition(".")[2]: value for path, value in self.changes.items()}
        scale = (f"# rate_scale: the log's {self.fields.value('rate_scale'):.6g} times {self.pace:.4f}, as the "
                 "scenario's customers order so much more often than their own rates say"
                 if self.scenario is not None else
                 "# rate_scale: the log's; calibrate with a scenario, whose members and interested order more often")
        return {"models.csv": csv(self.table), "parameters.csv": csv(self.parameters),
                "repurchase.yaml": f"# {self.heading()}\n{scale}\n" + to_yaml({"brand": {"repurchase": values}})}

    def __str__(self) -> str:
        return f"{self.heading()}\n{self.table.to_string()}\n{self.parameters.to_string()}"

    def __repr__(self) -> str:
        return f"<Repurchase {self.heading()}>"

    def _repr_html_(self) -> str:
        notes = "".join(f"<li>{html.escape(str(note))}</li>" for note in self.warnings)
        return (f"<p><b>{html.escape(self.heading())}</b></p>{self.table.to_html(index=False)}"
                f"{self.parameters.to_html(index=False)}<ul>{notes}</ul>")


def fit_repurchase(log: TransactionLog, *, scenario: Scenario | None = None, holdout: int | None = None,
                   progress: Progress | None = None) -> Repurchase:
    """Fit how customers buy again.

    Parameters
    ----------
    log : TransactionLog
    scenario : Scenario  whose calendar weights the days and whose renewal leaves the market; without it all days weigh
        the same and 4 % leave in a year
    holdout : int [day]  last days of the log that are predicted; a quarter of its days unless given
    progress : callable  told the fits done and the fits to do

    Raises
    ------
    UsageError  where the log is too short or has too few repeat orders
    """
    end = log.last_day
    cut = end - (round(HOLDOUT * end) if holdout is None else holdout)
    cuts = [round(share * cut) for share in SPLITS]
    _check(log, cuts, end)
    clock = business_days(log, scenario)
    leave = -np.log1p(-min(0.999, RENEWAL if scenario is None else scenario.population.renewal)) / 365
    processes = (BG_NBD, PARETO_NBD, simulator(float(leave)))
    work = len(processes) * len(cuts) + 2
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        if progress:
            progress(done, work)

    _, _, who = histories(log, cut, clock)
    later = np.bincount(log.customer[log.day > cut], minlength=len(log.customers))[who]
    models = tuple(assess(process, log, cuts, clock, later, tick) for process in processes)
    best = max(models, key=lambda model: model.score)
    everything, _, _ = histories(log, end, clock)
    whole = fit_process(best.fit.process, everything, [best.fit.values])
    tick()
    plain = plain_simulator(float(leave))
    fields = fit_process(plain, everything, [models[0].fit.values])
    tick()
    return Repurchase(log, cut, clock, models, best.name, int(later.sum()), int((later > 0).sum()), whole, fields,
                      None, (*log.warnings, *_doubts(best, fields)), calendar=scenario)


def _check(log: TransactionLog, cuts: list[int], end: int) -> None:
    first = np.append(True, np.diff(log.customer) != 0)
    repeat = np.sort(log.day[~first])
    faults = []
    if not 0 < cuts[-1] < end:
        faults.append(Fault("calibrate", "holdout", f"{end - cuts[-1]} days", "must be at least 1 and leave days of "
                            f"the log's {end + 1} to fit", f"Choose 1 to {end - 1}." if round(HOLDOUT * end) else
                            "Give a longer log."))
    else:
        for what, count in ((f"repeat orders up to day {cuts[0]}", int(np.searchsorted(repeat, cuts[0], "right"))),
                            (f"repeat orders after day {cuts[-1]}", int((repeat > cuts[-1]).sum()))):
            if count < FEWEST:
                faults.append(Fault(log.place, what, str(count), f"must be at least {FEWEST}",
                                    "Give a longer log, or check that customers are named alike in each order."))
    if faults:
        raise UsageError(*faults)


def _doubts(best: Assessment, fields: ProcessFit) -> tuple[Fault, ...]:
    """What a reader must know before the parameters are used."""
    found = []
    vague = [parameter.name for parameter, known in zip(fields.process.parameters, fields.identified, strict=True)
             if not known]
    if vague:
        found.append(Fault("log", ", ".join(vague), "", "cannot be told from this log: half or double the value fits "
                           "nearly as well", "Give a longer log, or keep the scenario's values."))
    for name, (low, high) in FIELDS.items():
        if not low <= fields.value(name) <= high:
            found.append(Fault("log", name, f"{fields.value(name):.4g}", f"lies outside of {low:g} to {high:g}, what a "
                               "scenario can hold", "The nearer end is used; check the log."))
    if best.name == PARETO_NBD.name:
        found.append(Fault("log", "pareto_nbd", "", "describes these customers better than what a scenario can hold: "
                           "customers who lapse after orders only", "Compare the errors in `table`."))
    elif best.name == "simulator" and best.fit.value("loyal") > 0.01:
        found.append(Fault("log", "loyal", f"{best.fit.value('loyal'):.3g}", "is the share of customers who never "
                           "lapse; a scenario has no field for it", "Its lapse_a and lapse_b are fitted without."))
    return tuple(found)
