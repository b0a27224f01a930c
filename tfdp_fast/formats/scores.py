"""Score files: everything as ``.parquet`` or ``.npz``, the images as ``.csv`` or the authors' ``.json``."""

from __future__ import annotations

import csv
import io
import json
import math
import os
import zipfile
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, TypeVar

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import atomic_output
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats._scores_common import (
    Unreadable,
    about_of,
    about_scores,
    ids_of_text,
    object_column,
    scores_about,
)
from tfdp_fast.formats._scores_parquet import read_parquet, write_parquet
from tfdp_fast.scoring import Scores
from tfdp_fast.tables import ClassTable, Ids, ImageTable, InstanceTable, Table

__all__ = ["SUFFIXES", "load_scores", "save_scores", "write_scores"]

CSV_COLUMNS = ("image_id", "file_name", "score", "annotations", "instances")
TableT = TypeVar("TableT", bound=Table)


def save_scores(scores: Scores, path: str | os.PathLike[str]) -> None:
    """Write a score file whose suffix says how, whole or not at all; see `Scores.save`."""
    suffix = suffix_of(path)
    with atomic_output(path) as file:
        _WRITERS[suffix](scores, file)


def write_scores(scores: Scores, file: BinaryIO, suffix: str) -> None:
    """Write scores to a binary file in the format of a suffix.

    Raises
    ------
    OptionError
        If there is no such format.
    MissingExtraError
        If it needs a package that is not installed.
    """
    _WRITERS[suffix_of(f"scores{suffix}")](scores, file)


