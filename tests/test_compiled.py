"""Compiled kernels are never older than what they are made of."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from numba.core.caching import IndexDataCacheFile

from omnisim import compiled
from omnisim.market import journey, visits
from omnisim.supply import settlement


def test_every_kernel_carries_the_digest_of_all_sources() -> None:
    for kernel in (journey.live_a_day, visits.make_visits, settlement.settle):
        assert kernel._cache._cache_file._source_stamp == compiled.STAMP


@pytest.mark.parametrize("name", ["moves.py", "lasting.py"])
def test_the_digest_changes_with_any_source(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    read = Path.read_bytes
    monkeypatch.setattr(Path, "read_bytes", lambda path: read(path) + (b"#" if path.name == name else b""))
    assert compiled._stamp() != compiled.STAMP


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[], int]:
    """A start of a program with one kernel, that gives 42."""
    (tmp_path / "little_program.py").write_text(
        "from omnisim.compiled import kernel\n@kernel\ndef twice(x):\n    return 2 * x\n", encoding="ascii")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr("numba.config.CACHE_DIR", str(tmp_path / "kept"))

    def go() -> int:
        sys.modules.pop("little_program", None)
        return int(importlib.import_module("little_program").twice(21))

    return go


@pytest.mark.parametrize("kind", ["nbc", "nbi"])
@pytest.mark.parametrize("left", [0, 30])
def test_what_was_half_written_is_compiled_again(start: Callable[[], int], kind: str, left: int,
                                                 tmp_path: Path) -> None:
    assert start() == 42
    (kept,) = (tmp_path / "kept").rglob(f"*twice*.{kind}")
    kept.write_bytes(kept.read_bytes()[:left])
    assert start() == 42
    assert kept.stat().st_size > left, "and kept again"


def test_a_full_disk_keeps_nothing_and_stops_nothing(start: Callable[[], int], monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*given: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(IndexDataCacheFile, "_save_data", full)
    assert start() == 42
