"""What is run by engines: tasks, what becomes of them, and what happens on the way."""

from __future__ import annotations

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, Literal, TypeVar

from tfdp_fast.errors import EngineError

__all__ = ["Event", "Outcome", "Task", "WorkerLostError", "worker_name"]

R = TypeVar("R")


class WorkerLostError(EngineError):
    """The worker that ran a task has died, for whatever reason; the other workers go on.

    Engines set it as the exception of a future.

    Attributes
    ----------
    reason : str
        How it died, in one line.
    worker : str
        Which one, as ``host:pid``; empty if that is not known.
    """

    def __init__(self, reason: str, worker: str = "") -> None:
        self.reason = reason
        self.worker = worker
        super().__init__(f"the worker was lost: {reason}")

    def __reduce__(self) -> tuple[type[WorkerLostError], tuple[str, str]]:
        return WorkerLostError, (self.reason, self.worker)


@dataclass(frozen=True)
class Task(Generic[R]):
    """A call of a function that may be made anywhere, and more than once.

    Attributes
    ----------
    key : str
        What it is called in events.
    function : callable
        Of a module that workers can import.
    arguments : tuple
        They are pickled, for most engines.
    size : int
        Bytes of input; 0 if that is not known.
    """

    key: str
    function: Callable[..., R]
    arguments: tuple[Any, ...] = ()
    size: int = 0


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of a task.

    Attributes
    ----------
    task : Task
        The task.
    result : object or None
        What its function returned.
    error : str or None
        Why it failed the last time, in one line; None if it did not.
    tries : int
        How often it was begun.
    seconds : float
        How long the last try took: the function alone or, where the worker was lost, since it was handed to
        the engine.
    worker : str
        Where that was, as ``host:pid``; empty if that is not known.
    """

    task: Task[R]
    result: R | None
    error: str | None
    tries: int
    seconds: float
    worker: str


@dataclass(frozen=True)
class Event:
    """Something that has happened to a task.

    Attributes
    ----------
    kind : {"started", "done", "failed", "lost"}
        ``started``: handed to the engine, where it may wait for a worker. ``lost``: failed because its worker
        has died.
    key : str
        The task's.
    size : int
        The task's bytes of input; 0 if that is not known.
    time : float
        When the driver knew, in seconds since 1970.
    tries : int
        Which try this is, from 1.
    seconds : float
        How long it took; see `Outcome`. 0 for ``started``.
    worker : str
        Where it ran, as ``host:pid``; empty if that is not known.
    reason : str or None
        Why it failed, in one line.
    again : bool
        Whether a task that failed will be tried again.
    trace : str or None
        The traceback of an error that nobody expected.
    result : object
        What a task that is done has returned.
    """

    kind: Literal["started", "done", "failed", "lost"]
    key: str
    size: int
    time: float
    tries: int
    seconds: float = 0.0
    worker: str = ""
    reason: str | None = None
    again: bool = False
    trace: str | None = None
    result: Any = None


def worker_name(pid: int | None = None) -> str:
    """What a process of this machine is called in events; this process by default.

    Examples
    --------
    >>> worker_name(17) == f"{socket.gethostname()}:17"
    True
    """
    return f"{socket.gethostname()}:{os.getpid() if pid is None else pid}"
