"""What a sweep file may say, and the points that come of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from building import small_brand
from hypothesis import given
from hypothesis import strategies as st

from omnisim.errors import ScenarioError, UsageError
from omnisim.study.sweeping.axes import Axis, read_axes
from omnisim.study.sweeping.sweep_file import make_sweep, read_sweep
from omnisim.study.sweeping.sweep_plan import SweepPlan, plan_sweep, restore

BRAND = small_brand()
DOUYIN, TAOBAO = "channels.douyin.budget", "channels.taobao.budget"


def plan(settings: dict[str, object], **more: object) -> SweepPlan:
    return plan_sweep(make_sweep(BRAND, settings, **more))  # type: ignore[arg-type]


def written(tmp_path: Path, text: str) -> Path:
    BRAND.save(tmp_path / "base.yaml")
    path = tmp_path / "sweep.yaml"
    path.write_text(text)
    return path


def test_a_file_says_it_all(tmp_path: Path) -> None:
    path = written(tmp_path, f"""\
base: base.yaml
set:
  horizon.days: 30                       # fixed
  {DOUYIN}: [20, 36.5, 50]               # scanned
  service.capacity: [null, 60]
  membership.member_day: [8, 18]
method: grid
replications: 3
seed: 7
metrics: [gmv, profit]
""")
    made = plan_sweep(read_sweep(path))
    assert made.base.horizon.days == 30
    assert made.paths == (DOUYIN, "service.capacity", "membership.member_day")
    assert (made.n_points, made.n_runs) == (12, 36)
    assert made.values(0) == [20.0, None, 8]
    assert made.values(11) == [50.0, 60, 18]
    assert made.metrics == ("gmv", "profit")
    again = restore(made.base, made.record(), made.columns)
    assert again.identity == made.identity
    assert [again.key(p, 2) for p in range(12)] == [made.key(p, 2) for p in range(12)]


def test_every_fault_is_told_with_its_place(tmp_path: Path) -> None:
    path = written(tmp_path, f"""\
base: base.yaml
set:
  {DOUYIN}: [20, -5, 20]
  channels.duoyin.budget: [1, 2]
  channels.taobao.commission: {{low: 0.1, high: 1.5}}
  horizon.days: {{low: 60, high: 30}}
  membership.join: {{low: 0.1}}
  currency: {{low: CNY, high: USD}}
  population.size: []
  {TAOBAO}: [[1, 2]]
  language: [en, 3]
