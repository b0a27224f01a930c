"""What the paper's authors do, restated: slow, obvious, over pixels, one annotation after the other.

And what tests need that compare with it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

import tfdp_fast as tfdp

MIN_SIDE = 32


@dataclass
class Official:
    """The outcome.

    Attributes
    ----------
    annotations : list of int
        Ids of the annotations that count, in file order; of kept images, crowd regions included.
    images : list of int
        Ids of the images that are kept.
    totals : dict of int to float
        The class totals, of classes that have an instance.
    scores : dict of str to float
        Their score file: positive scores by image id as text, in data order.
    """

    annotations: list[int]
    images: list[int]
    totals: dict[int, float]
    scores: dict[str, float]

    def ranking(self) -> list[int]:
        """Ids of the images of a positive score, best first."""
        return [
            int(image_id) for image_id, _ in sorted(self.scores.items(), key=lambda x: x[1], reverse=True)
        ]

    def subset(self, k: int) -> list[int]:
        """The k best images, in data order."""
        chosen = set(self.ranking()[:k])
        return [image_id for image_id in self.images if image_id in chosen]


def official(
    data: dict[str, Any], variant: str = "tfdp", *, filters: bool = True, cityscapes: bool = False
) -> Official:
    """Run it on a data set in COCO's form.

    Parameters
    ----------
    data : dict
        The data set.
    variant : {"tfdp", "scs", "si", "cb"}
        Which of the four configurations.
    filters : bool
        Whether annotations are filtered. The authors' loader for VOC does not.
    cityscapes : bool
        Whether images with crowd regions only are dropped.
    """
    classes = {category["id"] for category in data["categories"]}
    image_of = {image["id"]: image for image in data["images"]}
    with_class = {a["image_id"] for a in data["annotations"] if a["category_id"] in classes}
    instances: dict[int, list[dict[str, Any]]] = {image_id: [] for image_id in image_of}
    for annotation in data["annotations"]:
        image = image_of.get(annotation["image_id"])
        if image is not None and (not filters or counts(annotation, image, classes)):
            instances[image["id"]].append(annotation)

    kept = []
    for image_id, image in image_of.items():
        if image_id not in with_class or min(image["width"], image["height"]) < MIN_SIDE:
            continue
        if cityscapes and all(annotation.get("iscrowd") for annotation in instances[image_id]):
            continue
        kept.append(image_id)

    values: dict[int, list[tuple[int, float]]] = {}
    totals: dict[int, float] = {}
    for image_id in kept:
        values[image_id] = []
        for annotation in instances[image_id]:
            if annotation.get("iscrowd"):
                continue
            value = shape(annotation["segmentation"], image_of[image_id], variant in {"si", "tfdp"})
            values[image_id].append((annotation["category_id"], value))
            totals[annotation["category_id"]] = totals.get(annotation["category_id"], 0) + value

    scores = {}
    for image_id in kept:
        score = 0.0
        for category_id, value in values[image_id]:
            if variant in {"scs", "si"}:
                score += value
            elif totals[category_id] > 0:
                score += value / totals[category_id]
        if score > 0:
            scores[str(image_id)] = score
    in_order = [annotation["id"] for annotation in data["annotations"]]
    of_kept = {annotation["id"] for image_id in kept for annotation in instances[image_id]}
    return Official([i for i in in_order if i in of_kept], kept, totals, scores)


def counts(annotation: dict[str, Any], image: dict[str, Any], classes: set[int]) -> bool:
    """Whether an annotation passes the filters."""
    if annotation.get("ignore"):
        return False
    x, y, w, h = annotation["bbox"]
    inter_w = max(0, min(x + w, image["width"]) - max(x, 0))
    inter_h = max(0, min(y + h, image["height"]) - max(y, 0))
    if inter_w * inter_h == 0:
        return False
    if annotation["area"] <= 0 or w < 1 or h < 1:
        return False
    return annotation["category_id"] in classes


def shape(segmentation: Any, image: dict[str, Any], scale_invariant: bool) -> float:
    """SCS or SI-SCS of the largest contour, with OpenCV's perimeter."""
    mask = pixels(segmentation, image["height"], image["width"])
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return 0.0
    largest = max(contours, key=cv2.contourArea)
    area, perimeter = cv2.contourArea(largest), cv2.arcLength(largest, closed=True)
    if area == 0:
        return 0.0
    return perimeter / (2 * math.sqrt(math.pi * area)) if scale_invariant else perimeter / area


