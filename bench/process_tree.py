"""A Python process and all that it starts: how long it took, and how much memory all of them had at once.

The memory of several processes is not the sum of what each has resident, for they share pages. So it is the
sum of their proportional sets (PSS), of which each counts its share of what it shares. It is looked at ten
times a second, so a peak that is shorter than that may be missed. What each process had resident at its own
peak is recorded by the system, and never too low.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import psutil

PAUSE = 0.1
"""Seconds from one look to the next."""


@dataclass(frozen=True)
class Tree:
    """A process that has ended, and those below it.

    Attributes
    ----------
    seconds : float
        From the start of the first to its end.
    peak : int
        Memory of all of them at the most, bytes, pages that they share counted once.
    own_peaks : tuple of int
        The highest resident memory of each of them, the first one's first; bytes.
    processes : int
        How many there were at the most.
    output : str
        What the first wrote to its standard output.
    """

    seconds: float
    peak: int
    own_peaks: tuple[int, ...]
    processes: int
    output: str


def run_tree(*arguments: str, kill_when: Callable[[], bool] | None = None) -> Tree:
    """Run a Python process with these arguments, and watch it.

    Parameters
    ----------
    *arguments : str
        Of the interpreter.
    kill_when : callable, optional
        Asked ten times a second; once it returns True, the first process is killed by SIGKILL, and those
        below it have ten seconds to notice.

    Raises
    ------
    subprocess.CalledProcessError
        If it fails, or ends before it was to be killed.
    """
    with tempfile.TemporaryFile("w+") as output:
        return _watched([sys.executable, *arguments], output, kill_when)


def run_tfdp_tree(*arguments: str, kill_when: Callable[[], bool] | None = None) -> Tree:
    """Run the command line ``tfdp`` with these arguments, and watch it."""
    code = "import sys; from tfdp_fast.cli import run; sys.exit(run())"
    return run_tree("-c", code, *arguments, kill_when=kill_when)


def _watched(command: list[str], output: IO[str], kill_when: Callable[[], bool] | None) -> Tree:
    begin = time.perf_counter()
    highest: dict[psutil.Process, int] = {}
    peak = most = 0
    killed = False
    process = subprocess.Popen(command, stdout=output)
    try:
        first = psutil.Process(process.pid)
        while _runs(process):
            if kill_when is not None and kill_when():
                killed = True
                _kill(process, first)
                break
            sets = [_memory(one, highest) for one in (first, *_below(first))]
            peak, most = max(peak, sum(sets)), max(most, len(sets))
        seconds = time.perf_counter() - begin
    finally:
        process.kill()
        code = process.wait()
    if (code != 0 and not killed) or (kill_when is not None and not killed):
        raise subprocess.CalledProcessError(code, command)
    output.seek(0)
    return Tree(seconds, peak, tuple(highest.values()), most, output.read())


def _runs(process: subprocess.Popen[bytes]) -> bool:
    """Wait for a moment; does it still run?"""
    try:
        process.wait(PAUSE)
    except subprocess.TimeoutExpired:
        return True
    return False


def _kill(process: subprocess.Popen[bytes], first: psutil.Process) -> None:
    below = _below(first)
    process.kill()
    process.wait()
    _, alive = psutil.wait_procs(below, timeout=10)
    if alive:
        raise RuntimeError(f"{len(alive)} processes outlive the one that started them")


def _below(first: psutil.Process) -> list[psutil.Process]:
    """The processes that one has started, and those that they have started."""
    try:
        return list(first.children(recursive=True))
    except psutil.NoSuchProcess:
        return []


def _memory(process: psutil.Process, highest: dict[psutil.Process, int]) -> int:
    """The proportional set of a process, bytes; `highest` gets what it had resident at its own peak."""
    try:
        size: int = process.memory_full_info().pss
        status = Path(f"/proc/{process.pid}/status").read_text()
    except (psutil.NoSuchProcess, psutil.AccessDenied, FileNotFoundError, ProcessLookupError):
        return 0  # it has just ended
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            highest[process] = max(highest.get(process, 0), int(line.split()[1]) * 1024)
    return size
