"""The tables of instances that benchmarks run on: what they hold, and that they are the same each time."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pycocotools.mask as coco_mask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import tfdp_fast as tfdp
from tfdp_fast.timing.coco_statistics import SIZES

pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")

import instance_tables  # noqa: E402
from instance_tables import Tables, file_names, image_ends, mask_pool, write_tables  # noqa: E402

MASKS_OF_SIZE = 3


def written(folder: Path, instances: int, per_file: int = 400, seed: int = 0, processes: int = 1) -> Tables:
    return write_tables(
        folder,
        instances,
        per_file,
        seed,
        processes=processes,
        masks_of_size=MASKS_OF_SIZE,
        shapes_from=None,
    )


@settings(max_examples=30, deadline=None)
@given(instances=st.integers(0, 1500), per_file=st.integers(1, 700), seed=st.integers(0, 3))
def test_ids_ascend_over_all_files(
    tmp_path_factory: pytest.TempPathFactory, instances: int, per_file: int, seed: int
) -> None:
    made = written(tmp_path_factory.mktemp("tables"), instances, max(per_file, instances // 5), seed)
    tables = [pq.read_table(path) for path in made.paths]
    assert [path.name for path in made.paths] == sorted(path.name for path in made.paths)
    ids = np.concatenate([np.empty(0, np.int64), *(table["id"].to_numpy() for table in tables)])
    np.testing.assert_array_equal(ids, np.arange(1, instances + 1))
    of_files = [np.unique(table["image_id"].to_numpy()) for table in tables]
    image_ids = np.concatenate([np.empty(0, np.int64), *of_files])
    assert made.images == len(image_ids)
    assert (np.diff(image_ids) > 0).all()  # no image is in two files
    assert made.instances == instances
    assert made.text == sum(len(text) for table in tables for text in table["counts"].to_pylist())
    assert made.bytes == sum(path.stat().st_size for path in made.paths)


def test_rows_of_an_image_are_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(instance_tables, "ROW_GROUP", 100)
    (path,) = written(tmp_path, 1000, 1000).paths
    file = pq.ParquetFile(path)
    groups = [file.read_row_group(i)["image_id"].to_numpy() for i in range(file.num_row_groups)]
    assert len(groups) > 5
    assert (np.diff(np.concatenate(groups)) >= 0).all()
    assert all(before[-1] < after[0] for before, after in pairwise(groups))
    table = file.read()
    of_image = table.group_by("image_id").aggregate(
        [(name, "count_distinct") for name in ("width", "height")]
    )
    assert set(of_image["width_count_distinct"].to_pylist()) == {1}
    assert set(of_image["height_count_distinct"].to_pylist()) == {1}


def test_same_seed_same_bytes(tmp_path: Path) -> None:
    first = written(tmp_path / "a", 1000)
    again = written(tmp_path / "b", 1000, processes=2)
    other = written(tmp_path / "c", 1000, seed=1)
    contents = [[path.read_bytes() for path in made.paths] for made in (first, again, other)]
    assert len(contents[0]) == 3
    assert contents[0] == contents[1]
    assert all(one != two for one, two in zip(contents[0], contents[2], strict=True))
    masks = [tuple(pq.read_table(path, columns=["counts"])["counts"].to_pylist()) for path in first.paths]
    assert len(set(masks)) == 3  # no file repeats the one before
    assert sorted(path.suffix for path in (tmp_path / "a").iterdir()) == [".parquet"] * 3


def test_what_is_in_them(tmp_path: Path) -> None:
    (path,) = written(tmp_path, 3000, 3000).paths
    table = pq.read_table(path)
    rows = table.to_pylist()
    assert table["file_name"].to_pylist() == [f"{row['image_id']:012d}.jpg" for row in rows]
    assert {(row["height"], row["width"]) for row in rows} == {size[:2] for size in SIZES}
    assert 0 < sum(row["iscrowd"] for row in rows) < 100
    assert 3000 / len(set(table["image_id"].to_pylist())) == pytest.approx(7.2, rel=0.15)
    assert table["category_id"].to_pylist().count(1) / 3000 == pytest.approx(0.3, abs=0.1)
    rles = [{"size": [row["height"], row["width"]], "counts": row["counts"].encode()} for row in rows]
    areas = [int(coco_mask.area(rle)) for rle in rles]
    assert all(0 <= area <= row["height"] * row["width"] for area, row in zip(areas, rows, strict=True))
    scores = tfdp.score(path)
    assert not scores.problems
    np.testing.assert_array_equal(scores.images.id, np.unique(table["image_id"].to_numpy()))
    assert (scores.images.score > 0).any()


def test_masks_are_those_of_their_size() -> None:
    texts = mask_pool(0, MASKS_OF_SIZE, None).to_pylist()
    assert len(texts) == MASKS_OF_SIZE * len(SIZES)
    sizes = np.repeat(np.array(SIZES, np.int32)[:, :2], MASKS_OF_SIZE, axis=0)
    rles = [{"counts": text, "size": size} for text, size in zip(texts, sizes.tolist(), strict=True)]
    assert tfdp.to_rle(rles, sizes) == rles


@given(rows=st.integers(0, 500), seed=st.integers(0, 99))
def test_image_ends(rows: int, seed: int) -> None:
    ends = image_ends(np.random.default_rng(seed), rows)
    assert ends[0] == 0
    assert ends[-1] == rows
    assert (np.diff(ends) > 0).all()


@given(st.lists(st.integers(0, 10**12 - 1)))
def test_file_names(numbers: list[int]) -> None:
    names = file_names(np.array(numbers, np.int64)).to_pylist()
    assert names == [f"{number:012d}.jpg" for number in numbers]
