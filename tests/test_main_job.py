"""The main job from end to end, nothing replaced: a starter scenario is written, checked, run and run again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import omnisim as om
from omnisim.cli import main

SMALL = ("--set", "population.size=5000", "--set", "horizon.days=31", "--set", "horizon.warm_up=30")


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("starter") / "mine"
    assert main(["new", str(folder)]) == 0
    return folder / "scenario.yaml"


@pytest.fixture(scope="module")
def small(starter: Path) -> om.Scenario:
    return om.load(starter).with_({"population.size": 5000, "horizon.days": 31, "horizon.warm_up": 30})


def answer(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    main([*words, "--json"])
    out: dict[str, Any] = json.loads(capsys.readouterr().out)
    return out


def test_starter_has_no_fault(starter: Path) -> None:
    assert main(["check", str(starter)]) == 0


def test_starter_is_not_written_over_yours(tmp_path: Path) -> None:
    (tmp_path / "scenario.yaml").write_text("name: mine\n")
    assert main(["new", str(tmp_path)]) == 2
    assert (tmp_path / "scenario.yaml").read_text() == "name: mine\n"


def test_schema_names_every_section(capsys: pytest.CaptureFixture[str]) -> None:
    result = answer(capsys, "schema")["result"]
    assert set(om.Scenario.model_fields) <= set(result["properties"])


def test_run_writes_a_result_directory(starter: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "results" / "first"
    record = answer(capsys, "run", str(starter), *SMALL, "--out", str(out))
    assert (record["exit_code"], record["errors"]) == (0, [])
    assert len(record["result"]["kpis"]) >= 20
    names = {path.name for path in out.iterdir()}
    assert {"manifest.json", "scenario.yaml", "run.log", "daily.parquet", "funnel.png", "channel_status.csv"} <= names
    assert answer(capsys, "run", str(out / "scenario.yaml"), "--out", str(out))["result"]["hash"] == \
        record["result"]["hash"]


def test_run_refuses_a_path_that_is_not_there(starter: Path, capsys: pytest.CaptureFixture[str]) -> None:
    record = answer(capsys, "run", str(starter), "--set", "channels.duoyin.budget=1")
    assert record["exit_code"] == 2
    assert record["errors"][0]["fix"]


def test_a_replication_alone_is_the_same_run(small: om.Scenario) -> None:
    both, alone = om.run(small, seed=5, replications=2), om.run(small, seed=5, replication=1)
    assert (both.books[1].daily == alone.books[0].daily).all()
    assert (both.books[0].daily != alone.books[0].daily).any()


def test_todays_plan_changes_nothing(small: om.Scenario) -> None:
    today, planned = om.run(small), om.run(small, plan=om.Plan.today(small), threads=1)
    assert (today.books[0].daily == planned.books[0].daily).all()


def test_a_policy_reads_the_tables_so_far(small: om.Scenario) -> None:
    seen: list[int] = []

    class Reader:
        name = "reader"

        def review(self, observation: om.Observation) -> om.Plan | None:
            seen.append(len(observation.daily))
            return None

    result = om.run(small, policy=Reader())
    assert len(seen) == len(result.decisions) == 5
    assert seen == sorted(seen)
