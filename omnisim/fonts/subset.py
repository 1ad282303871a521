"""Make the Chinese font of the plots: GB2312 and signs out of Noto Sans CJK SC. For maintainers; never run by users.

Usage: python -m omnisim.fonts.subset NotoSansCJK-Regular.ttc   (Debian: package fonts-noto-cjk)
"""

from __future__ import annotations

import sys
from pathlib import Path

FAMILY = "Omnisim Sans SC"
FACE = 2
"""Simplified Chinese in the collection."""
SIGNS = "¥€£·–—…×÷±≥≤→←−‰“”‘’ ²³½αβ"


def characters() -> set[int]:
    """Code points kept: ASCII, GB2312 and a few signs."""
    kept = {*range(0x20, 0x7F), *map(ord, SIGNS)}
    for high in range(0xA1, 0xF8):
        for low in range(0xA1, 0xFF):
            kept.update(map(ord, bytes((high, low)).decode("gb2312", errors="ignore")))
    return kept


def make_font(source: Path, target: Path) -> None:
    """Write the subset, without hints and layout features, under a family name of its own."""
    from fontTools.subset import Options, Subsetter  # type: ignore[import-untyped]
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]

    font = TTFont(source, fontNumber=FACE, recalcTimestamp=False)
    options = Options()
    options.hinting = False
    options.layout_features = []
    options.drop_tables += ["BASE", "GDEF", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]
    options.name_IDs = [0, 1, 2, 3, 4, 5, 6, 13, 14]
    options.name_languages = [0x409]
    subsetter = Subsetter(options)
    subsetter.populate(unicodes=sorted(characters()))
    subsetter.subset(font)
    for number, text in ((1, FAMILY), (4, FAMILY), (6, FAMILY.replace(" ", "")), (3, FAMILY.replace(" ", ""))):
        font["name"].setName(text, number, 3, 1, 0x409)
    font.save(target)


if __name__ == "__main__":
    make_font(Path(sys.argv[1]), Path(__file__).with_name("OmnisimSansSC.otf"))
