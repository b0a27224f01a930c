"""Runs that come to no good end: shards that fail, that do not go together, and what is refused."""

from __future__ import annotations

import fcntl
import json
import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import tfdp_fast as tfdp
from record_support import general, made_coco
from run_support import (
    assert_is_one_pass,
    coco_parts,
    content,
    done,
    events,
    image_scores,
    manifest_of,
    odd_coco,
    pieces,
    times,
    write_coco,
)
from tfdp_fast import distributed
from tfdp_fast.distributed import Shard, run_status

ENGINE: dict[str, Any] = {"engine": "threads", "workers": 2}
SQUARE = [[0, 0, 9, 0, 9, 9, 0, 9]]


def image(number: Any, *categories: Any) -> dict[str, Any]:
    annotations = [{"segmentation": SQUARE, "category_id": category} for category in categories]
    return {"image_id": number, "height": 10, "width": 10, "annotations": annotations}


def made(*images: Any) -> Callable[[], Any]:
    return lambda: list(images)


class Failing:
    """Makes a shard, but fails so many times first."""

    def __init__(self, times: int, *images: Any) -> None:
        self.left = times
        self._images = images
        self._lock = threading.Lock()

    def __call__(self) -> Any:
        with self._lock:
            self.left -= 1
            if self.left >= 0:
                raise RuntimeError("the network is\nnot there")
        return list(self._images)


def assert_nothing_came_out(folder: Path) -> None:
    assert not (folder / "result.json").exists()
    assert run_status(folder).result is None
    assert not run_status(folder).complete
    with pytest.raises(tfdp.DataError, match="without a result"):
        distributed.load_run_scores(folder)


# --- Shards that fail ---------------------------------------------------------------------------------------


def test_a_shard_that_fails_is_tried_again(tmp_path: Path) -> None:
    shards = [Shard(f"{i}", make=Failing(fails, image(i, 1))) for i, fails in enumerate([0, 2, 0, 1])]
    result = distributed.run(shards, tmp_path, k=1, retries=2, **ENGINE)
    assert_is_one_pass(tmp_path, result, tfdp.score([image(i, 1) for i in range(4)]), k=1)
    tries = [event["try"] for event in events(tmp_path) if event["event"] == "failed"]
    assert sorted(tries) == [1, 1, 2]
    reasons = {event["reason"] for event in events(tmp_path) if event["event"] == "failed"}
    assert reasons == {r"RuntimeError: the network is\nnot there"}
    assert all(event["again"] for event in events(tmp_path) if event["event"] == "failed")
    assert [shard["state"] for shard in manifest_of(tmp_path)["shards"]] == ["done"] * 4


