"""Write a scenario: plain YAML that people read, a canonical form that is hashed, and files replaced whole."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from omnisim.errors import Fault, StorageError
from omnisim.scenario.scalars import resolve

_SAFE = re.compile(r"[^\W\d_][\w]*(?:[ /-][\w]+)*", re.UNICODE)
_YAML_1_1 = frozenset(("yes", "no", "on", "off", "y", "n"))


def digest(content: object) -> str:
    """SHA-256 of resolved content, whatever the order of its keys."""
    text = json.dumps(_settled(content), ensure_ascii=True, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()


def _settled(value: object) -> object:
    if isinstance(value, Mapping):
        return {str(key): _settled(item) for key, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [_settled(item) for item in value]
    return value + 0.0 if isinstance(value, float) else value  # -0.0 is 0.0


def to_yaml(content: Mapping[str, object]) -> str:
    """Plain mappings, lists and scalars as strict YAML, Chinese readable."""
    lines: list[str] = []
    _mapping(content, "", lines)
    return "\n".join(lines) + "\n"


def _mapping(content: Mapping[str, object], indent: str, lines: list[str]) -> None:
    for key, value in content.items():
        if isinstance(value, Mapping) and value:
            lines.append(f"{indent}{key}:")
            _mapping(value, indent + "  ", lines)
        elif isinstance(value, list | tuple) and any(isinstance(item, Mapping) for item in value):
            lines.append(f"{indent}{key}:")
            for item in value:
                start = len(lines)
                _mapping(item, indent + "    ", lines)
                lines[start] = f"{indent}  - {lines[start][len(indent) + 4:]}"
        else:
            lines.append(f"{indent}{key}: {_scalar(value)}")


def _scalar(value: object) -> str:
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_scalar, value))}]"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{key}: {_scalar(item)}' for key, item in value.items())}}}"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, int):
        return str(value)
    text = str(value)
    is_plain = bool(_SAFE.fullmatch(text)) and text.casefold() not in _YAML_1_1 and resolve(text) == text
    is_date = re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text)
    # JSON's quotes are YAML's double quotes; what JSON leaves bare and YAML 1.1 breaks lines at is escaped.
    quoted = re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda c: f"\\u{ord(c[0]):04x}",
                    json.dumps(text, ensure_ascii=False))
    return text if is_plain or is_date else quoted


def replace_file(path: str | Path, text: str) -> None:
    """Put a file in place, whole or not at all: temporary file, fsync, rename, fsync of the folder.

    Raises
    ------
    StorageError  where the system refuses
    """
    path = Path(path)
    temporary = ""
    try:
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name[:64]}.", suffix=".part")
        with os.fdopen(handle, "w", encoding="utf-8", newline="\n") as stream:
            stream.write(text)
            stream.flush()
            os.fsync(stream.fileno())
        os.chmod(temporary, 0o644)
        os.replace(temporary, path)
        temporary = ""
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise StorageError(Fault("", "file", str(path), f"cannot be written: {reason}",
                                 "Check that the folder exists, is writable and has room.")) from None
    finally:
        if temporary:
            os.unlink(temporary)
