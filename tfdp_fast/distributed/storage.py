"""Folders of files that appear whole or not at all, here or on an object store."""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
import time
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.parse import quote

import pyarrow as pa
from pyarrow import fs

from tfdp_fast._output import atomic_output
from tfdp_fast._text import one_line
from tfdp_fast.errors import DataError, MissingExtraError, OptionError, OutputError

__all__ = ["Storage", "filesystem_of", "is_address", "is_remote"]

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_QUERY = re.compile(r"\?(?:[a-z_]+=[^&?*]*)(?:&[a-z_]+=[^&?*]*)*$")
"""Options of a file system at the end of an address; a question mark elsewhere is a part of the name."""
_OF_ARROW = {"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"}
_TEMPORARY = re.compile(r"\.tfdp-[0-9a-f]{16}\.tmp").fullmatch
_STALE = 900.0
"""Seconds without a byte written, after which the writer of a temporary file is taken to be dead."""
_IN_MEMORY = 64 << 20
_STEP = 8 << 20


def is_address(location: str) -> bool:
    """Does it name its file system, ``file://`` for example?"""
    return _URI.fullmatch(location) is not None


def is_remote(location: str) -> bool:
    """Is it an address of a file system other than the local one?"""
    found = _URI.fullmatch(location)
    return found is not None and found[1] != "file"


@cache
def filesystem_of(location: str) -> tuple[Any, str]:
    """The file system that a location is on, and its path there.

    Parameters
    ----------
    location : str
        A local path or ``file://``; ``s3://``, ``gs://``, ``abfs://`` or ``hdfs://``, for which pyarrow has
        file systems; any other scheme that fsspec knows, ``hf://`` for example. Names stand as they are:
        nothing is percent-encoded. pyarrow's options may follow:
        ``s3://bucket/folder?endpoint_override=host:9000&scheme=http``.

    Returns
    -------
    filesystem : pyarrow.fs.FileSystem
    path : str

    Raises
    ------
    OptionError
        If there is no such file system, or it does not accept the options.
    MissingExtraError
        If fsspec, or what it needs for the scheme, is not installed.

    Examples
    --------
    >>> filesystem, path = filesystem_of("/data/run")
    >>> filesystem.type_name, path
    ('local', '/data/run')
    """
    found = _URI.fullmatch(location)
    if found is None:
        return fs.LocalFileSystem(), location
    scheme, rest = found[1].lower(), found[2]
    if scheme == "file":
        return fs.LocalFileSystem(), rest
    if scheme not in _OF_ARROW:
        return _from_fsspec(scheme, rest)
    query = _QUERY.search(rest)
    path = (rest if query is None else rest[: query.start()]).rstrip("/")
    options = "" if query is None else query[0]
    bucket = path.partition("/")[0]
    try:
        filesystem, _ = fs.FileSystem.from_uri(f"{scheme}://{quote(bucket)}{options}")
    except (pa.ArrowException, OSError) as error:
        raise OptionError(f"{location}: {one_line(str(error))}") from error
    return filesystem, path


def _from_fsspec(scheme: str, path: str) -> tuple[Any, str]:
    try:
        import fsspec
    except ImportError:
        raise MissingExtraError("fsspec", "remote") from None
    try:
        filesystem = fsspec.filesystem(scheme)
    except ImportError as error:
        raise MissingExtraError(
            f"what fsspec wants for {scheme}:// ({one_line(str(error))})", "remote"
        ) from None
    except ValueError:
        raise OptionError(f"{scheme}://{path}: no file system is known for {scheme}://") from None
    return fs.PyFileSystem(fs.FSSpecHandler(filesystem)), path.rstrip("/")


