"""Images whose rows are in several shards: the same scores and the same subset as from one table."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from tfdp_fast import DataError
from tfdp_fast.distributed import Shard, run, straddling
from tfdp_fast.distributed.exchanging import exchange_rows, sum_chunk
from tfdp_fast.distributed.images import ImagesFile
from tfdp_fast.distributed.loading import load_run_scores
from tfdp_fast.distributed.pieces import made_from, read_piece, write_pieces
from tfdp_fast.distributed.results import RunResult
from tfdp_fast.distributed.storage import Storage
from tfdp_fast.distributed.straddling import read_chunk, read_shared, read_straddling

Row = dict[str, Any]


def row(image_id: Any, number: int, **more: Any) -> Row:
    """An instance: a right-angled triangle whose size depends on its number."""
    a, b = 3 + number * 7 % 41, 2 + number * 13 % 37
    return {
        "image_id": image_id,
        "height": 60,
        "width": 50,
        "file_name": f"{image_id}.jpg",
        "id": number,
        "category_id": 1 + number % 3,
        "iscrowd": number % 7 == 5,
        "segmentation": [[1.0, 1.0, 1.0 + a, 1.0, 1.0, 1.0 + b]],
        **more,
    }


def table(rows: Sequence[Row]) -> pa.Table:
    kind = pa.string() if rows and isinstance(rows[0]["image_id"], str) else pa.int64()
    fields = [("image_id", kind), ("height", pa.int32()), ("width", pa.int32()), ("file_name", pa.string())]
    fields += [("id", pa.int64()), ("category_id", pa.int64()), ("iscrowd", pa.bool_())]
    fields += [("segmentation", pa.list_(pa.list_(pa.float64())))]
    return pa.Table.from_pylist(list(rows), pa.schema(fields))


def shards_of(parts: Sequence[Sequence[Row]]) -> list[Shard]:
    tables = [table(part) for part in parts]
    return [Shard(f"part {i}", make=partial(given_back, one)) for i, one in enumerate(tables)]


def given_back(what: Any) -> Any:
    return what


def scored(shards: Any, folder: Any, **options: Any) -> RunResult:
    return run(shards, folder, **{"engine": "threads", "workers": 2, "retries": 0, "rate": 0.4, **options})


def assert_as_one_table(parts: Sequence[Sequence[Row]], folder: Any, **options: Any) -> None:
    """A run over the parts gives the scores and the subset of all rows in one table, bit for bit."""
    ours = scored(shards_of(parts), folder, **options)
    assert ours.failed == []
    assert ours.chosen is not None
    whole = tfdp.score(table([one for part in parts for one in part]))
    assert_same(load_run_scores(folder), whole)
    chosen = tfdp.select(whole, rate=0.4)
    assert (ours.chosen.sha256, ours.chosen.k, ours.chosen.candidates) == (
        chosen.sha256,
        chosen.k,
        chosen.candidates,
    )
    assert (ours.images, ours.chosen.images) == (len(whole.images), len(whole.images))
    kept = [line.split("\t")[0] for line in (Path(folder) / "keep.txt").read_text().splitlines()]
    assert kept == [str(image_id) for image_id in chosen.image_ids.tolist()]


def assert_same(ours: tfdp.Scores, theirs: tfdp.Scores) -> None:
    assert len(ours.images) == len(theirs.images)
    for name, column in theirs.images.columns().items():
        assert ours.images.columns()[name].tolist() == column.tolist(), name


def cut(rows: Sequence[Row], ends: Sequence[int]) -> list[list[Row]]:
    bounds = [0, *sorted(min(end, len(rows)) for end in ends), len(rows)]
    return [list(rows[a:b]) for a, b in itertools.pairwise(bounds) if a < b]


@given(
    st.lists(st.integers(-3, 12), min_size=1, max_size=40),
    st.lists(st.integers(0, 40), max_size=6),
    st.sampled_from([1, 2, 5, 1 << 16]),
    st.booleans(),
)
@example([1, 1, 1, 1], [1, 2, 3], 1, False)
@example([5, 5, 4, 4, 3, 3, 5], [1, 3, 5, 6], 2, True)
@settings(max_examples=40)
def test_any_rows_in_any_shards(ids: list[int], ends: list[int], chunk: int, text: bool) -> None:
    rows = [row(str(image_id) if text else image_id, number) for number, image_id in enumerate(ids)]
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(straddling, "CHUNK", chunk)
        assert_as_one_table(cut(rows, ends), folder)


@pytest.mark.parametrize("chunk", [1, 7, 1 << 16])
def test_shuffled_rows(chunk: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(straddling, "CHUNK", chunk)
    ids = np.random.default_rng(1).permutation(np.repeat(np.arange(60), 12)).tolist()
    parts = cut([row(image_id, number) for number, image_id in enumerate(ids)], list(range(0, 720, 45)))
    assert_as_one_table(parts, tmp_path)
    plan = read_straddling(Storage(tmp_path))
    assert plan is not None
    assert (plan.images, plan.chunks) == (60, -(-60 // chunk))
    assert plan.repeats == sum(len({one["image_id"] for one in part}) for part in parts) - 60
    assert plan.shards == {shard.key: (i, shard.name) for i, shard in enumerate(shards_of(parts))}


def test_sorted_rows_cut_anywhere(tmp_path: Path) -> None:
    """Only the images at the cuts are shared."""
    rows = [row(number // 6, number) for number in range(120)]
    assert_as_one_table(cut(rows, [10, 12, 40, 41, 43, 90]), tmp_path)
    plan = read_straddling(Storage(tmp_path))
    assert plan is not None
    assert (plan.images, plan.repeats, plan.chunks) == (3, 4, 1)


def test_variants(tmp_path: Path) -> None:
    rows = [row(number % 5, number) for number in range(60)]
    for variant in ("scs", "si", "cb", "tfdp"):
        scored(shards_of(cut(rows, [20, 40])), tmp_path, variant=variant)
        assert_same(load_run_scores(tmp_path), tfdp.score(table(rows), variant=variant))


def coco(images: Sequence[int], annotations: Sequence[tuple[int, int]]) -> dict[str, Any]:
    return {
        "images": [{"id": i, "height": 60, "width": 50, "file_name": f"{i}.jpg"} for i in images],
        "categories": [{"id": c, "name": f"class {c}"} for c in (1, 2, 3)],
        "annotations": [
            {key: value for key, value in row(image_id, number).items() if key not in {"height", "width"}}
            for image_id, number in annotations
        ],
    }


def test_coco_chunks_that_all_list_all_images(tmp_path: Path) -> None:
    """Images without annotations are in each of them, and once in the result."""
    images = [4, 2, 9, 7]
    annotations = [((4, 9, 7)[number % 3], number) for number in range(20)]
    parts = [coco(images, annotations[begin : begin + 5]) for begin in range(0, 20, 5)]
    ours = scored([Shard(f"{i}", make=partial(given_back, part)) for i, part in enumerate(parts)], tmp_path)
    whole = tfdp.score(coco(images, annotations))
    assert (ours.failed, ours.images) == ([], 4)
    assert_same(load_run_scores(tmp_path), whole)


# --- again --------------------------------------------------------------------------------------------------


def written(folder: Path) -> dict[str, int]:
    return {
        str(path.relative_to(folder)): path.stat().st_mtime_ns
        for path in folder.rglob("*")
        if path.parent.name in {"rows", "scores", "images", "chunks"}
    }


def test_what_is_there_is_not_made_again(tmp_path: Path) -> None:
    rows = [row(number % 5, number) for number in range(60)]
    shards = shards_of(cut(rows, [20, 40]))
    scored(shards, tmp_path)
    before = written(tmp_path)
    scored(shards, tmp_path, rate=0.2)
    assert written(tmp_path) == before
    for path in (tmp_path / "images").iterdir():
        path.unlink()
    scored(shards, tmp_path)
    after = written(tmp_path)
    assert {name for name in before if after[name] != before[name]} == {
        name for name in before if name.startswith("images/")
    }


def test_a_shard_in_front_takes_the_images(tmp_path: Path) -> None:
    """Class totals do not change by an image without instances, but who owns it does."""
    rows = [row(number % 5, number) for number in range(60)]
    parts = cut(rows, [20, 40])
    shards = shards_of(parts)
    scored(shards, tmp_path)
    first = [row(3, 5), row(77, 12)]  # crowd regions
    assert all(one["iscrowd"] for one in first)
    front = Shard("front", make=lambda: table(first))
    ours = scored([front, *shards], tmp_path)
    assert ours.failed == []
    assert_same(load_run_scores(tmp_path), tfdp.score(table([*first, *rows])))
    scored(shards, tmp_path, changed="rescore")
    assert_same(load_run_scores(tmp_path), tfdp.score(table(rows)))


def test_tasks_may_be_done_twice(tmp_path: Path) -> None:
    rows = [row(number % 5, number) for number in range(60)]
    scored(shards_of(cut(rows, [20, 40])), tmp_path)
    files = list((tmp_path / "shared").rglob("*.pieces"))
    before = {path: path.read_bytes() for path in files}
    assert len(before) == 4
    storage = Storage(tmp_path)
    plan = read_straddling(storage)
    assert plan is not None
    for path in files:
        path.unlink()
    sizes = [exchange_rows(key, storage, plan.digest) for key in plan.shards]
    assert all(sizes)
    assert {path: path.read_bytes() for path in files if path.exists()} == {
        path: content for path, content in before.items() if path.parent.name == "rows"
    }
    assert [exchange_rows(key, storage, plan.digest) for key in plan.shards] == [0, 0, 0]


# --- what cannot be -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ({"height": 61}, "61x50 here, and 60x50 in part 0: not the same image"),
        ({"width": 51}, "60x51 here, and 60x50 in part 0: not the same image"),
        ({"file_name": "b.jpg"}, "'b.jpg' here, and '7.jpg' in part 0: not the same image"),
    ],
)
def test_two_data_sets_that_number_alike(more: Row, reason: str, tmp_path: Path) -> None:
    parts = [[row(7, 1), row(8, 2)], [row(9, 2)], [row(6, 3), row(7, 4, **more)]]
    result = scored(shards_of(parts), tmp_path)
    assert [one.reason for one in result.failed] == [f"part 2: image 7: {reason}"]
    assert not (tmp_path / "result.json").exists()


def test_file_names_that_some_shards_lack(tmp_path: Path) -> None:
    parts = [[row(7, 1, file_name=None)], [row(7, 2)], [row(7, 3, file_name=None)], [row(7, 4)]]
    assert_as_one_table(parts, tmp_path)


def test_file_names_that_differ_where_the_owner_has_none(tmp_path: Path) -> None:
    parts = [[row(7, 1, file_name=None)], [row(7, 2)], [row(7, 3, file_name="b.jpg")]]
    [failed] = scored(shards_of(parts), tmp_path).failed
    assert failed.reason == "part 2: image 7: 'b.jpg' here, and '7.jpg' in part 1: not the same image"


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_formats_in_which_an_image_is_in_one_place(order: tuple[int, int], tmp_path: Path) -> None:
    one = {"image_id": 7, "height": 60, "width": 50, "annotations": []}
    makers: list[Any] = [lambda: [one], lambda: table([row(7, 1), row(8, 2)])]
    shards = [Shard(f"part {i}", make=makers[which]) for i, which in enumerate(order)]
    with pytest.raises(DataError, match="part 1: image 7: is in part 0 as well"):
        scored(shards, tmp_path)


# --- files of pieces ----------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(), max_size=4).map(lambda xs: [x % 2**60 for x in xs]), max_size=8))
def test_pieces(lists: list[list[int]]) -> None:
    pieces = [(i, pa.table({"x": pa.array(values, pa.int64())})) for i, values in enumerate(lists) if values]
    with tempfile.TemporaryDirectory() as folder:
        storage = Storage(folder)
        size = write_pieces(storage, "p", "d" * 64, len(lists), pieces)
        assert size == storage.size("p")
        assert made_from(storage, "p") == "d" * 64
        for i, values in enumerate(lists):
            found = read_piece(storage, "p", "d" * 64, i)
            assert (found["x"].to_pylist() if found is not None else []) == values
            with pytest.raises(DataError, match="was not made from the shards as they are now"):
                read_piece(storage, "p", "e" * 64, i)


def test_damaged_pieces(tmp_path: Path) -> None:
    storage = Storage(tmp_path)
    write_pieces(storage, "p", "d" * 64, 2, [(1, pa.table({"x": [1, 2, 3]}))])
    whole = (tmp_path / "p").read_bytes()
    assert made_from(storage, "none") is None
    for length in (0, 7, 85):
        (tmp_path / "q").write_bytes(whole[:length])
        assert (made_from(storage, "q") is None) == (length < 80)
        with pytest.raises(DataError):
            read_piece(storage, "q", "d" * 64, 1)
    (tmp_path / "q").write_bytes(whole[:200])
    with pytest.raises(DataError, match="q"):
        read_piece(storage, "q", "d" * 64, 1)


def test_a_plan_of_other_shards(tmp_path: Path) -> None:
    rows = [row(number % 5, number) for number in range(60)]
    scored(shards_of(cut(rows, [20, 40])), tmp_path)
    storage = Storage(tmp_path)
    key = next((tmp_path / "counts").iterdir()).stem
    with pytest.raises(DataError, match="is not of the shards as they are now"):
        exchange_rows(key, storage, "0" * 64)
    (tmp_path / "shared" / "plan.json").write_text("[]")
    assert read_straddling(storage) is None
    ids, owners, shards = read_chunk(storage, 0)
    assert (ids.to_pylist(), owners.tolist(), shards) == ([0, 1, 2, 3, 4], [0] * 5, [0, 1, 2])
    found = read_shared(storage, key)
    assert (found.ids.to_pylist(), found.chunk.tolist()) == ([0, 1, 2, 3, 4], [0] * 5)
    assert sum_chunk.__module__ == "tfdp_fast.distributed.exchanging"
    with storage.open(f"images/{key}.parquet") as file:
        assert ImagesFile(file, "images").about.images == (5 if found.owned.all() else 0)


# --- memory -------------------------------------------------------------------------------------------------

PEAK = """
import json, sys
from pathlib import Path
import numpy as np, pyarrow as pa
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.distributed import straddling
from tfdp_fast.distributed.counts_about import CountsAbout, ShardClass, class_sums
from tfdp_fast.distributed.counts_writing import ShardCounts, write_counts
from tfdp_fast.distributed.exchanging import exchange_rows, sum_chunk
from tfdp_fast.distributed.images import score_images
from tfdp_fast.distributed.merging_shards import Merger
from tfdp_fast.distributed.shards import MeasuringOptions, Shard
from tfdp_fast.distributed.storage import Storage

