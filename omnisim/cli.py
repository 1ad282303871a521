"""The command line: one short function a verb. Typer reads the words; the work is done by the door.

A verb's function only returns what is to be done; ``main`` does it, so every way of failing is handled in one place.
"""

from __future__ import annotations

import errno
import gc
import os
import platform
import signal
import sys
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from omnisim.errors import Fault, OmnisimError, StorageError, UsageError
from omnisim.terminal import (
    ENDING,
    Answer,
    located,
    print_answer,
    print_faults,
    print_frame,
    print_summary,
    progress_bar,
    records,
    stop_promptly,
    with_intervals,
)
from omnisim.verbs.compare import compare
from omnisim.verbs.replenish import replenish
from omnisim.verbs.sweep import sweep
from omnisim.words import Job, Json, Lang, Out, Seed, Sets, Threads, changed

if TYPE_CHECKING:
    from rich.console import Console

    from omnisim.study.calibration.fit import Fit

app = typer.Typer(name="omnisim", add_completion=False, pretty_exceptions_enable=False)


def main(words: Sequence[str] | None = None, *, interrupted: Callable[[], bool] = lambda: False) -> int:
    """Run one command.

    Parameters
    ----------
    words : sequence of str  what stands behind ``omnisim``; the process's own arguments unless given
    interrupted : callable  whether Ctrl-C was pressed; compilers turn it into errors of their own

    Returns
    -------
    int  exit code: 0 done · 1 a bug · 2 wrong usage or a bad scenario · 3 infeasible · 4 a limit was reached ·
        5 a file cannot be read or written · 130 interrupted
    """
    words = list(sys.argv[1:] if words is None else words)
    verb, as_json = _verb(words), "--json" in words
    caught: list[warnings.WarningMessage] = []
    try:
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("default")
            for category in (DeprecationWarning, PendingDeprecationWarning, ResourceWarning):
                warnings.simplefilter("ignore", category)  # for those who write code
            answer = _answer(words, interrupted)
        notes = tuple(Fault("", note.category.__name__, "", str(note.message)) for note in caught)
        print_answer(verb, Answer(**{**vars(answer), "warnings": (*answer.warnings, *notes)}), as_json=as_json)
        return answer.exit_code
    except BrokenPipeError:  # the reader, as `head`, has seen enough
        _discard_output()
        return 0
    except OSError as error:  # what the answer is printed to cannot take it, as a full disk
        _discard_output()
        print_faults([_storage_fault(error)])
        return StorageError.exit_code


