"""Images whose rows are in several shards: which they are, and who does what about them.

An image belongs to the shard where it comes first: its owner. Its score is a sum over all of its rows,
rounded once, so somebody has to see all of them. Shared images are cut into chunks, by id, and for each chunk
one task adds up the rows that all shards have of it:

1. `find_straddling` finds shared images by merging ids, and writes who has which (the driver);
2. `exchange_rows` writes the rows of the shared images of a shard, a piece for each chunk (a task a shard);
3. `sum_chunk` adds up the rows of a chunk, and writes what comes out, a piece for each owner (a task a
   chunk);
4. `OwnedImages` puts these sums in their places, when the images of a shard are scored.

Nothing holds more than the images of a chunk, the rows of a shard or the memory for merging, however many
images are shared. All of it is kept in the folder ``shared`` of the run, and is made anew only if shards
change.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfdp_fast._output import PathLike
from tfdp_fast.distributed.counts_reading import CountsFile, counts_name
from tfdp_fast.distributed.footers import footer_metadata, footer_text, reading_errors
from tfdp_fast.distributed.merging import MEMORY, IdRun, shared
from tfdp_fast.distributed.merging_shards import ShardBounds
from tfdp_fast.distributed.pieces import are_whole
from tfdp_fast.distributed.shards import MeasuringOptions, Shard
from tfdp_fast.distributed.spilling import Spill
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.errors import DataError
from tfdp_fast.tables import Ids

__all__ = [
    "SHARED_FOLDERS",
    "SharedImages",
    "Straddling",
    "discard_damaged",
    "find_straddling",
    "read_chunk",
    "read_shared",
    "read_straddling",
]

PLAN = "shared/plan.json"
SHARED_FOLDERS = ("shared", "shared/shards", "shared/chunks", "shared/rows", "shared/scores")
"""Of the run folder."""

CHUNK = 1 << 16
"""Images of a chunk: their exact sums take 35 MB."""

_FORMAT = 1
_NAME = "tfdp-fast shared images"


@dataclass(frozen=True)
class Straddling:
    """The images of a run that several shards have.

    Attributes
    ----------
    digest : str
        A hash of all shards, in their order, and of how they were measured.
    images : int
        How many such images there are.
    repeats : int
        How many times an image of a shard is one of an earlier shard: the run has so many images less than
        its shards have together.
    chunks : int
        How many chunks they make.
    shards : dict of str to (int, str)
        The shards that have any, by their keys: which shard of the run it is, and its name.
    """

    digest: str
    images: int
    repeats: int
    chunks: int
    shards: dict[str, tuple[int, str]]


@dataclass(frozen=True, eq=False)
class SharedImages:
    """The images of a shard that other shards have as well: n of them, ascending.

    Attributes
    ----------
    ids : pyarrow.Array [n]
        Theirs, int64 or string.
    chunk : int32 [n]
        The chunk that each is in, ascending.
    owned : bool [n]
        Whether this shard is the first that has it.
    """

    ids: Any
    chunk: NDArray[np.int32]
    owned: NDArray[np.bool_]


def find_straddling(
    storage: Storage,
    shards: Sequence[Shard],
    bounds: Sequence[ShardBounds],
    options: MeasuringOptions,
    *,
    memory: int = MEMORY,
    folder: PathLike | None = None,
) -> Straddling:
    """Find the images that several shards have, and write who has which.

    A shard whose ids lie apart from those of all others is not read.

    Parameters
    ----------
    storage : Storage
        The run folder, with all counts files.
    shards : sequence of Shard
        In data-set order.
    bounds : sequence of ShardBounds
        Theirs.
    options : MeasuringOptions
        How they were measured.
    memory, folder
        See `tfdp_fast.distributed.merging.merged`.

    Returns
    -------
    Straddling

    Raises
    ------
    DataError
        If an image is in several shards, and one is of a format in which an image is in one place; if a
        counts file cannot be read.
    OutputError
        If a file cannot be written.
    """
    identities = [shard.identity for shard in shards]
    text = json.dumps([CHUNK, options.sha256, identities], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()
    before = read_straddling(storage)
    if before is not None and before.digest == digest:
        return before
    runs = [
        IdRun(number, of.lowest, of.highest, of.images, _reader(storage, shard.key))
        for number, (shard, of) in enumerate(zip(shards, bounds, strict=True))
        if of.lowest is not None and of.highest is not None
    ]
    # The lists are of the plan: without one, those of an interrupted run are taken for nothing.
    storage.delete(PLAN)
    with Spill(folder) as spill:
        lists = _Lists(storage, [shard.key for shard in shards], bounds, spill)
        for ids, of in shared(runs, memory=memory, folder=folder):
            lists.add(ids, of)
        found = lists.finish(digest)
    content = asdict(found)
    about = {"file": _NAME, "format_version": _FORMAT, "sha256": _sha256(content)}
    storage.write_bytes(PLAN, json.dumps(about | content).encode())
    return found


def read_straddling(storage: Storage) -> Straddling | None:
    """What `find_straddling` has found before; None if it is not there, damaged, or of another version."""
    try:
        found = json.loads(storage.read_bytes(PLAN))
        if (found.pop("file"), found.pop("format_version")) != (_NAME, _FORMAT):
            return None
        if found.pop("sha256") != _sha256(found):
            return None
        found["shards"] = {key: (number, name) for key, (number, name) in found["shards"].items()}
        return Straddling(**found)
    except (DataError, ValueError, TypeError, KeyError, AttributeError):
        return None


def _sha256(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def discard_damaged(storage: Storage) -> None:
    """Remove what cannot be read of the files of shared images; it is made again when it is needed."""
    for folder in ("shared/rows", "shared/scores"):
        for name in storage.files(folder):
            if not are_whole(storage, f"{folder}/{name}"):
                storage.delete(f"{folder}/{name}")
    storage.delete(PLAN)


def read_shared(storage: Storage, key: str) -> SharedImages:
    """The shared images of a shard; DataError if they cannot be read."""
    table, _ = _read(storage, _shard_name(key))
    return SharedImages(
        table["image_id"].combine_chunks(),
        table["chunk"].to_numpy(),
        table["owned"].to_numpy(zero_copy_only=False),
    )


def read_chunk(storage: Storage, chunk: int) -> tuple[Any, NDArray[np.int32], list[int]]:
    """The images of a chunk.

    Returns
    -------
    ids : pyarrow.Array [n]
        Ascending, int64 or string.
    owners : int32 [n]
        Which shard of the run owns each.
    shards : list of int
        The shards that have any of them, ascending.

    Raises
    ------
    DataError
        If they cannot be read.
    """
    table, shards = _read(storage, _chunk_name(chunk))
    return table["image_id"].combine_chunks(), table["owner"].to_numpy(), shards


class _Lists:
    """Takes in shared images in the order of their ids; writes them by chunks, then by shards."""

    def __init__(
        self, storage: Storage, keys: Sequence[str], bounds: Sequence[ShardBounds], spill: Spill
    ) -> None:
        self._storage = storage
        self._keys = keys
        self._names = [of.name for of in bounds]
        self._spill = spill
        self._continues = np.array([of.continues for of in bounds], np.bool_)
        self._waiting: list[tuple[Ids, NDArray[np.int64]]] = []
        self._images_waiting = 0
        self._images = self._repeats = 0
        # Of each chunk: the type of its ids, where they begin in the file, and where among them a shard's do.
        self._segments: list[tuple[np.dtype[Any], int, NDArray[np.int32]]] = []

    def add(self, ids: Ids, shards: NDArray[np.int64]) -> None:
        """Take in images, each as often as there are shards that have it."""
        first = _starts(ids)
        self._check(ids, shards)
        self._waiting.append((ids, shards))
        self._images_waiting += int(np.count_nonzero(first))
        if self._images_waiting < CHUNK:
            return
        ids, shards = self._all_waiting()
        begins = np.flatnonzero(_starts(ids))
        whole = len(begins) // CHUNK * CHUNK
        ends = [*begins[CHUNK : whole + 1 : CHUNK].tolist(), len(ids)][: whole // CHUNK]
        begin = 0
        for end in ends:
            self._write_chunk(ids[begin:end], shards[begin:end])
            begin = end
        self._images_waiting = len(begins) - whole
        self._waiting = [(ids[begin:], shards[begin:])] if self._images_waiting else []

    def finish(self, digest: str) -> Straddling:
        """Write the rest, and the list of each shard."""
        if self._images_waiting:
            self._write_chunk(*self._all_waiting())
        having = {}
        bounds = np.array([offsets for _, _, offsets in self._segments]).reshape(-1, len(self._keys) + 1)
        for number in np.flatnonzero((bounds[:, 1:] > bounds[:, :-1]).any(axis=0)).tolist():
            table = pa.concat_tables(self._of_shard(number, bounds))
            _write(self._storage, _shard_name(self._keys[number]), table)
            having[self._keys[number]] = (number, self._names[number])
        return Straddling(digest, self._images, self._repeats, len(self._segments), having)

    def _check(self, ids: Ids, shards: NDArray[np.int64]) -> None:
        """Raise DataError if an image is in a shard that can share none."""
        alone = ~self._continues[shards]
        if not alone.any():
            return
        image_id = ids[int(alone.argmax())]
        owner, other = (self._names[number] for number in shards[ids == image_id][:2].tolist())
        raise DataError(other, f"image {image_id}", f"is in {owner} as well")

    def _all_waiting(self) -> tuple[Ids, NDArray[np.int64]]:
        ids, shards = zip(*self._waiting, strict=True)
        return np.concatenate(ids), np.concatenate(shards)

    def _write_chunk(self, ids: Ids, shards: NDArray[np.int64]) -> None:
        first = _starts(ids)
        table = pa.table({"image_id": _arrow(ids[first]), "owner": pa.array(shards[first].astype(np.int32))})
        having = np.unique(shards).tolist()
        chunk = len(self._segments)
        _write(self._storage, _chunk_name(chunk), table, having)
        order = np.argsort(shards, kind="stable")
        counts = np.bincount(shards, minlength=len(self._keys))
        offsets = np.concatenate([[0], np.cumsum(counts)]).astype(np.int32)
        by_shard = np.ascontiguousarray(ids[order])
        begin = self._spill.append(by_shard)
        self._spill.append(np.ascontiguousarray(first[order]))
        self._segments.append((by_shard.dtype, begin, offsets))
        self._images += int(np.count_nonzero(first))
        self._repeats += len(ids) - int(np.count_nonzero(first))

    def _of_shard(self, number: int, bounds: NDArray[np.int32]) -> Iterator[Any]:
        for chunk in np.flatnonzero(bounds[:, number + 1] > bounds[:, number]).tolist():
            dtype, at, offsets = self._segments[chunk]
            begin, n = int(offsets[number]), int(offsets[number + 1] - offsets[number])
            ids = self._spill.read(dtype, at + begin * dtype.itemsize, n)
            owned_at = at + int(offsets[-1]) * dtype.itemsize
            owned = self._spill.read(np.dtype(np.bool_), owned_at + begin, n)
            chunks = np.full(n, chunk, np.int32)
            yield pa.table({"image_id": _arrow(ids), "chunk": chunks, "owned": pa.array(owned)})


def _reader(storage: Storage, key: str) -> Callable[[], Ids]:
    def read() -> Ids:
        name = counts_name(key)
        with storage.open(name) as file:
            return CountsFile(file, storage.path_of(name)).image_ids()

    return read


def _starts(ids: Ids) -> NDArray[np.bool_]:
    """Which ids are not the one before."""
    starts = np.ones(len(ids), np.bool_)
    starts[1:] = ids[1:] != ids[:-1]
    return starts


def _arrow(ids: Ids) -> Any:
    return pa.array(ids.tolist(), pa.string()) if ids.dtype.kind == "U" else pa.array(ids)


def _shard_name(key: str) -> str:
    return f"shared/shards/{key}.parquet"


def _chunk_name(chunk: int) -> str:
    return f"shared/chunks/{chunk}.parquet"


def _write(storage: Storage, name: str, table: Any, shards: list[int] | None = None) -> None:
    about = footer_metadata(json.dumps([table.num_rows, shards]))
    with storage.create(name) as file:
        pq.write_table(
            table.replace_schema_metadata(about), file, compression="zstd", write_page_checksum=True
        )


def _read(storage: Storage, name: str) -> tuple[Any, Any]:
    """A list that `_write` has written, and the shards that it was given."""
    source = storage.path_of(name)
    with storage.open(name) as file, reading_errors(source):
        table = pq.read_table(file, page_checksum_verification=True)
        rows, shards = json.loads(footer_text(table.schema.metadata, source)) or (-1, None)
    if table.num_rows != rows:
        raise DataError(source, None, "is damaged: it has not as many rows as it says")
    return table, shards
