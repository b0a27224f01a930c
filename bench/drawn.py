"""Masks and label maps that are drawn, in the shapes of `tfdp_fast.timing.coco_shapes`."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from bench_data import REAL, Masks
from tfdp_fast.timing.coco_shapes import load_shapes, place
from tfdp_fast.timing.over_pixels import by_pycocotools


def draw_masks(n: int, height: int, width: int, seed: int = 0) -> Masks:
    """Draw n instances on images of one size, as polygons."""
    rng = np.random.default_rng(seed)
    source, shapes = load_shapes(rng, REAL)
    placed = place(rng, shapes, np.full(n, height), np.full(n, width))
    return Masks(source, list(placed.segmentations()), np.full((n, 2), (height, width), np.int32))


def draw_label_map(instances: int, height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Draw instances over one another, the largest first, so that few are hidden; the labels are 1, 2, ..."""
    drawn = draw_masks(instances, height, width, seed)
    masks = [by_pycocotools(polygons, height, width) for polygons in drawn.segmentations]
    label_map = np.zeros((height, width), np.uint8)
    for label, mask in enumerate(sorted(masks, key=np.count_nonzero, reverse=True), 1):
        label_map[mask == 1] = label
    return label_map
