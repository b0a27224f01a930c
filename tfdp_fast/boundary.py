"""Boundary counts of masks, and what the paper derives from them: perimeter, area, SCS and SI-SCS."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BoundaryCounts"]


@dataclass(frozen=True, eq=False)
class BoundaryCounts:
    """Exact measures of the primary contours of N masks.

    The primary contour of a mask is the outer contour that encloses the largest area (Eq. 5). It runs through
    pixel centres, so a single pixel and a line one pixel wide enclose no area.

    Attributes
    ----------
    straight : int64 [N]
        Horizontal and vertical steps, in pixels.
    diagonal : int64 [N]
        Diagonal steps.
    area2 : int64 [N]
        Twice the enclosed area, in square pixels.

    Examples
    --------
    >>> import numpy as np
    >>> import tfdp_fast as tfdp
    >>> mask = np.zeros((20, 20), np.uint8)
    >>> mask[5:15, 5:15] = 1
    >>> counts = tfdp.measure(mask)
    >>> counts.straight, counts.diagonal, counts.area2
    (array([36]), array([0]), array([162]))
    >>> counts.si_scs()
    array([1.12837917])
    """

    straight: NDArray[np.int64]
    diagonal: NDArray[np.int64]
    area2: NDArray[np.int64]

    @classmethod
    def from_array(cls, counts: NDArray[np.int64]) -> BoundaryCounts:
        """From an array [N, 3] of straight, diagonal, area2."""
        straight, diagonal, area2 = np.ascontiguousarray(counts.T)
        return cls(straight, diagonal, area2)

    @classmethod
    def concatenate(cls, parts: Iterable[BoundaryCounts]) -> BoundaryCounts:
        """Join batches in the given order; no batch at all gives N = 0."""
        arrays = [part.to_array() for part in parts]
        return cls.from_array(np.concatenate(arrays) if arrays else np.empty((0, 3), np.int64))

    def to_array(self) -> NDArray[np.int64]:
        """As an array [N, 3] of straight, diagonal, area2."""
        return np.stack([self.straight, self.diagonal, self.area2], axis=1)

    def __len__(self) -> int:
        return len(self.straight)

    def __getitem__(self, index: slice | NDArray[np.integer | np.bool_]) -> BoundaryCounts:
        return BoundaryCounts(self.straight[index], self.diagonal[index], self.area2[index])

    def __iter__(self) -> Iterator[tuple[int, int, int]]:
        """Iterate over (straight, diagonal, area2) of each mask."""
        return zip(self.straight.tolist(), self.diagonal.tolist(), self.area2.tolist(), strict=True)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, BoundaryCounts):
            return NotImplemented
        return bool(
            np.array_equal(self.straight, other.straight)
            and np.array_equal(self.diagonal, other.diagonal)
            and np.array_equal(self.area2, other.area2)
        )

    __hash__ = None  # type: ignore[assignment]

    @property
    def perimeter(self) -> NDArray[np.float64]:
        """Perimeter P in pixels, float64 [N]: straight + √2 · diagonal (Eq. 6).

        OpenCV's ``arcLength`` rounds the length of each segment to float32 before it adds them up, and so
        differs by less than 6e-8, relatively.
        """
        return self.straight + math.sqrt(2) * self.diagonal

    @property
    def area(self) -> NDArray[np.float64]:
        """Enclosed area A in square pixels, float64 [N]; equal to OpenCV's ``contourArea`` (Eq. 7)."""
        return self.area2 / 2

    def scs(self) -> NDArray[np.float64]:
        """Shape complexity score P / A in 1/pixels, float64 [N] (Eq. 8); 0 where A = 0."""
        # Eq. 8
        return _ratio(self.perimeter, self.area)

    def si_scs(self) -> NDArray[np.float64]:
        """Scale-invariant shape complexity score, float64 [N] (Eq. 11); 0 where A = 0.

        The SCS divided by that of the circle of the same area: a circle scores 1, a square 2/√π ≈ 1.128. In
        geography it is known as Patton's shape index.
        """
        # Eq. 11: P / (2 √(π A)); Eq. 10 is the score of the circle
        return _ratio(self.perimeter, 2 * np.sqrt(math.pi * self.area))


def _ratio(numerator: NDArray[np.float64], denominator: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.divide(numerator, denominator, out=np.zeros_like(denominator), where=denominator > 0)
