"""What an unquoted word means: the YAML 1.2 core schema, with the doubtful refused."""

from __future__ import annotations

import re

MAX_DIGITS = 40

_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_RADIX = re.compile(r"0o[0-7]+|0x[0-9a-fA-F]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_INFINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LEADING_ZERO = re.compile(r"[-+]?0[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]+)?", re.ASCII)
_WORDS: dict[str, bool | None] = {
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}


def resolve(text: str) -> object:
    """Meaning of an unquoted scalar by the YAML 1.2 core schema; ValueError carries rule and fix of a refusal."""
    if text in _WORDS:
        return _WORDS[text]
    if _LEADING_ZERO.fullmatch(text):
        bare = re.sub(r"^([-+]?)0+(?=[0-9])", r"\1", text)
        raise ValueError("a number must not start with 0", f'Write {bare}, or "{text}" in quotes for text.')
    if _INT.fullmatch(text) or _RADIX.fullmatch(text):
        if len(text) > MAX_DIGITS:
            raise ValueError("is too large a number", f"Write at most {MAX_DIGITS} digits.")
        return int(text, 0)
    if _INFINITE.fullmatch(text):
        raise ValueError("must be a finite number", "Write a figure, or leave the line out.")
    if _FLOAT.fullmatch(text):
        number = float(text)
        if number in (float("inf"), float("-inf")):
            raise ValueError("is too large a number", "Write at most 1e300.")
        return number
    return text
