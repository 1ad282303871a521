"""Numbers changed in a scenario file: the rest of the text stays as it was."""

from __future__ import annotations

from pathlib import Path

import pytest

import omnisim as om
from omnisim.errors import UsageError
from omnisim.scenario.rewrite import rewrite, write_back, write_overlay

BRAND = Path(__file__).parents[1] / "scenarios" / "brand.yaml"


def test_numbers_change_and_comments_stay(tmp_path: Path) -> None:
    file = tmp_path / "brand.yaml"
    file.write_text(BRAND.read_text(encoding="utf-8"), encoding="utf-8")
    values = {"channels.douyin.direct": 0.00123, "calendar.campaigns.0.factor.taobao": 1.4, "community.click": 0.1,
              "calendar.campaigns.0.factor.douyin": 1.3, "channels.xiaohongshu.persuasion": 0.11}
    rewrite(file, values)
    assert om.load(file).hash == om.load(BRAND).with_(values).hash
    old, new = (path.read_text(encoding="utf-8").splitlines() for path in (BRAND, file))
    added = [line for line in new if line.strip() == "persuasion: 0.11"]
    assert len(added) == 1 and len(new) == len(old) + 1
    new.remove(added[0])
    changed = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    assert len(changed) == 3
    assert all(a.partition("#")[2] == b.partition("#")[2] for a, b in changed)
    assert [a.find("#") for a, b in changed if "#" in a] == [b.find("#") for a, b in changed if "#" in b]


def test_a_value_without_a_place_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    (tmp_path / "brand.yaml").write_bytes(BRAND.read_bytes())
    small = tmp_path / "small.yaml"
    small.write_text("extends: brand.yaml\nname: small\n")
    with pytest.raises(UsageError, match=r"channels.douyin.direct = not there"):
        rewrite(small, {"channels.douyin.direct": 0.1})
    assert small.read_text() == "extends: brand.yaml\nname: small\n"


def test_numbers_by_channel_take_the_place_of_one_for_all(tmp_path: Path) -> None:
    file = tmp_path / "brand.yaml"
    file.write_bytes(BRAND.read_bytes())
    factors = {"douyin": 1.3, "taobao": 1.5}
    rewrite(file, {f"calendar.campaigns.1.factor.{name}": value for name, value in factors.items()})
    assert om.load(file).hash == om.load(BRAND).with_({"calendar.campaigns.1.factor": factors}).hash
    old, new = (path.read_text(encoding="utf-8").splitlines() for path in (BRAND, file))
    [(was, now)] = [(a, b) for a, b in zip(old, new, strict=True) if a != b]
    assert "factor: {douyin: 1.3, taobao: 1.5}}" in now and now.partition("#")[2] == was.partition("#")[2]


def test_what_a_file_has_no_place_for_goes_into_an_overlay(tmp_path: Path) -> None:
    file = tmp_path / "brand.yaml"
    file.write_bytes(BRAND.read_bytes())
    start = om.load(file)
    sale = {"name": "sale", "start": "2024-12-01", "end": "2024-12-02", "factor": {"taobao": 1.2}}
    fitted = start.with_({"calendar.campaigns": [*(one.model_dump(mode="json") for one in start.calendar.campaigns),
                                                 sale], "channels.douyin.direct": 0.00123})
    values = {"channels.douyin.direct": 0.00123, "calendar.campaigns.2.factor.taobao": 1.2}
    assert write_back(file, {"channels.douyin.direct": start.channels["douyin"].direct}, start) == file
    written = write_back(file, values, fitted)
    assert written == tmp_path / "brand_fitted.yaml" and om.load(written).hash == fitted.hash
    assert file.read_bytes() == BRAND.read_bytes()


def test_overlay_holds_what_differs_and_no_more(tmp_path: Path) -> None:
    (tmp_path / "brand.yaml").write_bytes(BRAND.read_bytes())
    other = om.load(BRAND).with_({"channels.douyin.click_share": 0.02, "calendar.campaigns.1.factor": 1.5,
                                  "community.click": 0.08})
    write_overlay(tmp_path / "brand_high.yaml", "brand.yaml", other, "if advertising works")
    assert om.load(tmp_path / "brand_high.yaml").hash == other.hash
    text = (tmp_path / "brand_high.yaml").read_text(encoding="utf-8")
    assert text.startswith("# if advertising works\nextends: \"brand.yaml\"\n")
    assert "taobao:" not in text.partition("calendar")[0] and "products" not in text
