"""Tables in memory, measured where they lie."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from pycocotools import mask as coco_mask

import tfdp_fast as tfdp
from arrow_support import MASKS, NOTHING, RLE, RUN_MASK, TRIANGLE
from record_support import REAL, run_lengths
from tfdp_fast.errors import DataError, MissingExtraError, OptionError
from tfdp_fast.formats import _arrow_masks
from tfdp_fast.integrations import arrow
from tfdp_fast.integrations.arrow import measure_column, measure_table

FIELDS = ["straight", "diagonal", "area2"]


def counts_in(table: Any) -> list[tuple[int, int, int]]:
    return list(zip(*(table[name].to_pylist() for name in FIELDS), strict=True))


def counts_of(masks: list[Any], size: Any = None, **options: Any) -> list[tuple[int, int, int]]:
    return list(tfdp.measure(masks, size, **options))


def by_opencv(mask: NDArray[np.uint8]) -> tuple[int, int, int]:
    """The steps along the contour of the largest area, and twice that."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    if not contours:
        return 0, 0, 0
    primary = max(contours, key=cv2.contourArea)[:, 0]
    steps = np.abs(np.roll(primary, -1, axis=0) - primary)
    diagonal = int((steps.sum(axis=1) == 2).sum())
    return int((steps.sum(axis=1) == 1).sum()), diagonal, round(2 * cv2.contourArea(primary))


