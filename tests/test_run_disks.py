"""Runs on disks that are full or cannot be written: a line says so, and nothing is half-written."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kills_support import (
    Ended,
    Expected,
    RunProcess,
    SmallDisk,
    completed,
    small_disk,
    temporaries,
    write_corpus,
)
from run_support import content, events
from tfdp_fast.distributed import run_status

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="processes are looked at in /proc")

WORKERS = ("--workers", "2")
SHARDS = 8
SIZE = 8 << 20


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Expected:
    """A data set each image of which is in one shard."""
    folder = tmp_path_factory.mktemp("plain")
    # Counts files are much larger than all else.
    corpus = write_corpus(folder / "data", shards=SHARDS, per_image=400, size=300)
    return Expected.of(corpus, folder / "run")


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[SmallDisk]:
    with small_disk(tmp_path / "disk", SIZE) as there:
        if there is None:
            pytest.skip("no file system can be mounted here, not even in a namespace of its own")
        yield there


def run_on(disk: SmallDisk, expected: Expected, *more: str, **how: Any) -> Ended:
    run = RunProcess(expected.corpus.paths, disk.inside / "run", *WORKERS, *more, before=disk.before, **how)
    return run.end()


def copied(expected: Expected, disk: SmallDisk, *without: str) -> Path:
    """The run that was left alone on the disk, without some of it."""
    folder = disk.folder / "run"
    shutil.copytree(expected.folder, folder)
    for name in ("keep.txt", "drop.txt", "result.json", *without):
        path = folder / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    return folder


# --- Full disks ---------------------------------------------------------------------------------------------


def test_full_while_shards_are_scored(plain: Expected, disk: SmallDisk) -> None:
    """Shards whose files have no room fail; when there is room, they are scored."""
    size = max(len(data) for name, data in plain.files.items() if name.startswith("counts"))
    disk.fill(left=7 * size // 2)
    folder = disk.folder / "run"
    ended = run_on(disk, plain, "--retries", "1")
    assert (ended.code, ended.err) == (1, "")
    assert "No space left on device" in ended.out
    plain.check_unfinished(folder)
    assert temporaries(folder) == []
    status = run_status(folder)
    assert 0 < status.done < SHARDS
    assert status.done + len(status.failed) == SHARDS
    assert all("\n" not in one.reason for one in status.failed)
    disk.make_room()
    ended = run_on(disk, plain)
    assert (ended.code, ended.err) == (0, "")
    plain.check(folder)


def test_full_from_the_start(plain: Expected, disk: SmallDisk) -> None:
    """The driver cannot write what the run is."""
    disk.fill()
    ended = run_on(disk, plain)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"tfdp: error: {disk.inside / 'run'}")
    assert ended.err.endswith("No space left on device\n")
    assert temporaries(disk.folder) == []
    disk.make_room()
    ended = run_on(disk, plain)
    assert (ended.code, ended.err) == (0, "")
    plain.check(disk.folder / "run")


def test_full_while_images_are_scored(plain: Expected, disk: SmallDisk) -> None:
    folder = copied(plain, disk, "images", "logs")
    disk.fill(left=50_000)
    ended = run_on(disk, plain, "--retries", "1")
    assert (ended.code, ended.err) == (1, "")
    assert "No space left on device" in ended.out
    plain.check_unfinished(folder)
    assert temporaries(folder) == []
    assert 0 < len(list((folder / "images").iterdir())) < SHARDS
    disk.make_room()
    ended = run_on(disk, plain)
    assert (ended.code, ended.err) == (0, "")
    plain.check(folder)
    assert [event for event in events(folder) if "instances" in event] == []


def test_full_while_lists_are_written(plain: Expected, disk: SmallDisk) -> None:
    folder = copied(plain, disk)
    disk.fill(left=60_000)
    for _ in range(2):
        ended = run_on(disk, plain)
        assert (ended.code, ended.out) == (2, "")
        name = "keep" if "keep" in ended.err else "drop"
        path = disk.inside / "run" / f"{name}.txt"
        assert ended.err == f"tfdp: error: {path}: No space left on device\n"
        plain.check_unfinished(folder)
        assert temporaries(folder) == []
        assert not (folder / "keep.txt").exists()
        assert events(folder)[-1]["event"] == "stopped"
    disk.make_room()
    ended = run_on(disk, plain)
    assert (ended.code, ended.err) == (0, "")
    plain.check(folder)


def test_full_where_temporary_files_are(disk: SmallDisk, tmp_path: Path) -> None:
    """Images that shards share are merged with the help of such a file."""
    corpus = write_corpus(tmp_path / "data", shards=4, images=500, per_image=2, size=300, shared=True)
    shared = Expected.of(corpus, tmp_path / "left alone")
    disk.fill(left=4096)  # of a disk without any room, Python makes no use
    run = RunProcess(
        shared.corpus.paths, tmp_path / "run", *WORKERS, before=disk.before, env={"TMPDIR": str(disk.inside)}
    )
    ended = run.end()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"tfdp: error: {disk.inside}: No space left on device\n"
    shared.check_unfinished(tmp_path / "run")
    completed(shared.corpus.paths, tmp_path / "run", *WORKERS)
    shared.check(tmp_path / "run")


def test_files_that_must_not_be_that_large(plain: Expected, tmp_path: Path) -> None:
    """What a full disk does, where none can be mounted."""
    sizes = sorted(len(data) for name, data in plain.files.items() if name.startswith("counts"))
    largest = sizes[SHARDS // 2] - 1

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (largest, largest))

    ended = RunProcess(plain.corpus.paths, tmp_path, *WORKERS, preexec_fn=limit).end()
    assert (ended.code, ended.err) == (1, "")
    assert ended.out.count("File too large") == SHARDS // 2
    plain.check_unfinished(tmp_path)
    assert temporaries(tmp_path) == []
    completed(plain.corpus.paths, tmp_path, *WORKERS)
    plain.check(tmp_path)


# --- What cannot be written ---------------------------------------------------------------------------------


def test_a_disk_that_is_read_only(plain: Expected, disk: SmallDisk) -> None:
    shutil.copytree(plain.folder, disk.folder / "run")
    disk.remount("ro")
    ended = run_on(disk, plain)
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"tfdp: error: {disk.inside / 'run' / '.lock'}: Read-only file system\n"
    status = run_status(disk.folder / "run")
    assert status.complete
    disk.remount("rw")
    ended = run_on(disk, plain)
    assert (ended.code, ended.err) == (0, "")
    plain.check(disk.folder / "run")


@pytest.mark.skipif(
    shutil.which("setpriv") is None, reason="no setpriv, with which root respects permissions"
)
def test_a_folder_that_must_not_be_written(plain: Expected, tmp_path: Path) -> None:
    humble = ["setpriv", "--bounding-set=-dac_override"] if os.geteuid() == 0 else []
    folder = tmp_path / "run"
    folder.mkdir(mode=0o555)
    ended = RunProcess(plain.corpus.paths, folder, *WORKERS, before=humble).end()
    assert (ended.code, ended.out) == (2, "")
    assert ended.err == f"tfdp: error: {folder}/.lock: Permission denied\n"
    assert list(folder.iterdir()) == []


def test_a_log_that_cannot_be_written_stops_nothing(plain: Expected, tmp_path: Path) -> None:
    tmp_path.joinpath("logs").write_text("mine")
    ended = RunProcess(plain.corpus.paths, tmp_path, *WORKERS).end()
    assert ended.code == 0
    assert ended.err.startswith("the log logs/")
    assert ended.err.endswith(".jsonl cannot be written: File exists\n")
    assert (tmp_path / "logs").read_text() == "mine"
    assert plain.files == content(tmp_path)
