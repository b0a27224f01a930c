"""A subset of a JSON text, byte for byte."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


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


def subset_pieces(text: memoryview, arrays: list[Selected]) -> Iterator[memoryview]:
    """The text without the records that go: the pieces of it that stay, in order.

    Records that are neighbours stay so with what is between them. Where records between them went, what
    separates the first two records of the array comes between them instead. An array that loses all of its
    records becomes ``[]``.
    """
    at = 0
    for array in sorted(arrays, key=lambda array: array.span[0]):
        begin, end = array.span
        yield text[at:begin]
        if array.keep.all():
            yield text[begin:end]
        elif not array.keep.any():
            yield memoryview(b"[]")
        else:
            yield from _kept(text, array)
        at = end
    yield text[at:]


def _kept(text: memoryview, array: Selected) -> Iterator[memoryview]:
    spans = array.records
    edges = np.flatnonzero(
        np.diff(array.keep, prepend=False, append=False)
    )  # where runs begin and end, in turn
    begins = spans[edges[::2], 0].tolist()
    ends = spans[edges[1::2] - 1, 1].tolist()
    separator = text[spans[0, 1] : spans[1, 0]]
    piece = text[array.span[0] : spans[0, 0]]
    for begin, end in zip(begins, ends, strict=True):
        yield piece
        yield text[begin:end]
        piece = separator
    yield text[spans[-1, 1] : array.span[1]]
