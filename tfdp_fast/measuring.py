"""A data set measured once, to be scored by as many variants as one likes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import fill_convention
from tfdp_fast._threads import timed
from tfdp_fast.boundary import BoundaryCounts
from tfdp_fast.formats.dataset import Dataset, Names, OnProgress, Problem
from tfdp_fast.masks import Polygons
from tfdp_fast.presets import AppliedPreset, apply_preset, polygons_under
from tfdp_fast.scores import Scores, Variant, class_balanced, scale_invariant
from tfdp_fast.status import Status
from tfdp_fast.tables import ClassTable, ImageTable, InstanceTable
from tfdp_fast.totals import ClassTotals, Shape

__all__ = ["MeasuredDataset", "measure_dataset"]


@dataclass(frozen=True, eq=False)
class MeasuredDataset:
    """A data set with the boundary counts of its instances, to be scored by any variant.

    Attributes
    ----------
    dataset : Dataset
        Its columns are those of all A annotations.
    polygons : str
        How polygons became masks.
    scored : bool [A]
        The N annotations that are scored: no crowd regions, none that was set aside or that a preset leaves
        out.
    counts : BoundaryCounts
        Of these N.
    annotations : int64 [I]
        How many annotations of an image count, crowd regions included.
    crowd : int
        How many crowd regions count.
    problems : list of Problem
        What was set aside.
    preset : AppliedPreset or None
        What the preset has left of the data set.
    """

    dataset: Dataset
    polygons: Polygons
    scored: NDArray[np.bool_]
    counts: BoundaryCounts
    annotations: NDArray[np.int64]
    crowd: int
    problems: list[Problem]
    preset: AppliedPreset | None

    @property
    def positions(self) -> NDArray[np.int64]:
        """[N]: positions of the scored annotations among all A; rows of `Scores.instances`."""
        return np.flatnonzero(self.scored)

    def scores(self, variant: Variant) -> Scores:
        """Score all instances, classes and images by one of the variants."""
        dataset, scored = self.dataset, self.scored
        with timed(f"scored {len(self.counts):,} instances"):
            instances, classes, image_scores = _score_instances(dataset, scored, self.counts, variant)
        images = ImageTable(
            id=dataset.image_ids,
            file_name=_name_column(dataset.file_names),
            annotations=self.annotations,
            instances=np.bincount(dataset.image_index[scored], minlength=len(dataset.image_ids)),
            score=image_scores,
        )
        return Scores(
            images=images,
            instances=instances,
            classes=classes,
            variant=variant,
            polygons=self.polygons,
            crowd=self.crowd,
            ignored=dataset.ignored,
            problems=self.problems,
            preset=self.preset,
        )


def measure_dataset(
    dataset: Dataset, *, polygons: Polygons | None, threads: int, progress: OnProgress | None
) -> MeasuredDataset:
    """Measure a data set that has been opened, by the preset that it was opened with; see `score`."""
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
    return MeasuredDataset(
        dataset=dataset,
        polygons=polygons,
        scored=scored,
        counts=BoundaryCounts.from_array(counts[scored]),
        annotations=np.bincount(dataset.image_index[counted], minlength=len(dataset.image_ids)),
        crowd=int(np.count_nonzero(dataset.crowd & counted)),
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
