"""A brand's transaction log: who ordered when, and for how much; a row an order, or several rows an order.

Headers may be Chinese or English and stand in any order; columns that are not known are left aside. All faults are
reported at once, each with its row.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from omnisim.errors import Fault, UsageError
from omnisim.study.calibration.brand_tables import is_table
from omnisim.study.figures import CellError, is_blank, plain_text, read_date, read_figure
from omnisim.study.headers import HEADER_ROWS, plain_key, split_header
from omnisim.study.sheets import Sheet, read_sheets

if TYPE_CHECKING:
    import pandas as pd

Ints = NDArray[np.int64]
MOST_ROWS = 10_000_000
MOST_BYTES = 1_000_000_000
LISTED = 1_000
"""Faulty rows that are kept one by one; the rest are counted."""
EARLY = 30
"""First days of a log that are looked at for customers who came before it."""
HEADERS = {
    "customer": ("客户", "客户ID", "客户编号", "会员ID", "会员编号", "用户ID", "用户编号", "买家", "买家ID", "买家昵称",
                 "买家会员名", "customer", "customer_id", "user", "user_id", "buyer", "buyer_id", "member_id",
                 "consumer"),
    "date": ("日期", "下单日期", "下单时间", "订单日期", "订单时间", "付款日期", "付款时间", "支付时间", "订单付款时间",
             "成交日期", "date", "order_date", "order_time", "paid_at", "timestamp"),
    "value": ("金额", "订单金额", "实付金额", "实付款", "支付金额", "成交金额", "买家实际支付金额", "value", "amount",
              "order_value", "revenue", "gmv", "gmv_cny", "paid"),
    "order": ("订单", "订单号", "订单编号", "order", "order_id"),
    "number": ("第几单", "number"),
    "price": ("单价", "price"),
    "quantity": ("数量", "quantity"),
    "discount": ("优惠", "discount"),
}
"""Column -> headers it goes by; customer and date make a table a log."""
_TIME = re.compile(r"(.*\d日?)[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|[+-]\d{2}:?\d{2})?", re.ASCII)


@dataclass(frozen=True)
class TransactionLog:
    """Orders of a brand's customers, sorted by customer and day.

    Parameters
    ----------
    place : str  where it was read
    start : date  day 0, that of the first order
    customers : tuple of str  names by number
    customer : int64 (orders,)  number of the customer
    day : int64 (orders,) [day]  since `start`
    value : float (orders,) [currency], or None where the log has no values
    warnings : tuple of Fault  what was left out or put together
    """

    place: str
    start: datetime.date
    customers: tuple[str, ...]
    customer: Ints
    day: Ints
    value: NDArray[np.float64] | None
    warnings: tuple[Fault, ...] = ()

    @property
    def last_day(self) -> int:
        """Day of the last order [day]."""
        return int(self.day.max())


class _Column(NamedTuple):
    """A column of cells with what is needed to read it: place, header as written, factor of the header's unit."""

    place: int
    header: str
    factor: Decimal
    cells: Any


class _Frame(NamedTuple):
    """Columns of a log, and the row of each cell; rows of a frame are counted from 1."""

    place: str
    rows: Ints
    columns: dict[str, _Column]


def read_log(source: str | Path | pd.DataFrame, *, encoding: str | None = None) -> TransactionLog | None:
    """Read a transaction log; None where the headers are not those of one.

    Parameters
    ----------
    source : path or DataFrame  CSV, Excel, or a frame such as ``Result.orders``; with a customer and a date in each
        row, and, where there are any, value (or price, quantity and discount), order number, and ordinal of the order
    encoding : str  of a CSV file that is not UTF-8

    Raises
    ------
    UsageError  with every faulty row: file:row:column, value, rule, cure
    StorageError  for a file that may not be read

    Notes
    -----
    Rows of one customer and day are one order, unless their numbers tell them apart; rows of another day are one with
    them where order number and ordinal agree: lines sent later. Where the log says which order of the customer each is
    (第几单), customers whose first order is not in it are left out, as nobody knows since when
    they have been customers; where it does not, the first order in the log is taken for the customer's first.
    """
    frame = _open_file(source, encoding) if isinstance(source, str | Path) else _open_frame(source)
    return None if frame is None else _Reading(frame).log()


