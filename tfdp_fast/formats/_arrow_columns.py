"""Columns of Arrow as arrays of NumPy, and which of their values cannot be used."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from tfdp_fast._core import max_side
from tfdp_fast.formats._coco_records import INT64, Key
from tfdp_fast.formats._values import as_id
from tfdp_fast.tables import Ids

Faults = dict[int, str]
"""Why the values at some positions cannot be used."""


def plain(array: Any) -> Any:
    """An array of the values themselves, where there are indices into a dictionary."""
    return array.dictionary_decode() if pa.types.is_dictionary(array.type) else array


def lists(array: Any) -> tuple[NDArray[np.int64], Any]:
    """The lengths of lists, 0 for null, and their values one after the other."""
    lengths = pc.list_value_length(array).fill_null(0).cast(pa.int64())
    return lengths.to_numpy(zero_copy_only=False), array.flatten()


def packed_sides(sizes: NDArray[np.int32]) -> NDArray[np.int64]:
    """Heights and widths [n, 2] as one number each: equal where both are."""
    return np.ascontiguousarray(sizes).view(np.int64)[:, 0]


def offsets_of(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Where each list begins, and the end of the last."""
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets


def ids(array: Any, key: Key) -> tuple[Ids, Faults]:
    """Ids, all of them whole numbers or all of them text."""
    array = plain(array)
    faults = _nulls(array, key)
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int64), faults
    if pa.types.is_integer(array.type):
        values = _values(array, 0)
        if values.dtype == np.uint64:
            large = values >= INT64.stop
            faults |= dict.fromkeys(np.flatnonzero(large).tolist(), f'"{key.name}" is beyond 64 bits')
            values = np.where(large, 0, values)
        return values.astype(np.int64, copy=False), faults
    # As a rule many rows share a text: it is looked at once.
    encoded = array.fill_null("").dictionary_encode()
    texts, at = encoded.dictionary.to_pylist(), _values(encoded.indices, 0)
    for i, text in enumerate(texts):
        if as_id(text) is None:
            unfit = np.flatnonzero(at == i).tolist()
            faults |= dict.fromkeys(unfit, f'"{key.name}" ends with a NUL or is too long')
            texts[i] = ""
    return np.array(texts, np.str_)[at], faults


def own_ids(column: Any) -> Ids:
    """Ids in a column that we have written: int64, or text without nulls."""
    if pa.types.is_string(column.type):
        return np.array(column.to_pylist(), np.str_)
    found: Ids = column.to_numpy()
    return found


def sides(array: Any, key: Key) -> tuple[NDArray[np.int32], Faults]:
    """Heights or widths."""
    faults = _nulls(array, key)
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int32), faults
    values = _values(array, 0)
    unfit = (values < 0) | (values > max_side)
    if values.dtype.kind == "f":
        unfit |= values != np.floor(values)
    if not unfit.any():
        return values.astype(np.int32, copy=False), faults
    for position in np.flatnonzero(unfit).tolist():
        faults[position] = key.reason(values[position].item())
    return np.where(unfit, 0, values).astype(np.int32), faults


def flags(array: Any, key: Key) -> tuple[NDArray[np.bool_], Faults]:
    """Flags, false for null."""
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.bool_), {}
    values = _values(array, False if pa.types.is_boolean(array.type) else 0)
    faults: Faults = {}
    if values.dtype.kind == "f":
        unfit = ~np.isfinite(values)
        faults = {i: key.reason(values[i].item()) for i in np.flatnonzero(unfit).tolist()}
        values = np.where(unfit, 0, values)
    return values.astype(np.bool_), faults


def texts(array: Any) -> list[str | None]:
    """Text, None for null."""
    values: list[str | None] = plain(array).to_pylist()
    return values


def _values(array: Any, null: Any) -> NDArray[Any]:
    """Numbers or flags, in the array's own memory where that can be."""
    values: NDArray[Any] = (array.fill_null(null) if array.null_count else array).to_numpy(
        zero_copy_only=False
    )
    return values


def _nulls(array: Any, key: Key) -> Faults:
    if array.null_count == 0:
        return {}
    nulls = np.flatnonzero(~array.is_valid().to_numpy(zero_copy_only=False))
    return dict.fromkeys(nulls.tolist(), f'has no "{key.name}"')