def peak():
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

OPTIONS = MeasuringOptions()

def counts_of(shard, number, n, images, storage):
    # Fully shuffled: any row may be of any image.
    rng = np.random.default_rng(number)
    ids, index = np.unique(rng.integers(0, images, n), return_inverse=True)
    m = len(index)
    counts = np.stack([rng.integers(4, 99, m), rng.integers(0, 9, m), rng.integers(20, 999, m)], axis=1)
    columns = ShardCounts(ids, [None] * len(ids), np.full((len(ids), 2), 500, np.int32), np.sort(index),
        np.arange(m), np.ones(m, np.int64), np.zeros(m, np.bool_), counts)
    si, scs = class_sums(np.zeros(m, np.int64), 1, BoundaryCounts.from_array(counts))
    about = CountsAbout(shard.identity, OPTIONS.to_json(), OPTIONS.sha256, "arrow", len(ids), m, m, 0, 0, 0,
        int(ids[0]), int(ids[-1]), True, [ShardClass(1, None, m, si[0], scs[0])])
    with storage.create(f"counts/{shard.key}.parquet") as file:
        write_counts(columns, about, file)
    return about

def work(folder, shards, n, images):
    storage = Storage(folder)
    made = [Shard(f"part {i}", make=list) for i in range(shards)]
    merger = Merger("tfdp")
    for number, shard in enumerate(made):
        merger.add(counts_of(shard, number, n, images, storage))
    totals = merger.run_totals()
    plan = straddling.find_straddling(storage, made, merger.shards, OPTIONS, memory=8 << 20)
    for key in plan.shards:
        exchange_rows(key, storage, plan.digest)
    for chunk in range(plan.chunks):
        sum_chunk(chunk, storage, plan.digest, totals)
    found = [score_images(shard.key, storage, totals, plan.digest) for shard in made]
    assert sum(about.images for about in found) == merger.images - plan.repeats

straddling.CHUNK = 5000
work(sys.argv[1] + "/small", 4, 30_000, 10_000)
before = peak()
work(sys.argv[1] + "/large", int(sys.argv[2]), 30_000, int(sys.argv[3]))
print(json.dumps(peak() - before))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="needs /proc")
def test_memory_does_not_grow_with_the_shards(tmp_path: Path) -> None:
    command = [sys.executable, "-c", PEAK, str(tmp_path), "100", "100000"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    # All rows together have 3 million times 41 bytes: 123 MB. The first shards own nearly all images.
    assert json.loads(done.stdout) < 50_000_000
