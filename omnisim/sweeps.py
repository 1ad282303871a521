"""The verb sweep, a part of the door with a file of its own: many points of a scenario, run by many processes."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from omnisim.door import MOST_THREADS, Progress
from omnisim.errors import Fault, UsageError
from omnisim.machine import available_threads

if TYPE_CHECKING:
    from omnisim.scenario.model import Scenario
    from omnisim.study.sweeping.study import Study
    from omnisim.study.sweeping.sweep import Hands
    from omnisim.study.sweeping.sweep_plan import SweepPlan

JOB, POLICIES = "omnisim.study.sweeping.runs:Runs", "omnisim.policies:find_policy"
"""What workers do, and where they find a scenario's policy: names that only this program gives, never a file."""


def sweep(source: Scenario | str | Path, settings: Mapping[str, object] | None = None, *, method: str = "grid",
          points: int | None = None, replications: int = 1, seed: int = 1, metrics: Sequence[str] | None = None,
          out: str | Path | None = None, jobs: int | None = None, cluster: str | None = None,
          progress: Progress | None = None) -> Study:
    """Run a scenario at many points, each run once and kept for good; started again it goes on where it stopped.

    Parameters
    ----------
    source : Scenario, sweep file or study directory  a Scenario needs `settings`; a file says by itself all that
        follows up to `metrics`; a study directory is gone on with
    settings : path -> scalar, list or {"low": …, "high": …}  fixed, scanned or sampled
    method : str  grid, list, latin, sobol; saltelli and morris for what matters (`study.sobol`, `study.morris`)
    points : int  how many are sampled
    replications : int  runs of each point; replication k has the same luck at all points
    seed : int  the luck of the runs, and of the points that are sampled
    metrics : names of kpis to keep; the main ones unless given
    out : path  study directory: new, empty, or of the same sweep; a temporary one unless given
    jobs : int  worker processes, one thread each; one for each processor unless given. No result depends on it
    cluster : str  tcp:// or tls:// of a dask scheduler, whose machines do the runs and must be trusted
    progress : callable  told runs done and runs in all

    Returns
    -------
    Study  runs as a frame, SQL, indices, plots; runs that were given up are in its `quarantine`

    Raises
    ------
    UsageError  with every fault of the sweep; for a directory that holds something else or another sweep
    StorageError  if the disk refuses, another process sweeps into the directory, or the cluster does not answer

    Examples
    --------
    >>> import omnisim as om
    >>> brand = om.load("scenarios/brand_small.yaml")  # doctest: +SKIP
    >>> study = om.sweep(brand, {"channels.douyin.budget": [800, 1200, 2000]}, metrics=["gmv"])  # doctest: +SKIP
    """
    from omnisim.study.sweeping.sweep import run_sweep
    from omnisim.study.sweeping.sweep_file import make_sweep, read_sweep
    from omnisim.study.sweeping.sweep_plan import plan_sweep

    if jobs is not None and (isinstance(jobs, bool) or not isinstance(jobs, int) or not 1 <= jobs <= MOST_THREADS):
        raise UsageError(Fault("sweep", "jobs", repr(jobs), f"must be a whole number from 1 to {MOST_THREADS:,}",
                               "Leave it out for one a processor."))
    plan: SweepPlan | None = None
    if isinstance(source, str | Path):
        if settings is not None or (method, points, replications, seed, metrics) != ("grid", None, 1, 1, None):
            raise UsageError(Fault("sweep", "settings", "", "stand in the sweep file", "Change the file, or give a "
                                   "Scenario instead."))
        if Path(source).is_dir():
            if out is not None and Path(out).resolve() != Path(source).resolve():
                raise UsageError(Fault("sweep", "out", str(out), "is another directory than that of the study",
                                       "Leave it out."))
            out = source
        else:
            plan = plan_sweep(read_sweep(source))
    else:
        _check(source, settings)
        plan = plan_sweep(make_sweep(source, settings or {}, method=method, points=points, replications=replications,
                                     seed=seed, metrics=metrics))
    directory = Path(out if out is not None else tempfile.mkdtemp(prefix="omnisim-"))
    try:
        study = run_sweep(directory, plan, lambda plan, left: _hire(plan, left, jobs, cluster), progress)
    except BaseException:
        if out is None:
            shutil.rmtree(directory, ignore_errors=True)
        raise
    if out is None:
        weakref.finalize(study, shutil.rmtree, directory, ignore_errors=True)
    return study


def _check(source: object, settings: object) -> None:
    from omnisim.scenario.model import Scenario

    if not isinstance(source, Scenario):
        raise UsageError(Fault("sweep", "source", type(source).__name__, "must be a Scenario, a sweep file or a study "
                               "directory", "Use om.sweep(om.load(path), {…})."))
    if not isinstance(settings, Mapping):
        raise UsageError(Fault("sweep", "settings", type(settings).__name__, "must say what varies", 'Give {"channels.'
                               'douyin.budget": [800, 1200]}.'))


def _hire(plan: SweepPlan, left: int, jobs: int | None, cluster: str | None) -> Hands:
    """Those who do the runs that are left."""
    from omnisim.study.sweeping.runs import describe

    setup = describe(plan, POLICIES)
    if cluster is not None:
        from omnisim.study.sweeping.cluster import Cluster

        return Cluster(cluster, JOB, setup)
    from omnisim.study.sweeping.workers import Workers

    return Workers(JOB, setup, min(jobs or available_threads(), left))
