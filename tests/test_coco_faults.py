"""COCO and LVIS: what is refused, and in which words."""

from __future__ import annotations

import json
import os
import tracemalloc
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from coco_support import (
    NO_ROWS,
    Make,
    filtered,
    refusal,
    subset_bytes,
    text_of,
)
from tfdp_fast.formats.coco import read_coco


def test_paths_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "empty").touch()
    for path, reason in [
        (tmp_path / "no.json", "cannot be read: No such file or directory"),
        (tmp_path, "cannot be read: Is a directory"),
        (tmp_path / "empty", "is empty"),
    ]:
        assert str(refusal(path)) == f"{path}: {reason}"
    assert "null byte" in str(refusal("a\0b"))
    if os.geteuid() != 0:
        (tmp_path / "empty").chmod(0)
        assert refusal(tmp_path / "empty").reason == "cannot be read: Permission denied"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"", "is empty"),
        (b" \n ", "not JSON: it ends too early at byte 3, line 2"),
        (b'{"images": [', "not JSON: it ends too early at byte 12, line 1"),
        (b'{\n"images": [}', "not JSON: invalid character at byte 13, line 2"),
        (b'{"a": 1}\n\nx', "not JSON: trailing characters at byte 11, line 3"),
        (b'{"a": NaN,\n}', "not JSON: trailing comma in object at byte 11, line 2"),
        (b'{"a": "\xff", "\xff": 1}', "not JSON: invalid UTF-8 at byte 7, line 1"),
        ("{}".encode("utf-16"), "not JSON: invalid character at byte 0, line 1"),
        (b'{"a": ' + b"[" * 9999 + b"]" * 9999 + b"}", "is nested too deeply"),
        (b"[]", "the top level is not a JSON object"),
        (b'"images"', "the top level is not a JSON object"),
        (b'[{"image_id": 1, "score": NaN}]', "the top level is not a JSON object"),
        (b"{}", 'has no "images" (needed are "images", "annotations" and "categories")'),
        (b'{"images": []}', 'has no "annotations" (needed are "images", "annotations" and "categories")'),
        (
            b'{"images": [], "annotations": []}',
            'has no "categories" (needed are "images", "annotations" and "categories")',
        ),
        (b'{"images": {}, "annotations": [], "categories": []}', '"images" is not an array'),
        (b'{"images": [], "annotations": null, "categories": []}', '"annotations" is not an array'),
        (b'{"images": [], "annotations": [], "categories": "c"}', '"categories" is not an array'),
        (
            b'{"images": [1], "images": [], "annotations": [], "categories": []}',
            'the key "images" is given twice at the top level',
        ),
        (
            b'{"categories": [], "images": [], "annotations": [], "categories": []}',
            'the key "categories" is given twice at the top level',
        ),
        (
            b'{"x": [], "images": [], "annotations": [], "categories": [], "\\u0078": {}}',
            'the key "x" is given twice at the top level',
        ),
    ],
)
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_faults_of_the_whole(text: bytes, reason: str, on_error: Any, tmp_path: Path) -> None:
    error = refusal(text, on_error=on_error)
    assert (error.source, error.record, error.reason) == ("<bytes>", None, reason)
    path = tmp_path / "a.json"
    path.write_bytes(text)
    assert str(refusal(path, on_error=on_error)) == f"{path}: {reason}"


def test_annotations_given_twice(coco_dict: Make) -> None:
    """The shortened text that shows the top level must show this, whichever list is the longer one."""
    source = text_of(coco_dict())
    annotations = text_of(coco_dict()["annotations"])
    for first in (b"[]", b"5", annotations, annotations[:-1] + b"," + annotations[1:]):
        text = b'{"annotations": ' + first + b", " + source[1:]
        assert refusal(text).reason == 'the key "annotations" is given twice at the top level'


@pytest.mark.parametrize("key", ["images", "annotations", "categories"])
def test_dict_without_a_list(coco_dict: Make, key: str) -> None:
    source = coco_dict()
    del source[key]
    message = f'<dict>: has no "{key}" (needed are "images", "annotations" and "categories")'
    assert str(refusal(source)) == message
    assert refusal({**source, key: {}}).reason == f'"{key}" is not an array'
    assert refusal(SimpleNamespace(dataset={})).reason.startswith('has no "images"')


