"""stub"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass


@dataclass
class Engine:
    executor: Executor
    slots: Callable[[], int]
    name: str


@contextmanager
def open_engine(
    engine: str | Executor, *, workers: int | None = None, address: str | None = None
) -> Iterator[Engine]:
    from tfdp_fast._threads import resolve_threads

    n = resolve_threads(workers)
    if isinstance(engine, Executor):
        yield Engine(engine, lambda: n, "x")
    elif engine == "threads":
        with ThreadPoolExecutor(n) as pool:
            yield Engine(pool, lambda: n, "threads")
    else:
        from tfdp_fast.distributed.workers import WorkerProcesses

        with WorkerProcesses(n) as p:
            yield Engine(p, lambda: n, "local")
