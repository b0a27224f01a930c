"""The ablation of the paper: the four variants on one data set, and how far their subsets agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np

from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.comparing import spearman
from tfdp_fast.errors import OptionError
from tfdp_fast.formats.dataset import OnError, OnProgress
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.measuring import measure_dataset
from tfdp_fast.presets import PresetName
from tfdp_fast.scores import Scores, Variant
from tfdp_fast.scoring import SUMS, check_options
from tfdp_fast.selection import Of, Subset, check_share, select

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = ["RATES", "VARIANTS", "Ablation", "AblationStep", "ablation"]

VARIANTS: tuple[Variant, ...] = ("scs", "si", "cb", "tfdp")
"""Neither, scale invariance, class balance, both."""

RATES = tuple(Fraction(tenths, 10) for tenths in range(2, 10))
"""20 to 90 % pruned."""

Pair: TypeAlias = "tuple[Variant, Variant]"


@dataclass(frozen=True, eq=False)
class AblationStep:
    """The subsets at one pruning rate.

    Attributes
    ----------
    rate : float
        The share that was to be dropped.
    subsets : dict of str to Subset
        By variant; all keep the same number of images.
    """

    rate: float
    subsets: dict[Variant, Subset]

    @property
    def k(self) -> int:
        """How many images are kept."""
        return self.subsets["tfdp"].k

    @property
    def overlaps(self) -> dict[Pair, float]:
        """For each pair of variants, the share of the k images that both keep."""
        found: dict[Pair, float] = {}
        for a, b in combinations(VARIANTS, 2):
            both = int(np.count_nonzero(self.subsets[a].keep & self.subsets[b].keep))
            found[a, b] = both / self.k if self.k else 1.0
        return found


@dataclass(frozen=True, eq=False)
class Ablation:
    """What `ablation` has found.

    Attributes
    ----------
    source : str
        What was measured.
    scores : dict of str to Scores
        By variant.
    steps : list of AblationStep
        One for each pruning rate.
    """

    source: str
    scores: dict[Variant, Scores]
    steps: list[AblationStep]

    @property
    def spearman(self) -> dict[Pair, float | None]:
        """For each pair of variants, Spearman's rank correlation over the images with a scored instance.

        Equal scores share the mean of their ranks. None of fewer than two images, or if all scores are equal.
        """
        # Under a preset, the images that it leaves out have none.
        scored = self.scores["tfdp"].images.instances > 0
        values = {variant: self.scores[variant].images.score[scored] for variant in VARIANTS}
        return {(a, b): spearman(values[a], values[b]) for a, b in combinations(VARIANTS, 2)}


def ablation(
    source: Any,
    *,
    rates: Sequence[float | Fraction] = RATES,
    of: Of = "scored",
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> Ablation:
    """Measure a data set once, score it by all four variants, and select from each at several rates.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`.
    rates : sequence of float
        Shares of the images to drop: 0.2, 0.3, ..., 0.9.
    of : {"scored", "annotated", "all"}
        The images that a rate refers to; see `select`.
    polygons, preset, on_error, threads, progress, **opening
        See `score`.

    Returns
    -------
    Ablation

    Raises
    ------
    DataError
        If the source, or an annotation of it, cannot be used; the error says which and why.
    OptionError
        If an argument makes no sense.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square, bar = [[0, 0, 9, 0, 9, 9, 0, 9]], [[0, 0, 29, 0, 29, 13, 0, 13]]
    >>> data = {
    ...     "images": [{"id": i, "height": 30, "width": 30} for i in (4, 2)],
    ...     "categories": [{"id": 1, "name": "shape"}],
    ...     "annotations": [
    ...         {"id": 1, "image_id": 4, "category_id": 1, "segmentation": square},
    ...         {"id": 2, "image_id": 2, "category_id": 1, "segmentation": bar},
    ...     ],
    ... }
    >>> found = tfdp.ablation(data, rates=[0.5])
    >>> [(variant, int(subset.image_ids[0])) for variant, subset in found.steps[0].subsets.items()]
    [('scs', 4), ('si', 2), ('cb', 4), ('tfdp', 2)]
    >>> found.steps[0].overlaps["si", "tfdp"], found.spearman["scs", "tfdp"]
    (1.0, -1.0)
    """
    check_options("tfdp", polygons, on_error, preset)
    if not rates:
        raise OptionError("say at least one rate")
    for rate in rates:
        check_share(rate=rate, keep=None, k=None, of=of, preset=preset)
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, on_error=on_error, preset=preset, **opening)
    measured = measure_dataset(dataset, polygons=polygons, threads=threads, progress=progress)
    scores = {variant: measured.scores(variant) for variant in VARIANTS}
    steps = [
        AblationStep(
            float(rate), {variant: select(scores[variant], rate=rate, of=of) for variant in VARIANTS}
        )
        for rate in rates
    ]
    return Ablation(dataset.source, scores, steps)
