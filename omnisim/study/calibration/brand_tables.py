"""The brand's own tables: channel status (T1, a month) and daily monitoring (T3), as people keep them.

Headers may be Chinese or English and stand in any order, with their unit in brackets; columns that are not known are
left aside, and named in a warning. All faults of all tables are reported at once.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Literal, NamedTuple, TypeAlias

from omnisim.errors import Fault, UsageError
from omnisim.study.figures import CellError, Kind, is_blank, plain_text, read_date, read_figure
from omnisim.study.headers import HEADER_ROWS, plain_key, split_header
from omnisim.study.sheets import Sheet, read_sheets
from omnisim.vocabulary import MONITORING_HEADERS, STATUS_HEADERS

TOLERANCE = 0.02
"""How far a row may be from adding up before a warning names it."""


@dataclass(frozen=True)
class ChannelStatus:
    """One row of T1: what a channel does in a month.

    Parameters
    ----------
    channel : str  preset of the catalogue
    label : str  the channel as the brand writes it
    monthly_uv : float [visitor/month]  distinct visitors
    cvr : float [order/visitor]  share of the month's visitors that order
    aov : float [currency/order]  0 where nothing is sold
    gmv : float [currency/month]  paid, before returns
    """

    channel: str
    label: str
    monthly_uv: float
    cvr: float
    aov: float
    gmv: float


@dataclass(frozen=True)
class DailyRecord:
    """One row of T3: what a channel did on a day.

    Parameters
    ----------
    date : date
    channel : str  preset of the catalogue
    label : str  the channel as the brand writes it
    visits : float [visit/day]
    new_users : float [user/day]
    orders : float [order/day]
    gmv : float [currency/day]
    aov : float [currency/order], or None on a day without orders
    cost : float [currency/day]
    roi : float [currency/currency]  gmv / cost, or None without cost
    note : str
    """

    date: datetime.date
    channel: str
    label: str
    visits: float
    new_users: float
    orders: float
    gmv: float
    aov: float | None
    cost: float
    roi: float | None
    note: str


@dataclass(frozen=True)
class BrandTables:
    """What the brand's tables say, and where their own rows do not add up."""

    status: tuple[ChannelStatus, ...] = ()
    daily: tuple[DailyRecord, ...] = ()
    warnings: tuple[Fault, ...] = ()


class Column(NamedTuple):
    """A column that is looked for: its kind, the headers it goes by, and whether it and its cells must be there.

    A cell of a required column may be empty if ``may_be_blank``; then it is 0.
    """

    kind: Kind | Literal["text", "date", "ratio"]
    headers: tuple[str, ...]
    required: bool = True
    above_zero: bool = False
    may_be_blank: bool = False


_CHANNEL = Column("text", ("渠道名称", "渠道", "channel", "channel_name"))
_PRESET = Column("text", ("渠道英文名", "channel_en", "preset"), required=False)
STATUS = {
    "channel": _CHANNEL,
    "preset": _PRESET,
    "monthly_uv": Column("count", ("当前月均UV", "月均UV", "月UV", "monthly_uv", "uv"), above_zero=True),
    "cvr": Column("share", ("转化率", "cvr", "conversion_rate")),
    "aov": Column("money", ("客单价", "aov", "aov_cny"), may_be_blank=True),
    "gmv": Column("money", ("GMV贡献", "GMV", "gmv_cny")),
}
"""T1: field -> column."""
DAILY = {
    "date": Column("date", ("日期", "date")),
    "channel": _CHANNEL,
    "preset": _PRESET,
    "visits": Column("count", ("访问量", "visits")),
    "new_users": Column("count", ("新增用户数", "new_users")),
    "orders": Column("count", ("转化订单数", "orders")),
    "gmv": Column("money", ("GMV", "gmv_cny")),
    "aov": Column("money", ("客单价", "aov", "aov_cny"), required=False),
    "cost": Column("money", ("渠道成本", "channel_cost", "channel_cost_cny", "cost")),
    "roi": Column("ratio", ("ROI", "roi_gmv_over_cost"), required=False),
    "note": Column("text", ("异常备注", "备注", "anomaly_note", "note"), required=False),
}
"""T3: field -> column."""
DERIVED = ("推算", "derived")
"""Words in headers of columns that follow from others."""

Layout: TypeAlias = dict[str, Column]
Found: TypeAlias = dict[str, tuple[int, Decimal, str]]
"""field -> position in the row, factor of the header's unit, header as written"""


