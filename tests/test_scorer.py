"""Scoring single images against frozen class totals."""

from __future__ import annotations

import dataclasses
import json
import math
import pickle
from pathlib import Path
from typing import Any, get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfdp_fast as tfdp
from coco_support import REAL
from tfdp_fast.kernels.sums import balance, group_by_label, sum_groups
from tfdp_fast.masks import Polygons
from tfdp_fast.scores import Variant
from tfdp_fast.tables import ClassTable

SQUARE = [[0, 0, 9, 0, 9, 9, 0, 9]]
BAR = [[0, 0, 9, 0, 9, 3, 0, 3]]
LINE = [[2, 2, 7, 2]]
SIZE = (10, 10)
VARIANTS: tuple[Variant, ...] = get_args(Variant)
CONVENTIONS: tuple[Polygons, ...] = get_args(Polygons)


def totals_of(*masks: Any, ids: Any, shape: Any = "si_scs", polygons: Polygons = "coco") -> tfdp.ClassTotals:
    totals = tfdp.ClassTotals(shape)
    totals.add(ids, tfdp.measure(list(masks), SIZE, polygons=polygons))
    return totals


@pytest.fixture
def scorer() -> tfdp.Scorer:
    return tfdp.Scorer(totals_of(SQUARE, SQUARE, BAR, LINE, ids=[3, 3, 5, 8]))


def images_of(data: dict[str, Any]) -> list[tuple[int, list[Any], list[Any], tuple[int, int], list[int]]]:
    """Image id, masks, category ids, size, iscrowd of each image, as a data loader sees them."""
    of_image: dict[int, list[dict[str, Any]]] = {image["id"]: [] for image in data["images"]}
    for annotation in data["annotations"]:
        of_image[annotation["image_id"]].append(annotation)
    return [
        (
            image["id"],
            [annotation["segmentation"] for annotation in of_image[image["id"]]],
            [annotation["category_id"] for annotation in of_image[image["id"]]],
            (image["height"], image["width"]),
            [annotation.get("iscrowd", 0) for annotation in of_image[image["id"]]],
        )
        for image in data["images"]
    ]


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("polygons", CONVENTIONS)
def test_the_bits_of_score(shared_data: Path, name: str, variant: Variant, polygons: Polygons) -> None:
    scores = tfdp.score(shared_data / name, variant, polygons=polygons)
    assert scores.instances is not None
    scorer = tfdp.Scorer(scores, variant=variant, polygons=polygons)
    measured = []
    for masks_of_image, expected in zip(
        images_of(json.loads((shared_data / name).read_bytes())), scores.images.score.tolist(), strict=True
    ):
        _, masks, ids, size, crowd = masks_of_image
        assert scorer.image_score(masks, ids, size, iscrowd=crowd) == expected
        measured.append(scorer.instances(masks, ids, size, iscrowd=crowd).score[np.equal(crowd, 0)])
    by_instance = np.concatenate(measured)
    order = np.argsort([list(scores.images.id).index(i) for i in scores.instances.image_id], kind="stable")
    assert np.array_equal(by_instance, scores.instances.score[order])


def arithmetic(counts: list[tuple[int, int, int]], variant: Variant, weights: list[float]) -> float:
    """The score of one image as `score` computes it."""
    n = len(counts)
    measured = tfdp.BoundaryCounts.from_array(np.array(counts, np.int64).reshape(n, 3))
    values = measured.si_scs() if variant in {"si", "tfdp"} else measured.scs()
    scores = balance(values, np.arange(n), np.array(weights)) if variant in {"cb", "tfdp"} else values
    return float(sum_groups(scores, *group_by_label(np.zeros(n, np.int64), 1))[0])


number = st.integers(0, 2**40) | st.integers(0, 30)
counts = st.tuples(number, number, st.integers(0, 2**62) | st.integers(0, 30))
class_total = st.floats(1e-9, 1e9) | st.just(0.0)


