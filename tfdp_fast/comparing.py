"""How two score files, or subsets, differ."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._numbers import is_number
from tfdp_fast._sides import Half, Kind, MatchedBy, match, side_of
from tfdp_fast.errors import OptionError
from tfdp_fast.scores import Scores
from tfdp_fast.selection import Subset, check_share, select
from tfdp_fast.tables import Ids

__all__ = ["Comparison", "Overlap", "Place", "compare", "spearman"]

RATES = (Fraction(1, 5), Fraction(3, 10), Fraction(2, 5), Fraction(1, 2))
"""The pruning rates of the paper's tables."""


@dataclass(frozen=True)
class Overlap:
    """How much two sets of images have in common.

    Attributes
    ----------
    rate : float or None
        The pruning rate that they are of; None if a number was given, or a subset.
    k : int
        How many images there are; of the larger set, if one has fewer.
    both : int
        How many are in both.
    share : float
        ``both / k``.
    jaccard : float
        `both`, divided by the number of images in either.
    """

    rate: float | None
    k: int
    both: int
    share: float
    jaccard: float


@dataclass(frozen=True)
class Place:
    """Where an image is in two rankings.

    Attributes
    ----------
    id : int or str
        Its id; in A, if it is there.
    file_name : str or None
        Its file name.
    rank_a, rank_b : int or None
        Its ranks, 1 being the best; None where it has none.
    score_a, score_b : float or None
        Its scores.
    """

    id: int | str
    file_name: str | None
    rank_a: int | None
    rank_b: int | None
    score_a: float | None
    score_b: float | None


@dataclass(frozen=True, eq=False)
class Comparison:
    """What `compare` has found.

    Attributes
    ----------
    a, b : str
        What was compared.
    kind_a, kind_b : {"scores", "subset"}
        What they are.
    same : bool
        Of two score files: the same images with the same scores. Of two subsets: the same images. Of scores
        and a subset: the best images are those of the subset.
    matched_by : {"id", "file name", "stem"}
        What tells that two images are the same.
    images_a, images_b, images_both : int
        How many images there are. In scores, an image of score 0 is not counted: the authors' form leaves
        it out.
    unscored_a, unscored_b : int
        How many images of score 0 there are besides.
    only_a, only_b : int64 or text
        Ids of the images that only one has, in its order.
    spearman : float or None
        Two score files: Spearman's rank correlation over the images in both, ties averaged. None of fewer
        than two images, or if all scores of one file are equal.
    max_absolute, max_relative : float or None
        Two score files: the largest differences over the images in both; relative to the larger score.
    overlaps : list of Overlap
        Two score files: of the best k at 20, 30, 40 and 50 % pruned, and as asked for. Else of the best k
        and the subset, or of the two subsets.
    places : list of Place
        Two score files: the images in both whose rank differs most. Scores and a subset: the images that
        are either among the best k or in the subset, but not both, best first.
    """

    a: str
    b: str
    kind_a: Kind
    kind_b: Kind
    same: bool
    matched_by: MatchedBy
    images_a: int
    images_b: int
    images_both: int
    unscored_a: int
    unscored_b: int
    only_a: Ids
    only_b: Ids
    overlaps: list[Overlap]
    spearman: float | None = None
    max_absolute: float | None = None
    max_relative: float | None = None
    places: list[Place] = field(default_factory=list)


def compare(
    a: str | os.PathLike[str] | Scores | Subset,
    b: str | os.PathLike[str] | Scores | Subset,
    *,
    rate: float | Fraction | None = None,
    keep: float | Fraction | None = None,
    k: int | None = None,
    tolerance: float = 0.0,
    top: int = 10,
) -> Comparison:
    """Say how two score files, two subsets, or scores and a subset differ.

    Scores are ``.parquet``, ``.npz``, ``.csv``, or ``.json`` in the form of the paper's authors. A subset is
    a COCO or LVIS file, the ``.pruning.json`` beside a subset, or a list with an image id a line (and a
    file name after a tab). Ids that are whole numbers are compared as such. Where not a single id is on both
    sides, images are told by file names, or else by these without folders and suffix.

    Parameters
    ----------
    a, b : path, Scores or Subset
        What to compare.
    rate, keep, k
        One more number of images at which two score files are compared; see `select`.
    tolerance : float
        Relative difference up to which scores are the same. OpenCV rounds lengths to 32 bits, so that scores
        of the authors' code differ from exact ones by up to 1e-7.
    top : int
        How many images to list in `Comparison.places` at most.

    Returns
    -------
    Comparison

    Raises
    ------
    DataError
        If a file cannot be read, or is none of these.
    OptionError
        If an argument makes no sense.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import tfdp_fast as tfdp
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     a, b = Path(folder, "a.json"), Path(folder, "b.json")
    ...     _ = a.write_text('{"7": 0.5, "8": 0.25, "9": 0.125}')
    ...     _ = b.write_text('{"7": 0.5, "8": 0.125, "9": 0.25}')
    ...     found = tfdp.compare(a, b)
    >>> found.same, found.images_both, found.spearman
    (False, 3, 0.5)
    >>> [(overlap.k, overlap.share) for overlap in found.overlaps]
    [(2, 0.5), (2, 0.5), (2, 0.5), (2, 0.5)]
    """
    asked = None
    if any(option is not None for option in (rate, keep, k)):
        asked = check_share(rate=rate, keep=keep, k=k, of="scored")
    if not is_number(tolerance, int, float, np.floating) or not 0 <= tolerance < 1:
        raise OptionError(f"tolerance must be at least 0 and below 1, got {tolerance!r}")
    if not is_number(top, int, np.integer) or top < 0:
        raise OptionError(f"top must be a whole number of at least 0, got {top!r}")
    side_a, side_b = side_of(a), side_of(b)
    numbers_a, numbers_b, by = match(side_a, side_b)
    half_a, half_b = Half(side_a, numbers_a), Half(side_b, numbers_b)
    if side_a.scores is not None and side_b.scores is not None:
        found = _compare_scores(half_a, half_b, asked, tolerance, top)
    elif asked is not None:
        raise OptionError("a subset has its number of images: rate, keep and k are for two score files")
    elif side_a.scores is None and side_b.scores is None:
        found = _compare_subsets(half_a, half_b)
    else:
        found = _compare_scores_and_subset(half_a, half_b, top)
    return Comparison(
        a=side_a.name,
        b=side_b.name,
        kind_a=side_a.kind,
        kind_b=side_b.kind,
        matched_by=by,
        images_a=len(side_a),
        images_b=len(side_b),
        images_both=int(np.count_nonzero(np.isin(numbers_a, numbers_b))),
        unscored_a=side_a.unscored,
        unscored_b=side_b.unscored,
        only_a=side_a.ids[~np.isin(numbers_a, numbers_b)],
        only_b=side_b.ids[~np.isin(numbers_b, numbers_a)],
        **found,
    )


