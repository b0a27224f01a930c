"""Data sets whose records are all known before the first mask is read."""

from __future__ import annotations

import abc
from contextlib import closing

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._batches import measure_batch
from tfdp_fast._core import FillConvention, SegmentationBatch
from tfdp_fast._threads import chunk_size, map_in_order
from tfdp_fast._tracing import areas, contours
from tfdp_fast.formats.dataset import Dataset, OnProgress, Progress, Traced
from tfdp_fast.status import Status

CHUNK = 1024
"""Annotations per task of the thread pool, at most."""


class ListedDataset(Dataset):
    """Columns are there from the start, segmentations are read when they are asked for."""

    @abc.abstractmethod
    def segmentations(self, positions: NDArray[np.int64]) -> SegmentationBatch:
        """Read the segmentations of the annotations at some positions, 0 <= position < A.

        Safe to call from several threads at once.
        """

    def measure(
        self, convention: FillConvention, *, threads: int, progress: OnProgress | None
    ) -> tuple[NDArray[np.int64], NDArray[np.uint8]]:
        """Read all segmentations in chunks, and measure them; see `Dataset.measure`."""
        n = len(self.annotation_ids)
        chunks = _chunks(np.arange(n), threads)
        counts = np.empty((n, 3), np.int64)
        statuses = np.empty(n, np.uint8)
        seen = np.zeros(len(self.image_ids), np.bool_)
        done = 0
        measured = map_in_order(
            lambda positions: measure_batch(self.segmentations(positions), convention), chunks, threads
        )
        with closing(measured):
            for part_counts, part_statuses in measured:
                part = slice(done, done + len(part_counts))
                counts[part], statuses[part] = part_counts, part_statuses
                failed = np.flatnonzero(part_statuses)
                if failed.size and self.on_error == "raise":
                    problem = self.problem_at(done + int(failed[0]), Status(part_statuses[failed[0]]))
                    raise problem.error(self.source)
                done = part.stop
                if progress is not None:
                    seen[self.image_index[part]] = True
                    progress(Progress(int(np.count_nonzero(seen)), done, len(seen), n))
        return counts, statuses

    def areas(self, convention: FillConvention, *, threads: int) -> NDArray[np.int64]:
        """Read all segmentations again; see `Dataset.areas`."""
        chunks = _chunks(np.arange(len(self.annotation_ids)), threads)
        found = map_in_order(lambda part: areas(self.segmentations(part), convention), chunks, threads)
        with closing(found):
            return np.concatenate([np.empty(0, np.int64), *found])

    def trace(self, images: NDArray[np.int64], convention: FillConvention, *, threads: int) -> Traced:
        """Read the segmentations of some images again; see `Dataset.trace`."""
        positions = self.positions_in(images)
        chunks = _chunks(positions, threads)
        found = map_in_order(lambda part: contours(self.segmentations(part), convention), chunks, threads)
        with closing(found):
            return Traced.of(positions, found)


def _chunks(positions: NDArray[np.int64], threads: int) -> list[NDArray[np.int64]]:
    """Positions in parts of a size for a task."""
    n = len(positions)
    size = chunk_size(n, threads, CHUNK)
    return [positions[begin : begin + size] for begin in range(0, n, size)]
