"""Files are whole or absent, and equal content gives equal bytes."""

from __future__ import annotations

from pathlib import Path

import duckdb
import pandas as pd
import pytest

from omnisim import storage
from omnisim.errors import StorageError, UsageError


def test_a_table_survives_parquet_byte_for_byte(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": pd.to_datetime(["2024-06-01", None]), "渠道": ["抖音", "a'b"], "order": [1, 2],
                          "roi": [1.5, float("nan")]})
    for name in ("one's.parquet", "two.parquet"):
        storage.write_table(tmp_path / name, frame)
    assert (tmp_path / "one's.parquet").read_bytes() == (tmp_path / "two.parquet").read_bytes()
    with duckdb.connect() as base:
        rows = base.execute("select * from read_parquet(?)", [str(tmp_path / "two.parquet")])
        assert [kind[1] for kind in rows.description] == ["DATE", "VARCHAR", "BIGINT", "DOUBLE"]
        assert [row[1] for row in rows.fetchall()] == ["抖音", "a'b"]


def test_an_empty_table_keeps_its_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"date": pd.to_datetime([]), "policy": pd.array([], dtype="str")})
    storage.write_table(tmp_path / "empty.parquet", frame)
    with duckdb.connect() as base:
        rows = base.execute("select * from read_parquet(?)", [str(tmp_path / "empty.parquet")])
        assert [kind[:2] for kind in rows.description] == [("date", "DATE"), ("policy", "VARCHAR")]


def test_a_failed_write_leaves_what_was_there(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    storage.write_text(path, "old")

    def fail(part: Path) -> None:
        part.write_text("half")
        raise OSError(28, "No space left on device")

    with pytest.raises(StorageError, match="No space left on device") as caught:
        storage.write_file(path, fail)
    assert caught.value.exit_code == 5
    assert path.read_text() == "old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.txt"]


def test_what_the_disk_refuses_is_a_storage_error(tmp_path: Path) -> None:
    frame = pd.DataFrame({"x": [1]})
    with pytest.raises(StorageError):
        storage.write_table(tmp_path / "missing" / "x.parquet", frame)
    with pytest.raises(StorageError):
        storage.write_text(tmp_path / "missing" / "x.txt", "x")
    with pytest.raises(StorageError):
        storage.digest(tmp_path / "missing")
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError):
        storage.claim_directory(tmp_path / "file" / "below", "kind")


def test_a_directory_of_something_else_is_refused(tmp_path: Path) -> None:
    (tmp_path / "thesis.doc").write_text("years of work")
    with pytest.raises(UsageError, match=r"thesis\.doc"):
        storage.claim_directory(tmp_path, "omnisim result")
    with pytest.raises(UsageError):
        storage.claim_directory(tmp_path / "thesis.doc", "omnisim result")


@pytest.mark.parametrize("manifest", ["", "[]", "{}", '{"kind": "other", "files": {"a": ""}}', '{"kind": 3}',
                                      '{"kind": "omnisim result", "files": 3}'])
def test_a_foreign_manifest_opens_nothing(tmp_path: Path, manifest: str) -> None:
    (tmp_path / storage.MANIFEST).write_text(manifest)
    (tmp_path / "a").write_text("")
    with pytest.raises(UsageError):
        storage.claim_directory(tmp_path, "omnisim result")


def test_a_directory_that_was_cut_off_can_be_written_again(tmp_path: Path) -> None:
    directory = tmp_path / "new" / "result"
    storage.claim_directory(directory, "omnisim result")
    storage.open_manifest(directory, "omnisim result", ["a.txt"])
    (directory / ("a.txt" + storage.TEMPORARY)).write_text("half")
    storage.claim_directory(directory, "omnisim result")
    (directory / "b.txt").write_text("")
    with pytest.raises(UsageError, match=r"b\.txt"):
        storage.claim_directory(directory, "omnisim result")
