"""Boundary counts to scores: of instances, classes and images."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import fill_convention, measure_batch
from tfdp_fast._threads import chunk_size, importing, map_in_order, resolve_threads, timed
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.errors import DataError, OptionError
from tfdp_fast.formats.coco import read_coco
from tfdp_fast.formats.dataset import Dataset, OnError, Problem
from tfdp_fast.masks import Polygons
from tfdp_fast.status import Status
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable
from tfdp_fast.totals import ClassTotals, Shape

__all__ = [
    "Progress",
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

Progress: TypeAlias = Callable[[int, int], None]
"""Called with the number of annotations that are done and that there are."""

SUMS = "tfdp_fast.kernels.sums"
"""Importing it takes longer than anything else at the start: it loads Numba."""

CHUNK = 1024
"""Annotations per task of the thread pool, at most."""


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
    """

    images: ImageTable
    instances: InstanceTable | None
    classes: ClassTable | None
    variant: Variant | None
    polygons: Polygons | None
    crowd: int = 0
    ignored: int = 0
    problems: list[Problem] = field(default_factory=list)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write to a file whose suffix says how.

        ``.parquet`` (a row per image, its instances nested; needs the extra ``parquet``) and ``.npz`` hold
        everything and come back bit for bit. ``.csv`` holds the images; ``.json`` is the form of the paper's
        authors, ``{"<image id>": score}`` with positive scores only.

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
    polygons: Polygons = "coco",
    on_error: OnError = "raise",
    threads: int | None = None,
    progress: Progress | None = None,
) -> Scores:
    """Score every image of a data set from its annotations.

    Annotations that are marked ``ignore`` do not count at all. Crowd regions (``iscrowd``) belong to their
    image but take no part in scores, class totals and image sums.

    Parameters
    ----------
    source : path, dict or pycocotools.coco.COCO
        A COCO or LVIS file, or what it looks like when it has been read. It is not changed.
    variant : {"tfdp", "scs", "si", "cb"}
        The method (Eq. 13), or one of its ablations.
    polygons : {"coco", "opencv"}
        How a polygon becomes a mask.
    on_error : {"raise", "skip"}
        What to do with an annotation that cannot be used: raise, or set it aside in ``Scores.problems``.
    threads : int or None
        Threads to use; None for all processors. The result does not depend on it.
    progress : callable, optional
        Called with the number of annotations that are done and that there are.

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
    check_options(variant, polygons, on_error)
    threads = resolve_threads(threads)
    with timed("read"), importing(SUMS, threads):
        dataset = read_coco(source, on_error=on_error)
    return score_dataset(
        dataset, variant, polygons=polygons, on_error=on_error, threads=threads, progress=progress
    )


def check_options(variant: str, polygons: str, on_error: str) -> None:
    """Raise OptionError for what `score` would refuse, before anything is read."""
    if variant not in get_args(Variant):
        raise OptionError(f"variant must be 'tfdp', 'scs', 'si' or 'cb', got {variant!r}")
    if on_error not in get_args(OnError):
        raise OptionError(f"on_error must be 'raise' or 'skip', got {on_error!r}")
    fill_convention(polygons)


def score_dataset(
    dataset: Dataset,
    variant: Variant,
    *,
    polygons: Polygons,
    on_error: OnError,
    threads: int,
    progress: Progress | None,
) -> Scores:
    """Score a data set that has been opened; see `score`."""
    with timed(f"measured {len(dataset.annotation_ids):,} annotations"):
        counts, statuses = _measure(dataset, polygons, on_error, threads, progress)
    good = statuses == Status.OK
    problems = [_problem(dataset, int(i), Status(int(statuses[i]))) for i in np.flatnonzero(~good)]
    scored = good & ~dataset.crowd
    counts = counts[scored]
    with timed(f"scored {len(counts):,} instances"):
        instances, classes, image_scores = _score_instances(dataset, scored, counts, variant)
    images = ImageTable(
        id=dataset.image_ids,
        file_name=np.array(dataset.file_names, dtype=object),
        annotations=np.bincount(dataset.image_index[good], minlength=len(dataset.image_ids)),
        instances=np.bincount(dataset.image_index[scored], minlength=len(dataset.image_ids)),
        score=image_scores,
    )
    return Scores(
        images=images,
        instances=instances,
        classes=classes,
        variant=variant,
        polygons=polygons,
        crowd=int(np.count_nonzero(dataset.crowd & good)),
        ignored=dataset.ignored,
        problems=sorted([*dataset.problems, *problems], key=lambda problem: problem.row),
    )


def _measure(
    dataset: Dataset, polygons: Polygons, on_error: OnError, threads: int, progress: Progress | None
) -> tuple[BoundaryCounts, NDArray[np.uint8]]:
    n = len(dataset.annotation_ids)
    convention = fill_convention(polygons)
    chunk = chunk_size(n, threads, CHUNK)
    chunks = [np.arange(begin, min(begin + chunk, n)) for begin in range(0, n, chunk)]
    counts = np.empty((n, 3), np.int64)
    statuses = np.empty(n, np.uint8)
    done = 0
    measured = map_in_order(
        lambda positions: measure_batch(dataset.segmentations(positions), convention), chunks, threads
    )
    with closing(measured):
        for part_counts, part_statuses in measured:
            part = slice(done, done + len(part_counts))
            counts[part], statuses[part] = part_counts, part_statuses
            failed = np.flatnonzero(part_statuses)
            if failed.size and on_error == "raise":
                problem = _problem(dataset, done + int(failed[0]), Status(int(part_statuses[failed[0]])))
                raise DataError(dataset.source, problem.record, problem.reason)
            done = part.stop
            if progress is not None:
                progress(done, n)
    return BoundaryCounts.from_array(counts), statuses


def _problem(dataset: Dataset, position: int, status: Status) -> Problem:
    return Problem(
        f"annotation {dataset.annotation_ids[position]}", status.reason, int(dataset.rows[position])
    )


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
