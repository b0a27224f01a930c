"""How far a run is: rates, the time left, and where that is shown."""

from __future__ import annotations

import io
import logging
import os
import pty
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tfdp_fast.distributed.progress import Meter, RunProgress, log_event, run_bar, run_line
from tfdp_fast.distributed.tasks import Event


@dataclass
class Scored:
    images: int
    instances: int


class Run:
    """A run on workers that do so many bytes a second, shards in order, with a clock of its own."""

    def __init__(self, sizes: list[int], workers: int, speed: float = 10.0, **options: Any) -> None:
        self.time = 0.0
        self.sizes = sizes
        self.speed = speed
        self.workers = workers
        options = {"size": sum(sizes), "slots": workers} | options
        self.meter = Meter(options.pop("shards", len(sizes)), clock=lambda: self.time, **options)

    def event(self, kind: Literal["started", "done", "failed", "lost"], key: int, **more: Any) -> None:
        self.meter.see(Event(kind, str(key), self.sizes[key], self.time, 1, **more))

    def go(self) -> list[tuple[float, RunProgress]]:
        """When each shard was done, and what was known of the rest then."""
        known = []
        free = [0.0] * self.workers
        ends: list[tuple[float, float, int]] = []
        for key, size in enumerate(self.sizes):
            self.event("started", key)
            begin = min(free)
            free[free.index(begin)] = begin + size / self.speed
            ends.append((begin + size / self.speed, size / self.speed, key))
        for end, seconds, key in sorted(ends):
            self.time = end
            self.event("done", key, seconds=seconds, result=Scored(1, 10 * self.sizes[key]))
            known.append((end, self.meter.now()))
        return known


@pytest.mark.parametrize("workers", [1, 2, 7, 100])
def test_time_left_of_equal_shards(workers: int) -> None:
    """It is right from the first shard on, though the others in flight are not done."""
    known = Run([50] * 700, workers).go()
    last = known[-1][0]
    assert [p.seconds_left for _, p in known] == pytest.approx([last - now for now, _ in known])


@given(st.lists(st.integers(20, 80), min_size=1, max_size=60), st.sampled_from([1, 2, 7]), st.booleans())
def test_time_left_of_other_shards(sizes: list[int], workers: int, by_size: bool) -> None:
    known = Run(sizes, workers, size=sum(sizes) if by_size else None).go()
    last = known[-1][0]
    for now, progress in known:
        assert progress.seconds_left is not None
        # A worker at the end may be alone with a shard; shards differ by a factor of four.
        slack = 80 / 10 * (1 if by_size else 2)
        wrong = 1 if by_size else 4
        assert (last - now) / wrong - slack <= progress.seconds_left <= (last - now) * wrong + slack
    assert known[-1][1].seconds_left == 0


def test_rates() -> None:
    run = Run([100, 300], 1)
    assert run.meter.now() == RunProgress(0, 0, 2, 0, 0, 0, 400, 0.0, 0.0, 0.0, None)
    run.time = 1000.0  # what is before the first shard does not count
    run.event("started", 0)
    run.event("started", 1)
    assert run.meter.now().seconds_left is None
    run.time += 10
    run.event("done", 0, seconds=10.0, result=Scored(5, 70))
    assert run.meter.now() == RunProgress(1, 0, 2, 5, 70, 100, 400, 10.0, 7.0, 10.0, 30.0)
    run.time += 10
    assert run.meter.now() == RunProgress(1, 0, 2, 5, 70, 100, 400, 20.0, 3.5, 5.0, 20.0)
    run.time += 20
    run.event("done", 1, seconds=30.0, result=Scored(6, 130))
    assert run.meter.now() == RunProgress(2, 0, 2, 11, 200, 400, 400, 40.0, 5.0, 10.0, 0.0)


def test_what_earlier_runs_have_done_is_in_no_rate() -> None:
    earlier = RunProgress(3, 1, 5, 30, 3000, 600, 1000, 99.0, 9.0, 9.0, None)
    run = Run([100, 300], 1, size=1000, shards=5, earlier=earlier)
    assert run.meter.now() == RunProgress(3, 0, 5, 30, 3000, 600, 1000, 0.0, 0.0, 0.0, None)
    run.event("started", 0)
    run.event("started", 1)
    run.time = 10.0
    run.event("done", 0, seconds=10.0, result=Scored(5, 70))
    assert run.meter.now() == RunProgress(4, 0, 5, 35, 3070, 700, 1000, 10.0, 7.0, 10.0, 30.0)


def test_failures() -> None:
    run = Run([100, 100, 100, 100], 2)
    for key in range(3):
        run.event("started", key)
    run.time = 10.0
    run.event("failed", 0, seconds=10.0, again=True)
    run.event("lost", 1, seconds=10.0, again=False)
    progress = run.meter.now()
    assert (progress.shards, progress.failed, progress.seconds_left) == (0, 1, None)
    run.event("started", 3)
    run.event("started", 0)
    run.time = 20.0
    run.event("done", 2, seconds=10.0)
    run.event("done", 3, seconds=10.0)
    run.time = 30.0
    run.event("failed", 0, seconds=10.0, again=False)
    progress = run.meter.now()
    assert (progress.shards, progress.failed, progress.size) == (2, 2, 200)
    assert progress.seconds_left == 0.0


