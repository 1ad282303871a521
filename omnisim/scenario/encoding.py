"""From bytes to text: UTF-8, without tabs and unseen characters, each fault with its place."""

from __future__ import annotations

import re

from omnisim.errors import Fault, ScenarioError

# Line breaks of YAML 1.1 that 1.2 does not know, and characters no editor shows.
_UNSEEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|\r(?!\n)")


def decode(raw: bytes, file: str) -> str:
    """The text of a UTF-8 file, with or without byte order mark, LF or CRLF.

    Raises
    ------
    ScenarioError  for another encoding, or characters that cannot be seen
    """
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff") or raw[:4].count(0) >= 2:
        raise ScenarioError(Fault(file, "encoding", "UTF-16 or UTF-32", "must be UTF-8", "Save the file as UTF-8."))
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        good = raw[:error.start].decode("utf-8-sig")
        raise ScenarioError(Fault(_place(file, good, len(good)), "encoding", f"byte 0x{raw[error.start]:02x}",
                                  "must be UTF-8", "Save the file as UTF-8 (it may be GBK or GB18030).")) from None
    faults = [Fault(_place(file, text, match.start()), "character", f"U+{ord(match[0]):04X}",
                    "cannot be seen and is not allowed", "Delete it.")
              for match, _ in zip(_UNSEEN.finditer(text), range(100), strict=False)]
    faults += [Fault(_place(file, text, match.start()), "tab", "", "tabs are not allowed", "Use spaces.")
               for match, _ in zip(re.finditer("\t", text), range(100), strict=False)]
    if faults:
        raise ScenarioError(*faults)
    return text


def _place(file: str, text: str, index: int) -> str:
    return f"{file}:{text.count(chr(10), 0, index) + 1}:{index - text.rfind(chr(10), 0, index)}"
