"""Workers, the store, the study and the verb."""

from __future__ import annotations

import gc
import json
import os
import shutil
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest
import sweeping
from building import small_brand

import omnisim as om
from omnisim import sweeps
from omnisim.canvas import to_png
from omnisim.cli import main
from omnisim.errors import OmnisimError, UsageError
from omnisim.measure.kpis import KPIS, figures, measure
from omnisim.scenario.model import Scenario
from omnisim.simulation import simulate
from omnisim.study.sweeping.store import Store
from omnisim.study.sweeping.study import Study, open_study
from omnisim.study.sweeping.sweep_file import make_sweep
from omnisim.study.sweeping.sweep_plan import plan_sweep
from omnisim.study.sweeping.workers import Outcome, Task, Workers
from omnisim.terminal import Pace

DOUYIN, TAOBAO = "channels.douyin.budget", "channels.taobao.budget"


def tiny() -> Scenario:
    return small_brand(horizon={"days": 6, "warm_up": 3}, population={"size": 2000}, language="zh")


def outcomes(trap: str = "", jobs: int = 2, points: int = 12) -> dict[int, Outcome]:
    tasks = (Task(k, {"population.size": size}, 0) for k, size in enumerate(sweeping.PEOPLE[:points]))
    with sweeping.workers(jobs, trap=trap) as hands:
        found = [outcome for outcome in hands.run(tasks) if outcome is not None]
    assert sorted(outcome.number for outcome in found) == list(range(points))
    return {outcome.number: outcome for outcome in found}


@pytest.mark.parametrize(("trap", "reason", "tries"), [
    ("raise", "ValueError: no such market", 3),
    ("refuse", "changes: population.size = 1003 — is refused here.", 1),
    ("die", "its worker was ended by SIGKILL: …out of luck", 3),
])
def test_a_run_that_fails_is_given_up_with_the_reason(trap: str, reason: str, tries: int) -> None:
    found = outcomes(trap)
    bad = found.pop(3)
    assert (bad.figures, bad.reason, bad.tries) == (None, reason, tries)
    good = outcomes()
    assert all(np.array_equal(one.figures or [], good[k].figures or [], equal_nan=True) for k, one in found.items())


def test_a_run_whose_worker_died_is_tried_again(tmp_path: Path) -> None:
    found = outcomes(f"die once {tmp_path / 'sprung'}")
    assert (tmp_path / "sprung").exists()
    assert found[3].tries == 2
    assert all(one.figures is not None for one in found.values())


@pytest.mark.parametrize(("trap", "reason"), [("unready", "ImportError: no simulator here"),
                                              ("die at start", "ended by itself with code 7")])
def test_workers_that_cannot_start_are_an_error(trap: str, reason: str) -> None:
    with pytest.raises(OmnisimError, match=reason):
        outcomes(trap)


def test_one_thread_a_worker_and_nothing_printed_gets_in_between() -> None:
    setup = {"module": "os"}
    with Workers("worker_facts:Facts", setup, 1) as hands:
        [found] = [one for one in hands.run(iter([Task(0, {}, 0)])) if one is not None]
    threads, is_worker = found.figures or []
    assert threads == 1
    assert is_worker == 1


def test_the_same_bytes_for_any_number_of_workers_and_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for jobs, group in ((1, 256), (2, 7), (8, 3)):
        monkeypatch.setattr("omnisim.study.sweeping.sweep.MOST_IN_GROUP", group)
        study = sweeping.run(tmp_path / str(jobs), jobs, points=50, replications=2)
        assert study.is_complete
        assert len(study.shards) >= 100 // group
        found.add((study.export(tmp_path / "a.parquet").read_bytes(), study.export(tmp_path / "a.csv").read_bytes()))
    assert len(found) == 1


def test_a_study_is_read_in_many_ways(tmp_path: Path) -> None:
    study = sweeping.run(tmp_path / "study", points=20, replications=3)
    frame = study.to_frame()
    assert list(frame) == ["key", "point", "replication", "population.size", "gmv", "roi"]
    assert frame["population.size"].tolist() == [size for size in sweeping.PEOPLE[:20] for _ in range(3)]
    assert frame["roi"].isna().any()  # what is no number stays none
    means = study.means()
    assert means["runs"].eq(3).all()
    np.testing.assert_allclose(means["gmv"], frame["gmv"].to_numpy().reshape(20, 3).mean(axis=1))
    asked = study.query('select "population.size" as size, avg(gmv) as gmv from runs group by size order by size')
    np.testing.assert_allclose(asked["gmv"], means["gmv"])
    pd.testing.assert_frame_equal(open_study(study.directory).to_frame(), frame)
    with pytest.raises(UsageError, match="called runs"):
        study.query("select * from nowhere")
    exported = study.export(tmp_path / "runs.parquet")
    with duckdb.connect() as base:
        rows = base.execute("select key, gmv from read_parquet(?)", [str(exported)]).fetchall()
    assert rows == sorted(zip(frame["key"], frame["gmv"], strict=True))
    assert pd.read_csv(study.export(tmp_path / "runs.csv"))["gmv"].tolist() == [gmv for _, gmv in rows]
    with pytest.raises(UsageError, match=r"\.csv or \.parquet"):
        study.export(tmp_path / "runs.xlsx")
    assert "60 of 60 runs" in study._repr_html_()


