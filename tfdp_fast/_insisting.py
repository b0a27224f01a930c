"""Exceptions of signal handlers that are not lost."""

from __future__ import annotations

import contextlib
import signal
import sys
from collections.abc import Iterator
from typing import Any

__all__ = ["insisting"]

_SOON = 0.01
"""Seconds."""


@contextlib.contextmanager
def insisting(kind: type[BaseException]) -> Iterator[None]:
    """Raise the exception of a signal handler again, where Python had to ignore it.

    A handler runs wherever the main thread is. If that is a callback from C, as Numba and llvmlite have them,
    or a finalizer, what it raises is printed and forgotten. In the block it is raised once more, a moment
    later, and nothing is printed.

    Parameters
    ----------
    kind : type
        Of the exception.
    """
    before = sys.unraisablehook

    def hook(unraisable: Any) -> None:
        error = unraisable.exc_value
        if not isinstance(error, kind):
            before(unraisable)
            return

        def again(*_: object) -> None:
            raise error

        signal.signal(signal.SIGALRM, again)
        signal.setitimer(signal.ITIMER_REAL, _SOON)

    sys.unraisablehook = hook
    try:
        yield
    finally:
        sys.unraisablehook = before
