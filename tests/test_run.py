"""What a run makes of shards is what `score` and `select` make of all of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

import tfdp_fast as tfdp
from arrow_support import BY_IMAGE
from arrow_support import LAYOUTS as TABLES
from documents_support import LAYOUTS as DOCUMENTS
from documents_support import made
from golden_support import KEPT, SHA, VARIANTS
from record_support import REAL, general, made_coco
from run_support import (
    assert_is_one_pass,
    coco_parts,
    done,
    events,
    image_scores,
    manifest_of,
    odd_coco,
    pieces,
    write_coco,
)
from tfdp_fast import distributed
from tfdp_fast.scores import Variant
from voc_support import IMAGES as VOC
from voc_support import make_voc

CUTS = [[], [4], [0, 1, 1, 5, 9, 9], list(range(1, 9))]
CHOICES: list[dict[str, Any]] = [
    {"rate": 0.5},
    {"rate": 0, "of": "all"},
    {"keep": 0.3, "of": "annotated"},
    {"k": 1},
    {"k": 4, "of": "all", "order": "lowest"},
    {"rate": 0.4, "order": "lowest"},
    {"rate": 0.5, "strategy": "random"},
    {"k": 5, "of": "all", "strategy": "random", "seed": 17},
]


# --- Data sets that are made here ---------------------------------------------------------------------------


@pytest.mark.parametrize("ends", CUTS, ids=len)
@pytest.mark.parametrize("variant", VARIANTS)
def test_variants(tmp_path: Path, ends: list[int], variant: Variant) -> None:
    coco = odd_coco()
    parts = coco_parts(coco, ends, tmp_path / "parts")
    result = distributed.run(parts, tmp_path / "run", rate=0.5, variant=variant, engine="threads", workers=2)
    scores = tfdp.score(write_coco(coco, tmp_path / "all.json"), variant)
    assert_is_one_pass(tmp_path / "run", result, scores, rate=0.5)
    assert (result.shards, result.scored) == (len(ends) + 1, len(ends) + 1)
    assert result.degenerate == 2


@pytest.mark.parametrize("text_ids", [False, True])
def test_choices(tmp_path: Path, text_ids: bool) -> None:
    """One after the other in the same folder: counts are made once, image scores too."""
    coco, run = odd_coco(text_ids=text_ids), tmp_path / "run"
    parts = coco_parts(coco, [2, 5], tmp_path / "parts")
    scores = tfdp.score(write_coco(coco, tmp_path / "all.json"))
    assert_is_one_pass(run, distributed.run(parts, run, engine="threads"), scores)
    for choice in CHOICES:
        result = distributed.run(parts, run, engine="threads", **choice)
        assert result.scored == 0
        assert_is_one_pass(run, result, scores, **choice)
        subset = tfdp.select(scores, **choice)
        best = subset.ranking[-1] if choice.get("strategy") != "random" else None
        by_id = dict(zip(scores.images.id.tolist(), scores.images.score.tolist(), strict=True))
        assert result.chosen is not None
        assert result.chosen.last == (None if best is None else by_id[best.item()])
    assert len(done(run)) == 3
    assert_is_one_pass(run, distributed.run(parts, run, engine="threads"), scores)
    assert [event["event"] for event in events(run)].count("done") == 6


@pytest.mark.parametrize("polygons", ["coco", "opencv"])
def test_polygons(tmp_path: Path, polygons: Any) -> None:
    coco = made_coco(12)
    parts = coco_parts(coco, [3, 7], tmp_path / "parts")
    result = distributed.run(parts, tmp_path / "run", keep=0.5, polygons=polygons, engine="threads")
    scores = tfdp.score(write_coco(coco, tmp_path / "all.json"), polygons=polygons)
    assert_is_one_pass(tmp_path / "run", result, scores, keep=0.5)


def test_what_is_set_aside(tmp_path: Path) -> None:
    coco = odd_coco(bad=True)
    parts = coco_parts(coco, [4, 6], tmp_path / "parts")
    run = tmp_path / "run"
    result = distributed.run(parts, run, rate=0.5, on_error="skip", engine="threads")
    scores = tfdp.score(write_coco(coco, tmp_path / "all.json"), on_error="skip")
    assert_is_one_pass(run, result, scores, rate=0.5)
    listed = [json.loads(line) for line in (run / "problems.jsonl").read_text().splitlines()]
    assert {(one["record"], one["reason"]) for one in listed} == {
        (one.record, one.reason) for one in scores.problems
    }
    assert [one["file"] for one in listed] == parts[:2]
    assert result.problems == 2
    for one in listed:
        annotations = json.loads(Path(one["file"]).read_text())["annotations"]
        assert one["record"] == f"annotation {annotations[one['row']]['id']}"


@pytest.mark.parametrize("layout", DOCUMENTS, ids=lambda layout: layout.__name__)
def test_documents(tmp_path: Path, layout: Callable[..., Path]) -> None:
    source, run = layout(tmp_path / "data", made(9)[0]), tmp_path / "run"
    result = distributed.run(str(source), run, rate=0.4, engine="threads", shard_instances=300)
    assert_is_one_pass(run, result, tfdp.score(source), rate=0.4)
    if layout.__name__ in {"as_files", "as_folders", "as_tars"}:
        assert result.shards == 3
    found = image_scores(run)["image_id"].to_pylist()
    assert found == sorted(found)


@pytest.mark.parametrize("name", BY_IMAGE)
def test_tables(tmp_path: Path, name: str) -> None:
    path, run = tmp_path / "a.parquet", tmp_path / "run"
    pq.write_table(TABLES[name](made_coco(16)), path, row_group_size=2)
    result = distributed.run(str(path), run, rate=0.5, engine="threads", shard_instances=5)
    assert_is_one_pass(run, result, tfdp.score(path), rate=0.5)
    assert result.shards == 4


def test_voc(tmp_path: Path) -> None:
    voc, run = make_voc(tmp_path / "voc", VOC), tmp_path / "run"
    result = distributed.run(str(voc), run, k=2, split="train", difficult="exclude", engine="threads")
    assert_is_one_pass(run, result, tfdp.score(voc, split="train", difficult="exclude"), k=2)


def test_a_folder_and_wildcards(tmp_path: Path) -> None:
    coco, parts = odd_coco(), tmp_path / "parts"
    paths = coco_parts(coco, [2, 5], parts)
    keeps = []
    for number, source in enumerate([paths, f"{parts}/*.json", [paths[0], f"{parts}/part 0[12].json"]]):
        run = tmp_path / f"run {number}"
        distributed.run(source, run, rate=0.5, engine="threads")
        keeps.append((run / "keep.txt").read_bytes())
        assert [shard["name"] for shard in manifest_of(run)["shards"]] == paths
    assert len(set(keeps)) == 1


# --- Engines ------------------------------------------------------------------------------------------------


def test_shards_that_are_made(tmp_path: Path) -> None:
    images = list(general(made_coco(12)))
    scores = tfdp.score(images)
    shards = pieces(images, [1, 1, 5, 11])
    for number, engine in enumerate(["threads", "local"]):
        run = tmp_path / f"{number}"
        result = distributed.run(shards, run, rate=0.5, engine=engine, workers=2)
        assert_is_one_pass(run, result, scores, rate=0.5)
        assert len(done(run)) == 5
    with ThreadPoolExecutor(3) as pool:
        result = distributed.run(iter(shards), tmp_path / "own", rate=0.5, engine=pool)
        assert_is_one_pass(tmp_path / "own", result, scores, rate=0.5)
        assert pool.submit(int).result() == 0  # it is left as it is


def test_what_cannot_be_pickled_goes_to_threads(tmp_path: Path) -> None:
    images = list(general(made_coco(4)))
    shard = distributed.Shard("made here", make=lambda: images)
    result = distributed.run([shard], tmp_path / "threads", engine="threads")
    assert_is_one_pass(tmp_path / "threads", result, tfdp.score(images))
    with pytest.raises(tfdp.OptionError, match="cannot be sent to a worker process"):
        distributed.run([shard], tmp_path / "local", engine="local", workers=1)


def test_many_small_shards(tmp_path: Path) -> None:
    coco = made_coco(120)
    images = list(general(coco))
    result = distributed.run(
        distributed.pieces_of(images, 1), tmp_path, rate=0.7, engine="threads", workers=3
    )
    assert_is_one_pass(tmp_path, result, tfdp.score(images), rate=0.7)
    assert result.shards == result.scored == 120


# --- Nothing, and next to nothing ---------------------------------------------------------------------------


def test_no_images(tmp_path: Path) -> None:
    coco = {**odd_coco(), "images": [], "annotations": []}
    parts = coco_parts(coco, [0], tmp_path / "parts")
    result = distributed.run(parts, tmp_path / "run", engine="threads")
    assert (result.images, result.instances, result.chosen) == (0, 0, None)
    assert len(image_scores(tmp_path / "run")) == 0
    assert [(one.id, one.name, one.total) for one in result.classes] == [
        (category["id"], category["name"], 0.0) for category in coco["categories"]
    ]
    scores = tfdp.score(parts[0])
    shares: list[dict[str, Any]] = [{"rate": 0.5}, {"rate": 0.5, "of": "all"}, {"keep": 1}]
    for share in shares:
        assert_is_one_pass(
            tmp_path / "run",
            distributed.run(parts, tmp_path / "run", engine="threads", **share),
            scores,
            **share,
        )
    reasons = []
    for attempt in (
        partial(tfdp.select, scores),
        partial(distributed.run, parts, tmp_path / "run", engine="threads"),
    ):
        with pytest.raises(tfdp.OptionError) as caught:
            attempt(k=1)
        reasons.append(str(caught.value))
    assert reasons[0] == reasons[1]


def test_images_without_annotations(tmp_path: Path) -> None:
    coco = {**odd_coco(), "annotations": []}
    parts = coco_parts(coco, [3], tmp_path / "parts")
    scores = tfdp.score(write_coco(coco, tmp_path / "all.json"))
    result = distributed.run(parts, tmp_path / "run", k=4, of="all", engine="threads")
    assert_is_one_pass(tmp_path / "run", result, scores, k=4, of="all")


def test_shards_without_images_have_ids_of_no_kind(tmp_path: Path) -> None:
    """An empty shard has neither numbers nor text: it goes with both."""
    for text_ids in (False, True):
        coco, folder = odd_coco(text_ids=text_ids), tmp_path / str(text_ids)
        folder.mkdir()
        parts = coco_parts(coco, [0, 4, 4], folder / "parts")
        result = distributed.run(parts, folder / "run", rate=0.5, engine="threads")
        scores = tfdp.score(write_coco(coco, folder / "all.json"))
        assert_is_one_pass(folder / "run", result, scores, rate=0.5)


# --- Real annotations ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", REAL)
def test_real_annotations(tmp_path: Path, shared_data: Path, name: str) -> None:
    coco = json.loads((shared_data / name).read_bytes())
    n = len(coco["images"])
    parts = coco_parts(coco, [n // 7, n // 2, n - 3], tmp_path / "parts")
    result = distributed.run(parts, tmp_path / "run", rate=0.7, engine="threads")
    assert_is_one_pass(tmp_path / "run", result, tfdp.score(shared_data / name), rate=0.7)


def test_golden_subsets(tmp_path: Path, shared_data: Path) -> None:
    """Of VOC 2012 train, in seven shards, those that the method selects."""
    coco = json.loads((shared_data / "voc2012_train.json").read_bytes())
    parts = coco_parts(coco, [1, 100, 101, 600, 900, 1400], tmp_path / "parts")
    run = tmp_path / "run"
    for variant in VARIANTS:
        for (k, rate), expected in zip(KEPT.items(), SHA[variant], strict=True):
            result = distributed.run(parts, run, rate=rate, variant=variant, engine="threads")
            assert result.chosen is not None
            assert (result.chosen.k, result.chosen.sha256[:16]) == (k, expected)
    assert len(done(run)) == 7
