"""Rows of images that several shards have: brought together, added up, and given to the owners."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed.counts_reading import CountsFile, counts_name
from tfdp_fast.distributed.counts_writing import CROWD
from tfdp_fast.distributed.pieces import made_from, read_piece, write_pieces
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.distributed.straddling import (
    SharedImages,
    Straddling,
    read_chunk,
    read_shared,
    read_straddling,
)
from tfdp_fast.errors import DataError
from tfdp_fast.formats._arrow_columns import own_ids

if TYPE_CHECKING:
    from tfdp_fast.distributed.images import RunTotals

__all__ = ["OwnedImages", "exchange_rows", "shared_digest", "sum_chunk"]

_NAME = "file_name"
_ROWS = ["image_id", _NAME, "height", "width", "category_id", "straight", "diagonal", "area2", "flags"]
_OUTCOME = ["score", "annotation_count", "instance_count"]


def exchange_rows(key: str, storage: Storage, digest: str) -> int:
    """Write the rows of the shared images of a shard, a piece for each chunk. A task.

    What is there already, and was made from the same shards, is left as it is.

    Parameters
    ----------
    key : str
        Of the shard, one of `Straddling.shards`.
    storage : Storage
        The run folder.
    digest : str
        Of the `Straddling`.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    DataError
        If the counts file, or the plan, cannot be read.
    OutputError
        If the file cannot be written.
    """
    name = _rows_name(key)
    if made_from(storage, name) == digest:
        return 0
    plan = _plan(storage, digest)
    images = read_shared(storage, key)
    source = counts_name(key)
    found, chunks = [], []
    with storage.open(source) as file:
        for table in CountsFile(file, storage.path_of(source)).tables(_ROWS):
            position = pc.index_in(table["image_id"], value_set=images.ids)
            chunks.append(images.chunk[position.drop_null().to_numpy()])
            # As plain text: each piece would have the whole dictionary.
            plain = table.set_column(_ROWS.index(_NAME), _NAME, table[_NAME].cast(pa.string()))
            found.append(plain.filter(position.is_valid()))
    if not found:
        raise DataError(storage.path_of(source), None, "has changed while the run went on")
    return write_pieces(
        storage, name, digest, plan.chunks, _split(pa.concat_tables(found), np.concatenate(chunks))
    )


def sum_chunk(chunk: int, storage: Storage, digest: str, totals: RunTotals) -> int:
    """Score the images of a chunk from the rows of all shards, a piece for each owner. A task.

    Parameters
    ----------
    chunk : int
        Which one, of `Straddling.chunks`.
    storage : Storage
        The run folder, in which all shards have exchanged their rows.
    digest : str
        Of the `Straddling`.
    totals : RunTotals
        Of all shards.

    Returns
    -------
    int
        Bytes written.

    Raises
    ------
    DataError
        If an image has another size or file name in another shard; if something cannot be read.
    OutputError
        If the file cannot be written.
    """
    name, made = _scores_name(chunk), shared_digest(digest, totals)
    if made_from(storage, name) == made:
        return 0
    plan = _plan(storage, digest)
    ids, owners, shards = read_chunk(storage, chunk)
    keys = {number: (key, shard) for key, (number, shard) in plan.shards.items()}
    sums = _Sums(ids, [keys[owner][1] for owner in owners.tolist()], totals)
    for number in shards:
        key, shard = keys[number]
        rows = read_piece(storage, _rows_name(key), digest, chunk)
        if rows is not None:
            sums.add(rows, shard)
    of_run = max(number for number in keys) + 1
    return write_pieces(storage, name, made, of_run, _split(sums.table(), owners))


def shared_digest(digest: str, totals: RunTotals) -> str:
    """What the scores of shared images are made from: the digest of the `Straddling`, and the totals."""
    return hashlib.sha256(f"{digest} {totals.digest}".encode()).hexdigest()


class OwnedImages:
    """Puts the scores of shared images in their places, in the shard that owns them.

    Parameters
    ----------
    key : str
        Of the shard, one of `Straddling.shards`.
    storage : Storage
        The run folder, in which all chunks have been summed.
    digest : str
        Of the `Straddling`.
    totals : RunTotals
        Of all shards.

    Raises
    ------
    DataError
        If something cannot be read.
    """

    def __init__(self, key: str, storage: Storage, digest: str, totals: RunTotals) -> None:
        plan = _plan(storage, digest)
        number, _ = plan.shards[key]
        self._images: SharedImages = read_shared(storage, key)
        made = shared_digest(digest, totals)
        found = [
            read_piece(storage, _scores_name(chunk), made, number)
            for chunk in np.unique(self._images.chunk[self._images.owned]).tolist()
        ]
        # Both are in the order of the ids.
        self._columns = [np.zeros(0, np.float64), np.zeros(0, np.int64), np.zeros(0, np.int64)]
        if found:
            table = pa.concat_tables(found)
            self._columns = [table[name].to_numpy() for name in _OUTCOME]
        if len(self._columns[0]) != np.count_nonzero(self._images.owned):
            raise DataError(storage.path_of("shared"), None, "lacks scores of images that shards share")
        self._place = np.cumsum(self._images.owned) - 1

    def applied(self, batch: Any) -> Any:
        """Images of the shard, without those of other shards, and with the scores of shared ones.

        Parameters
        ----------
        batch : pyarrow.RecordBatch
            Some images, as `score_images` writes them.
        """
        position = pc.index_in(batch["image_id"], value_set=self._images.ids)
        if position.null_count == len(position):
            return batch
        is_shared = position.is_valid().to_numpy(zero_copy_only=False)
        at = position.fill_null(0).to_numpy()
        owned = is_shared & self._images.owned[at]
        for name, values in zip(_OUTCOME, self._columns, strict=True):
            column = batch[name].to_numpy().copy()
            column[owned] = values[self._place[at[owned]]]
            batch = batch.set_column(batch.schema.get_field_index(name), name, pa.array(column))
        return batch.filter(pa.array(owned | ~is_shared))


class _Sums:
    """Exact sums over the rows of images, from whichever shard they come."""

    def __init__(self, ids: Any, owners: list[str], totals: RunTotals) -> None:
        from tfdp_fast.kernels.sums import LIMBS

        n = len(ids)
        self._ids = ids
        self._owners = owners
        self._totals = totals
        self._limbs = np.zeros((n, LIMBS), np.int64)
        self._annotations = np.zeros(n, np.int64)
        self._instances = np.zeros(n, np.int64)
        self._sizes = np.full((n, 2), -1, np.int64)
        self._names = np.full(n, None, np.object_)
        self._named_by = np.full(n, -1, np.int64)
        self._shards: list[str] = []

    def add(self, rows: Any, shard: str) -> None:
        """Add rows of a shard; the owners' first."""
        from tfdp_fast.kernels.sums import accumulate

        image = pc.index_in(rows["image_id"], value_set=self._ids).to_numpy().astype(np.int64)
        self._check(image, rows, shard)
        flags = rows["flags"].combine_chunks()
        there = flags.is_valid().to_numpy(zero_copy_only=False)
        scored = there & (flags.fill_null(0).to_numpy() & CROWD == 0)
        n = len(self._annotations)
        self._annotations += np.bincount(image[there], minlength=n)
        self._instances += np.bincount(image[scored], minlength=n)
        some = rows.filter(pa.array(scored))
        counts = BoundaryCounts(*(some[name].to_numpy() for name in ("straight", "diagonal", "area2")))
        accumulate(self._limbs, image[scored], self._totals.scores(counts, own_ids(some["category_id"])))

    def table(self) -> Any:
        """What comes out, image by image."""
        from tfdp_fast.kernels.sums import round_limbs

        # Eq. 14
        return pa.table(
            {
                "image_id": self._ids,
                "score": round_limbs(self._limbs),
                "annotation_count": self._annotations,
                "instance_count": self._instances,
            }
        )

    def _check(self, image: NDArray[np.int64], rows: Any, shard: str) -> None:
        """Raise DataError if an image is another one than in the shards before."""
        sizes = np.stack([rows["height"].to_numpy(), rows["width"].to_numpy()], axis=1).astype(np.int64)
        new = self._sizes[image, 0] < 0
        self._sizes[image[new]] = sizes[new]
        # Where one shard has no name, there is nothing to compare.
        names, named = rows[_NAME].to_numpy(), rows[_NAME].is_valid().to_numpy()
        new = named & (self._named_by[image] < 0)
        self._names[image[new]] = names[new]
        self._named_by[image[new]] = len(self._shards)
        self._shards.append(shard)
        other_size = (self._sizes[image] != sizes).any(axis=1)
        other_name = named & (self._names[image] != names)
        if other_size.any():
            row = int(other_size.argmax())
            i = image[row]
            here, there = ("x".join(map(str, size.tolist())) for size in (sizes[row], self._sizes[i]))
            before = self._owners[i]
        elif other_name.any():
            row = int(other_name.argmax())
            i = image[row]
            here, there = repr(names[row]), repr(self._names[i])
            before = self._shards[self._named_by[i]]
        else:
            return
        reason = f"{here} here, and {there} in {before}: not the same image"
        raise DataError(shard, f"image {self._ids[i].as_py()}", reason)


def _split(table: Any, numbers: NDArray[Any]) -> Iterator[tuple[int, Any]]:
    """The rows by their numbers, ascending; rows of the same number in their order."""
    order = np.argsort(numbers, kind="stable")
    table = table.take(pa.array(order)).combine_chunks()
    found, begins = np.unique(numbers[order], return_index=True)
    ends = [*begins[1:].tolist(), len(numbers)]
    for number, begin, end in zip(found.tolist(), begins.tolist(), ends, strict=True):
        yield number, table.slice(begin, end - begin)


def _plan(storage: Storage, digest: str) -> Straddling:
    plan = read_straddling(storage)
    if plan is None or plan.digest != digest:
        raise DataError(storage.path_of("shared"), None, "is not of the shards as they are now")
    return plan


def _rows_name(key: str) -> str:
    return f"shared/rows/{key}.pieces"


def _scores_name(chunk: int) -> str:
    return f"shared/scores/{chunk}.pieces"
