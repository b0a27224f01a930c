"""A column of masks into boundary counts: compressed counts, JSON, run lengths or polygons."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationBatch, max_side
from tfdp_fast.formats._arrow_columns import lists, offsets_of, plain
from tfdp_fast.formats._arrow_types import is_list
from tfdp_fast.status import Status

Sizes = NDArray[np.int32]
Measured = tuple[NDArray[np.int64], NDArray[np.uint8]]


def measure_column(
    masks: Any, own: Any, sizes: Sizes, convention: FillConvention, *, bare_counts: bool
) -> Measured:
    """Measure a column of n masks.

    Parameters
    ----------
    masks : pyarrow.Array
        Of a type that `is_mask` accepts. Null is a mask without a pixel.
    own : pyarrow.Array or None
        Lists of height and width that go with bare counts.
    sizes : int32 [n, 2]
        Of the images.
    convention : FillConvention
        How polygons become masks.
    bare_counts : bool
        Whether text can only be counts; else it may be JSON as well.

    Returns
    -------
    counts : int64 [n, 3]
    statuses : uint8 [n]
    """
    counts, statuses = np.zeros((len(masks), 3), np.int64), np.zeros(len(masks), np.uint8)
    masks = plain(masks)
    if pa.types.is_struct(masks.type):
        if masks.type.get_field_index("size") >= 0:
            own = pc.struct_field(masks, "size")
        masks, bare_counts = plain(pc.struct_field(masks, "counts")), True
    stated, statuses[:] = _stated_sizes(own, len(masks))
    use = (statuses == 0) & masks.is_valid().to_numpy(zero_copy_only=False)
    if not use.all():
        masks, stated, sizes = masks.filter(pa.array(use)), stated[use], sizes[use]
    counts[use], statuses[use] = _measure_valid(masks, stated, sizes, convention, bare_counts)
    return counts, statuses


def _measure_valid(
    masks: Any, stated: Sizes, sizes: Sizes, convention: FillConvention, bare_counts: bool
) -> Measured:
    if is_list(masks.type) and not bare_counts:
        batch = SegmentationBatch.from_polygons(*_polygons(masks), sizes)
    elif is_list(masks.type):
        objects = [
            {"counts": counts} if -1 in size else {"counts": counts, "size": size}
            for counts, size in zip(masks.to_pylist(), stated.tolist(), strict=True)
        ]
        batch = SegmentationBatch.from_objects(objects, sizes)
    elif bare_counts:
        batch = SegmentationBatch.from_text(*_text(masks), stated, sizes)
    else:
        return _measure_text(masks, stated, sizes, convention)
    return measure_batch(batch, convention)


def _measure_text(masks: Any, stated: Sizes, sizes: Sizes, convention: FillConvention) -> Measured:
    """Text that is compressed counts or JSON, each by itself.

    Counts end with a character from '0' to 'O', for a later one says that there is more; JSON ends with a
    bracket, a brace, or the last letter of null.
    """
    text, spans = _text(masks)
    data = np.frombuffer(text, np.uint8)
    last = data[np.maximum(spans[:, 1] - 1, 0)] if len(data) else np.full(len(spans), ord("0"))
    are_counts = (spans[:, 0] == spans[:, 1]) | ((last >= ord("0")) & (last <= ord("O")))
    counts, statuses = np.zeros((len(masks), 3), np.int64), np.zeros(len(masks), np.uint8)
    for which in (are_counts, ~are_counts):
        if not which.any():
            continue
        of, in_image = np.ascontiguousarray(spans[which]), np.ascontiguousarray(sizes[which])
        batch = (
            SegmentationBatch.from_text(text, of, np.ascontiguousarray(stated[which]), in_image)
            if which is are_counts
            else SegmentationBatch.from_json(text, of, in_image)
        )
        counts[which], statuses[which] = measure_batch(batch, convention)
    return counts, statuses


def _text(column: Any) -> tuple[Any, NDArray[np.int64]]:
    """The text of a column without nulls, where it lies, and where each value begins and ends."""
    wide = column.cast(pa.large_binary())
    if len(wide) == 0:
        return b"", np.empty((0, 2), np.int64)
    _, offsets, text = wide.buffers()
    ends = np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1]
    return text or b"", np.stack([ends[:-1], ends[1:]], axis=1)


def _polygons(column: Any) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Coordinates, offsets of polygons into them, and offsets of instances into the polygons."""
    polygons_of, polygons = lists(column)
    if pa.types.is_null(polygons.type):  # none of the masks has a polygon
        polygons = polygons.cast(pa.list_(pa.float64()))
    coordinates_of, coordinates = lists(polygons)
    values = coordinates.cast(pa.float64(), safe=False).to_numpy(zero_copy_only=False)
    return np.ascontiguousarray(values), offsets_of(coordinates_of), offsets_of(polygons_of)


def _stated_sizes(own: Any, n: int) -> tuple[Sizes, NDArray[np.uint8]]:
    """The sizes that masks state, -1 where they do not; and what is wrong with them."""
    stated, statuses = np.full((n, 2), -1, np.int32), np.zeros(n, np.uint8)
    if own is None or pa.types.is_null(own.type):
        return stated, statuses
    lengths, sides = lists(own)
    whole = sides.is_valid().to_numpy(zero_copy_only=False)
    values = sides.fill_null(0).cast(pa.int64(), safe=False).to_numpy(zero_copy_only=False)
    row = np.repeat(np.arange(n), lengths)
    unfit = own.is_valid().to_numpy(zero_copy_only=False) & (lengths != 2)
    unfit[row[~whole]] = True
    outside = np.zeros(n, np.bool_)
    outside[row[(values < 0) | (values > max_side)]] = True
    statuses[outside], statuses[unfit] = Status.SIZE_OUT_OF_RANGE, Status.SEGMENTATION_TYPE
    good = (lengths == 2) & (statuses == Status.OK)
    stated[good] = values[good[row]].reshape(-1, 2)
    return stated, statuses
