"""The same images and annotations in the forms of several libraries."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

import tfdp_fast as tfdp
from tfdp_fast.scores import Scores

REAL = ["coco_val2014_100.json", "lvis_val_100.json", "voc2012_train.json"]

Coco = dict[str, Any]
Record = dict[str, Any]


def made_coco(images: int = 9) -> Coco:
    """Ellipses as polygons and as RLE of both kinds, in images of several sizes; some are crowd regions."""
    rng = np.random.default_rng(7)
    annotations: list[Record] = []
    sizes = [(int(rng.integers(20, 60)), int(rng.integers(20, 60))) for _ in range(images)]
    for i, (height, width) in enumerate(sizes):
        for a in range(i % 4):
            mask = np.zeros((height, width), np.uint8)
            middle, axes = (width // 2, height // 2 - a), (width // 3 - a, height // 4)
            cv2.ellipse(mask, middle, axes, 30 * a + i, 0, 360, 1, -1)
            rle = coco_mask.encode(np.asfortranarray(mask))
            points = np.array(cv2.ellipse2Poly(middle, axes, 30 * a + i, 0, 360, 15)) + 0.25
            segmentation = [
                [points.ravel().tolist(), [1.0, 1, 6, 1, 6, 5.5]],
                {"size": [height, width], "counts": rle["counts"].decode()},
                {"size": [height, width], "counts": run_lengths(mask)},
            ][a]
            annotations.append(
                {
                    "id": 100 + len(annotations),
                    "image_id": 50 + i,
                    "category_id": (a + i) % 3,
                    "segmentation": segmentation,
                    "iscrowd": int(a == 2 and i % 2),
                }
            )
    return {
        "images": [
            {"id": 50 + i, "file_name": f"é {i}.jpg", "height": height, "width": width}
            for i, (height, width) in enumerate(sizes)
        ],
        "annotations": annotations,
        "categories": [{"id": i, "name": f"class {i}"} for i in range(3)],
    }


def run_lengths(mask: NDArray[np.uint8]) -> list[int]:
    """Uncompressed counts, the slow and obvious way."""
    pixels = [0, *mask.T.ravel().tolist()]
    edges = [i - 1 for i in range(1, len(pixels)) if pixels[i] != pixels[i - 1]]
    ends = [*edges, len(pixels) - 1]
    return [end - begin for begin, end in zip([0, *edges], ends, strict=True)]


def coco_named(name: str, request: pytest.FixtureRequest) -> Coco:
    """Real annotations, or those made here; the folder is asked for only if it is needed."""
    if name == "made":
        return made_coco()
    folder: Path = request.getfixturevalue("shared_data")
    data: Coco = json.loads((folder / name).read_bytes())
    return data


def by_image(coco: Coco) -> Iterator[tuple[Record, list[Record]]]:
    """Each image with its annotations."""
    of_image: dict[Any, list[Record]] = {image["id"]: [] for image in coco["images"]}
    for annotation in coco["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    for image in coco["images"]:
        yield image, of_image[image["id"]]


def rle_of(annotation: Record, image: Record) -> Record:
    """Compressed RLE, by pycocotools."""
    found, (height, width) = annotation["segmentation"], (image["height"], image["width"])
    if isinstance(found, list):
        found = coco_mask.merge(coco_mask.frPyObjects(found, height, width))
    elif isinstance(found["counts"], list):
        found = coco_mask.frPyObjects(found, height, width)
    counts = found["counts"]
    return {"size": [height, width], "counts": counts.decode() if isinstance(counts, bytes) else counts}


def dense(annotations: list[Record], image: Record) -> NDArray[np.uint8]:
    """Masks [N, H, W], by pycocotools."""
    masks = [coco_mask.decode(rle_of(annotation, image)) for annotation in annotations]
    return np.stack([np.zeros((image["height"], image["width"]), np.uint8), *masks])[1:]


def general(coco: Coco) -> Iterator[Record]:
    for image, found in by_image(coco):
        kept = [{key: a[key] for key in a if key != "image_id"} for a in found]
        yield {
            "image_id": image["id"],
            "height": image["height"],
            "width": image["width"],
            "file_name": image.get("file_name"),
            "annotations": kept,
        }


def with_rle(coco: Coco) -> Coco:
    """The same with every mask as compressed RLE."""
    annotations = [
        {**annotation, "segmentation": rle_of(annotation, image), "iscrowd": annotation.get("iscrowd", 0)}
        for image, of_image in by_image(coco)
        for annotation in of_image
    ]
    return {**coco, "annotations": annotations}


def detectron2(coco: Coco) -> Iterator[Record]:
    for record in general(coco):
        for annotation in record["annotations"]:
            annotation |= {"bbox": [0, 0, 1, 1], "bbox_mode": 1}
        yield record


def columns(coco: Coco) -> Iterator[Record]:
    """As Hugging Face has them: a dict of lists."""
    for record in general(coco):
        annotations = record.pop("annotations")
        record["objects"] = {
            key: [a.get(source, 0) for a in annotations]
            for key, source in {
                "id": "id",
                "category": "category_id",
                "segmentation": "segmentation",
                "iscrowd": "iscrowd",
            }.items()
        }
        yield record


def mmdet(coco: Coco) -> Iterator[Record]:
    for image, found in by_image(coco):
        yield {
            "img_id": image["id"],
            "img_path": f"train/{image['id']}.jpg",
            "height": image["height"],
            "width": image["width"],
            "instances": [
                {
                    "mask": a["segmentation"],
                    "bbox": [0, 0, 1, 1],
                    "bbox_label": a["category_id"],
                    "ignore_flag": a.get("iscrowd", 0),
                }
                for a in found
            ],
        }


def targets(coco: Coco) -> Iterator[Record]:
    """As torchvision's models take them."""
    for image, found in by_image(coco):
        yield {
            "image_id": np.array([image["id"]]),
            "masks": dense(found, image),
            "labels": np.array([a["category_id"] for a in found], np.int64),
            "iscrowd": np.array([a.get("iscrowd", 0) for a in found], np.uint8),
        }


