"""One image with its annotations, in whatever form a library hands it over.

Nothing is imported here: a form is known by the keys and attributes that it has.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np

from tfdp_fast._batches import dense_masks
from tfdp_fast.errors import OptionError
from tfdp_fast.formats._values import as_array, as_list

FORMS = (
    '"annotations", "objects", "instances" or "masks", detections with a mask, a pair (image, target), '
    "or (path, image, detections)"
)
"""What is looked for, for messages."""

SAM_KEYS = frozenset({"predicted_iou", "stability_score"})
"""What annotations of SA-1B have, and any by Segment Anything: these are of no class."""
ONE_CLASS = (1, "object")
"""Id and name of the class of what has none."""


class Unfit(Exception):
    """Why an image cannot be used."""


class Annotation(NamedTuple):
    """An annotation, its values unchecked; `MISSING` where it has none."""

    segmentation: Any
    category_id: Any
    annotation_id: Any = None
    crowd: Any = 0
    ignore: Any = 0


MISSING = object()


@dataclass(frozen=True)
class Form:
    """An image, its values unchecked; None where nothing is said."""

    image_id: Any = None
    height: Any = None
    width: Any = None
    file_name: Any = None
    annotations: list[Annotation | str] = field(default_factory=list)
    """A text says why one cannot be used."""

    def in_image(self, image: Any) -> Form:
        """With the size of the image itself, if nothing else says it."""
        if self.height is not None and self.width is not None:
            return self
        size = _size_of(image)
        return self if size is None else replace(self, height=size[0], width=size[1])


def form_of(item: Any) -> Form:
    """What an item is; Unfit if that cannot be seen."""
    if isinstance(item, Mapping):
        return _mapping(item)
    if is_detections(item):
        return _detections(item)
    if isinstance(item, (tuple, list)) and len(item) == 2:
        image, target = item
        return _target(target).in_image(image)
    if isinstance(item, (tuple, list)) and len(item) == 3 and is_detections(item[2]):
        path, image, detections = item
        named = os.fspath(path) if isinstance(path, (str, os.PathLike)) else None
        return replace(_detections(detections), file_name=named).in_image(image)
    raise Unfit(f"is {type(item).__name__}: looked for {FORMS}")


def is_detections(item: Any) -> bool:
    """Is it like `supervision.Detections`?"""
    return all(hasattr(item, name) for name in ("xyxy", "mask", "class_id"))


def is_one_image(source: Any) -> bool:
    """Is it a single image rather than a data set?"""
    if isinstance(source, Mapping):
        coco = "images" in source or "categories" in source
        return not coco and any(key in source for key, _ in _KEYS)
    return is_detections(source)


def _mapping(record: Mapping[str, Any]) -> Form:
    if "__key__" in record and isinstance(record.get("json"), Mapping):  # a sample of WebDataset
        form = _mapping(record["json"])
        return form if form.image_id is not None else replace(form, image_id=record["__key__"])
    for key, read in _KEYS:
        if key in record:
            return read(record, record[key])
    raise Unfit(f"has neither of {', '.join(repr(key) for key, _ in _KEYS)}")


def _target(target: Any) -> Form:
    """What goes with an image."""
    if isinstance(target, (list, tuple)):  # as torchvision's CocoDetection has it
        ids = [annotation.get("image_id") for annotation in target if isinstance(annotation, Mapping)]
        if any(image_id != ids[0] for image_id in ids):
            raise Unfit("its annotations have different values of image_id")
        return Form(image_id=ids[0] if ids else None, annotations=[_annotation(a) for a in target])
    if isinstance(target, Mapping) and set(target) == {"image_id"}:  # torchvision's, of no annotation
        return Form(image_id=target["image_id"])
    if isinstance(target, Mapping) or is_detections(target):
        return form_of(target)
    raise Unfit(f"has a target that is {type(target).__name__}: looked for {FORMS}")


def _general(record: Mapping[str, Any], annotations: Any) -> Form:
    """COCO's keys, as of detectron2 and Hugging Face; those of the image beside them or under ``image``."""
    about = record["image"] if isinstance(record.get("image"), Mapping) else record
    if isinstance(annotations, Mapping):
        annotations = list(_rows(annotations))
    return Form(
        about.get("image_id"),
        about.get("height"),
        about.get("width"),
        about.get("file_name"),
        [
            _annotation(annotation, is_sa1b=about is not record)
            for annotation in _listed(annotations, "annotations")
        ],
    )


def _annotation(record: Any, *, is_sa1b: bool = False) -> Annotation | str:
    if not isinstance(record, Mapping):
        return f"is {type(record).__name__}, not a mapping"
    if "segmentation" not in record:
        return 'has no "segmentation"'
    category = record.get("category_id", record.get("category", MISSING))
    if category is MISSING:
        if not is_sa1b and not SAM_KEYS & record.keys():
            return 'has no "category_id"'
        category = ONE_CLASS[0]
    return Annotation(
        record["segmentation"],
        category,
        record.get("id"),
        record.get("iscrowd", 0),
        record.get("ignore", 0),
    )


