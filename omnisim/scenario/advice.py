"""What to say to a value that cannot be accepted: the rule in plain words and the cure."""

from __future__ import annotations

import difflib
import re
import unicodedata
from typing import Any

from omnisim.scenario.text import Node

NAME_RULE = "must start with a small letter and hold only a-z, 0-9 and _, at most 32"
_COUNTS = {"万": 1e4, "亿": 1e8, "k": 1e3, "m": 1e6}


def plainly(number: float) -> str:
    """A limit as people write it: 1,000,000 and 0.05."""
    return f"{int(number):,}" if number == int(number) else f"{number:g}"


def number_hint(node: Node, whole: bool) -> str:
    """How to write the number that was meant."""
    value = node.value
    if value is None:
        return "Write a number, or leave the line out."
    if isinstance(value, bool):
        return "Write a figure, not true or false."
    if isinstance(value, float) and whole and value.is_integer():
        return f"Write {int(value)}."
    if isinstance(value, str):
        number = _figure(value)
        if number is not None:
            return f"Write {number} (plain digits, no quotes, separators or units)."
        if value.casefold() in ("yes", "no", "on", "off"):
            return "yes and no are text in YAML 1.2: write a figure."
    return "Write plain digits, as 1200 or 0.05."


def _figure(text: str) -> str | None:
    """The number that a person meant by 200,000 or 3.1 % or 12.6万, full-width digits too."""
    bare = unicodedata.normalize("NFKC", text).strip().lstrip("¥$€£ ").casefold()
    match = re.fullmatch(r"([-+]?[0-9][0-9,_ ]*(?:\.[0-9]+)?(?:e[-+]?[0-9]{1,3})?)\s*(%|万|亿|k|m|元|cny|yuan)?", bare)
    if not match or len(bare) > 40:
        return None
    number = float(re.sub(r"[,_ ]", "", match[1]))
    number = number / 100 if match[2] == "%" else number * _COUNTS.get(match[2] or "", 1)
    return f"{number:.12g}" if number == number else None


def did_you_mean(word: str, known: list[str]) -> str:
    """A suggestion, or the words to choose from."""
    plain = unicodedata.normalize("NFKC", word).casefold()
    close = difflib.get_close_matches(plain, known, n=1) if len(plain) <= 64 else []
    if close:
        return f"Did you mean {close[0]}?"
    return f"Choose from {', '.join(known)}." if known else "Remove it."


def other(context: dict[str, Any]) -> tuple[str, str]:
    """Rule and cure for what has no words of its own."""
    return "cannot be accepted here", "See omnisim schema for what may stand here."


RULES: dict[str, Any] = {
    "bool_type": lambda c: ("must be true or false", "Write true or false, without quotes."),
    "bool_parsing": lambda c: ("must be true or false", "Write true or false, without quotes."),
    "string_type": lambda c: ("must be text", "Put it in quotes."),
    "string_unicode": lambda c: ("must be text", "Remove the broken characters."),
    "string_too_short": lambda c: (f"must have at least {c['min_length']} character", "Give it a name."),
    "string_too_long": lambda c: (f"must have at most {c['max_length']} characters", "Shorten it."),
    "string_pattern_mismatch": lambda c: _pattern(c["pattern"]),
    "too_short": lambda c: (f"must have at least {_entries(c['min_length'])}", "Add one."),
    "too_long": lambda c: (f"must have at most {_entries(c['max_length'])}", "Remove some."),
    "dict_type": lambda c: ("must be a mapping of keys to values", "Write key: value lines below it."),
    "model_type": lambda c: ("must be a mapping of keys to values", "Write key: value lines below it."),
    "model_attributes_type": lambda c: ("must be a mapping of keys to values", "Write key: value lines below it."),
    "tuple_type": lambda c: ("must be a list", "Write it as [a, b], or as lines that start with a dash."),
    "list_type": lambda c: ("must be a list", "Write it as [a, b], or as lines that start with a dash."),
}


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"


def _pattern(pattern: str) -> tuple[str, str]:
    if pattern.startswith("^[a-z]"):
        return NAME_RULE, "Rename it."
    return "must be one line of plain text", "Remove line breaks and unseen characters."
