"""The statistics of a data set, against plain Python, NumPy and pycocotools."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools.coco import COCO

import tfdp_fast as tfdp
from official_support import BAR, made
from tfdp_fast.report.areas import areas_of
from tfdp_fast.report.distributions import bins_for, distribution_of
from tfdp_fast.report.statistics import Statistics
from tfdp_fast.scores import Variant
from voc_support import IMAGES, make_voc
from yolo_support import write_yolo

LINE = [[2, 3, 8, 3, 8, 4, 2, 4]]
"""One pixel high: it encloses no area."""


def box(x: int, y: int, width: int, height: int) -> list[list[int]]:
    return [[x, y, x + width, y, x + width, y + height, x, y + height]]


def data_of(
    *instances: tuple[int, int, Any], images: int = 3, size: tuple[int, int] = (10, 20), **more: Any
) -> dict[str, Any]:
    """A data set of three classes: of each instance its image, its class and its segmentation."""
    return {
        "images": [{"id": i, "height": size[0], "width": size[1]} for i in range(images)],
        "categories": [{"id": 1, "name": "cat"}, {"id": 2, "name": "dog"}, {"id": 3, "name": "emu"}],
        "annotations": [
            {"id": number, "image_id": image, "category_id": category, "segmentation": segmentation, **more}
            for number, (image, category, segmentation) in enumerate(instances)
        ],
    }


@pytest.fixture(name="small")
def small_fixture() -> Statistics:
    """By hand: five instances in two of three images; one of them is a line."""
    return tfdp.statistics(
        data_of(
            (0, 1, box(0, 0, 10, 10)),  # 100 pixels, half of the image; A = 81, P = 36
            (0, 1, box(0, 0, 5, 2)),  # 10 pixels, 5 %; A = 4, P = 10
            (0, 2, box(0, 0, 20, 10)),  # all 200; A = 171, P = 56
            (2, 1, box(3, 3, 3, 3)),  # 9 pixels, 4.5 %; A = 4, P = 8
            (2, 2, LINE),  # 6 pixels, 3 %
        ),
        k=1,
    )


def test_counts_by_hand(small: Statistics) -> None:
    assert (small.images, small.annotated, small.scored) == (3, 2, 2)
    assert (small.instances, small.degenerate, small.crowd, small.ignored) == (5, 1, 0, 0)
    per_image = small.instances_per_image
    assert (per_image.n, per_image.min, per_image.median, per_image.mean, per_image.max) == (
        2,
        2,
        2.5,
        2.5,
        3,
    )
    assert (per_image.histogram.edges.tolist(), per_image.histogram.counts.tolist()) == ([2, 3, 4], [1, 1])


def test_classes_by_hand(small: Statistics) -> None:
    classes = small.classes
    assert classes.name.tolist() == ["cat", "dog", "emu"]
    assert classes.instances.tolist() == [3, 2, 0]
    assert classes.images.tolist() == [2, 2, 0]
    assert classes.share.tolist() == [0.6, 0.4, 0.0]
    square = 2 / math.sqrt(math.pi)
    cats = [square, 10 / (2 * math.sqrt(4 * math.pi)), 8 / (2 * math.sqrt(4 * math.pi))]
    dog = 56 / (2 * math.sqrt(171 * math.pi))
    assert classes.si_scs_total.tolist() == pytest.approx([sum(cats), dog, 0])
    assert classes.scs_total.tolist() == pytest.approx([36 / 81 + 10 / 4 + 8 / 4, 56 / 171, 0])
    assert classes.mean_si_scs.tolist() == pytest.approx([sum(cats) / 3, dog / 2, math.nan], nan_ok=True)
    assert classes.by_instances().tolist() == [0, 1, 2]


def test_areas_by_hand(small: Statistics) -> None:
    areas = small.areas
    assert areas is not None
    expected = np.zeros(20, np.int64)
    expected[[0, 1, 10, 19]] = [2, 1, 1, 1]  # a bin holds its lower bound, the last one 100 % as well
    assert areas.counts.tolist() == expected.tolist()
    assert areas.percent.tolist() == (100 * expected / 5).tolist()
    assert (areas.median, areas.unsized) == (5.0, 0)
    assert (areas.small, areas.medium, areas.large) == (5, 0, 0)


def test_balance_by_hand(small: Statistics) -> None:
    balance = small.balance
    assert (balance.classes, balance.ratio) == (2, 1.5)
    entropy = -0.6 * math.log(0.6) - 0.4 * math.log(0.4)
    assert balance.evenness == pytest.approx(entropy / math.log(2))
    [after] = balance.prunings
    assert (after.images, after.rate, after.random, after.instances) == (1, 0.5, 0.5, 3)
    assert after.class_instances.tolist() == [2, 1, 0]
    assert after.class_images.tolist() == [1, 1, 0]
    assert after.kept.tolist() == pytest.approx([2 / 3, 1 / 2, math.nan], nan_ok=True)
    assert (after.vanished.tolist(), after.ratio) == ([], 2.0)


def test_a_class_vanishes() -> None:
    found = tfdp.statistics(
        data_of((0, 1, box(0, 0, 9, 3)), (1, 1, box(0, 0, 9, 9)), (2, 2, LINE), (2, 1, LINE)), k=1
    )
    [after] = found.balance.prunings
    assert (after.vanished.tolist(), after.ratio, after.evenness) == ([1], None, 0.0)
    assert found.to_dict()["balance"]["prunings"][0]["kept"] == [1 / 3, 0.0, None]


def test_shares_of_the_image_are_decided_in_whole_numbers() -> None:
    pixels = np.arange(1, 101)
    found = areas_of(pixels, np.full((100, 2), 10, np.int32))
    assert found.counts.tolist() == [4] + [5] * 18 + [6]
    huge = np.array([(1 << 31) * 5, (1 << 31) * 5 - 1])
    found = areas_of(huge, np.array([[100, (1 << 31) - 1], [100, (1 << 31) - 1]], np.int32))
    assert np.flatnonzero(found.counts).tolist() == [1]


def test_sizes_as_coco_has_them() -> None:
    pixels = np.array([1, 1023, 1024, 1024, 1025, 9215, 9216, 9217])
    found = areas_of(pixels, np.full((8, 2), 100, np.int32))
    assert (found.small, found.medium, found.large) == (2, 4, 2)
    # pycocotools ignores `area < bounds[0] or area > bounds[1]`: both bounds are in the range
    ranges = [(0**2, 32**2), (32**2, 96**2), (96**2, 1e5**2)]
    counted = [sum(not (area < low or area > high) for area in pixels) for low, high in ranges]
    assert counted == [found.small + found.at_small, found.medium + found.at_medium, found.large]


def test_images_without_a_size() -> None:
    data = data_of((0, 1, box(0, 0, 5, 5)), (1, 1, [[0, 0, 4, 0, 4, 4]]))
    data["images"][1]["height"] = 0
    areas = tfdp.statistics(data).areas
    assert areas is not None
    assert (areas.unsized, areas.counts.sum(), areas.percent.sum()) == (1, 1, 100)
    assert areas.small + areas.medium + areas.large == 2


def assert_adds_up(found: Statistics) -> None:
    """What has to hold of any data set."""
    n = found.instances
    assert found.classes.instances.sum() == n == found.instances_per_image.total
    assert found.scored == found.instances_per_image.n <= found.annotated <= found.images
    assert (found.classes.images <= found.classes.instances).all()
    if found.areas is not None:
        areas = found.areas
        assert areas.counts.sum() + areas.unsized == n == areas.small + areas.medium + areas.large
        assert areas.percent.sum() == pytest.approx(100 if areas.counts.any() else 0)
    assert list(found.scores) == list(get_args(Variant))
    for scores in found.scores.values():
        assert (scores.instances.n, scores.images.n) == (n, found.scored)
        assert scores.instances.total == pytest.approx(scores.images.total)
        assert scores.instances.zeros == found.degenerate
        for values in (scores.instances, scores.images):
            assert values.zeros + values.histogram.counts.sum() == values.n
            assert len(values.histogram.edges) == len(values.histogram.counts) + 1
    assert found.scores["tfdp"].images.total == pytest.approx((found.classes.si_scs_total > 0).sum())
    for after in found.balance.prunings:
        assert after.class_instances.sum() == after.instances <= n
        assert (after.class_images <= found.classes.images).all()
        vanished = (after.class_instances == 0) & (found.classes.instances > 0)
        assert after.vanished.tolist() == np.flatnonzero(vanished).tolist()
    assert json.loads(json.dumps(found.to_dict(), allow_nan=False))["instances"] == n


@pytest.mark.parametrize(
    "data",
    [
        data_of(images=0),
        data_of(),
        {"images": [], "categories": [], "annotations": []},
        data_of((0, 1, box(0, 0, 5, 5)), images=1),
        data_of((0, 1, LINE), (0, 1, LINE), (1, 2, LINE)),
        data_of((0, 1, {"size": [10, 20], "counts": [0, 20, 180]}), iscrowd=1),
    ],
    ids=["no image", "no annotation", "nothing", "one", "all degenerate", "crowd only"],
)
def test_edges(data: dict[str, Any]) -> None:
    found = tfdp.statistics(data)
    assert_adds_up(found)
    assert len(found.balance.prunings) == 8
    scored = [a for a in data["annotations"] if not a.get("iscrowd")]
    assert (found.instances, found.crowd) == (len(scored), len(data["annotations"]) - len(scored))


def pixels_by_pycocotools(path: Path) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The pixels of the masks that are no crowd regions, and the sizes of their images."""
    coco = COCO(str(path))
    annotations = [a for a in coco.dataset["annotations"] if not a.get("iscrowd")]
    images = [coco.imgs[a["image_id"]] for a in annotations]
    areas = [int(coco.annToMask(a).sum()) for a in annotations]
    return np.array(areas), np.array([(image["height"], image["width"]) for image in images], np.int32)


