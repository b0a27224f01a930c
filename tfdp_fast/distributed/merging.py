"""The ids of many shards in one ascending order: memory does not grow with them.

Shards whose ids lie between those of others, and mix with none, are read one after the other. Where ranges
overlap, the sorted ids of each go to a temporary file, and are merged from there: range by range, each so
narrow that what all shards have of it fits into memory.
"""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import PathLike
from tfdp_fast.distributed.spilling import merge_sorted
from tfdp_fast.errors import DataError
from tfdp_fast.tables import Ids

__all__ = ["IdRun", "hash_of", "merged", "shared"]

MEMORY = 256 << 20

_HASHED = 1 << 16  # ids that become text together


@dataclass(frozen=True)
class IdRun:
    """Ids of a shard.

    Attributes
    ----------
    shard : int
        Its number, at least 0.
    lowest, highest : int or str
        No id is below or above.
    count : int
        There are no more ids than that; with 0, nothing is read.
    read : callable
        Gives the ids, int64 or text [n], in any order, each once. It may be called once.
    """

    shard: int
    lowest: int | str
    highest: int | str
    count: int
    read: Callable[[], Ids]


def merged(
    runs: Sequence[IdRun], *, memory: int = MEMORY, folder: PathLike | None = None
) -> Iterator[tuple[Ids, NDArray[np.int64]]]:
    """All ids in ascending order, with their shards.

    Parameters
    ----------
    runs : sequence of IdRun
        In any order.
    memory : int
        Bytes to take for merging, besides the ids of one shard. With less than a few hundred bytes a shard,
        shards are merged in more than one round.
    folder : path, optional
        Where the temporary file is; by default where the system has such files. It needs room for all ids of
        shards that overlap, and has no name, so nothing is left of it whatever happens.

    Yields
    ------
    ids : int64 or text [n]
        Those that follow the ones before; text in the order of its code points, as NumPy sorts it.
    shards : int64 [n]
        Equal ids are in the order of their shards, and in the same block.

    Raises
    ------
    DataError
        If a shard's ids are not what its run says, or those of some are numbers and those of others text.
    OutputError
        If the temporary file cannot be written.

    Examples
    --------
    >>> parts = [np.array([7, 3]), np.array([4, 9]), np.array([20])]
    >>> runs = [IdRun(i, min(ids), max(ids), len(ids), lambda ids=ids: ids) for i, ids in enumerate(parts)]
    >>> for ids, shards in merged(runs):
    ...     print(ids, shards)
    [3 4 7 9] [0 1 0 1]
    [20] [2]
    """
    for group in _overlapping(runs):
        if len(group) == 1:
            ids = _sorted_ids(group[0])
            if len(ids):
                yield ids, np.full(len(ids), group[0].shard, np.int64)
        else:
            yield from _merged_on_disk(group, memory, folder)


def shared(
    runs: Sequence[IdRun], *, memory: int = MEMORY, folder: PathLike | None = None
) -> Iterator[tuple[Ids, NDArray[np.int64]]]:
    """The ids that more than one shard has, with these shards.

    A shard whose range overlaps with no other is not read at all.

    Parameters
    ----------
    runs, memory, folder
        See `merged`.

    Yields
    ------
    ids : int64 or text [n]
        Ascending, each as often as there are shards that have it, and all of these in one block.
    shards : int64 [n]
        Of equal ids ascending.

    Raises
    ------
    DataError, OutputError
        See `merged`.

    Examples
    --------
    >>> parts = [np.array([7, 3]), np.array([4, 7, 9]), np.array([20])]
    >>> runs = [IdRun(i, min(ids), max(ids), len(ids), lambda ids=ids: ids) for i, ids in enumerate(parts)]
    >>> list(shared(runs))
    [(array([7, 7]), array([0, 1]))]
    """
    for group in _overlapping(runs):
        if len(group) == 1:
            continue
        for ids, shards in _merged_on_disk(group, memory, folder):
            again = ids[1:] == ids[:-1]
            chosen = np.append(again, False)
            chosen[1:] |= again
            if chosen.any():
                yield ids[chosen], shards[chosen]


def hash_of(blocks: Iterable[Ids]) -> str:
    """SHA-256 in hex of ids, joined with commas: of the same ids at once, `Subset.sha256`.

    Parameters
    ----------
    blocks : iterable of int64 or text [n]
        Ids, ascending within and from block to block.

    Examples
    --------
    >>> from tfdp_fast.selection import hash_of_ids
    >>> hash_of([np.array([1, 8]), np.array([20])]) == hash_of_ids(np.array([8, 20, 1]))
    True
    """
    digest = hashlib.sha256()
    begun = False
    for ids in blocks:
        for begin in range(0, len(ids), _HASHED):
            text = _joined(ids[begin : begin + _HASHED])
            digest.update(b"," + text if begun else text)
            begun = True
    return digest.hexdigest()


def _joined(ids: Ids) -> bytes:
    """Ascending ids as text, joined with commas."""
    if ids.dtype.kind != "i" or ids[0] < 0:
        return ",".join(map(str, ids.tolist())).encode("utf-8", "surrogateescape")
    # Numbers of as many digits are neighbours: they are written as a table, a column of digits at a time.
    ends = np.searchsorted(ids, [10**digits for digits in range(1, 19)]).tolist()
    text = bytearray()
    for digits, (begin, end) in enumerate(itertools.pairwise([0, *ends, len(ids)]), start=1):
        left = ids[begin:end]
        table = np.full((len(left), digits + 1), ord(","), np.uint8)
        for column in range(digits - 1, -1, -1) if len(left) else ():
            rest = left // 10
            table[:, column] = left - 10 * rest + ord("0")
            left = rest
        text += table.tobytes()
    return bytes(text[:-1])


def _overlapping(runs: Sequence[IdRun]) -> Iterator[list[IdRun]]:
    """Groups of shards of which no two groups overlap, ascending; each in the order of its shards."""
    runs = [run for run in runs if run.count]
    if len({isinstance(run.lowest, str) for run in runs}) > 1:
        number, text = (
            next(run.shard for run in runs if isinstance(run.lowest, str) is kind) for kind in (False, True)
        )
        reason = f"its ids are text, and those of shard {number} numbers"
        raise DataError(f"shard {text}", None, reason)
    group: list[IdRun] = []
    highest: Any = None
    for run in sorted(runs, key=lambda run: cast(Any, run.lowest)):
        if group and run.lowest > highest:
            yield sorted(group, key=lambda run: run.shard)
            group = []
        highest = max(highest, run.highest) if group else run.highest
        group.append(run)
    if group:
        yield sorted(group, key=lambda run: run.shard)


def _sorted_ids(run: IdRun) -> Ids:
    ids = np.sort(np.asarray(run.read()))
    if len(ids):
        kind = "U" if isinstance(run.lowest, str) else "i"
        if ids.dtype.kind != kind or len(ids) > run.count or ids[0] < run.lowest or ids[-1] > run.highest:
            raise DataError(f"shard {run.shard}", None, "its ids are not those that it was listed with")
    return ids


def _merged_on_disk(
    group: Sequence[IdRun], memory: int, folder: PathLike | None
) -> Iterator[tuple[Ids, NDArray[np.int64]]]:
    return merge_sorted(((run.shard, _sorted_ids(run)) for run in group), memory, folder)
