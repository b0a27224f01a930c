"""Ids of many shards in one order, their hash, and the ids that several have."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tfdp_fast import DataError, OutputError
from tfdp_fast.distributed import spilling
from tfdp_fast.distributed.merging import IdRun, hash_of, merged, shared
from tfdp_fast.selection import hash_of_ids
from tfdp_fast.tables import Ids

SMALL = 1500
"""Bytes of memory with which a few dozen ids need several blocks, and several rounds."""

ints = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 60) | st.integers(10**9, 10**9 + 40)
texts = st.text("ab\x00é\U0001f600\udc80_0", max_size=4).map(lambda text: text.rstrip("\0")) | st.text(
    "0123456789", max_size=12
)


def shards_of(ids: Any) -> Any:
    return st.lists(st.lists(ids, unique=True, max_size=25), max_size=12)


any_shards = shards_of(ints) | shards_of(st.integers(0, 40)) | shards_of(texts)
memories = st.sampled_from([1, SMALL, 20_000, 1 << 20])


def array(ids: Sequence[Any]) -> Ids:
    return np.array(ids, np.str_ if ids and isinstance(ids[0], str) else np.int64)


class Source:
    """Ids that know whether they have been read."""

    def __init__(self, ids: Ids) -> None:
        self.ids = ids
        self.readings = 0

    def __call__(self) -> Ids:
        self.readings += 1
        return self.ids


def run_of(shard: int, ids: Ids) -> IdRun:
    lowest, highest = (min(ids.tolist()), max(ids.tolist())) if len(ids) else (0, 0)
    return IdRun(shard, lowest, highest, len(ids), Source(ids))


def runs_of(shards: Sequence[Sequence[Any]]) -> list[IdRun]:
    return [run_of(shard, array(ids)) for shard, ids in enumerate(shards)]


def all_of(shards: Sequence[Sequence[Any]]) -> Ids:
    return array([image_id for ids in shards for image_id in ids])


def pairs(blocks: Any) -> list[tuple[Any, int]]:
    """Ids and shards, of blocks that are whole and not empty."""
    found: list[tuple[Any, int]] = []
    for ids, shards in blocks:
        assert len(ids) == len(shards) > 0
        assert shards.dtype == np.int64
        assert not found or found[-1][0] < ids[0]
        found += zip(ids.tolist(), shards.tolist(), strict=True)
    return found


@given(any_shards, memories)
@example([[5, 9], [7], [9]], 1)
@example([[-(2**63), 2**63 - 1], [0], [2**63 - 1]], SMALL)
@settings(max_examples=300)
def test_all_ids_in_order(shards: list[list[Any]], memory: int) -> None:
    expected = sorted((image_id, shard) for shard, ids in enumerate(shards) for image_id in ids)
    runs = runs_of(shards)
    assert pairs(merged(runs, memory=memory)) == expected
    assert all(run.read.readings == bool(run.count) for run in runs)  # type: ignore[attr-defined]
    assert pairs(merged(runs[::-1], memory=memory)) == expected
    assert np.array([image_id for image_id, _ in expected]).tolist() == np.sort(all_of(shards)).tolist()


@given(any_shards, memories)
def test_hash_is_that_of_all_ids_at_once(shards: list[list[Any]], memory: int) -> None:
    assert hash_of(ids for ids, _ in merged(runs_of(shards), memory=memory)) == hash_of_ids(all_of(shards))


@given(any_shards, memories)
@example([[1, 2], [2, 3], [3, 4], [2]], SMALL)
@settings(max_examples=300)
def test_ids_of_several_shards(shards: list[list[Any]], memory: int) -> None:
    number = Counter(image_id for ids in shards for image_id in ids)
    expected = sorted(
        (image_id, shard) for shard, ids in enumerate(shards) for image_id in ids if number[image_id] > 1
    )
    assert pairs(shared(runs_of(shards), memory=memory)) == expected
    values, counts = np.unique(all_of(shards), return_counts=True)
    assert {image_id for image_id, _ in expected} == set(values[counts > 1].tolist())


@given(st.lists(st.integers(0, 2**63 - 1) | st.integers(0, 2000) | st.integers(0, 18).map(lambda n: 10**n)))
@example([9, 10, 99, 100, 10**18 - 1, 10**18, 2**63 - 1])
def test_hash_of_numbers_of_any_length(ids: list[int]) -> None:
    text = ",".join(map(str, sorted(ids)))
    assert hash_of([np.sort(array(ids))]) == hashlib.sha256(text.encode()).hexdigest()


def test_hash_of_many_blocks() -> None:
    ids = np.arange(-100_000, 200_000, 3)
    blocks = [ids[:0], ids[:1], ids[1:90_000], ids[90_000:90_000], ids[90_000:]]
    assert hash_of(blocks) == hash_of_ids(ids)
    assert hash_of([]) == hash_of([ids[:0]]) == hash_of_ids(ids[:0])


# --- what is read -------------------------------------------------------------------------------------------


def test_shards_that_do_not_overlap_are_not_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "TemporaryFile", None)
    runs = runs_of([[21, 20], [], [3, 1, 2], [10]])
    assert pairs(merged(runs)) == [(1, 2), (2, 2), (3, 2), (10, 3), (20, 0), (21, 0)]
    assert list(shared(runs_of([[21, 20], [3, 1, 2], [10]]))) == []


def test_shards_that_do_not_overlap_are_not_read_for_shared_ids() -> None:
    runs = runs_of([[1, 2], [30, 40], [35, 40], [50]])
    assert pairs(shared(runs)) == [(40, 1), (40, 2)]
    assert [run.read.readings for run in runs] == [0, 1, 1, 0]  # type: ignore[attr-defined]


def test_ids_that_are_fewer_than_listed() -> None:
    """Of the images that are kept, the range and the number of all are known."""
    runs = [IdRun(0, 0, 100, 50, lambda: array([7, 3])), IdRun(1, 5, 80, 9, lambda: array([]))]
    assert pairs(merged(runs)) == [(3, 0), (7, 0)]


@pytest.mark.parametrize(
    "ids", [[1, 5], [5, 11], [5, 6, 7, 8], ["5", "6"]], ids=["below", "above", "more", "text"]
)
@pytest.mark.parametrize("others", [[], [IdRun(1, 0, 20, 1, lambda: array([5]))]], ids=["alone", "mixed"])
def test_ids_that_are_not_those_of_the_run(ids: list[Any], others: list[IdRun]) -> None:
    with pytest.raises(DataError, match="shard 7: its ids are not those that it was listed with"):
        list(merged([IdRun(7, 2, 10, 3, lambda: array(ids)), *others]))


def test_numbers_and_text() -> None:
    runs = [run_of(4, array([1])), run_of(6, array(["1"]))]
    for function in (merged, shared):
        with pytest.raises(DataError, match="shard 6: its ids are text, and those of shard 4 numbers"):
            list(function(runs))


# --- blocks, memory and files -------------------------------------------------------------------------------


def test_blocks_are_as_large_as_memory_allows() -> None:
    rng = np.random.default_rng(0)
    runs = [run_of(i, rng.choice(10**6, 3000, replace=False)) for i in range(20)]
    for memory in (100_000, 1_000_000):
        sizes = [len(ids) for ids, _ in merged(runs, memory=memory)]
        assert max(sizes) * 80 <= memory / 2  # 80 bytes of an id and its shard while they are merged
        assert np.mean(sizes[:-1]) * 80 >= memory / 8


@pytest.mark.parametrize("kind", [int, str])
def test_rounds(kind: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With little memory, shards are merged a few at a time."""
    files = []
    original = tempfile.TemporaryFile

    def opened(**how: Any) -> Any:
        files.append(how)
        return original(**how)

    monkeypatch.setattr(tempfile, "TemporaryFile", opened)
    shards = [[kind(i * 7 % 1000 + j * 31) for j in range(20)] for i in range(100)]
    expected = sorted((image_id, shard) for shard, ids in enumerate(shards) for image_id in ids)
    assert pairs(merged(runs_of(shards), memory=4000)) == expected
    assert len(files) >= 3


