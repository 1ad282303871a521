"""Files that are whole or absent: temporary name, fsync, rename, fsync of the directory."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omnisim.errors import Fault, StorageError, UsageError

if TYPE_CHECKING:
    import duckdb
    import pandas as pd

MANIFEST = "manifest.json"
TEMPORARY = ".part"
"""Ending of a file that is being written."""


def write_text(path: Path, text: str, *, encoding: str = "utf-8") -> None:
    """Write a text file whole, or leave what was there.

    Raises
    ------
    StorageError  if the disk refuses
    """
    write_bytes(path, text.encode(encoding))


def write_json(path: Path, content: object) -> None:
    """Write JSON, keys sorted, so that equal content gives equal bytes."""
    write_text(path, json.dumps(content, ensure_ascii=False, indent=2, sort_keys=True) + "\n")


def write_table(path: Path, frame: pd.DataFrame) -> None:
    """Write a frame as Parquet, byte for byte the same for the same rows; dates at midnight become dates.

    Raises
    ------
    StorageError  if the disk refuses
    """
    import duckdb

    def copy(part: Path) -> None:
        with duckdb.connect(config={"threads": 1}) as base:
            copy_frame(base, frame, part)

    write_file(path, copy)


def copy_frame(base: duckdb.DuckDBPyConnection, frame: pd.DataFrame, path: Path) -> None:
    """Let a connection with one thread write a frame as Parquet.

    Raises
    ------
    OSError  if the disk refuses
    """
    import duckdb
    from pandas.api.types import is_datetime64_any_dtype

    columns = ", ".join(
        f"cast({_quote(name)} as date) as {_quote(name)}" if is_datetime64_any_dtype(frame[name]) else _quote(name)
        for name in frame.columns
    )
    target = str(path).replace("'", "''")
    base.register("frame", frame)
    try:
        base.execute(f"copy (select {columns} from frame) to '{target}' (format parquet, compression zstd)")
    except duckdb.IOException as error:
        raise OSError(str(error)) from error
    finally:
        base.unregister("frame")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file whole, or leave what was there.

    Raises
    ------
    StorageError  if the disk refuses
    """

    def fill(part: Path) -> None:
        part.write_bytes(content)

    write_file(path, fill)


def write_file(path: Path, write: Callable[[Path], None], *,
               passed: Callable[[str], None] = lambda step: None) -> None:
    """Let ``write`` fill a temporary file beside ``path``, then put it in its place for good.

    Parameters
    ----------
    passed : callable  told each step once it is done: written, synced, renamed, kept

    Raises
    ------
    StorageError  if the disk refuses; the temporary file is removed
    """
    part = path.with_name(path.name + TEMPORARY)
    try:
        write(part)
        passed("written")
        _sync(part)
        passed("synced")
        part.replace(path)
        passed("renamed")
        _sync(path.parent)
        passed("kept")
    except OSError as error:
        with contextlib.suppress(OSError):
            part.unlink()
        raise refused(path, error) from error


def claim_directory(directory: Path, kind: str) -> None:
    """Make a directory ready to be written, or refuse one that holds something else.

    Parameters
    ----------
    kind : str  what will be written, as the manifest says: only a directory of the same kind is written over

    Raises
    ------
    UsageError  if it is a file, or holds files that its manifest does not name
    StorageError  if the disk refuses

    Notes
    -----
    A manifest without content is written first, so that a directory whose writing was cut off can be written again.
    """
    try:
        if directory.exists():
            strangers = sorted(_strangers(directory, kind))
            if strangers:
                raise UsageError(Fault("out", str(directory), ", ".join(strangers[:3]),
                                       f"must be empty or hold an {kind}", "Name another directory, or move these."))
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise refused(directory, error) from error


def open_manifest(directory: Path, kind: str, files: Iterable[str]) -> None:
    """Say which files are about to be written, before the first of them is; others of an earlier artefact go.

    Raises
    ------
    StorageError  if the disk refuses
    """
    files = list(files)
    old = _known(directory, kind) - {MANIFEST, *files}
    try:
        for entry in [entry for entry in directory.iterdir() if entry.name in old]:
            entry.unlink()
    except OSError as error:
        raise refused(directory, error) from error
    write_json(directory / MANIFEST, {"kind": kind, "complete": False, "files": dict.fromkeys(files, "")})


def digest(path: Path) -> str:
    """SHA-256 of a file."""
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError as error:
        raise refused(path, error) from error


def refused(path: Path, error: OSError) -> StorageError:
    """What the disk said, as an error of ours."""
    return StorageError(Fault("", str(path), error.strerror or str(error), "must be writable",
                              "Free space, or name another directory."))


def _known(directory: Path, kind: str) -> set[str]:
    """Names of the files in a directory that its manifest, if it is of this kind, speaks of."""
    with contextlib.suppress(OSError, ValueError, RecursionError):
        manifest: Any = json.loads((directory / MANIFEST).read_text(encoding="utf-8"))
        if isinstance(manifest, dict) and manifest.get("kind") == kind and isinstance(manifest.get("files"), dict):
            return {MANIFEST, *manifest["files"]}
    return set()


def _strangers(directory: Path, kind: str) -> set[str]:
    """Names in a directory that an earlier artefact of this kind did not put there."""
    if not directory.is_dir():
        return {"a file"}
    known = _known(directory, kind)
    return {entry.name for entry in directory.iterdir() if entry.name.removesuffix(TEMPORARY) not in known
            and entry.name != MANIFEST + TEMPORARY}


def _quote(name: object) -> str:
    """A column name for SQL."""
    return '"' + str(name).replace('"', '""') + '"'


def _sync(path: Path) -> None:
    """Force a file or directory to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
