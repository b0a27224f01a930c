"""`tfdp run` as a process that is hurt, on data that take it a few seconds; and what is left of it then."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tfdp_fast as tfdp
from driving_support import runs, wait_until
from run_support import content, events, image_scores, lines_of, list_of

RATE = 0.7
TEMPORARY = re.compile(r"\.tfdp-.*")
_PROGRAM = "import sys; from tfdp_fast.cli import run; sys.exit(run())"
_PATIENCE = 120.0
_CATEGORIES = [{"id": number, "name": f"class {number}"} for number in (1, 2, 3)]


@dataclass(frozen=True)
class Corpus:
    """A data set in many files, and in one.

    Attributes
    ----------
    paths : list of str
        The files of which each is a shard.
    whole : Path
        All of it.
    """

    paths: list[str]
    whole: Path

    @property
    def names(self) -> list[str]:
        """What the files are called, without their folder."""
        return [Path(path).name for path in self.paths]


def write_corpus(
    folder: Path,
    *,
    shards: int = 24,
    images: int = 16,
    per_image: int = 8,
    size: int = 8000,
    shared: bool = False,
) -> Corpus:
    """Write COCO files that are small, and slow to measure: their polygons are as large as their images.

    With `shared`, each file has half of the annotations of its images, and the next file has the others.
    """
    folder.mkdir(parents=True, exist_ok=True)
    rng = np.random.default_rng(5)
    numbers = np.arange(shards * images)
    records: list[dict[str, Any]] = [
        # Lists of them are larger than all else in a run folder.
        {"id": n, "file_name": f"{n:06d}-{'x' * 1000}.jpg", "height": size, "width": size}
        for n in numbers.tolist()
    ]
    annotations: list[dict[str, Any]] = []
    for n in numbers.repeat(per_image).tolist():
        polygon = rng.integers(0, size, 24).tolist()
        one = {"id": len(annotations) + 1, "image_id": n, "category_id": int(rng.integers(1, 4))}
        annotations.append({**one, "segmentation": [polygon], "iscrowd": 0})
    paths = []
    for shard in range(shards):
        own = set(range(shard * images, (shard + 1) * images))
        before = set(range((shard - 1) * images, shard * images)) if shared and shard else set()
        part = {
            "images": [record for record in records if record["id"] in own | before],
            "annotations": [
                one
                for one in annotations
                if (one["image_id"] in own and (not shared or one["id"] % 2 or shard == shards - 1))
                or (one["image_id"] in before and one["id"] % 2 == 0)
            ],
            "categories": _CATEGORIES,
        }
        path = folder / f"part-{shard:03d}.json"
        path.write_text(json.dumps(part))
        paths.append(str(path))
    whole = folder / "whole.json"
    whole.write_text(json.dumps({"images": records, "annotations": annotations, "categories": _CATEGORIES}))
    return Corpus(paths, whole)


# --- The process --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Ended:
    """A process that has ended.

    Attributes
    ----------
    code : int
        Its exit code; of a signal, minus its number.
    out, err : str
        What it has written.
    """

    code: int
    out: str
    err: str


class RunProcess:
    """`tfdp run`, at work.

    Parameters
    ----------
    sources : sequence of str
        Files; none goes on with what the run folder names.
    folder : Path
        The run folder.
    *more : str
        Options.
    before : sequence of str
        A command that runs the command.
    env : mapping
        More variables.
    rate : float or None
        The share of the images that is dropped; None if none are to be chosen.
    """

    def __init__(
        self,
        sources: Sequence[str],
        folder: Path,
        *more: str,
        before: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        rate: float | None = RATE,
        **popen: Any,
    ) -> None:
        self.folder = folder
        self.seen: set[int] = set()
        self._old = set(_logs(folder))
        self._log: Path | None = None
        choice = [] if rate is None else ["--rate", str(rate)]
        command = ["run", *sources, "-o", str(folder), *choice, *more]
        self._read, write = os.pipe()
        self._read_errors, errors = os.pipe()
        self.process = subprocess.Popen(
            [*before, sys.executable, "-c", _PROGRAM, *command],
            stdout=write,
            stderr=errors,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(path or "." for path in sys.path),
                **(env or {}),
            },
            **popen,
        )
        os.close(write)
        os.close(errors)

    @property
    def pid(self) -> int:
        return self.process.pid

    def alive(self) -> bool:
        return self.process.poll() is None

    def workers(self) -> list[int]:
        """Its worker processes."""
        found = []
        with contextlib.suppress(OSError):
            for thread in Path(f"/proc/{self.pid}/task").iterdir():
                with contextlib.suppress(OSError):
                    found += (thread / "children").read_text().split()
        self.seen.update(map(int, found))
        return list(map(int, found))

    def events(self) -> list[dict[str, Any]]:
        """What it has logged so far."""
        if self._log is None:
            self._log = next(iter(sorted(set(_logs(self.folder)) - self._old)), None)
        if self._log is None:
            return []
        lines = self._log.read_bytes().rpartition(b"\n")[0].splitlines()
        return [json.loads(line) for line in lines]

    def stage(self) -> str:
        """The last thing that it has begun: ``run``, the name of a stage, ``end``; empty before all."""
        begun = [event["event"] for event in self.events() if event["event"] not in _OF_TASKS]
        return str(begun[-1]) if begun else ""

    def done(self) -> int:
        """How many tasks of the stage are done."""
        found = 0
        for event in self.events():
            found = found + (event["event"] == "done") if event["event"] in _OF_TASKS else 0
        return found

    def until(self, condition: Callable[[], Any]) -> bool:
        """Wait until something is so, or it has ended; was it so?"""
        deadline = time.monotonic() + _PATIENCE
        while self.alive():
            if condition():
                return True
            assert time.monotonic() < deadline
            time.sleep(0.002)
        return False

    def frozen_when(self, condition: Callable[[], Any], pause: float = 0.001) -> bool:
        """Stop it as soon as something is so, and is so when it stands still; False if it has ended."""
        deadline = time.monotonic() + _PATIENCE
        while self.alive():
            if condition():
                os.kill(self.pid, signal.SIGSTOP)
                wait_until(lambda: _state(self.pid) in "TZ")
                if condition():
                    self.workers()
                    return True
                os.kill(self.pid, signal.SIGCONT)
            time.sleep(pause)
            assert time.monotonic() < deadline
        return False

    def kill(self, number: signal.Signals = signal.SIGKILL) -> Ended:
        """Send it a signal, and wait for its end, and that of its workers."""
        self.workers()
        self.process.send_signal(number)
        if _state(self.pid) == "T" and number != signal.SIGKILL:
            self.process.send_signal(signal.SIGCONT)
        return self.end()

    def end(self) -> Ended:
        """Wait for its end, and that of its workers."""
        try:
            code = self.process.wait(_PATIENCE)
        finally:
            self.process.kill()
            self.process.wait()
        wait_until(lambda: not any(map(runs, self.seen)))
        # The pipes end only when nobody has them any more.
        ended = Ended(code, _all_of(self._read), _all_of(self._read_errors))
        assert ended.err.count("\n") <= 1, ended.err
        return ended


_OF_TASKS = {"started", "done", "failed", "lost"}


def _logs(folder: Path) -> list[Path]:
    return list((folder / "logs").glob("*.jsonl"))


def _state(process: int) -> str:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"


def _all_of(pipe: int) -> str:
    with open(pipe) as file:
        return file.read()


def is_open(process: int, name: str) -> bool:
    """Has a process a file of this name open? It may have wildcards."""
    with contextlib.suppress(OSError):
        for file in Path(f"/proc/{process}/fd").iterdir():
            with contextlib.suppress(OSError):
                if file.readlink().match(name):
                    return True
    return False


def kill_at(name: str, processes: Sequence[int]) -> int | None:
    """Kill the process that has a file of this name open, while it has; None if there is none."""
    for process in processes:
        if is_open(process, name):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGSTOP)
                wait_until(lambda process=process: _state(process) in "TZ")  # type: ignore[misc]
                there = is_open(process, name)
                os.kill(process, signal.SIGKILL if there else signal.SIGCONT)
                if there:
                    return process
    return None


def completed(sources: Sequence[str], folder: Path, *more: str, **how: Any) -> Ended:
    """A run that is left alone; it comes to a good end."""
    ended = RunProcess(sources, folder, *more, **how).end()
    assert (ended.code, ended.err) == (0, ""), ended
    return ended


# --- What is left -------------------------------------------------------------------------------------------


def temporaries(folder: Path) -> list[str]:
    """Files that are not whole."""
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if TEMPORARY.match(path.name))


def temporaries_above(folder: Path) -> int:
    """How many such files there are in the folder itself, without those below it."""
    if not folder.exists():
        return 0
    return sum(TEMPORARY.match(path.name) is not None for path in folder.iterdir())


@dataclass(frozen=True)
class Expected:
    """What a run of a data set comes to.

    Attributes
    ----------
    corpus : Corpus
        The data set.
    folder : Path
        A run that was left alone.
    files : dict of str to bytes
        Its files that do not depend on how it came to its end.
    """

    corpus: Corpus
    folder: Path
    files: dict[str, bytes]

    @classmethod
    def of(cls, corpus: Corpus, folder: Path) -> Expected:
        """Let it run, and compare it with one pass in memory."""
        completed(corpus.paths, folder)
        scores = tfdp.score(corpus.whole)
        table = image_scores(folder)
        assert table["image_id"].to_pylist() == scores.images.id.tolist()
        assert table["score"].to_numpy().tobytes() == scores.images.score.tobytes()
        keep = tfdp.select(scores, rate=RATE).keep
        assert lines_of(folder / "keep.txt") == list_of(scores, keep)
        assert lines_of(folder / "drop.txt") == list_of(scores, ~keep)
        files = content(folder)
        assert {"totals.json", "keep.txt", "drop.txt"} < files.keys()
        assert len(files) == 2 * len(corpus.paths) + 3
        return cls(corpus, folder, files)

    def check(self, folder: Path) -> None:
        """A run has come to the same, byte for byte, nothing was done twice, and nothing else is left."""
        found = content(folder)
        assert found.keys() == self.files.keys()
        assert [name for name in found if found[name] != self.files[name]] == []
        assert temporaries(folder) == []
        result = json.loads((folder / "result.json").read_bytes())
        assert result["failed"] == []
        expected = json.loads((self.folder / "result.json").read_bytes())
        for name in ("images", "instances", "classes", "chosen"):
            assert result[name] == expected[name]
        scored = Counter(event["key"] for event in events(folder) if "instances" in event)
        assert set(scored.values()) <= {1}

    def check_unfinished(self, folder: Path) -> None:
        """A run that has not come to its end has nothing that is not right."""
        found = content(folder)
        assert [name for name in found if found[name] != self.files[name]] == []
        assert not (folder / "result.json").exists()


# --- Disks --------------------------------------------------------------------------------------------------


class SmallDisk:
    """A file system in memory that only the processes see which are started by `before`."""

    def __init__(self, keeper: subprocess.Popen[bytes], mount: Path) -> None:
        self._keeper = keeper
        self._mount = mount
        there = ["nsenter", f"--target={keeper.pid}", "--user", "--mount", "--preserve-credentials", "--"]
        self.before = [*there, "env", "-C", str(Path.cwd())]
        self.inside = mount
        """What it is called for those."""
        self.folder = Path(f"/proc/{keeper.pid}/root{mount}")
        """Where it is for the others."""

    def fill(self, left: int = 0) -> None:
        """Fill it, but for so many bytes."""
        free = os.statvfs(self.folder)
        size = free.f_bavail * free.f_frsize - left
        assert size >= 0
        (self.folder / "ballast").write_bytes(bytes(size))

    def make_room(self) -> None:
        (self.folder / "ballast").unlink()

    def remount(self, how: str) -> None:
        """Change its options."""
        self.run("mount", "-o", f"remount,{how}", str(self._mount))

    def run(self, *command: str) -> None:
        subprocess.run([*self.before, *command], check=True)


@contextlib.contextmanager
def small_disk(mount: Path, size: int) -> Iterator[SmallDisk | None]:
    """A file system of so many bytes; None where nobody may mount one."""
    mount.mkdir(parents=True)
    script = f'mount -t tmpfs -o size={size},mode=755 none "$0" && echo there && exec cat'
    keeper = subprocess.Popen(
        ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(mount)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    assert keeper.stdout is not None
    assert keeper.stdin is not None
    try:
        yield SmallDisk(keeper, mount) if keeper.stdout.readline() == b"there\n" else None
    finally:
        keeper.stdin.close()
        keeper.stdout.close()
        keeper.kill()
        keeper.wait()
