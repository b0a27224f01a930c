"""A column of masks into boundary counts: compressed counts, JSON, run lengths or polygons."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationBatch, max_side, measure_rle
from tfdp_fast.formats._arrow_columns import lists, offsets_of, packed_sides, plain
from tfdp_fast.formats._arrow_types import is_list
from tfdp_fast.formats._chunk_masks import Part
from tfdp_fast.status import Status

Sizes = NDArray[np.int32]

UNKNOWN = -1
"""A size that is not known: height and width of -1, packed."""


@dataclass(frozen=True, eq=False)
class MaskColumn:
    """A column of n masks.

    Attributes
    ----------
    masks : pyarrow.Array
        Run lengths, their text, JSON or polygons. Null is a mask without a pixel.
    stated, sizes : int32 [n, 2]
        The sizes that masks state, -1 where they do not, and those of the images.
    statuses : uint8 [n]
        What is wrong with the sizes that they state.
    bare_counts : bool
        Whether text can only be counts, and lists only run lengths.
    """

    masks: Any
    stated: Sizes
    sizes: Sizes
    statuses: NDArray[np.uint8]
    bare_counts: bool

    @classmethod
    def of(cls, masks: Any, own: Any, sizes: Sizes, *, bare_counts: bool) -> MaskColumn:
        """From a column of a type that `is_mask` accepts.

        Parameters
        ----------
        masks : pyarrow.Array
            The column.
        own : pyarrow.Array or None
            Lists of height and width that go with bare counts.
        sizes : int32 [n, 2]
            Of the images.
        bare_counts : bool
            Whether text can only be counts; else it may be JSON as well.
        """
        masks = plain(masks)
        if pa.types.is_struct(masks.type):
            if masks.type.get_field_index("size") >= 0:
                own = pc.struct_field(masks, "size")
            masks, bare_counts = plain(pc.struct_field(masks, "counts")), True
        stated, statuses = _stated_sizes(own, len(masks))
        return cls(masks, stated, sizes, statuses, bare_counts)

    def measure(self, convention: FillConvention) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Boundary counts int64 [n, 3] and statuses uint8 [n]; counts of failures are 0."""
        if len(self.masks) and not is_list(self.masks.type):
            text, offsets = _text(self.masks)
            if self.bare_counts or _are_counts(text, offsets).all():
                return self._measure_counts(text, offsets)
        counts, statuses = np.zeros((len(self.masks), 3), np.int64), self.statuses.copy()
        for at, batch in self.parts(np.arange(len(self.masks))):
            counts[at], statuses[at] = measure_batch(batch, convention)
        return counts, statuses

    def _measure_counts(
        self, text: Any, offsets: NDArray[np.int64]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Measure compressed counts where they lie."""
        from tfdp_fast.kernels.rle import decode_rle  # and Numba

        sizes, statuses = self._checked_sizes()
        use = statuses == Status.OK
        if self.masks.null_count:
            use &= self.masks.is_valid().to_numpy(zero_copy_only=False)
        if not use.all():
            sizes = np.where(use[:, None], sizes, np.int32(0))  # nothing comes of the others
        pixels = sizes[:, 0].astype(np.int64) * sizes[:, 1]
        runs, run_offsets, unfit = decode_rle(np.frombuffer(text, np.uint8), offsets, pixels)
        counts, _ = measure_rle(runs, run_offsets, sizes)  # what is decoded fills its mask
        return counts, np.where(use, unfit, statuses)

    def _checked_sizes(self) -> tuple[Sizes, NDArray[np.uint8]]:
        """The sizes of the masks, and what is wrong with them, as for a batch of the core."""
        own, sizes, statuses = packed_sides(self.stated), self.sizes, self.statuses
        unknown = packed_sides(sizes) == UNKNOWN
        if unknown.any():
            sizes = np.where(unknown[:, None], self.stated, sizes)
        found = packed_sides(sizes)
        for status, unfit in (
            (Status.SIZE_OUT_OF_RANGE, ((sizes < 0) | (sizes > max_side)).any(axis=1)),
            (Status.SIZE_MISMATCH, (own != found) & (own != UNKNOWN)),
            (Status.SIZE_MISSING, found == UNKNOWN),
        ):
            if unfit.any():
                statuses = np.where(unfit & (self.statuses == Status.OK), np.uint8(status), statuses)
        return sizes, statuses

    def parts(self, which: NDArray[np.int64]) -> Iterator[Part]:
        """The masks at some positions, ascending; those without a pixel, or with a bad size, drop out."""
        use = (self.statuses == Status.OK) & self.masks.is_valid().to_numpy(zero_copy_only=False)
        at = np.flatnonzero(use[which])
        chosen = which[at]
        masks, stated, sizes = self.masks, self.stated, self.sizes
        if len(chosen) < len(masks):
            masks, stated, sizes = masks.take(pa.array(chosen)), stated[chosen], sizes[chosen]
        if not is_list(masks.type) and not self.bare_counts:
            for some, batch in _parts_of_text(masks, stated, sizes):
                yield at[some], batch
        else:
            yield at, self._batch(masks, stated, sizes)

    def _batch(self, masks: Any, stated: Sizes, sizes: Sizes) -> SegmentationBatch:
        if not is_list(masks.type):
            text, offsets = _text(masks)
            return SegmentationBatch.from_text(text, _spans(offsets), stated, sizes)
        if not self.bare_counts:
            return SegmentationBatch.from_polygons(*_polygons(masks), sizes)
        objects = [
            {"counts": counts} if -1 in size else {"counts": counts, "size": size}
            for counts, size in zip(masks.to_pylist(), stated.tolist(), strict=True)
        ]
        return SegmentationBatch.from_objects(objects, sizes)


def _parts_of_text(masks: Any, stated: Sizes, sizes: Sizes) -> Iterator[Part]:
    """Text that is compressed counts or JSON, each by itself."""
    text, offsets = _text(masks)
    spans, are_counts = _spans(offsets), _are_counts(text, offsets)
    at = np.flatnonzero(are_counts)
    if at.size:
        yield at, SegmentationBatch.from_text(text, spans[at], stated[at], sizes[at])
    at = np.flatnonzero(~are_counts)
    if at.size:
        yield at, SegmentationBatch.from_json(text, spans[at], sizes[at])


def _are_counts(text: Any, offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """Which texts are compressed counts, and not JSON.

    Counts end with a character from '0' to 'O', for a later one says that there is more; JSON ends with a
    bracket, a brace, or the last letter of null.
    """
    data = np.frombuffer(text, np.uint8)
    last = data[np.maximum(offsets[1:] - 1, 0)] if len(data) else np.full(len(offsets) - 1, ord("0"))
    are_counts: NDArray[np.bool_] = (last >= ord("0")) & (last <= ord("O"))
    are_counts |= offsets[1:] == offsets[:-1]
    return are_counts


def _text(column: Any) -> tuple[Any, NDArray[np.int64]]:
    """The text of a column, where it lies, and the offsets [n + 1] of the values in it."""
    wide = column.cast(pa.large_binary())
    if len(wide) == 0:
        return b"", np.zeros(1, np.int64)
    _, offsets, text = wide.buffers()
    return text or b"", np.frombuffer(offsets, np.int64)[wide.offset : wide.offset + len(wide) + 1]


def _spans(offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each value begins and ends, [n, 2]."""
    return np.stack([offsets[:-1], offsets[1:]], axis=1)


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
