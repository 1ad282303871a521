"""The verbs for Python: what they accept, resolve and refuse. The simulation itself is replaced."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import omnisim as om
from omnisim import choice, door, plan_file
from omnisim.errors import UsageError
from omnisim.plan import Observation, Plan
from omnisim.policies import Inertia, find_policy

CALLS: list[dict[str, Any]] = []


class Careful:
    name = "careful"

    def review(self, observation: Observation) -> Plan | None:
        return None


class FakeResult:
    def __init__(self, scenario: Any, books: Any, **more: Any) -> None:
        self.scenario, self.books, self.more = scenario, books, more


def warmed(scenario: Any, seed: int, replication: int, threads: int, orders: str, progress: Any) -> dict[str, Any]:
    CALLS.append({"seed": seed, "replication": replication, "orders": orders})
    return CALLS[-1]


def finish(world: dict[str, Any], plan: Any, policy: Any, **options: Any) -> dict[str, Any]:
    world.update(options, plan=plan, policy=policy)
    if options["progress"]:
        options["progress"](world["replication"], 10)
    return world


@pytest.fixture(autouse=True)
def no_simulation(monkeypatch: pytest.MonkeyPatch) -> None:
    CALLS.clear()
    monkeypatch.setattr(plan_file, "check_plan", lambda plan, scenario: None)
    run, results = ModuleType("omnisim.simulation"), ModuleType("omnisim.results")
    run.finish = finish  # type: ignore[attr-defined]
    monkeypatch.setattr(door, "warmed", warmed)
    results.Result = FakeResult  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "omnisim.simulation", run)
    monkeypatch.setitem(sys.modules, "omnisim.results", results)


@pytest.fixture
def scenario() -> om.Scenario:
    return om.Scenario.model_construct(policy=SimpleNamespace(name="inertia"), channels={})


def test_replications_are_numbered_from_the_seed(scenario: om.Scenario) -> None:
    om.run(scenario, seed=7, replications=3)
    assert [(call["seed"], call["replication"]) for call in CALLS] == [(7, 0), (7, 1), (7, 2)]
    CALLS.clear()
    om.run(scenario, seed=7, replication=2)
    assert [(call["seed"], call["replication"]) for call in CALLS] == [(7, 2)]


def test_progress_is_that_of_the_whole(scenario: om.Scenario) -> None:
    seen: list[tuple[int, int]] = []
    om.run(scenario, replications=2, progress=lambda done, total: seen.append((done, total)))
    assert seen == [(0, 20), (11, 20)]


def test_defaults(scenario: om.Scenario) -> None:
    om.run(scenario)
    assert CALLS[0]["plan"] is None
    assert CALLS[0]["policy"].name == "inertia"
    assert CALLS[0]["threads"] == door.available_threads() >= 1
    assert CALLS[0]["orders"] == "auto"


def test_plans_in_every_form(scenario: om.Scenario, monkeypatch: pytest.MonkeyPatch) -> None:
    plan = Plan(budgets={"douyin": (100,)})
    monkeypatch.setattr(plan_file, "load_plan", lambda path: plan)
    for given in (plan, SimpleNamespace(plan=plan), "plan.yaml", Path("plan.yaml"), (plan,), (plan, plan)):
        om.run(scenario, plan=given)  # type: ignore[arg-type]
        assert CALLS[-1]["plan"] == plan
    om.run(scenario, plan=Careful())
    assert (CALLS[-1]["plan"], CALLS[-1]["policy"].name) == (None, "careful")
    om.run(scenario, plan=(plan, Careful()))
    assert (CALLS[-1]["plan"], CALLS[-1]["policy"].name) == (plan, "careful")


def test_plans_are_merged_period_by_period() -> None:
    money = Plan((0, 7), {"douyin": (100, 200)})
    stock = Plan((0, 14), {"taobao": (5, 6)}, {"sku_a": 40})
    merged = choice.merge([money, stock])
    assert merged == Plan((0, 7, 14), {"douyin": (100, 200, 200), "taobao": (5, 5, 6)}, {"sku_a": 40})
    for day in range(20):
        assert merged.budget_on("douyin", day) == money.budget_on("douyin", day)
        assert merged.budget_on("taobao", day) == stock.budget_on("taobao", day)


def test_contradictions_are_all_named() -> None:
    with pytest.raises(UsageError) as caught:
        choice.merge([Plan(budgets={"a": (1,)}, base_stock={"s": 1}), Plan(budgets={"a": (2,)}, base_stock={"s": 2})])
    assert [fault.what for fault in caught.value.faults] == ["budgets.a", "base_stock.s"]


def test_two_policies_are_refused(scenario: om.Scenario) -> None:
    with pytest.raises(UsageError, match="must be one policy"):
        om.run(scenario, plan=Careful(), policy="inertia")


@pytest.mark.parametrize("options", [
    {"seed": -1}, {"seed": 1.5}, {"seed": True}, {"replications": 0}, {"replication": -1}, {"threads": 0},
    {"replication": 1, "replications": 2}, {"policy": "inertai"}, {"policy": 3}, {"plan": 3}, {"plan": object()},
    {"seed": 2**32},
])
def test_arguments_that_cannot_be_meant(scenario: om.Scenario, options: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        om.run(scenario, **options)
    assert not CALLS


def test_a_path_is_not_a_scenario() -> None:
    with pytest.raises(UsageError, match=r"Use om\.run\(om\.load\(path\)\)"):
        om.run("scenarios/brand.yaml")  # type: ignore[arg-type]


def test_policies_by_name() -> None:
    assert isinstance(find_policy("inertia"), Inertia)
    assert find_policy("inertia").review(None) is None  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="Did you mean inertia"):
        find_policy("inertai")


def test_calibrate_needs_a_status_table(tmp_path: Path) -> None:
    (tmp_path / "t3.csv").write_text("日期,渠道,访问量,新增用户数,转化订单数,GMV,渠道成本\n2024-06-01,抖音,1,1,1,1,1\n")
    with pytest.raises(UsageError, match="must hold a channel status table"):
        om.calibrate(tmp_path / "t3.csv")


@pytest.mark.parametrize(("name", "rate"), [("t1.csv", 25.38), ("log.csv", 0.25)])
def test_a_private_repeat_rate_is_a_share_beside_a_table(tmp_path: Path, name: str, rate: float) -> None:
    (tmp_path / "t1.csv").write_text("渠道,月均UV,转化率,客单价,GMV\n抖音,100,10%,5,50\n")
    (tmp_path / "log.csv").write_text("customer,date,value\n1,2024-01-01,5\n")
    with pytest.raises(UsageError, match=r"private_repeat = .* beside a channel status table"):
        om.calibrate(tmp_path / name, private_repeat=rate)


def test_what_the_tables_have_no_use_for_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t1.csv").write_text("渠道,月均UV,转化率,客单价,GMV\n抖音,100,10%,5,50\n")
    (tmp_path / "log.csv").write_text("customer,date,value\n1,2024-01-01,5\n")
    with pytest.raises(UsageError, match="holdout = 30 days — goes with a transaction log"):
        om.calibrate(tmp_path / "t1.csv", holdout=30)
    with pytest.raises(UsageError, match=r"elasticity = 0\.12 — goes with a channel status table"):
        om.calibrate(tmp_path / "log.csv", elasticity=0.12)


def test_calibrate_passes_the_tables_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    module = ModuleType("omnisim.study.calibration.calibrate")
    module.fit = lambda brand, **options: seen.append((brand, options)) or "fit"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "omnisim.study.calibration.calibrate", module)
    (tmp_path / "t1.csv").write_text("渠道,月均UV,转化率,客单价,GMV\n抖音,100,10%,5,50\n")
    assert om.calibrate([tmp_path / "t1.csv"], seed=3, threads=1) == "fit"  # type: ignore[comparison-overlap]
    brand, options = seen[0]
    assert brand.status[0].channel == "douyin"
    assert options == {"scenario": None, "elasticity": None, "seed": 3, "threads": 1, "repurchase": None,
                       "private_repeat": None, "progress": None}