def load_scores(path: str | os.PathLike[str]) -> Scores:
    """Read a score file; see `Scores.load`."""
    read = _READERS[suffix_of(path)]
    name = os.fspath(path)
    try:
        data = Path(path).read_bytes()
    except OSError as error:
        raise DataError(name, None, f"cannot be read: {error.strerror or error}") from error
    if not data:
        raise DataError(name, None, "is empty")
    try:
        return read(data)
    except Unreadable as error:
        raise DataError(name, None, str(error)) from error


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix of a score file, in lower case."""
    suffix = Path(path).suffix.lower()
    if suffix not in _WRITERS:
        raise OptionError(f"{os.fspath(path)}: a score file ends in {', '.join(SUFFIXES)}")
    return suffix


# ---- .npz ----


def _write_npz(scores: Scores, file: BinaryIO) -> None:
    columns: dict[str, Any] = {"about": np.array(json.dumps(about_scores(scores)))}
    for name, table in (
        ("images", scores.images),
        ("instances", scores.instances),
        ("classes", scores.classes),
    ):
        if table is not None:
            columns |= {f"{name}.{key}": column for key, column in table.columns().items()}
    # Without pickles: text columns are text, and a mask says where there is none.
    columns["images.has_file_name"] = np.array(
        [name is not None for name in scores.images.file_name], np.bool_
    )
    columns["images.file_name"] = np.array([name or "" for name in scores.images.file_name], np.str_)
    if scores.classes is not None:
        columns["classes.name"] = np.array(scores.classes.name.tolist(), np.str_)
    np.savez(file, **columns)


def _read_npz(data: bytes) -> Scores:
    try:
        with np.load(io.BytesIO(data), allow_pickle=False) as archive:
            columns = {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        raise Unreadable(f"is no .npz file of scores: {error}") from error
    about = about_of(str(columns.get("about", "")))
    has_name = columns.get("images.has_file_name")
    if has_name is None:
        raise Unreadable('has no column "images.has_file_name"')
    columns["images.file_name"] = object_column(
        name if there else None
        for name, there in zip(
            columns.get("images.file_name", np.empty(0)).tolist(), has_name.tolist(), strict=False
        )
    )
    if "classes.name" in columns:
        columns["classes.name"] = object_column(columns["classes.name"].tolist())
    return scores_about(
        about,
        _table(ImageTable, columns, "images."),
        _table(InstanceTable, columns, "instances.") if "instances.id" in columns else None,
        _table(ClassTable, columns, "classes.") if "classes.id" in columns else None,
    )


def _table(table: type[TableT], columns: dict[str, Any], prefix: str) -> TableT:
    """A table from its columns, which must be there and equally long."""
    names = [field.name for field in fields(table)]
    missing = [name for name in names if prefix + name not in columns]
    if missing:
        raise Unreadable(f'has no column "{prefix}{missing[0]}"')
    found = {name: columns[prefix + name] for name in names}
    if len({column.shape for column in found.values()}) > 1 or found[names[0]].ndim != 1:
        raise Unreadable(f'the columns "{prefix}*" are not equally long')
    return table(**found)


# ---- .csv and .json ----


def _write_csv(scores: Scores, file: BinaryIO) -> None:
    images = scores.images
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    text.write(",".join(CSV_COLUMNS) + "\n")
    # All text is quoted: csv alone would leave a carriage return in a name as it is.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    columns = (images.id, images.file_name, images.score, images.annotations, images.instances)
    writer.writerows(zip(*(column.tolist() for column in columns), strict=True))
    text.detach()


def _read_csv(data: bytes) -> Scores:
    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(f"is no .csv file: {error}") from error
    if tuple(rows[0]) != CSV_COLUMNS:
        raise Unreadable(f"does not begin with {','.join(CSV_COLUMNS)}")
    for number, row in enumerate(rows[1:], 2):
        if len(row) != len(CSV_COLUMNS):
            raise Unreadable(f"row {number} has {len(row)} fields")
    ids, names, values, annotations, instances = zip(*rows[1:], strict=True) if len(rows) > 1 else ((),) * 5
    try:
        return _images_only(
            ids_of_text(ids),
            [name or None for name in names],
            [float(value) for value in values],
            np.array([int(number) for number in annotations], np.int64),
            np.array([int(number) for number in instances], np.int64),
        )
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"has a field that is no number: {error}") from error


def _write_json(scores: Scores, file: BinaryIO) -> None:
    images = scores.images
    positive = images.score > 0
    pairs = zip(images.id[positive].tolist(), images.score[positive].tolist(), strict=True)
    file.write(json.dumps({str(image_id): score for image_id, score in pairs}).encode())


def _read_json(data: bytes) -> Scores:
    def pairs_once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) < len(pairs):
            raise Unreadable("has an image id twice")
        return found

    try:
        found = json.loads(data.decode("utf-8-sig"), object_pairs_hook=pairs_once)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"is not JSON: {error}") from error
    if not isinstance(found, dict):
        raise Unreadable('is not of the form {"<image id>": score}')
    for image_id, value in found.items():
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise Unreadable(f"the score of image {image_id} is no number")
    unknown = np.full(len(found), -1, np.int64)
    return _images_only(
        ids_of_text(found), [None] * len(found), list(found.values()), unknown, unknown.copy()
    )


def _images_only(
    ids: Ids,
    names: list[str | None],
    values: list[float],
    annotations: NDArray[np.int64],
    instances: NDArray[np.int64],
) -> Scores:
    if not all(map(math.isfinite, values)):
        raise Unreadable("has a score that is not finite")
    if len(np.unique(ids)) < len(ids):
        raise Unreadable("has an image id twice")
    images = ImageTable(ids, object_column(names), annotations, instances, np.array(values, np.float64))
    return Scores(images, None, None, None, None)


_WRITERS: dict[str, Callable[[Scores, BinaryIO], None]] = {
    ".parquet": write_parquet,
    ".npz": _write_npz,
    ".csv": _write_csv,
    ".json": _write_json,
}
_READERS: dict[str, Callable[[bytes], Scores]] = {
    ".parquet": read_parquet,
    ".npz": _read_npz,
    ".csv": _read_csv,
    ".json": _read_json,
}
SUFFIXES = tuple(_WRITERS)
