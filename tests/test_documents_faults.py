"""Documents of one image each: what is refused, and in which words."""

from __future__ import annotations

import gzip
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from documents_support import (
    SQUARE,
    as_files,
    as_lines,
    as_tars,
    general,
    lines,
    made,
    measured,
    read_lines,
    refusal,
    rle,
    sa1b,
    text,
    write_tar,
)
from tfdp_fast.formats import _documents, _json_lines, _numbered_files, _tar_shards
from tfdp_fast.formats.opening import open_dataset

SIDE = "a whole number from 0 to 536870912"
GOOD = general(7)


def without(key: str) -> dict[str, Any]:
    return {name: value for name, value in GOOD.items() if name != key}


def one_annotation(**changes: Any) -> dict[str, Any]:
    """Three annotations, of which the second is another."""
    document = general(7, [SQUARE, SQUARE, SQUARE])
    changed = {**document["annotations"][1], **changes}
    document["annotations"][1] = {key: value for key, value in changed.items() if value != "gone"}
    return document


BAD_DOCUMENTS = [
    (b"{", "document", "not JSON: it ends too early at byte 1, line 1"),
    (b'{"image_id": 1,}', "document", "not JSON: trailing comma in object at byte 15, line 1"),
    (b'{"\xff": 1', "document", "not JSON: invalid UTF-8 at byte 2, line 1"),
    (b'{"a": ' + b"[" * 9999, "document", "is nested too deeply"),
    (b"[]", "document", "the top level is not a JSON object"),
    (b"7", "document", "the top level is not a JSON object"),
    (b"[[", "document", "the top level is not a JSON object"),
    (b"{}", "document", 'has no "image_id"'),
    (without("height"), "image 7", 'has no "height"'),
    (without("width"), "image 7", 'has no "width"'),
    (without("annotations"), "image 7", 'has no "annotations"'),
    ({**GOOD, "annotations": {}}, "image 7", '"annotations" is not an array'),
    ({**GOOD, "annotations": None}, "image 7", '"annotations" is not an array'),
    ({**GOOD, "image_id": None}, "document", '"image_id" is null, not a whole number or text'),
    ({**GOOD, "image_id": 1.5}, "document", '"image_id" is 1.5, not a whole number or text'),
    ({**GOOD, "image_id": 2**63}, f"image {2**63}", "its id is beyond 64 bits"),
    (b'{"image_id": ' + b"9" * 5000 + b"}", "document", '"image_id" is null, not a whole number or text'),
    (
        {**GOOD, "image_id": "a\0"},
        'image "a\\u0000"',
        "its id ends with a NUL or is longer than 1024 characters",
    ),
    ({**GOOD, "height": -1}, "image 7", f'"height" is -1, not {SIDE}'),
    ({**GOOD, "width": 2**29 + 1}, "image 7", f'"width" is 536870913, not {SIDE}'),
    ({**GOOD, "width": 1.5}, "image 7", f'"width" is 1.5, not {SIDE}'),
    ({**GOOD, "width": float("nan")}, "image 7", f'"width" is NaN, not {SIDE}'),
    ({**GOOD, "height": "20"}, "image 7", f'"height" is "20", not {SIDE}'),
    ({**GOOD, "height": True}, "image 7", f'"height" is true, not {SIDE}'),
    ({**GOOD, "file_name": 3}, "image 7", '"file_name" is 3, not text'),
    ({"image": 3, "annotations": []}, "document", '"image" is 3, not an object'),
    ({"image": {"image_id": 7}, "annotations": []}, "image 7", 'has no "height"'),
]

