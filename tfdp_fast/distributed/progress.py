"""How far a run is, how fast, and how long it will take: from the events of its tasks."""

from __future__ import annotations

import contextlib
import logging
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta

from tfdp_fast._text import one_line
from tfdp_fast.distributed.tasks import Event

__all__ = ["Meter", "RunProgress", "log_event", "run_bar", "run_line"]

_log = logging.getLogger(__name__.partition(".")[0])


@dataclass(frozen=True)
class RunProgress:
    """How far a run is.

    Attributes
    ----------
    shards : int
        How many are done, those of earlier runs among them.
    failed : int
        How many have failed to the end.
    all_shards : int
        How many there are.
    images, instances : int
        What the shards that are done hold.
    size : int
        Their bytes.
    all_size : int or None
        Bytes of all shards; None if that is not known.
    seconds : float
        Since this run began with its first shard. What earlier runs have done is in none of the rates.
    instances_per_second, bytes_per_second : float
        Of this run; 0 until a shard is done.
    seconds_left : float or None
        By bytes or, where these are not known, by shards; None until a shard is done.
    """

    shards: int
    failed: int
    all_shards: int
    images: int
    instances: int
    size: int
    all_size: int | None
    seconds: float
    instances_per_second: float
    bytes_per_second: float
    seconds_left: float | None


