"""COCO and LVIS: what is read, NaN and a byte order mark included."""

from __future__ import annotations

import codecs
import contextlib
import copy
import gc
import json
import math
import os
import random
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coco_support import (
    NO_ROWS,
    REAL,
    Make,
    filtered,
    pycocotools_reads,
    refusal,
    subset_bytes,
    text_of,
)
from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationKind
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._coco_json import nonfinite_masked
from tfdp_fast.formats.coco import read_coco
from tfdp_fast.status import Status


@pytest.mark.parametrize("file_name", REAL)
def test_real_files_are_read_as_json_reads_them(shared_data: Path, file_name: str) -> None:
    path = shared_data / file_name
    parsed = json.loads(path.read_bytes())
    for data in (read_coco(path), read_coco(parsed), read_coco(path.read_bytes())):
        images, categories, annotations = parsed["images"], parsed["categories"], parsed["annotations"]
        assert data.image_ids.tolist() == [image["id"] for image in images]
        assert data.image_sizes.tolist() == [[image["height"], image["width"]] for image in images]
        assert data.image_sizes.dtype == np.int32
        assert data.file_names == [image["file_name"] for image in images]
        assert data.category_ids.tolist() == [category["id"] for category in categories]
        assert data.category_names == [category["name"] for category in categories]
        assert data.annotation_ids.tolist() == [annotation["id"] for annotation in annotations]
        assert data.image_ids[data.image_index].tolist() == [a["image_id"] for a in annotations]
        assert data.category_ids[data.category_index].tolist() == [a["category_id"] for a in annotations]
        assert data.crowd.tolist() == [bool(a.get("iscrowd", 0)) for a in annotations]
        assert data.rows.tolist() == list(range(len(annotations)))
        assert (data.records, data.ignored, data.problems) == (len(annotations), 0, [])


@pytest.mark.parametrize("file_name", REAL)
def test_segmentations_are_the_same_from_text_and_objects(shared_data: Path, file_name: str) -> None:
    path = shared_data / file_name
    data, objects = read_coco(path), read_coco(json.loads(path.read_bytes()))
    positions = np.random.default_rng(0).permutation(len(data.annotation_ids))
    ours, theirs = data.segmentations(positions), objects.segmentations(positions)
    for column in (
        "kinds", "statuses", "sizes", "coordinates", "polygon_offsets", "instance_offsets", "text",
        "text_offsets", "counts", "counts_offsets",
    ):  # fmt: skip
        assert np.array_equal(getattr(ours, column), getattr(theirs, column)), column
    assert not ours.statuses.any()
    assert np.array_equal(ours.sizes, data.image_sizes[data.image_index[positions]])


def test_several_threads_read_segmentations(shared_data: Path) -> None:
    data = read_coco(shared_data / REAL[0])
    positions = np.arange(len(data.annotation_ids))
    whole = data.segmentations(positions).coordinates
    with ThreadPoolExecutor(4) as pool:
        for part in pool.map(lambda _: data.segmentations(positions).coordinates, range(16)):
            assert np.array_equal(part, whole)


