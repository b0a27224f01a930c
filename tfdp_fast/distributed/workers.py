"""Worker processes on this machine, as a `concurrent.futures.Executor`.

They are started as programs of their own: a script needs no ``if __name__ == "__main__"``, nothing is forked
while threads run, and a worker that is killed takes no other with it. Calls go to the standard input of a
worker, answers come from its standard output. It ends when its standard input does, so that none is left
behind when its driver is killed.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import BrokenExecutor, Executor, Future, ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from types import FunctionType
from typing import Any, ParamSpec, TypeVar

from tfdp_fast._numbers import is_number
from tfdp_fast._text import one_line
from tfdp_fast.distributed.serving import TO_CLEAN_UP, receive, send
from tfdp_fast.distributed.tasks import WorkerLostError, worker_name
from tfdp_fast.errors import EngineError, OptionError

__all__ = ["WorkerProcesses", "WorkersBrokenError"]

_PROGRAM = "import sys; sys.path[:] = sys.argv[1:]; from tfdp_fast.distributed.serving import serve; serve()"
_ONE_THREAD = dict.fromkeys(("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
"""The processes are the parallelism. pyarrow's pool looks at ``OMP_NUM_THREADS`` as well."""
_KEPT_MEMORY = {
    "MALLOC_MMAP_THRESHOLD_": str(1 << 30),
    "MALLOC_TRIM_THRESHOLD_": str(1 << 32),
    "MALLOC_TOP_PAD_": str(1 << 26),
}
"""For glibc: a worker makes the same arrays for each shard. To get their pages anew takes 5 % of its time."""

_TO_END = 5.0
"""Seconds for a worker that has nothing to do."""

P = ParamSpec("P")
T = TypeVar("T")


class WorkersBrokenError(EngineError, BrokenExecutor):
    """Worker processes cannot be started at all."""


