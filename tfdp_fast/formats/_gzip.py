"""Files that are compressed with gzip."""

from __future__ import annotations

import contextlib
import gzip
import os
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, cast

from tfdp_fast.errors import DataError

MAGIC = b"\x1f\x8b"
LEVEL = 6
"""Of compression: what the command ``gzip`` does. Python's own default, 9, takes twice as long."""


def unpacked(name: str, data: Any) -> Any:
    """What bytes hold, if they are compressed; else the bytes themselves.

    Raises
    ------
    DataError
        If they are damaged.
    """
    if bytes(memoryview(data)[:2]) != MAGIC:
        return data
    try:
        return gzip.decompress(data)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(name, None, f"cannot be decompressed: {error}") from error


@contextlib.contextmanager
def packing(file: BinaryIO, destination: Any) -> Iterator[BinaryIO]:
    """Compress what is written, if the destination is a path that ends in ``.gz``.

    Equal contents give equal files: neither a time nor a name is in them.
    """
    if not isinstance(destination, (str, os.PathLike)) or Path(destination).suffix.lower() != ".gz":
        yield file
        return
    with gzip.GzipFile(filename="", mode="wb", compresslevel=LEVEL, fileobj=file, mtime=0) as packed:
        yield cast(BinaryIO, packed)
