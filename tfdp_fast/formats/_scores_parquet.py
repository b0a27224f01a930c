"""Scores as Parquet: a row per image, its instances nested, the rest in the metadata.

The caller has made sure that pyarrow is installed.
"""

from __future__ import annotations

import json
from typing import Any, BinaryIO

import numpy as np

from tfdp_fast.formats._scores_common import (
    Unreadable,
    about_of,
    about_scores,
    id_column,
    object_column,
    scores_about,
)
from tfdp_fast.scores import Scores
from tfdp_fast.tables import ClassTable, Ids, ImageTable, InstanceTable

NESTED = ("id", "category_id", "straight", "diagonal", "area2", "shape", "score")
"""The columns of the instance table that are nested; the image is the row around them."""
DELTA, SPLIT = "DELTA_BINARY_PACKED", "BYTE_STREAM_SPLIT"


def write_parquet(scores: Scores, file: BinaryIO) -> None:
    """Write scores as Parquet."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    images = scores.images
    columns = {
        "image_id": pa.array(images.id.tolist() if images.id.dtype.kind == "U" else images.id),
        "file_name": pa.array(images.file_name.tolist(), pa.string()),
        "score": pa.array(images.score),
        "annotation_count": pa.array(images.annotations),
        "instance_count": pa.array(images.instances),
    }
    about = about_scores(scores)
    if scores.instances is not None:
        columns["instances"] = _nested_instances(pa, images.id, scores.instances)
    if scores.classes is not None:
        classes = {name: column.tolist() for name, column in scores.classes.columns().items()}
        # Decimal text would do as well; hexadecimal is exact at a glance.
        about["classes"] = classes | {"total": [total.hex() for total in classes["total"]]}
    table = pa.table(columns).replace_schema_metadata({"tfdp_fast": json.dumps(about)})
    element = "instances.list.element."
    encodings = {"image_id": DELTA} if images.id.dtype.kind == "i" else {}
    encodings["score"] = SPLIT
    if scores.instances is not None:
        encodings |= {element + "row": DELTA, element + "shape": SPLIT, element + "score": SPLIT}
        if scores.instances.id.dtype.kind == "i":
            encodings[element + "id"] = DELTA
    pq.write_table(
        table,
        file,
        compression="zstd",
        use_dictionary=["file_name", element + "category_id"],
        column_encoding=encodings,
        write_page_checksum=True,
    )


def _nested_instances(pa: Any, image_ids: Ids, instances: InstanceTable) -> Any:
    """A list of structs per image; ``row`` is the place in the instance table."""
    by_id = np.argsort(image_ids, kind="stable")
    image = (
        by_id[np.searchsorted(image_ids[by_id], instances.image_id)]
        if len(image_ids)
        else np.empty(0, np.int64)
    )
    rows = np.argsort(image, kind="stable")
    offsets = np.zeros(len(image_ids) + 1, np.int32)
    np.cumsum(np.bincount(image, minlength=len(image_ids)), out=offsets[1:])
    columns = [getattr(instances, name)[rows] for name in NESTED]
    arrays = [
        pa.array(column.tolist() if column.dtype.kind == "U" else column) for column in (*columns, rows)
    ]
    return pa.ListArray.from_arrays(pa.array(offsets), pa.StructArray.from_arrays(arrays, (*NESTED, "row")))


def read_parquet(data: bytes) -> Scores:
    """Read what `write_parquet` has written."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(pa.BufferReader(data), page_checksum_verification=True)
    except (pa.ArrowException, OSError) as error:
        raise Unreadable(f"is no .parquet file: {error}") from error
    about = about_of(((table.schema.metadata or {}).get(b"tfdp_fast") or b"").decode())
    try:
        return _scores_of(table, about)
    except (KeyError, TypeError, ValueError, pa.ArrowException) as error:
        raise Unreadable(f"is no .parquet file of scores: {error}") from error


def _scores_of(table: Any, about: dict[str, Any]) -> Scores:
    images = ImageTable(
        id=_ids_of(table["image_id"]),
        file_name=object_column(table["file_name"].to_pylist()),
        annotations=table["annotation_count"].to_numpy(),
        instances=table["instance_count"].to_numpy(),
        score=table["score"].to_numpy(),
    )
    instances = None
    if "instances" in table.column_names:
        nested = table["instances"].combine_chunks()
        image = np.repeat(np.arange(len(images)), np.diff(nested.offsets.to_numpy()))
        struct = nested.flatten()
        order = np.argsort(struct.field("row").to_numpy(), kind="stable")
        columns = {name: struct.field(name) for name in NESTED}
        instances = InstanceTable(
            image_id=images.id[image[order]],
            **{
                name: (_ids_of(column) if name in {"id", "category_id"} else column.to_numpy())[order]
                for name, column in columns.items()
            },
        )
    classes = None
    if "classes" in about:
        stored = about["classes"]
        classes = ClassTable(
            id=id_column(stored["id"]),
            name=object_column(stored["name"]),
            instances=np.array(stored["instances"], np.int64),
            total=np.array([float.fromhex(total) for total in stored["total"]], np.float64),
        )
    return scores_about(about, images, instances, classes)


def _ids_of(column: Any) -> Ids:
    if column.null_count and len(column) > column.null_count:
        raise Unreadable("has a record without an id")
    values: Ids = column.to_numpy(zero_copy_only=False) if hasattr(column, "offset") else column.to_numpy()
    return values if values.dtype == np.int64 else np.array(values.tolist(), np.str_)