def test_a_shard_that_fails_to_the_end(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """It is reported, the others are scored, nothing is chosen; and the next run tries only this one."""
    first = [Shard(f"{i}", make=made(image(i, 1))) for i in range(2)]
    distributed.run(first, tmp_path, k=1, **ENGINE)
    assert (tmp_path / "result.json").exists()
    failing = Failing(4, image(2, 1), image(3))
    shards = [first[0], Shard("bad", make=failing), first[1], Shard("4", make=made(image(4, 1)))]
    with caplog.at_level(logging.DEBUG):
        result = distributed.run(shards, tmp_path, k=1, retries=2, **ENGINE)
    [failed] = result.failed
    assert (failed.name, failed.tries) == ("bad", 3)
    assert failed.reason == r"RuntimeError: the network is\nnot there"
    assert (result.shards, result.scored, result.chosen, result.images) == (4, 1, None, 0)
    assert json.loads(json.dumps(result.to_json()))["failed"][0]["name"] == "bad"
    assert_nothing_came_out(tmp_path)
    entry = manifest_of(tmp_path)["shards"][1]
    assert (entry["state"], entry["tries"], entry["reason"]) == ("failed", 3, failed.reason)
    status = run_status(tmp_path)
    assert (status.done, status.failed, status.missing) == (3, [failed], 0)
    assert [event["again"] for event in events(tmp_path) if event["event"] == "failed"] == [True, True, False]

    result = distributed.run(shards, tmp_path, k=1, retries=0, **ENGINE)
    assert [(one.name, one.tries) for one in result.failed] == [("bad", 1)]
    assert result.scored == 0
    result = distributed.run(shards, tmp_path, k=1, retries=0, **ENGINE)
    assert result.scored == 1
    images = [image(0, 1), image(2, 1), image(3), image(1, 1), image(4, 1)]
    assert_is_one_pass(tmp_path, result, tfdp.score(images), k=1)
    assert len(done(tmp_path)) == len(set(done(tmp_path))) == 4
    assert run_status(tmp_path).failed == []


def test_bad_files(tmp_path: Path) -> None:
    coco = odd_coco()
    parts = coco_parts(coco, [2, 4], tmp_path / "parts")
    good = Path(parts[1]).read_bytes()
    Path(parts[1]).write_bytes(good[:-40])
    run = tmp_path / "run"
    result = distributed.run(parts, run, rate=0.5, **ENGINE)
    [failed] = result.failed
    assert failed.name == parts[1]
    assert failed.reason.startswith(f"{parts[1]}: ")
    assert "\n" not in failed.reason
    assert len(list((run / "counts").iterdir())) == 2
    assert_nothing_came_out(run)
    Path(parts[1]).write_bytes(good)
    result = distributed.run(parts, run, rate=0.5, changed="rescore", **ENGINE)
    assert result.scored == 1
    scores = tfdp.score(write_coco(coco, tmp_path / "all.json"))
    assert_is_one_pass(run, result, scores, rate=0.5)


def test_an_annotation_that_cannot_be_used_fails_its_shard(tmp_path: Path) -> None:
    coco = odd_coco(bad=True)
    parts = coco_parts(coco, [4, 6], tmp_path / "parts")
    result = distributed.run(parts, tmp_path / "run", rate=0.5, retries=0, **ENGINE)
    assert [one.name for one in result.failed] == parts[:2]
    assert all(one.reason.startswith(f"{one.name}: annotation ") for one in result.failed)
    assert result.scored == 1


def test_a_file_that_changes_meanwhile(tmp_path: Path) -> None:
    parts = coco_parts(odd_coco(), [4], tmp_path / "parts")
    stat = Path(parts[0]).stat()
    wrong = [
        Shard("size", parts[0], stat.st_size - 1, stat.st_mtime_ns),
        Shard("time", parts[0], stat.st_size, stat.st_mtime_ns - 1),
        Shard("gone", str(tmp_path / "gone.json"), 1, 1),
    ]
    result = distributed.run(wrong, tmp_path / "run", retries=0, **ENGINE)
    assert [one.name for one in result.failed] == ["size", "time", "gone"]
    for one in result.failed[:2]:
        assert one.reason.startswith(f"{parts[0]}: has changed since the run was planned: ")
    assert not list(tmp_path.rglob("counts/*"))


def test_pass_two_that_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = coco_parts(odd_coco(), [4], tmp_path / "parts")
    run = tmp_path / "run"
    (run / "images").mkdir(parents=True)
    distributed.run(parts, run, rate=0.5, **ENGINE)
    key = manifest_of(run)["shards"][1]["key"]
    blocked = run / "images" / f"{key}.parquet"
    blocked.unlink()
    blocked.mkdir()
    result = distributed.run(parts, run, rate=0.5, **ENGINE)
    [failed] = result.failed
    assert (failed.name, failed.tries) == (parts[1], 3)
    assert "is a folder" in failed.reason
    assert_nothing_came_out(run)
    blocked.rmdir()
    assert not distributed.run(parts, run, rate=0.5, **ENGINE).failed
    assert len(done(run)) == 2
    monkeypatch.undo()


# --- Shards that do not go together -------------------------------------------------------------------------


def test_classes_of_two_names(tmp_path: Path) -> None:
    coco = odd_coco()
    parts = coco_parts(coco, [2, 4], tmp_path / "parts")
    other = json.loads(Path(parts[2]).read_text())
    other["categories"][1]["name"] = "kitten"
    Path(parts[2]).write_text(json.dumps(other))
    for _ in range(2):
        with pytest.raises(tfdp.DataError) as caught:
            distributed.run(parts, tmp_path / "run", rate=0.5, **ENGINE)
        assert str(caught.value) == f"{parts[2]}: category 5: is 'kitten' here, and 'cat' in {parts[0]}"
        assert_nothing_came_out(tmp_path / "run")
    assert len(done(tmp_path / "run")) == 3


def test_names_that_only_some_know(tmp_path: Path) -> None:
    """Shards without names, or with some classes only, go with those that have them."""
    coco = odd_coco()
    parts = coco_parts(coco, [2, 4], tmp_path / "parts")
    some = json.loads(Path(parts[0]).read_text())
    used = {one["category_id"] for one in some["annotations"]}
    some["categories"] = [one for one in some["categories"] if one["id"] in used]
    Path(parts[0]).write_text(json.dumps(some))
    # Records of images have ids of classes, and no names.
    ids = {one["id"] for one in coco["images"][2:4]}
    own = [one for one in coco["annotations"] if one["image_id"] in ids and not one["ignore"]]
    records = list(general({"images": coco["images"][2:4], "annotations": own}))
    shards = [Shard("a", parts[0]), Shard("none", make=lambda: records), Shard("c", parts[2])]
    result = distributed.run(shards, tmp_path / "run", rate=0.5, **ENGINE)
    names = {one.id: one.name for one in result.classes}
    assert names == {one["id"]: one["name"] for one in coco["categories"]}
    assert (tfdp.score(coco).images.score.tobytes()) == (
        image_scores(tmp_path / "run")["score"].to_numpy().tobytes()
    )


@pytest.mark.parametrize(
    ("one", "other", "reason"),
    [
        (image(1, 5), image("x", 5), "b: ids of images are text here, and numbers in a"),
        (image("x", 5), image(1, 5), "b: ids of images are numbers here, and text in a"),
        (image(1, 5), image(2, "x"), "ids of categories are partly numbers and partly text"),
    ],
)
def test_ids_of_two_kinds(tmp_path: Path, one: Any, other: Any, reason: str) -> None:
    shards = [Shard("empty", make=made()), Shard("a", make=made(one)), Shard("b", make=made(other))]
    with pytest.raises(tfdp.DataError, match=reason):
        distributed.run(shards, tmp_path, **ENGINE)
    assert_nothing_came_out(tmp_path)


# --- What is refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "reason"),
    [
        ({"rate": 1.5}, "rate"),
        ({"rate": 0.5, "keep": 0.5}, "rate"),
        ({"k": 0}, "k"),
        ({"k": 10**6}, "1000000 images cannot be kept: 5 are scored"),
        ({"rate": 0.5, "of": "some"}, "of"),
        ({"of": "some"}, "of"),
        ({"rate": 0.5, "strategy": "ccs"}, "a run has 'top' and 'random'"),
        ({"rate": 0.5, "strategy": "best"}, "strategy"),
        ({"rate": 0.5, "seed": 3}, "seed"),
        ({"rate": 0.5, "strategy": "random", "order": "lowest"}, "order"),
        ({"variant": "x"}, "variant"),
        ({"polygons": "x"}, "polygons"),
        ({"on_error": "x"}, "on_error"),
        ({"format": "x"}, "format"),
        ({"difficult": "x"}, "difficult"),
        ({"changed": "x"}, "changed must be 'raise' or 'rescore', got 'x'"),
        ({"retries": -1}, "retries must be a whole number of at least 0, got -1"),
        ({"retries": True}, "retries"),
        ({"shard_instances": 0}, "shard_instances"),
        ({"workers": 0}, "workers"),
        ({"engine": "x"}, "engine must be one of local, threads, ray, dask, got 'x'"),
        ({"address": "auto"}, "address"),
    ],
    ids=str,
)
def test_options_that_make_no_sense(tmp_path: Path, options: dict[str, Any], reason: str) -> None:
    parts = coco_parts(odd_coco(), [4], tmp_path / "parts")
    with pytest.raises(tfdp.OptionError, match=reason) as caught:
        distributed.run(parts, tmp_path / "run", **ENGINE | options)
    assert "\n" not in str(caught.value)
    if options != {"k": 10**6}:  # which nobody knows before all is scored
        assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("source", [[], "", "no such file.json", "*.json", ["a", 3], iter([])], ids=repr)
