"""Label maps in the likeness of VOC 2012 and of Cityscapes.

VOC's are the masks of VOC 2012 train where they are, with a border of void around them, as it is there. Else,
and for Cityscapes, instances are drawn over one another in the shapes that `coco_shapes` has. Behind them
Cityscapes has sky, houses, trees, pavement and road with ragged outlines, poles and signs, which are regions
of the map as well.
"""

from __future__ import annotations

import json
from itertools import islice

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from bench_data import real_file
from coco_shapes import draw_label_map
from over_pixels import decoded
from tfdp_fast.formats.voc import CLASSES, VOID
from voc_support import Labels, Objects

HEIGHT, WIDTH = 1024, 2048
SKY, HOUSE, TREES, ROAD, PAVEMENT, POLE, SIGN, OWN_CAR, CAR = 23, 11, 21, 7, 8, 17, 20, 1, 26

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
    """N maps of a street with 20 to 60 instances each, by ``<city>/<image>``."""
    found = {}
    for seed in range(n):
        label_map = _street(np.random.default_rng(seed))
        instances = draw_label_map(20 + 40 * seed // max(n - 1, 1), HEIGHT, WIDTH, seed).astype(np.uint16)
        label_map[instances > 0] = (1000 * CAR - 1 + instances)[instances > 0]
        found[f"aachen/aachen_{seed:06}_000019"] = label_map
    return found


def _street(rng: np.random.Generator) -> NDArray[np.uint16]:
    picture = Image.new("L", (WIDTH, HEIGHT), HOUSE)
    drawing = ImageDraw.Draw(picture)
    x = np.arange(0, WIDTH + 16, 16)

    def below(top: float, raggedness: float, label: int) -> None:
        y = top + rng.normal(0, raggedness, len(x)).cumsum()
        outline = [(0, HEIGHT), *zip(x.tolist(), y.tolist(), strict=True), (WIDTH, HEIGHT)]
        drawing.polygon(outline, fill=label)

    drawing.rectangle((0, 0, WIDTH, 300), fill=SKY)
    below(250, 8, HOUSE)
    below(450, 6, TREES)
    below(600, 1, PAVEMENT)
    below(650, 2, ROAD)
    for label, width, height in [(POLE, 12, 500), (SIGN, 50, 50)] * 30:
        left, top = int(rng.integers(0, WIDTH)), int(rng.integers(100, 500))
        right, bottom = left + int(rng.integers(4, width)), top + int(rng.integers(10, height))
        drawing.rectangle((left, top, right, bottom), fill=label)
    drawing.polygon([(0, HEIGHT), (100, 930), (1000, 900), (1900, 930), (WIDTH, HEIGHT)], fill=OWN_CAR)
    return np.asarray(picture).astype(np.uint16)
