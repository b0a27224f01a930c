"""Engines by name, where tasks are run: each is a `concurrent.futures.Executor`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Literal, TypeAlias, get_args

from tfdp_fast._numbers import is_number
from tfdp_fast._threads import resolve_threads
from tfdp_fast.errors import MissingExtraError, OptionError

__all__ = ["Engine", "EngineName", "check_engine", "open_engine"]

EngineName: TypeAlias = Literal["local", "threads", "ray", "dask"]
"""The engines that have a name.

``"local"`` has worker processes and ``"threads"`` has threads, both on this machine; ``"ray"`` and ``"dask"``
have the machines of a cluster, or are started here.
"""

_PACKAGES = {"ray": ("ray", "ray"), "dask": ("distributed", "dask")}


@dataclass(frozen=True)
class Engine:
    """Where tasks are run.

    Attributes
    ----------
    name : str
        What it is called, in a log; for an executor of the caller's, its type.
    executor : concurrent.futures.Executor
        What takes the tasks.
    slots : callable
        How many tasks can run at once, now: a cluster may grow and shrink. May be 0 for a while. Quick.
    """

    name: str
    executor: Executor
    slots: Callable[[], int]


def check_engine(
    engine: EngineName | str | Executor, *, workers: int | None = None, address: str | None = None
) -> None:
    """Check the arguments of `open_engine`, before anything is begun.

    Raises
    ------
    OptionError
        If there is no such engine, or an argument has no meaning for it.
    MissingExtraError
        If its package is not installed.

    Examples
    --------
    >>> check_engine("local", workers=2)
    >>> check_engine("local", address="10.0.0.1:6379")
    Traceback (most recent call last):
    ...
    tfdp_fast.errors.OptionError: the engine 'local' is on this machine, and has no address
    """
    if workers is not None and (not is_number(workers, int) or workers < 1):
        raise OptionError(f"workers must be a whole number of at least 1, got {workers!r}")
    if isinstance(engine, Executor):
        if address is not None:
            raise OptionError("an executor is where it is, and needs no address")
        return
    if engine not in get_args(EngineName):
        raise OptionError(f"engine must be one of {', '.join(get_args(EngineName))}, got {engine!r}")
    if engine not in _PACKAGES:
        if address is not None:
            raise OptionError(f"the engine {engine!r} is on this machine, and has no address")
    elif find_spec(_PACKAGES[engine][0]) is None:
        raise MissingExtraError(*_PACKAGES[engine])
    elif address is not None and workers is not None:
        raise OptionError("workers are those of the cluster: leave the number out, or the address")


@contextmanager
def open_engine(
    engine: EngineName | str | Executor, *, workers: int | None = None, address: str | None = None
) -> Iterator[Engine]:
    """Start an engine or connect to it; in the end, it is stopped or let go.

    If the block fails, what runs is cancelled, in its midst.

    Parameters
    ----------
    engine : str or concurrent.futures.Executor
        One of `EngineName`, or an executor of the caller's, which is left as it is in the end.
    workers : int, optional
        How many tasks run at once on this machine; as many as there are CPUs by default. For an executor of
        the caller's that does not tell how many it runs at once, it says so.
    address : str, optional
        Of the cluster, for ``"ray"`` and ``"dask"``; see `RayExecutor` and `DaskExecutor` for what happens
        without.

    Yields
    ------
    Engine

    Raises
    ------
    OptionError
        If there is no such engine, or an argument has no meaning for it.
    MissingExtraError
        If its package is not installed.
    EngineError
        If it cannot be started or reached.

    Examples
    --------
    >>> with open_engine("threads", workers=2) as engine:
    ...     engine.name, engine.slots(), engine.executor.submit(divmod, 17, 5).result()
    ('threads', 2, (3, 2))
    """
    check_engine(engine, workers=workers, address=address)
    if isinstance(engine, Executor):
        yield Engine(type(engine).__name__, engine, _slots_of(engine, workers))
        return
    executor: Executor
    if engine == "ray":
        from tfdp_fast.distributed.ray_engine import RayExecutor

        executor = RayExecutor(address, workers=workers)
    elif engine == "dask":
        from tfdp_fast.distributed.dask_engine import DaskExecutor

        executor = DaskExecutor(address, workers=workers)
    elif engine == "local":
        from tfdp_fast.distributed.workers import WorkerProcesses

        executor = WorkerProcesses(resolve_threads(workers))
    else:
        executor = ThreadPoolExecutor(resolve_threads(workers), thread_name_prefix="tfdp")
    try:
        yield Engine(engine, executor, _slots_of(executor, workers))
    except BaseException:
        executor.shutdown(cancel_futures=True)
        raise
    executor.shutdown()


def _slots_of(executor: Executor, workers: int | None) -> Callable[[], int]:
    """How many tasks an executor runs at once: what it says itself, else what the caller says."""
    own = getattr(executor, "slots", None)
    if callable(own):
        return own  # type: ignore[no-any-return]
    threads = getattr(getattr(executor, "_client", None), "nthreads", None)
    if callable(threads):  # of Client.get_executor() of Dask
        return lambda: sum(threads().values())
    fixed = workers or getattr(executor, "_max_workers", None) or resolve_threads(None)
    return lambda: fixed
