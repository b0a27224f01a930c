"""What executors over a cluster have in common: calls go there, what comes of them is put in our words."""

from __future__ import annotations

import os
import sys
import threading
from abc import abstractmethod
from collections.abc import Callable, Iterator
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, wait
from contextlib import contextmanager
from functools import partial
from typing import Any, Generic, ParamSpec, TypeVar

from tfdp_fast.errors import EngineError

__all__ = ["EngineBrokenError", "RelayExecutor", "call", "environment", "python_path"]

P = ParamSpec("P")
T = TypeVar("T")
H = TypeVar("H")


class EngineBrokenError(EngineError, BrokenExecutor):
    """A cluster as a whole that has stopped, or cannot be reached any more."""


def call(
    function: Callable[..., T], arguments: tuple[Any, ...], keywords: dict[str, Any]
) -> tuple[T | None, Exception | None]:
    """Call a function on a worker. Its exception is a result: so the engine adds nothing to it.

    Examples
    --------
    >>> call(divmod, (17, 5), {})
    ((3, 2), None)
    >>> call(divmod, (17, 0), {})
    (None, ZeroDivisionError('integer division or modulo by zero'))
    """
    try:
        return function(*arguments, **keywords), None
    except Exception as error:
        return None, error


def python_path() -> str:
    """Where this process finds modules, as a value of ``PYTHONPATH``, for workers of the same machine."""
    return os.pathsep.join([path or os.curdir for path in sys.path])


@contextmanager
def environment(**variables: str) -> Iterator[None]:
    """Environment variables for what is started in the block.

    Examples
    --------
    >>> with environment(TFDP_EXAMPLE="1"):
    ...     os.environ["TFDP_EXAMPLE"]
    '1'
    >>> "TFDP_EXAMPLE" in os.environ
    False
    """
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


class RelayExecutor(Executor, Generic[H]):
    """An executor whose calls run elsewhere. `H` is what the cluster knows a call by.

    A future stays pending until the call has ended. It can be cancelled all that time.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._flying: dict[Future[Any], H] = {}
        self._broken: str | None = None
        self._stopping = False
        self._closed = False

    @abstractmethod
    def slots(self) -> int:
        """How many tasks can run at once, now."""

    @abstractmethod
    def _start(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[H, Future[tuple[Any, Exception | None]]]:
        """Have `call` called there: what the cluster knows it by, and its own future."""

    @abstractmethod
    def _stop(self, handle: H) -> None:
        """Cancel a call, whether it has begun or not."""

    @abstractmethod
    def _in_our_words(self, error: BaseException) -> BaseException:
        """An error of the cluster's, not the function's; an `EngineBrokenError` ends all."""

    @abstractmethod
    def _close(self) -> None:
        """Let go of the cluster, and end it if it was started here."""

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call a function on the cluster; see `concurrent.futures.Executor.submit`."""
        if self._stopping:
            raise RuntimeError("cannot schedule new futures after shutdown")
        if self._broken is not None:
            raise EngineBrokenError(self._broken)
        mine: Future[T] = Future()
        handle, theirs = self._start(fn, args, kwargs)
        with self._lock:
            self._flying[mine] = handle
        mine.add_done_callback(self._ended)
        theirs.add_done_callback(partial(self._relay, mine))
        return mine

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let go of the cluster, and end it if it was started here, when all calls have ended.

        Parameters
        ----------
        wait : bool
            Return when that has been done, not before.
        cancel_futures : bool
            Cancel all calls now, in their midst.
        """
        self._stopping = True
        if cancel_futures:
            for future in self._in_flight():
                future.cancel()
        if wait:
            self._end()
        else:
            threading.Thread(target=self._end, daemon=True).start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.shutdown(cancel_futures=kind is not None)

    def _break(self, reason: str) -> None:
        """The cluster is lost: all futures have that as their exception, and nothing more is taken."""
        self._broken = reason
        for future in self._in_flight():
            if self._claim(future) is not None and future.set_running_or_notify_cancel():
                future.set_exception(EngineBrokenError(reason))

    def _in_flight(self) -> list[Future[Any]]:
        with self._lock:
            return list(self._flying)

    def _claim(self, mine: Future[Any]) -> H | None:
        """The right to end a future, which is given once."""
        with self._lock:
            return self._flying.pop(mine, None)

    def _relay(self, mine: Future[Any], theirs: Future[tuple[Any, Exception | None]]) -> None:
        if self._claim(mine) is None:
            return  # it was cancelled, or the cluster is lost
        result: Any = None
        error: BaseException | None
        try:
            error = theirs.exception()
            if error is None:
                result, error = theirs.result()
            else:
                error = self._in_our_words(error)
        except CancelledError as cancelled:
            error = self._in_our_words(cancelled)
        if mine.set_running_or_notify_cancel():
            if error is None:
                mine.set_result(result)
            else:
                mine.set_exception(error)
        if isinstance(error, EngineBrokenError) and not self._stopping:
            self._break(str(error))

    def _ended(self, mine: Future[Any]) -> None:
        if mine.cancelled() and (handle := self._claim(mine)) is not None:
            mine.set_running_or_notify_cancel()  # who waits for it goes on
            self._stop(handle)

    def _end(self) -> None:
        wait(self._in_flight())
        with self._lock:
            closed, self._closed = self._closed, True
        if not closed:
            self._close()