def test_a_study_is_gone_on_with_by_the_same_sweep_alone(tmp_path: Path) -> None:
    sweeping.run(tmp_path / "study", points=10)
    with pytest.raises(UsageError, match="holds another sweep"):
        sweeping.run(tmp_path / "study", points=11)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "thesis.doc").touch()
    with pytest.raises(UsageError, match=r"thesis\.doc"):
        sweeping.run(tmp_path / "other", points=10)
    with pytest.raises(UsageError, match="must be a study directory"):
        open_study(tmp_path / "other")
    scenario = tmp_path / "study" / "scenario.yaml"
    scenario.write_text(scenario.read_text().replace("days: 365", "days: 364"))
    with pytest.raises(OmnisimError, match="is not the one"):
        open_study(tmp_path / "study")


def test_runs_given_up_are_told_and_tried_again(tmp_path: Path) -> None:
    study = sweeping.run(tmp_path / "study", points=10, trap="raise")
    assert not study.is_complete
    [row] = study.quarantine.to_dict("records")
    assert row == {"point": 3, "replication": 0, "population.size": 1003, "tries": 3,
                   "reason": "ValueError: no such market"}
    assert study.n_done == 9
    again = sweeping.run(tmp_path / "study", points=10)
    assert again.is_complete
    assert again.quarantine.empty