PEAK = """
import json, sys
from pathlib import Path
import numpy as np
from tfdp_fast.distributed.merging import IdRun, hash_of, merged, shared

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

def runs(shards, n):
    make = lambda i: np.random.default_rng(i).integers(0, 10**9, n)
    return [IdRun(i, 0, 10**9, n, lambda i=i: make(i)) for i in range(shards)]

def work(shards, n):
    return (
        hash_of(ids for ids, _ in merged(runs(shards, n), memory=MEMORY, folder=sys.argv[3])),
        sum(len(ids) for ids, _ in shared(runs(shards, n), memory=MEMORY, folder=sys.argv[3])),
    )

MEMORY = int(sys.argv[4])
work(5, 1000)
before = peak()
work(int(sys.argv[1]), int(sys.argv[2]))
print(json.dumps(peak() - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
@pytest.mark.parametrize(
    ("shards", "n", "memory"),
    [(20, 300_000, 16 << 20), (600, 10_000, 16 << 20), (1500, 4000, 6 << 20)],
    ids=["large", "small", "rounds"],
)
def test_memory(shards: int, n: int, memory: int, tmp_path: Path) -> None:
    command = [sys.executable, "-c", PEAK, *map(str, (shards, n, tmp_path, memory))]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # What it was told to take, and the ids of a shard, twice. In all there are 48 MB of them, with the shards
    # 96 MB.
    assert json.loads(done.stdout) < memory + 2 * 8 * n + 3_000_000
    assert list(tmp_path.iterdir()) == []


def test_many_shards_and_few_open_files() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    shards = [[i + 2000 * j for j in range(5)] for i in range(2000)]
    open_now = len(os.listdir("/proc/self/fd")) if sys.platform == "linux" else 200  # noqa: PTH208
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, open_now + 20), hard))
    try:
        blocks = list(merged(runs_of(shards), memory=1 << 20))
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert np.concatenate([ids for ids, _ in blocks]).tolist() == list(range(10_000))


def test_file_is_gone_when_the_reader_stops(tmp_path: Path) -> None:
    blocks = merged(runs_of([[1, 3], [2, 4]]), folder=tmp_path)
    next(blocks)
    blocks.close()  # type: ignore[attr-defined]
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="none: No such file or directory"):
        list(merged(runs_of([[1, 3], [2, 4]]), folder=tmp_path / "none"))


@pytest.mark.parametrize("room", [0, 1000, 10_000])
def test_full_disk(room: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Full:
        """A file with little room."""

        def __init__(self, file: Any) -> None:
            self._file = file

        def write(self, data: memoryview) -> int:
            left = room - self._file.tell()
            if left <= 0:
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            return int(self._file.write(data[:left]))

        def __getattr__(self, name: str) -> Any:
            return getattr(self._file, name)

    original = tempfile.TemporaryFile
    monkeypatch.setattr(tempfile, "TemporaryFile", lambda **how: Full(original(**how)))
    shards = [[i + 40 * j for j in range(20)] for i in range(40)]
    with pytest.raises(OutputError, match=f"{tmp_path}: No space left on device"):
        list(merged(runs_of(shards), memory=4000, folder=tmp_path))


def test_plan_without_room_still_merges() -> None:
    plan = spilling._Plan.of(runs=2, ids=10**6, itemsize=8, memory=1)
    assert (plan.stride, plan.fences, plan.fits) == (1, 1, False)
