"""What an explanation of an image's score holds, and how it is found out."""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.formats.dataset import Problem
from tfdp_fast.masks import Polygons
from tfdp_fast.measuring import MeasuredDataset
from tfdp_fast.report.pictures import Ranking, Role, roles_of
from tfdp_fast.scores import Scores, Variant
from tfdp_fast.selection import select

__all__ = ["ExplainedInstance", "Explanation", "explain_image"]

TENTHS = tuple(Fraction(tenths, 10) for tenths in range(1, 10))
"""The pruning rates of the paper's tables, and those up to 90 %."""


@dataclass(frozen=True)
class ExplainedInstance:
    """What an annotation adds to the score of its image.

    Attributes
    ----------
    number : int
        What it is called in the picture: from 1, the largest part of the image's score first, those that
        are not scored last.
    position : int
        Its position among all annotations of the data set.
    id : int or str
        The annotation's id.
    category_id : int or str
        The id of its class.
    category : str
        The name of its class.
    role : {"scored", "crowd", "left out", "set aside"}
        What it is to the scores; see `Role`. Of one that is not scored all that follows is None.
    straight, diagonal, area2 : int or None
        Boundary counts of the primary contour: steps, and twice the area in square pixels.
    perimeter, area : float or None
        P (Eq. 6) in pixels, A (Eq. 7) in square pixels; A = 0 of a degenerate instance.
    scs, si_scs : float or None
        SCS (Eq. 8) in 1/pixels, SI-SCS (Eq. 11); 0 of a degenerate instance.
    class_total : float or None
        T_c (Eq. 13), the sum over all instances of its class: of SI-SCS, or of SCS for the variants that are
        not scale-invariant.
    cb_scs : float or None
        SI-SCS / T_c (Eq. 13), or SCS / T_c likewise.
    score : float or None
        Its part in the image's score: one of these four, by variant.
    share : float or None
        ``score``, divided by the image's score; 0 if that is 0.
    rank : int or None
        Its rank by score among all instances of the data set, 1 being the best.
    """

    number: int
    position: int
    id: int | str
    category_id: int | str
    category: str
    role: Role
    straight: int | None = None
    diagonal: int | None = None
    area2: int | None = None
    perimeter: float | None = None
    area: float | None = None
    scs: float | None = None
    si_scs: float | None = None
    class_total: float | None = None
    cb_scs: float | None = None
    score: float | None = None
    share: float | None = None
    rank: int | None = None

    @property
    def degenerate(self) -> bool:
        """Does it enclose no area (a line, a single pixel, no pixel), so that it scores 0?"""
        return self.area2 == 0


@dataclass(frozen=True)
class Explanation:
    """Why an image has its score and its rank.

    Attributes
    ----------
    source : str
        The data set.
    image_id : int or str
        The image's id.
    file_name : str or None
        Its file name.
    height, width : int
        Its size in pixels, by the annotations.
    variant, polygons : str
        How it was scored.
    score : float
        The image's score S (Eq. 14): the sum of its instances' scores, to the last bit that of `score`.
    rank : int or None
        Its rank among those that are ranked, 1 being the best; None if it is not.
    ranked : int
        How many images are ranked.
    instances_ranked : int
        How many instances are scored in the whole data set.
    percentile : float or None
        The percentage of the ranked images that come after it.
    largest_rate : float or None
        The largest pruning rate at which it is kept.
    kept_at : dict of float to bool
        Whether it is kept at a pruning rate, for 10, 20, ..., 90 %.
    not_ranked : str or None
        Why it is not ranked.
    instances : list of ExplainedInstance
        All of its annotations that are not marked ``ignore``, by `ExplainedInstance.number`.
    not_shown : str or None
        Why a picture that was asked for has a blank canvas in place of the image, if it should be there.
    problems : list of Problem
        Annotations of the whole data set that were set aside.
    """

    source: str
    image_id: int | str
    file_name: str | None
    height: int
    width: int
    variant: Variant
    polygons: Polygons
    score: float
    rank: int | None
    ranked: int
    instances_ranked: int
    percentile: float | None
    largest_rate: float | None
    kept_at: dict[float, bool]
    not_ranked: str | None
    instances: list[ExplainedInstance]
    not_shown: str | None = None
    problems: list[Problem] = field(default_factory=list)


