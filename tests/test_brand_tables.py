"""The brand's tables as people write them."""

from __future__ import annotations

import csv
import datetime
import io
from pathlib import Path

import pytest
from openpyxl import Workbook

from omnisim.errors import StorageError, UsageError
from omnisim.study.calibration.brand_tables import BrandTables, ChannelStatus, read_tables
from omnisim.study.figures import CellError, Kind, is_blank, read_date, read_figure

ZH = """\
渠道名称,渠道英文名,覆盖平台,当前月均UV,转化率,客单价(元),GMV贡献(元),GMV贡献(原文),评估得分(1-5分),订单数(推算)
抖音内容,douyin,抖音账号,50000,0.021,120,126000,12.6万,3,1050
淘宝店铺,taobao,淘宝官方店,80000,0.035,150,420000,42万,4,2800
社群,community,5个500人群,20000,0.08,180,288000,28.8万,3,1600
"""
EN = """\
channel,channel_en,monthly_uv,cvr,aov_cny,gmv_cny,gmv_text,orders_derived
抖音内容,douyin,50000,0.021,120,126000,12.6万,1050
淘宝店铺,taobao,80000,0.035,150,420000,42万,2800
社群,community,20000,0.08,180,288000,28.8万,1600
"""
DAILY = """\
日期,渠道名称,渠道英文名,访问量,新增用户数,转化订单数,GMV(元),客单价(元),渠道成本(元),ROI,异常备注,获客成本CAC(推算)
2024-06-01,抖音,douyin,8500,320,45,5400,120,1200,4.5,—,3.75
2024-06-01,淘宝,taobao,12000,480,126,18900,150,3000,6.3,—,6.25
2024-06-01,社群,community,3200,85,68,12240,180,800,15.3,社群消息发送延迟2小时,9.4118
"""
BRAND = (
    ChannelStatus("douyin", "抖音内容", 50000, 0.021, 120, 126000),
    ChannelStatus("taobao", "淘宝店铺", 80000, 0.035, 150, 420000),
    ChannelStatus("community", "社群", 20000, 0.08, 180, 288000),
)


def read(tmp_path: Path, content: str | bytes, name: str = "t1.csv", encoding: str | None = None) -> BrandTables:
    file = tmp_path / name
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    return read_tables([file], encoding=encoding)


def faults(tmp_path: Path, content: str | bytes, **options: str) -> str:
    with pytest.raises(UsageError) as caught:
        read(tmp_path, content, **options)
    return str(caught.value).replace(f"{tmp_path}/", "")


@pytest.mark.parametrize("text", [ZH, EN])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_brand_table_in_any_dress(tmp_path: Path, text: str, mark: str, separator: str, line_end: str) -> None:
    content = mark + text.replace(",", separator).replace("\n", line_end)
    assert read(tmp_path, content) == BrandTables(status=BRAND)


def test_column_order_and_extra_columns_do_not_matter(tmp_path: Path) -> None:
    rows = [list(reversed([*row, "x"])) for row in csv.reader(io.StringIO(ZH))]
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    assert read(tmp_path, out.getvalue()).status == BRAND


def test_columns_that_are_not_read_are_named_once_a_sheet(tmp_path: Path) -> None:
    head, *rows = ZH.splitlines()
    tables = read(tmp_path, "\n".join([f"{head},投放费用(元),月份", *(f"{row},9万,2024-05" for row in rows)]))
    assert tables.status == BRAND
    note, = tables.warnings
    assert str(note).replace(f"{tmp_path}/", "") == (
        "t1.csv:1: columns = 投放费用(元), 月份 — are not read. Rename what is meant. A cost is read from a daily "
        "table (T3, 渠道成本), or set channels.NAME.budget in the scenario.")
    daily, = read(tmp_path, DAILY.replace("ROI", "点击量")).warnings
    assert daily.got == "点击量"
    cost, = read(tmp_path, ZH.replace("评估得分(1-5分)", "渠道成本(元)")).warnings  # of the other table's form
    assert cost.got == "渠道成本(元)"


