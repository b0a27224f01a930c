"""Boundary counts to scores: of instances, classes and images."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import fill_convention
from tfdp_fast._threads import importing, resolve_threads, timed
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.errors import OptionError
from tfdp_fast.formats.dataset import Dataset, Names, OnError, OnProgress, Problem
from tfdp_fast.formats.opening import Opening, open_dataset
from tfdp_fast.masks import Polygons
from tfdp_fast.presets import AppliedPreset, PresetName, apply_preset, check_preset, polygons_under
from tfdp_fast.status import Status
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable
from tfdp_fast.totals import ClassTotals, Shape

if TYPE_CHECKING:
    from typing_extensions import Unpack

__all__ = [
    "Scores",
    "Variant",
    "check_options",
    "score",
    "score_dataset",
]

Variant: TypeAlias = Literal["tfdp", "scs", "si", "cb"]
"""The method and its ablation: scale invariance on or off, class balance on or off.

``"scs"`` neither (Eq. 8), ``"si"`` scale-invariant (Eq. 11), ``"cb"`` class-balanced, ``"tfdp"`` both
(Eq. 13).
"""

SUMS = "tfdp_fast.kernels.sums"
"""Importing it takes longer than anything else at the start: it loads Numba."""


def scale_invariant(variant: Variant) -> bool:
    """Does the variant use SI-SCS rather than SCS?"""
    return variant in {"si", "tfdp"}


def class_balanced(variant: Variant) -> bool:
    """Does the variant divide by class totals?"""
    return variant in {"cb", "tfdp"}


@dataclass(frozen=True, eq=False)
class Scores:
    """The scores of a data set.

    Attributes
    ----------
    images : ImageTable
        A row per image.
    instances : InstanceTable or None
        A row per scored instance; None if loaded from a file that holds images only.
    classes : ClassTable or None
        A row per class; None likewise.
    variant : str or None
        How they were computed; None if loaded from a file that does not say.
    polygons : str or None
        The fill convention; None likewise.
    crowd, ignored : int
        How many annotations are crowd regions, and how many are marked ``ignore``.
    problems : list of Problem
        Annotations that were set aside (``on_error="skip"``).
    preset : AppliedPreset or None
        What the preset that was asked for has left of the data set. `select` goes by it.
    """

    images: ImageTable
    instances: InstanceTable | None
    classes: ClassTable | None
    variant: Variant | None
    polygons: Polygons | None
    crowd: int = 0
    ignored: int = 0
    problems: list[Problem] = field(default_factory=list)
    preset: AppliedPreset | None = None

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file whose suffix says how.

        ``.parquet`` (a row per image, its instances nested; needs the extra ``parquet``) and ``.npz`` hold
        everything and come back bit for bit. ``.csv`` holds the images; ``.json`` is the form of the paper's
        authors, ``{"<image id>": score}`` with positive scores only, unless some are negative. Neither of
        these says which preset it was.

        Raises
        ------
        OptionError
            If the suffix is none of these.
        OutputError
            If the file cannot be written.
        """
        from tfdp_fast.formats.scores import save_scores

        save_scores(self, path)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Scores:
        """Read what `save` has written.

        Raises
        ------
        DataError
            If the file is not what its suffix says, or is damaged.
        """
        from tfdp_fast.formats.scores import load_scores

        return load_scores(path)

    def to_arrow(self) -> Any:
        """The images as a `pyarrow.Table`; the other tables have a method of the same name."""
        return self.images.to_arrow()

    def to_pandas(self) -> Any:
        """The images as a `pandas.DataFrame`; the other tables have a method of the same name."""
        return self.images.to_pandas()


def score(
    source: Any,
    variant: Variant = "tfdp",
    *,
    polygons: Polygons | None = None,
    preset: PresetName | None = None,
    on_error: OnError = "raise",
    threads: int | None = None,
    progress: OnProgress | None = None,
    **opening: Unpack[Opening],
) -> Scores:
    """Score every image of a data set from its annotations.

    Annotations that are marked ``ignore`` do not count at all. Crowd regions (``iscrowd``) belong to their
    image but take no part in scores, class totals and image sums.

    Parameters
    ----------
    source : path or object
        A data set of any format; see `open_dataset`. Objects are not changed.
    variant : {"tfdp", "scs", "si", "cb"}
        The method (Eq. 13), or one of its ablations.
    polygons : {"coco", "opencv"}, optional
        How a polygon becomes a mask: ``"coco"``, if no preset says otherwise.
    preset : {"official"}, optional
        Count what the code of the paper's authors counts: annotations and images pass their filters, and
        polygons are filled as OpenCV does. See docs/official.md.
    on_error : {"raise", "skip"}
        What to do with an annotation that cannot be used: raise, or set it aside in ``Scores.problems``.
    threads : int or None
        Threads to use; None for all processors. The result does not depend on it.
    progress : callable, optional
        Called with a `Progress` now and then.
    **opening
        ``format``, ``split``, ``difficult``, ``image_size``: what the data set is; see `open_dataset`.

    Returns
    -------
    Scores
        Of all images, those without an instance included.

    Raises
    ------
    DataError
        If the source, or an annotation of it, cannot be used; the error says which and why.
    OptionError
        If an argument makes no sense.

    Examples
    --------
    >>> import tfdp_fast as tfdp
    >>> square = [[0, 0, 9, 0, 9, 9, 0, 9]]
    >>> data = {
    ...     "images": [{"id": 7, "file_name": "a.jpg", "height": 10, "width": 10}],
    ...     "categories": [{"id": 1, "name": "square"}],
    ...     "annotations": [{"id": 1, "image_id": 7, "category_id": 1, "segmentation": square}],
    ... }
    >>> scores = tfdp.score(data)
    >>> scores.images.score, scores.classes.total
    (array([1.]), array([1.12837917]))
    """
    check_options(variant, polygons, on_error, preset)
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = open_dataset(source, on_error=on_error, preset=preset, **opening)
    return score_dataset(dataset, variant, polygons=polygons, threads=threads, progress=progress)