def test_what_may_be_missing_or_empty(coco_dict: Make) -> None:
    source: dict[str, Any] = {
        "images": [
            {"id": 1, "height": 4, "width": 5.0, "coco_url": "http://host.org/val2017/000000397133.jpg?x#y"},
            {"id": 2, "height": 0, "width": 0, "file_name": "b.jpg", "coco_url": "http://host.org/c.jpg"},
            {"id": 3, "height": 4, "width": 5, "file_name": None, "coco_url": "http://host.org"},
            {"id": 4, "height": 4, "width": 5},
        ],
        "categories": [{"id": 7}, {"id": 8, "name": None}, {"id": 9, "name": ""}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 7, "segmentation": None, "iscrowd": None},
            {"id": 2, "image_id": 1, "category_id": 7, "segmentation": [], "iscrowd": True, "ignore": 0},
            {"id": 3, "image_id": 1, "category_id": 7, "segmentation": [[1, 1, 2, 2, 3, 1]], "ignore": True},
            {"id": 4, "image_id": 4, "category_id": 9, "segmentation": [], "ignore": 1, "iscrowd": 1},
            {"id": 5, "image_id": 2, "category_id": 8, "segmentation": [], "ignore": False, "iscrowd": 0.0},
        ],
    }
    for data in (read_coco(source), read_coco(text_of(source))):
        assert data.file_names == ["val2017/000000397133.jpg", "b.jpg", None, None]
        assert data.category_names == ["7", "8", ""]
        assert data.image_sizes.tolist() == [[4, 5], [0, 0], [4, 5], [4, 5]]
        assert data.annotation_ids.tolist() == [1, 2, 5]
        assert data.rows.tolist() == [0, 1, 4]
        assert data.crowd.tolist() == [False, True, False]
        assert data.image_index.tolist() == [0, 0, 1]
        assert data.category_index.tolist() == [0, 0, 1]
        assert (data.records, data.ignored, data.problems) == (5, 2, [])
        batch = data.segmentations(np.arange(3))
        assert batch.kinds.tolist() == [SegmentationKind.EMPTY] * 3
        assert batch.statuses.tolist() == [Status.OK] * 3
        assert json.loads(subset_bytes(data, [1, 0, 0, 1])) == filtered(source, [1, 0, 0, 1])
    assert set(coco_dict()) >= {"images", "annotations", "categories"}


@pytest.mark.parametrize("options", [{}, {"indent": 1}])
def test_empty_lists(options: Any) -> None:
    source: dict[str, Any] = {"images": [], "annotations": [], "categories": []}
    for data in (read_coco(source), read_coco(text_of(source, **options))):
        assert data.image_ids.shape == data.category_ids.shape == data.annotation_ids.shape == (0,)
        assert data.image_sizes.shape == (0, 2)
        assert data.annotation_ids.dtype == np.int64
        assert data.segmentations(NO_ROWS).statuses.shape == (0,)
        assert json.loads(subset_bytes(data, [])) == source
    data = read_coco(text_of({**source, "images": [{"id": 1, "height": 1, "width": 1}]}, **options))
    assert json.loads(subset_bytes(data, [False])) == source


def test_ids_as_text(coco_dict: Make) -> None:
    source = coco_dict()
    for image in source["images"]:
        image["id"] = f"bild-{image['id']}é"
    for row, annotation in enumerate(source["annotations"]):
        annotation.update(id=f"a{row}", image_id=f"bild-{annotation['image_id']}é", category_id="5")
    source["categories"] = [{"id": "5"}]
    for data in (
        read_coco(source),
        read_coco(text_of(source)),
        read_coco(text_of(source, ensure_ascii=False)),
    ):
        assert data.image_ids.tolist() == ["bild-10é", "bild-11é", "bild-12é"]
        assert data.annotation_ids.tolist() == ["a0", "a1", "a2", "a3", "a4", "a5"]
        assert data.category_ids.dtype.kind == "U"
        assert data.image_index.tolist() == [0, 0, 1, 1, 2, 2]
        assert json.loads(subset_bytes(data, [0, 1, 0])) == filtered(source, [0, 1, 0])


def test_order_of_ids_does_not_matter(coco_dict: Make) -> None:
    source = coco_dict(images=50, per_image=3)
    random.Random(3).shuffle(source["images"])
    random.Random(4).shuffle(source["annotations"])
    data = read_coco(text_of(source))
    assert data.image_ids[data.image_index].tolist() == [a["image_id"] for a in source["annotations"]]


