"""Change single values of a scenario by dotted path; nothing is lost silently."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from omnisim.errors import Fault, ScenarioError
from omnisim.scenario import catalogue
from omnisim.scenario.advice import did_you_mean
from omnisim.scenario.model import Scenario
from omnisim.scenario.text import Node, from_python, shorten
from omnisim.scenario.validate import validate

WHERE = "changes"
PLAIN = (int, float, str, bool)


def change(scenario: Scenario, changes: Mapping[str, object]) -> Scenario:
    """The scenario with the changes made and everything checked again.

    Raises
    ------
    ScenarioError  all faults at once: unknown or overlapping paths, wrong values, contradictions
    """
    quick = _change_plain(scenario, changes)
    if quick is not None:
        return quick
    root = from_python(scenario.to_dict(), "scenario")
    paths = {path: tuple(path.split(".")) for path in map(str, changes)}
    faults = _overlaps(paths)
    values = {str(path): value for path, value in changes.items()}
    # Presets first: a value given beside a new preset wins over it, whatever the order.
    for path in sorted(paths, key=lambda path: not _is_preset(paths[path])):
        fault = _set(root, path, paths[path], from_python(values[path], WHERE))
        if fault:
            faults.append(fault)
    return validate(Scenario, root, faults)


def _change_plain(scenario: Scenario, changes: Mapping[str, object]) -> Scenario | None:
    """The scenario with numbers and words in the place of others: four times as quick, as nobody need know where a
    value came from. None where more than that is changed, and where something is wrong: the long way tells what.
    """
    data = scenario.to_dict()
    for name, value in changes.items():
        path = tuple(str(name).split("."))
        if type(value) not in PLAIN or _is_preset(path):
            return None
        *above, last = path
        node: Any = data
        for part in above:
            if isinstance(node, dict):
                node = node.get(part)
            elif isinstance(node, list) and part.isascii() and part.isdigit() and len(part) < 9:
                node = node[int(part)] if int(part) < len(node) else None
            else:
                return None
        if not isinstance(node, dict) or isinstance(node.get(last, data), dict | list):
            return None
        node[last] = value
    try:
        return Scenario.model_validate(data)
    except (ValidationError, ScenarioError):
        return None


def _overlaps(paths: Mapping[str, tuple[str, ...]]) -> list[Fault]:
    """A path below another path would be overwritten or overwrite, depending on order."""
    parts = {path: name for name, path in paths.items()}
    found = []
    for name, path in paths.items():
        above = next((parts[path[:k]] for k in range(1, len(path)) if path[:k] in parts), None)
        if above is not None:
            found.append(Fault(WHERE, name, "", f"lies inside {above}, which is changed too", "Give one of the two."))
    return found


def _is_preset(path: tuple[str, ...]) -> bool:
    return len(path) == 3 and path[0] == "channels" and path[2] == "preset"


def _set(root: Node, name: str, path: tuple[str, ...], new: Node) -> Fault | None:
    node = root
    for part in path[:-1]:
        below = _child(node, part)
        if below is None:
            return _unknown(node, name, part)
        node = below
    last = path[-1]
    if isinstance(node.value, list):
        if _child(node, last) is None:
            return _unknown(node, name, last)
        node.value[int(last)] = new
    elif isinstance(node.value, dict):
        if _is_preset(path):
            _drop_preset_values(node)
        node.value[last] = new
    else:
        return _unknown(node, name, last)
    return None


def _child(node: Node, part: str) -> Node | None:
    if isinstance(node.value, list):
        inside = part.isascii() and part.isdigit() and len(part) < 9 and int(part) < len(node.value)
        return node.value[int(part)] if inside else None
    return node.value.get(part) if isinstance(node.value, dict) else None


def _unknown(node: Node, name: str, part: str) -> Fault:
    name, part = shorten(name), shorten(part)
    if isinstance(node.value, list):
        return Fault(WHERE, name, "", f"{part!r} is no index of a list of {len(node.value)}", "Count from 0.")
    if isinstance(node.value, dict):
        return Fault(WHERE, name, "", f"{part!r} is not there", did_you_mean(part, list(node.value)))
    return Fault(WHERE, name, "", f"there is nothing to hold {part!r}", "Set the section as a whole first.")


def _drop_preset_values(channel: Node) -> None:
    """Values that the old preset gave make room for those of the new one."""
    old = channel.value.get("preset")
    fields = catalogue.channel_fields(old.value) if old is not None and old.value in catalogue.presets() else {}
    for field, value in fields.items():
        if field in channel.value and channel.value[field].value == value:
            del channel.value[field]
