"""Label maps from the disk to boundary counts, against Pillow, which only decodes the same files."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from pytest_benchmark.fixture import BenchmarkFixture

import tfdp_fast as tfdp
from cityscapes_support import MAPS, make_cityscapes
from contest import OURS, Contender, claim, contest
from label_maps import city_maps, voc_images
from tfdp_fast._core import FillConvention
from tfdp_fast.formats.opening import open_dataset
from voc_support import make_voc

VOC_IMAGES = {True: 1463, False: 20}
CITY_MAPS = {True: 24, False: 3}
PILLOW = "Pillow, decoding alone"

Counts = NDArray[np.int64]


def ours(root: Path, threads: int = 1) -> Counts:
    """Open, read and measure everything, and hash it, as `tfdp prune` does."""
    dataset = open_dataset(root, fingerprint=True)
    counts, _ = dataset.measure(FillConvention.COCO, threads=threads, progress=None)
    return counts


def decoded(paths: Sequence[Path]) -> int:
    """How many pixels Pillow decodes."""
    return sum(np.asarray(Image.open(path)).size for path in paths)


def expected_of(maps: Sequence[NDArray[Any]], counts: Callable[[int], bool]) -> Counts:
    """The counts of the labels that count, map by map."""
    parts = []
    for label_map in maps:
        labels, measured = tfdp.measure_labels(label_map)
        keep = [counts(label) for label in labels.tolist()]
        columns = (measured.straight, measured.diagonal, measured.area2)
        parts.append(np.stack(columns, axis=1)[keep])
    return np.concatenate(parts)


def against_pillow(
    benchmark: BenchmarkFixture,
    what: str,
    root: Path,
    paths: Sequence[Path],
    expected: Counts,
    *,
    at_most: float,
    note: str,
) -> None:
    pixels = decoded(paths)
    work = {"maps": len(paths), "instances": len(expected), "pixels": pixels}
    work["bytes"] = sum(path.stat().st_size for path in paths)
    counts, answers = contest(
        benchmark,
        what,
        partial(ours, root),
        [Contender(PILLOW, partial(decoded, paths))],
        work=work,
        note=note,
    )
    assert answers == {PILLOW: pixels}
    np.testing.assert_array_equal(counts, expected)
    if benchmark.enabled:
        ratio = benchmark.extra_info["entries"][1]["ratio"]
        claim(benchmark, what, PILLOW, 1 / ratio, at_most=at_most, unit="×")


def two_threads(benchmark: BenchmarkFixture, what: str, root: Path, work: Mapping[str, int]) -> None:
    one = f"{OURS}, one thread"
    two, answers = contest(
        benchmark,
        f"two threads, {what}",
        Contender(f"{OURS}, two threads", partial(ours, root, 2)),
        [Contender(one, partial(ours, root))],
        work=work,
        at_least=1.3,
        note="Python's lock is held while XML and headers are read.",
    )
    np.testing.assert_array_equal(two, answers[one])


@pytest.fixture(scope="module")
def voc(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Counts]:
    """A folder like VOC2012, and the counts of its instances."""
    images = voc_images(VOC_IMAGES[request.config.getoption("--benchmark-enable")])
    root = make_voc(tmp_path_factory.mktemp("voc"), images)
    return root, expected_of([label_map for label_map, _ in images.values()], lambda label: label < 255)


@pytest.fixture(scope="module")
def cityscapes(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, Counts]:
    """A folder like that of Cityscapes, and the counts of its instances."""
    maps = city_maps(CITY_MAPS[request.config.getoption("--benchmark-enable")])
    root = make_cityscapes(tmp_path_factory.mktemp("cityscapes"), maps)
    return root, expected_of(list(maps.values()), lambda label: label >= 24)


def test_voc(benchmark: BenchmarkFixture, voc: tuple[Path, Counts]) -> None:
    root, expected = voc
    against_pillow(
        benchmark,
        "Pascal VOC, PNG and XML",
        root,
        sorted((root / "SegmentationObject").glob("*.png")),
        expected,
        at_most=1.5,
        note="Palettes are not filtered, so zlib alone gives the pixels; ours also reads the XML.",
    )


def test_cityscapes(benchmark: BenchmarkFixture, cityscapes: tuple[Path, Counts]) -> None:
    root, expected = cityscapes
    against_pillow(
        benchmark,
        "Cityscapes, label maps of 1024 x 2048, 16 bits",
        root,
        sorted(root.rglob(f"*{MAPS}")),
        expected,
        at_most=1.3,
        note="Both decode with Pillow.",
    )


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor")
def test_voc_two_threads(benchmark: BenchmarkFixture, voc: tuple[Path, Counts]) -> None:
    root, expected = voc
    two_threads(benchmark, "Pascal VOC", root, {"instances": len(expected)})


@pytest.mark.skipif((os.cpu_count() or 1) < 2, reason="one processor")
def test_cityscapes_two_threads(benchmark: BenchmarkFixture, cityscapes: tuple[Path, Counts]) -> None:
    root, expected = cityscapes
    two_threads(benchmark, "Cityscapes", root, {"instances": len(expected)})
