"""What the command line shows: tables, progress and faults for people, or one JSON object for programs."""

from __future__ import annotations

import contextlib
import json
import math
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnisim.errors import SHOWN, Fault, OmnisimError

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console

    from omnisim.optimise.budget_plan import BudgetPlan
    from omnisim.optimise.replenish.stock_plan import StockPlan
    from omnisim.results import Result
    from omnisim.study.comparing.comparison import Comparison
    from omnisim.study.sweeping.study import Study

ENDING = (signal.SIGINT, signal.SIGTERM)
"""Signals that ask a command to stop."""
FIRST = 12
"""Rows that are shown of a table of any length."""
PATIENCE = 0.7
"""Seconds after Ctrl-C before a computation that does not stop by itself is stopped."""


@dataclass(frozen=True)
class Answer:
    """What a verb has to say.

    Parameters
    ----------
    result : object  for ``--json``
    show : callable  prints the result for people
    exit_code : int
    faults, warnings : sequence of Fault
    """

    result: object = None
    show: Callable[[Console], None] | None = None
    exit_code: int = 0
    faults: Sequence[Fault] = ()
    warnings: Sequence[Fault] = ()


def print_answer(verb: str, answer: Answer, *, as_json: bool) -> None:
    """Print the answer: with ``as_json`` one object on standard output and nothing else there."""
    print_faults(answer.faults)
    print_faults(answer.warnings, "warning: ")
    if as_json:
        record = {"verb": verb, "exit_code": answer.exit_code, "result": answer.result,
                  "warnings": [asdict(note) for note in answer.warnings],
                  "errors": [asdict(fault) for fault in answer.faults]}
        sys.stdout.write(json.dumps(record, ensure_ascii=True, allow_nan=False, default=str) + "\n")
    elif answer.show is not None:
        from rich.console import Console

        answer.show(Console(file=sys.stdout, width=None if sys.stdout.isatty() else 120, highlight=False))
    sys.stdout.flush()


def print_faults(notes: Sequence[Fault], kind: str = "") -> None:
    """Print faults or warnings on standard error, the first few in full."""
    for note in notes[:SHOWN]:
        print(f"{kind}{note}", file=sys.stderr)  # noqa: T201  # this is where omnisim prints
    if len(notes) > SHOWN:
        print(f"{kind}… and {len(notes) - SHOWN} more.", file=sys.stderr)  # noqa: T201  # as above