SIDE = "a whole number from 0 to 536870912"
GONE = object()
IMAGE_FAULTS: list[tuple[str, dict[str, Any], str, str]] = [
    ("images", {"id": GONE}, "images[1]", 'has no "id"'),
    ("images", {"id": 1.0}, "images[1]", '"id" is 1.0, not a whole number or text'),
    ("images", {"id": True}, "images[1]", '"id" is true, not a whole number or text'),
    ("images", {"id": None}, "images[1]", '"id" is null, not a whole number or text'),
    ("images", {"id": [1]}, "images[1]", '"id" is an array, not a whole number or text'),
    ("images", {"id": 2**63}, "image 9223372036854775808", "its id is beyond 64 bits"),
    ("images", {"id": "11"}, "image 11", "its id is text, where other ids are a whole number"),
    ("images", {"id": 10}, "image 10", "its id is given twice, first to images[0]"),
    ("images", {"height": GONE}, "image 11", 'has no "height"'),
    ("images", {"width": GONE}, "image 11", 'has no "width"'),
    ("images", {"height": -1}, "image 11", f'"height" is -1, not {SIDE}'),
    ("images", {"width": 10.5}, "image 11", f'"width" is 10.5, not {SIDE}'),
    ("images", {"width": "10"}, "image 11", f'"width" is "10", not {SIDE}'),
    ("images", {"width": True}, "image 11", f'"width" is true, not {SIDE}'),
    ("images", {"height": None}, "image 11", f'"height" is null, not {SIDE}'),
    ("images", {"height": 2**29 + 1}, "image 11", f'"height" is 536870913, not {SIDE}'),
    ("images", {"file_name": 5}, "image 11", '"file_name" is 5, not text'),
    ("images", {"coco_url": {}}, "image 11", '"coco_url" is an object, not text'),
    ("categories", {"id": GONE}, "categories[1]", 'has no "id"'),
    ("categories", {"id": 5}, "category 5", "its id is given twice, first to categories[0]"),
    ("categories", {"id": 6.5}, "categories[1]", '"id" is 6.5, not a whole number or text'),
    ("categories", {"name": 5}, "category 6", '"name" is 5, not text'),
    ("categories", {"id": {}}, "categories[1]", '"id" is an object, not a whole number or text'),
]  # fmt: skip
ANNOTATION_FAULTS: list[tuple[dict[str, Any], str, str]] = [
    ({"id": GONE}, "annotations[1]", 'has no "id"'),
    ({"id": 1.5}, "annotations[1]", '"id" is 1.5, not a whole number or text'),
    ({"id": False}, "annotations[1]", '"id" is false, not a whole number or text'),
    ({"id": -(2**63) - 1}, "annotation -9223372036854775809", "its id is beyond 64 bits"),
    ({"id": "b"}, "annotation b", "its id is text, where other ids are a whole number"),
    ({"id": "b\n"}, 'annotation "b\\n"', "its id is text, where other ids are a whole number"),
    ({"id": 1}, "annotation 1", "its id is given twice, first to annotations[0]"),
    ({"image_id": GONE}, "annotation 2", 'has no "image_id"'),
    ({"image_id": 10.0}, "annotation 2", '"image_id" is 10.0, not a whole number or text'),
    ({"image_id": 99}, "annotation 2", "image_id 99 does not exist"),
    ({"image_id": 10**30}, "annotation 2", f"image_id {10**30} does not exist"),
    ({"image_id": "10"}, "annotation 2", 'image_id "10" does not exist'),
    ({"category_id": GONE}, "annotation 2", 'has no "category_id"'),
    ({"category_id": None}, "annotation 2", '"category_id" is null, not a whole number or text'),
    ({"category_id": 7}, "annotation 2", "category_id 7 does not exist"),
    ({"category_id": 7, "image_id": 99}, "annotation 2", "image_id 99 does not exist"),
    ({"segmentation": GONE}, "annotation 2", 'has no "segmentation"'),
    ({"iscrowd": "no"}, "annotation 2", '"iscrowd" is "no", not true, false or a number'),
    ({"iscrowd": "x" * 99}, "annotation 2", f'"iscrowd" is "{"x" * 56}..., not true, false or a number'),
    ({"ignore": [0]}, "annotation 2", '"ignore" is an array, not true, false or a number'),
]  # fmt: skip


def with_fault(source: dict[str, Any], list_name: str, change: dict[str, Any]) -> dict[str, Any]:
    record = {**source[list_name][1], **change}
    source[list_name][1] = {key: value for key, value in record.items() if value is not GONE}
    return source


@pytest.mark.parametrize(("list_name", "change", "record", "reason"), IMAGE_FAULTS)
@pytest.mark.parametrize("on_error", ["raise", "skip"])
def test_faults_of_images_and_categories(
    coco_dict: Make, list_name: str, change: dict[str, Any], record: str, reason: str, on_error: Any
) -> None:
    source = with_fault(coco_dict(), list_name, change)
    for form in (source, text_of(source)):
        error = refusal(form, on_error=on_error)
        assert (error.record, error.reason) == (record, reason)


