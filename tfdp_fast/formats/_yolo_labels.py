"""Label files of YOLO: a polygon a line, its class first, its points as shares of the image's sides."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.formats._yolo_images import BOM

if TYPE_CHECKING:
    from tfdp_fast.formats._chunk_builder import ChunkBuilder

_TOLERANCE = 0.01
"""How far Ultralytics lets the centre and the sides of a polygon's box leave 0..1."""


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

    def add(self, builder: ChunkBuilder, stored: bytes, file: str, height: int, width: int) -> int:
        """Add the polygons of a label file to the image that was added last; how many lines hold something.

        A line that is there twice counts once, as it does for Ultralytics, which compares in float32.
        """
        sides = np.array([width, height], np.float64)
        seen: set[tuple[int, bytes]] = set()
        records = 0
        for number, line in enumerate(stored.removeprefix(BOM).splitlines(), 1):
            words = line.split()
            if not words:
                continue
            records += 1
            record = f"line {number}"
            try:
                category, points = self._polygon(words)
            except _FaultError as fault:
                builder.add_problem(record, str(fault), file=file)
                continue
            key = category, points.astype(np.float32).tobytes()
            if key in seen:
                builder.add_ignored()
                continue
            seen.add(key)
            builder.add_annotation([points * sides], category, record=record, file=file)
        return records

    def _polygon(self, words: list[bytes]) -> tuple[int, NDArray[np.float64]]:
        """Class and points [n, 2], still as shares."""
        n = len(words) - 1
        if n == 4:
            raise _FaultError("is a box, not a polygon")
        if len(words) == self._pose_words:
            raise _FaultError("is a box with keypoints (kpt_shape), not a polygon")
        if n % 2:
            raise _FaultError(f"has an odd number of coordinates: {n}")
        if n < 6:
            raise _FaultError(f"has {n // 2} points, and a polygon at least 3")
        try:
            category, *coordinates = map(float, words)
        except ValueError:
            bad = next(word for word in words if not _is_number(word))
            raise _FaultError(f"not a number: {bad[:40].decode('utf-8', 'replace')!r}") from None
        if not category.is_integer():
            raise _FaultError(f"its class is not a whole number: {category:g}")
        if not 0 <= category < self._classes:
            raise _FaultError(f"there is no class {category:g}: they are 0 to {self._classes - 1}")
        points = np.array(coordinates).reshape(-1, 2)
        if not (min(coordinates) >= 0 and max(coordinates) <= 1):
            _check_box(points)
        return int(category), points


class _FaultError(ValueError):
    """What is wrong with a line."""


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
        raise _FaultError("lies outside of the image: coordinates are shares of its sides, from 0 to 1")
