"""Tasks that leave traces, so that a test knows what has run, where and how often; and a driver of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

from tfdp_fast.distributed.driving import drive
from tfdp_fast.distributed.tasks import Event, Outcome, Task


def write_square(folder: str, number: int, seconds: float) -> int:
    """Write number squared into a file, whole or not at all; the same bytes each time.

    A trace of each try stays in the folder ``begun``, with the process id of who has tried.
    """
    (Path(folder) / "begun" / f"{number}-{os.getpid()}-{uuid.uuid4().hex}").touch()
    time.sleep(seconds)
    temporary = Path(folder) / f".{uuid.uuid4().hex}"
    temporary.write_text(str(number**2))
    temporary.replace(Path(folder) / f"{number}.txt")
    return number**2


def refuse(number: int) -> None:
    raise ValueError(f"not {number}\nnor any other")


def end_the_process(code: int) -> None:
    os._exit(code)


@dataclass
class Squares:
    """Many tasks that write squares.

    Attributes
    ----------
    folder : Path
        Where they write.
    events : list of Event
        What has happened.
    """

    folder: Path
    count: int = 40
    seconds: float = 0.2
    events: list[Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        (self.folder / "begun").mkdir(parents=True)

    def drive(
        self,
        executor: Executor,
        slots: Callable[[], int],
        when_done: dict[int, Callable[[], object]] | None = None,
        retries: int = 3,
    ) -> list[Outcome[int]]:
        """Drive them; when so many are done, something else happens."""
        pending = dict(when_done or {})

        def on_event(event: Event) -> None:
            self.events.append(event)
            done = sum(e.kind == "done" for e in self.events)
            if event.kind == "done" and done in pending:
                pending.pop(done)()

        tasks = [Task(str(n), write_square, (str(self.folder), n, self.seconds)) for n in range(self.count)]
        outcomes = list(
            drive(tasks, executor, window=lambda: 2 * slots(), retries=retries, on_event=on_event)
        )
        assert not pending
        return outcomes

    def check(self, outcomes: list[Outcome[int]]) -> None:
        """All are there, once; and every try is accounted for."""
        assert sorted(int(outcome.task.key) for outcome in outcomes) == list(range(self.count))
        assert all(outcome.result == int(outcome.task.key) ** 2 for outcome in outcomes), outcomes
        written = {int(path.stem): int(path.read_text()) for path in self.folder.glob("*.txt")}
        assert written == {n: n**2 for n in range(self.count)}
        failures = Counter(event.key for event in self.events if event.kind in {"failed", "lost"})
        assert {o.task.key: o.tries - 1 for o in outcomes if o.tries > 1} == dict(failures)
        begun = Counter(self.begun())
        for outcome in outcomes:  # a try may have been lost before it began
            assert 1 <= begun[outcome.task.key] <= outcome.tries

    def begun(self) -> list[str]:
        """The task of each try that has begun."""
        return [trace.name.partition("-")[0] for trace in (self.folder / "begun").iterdir()]

    def lost(self) -> list[Event]:
        return [event for event in self.events if event.kind == "lost"]

    def busy(self) -> tuple[int, int]:
        """A task that has just begun, and the process that is at it."""
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            for trace in (self.folder / "begun").iterdir():
                number, pid, _ = trace.name.split("-")
                young = time.time() - trace.stat().st_mtime < 0.3 * self.seconds
                if young and not (self.folder / f"{number}.txt").exists():
                    return int(number), int(pid)
            time.sleep(0.005)
        raise AssertionError("no task has begun")

    def kill_a_worker(self) -> int:
        """Kill a worker in the midst of a task; which task it was."""
        number, pid = self.busy()
        os.kill(pid, signal.SIGKILL)
        return number


def run_script(text: str, folder: Path, **variables: str) -> tuple[int, str, str]:
    """Run a script of its own, warnings as errors: exit code, standard output, standard error."""
    script = folder / "script.py"
    script.write_text(text)
    env = {**os.environ, **variables, "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path)}
    done = subprocess.run(
        [sys.executable, "-W", "error", str(script)],
        env=env,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    return done.returncode, done.stdout, done.stderr
