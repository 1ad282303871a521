"""A result: tables, summaries and the directory that others read."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import duckdb
import pytest
from synthetic import make_books, make_scenario

from omnisim.errors import StorageError, UsageError
from omnisim.measure.tables import TABLES
from omnisim.plan import Plan
from omnisim.results import Result

LEADING = {
    "daily": "date channel visits new_users orders gmv aov cost roi note new_customers unique_visitors",
    "channels": "window channel monthly_uv cvr aov gmv orders new_users new_customers returns cost_of_goods commission "
                "payment_fee media content labour logistics service fixed profit",
    "stages": "date unaware exposed interested searching consulting intent ordered in_fulfilment active returning "
              "member private repeat advocate dormant lost",
    "transitions": "month id count",
    "flows": "from_channel to_channel visits orders share",
    "journeys": "path consumers orders gmv cvr",
    "cohorts": "cohort age buyers active orders gmv",
    "stock": "date node sku on_hand on_order demand filled lost backordered received returned",
    "moves": "date node sku ordered expedited sent shipped_late given_up waiting oversold switched substituted "
             "picked_up added expired",
    "deliveries": "node channel days orders share",
    "hours": "date channel hour visits orders cancelled",
    "orders": "order_id consumer date minute channel origin sku quantity price discount margin node delivered returned "
              "weight",
    "decisions": "date policy saw changed",
    "segments": "segment target_share share",
}
SCENARIO = make_scenario()
BOOKS = make_books(SCENARIO)


def test_every_table_leads_with_the_columns_of_the_contract() -> None:
    assert set(TABLES) == set(LEADING)
    for name, columns in LEADING.items():
        wanted = columns.split()
        assert list(getattr(Result(SCENARIO, [BOOKS]), name).columns)[:len(wanted)] == wanted


def test_a_table_is_made_once_and_cannot_be_spoilt() -> None:
    result = Result(SCENARIO, [BOOKS])
    frame = result.daily
    frame.loc[0, "gmv"] = -1.0
    assert result.daily.loc[0, "gmv"] != -1.0
    assert result._tables.keys() == {"daily"}
    assert Result.daily.__doc__
    with pytest.raises(UsageError, match="table = sales"):
        result.table("sales")


def test_books_and_replications_must_match() -> None:
    with pytest.raises(UsageError):
        Result(SCENARIO, [])
    with pytest.raises(UsageError):
        Result(SCENARIO, [BOOKS, BOOKS])


@pytest.mark.parametrize("language", ["en", "zh"])
def test_summaries_speak_the_language(language: str) -> None:
    result = Result(SCENARIO, [BOOKS], seed=7, language=language)
    text = result.summary()
    assert ("订单数" in text) == (language == "zh")
    assert "12,900 CNY" in text or "CNY" in text
    assert repr(result).startswith("<Result brand")
    assert "7" in result.heading()
    assert len(result.summary_rows()) >= 12


def test_html_is_escaped() -> None:
    scenario = make_scenario(name="<script>alert(1)</script>")
    page = Result(scenario, [BOOKS])._repr_html_()
    assert "<script>" not in page
    assert "&lt;script&gt;" in page


def test_several_replications_say_what_tables_show() -> None:
    result = Result(SCENARIO, [BOOKS, make_books(SCENARIO, 2)], replications=(0, 1))
    assert "2 replications (tables show the first)" in result.heading()
    assert result.daily["orders"].sum() == Result(SCENARIO, [BOOKS]).daily["orders"].sum()
    assert set(result.kpis()["interval"]) == {"seeds (2 replications)"}


def test_the_directory_holds_the_contract(tmp_path: Path) -> None:
    result = Result(SCENARIO, [BOOKS], plan=Plan.today(SCENARIO), language="zh")
    path = result.save(tmp_path / "out", log={"wall seconds": 1.5, "host": "here"})
    assert {entry.name for entry in path.iterdir()} == {
        "manifest.json", "scenario.yaml", "run.log", "columns.csv", "channel_status.csv", "daily_monitoring.csv",
        "funnel.png",
        *(f"{name}.parquet" for name in [*TABLES, "kpis"])}
    with duckdb.connect() as base:
        query = "select sum(orders), sum(gmv) from read_parquet(?)"
        total = base.execute(query, [str(path / "daily.parquet")]).fetchone()
    assert total == (result.daily["orders"].sum(), pytest.approx(result.daily["gmv"].sum()))
    status = (path / "channel_status.csv").read_bytes()
    assert status.startswith(b"\xef\xbb\xbf")
    assert status.decode("utf-8-sig").startswith("渠道名称,")
    manifest = json.loads((path / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["complete"]
    assert manifest["seed"] == 1
    assert manifest["plan"]["budgets"]["douyin"] == [120_000]
    assert manifest["scenario_hash"] == SCENARIO.hash
    assert not any("second" in key or "host" in key for key in manifest)
    assert (path / "run.log").read_text() == "wall seconds: 1.5\nhost: here\n"


def test_the_same_run_gives_the_same_bytes(tmp_path: Path) -> None:
    one = Result(SCENARIO, [BOOKS]).save(tmp_path / "one", log={"host": "here"})
    two = Result(SCENARIO, [make_books(SCENARIO)]).save(tmp_path / "two", log={"host": "there"})
    for entry in one.iterdir():
        if entry.name != "run.log":
            assert entry.read_bytes() == (two / entry.name).read_bytes(), entry.name


def test_an_earlier_result_is_written_over_and_nothing_else_is(tmp_path: Path) -> None:
    result = Result(SCENARIO, [BOOKS])
    result.save(tmp_path / "out")
    result.save(tmp_path / "out")
    (tmp_path / "out" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt"):
        result.save(tmp_path / "out")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        result.save(tmp_path / "file" / "out")


def test_tables_need_no_pyarrow(tmp_path: Path) -> None:
    code = ("import sys; sys.modules['pyarrow'] = None; sys.path.insert(0, sys.argv[1]); from synthetic import *; "
            "from omnisim.results import Result; s = make_scenario(days=5, warm_up=0); "
            "Result(s, [make_books(s)]).save(sys.argv[2])")
    subprocess.run([sys.executable, "-c", code, str(Path(__file__).parent), str(tmp_path / "out")], check=True)


def test_importing_results_loads_nothing_heavy() -> None:
    code = ("import sys, omnisim.results; "
            "heavy = {'pandas', 'matplotlib', 'duckdb', 'scipy', 'numpy'} & set(sys.modules); assert not heavy, heavy")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_column_of_every_table_is_explained(tmp_path: Path) -> None:
    from omnisim.results import columns

    result = Result(SCENARIO, [BOOKS])
    rows = columns({name: result.table(name) for name in TABLES} | {"kpis": result.kpis()}).splitlines()[1:]
    assert len(rows) > 100
    assert [row for row in rows if row.endswith(",,,")] == []
