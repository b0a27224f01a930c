"""What the benchmarks measure on: real annotations where they are, made ones everywhere."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import tfdp_fast as tfdp
from tfdp_fast.kernels.rle import decode_rle

REAL_FILES = ["voc2012_train.json", "coco_val2014_100.json", "lvis_val_100.json"]


@dataclass(frozen=True)
class Masks:
    """The segmentations of a data set.

    Attributes
    ----------
    name : str
        Of the data set.
    segmentations : list of dict or list
        RLE or polygons, N of them.
    sizes : int32 [N, 2]
        Height and width of their images.
    """

    name: str
    segmentations: list[Any]
    sizes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.segmentations)

    def work(self) -> dict[str, int]:
        """How much there is to do."""
        if isinstance(self.segmentations[0], dict):
            arguments = strings(self)
            return {"masks": len(self), "bytes": len(arguments[0]), "counts": len(decode(*arguments)[0])}
        polygons = [polygon for segmentation in self.segmentations for polygon in segmentation]
        vertices = sum(len(polygon) // 2 for polygon in polygons)
        return {"masks": len(self), "polygons": len(polygons), "vertices": vertices}


def _real_folder() -> Path | None:
    named = os.environ.get("TFDP_TEST_DATA")
    folder = Path(named) if named else Path(__file__).resolve().parents[2] / "shared" / "data"
    return folder if folder.is_dir() else None


REAL = _real_folder()
"""The folder of real annotations, if it is there: ``TFDP_TEST_DATA`` or ``../shared/data``."""


def real_file(file_name: str) -> Path | None:
    """One of the files of real annotations, if it is there."""
    return REAL / file_name if REAL and (REAL / file_name).is_file() else None


def real_masks(file_name: str) -> Masks | None:
    """The masks of one of the files of real annotations, if they are there."""
    path = real_file(file_name)
    if path is None:
        return None
    data = json.loads(path.read_text())
    sizes = {image["id"]: (image["height"], image["width"]) for image in data["images"]}
    used = [annotation for annotation in data["annotations"] if not annotation.get("iscrowd")]
    return Masks(
        path.stem,
        [annotation["segmentation"] for annotation in used],
        np.array([sizes[annotation["image_id"]] for annotation in used], np.int32),
    )


def made_polygons(n: int = 400, seed: int = 0) -> Masks:
    """Rough outlines of blobs, 24 points each, on images of 480 x 640."""
    rng = np.random.default_rng(seed)
    angles = np.linspace(0, 2 * np.pi, 24, endpoint=False)
    radii = rng.lognormal(3.5, 0.8, (n, 1)) * rng.uniform(0.7, 1.3, (n, 24))
    x = rng.uniform(0, 640, (n, 1)) + radii * np.cos(angles)
    y = rng.uniform(0, 480, (n, 1)) + radii * np.sin(angles)
    points = np.stack([x.clip(0, 640), y.clip(0, 480)], axis=2).round(2)
    return Masks(
        "made",
        [[polygon] for polygon in points.reshape(n, -1).tolist()],
        np.full((n, 2), (480, 640), np.int32),
    )


def as_rle(masks: Masks) -> Masks:
    """The same masks as compressed RLE."""
    return Masks(masks.name, tfdp.to_rle(masks.segmentations, masks.sizes), masks.sizes)


def rle_masks() -> Masks:
    """Compressed RLE: VOC 2012 train if it is there, made masks otherwise."""
    return real_masks("voc2012_train.json") or as_rle(made_polygons())


def strings(masks: Masks) -> tuple[NDArray[np.uint8], NDArray[np.int64], NDArray[np.int64]]:
    """Compressed RLE as the arguments of `decode_rle`: characters, offsets, pixels."""
    texts = [rle["counts"].encode() for rle in masks.segmentations]
    offsets = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return np.frombuffer(b"".join(texts), np.uint8), offsets, masks.sizes.astype(np.int64).prod(axis=1)


def decode(
    data: NDArray[np.uint8], offsets: NDArray[np.int64], pixels: NDArray[np.int64]
) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """Call the kernel: counts in a new array, and where those of each mask begin."""
    counts, count_offsets, status = decode_rle(data, offsets, pixels)
    assert not status.any()
    return counts, count_offsets
