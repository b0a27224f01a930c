"""Write a file like COCO's ``instances_train2017.json``.

What it imitates, at the full size of 118,287 images and 860,001 annotations (about 450 MB):

- the order of the keys, the spaces, and coordinates with at most two decimals; `info`, `licenses`, and images
  with all of their keys;
- the sizes of the images, the instances of each category and of each image, and how many categories an image
  has (`coco_statistics`);
- polygons: those of COCO-100 and a few of LVIS-100, each mirrored or not, scaled, and moved, so that no two
  are the same. So points for each polygon, parts for each instance and shares of the image are the real
  ones. Without these files it draws blobs of the same numbers of points (`coco_shapes`);
- the order: images at random, annotations by category, so that those of one image lie far apart, and 1.2 %
  crowd regions last, as uncompressed RLE, with ids of twelve digits.

What it does not: a shape knows nothing of its category, the instances of an image overlap at random, crowd
regions are bands with ragged edges, and addresses lead nowhere.

The same seed, number of images and shapes give the same bytes. Memory does not grow with the segmentations.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import msgspec
import numpy as np

from tfdp_fast.timing.coco_shapes import Placed, Shapes, crowd_region, load_shapes, place
from tfdp_fast.timing.coco_statistics import CATEGORIES, IMAGES, Plan, draw_plan

CHUNK = 8192
INFO = """{"info": {"description": "Made by tfdp-fast in the likeness of COCO 2017","url": \
"http://example.org","version": "1.0","year": 2017,"contributor": "tfdp-fast","date_created": \
"2017/09/01"},"licenses": ["""
LICENSES = [
    ("by-nc-sa/2.0", "Attribution-NonCommercial-ShareAlike License"),
    ("by-nc/2.0", "Attribution-NonCommercial License"),
    ("by-nc-nd/2.0", "Attribution-NonCommercial-NoDerivs License"),
    ("by/2.0", "Attribution License"),
    ("by-sa/2.0", "Attribution-ShareAlike License"),
    ("by-nd/2.0", "Attribution-NoDerivs License"),
]


@dataclass(frozen=True)
class CocoFile:
    """A file and what it holds.

    Attributes
    ----------
    path : Path
    images, annotations, crowds, polygons, points, bytes : int
        `annotations` with the crowd regions, which the others leave out.
    shapes : str
        Where the polygons are from.
    """

    path: Path
    images: int
    annotations: int
    crowds: int
    polygons: int
    points: int
    bytes: int
    shapes: str


def write_coco_like(
    path: Path, images: int = IMAGES, seed: int = 0, shapes_from: Path | None = None
) -> CocoFile:
    """Write a file in the likeness of COCO train2017.

    Parameters
    ----------
    path : Path
        Where to; an existing file is overwritten.
    images : int
        Number of images, at least 1; annotations are 7.27 times as many.
    seed : int
        Same seed, same bytes.
    shapes_from : Path, optional
        A folder with COCO-100 and LVIS-100, whose polygons are taken; blobs without it.
    """
    rng = np.random.default_rng(seed)
    source, shapes = load_shapes(rng, shapes_from)
    plan = draw_plan(rng, images)
    polygons = points = 0
    with path.open("wb") as file:
        file.write(INFO.encode())
        _write_list(file, _licenses())
        file.write(b'],"images": [')
        _write_list(file, _images(rng, plan))
        file.write(b'],"annotations": [')
        for lines, placed in _instances(rng, plan, shapes):
            _write_list(file, lines, after=polygons > 0)
            polygons += len(placed.polygon_ends) - 1
            points += len(placed.points)
        _write_list(file, _crowds(rng, plan), after=polygons > 0)
        file.write(b'],"categories": [')
        _write_list(file, _categories())
        file.write(b"]}")
        size = file.tell()
    return CocoFile(path, images, len(plan.image_rows), plan.crowds, polygons, points, size, source)


def _write_list(file: BinaryIO, records: Iterator[str], after: bool = False) -> None:
    for record in records:
        file.write(f",{record}".encode() if after else record.encode())
        after = True


def _licenses() -> Iterator[str]:
    for number, (path, name) in enumerate(LICENSES, 1):
        yield f'{{"url": "http://creativecommons.org/licenses/{path}/","id": {number},"name": "{name}"}}'


def _categories() -> Iterator[str]:
    for group, rows in CATEGORIES.items():
        for number, name, _ in rows:
            yield f'{{"supercategory": "{group}","id": {number},"name": "{name}"}}'


def _images(rng: np.random.Generator, plan: Plan) -> Iterator[str]:
    n = len(plan.image_ids)
    columns = (
        plan.image_ids,
        plan.heights,
        plan.widths,
        rng.integers(1, len(LICENSES) + 1, n),
        rng.integers(0, 86_400 * 6, n),
        rng.integers(1, 10, n),
        rng.integers(1000, 10_000, n),
        rng.integers(10**8, 10**10, n),
        rng.integers(16**9, 16**10, n),
    )
    for number, height, width, license_id, seconds, farm, server, photo, secret in zip(
        *(column.tolist() for column in columns), strict=True
    ):
        day, second = divmod(seconds, 86_400)
        clock = f"{second // 3600:02d}:{second // 60 % 60:02d}:{second % 60:02d}"
        yield (
            f'{{"license": {license_id},"file_name": "{number:012d}.jpg","coco_url": '
            f'"http://images.cocodataset.org/train2017/{number:012d}.jpg","height": {height},'
            f'"width": {width},"date_captured": "2013-11-{14 + day} {clock}","flickr_url": '
            f'"http://farm{farm}.staticflickr.com/{server}/{photo}_{secret:010x}_z.jpg","id": {number}}}'
        )


def _instances(
    rng: np.random.Generator, plan: Plan, shapes: Shapes
) -> Iterator[tuple[Iterator[str], Placed]]:
    """The records of all but the crowd regions, a chunk at a time."""
    instances = len(plan.image_rows) - plan.crowds
    # As in the original, some numbers are left out.
    ids = np.cumsum(rng.integers(1, 5, instances)) + 155
    for start in range(0, instances, CHUNK):
        chunk = slice(start, min(start + CHUNK, instances))
        rows = plan.image_rows[chunk]
        placed = place(rng, shapes, plan.heights[rows], plan.widths[rows])
        heads = (ids[chunk], plan.image_ids[rows], plan.category_ids[chunk])
        yield _records(placed, *(column.tolist() for column in heads)), placed


def _records(placed: Placed, ids: list[int], image_ids: list[int], category_ids: list[int]) -> Iterator[str]:
    boxes, areas = (placed.boxes / 100).tolist(), placed.areas.tolist()
    encode = msgspec.json.Encoder().encode
    for row, polygons in enumerate(placed.segmentations()):
        yield (
            f'{{"segmentation": {encode(polygons).decode()},"area": {areas[row]},"iscrowd": 0,'
            f'"image_id": {image_ids[row]},"bbox": {encode(boxes[row]).decode()},'
            f'"category_id": {category_ids[row]},"id": {ids[row]}}}'
        )


def _crowds(rng: np.random.Generator, plan: Plan) -> Iterator[str]:
    first = len(plan.image_rows) - plan.crowds
    for row, category in zip(plan.image_rows[first:], plan.category_ids[first:].tolist(), strict=True):
        height, width, image = int(plan.heights[row]), int(plan.widths[row]), int(plan.image_ids[row])
        region = crowd_region(rng, height, width)
        area = sum(region["counts"][1::2])
        counts = msgspec.json.encode(region["counts"]).decode()
        yield (
            f'{{"segmentation": {{"counts": {counts},"size": [{height},{width}]}},"area": {area},'
            f'"iscrowd": 1,"image_id": {image},"bbox": [0,0,{width},{height}],'
            f'"category_id": {category},"id": 9{category:03d}{image:08d}}}'
        )
