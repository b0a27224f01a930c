"""The scanner of COCO files against msgspec: what it accepts must be what msgspec reads."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coco_support import REAL, Make, text_of
from tfdp_fast._core import CocoScan, join_spans, spans_of, texts_at
from tfdp_fast.formats._coco_records import LISTS, Image, JsonAnnotation

COLUMNS = (
    "images", "image_ids", "image_sizes", "file_names", "annotations", "segmentations", "annotation_ids",
    "annotation_image_ids", "annotation_category_ids", "crowd", "ignored",
)  # fmt: skip


def scanned(text: bytes, step: int | None = None) -> CocoScan:
    scan = CocoScan(text)
    at = 0
    while scan.advance(at):
        at += step or len(text)
    return scan


def check_against_msgspec(text: bytes) -> CocoScan:
    """Whatever the text is: what the scanner has accepted of it is right."""
    scan = scanned(text)
    if not scan.complete:
        return scan
    top = msgspec.json.decode(text, type=dict[str, msgspec.Raw])
    assert len(json.loads(text, object_pairs_hook=list)) == len(top)  # no key twice
    assert scan.lists == list(map(tuple, spans_of([top[name] for name in LISTS], text).tolist()))
    for name, spans in (("images", scan.images), ("annotations", scan.annotations)):
        assert np.array_equal(spans, spans_of(msgspec.json.decode(top[name], type=list[msgspec.Raw]), text))
    if scan.plain_images:
        images = msgspec.json.decode(top["images"], type=list[Image])
        assert scan.image_ids.tolist() == [image.id for image in images]
        sizes = scan.image_sizes.reshape(-1, 2).tolist()
        assert sizes == [[image.height, image.width] for image in images]
        assert texts_at(text, scan.file_names) == [image.file_name for image in images]
    if scan.plain_annotations:
        annotations = msgspec.json.decode(text, type=Annotations).annotations
        assert scan.annotation_ids.tolist() == [a.id for a in annotations]
        assert scan.annotation_image_ids.tolist() == [a.image_id for a in annotations]
        assert scan.annotation_category_ids.tolist() == [a.category_id for a in annotations]
        assert scan.crowd.tolist() == [bool(a.iscrowd) for a in annotations]
        assert scan.ignored.tolist() == [bool(a.ignore) for a in annotations]
        segmentations = [a.segmentation for a in annotations]
        assert [bytes(text[begin:end]) for begin, end in scan.segmentations.tolist()] == [
            bytes(piece) for piece in segmentations
        ]
    return scan


class Annotations(msgspec.Struct):
    annotations: list[JsonAnnotation]


integers = st.integers(-(2**63), 2**63 - 1) | st.integers(-9, 9)
numbers = st.integers(-999, 99999) | st.floats(-999, 9999).map(lambda x: round(x, 2))
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=5,
)
other_keys = st.dictionaries(st.sampled_from(["area", "bbox", "é", "info", "x" * 40]), anything, max_size=2)
polygons = st.lists(st.lists(numbers, min_size=1, max_size=40), min_size=1, max_size=3)
rle = st.fixed_dictionaries({"size": st.just([4, 5]), "counts": st.lists(st.integers(0, 999), max_size=30)})
plain_text = st.text(st.characters(exclude_characters='"\\', exclude_categories=("Cc", "Cs")), max_size=40)
flags = st.sampled_from([0, 1, True, False, None, 7])


def records(required: dict[str, Any], optional: dict[str, Any]) -> st.SearchStrategy[list[Any]]:
    one = st.builds(
        lambda record, more: {**more, **record},
        st.fixed_dictionaries(required, optional=optional),
        other_keys,
    )
    return st.lists(one, max_size=4)


plain_images = records(
    {
        "id": integers,
        "height": st.integers(0, 2**29),
        "width": st.integers(0, 2**29),
        "file_name": plain_text,
    },
    {"coco_url": st.none() | plain_text},
)
plain_annotations = records(
    {
        "id": integers,
        "image_id": integers,
        "category_id": integers,
        "segmentation": polygons | rle | st.none() | anything,
    },
    {"iscrowd": flags, "ignore": flags},
)
plain_sources = st.fixed_dictionaries(
    {"images": plain_images, "annotations": plain_annotations, "categories": st.lists(anything, max_size=2)},
    optional={"info": anything, "licenses": anything},
)
styles = st.fixed_dictionaries(
    {
        "ensure_ascii": st.booleans(),
        "indent": st.sampled_from([None, 0, 1]),
        "separators": st.sampled_from([(",", ":"), (", ", ": "), (" ,\t", " :\r\n")]),
    }
)


def without_escapes(text: bytes) -> bool:
    """Plain names of files and keys have no escape: what is not ASCII may have got one."""
    return b"\\" not in text


@given(plain_sources, styles, st.integers(1, 60))
def test_what_is_plainly_good_is_accepted(source: dict[str, Any], style: dict[str, Any], step: int) -> None:
    text = text_of(source, **style)
    scan = check_against_msgspec(text)
    assert scan.complete
    assert (scan.plain_images and scan.plain_annotations) or not without_escapes(text)
    in_steps = scanned(text, step)
    assert in_steps.complete
    for column in COLUMNS:
        assert np.array_equal(getattr(in_steps, column), getattr(scan, column)), column


odd: st.SearchStrategy[Any] = st.sampled_from(
    [1.0, -0.0, "1", "a\\b", "\ud800", None, True, [], {}, 2**63, -(2**63) - 1, 10**30, math.nan]
)


@given(plain_sources, styles, st.data())
def test_what_is_not_plainly_good(
    source: dict[str, Any], style: dict[str, Any], draws: st.DataObject
) -> None:
    for name in ("images", "annotations"):
        for record in source[name]:
            key = draws.draw(st.sampled_from(sorted(record)))
            record[key] = draws.draw(odd)
    # Half of a character gives text that is no UTF-8, or an escape that is none.
    check_against_msgspec(json.dumps(source, **style).encode("utf-8", "surrogatepass"))


@given(plain_sources, styles, st.data())
def test_damaged_text(source: dict[str, Any], style: dict[str, Any], draws: st.DataObject) -> None:
    text = bytearray(text_of(source, **style))
    for _ in range(draws.draw(st.integers(1, 3))):
        at = draws.draw(st.integers(0, len(text)))
        gone = draws.draw(st.integers(0, 2))
        new = draws.draw(
            st.sampled_from([b"", b"\\", b'"', b"\xc3", b"0", b"-", b".", b"e", b" "]) | st.binary(max_size=2)
        )
        text[at : at + gone] = new
    damaged = bytes(text)
    if check_against_msgspec(damaged).complete:
        json.loads(damaged)  # msgspec refuses numbers beyond a double where it makes objects of them


def test_every_byte_of_a_small_file_damaged(coco_dict: Make) -> None:
    source = coco_dict(images=1, per_image=1)
    source["annotations"][0] |= {"iscrowd": 0, "bbox": [1.5, 0, -2], "note": "\u00e9\\/\U0001f600"}
    text = text_of(source)
    assert scanned(text).complete
    refused = 0
    for at in range(len(text)):
        for new in (b"", b"0", b"[", b",", b'"', b"\\", b" ", b"\x00", b"\xff"):
            refused += not check_against_msgspec(text[:at] + new + text[at + 1 :]).complete
    assert refused > len(text)


@pytest.mark.parametrize("file_name", REAL)
def test_real_files_are_plain(shared_data: Path, file_name: str) -> None:
    scan = check_against_msgspec((shared_data / file_name).read_bytes())
    assert scan.complete
    assert scan.plain_annotations


def test_a_scan_lets_go_of_its_text(coco_dict: Make) -> None:
    for text in (bytearray(text_of(coco_dict())), bytearray(b"[]")):
        scan = CocoScan(text)
        assert not scan.advance(len(text))
        text.clear()  # would be a BufferError
        assert not scan.advance(1)
        assert len(scan.annotations) in (0, 6)


def test_pieces_of_a_text() -> None:
    text = "aé|b|".encode()
    spans = np.array([[0, 3], [4, 5], [5, 5]])
    assert texts_at(text, spans) == ["aé", "b", ""]
    assert join_spans(text, spans, b", ") == "aé, b, ".encode()
    assert join_spans(text, spans[:0], b", ") == b""
    for wrong in ([[0, 7]], [[-1, 2]], [[3, 2]], [[0, 1, 2]]):
        for function in (lambda spans: texts_at(text, spans), lambda spans: join_spans(text, spans, b"")):
            with pytest.raises(ValueError, match="span"):
                function(np.array(wrong))
    with pytest.raises(UnicodeDecodeError):
        texts_at(text, np.array([[0, 2]]))
