"""From what the user names to shards: which, in which order, and where files are cut."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from documents_support import as_files, as_folders, as_tars, made, sa1b, text
from tfdp_fast.distributed import MeasuringOptions, Shard, pieces_of
from tfdp_fast.distributed.parquet_parts import ParquetPart, row_group_ranges
from tfdp_fast.distributed.planning import plan
from tfdp_fast.errors import DataError, OptionError
from voc_support import IMAGES, make_voc

DEFAULTS = MeasuringOptions()
MASKS = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])


def per_instance(ids: Any, path: Path, rows: int, **options: Any) -> str:
    """A table with a row per instance."""
    n = len(ids)
    mask = {"size": [9, 9], "counts": "0"}
    table = pa.table({"image_id": ids, "height": [9] * n, "width": [9] * n, "category_id": [1] * n})
    table = table.append_column("segmentation", pa.array([mask] * n, MASKS))
    pq.write_table(table, path, row_group_size=rows, **options)
    return str(path)


def per_image(n_of: list[int], path: Path, rows: int) -> str:
    """A table with a row per image; image i has ``n_of[i]`` annotations."""
    one = {"category_id": 1, "segmentation": {"size": [9, 9], "counts": "0"}}
    images = [{"image_id": i, "height": 9, "width": 9, "annotations": [one] * n} for i, n in enumerate(n_of)]
    of_annotation = pa.struct([("category_id", pa.int64()), ("segmentation", MASKS)])
    schema = pa.schema(
        [
            ("image_id", pa.int64()),
            ("height", pa.int64()),
            ("width", pa.int64()),
            ("annotations", pa.list_(of_annotation)),
        ]
    )
    pq.write_table(pa.Table.from_pylist(images, schema), path, row_group_size=rows)
    return str(path)


def parts(shards: list[Shard]) -> list[tuple[int | None, int | None]]:
    return [(shard.begin, shard.end) for shard in shards]


# --- Parquet ------------------------------------------------------------------------------------------------


def test_a_small_file_is_one_shard(tmp_path: Path) -> None:
    path = per_instance([1, 2, 3, 4], tmp_path / "a.parquet", 1)
    stat = Path(path).stat()
    [shard] = plan(path, DEFAULTS, 100)
    assert shard == Shard(path, path, stat.st_size, stat.st_mtime_ns)


def test_rows_of_instances_are_cut_between_images(tmp_path: Path) -> None:
    """With 4 instances a shard, after each row group from the fourth on whose images do not go on."""
    path = per_instance([1, 1, 2, 2, 2, 2, 3, 3, 4, 4, 5, 5], tmp_path / "a.parquet", 2)
    assert row_group_ranges(path, 4) == [(0, 3), (3, 5), (5, 6)]
    shards = plan(path, DEFAULTS, 4)
    assert [shard.name for shard in shards] == [
        f"{path}#row groups=0-3",
        f"{path}#row groups=3-5",
        f"{path}#row groups=5-6",
    ]
    assert parts(shards) == [(0, 3), (3, 5), (5, 6)]
    assert {(shard.path, shard.size) for shard in shards} == {(path, Path(path).stat().st_size)}
    assert len({shard.key for shard in shards}) == 3


def test_a_range_that_finds_no_end_has_twice_the_size(tmp_path: Path) -> None:
    path = per_instance([7] * 20, tmp_path / "a.parquet", 2)
    assert row_group_ranges(path, 4) == [(0, 4), (4, 8), (8, 10)]
    path = per_instance(list(range(20)), tmp_path / "b.parquet", 2, write_statistics=False)
    assert row_group_ranges(path, 4) == [(0, 4), (4, 8), (8, 10)]


@pytest.mark.parametrize("ids", [list(range(20, 0, -1)), [f"{i:02}" for i in range(20)]])
def test_descending_and_text_ids_have_clean_cuts(tmp_path: Path, ids: list[Any]) -> None:
    path = per_instance(ids, tmp_path / "a.parquet", 2)
    assert row_group_ranges(path, 4) == [(0, 2), (2, 4), (4, 6), (6, 8), (8, 10)]


def test_rows_of_images_are_cut_by_their_annotations(tmp_path: Path) -> None:
    path = per_image([2, 2, 0, 0, 0, 1, 3, 0, 4, 9], tmp_path / "a.parquet", 2)
    ranges = row_group_ranges(path, 4)
    # An empty list counts as one: it takes as much room in the column.
    assert ranges == [(0, 1), (1, 3), (3, 4), (4, 5)]
    assert row_group_ranges(path, 10**6) == [(0, 5)]


def test_files_without_rows(tmp_path: Path) -> None:
    path = per_instance(pa.array([], pa.int64()), tmp_path / "a.parquet", 2)
    [shard] = plan(path, DEFAULTS, 1)
    assert parts([shard]) == [(None, None)]
    with ParquetPart.open(path) as part:
        assert (part.num_rows, list(part.to_batches())) == (0, [])


@given(ids=st.lists(st.integers(0, 9), max_size=40), rows=st.integers(1, 6), instances=st.integers(1, 12))
def test_ranges_are_all_of_the_file(
    tmp_path_factory: pytest.TempPathFactory, ids: list[int], rows: int, instances: int
) -> None:
    path = per_instance(pa.array(ids, pa.int64()), tmp_path_factory.mktemp("a") / "a.parquet", rows)
    ranges = row_group_ranges(path, instances)
    found, n = [], pq.read_metadata(path).num_row_groups
    assert [begin for begin, _ in ranges] == [0, *(end for _, end in ranges[:-1])]
    assert ranges[-1][1] == n
    for begin, end in ranges:
        with ParquetPart.open(path, begin, end) as part:
            batches = [batch["image_id"].to_pylist() for batch in part.to_batches(["image_id"], 3)]
            assert part.num_rows == sum(map(len, batches))
        if end < n:
            assert instances <= part.num_rows < 2 * instances + rows
        found += [i for batch in batches for i in batch]
    assert found == ids


def test_what_is_no_table(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"PAR1, it says")
    with pytest.raises(DataError, match=r"a\.parquet: cannot be read"):
        plan(str(tmp_path / "a.parquet"), DEFAULTS)
    pq.write_table(pa.table({"x": [1]}), tmp_path / "b.parquet")
    with pytest.raises(DataError, match=r"b\.parquet"):
        plan(str(tmp_path / "b.parquet"), DEFAULTS)


# --- Folders, and several paths -----------------------------------------------------------------------------


def test_folders_are_cut_by_numbers(tmp_path: Path) -> None:
    documents, _ = made(7)
    folder = as_files(tmp_path / "data", documents)
    numbers = sorted(documents)
    # A document counts as a hundred instances.
    shards = plan(str(folder), DEFAULTS, 201)
    bounds = [(numbers[0], numbers[3]), (numbers[3], numbers[6]), (numbers[6], numbers[6] + 1)]
    assert parts(shards) == bounds
    assert [shard.name for shard in shards] == [f"{folder}#numbers={a}-{b}" for a, b in bounds]
    assert parts(plan(str(folder), DEFAULTS)) == [(numbers[0], numbers[-1] + 1)]
    assert parts(plan(str(folder), MeasuringOptions(format="sa1b"), 100)) == [
        (a, b) for a, b in zip(numbers, [*numbers[1:], numbers[-1] + 1], strict=True)
    ]


def test_equal_numbers_stay_together(tmp_path: Path) -> None:
    for name in ("sa_1", "sa_01", "sa_001", "sa_2"):
        (tmp_path / f"{name}.json").write_bytes(text(sa1b(1, [])))
    shards = plan(str(tmp_path), DEFAULTS, 100)
    assert parts(shards) == [(1, 2), (2, 3)]


def test_folders_of_data_sets(tmp_path: Path) -> None:
    """By the numbers of their names; of VOC and the like there is one."""
    tars = as_tars(tmp_path / "tars", made(7)[0])
    found = plan(str(tars), DEFAULTS)
    assert [shard.name for shard in found] == [f"{tars}/sa_{n}.tar" for n in (2, 9, 10)]
    assert all(shard.size and shard.modified for shard in found)
    folders = as_folders(tmp_path / "folders", made(7)[0])
    found = plan(str(folders), DEFAULTS, 10**6)
    assert [shard.path for shard in found] == [f"{folders}/sa_{n}" for n in (2, 9, 10)]
    voc = make_voc(tmp_path / "voc", IMAGES)
    [shard] = plan(str(voc), DEFAULTS, 100)
    assert (shard.name, shard.path, shard.begin) == (str(voc), str(voc), None)


def test_paths_in_their_order(tmp_path: Path) -> None:
    paths = []
    for name in ("b", "a", "c"):
        paths.append(tmp_path / f"{name}.json")
        paths[-1].write_text("{}")
    given_ = [str(path) for path in paths]
    assert [shard.path for shard in plan(given_, DEFAULTS)] == given_
    assert [shard.path for shard in plan(f"{tmp_path}/*.json", DEFAULTS)] == sorted(given_)
    for twice in ([*given_, given_[1]], [given_[0], f"{tmp_path}/*.json"]):
        with pytest.raises(OptionError, match="is given twice"):
            plan(twice, DEFAULTS)


def test_nothing(tmp_path: Path) -> None:
    nothings: list[Any] = [
        [],
        iter([]),
        str(tmp_path / "no.json"),
        f"{tmp_path}/*.json",
        [str(tmp_path / "no.tar")],
    ]
    for nothing in nothings:
        with pytest.raises(DataError):
            plan(nothing, DEFAULTS)
    shard = Shard("a", make=list)
    with pytest.raises(OptionError, match="shard a is given twice"):
        plan([shard, Shard("b", make=list), Shard("a", "a.tar")], DEFAULTS)
    for mixed in ([shard, "a"], [1], [shard, None]):
        with pytest.raises(OptionError, match="a source is a path, several paths, or shards"):
            plan(mixed, DEFAULTS)  # type: ignore[arg-type]


# --- Shards -------------------------------------------------------------------------------------------------

NAMES = st.text(max_size=80) | st.sampled_from(["", ".", "..", "/", "a/b/", "s3://x/é.tar", "\udc80"])


@given(NAMES, NAMES)
def test_keys_are_file_names_of_their_own(a: str, b: str) -> None:
    shards = [Shard(name, name) for name in (a, b)]
    for shard in shards:
        assert shard.key.isascii()
        assert set(shard.key) <= set(json.dumps(shard.key)[1:-1])
        assert "/" not in shard.key
        assert 13 <= len(shard.key) <= 73
        assert not shard.key.startswith(".")
        assert shard.key == Shard(shard.name, "elsewhere", 3).key
    assert (shards[0].key == shards[1].key) == (a == b)


@given(
    name=st.text(max_size=9),
    numbers=st.tuples(*[st.integers(0, 2**62)] * 2, *[st.none() | st.integers(0, 2**62)] * 2),
)
def test_identities_go_through_json(name: str, numbers: tuple[Any, ...]) -> None:
    size, modified, begin, end = numbers
    shard = Shard(name, "x.tar", size, modified, begin, end, "é")
    assert Shard.from_identity(json.loads(json.dumps(shard.identity))) == shard
    assert pickle.loads(pickle.dumps(shard)) == shard


def test_a_shard_is_a_path_or_is_made() -> None:
    wrongs: list[dict[str, Any]] = [{}, {"path": "a", "make": list}]
    for wrong in wrongs:
        with pytest.raises(OptionError, match="shard 'x' needs a path, or a function that makes it"):
            Shard("x", **wrong)


# --- Pieces -------------------------------------------------------------------------------------------------


@given(n=st.integers(0, 12), size=st.integers(1, 14), name=st.text(max_size=3))
def test_pieces(n: int, size: int, name: str) -> None:
    images = [{"image_id": i} for i in range(n)]
    shards = list(pieces_of(iter(images), size, name))
    made_ = [shard.make() for shard in shards if shard.make is not None]
    assert [image for piece in made_ for image in piece] == images
    assert [len(piece) for piece in made_] == [min(size, n - begin) for begin in range(0, n, size)]
    assert [shard.name for shard in shards] == [f"{name}-{i:06d}" for i in range(len(shards))]
    again = [shard.make() for shard in pickle.loads(pickle.dumps(shards))]
    assert again == made_


def test_pieces_are_told_apart_by_their_ids() -> None:
    def versions(*ids: Any) -> list[str]:
        return [shard.version for shard in pieces_of([{"id": i} for i in ids], 2)]

    assert versions(1, 2, 3) == versions(1, 2, 3)
    for other in ((1, 3, 3), (2, 2, 3), ("1", "x", 3), (1,)):
        assert versions(*other)[0] != versions(1, 2, 3)[0]
    assert versions(1, 2, 3, 4)[1] != versions(1, 2, 3)[1]


@pytest.mark.parametrize("size", [0, -1])
def test_a_piece_has_an_image(size: int) -> None:
    with pytest.raises(OptionError, match="a piece has at least 1 image"):
        list(pieces_of([], size))
