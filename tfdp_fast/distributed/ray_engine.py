"""Ray as a `concurrent.futures.Executor`: a Ray Core task for each call.

Needs the extra ``ray``.
"""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future
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
    import ray
    import ray.exceptions
except ImportError:
    raise MissingExtraError("ray", "ray") from None

__all__ = ["RayExecutor"]

_KNOCK = 5.0
"""Seconds for a head node to answer."""
_LOOK = 2.0
"""Seconds between two looks at the cluster."""
_RAY_GIVES_UP = "RAY_gcs_rpc_server_reconnect_timeout_s"
_STORE = 128 << 20
"""Bytes of the object store of a Ray that is started here: nothing but paths and totals goes through it."""


class RayExecutor(RelayExecutor["ray.ObjectRef[Any]"]):
    """Runs calls as Ray tasks, spread over the nodes. Nothing is tried twice: that is the caller's.

    If a worker or a node dies, or Ray ends a task for want of memory, its future has a `WorkerLostError`. If
    the head of the cluster is lost, all futures have an `EngineError`, and the executor is of no use any
    more. A future can be cancelled until it is done; if its call has begun, that ends the worker process.

    Ray prints nothing here. If Ray is initialised already, that is used, and left as it is in the end.

    Parameters
    ----------
    address : str, optional
        Of the cluster: ``"auto"`` for that of this node, ``host:port``, or ``ray://host:port`` of a Ray
        Client server. By default the one that ``RAY_ADDRESS`` names, as in a Ray job; if there is none, Ray
        is started here.
    workers : int, optional
        The CPUs of a Ray that is started here; all by default.
    num_cpus : float
        What a call takes of a node's CPUs.
    options : dict, optional
        More options of the task, such as ``memory``, ``resources`` or ``runtime_env``.

    Raises
    ------
    OptionError
        If the arguments contradict each other.
    EngineError
        If Ray cannot be started, or the cluster cannot be reached.

    Notes
    -----
    The package has to be on every node, in the version of the driver: in the image of the nodes, or sent
    along by ``ray.init(runtime_env={"py_modules": [tfdp_fast]})`` or
    ``ray job submit --runtime-env-json='{"pip": ["tfdp-fast"]}'``. A Ray that is started here finds the
    modules that this process finds.

    Examples
    --------
    >>> with RayExecutor(workers=1) as executor:  # doctest: +SKIP
    ...     executor.submit(divmod, 17, 5).result()
    (3, 2)
    """

    def __init__(
        self,
        address: str | None = None,
        *,
        workers: int | None = None,
        num_cpus: float = 1,
        options: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        address = address or (None if ray.is_initialized() else os.environ.get("RAY_ADDRESS"))
        if workers is not None and (address is not None or ray.is_initialized()):
            raise OptionError("workers are those of the cluster: leave the number out, or the address")
        if not num_cpus > 0:
            raise OptionError(f"num_cpus must be greater than 0, got {num_cpus!r}")
        self._mine = not ray.is_initialized()
        self._head: tuple[str, int] | None = None
        if self._mine:
            _connect(address, resolve_threads(workers))
        elif address is not None:
            raise OptionError(f"Ray is connected already: leave the address {address!r} out")
        self._num_cpus = num_cpus
        self._call: Any = ray.remote(call).options(
            **{
                "name": "tfdp",
                "num_cpus": num_cpus,
                "max_retries": 0,
                "scheduling_strategy": "SPREAD",
                **(options or {}),
            }
        )
        self._done = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="tfdp-ray-watch", daemon=True)
        try:
            self._slots = self._count()
            if not _by_client():
                host, _, port = ray.get_runtime_context().gcs_address.rpartition(":")
                self._head = host.strip("[]"), int(port)
        except BaseException:
            self._close()
            raise
        self._watcher.start()

    def slots(self) -> int:
        """How many calls can run at once, as of a moment ago: the CPUs of all nodes, over `num_cpus`."""
        return self._slots

    def _count(self) -> int:
        return int(ray.cluster_resources().get("CPU", 0) // self._num_cpus)

    def _start(
        self, function: Callable[..., Any], arguments: tuple[Any, ...], keywords: dict[str, Any]
    ) -> tuple[ray.ObjectRef[Any], Future[tuple[Any, Exception | None]]]:
        reference = self._call.remote(function, arguments, keywords)
        return reference, reference.future()

    def _stop(self, handle: ray.ObjectRef[Any]) -> None:
        if self._broken is None:
            ray.cancel(handle, force=True)  # else it would wait for what does not listen, such as a slow read

    def _close(self) -> None:
        self._done.set()
        if self._watcher.ident is not None and self._watcher is not threading.current_thread():
            self._watcher.join()  # Ray must not be asked while it is being shut down
        # Without its head, Ray would wait in there until it ends the process.
        if self._mine and self._broken is None:
            _disconnect()

    def _in_our_words(self, error: BaseException) -> BaseException:
        known = ray.exceptions
        if isinstance(error, known.NodeDiedError):
            found = re.search(r"Node IP: ([^,\s]+), node ID: (\w+)", str(error))
            return WorkerLostError(f"node {found[1]} died ({found[2]})" if found else "its node died")
        if isinstance(error, known.WorkerCrashedError):
            return WorkerLostError("the worker process died, or was killed")
        if isinstance(error, known.OutOfMemoryError):
            return WorkerLostError("Ray ended it, because the node was short of memory")
        if isinstance(error, (known.LocalRayletDiedError, ConnectionError)):
            return EngineBrokenError("Ray has stopped on this machine: start it again, and run again")
        if isinstance(error, (known.TaskCancelledError, CancelledError)):
            return EngineError("Ray cancelled the task")
        if isinstance(error, known.RayTaskError):
            error = error.cause
        if missing := re.search(r"No module named '[^']+'", str(error)):
            return EngineError(f"on a node: {missing[0]}; install it there, or name it in a runtime_env")
        return EngineError(f"Ray: {_said(error)}")

    def _watch(self) -> None:
        """Count the slots. When the head has been silent for a while, give up: Ray would end the process."""
        silent = 0.0
        while not self._done.wait(_LOOK):
            if self._head is not None and not _answers(*self._head):
                silent += _LOOK
                if silent >= _patience():
                    self._break("the head of the Ray cluster does not answer any more")
                    return
                continue
            silent = 0.0
            try:
                self._slots = self._count()
            except Exception as error:
                logging.getLogger(__name__).debug("Ray does not say what it has: %s", error)


def _connect(address: str | None, workers: int) -> None:
    """Connect, or start Ray here, with nothing on the terminal."""
    quiet: dict[str, Any] = {"log_to_driver": False, "logging_level": logging.ERROR}
    there = _of_this_node() if address == "auto" else address or ""
    if found := re.fullmatch(r"(?:ray://)?(\[.+\]|[^:/]+):(\d+)", there):
        host, port = found[1].strip("[]"), int(found[2])
        # Ray itself would try for minutes.
        if not _answers(host, port):
            raise EngineError(f"no Ray answers at {there}")
    terminate = signal.getsignal(signal.SIGTERM)
    try:
        if address is None:
            with environment(PYTHONPATH=python_path(), RAY_USAGE_STATS_ENABLED="0"):
                ray.init(
                    "local", num_cpus=workers, include_dashboard=False, object_store_memory=_STORE, **quiet
                )
        else:
            ray.init(address, **quiet)
    except Exception as error:
        doing = "be started" if address is None else f"be reached at {address}"
        raise EngineError(f"Ray cannot {doing}: {_said(error)}") from error
    if callable(terminate) and threading.current_thread() is threading.main_thread():
        # Ray takes it, to print where each thread is, and end the process.
        signal.signal(signal.SIGTERM, terminate)
    _let_talk(False)


def _of_this_node() -> str:
    """The address that "auto" stands for; it may be that of a cluster of long ago."""
    try:
        from ray._private.services import get_ray_address_from_environment

        return str(get_ray_address_from_environment("auto", None))
    except Exception:  # there is none, which Ray says well, or it has other names for this
        return "auto"


def _disconnect() -> None:
    ray.shutdown()
    _let_talk(True)


def _let_talk(yes: bool) -> None:
    """Ray prints errors of the cluster to standard output, whatever it is told; this is its own switch."""
    worker: Any = getattr(getattr(ray, "_private", None), "worker", None)
    if hasattr(worker, "_worker_logs_enabled"):
        worker._worker_logs_enabled = yes


def _by_client() -> bool:
    return bool(ray.util.client.ray.is_connected())


def _answers(host: str, port: int) -> bool:
    try:
        socket.create_connection((host, port), _KNOCK).close()
    except OSError:
        return False
    return True


def _patience() -> float:
    """How long a head may be silent. Ray ends the driver after 60 seconds, unless told otherwise."""
    try:
        return 0.75 * float(os.environ.get(_RAY_GIVES_UP, "60"))
    except ValueError:
        return 45.0


def _said(error: BaseException) -> str:
    """An error's type and first line."""
    lines = str(error).strip().splitlines() or [""]
    return one_line(f"{type(error).__name__}: {lines[0]}"[:500])