class Storage:
    """A folder in which files appear whole or not at all; on any file system.

    It is its location and nothing else, so it may be pickled, and opened on another machine.

    Parameters
    ----------
    location : str or path
        See `filesystem_of`. The folder need not exist; it is made when something is written.

    Attributes
    ----------
    location : str
        As it was given, without a slash at its end.
    local : Path or None
        The folder, if it is on the local file system.

    Examples
    --------
    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     storage = Storage(f"{folder}/run")
    ...     storage.write_bytes("counts/a.txt", b"17")
    ...     storage.read_bytes("counts/a.txt"), storage.files("counts"), storage.exists("b.txt")
    (b'17', {'a.txt': 2}, False)
    """

    def __init__(self, location: str | os.PathLike[str]) -> None:
        given = os.fspath(location)
        if not given or "\0" in given:
            raise OptionError(f"{given!r} is not the name of a folder")
        self.location = given.rstrip("/") or "/"
        self.local = None if is_remote(given) else Path(filesystem_of(self.location)[1])

    def __repr__(self) -> str:
        return f"Storage({self.location!r})"

    def path_of(self, name: str) -> str:
        """What a file is called in messages."""
        return f"{self.location}/{name}"

    def exists(self, name: str) -> bool:
        """Is there a file of this name?"""
        return self.size(name) is not None

    def size(self, name: str) -> int | None:
        """How many bytes a file has; None if there is none."""
        with self._reading(name) as (filesystem, path):
            about = filesystem.get_file_info(path)
        return int(about.size or 0) if about.type == fs.FileType.File else None

    def files(self, folder: str) -> dict[str, int]:
        """The files directly in a folder by name, in the order of their names, with their sizes in bytes.

        Files that are being written are left out. There are none in a folder that does not exist.
        """
        with self._reading(folder) as (filesystem, path):
            found = filesystem.get_file_info(fs.FileSelector(path, allow_not_found=True))
        named = {about.base_name: int(about.size or 0) for about in found if about.type == fs.FileType.File}
        return {name: named[name] for name in sorted(named) if not _TEMPORARY(name)}

    def read_bytes(self, name: str) -> bytes:
        """The content of a file; DataError if it cannot be read."""
        with self._reading(name) as (filesystem, path), filesystem.open_input_stream(path) as file:
            return bytes(file.read())

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[Any]:
        """Open a file for reading at any place, as a `pyarrow.NativeFile`; DataError if it cannot be read."""
        with self._reading(name) as (filesystem, path), filesystem.open_input_file(path) as file:
            yield file

    def write_bytes(self, name: str, content: bytes) -> None:
        """Write a file, whole or not at all; OutputError if it cannot be written."""
        with self.create(name) as file:
            file.write(content)

    @contextlib.contextmanager
    def create(self, name: str) -> Iterator[BinaryIO]:
        """Open a file for writing that appears, or replaces another, at the end of the block.

        If the block fails, there is what there was before. Here a file has a temporary name until it is
        complete and on the disk; on another file system it is gathered here first, then sent in one go.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        if self.local is not None:
            path = self.local / name
            try:
                path.parent.mkdir(parents=True, exist_ok=True)
            except OSError as error:
                raise OutputError(f"{path}: {error.strerror or error}") from error
            with atomic_output(path) as file:
                yield file
            return
        with tempfile.SpooledTemporaryFile(_IN_MEMORY) as gathered:
            yield cast(BinaryIO, gathered)
            gathered.seek(0)
            self._send(name, cast(BinaryIO, gathered))

    def delete(self, name: str) -> None:
        """Remove a file, if it is there; OutputError if it cannot be removed."""
        with self._writing(name) as (filesystem, path):
            if filesystem.get_file_info(path).type != fs.FileType.NotFound:
                filesystem.delete_file(path)

    def sweep(self, *folders: str) -> list[str]:
        """Remove temporary files that dead writers have left, and return their names.

        On object stores there are none. A file counts as left when nobody has written to it for a quarter of
        an hour.
        """
        swept = []
        if self.local is not None:
            for folder in folders:
                with contextlib.suppress(OSError):
                    for path in (self.local / folder).iterdir():
                        if _TEMPORARY(path.name) and time.time() - path.stat().st_mtime > _STALE:
                            path.unlink()
                            swept.append(f"{folder}/{path.name}")
        return swept

    def _send(self, name: str, file: BinaryIO) -> None:
        with self._writing(name) as (filesystem, path):
            if isinstance(filesystem, fs.PyFileSystem) and "/" in path:
                filesystem.create_dir(path.rpartition("/")[0], recursive=True)
            stream = filesystem.open_output_stream(path)
            # Closing a stream completes the object. So it is closed only when all has been written.
            while part := file.read(_STEP):
                stream.write(part)
            stream.close()

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[tuple[Any, str]]:
        filesystem, folder = filesystem_of(self.location)
        try:
            yield filesystem, f"{folder}/{name}" if name else folder
        except (pa.ArrowException, OSError) as error:
            if isinstance(error, (DataError, OutputError)):
                raise
            raise DataError(self.path_of(name), None, f"cannot be read: {_reason(error)}") from error

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[tuple[Any, str]]:
        filesystem, folder = filesystem_of(self.location)
        try:
            yield filesystem, f"{folder}/{name}"
        except (pa.ArrowException, OSError) as error:
            raise OutputError(f"{self.path_of(name)}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(str(error).strip().partition("\n")[0].rstrip("."))
