"""A small data set of drawn shapes, with images, to try everything on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from tfdp_fast.errors import OutputError
from tfdp_fast.masks import to_rle

__all__ = ["is_demo", "make_demo"]

HEIGHT, WIDTH = 240, 320
INFO = {"description": "Shapes drawn by tfdp demo"}
BACKGROUND = (245, 243, 238)

Points = NDArray[np.float64]


def _around(radii: Points, phase: float) -> Points:
    """Points [n, 2] around the origin, at radii [n]."""
    angles = phase + np.linspace(0, 2 * np.pi, len(radii), endpoint=False)
    return np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1)


def _disc(rng: np.random.Generator) -> Points:
    return _around(np.ones(48), rng.uniform(0, np.pi))


def _blob(rng: np.random.Generator) -> Points:
    angles = np.linspace(0, 2 * np.pi, 64, endpoint=False)
    radii = np.full(64, 0.8)
    for waves in (2, 3, 5):
        radii += rng.uniform(0, 0.12) * np.cos(waves * angles + rng.uniform(0, 6))
    return _around(radii, 0.0)


def _star(rng: np.random.Generator) -> Points:
    return _around(np.tile([1.0, rng.uniform(0.35, 0.5)], 7), rng.uniform(0, np.pi))


def _gear(rng: np.random.Generator) -> Points:
    return _around(np.repeat(np.tile([1.0, 0.72], 14), 2), rng.uniform(0, np.pi))


def _bar(rng: np.random.Generator) -> Points:
    corners = np.array([[-1.0, -0.12], [1.0, -0.12], [1.0, 0.12], [-1.0, 0.12]])
    angle = rng.uniform(0, np.pi)
    turned: Points = corners @ np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return turned


# Name, shape, colour, share of the instances: unequal, so that the class balance has something to do.
CLASSES: tuple[tuple[str, Callable[[np.random.Generator], Points], tuple[int, int, int], float], ...] = (
    ("disc", _disc, (86, 130, 177), 0.42),
    ("blob", _blob, (117, 157, 105), 0.28),
    ("star", _star, (222, 160, 60), 0.15),
    ("gear", _gear, (150, 110, 160), 0.10),
    ("bar", _bar, (196, 98, 84), 0.05),
)


def make_demo(folder: Path, *, images: int = 60, seed: int = 0) -> Path:
    """Draw images of shapes and write them with their annotations.

    Most annotations are polygons. One in ten is a ring, whose hole only an RLE can hold; a few are flat and
    enclose nothing; one image in twelve has a crowd region, and one in thirty has no instance.

    Parameters
    ----------
    folder : Path
        Made if it is not there. Receives ``images/*.png`` and ``annotations.json`` (COCO).
    images : int
        How many.
    seed : int
        The same seed gives the same bytes.

    Returns
    -------
    Path
        Of the annotations.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    rng = np.random.default_rng(seed)
    data: dict[str, Any] = {
        "info": INFO,
        "categories": [{"id": i + 1, "name": name} for i, (name, *_) in enumerate(CLASSES)],
        "images": [],
        "annotations": [],
    }
    try:
        (folder / "images").mkdir(parents=True, exist_ok=True)
        for number in range(images):
            name = f"{number + 1:04d}.png"
            picture, annotations = _draw(rng, number)
            picture.save(folder / "images" / name, optimize=True)
            data["images"].append({"id": number + 1, "file_name": name, "height": HEIGHT, "width": WIDTH})
            for annotation in annotations:
                head = {"id": len(data["annotations"]) + 1, "image_id": number + 1}
                data["annotations"].append(head | annotation)
        path = folder / "annotations.json"
        path.write_text(json.dumps(data), encoding="utf-8")
    except OSError as error:
        raise OutputError(f"{error.filename or folder}: {error.strerror or error}") from error
    return path


def is_demo(folder: Path) -> bool:
    """Does the folder hold what `make_demo` has written? Its annotations say so in their first bytes."""
    mark = json.dumps({"info": INFO})[:-1].encode()
    try:
        with (folder / "annotations.json").open("rb") as file:
            return file.read(len(mark)) == mark
    except OSError:
        return False


def _draw(rng: np.random.Generator, number: int) -> tuple[Image.Image, list[dict[str, Any]]]:
    """One image and its annotations, which still lack an id and an image id."""
    picture = Image.new("RGB", (WIDTH, HEIGHT), BACKGROUND)
    drawing = ImageDraw.Draw(picture)
    annotations = []
    shares = [share for *_, share in CLASSES]
    for _ in range(0 if number % 30 == 29 else rng.integers(1, 6)):
        category = int(rng.choice(len(CLASSES), p=shares))
        _, shape, colour, _ = CLASSES[category]
        radius = rng.lognormal(3.4, 0.5)
        centre = rng.uniform((0, 0), (WIDTH, HEIGHT))
        outline = (centre + radius * shape(rng)).clip((0, 0), (WIDTH - 1, HEIGHT - 1)).round(2)
        kind = rng.random()
        if kind < 0.03:
            outline = outline[[0, 1, 0]]
        drawing.polygon([tuple(point) for point in outline], fill=colour)
        if kind > 0.90:
            hole = (centre + 0.5 * radius * _disc(rng)).round(2)
            drawing.polygon([tuple(point) for point in hole], fill=BACKGROUND)
            segmentation: Any = _ring(outline, hole)
        else:
            segmentation = [outline.ravel().tolist()]
        annotations.append(_annotation(category, segmentation, outline, iscrowd=0))
    if number % 12 == 5:
        crowd = np.array([[0, HEIGHT - 30], [WIDTH, HEIGHT - 30], [WIDTH, HEIGHT], [0, HEIGHT]], np.float64)
        rle = to_rle([[crowd.ravel().tolist()]], (HEIGHT, WIDTH))[0]
        annotations.append(_annotation(0, rle, crowd, iscrowd=1))
    return picture, annotations


def _ring(outline: Points, hole: Points) -> dict[str, Any]:
    drawn = Image.new("1", (WIDTH, HEIGHT))
    drawing = ImageDraw.Draw(drawn)
    drawing.polygon([tuple(point) for point in outline], fill=1)
    drawing.polygon([tuple(point) for point in hole], fill=0)
    return to_rle(np.array(drawn))[0]


def _annotation(category: int, segmentation: Any, outline: Points, *, iscrowd: int) -> dict[str, Any]:
    low, high = outline.min(axis=0), outline.max(axis=0)
    x, y = outline.T
    area = abs(float(x @ np.roll(y, -1) - y @ np.roll(x, -1))) / 2
    return {
        "category_id": category + 1,
        "iscrowd": iscrowd,
        "area": round(area, 2),
        "bbox": [round(float(v), 2) for v in (*low, *(high - low))],
        "segmentation": segmentation,
    }
