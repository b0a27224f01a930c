"""Scoring single images against frozen class totals."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest

import tfdp_fast as tfdp
from coco_support import REAL
from tfdp_fast.masks import Polygons
from tfdp_fast.scoring import Variant

SQUARE = [[0, 0, 9, 0, 9, 9, 0, 9]]
BAR = [[0, 0, 9, 0, 9, 3, 0, 3]]
LINE = [[2, 2, 7, 2]]
SIZE = (10, 10)
VARIANTS: tuple[Variant, ...] = get_args(Variant)
CONVENTIONS: tuple[Polygons, ...] = get_args(Polygons)


def totals_of(*masks: Any, ids: Any, shape: Any = "si_scs", polygons: Polygons = "coco") -> tfdp.ClassTotals:
    totals = tfdp.ClassTotals(shape)
    totals.add(ids, tfdp.measure(list(masks), SIZE, polygons=polygons))
    return totals


@pytest.fixture
def scorer() -> tfdp.Scorer:
    return tfdp.Scorer(totals_of(SQUARE, SQUARE, BAR, LINE, ids=[3, 3, 5, 8]))


def images_of(data: dict[str, Any]) -> list[tuple[int, list[Any], list[Any], tuple[int, int], list[int]]]:
    """Image id, masks, category ids, size, iscrowd of each image, as a data loader sees them."""
    of_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in data["images"]}
    for annotation in data["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    return [
        (
            image["id"],
            [annotation["segmentation"] for annotation in of_image[image["id"]]],
            [annotation["category_id"] for annotation in of_image[image["id"]]],
            (image["height"], image["width"]),
            [annotation.get("iscrowd", 0) for annotation in of_image[image["id"]]],
        )
        for image in data["images"]
    ]


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("polygons", CONVENTIONS)
def test_the_bits_of_score(shared_data: Path, name: str, variant: Variant, polygons: Polygons) -> None:
    scores = tfdp.score(shared_data / name, variant, polygons=polygons)
    assert scores.instances is not None
    scorer = tfdp.Scorer(scores, variant=variant, polygons=polygons)
    measured = []
    for masks_of_image, expected in zip(
        images_of(json.loads((shared_data / name).read_bytes())), scores.images.score.tolist(), strict=True
    ):
        _, masks, ids, size, crowd = masks_of_image
        assert scorer.image_score(masks, ids, size, iscrowd=crowd) == expected
        measured.append(scorer.instances(masks, ids, size, iscrowd=crowd).score[np.equal(crowd, 0)])
    by_instance = np.concatenate(measured)
    order = np.argsort([list(scores.images.id).index(i) for i in scores.instances.image_id], kind="stable")
    assert np.array_equal(by_instance, scores.instances.score[order])
