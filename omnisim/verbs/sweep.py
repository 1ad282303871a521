"""``omnisim sweep``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from omnisim.errors import Fault, UsageError
from omnisim.terminal import Answer, pace_bar
from omnisim.words import Job, Json, Out


def sweep(file: Annotated[Path, typer.Argument(metavar="FILE", help="Sweep file, or study directory.")],
          jobs: Annotated[int | None, typer.Option("--jobs", metavar="N", min=1, help="Worker processes.")] = None,
          cluster: Annotated[str | None, typer.Option("--cluster", metavar="ADDRESS", help="tcp:// or tls:// of a dask "
                                                      "scheduler: its machines run code; name only those you trust.")
                             ] = None,
          export: Annotated[Path | None, typer.Option("--export", metavar="FILE", help="All runs as .csv or .parquet.")
                            ] = None, as_json: Json = False, out: Out = None) -> Job:
    """Run a scenario at many points; the same command again goes on where it stopped."""
    def job() -> Answer:
        from omnisim import sweeps
        from omnisim.terminal import study_answer

        if out is None and not file.is_dir():
            raise UsageError(Fault("omnisim sweep", "usage", "", "needs --out DIR", "See omnisim sweep --help."))
        with pace_bar("sweep", "runs") as progress:
            study = sweeps.sweep(file, out=out, jobs=jobs, cluster=cluster, progress=progress)
        if export is not None:
            study.export(export)
        return study_answer(study, export)
    return job