def pairs(coco: Coco) -> Iterator[tuple[Any, Record]]:
    for target in targets(coco):
        height, width = target["masks"].shape[1:]
        yield np.zeros((height, width, 3), np.uint8), target


class CocoDetection:
    """What torchvision's class of this name gives: a length, items, ids and the COCO object."""

    def __init__(self, coco: Coco) -> None:
        self._items = list(by_image(coco))
        self.ids = [image["id"] for image, _ in self._items]
        self.coco = SimpleNamespace(cats={c["id"]: c for c in coco["categories"]})

    def __len__(self) -> int:
        return len(self._items)

    def __getitem__(self, index: int) -> tuple[Any, list[Record]]:
        image, annotations = self._items[index]  # IndexError, were it asked for too many
        return SimpleNamespace(size=(image["width"], image["height"])), annotations


FORMS: dict[str, Callable[[Coco], Any]] = {
    "general": general,
    "detectron2": detectron2,
    "columns": columns,
    "mmdet": mmdet,
    "torchvision": targets,
    "pairs": pairs,
    "CocoDetection": CocoDetection,
}


def assert_same(found: Scores, expected: Scores, *, images: bool = True) -> None:
    """Boundary counts, class totals and image scores are equal, bit for bit.

    With ``images=False`` the ids of images may differ.
    """
    assert found.instances is not None
    assert expected.instances is not None
    for name in ("straight", "diagonal", "area2", "category_id", "shape", "score"):
        assert getattr(found.instances, name).tolist() == getattr(expected.instances, name).tolist()
    assert found.images.score.tolist() == expected.images.score.tolist()
    assert found.images.annotations.tolist() == expected.images.annotations.tolist()
    if images:
        assert found.images.id.tolist() == expected.images.id.tolist()
        assert found.instances.image_id.tolist() == expected.instances.image_id.tolist()
    assert totals(found) == totals(expected)
    assert found.crowd == expected.crowd


def totals(scores: Scores) -> dict[Any, tuple[int, float]]:
    """Instances and total of each class that has any."""
    classes = scores.classes
    assert classes is not None
    columns = zip(classes.id.tolist(), classes.instances.tolist(), classes.total.tolist(), strict=True)
    return {class_id: (n, total) for class_id, n, total in columns if n}


def in_image_order(coco: Coco) -> Coco:
    """The same with the annotations of an image one after the other, as all these forms have them."""
    return {**coco, "annotations": [a for _, annotations in by_image(coco) for a in annotations]}


def scores_of(coco: Coco) -> Scores:
    """What is expected."""
    return tfdp.score(in_image_order(coco))
