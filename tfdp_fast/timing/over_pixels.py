"""One mask over its pixels, as the paper's authors do it: decode or fill, findContours, arcLength.

Needs OpenCV and pycocotools (extra ``test``); nothing of the package imports it unless it is to be compared.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import _mask as coco_mask


def primary_contour(mask: NDArray[np.uint8]) -> tuple[float, float]:
    """Area and perimeter as the paper's authors compute them."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return 0.0, 0.0
    primary = max(contours, key=cv2.contourArea)
    return cv2.contourArea(primary), cv2.arcLength(primary, closed=True)


def decoded(rle: dict[str, Any]) -> NDArray[np.uint8]:
    """Compressed RLE as a mask, by pycocotools."""
    masks: NDArray[np.uint8] = coco_mask.decode([rle])
    return masks[:, :, 0]


def by_pycocotools(polygons: list[Any], height: int, width: int) -> NDArray[np.uint8]:
    """Polygons as pycocotools fills them: frPyObjects, merge, decode."""
    return decoded(coco_mask.merge(coco_mask.frPoly(polygons, height, width)))


def by_opencv(polygons: list[Any], height: int, width: int) -> NDArray[np.uint8]:
    """Polygons as `fillPoly` fills them, their coordinates truncated."""
    mask = np.zeros((height, width), np.uint8)
    for polygon in polygons:
        cv2.fillPoly(mask, [np.array(polygon).reshape(-1, 2).astype(np.int32)], 1)
    return mask
