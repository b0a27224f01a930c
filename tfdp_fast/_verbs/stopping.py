"""Signals that end a verb in an orderly way: Ctrl-C, and what schedulers send before they kill."""

from __future__ import annotations

import contextlib
import signal
from collections.abc import Iterator

from tfdp_fast._insisting import insisting

__all__ = ["Stopped", "stoppable"]

_SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


class Stopped(KeyboardInterrupt):
    """A signal has come.

    Attributes
    ----------
    code : int
        The exit code of who ends because of it.
    """

    def __init__(self, number: int) -> None:
        self.code = 128 + number
        super().__init__(_SAID[signal.Signals(number)])


@contextlib.contextmanager
def stoppable() -> Iterator[None]:
    """Raise `Stopped` in the block when a signal comes. The second one ends the process at once.

    Signals that somebody else handles, or that are ignored, as nohup does, are left alone.
    """
    stopped = False

    def stop(number: int, _: object) -> None:
        nonlocal stopped
        if stopped:
            signal.signal(number, signal.SIG_DFL)
            signal.raise_signal(number)
        stopped = True
        raise Stopped(number)

    usual = {signal.SIG_DFL, signal.default_int_handler}
    before = {one: handler for one in _SAID if (handler := signal.getsignal(one)) in usual}
    try:
        for one in before:
            signal.signal(one, stop)
    except ValueError:  # not in the main thread, where signals do not come
        before = {}
    try:
        with insisting(Stopped):
            yield
    finally:
        if not stopped:  # else the process is about to end
            for one, handler in before.items():
                signal.signal(one, handler)