def part_log(sources: Sequence[str | Path | pd.DataFrame],
             encoding: str | None = None) -> tuple[TransactionLog | None, list[str | Path]]:
    """The transaction log among the tables, if there is one, and the paths of the others.

    Raises
    ------
    UsageError  for more than one log, and for a frame that is none
    """
    found = [(source, read_log(source, encoding=encoding)) for source in sources]
    logs = [log for _, log in found if log is not None]
    paths: list[str | Path] = []
    for source, log in found:
        if isinstance(source, str | Path):
            paths += [source] if log is None else []
        elif log is None:
            headers = ", ".join(str(name) for name in source.columns)[:200]
            raise UsageError(Fault("frame", "columns", headers, "must hold a customer and a date",
                                   "Give a log with customer, date and value, or T1 as a file."))
    if len(logs) > 1:
        raise UsageError(Fault("--data", "transaction logs", ", ".join(log.place for log in logs), "must be one",
                               "Put them into one file."))
    return (logs[0] if logs else None), paths


def _open_file(path: str | Path, encoding: str | None) -> _Frame | None:
    sheets = read_sheets(path, encoding=encoding, most_rows=MOST_ROWS, most_bytes=MOST_BYTES)
    frames = [_open_sheet(sheet) for sheet in sheets]
    log = next((frame for frame in frames if frame is not None), None)
    tables = [sheet.place for sheet, frame in zip(sheets, frames, strict=True) if frame is not None or is_table(sheet)]
    if log is not None and len(tables) > 1:
        raise UsageError(Fault(str(path), "sheets", ", ".join(tables), "a transaction log must be the only table of "
                               "its workbook", "Put each table into a file of its own, and all orders into one sheet."))
    return log


def _open_sheet(sheet: Sheet) -> _Frame | None:
    for start, (row, cells) in enumerate(sheet.rows[:HEADER_ROWS], start=1):
        found = _find(cells, f"{sheet.place}:{row}")
        if found is None:
            continue
        body = sheet.rows[start:]
        width = len(cells)
        long = [number for number, values in body if len(values) > width
                and any(not is_blank(cell) for cell in values[width:])]
        if long:
            raise UsageError(*_cut([Fault(f"{sheet.place}:{number}:{width + 1}", "row", "", f"must have {width} "
                                          "cells, one a header", 'Quote figures with commas, as "1,050".')
                                    for number in long[:LISTED + 1]], len(long), sheet.place))
        columns = {name: _Column(place, header, factor, _objects(
            [values[place] if place < len(values) else None for _, values in body]))
            for name, (place, header, factor) in found.items()}
        return _Frame(sheet.place, np.array([number for number, _ in body], np.int64), columns)
    return None


def _open_frame(frame: pd.DataFrame) -> _Frame | None:
    found = _find([str(name) for name in frame.columns], "frame")
    if found is None:
        return None
    columns = {name: _Column(place, header, factor, frame.iloc[:, place].to_numpy())
               for name, (place, header, factor) in found.items()}
    return _Frame("frame", np.arange(1, len(frame) + 1, dtype=np.int64), columns)


def _objects(cells: list[object]) -> NDArray[np.object_]:
    found = np.empty(len(cells), object)
    found[:] = cells
    return found


def _find(cells: Sequence[object], where: str) -> dict[str, tuple[int, str, Decimal]] | None:
    """Columns of a log among headers: place, header, factor of its unit; None without customer and date."""
    names = {plain_key(header): name for name, headers in HEADERS.items() for header in headers}
    found: dict[str, tuple[int, str, Decimal]] = {}
    faults = []
    for place, cell in enumerate(cells):
        header, known = plain_text(cell), split_header(cell)
        if known is None or known[0] not in names:
            continue
        name = names[known[0]]
        if name in found:
            faults.append(Fault(f"{where}:{place + 1}", header, f"also {found[name][1]!r}", f"two columns give {name}",
                                "Delete or rename one of them."))
        found.setdefault(name, (place, header, known[1]))
    if not {"customer", "date"} <= set(found):
        return None
    if faults:
        raise UsageError(*faults)
    return found


