"""``omnisim compare``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnisim.errors import Fault, UsageError
from omnisim.terminal import Answer, progress_bar
from omnisim.words import Job, Json, Out, Seed, Sets, changed


def compare(files: Annotated[list[Path], typer.Argument(metavar="FILE…")], seed: Seed = 1,
            policies: Annotated[str, typer.Option("--policies", metavar="A,B,…", help="Named policies, module:Class "
                                                  "or plan files; each scenario's own unless given.")] = "",
            replications: Annotated[int, typer.Option("--replications", min=1, help="Lucks to run all on; with "
                                                      "--half-width the most.")] = 12,
            baseline: Annotated[str | None, typer.Option("--baseline", metavar="NAME", help="What differences are "
                                                         "taken to; the first unless given.")] = None,
            reference: Annotated[str | None, typer.Option("--reference", metavar="NAME", help="What regret is taken "
                                                          "to.")] = None,
            goal: Annotated[str, typer.Option("--goal", metavar="KPI", help="The figure that decides.")] = "profit",
            half_width: Annotated[float | None, typer.Option("--half-width", metavar="SHARE", help="Wanted of "
                                                             "the goal's differences: 0.01 for ±1 %.")] = None,
            belief: Annotated[Path | None, typer.Option("--belief", metavar="FILE", help="What planning policies "
                                                        "believe of the market.")] = None,
            jobs: Annotated[int | None, typer.Option("--jobs", min=1, help="Replications side by side.")] = None,
            processes: Annotated[bool, typer.Option("--processes", help="In processes, not in threads.")] = False,
            sets: Sets = None, as_json: Json = False, out: Out = None) -> Job:
    """Compare policies on one scenario, or several scenarios, on the same luck; write tables and plots with --out."""
    def job() -> Answer:
        from omnisim import door, storage
        from omnisim.study.comparing.comparison import KIND
        from omnisim.terminal import comparison_answer

        scenarios = {file.stem: changed(door.load(file), sets or []) for file in files}
        if len(scenarios) < len(files):
            raise UsageError(Fault("compare", "FILE", ", ".join(map(str, files)), "must have different names",
                                   "Rename one."))
        if out is not None:
            storage.claim_directory(out, KIND)
        chosen = [name.strip() for name in policies.split(",") if name.strip()]
        with progress_bar("compare") as progress:
            found = door.compare(scenarios if len(files) > 1 else next(iter(scenarios.values())),
                                 {name: name for name in chosen}, seed=seed, replications=replications,
                                 baseline=baseline, reference=reference, goal=goal, half_width=half_width,
                                 belief=None if belief is None else door.load(belief), jobs=jobs, processes=processes,
                                 progress=progress)
        if out is not None:
            found.save(out)
        return comparison_answer(found, out)
    return job
