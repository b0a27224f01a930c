"""`tfdp.measure` against the way over pixels. The same masks, one thread each, and the same answers.

Areas are equal, perimeters within 1e-7: OpenCV rounds each segment to float32.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import over_pixels
import tfdp_fast as tfdp
from bench_data import Masks, as_rle, made_polygons, real_masks, rle_masks
from contest import OURS, Contender, contest
from drawn import draw_label_map, draw_masks
from tfdp_fast.timing.over_pixels import by_pycocotools

Load = Callable[[], Masks | None]
Route = Callable[[Masks], NDArray[np.float64]]

POLYGONS: dict[str, Load] = {
    "COCO-100": partial(real_masks, "coco_val2014_100.json"),
    "LVIS-100": partial(real_masks, "lvis_val_100.json"),
    "made": made_polygons,
}


def loaded(load: Load) -> Masks:
    masks = load()
    if masks is None:
        pytest.skip("no real annotations: set TFDP_TEST_DATA")
    return masks


def assert_equal(ours: tfdp.BoundaryCounts, over: NDArray[np.float64]) -> None:
    np.testing.assert_array_equal(ours.area, over[:, 0])
    np.testing.assert_allclose(ours.perimeter, over[:, 1], rtol=1e-7)


def measure_masks(
    benchmark: BenchmarkFixture,
    what: str,
    masks: Masks,
    routes: dict[str, Route],
    *,
    at_least: float,
    polygons: tfdp.masks.Polygons = "coco",
) -> None:
    ours, answers = contest(
        benchmark,
        what,
        partial(tfdp.measure, masks.segmentations, masks.sizes, polygons=polygons),
        [Contender(name, partial(route, masks)) for name, route in routes.items()],
        work=masks.work(),
        repeat=5,
        at_least=at_least,
    )
    for name, over in answers.items():
        if name == over_pixels.TRANSPOSED:
            np.testing.assert_array_equal(ours.area, over[:, 0])
        else:
            assert_equal(ours, over)


RLE_ROUTES: dict[str, Route] = {
    over_pixels.NAME: over_pixels.measure_rle,
    over_pixels.TRANSPOSED: over_pixels.measure_transposed_rle,
}
POLYGON_ROUTES: dict[tfdp.masks.Polygons, dict[str, Route]] = {
    "coco": {
        over_pixels.NAME: over_pixels.measure_coco_polygons,
        over_pixels.TRANSPOSED: over_pixels.measure_transposed_coco_polygons,
    },
    "opencv": {"fillPoly + OpenCV": over_pixels.measure_opencv_polygons},
}


def test_voc_rle(benchmark: BenchmarkFixture) -> None:
    masks = loaded(partial(real_masks, "voc2012_train.json"))
    measure_masks(benchmark, "VOC 2012 train, RLE", masks, RLE_ROUTES, at_least=100)


@pytest.mark.parametrize("name", POLYGONS)
def test_rle(benchmark: BenchmarkFixture, name: str) -> None:
    masks = as_rle(loaded(POLYGONS[name]))
    measure_masks(benchmark, f"{name}, RLE", masks, RLE_ROUTES, at_least=60)


@pytest.mark.parametrize("name", POLYGONS)
@pytest.mark.parametrize("convention", POLYGON_ROUTES)
def test_polygons(benchmark: BenchmarkFixture, name: str, convention: tfdp.masks.Polygons) -> None:
    masks = loaded(POLYGONS[name])
    what = f"{name}, polygons, {convention}"
    routes = POLYGON_ROUTES[convention]
    measure_masks(benchmark, what, masks, routes, at_least=40, polygons=convention)


def test_dense(benchmark: BenchmarkFixture) -> None:
    drawn = draw_masks(60, 480, 640)
    masks = np.stack([by_pycocotools(polygons, 480, 640) for polygons in drawn.segmentations])
    ours, answers = contest(
        benchmark,
        "dense masks, 480 x 640",
        partial(tfdp.measure, masks),
        [Contender("OpenCV", partial(over_pixels.measure_dense, masks), repeat=5)],
        work={"masks": len(masks), "bytes": masks.size},
        repeat=5,
        at_least=5,
    )
    assert_equal(ours, answers["OpenCV"])


@pytest.mark.parametrize("instances", [20, 40, 60])
def test_label_map(benchmark: BenchmarkFixture, instances: int) -> None:
    label_map = draw_label_map(instances, 1024, 2048).astype(np.uint16)
    labels_in_it = np.unique(label_map)[1:].tolist()
    (labels, counts), answers = contest(
        benchmark,
        f"label map, 1024 x 2048, {instances} instances",
        partial(tfdp.measure_labels, label_map),
        [Contender("== and OpenCV for each", partial(over_pixels.measure_labels, label_map))],
        work={"map": 1, "instances": len(labels_in_it), "bytes": label_map.nbytes},
        repeat=5,
        at_least=50,
    )
    assert labels.tolist() == labels_in_it
    assert_equal(counts, answers["== and OpenCV for each"])


THREADED: dict[str, Callable[[], tuple[Any, Any]]] = {
    "RLE": lambda: (rle_masks().segmentations * 4, None),
    "polygons": lambda: (draw_masks(20_000, 480, 640).segmentations, (480, 640)),
    "dense": lambda: (np.tril(np.ones((480, 640), np.uint8))[None].repeat(512, axis=0), None),
}


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor")
@pytest.mark.parametrize("kind", THREADED)
def test_threads(benchmark: BenchmarkFixture, kind: str) -> None:
    masks, size = THREADED[kind]()
    two, answers = contest(
        benchmark,
        f"two threads, {kind}",
        Contender(f"{OURS}, two threads", partial(tfdp.measure, masks, size, threads=2), repeat=3),
        [Contender(f"{OURS}, one thread", partial(tfdp.measure, masks, size, threads=1), repeat=3)],
        work={"masks": len(masks)},
        at_least=1.8,
        note=""
        if kind == "dense"
        else "Python objects are read by one thread at a time, under Python's lock.",
    )
    assert two == answers[f"{OURS}, one thread"]
