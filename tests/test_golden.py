"""The numbers of one small run, to the unit and the cent: whoever changes them says NUMBERS in the changelog.

Refresh with ``python tests/test_golden.py --refresh``.
"""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from building import small_brand

from omnisim.books import MEASURE, Books
from omnisim.simulation import simulate

FILE = Path(__file__).with_name("golden.json")
MEASURES = ("visits", "unique_visitors", "new_users", "impressions", "clicks", "searches", "orders", "gmv",
            "new_customers", "repeat_orders", "win_back_orders", "referred_orders", "lost_units", "returned_lines",
            "joins", "leaves", "media", "service", "consultations")
TABLES = ("daily", "groups", "group_unique", "stages", "transitions", "flows", "path_counts", "cohorts", "buyers",
          "second", "stock", "segments")


def measure(books: Books) -> dict[str, object]:
    """Sums over the reported days, people by stage on the last evening, and fingerprints of the integer tables."""
    daily = books.daily[books.warm_up:].sum(axis=(0, 1))
    prints = {name: hashlib.sha256(getattr(books, name).astype("<i8").tobytes()).hexdigest() for name in TABLES}
    columns = [name for name in books.orders.dtype.names or () if name != "node"]  # one place: always 0
    prints["orders"] = hashlib.sha256(np.array(books.orders[columns].tolist(), "<i8").tobytes()).hexdigest()
    prints["paths"] = hashlib.sha256(books.paths.astype("<u4").tobytes()).hexdigest()
    return {"sums": {name: int(daily[MEASURE[name]]) for name in MEASURES},
            "stages": books.stages[-1].tolist(), "sha256": prints}


@pytest.fixture(scope="module")
def found() -> dict[str, object]:
    return measure(simulate(small_brand(), seed=1))


@pytest.mark.parametrize("part", ["sums", "stages", "sha256"])
def test_the_small_run_has_its_numbers(found: dict[str, object], part: str) -> None:
    assert found[part] == json.loads(FILE.read_text())[part], "refresh as told above, and say NUMBERS in the changelog"


if __name__ == "__main__":
    if sys.argv[1:] != ["--refresh"]:
        sys.exit(__doc__)
    FILE.write_text(json.dumps(measure(simulate(small_brand(), seed=1)), indent=1) + "\n")
