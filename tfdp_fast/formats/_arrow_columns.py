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
        values = array.fill_null(0).to_numpy(zero_copy_only=False)
        if values.dtype == np.uint64:
            large = values >= INT64.stop
            faults |= dict.fromkeys(np.flatnonzero(large).tolist(), f'"{key.name}" is beyond 64 bits')
            values = np.where(large, 0, values)
        return values.astype(np.int64), faults
    texts = array.fill_null("").to_pylist()
    for position, text in enumerate(texts):
        if as_id(text) is None:
            faults[position] = f'"{key.name}" ends with a NUL or is too long'
            texts[position] = ""
    return np.array(texts, np.str_), faults


def sides(array: Any, key: Key) -> tuple[NDArray[np.int32], Faults]:
    """Heights or widths."""
    faults = _nulls(array, key)
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.int32), faults
    values = array.fill_null(0).to_numpy(zero_copy_only=False)
    unfit = (values < 0) | (values > max_side) | (values != np.floor(values))
    for position in np.flatnonzero(unfit).tolist():
        faults[position] = key.reason(values[position].item())
    return np.where(unfit, 0, values).astype(np.int32), faults


def flags(array: Any, key: Key) -> tuple[NDArray[np.bool_], Faults]:
    """Flags, false for null."""
    if pa.types.is_null(array.type):
        return np.zeros(len(array), np.bool_), {}
    zero = False if pa.types.is_boolean(array.type) else 0
    values = array.fill_null(zero).to_numpy(zero_copy_only=False)
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


def _nulls(array: Any, key: Key) -> Faults:
    if array.null_count == 0:
        return {}
    nulls = np.flatnonzero(~array.is_valid().to_numpy(zero_copy_only=False))
    return dict.fromkeys(nulls.tolist(), f'has no "{key.name}"')
