"""From a data set to a subset of it: what is written, what is left out, and what is not touched."""

from __future__ import annotations

import contextlib
import copy
import io
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pycocotools.coco import COCO

import tfdp_fast as tfdp
from tfdp_fast import DataError, OptionError, OutputError
from tfdp_fast.formats.dataset import Progress
from tfdp_fast.status import Status


def bar(height: int) -> list[list[int]]:
    """The flatter, the better its score."""
    return [[0, 0, 9, 0, 9, height, 0, height]]


BESIDE = ("keep.txt", "drop.txt", "pruning.json")


def some_data() -> dict[str, Any]:
    """Image 4 has the best score, then 2, 1; 3 has a crowd region only, 5 nothing."""
    annotations: list[dict[str, Any]] = [
        {"image_id": 1, "segmentation": bar(9)},
        {"image_id": 4, "segmentation": bar(3), "note": "é"},
        {"image_id": 3, "iscrowd": 1, "segmentation": bar(9)},
        {"image_id": 2, "segmentation": bar(5)},
        {"image_id": 4, "ignore": 1, "segmentation": "not looked at"},
        {"image_id": 4, "iscrowd": 1, "segmentation": {"size": [10, 10], "counts": [0, 100]}},
        {"image_id": 1, "iscrowd": 1, "segmentation": None},
        {"image_id": 5, "ignore": 1, "segmentation": bar(9)},
        {"image_id": 2, "segmentation": []},
    ]
    return {
        "info": {"year": 2024},
        "licenses": [],
        "images": [{"id": i, "file_name": f"{i}.jpg", "height": 10, "width": 10} for i in (3, 1, 4, 5, 2)],
        "annotations": [
            {"id": 10 + i, "category_id": 1, "bbox": [0, 0, 9, 9], **a} for i, a in enumerate(annotations)
        ],
        "categories": [{"id": 1, "name": "bar"}, {"id": 2, "name": "unused"}],
    }


def only(data: dict[str, Any], image_ids: set[Any], without: tuple[int, ...] = ()) -> dict[str, Any]:
    """What a subset is."""
    return {
        **data,
        "images": [image for image in data["images"] if image["id"] in image_ids],
        "annotations": [
            a for a in data["annotations"] if a["image_id"] in image_ids and a["id"] not in without
        ],
    }


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.json"
    path.write_text(json.dumps(some_data(), indent=1, ensure_ascii=False), "utf-8")
    return path


@pytest.fixture
def bad_source(tmp_path: Path) -> Path:
    """Two annotations of image 4 and one of image 1 cannot be used."""
    data = some_data()
    bad: list[dict[str, Any]] = [
        {"image_id": 4, "category_id": 1, "segmentation": [[1, 2, 3]]},
        {"image_id": 1, "category_id": 1, "segmentation": {"counts": [1]}},
        {"image_id": 4, "category_id": 77, "segmentation": None},
    ]
    for i, annotation in enumerate(bad):
        data["annotations"].insert(2 * i, {"id": 90 + i, **annotation})
    path = tmp_path / "bad.json"
    path.write_text(json.dumps(data), "utf-8")
    return path


# --- what is written ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "image_ids", "n"),
    [
        ({"rate": 0.5}, {4, 2}, 5),
        ({"rate": 0}, {4, 2, 1}, 7),
        ({"keep": 0.34}, {4}, 3),
        ({"k": 1}, {4}, 3),
        ({"k": 2}, {4, 2}, 5),
        ({"keep": 1, "of": "annotated"}, {4, 2, 1, 3}, 8),
        ({"keep": 1, "of": "all"}, {4, 2, 1, 3, 5}, 9),
        ({"k": 1, "variant": "scs"}, {4}, 3),
        ({"k": 1, "polygons": "opencv"}, {4}, 3),
    ],
)
def test_prune(options: dict[str, Any], image_ids: set[int], n: int, source: Path, tmp_path: Path) -> None:
    data = some_data()
    expected = only(data, image_ids)
    memory = io.BytesIO()
    path = tmp_path / "subset.json"
    for given, destination in ((source, path), (str(source), memory), (data, str(tmp_path / "other.json"))):
        pruned = tfdp.prune(given, destination, **options)
        written = memory.getvalue() if destination is memory else Path(str(destination)).read_bytes()
        assert json.loads(written) == expected
        assert list(json.loads(written)) == list(data)
        assert set(pruned.subset.image_ids.tolist()) == image_ids
        assert (pruned.annotations_kept, pruned.annotations_dropped) == (n, 9 - n)
        assert pruned.problems_path is None
        scoring = {name: value for name, value in options.items() if name in {"variant", "polygons"}}
        assert pruned.scores.images.score.tolist() == tfdp.score(data, **scoring).images.score.tolist()
        assert pruned.subset.ranking[0] == 4
    assert memory.getvalue() == path.read_bytes()
    assert data == some_data()
    beside = {f"{name}.{what}" for name in ("subset.json", "other.json") for what in BESIDE}
    names = {entry.name for entry in tmp_path.iterdir()}
    assert names == {"source.json", "subset.json", "other.json"} | beside


