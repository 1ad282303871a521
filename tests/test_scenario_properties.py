"""Properties of the reader: any bytes give a scenario or located faults; both parsers agree; saving loses nothing."""

from __future__ import annotations

import math
import sys
import time
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from omnisim.errors import ScenarioError
from omnisim.scenario.load import from_mapping
from omnisim.scenario.model import Scenario
from omnisim.scenario.scalars import resolve
from omnisim.scenario.text import parse
from omnisim.scenario.validate import validate
from omnisim.scenario.write import digest, to_yaml

SEED = b"""name: x
channels: {douyin: {preset: douyin, budget: 240}, taobao: {preset: taobao}}
flows:
  - {source: douyin, target: taobao, kind: link, rate: 0.05}
population: {segments: [{name: a, share: 0.5, age: [18, 35]}, {name: b, share: 0.5}]}
products: {core: {price: 80, cost: 36, share: 1, base_stock: 2000}}
calendar: {campaigns: [{name: x, start: 2024-06-01, end: 2024-06-02, factor: {douyin: 2}}]}
brand: {new_customers: 400, interest: {slope: 2}}
"""
PIECES = [b"[", b"]", b"{", b"}", b":", b"- ", b"&a ", b"*a", b"!!str ", b"? ", b"| ", b"> ", b"%", b"---\n", b"...\n",
          b'"', b"'", b"\n", b"  ", b"\t", b"\r", b"\0", b"#", b",", b"1e999", b"-", b".nan", b"true", b"null", b"~",
          b"0o17", b"<<: ", b"\xff", b"\xc2\x85", b"\xe2\x80\xa8", b"\xef\xbb\xbf", b"9" * 50, b"\xef\xbc\x91",
          b"@", b"`"]
TEXTS = st.text(st.characters(blacklist_categories=["Cs", "Cc", "Zl", "Zp"], blacklist_characters="\ufeff\ufffe\uffff"),
                min_size=1, max_size=20)


@st.composite
def mangled(draw: st.DrawFn) -> bytes:
    """The seed file with pieces of YAML put in, and stretches cut out."""
    raw = SEED
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(raw)))
        raw = raw[:at] + draw(st.sampled_from(PIECES)) + raw[at + draw(st.integers(0, 6)):]
    return raw


def read(raw: bytes) -> Scenario | None:
    """The scenario, or None where it is refused in good order."""
    try:
        return validate(Scenario, *parse(raw, "x.yaml"))
    except ScenarioError as error:
        faults = error.faults
    assert faults
    for fault in faults:
        assert fault.where.startswith("x.yaml"), fault
        assert fault.rule, fault
        assert str(fault).replace("\u3000", "").isprintable(), fault
    return None


@settings(max_examples=600, deadline=2000)
@given(mangled())
def test_mangled_files_are_read_or_refused(raw: bytes) -> None:
    read(raw)


@settings(max_examples=200, deadline=2000)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_or_refused(raw: bytes) -> None:
    read(raw)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(mangled())
def test_the_slower_parser_means_the_same(raw: bytes) -> None:
    fast = read(raw)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "_ruamel_yaml", None)
        slow = read(raw)
    assert fast is None or slow is None or fast == slow


FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers(-10**30, 10**30) | FLOATS | TEXTS


@given(st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3), max_leaves=6))
def test_what_is_written_is_what_is_read(value: Any) -> None:
    root, faults = parse(to_yaml({"key": value, "list": [{"a": value, "b": 1}]}).encode(), "x.yaml")
    assert not faults
    assert root.plain() == {"key": value, "list": [{"a": value, "b": 1}]}


@given(st.floats(0, 1e9).map(lambda x: round(x, 2)), TEXTS, st.floats(0, 10))
def test_changes_survive_saving(budget: float, name: str, direct: float) -> None:
    scenario = validate(Scenario, *parse(SEED, "x.yaml")).with_(
        {"channels.douyin.budget": budget, "name": name, "channels.taobao.direct": direct})
    again = validate(Scenario, *parse(to_yaml(scenario.to_dict()).encode(), "x.yaml"))
    assert again == scenario
    assert again.hash == scenario.hash
    assert (again.channels["douyin"].budget, again.name, again.channels["taobao"].direct) == (budget, name, direct)


@given(st.permutations(list(validate(Scenario, *parse(SEED, "x.yaml")).to_dict())))
def test_order_of_keys_does_not_change_the_hash(order: list[str]) -> None:
    content = validate(Scenario, *parse(SEED, "x.yaml")).to_dict()
    assert digest({key: content[key] for key in order}) == digest(content)
    assert from_mapping({key: content[key] for key in order}).hash == digest(content)


@given(FLOATS)
def test_every_float_is_a_number_in_yaml(number: float) -> None:
    meaning = resolve(repr(number))
    assert isinstance(meaning, float)
    assert math.isclose(meaning, number, rel_tol=0, abs_tol=0)


@pytest.mark.parametrize("raw", [
    b"- " * 300_000, b"[" * 900_000, b"{" * 900_000, b"a: " * 300_000, b"? " * 300_000, b"!" * 900_000, b"&" * 900_000,
    b"'" + b"a" * 900_000, b"\n" * 900_000 + b"a: 1", b"a: |\n" + b" x\n" * 200_000, b"#" * 900_000 + b"\na: 1",
    b"a: [" + b"1," * 400_000, b"k: v\n" * 150_000, b"%TAG " * 100_000, b"- - - [{? [" * 50_000, b"a" * 900_000,
])
def test_hostile_megabytes_end_in_time(raw: bytes) -> None:
    start = time.perf_counter()
    read(raw)
    assert time.perf_counter() - start < 3


def paths(content: Any, above: str = "") -> list[str]:
    """Every dotted path of resolved content."""
    found = []
    for part, value in content.items() if isinstance(content, dict) else enumerate(content):
        path = f"{above}.{part}" if above else str(part)
        found += [path, *(paths(value, path) if isinstance(value, dict | list) else [])]
    return found


BASE = validate(Scenario, *parse(SEED, "x.yaml"))
VALUES = [None, True, -1, 0, 1, 2, 0.5, 10**5000, 1e308, 1e-320, math.nan, math.inf, "", "x", "抖音", "\ud800",
          "x" * 9999, "douyin", "2024-06-01", b"x", object(), [], {}, [1], {"a": 1}, {1: 2}, set(), [[[]]],
          complex(1, 1)]


@settings(max_examples=400)
@given(st.dictionaries(st.sampled_from(paths(BASE.to_dict())), st.sampled_from(VALUES), max_size=3))
def test_any_change_gives_a_sound_scenario_or_faults(changes: dict[str, object]) -> None:
    try:
        changed = BASE.with_(changes)
    except ScenarioError as error:
        str(error)
    else:
        assert from_mapping(changed.to_dict()).hash == changed.hash


def test_faulty_keys_and_values_together_are_no_bug() -> None:
    assert read(SEED.replace(b"{core: {price: 80", b"{c| ore: {prize: 80")) is None
