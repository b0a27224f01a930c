"""Score files as ``.csv``: ours, and those of others, whose header says what is where."""

from __future__ import annotations

import codecs
import csv
import io
import math
from typing import BinaryIO

import numpy as np

from tfdp_fast.formats._scores_common import Unreadable, ids_of_text, images_only
from tfdp_fast.scores import Scores

COLUMNS = ("image_id", "file_name", "score", "annotations", "instances")
IDS = ("image_id", "id", "image", "file_name", "filename", "name")
"""What a column of image ids is called; the first of these that is there."""
FILE_NAMES = ("file_name", "filename", "image", "name")
"""What a column of file names is called, if it is not that of the ids."""


def write_csv(scores: Scores, file: BinaryIO) -> None:
    """Write a row for each image."""
    images = scores.images
    text = codecs.getwriter("utf-8")(file)
    text.write(",".join(COLUMNS) + "\n")
    # All text is quoted: csv alone would leave a carriage return in a name as it is.
    writer = csv.writer(text, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    columns = (images.id, images.file_name, images.score, images.annotations, images.instances)
    writer.writerows(zip(*(column.tolist() for column in columns), strict=True))


def read_csv(data: bytes, column: str | None = None) -> Scores:
    """Read what `write_csv` has written, or any table with a column of image ids and one of scores.

    Parameters
    ----------
    data : bytes
        All of the file, in UTF-8.
    column : str, optional
        The column of scores: by default ``score``, or the only one that can be meant.
    """
    try:
        lines = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise Unreadable(f"is no .csv file: {error}") from error
    header = [name.strip() for name in lines[0]] if lines else []
    place_of_id, place_of_name = _places_of_ids(header)
    place = _place_of_scores(header, column, {place_of_id, place_of_name})
    rows = [row for row in lines[1:] if row]
    for number, row in enumerate(lines[1:], 2):
        if row and len(row) != len(header):
            raise Unreadable(f"row {number} has {len(row)} fields, and the header {len(header)}")
        if row and not math.isfinite(_number(row[place], number)):
            raise Unreadable(f"row {number} has a score that is not finite: {row[place]!r}")
    try:
        unknown = np.full(len(rows), -1, np.int64)
        counts = [unknown, unknown.copy()]
        if tuple(header) == COLUMNS:
            counts = [np.array([int(row[i]) for row in rows], np.int64) for i in (3, 4)]
    except (ValueError, OverflowError) as error:
        raise Unreadable(f"has a field that is no number: {error}") from error
    return images_only(
        ids_of_text(row[place_of_id] for row in rows),
        [None if place_of_name is None else row[place_of_name] or None for row in rows],
        np.array([float(row[place]) for row in rows], np.float64),
        *counts,
    )


def _places_of_ids(header: list[str]) -> tuple[int, int | None]:
    """Where ids and file names are; None if there are no names."""
    if len(set(header) - {""}) < len([name for name in header if name]):
        raise Unreadable("has two columns of one name")
    lowered = [name.lower() for name in header]
    found = next((name for name in IDS if name in lowered), None)
    if found is None:
        raise Unreadable(f"has no column of image ids, which would be one of {', '.join(IDS)}")
    names = (name for name in FILE_NAMES if name in lowered and name != found)
    name = next(names, None)
    return lowered.index(found), None if name is None else lowered.index(name)


def _place_of_scores(header: list[str], column: str | None, taken: set[int | None]) -> int:
    """Where the scores are."""
    others = [name for place, name in enumerate(header) if name and place not in taken]
    if column is None and "score" in others:
        column = "score"
    elif column is None and len(others) == 1:
        column = others[0]
    if column in others:
        return header.index(column)
    if not others:
        raise Unreadable("has no column of scores")
    there = ", ".join(others)
    if column is None:
        raise Unreadable(f"does not say which column holds the scores: name one of {there}")
    raise Unreadable(f"has no column of scores {column!r}; there are {there}")


def _number(text: str, row: int) -> float:
    try:
        return float(text)
    except ValueError:
        raise Unreadable(f"row {row} has a score that is no number: {text!r}") from None