class WorkerProcesses(Executor):
    """Worker processes that are started on demand, and replaced when they die.

    If a worker dies during a task, the future gets a `WorkerLostError`, and no other task suffers. Functions
    and arguments are pickled. What they print goes to standard error. A context manager: if its block fails,
    the workers are ended in the midst of their tasks.

    Parameters
    ----------
    workers : int
        How many at most.

    Raises
    ------
    OptionError
        If that is not a number of at least 1; by `submit`, if something cannot be pickled, or is defined in
        the script itself.

    Examples
    --------
    >>> with WorkerProcesses(1) as executor:
    ...     executor.submit(divmod, 17, 5).result()
    (3, 2)
    """

    def __init__(self, workers: int) -> None:
        if not is_number(workers, int) or workers < 1:
            raise OptionError(f"workers must be a whole number of at least 1, got {workers!r}")
        self._threads = ThreadPoolExecutor(workers, thread_name_prefix="tfdp-worker")
        self._mine = threading.local()
        self._lock = threading.Lock()
        self._workers: set[_Worker] = set()
        self._stopping = False
        # As they are now: a worker that is started later must find the same files.
        self._path = list(map(str, sys.path))
        self._folder: Path | None = None
        with contextlib.suppress(OSError):
            self._folder = Path.cwd()

    def submit(self, fn: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> Future[T]:
        """Call a function in a worker process; see `concurrent.futures.Executor.submit`."""
        call = _pickled((fn, args, kwargs))
        return self._threads.submit(self._run, call)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the workers when they have done what was submitted.

        Parameters
        ----------
        wait : bool
            Return when they have ended, not before.
        cancel_futures : bool
            End them now, in the midst of their tasks, whose futures then have a `WorkerLostError`.
        """
        self._threads.shutdown(wait=False, cancel_futures=cancel_futures)
        if cancel_futures:
            self._terminate()
        if wait:
            self._end()
        else:
            threading.Thread(target=self._end, daemon=True).start()

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        self.shutdown(cancel_futures=kind is not None)

    def _run(self, call: bytes) -> Any:
        """Have a call done by the worker of this thread."""
        worker: _Worker | None = getattr(self._mine, "worker", None)
        if worker is None or not worker.alive():
            if worker is not None:
                self._forget(worker)
            self._mine.worker = worker = self._start()
        try:
            return worker.call(call)
        except WorkerLostError:
            self._forget(worker)
            raise

    def _start(self) -> _Worker:
        with self._lock:
            if self._stopping:
                raise WorkerLostError("the engine is being stopped")
            try:
                worker = _Worker(self._path, self._folder)
            except OSError as error:
                raise EngineError(f"no worker process can be started: {error.strerror or error}") from error
            self._workers.add(worker)
        try:
            worker.greet()
        except BaseException:
            self._forget(worker)
            raise
        return worker

    def _forget(self, worker: _Worker) -> None:
        self._mine.worker = None
        with self._lock:
            self._workers.discard(worker)
        worker.end(0)

    def _terminate(self) -> None:
        with self._lock:
            self._stopping = True
            workers = list(self._workers)
        for worker in workers:
            worker.process.terminate()
        deadline = time.monotonic() + TO_CLEAN_UP
        for worker in workers:
            worker.wait(deadline - time.monotonic())

    def _end(self) -> None:
        self._threads.shutdown(wait=True)
        with self._lock:
            workers = list(self._workers)
            self._workers.clear()
        for worker in workers:
            worker.say_goodbye()
        deadline = time.monotonic() + _TO_END
        for worker in workers:
            worker.end(deadline - time.monotonic())


class _Worker:
    """A worker process, as seen by the thread that has it."""

    def __init__(self, path: list[str], folder: Path | None) -> None:
        if not sys.executable:
            raise EngineError(
                "this Python does not know its own program, so it cannot start worker processes"
            )
        self.process = subprocess.Popen(
            [sys.executable, "-c", _PROGRAM, *path],
            bufsize=0,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=folder,
            env={**_KEPT_MEMORY, **os.environ, **_ONE_THREAD},
            start_new_session=True,  # a Ctrl-C is for the driver, which decides
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self._calls, self._answers = self.process.stdin, self.process.stdout

    def alive(self) -> bool:
        return self.process.poll() is None

    def greet(self) -> None:
        """Wait until it is there. A program that ends by itself before that will do so each time."""
        if receive(self._answers.fileno()) is None and self._wait() >= 0:
            raise WorkersBrokenError(f"a worker process cannot be started: it {self._ending()}")

    def call(self, call: bytes) -> Any:
        try:
            send(self._calls.fileno(), call)
            answer = receive(self._answers.fileno())
        except OSError:
            answer = None
        if answer is None:
            self._wait()
            raise WorkerLostError(self._ending(), worker_name(self.process.pid))
        try:
            result, error = pickle.loads(answer)
        except Exception as failure:
            said = one_line(f"{type(failure).__name__}: {failure}")
            raise EngineError(f"an answer of a worker cannot be read: {said}") from failure
        if error is not None:
            raise error
        return result

    def say_goodbye(self) -> None:
        with contextlib.suppress(OSError):
            self._calls.close()

    def wait(self, seconds: float) -> None:
        """Wait for its end; kill it if that does not come in time."""
        try:
            self.process.wait(max(0.0, seconds))
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def end(self, seconds: float) -> None:
        """Wait for its end, and let go of it."""
        self.say_goodbye()
        self.wait(seconds)
        self._answers.close()

    def _wait(self) -> int:
        self.wait(_TO_END)
        return int(self.process.returncode)

    def _ending(self) -> str:
        code = self._wait()
        if code >= 0:
            return f"ended with exit code {code}"
        try:
            name = signal.Signals(-code).name
        except ValueError:
            name = f"signal {-code}"
        return f"killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")


class _Pickler(pickle.Pickler):
    def reducer_override(self, obj: Any) -> Any:
        if isinstance(obj, (FunctionType, type)) and getattr(obj, "__module__", "") == "__main__":
            raise OptionError(
                f"{obj.__qualname__} is defined in the script itself, where worker processes cannot find it: "
                "put it into a module"
            )
        return NotImplemented


def _pickled(call: object) -> bytes:
    file = BytesIO()
    try:
        _Pickler(file, pickle.HIGHEST_PROTOCOL).dump(call)
    except OptionError:
        raise
    except Exception as error:
        raise OptionError(one_line(f"a call cannot be sent to a worker process: {error}")) from error
    return file.getvalue()
