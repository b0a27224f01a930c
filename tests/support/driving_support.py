"""Functions for workers, which have to find them in a module, and what the tests of workers share."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any


def pid(*_: object) -> int:
    return os.getpid()


def double(number: int) -> int:
    return 2 * number


def wait_for_file(path: str) -> int:
    """Say who is there, by a file beside it, and wait."""
    Path(f"{path}.{os.getpid()}").touch()
    return wait_until(Path(path).exists)


def wait_until(condition: Callable[[], Any], seconds: float = 30.0) -> int:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.01)
    return os.getpid()


def waiting_at(path: Path) -> list[int]:
    """The processes that wait for a file."""
    return sorted(int(found.name.rpartition(".")[2]) for found in path.parent.glob(f"{path.name}.*"))


def runs(process: int) -> bool:
    """Is there such a process, other than one that is dead and not yet buried?"""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def speak(text: str) -> str:
    print(text)
    os.write(1, text.encode())
    sys.stdout.flush()
    return sys.stdin.read()


def speak_and_leave(text: str) -> None:
    print(text)
    os._exit(0)


def leave(code: int) -> None:
    os._exit(code)


def exit_politely(code: int) -> None:
    sys.exit(code)


def interrupt() -> str:
    os.kill(os.getpid(), signal.SIGINT)
    time.sleep(0.05)
    return "still here"


class TwoArgumentsError(Exception):
    """It is pickled, and cannot be read again."""

    def __init__(self, one: str, two: str) -> None:
        super().__init__(f"{one} and {two}")


def raise_error(kind: type[Exception], *arguments: object) -> None:
    raise kind(*arguments)


def raise_unpicklable() -> None:
    error = ValueError("with a lock")
    error.lock = threading.Lock()  # type: ignore[attr-defined]
    raise error


def give_lock() -> Any:
    return threading.Lock()


def where() -> tuple[str, list[str]]:
    return str(Path.cwd()), sys.path


def variables(*names: str) -> list[str | None]:
    return [os.environ.get(name) for name in names]


def arrow_threads() -> int:
    import pyarrow as pa

    return int(pa.cpu_count())


def fork_and_die(path: str) -> None:
    """Leave a child behind that has all that was open."""
    if child := os.fork():
        Path(path).write_text(str(child))
        os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(30)
    os._exit(0)


def clean_up_after(path: str) -> None:
    """Make a file, and remove it when that is stopped."""
    made = Path(f"{path}-temporary")
    made.touch()
    try:
        wait_for_file(path)
    finally:
        made.unlink()


def fail_to_clean_up(path: str) -> None:
    try:
        wait_for_file(path)
    finally:
        Path(f"{path}-temporary").unlink()


def hold_on(path: str) -> None:
    """Refuse to stop."""
    while True:
        with contextlib.suppress(BaseException):
            wait_for_file(path)


def fail_until(path: str, times: int) -> int:
    """Fail so many times; count the tries in a file."""
    file = Path(path)
    tries = len(file.read_text()) if file.exists() else 0
    file.write_text("x" * (tries + 1))
    if tries < times:
        raise OSError(f"try {tries + 1}")
    return tries + 1


def die_until(path: str, times: int) -> int:
    """The same, but kill the worker."""
    try:
        return fail_until(path, times)
    except OSError:
        os.kill(os.getpid(), signal.SIGKILL)
        raise
