"""Files that are read as a whole."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from tfdp_fast import _core
from tfdp_fast.errors import DataError


def read_whole(path: str | os.PathLike[str]) -> bytes:
    """The content of a file; DataError if it cannot be read."""
    try:
        return Path(path).read_bytes()
    except OSError as error:
        raise DataError(os.fspath(path), None, f"cannot be read: {error.strerror or error}") from error
    except ValueError as error:  # a null character in the name
        raise DataError(os.fspath(path), None, f"cannot be read: {error}") from error


def read_each(paths: Sequence[str]) -> list[bytes | DataError]:
    """The content of each of many small files, or why it cannot be read.

    Python's lock is given away once for all of them. Threads that give it away for every call to the system
    spend their time waiting for each other.
    """
    return [
        content
        if isinstance(content, bytes)
        else DataError(path, None, f"cannot be read: {os.strerror(content)}")
        for path, content in zip(paths, _core.read_files(list(map(os.fsencode, paths))), strict=True)
    ]
