"""Images with annotations as Python objects: lists, generators, data sets of libraries."""

from __future__ import annotations

import os
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import FillConvention
from tfdp_fast._output import Outputs
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._chunk_builder import ChunkBuilder
from tfdp_fast.formats._class_names import classes_of
from tfdp_fast.formats._coco_records import ANNOTATION, IMAGE, shown
from tfdp_fast.formats._record_forms import Annotation, Form, Unfit, form_of, is_one_image
from tfdp_fast.formats._streamed import Chunk, StreamedDataset
from tfdp_fast.formats._values import as_array, as_id, plain_value
from tfdp_fast.formats.dataset import Dataset, OnError, OpenOptions

__all__ = ["open_records"]

PIECE_IMAGES, PIECE_ANNOTATIONS, PIECE_PIXELS = 64, 512, 1 << 24
"""Where a piece ends: images, annotations, and pixels of dense masks, which wait in memory."""

_HEIGHT, _WIDTH, _FILE_NAME = IMAGE.keys[1:4]
_CROWD, _IGNORE = ANNOTATION.keys[4:6]


def open_records(source: Any, options: OpenOptions) -> Dataset:
    """Open an iterable of images.

    Each image is one of these, known by its keys and attributes; no library is imported:

    - a mapping with ``image_id``, ``height``, ``width``, ``file_name`` and ``annotations`` (or ``objects``),
      each with ``segmentation``, ``category_id`` (or ``category``), ``id``, ``iscrowd`` and ``ignore``; a
      dict of lists instead of a list of dicts, as Hugging Face has it, is the same. This is detectron2's
      record too, and the JSON of a WebDataset sample. The keys of the image may be under ``image``, as in
      SA-1B, whose annotations are of one class;
    - mmdet's record: ``img_id``, ``img_path``, ``height``, ``width`` and ``instances`` with ``mask``,
      ``bbox_label`` and ``ignore_flag`` (crowd);
    - torchvision's target: ``masks`` [N, H, W], ``labels`` [N], ``image_id``, ``iscrowd``; or a pair of an
      image and that, or of an image and a list of COCO's annotations, as its ``CocoDetection`` has it;
    - ``supervision.Detections`` with masks, or ``(path, image, detections)``, as its ``DetectionDataset``.

    Masks are what `tfdp_fast.measure` takes. Ids are whole numbers of 64 bits or text. An image without an id
    is known by its position, or by the ``ids`` of the data set; annotations without ids by their row. Classes
    are in ascending order of their ids.

    An iterator is read once. There is no file format to write a subset in: filter by the ids that are kept.

    Raises
    ------
    DataError
        If this is one image, or no iterable of images.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> def images():
    ...     for name in ("a", "b"):
    ...         annotations = [{"segmentation": square, "category_id": 3}]
    ...         yield {"image_id": name, "height": 10, "width": 10, "annotations": annotations}
    >>> scores = tfdp.score(images())
    >>> scores.images.id, scores.images.score
    (array(['a', 'b'], dtype='<U1'), array([0.5, 0.5]))

    Targets of torchvision, without an id, are known by their position:

    >>> import numpy as np
    >>> masks = np.zeros((2, 20, 20), bool)
    >>> masks[0, 2:9, 2:9] = masks[1, 5:15, 3:6] = True
    >>> tfdp.score([{"masks": masks, "labels": np.array([1, 2])}]).images.id
    array([0])
    """
    name = f"<{type(source).__name__}>"
    if isinstance(source, (str, os.PathLike)):
        raise DataError(os.fspath(source), None, "is a path: records are objects")
    if is_one_image(source):
        raise DataError(name, None, "is one image, not a data set: put it into a list")
    if hasattr(source, "dataset") and hasattr(source, "collate_fn"):
        raise DataError(name, None, "is a loader of batches: give its data set (.dataset)")
    return _RecordsDataset(name, source, options.on_error)


