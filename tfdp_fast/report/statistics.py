"""The statistics of a data set: how many, of which classes, how large, with what scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING, Any, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import fill_convention
from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.errors import DataError
from tfdp_fast.formats.dataset import OnError, OnProgress, Problem
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.measuring import MeasuredDataset, measure_dataset
from tfdp_fast.presets import AppliedPreset, PresetName
from tfdp_fast.report._plain import plain
from tfdp_fast.report.areas import Areas, areas_of
from tfdp_fast.report.balance import SHARES, Balance, ClassMembers, balance_of
from tfdp_fast.report.distributions import Distribution, bins_for, distribution_of
from tfdp_fast.scores import Scores, Variant
from tfdp_fast.scoring import SUMS, check_options
from tfdp_fast.selection import check_share
from tfdp_fast.tables import Ids, Table

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "ClassStatistics",
    "ScoreStatistics",
    "Statistics",
    "measured_areas",
    "statistics",
    "statistics_of",
]


@dataclass(frozen=True, eq=False)
class ClassStatistics(Table):
    """A row per class, in data-set order.

    Attributes
    ----------
    id : int64 or text [C]
        Category ids.
    name : object [C]
        Their names (``str``).
    instances : int64 [C]
        Scored instances of the class.
    images : int64 [C]
        Images with a scored instance of the class.
    share : float64 [C]
        The class's share of all scored instances.
    si_scs_total, scs_total : float64 [C]
        T_c of SI-SCS and of SCS (Eq. 13).
    mean_si_scs : float64 [C]
        Mean SI-SCS of its instances; NaN without any.
    """

    id: Ids
    name: NDArray[np.object_]
    instances: NDArray[np.int64]
    images: NDArray[np.int64]
    share: NDArray[np.float64]
    si_scs_total: NDArray[np.float64]
    scs_total: NDArray[np.float64]
    mean_si_scs: NDArray[np.float64]

    def by_instances(self) -> NDArray[np.int64]:
        """Rows with the most instances first, of equals in data-set order, int64 [C]."""
        return np.argsort(-self.instances, kind="stable")


@dataclass(frozen=True, eq=False)
class ScoreStatistics:
    """The scores by one variant; both histograms have the same bins.

    Attributes
    ----------
    instances : Distribution
        Of the N scored instances.
    images : Distribution
        Of the images that have a scored instance (Eq. 14).
    """

    instances: Distribution
    images: Distribution


@dataclass(frozen=True, eq=False)
class Statistics:
    """What a data set is like.

    Attributes
    ----------
    source, format : str
        What was read, as what.
    polygons : str
        How polygons became masks.
    preset : AppliedPreset or None
        What the preset has left of the data set. All figures but `images` are of that.
    images, annotated, scored : int
        Images, those with an annotation that counts, and those with a scored instance.
    instances : int
        N, the scored instances: all figures below are of these.
    degenerate : int
        Those of them that enclose no area, and score 0.
    crowd, ignored : int
        Crowd regions, and annotations that are marked ``ignore``, beside them.
    problems : list of Problem
        What was set aside (``on_error="skip"``).
    instances_per_image : Distribution
        Over the images that have a scored instance.
    classes : ClassStatistics
        A row per class.
    areas : Areas or None
        How large instances are; None if that was not asked for.
    scores : dict of str to ScoreStatistics
        By variant, all four.
    variant : str
        By which `balance` prunes.
    balance : Balance
        The classes before and after pruning.
    """

    source: str
    format: str
    polygons: Polygons
    preset: AppliedPreset | None
    images: int
    annotated: int
    scored: int
    instances: int
    degenerate: int
    crowd: int
    ignored: int
    problems: list[Problem]
    instances_per_image: Distribution
    classes: ClassStatistics
    areas: Areas | None
    scores: dict[Variant, ScoreStatistics]
    variant: Variant
    balance: Balance

    def to_dict(self) -> dict[str, Any]:
        """All of it as dicts, lists, text and numbers, for JSON; None where there is no value."""
        found: dict[str, Any] = plain(self)
        return found


def statistics(
    source: Any,
    variant: Variant = "tfdp",
    *,
    rate: float | Fraction | None = None,
    keep: float | Fraction | None = None,
    k: int | None = None,
    areas: bool = True,
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> Statistics:
    """Say what a data set is like, from its annotations: see `Statistics`.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`.
    variant : {"tfdp", "scs", "si", "cb"}
        By which to prune in `Statistics.balance`. The scores are described by all four.
    rate, keep, k
        How far to prune there, as for `select`; at the paper's rates, 20 % to 90 %, by default.
    areas : bool
        Whether to count the pixels of the masks. They are read a second time for that.
    polygons, preset, on_error, threads, progress, **opening
        As for `score`.

    Returns
    -------
    Statistics

    Raises
    ------
    DataError
        If the source, or an annotation of it, cannot be used; or if it cannot be read a second time, as an
        iterator or a pipe cannot. ``areas=False`` does without.
    OptionError
        If an argument makes no sense.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square = [[0, 0, 8, 0, 8, 8, 0, 8]]
    >>> data = {
    ...     "images": [{"id": 7, "file_name": "a.jpg", "height": 16, "width": 16}],
    ...     "categories": [{"id": 1, "name": "square"}, {"id": 2, "name": "disc"}],
    ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "segmentation": square}],
    ... }
    >>> found = tfdp.statistics(data)
    >>> found.instances, found.classes.instances, found.classes.mean_si_scs
    (1, array([1, 0]), array([1.12837917,        nan]))
    >>> found.areas.median, found.scores["si"].instances.max
    (25.0, 1.1283791670955126)
    """
    check_options(variant, polygons, on_error, preset)
    shares: Sequence[Fraction | int] = SHARES
    if any(option is not None for option in (rate, keep, k)):
        shares = [check_share(rate=rate, keep=keep, k=k, of="scored")]
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, on_error=on_error, preset=preset, **opening)
    measured = measure_dataset(dataset, polygons=polygons, threads=threads, progress=progress)
    pixels = measured_areas(measured, threads=threads) if areas else None
    return statistics_of(measured, variant, shares=shares, areas=pixels)


def measured_areas(measured: MeasuredDataset, *, threads: int) -> NDArray[np.int64]:
    """The pixels of each scored instance, int64 [N]: the masks are read a second time.

    Raises
    ------
    DataError
        If they cannot be.
    """
    try:
        with timed("counted pixels"):
            areas = measured.dataset.areas(fill_convention(measured.polygons), threads=threads)
    except DataError as error:
        hint = "areas need a second look at the masks: areas=False, or --no-areas, does without"
        reason = f"{error.reason} ({hint})"
        raise DataError(error.source, error.record, reason) from error
    return areas[measured.scored]


def statistics_of(
    measured: MeasuredDataset,
    variant: Variant = "tfdp",
    *,
    shares: Sequence[Fraction | int] = SHARES,
    areas: NDArray[np.int64] | None = None,
) -> Statistics:
    """The statistics of a data set that has been measured.

    Parameters
    ----------
    measured : MeasuredDataset
        The data set.
    variant : {"tfdp", "scs", "si", "cb"}
        By which to prune in `Statistics.balance`.
    shares : sequence of Fraction or int
        Shares, or numbers, of images to KEEP there.
    areas : int64 [N], optional
        The pixels of each scored instance; see `measured_areas`.
    """
    dataset, at = measured.dataset, measured.positions
    image, category = dataset.image_index[at], dataset.category_index[at]
    members = ClassMembers.of(image, category, len(dataset.category_ids))
    per_image = np.bincount(image, minlength=len(dataset.image_ids))
    scored = per_image > 0
    by_variant = {name: measured.scores(name) for name in get_args(Variant)}
    return Statistics(
        source=dataset.source,
        format=dataset.format,
        polygons=measured.polygons,
        preset=measured.preset,
        images=len(dataset.image_ids),
        annotated=int(np.count_nonzero(measured.annotations)),
        scored=int(np.count_nonzero(scored)),
        instances=len(at),
        degenerate=int(np.count_nonzero(measured.counts.area2 == 0)),
        crowd=measured.crowd,
        ignored=dataset.ignored,
        problems=measured.problems,
        instances_per_image=distribution_of(per_image[scored]),
        classes=_class_statistics(by_variant["tfdp"], by_variant["cb"], members),
        areas=None if areas is None else areas_of(areas, dataset.image_sizes[image]),
        scores={name: _score_statistics(scores, scored) for name, scores in by_variant.items()},
        variant=variant,
        balance=balance_of(by_variant[variant], members, shares),
    )


def _class_statistics(si_scs: Scores, scs: Scores, members: ClassMembers) -> ClassStatistics:
    assert si_scs.classes is not None
    assert scs.classes is not None
    classes, instances = si_scs.classes, si_scs.classes.instances
    mean = np.divide(classes.total, instances, out=np.full(len(classes), np.nan), where=instances > 0)
    return ClassStatistics(
        id=classes.id,
        name=classes.name,
        instances=instances,
        images=members.images(),
        share=instances / max(1, int(instances.sum())),
        si_scs_total=classes.total,
        scs_total=scs.classes.total,
        mean_si_scs=mean,
    )


def _score_statistics(scores: Scores, scored: NDArray[np.bool_]) -> ScoreStatistics:
    assert scores.instances is not None
    instances, images = scores.instances.score, scores.images.score[scored]
    bins = bins_for(instances, images)
    return ScoreStatistics(distribution_of(instances, bins), distribution_of(images, bins))
