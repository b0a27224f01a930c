"""How every kernel is compiled."""

from __future__ import annotations

import itertools
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


# Arguments of public kernels: C-contiguous arrays. A read-only type accepts writable arrays as well. A tuple
# holds alternatives.
U8 = _array(types.uint8)
U8_INOUT = _array(types.uint8, readonly=False)
U32 = _array(types.uint32)
I64 = _array(types.int64)
F64 = _array(types.float64)
FLOATS = (_array(types.float32), F64)
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
    - compiled when its module is imported, for exactly the signatures that are stated: any other dtype, a
      strided array or a list is a TypeError, not another compilation in the middle of a run.
    - kept in a file, because compiling takes seconds and loading milliseconds. Where no folder takes the file
      (see :func:`~tfdp_fast.kernels._cache.cache_folders`) each process compiles for itself.

    Kernels that call each other live in one module: the cache does not see edits in another one.

    Parameters
    ----------
    *arguments : numba type
        The types of the arguments; a tuple of types stands for one signature with each of them. Without any,
        the function is a helper: it is compiled into the kernels that call it, for whatever they pass, and
        needs no cache of its own.

    Returns
    -------
    callable
        A decorator; the decorated function keeps its signature.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        dispatcher: Any = numba.njit(nogil=True, error_model="numpy")(function)
        if not arguments or config.DISABLE_JIT:
            return cast("Callable[_P, _R]", dispatcher)
        name = f"{function.__module__}.{function.__name__}"
        alternatives = (given if isinstance(given, tuple) else (given,) for given in arguments)
        for number, signature in enumerate(itertools.product(*alternatives)):
            dispatcher._cache = cache = KernelCache(function)
            dispatcher.compile(signature)
            if cache.cache_path is None and all(other.cache_path for other in caches.values()):  # say it once
                _log.info("kernels are compiled for this process only: %s", "; ".join(cache.refusals))
            caches[f"{name}/{number}" if number else name] = cache
        dispatcher.disable_compile()
        return cast("Callable[_P, _R]", dispatcher)

    return decorate
