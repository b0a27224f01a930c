"""Scores of instances, classes and images, against the formulas of the paper written out."""

from __future__ import annotations

import copy
import json
import math
import random
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools import _mask as coco_mask
from pycocotools import mask as coco

import tfdp_fast as tfdp
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats import _listed
from tfdp_fast.formats.dataset import Progress
from tfdp_fast.scores import Variant
from tfdp_fast.status import Status

VARIANTS: list[Variant] = ["scs", "si", "cb", "tfdp"]
POINTLESS = 90  # the class whose instances have no area
UNUSED = 91
SQUARE = [[0, 0, 9, 0, 9, 9, 0, 9]]
WITHOUT_AREA: list[Any] = [None, [], [[3, 4]], [[3, 4, 9, 4]], {"size": [20, 30], "counts": [45, 7, 548]}]


def random_data(seed: int, images: int = 12, annotations: int = 80) -> dict[str, Any]:
    """A data set with all there is: polygons, RLE, crowd regions, what is ignored and what has no area."""
    rng = random.Random(seed)
    image_ids = rng.sample(range(1000), images)
    records = []
    for annotation_id in rng.sample(range(5000), annotations):
        height, width = 20, 30
        x, y, w, h = rng.uniform(-5, 25), rng.uniform(-5, 15), rng.uniform(2, 25), rng.uniform(2, 25)
        speckle = np.random.default_rng(annotation_id).random((height, width)) < rng.random()
        rle = coco.encode(np.asfortranarray(speckle.astype(np.uint8)))
        segmentation, category = rng.choice(
            [
                ([[x, y, x + w, y, x + w, y + h, x, y + h]], rng.choice([3, 5, 8, 40])),
                ([[x, y, x + w, y + 1, x + 2, y + h], [x + w, y, x + w + 6, y, x + w, y + h]], 5),
                ({"size": rle["size"], "counts": rle["counts"].decode()}, rng.choice([3, 8])),
                (rng.choice(WITHOUT_AREA), rng.choice([3, POINTLESS])),
            ]
        )
        records.append(
            {
                "id": annotation_id,
                "image_id": rng.choice(image_ids[1:]),  # the first image has none
                "category_id": category,
                "segmentation": segmentation,
                "iscrowd": int(rng.random() < 0.1),
                "ignore": int(rng.random() < 0.1),
            }
        )
    return {
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 20, "width": 30} for i in image_ids],
        "annotations": records,
        "categories": [{"id": c, "name": f"class {c}"} for c in (40, 3, UNUSED, 5, POINTLESS, 8)],
    }


def counts_of(segmentation: Any, opencv: Any) -> tuple[int, int, int]:
    if not segmentation:
        return 0, 0, 0
    if isinstance(segmentation, list):
        rle = coco.merge(coco_mask.frPoly(segmentation, 20, 30))
    elif isinstance(segmentation["counts"], list):
        rle = coco.frPyObjects(segmentation, 20, 30)
    else:
        rle = segmentation
    counts: tuple[int, int, int] = opencv.counts(coco.decode(rle))
    return counts


