"""Drives tasks over any `concurrent.futures.Executor`.

A window of them is in flight, failures are tried again, and each task has one outcome.
"""

from __future__ import annotations

import time
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future, wait
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from tfdp_fast._text import one_line
from tfdp_fast.distributed.tasks import Event, Outcome, Task, WorkerLostError, worker_name
from tfdp_fast.errors import EngineError, TfdpError

__all__ = ["Event", "Outcome", "Task", "WorkerLostError", "drive"]

TICK = 1.0
"""Seconds between two calls of `on_tick`, about."""

_LONGEST_REASON = 2000
_LONGEST_TRACE = 8000

R = TypeVar("R")


def drive(
    tasks: Iterable[Task[R]],
    executor: Executor,
    *,
    window: int | Callable[[], int],
    retries: int,
    on_event: Callable[[Event], object] = lambda _: None,
    on_tick: Callable[[], object] = lambda: None,
) -> Generator[Outcome[R], None, None]:
    """Run tasks on an executor, and yield the outcome of each of them exactly once, as they finish.

    A task that fails is tried again when all others have been begun. Close the generator
    (`contextlib.closing`) if it is not read to its end: what has not begun is then cancelled, as it is after
    a Ctrl-C. What runs, goes on; it is the executor's owner who ends it.

    Parameters
    ----------
    tasks : iterable of Task
        Taken as they are needed.
    executor : concurrent.futures.Executor
        It should not try anything again by itself.
    window : int or callable
        How many tasks are with the executor at once, at most; or what says so now, where an engine grows and
        shrinks. At least 1 is taken.
    retries : int
        How often a task that fails is tried again, at most.
    on_event : callable
        Called with each `Event`, in this thread.
    on_tick : callable
        Called about once a second, in this thread, whether something has happened or not.

    Yields
    ------
    Outcome
        A task that has failed to the end has an `error`, and does not stop the others.

    Raises
    ------
    EngineError
        If the executor as a whole has stopped. The outcomes of what had finished come before.

    Examples
    --------
    >>> from concurrent.futures import ThreadPoolExecutor
    >>> tasks = [Task(text, int, (text,)) for text in ("17", "x")]
    >>> with ThreadPoolExecutor(1) as pool:
    ...     for outcome in drive(tasks, pool, window=2, retries=2):
    ...         print(outcome.task.key, outcome.result, outcome.tries, outcome.error)
    17 17 1 None
    x None 3 ValueError: invalid literal for int() with base 10: 'x'
    """
    loop = _Loop(iter(tasks), executor, window, retries, on_event, on_tick)
    try:
        loop.fill()
        while loop.going_on():
            outcomes = loop.wait()
            loop.fill()
            yield from outcomes
        yield from loop.what_is_left()
        loop.raise_what_stopped_it()
    finally:
        loop.cancel()


@dataclass(frozen=True)
class _Reply(Generic[R]):
    """What comes back from a worker; errors as text, because not every exception can be pickled."""

    worker: str
    seconds: float
    result: R | None = None
    error: str | None = None
    trace: str | None = None


def _answer(function: Callable[..., R], arguments: tuple[Any, ...]) -> _Reply[R]:
    """Call a function, on the worker."""
    begin = time.perf_counter()
    try:
        result = function(*arguments)
    except (Exception, SystemExit) as error:
        seconds = time.perf_counter() - begin
        return _Reply(worker_name(), seconds, None, _reason(error), _trace(error))
    return _Reply(worker_name(), time.perf_counter() - begin, result)


def _reason(error: BaseException) -> str:
    """An error in one line: our own say all there is to say, the type of others helps."""
    said = str(error)
    if not isinstance(error, TfdpError):
        said = f"{type(error).__name__}: {said}" if said else type(error).__name__
    return one_line(said)[:_LONGEST_REASON]


def _trace(error: BaseException) -> str | None:
    if isinstance(error, TfdpError):
        return None
    return "".join(traceback.format_exception(type(error), error, error.__traceback__))[-_LONGEST_TRACE:]


def _engine_error(error: RuntimeError) -> EngineError:
    if isinstance(error, EngineError):
        return error
    return EngineError(f"the engine has stopped: {_reason(error)}")


@dataclass(frozen=True)
class _Try(Generic[R]):
    """A task that is with the executor, or waits to be tried again."""

    task: Task[R]
    number: int
    since: float = 0.0