def test_names_and_kinds_of_sources(tmp_path: Path, coco_dict: Make) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text_of(coco_dict()))
    assert read_coco(str(path)).source == str(path)
    assert read_coco(path).source == str(path)
    assert read_coco(path, name="train").source == "train"
    assert read_coco(path.read_bytes()).source == "<bytes>"
    assert read_coco(bytearray(path.read_bytes()), name="<stdin>").source == "<stdin>"
    assert read_coco(coco_dict()).source == "<dict>"
    assert read_coco(SimpleNamespace(dataset=coco_dict())).source == "<COCO>"
    assert str(refusal(b"[]", name="<stdin>")) == "<stdin>: the top level is not a JSON object"
    assert str(refusal(7)) == "<int>: is neither a path, bytes, a dict nor a pycocotools COCO"
    with pytest.raises(OptionError, match="on_error must be 'raise' or 'skip', got 'warn'"):
        read_coco(path, on_error="warn")  # type: ignore[arg-type]


def test_reads_a_pipe(tmp_path: Path, coco_dict: Make) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        pool.submit(pipe.write_bytes, text_of(coco_dict()))
        data = read_coco(pipe)
    assert json.loads(subset_bytes(data, [1, 1, 1])) == coco_dict()


def test_objects_are_not_changed(coco_dict: Make, tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text_of(coco_dict()))
    coco = pycocotools_reads(path)
    before = copy.deepcopy(coco.dataset)
    data = read_coco(coco)
    coco.dataset["annotations"].append({"id": "later"})
    assert json.loads(subset_bytes(data, [1, 0, 1])) == filtered(before, [1, 0, 1])
    assert coco.dataset["annotations"].pop() == {"id": "later"}
    assert coco.dataset == before


def test_numbers_of_numpy_and_counts_as_bytes(coco_dict: Make) -> None:
    source = coco_dict()
    for annotation in source["annotations"]:
        annotation.update(
            id=np.int64(annotation["id"]), image_id=np.int32(annotation["image_id"]), iscrowd=np.bool_(True),
            area=np.float32(0.5), bbox=np.arange(4), segmentation={"size": [20, 30], "counts": b"0"},
        )  # fmt: skip
    data = read_coco(source)
    assert data.annotation_ids.tolist() == [1, 2, 3, 4, 5, 6]
    assert data.crowd.all()
    first = json.loads(subset_bytes(data, [1, 0, 0]))["annotations"][0]
    assert first == {
        "id": 1, "image_id": 10, "category_id": 5, "segmentation": {"size": [20, 30], "counts": "0"},
        "iscrowd": True, "area": 0.5, "bbox": [0, 1, 2, 3],
    }  # fmt: skip


def test_objects_that_are_no_json(coco_dict: Make, tmp_path: Path) -> None:
    data = read_coco(coco_dict(info={1, 2}))
    with pytest.raises(DataError, match="<dict>: cannot be written as JSON: set is no type of JSON"):
        data.write_subset(tmp_path / "out.json", np.ones(3, np.bool_), NO_ROWS)
    assert list(tmp_path.iterdir()) == []


def test_garbage_collector_is_as_before(coco_dict: Make) -> None:
    for text in (text_of(coco_dict()), b"{"):
        for enabled in (True, False):
            (gc.enable if enabled else gc.disable)()
            try:
                with contextlib.suppress(DataError):
                    read_coco(text)
                assert gc.isenabled() == enabled
            finally:
                gc.enable()


def test_byte_order_mark(tmp_path: Path, coco_dict: Make) -> None:
    path, out = tmp_path / "a.json", tmp_path / "out.json"
    text = text_of(coco_dict(), indent=2)
    path.write_bytes(codecs.BOM_UTF8 + text)
    data = read_coco(path)
    assert data.segmentations(np.arange(6)).coordinates.size == 36
    data.write_subset(out, np.ones(3, np.bool_), NO_ROWS)
    assert out.read_bytes() == text
    assert str(refusal(codecs.BOM_UTF8)) == "<bytes>: is empty"
    assert str(refusal(codecs.BOM_UTF8 + b"\n{,")).endswith("at byte 5, line 2")