def test_a_channel_status_table_holds_one_month(tmp_path: Path) -> None:
    text = "渠道,月份,月均UV,转化率,客单价,GMV\n抖音,5月,1000,2%,100,2000\n抖音,6月,1000,2%,100,2000\n"
    assert ("t1.csv:3: channel = '抖音' — is already in row t1.csv:2, and a channel status table holds one month. "
            "Keep the rows of one month.") in faults(tmp_path, text)


def test_figures_as_people_write_them(tmp_path: Path) -> None:
    rows = """\
渠道,月均UV,转化率,客单价,GMV（万元）
抖音内容,５００００,２．１％,¥120,12.6
淘宝店铺,8万,3.5%,￥150.00,42万
社群,"20,000",8 %,180元,28.8
"""
    assert read(tmp_path, rows) == BrandTables(status=BRAND)


def test_percent_in_header(tmp_path: Path) -> None:
    text = EN.replace("cvr", "转化率(%)").replace("0.021", "2.1").replace("0.035", "3.5%").replace("0.08", "8")
    assert read(tmp_path, text).status == BRAND


@pytest.mark.parametrize(("text", "kind", "value"), [
    ("1,050", "count", 1050), ("1\u2009050", "count", 1050), ("1\u202f050\u00a0000", "count", 1050000),
    ("1.26E+05", "money", 126000), ("12.6w", "money", 126000), ("1.2亿", "money", 1.2e8), ("RMB 120", "money", 120),
    ("\u200b120\ufeff", "money", 120), ("'120", "money", 120), ("21‰", "share", 0.021), (".5", "share", 0.5),
    (0.021, "share", 0.021), (50000, "count", 50000), ("2.1 ％", "share", 0.021), ("5k人", "count", 5000),
])
def test_read_figure(text: object, kind: Kind, value: float) -> None:
    assert read_figure(text, kind) == value


@pytest.mark.parametrize(("text", "kind"), [
    ("1,05", "money"), ("2,1%", "share"), ("1.050,5", "money"), ("5-6万", "count"), ("约5万", "count"),
    ("2.1", "share"),
    ("-5", "count"), ("1e400", "money"), (float("nan"), "money"), (float("inf"), "money"), (True, "count"),
    ("5%", "money"), ("¥5", "count"), ("2万", "share"), ("#DIV/0!", "money"), ("=1+1", "money"), ("1_000", "count"),
    (datetime.date(2024, 1, 1), "count"), ("", "count"), ("٣", "count"), ("9" * 400, "count"), (10**400, "count"),
])
def test_figure_is_refused_where_it_could_mean_two_things(text: object, kind: Kind) -> None:
    with pytest.raises(CellError):
        read_figure(text, kind)


@pytest.mark.parametrize("text", ["2024-06-01", "2024/6/1", "2024.6.1", "2024年6月1日", "20240601", "２０２４-06-01",
                                  datetime.datetime(2024, 6, 1), datetime.date(2024, 6, 1), "2024-06-01 00:00:00"])
def test_read_date(text: object) -> None:
    assert read_date(text) == datetime.date(2024, 6, 1)


@pytest.mark.parametrize("text", ["6/1/2024", "2024-13-01", "24-06-01", 45444, "", "2024-6"])
def test_date_is_refused(text: object) -> None:
    with pytest.raises(CellError):
        read_date(text)


def test_blank_cells() -> None:
    assert all(is_blank(cell) for cell in (None, "", "—", " - ", "N/A", "无", "\u3000"))
    assert not is_blank(0)


def test_daily_table(tmp_path: Path) -> None:
    tables = read(tmp_path, DAILY)
    assert [(row.channel, row.visits, row.cost, row.roi) for row in tables.daily] == [
        ("douyin", 8500, 1200, 4.5), ("taobao", 12000, 3000, 6.3), ("community", 3200, 800, 15.3)]
    assert {row.date for row in tables.daily} == {datetime.date(2024, 6, 1)}
    assert [row.note for row in tables.daily] == ["", "", "社群消息发送延迟2小时"]
    assert not tables.warnings


