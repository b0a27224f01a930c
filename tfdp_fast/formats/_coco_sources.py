"""Where a COCO data set comes from: a file, bytes, or Python objects; how it is read and written again."""

from __future__ import annotations

import json
import mmap
import os
import stat
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import SegmentationBatch
from tfdp_fast._output import Outputs, refuse_to_overwrite
from tfdp_fast.errors import DataError
from tfdp_fast.formats._coco_boxes import Boxes, box_of
from tfdp_fast.formats._coco_columns import AnnotationColumns, CategoryColumns, ImageColumns, Lists
from tfdp_fast.formats._coco_json import JsonText
from tfdp_fast.formats._coco_records import (
    ANNOTATION,
    CATEGORY,
    IMAGE,
    LISTS,
    Category,
    Image,
    Kind,
    ObjectAnnotation,
    RecordT_co,
    Table,
    missing_list,
)
from tfdp_fast.formats._coco_write import Selected, subset_pieces
from tfdp_fast.formats._files import FileVersion
from tfdp_fast.formats._gzip import packing, unpacked
from tfdp_fast.formats.dataset import Problem

Mask = NDArray[np.bool_]


class Source(Protocol):
    """A COCO data set that is there to be read."""

    name: str

    def read(self) -> Lists:
        """Read all records but their segmentations."""

    def segmentations(self, records: NDArray[np.int64], sizes: NDArray[np.int32]) -> SegmentationBatch:
        """Read the segmentations of some of the annotations that `read` returned."""

    def boxes(self, rows: NDArray[np.int64]) -> Boxes:
        """Read the boxes and areas of the annotations at some rows that `read` returned."""

    def stored(self) -> Iterable[bytes | memoryview] | None:
        """The bytes of the file as it is stored; None if there is none."""

    def refuse(self, destination: Any) -> None:
        """Raise OutputError if the destination is the source."""

    def write(self, outputs: Outputs, destination: Any, keep_images: Mask, keep_annotations: Mask) -> None:
        """Write it without the images and annotations that go."""


class JsonSource:
    """Bytes, or a file."""

    def __init__(self, name: str, data: Any, file: FileVersion | None = None) -> None:
        self.name = name
        self._stored = data
        self._json = JsonText(name, unpacked(name, data))
        self._file = file

    def read(self) -> Lists:
        """Read all records but their segmentations."""
        return self._json.read()

    def segmentations(self, records: NDArray[np.int64], sizes: NDArray[np.int32]) -> SegmentationBatch:
        """Read the segmentations of some of the annotations that `read` returned."""
        self._check_unchanged()
        return self._json.batch(records, sizes)

    def boxes(self, rows: NDArray[np.int64]) -> Boxes:
        """Read the boxes and areas of the annotations at some rows that `read` returned."""
        return self._json.boxes(rows)

    def stored(self) -> Iterable[bytes | memoryview] | None:
        """The bytes of the file as it is stored, or of the text."""
        return (self._stored,) if self._file is None else self._file.pieces()

    def refuse(self, destination: Any) -> None:
        """Raise OutputError if the destination is the source."""
        if self._file is not None:
            refuse_to_overwrite(destination, self._file.stat)

    def write(self, outputs: Outputs, destination: Any, keep_images: Mask, keep_annotations: Mask) -> None:
        """Write the text without the records that go."""
        self._check_unchanged()
        names = (IMAGE.list_name, ANNOTATION.list_name)
        arrays = [
            Selected(self._json.lists[name], records, keep)
            for name, records, keep in zip(
                names, self._json.record_spans(*names), (keep_images, keep_annotations), strict=True
            )
        ]
        with packing(outputs.open(destination), destination) as file:
            file.writelines(subset_pieces(self._json.text, arrays, self._json.let_go))
        self._check_unchanged()

    def _check_unchanged(self) -> None:
        if self._file is not None:
            self._file.check()


