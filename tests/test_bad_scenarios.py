"""Each bad file beside what is said about it; nothing hostile hangs, crashes or is guessed at."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from omnisim.errors import OmnisimError, ScenarioError
from omnisim.scenario.load import check_file, load

GOOD = """\
name: bad
channels:
  douyin: {preset: douyin, budget: 240}
  taobao: {preset: taobao}
  groups: {preset: community}
products:
  core: {price: 80, cost: 36, share: 1, base_stock: 20000}
brand: {new_customers: 400}
"""


def content(edit: object) -> bytes:
    """A scenario file: bytes as they are, text appended to the good file, a pair replaced in it."""
    if isinstance(edit, bytes):
        return edit
    if isinstance(edit, tuple):
        assert edit[0] in GOOD
        return GOOD.replace(*edit).encode()
    return (GOOD + str(edit)).encode()


def brackets(count: int) -> str:
    return "flows: " + "[" * count + "]" * count


BOMB = "name: &a [1,1]\nb: &b [*a,*a,*a]\nc: [*b,*b,*b,*b]\n"

# name -> (edit, what is said; {here} is the file)
CASES: dict[str, tuple[object, list[str]]] = {
    "duplicate key": ("name: twice", ["{here}:9:1: name — is given twice, first on line 1."]),
    "unknown key": (
        ("budget:", "bugdet:"),
        ["{here}:3:28: channels.douyin.bugdet — is no known key. Did you mean budget?"],
    ),
    "unknown section": ("chanels: {}", ["{here}:9:1: chanels — is no known key. Did you mean channels?"]),
    "a cadence that is none": (
        "policy: {every: weekly}",
        ["{here}:9:17: policy.every = weekly — must be a whole number of days from 1 to 3,660, or never."],
    ),
    "reviews every no days": ("policy: {every: 0}", ["{here}:9:17: policy.every = 0 — must be a whole number of days"]),
    "later section": ("offers: []", ["{here}:9:1: offers — is not in this version of omnisim. Remove the section."]),
    "newer version": (
        "schema_version: 2",
        ["{here}:9:17: schema_version = 2 — needs an omnisim that reads scenario version 2"],
    ),
    "text version": ("schema_version: one", ["{here}:9:17: schema_version = one — must be a whole number."]),
    "boolean version": ("schema_version: true", ["{here}:9:17: schema_version = true — must be a whole number."]),
    "anchor": (
        ("budget: 240", "budget: &x 240"),
        ["{here}:3:36: channels.douyin.budget = &x — anchors are not allowed. Remove it."],
    ),
    "alias": ("supply: *x", ["{here}:9:9: supply = *x — aliases are not allowed. Write the value out."]),
    "alias bomb": (BOMB, ["name — is given twice", "anchors are not allowed", "aliases are not allowed"]),
    "tag": (
        ("240", "!!float 240"),
        ["{here}:3:36: channels.douyin.budget = tag:yaml.org,2002:float — tags are not allowed. Remove it."],
    ),
    "python tag": (("240", "!!python/object/apply:os.system [ls]"), ["tags are not allowed"]),
    "merge key": ("<<: {name: x}", ["{here}:9:1: << — is no known key."]),
    "tab": (("budget: 240", "budget:\t240"), ["{here}:3:35: tab — tabs are not allowed. Use spaces."]),
    "nan": (("240", ".nan"), ["{here}:3:36: channels.douyin.budget = .nan — must be a finite number."]),
    "infinity": (("240", "-.inf"), ["{here}:3:36: channels.douyin.budget = -.inf — must be a finite number."]),
    "1e400": (("240", "1e400"), ["{here}:3:36: channels.douyin.budget = 1e400 — is too large a number."]),
    "many digits": (("240", "9" * 9000), ["is too large a number"]),
    "boolean": (
        ("240", "true"),
        ["channels.douyin.budget = true — must be a number ≥ 0 and ≤ 1,000,000,000 CNY/day. Write a figure"],
    ),
    "yes": (("240", "yes"), ["channels.douyin.budget = yes — must be a number", "yes and no are text in YAML 1.2"]),
    "leading zero": (
        ("240", "010"),
        ["{here}:3:36: channels.douyin.budget = 010 — a number must not start with 0. Write 10, or \"010\""],
    ),
    "underscore": (("240", "1_000"), ["budget = 1_000 — must be a number", "Write 1000 (plain digits"]),
    "sexagesimal": (
        "supply:\n  lead_time: 12:30:00",
        ["supply.lead_time = 12:30:00 — must be a whole number", "Write plain digits"],
    ),
    "comma": (("240", "\"200,000\""), ["budget = 200,000 — must be a number", "Write 200000 (plain"]),
    "percent": (
        ("share: 1", "share: 3.1 %"),
        ["products.core.share = 3.1 % — must be a number", "Write 0.031 (plain"],
    ),
    "wan": (("240", "12.6万"), ["Write 126000 (plain"]),
    "full width": (("240", "１００"), ["budget = １００ — must be a number", "Write 100 (plain"]),
    "quoted": (("240", "\"240\""), ["Write 240 (plain digits, no quotes"]),
    "null": (("240", "null"), ["budget = null — must be a number", "or leave the line out"]),
    "percent as share": (
        ("share: 1,", "share: 21,"),
        ["products.core.share = 21 — must be ≥ 0 and ≤ 1. Write 0.21 for 21 %."],
    ),
    "below zero": (
        ("240", "-500"),
        ["{here}:3:36: channels.douyin.budget = -500 CNY/day — must be ≥ 0", "Write 0 or more."],
    ),
    "half a cent": (
        ("240", "240.125"),
        ["budget = 240.125 CNY/day — must be whole cents: at most two decimals. Write 240.12"],
    ),
    "float for int": (
        "horizon: {days: 1e6}",
        ["horizon.days = 1e6 day — must be a whole number ≥ 1", "Write 1000000."],
    ),
    "fraction for int": ("horizon: {days: 1.5}", ["horizon.days = 1.5 day — must be a whole number"]),
    "no date": ("horizon: {start: 01/06/2024}", ["horizon.start = 01/06/2024 — must be a date, yyyy-mm-dd."]),
    "no day": ("horizon: {start: 2024-02-30}", ["horizon.start = 2024-02-30 — is no day of the calendar."]),
    "far date": ("horizon: {start: 9999-12-31}", ["must lie between 1970-01-01 and 2200-12-31"]),
    "yes for boolean": (("preset: taobao", "preset: taobao, active: yes"), ["active = yes — must be true or false."]),
    "number for text": (("name: bad", "name: 618"), ["name = 618 — must be text. Put it in quotes: \"618\"."]),
    "text with bell": (("name: bad", "name: \"a\\ab\""), ["name = a\\u0007b — must be one line of plain text"]),
    "upper-case name": (("  taobao:", "  Taobao:"), ["{here}:4:3: channels.Taobao — must start with a small letter"]),
    "unknown preset": (
        ("preset: taobao", "preset: taobo"),
        ["channels.taobao.preset = taobo — is no preset of the catalogue. Did you mean taobao?"],
    ),
    "no preset": (
        ("preset: taobao", "label: x"),
        ["{here}:4:3: channels.taobao.reach — is missing. Add reach, or a preset"],
    ),
    "bad choice": (
        ("preset: taobao", "preset: taobao, kind: market"),
        ["kind = market — must be one of content, marketplace", "Did you mean marketplace?"],
    ),
    "missing section": (("brand: {new_customers: 400}", ""), ["{here}:1:1: brand — is missing. Add a line brand: …"]),
    "list for mapping": ("supply: [1]", ["{here}:9:9: supply = a list of 1 — must be a mapping of keys to values."]),
    "mapping for list": ("flows: {a: 1}", ["flows = a mapping — must be a list."]),
    "mapping for number": (("240", "{a: 1}"), ["budget = a mapping — must be a number"]),
    "boolean age": (
        "population: {segments: [{name: a, share: 1, age: [true, 30]}]}",
        ["segments.0.age.0 = true — must be a whole"],
    ),
    "list key": ("? [a, b]\n: 1", ["key = a list, mapping or alias — a key must be plain text."]),
    "two documents": ("---\nname: b", ["{here}:9:1: document = a second one — a file holds one document."]),
    "directive": (b"%YAML 1.1\n---\nname: x\n", ["directive = %YAML or %TAG"]),
    "empty": (b"", ["{here}: file = nothing — must hold a mapping of keys to values."]),
    "comments only": (b"# nothing\n", ["file = nothing"]),
    "a list": (b"- a\n- b\n", ["{here}:1:1: file = a list of 2 — must be a mapping of keys to values."]),
    "a scalar": (b"hello\n", ["file = hello — must be a mapping"]),
    "unclosed quote": ("currency: \"CNY", ["YAML — cannot be read: "]),
    "indentation": ("supply:\n    lead_time: 3\n  moq: 1", ["{here}:11:3: YAML — cannot be read: "]),
    "gbk": (
        GOOD.replace("bad", "品牌").encode("gb18030"),
        ["{here}:1:8: encoding = byte 0xc5 — must be UTF-8. ", "GBK"],
    ),
    "utf-16": (GOOD.encode("utf-16"), ["encoding = UTF-16 or UTF-32 — must be UTF-8."]),
    "utf-32": (GOOD.encode("utf-32-be"), ["encoding = UTF-16 or UTF-32 — must be UTF-8."]),
    "nul": (b"name: a\0b\n", ["{here}:1:8: character = U+0000 — cannot be seen"]),
    "line separator": ("supply: {}\u2028", ["{here}:9:11: character = U+2028"]),
    "lone return": (b"name: x\rcurrency: CNY\n", ["character = U+000D"]),
    "over 1 MB": ("# " + "x" * 1_000_000, ["size = over 1,000,000 bytes — must be at most 1 MB."]),
    "deep": (brackets(10_000), ["{here}:9:39: nesting = over 32 levels — must be at most 32 deep."]),
    "unclosed deep": ("flows: " + "[" * 10_000, ["nesting = over 32 levels"]),
    "deep block": ("flows: \n" + "".join(f"{' ' * k}-\n" for k in range(40)), ["nesting = over 32 levels"]),
    "200,000 keys": ("\n".join(f"k{k}: " for k in range(100_000)), ["size = over 50,000 values"]),
    "many unknown keys": ("\n".join(f"k{k}:" for k in range(20_000)), ["k0 — is no known key."]),
    "long key": ("? " + "k" * 100_000 + "\n: 1", ["kkk… — is no known key"]),
    "key of escapes": ('"\\e[31m": 1', ["{here}:9:1: \\u001b[31m — is no known key."]),
    "segment shares": (
        "population: {segments: [{name: a, share: 0.5}, {name: b, share: 0.4}]}",
        ["{here}:9:24: population.segments = shares that sum to 0.9 — shares must sum to 1. Raise them by 0.1"],
    ),
    "product shares": (("share: 1", "share: 0.9"), ["{here}:7:3: products = shares that sum to 0.9"]),
    "twice the segment": (
        "population: {segments: [{name: a, share: 0.5}, {name: a, share: 0.5}]}",
        ["given to two segments"],
    ),
    "one age": (
        "population: {segments: [{name: a, share: 1, age: [18]}]}",
        ["segments.0.age = a list of 1 — must have at least 2"],
    ),
    "three ages": (
        "population: {segments: [{name: a, share: 1, age: [1, 2, 3]}]}",
        ["segments.0.age = a list of 3 — must have at most 2"],
    ),
    "six weekdays": (
        "calendar: {weekday: [1, 1, 1, 1, 1, 1]}",
        ["weekday = a list of 6 — must have at least 7 entries."],
    ),
    "age order": (
        "population: {segments: [{name: a, share: 1, age: [35, 18]}]}",
        ["must give the youngest age first"],
    ),
    "uses": ("population: {segments: [{name: a, share: 1, uses: {duoyin: 0.5}}]}", ["Did you mean douyin?"]),
    "uses above one": (
        "population: {segments: [{name: a, share: 1, uses: {douyin: 50}}]}",
        ["uses.douyin = 50 — must be ≥ 0 and ≤ 1. Write 0.5"],
    ),
    "flow from nowhere": (
        "flows: [{source: duoyin, target: taobao, kind: link, rate: 0.1}]",
        ["{here}:9:18: flows.0.source = duoyin — is no channel of this scenario. Did you mean douyin?"],
    ),
    "flow to itself": (
        "flows: [{source: douyin, target: douyin, kind: link, rate: 0.1}]",
        ["must differ from the source"],
    ),
    "code flow": ("flows: [{source: douyin, target: groups, kind: code, rate: 0.1}]", ["Add a community section."]),
    "enrol flow": (
        "flows: [{source: douyin, target: groups, kind: enrol, rate: 0.1}]",
        ["an enrol flow leads to membership", "needs a membership section"],
    ),
    "same flow twice": (
        "flows:\n" + "  - {source: douyin, target: taobao, kind: link, rate: 0.1}\n" * 2,
        ["is a second link flow"],
    ),
    "community channel": (
        "community: {channel: group}",
        ["community.channel = group — is no channel", "Did you mean groups?"],
    ),
    "seats": (
        "community: {channel: groups, seats: 5, members: 6}",
        ["community.members = 6 seats — must be at most 5."],
    ),
    "explosive": (
        "referral: {share_rate: 0.5, invitations: 6, acceptance: 0.5}",
        ["{here}:9:11: referral = K of 1.5"],
    ),
    "campaign backwards": (
        "calendar: {campaigns: [{name: x, start: 2024-06-02, end: 2024-06-01}]}",
        ["must not be before the start"],
    ),
    "campaign channel": (
        "calendar: {campaigns: [{name: x, start: 2024-06-01, end: 2024-06-01, factor: {douyn: 2}}]}",
        ["campaigns.0.factor.douyn = douyn — is no channel"],
    ),
    "campaign factor": (
        "calendar: {campaigns: [{name: x, start: 2024-06-01, end: 2024-06-01, factor: {douyin: -2}}]}",
        ["campaigns.0.factor.douyin = -2 — must be ≥ 0 and ≤ 100."],
    ),
    "scaled stock": ("population: {scale: 10}", ["population.scale = 10 people — needs supply.unlimited"]),
    "scaled desk": (
        "population: {scale: 10}\nsupply: {unlimited: true}\nservice: {capacity: 10}",
        ["needs service.capacity null"],
    ),
    "order value": (
        ("price: 80", "price: 130"),
        ["{here}:3:3: channels.douyin.order_value = 120.00 CNY/order — must be at least"],
    ),
    "budget without reach": (
        ("budget: 240", "budget: 240, reach: 0"),
        ["buys nothing: nobody uses the channel (reach 0)"],
    ),
    "search without searches": (("budget: 240", "budget: 240, search_share: 1, search: 0"), ["nobody searches here"]),
    "extends nothing": ("extends: nothing.yaml", ["{here}:9:10: file = nothing.yaml — does not exist."]),
    "extends above": (
        "extends: ../other.yaml",
        ["{here}:9:10: extends = ../other.yaml — must stay inside the scenario's folder."],
    ),
    "extends absolute": ("extends: /etc/hostname", ["must stay inside the scenario's folder"]),
    "extends device": ("extends: /dev/zero", ["must stay inside the scenario's folder"]),
    "extends itself": ("extends: here.yaml", ["must not lead back to itself"]),
    "extends a number": ("extends: 5", ["extends = 5 — must be the name of a file beside this one"]),
    "extends an address": (
        "extends: https://example.org/x.yaml",
        ["file = https://example.org/x.yaml — does not exist"],
    ),
    "extends nul": ("extends: \"a\\0b\"", ["must be the name of a file beside this one"]),
}


@pytest.mark.parametrize("name", CASES)
def test_bad_file_is_refused_with_place_and_cure(name: str, tmp_path: Path) -> None:
    edit, expected = CASES[name]
    here = tmp_path / "here.yaml"
    here.write_bytes(content(edit))
    start = time.perf_counter()
    faults, warnings = check_file(here)
    assert time.perf_counter() - start < 2
    said = "\n".join(map(str, faults))
    for part in expected:
        assert part.format(here=here) in said, said
    assert not warnings
    assert all(fault.where.startswith(str(here)) for fault in faults)


def test_all_faults_come_at_once(tmp_path: Path) -> None:
    here = tmp_path / "here.yaml"
    here.write_text(GOOD.replace("240", "-1").replace("share: 1", "share: 0.9, name: x")+ "horizon: {days: 1_000}\n"
                    + "name: again\noffers: []\n")
    faults, _ = check_file(here)
    assert [fault.what for fault in faults] == ["channels.douyin.budget", "products", "products.core.name",
                                                "horizon.days", "name", "offers"]
    with pytest.raises(ScenarioError) as caught:
        load(here)
    assert list(caught.value.faults) == faults


def test_no_active_channel(tmp_path: Path) -> None:
    here = tmp_path / "here.yaml"
    here.write_text(GOOD.replace("{preset", "{active: false, preset"))
    faults, _ = check_file(here)
    assert "must hold at least one active channel" in str(faults[0])


def test_flow_to_an_inactive_channel_sleeps(tmp_path: Path) -> None:
    here = tmp_path / "here.yaml"
    here.write_text(GOOD.replace("{preset: taobao", "{active: false, preset: taobao")
                    + "flows: [{source: douyin, target: taobao, kind: link, rate: 0.1}]\n")
    faults, _ = check_file(here)
    assert not faults


PATHS = ["/dev/zero", "/dev/null", "/", "missing.yaml", "a\0b", "x" * 5000, "missing/dir.yaml"]


@pytest.mark.parametrize("path", PATHS)
def test_what_is_no_file_is_refused(path: str) -> None:
    start = time.perf_counter()
    with pytest.raises(OmnisimError):
        load(path)
    assert time.perf_counter() - start < 1


def test_pipe_does_not_hang(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ScenarioError, match="must be a regular file"):
        load(tmp_path / "pipe")
    (tmp_path / "here.yaml").write_text(GOOD + "extends: pipe\n")
    with pytest.raises(ScenarioError, match="must be a regular file"):
        load(tmp_path / "here.yaml")


def test_links_do_not_lead_out(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    (tmp_path / "base.yaml").write_text(GOOD)
    (inside / "link.yaml").symlink_to(tmp_path / "base.yaml")
    (inside / "folder").symlink_to(tmp_path)
    for name in ("link.yaml", "folder/base.yaml"):
        (inside / "here.yaml").write_text(f"extends: {name}\n")
        with pytest.raises(ScenarioError, match="must stay inside the scenario's folder"):
            load(inside / "here.yaml")


def test_cycle_and_long_chain(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("extends: b.yaml\n")
    (tmp_path / "b.yaml").write_text("extends: a.yaml\n")
    with pytest.raises(ScenarioError, match="must not lead back to itself"):
        load(tmp_path / "a.yaml")
    for k in range(20):
        (tmp_path / f"c{k}.yaml").write_text(f"extends: c{k + 1}.yaml\n")
    with pytest.raises(ScenarioError, match="at most 8 files may extend one another"):
        load(tmp_path / "c0.yaml")


def test_faults_point_into_the_file_the_value_came_from(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(GOOD.replace("240", "-1"))
    (tmp_path / "here.yaml").write_text("extends: base.yaml\nsupply: {moq: -1}\n")
    faults, _ = check_file(tmp_path / "here.yaml")
    assert [fault.where for fault in faults] == [f"{tmp_path}/base.yaml:3:36", f"{tmp_path}/here.yaml:2:15"]
