"""Chunks on threads that live only as long as the call, and how long the stages of a call take."""

from __future__ import annotations

import contextlib
import importlib
import logging
import operator
import os
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from typing import TypeVar

from tfdp_fast.errors import OptionError

_log = logging.getLogger(__name__.partition(".")[0])

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


def map_in_order(function: Callable[[T], R], items: Sequence[T], threads: int) -> Generator[R, None, None]:
    """Apply a function that releases the GIL to each item and yield the results in the order of the items.

    Nothing survives the call: the pool is gone when the generator is exhausted, closed or fails, so that a
    process may fork afterwards. Close it (`contextlib.closing`): an error or a Ctrl-C in the caller's own
    loop would leave it, and its threads, to the garbage collector. Items that have not begun are then not
    begun.
    """
    if threads == 1 or len(items) <= 1:
        # A loop: in a `yield from map(...)` Python does not look for signals, and a Ctrl-C has no effect.
        for item in items:
            yield function(item)
        return
    from concurrent.futures import ThreadPoolExecutor

    pool = ThreadPoolExecutor(min(threads, len(items)), thread_name_prefix="tfdp")
    try:
        yield from pool.map(function, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
