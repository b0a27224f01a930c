"""The cost of an instance, from a thousand instances to a million.

The times of the smaller jobs are multiplied up to the number of instances of the largest.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import tfdp_fast as tfdp
from coco_like import CocoFiles
from contest import Contender, claim, contest
from drawn import draw_masks
from tfdp_fast.timing.coco_statistics import ANNOTATIONS, IMAGES


@pytest.fixture
def numbers(coco_images: int) -> list[int]:
    """How many instances: up to about those of the large file."""
    return [n for n in (10**3, 10**4, 10**5, 10**6) if n <= 1.2 * coco_images * ANNOTATIONS / IMAGES]


def compare(
    benchmark: BenchmarkFixture, what: str, jobs: Mapping[int, Callable[[], Any]], note: str = ""
) -> tuple[Any, ...]:
    """Run a job with more and more instances; returns the answers, that of the smallest last."""
    *smaller, largest = jobs

    def contender(n: int) -> Contender:
        repeat = min(20, max(1, largest // n // 10))
        return Contender(f"{n:,}", jobs[n], lambda _, elapsed: elapsed * largest / n, repeat)

    ours, answers = contest(
        benchmark,
        what,
        contender(largest),
        [contender(n) for n in reversed(smaller)],
        work={"instances": largest},
        note=note,
    )
    if benchmark.enabled and 10**4 in smaller:
        ten_thousand = next(entry for entry in benchmark.extra_info["entries"] if entry["name"] == "10,000")
        cost = 1 / ten_thousand["ratio"]
        claim(
            benchmark,
            f"{what}: an instance of {largest:,}",
            "of 10,000",
            cost,
            at_most=1.25,
            unit="× as long",
        )
    return ours, *answers.values()


def test_measuring(benchmark: BenchmarkFixture, numbers: list[int]) -> None:
    masks = draw_masks(10_000, 480, 640).segmentations
    jobs = {n: partial(tfdp.measure, (masks * (n // 10_000 + 1))[:n], (480, 640)) for n in numbers}
    *_, smallest = compare(benchmark, "measure, polygons in memory", jobs)
    assert (smallest.area2 > 0).mean() > 0.95


def test_scoring(benchmark: BenchmarkFixture, numbers: list[int], coco_files: CocoFiles) -> None:
    files = {n: coco_files(round(n * IMAGES / ANNOTATIONS)) for n in numbers}
    jobs = {n: partial(tfdp.score, file.path, threads=1) for n, file in files.items()}
    for scores in compare(benchmark, "score of a file, one thread", jobs, "Without starting the process."):
        assert np.isclose(scores.images.score.sum(), np.count_nonzero(scores.classes.instances))
