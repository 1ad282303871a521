"""Transaction logs: what is understood, what is refused with its row, what is put together or left out."""

from __future__ import annotations

import datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from omnisim.errors import UsageError
from omnisim.study.purchases.transaction_log import read_log


def write(path: Path, *lines: str, encoding: str = "utf-8") -> Path:
    path.write_text("\n".join(lines) + "\n", encoding=encoding)
    return path


def frame(**columns: object) -> pd.DataFrame:
    return pd.DataFrame(columns)


def test_chinese_headers_units_and_times(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "订单流水,,", "买家ID,付款时间,实付金额(元)",
                 '张三,2024-06-01 13:45:22,"1,050"', "李四,2024年6月3日,¥99.5", "张三,2024/6/11 8:05,12.6",
                 encoding="gb18030")
    log = read_log(path, encoding="gb18030")
    assert log is not None
    assert log.start == datetime.date(2024, 6, 1)
    people = {log.customers[who]: list(log.day[log.customer == who]) for who in set(log.customer.tolist())}
    assert people == {"张三": [0, 10], "李四": [2]}
    assert log.value is not None and log.value.sum() == pytest.approx(1050 + 99.5 + 12.6)
    assert not log.warnings


def test_workbooks_frames_and_files_say_the_same(tmp_path: Path) -> None:
    dates = pd.to_datetime(["2024-06-01", "2024-06-02", "2024-06-09"])
    table = frame(customer_id=[7, 8, 7], date=dates, amount=[10, 20.5, 30])
    table.to_excel(tmp_path / "log.xlsx", index=False)
    table.to_csv(tmp_path / "log.csv", index=False)
    logs = [read_log(source) for source in (table, tmp_path / "log.xlsx", tmp_path / "log.csv")]
    for log in logs:
        assert log is not None and log.customers == ("7", "8")
        assert log.day.tolist() == [0, 8, 1] and log.value is not None and log.value.tolist() == [10, 30, 20.5]


def test_other_tables_are_not_logs(tmp_path: Path) -> None:
    status = Path(__file__).parents[1] / "scenarios" / "brand_status.csv"
    assert read_log(status) is None
    assert read_log(write(tmp_path / "t3.csv", "日期,渠道名称,访问量", "2024-06-01,淘宝,1")) is None
    assert read_log(frame(a=[1], b=[2])) is None


def test_every_fault_is_named_with_its_row(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "customer,date,value", "a,2024-06-01,5", "b,6/1/2024,5", ",2024-06-02,5",
                 "c,2024-06-02,-8", "d,2024-06-02,many", "e,,5", "", "f,2024-13-01,1,5")
    with pytest.raises(UsageError) as caught:
        read_log(path)
    assert [fault.where for fault in caught.value.faults] == [f"{path}:9:4"]  # nothing can be read beside wrong columns
    path.write_text(path.read_text().replace("f,2024-13-01,1,5", "f,2024-13-01,1"))
    with pytest.raises(UsageError) as caught:
        read_log(path)
    found = {fault.where.removeprefix(f"{path}:"): str(fault) for fault in caught.value.faults}
    assert set(found) == {"3:2", "4:1", "5:3", "6:3", "7:2", "9:2"}
    assert "year first" in found["3:2"] and "refunds" in found["5:3"] and "'many'" in found["6:3"]
    assert "customer is not known" in found["4:1"]


def test_thousands_of_faults_are_counted(tmp_path: Path) -> None:
    path = write(tmp_path / "log.csv", "customer,date", *(f"c{n},06-01-2024" for n in range(2_500)))
    with pytest.raises(UsageError) as caught:
        read_log(path)
    assert len(caught.value.faults) == 1_001 and "1,500 more" in str(caught.value.faults[-1])


def test_two_columns_for_one_thing_are_refused() -> None:
    with pytest.raises(UsageError, match="two columns give date"):
        read_log(frame(customer=["a"], date=["2024-06-01"], order_date=["2024-06-01"]))


