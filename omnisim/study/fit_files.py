"""What the files of every fit have in common, of tables and of a log."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

KIND = "omnisim fit"
"""What the manifest calls a directory with a fit."""


def csv(frame: pd.DataFrame) -> str:
    """A frame as CSV that spreadsheets read."""
    return "\ufeff" + str(frame.to_csv(index=False, lineterminator="\n"))
