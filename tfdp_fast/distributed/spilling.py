"""Sorted ids of any number on a disk, merged in bounded memory.

All runs of ids are in one temporary file. Of each, one id in so many is held in memory: a fence. From the
fences of all runs follow the values to split at, so that what lies between two of them fits into memory,
wherever the runs begin and end. That much of each run is read, sorted together, and handed out.
"""

from __future__ import annotations

import errno
import itertools
import os
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import SEEK_END
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import PathLike, output_errors
from tfdp_fast.tables import Ids

if TYPE_CHECKING:
    from typing_extensions import Self

__all__ = ["Block", "Spill", "merge_sorted"]

Block: TypeAlias = tuple[Ids, NDArray[np.int64]]
"""Ids, ascending, and which shard each is from; equal ids in the order of their shards, all in one block."""


@dataclass(frozen=True)
class _Sorted:
    """Sorted ids in a file.

    Attributes
    ----------
    dtype : dtype
        Of the ids.
    count : int
        How many there are.
    ids : int
        Where in the file they begin.
    shards : int
        Where their shards begin, if `shard` is None.
    shard : int or None
        The shard that all are from.
    """

    dtype: np.dtype[Any]
    count: int
    ids: int
    shards: int
    shard: int | None


class Spill:
    """A temporary file of arrays, without a name; a context manager."""

    def __init__(self, folder: PathLike | None) -> None:
        self._shown = Path(tempfile.gettempdir() if folder is None else folder)
        with output_errors(self._shown):
            self._file = tempfile.TemporaryFile(dir=self._shown, buffering=0)  # noqa: SIM115

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, values: NDArray[Any]) -> int:
        """Write an array at the end; returns where it begins."""
        with output_errors(self._shown):
            begin = self._file.seek(0, SEEK_END)
        self.write(values, begin)
        return begin

    def write(self, values: NDArray[Any], begin: int) -> None:
        """Write an array at a place."""
        left = values.view(np.uint8).data
        with output_errors(self._shown):
            self._file.seek(begin)
            while left:
                left = left[self._file.write(left) :]

    def read(self, dtype: np.dtype[Any], begin: int, n: int) -> NDArray[Any]:
        """Read n elements from a place."""
        values = np.empty(n, dtype)
        left = values.view(np.uint8).data
        with output_errors(self._shown):
            self._file.seek(begin)
            while left:
                if not (read := self._file.readinto(left)):
                    raise OSError(errno.EIO, os.strerror(errno.EIO))
                left = left[read:]
        return values

    def add(self, shard: int, ids: Ids) -> _Sorted:
        """Append the ids of a shard."""
        return _Sorted(ids.dtype, len(ids), self.append(ids), 0, shard)

    def join(self, blocks: Iterable[Block], dtype: np.dtype[Any], count: int) -> _Sorted:
        """Append blocks as one run of ids, whose type and number are known."""
        ids_at = self.append(np.empty(0))
        shards_at = ids_at + dtype.itemsize * count
        done = 0
        for ids, shards in blocks:
            self.write(ids.astype(dtype, copy=False), ids_at + done * dtype.itemsize)
            self.write(shards, shards_at + done * shards.itemsize)
            done += len(ids)
        return _Sorted(dtype, count, ids_at, shards_at, None)

    def ids(self, run: _Sorted, begin: int, end: int) -> Ids:
        """A part of the ids of a run."""
        return self.read(run.dtype, run.ids + begin * run.dtype.itemsize, end - begin)

    def shards(self, run: _Sorted, begin: int, end: int) -> NDArray[np.int64]:
        """The shards of a part."""
        if run.shard is not None:
            return np.full(end - begin, run.shard, np.int64)
        return self.read(np.dtype(np.int64), run.shards + begin * 8, end - begin)


def merge_sorted(
    runs: Iterable[tuple[int, Ids]], memory: int, folder: PathLike | None = None
) -> Iterator[Block]:
    """Merge sorted ids of shards.

    Parameters
    ----------
    runs : iterable of (int, int64 or text [n])
        The number of a shard, at least 0, and its ids, ascending; in the order of shards. One of them is held
        at a time.
    memory : int
        Bytes to take, besides.
    folder : path, optional
        Where the temporary file is; by default where the system has such files.

    Yields
    ------
    Block

    Raises
    ------
    OutputError
        If the temporary file cannot be written.

    Examples
    --------
    >>> runs = [(0, np.array([3, 7])), (1, np.array([4, 7, 9]))]
    >>> list(merge_sorted(runs, 1 << 20))
    [(array([3, 4, 7, 7, 9]), array([0, 1, 0, 1, 1]))]
    """
    with Spill(folder) as spill:
        added = [spill.add(shard, ids) for shard, ids in runs if len(ids)]
        yield from _merge(added, spill, memory, folder)


