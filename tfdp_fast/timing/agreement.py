"""Whether the authors' route and ours come to the same answers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.scores import Scores
from tfdp_fast.selection import Subset

TOLERANCE = 1e-6
"""Of image scores, relative: OpenCV rounds each segment of a contour to float32."""


@dataclass(frozen=True)
class Agreement:
    """How far two answers are from each other.

    Attributes
    ----------
    instances, images : int
        How many were compared.
    areas_differ : int
        Instances whose areas are not equal.
    perimeters : float
        The largest relative difference of the perimeters.
    scores : float
        The largest relative difference of the image scores.
    kept, kept_differ : int
        Images in the subset, and those that only one subset has. Not counted are images whose scores are
        within the tolerance of the last that is kept: rounding decides about them.
    """

    instances: int
    images: int
    areas_differ: int
    perimeters: float
    scores: float
    kept: int
    kept_differ: int

    @property
    def same(self) -> bool:
        """Equal areas, image scores within the tolerance, the same subset."""
        return not self.areas_differ and self.scores <= TOLERANCE and not self.kept_differ

    def in_words(self) -> str:
        """One sentence.

        Examples
        --------
        >>> Agreement(9, 4, 0, 1e-8, 2e-8, 3, 0).in_words()
        'areas of all 9 instances equal, scores of all 4 images to 2e-08, the same 3 images kept'
        """
        areas = "equal" if not self.areas_differ else f"DIFFERENT for {self.areas_differ:,}"
        subset = (
            f"the same {self.kept:,} images kept"
            if not self.kept_differ
            else f"{self.kept_differ:,} of {self.kept:,} images kept DIFFER"
        )
        return (
            f"areas of all {self.instances:,} instances {areas}, scores of all {self.images:,} images to "
            f"{self.scores:.0e}, {subset}"
        )


def compare_answers(scores: Scores, subset: Subset, answers: Path) -> Agreement:
    """Compare our answers with those that `opencv_route` has written; ValueError if of other data."""
    assert scores.instances is not None
    theirs = dict(np.load(answers))
    table, images = scores.instances, scores.images
    counts = BoundaryCounts(table.straight, table.diagonal, table.area2)
    scored = images.instances > 0
    if len(theirs["area"]) != len(table) or theirs["image_ids"].tolist() != images.id[scored].tolist():
        raise ValueError("the authors' route has other instances or images than ours")
    ours = images.score[scored]
    of_image = dict(zip(images.id[scored].tolist(), ours.tolist(), strict=True))
    last = of_image[subset.ranking[-1].item()] if len(subset) else 0.0
    differing = set(subset.image_ids.tolist()) ^ set(theirs["kept"].tolist())
    return Agreement(
        instances=len(table),
        images=int(np.count_nonzero(scored)),
        areas_differ=int(np.count_nonzero(counts.area != theirs["area"])),
        perimeters=_largest(counts.perimeter, theirs["perimeter"]),
        scores=_largest(ours, theirs["image_scores"]),
        kept=len(subset),
        kept_differ=sum(abs(of_image[image] - last) > TOLERANCE * abs(last) for image in differing),
    )


def _largest(ours: NDArray[np.float64], theirs: NDArray[Any]) -> float:
    """The largest relative difference; where one of the two is 0, so must the other be."""
    scale = np.maximum(np.abs(ours), np.abs(theirs))
    return float(np.max(np.abs(ours - theirs) / np.where(scale > 0, scale, 1), initial=0.0))
