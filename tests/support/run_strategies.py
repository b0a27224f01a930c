"""What the property tests of runs draw: data sets, where they are cut, and what goes wrong."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from hypothesis import strategies as st
from pycocotools import mask as coco_mask

from executor_support import Unreliable
from record_support import Record

LOSSES = 2
WORKERS = st.sampled_from([1, 2, 7])


def mask_of(kind: int, size: tuple[int, int], rng: np.random.Generator) -> Any:
    """Nothing, a pixel, a line, noise, or a shape with a smooth edge."""
    mask = np.zeros(size, np.uint8)
    height, width = size
    if kind == 1:
        mask[rng.integers(height), rng.integers(width)] = 1
    elif kind == 2:
        mask[rng.integers(height)] = 1
    elif kind == 3:
        mask = (rng.random(size) < 0.6).astype(np.uint8)
    elif kind == 4:
        middle = (int(rng.integers(width)), int(rng.integers(height)))
        cv2.ellipse(mask, middle, (width // 3, height // 3), float(rng.integers(90)), 0, 360, 1, -1)
    found = coco_mask.encode(np.asfortranarray(mask))
    return {"size": list(size), "counts": found["counts"].decode()}


@st.composite
def data_sets(draw: st.DrawFn, *, text: bool | None = None, least: int = 0) -> list[Record]:
    """Images in any order, each with 0 to 5 annotations of up to four classes."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    text = draw(st.booleans()) if text is None else text
    ids = draw(st.lists(st.integers(-(10**18), 10**18), unique=True, min_size=least, max_size=12))
    images = []
    for number in ids:
        size = (int(rng.integers(1, 25)), int(rng.integers(1, 25)))
        kinds = draw(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), st.booleans()), max_size=5))
        annotations = [
            {
                "segmentation": mask_of(kind, size, rng),
                "category_id": [3, 1, 900, -7][category],
                "iscrowd": int(crowd and kind > 2),
            }
            for kind, category, crowd in kinds
        ]
        images.append(
            {
                "image_id": f"é{number}" if text else number,
                "height": size[0],
                "width": size[1],
                "file_name": f"{number % 5}.jpg" if number % 3 else None,
                "annotations": annotations,
            }
        )
    return images


@st.composite
def cut(draw: st.DrawFn, /, **options: Any) -> tuple[list[Record], list[int]]:
    """A data set, and where shards end in it: empty ones anywhere."""
    images = draw(data_sets(**options))
    return images, sorted(draw(st.lists(st.integers(0, len(images)), max_size=6)))


CHOICES = st.sampled_from(
    [
        {"rate": 0.5, "of": "all"},
        {"keep": 0.3, "of": "annotated"},
        {"rate": 0.3},
        {"rate": 0.4, "order": "lowest", "of": "all"},
        {"rate": 0.5, "strategy": "random", "seed": 5, "of": "all"},
    ]
)


@contextmanager
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name) / "run"


@contextmanager
def unreliable(seed: int, workers: int) -> Iterator[Unreliable]:
    executor = Unreliable(seed, workers, LOSSES)
    try:
        yield executor
    finally:
        executor.shutdown()
