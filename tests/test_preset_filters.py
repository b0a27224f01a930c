"""The preset of the paper's authors: which annotations count, and which images."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import tfdp_fast as tfdp
from coco_support import text_of
from official_support import BAR, STAR, assert_same, made, official
from tfdp_fast.formats.dataset import OpenOptions
from tfdp_fast.formats.opening import open_dataset
from tfdp_fast.presets import CITYSCAPES, VOC, AppliedPreset
from tfdp_fast.scores import Variant
from tfdp_fast.scoring import score_dataset

VARIANTS: list[Variant] = ["scs", "si", "cb", "tfdp"]


# --- which annotations count --------------------------------------------------------------------------------

IMAGE_40_50 = [
    ({}, None),
    ({"area": 0}, "tiny"),
    ({"area": -1.5}, "tiny"),
    ({"area": 1e-9}, None),
    ({"bbox": [2, 3, 0.5, 25]}, "tiny"),
    ({"bbox": [2, 3, 28, 0.999]}, "tiny"),
    ({"bbox": [2, 3, 1, 1]}, None),
    ({"bbox": [50, 3, 28, 25]}, "outside"),  # touches the right border
    ({"bbox": [49.5, 3, 28, 25]}, None),
    ({"bbox": [2, 40, 28, 25]}, "outside"),
    ({"bbox": [2, 39.5, 28, 25]}, None),
    ({"bbox": [-28, 3, 28, 25]}, "outside"),
    ({"bbox": [-27.5, 3, 28, 25]}, None),
    ({"bbox": [2, -25, 28, 25]}, "outside"),
    ({"bbox": [2, 3, -4, 25]}, "outside"),
    ({"bbox": [2, 3, 0, 25], "area": 0}, "outside"),
    ({"category_id": 9}, "unknown_category"),
    ({"category_id": 9, "area": 0}, "tiny"),
    ({"category_id": 9, "bbox": [99, 3, 28, 25]}, "outside"),
    ({"image_id": 9}, "unknown_image"),
    ({"image_id": 9, "category_id": 9, "area": 0, "ignore": 1}, "unknown_image"),
    ({"ignore": 1}, "ignored"),
    ({"ignore": True, "area": 0}, "ignored"),
    ({"ignore": 1, "category_id": 9}, "ignored"),
    ({"ignore": 0}, None),
    ({"iscrowd": 1}, None),
    ({"iscrowd": 1, "area": 0}, "tiny"),
]


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(("change", "reason"), IMAGE_40_50)
def test_annotations(change: dict[str, Any], reason: str | None, as_text: bool) -> None:
    data = made([{}, change, {"category_id": 1, "segmentation": BAR}])
    scores = tfdp.score(text_of(data) if as_text else data, preset="official")
    assert_same(scores, official(data), data["annotations"])
    assert scores.preset is not None
    assert scores.ignored == (reason == "ignored")
    assert scores.preset.skipped == ({reason: 1} if reason not in {None, "ignored"} else {})
    assert scores.problems == []


NUMBERS = st.sampled_from([-60, -5, -0.5, 0, 0.5, 0.999, 1, 2, 28, 39.5, 40, 49.75, 50, 51])
ANNOTATIONS = st.fixed_dictionaries(
    {},
    optional={
        "image_id": st.integers(0, 5),
        "category_id": st.integers(0, 3),
        "bbox": st.tuples(*[NUMBERS] * 4).map(list),
        "area": st.sampled_from([-1, 0, 0.25, 300]),
        "iscrowd": st.integers(0, 1),
        "ignore": st.integers(0, 1),
        "segmentation": st.sampled_from([STAR, BAR, [[3, 3, 3, 20]], [[1, 1, 60, 1, 60, 31, 1, 31]]]),
    },
)
SIDES = st.sampled_from([31, 32, 40])


@given(
    annotations=st.lists(ANNOTATIONS, max_size=8),
    images=st.lists(st.tuples(SIDES, SIDES), max_size=4),
    names=st.sampled_from([("a", "b"), tuple(sorted(CITYSCAPES))]),
    variant=st.sampled_from(VARIANTS),
    as_text=st.booleans(),
)
def test_any_data_set(
    annotations: list[dict[str, Any]], images: Any, names: Any, variant: Variant, as_text: bool
) -> None:
    data = made(annotations, images, names)
    expected = official(data, variant, cityscapes=len(names) == 8)
    scores = tfdp.score(text_of(data) if as_text else data, variant, preset="official")
    assert_same(scores, expected, data["annotations"])
    assert scores.preset is not None
    left_out = sum(scores.preset.skipped.values()) + scores.ignored
    of_no_kept_image = sum(
        1
        for annotation in data["annotations"]
        if annotation["id"] not in expected.annotations and annotation["image_id"] not in expected.images
    )
    assert len(annotations) - len(expected.annotations) <= left_out + of_no_kept_image
    assert len(images) == scores.preset.images + sum(scores.preset.dropped.values())


@pytest.mark.parametrize("names", [sorted(VOC), sorted(VOC, reverse=True)])
def test_boxes_and_areas_of_voc_are_not_looked_at(names: list[str]) -> None:
    data = made([{"area": 0}, {"bbox": None}, {"ignore": 1}, {"category_id": 99}], names=names)
    scores = tfdp.score(data, preset="official")
    assert scores.instances is not None
    assert scores.instances.id.tolist() == [0, 1]
    assert scores.preset is not None
    assert scores.preset.skipped == {"unknown_category": 1}


# --- which images are kept ----------------------------------------------------------------------------------


def test_images() -> None:
    annotations: list[dict[str, Any]] = [
        {"image_id": 1},
        {"image_id": 2},
        {"image_id": 3},
        {"image_id": 4, "iscrowd": 1},
        {"image_id": 5, "ignore": 1},
        {"image_id": 6, "area": 0},
        {"image_id": 7, "category_id": 9},
        {"image_id": 8, "iscrowd": 1},
        {"image_id": 8},
    ]
    images = [(40, 50), (31, 50), (40, 31), (32, 32), *[(40, 50)] * 5]
    # Image 5 and 6 have an annotation of a class, though none that counts.
    for names, kept, dropped in (
        (("a", "b"), [3, 4, 5, 6, 8], {"unannotated": 2, "small": 2}),
        (sorted(CITYSCAPES), [3, 8], {"unannotated": 2, "small": 2, "crowd_only": 3}),
    ):
        data = made(annotations, images, names)
        scores = tfdp.score(data, preset="official")
        expected = official(data, cityscapes=len(names) == 8)
        assert expected.images == kept
        assert_same(scores, expected, data["annotations"])
        assert scores.preset == AppliedPreset(
            "official", len(kept), None, {"tiny": 1, "unknown_category": 1}, dropped
        )
        assert tfdp.select(scores, rate=0).image_ids.tolist() == [3, 8]
    assert scores.images.instances.tolist() == [0, 0, 0, 1, 0, 0, 0, 0, 1]


def test_a_data_set_without_stated_boxes() -> None:
    """What a reader of another format leaves to the preset."""
    data = made(
        [{"image_id": 0}, {"image_id": 1, "iscrowd": 1}, {"image_id": 2}], [(40, 50), (40, 50), (9, 50)]
    )
    for kind, images, dropped in (
        ("cityscapes", 1, {"unpaired": 6, "unannotated": 1, "small": 1, "crowd_only": 1}),
        ("yolo", 2, {"unpaired": 6, "unannotated": 1, "small": 1}),
    ):
        data["images"] = [*data["images"][:3], {"id": 3, "height": 40, "width": 50}]
        dataset = open_dataset(data)
        dataset.options = OpenOptions(preset="official")
        dataset.format, dataset.dropped = kind, {"unpaired": 6}
        scores = score_dataset(dataset, "tfdp", polygons=None, threads=1, progress=None)
        assert scores.preset == AppliedPreset("official", images, None, {}, dropped)
        assert scores.images.score.tolist() == [1, 0, 0, 0]


# --- boxes and areas that cannot be used --------------------------------------------------------------------

NO_BOXES: list[tuple[Any, str]] = [
    ({"bbox": None}, '"bbox" is not four numbers'),
    ({"bbox": [1, 2, 3]}, '"bbox" is not four numbers'),
    ({"bbox": [1, 2, 3, "4"]}, '"bbox" is not four numbers'),
    ({"bbox": [1, 2, 3, True]}, '"bbox" is not four numbers'),
    ({"bbox": [1, 2, 3, float("nan")]}, '"bbox" is not four numbers'),
    ({"bbox": [1, 2, 3, 10**400]}, '"bbox" is not four numbers'),
    ({"bbox": {"x": 1}}, '"bbox" is not four numbers'),
    ({"area": "12"}, '"area" is "12", not a number'),
    ({"area": None}, '"area" is null, not a number'),
    ({"area": float("inf")}, '"area" is Infinity, not a number'),
    ({"area": False}, '"area" is false, not a number'),
]


@pytest.mark.parametrize("block", [1, 1 << 22])
@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize(("change", "reason"), NO_BOXES)
def test_faults(change: Any, reason: str, as_text: bool, block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tfdp_fast.formats._coco_boxes.BLOCK", block)
    data = made([{}, {}, change, {"segmentation": BAR}])
    source = text_of(data) if as_text else data
    name = "<bytes>" if as_text else "<dict>"
    with pytest.raises(tfdp.DataError) as caught:
        tfdp.score(source, preset="official")
    assert str(caught.value) == f"{name}: annotation 2: {reason}"
    scores = tfdp.score(source, preset="official", on_error="skip")
    assert [(p.record, p.reason, p.row) for p in scores.problems] == [("annotation 2", reason, 2)]
    assert scores.instances is not None
    assert scores.instances.id.tolist() == [0, 1, 3]
    data["annotations"][2]["ignore"] = 1  # nobody looks at the box then
    assert tfdp.score(text_of(data) if as_text else data, preset="official").ignored == 1


@pytest.mark.parametrize("as_text", [False, True])
@pytest.mark.parametrize("key", ["bbox", "area"])
def test_a_file_that_states_none(key: str, as_text: bool) -> None:
    data = made([{}])
    del data["annotations"][0][key]
    with pytest.raises(tfdp.DataError, match=f'annotation 0: has no "{key}", which the preset asks for'):
        tfdp.score(text_of(data) if as_text else data, preset="official")


def test_numbers_and_arrays_of_numpy() -> None:
    data = made(
        [{"bbox": np.array([2, 3, 28, 25]), "area": np.float32(9)}, {"bbox": (2, 3, np.float64(0.5), 9)}]
    )
    scores = tfdp.score(data, preset="official")
    assert scores.preset is not None
    assert scores.preset.skipped == {"tiny": 1}


@pytest.mark.parametrize("block", [1, 300, 1 << 22])
def test_boxes_are_read_in_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """From a file too, which gives memory back, and where NaN stands in other keys."""
    monkeypatch.setattr("tfdp_fast.formats._coco_boxes.BLOCK", block)
    changes: list[dict[str, Any]] = [{"area": i % 3, "more": float("nan")} for i in range(20)]
    data = made(changes)
    scores = tfdp.score(text_of(data), preset="official")
    assert_same(scores, official(data), data["annotations"])


def test_a_fault_of_a_mask_counts_only_where_the_mask_does() -> None:
    data = made([{}, {"area": 0, "segmentation": "bad"}, {"category_id": 9, "segmentation": [[1]]}])
    scores = tfdp.score(data, preset="official")
    assert scores.preset is not None
    assert (scores.problems, scores.preset.skipped) == ([], {"tiny": 1, "unknown_category": 1})
    data["annotations"][1]["area"] = 1
    with pytest.raises(tfdp.DataError, match="annotation 1"):
        tfdp.score(data, preset="official")
