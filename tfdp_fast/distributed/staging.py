"""Remote inputs as local files, for as long as they are read."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast

from tfdp_fast.distributed.listings import Entry, entries, look
from tfdp_fast.distributed.storage import filesystem_of, is_remote, joined, parted, reading_errors
from tfdp_fast.errors import DataError, OutputError, TfdpError
from tfdp_fast.formats._documents import LARGEST
from tfdp_fast.formats._gzip import MAGIC
from tfdp_fast.formats._numbered_files import number_of
from tfdp_fast.formats._tar import Tar, TarError
from tfdp_fast.formats._tar_shards import is_sample_document

__all__ = ["staged"]

BLOCK = 16 << 20
"""Bytes of a request."""
_AT_ONCE = 16
"""Documents that are fetched at the same time."""
_STEP = 1 << 20
_PREFIX = "tfdp-staged-"


@contextlib.contextmanager
def staged(location: str) -> Iterator[str]:
    """A local path of an input, to be read within the block.

    What is on this machine is there already. Anything else is fetched into a folder for temporary files
    (which ``TMPDIR`` names), and removed at the end of the block. A tar has its own length there, with all
    headers and documents where they belong, and nothing where its other members would be: these take no room
    on the disk. Of a folder the documents ``sa_<n>.json`` are fetched. If a process is killed, what it has
    left is removed by the next one.

    Parameters
    ----------
    location : str
        See `tfdp_fast.distributed.storage.filesystem_of`.

    Yields
    ------
    str
        A path whose last name is that of the location.

    Raises
    ------
    DataError
        If it cannot be read, or changes meanwhile.
    OutputError
        If there is no room for it.

    Examples
    --------
    >>> with staged("/data/a.tar") as path:
    ...     path
    '/data/a.tar'
    """
    if not is_remote(location):
        yield filesystem_of(location)[1]
        return
    with _room() as room:
        path = room / (parted(location)[1].rstrip("/").rpartition("/")[2] or "input")
        try:
            _fetch(location, path)
        except TfdpError:
            raise
        except OSError as error:
            raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
        yield str(path)


def _fetch(location: str, path: Path) -> None:
    before = look(location)
    if before is None:
        raise DataError(location, None, "cannot be read: No such file or directory")
    if before.is_dir():
        _fetch_documents(location, path)
        return
    about = before.stat()
    with path.open("wb") as target:
        file = _Fetched(location, about.st_size, target)
        if path.name.endswith(".tar") and file.peek(len(MAGIC)) != MAGIC:
            _copy_documents(Tar(cast(BinaryIO, file), about.st_size))
            target.truncate(about.st_size)
        else:
            while file.read(_STEP):
                pass
    after = look(location)
    if after is None or _version(after) != _version(before):
        raise DataError(location, None, "has changed while it was read")


def _copy_documents(tar: Tar) -> None:
    """Read the headers and the documents. What is read is written."""
    # What is wrong with a tar is found again by those who read it.
    with contextlib.suppress(TarError):
        for member in tar.members():
            if member.refusal is None and member.size <= LARGEST and is_sample_document(member.name):
                for _ in tar.parts(member.data, member.data + member.size):
                    pass


def _fetch_documents(location: str, folder: Path) -> None:
    """Fetch the documents of a folder."""
    folder.mkdir()

    def fetch(entry: Entry) -> None:
        size = entry.stat().st_size
        with (folder / entry.name).open("wb") as target:
            if size > LARGEST:  # which its reader will refuse, by its size
                target.truncate(size)
                return
            file = _Fetched(joined(location, entry.name), size, target)
            while file.read(_STEP):
                pass

    found = _documents(location)
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        try:
            list(pool.map(fetch, found.values()))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    now = _documents(location)
    if {name: _version(entry) for name, entry in now.items()} != {
        name: _version(entry) for name, entry in found.items()
    }:
        raise DataError(location, None, "has changed while it was read")


def _documents(location: str) -> dict[str, Entry]:
    return {entry.name: entry for entry in entries(location) if number_of(entry.name) is not None}


def _version(entry: Entry) -> tuple[int, int]:
    about = entry.stat()
    return about.st_size, about.st_mtime_ns


class _Fetched:
    """A remote file, read by large blocks. What is read is written to a local one, at the same place."""

    def __init__(self, location: str, size: int, target: BinaryIO) -> None:
        self._location = location
        self._size = size
        self._target = target
        self._at = self._begin = 0
        self._block = b""
        self._file: Any = None

    def seek(self, at: int) -> None:
        """Go to a place."""
        self._at = at

    def read(self, size: int) -> bytes:
        """Read from there; fewer bytes at the end."""
        data = self.peek(size)
        self._target.seek(self._at)
        self._target.write(data)
        self._at += len(data)
        return data

    def peek(self, size: int) -> bytes:
        """The same, without moving, and without writing."""
        at, end = self._at, min(self._at + size, self._size)
        parts = []
        while at < end:
            if not self._begin <= at < self._begin + len(self._block):
                self._begin, self._block = at, self._fetch(at)
            part = self._block[at - self._begin : end - self._begin]
            parts.append(part)
            at += len(part)
        return b"".join(parts)

    def _fetch(self, at: int) -> bytes:
        size = min(BLOCK, self._size - at)
        with reading_errors(self._location):
            if self._file is None:
                filesystem, path = filesystem_of(self._location)
                self._file = filesystem.open_input_file(path)
            block = bytes(self._file.read_at(size, at))
        if len(block) < size:
            reason = f"has changed while it was read: it has fewer than {self._size:,} bytes"
            raise DataError(self._location, None, reason)
        return block


@contextlib.contextmanager
def _room() -> Iterator[Path]:
    """A folder for temporary files, locked for as long as it is used."""
    parent = tempfile.gettempdir()
    _sweep(parent)
    try:
        made = tempfile.mkdtemp(prefix=".tfdp-")
    except OSError as error:
        raise OutputError(f"{parent}: cannot be written: {error.strerror}") from error
    # The system gives up the lock of a process that is killed. Before there is a lock, the name is another.
    lock = os.open(made, os.O_RDONLY | os.O_DIRECTORY)
    room = Path(made)
    try:
        with contextlib.suppress(OSError):  # a file system without locks
            fcntl.flock(lock, fcntl.LOCK_EX)
            room = room.rename(Path(parent, _PREFIX + room.name.removeprefix(".tfdp-")))
        yield room
    finally:
        shutil.rmtree(room, ignore_errors=True)
        os.close(lock)


@cache
def _sweep(parent: str) -> None:
    """Remove what processes that were killed have left. Once for each process."""
    for room in Path(parent).glob(f"{_PREFIX}*"):
        with contextlib.suppress(OSError):
            lock = os.open(room, os.O_RDONLY | os.O_DIRECTORY)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                shutil.rmtree(room, ignore_errors=True)
            finally:
                os.close(lock)
