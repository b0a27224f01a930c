"""Images whose annotations lie in several shards: as if they lay in one, whatever happens on the way."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from golden_support import VARIANTS
from record_support import Coco, Record, general, made_coco
from run_strategies import CHOICES, LOSSES, WORKERS, data_sets, folder, unreliable
from run_support import Interrupted, Interrupting, assert_is_one_pass, content, done, times, write_coco
from tfdp_fast import distributed
from tfdp_fast.distributed import Shard, run_status, straddling

SCHEMA = [("height", pa.int32()), ("width", pa.int32()), ("file_name", pa.string())]
SCHEMA += [("category_id", pa.int64()), ("iscrowd", pa.int8())]
SCHEMA += [("segmentation", pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())]))]
CHUNKS = st.sampled_from([1, 3, 1 << 16])


def rows_of(images: list[Record]) -> list[Record]:
    about = ("image_id", "height", "width", "file_name")
    return [
        {name: image[name] for name in about} | annotation
        for image in images
        for annotation in image["annotations"]
    ]


def table_of(rows: list[Record], *, text: bool) -> pa.Table:
    """A row per instance."""
    return pa.Table.from_pylist(rows, pa.schema([("image_id", pa.string() if text else pa.int64()), *SCHEMA]))


@st.composite
def tables(draw: st.DrawFn) -> tuple[pa.Table, list[Shard]]:
    """Rows in any order, and shards of them, cut anywhere."""
    text = draw(st.booleans())
    rows = rows_of(draw(data_sets(text=text, least=2)))
    kind = draw(st.sampled_from(["as they are", "shuffled", "by class"]))
    if kind == "shuffled":
        rows = draw(st.permutations(rows))
    elif kind == "by class":
        rows = sorted(rows, key=lambda row: int(row["category_id"]))
    table = table_of(rows, text=text)
    ends = [0, *sorted(draw(st.lists(st.integers(0, len(rows)), max_size=6))), len(rows)]
    return table, [
        Shard(f"{i}", version=f"{begin}-{end}", make=partial(table.slice, begin, end - begin))
        for i, (begin, end) in enumerate(itertools.pairwise(ends))
    ]


@contextmanager
def chunks_of(images: int) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(straddling, "CHUNK", images)
        yield


@settings(max_examples=20)
@given(tables(), st.sampled_from(VARIANTS), CHOICES, CHUNKS, st.integers(0, 2**32), WORKERS)
def test_any_rows_in_any_order(
    data: tuple[pa.Table, list[Shard]],
    variant: Any,
    choice: dict[str, Any],
    chunk: int,
    seed: int,
    workers: int,
) -> None:
    table, shards = data
    with chunks_of(chunk), folder() as run, unreliable(seed, workers) as executor:
        result = distributed.run(shards, run, variant=variant, engine=executor, retries=LOSSES, **choice)
        assert_is_one_pass(run, result, tfdp.score(table, variant), **choice)
        assert result.scored == len(done(run)) == len(shards)


@settings(max_examples=10)
@given(tables(), st.lists(st.integers(0, 40), max_size=4), CHUNKS, st.integers(0, 2**32), WORKERS)
def test_interrupted_anywhere(
    data: tuple[pa.Table, list[Shard]], stops: list[int], chunk: int, seed: int, workers: int
) -> None:
    table, shards = data
    options: dict[str, Any] = {"rate": 0.5, "of": "all", "retries": LOSSES}
    with chunks_of(chunk), folder() as whole, folder() as run:
        distributed.run(shards, whole, engine="threads", workers=1, **options)
        for stop in stops:
            with unreliable(seed + stop, workers) as executor:
                try:
                    distributed.run(shards, run, engine=executor, watcher=Interrupting(stop), **options)
                except Interrupted:
                    assert run_status(run).result is None
        result = distributed.run(shards, run, engine="threads", workers=workers, **options)
        assert content(run) == content(whole)
        assert_is_one_pass(run, result, tfdp.score(table), rate=0.5, of="all")


@settings(max_examples=15)
@given(data=tables(), draw=st.data())
def test_the_order_of_shards_moves_no_score(data: tuple[pa.Table, list[Shard]], draw: st.DataObject) -> None:
    """Images come in the order in which the shards show them first."""
    table, shards = data
    order = draw.draw(st.permutations(shards))
    with folder() as run:
        for some in (shards, order):
            result = distributed.run(some, run, keep=0.5, of="all", engine="threads", workers=2)
            whole = pa.concat_tables([shard.make() for shard in some if shard.make is not None])
            assert_is_one_pass(run, result, tfdp.score(whole), keep=0.5, of="all")
        assert result.scored == 0
        assert len(whole) == len(table)


# --- Files --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("instances", [1, 3, 8, 10**6])
def test_row_groups_that_end_within_images(tmp_path: Path, instances: int) -> None:
    rows = rows_of(list(general({**(coco := made_coco(14)), "annotations": with_rle_only(coco)})))
    path, run = tmp_path / "a.parquet", tmp_path / "run"
    pq.write_table(table_of(rows, text=False), path, row_group_size=2)
    options: dict[str, Any] = {"engine": "threads", "workers": 2, "shard_instances": instances}
    result = distributed.run(str(path), run, rate=0.5, **options)
    assert (result.shards > 1) == (instances < 10)
    assert_is_one_pass(run, result, tfdp.score(path), rate=0.5)
    before = times(run)
    assert_is_one_pass(run, distributed.run(str(path), run, rate=0.2, **options), tfdp.score(path), rate=0.2)
    assert times(run)["images"] == before["images"]


def with_rle_only(coco: Coco) -> list[Record]:
    found = [one for one in coco["annotations"] if isinstance(one["segmentation"], dict)]
    return [one for one in found if isinstance(one["segmentation"]["counts"], str)] * 3


@pytest.mark.parametrize("everywhere", [False, True])
def test_files_that_share_images(tmp_path: Path, everywhere: bool) -> None:
    """Annotations of COCO dealt out to files, each of which lists its images, or all of them."""
    coco = made_coco(20)
    paths = []
    for i in range(4):
        own = coco["annotations"][i::4]
        ids = {one["image_id"] for one in own}
        images = [image for image in coco["images"] if everywhere or image["id"] in ids]
        part = {**coco, "annotations": own, "images": images}
        paths.append(write_coco(part, tmp_path / f"{i}.json"))
    order = dict.fromkeys(image["id"] for path in paths for image in images_in(path))
    by_id = {image["id"]: image for image in coco["images"]}
    whole = {**coco, "images": [by_id[i] for i in order]}
    run = tmp_path / "run"
    result = distributed.run(paths, run, rate=0.5, of="annotated", engine="threads", workers=2)
    assert_is_one_pass(run, result, tfdp.score(whole), rate=0.5, of="annotated")


def images_in(path: str) -> list[Record]:
    found: list[Record] = json.loads(Path(path).read_text())["images"]
    return found


def test_a_shard_more_changes_scores_of_others(tmp_path: Path) -> None:
    """A new shard has annotations of old images: these are scored anew, in the shards that have them."""
    coco, run = made_coco(12), tmp_path / "run"
    rows = rows_of(list(general({**coco, "annotations": with_rle_only(coco)})))
    table = table_of(rows, text=False)
    n = len(table)
    shards = [
        Shard("a", make=partial(table.slice, 0, n // 3)),
        Shard("b", make=partial(table.slice, n // 3, n // 3)),
        Shard("c", make=partial(table.slice, 2 * (n // 3))),
    ]
    for some in (shards[:1], shards[:2], shards, [shards[2], *shards[:2]]):
        result = distributed.run(some, run, rate=0.3, engine="threads", workers=2)
        whole = pa.concat_tables([shard.make() for shard in some if shard.make is not None])
        assert_is_one_pass(run, result, tfdp.score(whole), rate=0.3)
    assert len(done(run)) == 3
    result = distributed.run(shards[1:], run, rate=0.3, engine="threads", workers=2, changed="rescore")
    assert_is_one_pass(run, result, tfdp.score(table.slice(n // 3)), rate=0.3)


def test_images_of_formats_that_share_none(tmp_path: Path) -> None:
    images = list(general(made_coco(6)))
    shards = [
        Shard("a", make=partial(list, images[:4])),
        Shard("b", make=partial(list, images[4:])),
        Shard("c", make=partial(list, images[2:3])),
    ]
    for _ in range(2):
        with pytest.raises(tfdp.DataError) as caught:
            distributed.run(shards, tmp_path, rate=0.5, engine="threads", workers=2)
        assert str(caught.value) == f"c: image {images[2]['image_id']}: is in a as well"
        assert run_status(tmp_path).result is None
    assert not distributed.run(shards[:2], tmp_path, engine="threads", changed="rescore").failed
