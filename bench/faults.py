"""Kill what can be killed, at random moments, and see what comes out: ``python bench/faults.py --page FILE``.

Each fault strikes a run of `tfdp run` several times. Then the run goes on, or is started again, and all of
its files are compared with those of a run that was left alone. Moments are drawn with a seed, but where a run
is at that moment, nobody knows. The table goes into a page between two marks, and to standard output.

The processes, and the data, are those of the kill tests.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import shutil
import signal
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

sys.path.append(str(Path(__file__).resolve().parents[1] / "tests" / "support"))

from kills_support import Corpus, Expected, RunProcess, kill_at, small_disk, write_corpus
from run_support import events
from tfdp_fast.timing.machine import describe_machine
from tfdp_fast.timing.text import markdown

BEGIN, END = "<!-- faults: written by bench/faults.py -->", "<!-- end of faults -->"
SHARDS, PER_IMAGE = 40, 20


class TooLateError(Exception):
    """The run had come to its end before it was hurt."""


@dataclass(frozen=True)
class Trial:
    """A run that was hurt.

    Attributes
    ----------
    moments : list of float
        When, as shares of the time of a run that is left alone.
    same : bool
        Whether all of its files have the same bytes in the end.
    again : int
        Tasks that were tried again in the same run.
    seconds : float
        How long it took from where it was started again, or all of it.
    """

    moments: list[float]
    same: bool
    again: int
    seconds: float


@dataclass
class Patient:
    """A data set, a run of it that was left alone, and how to start another one.

    Attributes
    ----------
    expected : Expected
        What comes out.
    options : list of str
        Of the engine.
    seconds : float
        What a run took that was left alone, a while ago.
    """

    expected: Expected
    options: list[str]
    folder: Path
    rng: random.Random
    seconds: float = 0.0
    number: int = field(default=0)

    def __post_init__(self) -> None:
        self.left_alone()

    def left_alone(self) -> float:
        """What a full run takes now: the machine may have other work as well."""
        begin = time.perf_counter()
        self.well(self.start(folder := self.new()))
        self.seconds = time.perf_counter() - begin
        assert self.same(folder)
        return self.seconds

    def new(self) -> Path:
        """A run folder that is not there yet."""
        self.number += 1
        return self.folder / f"{self.number}"

    def start(self, folder: Path, *more: str, **how: Any) -> RunProcess:
        return RunProcess(self.expected.corpus.paths, folder, *self.options, *more, **how)

    def well(self, run: RunProcess) -> None:
        ended = run.end()
        if (ended.code, ended.err) != (0, ""):
            raise RuntimeError(f"a run that should come to a good end has not: {ended}")

    def go_on(self, folder: Path, *more: str, **how: Any) -> float:
        """Start again, to the good end; how long it took, seconds."""
        begin = time.perf_counter()
        self.well(self.start(folder, *more, **how))
        return time.perf_counter() - begin

    def moment(self, low: float = 0.05, high: float = 0.95) -> float:
        return self.rng.uniform(low, high)

    def wait(self, run: RunProcess, begin: float, moment: float) -> None:
        """Wait until so much of the time of a full run has passed."""
        while time.perf_counter() - begin < moment * self.seconds:
            time.sleep(0.002)
        if not run.alive():
            raise TooLateError

    def same(self, folder: Path) -> bool:
        """Whether all files are as they should be; if not, say so."""
        try:
            self.expected.check(folder)
        except AssertionError as error:
            print(f"{folder}: {error}", file=sys.stderr)
            return False
        return True


Fault = Callable[[Patient], Trial]


def again(folder: Path) -> int:
    return sum(bool(event.get("again")) for event in events(folder))


# --- Faults -------------------------------------------------------------------------------------------------


def workers_killed(count: int, processes: Callable[[RunProcess], list[int]] = RunProcess.workers) -> Fault:
    """Kill a worker in the midst of a shard, so many times."""

    def strike(patient: Patient) -> Trial:
        run = patient.start(folder := patient.new())
        begin = time.perf_counter()
        moments, last = [], patient.moment(0.3, 0.6)
        for _ in range(count):
            patient.wait(run, begin, last)
            if not run.until(lambda: kill_at("part-*.json", processes(run))):
                raise TooLateError
            last = (time.perf_counter() - begin) / patient.seconds
            moments.append(last)
            last += patient.moment(0.1, 0.2)
        patient.well(run)
        seconds = time.perf_counter() - begin
        return Trial(moments, patient.same(folder), again(folder), seconds)

    return strike


def driver_ended(count: int, number: signal.Signals, low: float = 0.05) -> Fault:
    """Send the driver a signal, so many times, and start it again each time."""

    def strike(patient: Patient) -> Trial:
        folder = patient.new()
        moments = []
        for _ in range(count):
            run = patient.start(folder)
            moments.append(patient.moment(low))
            patient.wait(run, time.perf_counter(), moments[-1])
            run.kill(number)
        seconds = patient.go_on(folder)
        return Trial(moments, patient.same(folder), again(folder), seconds)

    return strike


def disk_full(patient: Patient) -> Trial:
    """Let the run folder have too little room, and then enough."""
    folder = patient.new()
    needed = sum(map(len, patient.expected.files.values()))
    with small_disk(folder, 4 * needed + (8 << 20)) as disk:
        if disk is None:
            raise RuntimeError("no file system can be mounted here")
        inside, moment = disk.inside / "run", patient.moment()
        disk.fill(left=int(moment * needed))
        ended = patient.start(inside, "--retries", "1", before=disk.before).end()
        if ended.code == 0:
            raise TooLateError
        disk.make_room()
        seconds = patient.go_on(inside, before=disk.before)
        return Trial([moment], patient.same(disk.folder / "run"), again(disk.folder / "run"), seconds)


def file_damaged(patient: Patient) -> Trial:
    """Damage a file, so that its shard fails each time, and mend it."""
    folder, path = patient.new(), Path(patient.rng.choice(patient.expected.corpus.paths))
    good, times = path.read_bytes(), path.stat()
    moment = patient.moment()
    try:
        path.write_bytes(good[: int(len(good) * moment)])
        ended = patient.start(folder).end()
        if ended.code != 1:
            raise RuntimeError(f"a shard should have failed: {ended}")
    finally:
        path.write_bytes(good)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    seconds = patient.go_on(folder, "--changed", "rescore")
    return Trial([], patient.same(folder), again(folder), seconds)


# --- All of them --------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Row:
    """A fault, and what has come of it.

    Attributes
    ----------
    what : str
        What was done.
    trials : list of Trial
        What came of it.
    seconds : float
        What a run takes that is left alone, one before and one after these.
    """

    what: str
    trials: list[Trial]
    seconds: float

    def cells(self) -> list[str]:
        moments = [moment for trial in self.trials for moment in trial.moments]
        retried = [trial.again for trial in self.trials]
        shares = [trial.seconds / self.seconds for trial in self.trials]
        return [
            self.what,
            f"{len(self.trials)}",
            f"{min(moments):.0%} to {max(moments):.0%}" if moments else "from the start",
            f"{sum(trial.same for trial in self.trials)} of {len(self.trials)}",
            f"{min(retried)} to {max(retried)}" if max(retried) > min(retried) else f"{max(retried)}",
            f"{statistics.median(shares):.2f} ({min(shares):.2f} to {max(shares):.2f})",
        ]


COLUMNS = ["what", "times", "when", "same bytes", "tasks tried again", "time"]


def struck(what: str, fault: Fault, patient: Patient, times: int) -> Row:
    """So many trials of a fault; those that come too late do not count."""
    trials: list[Trial] = []
    before = patient.left_alone()
    while len(trials) < times:
        with contextlib.suppress(TooLateError):
            trials.append(fault(patient))
    row = Row(what, trials, (before + patient.left_alone()) / 2)
    print(f"| {' | '.join(row.cells())} |", flush=True)
    return row


def here(corpora: tuple[Corpus, Corpus], folder: Path, rng: random.Random, times: int) -> Iterator[Row]:
    """Faults of a run with worker processes on this machine."""
    plain, shared = (
        Patient(Expected.of(corpus, folder / f"{name} run"), [], folder / name, rng)
        for corpus, name in zip(corpora, ("plain", "shared"), strict=True)
    )
    ended = driver_ended
    yield struck("a worker killed", workers_killed(1), plain, times)
    yield struck("four workers killed, one after the other", workers_killed(4), plain, times)
    yield struck("the driver killed; started again", ended(1, signal.SIGKILL), plain, times)
    yield struck("the driver killed three times; started again", ended(3, signal.SIGKILL), plain, times)
    late = ended(1, signal.SIGKILL, 0.75)
    yield struck("the driver killed late, images in two shards each; started again", late, shared, times)
    yield struck("SIGTERM to the driver; started again", ended(1, signal.SIGTERM), plain, times)
    yield struck("the disk full; room made, started again", disk_full, plain, times)
    yield struck("a damaged file; mended, started again", file_damaged, plain, times)


def on_ray(corpus: Corpus, folder: Path, rng: random.Random, times: int) -> Iterator[Row]:
    """Faults of a Ray cluster of two nodes on this machine."""
    from ray_support import ray_cluster

    with ray_cluster() as cluster:
        options = ["--engine", "ray", "--address", cluster.address]
        patient = Patient(Expected.of(corpus, folder / "ray run"), options, folder / "ray", rng)

        def processes(_: RunProcess) -> list[int]:
            raylets = [node.all_processes["raylet"][0].process.pid for node in cluster.nodes]
            return [child.pid for one in raylets for child in psutil.Process(one).children(recursive=True)]

        def node_killed(patient: Patient) -> Trial:
            run = patient.start(path := patient.new())
            begin, moment = time.perf_counter(), patient.moment(0.3, 0.8)
            patient.wait(run, begin, moment)
            cluster.kill_node()
            patient.well(run)
            seconds = time.perf_counter() - begin
            cluster.add_node()
            return Trial([moment], patient.same(path), again(path), seconds)

        yield struck("Ray: a worker killed", workers_killed(1, processes), patient, times)
        yield struck("Ray: one of two nodes killed", node_killed, patient, times)
        driver = driver_ended(1, signal.SIGKILL)
        yield struck("Ray: the driver killed; started again", driver, patient, times)


def on_dask(corpus: Corpus, folder: Path, rng: random.Random, times: int) -> Iterator[Row]:
    """Faults of a Dask cluster of two workers on this machine."""
    from dask_support import dask_cluster

    with dask_cluster(folder / "scheduler") as cluster:
        options = ["--engine", "dask", "--address", cluster.address]
        patient = Patient(Expected.of(corpus, folder / "dask run"), options, folder / "dask", rng)

        def processes(_: RunProcess) -> list[int]:
            return [worker.pid for worker in cluster.workers if worker.poll() is None]

        one_killed = workers_killed(1, processes)

        def worker_killed(patient: Patient) -> Trial:
            trial = one_killed(patient)
            cluster.add_worker()
            time.sleep(3)  # until it is there
            return trial

        yield struck("Dask: one of two workers killed", worker_killed, patient, times)


def table(rows: Sequence[Row], instances: int, seconds: float) -> str:
    about = describe_machine()
    return (
        f"{SHARDS} shards, {instances:,} instances with outlines across images of 8000 × 8000, on "
        f"{about['processors']} processors ({about['processor']}). All of it took {seconds / 60:.0f} "
        f"minutes; a run that is left alone takes {said(rows)}. When: how much of that time had passed, or "
        "how much room the disk had, of what is needed. Time: of all of it or, where it was started again, "
        "from there; in runs that are left alone; median, least and most.\n\n"
        + markdown(COLUMNS, [row.cells() for row in rows])
    )


def said(rows: Sequence[Row]) -> str:
    """How long runs take that are left alone."""
    times: dict[str, list[float]] = {}
    for row in rows:
        times.setdefault(f"on {row.what.partition(':')[0]}" if ":" in row.what else "here", []).append(
            row.seconds
        )
    return ", ".join(f"{statistics.median(some):.1f} s {where}" for where, some in times.items())


def with_table(text: str, content: str) -> str:
    """A page with what is between its marks replaced."""
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    if not after:
        raise SystemExit("the marks of the faults are missing in the page")
    return f"{before}{BEGIN}\n\n{content}\n\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(description="Kill what can be killed, and see what comes out.")
    parser.add_argument("--page", type=Path, help="write the table into it as well")
    parser.add_argument("--times", type=int, default=5, help="of each fault (default: 5)")
    parser.add_argument("--seed", type=int, default=0, help="of the moments (default: 0)")
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES)
    options = parser.parse_args()
    begin = time.perf_counter()
    rng = random.Random(options.seed)
    folder = Path(tempfile.mkdtemp(prefix="tfdp-faults-"))
    try:
        plain = write_corpus(folder / "plain data", shards=SHARDS, per_image=PER_IMAGE)
        shared = write_corpus(folder / "shared data", shards=SHARDS, per_image=PER_IMAGE, shared=True)
        rows: list[Row] = []
        if "local" in options.engines:
            rows += here((plain, shared), folder, rng, options.times)
        if "ray" in options.engines and find_spec("ray"):
            rows += on_ray(plain, folder, rng, options.times)
        if "dask" in options.engines and find_spec("distributed"):
            rows += on_dask(plain, folder, rng, options.times)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    text = table(rows, SHARDS * 16 * PER_IMAGE, time.perf_counter() - begin)
    print(f"\n{text}")
    if options.page is not None:
        options.page.write_text(with_table(options.page.read_text(), text))
    return 0 if all(trial.same for row in rows for trial in row.trials) else 1


ENGINES = ["local", "ray", "dask"]


if __name__ == "__main__":
    sys.exit(main())
