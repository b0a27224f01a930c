"""A worker process: answers calls, one after the other, until its driver has gone.

A call, and an answer, is a pickle with its length in front (8 bytes, little-endian).
"""

from __future__ import annotations

import contextlib
import os
import pickle
import signal
import struct
import sys
import threading
import time
from functools import partial
from queue import SimpleQueue
from typing import Any

from tfdp_fast._insisting import insisting
from tfdp_fast._text import one_line
from tfdp_fast.errors import EngineError

__all__ = ["TO_CLEAN_UP", "receive", "send", "serve"]

TO_CLEAN_UP = 2.0
"""Seconds for a worker that is told to stop in the midst of a task: its temporary files should go."""

_LENGTH = struct.Struct("<Q")


def send(file: int, content: bytes) -> None:
    """Write what `receive` reads at the other end; OSError if there is nobody any more."""
    left = memoryview(_LENGTH.pack(len(content)) + content)
    while left:
        left = left[os.write(file, left) :]


def receive(file: int) -> bytes | None:
    """What the other end has sent; None if there is nobody any more."""
    length = _read(file, _LENGTH.size)
    return None if length is None else _read(file, _LENGTH.unpack(length)[0])


def _read(file: int, size: int) -> bytes | None:
    parts = []
    while size:
        part = os.read(file, min(size, 1 << 20))
        if not part:
            return None
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


class _Terminated(BaseException):
    """Raised by SIGTERM wherever the main thread is, so that temporary files are removed."""


def serve() -> None:
    """Be a worker process: answer calls until standard input ends."""
    calls, answers = _own_streams()
    sys.argv[1:] = []
    stopping = threading.Event()

    def terminate(*_: object) -> None:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: the second would interrupt the cleaning up
        stopping.set()
        raise _Terminated

    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, terminate)
    waiting: SimpleQueue[bytes | None] = SimpleQueue()
    busy = threading.Event()
    threading.Thread(target=_listen, args=(calls, waiting, busy), daemon=True).start()
    # The former if the driver has gone.
    with contextlib.suppress(BrokenPipeError, _Terminated), insisting(_Terminated):
        send(answers, b"")
        while (call := waiting.get()) is not None:
            answer = _answer(call)
            busy.clear()
            if stopping.is_set():  # the cleaning up failed in its turn, and that is what was raised
                break
            send(answers, answer)
    if stopping.is_set():
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)


def _own_streams() -> tuple[int, int]:
    """The ends of the two pipes; afterwards prints go to standard error, and nothing can be read."""
    calls, answers = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDWR)
    os.dup2(nothing, 0)
    try:
        os.dup2(2, 1)
    except OSError:  # closed by the caller of the driver
        os.dup2(nothing, 1)
    sys.stdout = sys.stderr
    # Else a process that a task forks would keep the pipes open when the worker dies.
    for end in (calls, answers):
        os.register_at_fork(after_in_child=partial(os.close, end))
    return calls, answers


def _listen(calls: int, waiting: SimpleQueue[bytes | None], busy: threading.Event) -> None:
    """Take calls; end the process in the midst of a task if the driver has gone."""
    try:
        while (call := receive(calls)) is not None:
            busy.set()
            waiting.put(call)
    finally:
        waiting.put(None)
        if busy.is_set():
            main = threading.main_thread().ident
            assert main is not None
            signal.pthread_kill(main, signal.SIGTERM)
            time.sleep(TO_CLEAN_UP / 2)
            os._exit(1)


def _answer(call: bytes) -> bytes:
    result: Any = None
    error: Exception | None = None
    try:
        function, arguments, named = pickle.loads(call)
        result = function(*arguments, **named)
    except _Terminated:
        raise
    except BaseException as raised:
        error = _that_travels(raised)
    try:
        return pickle.dumps((result, error), pickle.HIGHEST_PROTOCOL)
    except _Terminated:
        raise
    except BaseException as failure:
        said = one_line(f"{type(failure).__name__}: {failure}")
        return pickle.dumps((None, EngineError(f"the result cannot be pickled: {said}")))


def _that_travels(error: BaseException) -> Exception:
    """The exception; a plain one with its type and text, if it would not arrive or would end the driver."""
    with contextlib.suppress(Exception):
        if isinstance(error, Exception) and isinstance(pickle.loads(pickle.dumps(error)), type(error)):
            return error
    return RuntimeError(one_line(f"{type(error).__name__}: {error}"))
