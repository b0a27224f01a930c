"""The masks of a batch, whatever they came as: their areas and their outer contours."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import _core
from tfdp_fast._batches import decoded
from tfdp_fast._core import FillConvention, SegmentationBatch, SegmentationKind
from tfdp_fast.errors import OptionError
from tfdp_fast.status import Status


class Source(NamedTuple):
    """The masks of one kind in a batch, as the arguments of the core's functions."""

    positions: NDArray[np.int64]
    kind: Literal["polygons", "rle"]
    arguments: tuple[Any, ...]


TRACE: dict[str, Callable[..., Any]] = {"polygons": _core.trace_polygons, "rle": _core.trace_rle}
ENCODE: dict[str, Callable[..., Any]] = {"polygons": _core.encode_polygons, "rle": _core.encode_rle}


def sources(
    batch: SegmentationBatch, convention: FillConvention, statuses: NDArray[np.uint8]
) -> Iterator[Source]:
    """Cut a batch into its kinds, RLE decoded; masks that cannot be decoded get their status and drop out."""
    kinds, sizes = batch.kinds, batch.sizes
    at = np.flatnonzero(kinds == SegmentationKind.POLYGONS)
    if at.size:
        columns = (batch.coordinates, batch.polygon_offsets, batch.instance_offsets)
        yield Source(at, "polygons", (*columns, sizes[at], convention))
    at = np.flatnonzero(kinds == SegmentationKind.RLE)
    if at.size:
        yield Source(at, "rle", (batch.counts, batch.counts_offsets, sizes[at]))
    at = np.flatnonzero(kinds == SegmentationKind.COMPRESSED_RLE)
    if at.size:
        counts, offsets, statuses[at] = decoded(batch)
        good = statuses[at] == Status.OK  # the others own no counts
        offsets = np.append(offsets[:-1][good], offsets[-1])
        yield Source(at[good], "rle", (counts, offsets, sizes[at[good]]))


def areas(batch: SegmentationBatch, convention: FillConvention) -> NDArray[np.int64]:
    """How many pixels each mask has, int64 [N]; 0 for those that cannot be used.

    No mask is decoded to pixels: every second run is foreground.

    Raises
    ------
    OptionError
        If a polygon is in an image of 2**32 pixels or more, whose runs are not counted.
    """
    found = np.zeros(len(batch.kinds), np.int64)
    for source in sources(batch, convention, batch.statuses.copy()):
        if source.kind == "rle":
            counts, offsets, sizes = source.arguments
            pixels = sizes.astype(np.int64).prod(axis=1)
        else:
            counts, offsets, statuses = ENCODE[source.kind](*source.arguments)
            if (statuses == Status.RLE_COUNT_OUT_OF_RANGE).any():
                raise OptionError("areas of polygons in images of 2**32 pixels or more are not counted")
            pixels = None
        lengths = np.diff(offsets)
        is_foreground = (np.arange(len(counts)) - np.repeat(offsets[:-1], lengths)) % 2 == 1
        foreground = _sums(np.where(is_foreground, counts, 0), offsets)
        if pixels is not None:  # runs as they were stated
            foreground[_sums(counts, offsets) != pixels] = 0
        found[source.positions] = foreground
    return found


def _sums(values: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.int64]:
    """Sums of consecutive groups, of which some may be empty."""
    before = np.zeros(len(values) + 1, np.int64)
    np.cumsum(values, out=before[1:])
    return before[offsets[1:]] - before[offsets[:-1]]


@dataclass(frozen=True, eq=False)
class Contours:
    """The outer contours of N masks.

    Attributes
    ----------
    points : list of list of int32 [m, 2]
        Of each mask its contours as `tfdp_fast.trace` gives them; none of a mask that cannot be used.
    primary : int64 [N]
        Which contour of a mask has the largest area, the first of equals; -1 where there is none.
    """

    points: list[list[NDArray[np.int32]]]
    primary: NDArray[np.int64]

    @classmethod
    def none(cls, n: int) -> Contours:
        """Those of n masks without a pixel."""
        return cls([[] for _ in range(n)], np.full(n, -1, np.int64))

    def put(self, positions: NDArray[np.int64], others: Contours) -> None:
        """Set those of the masks at some positions."""
        for i, points in zip(positions.tolist(), others.points, strict=True):
            self.points[i] = points
        self.primary[positions] = others.primary


def contours(batch: SegmentationBatch, convention: FillConvention) -> Contours:
    """The outer contours of each mask."""
    statuses = batch.statuses.copy()
    found = Contours.none(len(statuses))
    for source in sources(batch, convention, statuses):
        points, offsets, instances, _ = TRACE[source.kind](*source.arguments)
        parts = [points[begin:end] for begin, end in pairwise(offsets.tolist())]
        lists = [parts[begin:end] for begin, end in pairwise(instances.tolist())]
        found.put(source.positions, Contours(lists, _primary(points, offsets, instances)))
    return found


def _primary(
    points: NDArray[np.int32], offsets: NDArray[np.int64], instances: NDArray[np.int64]
) -> NDArray[np.int64]:
    """Which contour of each instance has the largest area; -1 of an instance without one."""
    x, y = points.T.astype(np.int64)
    following = np.arange(1, len(points) + 1)
    following[offsets[1:] - 1] = offsets[:-1]  # contours are closed
    area2 = np.abs(_sums(x * y[following] - x[following] * y, offsets))  # Eq. 7
    instance = np.repeat(np.arange(len(instances) - 1), np.diff(instances))
    order = np.lexsort((-area2, instance))  # stable: the first of equals stays the first
    found = np.full(len(instances) - 1, -1)
    has_any = np.diff(instances) > 0
    found[has_any] = order[instances[:-1][has_any]] - instances[:-1][has_any]
    return found