class _RecordsDataset(StreamedDataset[ChunkBuilder]):
    """Objects are looked at on the calling thread, and measured on others meanwhile."""

    format = "records"

    def __init__(self, name: str, source: Any, on_error: OnError) -> None:
        super().__init__(name, on_error, categories=classes_of(source))
        self._items = source
        self._classes = None if self._categories is None else {i for i, _ in self._categories}
        self._once = hasattr(source, "__next__")
        self._read = False
        self._stated: bool | None = None
        self.all_images = _length(source)
        ids: Any = getattr(source, "ids", None)  # of CocoDetection and the like
        fits = not callable(ids) and _length(ids) == self.all_images is not None
        self._known_ids: list[Any] | None = list(ids) if fits else None

    def pieces(self) -> Iterator[ChunkBuilder]:
        """Some images each."""
        if self._read and self._once:
            raise DataError(self.source, None, "is an iterator that has been read: it can be read once")
        self._read, self._stated = True, None
        builder, images, annotations, pixels = ChunkBuilder(), 0, 0, 0
        for position, item in enumerate(_iterated(self._items, self.all_images)):
            added, dense = self._add(builder, item, position)
            images, annotations, pixels = images + 1, annotations + added, pixels + dense
            if images >= PIECE_IMAGES or annotations >= PIECE_ANNOTATIONS or pixels >= PIECE_PIXELS:
                yield builder
                builder, images, annotations, pixels = ChunkBuilder(), 0, 0, 0
        yield builder

    def read(self, piece: ChunkBuilder, convention: FillConvention, *, again: bool) -> Chunk:
        """Measure a piece."""
        return piece.measured(convention, with_masks=again)

    def check_destination(self, destination: Any) -> NoReturn:  # noqa: ARG002
        """Raise OptionError: there is no format to write."""
        raise OptionError(
            "an iterable has no file format that a subset could be written in: "
            "use score and select, and keep the images in subset.image_ids"
        )

    def write_into(
        self,
        outputs: Outputs,  # noqa: ARG002
        destination: Any,
        keep: NDArray[np.bool_],  # noqa: ARG002
        drop_rows: NDArray[np.int64],  # noqa: ARG002
    ) -> int:
        """Raise OptionError."""
        self.check_destination(destination)

    def _add(self, builder: ChunkBuilder, item: Any, position: int) -> tuple[int, int]:
        """Add an image; how many annotations and how many pixels of dense masks it has."""
        name = IMAGE.place(position)
        try:
            form = form_of(item)
            image_id = self._image_id(form, position)
            name = IMAGE.name_of(image_id)
            builder.add_image(image_id, *_checked_size(form), _checked_name(form))
        except Unfit as unfit:
            builder.add_problem(name, str(unfit), is_annotation=False)
            return 0, 0
        pixels = 0
        for number, annotation in enumerate(form.annotations):
            pixels += self._add_annotation(builder, annotation, f"{name}: annotation {number}")
        return len(form.annotations), pixels

    def _image_id(self, form: Form, position: int) -> int | str:
        stated = form.image_id
        if stated is None and self._known_ids is not None:
            stated = self._known_ids[position]
        if self._stated is None:
            self._stated = stated is not None
        elif self._stated != (stated is not None):
            raise Unfit(f"has {'no' if self._stated else 'an'} id, unlike the images before it")
        image_id = as_id(position if stated is None else stated)
        if image_id is None:
            raise Unfit(f"its id is {shown(plain_value(stated))}, not a whole number of 64 bits or text")
        return image_id

    def _add_annotation(self, builder: ChunkBuilder, annotation: Annotation | str, record: str) -> int:
        if isinstance(annotation, str):
            builder.add_problem(record, annotation)
            return 0
        annotation_id = None
        if annotation.annotation_id is not None:
            annotation_id = as_id(annotation.annotation_id)
            if annotation_id is None:
                builder.add_problem(record, _no_id("id", annotation.annotation_id))
                return 0
            record = ANNOTATION.name_of(annotation_id)
        category_id = as_id(annotation.category_id)
        crowd, ignore = plain_value(annotation.crowd), plain_value(annotation.ignore)
        reason = None
        if category_id is None:
            reason = _no_id("category_id", annotation.category_id)
        elif self._classes is not None and category_id not in self._classes:
            reason = f"category {category_id} is none of the {len(self._classes)} classes of the data set"
        elif not _CROWD.holds(crowd):
            reason = _CROWD.reason(crowd)
        elif not _IGNORE.holds(ignore):
            reason = _IGNORE.reason(ignore)
        if reason is not None or category_id is None:
            builder.add_problem(record, reason or "")
            return 0
        if ignore:
            builder.add_ignored()
            return 0
        try:
            mask = as_array(annotation.segmentation)
        except ValueError as error:
            builder.add_problem(record, f"its mask {error}")
            return 0
        builder.add_annotation(
            mask, category_id, annotation_id=annotation_id, crowd=bool(crowd), record=record
        )
        return mask.size if isinstance(mask, np.ndarray) else 0


def _length(source: Any) -> int | None:
    """The number of items, where that is known: data sets may have a length that only raises."""
    try:
        return len(source)
    except Exception:  # whatever a library raises instead
        return None


def _iterated(source: Any, length: int | None) -> Iterator[Any]:
    """The items, also of what has positions and a length only, as PyTorch's data sets."""
    if hasattr(source, "__iter__") or length is None:
        yield from source
    else:
        for i in range(length):
            yield source[i]


def _checked_size(form: Form) -> tuple[int, int]:
    sides = []
    for key, side in ((_HEIGHT, form.height), (_WIDTH, form.width)):
        value = plain_value(side)
        if value is None:
            if form.annotations:
                raise Unfit(f'has no "{key.name}"')
            value = 0
        if not key.holds(value):
            raise Unfit(key.reason(value))
        sides.append(int(value))
    return sides[0], sides[1]


def _checked_name(form: Form) -> str | None:
    name = os.fspath(form.file_name) if isinstance(form.file_name, os.PathLike) else form.file_name
    if not _FILE_NAME.holds(name):
        raise Unfit(_FILE_NAME.reason(name))
    return None if name is None else str(name)


def _no_id(key: str, value: Any) -> str:
    return f'"{key}" is {shown(plain_value(value))}, not a whole number of 64 bits or text'
