"""What the paper's table 6 times, step by step: the authors' route against ours, and drawing subsets.

`tfdp bench paper` puts the same functions beside the times that the paper reports.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from pytest_benchmark.fixture import BenchmarkFixture

from bench_data import REAL, real_file
from coco_like import CocoFiles
from contest import Contender, contest
from tfdp_fast.timing.agreement import compare_answers
from tfdp_fast.timing.city_like import write_city_like
from tfdp_fast.timing.ours import RATE, OurSteps, run_python
from tfdp_fast.timing.rounds import Stopwatch
from tfdp_fast.timing.steps import ALL
from tfdp_fast.timing.voc_like import write_voc_like

CITY_MAPS = {True: 100, False: 3}
ROUTE = "the authors' route"

Make = Callable[[pytest.FixtureRequest, Path], Path]


def voc(request: pytest.FixtureRequest, folder: Path) -> Path:  # noqa: ARG001
    return real_file("voc2012_train.json") or write_voc_like(folder / "voc.json").path


def cityscapes(request: pytest.FixtureRequest, folder: Path) -> Path:
    maps = CITY_MAPS[request.config.getoption("--benchmark-enable")]
    return write_city_like(folder / "cityscapes", maps, shapes_from=REAL).path


def coco(request: pytest.FixtureRequest, folder: Path) -> Path:  # noqa: ARG001
    files: CocoFiles = request.getfixturevalue("coco_files")
    images: int = request.getfixturevalue("coco_images")
    return files(images // 10).path


def route(format: str, path: Path, answers: Path) -> Stopwatch:
    module = "tfdp_fast.timing.opencv_route"
    watch: Stopwatch = json.loads(run_python("-m", module, format, str(path), str(float(RATE)), str(answers)))
    return watch


@pytest.mark.parametrize("make", [voc, cityscapes, coco], ids=lambda make: make.__name__)
def test_route(
    benchmark: BenchmarkFixture, request: pytest.FixtureRequest, tmp_path: Path, make: Make
) -> None:
    path, answers = make(request, tmp_path), tmp_path / "answers.npz"
    format = "cityscapes" if make is cityscapes else "coco"
    ours = OurSteps(path, 1)
    ours()
    contest(
        benchmark,
        f"load, measure, balance and select, like {make.__name__}",
        Contender("tfdp-fast", ours, lambda watch, _: watch[ALL]),
        [Contender(ROUTE, partial(route, format, path, answers), lambda watch, _: watch[ALL])],
        work={"instances": int(ours.scores.images.instances.sum()), "images": len(ours.scores.images)},
        warm=False,
    )
    assert compare_answers(ours.scores, ours.subset, answers).same
