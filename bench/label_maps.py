"""Label maps in the likeness of VOC 2012 and of Cityscapes.

VOC's are the masks of VOC 2012 train where they are, with a border of void around them, as it is there. Else
instances are drawn over one another in the shapes that `coco_shapes` has. For Cityscapes see
`tfdp_fast.timing.city_like`.
"""

from __future__ import annotations

import json
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray

from bench_data import REAL, real_file
from drawn import draw_label_map
from tfdp_fast.formats.voc import CLASSES, VOID
from tfdp_fast.timing.city_like import PER_CLASS, city_shapes, draw_map
from tfdp_fast.timing.over_pixels import decoded
from voc_support import Labels, Objects

CAR = 26

_BORDER = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (11, 11))


def voc_images(n: int) -> dict[str, tuple[Labels, Objects]]:
    """Label maps and objects of n images, or of as many as there are."""
    found = _real_images(n) or {f"2012_{i:06}": _drawn_image(i) for i in range(n)}
    for label_map, _ in found.values():
        around = cv2.dilate((label_map > 0).astype(np.uint8), _BORDER)
        label_map[(label_map == 0) & (around == 1)] = VOID
    return found


def _real_images(n: int) -> dict[str, tuple[Labels, Objects]]:
    path = real_file("voc2012_train.json")
    if path is None:
        return {}
    data = json.loads(path.read_text())
    found: dict[int, tuple[Labels, list[str | tuple[str, int]]]] = {
        image["id"]: (np.zeros((image["height"], image["width"]), np.uint8), [])
        for image in islice(data["images"], n)
    }
    for annotation in data["annotations"]:
        if annotation["image_id"] in found:
            label_map, objects = found[annotation["image_id"]]
            objects.append(CLASSES[annotation["category_id"]])
            label_map[decoded(annotation["segmentation"]) == 1] = len(objects)
    names = {image["id"]: image["file_name"].removesuffix(".jpg") for image in data["images"]}
    return {names[image_id]: image for image_id, image in found.items()}


def _drawn_image(seed: int) -> tuple[Labels, Objects]:
    label_map = draw_label_map(1 + seed % 5, 375, 500, seed)
    values, positions = np.unique(label_map, return_inverse=True)  # a hidden one has no pixel
    return positions.reshape(label_map.shape).astype(np.uint8), ["person"] * (len(values) - 1)


def city_maps(n: int) -> dict[str, NDArray[np.uint16]]:
    """N maps of a street with 20 to 60 cars each, by ``<city>/<image>``."""
    found = {}
    for seed in range(n):
        rng = np.random.default_rng(seed)
        _, shapes = city_shapes(rng, REAL)
        cars = [PER_CLASS * CAR + i for i in range(20 + 40 * seed // max(n - 1, 1))]
        found[f"aachen/aachen_{seed:06}_000019"] = draw_map(rng, shapes, cars)
    return found
