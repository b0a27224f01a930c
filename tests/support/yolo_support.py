"""YOLO data sets made from COCO's records, as the tests need them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from PIL import Image

from tfdp_fast._core import FillConvention
from tfdp_fast.formats.dataset import Dataset
from tfdp_fast.formats.opening import open_dataset

TRIANGLE = "0 0.25 0.25 0.75 0.25 0.75 0.75"

BAD_LINES = {
    "0 0.5 0.5 0.1 0.1": "is a box, not a polygon",
    "0 0.5 0.5 0.1 0.1 0.5": "has an odd number of coordinates: 5",
    "0": "has 0 points, and a polygon at least 3",
    "0 0.5 0.5": "has 1 points, and a polygon at least 3",
    "0 0 0 0 x1 1 1": "not a number: 'x1'",
    "cat 0 0 0 1 1 1": "not a number: 'cat'",
    "0 0 0 0 0,5 1 1": "not a number: '0,5'",
    "0 0 0 0 é 1 1": "not a number: 'é'",
    "0.5 0 0 0 1 1 1": "its class is not a whole number: 0.5",
    "nan 0 0 0 1 1 1": "its class is not a whole number: nan",
    "2 0 0 0 1 1 1": "there is no class 2: they are 0 to 1",
    "-1 0 0 0 1 1 1": "there is no class -1: they are 0 to 1",
    "1e300 0 0 0 1 1 1": "there is no class 1e+300: they are 0 to 1",
    "0 3 4 30 4 30 12": "lies outside of the image: coordinates are shares of its sides, from 0 to 1",
    "0 -0.5 0 0.4 0 0.4 0.5": "lies outside of the image: coordinates are shares of its sides, from 0 to 1",
    "0 0 0 1.02 0 1 1": "lies outside of the image: coordinates are shares of its sides, from 0 to 1",
    "0 0 0 0 1 1 inf": "lies outside of the image: coordinates are shares of its sides, from 0 to 1",
    "0 0 nan 0 1 1 1": "a polygon coordinate is NaN or infinite",
}
"""Lines that cannot be used where there are two classes, and why."""


def share(value: float, side: int) -> float:
    """The share of a side that gives back a coordinate exactly, where there is one; else the nearest."""
    nearest = value / side
    around = (nearest, math.nextafter(nearest, -1), math.nextafter(nearest, 2))
    return next((candidate for candidate in around if candidate * side == value), nearest)


def shares(polygon: list[float], image: dict[str, Any]) -> list[float]:
    """The coordinates of a polygon as shares of the sides of its image."""
    sides = image["width"], image["height"]
    return [share(value, sides[i % 2]) for i, value in enumerate(polygon)]


def label_line(number: int, polygon: list[float], image: dict[str, Any], form: str = "") -> str:
    """A line of a label file. By default, the numbers have all the digits that it takes."""
    text = (format(value, form) if form else repr(value) for value in shares(polygon, image))
    return f"{number} {' '.join(text)}\n"


def polygons_of(annotation: dict[str, Any]) -> list[list[float]]:
    """What YOLO can hold of an annotation: its polygons, and of RLE nothing."""
    segmentation = annotation["segmentation"]
    return segmentation if isinstance(segmentation, list) else []


def write_image(path: Path, height: int = 32, width: int = 64, **options: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("L", (width, height)).save(path, **options)


def write_text(path: Path, *lines: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{line}\n" for line in lines))


def write_yolo(root: Path, data: dict[str, Any], *, split: str = "train", form: str = "") -> Path:
    """Images, labels and ``data.yaml`` of a data set in COCO's form: a line for each polygon.

    Images without annotations get no label file.
    """
    numbers = {category["id"]: number for number, category in enumerate(data["categories"])}
    images = {image["id"]: image for image in data["images"]}
    labels: dict[int, list[str]] = {}
    for annotation in data["annotations"]:
        image = images[annotation["image_id"]]
        number = numbers[annotation["category_id"]]
        lines = [label_line(number, polygon, image, form) for polygon in polygons_of(annotation)]
        labels.setdefault(image["id"], []).extend(lines)
    for image_id, image in images.items():
        name = image.get("file_name") or image["coco_url"].rpartition("/")[2]
        write_image(root / "images" / split / name, image["height"], image["width"])
        if image_id in labels:
            path = (root / "labels" / split / name).with_suffix(".txt")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(labels[image_id]))
    names = [category["name"] for category in data["categories"]]
    return write_description(root, names=names, **{split: f"images/{split}"})


def write_description(root: Path, name: str = "data.yaml", /, **content: Any) -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump(content, sort_keys=False, allow_unicode=True), "utf-8")
    return path


def measured(
    source: Path, convention: FillConvention = FillConvention.COCO, *, threads: int = 2, **options: Any
) -> tuple[Dataset, NDArray[np.int64]]:
    """A data set that has been read, and its boundary counts."""
    dataset = open_dataset(source, **options)
    counts, _ = dataset.measure(convention, threads=threads, progress=None)
    return dataset, counts


def lines_in(labels: Path) -> Iterator[tuple[Path, list[float]]]:
    """The lines of all label files, in order, as numbers."""
    for path in sorted(labels.rglob("*.txt")):
        for line in path.read_text().splitlines():
            yield path, list(map(float, line.split()))
