"""Compiled kernels are never older than what they are made of."""

from __future__ import annotations

from pathlib import Path

import pytest

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