def test_daily_table_without_cost_or_orders(tmp_path: Path) -> None:
    row = read(tmp_path, "日期,渠道,访问量,新增用户数,转化订单数,GMV,客单价,渠道成本,ROI\n"
                         "2024/6/2,小红书,50,0,0,0,—,0,—\n").daily[0]
    assert (row.aov, row.roi, row.note) == (None, None, "")


def test_channel_that_only_seeds(tmp_path: Path) -> None:
    head = "渠道,月均UV,转化率,客单价,GMV\n"
    for row in ("小红书,20000,0,,0", "小红书,20000,0%,—,0"):
        assert read(tmp_path, head + row).status == (ChannelStatus("xiaohongshu", "小红书", 20000, 0, 0, 0),)
    for row in ("小红书,20000,2%,,400", "小红书,20000,0,20,400", "小红书,20000,2%,20,0"):
        assert "a channel that sells has all three above 0" in faults(tmp_path, head + row)


def test_both_tables_together(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(DAILY)
    (tmp_path / "b.csv").write_text(ZH)
    tables = read_tables([tmp_path / "a.csv", tmp_path / "b.csv"])
    assert tables.status == BRAND
    assert len(tables.daily) == 3


@pytest.mark.parametrize("as_text", [True, False])
def test_excel_with_title_row_numbers_or_text(tmp_path: Path, as_text: bool) -> None:
    book = Workbook()
    book.create_sheet("notes").append(["nothing", "here"])
    sheet = book.create_sheet("T1")
    sheet.append(["2024 年渠道现状"])
    sheet.append([])
    for row in csv.reader(io.StringIO(ZH)):
        sheet.append([cell if as_text or not cell[0].isdigit() or "万" in cell or "个" in cell else float(cell)
                      for cell in row])
    book.save(tmp_path / "t1.xlsx")
    assert read_tables([tmp_path / "t1.xlsx"]).status == BRAND


def test_gb18030_is_named_and_read(tmp_path: Path) -> None:
    content = ZH.encode("gb18030")
    assert "Add --encoding gb18030" in faults(tmp_path, content)
    assert read(tmp_path, content, encoding="gb18030").status == BRAND
    assert "--encoding utf-16" in faults(tmp_path, ZH.encode("utf-16"))
    assert read(tmp_path, ZH.encode("utf-16"), encoding="utf-16").status == BRAND
    assert read(tmp_path, "\ufeff" + ZH, encoding="gb18030").status == BRAND


@pytest.mark.parametrize("encoding", ["zlib", "no-such", "rot13", "a\0b", ""])
def test_encoding_must_be_one(tmp_path: Path, encoding: str) -> None:
    assert "--encoding" in faults(tmp_path, ZH, encoding=encoding)


def test_all_faults_at_once_with_their_places(tmp_path: Path) -> None:
    text = faults(tmp_path, """\
渠道名称,当前月均UV,转化率,客单价(元),GMV贡献(元)
抖音内容,5O000,2.1,120,126000
淘宝店铺,80000,,150,420000
不存在,20000,8%,180,288000
合计,150000,4%,150,834000
社群,0,8%,180,288000
""")
    assert "t1.csv:2:2: 当前月均UV = '5O000' — must be one number" in text
    assert "t1.csv:2:3: 转化率 = '2.1' — must be a share between 0 and 1, or carry a %. Write 2.1%" in text
    assert "t1.csv:3:3: 转化率 — must not be empty." in text
    assert "t1.csv:4:1: 渠道名称 = '不存在' — must be a channel of the catalogue." in text
    assert "Delete the row with totals." in text
    assert "t1.csv:6:2: 当前月均UV = '0' — must be above 0." in text


def test_missing_and_duplicate_columns(tmp_path: Path) -> None:
    text = faults(tmp_path, "渠道,月均UV,UV,转化率,GMV\n抖音,1,1,2%,3\n")
    assert "t1.csv:1:3: UV = also '月均UV' — two columns give monthly_uv." in text
    assert "column 客单价 = missing among 渠道, 月均UV, UV, 转化率, GMV" in text


def test_unquoted_thousands_are_noticed(tmp_path: Path) -> None:
    assert "Quote figures with commas" in faults(tmp_path, EN.replace("126000", "126,000"))


@pytest.mark.parametrize("content", ["", "\n\n", "a,b\n1,2\n", "渠道名称\n", b"\x00\x00", b"PK\x03\x04nonsense",
                                     b"\xd0\xcf\x11\xe0\xa1\xb1", '渠道,转化率\n"unclosed', "x" * 200_000,
                                     ZH.split("\n")[0]])
def test_hostile_files_are_refused_with_words(tmp_path: Path, content: str | bytes) -> None:
    assert "t1.csv" in faults(tmp_path, content)


def test_missing_file_and_folder(tmp_path: Path) -> None:
    for path in (tmp_path / "none.csv", tmp_path):
        with pytest.raises(UsageError, match="must be a CSV or Excel file"):
            read_tables([path])


def test_unreadable_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: Path) -> bytes:
        raise PermissionError(13, "Permission denied", str(self))
    monkeypatch.setattr(Path, "read_bytes", refuse)
    (tmp_path / "t1.csv").write_text(ZH)
    with pytest.raises(StorageError, match="Permission denied"):
        read_tables([tmp_path / "t1.csv"])


