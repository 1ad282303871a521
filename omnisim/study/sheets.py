"""Spreadsheet files as rows of cells: CSV in any of three separators, and Excel workbooks."""

from __future__ import annotations

import csv
import io
import re
import warnings
import zipfile
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from omnisim.errors import Fault, StorageError, UsageError
from omnisim.study.figures import PerCent

if TYPE_CHECKING:
    from openpyxl.cell import Cell, MergedCell

MAX_BYTES = 20_000_000
MAX_UNPACKED = 200_000_000
MAX_ROWS = 100_000
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
UTF8_MARK = b"\xef\xbb\xbf"
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


@dataclass(frozen=True)
class Sheet:
    """One table as it stands in a file.

    Parameters
    ----------
    place : str  file name, and the sheet's name where a workbook has several
    rows : tuple of (row number, cells)  rows that hold anything; the file's first row is 1
    """

    place: str
    rows: tuple[tuple[int, tuple[object, ...]], ...]


def read_sheets(path: str | Path, *, encoding: str | None = None, most_rows: int = MAX_ROWS,
                most_bytes: int = MAX_BYTES) -> list[Sheet]:
    """All tables of one file; a CSV file has one.

    Parameters
    ----------
    path : str or Path  a .csv, .txt, .tsv or .xlsx file; its first bytes decide, not its name
    encoding : str  how a CSV file is encoded if it is not UTF-8, as "gb18030"
    most_rows, most_bytes : int  what is refused as too large

    Raises
    ------
    UsageError  for a file that is missing, too large, damaged or in another encoding
    StorageError  for a file that may not be read
    """
    path = Path(path)
    content = _read_bytes(path, most_bytes)
    if content.startswith(OLD_EXCEL):
        raise _refusal(path, "an old or protected Excel file", "must be .xlsx or .csv without a password",
                       "Save it as an Excel workbook (.xlsx) or as CSV UTF-8.")
    if content.startswith(b"PK"):
        return _read_workbook(path, content, most_rows, most_bytes)
    return [_sheet(str(path), _csv_rows(path, _decode(path, content, encoding)), most_rows)]


def _refusal(path: Path, got: str, rule: str, fix: str) -> UsageError:
    return UsageError(Fault(str(path), "table", got, rule, fix))


def _read_bytes(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            got = "a folder" if path.is_dir() else "no such file"
            raise _refusal(path, got, "must be a CSV or Excel file", "Check the path.")
        if path.stat().st_size > most:
            raise _refusal(path, f"{path.stat().st_size:,} bytes", f"must be at most {most:,} bytes",
                           "Keep the one table that is meant.")
        return path.read_bytes()
    except OSError as error:
        raise StorageError(Fault(str(path), "table", error.strerror or str(error), "must be readable",
                                 "Check the file's rights.")) from error


def _decode(path: Path, content: bytes, encoding: str | None) -> str:
    if content.startswith(UTF16_MARKS) and encoding is None:
        raise _refusal(path, "UTF-16 text", "must be UTF-8, or the encoding named", "Add --encoding utf-16.")
    chosen = "utf-8-sig" if encoding is None or content.startswith(UTF8_MARK) else encoding
    try:
        return content.decode(chosen)
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        fix = ("Check the encoding." if encoding else
               "Add --encoding gb18030 (what Excel writes in China), or save as CSV UTF-8.")
        raise UsageError(Fault(f"{path}:{line}", "text", repr(error.object[error.start:error.start + 4])[1:],
                               f"must be {encoding or 'UTF-8'}", fix)) from error
    except (LookupError, ValueError) as error:
        raise UsageError(Fault("--encoding", "encoding", str(encoding), "must be a text encoding that Python knows",
                               "Use gb18030, gbk, big5 or utf-16.")) from error


def _csv_rows(path: Path, text: str) -> Iterable[tuple[int, tuple[object, ...]]]:
    first = next((line for line in text.splitlines() if line.strip()), "")
    separator = max(",;\t", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    start = 1
    try:
        for cells in reader:
            yield start, tuple(cells)
            start = reader.line_num + 1
    except csv.Error as error:
        raise UsageError(Fault(f"{path}:{reader.line_num}", "row", "", f"cannot be parted into cells: {error}",
                               "Check the quotes in this row.")) from error


def _read_workbook(path: Path, content: bytes, most_rows: int, most_bytes: int) -> list[Sheet]:
    # openpyxl knows no error class of its own for a damaged file: whatever it raises means that
    damaged = _refusal(path, "a damaged workbook", "must be an Excel workbook (.xlsx)", "Open it and save it again.")
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            unpacked = sum(entry.file_size for entry in archive.infolist())
    except (zipfile.BadZipFile, NotImplementedError) as error:
        raise damaged from error
    most = max(MAX_UNPACKED, most_bytes)
    if unpacked > most:
        raise _refusal(path, f"{unpacked:,} bytes unpacked", f"must be at most {most:,}", "Keep one table.")
    from openpyxl import load_workbook

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about drop-down lists and styles, which are not read
            book = load_workbook(io.BytesIO(content), read_only=True, data_only=True)
            several = len(book.worksheets) > 1
            sheets = []
            for page in book.worksheets:
                page.reset_dimensions()  # some programs write wrong ones
                rows = enumerate((tuple(map(_shown, row)) for row in page.iter_rows(max_row=most_rows + 1)), start=1)
                sheets.append(_sheet(f"{path}[{page.title}]" if several else str(path), rows, most_rows))
            book.close()
    except UsageError:
        raise
    except Exception as error:
        raise damaged from error
    return sheets


def _shown(cell: Cell | MergedCell) -> object:
    """The value of a cell of a workbook; a number keeps whether it is shown in per cent."""
    value = cell.value
    if isinstance(value, int | float) and not isinstance(value, bool) and _is_percent(str(cell.number_format)):
        return PerCent(value)
    return value


@lru_cache
def _is_percent(number_format: str) -> bool:
    """Whether a format multiplies by 100: its % is no text in quotes or behind a backslash."""
    return "%" in re.sub(r'"[^"]*"|\\.|\[[^\]]*\]', "", number_format)


def _sheet(place: str, rows: Iterable[tuple[int, tuple[object, ...]]], most: int) -> Sheet:
    kept = []
    for number, cells in rows:
        if number > most:
            raise UsageError(Fault(f"{place}:{number}", "rows", f"more than {most:,}", "is more than a table has",
                                   "Keep the rows that are meant."))
        if any(cell is not None and str(cell).strip() for cell in cells):
            kept.append((number, cells))
    return Sheet(place, tuple(kept))