BAD_ANNOTATIONS = [
    ({"segmentation": "gone"}, 'has no "segmentation"'),
    ({"category_id": "gone"}, 'has no "category_id"'),
    ({"category_id": 1.5}, '"category_id" is 1.5, not a whole number or text'),
    ({"category_id": None}, '"category_id" is null, not a whole number or text'),
    ({"category_id": 2**63}, "its category_id is beyond 64 bits"),
    ({"iscrowd": "no"}, '"iscrowd" is "no", not true, false or a number'),
    ({"ignore": float("nan")}, '"ignore" is NaN, not true, false or a number'),
    ({"segmentation": 3}, "the segmentation is neither a list of polygons nor an RLE"),
    ({"segmentation": [[1, 2, 3]]}, "a polygon has an odd number of coordinates"),
    (
        {"segmentation": {"size": [20, 30], "counts": 5}},
        "RLE counts are neither text nor a list of whole numbers",
    ),
    ({"segmentation": {"size": [20, 31], "counts": "d0"}}, "the mask's own size is not the image's"),
    ({"segmentation": {"size": [20, 30], "counts": "d0"}}, "the runs do not sum to height * width"),
    ({"segmentation": {"size": [20, 30], "counts": "P"}}, "the compressed RLE ends in the middle of a count"),
    (
        {"segmentation": {"size": [20, 30], "counts": "~"}},
        "the compressed RLE has a character outside '0'..'o'",
    ),
]


@pytest.mark.parametrize(("document", "record", "reason"), BAD_DOCUMENTS)
def test_a_bad_document_sets_its_image_aside(document: Any, record: str, reason: str, tmp_path: Path) -> None:
    content = text(document)
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(general(1), content, general(2)))
    place = "line 2" if record == "document" else f"line 2, {record}"
    assert str(refusal(path)) == f"{path}: {place}: {reason}"
    data, counts, _ = measured(path, on_error="skip")
    assert data.image_ids.tolist() == [1, 2]
    assert [(p.record, p.reason, p.row, p.file) for p in data.problems] == [(place, reason, 1, None)]
    assert (data.records, len(counts), data.rows.tolist()) == (2, 2, [0, 1])
    # As a member of a tar, and as a file.
    tar = write_tar(tmp_path / "sa_0.tar", [("sa_1.json", content)])
    assert str(refusal(tar)) == f"{tar}/sa_1.json: {record}: {reason}"
    (tmp_path / "sa_1.json").write_bytes(content)
    assert str(refusal(tmp_path / "sa_1.json", format="sa1b")) == f"{tmp_path}/sa_1.json: {record}: {reason}"


@pytest.mark.parametrize("with_ids", [False, True])
@pytest.mark.parametrize(("changes", "reason"), BAD_ANNOTATIONS)
def test_a_bad_annotation_sets_only_itself_aside(
    changes: dict[str, Any], reason: str, with_ids: bool, tmp_path: Path
) -> None:
    document = one_annotation(**changes)
    for number, annotation in enumerate(document["annotations"] if with_ids else [], 40):
        annotation["id"] = number
    record = "annotation 41" if with_ids else "annotations[1]"
    path = write_tar(tmp_path / "a.tar", [("0.json", text(general(1))), ("k.json", text(document))])
    assert str(refusal(path)) == f"{path}/k.json: {record}: {reason}"
    data, counts, statuses = measured(path, on_error="skip")
    assert [(p.record, p.reason, p.row, p.file) for p in data.problems] == [
        (record, reason, 2, f"{path}/k.json")
    ]
    assert (data.image_ids.tolist(), data.image_index.tolist()) == ([1, 7], [0, 1, 1])
    assert (data.records, data.rows.tolist()) == (4, [0, 1, 3])
    assert data.category_ids[data.category_index].tolist() == [5, 5, 5]
    assert not statuses.any()
    assert counts.shape == (3, 3)


def test_annotations_that_are_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(
        lines(general(7, annotations=[5, {"id": "x" * 2000, "segmentation": [], "category_id": 1}]))
    )
    data, _, _ = measured(path, on_error="skip")
    assert [(p.record[:20], p.reason) for p in data.problems] == [
        ("line 1, annotations[", "is 5, not an object"),
        ("line 1, annotation x", "its id ends with a NUL or is longer than 1024 characters"),
    ]


