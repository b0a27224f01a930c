"""What the tests of areas and contours share: masks that are expected, and what is compared with them."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

from record_support import Coco, dense, in_image_order
from tfdp_fast._core import FillConvention
from tfdp_fast.formats.dataset import Dataset, Traced
from tfdp_fast.formats.opening import open_dataset

Mask = NDArray[np.uint8]
CONVENTIONS = [FillConvention.COCO, FillConvention.OPENCV]
COCO = FillConvention.COCO


def opened(source: Any, convention: FillConvention = COCO, **options: Any) -> Dataset:
    """A data set that has been measured."""
    data = open_dataset(source, **options)
    data.measure(convention, threads=2, progress=None)
    return data


def traced(data: Dataset, *images: int, threads: int = 1) -> Traced:
    return data.trace(np.array(images, np.int64), COCO, threads=threads)


def check(data: Dataset, masks: list[Mask], opencv: Any, convention: FillConvention = COCO) -> None:
    """These are its masks, in order, whichever images are looked at."""
    contours = [opencv.contours(mask) for mask in masks]
    n = len(data.image_ids)
    for threads in (1, 2, 7):
        found = data.areas(convention, threads=threads)
        assert found.dtype == np.int64
        assert found.tolist() == [int(np.count_nonzero(mask)) for mask in masks]
        for images in (np.arange(n), np.arange(n)[::-2], np.array([n - 1, 0, n - 1]), np.arange(0)):
            some = data.trace(images, convention, threads=threads)
            expected = np.flatnonzero(np.isin(data.image_index, images)).tolist()
            assert some.positions.tolist() == expected
            assert [[c.tolist() for c in of_mask] for of_mask in some.contours] == [
                [c.tolist() for c in contours[i]] for i in expected
            ]
            assert some.primary.tolist() == [primary(contours[i]) for i in expected]
            assert {c.dtype for of_mask in some.contours for c in of_mask} <= {np.dtype(np.int32)}


def primary(contours: list[NDArray[np.int32]]) -> int:
    sizes = [cv2.contourArea(contour) for contour in contours]
    return sizes.index(max(sizes)) if sizes else -1


def masks_of(coco: Coco) -> list[Mask]:
    images = {image["id"]: image for image in coco["images"]}
    return [dense([a], images[a["image_id"]])[0] for a in in_image_order(coco)["annotations"]]


def filled(polygons: list[list[float]], height: int, width: int, convention: FillConvention) -> Mask:
    mask: Mask = np.zeros((height, width), np.uint8)
    if convention == COCO:
        for polygon in polygons:
            mask |= coco_mask.decode(coco_mask.frPyObjects([polygon], height, width))[:, :, 0]
    else:
        for polygon in polygons:
            cv2.fillPoly(mask, [np.array(polygon).astype(np.int32).reshape(-1, 2)], [1])
    return mask


def size_of(coco: Coco, annotation: Any) -> list[int]:
    image = next(image for image in coco["images"] if image["id"] == annotation["image_id"])
    return [image["height"], image["width"]]
