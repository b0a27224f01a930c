"""Score files: everything as ``.parquet`` or ``.npz``, the images as ``.csv`` or the authors' ``.json``."""

from __future__ import annotations

import importlib.util
import io
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import fields
from pathlib import Path
from typing import Any, BinaryIO, TypeVar, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import atomic_output
from tfdp_fast.errors import DataError, MissingExtraError, OptionError, OutputError, TfdpError
from tfdp_fast.formats._files import read_whole
from tfdp_fast.formats._scores_common import (
    Unreadable,
    about_of,
    about_scores,
    ids_of_text,
    images_only,
    object_column,
    scores_about,
)
from tfdp_fast.formats._scores_csv import read_csv, write_csv
from tfdp_fast.formats._scores_parquet import read_parquet, write_parquet
from tfdp_fast.masks import Polygons
from tfdp_fast.presets import PUBLISHED, AppliedPreset, PresetName
from tfdp_fast.scores import Scores, Variant
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable, Table

__all__ = ["SUFFIXES", "load_scores", "save_scores", "write_scores"]

TableT = TypeVar("TableT", bound=Table)


def save_scores(scores: Scores, destination: str | os.PathLike[str]) -> None:
    """Write a score file whose suffix, in either case, says how; whole or not at all.

    ``.parquet``
        A row per image, in data-set order: ``image_id`` (int64 or string), ``file_name`` (string, null where
        there is none), ``score`` (double), ``annotation_count`` and ``instance_count`` (int64, -1 if not
        known), and ``instances``, a list of structs: ``id``, ``category_id`` (int64 or string), ``straight``,
        ``diagonal``, ``area2`` (int64), ``shape``, ``score`` (double), and ``row`` (int64), the place in the
        instance table. The metadata holds the rest, as JSON under ``tfdp_fast``. Needs the extra ``parquet``.
    ``.npz``
        An array per column, ``images.id`` and so on, as the tables name them; ``images.has_file_name`` is
        False where there is none; ``about`` is the rest, as JSON. No pickles, not compressed.
    ``.csv``
        A row per image: ``image_id, file_name, score, annotations, instances``. A file name is empty where
        there is none; floats are the shortest that read back the same.
    ``.json``
        ``{"<image id>": score}``, positive scores only, in data-set order: the form of the paper's authors.
        If a score is negative, as AUM may be, all images that have an instance.

    Raises
    ------
    OptionError
        If the suffix is none of these.
    MissingExtraError
        If the format needs a package that is not installed.
    OutputError
        If the file cannot be written, or the format cannot hold a text.
    """
    suffix = suffix_of(destination)
    with atomic_output(destination) as file:
        write_scores(scores, file, suffix)


def write_scores(scores: Scores, file: BinaryIO, suffix: str) -> None:
    """Write scores to a binary file in the format of a suffix, ``".csv"`` for example; see `save_scores`."""
    suffix = _usable(suffix, repr(suffix))
    try:
        _WRITERS[suffix](scores, file)
    except UnicodeEncodeError as error:
        where = error.object[max(error.start - 20, 0) : error.end + 20]
        raise OutputError(f"{suffix} cannot hold a text that is no Unicode: {where!r}") from error


def load_scores(path: str | os.PathLike[str], column: str | None = None) -> Scores:
    """Read a score file; see `save_scores`.

    From ``.parquet`` and ``.npz`` everything comes back bit for bit. From ``.csv`` and ``.json`` come the
    images only; ids are int64 if all of them are whole numbers, else text. JSON has no file names (None) and
    no counts (-1).

    A ``.csv`` may come from elsewhere. Its ids are in the column ``image_id``, ``id``, ``image``,
    ``file_name``, ``filename`` or ``name``, the first of these that is there, in either case. Its scores are
    in the column that is named, in ``score``, or in the only other one. The rest is not looked at, and counts
    are not known.

    Raises
    ------
    OptionError
        If the suffix is none of the four, or a column is named for another than ``.csv``.
    MissingExtraError
        If the format needs a package that is not installed.
    DataError
        If the file cannot be read, or is not what its suffix says, in whichever way.
    """
    suffix, name = suffix_of(path), os.fspath(path)
    if column is not None and suffix != ".csv":
        raise OptionError(f"column names the scores of a .csv file, and {name} is none")
    data = read_whole(path)
    if not data:
        raise DataError(name, None, "is empty")
    try:
        scores = _READERS[suffix](data) if column is None else read_csv(data, column)
        _check(scores)
    except TfdpError:
        raise
    except Exception as error:  # over a damaged file, libraries raise whatever they like
        reason = str(error) if isinstance(error, Unreadable) else f"is no {suffix} file of scores: {error}"
        raise DataError(name, None, " ".join(reason.split())) from error
    return scores


def suffix_of(path: str | os.PathLike[str]) -> str:
    """The suffix of a score file, in lower case; an error if it, or the package for it, is not known here."""
    return _usable(Path(path).suffix, os.fspath(path))


def _usable(suffix: str, shown: str) -> str:
    suffix = suffix.lower()
    if suffix not in _WRITERS:
        raise OptionError(f"{shown}: a score file ends in {', '.join(SUFFIXES)}")
    if suffix == ".parquet" and not importlib.util.find_spec("pyarrow"):
        raise MissingExtraError("pyarrow", "parquet")
    return suffix