@given(st.lists(st.tuples(counts, class_total), max_size=40), st.sampled_from(VARIANTS))
def test_the_arithmetic_of_score(drawn: list[tuple[tuple[int, int, int], float]], variant: Variant) -> None:
    """Over all counts, also those of masks that are too large to be made here."""
    measured, weights = [c for c, _ in drawn], [w for _, w in drawn]
    ids, none = np.arange(len(drawn)), np.zeros(len(drawn), np.int64)
    classes = ClassTable(
        id=ids, name=np.array([str(i) for i in ids], object), instances=none, total=np.array(weights)
    )
    images = tfdp.score({"images": [], "categories": [], "annotations": []}).images
    scorer = tfdp.Scorer(tfdp.Scores(images, None, classes, variant, "coco"), variant=variant)
    with pytest.MonkeyPatch.context() as patch:
        array = np.array(measured, np.int64).reshape(-1, 3)
        patch.setattr("tfdp_fast.scorer.measure_image", lambda *_: array)
        found = scorer.image_score([], ids, None)
        columns = scorer.instances([], ids, None)
    assert found == columns.image_score == arithmetic(measured, variant, weights)


@given(st.lists(st.floats(0, 1e30) | st.floats(0, 1.0), max_size=50))
def test_fsum_is_what_the_kernel_computes(values: list[float]) -> None:
    array = np.array(values, np.float64)
    order, offsets = np.arange(len(values)), np.array([0, len(values)])
    assert math.fsum(values) == sum_groups(array, order, offsets)[0]


# --- what it takes ------------------------------------------------------------------------------------------


def test_an_empty_image(scorer: tfdp.Scorer) -> None:
    empty: list[Any] = [[], (), np.empty((0, 10, 10), np.uint8)]
    for masks in empty:
        assert scorer.image_score(masks, [], SIZE) == 0.0
        scored = scorer.instances(masks, [], SIZE)
        assert (len(scored), scored.score.dtype, scored.image_score) == (0, np.dtype(float), 0.0)


def test_masks_in_any_form(scorer: tfdp.Scorer) -> None:
    rles = tfdp.to_rle([SQUARE, BAR], SIZE)
    dense = np.zeros((2, 10, 10), bool)
    dense[0, :9, :9], dense[1, :3, :9] = True, True
    expected = scorer.image_score([SQUARE, BAR], [3, 5], SIZE)
    assert expected > 0
    forms: list[Any] = [rles, dense, dense.view(np.uint8), list(dense), [SQUARE, rles[1]], [dense[0], BAR]]
    for masks in forms:
        sizes: list[Any] = [SIZE, list(SIZE), np.array(SIZE), np.array([SIZE, SIZE]), (np.int64(10), 10)]
        for size in sizes:
            assert scorer.image_score(masks, [3, 5], size) == expected
            assert scorer.instances(masks, [3, 5], size).image_score == expected
    for masks in forms[:2]:
        assert scorer.image_score(masks, [3, 5], None) == expected
    assert scorer.image_score(rles[1], [5], None) == scorer.image_score([BAR], [5], SIZE)


@pytest.mark.parametrize("ids", [[3, 5], (3, 5), np.array([3, 5]), np.array([3, 5], np.uint8), iter([3, 5])])
def test_category_ids_in_any_form(scorer: tfdp.Scorer, ids: Any) -> None:
    assert scorer.instances([SQUARE, BAR], ids, SIZE).score.tolist() == [0.5, 1.0]


def test_category_ids_of_text() -> None:
    scorer = tfdp.Scorer(totals_of(SQUARE, BAR, ids=["b", "a"]))
    assert scorer.image_score([SQUARE, BAR], np.array(["b", "a"]), SIZE) == 2.0


