"""Subsets of tables."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray

import tfdp_fast as tfdp
from arrow_support import (
    BY_IMAGE,
    LAYOUTS,
    PLACES,
    instances,
    lists_of_structs,
    read_any,
    structs_of_lists,
    write_file,
    write_folder,
    write_parquet,
    write_stream,
)
from record_support import made_coco
from tfdp_fast.errors import DataError, OptionError, OutputError
from tfdp_fast.formats import _arrow_dataset, _arrow_write
from tfdp_fast.formats.dataset import Dataset

NO_ROWS = np.empty(0, np.int64)
METADATA = {b"huggingface": b'{"info": {}}', b"mine": b"\xff\0"}
COCO = made_coco(11)


def opened(source: Any, **options: Any) -> Dataset:
    data = tfdp.open_dataset(source, **options)
    tfdp.score(data)
    return data


def some(data: Dataset) -> NDArray[np.bool_]:
    chosen: NDArray[np.bool_] = np.arange(len(data.image_ids)) % 3 != 1
    return chosen


def names_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def same_schema(found: pa.Table, expected: pa.Table) -> bool:
    """The same columns, types and metadata."""
    one, other = ({f.name: shape_of(f.type) for f in table.schema} for table in (found, expected))
    return one == other and found.schema.metadata == expected.schema.metadata


def shape_of(type_: Any) -> Any:
    """A type without the names of the items of lists: Parquet calls them elements."""
    if pa.types.is_struct(type_):
        return [(field.name, shape_of(field.type)) for field in type_]
    if pa.types.is_nested(type_):
        return str(type_).partition("<")[0], shape_of(type_.value_type), getattr(type_, "list_size", None)
    return type_


def annotations_in(table: pa.Table) -> int:
    if "annotations" in table.column_names:
        return sum(len(found or []) for found in table["annotations"].to_pylist())
    if "objects" in table.column_names:
        return sum(len(found["segmentation"]) for found in table["objects"].to_pylist())
    return len(table)


# --- what is in them ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".parquet", ".arrow", ".feather"])
@pytest.mark.parametrize("place", [place for place in PLACES if place not in {"reader", "frame"}])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_rows_that_stay_stay_as_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, layout: str, place: str, suffix: str
) -> None:
    monkeypatch.setattr(_arrow_dataset, "IMAGE_ROWS", 3)
    monkeypatch.setattr(_arrow_dataset, "INSTANCE_ROWS", 3)
    table = LAYOUTS[layout](COCO).replace_schema_metadata(METADATA)
    data = opened(PLACES[place](table, tmp_path))
    keep = some(data)
    out = tmp_path / f"out{suffix}"
    written = data.write_subset(out, keep, NO_ROWS)
    subset = read_any(out)
    kept = set(data.image_ids[keep].tolist())
    assert same_schema(subset, table)
    assert subset.to_pylist() == [row for row in table.to_pylist() if row["image_id"] in kept]
    assert written == annotations_in(subset)
    again = opened(out)
    assert again.image_ids.tolist() == data.image_ids[keep].tolist()
    assert again.annotation_ids.tolist() == [
        i for i, image in zip(data.annotation_ids.tolist(), data.image_index, strict=True) if keep[image]
    ]


@pytest.mark.parametrize("layout", LAYOUTS)
def test_annotations_that_are_set_aside_are_left_out(tmp_path: Path, layout: str) -> None:
    table = LAYOUTS[layout](COCO)
    broken = table.to_pylist()
    bad = {102, 105, 110}
    for row in broken:
        for annotation in row.get("annotations") or [row]:
            if annotation.get("id") in bad:
                for name in ("segmentation", "counts"):
                    if isinstance(annotation.get(name), dict):
                        annotation[name]["counts"] = "0"
                    elif annotation.get(name) is not None:
                        annotation[name] = "0" if name == "segmentation" else b"0"
        for i, annotation_id in enumerate(row.get("objects", {}).get("id", [])):
            if annotation_id in bad:
                row["objects"]["segmentation"][i]["counts"] = "0"
    path = write_parquet(pa.Table.from_pylist(broken, table.schema), tmp_path / "x.parquet")
    pruned = tfdp.prune(path, tmp_path / "out.parquet", rate=0.3, on_error="skip")
    assert len(pruned.scores.problems) == 3
    kept = pruned.subset.image_ids
    expected = []
    for row in table.to_pylist():
        if row["image_id"] not in kept or row.get("id") in bad:
            continue
        if layout == "lists of structs":
            row["annotations"] = [a for a in row["annotations"] if a["id"] not in bad]
        elif layout == "structs of lists":
            chosen = [i for i, annotation_id in enumerate(row["objects"]["id"]) if annotation_id not in bad]
            row["objects"] = {name: [found[i] for i in chosen] for name, found in row["objects"].items()}
        expected.append(row)
    subset = read_any(tmp_path / "out.parquet")
    assert same_schema(subset, table)
    assert subset.to_pylist() == expected
    assert pruned.outcome.annotations["kept"] == annotations_in(subset)
    assert tfdp.score(tmp_path / "out.parquet").problems == []


def test_an_image_that_is_set_aside_takes_no_annotation_along(tmp_path: Path) -> None:
    rows = lists_of_structs(COCO).to_pylist()
    rows[4]["height"] = None  # an image without an annotation, then one with
    rows[10]["height"] = None  # the last
    table = pa.Table.from_pylist(rows, lists_of_structs(COCO).schema)
    pruned = tfdp.prune(table, tmp_path / "x.parquet", keep=1.0, of="all", on_error="skip")
    assert [problem.record for problem in pruned.scores.problems] == ["image 54", "image 60"]
    assert read_any(tmp_path / "x.parquet").to_pylist() == [row for row in rows if row["height"]]
    assert pruned.outcome.annotations["dropped"] == len(rows[10]["annotations"])


def test_what_goes_with_annotations_is_left_out_with_them(tmp_path: Path) -> None:
    rle = tfdp.to_rle([np.ones((4, 4), bool)])[0]
    objects = {
        "segmentation": [rle, {**rle, "counts": "0"}, rle],
        "category": [0, 1, 2],
        "box": [[0.5], [1.5], []],
        "of the image": [7.0],
        "plain": "text",
    }
    row = {"image_id": 1, "height": 4, "width": 4, "objects": objects}
    table = pa.Table.from_pylist([row, {**row, "image_id": 2, "objects": None}])
    tfdp.prune(table, tmp_path / "x.arrow", keep=1.0, of="all", on_error="skip")
    first, second = read_any(tmp_path / "x.arrow").to_pylist()
    left = {"segmentation": [rle, rle], "category": [0, 2], "box": [[0.5], []]}
    assert first["objects"] == {**objects, **left}
    assert second["objects"] is None


def test_rows_of_an_image_need_not_be_adjacent(tmp_path: Path) -> None:
    table = instances(COCO)
    mixed = table.take(np.random.default_rng(3).permutation(len(table)))
    data = opened(write_parquet(mixed, tmp_path / "x.parquet"))
    keep = some(data)
    assert data.write_subset(tmp_path / "y.parquet", keep, np.array([0, 5])) == len(
        expected := [
            row
            for i, row in enumerate(mixed.to_pylist())
            if row["image_id"] in data.image_ids[keep] and i not in {0, 5}
        ]
    )
    assert read_any(tmp_path / "y.parquet").to_pylist() == expected


def test_nothing_stays(tmp_path: Path) -> None:
    for layout, make in LAYOUTS.items():
        data = opened(make(COCO))
        for name in (f"{layout}.parquet", f"{layout}.arrow"):
            assert data.write_subset(tmp_path / name, np.zeros(len(data.image_ids), bool), NO_ROWS) == 0
            assert same_schema(read_any(tmp_path / name), make(COCO))
            assert len(read_any(tmp_path / name)) == 0


def test_rows_without_a_column_of_ids(tmp_path: Path) -> None:
    table = lists_of_structs(COCO).drop_columns("image_id")
    data = opened(table)
    keep = some(data)
    data.write_subset(tmp_path / "x.parquet", keep, NO_ROWS)
    assert read_any(tmp_path / "x.parquet").to_pylist() == [
        row for row, stays in zip(table.to_pylist(), keep, strict=True) if stays
    ]


# --- how they are written -----------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["parquet", "file", "stream", "table"])
def test_the_same_bytes_each_time(tmp_path: Path, place: str) -> None:
    contents = set()
    for i, threads in enumerate((1, 2, 7)):
        (folder := tmp_path / str(i)).mkdir()
        source = PLACES[place](lists_of_structs(COCO), folder)
        for suffix in (".parquet", ".arrow"):
            tfdp.prune(source, folder / f"y{suffix}", rate=0.5, threads=threads)
        contents.add((folder / "y.parquet").read_bytes() + (folder / "y.arrow").read_bytes())
    assert len(contents) == 1


@pytest.mark.parametrize("compliant", [True, False])
def test_parquet_keeps_the_names_of_items(tmp_path: Path, compliant: bool) -> None:
    table = lists_of_structs(COCO)
    path = write_parquet(table, tmp_path / "x.parquet", use_compliant_nested_type=compliant)
    data = opened(path)
    data.write_subset(tmp_path / "y.parquet", some(data), NO_ROWS)
    for one in (path, tmp_path / "y.parquet"):
        names = "".join(pq.ParquetFile(one).metadata.schema.names)
        assert ("element" in names) == compliant
    assert pq.ParquetFile(path).schema == pq.ParquetFile(tmp_path / "y.parquet").schema


@pytest.mark.parametrize("codec", ["NONE", "ZSTD", "GZIP", "SNAPPY", "LZ4"])
def test_parquet_is_compressed_as_the_source(tmp_path: Path, codec: str) -> None:
    path = write_parquet(lists_of_structs(COCO), tmp_path / "x.parquet", compression=codec, row_group_size=2)
    data = opened(path)
    data.write_subset(tmp_path / "y.parquet", some(data), NO_ROWS)
    for one, other in ((path, tmp_path / "y.parquet"),):
        groups = [pq.ParquetFile(file).metadata.row_group(0) for file in (one, other)]
        codecs = [[group.column(i).compression for i in range(group.num_columns)] for group in groups]
        assert codecs[0] == codecs[1]
    # Batches are gathered: groups are not smaller than the source's, but for the last.
    about = pq.ParquetFile(tmp_path / "y.parquet").metadata
    assert [about.row_group(i).num_rows for i in range(about.num_row_groups - 1)] >= [2]


def test_row_groups_of_many_bytes_are_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_arrow_write, "GROUP_BYTES", 1)
    monkeypatch.setattr(_arrow_dataset, "IMAGE_ROWS", 2)
    data = opened(lists_of_structs(COCO))
    data.write_subset(tmp_path / "x.parquet", np.ones(11, bool), NO_ROWS)
    assert pq.ParquetFile(tmp_path / "x.parquet").num_row_groups == 6
    assert read_any(tmp_path / "x.parquet").equals(lists_of_structs(COCO))


def test_kinds_of_files(tmp_path: Path) -> None:
    table = lists_of_structs(COCO)
    sources = {
        "parquet": write_parquet(table, tmp_path / "x.parquet"),
        "file": write_file(table, tmp_path / "f.arrow"),
        "stream": write_stream(table, tmp_path / "s.arrow"),
    }
    parquet, file, stream = b"PAR1", b"ARRO", b"\xff" * 4
    for source, kinds in {
        "parquet": (parquet, file, file),
        "file": (parquet, file, file),
        "stream": (parquet, stream, file),
    }.items():
        data = opened(sources[source])
        for suffix, magic in zip((".parquet", ".arrow", ".feather"), kinds, strict=True):
            data.write_subset(tmp_path / f"y{suffix}", some(data), NO_ROWS)
            assert (tmp_path / f"y{suffix}").read_bytes()[:4] == magic
    for source, magic in (("parquet", parquet), ("file", file), ("stream", stream)):
        memory = io.BytesIO()
        data = opened(sources[source])
        data.write_subset(memory, some(data), NO_ROWS)
        assert memory.getvalue()[:4] == magic
        assert not memory.closed


def test_dictionaries(tmp_path: Path) -> None:
    table = instances(COCO)
    table = table.set_column(3, "file_name", table["file_name"].dictionary_encode())
    data = opened(table)
    for suffix in (".parquet", ".arrow", ".feather"):
        data.write_subset(tmp_path / f"x{suffix}", some(data), NO_ROWS)
        assert same_schema(read_any(tmp_path / f"x{suffix}"), table)


# --- folders ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_folder_becomes_a_folder(tmp_path: Path, layout: str) -> None:
    table = LAYOUTS[layout](COCO).replace_schema_metadata(METADATA)
    folder = write_folder(table, tmp_path / "x")
    data = opened(folder)
    for keep in (some(data), np.zeros(len(data.image_ids), bool), np.arange(len(data.image_ids)) > 6):
        out = tmp_path / f"out {keep.sum()}"
        written = data.write_subset(out, keep, NO_ROWS)
        names = ["a.parquet", "b.arrow", "c/c.feather"]
        assert sorted(str(path.relative_to(out)) for path in out.rglob("*.*")) == names
        subsets = [read_any(out / name) for name in names]
        kept = set(data.image_ids[keep].tolist())
        for name, subset in zip(names, subsets, strict=True):
            original = read_any(folder / name)
            assert subset.schema.equals(original.schema, check_metadata=True)
            assert subset.to_pylist() == [row for row in original.to_pylist() if row["image_id"] in kept]
            assert (out / name).read_bytes()[:4] == (folder / name).read_bytes()[:4]
        assert written == sum(map(annotations_in, subsets))
        assert opened(out).image_ids.tolist() == data.image_ids[keep].tolist()


def test_tables_that_differ_go_into_a_folder_only(tmp_path: Path) -> None:
    (folder := tmp_path / "x").mkdir()
    write_parquet(lists_of_structs(COCO).slice(0, 4), folder / "a.parquet")
    more = lists_of_structs(COCO).slice(4).append_column("more", pa.array([1] * 7))
    write_parquet(more, folder / "b.parquet")
    data = opened(folder)
    with pytest.raises(OutputError, match="the tables differ, and go into a folder only: "):
        data.write_subset(tmp_path / "y.parquet", np.ones(11, bool), NO_ROWS)
    assert not (tmp_path / "y.parquet").exists()
    data.write_subset(tmp_path / "y", np.ones(11, bool), NO_ROWS)
    assert read_any(tmp_path / "y" / "b.parquet").equals(more)


# --- what is refused ----------------------------------------------------------------------------------------


def test_destinations_that_are_refused(tmp_path: Path) -> None:
    path = write_parquet(lists_of_structs(COCO), tmp_path / "x.parquet")
    folder = write_folder(lists_of_structs(COCO), tmp_path / "folder")
    for source in (path, lists_of_structs(COCO)):
        with pytest.raises(
            OptionError, match=r"is written to \.parquet, \.arrow or \.feather, not to .*y\.json$"
        ):
            tfdp.prune(source, tmp_path / "y.json", rate=0.5)
    (tmp_path / "link.parquet").symlink_to(path)
    for destination in (path, tmp_path / "link.parquet"):
        with pytest.raises(OutputError, match="is the file that is being read"):
            tfdp.prune(path, destination, rate=0.5)
    with pytest.raises(OutputError, match="is the file that is being read"):
        tfdp.prune(folder, folder / "a.parquet", rate=0.5)
    with pytest.raises(OutputError, match="folder: is there already"):
        tfdp.prune(folder, folder, rate=0.5)
    with pytest.raises(OutputError, match="does not exist"):
        tfdp.prune(path, tmp_path / "none" / "y.parquet", rate=0.5)
    with pytest.raises(OptionError, match="neither a path nor a binary file"):
        tfdp.prune(path, io.StringIO(), rate=0.5)  # type: ignore[arg-type]
    with pytest.raises(OptionError, match="can be read only once: a subset of it cannot be written"):
        tfdp.prune(lists_of_structs(COCO).to_reader(), tmp_path / "y.parquet", rate=0.5)
    assert names_in(tmp_path) == ["folder", "link.parquet", "x.parquet"]


def test_a_source_that_changes(tmp_path: Path) -> None:
    for write, name in ((write_parquet, "x.parquet"), (write_folder, "x")):
        source = write(lists_of_structs(COCO), tmp_path / name)
        data = opened(source)
        changed = source / "a.parquet" if source.is_dir() else source
        write_parquet(lists_of_structs(COCO).slice(2), changed)
        with pytest.raises(DataError, match=r"\.parquet: has changed since it was read$"):
            data.write_subset(tmp_path / "y.parquet", np.ones(len(data.image_ids), bool), NO_ROWS)
        changed.unlink()
        with pytest.raises(DataError, match=r"\.parquet: cannot be read any more: No such file"):
            data.write_subset(tmp_path / "y.parquet", np.ones(len(data.image_ids), bool), NO_ROWS)
        assert not (tmp_path / "y.parquet").exists()


def test_a_frame_and_a_data_set_are_read_again(tmp_path: Path) -> None:
    frame = structs_of_lists(COCO).to_pandas()
    for source in (frame, pa.dataset.dataset(write_parquet(structs_of_lists(COCO), tmp_path / "x.parquet"))):
        data = opened(source)
        data.write_subset(tmp_path / "y.parquet", some(data), NO_ROWS)
        assert read_any(tmp_path / "y.parquet")["image_id"].to_pylist() == data.image_ids[some(data)].tolist()


def test_a_list_of_files_stays_with_them(tmp_path: Path) -> None:
    (folder := tmp_path / "x").mkdir()
    table = lists_of_structs(COCO)
    for name, part in (("b.arrow", table.slice(0, 4)), ("a.arrow", table.slice(4))):
        write_stream(part, folder / name)
    (folder / "cache-1.arrow").write_text("of something else")
    files = [{"filename": "b.arrow"}, {"filename": "a.arrow"}]
    (folder / "state.json").write_text(
        json.dumps({"_data_files": files, "_fingerprint": "f", "_split": None})
    )
    (folder / "dataset_info.json").write_text(json.dumps({"features": {}, "splits": {"train": 11}}))
    data = opened(folder)
    assert data.image_ids.tolist() == list(range(50, 61))
    prints = set()
    for keep in (some(data), ~some(data)):
        out = tmp_path / f"out {keep.sum()}"
        data.write_subset(out, keep, NO_ROWS)
        assert names_in(out) == ["a.arrow", "b.arrow", "dataset_info.json", "state.json"]
        state = json.loads((out / "state.json").read_text())
        prints.add(state.pop("_fingerprint"))
        assert state == {"_data_files": files, "_split": None}
        assert json.loads((out / "dataset_info.json").read_text()) == {"features": {}}
        assert opened(out).image_ids.tolist() == data.image_ids[keep].tolist()
    assert len(prints | {"f"}) == 3


def test_by_image_or_by_instance() -> None:
    for layout, make in LAYOUTS.items():
        data = opened(make(COCO))
        assert len(data.image_ids) == (11 if layout in BY_IMAGE else 8)


@pytest.mark.skipif(not hasattr(pa, "string_view"), reason="this pyarrow knows no views")
@pytest.mark.parametrize("suffix", [".arrow", ".parquet"])
def test_views_of_text(tmp_path: Path, suffix: str) -> None:
    """As polars makes them; also inside of lists and structs."""
    [rle] = tfdp.to_rle([[[0, 0, 3, 0, 3, 2, 0, 2]]], (3, 4))

    def of_image(text: Any) -> Any:
        mask = pa.struct([("size", pa.list_(pa.int64())), ("counts", text)])
        return pa.list_(pa.struct([("segmentation", mask), ("category_id", pa.int64())]))

    annotations = pa.array([[{"segmentation": rle, "category_id": 1}]] * 2, of_image(pa.string()))
    table = pa.table(
        {
            "image_id": pa.array(["a", "b"], pa.string_view()),
            "height": [3, 3],
            "width": [4, 4],
            "annotations": annotations.cast(of_image(pa.string_view())),
        }
    )
    data = opened(table)
    written = tmp_path / f"out{suffix}"
    assert data.write_subset(written, np.array([False, True]), np.empty(0, np.int64)) == 1
    again = opened(written)
    assert again.image_ids.tolist() == ["b"]
    read = pa.ipc.open_file(written).read_all() if suffix == ".arrow" else pq.read_table(written)
    assert read.to_pylist() == table.slice(1).to_pylist()
    if suffix == ".arrow":
        assert same_schema(read, table)
