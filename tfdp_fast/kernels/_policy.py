"""How every kernel is compiled."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

import numba
from numba import types

_P = ParamSpec("_P")
_R = TypeVar("_R")
_log = logging.getLogger(__name__)


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
    - ``boundscheck`` stays the default, so that ``NUMBA_BOUNDSCHECK=1`` works in tests. Numba's cache does
      not know that variable: give such a run a ``NUMBA_CACHE_DIR`` of its own.
    - compiled when its module is imported, for exactly one signature: any other dtype, a strided array or a
      list is a TypeError, not a second compilation in the middle of a run.
    - ``cache=True``: compiling takes seconds, loading milliseconds. Where no cache folder can be written
      (read-only installation without a home, a full disk) the kernel is compiled without one.

    Kernels that call each other live in one module: the cache does not see edits in another file.

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
        def compiled(*, cache: bool) -> Callable[_P, _R]:
            njit: Any = numba.njit
            signature = (arguments,) if arguments else ()
            return cast(
                "Callable[_P, _R]", njit(*signature, nogil=True, error_model="numpy", cache=cache)(function)
            )

        if not arguments:
            return compiled(cache=False)
        try:
            return compiled(cache=True)
        except (RuntimeError, OSError) as error:
            _log.debug("kernel %s is compiled without a cache: %s", function.__name__, error)
            return compiled(cache=False)

    return decorate
