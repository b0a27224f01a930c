"""A run that is run again does what is missing, and nothing else."""

from __future__ import annotations

import contextlib
import errno
import itertools
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

import tfdp_fast as tfdp
from record_support import general, made_coco
from run_support import (
    Interrupted,
    Interrupting,
    assert_is_one_pass,
    coco_parts,
    content,
    done,
    events,
    flip_in_page,
    image_scores,
    manifest_of,
    odd_coco,
    pieces,
    times,
    write_coco,
)
from tfdp_fast import distributed
from tfdp_fast.distributed import run_status
from tfdp_fast.distributed.folder import RunFolder

ENGINE: dict[str, Any] = {"engine": "threads", "workers": 2}


class Run:
    """A run of four parts of a data set, and what one pass in memory makes of all of it."""

    def __init__(self, folder: Path) -> None:
        self.coco = odd_coco()
        self.parts = coco_parts(self.coco, [2, 4, 6], folder / "parts")
        self.folder = folder / "run"
        self.all = folder / "all.json"
        self.scores = tfdp.score(write_coco(self.coco, self.all))
        self.go(rate=0.5)
        self.before = content(self.folder)

    def go(self, parts: Any = None, **options: Any) -> distributed.RunResult:
        source = self.parts if parts is None else parts
        return distributed.run(source, self.folder, **ENGINE | options)

    def keys(self) -> list[str]:
        return [shard["key"] for shard in manifest_of(self.folder)["shards"]]

    def file(self, kind: str, shard: int) -> Path:
        return self.folder / kind / f"{self.keys()[shard]}.parquet"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run(tmp_path)


def test_nothing_is_done_twice(run: Run) -> None:
    before = times(run.folder)
    result = run.go(rate=0.5)
    assert result.scored == 0
    assert_is_one_pass(run.folder, result, run.scores, rate=0.5)
    after = times(run.folder)
    for folder in ("counts", "images"):
        assert after[folder] == before[folder]
    assert len(done(run.folder)) == 4
    assert content(run.folder) == run.before
    assert [event["event"] for event in events(run.folder)].count("run") == 2
    assert [event["event"] for event in events(run.folder)].count("end") == 2


def test_other_choices_measure_nothing_again(run: Run) -> None:
    before = times(run.folder)
    for choice in ({"rate": 0.2}, {"k": 2, "strategy": "random"}, {"keep": 0.5, "of": "all"}):
        assert_is_one_pass(run.folder, run.go(**choice), run.scores, **choice)
    assert times(run.folder)["images"] == before["images"]
    for variant in ("si", "scs", "tfdp"):
        scores = tfdp.score(run.all, variant)
        assert_is_one_pass(run.folder, run.go(rate=0.5, variant=variant), scores, rate=0.5)
    assert times(run.folder)["counts"] == before["counts"]
    assert content(run.folder) == run.before


def test_without_a_source(run: Run) -> None:
    before = times(run.folder)
    assert_is_one_pass(run.folder, distributed.run(None, run.folder, **ENGINE), run.scores, rate=0.5)
    assert_is_one_pass(run.folder, distributed.run(None, run.folder, k=2, **ENGINE), run.scores, k=2)
    for choice in (
        {"keep": 0.4, "of": "all", "order": "lowest"},
        {"rate": 0.3, "of": "annotated", "strategy": "random", "seed": 3},
        {"k": 2},
    ):
        run.go(**choice)
        (run.folder / "keep.txt").unlink()
        result = distributed.run(None, run.folder, **ENGINE)
        assert_is_one_pass(run.folder, result, run.scores, **choice)
    run.file("counts", 1).unlink()
    result = distributed.run(None, run.folder, **ENGINE)
    assert_is_one_pass(run.folder, result, run.scores, k=2)
    assert result.scored == 1
    assert times(run.folder)["images"] == before["images"]