def _merge(runs: list[_Sorted], spill: Spill, memory: int, folder: PathLike | None) -> Iterator[Block]:
    batches = _batches(runs, memory)
    if len(batches) == 1:
        yield from _merge_at_once(runs, spill, memory)
    elif batches:
        with Spill(folder) as larger:
            joined = []
            for batch in batches:
                dtype = np.result_type(*(run.dtype for run in batch))
                count = sum(run.count for run in batch)
                joined.append(larger.join(_merge_at_once(batch, spill, memory), dtype, count))
            yield from _merge(joined, larger, memory, folder)


@dataclass(frozen=True)
class _Plan:
    """How runs are merged in a given memory.

    A fence is the last of `stride` ids of a run. Between two values that have `fences` of them in between
    there are at most ``fences * stride`` ids of whole strides, and less than `stride` more of each run at
    either end.
    """

    stride: int
    fences: int
    fits: bool

    @classmethod
    def of(cls, runs: int, ids: int, itemsize: int, memory: int) -> _Plan:
        # Half of the memory is for a block. While one is made, there are parts of it, ids and shards, sorted
        # ones, and those of the block before.
        most = memory // (2 * (4 * itemsize + 48))
        stride = most // (4 * runs)
        fences = most // 2 // max(1, stride)
        # A quarter is for fences, of each run and of all in order.
        fits = stride >= 1 and ids // stride * itemsize * 3 <= memory // 4
        return cls(max(1, stride), max(1, fences), fits)


def _batches(runs: list[_Sorted], memory: int) -> list[list[_Sorted]]:
    """Neighbouring runs that can be merged at once, at least two of them."""
    batches: list[list[_Sorted]] = []
    ids = itemsize = 0
    for run in runs:
        ids, itemsize = ids + run.count, max(itemsize, run.dtype.itemsize)
        if batches:
            size = len(batches[-1]) + 1
            if size <= 2 or _Plan.of(size, ids, itemsize, memory).fits:
                batches[-1].append(run)
                continue
        batches.append([run])
        ids, itemsize = run.count, run.dtype.itemsize
    return batches


def _merge_at_once(runs: list[_Sorted], spill: Spill, memory: int) -> Iterator[Block]:
    itemsize = max(run.dtype.itemsize for run in runs)
    plan = _Plan.of(len(runs), sum(run.count for run in runs), itemsize, memory)
    fences = [_fences(run, spill, plan.stride, memory) for run in runs]
    every = np.sort(np.concatenate(fences))
    splits = np.unique(every[plan.fences - 1 :: plan.fences])
    del every
    begins = [0] * len(runs)
    for split in itertools.chain(splits, [None]):
        parts = []
        for number, run in enumerate(runs):
            begin = begins[number]
            if begin == run.count:
                continue
            end = run.count
            if split is not None:
                whole = int(np.searchsorted(fences[number], split, side="right"))
                end = min(end, (whole + 1) * plan.stride)
            ids = spill.ids(run, begin, end)
            if split is not None:
                ids = ids[: int(np.searchsorted(ids, split, side="right"))]
            if len(ids):
                parts.append((ids, spill.shards(run, begin, begin + len(ids))))
                begins[number] += len(ids)
        if parts:
            yield _sorted_block(parts)


def _fences(run: _Sorted, spill: Spill, stride: int, memory: int) -> Ids:
    """Each stride's last id."""
    step = max(1, memory // (8 * run.dtype.itemsize * stride)) * stride
    found = [
        spill.ids(run, begin, min(begin + step, run.count))[stride - 1 :: stride].copy()
        for begin in range(0, run.count, step)
    ]
    return np.concatenate(found)


def _sorted_block(parts: list[Block]) -> Block:
    """Parts that are in order, and of equal ids in the order of their shards, as one."""
    if len(parts) == 1:
        return parts[0]
    if parts[0][0].dtype.kind == "i":
        low, high = min(int(ids[0]) for ids, _ in parts), max(int(ids[-1]) for ids, _ in parts)
        bits = max(int(shards.max()) for _, shards in parts).bit_length()
        if (high - low).bit_length() + bits <= 64:  # id and shard are sorted as one number
            packed = np.concatenate(
                [
                    (ids - low).view(np.uint64) << np.uint64(bits) | shards.view(np.uint64)
                    for ids, shards in parts
                ]
            )
            packed.sort()
            shards = (packed & np.uint64((1 << bits) - 1)).view(np.int64)
            packed >>= np.uint64(bits)
            return packed.view(np.int64) + low, shards
    ids, shards = (np.concatenate(columns) for columns in zip(*parts, strict=True))
    order = np.argsort(ids, kind="stable")
    return ids[order], shards[order]
