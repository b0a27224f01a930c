"""COCO's lists as columns: what every reader makes of them, and what the data set is built from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import CocoScan, texts_at
from tfdp_fast.formats._coco_records import (
    INT64,
    Annotation,
    Category,
    Image,
    RecordT_co,
    Table,
    flag_column,
    unfit_sides,
)
from tfdp_fast.formats.dataset import Problem

IdColumn: TypeAlias = "NDArray[np.int64] | list[int | str]"
"""Ids as they were read: an array of whole numbers of 64 bits, or a list if there is anything else."""


@dataclass(frozen=True)
class Columns:
    """The records of a list.

    Attributes
    ----------
    ids : int64 [R] or list
        Of the records that have what they need, in order.
    rows : int64 [R]
        Their positions in the list.
    failures : list of Problem
        The others.
    faults : list of (int, str)
        Of the R records, positions of those that are unfit all the same, and why; ids are not looked at.
    """

    ids: IdColumn
    rows: NDArray[np.int64]
    failures: list[Problem]
    faults: list[tuple[int, str]]

    def __len__(self) -> int:
        return len(self.rows) + len(self.failures)


@dataclass(frozen=True)
class ImageColumns(Columns):
    """Images: sizes int32 [R, 2], height and width, and names."""

    sizes: NDArray[np.int32]
    file_names: list[str | None]

    @classmethod
    def of(cls, table: Table[Image]) -> ImageColumns:
        """From records."""
        images = table.records
        faults = list(unfit_sides(images))
        sizes = [] if faults else [(image.height, image.width) for image in images]
        names = [_path_of(image.coco_url) if image.file_name is None else image.file_name for image in images]
        return cls(*_common(table), faults, np.array(sizes, np.int32).reshape(-1, 2), names)

    @classmethod
    def scanned(cls, scan: CocoScan, text: memoryview) -> ImageColumns:
        """From a scan that found them plain."""
        ids = scan.image_ids
        names: list[str | None] = [*texts_at(text, scan.file_names)]
        return cls(ids, np.arange(len(ids)), [], [], scan.image_sizes.reshape(-1, 2), names)


@dataclass(frozen=True)
class CategoryColumns(Columns):
    """Categories and their names."""

    names: list[str]

    @classmethod
    def of(cls, table: Table[Category]) -> CategoryColumns:
        """From records."""
        names = [str(category.id) if category.name is None else category.name for category in table.records]
        return cls(*_common(table), [], names)


@dataclass(frozen=True)
class AnnotationColumns(Columns):
    """Annotations: what they refer to, and flags bool [R]."""

    image_ids: IdColumn
    category_ids: IdColumn
    crowd: NDArray[np.bool_]
    ignored: NDArray[np.bool_]

    @classmethod
    def of(cls, table: Table[Annotation]) -> AnnotationColumns:
        """From records."""
        records = table.records
        crowd, unfit_crowd = flag_column("iscrowd", [record.iscrowd for record in records])
        ignored, unfit_ignored = flag_column("ignore", [record.ignore for record in records])
        return cls(
            *_common(table),
            unfit_crowd + unfit_ignored,
            _id_column([record.image_id for record in records]),
            _id_column([record.category_id for record in records]),
            crowd,
            ignored,
        )

    @classmethod
    def scanned(cls, scan: CocoScan) -> AnnotationColumns:
        """From a scan that found them plain."""
        ids = scan.annotation_ids
        return cls(
            ids,
            np.arange(len(ids)),
            [],
            [],
            scan.annotation_image_ids,
            scan.annotation_category_ids,
            scan.crowd.view(np.bool_),
            scan.ignored.view(np.bool_),
        )


@dataclass(frozen=True)
class Lists:
    """The three lists of a source."""

    images: ImageColumns
    categories: CategoryColumns
    annotations: AnnotationColumns


def _common(table: Table[RecordT_co]) -> tuple[IdColumn, NDArray[np.int64], list[Problem]]:
    return _id_column([record.id for record in table.records]), table.rows, table.failures


def _id_column(ids: list[int | str]) -> IdColumn:
    whole: list[Any] = ids
    if not ids or (set(map(type, ids)) == {int} and min(whole) in INT64 and max(whole) in INT64):
        return np.array(whole, np.int64)
    return ids


def _path_of(url: str | None) -> str | None:
    """The path in a URL: LVIS names the file only there."""
    if url is None:
        return None
    path = url.partition("://")[2].partition("/")[2]
    return path.partition("?")[0].partition("#")[0] or None
