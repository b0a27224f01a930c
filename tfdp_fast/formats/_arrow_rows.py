"""Rows of a table: what they say of images and annotations, and what of it cannot be used."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfdp_fast.formats import _arrow_columns as columns
from tfdp_fast.formats._arrow_columns import Faults
from tfdp_fast.formats._arrow_layout import ColumnPath, Layout
from tfdp_fast.formats._coco_records import ANNOTATION, IMAGE
from tfdp_fast.formats._record_forms import ONE_CLASS
from tfdp_fast.tables import Ids

__all__ = ["Annotations", "Images", "Rows", "image_ids_of", "lists_of_annotations"]

_ID, _IMAGE_ID, _CATEGORY, _, _CROWD, _IGNORE = ANNOTATION.keys
_HEIGHT, _WIDTH = IMAGE.keys[1:3]

Fields = dict[str, Any]
"""Columns of annotations, by name."""


@dataclass(frozen=True)
class Rows:
    """Some rows of a table.

    Attributes
    ----------
    batch : pyarrow.RecordBatch
        At least the columns of the layout.
    layout : Layout
        What the columns hold.
    first, first_of_all : int
        The position of the first row in its table, and in the data set.
    source : str
        The path of the table, or what stands for it.
    file : str or None
        The path, where there are several.
    """

    batch: Any
    layout: Layout
    first: int
    first_of_all: int
    source: str
    file: str | None


@dataclass(frozen=True)
class Images:
    """What n rows say of their images.

    Attributes
    ----------
    rows : Rows
        The rows.
    ids : int64 or text [n]
        Image ids.
    sizes : int32 [n, 2]
        Height and width.
    names : pyarrow.Array or None
        File names.
    faults, nameless : dict of int to str
        Which rows cannot be used; and of these, which have no id.
    """

    rows: Rows
    ids: Ids
    sizes: NDArray[np.int32]
    names: Any
    faults: Faults
    nameless: Faults

    @classmethod
    def of(cls, rows: Rows) -> Images:
        """Read the columns."""
        layout = rows.layout
        ids, nameless = image_ids_of(rows)
        heights, unfit_heights = columns.sides(_at(rows.batch, layout.height), _HEIGHT)
        widths, unfit_widths = columns.sides(_at(rows.batch, layout.width), _WIDTH)
        names = None if layout.file_name is None else _at(rows.batch, layout.file_name)
        faults = {**unfit_widths, **unfit_heights, **nameless}
        return cls(rows, ids, np.stack([heights, widths], axis=1), names, faults, nameless)

    def names_of(self, some: NDArray[np.int64]) -> list[str | None]:
        """The file names in some of the rows."""
        if self.names is None:
            return [None] * len(some)
        return columns.texts(self.names if len(some) == len(self.names) else self.names.take(pa.array(some)))

    def record(self, i: int) -> str:
        """What the image of a row is called."""
        return f"row {self.rows.first + i}" if i in self.nameless else IMAGE.name_of(self.ids[i].item())


def image_ids_of(rows: Rows) -> tuple[Ids, Faults]:
    """The image id of each row; its position in the data set, where there is no such column."""
    if rows.layout.image_id is None:
        return rows.first_of_all + np.arange(rows.batch.num_rows), {}
    return columns.ids(_at(rows.batch, rows.layout.image_id), _IMAGE_ID)


def lists_of_annotations(batch: Any, layout: Layout) -> tuple[NDArray[np.int64], Fields, Faults]:
    """The annotations of each row of a table with a row per image.

    Returns
    -------
    lengths : int64 [n]
        How many each row has.
    fields : dict of pyarrow.Array
        All of their columns, one row's after the other's.
    faults : dict of int to str
        Which rows have lists of different lengths: these are taken to have no annotation.
    """
    nested = batch.column(layout.nested)
    if not pa.types.is_struct(nested.type):
        lengths, structs = columns.lists(nested)
        return lengths, {f.name: pc.struct_field(structs, f.name) for f in structs.type}, {}
    lists = {name: pc.struct_field(nested, name) for name in layout.fields}
    all_lengths = {name: columns.lists(column)[0] for name, column in lists.items()}
    lengths = all_lengths[layout.segmentation]
    uneven = np.zeros(len(nested), np.bool_)
    for of_field in all_lengths.values():
        uneven |= of_field != lengths
    faults: Faults = {}
    for i in np.flatnonzero(uneven).tolist():
        found = ", ".join(f"{name} {of_field[i]}" for name, of_field in all_lengths.items())
        faults[i] = f"has lists of different lengths: {found}"
    if faults:
        even = pa.array(~uneven)
        lists = {
            name: pc.if_else(even, column, pa.scalar(None, column.type)) for name, column in lists.items()
        }
    flat = {name: columns.lists(column)[1] for name, column in lists.items()}
    return np.where(uneven, 0, lengths), flat, faults


@dataclass(frozen=True)
class Annotations:
    """What the annotations of some rows say, all but their masks.

    Attributes
    ----------
    masks, own_sizes : pyarrow.Array
        The masks [m], and what goes with bare counts, if there is such.
    ids : int64 or text [m] or None
        Where they have ids.
    category_ids : int64 or text [m]
        Classes.
    crowd, ignored : bool [m]
        Flags.
    faults : dict of int to str
        Which of them cannot be used.
    """

    masks: Any
    own_sizes: Any
    ids: Ids | None
    category_ids: Ids
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]
    faults: Faults

    @classmethod
    def of(cls, layout: Layout, fields: Fields, classes: Ids | None) -> Annotations:
        """Read the columns; `classes` are the ids of the classes, where they are known."""
        masks = fields[layout.segmentation]
        n = len(masks)
        ids, category_ids = None, np.full(n, ONE_CLASS[0])
        crowd = ignored = np.zeros(n, np.bool_)
        faults: Faults = {}
        if layout.ignore is not None:
            ignored, unfit = columns.flags(fields[layout.ignore], _IGNORE)
            faults.update(unfit)
        if layout.crowd is not None:
            crowd, unfit = columns.flags(fields[layout.crowd], _CROWD)
            faults.update(unfit)
        if layout.category is not None:
            category_ids, unfit = columns.ids(fields[layout.category], _CATEGORY)
            faults.update({**_unknown(category_ids, classes), **unfit})
        if layout.annotation_id is not None and not pa.types.is_null(fields[layout.annotation_id].type):
            ids, unfit = columns.ids(fields[layout.annotation_id], _ID)
            faults.update(unfit)
        own_sizes = None if layout.size is None else fields[layout.size]
        return cls(masks, own_sizes, ids, category_ids, crowd, ignored, faults)

    def name(self, a: int) -> str | None:
        """What an annotation is called by its id; None if it has none."""
        if self.ids is None or self.faults.get(a, "").startswith(f'has no "{_ID.name}"'):
            return None
        return ANNOTATION.name_of(self.ids[a].item())


def _unknown(category_ids: Ids, classes: Ids | None) -> Faults:
    """Which categories are none of the classes."""
    if classes is None:
        return {}
    known = np.zeros(len(category_ids), np.bool_)
    if category_ids.dtype.kind == classes.dtype.kind:
        known = np.isin(category_ids, classes)
    return {
        i: f"category {category_ids[i]} is none of the {len(classes)} classes of the data set"
        for i in np.flatnonzero(~known).tolist()
    }


def _at(batch: Any, path: ColumnPath) -> Any:
    """A column, or a field in it."""
    column = batch.column(path[0])
    for name in path[1:]:
        column = pc.struct_field(column, name)
    return column
