"""Images of a YOLO data set with their labels into a chunk, measured."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast.errors import DataError
from tfdp_fast.formats._chunk_masks import BatchMasks, whole
from tfdp_fast.formats._streamed import NO_IDS, Chunk, FileRead
from tfdp_fast.formats._yolo_labels import LabelReader
from tfdp_fast.formats.dataset import ImageProblem, Problem
from tfdp_fast.status import Status


@dataclass
class LabelledImages:
    """Images with what their label files hold.

    Attributes
    ----------
    names, sizes, files, stored : list
        Of each image its name, its height and width, its label file and what is in that; nothing where there
        is none.
    """

    names: list[str] = field(default_factory=list)
    sizes: list[tuple[int, int]] = field(default_factory=list)
    files: list[str] = field(default_factory=list)
    stored: list[bytes] = field(default_factory=list)
    _faults: list[tuple[int, str, DataError]] = field(default_factory=list)

    def add(self, name: str, height: int, width: int, file: str, stored: bytes) -> None:
        """Add an image."""
        self.names.append(name)
        self.sizes.append((height, width))
        self.files.append(file)
        self.stored.append(stored)

    def add_fault(self, name: str, error: DataError) -> None:
        """Take in that an image cannot be used."""
        self._faults.append((len(self.names), name, error))

    def measured(
        self,
        reader: LabelReader,
        convention: FillConvention,
        files: list[FileRead],
        *,
        with_masks: bool = False,
    ) -> tuple[Chunk, NDArray[np.int64]]:
        """The chunk, and how many lines of each image hold something."""
        labels = reader.read(self.stored, self.files)
        records = np.diff(labels.file_offsets)
        image_index = np.repeat(np.arange(len(records)), records)[labels.rows]
        sizes = np.array(self.sizes, np.int32).reshape(-1, 2)
        polygons = _Polygons.of(labels.coordinates, labels.offsets, sizes[image_index])
        counts, statuses = measure_batch(polygons.batch(), convention)
        problems: list[Problem] = [
            ImageProblem(f"image {name}", error.reason, int(labels.file_offsets[before]), error.source)
            for before, name, error in self._faults
        ]
        problems += labels.problems
        for i in np.flatnonzero(statuses).tolist():
            row, file = int(labels.rows[i]), self.files[image_index[i]]
            problems.append(Problem(f"line {labels.numbers[row]}", Status(statuses[i]).reason, row, file))
        good = statuses == Status.OK
        chunk = Chunk(
            image_ids=np.array(self.names) if self.names else NO_IDS,
            image_sizes=sizes,
            file_names=list(self.names),
            image_index=image_index[good],
            category_ids=labels.classes[good],
            crowd=np.zeros(np.count_nonzero(good), np.bool_),
            counts=counts[good],
            rows=labels.rows[good],
            records=len(labels.numbers),
            ignored=labels.ignored,
            problems=sorted(problems, key=lambda problem: problem.row),
            files=files,
            masks=BatchMasks(np.flatnonzero(good), lambda at: whole(polygons.take(at).batch()), convention)
            if with_masks
            else None,
        )
        return chunk, records


@dataclass(frozen=True, eq=False)
class _Polygons:
    """Polygons in pixels, where each begins and ends in the coordinates, and the sizes of their images."""

    coordinates: NDArray[np.float64]
    offsets: NDArray[np.int64]
    sizes: NDArray[np.int32]

    @classmethod
    def of(
        cls, shares: NDArray[np.float64], offsets: NDArray[np.int64], sizes: NDArray[np.int32]
    ) -> _Polygons:
        """From shares of the sides of their images."""
        sides = np.repeat(sizes[:, ::-1].astype(np.float64), np.diff(offsets) // 2, axis=0)
        return cls(shares * sides.ravel(), offsets, sizes)

    def take(self, at: NDArray[np.int64]) -> _Polygons:
        """Those at some positions."""
        lengths = np.diff(self.offsets)[at]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        chosen = np.arange(offsets[-1]) + np.repeat(self.offsets[at] - offsets[:-1], lengths)
        return _Polygons(self.coordinates[chosen], offsets, self.sizes[at])

    def batch(self) -> SegmentationBatch:
        """As masks, of one polygon each."""
        one_each = np.arange(len(self.sizes) + 1)
        return SegmentationBatch.from_polygons(self.coordinates, self.offsets, one_each, self.sizes)
