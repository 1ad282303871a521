"""Read a scenario: strict YAML, overlays inside the scenario's folder, every fault at once with its place."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel

from omnisim.errors import Fault, OmnisimError, ScenarioError, StorageError
from omnisim.scenario.migrate import migrate
from omnisim.scenario.model import Scenario
from omnisim.scenario.text import MAX_BYTES, Node, from_python, parse, quote
from omnisim.scenario.validate import relocate, validate

M = TypeVar("M", bound=BaseModel)

MAX_LAYERS = 8
"""Files that may extend one another."""


def load(path: str | Path, *, changes: Mapping[str, object] | None = None) -> Scenario:
    """Read a scenario file, strictly.

    Parameters
    ----------
    path : str or Path  the file
    changes : mapping of str to object  dotted path -> value, applied after reading, as ``with_`` does

    Raises
    ------
    ScenarioError  with all faults at once
    StorageError  where the file cannot be read
    """
    scenario, _ = read_scenario(path)
    return scenario.with_(changes) if changes else scenario


def read_scenario(path: str | Path) -> tuple[Scenario, Node]:
    """A scenario and the tree it came from, for those who need places."""
    root, faults = read_layers(path)
    return validate(Scenario, root, faults), root


def from_mapping(data: Mapping[str, object], *, where: str = "scenario") -> Scenario:
    """A scenario from Python values, by the same rules as a file."""
    return validate(Scenario, from_python(data, where))


def read_model(path: str | Path, model: type[M]) -> M:
    """Read any pydantic model by the rules of scenario files (without overlays).

    Raises
    ------
    ScenarioError  with all faults at once
    StorageError  where the file cannot be read
    """
    return validate(model, *parse(read_bytes(Path(path), str(path)), str(path)))


def check_file(path: str | Path) -> tuple[list[Fault], list[Fault]]:
    """All faults and all warnings of a scenario file; warnings only where there is no fault."""
    from omnisim.scenario.warn import warnings

    try:
        scenario, root = read_scenario(path)
    except OmnisimError as error:
        return list(error.faults), []
    found = warnings(scenario)
    return [], relocate(ScenarioError(*found), root) if found else []


def read_bytes(path: Path, shown: str, *, where: str = "", follow: bool = True, most: int = MAX_BYTES) -> bytes:
    """The bytes of a regular file, at most one more than `most`; folders, devices and pipes are refused.

    Raises
    ------
    ScenarioError  for what is missing or no regular file
    StorageError  where the system refuses
    """
    where = where or shown
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    try:
        handle = os.open(path, flags)
    except (FileNotFoundError, NotADirectoryError):
        raise ScenarioError(Fault(where, "file", shown, "does not exist", "Check the name.")) from None
    except (ValueError, UnicodeError):
        raise ScenarioError(Fault("", "file", repr(shown)[:80], "is no file name", "Check the name.")) from None
    except OSError as error:
        raise StorageError(Fault(where, "file", shown, f"cannot be read: {error.strerror}",
                                 "Check its rights.")) from None
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise ScenarioError(Fault(where, "file", shown, "must be a regular file, not a folder or device",
                                      "Name the YAML file."))
        raw = b""
        while len(raw) <= most and (part := os.read(handle, most + 1 - len(raw))):
            raw += part
        return raw
    except OSError as error:
        raise StorageError(Fault(where, "file", shown, f"cannot be read: {error.strerror}", "Try again.")) from None
    finally:
        os.close(handle)


def read_layers(path: str | Path) -> tuple[Node, list[Fault]]:
    """The tree of a scenario file with all that it extends merged below it, and the faults of reading."""
    path = Path(path)
    root, faults = parse(read_bytes(path, str(path)), str(path))
    migrate(root)
    folder, seen, current = path, [path], root
    layers: list[Node] = []
    while isinstance(current.value, dict) and "extends" in current.value:
        link = current.value.pop("extends")
        if link.broken:
            break
        path = _target(link, path, folder.parent)
        if any(_same(path, other) for other in seen):
            raise ScenarioError(*faults, Fault(link.where, "extends", quote(link), "must not lead back to itself",
                                               "Extend a file that stands on its own."))
        if len(seen) == MAX_LAYERS:
            raise ScenarioError(*faults, Fault(link.where, "extends", quote(link), f"at most {MAX_LAYERS} files may "
                                               "extend one another", "Merge some of them."))
        seen.append(path)
        current, more = parse(read_bytes(path, quote(link), where=link.where, follow=False), str(path))
        faults += more
        migrate(current)
        if not isinstance(current.value, dict):
            raise ScenarioError(*faults, Fault(current.where, "file", quote(current),
                                               "must be a mapping of keys to values", "Write lines like name: launch."))
        layers.append(current)
    for base in layers:
        root = merge(base, root)
    return root, faults


def merge(base: Node, over: Node) -> Node:
    """One tree laid over another: mappings merge deeply, anything else replaces; values keep their own places."""
    if not (isinstance(base.value, dict) and isinstance(over.value, dict)):
        return over
    value = dict(base.value)
    for key, node in over.value.items():
        value[key] = merge(value[key], node) if key in value else node
    return Node(value, over.file, over.line, over.column, over.text, over.key_line, over.key_column)


def _target(link: Node, path: Path, folder: Path) -> Path:
    """The file that ``extends`` names, which must lie in the folder of the scenario."""
    text = link.value
    if not isinstance(text, str) or not text or "\0" in text:
        raise ScenarioError(Fault(link.where, "extends", quote(link), "must be the name of a file beside this one",
                                  "Write extends: other.yaml."))
    target = path.parent / text
    outside = os.path.isabs(text) or ".." in Path(text).parts or "\\" in text
    if not outside:
        home, real = os.path.realpath(folder), os.path.realpath(target)
        outside = os.path.commonpath((home, real)) != home
    if outside:
        raise ScenarioError(Fault(link.where, "extends", quote(link), "must stay inside the scenario's folder",
                                  "Copy the file here and name it without folders above."))
    if os.path.islink(target):
        raise ScenarioError(Fault(link.where, "extends", quote(link), "must not be a symbolic link",
                                  "Name the file itself."))
    return target


def _same(one: Path, other: Path) -> bool:
    return os.path.realpath(one) == os.path.realpath(other)