def made(n: int = 60) -> tuple[pa.Table, list[NDArray[np.uint8]]]:
    """Ellipses in images of several sizes, null now and then, and their pixels."""
    rng = np.random.default_rng(5)
    rows, pixels = [], []
    for i in range(n):
        height, width = (int(side) for side in rng.integers(8, 40, 2))
        mask = np.zeros((height, width), np.uint8)
        if i % 7:
            axes = (int(rng.integers(1, 12)), int(rng.integers(1, 12)))
            cv2.ellipse(mask, (width // 2, height // 2), axes, 20 * i, 0, 360, 1, -1)
        text = coco_mask.encode(np.asfortranarray(mask))["counts"].decode()
        rows.append({"id": 1000 + i, "height": height, "width": width, "counts": text if i % 7 else None})
        pixels.append(mask)
    return pa.Table.from_pylist(rows), pixels


TABLE, PIXELS = made()
EXPECTED = [by_opencv(mask) for mask in PIXELS]


# --- what comes out -----------------------------------------------------------------------------------------


def test_columns_stay_but_for_the_masks() -> None:
    table = TABLE.append_column("size", pa.array(range(60))).replace_schema_metadata({"a": "b"})
    found = measure_table(table)
    assert isinstance(found, pa.Table)
    assert found.column_names == ["id", "height", "width", "size", *FIELDS]
    assert found.schema.metadata == {b"a": b"b"}
    assert found.drop_columns(FIELDS).equals(table.drop_columns("counts"))
    assert counts_in(found) == EXPECTED
    assert {found.schema.field(name).type for name in FIELDS} == {pa.int64()}
    batch = measure_table(table.combine_chunks().to_batches()[0], columns=["width", "counts"])
    assert isinstance(batch, pa.RecordBatch)
    assert batch.schema.names == ["width", "counts", *FIELDS]
    assert counts_in(batch) == EXPECTED
    assert measure_table(table, columns=[]).column_names == FIELDS


@pytest.mark.parametrize("kind", [*MASKS, *NOTHING])
def test_every_kind_of_column(kind: str) -> None:
    column = MASKS[kind] if kind in MASKS else NOTHING[kind]
    expected = [(0, 0, 0)]
    if kind in MASKS:
        expected = counts_of([RUN_MASK if "un lengths" in kind else [TRIANGLE]], (10, 10))
        assert expected[0][2] > 0
    for name in ("segmentation", "m"):
        table = pa.table({"height": [10], "width": [10], name: column})
        assert counts_in(measure_table(table, masks=None if name == "segmentation" else name)) == expected
    structs = measure_column(column, 10, np.int64(10))
    assert [tuple(row.values()) for row in structs.to_pylist()] == expected


@pytest.mark.parametrize("side", [pa.int8(), pa.uint64(), pa.float32(), None])
def test_sizes_of_any_type(side: Any) -> None:
    for name in ("height", "width"):
        column = TABLE[name].dictionary_encode() if side is None else TABLE[name].cast(side)
        table = TABLE.set_column(TABLE.schema.get_field_index(name), name, column)
        assert counts_in(measure_table(table)) == EXPECTED


def test_masks_that_state_their_own_size_need_no_other() -> None:
    assert counts_in(measure_table(pa.table({"segmentation": [RLE]}))) == counts_of([RLE])
    assert counts_in(measure_table(pa.table({"segmentation": [json.dumps(RUN_MASK)]}))) == counts_of(
        [RUN_MASK]
    )
    sizes = [[height, width] for height, width in zip(*map(TABLE.column, ("height", "width")), strict=True)]
    sizes = [[side.as_py() for side in size] for size in sizes]
    bare = TABLE.select(["counts"]).append_column("size", pa.array(sizes))
    assert counts_in(measure_table(bare)) == EXPECTED
    runs = [
        None if text is None else run_lengths(mask)
        for text, mask in zip(TABLE["counts"].to_pylist(), PIXELS, strict=True)
    ]
    assert counts_in(measure_table(bare.set_column(0, "counts", pa.array(runs)))) == EXPECTED
    unknown = pa.table({"segmentation": [RLE, RLE], "height": [None, 10], "width": [10, 10]})
    assert counts_in(measure_table(unknown)) == counts_of([RLE] * 2)


def test_polygons_become_masks_as_is_asked() -> None:
    table = pa.table({"segmentation": [[TRIANGLE]], "height": [10], "width": [10]})
    found = {name: counts_in(measure_table(table, polygons=name)) for name in ("coco", "opencv")}
    assert found["coco"] != found["opencv"]
    for name, counts in found.items():
        assert counts == counts_of([[TRIANGLE]], (10, 10), polygons=name)


@pytest.mark.parametrize("name", REAL)
def test_real_annotations(name: str, shared_data: Path) -> None:
    coco = json.loads((shared_data / name).read_bytes())
    sizes = {image["id"]: (image["height"], image["width"]) for image in coco["images"]}
    some = coco["annotations"][:300]
    rles = [tfdp.to_rle([row["segmentation"]], sizes[row["image_id"]])[0] for row in some]
    table = pa.table({"segmentation": rles})
    found = counts_in(measure_table(table))
    assert found == [by_opencv(coco_mask.decode(rle)) for rle in rles]
    assert math.fsum(area2 for *_, area2 in found) > 0
    polygons = [row for row in some if isinstance(row["segmentation"], list)]
    if polygons:
        at = [sizes[row["image_id"]] for row in polygons]
        masks = pa.array([row["segmentation"] for row in polygons], pa.list_(pa.list_(pa.float64())))
        columns = {"segmentation": masks, "height": [h for h, _ in at], "width": [w for _, w in at]}
        found = counts_in(measure_table(pa.table(columns)))
        of_pixels = [
            coco_mask.decode(coco_mask.merge(coco_mask.frPyObjects(row["segmentation"], *size)))
            for row, size in zip(polygons, at, strict=True)
        ]
        assert found == [by_opencv(mask) for mask in of_pixels]


# --- cut in any way -----------------------------------------------------------------------------------------


@given(
    cuts=st.lists(st.integers(0, 60), max_size=6),
    begin=st.integers(0, 60),
    length=st.integers(0, 60),
    threads=st.sampled_from([1, 2, 7]),
    kind=st.sampled_from(["text", "views", "large", "bytes"]),
)
def test_chunks_do_not_matter(cuts: list[int], begin: int, length: int, threads: int, kind: str) -> None:
    types = {"text": pa.string(), "large": pa.large_string(), "bytes": pa.binary()}
    types["views"] = pa.string_view() if hasattr(pa, "string_view") else pa.string()
    edges = [0, *sorted(cuts), 60]
    parts = [TABLE.slice(a, b - a) for a, b in pairwise(edges)]
    table = pa.concat_tables(parts).slice(begin, length)
    table = table.set_column(3, "counts", table["counts"].cast(types[kind]))
    # The chunks of one column are not those of the others.
    table = table.set_column(0, "id", table["id"].combine_chunks())
    found = measure_table(table, threads=threads)
    assert counts_in(found) == EXPECTED[begin : begin + length]
    assert found["id"].to_pylist() == TABLE["id"].slice(begin, length).to_pylist()
    column = measure_column(table["counts"], table["height"], table["width"], threads=threads)
    assert isinstance(column, pa.ChunkedArray)
    assert [tuple(row.values()) for row in column.to_pylist()] == counts_in(found)


def test_many_rows_are_several_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(arrow, "ROWS", 7)
    for threads in (1, 3):
        assert counts_in(measure_table(TABLE, threads=threads)) == EXPECTED
        bad = TABLE.set_column(3, "counts", pa.array([*TABLE["counts"].to_pylist()[:-1], "0"]))
        with pytest.raises(DataError, match=r"<Table>: row 59 \(id 1059\): the runs do not sum"):
            measure_table(bad, threads=threads)


@pytest.mark.parametrize("type_", [pa.string(), pa.large_string(), pa.binary(), pa.large_binary()])
def test_text_is_not_copied(type_: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """What is decoded is the memory of the column, and pyarrow takes no memory for text."""
    texts = pa.array([RLE["counts"]] * 50_000).cast(type_)
    table = pa.table({"height": pa.repeat(10, 50_000), "width": pa.repeat(10, 50_000), "counts": texts})
    address, read = texts.buffers()[2].address, []
    found = _arrow_masks._text

    def text(column: Any) -> Any:
        data, offsets = found(column)
        read.append(np.frombuffer(data, np.uint8).ctypes.data)
        return data, offsets

    monkeypatch.setattr(_arrow_masks, "_text", text)
    before = pa.total_allocated_bytes()
    counts = measure_table(table.slice(11), columns=[])
    # Three columns of numbers; and not all of the text.
    assert pa.total_allocated_bytes() - before < 50_000 * len(RLE["counts"])
    assert set(read) == {address}
    assert len(read) > 3
    assert counts_in(counts) == counts_of([RLE]) * (50_000 - 11)


# --- rows that cannot be used -------------------------------------------------------------------------------

BAD = pa.table(
    {
        "id": ["a", "b", "c", "d", "e"],
        "height": [10, 10, -1, 10, None],
        "width": [10] * 5,
        "segmentation": [RLE["counts"], "0", RLE["counts"], None, RLE["counts"]],
    }
)
REASONS = [
    None,
    "the runs do not sum to height * width",
    '"height" is -1, not a whole number from 0 to 536870912',
    None,
    "the size of the image is not known",
]


def test_bad_rows_become_null() -> None:
    for source in (BAD, BAD.to_batches()[0]):
        found = measure_table(source, on_error="null")
        assert found.schema.names == ["id", "height", "width", *FIELDS, "problem"]
        assert found["problem"].to_pylist() == REASONS
        assert [row[0] is None for row in counts_in(found)] == [reason is not None for reason in REASONS]
        assert counts_in(found)[0] == counts_of([RLE])[0]
        assert counts_in(found)[3] == (0, 0, 0)
    good = measure_table(TABLE, on_error="null")
    assert good["problem"].null_count == 60
    assert good.schema.field("problem").type == pa.string()
    column = measure_column(BAD["segmentation"], BAD["height"], BAD["width"], on_error="null")
    assert [row["problem"] for row in column.to_pylist()] == REASONS


def test_the_first_bad_row_is_an_error() -> None:
    with pytest.raises(DataError) as caught:
        measure_table(BAD)
    assert str(caught.value) == f"<Table>: row 1 (id b): {REASONS[1]}"
    with pytest.raises(DataError, match=r"^<RecordBatch>: row 0: \"height\" is -1"):
        measure_table(BAD.slice(2).drop_columns("id").to_batches()[0])


REFUSED: list[tuple[Any, dict[str, Any], str]] = [
    (pa.table({"a": [1]}), {}, "has no column segmentation (or counts); its columns are a"),
    (pa.table({}), {}, "has no column segmentation (or counts); its columns are none"),
    (TABLE, {"masks": "rle"}, "has no column rle; its columns are id, height, width, counts"),
    (TABLE, {"masks": "id"}, "column id is of type int64, and should hold text, {size, counts}, or lists"),
    (
        pa.table({"counts": ["0"], "height": ["a"]}),
        {},
        "column height is of type string, and should hold numbers",
    ),
    (pa.Table.from_arrays([pa.array(["0"])] * 2, ["counts", "counts"]), {}, "has two columns counts"),
]


@pytest.mark.parametrize(("table", "options", "reason"), REFUSED, ids=[reason for *_, reason in REFUSED])
def test_tables_that_cannot_be_used(table: Any, options: dict[str, Any], reason: str) -> None:
    with pytest.raises(DataError) as caught:
        measure_table(table, **options)
    assert str(caught.value).startswith(f"<Table>: {reason}")


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"table": TABLE.to_pydict()}, "a table is a pyarrow.Table or RecordBatch, not a dict"),
    ({"polygons": "x"}, "polygons must be 'coco' or 'opencv', got 'x'"),
    ({"threads": 0}, "threads must be a whole number of at least 1, got 0"),
    ({"on_error": "skip"}, "on_error must be 'raise' or 'null', got 'skip'"),
    ({"columns": "id"}, "columns is a sequence of names, got 'id'"),
    ({"columns": ["x"]}, "there is no column 'x' to keep; the columns are id, height, width, counts"),
    (
        {"table": measure_table(TABLE, columns=["counts", "height", "width"])},
        "there is a column 'straight' already: leave it out, with columns",
    ),
]