def test_lists_beside_a_subset(source: Path, tmp_path: Path) -> None:
    pruned = tfdp.prune(source, tmp_path / "a b.json", k=2)
    images = pruned.scores.images
    rows = dict(zip(images.id.tolist(), images.file_name.tolist(), strict=True))
    for what, ids in (("keep", pruned.subset.image_ids), ("drop", pruned.subset.dropped_ids)):
        lines = (tmp_path / f"a b.json.{what}.txt").read_text().splitlines()
        assert lines == [f"{i}\t{rows[i] or ''}" for i in ids.tolist()]
    assert len(pruned.subset.dropped_ids) == len(images) - 2


def test_records_are_kept_byte_for_byte(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "subset.json"
    tfdp.prune(source, path, k=1)
    text, subset = source.read_text("utf-8"), path.read_text("utf-8")
    begin = text.index('{\n   "id": 11,')
    record = text[begin : text.index("}", begin) + 1]
    assert '"note": "é"' in record
    assert record in subset
    assert text[: text.index('"images"')] == subset[: subset.index('"images"')]
    assert text[text.index('"categories"') :] == subset[subset.index('"categories"') :]


def test_everything_kept_is_the_same_file(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "subset.json"
    tfdp.prune(source, path, rate=0, of="all")
    assert path.read_bytes() == source.read_bytes()


@pytest.mark.parametrize("threads", [1, 2, 7, None])
def test_again_gives_the_same_bytes(threads: int | None, source: Path, tmp_path: Path) -> None:
    first, again = tmp_path / "first.json", tmp_path / "again.json"
    tfdp.prune(source, first, rate=0.5)
    for _ in range(2):  # the second time over the first
        tfdp.prune(source, again, rate=0.5, threads=threads)
        assert again.read_bytes() == first.read_bytes()


def test_text_ids(tmp_path: Path) -> None:
    data = some_data()
    for image in data["images"]:
        image["id"] = f"img/{image['id']}"
    for annotation in data["annotations"]:
        annotation["image_id"] = f"img/{annotation['image_id']}"
        annotation["id"] = f"a{annotation['id']}"
        annotation["category_id"] = "bar"
    data["categories"] = [{"id": "bar", "name": "bar"}]
    path = tmp_path / "source.json"
    path.write_text(json.dumps(data))
    memory = io.BytesIO()
    for source in (data, path):
        pruned = tfdp.prune(source, tmp_path / "subset.json", rate=0.5)
        assert json.loads((tmp_path / "subset.json").read_text()) == only(data, {"img/4", "img/2"})
        assert pruned.subset.ranking.tolist() == ["img/4", "img/2"]
    tfdp.prune(path, memory, rate=0.5)
    assert json.loads(memory.getvalue()) == only(data, {"img/4", "img/2"})


@pytest.mark.parametrize("name", ["voc2012_train.json", "coco_val2014_100.json", "lvis_val_100.json"])
def test_pycocotools_reads_the_subset(name: str, shared_data: Path, tmp_path: Path) -> None:
    source, path = shared_data / name, tmp_path / "subset.json"
    pruned = tfdp.prune(source, path, rate=0.5)
    with contextlib.redirect_stdout(io.StringIO()):
        subset, whole = COCO(str(path)), COCO(str(source))
        again = tfdp.prune(whole, tmp_path / "again.json", rate=0.5)
    assert sorted(subset.imgs) == sorted(pruned.subset.image_ids.tolist())
    expected = {i: a for i, a in whole.anns.items() if a["image_id"] in subset.imgs}
    assert subset.anns == expected
    assert len(expected) == pruned.annotations_kept == again.annotations_kept
    assert subset.cats == whole.cats
    assert again.subset.sha256 == pruned.subset.sha256
    if name.startswith("voc"):
        assert pruned.subset.sha256[:16] == "2f47c3ede7398991"
    assert json.loads((tmp_path / "again.json").read_text()) == json.loads(path.read_text("utf-8"))


def test_progress(source: Path) -> None:
    calls: list[Progress] = []
    tfdp.prune(source, io.BytesIO(), k=1, progress=calls.append)
    assert calls[-1] == Progress(4, 7, 5, 7)


# --- annotations that cannot be used ------------------------------------------------------------------------


def test_skip(bad_source: Path, tmp_path: Path) -> None:
    path = tmp_path / "subset.json"
    pruned = tfdp.prune(bad_source, path, rate=0, on_error="skip")
    data = json.loads(bad_source.read_text())
    assert json.loads(path.read_text()) == only(some_data(), {4, 2, 1})
    assert json.loads(path.read_text()) == only(data, {4, 2, 1}, without=(90, 91, 92))
    assert (pruned.annotations_kept, pruned.annotations_dropped) == (7, 5)
    assert pruned.problems_path == tmp_path / "subset.json.problems.jsonl"
    problems = [json.loads(line) for line in pruned.problems_path.read_text().splitlines()]
    assert problems == [
        {"record": "annotation 90", "reason": Status.COORDINATES_ODD.reason, "row": 0, "file": None},
        {"record": "annotation 91", "reason": Status.RUNS_DO_NOT_FILL_MASK.reason, "row": 2, "file": None},
        {"record": "annotation 92", "reason": "category_id 77 does not exist", "row": 4, "file": None},
    ]
    assert [vars(problem) for problem in pruned.scores.problems] == problems
    assert pruned.problems_path.read_bytes().endswith(b"}\n")


def test_skip_to_a_file_object(bad_source: Path, tmp_path: Path) -> None:
    memory = io.BytesIO()
    pruned = tfdp.prune(bad_source, memory, rate=0, on_error="skip")
    assert json.loads(memory.getvalue()) == only(some_data(), {4, 2, 1})
    assert pruned.problems_path is None
    assert len(pruned.scores.problems) == 3
    assert [entry.name for entry in tmp_path.iterdir()] == ["bad.json"]


def test_skip_and_nothing_is_wrong(source: Path, tmp_path: Path) -> None:
    path = tmp_path / "subset.json"
    (tmp_path / "subset.json.problems.jsonl").write_text("of an earlier run\n")
    pruned = tfdp.prune(source, str(path), rate=0.5, on_error="skip")
    assert pruned.problems_path == tmp_path / "subset.json.problems.jsonl"
    assert pruned.problems_path.read_bytes() == b""
    raised = tmp_path / "raised.json"
    tfdp.prune(source, raised, rate=0.5)
    assert path.read_bytes() == raised.read_bytes()


def test_no_problems_file_unless_asked_for(source: Path, tmp_path: Path) -> None:
    tfdp.prune(source, tmp_path / "subset.json", rate=0.5)
    assert not (tmp_path / "subset.json.problems.jsonl").exists()


@pytest.mark.parametrize("before", [None, b"what was there"])
def test_nothing_is_written_on_failure(
    before: bytes | None, bad_source: Path, source: Path, tmp_path: Path
) -> None:
    path = tmp_path / "subset.json"
    if before is not None:
        path.write_bytes(before)
    names = {entry.name for entry in tmp_path.iterdir()}

    def stop(progress: Progress) -> None:
        raise RuntimeError(f"{progress.annotations} of {progress.all_annotations}")

    with pytest.raises(DataError) as caught:
        tfdp.prune(bad_source, path, rate=0.5)
    assert (caught.value.source, caught.value.record) == (str(bad_source), "annotation 92")
    with pytest.raises(OptionError, match="4 images cannot be kept: 3 are scored"):
        tfdp.prune(source, path, k=4)
    with pytest.raises(RuntimeError, match="7 of 7"):
        tfdp.prune(source, path, k=1, progress=stop)
    with pytest.raises(DataError):
        tfdp.prune({**some_data(), "info": object()}, path, k=1)
    assert {entry.name for entry in tmp_path.iterdir()} == names
    assert (path.read_bytes() if path.exists() else None) == before


def test_a_problems_file_that_cannot_be_written(bad_source: Path, tmp_path: Path) -> None:
    """Neither of the two files, then: a subset without its list of problems would lose records silently."""
    path = tmp_path / "subset.json"
    (tmp_path / "subset.json.problems.jsonl").mkdir()
    with pytest.raises(OutputError, match=r"problems\.jsonl"):
        tfdp.prune(bad_source, path, rate=0, on_error="skip")
    assert not path.exists()


def test_the_source_as_its_own_list_of_problems(tmp_path: Path) -> None:
    source = tmp_path / "a.json.problems.jsonl"
    source.write_text(json.dumps(some_data()))
    before = source.read_bytes()
    with pytest.raises(OutputError):
        tfdp.prune(source, tmp_path / "a.json", rate=0, on_error="skip", format="coco")
    assert source.read_bytes() == before


# --- where to -----------------------------------------------------------------------------------------------


def test_not_onto_the_source(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = source.read_bytes()
    soft, hard = tmp_path / "soft.json", tmp_path / "hard.json"
    soft.symlink_to(source)
    os.link(source, hard)
    monkeypatch.chdir(tmp_path)
    for destination in (source, str(source), "source.json", "./source.json", soft, hard):
        with pytest.raises(OutputError, match="is the file that is being read"):
            tfdp.prune(source, destination, rate=0.5)
    with source.open("r+b") as file, pytest.raises(OutputError, match="is the file that is being read"):
        tfdp.prune(source, file, rate=0.5)
    assert source.read_bytes() == before


def test_a_folder_that_does_not_exist(source: Path, tmp_path: Path) -> None:
    calls: list[Progress] = []
    with pytest.raises(OutputError, match="does not exist"):
        tfdp.prune(source, tmp_path / "no" / "a.json", k=1, progress=calls.append)
    with pytest.raises(OutputError, match="does not exist"):
        tfdp.prune(source, tmp_path / "no" / "a.json", k=1, on_error="skip")
    assert calls == []  # before any work
    assert not (tmp_path / "no").exists()


def test_a_folder(source: Path, tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="is a folder"):
        tfdp.prune(source, tmp_path, k=1)


@pytest.mark.parametrize("destination", [None, 5, io.StringIO()])
def test_neither_a_path_nor_a_binary_file(destination: Any, source: Path) -> None:
    with pytest.raises(OptionError, match="neither a path nor a binary file"):
        tfdp.prune(source, destination, k=1)


def test_permissions_are_those_of_any_new_file(source: Path, tmp_path: Path) -> None:
    (tmp_path / "new").write_bytes(b"")
    tfdp.prune(source, tmp_path / "subset.json", k=1)
    assert (tmp_path / "subset.json").stat().st_mode == (tmp_path / "new").stat().st_mode


# --- options ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({}, "one of rate, keep and k"),
        ({"rate": 0.5, "k": 1}, "one of rate, keep and k"),
        ({"rate": 1.0}, "0 <= rate < 1"),
        ({"keep": 0}, "0 < keep <= 1"),
        ({"k": 0}, "at least 1"),
        ({"k": True}, "whole number"),
        ({"rate": float("nan")}, "finite"),
        ({"k": 1, "of": "some"}, "of must be"),
        ({"k": 1, "variant": "x"}, "variant must be"),
        ({"k": 1, "polygons": "x"}, "polygons must be"),
        ({"k": 1, "on_error": "x"}, "on_error must be"),
        ({"k": 1, "threads": 0}, "threads must be"),
    ],
)
def test_options_are_checked_before_anything_is_read(
    options: dict[str, Any], what: str, tmp_path: Path
) -> None:
    with pytest.raises(OptionError, match=what):
        tfdp.prune(tmp_path / "none.json", tmp_path / "subset.json", **options)
    assert list(tmp_path.iterdir()) == []


def test_a_source_that_does_not_exist(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        tfdp.prune(tmp_path / "none.json", tmp_path / "subset.json", k=1)
    assert list(tmp_path.iterdir()) == []


def test_a_dict_is_not_changed(tmp_path: Path) -> None:
    data = some_data()
    data["annotations"][0]["segmentation"] = [np.array(bar(9)[0])]
    before = copy.deepcopy(data)
    tfdp.prune(data, tmp_path / "subset.json", rate=0)
    written = json.loads((tmp_path / "subset.json").read_text())
    assert written == only(some_data(), {4, 2, 1})
    assert repr(data) == repr(before)