def test_without_a_source_from_elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Paths are remembered as they are from everywhere; wildcards stand for what is there now."""
    coco = odd_coco()
    coco_parts(coco, [2, 4], tmp_path / "parts")
    monkeypatch.chdir(tmp_path)
    distributed.run("parts/*.json", "run", rate=0.5, polygons="opencv", **ENGINE)
    (tmp_path / "x").mkdir()
    monkeypatch.chdir(tmp_path / "x")
    assert distributed.run(None, "../run", **ENGINE).scored == 0
    more = made_coco(3) | {"categories": coco["categories"]}
    more["annotations"] = []
    for number, image in enumerate(more["images"]):
        image["id"] = 1000 + number
    write_coco(more, tmp_path / "parts" / "part 01b.json")
    result = distributed.run(None, "../run", **ENGINE)
    assert (result.scored, result.shards, result.options.polygons) == (1, 4, "opencv")
    assert manifest_of(tmp_path / "run")["source"] == [f"{tmp_path}/parts/*.json"]


def test_without_a_source_there_has_to_be_one(tmp_path: Path) -> None:
    with pytest.raises(tfdp.OptionError, match="holds no run yet: say what the source is"):
        distributed.run(None, tmp_path / "run", **ENGINE)
    assert not (tmp_path / "run").exists()
    images = list(general(made_coco(4)))
    distributed.run(pieces(images, [2]), tmp_path / "run", **ENGINE)
    with pytest.raises(tfdp.OptionError, match="were made by the caller: give them again"):
        distributed.run(None, tmp_path / "run", **ENGINE)
    assert distributed.run(pieces(images, [2]), tmp_path / "run", **ENGINE).scored == 0


# --- What is missing, or damaged ----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["gone", "truncated", "empty", "another", "page"])
def test_a_counts_file(run: Run, damage: str) -> None:
    path, before = run.file("counts", 2), times(run.folder)
    spoil(path, damage, run.file("counts", 1))
    if damage == "page":  # which only those see who read it
        assert run.go(rate=0.5).scored == 0
        result = run.go(rate=0.5, variant="si")
        assert [one.name for one in result.failed] == [run.parts[2]]
        assert "cannot be read" in result.failed[0].reason
        assert not path.exists()
    result = run.go(rate=0.5)
    assert result.scored == 1
    assert_is_one_pass(run.folder, result, run.scores, rate=0.5)
    assert len(done(run.folder)) == 5
    assert done(run.folder)[-1] == run.keys()[2]
    assert content(run.folder) == run.before
    after = times(run.folder)
    assert {name for name, time in after["counts"].items() if before["counts"][name] != time} == {path.name}
    if damage != "page":
        assert after["images"] == before["images"]


@pytest.mark.parametrize("damage", ["gone", "truncated", "empty", "another", "page"])
def test_a_file_of_image_scores(run: Run, damage: str) -> None:
    path, before = run.file("images", 2), times(run.folder)
    spoil(path, damage, run.file("images", 1))
    if damage == "page":
        with pytest.raises(tfdp.DataError, match=f"{path.name}: cannot be read"):
            run.go(rate=0.5)
        assert not path.exists()
        assert not (run.folder / "result.json").exists()
    result = run.go(rate=0.5)
    assert result.scored == 0
    assert_is_one_pass(run.folder, result, run.scores, rate=0.5)
    assert content(run.folder) == run.before
    after = times(run.folder)
    assert {name for name, time in after["images"].items() if before["images"][name] != time} == {path.name}
    assert after["counts"] == before["counts"]


def spoil(path: Path, damage: str, other: Path) -> None:
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    elif damage == "another":
        path.write_bytes(other.read_bytes())
    elif damage == "page":
        flip_in_page(path, "straight" if path.parent.name == "counts" else "image_id")
    else:
        path.write_bytes(data[: len(data) // 2 if damage == "truncated" else 0])


def test_what_came_out_is_written_again(run: Run) -> None:
    for name in ("keep.txt", "drop.txt", "totals.json", "result.json"):
        (run.folder / name).unlink()
        assert_is_one_pass(run.folder, run.go(rate=0.5), run.scores, rate=0.5)
    assert content(run.folder) == run.before


# --- Another source, or other options -----------------------------------------------------------------------


def test_other_options_are_refused(run: Run) -> None:
    others: list[tuple[dict[str, Any], str]] = [
        ({"polygons": "opencv"}, "polygons: 'opencv' now, 'coco' before"),
        ({"on_error": "skip"}, "on_error: 'skip' now, 'raise' before"),
        ({"format": "coco"}, "format: 'coco' now, None before"),
        ({"shard_instances": 9}, "shard_instances: 9 now, 1000000 before"),
    ]
    before = times(run.folder)
    for options, reason in others:
        with pytest.raises(tfdp.OptionError, match=reason) as caught:
            run.go(rate=0.1, **options)
        assert str(caught.value).startswith(f"{run.folder} is a run with other options or another source: ")
        assert "\n" not in str(caught.value)
    with pytest.raises(tfdp.OptionError, match=r"polygons: 'opencv' now, 'coco' before$"):
        run.go(polygons="opencv", changed="rescore")
    assert times(run.folder) == before


def test_a_shard_that_has_changed(run: Run) -> None:
    before, path = times(run.folder), Path(run.parts[1])
    part = json.loads(path.read_text())
    part["annotations"][0]["segmentation"] = [[1, 1, 7, 1, 7, 6, 1, 6]]
    changed = {one["id"]: one for one in part["annotations"]}
    path.write_text(json.dumps(part, indent=1))
    with pytest.raises(
        tfdp.OptionError, match=r"changed: \S*part 01.json \([\d,]+ bytes now, [\d,]+ before\)"
    ):
        run.go(rate=0.5)
    with pytest.raises(tfdp.OptionError, match="--changed rescore, or changed='rescore', takes"):
        run.go(rate=0.5)
    assert times(run.folder) == before
    result = run.go(rate=0.5, changed="rescore")
    assert result.scored == 1
    run.coco["annotations"] = [changed.get(one["id"], one) for one in run.coco["annotations"]]
    assert_is_one_pass(run.folder, result, tfdp.score(run.coco), rate=0.5)
    assert content(run.folder) != run.before
    os.utime(path, (1, 1))
    with pytest.raises(tfdp.OptionError, match=r"changed: \S*part 01.json \(written to since\)"):
        run.go(rate=0.5)
    assert run.go(rate=0.5, changed="rescore").scored == 1


def test_a_shard_that_is_gone(run: Run) -> None:
    for parts in (run.parts[:1] + run.parts[2:], run.parts[1:2]):
        with pytest.raises(tfdp.OptionError, match="not in the source any more: "):
            run.go(parts, rate=0.5)
    result = run.go(run.parts[:3], rate=0.5, changed="rescore")
    assert (result.scored, result.shards) == (0, 3)
    part = {**run.coco, "images": run.coco["images"][:6]}
    ids = {image["id"] for image in part["images"]}
    part["annotations"] = [one for one in part["annotations"] if one["image_id"] in ids]
    assert_is_one_pass(run.folder, result, tfdp.score(part), rate=0.5)
    # What was counted of it is still there: it comes back for nothing.
    result = run.go(rate=0.5)
    assert result.scored == 0
    assert_is_one_pass(run.folder, result, run.scores, rate=0.5)


def test_many_differences_are_a_line(tmp_path: Path) -> None:
    images = list(general(made_coco(12)))
    distributed.run(pieces(images, list(range(1, 12))), tmp_path / "run", **ENGINE)
    with pytest.raises(tfdp.OptionError) as caught:
        distributed.run(pieces(images, [1, 4, 6]), tmp_path / "run", **ENGINE)
    reason = str(caught.value)
    assert (
        "changed: piece 1 (another version), piece 2 (another version), piece 3 (another version)" in reason
    )
    assert "not in the source any more: piece 4, piece 5, piece 6 and 5 more" in reason


def test_shards_that_are_new(tmp_path: Path) -> None:
    """Among the others: in the order of the source, as always."""
    coco, run = odd_coco(), tmp_path / "run"
    parts = coco_parts(coco, [2, 4, 6], tmp_path / "parts")
    distributed.run([parts[0], parts[3]], run, rate=0.5, **ENGINE)
    before = times(run)["counts"]
    result = distributed.run(parts, run, rate=0.5, **ENGINE)
    assert_is_one_pass(run, result, tfdp.score(write_coco(coco, tmp_path / "all.json")), rate=0.5)
    assert (result.scored, result.shards) == (2, 4)
    assert before.items() <= times(run)["counts"].items()
    turned = distributed.run(parts[::-1], run, k=3, of="all", order="lowest", **ENGINE)
    assert turned.scored == 0
    coco["images"] = [image for a, b in ((6, 9), (4, 6), (2, 4), (0, 2)) for image in coco["images"][a:b]]
    scores = tfdp.score(coco)
    assert_is_one_pass(run, turned, scores, k=3, of="all", order="lowest")


# --- Interrupted --------------------------------------------------------------------------------------------


def test_interrupted_at_every_event(tmp_path: Path) -> None:
    coco = odd_coco()
    parts = coco_parts(coco, [2, 4, 6], tmp_path / "parts")
    distributed.run(parts, tmp_path / "whole", rate=0.5, **ENGINE)
    expected = content(tmp_path / "whole")
    for at in range(0, 16, 3):
        run = tmp_path / f"run {at}"
        with pytest.raises(Interrupted):
            distributed.run(parts, run, rate=0.5, watcher=Interrupting(at), **ENGINE)
        status = run_status(run)
        assert (status.complete, status.running, status.result) == (False, False, None)
        there = len(list((run / "counts").iterdir())) if (run / "counts").exists() else 0
        assert status.done == there
        result = distributed.run(parts, run, rate=0.5, **ENGINE)
        assert result.scored == 4 - there
        assert content(run) == expected
        assert run_status(run).complete
        assert not list(run.rglob("*.tmp"))


def test_interrupted_again_and_again(tmp_path: Path) -> None:
    """Each time it comes a little further."""
    coco, run = odd_coco(), tmp_path / "run"
    parts = coco_parts(coco, list(range(1, 9)), tmp_path / "parts")

    def attempt() -> distributed.RunResult | None:
        with contextlib.suppress(Interrupted):
            return distributed.run(parts, run, rate=0.5, watcher=Interrupting(5), **ENGINE)
        return None

    results = list(itertools.takewhile(lambda result: result is None, (attempt() for _ in range(40))))
    assert 1 < len(results) < 40
    result = distributed.run(parts, run, rate=0.5, **ENGINE)
    assert result.scored == 0
    assert_is_one_pass(run, result, tfdp.score(write_coco(coco, tmp_path / "all.json")), rate=0.5)
    assert len(image_scores(run)) == 9


def no_locks(*_: object) -> None:
    raise OSError(errno.ENOTSUP, os.strerror(errno.ENOTSUP))


@pytest.mark.parametrize("alone", [True, False])
def test_what_dead_writers_have_left(run: Run, monkeypatch: pytest.MonkeyPatch, alone: bool) -> None:
    """It goes at once if nobody else can be at work; without locks, when it is old."""
    if not alone:
        monkeypatch.setattr("fcntl.flock", no_locks)
    names = [".tfdp-0123456789abcdef.tmp", ".tfdp-0123456789abcdee.tmp", ".tfdp-0.tmp", "notes.txt"]
    for folder in (run.folder, run.folder / "counts", run.folder / "images"):
        for name in names:
            (folder / name).write_bytes(b"half of a fi")
            old = time.time() - (0 if name == names[1] else 3600)
            os.utime(folder / name, (old, old))
    run.go(rate=0.5)
    for folder in (run.folder, run.folder / "counts", run.folder / "images"):
        assert [name for name in names if (folder / name).exists()] == names[2 if alone else 1 :]
    assert run_status(run.folder).running is (False if alone else None)
    assert run_status(run.folder).done == 4


def test_what_is_not_said_stays_as_it_was(run: Run) -> None:
    run.go(rate=0.4, of="all", strategy="random", seed=5)
    result = distributed.run(None, run.folder, seed=6, **ENGINE)
    choice = {"rate": 0.4, "of": "all", "strategy": "random", "seed": 6}
    assert_is_one_pass(run.folder, result, run.scores, **choice)
    result = distributed.run(None, run.folder, variant="scs", strategy="top", **ENGINE)
    assert_is_one_pass(run.folder, result, tfdp.score(run.all, "scs"), rate=0.4, of="all")


def test_a_shard_that_has_failed_may_be_mended(run: Run) -> None:
    """Its file is another one then; the lists of an older result are gone meanwhile."""
    bad = Path(run.parts[0]).with_name("z.json")
    bad.write_bytes(b"[")
    assert run.go([*run.parts, str(bad)], rate=0.5).failed
    assert not {"keep.txt", "drop.txt", "result.json"} & {path.name for path in run.folder.iterdir()}
    bad.write_text('{"images": [], "annotations": [], "categories": []}')
    assert_is_one_pass(run.folder, run.go([*run.parts, str(bad)], rate=0.5), run.scores, rate=0.5)
    bad.write_text('{"images": [], "annotations": [], "categories": []} ')
    with pytest.raises(tfdp.OptionError, match=r"z\.json \(52 bytes now, 51 before\)"):
        run.go([*run.parts, str(bad)], rate=0.5)


def test_a_run_that_began_meanwhile_is_not_overwritten(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between looking at the folder and locking it, another driver may have come and gone."""
    locked = RunFolder.locked

    def late(self: RunFolder) -> Any:
        monkeypatch.setattr(RunFolder, "locked", locked)
        run.go(rate=0.25)
        return locked(self)

    monkeypatch.setattr(RunFolder, "locked", late)
    with pytest.raises(tfdp.OutputError, match="another run has been at work meanwhile: try again"):
        run.go(rate=0.75)
    assert manifest_of(run.folder)["wanted"]["share"] == "3/4"
