"""What Forgetting needs of all instances: segments of checkpoints, and their planes of bits.

`tfdp_fast.kernels.forgetting` says what a segment is. An instance that is recorded at every checkpoint has
one, with two bits a pixel.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast.baselines._pixels import PixelBatch

__all__ = ["Segments", "grown"]

Ints = NDArray[np.int64]


def grown(column: NDArray[Any], length: int) -> NDArray[Any]:
    """The column, or a longer copy with zeros at its end, so that there is room for so many."""
    if length <= len(column):
        return column
    longer = np.zeros((max(length, len(column) * 3 // 2), *column.shape[1:]), column.dtype)
    longer[: len(column)] = column
    return longer


class Segments:
    """The segments of all instances, which are known by their rows.

    Attributes
    ----------
    table : int64 [S, 8]
        The columns are those of the kernels.
    bits : uint8 [B]
        The planes.
    """

    def __init__(self, table: Ints | None = None, bits: NDArray[np.uint8] | None = None) -> None:
        from tfdp_fast.kernels import forgetting

        self._kernels = forgetting
        self._table = np.zeros((0, forgetting.COLUMNS), np.int64) if table is None else table
        self._bits = np.zeros(0, np.uint8) if bits is None else bits
        self._size, self._used = len(self._table), len(self._bits)
        self._last_of = np.zeros(0, np.int64)  # the segment of each row that was begun last, plus 1
        if self._size:
            rows = self._table[:, forgetting.ROW]
            self._last_of = np.zeros(int(rows.max()) + 1, np.int64)
            self._last_of[rows] = np.arange(1, self._size + 1)  # they are in order

    @property
    def table(self) -> Ints:
        return self._table[: self._size]

    @property
    def bits(self) -> NDArray[np.uint8]:
        return self._bits[: self._used]

    def record(self, epoch: int, rows: Ints, batch: PixelBatch) -> None:
        """Take in a checkpoint of different instances that have not been recorded at it."""
        kernels = self._kernels
        if len(rows) == 0:
            return
        self._last_of = grown(self._last_of, int(rows.max()) + 1)
        new = ~self._ends_at(epoch - 1, rows)
        first, size = self._size, int(np.count_nonzero(new))
        self._table = grown(self._table, first + size)
        begun = self._table[first : first + size]
        begun[:] = 0
        begun[:, kernels.ROW], begun[:, kernels.START], begun[:, kernels.STOP] = rows[new], epoch, epoch - 1
        lengths = _bytes_of(batch.pixels[new], begun[:, kernels.START])
        begun[:, kernels.AT] = self._used + np.cumsum(lengths) - lengths
        self._bits = grown(self._bits, self._used + int(lengths.sum()))
        self._size, self._used = first + size, self._used + int(lengths.sum())
        self._last_of[rows[new]] = np.arange(first, first + size) + 1
        at = self._last_of[rows] - 1
        kernels.record_right(batch.logits, batch.targets, batch.offsets, at, self._table, self._bits)

    def same(self, epoch: int, rows: Ints, batch: PixelBatch) -> NDArray[np.bool_]:
        """Is this what was recorded last of each instance, at this checkpoint? False if it cannot be told."""
        same = np.zeros(len(rows), np.bool_)
        right = (batch.logits > 0) == (batch.targets == 1)
        for j in np.flatnonzero(self._ends_at(epoch, rows)):
            at = self._table[self._last_of[rows[j]] - 1, self._kernels.AT]
            plane = np.packbits(right[batch.offsets[j] : batch.offsets[j + 1]], bitorder="little")
            same[j] = np.array_equal(plane, self._bits[at : at + len(plane)])
        return same

    def renumbered(self, row_of: Ints) -> tuple[Ints, NDArray[np.uint8]]:
        """The table with other rows, and the planes: not a copy."""
        table = self.table.copy()
        table[:, self._kernels.ROW] = row_of[table[:, self._kernels.ROW]]
        return table, self.bits

    def joined(self, pixels: Ints, *others: tuple[Ints, NDArray[np.uint8]], gaps: bool = False) -> Segments:
        """All segments, those of the others included, joined where checkpoints follow each other.

        Parameters
        ----------
        pixels : int64 [R]
            How many pixels the instance of each row has.
        *others : tuple
            More tables and their planes, of other checkpoints.
        gaps : bool
            Join also where checkpoints are missing in between.

        Returns
        -------
        Segments
            By row and checkpoint; the same for any order in which they were recorded or are given.
        """
        kernels = self._kernels
        tables, bits, used = [], [], 0
        for table, planes in ((self.table, self.bits), *others):
            tables.append(table.copy())
            tables[-1][:, kernels.AT] += used
            bits.append(planes)
            used += len(planes)
        table, planes = np.concatenate(tables), np.concatenate(bits)
        table = np.ascontiguousarray(table[np.lexsort((table[:, kernels.START], table[:, kernels.ROW]))])
        remain = kernels.join_segments(table, pixels, planes, int(gaps))
        table = table[remain == 1]
        lengths = _bytes_of(pixels[table[:, kernels.ROW]], table[:, kernels.START])
        packed = np.empty(int(lengths.sum()), np.uint8)
        begin = 0
        for at, length in zip(table[:, kernels.AT].tolist(), lengths.tolist(), strict=True):
            packed[begin : begin + length] = planes[at : at + length]
            begin += length
        table[:, kernels.AT] = np.cumsum(lengths) - lengths
        return Segments(table, packed)

    def counts(self, pixels: Ints) -> tuple[Ints, Ints]:
        """Events of each row, and its pixels that were never right, [R, 2] each: over box and mask.

        Checkpoints that are missing are passed over.
        """
        kernels = self._kernels
        whole = self.joined(pixels, gaps=True).table
        events, never = np.zeros((len(pixels), 2), np.int64), np.zeros((len(pixels), 2), np.int64)
        rows = whole[:, kernels.ROW]
        events[rows] = whole[:, [kernels.FORGOTTEN, kernels.FORGOTTEN_MASK]]
        never[rows] = whole[:, [kernels.NEVER, kernels.NEVER_MASK]]
        return events, never

    def _ends_at(self, epoch: int, rows: Ints) -> NDArray[np.bool_]:
        """Does the last segment of each row end with this checkpoint?"""
        last = self._last_of[rows]
        found: NDArray[np.bool_] = last > 0
        found[found] = self._table[last[found] - 1, self._kernels.STOP] == epoch
        return found


def _bytes_of(pixels: Ints, start: Ints) -> Ints:
    """How many bytes segments take: two planes, and two more if they begin later than checkpoint 1."""
    return (pixels + 7) // 8 * np.where(start > 1, 4, 2)
