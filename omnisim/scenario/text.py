"""Strict YAML 1.2: text in, a tree of nodes out, each with its place and everything doubtful refused.

A node keeps what was written beside what it means, so that later faults can quote it. Scalars follow the YAML 1.2
core schema; aliases, anchors, tags, tabs, duplicate keys and second documents are refused with their place.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ruamel.yaml.error import YAMLError

from omnisim.errors import Fault, ScenarioError
from omnisim.scenario.encoding import decode
from omnisim.scenario.scalars import MAX_DIGITS, resolve

MAX_BYTES = 1_000_000
MAX_DEPTH = 32
MAX_NODES = 50_000


@dataclass(slots=True)
class Node:
    """A value with its place: a scalar, a mapping of nodes or a list of nodes.

    ``text`` is the scalar as written; ``key_line`` and ``key_column`` are the place of its key. Places count from 1;
    line 0 means that the value came from Python and ``file`` names the argument. A ``broken`` node was refused already.
    """

    value: Any
    file: str
    line: int = 0
    column: int = 0
    text: str = ""
    key_line: int = 0
    key_column: int = 0
    broken: bool = False

    @property
    def where(self) -> str:
        """Place of the value."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    @property
    def key_where(self) -> str:
        """Place of its key."""
        return f"{self.file}:{self.key_line}:{self.key_column}" if self.key_line else self.where

    def plain(self) -> Any:
        """The value as plain mappings, lists and scalars."""
        if isinstance(self.value, dict):
            return {key: node.plain() for key, node in self.value.items()}
        if isinstance(self.value, list):
            return [node.plain() for node in self.value]
        return self.value

    def walk(self, path: str = "") -> Iterator[tuple[str, Node]]:
        """This node and all below, each with its dotted path."""
        yield path, self
        if isinstance(self.value, dict | list):
            for part, child in self.value.items() if isinstance(self.value, dict) else enumerate(self.value):
                yield from child.walk(f"{path}.{shorten(str(part))}" if path else shorten(str(part)))


def parse(raw: bytes, file: str) -> tuple[Node, list[Fault]]:
    """The tree of a file and the faults found on the way; faulty nodes are marked broken or keep their first meaning.

    Raises
    ------
    ScenarioError  where the text is no YAML at all, or past a cap (1 MB, depth 32, 50,000 nodes)
    """
    if len(raw) > MAX_BYTES:
        raise ScenarioError(Fault(file, "size", f"over {MAX_BYTES:,} bytes", "must be at most 1 MB",
                                  "Split it, or drop what is not used."))
    text = decode(raw, file)
    composer = _Composer(text, file)
    try:
        root = composer.compose()
    except YAMLError as error:
        mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
        place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        raise ScenarioError(*composer.faults, Fault(place, "YAML", "", f"cannot be read: {problem}",
                                                    "Check quotes, colons and indentation here.")) from None
    return root, composer.faults


def read_value(text: str, where: str = "value") -> Any:
    """One YAML value as a command line gives it: `2000`, `true`, `[1, 2]`, `抖音`.

    Raises
    ------
    ScenarioError  for what a scenario file would refuse
    """
    if not text.strip():
        return None
    root, faults = parse(text.encode("utf-8", "surrogatepass"), where)
    if faults:
        raise ScenarioError(*faults)
    return root.plain()


