"""How large instances are: as a share of their image, and by COCO's three sizes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["BINS", "MEDIUM", "SMALL", "Areas", "areas_of"]

BINS = 20
"""Equal bins of the share of the image, as in Fig. 2 of the paper."""

SMALL, MEDIUM = 32**2, 96**2
"""Where COCO's small objects end, and its medium ones, in pixels."""


@dataclass(frozen=True, eq=False)
class Areas:
    """How large N instances are, in pixels of their masks: all parts, without holes.

    Attributes
    ----------
    edges : float64 [21]
        Bounds of the bins: 0, 5, ..., 100, in per cent of the image. A bin holds its lower bound, the last
        one its upper bound as well.
    counts : int64 [20]
        Instances in each bin; decided in whole numbers.
    percent : float64 [20]
        The same in per cent of the instances that are in a bin.
    unsized : int
        Instances in images without a pixel, which are in no bin.
    median : float or None
        Median of the share of the image, in per cent.
    small, medium, large : int
        Instances below 32² pixels, below 96², and of 96² or more; N together.
    at_small, at_medium : int
        Those of exactly 32² pixels, and of exactly 96². pycocotools includes both bounds of a range
        (``areaRng``), so it counts them twice: as small and medium, as medium and large.
    """

    edges: NDArray[np.float64]
    counts: NDArray[np.int64]
    percent: NDArray[np.float64]
    unsized: int
    median: float | None
    small: int
    medium: int
    large: int
    at_small: int
    at_medium: int


def areas_of(areas: NDArray[np.int64], sizes: NDArray[np.int32]) -> Areas:
    """How large instances are.

    Parameters
    ----------
    areas : int64 [N]
        Pixels of each mask.
    sizes : int32 [N, 2]
        Height and width of the image that each is in.

    Examples
    --------
    >>> sizes = np.array([[10, 10], [10, 10], [64, 64], [0, 0], [10, 10]])
    >>> found = areas_of(np.array([5, 99, 1024, 1, 100]), sizes)
    >>> np.flatnonzero(found.counts), found.percent[found.counts > 0], found.unsized
    (array([ 1,  5, 19]), array([25., 25., 50.]), 1)
    >>> found.small, found.medium, found.large, found.at_small
    (4, 1, 0, 1)
    """
    pixels = sizes.astype(np.int64).prod(axis=1)
    sized = pixels > 0
    part, whole = areas[sized], pixels[sized]
    counts = np.bincount(np.minimum(part * BINS // whole, BINS - 1), minlength=BINS)
    below = [int(np.count_nonzero(areas < bound)) for bound in (SMALL, MEDIUM)]
    return Areas(
        edges=np.linspace(0, 100, BINS + 1),
        counts=counts,
        percent=100 * counts / max(1, len(part)),
        unsized=len(areas) - len(part),
        median=float(np.median(100 * part / whole)) if len(part) else None,
        small=below[0],
        medium=below[1] - below[0],
        large=len(areas) - below[1],
        at_small=int(np.count_nonzero(areas == SMALL)),
        at_medium=int(np.count_nonzero(areas == MEDIUM)),
    )