def test_the_points_of_a_study_are_those_it_began_with(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def sweep() -> Store:
        ranges = {DOUYIN: {"low": 0, "high": 90}}
        return Store(tmp_path / "study", plan_sweep(make_sweep(tiny(), ranges, method="latin", points=5)))

    with sweep() as store:
        drawn = store.plan.columns
    with monkeypatch.context() as patch:  # another version of a library draws others
        patch.setattr("omnisim.study.sweeping.sweep_plan.DESIGNS",
                      {"latin": lambda n, axes, seed: np.full((n, axes), 0.5)})
        with sweep() as store:
            assert store.plan.columns == drawn


@pytest.fixture(scope="module")
def swept(tmp_path_factory: pytest.TempPathFactory) -> Study:
    """Real runs, by two workers."""
    return sweeps.sweep(tiny(), {DOUYIN: [10, 40, 90], TAOBAO: [20, 90], "supply.moq": 10}, replications=3,
                        metrics=["gmv", "orders", "ltv_12m"], jobs=2, out=tmp_path_factory.mktemp("swept"))


def test_a_run_of_a_sweep_is_the_run_itself(swept: Study) -> None:
    scenario = tiny().with_({"supply.moq": 10, DOUYIN: 90, TAOBAO: 20})
    frame = swept.to_frame()
    row = frame[(frame[DOUYIN] == 90) & (frame[TAOBAO] == 20) & (frame["replication"] == 1)].iloc[0]
    kpis = om.run(scenario, seed=1, replication=1, threads=1).kpis().set_index("kpi")["value"]
    assert kpis["orders"] > 0
    assert row[["gmv", "orders"]].tolist() == kpis[["gmv", "orders"]].tolist()


def test_figures_are_those_of_measure() -> None:
    books = simulate(tiny(), threads=1)
    found = measure(tiny(), books)
    assert tuple(found) == KPIS
    np.testing.assert_array_equal(figures(tiny(), books, KPIS), [found[name].value for name in KPIS])


def test_a_grid_tells_what_matters_and_draws_it(swept: Study) -> None:
    table = swept.sobol("gmv")
    assert table["path"].tolist() == [DOUYIN, TAOBAO]
    assert table["first"].sum() <= 1 + 1e-9
    assert (table["total"] >= table["first"] - 1e-9).all()
    for name in ("first", "total"):  # from replications, where they differ
        low, high = table[f"{name}_low"], table[f"{name}_high"]
        assert ((low <= table[name]) & (table[name] <= high) | low.isna()).all()
    for axes in (swept.plot.heat("gmv"), swept.plot.heat("orders", x=TAOBAO), swept.plot.surface("gmv"),
                 swept.plot.sobol("gmv")):
        assert axes.get_title(loc="left").endswith(("？", "）"))
        assert to_png(axes).startswith(b"\x89PNG")
    for wrong in (lambda: swept.plot.heat("gmw"), lambda: swept.plot.heat("gmv", x="name"), lambda: swept.morris("gmv"),
                  lambda: swept.plot.heat("gmv", x=DOUYIN, y=DOUYIN), lambda: swept.sobol("profit")):
        with pytest.raises(UsageError):
            wrong()


def test_what_is_listed_once_does_not_vary(tmp_path: Path) -> None:
    plan = plan_sweep(make_sweep(tiny(), {"membership.join": [0.1], DOUYIN: [0, 5, 9, 12]}, metrics=["gmv", "roi"]))
    with Store(tmp_path / "study", plan) as store:
        store.commit([sweeping.store.Row(point, 0, [float(point), 1.0]) for point in plan.distinct])
    study = open_study(tmp_path / "study")
    assert study.main_means().to_dict("list") == {DOUYIN: [0, 5, 9, 12], "gmv": [0, 1, 2, 3], "roi": [1] * 4}
    assert study.summary()["greatest at"].tolist()[0] == f"{DOUYIN} 12.0"
    for draw in (study.plot.heat, study.plot.surface):
        with pytest.raises(UsageError, match=f"paths = {DOUYIN} — must be two that vary"):
            draw("gmv")


@pytest.mark.parametrize("method", ["saltelli", "morris"])
def test_designs_tell_what_matters(method: str, tmp_path: Path) -> None:
    """A study of known heights: 3 a + b, and c does nothing."""
    ranges = {DOUYIN: {"low": 0, "high": 100}, TAOBAO: {"low": 0, "high": 100},
              "membership.join": {"low": 0, "high": 1}}
    plan = plan_sweep(make_sweep(tiny(), ranges, method=method, points=64, metrics=["gmv"]))
    with Store(tmp_path / "study", plan) as store:
        rows = [sweeping.store.Row(point, 0, [3 * plan.values(point)[0] + plan.values(point)[1]])  # type: ignore[operator]
                for point in plan.distinct[:-1]]
        store.commit(rows)
    study = open_study(tmp_path / "study")  # its last group is not whole
    if method == "saltelli":
        table = study.sobol("gmv")
        np.testing.assert_allclose(table["total"], [0.9, 0.1, 0], atol=0.03)
        assert ((table["total_low"] <= table["total"]) & (table["total"] <= table["total_high"])).all()
        picture = study.plot.sobol("gmv")
    else:
        table = study.morris("gmv")
        np.testing.assert_allclose(table[["effect", "size"]], [[300, 300], [100, 100], [0, 0]], atol=1)
        assert (table["spread"] < 1).all()
        picture = study.plot.morris("gmv")
    assert to_png(picture).startswith(b"\x89PNG")
    assert to_png(study.plot.surface("gmv", x=TAOBAO)).startswith(b"\x89PNG")
    assert to_png(study.plot.heat("gmv")).startswith(b"\x89PNG")


def test_the_command_line_sweeps_and_goes_on(tmp_path: Path, capsys: pytest.CaptureFixture[str],
                                             monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_hire", lambda plan, left, jobs, cluster: sweeping.workers(jobs, trap=trap))
    sweeping.plan().base.save(tmp_path / "base.yaml")
    (tmp_path / "sweep.yaml").write_text("base: base.yaml\nset: {population.size: [1001, 1002, 1003]}\n"
                                         "metrics: [gmv, roi]\n")
    out, trap = tmp_path / "study", "raise"
    words = ["sweep", str(tmp_path / "sweep.yaml"), "--out", str(out), "--jobs", "1"]
    assert main([*words, "--json"]) == 4
    answer = json.loads(capsys.readouterr().out)
    assert answer["result"]["done"] == 2
    assert answer["result"]["quarantine"][0]["reason"] == "ValueError: no such market"
    assert "given up after 3 tries" in answer["errors"][0]["rule"]
    trap = ""
    assert main(["sweep", str(out), "--jobs", "1", "--export", str(tmp_path / "runs.csv")]) == 0
    printed = capsys.readouterr().out
    assert "grid of 3 points, seed 1, 3 of 3 runs done" in printed
    assert all(f" {size} │" in printed for size in ("1,001", "1,002", "1,003")), "few points are shown one by one"
    assert (tmp_path / "runs.csv").read_text().count("\n") == 4
    assert main(["sweep", str(out / "sweep.yaml"), "--out", str(tmp_path / "twin"), "--jobs", "1"]) == 0
    assert open_study(tmp_path / "twin").to_frame().equals(open_study(out).to_frame())
    assert main(["sweep", str(tmp_path / "sweep.yaml")]) == 2
    assert main(["sweep", str(tmp_path / "base.yaml"), "--out", str(tmp_path / "x")]) == 2
    assert main(["sweep", str(tmp_path), "--jobs", "1"]) == 2
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(("source", "more"), [
    ("nowhere.yaml", {}), ("nowhere.yaml", {"points": 3}), (3, {}), (tiny(), {}), (tiny(), {"settings": [3]}),
    (tiny(), {"settings": {DOUYIN: [1]}, "jobs": 0}), (tiny(), {"settings": {DOUYIN: [1]}, "cluster": "http://x:1"}),
])
def test_arguments_that_cannot_be_meant(source: object, more: dict[str, object]) -> None:
    with pytest.raises(UsageError):
        om.sweep(source, **more)  # type: ignore[arg-type]


def test_a_study_without_a_place_lives_as_long_as_it_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sweeps, "_hire", lambda plan, left, jobs, cluster: sweeping.workers(1))
    study = om.sweep(sweeping.plan().base, {"population.size": [1000, 1001]}, metrics=["gmv", "roi"])
    directory = study.directory
    assert len(study.to_frame()) == 2
    assert directory.exists()
    del study
    gc.collect()
    assert not directory.exists()
    assert os.path.basename(directory).startswith("omnisim-")


def test_pace_tells_rate_and_time_left() -> None:
    pace = Pace("runs")
    assert pace.text(500, 2000, 10.0) == "500 of 2,000 runs"  # done before: no pace yet
    assert pace.text(600, 2000, 12.0) == "600 of 2,000 runs, 50 a second, 28 s left"
    assert pace.text(600, 2000, 100.0) == "600 of 2,000 runs"  # nothing came for a minute
    assert Pace("runs").text(0, 0, 1.0) == "0 of 0 runs"
    slow = Pace("runs")
    slow.text(0, 100, 0.0)
    assert slow.text(1, 100, 30.0) == "1 of 100 runs, 2.0 a minute, 50 min left"


def test_a_thousand_shards_are_added_up_in_a_moment(tmp_path: Path) -> None:
    study = sweeping.run(tmp_path / "study", points=100)
    [shard] = study.shards
    shards = [shutil.copy(shard, tmp_path / f"{k}.parquet") for k in range(1000)]
    many = Study(study.directory, study.plan, shards, [])
    mean = study.query("select avg(gmv) from runs").iloc[0, 0]
    start = time.process_time()
    found = many.query("select count(*) as n, avg(gmv) as gmv from runs")
    assert time.process_time() - start <= 0.6  # of all threads; benchmarks/sweep.md holds the wall time to 0.3
    assert found["n"].item() == 100_000
    assert found["gmv"].item() == pytest.approx(mean)


def test_a_policy_in_a_sweep_reads_what_it_reads_in_a_run() -> None:
    """The past before the first day, too."""
    brand = small_brand().with_({"policy.name": "roi", "policy.every": 7})
    study = om.sweep(brand, {"channels.douyin.budget": [40.0]}, metrics=["gmv"], jobs=1)
    assert study.quarantine.empty
    own = om.run(brand.with_({"channels.douyin.budget": 40.0})).kpis().set_index("kpi").loc["gmv", "value"]
    assert study.to_frame()["gmv"].tolist() == [own]


def test_cadences_are_swept_beside_never(tmp_path: Path) -> None:
    """Numbers beside a word: words in tables, and each point the run that it names."""
    brand = small_brand().with_({"policy.name": "roi", "horizon.days": 21, "horizon.warm_up": 21})
    study = om.sweep(brand, {"policy.every": [7, "never"]}, metrics=["gmv"], jobs=1)
    assert study.to_frame()["policy.every"].tolist() == ["7", "never"]
    assert study.means()["policy.every"].tolist() == [7, "never"]
    for every, gmv in zip((7, "never"), study.to_frame()["gmv"], strict=True):
        assert om.run(brand.with_({"policy.every": every})).kpis().set_index("kpi").loc["gmv", "value"] == gmv
    with pytest.raises(UsageError, match="whole number of days"):
        om.sweep(brand, {"policy.every": [7, "weekly"]}, jobs=1)
