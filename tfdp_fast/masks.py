"""Anything that is a segmentation, measured, traced or encoded in batches."""

from __future__ import annotations

from contextlib import closing
from itertools import pairwise
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import _core
from tfdp_fast._batches import (
    Masks,
    Size,
    as_list,
    batches,
    dense_masks,
    fill_convention,
    is_array,
    measure_batch,
    raise_first,
    sizes_of,
)
from tfdp_fast._core import SegmentationBatch
from tfdp_fast._numbers import is_number
from tfdp_fast._threads import chunk_size, map_in_order, resolve_threads
from tfdp_fast._tracing import ENCODE, TRACE, sources
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.errors import OptionError

__all__ = ["Polygons", "measure", "measure_labels", "to_rle", "trace"]

Polygons: TypeAlias = Literal["coco", "opencv"]
"""How a polygon becomes a mask.

``"coco"`` as pycocotools does it (``frPyObjects`` and ``merge``), which is what training frameworks see;
``"opencv"`` as ``cv2.fillPoly`` does it with coordinates truncated to int32, boundary painted.
"""

CHUNK = 512
"""Masks per task of the thread pool, at most."""

CHUNK_PIXELS = 1 << 26
"""Pixels of dense masks per task, at most, unless one mask has more: a signal waits for the end of a task."""