def _cut(faults: list[Fault], total: int, place: str) -> list[Fault]:
    """The first faults, and one for the number of the rest."""
    if total <= LISTED:
        return faults
    return [*faults[:LISTED], Fault(place, "rows", f"{total - LISTED:,} more", "have the same fault")]


class _Reading:
    """Turns the columns of a log into orders, gathering every fault."""

    def __init__(self, frame: _Frame) -> None:
        self.frame = frame
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []

    def log(self) -> TransactionLog:
        """The orders, or every fault."""
        frame = self.frame
        if not frame.rows.size:
            raise UsageError(Fault(frame.place, "rows", "none", "must be at least one", "Add a row an order."))
        code, names = self._customers(frame.columns["customer"])
        day = self._days(frame.columns["date"])
        value = self._value()
        number = self._figures("number") if "number" in frame.columns else None
        order = self._orders() if "order" in frame.columns else None
        if self.faults:
            raise UsageError(*self.faults)
        code, day, value, number = self._merge(code, day, value, number, order)
        if number is not None:
            code, day, value, names = self._since_first(code, day, value, number, names)
        else:
            self._look_for_earlier(code, day)
        start = int(day.min())
        used, code = np.unique(code, return_inverse=True)
        return TransactionLog(frame.place, datetime.date.fromordinal(start), tuple(names[k] for k in used),
                              code.astype(np.int64), day - start, value, tuple(self.warnings))

    def _read(self, name: str, column: _Column, read: Callable[[object], object], default: object) -> Any:
        """Each cell read by its distinct contents; cells that cannot be read become faults."""
        import pandas as pd

        codes, distinct = pd.factorize(column.cells, use_na_sentinel=False)
        values, wrong = [], {}
        for place, cell in enumerate(distinct):
            try:
                cell = cell.item() if isinstance(cell, np.generic) else cell
                values.append(read(None if pd.isna(cell) else cell))
            except CellError as error:
                wrong[place] = Fault("", column.header, "" if is_blank(cell) else repr(plain_text(cell)), error.rule,
                                     error.fix)
                values.append(default)
        if wrong:
            bad = np.flatnonzero(np.isin(codes, list(wrong)))
            faults = [Fault(f"{self.frame.place}:{self.frame.rows[row]}:{column.place + 1}", *_rest(wrong[codes[row]]))
                      for row in bad[:LISTED + 1].tolist()]
            self.faults += _cut(faults, bad.size, self.frame.place)
        return codes, values

    def _customers(self, column: _Column) -> tuple[Ints, list[str]]:
        """Number of the customer in each row, and names by number, in alphabetical order."""
        codes, names = self._read("customer", column, _read_name, "")
        order = sorted(set(names))
        places = {name: place for place, name in enumerate(order)}
        return np.array([places[name] for name in names], np.int64)[codes], order

    def _days(self, column: _Column) -> Ints:
        """Day of each row, counted as Python counts days."""
        if np.issubdtype(column.cells.dtype, np.datetime64):
            cells = column.cells.astype("datetime64[D]")
            column = column._replace(cells=_objects(cells.astype(object).tolist()))
        codes, days = self._read("date", column, _read_day, 1)
        return np.asarray(np.array(days, np.int64)[codes])

    def _figures(self, name: str, otherwise: float | None = None) -> NDArray[np.float64]:
        column = self.frame.columns.get(name)
        if column is None:
            return np.full(self.frame.rows.size, otherwise, float)

        def read(cell: object) -> float:
            if is_blank(cell):
                raise CellError("must not be empty", "Fill the cell in or delete the row.")
            if plain_text(cell).startswith(("-", "−")):
                raise CellError("must be ≥ 0", "Leave refunds and cancelled orders out.")
            kind = "count" if name in ("number", "quantity") else "money"
            return read_figure(cell, kind, factor=column.factor)  # type: ignore[arg-type]  # one of the kinds
        codes, values = self._read(name, column, read, 0.0)
        return np.asarray(np.array(values, float)[codes])

    def _value(self) -> NDArray[np.float64] | None:
        """Money of each row: its value, or price · quantity - discount."""
        columns = self.frame.columns
        if "value" in columns:
            return self._figures("value")
        if "price" not in columns:
            return None
        found = self._figures("price") * self._figures("quantity", 1.0) - self._figures("discount", 0.0)
        return np.asarray(np.maximum(found, 0.0))

    def _orders(self) -> Ints:
        """Number of the order of each row."""
        import pandas as pd

        codes, _ = pd.factorize(self.frame.columns["order"].cells, use_na_sentinel=False)
        return np.asarray(codes, np.int64)

    def _merge(self, code: Ints, day: Ints, value: Any, number: Any, order: Ints | None) -> tuple[Ints, Ints, Any, Any]:
        """One row an order, sorted by customer, day and ordinal."""
        rank = number if number is not None else np.zeros(code.size)
        tie = order if order is not None else rank.astype(np.int64)
        if order is not None and number is not None:
            day = _first_days(code, order, rank, day)
        by = np.lexsort((tie, rank, day, code))
        code, day, tie, rank = code[by], day[by], tie[by], rank[by]
        new = np.append(True, (np.diff(code) != 0) | (np.diff(day) != 0) | (np.diff(tie) != 0))
        merged = int(code.size - new.sum())
        if merged and order is None and number is None:
            self.warnings.append(Fault(self.frame.place, "rows", f"{merged:,} of {code.size:,}", "are of a customer "
                                       "and day that another row has: taken as parts of one order",
                                       "Add a column with order numbers (订单号) if they are orders of their own."))
        if value is not None:
            value = np.add.reduceat(value[by], np.flatnonzero(new))
        return code[new], day[new], value, rank[new] if number is not None else None

    def _since_first(self, code: Ints, day: Ints, value: Any, number: Any,
                     names: list[str]) -> tuple[Ints, Ints, Any, list[str]]:
        """Customers from their first order on; a second first order under one name is another customer."""
        first = number == 1
        person = np.append(True, np.diff(code) != 0)
        spell = np.cumsum(person | first) - 1
        kept = first[np.flatnonzero(person | first)][spell]
        if not kept.any():
            raise UsageError(Fault(self.frame.place, self.frame.columns["number"].header, "no 1", "must be 1 for each "
                                   "customer's first order", "Give the log from an earlier day."))
        left = np.unique(code[~kept]).size
        if left:
            self.warnings.append(Fault(self.frame.place, "customers", f"{left:,}", "came before the log begins: left "
                                       "out, as their first orders are not in it",
                                       "Give the log from the brand's first day to use them."))
        labels = [names[k] for k in code[np.flatnonzero(person | first)]]
        return spell[kept], day[kept], None if value is None else value[kept], labels

    def _look_for_earlier(self, code: Ints, day: Ints) -> None:
        """Warn where many more customers come in the first days than later: these have ordered before."""
        first = day[np.append(True, np.diff(code) != 0)] - day.min()
        early, later = int((first < EARLY).sum()), int(((first >= 2 * EARLY) & (first < 4 * EARLY)).sum()) / 2
        if day.max() - day.min() >= 4 * EARLY and early > 1.5 * later + 30:
            self.warnings.append(Fault(
                self.frame.place, "customers", f"{early:,} in the first {EARLY} days, {later:,.0f} in as many later",
                "look as if the log begins after the brand did: who seems new has ordered before",
                "Add a column 第几单 (number), or give the log from the brand's first day."))


def _rest(fault: Fault) -> tuple[str, str, str, str]:
    return fault.what, fault.got, fault.rule, fault.fix


def _read_name(cell: object) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    text = str(cell)
    name = text if isinstance(cell, str) and text.isascii() and text.isalnum() else plain_text(cell)
    if is_blank(name):
        raise CellError("must not be empty", "Leave out orders whose customer is not known.")
    return name


def _read_day(cell: object) -> int:
    if isinstance(cell, str):
        match = _TIME.fullmatch(cell.strip())
        cell = match[1] if match else cell
    if is_blank(cell):
        raise CellError("must not be empty", "Fill the cell in or delete the row.")
    return read_date(cell).toordinal()


def _first_days(code: Ints, order: Ints, rank: Any, day: Ints) -> Ints:
    """Each row's day as the first of all rows with its customer, order number and ordinal."""
    _, same = np.unique(np.stack([code, order, rank.astype(np.int64)]), axis=1, return_inverse=True)
    first = np.full(int(same.max()) + 1, int(day.max()), np.int64)
    np.minimum.at(first, same.reshape(-1), day)
    return first[same.reshape(-1)]
