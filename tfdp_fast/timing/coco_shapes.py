"""Shapes for `coco_like`: polygons of real instances, or made ones, put into other images; crowd regions."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

# The annotations of COCO-100 have 23.7 points each, those of LVIS-100 have 34; train2017's have about 24.
SHARE_OF_LVIS = 0.05
MADE = 2000
SHAPE_FILES = ("coco_val2014_100.json", "lvis_val_100.json")


@dataclass(frozen=True)
class Shapes:
    """Instances as polygons, of which a set of others is made.

    Attributes
    ----------
    points : float64 [P, 2]
        x and y as shares of the width and of the height of an image.
    polygon_ends : int64 [Q + 1]
        Offsets of the polygons into `points`.
    instance_ends : int64 [N + 1]
        Offsets of the instances into the polygons.
    weights : float64 [N]
        How often each is drawn; they sum to 1.
    """

    points: Floats
    polygon_ends: Ints
    instance_ends: Ints
    weights: Floats


@dataclass(frozen=True)
class Placed:
    """Instances in their images; coordinates are whole hundredths of a pixel.

    Attributes
    ----------
    points : int64 [P, 2]
    polygon_ends, instance_ends : int64 [Q + 1], int64 [N + 1]
        As those of `Shapes`.
    boxes : int64 [N, 4]
        x, y, width, height.
    areas : float64 [N]
        The polygons' areas, summed; square pixels.
    """

    points: Ints
    polygon_ends: Ints
    instance_ends: Ints
    boxes: Ints
    areas: Floats

    def segmentations(self) -> Iterator[list[list[float]]]:
        """Each instance as a list of polygons, in pixels."""
        coordinates = (self.points.ravel() / 100).tolist()
        polygons = [coordinates[start:end] for start, end in pairwise((2 * self.polygon_ends).tolist())]
        for first, last in pairwise(self.instance_ends.tolist()):
            yield polygons[first:last]


def load_shapes(rng: np.random.Generator, folder: Path | None) -> tuple[str, Shapes]:
    """The shapes to draw from, and where they are from: COCO-100 and LVIS-100 if the folder has them."""
    files = [folder / name for name in SHAPE_FILES] if folder else []
    if not files or not all(path.is_file() for path in files):
        made = [_made_instance(rng) for _ in range(MADE)]
        return "made polygons", _shapes(made, np.full(MADE, 1 / MADE))
    coco, lvis = map(_real_instances, files)
    weights = np.repeat([(1 - SHARE_OF_LVIS) / len(coco), SHARE_OF_LVIS / len(lvis)], [len(coco), len(lvis)])
    return "polygons of COCO-100 and LVIS-100", _shapes(coco + lvis, weights)


def _real_instances(path: Path) -> list[list[Floats]]:
    data = json.loads(path.read_text())
    sizes = {image["id"]: (image["width"], image["height"]) for image in data["images"]}
    return [
        [
            np.reshape(polygon, (-1, 2)) / sizes[annotation["image_id"]]
            for polygon in annotation["segmentation"]
        ]
        for annotation in data["annotations"]
        if isinstance(annotation["segmentation"], list)
    ]


def _made_instance(rng: np.random.Generator) -> list[Floats]:
    """One blob, or a few side by side, with as many points as annotators click."""
    parts = 1 if rng.random() < 0.9 else int(rng.integers(2, 5))
    size = min(float(rng.lognormal(np.log(0.11), 1.2)), 1.5)
    centre = rng.uniform(0, 1, 2)
    polygons = []
    for _ in range(parts):
        n = int(np.clip(rng.lognormal(np.log(16 * size**0.15 / 0.7), 0.65), 4, 300))
        angles = (np.arange(n) + rng.uniform(-0.3, 0.3, n)) * (2 * np.pi / n)
        waves = rng.normal(0, 0.7, 5) / np.arange(1, 6)
        phases = rng.uniform(0, 2 * np.pi, 5)
        shape = waves @ np.cos(np.arange(1, 6)[:, None] * angles + phases[:, None])
        radii = np.exp(shape) * rng.uniform(0.75, 1.25, n)
        outline = np.stack([radii * np.cos(angles), radii * np.sin(angles)], axis=1) * rng.uniform(0.25, 1, 2)
        polygons.append((centre + size / 2 * outline / parts).clip(0, 1))
        centre = centre + rng.normal(0, size / 2, 2)
    return polygons


def _ends(lengths: Iterable[int] | Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(np.fromiter(lengths, np.int64))])


def _shapes(instances: list[list[Floats]], weights: Floats) -> Shapes:
    polygons = [polygon for instance in instances for polygon in instance]
    return Shapes(np.concatenate(polygons), _ends(map(len, polygons)), _ends(map(len, instances)), weights)


def _rows(ends: Ints, chosen: Ints) -> tuple[Ints, Ints]:
    """Rows of the chosen groups one after the other, and the offsets of their groups."""
    lengths = np.diff(ends)[chosen]
    new_ends = _ends(lengths)
    return np.repeat(ends[chosen] - new_ends[:-1], lengths) + np.arange(new_ends[-1]), new_ends


def place(rng: np.random.Generator, shapes: Shapes, heights: Ints, widths: Ints) -> Placed:
    """Draw an instance for each image size: mirrored or not, a little larger or smaller, and moved.

    An instance that reaches the border of its image often does so after the move as well.
    """
    n = len(heights)
    chosen = rng.choice(len(shapes.weights), n, p=shapes.weights)
    polygons, instance_ends = _rows(shapes.instance_ends, chosen)
    rows, polygon_ends = _rows(shapes.polygon_ends, polygons)
    of_point = polygon_ends[instance_ends]
    points = shapes.points[rows]
    each = np.repeat(np.arange(n), np.diff(of_point))

    mirrored = rng.random(n) < 0.5
    points[:, 0] = np.where(mirrored[each], 1 - points[:, 0], points[:, 0])
    low, high = np.minimum.reduceat(points, of_point[:-1]), np.maximum.reduceat(points, of_point[:-1])
    scale = np.minimum(rng.lognormal(0, 0.2, (n, 1)), 1 / (high - low).max(axis=1, keepdims=True).clip(1e-9))
    room = (1 - scale * (high - low)).clip(0)
    corner = (low + rng.normal(0, 0.15, (n, 2))).clip(0, room)
    points = (corner - scale * low)[each] + scale[each] * points

    pixels = np.stack([widths, heights], axis=1)
    hundredths = np.rint(points * (100 * pixels)[each]).astype(np.int64).clip(0, (100 * pixels)[each])
    low, high = np.minimum.reduceat(hundredths, of_point[:-1]), np.maximum.reduceat(hundredths, of_point[:-1])
    following = np.arange(1, len(rows) + 1)
    following[polygon_ends[1:] - 1] = polygon_ends[:-1]
    cross = hundredths[:, 0] * hundredths[following, 1] - hundredths[following, 0] * hundredths[:, 1]
    areas = np.add.reduceat(np.abs(np.add.reduceat(cross, polygon_ends[:-1])), instance_ends[:-1]) / 20_000
    return Placed(hundredths, polygon_ends, instance_ends, np.hstack([low, high - low]), areas)


def crowd_region(rng: np.random.Generator, height: int, width: int) -> dict[str, Any]:
    """Uncompressed RLE of one to three bands across a part of the image, with ragged edges."""
    bands = int(rng.integers(1, 4))
    span = int(width * rng.uniform(0.1, 0.7))
    steps = rng.integers(-3, 4, (span, 2 * bands)).cumsum(axis=0)
    edges = (np.sort(rng.integers(0, height, 2 * bands)) + steps).clip(0, height)
    edges = np.sort(edges, axis=1)
    left = int(rng.integers(0, width - span + 1))
    columns = np.arange(left, left + span)[:, None] * height
    starts_and_stops = (columns + edges).ravel()
    # A run that ends where the next one begins is one run.
    positions, times = np.unique(starts_and_stops, return_counts=True)
    positions = positions[times % 2 == 1]
    counts = np.diff(positions, prepend=0, append=height * width)
    return {"counts": counts[: -1 if counts[-1] == 0 else None].tolist(), "size": [height, width]}