class Meter:
    """Makes a `RunProgress` from the events of `drive`.

    Results of tasks tell their ``images`` and ``instances`` by attributes of these names, if they have them.

    Parameters
    ----------
    shards : int
        All there are.
    size : int or None
        Their bytes; None if that is not known of each of them.
    slots : int or callable
        How many tasks run at once; or what says so now.
    earlier : RunProgress or None
        What had been done before this run: `shards`, `images`, `instances` and `size` count.
    clock : callable
        Seconds.

    Examples
    --------
    >>> now = 0.0
    >>> meter = Meter(4, 400, slots=1, clock=lambda: now)
    >>> meter.see(Event("started", "a", 100, time=0.0, tries=1))
    >>> now = 5.0
    >>> meter.see(Event("done", "a", 100, time=5.0, tries=1, seconds=5.0))
    >>> meter.now().bytes_per_second, meter.now().seconds_left
    (20.0, 15.0)
    """

    def __init__(
        self,
        shards: int,
        size: int | None,
        *,
        slots: int | Callable[[], int] = 1,
        earlier: RunProgress | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._all_shards, self._all_size = shards, size
        self._slots = slots
        self._earlier = earlier or RunProgress(0, 0, shards, 0, 0, 0, size, 0.0, 0.0, 0.0, None)
        self._clock = clock
        self._begin: float | None = None
        self._shards = self._failed = self._images = self._instances = self._size = 0
        self._ended = 0  # what is done and what has failed: bytes or shards, as `_weight` says
        self._done = 0
        self._worked = 0.0  # seconds of workers for it
        # Engines do not say when a task begins: they are taken to begin in order, when a worker is free.
        self._waiting: dict[str, int] = {}
        self._running: dict[str, tuple[int, float]] = {}

    def see(self, event: Event) -> None:
        """Take note of an event."""
        now = self._clock()
        weight = self._weight(event.size)
        if event.kind == "started":
            self._begin = now if self._begin is None else self._begin
            self._waiting[event.key] = weight
        else:
            self._running.pop(event.key, None)
            self._waiting.pop(event.key, None)
            if not event.again:
                self._ended += weight
                self._end(event, weight)
        slots = self._slots() if callable(self._slots) else self._slots
        while self._waiting and len(self._running) < max(1, slots):
            key = next(iter(self._waiting))
            self._running[key] = self._waiting.pop(key), now

    def now(self) -> RunProgress:
        """How far the run is now."""
        earlier = self._earlier
        seconds = 0.0 if self._begin is None else self._clock() - self._begin
        return RunProgress(
            earlier.shards + self._shards,
            self._failed,
            self._all_shards,
            earlier.images + self._images,
            earlier.instances + self._instances,
            earlier.size + self._size,
            self._all_size,
            seconds,
            self._instances / seconds if seconds else 0.0,
            self._size / seconds if seconds else 0.0,
            self._seconds_left(seconds),
        )

    def _end(self, event: Event, weight: int) -> None:
        if event.kind != "done":
            self._failed += 1
            return
        self._shards += 1
        self._images += getattr(event.result, "images", 0)
        self._instances += getattr(event.result, "instances", 0)
        self._size += event.size
        self._done += weight
        self._worked += event.seconds

    def _weight(self, size: int) -> int:
        return size if self._all_size else 1

    def _seconds_left(self, seconds: float) -> float | None:
        earlier = self._earlier
        if self._all_size:
            left = self._all_size - earlier.size - self._ended
        else:
            left = self._all_shards - earlier.shards - self._ended
        if left <= 0:
            return 0.0
        if not self._done or not seconds:
            return None
        # When the first shard is done, the others in flight nearly are.
        now = self._clock()
        speed = self._done / self._worked if self._worked else 0.0
        begun = sum(min(float(weight), (now - since) * speed) for weight, since in self._running.values())
        return max(0.0, left - begun) * seconds / (self._done + begun)


def log_event(event: Event, progress: RunProgress) -> None:
    """Say what has become of a shard, at level INFO of the logger ``tfdp_fast``.

    Failures as well: what has failed to the end is reported by the run.
    """
    if event.kind == "started":
        _log.debug("shard %s: try %d", event.key, event.tries)
    elif event.kind == "done":
        where = f" on {event.worker}" if event.worker else ""
        done = f"{progress.shards:,}/{progress.all_shards:,}"
        _log.info("shard %s: done in %.1f s%s (%s)", event.key, event.seconds, where, done)
    else:
        then = "will be tried again" if event.again else "given up"
        _log.info("shard %s: try %d: %s; %s", event.key, event.tries, event.reason, then)


def run_line(progress: RunProgress) -> str:
    """How far a run is, in a line for people.

    Examples
    --------
    >>> run_line(RunProgress(12, 1, 400, 9, 3400000, 144000000, 4_800_000_000, 3.2, 1.0625e6, 45e6, 104.0))
    '12/400 shards, 1 failed; 3,400,000 instances, 1,062,500/s; 144 MB/4.8 GB, 45 MB/s; 0:01:44 left'
    """
    parts = [f"{progress.shards:,}/{progress.all_shards:,} shards"]
    if progress.failed:
        parts[0] += f", {progress.failed:,} failed"
    if progress.instances:
        parts.append(f"{progress.instances:,} instances, {progress.instances_per_second:,.0f}/s")
    if progress.size or progress.all_size:
        of = f"/{_bytes(progress.all_size)}" if progress.all_size else ""
        parts.append(f"{_bytes(progress.size)}{of}, {_bytes(progress.bytes_per_second)}/s")
    if progress.seconds_left is not None:
        parts.append(f"{timedelta(seconds=round(progress.seconds_left))} left")
    return "; ".join(parts)


def _bytes(size: float) -> str:
    """Bytes in the unit that suits them, to three digits."""
    for power, unit in ((5, "PB"), (4, "TB"), (3, "GB"), (2, "MB"), (1, "kB")):
        # 999.5 would be rounded to 1000 of the smaller unit.
        if size >= 999.5 * 1000 ** (power - 1):
            return f"{size / 1000**power:.3g} {unit}"
    return f"{size:.0f} B"


@contextlib.contextmanager
def run_bar(*, enabled: bool) -> Iterator[Callable[[RunProgress], None] | None]:
    """A bar on standard error while it is a terminal; None where nothing is to be shown.

    Call it with how far the run is, as often as you like.
    """
    if not enabled or sys.stderr is None or not sys.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False))
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("", total=None)

        def update(progress: RunProgress) -> None:
            done: int = progress.size
            total = progress.all_size
            if not total:
                done, total = progress.shards + progress.failed, progress.all_shards
            bar.update(task, completed=done, total=total, description=one_line(run_line(progress)))

        yield update