def _discard_output() -> None:
    """Let what is still to be printed go nowhere, so that Python does not try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def enter() -> None:
    """The ``omnisim`` command: ``main`` as a process of its own."""
    words = sys.argv[1:]
    sys.stdout, sys.stderr = (stream or open(os.devnull, "w") for stream in (sys.stdout, sys.stderr))  # noqa: SIM115
    os.environ.setdefault("MPLBACKEND", "agg")  # a command draws to files only
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    verb = _verb(words)
    interrupted = stop_promptly(lambda: print_answer(verb, _interrupted(verb), as_json="--json" in words))
    code = main(words, interrupted=interrupted)
    for one in ENDING:
        signal.signal(one, signal.SIG_IGN)  # all is said: what is left is to leave
    if code == 130:
        os._exit(code)  # without waiting for threads
    gc.freeze()  # Python would look through everything once more before it ends
    sys.exit(code)


def _answer(words: list[str], interrupted: Callable[[], bool]) -> Answer:
    """The answer to a command, whatever happens; ends with an exception only if the reader has gone."""
    verb = _verb(words)
    try:
        job = app(words or ["--help"], standalone_mode=False, prog_name="omnisim")
        if callable(job):
            answer: Answer = job()
            return answer
        return Answer(exit_code=int(job or 0) if words else UsageError.exit_code)
    except OmnisimError as error:
        return Answer(exit_code=error.exit_code, faults=error.faults)
    except typer.TyperException as error:
        place = f"omnisim {verb}".strip()
        fault = Fault(place, "usage", "", " ".join(error.format_message().split()), f"See {place} --help.")
        return Answer(exit_code=UsageError.exit_code, faults=(fault,))
    except (KeyboardInterrupt, typer.Abort):
        return _interrupted(verb)
    except BrokenPipeError:
        raise
    except OSError as error:
        return Answer(exit_code=5, faults=(_storage_fault(error),))
    except MemoryError:
        return Answer(exit_code=4, faults=(Fault("", "memory", "", "is not enough", "Lower population.size."),))
    except Exception as error:
        if interrupted():
            return _interrupted(verb)
        if os.environ.get("OMNISIM_DEBUG") == "1":
            raise
        return Answer(exit_code=1, faults=(Fault(
            "omnisim", "bug", f"{type(error).__name__}: {' '.join(str(error).split())}", "is not your fault",
            "Please report it with the command and its files; OMNISIM_DEBUG=1 shows where."),))


def _verb(words: Sequence[str]) -> str:
    verbs = {command.name for command in app.registered_commands}
    return next((word for word in words if word in verbs), "")


def _interrupted(verb: str) -> Answer:
    fix = "The same command goes on where it stopped." if verb == "sweep" else (
        "Start it again: the same seed gives the same result.")
    return Answer(exit_code=130, faults=(Fault("", verb or "run", "", "was interrupted", fix),))


def _storage_fault(error: OSError) -> Fault:
    cures = {errno.ENOSPC: "Free some space.", errno.EACCES: "Choose a place you may write to, or change its rights.",
             errno.EROFS: "Choose a place you may write to.", errno.EBUSY: "Close what uses it and try again."}
    return Fault(str(error.filename or "file"), "file", error.strerror or str(error), "must be readable and writable",
                 cures.get(error.errno or 0, "Check the path."))


def _print_version(wanted: bool) -> None:
    if wanted:
        from omnisim import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback(help="Simulate a brand's consumers, channels and stock, day by day.")
def _about(version: Annotated[bool, typer.Option("--version", help="Print the version.", is_eager=True,
                                                 callback=_print_version)] = False) -> None:
    """Options that need no verb; typer calls it before every one."""


@app.command("new")
def new(directory: Annotated[Path, typer.Argument(metavar="DIR")], as_json: Json = False) -> Job:
    """Write a starter scenario with comments into DIR."""
    def job() -> Answer:
        from omnisim.scenario import starter

        files = [str(path) for path in starter.write(directory)]
        return Answer({"files": files}, lambda console: console.print("\n".join(files), markup=False))
    return job


@app.command("check")
def check(files: Annotated[list[Path], typer.Argument(metavar="FILE…")],
          strict: Annotated[bool, typer.Option("--strict", help="Warnings count as faults.")] = False,
          as_json: Json = False) -> Job:
    """Name every fault of scenario files at once, and what to beware of."""
    def job() -> Answer:
        from omnisim.scenario.load import check_file

        faults, notes, rows = [], [], []
        for file in files:
            bad, beware = check_file(file)
            bad, beware = ([*bad, *beware], []) if strict else (list(bad), list(beware))
            rows.append({"file": str(file), "faults": len(bad), "warnings": len(beware)})
            faults += bad
            notes += beware

        def show(console: Console) -> None:
            for row in rows:
                count = row["faults"]
                word = f"{count} fault{'s' * (count != 1)}" if count else "ok"
                console.print(f"{row['file']}: {word}", markup=False)
        return Answer({"files": rows}, show, UsageError.exit_code if faults else 0, faults, notes)
    return job


@app.command("schema")
def schema(as_json: Json = False) -> Job:
    """Print the JSON Schema of a scenario file."""
    def job() -> Answer:
        from omnisim.door import schema as scenario_schema

        result = scenario_schema()
        return Answer(result, lambda console: console.print_json(data=result))
    return job


@app.command("run")
def run(file: Annotated[Path, typer.Argument(metavar="FILE")], seed: Seed = 1,
        replications: Annotated[int, typer.Option("--replications", min=1, help="How many runs.")] = 1,
        lang: Lang = None, sets: Sets = None,
        plan: Annotated[Path | None, typer.Option("--plan", metavar="FILE", help="Budgets and stock to run.")] = None,
        policy: Annotated[str | None, typer.Option("--policy", metavar="NAME", help="Who decides.")] = None,
        threads: Threads = None, as_json: Json = False, out: Out = None) -> Job:
    """Simulate a scenario; write the result directory with --out."""
    def job() -> Answer:
        from omnisim import door, results, storage
        from omnisim.scenario.warn import warnings as warnings_of

        scenario = changed(door.load(file), sets or [])
        if out is not None:
            storage.claim_directory(out, results.KIND)  # before the work, not after
        start = time.monotonic()
        with progress_bar(scenario.name) as progress:
            result = door.run(scenario, seed=seed, replications=replications, plan=plan, policy=policy,
                              threads=threads, progress=progress)
        result.language = lang or result.language
        if out is not None:
            result.save(out, log={"wall_seconds": round(time.monotonic() - start, 3), "host": platform.node()})
        record = {"scenario": scenario.name, "hash": scenario.hash, "seed": seed, "replications": replications,
                  "out": None if out is None else str(out), "kpis": records(result.kpis()),
                  "channels": records(result.channels)}
        return Answer(record, lambda console: print_summary(console, result, out), warnings=warnings_of(scenario))
    return job


@app.command("calibrate")
def calibrate(data: Annotated[list[Path], typer.Option("--data", metavar="TABLE", help="The brand's tables (T1, T3) or "
                                                       "a transaction log: CSV or Excel; may be repeated.")],
              file: Annotated[Path | None, typer.Argument(metavar="[FILE]")] = None, seed: Seed = 1,
              encoding: Annotated[str | None, typer.Option("--encoding", metavar="NAME",
                                                           help="Of CSV tables, as gb18030.")] = None,
              elasticity: Annotated[float | None, typer.Option("--elasticity", min=0, max=1, help="How orders answer "
                                    "to advertising: fits the click share; 0 keeps it; 0.12 with a T3.")] = None,
              update: Annotated[bool, typer.Option("--update", help="Write the fitted values into FILE, comments "
                                                   "kept.")] = False,
              holdout: Annotated[int | None, typer.Option("--holdout", metavar="DAYS", min=1, help="Last days of a "
                                                          "transaction log that are predicted.")] = None,
              private_repeat: Annotated[float | None, typer.Option("--private-repeat", metavar="RATE", help="Wanted "
                                        "private_repeat_rate_90d, as 0.9 times a benchmark.")] = None,
              threads: Threads = None, as_json: Json = False, out: Out = None) -> Job:
    """Fit a scenario to the brand's own tables, or repurchase to a transaction log."""
    def job() -> Answer:
        from omnisim import door, storage
        from omnisim.study.fit_files import KIND
        from omnisim.study.purchases.repurchase import Repurchase

        start = None if file is None else door.load(file)
        if update and file is None:
            raise UsageError(Fault("--update", "FILE", "", "must be the file to update", "Name it."))
        if out is not None:
            storage.claim_directory(out, KIND)
        with progress_bar("calibrate") as progress:
            fit = door.calibrate(data, scenario=start, elasticity=elasticity, seed=seed, encoding=encoding,
                                 holdout=holdout, private_repeat=private_repeat, threads=threads,
                                 progress=progress)
        written, failed = file if update else None, None
        try:
            if out is not None:
                fit.save(out)
            if written is not None:
                written = fit.update(written)
        except OmnisimError as error:  # what was fitted is told all the same
            written, failed = None, error
        notes = [*fit.warnings]
        if written not in (None, file):
            notes.append(Fault(str(file), "--update", "", f"has no place for all that was fitted: {written} has, and "
                               "extends it", "Use that file, or add the sections here."))
        told, fitted = (fit, None) if isinstance(fit, Repurchase) else (fit.repurchase, fit)
        values = fit.changes if isinstance(fit, Repurchase) else fit.fitted
        record: dict[str, object] = {"seed": seed, "out": None if out is None else str(out),
                                     "updated": None if written is None else str(written), "fitted": values}
        if told is not None:
            record |= {"chosen": told.chosen, "models": records(told.table), "parameters": records(told.parameters),
                       "repurchase": told.changes}
        if fitted is not None:
            record |= {"fit": records(fitted.table), "unidentified": records(fitted.unidentified_table),
                       "elasticity": records(fitted.elasticity_table)}

        def show(console: Console) -> None:
            if told is not None:
                print_frame(console, told.table.filter(regex="^(?!buyers)"), title=told.heading())
                print_frame(console, told.parameters[told.parameters["model"] == "scenario"], title="for a scenario")
            if fitted is not None:
                print_fit(console, fitted)
            if failed is not None:
                console.print("\n".join(f"{name}={value:.6g}" for name, value in values.items()), markup=False)
            for path in (out, written) if failed is None else ():
                if path is not None:
                    console.print(f"→ {path}", markup=False)
        return Answer(record, show, failed.exit_code if failed else 0, failed.faults if failed else (), notes)
    return job