def pixels(segmentation: Any, height: int, width: int) -> NDArray[np.uint8]:
    """The mask; polygons as the authors fill them."""
    if isinstance(segmentation, list):
        mask = np.zeros((height, width), np.uint8)
        for polygon in segmentation:
            points = np.array(polygon, np.float64).reshape(-1, 2).astype(np.int32)
            cv2.fillPoly(mask, [points], (1,))
        return mask
    if isinstance(segmentation["counts"], list):
        segmentation = coco_mask.frPyObjects(segmentation, height, width)
    return np.asarray(coco_mask.decode(segmentation), np.uint8)


# --- comparing ---

STAR = [[4, 4, 12, 9, 25, 3, 18, 14, 27, 28, 14, 20, 5, 27, 9, 15]]
BAR = [[2, 5, 29, 5, 29, 9, 2, 9]]


def made(annotations: list[dict[str, Any]], images: Any = ((40, 50),), names: Any = ("a", "b")) -> Any:
    """A data set; annotations are given by what is unusual about them."""
    usual = {"image_id": 0, "category_id": 0, "bbox": [2, 3, 28, 25], "area": 300, "segmentation": STAR}
    return {
        "images": [
            {"id": i, "file_name": f"{i}.png", "height": h, "width": w} for i, (h, w) in enumerate(images)
        ],
        "annotations": [usual | {"id": i} | annotation for i, annotation in enumerate(annotations)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(names)],
    }


def assert_same(scores: tfdp.Scores, expected: Official, annotations: list[dict[str, Any]]) -> None:
    """Annotations, class totals, score file, ranking and subsets."""
    assert scores.preset is not None
    assert scores.instances is not None
    assert scores.classes is not None
    assert scores.polygons == "opencv"
    assert scores.preset.images == len(expected.images)
    crowd = {annotation["id"] for annotation in annotations if annotation.get("iscrowd")}
    assert scores.instances.id.tolist() == [i for i in expected.annotations if i not in crowd]
    assert scores.crowd == len([i for i in expected.annotations if i in crowd])
    assert scores.images.annotations.sum() == len(expected.annotations)
    totals = dict(zip(scores.classes.id.tolist(), scores.classes.total.tolist(), strict=True))
    assert {c: t for c, t in totals.items() if t} == pytest.approx(
        {c: t for c, t in expected.totals.items() if t}, rel=1e-7, abs=0
    )
    positive = scores.images.score > 0
    ours = dict(zip(map(str, scores.images.id[positive]), scores.images.score[positive], strict=True))
    assert list(ours) == list(expected.scores)
    assert ours == pytest.approx(expected.scores, rel=1e-7, abs=0)


def assert_same_subsets(scores: tfdp.Scores, expected: Official, relative: float = 2e-7) -> None:
    """The ranking and every subset, but for images whose scores differ by rounding alone."""
    n = len(expected.scores)
    ranking = tfdp.select(scores, k=n).ranking.tolist()
    assert sorted(ranking) == sorted(expected.ranking())
    theirs = np.array([expected.scores[str(image_id)] for image_id in ranking])
    assert (theirs[1:] <= theirs[:-1] * (1 + relative)).all()
    apart = 1 + np.flatnonzero(theirs[1:] < theirs[:-1] * (1 - relative))
    assert len(apart) > n / 3
    for k in apart.tolist():
        assert tfdp.select(scores, k=k).image_ids.tolist() == expected.subset(k)
