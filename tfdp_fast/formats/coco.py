"""COCO and LVIS: a JSON object with lists of images, annotations and categories."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import SegmentationBatch
from tfdp_fast._output import Outputs, check_output
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._coco_columns import CategoryColumns, ImageColumns, Lists
from tfdp_fast.formats._coco_preset import filtered
from tfdp_fast.formats._coco_records import ANNOTATION, CATEGORY, IMAGE
from tfdp_fast.formats._coco_sieve import Sieve, positions
from tfdp_fast.formats._coco_sources import JsonSource, ObjectSource, Source, open_path
from tfdp_fast.formats._hashing import FileHash
from tfdp_fast.formats._listed import ListedDataset
from tfdp_fast.formats.dataset import Dataset, Fingerprint, OnError, OpenOptions
from tfdp_fast.presets import PresetName

__all__ = ["open_coco", "read_coco"]


def open_coco(source: Any, options: OpenOptions) -> Dataset:
    """Open a data set in COCO's or LVIS's form; see `read_coco`."""
    return read_coco(
        source, on_error=options.on_error, fingerprint=options.fingerprint, preset=options.preset
    )


def read_coco(
    source: Any,
    *,
    on_error: OnError = "raise",
    name: str | None = None,
    fingerprint: bool = False,
    preset: PresetName | None = None,
) -> ListedDataset:
    """Read a data set in COCO's or LVIS's form.

    Of each record only what counts is looked at: of images ``id``, ``height``, ``width`` and ``file_name``
    (else the path in ``coco_url``), of categories ``id`` and ``name`` (else the id), of annotations ``id``,
    ``image_id``, ``category_id``, ``segmentation``, ``iscrowd`` and ``ignore``. Ids are whole numbers or
    text, but not both in one list. Segmentations are read when they are asked for.

    Checked in this order: the text and its top level; images, then categories, then annotations, and of
    each list the types, the ids, and that no id is there twice; last that an annotation's image and category
    exist.

    Parameters
    ----------
    source : path, bytes, dict or pycocotools.coco.COCO
        A path is mapped into memory, and the file must not change as long as the data set is used: one that
        is cut short meanwhile may end the process (``SIGBUS``). Objects are not changed.
    on_error : {"raise", "skip"}
        What to do with an annotation that cannot be used: stop, or set it aside in ``problems``. Faults of
        images, of categories and of the whole always stop.
    name : str, optional
        What the source is called in messages, if not by its path.
    fingerprint : bool
        Whether to hash what is read.
    preset : {"official"}, optional
        Whose rules say which annotations count. Their ``bbox`` and ``area`` are read then; those of an image
        or category that does not exist do not count, and are no fault.

    Returns
    -------
    Dataset
        Its ``write_subset`` gives back the bytes of the source, less the records that go and less a byte
        order mark. Annotations set aside while reading are never written. From objects it writes what
        `json.dumps` would.

    Raises
    ------
    DataError
        If it cannot be read, or used.

    Examples
    --------
    >>> from tfdp_fast.formats.coco import read_coco
    >>> data = read_coco({
    ...     "images": [{"id": 7, "height": 20, "width": 30, "file_name": "a.jpg"}],
    ...     "categories": [{"id": 3, "name": "cat"}],
    ...     "annotations": [
    ...         {"id": 1, "image_id": 7, "category_id": 3, "segmentation": [[1, 1, 9, 1, 9, 9]]}
    ...     ],
    ... })
    >>> data.file_names, data.category_names, data.annotation_ids.tolist()
    (['a.jpg'], ['cat'], [1])
    """
    if on_error not in ("raise", "skip"):
        raise OptionError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
    return _CocoDataset(_open(source, name), on_error, fingerprint, preset)


def _open(source: Any, name: str | None) -> Source:
    if isinstance(source, (bytes, bytearray, memoryview)):
        return JsonSource(name or "<bytes>", bytes(source))
    if isinstance(source, (str, os.PathLike)):
        return open_path(source, name)
    if isinstance(source, Mapping):
        return ObjectSource(name or "<dict>", source)
    dataset = getattr(source, "dataset", None)
    if isinstance(dataset, Mapping):
        return ObjectSource(name or "<COCO>", dataset)
    raise DataError(
        name or f"<{type(source).__name__}>", None, "is neither a path, bytes, a dict nor a pycocotools COCO"
    )


class _CocoDataset(ListedDataset):
    """COCO's lists as columns."""

    format = "coco"
    continues = True

    def __init__(
        self, source: Source, on_error: OnError, fingerprint: bool, preset: PresetName | None
    ) -> None:
        self._source = source
        self.source = source.name
        self.on_error = on_error
        self._fingerprint: Fingerprint | None = None
        stored = source.stored() if fingerprint else None
        if stored is None:
            lists = source.read()
        else:
            with FileHash(stored) as hashed:
                lists = source.read()
            self._fingerprint = hashed.fingerprint
        self._read_images(lists.images)
        self._read_categories(lists.categories)
        self._read_annotations(lists, on_error, preset)

    def segmentations(self, positions: NDArray[np.int64]) -> SegmentationBatch:
        """Read the segmentations of the annotations at some positions, 0 <= position < A."""
        sizes = self.image_sizes[self.image_index[positions]]
        return self._source.segmentations(self._record_index[positions], sizes)

    def fingerprint(self) -> Fingerprint | None:
        """What the file held; None of objects, and where it was not asked for."""
        return self._fingerprint

    def check_destination(self, destination: Any) -> None:
        """Raise OutputError if `write_subset` would: the source itself, or a folder that does not exist."""
        check_output(destination)
        self._source.refuse(destination)

    def write_into(
        self, outputs: Outputs, destination: Any, keep: NDArray[np.bool_], drop_rows: NDArray[np.int64]
    ) -> int:
        """Write the images with ``keep[i]`` and their annotations."""
        keep, drop_rows = self.check_selection(keep, drop_rows)
        self.check_destination(destination)
        keep_rows = self._image_of_row >= 0
        keep_rows[keep_rows] = keep[self._image_of_row[keep_rows]]
        keep_rows[drop_rows] = False
        self._source.write(outputs, destination, keep, keep_rows)
        return int(np.count_nonzero(keep_rows))

    def _read_images(self, images: ImageColumns) -> None:
        self.image_ids = Sieve(self.source, IMAGE, images, "raise").ids()
        self.image_sizes = images.sizes
        self.file_names = images.file_names

    def _read_categories(self, categories: CategoryColumns) -> None:
        self.category_ids = Sieve(self.source, CATEGORY, categories, "raise").ids()
        self.category_names = categories.names

    def _read_annotations(self, lists: Lists, on_error: OnError, preset: PresetName | None) -> None:
        columns = lists.annotations
        sieve = Sieve(self.source, ANNOTATION, columns, on_error)
        ids = sieve.ids()
        if preset is None:
            image_index = sieve.look_up("image_id", columns.image_ids, lists.images.ids)
            category_index = sieve.look_up("category_id", columns.category_ids, lists.categories.ids)
            counts = ~columns.ignored
        else:
            image_index = positions(columns.image_ids, lists.images.ids)
            category_index = positions(columns.category_ids, lists.categories.ids)
            result = filtered(
                sieve.good,
                columns.ignored,
                image_index,
                category_index,
                sizes=self.image_sizes,
                category_names=self.category_names,
                read_boxes=lambda at: self._source.boxes(columns.rows[at]),
            )
            sieve.set_aside(result.faults)
            counts, self.annotated, self.skipped = result.counts, result.annotated, result.skipped
        self.problems = sorted(sieve.problems, key=lambda problem: problem.row)
        self.records = len(columns)
        good = sieve.good
        self._image_of_row = np.full(self.records, -1)  # -1: set aside
        self._image_of_row[columns.rows[good]] = image_index[good]
        self.ignored = int(np.count_nonzero(columns.ignored & good & (image_index >= 0)))
        used = good & counts
        self._record_index = np.flatnonzero(used)
        which = slice(None) if used.all() else used  # the columns themselves, where they can be had
        self.annotation_ids = ids[which]
        self.rows = columns.rows[which]
        self.image_index = image_index[which]
        self.category_index = category_index[which]
        self.crowd = columns.crowd[which]