@pytest.mark.parametrize("name", ["voc2012_train.json", "coco_val2014_100.json", "lvis_val_100.json"])
def test_real_annotations(name: str, shared_data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = shared_data / name
    found = tfdp.statistics(path)
    assert_adds_up(found)
    data = json.loads(path.read_bytes())
    scored = [a for a in data["annotations"] if not a.get("iscrowd")]
    assert (found.images, found.instances) == (len(data["images"]), len(scored))
    assert found.crowd == len(data["annotations"]) - len(scored)

    number = Counter(a["category_id"] for a in scored)
    pairs = Counter(category for category, _ in {(a["category_id"], a["image_id"]) for a in scored})
    ids = found.classes.id.tolist()
    assert ids == [category["id"] for category in data["categories"]]
    assert found.classes.instances.tolist() == [number[i] for i in ids]
    assert found.classes.images.tolist() == [pairs[i] for i in ids]

    pixels, sizes = pixels_by_pycocotools(path)
    capsys.readouterr()
    shares = [Fraction(int(a), int(h) * int(w)) for a, (h, w) in zip(pixels, sizes, strict=True)]
    bins = Counter(min(19, math.floor(20 * share)) for share in shares)
    assert found.areas is not None
    assert found.areas.counts.tolist() == [bins[i] for i in range(20)]
    assert found.areas.small == sum(area < 1024 for area in pixels)
    assert found.areas.large == sum(area >= 9216 for area in pixels)

    scores = {variant: tfdp.score(path, variant) for variant in get_args(Variant)}
    for variant, by in scores.items():
        assert by.instances is not None
        assert by.classes is not None
        for ours, values in (
            (found.scores[variant].instances, by.instances.score),
            (found.scores[variant].images, by.images.score[by.images.instances > 0]),
        ):
            assert (ours.min, ours.max, ours.median) == (values.min(), values.max(), np.median(values))
            assert ours.total == math.fsum(values)
            counts, _ = np.histogram(values[values > 0], ours.histogram.edges)
            assert ours.histogram.counts.tolist() == counts.tolist()
        totals = found.classes.si_scs_total if variant in {"si", "tfdp"} else found.classes.scs_total
        assert totals.tolist() == by.classes.total.tolist()
    for after, rate in zip(found.balance.prunings, range(20, 100, 10), strict=True):
        subset = tfdp.select(scores["tfdp"], rate=rate / 100)
        kept = set(subset.image_ids.tolist())
        number = Counter(a["category_id"] for a in scored if a["image_id"] in kept)
        assert (after.images, after.rate) == (subset.k, rate / 100)
        assert after.class_instances.tolist() == [number[i] for i in ids]


def test_the_preset(shared_data: Path) -> None:
    found = tfdp.statistics(shared_data / "voc2012_train.json", preset="official")
    assert_adds_up(found)
    assert (found.polygons, found.images, found.instances) == ("opencv", 1463, 3504)
    assert [after.images for after in found.balance.prunings[:4]] == [1170, 1024, 878, 732]
    assert found.balance.prunings[0].random == 1170 / 1463


def test_the_preset_leaves_out() -> None:
    tiny = {"image_id": 0, "area": 0, "segmentation": BAR}
    data = made(
        [{"image_id": i, "segmentation": BAR} for i in range(3)] + [tiny], [(40, 50), (31, 50), (40, 50)]
    )
    found = tfdp.statistics(data, preset="official")
    assert found.preset is not None
    assert (found.instances, found.scored, found.preset.images) == (2, 2, 2)
    assert found.areas is not None
    assert found.areas.counts.sum() == 2
    assert tfdp.statistics(data).instances == 4


def test_formats(tmp_path: Path) -> None:
    found = tfdp.statistics(make_voc(tmp_path / "voc", IMAGES))
    assert_adds_up(found)
    labels = [label_map for label_map, _ in IMAGES.values()]
    pixels = [int((m == value).sum()) for m in labels for value in range(1, 255) if (m == value).any()]
    sizes = [m.shape for m in labels for value in range(1, 255) if (m == value).any()]
    expected = areas_of(np.array(pixels), np.array(sizes, np.int32))
    assert found.areas is not None
    assert found.areas.counts.tolist() == expected.counts.tolist()

    data = data_of((0, 1, box(2, 2, 6, 6)), (1, 2, box(0, 0, 20, 10)), (1, 1, box(4, 4, 2, 2)))
    for i, image in enumerate(data["images"]):
        image["file_name"] = f"{i}.png"
    yolo, coco = tfdp.statistics(write_yolo(tmp_path / "yolo", data)), tfdp.statistics(data)
    assert_adds_up(yolo)
    assert yolo.format == "yolo"
    assert yolo.classes.instances.tolist() == coco.classes.instances.tolist() == [2, 1, 0]
    assert yolo.areas is not None
    assert coco.areas is not None
    assert yolo.areas.counts.tolist() == coco.areas.counts.tolist()


def records() -> Iterator[dict[str, Any]]:
    yield {"height": 9, "width": 9, "annotations": [{"segmentation": box(0, 0, 6, 6), "category_id": 1}]}


def test_what_cannot_be_read_twice() -> None:
    with pytest.raises(tfdp.DataError, match=r"areas=False, or --no-areas, does without") as refused:
        tfdp.statistics(records())
    assert str(refused.value).count("\n") == 0
    found = tfdp.statistics(records(), areas=False)
    assert (found.instances, found.areas, found.to_dict()["areas"]) == (1, None, None)
    assert_adds_up(found)


@pytest.mark.parametrize("threads", [2, 7])
def test_threads(threads: int, coco_dict: Any) -> None:
    data = coco_dict(images=3000, per_image=3)
    for number, annotation in enumerate(data["annotations"]):
        annotation["segmentation"] = [[1, 1, 2 + number % 23, 1, 8, 3 + number % 13]]
    assert tfdp.statistics(data, threads=threads).to_dict() == tfdp.statistics(data, threads=1).to_dict()


def test_set_aside(coco_dict: Any) -> None:
    data = coco_dict()
    data["annotations"][1]["segmentation"] = [[1, 2, 3]]
    with pytest.raises(tfdp.DataError):
        tfdp.statistics(data)
    found = tfdp.statistics(data, on_error="skip")
    assert (found.instances, len(found.problems)) == (5, 1)
    assert_adds_up(found)


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rate": 1.0}, "rate is the share to drop"),
        ({"rate": 0.5, "k": 1}, "one of rate, keep and k"),
        ({"k": 9}, "9 images cannot be kept: 3 are scored"),
        ({"variant": "best"}, "variant must be"),
        ({"threads": 0}, "threads"),
    ],
)
def test_bad_options(options: dict[str, Any], reason: str, coco_dict: Any) -> None:
    with pytest.raises(tfdp.OptionError, match=reason):
        tfdp.statistics(coco_dict(), **options)


