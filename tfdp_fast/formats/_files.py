"""Files that are read: as a whole, and whether they are still the same later."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
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


class FileVersion:
    """A file as it was when it was opened.

    Attributes
    ----------
    stat : os.stat_result
        What it was.
    """

    def __init__(self, name: str, stat_result: os.stat_result) -> None:
        self._name = name
        self._path = Path(name).absolute()
        self.stat = stat_result

    def pieces(self) -> Iterator[bytes]:
        """The content, read rather than mapped: what is mapped is given back meanwhile."""
        try:
            with self._path.open("rb", buffering=0) as file:
                while piece := file.read(1 << 20):
                    yield piece
        except OSError as error:
            raise DataError(self._name, None, f"cannot be read: {error.strerror}") from error

    def check(self) -> None:
        """Raise DataError if there is another file, or other content, by that name now."""
        try:
            now = self._path.stat()
        except OSError as error:
            raise DataError(self._name, None, f"cannot be read any more: {error.strerror}") from None
        if _identity(now) != _identity(self.stat):
            raise DataError(self._name, None, "has changed since it was read")


def _identity(result: os.stat_result) -> tuple[int, ...]:
    return result.st_dev, result.st_ino, result.st_size, result.st_mtime_ns
