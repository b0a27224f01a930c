"""What the tests and benchmarks of Pascal VOC share: its folders, made of label maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Labels = NDArray[np.uint8]
Objects = Sequence[str | tuple[str, int]]


def boxes(*corners: tuple[int, int, int, int], size: tuple[int, int] = (30, 40)) -> Labels:
    """A map of boxes, numbered from 1, each with a border of void."""
    label_map = np.zeros(size, np.uint8)
    for value, (top, bottom, left, right) in enumerate(corners, 1):
        label_map[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = 255
        label_map[top:bottom, left:right] = value
    return label_map


IMAGES: dict[str, tuple[Labels, Objects]] = {
    "2007_000032": (boxes((2, 9, 3, 20), (15, 28, 10, 12)), ["aeroplane", ("person", 1)]),
    "2009_000001": (boxes(size=(7, 9)), []),
    "ein Bild, übermalt": (boxes((0, 30, 0, 40)), ["tvmonitor"]),
    "2011_000003": (
        boxes((1, 3, 1, 3), (5, 9, 5, 20), (11, 29, 2, 8)),
        ["person", ("chair", 1), "person"],
    ),
}


def palette() -> list[int]:
    """The colours of VOC: the bits of an index, dealt out to red, green and blue."""
    colours = np.zeros((256, 3), np.int64)
    index = np.arange(256)
    for bit in range(8):
        for channel in range(3):
            colours[:, channel] |= ((index >> (3 * bit + channel)) & 1) << (7 - bit)
    found: list[int] = colours.ravel().tolist()
    return found


def save_map(path: Path, label_map: Labels) -> None:
    """Write a PNG with VOC's palette."""
    picture = Image.fromarray(label_map).convert("L")
    picture.putpalette(palette())
    picture.save(path, "PNG")


def xml_of(objects: Objects, size: tuple[int, int]) -> str:
    """An annotation as VOC 2012 has them; objects are names, or names and whether they are difficult."""
    height, width = size
    parts = []
    for voc_object in objects:
        name, difficult = (voc_object, 0) if isinstance(voc_object, str) else voc_object
        parts.append(
            f"\t<object>\n\t\t<name>{escape(name)}</name>\n\t\t<pose>Unspecified</pose>\n"
            f"\t\t<truncated>0</truncated>\n\t\t<difficult>{difficult}</difficult>\n\t\t<bndbox>\n"
            "\t\t\t<xmin>1</xmin>\n\t\t\t<ymin>1</ymin>\n\t\t\t<xmax>9</xmax>\n\t\t\t<ymax>9</ymax>\n"
            "\t\t</bndbox>\n\t\t<part>\n\t\t\t<name>head</name>\n\t\t</part>\n\t</object>\n"
        )
    return (
        "<annotation>\n\t<folder>VOC2012</folder>\n\t<filename>image.jpg</filename>\n"
        f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n\t\t<depth>3</depth>\n"
        f"\t</size>\n\t<segmented>1</segmented>\n{''.join(parts)}</annotation>\n"
    )


def make_voc(root: Path, images: Mapping[str, tuple[Labels, Objects]], split: str = "train") -> Path:
    """Write a folder like VOC2012: a label map and objects for each image id."""
    for folder in ("SegmentationObject", "Annotations", "ImageSets/Segmentation"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    for name, (label_map, objects) in images.items():
        save_map(root / f"SegmentationObject/{name}.png", label_map)
        shape: Any = label_map.shape
        (root / f"Annotations/{name}.xml").write_text(xml_of(objects, shape), "utf-8")
    lines = "".join(f"{name}\n" for name in images)
    (root / f"ImageSets/Segmentation/{split}.txt").write_text(lines, "utf-8", errors="surrogateescape")
    return root
