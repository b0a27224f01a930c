"""The way of the paper's authors: load, masks over pixels, class totals, image scores, ranking; one thread.

A process of its own: ``python -m tfdp_fast.timing.opencv_route FORMAT PATH RATE ANSWERS``. It prints the
seconds of its steps as JSON, and leaves its answers in a file for `agreement`. Python's own dicts and lists
hold the records, as in the authors' code: `json.load` for files, Pillow for label maps.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from tfdp_fast.timing.over_pixels import by_opencv, decoded, primary_contour
from tfdp_fast.timing.rounds import Stopwatch, lap
from tfdp_fast.timing.steps import ALL, BALANCE, LOAD, MASKS, SELECT

MAPS = "_gtFine_instanceIds.png"
CLASSES = (24, 25, 26, 27, 28, 31, 32, 33)
PER_CLASS = 1000

Shape = tuple[Any, int, float, float]
"""Of an instance: its image's id, its category, area and perimeter."""


def main(format: str, path: str, rate: str, answers: str) -> None:
    """Do it, print the seconds of the steps, and write the answers."""
    cv2.setNumThreads(1)
    watch: Stopwatch = {}
    route = coco_shapes if format == "coco" else label_map_shapes
    image_ids, shapes = route(Path(path), watch)
    with lap(watch, BALANCE):
        scores = image_scores((image, category, si_scs(area, p)) for image, category, area, p in shapes)
    with lap(watch, SELECT):
        kept = best(image_ids, scores, float(rate))
    watch[ALL] = sum(watch.values())
    scored = [image_id for image_id in image_ids if image_id in scores]
    np.savez(
        answers,
        area=np.array([shape[2] for shape in shapes]),
        perimeter=np.array([shape[3] for shape in shapes]),
        image_ids=np.array(scored),
        image_scores=np.array([scores[image_id] for image_id in scored]),
        kept=np.array(kept),
    )
    sys.stdout.write(json.dumps(watch))


def coco_shapes(path: Path, watch: Stopwatch) -> tuple[list[Any], list[Shape]]:
    """Ids of all images, and the instances of a COCO file: RLE is decoded, polygons are filled by OpenCV."""
    with lap(watch, LOAD), path.open("rb") as file:
        data = json.load(file)
    with lap(watch, MASKS):
        sizes = {image["id"]: (image["height"], image["width"]) for image in data["images"]}
        shapes = []
        for annotation in data["annotations"]:
            if annotation.get("iscrowd") or annotation.get("ignore"):
                continue
            image_id = annotation["image_id"]
            mask = _mask(annotation["segmentation"], *sizes[image_id])
            shapes.append((image_id, annotation["category_id"], *primary_contour(mask)))
    return list(sizes), shapes


def _mask(segmentation: Any, height: int, width: int) -> NDArray[np.uint8]:
    if isinstance(segmentation, list):
        return by_opencv(segmentation, height, width)
    if isinstance(segmentation["counts"], list):
        segmentation = coco_mask.frPyObjects(segmentation, height, width)
    return decoded(segmentation)


def label_map_shapes(path: Path, watch: Stopwatch) -> tuple[list[Any], list[Shape]]:
    """Ids of all images, and the instances of a folder of Cityscapes' label maps."""
    with lap(watch, LOAD):
        files = sorted(path.rglob(f"*{MAPS}"))
    image_ids: list[Any] = []
    shapes: list[Shape] = []
    for file in files:
        image_ids.append(file.name.removesuffix(MAPS))
        with lap(watch, LOAD):
            label_map = np.asarray(Image.open(file))
        with lap(watch, MASKS):
            for label in np.flatnonzero(np.bincount(label_map.ravel())).tolist():
                if label // PER_CLASS in CLASSES:
                    mask = (label_map == label).view(np.uint8)
                    shapes.append((image_ids[-1], label // PER_CLASS, *primary_contour(mask)))
    return image_ids, shapes


def si_scs(area: float, perimeter: float) -> float:
    """Eq. 11."""
    return perimeter / (2 * math.sqrt(math.pi * area)) if area else 0.0


def image_scores(shapes: Iterator[tuple[Any, int, float]]) -> dict[Any, float]:
    """S of each image that has an instance, from its images' ids, categories and SI-SCS.

    Examples
    --------
    >>> image_scores(iter([("a", 1, 3.0), ("b", 1, 1.0), ("b", 2, 1.5)]))
    {'a': 0.75, 'b': 1.25}
    """
    instances = list(shapes)
    totals: dict[int, float] = {}
    for _, category, shape in instances:
        totals[category] = totals.get(category, 0.0) + shape
    scores: dict[Any, float] = {}
    for image_id, category, shape in instances:
        balanced = shape / totals[category] if totals[category] else 0.0  # Eq. 13
        scores[image_id] = scores.get(image_id, 0.0) + balanced  # Eq. 14
    return scores


def best(image_ids: Sequence[Any], scores: Mapping[Any, float], rate: float) -> list[Any]:
    """The ids that are kept, best first; those of equal score in the order of the data set.

    Examples
    --------
    >>> best(["a", "b", "c", "d"], {"a": 1.0, "b": 3.0, "d": 3.0, "c": 2.0}, 0.5)
    ['b', 'd']
    """
    scored = [image_id for image_id in image_ids if image_id in scores]
    ranked = sorted(scored, key=lambda image_id: -scores[image_id])
    return ranked[: math.floor((1 - rate) * len(ranked) + 0.5)]


if __name__ == "__main__":
    main(*sys.argv[1:])