@pytest.mark.parametrize("size", [0, None])
def test_nothing_is_known_of_bytes(size: int | None) -> None:
    run = Run([0, 0, 0, 0], 1, size=size)
    for key in range(4):
        run.event("started", key)
    run.time = 7.0
    run.event("done", 0, seconds=7.0, result="nothing of interest")
    progress = run.meter.now()
    assert progress.seconds_left == pytest.approx(21.0)
    assert (progress.instances, progress.bytes_per_second) == (0, 0.0)


def test_nothing_to_do() -> None:
    assert Meter(0, None).now().seconds_left == 0.0
    assert Meter(0, 0).now().seconds_left == 0.0


def test_slots_may_change() -> None:
    """Twice the workers from now on; those in flight are known to have begun."""
    slots = 1
    run = Run([100] * 8, 1, slots=lambda: slots)
    for key in range(4):
        run.event("started", key)
    run.time = 10.0
    slots = 2
    run.event("done", 0, seconds=10.0)
    run.time = 20.0
    # 100 bytes are done, 200 more nearly so: 300 in 20 seconds.
    assert run.meter.now().seconds_left == pytest.approx(500 * 20 / 300)


@pytest.mark.parametrize(
    ("size", "said"),
    [
        (0, "0 B"),
        (999, "999 B"),
        (1000, "1 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (12_345_678, "12.3 MB"),
        (999_600_000, "1 GB"),
        (5e12, "5 TB"),
        (4.5e15, "4.5 PB"),
    ],
)
def test_bytes(size: float, said: str) -> None:
    line = run_line(RunProgress(1, 0, 2, 0, 0, int(size), 10**16, 1.0, 0.0, size, None))
    assert line == f"1/2 shards; {said}/10 PB, {said}/s"


def test_lines() -> None:
    line = run_line(RunProgress(1000, 0, 2000, 5, 0, 0, None, 1.0, 0.0, 0.0, 90000.4))
    assert line == "1,000/2,000 shards; 1 day, 1:00:00 left"


def test_log(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "tfdp_fast")
    run = Run([1, 1], 1)
    for event in (
        Event("started", "a", 1, 0.0, 1),
        Event("failed", "a", 1, 0.0, 1, 2.0, "here:7", "ValueError: no", again=True),
        Event("lost", "a", 1, 0.0, 2, 2.0, "here:7", "the worker was lost: killed by SIGKILL", again=False),
        Event("done", "b", 1, 0.0, 1, 1.26, "here:7"),
        Event("done", "b", 1, 0.0, 1, 1.26),
    ):
        run.meter.see(event)
        log_event(event, run.meter.now())
    assert {(record.name, record.levelno) for record in caplog.records} == {("tfdp_fast", logging.INFO)}
    assert [record.getMessage() for record in caplog.records] == [
        "shard a: try 1: ValueError: no; will be tried again",
        "shard a: try 2: the worker was lost: killed by SIGKILL; given up",
        "shard b: done in 1.3 s on here:7 (1/2)",
        "shard b: done in 1.3 s (2/2)",
    ]


def test_nothing_without_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(sys, "stderr", stream)
    with run_bar(enabled=True) as bar:
        assert bar is None
    assert stream.getvalue() == ""
    monkeypatch.setattr(sys, "stderr", None)
    with run_bar(enabled=True) as bar:
        assert bar is None


CODE = """
import sys
sys.path.insert(0, sys.argv[1])
from tfdp_fast.distributed.progress import RunProgress, run_bar
with run_bar(enabled=sys.argv[2] == "on") as bar:
    for shards in range(5) if bar else ():
        bar(RunProgress(shards, 0, 4, 1, 10 * shards, 100 * shards, 400, 2.0, 20.0, 1.0, 7.0))
"""


@pytest.mark.parametrize("state", ["on", "off"])
def test_a_bar_on_a_terminal(state: str) -> None:
    main_end, terminal = pty.openpty()
    project = str(Path(__file__).resolve().parents[1])
    environment = os.environ | {"COLUMNS": "140", "TERM": "xterm"}
    with subprocess.Popen(
        [sys.executable, "-c", CODE, project, state], stderr=terminal, stdout=subprocess.PIPE, env=environment
    ) as shown:
        os.close(terminal)
        seen = b""
        try:
            while piece := os.read(main_end, 4096):
                seen += piece
        except OSError:  # Linux says so when the other end is closed
            pass
        assert shown.communicate()[0] == b""
    os.close(main_end)
    assert shown.returncode == 0
    assert (b"4/4 shards; 40 instances, 20/s; 400 B/400 B, 1 B/s; 0:00:07 left" in seen) == (state == "on")
    assert state == "on" or seen == b""
