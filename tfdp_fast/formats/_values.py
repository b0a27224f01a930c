"""Single values as Python objects hand them over: ids, flags, sides; numbers of NumPy and tensors too."""

from __future__ import annotations

from typing import Any

import numpy as np

from tfdp_fast.formats._coco_records import INT64, MAX_TEXT_ID

__all__ = ["as_array", "as_id", "as_list", "plain_value"]


def plain_value(value: Any) -> Any:
    """A number of NumPy's, or an array or tensor of one element, as Python's own; else the value as it is."""
    if isinstance(value, (int, str, float)) or value is None:
        return value
    if hasattr(value, "item") and hasattr(value, "shape"):
        try:
            return value.item()
        except (TypeError, ValueError, RuntimeError):  # several elements
            return value
    return value


def as_id(value: Any) -> int | str | None:
    """An id as a whole number of 64 bits or as text; None if it is neither.

    Examples
    --------
    >>> import numpy as np
    >>> as_id(np.int32(7)), as_id("a"), as_id(1.5), as_id(2**63)
    (7, 'a', None, None)
    """
    if type(value) is not int:
        value = plain_value(value)
        if isinstance(value, str):  # NumPy's columns of text drop NULs at the end
            return str(value) if len(value) <= MAX_TEXT_ID and not value.endswith("\0") else None
        if isinstance(value, bool) or not isinstance(value, int):
            return None
    return int(value) if value in INT64 else None


def as_list(column: Any) -> list[Any] | None:
    """The values of a list, an array or a tensor along its first axis; None if it is nothing of that kind."""
    if isinstance(column, (list, tuple)):
        return list(column)
    if not hasattr(column, "tolist") or getattr(column, "ndim", 0) < 1:
        return None
    values: list[Any] = column.tolist() if column.ndim == 1 else list(column)
    return values


def as_array(value: Any) -> Any:
    """What turns into an array of NumPy, such as a tensor, as one; anything else as it is.

    Raises
    ------
    ValueError
        If it should turn into one and does not, as a tensor on another device; or if it is masked.
    """
    if isinstance(value, np.ma.MaskedArray):
        raise ValueError("says twice what is foreground, as a masked array: call its filled()")
    if isinstance(value, np.ndarray) or not hasattr(value, "__array__"):
        return value
    try:
        return np.asarray(value)
    except (TypeError, ValueError, RuntimeError) as error:
        raise ValueError(f"cannot be turned into an array: {str(error).partition(chr(10))[0]}") from error