def read_tables(paths: Iterable[str | Path], *, encoding: str | None = None) -> BrandTables:
    """Read the brand's T1 and T3 tables; which is which is told by their headers.

    Parameters
    ----------
    paths : iterable of path  CSV or Excel files
    encoding : str  of CSV files that are not UTF-8, as "gb18030"

    Returns
    -------
    BrandTables  rows in the order of the files

    Raises
    ------
    UsageError  with every fault of every table: file:row:column, value, rule, cure
    StorageError  for a file that may not be read

    Notes
    -----
    A row adds up if gmv = monthly_uv · cvr · aov (T1) or gmv = orders · aov and roi = gmv / cost (T3) within 2 %.
    One that does not is kept, and named in ``warnings``.
    """
    tables = _Reading()
    for path in paths:
        sheets = read_sheets(path, encoding=encoding)
        fitting = [sheet for sheet in sheets if is_table(sheet)] or sheets[:1]
        for sheet in fitting:
            tables.read(sheet)
    if tables.faults:
        raise UsageError(*tables.faults)
    return BrandTables(tuple(tables.status), tuple(tables.daily), tuple(tables.warnings))


class _Reading:
    """What has been read so far, and every fault met on the way."""

    def __init__(self) -> None:
        self.status: list[ChannelStatus] = []
        self.daily: list[DailyRecord] = []
        self.faults: list[Fault] = []
        self.warnings: list[Fault] = []
        self._seen: dict[object, str] = {}

    def read(self, sheet: Sheet) -> None:
        """Add one table."""
        layout, start = _locate(sheet)
        if not start:
            got = _listed(sheet.rows[0][1]) if sheet.rows else "an empty table"
            self.faults.append(Fault(sheet.place, "headers", got,
                                     "must be those of a channel status (T1) or daily monitoring (T3) table",
                                     "Give a T1 with 渠道名称, 当前月均UV, 转化率, 客单价(元) and GMV贡献(元)."))
            return
        row, cells = sheet.rows[start - 1]
        columns = self._match(f"{sheet.place}:{row}", cells, layout)
        if columns is None:
            return
        form = STATUS_HEADERS if layout is STATUS else MONITORING_HEADERS
        self._name_unread(f"{sheet.place}:{row}", cells, columns, [name for names in form.values() for name in names])
        if not sheet.rows[start:]:
            self.faults.append(Fault(sheet.place, "rows", "none", "must be at least one", "Add a row per channel."))
        for number, values in sheet.rows[start:]:
            self._read_row(f"{sheet.place}:{number}", values, layout, columns, n_headers=len(cells))

    def _match(self, where: str, cells: Sequence[object], layout: Layout) -> Found | None:
        columns: Found = {}
        n_faults = len(self.faults)
        for field, position, factor in _known(cells, layout):
            written = plain_text(cells[position])
            if field in columns:
                self.faults.append(Fault(f"{where}:{position + 1}", written, f"also {columns[field][2]!r}",
                                         f"two columns give {field}", "Delete or rename one of them."))
            else:
                columns[field] = (position, factor, written)
        for field, column in layout.items():
            if column.required and field not in columns:
                self.faults.append(Fault(where, f"column {column.headers[0]}", f"missing among {_listed(cells)}",
                                         f"must be there, as {' or '.join(column.headers)}", "Add or rename it."))
        return None if len(self.faults) > n_faults else columns

    def _name_unread(self, where: str, cells: Sequence[object], columns: Found, form: Iterable[str]) -> None:
        """Warn of columns that are left aside, but for the form's own remarks and what follows from other columns."""
        read = {position for position, _, _ in columns.values()}
        keys = {plain_key(header) for header in form}
        unread = [cell for position, cell in enumerate(cells) if position not in read and not is_blank(cell)
                  and (key := plain_key(plain_text(cell))) not in keys and not any(word in key for word in DERIVED)]
        if unread:
            self.warnings.append(Fault(where, "columns", _listed(unread), "are not read",
                                       "Rename what is meant. A cost is read from a daily table (T3, 渠道成本), or set "
                                       "channels.NAME.budget in the scenario."))

    def _read_row(self, where: str, cells: Sequence[object], layout: Layout, columns: Found, n_headers: int) -> None:
        if any(not is_blank(cell) for cell in cells[n_headers:]):
            self.faults.append(Fault(f"{where}:{n_headers + 1}", "row", f"{len(cells)} cells",
                                     f"must have {n_headers}, one a header", 'Quote figures with commas, as "1,050".'))
            return
        n_faults = len(self.faults)
        values: dict[str, object] = {}
        for field, (position, factor, header) in columns.items():
            cell = cells[position] if position < len(cells) else None
            try:
                values[field] = _read_cell(cell, layout[field], factor)
            except CellError as error:
                got = "" if is_blank(cell) else repr(cell)
                self.faults.append(Fault(f"{where}:{position + 1}", header, got, error.rule, error.fix))
        values["label"] = values.get("channel", "")
        values["channel"] = self._preset(where, columns, values)
        if len(self.faults) == n_faults:
            self._keep(where, values, layout)

    def _preset(self, where: str, columns: Found, values: dict[str, object]) -> str | None:
        """The catalogue's name of the channel; the two columns that name it must agree."""
        from omnisim.scenario.catalogue import find_preset

        place = f"{where}:{columns['channel'][0] + 1}"
        label, english = str(values["label"]), str(values.pop("preset", ""))
        found = {name for name in (find_preset(text) for text in (label, english) if text) if name}
        if len(found) == 1:
            return found.pop()
        if label and found:
            self.faults.append(Fault(place, columns["channel"][2], f"{label!r} and {english!r}",
                                     "must name the same channel", "Correct one of the two."))
        elif label:
            self.faults.append(Fault(place, columns["channel"][2], repr(label), "must be a channel of the catalogue",
                                     _channel_hint(label)))
        return None

    def _keep(self, where: str, values: dict[str, object], layout: Layout) -> None:
        key = values["channel"], values.get("date")
        if key in self._seen:
            rule, fix = f"is already in row {self._seen[key]}", "Keep one of the two rows."
            if layout is STATUS:
                rule, fix = f"{rule}, and a channel status table holds one month", "Keep the rows of one month."
            self.faults.append(Fault(where, "channel", repr(values["label"]), rule, fix))
            return
        self._seen[key] = where
        if layout is STATUS:
            status = ChannelStatus(**values)  # type: ignore[arg-type]  # the layout names the record's fields
            sold = (status.cvr, status.aov, status.gmv)
            if any(sold) and not all(sold) and sold[0] + sold[2] > 0:
                self.faults.append(Fault(where, "cvr, aov, gmv", " · ".join(f"{figure:g}" for figure in sold),
                                         "a channel that sells has all three above 0",
                                         "Correct the row, or set cvr and gmv to 0 if it sells nothing."))
                return
            self._check(where, "gmv", status.gmv, status.monthly_uv * status.cvr * status.aov, "monthly_uv · cvr · aov",
                        "Correct the row, or gmv is left aside.")
            self.status.append(status)
        else:
            daily = DailyRecord(**{"aov": None, "roi": None, "note": "", **values})  # type: ignore[arg-type]
            if daily.aov is not None:
                self._check(where, "gmv", daily.gmv, daily.orders * daily.aov, "orders · aov",
                            "Correct the row; gmv is used as it stands, aov is not used.")
            if daily.roi is not None and daily.cost > 0:
                self._check(where, "roi", daily.roi, daily.gmv / daily.cost, "gmv / cost",
                            "Correct the row; gmv and cost are used as they stand, roi is not used.")
            self.daily.append(daily)

    def _check(self, where: str, what: str, written: float, computed: float, formula: str, fix: str) -> None:
        if abs(written - computed) > TOLERANCE * max(written, computed):
            self.warnings.append(Fault(where, what, f"{written:g}", f"is more than 2 % off {formula} = {computed:g}",
                                       fix))


