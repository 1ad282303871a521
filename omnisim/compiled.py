"""How kernels are compiled: once, into the cache, with the same bits on every machine (no fastmath)."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numba
from numba.core.types import unliteral

njit: Any = numba.njit


def _stamp() -> str:
    """A digest of everything that kernels are made of.

    The cache would look at the file of a kernel alone, and go on with an old one after a change to what it calls.
    """
    here = Path(__file__).parent
    rooms = ("", "market/", "supply/**/", "optimise/**/", "study/**/")
    files = sorted(file for room in rooms for file in here.glob(f"{room}*.py"))
    return hashlib.blake2b(b"".join(file.read_bytes() for file in files), digest_size=16).hexdigest()


STAMP = _stamp()


def _keep_by_stamp(kept: Any) -> None:
    """Compiled code counts for this source alone; what cannot be read is not there, and what cannot be kept is used."""
    read_index, read, keep = kept._load_index, kept._load_data, kept.save

    def load_index() -> dict[Any, Any]:
        try:
            found: dict[Any, Any] = read_index()
        except Exception:  # half written, or of types that have gone
            return {}
        return found

    def load(name: str) -> Any:
        try:
            return read(name)
        except Exception as error:  # likewise; numba takes this one for a file that is not there
            raise OSError from error

    def save(types: Any, code: Any) -> None:
        with suppress(OSError):  # the disk is full
            keep(types, code)

    kept._source_stamp, kept._load_index, kept._load_data, kept.save = STAMP, load_index, load, save


def _compile(function: Callable[..., Any], **options: Any) -> Any:
    """Compile a function once for the types of its arguments, not again for each constant that a caller writes."""
    try:
        compiled = njit(cache=True, **options)(function)
        _keep_by_stamp(compiled._cache._cache_file)
    except RuntimeError:  # no place to keep compiled code: compile at each start
        compiled = njit(**options)(function)
    template = compiled.get_call_template
    compiled.get_call_template = lambda args, names: template(
        tuple(unliteral(kind) for kind in args), {name: unliteral(kind) for name, kind in names.items()})
    return compiled


def formula(function: Callable[..., Any]) -> Any:
    """A function of numbers and tables, called from kernels and from Python alike."""
    return _compile(function, _nrt=False)


def kernel(function: Callable[..., Any]) -> Any:
    """A function that Python calls; it releases the interpreter lock and may make arrays."""
    return _compile(function, nogil=True)


def inner(function: Callable[..., Any]) -> Any:
    """A function that only kernels call, and that makes no arrays.

    Without reference counts: the kernel that calls it holds the arrays, and counting them at each call would take
    longer than the work itself. Without wrappers: nobody outside calls it, and they take long to compile.
    """
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)


def melted(function: Callable[..., Any]) -> Any:
    """A small inner function that becomes part of its caller, so that the caller's arrays need not be handed over."""
    return _compile(function, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False, forceinline=True)
