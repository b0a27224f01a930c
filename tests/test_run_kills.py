"""`tfdp run` whose processes are killed: what was done is kept, and in the end there are the same bytes."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from kills_support import (
    Expected,
    RunProcess,
    completed,
    kill_at,
    temporaries,
    temporaries_above,
    write_corpus,
)
from run_support import events
from tfdp_fast.distributed import run_status

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="processes are looked at in /proc")

WORKERS = ("--workers", "2")


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """A data set each image of which is in one shard."""
    folder = tmp_path_factory.mktemp("plain")
    return Expected.of(write_corpus(folder / "data"), folder / "run")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """A data set each image of which is in two shards."""
    folder = tmp_path_factory.mktemp("shared")
    return Expected.of(write_corpus(folder / "data", images=8, shared=True), folder / "run")


def of_kind(folder: Path, kind: str) -> list[str]:
    return [event["key"].partition("-")[2][:3] for event in events(folder) if event["event"] == kind]


def up_to(expected: Expected, stage: str, folder: Path) -> None:
    """A run folder in which all is done that comes before a stage, and nothing else."""
    shutil.copytree(expected.folder, folder)
    shutil.rmtree(folder / "logs")
    for name in ("keep.txt", "drop.txt", "result.json"):
        (folder / name).unlink()
    if stage == "choosing":
        return
    shutil.rmtree(folder / "images")
    if stage in {"rows", "sums"}:
        shutil.rmtree(folder / "shared" / "scores")
    if stage == "rows":
        shutil.rmtree(folder / "shared" / "rows")


# --- Workers ------------------------------------------------------------------------------------------------


def test_a_worker_is_killed(plain: Expected, tmp_path: Path) -> None:
    run = RunProcess(plain.corpus.paths, tmp_path, *WORKERS)
    killed: list[int | None] = [None]

    def kill() -> bool:
        killed[0] = kill_at("part-007.json", run.workers())
        return killed[0] is not None

    assert run.until(kill)
    ended = run.end()
    assert (ended.code, ended.err) == (0, "")
    plain.check(tmp_path)
    [lost] = [event for event in events(tmp_path) if event["event"] == "lost"]
    assert lost["again"]
    assert lost["try"] == 1
    assert "killed by SIGKILL" in lost["reason"]
    assert lost["worker"].endswith(f":{killed[0]}")
    assert "part-007" in lost["key"]
    [again] = [event for event in events(tmp_path) if event["event"] == "done" and event["try"] == 2]
    assert again["key"] == lost["key"]


def test_workers_are_killed_again_and_again(plain: Expected, tmp_path: Path) -> None:
    """More often than a shard is tried, but never the same shard twice."""
    run = RunProcess(plain.corpus.paths, tmp_path, *WORKERS, "--retries", "1")
    left = plain.corpus.names[1::6]

    def kill() -> bool:
        for name in left:
            if kill_at(name, run.workers()):
                left.remove(name)
                break
        return not left

    assert run.until(kill)
    ended = run.end()
    assert (ended.code, ended.err) == (0, "")
    plain.check(tmp_path)
    assert sorted(of_kind(tmp_path, "lost")) == ["001", "007", "013", "019"]


def test_a_shard_that_kills_its_worker(plain: Expected, tmp_path: Path) -> None:
    """It is tried, reported and left; the others are scored, and the next run scores it."""
    name = plain.corpus.names[5]
    run = RunProcess(plain.corpus.paths, tmp_path, *WORKERS)
    killed = []

    def kill() -> bool:
        if victim := kill_at(name, run.workers()):
            killed.append(victim)
        return False

    run.until(kill)
    ended = run.end()
    assert (ended.code, len(killed)) == (1, 3), ended
    assert "part-005.json: the worker was lost: killed by SIGKILL (out of memory?)" in ended.out
    assert of_kind(tmp_path, "lost") == ["005"] * 3
    plain.check_unfinished(tmp_path)
    status = run_status(tmp_path)
    [failed] = status.failed
    assert (failed.name, failed.tries) == (plain.corpus.paths[5], 3)
    assert (status.done, status.missing, status.running) == (23, 0, False)
    assert temporaries(tmp_path) == []
    completed(plain.corpus.paths, tmp_path, *WORKERS)
    plain.check(tmp_path)
    assert of_kind(tmp_path, "done").count("005") == 2


# --- The driver ---------------------------------------------------------------------------------------------


def in_pass_one(run: RunProcess) -> bool:
    return run.stage() == "shards" and run.done() >= 8


def in_stage(stage: str) -> Callable[[RunProcess], bool]:
    return lambda run: run.stage() == stage and run.done() >= (stage != "sums")  # which is a single task


def choosing(run: RunProcess) -> bool:
    # Both lists are being written.
    return temporaries_above(run.folder) == 2


@pytest.mark.parametrize("stage", ["shards", "images", "choosing", "rows", "sums"])
def test_the_driver_is_killed(stage: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    expected: Expected = request.getfixturevalue("shared" if stage in {"rows", "sums"} else "plain")
    folder = tmp_path / "run"
    if stage != "shards":
        up_to(expected, stage, folder)
    run = RunProcess(expected.corpus.paths, folder, *WORKERS)
    moment = {"shards": in_pass_one, "choosing": choosing}.get(stage, in_stage(stage))
    assert run.frozen_when(partial(moment, run))
    assert run_status(folder).running
    assert run.kill().code == -signal.SIGKILL
    expected.check_unfinished(folder)
    assert not run_status(folder).running
    if stage == "shards":
        assert 8 <= run_status(folder).done < 24
    if stage == "choosing":
        assert len(temporaries(folder)) == 2
    completed([], folder, *WORKERS)
    expected.check(folder)


def test_the_driver_is_killed_while_it_writes_the_manifest(plain: Expected, tmp_path: Path) -> None:
    def writing(run: RunProcess) -> bool:
        return run.stage() == "run" and temporaries_above(tmp_path) == 1

    for _ in range(20):  # that takes it a few milliseconds
        run = RunProcess(plain.corpus.paths, tmp_path, *WORKERS)
        if run.frozen_when(partial(writing, run), pause=0):
            run.kill()
            break
        run.end()
        shutil.rmtree(tmp_path)
    else:
        pytest.fail("it was never in the midst of it")
    assert len(temporaries(tmp_path)) == 1
    assert not (tmp_path / "manifest.json").exists()
    completed(plain.corpus.paths, tmp_path, *WORKERS)
    plain.check(tmp_path)


def test_the_driver_is_killed_again_and_again(plain: Expected, tmp_path: Path) -> None:
    """At moments of chance; what it has done by then is kept."""
    rng = random.Random(7)
    done = [0]
    for _ in range(4):
        run = RunProcess(plain.corpus.paths, tmp_path, *WORKERS)
        run.until(partial(has_done, run, rng.randint(0, 8)))
        time.sleep(rng.uniform(0, 0.1))
        run.kill()
        done.append(run_status(tmp_path).done)
        if not (tmp_path / "result.json").exists():
            plain.check_unfinished(tmp_path)
    assert done == sorted(done)
    assert done[-1] > 0
    completed(plain.corpus.paths, tmp_path, *WORKERS)
    plain.check(tmp_path)


def has_done(run: RunProcess, tasks: int) -> bool:
    return run.stage() in {"shards", "images"} and run.done() >= tasks


SAID = {signal.SIGINT: "interrupted", signal.SIGTERM: "terminated", signal.SIGHUP: "hung up"}


@pytest.mark.parametrize(
    ("number", "stage"),
    [
        (signal.SIGINT, "shards"),
        (signal.SIGTERM, "shards"),
        (signal.SIGHUP, "shards"),
        (signal.SIGINT, "choosing"),
        (signal.SIGTERM, "images"),
    ],
)
def test_the_driver_is_told_to_stop(
    plain: Expected, tmp_path: Path, number: signal.Signals, stage: str
) -> None:
    """It says so, ends its workers in the midst of their shards, and leaves nothing half-made."""
    folder = tmp_path / "run"
    if stage != "shards":
        up_to(plain, stage, folder)
    run = RunProcess(plain.corpus.paths, folder, *WORKERS)
    moment = {"shards": in_pass_one, "choosing": choosing}.get(stage, in_stage(stage))
    assert run.frozen_when(partial(moment, run))
    ended = run.kill(number)
    assert (ended.code, ended.out) == (128 + number, "")
    assert ended.err == f"tfdp: {SAID[number]}\n"
    assert temporaries(folder) == []
    plain.check_unfinished(folder)
    last = events(folder)[-1]
    assert (last["event"], last["reason"]) == ("stopped", f"Stopped: {SAID[number]}")
    assert run_status(folder).done >= 8
    assert not run_status(folder).failed
    completed([], folder, *WORKERS)
    plain.check(folder)


def test_the_second_signal_ends_it_at_once(plain: Expected, tmp_path: Path) -> None:
    for _ in range(3):
        run = RunProcess(plain.corpus.paths, tmp_path, *WORKERS)
        assert run.frozen_when(partial(in_pass_one, run))
        os.kill(run.pid, signal.SIGTERM)
        ended = run.kill(signal.SIGINT)
        if ended.code < 0:
            break
        assert ended.code in {130, 143}  # it was that quick
    assert ended.code in {-signal.SIGINT, -signal.SIGTERM}
    assert ended.err == ""
    completed(plain.corpus.paths, tmp_path, *WORKERS)
    plain.check(tmp_path)


# --- Others -------------------------------------------------------------------------------------------------


def test_two_drivers(plain: Expected, tmp_path: Path) -> None:
    first = RunProcess(plain.corpus.paths, tmp_path, *WORKERS)
    assert first.until(lambda: first.stage() == "shards")
    second = RunProcess(plain.corpus.paths, tmp_path, *WORKERS).end()
    assert (second.code, second.out) == (2, "")
    assert second.err == f"tfdp: error: {tmp_path}: another run is at work in this folder\n"
    assert first.alive()
    ended = first.end()
    assert (ended.code, ended.err) == (0, "")
    plain.check(tmp_path)
    assert len(list((tmp_path / "logs").iterdir())) == 1


def test_a_file_that_is_damaged(plain: Expected, tmp_path: Path) -> None:
    """Its shard is tried as often as was said, and reported; nothing is chosen, and no old result stays."""
    folder, path = tmp_path / "run", Path(plain.corpus.paths[3])
    shutil.copytree(plain.folder, folder)
    good, times = path.read_bytes(), path.stat()
    try:
        path.write_bytes(good[: len(good) // 2])
        changed = RunProcess(plain.corpus.paths, folder, *WORKERS).end()
        assert changed.code == 2
        assert f"changed: {path} (" in changed.err
        assert "changed='rescore'" in changed.err
        more = ("--changed", "rescore", "--retries", "1")
        ended = RunProcess(plain.corpus.paths, folder, *WORKERS, *more).end()
        assert (ended.code, ended.err) == (1, "")
        assert f"{path}: " in ended.out
        failed = [event for event in events(folder) if event["event"] == "failed"]
        assert [(event["try"], event["again"]) for event in failed] == [(1, True), (2, False)]
        assert not (folder / "result.json").exists()
        status = run_status(folder)
        assert [(one.name, one.tries) for one in status.failed] == [(str(path), 2)]
        assert (status.done, status.complete) == (23, False)
        path.write_bytes(good)
        completed(plain.corpus.paths, folder, *WORKERS, "--changed", "rescore")
    finally:
        path.write_bytes(good)
        os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
    result = json.loads((folder / "result.json").read_bytes())
    assert result["scored"] == 1
    found = {name: content for name, content in plain.files.items() if path.name not in name}
    plain_now = {name: (folder / name).read_bytes() for name in found}
    assert plain_now == found  # but for its own files, whose footers have the time of the file