def _read_cell(cell: object, column: Column, factor: Decimal) -> object:
    if column.kind == "text":
        text = "" if is_blank(cell) else plain_text(cell)
        if column.required and not text:
            raise CellError("must not be empty", "Fill the cell in or delete the row.")
        return text
    if is_blank(cell):
        if column.may_be_blank:
            return 0.0
        if column.required:
            raise CellError("must not be empty", "Fill the cell in (0 if nothing happened) or delete the row.")
        return None
    if column.kind == "date":
        return read_date(cell)
    if column.kind == "ratio":
        return read_figure(cell, "count", factor=factor)
    value = read_figure(cell, column.kind, factor=factor)
    if column.above_zero and value == 0:
        raise CellError("must be above 0", "Leave the channel out if nobody visits it.")
    return value


def _known(cells: Sequence[object], layout: Layout) -> list[tuple[str, int, Decimal]]:
    """The headers that belong to a layout: field, position, factor of the unit in brackets."""
    fields = {plain_key(header): field for field, column in layout.items() for header in column.headers}
    return [(fields[found[0]], position, found[1]) for position, cell in enumerate(cells)
            if (found := split_header(cell)) and found[0] in fields]


def is_table(sheet: Sheet) -> bool:
    """Whether a sheet has headers of a channel status (T1) or daily monitoring (T3) table."""
    return _locate(sheet)[1] > 0


def _locate(sheet: Sheet) -> tuple[Layout, int]:
    """The layout whose headers a sheet has, and how many rows it takes to the header (0: none found)."""
    best: tuple[int, Layout, int] = (1, STATUS, 0)
    for start, (_, cells) in enumerate(sheet.rows[:HEADER_ROWS], start=1):
        for layout in (STATUS, DAILY):
            n_known = len({field for field, _, _ in _known(cells, layout)})
            if n_known > best[0]:
                best = n_known, layout, start
    return best[1], best[2]


def _listed(cells: Sequence[object]) -> str:
    return ", ".join(plain_text(cell) for cell in cells if not is_blank(cell))[:200]


def _channel_hint(label: str) -> str:
    from omnisim.scenario.catalogue import hint

    if plain_key(label) in ("合计", "总计", "小计", "总和", "total", "sum"):
        return "Delete the row with totals."
    return hint(label)
