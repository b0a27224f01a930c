"""`tfdp.measure` against the route over pixels: decode or fill, findContours, contourArea, arcLength.

One thread each, the same masks, and the same answers: areas equal, perimeters within 1e-7.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pycocotools import _mask as coco_mask

import tfdp_fast as tfdp
from bench_data import Masks, made_polygons, real_masks

OURS = "tfdp"
Load = Callable[[], Masks | None]
Route = Callable[[Masks], NDArray[np.float64]]


def primary_contour(mask: NDArray[np.uint8]) -> tuple[float, float]:
    """Area and perimeter as the paper's authors compute them."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if not contours:
        return 0.0, 0.0
    primary = max(contours, key=cv2.contourArea)
    return cv2.contourArea(primary), cv2.arcLength(primary, closed=True)


def ours(polygons: tfdp.masks.Polygons) -> Route:
    def route(masks: Masks) -> NDArray[np.float64]:
        counts = tfdp.measure(masks.segmentations, masks.sizes, polygons=polygons)
        return np.stack([counts.area, counts.perimeter], axis=1)

    return route


def rle_over_pixels(masks: Masks) -> NDArray[np.float64]:
    return np.array([primary_contour(coco_mask.decode([rle])[:, :, 0]) for rle in masks.segmentations])


def coco_over_pixels(masks: Masks) -> NDArray[np.float64]:
    """Polygons by pycocotools: frPyObjects, merge, decode."""
    return np.array(
        [
            primary_contour(
                coco_mask.decode([coco_mask.merge(coco_mask.frPoly(polygons, height, width))])[:, :, 0]
            )
            for polygons, (height, width) in zip(masks.segmentations, masks.sizes.tolist(), strict=True)
        ]
    )


def opencv_over_pixels(masks: Masks) -> NDArray[np.float64]:
    """Polygons by OpenCV: fillPoly."""
    measured = []
    for polygons, size in zip(masks.segmentations, masks.sizes.tolist(), strict=True):
        mask = np.zeros(size, np.uint8)
        for polygon in polygons:
            cv2.fillPoly(mask, [np.array(polygon).reshape(-1, 2).astype(np.int32)], 1)
        measured.append(primary_contour(mask))
    return np.array(measured)


def as_rle(load: Load) -> Masks | None:
    masks = load()
    if masks is None:
        return None
    return Masks(masks.name, tfdp.to_rle(masks.segmentations, masks.sizes), masks.sizes)


VOC = partial(real_masks, "voc2012_train.json")
SETS: dict[str, tuple[Load, str, Route, str]] = {
    "VOC 2012 train, RLE": (VOC, "coco", rle_over_pixels, "pycocotools + OpenCV")
}
POLYGONS: dict[str, Load] = {
    "COCO-100": partial(real_masks, "coco_val2014_100.json"),
    "LVIS-100": partial(real_masks, "lvis_val_100.json"),
    "made": made_polygons,
}
for title, load in POLYGONS.items():
    SETS[f"{title}, polygons, coco"] = (load, "coco", coco_over_pixels, "pycocotools + OpenCV")
    SETS[f"{title}, polygons, opencv"] = (load, "opencv", opencv_over_pixels, "OpenCV")
    SETS[f"{title}, RLE"] = (partial(as_rle, load), "coco", rle_over_pixels, "pycocotools + OpenCV")


@pytest.fixture(scope="module", params=SETS, ids=str)
def case(request: pytest.FixtureRequest) -> tuple[str, Masks, str, Route, str]:
    cv2.setNumThreads(1)
    load, polygons, route, rival = SETS[request.param]
    masks = load()
    if masks is None:
        pytest.skip("no real annotations: set TFDP_TEST_DATA")
    return request.param, masks, polygons, route, rival


@pytest.mark.parametrize("who", [OURS, "rival"])
def test_measure(benchmark: Any, case: tuple[str, Masks, tfdp.masks.Polygons, Route, str], who: str) -> None:
    group, masks, polygons, rival_route, rival = case
    route = ours(polygons) if who == OURS else rival_route
    benchmark.group = group
    benchmark.extra_info.update(rival=OURS if who == OURS else rival, masks=len(masks))
    measured = benchmark.pedantic(route, (masks,), rounds=15 if who == OURS else 3, warmup_rounds=1)
    expected = (rival_route if who == OURS else ours(polygons))(masks)
    np.testing.assert_array_equal(measured[:, 0], expected[:, 0])
    np.testing.assert_allclose(measured[:, 1], expected[:, 1], rtol=1e-7)
