"""Packages that do a part of the job: decode RLE, fill polygons, take a label map apart, load a file.

Each is measured by itself, beside our way of the same part, and its answers are compared with ours.
"""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from pytest_benchmark.fixture import BenchmarkFixture

import tfdp_fast as tfdp
from bench_data import Masks, decode, made_polygons, real_masks, rle_masks, strings
from child import Child, run_python
from coco_like import CocoFiles
from contest import OURS, Contender, contest
from drawn import draw_label_map

FILLERS = ["pycocotools.mask", "faster_coco_eval.core.mask", "hotcoco.mask"]
LOADERS = ["pycocotools.coco", "faster_coco_eval", "hotcoco"]


def polygons_of_coco() -> Masks:
    return real_masks("coco_val2014_100.json") or made_polygons()


def test_decoding(benchmark: BenchmarkFixture) -> None:
    rlemasklib = pytest.importorskip("rlemasklib")
    masks = rle_masks()
    arguments = strings(masks)
    rles = [rle | {"counts": rle["counts"].encode()} for rle in masks.segmentations]
    (counts, offsets), answers = contest(
        benchmark,
        f"RLE to counts, {masks.name}",
        partial(decode, *arguments),
        [Contender("rlemasklib", lambda: [rlemasklib.decompress(rle)["ucounts"] for rle in rles])],
        work=masks.work(),
        repeat=5,
        note="Ours takes all strings in one call, rlemasklib one at a time.",
    )
    for theirs, (begin, end) in zip(answers["rlemasklib"], pairwise(offsets), strict=True):
        np.testing.assert_array_equal(theirs, counts[begin:end])


def fill_all(module: Any, masks: Masks) -> list[bytes]:
    """Polygons to RLE with the interface of pycocotools."""
    return [
        module.merge(module.frPyObjects(polygons, height, width))["counts"]
        for polygons, (height, width) in zip(masks.segmentations, masks.sizes.tolist(), strict=True)
    ]


def rlemasklib_fill_all(rlemasklib: Any, masks: Masks) -> list[bytes]:
    filled = []
    for polygons, size in zip(masks.segmentations, masks.sizes.tolist(), strict=True):
        parts = [rlemasklib.from_polygon(np.asarray(polygon), imshape=size) for polygon in polygons]
        filled.append((rlemasklib.union(parts) if len(parts) > 1 else parts[0])["counts"])
    return filled


@pytest.mark.parametrize("module", [*FILLERS, "rlemasklib"])
def test_polygons_to_rle(benchmark: BenchmarkFixture, module: str) -> None:
    peer = pytest.importorskip(module)
    fill = rlemasklib_fill_all if module == "rlemasklib" else fill_all
    masks = polygons_of_coco()
    ours, answers = contest(
        benchmark,
        f"polygons to RLE, {masks.name}",
        partial(tfdp.to_rle, masks.segmentations, masks.sizes),
        [Contender(module.partition(".")[0], partial(fill, peer, masks), repeat=3)],
        work=masks.work(),
        repeat=3,
    )
    (theirs,) = answers.values()
    assert [rle["counts"].encode() for rle in ours] == theirs


def test_label_map(benchmark: BenchmarkFixture) -> None:
    rlemasklib = pytest.importorskip("rlemasklib")
    label_map = draw_label_map(40, 1024, 2048)
    (labels, counts), answers = contest(
        benchmark,
        "label map, 1024 x 2048, 40 instances",
        partial(tfdp.measure_labels, label_map),
        [Contender("rlemasklib", lambda: rlemasklib.RLEMask.from_label_map(label_map), repeat=5)],
        work={"map": 1, "instances": len(np.unique(label_map)) - 1},
        repeat=5,
        note="Ours measures; rlemasklib makes an RLE of each instance, which would have to be measured then.",
    )
    masks = [answers["rlemasklib"][label].to_dict() for label in labels.tolist()]
    assert tfdp.measure(masks) == counts


def load_alone(module: str, path: str) -> Child:
    code = "import sys, importlib; coco = importlib.import_module(sys.argv[1]).COCO(sys.argv[2])"
    return run_python("-c", f"{code}; print(len(coco.getAnnIds()))", module, path)


@pytest.mark.parametrize("module", LOADERS)
def test_loading(benchmark: BenchmarkFixture, coco_images: int, coco_files: CocoFiles, module: str) -> None:
    pytest.importorskip(module)
    file = coco_files(coco_images // 10)
    score = "import sys, tfdp_fast; print(len(tfdp_fast.score(sys.argv[1]).instances))"
    ours, answers = contest(
        benchmark,
        f"a file of {file.bytes / 1e6:.0f} MB, whole process",
        Contender(f"{OURS}: load and score", partial(run_python, "-c", score, str(file.path)), seconds_of),
        [Contender(f"{module}: load", partial(load_alone, module, str(file.path)), seconds_of)],
        work={"annotations": file.annotations, "bytes": file.bytes},
        warm=False,
    )
    (theirs,) = answers.values()
    assert int(ours.output) == int(theirs.output.split()[-1]) - file.crowds


def seconds_of(child: Child, _: float) -> float:
    return child.seconds
