"""Scenarios: reading, overlays, changes, saving, warnings, schema, starter."""

from __future__ import annotations

import datetime
import os
import stat
import time
from pathlib import Path

import numpy as np
import pytest

from omnisim.errors import ScenarioError, StorageError, UsageError
from omnisim.scenario import starter
from omnisim.scenario.load import check_file, from_mapping, load, read_model
from omnisim.scenario.migrate import MIGRATIONS
from omnisim.scenario.model import Horizon, Scenario
from omnisim.scenario.schema import schema
from omnisim.scenario.text import Node, read_value
from omnisim.scenario.warn import estimate, warnings

TEXT = """\
name: 小样 brand
channels:
  douyin: {preset: douyin, budget: 240}
  taobao: {preset: taobao, label: Shelf}
  groups: {preset: community}
products:
  core: {price: 80, cost: 36, share: 0.7, base_stock: 20000}
  gift: {price: 160, cost: 80, share: 0.3, base_stock: 20000}
calendar:
  campaigns: [{name: "618", start: 2024-06-01, end: 2024-06-20, factor: {douyin: 1.3}}]
community: {channel: groups, members: 300}
brand: {new_customers: 400}
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "brand.yaml"
    file.write_text(TEXT, encoding="utf-8")
    return file


@pytest.fixture
def scenario(path: Path) -> Scenario:
    return load(path)


def refusal(scenario: Scenario, changes: dict[str, object]) -> str:
    with pytest.raises(ScenarioError) as caught:
        scenario.with_(changes)
    return str(caught.value)


def test_preset_fills_what_is_left_out(scenario: Scenario) -> None:
    assert scenario.channels["douyin"].budget == 240
    assert scenario.channels["douyin"].cpm == 30
    assert scenario.channels["taobao"].label == "Shelf"
    assert scenario.channels["taobao"].label_zh == "淘宝"
    assert scenario.channels["groups"].kind == "private"
    assert scenario.calendar.campaigns[0].start == datetime.date(2024, 6, 1)


@pytest.mark.parametrize("prefix", [b"", b"\xef\xbb\xbf", b"%YAML 1.2\n---\n"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_byte_order_mark_and_line_ends_do_not_matter(prefix: bytes, line_end: str, path: Path,
                                                         scenario: Scenario) -> None:
    path.write_bytes(prefix + TEXT.replace("\n", line_end).encode())
    assert load(path).hash == scenario.hash


def test_hash_is_over_content(path: Path, scenario: Scenario) -> None:
    lines = TEXT.splitlines()
    path.write_text("\n".join(["# a comment", *lines[5:], *lines[:5]]) + "\n", encoding="utf-8")
    assert load(path).hash == scenario.hash
    assert scenario.with_({"channels.douyin.budget": 241}).hash != scenario.hash
    assert scenario.with_({"horizon.days": 365, "channels.douyin.budget": 240.0}).hash == scenario.hash
    assert len(scenario.hash) == 64


def test_save_and_load_round_trip(tmp_path: Path, scenario: Scenario) -> None:
    odd = scenario.with_({"name": "yes: 'no' # \"null\" 0x1F\\", "channels.douyin.label_zh": "抖音 \U0001f600",
                          "channels.taobao.label": "1e5", "channels.groups.direct": 1.25e-7,
                          "population.segments.0.interests": ["null", "护肤", "a, b"]})
    for one in (scenario, odd):
        one.save(tmp_path / "saved.yaml")
        again = load(tmp_path / "saved.yaml")
        assert again == one
        assert again.hash == one.hash
        assert from_mapping(one.to_dict()) == one
    assert "抖音" in (tmp_path / "saved.yaml").read_text(encoding="utf-8")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["brand.yaml", "saved.yaml"]


def test_save_reports_what_the_system_refuses(tmp_path: Path, scenario: Scenario) -> None:
    with pytest.raises(StorageError, match="cannot be written"):
        scenario.save(tmp_path / "missing" / "saved.yaml")


def test_overlay_merges_mappings_and_replaces_lists(tmp_path: Path, path: Path, scenario: Scenario) -> None:
    (tmp_path / "more.yaml").write_text("extends: brand.yaml\nchannels: {douyin: {budget: 480}}\ncommunity: null\n"
                                        "calendar: {campaigns: []}\n")
    more = load(tmp_path / "more.yaml")
    assert more.channels["douyin"].budget == 480
    assert list(more.channels) == list(scenario.channels)
    assert more.calendar.campaigns == ()
    assert more.community is None
    assert check_file(tmp_path / "more.yaml")[0] == []
    (tmp_path / "list.yaml").write_text("- 1\n")
    (tmp_path / "most.yaml").write_text("extends: list.yaml\n")
    with pytest.raises(ScenarioError, match=r"list\.yaml:1:1: file = a list of 1 — must be a mapping"):
        load(tmp_path / "most.yaml")
    (tmp_path / "most.yaml").write_text("extends: more.yaml\nhorizon: {days: 30}\n")
    assert load(tmp_path / "most.yaml") == more.with_({"horizon.days": 30})


def test_changes_are_applied_and_checked(path: Path, scenario: Scenario) -> None:
    changed = scenario.with_({"channels.douyin.budget": np.float64(2000), "products.core.price": 70.5,
                              "population.segments.0.spend": 2, "horizon.start": datetime.date(2025, 1, 1),
                              "population.size": np.int64(5000), "calendar.campaigns.0.factor.taobao": 1.1,
                              "referral": {"reward": 5}})
    assert changed.channels["douyin"].budget == 2000
    assert type(changed.channels["douyin"].budget) is float
    assert changed.population.size == 5000
    assert changed.horizon.start.year == 2025
    assert changed.referral is not None
    assert changed.referral.reward == 5
    assert scenario.channels["douyin"].budget == 240
    assert load(path, changes={"channels.douyin.budget": 5}) == scenario.with_({"channels.douyin.budget": 5})
    assert scenario.with_({}) == scenario
    assert scenario.with_({"channels.douyin.budget": 3000 * 1.1}).channels["douyin"].budget == 3300


def test_all_wrong_changes_are_named_at_once(scenario: Scenario) -> None:
    said = refusal(scenario, {"channels.duoyin.budget": 1, "population.segments.3.share": 1, "products.core.prize": 1,
                              "channels.taobao.budget": -5, "service.lift": True, "referral.reward": 1, "": 1})
    for part in ["changes: channels.duoyin.budget — 'duoyin' is not there. Did you mean douyin?",
                 "population.segments.3.share — '3' is no index of a list of 1",
                 "products.core.prize — is no known key. Did you mean price?",
                 "changes: channels.taobao.budget = -5 CNY/day — must be ≥ 0", "service.lift = true — must be a number",
                 "referral.reward — there is nothing to hold 'reward'"]:
        assert part in said, said


def test_changes_that_overlap_or_contradict_are_refused(scenario: Scenario) -> None:
    said = refusal(scenario, {"channels.douyin": {"preset": "douyin"}, "channels.douyin.budget": 5})
    assert "channels.douyin.budget — lies inside channels.douyin" in said
    assert "shares that sum to 1.2" in refusal(scenario, {"products.core.share": 0.9})
    deep: list[object] = []
    deep.append(deep)
    assert "must be at most 32 deep" in refusal(scenario, {"flows": deep})
    assert "must be text" in refusal(scenario, {"name": b"bytes"})
    assert "must be a number" in refusal(scenario, {"channels.douyin.budget": object()})


def test_a_new_preset_replaces_the_values_of_the_old(scenario: Scenario, tmp_path: Path) -> None:
    for one in (scenario, from_mapping(scenario.to_dict())):
        changed = one.with_({"channels.douyin.cpc": 9, "channels.douyin.preset": "taobao"}).channels["douyin"]
        assert (changed.cpm, changed.cpc, changed.budget, changed.label) == (50, 9, 240, "Taobao")


def test_a_scenario_is_frozen(scenario: Scenario) -> None:
    with pytest.raises(ValueError, match="frozen"):
        scenario.name = "other"


def test_starter_loads_without_a_warning(tmp_path: Path) -> None:
    paths = starter.write(tmp_path / "new")
    assert starter.write(tmp_path / "new") == paths
    for path in paths:
        assert check_file(path) == ([], [])
    base, more = map(load, paths)
    assert len(base.channels) == 4
    assert more == base.with_({"name": "more budget", "channels.douyin.budget": 480})
    assert stat.S_IMODE(os.stat(paths[0]).st_mode) == 0o644


def test_starter_refuses_a_directory_in_use(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("x")
    with pytest.raises(UsageError, match=r"holds something else already \(mine\.txt\)"):
        starter.write(tmp_path)
    with pytest.raises(StorageError, match="cannot be used"):
        starter.write(tmp_path / "mine.txt")


@pytest.mark.parametrize(("changes", "what", "part"), [
    ({"horizon.warm_up": 100}, "horizon.warm_up", "below 210 traffic has not settled"),
    ({"horizon.warm_up": 30}, "horizon.warm_up", "the window baseline is the last 90 days"),
    ({"population.size": 20_000}, "population.size", "vary by about 12% from luck alone"),
    ({"population.size": 20_000, "brand.new_customers": 2000}, "population.size", "those of a larger market"),
    ({"population.size": 200_000_000}, "population.size", "minutes"),
    ({"referral": {"share_rate": 0.5, "invitations": 6, "acceptance": 0.3}}, "referral",
     "multiplies customers by 10.0"),
    ({"products.core.base_stock": 10}, "products.core.base_stock", "customers will want about"),
    ({"horizon.start": "2026-01-01"}, "calendar.campaigns.0", "lies outside the simulated days"),
    ({"channels.douyin.checkout": False, "channels.taobao.checkout": False, "channels.groups.checkout": False},
     "channels", "nothing can be sold"),
])
def test_warnings(changes: dict[str, object], what: str, part: str, scenario: Scenario, tmp_path: Path) -> None:
    scenario.with_(changes).save(tmp_path / "doubtful.yaml")
    faults, warnings = check_file(tmp_path / "doubtful.yaml")
    assert not faults
    found = [warning for warning in warnings if warning.what == what and part in warning.rule]
    assert found, warnings
    assert found[0].where.startswith(f"{tmp_path}/doubtful.yaml:")


def test_estimate_grows_with_consumers(scenario: Scenario) -> None:
    memory, seconds = estimate(scenario)
    twice = estimate(scenario.with_({"population.size": 2_000_000}))
    assert memory / scenario.population.size == 70 + 4 * 3
    assert twice == pytest.approx((2 * memory, 2 * seconds))


def test_assumptions_name_value_range_flag_and_source(scenario: Scenario) -> None:
    found = {entry.path: entry for entry in scenario.assumptions()}
    assert found["channels.douyin.cpm"].flag == "P"
    assert found["channels.douyin.cpm"].unit == "CNY/1000 impressions"
    assert "channels.douyin.budget" not in found
    assert found["brand.interest.half_life_long"].value == 21
    assert "referral.share_rate" not in found
    assert "channels.douyin.cpm" not in {a.path for a in scenario.with_({"channels.douyin.cpm": 31}).assumptions()}


def test_schema_describes_every_field_with_its_unit() -> None:
    described = schema()
    for part in [described, *described["$defs"].values()]:
        for name, entry in part.get("properties", {}).items():
            assert entry.get("description"), name
    assert described["$defs"]["Channel"]["properties"]["budget"]["description"].endswith("[currency/day]")
    assert described["$defs"]["Product"]["properties"]["price"]["exclusiveMinimum"] == 0


def test_read_model_is_as_strict(tmp_path: Path) -> None:
    (tmp_path / "horizon.yaml").write_text("start: 2024-06-01\ndays: 10\n")
    assert read_model(tmp_path / "horizon.yaml", Horizon).days == 10
    (tmp_path / "horizon.yaml").write_text("dais: 10\n")
    with pytest.raises(ScenarioError, match=r"dais — is no known key\. Did you mean days\?"):
        read_model(tmp_path / "horizon.yaml", Horizon)


def test_read_value_follows_the_rules_of_files() -> None:
    assert [read_value(text) for text in ["5", "1e3", "true", "yes", "[1, 2]", "抖音", "", "{a: 1}"]] == [
        5, 1000.0, True, "yes", [1, 2], "抖音", None, {"a": 1}]
    for text in ["010", "&a 5", "[1", "\ud800"]:
        with pytest.raises(ScenarioError):
            read_value(text)


def test_older_files_are_migrated(path: Path, scenario: Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    def rename(root: Node) -> None:
        root.value["name"] = root.value.pop("title")

    monkeypatch.setitem(MIGRATIONS, 0, rename)
    path.write_text(TEXT.replace("name: 小样", "schema_version: 0\ntitle: 小样"), encoding="utf-8")
    assert load(path) == scenario


def test_50_kilobytes_are_checked_in_time(tmp_path: Path, scenario: Scenario) -> None:
    many = {f"c{k}": {"preset": "douyin", "budget": k} for k in range(27)}
    scenario.with_({"channels": {**scenario.to_dict()["channels"], **many}}).save(tmp_path / "a.yaml")
    flows = "\n".join(f"  - {{source: c{k}, target: c{j}, kind: link, rate: 0.001}}  # a remark about this flow"
                      for k in range(14) for j in range(14) if k != j)
    text = (tmp_path / "a.yaml").read_text(encoding="utf-8").replace("flows: []", f"flows:\n{flows}")
    text += "# " + "-" * max(0, 50_000 - len(text.encode()))
    (tmp_path / "a.yaml").write_text(text, encoding="utf-8")
    assert len(text.encode()) >= 50_000
    seconds = []
    for _ in range(3):
        start = time.perf_counter()
        faults, _ = check_file(tmp_path / "a.yaml")
        seconds.append(time.perf_counter() - start)
        assert not faults
    assert min(seconds) < 0.3


def test_doubtful_prices_clicks_and_budgets_are_named(tmp_path: Path) -> None:
    starter.write(tmp_path / "new")
    good = load(tmp_path / "new" / "scenario.yaml")
    assert not [note for note in warnings(good) if note.what.startswith(("products", "channels"))]
    bad = good.with_({"products.core.cost": 90.0, "channels.douyin.click_share": 0.3,
                      "channels.douyin.budget": 120_000.0})
    assert {note.what for note in warnings(bad)} >= {"products.core.cost", "channels.douyin.click_share",
                                                     "channels.douyin.budget"}