@pytest.mark.parametrize(("change", "record", "reason"), ANNOTATION_FAULTS)
def test_faults_of_annotations(
    coco_dict: Make, tmp_path: Path, change: dict[str, Any], record: str, reason: str
) -> None:
    source = with_fault(coco_dict(), "annotations", change)
    path, out = tmp_path / "a.json", tmp_path / "out.json"
    path.write_bytes(text_of(source))
    for form in (source, text_of(source), path):
        error = refusal(form)
        assert (error.record, error.reason) == (record, reason)
        data = read_coco(form, on_error="skip")
        assert [(p.record, p.reason, p.row) for p in data.problems] == [(record, reason, 1)]
        assert data.annotation_ids.tolist() == [1, 3, 4, 5, 6]
        assert data.rows.tolist() == [0, 2, 3, 4, 5]
        assert data.image_index.tolist() == [0, 1, 1, 2, 2]
        assert data.records == 6
        assert data.segmentations(np.arange(5)).coordinates.tolist() == [1, 1, 8, 1, 8, 8] * 5
        assert data.write_subset(out, np.array([True, True, False]), np.array([1])) == 3
        kept = [source["annotations"][row] for row in (0, 2, 3)]
        expected = {**source, "images": source["images"][:2], "annotations": kept}
        assert json.loads(out.read_bytes()) == expected
        assert subset_bytes(data, [1, 1, 0]) == out.read_bytes()


@pytest.mark.parametrize("value", [None, 5, "a", [1]])
def test_records_that_are_no_objects(coco_dict: Make, value: Any) -> None:
    shown = "an array" if isinstance(value, list) else json.dumps(value)
    for list_name in ("images", "categories", "annotations"):
        source = coco_dict()
        source[list_name][1] = value
        for form in (source, text_of(source)):
            error = refusal(form)
            assert (error.record, error.reason) == (f"{list_name}[1]", f"is {shown}, not an object")


def test_many_faults_at_once(coco_dict: Make) -> None:
    source = coco_dict(images=5)
    rows: list[Any] = source["annotations"]
    rows[9] = 5
    del rows[8]["segmentation"]
    rows[7]["image_id"] = 99
    rows[6]["id"] = rows[5]["id"]
    rows[2]["iscrowd"] = "?"
    for form in (source, text_of(source)):
        data = read_coco(form, on_error="skip")
        assert [p.row for p in data.problems] == [2, 6, 7, 8, 9]
        assert data.rows.tolist() == [0, 1, 3, 4, 5]
        assert refusal(form).record == "annotation 3"  # types first, in order
    nothing_left = {**coco_dict(), "annotations": [5, {}]}
    data = read_coco(text_of(nothing_left), on_error="skip")
    assert len(data.problems) == 2
    assert data.annotation_ids.shape == (0,)
    assert json.loads(subset_bytes(data, [1, 1, 1]))["annotations"] == []


def test_whole_number_among_text(coco_dict: Make) -> None:
    source = coco_dict()
    for annotation in source["annotations"][1:]:
        annotation["id"] = str(annotation["id"])
    error = refusal(source)
    assert (error.record, error.reason) == (
        "annotation 1",
        "its id is a whole number, where other ids are text",
    )
    data = read_coco(text_of(source), on_error="skip")
    assert data.annotation_ids.tolist() == ["2", "3", "4", "5", "6"]


@pytest.mark.parametrize("bad", ["a\0", "x" * 2000])
def test_text_ids_that_no_column_holds(coco_dict: Make, bad: str) -> None:
    source = coco_dict()
    for annotation in source["annotations"]:
        annotation["id"] = f"a{annotation['id']}"
    source["annotations"][3]["id"] = bad
    for form in (source, text_of(source)):
        (problem,) = read_coco(form, on_error="skip").problems
        assert problem.reason == "its id ends with a NUL or is longer than 1024 characters"
        assert problem.row == 3


def test_more_digits_than_python_takes(coco_dict: Make) -> None:
    text = text_of(coco_dict()).replace(b'"id": 2,', b'"id": ' + b"9" * 5000 + b",")
    (problem,) = read_coco(text, on_error="skip").problems
    assert (problem.record, problem.row) == ("annotations[1]", 1)


def test_lookalikes_inside_records_do_not_count(coco_dict: Make) -> None:
    source = coco_dict()
    source["annotations"][0] |= {"images": [1], "annotations": {"segmentation": [[0]]}, "a": '], "images": ['}
    data = read_coco(text_of(source))
    assert data.segmentations(np.arange(6)).statuses.tolist() == [0] * 6
    assert json.loads(subset_bytes(data, [1, 0, 1])) == filtered(source, [1, 0, 1])
    text = text_of(source).replace(b'"segmentation": [[1.0', b'"segmentation": 5, "segmentation": [[1.0')
    assert read_coco(text).segmentations(np.arange(6)).statuses.tolist() == [0] * 6


def test_text_is_not_copied(coco_dict: Make, tmp_path: Path) -> None:
    source = coco_dict()
    source["annotations"][2]["padding"] = "x" * 20_000_000
    path, out = tmp_path / "a.json", tmp_path / "out.json"
    path.write_bytes(text_of(source))
    tracemalloc.start()
    try:
        data = read_coco(path)
        data.segmentations(np.arange(6))
        data.write_subset(out, np.array([True, True, False]), NO_ROWS)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 1_000_000
    assert out.stat().st_size > 20_000_000
