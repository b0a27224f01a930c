"""The two sides of a comparison: what is in a file, and which images of two of them are the same."""

from __future__ import annotations

import codecs
import os
import re
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal, TypeAlias

import msgspec
import numpy as np
from numpy.typing import NDArray

from tfdp_fast.errors import DataError
from tfdp_fast.formats._files import read_whole
from tfdp_fast.formats._gzip import MAGIC
from tfdp_fast.formats._scores_common import ids_of_text
from tfdp_fast.formats.coco import read_coco
from tfdp_fast.formats.scores import load_scores
from tfdp_fast.recording import load_record
from tfdp_fast.scores import Scores
from tfdp_fast.selection import Subset, hash_of_ids
from tfdp_fast.tables import Ids

MatchedBy: TypeAlias = Literal["id", "file name", "stem"]
"""What tells that two images are the same; a stem is a file name without its folders and its suffix."""

Kind: TypeAlias = Literal["scores", "subset"]

SCORE_SUFFIXES = {".parquet", ".npz", ".csv"}
_TOP_LEVEL = msgspec.json.Decoder(dict[str, msgspec.Raw])
_FIRST_VALUE = re.compile(rb'\s*\{\s*"(?:[^"\\]|\\.)*"\s*:\s*[\[{"]')
HEAD = 1 << 12


@dataclass(frozen=True, eq=False)
class Side:
    """Images, ranked or not.

    Attributes
    ----------
    name : str
        What it is called in messages.
    ids : int64 or text [n]
        Of its images, in its order. Of scores: those that are not 0.
    file_names : object [n]
        Their names, None where there is none.
    scores : float64 [n] or None
        Their scores; None of a subset.
    whole : Scores or None
        What they are from.
    unscored : int
        How many images have a score of 0.
    """

    name: str
    ids: Ids
    file_names: NDArray[np.object_]
    scores: NDArray[np.float64] | None = None
    whole: Scores | None = None
    unscored: int = 0

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def kind(self) -> Kind:
        """What it is."""
        return "subset" if self.scores is None else "scores"


def side_of(source: Any) -> Side:
    """What is in a file, or what an object is.

    Raises
    ------
    DataError
        If it cannot be read, or is none of what can be compared.
    """
    if isinstance(source, Scores):
        return _of_scores("<Scores>", source)
    if isinstance(source, Subset):
        return side_of_ids("<Subset>", source.image_ids, [None] * len(source))
    if not isinstance(source, (str, os.PathLike)):
        raise DataError(f"<{type(source).__name__}>", None, "is neither a path, Scores nor a Subset")
    path = Path(os.fsdecode(source))
    if path.suffix.lower() in SCORE_SUFFIXES:
        return _of_scores(str(path), load_scores(path))
    if path.suffix.lower() in {".json", ".gz"}:
        return _of_json(path)
    return _read_list(path)


def _of_scores(name: str, scores: Scores) -> Side:
    images = scores.images
    scored = images.score != 0
    return Side(
        name,
        images.id[scored],
        images.file_name[scored],
        images.score[scored],
        scores,
        len(images) - int(np.count_nonzero(scored)),
    )


def side_of_ids(name: str, ids: Ids, file_names: list[str | None]) -> Side:
    """Images that are listed; DataError if one is given twice."""
    _, first, times = np.unique(ids, return_index=True, return_counts=True)
    if (times > 1).any():
        twice = ids[first[times > 1].min()]
        raise DataError(name, f"image {twice}", "is given twice")
    names = np.empty(len(file_names), np.object_)
    names[:] = file_names
    return Side(name, ids, names)


def _of_json(path: Path) -> Side:
    keys = {"images", "annotations"} if _looks_like_coco(path) else _top_level(read_whole(path))
    if {"images", "annotations"} <= keys:
        dataset = read_coco(path, on_error="skip")
        return side_of_ids(str(path), dataset.image_ids, list(dataset.file_names))
    if {"outcome", "outputs"} <= keys:
        return kept_by_record(path)
    return _of_scores(str(path), load_scores(path))


def _looks_like_coco(path: Path) -> bool:
    """Whether a file is compressed, or its first value is no number; such a file may be large."""
    try:
        with path.open("rb") as file:
            head = file.read(HEAD)
    except (OSError, ValueError):  # whoever reads it will say so
        return False
    return head.startswith(MAGIC) or bool(_FIRST_VALUE.match(head.removeprefix(codecs.BOM_UTF8)))


