"""Hashes of what is read, made on another thread while it is read."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tfdp_fast.formats.dataset import Fingerprint

if TYPE_CHECKING:
    from typing_extensions import Self


class FileHash:
    """The fingerprint of one file, made meanwhile: a context manager, at whose end it is there.

    Parameters
    ----------
    pieces : iterable of bytes-like
        The content. Taken on another thread; what that raises is raised at the end.
    """

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = pieces
        self._thread = threading.Thread(target=self._run, name="tfdp-hash")
        self._failure: Exception | None = None
        self._stopped = False
        self.fingerprint: Fingerprint | None = None

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._stopped = kind is not None
        self._thread.join()
        if kind is None and self._failure is not None:
            raise self._failure

    def _run(self) -> None:
        found, size = hashlib.sha256(), 0
        try:
            for piece in self._pieces:
                if self._stopped:
                    return
                found.update(piece)
                size += len(piece)
        except Exception as error:  # raised again where the result is wanted
            self._failure = error
        self.fingerprint = Fingerprint(1, size, found.hexdigest())


class ListHash:
    """The fingerprint of several files, each of which has been hashed where it was read."""

    def __init__(self) -> None:
        self._files = self._size = 0
        self._last = hashlib.sha256().hexdigest()
        self._lines = hashlib.sha256()

    def add(self, name: str, size: int, sha256: str) -> None:
        """Take in the next file, by its path relative to the data set."""
        self._files += 1
        self._size += size
        self._last = sha256
        self._lines.update(f"{sha256}  {name}\n".encode("utf-8", "surrogateescape"))

    @property
    def fingerprint(self) -> Fingerprint:
        """Of what has been taken in so far; of one file, its own."""
        found = self._lines.hexdigest() if self._files > 1 else self._last
        return Fingerprint(self._files, self._size, found)
