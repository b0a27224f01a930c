"""One image of seven masks, as a data loader scores it: the time of single calls.

Calls of ours and of the rival alternate by the hundred. A call is timed by itself; p50 and p99 are over all
calls. The rival is the way over pixels, on the same masks, with the same class totals.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from itertools import cycle, islice
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from pytest_benchmark.fixture import BenchmarkFixture

import tfdp_fast as tfdp
from bench_data import Masks, as_rle
from contest import Contender, claim, contest, table
from drawn import draw_masks
from tfdp_fast.timing.over_pixels import by_pycocotools, decoded, primary_contour

HEIGHT, WIDTH = SIZE = (480, 640)
PER_IMAGE, IMAGES = 7, 200
CALLS, RIVAL_CALLS, PASSES = 500, 50, 10

Image = tuple[Any, list[int]]


class Calls:
    """Calls a function with one image after the other and keeps the nanoseconds of every call."""

    def __init__(self, function: Callable[[Any, list[int]], float], images: list[Image], calls: int) -> None:
        self.function = function
        self.images = cycle(images)
        self.calls = calls
        self.nanoseconds: list[int] = []

    def __call__(self) -> float:
        score = 0.0
        for masks, category_ids in islice(self.images, self.calls):
            begin = time.perf_counter_ns()
            score = self.function(masks, category_ids)
            self.nanoseconds.append(time.perf_counter_ns() - begin)
        return score

    def median(self, _: Any, __: float) -> float:
        """Of the last calls, seconds."""
        return float(np.median(self.nanoseconds[-self.calls :])) / 1e9

    def microseconds(self, percent: float) -> float:
        """A percentile over all calls."""
        return float(np.percentile(self.nanoseconds, percent)) / 1e3


def dense_of(polygons: list[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(by_pycocotools(polygons, HEIGHT, WIDTH))


AS_PIXELS: dict[str, Callable[[Any], NDArray[np.uint8]]] = {
    "polygons": lambda polygons: by_pycocotools(polygons, HEIGHT, WIDTH),
    "RLE": decoded,
    "dense": lambda mask: mask,
}


def drawn_images(kind: str, number: int) -> list[Image]:
    """Seven masks each, with their categories."""
    drawn = draw_masks(PER_IMAGE * number, HEIGHT, WIDTH)
    masks: Any = drawn.segmentations
    if kind == "RLE":
        masks = as_rle(drawn).segmentations
    elif kind == "dense":
        masks = np.stack([dense_of(polygons) for polygons in masks])
    category_ids = np.random.default_rng(0).integers(1, 81, len(masks)).tolist()
    starts = range(0, len(masks), PER_IMAGE)
    return [(masks[i : i + PER_IMAGE], category_ids[i : i + PER_IMAGE]) for i in starts]


def class_totals() -> tfdp.ClassTotals:
    drawn: Masks = draw_masks(2000, HEIGHT, WIDTH, seed=1)
    totals = tfdp.ClassTotals()
    totals.add((np.arange(2000) % 80 + 1).tolist(), tfdp.measure(drawn.segmentations, SIZE))
    return totals


@pytest.mark.parametrize("images", [1, IMAGES], ids=["one", "different"])
@pytest.mark.parametrize("kind", AS_PIXELS)
def test_image(benchmark: BenchmarkFixture, kind: str, images: int) -> None:
    totals = class_totals()
    scorer = tfdp.Scorer(totals)
    of_class = dict(zip(totals.category_ids, totals.totals.tolist(), strict=True))
    as_pixels = AS_PIXELS[kind]

    def over_pixels(masks: Any, category_ids: list[int]) -> float:
        score = 0.0
        for mask, category in zip(masks, category_ids, strict=True):
            area, perimeter = primary_contour(as_pixels(mask))
            if area:
                score += perimeter / (2 * math.sqrt(math.pi * area)) / of_class[category]  # Eq. 11, 13, 14
        return score

    drawn = drawn_images(kind, images)
    for masks, category_ids in drawn:
        expected = over_pixels(masks, category_ids)
        assert scorer.image_score(masks, category_ids, SIZE) == pytest.approx(expected, rel=1e-7)

    ours = Calls(lambda masks, ids: scorer.image_score(masks, ids, SIZE), drawn, CALLS)
    theirs = Calls(over_pixels, drawn, RIVAL_CALLS)
    what = f"{'an image' if images == 1 else f'{images} images in turn'} of {PER_IMAGE} masks, {kind}"
    goal = 5 if kind == "dense" else 40
    contest(
        benchmark,
        what,
        Contender("tfdp-fast, Scorer", ours, ours.median),
        [Contender("the way over pixels", theirs, theirs.median)],
        work={"image": 1, "masks": PER_IMAGE},
        passes=PASSES,
        at_least=goal,
    )
    percentiles = {"p50": 50, "p90": 90, "p99": 99, "p99.9": 99.9}
    table(
        benchmark,
        [f"{what}, µs", *percentiles],
        [
            [name, *(f"{calls.microseconds(percent):,.1f}" for percent in percentiles.values())]
            for name, calls in {"tfdp-fast, Scorer": ours, "the way over pixels": theirs}.items()
        ],
    )
    if images == 1:
        tail = ours.microseconds(99) / ours.microseconds(50)
        claim(benchmark, f"p99 of {what}", "its p50", tail, at_most=3, unit="×")
