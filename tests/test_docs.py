"""README, examples in docstrings, and notebooks: what readers see is true."""

from __future__ import annotations

import ast
import doctest
import importlib
import json
import pkgutil
import re
import shlex
from pathlib import Path

import pytest

import omnisim

REPOSITORY = Path(__file__).parents[1]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
notebooks = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def block(name: str) -> str:
    found = re.findall(rf"^<!-- block: {name} -->\n```sh\n(.*?)^```$", README, re.MULTILINE | re.DOTALL)
    assert len(found) == 1
    return str(found[0])


def test_readme_has_its_two_commands() -> None:
    assert "omnisim run scenarios/brand.yaml --out results/brand" in block("run")
    assert "python -m pytest" in block("test")
    for name in ("run", "test"):
        assert block(name).startswith("python3 -m venv .venv")
        assert "pip install --editable ." in block(name)


def test_readme_python_compiles_and_uses_names_that_exist() -> None:
    for code in re.findall(r"^```python\n(.*?)^```$", README, re.MULTILINE | re.DOTALL):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name) and node.value.id == "om":
                assert node.attr in omnisim.__all__


def test_readme_command_lines_are_understood() -> None:
    from omnisim.cli import app

    lines = re.findall(r"^omnisim (.*?)(?:  #.*)?$", README, re.MULTILINE)
    assert len(lines) >= 3
    for line in lines:
        assert callable(app(shlex.split(line), standalone_mode=False))


def test_readme_links_lead_somewhere() -> None:
    assert "scenarios/FORMATS.md" in README
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target


def test_formats_are_as_they_are_told(tmp_path: Path) -> None:
    """Every example of FORMATS.md is read, and those that are quick are run."""
    from omnisim.optimise.replenish.tables import read_instance
    from omnisim.plan_file import check_plan, load_plan
    from omnisim.study.calibration.brand_tables import read_tables
    from omnisim.study.purchases.transaction_log import read_log
    from omnisim.study.sweeping.sweep_file import read_sweep
    from omnisim.study.sweeping.sweep_plan import plan_sweep

    page = (REPOSITORY / "scenarios" / "FORMATS.md").read_text(encoding="utf-8")
    files = dict(re.findall(r"^<!-- file: (\S+) -->\n```\w+\n(.*?)^```$", page, re.MULTILINE | re.DOTALL))
    for name, text in files.items():
        (tmp_path / name).write_text(text, encoding="utf-8")
    at = {Path(name).stem: tmp_path / name for name in files}
    assert set(at) == {"plan", "sweep", "curves", "limits", "status", "daily", "orders", "items", "demand",
                       "stock_limits", "ways"}
    brand = omnisim.load(REPOSITORY / "scenarios" / "brand.yaml")
    check_plan(load_plan(at["plan"]), brand)
    brand.save(tmp_path / "brand.yaml")
    assert plan_sweep(read_sweep(at["sweep"])).n_points == 6
    found = omnisim.allocate(curves=at["curves"], limits=at["limits"], budget=60_000, periods=4, objective="profit")
    assert found.is_proven
    tables, log = read_tables([at["status"], at["daily"]]), read_log(at["orders"])
    assert (len(tables.status), len(tables.daily), tables.warnings) == (2, 2, ())
    assert log is not None and len(log.customer) == 3
    instance = read_instance(at["items"], at["demand"], at["stock_limits"], transfers=at["ways"])
    assert instance.has_transfers
    plan = omnisim.replenish(items=at["items"], demand=at["demand"], limits=at["stock_limits"], gap=0.01)
    assert plan.is_proven and not plan.warnings
    assert omnisim.replenish(items=at["items"], history=at["demand"], periods=2, gap=0.01).is_proven


def modules() -> list[str]:
    return [entry.name for entry in pkgutil.walk_packages(omnisim.__path__, "omnisim.") if "__main__" not in entry.name]


@pytest.mark.parametrize("name", modules())
def test_examples_in_docstrings(name: str) -> None:
    assert doctest.testmod(importlib.import_module(name)).failed == 0


@notebooks
def test_notebook_is_short_and_stripped(path: Path) -> None:
    book = json.loads(path.read_text(encoding="utf-8"))
    assert len(book["cells"]) <= 15
    assert book["cells"][0]["cell_type"] == "markdown"
    assert "?" in "".join(book["cells"][0]["source"]), "the question comes first"
    assert book["cells"][-1]["cell_type"] == "markdown", "the decision comes last"
    for cell in book["cells"]:
        if cell["cell_type"] == "code":
            assert cell["outputs"] == []
            assert cell["execution_count"] is None
            for node in ast.walk(ast.parse("".join(cell["source"]))):
                if isinstance(node, ast.FunctionDef):
                    assert (node.end_lineno or 0) - node.lineno < 10, f"{node.name} belongs into the package"


def test_there_is_a_notebook() -> None:
    assert NOTEBOOKS
