"""Selection that keeps about the same share of the instances of every class."""

from __future__ import annotations

from heapq import heapify, heappop, heapreplace

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.errors import OptionError
from tfdp_fast.scores import Scores


def spread_over_classes(scores: Scores, best_first: NDArray[np.int64], k: int) -> NDArray[np.int64]:
    """Take k images, one by one, each for the classes that have kept least of their instances so far.

    Among the images of these classes that are not taken yet, it is the best one; every class that it has
    instances of has kept these. Images without an instance come last.

    Parameters
    ----------
    scores : Scores
        With instances.
    best_first : int64 [n]
        Positions of the candidates in the data set, best first.
    k : int
        How many to take, at most n.

    Returns
    -------
    int64 [k]
        Positions of those that are taken, in the order in which they were.

    Raises
    ------
    OptionError
        If the scores hold no instances.
    """
    pairs = _Pairs(scores, best_first)
    total, kept = pairs.instances, [0] * len(pairs.instances)
    order: list[int] = []
    taken = [False] * len(best_first)
    place = pairs.begin[:-1]  # in the list of a class, its best image that is not taken
    # What a class has kept only grows, and its best image only gets worse. So an entry that is out of date
    # stands too far in front, and is corrected when it is the first.
    queue = [(0.0, pairs.image[begin], c) for c, begin in enumerate(place)]
    heapify(queue)
    while queue and len(order) < k:
        first = queue[0]
        c = first[2]
        while place[c] < pairs.begin[c + 1] and taken[pairs.image[place[c]]]:
            place[c] += 1
        if place[c] == pairs.begin[c + 1]:
            heappop(queue)
            continue
        image = pairs.image[place[c]]
        if (now := (kept[c] / total[c], image, c)) > first:
            heapreplace(queue, now)
            continue
        taken[image] = True
        order.append(image)
        for other, number in pairs.classes_of(image):
            kept[other] += number
    if len(order) < k:
        order += np.flatnonzero(~np.array(taken))[: k - len(order)].tolist()
    return best_first[np.array(order, np.int64)]


class _Pairs:
    """Which images have how many instances of which class; images are numbered as they are ranked.

    Attributes
    ----------
    instances : list of int [C]
        Of each class.
    image : list of int
        The images of each class, best first, one class after the other.
    begin : list of int [C + 1]
        Where the images of each class begin.
    """

    def __init__(self, scores: Scores, best_first: NDArray[np.int64]) -> None:
        if scores.instances is None:
            raise OptionError(
                "strategy 'stratified-by-class' needs instances, and these scores are of images only: "
                ".parquet and .npz hold instances, .csv and .json do not"
            )
        rank = np.full(len(scores.images), -1, np.int64)
        rank[best_first] = np.arange(len(best_first))
        image = rank[_positions(scores.images.id, scores.instances.image_id)]
        ids, of_class = np.unique(scores.instances.category_id[image >= 0], return_inverse=True)
        image = image[image >= 0]
        pairs, numbers = np.unique(image * len(ids) + of_class, return_counts=True)
        image, of_class = np.divmod(pairs, max(len(ids), 1))
        self.instances = np.bincount(of_class, numbers, len(ids)).astype(np.int64).tolist()
        self.image = image[np.argsort(of_class, kind="stable")].tolist()
        self.begin = _offsets(of_class, len(ids))
        self._class, self._number = of_class.tolist(), numbers.tolist()
        self._of_image = _offsets(image, len(best_first))

    def classes_of(self, image: int) -> list[tuple[int, int]]:
        """Its classes, and how many instances it has of each."""
        found = slice(self._of_image[image], self._of_image[image + 1])
        return list(zip(self._class[found], self._number[found], strict=True))


def _positions(ids: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where ids are among others, all of which are there once."""
    order = np.argsort(ids, kind="stable")
    return order[np.searchsorted(ids, wanted, sorter=order)]


def _offsets(groups: NDArray[np.int64], n: int) -> list[int]:
    """Where each of n groups begins, once things are sorted by them, and where the last one ends."""
    offsets: list[int] = np.concatenate([[0], np.cumsum(np.bincount(groups, minlength=n))]).tolist()
    return offsets
