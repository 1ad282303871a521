"""Tables of a stock plan, from Python or from files, and where a row of theirs stands."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING

from omnisim.errors import Fault, StorageError, UsageError

if TYPE_CHECKING:
    import pandas as pd

FILE = "omnisim file"
"""What a frame out of a file calls its path; its index are then the lines of the file."""
NAMES = {"sku": str, "node": str, "source": str, "target": str}


def read_table(table: pd.DataFrame | str | Path, name: str) -> pd.DataFrame:
    """A frame, or what stands in a CSV or Excel file.

    Raises
    ------
    UsageError  where it is no table
    StorageError  where it cannot be read
    """
    import pandas as pd

    if isinstance(table, pd.DataFrame):
        return table if FILE in table.attrs else table.reset_index(drop=True)
    path = Path(str(table))
    try:
        if path.suffix.lower() in (".xlsx", ".xls"):
            frame, lines = pd.read_excel(path, dtype=NAMES), []
        else:
            text = path.read_text("utf-8-sig")
            frame = pd.read_csv(io.StringIO(text), dtype=NAMES)
            lines = [number for number, line in enumerate(text.splitlines(), 1) if line.strip()][1:]
    except OSError as error:
        raise StorageError(Fault(str(path), name, error.strerror or "", "must be readable",
                                 "Check the path.")) from None
    except (ValueError, pd.errors.ParserError) as error:
        raise UsageError(Fault(str(path), name, " ".join(str(error).split()), "must be a table",
                               "Save it as UTF-8 CSV.")) from None
    frame.index = pd.Index(lines if len(lines) == len(frame) else range(2, len(frame) + 2))
    frame.attrs[FILE] = str(path)
    return frame


def place_of(frame: pd.DataFrame, name: str, r: int) -> str:
    """Where a row stands: the line of its file, or its number in a frame."""
    return f"{frame.attrs[FILE]}:{frame.index[r]}" if FILE in frame.attrs else f"{name}, row {r + 1}"