class _Loop(Generic[R]):
    def __init__(
        self,
        fresh: Iterator[Task[R]],
        executor: Executor,
        window: int | Callable[[], int],
        retries: int,
        on_event: Callable[[Event], object],
        on_tick: Callable[[], object],
    ) -> None:
        self._fresh = fresh
        self._executor = executor
        self._window = window
        self._retries = retries
        self._on_event = on_event
        self._on_tick = on_tick
        self._flying: dict[Future[_Reply[R]], _Try[R]] = {}
        self._again: deque[_Try[R]] = deque()
        self._next_tick = time.monotonic() + TICK
        self._stopped: Exception | None = None

    def fill(self) -> None:
        """Submit what fits into the window. What goes wrong is kept until the outcomes so far are out."""
        if self._stopped is None:
            try:
                size = self._window() if callable(self._window) else self._window
                while len(self._flying) < max(1, size) and (attempt := self._next()) is not None:
                    self._submit(attempt)
            except Exception as error:
                self._stopped = error

    def going_on(self) -> bool:
        # What is to be tried again has been submitted as far as it fits.
        return self._stopped is None and bool(self._flying)

    def wait(self) -> list[Outcome[R]]:
        """Wait until something finishes, or it is time for a tick."""
        seconds = max(0.0, self._next_tick - time.monotonic())
        done = wait(self._flying, seconds, FIRST_COMPLETED).done
        outcomes = self._finished([future for future in self._flying if future in done])
        if time.monotonic() >= self._next_tick:
            self._next_tick = time.monotonic() + TICK
            self._on_tick()
        return outcomes

    def what_is_left(self) -> list[Outcome[R]]:
        """Outcomes that are there when the loop has stopped early."""
        return self._finished([future for future in self._flying if future.done()])

    def raise_what_stopped_it(self) -> None:
        if self._stopped is not None:
            raise self._stopped

    def cancel(self) -> None:
        for future in self._flying:
            future.cancel()

    def _next(self) -> _Try[R] | None:
        task = next(self._fresh, None)
        if task is not None:
            return _Try(task, 1)
        return self._again.popleft() if self._again else None

    def _submit(self, attempt: _Try[R]) -> None:
        task = attempt.task
        try:
            future = self._executor.submit(_answer, task.function, task.arguments)
        except RuntimeError as error:  # it is broken, or shut down
            raise _engine_error(error) from error
        self._flying[future] = _Try(task, attempt.number, time.monotonic())
        self._on_event(Event("started", task.key, task.size, time.time(), attempt.number))

    def _finished(self, futures: list[Future[_Reply[R]]]) -> list[Outcome[R]]:
        outcomes = []
        for future in futures:
            attempt = self._flying.pop(future)
            reply = self._reply(future, attempt)
            if reply is not None and (outcome := self._outcome(attempt, *reply)) is not None:
                outcomes.append(outcome)
        return outcomes

    def _reply(
        self, future: Future[_Reply[R]], attempt: _Try[R]
    ) -> tuple[_Reply[R], Literal["done", "failed", "lost"]] | None:
        """What a try came to; None if the whole executor is dead."""
        try:
            error = future.exception()
        except CancelledError:  # by the engine: nobody else has the future
            error = EngineError("the engine cancelled the task")
        if error is None:
            reply = future.result()
            return reply, "done" if reply.error is None else "failed"
        if isinstance(error, BrokenExecutor):
            self._stopped = _engine_error(error)
            return None
        # Errors of the function come as text. So this one is the engine's, or of what does not pickle.
        seconds = time.monotonic() - attempt.since
        lost = isinstance(error, WorkerLostError)
        worker = error.worker if isinstance(error, WorkerLostError) else ""
        failed = _Reply[R](worker, seconds, None, _reason(error), _trace(error))
        return failed, "lost" if lost else "failed"

    def _outcome(
        self, attempt: _Try[R], reply: _Reply[R], kind: Literal["done", "failed", "lost"]
    ) -> Outcome[R] | None:
        """The outcome of a try that was the last one."""
        task, number = attempt.task, attempt.number
        again = kind != "done" and number <= self._retries
        if again:
            self._again.append(_Try(task, number + 1))
        event = Event(
            kind,
            task.key,
            task.size,
            time.time(),
            number,
            seconds=reply.seconds,
            worker=reply.worker,
            reason=reply.error,
            again=again,
            trace=reply.trace,
            result=reply.result,
        )
        self._on_event(event)
        if again:
            return None
        return Outcome(task, reply.result, reply.error, number, reply.seconds, reply.worker)