def print_fit(console: Console, fit: Fit) -> None:
    """Print how well a scenario fits the brand's table, and what the table cannot tell."""
    print_frame(console, fit.table, title="fit")
    unknown = fit.unidentified_table
    shown = unknown[unknown["parameter"].str.endswith((".click_share", ".budget"))]
    print_frame(console, shown, title=f"what the table cannot tell: {len(unknown)} values, those that decide "
                "budgets shown, all in unidentified.csv")
    if fit.stances:
        print_frame(console, with_intervals(fit.elasticity_table, ("elasticity", "margin")),
                    title="what an extra budget brings, if advertising works less, as, or more than usual, with 95 % "
                    "(margin above 1: it pays)")


@app.command("allocate")
def allocate(file: Annotated[Path | None, typer.Argument(metavar="[FILE]")] = None,
             objective: Annotated[str | None, typer.Option(
                 "--objective", metavar="NAME", help="response, profit, gmv, equity, awareness, loyalty, present_value "
                 "or spend, the least that reaches --target.")] = None,
             target: Annotated[float | None, typer.Option("--target", help="Response to reach (for spend).")] = None,
             budget: Annotated[float | None, typer.Option("--budget", help="Total of all periods.")] = None,
             periods: Annotated[int | None, typer.Option("--periods", help="How many periods to plan.")] = None,
             curves: Annotated[Path | None, typer.Option("--curves", metavar="TABLE", help="Response curves: CSV or "
                                                         "Excel.")] = None,
             limits: Annotated[Path | None, typer.Option("--limits", metavar="TABLE", help="Limits of your own: limit, "
                                                         "channel, period, coefficient, sense, value.")] = None,
             max_core: Annotated[int | None, typer.Option("--max-core", help="Core channels at most.")] = None,
             gap: Annotated[float | None, typer.Option("--gap", help="How close to the best, relative.")] = None,
             time_limit: Annotated[float, typer.Option("--time-limit", metavar="SECONDS")] = 60.0,
             risk: Annotated[float, typer.Option("--risk", metavar="SHARE", help="With draws: the worst share of them "
                                                 "whose mean counts.")] = 1.0,
             frontier: Annotated[int, typer.Option("--frontier", metavar="N", help="Other budgets to plan for.")] = 0,
             seed: Seed = 1, replications: Annotated[int, typer.Option("--replications", min=3, help="Runs that curves "
                                                                       "are measured by.")] = 8,
             rounds: Annotated[int, typer.Option("--rounds", min=1, help="Of measuring, at most.")] = 3,
             threads: Threads = None, sets: Sets = None, as_json: Json = False, out: Out = None) -> Job:
    """Plan the budget by channel and period, with a proof; a scenario without curves is measured first."""
    def job() -> Answer:
        from omnisim import door, storage
        from omnisim.optimise.budget_plan import KIND
        from omnisim.terminal import budget_answer

        if file is None and curves is None:
            raise UsageError(Fault("omnisim allocate", "usage", "", "needs a scenario FILE, or --curves TABLE",
                                   "See omnisim allocate --help."))
        scenario = None if file is None else changed(door.load(file), sets or [])
        if out is not None:
            storage.claim_directory(out, KIND)
        with progress_bar("allocate") as progress, located(file):
            plan = door.allocate(scenario, curves=curves, budget=budget, periods=periods, objective=objective,
                                 target=target, limits=limits, max_core=max_core, gap=gap, time_limit=time_limit,
                                 frontier=frontier, risk=risk, seed=seed, replications=replications, rounds=rounds,
                                 threads=threads, progress=progress)
        if out is not None:
            plan.save(out)
        return budget_answer(plan, out)
    return job


app.command("replenish")(replenish)
app.command("compare")(compare)
app.command("sweep")(sweep)
