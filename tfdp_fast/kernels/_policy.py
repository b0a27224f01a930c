"""How every kernel is compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import types

from tfdp_fast.kernels._cache import KernelCache, config

_P = ParamSpec("_P")
_R = TypeVar("_R")
_log = logging.getLogger(__name__)

caches: dict[str, KernelCache] = {}
"""The kernels of this process, by their full names."""


def _array(dtype: Any, ndim: int = 1, *, readonly: bool = True) -> Any:
    return types.Array(dtype, ndim, "C", readonly=readonly)


# Arguments of public kernels: C-contiguous arrays. A read-only type accepts writable arrays as well.
U8 = _array(types.uint8)
U32 = _array(types.uint32)
I64 = _array(types.int64)
F64 = _array(types.float64)
I64_2D = _array(types.int64, 2)
I64_2D_INOUT = _array(types.int64, 2, readonly=False)
INT = types.int64


def kernel(*arguments: Any) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Compile a function with the project's one Numba policy.

    - ``nogil``: chunks are measured by a pool of threads.
    - no ``fastmath``: it would reorder sums, and the same data must give the same bits everywhere.
    - no ``parallel``: its thread pool does not survive the ``fork()`` of a data loader.
    - ``error_model="numpy"``: a kernel never raises; what it cannot do it reports in its result.
    - ``boundscheck`` stays the default, so that ``NUMBA_BOUNDSCHECK=1`` works in tests.
    - compiled when its module is imported, for exactly one signature: any other dtype, a strided array or a
      list is a TypeError, not a second compilation in the middle of a run.
    - kept in a file, because compiling takes seconds and loading milliseconds. Where no folder takes the file
      (see :func:`~tfdp_fast.kernels._cache.cache_folders`) each process compiles for itself.

    Kernels that call each other live in one module: the cache does not see edits in another one.

    Parameters
    ----------
    *arguments : numba type
        The types of the arguments. Without any, the function is a helper: it is compiled into the kernels
        that call it, for whatever they pass, and needs no cache of its own.

    Returns
    -------
    callable
        A decorator; the decorated function keeps its signature.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
        if arguments and not config.DISABLE_JIT:
            dispatcher._cache = cache = KernelCache(function)
            dispatcher.compile(arguments)
            dispatcher.disable_compile()
            if cache.cache_path is None and all(other.cache_path for other in caches.values()):  # say it once
                _log.info("kernels are compiled for this process only: %s", "; ".join(cache.refusals))
            caches[f"{function.__module__}.{function.__name__}"] = cache
        return cast("Callable[_P, _R]", dispatcher)

    return decorate
