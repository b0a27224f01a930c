"""Folders of files that appear whole or not at all, here or on an object store."""

from __future__ import annotations

import contextlib
import errno
import mmap
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
from tfdp_fast.errors import DataError, MissingExtraError, OptionError, OutputError, TfdpError

__all__ = ["Storage", "filesystem_of", "is_address", "is_remote", "joined", "parted", "reading_errors"]

_URI = re.compile(r"([A-Za-z][A-Za-z0-9+.-]+)://(.*)", re.DOTALL)
_QUERY = re.compile(r"\?(?:[a-z_]+=[^&?*]*)(?:&[a-z_]+=[^&?*]*)*$")
"""Options of a file system at the end of an address; a question mark elsewhere is a part of the name."""
_OF_ARROW = {"s3", "gs", "gcs", "abfs", "abfss", "hdfs", "viewfs"}
_TEMPORARY = re.compile(r"\.tfdp-[0-9a-f]{16}\.tmp").fullmatch
_STALE = 900.0
"""Seconds without a byte written, after which the writer of a temporary file is taken to be dead."""
_IN_MEMORY = 64 << 20


def is_address(location: str) -> bool:
    """Does it name its file system, ``file://`` for example?"""
    return _URI.fullmatch(location) is not None


def is_remote(location: str) -> bool:
    """Is it an address of a file system other than the local one?"""
    found = _URI.fullmatch(location)
    return found is not None and found[1] != "file"


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
        return _from_fsspec(scheme, location)
    root, path, query = parted(location)
    try:
        filesystem, folder = _from_arrow(scheme, root.partition("://")[2], query)
    except (pa.ArrowException, OSError) as error:
        raise OptionError(f"{location}: {one_line(str(error))}") from error
    return filesystem, (folder + path).rstrip("/")


def parted(location: str) -> tuple[str, str, str]:
    """What comes before the path of a location, the path, and what follows it.

    Examples
    --------
    >>> parted("s3://bucket/data/a.tar?region=eu-west-1")
    ('s3://bucket', '/data/a.tar', '?region=eu-west-1')
    >>> parted("data/a.tar")
    ('', 'data/a.tar', '')
    """
    found = _URI.fullmatch(location)
    if found is None:
        return "", location, ""
    scheme, rest = found[1], found[2]
    query = _QUERY.search(rest) if scheme.lower() in _OF_ARROW else None
    authority, slash, path = (rest if query is None else rest[: query.start()]).partition("/")
    return f"{scheme}://{authority}", slash + path, "" if query is None else query[0]


def joined(location: str, name: str) -> str:
    """The location of what is in a folder.

    Examples
    --------
    >>> joined("data/", "a.tar"), joined("s3://bucket/data?region=eu-west-1", "a.tar")
    ('data/a.tar', 's3://bucket/data/a.tar?region=eu-west-1')
    """
    root, path, query = parted(location)
    if path.endswith("/") or not (root or path):
        return f"{root}{path}{name}{query}"
    return f"{root}{path}/{name}{query}"


@cache
def _from_arrow(scheme: str, authority: str, options: str) -> tuple[Any, str]:
    """A file system of pyarrow's, and its path of the bucket. To open one may take a request."""
    filesystem, root = fs.FileSystem.from_uri(f"{scheme}://{quote(authority, safe='@:')}{options}")
    return filesystem, root.rstrip("/")


def _from_fsspec(scheme: str, location: str) -> tuple[Any, str]:
    try:
        from fsspec.core import url_to_fs
    except ImportError:
        raise MissingExtraError("fsspec", "remote") from None
    try:
        filesystem, path = url_to_fs(location)
    except ImportError as error:
        raise MissingExtraError(
            f"what fsspec wants for {scheme}:// ({one_line(str(error))})", "remote"
        ) from None
    except ValueError as error:
        raise OptionError(f"{location}: {one_line(str(error))}") from None
    # What it has listed it takes for what is there, for ever.
    filesystem.invalidate_cache()
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
        return joined(self.location, name)

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
            try:
                yield cast(BinaryIO, gathered)
                gathered.flush()
            except OSError as error:
                if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
                    raise
                raise OutputError(f"{tempfile.gettempdir()}: {error.strerror}") from error
            self._send(name, cast(BinaryIO, gathered))

    def delete(self, name: str) -> None:
        """Remove a file, if it is there; OutputError if it cannot be removed."""
        with self._writing(name) as (filesystem, path):
            if filesystem.get_file_info(path).type != fs.FileType.NotFound:
                filesystem.delete_file(path)

    def sweep(self, *folders: str, alone: bool = False) -> list[str]:
        """Remove temporary files that dead writers have left, and return their names.

        On object stores there are none. A file counts as left when nobody has written to it for a quarter of
        an hour; or at once, if it is known that nobody else is at work here.
        """
        swept = []
        if self.local is not None:
            for folder in folders:
                with contextlib.suppress(OSError):
                    for path in (self.local / folder).iterdir():
                        if _TEMPORARY(path.name) and (alone or time.time() - path.stat().st_mtime > _STALE):
                            path.unlink()
                            swept.append(f"{folder}/{path.name}")
        return swept

    def _send(self, name: str, file: BinaryIO) -> None:
        with self._writing(name) as (filesystem, path):
            if isinstance(filesystem, fs.PyFileSystem) and "/" in path:
                filesystem.create_dir(path.rpartition("/")[0], recursive=True)
            content = _whole(file)
            # A stream that is given up is closed, and so completes the object with what it has been given.
            # Therefore it is given everything at once.
            stream = filesystem.open_output_stream(path)
            stream.write(content)
            stream.close()

    @contextlib.contextmanager
    def _reading(self, name: str) -> Iterator[tuple[Any, str]]:
        filesystem, folder = filesystem_of(self.location)
        with reading_errors(self.path_of(name)):
            yield filesystem, f"{folder}/{name}" if name else folder

    @contextlib.contextmanager
    def _writing(self, name: str) -> Iterator[tuple[Any, str]]:
        filesystem, folder = filesystem_of(self.location)
        try:
            yield filesystem, f"{folder}/{name}"
        except (pa.ArrowException, OSError) as error:
            raise OutputError(f"{self.path_of(name)}: {_reason(error)}") from error


@contextlib.contextmanager
def reading_errors(location: str) -> Iterator[None]:
    """Turn what file systems raise into DataError."""
    try:
        yield
    except TfdpError:
        raise
    except (pa.ArrowException, OSError) as error:
        raise DataError(location, None, f"cannot be read: {_reason(error)}") from error


def _whole(file: BinaryIO) -> Any:
    """The content of a temporary file: in memory if it is small, else mapped."""
    if (size := file.seek(0, os.SEEK_END)) > _IN_MEMORY:
        return pa.py_buffer(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_READ))
    file.seek(0)
    return file.read()


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return one_line(str(error).strip().partition("\n")[0].rstrip("."))