class ByThePaper:
    """The method, slow and obvious: sums are exact, so that not a bit may differ."""

    def __init__(self, data: dict[str, Any], variant: Variant, opencv: Any) -> None:
        self.counts: dict[int, tuple[int, int, int]] = {}
        self.shape: dict[int, float] = {}
        self.annotations = dict.fromkeys((image["id"] for image in data["images"]), 0)
        self.instances = self.annotations.copy()
        by_class: dict[int, list[float]] = {category["id"]: [] for category in data["categories"]}
        scored = []
        for annotation in data["annotations"]:
            if annotation["ignore"]:
                continue
            self.annotations[annotation["image_id"]] += 1
            if annotation["iscrowd"]:
                continue
            self.instances[annotation["image_id"]] += 1
            straight, diagonal, area2 = counts_of(annotation["segmentation"], opencv)
            perimeter, area = straight + math.sqrt(2) * diagonal, area2 / 2
            shape = 0.0
            if area > 0:
                invariant = variant in {"si", "tfdp"}
                shape = perimeter / (2 * math.sqrt(math.pi * area)) if invariant else perimeter / area
            self.counts[annotation["id"]] = straight, diagonal, area2
            self.shape[annotation["id"]] = shape
            by_class[annotation["category_id"]].append(shape)
            scored.append(annotation)
        self.total = {category: math.fsum(shapes) for category, shapes in by_class.items()}
        self.class_instances = {category: len(shapes) for category, shapes in by_class.items()}
        self.score: dict[int, float] = {}
        by_image = defaultdict(list)
        for annotation in scored:
            score = self.shape[annotation["id"]]
            if variant in {"cb", "tfdp"}:
                total = self.total[annotation["category_id"]]
                score = score / total if total > 0 else 0.0
            self.score[annotation["id"]] = score
            by_image[annotation["image_id"]].append(score)
        self.image_score = {image: math.fsum(by_image[image]) for image in self.annotations}


def column(table: Any, name: str) -> dict[Any, Any]:
    return dict(zip(table.id.tolist(), getattr(table, name).tolist(), strict=True))


def assert_same_scores(ours: tfdp.Scores, theirs: tfdp.Scores) -> None:
    """Equal to the bit, whatever the order of the records."""
    for name in ("images", "instances", "classes"):
        a, b = getattr(ours, name), getattr(theirs, name)
        for field in a.columns():
            assert column(a, field) == column(b, field), (name, field)
    assert (ours.crowd, ours.ignored, ours.variant) == (theirs.crowd, theirs.ignored, theirs.variant)


# --- against the paper --------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(4))
def test_scores_are_those_of_the_paper(seed: int, variant: Variant, opencv: Any) -> None:
    data = random_data(seed)
    expected = ByThePaper(data, variant, opencv)
    assert expected.total[POINTLESS] == 0 < expected.class_instances[POINTLESS]
    scores = tfdp.score(data, variant)
    images, instances, classes = scores.images, scores.instances, scores.classes
    assert instances is not None
    assert classes is not None

    assert images.id.tolist() == [image["id"] for image in data["images"]]
    assert images.file_name.tolist() == [image["file_name"] for image in data["images"]]
    assert column(images, "annotations") == expected.annotations
    assert column(images, "instances") == expected.instances
    assert column(images, "score") == expected.image_score

    assert instances.id.tolist() == list(expected.shape)
    counts = zip(
        instances.straight.tolist(), instances.diagonal.tolist(), instances.area2.tolist(), strict=True
    )
    assert dict(zip(instances.id.tolist(), counts, strict=True)) == expected.counts
    assert column(instances, "shape") == expected.shape
    assert column(instances, "score") == expected.score
    records = {annotation["id"]: annotation for annotation in data["annotations"]}
    assert instances.image_id.tolist() == [records[i]["image_id"] for i in instances.id.tolist()]
    assert instances.category_id.tolist() == [records[i]["category_id"] for i in instances.id.tolist()]

    assert classes.id.tolist() == [category["id"] for category in data["categories"]]
    assert classes.name.tolist() == [category["name"] for category in data["categories"]]
    assert column(classes, "total") == expected.total
    assert column(classes, "instances") == expected.class_instances
    assert (scores.variant, scores.polygons, scores.problems) == (variant, "coco", [])
    if variant in {"cb", "tfdp"}:
        some = sum(total > 0 for total in expected.total.values())
        assert images.score.sum() == pytest.approx(some, abs=1e-9)


def test_tfdp_and_coco_are_the_defaults() -> None:
    data = random_data(0)
    assert_same_scores(
        tfdp.score(data), tfdp.score(data, "tfdp", polygons="coco", on_error="raise", threads=1)
    )


