"""Scores of single images against class totals that are known: what a data loader calls."""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import Masks, Size, fill_convention, measure_image
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.errors import OptionError
from tfdp_fast.masks import Polygons
from tfdp_fast.scores import Scores, Variant, class_balanced, scale_invariant
from tfdp_fast.scoring import check_options
from tfdp_fast.totals import ClassTotals

__all__ = ["InstanceScores", "Scorer"]

CategoryIds: TypeAlias = Iterable[int | str] | NDArray[Any]
Flags: TypeAlias = Iterable[int | bool] | NDArray[Any]

_SQRT_2 = math.sqrt(2)


@dataclass(frozen=True, eq=False)
class InstanceScores:
    """The instances of one image; the columns have the names that they have in `Scores.instances`.

    Attributes
    ----------
    counts : BoundaryCounts
        Of N masks.
    shape : float64 [N]
        SI-SCS (variants ``tfdp`` and ``si``), or SCS.
    score : float64 [N]
        What each instance adds to the image's score: CB-SCS for the variant ``tfdp``. 0 for crowd regions.
    """

    counts: BoundaryCounts
    shape: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.counts)

    @property
    def image_score(self) -> float:
        """The image's score S (Eq. 14), equal to that of `Scorer.image_score`."""
        return math.fsum(self.score.tolist())


class Scorer:
    """Scores images one by one, with class totals that do not change.

    A score has exactly the bits that `score` gives the same image of the data set that the totals are of. A
    scorer is small (a number per class), cannot be changed, can be pickled, and may be used from several
    threads at once.

    Parameters
    ----------
    totals : ClassTotals, path, Scores or None
        The class totals of the whole data set: themselves, a file that `ClassTotals.save` has written, or
        the scores of the data set by the same variant. Variants ``si`` and ``scs`` need none.
    variant : {"tfdp", "scs", "si", "cb"}
        The method (Eq. 13), or one of its ablations. ``tfdp`` needs totals of SI-SCS, ``cb`` of SCS.
    polygons : {"coco", "opencv"}
        How a polygon becomes a mask; as for the totals.

    Raises
    ------
    OptionError
        If the totals are not those that the variant needs.
    DataError
        If the file of totals cannot be read.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> totals = tfdp.ClassTotals()
    >>> totals.add([3, 3, 5, 3], tfdp.measure([square] * 4, size=(10, 10)))
    >>> scorer = tfdp.Scorer(totals)
    >>> scorer.image_score([square, square], [3, 5], size=(10, 10))
    1.3333333333333333
    >>> scorer.instances([square, square], [3, 5], size=(10, 10)).score
    array([0.33333333, 1.        ])
    """

    __slots__ = ("_polygons", "_totals", "_variant")

    def __init__(
        self,
        totals: ClassTotals | Scores | str | os.PathLike[str] | None,
        *,
        variant: Variant = "tfdp",
        polygons: Polygons = "coco",
    ) -> None:
        check_options(variant, polygons, "raise")
        self._variant: Variant = variant
        self._polygons: Polygons = polygons
        self._totals: dict[int | str, float] | None = None
        if class_balanced(variant):
            self._totals = _totals_for(totals, variant, polygons)

    @property
    def variant(self) -> Variant:
        """The method, or which of its ablations."""
        return self._variant

    @property
    def polygons(self) -> Polygons:
        """How a polygon becomes a mask."""
        return self._polygons

    @property
    def totals(self) -> Mapping[int | str, float]:
        """T_c by category id; empty for the variants that need none."""
        return MappingProxyType(self._totals or {})

    def __repr__(self) -> str:
        classes = "" if self._totals is None else f"{len(self._totals)} classes, "
        return f"Scorer({classes}variant={self._variant!r}, polygons={self._polygons!r})"

    def image_score(
        self, masks: Masks, category_ids: CategoryIds, size: Size | None, *, iscrowd: Flags | None = None
    ) -> float:
        """The score S of one image (Eq. 14): the exact sum over its instances, rounded once.

        Parameters
        ----------
        masks : sequence or array
            Its N masks, in any form that `measure` takes.
        category_ids : int or str [N]
            Their classes.
        size : (height, width) or None
            Of the image, in pixels. None if each mask states its own.
        iscrowd : bool or int [N], optional
            Which are crowd regions: they take no part, and their class needs no total.

        Returns
        -------
        float
            0.0 for an image without instances.

        Raises
        ------
        MaskError
            If a mask is malformed.
        OptionError
            If a class has no total, or an argument makes no sense.
        """
        counts = measure_image(masks, size, fill_convention(self._polygons)).tolist()
        weights = self._weights(category_ids, iscrowd, len(counts))
        # The same operations as in BoundaryCounts, on floats: for a few masks that takes a tenth of the time.
        scores = []
        for (straight, diagonal, area2), weight in zip(counts, weights, strict=True):
            if area2 and weight:
                perimeter, area = straight + _SQRT_2 * diagonal, area2 / 2
                circle = 2 * math.sqrt(math.pi * area) if self._variant in {"tfdp", "si"} else area
                scores.append(perimeter / circle / weight)
        return math.fsum(scores)

    def instances(
        self, masks: Masks, category_ids: CategoryIds, size: Size | None, *, iscrowd: Flags | None = None
    ) -> InstanceScores:
        """Measure and score each instance of one image.

        Parameters
        ----------
        masks, category_ids, size, iscrowd
            As in `image_score`.

        Returns
        -------
        InstanceScores
            Of all N masks, in their order.

        Raises
        ------
        MaskError, OptionError
            As in `image_score`.
        """
        counts = BoundaryCounts.from_array(measure_image(masks, size, fill_convention(self._polygons)))
        weights = np.array(self._weights(category_ids, iscrowd, len(counts)), np.float64)
        shape = counts.si_scs() if scale_invariant(self._variant) else counts.scs()
        # Eq. 13
        score = np.divide(shape, weights, out=np.zeros_like(shape), where=weights != 0)
        return InstanceScores(counts, shape, score)

    def _weights(self, category_ids: CategoryIds, iscrowd: Flags | None, n: int) -> list[float]:
        """What each shape score is divided by: T_c, or 1; 0 where the instance adds nothing."""
        ids = _as_list(category_ids, "category_ids")
        if len(ids) != n:
            raise OptionError(f"{n} masks need as many category ids, got {len(ids)}")
        crowd = None if iscrowd is None else _as_list(iscrowd, "iscrowd")
        if crowd is not None and len(crowd) != n:
            raise OptionError(f"{n} masks need as many values of iscrowd, got {len(crowd)}")
        totals = self._totals
        if totals is None:
            return [1.0] * n if crowd is None else [0.0 if flag else 1.0 for flag in crowd]
        try:
            if crowd is None:
                return [totals[category_id] for category_id in ids]
            return [0.0 if flag else totals[i] for i, flag in zip(ids, crowd, strict=True)]
        except KeyError as error:
            raise OptionError(f"category {error.args[0]!r} has no class total") from None
        except TypeError:  # not hashable
            raise OptionError("category ids are either whole numbers or text") from None


