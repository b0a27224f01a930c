"""What is in folders, here or on any other file system, and which paths wildcards stand for."""

from __future__ import annotations

import fnmatch
import os
import re
import stat
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple, Protocol

from pyarrow import fs

from tfdp_fast.distributed.storage import filesystem_of, is_remote, joined, parted, reading_errors

__all__ = ["Entry", "RemotePlace", "Stat", "entries", "files_below", "has_wildcards", "look", "matches"]

_WILD = re.compile(r"[*?[]")


class Stat(Protocol):
    """What is known of a file."""

    @property
    def st_size(self) -> int:
        """Bytes."""

    @property
    def st_mtime_ns(self) -> int:
        """When it was changed last, in nanoseconds; 0 where that is not known."""


class Entry(Protocol):
    """What is in a folder; an `os.DirEntry`, where it is on this machine."""

    @property
    def name(self) -> str:
        """Its name in the folder."""

    def is_dir(self) -> bool:
        """Whether it is a folder."""

    def is_symlink(self) -> bool:
        """Whether it is a link to something else."""

    def stat(self) -> Stat:
        """Its size and its time."""


class _Stat(NamedTuple):
    st_size: int
    st_mtime_ns: int


@dataclass(frozen=True)
class _Listed:
    """An entry of which all is known."""

    name: str
    is_folder: bool
    size: int
    modified: int

    def is_dir(self) -> bool:
        return self.is_folder

    def is_symlink(self) -> bool:
        return False

    def stat(self) -> Stat:
        return _Stat(self.size, self.modified)


def look(location: str) -> Entry | None:
    """What a location is; None if there is nothing.

    Raises
    ------
    DataError
        If that cannot be found out.
    """
    filesystem, path = filesystem_of(location)
    with reading_errors(location):
        if not is_remote(location):
            return _look_here(path)
        about = filesystem.get_file_info(path)
    return None if about.type == fs.FileType.NotFound else _listed(about)


def _look_here(path: str) -> Entry | None:
    try:
        about = os.stat(path)  # noqa: PTH116
    except (FileNotFoundError, NotADirectoryError, ValueError):  # what is no name at all
        return None
    name = path.rstrip("/").rpartition("/")[2]
    return _Listed(name, stat.S_ISDIR(about.st_mode), about.st_size, about.st_mtime_ns)


def entries(folder: str) -> Iterator[Entry]:
    """What is in a folder, in no order; on object stores by one listing.

    Raises
    ------
    DataError
        If it cannot be read.
    """
    filesystem, path = filesystem_of(folder)
    with reading_errors(folder):
        if is_remote(folder):
            # An object store may have an object of the folder's own name, with a slash.
            found = map(_listed, filesystem.get_file_info(fs.FileSelector(path)))
            yield from (entry for entry in found if entry.name)
        else:
            with os.scandir(path or ".") as local:
                yield from local


def files_below(folder: str) -> Iterator[tuple[str, Entry]]:
    """The files in a folder and below, with their paths relative to it, in no order.

    Folders whose names begin with a dot are passed over, and so are links to folders.

    Raises
    ------
    DataError
        If a folder cannot be read.
    """
    if not is_remote(folder):
        for entry in entries(folder):
            if not entry.is_dir():
                yield entry.name, entry
            elif not entry.name.startswith(".") and not entry.is_symlink():
                for name, file in files_below(joined(folder, entry.name)):
                    yield f"{entry.name}/{name}", file
        return
    filesystem, path = filesystem_of(folder)
    with reading_errors(folder):
        found = filesystem.get_file_info(fs.FileSelector(path, recursive=True))
    before = len(path.strip("/")) + 1
    for about in found:
        name = about.path.strip("/")[before:]
        if about.type == fs.FileType.File and not any(part[:1] == "." for part in name.split("/")[:-1]):
            yield name, _listed(about)


def has_wildcards(location: str) -> bool:
    """Are there wildcards in its path?"""
    return bool(_WILD.search(parted(location)[1]))


def matches(pattern: str) -> list[tuple[str, Entry]]:
    """What wildcards stand for: ``*``, ``?`` and ``[...]`` within a name, ``**`` for any folders, or none.

    As in a shell, they do not stand for a dot at the beginning of a name. A pattern with ``**`` stands for
    files only.

    Returns
    -------
    list of (str, Entry)
        Locations and what they are, by the order of their characters.

    Raises
    ------
    DataError
        If a folder cannot be read.
    """
    root, path, query = parted(pattern)
    names = path.split("/")
    first = next(i for i, name in enumerate(names) if _WILD.search(name))
    folder = "/".join(names[:first]) or ("/" if path.startswith("/") else "")
    start = f"{root}{folder}{query}"
    above = look(start)
    if above is None or not above.is_dir():
        return []
    found = list(_matches(start, names[first:]))
    return sorted(found, key=lambda match: parted(match[0])[1])


def _matches(folder: str, names: list[str]) -> Iterator[tuple[str, Entry]]:
    if names[0] == "**":
        for name, file in files_below(folder):
            if _fit(name.split("/"), names):
                yield joined(folder, name), file
        return
    if not _WILD.search(names[0]):
        below = look(joined(folder, names[0]))
        found: Iterable[Entry] = () if below is None else (below,)
    else:
        found = (entry for entry in entries(folder) if _fit([entry.name], names[:1]))
    for entry in found:
        location = joined(folder, entry.name)
        if len(names) == 1:
            yield location, entry
        elif entry.is_dir():
            yield from _matches(location, names[1:])


def _fit(names: Sequence[str], patterns: Sequence[str]) -> bool:
    """Do names, one below the other, fit patterns?"""
    if not patterns:
        return not names
    if patterns[0] != "**":
        return bool(names) and _fits(names[0], patterns[0]) and _fit(names[1:], patterns[1:])
    if len(patterns) == 1:
        return bool(names) and not names[-1].startswith(".")
    return any(_fit(names[i:], patterns[1:]) for i in range(len(names)))


def _fits(name: str, pattern: str) -> bool:
    if name.startswith(".") and not pattern.startswith("."):
        return False
    return fnmatch.fnmatchcase(name, pattern.replace("[^", "[!"))


def _listed(about: Any) -> _Listed:
    is_folder = about.type == fs.FileType.Directory
    modified = 0 if is_folder else about.mtime_ns or 0
    return _Listed(about.base_name, is_folder, 0 if is_folder else about.size or 0, modified)


class RemotePlace:
    """A folder elsewhere, as far as formats are recognised by it.

    Parameters
    ----------
    location : str
        Where it is.
    found : sequence of Entry
        What is in it.
    is_folder : bool
        Whether it is a folder.
    """

    def __init__(self, location: str, found: Sequence[Entry], is_folder: bool = True) -> None:
        self.is_folder = is_folder
        self._location = location
        self._found = found

    @property
    def parts(self) -> tuple[str, ...]:
        """The names on the way to it."""
        root, path, _ = parted(self._location)
        return (root, *path.strip("/").split("/"))

    @cached_property
    def names(self) -> Mapping[str, bool]:
        """The names in it."""
        return {entry.name: entry.is_dir() for entry in self._found}

    def inside(self, name: str) -> RemotePlace:
        """What is of that name in it. What is below that is not looked at: each would be a request."""
        return RemotePlace(joined(self._location, name), (), self.names.get(name, False))