def test_sources_that_are_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises((tfdp.DataError, tfdp.OptionError)) as caught:
        distributed.run(source, "run", **ENGINE)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_folders_that_cannot_be_written(tmp_path: Path) -> None:
    shard = Shard("a", make=made(image(1, 1)))
    (tmp_path / "file").write_text("mine")
    for folder in (tmp_path / "file", tmp_path / "file" / "run", Path("/proc/run")):
        with pytest.raises(tfdp.OutputError, match=str(folder)) as caught:
            distributed.run([shard], folder, **ENGINE)
        assert "\n" not in str(caught.value)
    assert (tmp_path / "file").read_text() == "mine"
    with pytest.raises(tfdp.OptionError, match="is not the name of a folder"):
        distributed.run([shard], "", **ENGINE)


def test_a_folder_with_a_driver_at_work(tmp_path: Path) -> None:
    shards = pieces(list(general(made_coco(4))), [2])
    distributed.run(shards, tmp_path, **ENGINE)
    before = content(tmp_path), times(tmp_path)
    with (tmp_path / ".lock").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        with pytest.raises(tfdp.OutputError, match="another run is at work in this folder"):
            distributed.run(shards, tmp_path, k=1, **ENGINE)
        assert run_status(tmp_path).running
    assert (content(tmp_path), times(tmp_path)) == before
    assert run_status(tmp_path).running is False
    assert not distributed.run(shards, tmp_path, k=1, **ENGINE).failed


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '{"file": "tfdp-fast run"}', "\ufeff{}", "\0"])
def test_a_manifest_that_is_none(tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    for attempt in (
        lambda: distributed.run([Shard("a", make=list)], tmp_path, **ENGINE),
        lambda: run_status(tmp_path),
    ):
        with pytest.raises(tfdp.DataError, match=r"manifest\.json: is no manifest of a run"):
            attempt()
    assert (tmp_path / "manifest.json").read_text() == text


def test_a_manifest_of_another_version(tmp_path: Path) -> None:
    shards = pieces(list(general(made_coco(4))), [2])
    distributed.run(shards, tmp_path, **ENGINE)
    path = tmp_path / "manifest.json"
    path.write_text(json.dumps(manifest_of(tmp_path) | {"format_version": 17}))
    with pytest.raises(tfdp.DataError, match="is of format 17, and this version reads format 1"):
        distributed.run(shards, tmp_path, **ENGINE)
    with pytest.raises(tfdp.DataError, match="holds no run"):
        run_status(tmp_path / "elsewhere")
