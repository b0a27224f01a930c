"""Where numbers go in a picture, so that none covers another."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Points = NDArray[np.float64]

_MARGIN = 1.0
"""Points that stay free around a label."""


@dataclass(frozen=True)
class Label:
    """A label that has found its place.

    Attributes
    ----------
    index : int
        Which of the labels.
    x, y : float
        Its centre.
    anchor : (float, float)
        A point of what it belongs to.
    outside : bool
        Whether it lies beside what it belongs to, so that a line to the anchor helps.
    """

    index: int
    x: float
    y: float
    anchor: tuple[float, float]
    outside: bool


class Layout:
    """Labels in a rectangle, placed one after the other.

    Parameters
    ----------
    width, height : float
        Of the rectangle, in points.
    far : bool
        Whether a label may go far from what it belongs to; it is left out if it has no room otherwise.
    """

    def __init__(self, width: float, height: float, *, far: bool) -> None:
        self._width, self._height, self._far = width, height, far
        self._taken = np.empty((0, 4))

    def place(self, index: int, size: tuple[float, float], contour: Points) -> Label | None:
        """Find a place for a label.

        Parameters
        ----------
        index : int
            Which label it is.
        size : (float, float)
            Its width and height.
        contour : float64 [n, 2]
            What it belongs to, closed; n > 0.

        Returns
        -------
        Label or None
            None if there is no room.
        """
        anchor = point_inside(contour)
        low, high = contour.min(axis=0), contour.max(axis=0)
        for x, y in self._candidates(anchor, low, high, size):
            box = np.array(
                [x - size[0] / 2, y - size[1] / 2, x + size[0] / 2, y + size[1] / 2]
            ) + _MARGIN * np.array([-1, -1, 1, 1])
            if self._is_free(box):
                self._taken = np.vstack([self._taken, box])
                outside = not (box[0] <= anchor[0] <= box[2] and box[1] <= anchor[1] <= box[3])
                return Label(index, x, y, anchor, outside)
        return None

    def _is_free(self, box: NDArray[np.float64]) -> bool:
        if box[0] < 0 or box[1] < 0 or box[2] > self._width or box[3] > self._height:
            return False
        left, top, right, bottom = self._taken.T
        return not np.any((box[0] < right) & (left < box[2]) & (box[1] < bottom) & (top < box[3]))

    def _candidates(
        self, anchor: tuple[float, float], low: Points, high: Points, size: tuple[float, float]
    ) -> Iterator[tuple[float, float]]:
        """The point inside, then around the bounding box, then ever farther away."""
        half_w, half_h = size[0] / 2 + 2 * _MARGIN, size[1] / 2 + 2 * _MARGIN
        (left, top), (right, bottom), (x, y) = low, high, anchor
        has_room = (right - left) * (bottom - top) >= 2.5 * size[0] * size[1]
        if has_room:  # else it would hide what it belongs to
            yield self._into(anchor, half_w, half_h)
        around = [
            (x, top - half_h),
            (x, bottom + half_h),
            (right + half_w, y),
            (left - half_w, y),
            *((side, end) for end in (top - half_h, bottom + half_h) for side in (left, right)),
        ]
        near = 2.5 * max(size)
        for place in around:
            # Beside a large thing it would not be seen what the label belongs to.
            if self._far or math.dist(place, anchor) <= near:
                yield place
        yield from self._rings(anchor, size[1], near)
        if not has_room:
            yield self._into(anchor, half_w, half_h)

    def _rings(self, anchor: tuple[float, float], step: float, near: float) -> Iterator[tuple[float, float]]:
        reach = math.hypot(self._width, self._height) if self._far else 0.6 * near
        radius = step
        while radius <= reach:
            directions = 8 + 4 * int(radius / step)
            for turn in range(directions):
                angle = 2 * math.pi * turn / directions - math.pi / 2
                yield anchor[0] + radius * math.cos(angle), anchor[1] + radius * math.sin(angle)
            radius += step / 2

    def _into(self, point: tuple[float, float], half_w: float, half_h: float) -> tuple[float, float]:
        """The nearest place at which a label lies in the rectangle."""
        x = min(max(point[0], half_w), max(self._width - half_w, half_w))
        return x, min(max(point[1], half_h), max(self._height - half_h, half_h))


def point_inside(contour: Points) -> tuple[float, float]:
    """A point well inside of a closed contour, float64 [n, 2], or on it if it encloses nothing.

    Of a grid over its bounding box, the point with the largest distance from the contour's edges.
    """
    from matplotlib.path import Path

    low, high = contour.min(axis=0), contour.max(axis=0)
    steps = (np.arange(15) + 0.5) / 15
    grid = np.stack(np.meshgrid(*(low + (high - low) * steps[:, None]).T, indexing="ij"), axis=-1).reshape(
        -1, 2
    )
    inside = grid[Path(contour).contains_points(grid)] if len(contour) > 2 else grid[:0]
    if not len(inside):
        x, y = contour[len(contour) // 2]
        return float(x), float(y)
    start, edge = contour, np.roll(contour, -1, axis=0) - contour
    length2 = np.maximum((edge**2).sum(axis=1), 1e-12)
    along = np.clip(((inside[:, None] - start) * edge).sum(axis=-1) / length2, 0, 1)
    distance = np.hypot(*np.moveaxis(inside[:, None] - (start + along[..., None] * edge), -1, 0)).min(axis=1)
    # In a wide thing many points are as good: the one nearest to the middle.
    off_centre = np.hypot(*(inside - (low + high) / 2).T)
    x, y = inside[np.argmax(distance - 0.15 * off_centre)]
    return float(x), float(y)