def test_problems_are_in_order_of_the_data(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = one_annotation(segmentation=3)
    broken["annotations"][0]["category_id"] = None
    source = lines({**broken, "image_id": 1}, b"{", {**broken, "image_id": 2})
    expected = [
        ("line 1, annotations[0]", 0),
        ("line 1, annotations[1]", 1),
        ("line 2", 3),
        ("line 3, annotations[0]", 3),
        ("line 3, annotations[1]", 4),
    ]
    for size in (1, 1000):
        monkeypatch.setattr(_json_lines, "PIECE", size)
        monkeypatch.setattr(_json_lines, "_STEP", 16)
        data, _, _ = measured(source, 2, format="jsonl", on_error="skip")
        assert [(problem.record, problem.row) for problem in data.problems] == expected


@pytest.mark.parametrize("size", [1, 1000])
def test_ids_of_two_kinds(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the data is cut into pieces."""
    monkeypatch.setattr(_json_lines, "PIECE", size)
    monkeypatch.setattr(_json_lines, "_STEP", 16)
    for first, second, what in [
        (general(1), general("1"), "images"),
        (general(1), {**general(2), "annotations": [{"segmentation": [], "category_id": "a"}]}, "categories"),
        (
            general(1, annotations=[{"segmentation": [], "category_id": 1, "id": 1}]),
            general(2, annotations=[{"segmentation": [], "category_id": 1, "id": "1"}]),
            "annotations",
        ),
    ]:
        error = refusal(lines(first, second), format="jsonl", on_error="skip")
        assert str(error) == f"<bytes>: ids of {what} are partly numbers and partly text"


@pytest.mark.parametrize("size", [1, 1000])
def test_an_image_id_twice(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_json_lines, "PIECE", size)
    monkeypatch.setattr(_json_lines, "_STEP", 16)
    error = refusal(lines(general(3), general(4), general(3)), format="jsonl", on_error="skip")
    assert str(error) == "<bytes>: image 3: its id is given twice"


def test_a_mask_of_an_annotation_that_is_ignored_may_be_bad() -> None:
    data, _, _ = read_lines(one_annotation(segmentation=3, ignore=1))
    assert (data.ignored, data.rows.tolist(), data.problems) == (1, [0, 2], [])


def test_paths_that_are_no_data_set(tmp_path: Path) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    nothing = write_tar(tmp_path / "nothing.tar", [("a.jpg", b"")])
    both = as_files(tmp_path / "both", made()[0])
    write_tar(both / "sa_1.tar", [])
    for source, name, reason in [
        (empty, "sa1b", "holds no sa_<n>.json, no sa_<n>.tar, no folders sa_<n>"),
        (both, "sa1b", "holds sa_<n>.json and sa_<n>.tar: which?"),
        (empty, "webdataset", "holds no *.tar"),
        (nothing, "webdataset", "holds no documents"),
        (nothing, "sa1b", "holds no documents"),
        (tmp_path / "sa_9.json", "sa1b", "cannot be read: No such file or directory"),
        (tmp_path / "a.json", "sa1b", "is no sa_<n>.json and no tar"),
        (tmp_path / "no.jsonl", "jsonl", "cannot be read: No such file or directory"),
        (empty, "jsonl", "cannot be read: Is a directory"),
    ]:
        assert str(refusal(source, format=name)) == f"{source}: {reason}"
    missing = tmp_path / "no.tar"
    assert str(refusal(missing)) == f"{missing}: shard: cannot be read: No such file or directory"
    assert str(refusal(b"\n", format="jsonl")) == "<bytes>: is empty"


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = as_files(tmp_path / "a", {1: text(sa1b(1, [])), 3: text(sa1b(3, []))})
    (folder / "sa_2.json").mkdir()
    (folder / "sa_4.json").symlink_to("nowhere")
    reasons = {2: "cannot be read: Is a directory", 4: "cannot be read: No such file or directory"}
    for size in (1, 1000):
        monkeypatch.setattr(_numbered_files, "FILES", size)
        data, _, _ = measured(folder, on_error="skip")
        assert data.image_ids.tolist() == [1, 3]
        assert [(p.file, p.record, p.reason) for p in data.problems] == [
            (f"{folder}/sa_{number}.json", "document", reason) for number, reason in reasons.items()
        ]
    (folder / "sa_4.json").unlink()
    (folder / "sa_4.json").write_bytes(b"")
    data, _, _ = measured(folder, on_error="skip")
    assert data.problems[1].reason == "is empty"


def test_links_that_go_round(tmp_path: Path) -> None:
    inner = tmp_path / "sa_1"
    inner.symlink_to(tmp_path)
    assert refusal(tmp_path, format="sa1b").reason == "is a symbolic link to a folder above it"
    inner.unlink()
    inner.symlink_to(inner)
    error = refusal(tmp_path, format="sa1b")
    assert (error.source, error.reason) == (str(inner), "cannot be read: Too many levels of symbolic links")


def test_documents_that_are_too_large(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for module in (_numbered_files, _tar_shards, _json_lines):
        monkeypatch.setattr(module, "LARGEST", 300)
        monkeypatch.setattr(_json_lines, "PIECE", 16)
        monkeypatch.setattr(_json_lines, "_STEP", 16)
    large = text(sa1b(1, [], padding=" " * 400))
    small = text(sa1b(2, []))
    data, _, _ = measured(as_files(tmp_path / "a", {1: large, 2: small}), on_error="skip")
    assert data.image_ids.tolist() == [2]
    assert data.problems[0].reason == f"cannot be read: it has {len(large)} bytes"
    data, _, _ = measured(as_tars(tmp_path / "b", {1: large, 2: small}), on_error="skip")
    assert [(p.record, p.reason) for p in data.problems] == [("member sa_1.json", f"has {len(large)} bytes")]
    error = refusal(as_lines(tmp_path / "c", {1: small, 2: large}), on_error="skip")
    assert (error.record, error.reason) == ("line 2", "is longer than 300 bytes")


@pytest.mark.parametrize("damage", ["cut", "checksum", "no gzip"])
def test_packed_lines_that_are_damaged(damage: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    masks = [rle(rng.integers(0, 2, (100, 100), np.uint8)) for _ in range(20)]
    content = b"".join(text(sa1b(i, [mask], (100, 100))) + b"\n" for i, mask in enumerate(masks))
    packed = gzip.compress(content, mtime=0)
    bad = {"cut": packed[:-5000], "checksum": packed[:-8] + bytes(8), "no gzip": packed + b"x"}[damage]
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(bad)
    assert "cannot be decompressed: " in str(refusal(path))
    data, _, _ = measured(path, on_error="skip", fingerprint=True)
    kept = len(data.image_ids)
    assert kept > 0
    assert data.image_ids.tolist() == list(range(kept))
    assert data.problems[0].record == f"line {kept + 1}"
    found = data.fingerprint()
    assert found is not None
    assert found.size == len(bad)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_files_that_may_not_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.jsonl"
    path.write_bytes(lines(general(1)))
    path.chmod(0)
    assert refusal(path).reason == "cannot be read: Permission denied"


def test_damage_anywhere_in_a_document() -> None:
    """Each byte in turn missing, or another: the document or its annotation is set aside, or it is right."""
    content = json.dumps(sa1b(1, [rle(np.eye(6, dtype=np.uint8))], (6, 6))).encode()
    for at in range(len(content)):
        before, after = content[:at], content[at + 1 :]
        for changed in (before, before + after, before + b"\xc3" + after):
            if changed:
                data, counts, _ = measured(changed, format="jsonl", on_error="skip")
                assert len(data.problems) <= 1
                assert len(counts) == len(data.rows)


def test_a_piece_that_is_looked_at_record_by_record_gives_the_same() -> None:
    """One id that fits no column must not change what is said of the other documents."""
    documents = [sa1b(1, [SQUARE]), general(2, [SQUARE, SQUARE]), general(3), general(4, score=float("inf"))]
    alone, counts, _ = read_lines(*documents)
    beside, same, _ = read_lines(*documents, general(2**64), on_error="skip")
    assert same.tolist() == counts.tolist()
    assert beside.image_ids.tolist() == alone.image_ids.tolist()
    assert beside.category_ids.tolist() == alone.category_ids.tolist() == [1, 5, 6]
    assert beside.problems[0].reason == "its id is beyond 64 bits"


def test_opening_reads_nothing(tmp_path: Path) -> None:
    """What a folder holds is known by its names."""
    folder = as_files(tmp_path / "a", made()[0])
    data = open_dataset(folder)
    for file in folder.iterdir():
        file.unlink()
    assert getattr(data, "all_images", None) == 7
    assert _documents.PIECE < _documents.LARGEST
