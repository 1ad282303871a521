"""Plans and plan files."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnisim.choice import resolve
from omnisim.errors import OmnisimError, UsageError
from omnisim.plan import Plan
from omnisim.plan_file import check_plan, load_plan, save_plan
from omnisim.scenario import starter
from omnisim.scenario.channel_names import meant_channel
from omnisim.scenario.load import load
from omnisim.scenario.model import Scenario

NAMES = st.sampled_from(["douyin", "taobao", "yes", "null", "n1"])


@pytest.fixture
def scenario(tmp_path: Path) -> Scenario:
    return load(starter.write(tmp_path / "starter")[0])


def test_a_plan_file_gives_periods_budgets_and_stock(tmp_path: Path, scenario: Scenario) -> None:
    path = tmp_path / "plan.yaml"
    path.write_text("plan_version: 1\nperiods: [0, 7]\nbudgets: {douyin: [100, 200.5], taobao: 50}\n"
                    "base_stock: {core: 900}\n")
    plan = load_plan(path)
    assert plan == Plan((0, 7), {"douyin": (10_000, 20_050), "taobao": (5_000, 5_000)}, {"core": 900})
    assert [plan.budget_on("douyin", day) for day in (-5, 0, 6, 7, 99)] == [10_000, 10_000, 10_000, 20_050, 20_050]
    check_plan(plan, scenario)
    check_plan(Plan.today(scenario), scenario)


@pytest.mark.parametrize(("text", "said"), [
    ("budgets: {douyin: -1}", "plan.yaml:1:19: budgets.douyin = -1 CNY/day — must be ≥ 0"),
    ("budgets: {douyin: [1, -1]}", "plan.yaml:1:23: budgets.douyin.1 = -1 CNY/day — must be ≥ 0"),
    ("budgets: {douyin: yes}", "must be a number"),
    ("budgets: {douyin: 0.001}", "must be whole cents"),
    ("periods: [0, 7]\nbudgets: {douyin: [1]}", "budgets.douyin = 1 figures — must be one a period (2)"),
    ("periods: [7, 0]", "periods = [7, 0] — must ascend from day 0"),
    ("periods: []", "periods = a list of 0 — must have at least 1 entry"),
    ("base_stock: {core: 1.5}", "base_stock.core = 1.5 unit — must be a whole number"),
    ("plan_version: 2", "plan_version = 2"),
    ("budget: {}", "is no known key. Did you mean budgets?"),
    ("", "file = nothing"),
])
def test_a_bad_plan_file_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "plan.yaml").write_text(text)
    with pytest.raises(UsageError) as caught:
        load_plan(tmp_path / "plan.yaml")
    assert said in str(caught.value)


def test_a_plan_must_fit_the_scenario(scenario: Scenario) -> None:
    plan = Plan((0, 400), {"duoyin": (1, 1), "taobao": (1, 1)}, {"cor": 1})
    with pytest.raises(UsageError) as caught:
        check_plan(plan, scenario.with_({"flows": [], "channels.taobao.active": False}))
    said = str(caught.value)
    for part in ["budgets.duoyin — is not in the scenario. Did you mean douyin?",
                 "base_stock.cor — is not in the scenario",
                 "budgets.taobao — is an inactive channel", "must lie within the 365 reported days"]:
        assert part in said


def test_a_plan_may_name_channels_by_their_labels(tmp_path: Path, scenario: Scenario) -> None:
    (tmp_path / "plan.yaml").write_text("budgets: {抖音: 100, Taobao: 50}", encoding="utf-8")
    plan, _ = resolve(scenario, tmp_path / "plan.yaml", None)
    assert plan == Plan(budgets={"douyin": (10_000,), "taobao": (5000,)})
    subject = scenario.with_({"channels.taobao.label_zh": "抖音"})  # which goes before another name of a preset
    assert meant_channel("抖音", subject.with_({"channels.douyin.label_zh": "短视频"})) == "taobao"
    unclear, _ = resolve(subject, Plan(budgets={"抖音": (1,)}), None)
    twice, _ = resolve(scenario, Plan(budgets={"抖音": (1,), "douyin": (2,)}), None)
    for one in (unclear, twice):
        assert one is not None
        with pytest.raises(UsageError, match=r"budgets\.抖音 — is not in the scenario\. Choose from xiaohongshu"):
            check_plan(one, scenario)


@given(budgets=st.dictionaries(NAMES, st.integers(0, 10**11)), stock=st.dictionaries(NAMES, st.integers(0, 2 * 10**9)))
def test_saved_plans_come_back_to_the_cent(budgets: dict[str, int], stock: dict[str, int],
                                           tmp_path_factory: pytest.TempPathFactory) -> None:
    path = tmp_path_factory.mktemp("plan") / "plan.yaml"
    plan = Plan((0, 3), {name: (cents, cents // 2) for name, cents in budgets.items()}, stock)
    save_plan(plan, path)
    assert load_plan(path) == plan


def test_a_missing_plan_file_is_named() -> None:
    with pytest.raises(OmnisimError, match="does not exist"):
        load_plan("nowhere.yaml")
