"""How kernels are compiled: once, into the cache, with the same bits on every machine (no fastmath)."""

from __future__ import annotations

from numba import njit

kernel = njit(cache=True, nogil=True)
"""A function that Python calls; it releases the interpreter lock."""

inner = njit(cache=True, no_cpython_wrapper=True, no_cfunc_wrapper=True, _nrt=False)
"""A function that only kernels call, and that makes no arrays.

Without reference counts: the kernel that calls it holds the arrays, and counting some sixty of them at each call
would take far longer than the work itself. Without wrappers: nobody outside calls it, and they take long to compile.
"""
