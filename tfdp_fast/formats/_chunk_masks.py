"""The masks of a chunk that has been measured, for those who look at them afterwards."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import without_dense
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast._tracing import Contours, areas, contours

__all__ = ["BatchMasks", "ChunkMasks", "LabelMapMasks", "ObjectMasks", "Part", "whole"]

FEW_LABELS = 16
"""As long as a map has no more, comparing it with each label takes less time than a histogram."""

Part = tuple[NDArray[np.int64], SegmentationBatch]
"""Some of several masks: their positions, and what they are."""


class ChunkMasks(Protocol):
    """The masks of the a annotations of a chunk, all of which can be used."""

    def areas(self) -> NDArray[np.int64]:
        """How many pixels each has, int64 [a]."""

    def contours(self, which: NDArray[np.int64]) -> Contours:
        """The outer contours of those at some positions, 0 <= position < a."""


@dataclass(frozen=True, eq=False)
class BatchMasks:
    """Masks that are read into batches.

    Attributes
    ----------
    used : int64 [a]
        Which of all masks belong to the annotations of the chunk.
    parts : callable
        Reads the masks at some of these positions, all of one kind or in several parts.
    convention : FillConvention
        How polygons become masks.
    """

    used: NDArray[np.int64]
    parts: Callable[[NDArray[np.int64]], Iterable[Part]]
    convention: FillConvention

    def areas(self) -> NDArray[np.int64]:
        """See `ChunkMasks`."""
        found = np.zeros(len(self.used), np.int64)
        for at, batch in self.parts(self.used):
            found[at] = areas(batch, self.convention)
        return found

    def contours(self, which: NDArray[np.int64]) -> Contours:
        """See `ChunkMasks`."""
        found = Contours.none(len(which))
        for at, batch in self.parts(self.used[which]):
            found.put(at, contours(batch, self.convention))
        return found


def whole(batch: SegmentationBatch) -> list[Part]:
    """A batch that is all there is."""
    return [(np.arange(len(batch.kinds)), batch)]


@dataclass(frozen=True, eq=False)
class ObjectMasks:
    """Masks that are objects, arrays among them, in images of the sizes int32 [a, 2]."""

    objects: list[Any]
    sizes: NDArray[np.int32]
    convention: FillConvention

    def areas(self) -> NDArray[np.int64]:
        """See `ChunkMasks`."""
        dense, others = without_dense(self.objects)
        found = areas(SegmentationBatch.from_objects(others, self.sizes), self.convention)
        for i in dense:
            found[i] = np.count_nonzero(self.objects[i])
        return found

    def contours(self, which: NDArray[np.int64]) -> Contours:
        """See `ChunkMasks`."""
        chosen = [self.objects[i] for i in which.tolist()]
        return contours(SegmentationBatch.from_objects(chosen, self.sizes[which]), self.convention)


@dataclass(frozen=True, eq=False)
class LabelMapMasks:
    """Masks that are the pixels of labels: of each image its map, and the labels of its annotations."""

    images: list[tuple[NDArray[np.integer[Any]], NDArray[np.int64]]]

    def areas(self) -> NDArray[np.int64]:
        """See `ChunkMasks`."""
        found = [_counted(label_map, labels) for label_map, labels in self.images]
        return np.concatenate([np.empty(0, np.int64), *found])

    def contours(self, which: NDArray[np.int64]) -> Contours:
        """See `ChunkMasks`."""
        masks = [(label_map, label) for label_map, labels in self.images for label in labels.tolist()]
        parts, corners = [], []
        for i in which.tolist():
            part, corner = _cropped(*masks[i])
            parts.append(part)
            corners.append(corner)
        sizes = np.array([part.shape for part in parts], np.int32).reshape(-1, 2)
        # There are no polygons: any convention does.
        found = contours(SegmentationBatch.from_objects(parts, sizes), FillConvention.COCO)
        moved = [
            [points + corner for points in of_mask]
            for of_mask, corner in zip(found.points, corners, strict=True)
        ]
        return Contours(moved, found.primary)


def _counted(label_map: NDArray[np.integer[Any]], labels: NDArray[np.int64]) -> NDArray[np.int64]:
    """How many pixels each label has; of many labels, all are counted in one pass."""
    if len(labels) > FEW_LABELS:
        return np.bincount(label_map.ravel())[labels]
    return np.array([np.count_nonzero(label_map == label) for label in labels.tolist()], np.int64)


def _cropped(label_map: NDArray[np.integer[Any]], label: int) -> tuple[NDArray[np.bool_], NDArray[np.int32]]:
    """The mask of a label that occurs, within its bounding box, and x and y of the box's corner."""
    mask = label_map == label
    rows = np.flatnonzero(mask.any(axis=1))
    mask = mask[rows[0] : rows[-1] + 1]
    columns = np.flatnonzero(mask.any(axis=0))
    part = np.ascontiguousarray(mask[:, columns[0] : columns[-1] + 1])
    return part, np.array([columns[0], rows[0]], np.int32)
