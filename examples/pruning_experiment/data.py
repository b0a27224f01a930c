"""The demo's images, spoiled, and cut into one crop for each instance."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

import tfdp_fast as tfdp
from tfdp_fast.demo import BACKGROUND, CLASSES, make_demo

__all__ = ["BOX", "CLASS_NAMES", "CROP", "MARGIN", "Crops", "Split", "draw"]

CLASS_NAMES = tuple(name for name, *_ in CLASSES)
BOX = 32
"""The ground-truth box becomes a grid of BOX x BOX pixels, whatever its shape."""
MARGIN = 4
"""What the network sees beyond the box, in pixels of that grid, on each side."""
CROP = BOX + 2 * MARGIN
NARROWEST = 4.0
"""Instances whose box is narrower, in pixels of the image, are not used: there is hardly anything to see."""


@dataclass(frozen=True)
class Crops:
    """Instances as tensors.

    Attributes
    ----------
    pixels : float32 [N, 3, CROP, CROP]
        The box with its margin, about -1 to 1.
    targets : bool [N, BOX, BOX]
        The mask over the box.
    labels : int64 [N]
        The class, from 0.
    ids, image_ids : int64 [N]
        Of the annotation and of its image.
    """

    pixels: torch.Tensor
    targets: torch.Tensor
    labels: torch.Tensor
    ids: NDArray[np.int64]
    image_ids: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Split:
    """Images that have instances, for training or for testing.

    Attributes
    ----------
    coco : dict
        The annotations that are used, in COCO's form, and their images: what `tfdp_fast.score` takes.
    crops : Crops
        The same instances, in the same order.
    """

    coco: dict[str, Any]
    crops: Crops


def draw(folder: Path, images: int, seed: int) -> Split:
    """Draw images of the demo into a folder, and cut out their instances.

    Left out are crowd regions, instances that are narrow or without a pixel on the grid, and images that have
    nothing else. The annotations are those of the demo: a mask includes what another instance covers.
    """
    coco = json.loads(make_demo(folder, images=images, seed=seed).read_text("utf-8"))
    of_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        if not annotation["iscrowd"] and min(annotation["bbox"][2:]) >= NARROWEST:
            of_image[annotation["image_id"]].append(annotation)
    used, pixels, targets = [], [], []
    for image in coco["images"]:
        annotations = of_image[image["id"]]
        rles = tfdp.to_rle([a["segmentation"] for a in annotations], (image["height"], image["width"]))
        with Image.open(folder / "images" / image["file_name"]) as picture:
            spoiled = _spoil(np.asarray(picture), np.random.default_rng([seed, image["id"]]))
        for annotation, rle in zip(annotations, rles, strict=True):
            target = _cut(coco_mask.decode(rle) * np.uint8(255), annotation["bbox"], 0) >= 128
            if target.any():
                used.append(annotation)
                pixels.append(_cut(spoiled, annotation["bbox"], MARGIN))
                targets.append(target)
    image_ids = [annotation["image_id"] for annotation in used]
    coco["annotations"] = used
    coco["images"] = [image for image in coco["images"] if image["id"] in set(image_ids)]
    return Split(
        coco,
        Crops(
            torch.from_numpy(np.stack(pixels).transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1),
            torch.from_numpy(np.stack(targets)),
            torch.tensor([annotation["category_id"] - 1 for annotation in used]),
            np.array([annotation["id"] for annotation in used]),
            np.array(image_ids),
        ),
    )


def _spoil(picture: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    """Take contrast away, swap colours, and add spots and noise: the same for an image in every epoch.

    As they are drawn, a shape is whatever has not the background's colour, and a dozen images teach that.
    """
    contrast = rng.uniform(0.2, 0.6)
    values = 168 + contrast * (picture[:, :, rng.permutation(3)].astype(np.float64) - BACKGROUND[0])
    height, width, _ = picture.shape
    for cell in (24, 6, 1):  # the size of a spot
        coarse = rng.normal(0, 14, (height // cell, width // cell + 1, 3))
        spots = np.repeat(np.repeat(coarse, cell, axis=0), cell, axis=1)
        values += spots[:height, :width]
    spoiled: NDArray[np.uint8] = values.clip(0, 255).round().astype(np.uint8)
    return spoiled


def _cut(array: NDArray[np.uint8], bbox: list[float], margin: int) -> NDArray[np.uint8]:
    """A box and `margin` around it on the grid; beyond the image its edge goes on."""
    x, y, width, height = bbox
    side = BOX + 2 * margin
    along_x, along_y = margin * width / BOX, margin * height / BOX
    pad = int(np.ceil(max(along_x, along_y))) + 1
    padded = np.pad(array, [(pad, pad), (pad, pad), (0, 0)][: array.ndim], mode="edge")
    box = (x - along_x + pad, y - along_y + pad, x + width + along_x + pad, y + height + along_y + pad)
    cut: NDArray[np.uint8] = np.asarray(
        Image.fromarray(padded).resize((side, side), Image.Resampling.BILINEAR, box)
    )
    return cut