def check_options(
    variant: str, polygons: Polygons | None, on_error: str, preset: PresetName | None = None
) -> None:
    """Raise OptionError for what `score` would refuse, before anything is read."""
    if variant not in get_args(Variant):
        raise OptionError(f"variant must be 'tfdp', 'scs', 'si' or 'cb', got {variant!r}")
    if on_error not in get_args(OnError):
        raise OptionError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
    check_preset(preset)
    fill_convention(polygons_under(preset, polygons))


def score_dataset(
    dataset: Dataset,
    variant: Variant,
    *,
    polygons: Polygons | None,
    threads: int,
    progress: OnProgress | None,
) -> Scores:
    """Score a data set that has been opened, by the preset that it was opened with; see `score`."""
    polygons = polygons_under(dataset.options.preset, polygons)
    with timed("measured"):
        counts, statuses = dataset.measure(fill_convention(polygons), threads=threads, progress=progress)
    good = statuses == Status.OK
    problems = [dataset.problem_at(int(i), Status(statuses[i])) for i in np.flatnonzero(~good)]
    counted, preset = good, None
    if dataset.options.preset is not None:
        keep, preset = apply_preset(dataset, good)
        counted = good & keep[dataset.image_index]
    scored = counted & ~dataset.crowd
    measured = BoundaryCounts.from_array(counts[scored])
    with timed(f"scored {len(measured):,} instances"):
        instances, classes, image_scores = _score_instances(dataset, scored, measured, variant)
    images = ImageTable(
        id=dataset.image_ids,
        file_name=_name_column(dataset.file_names),
        annotations=np.bincount(dataset.image_index[counted], minlength=len(dataset.image_ids)),
        instances=np.bincount(dataset.image_index[scored], minlength=len(dataset.image_ids)),
        score=image_scores,
    )
    return Scores(
        images=images,
        instances=instances,
        classes=classes,
        variant=variant,
        polygons=polygons,
        crowd=int(np.count_nonzero(dataset.crowd & counted)),
        ignored=dataset.ignored,
        problems=sorted([*dataset.problems, *problems], key=lambda problem: problem.row),
        preset=preset,
    )


def _name_column(names: Names) -> NDArray[Any]:
    return names if isinstance(names, np.ndarray) else np.array(names, dtype=object)


def _score_instances(
    dataset: Dataset, scored: NDArray[np.bool_], counts: BoundaryCounts, variant: Variant
) -> tuple[InstanceTable, ClassTable, NDArray[np.float64]]:
    from tfdp_fast.kernels.sums import balance, group_by_label, sum_groups

    image_index, category_index = dataset.image_index[scored], dataset.category_index[scored]
    category_ids = dataset.category_ids[category_index]
    shape: Shape = "si_scs" if scale_invariant(variant) else "scs"
    totals = ClassTotals(shape, dataset.category_ids.tolist())
    totals.add(category_ids, counts)
    values = counts.si_scs() if shape == "si_scs" else counts.scs()
    # Eq. 13
    scores = balance(values, category_index, totals.totals) if class_balanced(variant) else values
    # Eq. 14
    image_scores = sum_groups(scores, *group_by_label(image_index, len(dataset.image_ids)))
    instances = InstanceTable(
        id=dataset.annotation_ids[scored],
        image_id=dataset.image_ids[image_index],
        category_id=category_ids,
        straight=counts.straight,
        diagonal=counts.diagonal,
        area2=counts.area2,
        shape=values,
        score=scores,
    )
    classes = ClassTable(
        id=dataset.category_ids,
        name=np.array(dataset.category_names, dtype=object),
        instances=totals.instances,
        total=totals.totals,
    )
    return instances, classes, image_scores
