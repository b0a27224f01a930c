"""COCO and LVIS: subsets, byte for byte."""

from __future__ import annotations

import io
import json
import math
import os
import random
import re
from collections.abc import Callable
from pathlib import Path
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
    subset_bytes,
    text_of,
)
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats.coco import read_coco


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