@pytest.mark.parametrize("crowd", [[0, 1], (False, True), np.array([0, 1]), np.array([False, True])])
def test_crowd_regions_take_no_part(scorer: tfdp.Scorer, crowd: Any) -> None:
    assert scorer.image_score([SQUARE, SQUARE], [3, 99], SIZE, iscrowd=crowd) == 0.5
    scored = scorer.instances([SQUARE, SQUARE], [3, 99], SIZE, iscrowd=crowd)
    assert scored.score.tolist() == [0.5, 0.0]
    assert scored.counts == tfdp.measure([SQUARE, SQUARE], SIZE)
    assert scored.shape.tolist() == scored.counts.si_scs().tolist()
    plain = tfdp.Scorer(None, variant="scs")
    assert plain.instances([SQUARE, SQUARE], [3, 99], SIZE, iscrowd=crowd).score.tolist() == [0.5, 0.0]


def test_masks_without_area_and_classes_without_total(scorer: tfdp.Scorer) -> None:
    assert scorer.totals[8] == 0.0
    assert scorer.image_score([LINE, SQUARE, LINE], [8, 8, 3], SIZE) == 0.0
    assert scorer.instances([LINE, SQUARE, LINE], [8, 8, 3], SIZE).score.tolist() == [0.0] * 3


def test_variants_without_balance_need_no_totals() -> None:
    counts = tfdp.measure([SQUARE], SIZE)
    assert tfdp.Scorer(None, variant="scs").image_score([SQUARE], [1], SIZE) == counts.scs()[0]
    assert tfdp.Scorer(None, variant="si").image_score([SQUARE], ["?"], SIZE) == counts.si_scs()[0]


# --- what it refuses ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([SQUARE], [4]), "category 4 has no class total"),
        (([SQUARE], ["3"]), "category '3' has no class total"),
        (([SQUARE], [[3]]), "category ids are either whole numbers or text"),
        (([SQUARE], [3, 5]), "1 masks need as many category ids, got 2"),
        (([SQUARE, BAR], [3]), "2 masks need as many category ids, got 1"),
        (([SQUARE], 3), "category_ids must have a value for each mask, got 3"),
        (([SQUARE], "3"), "category_ids must have a value for each mask, got '3'"),
        (([SQUARE], np.int64(3)), f"category_ids must have a value for each mask, got {np.int64(3)!r}"),
    ],
)
def test_category_ids_that_make_no_sense(scorer: tfdp.Scorer, arguments: Any, message: str) -> None:
    masks, ids = arguments
    with pytest.raises(tfdp.OptionError) as caught:
        scorer.image_score(masks, ids, SIZE)
    assert str(caught.value) == message
    with pytest.raises(tfdp.OptionError) as caught:
        scorer.instances(masks, ids, SIZE)
    assert str(caught.value) == message


