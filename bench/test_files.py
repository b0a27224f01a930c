"""`tfdp prune` on a file in the likeness of COCO train2017: the whole process, until the subset is written.

Every contender is a process of its own. The two rivals that do the same job get a tenth of the file, and what
they take for it, without starting up, counts ten times. The others only load the file.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path

import msgspec
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import tfdp_fast as tfdp
from child import Child, run_python, run_tfdp
from coco_like import CocoFiles
from contest import Contender, claim, contest, table
from tfdp_fast.timing.coco_like import CocoFile

RATE = 0.3
MB = 1e6
LOADERS = {
    "hotcoco.COCO, loading alone": "import sys, hotcoco; coco = hotcoco.COCO(sys.argv[1])",
    "json.load alone": "import sys, json; data = json.load(open(sys.argv[1], 'rb'))",
}


class Image(msgspec.Struct):
    id: int


class Subset(msgspec.Struct):
    images: list[Image]


def kept_ids(path: Path) -> set[int]:
    return {image.id for image in msgspec.json.decode(path.read_bytes(), type=Subset).images}


def prune(file: CocoFile, output: Path, *more: str) -> Child:
    return run_tfdp("prune", str(file.path), "--rate", str(RATE), "-o", str(output), "--json", *more)


def prune_without(way: str, file: CocoFile, output: Path) -> Child:
    script = str(Path(__file__).with_name("rival_prune.py"))
    return run_python(script, way, str(file.path), str(RATE), str(output))


def scaled_seconds(child: Child, _: float) -> float:
    work = sum(child.json().values())
    return child.seconds + 9 * float(work)


def assert_same_subset(file: CocoFile, theirs: Path, polygons: tfdp.masks.Polygons) -> None:
    """The same images, but for those whose scores tie in the last digits with the last one that is kept."""
    scores = tfdp.score(file.path, polygons=polygons)
    subset = tfdp.select(scores, rate=RATE)
    of_image = dict(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True))
    last = of_image[subset.ranking[-1]]
    for image_id in set(subset.ranking.tolist()) ^ kept_ids(theirs):
        assert of_image[image_id] == pytest.approx(last, rel=1e-7)


def test_prune(benchmark: BenchmarkFixture, coco_images: int, coco_files: CocoFiles, tmp_path: Path) -> None:
    whole, tenth = coco_files(coco_images), coco_files(coco_images // 10)
    output, usual, quick = (tmp_path / name for name in ("ours.json", "usual.json", "quick.json"))
    rivals = [
        Contender(
            "quick way: pycocotools, fillPoly, OpenCV, json.dumps",
            partial(prune_without, "quick", tenth, quick),
            scaled_seconds,
        ),
        Contender(
            "usual way: pycocotools, annToMask, OpenCV, json.dump",
            partial(prune_without, "usual", tenth, usual),
            scaled_seconds,
        ),
        *(
            Contender(name, partial(run_python, "-c", code, str(whole.path)), lambda child, _: child.seconds)
            for name, code in LOADERS.items()
        ),
    ]
    child, answers = contest(
        benchmark,
        f"tfdp prune, {whole.bytes / MB:.0f} MB",
        Contender("tfdp prune", partial(prune, whole, output), lambda child, _: child.seconds),
        rivals,
        work={"annotations": whole.annotations, "images": whole.images, "bytes": whole.bytes},
        passes=3,
        warm=False,
    )
    report = child.json()
    assert report["images"]["kept"] == len(kept_ids(output))
    assert_same_subset(tenth, quick, "opencv")
    assert_same_subset(tenth, usual, "coco")
    describe(benchmark, child, answers, whole.bytes)


def describe(benchmark: BenchmarkFixture, ours: Child, rivals: dict[str, Child], file_size: int) -> None:
    """Peaks of memory, the parts of the rivals' time, and the goals."""
    loaders = {name: rivals[name] for name in LOADERS}
    parts = [
        [name, *(f"{10 * seconds:.1f}" for seconds in child.json().values())]
        for name, child in rivals.items()
        if name not in loaders
    ]
    table(benchmark, ["of the rivals' time, seconds", "load", "score", "write"], parts)
    rows = [
        [name, f"{child.peak / MB:.0f}", f"{child.peak / file_size:.2f}"]
        for name, child in {"tfdp prune": ours, **loaders}.items()
    ]
    table(benchmark, ["process", "peak memory, MB", "× the size of the file"], rows)
    what = "tfdp prune, whole process, subset written"
    hotcoco = next(iter(loaders))
    if not benchmark.enabled:
        return
    for entry in benchmark.extra_info["entries"][1:4]:
        goal = 1 if entry["name"] == hotcoco else 40
        claim(benchmark, what, entry["name"], entry["ratio"], at_least=goal, unit="×")
    peak = "peak memory of that run"
    claim(benchmark, peak, hotcoco, ours.peak / rivals[hotcoco].peak, at_most=1, unit="×")
    claim(benchmark, peak, "the size of the file", ours.peak / file_size, at_most=1, unit="×")
