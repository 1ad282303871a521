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
    for target in re.findall(r"\]\(([^)#:]+)\)", README):
        assert (REPOSITORY / target).exists(), target


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