def test_nan_and_infinity_are_read(coco_dict: Make, tmp_path: Path) -> None:
    source = coco_dict()
    for row, value in enumerate((math.nan, math.inf, -math.inf)):
        source["annotations"][row]["area"] = value
    source["annotations"][1]["note"] = 'he said \\"NaN\\": NaN, -Infinity]'
    source["annotations"][4]["segmentation"] = [[math.nan, 1.0, 2.0, 2.0, 3.0, -math.inf]]
    source["NaN"] = {"Infinity": ["NaN", math.nan]}
    text = text_of(source)
    path = tmp_path / "a.json"
    path.write_bytes(text)
    for data in (read_coco(text), read_coco(path), read_coco(source)):
        batch = data.segmentations(np.array([1, 4]))
        assert np.isfinite(batch.coordinates[6:]).tolist() == [False, True, True, True, True, False]
        _, statuses = measure_batch(batch, FillConvention.COCO)
        assert statuses.tolist() == [Status.OK, Status.COORDINATE_NOT_FINITE]
        assert subset_bytes(data, [1, 1, 1]) == text
        assert subset_bytes(data, [1, 0, 1], [5]) == text_of(filtered(source, [1, 0, 1], [5]))


def test_nan_where_a_number_counts(coco_dict: Make) -> None:
    for key, value, reason in [
        ("iscrowd", math.nan, '"iscrowd" is NaN, not true, false or a number'),
        ("ignore", -math.inf, '"ignore" is -Infinity, not true, false or a number'),
        ("image_id", math.inf, '"image_id" is Infinity, not a whole number or text'),
        ("category_id", math.nan, '"category_id" is NaN, not a whole number or text'),
    ]:
        source = coco_dict()
        source["annotations"][2][key] = value
        for form in (source, text_of(source)):
            error = refusal(form)
            assert (error.record, error.reason) == ("annotation 3", reason)
    for key, reason in [
        ("id", "a whole number or text"),
        ("height", "a whole number from 0 to 536870912"),
        ("file_name", "text"),
    ]:
        source = coco_dict()
        source["images"][0][key] = math.nan
        for form in (source, text_of(source)):
            assert refusal(form).reason == f'"{key}" is NaN, not {reason}'
    source = coco_dict()
    source["annotations"][1]["segmentation"] = math.nan
    assert read_coco(text_of(source)).segmentations(np.array([1])).statuses == [Status.SEGMENTATION_TYPE]
    source["annotations"][1] = math.nan
    assert refusal(text_of(source)).reason == "is NaN, not an object"
    source["annotations"] = math.nan
    assert refusal(text_of(source)).reason == '"annotations" is not an array'


@pytest.mark.parametrize(
    "text", [b'{"a": NaNa}', b'{"a": 1NaN}', b'{"a": -NaN}', b"{NaN: 1}", b'{"a": nan}', b"NaN:"]
)
def test_words_that_python_refuses_too(text: bytes) -> None:
    with pytest.raises(json.JSONDecodeError):
        json.loads(text)
    assert refusal(text).reason.startswith("not JSON: ")


words = st.lists(st.sampled_from(["NaN", "Infinity", "-Infinity", "\\", '"', "a", " ", ":", "[", "\n", "é"]))


@given(st.recursive(
    st.sampled_from([math.nan, math.inf, -math.inf, 1.5, None]) | words.map("".join),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words.map("".join), inner, max_size=4),
), st.booleans())  # fmt: skip
def test_masking_touches_nothing_but_the_words(value: Any, ascii_only: bool) -> None:
    text = text_of([value, math.nan], ensure_ascii=ascii_only)
    masked = nonfinite_masked(memoryview(text))
    assert masked is not None
    assert len(masked) == len(text)
    assert json.loads(masked) == json.loads(text, parse_constant=lambda _: {})


def test_masking_across_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    text = text_of([['\\"NaN', math.nan, '"\\', {"NaN\\\\": -math.inf}], "NaN"])
    whole = nonfinite_masked(memoryview(text))
    for size in range(1, 12):
        monkeypatch.setattr("tfdp_fast.formats._coco_json._BLOCK", size)
        assert nonfinite_masked(memoryview(text)) == whole
    assert nonfinite_masked(memoryview(b'["NaN"]')) is None
