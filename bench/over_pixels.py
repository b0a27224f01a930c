"""The way over pixels: decode or fill, findContours, contourArea, arcLength.

A function for each kind of mask; each returns the area and the perimeter of every mask, float64 [N, 2].
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench_data import Masks
from tfdp_fast.timing.over_pixels import by_opencv, by_pycocotools, decoded, primary_contour

NAME = "pycocotools + OpenCV"
# pycocotools' masks are in Fortran order, and OpenCV copies them. It takes the transpose as it is. Areas and
# perimeters are those of the mask, but where two contours tie for the largest area, the other one may win.
TRANSPOSED = "the same, masks transposed"
Pairs = NDArray[np.float64]


def measure_rle(masks: Masks) -> Pairs:
    return np.array([primary_contour(decoded(rle)) for rle in masks.segmentations])


def measure_transposed_rle(masks: Masks) -> Pairs:
    return np.array([primary_contour(decoded(rle).T) for rle in masks.segmentations])


def measure_coco_polygons(masks: Masks) -> Pairs:
    return np.array([primary_contour(by_pycocotools(polygons, *size)) for polygons, size in _each(masks)])


def measure_transposed_coco_polygons(masks: Masks) -> Pairs:
    return np.array([primary_contour(by_pycocotools(polygons, *size).T) for polygons, size in _each(masks)])


def measure_opencv_polygons(masks: Masks) -> Pairs:
    return np.array([primary_contour(by_opencv(polygons, *size)) for polygons, size in _each(masks)])


def measure_dense(masks: NDArray[np.uint8]) -> Pairs:
    return np.array([primary_contour(mask) for mask in masks])


def measure_labels(label_map: NDArray[Any]) -> Pairs:
    """Of each label but 0; `bincount` finds them quicker than `unique`."""
    labels = np.flatnonzero(np.bincount(label_map.ravel()))
    masks = ((label_map == label).view(np.uint8) for label in labels[labels != 0].astype(label_map.dtype))
    return np.array([primary_contour(mask) for mask in masks])


def _each(masks: Masks) -> Any:
    return zip(masks.segmentations, masks.sizes.tolist(), strict=True)
