"""Which columns of a table hold what: a row for each image, or a row for each instance."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from tfdp_fast.errors import DataError
from tfdp_fast.formats._arrow_types import (
    is_counts,
    is_flag,
    is_id,
    is_list,
    is_mask,
    is_number,
    is_size,
    is_text,
    plain_type,
)
from tfdp_fast.formats._record_forms import SAM_KEYS

ColumnPath = tuple[str, ...]
"""The name of a column, and of a field in it."""

Types = dict[str, Any]

NESTED = ("annotations", "objects")
"""Columns that hold the annotations of an image."""


@dataclass(frozen=True)
class Layout:
    """Where things are.

    Attributes
    ----------
    nested : str or None
        The column that holds the annotations of an image; None if each instance has a row.
    height, width : tuple of str
        Of the image.
    image_id, file_name : tuple of str or None
        Of the image, where there are such.
    segmentation : str
        The column of the masks, or the field in `nested`.
    category, annotation_id, crowd, ignore, size : str or None
        Likewise; `size` is what goes with bare counts.
    """

    nested: str | None
    height: ColumnPath
    width: ColumnPath
    image_id: ColumnPath | None
    file_name: ColumnPath | None
    segmentation: str
    category: str | None
    annotation_id: str | None
    crowd: str | None
    ignore: str | None
    size: str | None

    @property
    def fields(self) -> list[str]:
        """What is read of annotations."""
        names = (self.segmentation, self.category, self.annotation_id, self.crowd, self.ignore, self.size)
        return [name for name in names if name is not None]

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        of_image = (self.height, self.width, self.image_id, self.file_name)
        names = [path[0] for path in of_image if path is not None]
        names += self.fields if self.nested is None else [self.nested]
        return list(dict.fromkeys(names))


def layout_of(schema: Any, source: str) -> Layout:
    """The layout of a table.

    Raises
    ------
    DataError
        If a column is not there, or is not of a type that can be used.
    """
    columns = {field.name: plain_type(field.type) for field in schema}
    if len(columns) < len(schema):
        twice = next(name for name in columns if schema.names.count(name) > 1)
        raise DataError(source, None, f"has two columns {twice}")
    prefix: ColumnPath = ()
    image = columns.get("image")
    if "height" not in columns and image is not None and pa.types.is_struct(image):  # as in SA-1B
        prefix = ("image",)
    of_image = _fields(pa.list_(image)) if prefix else columns
    nested = next((name for name in NESTED if name in columns and _fields(columns[name])), None)
    fields = columns if nested is None else _fields(columns[nested])
    _check_complete(source, columns, of_image, nested, fields)

    def of_images(name: str, fits: Callable[[Any], bool], what: str) -> ColumnPath | None:
        return (*prefix, name) if _is_there(source, of_image, name, fits, what) else None

    def of_annotations(name: str, fits: Callable[[Any], bool], what: str) -> str | None:
        return name if _is_there(source, fields, name, fits, what) else None

    ids, flags = "whole numbers or text", "true, false or numbers"
    bare = "segmentation" not in fields
    if bare:
        of_annotations("counts", is_counts, "text, bytes or lists of whole numbers")
    else:
        of_annotations("segmentation", is_mask, "text, {size, counts}, or lists of polygons")
    return Layout(
        nested,
        of_images("height", is_number, "numbers") or (),
        of_images("width", is_number, "numbers") or (),
        of_images("image_id", is_id, ids),
        of_images("file_name", is_text, "text"),
        "counts" if bare else "segmentation",
        of_annotations("category_id" if "category_id" in fields else "category", is_id, ids),
        of_annotations("id", is_id, ids),
        of_annotations("iscrowd", is_flag, flags),
        of_annotations("ignore", is_flag, flags),
        of_annotations("size", is_size, "lists of height and width") if bare else None,
    )


def _fields(type_: Any) -> Types:
    """What annotations have, in a list of structs or a struct of lists; nothing if it is neither."""
    if is_list(type_) and pa.types.is_struct(type_.value_type):
        return {field.name: plain_type(field.type) for field in type_.value_type}
    if pa.types.is_struct(type_):
        return {field.name: plain_type(field.type.value_type) for field in type_ if is_list(field.type)}
    return {}


def _check_complete(source: str, columns: Types, of_image: Types, nested: str | None, fields: Types) -> None:
    """Raise DataError if what cannot be done without is not there."""
    needed = ["height", "width"] + ["image_id"] * (nested is None)
    missing = [name for name in needed if name not in of_image]
    if not fields.keys() & {"segmentation", "counts"}:
        missing.append("segmentation (or counts)")
    is_sa1b = of_image is not columns
    if not is_sa1b and not fields.keys() & ({"category_id", "category"} | SAM_KEYS):
        missing.append("category_id (or category)")
    if missing:
        names = ", ".join(columns) or "none"
        if nested is None:
            names += f"; and no {' or '.join(NESTED)} that is a list for each image"
        else:
            names += f", and in {nested}: {', '.join(fields)}"
        raise DataError(source, None, f"has no column {', '.join(missing)}; its columns are {names}")


def _is_there(source: str, types: Types, name: str, fits: Callable[[Any], bool], what: str) -> bool:
    """Is there such a column? DataError if there is, and it is not of such a type."""
    if name not in types:
        return False
    if not fits(types[name]):
        raise DataError(source, None, f"column {name} is of type {types[name]}, and should hold {what}")
    return True
