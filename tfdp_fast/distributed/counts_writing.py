"""Counts files: the boundary counts of a shard as Parquet, with its exact class totals in the footer.

A row for each annotation that can be used, and one for each image without any:

===============  ====================  =============================================================
image_id         int64 or string       images are in data-set order, the rows of an image together
file_name        string, nullable      of the image
height, width    int32                 of the image, pixels
instance_id      int64 or string       null in the row of an image without annotations; so with all below
category_id      int64 or string
straight         int64                 straight steps of the primary contour
diagonal         int64                 its diagonal steps
area2            int64                 twice the area that it encloses
flags            uint8                 1: a crowd region, which is not scored
===============  ====================  =============================================================

Row groups are of about a million rows and end where an image ends. The metadata hold the rest under the key
``tfdp_fast``, as JSON (see `CountsAbout`), and its SHA-256 under ``tfdp_fast_sha256``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from tfdp_fast.distributed.counts_about import CountsAbout
from tfdp_fast.distributed.footers import footer_metadata
from tfdp_fast.tables import Ids

__all__ = ["CROWD", "ShardCounts", "write_counts"]

CROWD = 1
"""The flag of crowd regions."""

ROWS = 1 << 20
"""Of a row group, about."""

_DELTA = "DELTA_BINARY_PACKED"
_FEW_VALUES = ("category_id", "flags")
_LARGEST_DICTIONARY = 64 << 20
"""Bytes. The names of the images of a row group have to fit, else the column is written as plain text."""
_TEXTS = pa.dictionary(pa.int32(), pa.string())


@dataclass(frozen=True, eq=False)
class ShardCounts:
    """The columns of a counts file before they are one: I images, A annotations.

    Attributes
    ----------
    image_ids : int64 or text [I]
        In data-set order.
    file_names : list of str or None, or text [I]
        Theirs.
    image_sizes : int32 [I, 2]
        Height and width.
    image_index : int64 [A]
        Which image an annotation is in.
    instance_ids, category_ids : int64 or text [A]
        Ids of annotations, and of their classes.
    crowd : bool [A]
        Which are crowd regions.
    counts : int64 [A, 3]
        Straight steps, diagonal steps, twice the area.
    """

    image_ids: Ids
    file_names: list[str | None] | NDArray[np.str_]
    image_sizes: NDArray[np.int32]
    image_index: NDArray[np.int64]
    instance_ids: Ids
    category_ids: Ids
    crowd: NDArray[np.bool_]
    counts: NDArray[np.int64]


def write_counts(counts: ShardCounts, about: CountsAbout, file: BinaryIO) -> None:
    """Write a counts file."""
    n_of = np.bincount(counts.image_index, minlength=len(counts.image_ids))
    order = None
    if (np.diff(counts.image_index) < 0).any():
        order = np.argsort(counts.image_index, kind="stable")
    first_row = np.concatenate([[0], np.cumsum(np.maximum(n_of, 1))])
    first_annotation = np.concatenate([[0], np.cumsum(n_of)])
    schema = _schema(counts)
    integers = [one.name for one in schema if pa.types.is_integer(one.type) and one.name not in _FEW_VALUES]
    with pq.ParquetWriter(
        file,
        schema,
        compression="zstd",
        use_dictionary=[name for name in schema.names if name not in integers],
        column_encoding=dict.fromkeys(integers, _DELTA),
        dictionary_pagesize_limit=_LARGEST_DICTIONARY,
        write_page_checksum=True,
        write_statistics=["image_id", "category_id"],
        store_schema=False,
    ) as writer:
        begin = 0
        while begin < len(n_of):
            end = int(np.searchsorted(first_row, first_row[begin] + ROWS, side="right")) - 1
            end = min(max(end, begin + 1), len(n_of))
            some = slice(int(first_annotation[begin]), int(first_annotation[end]))
            at: slice | NDArray[np.int64] = some if order is None else order[some]
            writer.write_batch(
                _batch(counts, schema, begin, end, n_of[begin:end], at), row_group_size=1 << 40
            )
            begin = end
        writer.add_key_value_metadata(footer_metadata(about.to_json()))


def _schema(counts: ShardCounts) -> Any:
    def of(ids: Ids) -> Any:
        return pa.string() if ids.dtype.kind == "U" else pa.int64()

    return pa.schema(
        [
            pa.field(
                "image_id", _TEXTS if counts.image_ids.dtype.kind == "U" else pa.int64(), nullable=False
            ),
            pa.field("file_name", _TEXTS),
            pa.field("height", pa.int32(), nullable=False),
            pa.field("width", pa.int32(), nullable=False),
            pa.field("instance_id", of(counts.instance_ids)),
            pa.field("category_id", of(counts.category_ids)),
            pa.field("straight", pa.int64()),
            pa.field("diagonal", pa.int64()),
            pa.field("area2", pa.int64()),
            pa.field("flags", pa.uint8()),
        ]
    )


def _batch(
    counts: ShardCounts,
    schema: Any,
    begin: int,
    end: int,
    n_of: NDArray[np.int64],
    at: slice | NDArray[np.int64],
) -> Any:
    """The rows of the images from `begin` to `end` - 1, whose annotations are at some positions."""
    rows_of = np.maximum(n_of, 1)
    image = np.repeat(np.arange(len(n_of), dtype=np.int32), rows_of)
    empty = np.repeat(n_of == 0, rows_of) if (n_of == 0).any() else None

    def of_annotations(values: NDArray[Any], type_: Any) -> Any:
        chosen = values[at]
        if empty is not None:
            spread = np.zeros(len(image), values.dtype)
            spread[~empty] = chosen
            chosen = spread
        return pa.array(chosen.tolist() if chosen.dtype.kind == "U" else chosen, type_, mask=empty)

    ids, sizes = counts.image_ids[begin:end], counts.image_sizes[begin:end][image]
    columns = {
        "image_id": pa.array(ids[image]) if ids.dtype.kind != "U" else _spread_texts(ids.tolist(), image),
        "file_name": _spread_texts(list(counts.file_names[begin:end]), image),
        "height": pa.array(np.ascontiguousarray(sizes[:, 0])),
        "width": pa.array(np.ascontiguousarray(sizes[:, 1])),
        "instance_id": of_annotations(counts.instance_ids, schema.field("instance_id").type),
        "category_id": of_annotations(counts.category_ids, schema.field("category_id").type),
        "flags": of_annotations(counts.crowd.astype(np.uint8) * CROWD, pa.uint8()),
    }
    for place, name in enumerate(("straight", "diagonal", "area2")):
        columns[name] = of_annotations(counts.counts[:, place], pa.int64())
    return pa.RecordBatch.from_arrays([columns[name] for name in schema.names], schema=schema)


def _spread_texts(texts: list[str | None], image: NDArray[np.int32]) -> Any:
    """Texts of images as a column of rows: looked up in a dictionary, whose values have to differ."""
    values = pa.array(texts, pa.string())
    encoded = values.dictionary_encode()
    indices = encoded.indices.take(pa.array(image))
    return pa.DictionaryArray.from_arrays(indices, encoded.dictionary)