def measure(
    masks: Masks, size: Size | None = None, *, polygons: Polygons = "coco", threads: int | None = 1
) -> BoundaryCounts:
    """Measure the boundary of the primary contour of each mask, exactly.

    Parameters
    ----------
    masks : sequence or array
        N masks: a list whose items are COCO RLE dicts (counts compressed, as ``str`` or ``bytes``, or a list
        of integers), lists of polygons (each polygon ``[x0, y0, x1, y1, ...]`` or an array [n, 2]), dense
        arrays [H, W], None (no pixel), or any mixture of these; or a dense array [H, W] or [N, H, W] of bool
        or uint8 in which everything but 0 is foreground, in C or Fortran order; or one RLE dict.
    size : (height, width) or int array [N, 2], optional
        The size of the images in pixels. Needed for polygons; checked where a mask states its own.
    polygons : {"coco", "opencv"}
        How a polygon becomes a mask.
    threads : int or None
        Threads to use; None for all processors. The result does not depend on it.

    Returns
    -------
    BoundaryCounts
        Of N masks. A mask without pixels has counts of 0.

    Raises
    ------
    MaskError
        If a mask is malformed; the error names the first such mask by its index.
    OptionError
        If an argument makes no sense.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square = [[10, 10, 20, 10, 20, 20, 10, 20]]
    >>> counts = tfdp.measure([square], size=(40, 40))
    >>> counts.area, counts.perimeter
    (array([81.]), array([36.]))
    >>> tfdp.measure([square], size=(40, 40), polygons="opencv").area
    array([100.])
    """
    threads = resolve_threads(threads)
    convention = fill_convention(polygons)
    if is_array(masks):
        dense = dense_masks(masks, size)
        pixels = dense.shape[1] * dense.shape[2]
        chunk = chunk_size(len(dense), threads, max(1, min(CHUNK, CHUNK_PIXELS // max(1, pixels))))
        parts = [dense[i : i + chunk] for i in range(0, len(dense), chunk)]
        with closing(map_in_order(_core.measure_dense, parts, threads)) as tasks:
            counts = list(tasks)
    else:
        objects = as_list(masks)
        batch_of = batches(objects, size)
        chunk = chunk_size(len(objects), threads, CHUNK)
        slices = [slice(i, i + chunk) for i in range(0, len(objects), chunk)]
        tasks_of_batches = map_in_order(
            lambda part: measure_batch(batch_of(part), convention), slices, threads
        )
        with closing(tasks_of_batches):
            measured = list(tasks_of_batches)
        raise_first(np.concatenate([np.empty(0, np.uint8), *(statuses for _, statuses in measured)]))
        counts = [part for part, _ in measured]
    return BoundaryCounts.from_array(np.concatenate([np.empty((0, 3), np.int64), *counts]))


def measure_labels(
    label_map: NDArray[np.integer[Any]], *, background: int = 0
) -> tuple[NDArray[np.int64], BoundaryCounts]:
    """Measure every instance of a label map in one pass over its pixels.

    Parameters
    ----------
    label_map : int array [H, W]
        Each pixel holds the label of its instance; any integer dtype.
    background : int
        The label of the pixels that belong to no instance.

    Returns
    -------
    labels : int64 [K]
        The labels that occur, ascending, without the background.
    counts : BoundaryCounts
        Of K masks.

    Raises
    ------
    OptionError
        If the map does not have two dimensions, or does not hold integers that fit into int64.

    Examples
    --------
    >>> import numpy as np
    >>> import tfdp_fast as tfdp
    >>> label_map = np.zeros((8, 8), np.int32)
    >>> label_map[1:4, 1:4], label_map[5:7, 2:8] = 7, 9
    >>> labels, counts = tfdp.measure_labels(label_map)
    >>> labels, counts.area
    (array([7, 9]), array([4., 5.]))
    """
    array = np.asarray(label_map)
    if array.ndim != 2 or array.dtype.kind not in "iu":
        raise OptionError(f"a label map has shape [H, W] and integers, got {array.dtype} {list(array.shape)}")
    if not is_number(background, int, np.integer) or not -(2**63) <= background < 2**63:
        raise OptionError(f"background must be a whole number of 64 bits, got {background!r}")
    array = np.ascontiguousarray(array, dtype=array.dtype.newbyteorder("="))
    if array.dtype == np.uint64:
        if array.size and array.max() > np.iinfo(np.int64).max:
            raise OptionError("a label of the map does not fit into int64")
        array = array.astype(np.int64)
    labels, counts = _core.measure_labels(array, background)
    return labels, BoundaryCounts.from_array(counts)


def trace(mask: Any, size: Size | None = None, *, polygons: Polygons = "coco") -> list[NDArray[np.int32]]:
    """Trace the outer contours of one mask.

    The contours are those of ``cv2.findContours(mask, RETR_EXTERNAL, CHAIN_APPROX_SIMPLE)``, point by point:
    the outer borders of the 8-connected components that do not lie inside a hole, ordered by their first
    pixel in raster order, descending. Each starts at that pixel and goes down on its left side
    (counterclockwise as seen in the picture). It is closed: the last point is connected with the first. Inner
    points of horizontal, vertical and diagonal stretches are left out. The method is border following (Suzuki
    and Abe 1985).

    Parameters
    ----------
    mask : dict, list or array
        One mask in any form that `measure` takes as an item of its list: an RLE dict, a list of polygons, a
        dense array [H, W], or None.
    size : (height, width), optional
        The size of the image in pixels. Needed for polygons; checked where the mask states its own.
    polygons : {"coco", "opencv"}
        How a polygon becomes a mask.

    Returns
    -------
    list of int32 [n, 2]
        x and y of the pixel centres on each contour.

    Raises
    ------
    MaskError
        If the mask is malformed.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> tfdp.trace([[10, 10, 13, 10, 13, 13, 10, 13]], size=(40, 40))
    [array([[10, 10],
           [10, 12],
           [12, 12],
           [12, 10]], dtype=int32)]
    """
    batch = SegmentationBatch.from_objects([mask], sizes_of(size, 1))
    statuses = batch.statuses.copy()
    contours: list[NDArray[np.int32]] = []
    for source in sources(batch, fill_convention(polygons), statuses):
        points, offsets, _, statuses[source.positions] = TRACE[source.kind](*source.arguments)
        contours = np.split(points, offsets[1:-1])[: len(offsets) - 1]
    raise_first(statuses)
    return contours


def to_rle(masks: Masks, size: Size | None = None, *, polygons: Polygons = "coco") -> list[dict[str, Any]]:
    """Encode masks as canonical compressed COCO RLE.

    Parameters
    ----------
    masks, size, polygons
        As in `measure`.

    Returns
    -------
    list of dict
        For each mask ``{"size": [height, width], "counts": str}``, equal to pycocotools' ``encode`` of it.

    Raises
    ------
    MaskError
        If a mask is malformed, if the size of its image is not known, or if that has 2**32 pixels or more.
    OptionError
        If an argument makes no sense.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> tfdp.to_rle([[[1, 1, 4, 1, 4, 3, 1, 3]]], size=(5, 5))
    [{'size': [5, 5], 'counts': '6230004'}]
    """
    from tfdp_fast.kernels.rle import encode_rle

    if is_array(masks):
        objects = list(dense_masks(masks, size))
    else:
        objects = as_list(masks)
        # Unlike null, a polygon without points needs to know how large its image is.
        objects = [[[]] if _is_empty(mask) else mask for mask in objects]
    sizes = sizes_of(size, len(objects))
    batch = SegmentationBatch.from_objects(objects, sizes)
    statuses = batch.statuses.copy()
    texts = [b""] * len(objects)
    for source in sources(batch, fill_convention(polygons), statuses):
        counts, offsets, statuses[source.positions] = ENCODE[source.kind](*source.arguments)
        data, data_offsets = encode_rle(counts, offsets)
        for i, (begin, end) in zip(source.positions, pairwise(data_offsets), strict=True):
            texts[i] = data[begin:end].tobytes()
    raise_first(statuses)
    return [
        {"size": size_of_mask, "counts": text.decode()}
        for size_of_mask, text in zip(batch.sizes.tolist(), texts, strict=True)
    ]


def _is_empty(mask: object) -> bool:
    return mask is None or (isinstance(mask, (list, tuple)) and not mask)