def _top_level(text: bytes) -> set[str]:
    """The keys of a JSON object; none where it cannot be read."""
    try:
        return set(_TOP_LEVEL.decode(text.removeprefix(codecs.BOM_UTF8)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return set()


def kept_by_record(path: Path) -> Side:
    """What the record of a pruning says was kept, from the list beside it."""
    record = load_record(path)
    listed = record.outputs.get("keep")
    if listed is None:
        raise DataError(str(path), None, "names no list of the images that are kept")
    side = _read_list(Path(os.path.normpath(path.parent / listed)))
    if record.outcome.sha256 not in {hash_of_ids(side.ids), hash_of_ids(side.ids.astype(np.str_))}:
        raise DataError(side.name, None, f"is not the list that {path} was written with")
    return Side(str(path), side.ids, side.file_names)


def _read_list(path: Path) -> Side:
    """An image a line: its id, and a file name after a tab where there is one."""
    lines = read_whole(path).decode("utf-8-sig", "surrogateescape").split("\n")
    found = [line.rstrip("\r").split("\t", 1) for line in lines if line.strip()]
    if any("\0" in part for parts in found for part in parts):
        raise DataError(str(path), None, "is neither scores, a COCO data set, a record nor a list of images")
    names = [parts[1] if len(parts) > 1 and parts[1] else None for parts in found]
    return side_of_ids(str(path), ids_of_text(parts[0] for parts in found), names)


def match(a: Side, b: Side) -> tuple[NDArray[np.int64], NDArray[np.int64], MatchedBy]:
    """Number the images of both sides, so that the same image has the same number.

    Images are told by their ids; where not a single id is on both sides, by their file names, or else by the
    stems of these. A text id stands for a file name where there is none.

    Returns
    -------
    a, b : int64 [n]
        The numbers.
    by : str
        What they were told by.
    """
    by_id = _keys_of_ids(a), _keys_of_ids(b)
    if by_id[0].dtype.kind != by_id[1].dtype.kind:
        by_id = by_id[0].astype(np.str_), by_id[1].astype(np.str_)
    tries: list[tuple[MatchedBy, Ids | None, Ids | None]] = [
        ("id", *by_id),
        ("file name", _names(a, stems=False), _names(b, stems=False)),
        ("stem", _names(a, stems=True), _names(b, stems=True)),
    ]
    for by, ours, theirs in tries:
        if ours is not None and theirs is not None and np.isin(ours, theirs).any():
            return (*_numbered(ours, theirs), by)
    return (*_numbered(*by_id), "id")


def _numbered(a: Ids, b: Ids) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    _, numbers = np.unique(np.concatenate([a, b]), return_inverse=True)
    return numbers[: len(a)], numbers[len(a) :]


def _keys_of_ids(side: Side) -> Ids:
    """Whole numbers as such, though they be text."""
    return side.ids if side.ids.dtype.kind == "i" else ids_of_text(side.ids.tolist())


def _names(side: Side, *, stems: bool) -> Ids | None:
    """The names of all images, if each has one of its own."""
    names = side.file_names.tolist()
    if None in names:
        if _keys_of_ids(side).dtype.kind == "i":
            return None
        names = [i if name is None else name for i, name in zip(side.ids.tolist(), names, strict=True)]
    found = np.array([PurePosixPath(name).stem if stems else name for name in names], np.str_)
    return found if len(np.unique(found)) == len(found) else None


class Half:
    """A side of a comparison with its images numbered.

    Attributes
    ----------
    side : Side
        It.
    numbers : int64 [n]
        The numbers of its images.
    best_first : int64 [n]
        The same, best first; in its order, if it has no scores.
    """

    def __init__(self, side: Side, numbers: NDArray[np.int64]) -> None:
        self.side = side
        self.numbers = numbers
        order = np.arange(len(side)) if side.scores is None else np.argsort(-side.scores, kind="stable")
        self.best_first = numbers[order]
        self._labels = list(zip(side.ids.tolist(), side.file_names.tolist(), strict=True))
        self._position_of = dict(zip(numbers.tolist(), range(len(side)), strict=True))
        self._rank_of = dict(zip(self.best_first.tolist(), range(1, len(side) + 1), strict=True))

    def rank(self, number: int) -> int | None:
        """The rank of an image, from 1; None if it has none."""
        return None if self.side.scores is None else self._rank_of.get(number)

    def score(self, number: int) -> float | None:
        """The score of an image; None if it has none."""
        position = self._position_of.get(number)
        return None if position is None or self.side.scores is None else float(self.side.scores[position])

    def label(self, number: int) -> tuple[int | str, str | None] | None:
        """Id and file name; None if the image is not there."""
        position = self._position_of.get(number)
        return None if position is None else self._labels[position]
