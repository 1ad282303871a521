"""The starter scenario: a small brand with comments, and an overlay that shows how to vary it."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from omnisim.errors import Fault, StorageError, UsageError
from omnisim.scenario.write import replace_file

FILES = ("scenario.yaml", "more_budget.yaml")


def write(directory: str | Path) -> list[Path]:
    """Write the starter files into a new or empty directory and return their paths.

    Raises
    ------
    UsageError  where the directory holds something else
    StorageError  where it cannot be written
    """
    directory = Path(directory)
    folder = resources.files(__package__).joinpath("starter_files")
    texts = {name: folder.joinpath(name).read_text(encoding="utf-8") for name in FILES}
    try:
        directory.mkdir(parents=True, exist_ok=True)
        others = sorted(entry.name for entry in directory.iterdir()
                        if texts.get(entry.name) != (entry.read_text(encoding="utf-8", errors="replace")
                                                     if entry.is_file() else None))
    except OSError as error:
        raise StorageError(Fault("", "directory", str(directory), f"cannot be used: {error.strerror}",
                                 "Name another directory.")) from None
    if others:
        raise UsageError(Fault("", "directory", str(directory), f"holds something else already ({others[0]})",
                               "Name a new directory."))
    for name, text in texts.items():
        replace_file(directory / name, text)
    return [directory / name for name in FILES]
