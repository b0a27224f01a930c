"""Which images to keep."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._numbers import is_number
from tfdp_fast.errors import OptionError
from tfdp_fast.presets import AppliedPreset, PresetName
from tfdp_fast.scores import Scores
from tfdp_fast.strategies import Order, Strategy, StrategyName, choose
from tfdp_fast.tables import Ids, ImageTable

__all__ = ["Of", "Subset", "check_share", "select"]

Of: TypeAlias = Literal["scored", "annotated", "all"]
"""The images that a rate refers to, and that can be selected.

``"scored"`` have at least one scored instance, ``"annotated"`` at least one annotation (a crowd region will
do), ``"all"`` are all of the data set.
"""


@dataclass(frozen=True, eq=False)
class Subset:
    """The images that are kept.

    Attributes
    ----------
    image_ids : int64 or text [k]
        In data-set order.
    ranking : int64 or text [k]
        The same, best first; in the order in which a strategy drew or took them, if it did; of images that
        were listed, in the order of the list.
    dropped_ids : int64 or text [I - k]
        All other images of the data set, in data-set order.
    keep : bool [I]
        The same by position in the data set.
    candidates : int
        N, the number of images that the rate refers to.
    of : str
        Which these are; the name of the preset, if the scores come from one.
    reckoning : str or None
        How a share came to the number of images, where it is not just a share of the candidates.
    strategy : Strategy or None
        How they were chosen, with all options; None if they were listed.
    """

    image_ids: Ids
    ranking: Ids
    dropped_ids: Ids
    keep: NDArray[np.bool_]
    candidates: int
    of: Of | PresetName
    reckoning: str | None = None
    strategy: Strategy | None = None

    def __len__(self) -> int:
        return len(self.image_ids)

    @property
    def k(self) -> int:
        """How many images are kept."""
        return len(self.image_ids)

    @property
    def rate(self) -> float:
        """The pruning rate: the share of the candidates that is dropped."""
        return 1 - self.k / self.candidates if self.candidates else 0.0

    @property
    def sha256(self) -> str:
        """SHA-256 in hex of the kept ids, ascending, joined with commas: equal for equal subsets."""
        return hash_of_ids(self.image_ids)


def hash_of_ids(ids: Ids) -> str:
    """SHA-256 in hex of ids, ascending, joined with commas."""
    text = ",".join(map(str, np.sort(ids).tolist()))
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


def select(
    scores: Scores,
    *,
    rate: float | Fraction | None = None,
    keep: float | Fraction | None = None,
    k: int | None = None,
    of: Of = "scored",
    strategy: StrategyName = "top",
    order: Order | None = None,
    seed: int | None = None,
    beta: float | None = None,
    strata: int | None = None,
) -> Subset:
    """Keep the images with the best scores, or those that another strategy chooses.

    Exactly one of `rate`, `keep` and `k` says how many. Shares are taken as the decimal numbers that they are
    written as, and the number of images to keep is rounded to the nearest whole one, halves up: ``rate=0.3``
    of 1,463 images keeps 1,024. Images of equal score are ranked in data-set order.

    If the scores come from a preset, a share refers to the images that it keeps, and only those of a positive
    score are ranked. For COCO, Cityscapes and VOC, at the rates that the authors report, their numbers of
    images are taken. A share never asks for more images than are ranked.

    Equal arguments give equal subsets, on every machine and in every version of NumPy. docs/selection.md has
    the strategies in full.

    Parameters
    ----------
    scores : Scores
        Of the data set.
    rate : float, optional
        The share of the N candidates to drop, 0 <= rate < 1.
    keep : float, optional
        The share to keep, 0 < keep <= 1.
    k : int, optional
        The number of images to keep, 1 <= k <= N.
    of : {"scored", "annotated", "all"}
        The candidates.
    strategy : {"top", "random", "ccs", "stratified-by-class"}
        The best; k at random; k from strata of equal width over the scores, as evenly as possible
        (coverage-centric coreset selection); or the best of each class, so that all classes keep about the
        same share of their instances. The last needs scores that hold instances.
    order : {"highest", "lowest"}, optional
        Which scores are the best: the highest by default, the lowest for AUM. Not for ``"random"``.
    seed : int, optional
        For ``"random"`` and ``"ccs"``; 0 by default.
    beta : float, optional
        For ``"ccs"``: the share of the images, those of the best scores, that is dropped first, because they
        are the hardest. By default 0.1 with ``order="lowest"``, as for AUM, else 0.
    strata : int, optional
        For ``"ccs"``: how many; 50 by default.

    Returns
    -------
    Subset

    Raises
    ------
    OptionError
        If none or several of `rate`, `keep` and `k` are given, or one is out of range; if an option is not
        one of the strategy's.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square, bar = [[0, 0, 9, 0, 9, 9, 0, 9]], [[0, 0, 9, 0, 9, 3, 0, 3]]
    >>> data = {
    ...     "images": [{"id": i, "height": 10, "width": 10} for i in (4, 2)],
    ...     "categories": [{"id": 1, "name": "shape"}],
    ...     "annotations": [
    ...         {"id": 1, "image_id": 4, "category_id": 1, "segmentation": square},
    ...         {"id": 2, "image_id": 2, "category_id": 1, "segmentation": bar},
    ...     ],
    ... }
    >>> subset = tfdp.select(tfdp.score(data), rate=0.5)
    >>> subset.image_ids, subset.dropped_ids
    (array([2]), array([4]))
    >>> tfdp.select(tfdp.score(data), rate=0.5, strategy="random", seed=1).image_ids
    array([4])
    """
    images, preset = scores.images, scores.preset
    name = None if preset is None else preset.name
    share = check_share(rate=rate, keep=keep, k=k, of=of, preset=name)
    how = Strategy(strategy, order, seed, beta, strata)
    positions = np.flatnonzero(_candidates(images, of) if preset is None else images.score > 0)
    n = len(positions) if preset is None else preset.images
    dropped = how.dropped_first(len(positions))
    count, reckoning = number_to_keep(share, len(positions), of, preset, dropped)
    chosen = choose(how, scores, positions, count)
    mask = np.zeros(len(images), np.bool_)
    mask[chosen] = True
    ids = images.id
    return Subset(ids[mask], ids[chosen], ids[~mask], mask, n, name or of, reckoning, how)


def check_share(
    *,
    rate: float | Fraction | None,
    keep: float | Fraction | None,
    k: int | None,
    of: str,
    preset: PresetName | None = None,
) -> Fraction | int:
    """Check the options of `select` before anything is read: the exact share, or the number, to keep."""
    if of not in get_args(Of):
        raise OptionError(f"of must be 'scored', 'annotated' or 'all', got {of!r}")
    if preset is not None and of != "scored":
        raise OptionError(f"the preset {preset!r} says which images there are to select: of={of!r} is not it")
    if sum(option is not None for option in (rate, keep, k)) != 1:
        raise OptionError("say how many images to keep: one of rate, keep and k")
    if k is not None:
        if not is_number(k, int, np.integer) or k < 1:
            raise OptionError(f"k must be a whole number of at least 1, got {k!r}")
        return int(k)
    if rate is not None:
        dropped = _exact("rate", rate)
        if not 0 <= dropped < 1:
            raise OptionError(f"rate is the share to drop, 0 <= rate < 1, got {float(dropped):g}")
        return 1 - dropped
    kept = _exact("keep", keep)
    if not 0 < kept <= 1:
        raise OptionError(f"keep is the share to keep, 0 < keep <= 1 (k is a number), got {float(kept):g}")
    return kept


def number_to_keep(
    share: Fraction | int, ranked: int, of: str, preset: AppliedPreset | None, dropped: int = 0
) -> tuple[int, str | None]:
    """How many of the images that are ranked, of which some are dropped first; why, if that is no share."""
    left = ranked - dropped
    if isinstance(share, int):
        if share > left:
            what = of if preset is None else "of a positive score"
            less = f", of which beta drops {dropped}" if dropped else ""
            raise OptionError(f"{share} images cannot be kept: {ranked} are {what}{less}")
        return share, None
    if preset is None:
        k, reckoning = math.floor(ranked * share + Fraction(1, 2)), None
    else:
        k, reckoning = preset.number_to_keep(share)
    if k <= left:
        return k, reckoning
    why = "" if reckoning is None else f" ({reckoning})"
    if dropped:
        return left, f"all that are left once beta has dropped {dropped:,}, as {k:,} are not there{why}"
    return left, f"all of a positive score, as {k:,} are not there{why}"


def _exact(name: str, value: Any) -> Fraction:
    """The exact decimal number that a float is written as: 0.7 is 7/10."""
    if isinstance(value, Fraction):
        return value
    if not is_number(value, int, float, np.integer, np.floating) or not math.isfinite(value):
        raise OptionError(f"{name} must be a finite number, got {value!r}")
    return Fraction(repr(float(value)))


def _candidates(images: ImageTable, of: Of) -> NDArray[np.bool_]:
    if of == "all":
        return np.ones(len(images), np.bool_)
    # Where a score file does not say how many there are (-1), an image that has a score has an instance.
    number = images.instances if of == "scored" else images.annotations
    return np.not_equal(number, 0)
