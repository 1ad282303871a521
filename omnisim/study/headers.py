"""Headers of tables as people write them: a name, and the unit in brackets."""

from __future__ import annotations

import re
from decimal import Decimal

from omnisim.study.figures import UNITS, plain_text

HEADER_ROWS = 10
"""Rows of a sheet among which the header is looked for; titles may stand above it."""
HEADER_UNITS = {
    **dict.fromkeys(["", "元", "cny", "rmb", "¥", "元/单", "元/天", "人", "人/月", "人次", "次", "次/天"], Decimal(1)),
    "千元": UNITS["千"], "万": UNITS["万"], "万元": UNITS["万"], "万人": UNITS["万"], "亿元": UNITS["亿"],
    "%": UNITS["%"], "‰": UNITS["‰"],
}
"""Units that a header may carry in brackets; one with any other bracket is another column."""


def plain_key(header: str) -> str:
    """A header by which others that mean the same are found: without case, spaces, dashes and underscores."""
    return re.sub(r"[\s_-]", "", header.casefold())


def split_header(cell: object) -> tuple[str, Decimal] | None:
    """Key of a header and factor of the unit in its brackets; None where the bracket is no unit."""
    match = re.fullmatch(r"([^()\[\]]+)(?:[(\[]([^()\[\]]*)[)\]])?", plain_text(cell))
    factor = HEADER_UNITS.get(plain_key(match[2] or "")) if match else None
    return (plain_key(match[1]), factor) if match and factor is not None else None
