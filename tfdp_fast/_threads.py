"""Chunks on threads that live only as long as the call, and how long the stages of a call take."""

from __future__ import annotations

import contextlib
import importlib
import itertools
import logging
import operator
import os
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, TypeVar

from tfdp_fast.errors import OptionError

if TYPE_CHECKING:
    from concurrent.futures import Executor, Future

_log = logging.getLogger(__name__.partition(".")[0])

AHEAD = 4
"""Chunks for each thread that are begun before the first of them is wanted."""

_NUMBERS = itertools.count()
"""Of pools: each knows its threads by it."""

T = TypeVar("T")
R = TypeVar("R")


def resolve_threads(threads: int | None) -> int:
    """Number of threads: None stands for the processors that this process may use."""
    if threads is None:
        if hasattr(os, "sched_getaffinity"):
            return len(os.sched_getaffinity(0))
        return os.cpu_count() or 1
    number = 0 if isinstance(threads, bool) or not hasattr(threads, "__index__") else operator.index(threads)
    if number < 1:
        raise OptionError(f"threads must be a whole number of at least 1, got {threads!r}")
    return number


def chunk_size(n: int, threads: int, largest: int) -> int:
    """Items per chunk: as many as the largest chunk takes, but several chunks for each of several threads."""
    return largest if threads == 1 else min(largest, max(256, -(-n // (4 * threads))))


@contextlib.contextmanager
def timed(stage: str) -> Iterator[None]:
    """Log how long a stage took, at level INFO of the logger ``tfdp_fast``."""
    begin = time.perf_counter()
    yield
    _log.info("%s: %.3f s", stage, time.perf_counter() - begin)


@contextlib.contextmanager
def importing(module: str, threads: int) -> Iterator[None]:
    """Import a module on another thread meanwhile, if there may be several threads.

    The block does something that releases the GIL. What goes wrong is left to the import that needs it.
    """
    if threads == 1 or module in sys.modules:
        yield
        return

    def run() -> None:
        with contextlib.suppress(Exception):
            importlib.import_module(module)

    thread = threading.Thread(target=run, name="tfdp-import")
    thread.start()
    try:
        yield
    finally:
        thread.join()


def map_in_order(function: Callable[[T], R], items: Iterable[T], threads: int) -> Generator[R, None, None]:
    """Apply a function that releases the GIL to each item and yield the results in the order of the items.

    Items are taken as they are needed, `AHEAD` for each thread before the result that is yielded next. What
    taking one raises comes after the results of those before it, as it does on one thread.

    Nothing survives the call: the pool is gone when the generator is exhausted, closed or fails, so that a
    process may fork afterwards. Close it (`contextlib.closing`): an error or a Ctrl-C in the caller's own
    loop would leave it, and its threads, to the garbage collector. Items that have not begun are then not
    begun.
    """
    if threads == 1 or (isinstance(items, Sequence) and len(items) <= 1):
        # A loop: in a `yield from map(...)` Python does not look for signals, and a Ctrl-C has no effect.
        for item in items:
            yield function(item)
        return
    from concurrent.futures import ThreadPoolExecutor

    prefix = f"tfdp-{next(_NUMBERS)}"
    pool = ThreadPoolExecutor(threads, thread_name_prefix=prefix)
    begun: deque[Future[R]] = deque()
    try:
        for future in _submitted(pool, function, items):
            begun.append(future)
            if len(begun) >= AHEAD * threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        # The pool does not know a thread that was being started when a Ctrl-C came. It ends as the others do.
        for thread in threading.enumerate():
            if thread.name.startswith(f"{prefix}_") and thread.is_alive():
                thread.join()


def _submitted(pool: Executor, function: Callable[[T], R], items: Iterable[T]) -> Iterator[Future[R]]:
    """A future for each item, and one more that has failed if there was an error over taking items."""
    try:
        for item in items:
            yield pool.submit(function, item)
    except Exception as error:
        from concurrent.futures import Future

        failed: Future[R] = Future()
        failed.set_exception(error)
        yield failed