def explain_image(measured: MeasuredDataset, scores: Scores, position: int) -> Explanation:
    """Explain the score of the image at a position in `Dataset.image_ids`; see `explain`.

    Parameters
    ----------
    measured : MeasuredDataset
        The data set.
    scores : Scores
        By the variant that is to be explained, from `MeasuredDataset.scores`.
    position : int
        Which image.
    """
    assert scores.variant is not None
    assert scores.polygons is not None
    dataset, ranking = measured.dataset, Ranking.of(scores)
    rank = int(ranking.ranks[position]) or None
    height, width = dataset.image_sizes[position].tolist()
    name = scores.images.file_name[position]
    kept_at = {float(rate): rank is not None and rank <= _kept(scores, rate) for rate in TENTHS}
    return Explanation(
        source=dataset.source,
        image_id=dataset.image_ids[position].item(),
        file_name=None if name is None else str(name),
        height=height,
        width=width,
        variant=scores.variant,
        polygons=scores.polygons,
        score=float(scores.images.score[position]),
        rank=rank,
        ranked=len(ranking),
        instances_ranked=len(measured.counts),
        percentile=None if rank is None else 100 * (len(ranking) - rank) / len(ranking),
        largest_rate=None if rank is None else _largest_rate(scores, rank, len(ranking), kept_at),
        kept_at=kept_at,
        not_ranked=None if rank is not None else _why_not(measured, scores, position),
        instances=_instances(measured, scores, position),
        problems=measured.problems,
    )


def _kept(scores: Scores, rate: Fraction) -> int:
    return select(scores, rate=rate).k


def _largest_rate(scores: Scores, rank: int, ranked: int, kept_at: dict[float, bool]) -> float:
    """The largest rate that `select` rounds to at least so many images.

    Of N images round(N (1 - rate)) are kept, halves up: that is at least k if rate <= (N - k + 1/2) / N. The
    numbers of images that a preset has for some rates may be above that.
    """
    n = scores.preset.images if scores.preset is not None else ranked
    bound = Fraction(2 * (n - rank) + 1, 2 * n)
    rate = float(bound)
    while Fraction(repr(rate)) > bound:  # a float is taken as the decimal number that it is written as
        rate = float(np.nextafter(rate, 0.0))
    return max([rate, *(tenth for tenth, kept in kept_at.items() if kept)])


def _why_not(measured: MeasuredDataset, scores: Scores, position: int) -> str:
    dataset = measured.dataset
    own = np.flatnonzero(dataset.image_index == position)
    roles = set(roles_of(measured, own))
    if not len(own):
        return "it has no annotation that counts"
    if roles == {"crowd"}:
        return "it has crowd regions only"
    if scores.preset is not None and "left out" in roles:
        return f"the preset {scores.preset.name!r} leaves it out"
    if "scored" in roles:
        return "its score is 0, and the preset ranks positive scores only"
    return "none of its annotations could be used"


def _instances(measured: MeasuredDataset, scores: Scores, position: int) -> list[ExplainedInstance]:
    dataset, table, classes = measured.dataset, scores.instances, scores.classes
    assert table is not None
    assert classes is not None
    from tfdp_fast.kernels.sums import balance

    own = np.flatnonzero(dataset.image_index == position)
    is_scored = measured.scored[own]
    rows = np.searchsorted(measured.positions, own[is_scored])
    categories = dataset.category_index[own[is_scored]]
    counts = measured.counts[rows]
    columns: dict[str, NDArray[Any]] = {
        "straight": counts.straight,
        "diagonal": counts.diagonal,
        "area2": counts.area2,
        "perimeter": counts.perimeter,
        "area": counts.area,
        "scs": counts.scs(),
        "si_scs": counts.si_scs(),
        "class_total": classes.total[categories],
        "cb_scs": balance(table.shape[rows], categories, classes.total),  # Eq. 13
        "score": table.score[rows],
        "share": _shares(table.score[rows], float(scores.images.score[position])),
        "rank": _ranks(table.score, rows),
    }
    best_first = np.argsort(-table.score[rows], kind="stable")
    order = np.concatenate([own[is_scored][best_first], own[~is_scored]])
    roles = roles_of(measured, order)
    values = [
        dict(zip(columns, row, strict=True))
        for row in zip(*(column[best_first].tolist() for column in columns.values()), strict=True)
    ]
    values += [{} for _ in range(len(order) - len(values))]
    return [
        ExplainedInstance(
            number=number,
            position=annotation,
            id=dataset.annotation_ids[annotation].item(),
            category_id=dataset.category_ids[dataset.category_index[annotation]].item(),
            category=dataset.category_names[dataset.category_index[annotation]],
            role=role,
            **numbers,
        )
        for number, (annotation, role, numbers) in enumerate(
            zip(order.tolist(), roles, values, strict=True), 1
        )
    ]


def _shares(scores: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    return scores / total if total > 0 else np.zeros_like(scores)


def _ranks(scores: NDArray[np.float64], rows: NDArray[np.int64]) -> NDArray[np.int64]:
    """The ranks of some instances among all, best first, those of equal scores in data-set order."""
    ranks = [
        1 + np.count_nonzero(scores > scores[row]) + np.count_nonzero(scores[:row] == scores[row])
        for row in rows.tolist()
    ]
    return np.array(ranks, np.int64)