def records(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """The rows of a table for JSON; what is not a number becomes null."""
    rows = json.loads(frame.to_json(orient="records", date_format="iso", double_precision=15))
    return list(rows)


def print_summary(console: Console, result: Result, out: Path | None) -> None:
    """Print the main figures of a run, and where the rest lies."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=escape(result.heading()), title_justify="left", show_header=False)
    table.add_column(justify="left")
    table.add_column(justify="right")
    table.add_column(justify="right")
    for cells in result.summary_rows():
        table.add_row(*(escape(cell) for cell in cells))
    console.print(table)
    head, *rows = result.channel_rows()
    channels = Table()
    for place, name in enumerate(head):
        channels.add_column(escape(name), justify="left" if place < 2 else "right")
    for row in rows:
        channels.add_row(*(escape(cell) for cell in row))
    console.print(channels)
    if out is not None:
        console.print(f"→ {out}", markup=False)


def budget_answer(plan: BudgetPlan, out: Path | None) -> Answer:
    """What a budget plan has to say; exit code 4 where the gap asked for was not reached."""
    record = {"objective": plan.objective, "bound": plan.bound, "gap": plan.gap, "objective_name": plan.objective_name,
              "budget": plan.budget, "unspent": plan.unspent, "notes": list(plan.notes), "table": records(plan.table),
              "shadow_prices": records(plan.shadow_prices), "comparison": records(plan.comparison),
              "frontier": None if plan.frontier is None else records(plan.frontier),
              **{name: records(frame) for name, frame in plan.further_tables().items()},
              "out": None if out is None else str(out)}

    def show(console: Console) -> None:
        for line in plan.lines():
            console.print(line, markup=False)
        print_frame(console, plan.comparison, title="budget by channel, all periods")
        if len(plan.shadow_prices):
            print_frame(console, plan.shadow_prices[["limit", "price", "unit", "meaning"]], title="shadow prices")
        if plan.frontier is not None:
            print_frame(console, plan.frontier, title="other budgets")
        for name, frame in plan.further_tables().items():
            print_frame(console, frame, title=name.replace("_", "-"))
        if out is not None:
            console.print(f"→ {out}", markup=False)
    return Answer(record, show, 0 if plan.is_proven else 4, warnings=plan.warnings)


def study_answer(study: Study, export: Path | None) -> Answer:
    """What a sweep has to say; exit code 4 where runs were given up."""
    given_up = study.quarantine
    record = {"out": str(study.directory), "export": None if export is None else str(export),
              "points": len(study.plan.distinct), "runs": study.plan.n_runs, "done": study.n_done,
              "metrics": records(study.summary()), "quarantine": records(given_up)}
    faults = [Fault(str(study.directory), f"point {row.point}, replication {row.replication}", "",
                    f"was given up after {row.tries} tries: {row.reason}", "Start the sweep again to try it again.")
              for row in given_up.itertuples()]

    def show(console: Console) -> None:
        from omnisim.study.sweeping.study import FEW

        console.print(study.heading(), markup=False)
        if study.n_done and len(study.plan.distinct) <= FEW:
            print_frame(console, study.main_means(), title="means by point")
        elif study.n_done:
            print_frame(console, study.summary(), title="over all points")
        for path in (study.directory, export):
            if path is not None:
                console.print(f"→ {path}", markup=False)
    return Answer(record, show, 4 if faults else 0, faults)


def comparison_answer(found: Comparison, out: Path | None) -> Answer:
    """What a comparison has to say."""
    verdicts = {kpi: found.verdict(kpi) for kpi in dict.fromkeys((found.kpis[0], "profit", "gmv")) if kpi in found.kpis}
    record = {"baseline": found.baseline, "reference": found.reference, "seed": found.seed,
              "replications": found.replications, "table": records(found.table), "regret": records(found.regret),
              "tests": records(found.tests), "verdicts": verdicts, "budgets": records(found.budgets.reset_index()),
              "out": None if out is None else str(out)}

    def show(console: Console) -> None:
        goal = found.kpis[0]
        unit = f" [{found.currency}]" if goal in ("profit", "gmv", "media", "cost") else ""
        print_frame(console, found.wide(), title=f"{goal}{unit}, {found.replications} replications; differences to "
                    f"{found.baseline}, 95 % for all at once")
        for kpi, verdict in verdicts.items():
            console.print(f"{kpi}: {verdict}", markup=False)
        first = found.wide().iloc[0]
        if first["probability_best"] > 0.9 and first["policy"] not in (found.baseline, *found.surely_ahead(goal)):
            console.print(f"probability best is too sure with {found.replications} replications; add --replications",
                          markup=False)
        print_frame(console, found.budgets.reset_index(), title=f"media a day [{found.currency}]")
        if out is not None:
            console.print(f"→ {out}", markup=False)
    return Answer(record, show, warnings=found.warnings)


def stock_answer(plan: StockPlan, out: Path | None, language: str = "en") -> Answer:
    """What a stock plan has to say, in English or Chinese; exit code 4 where the gap asked for was not reached."""
    record = {"objective": plan.objective, "bound": plan.bound, "gap": plan.gap, "cost": plan.account.cost,
              "table": records(plan.table), "shadow_prices": records(plan.shadow_prices),
              "out": None if out is None else str(out)}

    def show(console: Console) -> None:
        from omnisim.canvas import say

        for line in plan.lines(language):
            console.print(line, markup=False)
        orders = plan.orders_in(language)
        if len(orders):
            title = say("orders: {shown} of {all} rows", language).format(shown=len(orders[:FIRST]), all=len(orders))
            print_frame(console, orders[:FIRST], title=title)
        if len(plan.shadow_prices):
            print_frame(console, plan.prices_in(language), title=say("shadow prices", language))
        if out is not None:
            console.print(f"→ {out}", markup=False)
    return Answer(record, show, 0 if plan.is_proven else 4, warnings=plan.warnings)


def print_frame(console: Console, frame: pd.DataFrame, *, title: str = "") -> None:
    """Print a table, numbers to the right with thousands separated; headers break between words."""
    from rich.table import Table

    table = Table(title=title or None, title_justify="left")
    for name in frame.columns:
        is_text = frame[name].map(lambda cell: isinstance(cell, str)).any()
        table.add_column(str(name).replace("_", " "), justify="left" if is_text else "right", overflow="fold")
    for row in frame.itertuples(index=False):
        table.add_row(*(plain_cell(cell) for cell in row))
    console.print(table)


def with_intervals(frame: pd.DataFrame, names: Sequence[str]) -> pd.DataFrame:
    """A table in which NAME, NAME_low and NAME_high share a column: 0.118 (0.114 to 0.122)."""
    frame = frame.copy()
    for name in (name for name in names if f"{name}_low" in frame):
        low, high = frame.pop(f"{name}_low"), frame.pop(f"{name}_high")
        frame[name] = [f"{at:.3g} ({a:.3g} to {b:.3g})" for at, a, b in zip(frame[name], low, high, strict=True)]
    return frame


def plain_cell(cell: object) -> str:
    """A table's cell as text: 126,000 · 120.5 · 0.021 · – for nothing."""
    from rich.markup import escape

    if isinstance(cell, bool) or str(getattr(cell, "dtype", "")) == "bool":
        return "yes" if cell else "no"
    if isinstance(cell, float) or hasattr(cell, "dtype"):
        number = float(str(cell))
        if not math.isfinite(number):
            return "–"
        digits = 0 if number == round(number) or abs(number) >= 1000 else 2 if abs(number) >= 1 else 4
        return f"{number:,.{digits}f}"
    if isinstance(cell, int):
        return f"{cell:,}"
    return "–" if cell is None else escape(str(cell))


@contextlib.contextmanager
def located(file: Path | None) -> Iterator[None]:
    """Give faults that name a dotted path of a scenario file their place in it."""
    try:
        yield
    except OmnisimError as error:
        if file is None:
            raise
        from omnisim.scenario.load import read_scenario
        from omnisim.scenario.validate import locate

        raise type(error)(*(locate(fault, read_scenario(file)[1]) for fault in error.faults)) from error


@contextlib.contextmanager
def progress_bar(label: str) -> Iterator[Callable[[int, int], None] | None]:
    """A bar with the time left on standard error if that is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None)

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield report


PLAIN_EVERY = 30.0
"""Seconds between two lines of progress where there is no terminal."""


@contextlib.contextmanager
def pace_bar(label: str, unit: str) -> Iterator[Callable[[int, int], None]]:
    """Progress with rate and time left on standard error: a bar on a terminal, else a line now and then."""
    pace, said = Pace(unit), time.monotonic()
    if not sys.stderr.isatty():
        def tell(done: int, total: int) -> None:
            nonlocal said
            text = pace.text(done, total, time.monotonic())
            if time.monotonic() - said >= PLAIN_EVERY:
                said = time.monotonic()
                print(f"{label}: {text}", file=sys.stderr, flush=True)  # noqa: T201  # this is where omnisim prints
        yield tell
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[pace]}"))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(label, total=None, pace="")

        def report(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total, pace=pace.text(done, total, time.monotonic()))

        yield report


class Pace:
    """How fast something goes, by its last minute, and how long the rest takes.

    Parameters
    ----------
    unit : str  what is counted, as "runs"
    """

    def __init__(self, unit: str) -> None:
        self._unit = unit
        self._marks: deque[tuple[float, int]] = deque()

    def text(self, done: int, total: int, now: float) -> str:
        """In words: 1,200 of 10,000 runs, 35 a second, 4 min left.

        Parameters
        ----------
        now : float [second]  of a clock that never goes back
        """
        if not self._marks or now - self._marks[-1][0] >= 0.2 or done >= total:
            self._marks.append((now, done))
        while len(self._marks) > 2 and now - self._marks[0][0] > 60:
            self._marks.popleft()
        since, before = self._marks[0]
        seconds = now - since
        text = f"{done:,} of {total:,} {self._unit}"
        if done <= before or seconds <= 0:
            return text
        rate = (done - before) / seconds
        left = (total - done) / rate
        shown = f"{rate:,.0f} a second" if rate >= 10 else f"{rate:.1f} a second" if rate >= 1 \
            else f"{60 * rate:.1f} a minute"
        wait = f"{left:.0f} s" if left < 100 else f"{left / 60:.0f} min" if left < 6000 else f"{left / 3600:.0f} h"
        return f"{text}, {shown}, {wait} left"


def stop_promptly(last_words: Callable[[], None]) -> Callable[[], bool]:
    """Make Ctrl-C and SIGTERM end the process within a second, even while compiled code keeps Python from noticing it.

    Returns
    -------
    Whether one of them came

    Notes
    -----
    Python sees the interrupt only between two of its own instructions. The operating system's signal also writes a
    byte to a pipe, whatever Python does; a thread waits for it, gives the ordinary way a moment, and then ends the
    process with code 130. Files appear under their names only when complete, so nothing half-written is left.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)
    pressed = threading.Event()

    def interrupt(number: int, frame: object) -> None:
        pressed.set()
        raise KeyboardInterrupt

    for one in ENDING:
        signal.signal(one, interrupt)

    def watch() -> None:
        while os.read(reading, 1) not in (bytes([one]) for one in ENDING):
            pass
        time.sleep(PATIENCE)
        with contextlib.suppress(Exception):
            last_words()
        os._exit(130)

    threading.Thread(target=watch, daemon=True, name="interrupt").start()
    return pressed.is_set