def _check(scores: Scores) -> None:
    """Raise Unreadable unless every column is of its type, and the scores are those of some data set."""
    tables = {"images": scores.images, "instances": scores.instances, "classes": scores.classes}
    for name, table in tables.items():
        columns = {} if table is None else table.columns()
        for column_name, column in columns.items():
            if column.shape != columns["id"].shape or column.ndim != 1:
                raise Unreadable(f'the columns "{name}.*" are not equally long')
            if not _is_of_type(column_name, column):
                raise Unreadable(f'the column "{name}.{column_name}" is of the wrong type: {column.dtype}')
            if column.dtype.kind == "f" and not np.isfinite(column).all():
                raise Unreadable(f'the column "{name}.{column_name}" has a value that is not finite')
    if len(np.unique(scores.images.id)) < len(scores.images):
        raise Unreadable("has an image id twice")
    if scores.instances is not None and not np.isin(scores.instances.image_id, scores.images.id).all():
        raise Unreadable("has an instance of an image that is not there")
    counts = (scores.crowd, scores.ignored, *(problem.row for problem in scores.problems))
    texts = [text for problem in scores.problems for text in (problem.record, problem.reason)]
    if (
        scores.variant not in {None, *get_args(Variant)}
        or scores.polygons not in {None, *get_args(Polygons)}
        or not all(type(count) is int for count in counts)
        or not all(isinstance(text, str) for text in texts)
        or not (scores.preset is None or _is_preset(scores.preset))
    ):
        raise Unreadable("is no file of scores of this package")


def _is_preset(preset: AppliedPreset) -> bool:
    counts = [preset.images]
    for by_reason in (preset.skipped, preset.dropped):
        if not isinstance(by_reason, dict):
            return False
        counts += by_reason.values()
    return (
        preset.name in get_args(PresetName)
        and preset.data_set in {None, *PUBLISHED}
        and all(type(count) is int and count >= 0 for count in counts)
    )


def _is_of_type(name: str, column: NDArray[Any]) -> bool:
    if name in {"id", "image_id", "category_id"}:
        return column.dtype == np.int64 or column.dtype.kind == "U"
    if name in {"file_name", "name"}:
        nothing = type(None) if name == "file_name" else str
        return column.dtype == np.object_ and all(
            isinstance(text, (str, nothing)) for text in column.tolist()
        )
    return bool(column.dtype == (np.float64 if name in {"score", "shape", "total"} else np.int64))


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
    columns["images.file_name"] = _text_column(name or "" for name in scores.images.file_name)
    if scores.classes is not None:
        columns["classes.name"] = _text_column(scores.classes.name)
    # In one piece: where a write fails, older NumPy leaves an archive that complains when it is freed.
    archive = io.BytesIO()
    np.savez(archive, **columns)
    file.write(archive.getbuffer())


def _text_column(values: Iterable[str]) -> NDArray[np.str_]:
    found = list(values)
    for text in found:
        if text.endswith("\0"):  # NumPy would drop it
            raise OutputError(f".npz cannot hold a text that ends in a null character: {text!r}")
    return np.array(found, np.str_)


def _read_npz(data: bytes) -> Scores:
    archive = np.load(io.BytesIO(data), allow_pickle=False)
    if not isinstance(archive, np.lib.npyio.NpzFile):
        raise Unreadable("is no .npz file of scores: it is a single array")
    with archive:
        columns = {name: archive[name] for name in archive.files}
    about = about_of(str(columns.get("about", "")))
    has_name = columns.get("images.has_file_name")
    if has_name is None:
        raise Unreadable('has no column "images.has_file_name"')
    names = columns.get("images.file_name", np.empty(0, np.str_)).tolist()
    columns["images.file_name"] = object_column(
        name if there else None for name, there in zip(names, has_name.tolist(), strict=True)
    )
    if "classes.name" in columns:
        columns["classes.name"] = object_column(columns["classes.name"].tolist())
    images = _table(ImageTable, columns, "images.")
    instances = _table(InstanceTable, columns, "instances.") if "instances.id" in columns else None
    classes = _table(ClassTable, columns, "classes.") if "classes.id" in columns else None
    return scores_about(about, images, instances, classes)


def _table(table: type[TableT], columns: dict[str, Any], prefix: str) -> TableT:
    """A table from its columns, which must be there."""
    names = [field.name for field in fields(table)]
    missing = [name for name in names if prefix + name not in columns]
    if missing:
        raise Unreadable(f'has no column "{prefix}{missing[0]}"')
    return table(**{name: columns[prefix + name] for name in names})


# ---- .json ----


def _write_json(scores: Scores, file: BinaryIO) -> None:
    images = scores.images
    held = images.score > 0
    if (images.score < 0).any():  # then 0 is a score like any other, where there is something to score
        held = (images.score != 0) | (images.instances > 0)
    pairs = zip(images.id[held].tolist(), images.score[held].tolist(), strict=True)
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
        if isinstance(value, (list, dict)):  # a data set, perhaps
            raise Unreadable(f'is not of the form {{"<image id>": score}}: {image_id!r} is none')
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            raise Unreadable(f"the score of image {image_id} is no number")
    try:
        values = np.array(list(found.values()), np.float64)
    except OverflowError:
        raise Unreadable("has a score that is not finite") from None
    unknown = np.full(len(found), -1, np.int64)
    return images_only(ids_of_text(found), [None] * len(found), values, unknown, unknown.copy())


_WRITERS: dict[str, Callable[[Scores, BinaryIO], None]] = {
    ".parquet": write_parquet,
    ".npz": _write_npz,
    ".csv": write_csv,
    ".json": _write_json,
}
_READERS: dict[str, Callable[[bytes], Scores]] = {
    ".parquet": read_parquet,
    ".npz": _read_npz,
    ".csv": read_csv,
    ".json": _read_json,
}
SUFFIXES = tuple(_WRITERS)
