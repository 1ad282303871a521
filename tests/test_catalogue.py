"""The catalogue: complete, within its own ranges, and the same as the model's defaults."""

from __future__ import annotations

import re
import statistics

import pytest

from omnisim.scenario import catalogue
from omnisim.scenario.model import Brand, Channel, Community, Membership, Product, Referral, Scenario

NUMBERS = [name for name, field in Channel.model_fields.items() if field.annotation in (int, float)]


def test_twenty_presets_make_channels() -> None:
    assert len(catalogue.presets()) == 20
    for name, preset in catalogue.presets().items():
        channel = Channel(preset=name)
        assert channel.kind == preset.kind
        assert channel.role == preset.role
        assert channel.label
        assert channel.label_zh
    assert not Channel(preset="xiaohongshu").checkout


def test_every_number_of_a_channel_has_a_default_with_unit_range_flag_and_source() -> None:
    assert len(NUMBERS) == 24
    for preset in catalogue.presets():
        for name in NUMBERS:
            entry = catalogue.parameter(preset, name)
            unit = Channel.model_fields[name].json_schema_extra
            assert isinstance(unit, dict)
            assert entry.unit == unit["unit"]
            assert entry.path == f"channels.*.{name}"


def test_entries_are_sound() -> None:
    seen = set()
    for entry in catalogue.parameters():
        assert entry.low <= entry.default <= entry.high, entry
        assert entry.flag in "SDPAC"
        assert entry.source
        assert entry.unit
        assert not re.search(r"https?:|\.txt|seed \d", entry.source)
        assert (entry.preset, entry.name) not in seen
        seen.add((entry.preset, entry.name))
    with pytest.raises(KeyError):
        catalogue.parameter("douyin", "nothing")


def test_what_the_sources_lack_is_the_median_of_its_class() -> None:
    for entry in catalogue.parameters():
        if entry.source.startswith("median of class"):
            kind = catalogue.presets()[entry.preset].kind
            known = [other.default for other in catalogue.parameters()
                     if other.name == entry.name and not other.source.startswith("median of")
                     and catalogue.presets()[other.preset].kind == kind]
            assert entry.flag == "A"
            assert entry.default == pytest.approx(statistics.median(known), rel=1e-5), entry


def test_brand_level_defaults_are_those_of_the_model() -> None:
    channel = Channel(preset="community")
    scenario = Scenario(channels={"groups": channel}, products={"core": Product(price=1, cost=1, share=1)},
                        brand=Brand(new_customers=1), membership=Membership(), referral=Referral(),
                        community=Community(channel="groups"))
    for entry in catalogue.parameters():
        if entry.preset == catalogue.BRAND and entry.path:
            value: object = scenario
            for part in entry.path.split("."):
                value = getattr(value, part)
            assert value == entry.default, entry.path


def test_calibration_reads_what_no_scenario_holds() -> None:
    assert catalogue.parameter("douyin", "visits_per_uv").default == 3.97
    assert catalogue.parameter("vr_platform", "cost_per_visit").flag == "A"
    assert catalogue.parameter("tmall", "deposit").default == 100_000
    assert catalogue.parameter("*", "ad_elasticity_short")[3:6] == (0.12, 0.05, 0.22)


@pytest.mark.parametrize(("text", "preset"), [
    ("抖音内容", "douyin"), ("抖音", "douyin"), ("Douyin", "douyin"), ("抖音直播间", "douyin_live"),
    ("douyin_live", "douyin_live"),
    ("淘宝店铺", "taobao"), ("Taobao official store", "taobao"), ("淘宝直播", "taobao_live"), ("天猫旗舰店", "tmall"),
    ("天猫国际", "tmall_global"), ("小红书", "xiaohongshu"), ("社群", "community"), ("社区团购", "community_groupbuy"),
    ("企业微信", "wecom"), ("微信小程序", "mini_program"), ("品牌官网/APP", "brand_site"),
    ("线下门店/专柜", "offline_store"),
    ("JD.com", "jd"), ("京东", "jd"), ("京东全球购", "jd_worldwide"), ("拼多多", "pinduoduo"), ("快手", "kuaishou"),
    ("亚马逊", "amazon"), ("官方直播间", "official_live"), ("VR购物平台", "vr_platform"), ("ＤＯＵＹＩＮ", "douyin"),
    ("TikTok Shop US", None), ("渠道", None), ("", None), ("抖音和淘宝", None), ("jdx", None),
])
def test_channel_names_of_tables_are_recognised(text: str, preset: str | None) -> None:
    assert catalogue.find_preset(text) == preset
