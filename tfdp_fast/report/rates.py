"""What remains of a data set at every per cent of pruning."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.measuring import MeasuredDataset
from tfdp_fast.report.pictures import Ranking
from tfdp_fast.scores import Scores
from tfdp_fast.selection import number_to_keep

__all__ = ["RATES", "Remains", "remains"]

RATES = 100
"""Pruning rates are 0, 1, ... 99 per cent."""


@dataclass(frozen=True, eq=False)
class Remains:
    """What remains at each pruning rate, in per cent: exactly what `select` keeps.

    Attributes
    ----------
    candidates : int
        The number of images that rates refer to.
    ranking : int64 [R]
        Positions of the images that are ranked, best first. At each rate a prefix of them remains.
    images : int64 [100]
        How many images remain.
    by_class : int64 [100, C]
        How many scored instances of each class remain.
    """

    candidates: int
    ranking: NDArray[np.int64]
    images: NDArray[np.int64]
    by_class: NDArray[np.int64]

    @property
    def instances(self) -> NDArray[np.int64]:
        """[100]: how many scored instances remain."""
        return np.asarray(self.by_class.sum(axis=1))

    @property
    def classes(self) -> NDArray[np.int64]:
        """[100]: how many classes have an instance left."""
        return np.asarray(np.count_nonzero(self.by_class, axis=1))


def remains(measured: MeasuredDataset, scores: Scores) -> Remains:
    """Select at every per cent, and count the instances of each class."""
    dataset, scored = measured.dataset, measured.scored
    ranking = Ranking.of(scores).positions
    shares = [Fraction(RATES - per_cent, RATES) for per_cent in range(RATES)]
    images = np.array([number_to_keep(share, len(ranking), "scored", scores.preset)[0] for share in shares])
    rank = np.full(len(dataset.image_ids), len(ranking))
    rank[ranking] = np.arange(len(ranking))
    # An instance remains where more images do than are ranked before its own.
    needed = np.searchsorted(np.sort(images), rank[dataset.image_index[scored]], side="right")
    classes = len(dataset.category_ids)
    cells = needed * classes + dataset.category_index[scored]
    table = np.bincount(cells, minlength=(RATES + 1) * classes).reshape(RATES + 1, classes)
    by_class = np.empty((RATES, classes), np.int64)
    by_class[np.argsort(images, kind="stable")] = np.cumsum(table[:RATES], axis=0)
    candidates = len(ranking) if scores.preset is None else scores.preset.images
    return Remains(candidates, ranking, images, by_class)