""")
    with pytest.raises(ScenarioError) as caught:
        plan_sweep(read_sweep(path))
    assert {int(fault.where.split(":")[-2]) for fault in caught.value.faults} == set(range(3, 12))
    text = str(caught.value)
    for words in ("-5 CNY/day — must be", "Did you mean douyin", "low must be below high", "must be low and high",
                  "must be numbers to be sampled", "must hold a value or more", "a list — must be"):
        assert words in text
    assert "is given twice" in text


@pytest.mark.parametrize(("text", "words"), [
    ("set: {horizon.days: [3]}\n", "base — is missing"),
    ("base: base.yaml\nset: {}\n", "set"),
    ("base: base.yaml\nset: {horizon.days: [3]}\nmethod: random\n", "must be one of grid, list, latin"),
    ("base: base.yaml\nset: {horizon.days: [3]}\npoint: 5\n", "points"),
    ("base: base.yaml\nset: {horizon.days: [3]}\nmetrics: [gmw]\n", "Did you mean gmv"),
    ("base: base.yaml\nset: {horizon.days: [3]}\nmetrics: [gmv, gmv]\n", "given twice"),
    ("base: base.yaml\nset: {horizon.days: [3]}\npoints: 5\n", "mean nothing to the method grid"),
    ("base: base.yaml\nset: {horizon.days: {low: 3, high: 9}}\n", "must be a list for the method grid"),
    ("base: base.yaml\nset: {horizon.days: {low: 3, high: 9}}\nmethod: latin\n", "points — are needed"),
    ("base: base.yaml\nset: {horizon.days: 3}\nmethod: latin\npoints: 4\n", "nothing to vary"),
    ("base: base.yaml\nset: {horizon.days: [3, 4], population.size: [5000]}\nmethod: list\n", "same length"),
    ("base: base.yaml\nset: {channels.taobao.order_value: [1, 2]}\n", "must be at least the mean price"),
    ("base: base.yaml\nset: {membership.join: [0.1], membership: [null]}\n", "lies inside membership"),
    ("base: base.yaml\nset: {channels.douyin: [3]}\n", "channels.douyin"),
    ("base: no.yaml\nset: {horizon.days: [3]}\n", "does not exist"),
    ("base: base.yaml\nset: {horizon.days: {low: 3, high: 9}}\nmethod: sobol\npoints: 1000000\nreplications: 100\n",
     "must come to at most 10,000,000 runs"),
])
def test_what_a_file_may_not_say(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(UsageError) as caught:
        plan_sweep(read_sweep(written(tmp_path, text)))
    assert words in str(caught.value)


def test_rules_between_fields_are_left_to_whole_points() -> None:
    # neither share alone sums to 1 with the other, both together do
    shares: dict[str, object] = {"population.segments.0.share": [0.3, 0.4], "population.segments.1.share": [0.7, 0.6]}
    made = plan(shares, method="list")
    assert made.n_points == 2
    assert plan(shares).n_points == 4  # two of a grid's four are no scenario; they say so when they are run


def test_ranges_are_rounded_as_their_field_is() -> None:
    fixed, axes = read_axes(BRAND, {DOUYIN: {"low": 10, "high": 99.5}, "horizon.days": {"low": 5, "high": 8},
                                    "membership.join": {"low": 0, "high": 1}, "currency": "CNY"}, {})
    assert fixed == {"currency": "CNY"}
    assert [axis.kind for axis in axes] == ["cents", "whole", "number"]
    place = np.linspace(0, 1, 401)
    money, days, shares = (axis.at(place) for axis in axes)
    assert (money[0], money[-1], days[0], days[-1], shares[0], shares[-1]) == (10, 99.5, 5, 8, 0, 1)
    assert all(value == round(value, 2) for value in money)  # type: ignore[arg-type]
    assert [days.count(day) for day in (5, 6, 7, 8)] == [100, 100, 100, 101]
    assert all(type(day) is int for day in days)


@given(st.floats(-1e9, 1e9), st.floats(1e-6, 1e9), st.floats(0, 1), st.sampled_from(["number", "cents", "whole"]))
def test_no_place_leads_out_of_a_range(low: float, width: float, place: float, kind: str) -> None:
    if kind == "whole":
        low, width = float(int(low)), float(int(width) + 1)
    elif kind == "cents":
        low, width = round(low, 2), round(width + 0.01, 2)
    high = low + width if kind != "cents" else round(low + width, 2)
    [value] = Axis("x", kind, low=low, high=high).at(np.array([place]))  # type: ignore[arg-type]
    assert isinstance(value, int | float)
    assert low <= value <= high


def test_a_list_is_sampled_by_equal_parts() -> None:
    made = plan({DOUYIN: [20, 30, 40], TAOBAO: {"low": 0, "high": 90}}, method="latin", points=90)
    assert [made.columns[0].count(value) for value in (20.0, 30.0, 40.0)] == [30, 30, 30]


def test_designs_have_their_points() -> None:
    ranges: dict[str, object] = {DOUYIN: {"low": 0, "high": 90}, TAOBAO: {"low": 0, "high": 90}}
    assert plan(ranges, method="saltelli", points=8).n_points == 32
    assert plan(ranges, method="morris", points=8).n_points == 24
    walk = np.array(plan(ranges, method="morris", points=8).columns).T.reshape(8, 3, 2)
    assert set(np.unique(walk)) == {0, 30, 60, 90}


def test_a_point_that_comes_twice_is_run_once() -> None:
    made = plan({"horizon.days": {"low": 5, "high": 6}}, method="sobol", points=16, replications=2)
    assert made.n_points == 16
    assert made.n_runs == 4
    assert [made.values(point) for point in made.distinct] in ([[5], [6]], [[6], [5]])
    assert all(made.values(first) == made.values(point) for point, first in enumerate(made.first))


def test_a_key_tells_everything_apart_that_changes_a_run() -> None:
    one = plan({DOUYIN: [20, 30]})
    keys = {one.key(0, 0), one.key(0, 1), one.key(1, 0), plan({DOUYIN: [20, 30]}, seed=2).key(0, 0),
            plan({DOUYIN: [20, 30], "horizon.days": 30}).key(0, 0), plan({TAOBAO: [20, 30]}).key(0, 0)}
    assert len(keys) == 6
    # and nothing else: not the method, the other points, the metrics, the order, or how a number is written
    other = plan({TAOBAO: [90], DOUYIN: [30.0, 20]}, metrics=["gmv"], method="grid")
    twin = plan({DOUYIN: [20], TAOBAO: [90.0]}, replications=4)
    assert other.key(1, 0) == twin.key(0, 0)


def test_python_gives_lists_of_all_kinds() -> None:
    assert plan({DOUYIN: np.array([20.0, 30.0]), "horizon.days": range(5, 8)}).n_points == 6
    with pytest.raises(UsageError):
        make_sweep(BRAND, {DOUYIN: [1]}, replications=0)
    assert make_sweep(BRAND, {DOUYIN: [1]}, metrics="gmv").metrics == ("gmv",)


def test_a_hundred_thousand_points_are_laid_out_quickly(tmp_path: Path) -> None:
    BRAND.save(tmp_path / "base.yaml")
    code = f"""
import time
from pathlib import Path
from omnisim.scenario.load import load
from omnisim.study.sweeping.store import Store
from omnisim.study.sweeping.sweep_file import make_sweep
from omnisim.study.sweeping.sweep_plan import plan_sweep
start = time.process_time()
ranges = {{f"channels.{{name}}.budget": {{"low": 0, "high": 500}} for name in ("douyin", "taobao", "xiaohongshu")}}
sweep = make_sweep(load({str(tmp_path / "base.yaml")!r}), ranges, method="latin", points=100_000)
Store(Path({str(tmp_path / "study")!r}), plan_sweep(sweep)).close()
peak = next(line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
print(time.process_time() - start, int(peak.split()[1]) / 1024)  # ru_maxrss would tell the parent's peak
"""
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    seconds, megabytes = map(float, done.stdout.split())
    assert seconds <= 10
    assert megabytes <= 500
