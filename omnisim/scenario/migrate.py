"""Older scenario files brought to today's format: one function per version, each on the tree of nodes."""

from __future__ import annotations

from collections.abc import Callable

from omnisim.errors import Fault, ScenarioError
from omnisim.scenario.model import SCHEMA_VERSION
from omnisim.scenario.text import Node

MIGRATIONS: dict[int, Callable[[Node], None]] = {}
"""Version -> the function that turns its tree into that of the next version, in place."""


def migrate(root: Node) -> None:
    """Bring a tree to today's version, in place; a file that gives no version is of today's.

    Raises
    ------
    ScenarioError  for a file written for a newer omnisim
    """
    node = root.value.get("schema_version") if isinstance(root.value, dict) else None
    if node is None or type(node.value) is not int:
        return
    if node.value > SCHEMA_VERSION:
        raise ScenarioError(Fault(
            node.where, "schema_version", node.text or str(node.value),
            f"needs an omnisim that reads scenario version {node.value}; this is omnisim {_omnisim()}, "
            f"which reads up to {SCHEMA_VERSION}", "Upgrade with: pip install --upgrade omnisim."))
    while node.value in MIGRATIONS:
        MIGRATIONS[node.value](root)
        node.value += 1


def _omnisim() -> str:
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version("omnisim")
    except PackageNotFoundError:
        return "(not installed)"
