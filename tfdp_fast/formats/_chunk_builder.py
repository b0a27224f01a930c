"""Images and annotations, one after the other, into a chunk."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfdp_fast._batches import measure_objects
from tfdp_fast._core import FillConvention
from tfdp_fast.formats._chunk_masks import ObjectMasks
from tfdp_fast.formats._streamed import NO_IDS, Chunk
from tfdp_fast.formats.dataset import ImageProblem, Problem
from tfdp_fast.status import Status
from tfdp_fast.tables import Ids


class ChunkBuilder:
    """Gathers images with their annotations as objects, and measures them as one batch.

    An annotation belongs to the image that was added last.
    """

    def __init__(self) -> None:
        self._image_ids: list[int | str] = []
        self._sizes: list[tuple[int, int]] = []
        self._names: list[str | None] = []
        self._segmentations: list[Any] = []
        self._image_index: list[int] = []
        self._category_ids: list[int | str] = []
        self._annotation_ids: list[int | str] = []
        self._labels: list[tuple[str, str | None]] = []
        self._crowd: list[bool] = []
        self._rows: list[int] = []
        self._problems: list[Problem] = []
        self._records = 0
        self._ignored = 0

    def add_image(self, image_id: int | str, height: int, width: int, file_name: str | None = None) -> None:
        """Add an image."""
        self._image_ids.append(image_id)
        self._sizes.append((height, width))
        self._names.append(file_name)

    def add_annotation(
        self,
        segmentation: Any,
        category_id: int | str,
        *,
        annotation_id: int | str | None = None,
        crowd: bool = False,
        record: str,
        file: str | None = None,
    ) -> None:
        """Add an annotation.

        Parameters
        ----------
        segmentation : RLE, polygons or array
            What a mask comes as.
        category_id : int or str
            Its class.
        annotation_id : int or str, optional
            Its id. Unless all annotations have one, they are numbered by their row.
        crowd : bool
            Whether it is a crowd region.
        record, file : str
            What it is called, and where it is, should its mask be bad.
        """
        self._segmentations.append(segmentation)
        self._image_index.append(len(self._image_ids) - 1)
        self._category_ids.append(category_id)
        if annotation_id is not None:
            self._annotation_ids.append(annotation_id)
        self._labels.append((record, file))
        self._crowd.append(crowd)
        self._rows.append(self._records)
        self._records += 1

    def add_ignored(self) -> None:
        """Count an annotation that is there and does not count."""
        self._records += 1
        self._ignored += 1

    def add_problem(
        self, record: str, reason: str, *, file: str | None = None, is_annotation: bool = True
    ) -> None:
        """Set something aside: an annotation, or (``is_annotation=False``) an image or a file."""
        kind = Problem if is_annotation else ImageProblem
        self._problems.append(kind(record, reason, self._records, file))
        self._records += is_annotation

    def measured(self, convention: FillConvention, *, with_masks: bool = False) -> Chunk:
        """The chunk. Annotations whose masks are bad are among its problems."""
        image_index = np.array(self._image_index, np.int64)
        sizes = np.array(self._sizes, np.int32).reshape(-1, 2)
        counts, statuses = measure_objects(self._segmentations, sizes[image_index], convention)
        rows = np.array(self._rows, np.int64)
        bad = [
            Problem(self._labels[i][0], Status(statuses[i]).reason, self._rows[i], self._labels[i][1])
            for i in np.flatnonzero(statuses).tolist()
        ]
        good = statuses == Status.OK
        masks = None
        if with_masks:
            used = [mask for mask, fits in zip(self._segmentations, good.tolist(), strict=True) if fits]
            masks = ObjectMasks(used, sizes[image_index[good]], convention)
        all_have_ids = len(self._annotation_ids) == len(rows) > 0
        return Chunk(
            image_ids=_ids(self._image_ids),
            image_sizes=sizes,
            file_names=self._names,
            image_index=image_index[good],
            category_ids=_ids(self._category_ids)[good],
            crowd=np.array(self._crowd, np.bool_)[good],
            counts=counts[good],
            rows=rows[good],
            records=self._records,
            annotation_ids=_ids(self._annotation_ids)[good] if all_have_ids else None,
            ignored=self._ignored,
            problems=sorted([*self._problems, *bad], key=lambda problem: problem.row),
            masks=masks,
        )


def _ids(ids: list[int | str]) -> Ids:
    """As a column; of objects, which no data set takes, if they are of different kinds."""
    if not ids:
        return NO_IDS
    mixed = len({isinstance(i, str) for i in ids}) > 1
    return np.array(ids, object) if mixed else np.array(ids)
