"""What pruning does to the classes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.scores import Scores
from tfdp_fast.selection import select

__all__ = ["SHARES", "Balance", "ClassMembers", "Pruning", "balance_of"]

SHARES = tuple(Fraction(tenths, 10) for tenths in range(8, 0, -1))
"""Shares of images to keep at the paper's pruning rates, 20 % to 90 %."""


@dataclass(frozen=True, eq=False)
class ClassMembers:
    """The N instances, and which of C classes are in which images.

    Attributes
    ----------
    image, category : int64 [N]
        Positions of each instance's image and class.
    pair_image, pair_category : int64 [M]
        The same of each class that an image has, once.
    classes : int
        C.
    """

    image: NDArray[np.int64]
    category: NDArray[np.int64]
    pair_image: NDArray[np.int64]
    pair_category: NDArray[np.int64]
    classes: int

    @classmethod
    def of(cls, image: NDArray[np.int64], category: NDArray[np.int64], classes: int) -> ClassMembers:
        """From the image and the class of each instance."""
        pairs = np.unique(image * max(1, classes) + category)
        return cls(image, category, *np.divmod(pairs, max(1, classes)), classes)

    def instances(self, keep: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Instances of each class, int64 [C]; in the images with ``keep``, bool [I]."""
        return self._count(self.image, self.category, keep)

    def images(self, keep: NDArray[np.bool_] | None = None) -> NDArray[np.int64]:
        """Images that have an instance of each class, int64 [C]; among those with ``keep``, bool [I]."""
        return self._count(self.pair_image, self.pair_category, keep)

    def _count(
        self, image: NDArray[np.int64], category: NDArray[np.int64], keep: NDArray[np.bool_] | None
    ) -> NDArray[np.int64]:
        return np.bincount(category if keep is None else category[keep[image]], minlength=self.classes)


@dataclass(frozen=True, eq=False)
class Pruning:
    """The classes after pruning.

    Attributes
    ----------
    rate : float
        The share of the candidates that was to be dropped; if a number to keep was given, what it comes to.
    images : int
        k, the number of images kept.
    random : float
        The share of the candidates that is kept: what a random choice of as many images keeps of each class,
        on average.
    instances : int
        How many instances are kept.
    class_instances, class_images : int64 [C]
        Instances of each class that are kept, and images that are kept with one of them.
    kept : float64 [C]
        The share of its instances that each class keeps; NaN for a class that had none.
    vanished : int64 [v]
        Positions of the classes that had instances, and have none left.
    evenness : float or None
        As in `Balance`, after pruning.
    ratio : float or None
        As in `Balance`; None if a class has vanished.
    """

    rate: float
    images: int
    random: float
    instances: int
    class_instances: NDArray[np.int64]
    class_images: NDArray[np.int64]
    kept: NDArray[np.float64]
    vanished: NDArray[np.int64]
    evenness: float | None
    ratio: float | None


@dataclass(frozen=True, eq=False)
class Balance:
    """How evenly instances are spread over the classes, before and after pruning.

    Attributes
    ----------
    classes : int
        How many classes have an instance. The figures below are over these, after pruning as well.
    evenness : float or None
        Entropy of the distribution of instances over classes, divided by its maximum ln(classes): 1 if all
        classes have as many instances, 0 if one has all. None if there are fewer than two classes.
    ratio : float or None
        Instances of the largest class, divided by those of the smallest; None without a class.
    prunings : list of Pruning
        One for each rate.
    """

    classes: int
    evenness: float | None
    ratio: float | None
    prunings: list[Pruning]


def balance_of(scores: Scores, members: ClassMembers, shares: Sequence[Fraction | int]) -> Balance:
    """What pruning by scores does to the classes.

    Parameters
    ----------
    scores : Scores
        Of all images.
    members : ClassMembers
        Of the same data set.
    shares : sequence of Fraction or int
        Shares, or numbers, of images to KEEP, as `select` takes them.
    """
    before = members.instances()
    present = before > 0
    prunings = []
    for share in shares:
        subset = select(scores, k=share) if isinstance(share, int) else select(scores, keep=share)
        after = members.instances(subset.keep)
        prunings.append(
            Pruning(
                rate=subset.rate if isinstance(share, int) else float(1 - share),
                images=subset.k,
                random=subset.k / subset.candidates if subset.candidates else 0.0,
                instances=int(after.sum()),
                class_instances=after,
                class_images=members.images(subset.keep),
                kept=np.divide(after, before, out=np.full(len(before), np.nan), where=present),
                vanished=np.flatnonzero(present & (after == 0)),
                evenness=_evenness(after[present]),
                ratio=_ratio(after[present]),
            )
        )
    return Balance(
        int(np.count_nonzero(present)), _evenness(before[present]), _ratio(before[present]), prunings
    )


def _evenness(instances: NDArray[np.int64]) -> float | None:
    n = int(instances.sum())
    if len(instances) < 2 or not n:
        return None
    entropy = math.fsum(-m / n * math.log(m / n) for m in instances.tolist() if m)
    return min(1.0, entropy / math.log(len(instances)))


def _ratio(instances: NDArray[np.int64]) -> float | None:
    return int(instances.max()) / int(instances.min()) if len(instances) and instances.min() else None