def test_crowd_flags_that_make_no_sense(scorer: tfdp.Scorer) -> None:
    with pytest.raises(tfdp.OptionError, match=r"^1 masks need as many values of iscrowd, got 2$"):
        scorer.image_score([SQUARE], [3], SIZE, iscrowd=[0, 1])
    with pytest.raises(tfdp.OptionError, match=r"^iscrowd must have a value for each mask, got True$"):
        scorer.image_score([SQUARE], [3], SIZE, iscrowd=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("size", [(10,), (10, 10, 3), (-1, 10), (10, 2**30), (10.0, 10), "10"])
def test_sizes_that_make_no_sense(scorer: tfdp.Scorer, size: Any) -> None:
    with pytest.raises(tfdp.OptionError, match=r"size must be|a height or a width"):
        scorer.image_score([SQUARE], [3], size)


def test_a_bad_mask_is_named(scorer: tfdp.Scorer) -> None:
    with pytest.raises(tfdp.MaskError, match=r"^mask 1: a polygon has an odd number of coordinates$"):
        scorer.image_score([SQUARE, [[1, 2, 3]]], [3, 3], SIZE)
    with pytest.raises(tfdp.MaskError, match=r"^mask 0: the size of the image is not known$"):
        scorer.instances([SQUARE], [3], None)


def test_totals_that_the_variant_cannot_use(tmp_path: Path) -> None:
    scs, si_scs = totals_of(SQUARE, ids=[3], shape="scs"), totals_of(SQUARE, ids=[3])
    refused: list[tuple[Any, Any, str]] = [
        (scs, {}, "variant 'tfdp' needs totals of si_scs, got totals of scs"),
        (si_scs, {"variant": "cb"}, "variant 'cb' needs totals of scs, got totals of si_scs"),
        (None, {}, "variant 'tfdp' needs class totals: ClassTotals, a file of them, or Scores, got None"),
        ({3: 1.0}, {}, "variant 'tfdp' needs class totals: .*, got {3: 1.0}"),
        (si_scs, {"variant": "best"}, "variant must be .*, got 'best'"),
        (si_scs, {"polygons": "best"}, "polygons must be .*, got 'best'"),
    ]
    for totals, options, message in refused:
        with pytest.raises(tfdp.OptionError, match=f"^{message}$"):
            tfdp.Scorer(totals, **options)
    with pytest.raises(tfdp.DataError, match="cannot be read: No such file or directory"):
        tfdp.Scorer(tmp_path / "none.json")


def test_scores_that_the_variant_cannot_use(tmp_path: Path, coco_dict: Any) -> None:
    scores = tfdp.score(coco_dict(), "scs")
    with pytest.raises(tfdp.OptionError, match="variant 'tfdp' cannot use the totals of scores by 'scs'"):
        tfdp.Scorer(scores)
    with pytest.raises(tfdp.OptionError, match="polygons are 'opencv', but in the scores 'coco'"):
        tfdp.Scorer(scores, variant="cb", polygons="opencv")
    scores.save(tmp_path / "scores.csv")
    with pytest.raises(tfdp.OptionError, match="these scores have no class totals"):
        tfdp.Scorer(tfdp.Scores.load(tmp_path / "scores.csv"), variant="cb")


# --- what it is ---------------------------------------------------------------------------------------------


def test_totals_from_anywhere_are_the_same(tmp_path: Path, coco_dict: Any) -> None:
    scores = tfdp.score(coco_dict())
    assert scores.instances is not None
    totals = tfdp.ClassTotals()
    columns = scores.instances
    totals.add(columns.category_id, tfdp.BoundaryCounts(columns.straight, columns.diagonal, columns.area2))
    totals.save(tmp_path / "totals")
    expected = tfdp.Scorer(totals).totals
    assert set(expected) == {5, 6}
    for source in (scores, tmp_path / "totals", str(tmp_path / "totals")):
        assert tfdp.Scorer(source).totals == expected


def test_it_does_not_change(scorer: tfdp.Scorer) -> None:
    totals = totals_of(SQUARE, ids=[3])
    frozen = tfdp.Scorer(totals)
    totals.add([3, 4], tfdp.measure([BAR, BAR], SIZE))
    assert frozen.totals == {3: tfdp.measure([SQUARE], SIZE).si_scs()[0]}
    for name in ("variant", "polygons", "totals", "more"):
        with pytest.raises(AttributeError):
            setattr(frozen, name, None)
    with pytest.raises(TypeError):
        frozen.totals[3] = 1.0  # type: ignore[index]
    with pytest.raises(dataclasses.FrozenInstanceError):
        scorer.instances([SQUARE], [3], SIZE).score = np.zeros(1)  # type: ignore[misc]


@pytest.mark.parametrize("polygons", CONVENTIONS)
def test_it_can_be_pickled(polygons: Polygons) -> None:
    scorer = tfdp.Scorer(totals_of(SQUARE, BAR, ids=[3, 5], shape="scs"), variant="cb", polygons=polygons)
    data = pickle.dumps(scorer)
    again = pickle.loads(data)
    assert (again.variant, again.polygons, again.totals) == ("cb", polygons, scorer.totals)
    assert again.image_score([BAR], [5], SIZE) == scorer.image_score([BAR], [5], SIZE) > 0
    assert len(data) < 400


def test_it_says_what_it_is(scorer: tfdp.Scorer) -> None:
    assert repr(scorer) == "Scorer(3 classes, variant='tfdp', polygons='coco')"
    assert repr(tfdp.Scorer(None, variant="si")) == "Scorer(variant='si', polygons='coco')"
