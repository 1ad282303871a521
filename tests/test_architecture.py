"""The plan of the house, held true: who may import whom, how long things are, what is documented, what import costs."""

from __future__ import annotations

import ast
import statistics
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import omnisim

ROOT = Path(omnisim.__file__).parent
LAYERS = (  # a room may import from the rows below its own, and from itself
    {"cli"},
    {"verbs"},
    {"words"},  # what the verbs have in common
    {"terminal"},  # what the command line shows
    {"sweeps", "stocking"},  # verbs of the door with a file of their own
    {"door"},
    {"choice"},  # what a run may be told to do
    {"policies"},
    {"report"},
    {"study"},
    {"optimise", "results"},
    {"storage"},  # files that are whole or absent
    {"measure", "plots"},
    {"canvas"},  # what plots are drawn on
    {"fonts"},
    {"simulation"},
    {"review"},  # what a policy is shown, and what it decides
    {"exchange"},  # what market and supply hand to each other
    {"first_start"},  # kernels compiled by two processes
    {"market", "supply"},
    {"ledger", "plan_file"},
    {"plan_orders"},  # a plan's orders on their dates, as a table
    {"response", "books"},
    {"plan"},
    {"season"},  # what the calendar makes of a day
    {"scenario"},
    {"parts"},  # of the population, one a thread
    {"streams", "sums"},
    {"portable"},
    {"alias", "processor"},  # look-ups by chance; what compiled code asks of the processor
    {"compiled"},
    {"vocabulary", "machine"},
    {"errors"},
)
RANK = {room: rank for rank, rooms in enumerate(LAYERS) for room in rooms}
FORBIDDEN = {"utils", "util", "helpers", "helper", "common", "base", "manager", "misc", "tools"}
LONG_FILES: dict[str, int] = {}
"""Files that may be longer than 400 lines, with their limit."""
TEST_TOOLS = {"pytest", "hypothesis", "nbclient", "nbformat", "ipykernel"}

FILES = sorted(ROOT.rglob("*.py"))
files = pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(ROOT)))


def tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


def room(file: Path) -> str:
    return file.relative_to(ROOT).parts[0].removesuffix(".py")


def imports(file: Path) -> Iterator[tuple[int, str]]:
    """Line and dotted name of everything a file imports, at the top or inside functions."""
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.Import):
            for name in node.names:
                yield node.lineno, name.name
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file.name}:{node.lineno}: write the import in full"
            for name in node.names:
                yield node.lineno, f"{node.module}.{name.name}"


@files
def test_imports_go_one_way(file: Path) -> None:
    own = room(file)
    if own == "__init__":  # the top of the house: names of all rooms, imported lazily
        return
    assert own in RANK, f"{own} is a room that LAYERS does not know"
    for line, name in imports(file):
        parts = name.split(".")
        if parts[0] != "omnisim":
            assert parts[0] not in TEST_TOOLS, f"{file.name}:{line}: {parts[0]} is a test tool"
            continue
        if name == "omnisim.__version__":
            continue
        assert len(parts) > 1, f"{file.name}:{line}: omnisim must not import itself"
        assert parts[1] in RANK, f"{file.name}:{line}: import from the room, not from omnisim: {name}"
        assert parts[1] == own or RANK[parts[1]] > RANK[own], f"{file.name}:{line}: {own} must not import {parts[1]}"


@files
def test_size_and_names(file: Path) -> None:
    lines = file.read_text(encoding="utf-8").count("\n")
    limit = LONG_FILES.get(str(file.relative_to(ROOT)), 400)
    assert lines <= limit, f"{lines} lines: split by idea"
    assert file.stem not in FORBIDDEN
    for node in ast.walk(tree(file)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            assert length <= 100, f"{node.name} has {length} lines"


def public(body: list[ast.stmt], prefix: str = "") -> Iterator[tuple[str, ast.FunctionDef | ast.ClassDef]]:
    for node in body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield prefix + node.name, node
            if isinstance(node, ast.ClassDef):
                yield from public(node.body, f"{prefix}{node.name}.")


@files
def test_public_names_are_documented(file: Path) -> None:
    module = tree(file)
    if module.body:
        assert ast.get_docstring(module), "the module says nothing"
    for name, node in public(module.body):
        assert ast.get_docstring(node), f"{name} has no docstring"


@files
def test_public_functions_are_called_plainly(file: Path) -> None:
    for name, node in public(tree(file).body):
        if isinstance(node, ast.FunctionDef) and not node.decorator_list:
            assert node.args.kwarg is None, f"{name} takes **{node.args.kwarg and node.args.kwarg.arg}"
            assert "verbose" not in {argument.arg for argument in (*node.args.args, *node.args.kwonlyargs)}


def test_door_has_at_most_twenty_true_names() -> None:
    assert len(omnisim.__all__) <= 20
    assert sorted(omnisim.__all__) == dir(omnisim)
    for name in omnisim.__all__:
        assert getattr(omnisim, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'teleport'"):
        _ = omnisim.teleport  # type: ignore[attr-defined]


def test_no_module_takes_the_place_of_a_verb() -> None:
    verbs = set(omnisim.__all__)
    assert not verbs & {path.stem for path in ROOT.iterdir()}


def test_type_checkers_see_the_same_names() -> None:
    block = next(node for node in tree(ROOT / "__init__.py").body if isinstance(node, ast.If))
    seen = {name.name for node in block.body if isinstance(node, ast.ImportFrom) for name in node.names}
    assert seen | {"__version__"} == set(omnisim.__all__)


def python(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60).stdout


def test_import_is_quick_and_light() -> None:
    code = ("import time, sys; start = time.process_time(); import omnisim; "
            "print(time.process_time() - start, *sys.modules)")
    seconds = statistics.median(float(python(code).split()[0]) for _ in range(3))
    assert seconds <= 0.25
    assert not {"numpy", "pandas", "numba", "pydantic", "matplotlib"} & set(python(code).split())


def test_help_imports_nothing_heavy() -> None:
    code = ("import sys; from omnisim.cli import main; main(['--help']); "
            "print(*sys.modules, file=sys.stderr)")
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True, timeout=60)
    assert "calibrate" in done.stdout
    assert not {"numpy", "pandas", "numba", "pydantic", "matplotlib", "scipy", "simpy"} & set(done.stderr.split())