def test_duplicate_rows(tmp_path: Path) -> None:
    text = faults(tmp_path, DAILY + DAILY.splitlines()[1])
    assert "is already in row t1.csv:2. Keep one of the two rows." in text
    assert "is already in row" in faults(tmp_path, EN + "抖音内容,douyin,50000,0.021,120,126000,12.6万,1050\n")
    assert len(read(tmp_path, DAILY + DAILY.split("\n", 1)[1].replace("06-01", "06-02")).daily) == 6


def test_names_of_one_channel_must_agree(tmp_path: Path) -> None:
    assert "must name the same channel" in faults(tmp_path, EN.replace("抖音内容,douyin", "抖音内容,taobao"))


def test_row_that_does_not_add_up_is_named(tmp_path: Path) -> None:
    tables = read(tmp_path, EN.replace("126000", "130000"))
    assert tables.status[0].gmv == 130000
    assert "t1.csv:2: gmv = 130000 — is more than 2 % off monthly_uv · cvr · aov = 126000" in str(tables.warnings[0])
    assert "or gmv is left aside" in str(tables.warnings[0])
    daily = read(tmp_path, DAILY.replace("4.5", "9").replace("5400,120", "5400,150")).warnings
    assert "gmv = 5400" in str(daily[0]) and "gmv is used as it stands, aov is not used" in str(daily[0])
    assert "roi = 9" in str(daily[1]) and "gmv and cost are used as they stand, roi is not used" in str(daily[1])


@pytest.mark.parametrize(("header", "shown", "stored"), [("转化率(%)", "0.0%", 0.035), ("转化率", "0.00%", 0.035),
                                                         ("转化率(%)", '0.0"%"', 3.5), ("转化率(%)", "General", 3.5)])
def test_per_cent_is_read_as_excel_shows_it(tmp_path: Path, header: str, shown: str, stored: float) -> None:
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(["渠道", "月均UV", header, "客单价", "GMV"])
    sheet.append(["淘宝店铺", 80000, stored, 150, 420000])
    sheet["C2"].number_format = shown
    book.save(tmp_path / "t1.xlsx")
    tables = read_tables([tmp_path / "t1.xlsx"])
    assert tables.status == (BRAND[1],) and not tables.warnings