@pytest.mark.parametrize(("options", "reason"), WRONG, ids=[reason for _, reason in WRONG])
def test_arguments_that_make_no_sense(options: dict[str, Any], reason: str) -> None:
    with pytest.raises(OptionError) as caught:
        measure_table(**{"table": TABLE, **options})
    assert str(caught.value) == reason


def test_columns_that_make_no_sense() -> None:
    with pytest.raises(OptionError, match="masks must be a column of Arrow, got a list"):
        measure_column(["0"], 4, 4)
    with pytest.raises(OptionError, match="height must be a column of Arrow, got a bool"):
        measure_column(pa.array(["0"]), True, 4)
    with pytest.raises(OptionError, match="width has 2 values for 1 masks"):
        measure_column(pa.array(["0"]), 4, pa.array([4, 4]))


def test_a_measured_table_is_measured_again() -> None:
    once = measure_table(TABLE, columns=["counts", "height", "width"])
    assert counts_in(measure_table(once, columns=[])) == EXPECTED


def test_no_rows() -> None:
    for source in (TABLE.slice(0, 0), TABLE.schema.empty_table(), TABLE.slice(60).combine_chunks()):
        for on_error in ("raise", "null"):
            found = measure_table(source, on_error=on_error)
            assert found.schema == measure_table(TABLE, on_error=on_error).schema
            assert len(found) == 0
    column = measure_column(pa.array([], pa.string()), 4, 4)
    assert (len(column), column.type) == (0, measure_column(pa.array(["52203"]), 4, 4).type)