def test_rows_of_an_order_are_put_together() -> None:
    days = ["2024-06-01", "2024-06-01", "2024-06-05", "2024-06-05"]
    log = read_log(frame(customer=["a"] * 4, date=days, value=[1.0, 2.0, 4.0, 8.0]))
    assert log is not None and log.day.tolist() == [0, 4]
    assert log.value is not None and log.value.tolist() == [3.0, 12.0]
    assert "2 of 4" in str(log.warnings[0])
    log = read_log(frame(customer=["a"] * 4, date=days, value=[1.0, 2.0, 4.0, 8.0], order_id=["x", "x", "y", "z"]))
    assert log is not None and log.day.tolist() == [0, 4, 4] and not log.warnings
    log = read_log(frame(customer=["a"] * 4, date=days, number=[1, 1, 2, 3]))
    assert log is not None and log.day.tolist() == [0, 4, 4] and not log.warnings


def test_a_line_that_was_sent_later_belongs_to_its_order() -> None:
    """Order number and ordinal agree; a number alone may be given anew each day."""
    days = ["2024-06-01", "2024-06-05", "2024-06-05", "2024-06-05"]
    given = {"customer": ["a", "a", "a", "b"], "date": days, "value": [1.0, 2.0, 4.0, 8.0]}
    log = read_log(frame(**given, order_id=["x", "x", "y", "x"], number=[1, 1, 2, 1]))
    assert log is not None and log.day.tolist() == [0, 4, 4] and log.customer.tolist() == [0, 0, 1]
    assert log.value is not None and log.value.tolist() == [3.0, 4.0, 8.0]
    log = read_log(frame(**given, order_id=["x", "x", "y", "x"]))
    assert log is not None and log.day.tolist() == [0, 4, 4, 4]


def test_customers_of_before_the_log_are_left_out() -> None:
    dates = ["2024-06-01", "2024-06-09", "2024-06-02", "2024-06-20", "2024-07-20"]
    log = read_log(frame(consumer=[1, 1, 2, 2, 2], date=dates, number=[4, 5, 1, 2, 1], price=[10.0] * 5,
                         quantity=[2] * 5))
    assert log is not None
    # consumer 2 left the market and a newcomer took the number: two customers
    assert log.customers == ("2", "2") and log.day.tolist() == [0, 18, 48]
    assert log.start == datetime.date(2024, 6, 2)
    assert log.value is not None and log.value.tolist() == [20.0] * 3
    assert "1 — came before the log begins" in str(log.warnings[0])


def test_a_log_that_begins_late_is_noticed() -> None:
    luck = np.random.default_rng(1)
    customer = luck.integers(0, 3_000, 20_000)
    date = np.datetime64("2024-01-01") + luck.integers(0, 400, 20_000).astype("timedelta64[D]")
    log = read_log(frame(customer=customer, date=date))
    assert log is not None and any("begins after the brand did" in str(note) for note in log.warnings)


def test_an_empty_log_is_refused() -> None:
    with pytest.raises(UsageError, match="rows = none"):
        read_log(frame(customer=[], date=[]))


@pytest.mark.parametrize("other", [["customer", "date", "value"], ["渠道名称", "当前月均UV", "转化率", "GMV贡献(元)"],
                                   ["日期", "渠道", "访问量", "转化订单数"]])
def test_a_log_stands_alone_in_its_workbook(tmp_path: Path, other: list[str]) -> None:
    path = tmp_path / "all.xlsx"
    with pd.ExcelWriter(path) as book:
        frame(customer=["a"], date=["2024-06-01"], value=[5]).to_excel(book, sheet_name="log2023", index=False)
        frame(what=["notes"], date=["2024-06-01"]).to_excel(book, sheet_name="notes", index=False)
    log = read_log(path)
    assert log is not None and log.customers == ("a",)
    with pd.ExcelWriter(path, mode="a") as book:
        pd.DataFrame([["a"] * len(other)], columns=other).to_excel(book, sheet_name="second", index=False)
    with pytest.raises(UsageError, match="a transaction log must be the only table of its workbook") as caught:
        read_log(path)
    assert f"sheets = {path}[log2023], {path}[second] —" in str(caught.value)
