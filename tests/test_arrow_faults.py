"""Tables that cannot be used, and rows of them."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tfdp_fast as tfdp
from arrow_support import (
    LAYOUTS,
    instances,
    lists_of_structs,
    structs_of_lists,
    write_file,
    write_folder,
    write_parquet,
    write_stream,
)
from record_support import made_coco
from tfdp_fast.errors import DataError
from tfdp_fast.formats import _arrow_dataset

RLE = tfdp.to_rle([[[1, 1, 8, 1, 8, 8]]], size=(10, 10))[0]


def refusal(source: Any, **options: Any) -> str:
    with pytest.raises(DataError) as caught:
        tfdp.score(source, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def two_rows(**columns: Any) -> pa.Table:
    """Rows per instance, of which the second has something else."""
    plain: dict[str, Any] = {
        "image_id": [7, 8],
        "height": [10, 10],
        "width": [10, 10],
        "category_id": [1, 1],
        "id": [70, 80],
        "segmentation": [RLE, RLE],
    }
    for name, value in columns.items():
        first = plain[name][0] if name in plain else None
        column = value if isinstance(value, pa.Array) else [first, value]
        plain[name] = column
    return pa.table(plain)


# --- rows ---------------------------------------------------------------------------------------------------

ROWS: list[tuple[dict[str, Any], str]] = [
    ({"image_id": None}, 'annotation 80: has no "image_id"'),
    ({"image_id": pa.array([7, 2**63], pa.uint64())}, 'annotation 80: "image_id" is beyond 64 bits'),
    ({"image_id": pa.array(["a", "b\0"])}, 'annotation 80: "image_id" ends with a NUL or is too long'),
    ({"height": None}, 'annotation 80: has no "height"'),
    ({"width": -1}, 'annotation 80: "width" is -1, not a whole number from 0 to 536870912'),
    ({"width": pa.array([10, 2**64 - 1], pa.uint64())}, 'annotation 80: "width" is 18446744073709551615'),
    ({"height": pa.array([10, 9.5])}, 'annotation 80: "height" is 9.5, not a whole number'),
    ({"height": pa.array([10, float("nan")])}, 'annotation 80: "height" is NaN, not a whole number'),
    ({"category_id": None}, 'annotation 80: has no "category_id"'),
    ({"id": None}, 'row 1: has no "id"'),
    ({"iscrowd": pa.array([0, float("nan")])}, 'annotation 80: "iscrowd" is NaN, not true, false'),
    ({"ignore": pa.array([0, float("inf")])}, 'annotation 80: "ignore" is Infinity, not true'),
    ({"segmentation": {**RLE, "size": [10, 9]}}, "annotation 80: the mask's own size is not the image's"),
    ({"segmentation": {**RLE, "size": [10]}}, "annotation 80: the segmentation is neither a list of"),
    ({"segmentation": {**RLE, "size": [10, None]}}, "annotation 80: the segmentation is neither a list of"),
    ({"segmentation": {**RLE, "size": [10, -1]}}, "annotation 80: the height or the width is negative"),
    ({"segmentation": {**RLE, "counts": "0"}}, "annotation 80: the runs do not sum to height * width"),
    ({"segmentation": {**RLE, "counts": ""}}, "annotation 80: the runs do not sum to height * width"),
    ({"segmentation": {**RLE, "counts": "é"}}, "annotation 80: the compressed RLE has a character outside"),
    ({"segmentation": pa.array([RLE["counts"], "[[1, 2]"])}, "annotation 80: the segmentation is not valid"),
    ({"segmentation": pa.array(["", "[]"])}, "annotation 70: the runs do not sum to height * width"),
    ({"segmentation": pa.array([[[1.0, 1, 8, 1, 8, 8]], [[1.0, 2, 3]]])}, "annotation 80: a polygon has"),
    ({"segmentation": pa.array([[[1.0, 1, 8, 1, 8, 8]], [[1.0, None]]])}, "annotation 80: a polygon coor"),
    ({"segmentation": pa.array([{"counts": [100]}, {"counts": [-1]}])}, "annotation 80: an RLE count is"),
    ({"segmentation": pa.array([{"counts": [100]}, {"counts": [None]}])}, "annotation 80: RLE counts are"),
]  # fmt: skip


@pytest.mark.parametrize(("columns", "message"), ROWS, ids=[message for _, message in ROWS])
def test_rows_that_cannot_be_used(columns: dict[str, Any], message: str) -> None:
    table = two_rows(**columns)
    error = refusal(table)
    assert error.startswith(f"<Table>: {message}")
    found = tfdp.score(table, on_error="skip")
    (problem,) = found.problems
    assert str(problem.error("<Table>")) == error
    assert problem.row == (0 if "annotation 70" in message else 1)
    assert found.instances is not None
    assert len(found.instances) == 1


def test_an_empty_text_is_no_json() -> None:
    counts = two_rows(segmentation=pa.array([RLE["counts"], ""])).rename_columns(
        ["image_id", "height", "width", "category_id", "id", "counts"]
    )
    assert "annotation 80: the runs do not sum" in refusal(counts)
    text = counts.set_column(5, "counts", pa.array([RLE["counts"], "[[1, 1, 8, 1, 8, 8]]"]))
    assert "annotation 80: the compressed RLE" in refusal(text)


def image(**more: Any) -> dict[str, Any]:
    annotation = {"id": 1, "segmentation": RLE, "category_id": 3}
    return {"image_id": 7, "height": 10, "width": 10, "annotations": [annotation], **more}


IMAGES: list[tuple[dict[str, Any], str]] = [
    (image(image_id=None), 'row 1: has no "image_id"'),
    (image(height=None), 'image 7: has no "height"'),
    (image(width=-5), 'image 7: "width" is -5, not a whole number'),
    (image(annotations=[None]), "image 7: annotation 0: has no"),
    (image(annotations=[{"id": 9, "segmentation": RLE}]), 'annotation 9: has no "category_id"'),
    (
        image(annotations=[{"id": 9, "segmentation": {"counts": "0"}, "category_id": 1}]),
        "annotation 9: the runs",
    ),
]


@pytest.mark.parametrize(("row", "message"), IMAGES, ids=[message for _, message in IMAGES])
def test_images_that_cannot_be_used(tmp_path: Path, row: dict[str, Any], message: str) -> None:
    table = pa.Table.from_pylist([image(image_id=1), row, image(image_id=2, annotations=None)])
    for source, name in ((table, "<Table>"), (write_parquet(table, tmp_path / "x.parquet"),) * 2):
        error = refusal(source)
        assert error.startswith(f"{name}: {message}")
        found = tfdp.score(source, on_error="skip")
        assert [str(problem.error(str(name))) for problem in found.problems] == [error]
        assert (
            found.images.id.tolist() == [1, 7, 2]
            if row["image_id"] and row["height"] == 10 == row["width"]
            else [1, 2]
        )
        assert found.images.annotations[0] == 1


def test_lists_of_different_lengths() -> None:
    table = structs_of_lists(made_coco(4))
    rows = table.to_pylist()
    rows[2]["objects"]["category"].append(1)
    broken = pa.Table.from_pylist(rows, table.schema)
    lengths = "segmentation 2, category 3, id 2, iscrowd 2"
    assert refusal(broken) == f"<Table>: image 52: has lists of different lengths: {lengths}"
    found = tfdp.score(broken, on_error="skip")
    assert found.images.id.tolist() == [50, 51, 53]
    assert found.images.annotations.tolist() == [0, 1, 3]


def test_problems_say_their_file_and_row(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = instances(made_coco(8)).drop_columns("id")
    rows = table.to_pylist()
    for row in (0, 5, 8):
        rows[row]["segmentation"]["counts"] = "0"
    folder = write_folder(pa.Table.from_pylist(rows, table.schema), tmp_path / "x")
    expected = [("a.parquet", "row 0", 0), ("b.arrow", "row 1", 5), ("c/c.feather", "row 0", 8)]
    for size in (1, 2, 1000):
        monkeypatch.setattr(_arrow_dataset, "INSTANCE_ROWS", size)
        for threads in (1, 2, 7):
            problems = tfdp.score(folder, on_error="skip", threads=threads).problems
            assert [
                (str(Path(problem.file or "").relative_to(folder)), problem.record, problem.row)
                for problem in problems
            ] == expected
            message = refusal(folder, threads=threads)
            assert message == f"{folder}/a.parquet: row 0: the runs do not sum to height * width"


def test_an_image_of_two_sizes(monkeypatch: pytest.MonkeyPatch) -> None:
    for size in (1, 1000):
        monkeypatch.setattr(_arrow_dataset, "INSTANCE_ROWS", size)
        for on_error in ("raise", "skip"):
            table = two_rows(image_id=7, height=11, segmentation=None)
            message = refusal(table, on_error=on_error)
            assert message == "<Table>: image 7: its rows have different heights or widths"


def test_an_image_in_two_rows() -> None:
    table = lists_of_structs(made_coco(4))
    assert refusal(pa.concat_tables([table, table])) == "<Table>: image 50: its id is given twice"


# --- columns ------------------------------------------------------------------------------------------------

NOTHING = (
    "has no column height, width, image_id, segmentation (or counts), category_id (or category); "
    "its columns are a; and no annotations or objects that is a list for each image"
)
NESTED = (
    "has no column height, width, category_id (or category); its columns are annotations, "
    "and in annotations: segmentation"
)
NUMBERS, STRUCTS = pa.array([1, 2]), pa.array([{"a": 1}, {"a": 2}])

COLUMNS: list[tuple[pa.Table, str]] = [
    (pa.table({"a": [1]}), NOTHING),
    (pa.table({}), "category_id (or category); its columns are none; and no annotations"),
    (pa.Table.from_pylist([{"annotations": [{"segmentation": RLE}]}]), NESTED),
    (two_rows().drop_columns("category_id"), "has no column category_id (or category); its columns are"),
    (two_rows().drop_columns("image_id"), "has no column image_id; its columns are height"),
    (two_rows(image_id=pa.array([1.5, 2])), "column image_id is of type double, and should hold whole"),
    (two_rows(height=pa.array(["1", "2"])), "column height is of type string, and should hold numbers"),
    (two_rows(file_name=NUMBERS), "column file_name is of type int64, and should hold text"),
    (two_rows(iscrowd=pa.array(["a", "b"])), "column iscrowd is of type string, and should hold true, false"),
    (two_rows(segmentation=NUMBERS), "column segmentation is of type int64, and should hold text, {size,"),
    (two_rows(segmentation=STRUCTS), "column segmentation is of type struct<a: int64>, and should hold"),
    (two_rows(segmentation=pa.array([[True], [False]])), "column segmentation is of type list<"),
    (pa.table([[1], [2]], ["height", "height"]), "has two columns height"),
]


@pytest.mark.parametrize(("table", "message"), COLUMNS, ids=[message for _, message in COLUMNS])
def test_columns_that_cannot_be_used(tmp_path: Path, table: pa.Table, message: str) -> None:
    assert refusal(table).startswith("<Table>: ")
    assert message in refusal(table, on_error="skip")
    path = write_stream(table, tmp_path / "x.arrow")
    assert refusal(path).startswith(f"{path}: ")
    assert message in refusal(path)


def test_tables_that_do_not_go_together(tmp_path: Path) -> None:
    write_parquet(lists_of_structs(made_coco(4)), tmp_path / "a.parquet")
    write_parquet(instances(made_coco(4)), tmp_path / "b.parquet")
    assert refusal(tmp_path) == (
        f"{tmp_path}/b.parquet: does not go with {tmp_path}/a.parquet: only one of them has a row per image"
    )
    without = instances(made_coco(4)).drop_columns("category_id").append_column("predicted_iou", pa.nulls(6))
    write_parquet(without, tmp_path / "a.parquet")
    assert "b.parquet: does not go with" in refusal(tmp_path)
    assert refusal(tmp_path).endswith("only one of them has classes")


def test_ids_of_two_kinds(tmp_path: Path) -> None:
    table = lists_of_structs(made_coco(4))
    write_parquet(table, tmp_path / "a.parquet")
    text = table.set_column(0, "image_id", pa.array(["a", "b", "c", "d"]))
    write_parquet(text, tmp_path / "b.parquet")
    assert refusal(tmp_path) == f"{tmp_path}: ids of images are partly numbers and partly text"


# --- files --------------------------------------------------------------------------------------------------


def test_files_that_are_no_tables(tmp_path: Path) -> None:
    for name in ("x.parquet", "x.arrow", "x.feather"):
        path = tmp_path / name
        assert refusal(path).startswith(f"{path}: cannot be read: ")
        for content in (b"", b"PAR1", b"ARROW1", b"{}", os.urandom(200)):
            path.write_bytes(content)
            assert refusal(path).startswith(f"{path}: cannot be read: ")


@pytest.mark.parametrize("layout", LAYOUTS)
def test_files_that_are_cut_short(tmp_path: Path, layout: str) -> None:
    table = LAYOUTS[layout](made_coco())
    for write, name in ((write_parquet, "x.parquet"), (write_file, "x.feather"), (write_stream, "x.arrow")):
        path = write(table, tmp_path / name)
        content = path.read_bytes()
        for length in {*range(0, len(content), 97), len(content) - 1, len(content) - 8, len(content) - 9}:
            path.write_bytes(content[:length])
            message = refusal(path)
            assert message.startswith(f"{path}: ")
            assert "cannot be read" in message or message.endswith("is cut short: the stream has no end")


def test_a_row_group_that_is_damaged(tmp_path: Path) -> None:
    table = lists_of_structs(made_coco(12))
    path = write_parquet(table, tmp_path / "x.parquet", write_page_checksum=True)
    place = pq.ParquetFile(path).metadata.row_group(1).column(0).data_page_offset
    content = bytearray(path.read_bytes())
    content[place + 30 : place + 60] = b"\xff" * 30
    path.write_bytes(bytes(content))
    assert refusal(path).startswith(f"{path}: row group 1: cannot be read: ")


@pytest.mark.parametrize("layout", ["lists of structs", "counts"])
def test_flipped_bytes_never_end_the_process(tmp_path: Path, layout: str) -> None:
    table = LAYOUTS[layout](made_coco(6))
    for write, name in ((write_parquet, "x.parquet"), (write_file, "x.feather"), (write_stream, "x.arrow")):
        content = write(table, tmp_path / name).read_bytes()
        for place in range(0, len(content), 23):
            damaged = bytearray(content)
            damaged[place] ^= 0xA5
            (tmp_path / name).write_bytes(bytes(damaged))
            try:
                tfdp.score(tmp_path / name, on_error="skip")
            except DataError as error:
                assert re.match(r"\S+x\.\w+: ", str(error))  # noqa: PT017
                assert "\n" not in str(error)  # noqa: PT017


def test_text_that_is_no_utf8(tmp_path: Path) -> None:
    table = lists_of_structs(made_coco(3))
    data = pa.array([b"\xff"] * 3)
    names = pa.StringArray.from_buffers(3, *data.buffers()[1:])
    path = write_parquet(table.set_column(3, "file_name", names), tmp_path / "x.parquet")
    assert refusal(path).startswith(f"{path}: cannot be read: ")


def test_folders_without_a_table(tmp_path: Path) -> None:
    (tmp_path / "x.txt").touch()
    message = refusal(tmp_path, format="arrow")
    assert message == f"{tmp_path}: has no file in it that ends with .parquet, .arrow, .feather"
    (tmp_path / "state.json").write_text("{}")
    assert refusal(tmp_path, format="arrow").endswith("is no list of files by datasets.Dataset.save_to_disk")
    (tmp_path / "state.json").write_text("{")
    assert f"{tmp_path}/state.json: is not valid JSON" in refusal(tmp_path, format="arrow")
    (tmp_path / "state.json").write_text("[]")
    assert refusal(tmp_path, format="arrow").endswith("is no JSON object")
    (tmp_path / "state.json").write_text('{"_data_files": [{"filename": "../x.arrow"}]}')
    assert "names a file outside of the folder: '../x.arrow'" in refusal(tmp_path, format="arrow")
