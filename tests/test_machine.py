"""The same bits whatever the machine, its language, its clock and its compiler's mood: one setting at a time."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
RUN = """
import hashlib
from building import small_brand
from omnisim.simulation import simulate
books = simulate(small_brand(), seed=5, threads=2)
names = ("daily groups group_unique stages transitions flows paths path_counts buyers cohorts second stock segments "
         "orders")
print(hashlib.sha256(b"".join(getattr(books, name).tobytes() for name in names.split())).hexdigest())
"""


def digest(settings: dict[str, str]) -> str:
    """Digest of every integer table of one run in a process of its own."""
    environment = os.environ | {"PYTHONPATH": str(HERE)} | settings
    done = subprocess.run([sys.executable, "-W", "error", "-c", RUN], env=environment, capture_output=True, text=True,
                          timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def usual() -> str:
    return digest({})


@pytest.mark.parametrize("settings", [
    {"NPY_DISABLE_CPU_FEATURES": "X86_V4"},
    {"NPY_DISABLE_CPU_FEATURES": "X86_V3,X86_V4"},
    {"TZ": "Asia/Shanghai", "LANG": "zh_CN.UTF-8", "LC_ALL": "C"},
    {"PYTHONHASHSEED": "7"},
    {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "NUMBA_NUM_THREADS": "1"},
], ids=lambda settings: ",".join(settings))
def test_settings_change_no_bit(usual: str, settings: dict[str, str]) -> None:
    assert digest(settings) == usual


def test_another_processor_and_a_cold_cache_change_no_bit(usual: str, tmp_path: Path) -> None:
    """Compiled anew for the plainest processor, and once more from that cache."""
    plain = {"NUMBA_CPU_NAME": "generic", "NUMBA_CPU_FEATURES": "", "NUMBA_CACHE_DIR": str(tmp_path)}
    assert digest(plain) == usual
    assert any(tmp_path.rglob("*.nbi"))
    assert digest(plain) == usual


def test_no_place_for_a_cache_changes_no_bit(usual: str) -> None:
    """Without any place to keep compiled code, kernels are compiled at each start."""
    assert digest({"NUMBA_CACHE_DIR": "/dev/null/nowhere", "NUMBA_CACHE_LOCATOR_CLASSES": "UserProvidedCacheLocator"}
                  ) == usual
