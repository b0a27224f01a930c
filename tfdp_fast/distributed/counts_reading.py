"""Counts files, read a row group at a time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed.counts_about import CountsAbout
from tfdp_fast.distributed.counts_writing import CROWD
from tfdp_fast.distributed.footers import check_columns, footer_text, reading_errors
from tfdp_fast.errors import DataError
from tfdp_fast.formats._arrow_columns import own_ids
from tfdp_fast.tables import Ids

__all__ = ["CountsBlock", "CountsFile", "counts_name"]


def counts_name(key: str) -> str:
    """The name of the counts file of a shard in its run folder."""
    return f"counts/{key}.parquet"


@dataclass(frozen=True, eq=False)
class CountsBlock:
    """Some images of a counts file, with all of their rows in it: n images, m annotations.

    Attributes
    ----------
    image_ids : int64 or text [n]
        In data-set order.
    file_names : pyarrow.StringArray [n]
        Null where there is none.
    offsets : int64 [n + 1]
        The annotations of image i are those from ``offsets[i]`` to ``offsets[i + 1] - 1``.
    category_ids : int64 or text [m]
        Of the annotations.
    crowd : bool [m]
        Which are crowd regions.
    counts : BoundaryCounts
        Of all m.
    """

    image_ids: Ids
    file_names: Any
    offsets: NDArray[np.int64]
    category_ids: Ids
    crowd: NDArray[np.bool_]
    counts: BoundaryCounts


class CountsFile:
    """A counts file that is open for reading.

    Parameters
    ----------
    file : file or pyarrow.NativeFile
        It, open for reading at any place.
    source : str
        What it is called in messages.

    Attributes
    ----------
    about : CountsAbout
        What its footer says.

    Raises
    ------
    DataError
        If it is no such file, or is damaged.
    """

    def __init__(self, file: Any, source: str) -> None:
        self.source = source
        with reading_errors(source):
            self._parquet = pq.ParquetFile(
                file, page_checksum_verification=True, read_dictionary=["file_name"], pre_buffer=True
            )
        text = footer_text(self._parquet.metadata.metadata, source)
        self.about = CountsAbout.from_json(text, source)
        check_columns(self._parquet, _COLUMNS, source)

    def blocks(self) -> Iterator[CountsBlock]:
        """Its images, a row group at a time; DataError if it is damaged."""
        images = annotations = 0
        for table in self.tables(_READ):
            with reading_errors(self.source):
                block = _block_of(table)
            yield block
            images += len(block.image_ids)
            annotations += len(block.crowd)
        self._check(images, annotations)

    def tables(self, columns: list[str]) -> Iterator[Any]:
        """Some columns, a row group at a time, as `pyarrow.Table` of one chunk each."""
        for group in range(self._parquet.num_row_groups):
            with reading_errors(self.source):
                table = self._parquet.read_row_group(group, columns, use_threads=False).combine_chunks()
            yield table

    def image_ids(self) -> Ids:
        """The ids of its images, int64 or text, in data-set order."""
        found = []
        for group in range(self._parquet.num_row_groups):
            with reading_errors(self.source):
                column = self._parquet.read_row_group(group, ["image_id"], use_threads=False)["image_id"]
            ids = own_ids(column.combine_chunks())
            found.append(ids[_starts(ids)])
        image_ids = np.concatenate(found) if found else np.empty(0, np.int64)
        self._check(len(image_ids), self.about.annotations)
        return image_ids

    def _check(self, images: int, annotations: int) -> None:
        """Raise DataError unless as many were found as were written."""
        if (images, annotations) != (self.about.images, self.about.annotations):
            raise DataError(self.source, None, "is damaged: it has not as many rows as it says")


_IDS = (pa.int64(), pa.string())
_COLUMNS = {
    "image_id": _IDS,
    "file_name": (pa.dictionary(pa.int32(), pa.string()),),
    "height": (pa.int32(),),
    "width": (pa.int32(),),
    "instance_id": _IDS,
    "category_id": _IDS,
    "straight": (pa.int64(),),
    "diagonal": (pa.int64(),),
    "area2": (pa.int64(),),
    "flags": (pa.uint8(),),
}
_READ = ["image_id", "file_name", "category_id", "straight", "diagonal", "area2", "flags"]


def _block_of(table: Any) -> CountsBlock:
    columns = {name: _whole(table[name]) for name in table.column_names}
    ids = own_ids(columns["image_id"])
    starts = _starts(ids)
    flags = columns["flags"]
    offsets = np.append(starts, len(ids))
    rows: Any = slice(None)
    if flags.null_count:
        there = flags.is_valid().to_numpy(zero_copy_only=False)
        offsets = np.concatenate([[0], np.cumsum(there)])[offsets]
        rows = there

    def numbers(name: str) -> NDArray[np.int64]:
        found: NDArray[np.int64] = columns[name].fill_null(0).to_numpy()[rows]
        return found

    return CountsBlock(
        ids[starts],
        columns["file_name"].take(pa.array(starts)).cast(pa.string()),
        offsets,
        own_ids(columns["category_id"].drop_null()),
        (flags.fill_null(0).to_numpy()[rows] & CROWD) != 0,
        BoundaryCounts(numbers("straight"), numbers("diagonal"), numbers("area2")),
    )


def _whole(column: Any) -> Any:
    """A column in one piece."""
    return column.chunk(0) if column.num_chunks == 1 else column.combine_chunks()


def _starts(ids: Ids) -> NDArray[np.int64]:
    """Where another image begins; the rows of an image are together."""
    if not len(ids):
        return np.empty(0, np.int64)
    begun = np.ones(len(ids), np.bool_)
    begun[1:] = ids[1:] != ids[:-1]
    starts: NDArray[np.int64] = np.flatnonzero(begun)
    return starts
