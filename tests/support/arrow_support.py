"""Tables of annotations, in the layouts and the places that they come in."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset
import pyarrow.parquet as pq

import tfdp_fast as tfdp
from record_support import Coco, Record, by_image, columns, general, with_rle

RLE_TYPE = pa.struct([("size", pa.list_(pa.int32())), ("counts", pa.string())])
POLYGONS = pa.list_(pa.list_(pa.float64()))
ABOUT = [
    ("image_id", pa.int64()),
    ("height", pa.int32()),
    ("width", pa.int32()),
    ("file_name", pa.string()),
]
OF_ANNOTATION = [("id", pa.int64()), ("category_id", pa.int64()), ("iscrowd", pa.int8())]


def lists_of_structs(coco: Coco) -> pa.Table:
    """A row per image with a list of structs."""
    fields = [*OF_ANNOTATION, ("segmentation", RLE_TYPE)]
    schema = pa.schema([*ABOUT, ("annotations", pa.list_(pa.struct(fields)))])
    return pa.Table.from_pylist(list(general(with_rle(coco))), schema)


def structs_of_lists(coco: Coco) -> pa.Table:
    """A row per image with a struct of lists, as Hugging Face has it."""
    lists = [
        ("id", pa.list_(pa.int64())),
        ("category", pa.list_(pa.int64())),
        ("segmentation", pa.list_(RLE_TYPE)),
        ("iscrowd", pa.list_(pa.bool_())),
    ]
    schema = pa.schema([*ABOUT, ("objects", pa.struct(lists))])
    records = list(columns(with_rle(coco)))
    for record in records:
        record["objects"]["iscrowd"] = list(map(bool, record["objects"]["iscrowd"]))
    return pa.Table.from_pylist(records, schema)


def instances(coco: Coco) -> pa.Table:
    """A row per instance with ``segmentation``."""
    schema = pa.schema([*ABOUT, *OF_ANNOTATION, ("segmentation", RLE_TYPE)])
    return pa.Table.from_pylist(_instances(coco), schema)


def counts(coco: Coco) -> pa.Table:
    """A row per instance with bytes of counts, and the size beside it."""
    rows = [
        {**row, "counts": row["segmentation"]["counts"].encode(), "size": row["segmentation"]["size"]}
        for row in _instances(coco)
    ]
    fields = [("counts", pa.large_binary()), ("size", pa.list_(pa.int16(), 2))]
    return pa.Table.from_pylist(rows, pa.schema([*ABOUT, *OF_ANNOTATION, *fields]))


def json_text(coco: Coco) -> pa.Table:
    """A row per instance with the segmentation as JSON, or as bare counts, in turn."""
    rows = [
        {**row, "segmentation": json.dumps(found) if i % 2 else found["counts"]}
        for i, row in enumerate(_instances(coco))
        for found in [row["segmentation"]]
    ]
    fields = [("segmentation", pa.string())]
    return pa.Table.from_pylist(rows, pa.schema([*ABOUT, *OF_ANNOTATION, *fields]))


def _instances(coco: Coco) -> list[Record]:
    return [
        {"image_id": image["id"], "height": image["height"], "width": image["width"]}
        | {"file_name": image.get("file_name")}
        | {key: annotation[key] for key in ("id", "category_id", "iscrowd", "segmentation")}
        for image, annotations in by_image(with_rle(coco))
        for annotation in annotations
    ]


LAYOUTS: dict[str, Callable[[Coco], pa.Table]] = {
    "lists of structs": lists_of_structs,
    "structs of lists": structs_of_lists,
    "instances": instances,
    "counts": counts,
    "json": json_text,
}
BY_IMAGE = ("lists of structs", "structs of lists")


def write_parquet(table: pa.Table, path: Path, **options: Any) -> Path:
    pq.write_table(table, path, **{"row_group_size": 4, **options})
    return path


def write_file(table: pa.Table, path: Path) -> Path:
    with pa.ipc.new_file(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    return path


def write_stream(table: pa.Table, path: Path) -> Path:
    with pa.ipc.new_stream(path, table.schema) as writer:
        writer.write_table(table, max_chunksize=5)
    return path


def write_folder(table: pa.Table, path: Path) -> Path:
    """Three files, one of them below, in the order of their names."""
    (path / "c").mkdir(parents=True)
    third = max(1, len(table) // 3)
    write_parquet(table.slice(0, third), path / "a.parquet")
    write_stream(table.slice(third, third), path / "b.arrow")
    write_file(table.slice(2 * third), path / "c" / "c.feather")
    (path / "README.md").write_text("not a table")
    (path / "_metadata.parquet").write_text("not a table either")
    return path


PLACES: dict[str, Callable[[pa.Table, Path], Any]] = {
    "parquet": lambda table, folder: write_parquet(table, folder / "x.parquet"),
    "file": lambda table, folder: write_file(table, folder / "x.arrow"),
    "stream": lambda table, folder: write_stream(table, folder / "x.arrow"),
    "folder": lambda table, folder: write_folder(table, folder / "tables"),
    "table": lambda table, _: table,
    "reader": lambda table, _: table.to_reader(max_chunksize=2),
    "dataset": lambda table, _: pa.dataset.dataset(table),
    "batch": lambda table, _: table.combine_chunks().to_batches()[0],
    "frame": lambda table, _: table.to_pandas(),
}


def read_any(path: Path) -> pa.Table:
    """A table, by pyarrow."""
    if path.suffix == ".parquet":
        return pq.read_table(path)
    try:
        return pa.ipc.open_file(path).read_all()
    except pa.ArrowInvalid:
        return pa.ipc.open_stream(path).read_all()


TRIANGLE = [1.0, 1.0, 8.0, 1.0, 8.0, 8.0]
RLE = tfdp.to_rle([[TRIANGLE]], size=(10, 10))[0]
RUNS = [11, 1, 9, 2, 8, 3, 7, 4, 6, 5, 5, 6, 4, 7, 22]
RUN_MASK: dict[str, Any] = {"size": [10, 10], "counts": RUNS}

MASKS: dict[str, Any] = {
    "polygons": pa.array([[TRIANGLE]]),
    "polygons of float32": pa.array([[TRIANGLE]], pa.list_(pa.list_(pa.float32()))),
    "polygons of whole numbers": pa.array([[list(map(int, TRIANGLE))]]),
    "large lists": pa.array([[TRIANGLE]], pa.large_list(pa.large_list(pa.float64()))),
    "lists of a fixed size": pa.array([[TRIANGLE]], pa.list_(pa.list_(pa.float64(), 6), 1)),
    "struct": pa.array([RLE]),
    "struct of bytes": pa.array([{**RLE, "counts": RLE["counts"].encode()}]),
    "struct without a size": pa.array([{"counts": RLE["counts"]}]),
    "struct of run lengths": pa.array([RUN_MASK]),
    "run lengths without a size": pa.array([{"counts": RUNS}]),
    "counts": pa.array([RLE["counts"]]),
    "bytes": pa.array([RLE["counts"].encode()]),
    "large text": pa.array([RLE["counts"]], pa.large_string()),
    "dictionary": pa.array([RLE["counts"]]).dictionary_encode(),
    "bytes of a fixed size": pa.array([RLE["counts"].encode()], pa.binary(len(RLE["counts"]))),
    "JSON of an RLE": pa.array([json.dumps(RLE)]),
    "JSON of polygons": pa.array([f" {json.dumps([TRIANGLE])} "]),
    "JSON of run lengths": pa.array([json.dumps(RUN_MASK)]),
}
if hasattr(pa, "string_view"):
    MASKS["text view"] = pa.array([RLE["counts"]], pa.string_view())
if hasattr(pa, "list_view"):
    MASKS["list view"] = pa.array([[TRIANGLE]], pa.list_view(pa.list_view(pa.float64())))
"""Columns of one mask: the triangle in an image of 10 x 10."""

NOTHING: dict[str, Any] = {
    "null": pa.array([None], pa.string()),
    "nothing but null": pa.array([None], pa.null()),
    "null polygons": pa.array([None], pa.list_(pa.list_(pa.float64()))),
    "no polygon": pa.array([[]], pa.list_(pa.list_(pa.float64()))),
    "no polygon at all": pa.array([[]], pa.list_(pa.null())),
    "null struct": pa.array([None], MASKS["struct"].type),
    "struct of nulls": pa.array([{"size": None, "counts": None}], MASKS["struct"].type),
    "JSON null": pa.array(["null"]),
    "JSON of nothing": pa.array(["[]"]),
}
"""Columns of one mask without a pixel."""
