"""Dask as a `concurrent.futures.Executor`: a task of `dask.distributed` for each call.

Needs the extra ``dask``.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from concurrent.futures import CancelledError, Future
from contextlib import ExitStack, contextmanager
from typing import Any

from tfdp_fast._text import one_line
from tfdp_fast._threads import resolve_threads
from tfdp_fast.distributed.relaying import (
    EngineBrokenError,
    RelayExecutor,
    call,
    environment,
    python_path,
)
from tfdp_fast.distributed.tasks import WorkerLostError
from tfdp_fast.errors import EngineError, MissingExtraError, OptionError

try:
    import dask
    import distributed
except ImportError:
    raise MissingExtraError("distributed", "dask") from None

__all__ = ["DaskExecutor"]

_KNOCK = 10.0
"""Seconds for a scheduler to answer."""


class DaskExecutor(RelayExecutor["Future[Any]"]):
    """Runs calls as tasks of `dask.distributed`.

    If a worker dies, the future of its task has a `WorkerLostError`. If the scheduler is lost, all futures
    have an `EngineError`, and the executor is of no use any more. A future can be cancelled until it is done,
    but a call that has begun goes on to its end, unheard.

    Parameters
    ----------
    address : str, optional
        Of the scheduler, as ``tcp://host:8786``. By default that of the current `distributed.Client`, which
        is used and left as it is in the end; else the one that Dask's configuration names
        (``DASK_SCHEDULER_ADDRESS``); if there is none, a cluster of processes is started here.
    workers : int, optional
        The processes of a cluster that is started here; as many as there are CPUs by default.

    Raises
    ------
    OptionError
        If the arguments contradict each other.
    EngineError
        If the cluster cannot be started or reached.

    Notes
    -----
    A scheduler of your own gives a task to another worker by itself when one dies, three times by default.
    That does no harm, but a log does not show it. Set ``DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES=0`` for
    the scheduler's process, and what fails is seen, and tried again by who has submitted it. Workers of one
    thread each are best (``dask worker --nworkers N --nthreads 1``).

    The package has to be where the workers are. A cluster that is started here finds the modules that this
    process finds; as it uses `multiprocessing`, a script that starts one needs
    ``if __name__ == "__main__":``.

    Examples
    --------
    >>> with DaskExecutor(workers=1) as executor:  # doctest: +SKIP
    ...     executor.submit(divmod, 17, 5).result()
    (3, 2)
    """

    def __init__(self, address: str | None = None, *, workers: int | None = None) -> None:
        super().__init__()
        current = None if address is not None else _current()
        if current is None:
            address = address or dask.config.get("scheduler-address", None)
        if workers is not None and (address is not None or current is not None):
            raise OptionError("workers are those of the cluster: leave the number out, or the address")
        self._mine = current is None
        self._cluster: Any = None
        self._quiet = ExitStack()
        if current is not None:
            self._client: Any = current
        elif address is not None:
            self._client = _connected(address, address)
        else:
            self._cluster = _started(resolve_threads(workers))
            self._client = _connected(self._cluster, "this machine")
        if self._mine:
            self._quiet.enter_context(_silence())
        # Calls that look alike are different ones, and what fails is tried again elsewhere.
        self._executor = self._client.get_executor(pure=False, retries=0)
        self._lost = False

    def slots(self) -> int:
        """How many calls can run at once: the threads of all workers that are there now."""
        # From the client's own copy, which is a few seconds old: this is asked for often.
        workers = self._client.scheduler_info(n_workers=-1)["workers"]
        return sum(int(worker["nthreads"]) for worker in workers.values())

    def _start(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[Future[Any], Future[tuple[Any, Exception | None]]]:
        future = self._executor.submit(call, function, arguments, keywords)
        return future, future

    def _stop(self, handle: Future[Any]) -> None:
        handle.cancel()

    def _close(self) -> None:
        self._executor.shutdown(wait=False)
        if self._mine:
            self._client.close()
        if self._cluster is not None:
            self._cluster.close()
        self._quiet.close()

    def _in_our_words(self, error: BaseException) -> BaseException:
        if isinstance(error, distributed.KilledWorker):
            worker = getattr(error.last_worker, "address", None)
            return WorkerLostError(f"the worker {worker} died" if worker else "the worker died")
        if isinstance(error, CancelledError):
            # Nobody here has cancelled it, so that Dask has: its scheduler is gone.
            return EngineBrokenError("the scheduler of Dask is gone")
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, ModuleNotFoundError):
                return EngineError(one_line(f"on a worker of Dask: {cause}; install it there"))
            cause = cause.__cause__
        said = (str(error).strip().splitlines() or [""])[0]
        return EngineError(one_line(f"Dask: {type(error).__name__}: {said}"[:500]))


def _current() -> Any:
    try:
        return distributed.Client.current()
    except ValueError:
        return None


@contextmanager
def _silence() -> Iterator[None]:
    """Dask prints what it thinks of workers that are gone; what matters of it comes with the futures."""
    loggers = [logging.getLogger(name) for name in ("distributed", "distributed.client")]
    before = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=True):
            logger.setLevel(level)


def _started(workers: int) -> Any:
    try:
        with (
            environment(PYTHONPATH=python_path()),
            dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        ):
            return distributed.LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                processes=True,
                dashboard_address="127.0.0.1:0",  # None would warn if the usual port is taken
                scheduler_kwargs={"dashboard": False},
                silence_logs=logging.CRITICAL,
            )
    except Exception as error:
        raise EngineError(one_line(f"Dask cannot be started: {type(error).__name__}: {error}")) from error


def _connected(cluster: Any, name: str) -> Any:
    try:
        return distributed.Client(cluster, timeout=_KNOCK, set_as_default=False)
    except (OSError, ValueError, TypeError, AssertionError) as error:  # the last: its loop does not start
        raise EngineError(one_line(f"no scheduler of Dask answers at {name}: {error}")) from error
