"""A COCO file in the likeness of the paper's VOC 2012 train: masks as compressed RLE.

1,463 images of 375 x 500 or 500 x 375, 3,504 instances of 20 classes, one to a dozen in an image, in the
shapes of `coco_shapes`. The outlines are smoother than those of VOC, whose masks are drawn pixel by pixel.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tfdp_fast.formats.voc import CLASSES
from tfdp_fast.masks import to_rle
from tfdp_fast.timing.coco_shapes import load_shapes, place

IMAGES, INSTANCES = 1463, 3504
SIZES = np.array([(375, 500), (500, 375)])
PERSONS = 0.35


@dataclass(frozen=True)
class VocFile:
    """A file and what it holds.

    Attributes
    ----------
    path : Path
    images, instances, bytes : int
    shapes : str
        Where the outlines are from.
    """

    path: Path
    images: int
    instances: int
    bytes: int
    shapes: str


def write_voc_like(
    path: Path, images: int = IMAGES, seed: int = 0, shapes_from: Path | None = None
) -> VocFile:
    """Write a file in the likeness of VOC 2012 train.

    Parameters
    ----------
    path : Path
        Where to; an existing file is overwritten.
    images : int
        Number of images, at least 1; instances are 2.4 times as many.
    seed : int
        Same seed, same bytes.
    shapes_from : Path, optional
        A folder with COCO-100 and LVIS-100, whose polygons are taken; blobs without it.
    """
    rng = np.random.default_rng(seed)
    source, shapes = load_shapes(rng, shapes_from)
    instances = round(images * INSTANCES / IMAGES)
    # One for each image, and the rest where it falls.
    rows = np.sort(np.concatenate([np.arange(images), rng.integers(0, images, instances - images)]))
    sizes = SIZES[rng.integers(0, len(SIZES), images)]
    placed = place(rng, shapes, *sizes[rows].T)
    rles = to_rle(list(placed.segmentations()), sizes[rows].astype(np.int32))
    shares = np.full(len(CLASSES), (1 - PERSONS) / (len(CLASSES) - 1))
    shares[list(CLASSES.values()).index("person")] = PERSONS
    categories = rng.choice(list(CLASSES), instances, p=shares)
    columns = (rows, categories, placed.boxes / 100, placed.areas)
    data = {
        "categories": [{"id": number, "name": name} for number, name in CLASSES.items()],
        "images": [
            {"id": i, "file_name": f"{i:06d}.jpg", "height": height, "width": width}
            for i, (height, width) in enumerate(sizes.tolist())
        ],
        "annotations": [
            {
                "image_id": image,
                "id": number,
                "category_id": category,
                "segmentation": rle,
                "bbox": box,
                "area": area,
                "iscrowd": 0,
            }
            for number, (rle, image, category, box, area) in enumerate(
                zip(rles, *(column.tolist() for column in columns), strict=True)
            )
        ],
    }
    path.write_text(json.dumps(data), "utf-8")
    return VocFile(path, images, instances, path.stat().st_size, source)