def test_pruned_by_a_variant(coco_dict: Any) -> None:
    data = coco_dict(images=9, per_image=1)
    for number, annotation in enumerate(data["annotations"]):
        annotation["segmentation"] = box(0, 0, 3 + number, 10)
    for variant in get_args(Variant):
        scores = tfdp.score(data, variant)
        kept = set(tfdp.select(scores, keep=1 / 3).image_ids.tolist())
        left = Counter(a["category_id"] for a in data["annotations"] if a["image_id"] in kept)
        [after] = tfdp.statistics(data, variant, keep=Fraction(1, 3)).balance.prunings
        assert after.class_instances.tolist() == [left[5], left[6]]


@given(st.lists(st.one_of(st.just(0.0), st.floats(1e-9, 1e9)), max_size=30))
def test_distributions(values: list[float]) -> None:
    column = np.array(values, np.float64)
    found = distribution_of(column)
    histogram = found.histogram
    assert found.n == len(values) == found.zeros + histogram.counts.sum()
    assert (np.diff(histogram.edges) > 0).all()
    assert len(histogram.counts) <= 45
    positive = sorted(value for value in values if value)
    if not positive:
        assert len(histogram.counts) == 0
        return
    assert histogram.counts[0] > 0
    assert histogram.counts[-1] > 0
    expected = [
        sum(low <= value < high for value in positive)
        for low, high in zip(histogram.edges[:-1], histogram.edges[1:], strict=True)
    ]
    assert histogram.counts.tolist() == expected
    assert found.total == math.fsum(values)
    assert (found.lower, found.upper) == tuple(np.quantile(column, (0.25, 0.75)))
    differences = math.fsum(abs(a - b) for a in values for b in values)
    assert found.gini == pytest.approx(differences / (2 * len(values) * math.fsum(values)), abs=1e-9)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=20))
def test_bins_of_whole_numbers(values: list[int]) -> None:
    bins = bins_for(np.array(values))
    assert bins.scale == "linear"
    assert (bins.edges == np.floor(bins.edges)).all()
    assert bins.edges[0] <= min(values)
    assert max(values) < bins.edges[-1]
    if max(values) - min(values) <= 40:
        assert set(np.diff(bins.edges)) == {1.0}
