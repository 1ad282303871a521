"""Change single numbers of a scenario file and nothing else, or write what differs from it as an overlay."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from omnisim.errors import Fault, UsageError
from omnisim.scenario.encoding import decode
from omnisim.scenario.load import load, read_bytes
from omnisim.scenario.model import Scenario
from omnisim.scenario.text import Node, parse
from omnisim.scenario.write import replace_file, to_yaml


def rewrite(path: str | Path, values: Mapping[str, float]) -> None:
    """Write numbers into a scenario file, each in the place where it stands, or below the first key of its section.

    Numbers by name take the place of one number for all.

    Parameters
    ----------
    path : path  a scenario file without faults
    values : dotted path -> number

    Raises
    ------
    UsageError  naming every value that the file has no section for, as an overlay has not
    StorageError  where the file cannot be written
    """
    raw = read_bytes(Path(path), str(path))
    text = decode(raw, str(path))
    nodes = dict(parse(raw, str(path))[0].walk())
    lines = text.split("\n")
    faults = []
    added: dict[int, list[str]] = {}
    # from right to left, so that places on a line stay true
    for name, written in sorted(_texts(values, nodes).items(), key=lambda item: _place(nodes.get(item[0])),
                                reverse=True):
        node, parent = nodes.get(name), nodes.get(name.rpartition(".")[0])
        first = next(iter(parent.value.values()), None) if parent and isinstance(parent.value, dict) else None
        if node is not None and not isinstance(node.value, dict | list):
            lines[node.line - 1] = _put(lines[node.line - 1], node, written)
        elif first is not None and not isinstance(first.value, dict | list) and first.key_line > (
                parent.key_line if parent else 0):
            key = name.rpartition(".")[2]
            added.setdefault(first.line, []).append(f"{' ' * (first.key_column - 1)}{key}: {written}")
        else:
            faults.append(Fault(str(path), name, "not there", "must stand in the file to be written",
                                "Add it there, or update the file that it extends."))
    if faults:
        raise UsageError(*faults)
    for line in sorted(added, reverse=True):
        lines[line:line] = sorted(added[line])
    replace_file(path, "\n".join(lines))
    load(path)


def write_back(path: str | Path, values: Mapping[str, float], scenario: Scenario) -> Path:
    """Write numbers into a scenario file; where it has no place for one of them, an overlay takes them all.

    Parameters
    ----------
    path : path  a scenario file without faults
    values : dotted path -> number
    scenario : Scenario  the file's, with these values

    Returns
    -------
    Path  of the file that has them: the one given, or NAME_fitted beside it, which extends it

    Raises
    ------
    StorageError  where the file cannot be written
    """
    path = Path(path)
    try:
        rewrite(path, values)
    except UsageError:
        base, path = path.name, path.with_name(f"{path.stem}_fitted{path.suffix}")
        write_overlay(path, base, scenario, f"{base}, with all that was fitted")
    return path


def write_overlay(path: str | Path, base: str, scenario: Scenario, comment: str) -> None:
    """Write a scenario as what differs from a file in the same folder, which it extends.

    Parameters
    ----------
    path : path  of the overlay, written over
    base : str  name of the file that it extends
    comment : str  its first line

    Raises
    ------
    StorageError  where the file cannot be written
    """
    path = Path(path)
    old, new = load(path.parent / base).to_dict(), scenario.to_dict()
    replace_file(path, f"# {comment}\n" + to_yaml({"extends": base} | _different(old, new)))


def _different(old: Mapping[str, object], new: Mapping[str, object]) -> dict[str, object]:
    """What is new, mapping by mapping; lists as a whole."""
    found: dict[str, object] = {}
    for key, value in new.items():
        before = old.get(key)
        if isinstance(value, Mapping) and isinstance(before, Mapping):
            if below := _different(before, value):
                found[key] = below
        elif value != before:
            found[key] = value
    return found


def _texts(values: Mapping[str, float], nodes: Mapping[str, Node]) -> dict[str, str]:
    """What is to be written, by place: a number, or numbers by name where one number stands for all."""
    found: dict[str, str] = {}
    parts: dict[str, list[str]] = {}
    for name, value in values.items():
        above, _, key = name.rpartition(".")
        if above in nodes and not isinstance(nodes[above].value, dict | list):
            parts.setdefault(above, []).append(f"{key}: {value:.6g}")
        else:
            found[name] = f"{value:.6g}"
    return found | {name: f"{{{', '.join(texts)}}}" for name, texts in parts.items()}


def _place(node: Node | None) -> tuple[int, int]:
    return (node.line, node.column) if node is not None else (0, 0)


def _put(line: str, node: Node, written: str) -> str:
    """The line with the node's text changed; a comment behind it keeps its column where there is room."""
    before, rest = line[:node.column - 1], line[node.column - 1 + len(node.text):]
    comment = re.fullmatch(r'([^#"]*?)( +)(#.*)', rest)
    if comment:
        after = before + written + comment[1]
        return after.ljust(len(line) - len(comment[3]) - 1) + " " + comment[3]
    return before + written + rest
