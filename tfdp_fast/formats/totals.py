"""Files of class totals: JSON, with every sum exact."""

from __future__ import annotations

import hashlib
import json
import os
import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from tfdp_fast import __version__
from tfdp_fast._output import atomic_output
from tfdp_fast.errors import DataError
from tfdp_fast.formats._files import read_whole
from tfdp_fast.totals import ClassTotals

__all__ = ["load_totals", "save_totals", "sum_of_text", "sum_text", "totals_bytes"]

FORMAT = 1
"""Raised when an older version could not read what this one writes."""

_NAME = "tfdp-fast class totals"
_TOP_SHIFT = 32 * 67  # of the last limb; those before it have 32 bits each
_EXPONENT = -1074  # a limb counts units of 2**_EXPONENT
_SUM = re.compile(r"0x(0|[1-9a-f][0-9a-f]{0,600})p(0|-?[1-9][0-9]{0,3})")


class _Unreadable(Exception):
    """What is wrong with a file of totals."""


def save_totals(totals: ClassTotals, path: str | os.PathLike[str]) -> None:
    """Write class totals, whole or not at all.

    One JSON object: ``file`` (always the same text), ``format``, ``version`` (of tfdp-fast), ``shape``,
    ``classes``, and ``sha256`` of all that stands before it. Each class has its ``id`` (a number or text),
    the number of its ``instances``, and its exact ``sum`` as a hexadecimal fraction, ``0x…p…``: what a
    reader such as `float.fromhex` or C's ``strtod`` makes of it is T_c, rounded once.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    with atomic_output(path) as file:
        file.write(totals_bytes(totals))


def totals_bytes(totals: ClassTotals) -> bytes:
    """What `save_totals` writes."""
    classes = [
        {"id": category_id, "instances": instances, "sum": sum_text(row)}
        for category_id, instances, row in zip(
            totals.category_ids, totals.instances.tolist(), totals.limbs, strict=True
        )
    ]
    content = {
        "file": _NAME,
        "format": FORMAT,
        "version": __version__,
        "shape": totals.shape,
        "classes": classes,
    }
    return json.dumps({**content, "sha256": _digest(content)}, indent=1).encode() + b"\n"


def load_totals(path: str | os.PathLike[str]) -> ClassTotals:
    """Read what `save_totals` has written.

    Raises
    ------
    DataError
        If the file cannot be read, is none of class totals, is of a newer format, or is damaged.
    """
    name = os.fspath(path)
    data = read_whole(path)
    try:
        return _totals_of(_content_of(data))
    except _Unreadable as error:
        raise DataError(name, None, str(error)) from error


def _digest(content: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(content).encode()).hexdigest()


def _content_of(data: bytes) -> dict[str, Any]:
    """The content of a file, if it is as it was written."""
    try:
        content = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise _Unreadable(f"is no file of class totals: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict) or content.get("file") != _NAME:
        raise _Unreadable("is no file of class totals")
    if content.get("format") != FORMAT:
        raise _Unreadable(f"is of format {content.get('format')}, and this version reads format {FORMAT}")
    if content.pop("sha256", None) != _digest(content):
        raise _Unreadable("has been changed or damaged: its checksum is wrong")
    return content


def _totals_of(content: dict[str, Any]) -> ClassTotals:
    try:
        classes = content["classes"]
        ids = [entry["id"] for entry in classes]
        instances = [entry["instances"] for entry in classes]
        if not all(type(i) in {int, str} for i in ids) or len(set(ids)) < len(ids):
            raise ValueError("a class without an id of its own")
        if not all(type(number) is int and number >= 0 for number in instances):
            raise ValueError("a number of instances that is none")
        limbs = [sum_of_text(entry["sum"]) for entry in classes]
        return ClassTotals.from_limbs(content["shape"], ids, instances, limbs)
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise _Unreadable(f"is no file of class totals: {error}") from error


def sum_text(row: NDArray[np.int64]) -> str:
    """A canonical accumulator int64 [68] as a hexadecimal fraction whose numerator is odd, or 0.

    Examples
    --------
    >>> sum_text(sum_of_text("0x3p-1"))
    '0x3p-1'
    """
    value = int.from_bytes(row[:-1].astype("<u4").tobytes(), "little") + (int(row[-1]) << _TOP_SHIFT)
    shift = (value & -value).bit_length() - 1 if value else -_EXPONENT
    return f"{value >> shift:#x}p{shift + _EXPONENT}"


def sum_of_text(text: str) -> NDArray[np.int64]:
    """The accumulator int64 [68] that `sum_text` has written; ValueError if it is no such text."""
    match = _SUM.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is no exact sum")
    value = int(match[1], 16) << (int(match[2]) - _EXPONENT)
    low = np.frombuffer((value & ((1 << _TOP_SHIFT) - 1)).to_bytes(_TOP_SHIFT // 8, "little"), "<u4")
    return np.append(low.astype(np.int64), np.int64(value >> _TOP_SHIFT))
