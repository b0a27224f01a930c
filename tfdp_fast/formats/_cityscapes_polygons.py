"""Cityscapes' polygons: the label map that they are, drawn as cityscapesScripts draws it."""

from __future__ import annotations

from collections import Counter

import msgspec
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tfdp_fast.errors import DataError
from tfdp_fast.formats._png import check_pixels

LABELS = {
    "unlabeled": 0,
    "ego vehicle": 1,
    "rectification border": 2,
    "out of roi": 3,
    "static": 4,
    "dynamic": 5,
    "ground": 6,
    "road": 7,
    "sidewalk": 8,
    "parking": 9,
    "rail track": 10,
    "building": 11,
    "wall": 12,
    "fence": 13,
    "guard rail": 14,
    "bridge": 15,
    "tunnel": 16,
    "pole": 17,
    "polegroup": 18,
    "traffic light": 19,
    "traffic sign": 20,
    "vegetation": 21,
    "terrain": 22,
    "sky": 23,
    "person": 24,
    "rider": 25,
    "car": 26,
    "truck": 27,
    "bus": 28,
    "caravan": 29,
    "trailer": 30,
    "train": 31,
    "motorcycle": 32,
    "bicycle": 33,
    "license plate": -1,
}
"""The ids of all labels of Cityscapes; one below 0 is not drawn."""

WITH_INSTANCES = range(24, 34)
"""The ids of labels that tell single instances apart."""

PER_CLASS = 1000
"""An instance has the id ``PER_CLASS * label + number``, with a number below `PER_CLASS`."""

_GROUP = "group"
_FURTHEST = 2.0**28


class _Object(msgspec.Struct, gc=False):
    label: str
    polygon: list[list[float]]
    deleted: bool | int = False


class _Polygons(msgspec.Struct, rename="camel", gc=False):
    img_height: int
    img_width: int
    objects: list[_Object]


_DECODER = msgspec.json.Decoder(_Polygons)


def draw_polygons(path: str, data: bytes) -> NDArray[np.int32]:
    """The label map of a file ``*_gtFine_polygons.json``.

    Equal to what ``createInstanceImage`` of cityscapesScripts returns, pixel by pixel, with the same Pillow.
    Polygons are drawn in order, each over those before it. One with a label like ``"cargroup"`` is a region
    of the class.

    Parameters
    ----------
    path : str
        What it is called in messages.
    data : bytes
        The file.

    Returns
    -------
    int32 [H, W]
        Not to be written to.

    Raises
    ------
    DataError
        If it is no such file, or cannot be drawn.
    """
    try:
        found = _DECODER.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DataError(path, None, f"is no file of Cityscapes' polygons: {error}") from error
    if min(found.img_height, found.img_width) < 1:
        raise DataError(path, None, f"has no size: {found.img_height} x {found.img_width}")
    check_pixels(path, found.img_height, found.img_width)
    picture = Image.new("I", (found.img_width, found.img_height), LABELS["unlabeled"])
    drawing = ImageDraw.Draw(picture)
    seen: Counter[int] = Counter()
    for i, polygon in enumerate(found.objects):
        if polygon.deleted:
            continue
        try:
            label = _id_of(polygon.label, seen)
            if label >= 0:
                drawing.polygon(_points(polygon.polygon), fill=label)
        except ValueError as error:
            raise DataError(path, None, f"object {i} ({polygon.label!r}): {error}") from error
    return np.asarray(picture)


def _id_of(name: str, seen: Counter[int]) -> int:
    """The id to draw an object with; `seen` counts the instances of each label."""
    label = LABELS.get(name)
    if label is not None and label in WITH_INSTANCES:
        number = seen[label]
        seen[label] += 1
        if number == PER_CLASS:
            raise ValueError(f"is one of more than {PER_CLASS}, which label maps cannot hold")
        return label * PER_CLASS + number
    if label is None and name.endswith(_GROUP):
        label = LABELS.get(name.removesuffix(_GROUP))
    if label is None:
        raise ValueError("is no label of Cityscapes")
    return label


def _points(polygon: list[list[float]]) -> list[tuple[float, float]]:
    points = [(point[0], point[1]) for point in polygon if len(point) >= 2]
    if len(points) < len(polygon) or len(points) < 2:
        raise ValueError("has no two points, or a point without two coordinates")
    if any(not -_FURTHEST <= value <= _FURTHEST for point in points for value in point):
        raise ValueError("has a coordinate beyond +-2**28")
    return points
