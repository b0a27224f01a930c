"""COCO and LVIS: what is read, what is refused and in which words, and subsets byte for byte."""

from __future__ import annotations

import codecs
import contextlib
import copy
import gc
import io
import json
import math
import os
import random
import re
import tracemalloc
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO

from tfdp_fast._core import FillConvention, SegmentationKind, measure_polygons
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats._coco_json import nonfinite_masked
from tfdp_fast.formats.coco import read_coco
from tfdp_fast.formats.dataset import Dataset
from tfdp_fast.status import Status

NO_ROWS = np.empty(0, np.int64)
REAL = ["coco_val2014_100.json", "lvis_val_100.json", "voc2012_train.json"]
relaxed = settings(deadline=None)  # the machine is shared

Make = Callable[..., dict[str, Any]]


def text_of(data: Any, **options: Any) -> bytes:
    return json.dumps(data, **options).encode()


def subset_bytes(data: Dataset, keep: Any, drop_rows: Any = NO_ROWS) -> bytes:
    memory = io.BytesIO()
    written = data.write_subset(memory, np.asarray(keep, np.bool_), np.asarray(drop_rows, np.int64))
    assert written == len(json.loads(memory.getvalue())["annotations"])
    return memory.getvalue()


def filtered(data: dict[str, Any], keep: Any, drop_rows: Any = ()) -> dict[str, Any]:
    """What a subset is, the slow and obvious way."""
    images = [image for image, stays in zip(data["images"], keep, strict=True) if stays]
    ids = {image["id"] for image in images}
    annotations = [
        annotation
        for row, annotation in enumerate(data["annotations"])
        if annotation["image_id"] in ids and row not in set(drop_rows)
    ]
    return {**data, "images": images, "annotations": annotations}


def pycocotools_reads(path: Path) -> COCO:
    with contextlib.redirect_stdout(io.StringIO()):
        return COCO(str(path))


def refusal(source: Any, **options: Any) -> DataError:
    with pytest.raises(DataError) as caught:
        read_coco(source, **options)
    assert "\n" not in str(caught.value)
    return caught.value


# --- reading ---------------------------------------------------------------------------------------


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


# --- NaN and the byte order mark -------------------------------------------------------------------


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
        _, statuses = measure_polygons(
            batch.coordinates,
            batch.polygon_offsets,
            batch.instance_offsets,
            np.array(batch.sizes),
            FillConvention.COCO,
        )
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


@relaxed
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


# --- writing ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("file_name", REAL)
@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_subsets_of_real_files(shared_data: Path, tmp_path: Path, file_name: str, share: float) -> None:
    path, out = shared_data / file_name, tmp_path / "out.json"
    original = path.read_bytes()
    data = read_coco(path)
    keep = np.random.default_rng(1).random(len(data.image_ids)) < share
    written = data.write_subset(out, keep, NO_ROWS)
    parsed = json.loads(original)
    subset = json.loads(out.read_bytes())
    assert subset == filtered(parsed, keep)
    assert list(subset) == list(parsed)
    assert written == len(subset["annotations"])
    assert share < 1 or out.read_bytes() == original
    coco = pycocotools_reads(out)
    assert sorted(coco.getImgIds()) == sorted(data.image_ids[keep].tolist())
    assert len(coco.getAnnIds()) == written
    memory = io.BytesIO()
    read_coco(parsed).write_subset(memory, keep, NO_ROWS)
    assert json.loads(memory.getvalue()) == subset
    assert read_coco(out).annotation_ids.tolist() == [a["id"] for a in subset["annotations"]]


def test_kept_records_are_the_same_bytes() -> None:
    images = [b'{"id":1 ,"height":2,  "width":2}', b'{"width":2,"id":2,"height":2, "x":[{"}":"]"}]}',
              b'{"id": 3, "height": 2, "width": 2, "n": 1.10E+2}']  # fmt: skip
    annotations = [
        b'{"id":%d,"image_id":%d,"category_id":1,"segmentation":[ ],"area":1.50e0,"s":"\\u00e9\\/"}'
        % (i, 1 + i % 3)
        for i in range(6)
    ]
    text = (
        b' {"x" : [1.0, 1e5 ],\n"annotations" :[\t'
        + b" ,\n  ".join(annotations)
        + b'\t] , "categories":[{"id":1}]'
        b',"images":  [' + b",".join(images) + b'],"z":"\\u005d"}\n\n'
    )  # fmt: skip
    data = read_coco(text)
    assert subset_bytes(data, [1, 1, 1]) == text
    assert subset_bytes(data, [1, 0, 1]) == (
        b' {"x" : [1.0, 1e5 ],\n"annotations" :[\t'
        + b" ,\n  ".join(annotations[i] for i in (0, 2, 3, 5))
        + b'\t] , "categories":[{"id":1}],"images":  ['
        + images[0] + b"," + images[2] + b'],"z":"\\u005d"}\n\n'
    )  # fmt: skip
    assert subset_bytes(data, [0, 0, 0]) == (
        b' {"x" : [1.0, 1e5 ],\n"annotations" :[] , "categories":[{"id":1}],"images":  [],"z":"\\u005d"}\n\n'
    )
    assert b'"annotations" :[\t' + annotations[4] + b"\t]" in subset_bytes(data, [0, 1, 0], [1])


