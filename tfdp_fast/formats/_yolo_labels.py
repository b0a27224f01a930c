"""Label files of YOLO: a polygon a line, its class first, its points as shares of the image's sides."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import _core
from tfdp_fast.formats._yolo_images import BOM
from tfdp_fast.formats.dataset import Problem

_TOLERANCE = 0.01
"""How far Ultralytics lets the centre and the sides of a polygon's box leave 0..1."""


@dataclass(frozen=True, eq=False)
class Labels:
    """The lines of some label files that hold something, and the polygons that count.

    There are f files, r lines and p polygons; c coordinates altogether.

    Attributes
    ----------
    file_offsets : int64 [f + 1]
        Where the lines of each file begin, and how many there are.
    numbers : int64 [r]
        The numbers of the lines in their files, from 1.
    rows : int64 [p]
        Which of the lines the polygons are.
    classes : int64 [p]
        Their classes.
    coordinates : float64 [c]
        x0, y0, x1, ... of each, as shares of the image's sides.
    offsets : int64 [p + 1]
        Where the coordinates of each begin, and how many there are.
    ignored : int
        How many lines repeat another one of their file.
    problems : list of Problem
        What is wrong with the other lines.
    """

    file_offsets: NDArray[np.int64]
    numbers: NDArray[np.int64]
    rows: NDArray[np.int64]
    classes: NDArray[np.int64]
    coordinates: NDArray[np.float64]
    offsets: NDArray[np.int64]
    ignored: int = 0
    problems: list[Problem] = field(default_factory=list)


class LabelReader:
    """Reads label files.

    Parameters
    ----------
    classes : int
        How many there are.
    pose_words : int
        How many words a line with keypoints has, if the data set has such; else 0.
    """

    def __init__(self, classes: int, pose_words: int) -> None:
        self._classes = classes
        self._pose_words = pose_words

    def read(self, stored: Sequence[bytes], files: Sequence[str]) -> Labels:
        """Read what is stored in label files of these names.

        The core takes the lines that are plainly good. The others are decided here, one by one. A line that
        is in a file twice counts once, as it does for Ultralytics, which compares in float32.
        """
        texts = [text.removeprefix(BOM) for text in stored]
        file_offsets, numbers, spans, classes, offsets, coordinates = _core.read_label_lines(texts)
        words = np.diff(offsets) + 1
        plain = (classes >= 0) & (classes < self._classes) & (words != self._pose_words)
        keys = coordinates.astype(np.float32).tobytes()
        is_plain, ends, class_of = plain.tolist(), (4 * offsets).tolist(), classes.tolist()
        rows: list[int] = []
        others: dict[int, NDArray[np.float64]] = {}
        problems: list[Problem] = []
        ignored = 0
        for file, text in enumerate(texts):
            seen: set[tuple[int, bytes]] = set()
            for row in range(file_offsets[file], file_offsets[file + 1]):
                key = class_of[row], keys[ends[row] : ends[row + 1]]
                if not is_plain[row]:
                    begin, end = spans[row].tolist()
                    try:
                        class_of[row], polygon = self.polygon(text[begin:end].split())
                    except LineFaultError as fault:
                        problems.append(Problem(f"line {numbers[row]}", str(fault), row, files[file]))
                        continue
                    others[row] = polygon
                    key = class_of[row], polygon.astype(np.float32).tobytes()
                if key in seen:
                    ignored += 1
                    continue
                seen.add(key)
                rows.append(row)
        used = np.array(rows, np.int64)
        if others or len(rows) < len(numbers):
            coordinates, offsets = _gathered(coordinates, offsets, rows, others)
        return Labels(
            file_offsets,
            numbers,
            used,
            np.array(class_of, np.int64)[used],
            coordinates,
            offsets,
            ignored,
            problems,
        )

    def polygon(self, words: list[bytes]) -> tuple[int, NDArray[np.float64]]:
        """Class and coordinates [2 n] of the words of a line, still as shares.

        Raises
        ------
        LineFaultError
            If they are no polygon that can be used.
        """
        n = len(words) - 1
        if n == 4:
            raise LineFaultError("is a box, not a polygon")
        if len(words) == self._pose_words:
            raise LineFaultError("is a box with keypoints (kpt_shape), not a polygon")
        if n % 2:
            raise LineFaultError(f"has an odd number of coordinates: {n}")
        if n < 6:
            raise LineFaultError(f"has {n // 2} points, and a polygon at least 3")
        try:
            category, *numbers = map(float, words)
        except ValueError:
            bad = next(word for word in words if not _is_number(word))
            raise LineFaultError(f"not a number: {bad[:40].decode('utf-8', 'replace')!r}") from None
        if not category.is_integer():
            raise LineFaultError(f"its class is not a whole number: {category:g}")
        if not 0 <= category < self._classes:
            raise LineFaultError(f"there is no class {category:g}: they are 0 to {self._classes - 1}")
        coordinates = np.array(numbers)
        if not (min(numbers) >= 0 and max(numbers) <= 1):
            _check_box(coordinates.reshape(-1, 2))
        return int(category), coordinates


class LineFaultError(ValueError):
    """What is wrong with a line."""


def _gathered(
    coordinates: NDArray[np.float64],
    offsets: NDArray[np.int64],
    rows: list[int],
    others: dict[int, NDArray[np.float64]],
) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """Coordinates and offsets of these rows; of some they are elsewhere."""
    bounds = offsets.tolist()
    parts = [others[row] if row in others else coordinates[bounds[row] : bounds[row + 1]] for row in rows]
    lengths = [0, *map(len, parts)]
    return np.concatenate([np.empty(0), *parts]), np.cumsum(lengths, dtype=np.int64)


def _is_number(word: bytes) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _check_box(points: NDArray[np.float64]) -> None:
    """Refuse what Ultralytics refuses: it looks at the centre and the sides of the polygon's box."""
    lowest, highest = points.min(axis=0), points.max(axis=0)
    is_near = lowest.min() > -1 and highest.max() < 2  # false of NaN
    box = np.concatenate([(lowest + highest) / 2, highest - lowest]) if is_near else lowest
    if not is_near or box.min() < -_TOLERANCE or box.max() > 1 + _TOLERANCE:
        raise LineFaultError("lies outside of the image: coordinates are shares of its sides, from 0 to 1")