def _mmdet(record: Mapping[str, Any], instances: Any) -> Form:
    """A record of mmdet's data sets: ``ignore_flag`` is what it makes of ``iscrowd``."""
    return Form(
        record.get("img_id"),
        record.get("height"),
        record.get("width"),
        record.get("img_path"),
        [_mmdet_instance(instance) for instance in _listed(instances, "instances")],
    )


def _mmdet_instance(instance: Any) -> Annotation | str:
    if not isinstance(instance, Mapping):
        return f"is {type(instance).__name__}, not a mapping"
    for key in ("mask", "bbox_label"):
        if key not in instance:
            return f'has no "{key}"'
    return Annotation(instance["mask"], instance["bbox_label"], crowd=instance.get("ignore_flag", 0))


def _torchvision(target: Mapping[str, Any], masks: Any) -> Form:
    """A target of torchvision's models: columns."""
    masks, size = _masks(masks)
    columns = [
        _column(target, name, len(masks), default)
        for name, default in (("labels", MISSING), ("iscrowd", 0), ("ignore", 0))
    ]
    height, width = target.get("height"), target.get("width")
    if size is not None:
        height, width = size
    annotations: list[Annotation | str] = [
        Annotation(mask, label, crowd=crowd, ignore=ignore)
        for mask, label, crowd, ignore in zip(masks, *columns, strict=True)
    ]
    return Form(target.get("image_id"), height, width, target.get("file_name"), annotations)


def _detections(detections: Any) -> Form:
    """Detections of supervision."""
    n = len(detections.xyxy)
    if detections.mask is None:
        if n:
            raise Unfit(f"has {n} detections and no mask of them")
        return Form()
    masks, size = _masks(detections.mask)
    if len(masks) and detections.class_id is None:
        raise Unfit("has detections without class_id")
    classes = _column({"class_id": detections.class_id}, "class_id", len(masks), MISSING) if masks else []
    found: list[Annotation | str] = [
        Annotation(mask, class_id) for mask, class_id in zip(masks, classes, strict=True)
    ]
    height, width = size or (None, None)
    return Form(height=height, width=width, annotations=found)


_KEYS: tuple[tuple[str, Callable[[Mapping[str, Any], Any], Form]], ...] = (
    ("annotations", _general),
    ("objects", _general),
    ("instances", _mmdet),
    ("masks", _torchvision),
)
"""By which key a mapping is known."""


def _masks(masks: Any) -> tuple[list[Any], tuple[int, int] | None]:
    """Masks one by one, and the size that a stack of them has."""
    if isinstance(masks, (list, tuple)):
        return list(masks), None
    try:
        stack = as_array(masks)
        if not isinstance(stack, np.ndarray):
            raise Unfit(f"has masks that are {type(masks).__name__}, not an array or a list")
        if stack.ndim != 3:
            raise Unfit(f"has masks of shape {list(stack.shape)}, not [N, H, W]")
        stack = dense_masks(stack, None)
    except (ValueError, OptionError) as error:
        raise Unfit(f"has masks that cannot be used: {error}") from error
    return list(stack), (stack.shape[1], stack.shape[2])


def _column(columns: Mapping[str, Any], name: str, n: int, default: Any) -> list[Any]:
    """A value for each of n annotations."""
    found = columns.get(name, default)
    if found is default:
        if default is MISSING:
            raise Unfit(f'has no "{name}"')
        return [default] * n
    values = as_list(found)
    if values is None:
        raise Unfit(f'has "{name}" that is {type(found).__name__}, not a list or an array')
    if len(values) != n:
        raise Unfit(f'has {n} masks and {len(values)} values of "{name}"')
    return values


def _rows(columns: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A dict of lists, as Hugging Face has it, as a list of dicts."""
    lists = {name: as_list(column) for name, column in columns.items()}
    given = {name: values for name, values in lists.items() if values is not None}
    if len({len(values) for values in given.values()}) > 1:
        lengths = ", ".join(f"{name} {len(values)}" for name, values in given.items())
        raise Unfit(f"has lists of different lengths: {lengths}")
    for values in zip(*given.values(), strict=True):
        yield dict(zip(given, values, strict=True))


def _listed(values: Any, name: str) -> list[Any]:
    if isinstance(values, (list, tuple)):
        return list(values)
    raise Unfit(f'has "{name}" that is {type(values).__name__}, not a list')


def _size_of(image: Any) -> tuple[int, int] | None:
    """Height and width of an image: one of Pillow, an array [H, W, ...], or a tensor [..., H, W]."""
    if isinstance(image, np.ndarray):
        return (image.shape[0], image.shape[1]) if image.ndim in {2, 3} else None
    size = getattr(image, "size", None)
    if isinstance(size, tuple) and len(size) == 2:
        return size[1], size[0]
    shape = getattr(image, "shape", None)
    if shape is not None and len(shape) >= 2:
        return int(shape[-2]), int(shape[-1])
    return None