def _as_list(column: Any, name: str) -> list[Any]:
    """The values of a column as Python objects."""
    if type(column) is list:
        return column
    values = column.tolist() if hasattr(column, "tolist") else column
    if isinstance(values, (str, bytes)) or not isinstance(values, Iterable):
        raise OptionError(f"{name} must have a value for each mask, got {column!r}")
    return list(values)


def _totals_for(totals: object, variant: Variant, polygons: Polygons) -> dict[int | str, float]:
    """T_c by category id, if they are what the variant needs."""
    if isinstance(totals, (str, os.PathLike)):
        totals = ClassTotals.load(totals)
    if isinstance(totals, ClassTotals):
        needed = "si_scs" if scale_invariant(variant) else "scs"
        if totals.shape != needed:
            raise OptionError(f"variant {variant!r} needs totals of {needed}, got totals of {totals.shape}")
        return dict(zip(totals.category_ids, totals.totals.tolist(), strict=True))
    if isinstance(totals, Scores):
        if totals.classes is None:
            raise OptionError("these scores have no class totals: they come from a file of images only")
        if totals.variant is None or scale_invariant(totals.variant) != scale_invariant(variant):
            raise OptionError(f"variant {variant!r} cannot use the totals of scores by {totals.variant!r}")
        if totals.polygons != polygons:
            raise OptionError(f"polygons are {polygons!r}, but in the scores {totals.polygons!r}")
        return dict(zip(totals.classes.id.tolist(), totals.classes.total.tolist(), strict=True))
    raise OptionError(
        f"variant {variant!r} needs class totals: ClassTotals, a file of them, or Scores, got {totals!r}"
    )