class _Composer:
    """Builds nodes from parser events without recursion, so that depth is ours to limit."""

    def __init__(self, text: str, file: str) -> None:
        self.file = file
        self.faults: list[Fault] = []
        self.count = 0
        self.next = _events(text)

    def compose(self) -> Node:
        root: Node | None = None
        documents = 0
        while (event := self.next()) is not None:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                documents += 1
                self._refuse_directives(event)
                if documents > 1:
                    raise ScenarioError(*self.faults, Fault(self._at(event), "document", "a second one",
                                                            "a file holds one document", "Remove the line ---."))
            elif kind not in ("StreamStartEvent", "StreamEndEvent", "DocumentEndEvent"):
                root = self._tree(event)
        if root is None or (root.value is None and not root.text and not root.broken):
            raise ScenarioError(Fault(self.file, "file", "nothing", "must hold a mapping of keys to values",
                                      "Start from omnisim new DIR."))
        if self.faults:
            self._name_places(root)
        return root

    def _name_places(self, root: Node) -> None:
        """Faults of values say which value, now that the tree is known."""
        names = {node.where: path for path, node in root.walk()}
        self.faults = [Fault(fault.where, names.get(fault.where) or fault.what, fault.got, fault.rule, fault.fix)
                       if fault.what == "value" else fault for fault in self.faults]

    def _tree(self, event: Any) -> Node:
        root = self._node(event)
        stack = [root] if isinstance(root.value, dict | list) else []
        while stack:
            parent = stack[-1]
            event = self.next()
            if type(event).__name__ in ("MappingEndEvent", "SequenceEndEvent"):
                stack.pop()
                continue
            if isinstance(parent.value, list):
                child = self._node(event)
                parent.value.append(child)
            else:
                child = self._entry(parent, event)
            if isinstance(child.value, dict | list):
                stack.append(child)
                if len(stack) > MAX_DEPTH:
                    raise ScenarioError(*self.faults, Fault(child.where, "nesting", f"over {MAX_DEPTH} levels",
                                                            f"must be at most {MAX_DEPTH} deep", "Flatten it."))
        return root

    def _entry(self, parent: Node, event: Any) -> Node:
        if type(event).__name__ != "ScalarEvent":
            raise ScenarioError(*self.faults, Fault(self._at(event), "key", "a list, mapping or alias",
                                                    "a key must be plain text", "Write a name before the colon."))
        key = self._node(event, is_key=True)
        child = self._node(self.next())
        child.key_line, child.key_column = key.line, key.column
        if key.text in parent.value:
            first = parent.value[key.text]
            self.faults.append(Fault(key.where, shorten(key.text), "", "is given twice, first on line "
                                     f"{first.key_line}", "Keep one of the two."))
        else:
            parent.value[key.text] = child
        return child

    def _node(self, event: Any, *, is_key: bool = False) -> Node:
        self.count += 1
        if self.count > MAX_NODES:
            raise ScenarioError(*self.faults, Fault(self._at(event), "size", f"over {MAX_NODES:,} values",
                                                    f"must be at most {MAX_NODES:,} values", "Split the file."))
        node = Node(None, self.file, event.start_mark.line + 1, event.start_mark.column + 1)
        kind = type(event).__name__
        if kind == "AliasEvent":
            return self._break(node, f"*{event.anchor}", "aliases are not allowed", "Write the value out.")
        node.value = {} if kind == "MappingStartEvent" else [] if kind == "SequenceStartEvent" else None
        if kind == "ScalarEvent":
            node.text = event.value
            self._scalar(node, event, is_key)
        if event.anchor is not None:
            self._break(node, f"&{event.anchor}", "anchors are not allowed", "Remove it.", keep=True)
        if event.tag is not None:
            self._break(node, str(event.tag), "tags are not allowed", "Remove it.")
        return node

    def _scalar(self, node: Node, event: Any, is_key: bool) -> None:
        if is_key or event.style in ("'", '"', "|", ">") or event.tag is not None:
            node.value = node.text
            return
        try:
            node.value = resolve(node.text)
        except ValueError as error:
            rule, fix = error.args
            self._break(node, node.text, rule, fix)

    def _break(self, node: Node, got: str, rule: str, fix: str, *, keep: bool = False) -> Node:
        self.faults.append(Fault(node.where, "value", shorten(got), rule, fix))
        node.broken = not keep
        return node

    def _refuse_directives(self, event: Any) -> None:
        if event.tags or event.version not in (None, (1, 2)):
            self.faults.append(Fault(self._at(event), "directive", "%YAML or %TAG", "files are YAML 1.2, without tags",
                                     "Remove the line."))

    def _at(self, event: Any) -> str:
        return f"{self.file}:{event.start_mark.line + 1}:{event.start_mark.column + 1}"


def _events(text: str) -> Callable[[], Any]:
    """The next parser event, or None: libyaml's parser where installed, else ruamel's own (15 times slower)."""
    try:
        from _ruamel_yaml import CParser  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from ruamel.yaml import YAML

        events = iter(YAML(typ="safe", pure=True).parse(text))
        return lambda: next(events, None)
    return CParser(text).get_event  # type: ignore[no-any-return, unused-ignore]


def from_python(value: object, where: str) -> Node:
    """A tree of values that came from Python; numpy scalars become numbers, anything else stays for the rules to judge.

    Raises
    ------
    ScenarioError  past the caps of a file
    """
    count = 0

    def build(item: object, depth: int) -> Node:
        nonlocal count
        count += 1
        if depth > MAX_DEPTH or count > MAX_NODES:
            raise ScenarioError(Fault(where, "value", "", f"must be at most {MAX_DEPTH} deep and {MAX_NODES:,} values",
                                      "Make it smaller."))
        if hasattr(item, "model_dump"):
            item = item.model_dump()
        if isinstance(item, Mapping):
            return Node({str(key): build(child, depth + 1) for key, child in item.items()}, where)
        if isinstance(item, Sequence) and not isinstance(item, str | bytes):
            return Node([build(child, depth + 1) for child in item], where)
        if type(item).__module__ == "numpy" and hasattr(item, "item"):
            item = item.item()
        if isinstance(item, int) and abs(item) >= 10 ** MAX_DIGITS:
            item = float("inf")  # as far beyond any limit, and printable
        return Node(item, where, text=str(item))

    return build(value, 1)


def shorten(text: str, width: int = 60) -> str:
    """Foreign text as a fault shows it: bounded, and nothing that moves a terminal's cursor."""
    shown = "".join(c if c.isprintable() or c == "\u3000" else f"\\u{ord(c):04x}" for c in text[:width])
    return shown + "…" if len(text) > width else shown


def quote(node: Node) -> str:
    """The value as a fault shows it."""
    if isinstance(node.value, dict):
        return "a mapping"
    if isinstance(node.value, list):
        return f"a list of {len(node.value)}"
    if node.value is None:
        return shorten(node.text) or "nothing"
    if isinstance(node.value, bool) and not node.line:
        return str(node.value).lower()
    return shorten(node.text) or '""'