EXTRA_WORDS = [
    "NaN",
    '"',
    "\\",
    "[",
    "]",
    "{",
    "}",
    ",",
    ":",
    "images",
    "annotations",
    "é",
    "\U0001f600",
    "\n",
    "/",
    "a",
]
extra_text = st.lists(st.sampled_from(EXTRA_WORDS), max_size=6).map("".join)
extra = st.recursive(
    extra_text | st.none() | st.booleans() | st.integers() | st.floats(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(extra_text, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def coco_data(draw: st.DrawFn) -> dict[str, Any]:
    text_ids = draw(st.booleans())
    one_id: st.SearchStrategy[Any] = extra_text if text_ids else st.integers(-(2**63), 2**63 - 1)

    def more(*taken: str) -> dict[str, Any]:
        keys = extra_text.filter(lambda key: key not in taken)
        return draw(st.dictionaries(keys, extra, max_size=2))

    images = [
        {"id": i, "height": draw(st.integers(0, 99)), "width": 5, **more()}
        for i in draw(st.lists(one_id, max_size=5, unique=True))
    ]
    image_ids = [image["id"] for image in images]
    ids = draw(st.lists(one_id, max_size=8 if images else 0, unique=True))
    annotations = [
        {
            "id": i,
            "image_id": draw(st.sampled_from(image_ids)),
            "category_id": 3,
            "segmentation": draw(
                st.sampled_from([None, [], [[1, 1, 2.5, 1e0, 2, 2]], [[math.nan, 1]], [{"a": 1}]])
            ),
            **more(),
        }
        for i in ids
    ]
    lists = {"images": images, "annotations": annotations, "categories": [{"id": 3, **more()}]}
    return {**more(*lists), **lists}


def spelt(value: Any, rng: random.Random) -> str:
    """JSON of a value with any white space, order of keys and escapes."""

    def space() -> str:
        return rng.choice(["", "", " ", "\n  ", "\t", "\r\n"])

    def text(characters: str) -> str:
        def one(c: str) -> str:
            plainly = json.dumps(c, ensure_ascii=rng.random() < 0.5)[1:-1]
            return f"\\u{ord(c):04x}" if ord(c) < 0x10000 and rng.random() < 0.2 else plainly

        return f'"{"".join(map(one, characters))}"'

    if isinstance(value, dict):
        items = list(value.items())
        rng.shuffle(items)
        inner = ",".join(f"{space()}{text(k)}{space()}:{space()}{spelt(v, rng)}{space()}" for k, v in items)
        return f"{{{inner or space()}}}"
    if isinstance(value, list):
        return f"[{','.join(f'{space()}{spelt(v, rng)}{space()}' for v in value) or space()}]"
    return text(value) if isinstance(value, str) else json.dumps(value)


def loads(text: bytes) -> Any:
    return json.loads(text, parse_constant=lambda word: f"<{word}>")  # NaN is not equal to itself


@relaxed
@given(coco_data(), st.randoms(use_true_random=False), st.data())
def test_any_spelling_and_any_selection(
    source: dict[str, Any], rng: random.Random, draws: st.DataObject
) -> None:
    text = spelt(source, rng).encode()
    data = read_coco(text)
    assert data.image_ids.tolist() == [image["id"] for image in source["images"]]
    n = len(source["images"])
    keep = draws.draw(st.lists(st.booleans(), min_size=n, max_size=n))
    rows = range(len(source["annotations"]))
    drop = draws.draw(st.lists(st.sampled_from(rows), unique=True)) if rows else []
    subset = subset_bytes(data, keep, drop)
    assert loads(subset) == filtered(loads(text), keep, drop)
    assert list(loads(subset)) == list(loads(text))
    assert loads(subset_bytes(read_coco(source), keep, drop)) == filtered(loads(text_of(source)), keep, drop)
    assert subset_bytes(data, [True] * n) == text
    positions = np.arange(len(data.annotation_ids))
    ours, objects = data.segmentations(positions), read_coco(source).segmentations(positions)
    assert np.array_equal(ours.statuses, objects.statuses)
    assert np.array_equal(ours.coordinates, objects.coordinates, equal_nan=True)


@pytest.mark.parametrize("options", [{}, {"indent": 2}, {"separators": (",", ":")}, {"indent": 0}])
def test_pycocotools_reads_every_style(coco_dict: Make, tmp_path: Path, options: Any) -> None:
    source = coco_dict()
    path, out = tmp_path / "a.json", tmp_path / "out.json"
    path.write_bytes(text_of(source, **options))
    read_coco(path).write_subset(out, np.array([True, False, True]), NO_ROWS)
    assert out.read_bytes() == text_of(filtered(source, [1, 0, 1]), **options)
    assert sorted(pycocotools_reads(out).getImgIds()) == [10, 12]


def test_ignored_annotations_stay_with_their_image(coco_dict: Make) -> None:
    source = coco_dict()
    source["annotations"][0]["ignore"] = 1
    for form in (source, text_of(source)):
        data = read_coco(form)
        assert data.ignored == 1
        assert json.loads(subset_bytes(data, [1, 0, 0])) == filtered(source, [1, 0, 0])


def test_destinations_that_are_refused(tmp_path: Path, coco_dict: Make) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text_of(coco_dict()))
    (tmp_path / "link").symlink_to(path)
    (tmp_path / "hard").hardlink_to(path)
    listing = sorted(tmp_path.iterdir())
    data = read_coco(path)
    keep = np.array([True, False, True])
    for destination, reason in [
        (path, "is the file that is being read"),
        (tmp_path / "link", "is the file that is being read"),
        (str(tmp_path / "hard"), "is the file that is being read"),
        (tmp_path / "no" / "b.json", f"the folder {tmp_path / 'no'} does not exist"),
        (tmp_path, "is a folder"),
    ]:
        for attempt in (data.check_destination, lambda there: data.write_subset(there, keep, NO_ROWS)):
            with pytest.raises(OutputError) as caught:
                attempt(destination)
            assert str(caught.value) == f"{destination}: {reason}"
    with path.open("r+b") as file, pytest.raises(OutputError, match="is the file that is being read"):
        data.write_subset(file, keep, NO_ROWS)
    with pytest.raises(OptionError, match="neither a path nor a binary file"):
        data.write_subset(io.StringIO(), keep, NO_ROWS)
    assert sorted(tmp_path.iterdir()) == listing
    assert path.read_bytes() == text_of(coco_dict())
    data.check_destination(tmp_path / "b.json")
    read_coco(coco_dict()).check_destination(path)


def test_arguments_that_make_no_sense(coco_dict: Make, tmp_path: Path) -> None:
    data = read_coco(coco_dict())
    wrong: list[tuple[Any, Any, str]] = [
        (np.ones(2, np.bool_), NO_ROWS, r"keep must be bool [3], got bool [2]"),
        (np.ones(3, np.int64), NO_ROWS, r"keep must be bool [3], got int64 [3]"),
        (np.ones(3, np.bool_), np.array([6]), "drop_rows must be from 0 to 5"),
        (np.ones(3, np.bool_), np.array([-1]), "drop_rows must be from 0 to 5"),
    ]
    for keep, rows, message in wrong:
        with pytest.raises(OptionError, match=re.escape(message)):
            data.write_subset(tmp_path / "out.json", keep, rows)
    assert list(tmp_path.iterdir()) == []


def change_size(path: Path) -> None:
    with path.open("ab") as file:
        file.write(b" ")


def change_time(path: Path) -> None:
    os.utime(path, ns=(0, 0))


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (change_size, "has changed since it was read"),
        (change_time, "has changed since it was read"),
        (replace, "has changed since it was read"),
        (Path.unlink, "cannot be read any more: No such file or directory"),
    ],
)
def test_source_that_changes(
    tmp_path: Path,
    coco_dict: Make,
    change: Callable[[Path], None],
    reason: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text_of(coco_dict()))
    monkeypatch.chdir(tmp_path)
    data = read_coco("a.json")
    monkeypatch.chdir("/")
    assert data.segmentations(np.arange(1)).statuses.tolist() == [0]
    change(path)
    listing = sorted(tmp_path.iterdir())
    attempts: list[Callable[[], Any]] = [
        lambda: data.write_subset(tmp_path / "out.json", np.ones(3, np.bool_), NO_ROWS),
        lambda: data.segmentations(np.arange(1)),
    ]
    for attempt in attempts:
        with pytest.raises(DataError) as caught:
            attempt()
        assert str(caught.value) == f"a.json: {reason}"
    assert sorted(tmp_path.iterdir()) == listing


def test_source_that_changes_while_it_is_written(tmp_path: Path, coco_dict: Make) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(text_of(coco_dict()))
    data = read_coco(path)

    class Meddler(io.BytesIO):
        def writelines(self, lines: Any) -> None:
            super().writelines(lines)
            change_size(path)

    with pytest.raises(DataError, match="has changed since it was read"):
        data.write_subset(Meddler(), np.ones(3, np.bool_), NO_ROWS)


def test_failing_destination_leaves_nothing(
    tmp_path: Path, coco_dict: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    for form in (coco_dict(), text_of(coco_dict())):
        with pytest.raises(OutputError, match=r"out\.json: No space left on device"):
            read_coco(form).write_subset(tmp_path / "out.json", np.ones(3, np.bool_), NO_ROWS)
    assert list(tmp_path.iterdir()) == []


# --- what is refused -------------------------------------------------------------------------------


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
