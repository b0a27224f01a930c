"""Rows of a table into a chunk of a data set, measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast.errors import DataError
from tfdp_fast.formats._arrow_columns import offsets_of, packed_sides
from tfdp_fast.formats._arrow_masks import MaskColumn
from tfdp_fast.formats._arrow_rows import Annotations, Images, Rows, lists_of_annotations
from tfdp_fast.formats._chunk_masks import BatchMasks
from tfdp_fast.formats._streamed import Chunk
from tfdp_fast.formats.dataset import ImageProblem, Problem
from tfdp_fast.status import Status
from tfdp_fast.tables import Ids

__all__ = ["chunk_of"]


@dataclass(frozen=True)
class _Placed:
    """Annotations [m] and the images [n] that they are in.

    Attributes
    ----------
    images : Images
        Of the rows.
    first_rows : int64 [n]
        A row of each image.
    annotations : Annotations
        All of them.
    sizes : int32 [m, 2]
        Height and width of the image of each.
    image_index : int64 [m]
        The image of each; of no meaning unless `fit`.
    fit : bool [m]
        Which are in an image that can be used.
    record : callable
        What an annotation without an id is called.
    problems : list of Problem
        Images that cannot be used.
    """

    images: Images
    first_rows: NDArray[np.int64]
    annotations: Annotations
    sizes: NDArray[np.int32]
    image_index: NDArray[np.int64]
    fit: NDArray[np.bool_]
    record: Callable[[int], str]
    problems: list[Problem] = field(default_factory=list)


def chunk_of(rows: Rows, classes: Ids | None, convention: FillConvention, *, with_masks: bool) -> Chunk:
    """Read and measure some rows.

    Parameters
    ----------
    rows : Rows
        Of a table.
    classes : int64 [C] or None
        The ids of the classes, where they are known.
    convention : FillConvention
        How polygons become masks.
    with_masks : bool
        Whether the chunk has its masks.

    Returns
    -------
    Chunk
        Each image is in it once; with a row per instance, in the order of their first rows.

    Raises
    ------
    DataError
        If rows of one image state different sizes.
    """
    place = _by_instance if rows.layout.nested is None else _by_image
    placed = place(rows, classes)
    annotations, images = placed.annotations, placed.images
    use = placed.fit.copy()
    use[list(annotations.faults)] = False
    ignored = int(np.count_nonzero(use & annotations.ignored))
    use &= ~annotations.ignored
    masks, own_sizes, sizes = annotations.masks, annotations.own_sizes, placed.sizes
    if not use.all():
        chosen = pa.array(use)
        masks = masks.filter(chosen)
        own_sizes = None if own_sizes is None else own_sizes.filter(chosen)
        sizes = sizes[use]
    column = MaskColumn.of(masks, own_sizes, sizes, bare_counts=rows.layout.segmentation == "counts")
    counts, statuses = column.measure(convention)
    good, at = statuses == Status.OK, np.flatnonzero(use)
    reasons = {a: reason for a, reason in annotations.faults.items() if placed.fit[a]}
    reasons |= {int(at[i]): Status(statuses[i]).reason for i in np.flatnonzero(~good).tolist()}
    problems = [
        Problem(annotations.name(a) or placed.record(a), reason, a, rows.file)
        for a, reason in reasons.items()
    ]
    used = at[good]
    # As a rule all of them are: a slice copies nothing.
    some: NDArray[np.int64] | slice = slice(None) if len(used) == len(use) else used
    return Chunk(
        image_ids=images.ids[placed.first_rows],
        image_sizes=images.sizes[placed.first_rows],
        file_names=images.names_of(placed.first_rows),
        image_index=placed.image_index[some],
        category_ids=annotations.category_ids[some],
        crowd=annotations.crowd[some],
        counts=counts if len(used) == len(good) else counts[good],
        rows=used,
        records=len(use),
        annotation_ids=None if annotations.ids is None else annotations.ids[some],
        ignored=ignored,
        problems=sorted(placed.problems + problems, key=lambda problem: problem.row),
        masks=BatchMasks(np.flatnonzero(good), column.parts, convention) if with_masks else None,
    )


def _by_image(rows: Rows, classes: Ids | None) -> _Placed:
    """Each row is an image with a list of annotations."""
    images = Images.of(rows)
    lengths, fields, uneven = lists_of_annotations(rows.batch, rows.layout)
    faults = {**uneven, **images.faults}
    fit = np.ones(len(lengths), np.bool_)
    fit[list(faults)] = False
    offsets, row = offsets_of(lengths), np.repeat(np.arange(len(lengths)), lengths)
    return _Placed(
        images,
        np.flatnonzero(fit),
        Annotations.of(rows.layout, fields, classes),
        images.sizes[row],
        (np.cumsum(fit) - 1)[row],
        fit[row],
        lambda a: f"{images.record(int(row[a]))}: annotation {a - offsets[row[a]]}",
        [
            ImageProblem(images.record(i), reason, int(offsets[i]), rows.file)
            for i, reason in sorted(faults.items())
        ],
    )


def _by_instance(rows: Rows, classes: Ids | None) -> _Placed:
    """Each row is an annotation, and says what its image is."""
    images = Images.of(rows)
    fields = {name: rows.batch.column(name) for name in rows.layout.fields}
    annotations = Annotations.of(rows.layout, fields, classes)
    annotations.faults.update(images.faults)
    n = rows.batch.num_rows
    of_image = np.arange(n)
    if images.faults:
        of_image = np.delete(of_image, list(images.faults))
    first, of_row = _numbered(images.ids[of_image])
    first_rows = of_image[first]
    sides = packed_sides(images.sizes)
    differ = np.flatnonzero(sides[of_image] != sides[first_rows][of_row])
    if differ.size:
        record = images.record(int(of_image[differ[0]]))
        raise DataError(rows.source, record, "its rows have different heights or widths")
    index = of_row
    if len(of_row) < n:
        index = np.full(n, -1)
        index[of_image] = of_row
    return _Placed(
        images,
        first_rows,
        annotations,
        images.sizes,
        index,
        np.ones(n, np.bool_),
        lambda a: f"row {rows.first + a}",
    )


def _numbered(ids: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Ids numbered in the order in which they first occur: where each does, and the number of every one."""
    begins = np.ones(len(ids), np.bool_)
    begins[1:] = ids[1:] != ids[:-1]
    first, of_row = np.flatnonzero(begins), np.cumsum(begins) - 1
    heads = ids[first]
    if (heads[1:] > heads[:-1]).all():
        return first, of_row
    # Few of them are sorted: as a rule the rows of an image are adjacent.
    _, first_heads, inverse = np.unique(heads, return_index=True, return_inverse=True)
    order = np.argsort(first_heads)
    return first[first_heads[order]], np.argsort(order)[inverse][of_row]
