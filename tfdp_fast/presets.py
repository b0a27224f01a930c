"""Presets: what the paper's authors count, rank and keep.

``"official"`` is what their code does: its filters of annotations and images, polygons as OpenCV fills them,
images of a positive score only, and their numbers of images to keep.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.errors import OptionError

if TYPE_CHECKING:
    from tfdp_fast.formats.dataset import Dataset
    from tfdp_fast.masks import Polygons

__all__ = ["AppliedPreset", "PresetName", "apply_preset", "check_preset", "polygons_under"]

PresetName: TypeAlias = Literal["official"]

MIN_SIDE = 32
"""Images whose shorter side has fewer pixels are not kept."""

SKIPPED = {
    "unknown_image": "of an image that is not there",
    "outside": "with a box outside the image",
    "tiny": "with no area, or a box below one pixel",
    "unknown_category": "of a category that is not there",
}
"""Why annotations do not count, beside being marked ``ignore``; the first that applies."""

DROPPED = {
    "unpaired": "with different numbers of masks and objects",
    "unannotated": "without an annotation",
    "small": f"below {MIN_SIDE} pixels",
    "crowd_only": "with crowd regions only",
}
"""Why images are not kept; the first that applies."""

CITYSCAPES = frozenset({"person", "rider", "car", "truck", "bus", "train", "motorcycle", "bicycle"})
# fmt: off
VOC = frozenset({
    "aeroplane", "bicycle", "bird", "boat", "bottle", "bus", "car", "cat", "chair", "cow", "diningtable",
    "dog", "horse", "motorbike", "person", "pottedplant", "sheep", "sofa", "train", "tvmonitor",
})
# fmt: on


@dataclass(frozen=True)
class _Published:
    """The training set of a data set, and how many of its images the authors keep at 20 %, 30 %, ..."""

    images: int
    classes: int
    k: tuple[int, ...]


PUBLISHED = {
    "COCO": _Published(117_266, 80, (93_888, 82_103, 70_339, 58_660, 46_936, 35_183, 23_465, 11_743)),
    "Cityscapes": _Published(2_965, 8, (2_372, 2_073, 1_783, 1_483)),
    "VOC": _Published(1_463, 20, (1_170, 1_024, 878, 732)),
}


@dataclass(frozen=True)
class AppliedPreset:
    """What a preset has left of a data set.

    Attributes
    ----------
    name : str
        Which preset.
    images : int
        N, how many images it keeps. Rates refer to these.
    data_set : str or None
        ``"COCO"``, ``"Cityscapes"`` or ``"VOC"``, if N and the number of classes are those of its training
        set: then the authors' numbers of images are taken.
    skipped : dict of str to int
        How many annotations do not count, by reason; those marked ``ignore`` come on top.
    dropped : dict of str to int
        How many images are not kept, by reason.
    """

    name: PresetName
    images: int
    data_set: str | None
    skipped: Mapping[str, int]
    dropped: Mapping[str, int]

    def number_to_keep(self, share: Fraction) -> tuple[int, str]:
        """How many images to keep, 0 <= share <= 1, and where the number comes from.

        Examples
        --------
        >>> AppliedPreset("official", 2965, "Cityscapes", {}, {}).number_to_keep(Fraction("0.6"))
        (1783, "the authors' number for Cityscapes at 40 %")
        >>> AppliedPreset("official", 2965, "Cityscapes", {}, {}).number_to_keep(Fraction("0.9"))
        (2669, '90 % of the 2,965 images that the preset keeps')
        """
        tenths = 10 * (1 - share)
        if self.data_set is not None and tenths.denominator == 1:
            k = PUBLISHED[self.data_set].k
            if 0 <= (step := int(tenths) - 2) < len(k):
                return k[step], f"the authors' number for {self.data_set} at {_percent(1 - share)}"
        k_rounded = math.floor(self.images * share + Fraction(1, 2))
        return k_rounded, f"{_percent(share)} of the {self.images:,} images that the preset keeps"


def _percent(share: Fraction) -> str:
    return f"{float(100 * share):g} %"


def check_preset(preset: Any) -> None:
    """Raise OptionError if there is no such preset; None is no preset at all."""
    if preset is not None and preset not in get_args(PresetName):
        raise OptionError(f"preset must be 'official', got {preset!r}")


def polygons_under(preset: PresetName | None, polygons: Polygons | None) -> Polygons:
    """How polygons become masks: what the preset says, or else what was asked for, ``"coco"`` by default.

    Raises
    ------
    OptionError
        If the two contradict each other.
    """
    if preset is None:
        return "coco" if polygons is None else polygons
    if polygons == "coco":
        raise OptionError(f"the preset {preset!r} fills polygons as OpenCV does: polygons='coco' is not it")
    return "opencv" if polygons is None else polygons


def has_stated_boxes(category_names: list[str]) -> bool:
    """Whether boxes and areas that a file states are looked at.

    The authors' loader for VOC has no such filters, and the areas in their file are those of each mask's
    first contour: 641 of 3,504 are 0, and these instances count all the same.
    """
    return frozenset(category_names) != VOC


def outside(boxes: NDArray[np.float64], sizes: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Which boxes, float64 [n, 4] (x, y, w, h), have no area in common with their images, [n, 2] (h, w)."""
    x, y, w, h = boxes.T
    height, width = sizes.T
    inter_w = np.maximum(0, np.minimum(x + w, width) - np.maximum(x, 0))
    inter_h = np.maximum(0, np.minimum(y + h, height) - np.maximum(y, 0))
    return np.asarray(inter_w * inter_h == 0)


def tiny(boxes: NDArray[np.float64], areas: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Which annotations have no area, float64 [n], or a box, [n, 4], below one pixel."""
    return np.asarray((areas <= 0) | (boxes[:, 2] < 1) | (boxes[:, 3] < 1))


def apply_preset(dataset: Dataset, good: NDArray[np.bool_]) -> tuple[NDArray[np.bool_], AppliedPreset]:
    """Which images a data set's preset keeps.

    Parameters
    ----------
    dataset : Dataset
        Opened with a preset, and measured.
    good : bool [A]
        Which of its annotations have a mask that could be measured.

    Returns
    -------
    keep : bool [I]
        Which images are kept.
    applied : AppliedPreset
        How many that are, and what was left out.
    """
    name = dataset.options.preset
    assert name is not None
    n = len(dataset.image_ids)
    annotated = dataset.annotated
    if annotated is None:
        annotated = np.bincount(dataset.image_index, minlength=n) > 0
    large = dataset.image_sizes.min(axis=1, initial=2**31 - 1) >= MIN_SIDE
    keep = annotated & large
    dropped = dict(dataset.dropped)
    dropped["unannotated"] = n - int(np.count_nonzero(annotated))
    dropped["small"] = int(np.count_nonzero(annotated & ~large))
    if dataset.format == "cityscapes" or frozenset(dataset.category_names) == CITYSCAPES:
        with_instance = np.zeros(n, np.bool_)
        with_instance[dataset.image_index[good & ~dataset.crowd]] = True
        dropped["crowd_only"] = int(np.count_nonzero(keep & ~with_instance))
        keep &= with_instance
    kept = int(np.count_nonzero(keep))
    return keep, AppliedPreset(
        name,
        kept,
        _published(kept, len(dataset.category_ids)),
        {reason: number for reason, number in dataset.skipped.items() if number},
        {reason: number for reason, number in dropped.items() if number},
    )


def _published(images: int, classes: int) -> str | None:
    for name, published in PUBLISHED.items():
        if (published.images, published.classes) == (images, classes):
            return name
    return None