def test_polygons_in_opencv_s_convention() -> None:
    data = random_data(0)
    coco_scores, opencv_scores = tfdp.score(data), tfdp.score(data, polygons="opencv")
    assert opencv_scores.polygons == "opencv"
    assert opencv_scores.instances is not None
    assert coco_scores.instances is not None
    records = {annotation["id"]: annotation for annotation in data["annotations"]}
    masks = [records[i]["segmentation"] for i in opencv_scores.instances.id.tolist()]
    counts = tfdp.measure(masks, (20, 30), polygons="opencv")
    assert opencv_scores.instances.area2.tolist() == counts.area2.tolist()
    assert opencv_scores.instances.area2.tolist() != coco_scores.instances.area2.tolist()


# --- the same bits ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("seed", range(3))
def test_order_changes_nothing(seed: int, variant: Variant) -> None:
    data = random_data(10 + seed)
    expected = tfdp.score(data, variant)
    rng = random.Random(seed)
    for name in ("annotations", "images", "categories"):
        rng.shuffle(data[name])
        scores = tfdp.score(data, variant)
        assert_same_scores(scores, expected)
        assert scores.images.id.tolist() == [image["id"] for image in data["images"]]


@pytest.mark.parametrize("threads", [1, 2, 7, None])
@pytest.mark.parametrize("chunk", [1, 7, 4096])
def test_threads_and_chunks_change_nothing(
    chunk: int, threads: int | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = random_data(20)
    expected = tfdp.score(data, threads=1)
    path = tmp_path / "data.json"
    path.write_text(json.dumps(data))
    monkeypatch.setattr(_listed, "CHUNK", chunk)
    assert_same_scores(tfdp.score(data, threads=threads), expected)
    assert_same_scores(tfdp.score(path, threads=threads), expected)


def test_a_split_data_set_has_the_same_totals() -> None:
    data = random_data(30)
    scores = tfdp.score(data)
    assert scores.classes is not None
    whole = tfdp.ClassTotals(category_ids=scores.classes.id.tolist())
    for part in range(3):
        shard = {**data, "annotations": data["annotations"][part::3]}
        instances = tfdp.score(shard).instances
        assert instances is not None
        totals = tfdp.ClassTotals()
        totals.add(
            instances.category_id,
            tfdp.BoundaryCounts(instances.straight, instances.diagonal, instances.area2),
        )
        whole.merge(totals)
    assert whole.category_ids == scores.classes.id.tolist()
    assert whole.totals.tolist() == scores.classes.total.tolist()
    assert whole.instances.tolist() == scores.classes.instances.tolist()


def test_the_source_is_not_changed() -> None:
    data = random_data(40)
    before = copy.deepcopy(data)
    tfdp.score(data)
    assert data == before


# --- what counts --------------------------------------------------------------------------------------------


def one_image(*annotations: dict[str, Any], categories: tuple[int, ...] = (1, 2)) -> dict[str, Any]:
    return {
        "images": [{"id": 7, "height": 20, "width": 20}, {"id": 8, "height": 20, "width": 20}],
        "annotations": [
            {"id": i, "image_id": 7, "category_id": 1, "segmentation": SQUARE, **annotation}
            for i, annotation in enumerate(annotations)
        ],
        "categories": [{"id": c, "name": str(c)} for c in categories],
    }


def test_crowd_regions_belong_to_their_image_only() -> None:
    scores = tfdp.score(one_image({}, {"iscrowd": 1}, {"iscrowd": 1, "category_id": 2, "image_id": 8}))
    assert scores.images.annotations.tolist() == [2, 1]
    assert scores.images.instances.tolist() == [1, 0]
    assert scores.images.score.tolist() == [1.0, 0.0]
    assert scores.instances is not None
    assert scores.classes is not None
    assert scores.instances.id.tolist() == [0]
    assert scores.classes.instances.tolist() == [1, 0]
    assert scores.classes.total.tolist() == [pytest.approx(2 / math.sqrt(math.pi)), 0.0]
    assert (scores.crowd, scores.ignored) == (2, 0)


def test_what_is_ignored_does_not_count() -> None:
    scores = tfdp.score(
        one_image(
            {}, {"ignore": 1}, {"ignore": 1, "iscrowd": 1, "image_id": 8}, {"ignore": True, "segmentation": 5}
        )
    )
    assert scores.images.annotations.tolist() == [1, 0]
    assert scores.images.instances.tolist() == [1, 0]
    assert scores.images.score.tolist() == [1.0, 0.0]
    assert (scores.crowd, scores.ignored, scores.problems) == (0, 3, [])


DEGENERATE: list[Any] = [
    None,
    [],
    [[]],
    [[3, 4]],
    [[3, 4, 9, 9]],
    [[3, 4, 9, 4, 5, 4]],
    {"size": [20, 20], "counts": [400]},
    {"size": [20, 20], "counts": [45, 7, 348]},
    {"size": [20, 20], "counts": "`<"},
]


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("segmentation", DEGENERATE, ids=str)
def test_no_area_scores_0_and_stays(segmentation: Any, variant: Variant) -> None:
    data = one_image({}, {"segmentation": segmentation}, {"segmentation": segmentation, "category_id": 2})
    scores = tfdp.score(data, variant)
    assert scores.instances is not None
    assert scores.classes is not None
    assert scores.instances.id.tolist() == [0, 1, 2]
    assert scores.instances.area2[1:].tolist() == [0, 0]
    assert scores.instances.shape[1:].tolist() == scores.instances.score[1:].tolist() == [0.0, 0.0]
    assert scores.images.instances.tolist() == [3, 0]
    assert scores.classes.instances.tolist() == [2, 1]
    assert scores.classes.total[1] == 0.0
    assert scores.images.score.tolist() == tfdp.score(one_image({}), variant).images.score.tolist()


@pytest.mark.parametrize("variant", VARIANTS)
def test_nothing_at_all(variant: Variant) -> None:
    scores = tfdp.score({"images": [], "annotations": [], "categories": []}, variant)
    assert scores.instances is not None
    assert scores.classes is not None
    assert len(scores.images) == len(scores.instances) == len(scores.classes) == 0
    scores = tfdp.score(one_image(), variant)
    assert scores.images.score.tolist() == [0.0, 0.0]
    assert scores.classes is not None
    assert scores.classes.total.tolist() == [0.0, 0.0]


def test_text_ids() -> None:
    names = {7: "b/7.jpg", 8: "é"}
    data = one_image({"iscrowd": 1}, {}, {"image_id": 8, "category_id": 2}, {"category_id": 2})
    text = copy.deepcopy(data)
    for image in text["images"]:
        image["id"] = names[image["id"]]
    for annotation in text["annotations"]:
        annotation["id"] = f"annotation-{annotation['id']}"
        annotation["image_id"] = names[annotation["image_id"]]
        annotation["category_id"] = f"class {annotation['category_id']}"
    for category in text["categories"]:
        category["id"] = f"class {category['id']}"
    scores = tfdp.score(text)
    assert scores.images.id.tolist() == ["b/7.jpg", "é"]
    assert scores.images.score.tolist() == tfdp.score(data).images.score.tolist() == [1.5, 0.5]
    assert scores.instances is not None
    assert scores.classes is not None
    assert scores.instances.id.tolist() == ["annotation-1", "annotation-2", "annotation-3"]
    assert scores.instances.image_id.tolist() == ["b/7.jpg", "é", "b/7.jpg"]
    assert scores.instances.category_id.tolist() == ["class 1", "class 2", "class 2"]
    assert scores.classes.id.tolist() == ["class 1", "class 2"]


# --- annotations that cannot be used ------------------------------------------------------------------------

BAD = [
    {"counts": [1]},
    [[1, 2, 3]],
    "5",
    [[1, 1, float("nan"), 1, 2, 2]],
    {"size": [20, 21], "counts": [420]},
]
REASONS = [
    Status.RUNS_DO_NOT_FILL_MASK,
    Status.COORDINATES_ODD,
    Status.SEGMENTATION_TYPE,
    Status.COORDINATE_NOT_FINITE,
    Status.SIZE_MISMATCH,
]


@pytest.mark.parametrize(("segmentation", "status"), list(zip(BAD, REASONS, strict=True)))
@pytest.mark.parametrize("more", [{}, {"iscrowd": 1}])
def test_raise(segmentation: Any, status: Status, more: dict[str, Any], tmp_path: Path) -> None:
    data = one_image({}, {"id": 17, "segmentation": segmentation, **more}, {"segmentation": "later"})
    path = tmp_path / "data.json"
    path.write_text(json.dumps(data))
    for source, name in ((data, "<dict>"), (path, str(path))):
        with pytest.raises(DataError) as caught:
            tfdp.score(source)
        error = caught.value
        assert (error.source, error.record, error.reason) == (name, "annotation 17", status.reason)
        assert str(error) == f"{name}: annotation 17: {status.reason}"


@pytest.mark.parametrize("threads", [1, 2])
@pytest.mark.parametrize("chunk", [1, 3, 4096])
def test_skip(chunk: int, threads: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_listed, "CHUNK", chunk)
    good = [{"id": 100 + i} for i in range(3)]
    bad: list[dict[str, Any]] = [{"id": 17 - i, "segmentation": mask} for i, mask in enumerate(BAD)]
    bad[3]["iscrowd"] = 1
    lost = {"id": 50, "image_id": 9}
    data = one_image(
        good[0], bad[0], lost, bad[1], {"ignore": 1, "id": 60}, bad[2], good[1], bad[3], bad[4], good[2]
    )
    scores = tfdp.score(data, on_error="skip", threads=threads)
    assert [(problem.row, problem.record, problem.reason) for problem in scores.problems] == [
        (1, "annotation 17", REASONS[0].reason),
        (2, "annotation 50", "image_id 9 does not exist"),
        (3, "annotation 16", REASONS[1].reason),
        (5, "annotation 15", REASONS[2].reason),
        (7, "annotation 14", REASONS[3].reason),
        (8, "annotation 13", REASONS[4].reason),
    ]
    assert_same_scores(scores, tfdp.score(one_image(*good, {"ignore": 1, "id": 60})))
    assert scores.images.annotations.tolist() == [3, 0]
    assert scores.crowd == 0


def test_skip_and_nothing_is_wrong() -> None:
    data = random_data(50)
    scores = tfdp.score(data, on_error="skip")
    assert scores.problems == []
    assert_same_scores(scores, tfdp.score(data))


# --- options ------------------------------------------------------------------------------------------------


def test_progress(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_listed, "CHUNK", 10)
    data = one_image(*[{}] * 24, {"ignore": 1}, {"iscrowd": 1})
    for threads in (1, 2, 7):
        calls: list[Progress] = []
        tfdp.score(data, threads=threads, progress=calls.append)
        assert calls == [Progress(1, done, 2, 25) for done in (10, 20, 25)]


def test_progress_may_stop_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_listed, "CHUNK", 10)

    def stop(progress: Progress) -> None:
        raise KeyboardInterrupt(f"{progress.annotations} of {progress.all_annotations}")

    for threads in (1, 2):
        with pytest.raises(KeyboardInterrupt, match="10 of 24"):
            tfdp.score(one_image(*[{}] * 24), threads=threads, progress=stop)


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"variant": "TFDP"}, "variant must be"),
        ({"variant": None}, "variant must be"),
        ({"polygons": "x"}, "polygons must be"),
        ({"on_error": "ignore"}, "on_error must be"),
        ({"threads": 0}, "threads must be"),
        ({"threads": True}, "threads must be"),
    ],
)
def test_options_are_checked_before_anything_is_read(options: dict[str, Any], what: str) -> None:
    with pytest.raises(OptionError, match=what):
        tfdp.score("/there/is/no/such/file.json", **options)