def _compare_scores(
    a: Half, b: Half, asked: Fraction | int | None, tolerance: float, top: int
) -> dict[str, Any]:
    assert a.side.scores is not None
    assert b.side.scores is not None
    numbers, in_a, in_b = np.intersect1d(a.numbers, b.numbers, assume_unique=True, return_indices=True)
    ours, theirs = a.side.scores[in_a], b.side.scores[in_b]
    difference = np.abs(ours - theirs)
    relative = difference / np.maximum(np.abs(ours), np.abs(theirs))
    ranks = np.array([(a.rank(number), b.rank(number)) for number in numbers.tolist()], np.int64)
    rank_a, rank_b = ranks.reshape(-1, 2).T
    moved = np.abs(rank_a - rank_b)
    most = np.lexsort([rank_a, -moved])[: min(top, int(np.count_nonzero(moved)))]
    return {
        "same": len(numbers) == len(a.numbers) == len(b.numbers) and bool((relative <= tolerance).all()),
        "overlaps": [
            _overlap(rate, a.best_first[:k], b.best_first[:k]) for rate, k in _numbers_to_keep(a, b, asked)
        ],
        "spearman": spearman(ours, theirs),
        "max_absolute": float(difference.max(initial=0)),
        "max_relative": float(relative.max(initial=0)),
        "places": [_place(a, b, number) for number in numbers[most].tolist()],
    }


def _numbers_to_keep(a: Half, b: Half, asked: Fraction | int | None) -> list[tuple[float | None, int]]:
    """Rates, and numbers of images at these: those of the side that comes from a preset, or else of A."""
    both = [side.whole for side in (a.side, b.side) if side.whole is not None]
    reference = next((scores for scores in both if scores.preset is not None), both[0])
    shares = [1 - rate for rate in RATES]
    if isinstance(asked, Fraction) and asked not in shares:
        shares.append(asked)
    found: list[tuple[float | None, int]] = [
        (float(1 - share), select(reference, keep=share).k) for share in shares
    ]
    if isinstance(asked, int):
        found.append((None, select(reference, k=asked).k))
    return [(rate, k) for rate, k in found if k]


def _compare_subsets(a: Half, b: Half) -> dict[str, Any]:
    overlap = _overlap(None, a.numbers, b.numbers)
    return {"same": overlap.jaccard == 1, "overlaps": [overlap]}


def _compare_scores_and_subset(a: Half, b: Half, top: int) -> dict[str, Any]:
    scores, subset = (a, b) if b.side.scores is None else (b, a)
    best = scores.best_first[: len(subset.numbers)]
    overlap = _overlap(None, best, subset.numbers)
    lacking, others = np.setdiff1d(best, subset.numbers), ~np.isin(subset.numbers, best)
    astray = [*lacking.tolist(), *subset.numbers[others].tolist()]
    astray.sort(key=lambda number: scores.rank(number) or math.inf)
    return {
        "same": overlap.jaccard == 1,
        "overlaps": [overlap],
        "places": [_place(a, b, number) for number in astray[:top]],
    }


def _place(a: Half, b: Half, number: int) -> Place:
    labels = [label for label in (a.label(number), b.label(number)) if label is not None]
    name = next((name for _, name in labels if name is not None), None)
    return Place(labels[0][0], name, a.rank(number), b.rank(number), a.score(number), b.score(number))


def _overlap(rate: float | None, a: NDArray[np.int64], b: NDArray[np.int64]) -> Overlap:
    both, k = int(np.count_nonzero(np.isin(a, b))), max(len(a), len(b))
    either = len(a) + len(b) - both
    return Overlap(rate, k, both, both / k if k else 1.0, both / either if either else 1.0)


def spearman(a: NDArray[np.float64], b: NDArray[np.float64]) -> float | None:
    """Spearman's rank correlation of two columns, float64 [n]; equal values share the mean of their ranks.

    None if n < 2, or if all values of a column are equal.

    Examples
    --------
    >>> spearman(np.array([1.0, 2.0, 2.0, 4.0]), np.array([10.0, 20.0, 30.0, 40.0]))
    0.9486832980505138
    """
    x, y = (ranks - ranks.mean() if len(ranks) else ranks for ranks in (_mean_ranks(a), _mean_ranks(b)))
    scale = math.sqrt(np.sum(x * x) * np.sum(y * y))
    return None if scale == 0 else max(-1.0, min(1.0, float(np.sum(x * y)) / scale))


def _mean_ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    _, group, sizes = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(sizes)
    return np.asarray((last - (sizes - 1) / 2)[group], np.float64)
