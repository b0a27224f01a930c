"""A subset of a JSON text, byte for byte."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._core import join_spans

BLOCK = 1 << 18
"""Bytes that are copied together where the pieces are small."""
STEP = 1 << 24
"""Bytes of a long piece that are written at once."""


@dataclass(frozen=True)
class Selected:
    """An array in a text and which of its records stay.

    Attributes
    ----------
    span : (int, int)
        Of the array with its brackets.
    records : int64 [n, 2]
        The spans of its records.
    keep : bool [n]
        Which stay.
    """

    span: tuple[int, int]
    records: NDArray[np.int64]
    keep: NDArray[np.bool_]


def subset_pieces(
    text: memoryview, arrays: list[Selected], let_go: Callable[[int, int], None]
) -> Iterator[memoryview | bytes]:
    """The text without the records that go: the pieces of it that stay, in order.

    Records that are neighbours stay so with what is between them. Where records between them went, what
    separates the first two records of the array comes between them instead. An array that loses all of its
    records becomes ``[]``.

    Parameters
    ----------
    text : memoryview
        The text.
    arrays : list of Selected
        The arrays that lose records.
    let_go : callable
        Called with the beginning and the end of what has been passed over.
    """
    pieces = _Pieces(text, let_go)
    at = 0
    for array in sorted(arrays, key=lambda array: array.span[0]):
        begin, end = array.span
        if array.keep.all():
            continue
        if array.keep.any():
            yield from pieces.whole(at, int(array.records[0, 0]))
            yield from pieces.joined(*_runs(array))
            at = int(array.records[-1, 1])
        else:
            yield from pieces.whole(at, begin)
            yield b"[]"
            at = end
    yield from pieces.whole(at, len(text))


def _runs(array: Selected) -> tuple[NDArray[np.int64], tuple[int, int]]:
    """Spans of the runs of neighbours that stay, and the span of what comes between two of them."""
    records = array.records
    edges = np.flatnonzero(np.diff(array.keep, prepend=False, append=False))  # begin, end, begin, ...
    runs = np.stack([records[edges[::2], 0], records[edges[1::2] - 1, 1]], axis=1)
    return runs, (int(records[0, 1]), int(records[1, 0])) if len(records) > 1 else (0, 0)


class _Pieces:
    """Long pieces as views of the text, small ones copied together."""

    def __init__(self, text: memoryview, let_go: Callable[[int, int], None]) -> None:
        self._text = text
        self._let_go = let_go

    def whole(self, begin: int, end: int) -> Iterator[memoryview]:
        for at in range(begin, end, STEP):
            stop = min(at + STEP, end)
            yield self._text[at:stop]
            self._let_go(at, stop)

    def joined(self, spans: NDArray[np.int64], between: tuple[int, int]) -> Iterator[memoryview | bytes]:
        separator = bytes(self._text[slice(*between)])
        lengths = spans[:, 1] - spans[:, 0]
        long = lengths > BLOCK
        block = (np.cumsum(lengths) - lengths) // BLOCK
        cuts = np.flatnonzero((block[1:] != block[:-1]) | long[1:] | long[:-1]) + 1
        for i, group in enumerate(np.split(spans, cuts)):
            if i > 0:
                yield separator
            begin, end = int(group[0, 0]), int(group[-1, 1])
            if len(group) == 1:
                yield from self.whole(begin, end)
            else:
                yield join_spans(self._text, np.ascontiguousarray(group), separator)
                self._let_go(begin, end)
