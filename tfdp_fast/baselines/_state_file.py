"""The file of a `TrainingRecorder`.

A line ``tfdp-recorder 1``; a line of JSON (``methods``, and ``arrays``, their names); the arrays in the
format of ``.npy``, one after the other; and the SHA-256 of all that, 32 bytes. No pickles.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from typing import Any, BinaryIO

import numpy as np
from numpy.typing import NDArray

from tfdp_fast._output import atomic_output
from tfdp_fast.errors import DataError
from tfdp_fast.formats._files import read_whole

__all__ = ["read_state", "write_state"]

_NAME, _VERSION = b"tfdp-recorder", 1
_CHECKSUM = hashlib.sha256


class _Hashed:
    """A file that takes the checksum of what is written to it."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self.checksum = _CHECKSUM()

    def write(self, data: Any) -> int:
        self.checksum.update(data)
        return self._file.write(data)


def write_state(
    path: str | os.PathLike[str], methods: dict[str, Any], arrays: dict[str, NDArray[Any]]
) -> None:
    """Write a file, whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with atomic_output(path) as file:
        out: Any = _Hashed(file)
        out.write(b"%s %d\n" % (_NAME, _VERSION))
        out.write(json.dumps({"methods": methods, "arrays": list(arrays)}).encode() + b"\n")
        for array in arrays.values():
            np.lib.format.write_array(out, np.ascontiguousarray(array), allow_pickle=False)
        file.write(out.checksum.digest())


def read_state(path: str | os.PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Read what `write_state` has written: methods and arrays.

    Raises
    ------
    DataError
        If the file cannot be read, is none of these, is of a newer format, or is damaged.
    """
    name, data = os.fspath(path), read_whole(path)
    first, _, _ = data.partition(b"\n")
    kind, _, version = first.partition(b" ")
    if kind != _NAME:
        raise DataError(name, None, "is no file of a TrainingRecorder")
    if version != b"%d" % _VERSION:
        raise DataError(name, None, f"is of format {version.decode('ascii', 'replace')}, not {_VERSION}")
    content, checksum = memoryview(data)[:-32], data[-32:]
    if _CHECKSUM(content).digest() != checksum:
        raise DataError(name, None, "is damaged: its checksum is wrong")
    stream = io.BytesIO(content)
    stream.readline()
    about = json.loads(stream.readline())
    arrays = {key: np.lib.format.read_array(stream, allow_pickle=False) for key in about["arrays"]}
    return about["methods"], arrays