def test_columns_of_other_libraries() -> None:
    class Column:
        """What gives itself as a stream of Arrow, as a Series of Polars does."""

        def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
            return TABLE["counts"].__arrow_c_stream__(requested_schema)

    found = measure_column(Column(), TABLE["height"], TABLE["width"])
    assert [tuple(row.values()) for row in found.to_pylist()] == EXPECTED


def test_without_pyarrow() -> None:
    code = (
        "import sys; sys.modules['pyarrow'] = None\n"
        "import tfdp_fast.errors as errors\n"
        "try:\n    import tfdp_fast.integrations.arrow\n"
        "except errors.MissingExtraError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(MissingExtraError("pyarrow", "parquet"))


def test_what_lies_under_a_null_is_no_mask() -> None:
    text = pa.array(["52203", "oooo", "52203"])
    validity = pa.py_buffer(bytes([0b101]))
    masks = pa.Array.from_buffers(pa.string(), 3, [validity, *text.buffers()[1:]])
    square = by_opencv(coco_mask.decode({"size": [4, 4], "counts": "52203"}))
    assert [tuple(row.values()) for row in measure_column(masks, 4, 4).to_pylist()] == [
        square,
        (0, 0, 0),
        square,
    ]


def test_sizes_that_cannot_be() -> None:
    masks = [
        RLE,
        {**RLE, "size": [10, 9]},
        {**RLE, "size": [-1, 10]},
        {**RLE, "size": None},
        {**RLE, "size": None},
    ]
    table = pa.table({"segmentation": masks, "height": [10, 10, 10, 10, None], "width": [10] * 5})
    assert measure_table(table, on_error="null")["problem"].to_pylist() == [
        None,
        "the mask's own size is not the image's",
        "the height or the width is negative or beyond 2**29",
        None,
        "the size of the image is not known",
    ]
