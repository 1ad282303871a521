"""The command line: words in, exit code and one JSON object out. The work behind the verbs is replaced."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import time
import warnings
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pandas as pd
import pytest

from omnisim import door
from omnisim.cli import main
from omnisim.errors import Fault, OmnisimError, ScenarioError, StorageError, UsageError
from omnisim.scenario import load as scenario_load
from omnisim.scenario import warn

FAULT = Fault("a.yaml:4:17", "channels.douyin.budget", "-500 currency/day", "must be ≥ 0", "Set 0.")


class Scenario:
    name = "brand"
    hash = "abc"

    def __init__(self) -> None:
        self.changes: dict[str, object] = {}

    def with_(self, changes: dict[str, object]) -> Scenario:
        self.changes = changes
        return self


class Result:
    channels = pd.DataFrame({"channel": ["douyin"], "gmv": [126000.0], "roi": [float("nan")]})

    def kpis(self) -> pd.DataFrame:
        return pd.DataFrame({"kpi": ["gmv"], "value": [126000.5]})

    language = "en"

    def heading(self) -> str:
        return "brand: 365 days"

    def summary_rows(self) -> list[tuple[str, str, str]]:
        return [("GMV [all]", "126,000 CNY", "125,000 … 127,000"), ("抖音" if self.language == "zh" else "x", "1", "")]

    def channel_rows(self) -> list[tuple[str, ...]]:
        return [("channel", "role"), ("douyin", "seeding")]

    def save(self, out: Path, *, log: dict[str, object]) -> None:
        assert set(log) == {"wall_seconds", "host"}
        (out / "manifest.json").write_text("{}")


SCENARIO = Scenario()
RUNS: list[dict[str, Any]] = []


@pytest.fixture(autouse=True)
def fakes(monkeypatch: pytest.MonkeyPatch) -> None:
    RUNS.clear()
    SCENARIO.changes = {}
    monkeypatch.setattr(door, "load", lambda path: SCENARIO)
    monkeypatch.setattr(warn, "warnings", lambda scenario: [])
    monkeypatch.setattr(door, "run", lambda scenario, **options: RUNS.append(options) or Result())


def run_json(capsys: pytest.CaptureFixture[str], *words: str) -> dict[str, Any]:
    code = main([*words, "--json"])
    out, _ = capsys.readouterr()
    assert out.count("\n") == 1
    answer: dict[str, Any] = json.loads(out)
    assert list(answer) == ["verb", "exit_code", "result", "warnings", "errors"]
    assert answer["exit_code"] == code
    return answer


def failing(error: BaseException) -> Any:
    def fail(*arguments: object, **options: object) -> None:
        raise error
    return fail


def test_run_prints_a_summary(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["run", "a.yaml", "--lang", "zh", "--out", str(tmp_path / "out")]) == 0
    out, err = capsys.readouterr()
    assert "126,000" in out
    assert "GMV [all]" in out
    assert "抖音" in out
    assert err == ""
    assert (tmp_path / "out" / "manifest.json").exists()


def test_run_passes_its_options_on(capsys: pytest.CaptureFixture[str]) -> None:
    answer = run_json(capsys, "run", "a.yaml", "--seed", "3", "--replications", "2", "--policy", "inertia", "--plan",
                      "p.yaml", "--threads", "1", "--lang", "zh", "--set", "channels.douyin.budget=2000", "--set",
                      "horizon.start=2024-01-01", "--set", "supply.unlimited=true", "--set", "name=a=b")
    assert answer["verb"] == "run"
    assert answer["result"]["channels"] == [{"channel": "douyin", "gmv": 126000.0, "roi": None}]
    assert answer["result"]["kpis"] == [{"kpi": "gmv", "value": 126000.5}]
    [options] = RUNS
    assert options == {"seed": 3, "replications": 2, "plan": Path("p.yaml"), "policy": "inertia", "threads": 1,
                       "progress": None}
    assert SCENARIO.changes == {"channels.douyin.budget": 2000, "horizon.start": "2024-01-01",
                                "supply.unlimited": True, "name": "a=b"}


@pytest.mark.parametrize("sets", [["budget"], ["=3"], ["a=1", "a=2"], ["a=010"], ["a=*b"], ["a=.nan"]])
def test_set_must_be_path_and_value(capsys: pytest.CaptureFixture[str], sets: list[str]) -> None:
    answer = run_json(capsys, "run", "a.yaml", *(word for one in sets for word in ("--set", one)))
    assert answer["exit_code"] == 2
    assert answer["errors"][0]["where"].startswith("--set")


@pytest.mark.parametrize(("error", "code"), [
    (ScenarioError(FAULT), 2), (UsageError(FAULT), 2), (StorageError(FAULT), 5), (OmnisimError(FAULT), 1),
    (OSError(errno.ENOSPC, "No space left on device", "x"), 5), (PermissionError(errno.EACCES, "denied", "x"), 5),
    (KeyboardInterrupt(), 130), (MemoryError(), 4), (ZeroDivisionError("division\nby zero"), 1), (RecursionError(), 1),
])
def test_every_failure_has_its_code(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
                                    error: BaseException, code: int) -> None:
    monkeypatch.setattr(door, "run", failing(error))
    answer = run_json(capsys, "run", "a.yaml")
    assert answer["exit_code"] == code
    assert answer["result"] is None
    assert set(answer["errors"][0]) == {"where", "what", "got", "rule", "fix"}
    assert main(["run", "a.yaml"]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err


def test_a_bug_asks_to_be_reported(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "run", failing(ZeroDivisionError("by zero")))
    assert main(["run", "a.yaml"]) == 1
    assert "ZeroDivisionError: by zero — is not your fault. Please report it" in capsys.readouterr().err
    monkeypatch.setenv("OMNISIM_DEBUG", "1")
    with pytest.raises(ZeroDivisionError):
        main(["run", "a.yaml"])


def test_twelve_faults_show_ten_and_a_count(capsys: pytest.CaptureFixture[str],
                                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "load", failing(ScenarioError(*[FAULT] * 12)))
    assert main(["run", "a.yaml"]) == 2
    err = capsys.readouterr().err.splitlines()
    assert len(err) == 11
    assert err[0] == str(FAULT)
    assert err[-1] == "… and 2 more."
    assert len(run_json(capsys, "run", "a.yaml")["errors"]) == 12


@pytest.mark.parametrize("words", [["run"], ["run", "a", "--seed", "x"], ["run", "a", "--seed", "-1"], ["rnu"], [],
                                   ["run", "a", "--no-such"], ["run", "a", "--lang", "fr"], ["calibrate"],
                                   ["allocate"], ["compare"], ["sweep"], ["report"], ["replenish"], ["--no-such"]])
def test_wrong_usage(capsys: pytest.CaptureFixture[str], words: list[str]) -> None:
    answer = run_json(capsys, *words)
    assert answer["exit_code"] == 2
    assert "--help" in answer["errors"][0]["fix"]
    assert main(words) == 2


def test_warnings_go_to_standard_error(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def run(scenario: object, **options: object) -> Result:
        warnings.warn("a pool runs dry", UserWarning, stacklevel=1)
        return Result()
    monkeypatch.setattr(door, "run", run)
    answer = run_json(capsys, "run", "a.yaml")
    assert answer["warnings"][0]["rule"] == "a pool runs dry"
    assert main(["run", "a.yaml"]) == 0
    assert "a pool runs dry" in capsys.readouterr().err


def test_check(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scenario_load, "check_file", lambda path: ([FAULT] if "bad" in str(path) else [], [FAULT]))
    assert main(["check", "good.yaml"]) == 0
    assert "good.yaml: ok" in capsys.readouterr().out
    answer = run_json(capsys, "check", "good.yaml", "bad.yaml")
    assert (answer["exit_code"], len(answer["errors"]), len(answer["warnings"])) == (2, 1, 2)
    answer = run_json(capsys, "check", "good.yaml", "--strict")
    assert (answer["exit_code"], len(answer["errors"]), len(answer["warnings"])) == (2, 1, 0)


def test_schema(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door, "schema", lambda: {"title": "Scenario"})
    assert main(["schema"]) == 0
    assert json.loads(capsys.readouterr().out) == {"title": "Scenario"}
    assert run_json(capsys, "schema")["result"] == {"title": "Scenario"}


def fake_fit(monkeypatch: pytest.MonkeyPatch, update: Any = None) -> list[Any]:
    """Let calibrate answer with a fit; what it was asked."""
    seen: list[Any] = []
    fit = SimpleNamespace(table=pd.DataFrame({"channel": ["douyin"], "error": [0.01]}), warnings=(FAULT,),
                          unidentified_table=pd.DataFrame({"parameter": ["click_share"]}), stances=(1,),
                          elasticity_table=pd.DataFrame({"name": ["default"], "elasticity": [0.12]}),
                          save=lambda out: (out / "fit.csv").touch(), repurchase=None, update=update,
                          fitted={"brand.new_customers": 120.0})
    module = ModuleType("omnisim.study.calibration.calibrate")
    module.KIND = "omnisim fit"  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "omnisim.study.calibration.calibrate", module)
    monkeypatch.setattr(door, "calibrate", lambda tables, **options: seen.append((tables, options)) or fit)
    return seen


def test_calibrate(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    seen = fake_fit(monkeypatch)
    answer = run_json(capsys, "calibrate", "--data", "t1.csv", "--data", "t3.csv", "--encoding", "gb18030", "--out",
                      str(tmp_path / "fit"), "--private-repeat", "0.2538")
    assert answer["result"]["fit"] == [{"channel": "douyin", "error": 0.01}]
    assert answer["result"]["unidentified"] == [{"parameter": "click_share"}]
    assert answer["result"]["elasticity"] == [{"name": "default", "elasticity": 0.12}]
    assert len(answer["warnings"]) == 1
    assert seen[0][0] == [Path("t1.csv"), Path("t3.csv")]
    assert seen[0][1]["encoding"] == "gb18030"
    assert seen[0][1]["private_repeat"] == 0.2538
    assert (tmp_path / "fit" / "fit.csv").exists()


def test_a_fit_is_told_though_it_cannot_be_written(capsys: pytest.CaptureFixture[str],
                                                   monkeypatch: pytest.MonkeyPatch) -> None:
    fake_fit(monkeypatch, failing(StorageError(FAULT)))
    words = ["calibrate", "a.yaml", "--data", "t1.csv", "--update"]
    answer = run_json(capsys, *words)
    assert (answer["exit_code"], len(answer["errors"]), answer["result"]["updated"]) == (5, 1, None)
    assert answer["result"]["fitted"] == {"brand.new_customers": 120.0}
    assert main(words) == 5
    assert "brand.new_customers=120" in capsys.readouterr().out


def test_an_update_says_where_it_went(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    fake_fit(monkeypatch, lambda path: path)
    answer = run_json(capsys, "calibrate", "a.yaml", "--data", "t1.csv", "--update")
    assert answer["result"]["updated"] == "a.yaml" and len(answer["warnings"]) == 1
    fake_fit(monkeypatch, lambda path: path.with_name("a_fitted.yaml"))
    answer = run_json(capsys, "calibrate", "a.yaml", "--data", "t1.csv", "--update")
    assert answer["result"]["updated"] == "a_fitted.yaml" and answer["exit_code"] == 0
    assert "a_fitted.yaml has, and extends it" in answer["warnings"][1]["rule"]


def test_out_refuses_other_peoples_files_before_the_work(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    (tmp_path / "thesis.docx").write_text("x")
    assert run_json(capsys, "run", "a.yaml", "--out", str(tmp_path))["exit_code"] == 2
    assert run_json(capsys, "run", "a.yaml", "--out", str(tmp_path / "thesis.docx"))["exit_code"] == 2
    assert not RUNS


def test_version_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == "0.1.0\n"
    assert main(["run", "--help"]) == 0
    assert "--replications" in capsys.readouterr().out


def command(code: str) -> subprocess.Popen[str]:
    setup = ("import sys, time; from omnisim import cli, door; sys.argv = ['omnisim', 'schema', '--json']; "
             f"{code}; cli.enter()")
    return subprocess.Popen([sys.executable, "-c", setup], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


GO = "print('go', file=sys.stderr, flush=True)"


@pytest.mark.parametrize("busy", [
    f"door.schema = lambda: ({GO}, time.sleep(30))",
    # a compiler that turns the interrupt into an error of its own
    f"door.schema = lambda: ({GO}, exec('try: time.sleep(30)\\nexcept KeyboardInterrupt: raise RuntimeError'))",
    # compiled code that keeps the main thread from seeing the signal
    f"import ctypes; libc = ctypes.CDLL(None); door.schema = lambda: ({GO}, "
    "[libc.sleep(3) for _ in range(9)])",
    f"import ctypes; libc = ctypes.PyDLL(None); door.schema = lambda: ({GO}, libc.usleep(400_000), "
    "[libc.usleep(100_000) for _ in range(9)])",
])
def test_interrupt_ends_within_a_second(busy: str) -> None:
    process = command(busy)
    assert process.stderr is not None
    process.stderr.readline()
    time.sleep(0.1)
    start = time.monotonic()
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=10)
    assert time.monotonic() - start < 1.0
    assert process.returncode == 130
    assert json.loads(out)["exit_code"] == 130


def test_reader_that_goes_away_is_no_error() -> None:
    process = command("door.schema = lambda: {'text': 'x' * 1_000_000}")
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=10) == 0
    process.stderr.close()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs a device that is always full")
@pytest.mark.parametrize("word", ["--version", "schema"])
def test_full_disk_under_standard_output(word: str) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run([sys.executable, "-c", "from omnisim import cli; import sys; cli.door = 0; sys.argv = "
                               f"['omnisim', '{word}']; cli.enter()"], stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False)
    assert done.returncode == 5
    assert "Traceback" not in done.stderr


def test_closed_standard_output_is_no_bug() -> None:
    code = 'import sys; sys.argv = ["omnisim", "schema"]; from omnisim import cli; cli.enter()'
    done = subprocess.run(["sh", "-c", f"{sys.executable} -c '{code}' >&-"], stderr=subprocess.PIPE, text=True,
                          check=False)
    assert (done.returncode, done.stderr) == (0, "")