def open_path(path: str | os.PathLike[str], name: str | None) -> JsonSource:
    """A file, mapped into memory; what cannot be mapped, such as a pipe, is read."""
    path = os.fsdecode(path)
    name = path if name is None else name
    try:
        with Path(path).open("rb") as file:
            about = os.fstat(file.fileno())
            if stat.S_ISREG(about.st_mode) and about.st_size > 0:
                flags, protection = mmap.MAP_PRIVATE, mmap.PROT_READ
                data: Any = mmap.mmap(file.fileno(), about.st_size, flags=flags, prot=protection)
                version: FileVersion | None = FileVersion(path, about)
            else:
                data, version = file.read(), None
    except (OSError, ValueError) as error:
        raise DataError(name, None, f"cannot be read: {getattr(error, 'strerror', error)}") from error
    return JsonSource(name, data, version)


class ObjectSource:
    """A dict in COCO's form. It is not changed, and lists that change later do no harm."""

    def __init__(self, name: str, dataset: Mapping[Any, Any]) -> None:
        self.name = name
        missing = [key for key in LISTS if key not in dataset]
        if missing:
            raise DataError(name, None, missing_list(missing[0]))
        for key in LISTS:
            if not isinstance(dataset[key], (list, tuple)):
                raise DataError(name, None, f'"{key}" is not an array')
        self._dataset = {key: list(value) if key in LISTS else value for key, value in dataset.items()}
        self._segmentations: list[Any] = []

    def read(self) -> Lists:
        """Read all records but their segmentations."""
        annotations = self._table(ANNOTATION, ObjectAnnotation)
        self._segmentations = [annotation.segmentation for annotation in annotations.records]
        return Lists(
            ImageColumns.of(self._table(IMAGE, Image)),
            CategoryColumns.of(self._table(CATEGORY, Category)),
            AnnotationColumns.of(annotations),
        )

    def segmentations(self, records: NDArray[np.int64], sizes: NDArray[np.int32]) -> SegmentationBatch:
        """Read the segmentations of some of the annotations that `read` returned."""
        return SegmentationBatch.from_objects([self._segmentations[i] for i in records.tolist()], sizes)

    def boxes(self, rows: NDArray[np.int64]) -> Boxes:
        """Read the boxes and areas of the annotations at some rows that `read` returned."""
        records = self._dataset[ANNOTATION.list_name]
        return Boxes.of(box_of(records[row]) for row in rows.tolist())

    def stored(self) -> None:
        """None: objects are no file."""

    def refuse(self, destination: Any) -> None:
        """Do nothing: objects are no file."""

    def write(self, outputs: Outputs, destination: Any, keep_images: Mask, keep_annotations: Mask) -> None:
        """Write JSON as `json.dumps` does, and NumPy's numbers and arrays and ASCII bytes as well."""
        subset = dict(self._dataset)
        for kind, keep in ((IMAGE, keep_images), (ANNOTATION, keep_annotations)):
            records = self._dataset[kind.list_name]
            subset[kind.list_name] = [records[row] for row in np.flatnonzero(keep).tolist()]
        try:
            text = json.dumps(subset, default=_for_json)
        except (TypeError, ValueError, RecursionError) as error:
            raise DataError(self.name, None, f"cannot be written as JSON: {error}") from error
        with packing(outputs.open(destination), destination) as file:
            file.write(text.encode("ascii"))

    def _table(self, kind: Kind, record_type: type[RecordT_co]) -> Table[RecordT_co]:
        objects = self._dataset[kind.list_name]
        try:
            return Table.whole(msgspec.convert(objects, list[record_type]))  # type: ignore[valid-type]
        except msgspec.ValidationError:
            return Table.sifted(
                self._record(kind, record_type, row, value) for row, value in enumerate(objects)
            )

    @staticmethod
    def _record(kind: Kind, record_type: type[RecordT_co], row: int, value: Any) -> RecordT_co | Problem:
        try:
            return msgspec.convert(kind.unwrapped(value), record_type)
        except msgspec.ValidationError as error:
            return kind.problem(value, row, str(error))


def _for_json(value: Any) -> Any:
    if isinstance(value, (np.generic, np.ndarray)):
        return value.tolist()
    if isinstance(value, bytes):  # compressed counts as pycocotools returns them
        return value.decode("ascii")
    raise TypeError(f"{type(value).__name__} is no type of JSON")
